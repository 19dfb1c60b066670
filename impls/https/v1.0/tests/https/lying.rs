//! A listener that answers every request as it was told, whatever was asked.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// What it answers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// Reads the body to its end, then this.
    Says(&'static str),
    /// This, before the body is read.
    Early(&'static str),
    /// As many bytes, without saying beforehand how many.
    Sends(u64),
    /// A status that is none of a success.
    Fails,
    /// Nothing at all, ever.
    Nothing,
}

/// Runs until it is dropped.
pub(crate) struct Lying {
    pub(crate) address: String,
    task: JoinHandle<()>,
}

impl Lying {
    pub(crate) async fn start(answer: Answer) -> Self {
        let made = rcgen::generate_simple_self_signed(["lying".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(made.key_pair.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let tls = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, tls.clone(), answer));
            }
        });
        Self { address: format!("/ip4/127.0.0.1/tcp/{port}/tls/http"), task }
    }
}

impl Drop for Lying {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(stream: TcpStream, tls: TlsAcceptor, answer: Answer) {
    let stream = tls.accept(stream).await.unwrap();
    let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let service = service_fn(move |request| respond(request, answer));
    let stream = TokioIo::new(stream);
    // However the dialer ends it.
    let _ = match h2 {
        true => http2::Builder::new(TokioExecutor::new()).serve_connection(stream, service).await,
        false => http1::Builder::new().serve_connection(stream, service).await,
    };
}

type Body = BoxBody<Bytes, Infallible>;

async fn respond(
    request: Request<Incoming>,
    answer: Answer,
) -> Result<Response<Body>, hyper::Error> {
    Ok(match answer {
        Answer::Says(text) => {
            request.into_body().collect().await?;
            Response::new(Full::from(text).boxed())
        }
        Answer::Early(text) => Response::new(Full::from(text).boxed()),
        Answer::Sends(bytes) => {
            request.into_body().collect().await?;
            Response::new(unannounced(bytes))
        }
        Answer::Fails => {
            request.into_body().collect().await?;
            let mut response = Response::new(Full::from("busy").boxed());
            *response.status_mut() = hyper::StatusCode::SERVICE_UNAVAILABLE;
            response
        }
        Answer::Nothing => std::future::pending().await,
    })
}

/// A body of `bytes` whose length is told by its end alone.
fn unannounced(bytes: u64) -> Body {
    let mut left = bytes;
    let frames = std::iter::from_fn(move || {
        let size = left.min(100_000);
        left -= size;
        (size > 0).then(|| Ok(Frame::data(Bytes::from(vec![7; size as usize]))))
    });
    BodyExt::boxed(StreamBody::new(futures::stream::iter(frames)))
}
