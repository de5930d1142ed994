//! Reads one document: what holds for the whole file, then each pipeline on its own.
//!
//! Holds always: a mistake breaks what it governs and nothing else. A bad `timezone`, `namespace` or key in `defaults`
//! breaks the pipelines that inherit it; an unknown key at the top or another version breaks the file; a `run_log` that cannot be read is
//! one that nothing runs by; a key that this version cannot honour yet breaks nothing but is reported.

use std::collections::HashMap;

use super::env_files;
use super::environment::Environment;
use super::keys;
use super::outlets::{self, AlerterSpec, SinkSpec};
use super::overlay;
use super::problem::{Place, Problem};
use super::reader::{Entry, Reader};
use super::retention::{self, Retention};
use super::secret::Secret;
use super::settings::{self, Given, Settings, Whose};
use super::text::{SourceText, printable};
use super::tree::{NodeId, Tree};
use super::upstreams::Reference;
use super::validate::{self, Inherited};
use super::{UNKNOWN_RUN_LOG, value};
use crate::occurrence::{Name, PipelineId};
use crate::pipeline::{Filled, Pipeline};

/// Whether a text that is no document has the key `run_log` all the same.
fn names_a_run_log(text: &str) -> bool {
    let is_key = |(at, word): (usize, &str), line: &str| {
        let before = line[..at].trim_end_matches(['"', '\'']);
        let after = line[at + word.len()..].trim_start_matches(['"', '\'']).trim_start();
        before.chars().next_back().is_none_or(|c| c.is_whitespace() || "{,".contains(c)) && after.starts_with(':')
    };
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.into_iter().any(|line| line.match_indices("run_log").any(|found| is_key(found, line)))
}

/// Where each pipeline was first seen: in which source, at which byte.
pub(super) type Seen = HashMap<PipelineId, (usize, usize)>;

/// What one document holds.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) pipelines: Vec<Pipeline>,
    pub(super) broken: Vec<String>,
    pub(super) run_log: Option<(Secret, Place)>,
    /// It may name a run-log, and nobody knows which.
    pub(super) may_name_a_run_log: bool,
    pub(super) retention: Option<(Retention, Place)>,
    pub(super) alerters: Vec<AlerterSpec>,
    pub(super) metrics: Vec<SinkSpec>,
    pub(super) problems: Vec<Problem>,
    /// Which pipeline names which other one, and where.
    pub(super) references: Vec<Reference>,
    /// Which pipelines had another name, and where they say so.
    pub(super) renamed: HashMap<PipelineId, Place>,
}

/// Reads `sources[index]`; the names in `seen` are taken.
pub(super) fn read(sources: &[SourceText], index: usize, environment: &Environment, seen: &mut Seen) -> Document {
    let source = &sources[index];
    let refused = |problem| Document { problems: vec![problem], ..Document::default() };
    let (mut tree, root) = match Tree::parse(source.text()) {
        Ok(Some(parsed)) => parsed,
        Ok(None) => {
            let help = "write `pipelines:` and a pipeline below it, or remove the file";
            let problem = Problem::error(Some(source.place(0)), "the file is empty").with_help(help);
            // As one is that is being written.
            return Document { may_name_a_run_log: source.text().trim().is_empty(), ..refused(problem) };
        }
        Err(error) => {
            let problem = Problem::error(Some(source.place(error.start)), error.message);
            let problem = match error.help {
                Some(help) => problem.with_help(help),
                None => problem,
            };
            return Document { may_name_a_run_log: names_a_run_log(source.text()), ..refused(problem) };
        }
    };
    let chosen = environment.get_filled("TICKWARD_ENV").map(|name| overlay::chosen(&mut tree, root, name));
    let (root, mistake) = match chosen {
        None => (root, None),
        Some(Ok(root)) => (root, None),
        Some(Err(mistake)) => (root, Some(mistake)),
    };
    let mut reading = Reading {
        reader: Reader::new(source, &tree, environment),
        sources,
        index,
        seen,
        inherited: Inherited::default(),
        document: Document::default(),
    };
    if let Some(overlay::Mistake { at, message, help }) = mistake {
        reading.inherited.is_broken = true;
        reading.reader.refuse(at, message, help);
    }
    let is_mistaken = reading.inherited.is_broken;
    reading.top(root);
    let mut document = reading.document;
    if is_mistaken && document.may_name_a_run_log {
        document.run_log = None;
    } else {
        document.may_name_a_run_log = false;
    }
    let filled = Filled::of(reading.reader.filled);
    document.pipelines.iter_mut().for_each(|pipeline| pipeline.command.filled = filled.clone());
    document.problems = reading.reader.problems;
    document.problems.sort_by_key(|problem| problem.place.as_ref().map(|place| (place.line, place.column)));
    document
}

