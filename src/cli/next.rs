//! `tickward next`: when a pipeline, or any schedule, is due.

use jiff::{SignedDuration, Timestamp};

use super::exit::Exit;
use super::print::{self, Format};
use super::session::{ConfigArgs, RunLogArgs, Session};
use super::typed::{self, When};
use crate::clock::{Clock, SystemClock};
use crate::plan::constant_delay;
use crate::schedule::{self, Schedule};
use crate::tick::rfc3339;

/// Shows when a pipeline, or any schedule, is due next
#[derive(clap::Args, Debug)]
pub struct Next {
    /// Which pipeline
    #[arg(required_unless_present = "schedule", conflicts_with = "schedule")]
    name: Option<String>,
    #[command(flatten)]
    config: ConfigArgs,
    /// A schedule instead of a pipeline; may be repeated for a union
    #[arg(long, value_name = "EXPR")]
    schedule: Vec<String>,
    /// The zone to read the schedule in
    #[arg(long, value_name = "ZONE", default_value = "UTC", conflicts_with = "name")]
    timezone: String,
    /// Occurrences after this instant [default: now]; a date is the midnight that begins it in the schedule's zone, 7d a
    /// week ago
    #[arg(long, value_name = "T|DATE|AGO", value_parser = typed::when, allow_hyphen_values = true)]
    after: Option<When>,
    /// How many
    #[arg(short = 'n', long, value_name = "N", default_value = "5", value_parser = typed::count)]
    count: usize,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

impl Next {
    pub fn execute(&self) -> Exit {
        match self.schedule() {
            Ok((Some(schedule), spread)) => self.print(&schedule, spread),
            Ok((None, _)) => {
                match self.output {
                    Format::Json => print::json(&serde_json::json!([])),
                    _ => print::note("no occurrence of its own: it runs by hand, or after what it depends on"),
                }
                Exit::Done
            }
            Err(exit) => exit,
        }
    }

    /// The schedule, none for what runs by hand, and the constant delay.
    fn schedule(&self) -> Result<(Option<Schedule>, SignedDuration), Exit> {
        let session;
        match &self.name {
            Some(name) => {
                let no_run_log = RunLogArgs { run_log_url: None, no_run_log: true };
                session = Session::load(&self.config, &no_run_log)?;
                let pipeline = session.pipeline(name)?;
                let spread =
                    SignedDuration::try_from(constant_delay(&pipeline.id, pipeline.jitter)).unwrap_or_default();
                Ok((pipeline.schedule.clone(), spread))
            }
            None => Ok((Some(self.typed_schedule()?), SignedDuration::ZERO)),
        }
    }

    fn typed_schedule(&self) -> Result<Schedule, Exit> {
        let mistake = |error: schedule::Error| {
            print::error(&error.to_string(), error.help.as_deref().unwrap_or_default());
            Exit::Usage
        };
        let zone = schedule::parse_zone(&self.timezone).map_err(mistake)?;
        let texts: Vec<&str> = self.schedule.iter().map(String::as_str).collect();
        Schedule::parse(&texts, zone).map_err(mistake)
    }

    fn print(&self, schedule: &Schedule, spread: SignedDuration) -> Exit {
        let now = SystemClock.now();
        let after = match self.after.map_or(Ok(now), |after| after.resolve(now, schedule.zone())) {
            Ok(after) => after,
            Err(error) => {
                print::error(&error, "");
                return Exit::Usage;
            }
        };
        let occurrences = schedule.occurrences_between(after, Timestamp::MAX).take(self.count);
        if self.output == Format::Json {
            print::json(&occurrences.map(rfc3339).collect());
            return Exit::Done;
        }
        if schedule.next_after(after).is_none()
            && let Some(last) = schedule.previous_at_or_before(after)
        {
            print::note(&format!("no occurrence: the last one was at {}", rfc3339(last)));
        }
        for at in occurrences {
            let local = at.to_zoned(schedule.zone().clone());
            let jitter = if spread.is_zero() { String::new() } else { format!("  + {spread:#} jitter") };
            print::out(&format!("{}  {}{jitter}\n", rfc3339(at), local.strftime("%a %Y-%m-%d %H:%M:%S %Z")));
        }
        Exit::Done
    }
}
