//! Calls that ask for one thing by its name, where a survey asks for all.

mod cache;
mod database;
mod instances;

pub(crate) use cache::{FindCache, FindReplicationGroup};
pub(crate) use database::{FindCluster, FindDatabase, FindProxy};
pub(crate) use instances::{FindInstances, Sought};
