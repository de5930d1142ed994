//! Addresses that lead nowhere: what is said, and that no secret is in it.

use tickward::alerter;
use tickward::config::{Secret, SinkSpec};
use tickward::sink;

use super::{open, options, spec};

pub const TESTS: &[super::Test] = &[
    ("what_is_wrong_with_an_alerter_is_said_without_secrets", alerters),
    ("what_is_wrong_with_metrics_is_said", sinks),
    ("right_addresses_are_opened_under_their_scheme", right),
    ("files_of_webhook_secrets_are_read_when_opened", secret_files),
];

/// `S` stands for a secret.
const WRONG: &[(&str, &str, &str)] = &[
    ("S", "an alerter's address is no URL", "write SCHEME://…, for example slack://hooks.slack.com/services/X/Y/Z"),
    (
        "slck://hooks.slack.com/S",
        "alerter: unknown scheme `slck`",
        "use one of: stdout, slack, https, webhook+https, webhook+http",
    ),
    (
        "pagerduty://S",
        "alerter: this build has no `pagerduty` support",
        "use one of: stdout, slack, https, webhook+https, webhook+http",
    ),
    ("stdout://S", "`stdout` takes no address", "write stdout://"),
    ("stdout://?token=S", "`stdout` has no parameter `token`", "known are: "),
    (
        "slack://hooks.slack.com/S",
        "Slack's address is not complete",
        "copy it from Slack: slack://hooks.slack.com/services/X/Y/Z",
    ),
    ("slack://hooks.slack.com/services/X/Y/Z?chanel=S", "`slack` has no parameter `chanel`", "known are: endpoint"),
    (
        "slack://hooks.slack.com/services/X/Y/Z?endpoint=http://example.com",
        "`endpoint` cannot be used for Slack",
        "write https://HOST:PORT, or http:// and this host",
    ),
    (
        "slack://hooks.slack.com/services/X/Y/Z?endpoint=http://127.0.0.1:1/S",
        "`endpoint` cannot be used for Slack",
        "write https://HOST:PORT, or http:// and this host",
    ),
    (
        "https://example.com/S",
        "an alerter's address begins with http but is not Slack's",
        "write webhook+https:// for a receiver of your own, slack:// for one that understands Slack's messages",
    ),
    (
        "http://hooks.slack.com/services/X/Y/S",
        "an alerter's address begins with http but is not Slack's",
        "write webhook+https:// for a receiver of your own, slack:// for one that understands Slack's messages",
    ),
    ("webhook+https:///S", "a webhook's address names no host", "write webhook+https://HOST/PATH"),
    (
        "webhook+https://h/S?secret_env=NO_KEY",
        "the variable that `secret_env` names, `NO_KEY`, is not set",
        "set it to the webhook's secret where the tick runs",
    ),
    (
        "webhook+https://h/S?secret_env=s3cret-itself",
        "the variable that `secret_env` names is not set",
        "set it to the webhook's secret where the tick runs",
    ),
    (
        "webhook+https://h/S?secret_env=EMPTY",
        "the variable that `secret_env` names, `EMPTY`, is not set",
        "set it to the webhook's secret where the tick runs",
    ),
    (
        "webhook+https://h/S?secret_file=/not/there",
        "the file that `secret_file` names cannot be read: No such file or directory (os error 2)",
        "check the path and its permissions; write a `/` of it as it is",
    ),
    ("webhook+https://h/S?secret_evn=X", "`webhook+https` has a parameter `secret_evn`", "did you mean `secret_env`?"),
    ("webhook+https://h/S?secret_env=X&secret_file=Y", "both `secret_env` and `secret_file` are given", "keep one"),
    #[cfg(not(feature = "smtp"))]
    (
        "smtp://u:S@h",
        "alerter: this build has no `smtp` support",
        "build with `--features smtp`, or use one of: stdout, slack, https, webhook+https, webhook+http",
    ),
    #[cfg(feature = "smtp")]
    ("smtp://u:S@h?from=a@b.c", "mail needs `to`", "write smtp://HOST:PORT?from=etl@example.com&to=ops@example.com"),
    #[cfg(feature = "smtp")]
    (
        "smtp://u:S@h?from=a&to=b@c.d",
        "`from` is no mail address",
        "write from=etl@example.com&to=a@example.com,b@example.com",
    ),
    #[cfg(feature = "smtp")]
    ("smtp://u:S@h?from=a@b.c&to=,", "`to` names nobody", "write to=a@example.com,b@example.com"),
    #[cfg(feature = "smtp")]
    (
        "smtp://u:S@h?from=a@b.c&to=a@b.c&tls=maybe",
        "`tls` is neither `required` nor `none`",
        "write one of them, or leave it out",
    ),
    #[cfg(feature = "smtp")]
    ("smtps://u:S@h?from=a@b.c&to=a@b.c&tls=none", "`smtps` is always encrypted", "leave `tls` out, or write smtp://"),
    #[cfg(feature = "smtp")]
    ("smtp://u:S@h?form=a@b.c", "`smtp` has no parameter `form`", "known are: from, to, tls"),
];

