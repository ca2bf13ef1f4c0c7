//! A plan in a file: which networks it is of, and the digests by which it is known again.

use std::collections::BTreeSet;
use std::path::Path;

use doorward_core::name::{InstallationId, NetworkName};
use serde::Deserialize;

use crate::command::plan::{FORMAT, Planned};
use crate::command::{Code, Failure};

/// Far more than a plan has, in bytes.
const AT_MOST: u64 = 1 << 28;

/// What `doorward plan --out` wrote, as far as it is compared.
#[derive(Debug, Deserialize)]
pub(super) struct Saved {
    format: String,
    plans: Vec<Region>,
}

#[derive(Debug, Deserialize)]
struct Region {
    networks: BTreeSet<NetworkName>,
    installation: Option<InstallationId>,
    account_digest: String,
    digest: String,
}

impl Saved {
    pub(super) fn read(file: &Path) -> Result<Self, Failure> {
        let name = file.display();
        let bytes = crate::bounded_file::read(file, AT_MOST).map_err(|error| {
            Failure::new(Code::of_io(&error), format!("cannot read `{name}`")).because(&error)
        })?;
        let saved: Self = serde_json::from_slice(&bytes).map_err(|error| {
            Failure::new(Code::Data, format!("`{name}` is not a saved plan"))
                .because(&error)
                .hint("`doorward plan --out FILE` writes one")
        })?;
        if saved.format == FORMAT {
            return Ok(saved);
        }
        let what =
            format!("`{name}` is a plan of the format `{}`, and this version reads `{FORMAT}`", saved.format);
        Err(Failure::new(Code::Data, what).hint("save the plan again with `doorward plan --out FILE`"))
    }

    /// The networks that it is of.
    pub(super) fn networks(&self) -> Vec<NetworkName> {
        self.plans.iter().flat_map(|plan| plan.networks.iter().cloned()).collect()
    }

    /// The installation that creates.
    pub(super) fn installation(&self) -> Option<&InstallationId> {
        self.plans.iter().find_map(|plan| plan.installation.as_ref())
    }

    /// That a plan that was just made is this one.
    pub(super) fn is_of(&self, planned: &Planned) -> Result<(), Failure> {
        let moved = |what: &str| {
            Failure::new(Code::No, format!("{what} since the plan was saved, so nothing was done"))
                .hint("save the plan again with `doorward plan --out FILE`, and read it")
        };
        if self.plans.len() != planned.each.len() {
            return Err(moved("the policy changed"));
        }
        for (saved, now) in self.plans.iter().zip(&planned.each) {
            if saved.networks != now.read.networks {
                return Err(moved("the policy changed"));
            }
            if saved.account_digest != now.proposal.plan.made_from().to_string() {
                return Err(moved("the account changed"));
            }
            if saved.digest != now.proposal.digest() {
                return Err(moved("the policy changed"));
            }
        }
        Ok(())
    }
}
