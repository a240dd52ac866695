//! Which chunks the store has, and where: segments on disk, and the footers of newer packs.
//!
//! Readers take no lock. What `packs/` lists is the truth; segments that name packs which are
//! gone are read past them, packs that no segment names are read by their footers. Segments are
//! merged geometrically, so that a store of n packs has about log n of them.

use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::disk::{self, Folder, LockMode, Map};
use crate::id::{ChunkId, PackId};

use super::pack::{Footer, HEADER, TRAILER};
use super::segment::{Location, Segment};
use super::{Damage, Error, PACKS, Result};

/// Folder of the segments.
pub(super) const INDEX: &str = "index";
const SUFFIX: &str = ".idx";
const LOCK: &str = "index/lock";

/// Packs without a segment that are put up with before they are merged into one.
const LOOSE_PACKS: usize = 16;
/// Chunks in packs without a segment that are put up with.
const LOOSE_CHUNKS: usize = 1 << 18;

/// What is said of a file that the system cannot read.
pub(super) const UNREADABLE: &str = "it cannot be read, or is not a regular file";

/// A view of the chunks at one moment.
pub struct Index {
    packs: Vec<PackId>,
    gone: HashSet<PackId>,
    segments: Vec<(String, Segment)>,
    loose: Vec<PackId>,
    loose_table: Option<Segment>,
    damaged: Vec<Damage>,
}

impl Index {
    /// Reads the index of the store in `folder`.
    ///
    /// A damaged pack or segment is left out and listed in [`Index::damaged`].
    ///
    /// # Errors
    ///
    /// When a file is there and cannot be read.
    pub(super) fn load(folder: &Folder) -> Result<Self> {
        Self::settled(folder, true)
    }

    /// Reads the index from the packs alone, whatever the segments say: slower, and right even
    /// where a segment is damaged. Chunks of packs whose footers are damaged are not in it.
    ///
    /// # Errors
    ///
    /// When a pack is there and cannot be read.
    pub(super) fn of_footers(folder: &Folder) -> Result<Self> {
        Self::settled(folder, false)
    }

    fn settled(folder: &Folder, with_segments: bool) -> Result<Self> {
        // gc may remove a segment or pack between the listing and the opening; then the next
        // listing no longer has it.
        for _ in 0..16 {
            match Self::attempt(folder, with_segments) {
                Err(Error::Disk(e)) if e.is_not_found() => continue,
                other => return other,
            }
        }
        Self::attempt(folder, with_segments)
    }

    /// A view of no chunks.
    pub(super) fn empty() -> Self {
        Self {
            packs: Vec::new(),
            gone: HashSet::new(),
            segments: Vec::new(),
            loose: Vec::new(),
            loose_table: None,
            damaged: Vec::new(),
        }
    }

    fn attempt(folder: &Folder, with_segments: bool) -> Result<Self> {
        let mut segments = Vec::new();
        let mut damaged = Vec::new();
        for name in if with_segments { list_segments(folder)? } else { Vec::new() } {
            let path = Path::new(INDEX).join(&name);
            let file = match folder.open(&path) {
                Err(e) if e.is_damage() => {
                    damaged.push(Damage { file: path, reason: UNREADABLE.into() });
                    continue;
                }
                other => other?,
            };
            let map = Map::of(&file).map_err(disk::Error::on("map", &folder.path(&path)))?;
            match Segment::mapped(map) {
                Ok(segment) => segments.push((name, segment)),
                Err(reason) => damaged.push(Damage { file: path, reason: reason.into() }),
            }
        }
        // Listed after the segments, so that a pack whose segment was just removed is seen.
        let packs = list_packs(folder)?;
        let present: HashSet<PackId> = packs.iter().copied().collect();
        let covered: HashSet<PackId> =
            segments.iter().flat_map(|(_, s)| s.packs().iter().copied()).collect();
        let gone = covered.difference(&present).copied().collect();
        let mut footers = Vec::new();
        for id in packs.iter().filter(|id| !covered.contains(id)) {
            match read_footer(folder, *id)? {
                Ok(footer) => footers.push((*id, footer)),
                Err(reason) => {
                    damaged.push(Damage { file: pack_name(*id).into(), reason: reason.into() });
                }
            }
        }
        let loose: Vec<_> = footers.iter().map(|(id, _)| *id).collect();
        let views: Vec<_> = footers.iter().map(|(id, f)| (*id, f)).collect();
        let loose_table =
            if views.is_empty() { None } else { Segment::owned(Segment::encode(&views)).ok() };
        Ok(Self { packs, gone, segments, loose, loose_table, damaged })
    }

