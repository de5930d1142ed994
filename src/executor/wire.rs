//! Puts jobs and their ends into bytes and back, for the socket between tick and supervisor.
//!
//! Both ends are the same program file, so the layout has no version: fields in order, numbers little-endian, a length
//! before everything that varies. A frame is a length of four bytes and that many bytes.
//!
//! Holds always: bytes that are no message give `None`, never a panic.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::Duration;

use super::{End, Ended, Input, Job, NotStarted, Output, Program, Stop};
use crate::clock::BootTime;
use crate::occurrence::Token;

/// What the tick asks of the supervisor.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Start this job.
    Start(Box<Job>),
    /// The lease was renewed.
    Extend(Token, BootTime),
    /// End this body.
    Stop(Token, Stop),
    /// End all bodies at once.
    KillAll,
    /// End when the last body has ended.
    Close,
}

/// What the supervisor tells the tick: this job has ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) token: Token,
    pub(super) ended: Ended,
}

impl Request {
    /// The request as one frame.
    pub(super) fn frame(&self) -> Vec<u8> {
        let mut out = Writer::frame();
        match self {
            Request::Start(job) => {
                out.byte(0);
                out.job(job);
            }
            Request::Extend(token, stop_at) => {
                out.byte(1);
                out.token(*token);
                out.number(stop_at.0 as u64);
            }
            Request::Stop(token, why) => {
                out.byte(2);
                out.token(*token);
                out.byte(stop_code(*why));
            }
            Request::KillAll => out.byte(3),
            Request::Close => out.byte(4),
        }
        out.finish()
    }

    /// Reads the inside of a frame.
    pub(super) fn parse(bytes: &[u8]) -> Option<Request> {
        let mut input = Reader(bytes);
        Some(match input.byte()? {
            0 => Request::Start(Box::new(input.job()?)),
            1 => Request::Extend(input.token()?, input.instant()?),
            2 => Request::Stop(input.token()?, input.stop()?),
            3 => Request::KillAll,
            4 => Request::Close,
            _ => return None,
        })
    }
}

impl Report {
    /// The report as one frame.
    pub(super) fn frame(&self) -> Vec<u8> {
        let mut out = Writer::frame();
        out.token(self.token);
        out.ended(&self.ended);
        out.finish()
    }

    /// Reads the inside of a frame.
    pub(super) fn parse(bytes: &[u8]) -> Option<Report> {
        let mut input = Reader(bytes);
        Some(Report { token: input.token()?, ended: input.ended()? })
    }
}

/// Takes the whole frames off the front of `buffer` and returns their insides.
pub(super) fn take_frames(buffer: &mut Vec<u8>) -> Vec<Vec<u8>> {
    let (mut frames, mut rest) = (Vec::new(), &buffer[..]);
    while let Some((length, after)) = rest.split_first_chunk::<4>()
        && let Some((inside, next)) = after.split_at_checked(u32::from_le_bytes(*length) as usize)
    {
        frames.push(inside.to_vec());
        rest = next;
    }
    let taken = buffer.len() - rest.len();
    buffer.drain(..taken);
    frames
}

