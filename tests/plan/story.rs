//! A pipeline's life as a script: each line a time, what happens, and what is decided upon it.
//!
//! The script's store is the contract in a few lines: what is decided is applied whole, and a claim whose key is taken, and
//! what passes something over, is decided again with the decided occurrences known, as a tick does.
//!
//! Holds always, and is checked at each tick: deciding again gives the same; deciding on what was committed gives
//! nothing more to commit; the cursor goes back only where a note says so.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use tickward::clock::BootTime;
use tickward::config::{Environment, Source, load};
use tickward::lease::Lease;
use tickward::occurrence::{Name, PipelineId, Run, Token};
use tickward::owner::Owner;
use tickward::pipeline::{Overlap, Pipeline, Upstream};
use tickward::plan::{self, Busy, Decision, Draft, Folded, Note, Situation, UpstreamSight, WaitsFor, controls};
use tickward::run::{Attempt, Completion, Done, NotRun, Outcome, Policy, Row};

/// Reads a pipeline from its YAML keys, separated by `; ` or lines.
pub fn pipeline(keys: &str) -> Pipeline {
    let keys: Vec<String> = keys.split("; ").map(|key| format!("    {}\n", key.trim())).collect();
    // What `p` may depend on: one that is due daily, one that is not.
    let others = "  daily: { command: work, schedule: '@daily' }\n  other: { command: work }\n";
    let text = format!("pipelines:\n  p:\n    command: work\n{}{others}", keys.concat());
    let loaded = load(&[Source::Text { name: "test".into(), text: text.clone() }], &Environment::default());
    assert!(!loaded.has_errors(), "{text}{:?}", loaded.problems);
    loaded.pipelines.into_iter().next().unwrap()
}

/// What a store knows of the pipeline, and how it is ticked.
pub struct Story {
    pub interval: Duration,
    pub row: Row,
    pub attempts: Vec<Attempt>,
    pub not_run: Vec<NotRun>,
    /// What is known of the others.
    pub others: BTreeMap<PipelineId, Row>,
}

impl Story {
    pub fn new(pipeline: &Pipeline) -> Story {
        let row = Row::absent(pipeline.id.clone());
        let (attempts, not_run) = (Vec::new(), Vec::new());
        Story { interval: Duration::from_secs(60), row, attempts, not_run, others: BTreeMap::new() }
    }

