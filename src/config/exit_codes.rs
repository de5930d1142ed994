//! Reads `exit_codes`: codes and words, a preset's name, or a preset and what differs from it.
//!
//! The presets are the documented codes of programs that people schedule; the user's page names the source of each.
//!
//! Holds always: a code that is written out beats the preset's, wherever it stands.

use std::collections::BTreeMap;

use super::reader::{Entry, Reader};
use super::value;
use crate::pipeline::ExitMeaning::{self, Cancelled, Fatal, Partial, Retry, Success};

/// What a word of the configuration means.
const WORDS: [(&str, ExitMeaning); 5] =
    [("success", Success), ("partial", Partial), ("retry", Retry), ("fatal", Fatal), ("cancelled", Cancelled)];

/// Presets by name. What one does not list is as without a preset.
const PRESETS: [(&str, Preset); 5] =
    [("clinker", CLINKER), ("quicketl", QUICKETL), ("sysexits", SYSEXITS), ("rsync", RSYNC), ("restic", RESTIC)];

/// The names of the presets.
pub(super) const NAMES: [&str; 5] = ["clinker", "quicketl", "sysexits", "rsync", "restic"];

type Preset = &'static [(i32, ExitMeaning)];

/// Clinker's page on exit codes.
const CLINKER: Preset = &[(0, Success), (1, Fatal), (2, Partial), (3, Fatal), (4, Retry), (130, Cancelled)];

/// QuickETL's `run` command. A failure has one code, whatever it was.
const QUICKETL: Preset = &[(0, Success), (1, Retry), (2, Partial)];

/// BSD sysexits(3). Retried is what may be gone by itself: a service that is down, the system, input and output, the
/// remote end, and what says of itself that it is temporary.
const SYSEXITS: Preset = &[
    (0, Success),
    (64, Fatal),
    (65, Fatal),
    (66, Fatal),
    (67, Fatal),
    (68, Fatal),
    (69, Retry),
    (70, Fatal),
    (71, Retry),
    (72, Fatal),
    (73, Fatal),
    (74, Retry),
    (75, Retry),
    (76, Retry),
    (77, Fatal),
    (78, Fatal),
];

/// rsync(1), EXIT VALUES.
const RSYNC: Preset = &[
    (0, Success),
    (1, Fatal),
    (2, Fatal),
    (3, Fatal),
    (4, Fatal),
    (5, Retry),
    (6, Retry),
    (10, Retry),
    (11, Retry),
    (12, Retry),
    (13, Retry),
    (14, Retry),
    (20, Cancelled),
    (21, Retry),
    (22, Retry),
    (23, Partial),
    (24, Partial),
    (25, Partial),
    (30, Retry),
    (35, Retry),
];

/// restic's page on scripting.
const RESTIC: Preset =
    &[(0, Success), (1, Retry), (2, Retry), (3, Partial), (10, Fatal), (11, Retry), (12, Fatal), (130, Cancelled)];

/// What each listed code means.
pub(super) fn read<'a>(reader: &mut Reader<'a>, entry: Entry<'a>) -> Option<BTreeMap<i32, ExitMeaning>> {
    let errors = reader.errors;
    if !reader.is_mapping(entry.value) {
        return preset(reader, entry);
    }
    let (mut codes, mut base) = (BTreeMap::new(), BTreeMap::new());
    for inner in reader.entries(entry.value, "`exit_codes`")? {
        if inner.name == "preset" {
            base = preset(reader, inner).unwrap_or_default();
            continue;
        }
        let meaning = value::word(reader, inner, &WORDS);
        match inner.name.parse::<u8>() {
            Ok(code) => codes.extend(meaning.map(|meaning| (i32::from(code), meaning))),
            Err(_) => {
                let message = format!("`{}` is not an exit code", inner.name);
                reader.refuse(inner.key, message, "use a whole number from 0 to 255, or `preset`");
            }
        }
    }
    base.extend(codes);
    (reader.errors == errors).then_some(base)
}

fn preset<'a>(reader: &mut Reader<'a>, entry: Entry<'a>) -> Option<BTreeMap<i32, ExitMeaning>> {
    value::word(reader, entry, &PRESETS).map(|preset| preset.iter().copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_named_sorted_and_knows_success() {
        assert_eq!(PRESETS.map(|(name, _)| name), NAMES);
        for (name, preset) in PRESETS {
            assert_eq!(preset[0], (0, Success), "{name}");
            assert!(preset.windows(2).all(|pair| pair[0].0 < pair[1].0), "{name}");
        }
    }

    #[test]
    fn the_users_page_has_every_code_of_every_preset() {
        let page = include_str!("../../docs/exit-codes.md");
        for (name, preset) in PRESETS {
            let section = page.split("\n## ").find(|section| section.starts_with(&format!("`{name}`"))).expect(name);
            for (code, meaning) in preset {
                let (word, _) = WORDS.iter().find(|(_, known)| known == meaning).expect("a word");
                let row = section.lines().find(|line| line.starts_with(&format!("| {code} |")));
                assert!(row.is_some_and(|row| row.contains(&format!("| `{word}` |"))), "{name} {code} {word}");
            }
        }
    }
}
