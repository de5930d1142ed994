//! What an import has to say about the lines of a crontab.
//!
//! Holds always: every remark has a line, and shows no secret that the configuration knows to recognise.

use crate::config::secret::masked_line;

/// What became of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// It is not in the configuration.
    LeftOut,
    /// Something else that means the same, or nearly so, is.
    Replaced,
    /// It is there, and worth knowing about.
    Note,
}

/// One remark.
#[derive(Clone, Debug)]
pub struct Remark {
    /// What became of it.
    pub sort: Sort,
    /// The file and the line, as `crontab:7`.
    pub place: String,
    /// A lower-case fragment.
    pub what: String,
    /// What to do about it; may be empty.
    pub help: String,
}

/// The remarks on the files that are read.
#[derive(Debug, Default)]
pub struct Remarks {
    /// The file that is being read, as the user named it.
    pub file: String,
    /// In the order in which they were made.
    pub all: Vec<Remark>,
}

impl Remarks {
    /// Adds a remark on a line of the file.
    pub fn add(&mut self, sort: Sort, line: usize, what: &str, help: &str) {
        let place = format!("{}:{line}", self.file);
        self.all.push(Remark { sort, place, what: masked_line(what), help: masked_line(help) });
    }

    /// How many there are of a sort.
    pub fn count(&self, sort: Sort) -> usize {
        self.all.iter().filter(|remark| remark.sort == sort).count()
    }
}
