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
    /// Which of the files.
    file: usize,
    /// The line, from 1.
    line: usize,
    /// A lower-case fragment.
    pub what: String,
    /// What to do about it; may be empty.
    pub help: String,
}

/// The remarks on the files that are read.
#[derive(Debug, Default)]
pub struct Remarks {
    /// The files in the order in which they were read, as the user named them.
    files: Vec<String>,
    /// Which of them the remarks are on.
    file: usize,
    /// In the order in which they were made.
    pub all: Vec<Remark>,
}

impl Remarks {
    /// Turns to a file: the remarks that follow are on its lines.
    pub fn turn_to(&mut self, file: &str) {
        let known = self.files.iter().position(|known| known == file);
        self.file = known.unwrap_or_else(|| {
            self.files.push(file.to_owned());
            self.files.len() - 1
        });
    }

    /// Adds a remark on a line of the file.
    pub fn add(&mut self, sort: Sort, line: usize, what: &str, help: &str) {
        self.all.push(Remark { sort, file: self.file, line, what: masked_line(what), help: masked_line(help) });
    }

    /// In the order of the files as they were read and of their lines; those on one line as they were made.
    pub fn in_order(&self) -> Vec<&Remark> {
        let mut all: Vec<&Remark> = self.all.iter().collect();
        all.sort_by_key(|remark| (remark.file, remark.line));
        all
    }

    /// The file and the line of a remark, as `crontab:7`.
    pub fn place(&self, remark: &Remark) -> String {
        format!("{}:{}", self.files[remark.file], remark.line)
    }

    /// How many there are of a sort.
    pub fn count(&self, sort: Sort) -> usize {
        self.all.iter().filter(|remark| remark.sort == sort).count()
    }
}
