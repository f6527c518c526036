#!/usr/bin/env bash
# `dyno trace`: what info says, byte for byte; what synth refuses; and that the samples in
# traces/samples are what the commands in its README make.
#
# usage: tests/cli/trace.sh DYNO
set -euo pipefail

dyno=$(readlink -f "$1")
samples=$PWD/traces/samples
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

# says ARGUMENT... <<END: dyno prints exactly that and ends well.
says() {
    "$dyno" "$@" >got 2>err
    if [[ -s err ]] || ! diff -u - got; then
        printf 'dyno %s: not as above; on standard error:\n%s\n' "$*" "$(cat err)"
        exit 1
    fi
}

# refuses STATUS SENTENCE ARGUMENT...: that exit status, that one sentence, nothing on stdout.
refuses() {
    local status=0 wanted=$1 sentence=$2
    shift 2
    "$dyno" "$@" >got 2>err || status=$?
    if [[ $status != "$wanted" || -s got || $(cat err) != "dyno: $sentence" ]]; then
        printf 'dyno %s: exit %s, not %s, saying\n%s\n' "$*" "$status" "$wanted" "$(cat got err)"
        exit 1
    fi
}

cat >small.jsonl <<'END'
{"timestamp": 0, "input_length": 33, "output_length": 3, "hash_ids": [7, 8, 9]}
{"timestamp": 2500, "input_length": 17, "output_length": 5, "hash_ids": [7, 10], "session_id": 4}
not JSON
END

says trace info --block-tokens 16 --skip-bad 1 small.jsonl <<'END'
format                  mooncake
requests                       2
span, s                    2.500
requests per second        0.800
  over time         █                                       █  0.0625 s a bar, at most 16/s
tokens                      mean       p50       p90       p99       max
  input                    25.00        17        33        33        33
  output                    4.00         3         5         5         5
  input             ██  from 16 to 64 tokens, twice as many a bar
  output            ██  from 2 to 8 tokens, twice as many a bar
block references               5
distinct blocks                4
prefix hits               20.000  % of references, in an unbounded cache shared by all
in one LRU cache          blocks        tokens   hits, %
                               1            16    20.000  ████
                               2            32    20.000  ████
                               4            64    20.000  ████
sessions                       1
  requests in them             1
  in each                   mean       p50       p90       p99       max
                            1.00         1         1         1         1
                    █  from 1 to 2 requests, twice as many a bar
lines skipped                  1
  small.jsonl:3:1: found 'n'; expected '{': one JSON object a line
END

# Sessions of four requests, of two and of one, whose requests lie between each other.
for session in 1 2 1 3 1 2 1; do
    echo '{"timestamp": 0, "input_length": 4, "output_length": 2, "session_id": '"$session"'}'
done >sessions.jsonl
"$dyno" trace info sessions.jsonl | sed -n '/^sessions/,$p' | diff -u - <(
    cat <<'END'
sessions                       3
  requests in them             7
  in each                   mean       p50       p90       p99       max
                            2.33         2         4         4         4
                    ███  from 1 to 8 requests, twice as many a bar
END
)

# A recording that was cut off: who came, how they ended, what is missing.
recorded='"recording": "9c0f1e2d3c4b5a69", "block_tokens": 4'
{
    for time in 3 1 2; do
        echo '{"timestamp": '$time'.5, "input_length": 4, "output_length": 2, "outcome":' \
            '"completed", '"$recorded"', "hash_ids": [7]}'
    done
    echo '{"timestamp": 4, "input_length": 5, "output_length": 0, "outcome":' \
        '"rejected_queue_full", '"$recorded"', "lost": 12}'
    printf '{"timestamp": 5, "input_length": 7'
} >r.jsonl
says trace info r.jsonl <<'END'
format                  mooncake
requests                       3
span, s                    0.002
requests per second     1500.000
  over time         █▄  0.00195312 s a bar, at most 1024/s
tokens                      mean       p50       p90       p99       max
  input                     4.00         4         4         4         4
  output                    2.00         2         2         2         2
  input             █  from 4 to 8 tokens, twice as many a bar
  output            █  from 2 to 4 tokens, twice as many a bar
block references               3
distinct blocks                1
prefix hits               66.667  % of references, in an unbounded cache shared by all
in one LRU cache          blocks        tokens   hits, %
                               1             4    66.667  █████████████
sessions                       0
  requests in them             0
recorded lines                 4
  completed                    3
  rejected_queue_full          1
lost, not recorded            12
cut off at its end             1
places out of order            1
failed, dropped                1
  r.jsonl:5:35: the line ends; expected ',' or '}' after a value (the recording was cut off here)
