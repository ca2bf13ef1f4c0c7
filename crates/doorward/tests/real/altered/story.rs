//! A store with a history, made by the program's own parts.

use std::fs;
use std::sync::Arc;

use doorward::policy_file::{Loaded, PolicyFile};
use doorward::store::{AuditFiles, Change, Store};
use doorward_core::audit::{Event, What, Who};
use doorward_core::decision::{Decision, Past, Request, approve, decide};
use doorward_core::grant::{Ending, Grant, GrantId};
use doorward_core::policy::Person;
use jiff::{SignedDuration, Timestamp};
use sqlx::{AnyConnection, Connection as _};

use super::tables::Tables;
use crate::server::House;

/// A store with a history, and what it was like after each step of it.
pub(super) struct Story {
    pub(super) files: AuditFiles,
    pub(super) noted: Vec<u8>,
    pub(super) store: String,
    pub(super) steps: Vec<Tables>,
    pub(super) live: Vec<Grant>,
}

pub(super) fn loaded(house: &House) -> Arc<Loaded> {
    PolicyFile::open(&house.policy()).expect("a policy").current()
}

pub(super) fn wanted(
    loaded: &Loaded,
    person: &str,
    number: u64,
    lasts: Option<SignedDuration>,
    now: Timestamp,
) -> Grant {
    let request = Request {
        id: GrantId::from_random((number * 0x1234_5678_9abc).to_le_bytes()),
        person: person.parse().expect("a name"),
        from: format!("203.0.113.{}", number + 1).parse().expect("an address"),
        target: "wiki".parse().expect("a name"),
        transport: None,
        lasts,
        reason: Some(format!("ticket {number}")),
    };
    match decide(&loaded.policy, &loaded.people, &request, &Past::default(), now) {
        Decision::Granted { grant, .. } | Decision::NeedsApproval { grant, .. } => grant,
        Decision::Refused { reasons } => panic!("{reasons:?}"),
    }
}

pub(super) fn opened(grant: &Grant) -> What {
    What::Opened {
        grant: grant.id().clone(),
        target: grant.target().clone(),
        transport: grant.transport(),
        source: grant.source(),
        until: grant.until().expect("an end"),
        reason: grant.reason().map(str::to_owned),
        because: "a test".into(),
        person: None,
    }
}

pub(super) async fn store_with_event(
    store: &Store,
    before: Option<&Grant>,
    after: &Grant,
    by: &Person,
    now: Timestamp,
    what: What,
) {
    let change = Change { before: before.cloned(), after: after.clone() };
    let event = Event::new(now, Who::Person(by.clone()), what);
    store.commit(&[change], vec![event]).await.expect("a commit");
}

/// Grants that are asked for, approved, opened, closed, settled, and some that are live at the end.
pub(super) async fn story(house: &House, store: &str) -> Story {
    let (loaded, files) =
        (loaded(house), AuditFiles::beside(&house.folder().join("kept").display().to_string()));
    let open = Store::open_with(store, &files, [1, 2, 3, 4]).await.expect("a store");
    let mut connection = AnyConnection::connect(&url(store)).await.expect("a connection");
    let now = Timestamp::now();
    let mut steps = Vec::new();
    let maria: Person = "maria".parse().expect("a name");
    for number in 0..12_u64 {
        let person = ["jon", "eve", "maria"][number as usize % 3];
        let lasts = (number % 4 == 1).then(|| SignedDuration::from_hours(4));
        let mut grant = wanted(&loaded, person, number, lasts, now);
        let by = grant.person().clone();
        if grant.until().is_none() {
            let seconds = 4 * 3600;
            let (id, target, reason) = (grant.id().clone(), grant.target().clone(), None);
            store_with_event(
                &open,
                None,
                &grant,
                &by,
                now,
                What::Asked { grant: id, target, seconds, reason },
            )
            .await;
            if number == 9 {
                continue;
            }
            let richard = "richard".parse().expect("a name");
            let Decision::Granted { grant: approved, .. } =
                approve(&loaded.policy, &loaded.people, &grant, &richard, &[], now)
            else {
                panic!("no approval")
            };
            store_with_event(&open, Some(&grant), &approved, &richard, now, opened(&approved)).await;
            grant = approved;
        } else {
            store_with_event(&open, None, &grant, &by, now, opened(&grant)).await;
        }
        steps.push(Tables::read(&mut connection).await);
        if number < 7 {
            let how = Ending::Closed { by: maria.clone() };
            let (id, ended) = (grant.id().clone(), grant.end(how.clone(), now));
            store_with_event(
                &open,
                Some(&grant),
                &ended,
                &maria,
                now,
                What::Ended { grant: id.clone(), how },
            )
            .await;
            steps.push(Tables::read(&mut connection).await);
            if number < 5 {
                open.settle(&[id].into()).await.expect("settled");
            }
        }
        open.commit(&[], vec![Event::new(now, Who::Person(by), What::SignedIn)]).await.expect("a commit");
    }
    let verified = open.verify_all(&[]).await.expect("a store");
    assert_eq!(verified.found, Vec::<String>::new());
    let unsettled = open.unsettled().await.expect("grants");
    assert!(unsettled.mistrusted.is_empty(), "{:?}", unsettled.mistrusted);
    let live: Vec<Grant> = unsettled.grants.into_iter().filter(|grant| !grant.ended()).collect();
    assert_eq!(live.len(), 5, "{live:?}");
    steps.push(Tables::read(&mut connection).await);
    open.close().await;
    let noted = fs::read(&files.head).expect("a head");
    Story { files, noted, store: store.to_owned(), steps, live }
}

pub(super) fn url(store: &str) -> String {
    if store.contains("://") { store.to_owned() } else { format!("sqlite://{store}") }
}
