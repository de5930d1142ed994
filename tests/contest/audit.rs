//! The audit: what the claimers wrote down, against one another and against the store.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use tickward::occurrence::Token;
use tickward::run::Outcome;
use tickward::runlog::contract::{Query, Record, Scope};

use crate::claimer::{self, ids, instant};
use crate::log::{self, Request};
use crate::race::PIPELINES;

/// What the logs say.
#[derive(Debug, Default)]
pub struct Found {
    pub attempts: usize,
    /// Attempts for which the requests of two processes overlapped in time.
    pub contested: usize,
    pub sent: usize,
    pub won: usize,
    /// Attempts that two were told they had won.
    pub doubled: usize,
    /// Requests without an answer whose end was looked up.
    pub resolved: usize,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Found { attempts, contested, sent, won, doubled, resolved } = self;
        write!(
            f,
            "{attempts} attempts, {contested} contested, {sent} claims sent, {won} won, {doubled} doubled, \
             {resolved} requests looked up"
        )
    }
}

/// The requests of all claimers by round.
fn by_round(folder: &Path) -> BTreeMap<usize, Vec<Request>> {
    let mut rounds: BTreeMap<usize, Vec<Request>> = BTreeMap::new();
    let each = (0..).map(|number| log::read(folder, number)).take_while(|requests| !requests.is_empty());
    for (round, request) in each.flatten() {
        rounds.entry(round).or_default().push(request);
    }
    rounds
}

pub fn read(folder: &Path) -> Found {
    let mut found = Found::default();
    for requests in by_round(folder).into_values() {
        found.attempts += PIPELINES;
        found.sent += requests.iter().map(|request| request.tokens.len()).sum::<usize>();
        found.resolved += requests.iter().filter(|request| request.resolved).count();
        if overlap(&requests) {
            found.contested += PIPELINES;
        }
        for pipeline in 0..PIPELINES {
            let won = requests.iter().filter(|request| has_won(request, pipeline)).count();
            found.won += won;
            found.doubled += usize::from(won > 1);
        }
    }
    found
}

fn has_won(request: &Request, pipeline: usize) -> bool {
    request.won.as_ref().is_some_and(|won| won[pipeline])
}

/// Whether any two were under way at once; one that was never answered is not counted.
fn overlap(requests: &[Request]) -> bool {
    let mut spans: Vec<(u64, u64)> = requests.iter().filter_map(|r| Some((r.sent, r.answered?))).collect();
    spans.sort_unstable();
    spans.windows(2).any(|pair| pair[1].0 < pair[0].1)
}

/// Each attempt has one winner, whose token the store has; the store has nothing else; fences are counted through.
pub fn check(folder: &Path, url: &str, rounds: usize) {
    let mut winners: Vec<BTreeMap<usize, Vec<Token>>> = vec![BTreeMap::new(); PIPELINES];
    for (round, requests) in by_round(folder) {
        for (pipeline, winners) in winners.iter_mut().enumerate() {
            let won = requests.iter().filter(|request| has_won(request, pipeline));
            winners.insert(round, won.map(|request| request.tokens[pipeline]).collect());
        }
    }
    let store = claimer::open(url);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let view = runtime.block_on(store.load(Scope::All)).unwrap();
    assert_eq!(view.rows.keys().len(), PIPELINES, "no other pipeline was touched");
    assert!(view.open.is_empty(), "every attempt has ended");
    for (id, winners) in ids().into_iter().zip(winners) {
        let query = Query { pipeline: Some(id.clone()), limit: usize::MAX >> 1, ..Query::default() };
        let mut stored: BTreeMap<usize, Vec<Token>> = BTreeMap::new();
        let mut fences = Vec::new();
        for record in runtime.block_on(store.history(query)).unwrap() {
            let Record::Attempt(attempt) = record else { panic!("{record:?}") };
            let round = (0..rounds).find(|round| instant(*round) == attempt.run.scheduled_for);
            assert_eq!((attempt.number, attempt.outcome()), (1, Some(Outcome::Succeeded)), "{}", attempt.run.id());
            stored.entry(round.unwrap()).or_default().push(attempt.token);
            fences.push((attempt.run.scheduled_for, attempt.fence));
        }
        fences.sort_unstable();
        let counted = (0..rounds).map(|round| (instant(round), round as u64 + 1)).collect::<Vec<_>>();
        assert_eq!(fences, counted, "{id}: a fence for each claim");
        assert_eq!(stored, winners, "{id}: who was told so has won");
        assert!(winners.values().all(|tokens| tokens.len() == 1), "{id}: each has one winner");
        let row = &view.rows[&id];
        let rounds = rounds as u64;
        assert_eq!(
            (row.fence, row.version),
            (rounds, 2 * rounds),
            "{id}: a claim and an end of each, and nothing else"
        );
    }
}
