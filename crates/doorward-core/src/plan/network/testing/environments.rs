//! Random environments.

use proptest::prelude::*;

use super::id;
use crate::inventory::Image;
use crate::topology::{Engine, Environment, Kind, Listen, Prod};

fn kind() -> impl Strategy<Value = Kind> {
    let certificates = prop::sample::select(vec!["arn:aws:acm:eu-west-1:123456789012:certificate/a", "b"]);
    let listen = prop::option::of(certificates)
        .prop_map(|it| it.map_or(Listen::Http, |certificate| Listen::Https(certificate.into())));
    let prod = (listen, prop::sample::select(vec!["/", "/health"]), 2..4_u32, 4..6_u32);
    let prod = prod.prop_map(|(listen, health, min, max)| {
        Kind::Prod(Prod { listen, port: 80, health: health.into(), min, max })
    });
    prop_oneof![2 => Just(Kind::Dev), 1 => prod]
}

pub(super) fn environment() -> impl Strategy<Value = Environment> {
    let sizes = prop::sample::select(vec!["t4g.small", "t4g.medium"]);
    let classes = prop::sample::select(vec!["db.t4g.micro", "db.t4g.small"]);
    let drawn = (sizes, classes, 20..40_u32, any::<bool>(), kind());
    drawn.prop_map(|(instance, class, storage, pinned, kind)| Environment {
        name: "dev".parse().expect("a name"),
        network: "main".parse().expect("a name"),
        kind,
        image: if pinned { Image::Id(id("ami-0a")) } else { Image::Parameter(Environment::IMAGE.into()) },
        instance: instance.parse().expect("a type"),
        profile: None,
        engine: Engine::Postgres,
        version: "17".into(),
        class: class.parse().expect("a class"),
        storage,
        snapshots: 1 + storage % 3,
    })
}
