//! Says whose a host's folder beside the run-log is: what an address leads to, however it is written.
//!
//! Holds always: two addresses of one run-log have one folder, as far as that can be told without asking; two run-logs have two.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use crate::config::secret::masked_url;

/// What of a server's address says which run-log it is; the rest says how to get there.
const WHICH: [&str; 5] = ["dbname", "host", "port", "schema", "socket"];

/// How many links are followed from one to the next, as many as Linux does.
const LINKS: usize = 40;

/// A file, by the place where it is or will be: links and `..` do not count, nor the folder that a tick is started in. What a link leads
/// to need not be there: a disk that is not mounted now has the same run-log as before.
pub fn file(path: &Path) -> String {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.into());
    place(&absolute).unwrap_or(absolute).to_string_lossy().into_owned()
}

/// None where links lead in a circle.
fn place(absolute: &Path) -> Option<PathBuf> {
    let (mut place, mut links) = (PathBuf::from("/"), 0);
    let mut left: Vec<OsString> = names(absolute);
    while let Some(name) = left.pop() {
        if name == ".." {
            place.pop();
            continue;
        }
        let Ok(target) = std::fs::read_link(place.join(&name)) else {
            place.push(name);
            continue;
        };
        links += 1;
        if links > LINKS {
            return None;
        }
        if target.is_absolute() {
            place = PathBuf::from("/");
        }
        left.extend(names(&target));
    }
    Some(place)
}

/// Its parts below the root, the last one first.
fn names(path: &Path) -> Vec<OsString> {
    let is_name = |part: &Component<'_>| matches!(part, Component::Normal(_) | Component::ParentDir);
    path.components().rev().filter(is_name).map(|part| part.as_os_str().to_owned()).collect()
}

/// A server's run-log: host, port, database and schema, whoever comes with whatever password and patience.
pub fn server(url: &str) -> String {
    let masked = masked_url(url);
    let Some((scheme, rest)) = masked.split_once("://") else { return masked };
    let scheme = match scheme {
        "postgresql" => "postgres",
        "mariadb" => "mysql",
        other => other,
    };
    let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    let says_which = |parameter: &&str| WHICH.contains(&parameter.split('=').next().unwrap_or_default());
    let mut which: Vec<&str> = parameters.split('&').filter(says_which).collect();
    which.sort_unstable();
    format!("{scheme}://{place}?{}", which.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_to_get_to_a_server_does_not_count() {
        let runs = "postgres://db:5432/runs?";
        for (url, whose) in [
            ("postgres://db:5432/runs", runs),
            ("postgresql://me:secret@db:5432/runs", runs),
            ("postgres://you@db:5432/runs?connect_timeout=20&sslmode=require&create_tables=false", runs),
            ("postgres://db:5432/runs?schema=b&sslmode=require", "postgres://db:5432/runs?schema=b"),
            ("postgres://me@/runs?port=5433&host=/run/pg", "postgres:///runs?host=/run/pg&port=5433"),
            ("postgres://db:5433/runs", "postgres://db:5433/runs?"),
            ("mariadb://me:p@ss@db/runs?ssl-mode=REQUIRED", "mysql://db/runs?"),
        ] {
            assert_eq!(server(url), whose, "{url}");
        }
    }

    #[test]
    fn a_file_is_one_by_whatever_way() {
        let folder = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(folder.path()).unwrap();
        std::fs::create_dir(root.join("sub")).unwrap();
        std::os::unix::fs::symlink(&root, root.join("link")).unwrap();
        let ways = ["a.db", "sub/../a.db", "link/a.db", "link/link/sub/../a.db"];
        for is_there in [false, true] {
            for way in ways {
                assert_eq!(file(&root.join(way)), root.join("a.db").to_string_lossy(), "{way}, there: {is_there}");
            }
            std::fs::write(root.join("a.db"), "").unwrap();
        }
        std::os::unix::fs::symlink("sub/../a.db", root.join("b.db")).unwrap();
        assert_eq!(file(&root.join("b.db")), root.join("a.db").to_string_lossy());
        std::fs::remove_file(root.join("a.db")).unwrap();
        assert_eq!(file(&root.join("b.db")), root.join("a.db").to_string_lossy(), "what the link leads to is gone");
        std::os::unix::fs::symlink("sub/deep", root.join("disk")).unwrap();
        let deep = root.join("sub/deep/a.db").to_string_lossy().into_owned();
        assert_eq!(file(&root.join("disk/a.db")), deep, "the disk is not mounted");
        std::fs::create_dir(root.join("sub/deep")).unwrap();
        assert_eq!(file(&root.join("disk/a.db")), deep);
        std::os::unix::fs::symlink("circle", root.join("circle")).unwrap();
        let in_circle = root.join("circle/a.db");
        assert_eq!(file(&in_circle), in_circle.to_string_lossy());
    }
}
