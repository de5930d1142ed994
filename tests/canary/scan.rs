//! Finds canaries in bytes and folders, whole or in part, also where they were encoded on the way.
//!
//! Holds always: eight bytes in a row of a secret, as they are or in one of the forms below, are found; of a shorter secret,
//! all of it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use super::secrets;

/// Bytes in a row that are a leak.
const WINDOW: usize = 8;

pub struct Scanner {
    /// What must not be found, with the name of the secret.
    windows: HashMap<Vec<u8>, &'static str>,
    short: Vec<(Vec<u8>, &'static str)>,
    /// By three bytes: whether a window begins so. Most of what is read ends here.
    begins: Vec<bool>,
}

impl Scanner {
    /// The scanner for all secrets, made once.
    pub fn of_all() -> &'static Scanner {
        static ALL: LazyLock<Scanner> = LazyLock::new(|| Scanner::of(&secrets::all()));
        &ALL
    }

    pub fn of(secrets: &[(&'static str, String)]) -> Scanner {
        let mut scanner = Scanner { windows: HashMap::new(), short: Vec::new(), begins: vec![false; 1 << 24] };
        let open: Vec<Vec<u8>> = secrets::OPEN.iter().flat_map(|open| forms(open)).collect();
        let open: HashSet<&[u8]> = open.iter().flat_map(|form| form.windows(WINDOW)).collect();
        for (name, text) in secrets {
            forms(text).into_iter().for_each(|form| scanner.look_for(name, form, &open));
        }
        scanner
    }

    fn look_for(&mut self, name: &'static str, form: Vec<u8>, open: &HashSet<&[u8]>) {
        if form.len() < WINDOW {
            self.short.push((form, name));
            return;
        }
        for window in form.windows(WINDOW).filter(|window| !open.contains(window)) {
            self.begins[first_three(window)] = true;
            self.windows.insert(window.to_vec(), name);
        }
    }

    /// The names of the secrets that are in these bytes.
    pub fn found_in(&self, bytes: &[u8]) -> BTreeSet<&'static str> {
        let mut found = BTreeSet::new();
        for window in bytes.windows(WINDOW).filter(|window| self.begins[first_three(window)]) {
            found.extend(self.windows.get(window));
        }
        found.extend(self.short.iter().filter(|(form, _)| contains(bytes, form)).map(|(_, name)| *name));
        found
    }

    /// The secrets in the files below a folder, and in their names, but for the files that `skip` names.
    pub fn found_below(&self, folder: &Path, skip: &[&str]) -> Vec<String> {
        let mut leaks = Vec::new();
        let mut folders = vec![folder.to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                let mut found = self.found_in(name.as_bytes());
                if path.is_dir() {
                    folders.push(path.clone());
                } else if path.is_file() && !skip.contains(&name.as_str()) {
                    found.extend(self.found_in(&fs::read(&path).unwrap()));
                }
                leaks.extend(found.into_iter().map(|secret| format!("{secret} in the file {}", path.display())));
            }
        }
        leaks
    }
}

fn first_three(window: &[u8]) -> usize {
    usize::from(window[0]) << 16 | usize::from(window[1]) << 8 | usize::from(window[2])
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// A text as it is, and as what we print through could write it.
fn forms(text: &str) -> Vec<Vec<u8>> {
    let json = serde_json::to_string(text).unwrap();
    let ascii = text.chars().map(|c| if c.is_ascii() { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) });
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let percent = |upper: bool| {
        let encoded = text.bytes().map(|byte| match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            _ if upper => format!("%{byte:02X}"),
            _ => format!("%{byte:02x}"),
        });
        encoded.collect::<String>()
    };
    let mut forms: BTreeSet<Vec<u8>> = [
        text.to_owned(),
        json[1..json.len() - 1].to_owned(),
        ascii.collect(),
        percent(true),
        percent(false),
        hex(text.as_bytes()),
        text.escape_debug().to_string(),
        text.escape_default().to_string(),
        text.escape_unicode().to_string(),
        text.replace('\'', r"'\''"),
        text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;"),
    ]
    .map(String::into_bytes)
    .into();
    // Between other bytes, base64 has three forms; the first and the last letters depend on the neighbours.
    for before in 0..3 {
        let mut padded = vec![0; before];
        padded.extend(text.bytes());
        let encoded = base64(&padded);
        let whole = [0, 2, 3][before]..encoded.len().saturating_sub(3);
        forms.extend(encoded.get(whole).filter(|inner| inner.len() >= WINDOW).map(<[u8]>::to_vec));
    }
    forms.into_iter().collect()
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let of = |three: &[u8]| {
        let all = three.iter().chain([&0; 3]).take(3).fold(0_u32, |all, byte| all << 8 | u32::from(*byte));
        [18, 12, 6, 0].map(|shift| LETTERS[(all >> shift) as usize & 63])
    };
    bytes.chunks(3).flat_map(of).collect()
}

#[test]
fn a_planted_canary_is_found_in_any_form() {
    let scanner = Scanner::of(&[("A", "Kx7vQ2mZ9pLwT4/é".into()), ("B", "qZ7k".into())]);
    for (planted, names) in [
        ("error: `Kx7vQ2mZ9pLwT4/é` was not found", vec!["A"]),
        ("…vQ2mZ9pL…", vec!["A"]),
        ("…vQ2mZ9p…", vec![]),
        ("Kx7vQ2mZ9pLwT4%2F%C3%A9", vec!["A"]),
        ("xx T4%2f%c3%a9 xx", vec!["A"]),
        (r#"{"a":"T4/\u00e9"}"#, vec!["A"]),
        ("S3g3dlEybVo5cEx3VDQvw6k=", vec!["A"]),
        ("user:Kx7vQ2mZ9pLw", vec!["A"]),
        ("4b7837", vec![]),
        ("4b7837765132", vec!["A"]),
        ("a=qZ7k;", vec!["B"]),
        ("qZ7", vec![]),
    ] {
        assert_eq!(scanner.found_in(planted.as_bytes()).into_iter().collect::<Vec<_>>(), names, "{planted}");
    }
    assert_eq!(base64(b"user:Kx7vQ2mZ9pLwT4"), b"dXNlcjpLeDd2UTJtWjlwTHdUNAAA"[..28].to_vec());
    assert_eq!(scanner.found_in(b"basic dXNlcjpLeDd2UTJtWjlwTHdUNA==").len(), 1);
}

#[test]
fn a_planted_canary_is_found_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("a/Kx7vQ2mZ9pLwT4")).unwrap();
    fs::write(folder.path().join("a/x.db-wal"), b"\0\xffKx7vQ2mZ9pLwT4\0").unwrap();
    fs::write(folder.path().join("a/skipped"), "Kx7vQ2mZ9pLwT4").unwrap();
    let leaks = Scanner::of_all().found_below(folder.path(), &["skipped"]);
    assert_eq!(leaks.len(), 2, "{leaks:?}");
    assert!(leaks.iter().all(|leak| leak.starts_with("PLAIN in the file ")), "{leaks:?}");
}

#[test]
fn no_secret_looks_like_another_or_like_what_we_say() {
    let all = secrets::all();
    assert!(all.len() >= 30);
    for (name, text) in &all {
        let others: Vec<_> = all.iter().filter(|(other, _)| other != name).cloned().collect();
        assert_eq!(Scanner::of(&others).found_in(text.as_bytes()).into_iter().collect::<Vec<_>>(), [""; 0], "{name}");
    }
}
