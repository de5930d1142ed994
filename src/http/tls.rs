//! Whom the client trusts, and with which cryptography it talks: the one place that names either.
//!
//! The certificates are the system's (or those of `SSL_CERT_FILE`, `SSL_CERT_DIR`); where there are none, as in an empty
//! container, Mozilla's, which are compiled in.

use std::sync::{Arc, OnceLock};

use rustls::crypto::CryptoProvider;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// The cryptography of every TLS connection.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Whether this host says whom to trust.
pub fn has_system_certificates() -> bool {
    !rustls_native_certs::load_native_certs().certs.is_empty()
}

/// How the client talks TLS. Certificates are read at the first call only.
pub(super) fn config() -> TlsConfig {
    static CONFIG: OnceLock<TlsConfig> = OnceLock::new();
    let made = || {
        let found = rustls_native_certs::load_native_certs().certs;
        let roots = match found.is_empty() {
            true => RootCerts::WebPki,
            false => {
                let found: Vec<_> = found.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
                RootCerts::new_with_certs(&found)
            }
        };
        TlsConfig::builder().root_certs(roots).unversioned_rustls_crypto_provider(provider()).build()
    };
    CONFIG.get_or_init(made).clone()
}
