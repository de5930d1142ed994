//! A connection that is cut within a claim: what is said of it is true, and the same claim sent again doubles nothing.
//!
//! Every byte of the replies to the last text and of the end of that text (the COMMIT) is tried; of what comes before, which
//! no server acts upon until it has it whole, each `STRIDE`th.

use std::sync::Arc;

use tickward::occurrence::{PipelineId, Token};
use tickward::run::Row;
use tickward::runlog::contract::{Transition, Verdict};
use tickward::runlog::{Error, RunLog};

use crate::bench::{Bench, at, claiming, id};
use crate::further::Lack;
use crate::kind::{Kind, commit, open_by, open_of, wait};
use crate::proxy::{Direction, Proxy};

pub const CASES: &[crate::Case] = &[
    ("cuts::a_claim_that_is_cut_on_its_way_is_whole_or_not_there", towards_the_server),
    ("cuts::a_claim_whose_reply_is_cut_is_whole_or_not_there", towards_the_client),
    ("cuts::a_claim_whose_last_reply_is_lost_is_there_and_unknown", after_the_commit),
];

/// Co-prime to everything that protocols are made of.
const STRIDE: u64 = 97;
/// The COMMIT, and what stands around it.
const END: u64 = 40;

/// A log through a proxy, with its connection up.
struct Scene {
    bench: Bench,
    proxy: Proxy,
    log: Arc<dyn RunLog>,
    round: usize,
}

impl Scene {
    async fn new(kind: &'static Kind) -> Result<Scene, Lack> {
        let bench = kind.bench()?;
        let proxy = Proxy::before(&bench.url).unwrap();
        let log = open_by(&proxy.url(&bench.url), bench.clock.clone()).unwrap();
        Ok(Scene { bench, proxy, log, round: 0 })
    }

    /// Claims of two pipelines that nobody has seen, all of the same length.
    fn claims(&mut self) -> Vec<Transition> {
        self.round += 1;
        let ids = ["a", "b"].map(|name| id(&format!("{name}{:06}", self.round)));
        ids.map(|id| claiming(Row::absent(id), at("02:00"), 1)).into()
    }

    /// The connection is there, and idle.
    async fn warm(&self) {
        open_of(&*self.log, &[id("nobody")]).await;
    }

    /// How long both texts of a claim are, and both replies.
    async fn lengths(&mut self) -> [(u64, u64); 2] {
        self.warm().await;
        let (claims, before) = (self.claims(), self.proxy.traffic());
        self.proxy.hold(Direction::ToClient);
        let (log, proxy) = (self.log.clone(), &self.proxy);
        let committing = std::thread::spawn(move || wait(commit(&*log, claims)));
        let first = proxy.wait_until(|traffic| traffic.held > 0) - before;
        proxy.release(Direction::ToClient);
        assert_eq!(committing.join().unwrap().unwrap(), [Verdict::Won; 2]);
        let all = proxy.traffic() - before;
        assert_eq!(all.round_trips, 2, "a claim is two texts");
        [(first.to_server, all.to_server), (first.held, all.to_client)]
    }

    /// Cuts a claim after so many bytes. Whether it was there in the end.
    async fn cut(&mut self, direction: Direction, bytes: u64) -> bool {
        self.warm().await;
        let claims = self.claims();
        let ids: Vec<PipelineId> = claims.iter().map(|claim| claim.row.pipeline.clone()).collect();
        let wanted = tokens(claims.iter().filter_map(|claim| claim.claim.as_ref()).map(|claim| claim.token));
        let open = self.proxy.traffic().open;
        self.proxy.cut_after(direction, bytes);
        let answer = commit(&*self.log, claims.clone()).await;
        self.proxy.disarm();
        // A server closes behind its work.
        self.proxy.wait_until(|traffic| traffic.open <= open && (traffic.open == 0 || answer.is_ok()));
        let found = || async { tokens(open_of(&*self.bench.log, &ids).await.iter().map(|attempt| attempt.token)) };
        let there = found().await;
        match &answer {
            Ok(verdicts) => assert_eq!((verdicts.as_slice(), &there), (&[Verdict::Won; 2][..], &wanted), "{bytes}"),
            Err(Error::Unavailable { .. }) => assert_eq!(there, [], "{direction:?} {bytes}: {answer:?}"),
            Err(Error::Unknown { .. }) => {
                assert!(there.is_empty() || there == wanted, "{direction:?} {bytes}: {there:?}")
            }
            Err(error) => panic!("{direction:?} {bytes}: {error:?}"),
        }
        // The row guards it: what is there already is lost, and found by its tokens.
        let again = commit(&*self.log, claims).await.unwrap();
        let expected = if there.is_empty() { Verdict::Won } else { Verdict::Lost };
        assert_eq!(again, [expected; 2], "{direction:?} {bytes}");
        assert_eq!(found().await, wanted, "{direction:?} {bytes}: once, whatever became of it");
        !there.is_empty()
    }

    /// Tries the cuts of one direction, of which `first` bytes are the first text's. How many claims were there.
    async fn cut_each(&mut self, direction: Direction, first: u64, all: u64, close: u64) -> (usize, usize) {
        let cuts = (0..=all).filter(|cut| cut % STRIDE == 0 || *cut >= close || cut.abs_diff(first) <= 2);
        let (mut there, mut tried) = (0, 0);
        for cut in cuts {
            there += usize::from(self.cut(direction, cut).await);
            tried += 1;
        }
        (there, tried)
    }
}

fn tokens(all: impl Iterator<Item = Token>) -> Vec<Token> {
    let mut all: Vec<Token> = all.collect();
    all.sort();
    all
}

fn towards_the_server(kind: &'static Kind) -> Result<(), Lack> {
    wait(async {
        let mut scene = Scene::new(kind).await?;
        let [(first, all), _] = scene.lengths().await;
        let (there, tried) = scene.cut_each(Direction::ToServer, first, all, all - END).await;
        // Some were cut behind the first text, which is sent again, or behind the last byte.
        assert!(there > 0 && there < tried && tried > 60, "{there} of {tried}");
        Ok(())
    })
}

fn towards_the_client(kind: &'static Kind) -> Result<(), Lack> {
    wait(async {
        let mut scene = Scene::new(kind).await?;
        let [_, (first, all)] = scene.lengths().await;
        assert!(first < all, "{first} {all}");
        let (there, tried) = scene.cut_each(Direction::ToClient, first, all, first).await;
        assert!(there > 0 && there <= tried && tried > 20, "{there} of {tried}");
        Ok(())
    })
}

fn after_the_commit(kind: &'static Kind) -> Result<(), Lack> {
    wait(async {
        let mut scene = Scene::new(kind).await?;
        scene.warm().await;
        let claims = scene.claims();
        let ids: Vec<PipelineId> = claims.iter().map(|claim| claim.row.pipeline.clone()).collect();
        scene.proxy.drop_reply_after(b";\nCOMMIT");
        let answer = commit(&*scene.log, claims.clone()).await;
        assert!(matches!(answer, Err(Error::Unknown { .. })), "{answer:?}");
        scene.proxy.wait_until(|traffic| traffic.open == 0);
        let wanted = tokens(claims.iter().filter_map(|claim| claim.claim.as_ref()).map(|claim| claim.token));
        let there = open_of(&*scene.log, &ids).await;
        assert_eq!(tokens(there.iter().map(|attempt| attempt.token)), wanted, "the own tokens are there: won");
        assert_eq!(commit(&*scene.log, claims).await.unwrap(), [Verdict::Lost; 2]);
        Ok(())
    })
}
