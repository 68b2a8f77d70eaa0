//! Inflation: whole objects at their known sizes with libdeflate, big ones window by window with zlib-rs.

use flate2::{Decompress, FlushDecompress, Status};
use libdeflater::Decompressor;

use super::Why;
use super::read_at::Source;

/// No deflate stream expands more than this many times.
const EXPANSION: u64 = 1032;

/// Refuses a size that cannot come from so many packed bytes: nothing is allocated for a lie.
pub(super) fn plausible(claimed: u64, packed: u64) -> Result<(), Why> {
    if claimed > packed.saturating_mul(EXPANSION).saturating_add(64) {
        return Err(Why::Claim { claimed, packed });
    }
    Ok(())
}

/// Inflates a zlib stream that must fill `out`; bytes behind the stream are nobody's.
pub(super) fn inflate(tool: &mut Decompressor, packed: &[u8], out: &mut [u8]) -> Result<(), Why> {
    let claimed = out.len() as u64;
    match tool.zlib_decompress(packed, out) {
        Ok(size) if size as u64 == claimed => Ok(()),
        Ok(_) | Err(libdeflater::DecompressionError::InsufficientSpace) => {
            Err(Why::Size { claimed })
        }
        Err(libdeflater::DecompressionError::BadData) => Err(Why::Inflate),
    }
}

/// A stretch of an object that is too large to be held whole.
#[derive(Debug, Clone, Copy)]
pub struct Window<'a> {
    /// Where `bytes` begins in the object.
    pub start: u64,
    /// The stretch.
    pub bytes: &'a [u8],
    /// How many bytes at the beginning were in the window before, too: the overlap; 0 in the first one.
    pub seen: usize,
    /// Whether it ends the object.
    pub last: bool,
}

/// Cuts bytes that come in pieces of any size into windows that overlap.
pub(super) struct Windower<F> {
    held: Vec<u8>,
    window: usize,
    overlap: usize,
    start: u64,
    seen: usize,
    left: u64,
    on: F,
}

impl<F: FnMut(Window<'_>)> Windower<F> {
    /// For an object of `size` bytes. A window has `window` bytes, of which `overlap` are from the one before.
    pub(super) fn new(size: u64, window: usize, overlap: usize, on: F) -> Self {
        Self {
            held: Vec::with_capacity(window.max(overlap + 1)),
            window: window.max(overlap + 1),
            overlap,
            start: 0,
            seen: 0,
            left: size,
            on,
        }
    }

    pub(super) fn push(&mut self, mut piece: &[u8]) {
        while !piece.is_empty() {
            let take = piece.len().min(self.window - self.held.len());
            self.held.extend_from_slice(&piece[..take]);
            piece = &piece[take..];
            self.left = self.left.saturating_sub(take as u64);
            if self.held.len() == self.window || self.left == 0 {
                self.give();
            }
        }
    }

    fn give(&mut self) {
        (self.on)(Window {
            start: self.start,
            bytes: &self.held,
            seen: self.seen,
            last: self.left == 0,
        });
        let keep = self.overlap.min(self.held.len());
        let gone = self.held.len() - keep;
        self.held.drain(..gone);
        self.start += gone as u64;
        self.seen = keep;
    }
}

/// A zlib stream that is read and inflated piece by piece.
pub(super) struct Stream<'s> {
    source: &'s Source,
    at: u64,
    end: u64,
    input: Vec<u8>,
    used: usize,
    tool: Decompress,
    done: bool,
}

const PIECE: usize = 64 << 10;

impl<'s> Stream<'s> {
    /// Over the bytes from `at` to `end`.
    pub(super) fn new(source: &'s Source, at: u64, end: u64) -> Self {
        Self {
            source,
            at,
            end,
            input: Vec::new(),
            used: 0,
            tool: Decompress::new(true),
            done: false,
        }
    }

