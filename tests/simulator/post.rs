//! People's side of the alerts: receivers that are down for stretches, answer late or not at all, refuse or ask for time.
//!
//! What the outbox has taken is noted at once; what arrives is compared with that (I12): nothing is invented, what is about
//! one pipeline arrives in its order, and in the end everything has arrived or is dead.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tickward::alert::Alert;
use tickward::alerter::{Alerter, SendError};
use tickward::config::AlerterSpec;
use tickward::config::secret::Secret;
use tickward::runlog::contract::RunLog;
use tickward::runlog::outbox::{MOST, about};
use tickward::tick::{Outlet, Outlets};

use crate::world::World;

/// What was put in late may still wait: a refusal waits for 15 minutes at most.
const LATEST: Duration = Duration::from_secs(17 * 60);

/// What is known of alerts.
#[derive(Default)]
pub struct Post(Mutex<Noted>);

#[derive(Default)]
struct Noted {
    /// Ids by whom they are about, in their order, and when they were put in.
    put_in: BTreeMap<String, Vec<(String, Duration)>>,
    ids: BTreeSet<String>,
    /// Receiver and id.
    arrived: BTreeSet<(String, String)>,
    unfit: BTreeSet<(String, String)>,
    down: BTreeMap<String, (Duration, Manner)>,
}

#[derive(Clone, Copy)]
enum Manner {
    Nobody,
    Silent,
    NotFound,
    Busy(u64),
}

impl Post {
    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a tick's alerts go in this world.
pub fn outlets(world: &Arc<World>) -> Outlets {
    let outlet = |name: &&str| Outlet {
        spec: AlerterSpec::of_url(Secret::new(format!("{name}://"))),
        alerter: Arc::new(Receiver { world: world.clone(), name: (*name).into() }),
    };
    Outlets { alerters: NAMES[..world.shape.receivers].iter().map(outlet).collect(), ..Outlets::default() }
}

const NAMES: [&str; 2] = ["pager", "chat"];

/// What befalls the receivers in a minute.
pub fn trouble(world: &Arc<World>) {
    let chance = &world.chance;
    if world.shape.receivers == 0 || !chance.percent(3) {
        return;
    }
    let name = NAMES[chance.between(0, world.shape.receivers as u64) as usize];
    let busy = chance.between(1, 600);
    let (manner, what) = chance.one_of(&[
        (Manner::Nobody, "is not there"),
        (Manner::Silent, "says nothing"),
        (Manner::NotFound, "refuses everything"),
        (Manner::Busy(busy), "asks for time"),
    ]);
    world.say(format!("the {name} {what}"));
    let until = world.time.elapsed() + chance.millis(10_000, 2_400_000);
    world.post.noted().down.insert(name.into(), (until, manner));
}

/// Notes what the outbox has now that it had not before.
pub async fn note(world: &Arc<World>) {
    if world.shape.receivers == 0 {
        return;
    }
    let outbox = world.truth.outbox().await.unwrap();
    let now = world.time.elapsed();
    let mut new = Vec::new();
    let mut noted = world.post.noted();
    for entry in outbox.waiting {
        if noted.ids.insert(entry.alert.id.clone()) {
            new.push(entry.alert.id.clone());
            noted.put_in.entry(about(&entry.alert)).or_default().push((entry.alert.id, now));
        }
    }
    drop(noted);
    new.into_iter().for_each(|id| world.say(format!("alert {id} is put in")));
}

/// Whether an alert of this run and attempt was ever put in.
pub fn was_told(world: &World, run: &str, number: u32) -> bool {
    let tail = format!("/{run}/{number}");
    world.shape.receivers == 0 || world.post.noted().ids.iter().any(|id| id.ends_with(&tail))
}

/// Notes that an alert has arrived.
async fn arrived(world: &Arc<World>, name: &str, alert: &Alert) {
    let key = |id: &str| (name.to_string(), id.to_string());
    world.say(format!("alert {} arrives at the {name}", alert.id));
    let earlier: Vec<String> = {
        let mut noted = world.post.noted();
        let of_it = noted.put_in.get(&about(alert)).cloned().unwrap_or_default();
        let place = of_it.iter().position(|(id, _)| *id == alert.id);
        if !noted.arrived.insert(key(&alert.id)) {
            return;
        }
        let before = of_it.into_iter().take(place.unwrap_or(0)).map(|(id, _)| id);
        let earlier = before.filter(|id| !noted.arrived.contains(&key(id)) && !noted.unfit.contains(&key(id)));
        let earlier = earlier.collect();
        drop(noted);
        if place.is_none() {
            world.is_wrong(format!("{} was never put in and arrives", alert.id));
        }
        earlier
    };
    if earlier.is_empty() {
        return;
    }
    let waiting = world.truth.outbox().await.unwrap().waiting;
    for id in earlier.iter().filter(|id| waiting.iter().any(|entry| entry.alert.id == **id)) {
        world.is_wrong(format!("{id} has not arrived at the {name} before {}", alert.id));
    }
}

/// In the end everything has arrived or is dead, and without a wrong clock nothing is dead within the day.
pub async fn audit(world: &Arc<World>) {
    if world.shape.receivers == 0 {
        return;
    }
    let outbox = world.truth.outbox().await.unwrap();
    let now = world.time.elapsed();
    if let Some(dead) = outbox.dead.first().filter(|_| !world.shape.has_steps) {
        world.is_wrong(format!("{} is dead within the day", dead.alert.id));
    }
    if outbox.dead.len() >= MOST {
        return;
    }
    let mut wrong = Vec::new();
    let noted = world.post.noted();
    for (id, _) in noted.put_in.values().flatten().filter(|(_, at)| *at + LATEST < now) {
        let is_dead = outbox.dead.iter().any(|entry| entry.alert.id == *id);
        let lacks = |name: &&&str| !noted.arrived.contains(&(name.to_string(), id.clone()));
        for name in NAMES[..world.shape.receivers].iter().filter(lacks).filter(|_| !is_dead) {
            wrong.push(format!("{id} has never arrived at the {name}"));
        }
    }
    drop(noted);
    wrong.into_iter().for_each(|line| world.is_wrong(line));
}

struct Receiver {
    world: Arc<World>,
    name: String,
}

#[async_trait]
impl Alerter for Receiver {
    fn name(&self) -> &str {
        &self.name
    }

