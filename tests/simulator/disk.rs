//! The simulated host: randomness, processes that are gone, and the start marks on its disk.

use std::path::Path;
use std::sync::Arc;

use tickward::occurrence::Token;
use tickward::owner::Owner;
use tickward::tick::{Host, MarkFile, OutputFile, StartMark};

use crate::shape::Kind;
use crate::world::World;

pub struct SimHost(pub Arc<World>);

impl Host for SimHost {
    fn mint(&self) -> u128 {
        u128::from(self.0.chance.number()) << 64 | u128::from(self.0.chance.number())
    }

    fn is_gone(&self, owner: &Owner) -> bool {
        self.0.shape.kind == Kind::Local && !self.0.known().alive.contains(&owner.id)
    }

    fn forestall(&self, path: &Path) -> StartMark {
        let is_first = self.0.make_mark(path);
        let mut known = self.0.known();
        if is_first {
            known.forestalled.insert(path.into());
        }
        if known.forestalled.contains(path) { StartMark::Forestalled } else { StartMark::Started }
    }

    fn mark_started(&self, path: &Path) -> bool {
        self.0.make_mark(path);
        true
    }

    fn is_held(&self, path: &Path) -> bool {
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let now = self.0.time.elapsed();
        let known = self.0.known();
        known.alive.contains(&name) || known.held_until.get(&name).is_some_and(|until| now < *until)
    }

    fn remove_mark(&self, path: &Path) {
        let mut known = self.0.known();
        known.marks.remove(path);
        known.forestalled.remove(path);
    }

    fn mark_files(&self, folder: &Path) -> Vec<MarkFile> {
        let token = |path: &Path| Token::parse(path.file_name()?.to_str()?);
        let marks = self.0.known().marks.clone();
        let marks = marks.into_iter().filter(|path| path.parent() == Some(folder));
        marks.filter_map(|path| Some(MarkFile::Start(token(&path)?, path))).collect()
    }

    fn make_folder(&self, _: &Path) -> std::io::Result<()> {
        Ok(())
    }

    fn output_files(&self, _: &Path) -> Vec<OutputFile> {
        Vec::new()
    }

    fn remove_output(&self, _: &Path) {}
}
