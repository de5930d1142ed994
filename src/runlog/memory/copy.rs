//! Hands over what is known, and takes in what another run-log knew, in the reference of all run-logs.

use std::ops::Bound;

use super::super::contract::{Adopted, Item, Mark};
use super::super::copy::{RowAdopted, adopted, untaken};
use super::tables::Tables;
use crate::run::NotRun;

impl Tables {
    /// At most `limit` items after `after`; the outbox whole.
    pub fn export(&self, after: Option<&Mark>, limit: usize) -> Vec<Item> {
        let rows = self.rows.values().filter(|row| match after {
            None => true,
            Some(Mark::Row(id)) => row.pipeline > *id,
            Some(_) => false,
        });
        let first = match after {
            None | Some(Mark::Row(_)) => Some(Bound::Unbounded),
            Some(Mark::Attempt(id, at, number)) => Some(Bound::Excluded((id.clone(), *at, *number))),
            Some(_) => None,
        };
        let attempts = first.into_iter().flat_map(|first| self.attempts.range((first, Bound::Unbounded)));
        let key = |entry: &NotRun| (entry.pipeline.clone(), entry.first, entry.reason.word());
        let mut not_run: Vec<&NotRun> = match after {
            Some(Mark::NotRun(id, at, reason)) => {
                let after = (id.clone(), *at, reason.word());
                self.not_run.iter().filter(|entry| key(entry) > after).collect()
            }
            Some(Mark::Outbox) => Vec::new(),
            _ => self.not_run.iter().collect(),
        };
        not_run.sort_by_key(|entry| key(entry));
        let items: Vec<Item> = rows
            .map(|row| Item::Row(Box::new(row.clone())))
            .chain(attempts.map(|(_, attempt)| Item::Attempt(Box::new(attempt.clone()))))
            .chain(not_run.into_iter().map(|entry| Item::NotRun(entry.clone())))
            .take(limit)
            .collect();
        match items.is_empty() && after != Some(&Mark::Outbox) {
            true => self.post.export(),
            false => items,
        }
    }

    /// Takes in what is not there yet.
    pub fn adopt(&mut self, items: Vec<Item>) -> Adopted {
        let mut count = Adopted::default();
        for item in items {
            let is_same = self.adopt_one(item);
            count.count(is_same);
        }
        count
    }

    /// Whether what is there is the same; none where nothing was.
    fn adopt_one(&mut self, item: Item) -> Option<bool> {
        match item {
            Item::Row(row) => match adopted(&row, self.rows.get(&row.pipeline)) {
                RowAdopted::Known => Some(true),
                RowAdopted::Differs => Some(false),
                RowAdopted::Stored(row) => {
                    self.rows.insert(row.pipeline.clone(), *row);
                    None
                }
            },
            Item::Attempt(attempt) => {
                let key = (attempt.run.pipeline.clone(), attempt.run.scheduled_for, attempt.number);
                match self.attempts.get(&key).or_else(|| self.with_token(attempt.token)) {
                    Some(there) => Some(*there == *attempt),
                    None => {
                        self.put(*attempt);
                        None
                    }
                }
            }
            Item::NotRun(entry) => {
                let entry = NotRun { after: None, ..entry };
                let key = |entry: &NotRun| (entry.pipeline.clone(), entry.first, entry.reason);
                match self.not_run.iter().find(|there| key(there) == key(&entry)) {
                    Some(there) => Some(*there == entry),
                    None => {
                        self.not_run.push(entry);
                        None
                    }
                }
            }
            Item::Waiting(waiting) => self.post.adopt(untaken(&waiting), false).then_some(true),
            Item::Dead(dead) => self.post.adopt(untaken(&dead), true).then_some(true),
        }
    }
}
