//! Lays the chosen environment's keys over a document, before anything of it is read.
//!
//! Mappings are merged key by key, all else is replaced. The nodes stay those of the file, so a mistake is shown where it
//! was written, in the overlay or below it.
//!
//! Holds always: only what stands in both is merged; the document itself is untouched where no environment is chosen.

use super::tree::{Content, NodeId, Tree};

/// The key of the overlays.
pub(super) const KEY: &str = "environments";

/// How deep mappings are merged, and how many entries that may make.
const MAX_DEPTH: u32 = 64;
const MAX_ENTRIES: usize = 1 << 20;

/// Why an environment cannot be laid over.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) at: NodeId,
    pub(super) message: String,
    pub(super) help: String,
}

/// The root of the document as it is in the environment `name`; that of the document itself where it has no environments.
///
/// # Errors
/// An unknown environment, or one with environments of its own.
pub(super) fn chosen(tree: &mut Tree<'_>, root: NodeId, name: &str) -> Result<NodeId, Mistake> {
    let Some((key, environments)) = find(tree, root, KEY) else { return Ok(root) };
    let refuse = |at, message: String, help: String| Err(Mistake { at, message, help });
    if !is_mapping(tree, environments) {
        // What is wrong with it is told by who reads the document.
        return Ok(root);
    }
    let Some((_, overlay)) = find(tree, environments, name) else {
        let names: Vec<String> = pairs(tree, environments).into_iter().filter_map(|(key, _)| text(tree, key)).collect();
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        let help = match known.is_empty() {
            true => format!("write `{KEY}: {{ {name}: … }}`"),
            false => format!("use one of: {}", known.join(", ")),
        };
        return refuse(key, format!("there is no environment `{name}`"), help);
    };
    if !is_mapping(tree, overlay) {
        return Ok(root);
    }
    if let Some((key, _)) = find(tree, overlay, KEY) {
        return refuse(key, format!("`{KEY}` stands in an environment"), "an environment has no environments".into());
    }
    let mut room = MAX_ENTRIES;
    match merged(tree, root, overlay, MAX_DEPTH, &mut room) {
        Some(merged) => Ok(merged),
        None => refuse(overlay, format!("the environment `{name}` is too large"), String::new()),
    }
}

/// Both mappings in one: the order of the first, what only the second has last.
fn merged(tree: &mut Tree<'_>, base: NodeId, over: NodeId, depth: u32, room: &mut usize) -> Option<NodeId> {
    let mut entries = flat(tree, base);
    let before = entries.len();
    *room = room.checked_sub(before + 1)?;
    for (key, value) in flat(tree, over) {
        *room = room.checked_sub(1)?;
        let name = text(tree, key);
        let same = entries[..before].iter().position(|(known, _)| name.is_some() && text(tree, *known) == name);
        match same {
            None => entries.push((key, value)),
            Some(place) => {
                let below = entries[place].1;
                let both = is_mapping(tree, below) && is_mapping(tree, value) && depth > 0;
                // The key stays that of the file's own entry where it goes on, else it is the overlay's.
                entries[place] = match both {
                    true => (entries[place].0, merged(tree, below, value, depth - 1, room)?),
                    false => (key, value),
                };
            }
        }
    }
    let start = tree.node(base).start;
    Some(tree.add_mapping(start, entries.into_iter().flat_map(|(key, value)| [key, value])))
}

/// The entries of a mapping, merge keys resolved: what it says itself first.
fn flat(tree: &Tree<'_>, at: NodeId) -> Vec<(NodeId, NodeId)> {
    let mut entries = Vec::new();
    let mut merges = Vec::new();
    for (key, value) in pairs(tree, at) {
        match text(tree, key).as_deref() {
            Some("<<") => merges.push((key, value)),
            _ => entries.push((key, value)),
        }
    }
    for (key, merge) in merges {
        let targets = match &tree.node(merge).content {
            Content::Sequence(elements) => tree.children(elements).to_vec(),
            _ => vec![merge],
        };
        if !targets.iter().all(|target| is_mapping(tree, *target)) {
            // Left as it is, to be refused where the document is read.
            entries.push((key, merge));
            continue;
        }
        for entry in targets.into_iter().flat_map(|target| flat(tree, target)) {
            let name = text(tree, entry.0);
            if !entries.iter().any(|(known, _)| text(tree, *known) == name) {
                entries.push(entry);
            }
        }
    }
    entries
}

fn pairs(tree: &Tree<'_>, at: NodeId) -> Vec<(NodeId, NodeId)> {
    match &tree.node(at).content {
        Content::Mapping(range) => tree.children(range).chunks_exact(2).map(|pair| (pair[0], pair[1])).collect(),
        _ => Vec::new(),
    }
}

fn find(tree: &Tree<'_>, at: NodeId, name: &str) -> Option<(NodeId, NodeId)> {
    flat(tree, at).into_iter().find(|(key, _)| text(tree, *key).as_deref() == Some(name))
}

fn text(tree: &Tree<'_>, at: NodeId) -> Option<String> {
    match &tree.node(at).content {
        Content::Scalar { text, .. } => Some(text.to_string()),
        _ => None,
    }
}

fn is_mapping(tree: &Tree<'_>, at: NodeId) -> bool {
    matches!(tree.node(at).content, Content::Mapping(_))
}
