//! Reads what a pipeline depends on, and checks that it is there and that nothing waits for itself.
//!
//! Holds always: a pipeline that names one which no file has, or that stands in a circle, is broken; one that waits for a
//! broken one is not.

use std::collections::HashMap;

use super::keys;
use super::problem::{Place, Problem};
use super::reader::{Entry, Reader};
use super::tree::NodeId;
use super::value;
use crate::occurrence::{Name, PipelineId};
use crate::pipeline::{Pipeline, Upstream};

/// One element of `depends_on`.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    namespace: Option<Name>,
    name: Name,
    accepts_partial: bool,
    max_age: Option<std::time::Duration>,
    at: NodeId,
}

/// Where a pipeline names another one.
#[derive(Debug)]
pub(super) struct Reference {
    pub(super) from: PipelineId,
    pub(super) to: PipelineId,
    pub(super) place: Place,
}

/// The elements of `depends_on`: names, or mappings with a name.
pub(super) fn read<'a>(reader: &mut Reader<'a>, entry: Entry<'a>) -> Option<Vec<Wanted>> {
    let nodes = reader.elements(entry.value).map_or_else(|| vec![entry.value], |nodes| nodes.to_vec());
    let each: Vec<_> = nodes.into_iter().map(|at| one(reader, Entry { value: at, ..entry })).collect();
    each.into_iter().collect()
}

fn one<'a>(reader: &mut Reader<'a>, entry: Entry<'a>) -> Option<Wanted> {
    if !reader.is_mapping(entry.value) {
        let (namespace, name) = full_name(reader, entry)?;
        return Some(Wanted { namespace, name, accepts_partial: true, max_age: None, at: entry.value });
    }
    let errors = reader.errors;
    let (mut pipeline, mut accepts_partial, mut max_age) = (None, true, None);
    for inner in reader.entries(entry.value, "an element of `depends_on`")? {
        match inner.name {
            "pipeline" => pipeline = full_name(reader, inner),
            "accept" => accepts_partial = accepts(reader, inner).unwrap_or(true),
            "max_age" => max_age = value::positive_duration(reader, inner),
            name => {
                let message = format!("unknown key `{name}` in `depends_on`");
                reader.refuse(inner.key, message, keys::advice(keys::UPSTREAM, name));
            }
        }
    }
    if pipeline.is_none() && reader.errors == errors {
        reader.refuse(entry.value, "an element of `depends_on` names no `pipeline`", "write `{ pipeline: NAME, … }`");
    }
    let (namespace, name) = pipeline.filter(|_| reader.errors == errors)?;
    Some(Wanted { namespace, name, accepts_partial, max_age, at: entry.value })
}

/// A name, or `namespace:name`.
fn full_name<'a>(reader: &mut Reader<'a>, entry: Entry<'a>) -> Option<(Option<Name>, Name)> {
    let scalar = reader.scalar(entry.value, "an element of `depends_on`", "the name of a pipeline")?;
    let (namespace, name) = match scalar.text.split_once(':') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, scalar.text.as_ref()),
    };
    let read = namespace.map(Name::parse).transpose().and_then(|namespace| Ok((namespace, Name::parse(name)?)));
    match read {
        Ok(read) => Some(read),
        Err(_) if scalar.is_filled() => value::refuse_filled(reader, &scalar, entry.name, "the name of a pipeline"),
        Err(invalid) => {
            reader.refuse(entry.value, format!("`depends_on`: {invalid}"), value::NAME_HELP);
            None
        }
    }
}

fn accepts<'a>(reader: &mut Reader<'a>, entry: Entry<'a>) -> Option<bool> {
    let words = [("succeeded", false), ("partial", true)];
    let nodes = reader.elements(entry.value).map_or_else(|| vec![entry.value], |nodes| nodes.to_vec());
    if nodes.is_empty() {
        let help = "name what counts: [succeeded] or [succeeded, partial], or leave it out for both";
        reader.refuse(entry.value, "`accept` is an empty list", help);
    }
    let each: Vec<_> = nodes.into_iter().map(|at| value::word(reader, Entry { value: at, ..entry }, &words)).collect();
    Some(each.into_iter().collect::<Option<Vec<bool>>>()?.contains(&true))
}