fn alerters() {
    for (url, message, help) in WRONG {
        let url = url.replace('S', "hunter2");
        let error = alerter::open(&spec(&url), options()).err().unwrap_or_else(|| panic!("{url} is right"));
        let known = if cfg!(feature = "smtp") && help.starts_with("use one of") {
            format!("{help}, smtp, smtps")
        } else {
            (*help).into()
        };
        assert_eq!((error.to_string().as_str(), error.help()), (*message, known.as_str()), "{url}");
        assert!(!format!("{error:?} {:?}", spec(&url)).contains("hunter2"), "{url}");
    }
}

fn sinks() {
    let built = "use one of: null, stdout, memory, textfile";
    for (url, message, help) in [
        ("x", "metrics: an address is no URL", "write SCHEME://…, for example textfile:///path/tickward.prom"),
        ("textfle:///x", "metrics: unknown scheme `textfle`", built),
        ("otlp://h:4317", "metrics: this build has no `otlp` support", built),
        (
            "textfile://x.prom",
            "`textfile` needs an absolute path after its two slashes",
            "write textfile:///absolute/path/tickward.prom",
        ),
        ("textfile:///", "`/` is a folder, and metrics go into a file", "name a file in it, for example tickward.prom"),
        (
            "textfile:///tmp",
            "`/tmp` is a folder, and metrics go into a file",
            "name a file in it, for example tickward.prom",
        ),
        (
            "textfile:///not/there/",
            "`/not/there/` is a folder, and metrics go into a file",
            "name a file in it, for example tickward.prom",
        ),
        (
            "textfile:///x.prom?mode=1",
            "`textfile` takes no parameters",
            "write textfile:///absolute/path/tickward.prom",
        ),
        ("null://x", "`null` takes no address and no parameters", "write null://"),
        ("memory://a/b", "`memory` takes a name and nothing else", "write memory:// or memory://NAME"),
    ] {
        let error = sink::open(&SinkSpec::of_url(Secret::new(url))).err().unwrap_or_else(|| panic!("{url} is right"));
        assert_eq!((error.to_string().as_str(), error.help()), (message, help), "{url}");
    }
}

fn right() {
    for (url, name) in [
        ("stdout://", "stdout"),
        (" STDOUT:// ", "stdout"),
        ("slack://hooks.slack.com/services/X/Y/Z", "slack"),
        ("slack://chat.example.com/hooks/abc", "slack"),
        ("https://hooks.slack.com/services/X/Y/Z", "https"),
        ("https://hooks.slack-gov.com/services/X/Y/Z", "https"),
        ("webhook+https://u:p@h:8443/p?q=1&secret_env=HOOK_SECRET", "webhook-https"),
        #[cfg(feature = "smtp")]
        ("smtps://u:p@h?from=a@b.c&to=d@e.f", "smtps"),
        #[cfg(feature = "smtp")]
        ("smtp://[::1]:25?from=ETL%20%3Ca@b.c%3E&to=d@e.f,g@h.i&tls=none", "smtp"),
    ] {
        assert_eq!(open(url).name(), name, "{url}");
    }
}

fn secret_files() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let url = format!("webhook+http://h/?secret_file={}", file.path().display());
    for (text, message) in [
        ("", Some("the webhook's secret is empty")),
        ("\n", Some("the webhook's secret is empty")),
        ("whsec_hunter2!", Some("the webhook's secret begins with `whsec_` but is no base64 after it")),
        ("whsec_aHVudGVyMg==\n", None),
        ("hunter2\r\n", None),
    ] {
        std::fs::write(file.path(), text).unwrap();
        let error = alerter::open(&spec(&url), options()).err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), message, "{text:?}");
    }
}
