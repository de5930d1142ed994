//! Reads typed values out of a tree, collecting every mistake with its place.
//!
//! A method that returns `None` has recorded why. What a key means is for `settings` and `document`.
//!
//! Holds always: a message quotes a value as it is written in the file, never with its variables filled in; merge keys
//! are resolved and duplicate keys reported before anyone looks at a mapping.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

use super::environment::Environment;
use super::interpolate;
use super::problem::{Place, Problem};
use super::text::SourceText;
use super::tree::{Content, NodeId, TagKind, Tree, is_null};

/// How deep merge keys may stand in what they merge.
const MAX_MERGE_DEPTH: u32 = 16;

/// One document being read.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) source: &'a SourceText,
    pub(super) tree: &'a Tree<'a>,
    /// What `${…}` is filled in from.
    pub(super) environment: Environment,
    pub(super) problems: Vec<Problem>,
    /// Whose keys are being read.
    pub(super) pipeline: Option<&'a str>,
    /// Mistakes so far, warnings aside; also those that follow from another and are not recorded.
    pub(super) errors: usize,
    /// What variables have filled into names that a failed start may tell.
    pub(super) filled: Vec<String>,
}

/// A key and its value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub(super) name: &'a str,
    pub(super) key: NodeId,
    pub(super) value: NodeId,
}

/// Entries whose keys stood there before, with the first key.
pub(super) type Doubles<'a> = Vec<(Entry<'a>, NodeId)>;

/// A scalar with its variables filled in.
#[derive(Clone, Debug)]
pub(super) struct Scalar<'a> {
    pub(super) at: NodeId,
    /// As written, without quotes: safe to show.
    pub(super) written: &'a str,
    /// What counts; may hold secrets.
    pub(super) text: Cow<'a, str>,
    /// The bytes of `text` that came from variables.
    pub(super) filled: Vec<Range<usize>>,
}

