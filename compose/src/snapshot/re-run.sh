#!/bin/sh
# Runs the tests of this snapshot again; what is given is given to perf-compose.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
for image in "$here"/docker-images/*.tar.gz; do
    # Where there are none, the pattern stays what it is.
    if [ -e "$image" ]; then
        docker load --quiet --input "$image" >&2
    fi
done
exec "${PERF_COMPOSE:-$here/bin/perf-compose}" --repeat "$here/run" --impls "$here/@definitions@" \
    --cache-dir "$here/cache" --yes "$@"
