//! The law of accounts: whatever happens, each occurrence is claimed once or passed over once, and none is invented.
//!
//! Random lives (schedules, policies, outages, ends of every kind, runs by hand, clocks set back) against an oracle that
//! knows the schedules by arithmetic alone. `story` checks at each tick that deciding is idempotent, that the cursor
//! does not go back and that nothing runs beside something else.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use tickward::pipeline::Pipeline;
use tickward::plan::constant_delay;
use tickward::run::{Attempt, Outcome, Reason};

use crate::story::{Story, at, pipeline};

type IsDue = fn(i64) -> bool;

/// Schedules, and whether a minute of the day is one of theirs.
const SCHEDULES: [(&str, IsDue); 6] = [
    ("'* * * * *'", |_| true),
    ("'*/7 * * * *'", |minute| minute % 60 % 7 == 0),
    ("'@hourly'", |minute| minute % 60 == 0),
    ("'30 */3 * * *'", |minute| minute % 180 == 30),
    ("['@hourly', '0,20 1-5 * * *']", |minute| minute % 60 == 0 || (minute % 60 == 20 && (60..360).contains(&minute))),
    ("'every 45m'", |minute| minute % 45 == 0),
];

const CATCH_UPS: [&str; 6] = [
    "skip",
    "latest",
    "all",
    "{ policy: all, max: 1 }",
    "{ policy: all, max: 3 }",
    "{ policy: all, max: 20, window: 2h }",
];

/// Retry policies, and how many attempts each allows.
const RETRIES: [(&str, u32); 4] = [
    ("{ max_attempts: 1 }", 1),
    ("{ max_attempts: 3, delay: 1m }", 3),
    ("{ max_attempts: 2, delay: 20m, jitter: 50% }", 2),
    ("{ max_attempts: 4, delay: 30s, when_next_due: finish_first }", 4),
];

#[derive(Clone, Debug)]
enum Step {
    /// Time goes on by so many seconds, then a tick.
    Tick(i64),
    /// The wall clock goes back by so many seconds behind where it was latest, then a tick.
    Back(i64),
    /// What is active ends.
    End(Outcome, bool),
    /// A lost attempt's outcome comes after all.
    Late(prop::sample::Index, Outcome),
    RunByHand,
    Repeat(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop::sample::select(&Outcome::ALL[..]);
    prop_oneof![
        6 => (0..200_i64).prop_map(Step::Tick),
        3 => (200..20_000_i64).prop_map(Step::Tick),
        1 => (1..3_500_i64).prop_map(Step::Back),
        6 => (outcome.clone(), prop::bool::weighted(0.1)).prop_map(|(outcome, fatal)| Step::End(outcome, fatal)),
        1 => (any::<prop::sample::Index>(), outcome).prop_map(|(index, outcome)| Step::Late(index, outcome)),
        1 => Just(Step::RunByHand),
        1 => any::<prop::sample::Index>().prop_map(Step::Repeat),
    ]
}

/// A life under way.
struct Life {
    pipeline: Pipeline,
    story: Story,
    now: Timestamp,
    latest: Timestamp,
}

impl Life {
    fn new(keys: &str) -> Life {
        let pipeline = pipeline(keys);
        let now = at("00:00:30");
        let mut life = Life { story: Story::new(&pipeline), pipeline, now, latest: now };
        life.tick();
        life
    }

    fn tick(&mut self) {
        self.latest = self.latest.max(self.now);
        self.story.tick(&self.pipeline, self.now);
    }

    fn go(&mut self, step: &Step) {
        match step {
            Step::Tick(seconds) => {
                self.now += Duration::from_secs(seconds.unsigned_abs());
                self.tick();
            }
            Step::Back(seconds) => {
                self.now = self.now.min(self.latest - Duration::from_secs(seconds.unsigned_abs()));
                self.tick();
            }
            Step::End(outcome, fatal) => {
                if let Some(active) = self.story.attempts.iter().position(Attempt::is_active) {
                    self.story.end_of(active, *outcome, *fatal, self.now);
                }
            }
            Step::Late(index, outcome) => {
                let lost = |(_, a): &(usize, &Attempt)| a.outcome() == Some(Outcome::Lost);
                let lost: Vec<usize> = self.story.attempts.iter().enumerate().filter(lost).map(|(n, _)| n).collect();
                if !lost.is_empty() {
                    self.story.end_of(*index.get(&lost), *outcome, false, self.now);
                }
            }
            Step::RunByHand => {
                // Between two occurrences, which are for whole seconds.
                let instant = self.now + Duration::from_micros(1);
                self.story.run(&self.pipeline, instant, self.now).ok();
            }
            Step::Repeat(index) => {
                if !self.story.attempts.is_empty() {
                    let instant = index.get(&self.story.attempts).run.scheduled_for;
                    self.story.run(&self.pipeline, instant, self.now).ok();
                }
            }
        }
    }