impl Scalar<'_> {
    /// Whether `text` is not what is written.
    pub(super) fn is_filled(&self) -> bool {
        matches!(self.text, Cow::Owned(_))
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a SourceText, tree: &'a Tree<'a>, environment: &Environment) -> Reader<'a> {
        let environment = environment.clone();
        Reader { source, tree, environment, problems: Vec::new(), pipeline: None, errors: 0, filled: Vec::new() }
    }

    /// Records a mistake at a node. Empty help means none.
    pub(super) fn refuse(&mut self, at: NodeId, message: impl AsRef<str>, help: impl AsRef<str>) {
        let place = self.source.place(self.tree.node(at).start);
        self.record(Problem::error(Some(place), message), help.as_ref());
    }

    /// As `refuse`, at a node that may be secret though nothing in it looks so: of its line, only what stands before is shown.
    pub(super) fn refuse_hidden(&mut self, at: NodeId, message: &str, help: &str) {
        let place = self.place_hidden(at);
        self.record(Problem::error(Some(place), message), help);
    }

    /// The place of a node, its line masked from there on.
    pub(super) fn place_hidden(&self, at: NodeId) -> Place {
        let place = self.source.place(self.tree.node(at).start);
        if place.source.is_empty() {
            return place;
        }
        let before: String = place.source.chars().take(place.caret).collect();
        Place { source: before + super::secret::MASK, ..place }
    }

    /// Records a mistake at a byte of a scalar's text.
    pub(super) fn refuse_inside(&mut self, scalar: &Scalar<'a>, offset: usize, message: &str, help: &str) {
        let place = self.place_inside(scalar.at, scalar.written, if scalar.is_filled() { None } else { Some(offset) });
        self.record(Problem::error(Some(place), message), help);
    }

    /// Records something that is in force, but hardly as meant.
    pub(super) fn warn(&mut self, at: NodeId, offset: usize, message: &str, help: &str) {
        let written = match &self.tree.node(at).content {
            Content::Scalar { text, .. } => text,
            _ => "",
        };
        let place = self.place_inside(at, written, Some(offset));
        self.record(Problem::error(Some(place), message).as_warning(), help);
    }

    /// Notes what variables have filled into a name that a failed start may tell.
    pub(super) fn note_filled(&mut self, scalar: &Scalar<'a>) {
        self.filled.extend(scalar.filled.iter().map(|range| scalar.text[range.clone()].to_owned()));
    }

    /// Records a mistake of whose keys are being read. Empty help means none.
    pub(super) fn record(&mut self, problem: Problem, help: &str) {
        let problem = if help.is_empty() { problem } else { problem.with_help(help) };
        self.errors += usize::from(problem.severity == super::Severity::Error);
        self.problems.push(match self.pipeline {
            Some(name) => problem.in_pipeline(name),
            None => problem,
        });
    }

    /// The place of a byte of a scalar's decoded text; of its start where the file holds it in another form.
    fn place_inside(&self, at: NodeId, text: &str, offset: Option<usize>) -> Place {
        let start = self.tree.node(at).start;
        let written = &self.source.text()[start..];
        let quote = usize::from(written.starts_with(['"', '\'']));
        let offset = offset.filter(|_| written[quote..].starts_with(text));
        self.source.place(offset.map_or(start, |offset| start + quote + offset))
    }

    /// Whether a node is written as nothing: `null`, `~` or no value at all.
    pub(super) fn is_null(&self, at: NodeId) -> bool {
        let node = self.tree.node(at);
        node.tag != TagKind::Text && matches!(&node.content, Content::Scalar { text, plain: true } if is_null(text))
    }

    /// The scalar of a key. Numbers and booleans count as the text they are written with.
    pub(super) fn scalar(&mut self, at: NodeId, what: impl fmt::Display, expected: &str) -> Option<Scalar<'a>> {
        let written = self.written(at, what, expected)?;
        match interpolate::expand(written, &self.environment) {
            Ok(expanded) => Some(Scalar { at, written, text: expanded.text, filled: expanded.filled }),
            // What is wrong is the file that could not be read, and that has been said.
            Err(mistake) if mistake.is_unset && self.environment.is_partial() => {
                self.errors += 1;
                None
            }
            Err(mistake) => {
                let place = self.place_inside(at, written, Some(mistake.at));
                self.record(Problem::error(Some(place), mistake.message), &mistake.help.unwrap_or_default());
                None
            }
        }
    }

    /// The scalar of a key as it is written: no variable is filled in.
    pub(super) fn written(&mut self, at: NodeId, what: impl fmt::Display, expected: &str) -> Option<&'a str> {
        let tree = self.tree;
        let node = tree.node(at);
        let found = match &node.content {
            Content::Scalar { .. } if self.is_null(at) => "empty",
            Content::Scalar { .. } if node.tag == TagKind::Other => {
                self.refuse(at, format!("{what} has a YAML tag, which is not understood"), "leave the tag out");
                return None;
            }
            Content::Scalar { text, .. } => return Some(text),
            Content::Sequence(_) => "a list",
            Content::Mapping(_) if self.source.text()[node.start..].starts_with("{{") => {
                self.refuse(at, format!("{what} is a YAML mapping"), "put the template into double quotes");
                return None;
            }
            Content::Mapping(_) => "a mapping",
        };
        self.refuse(at, format!("{what} is {found}"), format!("write {expected}"));
        None
    }

    /// The elements of a list; none where it is no list, without a mistake.
    pub(super) fn elements(&self, at: NodeId) -> Option<&'a [NodeId]> {
        let tree = self.tree;
        match &tree.node(at).content {
            Content::Sequence(range) => Some(tree.children(range)),
            _ => None,
        }
    }

    /// The keys of a mapping that are single words; none of anything else.
    pub(super) fn keys_of(&self, at: NodeId) -> impl Iterator<Item = &'a str> {
        let tree = self.tree;
        let pairs = match &tree.node(at).content {
            Content::Mapping(range) => tree.children(range),
            _ => &[],
        };
        pairs.iter().step_by(2).filter_map(|key| match &tree.node(*key).content {
            Content::Scalar { text, .. } => Some(text.as_ref()),
            _ => None,
        })
    }

    /// The text of a scalar of digits alone.
    pub(super) fn plain_number(&self, at: NodeId) -> Option<&'a str> {
        let tree = self.tree;
        match &tree.node(at).content {
            Content::Scalar { text, .. } => {
                Some(text.as_ref()).filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
            }
            _ => None,
        }
    }

    /// Whether a node is a mapping.
    pub(super) fn is_mapping(&self, at: NodeId) -> bool {
        matches!(self.tree.node(at).content, Content::Mapping(_))
    }

    /// The entries of a mapping in the order of the file, merged ones last. An empty value is a mapping without
    /// entries. A key that stands there twice is a mistake at the second.
    pub(super) fn entries(&mut self, at: NodeId, what: impl fmt::Display) -> Option<Vec<Entry<'a>>> {
        let (entries, doubles) = self.entries_and_doubles(at, what)?;
        for (double, first) in doubles {
            let line = self.source.line(self.tree.node(first).start);
            let message = format!("`{}` is given twice", double.name);
            self.refuse(double.key, message, format!("the first is in line {line}; keep one"));
        }
        Some(entries)
    }

    /// As `entries`, with the doubles and their first keys apart.
    pub(super) fn entries_and_doubles(
        &mut self,
        at: NodeId,
        what: impl fmt::Display,
    ) -> Option<(Vec<Entry<'a>>, Doubles<'a>)> {
        if self.is_null(at) {
            return Some((Vec::new(), Vec::new()));
        }
        let tree = self.tree;
        let Content::Mapping(pairs) = &tree.node(at).content else {
            let found = if self.elements(at).is_some() { "a list" } else { "a single value" };
            self.refuse(at, format!("{what} is {found}"), "write a mapping: `key: value` pairs, indented below it");
            return None;
        };
        let mut entries = Vec::with_capacity(pairs.len() / 2);
        let mut doubles = Vec::new();
        let mut merges = Vec::new();
        let mut seen = Seen::new(pairs.len() / 2);
        for pair in tree.children(pairs).chunks_exact(2) {
            let Some(name) = self.key(pair[0]) else { continue };
            let entry = Entry { name, key: pair[0], value: pair[1] };
            match seen.first(name, &entries) {
                _ if name == "<<" => merges.push(pair[1]),
                Some(first) => doubles.push((entry, first)),
                None => entries.push(entry),
            }
        }
        for merge in merges {
            self.merge(merge, &mut entries, MAX_MERGE_DEPTH);
        }
        Some((entries, doubles))
    }

    fn key(&mut self, at: NodeId) -> Option<&'a str> {
        let tree = self.tree;
        match &tree.node(at).content {
            Content::Scalar { text, .. } => Some(text),
            _ => {
                self.refuse(at, "a key that is not a single word", "write `key: value`");
                None
            }
        }
    }

    /// Adds what `<<` merges and what is not there yet. Of several, the first wins.
    fn merge(&mut self, at: NodeId, entries: &mut Vec<Entry<'a>>, depth: u32) {
        let tree = self.tree;
        match &tree.node(at).content {
            _ if depth == 0 => self.refuse(at, "`<<` stands too deep", ""),
            Content::Sequence(elements) => {
                for element in tree.children(elements) {
                    self.merge(*element, entries, depth - 1);
                }
            }
            Content::Mapping(pairs) => {
                let mut seen = Seen::new(entries.len() + pairs.len() / 2);
                seen.names.extend(entries.iter().map(|entry| entry.name).filter(|_| seen.is_large));
                for pair in tree.children(pairs).chunks_exact(2) {
                    match self.key(pair[0]) {
                        Some("<<") => self.merge(pair[1], entries, depth - 1),
                        Some(name) if seen.first(name, entries).is_none() => {
                            entries.push(Entry { name, key: pair[0], value: pair[1] });
                        }
                        _ => {}
                    }
                }
            }
            Content::Scalar { .. } => self.refuse(at, "`<<` merges no mapping", "write `<<: *name` of a mapping"),
        }
    }
}

/// Finds doubles: by looking at all for the few keys that are usual, by a set for many.
struct Seen<'a> {
    is_large: bool,
    names: HashSet<&'a str>,
}

impl<'a> Seen<'a> {
    fn new(expected: usize) -> Seen<'a> {
        let is_large = expected > 24;
        Seen { is_large, names: if is_large { HashSet::with_capacity(expected) } else { HashSet::new() } }
    }

    /// The key under which the name stands among the entries already.
    fn first(&mut self, name: &'a str, entries: &[Entry<'a>]) -> Option<NodeId> {
        if self.is_large && self.names.insert(name) {
            return None;
        }
        entries.iter().find(|entry| entry.name == name).map(|entry| entry.key)
    }
}
