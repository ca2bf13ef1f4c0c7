//! The host keys that the policy's `known-hosts` vouches for: read for whoever connects by SSH, and for nobody else.

use std::path::Path;
use std::time::Duration;

use crate::bounded_file;
use crate::few_threads::FewThreads;

/// The most bytes of the file that are read: it goes to everybody who connects.
const AT_MOST: u64 = 1 << 20;

/// How long the file may take to be read.
const READS: Duration = Duration::from_secs(2);

/// How many read it at once: where it does not answer, each reading keeps a thread.
const AT_ONCE: usize = 4;

/// Reads the file.
#[derive(Debug)]
pub(super) struct HostKeys(FewThreads);

impl Default for HostKeys {
    fn default() -> Self {
        Self(FewThreads::new(AT_ONCE))
    }
}

impl HostKeys {
    /// What the file holds. A file that cannot be read vouches for no host: an empty list refuses every key.
    pub async fn read(&self, file: String) -> String {
        let path = file.clone();
        let bytes = self.0.read(READS, move || bounded_file::read(Path::new(&path), AT_MOST)).await;
        let keys = match bytes {
            Ok(Ok(bytes)) => String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(unread) => Err(unread.to_string()),
        };
        keys.unwrap_or_else(|why| {
            tracing::error!(
                file,
                why,
                "`known-hosts` of the policy cannot be read, so no host key is accepted"
            );
            String::new()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_that_cannot_be_read_vouches_for_no_host() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("known_hosts");
        let keys = HostKeys::default();
        let read = async || keys.read(path.display().to_string()).await;
        assert_eq!(read().await, "");
        let line = "jump ssh-ed25519 AAAA\n";
        std::fs::write(&path, line).expect("written");
        assert_eq!(read().await, line);
        let large = line.repeat(AT_MOST as usize / line.len() + 1);
        std::fs::write(&path, &large).expect("written");
        assert_eq!(read().await, "", "{} bytes are too many", large.len());
        std::fs::remove_file(&path).expect("removed");
        let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo");
        assert!(made.success());
        assert_eq!(read().await, "", "a pipe is not waited for");
    }
}
