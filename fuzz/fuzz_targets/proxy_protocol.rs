//! Bytes as the beginning of a connection of a load balancer: never a panic, and pieces do not matter.
#![no_main]

use doorward_core::proxy_protocol::{Header, LONGEST, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|said: &[u8]| {
    let Ok(Header::Whole { length, named }) = read(said) else { return };
    assert!(length <= said.len() && length <= LONGEST);
    assert_eq!(read(&said[..length]), Ok(Header::Whole { length, named }));
    for end in 0..length {
        assert_eq!(read(&said[..end]), Ok(Header::Partial));
    }
});
