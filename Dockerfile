# The image of rust-v0.56: perf-node alone, linked statically, so that nothing else need be in it.
# The C library's own resolver reads /etc/hosts and asks the DNS server of /etc/resolv.conf; Docker
# supplies both. Contract mode by the environment, by hand with arguments: docker run IMAGE listen …

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
# What libp2p-tls and QUIC sign with has parts in C and assembly.
RUN command -v cc >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends gcc libc6-dev; }
ENV CARGO_PROFILE_RELEASE_DEBUG=false \
    CARGO_PROFILE_RELEASE_STRIP=symbols \
    RUSTFLAGS="-C target-feature=+crt-static"

# Dependencies: a layer that only manifests and the lock file renew. Cargo wants a source for each
# member; the real ones come after.
COPY Cargo.toml Cargo.lock ./
COPY protocols/perf/Cargo.toml protocols/perf/
COPY protocols/webtransport/Cargo.toml protocols/webtransport/
COPY harness-sdk/Cargo.toml harness-sdk/
COPY coordinator/Cargo.toml coordinator/
COPY perf-node/Cargo.toml perf-node/
COPY compose/Cargo.toml compose/
RUN for manifest in */Cargo.toml protocols/*/Cargo.toml; do \
        member=$(dirname "$manifest"); \
        mkdir -p "$member/src" "$member/benches"; \
        : > "$member/src/lib.rs"; \
        echo 'fn main() {}' > "$member/src/main.rs"; \
        for bench in $(sed -n '/^\[\[bench\]\]/,/^name/s/^name *= *"\(.*\)"/\1/p' "$manifest"); do \
            echo 'fn main() {}' > "$member/benches/$bench.rs"; \
        done; \
    done
# Without a target by name the flags would go to build scripts as well.
RUN cargo build --release --locked -p perf-node --target "$(rustc -vV | sed -n 's/^host: //p')"

COPY protocols/perf/src protocols/perf/src
COPY protocols/webtransport/src protocols/webtransport/src
COPY harness-sdk/src harness-sdk/src
COPY perf-node/src perf-node/src
# Cargo goes by the time of a file; these may be older than what was built from the empty ones.
RUN find protocols harness-sdk perf-node -name '*.rs' -exec touch {} + \
 && target=$(rustc -vV | sed -n 's/^host: //p') \
 && cargo build --release --locked -p perf-node --target "$target" \
 && cp "target/$target/release/perf-node" /perf-node

FROM scratch
COPY --from=build /perf-node /perf-node
USER 65532:65532
ENTRYPOINT ["/perf-node"]
