//! Finds passwords among the flags of clients that are called by many: `mysql -pX`, `curl -u user:X`.
//!
//! Other programs use the same letters for ports and folders, so a flag counts after the name of its program alone, up to the
//! end of the command that this begins.
//!
//! Holds always: in doubt more is masked, never less.

use std::ops::Range;

/// Programs that take a password glued to `-p`.
const MYSQL: [&str; 16] = [
    "mysql",
    "mysql_upgrade",
    "mysqladmin",
    "mysqlbinlog",
    "mysqlcheck",
    "mysqldump",
    "mysqlimport",
    "mysqlpump",
    "mysqlshow",
    "mysqlslap",
    "mariadb",
    "mariadb-admin",
    "mariadb-check",
    "mariadb-dump",
    "mariadb-import",
    "mariadb-show",
];

/// Flags of curl that take nothing, so that `-u` may follow in the same word.
const BARE: &str = "sSfLkgGiIjlnNOqRvVaB0123456#";

/// Adds what follows those flags to what was found in a line.
pub fn mask(line: &str, found: &mut Vec<Range<usize>>) {
    for (program, end) in programs(line) {
        let command = &line[..end_of_command(line, end)];
        for word in words(command, end) {
            let secret = match program {
                "curl" => of_curl(command, word),
                _ => of_mysql(command, word),
            };
            found.extend(secret.filter(|secret| !secret.is_empty() && !super::is_variable(&command[secret.clone()])));
        }
    }
}

/// The programs that a line names, each with where its name ends.
fn programs(line: &str) -> impl Iterator<Item = (&str, usize)> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let starts = line.char_indices().map(|(at, _)| at);
    let starts = starts.filter(move |at| !line[..*at].ends_with(is_name));
    starts.filter_map(move |at| {
        let rest = &line[at..];
        let length = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        let name = &rest[..length];
        let is_called = rest[length..].starts_with(|c: char| c.is_whitespace() || ",\"'".contains(c));
        (is_called && (name == "curl" || MYSQL.contains(&name))).then_some((name, at + length))
    })
}

/// Where the command ends of which the words begin at `from`: at a `;`, `|` or `&` that is not quoted.
fn end_of_command(line: &str, from: usize) -> usize {
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in line[from..].char_indices() {
        match (quote, c) {
            // It closes what the name of the program stands in.
            (None, '"' | '\'') if at == 0 => {}
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            (None, '&') if before == '>' || line[from + at + 1..].starts_with('>') => {}
            (None, ';' | '|' | '&') => return from + at,
            _ => {}
        }
        before = c;
    }
    line.len()
}

/// Where the words of a command begin that may be flags.
fn words(command: &str, from: usize) -> impl Iterator<Item = usize> {
    let flags = command[from..].match_indices('-').map(move |(at, _)| from + at);
    flags.filter(|at| command[..*at].ends_with(|c: char| c.is_whitespace() || "\"',[".contains(c)))
}

fn of_mysql(command: &str, word: usize) -> Option<Range<usize>> {
    command[word..].starts_with("-p").then(|| value_from(command, word + 2, command[..word].chars().next_back()))
}

fn of_curl(command: &str, word: usize) -> Option<Range<usize>> {
    let rest = &command[word..];
    let long = ["--user", "--proxy-user"].into_iter().find(|flag| {
        let after = rest.strip_prefix(flag);
        after.is_some_and(|after| after.starts_with(|c: char| c.is_whitespace() || "=,\"'".contains(c)))
    });
    let length = match long {
        Some(flag) => flag.len(),
        None => {
            let letter = rest.find(['u', 'U']).filter(|at| rest[1..*at].chars().all(|c| BARE.contains(c)))?;
            letter + 1
        }
    };
    let before = command[..word].chars().next_back();
    let is_apart = |c: char| c.is_whitespace() || "=,\"'".contains(c);
    let value = rest[length..].trim_start_matches(is_apart);
    let start = command.len() - value.len();
    let opening = if value.len() < rest.len() - length { command[..start].chars().next_back() } else { before };
    let value = value_from(command, start, opening);
    let colon = command[value.clone()].find(':')?;
    Some(value.start + colon + 1..value.end)
}

/// The value that begins at `start`, which a quote opens if it is the character before its word.
fn value_from(command: &str, start: usize, opening: Option<char>) -> Range<usize> {
    let rest = &command[start..];
    if let Some(quote @ ('"' | '\'')) = opening {
        return start..start + rest.find(quote).unwrap_or(rest.len());
    }
    let ends = |text: &str| text.starts_with(|c: char| c.is_whitespace() || ",]})".contains(c)) || text.is_empty();
    let mut end = 0;
    while let Some(c) = rest[end..].chars().next() {
        let after = end + c.len_utf8();
        end = match c {
            c if c.is_whitespace() => break,
            '\\' => after + rest[after..].chars().next().map_or(0, char::len_utf8),
            // It closes what the whole command stands in.
            '"' | '\'' if ends(&rest[after..]) => break,
            '"' | '\'' => match rest[after..].find(c) {
                Some(close) => after + close + 1,
                None => break,
            },
            _ => after,
        };
    }
    let is_in_list = command[..start].contains(['[', '{']);
    let value = if is_in_list { rest[..end].trim_end_matches([',', ']', '}']) } else { &rest[..end] };
    start..start + value.len()
}