    fn tables(&self) -> impl Iterator<Item = &Segment> {
        self.loose_table.iter().chain(self.segments.iter().rev().map(|(_, s)| s))
    }

    /// Where a chunk lies, if the store has it.
    pub fn find(&self, id: &ChunkId) -> Option<Location> {
        self.places(id).next()
    }

    /// Every place a chunk lies in.
    pub fn places(&self, id: &ChunkId) -> impl Iterator<Item = Location> {
        self.tables().flat_map(|t| t.find(id)).filter(|l| !self.gone.contains(&l.pack))
    }

    /// Whether the store has a chunk.
    pub fn contains(&self, id: &ChunkId) -> bool {
        self.find(id).is_some()
    }

    /// Whether anything but the packs themselves was read for it.
    pub(super) fn has_segments(&self) -> bool {
        !self.segments.is_empty()
    }

    /// Packs in the store, sorted.
    pub fn packs(&self) -> &[PackId] {
        &self.packs
    }

    /// Index files and packs that could not be used.
    pub fn damaged(&self) -> &[Damage] {
        &self.damaged
    }

    /// Every chunk with every place it lies in, in no particular order. A chunk stored twice comes
    /// twice, and also when two segments cover its pack: count by place, not by occurrence.
    pub fn chunks(&self) -> impl Iterator<Item = (ChunkId, Location)> + '_ {
        self.tables()
            .flat_map(|t| (0..t.chunks()).filter_map(|row| t.location(row)))
            .filter(|(_, l)| !self.gone.contains(&l.pack))
    }

    /// Checks every byte of the segments on disk.
    pub fn verify(&self) -> Vec<Damage> {
        let mut damage = self.damaged.clone();
        damage.extend(self.segments.iter().filter(|(_, s)| !s.verify()).map(|(name, _)| Damage {
            file: Path::new(INDEX).join(name),
            reason: "its bytes are damaged".into(),
        }));
        damage
    }
}

/// Merges loose packs, and segments not much larger than what is merged, into a new segment.
/// Does nothing while there is little to merge, or when another process is at it.
pub(super) fn merge(folder: &Folder) -> Result<()> {
    let index = Index::load(folder)?;
    let loose_chunks = index.loose_table.as_ref().map_or(0, Segment::chunks);
    if index.loose.len() <= LOOSE_PACKS && loose_chunks <= LOOSE_CHUNKS {
        return Ok(());
    }
    folder.create_dir(INDEX)?;
    let Some(_lock) = folder.try_lock(LOCK, LockMode::Exclusive)? else { return Ok(()) };
    let index = Index::load(folder)?;
    let mut sizes: Vec<(usize, &String, &Segment)> =
        index.segments.iter().map(|(name, s)| (s.chunks() + s.packs().len(), name, s)).collect();
    sizes.sort_unstable_by_key(|(size, ..)| *size);
    let mut total = loose_chunks + index.loose.len();
    let mut packs: Vec<PackId> = index.loose.clone();
    let mut merged = Vec::new();
    for (size, name, segment) in sizes {
        if size > 2 * total {
            break;
        }
        total += size;
        packs.extend(segment.packs().iter().filter(|id| !index.gone.contains(id)));
        merged.push(name.clone());
    }
    write(folder, &packs, &merged)
}

/// Replaces all segments by one over `packs`; for gc and repair. The caller holds the store
/// exclusively or only adds packs.
pub(super) fn rebuild(folder: &Folder, packs: &[PackId]) -> Result<()> {
    folder.create_dir(INDEX)?;
    let _lock = folder.lock(LOCK, LockMode::Exclusive)?;
    write(folder, packs, &list_segments(folder)?)
}