END
grep -q '"recorded": {"lines": 4, "completed": 3, ' <<<"$("$dyno" trace info --json r.jsonl)"

says trace info --block-tokens 16 --json --skip-bad=1 small.jsonl <<'END'
{
  "format": "mooncake",
  "requests": 2,
  "span_s": 2.500000000,
  "requests_per_s": 0.800000,
  "input_tokens": {"mean": 25.000000, "min": 17, "p50": 17, "p90": 33, "p99": 33, "max": 33},
  "output_tokens": {"mean": 4.000000, "min": 3, "p50": 3, "p90": 5, "p99": 5, "max": 5},
  "input_octaves": [0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0],
  "output_octaves": [0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0],
  "arrivals": {"bin_s": 0.062500000, "requests": [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 1]},
  "lru_curve": {"block_tokens": 16, "points": [
    {"blocks": 1, "hits": 1, "hit_rate": 0.20000000},
    {"blocks": 2, "hits": 1, "hit_rate": 0.20000000},
    {"blocks": 3, "hits": 1, "hit_rate": 0.20000000},
    {"blocks": 4, "hits": 1, "hit_rate": 0.20000000}]},
  "blocks": {"references": 5, "distinct": 4, "prefix_hits": 1, "unbounded_hit_rate": 0.20000000},
  "sessions": {"count": 1, "requests": 1,
    "turns": {"mean": 1.000000, "min": 1, "p50": 1, "p90": 1, "p99": 1, "max": 1}},
  "failed_dropped": 0,
  "lines_skipped": 1
}
END

says trace synth --requests 3 --arrival constant:2 --prefix-groups 1 --input-tokens 100 \
    --output-tokens 10 --session-turns 2 --think-time 1.5 -o - <<'END'
{"timestamp": 0, "input_length": 612, "output_length": 10, "session_id": 1, "hash_ids": [0, 1]}
{"delay": 1500, "input_length": 722, "output_length": 10, "session_id": 1, "hash_ids": [0, 2]}
{"timestamp": 500, "input_length": 612, "output_length": 10, "session_id": 2, "hash_ids": [0, 3]}
END

# A file on standard input is the same as one by name, plain or compressed.
head -n 2 small.jsonl >good.jsonl
"$dyno" trace info --block-tokens 16 good.jsonl >by_name
"$dyno" trace info --block-tokens 16 - <good.jsonl | diff -u by_name -
gzip -k good.jsonl
"$dyno" trace info --block-tokens 16 good.jsonl.gz | diff -u by_name -
"$dyno" trace info --block-tokens 16 - <good.jsonl.gz | diff -u by_name -

refuses 1 "small.jsonl:3:1: found 'n'; expected '{': one JSON object a line" \
    trace info --block-tokens 16 small.jsonl
refuses 1 'missing.jsonl: no such file; expected a trace' trace info missing.jsonl
refuses 2 "unknown option '--formt'; did you mean '--format'?" trace info --formt x small.jsonl
refuses 2 'trace info needs a file: dyno trace info FILE' trace info
refuses 2 "trace info takes one file; 'b' is one too many" trace info a b
refuses 2 'trace synth needs a file to write: -o FILE' trace synth --requests 3
refuses 2 'a generator without end; expected --requests N or --duration TIME' trace synth -o x
refuses 2 'a closed loop has no timestamps to write; expected another arrival than concurrency:N' \
    trace synth --requests 3 --arrival concurrency:2 -o x
refuses 1 '/dev/full: writing failed: No space left on device' trace synth --requests 3 -o /dev/full
refuses 2 'trace needs to know what: info FILE, shape -o FILE FROM, or synth -o FILE' trace
refuses 2 "trace knows info, shape, synth and fit, not 'inf'" trace inf

# Another trace of one: whole conversations, its own numbers; the same seed, the same file.
cat >chat.jsonl <<'END'
{"timestamp": 7000, "input_length": 40, "output_length": 1, "hash_ids": [70, 71, 72]}
{"timestamp": 7500, "input_length": 9, "output_length": 2, "hash_ids": [70], "session_id": "k"}
{"delay": 2.5, "input_length": 9, "output_length": 3, "hash_ids": [91], "session_id": "k"}
END
says trace shape --input-block-tokens 16 --until 500ms -o - chat.jsonl <<'END'
{"timestamp": 0, "input_length": 40, "output_length": 1, "block_tokens": 16, "hash_ids": [0, 1, 2]}
END
"$dyno" trace shape --input-block-tokens 16 --format bailian --until 500ms -o - chat.jsonl >chats
[[ $(cat chats) == '{"chat_id": 1, "parent_chat_id": -1, "timestamp": 0.000000000, '* ]]
"$dyno" trace shape --input-block-tokens 16 -o once.jsonl chat.jsonl >/dev/null
"$dyno" trace shape -o again.jsonl.gz - <once.jsonl >/dev/null
cmp once.jsonl <(gzip -dc again.jsonl.gz)
says trace shape --scale 2 --spread 0s --common 1 -o twice.jsonl again.jsonl.gz again.jsonl.gz \
    <<<'twice.jsonl: 12 requests of 6 in 4 conversations'
