//! What the threads of a proxy share: which faults are asked for, what has passed, and which bytes may.

use std::collections::BTreeMap;
use std::net::{Shutdown, TcpStream};
use std::ops::Sub;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// How long a test waits for figures that never come, before it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server: requests.
    ToServer,
    /// From the server to the client: replies.
    ToClient,
}

/// Figures over all connections of a proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Connections taken.
    pub connections: u64,
    /// Of these, how many at least one side has not closed yet.
    pub open: u64,
    /// Connections that the proxy has cut, or that a side has reset.
    pub cut: u64,
    /// How often a client began to speak: first, or after the server had spoken. Requests sent at one go are one.
    pub round_trips: u64,
    /// Bytes passed on to the server.
    pub to_server: u64,
    /// Bytes passed on to clients.
    pub to_client: u64,
    /// Bytes that wait for a `release`, as far as the proxy has read them.
    pub held: u64,
}

/// What has come to pass between two looks. `open` and `held` are states: they are those of the later look.
impl Sub for Traffic {
    type Output = Traffic;

    fn sub(self, earlier: Traffic) -> Traffic {
        Traffic {
            connections: self.connections - earlier.connections,
            cut: self.cut - earlier.cut,
            round_trips: self.round_trips - earlier.round_trips,
            to_server: self.to_server - earlier.to_server,
            to_client: self.to_client - earlier.to_client,
            ..self
        }
    }
}

/// What a test asks for. Arrays are by direction.
#[derive(Default)]
pub(super) struct Wishes {
    pub cut_after: [Option<u64>; 2],
    pub marker: Option<Vec<u8>>,
    pub held: [bool; 2],
    pub refuses: bool,
}

/// How much of what was read may pass.
pub(super) enum Pass {
    Whole,
    /// This many bytes, then the connection is cut.
    ThenCut(usize),
}

struct Connection {
    client: TcpStream,
    server: TcpStream,
    last: Option<Direction>,
    /// The end of what went to the server: a marker may come in pieces.
    tail: Vec<u8>,
    reply: Reply,
    is_cut: bool,
    ended: [bool; 2],
}

/// Whether the next reply is swallowed.
#[derive(PartialEq)]
enum Reply {
    Passes,
    /// The marker is being passed on: replies wait until it is.
    Undecided,
    Dropped,
}

#[derive(Default)]
struct State {
    wishes: Wishes,
    traffic: Traffic,
    connections: BTreeMap<u64, Connection>,
    is_closed: bool,
}

impl State {
    fn connection(&mut self, id: u64) -> &mut Connection {
        self.connections.get_mut(&id).expect("a connection is kept while it has threads")
    }

    fn is_held(&self, id: u64, direction: Direction) -> bool {
        let connection = &self.connections[&id];
        let waits = self.wishes.held[direction as usize]
            || (direction == Direction::ToClient && connection.reply == Reply::Undecided);
        waits && !connection.is_cut && !self.is_closed
    }

    fn count(&mut self, id: u64, direction: Direction, bytes: u64) {
        if bytes == 0 {
            return;
        }
        let is_turn = self.connection(id).last.replace(direction) != Some(direction);
        match direction {
            Direction::ToServer => {
                self.traffic.to_server += bytes;
                self.traffic.round_trips += u64::from(is_turn);
            }
            Direction::ToClient => self.traffic.to_client += bytes,
        }
    }

    /// Marks it as cut: from here on nothing of it passes but what was admitted.
    fn mark_cut(&mut self, id: u64) {
        let connection = self.connection(id);
        if !connection.is_cut {
            connection.is_cut = true;
            self.traffic.cut += 1;
        }
    }

    fn cut(&mut self, id: u64) {
        self.mark_cut(id);
        let connection = self.connection(id);
        // Nothing can be done about a stream that is gone already.
        let _ = connection.client.shutdown(Shutdown::Write);
        let _ = connection.server.shutdown(Shutdown::Write);
    }

    fn look_for_marker(&mut self, id: u64, bytes: &[u8]) {
        let Some(marker) = self.wishes.marker.clone() else { return };
        let connection = self.connection(id);
        connection.tail.extend_from_slice(bytes);
        if connection.tail.windows(marker.len()).any(|window| window == marker) {
            connection.reply = Reply::Undecided;
            connection.tail.clear();
            self.wishes.marker = None;
        } else {
            let superfluous = connection.tail.len().saturating_sub(marker.len() - 1);
            connection.tail.drain(..superfluous);
        }
    }
}

