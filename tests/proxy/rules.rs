//! What the proxy promises, tried on a tiny server that sends each line back.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::proxy::{Direction, Proxy};

/// Every rule, by its name.
pub const CASES: &[(&str, fn())] = &[
    ("bytes_pass_and_are_counted", bytes_pass_and_are_counted),
    ("a_round_trip_is_a_client_that_begins_to_speak", a_round_trip_is_a_client_that_begins_to_speak),
    ("a_request_can_be_cut_at_every_byte", a_request_can_be_cut_at_every_byte),
    ("a_reply_can_be_cut_at_every_byte", a_reply_can_be_cut_at_every_byte),
    ("a_cut_counts_over_all_connections_and_hits_one", a_cut_counts_over_all_connections_and_hits_one),
    ("a_reply_is_dropped_whatever_the_pieces_of_the_marker", a_reply_is_dropped_whatever_the_pieces_of_the_marker),
    ("what_is_taken_back_does_not_come_to_pass", what_is_taken_back_does_not_come_to_pass),
    ("what_is_held_waits_for_the_release", what_is_held_waits_for_the_release),
    ("what_is_held_is_lost_when_it_is_cut", what_is_held_is_lost_when_it_is_cut),
    ("who_is_refused_sees_an_end_and_others_go_on", who_is_refused_sees_an_end_and_others_go_on),
    ("an_end_is_passed_on_both_ways", an_end_is_passed_on_both_ways),
    ("a_proxy_that_is_dropped_ends_everything", a_proxy_that_is_dropped_ends_everything),
    ("a_url_gets_another_host_and_port", a_url_gets_another_host_and_port),
];

/// Greets, then sends back each line that is whole; remembers what came, by connection.
struct LineServer {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl LineServer {
    fn start(greeting: &'static str) -> LineServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&received);
        thread::spawn(move || {
            for (index, stream) in listener.incoming().enumerate() {
                all.lock().unwrap().push(Vec::new());
                let (stream, all) = (stream.unwrap(), Arc::clone(&all));
                thread::spawn(move || serve(stream, greeting, |bytes| all.lock().unwrap()[index].extend(bytes)));
            }
        });
        LineServer { address, received }
    }

    fn proxy(&self) -> Proxy {
        Proxy::to(self.address).unwrap()
    }

    fn received(&self, connection: usize) -> String {
        String::from_utf8(self.received.lock().unwrap()[connection].clone()).unwrap()
    }
}

fn serve(mut stream: TcpStream, greeting: &str, remember: impl Fn(&[u8])) {
    let mut line = Vec::new();
    let mut buffer = [0; 1024];
    let _ = stream.write_all(greeting.as_bytes());
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        remember(&buffer[..count]);
        line.extend_from_slice(&buffer[..count]);
        while let Some(end) = line.iter().position(|byte| *byte == b'\n') {
            let whole: Vec<u8> = line.drain(..=end).collect();
            let _ = stream.write_all(&whole);
        }
    }
}

struct Client(TcpStream);

impl Client {
    fn of(proxy: &Proxy) -> Client {
        let stream = TcpStream::connect(proxy.address()).unwrap();
        // A byte that never comes fails the test, which would wait for it for ever.
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Client(stream)
    }

    fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).unwrap();
    }

    fn read(&mut self, bytes: usize) -> String {
        let mut buffer = vec![0; bytes];
        self.0.read_exact(&mut buffer).unwrap();
        String::from_utf8(buffer).unwrap()
    }

    fn ask(&mut self, line: &str) {
        self.send(line);
        assert_eq!(self.read(line.len()), line);
    }

    /// All that comes until the end.
    fn rest(mut self) -> String {
        let mut text = String::new();
        self.0.read_to_string(&mut text).unwrap();
        text
    }

    /// Nothing has come, and no end.
    fn has_nothing(&mut self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        let found = self.0.read(&mut [0]);
        self.0.set_nonblocking(false).unwrap();
        matches!(found, Err(error) if error.kind() == ErrorKind::WouldBlock)
    }
}

fn bytes_pass_and_are_counted() {
    let (server, long) = (LineServer::start(""), "x".repeat(100_000) + "\n");
    let proxy = server.proxy();
    let mut client = Client::of(&proxy);
    client.ask("hello\n");
    let traffic = proxy.traffic();
    assert_eq!((traffic.connections, traffic.open, traffic.cut), (1, 1, 0));
    assert_eq!((traffic.round_trips, traffic.to_server, traffic.to_client), (1, 6, 6));
    client.ask(&long);
    let later = proxy.traffic() - traffic;
    assert_eq!((later.connections, later.to_server, later.to_client), (0, 100_001, 100_001));
    assert_eq!(server.received(0), format!("hello\n{long}"));
}

