//! Rules that are broken on purpose, one at a time, at the seams of the tick: the simulator has to notice each.
//!
//! The product's code stays as it is; what a broken rule would make of a request or an answer is done to them on their way.

use crate::shape::Kind;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    StartWithoutWon,
    VersionNotCompared,
    RowWithoutAttempt,
    OutcomeOfAnother,
    LostBeforeMail,
    LeaseNotTestedAgain,
    UnknownIsWon,
    FenceStartsAgain,
    MarkNotHeeded,
    WindowForCursor,
    HostClockForLeases,
    WallClockOnOneHost,
    SettleBeforeSend,
    NewestFirst,
    PlanBeforeImport,
    NoMirror,
    ClaimsInMemory,
}

/// Name on the command line, the rule, and what the broken tick does.
pub const PLANTS: [(Plant, &str, &str, &str); 17] = [
    (
        Plant::StartWithoutWon,
        "start-without-won",
        "R1: a body starts only after its claim was won",
        "A claim that was refused counts as won.",
    ),
    (
        Plant::VersionNotCompared,
        "version-not-compared",
        "R2: a commit compares the version of the row it was decided on",
        "Every commit is taken for one that was decided on the newest row.",
    ),
    (
        Plant::RowWithoutAttempt,
        "row-without-attempt",
        "R3: a row changes only if its attempt is inserted",
        "The row of a refused claim is written all the same.",
    ),
    (
        Plant::OutcomeOfAnother,
        "outcome-of-another",
        "R4: an outcome goes only to the attempt that has its token",
        "An outcome goes to the newest attempt of its pipeline.",
    ),
    (
        Plant::LostBeforeMail,
        "lost-before-mail",
        "R5: an outcome that came first wins over a loss",
        "Outcomes lie unread for three minutes, while leases are judged.",
    ),
    (
        Plant::LeaseNotTestedAgain,
        "lease-not-tested-again",
        "R5: a lease is tested again inside the statement that declares the loss",
        "A loss is recorded whatever the lease has become since it was looked at.",
    ),
    (
        Plant::UnknownIsWon,
        "unknown-is-won",
        "R6: a claim whose answer was lost is won only if its token is found",
        "A commit whose answer was lost counts as applied.",
    ),
    (
        Plant::FenceStartsAgain,
        "fence-starts-again",
        "R7: fences are never reset",
        "A pipeline on which nothing is open gets its fence from 1 again.",
    ),
    (
        Plant::MarkNotHeeded,
        "mark-not-heeded",
        "R9: a body starts only after creating its start mark",
        "A start goes on although somebody else has made its mark.",
    ),
    (
        Plant::WindowForCursor,
        "window-for-cursor",
        "Due is what lies after the cursor, not what lies in a window before now",
        "A tick looks one minute back, whatever the cursor says.",
    ),
    (
        Plant::HostClockForLeases,
        "host-clock-for-leases",
        "Leases are judged by the store's clock",
        "Every host judges leases by its own wall clock.",
    ),
    (
        Plant::WallClockOnOneHost,
        "wall-clock-on-one-host",
        "On one host leases are judged by the boot clock",
        "Leases are judged by the wall clock, as if the boot clock could not be compared.",
    ),
    (
        Plant::SettleBeforeSend,
        "settle-before-send",
        "An alert leaves the outbox only after it was delivered",
        "Alerts are struck out as soon as a tick has taken them.",
    ),
    (
        Plant::NewestFirst,
        "newest-first",
        "Alerts of a pipeline are told in their order",
        "A tick tells what it has taken from the newest to the oldest.",
    ),
    (
        Plant::PlanBeforeImport,
        "plan-before-import",
        "What ran without the run-log is taken into it before anything is planned",
        "A tick that has the run-log again takes the spool in after its own work.",
    ),
    (
        Plant::NoMirror,
        "no-mirror",
        "Every tick mirrors what it knows of the run-log to its host",
        "Nothing is mirrored.",
    ),
    (
        Plant::ClaimsInMemory,
        "claims-in-memory",
        "Without the run-log, a claim is a file of its host before the body starts",
        "Each tick keeps its claims, and what came of them, to itself.",
    ),
];

impl Plant {
    pub fn named(name: &str) -> Option<Plant> {
        PLANTS.iter().find(|(_, known, ..)| *known == name).map(|(plant, ..)| *plant)
    }

    /// The store in whose world it bites.
    pub fn kind(self) -> Kind {
        match self {
            Plant::MarkNotHeeded | Plant::WallClockOnOneHost => Kind::Local,
            _ => Kind::Server,
        }
    }

    pub fn needs_receivers(self) -> bool {
        matches!(self, Plant::SettleBeforeSend | Plant::NewestFirst)
    }

    pub fn needs_spools(self) -> bool {
        matches!(self, Plant::PlanBeforeImport | Plant::NoMirror | Plant::ClaimsInMemory)
    }

    pub fn needs_steps(self) -> bool {
        matches!(self, Plant::HostClockForLeases | Plant::WallClockOnOneHost)
    }
}
