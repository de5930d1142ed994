//! What is imported, as values: what becomes of a record beside the attempts that are there.

use std::slice::from_ref;

use tickward::lease::Lease;
use tickward::owner::Owner;
use tickward::run::{Attempt, Outcome, Row, StopRequest};
use tickward::runlog::contract::{Imported, Spooled};
use tickward::runlog::import::{hand_on, take_in};

use crate::bench::{Bench, at, completion, id, once, thrice};
use crate::imports::spooled;

/// An attempt at 02:00 that a host has ended, with or without the run-log.
fn ended_by(host: &str, degraded: bool, number: u32, outcome: Outcome) -> Attempt {
    let attempt = spooled("02:00", number, Some(outcome)).attempt;
    Attempt { owner: Owner { host: host.into(), ..attempt.owner }, degraded, ..attempt }
}

pub async fn only_what_a_host_did_beside_what_was_given_back_has_not_run_twice(_: Bench) {
    use Outcome::{Failed, Released};
    // host, whether without the run-log, outcome of the attempts that are there; what becomes of the first one of `here`
    for (there, expected) in [
        (vec![("other", false, Released)], Imported::Taken),
        (vec![("other", false, Released), ("here", true, Failed)], Imported::Taken),
        (vec![("other", false, Released), ("third", true, Failed)], Imported::Duplicate(3)),
        (vec![("other", false, Released), ("here", false, Failed)], Imported::Duplicate(3)),
        (vec![("other", false, Released), ("third", false, Failed)], Imported::Duplicate(3)),
        (vec![("here", true, Failed)], Imported::Duplicate(2)),
        (vec![("other", false, Failed)], Imported::Duplicate(2)),
    ] {
        let numbered = (1..).zip(&there);
        let others: Vec<_> =
            numbered.map(|(number, (host, alone, end))| ended_by(host, *alone, number, *end)).collect();
        let attempt = ended_by("here", true, 1, Failed);
        let record = Spooled { attempt, after: None, schedule: String::new() };
        assert_eq!(take_in(&mut Row::absent(id("p")), None, &others, &record).0, expected, "{there:?}");
    }
}

pub async fn what_ran_twice_is_counted_as_the_attempt_whose_retry_it_takes_over(_: Bench) {
    use Outcome::{Failed, Interrupted, Lost, Released};
    // how the one with the retry ended, and which try of its policy it was; how the duplicate did; which try that is then
    for (pending, tries, duplicate, expected) in [
        (Failed, 1, Failed, 1),
        (Failed, 2, Released, 3),
        (Released, 2, Failed, 1),
        (Lost, 3, Interrupted, 3),
        (Released, 4, Released, 4),
    ] {
        let pending = Attempt { tries, ..ended_by("here", false, 1, pending) };
        let mut duplicate = Attempt { tries: 7, retry_at: None, ..ended_by("other", true, 2, duplicate) };
        let closed = hand_on(&pending, &mut duplicate);
        assert_eq!((closed.retry_at, duplicate.retry_at, duplicate.tries), (None, pending.retry_at, expected));
    }
}

pub async fn a_retry_is_handed_on_unless_what_ran_twice_was_the_last(_: Bench) {
    use Outcome::{Cancelled, Failed, Lost, Released, Succeeded};
    // how the one with the retry ended; how the duplicate did and what came late, whether it gave up or was told to stop
    for row @ (pending, outcome, late, gave_up, stopped, is_handed_on) in [
        (Failed, Failed, None, false, false, true),
        (Failed, Failed, None, true, true, true),
        (Failed, Cancelled, None, false, false, true),
        (Failed, Succeeded, None, false, false, false),
        (Failed, Lost, Some(Succeeded), false, false, false),
        (Released, Failed, None, false, false, true),
        (Released, Failed, None, true, false, false),
        (Released, Lost, None, false, true, false),
        (Released, Cancelled, None, false, false, false),
        (Released, Succeeded, None, false, false, false),
    ] {
        let pending = ended_by("here", false, 1, pending);
        let stop = stopped.then(|| StopRequest { at: at("02:01"), why: "by hand".into() });
        let duplicate = Attempt { retry_at: None, late_outcome: late, ..ended_by("other", true, 2, outcome) };
        let mut duplicate = Attempt { gave_up, stop, ..duplicate };
        assert_eq!(hand_on(&pending, &mut duplicate).retry_at, None, "{row:?}");
        assert_eq!(duplicate.retry_at, pending.retry_at.filter(|_| is_handed_on), "{row:?}");
    }
}

