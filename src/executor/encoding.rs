//! Puts jobs and their ends into bytes and back.
//!
//! What stands around a job stays with the tick. Fields in order, numbers little-endian, a length before everything that varies. Which message they are part of is for
//! `wire`, where they are tested too.
//!
//! Holds always: bytes that are no value give `None`, never a panic.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::Duration;

use super::{End, Ended, Input, Job, NotStarted, Output, Program, Stop, Told};
use crate::clock::BootTime;
use crate::occurrence::Token;

/// Appends values to bytes.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// Goes on after `start`.
    pub(super) fn new(start: Vec<u8>) -> Writer {
        Writer(start)
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(super) fn byte(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn number(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn token(&mut self, token: Token) {
        self.0.extend_from_slice(&token.0.to_le_bytes());
    }

    fn bytes(&mut self, value: &[u8]) {
        self.number(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    fn duration(&mut self, value: Duration) {
        self.number(value.as_secs());
        self.number(u64::from(value.subsec_nanos()));
    }

    fn optional<T>(&mut self, value: Option<T>, put: impl FnOnce(&mut Writer, T)) {
        self.byte(u8::from(value.is_some()));
        if let Some(value) = value {
            put(self, value);
        }
    }

    fn path(&mut self, value: Option<&PathBuf>) {
        self.optional(value, |out, path| out.bytes(path.as_os_str().as_bytes()));
    }

    fn text(&mut self, value: Option<&String>) {
        self.optional(value, |out, text| out.bytes(text.as_bytes()));
    }

    pub(super) fn stop(&mut self, why: Stop) {
        self.byte(match why {
            Stop::TimedOut => 0,
            Stop::LeaseOver => 1,
            Stop::Interrupted => 2,
            Stop::Cancelled => 3,
        });
    }

    pub(super) fn job(&mut self, job: &Job) {
        self.token(job.token);
        match &job.program {
            Program::Argv(words) => {
                self.byte(0);
                self.number(words.len() as u64);
                words.iter().for_each(|word| self.bytes(word.as_bytes()));
            }
            Program::Shell(line) => {
                self.byte(1);
                self.bytes(line.as_bytes());
            }
        }
        self.path(job.cwd.as_ref());
        self.number(job.env.len() as u64);
        for (name, value) in &job.env {
            self.bytes(name.as_bytes());
            self.bytes(value.as_bytes());
        }
        match &job.stdin {
            Input::Null => self.byte(0),
            Input::Text(text) => {
                self.byte(1);
                self.bytes(text.as_bytes());
            }
            Input::File(path) => {
                self.byte(2);
                self.bytes(path.as_os_str().as_bytes());
            }
        }
        self.text(job.user.as_ref());
        self.text(job.group.as_ref());
        self.optional(job.memory_limit_bytes, Writer::number);
        self.optional(job.timeout, Writer::duration);
        self.duration(job.kill_grace);
        self.number(job.stop_at.0 as u64);
        self.path(job.start_mark.as_ref());
        self.path(job.output.as_ref());
        self.number(job.output_limit_bytes);
        self.optional(job.places, |out, places| out.number(u64::from(places)));
    }

    pub(super) fn ended(&mut self, ended: &Ended) {
        match &ended.end {
            End::Exited(code) => {
                self.byte(0);
                self.number(*code as u64);
            }
            End::Signalled(signal) => {
                self.byte(1);
                self.number(*signal as u64);
            }
            End::NotStarted(NotStarted::Refused) => self.byte(2),
            End::NotStarted(NotStarted::LeaseOver) => self.byte(3),
            End::NotStarted(NotStarted::Withdrawn) => self.byte(4),
            End::NotStarted(NotStarted::Failed(reason)) => {
                self.byte(5);
                self.bytes(reason.as_bytes());
            }
            End::SupervisorLost(reason) => {
                self.byte(6);
                self.bytes(reason.as_bytes());
            }
            End::NotStarted(NotStarted::Unmarked) => self.byte(7),
        }
        self.optional(ended.stopped, Writer::stop);
        self.optional(ended.started_at, |out, at| out.number(at.0 as u64));
        self.duration(ended.duration);
        self.duration(ended.cpu);
        self.number(ended.peak_memory_bytes);
        self.number(ended.output.bytes);
        self.byte(u8::from(ended.output.truncated));
        self.text(ended.output.note.as_ref());
        self.bytes(&ended.output.head);
        self.bytes(&ended.output.tail);
    }
}

/// Takes values off the front of bytes; none where they are not there.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader(bytes)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(front)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    pub(super) fn instant(&mut self) -> Option<BootTime> {
        self.number().map(|micros| BootTime(micros as i64))
    }

    pub(super) fn token(&mut self) -> Option<Token> {
        Some(Token(u128::from_le_bytes(self.take(16)?.try_into().ok()?)))
    }

    fn bytes(&mut self) -> Option<Vec<u8>> {
        let length = usize::try_from(self.number()?).ok()?;
        self.take(length).map(<[u8]>::to_vec)
    }

    fn string(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?).ok()
    }

    fn path_bytes(&mut self) -> Option<PathBuf> {
        self.bytes().map(|bytes| PathBuf::from(OsString::from_vec(bytes)))
    }

    fn duration(&mut self) -> Option<Duration> {
        let seconds = self.number()?;
        let nanos = u32::try_from(self.number()?).ok().filter(|nanos| *nanos < 1_000_000_000)?;
        Some(Duration::new(seconds, nanos))
    }

    fn optional<T>(&mut self, get: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.byte()? {
            0 => Some(None),
            1 => get(self).map(Some),
            _ => None,
        }
    }

    pub(super) fn stop(&mut self) -> Option<Stop> {
        [Stop::TimedOut, Stop::LeaseOver, Stop::Interrupted, Stop::Cancelled].get(usize::from(self.byte()?)).copied()
    }

    pub(super) fn job(&mut self) -> Option<Job> {
        Some(Job {
            token: self.token()?,
            program: match self.byte()? {
                0 => Program::Argv((0..self.number()?).map(|_| self.string()).collect::<Option<_>>()?),
                1 => Program::Shell(self.string()?),
                _ => return None,
            },
            cwd: self.optional(Reader::path_bytes)?,
            env: (0..self.number()?)
                .map(|_| Some((OsString::from_vec(self.bytes()?), OsString::from_vec(self.bytes()?))))
                .collect::<Option<_>>()?,
            stdin: match self.byte()? {
                0 => Input::Null,
                1 => Input::Text(self.string()?),
                2 => Input::File(self.path_bytes()?),
                _ => return None,
            },
            user: self.optional(Reader::string)?,
            group: self.optional(Reader::string)?,
            memory_limit_bytes: self.optional(Reader::number)?,
            timeout: self.optional(Reader::duration)?,
            kill_grace: self.duration()?,
            stop_at: self.instant()?,
            start_mark: self.optional(Reader::path_bytes)?,
            output: self.optional(Reader::path_bytes)?,
            output_limit_bytes: self.number()?,
            places: self.optional(|input| u32::try_from(input.number()?).ok())?,
            around: None,
        })
    }

    pub(super) fn ended(&mut self) -> Option<Ended> {
        Some(Ended {
            end: match self.byte()? {
                0 => End::Exited(self.number()? as i32),
                1 => End::Signalled(self.number()? as i32),
                2 => End::NotStarted(NotStarted::Refused),
                3 => End::NotStarted(NotStarted::LeaseOver),
                4 => End::NotStarted(NotStarted::Withdrawn),
                5 => End::NotStarted(NotStarted::Failed(self.string()?)),
                6 => End::SupervisorLost(self.string()?),
                7 => End::NotStarted(NotStarted::Unmarked),
                _ => return None,
            },
            stopped: self.optional(Reader::stop)?,
            started_at: self.optional(Reader::instant)?,
            duration: self.duration()?,
            cpu: self.duration()?,
            peak_memory_bytes: self.number()?,
            output: Output {
                bytes: self.number()?,
                truncated: self.byte()? == 1,
                note: self.optional(Reader::string)?,
                head: self.bytes()?,
                tail: self.bytes()?,
                told: Told::default(),
            },
        })
    }
}
