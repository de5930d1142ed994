//! Prints the JSON Schema of a configuration from the list of keys.

use serde_json::{Map, Value, json};

use super::exit_codes;
use super::keys::{self, Key, Kind};

/// The JSON Schema (draft 2020-12) of a configuration document, for editors and checks before a deployment.
///
/// What the schema accepts may still be refused by `load` (schedules, zones, values that do not fit together); what it
/// refuses is refused by `load` too, but for YAML merge keys, which editors resolve.
pub fn schema() -> Value {
    let mut schema = object(keys::DOCUMENT, |_| true);
    let pipeline = object(keys::PIPELINE, |_| true);
    let defaults = object(keys::PIPELINE, |key| !keys::NOT_IN_DEFAULTS.contains(&key.name));
    if let Value::Object(fields) = &mut schema {
        fields.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
        fields.insert("title".into(), json!("tickward.yaml"));
        let mut required = pipeline;
        required["required"] = json!(["command"]);
        fields.insert("$defs".into(), json!({ "pipeline": required, "defaults": defaults }));
    }
    schema
}

fn object(keys: &[Key], is_wanted: impl Fn(&Key) -> bool) -> Value {
    let properties: Map<String, Value> =
        keys.iter().filter(|key| is_wanted(key)).map(|key| (key.name.to_owned(), property(key))).collect();
    json!({
        "type": "object",
        "properties": properties,
        "patternProperties": { "^x-": true },
        "additionalProperties": false,
    })
}

fn property(key: &Key) -> Value {
    let mut schema = json!({ "description": key.about });
    let fields = [("default", key.default.map(value)), ("examples", Some(json!([value(key.example)])))];
    for (name, field) in fields {
        if let Some(field) = field {
            schema[name] = field;
        }
    }
    schema["anyOf"] = match of_kind(&key.kind) {
        Value::Array(mut kinds) => {
            kinds.push(json!({ "type": "null" }));
            Value::Array(kinds)
        }
        one => json!([one, { "type": "null" }]),
    };
    schema
}

/// A value of the list of keys, where values are JSON.
fn value(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or(Value::Null)
}

