//! The secrets: what they look like, and in which variables a tick meets them.

use std::sync::LazyLock;

/// One secret, with the name of the variable that holds it.
pub struct Secret {
    pub name: &'static str,
    pub text: String,
}

/// Secrets by what they are made of, each in a variable of its name. None is like another, or like anything we say.
const SHAPES: [(&str, &str); 22] = [
    ("PLAIN", "Kx7vQ2mZ9pLwT4"),
    ("SHORT", "qZ7k"),
    ("ONE_WORD", "grundsteuerbescheidsformular"),
    ("BASE64", "bm9ib2R5IHdpbGwgZXZlciByZWFkIGl0Ny9+/w=="),
    ("HEX", "9f3c71e6b0d2485aa7c9e1f04b6d8235"),
    ("AWS_ACCESS_KEY_ID", "AKIAJ4T7QXWZ2MNR5VEB"),
    ("AWS_SECRET_ACCESS_KEY", "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"),
    ("AWS_SESSION_TOKEN", "FwoGZXIvYXdzEJr7Hk2Lw9Qm4Tz8Vb1Nc6Xs3Pd5Gf0Rj="),
    ("BEARER", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ2N3g5cTIifQ.Yt5Rw8Kp"),
    ("DATABASE_URL", "postgres://report:Jn6Wc3Vx8Bz1@db.internal:5432/sales?sslmode=require"),
    ("URL_OF_PARAMETERS", "https://api.internal/load?api_key=Hs4Nf9Tq2Lk7&sig=Ue8Mb3Xy6Wd1"),
    ("SLACK", "https://hooks.slack.com/services/T3K9Q7/B8W2Z5/mV6xC1nJ4rP0sD7g"),
    ("SMTP", "smtp://mailer:Gd5Zp2Yk9Rv4@mail.internal:587"),
    ("ENCODED", "Lw%40Fx%3A7%2FQn%25Kb3"),
    ("REGEX", "^Vy(2|8)[Tn]{3}.*\\d+$Mz?"),
    ("SHELL", "Rk'8\"$(Wq)`Jx`;&|<Hv>#!*~\\Bd"),
    ("AT_AND_SLASH", "Xc:4/Vn@Tz9:Pq/Ls@Wm"),
    ("TEMPLATE", "{{ host }}Fj2${Gm9Xr4}Yb8{{ Zn }}"),
    ("MARKUP", "<b>Dq7&amp;\"Nk\"</b> Ws: [5, {Hg: 1}] # Cv"),
    ("UNICODE", "\u{301}пароль-漢字-Zé9\u{202e}K\u{200d}🔑Wx4"),
    ("CONTROLS", "Bt6\u{1b}[31mQh\t9\u{7f}Lz\rNc4"),
    ("PEM", PEM),
];

const PEM: &str = "-----BEGIN PRIVATE KEY-----
MIIBVgIBADANBgkqhkiG9w0BAQEFAASCAUAwggE8AgEAAkEAq7BFUpkGp3+LQmlQ
Yx2eqzDV+xeG8kx/sQFV18S5JhzGeIJNA72wSeukEPojtqUyX2J0CciPBh7eqclQ
-----END PRIVATE KEY-----
";

/// Our own settings, which hold secrets too: no body is to inherit them. Alerts that follow them reach nobody.
const SETTINGS: [(&str, &str); 6] = [
    ("TICKWARD_ALERTERS", "slack://127.0.0.1:9/services/Z5/L7/Pz3Kd8Wn1Yq6,pagerduty://Vb9Rt4Lm7Xs2"),
    ("TICKWARD_METRICS", "otlp+http://collector.internal:4318?token=Cf6Hj1Qw8Nz5"),
    ("TICKWARD_HTTP_TOKEN", "Sx2Gv7Mk4Ty9Bp0R"),
    ("EMATIX_FLOW_ALERTERS", "https://events.pagerduty.com/Dn8Lq3Zv6Fw1Jc5H"),
    ("EMATIX_FLOW_METRICS", "https://push.internal/Uk4Xb9Rs2Pm7Yt0G?auth=Ez1Wd6Nh8Vj3"),
    ("GITHUB_TOKEN", "ghp_Qa5Tk0Zx8Lc3Vn6Bm1Js9Hd4Gf7Wp2Ry"),
];

/// What is written into files as it is.
pub const WRITTEN: [(&str, &str); 8] = [
    ("written password", "Mh3Vq8Zc1Xt6Kj"),
    ("written token", "Fp9Ln4Rw7Yb2Gs"),
    ("written parameter", "Ot5Dk0Jx6Wm3Qv"),
    ("written user info", "Ba8Hz2Nf7Tc4Lp"),
    ("written hook", "Ie1Sg6Vr9Kw3Xd"),
    ("written flag", "Uq7Py5Mb0Zj8Tn"),
    ("written key", "Cw4Rl9Fh2Qx6Gk"),
    ("written encoded", "Ed%3ANv7%40Ks1%2FBz"),
];

/// A secret as long as an argument may well be.
fn long() -> String {
    (0_u32..150).map(|number| format!("{:08x}", number.wrapping_mul(2_654_435_761) ^ 0x5bd1_e995)).collect()
}

/// Those that configurations fill in.
pub static FILLED: LazyLock<Vec<Secret>> = LazyLock::new(|| {
    let shapes = SHAPES.iter().map(|(name, text)| Secret { name, text: (*text).into() });
    shapes.chain([Secret { name: "LONG", text: long() }]).collect()
});

/// All of them.
pub fn all() -> Vec<(&'static str, String)> {
    let filled = FILLED.iter().map(|secret| (secret.name, secret.text.clone()));
    filled.chain(SETTINGS.iter().chain(&WRITTEN).map(|(name, text)| (*name, (*text).into()))).collect()
}

/// The environment of every command.
pub fn variables() -> Vec<(&'static str, String)> {
    let settings = SETTINGS.iter().map(|(name, text)| (*name, (*text).into()));
    FILLED.iter().map(|secret| (secret.name, secret.text.clone())).chain(settings).collect()
}

/// What of a secret may stand anywhere: the frame of a key, the host of an address.
pub const OPEN: [&str; 15] = [
    "slack://127.0.0.1:9/services/",
    "{{ host }}",
    "pagerduty://",
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----",
    "postgres://report:",
    "@db.internal:5432/sales?sslmode=require",
    "https://api.internal/load?api_key=",
    "https://hooks.slack.com/services/",
    "slack://hooks.slack.com/services/",
    "smtp://mailer:",
    "@mail.internal:587",
    "otlp+http://collector.internal:4318?token=",
    "https://events.pagerduty.com/",
    "https://push.internal/",
];
