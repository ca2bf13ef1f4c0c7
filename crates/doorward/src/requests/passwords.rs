//! A password that an operator replaced or locked ends the grants that were opened under the old one; people who change
//! their own password keep their grants.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use doorward_core::audit::{Event, Table, What, Who};
use doorward_core::grant::{Ending, Grant};
use doorward_core::policy::{PasswordHash, People, Person};
use jiff::Timestamp;

use super::{Error, Requests, TRIES};
use crate::policy_file::Loaded;
use crate::store::{self, Binding, Change, SeenPassword, Store};

/// Whose password is another than the one that was seen.
#[derive(Debug, Default)]
pub(super) struct Replaced {
    people: BTreeMap<Person, String>,
    /// Those among them whose password record in the store is not ours, and the password that they have.
    pub(super) forged: BTreeMap<Person, Binding>,
    /// Whose password is to be noted once nothing of the old one is left.
    noted: Vec<(Person, Binding)>,
}

impl Replaced {
    /// Of those who hold these grants.
    fn of(loaded: &Loaded, seen: &BTreeMap<Person, SeenPassword>, grants: &[Grant]) -> Self {
        let mut replaced = Self::default();
        let holders: BTreeSet<&Person> =
            grants.iter().filter(|grant| !grant.ended()).map(Grant::person).collect();
        for person in holders {
            // Without a password there is nobody, and the policy allows them nothing.
            let Some(hash) = loaded.people.passwords.get(person) else { continue };
            let now = Binding::of(hash);
            let seen = seen.get(person);
            if let Some(seen) = seen.filter(|seen| !seen.accepts(&now)) {
                replaced.people.insert(person.clone(), why(person, seen));
                if !seen.authentic {
                    replaced.forged.insert(person.clone(), now.clone());
                }
            }
            if seen.is_none_or(|seen| !seen.is_of(&now)) {
                replaced.noted.push((person.clone(), now));
            }
        }
        replaced
    }

    /// How a grant ends that was opened under the old password.
    pub(super) fn ends(&self, grant: &Grant) -> Option<Ending> {
        let why = self.people.get(grant.person())?.clone();
        Some(Ending::NoLongerAllowed { why })
    }
}

fn why(person: &Person, seen: &SeenPassword) -> String {
    if seen.authentic {
        format!("the password of `{person}` was replaced by an operator")
    } else {
        format!("the password entry of `{person}` in the store was altered by somebody without the key")
    }
}

impl Requests {
    /// Whose password was replaced, of those who hold these grants.
    pub(super) async fn replaced(&self, loaded: &Loaded, grants: &[Grant]) -> Result<Replaced, store::Error> {
        let now = self.app.clock().now();
        let seen = self.app.store().seen_passwords(now).await?;
        if seen.values().any(|seen| !seen.authentic) {
            self.app.store().mend(Table::Passwords, now).await?;
        }
        let replaced = Replaced::of(loaded, &seen, grants);
        *self.seen() = seen;
        Ok(replaced)
    }

    /// The same by what was last read, while the store cannot be.
    pub(super) fn replaced_in_memory(&self, loaded: &Loaded, grants: &[Grant]) -> Replaced {
        Replaced::of(loaded, &self.seen(), grants)
    }

    /// Notes the passwords that people have now; called once all that was opened under others has ended.
    /// `forged` are people with open grants whose password record in the store is not ours.
    pub(super) async fn note_passwords(
        &self,
        replaced: &Replaced,
        forged: &BTreeMap<Person, Binding>,
    ) -> Result<(), store::Error> {
        let at = self.app.clock().now();
        // Nothing is known of any row then, and nothing is overwritten.
        if self.app.store().is_unread() {
            return Ok(());
        }
        for (person, now) in forged {
            let ended = self.app.store().end_sessions_of(person, Vec::new(), at).await?;
            self.forget_sessions_of(person);
            tracing::error!(%person, ended, "password record altered in the store, ending grants and sessions");
            self.app.store().see_password(person, now, at).await?;
        }
        for (person, now) in &replaced.noted {
            self.app.store().see_password(person, now, at).await?;
        }
        Ok(())
    }

