//! The messages between tick and supervisor, as frames on a socket.
//!
//! A frame is a length of four bytes, little-endian, and that many bytes; how jobs and ends are laid out in them is for
//! `encoding`. Both ends are the same program file, so nothing here has a version.
//!
//! Holds always: bytes that are no message give `None`, never a panic.

use super::encoding::{Reader, Writer};
use super::{Ended, Job, Stop};
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
        let mut out = Writer::new(vec![0; 4]);
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
                out.stop(*why);
            }
            Request::KillAll => out.byte(3),
            Request::Close => out.byte(4),
        }
        finish(out)
    }

    /// Reads the inside of a frame.
    pub(super) fn parse(bytes: &[u8]) -> Option<Request> {
        let mut input = Reader::new(bytes);
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
        let mut out = Writer::new(vec![0; 4]);
        out.token(self.token);
        out.ended(&self.ended);
        finish(out)
    }

    /// Reads the inside of a frame.
    pub(super) fn parse(bytes: &[u8]) -> Option<Report> {
        let mut input = Reader::new(bytes);
        Some(Report { token: input.token()?, ended: input.ended()? })
    }
}

fn finish(out: Writer) -> Vec<u8> {
    let mut frame = out.into_bytes();
    let length = u32::try_from(frame.len() - 4).unwrap_or(u32::MAX);
    frame[..4].copy_from_slice(&length.to_le_bytes());
    frame
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

/// Whether these bytes are no message, or one that reads back as itself: the door of fuzz/.
#[cfg(fuzzing)]
pub fn reads_back(bytes: &[u8]) -> bool {
    let mut rest = bytes.to_vec();
    let insides = take_frames(&mut rest);
    let framed = |inside: &[u8]| [&(inside.len() as u32).to_le_bytes(), inside].concat();
    let whole = insides.iter().flat_map(|inside| framed(inside)).chain(rest).eq(bytes.iter().copied());
    let alone = |frame: Vec<u8>| take_frames(&mut frame.clone()).pop();
    whole
        && insides.iter().map(Vec::as_slice).chain([bytes]).all(|inside| {
            let request = Request::parse(inside).is_none_or(|request| {
                alone(request.frame()).and_then(|inside| Request::parse(&inside)) == Some(request)
            });
            let report = Report::parse(inside)
                .is_none_or(|report| alone(report.frame()).and_then(|inside| Report::parse(&inside)) == Some(report));
            request && report
        })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    use std::time::Duration;

    use super::*;
    use crate::executor::{End, Input, NotStarted, Output, Program};

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
            places: Some(2),
            around: None,
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
            output: Output {
                bytes: 9,
                truncated: true,
                note: Some("n".into()),
                head: vec![0, 255],
                ..Output::default()
            },
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
            End::NotStarted(NotStarted::Withdrawn),
            End::NotStarted(NotStarted::Unmarked),
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
