//! Finds the configuration: what the flags name, else what the environment names, else the usual places.
//!
//! Nothing is read here but folders and standard input; reading files is for `load`.
//!
//! Holds always: the files of a folder come sorted by name, a file named twice comes once; what a flag or a variable
//! names is never passed over in silence.

use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User, geteuid};

use super::environment::Environment;
use super::problem::{Place, Problem};

/// Where a part of the configuration comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// A text that is there already.
    Text {
        /// What to call it: `<stdin>`, `$TICKWARD_CONFIG_YAML`.
        name: String,
        /// The document.
        text: String,
    },
    /// What a program that uses the library says of a pipeline: all of it stands at one place.
    Program {
        /// The file of the program's source.
        file: String,
        /// From 1.
        line: u32,
        /// From 1.
        column: u32,
        /// The document.
        text: String,
    },
}

/// What was found, and what was not.
#[derive(Debug, Default)]
pub struct Discovered {
    /// In the order in which to load them.
    pub sources: Vec<Source>,
    /// What was named and cannot be had.
    pub problems: Vec<Problem>,
}

/// Finds the sources. `flags` are the values of `--config`; `stdin` reads standard input to its end and is asked once
/// at most.
///
/// Flags beat the environment, and the environment beats the usual places: `./tickward.yaml`, the folder
/// `$XDG_CONFIG_HOME/tickward` (`~/.config/tickward`), `/etc/tickward`, of which the first with a file in it counts.
/// `$TICKWARD_CONFIG` is a path or several with commas between; `$TICKWARD_CONFIG_YAML` is a document; with both set,
/// both count.
pub fn discover(flags: &[String], environment: &Environment, stdin: impl FnOnce() -> io::Result<String>) -> Discovered {
    discover_among(flags, environment, stdin, &Fallback::Usual(usual_places(environment)))
}

/// Finds the sources for a program that names its own files or folders (none, too) in place of the usual ones: flags and
/// the environment beat them all the same.
pub fn discover_instead(
    own: &[String],
    flags: &[String],
    environment: &Environment,
    stdin: impl FnOnce() -> io::Result<String>,
) -> Discovered {
    discover_among(flags, environment, stdin, &Fallback::Named(own))
}

/// What counts where neither a flag nor a variable names anything.
enum Fallback<'a> {
    /// The first of these with a file in it.
    Usual(Vec<PathBuf>),
    /// All of these.
    Named(&'a [String]),
}

