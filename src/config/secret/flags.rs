//! Which flags of which clients take a secret, as their manuals have it.
//!
//! Flags whose names sound secret (`--password`) are for `values`: they are so in every program.

/// Programs with the flags that take a secret.
pub struct Client {
    /// `docker login`: the flags count after all these words alone.
    pub names: &'static [&'static str],
    /// Letters of flags that take nothing, behind which another one may stand in the same word: `-xw`.
    pub bare: &'static str,
    /// `-p`: the value is the next word, or follows a `=`. `-p?`: it may be missing. `-p*`: it is the rest of the same word.
    pub flags: &'static [(&'static str, Part)],
    pub operands: Operands,
}

/// What of a flag's value is secret.
#[derive(Clone, Copy)]
pub enum Part {
    All,
    /// What follows this character; all, where nothing does.
    After(char),
    /// What follows the name of a header, unless the name is a harmless one.
    Header,
    /// Nothing: the flag is here because its value is no operand.
    Nothing,
}

/// What the words are that are no flags.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Operands {
    Plain,
    /// The first one is another program, with flags of its own.
    Program,
    /// A logon of Oracle, `user/password@database`, up to a script, `@script`.
    Logon,
}

use Operands::{Logon, Plain, Program};
use Part::{After, All, Header, Nothing};

/// The value in a word of its own, or in that of the flag.
const P: &[(&str, Part)] = &[("-p", All), ("-p*", All)];
const CAPITAL_P: &[(&str, Part)] = &[("-P", All), ("-P*", All)];

/// A row: names, letters of bare flags, flags.
const fn row(
    names: &'static [&'static str],
    bare: &'static str,
    flags: &'static [(&'static str, Part)],
    operands: Operands,
) -> Client {
    Client { names, bare, flags, operands }
}

#[rustfmt::skip]
pub const CLIENTS: &[Client] = &[
    row(&["mysql", "mysql_upgrade", "mysqladmin", "mysqlbinlog", "mysqlcheck", "mysqldump", "mysqlimport", "mysqlpump",
        "mysqlshow", "mysqlslap", "mariadb", "mariadb-admin", "mariadb-binlog", "mariadb-check", "mariadb-dump",
        "mariadb-import", "mariadb-show", "mariadb-slap", "mariadb-upgrade"],
        "ABCEGHNVXbfnqstvx", &[("-p*", All)], Plain),
    row(&["curl"], "sSfLkgGiIjlnNOqRvVaB0123456#", &[
        ("-u", After(':')), ("-u*", After(':')), ("--user", After(':')),
        ("-U", After(':')), ("-U*", After(':')), ("--proxy-user", After(':')),
        ("-E", After(':')), ("-E*", After(':')), ("--cert", After(':')), ("--proxy-cert", After(':')),
        ("-b", After('=')), ("-b*", After('=')), ("--cookie", After('=')),
        ("-H", Header), ("-H*", Header), ("--header", Header), ("--proxy-header", Header),
        ("--oauth2-bearer", All)], Plain),
    row(&["wget", "wget2", "aria2c"], "", &[("--header", Header)], Plain),
    row(&["http", "https", "xh", "xhs"], "", &[("-a", All), ("-a*", All), ("--auth", All)], Plain),
    row(&["sshpass"], "v", &[("-p", All), ("-p*", All), ("-P", Nothing), ("-f", Nothing), ("-d", Nothing)], Program),
    row(&["redis-cli", "redis-benchmark", "valkey-cli", "valkey-benchmark", "keydb-cli"], "", &[("-a", All)], Plain),
    row(&["docker login", "podman login", "buildah login", "nerdctl login", "skopeo login", "oras login",
        "helm registry login", "crane auth login", "oc login", "cf login", "az login", "twine upload"], "", P, Plain),
    row(&["zip", "unzip", "zipinfo"], "rejqmofuvgyTXlDAkS0123456789nacCLKtpU", CAPITAL_P, Plain),
    row(&["7z", "7za", "7zr", "7zz", "rar", "unrar"], "", &[("-p*", All), ("-hp*", All)], Plain),
    row(&["unar", "lsar", "ncftp", "ncftpget", "ncftpput", "ncftpls", "cqlsh", "beeline", "exaplus", "hdbsql"], "", P, Plain),
    row(&["sqlcmd"], "", &[("-P", All), ("-P*", All), ("-z", All), ("-z*", All), ("-Z", All), ("-Z*", All)], Plain),
    row(&["bcp", "isql", "osql", "tsql", "fisql", "bsqldb", "freebcp", "defncopy", "sqsh", "ipmitool", "mosquitto_pub",
        "mosquitto_rr", "mosquitto_sub"], "", CAPITAL_P, Plain),
    row(&["ldapadd", "ldapcompare", "ldapdelete", "ldapexop", "ldapmodify", "ldapmodrdn", "ldapsearch", "ldapwhoami"],
        "xvncutALMCIQWZNV", &[("-w", All), ("-w*", All)], Plain),
    row(&["ldappasswd"], "xvncCIQWZNVAS",
        &[("-w", All), ("-w*", All), ("-a", All), ("-a*", All), ("-s", All), ("-s*", All)], Plain),
    row(&["openssl"], "", &[("-k", All), ("-K", All), ("-hmac", All), ("-psk", All)], Plain),
    row(&["lftp"], "", &[("-u", After(',')), ("-u*", After(','))], Plain),
    row(&["smbclient", "smbget", "smbtree", "smbcacls", "smbcquotas", "rpcclient", "net", "winexe", "wmic"], "",
        &[("-U", After('%')), ("-U*", After('%')), ("--user", After('%'))], Plain),
    row(&["mongo", "mongosh", "mongodump", "mongorestore", "mongoexport", "mongoimport", "mongostat", "mongotop",
        "mongofiles"], "", &[("-p?", All), ("-p*", All)], Plain),
    row(&["snmpget", "snmpgetnext", "snmpset", "snmpwalk", "snmpbulkget", "snmpbulkwalk", "snmptable", "snmptrap"], "",
        &[("-c", All), ("-c*", All), ("-A", All), ("-A*", All), ("-X", All), ("-X*", All)], Plain),
    row(&["vsql"], "", &[("-w", All), ("-w*", All)], Plain),
    row(&["sendemail", "sendEmail", "swaks"], "", &[("-xp", All), ("-ap", All), ("--ap", All)], Plain),
    row(&["sqlplus", "exp", "imp", "expdp", "impdp", "sqlldr", "rman", "dgmgrl", "connect", "conn", "CONNECT", "CONN"], "",
        &[], Logon),
];

/// Headers whose values are no secret.
pub const HARMLESS_HEADERS: [&str; 16] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "connection",
    "content-disposition",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "if-modified-since",
    "prefer",
    "range",
    "transfer-encoding",
    "user-agent",
];
