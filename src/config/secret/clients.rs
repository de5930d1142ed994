//! Finds passwords among the arguments of clients that are called by many: `mysql -pX`, `curl -u user:X`.
//!
//! Other programs use the same letters for ports and folders, so a flag counts after the name of its program alone, up to the
//! end of the command that this begins. Which flags these are is for `flags`.
//!
//! Holds always: in doubt more is masked, never less.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

use super::flags::{CLIENTS, Client, HARMLESS_HEADERS, Operands, Part};
use super::is_variable;
use super::words::{Quotes, of_command, unquoted};

/// The clients by the name of their program, each with the words that have to follow it.
static NAMED: LazyLock<HashMap<&str, Vec<(&Client, &str)>>> = LazyLock::new(|| {
    let mut named: HashMap<&str, Vec<(&Client, &str)>> = HashMap::new();
    for client in CLIENTS {
        for name in client.names {
            let (program, subcommand) = name.split_once(' ').unwrap_or((name, ""));
            named.entry(program).or_default().push((client, subcommand));
        }
    }
    named
});

/// The secrets among the arguments of the clients that a line calls.
pub fn secrets(line: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut quotes = Quotes::of(line);
    for name in names(line) {
        for (client, subcommand) in NAMED.get(&line[name.clone()]).into_iter().flatten() {
            let words = of_command(line, name.end, quotes.at(name.start));
            Command { line, client, words: &words }.find(subcommand, &mut found);
        }
    }
    found.retain(|secret| !secret.is_empty() && !is_variable(&line[secret.clone()]));
    found
}

/// Where the words of a line stand that may be names of programs.
fn names(line: &str) -> impl Iterator<Item = Range<usize>> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let starts = line.char_indices().map(|(at, _)| at);
    let starts = starts.filter(move |at| !line[..*at].ends_with(is_name));
    starts.filter_map(move |at| {
        let rest = &line[at..];
        let length = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        let is_called = rest[length..].starts_with(|c: char| c.is_whitespace() || ",\"'\\".contains(c));
        (is_called && length > 0).then_some(at..at + length)
    })
}

/// The arguments of a client.
struct Command<'a> {
    line: &'a str,
    client: &'static Client,
    words: &'a [Range<usize>],
}

