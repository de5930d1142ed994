//! The programs that the tests call.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;
use tickward::pipeline::Retry;
use tickward::registry::Context;
use tickward::{Outcome, Registry, cli};

#[derive(Debug, thiserror::Error)]
#[error("no prices today")]
struct NoPrices(#[source] std::io::Error);

/// A pipeline for every way in which a body can end.
pub fn bodies() -> Registry {
    let mut registry = Registry::new();
    let unreliable = Retry { max_attempts: 2, delay: Duration::from_secs(1), ..Retry::NONE };
    registry.pipeline("context").timeout(Duration::from_secs(60)).env("DAY", "{{ scheduled_date }}").run(context);
    registry.pipeline("team").namespace("other").schedule("@hourly").run(async |ctx: Context| {
        println!("{}:{}", ctx.namespace, ctx.pipeline);
        Ok(())
    });
    registry.pipeline("error").run(|_| async {
        let missing = std::io::Error::other("the mirror is down");
        Err::<(), _>(NoPrices(missing).into())
    });
    registry.pipeline("text").run(|_| async { Err::<(), _>("in a word".into()) });
    registry.pipeline("panic").run(|ctx| async move {
        assert!(ctx.pipeline.is_empty(), "the body fell over");
        Ok(())
    });
    registry.pipeline("partial").run(|_| async { Ok(Outcome::partial()) });
    registry.pipeline("fatal").retry(unreliable.clone()).run(|_| async { Ok(Outcome::fatal("no such table")) });
    registry.pipeline("fatal_error").retry(unreliable.clone()).run(|_| async {
        Err::<(), _>(Outcome::fatal("no such table"))?;
        Ok(())
    });
    registry.pipeline("again").retry(unreliable).run(|ctx| async move {
        match ctx.attempt {
            1 => Ok(Outcome::retry("not yet")),
            _ => Ok(Outcome::succeeded()),
        }
    });
    // The grandchild is in a session of its own: only the supervisor can end it.
    registry.pipeline("hangs").timeout(Duration::from_millis(1500)).kill_grace(Duration::from_millis(200)).run(
        |_| async {
            let mut child = std::process::Command::new("setsid").args(["sleep", "600"]).spawn()?;
            std::fs::write("grandchild", child.id().to_string())?;
            child.wait()?;
            Ok(())
        },
    );
    registry.pipeline("leaves").run(|_| async {
        std::thread::spawn(|| std::thread::sleep(Duration::from_secs(600)));
        tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_secs(600)));
        Ok(())
    });
    registry.pipeline("prints").run(|_| async {
        println!("{}", json!({ "status": "failed", "rows": 1 }));
        Ok(())
    });
    registry.pipeline("dollar").shell("echo ${DOLLAR:-${UNSET:-none}} $0");
    registry.pipeline("argv").command(["echo", "${HOME}", "$${X}"]);
    registry
}

async fn context(ctx: Context) -> Result<(), tickward::registry::BoxError> {
    tokio::time::sleep(Duration::from_millis(1)).await;
    println!("{} {} {} {}", ctx.pipeline, ctx.scheduled_for, ctx.run_id, ctx.batch_id);
    println!("{}/{} {:?} {}", ctx.attempt, ctx.max_attempts, ctx.trigger, ctx.degraded);
    println!("{} {:?} {:?}", ctx.fence, ctx.deadline.is_some(), ctx.arguments);
    println!("{}", std::env::var("DAY")?);
    eprintln!("on standard error");
    ctx.result(&json!({ "rows": 7 }))?;
    Ok(())
}

/// A program that cannot build its registry without a variable.
pub fn needy() -> Registry {
    let mut registry = Registry::new();
    let needed = std::env::var("NEEDED").unwrap();
    registry.pipeline("needy").env("NEEDED_TOO", needed).run(|_| async { Ok(()) });
    registry
}

/// A pipeline for every mistake, and one that is right.
pub fn mistakes() -> Registry {
    let mut registry = Registry::new();
    registry.config("more.yaml");
    registry.pipeline("right").command(["echo", "right"]);
    registry.pipeline("bad name").command(["true"]);
    registry.pipeline("schedule").schedule("0 25 * * *").command(["true"]);
    registry.pipeline("zone").timezone("Europe/Berlim").command(["true"]);
    registry.pipeline("bodiless").schedule("@hourly");
    registry.pipeline("two").command(["true"]).run(|_| async { Ok(()) });
    registry.pipeline("codes").set("exit_codes", json!({ "3": "partial" })).run(|_| async { Ok(()) });
    registry.pipeline("key").set("shedule", json!("@daily")).command(["true"]);
    registry.pipeline("upstream").depends_on(["nobody"]).command(["true"]);
    registry.pipeline("grace").kill_grace(Duration::from_secs(600)).command(["true"]);
    registry.pipeline("twice").command(["true"]);
    registry.pipeline("twice").command(["true"]);
    registry
}

/// A program that has threads when it comes to its registry.
pub fn threads() -> ExitCode {
    let (started, seen) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        started.send(()).unwrap();
        std::thread::sleep(Duration::from_secs(600));
    });
    seen.recv().unwrap();
    cli::main(bodies())
}

/// A program with an event loop around it.
pub fn event_loop() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { cli::main(bodies()) })
}
