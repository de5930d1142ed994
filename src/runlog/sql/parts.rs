//! How much of a batch goes into one transaction.

use super::super::contract::Batch;

/// So much of a batch goes into one transaction, in bytes of what bodies have printed and of what each change takes.
const WEIGHT: usize = 4 << 20;

/// What a change takes without its texts.
const CHANGE: usize = 2 << 10;

/// Cuts a batch into parts that each are one transaction; ends come first.
pub fn of(batch: Batch) -> Vec<Batch> {
    let mut parts = vec![Batch::default()];
    let mut weight = 0;
    let mut part = |takes: usize, parts: &mut Vec<Batch>| {
        weight += takes;
        if weight > WEIGHT {
            weight = takes;
            parts.push(Batch::default());
        }
    };
    for end in batch.ends {
        part(CHANGE + end.completion.tail.len(), &mut parts);
        parts.last_mut().into_iter().for_each(|part| part.ends.push(end.clone()));
    }
    for transition in batch.transitions {
        part(CHANGE * (1 + transition.not_run.len() / 8), &mut parts);
        parts.last_mut().into_iter().for_each(|part| part.transitions.push(transition.clone()));
    }
    parts
}