impl<'a> Command<'a> {
    fn word(&self, at: usize) -> &'a str {
        &self.line[self.words[at].clone()]
    }

    fn find(&self, subcommand: &str, found: &mut Vec<Range<usize>>) {
        let mut at = 0;
        for expected in subcommand.split_whitespace() {
            match (at..self.words.len()).find(|at| self.word(*at) == expected) {
                Some(place) => at = place + 1,
                None => return,
            }
        }
        while at < self.words.len() {
            let is_operand = !self.word(at).starts_with('-');
            match (self.flag(at), self.client.operands) {
                (Some((part, value)), _) => {
                    found.extend(self.secret(part, value.clone()));
                    // Words inside it are no words of the command.
                    at += self.words[at..].iter().take_while(|word| word.start < value.end).count().max(1);
                    continue;
                }
                (None, Operands::Program) if is_operand => return,
                (None, Operands::Logon) if self.word(at).starts_with('@') => return,
                (None, Operands::Logon) if is_operand => found.extend(self.logon(at)),
                _ => {}
            }
            at += 1;
        }
    }

    /// The value of the flag at this word, with what of it is secret.
    fn flag(&self, at: usize) -> Option<(Part, Range<usize>)> {
        let mut values = self.client.flags.iter().filter_map(|(flag, part)| Some((*part, self.value(at, flag)?)));
        values.next()
    }

    fn value(&self, at: usize, flag: &str) -> Option<Range<usize>> {
        let word = self.word(at);
        let end = self.words[at].end;
        let name = flag.trim_end_matches(['*', '?']);
        let next = || self.words.get(at + 1).filter(|_| !flag.ends_with('?') || !self.word(at + 1).starts_with('-'));
        if flag.ends_with('*') {
            let value = self.behind_letters(word, name).filter(|value| !value.is_empty())?;
            return Some(end - value.len()..end);
        }
        if word == name || name.len() == 2 && self.behind_letters(word, name) == Some("") {
            return next().cloned();
        }
        let value = word.strip_prefix(name)?.strip_prefix('=').filter(|_| name.len() > 2)?;
        Some(end - value.len()..end)
    }

    /// What follows the letters of a flag in a word, before which there may be those of flags that take nothing.
    fn behind_letters(&self, word: &'a str, name: &str) -> Option<&'a str> {
        let letters = word.strip_prefix('-')?;
        letters.trim_start_matches(|c| self.client.bare.contains(c)).strip_prefix(&name[1..])
    }

    fn secret(&self, part: Part, value: Range<usize>) -> Option<Range<usize>> {
        let inside = unquoted(self.line, value.clone());
        let text = &self.line[inside.clone()];
        match part {
            Part::All => Some(value),
            Part::Nothing => None,
            Part::After(mark) => {
                let (before, after) = text.split_once(mark)?;
                let from = if after.is_empty() { 0 } else { before.len() + mark.len_utf8() };
                Some(inside.start + from..inside.end)
            }
            Part::Header => {
                let (name, after) = text.split_once(':').filter(|(name, _)| !name.starts_with('@'))?;
                let is_harmless = HARMLESS_HEADERS.contains(&name.trim().to_ascii_lowercase().as_str());
                (!is_harmless).then(|| inside.end - after.trim_start().len()..inside.end)
            }
        }
    }

    /// The password of a logon `user/password@database`.
    fn logon(&self, at: usize) -> Option<Range<usize>> {
        if at > 0 && self.word(at - 1).ends_with(['<', '>']) {
            return None;
        }
        let word = self.word(at);
        let logon = word.strip_prefix("userid=").or_else(|| word.strip_prefix("USERID=")).unwrap_or(word);
        let start = self.words[at].end - logon.len();
        let (user, rest) = logon.split_once('/')?;
        let is_user = |c: char| c.is_alphanumeric() || "_$#[]\"'\\".contains(c);
        let password = &rest[..rest.rfind('@').unwrap_or(rest.len())];
        let from = start + user.len() + 1;
        (!user.is_empty() && user.chars().all(is_user)).then(|| from..from + password.len())
    }
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
    fn each_client_has_its_own_flags() {
        for (line, shown) in [
            ("sshpass -p hunter2 ssh -p 22 h", "sshpass -p *** ssh -p 22 h"),
            ("sshpass -phunter2 ssh -p 22 h", "sshpass -p*** ssh -p 22 h"),
            ("sshpass -P assphrase -v -p 'hunter 2' scp a h:", "sshpass -P assphrase -v -p '***' scp a h:"),
            ("redis-cli -h r -a hunter2 get k", "redis-cli -h r -a *** get k"),
            ("docker login -u ann -p hunter2 h", "docker login -u ann -p *** h"),
            ("docker --config d login -phunter2 h", "docker --config d login -p*** h"),
            ("podman login -p=hunter2 h", "podman login -p*** h"),
            ("helm registry login h -u ann -p hunter2", "helm registry login h -u ann -p ***"),
            ("az login -u ann -p hunter2", "az login -u ann -p ***"),
            ("az acr login -n r -u ann -p hunter2", "az acr login -n r -u ann -p ***"),
            ("zip -P hunter2 a.zip b", "zip -P *** a.zip b"),
            ("zip -e -P hunter2 a.zip b", "zip -e -P *** a.zip b"),
            ("zip -erP hunter2 a.zip b", "zip -erP *** a.zip b"),
            ("unzip -oPhunter2 a.zip", "unzip -oP*** a.zip"),
            ("7z a -phunter2 a.7z b", "7z a -p*** a.7z b"),
            ("rar a -hphunter2 a.rar b", "rar a -hp*** a.rar b"),
            ("sqlcmd -S h -U sa -P hunter2 -d x", "sqlcmd -S h -U sa -P *** -d x"),
            ("sqlcmd -U sa -Phunter2", "sqlcmd -U sa -P***"),
            ("bcp a.b out c -U sa -P hunter2", "bcp a.b out c -U sa -P ***"),
            ("ldapsearch -x -D cn=a -w hunter2 -b dc=b", "ldapsearch -x -D cn=a -w *** -b dc=b"),
            ("ldapadd -xw hunter2 -f a.ldif", "ldapadd -xw *** -f a.ldif"),
            ("ldappasswd -w a -s hunter2 x", "ldappasswd -w *** -s *** x"),
            ("curl --oauth2-bearer hunter2 https://h/", "curl --oauth2-bearer *** https://h/"),
            ("curl -b sid=hunter2 https://h/", "curl -b sid=*** https://h/"),
            ("curl -sb 'a=hunter2; b=c' https://h/", "curl -sb 'a=***' https://h/"),
            ("curl --cookie=a=hunter2 https://h/", "curl --cookie=a=*** https://h/"),
            ("curl -H 'X-Api-Key: hunter2' https://h/", "curl -H 'X-Api-Key: ***' https://h/"),
            ("curl -H'X-Custom: hunter 2' -o f x", "curl -H'X-Custom: ***' -o f x"),
            ("curl -H \"Authorization: Bearer hunter2\" x", "curl -H \"Authorization: ***\" x"),
            ("curl --header 'Cookie: a=hunter2' x", "curl --header 'Cookie: ***' x"),
            ("curl --header='Cookie: a=hunter2' x", "curl --header='Cookie: ***' x"),
            ("curl -E c.pem:hunter2 x", "curl -E c.pem:*** x"),
            ("curl -u hunter2: https://h/", "curl -u *** https://h/"),
            ("wget --header='X-Key: hunter2' https://h/", "wget --header='X-Key: ***' https://h/"),
            ("wget --header 'X-Key: hunter2' https://h/", "wget --header 'X-Key: ***' https://h/"),
            ("wget --password=hunter2 https://h/", "wget --password=*** https://h/"),
            ("wget --http-password=hunter2 https://h/", "wget --http-password=*** https://h/"),
            ("openssl enc -k hunter2 -in a", "openssl enc -k *** -in a"),
            ("openssl enc -d -K 00ff -iv 0 -in a", "openssl enc -d -K *** -iv 0 -in a"),
            ("openssl rsa -passin pass:hunter2 -in a", "openssl rsa -passin *** -in a"),
            ("openssl rsa -passout 'pass:hunter 2' -in a", "openssl rsa -passout *** -in a"),
            ("gpg --batch --passphrase hunter2 -d a", "gpg --batch --passphrase *** -d a"),
            ("lftp -u ann,hunter2 h", "lftp -u ann,*** h"),
            ("lftp -e 'set a b; open -u ann,hunter2 h' x", "lftp -e 'set a b; open -u ann,*** h' x"),
            ("smbclient //h/s -U ann%hunter2 -c ls", "smbclient //h/s -U ann%*** -c ls"),
            ("smbclient //h/s --user=D/ann%hunter2", "smbclient //h/s --user=D/ann%***"),
            ("mongodump -u ann -p hunter2 -d x", "mongodump -u ann -p *** -d x"),
            ("mongosh -u ann -p --port 1", "mongosh -u ann -p --port 1"),
            ("clickhouse-client --password hunter2 -q x", "clickhouse-client --password *** -q x"),
            ("rclone sync --sftp-pass hunter2 a b:", "rclone sync --sftp-pass *** a b:"),
            ("sqlplus ann/hunter2@db @a.sql b/c", "sqlplus ann/***@db @a.sql b/c"),
            ("sqlplus -S ann/hunter2@//h:1521/s < a/b.sql", "sqlplus -S ann/***@//h:1521/s < a/b.sql"),
            ("sqlplus 'ann/\"p@hunter2\"@db'", "sqlplus 'ann/***@db'"),
            ("expdp ann/hunter2 directory=d", "expdp ann/*** directory=d"),
            ("sqlldr userid=ann/hunter2@db control=a/b.ctl", "sqlldr userid=ann/***@db control=a/b.ctl"),
            ("rman target sys/hunter2@db catalog c/x@y", "rman target sys/***@db catalog c/***@y"),
            ("http -a ann:hunter2 h/x", "http -a *** h/x"),
            ("mosquitto_pub -u a -P hunter2 -t x", "mosquitto_pub -u a -P *** -t x"),
            ("mysql -Bphunter2 db", "mysql -Bp*** db"),
            ("ipmitool -H h -U a -P hunter2 power", "ipmitool -H h -U a -P *** power"),
            ("snmpget -v2c -c hunter2 h a.b", "snmpget -v2c -c *** h a.b"),
            ("oc login -u a -p hunter2 https://h/", "oc login -u a -p *** https://h/"),
        ] {
            assert_eq!(masked_line(line), shown, "{line}");
        }
    }

    #[test]
    fn a_client_is_known_wherever_it_is_called() {
        for (line, shown) in [
            ("sudo sshpass -p hunter2 ssh h", "sudo sshpass -p *** ssh h"),
            ("sudo -u ann env A=b sshpass -p hunter2 ssh h", "sudo -u ann env A=b sshpass -p *** ssh h"),
            ("timeout 60 nice -n 5 redis-cli -a hunter2", "timeout 60 nice -n 5 redis-cli -a ***"),
            ("/usr/bin/sshpass -p hunter2 ssh h", "/usr/bin/sshpass -p *** ssh h"),
            ("a | redis-cli -a hunter2 | b -a c", "a | redis-cli -a *** | b -a c"),
            ("a && zip -P hunter2 b && c -P d", "a && zip -P *** b && c -P d"),
            ("a; 7z x -phunter2; b -pc", "a; 7z x -p***; b -pc"),
            ("a\nredis-cli -a hunter2\nb -a c", "a\nredis-cli -a ***\nb -a c"),
            ("redis-cli \\\n  -a \\\n  hunter2 \\\n  get k", "redis-cli \\\n  -a \\\n  *** \\\n  get k"),
            ("(redis-cli -a hunter2) | x", "(redis-cli -a *** | x"),
            ("[sshpass, -p, hunter2, ssh, h]", "[sshpass, -p, ***, ssh, h]"),
            ("[sshpass,-p,\"hunter 2\",ssh,h]", "[sshpass,-p,\"***\",ssh,h]"),
            ("[/usr/bin/sudo, /usr/bin/sshpass, -phunter 2, ssh]", "[/usr/bin/sudo, /usr/bin/sshpass, -p***, ssh]"),
            ("[\"docker\", \"login\", \"-p\", \"a,b;c\", h] # x", "[\"docker\", \"login\", \"-p\", \"***\", h] # x"),
            ("[mysql, -pa;b|c, db]", "[mysql, -p***, db]"),
            ("[sh, -c, \"redis-cli -a hunter2\", x]", "[sh, -c, \"redis-cli -a ***\", x]"),
            ("sh -c 'redis-cli -a hunter2' -a x", "sh -c 'redis-cli -a ***' -a x"),
            ("sh -c 'redis-cli -a hunter2; b'; c -a d", "sh -c 'redis-cli -a ***; b'; c -a d"),
            ("sh -c 'mysql -p'\\''hunter 2'\\'' db' x", "sh -c 'mysql -p*** db' x"),
            ("bash -c \"mysql -p\\\"hunter 2\\\" db\" x", "bash -c \"mysql -p*** db\" x"),
            ("command: 'mysql -p''hunter 2'' db'", "command: 'mysql -p*** db'"),
            ("ssh h \"sh -c 'redis-cli -a hunter2'\" x", "ssh h \"sh -c 'redis-cli -a ***'\" x"),
            ("don't; mysql -p'hunter 2' db", "don't; mysql -p*** db"),
            ("mysql -p' hunter2' db", "mysql -p*** db"),
            ("mysql -p'hunter 2", "mysql -p***"),
            ("redis-cli -a hun'ter 'two x", "redis-cli -a *** x"),
            ("X=`redis-cli -a hunter2` y -a z", "X=`redis-cli -a ***` y -a z"),
            ("mysql -psecret1 db", "mysql -p*** db"),
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
            "docker run -p 8080:80 x",
            "az webapp create -p plan",
            "sshpass -f file ssh -p 22 h",
            "sshpass -e ssh -p22 h",
            "redis-cli -h r -p 6379 -n 1",
            "curl -b cookies.txt -c cookies.txt https://h/",
            "curl -H 'Accept: a/b' -H \"Content-Type: x\" -H @headers https://h/",
            "openssl req -key a.pem -keyout b.pem -kfile c",
            "sqlplus / as sysdba @a/b.sql",
            "sqlplus -s /nolog @a/b c/d",
            "sqlplus ann@//h:1521/s",
            "ldapsearch -y file -x -b dc=a",
            "7z a a.7z dir",
            "unzip -p a.zip b",
            "wget -P dir https://h/",
            "ssh -p 22 h",
            "redis-cli ping; b -a c",
            "zip a.zip b && ssh -P x",
        ] {
            assert_eq!(masked_line(line), line);
        }
    }
}
