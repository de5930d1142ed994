//! The rooms that are searched, and for each rule the room in which it is missed.

use super::bounds::Bounds;
use super::laws::Law;
use super::rules::Rule;

/// One occurrence, two attempts.
const TWICE: &str = "schedule: '0 0 1 1 *'; retry: { max_attempts: 2, delay: 0s }";
/// One occurrence, one attempt.
const ONCE: &str = "schedule: '0 0 1 1 *'";
/// Two occurrences, a minute apart, two attempts each.
const TWO: &str = "schedule: '0,1 0 1 1 *'; retry: { max_attempts: 2, delay: 0s }";

const QUIET: Bounds = Bounds {
    name: "nothing goes wrong",
    pipelines: &[TWICE],
    one_host: false,
    jobs: 2,
    crashes: 0,
    losses: 0,
    renewals: 0,
    stops: 0,
    zombies: 0,
    failures: 0,
};

/// Searched always.
pub const SMALL: &[Bounds] = &[
    QUIET,
    Bounds { name: "a silent worker renews", failures: 1, zombies: 1, renewals: 1, ..QUIET },
    Bounds { name: "a lost request, one host", one_host: true, losses: 1, ..QUIET },
    Bounds { name: "a lost request, two hosts", losses: 1, ..QUIET },
    Bounds { name: "two pipelines, one fails", pipelines: &[TWICE, TWICE], failures: 1, ..QUIET },
    Bounds { name: "two pipelines, one of a single attempt", pipelines: &[TWICE, ONCE], jobs: 1, stops: 1, ..QUIET },
];

/// Searched where the environment says `CI`.
pub const LARGE: &[Bounds] = &[
    Bounds { name: "a killed tick, one host", one_host: true, crashes: 1, ..QUIET },
    Bounds { name: "a killed tick, two hosts", crashes: 1, ..QUIET },
    Bounds { name: "a stop, a failure, a silent worker", one_host: true, stops: 1, failures: 1, zombies: 1, ..QUIET },
    Bounds { name: "a lost request, a failure, a silent worker", losses: 1, failures: 1, zombies: 1, ..QUIET },
    Bounds { name: "two occurrences, a failure", pipelines: &[TWO], failures: 1, zombies: 1, ..QUIET },
    Bounds {
        name: "two pipelines, a lost request, a failure",
        pipelines: &[TWICE, TWICE],
        losses: 1,
        failures: 1,
        ..QUIET
    },
    Bounds { name: "two pipelines, a killed tick", pipelines: &[TWICE, ONCE], crashes: 1, ..QUIET },
    Bounds { name: "a killed tick, a lost request", pipelines: &[TWICE], crashes: 1, losses: 1, ..QUIET },
];

/// A rule, the room in which it is missed, and the law that is broken then; none where something is left undecided.
pub const RULES: &[(Rule, Bounds, Option<Law>)] = &[
    (Rule::VersionIsCompared, Bounds { pipelines: &[TWO], zombies: 1, ..QUIET }, Some(Law::FencesGrow)),
    (Rule::UnknownIsNotWon, Bounds { losses: 1, ..QUIET }, Some(Law::AStartFollowsItsClaim)),
    (Rule::UnknownIsReadAgain, Bounds { losses: 1, ..QUIET }, Some(Law::NothingIsLeftBehind)),
    (Rule::StartAfterWon, QUIET, Some(Law::AStartFollowsItsClaim)),
    (Rule::LeaseIsTestedAgain, Bounds { zombies: 1, renewals: 1, ..QUIET }, Some(Law::WhatHoldsIsNotTakenOver)),
    (Rule::EndGoesByToken, Bounds { zombies: 1, ..QUIET }, Some(Law::AnEndIsItsOwn)),
    (Rule::LossBeforeSuccessor, Bounds { zombies: 1, renewals: 1, ..QUIET }, Some(Law::TheNextFollowsTheEnd)),
    (Rule::MarkBeforeReleased, Bounds { one_host: true, crashes: 1, ..QUIET }, Some(Law::WhatIsReleasedNeverStarts)),
];
