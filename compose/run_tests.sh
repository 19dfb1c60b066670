#!/bin/sh
# For those whose CI names this file: perf-compose with the arguments given, built where it is not there.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$here/target}
binary=$target/release/perf-compose
if [ ! -x "$binary" ]; then
    (cd "$here" && cargo build --release --locked -p perf-compose) >&2
fi
case " $* " in
    *" --impls "* | *" --impls="* | *" coordinator "*) exec "$binary" "$@" ;;
    *) exec "$binary" --impls "$here/impls/impls.yaml" "$@" ;;
esac