    async fn send(&self, alert: &Alert) -> Result<(), SendError> {
        let (world, chance) = (&self.world, &self.world.chance);
        let again = |message: &str, after| Err(SendError::Retriable { message: message.into(), after });
        let down = world.post.noted().down.get(&self.name).copied();
        if let Some((_, manner)) = down.filter(|(until, _)| world.has_faults() && world.time.elapsed() < *until) {
            tokio::time::sleep(chance.millis(1, 30)).await;
            return match manner {
                Manner::Nobody => again("connection refused", None),
                Manner::Silent => {
                    tokio::time::sleep(Duration::from_secs(5)).await;
                    again("no answer", None)
                }
                Manner::NotFound => Err(SendError::Refused { message: "the answer is 404".into() }),
                Manner::Busy(seconds) => again("the answer is 429", Some(Duration::from_secs(seconds))),
            };
        }
        let fate = if world.has_faults() { chance.number() % 100 } else { 99 };
        let way = if (0..3).contains(&fate) { chance.millis(500, 12_000) } else { chance.millis(1, 30) };
        if fate == 3 {
            world.post.noted().unfit.insert((self.name.clone(), alert.id.clone()));
            return Err(SendError::Unfit { message: "the answer is 422".into() });
        }
        // It is under way by itself: whoever sent it may be gone when it arrives.
        let (world, name, alert) = (self.world.clone(), self.name.clone(), alert.clone());
        let arriving = tokio::spawn(async move {
            tokio::time::sleep(way).await;
            arrived(&world, &name, &alert).await;
        });
        if (4..8).contains(&fate) {
            tokio::time::sleep(Duration::from_secs(5)).await;
            return again("no answer", None);
        }
        arriving.await.unwrap();
        Ok(())
    }
}
