//! What SQLite does in this process: no trigger runs and no view is read, whoever added it to a store.
//!
//! Either may never end, and SQLite has no limit of time for a statement. PostgreSQL has one: see [`super::schema`].

use std::ffi::{c_char, c_int};
use std::ptr::null_mut;
use std::sync::Once;

use libsqlite3_sys::{
    SQLITE_DBCONFIG_ENABLE_TRIGGER, SQLITE_DBCONFIG_ENABLE_VIEW, SQLITE_DBCONFIG_TRUSTED_SCHEMA, SQLITE_OK,
    sqlite3, sqlite3_api_routines, sqlite3_auto_extension, sqlite3_db_config,
};

/// Triggers run in unit tests, where they stand for those of PostgreSQL, which no client can switch off.
const TRIGGERS: c_int = cfg!(test) as c_int;

/// Has every connection that is opened from now on ignore triggers and refuse views
/// (sqlite.org/c3ref/c_dbconfig_defensive.html).
#[expect(
    unsafe_code,
    reason = "a function of C is registered, which SQLite calls once for each new connection"
)]
pub(super) fn ignore_triggers_and_views() {
    static ONCE: Once = Once::new();
    // SAFETY: the function has the form that SQLite calls (sqlite.org/c3ref/auto_extension.html) and lives as long as the
    // process.
    ONCE.call_once(|| match unsafe { sqlite3_auto_extension(Some(configure)) } {
        SQLITE_OK => {}
        code => tracing::error!(code, "SQLite goes on running triggers"),
    });
}

#[expect(unsafe_code, reason = "a setting of SQLite that no statement changes")]
unsafe extern "C" fn configure(
    connection: *mut sqlite3,
    _: *mut *mut c_char,
    _: *const sqlite3_api_routines,
) -> c_int {
    let settings = [
        (SQLITE_DBCONFIG_ENABLE_TRIGGER, TRIGGERS),
        (SQLITE_DBCONFIG_ENABLE_VIEW, TRIGGERS),
        (SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0),
    ];
    for (setting, value) in settings {
        // SAFETY: the connection is the one that SQLite is opening, and these settings take a number and a pointer to the
        // answer, which may be null.
        let code = unsafe { sqlite3_db_config(connection, setting, value, null_mut::<c_int>()) };
        if code != SQLITE_OK {
            return code;
        }
    }
    SQLITE_OK
}
