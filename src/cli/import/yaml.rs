//! Writes pipelines as a configuration that reads as them again.
//!
//! Holds always: a text is quoted so that YAML, `${…}` and `{{ … }}` leave it alone.

use std::fmt::Write;
use std::time::Duration;

use super::command::written;

/// A pipeline to write.
#[derive(Clone, Debug, Default)]
pub struct Pipeline {
    /// Its name, which is valid.
    pub name: String,
    /// For people; empty without one.
    pub description: String,
    /// One expression.
    pub schedule: String,
    /// Where it differs from the file's.
    pub timezone: Option<String>,
    /// Longest delay in seconds, none or more than zero.
    pub jitter: Option<u64>,
    /// Whom it runs as.
    pub user: Option<String>,
    /// The group, likewise.
    pub group: Option<String>,
    /// Working directory.
    pub cwd: Option<String>,
    /// Variables.
    pub env: Vec<(String, String)>,
    /// The shell, where it is not `/bin/sh`.
    pub shell: Option<String>,
    /// The line for the shell.
    pub command: String,
    /// What it reads.
    pub stdin: Option<String>,
    /// A duration.
    pub timeout: Option<String>,
    /// A duration.
    pub kill_grace: Option<String>,
}

/// The document of these pipelines, whose schedules are read in `timezone`.
pub fn document(timezone: &str, mut pipelines: Vec<Pipeline>) -> String {
    let shared = shared_variables(&pipelines);
    pipelines.iter_mut().for_each(|pipeline| pipeline.env.retain(|variable| !shared.contains(variable)));
    let mut text = String::from("# Made of a crontab by `tickward import`. Check it with `tickward validate`.\n");
    let _ = writeln!(text, "timezone: {}", quoted(timezone));
    if !shared.is_empty() {
        text.push_str("\ndefaults:\n");
        variables(&mut text, "  ", &shared);
    }
    text.push_str("\npipelines:\n");
    for pipeline in &pipelines {
        one(&mut text, pipeline);
    }
    text
}

/// The variables that all pipelines have alike.
fn shared_variables(pipelines: &[Pipeline]) -> Vec<(String, String)> {
    let Some((first, others)) = pipelines.split_first() else { return Vec::new() };
    let is_shared = |variable: &&(String, String)| others.iter().all(|other| other.env.contains(variable));
    first.env.iter().filter(is_shared).cloned().collect()
}

fn one(text: &mut String, pipeline: &Pipeline) {
    let _ = writeln!(text, "  {}:", quoted(&pipeline.name));
    let described = Some(&pipeline.description).filter(|text| !text.is_empty()).cloned();
    let jitter = pipeline.jitter.map(|seconds| written(Duration::from_secs(seconds)));
    for (name, value) in [
        ("description", &described),
        ("schedule", &Some(pipeline.schedule.clone())),
        ("timezone", &pipeline.timezone),
        ("user", &pipeline.user),
        ("group", &pipeline.group),
        ("cwd", &pipeline.cwd),
    ] {
        if let Some(value) = value {
            let _ = writeln!(text, "    {name}: {}", literal(value));
        }
    }
    let durations = [("jitter", &jitter), ("timeout", &pipeline.timeout), ("kill_grace", &pipeline.kill_grace)];
    for (name, value) in durations.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
        let _ = writeln!(text, "    {name}: {value}");
    }
    variables(text, "    ", &pipeline.env);
    let _ = writeln!(text, "    command: {}", command(pipeline));
    if let Some(stdin) = &pipeline.stdin {
        let _ = writeln!(text, "    stdin: {}", template(stdin));
    }
}

fn variables(text: &mut String, indent: &str, variables: &[(String, String)]) {
    if variables.is_empty() {
        return;
    }
    let _ = writeln!(text, "{indent}env:");
    for (name, value) in variables {
        let _ = writeln!(text, "{indent}  {}: {}", quoted(name), template(value));
    }
}

/// A shell line stays a shell line, unless another shell reads it, or it would be taken for a template by mistake.
fn command(pipeline: &Pipeline) -> String {
    let is_template = crate::template::mentions(&pipeline.command).next().is_some();
    match &pipeline.shell {
        None if !is_template => quoted(&pipeline.command),
        shell => {
            format!("[{}, \"-c\", {}]", template(shell.as_deref().unwrap_or("/bin/sh")), template(&pipeline.command))
        }
    }
}

/// A text in a place where `{{ … }}` and `${…}` are read.
fn template(text: &str) -> String {
    literal(&text.replace("{{", "{{{{"))
}

/// A text in a place where `${…}` is read.
fn literal(text: &str) -> String {
    quoted(&text.replace("${", "$${"))
}

/// A text as a YAML scalar: plain where it can be, else in the quotes that need the fewest escapes.
fn quoted(text: &str) -> String {
    let is_word = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_./-+".contains(c))
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&text.to_ascii_lowercase().as_str());
    let needs_escapes =
        |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}');
    if is_word {
        return text.to_owned();
    }
    if !text.contains(needs_escapes) && text.contains(['"', '\\']) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut escaped = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => escaped.extend(['\\', c]),
            '\n' => escaped.push_str("\\n"),
            '\t' => escaped.push_str("\\t"),
            c if needs_escapes(c) => _ = write!(escaped, "\\u{:04x}", u32::from(c)),
            c => escaped.push(c),
        }
    }
    escaped.push('"');
    escaped
}
