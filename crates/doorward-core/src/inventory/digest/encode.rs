//! Values as bytes to hash, written here and nowhere else, so that neither a derive nor a formatting changes a digest.
//!
//! Two different values of a type have different bytes, whatever follows them: a text and a sequence begin with their
//! length, an option and a variant with a number.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

/// A value that a digest covers.
pub(crate) trait Encode {
    fn encode(&self, into: &mut Encoder);
}

/// Where encoded values go: their SHA-256.
#[derive(Default)]
pub(crate) struct Encoder(Sha256);

impl Encoder {
    pub(crate) fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn length(&mut self, length: usize) {
        self.bytes(&u64::try_from(length).unwrap_or(u64::MAX).to_le_bytes());
    }

    /// The number of a variant of an enum.
    pub(crate) fn variant(&mut self, number: u8) {
        self.bytes(&[number]);
    }

    /// A sequence.
    pub(crate) fn each<T: Encode>(&mut self, members: impl ExactSizeIterator<Item = T>) {
        self.length(members.len());
        members.for_each(|member| member.encode(self));
    }
}

macro_rules! numbers {
    ($($type:ident)*) => {$(
        impl Encode for $type {
            fn encode(&self, into: &mut Encoder) {
                into.bytes(&self.to_le_bytes());
            }
        }
    )*};
}

numbers! { u8 u16 u32 u64 i32 i64 }

impl Encode for bool {
    fn encode(&self, into: &mut Encoder) {
        into.bytes(&[u8::from(*self)]);
    }
}

impl Encode for str {
    fn encode(&self, into: &mut Encoder) {
        into.length(self.len());
        into.bytes(self.as_bytes());
    }
}

impl Encode for String {
    fn encode(&self, into: &mut Encoder) {
        self.as_str().encode(into);
    }
}

impl Encode for Ipv4Addr {
    fn encode(&self, into: &mut Encoder) {
        into.bytes(&self.octets());
    }
}

impl Encode for IpAddr {
    fn encode(&self, into: &mut Encoder) {
        match self {
            Self::V4(address) => {
                into.variant(4);
                into.bytes(&address.octets());
            }
            Self::V6(address) => {
                into.variant(6);
                into.bytes(&address.octets());
            }
        }
    }
}

impl Encode for Timestamp {
    fn encode(&self, into: &mut Encoder) {
        (self.as_second(), self.subsec_nanosecond()).encode(into);
    }
}

impl<T: Encode + ?Sized> Encode for &T {
    fn encode(&self, into: &mut Encoder) {
        T::encode(self, into);
    }
}

impl<T: Encode + ?Sized> Encode for Box<T> {
    fn encode(&self, into: &mut Encoder) {
        T::encode(self, into);
    }
}

impl<T: Encode> Encode for Option<T> {
    fn encode(&self, into: &mut Encoder) {
        match self {
            None => into.variant(0),
            Some(value) => {
                into.variant(1);
                value.encode(into);
            }
        }
    }
}

impl<T: Encode> Encode for Vec<T> {
    fn encode(&self, into: &mut Encoder) {
        into.each(self.iter());
    }
}

impl<T: Encode> Encode for BTreeSet<T> {
    fn encode(&self, into: &mut Encoder) {
        into.each(self.iter());
    }
}

impl<K: Encode, V: Encode> Encode for BTreeMap<K, V> {
    fn encode(&self, into: &mut Encoder) {
        into.each(self.iter());
    }
}

macro_rules! tuples {
    ($($($type:ident $index:tt),+;)*) => {$(
        impl<$($type: Encode),+> Encode for ($($type,)+) {
            fn encode(&self, into: &mut Encoder) {
                $(self.$index.encode(into);)+
            }
        }

        #[cfg(test)]
        impl<$($type: super::samples::Samples),+> super::samples::Samples for ($($type,)+) {
            fn samples() -> Vec<Self> {
                let first: Self = ($(super::samples::first::<$type>(),)+);
                let mut all = vec![first.clone()];
                $(all.extend(super::samples::others().map(|other| {
                    let mut altered = first.clone();
                    altered.$index = other;
                    altered
                }));)+
                all
            }
        }
    )*};
}

tuples! {
    A 0;
    A 0, B 1;
    A 0, B 1, C 2;
    A 0, B 1, C 2, D 3;
}

/// Newtypes around a text.
macro_rules! texts {
    ($($type:ident $($sample:literal),*;)*) => {$(
        impl $crate::inventory::digest::Encode for $type {
            fn encode(&self, into: &mut $crate::inventory::digest::Encoder) {
                self.as_str().encode(into);
            }
        }

        #[cfg(test)]
        impl $crate::inventory::digest::Samples for $type {
            fn samples() -> Vec<Self> {
                [$($sample),*].map(|text| text.parse().expect(text)).into()
            }
        }
    )*};
}

/// Structs, with all of their fields: one that is added does not compile until it is added here.
macro_rules! structs {
    ($($type:ident { $($field:ident),* $(,)? })*) => {$(
        impl $crate::inventory::digest::Encode for $type {
            fn encode(&self, into: &mut $crate::inventory::digest::Encoder) {
                let Self { $($field),* } = self;
                $($crate::inventory::digest::Encode::encode($field, into);)*
            }
        }

        #[cfg(test)]
        impl $crate::inventory::digest::Samples for $type {
            fn samples() -> Vec<Self> {
                let first = Self { $($field: $crate::inventory::digest::first()),* };
                let mut all = vec![first.clone()];
                $(all.extend($crate::inventory::digest::others().map(|$field| {
                    let mut altered = first.clone();
                    altered.$field = $field;
                    altered
                }));)*
                all
            }
        }
    )*};
}

/// Enums, with the number of each variant, which stays the same.
macro_rules! enums {
    ($($type:ident {
        $($number:literal $variant:ident $(($($member:ident),+))? $({ $($field:ident),+ })?,)*
    })*) => {$(
        impl $crate::inventory::digest::Encode for $type {
            fn encode(&self, into: &mut $crate::inventory::digest::Encoder) {
                match self {
                    $(Self::$variant $(($($member),+))? $({ $($field),+ })? => {
                        into.variant($number);
                        $($($crate::inventory::digest::Encode::encode($member, into);)+)?
                        $($($crate::inventory::digest::Encode::encode($field, into);)+)?
                    })*
                }
            }
        }

        #[cfg(test)]
        impl $crate::inventory::digest::Samples for $type {
            fn samples() -> Vec<Self> {
                let mut all = Vec::new();
                $(all.extend($crate::inventory::digest::built(
                    |($($($member,)+)? $($($field,)+)?)| Self::$variant $(($($member),+))? $({ $($field),+ })?,
                ));)*
                all
            }
        }
    )*};
}

pub(crate) use {enums, structs, texts};
