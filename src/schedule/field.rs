//! Reads one field of a crontab line into a set of values.
//!
//! A field is a list of entries; an entry is `*`, a value or a range, each with an optional step. The rules are those
//! of crontab(5), with two that all its descendants have: `5/15` steps from 5 to the end, and names may stand in ranges.
//!
//! Holds always: a set that is returned has at least one value, and all are in the field's range.

use super::error::Error;
use super::foreign;

/// One of the five fields: its range and its words.
pub(super) struct Field {
    name: &'static str,
    low: u32,
    high: u32,
    /// Three-letter names, beginning with the one of value `first_name`.
    names: &'static [&'static str],
    first_name: u32,
    /// What may be written, as advice.
    known: &'static str,
}

pub(super) const MINUTE: Field =
    Field { name: "minute", low: 0, high: 59, names: &[], first_name: 0, known: "use 0 to 59" };
pub(super) const HOUR: Field =
    Field { name: "hour", low: 0, high: 23, names: &[], first_name: 0, known: "use 0 to 23" };
pub(super) const DAY_OF_MONTH: Field =
    Field { name: "day of month", low: 1, high: 31, names: &[], first_name: 0, known: "use 1 to 31" };
pub(super) const MONTH: Field = Field {
    name: "month",
    low: 1,
    high: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    first_name: 1,
    known: "use 1 to 12, or a name from jan to dec",
};
/// Sunday is 0 and 7; a set that is read here may hold both.
pub(super) const DAY_OF_WEEK: Field = Field {
    name: "day of week",
    low: 0,
    high: 7,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
    first_name: 0,
    known: "use 0 to 7, or a name from sun to sat",
};

/// The values a field allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Values {
    /// One bit for each allowed value; the lowest bit is value 0.
    pub(super) bits: u64,
    /// Whether the text starts with `*`, as `*/2` does too. It decides how days are joined and what daylight saving
    /// does to a line.
    pub(super) starts_with_star: bool,
}

/// A piece of a schedule's text and where it begins in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'t> {
    pub(super) text: &'t str,
    pub(super) at: usize,
}

impl<'t> Piece<'t> {
    /// An error about this piece.
    pub(super) fn error(self, message: impl Into<String>) -> Error {
        Error::new(message, self.at..self.at + self.text.len())
    }

    /// The pieces before and after the first `mark`.
    pub(super) fn split_once(self, mark: &str) -> Option<(Piece<'t>, Piece<'t>)> {
        let place = self.text.find(mark)?;
        let (before, after) = self.split_at(place);
        Some((before, after.split_at(mark.len()).1))
    }

    /// The pieces before and from a byte of this one on.
    pub(super) fn split_at(self, place: usize) -> (Piece<'t>, Piece<'t>) {
        let (before, after) = self.text.split_at(place);
        (Piece { text: before, at: self.at }, Piece { text: after, at: self.at + place })
    }
}

impl Field {
    /// Reads the text of a field, which has no white space.
    ///
    /// # Errors
    /// Fails at the first entry that is not understood or out of range.
    pub(super) fn parse(&self, piece: Piece<'_>) -> Result<Values, Error> {
        let mut bits = 0;
        let mut rest = piece;
        while let Some((entry, later)) = rest.split_once(",") {
            bits |= self.entry(entry)?;
            rest = later;
        }
        bits |= self.entry(rest)?;
        Ok(Values { bits, starts_with_star: piece.text.starts_with('*') })
    }

    fn entry(&self, entry: Piece<'_>) -> Result<u64, Error> {
        let (values, step) = match entry.split_once("/") {
            Some((values, step)) => (values, Some(self.step(step)?)),
            None => (entry, None),
        };
        let (first, last) = if values.text == "*" {
            (self.low, self.high)
        } else if let Some((first, last)) = values.split_once("-") {
            self.range(values, first, last)?
        } else {
            let only = self.value(values)?;
            (only, if step.is_some() { self.high } else { only })
        };
        Ok((first..=last).step_by(step.unwrap_or(1)).fold(0, |bits, value| bits | 1 << value))
    }

    fn range(&self, both: Piece<'_>, first: Piece<'_>, last: Piece<'_>) -> Result<(u32, u32), Error> {
        let (low, high) = (self.value(first)?, self.value(last)?);
        if low <= high {
            return Ok((low, high));
        }
        let error = both.error(format!("{} range `{}` runs backwards", self.name, both.text));
        Err(match (self.high, high) {
            (7, 0) => error.help(format!("use `{}-7`: as the end of a range, sunday is 7", first.text)),
            // Saturday is the last day of a week that is written as two ranges.
            (7, _) => error.help(format!("use `{},{}`", span_of(low, 6), span_of(0, high))),
            _ => error.help(format!("use `{},{}`", span_of(low, self.high), span_of(self.low, high))),
        })
    }

    fn step(&self, step: Piece<'_>) -> Result<usize, Error> {
        let advice = "use a whole number from 1, as in `*/15`";
        if step.text.is_empty() || !step.text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(step.error(format!("{} step `{}` is not a number", self.name, step.text)).help(advice));
        }
        // A number too long to hold is past the end of every range, like any step that is too large.
        match step.text.parse().unwrap_or(usize::MAX) {
            0 => Err(step.error(format!("{} step `{}` leads nowhere", self.name, step.text)).help(advice)),
            step => Ok(step),
        }
    }

    fn value(&self, value: Piece<'_>) -> Result<u32, Error> {
        if value.text.is_empty() {
            return Err(value.error(format!("{} has an empty entry", self.name)).help(self.known));
        }
        if value.text.bytes().all(|byte| byte.is_ascii_digit()) {
            return match value.text.parse() {
                Ok(number) if (self.low..=self.high).contains(&number) => Ok(number),
                _ => Err(value.error(format!("{} `{}` is out of range", self.name, value.text)).help(self.known)),
            };
        }
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(value.text));
        match named {
            Some(position) => Ok(position as u32 + self.first_name),
            None => {
                let error = value.error(format!("{} `{}` is not understood", self.name, value.text));
                let is_weekday = self.high == DAY_OF_WEEK.high;
                Err(error.help(foreign::advice(value.text, is_weekday).unwrap_or_else(|| self.known.into())))
            }
        }
    }

    /// Returns one text for a set of this field, the same for equal sets, that reads as that set again.
    pub(super) fn canonical(&self, values: Values) -> String {
        if !values.starts_with_star {
            return spans(values.bits);
        }
        // Sunday has become 0 by now.
        let last = if self.high == 7 { 6 } else { self.high };
        let length = last - self.low + 1;
        let stepped = |step: usize| (self.low..=last).step_by(step).fold(0, |bits, value| bits | 1 << value);
        match (1..=length).find(|&step| stepped(step as usize) == values.bits) {
            Some(1) => "*".to_owned(),
            Some(step) => format!("*/{step}"),
            // A step of the range's length leaves the first value alone, which every set with a star has.
            None => format!("*/{length},{}", spans(values.bits & !(1u64 << self.low))),
        }
    }
}

/// Text that reads as the values from `low` to `high`.
fn span_of(low: u32, high: u32) -> String {
    if low == high { low.to_string() } else { format!("{low}-{high}") }
}

fn spans(bits: u64) -> String {
    let mut texts = Vec::new();
    let mut low = 0;
    while bits >> low != 0 {
        low += (bits >> low).trailing_zeros();
        let length = (bits >> low).trailing_ones();
        texts.push(span_of(low, low + length - 1));
        low += length;
    }
    texts.join(",")
}
