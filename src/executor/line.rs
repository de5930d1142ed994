//! The supervisor's end of the socket to the tick: whole frames in, whole frames out, never blocking.
//!
//! What the frames mean is for `wire`. Writing to a tick that does not read (it may be frozen) is kept back in memory: at
//! most one report per job.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::wire::{Report, Request, take_frames};

/// A nonblocking connection to the tick.
pub(super) struct Line {
    socket: UnixStream,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
}

impl Line {
    /// # Errors
    /// If the descriptor is no socket that can be made nonblocking.
    pub(super) fn new(socket: UnixStream) -> io::Result<Line> {
        socket.set_nonblocking(true)?;
        Ok(Line { socket, incoming: Vec::new(), outgoing: Vec::new() })
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// What to wait for on the descriptor.
    pub(super) fn interest(&self) -> PollFlags {
        if self.outgoing.is_empty() { PollFlags::POLLIN } else { PollFlags::POLLIN | PollFlags::POLLOUT }
    }

    /// Whether the tick still has its end open. A dead tick's last words may still be readable.
    pub(super) fn is_up(&self) -> bool {
        let mut fds = [PollFd::new(self.socket.as_fd(), PollFlags::empty())];
        poll(&mut fds, PollTimeout::ZERO).is_ok()
            && !fds[0].revents().is_some_and(|got| got.intersects(PollFlags::POLLHUP | PollFlags::POLLERR))
    }

    /// Reads what has come; `Err` when the tick has closed its end or talks nonsense.
    pub(super) fn receive(&mut self, chunk: &mut [u8]) -> Result<Vec<Request>, Gone> {
        let mut open = true;
        while open {
            match self.socket.read(chunk) {
                Ok(0) => open = false,
                Ok(length) => self.incoming.extend_from_slice(&chunk[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => open = false,
            }
        }
        let mut requests = Vec::new();
        for inside in take_frames(&mut self.incoming) {
            requests.push(Request::parse(&inside).ok_or(Gone)?);
        }
        let closing = requests.contains(&Request::Close);
        if open || closing { Ok(requests) } else { Err(Gone) }
    }

    /// Queues a report; `flush` sends it.
    pub(super) fn send(&mut self, report: &Report) {
        self.outgoing.extend(report.frame());
    }

    /// Writes as much as the socket takes.
    pub(super) fn flush(&mut self) {
        while !self.outgoing.is_empty() {
            match self.socket.write(&self.outgoing) {
                Ok(length) => drop(self.outgoing.drain(..length)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // Nobody reads any more: the next `receive` says so.
                Err(_) => return self.outgoing.clear(),
            }
        }
    }

    /// Whether all reports were handed over.
    pub(super) fn is_flushed(&self) -> bool {
        self.outgoing.is_empty()
    }
}

/// The tick is not there any more.
#[derive(Debug)]
pub(super) struct Gone;