/// Writes a segment over `packs` if they are many, then removes the segments it replaces.
///
/// Changes nothing when the footer of one of the packs is damaged: then the old segments are what
/// is left to find its chunks by, until `fsck --repair` has saved them.
fn write(folder: &Folder, packs: &[PackId], replaced: &[String]) -> Result<()> {
    let mut packs = packs.to_vec();
    packs.sort_unstable();
    packs.dedup();
    let mut footers = Vec::with_capacity(packs.len());
    for id in packs {
        match read_footer(folder, id) {
            Ok(Ok(footer)) => footers.push((id, footer)),
            Ok(Err(_)) => return Ok(()),
            Err(Error::Disk(e)) if e.is_not_found() => {}
            Err(e) => return Err(e),
        }
    }
    if footers.len() > LOOSE_PACKS
        || footers.iter().map(|(_, f)| f.chunks.len()).sum::<usize>() > LOOSE_CHUNKS
    {
        let views: Vec<_> = footers.iter().map(|(id, f)| (*id, f)).collect();
        let name = format!("{}{SUFFIX}", PackId::random()?);
        folder.write(Path::new(INDEX).join(name), &Segment::encode(&views))?;
    }
    for name in replaced {
        match folder.remove(Path::new(INDEX).join(name)) {
            // A folder of that name, which readers pass over, is for repair to set aside.
            Err(e) if e.is_damage() => {}
            other => other?,
        }
    }
    if !replaced.is_empty() {
        folder.sync_dir(INDEX)?;
    }
    Ok(())
}

/// The names of the segments; what else lies there is nobody's.
fn list_segments(folder: &Folder) -> Result<Vec<String>> {
    let mut names = folder.list(INDEX)?;
    names.retain(|n| n.strip_suffix(SUFFIX).is_some_and(|id| PackId::of_name(id).is_some()));
    Ok(names)
}

/// The file of a pack, relative to the store.
pub fn pack_name(id: PackId) -> String {
    format!("{PACKS}/{id}.pack")
}

pub(super) fn list_packs(folder: &Folder) -> Result<Vec<PackId>> {
    let names = folder.list(PACKS)?;
    let mut packs: Vec<PackId> =
        names.iter().filter_map(|n| PackId::of_name(n.strip_suffix(".pack")?)).collect();
    packs.sort_unstable();
    Ok(packs)
}

/// Reads the footer of a pack. The inner error says how the pack is damaged.
pub(super) fn read_footer(
    folder: &Folder,
    id: PackId,
) -> Result<std::result::Result<Footer, &'static str>> {
    let name = pack_name(id);
    let read = match folder.open(&name) {
        Ok(file) => footer_of(&file, id).map_err(disk::Error::on("read", &folder.path(&name))),
        Err(e) => Err(e),
    };
    match read {
        Err(e) if e.is_damage() => Ok(Err(UNREADABLE)),
        other => Ok(other?),
    }
}

fn footer_of(
    file: &File,
    id: PackId,
) -> std::io::Result<std::result::Result<Footer, &'static str>> {
    const SHORT: &str = "it is cut off";
    let len = file.metadata()?.len();
    if len < (HEADER + TRAILER) as u64 {
        return Ok(Err(SHORT));
    }
    let mut head = [0; HEADER];
    file.read_exact_at(&mut head, 0)?;
    let mut trailer = [0; TRAILER];
    file.read_exact_at(&mut trailer, len - TRAILER as u64)?;
    let tail_len = match Footer::len_from_trailer(&trailer) {
        Ok(tail_len) if tail_len <= len - HEADER as u64 => tail_len,
        Ok(_) => return Ok(Err(SHORT)),
        Err(reason) => return Ok(Err(reason)),
    };
    let mut tail = vec![0; tail_len as usize];
    file.read_exact_at(&mut tail, len - tail_len)?;
    Ok(Footer::decode(id, &head, &tail, len))
}
