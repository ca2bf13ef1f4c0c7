//! The port of this machine that a target answers at: the same every time, so that it can be written down.

/// Below what Linux gives to clients by itself (32768 and up), above what services ask for.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// The local port of one port of a target, if nobody names another.
///
/// It depends on both names alone, so that everybody has the same, on every machine.
pub fn usual(target: &str, port: u16) -> u16 {
    // FNV-1a: it need not be hard to find two that are alike, and has to stay the same forever.
    let mut hash: u32 = 0x811c_9dc5;
    for byte in target.bytes().chain([0]).chain(port.to_be_bytes()) {
        hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    FIRST + u16::try_from(hash % u32::from(COUNT)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_the_same() {
        // People have written these down.
        assert_eq!(usual("orders-db", 5432), 20_000 + 8_738);
        assert_eq!(usual("orders-db", 5432), usual("orders-db", 5432));
        assert_ne!(usual("orders-db", 5432), usual("orders-db", 5433));
        assert_ne!(usual("orders-db", 5432), usual("reports", 5432));
    }

    #[test]
    fn it_is_never_one_that_the_system_gives_to_clients() {
        for number in 0..10_000 {
            let port = usual(&format!("target-{number}"), 5432);
            assert!((FIRST..FIRST + COUNT).contains(&port), "{port}");
        }
    }
}
