#!/usr/bin/env bash
# Crowds before `dyno serve`: very many streams at once in little memory, and attacks after which
# memory is what it was.
#
# usage: tests/bench/crowd.sh BUILD [STREAMS [ABORTS [GROWTH_MIB]]]
#
# BUILD has dyno and tests/bench_crowd.  STREAMS (10000) are under way at once, ABORTS (100000) are
# aborted twice.  Fails if a stream is not whole, if the server is ever larger than 1 GiB, if
# anything stays in flight, or if an attack leaves the server larger the second time than the first
# time by more than GROWTH_MIB (4).
set -euo pipefail
build=$(readlink -f "$1")
streams=${2:-10000}
aborts=${3:-100000}
growth_kib=$((${4:-4} * 1024))
if ! command -v curl >/dev/null; then
    echo "skipped: no curl"
    exit 77
fi
scratch=$(mktemp -d)
server=
cleanup() {
    if [[ -n $server ]]; then
        kill -KILL "$server" 2>/dev/null || true
    fi
    rm -rf "$scratch"
}
trap cleanup EXIT
# Freed memory is given back at once, so that the server's size says something.
export MALLOC_ARENA_MAX=1 ASAN_OPTIONS=quarantine_size_mb=1:exitcode=99
export TSAN_OPTIONS=exitcode=99:halt_on_error=1 UBSAN_OPTIONS=halt_on_error=1:exitcode=99

fail() {
    printf '%s\n' "$*"
    exit 1
}

# start ARGUMENT...: a server; its port is then in $port.
start() {
    : >"$scratch/out" # where the last one said its port
    "$build/dyno" serve --port any --device sim --model llama-3.1-8b --sample-every 100ms "$@" \
        >"$scratch/out" 2>"$scratch/err" &
    server=$!
    port=
    for _ in {1..1200}; do
        port=$(sed -n 's/^Listening on .*:\([0-9]*\)$/\1/p' "$scratch/out")
        [[ -n $port ]] && return
        kill -0 "$server" 2>/dev/null || fail "the server did not start: $(cat "$scratch/err")"
        sleep 0.05
    done
    fail "the server says nothing"
}

stop() {
    kill -TERM "$server"
    wait "$server" || fail "the server ended with $?: $(cat "$scratch/err")"
    server=
    [[ ! -s $scratch/err ]] || fail "the server complained: $(head -n 5 "$scratch/err")"
}

crowd() {
    "$build/tests/bench_crowd" "$port" llama-3.1-8b "$@"
}

# kib FIELD: VmRSS now, or VmHWM at most, of the server.
kib() {
    awk -v field="$1:" '$1 == field { print $2 }' "/proc/$server/status"
}

# settled: nothing is in flight, nobody is connected but who asks.
settled() {
    for _ in {1..1200}; do
        curl -sS "http://127.0.0.1:$port/metrics" >"$scratch/metrics"
        if [[ $(awk '/^dyno_requests_in_flight/ {print $2}' "$scratch/metrics") == 0 &&
            $(awk '/^dyno_connections_open/ {print $2}' "$scratch/metrics") == 1 &&
            $(awk '/^dyno_kv_blocks.*state="used"/ {n += $2} END {print n + 0}' \
                "$scratch/metrics") == 0 ]]; then
            return
        fi
        sleep 0.05
    done
    fail "something stays: $(grep -E 'in_flight|connections_open|"used"' "$scratch/metrics")"
}

# attack WAY COUNT WINDOW: twice; the second time adds nothing.
attack() {
    local first second

    crowd "$@"
    settled
    first=$(kib VmRSS)
    crowd "$@" >/dev/null
    settled
    second=$(kib VmRSS)
    printf '    %s KiB after the first, %s KiB after the second time\n' "$first" "$second"
    ((second <= first + growth_kib)) || fail "$1: memory grew"
}

# Long enough that the last one begins before the first one ends, unless others keep the machine
# busy; only a few need not be at once.
start --workers 8 --set batch.seqs_max=4096
crowd stream "$streams" "$streams" $((streams > 1000 ? 256 : 64)) | tee "$scratch/said"
if ((streams > 1000)); then
    grep -q ", $streams under way at once," "$scratch/said" ||
        fail "not all were under way at once: the machine is too busy for a verdict"
fi
settled
printf '    %s KiB at most, %s KiB afterwards\n' "$(kib VmHWM)" "$(kib VmRSS)"
(($(kib VmHWM) < 1048576)) || fail "more than 1 GiB"
stop

start --set serve.head_timeout=400ms --set serve.body_max=1MiB
attack abort "$aborts" 256
attack drip $((aborts / 100)) $((aborts / 100 < 500 ? aborts / 100 : 500))
attack pipeline $((aborts / 100)) 64
attack large $((aborts / 100)) 64
stop
