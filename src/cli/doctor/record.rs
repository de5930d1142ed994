//! Looks at the run-log: its file, whether it opens, whether anything ticks, and what dead workers hold.
//!
//! Holds always: it is opened to be read, and not at all where it does not exist.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use jiff::SignedDuration;

use super::super::session::Session;
use super::super::{block_on, print, status};
use super::finding::{Findings, Level};
use crate::clock::SystemClock;
use crate::config::UNKNOWN_RUN_LOG;
use crate::runlog::contract::{Facts, Query, Role, Scope, View};
use crate::runlog::outbox::Outbox;
use crate::runlog::{self, Error, Purpose, RunLog};
use crate::tick::{Pipelines, would_decide};

/// Looks at the run-log of the session.
pub fn look(session: &Session, findings: &mut Findings) {
    if let Err(error) = session.run_log_url().map_or(Ok(()), |url| runlog::check_address(&url)) {
        return findings.add(Level::Wrong, "run-log", None, &error.to_string(), error.help());
    }
    if let Err(gone) = session.must_not_be_gone() {
        return findings.add(Level::Wrong, "run-log", None, &gone.to_string(), "until then ticks go on without it");
    }
    if let Some(file) = session.run_log_file().filter(|_| session.run_log_url().as_deref() != Some(UNKNOWN_RUN_LOG)) {
        let data = match file.metadata() {
            Ok(data) => data,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let what = format!("`{}` will be made by the first tick", file.display());
                return findings.add(Level::Good, "run-log", None, &what, "");
            }
            Err(error) => {
                let what = format!("the run-log `{}` cannot be looked at: {error}", file.display());
                let help = "run as the user whose it is: as this one, ticks would run all that is due without it";
                return findings.add(Level::Wrong, "run-log", None, &what, help);
            }
        };
        if data.is_file() && data.permissions().mode() & 0o077 != 0 {
            let what = format!("others may read `{}`, where ends of output are", file.display());
            findings.add(Level::Wrong, "run-log", None, &what, "chmod 600");
        }
        if data.is_file() && runlog::is_read_only(&file) {
            let what = format!(
                "`{}` lies on a disk that is read-only: ticks go on without it, and keep nothing",
                file.display()
            );
            findings.add(Level::Wrong, "run-log", None, &what, "mount it for writing");
        } else if data.is_file() && nix::unistd::access(&file, nix::unistd::AccessFlags::W_OK).is_err() {
            let what = format!("`{}` cannot be written", file.display());
            return findings.add(Level::Wrong, "run-log", None, &what, "change its owner, or run as that user");
        }
    }
    let open = |purpose| session.open_run_log(purpose, Arc::new(SystemClock));
    let opened = match open(Purpose::Foresee) {
        Err(refused @ Error::Address { .. }) => open(Purpose::Read)
            .inspect(|_| findings.add(Level::Wrong, "run-log", None, &refused.to_string(), refused.help())),
        other => other,
    };
    match opened.and_then(|run_log| read(&*run_log)) {
        Ok((view, last, facts, outbox)) => {
            let last =
                last.map_or("nothing has run yet".into(), |at| format!("the last claim was at {}", print::instant(at)));
            match session.run_log_server() {
                None => findings.add(Level::Good, "run-log", None, &format!("it can be read; {last}"), ""),
                Some(server) => on_a_server(&server, &last, &facts, findings),
            }
            ticks(session, &view, findings);
            leases(&view, findings);
            alerts(&outbox, findings);
        }
        Err(error) => {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            findings.add(Level::Wrong, "run-log", None, &format!("{error}{cause}"), error.help());
        }
    }
}

