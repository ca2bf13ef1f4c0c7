//! Organisations of many accounts, the same in every run: VPCs behind transit gateways, in four Regions.
//!
//! Twenty accounts are a business unit, which has a transit gateway in each Region: an organisation that grows has more
//! units, and each is as large as before. So what grows faster than the organisation is the program's own doing.

mod groups;
mod hosts;
mod transit;
mod vpc;

use std::collections::BTreeSet;
use std::path::Path;

use doorward_core::inventory::{AccountId, AccountRegion, Inventory};

use crate::account::id;

/// Accounts of a business unit.
const UNIT: usize = 20;

/// VPCs of an account.
const VPCS: usize = 5;

/// Interfaces of a VPC, with those of its NAT gateway, load balancer, databases and functions.
const INTERFACES: usize = 100;

/// Where VPCs are, in turn.
const REGIONS: [&str; 4] = ["eu-west-1", "eu-central-1", "us-east-1", "us-west-2"];

/// An organisation of so many accounts.
#[derive(Debug, Clone, Copy)]
pub struct Organisation {
    pub accounts: usize,
}

impl Organisation {
    /// With so many interfaces in all.
    pub fn of(interfaces: usize) -> Self {
        Self { accounts: interfaces / (VPCS * INTERFACES) }
    }

    /// All of it.
    pub fn inventory(self) -> Inventory {
        let mut whole = Inventory::default();
        for (_, part) in self.parts() {
            whole.merge(part);
        }
        whole
    }

    /// Writes a folder for each account and Region.
    pub fn save(self, folder: &Path) {
        for (name, part) in self.parts() {
            doorward_aws::save(&part, &folder.join(name), true).expect("saved");
        }
    }

    /// What each account shows, and what the account of the transit gateways shows, by the name of a folder.
    fn parts(self) -> impl Iterator<Item = (String, Inventory)> {
        let accounts = (0..self.accounts).map(|account| {
            let mut inventory = Inventory::default();
            for number in 0..VPCS {
                let site = vpc::Site::of(account * VPCS + number);
                vpc::build(&site, &mut inventory);
                groups::build(&site, &mut inventory);
                hosts::build(&site, &mut inventory);
            }
            (format!("account-{account}"), inventory)
        });
        let units = (0..self.accounts.div_ceil(UNIT)).map(move |unit| {
            let sites =
                (unit * UNIT * VPCS..((unit + 1) * UNIT).min(self.accounts) * VPCS).map(vpc::Site::of);
            (format!("unit-{unit}"), transit::unit(unit, &sites.collect::<Vec<_>>()))
        });
        accounts.chain(units)
    }
}

fn account_region(account: usize, region: &str) -> AccountRegion {
    let account: AccountId =
        format!("{:012}", 100_000_000_000 + account as u64).parse().expect("twelve digits");
    AccountRegion { profile: None, region: Some(region.to_owned()), account: Some(account) }
}

fn one<T: Ord>(item: T) -> BTreeSet<T> {
    BTreeSet::from([item])
}
