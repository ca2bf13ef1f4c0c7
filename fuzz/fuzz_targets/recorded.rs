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
    let inventory = match read(bytes) {
        Ok(inventory) => inventory,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert_eq!(read(bytes).expect("what was read once"), inventory);
    // Wrapped as recorders do it, where that means the same.
    if let Ok(serde_json::Value::Object(object)) = serde_json::from_slice(bytes)
        && !object.contains_key("data")
    {
        let mut wrapped = br#"{"status_code": 200, "data": "#.to_vec();
        wrapped.extend_from_slice(bytes);
        wrapped.push(b'}');
        assert_eq!(read(&wrapped).expect("what was read bare"), inventory);
    }
});
