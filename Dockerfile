# The images of this repository's Rust nodes: perf-node (rust-v0.56) is the last stage, the others
# are named with --target; only what that stage takes is built. Each node is linked statically, so
# that nothing else need be in its image. The C library's own resolver reads /etc/hosts and asks the
# DNS server of /etc/resolv.conf; Docker supplies both. Contract mode by the environment; perf-node
# by hand with arguments: docker run IMAGE listen …

FROM rust:1.95-slim-bookworm AS workspace
WORKDIR /build
# What libp2p-tls, QUIC and https sign with has parts in C and assembly.
RUN command -v cc >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends gcc libc6-dev; }
ENV CARGO_PROFILE_RELEASE_DEBUG=false \
    CARGO_PROFILE_RELEASE_STRIP=symbols \
    RUSTFLAGS="-C target-feature=+crt-static"

# Dependencies: a layer that only manifests and the lock file renew. Cargo wants a source for each
# member; the real ones come after.
COPY Cargo.toml Cargo.lock ./
COPY protocols/perf/Cargo.toml protocols/perf/
COPY protocols/quic/Cargo.toml protocols/quic/
COPY protocols/webtransport/Cargo.toml protocols/webtransport/
COPY harness-sdk/Cargo.toml harness-sdk/
COPY coordinator/Cargo.toml coordinator/
COPY perf-node/Cargo.toml perf-node/
COPY impls/https/v1.0/Cargo.toml impls/https/v1.0/
COPY impls/iperf/v3/Cargo.toml impls/iperf/v3/
COPY compose/Cargo.toml compose/
RUN for manifest in */Cargo.toml protocols/*/Cargo.toml impls/*/*/Cargo.toml; do \
        member=$(dirname "$manifest"); \
        mkdir -p "$member/src" "$member/benches"; \
        : > "$member/src/lib.rs"; \
        echo 'fn main() {}' > "$member/src/main.rs"; \
        for bench in $(sed -n '/^\[\[bench\]\]/,/^name/s/^name *= *"\(.*\)"/\1/p' "$manifest"); do \
            echo 'fn main() {}' > "$member/benches/$bench.rs"; \
        done; \
    done
# `release PACKAGE` builds a node and puts it at /node. Without a target by name the flags would go
# to build scripts as well. Cargo goes by the time of a file; the real sources may be older than what
# was built from the empty ones.
RUN printf '%s\n' '#!/bin/sh -eu' \
        'target=$(rustc -vV | sed -n "s/^host: //p")' \
        'find protocols harness-sdk perf-node impls -name "*.rs" -exec touch {} +' \
        'cargo build --release --locked -p "$1" --target "$target"' \
        'cp "target/$target/release/$1" /node' > /usr/local/bin/release \
 && chmod +x /usr/local/bin/release

FROM workspace AS https-build
RUN release https-perf
COPY harness-sdk/schema harness-sdk/schema
COPY harness-sdk/src harness-sdk/src
COPY impls/https/v1.0/src impls/https/v1.0/src
RUN release https-perf

FROM scratch AS https-baseline
COPY --from=https-build /node /https-perf
USER 65532:65532
ENTRYPOINT ["/https-perf"]

FROM workspace AS iperf-build
RUN release iperf-perf
COPY harness-sdk/schema harness-sdk/schema
COPY harness-sdk/src harness-sdk/src
COPY impls/iperf/v3/src impls/iperf/v3/src
RUN release iperf-perf

FROM debian:bookworm-slim AS iperf-v3
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends iperf3 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=iperf-build /node /iperf-perf
USER 65532:65532
ENTRYPOINT ["/iperf-perf"]

FROM workspace AS perf-node-build
RUN release perf-node
COPY protocols/perf/src protocols/perf/src
# The pages of these two are their READMEs.
COPY protocols/quic/README.md protocols/quic/README.md
COPY protocols/quic/src protocols/quic/src
COPY protocols/webtransport/README.md protocols/webtransport/README.md
COPY protocols/webtransport/src protocols/webtransport/src
COPY harness-sdk/schema harness-sdk/schema
COPY harness-sdk/src harness-sdk/src
COPY perf-node/src perf-node/src
RUN release perf-node

FROM scratch AS rust-v0.56
COPY --from=perf-node-build /node /perf-node
USER 65532:65532
ENTRYPOINT ["/perf-node"]
