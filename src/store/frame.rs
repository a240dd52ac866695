//! Frames: several chunks behind each other, compressed as one.
//!
//! Small chunks share a frame in the order they come (path order), because compressing them
//! together halves their size; what does not compress goes into raw frames, where one chunk can be
//! read without its neighbours. A frame says its codec, so later codecs change no id.

use crate::id::ChunkId;

/// A frame is closed when its raw bytes reach this.
pub(super) const TARGET: usize = 2 << 20;

/// No frame holds more raw bytes than this; what says otherwise is damaged.
pub(super) const MAX_RAW: usize = 4 << 20;

/// Chunks below this go by what their caller knows of them; larger ones are tried.
const TRIAL_MIN: usize = 16 << 10;

/// Bytes from the middle of a chunk that are compressed to see whether it is worth it.
const TRIAL: usize = 16 << 10;

/// How a frame's bytes are stored. The number stands in the pack's footer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// As they are.
    Raw = 0,
    /// One zstd frame.
    Zstd = 1,
}

impl Codec {
    /// The codec with this number.
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Raw),
            1 => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// What the writer should do with a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Keep it raw.
    None,
    /// zstd at this level, for content that is known to shrink, such as text.
    Zstd(i32),
    /// zstd at this level, unless the chunk is large and a trial shows that it does not shrink.
    Likely(i32),
    /// For content that is compressed already as far as its type tells: only large chunks are
    /// tried, and compressed if that pays.
    Doubtful(i32),
}

/// A closed frame, ready to be appended to a pack.
pub(super) struct Frame<'a> {
    pub(super) codec: Codec,
    pub(super) raw_len: u32,
    pub(super) bytes: &'a [u8],
    pub(super) chunks: &'a [(ChunkId, u32)],
}

/// The frame that one thread is filling.
pub(super) struct Builder {
    level: Option<i32>,
    raw: Vec<u8>,
    chunks: Vec<(ChunkId, u32)>,
}

impl Builder {
    /// A builder that compresses at `level`, or not at all.
    pub(super) fn new(level: Option<i32>) -> Self {
        Self { level, raw: Vec::new(), chunks: Vec::new() }
    }

    pub(super) fn level(&self) -> Option<i32> {
        self.level
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Whether the frame should be closed before `len` more bytes come.
    pub(super) fn is_full_for(&self, len: usize) -> bool {
        !self.chunks.is_empty() && self.raw.len() + len > TARGET
    }

    pub(super) fn push(&mut self, id: ChunkId, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
        self.chunks.push((id, bytes.len() as u32));
    }

    /// Closes the frame, hands it to `sink`, and starts the next.
    pub(super) fn close<E>(
        &mut self,
        encoder: &mut Encoder,
        sink: impl FnOnce(Frame<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (codec, bytes) = encoder.encode(&self.raw, self.level);
        let raw_len = self.raw.len() as u32;
        let outcome = sink(Frame { codec, raw_len, bytes, chunks: &self.chunks });
        self.raw.clear();
        self.chunks.clear();
        outcome
    }
}

/// Compresses frames; keeps its working memory from one to the next.
pub(super) struct Encoder {
    contexts: Vec<(i32, zstd::bulk::Compressor<'static>)>,
    out: Vec<u8>,
}

impl Encoder {
    pub(super) fn new() -> Self {
        Self { contexts: Vec::new(), out: Vec::new() }
    }

    /// The level at which to compress a chunk, or `None` to keep it raw.
    pub(super) fn decide(&mut self, bytes: &[u8], wish: Compression) -> Option<i32> {
        let level = match wish {
            Compression::None => return None,
            Compression::Doubtful(_) if bytes.len() < TRIAL_MIN => return None,
            Compression::Zstd(level) => return Some(level),
            Compression::Likely(level) if bytes.len() < TRIAL_MIN => return Some(level),
            Compression::Likely(level) | Compression::Doubtful(level) => level,
        };
        let start = (bytes.len() - TRIAL.min(bytes.len())) / 2;
        let sample = &bytes[start..start + TRIAL.min(bytes.len())];
        let (codec, shrunk) = self.encode(sample, Some(1));
        (codec == Codec::Zstd && shrunk.len() < sample.len() / 20 * 19).then_some(level)
    }

    /// The shorter of compressed and raw, as codec and bytes.
    fn encode<'a>(&'a mut self, raw: &'a [u8], level: Option<i32>) -> (Codec, &'a [u8]) {
        let Some(level) = level else { return (Codec::Raw, raw) };
        let Some(context) = context(&mut self.contexts, level) else { return (Codec::Raw, raw) };
        let bound = zstd::zstd_safe::compress_bound(raw.len());
        if self.out.len() < bound {
            self.out.resize(bound, 0);
        }
        match context.compress_to_buffer(raw, &mut self.out[..]) {
            Ok(len) if len < raw.len() => (Codec::Zstd, &self.out[..len]),
            _ => (Codec::Raw, raw),
        }
    }
}

fn context<'a>(
    contexts: &'a mut Vec<(i32, zstd::bulk::Compressor<'static>)>,
    level: i32,
) -> Option<&'a mut zstd::bulk::Compressor<'static>> {
    if let Some(at) = contexts.iter().position(|(l, _)| *l == level) {
        return contexts.get_mut(at).map(|(_, c)| c);
    }
    contexts.push((level, zstd::bulk::Compressor::new(level).ok()?));
    contexts.last_mut().map(|(_, c)| c)
}

/// Decodes frames; keeps its working memory from one to the next.
pub(super) struct Decoder {
    context: Option<zstd::bulk::Decompressor<'static>>,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self { context: zstd::bulk::Decompressor::new().ok() }
    }

    /// Decodes a stored frame into `out`, which then has exactly `raw_len` bytes.
    ///
    /// Returns what is wrong with the frame otherwise. `raw_len` comes from a footer that is
    /// checked, and is bounded by [`MAX_RAW`] there.
    pub(super) fn decode(
        &mut self,
        codec: Codec,
        stored: &[u8],
        raw_len: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), &'static str> {
        out.clear();
        match codec {
            Codec::Raw if stored.len() == raw_len => out.extend_from_slice(stored),
            Codec::Raw => return Err("a raw frame has another length than it says"),
            Codec::Zstd => {
                let context = self.context.as_mut().ok_or("zstd could not start")?;
                out.resize(raw_len, 0);
                match context.decompress_to_buffer(stored, &mut out[..]) {
                    Ok(len) if len == raw_len => {}
                    Ok(_) => return Err("a frame has another length than it says"),
                    Err(_) => return Err("a frame does not decompress"),
                }
            }
        }
        Ok(())
    }
}
