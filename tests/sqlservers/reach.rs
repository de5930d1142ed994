//! The ways to a server: TLS, sockets, where passwords come from; and that none of it shows a password.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use tickward::runlog::Error;

use crate::further::{Lack, Server};
use crate::kind::{Kind, database, open, password, refused, with, words};
use crate::sandbox::{Done, Sandbox};
use crate::servers::sql;

pub const CASES: &[crate::Case] = &[
    ("reach::tls_is_used_and_who_vouches_is_checked", tls),
    ("reach::a_certificate_of_ours_is_shown_where_the_server_wants_one", client_certificates),
    ("reach::a_socket_will_do", socket),
    ("reach::a_password_may_come_from_elsewhere", passwords),
    ("reach::no_message_has_a_password_in_it", secrets),
];

/// A certificate that vouches for nobody here.
fn strange_ca(folder: &Path) -> Result<PathBuf, Lack> {
    let (key, certificate) = (folder.join("strange.key"), folder.join("strange.pem"));
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=strange",
    ]);
    let made = openssl.arg("-keyout").arg(key).arg("-out").arg(&certificate).output();
    match made {
        Ok(output) if output.status.success() => Ok(certificate),
        other => Err(Lack::Program(format!("openssl: {other:?}"))),
    }
}

fn tls(kind: &'static Kind) -> Result<(), Lack> {
    let server = kind.server(&["--tls"])?;
    let folder = tempfile::tempdir().unwrap();
    let strange = strange_ca(folder.path())?;
    let (ours, strange) = (server.ca.as_ref().unwrap().display(), strange.display());
    let nowhere = folder.path().join("nowhere.pem");
    let nowhere = nowhere.display();
    #[rustfmt::skip]
    let rows: Vec<(bool, String)> = if kind.is_postgres() {
        vec![
            (true,  "sslmode=require".into()),
            (true,  "sslmode=prefer".into()),
            (true,  format!("sslmode=verify-ca&sslrootcert={ours}")),
            (true,  format!("sslmode=verify-full&sslrootcert={ours}")),
            (false, format!("sslmode=verify-ca&sslrootcert={strange}")),
            (false, format!("sslmode=verify-full&sslrootcert={strange}")),
            (false, "sslmode=verify-full".into()),
            (false, format!("sslmode=verify-full&sslrootcert={nowhere}")),
            (false, "sslmode=disable".into()),
            (false, "sslmode=perhaps".into()),
        ]
    } else {
        vec![
            (true,  "ssl-mode=REQUIRED".into()),
            (true,  format!("ssl-mode=VERIFY_CA&ssl-ca={ours}")),
            (true,  format!("ssl-mode=VERIFY_IDENTITY&ssl-ca={ours}")),
            (false, format!("ssl-mode=VERIFY_CA&ssl-ca={strange}")),
            (false, format!("ssl-mode=VERIFY_IDENTITY&ssl-ca={strange}")),
            (false, "ssl-mode=VERIFY_IDENTITY".into()),
            (false, format!("ssl-mode=VERIFY_CA&ssl-ca={nowhere}")),
            (false, "ssl-mode=DISABLED".into()),
            (false, "ssl-mode=PERHAPS".into()),
        ]
    };
    for (opens, parameters) in rows {
        let url = with(&server.url, &parameters);
        match (open(&url), opens) {
            (Ok(_), true) => {}
            (Err(error), false) => {
                let said = words(&error);
                assert!(!said.contains(password(&url)) && !said.ends_with(": \n"), "{parameters}: {said}");
            }
            (Ok(_), false) => panic!("{parameters} opens"),
            (Err(error), true) => panic!("{parameters}: {}", words(&error)),
        }
    }
    Ok(())
}

/// A certificate for a client, of the CA of a server of ours.
fn client_certificate(server: &Server, folder: &Path) -> Result<(), Lack> {
    let tls = server.folder().join("tls");
    let make = "set -e; openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=client \
        -keyout client.key -out client.csr; printf 'basicConstraints=CA:FALSE\\nextendedKeyUsage=clientAuth\\n' >client.ext; \
        openssl x509 -req -in client.csr -CA \"$1/ca.pem\" -CAkey \"$1/ca.key\" -CAserial serial -CAcreateserial -days 30 \
        -extfile client.ext -out client.pem";
    let made = Command::new("sh").args(["-c", make, "sh"]).arg(tls).current_dir(folder).output();
    match made {
        Ok(output) if output.status.success() => Ok(()),
        other => Err(Lack::Program(format!("openssl: {other:?}"))),
    }
}

