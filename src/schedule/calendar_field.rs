//! Reads one component of an OnCalendar expression, such as its hours, into a list of values.
//!
//! A component is `*` or a list of entries; an entry is a value or a range `a..b`, each with an optional step. The rules
//! are those of systemd.time(7): `*` takes no step, since steps count from a value, and a range does not run backwards.
//!
//! Holds always: a list that is returned is not empty, in order, without doubles, and within the component's range.

use super::error::Error;
use super::field::Piece;

/// One of the components: its range and how it is written.
pub(super) struct Component {
    pub(super) name: &'static str,
    pub(super) low: u32,
    pub(super) high: u32,
    /// Digits that the canonical text has at least.
    pub(super) width: usize,
    /// Whether values are counted from the end, so that the steps of a single value lead towards 1.
    pub(super) from_end: bool,
    /// What may be written, as advice.
    pub(super) known: &'static str,
}

pub(super) const YEAR: Component = Component { width: 4, ..component("year", 1970, 2199, "use 1970 to 2199, or `*`") };
pub(super) const MONTH: Component = component("month", 1, 12, "use 1 to 12, or `*`");
pub(super) const DAY: Component = component("day", 1, 31, "use 1 to 31, or `*`; `*-*~1` is the last day of a month");
pub(super) const DAY_FROM_END: Component = Component {
    from_end: true,
    ..component("day from the end", 1, 28, "use 1 to 28: 1 is the last day, and every month has 28")
};
pub(super) const HOUR: Component = component("hour", 0, 23, "use 0 to 23, or `*`");
pub(super) const MINUTE: Component = component("minute", 0, 59, "use 0 to 59, or `*`");
pub(super) const SECOND: Component = component("second", 0, 59, "use 0 to 59, or `*`");

const fn component(name: &'static str, low: u32, high: u32, known: &'static str) -> Component {
    Component { name, low, high, width: 2, from_end: false, known }
}

/// The values a component allows; none for every value.
pub(super) type Allowed = Option<Vec<u32>>;

impl Component {
    /// Reads the text of a component.
    ///
    /// # Errors
    /// Fails at the first entry that is not understood or out of range.
    pub(super) fn parse(&self, piece: Piece<'_>) -> Result<Allowed, Error> {
        if piece.text == "*" {
            return Ok(None);
        }
        let (mut values, mut rest) = (Vec::new(), piece);
        while let Some((entry, later)) = rest.split_once(",") {
            values.extend(self.entry(entry)?);
            rest = later;
        }
        values.extend(self.entry(rest)?);
        values.sort_unstable();
        values.dedup();
        // Years go on after the last one that can be named.
        let is_every = !self.is_year() && !self.from_end && values.len() as u32 == self.high - self.low + 1;
        Ok((!is_every).then_some(values))
    }

    fn is_year(&self) -> bool {
        self.width == YEAR.width
    }

    fn entry(&self, entry: Piece<'_>) -> Result<Vec<u32>, Error> {
        let (values, step) = match entry.split_once("/") {
            Some((values, step)) => (values, Some((step, self.step(values, step)?))),
            None => (entry, None),
        };
        let (first, last) = match values.split_once("..") {
            Some((first, last)) => self.range(values, first, last)?,
            None => self.value_and_steps(values, step)?,
        };
        let is_towards_end = self.from_end && !values.text.contains("..");
        let step = step.map_or(1, |(_, step)| step);
        Ok(match is_towards_end {
            true => (first..=last).rev().step_by(step).collect(),
            false => (first..=last).step_by(step).collect(),
        })
    }

    fn range(&self, both: Piece<'_>, first: Piece<'_>, last: Piece<'_>) -> Result<(u32, u32), Error> {
        let (low, high) = (self.value(first)?, self.value(last)?);
        if low <= high {
            return Ok((low, high));
        }
        let error = both.error(format!("{} range `{}` runs backwards", self.name, both.text));
        Err(error.help(match self.from_end || self.is_year() {
            true => format!("use `{}..{}`", last.text, first.text),
            false => format!("use `{},{}`", span_of(low, self.high), span_of(self.low, high)),
        }))
    }

