//! Pictures as a whole.

use super::*;

#[test]
fn try_out() {
    for (name, drawing) in [
        ("small", examples::small()),
        ("a30", examples::account(30, 1)),
        ("a100", examples::account(100, 2)),
        ("a500", examples::account(500, 3)),
    ] {
        let begun = std::time::Instant::now();
        let text = draw(&drawing, &Setting::File);
        println!("{name}: {} bytes, {:?}", text.len(), begun.elapsed());
        std::fs::write(format!("/tmp/pictures/{name}.svg"), text).unwrap();
    }
}
