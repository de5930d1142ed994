//! Hooks are watched over as the body is: by the lease, by a wish to stop, by the start mark.

use std::time::Duration;

use tickward::clock::boot_now;
use tickward::executor::{Around, End, Executor, Job, NotStarted, Program, Step, Stop};

use crate::sandbox::Sandbox;

fn step(line: &str) -> Option<Step> {
    Some(Step { program: Program::Shell(line.into()), timeout: Duration::from_secs(60) })
}

fn with(sandbox: &Sandbox, line: &str, around: Around) -> Job {
    Job { around: Some(Box::new(around)), kill_grace: Duration::from_millis(300), ..sandbox.sh(line) }
}

#[tokio::test]
async fn the_start_mark_is_made_with_the_hook_before_and_stays() {
    let sandbox = Sandbox::new();
    let around = Around { before: step("test -e mark && exit 3"), ..Around::default() };
    let job = Job { start_mark: Some(sandbox.path("mark")), ..with(&sandbox, "touch ran", around) };
    let ended = sandbox.executor.run(job.clone()).await;
    let why = NotStarted::Failed("the `before` hook failed: exit code 3".into());
    assert_eq!((ended.end, ended.stopped), (End::NotStarted(why), None));
    assert!(sandbox.path("mark").exists() && !sandbox.path("ran").exists());
    let again = sandbox.executor.run(job).await;
    assert_eq!(again.end, End::NotStarted(NotStarted::Refused), "somebody has started it");
}

#[tokio::test]
async fn a_lease_that_is_not_renewed_ends_a_hook_and_leaves_out_the_next() {
    let sandbox = Sandbox::new();
    let around = Around { on_success: step("sleep 600"), after: step("touch after"), ..Around::default() };
    let job = Job { stop_at: boot_now().plus(Duration::from_secs(2)), ..with(&sandbox, "true", around) };
    let ended = sandbox.executor.run(job).await;
    assert_eq!((ended.end, ended.stopped), (End::Exited(0), None), "the body had ended");
    let notes = ["the `on_success` hook was stopped", "the `after` hook was not started in time"];
    assert_eq!(ended.output.told.notes, notes);
    assert!(!sandbox.path("after").exists());
}

#[tokio::test]
async fn a_lease_that_is_renewed_meanwhile_holds_for_the_steps_to_come() {
    let sandbox = Sandbox::new();
    let around =
        Around { before: step("touch before; sleep 0.8"), after: step("sleep 0.8; touch after"), ..Around::default() };
    let job = Job { stop_at: boot_now().plus(Duration::from_secs(2)), ..with(&sandbox, "sleep 0.8", around) };
    let token = job.token;
    let renew = async {
        crate::sandbox::wait_for("the hook before", || sandbox.path("before").exists()).await;
        sandbox.executor.extend(token, boot_now().plus(Duration::from_secs(60)));
    };
    let (ended, ()) = tokio::join!(sandbox.executor.run(job), renew);
    assert_eq!((ended.end, ended.stopped, ended.output.told.notes.len()), (End::Exited(0), None, 0));
    assert!(sandbox.path("after").exists());
}

#[tokio::test]
async fn who_is_stopped_in_the_hook_before_is_stopped_and_not_released() {
    let sandbox = Sandbox::new();
    let around = Around { before: step("touch before; sleep 600"), after: step("touch after"), ..Around::default() };
    let job = with(&sandbox, "touch ran", around);
    let token = job.token;
    let stop = async {
        crate::sandbox::wait_for("the hook before", || sandbox.path("before").exists()).await;
        sandbox.executor.stop(token, Stop::Cancelled);
    };
    let (ended, ()) = tokio::join!(sandbox.executor.run(job), stop);
    assert_eq!(ended.stopped, Some(Stop::Cancelled));
    assert!(!sandbox.path("ran").exists() && !sandbox.path("after").exists());
}
