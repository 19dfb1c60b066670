//! The bound that `scripts/bench` holds webtransport against: one stream at a time of a bare quinn connection, with
//! the windows that webtransport and quic-v1 have by default. No libp2p: no peer id is proven, no protocol agreed on.
//!
//! ```text
//! bare_quinn listen SUITE                       prints its address, serves until killed
//! bare_quinn dial ADDRESS SUITE BYTES LATENCIES
//!               prints {"upload": Gbps, "download": Gbps, "latency": ms, "connect": ms}
//! ```
//!
//! SUITE, which both sides offer alone, is aes-128-gcm or chacha20-poly1305. ADDRESS has the listener's certificate
//! in it, in hexadecimal digits.

use std::error::Error;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use harness_sdk::stats::{gbps, quantile};
use perf_node::runtime;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{
    ClientConfig, Connection, Endpoint, EndpointConfig, RecvStream, SendStream, ServerConfig,
    TokioRuntime,
};
use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::quic::Suite;
use rustls::version::TLS13;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// As large as what the node writes and reads at once.
const BLOCK: usize = 256 * 1024;

/// As libp2p-webtransport-native and libp2p-quic have them.
const STREAM_WINDOW: u32 = 10_000_000;
const CONNECTION_WINDOW: u32 = 15_000_000;
const SEND_WINDOW: u64 = 10_000_000;

const NAME: &str = "localhost";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["listen", suite] => runtime::build()?.block_on(listen(suite)),
        ["dial", address, suite, bytes, latencies] => {
            let dialing = dial(address, suite, bytes.parse()?, latencies.parse()?);
            runtime::build()?.block_on(dialing)
        }
        _ => Err("see the source for usage".into()),
    }
}

fn provider(suite: &str) -> Result<Arc<CryptoProvider>> {
    let suite = match suite {
        "aes-128-gcm" => ring::cipher_suite::TLS13_AES_128_GCM_SHA256,
        "chacha20-poly1305" => ring::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        other => return Err(format!("{other}: aes-128-gcm or chacha20-poly1305").into()),
    };
    Ok(Arc::new(CryptoProvider { cipher_suites: vec![suite], ..ring::default_provider() }))
}

/// The suite of a connection's first packets, whatever is agreed on in them (RFC 9001, section 5.2).
fn initial() -> Result<Suite> {
    let suite = ring::cipher_suite::TLS13_AES_128_GCM_SHA256.tls13();
    Ok(suite.and_then(|suite| suite.quic_suite()).ok_or("ring has no QUIC")?)
}

fn transport() -> Arc<quinn::TransportConfig> {
    let mut transport = quinn::TransportConfig::default();
    transport
        .stream_receive_window(STREAM_WINDOW.into())
        .receive_window(CONNECTION_WINDOW.into())
        .send_window(SEND_WINDOW)
        .keep_alive_interval(Some(Duration::from_secs(5)))
        .allow_spin(false);
    Arc::new(transport)
}

/// A socket on loopback that holds as much as the node's (`RECEIVE_BUFFER` of libp2p-quic-shared).
fn endpoint(server: Option<ServerConfig>) -> Result<Endpoint> {
    let socket = UdpSocket::bind(("127.0.0.1", 0))?;
    socket2::SockRef::from(&socket).set_recv_buffer_size(7 << 20)?;
    Ok(Endpoint::new(EndpointConfig::default(), server, socket, Arc::new(TokioRuntime))?)
}

async fn listen(suite: &str) -> Result<()> {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
    let certificate = made.cert.der().clone();
    let key = PrivatePkcs8KeyDer::from(made.key_pair.serialize_der());
    let tls = rustls::ServerConfig::builder_with_provider(provider(suite)?)
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key.into())?;
    let crypto = QuicServerConfig::with_initial(Arc::new(tls), initial()?)?;
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    config.transport_config(transport());
    let endpoint = endpoint(Some(config))?;
    let digits: String = certificate.iter().map(|byte| format!("{byte:02x}")).collect();
    println!("{}/{digits}", endpoint.local_addr()?);
    while let Some(incoming) = endpoint.accept().await {
        tokio::spawn(async move {
            let Ok(connection) = incoming.await else { return };
            while let Ok((send, recv)) = connection.accept_bi().await {
                tokio::spawn(serve(send, recv));
            }
        });
    }
    Ok(())
}

async fn serve(mut send: SendStream, mut recv: RecvStream) -> Result<()> {
    let mut header = [0; 8];
    recv.read_exact(&mut header).await?;
    let mut block = vec![7; BLOCK];
    while recv.read(&mut block).await?.is_some() {}
    write(&mut send, &block, u64::from_be_bytes(header)).await
}

async fn write(send: &mut SendStream, block: &[u8], mut left: u64) -> Result<()> {
    while left > 0 {
        let most = block.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        left -= send.write(&block[..most]).await? as u64;
    }
    Ok(send.finish()?)
}

async fn dial(address: &str, suite: &str, bytes: u64, latencies: u64) -> Result<()> {
    let (address, certificate) = address.split_once('/').ok_or("an address without certificate")?;
    let address: SocketAddr = address.parse()?;
    let config = client(suite, certificate)?;
    let endpoint = endpoint(None)?;
    let start = Instant::now();
    let connection = endpoint.connect_with(config, address, NAME)?.await?;
    let connect = start.elapsed().as_secs_f64() * 1e3;
    // As the node does by the time it measures: one exchange has gone before.
    exchange(&connection, 1, 1).await?;
    let up = gbps(bytes, exchange(&connection, bytes, 0).await?);
    let down = gbps(bytes, exchange(&connection, 0, bytes).await?);
    let mut samples = Vec::new();
    for _ in 0..latencies {
        samples.push(exchange(&connection, 1, 1).await? * 1e3);
    }
    samples.sort_by(f64::total_cmp);
    let latency = if samples.is_empty() { 0.0 } else { quantile(&samples, 0.5) };
    println!(
        r#"{{"upload": {up}, "download": {down}, "latency": {latency}, "connect": {connect}}}"#
    );
    connection.close(0u32.into(), b"");
    endpoint.wait_idle().await;
    Ok(())
}

fn client(suite: &str, certificate: &str) -> Result<ClientConfig> {
    let digits: Vec<char> = certificate.chars().collect();
    let bytes: std::result::Result<Vec<u8>, _> =
        digits.chunks(2).map(|two| u8::from_str_radix(&String::from_iter(two), 16)).collect();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(bytes?))?;
    let tls = rustls::ClientConfig::builder_with_provider(provider(suite)?)
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let crypto = QuicClientConfig::with_initial(Arc::new(tls), initial()?)?;
    let mut config = ClientConfig::new(Arc::new(crypto));
    config.transport_config(transport());
    Ok(config)
}

/// One exchange on a fresh stream, in seconds, its opening included.
async fn exchange(connection: &Connection, upload: u64, download: u64) -> Result<f64> {
    let mut block = vec![7; BLOCK];
    let start = Instant::now();
    let (mut send, mut recv) = connection.open_bi().await?;
    send.write_all(&download.to_be_bytes()).await?;
    write(&mut send, &block, upload).await?;
    let mut received = 0;
    while let Some(size) = recv.read(&mut block).await? {
        received += size as u64;
    }
    let seconds = start.elapsed().as_secs_f64();
    if received != download {
        return Err(format!("{received} bytes instead of {download}").into());
    }
    Ok(seconds)
}
