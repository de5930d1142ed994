//! Signs what is posted to a webhook, so that the receiver knows who sent it and that it was not sent before.
//!
//! The form is that of the specification at standardwebhooks.com, for which there are libraries in most languages: an
//! HMAC-SHA256 over `ID.TIMESTAMP.BODY`, in base64 after `v1,`.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac::{HMAC_SHA256, Key, sign};

use super::{Address, Error};
use crate::config::Environment;
use crate::small_file;

/// A secret has no more bytes than this.
const MOST_BYTES: u64 = 64 << 10;

/// A variable's name, to be shown; nothing where it looks like something else: it may be the secret itself.
fn as_a_name(name: &str) -> String {
    let is_name = name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    if is_name { format!(", `{name}`,") } else { String::new() }
}

/// A webhook's key.
pub(super) struct Signer(Key);

impl Signer {
    /// The key that the address names with `secret_env` or `secret_file`; none where it names none.
    pub(super) fn of(address: &Address, environment: &Environment) -> Result<Option<Signer>, Error> {
        let text = match (address.parameter("secret_env"), address.parameter("secret_file")) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => return Err(Error::new("both `secret_env` and `secret_file` are given", "keep one")),
            (Some(name), None) => environment.get_filled(name).map(str::to_owned).ok_or_else(|| {
                let message = format!("the variable that `secret_env` names{} is not set", as_a_name(name));
                Error::new(&message, "set it to the webhook's secret where the tick runs")
            })?,
            (None, Some(path)) => small_file::read(Path::new(path), MOST_BYTES).map_err(|error| {
                let message = format!("the file that `secret_file` names cannot be read: {error}");
                Error::new(&message, "check the path and its permissions; write a `/` of it as it is")
            })?,
        };
        let text = text.trim_end_matches(['\r', '\n']);
        let bytes = match text.strip_prefix("whsec_") {
            Some(encoded) => STANDARD.decode(encoded).map_err(|_| {
                Error::new(
                    "the webhook's secret begins with `whsec_` but is no base64 after it",
                    "copy it again, as a whole",
                )
            })?,
            None => text.as_bytes().to_vec(),
        };
        match bytes.is_empty() {
            true => Err(Error::new("the webhook's secret is empty", "put a long random text there")),
            false => Ok(Some(Signer(Key::new(HMAC_SHA256, &bytes)))),
        }
    }

    /// The value of `webhook-signature`.
    pub(super) fn signature(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let signed = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
        format!("v1,{}", STANDARD.encode(sign(&self.0, &signed)))
    }
}
