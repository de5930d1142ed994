//! Bodies that only take their time, and a host on which nothing ever goes wrong.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::clock::JumpingClock;
use crate::clock::{BootTime, Clock};
use crate::executor::{End, Ended, Executor, Job, Output, Stop};
use crate::occurrence::Token;
use crate::owner::Owner;
use crate::tick::{Host, OutputFile, StartMark};

/// A start takes a moment: a body as long as its period is still there when the next occurrence is due.
const START: Duration = Duration::from_millis(1);

/// Bodies that succeed after their time, unless they are stopped before.
pub struct PretendedBodies {
    clock: Arc<JumpingClock>,
    /// By the full name of their pipeline.
    durations: BTreeMap<String, Duration>,
    courses: Mutex<HashMap<Token, watch::Sender<Course>>>,
}

/// When a body must be gone, and whether it was told to end.
#[derive(Clone, Copy)]
struct Course {
    stop_at: BootTime,
    stop: Option<Stop>,
}

impl PretendedBodies {
    /// Bodies that take these times, by the full names of their pipelines; the others take none.
    pub fn new(clock: Arc<JumpingClock>, durations: BTreeMap<String, Duration>) -> PretendedBodies {
        PretendedBodies { clock, durations, courses: Mutex::default() }
    }

    fn courses(&self) -> MutexGuard<'_, HashMap<Token, watch::Sender<Course>>> {
        self.courses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, token: Token, change: impl FnOnce(&mut Course)) {
        if let Some(course) = self.courses().get(&token) {
            course.send_modify(change);
        }
    }

    fn duration_of(&self, job: &Job) -> Duration {
        let id = job.env.iter().find(|(name, _)| name == "TICKWARD_RUN_ID");
        let id = id.map(|(_, value)| value.to_string_lossy()).unwrap_or_default();
        let name = id.rsplit_once('@').map_or(&*id, |(name, _)| name);
        self.durations.get(name).copied().unwrap_or_default()
    }

    async fn live(&self, job: &Job, began: BootTime) -> Option<Stop> {
        let (sender, mut course) = watch::channel(Course { stop_at: job.stop_at, stop: None });
        self.courses().insert(job.token, sender);
        let done = began.plus(self.duration_of(job)).plus(START);
        let timeout = job.timeout.map_or(BootTime(i64::MAX), |timeout| began.plus(timeout));
        loop {
            let now = *course.borrow_and_update();
            if now.stop.is_some() {
                return now.stop;
            }
            let due = done.min(timeout).min(now.stop_at);
            tokio::select! {
                biased;
                _ = course.changed() => {}
                () = self.clock.sleep_until(due) => {
                    return match due {
                        _ if due == done => None,
                        _ if due == timeout => Some(Stop::TimedOut),
                        _ => Some(Stop::LeaseOver),
                    };
                }
            }
        }
    }
}

#[async_trait]
impl Executor for PretendedBodies {
    async fn run(&self, job: Job) -> Ended {
        let began = self.clock.boot();
        let stopped = self.live(&job, began).await;
        self.courses().remove(&job.token);
        Ended {
            end: if stopped.is_some() { End::Signalled(15) } else { End::Exited(0) },
            stopped,
            started_at: Some(began),
            duration: self.clock.boot().since(began),
            cpu: Duration::ZERO,
            peak_memory_bytes: 0,
            output: Output::default(),
        }
    }

    fn extend(&self, token: Token, stop_at: BootTime) {
        self.tell(token, |course| course.stop_at = stop_at);
    }

    fn stop(&self, token: Token, why: Stop) {
        self.tell(token, |course| course.stop = Some(why));
    }

    fn kill_all(&self) {}

    async fn close(&self) {}
}

/// A host whose processes live for ever and that has no disk; its random numbers are counted.
#[derive(Default)]
pub struct PretendedHost(AtomicU64);

impl Host for PretendedHost {
    fn mint(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::SeqCst)) + 1
    }

    fn is_gone(&self, _: &Owner) -> bool {
        false
    }

    fn forestall(&self, _: &Path) -> StartMark {
        StartMark::Unknown
    }

    fn mark_started(&self, _: &Path) -> bool {
        false
    }

    fn is_held(&self, _: &Path) -> bool {
        false
    }

    fn remove_mark(&self, _: &Path) {}

    fn make_folder(&self, _: &Path) -> std::io::Result<()> {
        Ok(())
    }

    fn output_files(&self, _: &Path) -> Vec<OutputFile> {
        Vec::new()
    }

    fn remove_output(&self, _: &Path) {}
}
