//! A tick as the model has it: its loop between two requests to the run-log (`tick::work`); taking over is in `gather.rs`.
//!
//! What is decided, taken over and folded is the real thing (`plan`); what is not here has no bearing on claims: output,
//! reports, waits between requests. One request is under way at a time, and the commit that carries ends carries claims.

use jiff::Timestamp;
use tickward::lease::Lease;
use tickward::occurrence::Token;
use tickward::owner::Owner;
use tickward::pipeline::Pipeline;
use tickward::plan::{self, Decision, Situation};
use tickward::run::{Attempt, Completion, Outcome, Policy, Row};
use tickward::runlog::contract::{Batch, Condition, End, Ended, Scope, Transition, Verdict, View};

use super::Model;
use super::bounds::{STEP, boot};
use super::laws::Law;
use super::rules::Rule;
use super::world::{Asked, Body, BodyState, Doing, Flight, Process, Tick, Work, World};

impl Model {
    pub fn now(&self, world: &World) -> Timestamp {
        self.first + STEP * u32::from(world.clock)
    }

    /// A process as the store knows it.
    pub fn owner(&self, process: Process) -> Owner {
        let host = if self.bounds.one_host { "host".to_owned() } else { format!("host{}", process.host) };
        Owner {
            id: format!("{}.{}", process.host, process.number),
            boot: host.clone(),
            host,
            pid: process.number * 2 + process.host as u32,
            started: 1,
            pid_namespace: 1,
        }
    }

    /// A new tick of a host: it has loaded.
    pub fn begin(&self, world: &mut World, host: usize) {
        let process = Process { host, number: world.next_process(host) };
        let view = Box::new(world.tables.view(&Scope::All, self.now(world)));
        world.ticks[host] = Some(Tick { process, doing: Doing::Looked { view, again: false } });
    }

    /// Whether a tick of this host, begun now, would do more than look.
    pub fn has_work(&self, world: &World, host: usize) -> bool {
        let me = Process { host, number: world.next_process(host) };
        let view = world.tables.view(&Scope::All, self.now(world));
        !self.take_overs(world, &mut world.marks.clone(), me, &view).is_empty()
            || self.pipelines.iter().any(|pipeline| self.decide(pipeline, &view).changed)
    }

    /// What was loaded is decided: take-overs first, in a commit of their own.
    pub fn decide_on_view(&self, world: &mut World, host: usize) {
        let Some(Tick { process, doing: Doing::Looked { view, again } }) = world.ticks[host].take() else { return };
        let mut marks = std::mem::take(&mut world.marks);
        let ends = if again { Vec::new() } else { self.take_overs(world, &mut marks, process, &view) };
        world.marks = marks;
        if !ends.is_empty() && self.dropped != Some(Rule::LossBeforeSuccessor) {
            world.ticks[host] = Some(Tick { process, doing: Doing::TakingOver });
            let batch = Batch { ends, transitions: Vec::new() };
            world.wire.push(Flight { from: Some(host), batch, answer: None });
            return;
        }
        let view = if ends.is_empty() { *view } else { self.as_if_taken_over(*view, &ends) };
        world.ticks[host] =
            Some(Tick { process, doing: Doing::Working(Box::new(Work { ended: ends, ..Work::default() })) });
        let decided: Vec<_> = self.pipelines.iter().map(|pipeline| self.decide(pipeline, &view)).collect();
        let (unsure, sure): (Vec<_>, Vec<_>) = decided.into_iter().partition(|decision| !decision.not_run.is_empty());
        let Some(work) = world.work(process) else { return };
        work.look_again.extend(unsure.into_iter().map(|decision| decision.row.pipeline));
        take(work, sure);
        self.go_on(world, process);
    }

    pub fn decide(&self, pipeline: &Pipeline, view: &View) -> Decision {
        let absent = Row::absent(pipeline.id.clone());
        let row = view.rows.get(&pipeline.id).unwrap_or(&absent);
        let open: Vec<&Attempt> = view.open.get(&pipeline.id).into_iter().flatten().collect();
        let decided = view.decided.get(&pipeline.id).map_or(&[][..], Vec::as_slice);
        let interval = STEP * 60;
        plan::decide(&Situation { pipeline, row, open: &open, decided, upstreams: &[], now: view.now, interval })
    }

