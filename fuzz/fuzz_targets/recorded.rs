//! Bytes as a recorded answer: never a panic, and always the same inventory.
#![no_main]

use std::path::Path;

use doorward_aws::recorded_files;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let (path, bytes) = match data.iter().position(|byte| *byte == 0) {
        // UTF-16 has many of them, and begins with a mark.
        Some(end) if !data.starts_with(b"\xFF\xFE") && !data.starts_with(b"\xFE\xFF") => {
            (String::from_utf8_lossy(&data[..end]).into_owned(), &data[end + 1..])
        }
        _ => ("eu-west-1/answer.json".to_owned(), data),
    };
    let read = |bytes: &[u8]| recorded_files([(Path::new(&path), bytes)]);
    let recording = match read(bytes) {
        Ok(recording) => recording,
        Err(error) => {
            let text = error.to_string();
            assert!(!text.is_empty() && !text.contains("Shape") && !text.contains("struct"), "{text}");
            return;
        }
    };
    assert_eq!(read(bytes).expect("what was read once"), recording);
    for gap in &recording.inventory.gaps {
        assert!(!gap.why.contains("Shape") && !gap.why.contains("expected struct"), "{gap}");
    }
    let mut assumed = recording.clone();
    assumed.assume_aws_defaults();
    assert!(assumed.inventory.gaps.len() <= recording.inventory.gaps.len());
    // Wrapped as recorders do it, where that means the same. Gaps name lines and columns, which are others then.
    if let Ok(serde_json::Value::Object(object)) = serde_json::from_slice(bytes)
        && !object.keys().any(|key| WRAPPERS.iter().any(|wrapper| wrapper.eq_ignore_ascii_case(key)))
    {
        let mut wrapped = br#"{"status_code": 200, "data": "#.to_vec();
        wrapped.extend_from_slice(bytes);
        wrapped.push(b'}');
        let mut wrapped = read(&wrapped).expect("what was read bare").inventory;
        let mut inventory = recording.inventory;
        assert_eq!(wrapped.gaps.len(), inventory.gaps.len());
        (wrapped.gaps, inventory.gaps) = (Vec::new(), Vec::new());
        assert_eq!(wrapped, inventory);
    }
});

/// What collectors put around an answer; a limited number of them is looked into.
const WRAPPERS: [&str; 12] = [
    "answer", "body", "content", "data", "output", "payload", "response", "result", "results", "value", "items",
    "pages",
];