struct Reading<'a, 's> {
    reader: Reader<'a>,
    sources: &'a [SourceText],
    index: usize,
    seen: &'s mut Seen,
    inherited: Inherited<'a>,
    document: Document,
}

impl<'a> Reading<'a, '_> {
    fn top(&mut self, root: NodeId) {
        let Some(entries) = self.reader.entries(root, "the document") else { return };
        let mut pipelines = None;
        // First, wherever they stand: what follows is filled in from them.
        for entry in entries.iter().filter(|entry| entry.name == "env_files") {
            self.inherited.env_files = settings::given(&mut self.reader, *entry, env_files::read);
        }
        for entry in entries {
            match entry.name {
                "env_files" => {}
                overlay::KEY => self.environments(entry),
                "version" => self.version(entry),
                "timezone" => self.inherited.timezone = settings::given(&mut self.reader, entry, value::zone),
                "namespace" => self.inherited.namespace = settings::given(&mut self.reader, entry, value::name),
                "on_run_log_error" => {
                    self.inherited.on_run_log_error =
                        settings::given(&mut self.reader, entry, settings::on_run_log_error);
                }
                "run_log" => self.run_log(entry),
                "retention" => {
                    let place = self.reader.source.place(self.reader.tree.node(entry.key).start);
                    let kept = retention::read(&mut self.reader, entry);
                    self.document.retention = kept.map(|kept| (kept, place));
                }
                "alerters" => self.document.alerters = outlets::alerters(&mut self.reader, entry),
                "metrics" => self.document.metrics = outlets::metrics(&mut self.reader, entry),
                "defaults" => self.defaults(entry),
                "pipelines" => pipelines = Some(entry),
                name if name.starts_with("x-") => {}
                _ => self.other(entry),
            }
        }
        if let Some(entry) = pipelines {
            self.pipelines(entry);
        }
    }

    fn version(&mut self, entry: Entry<'a>) {
        let version = settings::given(&mut self.reader, entry, |reader, entry| value::count(reader, entry, 1, 1));
        self.inherited.is_broken |= matches!(version, Given::Broken);
    }

    /// Those that are not chosen are not read: they may name what is not here.
    fn environments(&mut self, entry: Entry<'a>) {
        let errors = self.reader.errors;
        let environments = self.reader.entries(entry.value, "`environments`").unwrap_or_default();
        for one in environments {
            self.document.may_name_a_run_log |= self.reader.keys_of(one.value).any(|key| key == "run_log");
            if !self.reader.is_mapping(one.value) && !self.reader.is_null(one.value) {
                let message = format!("the environment `{}` is no mapping", one.name);
                self.reader.refuse(one.value, message, "write the keys of a document below it");
            }
        }
        self.inherited.is_broken |= self.reader.errors > errors;
    }

    fn run_log(&mut self, entry: Entry<'a>) {
        if self.reader.is_null(entry.value) {
            return;
        }
        let scalar = self.reader.scalar(entry.value, "`run_log`", "a URL");
        let place = self.reader.source.place(self.reader.tree.node(entry.value).start);
        let url = scalar.map_or(UNKNOWN_RUN_LOG.into(), |scalar| scalar.text.into_owned());
        self.document.run_log = Some((Secret::new(url), place));
    }

    fn defaults(&mut self, entry: Entry<'a>) {
        let errors = self.reader.errors;
        let entries = self.reader.entries(entry.value, "`defaults`");
        let is_broken = self.reader.errors > errors;
        let mut defaults = settings::read(&mut self.reader, &entries.unwrap_or_default(), Whose::Defaults);
        defaults.broken |= is_broken;
        validate::check_defaults(&mut self.reader, &mut defaults, entry.value);
        self.inherited.defaults = defaults;
    }

    fn other(&mut self, entry: Entry<'a>) {
        let name = entry.name;
        match keys::NOT_YET_IN_DOCUMENT.iter().find(|(key, _)| *key == name) {
            Some((_, instead)) => {
                self.reader.refuse(entry.key, format!("this version does not support `{name}`"), instead);
            }
            None => {
                self.inherited.is_broken = true;
                let is_of_pipeline = keys::find(keys::PIPELINE, name).is_some();
                let help = match is_of_pipeline {
                    true => format!("put `{name}` into a pipeline or into `defaults`"),
                    false if self.reader.is_mapping(entry.value) && self.looks_like_a_pipeline(entry) => {
                        format!("if `{name}` is a pipeline, indent it and its keys further, below `pipelines:`")
                    }
                    false => keys::advice(keys::DOCUMENT, name),
                };
                self.reader.refuse(entry.key, format!("unknown key `{name}`"), help);
            }
        }
    }

    /// Whether a mapping has the keys without which a pipeline does nothing.
    fn looks_like_a_pipeline(&self, entry: Entry<'a>) -> bool {
        self.reader.keys_of(entry.value).any(|key| key == "command" || key == "schedule")
    }

    fn pipelines(&mut self, entry: Entry<'a>) {
        let Some((entries, doubles)) = self.reader.entries_and_doubles(entry.value, "`pipelines`") else { return };
        self.document.pipelines.reserve(entries.len());
        for entry in entries {
            self.reader.pipeline = Some(entry.name);
            match self.pipeline(entry) {
                Some(pipeline) => self.document.pipelines.push(pipeline),
                None => self.document.broken.push(printable(entry.name)),
            }
        }
        for (double, first) in doubles {
            let at = (self.index, self.reader.tree.node(first).start);
            self.reader.pipeline = Some(double.name);
            self.refuse_double(double.key, at);
            self.document.broken.push(printable(double.name));
        }
        self.reader.pipeline = None;
    }

    fn pipeline(&mut self, entry: Entry<'a>) -> Option<Pipeline> {
        let errors = self.reader.errors;
        let what = "the pipeline";
        let name = Name::parse(entry.name);
        if let Err(invalid) = &name {
            self.reader.refuse(entry.key, invalid.to_string(), value::NAME_HELP);
        }
        let is_key = keys::find(keys::PIPELINE, entry.name).is_some();
        if is_key && !self.reader.is_mapping(entry.value) && !self.reader.is_null(entry.value) {
            let message = format!("`{}` stands where the name of a pipeline is expected", entry.name);
            self.reader.refuse(entry.key, message, "indent it further, below its pipeline");
            return None;
        }
        let entries = self.reader.entries(entry.value, what)?;
        let own = settings::read(&mut self.reader, &entries, Whose::Pipeline);
        let namespace = validate::namespace(&own.namespace, &self.inherited, &default_namespace());
        let id = name.ok().zip(namespace).map(|(name, namespace)| PipelineId { namespace, name });
        if let Some(id) = &id {
            self.claim(id, entry.key);
        }
        let pipeline = self.finished(id, entry.key, own);
        pipeline.filter(|_| self.reader.errors == errors)
    }

    fn finished(&mut self, id: Option<PipelineId>, key: NodeId, own: Settings<'a>) -> Option<Pipeline> {
        let renamed_at = if let Given::Is(_, at) = &own.previously { Some(*at) } else { None };
        let pipeline = validate::pipeline(&mut self.reader, id, key, own, &self.inherited);
        let (pipeline, references) = pipeline.filter(|_| !self.inherited.is_broken)?;
        let renamed_at = renamed_at.map(|at| self.reader.source.place(self.reader.tree.node(at).start));
        self.document.renamed.extend(renamed_at.map(|place| (pipeline.id.clone(), place)));
        self.document.references.extend(references);
        Some(pipeline)
    }

    /// Takes a name, or reports where it was taken first.
    fn claim(&mut self, id: &PipelineId, key: NodeId) {
        let start = self.reader.tree.node(key).start;
        match self.seen.get(id).copied() {
            Some(first) => self.refuse_double(key, first),
            None => {
                self.seen.insert(id.clone(), (self.index, start));
            }
        }
    }

    fn refuse_double(&mut self, key: NodeId, first: (usize, usize)) {
        let source = &self.sources[first.0];
        let message = format!("the name is taken by {}:{}", source.name(), source.line(first.1));
        self.reader.refuse(key, message, "give it another name, or another `namespace`");
    }
}

/// The namespace of those that name none.
fn default_namespace() -> Name {
    static DEFAULT: std::sync::OnceLock<Name> = std::sync::OnceLock::new();
    #[expect(clippy::expect_used, reason = "the text is a name")]
    DEFAULT.get_or_init(|| Name::parse("default").expect("`default` is a name")).clone()
}
