//! The start mark, and bodies that cannot be started: the reason in words, and no mark left behind.

use tickward::executor::{End, Ended, Executor, Input, Job, NotStarted, SubprocessExecutor, SupervisorProgram};

use crate::sandbox::{Sandbox, printed};

fn reason(ended: &Ended) -> &str {
    match &ended.end {
        End::NotStarted(NotStarted::Failed(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_start_mark_is_made_once_and_before_the_program_runs() {
    let sandbox = Sandbox::new();
    let marked = |line: &str| Job { start_mark: Some(sandbox.path("mark")), ..sandbox.sh(line) };
    let first = sandbox.executor.run(marked("ls mark")).await;
    let second = sandbox.executor.run(marked("touch ran")).await;
    assert_eq!((&first.end, printed(&first).as_str()), (&End::Exited(0), "mark\n"));
    assert_eq!(sandbox.mode_bits_of("mark"), 0o600);
    assert_eq!((second.end, second.started_at), (End::NotStarted(NotStarted::Refused), None));
    assert!(!sandbox.path("ran").exists());
    assert!(sandbox.path("mark").exists(), "a refused job must not remove the mark of another");
    sandbox.executor.close().await;
}

#[tokio::test]
async fn what_cannot_be_started_says_why_and_leaves_no_mark() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::new();
    let file = |name: &str, text: &str, mode: u32| {
        std::fs::write(sandbox.path(name), text).unwrap();
        std::fs::set_permissions(sandbox.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
        sandbox.path(name).display().to_string()
    };
    let plain = file("plain", "#!/bin/sh\n", 0o600);
    let no_line = file("no-line", "echo hello\n", 0o700);
    let bad_line = file("bad-line", "#!/not/here\n", 0o700);
    let folder = sandbox.folder.path().display().to_string();
    let with = |words: &[&str], change: &dyn Fn(&mut Job)| {
        let mut job = sandbox.argv(words);
        change(&mut job);
        job
    };
    let as_is = |words: &[&str]| with(words, &|_| {});
    for (job, expected) in [
        (as_is(&["/not/here"]), "`/not/here` was not found".into()),
        (as_is(&["no-such-program-anywhere"]), "`no-such-program-anywhere` was not found in PATH (`".into()),
        (as_is(&[&plain]), format!("`{plain}` may not be executed by this user")),
        (
            as_is(&[&no_line]),
            format!("`{no_line}` is neither a program for this machine nor a script with a `#!` line"),
        ),
        (as_is(&[&bad_line]), format!("`{bad_line}` was found, but not the interpreter that it names")),
        (as_is(&[&folder]), format!("`{folder}` is a folder")),
        (as_is(&[]), "no program is given".into()),
        (as_is(&[""]), "no program is given".into()),
        (as_is(&["true", "a\0b"]), "argument 1 of `true` contains a NUL byte".into()),
        (as_is(&["true", &"x".repeat(200_000)]), "arguments and environment of `true` are longer than".into()),
        (with(&["true"], &|job| job.env.push(("A".into(), "\0".into()))), "variable `A` contains a NUL byte".into()),
        (with(&["true"], &|job| job.env.push(("A=B".into(), "".into()))), "`A=B` is no name of a variable".into()),
        (
            with(&["true"], &|job| job.cwd = Some("/not/here".into())),
            "working directory `/not/here` was not found".into(),
        ),
        (
            with(&["true"], &|job| job.cwd = Some("/dev/null".into())),
            "working directory `/dev/null` is no folder".into(),
        ),
        (with(&["true"], &|job| job.stdin = Input::File("gone".into())), "standard input `gone` was not found".into()),
        (with(&["true"], &|job| job.user = Some("no-such-user".into())), "user `no-such-user` is unknown here".into()),
        (
            with(&["true"], &|job| job.group = Some("no-such-group".into())),
            "group `no-such-group` is unknown here".into(),
        ),
        (
            with(&["true"], &|job| job.user = Some("4000111222".into())),
            "user `4000111222` has no entry here: its group must be given too".into(),
        ),
    ] {
        let again = Sandbox::new();
        let mark = again.path("mark");
        let shown = format!("{:?} {:?}", job.program, job.cwd).chars().take(200).collect::<String>();
        let ended = again.run(Job { start_mark: Some(mark.clone()), ..job }).await;
        assert!(reason(&ended).starts_with(&expected), "{shown}: {}", reason(&ended));
        assert!(!mark.exists(), "{shown}");
        assert_eq!((ended.output.bytes, ended.started_at), (0, None), "{shown}");
    }
}

#[tokio::test]
async fn a_mark_that_cannot_be_made_is_no_start() {
    let sandbox = Sandbox::new();
    let below_a_file = sandbox.path("file").join("mark");
    std::fs::write(sandbox.path("file"), "").unwrap();
    for (mark, why) in [
        ("/not/here/mark".into(), NotStarted::Unmarked),
        (below_a_file.clone(), NotStarted::Failed(format!("start mark `{}` is no folder", below_a_file.display()))),
    ] {
        let ended = sandbox.executor.run(Job { start_mark: Some(mark), ..sandbox.sh("touch ran") }).await;
        assert_eq!(ended.end, End::NotStarted(why));
        assert!(!sandbox.path("ran").exists());
    }
}

#[tokio::test]
async fn a_failure_before_the_mark_leaves_the_mark_of_another_alone() {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path("mark"), "").unwrap();
    let mut job = sandbox.sh("true");
    job.start_mark = Some(sandbox.path("mark"));
    job.cwd = Some("/not/here".into());
    assert_eq!(reason(&sandbox.run(job).await), "working directory `/not/here` was not found");
    assert!(sandbox.path("mark").exists());
}

#[tokio::test]
async fn a_supervisor_that_cannot_be_started_is_said() {
    let sandbox = Sandbox::new();
    let executor = SubprocessExecutor::new(SupervisorProgram::at("/not/here"));
    let ended = executor.run(sandbox.sh("true")).await;
    assert!(reason(&ended).starts_with("the supervisor could not be started: "), "{}", reason(&ended));
    executor.close().await;
}