/// The schema of a kind, or several of which one must hold.
fn of_kind(kind: &Kind) -> Value {
    let text = json!({ "type": ["string", "number", "boolean"] });
    let texts = json!({ "type": "array", "items": text });
    let filled = json!({ "type": "string", "pattern": r"\$\{" });
    let word = |words: &[&str]| json!({ "enum": words });
    match kind {
        Kind::Text => text,
        Kind::Texts => json!([text, texts]),
        Kind::Command => {
            json!([{ "type": "string", "minLength": 1 }, { "type": "array", "items": text, "minItems": 1 }])
        }
        Kind::Variables => json!({ "type": "object", "additionalProperties": text }),
        Kind::InheritEnv => json!([{ "type": "boolean" }, texts, filled]),
        Kind::Stdin => json!([
            text,
            { "type": "object", "properties": { "text": text }, "required": ["text"], "additionalProperties": false },
            { "type": "object", "properties": { "file": text }, "required": ["file"], "additionalProperties": false },
        ]),
        Kind::Duration => {
            let unit = "(ms|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?)";
            json!([{ "type": "string", "pattern": format!(r"^\s*([0-9]+\s*{unit}\s*)+$") }, filled])
        }
        Kind::Size => json!([
            { "type": "integer", "minimum": 0 },
            { "type": "string", "pattern": r"^\s*[0-9]+\s*([bB]|[kKmMgGtT]([iI]?[bB]?)?)?\s*$" },
            filled,
        ]),
        Kind::Percent => json!([
            { "type": "integer", "minimum": 0, "maximum": 100 },
            { "type": "string", "pattern": r"^\s*[0-9]+\s*%?\s*$" },
            filled,
        ]),
        Kind::Count(least, most) => json!([
            { "type": "integer", "minimum": least, "maximum": most },
            { "type": "string", "pattern": r"^\s*[0-9]+\s*$|\$\{" },
        ]),
        Kind::Word(words) => json!([word(words), filled]),
        Kind::WordOrKeys(words, keys) => json!([word(words), filled, object(keys, |_| true)]),
        Kind::Flag => json!([{ "type": "boolean" }, filled]),
        Kind::EnvFiles => {
            let flag = json!({ "anyOf": [{ "type": "boolean" }, filled] });
            let properties = json!({ "path": text, "optional": flag });
            let file = json!({
                "type": "object", "properties": properties, "required": ["path"], "additionalProperties": false,
            });
            json!([text, { "type": "array", "items": { "anyOf": [text, file] } }])
        }
        Kind::Environments => json!({
            "type": "object",
            "additionalProperties": { "type": ["object", "null"] },
        }),
        Kind::Upstreams => {
            let each = json!({ "anyOf": [text, object(keys::UPSTREAM, |_| true)] });
            json!([text, { "type": "array", "items": each }])
        }
        Kind::Hook => {
            let Value::Array(mut kinds) = of_kind(&Kind::Command) else { return Value::Null };
            kinds.push(object(keys::HOOK, |_| true));
            Value::Array(kinds)
        }
        Kind::ExitCodes => json!([
            word(&exit_codes::NAMES),
            filled,
            {
                "type": "object",
                "properties": { "preset": { "anyOf": [word(&exit_codes::NAMES), filled] } },
                "patternProperties": {
                    "^[0-9]{1,3}$": {
                        "anyOf": [word(&["success", "partial", "retry", "fatal", "cancelled"]), filled]
                    },
                },
                "additionalProperties": false,
            },
        ]),
        Kind::Outlets(keys) => {
            let url = json!({ "type": "string", "pattern": r"://|\$\{" });
            let mut with_more = object(keys, |_| true);
            with_more["required"] = json!(["url"]);
            let entry = json!({ "anyOf": [url, with_more] });
            json!([url, with_more, { "type": "array", "items": entry }])
        }
        Kind::Words(words) => {
            json!([word(words), filled, { "type": "array", "items": { "anyOf": [word(words), filled] } }])
        }
        Kind::Keys(keys) => object(keys, |_| true),
        Kind::Defaults => json!({ "$ref": "#/$defs/defaults" }),
        Kind::Pipelines => json!({
            "type": "object",
            "propertyNames": { "pattern": "^[A-Za-z0-9._/-]{1,128}$" },
            "additionalProperties": { "$ref": "#/$defs/pipeline" },
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Source, load};

    fn problems(text: String) -> Vec<String> {
        let source = Source::Text { name: "t".into(), text };
        load(&[source], &Environment::default()).problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_key_of_the_list_is_read_and_its_example_is_right() {
        for key in keys::PIPELINE {
            let command = if key.name == "command" { "" } else { "    command: [x]\n" };
            let others = "pipelines:\n  daily_etl: { command: [x] }\n  prices: { command: [x] }\n";
            let text = format!("{others}  p:\n{command}    {}: {}\n", key.name, key.example);
            assert_eq!(problems(text), [""; 0], "{}", key.name);
            let text = format!("defaults:\n  {}: {}\npipelines:\n  p:\n    command: [x]\n", key.name, key.example);
            assert_eq!(problems(text).is_empty(), !keys::NOT_IN_DEFAULTS.contains(&key.name), "{}", key.name);
        }
        let nested =
            [("retry", keys::RETRY), ("limits", keys::LIMITS), ("hooks", keys::HOOKS), ("results", keys::RESULTS)];
        for (outer, list) in nested {
            for key in list {
                let text =
                    format!("pipelines:\n  p:\n    command: [x]\n    {outer}: {{ {}: {} }}\n", key.name, key.example);
                assert_eq!(problems(text), [""; 0], "{outer}.{}", key.name);
            }
        }
        for (outer, list) in [("alerters", keys::ALERTER), ("metrics", keys::SINK)] {
            for key in list {
                let url = if key.name == "url" { "" } else { "url: stdout://, " };
                let text = format!(
                    "{outer}: [{{ {url}{}: {} }}]\npipelines: {{ p: {{ command: [x] }} }}\n",
                    key.name, key.example
                );
                assert_eq!(problems(text), [""; 0], "{outer}.{}", key.name);
            }
        }
        for key in keys::DOCUMENT.iter().filter(|key| key.name != "pipelines") {
            let text = format!("{}: {}\npipelines: {{ p: {{ command: [x] }} }}\n", key.name, key.example);
            assert_eq!(problems(text), [""; 0], "{}", key.name);
        }
    }

    #[test]
    fn the_schema_has_every_key_with_its_default_and_example() {
        let schema = schema();
        for (list, at) in [
            (keys::DOCUMENT, "/properties"),
            (keys::PIPELINE, "/$defs/pipeline/properties"),
            (keys::RETRY, "/$defs/pipeline/properties/retry/anyOf/0/properties"),
            (keys::CATCH_UP, "/$defs/pipeline/properties/catch_up/anyOf/2/properties"),
            (keys::ALERTER, "/properties/alerters/anyOf/1/properties"),
            (keys::RETENTION, "/properties/retention/anyOf/0/properties"),
            (keys::SINK, "/properties/metrics/anyOf/1/properties"),
        ] {
            let properties = schema.pointer(at).and_then(Value::as_object).unwrap();
            let names: std::collections::BTreeSet<&str> = properties.keys().map(String::as_str).collect();
            assert_eq!(names, list.iter().map(|key| key.name).collect(), "{at}");
            for key in list {
                assert!(!properties[key.name]["examples"][0].is_null(), "{}", key.name);
                assert_eq!(properties[key.name].get("default").is_some(), key.default.is_some(), "{}", key.name);
            }
        }
    }

    #[test]
    fn the_users_page_has_every_key_and_value() {
        let page = include_str!("../../docs/configuration.md");
        let lists =
            [keys::DOCUMENT, keys::PIPELINE, keys::LIMITS, keys::RETRY, keys::CATCH_UP, keys::OVERLAP, keys::UPSTREAM]
                .into_iter()
                .chain([keys::HOOKS, keys::RESULTS, keys::ALERTER, keys::MATCH, keys::RETENTION]);
        let missing: Vec<&str> = (lists.flatten().map(|key| key.name))
            .chain(crate::template::Value::ALL.iter().map(|(name, _)| *name))
            .filter(|name| {
                !["`", "`limits.", "`hooks.", "{ ", ", "].iter().any(|before| page.contains(&format!("{before}{name}")))
            })
            .collect();
        assert_eq!(missing, [""; 0]);
    }
}
