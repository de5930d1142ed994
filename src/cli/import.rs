//! `tickward import crontab`: a crontab as a configuration, and a report of what could not be said.
//!
//! `crontab` reads the lines, `command` says what a command asks for that tickward has a key for, `glue` what it does for
//! itself, `name` finds names, `yaml` writes. The configuration goes to standard output or a new file, the report to standard error.
//!
//! Holds always: nothing of a line is lost without a remark with its number; no file is overwritten.

mod command;
mod crontab;
mod glue;
mod name;
mod remark;
mod shell;
mod simple;
mod yaml;

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::{ErrorKind, IsTerminal, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anstyle::AnsiColor;

use super::exit::Exit;
use super::print;
use crate::schedule::parse_zone;
use crontab::Job;
use remark::{Remarks, Sort};

/// Bytes that a crontab may have.
const MAX_BYTES: u64 = 16 << 20;

/// Makes a configuration of what another scheduler knows
#[derive(clap::Args, Debug)]
pub struct Import {
    #[command(subcommand)]
    from: From,
}

#[derive(clap::Subcommand, Debug)]
enum From {
    /// Of a user's crontab, or of the system's, which have a user before each command
    Crontab(Crontab),
    /// Of the system's crontabs: `import crontab --system`
    #[command(name = "cron.d")]
    CronD(Crontab),
}

/// What to read and where to write
#[derive(clap::Args, Debug)]
struct Crontab {
    /// A crontab as `crontab -l` prints it, a folder of them such as /etc/cron.d, or `-` for standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    /// The lines have a user before the command, as in /etc/crontab and /etc/cron.d, where that is taken for granted
    #[arg(long)]
    system: bool,
    /// Whose crontab it is: the pipelines run as this user
    #[arg(long, value_name = "NAME", conflicts_with = "system")]
    user: Option<String>,
    /// The zone in which cron reads the schedules [default: that of this host]
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// Write the configuration to this file, which must not exist
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Import {
    pub fn execute(&self) -> Exit {
        let (asked, system) = match &self.from {
            From::Crontab(asked) => (asked, asked.system || is_of_system(&asked.file)),
            From::CronD(asked) => (asked, true),
        };
        asked.import(system && asked.user.is_none()).unwrap_or_else(|exit| exit)
    }
}

/// Whether a crontab at this path has a column of users.
fn is_of_system(path: &Path) -> bool {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let is_folder = |path: &Path| path.file_name().is_some_and(|name| name == "cron.d");
    path == Path::new("/etc/crontab") || is_folder(&path) || path.parent().is_some_and(is_folder)
}

impl Crontab {
    fn import(&self, system: bool) -> Result<Exit, Exit> {
        let mut remarks = Remarks::default();
        let mut jobs = Vec::new();
        let mut names = name::Names::default();
        let zone = self.zone()?;
        let mut found = Vec::new();
        for (file, bytes) in self.read()? {
            remarks.turn_to(&file);
            let read = crontab::read(&bytes, system, &mut remarks);
            found.extend(read.into_iter().map(|job| (file.clone(), job)));
        }
        let locks = locks(found.iter().map(|(_, job)| job));
        for (file, job) in found {
            remarks.turn_to(&file);
            jobs.push(self.pipeline(job, &zone, &locks, &mut names, &mut remarks));
        }
        let (count, left_out) = (jobs.len(), remarks.count(Sort::LeftOut));
        if jobs.is_empty() {
            tell(&remarks);
            print::error("no line became a pipeline", "give a crontab, as in `crontab -l | tickward import crontab`");
            return Err(Exit::Usage);
        }
        self.write(&yaml::document(&zone, jobs))?;
        tell(&remarks);
        self.tell_rules(count, left_out);
        Ok(if left_out == 0 { Exit::Done } else { Exit::PartlyInvalid })
    }

    /// The zone of the schedules.
    fn zone(&self) -> Result<String, Exit> {
        let zone = self.timezone.clone().unwrap_or_else(host_zone);
        parse_zone(&zone).map_err(|error| {
            print::error(&error.to_string(), error.help.as_deref().unwrap_or_default());
            Exit::Usage
        })?;
        Ok(zone)
    }

    /// The files and their bytes.
    fn read(&self) -> Result<Vec<(String, Vec<u8>)>, Exit> {
        let refuse = |path: &Path, error: std::io::Error| {
            print::error(&format!("`{}` cannot be read: {error}", path.display()), "name a crontab, a folder, or `-`");
            Exit::Usage
        };
        if self.file == Path::new("-") {
            if std::io::stdin().is_terminal() {
                print::note(
                    "reads a crontab from standard input; `crontab -l | tickward import crontab` is what you may want",
                );
            }
            let bytes = bounded(std::io::stdin()).map_err(|error| refuse(&self.file, error))?;
            return Ok(vec![("<stdin>".into(), bytes)]);
        }
        let mut paths = vec![self.file.clone()];
        if self.file.is_dir() {
            let entries = self.file.read_dir().map_err(|error| refuse(&self.file, error))?;
            paths = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file() && is_run(path)).collect();
            paths.sort();
        }
        let read = |path: PathBuf| {
            let bytes = std::fs::File::open(&path).and_then(bounded).map_err(|error| refuse(&path, error))?;
            Ok((path.display().to_string(), bytes))
        };
        paths.into_iter().map(read).collect()
    }

    fn pipeline(
        &self,
        job: Job,
        zone: &str,
        locks: &HashMap<String, usize>,
        names: &mut name::Names,
        remarks: &mut Remarks,
    ) -> yaml::Pipeline {
        let shell = job.around.shell.clone().filter(|shell| shell != "/bin/sh");
        let is_bash = shell.as_ref().is_some_and(|shell| shell.ends_with("/bash"));
        let rewritten = command::rewrite(&job.command, is_bash, |lock| locks.get(lock).is_some_and(|lines| *lines > 1));
        for (sort, what, help) in &rewritten.remarks {
            remarks.add(*sort, job.line, what, help);
        }
        let column = job.user.as_deref().or(self.user.as_deref());
        let (user, group) = match column.and_then(|user| user.split_once(':')) {
            Some((user, group)) => (Some(user), Some(group)),
            None => (column, None),
        };
        let home = match (&job.around.home, user) {
            (Some(home), _) => Some(home.clone()),
            (None, Some(user)) => home_of(user, job.line, remarks),
            (None, None) => None,
        };
        let random = Some(job.around.random_delay * 60).filter(|seconds| *seconds > 0);
        yaml::Pipeline {
            name: names.for_command(&rewritten.line),
            description: job.comment,
            schedule: job.schedule,
            timezone: job.zone.filter(|own| own != zone),
            jitter: rewritten.jitter.or(random),
            user: user.map(str::to_owned),
            group: group.map(str::to_owned),
            cwd: rewritten.cwd.or(home),
            env: job.around.variables,
            shell,
            command: rewritten.line,
            stdin: job.stdin,
            timeout: rewritten.timeout,
            kill_grace: rewritten.kill_grace,
        }
    }

    fn write(&self, text: &str) -> Result<(), Exit> {
        let Some(path) = &self.output else {
            print::out(text);
            return Ok(());
        };
        // A command may hold a password, as it may in a crontab, which only its owner may read.
        let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        created.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| {
            match error.kind() {
                ErrorKind::AlreadyExists => print::error(
                    &format!("`{}` exists already; it is left as it is", path.display()),
                    "name another file with `--output`",
                ),
                _ => print::error(&format!("`{}` cannot be written: {error}", path.display()), ""),
            }
            Exit::Usage
        })
    }

    /// What holds for all lines, and what to do next.
    fn tell_rules(&self, count: usize, left_out: usize) {
        print::note(&format!("pipelines: {count}; lines left out: {left_out}"));
        print::note(
            "Different from cron: a run is skipped while the one before still goes (`overlap`), and the newest occurrence\n\
             that was missed is made up for (`catch_up: skip` if it must not be). Commands start where the tick does, in\n\
             the home folder if cron calls it, unless `cwd` says otherwise.",
        );
        let file = self.output.as_ref().map_or("FILE".into(), |path| path.display().to_string());
        print::note(&format!(
            "Next: `tickward validate -c {file}`; then take the lines out of the crontab, or they run twice."
        ));
    }
}

