//! Has the linker pack the relocations of the program, where the loader can read that.
//!
//! The table of relocations is read whole at a start and stays in memory: packed (RELR), it takes 25 kB instead of 2 MB, and an
//! idle server holds 3 MB less. glibc reads the packed form from version 2.36 on.

use std::env::var;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is_glibc = var("CARGO_CFG_TARGET_ENV").is_ok_and(|environment| environment == "gnu");
    if is_glibc && var("HOST") == var("TARGET") && glibc().is_some_and(|version| version >= (2, 36)) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// The version of this machine's glibc, from `glibc 2.36`.
fn glibc() -> Option<(u32, u32)> {
    let said = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?.stdout;
    let said = String::from_utf8(said).ok()?;
    let (major, minor) = said.trim().rsplit(' ').next()?.split_once('.')?;
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}