    /// Faults have stopped: every body succeeds, and ticks go on until there is nothing left to do.
    fn come_to_rest(&mut self) {
        self.now = self.latest;
        for _ in 0..10_000 {
            if let Some(active) = self.story.attempts.iter().position(Attempt::is_active) {
                self.story.end_of(active, Outcome::Succeeded, false, self.now);
            }
            let decision = self.story.tick(&self.pipeline, self.now);
            self.latest = self.now;
            match decision.wake_at {
                Some(at) if decision.claim.is_none() => self.now = self.now.max(at),
                _ if !decision.changed => return,
                _ => {}
            }
        }
        panic!("it never comes to rest");
    }
}

/// What the schedule says, by arithmetic: whole minutes of the days after the first of January.
fn occurrences(is_due: IsDue, span: Range<Timestamp>) -> Vec<Timestamp> {
    let midnight = at("00:00");
    let minutes = (0..).map(|minute: i64| (minute, midnight + Duration::from_secs(minute.unsigned_abs() * 60)));
    let until = minutes.take_while(|(_, instant)| *instant <= span.end);
    let due = until.filter(|(minute, instant)| *instant > span.start && is_due(minute % 1440));
    due.map(|(_, instant)| instant).collect()
}

fn is_accounted_for(life: &Life, is_due: IsDue, max_attempts: u32) -> Result<(), TestCaseError> {
    let story = &life.story;
    let first_seen = at("00:00:30") - story.interval;
    let delay = constant_delay(&life.pipeline.id, life.pipeline.jitter);
    let due = occurrences(is_due, first_seen..life.latest - delay);
    let mut accounts: BTreeMap<Timestamp, Vec<String>> = due.iter().map(|instant| (*instant, Vec::new())).collect();
    for attempt in story.attempts.iter().filter(|attempt| attempt.number == 1 && !attempt.by_hand) {
        let account = accounts.get_mut(&attempt.run.scheduled_for);
        prop_assert!(account.is_some(), "invented: {}", attempt.run.id());
        account.unwrap().push(format!("{:?}", attempt.trigger));
    }
    for entry in &story.not_run {
        if entry.reason == Reason::Superseded {
            let of_run = |attempt: &&Attempt| attempt.run.scheduled_for == entry.first;
            prop_assert!(story.attempts.iter().any(|a| of_run(&a)), "superseded without an attempt: {entry:?}");
            continue;
        }
        let mut count = 0;
        for (_, account) in accounts.range_mut(entry.first..=entry.last) {
            account.push(format!("{:?}", entry.reason));
            count += 1;
        }
        prop_assert_eq!(entry.count, count, "{:?}", entry);
    }
    for (instant, account) in &accounts {
        prop_assert_eq!(account.len(), 1, "{} is accounted for by {:?}", instant, account);
    }
    for attempt in story.attempts.iter().filter(|attempt| !attempt.by_hand) {
        prop_assert!(attempt.tries <= max_attempts, "{attempt:?}");
    }
    prop_assert!(story.attempts.iter().all(|attempt| !attempt.is_open()), "something is left over");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_occurrence_is_accounted_for_exactly_once(
        (schedule, is_due) in prop::sample::select(&SCHEDULES[..]),
        catch_up in prop::sample::select(&CATCH_UPS[..]),
        (retry, max_attempts) in prop::sample::select(&RETRIES[..]),
        on_interrupt in prop::sample::select(&["retry", "rerun"][..]),
        jitter in prop::sample::select(&["0s", "0s", "15m"][..]),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let keys = format!(
            "schedule: {schedule}; catch_up: {catch_up}; retry: {retry}; on_interrupt: {on_interrupt}; jitter: {jitter}"
        );
        let mut life = Life::new(&keys);
        for step in &steps {
            life.go(step);
        }
        life.come_to_rest();
        is_accounted_for(&life, is_due, max_attempts)?;
    }
}
