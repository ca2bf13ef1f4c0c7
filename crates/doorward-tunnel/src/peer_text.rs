//! Text that a peer sent, made fit to be shown.

/// The peer's words without control characters, at most 1,000 characters of them.
pub(crate) fn peer_text(words: &str) -> String {
    const MOST: usize = 1000;
    words
        .split(|c: char| c.is_control())
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(MOST)
        .collect()
}
