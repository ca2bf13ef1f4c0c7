//! The number of file descriptors of each part of the server, decided once at its start.
//!
//! A process has one limit on descriptors (`RLIMIT_NOFILE`), and strangers can make the web and the relay use up their
//! share. If everything that ends a grant had no share of its own, a few thousand idle connections could block every
//! revocation. So the shares are disjoint, and each part gets its own as a number that it must not exceed; none relies
//! on the limit itself.

use std::fmt;

use doorward_tunnel::relay;
use rustix::process::{Resource, getrlimit};

/// Descriptors that the reconciler and everything beside the web and the relays may need at once:
///
/// | for | descriptors |
/// |---|---|
/// | standard streams, signals, runtimes (epoll, eventfd, timer), listeners | 24 |
/// | the store: eight connections, of SQLite each its file and its log, and the index that they share | 24 |
/// | look-ups of names, in at most 32 threads of the main runtime and 16 of the reconciler's | 48 |
/// | `nft` (its pipes, its end), the policy, password and group files and certificates, read when they change | 16 |
/// | credentials: STS, SSO, the instance's metadata, `credential_process` | 16 |
/// | AWS: two accounts or Regions of sixteen calls at once each, and what is vended beside them | 48 |
/// | the intents: one account and Region after another, with one call at a time to each service | 16 |
const RESERVED: u64 = 192;
/// Descriptors more for each account and Region that the policy names beyond two: its calls at once.
const EACH_PLACE: u64 = 16;
/// With fewer connections than this the pages cannot be used.
const LEAST_WEB: u64 = 64;
/// With fewer connections than this a relay is of no use.
const LEAST_RELAY: u64 = 16;
/// More connections than this to the pages only cost memory: a browser needs one or two of them.
const MOST_WEB: u64 = 4096 + 1024;
/// More connections than this through all relays are more than one machine carries.
const MOST_RELAY: u64 = 65_536;

/// The shares of the descriptors that this process may open. Their sum is not more than the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// What the process may open at all.
    pub limit: u64,
    /// Set apart for the reconciler: AWS, `nft`, the store, the policy, look-ups of names.
    pub reserved: u64,
    /// Descriptors of the web's connections, those included that are being closed.
    pub web: usize,
    /// Connections through all relays together, of two descriptors each.
    pub relay: usize,
    /// The accounts and Regions that enough is reserved for.
    pub places: usize,
}

/// The limit is too low for the shares that are needed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this process may open {limit} files but needs {needed}, so that connections cannot prevent a revocation"
)]
pub struct TooFew {
    pub limit: u64,
    /// The least that is enough.
    pub needed: u64,
}

impl TooFew {
    /// What to set.
    pub fn hint(&self) -> String {
        "set `LimitNOFILE=16384` in its systemd unit, or `ulimit -n 16384` in the shell that starts it"
            .to_owned()
    }
}

impl Budget {
    /// The shares of this process now, for a policy with so many accounts and Regions.
    pub fn of_this_process(places: usize) -> Result<Self, TooFew> {
        Self::of(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX), places)
    }

    /// The shares of a limit: first what is set apart, then half of the rest for each of the web and the relays.
    pub fn of(limit: u64, places: usize) -> Result<Self, TooFew> {
        let more = u64::try_from(places).unwrap_or(u64::MAX).saturating_sub(2).saturating_mul(EACH_PLACE);
        let reserved = RESERVED.saturating_add(more);
        let needed = reserved.saturating_add(LEAST_WEB + 2 * LEAST_RELAY);
        if limit < needed {
            return Err(TooFew { limit, needed });
        }
        let rest = limit - reserved;
        let web = (rest / 2).clamp(LEAST_WEB, MOST_WEB).min(rest - 2 * LEAST_RELAY);
        let relay = ((rest - web) / 2).min(MOST_RELAY);
        let fits = |share: u64| usize::try_from(share).unwrap_or(usize::MAX);
        Ok(Self { limit, reserved, web: fits(web), relay: fits(relay), places: places.max(2) })
    }

    /// What each relay may carry. All relays share one count; one of them alone leaves half of it to the others.
    pub fn relays(&self) -> relay::Limits {
        let usual = relay::Limits::default();
        let connections = usual.connections.min((self.relay / 2).max(8));
        relay::Limits {
            connections,
            per_network: usual.per_network.min((connections / 4).max(4)),
            all: relay::Seats::new(self.relay),
            ..usual
        }
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, reserved, web, relay, places: _ } = self;
        write!(
            f,
            "{limit} file descriptors: {reserved} reserved for revocation, {web} for web connections, {} for {relay} relayed connections",
            relay * 2
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(limit: u64, places: usize, expected: &str) {
        let budget = Budget::of(limit, places).expect("it is enough");
        assert_eq!(budget.to_string(), expected);
    }

    #[test]
    fn shares_of_usual_limits() {
        check(
            1024,
            1,
            "1024 file descriptors: 192 reserved for revocation, 416 for web connections, 416 for 208 relayed connections",
        );
        check(
            16384,
            3,
            "16384 file descriptors: 208 reserved for revocation, 5120 for web connections, 11056 for 5528 relayed connections",
        );
        check(
            u64::MAX,
            1,
            "18446744073709551615 file descriptors: 192 reserved for revocation, 5120 for web connections, 131072 for 65536 relayed connections",
        );
    }

    #[test]
    fn no_part_can_take_what_is_set_apart() {
        for limit in 0..3000 {
            for places in [0, 1, 5, 40] {
                match Budget::of(limit, places) {
                    Ok(budget) => {
                        let given = budget.reserved
                            + u64::try_from(budget.web).expect("it fits")
                            + 2 * u64::try_from(budget.relay).expect("it fits");
                        assert!(given <= limit, "{budget}");
                        assert!(budget.web >= 64 && budget.relay >= 16, "{budget}");
                        let each = budget.relays();
                        assert!(each.connections <= budget.relay && each.per_network <= each.connections);
                    }
                    Err(TooFew { needed, .. }) => assert!(needed > limit && needed <= 288 + 16 * 40),
                }
            }
        }
    }

    #[test]
    fn a_limit_that_is_too_low_says_what_is_enough() {
        let error = Budget::of(200, 1).expect_err("too few");
        assert_eq!(error.needed, 288);
        assert!(Budget::of(288, 1).is_ok());
        assert!(error.to_string().starts_with("this process may open 200 files but needs 288"));
    }
}