    /// Fills as much of `out` as there is; 0 at the end of the stream.
    pub(super) fn read(&mut self, out: &mut [u8]) -> Result<usize, Why> {
        let mut filled = 0;
        while filled < out.len() && !self.done {
            if self.used == self.input.len() {
                let next = (self.end - self.at).min(PIECE as u64) as usize;
                self.input.resize(next, 0);
                self.source.read_exact_at(&mut self.input, self.at)?;
                self.at += next as u64;
                self.used = 0;
            }
            let (before_in, before_out) = (self.tool.total_in(), self.tool.total_out());
            let status = self
                .tool
                .decompress(
                    &self.input[self.used..],
                    &mut out[filled..],
                    FlushDecompress::None,
                )
                .map_err(|_| Why::Inflate)?;
            let took = (self.tool.total_in() - before_in) as usize;
            let gave = (self.tool.total_out() - before_out) as usize;
            self.used += took;
            filled += gave;
            self.done = status == Status::StreamEnd;
            if !self.done && took == 0 && gave == 0 && self.at == self.end {
                return Err(Why::Inflate);
            }
        }
        Ok(filled)
    }

    /// Gives `size` bytes to the windower; the stream must end there.
    pub(super) fn windows<F: FnMut(Window<'_>)>(
        &mut self,
        size: u64,
        to: &mut Windower<F>,
        stop: &dyn Fn() -> bool,
    ) -> Result<(), Why> {
        let mut room = vec![0; PIECE];
        let mut left = size;
        while !stop() {
            // One byte more than there should be, to notice a stream that goes on.
            let want = (left + 1).min(PIECE as u64) as usize;
            let got = self.read(&mut room[..want])?;
            if got as u64 > left || (got == 0 && left > 0) {
                return Err(Why::Size { claimed: size });
            }
            if got == 0 {
                break;
            }
            to.push(&room[..got]);
            left -= got as u64;
        }
        Ok(())
    }
}

/// Bytes that are reused: what has been zeroed once is not zeroed again.
#[derive(Default)]
pub(super) struct Buf {
    data: Vec<u8>,
    len: usize,
}

impl Buf {
    /// Makes it `len` bytes of any content.
    pub(super) fn set_len(&mut self, len: usize) {
        if self.data.len() < len {
            // Fresh zeroed pages cost less than copying the old content, of which nobody has need.
            self.data = Vec::new();
            self.data = vec![0; len + len / 8];
        }
        self.len = len;
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.data[..self.len]
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.data[..self.len]
    }

    /// Bytes of memory that it takes.
    pub(super) fn held(&self) -> usize {
        self.data.len()
    }
}

impl From<Vec<u8>> for Buf {
    fn from(data: Vec<u8>) -> Self {
        Self {
            len: data.len(),
            data,
        }
    }
}

/// Buffers out of use.
#[derive(Default)]
pub(super) struct Pool {
    free: Vec<Buf>,
    held: usize,
}

impl Pool {
    const MOST: usize = 24;

    /// A buffer of `len` bytes of any content: the smallest that has the room, else a new one.
    pub(super) fn take(&mut self, len: usize) -> Buf {
        let fit = (0..self.free.len())
            .filter(|i| self.free[*i].held() >= len)
            .min_by_key(|i| self.free[*i].held());
        // A small object does not take a huge buffer along into the stack of live bases.
        let fit = fit.filter(|i| self.free[*i].held() <= 4 * len + (256 << 10));
        let which = fit.or_else(|| (self.free.len() >= Self::MOST).then_some(0));
        let mut buf = which.map(|i| self.free.swap_remove(i)).unwrap_or_default();
        self.held -= buf.held();
        buf.set_len(len);
        buf
    }

    pub(super) fn give(&mut self, buf: Buf) {
        if self.free.len() < Self::MOST {
            self.held += buf.held();
            self.free.push(buf);
        }
    }

    /// Frees one buffer, `false` when there is none.
    pub(super) fn shrink(&mut self) -> bool {
        let gone = self.free.pop();
        if let Some(buf) = &gone {
            self.held -= buf.held();
        }
        gone.is_some()
    }

    /// Bytes of memory in it.
    pub(super) fn held(&self) -> usize {
        self.held
    }
}
