//! go-libp2p, both ways where it lets us.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use harness_sdk::Class;

use crate::support::{Backend, Launch, NONE, Sections, Served, dialer, stack};
use crate::{
    LARGE, LARGE_PLAN, assert_served, build, built, foreign, implementation, our_listener,
};

/// Dials one after the other: what fails once in a while has its chance.
const DIALS: usize = 40;
const SHORT: u64 = 1_000;
const SHORT_PLAN: Sections = [1, 1, 1];

/// The Go node with one version of go-libp2p.
pub(crate) struct GoNode {
    version: &'static str,
    /// From the node's folder; `None`: its own go.mod.
    modfile: Option<&'static str>,
    /// The Go that it is built with.
    toolchain: &'static str,
    binary: OnceLock<PathBuf>,
}

impl GoNode {
    const fn new(
        version: &'static str,
        modfile: Option<&'static str>,
        toolchain: &'static str,
    ) -> Self {
        Self { version, modfile, toolchain, binary: OnceLock::new() }
    }

    /// In contract mode; built before its first use.
    pub(crate) fn launch(&self, is_dialer: bool, redis: &str) -> Launch {
        foreign(self.binary.get_or_init(|| self.build()), is_dialer, redis)
    }

    fn build(&self) -> PathBuf {
        let binary = built(&format!("go-libp2p-{}/perf-node", self.version));
        let mut go = self.go();
        // As impls.yaml has it: what the runner compiled need not be compiled again.
        go.args(["build", "-trimpath", "-buildvcs=false", "-mod=readonly"])
            .args(self.modfile.map(|file| format!("-modfile={file}")))
            .arg("-o")
            .arg(&binary)
            .arg(".");
        build(
            &mut go,
            "install Go 1.24 or later (https://go.dev/dl); scripts/test-deps full looks",
        );
        let told = self.go().args(["version", "-m"]).arg(&binary).output().unwrap();
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        let linked = format!("github.com/libp2p/go-libp2p\tv{}\t", self.version);
        assert!(told.contains(&linked), "another go-libp2p was linked:\n{told}");
        binary
    }

    fn go(&self) -> Command {
        let mut go = Command::new("go");
        go.current_dir(implementation("go/v0.45"))
            .env("GOTOOLCHAIN", self.toolchain)
            .env("CGO_ENABLED", "0");
        go
    }
}

/// The node as it is shipped. With Go 1.26 this version's listener panics.
pub(crate) static V0_45: GoNode = GoNode::new("0.45.0", None, "go1.25.5");
/// The last one that dials listeners without reset_stream_at.
static V0_49: GoNode = GoNode::new("0.49.0", Some("interop/v0.49.mod"), "go1.26.8");
static V0_51: GoNode = GoNode::new("0.51.0", Some("interop/v0.51.mod"), "go1.26.8");

/// Short dials, then a large one.
async fn measure(dialer: impl Fn() -> Launch) {
    for _ in 0..DIALS {
        dialer().measuring(SHORT_PLAN, SHORT).run().await.measured(SHORT_PLAN);
    }
    dialer().measuring(LARGE_PLAN, LARGE).run().await.measured(LARGE_PLAN);
}

/// What the listener counts of [`measure`].
fn all_of_it() -> Vec<Served> {
    let mut expected = Served::plan(SHORT_PLAN, SHORT).repeat(DIALS);
    expected.extend(Served::plan(LARGE_PLAN, LARGE));
    expected
}

async fn dials_us(go: &GoNode) {
    let store = Backend::Redis.start().await;
    let ours = our_listener(&store.addr());
    measure(|| go.launch(true, &store.addr())).await;
    assert_served(ours, all_of_it()).await;
}

async fn is_dialed(go: &GoNode) {
    let store = Backend::Redis.start().await;
    let launch = go.launch(false, &store.addr()).var("LISTENER_IP", "127.0.0.1");
    let theirs = launch.var("DEBUG", "true").spawn();
    measure(|| dialer(&stack("webtransport"), &store.addr())).await;
    assert_served(theirs, all_of_it()).await;
}

mod v0_45 {
    #[tokio::test]
    #[ignore = "make test-interop: builds a Go node"]
    async fn dials_us() {
        super::dials_us(&super::V0_45).await;
    }

    #[tokio::test]
    #[ignore = "make test-interop: builds a Go node"]
    async fn is_dialed() {
        super::is_dialed(&super::V0_45).await;
    }
}

mod v0_49 {
    #[tokio::test]
    #[ignore = "make full: builds a Go node"]
    async fn dials_us() {
        super::dials_us(&super::V0_49).await;
    }

    #[tokio::test]
    #[ignore = "make full: builds a Go node"]
    async fn is_dialed() {
        super::is_dialed(&super::V0_49).await;
    }
}

mod v0_51 {
    #[tokio::test]
    #[ignore = "make full: builds a Go node"]
    async fn is_dialed() {
        super::is_dialed(&super::V0_51).await;
    }

    /// The known limit of docs/webtransport.md: when this fails, it is gone.
    #[tokio::test]
    #[ignore = "make full: builds a Go node"]
    async fn does_not_dial_us() {
        super::does_not_dial_us(&super::V0_51).await;
    }
}

/// What webtransport-go says where the listener's transport parameters lack reset_stream_at.
const REFUSED_FOR: &str = "server didn't enable QUIC stream reset partial delivery";

async fn does_not_dial_us(go: &GoNode) {
    let store = Backend::Redis.start().await;
    let ours = our_listener(&store.addr());
    let dial = go.launch(true, &store.addr()).measuring(SHORT_PLAN, SHORT);
    let failure = dial.run().await.failed(Class::Connect, NONE);
    assert!(failure.message.contains(REFUSED_FOR), "{failure:?}");
    assert_served(ours, Vec::new()).await;
}
