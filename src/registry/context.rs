//! What a Rust body knows of its attempt: the variables that every command gets, read once.

use std::io;
use std::path::PathBuf;

use jiff::Timestamp;

use crate::run::Trigger;

/// What a body knows of the attempt that it is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Context {
    /// The pipeline's namespace; `default` unless it has another.
    pub namespace: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// The instant the run is for; never changes when late.
    pub scheduled_for: Timestamp,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// Attempts in all.
    pub max_attempts: u32,
    /// Grows with each claim of the pipeline: a target that remembers the largest one can refuse a late writer.
    pub fence: u64,
    /// Names the run, the same for all its attempts.
    pub run_id: String,
    /// Pipeline and instant, the same for all attempts; fit for file names unless the name has a slash.
    pub batch_id: String,
    /// When the timeout is over and the body is ended; none without a timeout.
    pub deadline: Option<Timestamp>,
    /// Why it runs.
    pub trigger: Trigger,
    /// Whether the claim is on this host alone, because the run-log could not be used.
    pub degraded: bool,
    /// What stood behind `--` of `run NAME`; empty in a tick.
    pub arguments: Vec<String>,
    /// Where `result` writes.
    result_file: Option<PathBuf>,
}

impl Context {
    /// Tells what the body did: an object of JSON, whose figures and short texts `history` shows. Called again, the last one
    /// counts; where nobody asks for results (`results: { json: false }`), nothing is kept.
    ///
    /// ```no_run
    /// # fn body(ctx: &tickward::registry::Context) -> std::io::Result<()> {
    /// ctx.result(&serde_json::json!({ "rows_written": 41 }))
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` where it is no object; otherwise as writing the file fails.
    pub fn result(&self, values: &serde_json::Value) -> io::Result<()> {
        if !values.is_object() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a result is an object of JSON: `{ … }`"));
        }
        match &self.result_file {
            Some(path) => std::fs::write(path, values.to_string()),
            None => Ok(()),
        }
    }

    /// Makes sure that what the body prints is not taken for its result.
    pub(super) fn no_result_yet(&self) -> io::Result<()> {
        self.result(&serde_json::json!({}))
    }

    /// From the variables of a body, by `get`.
    ///
    /// # Errors
    /// The name of the variable that is not as a tick gives it.
    pub(super) fn of(
        namespace: String,
        arguments: Vec<String>,
        get: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Context, &'static str> {
        fn read<T>(
            get: &dyn Fn(&str) -> Option<String>,
            name: &'static str,
            parse: impl Fn(&str) -> Option<T>,
        ) -> Result<T, &'static str> {
            get(name).and_then(|text| parse(&text)).ok_or(name)
        }
        let text = |text: &str| Some(text.to_owned());
        Ok(Context {
            namespace,
            pipeline: read(get, "TICKWARD_PIPELINE", text)?,
            scheduled_for: read(get, "TICKWARD_SCHEDULED_FOR", |text| text.parse().ok())?,
            attempt: read(get, "TICKWARD_ATTEMPT", |text| text.parse().ok())?,
            max_attempts: read(get, "TICKWARD_MAX_ATTEMPTS", |text| text.parse().ok())?,
            fence: read(get, "TICKWARD_FENCE", |text| text.parse().ok())?,
            run_id: read(get, "TICKWARD_RUN_ID", text)?,
            batch_id: read(get, "TICKWARD_BATCH_ID", text)?,
            deadline: read(get, "TICKWARD_DEADLINE", |text| match text {
                "" => Some(None),
                text => text.parse().ok().map(Some),
            })?,
            trigger: read(get, "TICKWARD_TRIGGER", Trigger::from_word)?,
            degraded: read(get, "TICKWARD_DEGRADED", |text| Some(text == "1"))?,
            arguments,
            result_file: get("TICKWARD_RESULT_FILE").filter(|path| !path.is_empty()).map(PathBuf::from),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(changed: (&str, &str)) -> Result<Context, &'static str> {
        let all = [
            ("TICKWARD_PIPELINE", "prices"),
            ("TICKWARD_SCHEDULED_FOR", "2026-03-01T02:00:00Z"),
            ("TICKWARD_ATTEMPT", "2"),
            ("TICKWARD_MAX_ATTEMPTS", "3"),
            ("TICKWARD_FENCE", "17"),
            ("TICKWARD_RUN_ID", "prices@20260301T020000Z"),
            ("TICKWARD_BATCH_ID", "prices-20260301T020000Z"),
            ("TICKWARD_DEADLINE", ""),
            ("TICKWARD_TRIGGER", "catch_up"),
            ("TICKWARD_DEGRADED", "0"),
        ];
        let get = |name: &str| match name == changed.0 {
            true => Some(changed.1.to_owned()),
            false => all.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()),
        };
        Context::of("default".into(), Vec::new(), &get)
    }

    #[test]
    fn what_a_tick_gives_is_typed() {
        let context = given(("", "")).unwrap();
        let at: Timestamp = "2026-03-01T02:00:00Z".parse().unwrap();
        assert_eq!((context.scheduled_for, context.attempt, context.fence), (at, 2, 17));
        assert_eq!((context.trigger, context.deadline, context.degraded), (Trigger::CatchUp, None, false));
        assert_eq!(given(("TICKWARD_DEADLINE", "2026-03-01T02:00:00Z")).unwrap().deadline, Some(at));
        assert!(given(("TICKWARD_DEGRADED", "1")).unwrap().degraded);
        for (name, text) in [("TICKWARD_FENCE", "-1"), ("TICKWARD_TRIGGER", "no"), ("TICKWARD_DEADLINE", "soon")] {
            assert_eq!(given((name, text)).unwrap_err(), name);
        }
    }

    #[test]
    fn a_result_is_an_object_and_goes_nowhere_without_a_file() {
        let mut context = given(("", "")).unwrap();
        context.result(&serde_json::json!({ "rows": 1 })).unwrap();
        let error = context.result(&serde_json::json!([1])).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let folder = tempfile::tempdir().unwrap();
        context.result_file = Some(folder.path().join("result"));
        context.no_result_yet().unwrap();
        context.result(&serde_json::json!({ "rows": 1 })).unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join("result")).unwrap(), r#"{"rows":1}"#);
    }
}