    /// Asks for the next thing, or ends the tick when there is none.
    pub fn go_on(&self, world: &mut World, me: Process) {
        let jobs = self.bounds.jobs;
        let Some(work) = world.work(me) else { return };
        if work.asked != Asked::Nothing {
            return;
        }
        if !work.look_again.is_empty() {
            work.asked = Asked::Read(std::mem::take(&mut work.look_again));
            return;
        }
        let places = if work.stopping { 0 } else { jobs.saturating_sub(work.held.len()) };
        let claims = places.min(work.to_claim.len());
        if claims > 0 || !work.ended.is_empty() || !work.to_note.is_empty() {
            let ends = std::mem::take(&mut work.ended);
            let notes = std::mem::take(&mut work.to_note);
            let decisions: Vec<_> = notes.into_iter().chain(work.to_claim.drain(..claims)).collect();
            work.asked = Asked::Commit;
            let first = world.next_token(me.host).0;
            let numbered = decisions.iter().zip(first..);
            let transitions = numbered.map(|(decision, token)| self.transition(world, me, decision, token)).collect();
            let batch = Batch { ends, transitions };
            if self.dropped == Some(Rule::StartAfterWon) {
                batch.transitions.iter().for_each(|transition| self.won(world, me, transition.clone()));
            }
            world.wire.push(Flight { from: Some(me.host), batch, answer: None });
            return;
        }
        if work.held.is_empty() && work.to_claim.is_empty() {
            let left = Law::at_the_end_of(world, me, &self.owner(me));
            world.broken.extend(left);
            world.ticks[me.host] = None;
        }
    }

    fn transition(&self, world: &World, me: Process, decision: &Decision, token: u128) -> Transition {
        let claim = decision.claim.as_ref().map(|draft| {
            let pipeline = self.pipelines.iter().find(|pipeline| pipeline.id == draft.run.pipeline).unwrap();
            let now = self.now(world);
            Attempt {
                run: draft.run.clone(),
                number: draft.number,
                tries: draft.tries,
                earlier_starts: draft.earlier_starts,
                interruptions: draft.interruptions,
                trigger: draft.trigger,
                by_hand: draft.by_hand,
                token: Token(token),
                fence: decision.row.fence + 1,
                owner: self.owner(me),
                policy: Policy::of(pipeline),
                claimed_at: now,
                lease: Lease::from(now, boot(world.clock), STEP),
                end: None,
                retry_at: None,
                gave_up: false,
                late_outcome: None,
                stop: None,
                degraded: false,
            }
        });
        let follows = decision.claim.as_ref().and_then(|draft| draft.follows);
        Transition {
            row: decision.row.clone(),
            claim,
            closed: decision.closed.iter().copied().chain(follows).collect(),
            not_run: decision.not_run.clone(),
            stops: decision.stops.clone(),
            alerts: decision.alerts.clone(),
        }
    }

    /// The store's answer has come.
    pub fn answered(&self, world: &mut World, host: usize) {
        let Some(at) = world.wire.iter().position(|flight| flight.from == Some(host)) else { return };
        let Flight { batch, answer: Some(committed), .. } = world.wire.remove(at) else { return };
        let Some(me) = world.ticks[host].as_ref().map(|tick| tick.process) else { return };
        let Some(work) = world.work(me) else { return self.taken_over(world, me, committed) };
        work.asked = Asked::Nothing;
        for ended in committed.ends {
            if let Ended::Folded(_, attempt) = ended {
                self.recorded(world, me, &attempt);
            }
        }
        for (transition, verdict) in batch.transitions.into_iter().zip(committed.verdicts) {
            match verdict {
                Verdict::Won => self.won(world, me, transition),
                Verdict::Lost => lost(world, me, transition),
            }
        }
        self.go_on(world, me);
    }

    fn recorded(&self, world: &mut World, me: Process, attempt: &Attempt) {
        if attempt.outcome() != Some(Outcome::Released) {
            world.marks.remove(&attempt.token);
        }
        let now = self.now(world);
        let Some(work) = world.work(me) else { return };
        let is_soon = attempt.retry_at.is_some_and(|at| at <= now) && attempt.outcome() != Some(Outcome::Released);
        let id = &attempt.run.pipeline;
        if !work.stopping && (work.more_is_due.remove(id) || is_soon) {
            work.look_again.push(id.clone());
        }
    }

    fn won(&self, world: &mut World, me: Process, transition: Transition) {
        let Some(attempt) = transition.claim else { return };
        let now = self.now(world);
        let Some(work) = world.work(me) else { return };
        let state = if work.stopping { BodyState::Ended(Outcome::Released) } else { BodyState::Sent };
        if work.stopping {
            work.ended.push(reported(attempt.token, Outcome::Released, now));
        } else if work.held.iter().all(|held| held.token != attempt.token) {
            work.held.push(attempt.clone());
        }
        world.bodies.entry(attempt.token).or_insert(Body { of: me, starts: 0, state });
    }

    /// No answer in time: what the commit has come to is looked up.
    pub fn timed_out(&self, world: &mut World, host: usize) {
        let Some(me) = world.ticks[host].as_ref().map(|tick| tick.process) else { return };
        let Some(batch) = world.hang_up(host) else { return self.not_resolved(world, me) };
        let Some(work) = world.work(me) else {
            // While it takes over it gives up: nothing was claimed.
            world.ticks[host] = None;
            return;
        };
        match self.dropped {
            Some(Rule::UnknownIsNotWon) => {
                work.asked = Asked::Nothing;
                batch.transitions.into_iter().for_each(|transition| self.won(world, me, transition));
                self.go_on(world, me);
            }
            Some(Rule::UnknownIsReadAgain) => {
                let mut again = batch;
                let first = world.next_token(host).0;
                let claims = again.transitions.iter_mut().filter_map(|transition| transition.claim.as_mut());
                claims.zip(first..).for_each(|(claim, token)| claim.token = Token(token));
                world.wire.push(Flight { from: Some(host), batch: again, answer: None });
            }
            _ => work.asked = Asked::Resolve(Box::new(batch)),
        }
    }

