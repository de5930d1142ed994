//! The steps that may come next, of whoever can take one; and what each does.

use stateright::{Model as StepModel, Property};
use tickward::lease::Lease;
use tickward::occurrence::Token;
use tickward::run::Outcome;

use super::bounds::{STEP, boot};
use super::laws::Law;
use super::rules;
use super::world::{Asked, BodyState, Doing, Work, World, process_of};
use super::{Model, SETTLED, property};

/// One step of somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A host's tick begins and loads.
    Begin(usize),
    /// It takes over what was left behind, or decides, and sends a commit.
    Decide(usize),
    /// The store takes a commit in.
    Apply(usize),
    /// A commit that nobody waits for is lost.
    Drop(usize),
    /// The answer reaches the tick.
    Answer(usize),
    /// The tick waits no longer: the commit is lost, its answer is, or it is late.
    TimeOut(usize),
    /// The tick reads what the store has.
    Read(usize),
    /// A supervisor starts a body.
    Start(Token),
    /// A body ends.
    End(Token, Outcome),
    /// A supervisor whose tick is gone ends a body, started or not.
    Kill(Token),
    /// A tick is killed.
    Crash(usize),
    /// A tick is told to stop.
    Stop(usize),
    /// A tick renews its leases.
    Renew(usize),
    /// Time goes on, past the end of every lease.
    Wait,
}

impl StepModel for Model {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![World::default()]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        if !world.broken.is_empty() {
            return;
        }
        for host in 0..2 {
            self.steps_of(world, host, steps);
        }
        for (number, flight) in world.wire.iter().enumerate().filter(|(_, flight)| flight.answer.is_none()) {
            steps.push(Step::Apply(number));
            if flight.from.is_none() {
                steps.push(Step::Drop(number));
            }
        }
        for (token, body) in &world.bodies {
            let tick = world.tick(body.of);
            let stopping = tick.is_some_and(|tick| matches!(&tick.doing, Doing::Working(work) if work.stopping));
            match (body.state, tick.is_some()) {
                (BodyState::Sent, true) => {
                    steps.push(Step::Start(*token));
                    steps.extend(stopping.then_some(Step::End(*token, Outcome::Released)));
                }
                (BodyState::Running, true) if stopping => steps.push(Step::End(*token, Outcome::Interrupted)),
                (BodyState::Running, true) => {
                    let may_fail = world.spent.failures < self.bounds.failures;
                    steps.push(Step::End(*token, Outcome::Succeeded));
                    steps.extend(may_fail.then_some(Step::End(*token, Outcome::Failed)));
                }
                (BodyState::Sent, false) => steps.extend([Step::Start(*token), Step::Kill(*token)]),
                (BodyState::Running, false) => steps.push(Step::Kill(*token)),
                (BodyState::Ended(_) | BodyState::Gone, _) => {}
            }
        }
        if self.time_matters(world) && (world.spent.zombies < self.bounds.zombies || !self.makes_zombies(world)) {
            steps.push(Step::Wait);
        }
    }

    fn next_state(&self, last: &World, step: Step) -> Option<World> {
        let mut world = last.clone();
        match step {
            Step::Begin(host) => self.begin(&mut world, host),
            Step::Decide(host) => self.decide_on_view(&mut world, host),
            Step::Apply(number) => self.apply(&mut world, number),
            Step::Drop(number) => drop(world.wire.remove(number)),
            Step::Answer(host) => self.answered(&mut world, host),
            Step::TimeOut(host) => {
                world.spent.losses += 1;
                self.timed_out(&mut world, host);
            }
            Step::Read(host) => self.read(&mut world, host),
            Step::Start(token) => self.start(&mut world, token),
            Step::End(token, outcome) => {
                world.spent.failures += u8::from(outcome == Outcome::Failed);
                self.ended(&mut world, token, outcome);
            }
            Step::Kill(token) => world.bodies.get_mut(&token)?.state = BodyState::Gone,
            Step::Crash(host) => {
                world.spent.crashes += 1;
                world.hang_up(host);
                world.ticks[host] = None;
            }
            Step::Stop(host) => {
                world.spent.stops += 1;
                self.wind_up(&mut world, host);
            }
            Step::Renew(host) => {
                world.spent.renewals += 1;
                self.renew(&mut world, host);
            }
            Step::Wait => {
                world.spent.zombies += u8::from(self.makes_zombies(&world));
                world.clock += 1;
            }
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let settled = Property::eventually(SETTLED, |model: &Model, world: &World| model.is_settled(world));
        Law::ALL.into_iter().map(property).chain([settled]).collect()
    }
}