    fn with<T>(&self, pipeline: &Pipeline, now: Timestamp, knows: bool, f: impl FnOnce(&Situation<'_>) -> T) -> T {
        let mut open: Vec<&Attempt> = self.attempts.iter().filter(|attempt| attempt.is_open()).collect();
        open.sort_by_key(|attempt| (attempt.run.scheduled_for, attempt.number));
        let mut decided: Vec<Timestamp> = self.attempts.iter().map(|attempt| attempt.run.scheduled_for).collect();
        let cursor = self.row.undecided_after(now);
        decided.retain(|instant| knows && cursor.is_none_or(|cursor| *instant > cursor));
        decided.sort();
        decided.dedup();
        let row = &self.row;
        let daily = self::pipeline("schedule: '@daily'");
        let each = pipeline.depends_on.iter().map(|upstream| {
            let Upstream { pipeline, .. } = upstream;
            let is_daily = pipeline.name.as_str() == "daily";
            UpstreamSight { upstream, row: self.others.get(pipeline), pipeline: is_daily.then_some(&daily) }
        });
        let upstreams: Vec<UpstreamSight<'_>> = each.collect();
        let (decided, upstreams) = (&decided[..], &upstreams[..]);
        f(&Situation { pipeline, row, open: &open, decided, upstreams, now, interval: self.interval })
    }

    /// What would be decided, changing nothing.
    pub fn decide(&self, pipeline: &Pipeline, now: Timestamp) -> Decision {
        let decision = self.with(pipeline, now, false, plan::decide);
        assert_eq!(decision, self.with(pipeline, now, false, plan::decide), "deciding again gives the same");
        match !decision.not_run.is_empty() || decision.claim.as_ref().is_some_and(|draft| self.has(draft)) {
            true => self.with(pipeline, now, true, plan::decide),
            false => decision,
        }
    }

    fn has(&self, draft: &Draft) -> bool {
        self.attempts.iter().any(|a| a.run == draft.run && (a.number == draft.number || a.is_active()))
    }

    /// Decides and commits.
    pub fn tick(&mut self, pipeline: &Pipeline, now: Timestamp) -> Decision {
        let decision = self.decide(pipeline, now);
        let cursor = self.row.cursor;
        self.apply(pipeline, &decision, now);
        let set_back = decision.notes.iter().any(|note| matches!(note, Note::CursorAhead(_)));
        assert!(self.row.cursor >= cursor || set_back, "the cursor went back from {cursor:?}: {decision:?}");
        let again = self.decide(pipeline, now);
        assert!(!again.changed && again.claim.is_none() && again.not_run.is_empty(), "{decision:?}\nthen {again:?}");
        decision
    }

    /// Claims by hand and commits.
    pub fn run(&mut self, pipeline: &Pipeline, scheduled_for: Timestamp, now: Timestamp) -> Result<Decision, Busy> {
        let of_run = self.attempts.iter().filter(|attempt| attempt.run.scheduled_for == scheduled_for);
        let latest = of_run.max_by_key(|attempt| attempt.number);
        let decision = self.with(pipeline, now, false, |situation| plan::by_hand(situation, scheduled_for, latest))?;
        assert_eq!(decision.row.cursor, self.row.cursor, "a run by hand moves no cursor");
        self.apply(pipeline, &decision, now);
        Ok(decision)
    }

    fn apply(&mut self, pipeline: &Pipeline, decision: &Decision, now: Timestamp) {
        let Decision { claim, closed, not_run, stops, .. } = decision;
        let nothing = claim.is_none() && closed.is_empty() && not_run.is_empty() && stops.is_empty();
        assert!(decision.changed || (nothing && decision.row == self.row), "changed, but not said so: {decision:?}");
        if !decision.changed {
            return;
        }
        self.row = Row { version: self.row.version + 1, ..decision.row.clone() };
        let follows = decision.claim.as_ref().and_then(|draft| draft.follows);
        for token in decision.closed.iter().copied().chain(follows) {
            let closed = self.attempts.iter_mut().find(|a| a.token == token && a.retry_at.is_some());
            closed.unwrap_or_else(|| panic!("nothing to close: {decision:?}")).retry_at = None;
        }
        self.not_run.extend(decision.not_run.iter().cloned());
        for (token, stop) in stops {
            let stopped = self.attempts.iter_mut().find(|a| a.token == *token && a.is_active());
            stopped.unwrap_or_else(|| panic!("nothing to stop: {decision:?}")).stop = Some(stop.clone());
        }
        if let Some(draft) = &decision.claim {
            assert!(!self.has(draft), "claimed in vain: {draft:?}");
            let most = if let Overlap::Allow(most) = pipeline.overlap { most as usize } else { 1 };
            let active = self.attempts.iter().filter(|a| a.is_active()).count();
            assert!(active < most, "{active} are active: {draft:?}");
            self.row.fence += 1;
            self.attempts.push(claimed(pipeline, draft, self.row.fence, now));
        }
    }

    /// What a person asks for, decided and committed.
    pub fn control(
        &mut self,
        pipeline: &Pipeline,
        now: Timestamp,
        ask: impl Fn(&Situation<'_>) -> Decision,
    ) -> Decision {
        let decision = self.with(pipeline, now, true, ask);
        assert_eq!(decision.claim, None);
        self.apply(pipeline, &decision, now);
        decision
    }

    /// An occurrence of another pipeline is done.
    pub fn done(&mut self, name: &str, scheduled_for: Timestamp, outcome: Outcome, now: Timestamp) {
        let id = PipelineId { name: Name::parse(name).unwrap(), ..self.row.pipeline.clone() };
        let standing = &mut self.others.entry(id.clone()).or_insert_with(|| Row::absent(id)).standing;
        let done = Some(Done { scheduled_for, ended_at: now });
        match outcome {
            Outcome::Succeeded => standing.succeeded = done,
            _ => standing.partial = done,
        }
    }

    /// Ends the attempt that is active, or else the last one.
    pub fn end(&mut self, outcome: Outcome, fatal: bool, now: Timestamp) -> (Folded, Attempt) {
        let index = self.attempts.iter().position(Attempt::is_active).unwrap_or(self.attempts.len() - 1);
        self.end_of(index, outcome, fatal, now)
    }

    /// Ends one attempt.
    pub fn end_of(&mut self, index: usize, outcome: Outcome, fatal: bool, now: Timestamp) -> (Folded, Attempt) {
        let attempt = &mut self.attempts[index];
        let started_at = (outcome != Outcome::Released).then_some(attempt.claimed_at);
        let completion = Completion { fatal, started_at, ..Completion::bare(attempt.token, outcome, now) };
        let folded = plan::fold(&mut self.row, attempt, &completion);
        self.row.version += 1;
        (folded, attempt.clone())
    }
}

fn claimed(pipeline: &Pipeline, draft: &Draft, fence: u64, now: Timestamp) -> Attempt {
    let owner =
        Owner { id: "me".into(), host: "here".into(), pid: 1, started: 1, boot: "boot".into(), pid_namespace: 1 };
    Attempt {
        run: draft.run.clone(),
        number: draft.number,
        tries: draft.tries,
        earlier_starts: draft.earlier_starts,
        interruptions: draft.interruptions,
        trigger: draft.trigger,
        by_hand: draft.by_hand,
        token: Token(u128::from(fence)),
        fence,
        owner,
        policy: Policy::of(pipeline),
        claimed_at: now,
        lease: Lease::from(now, BootTime(0), pipeline.lease),
        end: None,
        retry_at: None,
        gave_up: false,
        late_outcome: None,
        stop: None,
        degraded: false,
    }
}

/// Plays a script on one pipeline.
pub fn play(keys: &str, script: &str) {
    play_on(&[("", keys)], Duration::from_secs(60), script);
}

/// Plays a script on hosts whose configurations differ: `tick a` is by the configuration named `a`.
///
/// Lines read `TIME EVENT => ANSWER`. Times are of January 2026: `02:00`, `02:00:30`, `2T05:00` for the second, or whole.
/// Events are `tick`, an outcome (of the active attempt, or else of the last), `fatal`, `run` and `run 02:00`.
pub fn play_on(hosts: &[(&str, &str)], interval: Duration, script: &str) {
    let hosts: Vec<(&str, Pipeline)> = hosts.iter().map(|(name, keys)| (*name, pipeline(keys))).collect();
    let mut story = Story { interval, ..Story::new(&hosts[0].1) };
    let mut played = Vec::new();
    let lines: Vec<&str> = script.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    for line in &lines {
        let (left, _) = line.split_once("=>").unwrap_or_else(|| panic!("no `=>`: {line}"));
        let words: Vec<&str> = left.split_whitespace().collect();
        let answer = happen(&mut story, &hosts, at(words[0]), &words[1..]);
        played.push(format!("{left}=> {answer}"));
    }
    assert_eq!(played.join("\n"), lines.join("\n"), "\nplayed:\n{}\n", played.join("\n"));
}

fn happen(story: &mut Story, hosts: &[(&str, Pipeline)], now: Timestamp, words: &[&str]) -> String {
    let named = |name: &str| {
        let host = hosts.iter().find(|(known, _)| *known == name);
        &host.unwrap_or_else(|| panic!("no host `{name}`")).1
    };
    let pipeline = &hosts[0].1;
    match words {
        ["tick"] => shown(&story.tick(named(hosts[0].0), now)),
        ["tick", host] => shown(&story.tick(named(host), now)),
        ["run"] => by_hand(story.run(named(hosts[0].0), now, now)),
        ["run", instant] => by_hand(story.run(named(hosts[0].0), at(instant), now)),
        ["pause"] => shown(&story.control(pipeline, now, |s| controls::pause(s, None, "why"))),
        ["pause", until] => shown(&story.control(pipeline, now, |s| controls::pause(s, Some(at(until)), ""))),
        ["resume"] => shown(&story.control(pipeline, now, controls::resume)),
        ["reset"] => shown(&story.control(pipeline, now, controls::reset)),
        ["skip"] => shown(&story.control(pipeline, now, |s| controls::skip(s).0)),
        ["cancel"] => shown(&story.control(pipeline, now, |s| controls::cancel(s, "by hand").0)),
        [name @ ("daily" | "other"), instant, outcome] => {
            story.done(name, at(instant), Outcome::from_word(outcome).unwrap(), now);
            "noted".into()
        }
        // Of the first attempt, whichever is active.
        ["first", word] => shown_end(&story.end_of(0, Outcome::from_word(word).unwrap(), false, now)),
        ["fatal"] => shown_end(&story.end(Outcome::Failed, true, now)),
        [word] => {
            let outcome = Outcome::from_word(word).unwrap_or_else(|| panic!("no event `{word}`"));
            shown_end(&story.end(outcome, false, now))
        }
        _ => panic!("no event: {words:?}"),
    }
}

fn by_hand(decision: Result<Decision, Busy>) -> String {
    match decision {
        Ok(decision) => shown(&decision),
        Err(Busy(run)) => format!("busy with {}", time(run.scheduled_for)),
    }
}

fn shown(decision: &Decision) -> String {
    let mut parts: Vec<String> = decision.not_run.iter().map(shown_not_run).collect();
    parts.extend(decision.claim.as_ref().map(shown_claim));
    parts.extend(decision.waiting.as_ref().map(|waiting| {
        let run = time(waiting.run.scheduled_for);
        match &waiting.for_what {
            WaitsFor::Backoff(until) => format!("{run} waits until {}", time(*until)),
            WaitsFor::EarlierRun => format!("{run} waits its turn"),
            WaitsFor::Upstream(id) => format!("{run} waits for {id}"),
            WaitsFor::MinInterval(until) => format!("{run} waits out its interval until {}", time(*until)),
            WaitsFor::Resume => format!("{run} waits for resume"),
            WaitsFor::Reset => format!("{run} waits for reset"),
        }
    }));
    parts.extend((!decision.stops.is_empty()).then(|| format!("stops {}", decision.stops.len())));
    parts.extend(decision.more_is_due.then(|| "more is due".into()));
    parts.extend(decision.notes.iter().map(|note| match note {
        Note::ConfigSplit => "config split".into(),
        Note::CursorAhead(instant) => format!("{} is ahead", time(*instant)),
        Note::RetryAhead(instant) => format!("retry {} is ahead", time(*instant)),
    }));
    match (parts.is_empty(), decision.changed) {
        (true, true) => "noted".into(),
        (true, false) => "nothing".into(),
        (false, _) => parts.join("; "),
    }
}

fn shown_not_run(entry: &NotRun) -> String {
    let more = if entry.at_least { "+" } else { "" };
    match entry.count {
        1 => format!("{} {}", entry.reason.word(), time(entry.first)),
        count => format!("{} {}-{} ({count}{more})", entry.reason.word(), time(entry.first), time(entry.last)),
    }
}

fn shown_claim(draft: &Draft) -> String {
    let tries = if draft.tries == draft.number { String::new() } else { format!(" try {}", draft.tries) };
    format!("{} {}#{}{tries}", draft.trigger.word(), time(draft.run.scheduled_for), draft.number)
}

fn shown_end((folded, attempt): &(Folded, Attempt)) -> String {
    let late = match folded {
        Folded::Ended => "",
        Folded::Late => "late, ",
        Folded::Already => "already ended, ",
    };
    match (attempt.retry_at, attempt.gave_up) {
        (Some(retry_at), _) => format!("{late}again at {}", time(retry_at)),
        (None, true) => format!("{late}gave up"),
        (None, false) => format!("{late}over"),
    }
}

/// Reads an instant of a script.
pub fn at(text: &str) -> Timestamp {
    let (day, clock) = text.split_once('T').unwrap_or(("1", text));
    let seconds = if clock.matches(':').count() == 1 { ":00" } else { "" };
    let day = if day.contains('-') { day.to_owned() } else { format!("2026-01-{day:0>2}") };
    format!("{day}T{clock}{seconds}Z").parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Writes an instant as `at` reads it.
fn time(instant: Timestamp) -> String {
    let date = instant.strftime("%Y-%m-%d").to_string();
    let day = match (date.as_str(), date.strip_prefix("2026-01-")) {
        ("2026-01-01", _) => String::new(),
        (_, Some(day)) => format!("{}T", day.trim_start_matches('0')),
        (whole, None) => format!("{whole}T"),
    };
    let clock = instant.strftime("%H:%M:%S").to_string();
    let micros = instant.subsec_microsecond();
    match (clock.strip_suffix(":00"), micros) {
        (Some(short), 0) => format!("{day}{short}"),
        (_, 0) => format!("{day}{clock}"),
        _ => format!("{day}{clock}.{micros:06}"),
    }
}

/// The run of the pipeline at an instant.
pub fn run_of(pipeline: &Pipeline, instant: Timestamp) -> Run {
    Run { pipeline: pipeline.id.clone(), scheduled_for: instant }
}