    /// What became of a commit could not be looked up either: its claims are not run, its ends are sent again.
    fn not_resolved(&self, world: &mut World, me: Process) {
        let Some(work) = world.work(me) else { return };
        let Asked::Resolve(batch) = std::mem::take(&mut work.asked) else { return };
        work.ended.extend(batch.ends);
        world.given_up.extend(batch.transitions.into_iter().filter_map(|transition| transition.claim).map(|c| c.token));
        self.go_on(world, me);
    }

    /// A read of some pipelines: after an answer that did not come, or because something may have changed.
    pub fn read(&self, world: &mut World, host: usize) {
        let now = self.now(world);
        let Some(me) = world.ticks[host].as_ref().map(|tick| tick.process) else { return };
        let Some(work) = world.work(me) else { return };
        match std::mem::take(&mut work.asked) {
            Asked::Read(ids) => {
                let view = world.tables.view(&Scope::Only(ids.clone()), now);
                let asked = self.pipelines.iter().filter(|pipeline| ids.contains(&pipeline.id));
                let decided = asked.map(|pipeline| self.decide(pipeline, &view)).collect();
                let Some(work) = world.work(me) else { return };
                if !work.stopping {
                    take(work, decided);
                }
            }
            Asked::Resolve(batch) => {
                let ids = batch.transitions.iter().map(|transition| transition.row.pipeline.clone()).collect();
                let view = world.tables.view(&Scope::Only(ids), now);
                self.resolved(world, me, *batch, &view);
            }
            other => work.asked = other,
        }
        self.go_on(world, me);
    }

    fn resolved(&self, world: &mut World, me: Process, batch: Batch, view: &View) {
        let there = |token| view.open.values().flatten().any(|attempt| attempt.token == token);
        let Some(work) = world.work(me) else { return };
        work.ended.extend(batch.ends);
        for transition in batch.transitions {
            let row = view.rows.get(&transition.row.pipeline);
            let is_there = match &transition.claim {
                Some(claim) => there(claim.token),
                None => row.is_some_and(|row| {
                    row.version == transition.row.version + 1 && row.cursor == transition.row.cursor
                }),
            };
            let is_untouched = row.map_or(0, |row| row.version) == transition.row.version;
            let Some(work) = world.work(me) else { return };
            match (is_there, is_untouched) {
                (true, _) => self.won(world, me, transition),
                (false, true) if work.stopping => {}
                (false, true) => work.look_again.push(transition.row.pipeline),
                (false, false) => lost(world, me, transition),
            }
        }
    }

    /// A body has ended, or never was: its tick, if it still lives, reports it.
    pub fn ended(&self, world: &mut World, token: Token, outcome: Outcome) {
        let now = self.now(world);
        let Some(body) = world.bodies.get_mut(&token) else { return };
        body.state = BodyState::Ended(outcome);
        let me = body.of;
        let Some(work) = world.work(me) else { return };
        work.held.retain(|attempt| attempt.token != token);
        work.ended.push(reported(token, outcome, now));
        self.go_on(world, me);
    }

    /// Claims nothing more and stops what runs: the bodies then end as interrupted.
    pub fn wind_up(&self, world: &mut World, host: usize) {
        let Some(me) = world.ticks[host].as_ref().map(|tick| tick.process) else { return };
        let Some(work) = world.work(me) else { return };
        work.stopping = true;
        work.to_claim.clear();
        work.look_again.clear();
        self.go_on(world, me);
    }
}

fn take(work: &mut Work, decided: Vec<Decision>) {
    for decision in decided {
        if decision.more_is_due {
            work.more_is_due.insert(decision.row.pipeline.clone());
        }
        match (decision.changed, decision.claim.is_some()) {
            (false, _) => {}
            (true, false) => work.to_note.push(decision),
            (true, true) => work.to_claim.push(decision),
        }
    }
}

fn lost(world: &mut World, me: Process, transition: Transition) {
    let Some(work) = world.work(me) else { return };
    let id = transition.row.pipeline;
    if !work.stopping && work.lost_once.insert(id.clone()) {
        work.look_again.push(id);
    }
}

/// What the worker itself says; `tail` keeps whose word it is, wherever it is folded.
fn reported(token: Token, outcome: Outcome, now: Timestamp) -> End {
    let completion = Completion {
        started_at: (outcome != Outcome::Released).then_some(now),
        tail: token.to_string(),
        ..Completion::bare(token, outcome, now)
    };
    End { completion, condition: Condition::Always }
}
