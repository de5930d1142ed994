//! Takes an alerter's URL apart: `scheme://user:password@host:port/path?name=value&…`.
//!
//! Holds always: a message about it names the parameter or part that is wrong, never a value.

use percent_encoding::percent_decode_str;

use super::Error;

/// The parts of a URL. Their values may be secret.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// As typed, in lower case.
    pub(super) scheme: String,
    /// Decoded; none where there is none.
    pub(super) user: Option<String>,
    /// Decoded; none where there is none.
    pub(super) password: Option<String>,
    /// Without brackets; may be empty.
    pub(super) host: String,
    pub(super) port: Option<u16>,
    /// As typed, with its slash; may be empty.
    pub(super) path: String,
    /// What stands between scheme and parameters, as typed.
    pub(super) before_parameters: String,
    /// Each as typed and taken apart.
    parameters: Vec<Parameter>,
}

#[derive(Clone, PartialEq, Eq)]
struct Parameter {
    typed: String,
    name: String,
    value: String,
}

impl Address {
    pub(super) fn parse(url: &str) -> Result<Address, Error> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(Error::new(
                "an alerter's address is no URL",
                "write SCHEME://…, for example slack://hooks.slack.com/services/X/Y/Z",
            ));
        };
        let (before, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = before.split_at(before.find('/').unwrap_or(before.len()));
        let (info, host_port) = match authority.rsplit_once('@') {
            Some((info, host_port)) => (Some(info), host_port),
            None => (None, authority),
        };
        let (host, port) = host_and_port(host_port)?;
        let (user, password) = match info.map(|info| info.split_once(':').unwrap_or((info, ""))) {
            Some((user, "")) => (Some(decoded(user)?), None),
            Some((user, password)) => (Some(decoded(user)?), Some(decoded(password)?)),
            None => (None, None),
        };
        let typed = parameters.split('&').filter(|typed| !typed.is_empty());
        let parameters = typed.map(|typed| {
            let (name, value) = typed.split_once('=').unwrap_or((typed, ""));
            Ok(Parameter { typed: typed.into(), name: decoded(name)?, value: decoded(value)? })
        });
        Ok(Address {
            scheme: scheme.to_ascii_lowercase(),
            user,
            password,
            host: host.into(),
            port,
            path: path.into(),
            before_parameters: before.into(),
            parameters: parameters.collect::<Result<_, Error>>()?,
        })
    }

    /// The value of a parameter; of several, the last. None where it is not there or empty.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().rev().find(|parameter| parameter.name == name);
        found.map(|parameter| parameter.value.as_str()).filter(|value| !value.is_empty())
    }

    /// Refuses parameters that are not in `known`.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Error> {
        match self.parameters.iter().find(|parameter| !known.contains(&parameter.name.as_str())) {
            Some(unknown) => {
                let message = format!("`{}` has no parameter `{}`", self.scheme, unknown.shown());
                Err(Error::new(&message, &format!("known are: {}", known.join(", "))))
            }
            None => Ok(()),
        }
    }

    /// The parameters that are not in `ours`, as they were typed: `?a=1&b=2`, or nothing.
    ///
    /// # Errors
    /// One of them is nearly one of ours.
    pub(super) fn parameters_but(&self, ours: &[&str]) -> Result<String, Error> {
        let others: Vec<_> =
            self.parameters.iter().filter(|parameter| !ours.contains(&parameter.name.as_str())).collect();
        for other in &others {
            let name = other.name.to_ascii_lowercase().replace('-', "_");
            let near = ours.iter().find(|ours| strsim::damerau_levenshtein(ours, &name) <= 2);
            if let Some(near) = near {
                let message = format!("`{}` has a parameter `{}`", self.scheme, other.shown());
                return Err(Error::new(&message, &format!("did you mean `{near}`?")));
            }
        }
        let typed: Vec<&str> = others.iter().map(|parameter| parameter.typed.as_str()).collect();
        Ok(if typed.is_empty() { String::new() } else { format!("?{}", typed.join("&")) })
    }
}

impl Parameter {
    /// The name, if it looks like one: something else stood where a name should.
    fn shown(&self) -> &str {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let is_name = self.typed.contains('=') && self.name.len() <= 32 && self.name.chars().all(is_word);
        if is_name { &self.name } else { "…" }
    }
}

fn host_and_port(text: &str) -> Result<(&str, Option<u16>), Error> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, port)) => (host, port.strip_prefix(':').unwrap_or(port)),
            None => return Err(Error::new("an address in brackets is never closed", "write [::1]:25")),
        },
        None => text.rsplit_once(':').unwrap_or((text, "")),
    };
    let number = |port: &str| port.parse().ok().filter(|port| *port != 0);
    match (port, number(port)) {
        ("", _) => Ok((host, None)),
        (_, Some(port)) => Ok((host, Some(port))),
        _ => Err(Error::new(
            "an alerter's address has a port that is none",
            "use a number from 1 to 65535; write `@`, `:` and `/` in a password as %40, %3A and %2F",
        )),
    }
}

fn decoded(text: &str) -> Result<String, Error> {
    let decoded = percent_decode_str(text).decode_utf8().map(|text| text.into_owned());
    decoded.ok().filter(|text| !text.contains(char::is_control)).ok_or_else(|| {
        Error::new("an alerter's address holds bytes that are no text", "write what is special as %XX of its UTF-8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let address = Address::parse("SMTP://u%40x:p%3Aw%2F@mail.example:587/x?from=a%20b&to=c,d&to=").unwrap();
        assert_eq!((address.scheme.as_str(), address.host.as_str(), address.port), ("smtp", "mail.example", Some(587)));
        assert_eq!((address.user.as_deref(), address.password.as_deref()), (Some("u@x"), Some("p:w/")));
        assert_eq!(
            (address.path.as_str(), address.parameter("from"), address.parameter("to")),
            ("/x", Some("a b"), None)
        );
        let address = Address::parse("slack://[::1]").unwrap();
        assert_eq!((address.host.as_str(), address.port, address.path.as_str()), ("::1", None, ""));
    }

    #[test]
    fn what_is_wrong_is_named_without_its_value() {
        for (url, message) in [
            ("hunter2", "an alerter's address is no URL"),
            ("smtp://u:hun/ter2@h", "an alerter's address has a port that is none"),
            ("smtp://h:0", "an alerter's address has a port that is none"),
            ("smtp://[::1", "an address in brackets is never closed"),
            ("smtp://u:%ff@h", "an alerter's address holds bytes that are no text"),
            ("smtp://u:%0d%0aX@h", "an alerter's address holds bytes that are no text"),
            ("smtp://h?form=hunter2", "`smtp` has no parameter `form`"),
            ("smtp://h?hunter2", "`smtp` has no parameter `…`"),
        ] {
            let error = Address::parse(url).and_then(|address| address.only(&["from", "to"])).unwrap_err();
            assert_eq!(error.to_string(), message, "{url}");
        }
    }

    #[test]
    fn parameters_of_others_are_passed_on_unless_they_are_nearly_ours() {
        let but = |url: &str| Address::parse(url).unwrap().parameters_but(&["secret_env", "secret_file"]);
        for (url, others) in [
            ("x://h/p", Some("")),
            ("x://h/p?a=1&secret_env=N&b=%20&c", Some("?a=1&b=%20&c")),
            ("x://h/p?sig=1&secret=2", Some("?sig=1&secret=2")),
            ("x://h/p?secret_evn=N", None),
            ("x://h/p?Secret-Env=N", None),
        ] {
            assert_eq!(but(url).ok().as_deref(), others, "{url}");
        }
    }
}
