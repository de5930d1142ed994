//! Opens where alerts and figures go: by flags, by variables, else by the configuration.
//!
//! Holds always: what cannot be opened is a problem of the configuration with its place, and the rest is used; no address
//! is shown.

use std::sync::Arc;

use super::print;
use crate::alerter;
use crate::clock::SystemClock;
use crate::config::{AlerterSpec, Environment, Loaded, Problem, Secret, SinkSpec, split_urls};
use crate::sink;
use crate::tick::{About, Outlet, Outlets};

/// Where alerts and figures go
#[derive(clap::Args, Clone, Default)]
pub struct OutletArgs {
    /// Send alerts there, instead of where the configuration says; may be repeated
    #[arg(long, value_name = "URL")]
    pub alerter: Vec<String>,
    /// Hand figures over there, instead of where the configuration says; may be repeated
    #[arg(long, value_name = "URL")]
    pub metrics: Vec<String>,
}

impl std::fmt::Debug for OutletArgs {
    /// Addresses are secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OutletArgs({} alerters, {} sinks)", self.alerter.len(), self.metrics.len())
    }
}

/// Opens all that is asked for. What is no good is added to the problems of `loaded`.
pub fn open(arguments: &OutletArgs, variables: &Environment, loaded: &mut Loaded) -> Outlets {
    let mut outlets = Outlets::default();
    let given = given(&arguments.alerter, "--alerter", "ALERTERS", variables, &mut loaded.problems);
    let from = given.as_ref().map(|(_, from)| from.clone());
    let specs = match given {
        Some((urls, _)) => numbered(urls, AlerterSpec::of_url, |spec| &mut spec.name),
        None => loaded.alerters.clone(),
    };
    for spec in specs {
        let options = alerter::OpenOptions::new(Arc::new(SystemClock), variables.clone());
        match alerter::open(&spec, options) {
            Ok(alerter) => outlets.alerters.push(Outlet { spec, alerter }),
            Err(error) => loaded.problems.push(problem(spec.place, from.as_deref(), &error.to_string(), error.help())),
        }
    }
    let given = self::given(&arguments.metrics, "--metrics", "METRICS", variables, &mut loaded.problems);
    let from = given.as_ref().map(|(_, from)| from.clone());
    let specs = match given {
        Some((urls, _)) => numbered(urls, SinkSpec::of_url, |spec| &mut spec.name),
        None => loaded.metrics.clone(),
    };
    for spec in specs {
        match sink::open(&spec) {
            Ok(sink) => outlets.sinks.push(sink),
            Err(error) => loaded.problems.push(problem(spec.place, from.as_deref(), &error.to_string(), error.help())),
        }
    }
    if !outlets.alerters.is_empty() || !outlets.sinks.is_empty() {
        let known = loaded.pipelines.iter().map(|pipeline| (pipeline.id.clone(), About::of(pipeline)));
        outlets.known = Arc::new(known.collect());
    }
    outlets
}

/// The addresses of the flag, else of a variable, and which of them it was; none where the configuration counts. A variable
/// that is empty says that there are none. `${VAR}` is filled in; what cannot be is a problem.
fn given(
    flags: &[String],
    flag: &str,
    name: &str,
    variables: &Environment,
    problems: &mut Vec<Problem>,
) -> Option<(Vec<Secret>, String)> {
    let mut filled = |url: &str, from: &str| match variables.fill(url) {
        Ok(url) => Some(Secret::new(url)).filter(|url| !url.expose().is_empty()),
        Err((message, help)) => {
            problems.push(problem(None, Some(from), &message, &help));
            None
        }
    };
    if !flags.is_empty() {
        let from = format!("`{flag}`");
        return Some((flags.iter().filter_map(|url| filled(url, &from)).collect(), from));
    }
    let mut list = |list: &str, from: String| {
        Some((split_urls(list).into_iter().filter_map(|url| filled(url, &from)).collect(), from))
    };
    let (ours, seeds) = (format!("TICKWARD_{name}"), format!("EMATIX_FLOW_{name}"));
    if let Some(text) = variables.get(&ours) {
        return list(text, format!("${ours}"));
    }
    let text = variables.get(&seeds)?;
    if !text.is_empty() {
        print::note(&format!("notice: {seeds} is used because {ours} is not set"));
    }
    list(text, format!("${seeds}"))
}

/// Entries of these addresses; names that come again get numbers, since by its name it is kept what was delivered.
fn numbered<T>(urls: Vec<Secret>, of: impl Fn(Secret) -> T, name: impl Fn(&mut T) -> &mut String) -> Vec<T> {
    let mut seen = Vec::new();
    let mut specs: Vec<T> = urls.into_iter().map(of).collect();
    for spec in &mut specs {
        let own = name(spec);
        let base = own.clone();
        let mut number = 1;
        while seen.contains(own) {
            number += 1;
            *own = format!("{base}-{number}");
        }
        seen.push(own.clone());
    }
    specs
}

fn problem(place: Option<crate::config::Place>, from: Option<&str>, message: &str, help: &str) -> Problem {
    let message = from.map_or_else(|| message.into(), |from| format!("{from}: {message}"));
    Problem::error(place, message).with_help(help)
}
