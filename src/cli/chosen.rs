//! Finds the pipelines that a person means: by name, by pattern, by tag, or all.
//!
//! Known is what the configuration has, broken or not, and what the run-log has a row of that does more than guard claims.
//!
//! Holds always: each is found once; a word that means none is refused with the nearest that there is.

use std::collections::BTreeSet;

use super::exit::Exit;
use super::session::Session;
use super::{history, print, status, typed};
use crate::occurrence::PipelineId;
use crate::runlog::contract::View;

/// The pipelines that `words` mean, in the order of their names; all that are known where `all` says so.
///
/// # Errors
/// `Usage`, after saying which word means none.
pub fn chosen(session: &Session, view: &View, words: &[String], all: bool) -> Result<BTreeSet<PipelineId>, Exit> {
    let broken: Vec<PipelineId> = session.loaded.broken.iter().filter_map(|name| status::id_as_written(name)).collect();
    let configured = session.loaded.pipelines.iter().map(|pipeline| &pipeline.id);
    let in_use = view.rows.iter().filter(|(_, row)| !row.is_guard()).map(|(id, _)| id);
    let known: BTreeSet<&PipelineId> = configured.chain(&broken).chain(in_use).collect();
    if all {
        return Ok(known.into_iter().cloned().collect());
    }
    let mut found = BTreeSet::new();
    for word in words {
        let meant: Vec<PipelineId> = match word.strip_prefix("tag:") {
            Some(tag) => tagged(session, tag)?,
            None if word.contains(['*', '?']) => known.iter().filter(|id| fits(id, word)).copied().cloned().collect(),
            None => vec![history::id_of(session, word)?].into_iter().filter(|id| known.contains(id)).collect(),
        };
        if meant.is_empty() {
            return Err(history::refuse_unknown(session, view.rows.keys(), word));
        }
        found.extend(meant);
    }
    Ok(found)
}

fn tagged(session: &Session, tag: &str) -> Result<Vec<PipelineId>, Exit> {
    let all = &session.loaded.pipelines;
    let has = all.iter().filter(|pipeline| pipeline.tags.iter().any(|has| has == tag));
    let found: Vec<PipelineId> = has.map(|pipeline| pipeline.id.clone()).collect();
    if found.is_empty() {
        let tags = all.iter().flat_map(|pipeline| pipeline.tags.iter().cloned());
        let help = typed::meant(tags, tag, "tickward list -o json");
        print::error(&format!("no pipeline has the tag `{tag}`"), &help);
        return Err(Exit::Usage);
    }
    Ok(found)
}

fn fits(id: &PipelineId, pattern: &str) -> bool {
    matches(pattern.as_bytes(), id.name.as_str().as_bytes()) || matches(pattern.as_bytes(), id.to_string().as_bytes())
}

/// Whether a text is like a pattern: `*` is any text, `?` any one character; names have no others that are special.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|skipped| matches(rest, &text[skipped..])),
        Some((b'?', rest)) => !text.is_empty() && matches(rest, &text[1..]),
        Some((byte, rest)) => text.first() == Some(byte) && matches(rest, &text[1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text_and_a_question_mark_one_character() {
        for (pattern, text, is_like) in [
            ("load_*", "load_a", true),
            ("load_*", "load_", true),
            ("load_*", "reload_a", false),
            ("*", "", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b*", "xaybz", true),
            ("team/*", "team/etl", true),
            ("a.c", "abc", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), is_like, "{pattern} {text}");
        }
    }
}
