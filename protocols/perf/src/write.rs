//! One write, as client and server both make it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures::AsyncWrite;

/// Polls for `bytes` (not empty) to be written, in part or in whole. A write that takes nothing is
/// an error.
pub(crate) fn poll_write<S>(
    stream: Pin<&mut S>,
    cx: &mut Context<'_>,
    bytes: &[u8],
) -> Poll<io::Result<usize>>
where
    S: AsyncWrite + ?Sized,
{
    let written = ready!(stream.poll_write(cx, bytes))?;
    if written == 0 {
        return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
    }
    Poll::Ready(Ok(written))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{io::Cursor, task::noop_waker};

    #[test]
    fn a_write_that_takes_nothing_fails() {
        let waker = noop_waker();
        let mut cx = Context::from_waker(&waker);
        let mut full = Cursor::new(vec![0; 2].into_boxed_slice());
        assert!(matches!(poll_write(Pin::new(&mut full), &mut cx, b"abc"), Poll::Ready(Ok(2))));
        let Poll::Ready(Err(error)) = poll_write(Pin::new(&mut full), &mut cx, b"c") else {
            panic!("nothing was written, and no error");
        };
        assert_eq!(error.kind(), io::ErrorKind::WriteZero);
    }
}
