//! `[prices]`: the table of prices that plans use.

use super::walk::{Section, Walk};

/// A file with prices, as `doorward prices import` writes it.
pub(super) fn read<'t>(walk: &mut Walk<'t>, root: &Section<'t, '_>) -> Option<String> {
    const LIKE: &str = "file = \"prices.toml\"";
    let value = root.get("prices")?;
    let section = walk.section("`[prices]`", root.key_at("prices"), value, &["file"])?;
    section.need(walk, "file", LIKE)?;
    section.plain(walk, "file", LIKE).map(str::to_owned)
}
