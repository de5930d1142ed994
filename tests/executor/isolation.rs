//! What a body finds: session, descriptors, signals, environment, streams, user.

use std::os::unix::ffi::OsStringExt;

use tickward::executor::{End, Input, NotStarted};

use crate::sandbox::{Sandbox, printed};

#[tokio::test]
async fn a_body_leads_a_session_and_a_group_of_its_own() {
    let sandbox = Sandbox::new();
    let ended = sandbox.run(sandbox.argv(&["cat", "/proc/self/stat"])).await;
    let text = printed(&ended);
    let pid = text.split(' ').next().unwrap();
    let fields = text.rsplit_once(") ").unwrap().1.split(' ').collect::<Vec<_>>();
    assert_eq!((fields[2], fields[3]), (pid, pid), "{text}");
}

#[tokio::test]
async fn a_body_has_three_descriptors_and_no_more() {
    let leaked = std::fs::File::open("/dev/null").unwrap();
    // As whoever started the tick may have left one open.
    nix::fcntl::fcntl(&leaked, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty())).unwrap();
    let sandbox = Sandbox::new();
    let ended = sandbox.run(sandbox.argv(&["ls", "/proc/self/fd"])).await;
    // The last one is the folder that it lists.
    assert_eq!(printed(&ended), "0\n1\n2\n3\n");
}

#[tokio::test]
async fn a_body_has_default_signals() {
    let sandbox = Sandbox::new();
    let ended = sandbox.run(sandbox.argv(&["cat", "/proc/self/status"])).await;
    let text = printed(&ended);
    for name in ["SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt"] {
        assert!(text.contains(&format!("\n{name}:\t0000000000000000\n")), "{name}: {text}");
    }
}

#[tokio::test]
async fn the_environment_is_that_of_the_job() {
    let sandbox = Sandbox::new();
    let mut job = sandbox.argv(&["/usr/bin/env", "-0"]);
    let weird = std::ffi::OsString::from_vec(b"a\xff\nb=c".to_vec());
    job.env = vec![("A".into(), weird), ("EMPTY".into(), "".into()), ("TICKWARD_BODY".into(), "not ours".into())];
    let ended = sandbox.run(job).await;
    let all = ended.output.head.split(|byte| *byte == 0).collect::<Vec<_>>();
    assert_eq!(&all[..2], [&b"A=a\xff\nb=c"[..], b"EMPTY="]);
    assert!(all[2].starts_with(b"TICKWARD_BODY=") && all[2].ends_with(b".1"), "{:?}", all[2]);
    assert_eq!(all[3..], [b""]);
}

#[tokio::test]
async fn the_standard_input_is_what_the_job_says() {
    let big = "line of text\n".repeat(100_000);
    for (input, expected) in [
        (Input::Null, "0"),
        (Input::Text(String::new()), "0"),
        (Input::Text("hello".into()), "5"),
        (Input::Text(big), "1300000"),
        (Input::File("in.txt".into()), "3"),
    ] {
        let sandbox = Sandbox::new();
        std::fs::write(sandbox.path("in.txt"), "abc").unwrap();
        let mut job = sandbox.sh("wc -c");
        job.stdin = input;
        assert_eq!(printed(&sandbox.run(job).await).trim(), expected);
    }
}

#[tokio::test]
async fn an_unread_input_blocks_nobody() {
    let sandbox = Sandbox::new();
    let mut job = sandbox.sh("exit 3");
    job.stdin = Input::Text("x".repeat(5_000_000));
    assert_eq!(sandbox.run(job).await.end, End::Exited(3));
}

#[tokio::test]
async fn an_argument_is_never_split_or_interpreted() {
    let sandbox = Sandbox::new();
    let ended = sandbox.run(sandbox.argv(&["printf", "[%s]", "a b", "$HOME", "*", "", "\"'`;", "ü"])).await;
    assert_eq!(printed(&ended), "[a b][$HOME][*][][\"'`;][ü]");
}

#[tokio::test]
async fn another_user_is_taken_with_groups_and_home_or_refused_in_words() {
    let line = "id -un; id -gn; echo $HOME $USER $LOGNAME; echo said > /dev/stdout; cat";
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path("mine"), "secret").unwrap();
    std::fs::set_permissions(sandbox.path("mine"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut job = sandbox.sh(line);
    job.user = Some("nobody".into());
    job.cwd = Some("/".into());
    job.env.push(("LOGNAME".into(), "explicit".into()));
    job.stdin = Input::Text("from the input\n".into());
    job.start_mark = Some(sandbox.path("mark"));
    if !nix::unistd::geteuid().is_root() {
        job.user = Some("root".into());
        let ended = sandbox.run(job).await;
        let End::NotStarted(NotStarted::Failed(reason)) = ended.end else { panic!("{ended:?}") };
        assert!(reason.contains("is not permitted"), "{reason}");
        assert!(!sandbox.path("mark").exists());
        return;
    }
    let mut forbidden = job.clone();
    forbidden.stdin = Input::File(sandbox.path("mine"));
    forbidden.start_mark = Some(sandbox.path("mark2"));
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    let group = nix::unistd::Group::from_gid(nobody.gid).unwrap().unwrap();
    let ended = sandbox.run(job).await;
    let home = nobody.dir.display();
    assert_eq!(
        printed(&ended),
        format!("nobody\n{}\n{home} nobody explicit\nsaid\nfrom the input\n", group.name),
        "{ended:?}"
    );
    assert!(sandbox.path("mark").exists());
    let again = Sandbox::new();
    let ended = again.run(forbidden).await;
    let End::NotStarted(NotStarted::Failed(reason)) = ended.end else { panic!("{ended:?}") };
    assert!(reason.starts_with("standard input `") && reason.ends_with("is not permitted to this user"), "{reason}");
    assert!(!sandbox.path("mark2").exists(), "the mark was ours, and the program was never executed");
}