#[cfg(test)]
mod tests {
    use super::super::masked_line;

    #[test]
    fn a_password_among_the_flags_of_a_client_is_masked() {
        for (line, shown) in [
            ("mysql -phunter2 db", "mysql -p*** db"),
            ("  command: mysql -u root -phunter2 db", "  command: mysql -u root -p*** db"),
            ("command: \"mysqldump -phunter2\"", "command: \"mysqldump -p***\""),
            ("command: \"mysqldump -phunter2 db\" # all", "command: \"mysqldump -p*** db\" # all"),
            ("/usr/bin/mysqladmin -p'hunter 2' ping", "/usr/bin/mysqladmin -p*** ping"),
            ("mariadb -p\"hunter 2\"; ls -px", "mariadb -p***; ls -px"),
            ("mariadb-dump -phun\\ ter,2] db", "mariadb-dump -p*** db"),
            ("mysql -e 'a; b' -phunter2", "mysql -e 'a; b' -p***"),
            ("mysql db 2>&1 -phunter2 &", "mysql db 2>&1 -p*** &"),
            ("mysql -pa 'x' && mysql -pb", "mysql -p*** 'x' && mysql -p***"),
            ("command: [mysql, -phunter2, db]", "command: [mysql, -p***, db]"),
            ("[mysql,-phunter2]", "[mysql,-p***]"),
            ("[\"mysql\", \"-e\", \"a;b\", \"-phunter 2\"]", "[\"mysql\", \"-e\", \"a;b\", \"-p***\"]"),
            ("docker exec db mysql -phunter2", "docker exec db mysql -p***"),
            ("mysql -pé\u{301}x", "mysql -p***"),
            ("curl -u ann:hunter2 https://h/x", "curl -u ann:*** https://h/x"),
            ("curl -sSu ann:hunter2 https://h/x", "curl -sSu ann:*** https://h/x"),
            ("curl -uann:hunter2", "curl -uann:***"),
            ("curl --user ann:hunter2:3 -o f", "curl --user ann:*** -o f"),
            ("curl --user=ann:hunter2 -o f", "curl --user=ann:*** -o f"),
            ("curl --proxy-user 'ann:hunter 2' -U bob:x", "curl --proxy-user 'ann:***' -U bob:***"),
            ("curl -u \"ann:hunter 2\" x", "curl -u \"ann:***\" x"),
            ("[curl, -u, \"ann:hunter 2\", x]", "[curl, -u, \"ann:***\", x]"),
            ("[\"curl\", \"-uann:hunter 2\", x]", "[\"curl\", \"-uann:***\", x]"),
            ("[curl, --user, ann:hunter2, x]", "[curl, --user, ann:***, x]"),
        ] {
            assert_eq!(masked_line(line), shown, "{line}");
        }
    }

    #[test]
    fn no_text_is_too_odd() {
        let parts = ["mysql", " -p", "curl ", "-u", " --user", "'", "\"", "\\", "é", ", ", "[", ":", ";&", "x", "pw="];
        for number in 0..parts.len().pow(4) {
            let line: String = (0..4).map(|place| parts[number / parts.len().pow(place) % parts.len()]).collect();
            assert!(masked_line(&line).len() <= line.len() + 3 * (1 + line.len()), "{line}");
        }
    }

    #[test]
    fn what_is_no_password_is_shown() {
        for line in [
            "mysql -p db",
            "mysql -P3306 -u root db",
            "mysql -p\"${PASSWORD}\" db",
            "[\"mysql\", \"-p\", \"db\"]",
            "command: \"mysql -p\", other: \"x y\"",
            "mysql < dump.sql; cp -pr a b",
            "mysql db | ssh -p22 h",
            "mysql: mysqld -p3306",
            "serve -p 8080",
            "serve -p8080",
            "ssh -p 22 -p22 host",
            "mkdir -p a/b && mkdir -pv c",
            "cp -pr a b",
            "my-mysql-dump -pr a",
            "sort -u a:b",
            "curl -u ann https://h:8443/x",
            "curl -u \"ann:${PASSWORD}\" https://h:8443/x",
            "curl --user-agent a:b -o out:1 https://h:8443/x",
            "curl https://h:8443/u | sudo -u ann:x sh",
            "docker run -u 1000:1000 x",
        ] {
            assert_eq!(masked_line(line), line);
        }
    }
}
