//! Frames, turns, ends and bounds, and that every byte arrives however it is cut.

use proptest::prelude::*;

use super::*;

fn sent(smux: &mut Smux, most: usize) -> Vec<u8> {
    let mut payload = BytesMut::new();
    smux.fill(&mut payload, most);
    payload.to_vec()
}

fn frame(command: Command, id: u32, content: &[u8]) -> Vec<u8> {
    let mut payload = BytesMut::new();
    put_frame(&mut payload, command, id, content);
    payload.to_vec()
}

fn read(smux: &mut Smux, id: u32) -> (Vec<u8>, Read) {
    let mut all = Vec::new();
    loop {
        match smux.read(id, &mut (&mut all).limit(7)) {
            Read::Bytes(_) => {}
            other => return (all, other),
        }
    }
}

#[test]
fn a_stream_is_opened_written_and_closed_in_frames() {
    let mut smux = Smux::new();
    let id = smux.open().unwrap();
    assert_eq!(smux.write(id, b"\n"), Some(1));
    smux.close(id);
    let expected = [1, 0, 0, 0, 3, 0, 0, 0, 1, 2, 1, 0, 3, 0, 0, 0, b'\n', 1, 1, 0, 0, 3, 0, 0, 0];
    assert_eq!(sent(&mut smux, 1024), expected);
    assert_eq!((smux.streams(), smux.has_more(), smux.open()), (0, false, Some(5)));
}

#[test]
fn nobody_waits_behind_one_that_has_much_to_send() {
    let mut smux = Smux::new();
    let (much, little) = (smux.open().unwrap(), smux.open().unwrap());
    smux.write(much, &[7; SENDING]);
    smux.write(little, b"me too");
    let payload = sent(&mut smux, 2 * FRAME);
    let place = payload.windows(6).position(|bytes| bytes == b"me too").unwrap();
    assert_eq!(place, HEADER + HEADER + FRAME + HEADER + HEADER);
}

#[test]
fn who_writes_too_much_is_told_when_there_is_room() {
    let mut smux = Smux::new();
    let id = smux.open().unwrap();
    assert_eq!(smux.write(id, &[7; SENDING + 1]), Some(SENDING));
    assert_eq!(smux.write(id, b"more"), Some(0));
    assert_eq!(smux.poll_event(), None);
    sent(&mut smux, 1024);
    assert_eq!(smux.poll_event(), Some(Event::Writable(id)));
    assert_eq!(smux.write(id, b"more"), Some(4));
}

#[test]
fn a_full_bucket_says_so_and_nobodys_bytes_are_lost() {
    let mut smux = Smux::new();
    let (stalled, other) = (smux.open().unwrap(), smux.open().unwrap());
    let mut pushed = 0;
    while !smux.is_full() {
        smux.receive(&frame(Command::Push, stalled, &[1; 1000])).unwrap();
        smux.receive(&frame(Command::Push, other, &[2; 10])).unwrap();
        pushed += 1;
    }
    assert_eq!(read(&mut smux, other), (vec![2; pushed * 10], Read::Nothing));
    assert!(!smux.is_full());
    assert_eq!(read(&mut smux, stalled), (vec![1; pushed * 1000], Read::Nothing));
    assert_eq!(smux.received, 0);
}

#[test]
fn what_was_sent_before_an_end_is_read_before_it() {
    let mut smux = Smux::new();
    let id = smux.open().unwrap();
    assert_eq!(smux.read(id, &mut Vec::new()), Read::Nothing);
    let mut bytes = frame(Command::Push, id, b"bye");
    bytes.extend(frame(Command::Finish, id, b""));
    bytes.extend(frame(Command::Push, id, b"what"));
    smux.receive(&bytes).unwrap();
    assert_eq!(smux.poll_event(), Some(Event::Readable(id)));
    assert_eq!(read(&mut smux, id), (b"bye".to_vec(), Read::End));
    assert_eq!(smux.write(id, b"hello?"), None);
}

#[test]
fn what_was_answered_is_no_longer_counted() {
    let mut smux = Smux::new();
    let (first, second) = (smux.open().unwrap(), smux.open().unwrap());
    smux.write(first, &[7; 1000]);
    smux.write(second, &[7; 10]);
    assert_eq!(smux.unanswered(), 0);
    sent(&mut smux, 2000);
    assert_eq!(smux.unanswered(), 1010);
    smux.receive(&frame(Command::Push, first, b"thanks")).unwrap();
    assert_eq!(smux.unanswered(), 10);
    smux.close(second);
    sent(&mut smux, 2000);
    assert_eq!(smux.unanswered(), 0);
}

