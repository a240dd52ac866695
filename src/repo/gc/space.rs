//! Which packs go, which are written anew, which stay as they are.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::id::{ChunkId, PackId};
use crate::progress::{Monitor, Problem};
use crate::repo::{Error, Repo, Result};
use crate::store::{
    self, ChunkRow, Compression, FrameRow, IdHash, Index, Lane, Location, Reader, Writer, pack_name,
};

use super::live::Chunks;

/// Waste that is put up with, in percent of what is needed: writing packs anew costs more than it
/// gives below that.
const WASTE_PERCENT: u64 = 2;
/// Waste that is put up with in a frame that is copied as it is, in percent of the frame.
const FRAME_WASTE_PERCENT: u64 = 10;
/// Packs below this are small.
const SMALL: u64 = 8 << 20;
/// So many small packs are put up with before they are joined.
const SMALL_PACKS: usize = 64;

/// What is to become of the packs.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Whether no waste is put up with.
    tight: bool,
    /// Packs of which nothing is needed.
    pub(super) delete: Vec<PackId>,
    /// Packs whose needed chunks move to new packs.
    pub(super) rewrite: Vec<PackId>,
    /// Packs that stay.
    pub(super) keep: Vec<PackId>,
    /// New packs of which nothing is needed, because the disk was too full for the others.
    pub(super) given_up: Vec<PackId>,
    /// Bytes that deleting and rewriting will free, as far as can be told before.
    pub(super) frees: u64,
    /// Which chunks of which pack are needed from there.
    homes: HashMap<ChunkId, PackId, IdHash>,
    /// Chunks that lie in several packs, of which the one they are needed from was checked.
    twice: Chunks,
}

struct Usage {
    pack: PackId,
    size: u64,
    needed: u64,
}

impl Repo {
    /// Decides about every pack, given the chunks that are needed; a `tight` plan puts up with no
    /// waste. Damaged packs stay: only `fsck --repair` touches them.
    pub(super) fn plan_space(&self, live: &Chunks, tight: bool) -> Result<Plan> {
        let mut plan = Plan { tight, ..Plan::default() };
        let mut usages = Vec::new();
        // Once more when the first copy of a chunk turned out to be damaged and a later one not.
        while self.usages(live, &mut plan, &mut usages)? {}
        plan.sort(usages);
        Ok(plan)
    }

    /// How much of every pack is needed, given where each chunk is needed from; and fills that in.
    /// Whether a chunk that was counted for one pack is now needed from another.
    fn usages(&self, live: &Chunks, plan: &mut Plan, usages: &mut Vec<Usage>) -> Result<bool> {
        usages.clear();
        plan.keep.clear();
        let index = self.store.index()?;
        let mut doubles = Vec::new();
        for &pack in index.packs() {
            let size = match std::fs::metadata(self.folder.path(pack_name(pack))) {
                Ok(meta) => meta.len(),
                Err(_) => continue,
            };
            let Ok(footer) = self.store.footer(pack)? else {
                plan.keep.push(pack);
                continue;
            };
            // Bytes needed of each frame; a chunk that lies in two packs is needed from one.
            let mut needed = vec![0u64; footer.frames.len()];
            for chunk in footer.chunks.iter().filter(|c| live.contains(&c.id)) {
                let home = *plan.homes.entry(chunk.id).or_insert(pack);
                if home != pack && plan.twice.insert(chunk.id) {
                    doubles.push((chunk.id, home));
                }
                if home == pack
                    && let Some(frame) = needed.get_mut(chunk.frame as usize)
                {
                    *frame += u64::from(chunk.len);
                }
            }
            let share = |(frame, raw): (&FrameRow, &u64)| {
                // Rounded up: what is needed at all must not count as nothing.
                (u64::from(frame.stored) * raw).div_ceil(u64::from(frame.raw.max(1)))
            };
            let frames: u64 = footer.frames.iter().zip(&needed).map(share).sum();
            let overhead = size - footer.frames.iter().map(|f| u64::from(f.stored)).sum::<u64>();
            let needed = if frames == 0 { 0 } else { (frames + overhead).min(size) };
            usages.push(Usage { pack, size, needed });
        }
        self.move_homes(&index, doubles, plan)
    }

    /// Of chunks that lie in two packs all copies but one go, so that one must be good. They are
    /// read in the order they lie in the packs, so that every frame is decoded once.
    fn move_homes(
        &self,
        index: &Index,
        doubles: Vec<(ChunkId, PackId)>,
        plan: &mut Plan,
    ) -> Result<bool> {
        let mut reader = self.store.reader()?;
        let mut moved = false;
        let mut places: Vec<(ChunkId, PackId, Vec<Location>)> = doubles
            .into_iter()
            .map(|(id, home)| {
                let mut places: Vec<_> = index.places(&id).collect();
                places.sort_by_key(|place| place.pack != home);
                (id, home, places)
            })
            .collect();
        places.sort_by_key(|(_, _, p)| p.first().map(|l| (l.pack, l.frame.offset, l.offset)));
        for (id, home, places) in places {
            let whole = places.iter().find(|place| reader.at(&id, place).is_ok());
            if let Some(place) = whole.filter(|place| place.pack != home) {
                plan.homes.insert(id, place.pack);
                moved = true;
            }
        }
        Ok(moved)
    }
}

