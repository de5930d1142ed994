//! What a store says of its tables, and which stores are not for this program or purpose.

use super::spool::{Folder, mirror};
use super::{Error, OpenOptions, Purpose};

/// What a store says of itself.
#[derive(Debug, Default)]
pub struct Meta {
    /// How many migrations it has seen.
    pub schema: usize,
    /// The number of migrations a program must know to use it.
    pub needs: usize,
    /// It was created under `--now`.
    pub rehearsal: bool,
    /// Nothing in it was run: it was created under `--shadow`.
    pub shadow: bool,
}

impl Meta {
    /// Reads names and values.
    pub fn of(pairs: impl Iterator<Item = (String, String)>) -> Meta {
        let mut meta = Meta::default();
        for (name, value) in pairs {
            match name.as_str() {
                "schema" => meta.schema = value.parse().unwrap_or(usize::MAX),
                "needs" => meta.needs = value.parse().unwrap_or(usize::MAX),
                "rehearsal" => meta.rehearsal = true,
                "shadow" => meta.shadow = true,
                _ => {}
            }
        }
        meta
    }

    /// What a new store says of itself besides the number of its migrations.
    pub fn first(purpose: Purpose) -> Vec<(&'static str, &'static str)> {
        let is_rehearsal = matches!(purpose, Purpose::Rehearse | Purpose::RehearseShadow);
        let is_shadow = matches!(purpose, Purpose::Shadow | Purpose::RehearseShadow);
        let marks = [("rehearsal", is_rehearsal), ("shadow", is_shadow)].into_iter().filter(|(_, is_so)| *is_so);
        [("needs", "1")].into_iter().chain(marks.map(|(name, _)| (name, "yes"))).collect()
    }
}

/// Refuses a store that has no tables, and that this host has used.
///
/// # Errors
/// `Unavailable`, with what to do.
pub fn must_be_new(shown: &str, options: &OpenOptions) -> Result<(), Error> {
    let Some(host) = &options.host else { return Ok(()) };
    mirror::must_know_nothing(&Folder::at(host.clone()), &format!("the run-log `{shown}` has none of its tables"))
}

/// A store as messages name it, and how many migrations this program knows.
pub struct Form<'a> {
    /// Its address without secrets.
    pub shown: &'a str,
    /// The number of migrations.
    pub known: usize,
}

impl Form<'_> {
    /// Whether the store is for this program and purpose.
    ///
    /// # Errors
    /// `Refused` for one that needs a newer program, `Address` for one that is for another purpose.
    pub fn check(&self, meta: &Meta, purpose: Purpose) -> Result<(), Error> {
        let (shown, known) = (self.shown, self.known);
        if meta.needs > known {
            let form = meta.schema;
            return Err(Error::Refused {
                message: format!(
                    "the run-log `{shown}` needs a newer tickward: it has form {form}, this program knows up to {known}"
                ),
                help: "update this program, or use another run-log".into(),
            });
        }
        let (message, help) = match (purpose, meta.shadow, meta.rehearsal) {
            (Purpose::Work | Purpose::Foresee | Purpose::Rehearse, true, _) => (
                format!("the run-log `{shown}` was created under --shadow: nothing in it has been run"),
                "use another run-log for real ticks, or delete this one",
            ),
            (Purpose::Shadow | Purpose::RehearseShadow, false, _) => (
                format!("--shadow only decides, and the run-log `{shown}` is no shadow's"),
                "leave `--run-log-url` out, or name a file that does not exist yet",
            ),
            (Purpose::Shadow, _, true) => (
                format!("the shadow's run-log `{shown}` was created under --now, for a rehearsal"),
                "use another run-log, `--run-log-url FILE`, or delete this one",
            ),
            (Purpose::RehearseShadow, _, false) => (
                format!("--now is for rehearsals, and the shadow's run-log `{shown}` is a real one"),
                "rehearse on a run-log of its own: --run-log-url sqlite:rehearsal.db",
            ),
            (Purpose::Work | Purpose::Foresee, _, true) => (
                format!("the run-log `{shown}` was created under --now, for a rehearsal"),
                "use another run-log for real ticks, or delete this one",
            ),
            (Purpose::Rehearse, _, false) => (
                format!("--now is for rehearsals, and the run-log `{shown}` is a real one"),
                "add --dry-run, or rehearse on a run-log of its own: --run-log-url sqlite:rehearsal.db",
            ),
            _ => return Ok(()),
        };
        Err(Error::Address { message, help: help.into() })
    }
}
