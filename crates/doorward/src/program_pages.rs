//! Gives pages of the program back that only the start needed.
//!
//! What a start runs (migrations, the policy's parser, the set-up of TLS and of AWS's client) stays mapped although it is never
//! run again: about half of what an idle server holds. The kernel maps what is used once more from its page cache.

use std::fs;
use std::path::Path;

use crate::bounded_file;

/// Has the kernel unmap the program's code. It maps each page again when it is run; nothing is lost, since code is never
/// written.
#[expect(unsafe_code, reason = "advice about memory that Rust does not manage")]
pub(crate) fn give_back() {
    let maps = bounded_file::text(Path::new("/proc/self/maps"), bounded_file::SMALL);
    let (Ok(maps), Ok(program)) = (maps, fs::read_link("/proc/self/exe")) else { return };
    for (from, to) in maps.lines().filter_map(|line| code(line, &program.to_string_lossy())) {
        // SAFETY: these pages are mapped from the program's file, executable and not writable, so that each has what the file
        // has, before and afterwards (madvise(2), MADV_DONTNEED).
        let advised = unsafe { libc::madvise(from as *mut libc::c_void, to - from, libc::MADV_DONTNEED) };
        if advised != 0 {
            tracing::debug!("the program's pages were not given back");
        }
    }
}

/// The range of addresses of a line of `maps`, if it is a part of the program that is executable and not writable.
fn code(line: &str, program: &str) -> Option<(usize, usize)> {
    let mut words = line.split_ascii_whitespace();
    let (range, permissions) = (words.next()?, words.next()?);
    let path = line.find('/').and_then(|at| line.get(at..))?;
    if permissions != "r-xp" || path != program {
        return None;
    }
    let (from, to) = range.split_once('-')?;
    Some((usize::from_str_radix(from, 16).ok()?, usize::from_str_radix(to, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_code_of_the_program_is_given_back() {
        let program = "/opt/door ward/doorward";
        for (line, range) in [
            ("1000-3000 r-xp 00ad1000 fe:00 10119416      /opt/door ward/doorward", Some((0x1000, 0x3000))),
            ("1000-3000 r--p 00ad1000 fe:00 10119416      /opt/door ward/doorward", None),
            ("1000-3000 rwxp 00ad1000 fe:00 10119416      /opt/door ward/doorward", None),
            ("1000-3000 r-xp 00ad1000 fe:00 10119416      /usr/lib/libc.so.6", None),
            ("1000-3000 rw-p 00000000 00:00 0", None),
            ("7ffd1000-7ffd3000 r-xp 00000000 00:00 0                          [vdso]", None),
        ] {
            assert_eq!(code(line, program), range, "{line}");
        }
        // And it goes on.
        give_back();
    }
}
