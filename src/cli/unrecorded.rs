//! Outcomes that the run-log did not take: kept in the spool, printed where there is none, and said.
//!
//! Holds always: of an outcome that is kept nowhere it is said that its run may be made again, by a warning and by an alert.

use std::sync::Arc;

use tokio::sync::watch;

use super::degraded;
use super::print;
use super::session::Session;
use crate::clock::SystemClock;
use crate::runlog::memory::MemoryRunLog;
use crate::runlog::spool::{Folder, Stored, keep};
use crate::tick::{Options, Report, StopWish};

/// So many runs are named.
const NAMED: usize = 10;

/// Keeps outcomes that the run-log did not take; where there is no disk for them, prints them.
pub fn keep(folder: Option<&Folder>, report: &mut Report) {
    for (run, completion) in std::mem::take(&mut report.to_spool) {
        let kept = folder.map(|folder| keep::put_end(folder, &run, &completion));
        if !matches!(kept, Some(Ok(()))) {
            let stored = Stored::End { run: run.clone(), completion: Box::new(completion) };
            print::note(&stored.line());
            report.unkept.push(run);
        }
    }
}

/// The same; where something is kept nowhere, people are told.
pub async fn keep_and_tell(session: &Session, options: &Options, report: &mut Report, stop: watch::Receiver<StopWish>) {
    let (known, folder) = (report.unkept.len(), session.host_folder());
    if let Some(folder) = folder.as_ref().filter(|_| !report.to_spool.is_empty()) {
        degraded::note_run_log(session, folder);
    }
    keep(folder.as_ref(), report);
    if let Some(runs) = said(&report.unkept[known..]) {
        let run_log = Arc::new(MemoryRunLog::new(Arc::new(SystemClock)));
        let env = session.env_with(run_log, Arc::new(SystemClock), stop);
        let why = report.unrecorded.as_deref().unwrap_or("the run-log failed");
        degraded::tell_at_once(&env, options, &format!("unkept/{}", report.id), &format!("{why}; {runs}")).await;
    }
}

/// What people are told of outcomes that are kept nowhere; none where there are none.
pub fn said(unkept: &[String]) -> Option<String> {
    let more = unkept.len().saturating_sub(NAMED);
    let names = unkept.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let (outcome, what) = if unkept.len() == 1 { ("the outcome", "it") } else { ("the outcomes", "they") };
    (!unkept.is_empty()).then(|| format!("{outcome} of {names}{more} could not be kept: {what} may run again"))
}

/// That outcomes may be missing from the run-log, where that is so.
pub fn print(report: &Report) {
    let lost = said(&report.unkept);
    if let Some(lost) = &lost {
        print::note(&format!("warning: {lost}, unless `tickward spool import` is given what was printed"));
    }
    let Some(why) = &report.unrecorded else { return };
    let help = match lost {
        None => "outcomes that it did not take wait in the spool of this host: `tickward spool list`",
        Some(_) => "there was no place for a spool: make room in the state folder",
    };
    print::error(&format!("the run-log failed in the middle of the tick: {why}"), help);
}
