//! A server that really speaks HTTP on a free port of this host, and misbehaves as it is told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What is done with a request.
#[derive(Clone, Debug)]
pub enum Manner {
    /// Answers with a status, further header lines and a body.
    Answer(u16, &'static str, String),
    /// Reads the request and says nothing.
    BlackHole,
    /// Never takes the connection's bytes.
    Deaf,
    /// Answers one byte at a time and never ends.
    Drip,
    /// Cuts the connection before an answer.
    Cut,
    /// Cuts it in the middle of the body, the status being said.
    CutLate(u16),
    /// Says what is no HTTP.
    Babble,
}

impl Manner {
    pub fn status(status: u16) -> Manner {
        Manner::Answer(status, "", String::new())
    }
}

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// The server; it lives until the test program ends.
pub struct Server {
    pub port: u16,
    manner: Arc<Mutex<Manner>>,
    requests: Receiver<Request>,
}

impl Server {
    pub fn start(manner: Manner) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (send, requests) = channel();
        let manner = Arc::new(Mutex::new(manner));
        let for_all = manner.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let (manner, send) = (for_all.lock().unwrap().clone(), send.clone());
                std::thread::spawn(move || serve(connection.unwrap(), &manner, &send));
            }
        });
        Server { port, manner, requests }
    }

    /// From now on connections are met so.
    #[allow(dead_code, reason = "not every program that has a server changes its mind")]
    pub fn behave(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    /// Waits for a request.
    #[allow(dead_code, reason = "as above")]
    pub fn wait(&self) -> Request {
        self.requests.recv_timeout(LONG).unwrap()
    }

    /// What came so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.try_iter().collect()
    }

    /// The one request that came.
    pub fn request(&self) -> Request {
        let mut all = self.requests();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }
}

/// How long a server that misbehaves goes on; longer than any test waits.
const LONG: Duration = Duration::from_secs(60);

fn serve(mut connection: TcpStream, manner: &Manner, send: &Sender<Request>) {
    if matches!(manner, Manner::Deaf) {
        std::thread::park_timeout(LONG);
        return;
    }
    let Some(request) = read(&connection) else { return };
    let _ = send.send(request);
    let said = match manner {
        Manner::Answer(status, headers, body) => {
            format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
        }
        Manner::CutLate(status) => format!("HTTP/1.1 {status} X\r\nContent-Length: 100\r\n\r\nshort"),
        Manner::Babble => "220 mail.example ESMTP\r\n".into(),
        Manner::Drip => {
            for byte in b"HTTP/1.1 200 OK\r\nX: ".iter().chain(std::iter::repeat_n(&b'x', 6_000)) {
                if connection.write_all(&[*byte]).is_err() {
                    return;
                }
                std::thread::park_timeout(Duration::from_millis(10));
            }
            return;
        }
        Manner::BlackHole => {
            std::thread::park_timeout(LONG);
            return;
        }
        Manner::Cut | Manner::Deaf => return,
    };
    let _ = connection.write_all(said.as_bytes());
}

fn read(connection: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(connection);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        match header.trim_end().split_once(": ") {
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.to_owned())),
            None => break,
        }
    }
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { line: line.trim_end().into(), headers, body: String::from_utf8(body).ok()? })
}