fn a_round_trip_is_a_client_that_begins_to_speak() {
    #[rustfmt::skip]
    let rows: [(&str, &[&[&str]], u64); 6] = [
        // greeting  what each connection sends, reply by reply   round trips
        ("",         &[],                                         0),
        ("",         &[&["a\n"]],                                 1),
        ("welcome",  &[&["a\n"]],                                 1),
        ("",         &[&["a\n", "b\n", "c\n"]],                   3),
        ("",         &[&["a\nb\nc\n"]],                           1),
        ("welcome",  &[&["a\n", "b\n"], &["c\n"]],                3),
    ];
    for (greeting, connections, expected) in rows {
        let server = LineServer::start(greeting);
        let proxy = server.proxy();
        for lines in connections {
            let mut client = Client::of(&proxy);
            client.read(greeting.len());
            lines.iter().for_each(|line| client.ask(line));
        }
        assert_eq!(proxy.traffic().round_trips, expected, "{greeting:?} {connections:?}");
    }
    let server = LineServer::start("");
    let proxy = server.proxy();
    let mut client = Client::of(&proxy);
    client.send("in two ");
    proxy.wait_until(|traffic| traffic.to_server == 7);
    client.send("pieces\n");
    assert_eq!(client.read(14), "in two pieces\n");
    assert_eq!(proxy.traffic().round_trips, 1);
}

fn a_request_can_be_cut_at_every_byte() {
    let server = LineServer::start("");
    let proxy = server.proxy();
    let request = "BEGIN; COMMIT\n";
    for bytes in 0..=request.len() {
        let before = proxy.traffic();
        proxy.cut_after(Direction::ToServer, bytes as u64);
        let mut client = Client::of(&proxy);
        client.send(request);
        assert_eq!(client.rest(), "", "{bytes}");
        let passed = proxy.wait_until(|traffic| traffic.open == 0) - before;
        assert_eq!(server.received(bytes), request[..bytes]);
        assert_eq!((passed.cut, passed.to_server, passed.to_client), (1, bytes as u64, 0));
    }
    Client::of(&proxy).ask("all is well again\n");
}

fn a_reply_can_be_cut_at_every_byte() {
    let server = LineServer::start("");
    let proxy = server.proxy();
    let request = "BEGIN; COMMIT\n";
    for bytes in 0..=request.len() {
        let before = proxy.traffic();
        proxy.cut_after(Direction::ToClient, bytes as u64);
        let mut client = Client::of(&proxy);
        client.send(request);
        assert_eq!(client.rest(), request[..bytes]);
        let passed = proxy.wait_until(|traffic| traffic.open == 0) - before;
        assert_eq!(server.received(bytes), request);
        assert_eq!((passed.cut, passed.to_client), (1, bytes as u64));
    }
    Client::of(&proxy).ask("all is well again\n");
}

fn a_cut_counts_over_all_connections_and_hits_one() {
    let server = LineServer::start("");
    let proxy = server.proxy();
    let (mut one, mut two) = (Client::of(&proxy), Client::of(&proxy));
    one.ask("before it is asked for\n");
    proxy.cut_after(Direction::ToServer, 6);
    one.ask("abc\n");
    two.send("defg\n");
    assert_eq!(two.rest(), "");
    proxy.wait_until(|traffic| traffic.open == 1);
    one.ask("goes on\n");
    assert_eq!(proxy.traffic().cut, 1);
    let mut received = [server.received(0), server.received(1)];
    received.sort();
    assert_eq!(received, ["before it is asked for\nabc\ngoes on\n", "de"]);
}

fn a_reply_is_dropped_whatever_the_pieces_of_the_marker() {
    for pieces in
        [&["COMMIT\n"][..], &["COM", "MIT\n"], &["C", "O", "M", "M", "I", "T", "\n"], &["COMCOMMIT", " x", "\n"]]
    {
        let server = LineServer::start("");
        let proxy = server.proxy();
        let mut client = Client::of(&proxy);
        client.ask("COMMIT before it is asked for, COM\n");
        proxy.drop_reply_after(b"COMMIT");
        client.ask("MIT: not one word\n");
        let before = proxy.traffic();
        let mut sent = 0;
        for piece in pieces {
            client.send(piece);
            sent += piece.len() as u64;
            proxy.wait_until(|traffic| traffic.to_server - before.to_server == sent);
        }
        assert_eq!(client.rest(), "", "{pieces:?}");
        let passed = proxy.wait_until(|traffic| traffic.open == 0) - before;
        assert!(server.received(0).ends_with(&pieces.concat()), "{pieces:?}");
        assert_eq!((passed.cut, passed.to_client), (1, 0), "{pieces:?}");
        Client::of(&proxy).ask("COMMIT\n");
    }
}

