//! Listeners that a dialer must not take for what the address says.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use libp2p_core::Multiaddr;
use libp2p_core::multiaddr::Protocol;
use libp2p_core::multihash::Multihash;
use libp2p_webtransport_native::{CertificateError, Clock, Config, Error};
use support::raw::{Script, listen};
use support::{IP4, Node, identity};

async fn refused(address: &Multiaddr) -> Error {
    match Node::new(2).dial(address).await {
        Ok((peer, _)) => panic!("{peer} was taken"),
        Err(error) => error,
    }
}

/// `address` with its certhashes changed by `change`, which gets the place of each.
fn with_hashes(
    address: &Multiaddr,
    change: impl Fn(usize, Multihash<64>) -> Option<Multihash<64>>,
) -> Multiaddr {
    let mut place = 0;
    let parts = address.iter().filter_map(|part| match part {
        Protocol::Certhash(hash) => {
            place += 1;
            change(place - 1, hash).map(Protocol::Certhash)
        }
        part => Some(part),
    });
    parts.collect()
}

fn one_bit_off(hash: Multihash<64>) -> Multihash<64> {
    let mut digest = hash.digest().to_vec();
    digest[31] ^= 1;
    Multihash::wrap(hash.code(), &digest).unwrap()
}

#[tokio::test]
async fn a_hash_that_is_wrong_in_one_bit() {
    let mut listener = Node::new(1);
    let address = listener.listen(IP4).await;
    let off = with_hashes(&address, |place, hash| {
        Some(if place == 0 { one_bit_off(hash) } else { hash })
    });
    let error = refused(&off).await;
    assert!(matches!(error, Error::Certificate(CertificateError::UnknownHash)), "{error}");
}

#[tokio::test]
async fn two_hashes_of_which_one_is_unknown() {
    let mut listener = Node::new(1);
    let address = listener.listen(IP4).await;
    let off = with_hashes(&address, |place, hash| {
        Some(if place == 1 { one_bit_off(hash) } else { hash })
    });
    let error = refused(&off).await;
    assert!(
        matches!(error, Error::Noise(libp2p_noise::Error::UnknownWebTransportCerthashes(..))),
        "{error:?}"
    );
}

#[tokio::test]
async fn no_hash_at_all() {
    let mut listener = Node::new(1);
    let address = listener.listen(IP4).await;
    let error = refused(&with_hashes(&address, |_, _| None)).await;
    assert!(matches!(error, Error::NoCerthash), "{error}");
}

#[tokio::test]
async fn a_hash_of_another_function() {
    let mut listener = Node::new(1);
    let address = listener.listen(IP4).await;
    let sha512 = Multihash::wrap(0x13, &[1; 64]).unwrap();
    let error =
        refused(&with_hashes(&address, |place, hash| Some(if place == 1 { sha512 } else { hash })))
            .await;
    assert!(matches!(error, Error::UnsupportedCerthash), "{error}");
}

#[derive(Debug)]
struct Off(i64);

impl Clock for Off {
    fn now(&self) -> SystemTime {
        let off = Duration::from_secs(self.0.unsigned_abs() * 86_400);
        if self.0 < 0 { SystemTime::now() - off } else { SystemTime::now() + off }
    }
}

#[tokio::test]
async fn certificates_of_another_time() {
    for (days, expected) in [(-29, CertificateError::Expired), (29, CertificateError::NotYetValid)]
    {
        let mut config = Config::new(&identity(1));
        config.clock = Arc::new(Off(days));
        let mut listener = Node::with(config, 1);
        let address = listener.listen(IP4).await;
        match refused(&address).await {
            Error::Certificate(error) => assert_eq!(error, expected),
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_certificate_of_fifteen_days() {
    let validity = Some(time::Duration::days(15));
    let address = listen(Script { validity, ..Script::default() }).await;
    match refused(&address).await {
        Error::Certificate(error) => assert_eq!(error, CertificateError::ValidTooLong { days: 15 }),
        other => panic!("{other}"),
    }
}

/// The certificate is the one in the address, and Noise does not vouch for it: somebody in between.
#[tokio::test]
async fn a_certificate_that_nobody_vouches_for() {
    let error = refused(&listen(Script::default()).await).await;
    assert!(
        matches!(error, Error::Noise(libp2p_noise::Error::UnknownWebTransportCerthashes(..))),
        "{error:?}"
    );
}

/// What the others are refused for is not what all listeners by hand would be refused for.
#[tokio::test]
async fn a_listener_by_hand_that_does_nothing_wrong() {
    let address = listen(Script { vouches: true, ..Script::default() }).await;
    Node::new(2).dial(&address).await.unwrap();
}

#[tokio::test]
async fn no_webtransport_on_offer() {
    // Extended CONNECT and datagrams, and nothing of WebTransport; then nothing at all.
    for settings in [vec![0x08, 1, 0x33, 1], vec![]] {
        let address = listen(Script { settings: Some(settings), ..Script::default() }).await;
        let error = refused(&address).await;
        assert!(matches!(error, Error::NotOffered), "{error}");
    }
}

#[tokio::test]
async fn settings_that_are_none() {
    let address =
        listen(Script { settings: Some(vec![0x33, 1, 0x33, 1]), ..Script::default() }).await;
    let error = refused(&address).await;
    assert!(matches!(error, Error::Protocol(_)), "{error}");
}

#[tokio::test]
async fn a_session_that_is_refused() {
    for status in [404, 500] {
        let address = listen(Script { status: Some(status), ..Script::default() }).await;
        let error = refused(&address).await;
        assert!(matches!(error, Error::Refused(got) if got == status), "{error}");
    }
}

#[tokio::test]
async fn a_listener_that_says_nothing() {
    let address = listen(Script { is_silent: true, ..Script::default() }).await;
    let mut config = Config::new(&identity(2));
    config.handshake_timeout = Duration::from_millis(500);
    let error = Node::with(config, 2).dial(&address).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::HandshakeTimedOut), "{error}");
}
