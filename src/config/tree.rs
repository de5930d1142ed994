//! Reads a YAML text into a flat tree that knows where everything stands.
//!
//! The parser's events become nodes in one vector; an alias is the number of its target, so a file of aliases of aliases
//! costs nothing to hold. What the values mean is for `reader`.
//!
//! Holds always: only the parser's syntax errors stop a file; reading every alias out in full stays within a bound
//! (`MAX_EXPANDED`), so that what is built from a tree is bounded too; a node never contains itself.

use std::borrow::Cow;
use std::ops::Range;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, Tag};

/// Bytes and nodes that aliases may stand for in all.
const MAX_EXPANDED: u64 = 16 << 20;

/// How many lists, and how many mappings, may stand in each other.
const MAX_DEPTH: usize = 64;

/// Number of a node in its tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeId(u32);

impl NodeId {
    /// Whether it stands after the other in the file.
    pub(super) fn is_after(self, other: NodeId) -> bool {
        self.0 > other.0
    }
}

/// One document.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    nodes: Vec<Node<'a>>,
    children: Vec<NodeId>,
}

/// One value and the byte where it starts.
#[derive(Debug)]
pub(super) struct Node<'a> {
    pub(super) start: usize,
    pub(super) content: Content<'a>,
    pub(super) tag: TagKind,
}

/// What a tag says about its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TagKind {
    /// No tag, or one that only repeats what is there.
    None,
    /// `!!str`: a string, however it is written.
    Text,
    /// Anything else: not understood.
    Other,
}

/// The value itself.
#[derive(Debug)]
pub(super) enum Content<'a> {
    /// A scalar as decoded; `plain` if written without quotes.
    Scalar { text: Cow<'a, str>, plain: bool },
    /// Elements, as a range of the tree's children.
    Sequence(Range<u32>),
    /// Key, value, key, value, …, as a range of the tree's children.
    Mapping(Range<u32>),
}

/// Why a text is no document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub(super) start: usize,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl<'a> Tree<'a> {
    /// The root of the first and only document; none where the text holds nothing but comments.
    pub(super) fn parse(text: &'a str) -> Result<Option<(Tree<'a>, NodeId)>, SyntaxError> {
        let mut builder = Builder::new(text);
        let options = granit_parser::options! {
            emit_comments: false, block_nesting_limit: MAX_DEPTH, flow_nesting_limit: MAX_DEPTH
        };
        for next in Parser::new_from_str_with_options(text, options) {
            let (event, span) = next.map_err(|error| {
                let start = error.marker().byte_offset().unwrap_or(0).min(text.len());
                match of_kind(error.kind()) {
                    Some(help) => SyntaxError {
                        start: culprit(text, start, error.kind()),
                        message: error.info(),
                        help: Some(help),
                    },
                    None => SyntaxError { start, message: error.info(), help: advice(text, start, &error.info()) },
                }
            })?;
            builder.take(event, span.start.byte_offset().unwrap_or(0))?;
        }
        Ok(builder.finish())
    }

    /// Adds a mapping of these keys and values, all of this tree.
    pub(super) fn add_mapping(&mut self, start: usize, pairs: impl IntoIterator<Item = NodeId>) -> NodeId {
        let first = self.children.len() as u32;
        self.children.extend(pairs);
        let content = Content::Mapping(first..self.children.len() as u32);
        self.nodes.push(Node { start, content, tag: TagKind::None });
        NodeId(self.nodes.len() as u32 - 1)
    }

    pub(super) fn node(&self, id: NodeId) -> &Node<'a> {
        &self.nodes[id.0 as usize]
    }

    pub(super) fn children(&self, range: &Range<u32>) -> &[NodeId] {
        &self.children[range.start as usize..range.end as usize]
    }
}

/// Advice where the kind of a mistake says all.
fn of_kind(kind: &ErrorKind) -> Option<String> {
    match kind {
        ErrorKind::RecursionLimitExceeded => {
            Some(format!("use fewer: lists and mappings may stand {MAX_DEPTH} deep in each other at most"))
        }
        ErrorKind::UnexpectedCharacter { character: '\0' } => {
            Some("take it out; UTF-16 has it beside each letter: save the file as UTF-8".into())
        }
        ErrorKind::UnexpectedCharacter { character } if character.is_control() => {
            let code = u32::from(*character);
            Some(format!("take it out, or write it as an escape in double quotes: \"\\x{code:02x}\""))
        }
        _ => None,
    }
}

/// The byte of what a mistake is about; the parser may tell that of the value it is in.
fn culprit(text: &str, start: usize, kind: &ErrorKind) -> usize {
    let found = match kind {
        ErrorKind::UnexpectedCharacter { character } => text.get(start..).and_then(|rest| rest.find(*character)),
        _ => None,
    };
    start + found.unwrap_or(0)
}