#[derive(Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread of the proxy panics")
    }

    pub fn traffic(&self) -> Traffic {
        self.lock().traffic
    }

    pub fn refuses(&self) -> bool {
        self.lock().wishes.refuses
    }

    pub fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    pub fn change(&self, change: impl FnOnce(&mut Wishes)) {
        let mut state = self.lock();
        let had_marker = state.wishes.marker.clone();
        change(&mut state.wishes);
        if state.wishes.marker != had_marker {
            state.connections.values_mut().for_each(|connection| connection.tail.clear());
        }
        self.changed.notify_all();
    }

    pub fn wait_until(&self, wished: impl Fn(&Traffic) -> bool) -> Traffic {
        let waited = self.changed.wait_timeout_while(self.lock(), PATIENCE, |state| !wished(&state.traffic));
        let (state, outcome) = waited.expect("no thread of the proxy panics");
        let traffic = state.traffic;
        drop(state);
        assert!(!outcome.timed_out(), "waited in vain: {traffic:?}");
        traffic
    }

    /// A new connection, and its number.
    pub fn open(&self, client: TcpStream, server: TcpStream) -> u64 {
        let mut state = self.lock();
        let id = state.traffic.connections;
        state.traffic.connections += 1;
        state.traffic.open += 1;
        let reply = Reply::Passes;
        let connection =
            Connection { client, server, last: None, tail: Vec::new(), reply, is_cut: false, ended: [false; 2] };
        state.connections.insert(id, connection);
        if state.is_closed {
            state.cut(id);
        }
        self.changed.notify_all();
        id
    }

    /// Decides on what was read, and counts what passes; waits as long as it is held.
    pub fn admit(&self, id: u64, direction: Direction, bytes: &[u8]) -> Pass {
        let mut state = self.lock();
        if state.is_held(id, direction) {
            state.traffic.held += bytes.len() as u64;
            self.changed.notify_all();
            state = self
                .changed
                .wait_while(state, |state| state.is_held(id, direction))
                .expect("no thread of the proxy panics");
            state.traffic.held -= bytes.len() as u64;
        }
        let passes = self.decide(&mut state, id, direction, bytes);
        self.changed.notify_all();
        passes
    }

    fn decide(&self, state: &mut State, id: u64, direction: Direction, bytes: &[u8]) -> Pass {
        let is_dropped = direction == Direction::ToClient && state.connection(id).reply == Reply::Dropped;
        if state.connection(id).is_cut || is_dropped {
            state.mark_cut(id);
            return Pass::ThenCut(0);
        }
        let length = bytes.len() as u64;
        match state.wishes.cut_after[direction as usize] {
            Some(left) if left <= length => {
                state.wishes.cut_after[direction as usize] = None;
                state.count(id, direction, left);
                state.mark_cut(id);
                return Pass::ThenCut(usize::try_from(left).expect("no more than was read"));
            }
            Some(left) => state.wishes.cut_after[direction as usize] = Some(left - length),
            None => {}
        }
        if direction == Direction::ToServer {
            state.look_for_marker(id, bytes);
        }
        state.count(id, direction, length);
        Pass::Whole
    }

    /// What was admitted has been written.
    pub fn passed(&self, id: u64, direction: Direction) {
        let mut state = self.lock();
        let connection = state.connection(id);
        if direction == Direction::ToServer && connection.reply == Reply::Undecided {
            connection.reply = Reply::Dropped;
            self.changed.notify_all();
        }
    }

    pub fn wait_while_held(&self, id: u64, direction: Direction) {
        drop(self.changed.wait_while(self.lock(), |state| state.is_held(id, direction)));
    }

    pub fn cut(&self, id: u64) {
        self.lock().cut(id);
        self.changed.notify_all();
    }

    pub fn cut_all(&self) {
        let mut state = self.lock();
        let open: Vec<u64> = state.connections.keys().copied().collect();
        open.into_iter().for_each(|id| state.cut(id));
        self.changed.notify_all();
    }

    /// One direction of it is over; after the second one it is closed.
    pub fn ended(&self, id: u64, direction: Direction) {
        let mut state = self.lock();
        let connection = state.connection(id);
        connection.ended[direction as usize] = true;
        if connection.ended == [true, true] {
            state.connections.remove(&id);
            state.traffic.open -= 1;
        }
        self.changed.notify_all();
    }

    /// Ends everything, readers too.
    pub fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        for connection in state.connections.values() {
            let _ = connection.client.shutdown(Shutdown::Both);
            let _ = connection.server.shutdown(Shutdown::Both);
        }
        self.changed.notify_all();
    }
}