impl Model {
    fn steps_of(&self, world: &World, host: usize, steps: &mut Vec<Step>) {
        let (bounds, spent) = (&self.bounds, &world.spent);
        let Some(tick) = &world.ticks[host] else {
            steps.extend(self.has_work(world, host).then_some(Step::Begin(host)));
            return;
        };
        let flight = world.wire.iter().find(|flight| flight.from == Some(host));
        let may_lose = spent.losses < bounds.losses;
        if let Some(flight) = flight {
            steps.extend(flight.answer.is_some().then_some(Step::Answer(host)));
            steps.extend(may_lose.then_some(Step::TimeOut(host)));
        }
        match &tick.doing {
            Doing::Looked { .. } => steps.push(Step::Decide(host)),
            Doing::TakingOver => {}
            Doing::Working(work) => {
                match &work.asked {
                    Asked::Read(_) => steps.push(Step::Read(host)),
                    Asked::Resolve(_) => {
                        steps.push(Step::Read(host));
                        steps.extend(may_lose.then_some(Step::TimeOut(host)));
                    }
                    Asked::Nothing if spent.renewals < bounds.renewals && self.renewal_matters(world, work) => {
                        steps.push(Step::Renew(host));
                    }
                    _ => {}
                }
                if spent.stops < bounds.stops && !work.stopping {
                    steps.push(Step::Stop(host));
                }
            }
        }
        if spent.crashes < bounds.crashes {
            steps.push(Step::Crash(host));
        }
    }

    /// Time that goes on where nothing waits for it changes nothing.
    fn time_matters(&self, world: &World) -> bool {
        let now = self.now(world);
        let holds = |until| until > boot(world.clock);
        self.occurrences.iter().any(|run| run.scheduled_for > now)
            || world.tables.attempts.values().any(|attempt| {
                attempt.retry_at.is_some_and(|at| at > now) || (attempt.is_active() && holds(attempt.lease.until_boot))
            })
    }

    /// A lease of a worker that lives is over when time goes on.
    fn makes_zombies(&self, world: &World) -> bool {
        let claims = world.tables.attempts.values().filter(|attempt| attempt.is_active());
        let mut alive = claims.filter(|attempt| world.tick(process_of(&attempt.owner)).is_some());
        alive.any(|attempt| attempt.lease.until_boot > boot(world.clock))
    }

    fn apply(&self, world: &mut World, number: usize) {
        let before = world.tables.clone();
        let now = self.now(world);
        let flight = &mut world.wire[number];
        let committed = rules::commit(&mut world.tables, flight.batch.clone(), now, self.dropped);
        if flight.from.is_some() {
            flight.answer = Some(committed);
        } else {
            let batch = world.wire.remove(number).batch;
            let claims = batch.transitions.into_iter().filter_map(|transition| transition.claim);
            world.given_up.extend(claims.map(|claim| claim.token));
        }
        world.broken = Law::at_a_commit(self, &before, world);
    }

    fn start(&self, world: &mut World, token: Token) {
        if self.bounds.one_host && !world.marks.insert(token) {
            let of = world.bodies[&token].of;
            match world.tick(of) {
                Some(_) => self.ended(world, token, Outcome::Released),
                None => world.bodies.get_mut(&token).unwrap().state = BodyState::Gone,
            }
            return;
        }
        let body = world.bodies.get_mut(&token).unwrap();
        (body.state, body.starts) = (BodyState::Running, body.starts + 1);
        world.broken = Law::at_the_start_of(world, token);
    }

    /// A renewal that makes no lease longer, and finds all of them held, changes nothing.
    fn renewal_matters(&self, world: &World, work: &Work) -> bool {
        let until = boot(world.clock + 1);
        work.held.iter().any(|held| match world.attempt(held.token) {
            Some(attempt) => !attempt.is_active() || attempt.lease.until_boot < until,
            None => true,
        })
    }

    fn renew(&self, world: &mut World, host: usize) {
        let lease = Lease::from(self.now(world), boot(world.clock), STEP);
        let Some(me) = world.ticks[host].as_ref().map(|tick| tick.process) else { return };
        let Some(work) = world.work(me) else { return };
        let tokens: Vec<Token> = work.held.iter().map(|held| held.token).collect();
        let held = world.tables.renew(&tokens, lease);
        for token in tokens.into_iter().filter(|token| !held.iter().any(|renewed| renewed.token == *token)) {
            let never_started = world.bodies.get(&token).is_some_and(|body| body.starts == 0);
            self.ended(world, token, if never_started { Outcome::Released } else { Outcome::Interrupted });
        }
    }
}
