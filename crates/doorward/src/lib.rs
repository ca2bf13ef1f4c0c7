//! Doorward, the program: what the commands, the pages and the reconciler share.

pub mod account;
pub mod budget;
pub mod client;
pub mod clock;
pub mod cloud;
pub mod command;
pub mod connect;
mod events;
pub mod firewall;
pub mod logging;
pub mod people;
pub mod picture;
pub mod policy_file;
pub mod reconciler;
pub mod requests;
pub mod running;
pub mod servable;
pub mod store;
pub mod vending;
pub mod web;
pub mod writers;
