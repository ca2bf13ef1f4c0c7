//! Local ports in front of a dial that is played.

use std::sync::Mutex;

use jiff::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::dial::{Answer, BoxedStream, DialError, Straight};

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// A server that reads to the end and says what it read, twice.
async fn far() -> SocketAddr {
    let listener = TcpListener::bind(ANY).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut heard = Vec::new();
                if stream.read_to_end(&mut heard).await.is_ok() {
                    stream.write_all(&heard).await.unwrap();
                    stream.write_all(&heard).await.unwrap();
                }
            });
        }
    });
    address
}

fn forward(to: SocketAddr, options: Options) -> Forward {
    Forward::to(ANY, to.into(), Arc::new(Straight), options).unwrap()
}

/// Options that tell into a list.
fn telling() -> (Options, Arc<Mutex<Vec<News>>>) {
    let told: Arc<Mutex<Vec<News>>> = Arc::default();
    let teller = Arc::clone(&told);
    (Options { tell: Arc::new(move |news| teller.lock().unwrap().push(news)), ..Options::default() }, told)
}

async fn client(forward: &Forward) -> TcpStream {
    TcpStream::connect(forward.address()).await.unwrap()
}

async fn until(forward: &Forward, what: impl Fn(Counts) -> bool) {
    let waited = async {
        while !what(forward.counts()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(5), waited).await;
    assert!(waited.is_ok(), "{:?}", forward.counts());
}

#[tokio::test]
async fn bytes_go_both_ways_and_an_end_is_passed_on() {
    let forward = forward(far().await, Options::default());
    let mut stream = client(&forward).await;
    stream.write_all(b"hello").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut heard = String::new();
    stream.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "hellohello");
    until(&forward, |counts| counts.open == 0).await;
    assert_eq!(forward.counts(), Counts { total: 1, up: 5, down: 10, ..Counts::default() });
}

#[tokio::test]
async fn a_connection_that_fails_is_reset_and_told_and_the_forward_goes_on() {
    let nobody = TcpListener::bind(ANY).await.unwrap().local_addr().unwrap();
    let (options, told) = telling();
    let forward = forward(nobody, options);
    for _ in 0..2 {
        let error = client(&forward).await.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
    until(&forward, |counts| counts.open == 0).await;
    assert_eq!(forward.counts(), Counts { total: 2, failed: 2, ..Counts::default() });
    let told = told.lock().unwrap();
    assert!(told[0].to_string().contains("refused the connection"), "{told:?}");
}

#[tokio::test]
async fn closing_cuts_what_is_open_and_says_how_many() {
    let forward = forward(far().await, Options::default());
    let address = forward.address();
    let mut streams = Vec::new();
    for _ in 0..5 {
        let mut stream = client(&forward).await;
        stream.write_all(b"hello").await.unwrap();
        streams.push(stream);
    }
    until(&forward, |counts| counts.up == 25).await;
    assert_eq!(forward.close().await, 5);
    for mut stream in streams {
        assert_eq!(stream.read_u8().await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn it_ends_with_its_time_which_may_be_extended() {
    let now = Arc::new(Mutex::new(Timestamp::from_second(1_000).unwrap()));
    let set = |second| *now.lock().unwrap() = Timestamp::from_second(second).unwrap();
    let (mut options, told) = telling();
    let told_time = Arc::clone(&now);
    options.clock = Arc::new(move || *told_time.lock().unwrap());
    options.bound = Bound::Until(Timestamp::from_second(1_100).unwrap());
    let forward = forward(far().await, options);
    let mut stream = client(&forward).await;
    forward.bind(Bound::Until(Timestamp::from_second(1_200).unwrap()));
    set(1_150);
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    stream.write_all(b"still").await.unwrap();
    until(&forward, |counts| counts.up == 5).await;
    set(1_200);
    tokio::time::timeout(Duration::from_secs(3), forward.ended()).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(forward.counts().cut, 1);
    // What is over does not begin again.
    forward.bind(Bound::Endless);
    assert!(TcpStream::connect(forward.address()).await.is_err());
    assert_eq!(*told.lock().unwrap(), [News::Ended { why: "the grant expired".to_owned() }]);
}

#[tokio::test]
async fn more_than_the_limit_is_turned_away() {
    let (mut options, _) = telling();
    options.limits.connections = 2;
    let forward = forward(far().await, options);
    let (_first, mut second) = (client(&forward).await, client(&forward).await);
    until(&forward, |counts| counts.open == 2).await;
    assert_eq!(client(&forward).await.read_u8().await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert_eq!((forward.counts().turned_away, forward.counts().failed), (1, 0));
    second.shutdown().await.unwrap();
    assert_eq!(second.read_to_end(&mut Vec::new()).await.unwrap(), 0);
    until(&forward, |counts| counts.open == 1).await;
    let _third = client(&forward).await;
    until(&forward, |counts| counts.open == 2).await;
}

/// A transport that never answers.
struct Never;

impl Dial for Never {
    fn dial<'a>(&'a self, _: &'a Destination) -> Answer<'a, Result<BoxedStream, DialError>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_dial_that_is_not_answered_ends_and_one_that_waits_is_cut() {
    let (mut options, told) = telling();
    options.limits.dial = Duration::from_secs(1);
    let to: Destination = SocketAddr::from(([10, 0, 0, 1], 5432)).into();
    let forward = Forward::to(ANY, to.clone(), Arc::new(Never), options).unwrap();
    assert_eq!(client(&forward).await.read_u8().await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert!(told.lock().unwrap()[0].to_string().contains("did not respond within 1 s"));
    let forward = Forward::to(ANY, to, Arc::new(Never), Options::default()).unwrap();
    let mut waiting = client(&forward).await;
    until(&forward, |counts| counts.open == 1).await;
    assert_eq!(forward.close().await, 1);
    assert_eq!(waiting.read_u8().await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind(ANY).await.unwrap().local_addr().unwrap();
    let listening = TcpListener::bind(taken).await.unwrap();
    let to: Destination = taken.into();
    let error = Forward::to(taken, to, Arc::new(Straight), Options::default()).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot listen on `{taken}`"));
    drop(listening);
}
