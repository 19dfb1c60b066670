//! HTTP/3's SETTINGS: a payload is read or refused.

#![no_main]

use libfuzzer_sys::fuzz_target;
use libp2p_webtransport_native::wire::settings::Settings;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(settings) = Settings::decode(bytes) {
        let _ = settings.offers_webtransport();
    }
});
