//! Finds the files of a pattern: `*` stands for any part of one name, `?` for one character of it.
//!
//! Holds always: a bounded number of entries is looked at; hidden files are found only by a pattern that begins with a dot;
//! no link to a folder is followed where the pattern has a `*` or `?`.

use std::path::{Component, Path, PathBuf};

/// Entries of folders that are looked at.
const MOST: usize = 20_000;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// In no order; they may be anything.
    pub(super) files: Vec<PathBuf>,
    /// There was more to look at.
    pub(super) is_cut: bool,
}

/// The entries that `pattern`, seen from `folder`, stands for.
pub(super) fn files(folder: &Path, pattern: &str) -> Found {
    let mut found = Found::default();
    let mut looked = 0;
    let mut at = vec![folder.to_path_buf()];
    let mut parts = Path::new(pattern).components().peekable();
    while let Some(part) = parts.next() {
        let name = part.as_os_str().to_string_lossy();
        let is_last = parts.peek().is_none();
        if !matches!(part, Component::Normal(_)) || !name.contains(['*', '?']) {
            at.iter_mut().for_each(|path| path.push(part));
            continue;
        }
        let mut next = Vec::new();
        for entry in at.iter().filter_map(|path| path.read_dir().ok()).flatten().flatten() {
            looked += 1;
            if looked > MOST {
                found.is_cut = true;
                break;
            }
            let is_wanted = is_last || entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_wanted && matches(&name, &entry.file_name().to_string_lossy()) {
                next.push(entry.path());
            }
        }
        at = next;
    }
    found.files = at;
    found
}

fn matches(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    let mut star = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => (p, n) = (p + 1, n + 1),
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (p, n) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_part_of_a_name() {
        for (pattern, name, is_match) in [
            ("*_errors.csv", "orders_errors.csv", true),
            ("*_errors.csv", "orders_errors.csv.gz", false),
            ("*", ".hidden", false),
            (".*", ".hidden", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", false),
            ("**", "x", true),
            ("é*", "éa", true),
        ] {
            assert_eq!(matches(pattern, name), is_match, "{pattern} {name}");
        }
    }

    #[test]
    fn folders_may_be_patterns_too() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["out/a", "out/b"] {
            std::fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        for file in ["out/a/x.csv", "out/b/y.csv", "out/b/z.txt"] {
            std::fs::write(root.path().join(file), "1").unwrap();
        }
        std::os::unix::fs::symlink(root.path().join("out/b"), root.path().join("out/link")).unwrap();
        for (pattern, expected) in [
            ("out/*/*.csv", vec!["out/a/x.csv", "out/b/y.csv"]),
            ("out/link/*.csv", vec!["out/link/y.csv"]),
            ("./out/a/x.csv", vec!["out/a/x.csv"]),
            ("none/*.csv", vec![]),
        ] {
            let mut found = files(root.path(), pattern).files;
            found.sort();
            assert_eq!(found, expected.iter().map(|path| root.path().join(path)).collect::<Vec<_>>(), "{pattern}");
        }
        assert_eq!(files(Path::new("/elsewhere"), &format!("{}/out/a/*", root.path().display())).files.len(), 1);
    }
}
