# shellcheck shell=bash
# What the scripts in tests/cli that have `dyno worker` in other processes share.  Sourced after
# tests/cli_support.sh, whose dyno and scratch it uses.
# shellcheck disable=SC2154

workers=() # their processes
end_all() {
    end_server
    [[ ${#workers[@]} == 0 ]] || kill -KILL "${workers[@]}" 2>/dev/null || true
    rm -rf "$scratch"
}
trap end_all EXIT

# start_worker NAME ARGUMENT...: at $listen, or on a free port, whose address is then in $at; what
# it says is in NAME.err, its process the last of $workers.
start_worker() {
    local name=$1

    shift
    : >"$name.err"
    "$dyno" worker --listen "${listen:-127.0.0.1:0}" --threads 1 "$@" 2>"$name.err" &
    workers+=($!)
    for _ in {1..1200}; do
        at=$(sed -n 's/^dyno worker: listening on //p' "$name.err")
        [[ -n $at ]] && return
        if ! kill -0 "${workers[-1]}" 2>/dev/null; then
            grep -Eq 'this build has no UCX|UCX .* is not on this machine' "$name.err" &&
                { cat "$name.err"; exit 77; }
            fail "the worker did not start: $(cat "$name.err")"
        fi
        sleep 0.05
    done
    fail "the worker says nothing: $(cat "$name.err")"
}

# kill_worker NUMBER: the process of that place in $workers, at once.
kill_worker() {
    kill -KILL "${workers[$1]}"
    wait "${workers[$1]}" 2>/dev/null || true
}

# await_serving NAME COUNT: until the worker NAME has begun to serve more than COUNT dynos.
await_serving() {
    for _ in {1..1200}; do
        [[ $(grep -c serving "$1.err") -gt $2 ]] && return
        sleep 0.05
    done
    fail "$1 serves nobody: $(cat "$1.err")"
}

# await_end NAME: until the worker NAME has said that a session is over, which it may learn after
# the other side has ended.
await_end() {
    for _ in {1..1200}; do
        grep -q 'the session is over' "$1.err" && return
        sleep 0.05
    done
    fail "$1 does not end its session: $(cat "$1.err")"
}
