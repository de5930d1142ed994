//! Reads the address of a server: what every kind takes, and what is the driver's own.
//!
//! Holds always: a parameter that is not understood is refused by name; no message has a user's name or a password.

use std::time::Duration;

use super::super::Error;

/// An address, its own parameters taken out.
pub struct Address {
    /// What the driver reads.
    pub url: String,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// Where the tables are, where that is not the user's own place.
    pub schema: Option<String>,
    /// It may create and change its tables.
    pub creates_tables: bool,
}

/// How long to wait for a connection that nobody has said anything of.
const CONNECT: Duration = Duration::from_secs(10);

impl Address {
    /// Reads `url`, of which the driver knows `known`; `schema` is known where there are several in a database.
    ///
    /// # Errors
    /// `Address`, with what to write instead.
    pub fn parse(url: &str, known: &[&str], has_schema: bool) -> Result<Address, Error> {
        let (base, parameters) = url.split_once('?').unwrap_or((url, ""));
        // Slashes left out, or a `/` or `?` in a password: what is taken for a database or a parameter is a secret.
        let path = base.split_once("://").map(|(_, rest)| rest.split_once('/').map_or("", |(_, path)| path));
        if path.is_none_or(|path| path.contains('@')) || parameters.contains('@') && !base.contains('@') {
            return Err(unreadable("scheme://user:password@host/database"));
        }
        let mut address =
            Address { url: base.to_owned(), connect_timeout: CONNECT, schema: None, creates_tables: true };
        let mut own: Vec<&str> = vec!["connect_timeout", "create_tables"];
        own.extend(has_schema.then_some("schema"));
        let mut others = Vec::new();
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
            match name {
                "connect_timeout" => {
                    let seconds = value.parse().ok().filter(|seconds| (1..=600).contains(seconds));
                    let bad = || bad(name, "takes whole seconds from 1 to 600");
                    address.connect_timeout = Duration::from_secs(seconds.ok_or_else(bad)?);
                }
                "create_tables" => {
                    address.creates_tables = match &*value {
                        "true" | "1" => true,
                        "false" | "0" => false,
                        _ => return Err(bad(name, "takes true or false")),
                    }
                }
                "schema" if has_schema => {
                    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
                    if value.is_empty() || value.len() > 63 || !value.chars().all(is_plain) {
                        return Err(bad(name, "takes letters, digits and `_`, at most 63"));
                    }
                    address.schema = Some(value.into_owned());
                }
                name if known.contains(&name) => others.push(parameter),
                name => {
                    let mut all: Vec<&str> = own.iter().chain(known).copied().collect();
                    all.sort_unstable();
                    return Err(Error::Address {
                        message: format!("the run-log's address has a parameter `{}` that is not known", shown(name)),
                        help: format!("known are: {}", all.join(", ")),
                    });
                }
            }
        }
        if !others.is_empty() {
            address.url = format!("{base}?{}", others.join("&"));
        }
        Ok(address)
    }
}

/// A URL without its parameter `name`, and what that says.
#[cfg(feature = "mysql")]
pub fn apart(url: &str, name: &str) -> (String, Option<String>) {
    let Some((base, parameters)) = url.split_once('?') else { return (url.to_owned(), None) };
    let is_it = |one: &&str| one.split_once('=').map_or(*one, |(found, _)| found) == name;
    let (found, others): (Vec<_>, Vec<_>) = parameters.split('&').partition(is_it);
    let value = found.first().map(|one| one.split_once('=').map_or("", |(_, value)| value).to_owned());
    let mark = if others.is_empty() { "" } else { "?" };
    (format!("{base}{mark}{}", others.join("&")), value)
}

/// A host as it is looked up: an address of IPv6 is in brackets in a URL alone, and the drivers leave them there.
pub fn looked_up(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// A name that somebody typed, as far as it can be one.
fn shown(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric() || "_-.".contains(*c)).take(40).collect()
}

/// The error of a parameter whose value is none.
pub fn bad(name: &str, takes: &str) -> Error {
    Error::Address { message: format!("the run-log's address: `{name}` {takes}"), help: String::new() }
}

/// The error of an address that the driver cannot read; what it says may have secrets in it.
pub fn unreadable(example: &str) -> Error {
    Error::Address {
        message: "the run-log's address cannot be read".into(),
        help: format!("write {example}; in a user's name or a password, percent-encode what is not a letter or digit"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_ipv6_is_looked_up_without_its_brackets() {
        for (host, wanted) in [("[fd00::5]", "fd00::5"), ("db", "db"), ("10.0.0.5", "10.0.0.5"), ("[x", "[x")] {
            assert_eq!(looked_up(host), wanted, "{host}");
        }
    }

    #[test]
    fn parameters_are_read_or_refused_by_name() {
        for (url, wanted) in [
            ("postgres://h/d", Ok(("postgres://h/d", 10, None, true))),
            ("postgres://h/d?sslmode=require", Ok(("postgres://h/d?sslmode=require", 10, None, true))),
            (
                "postgres://h/d?schema=jobs&sslmode=disable",
                Ok(("postgres://h/d?sslmode=disable", 10, Some("jobs"), true)),
            ),
            ("postgres://h/d?connect_timeout=3&create_tables=false", Ok(("postgres://h/d", 3, None, false))),
            ("postgres://h/d?connect_timeout=0", Err("`connect_timeout` takes whole seconds from 1 to 600")),
            ("postgres://h/d?create_tables=maybe", Err("`create_tables` takes true or false")),
            ("postgres://h/d?schema=a;drop", Err("`schema` takes letters, digits and `_`, at most 63")),
            ("postgres://h/d?sslmod=require", Err("a parameter `sslmod` that is not known")),
            ("postgres://u:pass?w&rd=1@h/d", Err("the run-log's address cannot be read")),
            ("postgres://u:pass/word@h/d", Err("the run-log's address cannot be read")),
            ("postgres:u:password@h/d", Err("the run-log's address cannot be read")),
            ("postgres://h/d?a'b=1", Err("a parameter `ab` that is not known")),
        ] {
            let read = Address::parse(url, &["sslmode"], true);
            match (read, wanted) {
                (Ok(read), Ok((url, seconds, schema, creates))) => {
                    let read = (read.url, read.connect_timeout.as_secs(), read.schema, read.creates_tables);
                    assert_eq!(read, (url.to_owned(), seconds, schema.map(str::to_owned), creates));
                }
                (Err(error), Err(wanted)) => assert!(error.to_string().contains(wanted), "{url}: {error}"),
                (read, _) => panic!("{url}: {:?}", read.map(|read| read.url).map_err(|error| error.to_string())),
            }
        }
        let other = Address::parse("mysql://h/d?schema=x", &["ssl-mode"], false);
        assert!(other.is_err_and(|error| error.help() == "known are: connect_timeout, create_tables, ssl-mode"));
    }
}
