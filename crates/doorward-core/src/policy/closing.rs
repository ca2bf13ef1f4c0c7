//! Whether the end of a grant ends connections.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What the end of a grant does to a connection that is already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Closing {
    /// It is cut.
    Severs,
    /// It lives on until one side ends it; only new ones are refused.
    RefusesNewOnly,
}

impl fmt::Display for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Severs => "open connections are cut",
            Self::RefusesNewOnly => "new connections are refused; one that is already open may live on",
        })
    }
}
