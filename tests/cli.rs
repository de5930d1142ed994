//! The program as people and cron call it: each test starts the real binary in a sandbox of its own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]
#![allow(clippy::disallowed_methods, reason = "what other processes do takes real time")]

#[path = "cli/abandoned.rs"]
mod abandoned;
#[path = "cli/addresses.rs"]
mod addresses;
#[path = "cli/at_once.rs"]
mod at_once;
#[path = "cli/backfill.rs"]
mod backfill;
#[path = "cli/by_hand.rs"]
mod by_hand;
#[path = "cli/degraded.rs"]
mod degraded;
#[path = "cli/detach.rs"]
mod detach;
#[path = "cli/doctor.rs"]
mod doctor;
#[path = "cli/due.rs"]
mod due;
#[path = "cli/environment.rs"]
mod environment;
#[path = "cli/exit_codes.rs"]
mod exit_codes;
#[path = "cli/files.rs"]
mod files;
#[path = "cli/foreseen.rs"]
mod foreseen;
#[path = "cli/gone.rs"]
mod gone;
#[path = "outlets/http_server.rs"]
#[allow(dead_code, reason = "made for the tests of alerters, which need more of it")]
mod http_server;
#[path = "cli/import.rs"]
mod import;
#[path = "cli/killed.rs"]
mod killed;
#[path = "cli/kills.rs"]
mod kills;
#[path = "cli/looking.rs"]
mod looking;
#[path = "cli/outbox.rs"]
mod outbox;
#[path = "cli/policies.rs"]
mod policies;
#[path = "cli/prune.rs"]
mod prune;
#[path = "cli/rehearse.rs"]
mod rehearse;
#[path = "cli/renamed.rs"]
mod renamed;
#[path = "cli/run_log.rs"]
mod run_log;
#[path = "cli/sandbox.rs"]
mod sandbox;
#[path = "cli/secrets.rs"]
mod secrets;
#[path = "cli/shadow.rs"]
mod shadow;
#[path = "cli/signals.rs"]
mod signals;
#[path = "cli/simulate.rs"]
mod simulate;
#[path = "cli/spool.rs"]
mod spool;
#[path = "cli/surround.rs"]
mod surround;
#[path = "cli/told.rs"]
mod told;
#[path = "cli/trouble.rs"]
mod trouble;
#[path = "cli/verbs.rs"]
mod verbs;
#[path = "cli/why.rs"]
mod why;
#[path = "cli/without_disk.rs"]
mod without_disk;
#[path = "cli/wording.rs"]
mod wording;
