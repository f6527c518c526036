#!/usr/bin/env bash
# What door, routing and batching add to a request, as the server itself measures it: the time from
# a whole request to the first bytes of its stream in the kernel, with a device that takes none; and
# its parts, so that it is seen which thread was waited for.  What the client adds by being late
# (its own wait for a processor) is told apart, and so is for how long the server's threads were
# ready and had no processor, and who else was at work.
#
# usage: [SERVER_CPU=0 CLIENT_CPU=1] tests/bench/latency.sh BUILD [REQUESTS_A_SECOND [REQUESTS]]
#
# SERVER_CPU and CLIENT_CPU are lists of processors for either (taskset): of their own each, so that
# neither waits for the other; without them they share what there is.
#
# Half load is half of what `--arrival concurrency:64` reaches on the machine; it is found first,
# unless a rate is given.  Numbers are worth something only where nobody else is on the machine:
# client and server need a core each.
set -euo pipefail
build=$(readlink -f "$1")
rate=${2:-}
requests=${3:-60000}
scratch=$(mktemp -d)
server=
cleanup() {
    if [[ -n $server ]]; then
        kill -KILL "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$scratch"
}
trap cleanup EXIT
cd "$scratch"
on_server=(${SERVER_CPU:+taskset -c "$SERVER_CPU"})
on_client=(${CLIENT_CPU:+taskset -c "$CLIENT_CPU"})

: >out
"${on_server[@]}" "$build/dyno" serve --port any --device null --set batch.seqs_max=1024 \
    >out 2>err &
server=$!
for _ in {1..1200}; do
    url=$(sed -n 's/^Listening on //p' out)
    [[ -z $url ]] || break
    kill -0 "$server" 2>/dev/null || { cat err && exit 1; }
    sleep 0.05
done

bench() {
    "${on_client[@]}" "$build/dyno" bench --url "$url" --input-tokens 20 --output-tokens 16 \
        --db none "$@"
}

# switches: context switches of all threads so far, by their own will and not.
switches() {
    awk '/^voluntary/ {v += $2} /^nonvoluntary/ {n += $2} END {print v, n}' \
        "/proc/$server"/task/*/status
}

# delay: how long all threads of a process stood ready without a processor so far, in us.
delay() {
    awk '{wait += $2} END {printf "%.0f", wait / 1000}' "/proc/$1"/task/*/schedstat 2>/dev/null ||
        echo 0
}

# machine: processor time of everybody so far, and what the hypervisor took, in ms.
machine() {
    awk -v hz="$(getconf CLK_TCK)" '/^cpu / {
        print ($2 + $3 + $4 + $7 + $8) * 1000 / hz, $9 * 1000 / hz }' /proc/stat
}

# ticks: processor time of the server so far, in ms.
ticks() {
    awk -v hz="$(getconf CLK_TCK)" '{print ($14 + $15) * 1000 / hz}' "/proc/$server/stat"
}

if [[ -z $rate ]]; then
    bench --arrival concurrency:64 --requests "$requests" --json full.json >/dev/null 2>&1
    full=$(sed -n 's/.*"requests_per_s": *\([0-9.]*\).*/\1/p' full.json | head -n 1)
    rate=$(awk -v full="$full" 'BEGIN {printf "%.0f", full / 2}')
    printf 'full load: %s requests/s\n' "$full"
fi
curl -sS "$url/metrics" >before
read -r voluntary forced <<<"$(switches)"
busy=$(ticks)
ready=$(delay "$server")
read -r everybody stolen <<<"$(machine)"
TIMEFORMAT='%R %U %S'
{ time bench --arrival "poisson:$rate" --requests "$requests" >bench.out 2>bench.err; } 2>client
read -r everybody_after stolen_after <<<"$(machine)"
ready_after=$(delay "$server")
busy_after=$(ticks)
curl -sS "$url/metrics" >after
read -r voluntary_after forced_after <<<"$(switches)"
read -r took user system <client

grep -h 'client-limited' bench.out bench.err || true
# The whole, then its parts in their order; what is left of the whole is writing.
for name in dyno_time_to_first_byte_seconds dyno_request_read_seconds dyno_request_to_loop_seconds \
    dyno_first_token_in_fleet_seconds dyno_first_token_to_door_seconds; do
    # A quantile lies in its bucket as if values were spread evenly over it.
    awk -v name="$name" '
        function quantile(q,   i, low, share) {
            for (i = 1; count[i] < q * count[n]; i++) { }
            low = i > 1 ? count[i - 1] : 0
            share = count[i] > low ? (q * count[n] - low) / (count[i] - low) : 0
            return edge[i - 1] + (edge[i] - edge[i - 1]) * share
        }
        index($1, name "_bucket") == 1 {
            split($1, part, "\"")
            if (FNR == NR) { old[part[2]] = $2; next }
            n++; edge[n] = part[2] == "+Inf" ? edge[n - 1] : part[2]; count[n] = $2 - old[part[2]]
            if (part[2] == "0.001") { below = count[n] }
        }
        END {
            printf "%-34s p50 %.3f ms, p90 %.3f ms, p99 %.3f ms; %.2f %% within 1 ms, of %d\n",
                name, 1e3 * quantile(.5), 1e3 * quantile(.9), 1e3 * quantile(.99),
                100 * below / count[n], count[n]
        }' before after
done
printf 'as the client saw it, the wait for a processor of its own included:\n'
sed -n 's/^  TTFT  /  TTFT from when due,/p; /^Client/,$p' bench.out
awk -v v="$((voluntary_after - voluntary))" -v n="$((forced_after - forced))" \
    -v ms="$busy_after" -v before="$busy" -v requests="$requests" -v rate="$rate" \
    -v ready="$((ready_after - ready))" 'BEGIN {
    printf "at %s requests/s, a request: %.2f context switches, %.2f more forced, ", rate,
        v / requests, n / requests
    printf "%.1f us of processor time, %.1f us ready without a processor\n",
        1e3 * (ms - before) / requests, ready / requests }'
# What stands between this and a quiet machine.
awk -v all="$everybody_after" -v before="$everybody" -v stolen="$stolen_after" \
    -v stolen_before="$stolen" -v server="$busy_after" -v server_before="$busy" -v took="$took" \
    -v user="$user" -v system_="$system" -v count="$(nproc)" 'BEGIN {
    server = (server - server_before) / 1e3 / took
    client = (user + system_) / took
    printf "of %d processors: server %.2f, client %.2f, others %.2f, ", count, server, client,
        (all - before) / 1e3 / took - server - client
    printf "not given to this machine %.2f\n", (stolen - stolen_before) / 1e3 / took }'
