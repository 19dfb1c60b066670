//! The listener: three resources over TLS.
//!
//! | request | answer |
//! |---|---|
//! | `POST /upload` | once the body was read to its end: how many bytes it had, in decimal |
//! | `GET /download/N` | exactly N bytes |
//! | `POST /echo` | the body, of a KiB at most |

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use harness_sdk::{BoxError, Config, Listener, Shutdown, Watched, address, stall};
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::certificate::{self, CertHash};
use crate::node::HttpVersion;
use crate::payload::Payload;

/// What `POST /echo` takes.
const LARGEST_ECHO: usize = 1024;

/// The pause after an accept that failed for want of something (file descriptors, memory).
const BREATH: Duration = Duration::from_millis(50);

/// A bound listener.
pub(crate) struct Bound {
    listener: TcpListener,
    local_addr: SocketAddr,
    tls: TlsAcceptor,
    certificate: CertHash,
    stall: Duration,
}

impl Bound {
    pub(crate) async fn bind(config: &Config) -> Result<Self, BoxError> {
        let (tls, certificate) = certificate::server()?;
        let listener = TcpListener::bind((config.ip, config.port)).await?;
        let local_addr = listener.local_addr()?;
        let tls = TlsAcceptor::from(Arc::new(tls));
        Ok(Self { listener, local_addr, tls, certificate, stall: config.stall })
    }
}

impl Listener for Bound {
    fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    fn address(&self, ip: IpAddr) -> String {
        let tcp = address::multiaddr(ip, "tcp", self.local_addr.port());
        format!("{tcp}/tls/http{}", self.certificate.component())
    }

    async fn serve(self, mut shutdown: Shutdown) -> Result<(), BoxError> {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = shutdown.requested() => return Ok(()),
                Some(_) = connections.join_next() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        let serving = accept(stream, self.tls.clone(), self.stall);
                        connections.spawn(async move {
                            if let Err(error) = serving.await {
                                tracing::debug!("{peer}: {error}");
                            }
                        });
                    }
                    Err(error) => {
                        tracing::debug!("accept: {error}");
                        tokio::time::sleep(BREATH).await;
                    }
                },
            }
        }
    }
}

/// Serves a connection, handshake included, until it ends or no byte has moved on it for as long
/// as `stall`.
async fn accept(stream: TcpStream, tls: TlsAcceptor, stall: Duration) -> Result<(), BoxError> {
    stream.set_nodelay(true)?;
    stall::until_silent(stream, stall, |stream| serve(stream, tls)).await?
}

async fn serve(stream: Watched<TcpStream>, tls: TlsAcceptor) -> Result<(), BoxError> {
    let stream = tls.accept(stream).await?;
    let h2 = stream.get_ref().1.alpn_protocol() == Some(HttpVersion::Http2.alpn());
    let (stream, service) = (TokioIo::new(stream), service_fn(answer));
    // A request without ALPN is taken for HTTP/1.1, as browsers and curl have it.
    match h2 {
        true => http2::Builder::new(TokioExecutor::new()).serve_connection(stream, service).await?,
        false => http1::Builder::new().serve_connection(stream, service).await?,
    }
    Ok(())
}

type Answer = Response<Either<Full<Bytes>, Payload>>;

async fn answer(request: Request<Incoming>) -> Result<Answer, BoxError> {
    match (request.method(), request.uri().path()) {
        (&Method::POST, "/upload") => {
            let arrived = count(request.into_body()).await?;
            Ok(said(StatusCode::OK, arrived.to_string()))
        }
        (&Method::POST, "/echo") => {
            match Limited::new(request.into_body(), LARGEST_ECHO).collect().await {
                Ok(body) => Ok(said(StatusCode::OK, body.to_bytes())),
                Err(_) => Ok(said(StatusCode::PAYLOAD_TOO_LARGE, "a KiB at most\n")),
            }
        }
        (&Method::GET, path) => Ok(match path.strip_prefix("/download/").map(str::parse) {
            Some(Ok(bytes)) => Response::new(Either::Right(Payload::new(bytes, None))),
            Some(Err(_)) => said(StatusCode::BAD_REQUEST, "not a number of bytes\n"),
            None => said(StatusCode::NOT_FOUND, "nothing here\n"),
        }),
        _ => Ok(said(StatusCode::NOT_FOUND, "nothing here\n")),
    }
}

/// How many bytes `body` has, read to its end.
async fn count(mut body: Incoming) -> Result<u64, hyper::Error> {
    let mut arrived = 0;
    while let Some(frame) = body.frame().await {
        arrived += frame?.data_ref().map_or(0, |data| data.len() as u64);
    }
    Ok(arrived)
}

fn said(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Either::Left(Full::new(text.into())));
    *response.status_mut() = status;
    response
}