    /// One value, or the span of those that a step reaches from it.
    fn value_and_steps(&self, value: Piece<'_>, step: Option<(Piece<'_>, usize)>) -> Result<(u32, u32), Error> {
        let only = self.value(value)?;
        let Some((text, step)) = step else { return Ok((only, only)) };
        let room = if self.from_end { only - self.low } else { self.high - only };
        if step > room as usize {
            let message = format!("{} step `{}` leads past the end", self.name, text.text);
            return Err(text.error(message).help(format!("use a step of at most {room} from `{}`", value.text)));
        }
        Ok(if self.from_end { (self.low, only) } else { (only, self.high) })
    }

    fn step(&self, values: Piece<'_>, step: Piece<'_>) -> Result<usize, Error> {
        if values.text == "*" {
            let message = format!("{} `*` takes no step", self.name);
            return Err(values
                .error(message)
                .help(format!("write `{}/{}`: steps count from a value", self.low, step.text)));
        }
        if step.text.contains('.') && self.name == SECOND.name {
            return Err(fraction(step));
        }
        if step.text.is_empty() || !step.text.bytes().all(|byte| byte.is_ascii_digit()) {
            let message = format!("{} step `{}` is not a number", self.name, step.text);
            return Err(step.error(message).help("use a whole number from 1, as in `0/15`"));
        }
        // A number too long to hold is past the end of every range, like any step that is too large.
        match step.text.parse().unwrap_or(usize::MAX) {
            0 => {
                let message = format!("{} step `{}` leads nowhere", self.name, step.text);
                Err(step.error(message).help("use a whole number from 1, as in `0/15`"))
            }
            step => Ok(step),
        }
    }

    fn value(&self, value: Piece<'_>) -> Result<u32, Error> {
        if value.text.is_empty() {
            return Err(value.error(format!("{} has an empty entry", self.name)).help(self.known));
        }
        if !value.text.bytes().all(|byte| byte.is_ascii_digit()) {
            if value.text.contains('.') && self.name == SECOND.name {
                return Err(fraction(value));
            }
            let error = value.error(format!("{} `{}` is not understood", self.name, value.text));
            return Err(error.help(match value.text {
                "*" => "`*` stands alone: it is every value already",
                text if text.contains('-') => "a range is written with two dots, as in `1..5`",
                _ => self.known,
            }));
        }
        let number = value.text.parse().map(|number| if self.is_year() { full_year(number) } else { number });
        match number {
            Ok(number) if (self.low..=self.high).contains(&number) => Ok(number),
            _ => Err(value.error(format!("{} `{}` is out of range", self.name, value.text)).help(self.known)),
        }
    }

    /// Returns one text for what is allowed, the same for equal lists, that reads as that list again.
    pub(super) fn canonical(&self, allowed: &Allowed) -> String {
        let Some(values) = allowed else { return "*".to_owned() };
        let width = self.width;
        if let &[first, second, _, ..] = values.as_slice()
            && !self.from_end
        {
            let step = second - first;
            let stepped = || (first..=self.high).step_by(step as usize);
            if step > 1 && stepped().eq(values.iter().copied()) {
                return format!("{first:0width$}/{step}");
            }
        }
        runs(values, |value| format!("{value:0width$}"))
    }
}

/// Values in order as text, with `..` for three and more that follow each other.
pub(super) fn runs(values: &[u32], write: impl Fn(u32) -> String) -> String {
    let follows = |pair: &u32, next: &u32| *next == *pair + 1;
    let texts = values.chunk_by(follows).map(|run| match run {
        &[first, _, .., last] => format!("{}..{}", write(first), write(last)),
        few => few.iter().map(|&value| write(value)).collect::<Vec<_>>().join(","),
    });
    texts.collect::<Vec<_>>().join(",")
}

/// Years of two digits are those from 1970 to 2069, as systemd reads them.
fn full_year(number: u32) -> u32 {
    match number {
        0..70 => number + 2000,
        70..100 => number + 1900,
        _ => number,
    }
}

fn span_of(low: u32, high: u32) -> String {
    if low == high { low.to_string() } else { format!("{low}..{high}") }
}

fn fraction(piece: Piece<'_>) -> Error {
    piece.error(format!("second `{}` has a fraction", piece.text)).help("use whole seconds: a tick is a minute")
}
