//! Bytes as frames of a far side that is up to anything: never a panic, and the same however they are cut.
#![no_main]

use std::collections::BTreeMap;

use bytes::{BufMut as _, BytesMut};
use doorward_tunnel::ssm::smux::{Read, Smux};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((cut, data)) = data.split_first() else { return };
    let whole = received(data.chunks(data.len().max(1)));
    assert_eq!(received(data.chunks(usize::from(*cut).max(1))), whole);
    assert!(whole.0.values().map(|(read, _)| read.len()).sum::<usize>() <= data.len());
    used(data);
});

type Received = (BTreeMap<u32, (Vec<u8>, bool)>, bool);

/// What the streams 3 to 9 get, whether they end, and whether all was understood.
fn received<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Received {
    let mut smux = Smux::new();
    while smux.open().is_some_and(|id| id < 9) {}
    let mut is_understood = true;
    for piece in pieces {
        if smux.receive(piece).is_err() {
            is_understood = false;
            break;
        }
    }
    let mut streams = BTreeMap::new();
    for id in [3, 5, 7, 9] {
        let mut read = Vec::new();
        while let Read::Bytes(_) = smux.read(id, &mut (&mut read).limit(100)) {}
        let ends = matches!(smux.read(id, &mut Vec::new()), Read::End | Read::Refused);
        streams.insert(id, (read, ends));
    }
    (streams, is_understood)
}

/// Streams are opened, written, read, finished and closed between the frames.
fn used(data: &[u8]) {
    let mut smux = Smux::new();
    let mut payload = BytesMut::new();
    for part in data.chunks(7) {
        let what = part.first().copied().unwrap_or(0);
        let id = u32::from(what >> 3);
        match what & 0x7 {
            0 => drop(smux.open()),
            1 => drop(smux.write(id, part)),
            2 => drop(smux.read(id, &mut Vec::new())),
            3 => smux.finish(id),
            4 => smux.close(id),
            5 => smux.fill(&mut payload, 9 + usize::from(what)),
            6 => smux.refused(),
            _ => drop(smux.receive(part)),
        }
        while smux.poll_event().is_some() {}
        payload.clear();
        assert!(smux.unanswered() <= data.len());
    }
    while smux.has_more() {
        smux.fill(&mut payload, 64);
        assert!(payload.len() <= 64);
        payload.clear();
    }
}
