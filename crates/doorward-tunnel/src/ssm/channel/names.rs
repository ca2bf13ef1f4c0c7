//! The names of messages: UUIDs made of one random number.

use crate::ssm::message::Uuid;

/// Names of messages: different from each other and from anybody else's.
#[derive(Debug)]
pub(super) struct Names {
    seed: u128,
    count: u128,
}

impl Names {
    /// From something random, once.
    pub(super) fn new(seed: u128) -> Self {
        Self { seed, count: 0 }
    }

    pub(super) fn next(&mut self) -> Uuid {
        self.count += 1;
        // Two rounds of a permutation of 128 bits, so that names of one channel do not look like a count.
        let mut name = self.seed ^ self.count;
        for factor in
            [0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835_u128, 0xDA94_2042_E4DD_58B5_94D0_49BB_1331_11EB]
        {
            name = name.wrapping_mul(factor);
            name ^= name >> 67;
        }
        // RFC 9562: version 4, variant 10.
        let name = name & !(0xF << 76 | 0x3 << 62) | (0x4 << 76 | 0x2 << 62);
        Uuid(name.to_be_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_name_is_another_and_a_uuid_of_version_4() {
        let mut names = Names::new(7);
        let named: BTreeSet<String> = (0..10_000).map(|_| names.next().to_string()).collect();
        assert_eq!(named.len(), 10_000);
        let is_proper = |name: &String| name.as_bytes()[14] == b'4' && b"89ab".contains(&name.as_bytes()[19]);
        assert!(named.iter().all(is_proper));
        assert_ne!(Names::new(8).next(), Names::new(7).next());
    }
}
