//! Any text as an element of a command, a variable's value and the standard input, under any environment: no panic, a
//! text without `$` and `{` comes back as it is, and what a variable holds is text whatever it looks like.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tickward::config::{Environment, Source, load};
use tickward::pipeline::{Body, Stdin};
use tickward::template::{Template, Value};
use tickward_fuzz::Input;

fuzz_target!(|bytes: &[u8]| {
    let input = Input::of(bytes);
    let Ok(text) = std::str::from_utf8(input.text) else { return };
    assert_eq!(filled(&Template::literal(text)), text);
    let guarded = Template::parse_guarded(text, std::slice::from_ref(&(0..text.len())));
    assert_eq!(guarded.map(|template| filled(&template)).as_deref(), Ok(text));
    match Template::parse(text) {
        Ok(template) if !text.contains("{{") => assert_eq!(filled(&template), text),
        Ok(template) => assert!(template.values().count() <= text.len()),
        Err(error) => assert!(text.get(error.span.clone()).is_some(), "{error:?}"),
    }
    let environment = input.environment();
    let read = through_a_file(text, &environment);
    if !text.contains(['$', '{', '\0']) {
        assert_eq!(read, vec![text; 3]);
    }
    for (name, value) in input.variables.iter().filter(|(name, _)| is_name(name)) {
        let last = environment.get(name).unwrap_or(value);
        if !last.contains('\0') {
            assert_eq!(through_a_file(&format!("a${{{name}}}b"), &environment), vec![format!("a{last}b"); 3]);
        }
    }
});

/// What becomes of a text as an argument, as a variable and on standard input; nothing where it is refused.
fn through_a_file(text: &str, environment: &Environment) -> Vec<String> {
    let text = quoted(text);
    let document = format!("pipelines: {{ p: {{ command: [x, {text}], env: {{ A: {text} }}, stdin: {text} }} }}\n");
    let loaded = load(&[Source::Text { name: "t.yaml".into(), text: document }], environment);
    assert_eq!(loaded.pipelines.is_empty(), loaded.has_errors());
    let Some(pipeline) = loaded.pipelines.first() else { return Vec::new() };
    let command = &pipeline.command;
    match (&command.body, &command.stdin) {
        (Body::Argv(words), Stdin::Text(stdin)) => vec![filled(&words[1]), filled(&command.env["A"]), filled(stdin)],
        other => panic!("{other:?}"),
    }
}

fn filled(template: &Template) -> String {
    template.render(|value: Value| format!("<{}>", value.name()))
}

/// The text between double quotes, as YAML reads it back.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c.is_ascii_alphanumeric() {
            true => quoted.push(c),
            false => quoted.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    quoted + "\""
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
