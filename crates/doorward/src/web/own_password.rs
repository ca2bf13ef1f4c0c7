//! Changing one's own password: in the password file, and in all of the person's sessions.

use std::path::PathBuf;
use std::sync::Arc;

use axum::http::StatusCode;
use doorward_core::audit::What;

use super::Web;
use super::failure::{Failure, chain};
use super::origin::Origin;
use super::proving::prove_again;
use super::session::{self, Signed, Token};
use crate::people::edit::{self, FileError};
use crate::people::password::{PasswordError, hash_new};
use crate::people::rules::Rules;
use crate::store::{Binding, SessionKind};

/// What came of it: a session under the new password.
#[derive(Debug)]
pub struct Changed {
    /// The new session's token.
    pub token: Token,
    /// Its end, if it is used until then.
    pub ends: jiff::Timestamp,
}

/// Whether the server may write the password file.
pub fn possible(web: &Web) -> bool {
    edit::writable(&file(web))
}

fn file(web: &Web) -> PathBuf {
    PathBuf::from(&web.app().loaded().policy.people.passwords)
}

/// Changes the password of a person who is signed in, who proves the present one. All of their sessions end, and this
/// one goes on under a new token; what they have open stays open.
pub async fn change(
    web: &Arc<Web>,
    signed: &Signed,
    kind: SessionKind,
    origin: Origin,
    present: &str,
    new: &str,
) -> Result<Changed, Failure> {
    let person = signed.caller.person.clone();
    let least = web.app().loaded().policy.people.least_length;
    let weak = |why: String| {
        Failure::new(StatusCode::UNPROCESSABLE_ENTITY, why)
            .hint("choose a longer one that nobody can guess, such as four words")
    };
    Rules { person: &person, least }.check(new).map_err(|error| weak(error.to_string()))?;
    let proved = prove_again(web, &person, present, origin).await?;
    if present == new {
        return Err(weak("the new password is the same as the current one".into()));
    }
    let hashed = {
        let turn = web.verifying().turn(origin.counted(), person.as_str()).await;
        let turn = turn.map_err(|_| Failure::busy())?;
        let (person, new) = (person.clone(), new.to_owned());
        let hashing = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            hash_new(&new, &Rules { person: &person, least })
        });
        hashing.await.map_err(|error| Failure::broken(&error))?
    };
    let hashed = hashed.map_err(|error| match error {
        PasswordError::Weak(why) => weak(why.to_string()),
        error @ PasswordError::NoRandom(_) => Failure::broken(&error),
    })?;
    let hash = hashed.parse().map_err(|error: doorward_core::policy::HashError| Failure::broken(&error))?;

    // Noted first: a pass that sees the new password must find that it is the person's own.
    let (from, to) = (Binding::of(&proved), Binding::of(&hash));
    let (store, now) = (web.app().store(), || web.app().clock().now());
    let noted = store.change_own_password(&person, &from, &to, now()).await;
    noted.map_err(|error| Failure::of_store(&error))?;
    let written = {
        let (path, person) = (file(web), person.clone());
        let writing = tokio::task::spawn_blocking(move || edit::change_own(&path, &person, &proved, &hashed));
        writing.await.map_err(|error| Failure::broken(&error))?
    };
    if let Err(error) = written {
        if let Err(error) = store.see_password(&person, &from, now()).await {
            tracing::warn!(%error, %person, "could not record that a password change failed");
        }
        return Err(unwritten(&error, &person));
    }
    web.app().policy_file().refresh();
    let (token, session) = session::begin(web, &person, &hash, kind, origin)?;
    let event = |sessions| web.requests().event(&signed.caller, What::PasswordChanged { sessions });
    let replaced = store.replace_sessions(signed.token.as_str(), token.as_str(), &session, event).await;
    replaced.map_err(|error| Failure::of_store(&error))?;
    Ok(Changed { token, ends: session.ends })
}

fn unwritten(error: &FileError, person: &doorward_core::policy::Person) -> Failure {
    let by_hand = format!("an operator sets it with `doorward user passwd {person}`");
    match error {
        FileError::Changed { .. } => {
            Failure::new(StatusCode::CONFLICT, error.to_string()).hint("sign in again, then try again")
        }
        error => {
            tracing::error!(why = %chain(error), "could not write the password file");
            let why = "the server cannot write the password file, so the password was not changed";
            Failure::new(StatusCode::CONFLICT, why).hint(by_hand)
        }
    }
}
