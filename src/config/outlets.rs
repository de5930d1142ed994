//! Reads what leaves a tick and for whom: the keys `alerters` and `metrics` of a document.
//!
//! Whether an address leads anywhere is for `alerter` and `sink`, which open it; whether an alert is wanted is said here.
//!
//! Holds always: an address is a `Secret` from the moment it is read; a mistake in one entry takes only that entry away.

use super::keys;
use super::problem::Place;
use super::reader::{Entry, Reader};
use super::secret::Secret;
use super::settings::known_entries;
use super::tree::NodeId;
use super::value;
use crate::alert::{Alert, Kind};

/// One entry of `alerters`: where alerts go, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlerterSpec {
    /// Its name in logs; as given, else the scheme; with a number from the second of a name on.
    pub name: String,
    /// Where to.
    pub url: Secret,
    /// Which kinds it wants; empty means all.
    pub events: Vec<Kind>,
    /// Of pipelines with one of these tags only; empty means of all.
    pub tags: Vec<String>,
    /// Where it is written; none if it is in no file.
    pub place: Option<Place>,
}

/// One entry of `metrics`: where figures go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkSpec {
    /// Its name in logs, as that of an alerter.
    pub name: String,
    /// Where to.
    pub url: Secret,
    /// Where it is written; none if it is in no file.
    pub place: Option<Place>,
}

impl AlerterSpec {
    /// An alerter that wants everything, as a flag names it.
    pub fn of_url(url: Secret) -> AlerterSpec {
        AlerterSpec { name: scheme_of(&url), url, events: Vec::new(), tags: Vec::new(), place: None }
    }

    /// Whether an alert is for it. An alert about no pipeline has no tags: `tags` keeps none of those away.
    pub fn wants(&self, alert: &Alert) -> bool {
        let is_of_tags = || alert.pipeline.is_empty() || alert.tags.iter().any(|tag| self.tags.contains(tag));
        (self.events.is_empty() || self.events.contains(&alert.kind)) && (self.tags.is_empty() || is_of_tags())
    }
}

impl SinkSpec {
    /// A sink as a flag names it.
    pub fn of_url(url: Secret) -> SinkSpec {
        SinkSpec { name: scheme_of(&url), url, place: None }
    }
}

/// The addresses of a list with commas between, as `TICKWARD_ALERTERS` and `TICKWARD_METRICS` hold it. A comma divides only
/// where a scheme follows, so that `smtp://…?to=a,b` is one.
///
/// ```
/// let list = tickward::config::split_urls("stdout://, smtp://h?from=a@b&to=c@d,e@f");
/// assert_eq!(list, ["stdout://", "smtp://h?from=a@b&to=c@d,e@f"]);
/// assert!(tickward::config::split_urls(" ").is_empty());
/// ```
pub fn split_urls(list: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut begin = 0;
    for (at, _) in list.match_indices(',') {
        let next = list[at + 1..].trim_start();
        let is_scheme = crate::scheme::of(next).is_some_and(|scheme| next[scheme.len()..].starts_with("://"));
        if is_scheme || next.is_empty() {
            parts.push(&list[begin..at]);
            begin = at + 1;
        }
    }
    parts.push(&list[begin..]);
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

/// What entries of both lists have.
pub(super) trait Outlet {
    fn name(&mut self) -> &mut String;
    /// Whether two say the same, wherever they are written.
    fn is_same(&self, other: &Self) -> bool;
}

impl Outlet for AlerterSpec {
    fn name(&mut self) -> &mut String {
        &mut self.name
    }

    fn is_same(&self, other: &AlerterSpec) -> bool {
        let of = |spec: &AlerterSpec| AlerterSpec { place: None, ..spec.clone() };
        of(self) == of(other)
    }
}

impl Outlet for SinkSpec {
    fn name(&mut self) -> &mut String {
        &mut self.name
    }

    fn is_same(&self, other: &SinkSpec) -> bool {
        (&self.name, &self.url) == (&other.name, &other.url)
    }
}

/// Adds those that are not there yet.
pub(super) fn add<T: Outlet>(to: &mut Vec<T>, more: Vec<T>) {
    for spec in more {
        if !to.iter().any(|known| known.is_same(&spec)) {
            to.push(spec);
        }
    }
}

/// Gives those of one name numbers, from the second on: `slack`, `slack-2`.
pub(super) fn number<T: Outlet>(specs: &mut [T]) {
    let mut seen: Vec<String> = Vec::new();
    for spec in specs {
        let own = spec.name();
        let base = own.clone();
        let mut number = 1;
        while seen.contains(own) {
            number += 1;
            *own = format!("{base}-{number}");
        }
        seen.push(own.clone());
    }
}

/// The entries of `alerters`, without those that are wrong.
pub(super) fn alerters<'a>(reader: &mut Reader<'a>, entry: Entry<'a>) -> Vec<AlerterSpec> {
    let read = |reader: &mut Reader<'a>, at: NodeId| {
        let (url, inner) = parts(reader, entry, at, keys::ALERTER)?;
        let mut spec = AlerterSpec { place: Some(place(reader, at)), ..AlerterSpec::of_url(url) };
        for inner in inner {
            match inner.name {
                "name" => spec.name = value::name(reader, inner)?.to_string(),
                "events" => spec.events = events(reader, inner)?,
                "match" => {
                    let (selectors, is_right) = known_entries(reader, inner, keys::MATCH);
                    for selector in selectors {
                        spec.tags = value::texts(reader, selector)?;
                    }
                    is_right.then_some(())?;
                }
                _ => {}
            }
        }
        Some(spec)
    };
    elements(reader, entry).into_iter().filter_map(|at| read(reader, at)).collect()
}

