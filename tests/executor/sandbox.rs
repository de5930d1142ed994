//! What the tests of bodies share: a folder, an executor of the real program, jobs with short words, waiting for conditions.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tickward::clock::boot_now;
use tickward::executor::{Ended, Executor, Input, Job, Program, SubprocessExecutor, SupervisorProgram};
use tickward::occurrence::Token;

/// Reached only by failures.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// A folder of its own and an executor.
pub struct Sandbox {
    pub folder: TempDir,
    pub executor: SubprocessExecutor,
}

impl Sandbox {
    pub fn new() -> Sandbox {
        let program = SupervisorProgram::at(env!("CARGO_BIN_EXE_tickward"));
        Sandbox { folder: tempfile::tempdir().unwrap(), executor: SubprocessExecutor::new(program) }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A job for a shell, working in the sandbox's folder.
    pub fn sh(&self, line: &str) -> Job {
        job(Program::Shell(line.into()), self.folder.path())
    }

    pub fn argv(&self, words: &[&str]) -> Job {
        job(Program::Argv(words.iter().map(|word| (*word).to_string()).collect()), self.folder.path())
    }

    /// Runs one job and ends the supervisor.
    pub async fn run(&self, job: Job) -> Ended {
        let ended = tokio::time::timeout(DEADLINE, self.executor.run(job)).await.expect("the job should have ended");
        self.executor.close().await;
        ended
    }

    /// Waits until a body has written this file, and returns its text.
    pub async fn written(&self, name: &str) -> String {
        let path = self.path(name);
        wait_for(&format!("{name} to be written"), || path.exists()).await;
        std::fs::read_to_string(path).unwrap()
    }

    /// Waits until a body has written its process id into this file.
    pub async fn pid(&self, name: &str) -> i32 {
        self.written(name).await.trim().parse().unwrap()
    }

    /// The living processes that work in the sandbox's folder.
    pub fn processes(&self) -> Vec<i32> {
        let entries = std::fs::read_dir("/proc").unwrap();
        let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
        let is_here =
            |pid: &i32| std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == self.folder.path());
        pids.filter(is_here).collect()
    }

    pub fn mode_bits_of(&self, name: &str) -> u32 {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(self.path(name)).unwrap().permissions().mode() & 0o777
    }
}

pub fn job(program: Program, cwd: &Path) -> Job {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Job {
        token: Token(u128::from(NEXT.fetch_add(1, Ordering::Relaxed))),
        program,
        cwd: Some(cwd.to_path_buf()),
        env: vec![("PATH".into(), std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/bin:/bin")))],
        stdin: Input::Null,
        user: None,
        group: None,
        memory_limit_bytes: None,
        timeout: None,
        kill_grace: Duration::from_secs(5),
        stop_at: boot_now().plus(Duration::from_secs(3600)),
        start_mark: None,
        output: None,
        output_limit_bytes: 1 << 20,
        places: None,
        around: None,
    }
}

/// Waits until the condition holds.
pub async fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let give_up_at = boot_now().plus(DEADLINE);
    while !condition() {
        assert!(boot_now() < give_up_at, "waited too long for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Whether the process lives; a zombie does not.
pub fn lives(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// What the body printed, as text.
pub fn printed(ended: &Ended) -> String {
    String::from_utf8_lossy(&[&ended.output.head[..], &ended.output.tail[..]].concat()).into_owned()
}

/// A shell line that starts `command` in a session of its own, without parent and without our pipe, and writes its process
/// id into `file`: what a daemon does.
pub fn daemon(command: &str, file: &str) -> String {
    let inner = format!("echo $$ > {file}.new; mv {file}.new {file}; {command}");
    format!("(setsid sh -c '{inner}' </dev/null >/dev/null 2>&1 &); until [ -e {file} ]; do sleep 0.01; done;")
}

/// In KiB: the largest resident size of the process so far (`VmHWM`).
pub fn peak_of(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