fn client_certificates(kind: &'static Kind) -> Result<(), Lack> {
    let mut server = kind.server(&["--tls"])?;
    let folder = tempfile::tempdir().unwrap();
    strange_ca(folder.path())?;
    client_certificate(&server, folder.path())?;
    let ca = server.ca.clone().unwrap();
    server.stop();
    let setting = format!("{}={}", kind.pick("ssl_ca_file", "ssl-ca"), ca.display());
    server.start_again(&["--tls", "--set", &setting])?;
    let url = if kind.is_postgres() {
        let rules = server.folder().join("hba.conf");
        let text = std::fs::read_to_string(&rules).unwrap();
        std::fs::write(&rules, text.replace("/32 scram-sha-256", "/32 scram-sha-256 clientcert=verify-ca")).unwrap();
        sql(&server.url, "SELECT pg_reload_conf()").unwrap();
        server.url.clone()
    } else {
        let make = "CREATE USER client@'%' IDENTIFIED BY 'gartenzwerg' REQUIRE X509; \
            GRANT ALL PRIVILEGES ON tickward.* TO client@'%'";
        sql(&server.url, make).unwrap();
        let (_, place) = server.url.split_once('@').unwrap();
        format!("mysql://client:gartenzwerg@{place}")
    };
    let mode = with(&url, kind.pick("sslmode=require", "ssl-mode=REQUIRED"));
    let shown = |name: &str| {
        let file = folder.path().join(name);
        let (certificate, key) = (kind.pick("sslcert", "ssl-cert"), kind.pick("sslkey", "ssl-key"));
        with(&mode, &format!("{certificate}={0}.pem&{key}={0}.key", file.display()))
    };
    // The server reads its rules anew in its own time: until then it takes anybody.
    let wants_one = || matches!(open(&mode), Err(Error::Unavailable { .. }));
    Sandbox::new().wait("the server to want a certificate", wants_one);
    open(&shown("client")).unwrap_or_else(|error| panic!("{}", words(&error)));
    for url in [shown("strange"), shown("nowhere")] {
        let said = words(&refused(&url));
        assert!(!said.contains(password(&url)), "{said}");
    }
    Ok(())
}

fn socket(kind: &'static Kind) -> Result<(), Lack> {
    let server = kind.server(&[])?;
    let port = server.url.rsplit_once(':').unwrap().1.split('/').next().unwrap();
    let folder = server.folder().display();
    let urls = if kind.is_postgres() {
        let encoded = server.folder().to_str().unwrap().replace('/', "%2F");
        vec![
            format!("postgres://tickward@{encoded}:{port}/postgres"),
            format!("postgres://tickward@localhost:{port}/postgres?host={folder}"),
        ]
    } else {
        vec![format!("mysql://tickward:{}@localhost/tickward?socket={folder}/data/socket", password(&server.url))]
    };
    for url in urls {
        let sandbox = Sandbox::with("pipelines: { p: { schedule: '@daily', command: ENTER } }");
        let done = sandbox.call(&["run-due", "--interval", "86400", "-o", "json", "--run-log-url", &url]).expect(0);
        assert_eq!(done.json()["tick"]["degraded"], false, "{url}: {done:?}");
        let nowhere = url.replace(&*folder.to_string(), "/nowhere");
        if nowhere != url {
            let said = words(&refused(&nowhere));
            assert!(said.contains("/nowhere"), "{said}");
        }
    }
    Ok(())
}

/// One tick with these variables.
fn tick(url: &str, variables: &[(&str, &str)]) -> Done {
    let sandbox = Sandbox::with("pipelines: { p: { schedule: '@daily', command: ENTER } }");
    sandbox.call_with(&["run-due", "--interval", "86400", "-o", "json", "--run-log-url", url], variables)
}

/// Whether it opens, an address, and variables.
type Row<'a> = (bool, &'a str, Vec<(&'a str, &'a str)>);

