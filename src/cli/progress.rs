//! Tells on standard error what runs and what has ended: live on a terminal, a line for each end elsewhere.
//!
//! Holds always: nothing is printed where nothing runs; with `-o json` only failures are told.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::print::{self, Format};
use crate::occurrence::Token;
use crate::pipeline::OnGaveUp;
use crate::run::{Attempt, Outcome};
use crate::tick::{Event, rfc3339};

/// The bodies that run now.
pub struct Progress {
    bars: Option<MultiProgress>,
    running: Mutex<HashMap<Token, ProgressBar>>,
    /// How much of a known amount of work is done; none where that is not shown.
    whole: Option<ProgressBar>,
    quiet: bool,
}

impl Progress {
    /// Nothing runs yet.
    pub fn start(format: Format) -> Progress {
        let live = format == Format::Text && std::io::stderr().is_terminal();
        let bars = live.then(MultiProgress::new);
        Progress { bars, running: Mutex::default(), whole: None, quiet: format == Format::Json }
    }

    /// The same, with a bar for `pieces` of work, on a terminal.
    pub fn of(mut self, pieces: usize) -> Progress {
        let bar = || ProgressBar::new(pieces as u64).with_style(whole_style());
        self.whole = self.bars.as_ref().map(|bars| bars.add(bar()));
        self
    }

    /// A piece of the work is done.
    pub fn advance(&self) {
        self.whole.iter().for_each(|bar| bar.inc(1));
    }

    /// Prints a line on standard error, above what is live.
    pub fn note(&self, line: &str) {
        match &self.bars {
            Some(bars) => bars.suspend(|| print::note(line)),
            None => print::note(line),
        }
    }

    /// The same, which tells failures alone if `quiet`.
    pub fn hushed(mut self, quiet: bool) -> Progress {
        if quiet {
            (self.bars, self.whole, self.quiet) = (None, None, true);
        }
        self
    }

    /// Takes in an event.
    pub fn tell(&self, event: &Event<'_>) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        match (event, &self.bars) {
            (Event::Started(attempt), Some(bars)) => {
                let bar = bars.add(ProgressBar::new_spinner().with_style(style()));
                bar.set_message(attempt.run.id());
                bar.enable_steady_tick(Duration::from_millis(120));
                running.insert(attempt.token, bar);
            }
            (Event::Started(_), None) | (Event::Settled(_), _) => {}
            (Event::Ended(attempt), bars) => {
                if let Some(bar) = running.remove(&attempt.token) {
                    bar.finish_and_clear();
                }
                let say = || self.say(attempt);
                match bars {
                    Some(bars) => bars.suspend(say),
                    None => say(),
                }
            }
        }
    }

    /// Takes the live lines away.
    pub fn finish(&self) {
        for (_, bar) in self.running.lock().unwrap_or_else(PoisonError::into_inner).drain() {
            bar.finish_and_clear();
        }
        self.whole.iter().for_each(ProgressBar::finish_and_clear);
    }

    fn say(&self, attempt: &Attempt) {
        let Some(end) = &attempt.end else { return };
        if self.quiet && end.outcome.is_success() {
            return;
        }
        print::note(&line(attempt, end.outcome));
        let shown = if end.outcome.is_success() || end.outcome == Outcome::Released { "" } else { end.tail.trim_end() };
        let lines: Vec<_> = shown.lines().collect();
        for line in &lines[lines.len().saturating_sub(5)..] {
            print::note(&format!("          | {}", print::printable(line)));
        }
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} running   {msg} {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn whole_style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:40} {pos}/{len} {elapsed}").unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn line(attempt: &Attempt, outcome: Outcome) -> String {
    let end = attempt.end.as_ref();
    let took = end.map_or(Duration::ZERO, |end| end.duration);
    let nth = if attempt.number > 1 { format!(" attempt {}", attempt.number) } else { String::new() };
    let error = end.and_then(|end| end.error.as_deref()).map(|error| format!(": {error}")).unwrap_or_default();
    let next = match attempt.retry_at {
        Some(at) if outcome != Outcome::Released => format!("; next attempt at {}", rfc3339(at)),
        None if attempt.gave_up && attempt.policy.on_gave_up == OnGaveUp::Hold => "; gave up: held until reset".into(),
        None if attempt.gave_up && attempt.policy.retry.max_attempts > 1 => "; gave up".into(),
        _ => String::new(),
    };
    let word = print::outcome_err(outcome);
    let pad = " ".repeat(10_usize.saturating_sub(outcome.word().len()).max(1));
    format!("{word}{pad}{}{nth} in {}{}{next}", attempt.run.id(), print::duration(took), print::printable(&error))
}