/// The entries of `metrics`, without those that are wrong.
pub(super) fn metrics<'a>(reader: &mut Reader<'a>, entry: Entry<'a>) -> Vec<SinkSpec> {
    let read = |reader: &mut Reader<'a>, at: NodeId| {
        let (url, inner) = parts(reader, entry, at, keys::SINK)?;
        let mut spec = SinkSpec { place: Some(place(reader, at)), ..SinkSpec::of_url(url) };
        for inner in inner.into_iter().filter(|inner| inner.name == "name") {
            spec.name = value::name(reader, inner)?.to_string();
        }
        Some(spec)
    };
    elements(reader, entry).into_iter().filter_map(|at| read(reader, at)).collect()
}

/// The entries of the list; a single one counts as a list, an empty value as an empty one.
fn elements<'a>(reader: &mut Reader<'a>, entry: Entry<'a>) -> Vec<NodeId> {
    match reader.elements(entry.value) {
        Some(elements) => elements.to_vec(),
        None if reader.is_null(entry.value) => Vec::new(),
        None => vec![entry.value],
    }
}

/// The address of an entry and its other keys that are not empty: a text is the address alone.
fn parts<'a>(
    reader: &mut Reader<'a>,
    entry: Entry<'a>,
    at: NodeId,
    known: &'static [keys::Key],
) -> Option<(Secret, Vec<Entry<'a>>)> {
    let what = format!("an entry of `{}`", entry.name);
    if !reader.is_mapping(at) {
        return Some((url(reader, at, &what)?, Vec::new()));
    }
    let (mut inner, is_right) = known_entries(reader, Entry { value: at, ..entry }, known);
    inner.retain(|inner| !reader.is_null(inner.value));
    let Some(address) = inner.iter().find(|inner| inner.name == "url").copied() else {
        if is_right {
            reader.refuse(at, format!("{what} has no `url`"), "add `url:` and where to");
        }
        return None;
    };
    let url = url(reader, address.value, "`url`")?;
    is_right.then_some((url, inner))
}

fn url(reader: &mut Reader<'_>, at: NodeId, what: &str) -> Option<Secret> {
    let scalar = reader.scalar(at, what, "a URL")?;
    let is_url = crate::scheme::of(scalar.text.trim()).is_some() && scalar.text.contains("://");
    if !is_url {
        let help = if scalar.is_filled() {
            "look at what the variables are set to"
        } else {
            "write a scheme, `://`, and where to"
        };
        reader.refuse_hidden(at, &format!("{what} is no URL"), help);
        return None;
    }
    Some(Secret::new(scalar.text))
}

fn events<'a>(reader: &mut Reader<'a>, entry: Entry<'a>) -> Option<Vec<Kind>> {
    let words: Vec<(&str, Kind)> = keys::EVENTS.iter().map(|word| (*word, Kind::from((*word).to_owned()))).collect();
    let elements = elements(reader, entry);
    let kinds: Vec<_> =
        elements.into_iter().map(|value| value::word(reader, Entry { value, ..entry }, &words)).collect();
    kinds.into_iter().collect()
}

fn place(reader: &Reader<'_>, at: NodeId) -> Place {
    reader.place_hidden(at)
}

/// The scheme of an address, which names it where nobody else does. What is no name is not repeated.
fn scheme_of(url: &Secret) -> String {
    let scheme = url.expose().trim().split_once("://").and_then(|_| crate::scheme::of(url.expose().trim()));
    scheme.filter(|scheme| scheme.len() <= 32).unwrap_or("unnamed").to_ascii_lowercase().replace('+', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alerter_wants_its_events_of_its_tags() {
        let alert = |kind, pipeline: &str, tags: &[&str]| Alert {
            pipeline: pipeline.into(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            ..Alert::new(kind, "1", jiff::Timestamp::UNIX_EPOCH)
        };
        for (events, tags, alert, wants) in [
            (vec![], vec![], alert(Kind::Failed, "p", &[]), true),
            (vec![], vec![], alert(Kind::Other("x".into()), "p", &[]), true),
            (vec![Kind::GaveUp], vec![], alert(Kind::Failed, "p", &[]), false),
            (vec![Kind::GaveUp, Kind::Failed], vec![], alert(Kind::Failed, "p", &[]), true),
            (vec![], vec!["critical"], alert(Kind::Failed, "p", &["nightly"]), false),
            (vec![], vec!["critical", "x"], alert(Kind::Failed, "p", &["nightly", "critical"]), true),
            (vec![], vec!["critical"], alert(Kind::TickGap, "", &[]), true),
            (vec![Kind::Failed], vec!["critical"], alert(Kind::TickGap, "", &[]), false),
        ] {
            let tags = tags.into_iter().map(String::from).collect();
            let spec = AlerterSpec { events, tags, ..AlerterSpec::of_url(Secret::new("stdout://")) };
            assert_eq!(spec.wants(&alert), wants, "{spec:?} {alert:?}");
        }
    }

    #[test]
    fn the_words_of_events_are_the_kinds() {
        assert_eq!(keys::EVENTS.to_vec(), Kind::ALL.iter().map(Kind::word).collect::<Vec<_>>());
    }
}
