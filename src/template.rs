//! Fills `{{ name }}` into argv elements and environment values.
//!
//! A template is checked when the configuration is read and filled in per attempt. Shell lines are never templates.
//! `{{{{` stands for a literal `{{`; a `}}` without an opening is text.
//!
//! Holds always: one element stays one element, whatever the values contain; text that came from a variable is never
//! read as a template; printing for debugging shows no text, only the names of the values.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A text with places for values. Cloning it is cheap.
#[derive(Clone, PartialEq, Eq)]
pub struct Template(Arc<[Piece]>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Box<str>),
    Value(Value),
}

/// The values a template may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Value {
    /// `pipeline`: its name.
    Pipeline,
    /// `namespace`: its namespace.
    Namespace,
    /// `scheduled_for`: the instant the run is for, RFC 3339 in the pipeline's zone.
    ScheduledFor,
    /// `scheduled_date`: the day the run is for, `YYYY-MM-DD` in the pipeline's zone.
    ScheduledDate,
    /// `previous_scheduled_for`: the occurrence before this one, as `scheduled_for` is written; empty if there is none.
    PreviousScheduledFor,
    /// `attempt`: the number of the attempt, from 1.
    Attempt,
    /// `attempt_suffix`: empty for the first start of a run, then `-retry-1`, `-retry-2`, …
    AttemptSuffix,
    /// `max_attempts`: attempts in all.
    MaxAttempts,
    /// `run_id`: names the run, the same for all its attempts.
    RunId,
    /// `batch_id`: names what the run loads, the same for all its attempts.
    BatchId,
    /// `trigger`: schedule, catch_up, retry, manual or backfill.
    Trigger,
    /// `env`: the environment this tick runs in.
    Env,
    /// `host`: the name of the host that runs the attempt.
    Host,
    /// `fence`: the fencing token of the claim.
    Fence,
}

impl Value {
    /// Every value with the name it has in a template.
    pub const ALL: [(&'static str, Value); 14] = [
        ("pipeline", Value::Pipeline),
        ("namespace", Value::Namespace),
        ("scheduled_for", Value::ScheduledFor),
        ("scheduled_date", Value::ScheduledDate),
        ("previous_scheduled_for", Value::PreviousScheduledFor),
        ("attempt", Value::Attempt),
        ("attempt_suffix", Value::AttemptSuffix),
        ("max_attempts", Value::MaxAttempts),
        ("run_id", Value::RunId),
        ("batch_id", Value::BatchId),
        ("trigger", Value::Trigger),
        ("env", Value::Env),
        ("host", Value::Host),
        ("fence", Value::Fence),
    ];

    /// The value of that name, if there is one.
    pub fn named(name: &str) -> Option<Value> {
        Value::ALL.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// Its name in a template.
    pub fn name(self) -> &'static str {
        Value::ALL.iter().find(|(_, value)| *value == self).map_or("", |(name, _)| name)
    }
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What is wrong, a lower-case fragment.
    pub message: String,
    /// The bytes of the text it is about.
    pub span: Range<usize>,
    /// What to write instead.
    pub help: Option<String>,
}

impl Template {
    /// Reads a text.
    ///
    /// # Errors
    /// A `{{` that is never closed, or a name that is no `Value`.
    ///
    /// ```
    /// use tickward::template::{Template, Value};
    /// let template = Template::parse("daily-{{ scheduled_date }}")?;
    /// assert_eq!(template.render(|_: Value| "2026-01-31".into()), "daily-2026-01-31");
    /// # Ok::<(), tickward::template::Error>(())
    /// ```
    pub fn parse(text: &str) -> Result<Template, Error> {
        Template::parse_guarded(text, &[])
    }

    /// Reads a text in which the `guarded` byte ranges (ascending, apart) came from variables and are text whatever
    /// they contain.
    ///
    /// # Errors
    /// As `parse`, and where a name would be made of guarded text.
    pub fn parse_guarded(text: &str, guarded: &[Range<usize>]) -> Result<Template, Error> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut at = 0;
        while let Some(open) = find_free(text, "{{", at, guarded) {
            plain.push_str(&text[at..open]);
            if find_free(text, "{{", open + 2, guarded) == Some(open + 2) {
                plain.push_str("{{");
                at = open + 4;
                continue;
            }
            let (value, after) = placed_value(text, open, guarded)?;
            push_text(&mut pieces, &mut plain);
            pieces.push(Piece::Value(value));
            at = after;
        }
        plain.push_str(&text[at..]);
        push_text(&mut pieces, &mut plain);
        Ok(Template(pieces.into()))
    }

    /// A template that is just this text, whatever it contains.
    pub fn literal(text: &str) -> Template {
        match text {
            "" => Template([].into()),
            _ => Template([Piece::Text(text.into())].into()),
        }
    }

    /// The text with each place filled by what `values` answers.
    pub fn render(&self, values: impl Fn(Value) -> String) -> String {
        let mut text = String::new();
        for piece in self.0.iter() {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                Piece::Value(value) => text.push_str(&values(*value)),
            }
        }
        text
    }

    /// The values it names, in order, each as often as it stands there.
    pub fn values(&self) -> impl Iterator<Item = Value> + '_ {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Value(value) => Some(*value),
        })
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Template(")?;
        for piece in self.0.iter() {
            match piece {
                Piece::Text(_) => f.write_str("…")?,
                Piece::Value(value) => write!(f, "{{{{ {} }}}}", value.name())?,
            }
        }
        f.write_str(")")
    }
}