/// Advice for the mistakes that people make most.
fn advice(text: &str, start: usize, message: &str) -> Option<String> {
    let line_start = text[..floor(text, start)].rfind('\n').map_or(0, |at| at + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let indent = &line[..line.len() - line.trim_start().len()];
    if indent.contains('\t') {
        return Some("indent with spaces, YAML allows no tabs".into());
    }
    let value = line.split_once(": ").map_or(line.trim_start(), |(_, value)| value.trim_start());
    if needs_quotes(value) || needs_quotes(element(&line[..floor(line, start - line_start)], line)) {
        return Some("put the value in double quotes".into());
    }
    let is_text = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with('#');
    let before = text[..line_start].lines().rev().find(is_text).unwrap_or_default();
    let above = before.len() - before.trim_start().len();
    let goes_on = indent.len() > above && !before.trim_end().ends_with(':');
    let is_uneven = message.contains("did not find expected key") && indent.len() != above;
    if is_uneven || (message.contains("mapping values are not allowed") && goes_on) {
        let columns = format!("this line is indented by {}, the one above by {above}", indent.len());
        return Some(format!("{columns}: keys of one mapping begin in the same column"));
    }
    let has_colon = message.contains("mapping values are not allowed");
    has_colon.then(|| "put a value that has `: ` in it into quotes".into())
}

/// Whether a value begins with a character that YAML has a use for.
fn needs_quotes(value: &str) -> bool {
    value.starts_with(['*', '@', '%', '`', '!', '&']) || value.starts_with("{{")
}

/// The value within brackets, braces or of a list, that begins last in `before` or right behind it.
fn element<'l>(before: &str, line: &'l str) -> &'l str {
    let ends = [": ", "- ", "[", "{", ","].iter().filter_map(|mark| before.rfind(mark).map(|at| at + mark.len()));
    line[ends.max().unwrap_or(0)..].trim_start()
}

fn floor(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A collection whose end has not come yet.
struct Open {
    node: NodeId,
    first_child: usize,
    weight: u64,
}

struct Builder<'a> {
    tree: Tree<'a>,
    open: Vec<Open>,
    waiting: Vec<NodeId>,
    /// By anchor number: the node, and what it weighs with its aliases read out; none while it is open.
    anchors: Vec<(NodeId, Option<u64>)>,
    open_anchors: Vec<(usize, NodeId)>,
    root: Option<NodeId>,
    expanded: u64,
}

