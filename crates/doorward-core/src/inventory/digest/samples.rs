//! Values that differ in one field each: what they share is the first of them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use jiff::Timestamp;

use super::{Encode, Encoder};

/// Different values of a type. Those of a struct are one, and this one with each other value of each field.
pub(crate) trait Samples: Sized + Clone {
    fn samples() -> Vec<Self>;
}

pub(crate) fn first<T: Samples>() -> T {
    T::samples().swap_remove(0)
}

pub(crate) fn others<T: Samples>() -> impl Iterator<Item = T> {
    T::samples().into_iter().skip(1)
}

/// A variant of an enum with each sample of its members.
pub(crate) fn built<M: Samples, T>(variant: impl Fn(M) -> T) -> Vec<T> {
    M::samples().into_iter().map(variant).collect()
}

/// The digest of one value.
fn digest_of(value: &impl Encode) -> [u8; 32] {
    let mut encoder = Encoder::default();
    value.encode(&mut encoder);
    encoder.finish()
}

/// Asserts that no two samples of a type have the same digest.
pub(crate) fn check_that_all_differ<T: Samples + Encode + std::fmt::Debug>() {
    let mut seen: BTreeMap<[u8; 32], T> = BTreeMap::new();
    for sample in T::samples() {
        if let Some(other) = seen.insert(digest_of(&sample), sample.clone()) {
            panic!("{other:?} and {sample:?} have the same digest");
        }
    }
}

macro_rules! samples {
    ($($type:ty: $($sample:expr),+;)*) => {$(
        impl Samples for $type {
            fn samples() -> Vec<Self> {
                vec![$($sample),+]
            }
        }
    )*};
}

samples! {
    (): ();
    bool: false, true;
    u8: 0, 1, 255;
    u16: 0, 1, 256;
    u32: 0, 1, 1 << 24;
    u64: 0, 1, 1 << 40;
    // One is the beginning of another.
    String: String::new(), "a".to_owned(), "ab".to_owned(), "b".to_owned();
    Ipv4Addr: Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(203, 0, 113, 7);
    IpAddr: IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]), Ipv6Addr::LOCALHOST.into();
    Timestamp: Timestamp::UNIX_EPOCH, Timestamp::constant(1, 0), Timestamp::constant(0, 1);
}

impl<T: Samples> Samples for Box<T> {
    fn samples() -> Vec<Self> {
        built(Self::new)
    }
}

impl<T: Samples> Samples for Option<T> {
    fn samples() -> Vec<Self> {
        [None].into_iter().chain(built(Some)).collect()
    }
}

impl<T: Samples> Samples for Vec<T> {
    fn samples() -> Vec<Self> {
        let mut all = vec![T::samples(), Vec::new()];
        all.extend(T::samples().into_iter().map(|only| vec![only]));
        all.extend(T::samples().into_iter().skip(1).map(|second| vec![second, first()]));
        all
    }
}

impl<T: Samples + Ord> Samples for BTreeSet<T> {
    fn samples() -> Vec<Self> {
        let mut all = vec![Self::from_iter(T::samples()), Self::new()];
        all.extend(T::samples().into_iter().map(|only| Self::from([only])));
        all
    }
}

impl<K: Samples + Ord, V: Samples> Samples for BTreeMap<K, V> {
    fn samples() -> Vec<Self> {
        [Self::new()].into_iter().chain(built(|(key, value)| Self::from([(key, value)]))).collect()
    }
}