#[test]
fn who_finishes_first_still_reads() {
    let mut smux = Smux::new();
    let id = smux.open().unwrap();
    smux.finish(id);
    let ends = |payload: Vec<u8>| payload.chunks(HEADER).filter(|frame| frame[1] == 1).count();
    assert_eq!(ends(sent(&mut smux, 1024)), 1);
    assert_eq!(smux.write(id, b"more"), None);
    smux.receive(&frame(Command::Push, id, b"answer")).unwrap();
    smux.receive(&frame(Command::Finish, id, b"")).unwrap();
    assert_eq!(read(&mut smux, id), (b"answer".to_vec(), Read::End));
    smux.close(id);
    assert_eq!((sent(&mut smux, 1024).len(), smux.streams.len(), smux.dead()), (0, 0, 0));
}

#[test]
fn a_refusal_is_of_the_stream_that_ends_without_a_byte() {
    let mut smux = Smux::new();
    let (served, refused, ended) = (smux.open().unwrap(), smux.open().unwrap(), smux.open().unwrap());
    smux.receive(&frame(Command::Push, served, b"hello")).unwrap();
    smux.refused();
    for id in [served, refused, ended] {
        smux.receive(&frame(Command::Finish, id, b"")).unwrap();
        smux.receive(&frame(Command::Finish, id, b"")).unwrap();
    }
    assert_eq!(read(&mut smux, served), (b"hello".to_vec(), Read::End));
    assert_eq!(read(&mut smux, refused), (Vec::new(), Read::Refused));
    assert_eq!(read(&mut smux, ended), (Vec::new(), Read::End));
    assert_eq!(smux.dead(), 2);
}

#[test]
fn what_a_closed_stream_gets_is_thrown_away() {
    let mut smux = Smux::new();
    let id = smux.open().unwrap();
    smux.receive(&frame(Command::Push, id, b"late")).unwrap();
    smux.close(id);
    smux.receive(&frame(Command::Push, id, b"later")).unwrap();
    sent(&mut smux, 1024);
    smux.receive(&frame(Command::Push, id, b"latest")).unwrap();
    smux.receive(&frame(Command::Push, 4, b"from where?")).unwrap();
    assert_eq!((smux.received, smux.streams.len()), (0, 0));
}

#[test]
fn what_is_no_frame_is_an_error() {
    let check = |bytes: &[u8], expected| assert_eq!(Smux::new().receive(bytes), expected);
    check(&[1, 3, 0, 0, 0, 0, 0, 0], Ok(()));
    check(&[2, 3, 0, 0, 0, 0, 0, 0], Err(SmuxError::Version { version: 2 }));
    check(&[1, 4, 0, 0, 0, 0, 0, 0], Err(SmuxError::Command { command: 4 }));
    check(&[1, 3, 0, 0, 0], Ok(()));
}

/// The far side of a session, which collects what each stream gets.
fn collected(bytes: &[u8]) -> BTreeMap<u32, (Vec<u8>, bool)> {
    let mut streams: BTreeMap<u32, (Vec<u8>, bool)> = BTreeMap::new();
    let mut rest = bytes;
    while let [1, command, low, high, a, b, c, d, after @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high]));
        let stream = streams.entry(u32::from_le_bytes([*a, *b, *c, *d])).or_default();
        stream.0.extend_from_slice(&after[..length]);
        stream.1 |= *command == 1;
        rest = &after[length..];
    }
    assert!(rest.is_empty());
    streams
}

proptest! {
    #[test]
    fn every_byte_arrives_at_its_stream_however_it_is_cut(
        writes in prop::collection::vec((0..5usize, prop::collection::vec(any::<u8>(), 0..3000)), 0..40),
        most in 9..70_000usize,
        cut in 1..5000usize,
    ) {
        let mut smux = Smux::new();
        let ids: Vec<u32> = (0..5).map(|_| smux.open().unwrap()).collect();
        let (mut wire, mut wanted) = (Vec::new(), BTreeMap::<u32, Vec<u8>>::new());
        for (stream, bytes) in &writes {
            prop_assert_eq!(smux.write(ids[*stream], bytes), Some(bytes.len()));
            wanted.entry(ids[*stream]).or_default().extend(bytes);
            let payload = sent(&mut smux, most);
            prop_assert!(payload.len() <= most);
            wire.extend(payload);
        }
        ids.iter().for_each(|id| smux.close(*id));
        while smux.has_more() {
            wire.extend(sent(&mut smux, most));
        }
        let collected = collected(&wire);
        for id in &ids {
            prop_assert_eq!(&collected[id].0, &wanted.remove(id).unwrap_or_default());
            prop_assert!(collected[id].1);
        }

        // The same bytes as if they came from the far side.
        let mut smux = Smux::new();
        ids.iter().for_each(|_| assert!(smux.open().is_some()));
        for bytes in wire.chunks(cut) {
            smux.receive(bytes).unwrap();
        }
        for id in ids {
            prop_assert_eq!(read(&mut smux, id), (collected[&id].0.clone(), Read::End));
        }
    }
}