/// Of how many lines each lock is.
fn locks<'j>(jobs: impl Iterator<Item = &'j Job>) -> HashMap<String, usize> {
    let mut locks = HashMap::new();
    for lock in jobs.filter_map(|job| command::lock_of(&job.command)) {
        *locks.entry(lock).or_default() += 1;
    }
    locks
}

/// Whether cron reads a file of that name in a folder: not what editors and packagers leave there.
fn is_run(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

fn bounded(from: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > MAX_BYTES {
        true => Err(std::io::Error::other("it is larger than any crontab")),
        false => Ok(bytes),
    }
}

/// The home folder of a user, where cron starts commands.
fn home_of(user: &str, line: usize, remarks: &mut Remarks) -> Option<String> {
    let entry = match user.parse() {
        Ok(number) => nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(number)),
        Err(_) => nix::unistd::User::from_name(user),
    };
    match entry {
        Ok(Some(entry)) => Some(entry.dir.to_string_lossy().into_owned()).filter(|home| home.starts_with('/')),
        _ => {
            let help = "cron starts commands in the home folder: set `cwd` where that matters";
            remarks.add(Sort::Note, line, &format!("the user `{user}` is unknown here"), help);
            None
        }
    }
}

/// The zone that the host's clock shows, `UTC` where nothing says so.
fn host_zone() -> String {
    let linked = Path::new("/etc/localtime").canonicalize().ok();
    let linked = linked.and_then(|path| path.to_str()?.split_once("/zoneinfo/").map(|(_, zone)| zone.to_owned()));
    let named = || std::fs::read_to_string("/etc/timezone").ok().map(|zone| zone.trim().to_owned());
    let known = |zone: &String| parse_zone(zone).is_ok();
    linked.filter(known).or_else(|| named().filter(known)).unwrap_or_else(|| "UTC".into())
}

fn tell(remarks: &Remarks) {
    for remark in remarks.in_order() {
        let (word, colour) = match remark.sort {
            Sort::LeftOut => ("left out", AnsiColor::Red),
            Sort::Replaced => ("replaced", AnsiColor::Yellow),
            Sort::Note => ("note    ", AnsiColor::Cyan),
        };
        print::note(&format!(
            "{} {}: {}",
            print::painted(word, colour),
            print::printable(&remarks.place(remark)),
            print::printable(&remark.what)
        ));
        if !remark.help.is_empty() {
            print::note(&format!("         help: {}", print::printable(&remark.help)));
        }
    }
}
