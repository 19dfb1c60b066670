//! Client and server against each other, and each against a peer that breaks the protocol.

mod support;

use futures::{
    AsyncReadExt, AsyncWriteExt,
    executor::block_on,
    future::{self, Either},
    pin_mut, poll,
};
use perf_protocol::{
    BLOCK_LEN, Decoded, Error, HEADER_LEN, HeaderDecoder, Payload, ReadBuffer, Served, WRITE_LEN,
    block, encode_header, request, serve,
};
use proptest::{collection::vec, prelude::*, test_runner::TestCaseResult};
use support::{
    choppy::Choppy,
    pipe::{End, duplex},
    raw::{raw_request, read_exactly, read_to_end, write_and_close, zeros},
    strategy::{Sizes, buffer, capacity, few, len, script, short_len, sizes},
    tally::Tally,
};

proptest! {
    #[test]
    fn client_and_server_agree(
        Sizes { upload, download, capacity, buffers } in sizes(),
        (client_script, server_script) in (script(), script()),
    ) {
        let (near, far) = duplex(capacity);
        let (mut client_buffer, mut server_buffer) = (buffer(buffers.0), buffer(buffers.1));
        let (asking, answering) = (Tally::default(), Tally::default());
        let near = Choppy::new(near, client_script);
        let far = Choppy::new(far, server_script);
        let (client, server) = block_on(future::join(
            request(near, upload, download, &asking, &mut client_buffer),
            serve(far, &answering, &mut server_buffer),
        ));
        prop_assert!(client.is_ok(), "{client:?}");
        prop_assert_eq!(server.ok(), Some(Served { received: upload, sent: download }));
        prop_assert_eq!(asking.totals(), (1, upload, download));
        prop_assert_eq!(answering.totals(), (1, download, upload));
    }

    #[test]
    fn the_wire_holds_header_and_block(
        Sizes { upload, capacity, .. } in sizes(), download in any::<u64>(), script in script(),
    ) {
        let (near, mut far) = duplex(capacity);
        let near = Choppy::new(near, script);
        let server = async move {
            let wire = read_to_end(&mut far).await;
            write_and_close(&mut far, &[]).await;
            wire
        };
        let mut buffer = ReadBuffer::new();
        let client = request(near, upload, download, &(), &mut buffer);
        let (client, wire) = block_on(future::join(client, server));
        prop_assert_eq!(client.is_ok(), download == 0);
        prop_assert_eq!(&wire[..HEADER_LEN], encode_header(download));
        prop_assert_eq!((wire.len() - HEADER_LEN) as u64, upload);
        for piece in wire[HEADER_LEN..].chunks(BLOCK_LEN) {
            prop_assert!(piece == &block()[..piece.len()]);
        }
    }

    #[test]
    fn a_payload_is_the_same_however_it_is_cut(
        len in len(), mut cuts in vec(1..=WRITE_LEN, 1..20),
    ) {
        cuts.push(WRITE_LEN); // Or it takes long.
        let mut payload = Payload::new(len);
        let mut at = 0;
        for cut in cuts.iter().cycle() {
            if payload.is_done() {
                break;
            }
            let piece = &payload.chunk()[..payload.chunk().len().min(*cut)];
            prop_assert!(!piece.is_empty());
            for (offset, byte) in piece.iter().enumerate().step_by(997) {
                prop_assert_eq!(*byte, block()[(at + offset) % BLOCK_LEN]);
            }
            at += piece.len();
            payload.advance(piece.len());
        }
        prop_assert_eq!((at as u64, payload.sent()), (len, len));
    }

    #[test]
    fn a_header_decodes_however_it_is_split(
        requested in any::<u64>(), behind in vec(any::<u8>(), 0..20),
        cuts in vec(0..6_usize, 0..40),
    ) {
        let mut wire = Vec::from(encode_header(requested));
        wire.extend(&behind);
        let (mut decoder, mut at) = (HeaderDecoder::new(), 0);
        for cut in cuts.into_iter().chain([wire.len()]) {
            let slice = &wire[at..wire.len().min(at + cut)];
            match decoder.decode(slice) {
                Decoded::Incomplete => at += slice.len(),
                Decoded::Complete { requested: decoded, consumed } => {
                    prop_assert_eq!((decoded, at + consumed), (requested, HEADER_LEN));
                    return Ok(());
                }
            }
            prop_assert!(at < HEADER_LEN, "{} bytes are a header", at);
        }
        prop_assert!(false, "never complete");
    }

    #[test]
    fn a_short_answer_is_its_own_error(
        Sizes { upload, download: sent, capacity, .. } in sizes(), missing in few(),
    ) {
        let expected = sent + missing;
        let outcome = against_server(upload, expected, capacity, async |mut server| {
            read_to_end(&mut server).await;
            write_and_close(&mut server, &zeros(sent)).await;
        });
        let Err(Error::ShortAnswer { expected: asked, received }) = outcome else {
            return Err(TestCaseError::fail(format!("{outcome:?}")));
        };
        prop_assert_eq!((asked, received), (expected, sent));
    }

    #[test]
    fn a_long_answer_is_its_own_error(
        Sizes { upload, download: expected, capacity, .. } in sizes(), surplus in few(),
    ) {
        let outcome = against_server(upload, expected, capacity, async |mut server| {
            read_to_end(&mut server).await;
            write_and_close(&mut server, &zeros(expected + surplus)).await;
        });
        let ok = matches!(outcome, Err(Error::LongAnswer { expected: e }) if e == expected);
        prop_assert!(ok, "{outcome:?}");
    }

    #[test]
    fn an_endless_answer_is_not_read_to_its_end(
        Sizes { upload, download: expected, capacity, buffers } in sizes(),
    ) {
        let mut buffer = buffer(buffers.0);
        let (near, mut far) = duplex(capacity);
        let server = async {
            read_to_end(&mut far).await;
            while far.write_all(&[0; 100]).await.is_ok() {}
        };
        let client = request(near, upload, expected, &(), &mut buffer);
        let (client, ()) = block_on(future::join(client, server));
        let ok = matches!(client, Err(Error::LongAnswer { expected: e }) if e == expected);
        prop_assert!(ok, "{client:?}");
    }

    #[test]
    fn an_answer_before_the_request_is_early(
        Sizes { upload, download, capacity, .. } in sizes(), ends in any::<bool>(),
    ) {
        let (near, mut far) = duplex(capacity);
        block_on(speak_early(&mut far, ends))?;
        let mut buffer = ReadBuffer::new();
        let client = request(near, upload, download, &(), &mut buffer);
        let (client, _) = block_on(future::join(client, read_to_reset(far)));
        assert_early(client, ends)?;
    }

    #[test]
    fn an_answer_within_the_request_is_early(
        after in 0..5000_u64, beyond in 1..5000_u64, capacity in capacity(),
        (ends, reads_on) in any::<(bool, bool)>(),
    ) {
        // More than the pipe takes beyond what the server reads, so that the client cannot have
        // closed.
        let upload = after + capacity as u64 + beyond;
        let (near, mut far) = duplex(capacity);
        let mut buffer = ReadBuffer::new();
        let client = request(near, upload, 0, &(), &mut buffer);
        let server = async {
            read_exactly(&mut far, after).await;
            speak_early(&mut far, ends).await?;
            if reads_on {
                read_to_reset(far).await;
                return TestCaseResult::Ok(());
            }
            future::pending().await
        };
        pin_mut!(client, server);
        let client = match block_on(future::select(client, server)) {
            Either::Left((client, _)) => client,
            Either::Right((server, client)) => {
                server?;
                block_on(client)
            }
        };
        assert_early(client, ends)?;
    }

    #[test]
    fn a_server_that_resets_is_a_reset(
        upload in short_len(), download in 1..5000_u64, capacity in capacity(),
        point in any::<prop::sample::Index>(),
    ) {
        let asked = HEADER_LEN as u64 + upload;
        let point = point.index(usize::try_from(asked + download).expect("small")) as u64;
        let outcome = against_server(upload, download, capacity, async |mut server| {
            read_exactly(&mut server, point.min(asked)).await;
            if point > asked {
                read_to_end(&mut server).await;
                let sent = server.write_all(&zeros(point - asked)).await;
                assert!(sent.is_ok(), "{sent:?}");
            }
        });
        prop_assert!(matches!(outcome, Err(Error::Reset(_))), "{outcome:?}");
    }

    #[test]
    fn a_client_that_resets_within_its_request_is_a_reset(
        upload in short_len(), download in any::<u64>(), capacity in capacity(),
        point in any::<prop::sample::Index>(),
    ) {
        let wire = raw_request(download, upload);
        let point = point.index(wire.len() + 1);
        let (outcome, _) = against_client(capacity, async |mut client| {
            assert!(client.write_all(&wire[..point]).await.is_ok());
        });
        prop_assert!(matches!(outcome, Err(Error::Reset(_))), "{outcome:?}");
    }

    #[test]
    fn the_largest_request_streams_until_the_client_resets(
        Sizes { upload, download: read, capacity, .. } in sizes(),
    ) {
        let (outcome, (_, sent, received)) = against_client(capacity, async |mut client| {
            write_and_close(&mut client, &raw_request(u64::MAX, upload)).await;
            read_exactly(&mut client, read).await;
        });
        prop_assert!(matches!(outcome, Err(Error::Reset(_))), "{outcome:?}");
        prop_assert_eq!(received, upload);
        let buffered = sent.checked_sub(read);
        prop_assert!(buffered.is_some_and(|b| b <= capacity as u64), "{sent} sent, {read} read");
    }

    #[test]
    fn an_end_within_the_header_is_its_own_error(
        requested in any::<u64>(), arrived in 0..HEADER_LEN, capacity in capacity(),
    ) {
        let (outcome, totals) = against_client(capacity, async |mut client| {
            write_and_close(&mut client, &encode_header(requested)[..arrived]).await;
            // Nothing comes back, and the server does not pretend to have finished.
            assert!(client.read_to_end(&mut Vec::new()).await.is_err());
        });
        let ok = matches!(outcome, Err(Error::TruncatedHeader { received }) if received == arrived);
        prop_assert!(ok, "{outcome:?}");
        prop_assert_eq!(totals, (1, 0, 0));
    }

    #[test]
    fn nothing_is_answered_before_the_client_closes(
        upload in short_len(), download in 1..5000_u64, capacity in capacity(),
    ) {
        let (mut near, far) = duplex(capacity);
        let tally = Tally::default();
        let mut buffer = ReadBuffer::new();
        let server = serve(far, &tally, &mut buffer);
        pin_mut!(server);

        let written = async {
            let wire = raw_request(download, upload);
            let write = near.write_all(&wire);
            pin_mut!(write);
            let Either::Left((written, _)) = future::select(write, server.as_mut()).await else {
                return Err(TestCaseError::fail("answered within the request"));
            };
            prop_assert!(written.is_ok());
            // All of it has been read, and the stream has nothing more to say: now it has to wait.
            prop_assert!(poll!(server.as_mut()).is_pending());
            prop_assert!(poll!(server.as_mut()).is_pending());
            prop_assert_eq!(tally.totals(), (1, 0, upload));
            prop_assert!(poll!(near.read(&mut [0])).is_pending());
            Ok(())
        };
        block_on(written)?;

        // It was the close that it waited for.
        let client = async {
            assert!(near.close().await.is_ok());
            read_to_end(&mut near).await.len() as u64
        };
        let (served, answer) = block_on(future::join(server, client));
        prop_assert_eq!(served.ok(), Some(Served { received: upload, sent: download }));
        prop_assert_eq!(answer, download);
    }
}

