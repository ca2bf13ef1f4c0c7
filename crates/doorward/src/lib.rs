//! Doorward, the program: its commands, pages and reconciler.
#![expect(
    missing_docs,
    reason = "only the program and its tests use this library; a name that says it needs no comment"
)]

pub mod account;
mod answer_text;
pub mod app;
mod bounded_file;
pub mod budget;
pub mod client;
pub mod clock;
pub mod cloud;
pub mod command;
pub mod connect;
mod few_threads;
pub mod firewall;
pub mod intents;
pub mod logging;
pub mod overdue;
pub mod people;
pub mod policy_file;
mod program_pages;
pub mod reconciler;
pub mod requests;
pub mod running;
pub mod servable;
mod state_file;
pub mod status;
pub mod store;
pub mod vending;
pub mod web;
pub mod writers;