fn passwords(kind: &'static Kind) -> Result<(), Lack> {
    let bench = kind.bench()?;
    let word = password(&bench.url).to_owned();
    let bare = bench.url.replacen(&format!(":{word}@"), "@", 1);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str, mode: u32| {
        use std::os::unix::fs::PermissionsExt;
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (_, rest) = bare.split_once("://").unwrap();
    let user = rest.split_once('@').unwrap().0;
    let passfile = file("pgpass", &format!("# comment\n*:*:*:nobody:no\n127.0.0.1:*:*:{user}:{word}\n"), 0o600);
    let plain = file("plain", &format!("{word}\n"), 0o600);
    #[rustfmt::skip]
    let rows: Vec<Row> = if kind.is_postgres() {
        vec![
            (true,  &bare,      vec![("PGPASSWORD", &word)]),
            (true,  &bare,      vec![("PGPASSFILE", &passfile)]),
            (true,  &bench.url, vec![("PGPASSWORD", "falsch")]),
            (false, &bare,      vec![("PGPASSWORD", "falsch")]),
            (false, &bare,      vec![]),
        ]
    } else {
        vec![
            (true,  &bare,      vec![("MYSQL_PWD", &word)]),
            (true,  &bare,      vec![("MYSQL_PASSWORD_FILE", &plain)]),
            (true,  &bench.url, vec![("MYSQL_PWD", "falsch")]),
            (false, &bare,      vec![("MYSQL_PWD", "falsch")]),
            (false, &bare,      vec![]),
        ]
    };
    for (opens, url, variables) in rows {
        let done = tick(url, &variables);
        assert_eq!(done.json()["tick"]["degraded"], json!(!opens), "{variables:?}: {done:?}");
        assert!(!done.stderr.contains(&word) && !done.stdout.contains(&word), "{done:?}");
        assert!(!done.stderr.contains("falsch"), "{done:?}");
    }
    Ok(())
}

/// Whatever is wrong with an address, and whatever a driver says of it.
fn secrets(kind: &'static Kind) -> Result<(), Lack> {
    const SECRET: &str = "Kr0kodil%2BTr4ene";
    let hidden = ["Kr0kodil", "Tr4ene"];
    let bench = kind.bench()?;
    let real = bench.url.replacen(password(&bench.url), SECRET, 1);
    let (scheme, word) = (kind.name, SECRET);
    let dead = Server::start(kind.script, &[])?;
    dead.stop();
    let tls = kind.pick("sslmode=require", "ssl-mode=REQUIRED");
    let ca = kind.pick("sslmode=verify-full&sslrootcert=/nowhere.pem", "ssl-mode=VERIFY_CA&ssl-ca=/nowhere.pem");
    let urls = [
        real.clone(),
        with(&real, tls),
        with(&real, ca),
        with(&real, "sslmod=require"),
        with(&real, &format!("pasword={word}")),
        with(&real, "create_tables=maybe"),
        with(&real, "connect_timeout=0"),
        dead.url.replacen(password(&dead.url), SECRET, 1),
        format!("{scheme}://someone:{word}@127.0.0.1:99999/d"),
        format!("{scheme}://someone:{word}@127.0.0.1:port/d"),
        format!("{scheme}://someone:{word}@/d"),
        format!("{scheme}://someone:{word}@[::1/d"),
        format!("{scheme}://someone:{word}/slash@127.0.0.1:1/d"),
        format!("{scheme}://someone:{word}#hash@127.0.0.1:1/d"),
        format!("{scheme}://someone:{word}?mark@127.0.0.1:1/d"),
        format!("{scheme}://someone:a?{word}&b=c@127.0.0.1:1/d"),
        format!("{scheme}://someone:a&{word}=c?d@127.0.0.1:1/d"),
        format!("{scheme}://someone:{word}@{word}@127.0.0.1:1/d"),
        format!("{scheme}://someone:{word}@127.0.0.1:1"),
        format!("{scheme}://someone:{word}@no.such.host.invalid:1/d"),
        format!("{scheme}:someone:{word}@127.0.0.1:1/d"),
        format!("{scheme}://someone/{word}@127.0.0.1:1/d"),
    ];
    let mut urls = Vec::from(urls);
    if kind.is_postgres() {
        urls.push(format!("postgres://someone@127.0.0.1:1/d?password={word}"));
        urls.push(database(&real, "nowhere"));
    }
    for url in &urls {
        let error = refused(url);
        let said = format!("{} {error:?}", words(&error));
        assert!(!hidden.iter().any(|part| said.contains(part)), "{url}: {said}");
        assert!(!said.starts_with('\n') && error.to_string().len() > 20, "{url}: {said}");
    }
    for url in &urls[..6] {
        for level in ["trace", "sqlx=trace"] {
            let done = tick(url, &[("TICKWARD_LOG", level)]);
            let all = format!("{}{}", done.stdout, done.stderr);
            assert!(!hidden.iter().any(|part| all.contains(part)), "{url}: {done:?}");
        }
    }
    Ok(())
}