fn what_is_taken_back_does_not_come_to_pass() {
    let server = LineServer::start("");
    let proxy = server.proxy();
    proxy.cut_after(Direction::ToServer, 3);
    proxy.cut_after(Direction::ToClient, 3);
    proxy.drop_reply_after(b"COMMIT");
    proxy.disarm();
    let mut client = Client::of(&proxy);
    client.ask("COMMIT\n");
    proxy.drop_reply_after(b"COMMIT");
    client.send("COM");
    proxy.wait_until(|traffic| traffic.to_server == 10);
    proxy.disarm();
    proxy.drop_reply_after(b"COMMIT");
    client.send("MIT\n");
    assert_eq!(client.read(7), "COMMIT\n");
    assert_eq!(proxy.traffic().cut, 0);
}

fn what_is_held_waits_for_the_release() {
    for (direction, arrives) in [(Direction::ToServer, ""), (Direction::ToClient, "question\n")] {
        let server = LineServer::start("");
        let proxy = server.proxy();
        let mut client = Client::of(&proxy);
        proxy.wait_until(|traffic| traffic.open == 1);
        proxy.hold(direction);
        client.send("question\n");
        proxy.wait_until(|traffic| traffic.held == 9);
        assert!(client.has_nothing(), "{direction:?}");
        if !arrives.is_empty() {
            assert_eq!(server.received(0), arrives);
        }
        assert_eq!(proxy.traffic().to_client, 0, "{direction:?}");
        proxy.release(direction);
        assert_eq!(client.read(9), "question\n");
        assert_eq!(proxy.traffic().held, 0);
    }
}

fn what_is_held_is_lost_when_it_is_cut() {
    let server = LineServer::start("");
    let proxy = server.proxy();
    proxy.hold(Direction::ToServer);
    let mut client = Client::of(&proxy);
    client.send("question\n");
    proxy.wait_until(|traffic| traffic.held == 9);
    proxy.cut_all();
    assert_eq!(client.rest(), "");
    let traffic = proxy.wait_until(|traffic| traffic.open == 0);
    assert_eq!((traffic.cut, traffic.to_server, traffic.held), (1, 0, 0));
    assert_eq!(server.received(0), "");
}

fn who_is_refused_sees_an_end_and_others_go_on() {
    let server = LineServer::start("");
    let proxy = server.proxy();
    let mut early = Client::of(&proxy);
    early.ask("early\n");
    proxy.refuse();
    assert_eq!(Client::of(&proxy).rest(), "");
    early.ask("goes on\n");
    proxy.accept();
    Client::of(&proxy).ask("late\n");
    assert_eq!(proxy.traffic().connections, 2);
}

fn an_end_is_passed_on_both_ways() {
    let server = LineServer::start("");
    let proxy = server.proxy();
    let mut client = Client::of(&proxy);
    client.send("a\nb");
    client.0.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.rest(), "a\n");
    assert_eq!(proxy.wait_until(|traffic| traffic.open == 0).cut, 0);
    assert_eq!(server.received(0), "a\nb");
}

fn a_proxy_that_is_dropped_ends_everything() {
    let server = LineServer::start("");
    let proxy = server.proxy();
    let mut client = Client::of(&proxy);
    client.ask("question\n");
    let address = proxy.address();
    drop(proxy);
    assert_eq!(client.rest(), "");
    assert_eq!(TcpStream::connect(address).map_err(|error| error.kind()).err(), Some(ErrorKind::ConnectionRefused));
}

fn a_url_gets_another_host_and_port() {
    let server = LineServer::start("");
    let port = server.address.port();
    for (front, rest) in [
        ("postgres://", ""),
        ("postgres://user:password@", "/database"),
        ("mysql://user:p@ss@", "?a=b@c"),
        ("postgres://user@", "/database?host=/a@b#c"),
    ] {
        let url = format!("{front}127.0.0.1:{port}{rest}");
        let proxy = Proxy::before(&url).unwrap();
        assert_eq!(proxy.url(&url), format!("{front}{}{rest}", proxy.address()));
        Client::of(&proxy).ask("question\n");
    }
    for wrong in ["", "/a/path", "postgres://", "postgres://user@/database", "postgres://user@127.0.0.1/database"] {
        assert!(Proxy::before(wrong).is_err(), "{wrong:?}");
    }
}
