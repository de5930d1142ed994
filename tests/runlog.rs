//! What every run-log promises: each case runs over each backend.
//!
//! A case gets a fresh log and a clock that only moves when told to. A backend is a row of `BACKENDS`; what it does not
//! promise (being shared, outliving the process) is not asked of it. A backend that can't be opened shows as ignored,
//! and fails where the environment says `CI`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

#[path = "runlog/again.rs"]
mod again;
#[path = "runlog/alone.rs"]
mod alone;
#[path = "runlog/bench.rs"]
mod bench;
#[path = "runlog/beside.rs"]
mod beside;
#[path = "runlog/claims.rs"]
mod claims;
#[path = "runlog/copying.rs"]
mod copying;
#[cfg(feature = "duckdb")]
#[path = "runlog/duckdb_file.rs"]
mod duckdb_file;
#[cfg(feature = "duckdb")]
#[path = "runlog/duckdb_peer.rs"]
mod duckdb_peer;
#[path = "runlog/ends.rs"]
mod ends;
#[path = "runlog/flow_views.rs"]
mod flow_views;
#[path = "runlog/history.rs"]
mod history;
#[path = "runlog/imports.rs"]
mod imports;
#[path = "runlog/late.rs"]
mod late;
#[path = "runlog/leases.rs"]
mod leases;
#[path = "runlog/not_run.rs"]
mod not_run;
#[path = "runlog/outbox.rs"]
mod outbox;
#[path = "runlog/pruning.rs"]
mod pruning;
#[path = "runlog/races.rs"]
mod races;
#[path = "runlog/recovery.rs"]
mod recovery;
#[path = "runlog/renaming.rs"]
mod renaming;
#[path = "runlog/reopening.rs"]
mod reopening;
#[cfg(any(feature = "postgres", feature = "mysql"))]
#[path = "runlog/servers.rs"]
mod servers;
#[path = "runlog/spooled.rs"]
mod spooled;
#[path = "runlog/sqlite_file.rs"]
mod sqlite_file;
#[path = "runlog/taking_in.rs"]
mod taking_in;
#[path = "runlog/values.rs"]
mod values;
#[path = "runlog/views.rs"]
mod views;

use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use bench::{Backend, Bench};

/// Every backend: how to get a fresh one, and what it promises beyond the contract.
static BACKENDS: &[Backend] = &[
    Backend {
        name: "memory",
        fresh_url: |_| Ok("memory:".into()),
        remove: |_| {},
        precision: Duration::from_micros(1),
        is_shared: false,
        is_durable: false,
    },
    Backend {
        name: "sqlite",
        fresh_url: |folder| Ok(format!("sqlite:{}/run_log.db", folder.display())),
        remove: |_| {},
        precision: Duration::from_micros(1),
        is_shared: true,
        is_durable: true,
    },
    #[cfg(feature = "duckdb")]
    Backend {
        name: "duckdb",
        fresh_url: |folder| Ok(format!("duckdb:{}/runs.duckdb", folder.display())),
        remove: |_| {},
        precision: Duration::from_micros(1),
        is_shared: true,
        is_durable: true,
    },
    #[cfg(feature = "duckdb")]
    Backend {
        name: "duckdb in memory",
        fresh_url: |_| Ok("duckdb://:memory:".into()),
        remove: |_| {},
        precision: Duration::from_micros(1),
        is_shared: false,
        is_durable: false,
    },
    #[cfg(feature = "postgres")]
    Backend {
        name: "postgres",
        fresh_url: servers::fresh_postgres,
        remove: servers::remove,
        precision: Duration::from_micros(1),
        is_shared: true,
        is_durable: true,
    },
    #[cfg(feature = "mysql")]
    Backend {
        name: "mysql",
        fresh_url: servers::fresh_mysql,
        remove: servers::remove,
        precision: Duration::from_micros(1),
        is_shared: true,
        is_durable: true,
    },
];

/// One rule, tried on one log.
struct Case {
    name: &'static str,
    run: fn(Bench) -> Pin<Box<dyn Future<Output = ()>>>,
}

macro_rules! cases {
    ($($module:ident: $($name:ident),+;)+) => {
        vec![$($(Case { name: stringify!($name), run: |bench| Box::pin($module::$name(bench)) }),+),+]
    };
}

fn cases_for(backend: &Backend) -> Vec<Case> {
    let mut cases = everywhere();
    if backend.is_shared {
        cases.extend(cases! {
            races: many_connections_make_one_store, what_one_connection_commits_the_other_sees;
        });
    }
    if backend.is_durable {
        cases.extend(cases! {
            reopening: everything_is_there_after_reopening, fences_and_versions_go_on_after_reopening,
                a_rehearsals_store_is_refused_for_work, a_real_store_is_refused_for_a_rehearsal,
                a_shadows_store_is_for_shadows_alone, any_store_may_be_read,
                a_store_without_tables_that_its_host_has_used_is_no_new_one;
            flow_views: views_with_the_columns_of_ematix_flow_say_what_is_known;
        });
    }
    cases
}

