//! Pipelines of a Rust program: one whose body is Rust, one that runs a program, and those of a file.

use std::time::Duration;

use serde_json::json;
use tickward::pipeline::{Overlap, Retry};
use tickward::registry::{BoxError, Context};
use tickward::{Outcome, Registry};

/// All pipelines of the program.
pub fn registry() -> Registry {
    let mut registry = Registry::new();
    registry.config(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/hello.yaml"));
    registry
        .pipeline("prices")
        .description("Counts the prices of a day")
        .schedule("0 2 * * *")
        .timezone("Europe/Berlin")
        .timeout(Duration::from_secs(600))
        .retry(Retry { max_attempts: 3, delay: Duration::from_secs(60), ..Retry::NONE })
        .overlap(Overlap::Queue)
        .run(prices);
    registry
        .pipeline("report")
        .depends_on(["prices"])
        .timeout(Duration::from_secs(60))
        .command(["echo", "report of {{ scheduled_date }}"]);
    registry
}

/// The body of `prices`: reads `$PRICES`, one price a line.
async fn prices(ctx: Context) -> Result<Outcome, BoxError> {
    let path = std::env::var("PRICES").map_err(|_| Outcome::fatal("set PRICES to a file of prices"))?;
    let text = std::fs::read_to_string(path)?;
    let (good, bad): (Vec<_>, Vec<_>) = text.lines().map(str::parse::<f64>).partition(Result::is_ok);
    println!("{}: {} prices, attempt {}", ctx.batch_id, good.len(), ctx.attempt);
    ctx.result(&json!({ "rows_written": good.len(), "rejected": bad.len() }))?;
    Ok(if bad.is_empty() { Outcome::succeeded() } else { Outcome::partial() })
}