fn stop_code(why: Stop) -> u8 {
    match why {
        Stop::TimedOut => 0,
        Stop::LeaseOver => 1,
        Stop::Interrupted => 2,
        Stop::Cancelled => 3,
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn frame() -> Writer {
        Writer(vec![0; 4])
    }

    fn finish(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len() - 4).unwrap_or(u32::MAX);
        self.0[..4].copy_from_slice(&length.to_le_bytes());
        self.0
    }

    fn byte(&mut self, value: u8) {
        self.0.push(value);
    }

    fn number(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn token(&mut self, token: Token) {
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

    fn job(&mut self, job: &Job) {
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
    }

    fn ended(&mut self, ended: &Ended) {
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
            End::NotStarted(NotStarted::Failed(reason)) => {
                self.byte(4);
                self.bytes(reason.as_bytes());
            }
            End::SupervisorLost(reason) => {
                self.byte(5);
                self.bytes(reason.as_bytes());
            }
        }
        self.optional(ended.stopped, |out, why| out.byte(stop_code(why)));
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

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(front)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn number(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn instant(&mut self) -> Option<BootTime> {
        self.number().map(|micros| BootTime(micros as i64))
    }

    fn token(&mut self) -> Option<Token> {
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

    fn stop(&mut self) -> Option<Stop> {
        [Stop::TimedOut, Stop::LeaseOver, Stop::Interrupted, Stop::Cancelled].get(usize::from(self.byte()?)).copied()
    }

    fn job(&mut self) -> Option<Job> {
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
        })
    }

    fn ended(&mut self) -> Option<Ended> {
        Some(Ended {
            end: match self.byte()? {
                0 => End::Exited(self.number()? as i32),
                1 => End::Signalled(self.number()? as i32),
                2 => End::NotStarted(NotStarted::Refused),
                3 => End::NotStarted(NotStarted::LeaseOver),
                4 => End::NotStarted(NotStarted::Failed(self.string()?)),
                5 => End::SupervisorLost(self.string()?),
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
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Job {
        Job {
            token: Token(u128::MAX - 5),
            program: Program::Argv(vec!["a".into(), "ü\u{0}".into(), String::new()]),
            cwd: Some(OsString::from_vec(vec![b'/', 0xff]).into()),
            env: vec![("A".into(), OsString::from_vec(vec![0xfe; 200_000]))],
            stdin: Input::Text("x".repeat(300_000)),
            user: Some("nobody".into()),
            group: None,
            memory_limit_bytes: Some(1),
            timeout: Some(Duration::new(3, 999_999_999)),
            kill_grace: Duration::ZERO,
            stop_at: BootTime(-1),
            start_mark: None,
            output: Some("o".into()),
            output_limit_bytes: u64::MAX,
        }
    }

    fn ended() -> Ended {
        Ended {
            end: End::Signalled(9),
            stopped: Some(Stop::Cancelled),
            started_at: Some(BootTime(i64::MAX)),
            duration: Duration::from_micros(1),
            cpu: Duration::MAX,
            peak_memory_bytes: 7,
            output: Output { bytes: 9, truncated: true, note: Some("n".into()), head: vec![0, 255], tail: vec![] },
        }
    }

    #[test]
    fn messages_come_back_as_they_went() {
        let requests = [
            Request::Start(Box::new(job())),
            Request::Extend(Token(1), BootTime(-2)),
            Request::Stop(Token(0), Stop::Interrupted),
            Request::KillAll,
            Request::Close,
        ];
        let mut buffer = requests.iter().flat_map(Request::frame).collect::<Vec<_>>();
        buffer.push(0);
        let parsed = take_frames(&mut buffer).iter().map(|inside| Request::parse(inside)).collect::<Option<Vec<_>>>();
        assert_eq!(parsed.as_deref(), Some(&requests[..]));
        assert_eq!(buffer, [0]);
        for end in [
            End::Exited(255),
            End::NotStarted(NotStarted::Refused),
            End::NotStarted(NotStarted::LeaseOver),
            End::NotStarted(NotStarted::Failed("`x` was not found".into())),
            End::SupervisorLost("gone".into()),
        ] {
            let report = Report { token: Token(3), ended: Ended { end, ..ended() } };
            assert_eq!(Report::parse(&report.frame()[4..]), Some(report));
        }
    }

    #[test]
    fn a_message_cut_short_anywhere_is_no_message() {
        let mut small = job();
        small.env.truncate(0);
        small.stdin = Input::Null;
        for whole in [Request::Start(Box::new(small)).frame(), Report { token: Token(3), ended: ended() }.frame()] {
            for length in 4..whole.len() {
                assert_eq!(Request::parse(&whole[4..length]).filter(|_| whole[4] == 0), None, "{length}");
                assert_eq!(Report::parse(&whole[4..length]).filter(|_| whole[4] != 0), None, "{length}");
                assert!(take_frames(&mut whole[..length].to_vec()).is_empty());
            }
        }
    }
}