fn everywhere() -> Vec<Case> {
    cases! {
        claims: a_claim_is_won_and_found_as_it_was_made, a_decision_on_an_old_version_is_lost_and_changes_nothing,
            a_row_is_made_once, a_row_that_is_not_there_has_no_version, a_key_that_is_taken_is_lost_and_changes_nothing,
            the_next_attempt_waits_for_the_end_of_the_one_before, another_run_may_be_claimed_while_one_is_active,
            a_retry_is_closed_once, a_retry_is_made_once, only_a_pending_retry_can_be_closed,
            one_that_is_refused_does_not_hinder_the_others, of_two_for_one_pipeline_the_first_is_won,
            the_same_claim_sent_again_is_lost_and_its_token_is_there, a_change_without_a_claim_keeps_the_fence,
            fences_and_versions_only_grow, names_that_differ_in_case_are_two_pipelines,
            names_with_slashes_and_dots_are_kept_apart, namespaces_are_kept_apart;
        ends: an_end_is_kept_as_it_was_reported, an_end_without_its_token_is_an_orphan,
            each_outcome_counts_as_it_should, an_end_is_taken_once, an_end_makes_older_decisions_lost,
            a_failure_is_followed_by_the_retry_that_its_policy_says, a_fatal_failure_is_not_followed,
            what_is_released_or_rerun_is_due_at_once, ends_are_applied_before_transitions,
            ends_are_answered_in_order;
        late: a_lease_that_holds_is_not_lost, a_lease_is_over_at_its_last_instant,
            a_lease_renewed_meanwhile_is_not_lost, an_outcome_that_came_first_wins, a_late_failure_is_kept_beside_the_loss,
            a_late_success_cancels_the_retry, a_late_success_leaves_a_retry_that_was_made, of_late_outcomes_the_first_is_kept,
            a_late_outcome_makes_older_decisions_lost,
            where_the_boot_clock_is_known_it_alone_ends_a_lease;
        leases: only_held_tokens_are_renewed, a_renewal_lasts_until_its_instant, a_renewal_never_shortens_a_lease,
            a_renewal_leaves_decisions_valid, a_lease_that_is_over_may_still_be_renewed,
            a_renewal_replaces_what_a_wrong_clock_has_set, a_lease_that_was_set_back_ends_with_its_length,
            who_renews_is_told_who_is_to_end, a_refused_transition_stops_nothing;
        views: an_empty_store_knows_the_time_only, a_view_is_of_the_pipelines_asked_for, open_attempts_come_oldest_first,
            ended_attempts_are_not_open, decided_occurrences_are_those_after_the_cursor,
            before_the_first_decision_every_attempt_counts_as_decided,
            a_look_at_all_says_what_is_decided_to_who_only_looks;
        imports: what_is_imported_is_there_as_it_was_made,
            what_is_imported_was_made_without_the_run_log_and_runs_until_its_end,
            the_same_records_may_come_again,
            an_end_that_comes_later_is_folded,
            what_has_ended_is_left_as_it_is_by_an_older_record,
            a_retry_is_pending_unless_it_was_made,
            a_key_that_is_taken_keeps_its_attempt_and_the_other_comes_beside_it,
            a_retry_is_made_after_what_ran_twice,
            an_end_that_is_not_retried_leaves_what_ran_twice_as_it_was,
            what_another_host_gave_back_before_its_start_has_not_run_and_allows_no_second_start,
            what_came_of_an_attempt_after_it_was_lost_is_taken_in_too,
            records_are_sorted_by_run_and_attempt,
            the_cursor_moves_where_nothing_is_left_out,
            an_import_makes_older_decisions_lost;
        taking_in: only_what_a_host_did_beside_what_was_given_back_has_not_run_twice,
            what_ran_twice_is_counted_as_the_attempt_whose_retry_it_takes_over,
            a_retry_is_handed_on_unless_what_ran_twice_was_the_last,
            a_record_that_no_tick_can_have_written_has_a_flaw,
            a_retry_that_its_host_has_made_since_is_not_pending,
            a_retry_that_its_host_has_closed_is_not_pending,
            an_end_that_comes_later_changes_no_duplicate_but_for_the_retry_it_hands_on,
            the_same_end_of_a_lease_counted_anew_is_no_renewal;
        alone: what_runs_on_is_renewed_where_it_is_known_by_the_time_of_the_store,
            what_the_run_log_has_declared_lost_is_held_no_more, a_wish_that_it_ends_reaches_it,
            what_the_run_log_does_not_know_or_say_changes_nothing;
        recovery: what_still_runs_is_taken_in_with_a_lease_by_the_time_of_the_store;
        again: no_retry_is_made_of_a_run_of_which_any_attempt_has_succeeded,
            a_late_success_ends_the_retry_that_was_handed_on, an_end_that_comes_later_hands_its_retry_on_as_well,
            what_a_host_gave_back_and_made_after_that_has_one_retry_pending,
            after_a_late_success_the_run_is_tried_again_only_by_hand,
            only_an_end_that_may_matter_to_other_attempts_asks_for_them,
            a_success_gives_up_the_pending_retries_that_nobody_asked_for;
        beside: beside_what_its_host_runs_alone_a_tick_claims_nothing_that_has_not_told_of_it,
            a_look_that_another_tick_has_overtaken_undoes_no_claim_in_the_mirror,
            what_a_first_sight_has_left_out_is_no_part_of_what_a_claim_alone_decides,
            what_was_told_before_it_came_late_is_not_tried_again, a_hold_that_comes_with_an_end_is_mirrored_with_it;
        spooled: what_a_process_has_read_it_reads_no_more, what_another_process_has_done_is_known_to_the_next_call,
            a_record_that_somebody_has_taken_away_is_gone, whoever_remembers_sees_what_a_newcomer_reads;
        not_run: adjacent_missed_stretches_are_one, what_was_paused_or_held_is_one_stretch_each, stretches_that_do_not_touch_stay_apart,
            a_stretch_recorded_again_reaches_as_far_as_the_longer;
        outbox: an_end_is_told_as_it_ended, a_late_outcome_is_told_once, a_transition_that_is_refused_tells_nothing,
            an_alert_is_with_one_tick_at_a_time, alerts_of_a_pipeline_stay_in_order, the_same_alert_is_kept_once,
            after_a_day_an_alert_is_dead, what_is_put_off_is_kept_with_its_instant,
            what_happened_long_ago_is_told_for_a_day_too_and_in_its_turn, what_there_is_no_room_for_is_counted,
            what_is_posted_finds_those_dead_that_nobody_took, of_the_dead_the_last_ones_are_kept;
        history: newest_decisions_come_first, equal_decisions_have_a_fixed_order, a_limit_keeps_the_newest,
            filters_leave_what_they_say, what_is_merged_counts_as_newly_decided;
        values: instants_are_kept_to_the_microsecond, odd_text_is_kept, large_numbers_are_kept, every_word_is_kept;
        races: each_occurrence_is_won_once, an_end_is_folded_once, of_many_renamings_one_is_won;
        copying: everything_comes_once_in_a_fixed_order_whatever_the_page, what_is_taken_in_is_there_as_it_was,
            what_is_there_stays, a_stretch_that_is_taken_in_ends_where_it_ended, names_sort_by_their_bytes, a_store_says_what_it_is_and_asking_leaves_nothing;
        pruning: what_is_older_goes_and_the_newest_run_and_success_stay,
            failures_are_kept_for_longer_and_counts_leave_them_alone_then,
            what_is_open_or_still_guards_an_occurrence_stays, no_step_takes_more_than_it_may_of_both_kinds,
            much_goes_in_bounded_steps;
        renaming: what_is_forgotten_leaves_fence_and_version, nothing_is_forgotten_of_what_runs_or_is_unknown,
            what_has_never_run_is_forgotten_and_renamed_too, a_claim_alone_is_known_too,
            all_that_is_known_goes_over_to_a_new_name, a_name_takes_over_once_and_only_where_it_is_free,
            a_pipeline_may_get_its_old_name_back, a_pause_under_the_new_name_is_kept,
            what_runs_meanwhile_ends_under_the_new_name;
    }
}

