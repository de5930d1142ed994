//! What a person is to be told about a run, as a value.
//!
//! `kind` says what there is to tell, `text` how it reads in one line. The value is kept in the run-log as JSON and read back
//! by older and newer programs; how it is delivered is for `alerter`, whom it is for is for `config`.
//!
//! Holds always: fields and kinds that this program does not know are written back as they were read; what a command
//! printed is in it only with control characters escaped.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::occurrence::{PipelineId, Run};

mod kind;
mod text;

pub use kind::{Kind, Severity};
pub use text::{escaped, tail};

/// One alert. Texts that are empty and options that are none are left out of its JSON.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Alert {
    /// Names the event: the same however often it is delivered, by whichever host.
    pub id: String,
    /// What has happened.
    pub kind: Kind,
    /// When, by the run-log's clock.
    pub at: Timestamp,
    /// Whose; empty where it is about the tick and no pipeline.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Whose; empty where it is about the tick and no pipeline.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pipeline: String,
    /// Which run, as commands and logs see it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub run_id: String,
    /// What instant the run is for; of `missed`, the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_for: Option<Timestamp>,
    /// Of `missed`: the last of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_scheduled_for: Option<Timestamp>,
    /// Of `missed`: how many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Whether there may be more than `count`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_least: bool,
    /// Number of the attempt, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Attempts in all, the first included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// How the attempt ended, in the run-log's word; a newer program may know further ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// What went wrong, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Exit code, where the command exited by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// When the next attempt is due; none when there will be none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
    /// Of `tick_gap`: how long no tick was made, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap_seconds: Option<u64>,
    /// On which host it happened.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub host: String,
    /// What the pipeline does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Who answers for the pipeline.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// Where to read what to do.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub runbook: String,
    /// The pipeline's tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The last lines that the command printed, as `tail` makes them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tail: String,
    /// What a newer program has written beside: it is written back as it was.
    #[serde(flatten)]
    pub rest: serde_json::Map<String, serde_json::Value>,
}

impl Alert {
    /// An alert that is about no pipeline. `id` has to be the same whenever the same event is told again.
    pub fn new(kind: Kind, id: impl Into<String>, at: Timestamp) -> Alert {
        Alert {
            id: id.into(),
            kind,
            at,
            namespace: String::new(),
            pipeline: String::new(),
            run_id: String::new(),
            scheduled_for: None,
            last_scheduled_for: None,
            count: None,
            at_least: false,
            attempt: None,
            max_attempts: None,
            outcome: None,
            error: None,
            exit_code: None,
            next_attempt_at: None,
            gap_seconds: None,
            host: String::new(),
            description: String::new(),
            owner: String::new(),
            runbook: String::new(),
            tags: Vec::new(),
            tail: String::new(),
            rest: serde_json::Map::new(),
        }
    }

    /// An alert about a pipeline and no run of it. `what` tells apart what is said of it in one kind, say an instant.
    pub fn of_pipeline(kind: Kind, pipeline: &PipelineId, what: &str, at: Timestamp) -> Alert {
        let id = format!("{kind}/{}/{}/{what}", pipeline.namespace, pipeline.name);
        Alert {
            namespace: pipeline.namespace.to_string(),
            pipeline: pipeline.name.to_string(),
            ..Alert::new(kind, id, at)
        }
    }

    /// An alert about an attempt. Its id follows from kind, run and attempt, so that whoever tells it again says the same.
    ///
    /// ```
    /// use tickward::alert::{Alert, Kind};
    /// use tickward::occurrence::{Name, PipelineId, Run};
    /// let pipeline = PipelineId { namespace: Name::parse("default")?, name: Name::parse("daily_etl")? };
    /// let at = "2026-01-01T02:00:00Z".parse()?;
    /// let alert = Alert::of_attempt(Kind::GaveUp, &Run { pipeline, scheduled_for: at }, 3, at);
    /// assert_eq!(alert.id, "gave_up/default/daily_etl@20260101T020000Z/3");
    /// assert_eq!(alert.headline(), "gave up: daily_etl@20260101T020000Z attempt 3");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of_attempt(kind: Kind, run: &Run, attempt: u32, at: Timestamp) -> Alert {
        let Run { pipeline, scheduled_for } = run;
        let instant = crate::occurrence::compact(*scheduled_for);
        let id = format!("{kind}/{}/{}@{instant}/{attempt}", pipeline.namespace, pipeline.name);
        Alert {
            id,
            run_id: run.id(),
            scheduled_for: Some(*scheduled_for),
            attempt: Some(attempt),
            ..Alert::of_pipeline(kind, pipeline, "", at)
        }
    }

    /// Whose it is as people know it: `daily_etl`, or `team-a:daily_etl` outside of the namespace `default`.
    pub fn pipeline_shown(&self) -> String {
        match self.namespace.as_str() {
            "" | "default" => self.pipeline.clone(),
            namespace => format!("{namespace}:{}", self.pipeline),
        }
    }

    /// How long no tick was made, where that is what it tells.
    pub fn gap(&self) -> Option<Duration> {
        self.gap_seconds.map(Duration::from_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_kinds_of_a_newer_program_survive() {
        let text = r#"{"id":"x","kind":"on_fire","at":"2026-01-01T02:00:00Z","outcome":"melted","heat":{"c":900}}"#;
        let alert: Alert = serde_json::from_str(text).unwrap();
        assert_eq!(alert.kind, Kind::Other("on_fire".into()));
        assert_eq!(serde_json::to_string(&alert).unwrap(), text);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let at: Timestamp = "2026-01-01T02:00:00.000007Z".parse().unwrap();
        for kind in Kind::ALL {
            let mut alert = Alert::new(kind.clone(), "1", at);
            (alert.attempt, alert.exit_code, alert.count, alert.at_least) = (Some(2), Some(-1), Some(7), true);
            (alert.tags, alert.tail) = (vec!["a".into()], "x\ny".into());
            (alert.scheduled_for, alert.next_attempt_at) = (Some(at), Some(at));
            let text = serde_json::to_string(&alert).unwrap();
            assert_eq!(serde_json::from_str::<Alert>(&text).unwrap(), alert, "{text}");
        }
    }
}
