//! Any text as a run-log's address: no panic, what is read is what was written, and a password is masked whatever it is
//! made of.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tickward::config::secret::{masked, masked_line, masked_url};
use tickward::runlog::SCHEMES;
use tickward::runlog::sqlite::Address;
use tickward::scheme;

const CANARY: &str = "Zq9xCanary";

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(name) = scheme::of(text) {
        assert!(text[name.len()..].starts_with(':'));
        if let Err(miss) = scheme::find(SCHEMES, name) {
            assert!(!miss.help().is_empty() && miss.to_string().contains(name));
        }
    }
    address(text);
    for printed in [masked(text), masked_line(text), masked_url(text)] {
        assert!(printed.len() <= text.len() + 3 * (1 + text.len()));
    }
    let (before, after) = text.split_once('\n').unwrap_or((text, ""));
    passwords(before, after);
});

fn address(text: &str) {
    let Ok(read) = Address::parse(text) else { return };
    let path = read.path.to_str().expect("the address is text");
    assert!(!path.is_empty());
    if !path.contains('?') && !path.starts_with("//") {
        let again = Address::parse(&format!("sqlite:{path}")).expect("a path is an address");
        assert_eq!(again.path, read.path);
    }
}

fn passwords(before: &str, after: &str) {
    let url = format!("postgres://u:{before}{CANARY}{after}@host/db");
    assert!(!masked_url(&url).contains(CANARY), "{url}");
    if !before.contains(['&', ';']) {
        let url = format!("s3://bucket/runs?secret_key={before}{CANARY}");
        assert!(!masked_url(&url).contains(CANARY), "{url}");
    }
    // A line may hold several addresses, quotes and remarks: a password with what begins one in it has to be encoded.
    let is_plain = |text: &str| !text.contains(|c: char| c.is_whitespace() || "\"'`,[{(".contains(c));
    if is_plain(before) && is_plain(after) && url.matches("://").count() == 1 {
        for line in [format!("run_log: {url}"), format!("  - {url} # main"), format!("[load, '{url}']")] {
            assert!(!masked_line(&line).contains(CANARY) && !masked(&line).contains(CANARY), "{line}");
        }
    }
}
