//! What is left of a row when a pipeline is forgotten, and what becomes of two rows when it gets another name.
//!
//! Holds always: fence and version stay, so that no fence is given out twice and no older decision is won; whoever still
//! has the old name starts nothing under it.

use jiff::Timestamp;

use super::{Paused, Row, Standing};
use crate::occurrence::PipelineId;

impl Row {
    /// The row as it stands when all is forgotten but what guards claims.
    pub fn forgotten(&self) -> Row {
        Row { version: self.version, fence: self.fence, ..Row::absent(self.pipeline.clone()) }
    }

    /// Whether it tells nothing but that there was one: it was forgotten, or goes on under another name.
    pub fn is_guard(&self) -> bool {
        let standing = Standing { paused: None, moved_to: None, ..Standing::clone(&self.standing) };
        let is_paused_by_hand = self.standing.paused.is_some() && self.standing.moved_to.is_none();
        !is_paused_by_hand && self.tells_nothing() && standing == Standing::default()
    }

    /// Whether what is known under another name may take its place: nothing is, but for what people have asked for.
    pub fn gives_way(&self) -> bool {
        self.standing.moved_to.is_some() || self.tells_nothing()
    }

    /// Whether it may go on under another name: it has not done so already.
    pub fn may_move(&self) -> bool {
        self.standing.moved_to.is_none() && !self.is_guard()
    }

    fn tells_nothing(&self) -> bool {
        self.cursor.is_none() && self.schedules.is_empty() && self.last.is_none() && self.totals.is_empty()
    }

    /// The row under the name of `to`, and what is left under the old one. A pause that was asked for under the new name
    /// counts; under the old one nothing starts any more, until somebody resumes it.
    pub fn moved(&self, to: &Row, now: Timestamp) -> (Row, Row) {
        let fence = self.fence.max(to.fence);
        let mut moved = Row { pipeline: to.pipeline.clone(), version: to.version, fence, ..self.clone() };
        if to.standing.moved_to.is_none() {
            moved.standing.paused = to.standing.paused.clone().or(moved.standing.paused.take());
        }
        let mut left = self.forgotten();
        let note = format!("its name is `{}` now", to.pipeline);
        left.standing.paused = Some(Paused { since: now, until: None, note });
        left.standing.moved_to = Some(full_name(&to.pipeline));
        (moved, left)
    }
}

fn full_name(id: &PipelineId) -> String {
    format!("{}:{}", id.namespace, id.name)
}
