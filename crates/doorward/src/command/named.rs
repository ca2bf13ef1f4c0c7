//! Whether the policy file that a command reads was named, and what is said of one that others can write.
//!
//! A policy decides what the AWS credentials of its reader do. The `doorward.toml` of the current folder is read although
//! nobody named it, so it is used only if nobody else can have written it.

use std::path::Path;

use clap::parser::ValueSource;

use super::{Code, Failure, note};
use crate::writers::{self, Reader};

/// How the policy file was chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Named {
    /// By nobody: it is the one of the current folder.
    #[default]
    ByDefault,
    /// By the variable.
    ByVariable,
    /// On the command line.
    OnTheCommandLine,
}

impl Named {
    /// From where clap took the path.
    pub fn by(source: Option<ValueSource>) -> Self {
        match source {
            Some(ValueSource::CommandLine) => Self::OnTheCommandLine,
            Some(ValueSource::EnvVariable) => Self::ByVariable,
            _ => Self::ByDefault,
        }
    }

    /// Refuses a policy that nobody named if it belongs to another user or others can write it. If it was named, that is a
    /// warning, which `reports` says that the command gives by itself.
    pub fn check(self, policy: &Path, reports: bool) -> Result<(), Failure> {
        self.check_for(policy, reports, Reader::of_process())
    }

    fn check_for(self, policy: &Path, reports: bool, reader: Reader) -> Result<(), Failure> {
        let path = policy.display();
        let trusted = format!("if you trust it, name it: `--policy {path}`");
        if self == Self::ByDefault {
            if let Some(uid) = writers::stranger(policy, reader) {
                let what = format!(
                    "`{path}` in this folder belongs to another user (uid {uid}), so it is not used by default"
                );
                return Err(Failure::new(Code::NoPermission, what).hint(trusted));
            }
            if let Some(who) = writers::others(policy, reader) {
                let what = format!(
                    "`{path}` in this folder can be written by others, so it is not used by default: {who}"
                );
                let hint = format!("`chmod go-w` the file, or the folder that is named; {trusted}");
                return Err(Failure::new(Code::NoPermission, what).hint(hint));
            }
            return Ok(());
        }
        if let Some(who) = writers::others(policy, reader).filter(|_| !reports) {
            note(&format!(
                "warning: `{path}` decides who gets access, and can be written by others: {who}\n\
                 hint: it and the folders above it should be writable by root and its user alone: `chmod go-w`"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_policy_that_nobody_named_is_used_only_if_nobody_else_can_write_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let policy = folder.path().join("doorward.toml");
        let reader = Reader::of_process();
        let mode = |path: &Path, mode| {
            fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
        };
        let check = |named: Named| named.check_for(&policy, false, reader);
        assert!(check(Named::ByDefault).is_ok(), "there is none");
        fs::write(&policy, "").expect("written");
        mode(&policy, 0o644);
        assert!(check(Named::ByDefault).is_ok());
        for (path, before, open) in [(policy.as_path(), 0o644, 0o666), (folder.path(), 0o755, 0o777)] {
            mode(path, open);
            let failure = check(Named::ByDefault).expect_err("others can write it");
            let hint = failure.what_next().expect("a hint");
            assert!(failure.words().contains("every user of this machine can write it"), "{failure:?}");
            assert!(hint.starts_with("`chmod go-w` ") && hint.contains("--policy "), "{hint}");
            for named in [Named::ByVariable, Named::OnTheCommandLine] {
                assert!(check(named).is_ok(), "it was named");
            }
            mode(path, before);
        }
        mode(&policy, 0o664);
        let of_another_group = fs::metadata(&policy).is_ok_and(|file| {
            use std::os::unix::fs::MetadataExt as _;
            file.gid() != 0 && file.gid() != file.uid()
        });
        assert_eq!(check(Named::ByDefault).is_err(), of_another_group);
    }
}
