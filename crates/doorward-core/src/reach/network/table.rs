//! Tables whose rows are named by an index of their own kind.

use std::marker::PhantomData;

/// Names a row of one kind of table and of no other.
pub(crate) trait Index: Copy {
    fn new(number: usize) -> Self;
    fn number(self) -> usize;
}

macro_rules! index {
    ($($name:ident)*) => {$(
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name(u32);

        impl $crate::reach::network::table::Index for $name {
            fn new(number: usize) -> Self {
                Self(u32::try_from(number).unwrap_or(u32::MAX))
            }

            fn number(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

pub(crate) use index;

index!(VpcIx SubnetIx TableIx AclIx GroupIx SetIx InterfaceIx ClassIx GapIx);

/// Rows by their index.
#[derive(Debug)]
pub(crate) struct Table<I, T>(Vec<T>, PhantomData<I>);

impl<I, T> Default for Table<I, T> {
    fn default() -> Self {
        Self(Vec::new(), PhantomData)
    }
}

impl<I: Index, T> Table<I, T> {
    pub(crate) fn push(&mut self, row: T) -> I {
        self.0.push(row);
        I::new(self.0.len() - 1)
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "an index is made only by `push` of its own table, which never shrinks"
    )]
    pub(crate) fn at(&self, index: I) -> &T {
        &self.0[index.number()]
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "an index is made only by `push` of its own table, which never shrinks"
    )]
    pub(crate) fn at_mut(&mut self, index: I) -> &mut T {
        &mut self.0[index.number()]
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }

    pub(crate) fn enumerate(&self) -> impl Iterator<Item = (I, &T)> {
        self.0.iter().enumerate().map(|(number, row)| (I::new(number), row))
    }
}
