//! A text as a flow, a prefix and an end of a question: never a panic, and what is written reads as itself.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use doorward_aws::recorded_files;
use doorward_core::inventory::Inventory;
use doorward_core::net::{Cidr, Flow, NetError};
use doorward_core::reach::{Selector, NotFound};
use libfuzzer_sys::fuzz_target;

/// A little of everything, with two of one name.
static ACCOUNT: LazyLock<Inventory> = LazyLock::new(|| {
    let answers = include_bytes!("../account.json");
    let path = Path::new("accounts/123456789012/eu-west-1/account.json");
    recorded_files([(path, answers.as_slice())]).expect("an account").inventory
});

fuzz_target!(|text: &str| {
    flow(text);
    cidr(text);
    endpoint(text);
});

fn flow(text: &str) {
    match text.parse::<Flow>() {
        Ok(flow) => {
            assert_eq!(flow.to_string().parse(), Ok(flow));
            if let Some(ports) = flow.ports() {
                assert!(ports.from() <= ports.to());
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn cidr(text: &str) {
    match text.parse::<Cidr>() {
        Ok(cidr) => {
            assert_eq!(cidr.to_string().parse(), Ok(cidr));
            assert!(cidr.contains(cidr.address()) && cidr.covers(cidr));
        }
        Err(NetError::HostBits { meant, .. }) => assert_eq!(meant.to_string().parse(), Ok(meant)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn endpoint(text: &str) {
    let find = |text: &str| Selector::find(text, &ACCOUNT);
    match find(text) {
        Ok(Selector::Address(address)) => {
            assert_eq!(find(&address.to_string()), Ok(Selector::Address(address)));
        }
        Ok(Selector::Cidr(cidr)) => assert_eq!(text.parse(), Ok(cidr)),
        Ok(Selector::Internet) => assert_eq!(text, "internet"),
        Ok(Selector::Resource(resource)) => assert!(!resource.resource.id().is_empty()),
        Ok(Selector::Several(several)) => assert!(!several.resources.is_empty()),
        Err(NotFound::Several { found, .. }) => {
            assert!(found.len() > 1);
            for one in found {
                let typed = one.typed;
                assert!(matches!(find(&typed), Ok(Selector::Resource(_))), "`{typed}` cannot be typed");
            }
        }
        Err(NotFound::Nothing { meant: Some(meant), .. }) => {
            let there = matches!(find(&meant), Ok(_) | Err(NotFound::Several { .. }));
            assert!(there, "`{meant}` is not there");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
