# What people type. CI types the same.
CARGO ?= cargo
LOCKED ?= --locked

.PHONY: build perf perf-docker perf-all perf-docker-all perf-native check-nodes test test-docker test-js test-go test-interop full soak fuzz package check check-fuzz fmt clippy doc man completions test-deps audit bench help

help: ## what there is
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' Makefile

# One by one, as the runner builds its nodes: together they would be built with other features, and twice.
build: man completions ## all programs as figures are made with, and perf-node's man pages and completions, in target
	@for crate in perf-compose https-perf iperf-perf; do $(CARGO) build --release $(LOCKED) -p $$crate || exit; done

perf: ## measure rust-v0.56 against itself on its five stacks: about two minutes once it is built
	$(CARGO) build --release $(LOCKED) -p perf-compose
	$(CARGO) build --release $(LOCKED) -p perf-node
	$(TARGET)/release/perf-compose --yes --impl-select rust-v0.56 --iterations 5 --upload-bytes 268435456 --download-bytes 268435456 --latency-iterations 100

perf-docker: ## the same in containers; builds the image where its sources have changed (needs Docker with Compose)
	$(CARGO) build --release $(LOCKED) -p perf-compose
	$(TARGET)/release/perf-compose --engine docker --yes --impl-select rust-v0.56 --iterations 5 --upload-bytes 268435456 --download-bytes 268435456 --latency-iterations 100

perf-all: ## the whole default matrix with quick sizes, as processes: 44 pass, 2 are unsupported (needs Go, Node.js, Chromium)
	@scripts/test-deps full
	$(CARGO) build --release $(LOCKED) -p perf-compose
	scripts/whole-matrix process $(WHOLE)

perf-docker-all: ## the same in containers; says so where there is no Docker engine
	@scripts/docker-deps; case $$? in \
	0) $(CARGO) build --release $(LOCKED) -p perf-compose && scripts/whole-matrix docker $(WHOLE);; \
	1) echo "the whole matrix did NOT run in containers: no Docker engine with Compose can be had here" >&2;; \
	*) exit 2;; esac

perf-native: ## rust-native and go-v0.45 with quick sizes, WebTransport among it, as processes and in containers: 28 pass
	@scripts/test-deps full
	$(CARGO) build --release $(LOCKED) -p perf-compose
	scripts/whole-matrix process $(NATIVE)
	@scripts/docker-deps; case $$? in \
	0) scripts/whole-matrix docker $(NATIVE);; \
	1) echo "rust-native and go-v0.45 did NOT run in containers: no Docker engine with Compose can be had here" >&2;; \
	*) exit 2;; esac

check-nodes: ## every node of the default matrix, and rust-native, held against the contract
	@scripts/test-deps full
	$(CARGO) build --release $(LOCKED) -p perf-compose
	@for node in rust-v0.56 rust-native go-v0.45 js-v3.x https-baseline quic-go-baseline; do \
		$(TARGET)/release/perf-compose check $$node || exit; done

test: test-deps ## all tests that fit into minutes; installs what they need where it may
	$(CARGO) test $(LOCKED) --workspace

test-docker: ## the tests that need a Docker engine; says so where there is none
	@scripts/docker-deps; case $$? in \
	0) $(CARGO) test $(LOCKED) -p perf-compose --test docker -- --test-threads=1;; \
	1) echo "the Docker tests did NOT run: no Docker engine with Compose can be had here" >&2;; \
	*) exit 2;; esac

test-js: test-deps ## the js-libp2p node: format, types, tests (needs Node.js 20 or later, and its npm)
	cd impls/js/v3.x && npm ci --ignore-scripts --no-audit --no-fund && npm test

test-go: test-deps ## format, vet and tests of the Go nodes (needs Go)
	@scripts/test-go

# With --workspace, or cargo would build the node once more, with other features of what it depends on.
test-interop: ## WebTransport with go-libp2p 0.45 and js-libp2p in Chromium (needs Go, Node.js, Chromium)
	@scripts/test-deps full
	$(CARGO) test $(LOCKED) --workspace --test interop -- --ignored go::v0_45 one_port:: chromium::

full: test check-nodes perf-native ## the rest: foreign peers and clients, a browser; builds a second libp2p, three Go programs and a Node one
	@scripts/test-deps full firefox-esr
	$(CARGO) test $(LOCKED) --workspace -- --ignored

soak: ## one connection of each stack: 20,000 streams on those with mplex, after them half an hour on the others; and ten thousand connections to the listener of each: three quarters of an hour; SOAK_STACK="tcp noise yamux": of one stack
	SOAK_MINUTES=30 $(CARGO) test --release $(LOCKED) -p perf-node --test soak -- --nocapture

fuzz: ## the 25 targets of fuzz/, each for ten minutes, one a core: two hours on two (needs nightly and cargo-fuzz)
	scripts/fuzz

# What is not there yet is fetched; beyond that nobody is asked anything. A package knows nothing of the workspace's
# profile: with that said again, what the tests have built already is taken as far as it can be.
package: ## libp2p-quic-shared and libp2p-webtransport-native as others would get them, built from their packages alone
	$(CARGO) fetch $(LOCKED) --target $(HOST)
	$(CARGO) package $(LOCKED) --offline --allow-dirty -p libp2p-quic-shared -p libp2p-webtransport-native \
		--config 'profile.dev.package."*".opt-level=1' --config 'profile.dev.package."*".debug=false'

check: fmt clippy doc check-fuzz ## format, lints, documentation, and that the fuzz targets compile

fmt:
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check

clippy:
	$(CARGO) clippy $(LOCKED) --workspace --all-targets -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(LOCKED) --workspace --no-deps

# With the compiler that everything is built with: nothing is linked, so libFuzzer need not be there.
check-fuzz: ## the fuzz targets compile
	CUSTOM_LIBFUZZER_PATH=none/libfuzzer.a $(CARGO) check $(LOCKED) --manifest-path fuzz/Cargo.toml --target-dir $(TARGET) --bins

man: ## perf-node's man pages, in target/man/man1 (MANPATH=target/man man perf-node-dial)
	$(CARGO) build --release $(LOCKED) -p perf-node
	$(TARGET)/release/perf-node man $(TARGET)/man/man1

completions: ## perf-node's completions for bash, fish and zsh, in target/completions
	$(CARGO) build --release $(LOCKED) -p perf-node
	mkdir -p $(TARGET)/completions
	for shell in bash fish zsh; do $(TARGET)/release/perf-node completions $$shell > $(TARGET)/completions/perf-node.$$shell || exit; done

audit: ## licences, sources and bans of the dependencies (needs cargo-deny)
	$(CARGO) deny check bans licenses sources

bench: ## the node against a bare libp2p loop and iperf3, on this machine
	scripts/bench

test-deps:
	@scripts/test-deps

# How many tests pass and how many are unsupported: in the default matrix (js-libp2p cannot listen on webtransport), and
# in that of rust-native and go-libp2p.
WHOLE = 44 2
NATIVE = 28 0 --impl-select 'rust-native|go-v0.45'

TARGET = $(or $(CARGO_TARGET_DIR),target)
HOST = $(shell rustc -vV | sed -n 's/^host: //p')
