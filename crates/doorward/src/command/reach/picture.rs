//! Who can reach what, as a picture in a file.

use std::path::Path;

use doorward_core::reach::{PathQuery, Reachability};

use crate::command::{self, Code, Failure, note};
use doorward_picture::{self as picture, Setting};

pub(super) fn run(reachability: &Reachability, scope: &PathQuery, file: &Path) -> Result<u8, Failure> {
    let drawing = picture::drawing(reachability, scope);
    let svg = picture::draw(&drawing, &Setting::File);
    if file == Path::new("-") {
        command::print(&svg)?;
    } else {
        std::fs::write(file, svg).map_err(|error| {
            let failure = Failure::of(Code::CannotCreate, &error);
            failure.context(format!("cannot write `{}`", file.display()))
        })?;
    }
    if drawing.edges.is_empty() {
        note("nothing can reach anything, so the picture shows no paths");
    }
    for gap in &reachability.inventory().gaps {
        note(&format!("not readable, so the picture may be incomplete: {gap}"));
    }
    Ok(0)
}