refuses 1 "a request waits for others by a delay or by their names, which only the mooncake format \
can say" trace shape --format burstgpt -o x again.jsonl.gz
says trace shape --format azure --until 500ms -o - again.jsonl.gz <<END
TIMESTAMP,ContextTokens,GeneratedTokens
2024-05-10 00:00:00.000000+00:00,40,1
END
export SALT='a secret of our own'
"$dyno" trace shape --salt-env SALT -o one again.jsonl.gz >/dev/null
"$dyno" trace shape --salt-env SALT --until 1ms -o two again.jsonl.gz >/dev/null
head -n 1 one | cmp - two
refuses 2 'trace shape needs a trace to read: dyno trace shape -o FILE FROM' trace shape -o x
refuses 2 '--until is not later than --from; expected a window with a beginning and an end' \
    trace shape --from 2s --until 1s -o x chat.jsonl
refuses 2 '--salt-env: there is no environment variable NO_SALT with the secret' \
    trace shape --salt-env NO_SALT -o x chat.jsonl
refuses 1 'no request is left of 3; expected a wider window or a larger scale' \
    trace shape --from 9s --input-block-tokens 16 -o x chat.jsonl
refuses 2 'trace fit reads its trace twice; expected a file, not standard input' trace fit -
[[ ! -e x && ! -e x.partial ]]

# The command that fit prints makes a trace, and one that is as it says.
"$dyno" trace fit "$samples/agent-sessions.jsonl" >fitted
command=$(sed -n '1,/-o FILE/p' fitted | tr -d '\\\n')
read -ra words <<<"${command% FILE} fitted.jsonl"
"$dyno" "${words[@]:1}" >/dev/null
read -ra info <<<"$("$dyno" trace info fitted.jsonl | grep '^  input  *[0-9]')"
read -ra said <<<"$(grep '^  p50' fitted | sed -n 1p)"
[[ ${info[2]} == "${said[2]}" ]]

# Of several seeds it takes the one whose hits come closest.
"$dyno" trace fit --seed 2 --seeds 1 "$samples/agent-sessions.jsonl" >second
grep -q -e '--seed 2 -o FILE' second
off() {
    sed -n '/^prefix hits/,/^$/p' "$1" | awk '/%$/ { off += $(NF - 1) < 0 ? -$(NF - 1) : $(NF - 1) }
        END { print off }'
}
awk "BEGIN { exit !($(off fitted) < $(off second)) }" || fail "$(off fitted), $(off second)"
refuses 2 "--seeds: '0' is not a whole number from 1 to 1000" trace fit --seeds 0 fitted.jsonl

# So it does of one whose clock ticks seldom.
"$dyno" trace synth --requests 400 --arrival poisson:4 --input-tokens 900 --output-tokens 9 \
    --tick 3s -o ticks.jsonl >/dev/null
"$dyno" trace fit ticks.jsonl >fitted
grep -q -e ' --tick 3s ' fitted || fail "no word of the clock: $(cat fitted)"
grep -Eq '^  in a second, p99 +[0-9]+ +[0-9]+ ' fitted

# Figures, where gnuplot is.
if command -v gnuplot >/dev/null; then
    "$dyno" trace info --figures drawn --formats svg,png "$samples/chat-prefix.jsonl" >/dev/null
    [[ $(ls drawn) == $'trace_hits.png\ntrace_hits.svg\ntrace_lengths.png\ntrace_lengths.svg
trace_rate.png\ntrace_rate.svg\ntrace_sessions.png\ntrace_sessions.svg' ]]
    grep -q 'requests a second' drawn/trace_rate.svg
fi
refuses 2 "'gif' is no format of figures: any of svg, png, pdf, with commas between" trace info \
    --figures drawn --formats gif "$samples/chat-prefix.jsonl"

# The samples are what their README says; compressed ones may differ by the version of zlib.
grep '^dyno trace synth' "$samples/README.md" | while read -r _ line; do
    read -ra words <<<"$line"
    "$dyno" "${words[@]}" >/dev/null
    name=${words[-1]}
    if ! cmp <(gzip -dcf "$samples/$name") <(gzip -dcf "$name"); then
        printf '%s is not what its command makes\n' "$name"
        exit 1
    fi
done