impl<'a> Builder<'a> {
    fn new(text: &str) -> Builder<'a> {
        let tree = Tree { nodes: Vec::with_capacity(text.len() / 12), children: Vec::with_capacity(text.len() / 12) };
        let (open, waiting, anchors, open_anchors) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Builder { tree, open, waiting, anchors, open_anchors, root: None, expanded: 0 }
    }

    fn take(&mut self, event: Event<'a>, start: usize) -> Result<(), SyntaxError> {
        match event {
            Event::DocumentStart(..) if self.root.is_some() => Err(second_document(start)),
            Event::Scalar(text, style, anchor, tag) => {
                let weight = 1 + text.len() as u64;
                let content = Content::Scalar { text, plain: style == ScalarStyle::Plain };
                let id = self.add(start, content, tag.as_deref())?;
                self.anchor(anchor, id, Some(weight));
                self.attach(id, weight);
                Ok(())
            }
            Event::SequenceStart(_, anchor, tag) => self.open(start, Content::Sequence(0..0), anchor, tag.as_deref()),
            Event::MappingStart(_, anchor, tag) => self.open(start, Content::Mapping(0..0), anchor, tag.as_deref()),
            Event::SequenceEnd | Event::MappingEnd => {
                self.close();
                Ok(())
            }
            Event::Alias(anchor) => self.alias(anchor, start),
            _ => Ok(()),
        }
    }

    fn add(&mut self, start: usize, content: Content<'a>, tag: Option<&Tag>) -> Result<NodeId, SyntaxError> {
        let number = u32::try_from(self.tree.nodes.len()).map_err(|_| too_much(start))?;
        self.tree.nodes.push(Node { start, content, tag: tag.map_or(TagKind::None, kind_of) });
        Ok(NodeId(number))
    }

    fn open(
        &mut self,
        start: usize,
        content: Content<'a>,
        anchor: usize,
        tag: Option<&Tag>,
    ) -> Result<(), SyntaxError> {
        let node = self.add(start, content, tag)?;
        self.anchor(anchor, node, None);
        self.open.push(Open { node, first_child: self.waiting.len(), weight: 1 });
        Ok(())
    }

    fn close(&mut self) {
        let Some(done) = self.open.pop() else { return };
        let first = self.tree.children.len() as u32;
        self.tree.children.extend(self.waiting.drain(done.first_child..));
        let range = first..self.tree.children.len() as u32;
        match &mut self.tree.nodes[done.node.0 as usize].content {
            Content::Sequence(elements) => *elements = range,
            Content::Mapping(pairs) => *pairs = range,
            Content::Scalar { .. } => {}
        }
        while let Some((anchor, _)) = self.open_anchors.pop_if(|(_, node)| *node == done.node) {
            self.anchors[anchor].1 = Some(done.weight);
        }
        self.attach(done.node, done.weight);
    }

    fn alias(&mut self, anchor: usize, start: usize) -> Result<(), SyntaxError> {
        match self.anchors.get(anchor).copied() {
            Some((target, Some(weight))) => {
                self.expanded = self.expanded.saturating_add(weight);
                if self.expanded > MAX_EXPANDED {
                    return Err(too_much(start));
                }
                self.attach(target, weight);
                Ok(())
            }
            _ => {
                let help = "write out what is meant, or move the anchor (`&name`) to what has no alias of it inside";
                let message = "an alias inside of what it stands for".into();
                Err(SyntaxError { start, message, help: Some(help.into()) })
            }
        }
    }

    fn anchor(&mut self, anchor: usize, node: NodeId, weight: Option<u64>) {
        if anchor == 0 {
            return;
        }
        if self.anchors.len() <= anchor {
            self.anchors.resize(anchor + 1, (node, None));
        }
        self.anchors[anchor] = (node, weight);
        if weight.is_none() {
            self.open_anchors.push((anchor, node));
        }
    }

    fn attach(&mut self, node: NodeId, weight: u64) {
        match self.open.last_mut() {
            Some(parent) => {
                parent.weight = parent.weight.saturating_add(weight);
                self.waiting.push(node);
            }
            None => self.root = Some(node),
        }
    }

    fn finish(self) -> Option<(Tree<'a>, NodeId)> {
        let root = self.root?;
        let is_empty = matches!(&self.tree.node(root).content, Content::Scalar { text, plain: true } if is_null(text));
        (!is_empty).then_some((self.tree, root))
    }
}

/// Whether a scalar without quotes stands for nothing.
pub(super) fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

fn kind_of(tag: &Tag) -> TagKind {
    match tag.to_string().rsplit([':', '!']).next() {
        Some("str") => TagKind::Text,
        Some("int" | "float" | "bool" | "null" | "map" | "seq") => TagKind::None,
        _ => TagKind::Other,
    }
}

fn second_document(start: usize) -> SyntaxError {
    let help = Some("put all pipelines under one `pipelines:`, or split the file".into());
    SyntaxError { start, message: "a second document in one file".into(), help }
}

fn too_much(start: usize) -> SyntaxError {
    SyntaxError {
        start,
        message: "aliases stand for too much".into(),
        help: Some("use fewer aliases of aliases".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Tree::parse(text).unwrap_err().message
    }

    #[test]
    fn nodes_know_their_bytes_and_aliases_their_target() {
        let text = "é: 'a b'\nb: &x \"q\\n\"\nc: [*x, ~]\n";
        let (tree, root) = Tree::parse(text).unwrap().unwrap();
        let Content::Mapping(pairs) = &tree.node(root).content else { panic!("{tree:?}") };
        let starts: Vec<usize> = tree.children(pairs).iter().map(|id| tree.node(*id).start).collect();
        assert_eq!(starts, [0, 4, 10, 16, 22, 25]);
        let list = tree.children(pairs)[5];
        let Content::Sequence(elements) = &tree.node(list).content else { panic!("{tree:?}") };
        assert_eq!(tree.children(elements)[0], tree.children(pairs)[3]);
    }

    #[test]
    fn texts_that_hold_nothing_have_no_root() {
        for text in ["", "# comment\n", "---\n", "\n\n"] {
            assert!(Tree::parse(text).unwrap().is_none(), "{text:?}");
        }
    }

    #[test]
    fn bombs_and_circles_are_refused() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let lower = format!("*a{}, ", level - 1).repeat(10);
            bomb.push_str(&format!("a{level}: &a{level} [{lower}]\n"));
        }
        assert_eq!(error(&bomb), "aliases stand for too much");
        assert_eq!(error("a: &a [*a]"), "an alias inside of what it stands for");
        assert_eq!(error("a: 1\n---\nb: 2\n"), "a second document in one file");
        assert!(Tree::parse(&"[".repeat(100_000)).is_err());
    }
}