/// The values named in a text that is *not* a template, with the bytes where each stands.
pub fn mentions(text: &str) -> impl Iterator<Item = (Value, Range<usize>)> + '_ {
    text.match_indices("{{").filter_map(|(open, _)| {
        let length = text[open + 2..].find("}}")?;
        let value = Value::named(text[open + 2..open + 2 + length].trim())?;
        Some((value, open..open + 4 + length))
    })
}

/// The value between `{{` at `open` and its `}}`, and where the text goes on.
fn placed_value(text: &str, open: usize, guarded: &[Range<usize>]) -> Result<(Value, usize), Error> {
    let Some(close) = find_free(text, "}}", open + 2, guarded) else {
        return Err(Error {
            message: "`{{` is never closed".into(),
            span: open..open + 2,
            help: Some("close it with `}}`, or write `{{{{` for a literal `{{`".into()),
        });
    };
    let inner = open + 2..close;
    if guarded.iter().any(|range| range.start < inner.end && inner.start < range.end) {
        return Err(Error {
            message: "the name in a template cannot come from a variable".into(),
            span: open..close + 2,
            help: Some("write the name itself between `{{` and `}}`".into()),
        });
    }
    let name = text[inner.clone()].trim();
    match Value::named(name) {
        Some(value) => Ok((value, close + 2)),
        None => Err(unknown(text, name, inner)),
    }
}

fn unknown(text: &str, name: &str, inner: Range<usize>) -> Error {
    let lead = text[inner.clone()].len() - text[inner.clone()].trim_start().len();
    let start = inner.start + lead;
    let nearest = Value::ALL
        .iter()
        .map(|(known, _)| (strsim::damerau_levenshtein(known, name), *known))
        .min()
        .filter(|(distance, known)| *distance <= 1 + known.len() / 4);
    let literal = "for a literal `{{` write `{{{{`";
    Error {
        message: match name {
            "" => "a template without a name".into(),
            _ => format!("unknown template value `{name}`"),
        },
        span: start..start + name.len(),
        help: Some(match nearest {
            Some((_, known)) => format!("did you mean `{known}`?"),
            None => {
                let known: Vec<&str> = Value::ALL.iter().map(|(known, _)| *known).collect();
                format!("use one of: {}; {literal}", known.join(", "))
            }
        }),
    }
}

/// The first `mark` at or after `from` that no guarded byte is part of.
fn find_free(text: &str, mark: &str, from: usize, guarded: &[Range<usize>]) -> Option<usize> {
    let mut from = from;
    loop {
        let found = from + text.get(from..)?.find(mark)?;
        match guarded.iter().find(|range| range.start < found + mark.len() && found < range.end) {
            None => return Some(found),
            Some(_) => from = found + 1,
        }
    }
}

fn push_text(pieces: &mut Vec<Piece>, plain: &mut String) {
    if !plain.is_empty() {
        pieces.push(Piece::Text(std::mem::take(plain).into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(template: &Template) -> String {
        template.render(|value| format!("<{}>", value.name()))
    }

    #[test]
    fn places_are_filled_and_all_else_stays() {
        for (text, filled) in [
            ("", ""),
            ("plain", "plain"),
            ("{{ attempt }}", "<attempt>"),
            ("{{attempt}}{{\tattempt_suffix }}", "<attempt><attempt_suffix>"),
            ("daily-{{ scheduled_date }}.csv", "daily-<scheduled_date>.csv"),
            ("{{{{ .Names }}", "{{ .Names }}"),
            ("{ x } }} {", "{ x } }} {"),
            ("é{{ host }}é", "é<host>é"),
        ] {
            assert_eq!(Template::parse(text).map(|t| render(&t)), Ok(filled.into()), "{text}");
        }
    }

    #[test]
    fn what_is_no_template_is_refused_where_it_stands() {
        for (text, message, span) in [
            ("a {{ b", "`{{` is never closed", 2..4),
            ("{{ atempt }}", "unknown template value `atempt`", 3..9),
            ("{{}}", "a template without a name", 2..2),
            ("{{ a | b }}", "unknown template value `a | b`", 3..8),
        ] {
            let error = Template::parse(text).unwrap_err();
            assert_eq!((error.message.as_str(), error.span), (message, span), "{text}");
        }
        assert_eq!(Template::parse("{{ atempt }}").unwrap_err().help.unwrap(), "did you mean `attempt`?");
    }

    #[test]
    fn text_from_a_variable_is_never_a_template() {
        let text = "a{{ host }}b";
        assert_eq!(render(&Template::parse_guarded(text, std::slice::from_ref(&(1..11))).unwrap()), text);
        assert_eq!(
            render(&Template::parse_guarded("{{ host }}", std::slice::from_ref(&(1..10))).unwrap()),
            "{{ host }}"
        );
        let error = Template::parse_guarded("{{ host }}", std::slice::from_ref(&(3..7))).unwrap_err();
        assert_eq!(error.message, "the name in a template cannot come from a variable");
    }

    #[test]
    fn printing_for_debugging_shows_no_text() {
        let template = Template::parse("password {{ attempt }} tail").unwrap();
        assert_eq!(format!("{template:?}"), "Template(…{{ attempt }}…)");
    }

    #[test]
    fn mentions_are_found_in_text_that_is_no_template() {
        let found: Vec<_> = mentions("echo {{ attempt }} {{ x }} {{.Names}}").collect();
        assert_eq!(found, [(Value::Attempt, 5..18)]);
    }
}
