//! The outbox in memory: what the contract says of alerts, as a value.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::super::contract::Item;
use super::super::outbox::{DIGEST, MOST, Outbox, Settled, Verdict, Waiting, about, dead_before, digest};
use crate::alert::Alert;

/// What waits by whom it is about, each in its order, and what is dead.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Post {
    waiting: BTreeMap<String, VecDeque<Kept>>,
    dead: VecDeque<Waiting>,
    dead_ever: u64,
}

/// What waits, and since when. No later one of its pipeline has waited for longer, whatever the clock says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Kept {
    since: Timestamp,
    entry: Waiting,
}

impl Post {
    /// Whether something waits.
    pub fn is_pending(&self) -> bool {
        self.waiting.values().any(|queue| !queue.is_empty())
    }

    /// Takes in one that has waited since an instant, behind those that came before; or one that is dead.
    pub fn load(&mut self, entry: Waiting, since: Timestamp, is_dead: bool) {
        match is_dead {
            true => self.dead.push_back(entry),
            false => self.waiting.entry(about(&entry.alert)).or_default().push_back(Kept { since, entry }),
        }
    }

    /// Puts alerts in, at `now`.
    pub fn put(&mut self, alerts: Vec<Alert>, now: Timestamp) {
        if !alerts.is_empty() {
            self.bury(now);
        }
        for alert in alerts {
            let count: usize = self.waiting.values().map(VecDeque::len).sum();
            let queue = self.waiting.entry(about(&alert)).or_default();
            let is_there =
                queue.iter().map(|kept| &kept.entry).chain(&self.dead).any(|entry| entry.alert.id == alert.id);
            match (is_there, count < MOST) {
                (true, _) => {}
                (false, true) => keep(queue, alert, now),
                (false, false) => self.count_one_more(now),
            }
        }
        self.waiting.retain(|_, queue| !queue.is_empty());
    }

    fn count_one_more(&mut self, now: Timestamp) {
        let queue = self.waiting.entry(String::new()).or_default();
        match queue.iter_mut().map(|kept| &mut kept.entry).find(|entry| entry.alert.kind.word() == DIGEST) {
            Some(entry) => entry.alert = digest(Some(entry.alert.clone()), now),
            None => keep(queue, digest(None, now), now),
        }
    }

    /// As the contract says.
    pub fn take(&mut self, limit: usize, lease: Duration, now: Timestamp) -> Vec<Waiting> {
        self.bury(now);
        let until = SignedDuration::try_from(lease).ok().and_then(|lease| now.checked_add(lease).ok());
        let mut free: Vec<&mut Kept> = Vec::new();
        for queue in self.waiting.values_mut() {
            free.extend(queue.iter_mut().take_while(|kept| !kept.entry.is_taken(now, lease)));
        }
        free.sort_by_key(|kept| kept.since);
        let taken = free.into_iter().take(limit).map(|Kept { entry, .. }| {
            entry.not_before = until;
            entry.clone()
        });
        taken.collect()
    }

    /// As the contract says.
    pub fn settle(&mut self, settled: Vec<Settled>) {
        for Settled { id, done, verdict, error } in settled {
            let mut queues = self.waiting.values_mut();
            let found =
                queues.find_map(|queue| queue.iter().position(|kept| kept.entry.alert.id == id).map(|at| (queue, at)));
            let Some((queue, at)) = found else { continue };
            let entry = &mut queue[at].entry;
            entry.done.add(&done);
            (entry.not_before, entry.error) = (None, error);
            if verdict == Verdict::Delivered {
                queue.remove(at);
            }
        }
        self.waiting.retain(|_, queue| !queue.is_empty());
    }

    /// As the contract says.
    pub fn look(&self) -> Outbox {
        let mut waiting: Vec<&Kept> = self.waiting.values().flatten().collect();
        waiting.sort_by_key(|kept| kept.since);
        let waiting = waiting.into_iter().map(|kept| kept.entry.clone()).collect();
        Outbox { waiting, dead: self.dead.iter().cloned().collect(), dead_ever: self.dead_ever }
    }

    /// All that waits, then all that is dead, for another run-log.
    pub fn export(&self) -> Vec<Item> {
        let Outbox { waiting, dead, .. } = self.look();
        waiting.into_iter().map(Item::Waiting).chain(dead.into_iter().map(Item::Dead)).collect()
    }

    /// Takes in an alert of another run-log; whether it was there already.
    pub fn adopt(&mut self, entry: Waiting, is_dead: bool) -> bool {
        let mut all = self.waiting.values().flatten().map(|kept| &kept.entry).chain(&self.dead);
        if all.any(|there| there.alert.id == entry.alert.id) {
            return true;
        }
        let since = entry.alert.at;
        match is_dead {
            true => self.keep_dead(entry),
            false => self.load(entry, since, false),
        }
        false
    }

    fn bury(&mut self, now: Timestamp) {
        let limit = dead_before(now);
        let mut over = Vec::new();
        for queue in self.waiting.values_mut() {
            let (dead, alive): (Vec<_>, Vec<_>) = queue.drain(..).partition(|kept| kept.since < limit);
            (*queue, over) = (alive.into(), [over, dead].concat());
        }
        over.into_iter().for_each(|kept| self.keep_dead(kept.entry));
        self.waiting.retain(|_, queue| !queue.is_empty());
    }

    fn keep_dead(&mut self, entry: Waiting) {
        self.dead_ever = self.dead_ever.saturating_add(1);
        self.dead.push_back(entry);
        while self.dead.len() > MOST {
            self.dead.pop_front();
        }
    }
}

fn keep(queue: &mut VecDeque<Kept>, alert: Alert, now: Timestamp) {
    let since = queue.back().map_or(now, |last| last.since.max(now));
    queue.push_back(Kept { since, entry: Waiting::new(alert) });
}