/// A case over a backend as a test: ignored where there is no such backend, unless somebody relies on it.
fn trial(backend: &'static Backend, case: Case) -> Trial {
    Trial::ignorable_test(format!("{}::{}", backend.name, case.name), move || match Bench::new(backend) {
        Ok(bench) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on((case.run)(bench));
            Ok(Completion::Completed)
        }
        Err(why) => missing(&why),
    })
}

/// There is nothing to test: for a user's machine that is no failure, for a machine that tests on purpose it is.
fn missing(why: &str) -> Result<Completion, Failed> {
    match std::env::var_os("CI") {
        Some(_) => Err(Failed::from(why)),
        None => Ok(Completion::ignored_with(why)),
    }
}

fn main() -> ExitCode {
    #[cfg(feature = "duckdb")]
    if duckdb_file::is_stranger() {
        return ExitCode::SUCCESS;
    }
    let arguments = Arguments::from_args();
    let over_backends =
        BACKENDS.iter().flat_map(|backend| cases_for(backend).into_iter().map(move |case| trial(backend, case)));
    let of_files = sqlite_file::CASES.iter().map(|(name, run)| {
        Trial::ignorable_test(format!("sqlite::{name}"), || match Bench::new(&BACKENDS[1]) {
            Ok(bench) => Ok(run(&bench).map_or(Completion::Completed, Completion::ignored_with)),
            Err(why) => missing(&why),
        })
    });
    #[cfg(feature = "duckdb")]
    let of_files = of_files.chain(duckdb_file::trials());
    libtest_mimic::run(&arguments, over_backends.chain(of_files).collect()).exit_code()
}
