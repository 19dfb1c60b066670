//! A listener's certificate, as its dialer checks it: read or refused. One that is accepted has the hash that was
//! asked for, and is accepted neither 15 days before nor 15 days after: it is valid for 14 at most.

#![no_main]

use std::time::{Duration, SystemTime};

use libfuzzer_sys::fuzz_target;
use libp2p_webtransport_native::CertificateError;
use libp2p_webtransport_native::fuzzing::check_certificate;

const FIFTEEN_DAYS: Duration = Duration::from_secs(15 * 86_400);

fuzz_target!(|input: (u32, &[u8])| {
    let (now, certificate) = input;
    let now = SystemTime::UNIX_EPOCH + FIFTEEN_DAYS + Duration::from_secs(now.into());
    if check_certificate(certificate, certificate, now).is_ok() {
        let at = |time| check_certificate(certificate, certificate, time);
        assert_eq!(at(now - FIFTEEN_DAYS), Err(CertificateError::NotYetValid));
        assert_eq!(at(now + FIFTEEN_DAYS), Err(CertificateError::Expired));
    }
    let unknown = check_certificate(certificate, b"another", now);
    assert!(unknown == Err(CertificateError::UnknownHash) || certificate == b"another");
});
