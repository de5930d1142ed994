//! The first part of a tick: what dead or silent workers have left is taken over, in a commit of its own (`tick::gather`).

use std::collections::BTreeSet;

use tickward::occurrence::Token;
use tickward::owner::Owner;
use tickward::plan::{self, Evidence, Folded, take_over};
use tickward::run::Attempt;
use tickward::runlog::contract::{Committed, Condition, End, Ended, Scope, View};

use super::Model;
use super::bounds::boot;
use super::rules::Rule;
use super::world::{Doing, Process, Tick, World, process_of};

impl Model {
    fn is_gone(&self, world: &World, me: Process, owner: &Owner) -> bool {
        owner.shares_boot_with(&self.owner(me)) && world.tick(process_of(owner)).is_none()
    }

    pub fn take_overs(&self, world: &World, marks: &mut BTreeSet<Token>, me: Process, view: &View) -> Vec<End> {
        let mut ends = Vec::new();
        let now = boot(world.clock);
        let mine = self.owner(me);
        let active = view.open.values().flatten().filter(|attempt| attempt.is_active());
        for attempt in active.filter(|attempt| attempt.owner.id != mine.id) {
            let boot = attempt.owner.shares_boot_with(&mine).then_some(now);
            let evidence = if self.is_gone(world, me, &attempt.owner) {
                Evidence::OwnerGone
            } else if attempt.lease.is_over(view.now, boot) {
                Evidence::LeaseOver
            } else {
                continue;
            };
            let Some(never_starts) = self.start_state(world, marks, attempt, evidence) else { continue };
            ends.push(End {
                completion: take_over(attempt, evidence, never_starts, view.now),
                condition: match evidence {
                    Evidence::OwnerGone => Condition::Always,
                    Evidence::LeaseOver => Condition::LeaseOver { boot },
                },
            });
        }
        ends
    }

    /// Whether the attempt can never start any more; none while a body of a dead worker is still there.
    fn start_state(
        &self,
        world: &World,
        marks: &mut BTreeSet<Token>,
        attempt: &Attempt,
        evidence: Evidence,
    ) -> Option<bool> {
        if !self.bounds.one_host {
            return Some(false);
        }
        if marks.insert(attempt.token) || self.dropped == Some(Rule::MarkBeforeReleased) {
            return Some(true);
        }
        let held = evidence == Evidence::OwnerGone && world.is_held(process_of(&attempt.owner));
        (!held).then_some(false)
    }

    /// For a rule that is dropped: decides as if its take-overs were in the store already.
    pub fn as_if_taken_over(&self, mut view: View, ends: &[End]) -> View {
        for end in ends {
            let mut open = view.open.values_mut().flatten();
            if let Some(attempt) = open.find(|attempt| attempt.token == end.completion.token) {
                let row = view.rows.get_mut(&attempt.run.pipeline).unwrap();
                plan::fold(row, attempt, &end.completion);
            }
        }
        view
    }

    /// The take-overs have been answered: their marks are cleared, and the tick looks again.
    pub fn taken_over(&self, world: &mut World, me: Process, committed: Committed) {
        for ended in committed.ends {
            if let Ended::Folded(Folded::Ended, attempt) = ended
                && self.is_gone(world, me, &attempt.owner)
                && !world.is_held(process_of(&attempt.owner))
            {
                world.marks.remove(&attempt.token);
            }
        }
        let view = Box::new(world.tables.view(&Scope::All, self.now(world)));
        world.ticks[me.host] = Some(Tick { process: me, doing: Doing::Looked { view, again: true } });
    }
}