    /// A person proved a password: what they opened under another ends now, if it was not they who changed it.
    pub async fn password_proved(&self, person: &Person, hash: &PasswordHash) -> Result<(), Error> {
        let (at, now) = (self.app.clock().now(), Binding::of(hash));
        let seen = self.app.store().seen_passwords(at).await?.remove(person);
        if let Some(seen) = seen.as_ref().filter(|seen| !seen.accepts(&now)) {
            self.end_all_of(person, &why(person, seen)).await?;
            if !seen.authentic && !self.app.store().is_unread() {
                self.app.store().mend(Table::Passwords, at).await?;
                let ended = self.app.store().end_sessions_of(person, Vec::new(), at).await?;
                self.forget_sessions_of(person);
                tracing::error!(%person, ended, "password record altered in the store, ending grants and sessions");
            }
        }
        if seen.is_none_or(|seen| !seen.is_of(&now)) && !self.app.store().is_unread() {
            self.app.store().see_password(person, &now, at).await?;
        }
        Ok(())
    }

    async fn end_all_of(&self, person: &Person, why: &str) -> Result<(), Error> {
        let mut tries = 1;
        loop {
            let (now, mut changes, mut events) = (self.app.clock().now(), Vec::new(), Vec::new());
            for grant in
                self.app.store().unfinished_of(person).await?.into_iter().filter(|grant| !grant.ended())
            {
                let how = Ending::NoLongerAllowed { why: why.into() };
                let what = What::Ended { grant: grant.id().clone(), how: how.clone() };
                events.push(Event::new(now, Who::Doorward, what));
                let after = grant.end(how, now);
                changes.push(Change { before: Some(grant), after });
            }
            if changes.is_empty() {
                return Ok(());
            }
            match self.app.store().commit(&changes, events).await {
                Err(store::Error::Conflict) if tries < TRIES => tries += 1,
                done => {
                    done?;
                    self.app.nudge().wake();
                    return Ok(());
                }
            }
        }
    }

    /// Ends the sessions of those who have no password any more: they were removed or locked. They would come to life
    /// again with the same password.
    pub(super) fn end_sessions_of_the_gone(&self, loaded: &Loaded) {
        self.sign_out_the_gone(loaded);
        let digest = Some(loaded.digest.clone());
        if std::mem::replace(&mut *lock(&self.swept), digest.clone()) == digest {
            return;
        }
        // Independently of the pass: a revocation does not wait for it.
        let (store, people, swept) =
            (self.app.store().clone(), Arc::clone(&loaded.people), Arc::clone(&self.swept));
        let now = self.app.clock().now();
        tokio::spawn(async move {
            if let Err(error) = sweep(&store, &people, now).await {
                tracing::warn!(%error, "could not end sessions of removed people, will retry");
                *lock(&swept) = None;
            }
        });
    }
}

impl Requests {
    /// Ends the sessions of those who had a password a moment ago: that stays so although they may have one again when the
    /// store takes it.
    fn sign_out_the_gone(&self, loaded: &Loaded) {
        let mut before = self.people_before.lock().unwrap_or_else(PoisonError::into_inner);
        let before = before.replace(Arc::clone(&loaded.people));
        let Some(before) = before.filter(|before| !Arc::ptr_eq(before, &loaded.people)) else { return };
        let now = self.app.clock().now();
        for person in before.passwords.keys().filter(|person| !loaded.people.passwords.contains_key(*person))
        {
            self.sign_out_soon(person, now);
        }
    }
}

async fn sweep(store: &Store, people: &People, now: Timestamp) -> Result<(), store::Error> {
    // Sessions of any number of names may have been added by somebody else.
    store.mend(Table::Sessions, now).await?;
    for person in store.signed_in().await? {
        if !people.passwords.contains_key(&person) {
            let ended = store.end_sessions_of(&person, Vec::new(), now).await?;
            tracing::info!(%person, ended, "ended the sessions of a person without a password");
        }
    }
    Ok(())
}

fn lock(swept: &Mutex<Option<String>>) -> MutexGuard<'_, Option<String>> {
    swept.lock().unwrap_or_else(PoisonError::into_inner)
}
