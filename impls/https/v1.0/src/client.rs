//! The dialer: one TLS connection, a request an iteration.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use harness_sdk::{BoxError, Connection, Details, Meter, address};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::header::HOST;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::certificate::{self, CertHash};
use crate::node::HttpVersion;
use crate::payload::Payload;

/// What a listener may say beside a payload: a count, a complaint.
const LARGEST_WORD: usize = 1024;

/// A connection to a listener.
pub(crate) struct Peer {
    requests: Mutex<Requests>,
    /// Drives the connection.
    driver: JoinHandle<Result<(), hyper::Error>>,
    authority: String,
    details: Details,
}

enum Requests {
    Http1(http1::SendRequest<Payload>),
    Http2(http2::SendRequest<Payload>),
}

impl Peer {
    pub(crate) async fn connect(address: &str, http: HttpVersion) -> Result<Self, BoxError> {
        let peer = address::socket_addr(address)?;
        let tls = certificate::client(http, CertHash::in_address(address)?)?;
        let started = Instant::now();
        let failed =
            |what| move |source| CannotConnect { address: address.to_owned(), what, http, source };
        let stream = TcpStream::connect(peer).await.map_err(failed("TCP"))?;
        stream.set_nodelay(true)?;
        let connected = Instant::now();
        let connector = TlsConnector::from(Arc::new(tls));
        let stream = connector.connect(ServerName::IpAddress(peer.ip().into()), stream).await;
        let stream = stream.map_err(failed("TLS"))?;
        let secured = Instant::now();
        let details = Details {
            phases: vec![("dial", connected - started), ("security", secured - connected)],
            stack: negotiated(&stream, http)?,
            ..Details::default()
        };
        let (requests, driver) = start(stream, http).await?;
        let requests = Mutex::new(requests);
        Ok(Self { requests, driver, authority: peer.to_string(), details })
    }

    /// Makes one request, and gives its answer where that is a good one.
    async fn request(
        &self,
        method: &str,
        path: &str,
        body: Payload,
        meter: &Meter,
    ) -> Result<Response<Incoming>, BoxError> {
        let request = Request::builder().method(method);
        let mut requests = self.requests.lock().await;
        let response = match &mut *requests {
            Requests::Http1(requests) => {
                requests.ready().await?;
                meter.opened();
                let request = request.uri(path).header(HOST, &self.authority).body(body)?;
                requests.send_request(request).await?
            }
            Requests::Http2(requests) => {
                requests.ready().await?;
                meter.opened();
                let uri = format!("https://{}{path}", self.authority);
                requests.send_request(request.uri(uri).body(body)?).await?
            }
        };
        match response.status() {
            StatusCode::OK => Ok(response),
            status => Err(BadAnswer::Status(status, words(response).await?).into()),
        }
    }
}

/// What the handshake agreed on, for `node.stack`. The version of HTTP is the one that was asked
/// for, or there is no connection.
fn negotiated(
    stream: &TlsStream<TcpStream>,
    http: HttpVersion,
) -> Result<Vec<(&'static str, String)>, BoxError> {
    let (_, tls) = stream.get_ref();
    if tls.alpn_protocol() != Some(http.alpn()) {
        return Err(NotAgreed { http, chosen: tls.alpn_protocol().map(<[u8]>::to_vec) }.into());
    }
    let cipher = tls.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
    let cipher = cipher.map(|name| ("cipher_suite", name.to_owned()));
    Ok([("http", http.to_string())].into_iter().chain(cipher).collect())
}

async fn start(
    stream: TlsStream<TcpStream>,
    http: HttpVersion,
) -> Result<(Requests, JoinHandle<Result<(), hyper::Error>>), hyper::Error> {
    let stream = TokioIo::new(stream);
    Ok(match http {
        HttpVersion::Http1 => {
            let (requests, driver) = http1::handshake(stream).await?;
            (Requests::Http1(requests), tokio::spawn(driver))
        }
        HttpVersion::Http2 => {
            let (requests, driver) = http2::handshake(TokioExecutor::new(), stream).await?;
            (Requests::Http2(requests), tokio::spawn(driver))
        }
    })
}

