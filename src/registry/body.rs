//! Runs a Rust body: this program again, as a child of the supervisor, which runs the one closure and ends.
//!
//! So everything that holds for a command holds for it: a session of its own, its end at the timeout, its output kept, its
//! panics and its memory its own.
//!
//! Holds always: a process of this kind claims nothing and records nothing.

use std::ffi::OsString;
use std::pin::Pin;
use std::process::ExitCode;

use super::{Context, Outcome, Registry};

/// The first argument that makes a program the body of a pipeline; the namespace and the name follow.
pub(super) const BODY_ARG: &str = "__body";

/// What a body may fail with: anything that `?` makes an error of, and texts.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A body that can be started once.
pub(crate) type Start = Box<dyn FnOnce(Context) -> Running + Send>;

type Running = Pin<Box<dyn Future<Output = Result<Outcome, BoxError>>>>;

/// A closure as it is kept.
pub(super) fn boxed<F, R, T>(body: F) -> Start
where
    F: FnOnce(Context) -> R + Send + 'static,
    R: Future<Output = Result<T, BoxError>> + 'static,
    T: Into<Outcome>,
{
    Box::new(move |context| {
        let running = body(context);
        Box::pin(async move { running.await.map(Into::into) })
    })
}

/// Runs the body that the arguments of this process name, and returns its exit code; none where this process is no body.
///
/// Ends with code 2 where the program has no such body, or no tick has started it.
pub(crate) fn run_body(registry: &mut Registry) -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_none_or(|first| first != BODY_ARG) {
        return None;
    }
    let text = |text: OsString| text.to_string_lossy().into_owned();
    let namespace = arguments.next().map(text).unwrap_or_default();
    let name = arguments.next().map(text).unwrap_or_default();
    let context = Context::of(namespace.clone(), arguments.map(text).collect(), &|name| std::env::var(name).ok());
    Some(match (registry.take_body(&namespace, &name), context) {
        (None, _) => refused(&format!("this program has no body for `{namespace}:{name}`")),
        (_, Err(variable)) => refused(&format!("`{variable}` is not as a tick gives it: a tick starts this")),
        (Some(body), Ok(context)) => run(body, context),
    })
}

fn refused(why: &str) -> ExitCode {
    eprintln!("error: {why}");
    ExitCode::from(2)
}

fn run(body: Start, context: Context) -> ExitCode {
    if let Err(error) = context.no_result_yet() {
        eprintln!("warning: results cannot be written: {error}");
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refused(&format!("no event loop: {error}")),
    };
    let ended = runtime.block_on(async move { body(context).await });
    // What it has left on threads ends with the process, as what a command leaves behind does.
    runtime.shutdown_background();
    let outcome = ended.unwrap_or_else(|error| match error.downcast::<Outcome>() {
        Ok(outcome) => *outcome,
        Err(error) => Outcome::retry(in_words(&*error)),
    });
    if let Some(why) = outcome.why() {
        eprintln!("error: {why}");
    }
    outcome.code()
}

/// An error and what caused it.
fn in_words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!("\n  because: {error}"));
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_tells_its_causes() {
        #[derive(Debug, thiserror::Error)]
        #[error("no prices")]
        struct NoPrices(#[source] std::num::ParseIntError);
        let error = NoPrices("x".parse::<u32>().unwrap_err());
        assert_eq!(in_words(&error), "no prices\n  because: invalid digit found in string");
    }
}
