//! The declared networks and roles for another engine: a CloudFormation template, or a Terraform configuration.
//!
//! Exported is what `doorward apply` would create, and what exists of it as something to import. Every rule is a resource of its
//! own, so that neither engine removes the rules of grants. The same account and policy give the same bytes.

mod cloudformation;
mod hcl;
mod name;
mod parts;
mod terraform;

#[cfg(test)]
mod tests;

pub use cloudformation::{Template, cloudformation};
pub use parts::Parts;
pub use terraform::{Configuration, terraform};
