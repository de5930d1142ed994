//! A proxy between a client and a server on loopback, for tests of what a network does to an exchange.
//!
//! `Proxy::before` a server's URL, then give the client `proxy.url(…)`. It passes bytes on and counts them and the round
//! trips. On request it cuts a connection after exactly so many bytes, swallows the reply to a request that the server has
//! got whole, holds a direction back until told otherwise, or takes no connections. It neither knows a protocol nor reads a
//! clock: what it does depends on the bytes alone, so a test can try each of them in turn.
//!
//! Holds always: what is passed on is counted before the other side can answer it; who is cut off gets what was passed on in
//! the direction of the cut, to the byte, and then an orderly end; a cut that is asked for comes to pass once. What crosses
//! a cut in the other direction at that moment may be lost.
//!
//! Blocking calls and threads of its own: it serves clients of any runtime. Clear text only: inside TLS there is no marker.

#![allow(dead_code, reason = "each test target takes what it needs")]

mod state;

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

pub use state::{Direction, Traffic};
use state::{Pass, Shared};

/// A listener on loopback that leads to one server. Dropped, it ends all its connections.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

impl Proxy {
    /// A proxy before the server at this address.
    ///
    /// # Errors
    /// When no port can be listened on.
    pub fn to(server: SocketAddr) -> io::Result<Proxy> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        let listening = thread::spawn(move || listen(&listener, server, &serving));
        Ok(Proxy { address, shared, listening: Some(listening) })
    }

    /// A proxy before the server of `scheme://user:password@host:port/rest`. The port has to be there.
    ///
    /// # Errors
    /// When the URL names no host and port, or the host has no address.
    pub fn before(url: &str) -> io::Result<Proxy> {
        let (_, host, _) = split(url).ok_or_else(|| io::Error::other(format!("`{url}` has no host")))?;
        let address = host.to_socket_addrs()?.next().ok_or_else(|| io::Error::other("the host has no address"))?;
        Proxy::to(address)
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same URL, with the proxy for host and port.
    ///
    /// # Panics
    /// When the URL names no host.
    pub fn url(&self, url: &str) -> String {
        let (front, _, rest) = split(url).expect("a URL with a host");
        format!("{front}{}{rest}", self.address)
    }

    /// What has passed since the proxy began, over all connections. Subtract an earlier one to measure an exchange.
    pub fn traffic(&self) -> Traffic {
        self.shared.traffic()
    }

    /// Cuts a connection once exactly this many further bytes of this direction have passed, over all connections, counted
    /// from now on. The one that carries the last of them is cut at once behind it, both ways; with 0 the one that would
    /// carry the next byte, which does not pass. Others go on. Replaces an earlier request for this direction.
    ///
    /// With the whole length of a request towards the server it gets all of it, and its reply finds nobody.
    pub fn cut_after(&self, direction: Direction, bytes: u64) {
        self.shared.change(|wishes| wishes.cut_after[direction as usize] = Some(bytes));
    }

    /// Waits for these bytes on their way to the server, on whichever connection has them first, then for the first byte of
    /// the reply: instead of passing it on, cuts that connection. The server has got the request whole, if it answers only
    /// then, and works on it; the client never hears. What the client sends on after the marker passes. Replaces an earlier
    /// request.
    ///
    /// # Panics
    /// When the marker is empty.
    pub fn drop_reply_after(&self, marker: &[u8]) {
        assert!(!marker.is_empty(), "an empty marker is everywhere");
        self.shared.change(|wishes| wishes.marker = Some(marker.to_vec()));
    }

    /// Takes back what was asked for by `cut_after` and `drop_reply_after` and has not come to pass.
    pub fn disarm(&self) {
        self.shared.change(|wishes| {
            wishes.cut_after = [None, None];
            wishes.marker = None;
        });
    }

    /// From now on nothing of this direction passes, on any connection, the end of one included: a black hole.
    pub fn hold(&self, direction: Direction) {
        self.shared.change(|wishes| wishes.held[direction as usize] = true);
    }

    /// What was held passes on, in its order.
    pub fn release(&self, direction: Direction) {
        self.shared.change(|wishes| wishes.held[direction as usize] = false);
    }

    /// From now on who connects is shown the door: the connection ends before a byte. Open ones go on.
    pub fn refuse(&self) {
        self.shared.change(|wishes| wishes.refuses = true);
    }

    /// Takes connections again.
    pub fn accept(&self) {
        self.shared.change(|wishes| wishes.refuses = false);
    }

    /// Cuts every open connection now. What is held back is lost.
    pub fn cut_all(&self) {
        self.shared.cut_all();
    }

    /// Waits until the figures are as wished, and returns them.
    ///
    /// For one that is cut, `open` falls only when both sides have closed it: then a server that closes behind its work,
    /// as databases do, has done it.
    ///
    /// # Panics
    /// When that takes more than half a minute.
    pub fn wait_until(&self, wished: impl Fn(&Traffic) -> bool) -> Traffic {
        self.shared.wait_until(wished)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.close();
        // The listener is woken by a last connection, and finds the proxy closed.
        let woken = TcpStream::connect(self.address).is_ok();
        if let Some(listening) = self.listening.take().filter(|_| woken) {
            let _ = listening.join();
        }
    }
}

/// A URL before, in and behind its host and port.
fn split(url: &str) -> Option<(&str, &str, &str)> {
    let begin = url.find("://")? + 3;
    let end = url[begin..].find(['/', '?', '#']).map_or(url.len(), |at| begin + at);
    let host = url[begin..end].rfind('@').map_or(begin, |at| begin + at + 1);
    (host < end).then(|| (&url[..host], &url[host..end], &url[end..]))
}

fn listen(listener: &TcpListener, server: SocketAddr, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        if shared.is_closed() {
            return;
        }
        if let Ok(client) = client
            && !shared.refuses()
        {
            // A client whose server is not there loses its connection.
            let _ = connect(client, server, shared);
        }
    }
}

fn connect(client: TcpStream, server: SocketAddr, shared: &Arc<Shared>) -> io::Result<()> {
    let server = TcpStream::connect(server)?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
    }
    let ends = (client.try_clone()?, server.try_clone()?);
    let connection = shared.open(client.try_clone()?, server.try_clone()?);
    for (direction, from, to) in [(Direction::ToServer, client, server), (Direction::ToClient, ends.1, ends.0)] {
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            pump(&shared, connection, direction, from, to);
            shared.ended(connection, direction);
        });
    }
    Ok(())
}

/// Passes on what comes, until it ends. Of a connection that is cut it goes on reading, so that the other side is not told
/// of a reset before it has read what it was sent.
fn pump(shared: &Shared, connection: u64, direction: Direction, mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 16 * 1024];
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // A reset: the other side hears of an end.
            Err(_) => return shared.cut(connection),
        };
        let pass = shared.admit(connection, direction, &buffer[..count]);
        let passes = match pass {
            Pass::Whole => count,
            Pass::ThenCut(bytes) => bytes,
        };
        let is_written = to.write_all(&buffer[..passes]).is_ok();
        shared.passed(connection, direction);
        if !is_written || matches!(pass, Pass::ThenCut(_)) {
            shared.cut(connection);
        }
    }
    shared.wait_while_held(connection, direction);
    let _ = to.shutdown(Shutdown::Write);
}