impl Connection for Peer {
    async fn upload(&self, bytes: u64, meter: &Meter) -> Result<(), BoxError> {
        let body = Payload::new(bytes, Some(meter.clone()));
        let response = self.request("POST", "/upload", body, meter).await?;
        let sent = meter.bytes_sent();
        if sent < bytes {
            return Err(BadAnswer::Early { sent, bytes }.into());
        }
        let said = words(response).await?;
        match u64::from_str(&said) {
            Ok(arrived) if arrived == bytes => Ok(()),
            _ => Err(BadAnswer::Count { said, bytes }.into()),
        }
    }

    async fn download(&self, bytes: u64, meter: &Meter) -> Result<(), BoxError> {
        let path = format!("/download/{bytes}");
        let mut response = self.request("GET", &path, Payload::new(0, None), meter).await?;
        receive(response.body_mut(), bytes, meter).await
    }

    async fn latency(&self, meter: &Meter) -> Result<(), BoxError> {
        let body = Payload::new(1, Some(meter.clone()));
        let mut response = self.request("POST", "/echo", body, meter).await?;
        receive(response.body_mut(), 1, meter).await
    }

    fn details(&self) -> Details {
        self.details.clone()
    }

    async fn close(self) {
        // Without anyone to make requests the driver closes the connection, and ends.
        drop(self.requests);
        let _ = self.driver.await;
    }
}

/// Reads `body` to its end, which has to come after exactly `bytes`.
async fn receive(body: &mut Incoming, bytes: u64, meter: &Meter) -> Result<(), BoxError> {
    while let Some(frame) = body.frame().await {
        meter.received(frame?.data_ref().map_or(0, |data| data.len() as u64));
        // One that never ends is not read to its end.
        if meter.bytes_received() > bytes {
            return Err(BadAnswer::Long { bytes }.into());
        }
    }
    match meter.bytes_received() {
        received if received == bytes => Ok(()),
        received => Err(BadAnswer::Short { received, bytes }.into()),
    }
}

/// A short answer's text.
async fn words(response: Response<Incoming>) -> Result<String, BoxError> {
    let body: Bytes = Limited::new(response, LARGEST_WORD).collect().await?.to_bytes();
    Ok(String::from_utf8_lossy(&body).trim().to_owned())
}

/// Why a request was not served. All of these are the peer's.
#[derive(Debug, thiserror::Error)]
enum BadAnswer {
    #[error("the listener answered {0}: {1}")]
    Status(StatusCode, String),
    #[error("the listener answered when {sent} of {bytes} bytes were sent")]
    Early { sent: u64, bytes: u64 },
    #[error("the listener says that \"{said}\" bytes arrived; {bytes} were sent")]
    Count { said: String, bytes: u64 },
    #[error("the listener ended its answer after {received} of {bytes} bytes")]
    Short { received: u64, bytes: u64 },
    #[error("the listener sent more than the {bytes} bytes asked for")]
    Long { bytes: u64 },
}

/// No connection, or no TLS on it.
#[derive(Debug, thiserror::Error)]
#[error("cannot connect to {address} ({what}); offered HTTP/{http} alone, on TLS 1.3")]
struct CannotConnect {
    address: String,
    what: &'static str,
    http: HttpVersion,
    source: std::io::Error,
}

/// The peer chose another protocol than the only one offered, or none.
#[derive(Debug)]
struct NotAgreed {
    http: HttpVersion,
    chosen: Option<Vec<u8>>,
}

impl fmt::Display for NotAgreed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chosen = self.chosen.as_deref().map(String::from_utf8_lossy);
        let chosen = chosen.as_deref().unwrap_or("no version of HTTP");
        write!(f, "offered HTTP/{} alone, and the listener chose {chosen}", self.http)
    }
}

impl std::error::Error for NotAgreed {}
