//! Checks what pipelines say of their earlier names (`previously`).
//!
//! Holds always: no name is given up by one pipeline while another has it, or wants it too.

use std::collections::HashMap;

use super::problem::{Place, Problem};
use crate::occurrence::PipelineId;
use crate::pipeline::Pipeline;

/// Takes out the pipelines whose earlier name is in use, and says why at these places.
pub(super) fn check(
    places: &HashMap<PipelineId, Place>,
    pipelines: &mut Vec<Pipeline>,
    broken: &mut Vec<String>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let known: Vec<PipelineId> = pipelines.iter().map(|pipeline| pipeline.id.clone()).collect();
    let mut wanted: Vec<PipelineId> = Vec::new();
    pipelines.retain(|pipeline| {
        let Some(name) = &pipeline.previously else { return true };
        let before = PipelineId { namespace: pipeline.id.namespace.clone(), name: name.clone() };
        let (message, help) = if known.contains(&before) || broken.contains(&name.to_string()) {
            let message = format!("`previously`: a pipeline is still called `{name}`");
            (message, "rename or remove that one, or take `previously` out")
        } else if wanted.contains(&before) {
            let message = format!("`previously`: another pipeline was called `{name}` before, too");
            (message, "take `previously` out of all but the one that carries its history on")
        } else {
            wanted.push(before);
            return true;
        };
        let place = places.get(&pipeline.id).cloned();
        problems.push(Problem::error(place, message).with_help(help).in_pipeline(pipeline.id.name.as_str()));
        broken.push(pipeline.id.name.to_string());
        false
    });
    problems
}