/// What `id` depends on, and where it says so.
pub(super) fn resolve(reader: &Reader<'_>, id: &PipelineId, wanted: Vec<Wanted>) -> (Vec<Upstream>, Vec<Reference>) {
    let resolve = |wanted: Wanted| {
        let namespace = wanted.namespace.unwrap_or_else(|| id.namespace.clone());
        let to = PipelineId { namespace, name: wanted.name };
        let place = reader.source.place(reader.tree.node(wanted.at).start);
        let Wanted { accepts_partial, max_age, .. } = wanted;
        (Upstream { pipeline: to.clone(), accepts_partial, max_age }, Reference { from: id.clone(), to, place })
    };
    wanted.into_iter().map(resolve).unzip()
}

/// Takes out the pipelines that depend on what is nowhere, or on themselves, and says why.
pub(super) fn check(references: &[Reference], pipelines: &mut Vec<Pipeline>, broken: &mut Vec<String>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut refused: HashMap<PipelineId, ()> = HashMap::new();
    let known: Vec<&PipelineId> = pipelines.iter().map(|pipeline| &pipeline.id).collect();
    for Reference { from, to, place } in references {
        if known.contains(&to) || broken.contains(&to.name.to_string()) || !known.contains(&from) {
            continue;
        }
        let names: Vec<String> = known.iter().filter(|id| **id != from).map(ToString::to_string).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let message = format!("`depends_on`: no pipeline is called `{to}`");
        let help = match names.as_slice() {
            [] => "add it, or take it out of `depends_on`".into(),
            names => keys::nearest_or_all(names, &to.to_string()),
        };
        problems.push(of(place, from, message).with_help(help));
        refused.insert(from.clone(), ());
    }
    let edges: HashMap<&PipelineId, Vec<&Reference>> =
        references.iter().fold(HashMap::new(), |mut edges: HashMap<_, Vec<_>>, reference| {
            edges.entry(&reference.from).or_default().push(reference);
            edges
        });
    for reference in references.iter().filter(|reference| !refused.contains_key(&reference.from)).collect::<Vec<_>>() {
        if refused.contains_key(&reference.from) {
            continue;
        }
        let Some(circle) = circle_of(&reference.from, &edges) else { continue };
        let names: Vec<String> = circle.iter().chain(circle.first()).map(|id| format!("`{id}`")).collect();
        let message = format!("`depends_on` goes in a circle: {}", names.join(" waits for "));
        problems.push(of(&reference.place, &reference.from, message).with_help("take one of these steps out"));
        refused.extend(circle.into_iter().map(|id| (id, ())));
    }
    pipelines.retain(|pipeline| {
        let is_refused = refused.contains_key(&pipeline.id);
        if is_refused {
            broken.push(pipeline.id.name.to_string());
        }
        !is_refused
    });
    problems
}

fn of(place: &Place, pipeline: &PipelineId, message: String) -> Problem {
    Problem::error(Some(place.clone()), message).in_pipeline(pipeline.name.as_str())
}

/// The shortest way from `first` back to itself, without its end.
fn circle_of(first: &PipelineId, edges: &HashMap<&PipelineId, Vec<&Reference>>) -> Option<Vec<PipelineId>> {
    let mut ways = std::collections::VecDeque::from([vec![first]]);
    let mut seen: Vec<&PipelineId> = Vec::new();
    while let Some(way) = ways.pop_front() {
        for reference in way.last().and_then(|last| edges.get(*last)).into_iter().flatten() {
            if reference.to == *first {
                return Some(way.into_iter().cloned().collect());
            }
            if !seen.contains(&&reference.to) {
                seen.push(&reference.to);
                ways.push_back(way.iter().copied().chain([&reference.to]).collect());
            }
        }
    }
    None
}
