//! Decides as which user and groups a body runs, and becomes them.
//!
//! Names and numbers are looked up where the body will run, in the forked child: a slow directory service delays this body
//! only. Becoming another user needs root; asking for what we already are does not.

use std::ffi::CString;
use std::path::PathBuf;

use nix::unistd::{Gid, Group, Uid, User, getegid, geteuid, getgrouplist, setgroups, setresgid, setresuid};

/// Whom a body runs as.
pub(super) struct Identity {
    pub(super) uid: Uid,
    gid: Gid,
    supplementary: Option<Vec<Gid>>,
    /// `HOME`, `USER`, `LOGNAME` and `SHELL`, as far as known.
    pub(super) variables: Vec<(&'static str, PathBuf)>,
}

impl Identity {
    /// Looks up user and group; none where neither is asked for.
    ///
    /// # Errors
    /// In words, if one is unknown or a user without an entry comes without a group.
    pub(super) fn of(user: Option<&str>, group: Option<&str>) -> Result<Option<Identity>, String> {
        let asked_gid = group.map(find_group).transpose()?;
        let Some(user) = user else {
            return Ok(asked_gid.map(|gid| Identity { uid: geteuid(), gid, supplementary: None, variables: vec![] }));
        };
        let (uid, entry) = find_user(user)?;
        let Some(entry) = entry else {
            let gid =
                asked_gid.ok_or_else(|| format!("user `{user}` has no entry here: its group must be given too"))?;
            return Ok(Some(Identity { uid, gid, supplementary: Some(vec![gid]), variables: vec![] }));
        };
        let gid = asked_gid.unwrap_or(entry.gid);
        let groups = CString::new(entry.name.as_str())
            .ok()
            .and_then(|name| getgrouplist(&name, gid).ok())
            .ok_or_else(|| format!("the groups of user `{user}` could not be read"))?;
        let variables = vec![
            ("HOME", entry.dir),
            ("USER", entry.name.clone().into()),
            ("LOGNAME", entry.name.into()),
            ("SHELL", entry.shell),
        ];
        Ok(Some(Identity { uid, gid, supplementary: Some(groups), variables }))
    }

    /// Makes this process that user; there is no way back.
    ///
    /// # Errors
    /// In words, if that is not permitted.
    pub(super) fn assume(&self) -> Result<(), String> {
        let is_ours = self.uid == geteuid() && self.gid == getegid();
        if is_ours && !geteuid().is_root() {
            return Ok(());
        }
        let refused = |what: String| move |error: nix::Error| format!("{what} is not permitted: {}", error.desc());
        if let Some(groups) = &self.supplementary {
            setgroups(groups).map_err(refused(format!("taking the groups of user {}", self.uid)))?;
        }
        setresgid(self.gid, self.gid, self.gid).map_err(refused(format!("running as group {}", self.gid)))?;
        setresuid(self.uid, self.uid, self.uid).map_err(refused(format!("running as user {}", self.uid)))
    }
}

fn find_user(text: &str) -> Result<(Uid, Option<User>), String> {
    let failed = |error: nix::Error| format!("user `{text}` could not be looked up: {}", error.desc());
    match text.parse::<u32>() {
        Ok(number) => User::from_uid(Uid::from_raw(number)).map_err(failed).map(|entry| (Uid::from_raw(number), entry)),
        Err(_) => match User::from_name(text).map_err(failed)? {
            Some(entry) => Ok((entry.uid, Some(entry))),
            None => Err(format!("user `{text}` is unknown here")),
        },
    }
}

fn find_group(text: &str) -> Result<Gid, String> {
    match text.parse::<u32>() {
        Ok(number) => Ok(Gid::from_raw(number)),
        Err(_) => Group::from_name(text)
            .map_err(|error| format!("group `{text}` could not be looked up: {}", error.desc()))?
            .map(|entry| entry.gid)
            .ok_or_else(|| format!("group `{text}` is unknown here")),
    }
}