/// The client's outcome against a server of our own.
fn against_server(
    upload: u64,
    download: u64,
    capacity: usize,
    server: impl AsyncFnOnce(End),
) -> Result<(), Error> {
    let (near, far) = duplex(capacity);
    let mut buffer = ReadBuffer::new();
    block_on(future::join(request(near, upload, download, &(), &mut buffer), server(far))).0
}

/// The server's outcome against a client of our own, and what it counted.
fn against_client(
    capacity: usize,
    client: impl AsyncFnOnce(End),
) -> (Result<Served, Error>, (u64, u64, u64)) {
    let (near, far) = duplex(capacity);
    let mut buffer = ReadBuffer::new();
    let tally = Tally::default();
    let (outcome, ()) = block_on(future::join(serve(far, &tally, &mut buffer), client(near)));
    (outcome, tally.totals())
}

/// Sends one byte, or ends without one.
async fn speak_early(server: &mut End, ends: bool) -> TestCaseResult {
    let spoken = if ends { server.close().await } else { server.write_all(&[1]).await };
    prop_assert!(spoken.is_ok(), "{spoken:?}");
    Ok(())
}

/// Reads until the client, which has to notice, drops its end.
async fn read_to_reset(mut server: End) {
    let end = server.read_to_end(&mut Vec::new()).await;
    assert!(end.is_err(), "the client closed as if nothing had been said");
}

fn assert_early(outcome: Result<(), Error>, ends: bool) -> TestCaseResult {
    match outcome {
        Err(Error::EarlyEnd { .. }) if ends => Ok(()),
        Err(Error::EarlyAnswer { .. }) if !ends => Ok(()),
        other => Err(TestCaseError::fail(format!("{other:?}, ends: {ends}"))),
    }
}
