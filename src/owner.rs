//! Who holds a claim.

use serde::{Deserialize, Serialize};

/// Which process holds a claim. Host names are for people; identity is the random `id`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Owner {
    /// Random, minted once per process.
    pub id: String,
    /// For people.
    pub host: String,
    /// Process number within `pid_namespace`.
    pub pid: u32,
    /// When the process started, in clock ticks since boot (`/proc/PID/stat`, field 22).
    pub started: u64,
    /// `/proc/sys/kernel/random/boot_id`, and the shift of a time namespace that has one.
    pub boot: String,
    /// Inode of `/proc/self/ns/pid`: process numbers mean something only within one.
    pub pid_namespace: u64,
}

impl Owner {
    /// Whether instants of the other's boot clock are instants of ours: the same machine, not started anew since.
    pub fn shares_boot_with(&self, other: &Owner) -> bool {
        !self.boot.is_empty() && self.boot == other.boot
    }
}