impl Plan {
    fn sort(&mut self, usages: Vec<Usage>) {
        let small = |u: &Usage| u.size < SMALL;
        let (unneeded, mut needed): (Vec<_>, Vec<_>) =
            usages.into_iter().partition(|u| u.needed == 0);
        let join = needed.iter().filter(|u| small(u)).count() > SMALL_PACKS;
        let live: u64 = needed.iter().map(|u| u.needed).sum();
        let mut waste: u64 = needed.iter().map(|u| u.size - u.needed).sum();
        // The most wasteful first, until what is left can be put up with.
        needed.sort_by_key(|u| std::cmp::Reverse((u.size - u.needed) * 1000 / u.size.max(1)));
        let bearable = if self.tight { 0 } else { live * WASTE_PERCENT / 100 };
        for usage in needed {
            let worth = waste > bearable && usage.size > usage.needed;
            if worth || (join && small(&usage)) {
                waste -= usage.size - usage.needed;
                self.frees += usage.size - usage.needed;
                self.rewrite.push(usage.pack);
            } else {
                self.keep.push(usage.pack);
            }
        }
        for usage in unneeded {
            self.frees += usage.size;
            self.delete.push(usage.pack);
        }
        self.rewrite.sort_unstable();
    }

    /// Moves what is needed of the packs to rewrite into new ones, and returns their bytes. When
    /// this returns, the new packs are on disk. Packs that cannot be moved from stay as they are:
    /// damaged ones, which the monitor is told of, and all of them when the disk is full.
    pub(super) fn rewrite(
        &mut self,
        repo: &Repo,
        live: &Chunks,
        level: i32,
        monitor: &dyn Monitor,
    ) -> Result<u64> {
        if self.rewrite.is_empty() {
            return Ok(0);
        }
        let writer = repo.store.rewriter();
        let named = writer.packs();
        match self.move_all(repo, writer, live, level, monitor) {
            // No room to move anything: deleting needs none, and makes some.
            Err(e) if e.is_full() => {
                self.keep.append(&mut self.rewrite);
                self.given_up =
                    std::mem::take(&mut named.lock().unwrap_or_else(|e| e.into_inner()));
                let size = |pack: &PackId| super::size_of(&repo.folder.path(pack_name(*pack)));
                Ok(self.given_up.iter().map(size).sum())
            }
            moved => moved,
        }
    }

    fn move_all(
        &mut self,
        repo: &Repo,
        writer: Writer,
        live: &Chunks,
        level: i32,
        monitor: &dyn Monitor,
    ) -> Result<u64> {
        use rayon::prelude::*;
        let reader = repo.store.reader()?;
        let damaged = Mutex::new(Vec::new());
        let share = self.rewrite.len().div_ceil(rayon::current_num_threads());
        self.rewrite.par_chunks(share).try_for_each(|packs| {
            let bearable = if self.tight { 0 } else { FRAME_WASTE_PERCENT };
            let (lane, reader) = (writer.lane(), reader.fork());
            let mut mover = Mover { lane, reader, level, live, bearable };
            for pack in packs {
                if monitor.interrupted() {
                    return Err(Error::Interrupted);
                }
                match mover.pack(repo, *pack, &self.homes) {
                    Err(Error::Store(store::Error::Damaged { .. } | store::Error::Missing(_))) => {
                        damaged.lock().unwrap_or_else(|e| e.into_inner()).push(*pack);
                    }
                    other => other?,
                }
                monitor.advance(1);
            }
            Ok(mover.lane.close()?)
        })?;
        let written = writer.finish()?;
        for pack in damaged.into_inner().unwrap_or_else(|e| e.into_inner()) {
            monitor.problem(Problem {
                path: pack_name(pack),
                what: "is damaged, so what nobody needs of it stays, too; see `eart fsck --data`"
                    .into(),
            });
            self.rewrite.retain(|other| *other != pack);
            self.keep.push(pack);
        }
        Ok(written.stored)
    }
}

struct Mover<'a> {
    lane: Lane,
    reader: Reader,
    level: i32,
    live: &'a Chunks,
    /// A frame is copied as it is when at most this part of it is waste, in percent.
    bearable: u64,
}

impl Mover<'_> {
    fn pack(
        &mut self,
        repo: &Repo,
        pack: PackId,
        homes: &HashMap<ChunkId, PackId, IdHash>,
    ) -> Result<()> {
        let Ok(footer) = repo.store.footer(pack)? else { return Ok(()) };
        let mut rows = footer.chunks;
        rows.sort_unstable_by_key(|r| (r.frame, r.offset));
        for rows in rows.chunk_by(|a, b| a.frame == b.frame) {
            let Some(frame) = rows.first().and_then(|r| footer.frames.get(r.frame as usize)) else {
                continue;
            };
            let wanted =
                |r: &&ChunkRow| self.live.contains(&r.id) && homes.get(&r.id) == Some(&pack);
            let needed: u64 = rows.iter().filter(wanted).map(|r| u64::from(r.len)).sum();
            let raw = u64::from(frame.raw);
            if needed == 0 {
                continue;
            }
            let tiled = rows.iter().try_fold(0, |at, r| (r.offset == at).then_some(at + r.len));
            if tiled == Some(frame.raw) && (raw - needed) * 100 <= raw * self.bearable {
                let bytes = self.reader.verified(pack, frame, rows)?;
                self.lane.copy(frame, bytes, rows)?;
                continue;
            }
            let wish = match frame.codec {
                crate::store::Codec::Raw => Compression::None,
                crate::store::Codec::Zstd => Compression::Zstd(self.level),
            };
            let wanted: Vec<ChunkId> = rows.iter().filter(wanted).map(|r| r.id).collect();
            for id in wanted {
                let bytes = self.reader.chunk(&id)?;
                self.lane.put(id, bytes, wish)?;
            }
        }
        Ok(())
    }
}
