# shellcheck shell=bash
# What the scripts in tests/cli that run replays share: how to look at what a command said and left.
# Sourced with the binary in $1; moves to a scratch folder that is removed at the end.

dyno=$(readlink -f "$1")
scratch=$(mktemp -d)
server= # the process of the one that runs, if any
trap 'end_server; rm -rf "$scratch"' EXIT
set -o errtrace
trap 'printf "%s: line %s failed\n" "$0" "$LINENO"' ERR
cd "$scratch" || exit 1

# Say what is wrong and end.
fail() {
    printf '%s\n' "$*"
    exit 1
}

# end_server: whatever it is doing.
end_server() {
    [[ -z $server ]] || kill -KILL "$server" 2>/dev/null || true
}

# start_server ARGUMENT...: `dyno serve` on a free port, whose address is then in $url; what it says
# is in serve.out and serve.err.  It is killed if the script ends before stop_server.
start_server() {
    : >serve.out
    "$dyno" serve --port any "$@" >serve.out 2>serve.err &
    server=$!
    for _ in {1..1200}; do # a minute: many programs may start at once
        url=$(sed -n 's/^Listening on //p' serve.out)
        [[ -n $url ]] && return
        kill -0 "$server" 2>/dev/null || fail "the server did not start: $(cat serve.err)"
        sleep 0.05
    done
    fail "the server says nothing: $(cat serve.out serve.err)"
}

# stop_server: asked to, it ends well.
stop_server() {
    kill -TERM "$server"
    wait "$server" || fail "the server ended with $?: $(cat serve.err)"
    server=
}

# works ARGUMENT...: dyno does that and ends well; its words are in the files out and err.
works() {
    local status=0

    "$dyno" "$@" >out 2>err </dev/null || status=$?
    if [[ $status -ne 0 ]]; then
        fail "dyno $*: ended with $status: $(cat out err)"
    fi
}

# refuses STATUS SENTENCE ARGUMENT...: dyno ends with that status, says that one sentence on
# standard error and nothing on standard output.
refuses() {
    local due=$1 sentence=$2 status=0

    shift 2
    "$dyno" "$@" >out 2>err </dev/null || status=$?
    if [[ $status -ne $due || -s out || $(cat err) != "dyno: $sentence" ]]; then
        printf 'dyno %s\nended with %d, not %d, or said\n%s\nand not\ndyno: %s\n' "$*" "$status" \
            "$due" "$(cat out err)" "$sentence"
        exit 1
    fi
}

# says FILE LINE...: FILE has each of these lines, whole.
says() {
    local file=$1 line

    shift
    for line in "$@"; do
        grep -Fxq -- "$line" "$file" || fail "'$line' is not in $file:" "$(cat "$file")"
    done
}

# flat FILE: the numbers of a JSON summary, one a line: "ttft_ms.p50 12.5".
flat() {
    awk '
        { sub(/,$/, "") }
        /^ *"[^"]*": *\{$/ { split($0, part, "\""); path = path part[2] "."; next }
        /^ *\}$/ { sub(/[^.]*\.$/, "", path); next }
        /^ *"/ { split($0, part, "\""); sub(/^[^:]*: */, ""); print path part[2] " " $0 }
    ' "$1"
}

# number FILE KEY: one number of a JSON summary.
number() {
    flat "$1" | awk -v key="$2" '$1 == key { print $2; found = 1 } END { exit !found }' ||
        fail "$1 has no key $2"
}

has_sqlite() {
    command -v sqlite3 >/dev/null
}
