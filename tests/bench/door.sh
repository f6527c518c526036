#!/usr/bin/env bash
# How many streamed answers of 16 tokens the front door gives for a second of processor time, before
# a device that takes none, and how many `dyno bench` takes from a stub that writes each in one
# piece: medians of rounds in which they take turns.
#
# usage: [SERVER_CPU=0 CLIENT_CPU=1] tests/bench/door.sh BUILD [ROUNDS [REQUESTS]]
#
# BUILD has dyno and tests/bench_stub.  SERVER_CPU and CLIENT_CPU are lists of processors (taskset);
# without them both share what there is.  Without wrk its rows are left out.  Processor time is what
# /proc/PID/stat says, so that other work beside it shows in the rates first.
set -euo pipefail
build=$(readlink -f "$1")
rounds=${2:-5}
requests=${3:-60000}
scratch=$(mktemp -d)
server=
stub=
cleanup() {
    local each

    for each in $server $stub; do
        kill -KILL "$each" 2>/dev/null || true
        wait "$each" 2>/dev/null || true
    done
    rm -rf "$scratch"
}
trap cleanup EXIT
cd "$scratch"
on_server=(${SERVER_CPU:+taskset -c "$SERVER_CPU"})
on_client=(${CLIENT_CPU:+taskset -c "$CLIENT_CPU"})
hz=$(getconf CLK_TCK)

# written FILE PATTERN: the line of a file that is still being written, as sed -n finds it.
written() {
    local _ line

    for _ in {1..1200}; do
        line=$(sed -n "$2" "$1")
        [[ -z $line ]] || break
        sleep 0.05
    done
    [[ -n $line ]] || { cat err && exit 1; }
    printf '%s' "$line"
}

: >out
: >port
"${on_server[@]}" "$build/dyno" serve --port any --device null --set batch.seqs_max=1024 \
    >out 2>err &
server=$!
mkfifo hold
exec 9<>hold
"${on_server[@]}" "$build/tests/bench_stub" 16 1 <&9 >port &
stub=$!
url=$(written out 's/^Listening on //p')
stub_url=http://127.0.0.1:$(written port '/^[0-9]*$/p')

# us PID: processor time of a process so far.
us() {
    awk -v hz="$hz" '{sub(/.*\) /, ""); printf "%.0f", ($12 + $13) * 1e6 / hz}' "/proc/$1/stat"
}

# ask URL: the load; prints requests/s and the client's own processor time in us.
ask() {
    TIMEFORMAT='%U %S'
    { time "${on_client[@]}" "$build/dyno" bench --url "$1" --arrival concurrency:64 \
        --requests "$requests" --input-tokens 20 --output-tokens 16 --db none --json bench.json \
        >bench.out 2>bench.err; } 2>spent
    grep -h 'client-limited' bench.out bench.err >>limited || true
    awk '{printf "%.0f ", ($1 + $2) * 1e6}' spent
    sed -n 's/.*"requests_per_s": *\([0-9.]*\).*/\1/p' bench.json | head -n 1
}

cat >post.lua <<'END'
wrk.method = "POST"
wrk.body = '{"model":"llama-3.1-8b","messages":[{"role":"user","content":"Will you come to the ' ..
           'ball?"}],"max_tokens":16,"ignore_eos":true,"stream":true}'
END

: >limited
for ((round = 0; round < rounds; round++)); do
    before=$(us "$server")
    read -r client rate <<<"$(ask "$url")"
    echo "$rate $(($(us "$server") - before)) $client $requests" >>completions
    if command -v wrk >/dev/null; then
        before=$(us "$server")
        "${on_client[@]}" wrk -t1 -c64 -d5s -s post.lua "$url/v1/chat/completions" >wrk.out
        [[ $(grep -c 'Non-2xx\|Socket errors' wrk.out) == 0 ]] || { cat wrk.out && exit 1; }
        count=$(sed -n 's/^ *\([0-9]*\) requests in .*/\1/p' wrk.out)
        rate=$(sed -n 's/^Requests\/sec: *//p' wrk.out)
        echo "$rate $(($(us "$server") - before)) 0 $count" >>chat
    fi
    read -r client rate <<<"$(ask "$stub_url")"
    echo "$rate 0 $client $requests" >>client
done

# median FILE EXPRESSION: of its lines, in awk's words.
median() {
    awk "{print $2}" "$1" | sort -g | awk '{v[NR] = $1} END {printf "%.1f", v[int((NR + 1) / 2)]}'
}

# row NAME FILE COLUMN: whose processor time it is, column 2 the server's and 3 the client's.
row() {
    [[ -e $2 ]] || return 0
    printf '%-46s %8.0f requests/s, %5s us of processor time each: %6.0f a core and second\n' "$1" \
        "$(median "$2" "\$1")" "$(median "$2" "\$$3 / \$4")" "$(median "$2" "1e6 * \$4 / \$$3")"
}
printf 'streamed answers of 16 tokens, medians of %d rounds\n' "$rounds"
row 'the server, completions asked by dyno bench' completions 2
row 'the server, chats asked by wrk' chat 2
row 'dyno bench, asking the server' completions 3
row 'dyno bench, asking a stub' client 3
sort limited | uniq -c