/// The usual places, the first first.
fn usual_places(environment: &Environment) -> Vec<PathBuf> {
    let home = || environment.get_filled("HOME").map(|home| Path::new(home).join(".config"));
    let config = environment.get_filled("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let mut places = vec![PathBuf::from("tickward.yaml"), PathBuf::from("tickward.yml")];
    places.extend(config.or_else(home).map(|config| config.join("tickward")));
    places.push(PathBuf::from("/etc/tickward"));
    places
}

fn discover_among(
    flags: &[String],
    environment: &Environment,
    stdin: impl FnOnce() -> io::Result<String>,
    fallback: &Fallback<'_>,
) -> Discovered {
    let mut finding = Finding { stdin: Some(stdin), seen: Vec::new(), found: Discovered::default() };
    if !flags.is_empty() {
        flags.iter().for_each(|flag| finding.named(flag, "--config"));
        return finding.found;
    }
    let paths = environment.get_filled("TICKWARD_CONFIG");
    let text = environment.get_filled("TICKWARD_CONFIG_YAML");
    for path in paths.iter().flat_map(|paths| paths.split(',')).filter(|path| !path.is_empty()) {
        finding.named(path, "$TICKWARD_CONFIG");
    }
    if let Some(text) = text {
        let name = "$TICKWARD_CONFIG_YAML".to_owned();
        finding.found.sources.push(Source::Text { name, text: text.to_owned() });
    }
    if paths.is_none() && text.is_none() {
        match fallback {
            Fallback::Usual(places) => finding.usual(places),
            Fallback::Named(own) => own.iter().for_each(|path| finding.named(path, "Registry::config")),
        }
    }
    finding.found
}

struct Finding<R> {
    stdin: Option<R>,
    seen: Vec<PathBuf>,
    found: Discovered,
}

impl<R: FnOnce() -> io::Result<String>> Finding<R> {
    /// Adds what a flag or variable names.
    fn named(&mut self, path: &str, by: &str) {
        if path == "-" {
            return self.standard_input();
        }
        let asked = Path::new(path);
        match asked.metadata() {
            Err(error) => {
                let message = format!("cannot read `{path}`, named by `{by}`: {}", reason(&error));
                self.refuse(message, "check the path, or leave it out for the usual places");
            }
            Ok(metadata) if metadata.is_dir() => match yaml_files(asked) {
                Ok(files) if files.is_empty() => {
                    let message = format!("the folder `{path}`, named by `{by}`, holds no configuration");
                    self.refuse(message, "put `*.yaml` or `*.yml` files into it");
                }
                Ok(files) => files.into_iter().for_each(|file| self.add(file)),
                Err(error) => {
                    let message = format!("cannot read the folder `{path}`, named by `{by}`: {}", reason(&error));
                    self.refuse(message, "check its permissions");
                }
            },
            Ok(_) => self.add(asked.to_owned()),
        }
    }

    fn standard_input(&mut self) {
        let Some(stdin) = self.stdin.take() else { return };
        match stdin() {
            Ok(text) => self.found.sources.push(Source::Text { name: "<stdin>".into(), text }),
            Err(error) => {
                self.refuse(format!("cannot read standard input: {}", reason(&error)), "it must be UTF-8 text")
            }
        }
    }

    /// Adds the first of the usual places that has something.
    fn usual(&mut self, places: &[PathBuf]) {
        for place in places {
            let files = match place.metadata() {
                Ok(metadata) if metadata.is_dir() => yaml_files(place).unwrap_or_default(),
                Ok(_) => vec![place.clone()],
                Err(_) => continue,
            };
            if !files.is_empty() {
                return files.into_iter().for_each(|file| self.add(file));
            }
        }
        let looked: Vec<String> = places.iter().map(|place| format!("`{}`", place.display())).collect();
        let help = format!("name one with `--config`; looked for {}", looked.join(", "));
        self.refuse("no configuration found".into(), &help);
    }

    fn add(&mut self, file: PathBuf) {
        let real = file.canonicalize().unwrap_or_else(|_| file.clone());
        if !self.seen.contains(&real) {
            self.seen.push(real);
            self.found.sources.push(Source::File(file));
        }
    }

    fn refuse(&mut self, message: String, help: &str) {
        self.found.problems.push(Problem::error(None, message).with_help(help));
    }
}

/// The `*.yaml` and `*.yml` files of a folder, hidden ones and what is no file aside, sorted by name.
fn yaml_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in folder.read_dir()? {
        let path = entry?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        // A link to what is not there now may lead to what names the run-log of all.
        let is_file = path.is_file() || path.is_symlink() && !path.exists();
        if is_yaml && !is_hidden && is_file {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Why something could not be read, in words without the system's number.
pub(super) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "it does not exist".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        io::ErrorKind::InvalidData => "it is not UTF-8".into(),
        _ => error.to_string(),
    }
}

/// What to do about a file that could not be read.
pub(super) fn how_to_read(path: &Path, error: &io::Error) -> String {
    if error.kind() != io::ErrorKind::PermissionDenied {
        return "check the path and its permissions".into();
    }
    let Ok(data) = path.metadata() else {
        return "this user may not enter its folder: run as one who may".into();
    };
    let owner = match User::from_uid(Uid::from_raw(data.uid())) {
        Ok(Some(user)) => format!("`{}`", user.name),
        _ => format!("user {}", data.uid()),
    };
    let owner = (data.uid() != geteuid().as_raw()).then_some(owner);
    unlock(&path.display().to_string(), data.permissions().mode() & 0o7777, owner.as_deref())
}

/// What to do about a file of this mode; the owner, where that is somebody else.
fn unlock(path: &str, mode: u32, owner: Option<&str>) -> String {
    match owner {
        None => format!("its mode is {mode:03o}: `chmod u+r {path}`"),
        Some(owner) if mode & 0o400 != 0 => {
            format!("it is {owner}'s, mode {mode:03o}: run as that user, or let this one read it")
        }
        Some(owner) => {
            format!("it is {owner}'s, mode {mode:03o}, so that not even that user may read it: `chmod u+r {path}`")
        }
    }
}

/// A problem of a file as a whole.
pub(super) fn of_file(file: &Path, message: &str, help: &str) -> Problem {
    Problem::error(Some(Place::whole(&file.display().to_string())), message).with_help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_may_not_read_a_file_is_told_whose_it_is_and_what_to_do() {
        for (mode, owner, expected) in [
            (0, None, "its mode is 000: `chmod u+r x.yaml`"),
            (0o600, Some("`root`"), "it is `root`'s, mode 600: run as that user, or let this one read it"),
            (0, Some("user 7"), "it is user 7's, mode 000, so that not even that user may read it: `chmod u+r x.yaml`"),
        ] {
            assert_eq!(unlock("x.yaml", mode, owner), expected);
        }
        let error = io::Error::from(io::ErrorKind::PermissionDenied);
        let closed = how_to_read(Path::new("/no/such/folder/x.yaml"), &error);
        assert_eq!(closed, "this user may not enter its folder: run as one who may");
        let mine = tempfile::NamedTempFile::new().unwrap();
        let told = how_to_read(mine.path(), &error);
        assert!(told.starts_with("its mode is 600: "), "{told}");
    }

    fn found(flags: &[&str], variables: &[(&str, &str)], usual: &[PathBuf]) -> Discovered {
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let environment = Environment::of(variables.iter().copied());
        discover_among(&flags, &environment, || Ok("from stdin".into()), &Fallback::Usual(usual.to_vec()))
    }

    fn names(found: &Discovered, root: &Path) -> Vec<String> {
        let name = |source: &Source| match source {
            Source::File(path) => path.strip_prefix(root).unwrap_or(path).display().to_string(),
            Source::Text { name, .. } => name.clone(),
            Source::Program { file, .. } => file.clone(),
        };
        found.sources.iter().map(name).collect()
    }

    #[test]
    fn flags_beat_the_environment_and_that_the_usual_places() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["etc", "empty", "home"] {
            std::fs::create_dir(root.path().join(folder)).unwrap();
        }
        for file in ["a.yaml", "etc/z.yml", "etc/b.yaml", "etc/.hidden.yaml", "etc/notes.txt", "empty/readme"] {
            std::fs::write(root.path().join(file), "").unwrap();
        }
        let at = |name: &str| root.path().join(name).display().to_string();
        let usual = [root.path().join("none.yaml"), root.path().join("empty"), root.path().join("etc")];
        let (a, etc) = (at("a.yaml"), at("etc"));
        let both = format!("{a},{etc}");
        for (flags, variables, expected) in [
            (vec![], vec![], vec!["etc/b.yaml", "etc/z.yml"]),
            (vec![], vec![("TICKWARD_CONFIG", "")], vec!["etc/b.yaml", "etc/z.yml"]),
            (vec![], vec![("TICKWARD_CONFIG", a.as_str())], vec!["a.yaml"]),
            (vec![], vec![("TICKWARD_CONFIG", both.as_str())], vec!["a.yaml", "etc/b.yaml", "etc/z.yml"]),
            (vec![], vec![("TICKWARD_CONFIG_YAML", "x: 1")], vec!["$TICKWARD_CONFIG_YAML"]),
            (
                vec![],
                vec![("TICKWARD_CONFIG_YAML", "x: 1"), ("TICKWARD_CONFIG", &a)],
                vec!["a.yaml", "$TICKWARD_CONFIG_YAML"],
            ),
            (vec!["-", "-"], vec![("TICKWARD_CONFIG", &a)], vec!["<stdin>"]),
            (vec![etc.as_str(), a.as_str(), a.as_str()], vec![], vec!["etc/b.yaml", "etc/z.yml", "a.yaml"]),
        ] {
            let found = found(&flags, &variables, &usual);
            assert_eq!(names(&found, root.path()), expected, "{flags:?} {variables:?}");
            assert_eq!(found.problems, []);
        }
    }

    #[test]
    fn what_is_named_and_cannot_be_had_is_a_problem() {
        let root = tempfile::tempdir().unwrap();
        let empty = root.path().display().to_string();
        for (flags, expected) in [
            (
                vec!["/no/such.yaml"],
                "error: cannot read `/no/such.yaml`, named by `--config`: it does not exist\n\
                 help: check the path, or leave it out for the usual places"
                    .to_owned(),
            ),
            (
                vec![empty.as_str()],
                format!(
                    "error: the folder `{empty}`, named by `--config`, holds no configuration\n\
                     help: put `*.yaml` or `*.yml` files into it"
                ),
            ),
            (
                vec![],
                "error: no configuration found\nhelp: name one with `--config`; looked for `/no/x.yaml`".to_owned(),
            ),
        ] {
            let found = found(&flags, &[], &[PathBuf::from("/no/x.yaml")]);
            assert_eq!(found.problems.first().map(ToString::to_string), Some(expected));
            assert_eq!(found.sources, []);
        }
    }
}
