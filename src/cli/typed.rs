//! Reads what people type after flags, and finds the name they may have meant.
//!
//! Holds always: what is refused is told with the forms that are taken.

use jiff::Timestamp;

/// An instant; it must say how far it is from UTC, because hosts differ in where they are.
pub fn instant(text: &str) -> Result<Timestamp, String> {
    text.trim().parse().map_err(|_| {
        "write an instant in UTC, as 2026-03-02T02:00:00Z, or with its offset, as 2026-03-02T03:00:00+01:00".into()
    })
}

/// How many of something: at least one.
pub fn count(text: &str) -> Result<usize, String> {
    let number = text.trim().parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "write a whole number, 1 or more".into())
}

/// Advice for a name that nobody has: the one that is most like it, and the command that shows all.
pub fn meant(names: impl Iterator<Item = String>, word: &str, shows_all: &str) -> String {
    let nearest = names.max_by(|a, b| strsim::jaro_winkler(a, word).total_cmp(&strsim::jaro_winkler(b, word)));
    nearest.map_or(String::new(), |nearest| format!("did you mean `{nearest}`? `{shows_all}` shows all"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_read_or_refused_with_the_forms_that_are_taken() {
        let utc = "2026-03-02T02:00:00Z";
        assert_eq!(instant(utc), instant("2026-03-02T03:00:00+01:00"));
        for text in ["tomorrow", "2026-03-02", "2026-03-02T02:00:00", "02:00", ""] {
            assert!(instant(text).is_err_and(|error| error.contains(utc)), "{text}");
        }
        for (text, number) in [("1", Some(1)), ("20", Some(20)), ("0", None), ("-1", None), ("many", None)] {
            assert_eq!(count(text).ok(), number, "{text}");
        }
    }
}
