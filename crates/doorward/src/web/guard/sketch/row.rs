//! A row of cells that takes memory only where something was ever counted, and never more than all of it.

/// How many cells come at once.
const PAGE: usize = 128;

/// A fixed number of cells, each [`Default`] until it is changed.
#[derive(Debug)]
pub(super) struct Row<C> {
    width: usize,
    pages: Vec<Option<Box<[C; PAGE]>>>,
}

impl<C: Copy + Default> Row<C> {
    /// With at least one cell.
    pub(super) fn new(width: usize) -> Self {
        let width = width.max(1);
        Self { width, pages: vec![None; width.div_ceil(PAGE)] }
    }

    /// How many cells there are, whether they take memory or not.
    pub(super) fn len(&self) -> usize {
        self.width
    }

    /// A cell; nothing beyond the last.
    pub(super) fn get(&self, at: usize) -> Option<C> {
        let page = self.pages.get(at / PAGE).filter(|_| at < self.width)?;
        page.as_ref().map_or_else(|| Some(C::default()), |page| page.get(at % PAGE).copied())
    }

    /// A cell to be changed; nothing beyond the last.
    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut C> {
        let page = self.pages.get_mut(at / PAGE).filter(|_| at < self.width)?;
        page.get_or_insert_with(|| Box::new([C::default(); PAGE])).get_mut(at % PAGE)
    }

    /// The cells that were ever changed, and their neighbours, each with its place.
    pub(super) fn changed(&self) -> impl Iterator<Item = (usize, C)> {
        let pages = self.pages.iter().enumerate();
        let changed = pages.filter_map(|(number, page)| page.as_ref().map(|page| (number, page)));
        changed.flat_map(|(number, page)| {
            page.iter().enumerate().map(move |(at, cell)| (number * PAGE + at, *cell))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_changed_takes_memory() {
        let mut row: Row<u32> = Row::new(1000);
        let taken = |row: &Row<u32>| row.pages.iter().flatten().count();
        assert_eq!((row.len(), row.get(999), row.get(1000)), (1000, Some(0), None));
        assert_eq!(taken(&row), 0);
        *row.get_mut(999).unwrap() = 7;
        assert!(row.get_mut(1000).is_none());
        assert_eq!((row.get(999), row.get(998), taken(&row)), (Some(7), Some(0), 1));
        let changed: Vec<_> = row.changed().filter(|(_, cell)| *cell > 0).collect();
        assert_eq!(changed, [(999, 7)]);
    }
}