/// Whether a server takes what ticks write, as far as it says so.
fn on_a_server(server: &str, last: &str, facts: &Facts, findings: &mut Findings) {
    let Facts { product, version, rights, .. } = facts;
    if facts.form == 0 {
        let what = format!("{server} has no tables yet; a tick makes them, unless it is told `create_tables=false`");
        return findings.add(Level::Good, "run-log", None, &what, "");
    }
    let all = [("insert", rights.insert), ("update", rights.update), ("delete", rights.delete)];
    let lacking: Vec<_> = all.iter().filter(|(_, may)| !may).map(|(name, _)| *name).collect();
    if facts.role == Role::Replica {
        let what = format!("{server} takes no writes: no tick can claim anything");
        findings.add(Level::Wrong, "run-log", None, &what, "name the server that takes writes");
    } else if !lacking.is_empty() {
        let what = format!("{server} does not let this user {}", lacking.join(" and "));
        findings.add(Level::Wrong, "run-log", None, &what, "grant it: `tickward run-log ddl` prints what");
    } else {
        let what = format!("{server} can be read and written ({product} {version}); {last}");
        findings.add(Level::Good, "run-log", None, &what, "");
    }
}

type Told = (View, Option<jiff::Timestamp>, Facts, Outbox);

fn read(run_log: &dyn RunLog) -> Result<Told, Error> {
    let query = Query { attempts_only: true, limit: 1, ..Query::default() };
    let both = block_on(async {
        let view = run_log.load(Scope::All).await?;
        let history = run_log.history(query).await?;
        let last = history.first().map(|record| record.decided_at());
        Ok((view, last, run_log.facts().await?, run_log.outbox().await?))
    });
    both.unwrap_or_else(|_| Err(Error::Unavailable { message: "no event loop".into(), source: None }))
}

/// A clock that calls leaves nothing due undone.
fn ticks(session: &Session, view: &View, findings: &mut Findings) {
    let pipelines: Pipelines<'_> = session.loaded.pipelines.iter().map(|p| (p.id.clone(), p)).collect();
    for pipeline in &session.loaded.pipelines {
        let decision = would_decide(pipeline, &pipelines, view);
        if let Some(since) = status::overdue_since(pipeline, &decision, view) {
            let what = format!("it has been due since {}, and nothing has started it", print::instant(since));
            let help = "see to it that cron, or what else calls `tickward run-due`, still does so";
            findings.add(Level::Wrong, "ticks", Some(&pipeline.id.to_string()), &what, help);
        }
    }
}

/// What is still claimed after its lease was over, by somebody who has not come back.
fn leases(view: &View, findings: &mut Findings) {
    let late = |until: jiff::Timestamp| view.now.duration_since(until) > SignedDuration::from_secs(90);
    for attempt in view.open.values().flatten().filter(|attempt| attempt.is_active() && late(attempt.lease.until)) {
        let what = format!(
            "`{}` is claimed by process {} of host `{}`, whose lease was over at {}",
            attempt.run.id(),
            attempt.owner.pid,
            attempt.owner.host,
            print::instant(attempt.lease.until)
        );
        let name = attempt.run.pipeline.to_string();
        findings.add(
            Level::Wrong,
            "leases",
            Some(&name),
            &what,
            "the next tick takes it over: see to it that one comes",
        );
    }
}

/// Each tick delivers what waits: what still does was refused, or nobody answered.
fn alerts(outbox: &Outbox, findings: &mut Findings) {
    if let Some(oldest) =
        outbox.waiting.iter().filter(|waiting| !waiting.error.is_empty()).min_by_key(|waiting| waiting.alert.at)
    {
        let count = outbox.waiting.len();
        let what = format!(
            "{count} that could not be delivered, the oldest of {}: {}",
            print::instant(oldest.alert.at),
            print::printable(&oldest.error)
        );
        findings.add(
            Level::Wrong,
            "alerts",
            None,
            &what,
            "`tickward alert test` tries each alerter; `tickward alert list` has all",
        );
    }
    if let Some(newest) = outbox.dead.iter().max_by_key(|dead| dead.alert.at) {
        let count = outbox.dead_ever;
        let what =
            format!("{count} that nobody was told within a day, the newest of {}", print::instant(newest.alert.at));
        findings.add(Level::Advice, "alerts", None, &what, "`tickward alert list` shows the last of them");
    }
}
