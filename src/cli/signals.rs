//! Turns signals into the wish to stop, and does what the first process of a container must.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::tick::StopWish;

/// A wish that follows SIGTERM, SIGINT and SIGHUP: the first one stops with grace, the second at once.
pub fn heeded() -> watch::Receiver<StopWish> {
    let (sender, receiver) = watch::channel(StopWish::None);
    for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()] {
        let Ok(mut signals) = signal(kind) else { continue };
        let sender = sender.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                let number = kind.as_raw_value();
                sender.send_modify(|wish| {
                    *wish = match *wish {
                        StopWish::None => StopWish::Soon(number),
                        StopWish::Soon(first) | StopWish::Now(first) => StopWish::Now(first),
                    };
                });
            }
        });
    }
    if std::process::id() == 1 {
        reap_for_ever();
    }
    receiver
}

/// The first process of a container inherits every orphan and has to wait for it.
fn reap_for_ever() {
    if let Ok(mut children) = signal(SignalKind::child()) {
        tokio::spawn(async move {
            while children.recv().await.is_some() {
                crate::executor::reap_orphans();
            }
        });
    }
}
