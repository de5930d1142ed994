//! Starts the log: to standard error or a file, as text, JSON or logfmt.
//!
//! `TICKWARD_LOG` (or `RUST_LOG`) takes directives such as `info,tickward::runlog=debug`; without one, warnings are shown.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::str::FromStr;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

use super::print;

mod logfmt;

/// Starts the log as the environment asks for; what cannot be done is said and done without.
pub fn start() {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let directives = variable("TICKWARD_LOG").or_else(|| variable("RUST_LOG"));
    let filter = match directives.as_deref().map(Targets::from_str) {
        None => Targets::new().with_default(tracing::Level::WARN),
        Some(Ok(targets)) => targets,
        Some(Err(_)) => {
            print::error(
                "TICKWARD_LOG is not understood",
                "write a level, or directives such as info,tickward::runlog=debug",
            );
            Targets::new().with_default(tracing::Level::WARN)
        }
    };
    // To a hook the same name is that of the file its command's output is in.
    let file = variable("TICKWARD_LOG_FILE").filter(|_| variable("TICKWARD_RUN_ID").is_none());
    let layer = layer(variable("TICKWARD_LOG_FORMAT").as_deref(), file.is_none(), writer(file.as_deref()));
    // A program that uses this crate may have a log of its own; then that one is used.
    let _ = tracing_subscriber::registry().with(layer.with_filter(filter)).try_init();
}

fn layer(format: Option<&str>, terminal: bool, writer: BoxMakeWriter) -> Box<dyn Layer<Registry> + Send + Sync> {
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(terminal && print::colours_err());
    match format {
        Some("json") => layer.json().flatten_event(true).boxed(),
        Some("logfmt") => layer.event_format(logfmt::Logfmt).boxed(),
        None | Some("text") => layer.boxed(),
        Some(_) => {
            print::error("TICKWARD_LOG_FORMAT is not understood", "use text, json or logfmt");
            layer.boxed()
        }
    }
}

fn writer(file: Option<&str>) -> BoxMakeWriter {
    let Some(path) = file else { return BoxMakeWriter::new(std::io::stderr) };
    match OpenOptions::new().create(true).append(true).mode(0o600).open(path) {
        Ok(file) => BoxMakeWriter::new(std::sync::Arc::new(file)),
        Err(error) => {
            print::error(&format!("the log file `{path}` cannot be opened: {error}"), "the log goes to standard error");
            BoxMakeWriter::new(std::io::stderr)
        }
    }
}
