//! How a listener answers: well, late, at a rate, or wrongly.

use std::time::Duration;

use clap::ValueEnum;
use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::Stream;
use perf_protocol::{Decoded, HeaderDecoder, Payload};
use tokio::time::sleep;

use super::observed::StreamSeen;
use super::pace::Pace;

/// How long what was sent has to arrive before the stream is reset behind it: some muxers let the
/// reset overtake.
const BEFORE_RESET: Duration = Duration::from_millis(50);

/// What a listener does with every stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Behaviour {
    /// Serves as the protocol has it
    Exact,
    /// Reads nothing for --delay-ms, then at --rate: an upload timed at the sender's buffers shows
    LateReader,
    /// Reads at --rate, and answers at full speed
    PacedReader,
    /// Reads at full speed; answers at --rate, the first byte after --delay-ms
    PacedSender,
    /// Answers one byte less than asked for
    TooLittle,
    /// Answers one byte more than asked for, an upload with one
    TooMuch,
    /// Answers and never stops
    Endless,
    /// Answers one byte, and its end, once it has read the header
    EarlyAnswer,
    /// Ends its side once it has read the header
    EarlyEof,
    /// Reads the header and nothing more, and says nothing
    StopsReading,
    /// Reads all and says nothing
    NeverAnswers,
    /// Answers as asked and does not end its side
    NeverCloses,
    /// Drops the stream half way through a download
    Reset,
    /// Drops the stream in place of a download's last byte and end
    LateReset,
    /// Drops the stream once it has read the header
    ResetUpload,
    /// Connects, and does not speak /perf/1.0.0
    NoPerf,
}

/// A behaviour with its figures.
#[derive(Clone, Copy, Debug)]
pub struct Conduct {
    /// What is done.
    pub behaviour: Behaviour,
    /// In bytes a second; `None`: as fast as it goes. For those that keep to a rate.
    pub rate: Option<f64>,
    /// For those that wait.
    pub delay: Duration,
}

impl From<Behaviour> for Conduct {
    fn from(behaviour: Behaviour) -> Self {
        Self { behaviour, rate: None, delay: Duration::ZERO }
    }
}

/// How much of a request is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reads {
    All,
    Header,
}

/// What follows the last byte of an answer.
#[derive(Clone, Copy)]
enum End {
    Close,
    Reset,
    Never,
}

impl Behaviour {
    /// Whether [`Conduct::rate`] means anything to it.
    pub const fn keeps_a_rate(self) -> bool {
        matches!(self, Self::LateReader | Self::PacedReader | Self::PacedSender)
    }

    /// Whether [`Conduct::delay`] means anything to it.
    pub const fn waits(self) -> bool {
        matches!(self, Self::LateReader | Self::PacedSender)
    }

    const fn reads(self) -> Reads {
        match self {
            Self::EarlyAnswer | Self::EarlyEof | Self::StopsReading | Self::ResetUpload => {
                Reads::Header
            }
            _ => Reads::All,
        }
    }

    /// How many bytes a request for `asked` is answered with, and what follows them.
    const fn answer(self, asked: u64) -> (u64, End) {
        match self {
            Self::Exact
            | Self::LateReader
            | Self::PacedReader
            | Self::PacedSender
            | Self::NoPerf => (asked, End::Close),
            Self::TooLittle => (asked.saturating_sub(1), End::Close),
            Self::TooMuch => (asked.saturating_add(1), End::Close),
            Self::Endless => (u64::MAX, End::Close),
            Self::EarlyAnswer => (1, End::Close),
            Self::EarlyEof => (0, End::Close),
            Self::StopsReading | Self::NeverAnswers => (0, End::Never),
            Self::NeverCloses => (asked, End::Never),
            // rust-yamux reads a reset after its half-close as an end: an upload would seem done.
            Self::Reset | Self::LateReset if asked == 0 => (0, End::Close),
            Self::Reset => (asked / 2, End::Reset),
            Self::LateReset => (asked - 1, End::Reset),
            Self::ResetUpload => (0, End::Reset),
        }
    }
}

impl Conduct {
    /// Serves one stream, and notes in `seen` what the dialer did.
    pub async fn serve(self, stream: Stream, seen: &StreamSeen) {
        let serving = Serving { stream, seen };
        if let Err(error) = serving.run(self).await {
            tracing::debug!("a stream broke: {error}");
            seen.reset();
        }
    }
}

/// A stream that is being served.
struct Serving<'a> {
    stream: Stream,
    seen: &'a StreamSeen,
}

impl Drop for Serving<'_> {
    /// Also where the connection ends under it.
    fn drop(&mut self) {
        self.seen.ended();
    }
}

impl Serving<'_> {
    async fn run(mut self, conduct: Conduct) -> std::io::Result<()> {
        let Conduct { behaviour, rate, delay } = conduct;
        let (read_rate, send_rate) = match behaviour {
            Behaviour::PacedSender => (None, rate),
            _ => (rate, None),
        };
        if behaviour == Behaviour::LateReader {
            sleep(delay).await;
        }
        let Some(asked) = self.read_request(behaviour.reads(), Pace::start(read_rate)).await?
        else {
            return Ok(());
        };
        if behaviour == Behaviour::PacedSender {
            sleep(delay).await;
        }
        let (bytes, end) = behaviour.answer(asked);
        self.send(bytes, Pace::start(send_rate)).await?;
        match end {
            End::Close => self.stream.close().await?,
            End::Reset => {
                sleep(BEFORE_RESET).await;
                return Ok(());
            }
            End::Never => {}
        }
        // A dialer that has not finished is left with the end alone, not with a reset as well.
        match (end, behaviour.reads()) {
            (End::Close, Reads::All) => Ok(()),
            _ => std::future::pending().await,
        }
    }

    /// Reads to the end, or no further than the header. How many bytes it asks for; `None`: the end
    /// came before that was said.
    async fn read_request(&mut self, reads: Reads, pace: Pace) -> std::io::Result<Option<u64>> {
        let mut header = HeaderDecoder::new();
        let mut block = vec![0; pace.piece()];
        // Beyond the header nothing may be taken off the stream of one that stops there.
        let mut limit = perf_protocol::HEADER_LEN;
        let (mut asked, mut received) = (None, 0);
        loop {
            let read = self.stream.read(&mut block[..limit]).await?;
            if read == 0 {
                self.seen.half_closed();
                return Ok(asked);
            }
            if asked.is_some() {
                received += read as u64;
                self.seen.received(read as u64);
                pace.until_due(received).await;
            } else if let Decoded::Complete { requested, .. } = header.decode(&block[..read]) {
                asked = Some(requested);
                self.seen.asked(requested);
                limit = block.len();
                if reads == Reads::Header {
                    return Ok(asked);
                }
            } else {
                limit -= read;
            }
        }
    }

    /// Sends `bytes`, each when it is due.
    async fn send(&mut self, bytes: u64, pace: Pace) -> std::io::Result<()> {
        let mut payload = Payload::new(bytes);
        while !payload.is_done() {
            let chunk = payload.chunk();
            let piece = &chunk[..chunk.len().min(pace.piece())];
            pace.until_due(payload.sent() + piece.len() as u64).await;
            let written = self.stream.write(piece).await?;
            if written == 0 {
                return Err(std::io::ErrorKind::WriteZero.into());
            }
            payload.advance(written);
            self.seen.sent(written as u64);
            // Else a muxer may hold back what is small until its own buffer is full.
            self.stream.flush().await?;
        }
        Ok(())
    }
}