pub async fn a_record_that_no_tick_can_have_written_has_a_flaw(_: Bench) {
    let most = 1_000_000;
    type Row = (fn(&mut Attempt, u64), u64, Option<&'static str>);
    let rows: [Row; 8] = [
        (|attempt, n| attempt.number = n as u32, 0, Some("its attempt number, 0, is none")),
        (|attempt, n| attempt.number = n as u32, most, None),
        (|attempt, n| attempt.number = n as u32, most + 1, Some("its attempt number, 1000001, is none")),
        (|attempt, n| attempt.tries = n as u32, most, None),
        (|attempt, n| attempt.tries = n as u32, most + 1, Some("1000001 attempts before it are too many")),
        (|attempt, n| attempt.interruptions = n as u32, most + 1, Some("1000001 attempts before it are too many")),
        (|attempt, n| attempt.fence = n, 1 << 62, None),
        (|attempt, n| attempt.fence = n, (1 << 62) + 1, Some("its fence, 4611686018427387905, is none")),
    ];
    for (change, number, flaw) in rows {
        let mut record = spooled("02:00", 1, None);
        change(&mut record.attempt, number);
        assert_eq!(record.flaw().as_deref(), flaw, "{number}");
    }
}

/// What `take_in` stores besides what it is given: the numbers, and whether a retry is pending of them.
fn stored(there: Option<Attempt>, others: &[Attempt], new: Attempt) -> Vec<(u32, bool)> {
    let record = Spooled { attempt: new, after: None, schedule: String::new() };
    let (_, stored, _) = take_in(&mut Row::absent(id("p")), there, others, &record);
    stored.iter().map(|attempt| (attempt.number, attempt.retry_at.is_some())).collect()
}

pub async fn a_retry_that_its_host_has_made_since_is_not_pending(_: Bench) {
    use Outcome::Failed;
    // host, whether without the run-log, number and retry of the attempt that is there; whether the next one of `here` closes it
    for row @ (host, alone, number, has_retry, closes) in [
        ("here", true, 1, true, true),
        ("here", true, 1, false, false),
        ("here", false, 1, true, false),
        ("other", true, 1, true, false),
        ("here", true, 3, true, false),
    ] {
        let mut there = ended_by(host, alone, number, Failed);
        there.retry_at = there.retry_at.filter(|_| has_retry);
        let found = stored(None, &[there], ended_by("here", true, 2, Failed));
        let closed: &[(u32, bool)] = if closes { &[(1, false)] } else { &[] };
        assert_eq!((found[0], &found[1..]), ((2, true), closed), "{row:?}");
    }
}

/// By its policy it would be tried again; its host has made the retry, or a person did not want it.
pub async fn a_retry_that_its_host_has_closed_is_not_pending(_: Bench) {
    use Outcome::{Failed, Released};
    // its outcome, whether its host has the retry, whether it is pending; what never started is made by whoever comes
    for row @ (outcome, has_retry, is_pending) in
        [(Failed, true, true), (Failed, false, false), (Released, true, true), (Released, false, true)]
    {
        let mut new = ended_by("here", true, 1, outcome);
        new.retry_at = new.retry_at.filter(|_| has_retry);
        assert_eq!(stored(None, &[], new), [(1, is_pending)], "{row:?}");
    }
}

pub async fn an_end_that_comes_later_changes_no_duplicate_but_for_the_retry_it_hands_on(_: Bench) {
    let running = spooled("02:00", 1, None).attempt;
    let ended = |policy, retry_at| {
        let end = Some(completion(&running, Outcome::Failed, at("02:01")));
        Attempt { end, retry_at, policy, ..running.clone() }
    };
    let retry = Some(at("02:02"));
    let known = || Some(Attempt { policy: thrice(), ..running.clone() });
    let duplicate = ended_by("other", true, 2, Outcome::Failed);
    assert_eq!(stored(known(), from_ref(&duplicate), ended(thrice(), retry)), [(1, false), (2, true)], "handed on");
    let active = Attempt { end: None, retry_at: None, ..duplicate.clone() };
    assert_eq!(stored(known(), &[active], ended(thrice(), retry)), [(1, true)], "the other one has not ended");
    let once = Some(Attempt { policy: once(), ..running.clone() });
    assert_eq!(stored(once, &[duplicate], ended(self::once(), None)), [(1, false)], "there is none to hand on");
}

pub async fn the_same_end_of_a_lease_counted_anew_is_no_renewal(_: Bench) {
    let known = spooled("02:00", 1, None).attempt;
    let anew = Attempt { lease: Lease { until: at("09:00"), ..known.lease }, ..known.clone() };
    assert_eq!(stored(Some(known), &[], anew), []);
}
