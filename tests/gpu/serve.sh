#!/usr/bin/env bash
# The CUDA device as a server, on this machine's GPU: logits of small random models against
# transformers, greedy text against the CPU device; then prefill and decode on random weights
# of Llama-3.1-8B's shape, against transformers on the same weights; the same simulated by what was
# measured; and a replay of shared prefixes.
#
# usage: [DYNO=PROGRAM] [PYTHON=python3] [SECONDS_MAX=480] [DEVICE=cuda] tests/gpu/serve.sh [FOLDER]
#
# DYNO is a portable build with CUDA; without it one is built here, which does not count as time.
# FOLDER has room for 17 GB of weights (a temporary one, if it is not given).  Steps for which
# SECONDS_MAX leaves no time are left out, and said; a short table comes last, and
# results/serve-*.json is written.  Ends with 0 if all is right, 1 if not, and 77, having said
# "skipped: no GPU", where there is none.  DEVICE=cpu tries the script itself, on a small model and
# without transformers.
set -euo pipefail
cd "$(dirname "$0")/../.."

python=${PYTHON:-python3}
device=${DEVICE:-cuda}
results=results
failed=()
servers=()
decode=("64 512 64" "1 128 4" "256 512 256" "8 256 16") # batch, tokens of an answer, requests
prefill=(2048 8192)
large=(--like llama-3.1-8b --context 32768)
seconds_max=${SECONDS_MAX:-480}
rival_seconds=170

gpu=$(nvidia-smi --query-gpu=name,driver_version,clocks.max.sm --format=csv,noheader,nounits \
    2>/dev/null | head -n 1) || gpu=
if [[ $device == cpu ]]; then
    gpu="none, 0, 0"
    decode=("1 8 2" "4 8 4")
    prefill=(256)
    large=(--like llama-3.1-8b --layers 2 --hidden 128 --heads 4 --kv-heads 2 --head-dim 32
           --intermediate 256 --vocab 2048 --context 32768)
elif [[ -z $gpu ]]; then
    echo "skipped: no GPU"
    exit 77
fi
IFS=, read -r name driver clock <<<"$gpu"

scratch=$(mktemp -d)
folder=${1:-$scratch}
facts=$scratch/facts.jsonl
finish() {
    stop_servers
    rm -rf "$scratch" "$folder"/dyno-serve-*
}
trap finish EXIT

say() {
    printf '\n== %s (%d s so far)\n' "$*" "$SECONDS"
}

# Seconds left for a step that may have so many; not fewer than 1.
left() {
    local most=$1 rest=$((seconds_max - SECONDS))

    echo $((rest < 1 ? 1 : rest < most ? rest : most))
}

# SECONDS WHAT COMMAND...: a step that may fail without ending the others, if there are so many
# seconds left.
step() {
    local least=$1 what=$2

    shift 2
    if [[ $((seconds_max - SECONDS)) -lt $least ]]; then
        echo "left out, there is no time: $what"
        return
    fi
    "$@" || failed+=("$what")
}

find_program() {
    dyno=${DYNO:-}
    if [[ -z $dyno ]]; then
        say "Building"
        cmake --preset portable-cuda >/dev/null
        cmake --build --preset portable-cuda --parallel "$(nproc)" --target dyno >/dev/null
        dyno=build/portable-cuda/dyno
    fi
    dyno=$(readlink -f "$dyno")
}

stop_servers() {
    local pid

    for pid in "${servers[@]}"; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    servers=()
}

# MODEL DEVICE: a server on a free port; leaves where it listens in $url.
start_server() {
    local model=$1 on=$2 log=$scratch/server-${#servers[@]} i

    : >"$log"
    "$dyno" serve --model "$model" --device "$on" --port any --num-gpu-blocks-override 1024 \
        >"$log" 2>"$log.err" &
    servers+=($!)
    url=
    for ((i = 0; i < 300; i++)); do
        url=$(grep -o 'http://[0-9.:]*' "$log" | head -n 1) || true
        [[ -z $url ]] || return 0
        kill -0 "$!" 2>/dev/null || break
        sleep 0.1
    done
    printf 'no server over %s on %s:\n%s\n' "$model" "$on" "$(tail -n 3 "$log.err")"
    return 1
}

# SECONDS ARGUMENT...: what the rival's script says becomes facts.
rival() {
    local status=0 seconds=$1

    shift
    timeout "$(left "$seconds")" "$python" tests/gpu/transformers_rival.py "$@" \
        >"$scratch/said" || status=$?
    tee -a "$facts" <"$scratch/said"
    return "$status"
}

# Small random models: each family's logits, and the first one's text on both devices.
small() {
    local family model pairs=() width=(--layers 4 --hidden 1024 --heads 8 --kv-heads 2
        --head-dim 128 --vocab 8192 --context 16384) more first=

    for family in llama-3.1-8b qwen3-8b mixtral-8x7b; do
        model=$folder/dyno-serve-$family
        more=(--intermediate 2048)
        "$dyno" model random --like "$family" "${width[@]}" "${more[@]}" --dtype bf16 -o "$model" \
            >/dev/null
        if start_server "$model" "$device"; then
            pairs+=("$model" "$url")
            first=${first:-$url}
        else
            failed+=("$family")
        fi
    done
    if [[ -n $first ]] && start_server "$folder/dyno-serve-llama-3.1-8b" cpu; then
        step 8 greedy rival 60 greedy "$first" "$url"
    fi
    if [[ $device != cpu && ${#pairs[@]} -gt 0 ]]; then
        step 20 logits rival 90 logits "${pairs[@]}"
    fi
    find "$scratch" -name 'server-*.err' -size +0 -exec tail -n 3 {} + # what they complained of
    stop_servers
}

# NAME BATCH OPTION...: one replay over the large model; its summary becomes a line of the facts.
replay() {
    local what=$1 batch=$2 json=$scratch/replay.json

    shift 2
    timeout "$(left 120)" "$dyno" replay --device "$device" --model "$weights" --no-belady \
        --max-num-seqs "$batch" --db none --json "$json" "$@" \
        >"$scratch/table" 2>"$scratch/replay.err" || {
        printf '%s:\n%s\n' "$what" "$(tail -n 3 "$scratch/replay.err")"
        return 1
    }
    printf '{"test": "replay", "name": "%s", "batch": %d, "summary": %s}\n' "$what" "$batch" \
        "$(tr -d '\n' <"$json")" >>"$facts"
}

speed() {
    local row batch tokens requests

    for tokens in "${prefill[@]}"; do
        step 8 "prefill $tokens" replay "prefill $tokens" 1 --arrival concurrency:1 --requests 8 \
            --input-tokens "$tokens" --output-tokens 2
    done
    for row in "${decode[@]}"; do
        read -r batch tokens requests <<<"$row"
        step 12 "decode $batch" replay "decode" "$batch" --arrival "concurrency:$batch" \
            --requests "$requests" --input-tokens 1024 --output-tokens "$tokens"
    done
}

# Measure the device as a machine, and hold a run on it against its simulation.
validate() {
    local machine=$scratch/machine.json

    timeout "$(left 60)" "$dyno" calibrate --device "$device" --model "$weights" --rounds 5 \
        -o "$machine" >"$scratch/machine" &&
        timeout "$(left 60)" "$dyno" validate --machine "$machine" --arrival poisson:8 \
            --requests 80 --input-tokens uniform:100,2000 --output-tokens uniform:10,150 \
            --repeats 3 --db none >"$scratch/validation" || return 1
    cat "$scratch/validation"
    "$python" -c 'import json, sys; print(json.dumps({"test": sys.argv[1],
        "machine": json.load(open(sys.argv[2])), "text": open(sys.argv[3]).read()}))' \
        validate "$machine" "$scratch/validation" >>"$facts"
}

# Long prompts that begin alike, as chats of one assistant do.
replay_prefixes() {
    replay "shared prefixes" 64 --trace traces/samples/chat-prefix.jsonl --speedup 2 --router kv \
        --requests "${replayed:-100}"
}

find_program
SECONDS=0
say "What is here"
"$dyno" doctor --require "$([[ $device == cpu ]] && echo kernels || echo cuda)"

# The large model's weights are written meanwhile: nothing is timed yet.
weights=$folder/dyno-serve-large
"$dyno" model random "${large[@]}" --dtype bf16 -o "$weights" >"$scratch/weights" 2>&1 &
writer=$!

say "Small models against transformers and the CPU device"
small

say "Random weights in the shape of Llama-3.1-8B"
wait "$writer" || failed+=(weights)
cat "$scratch/weights"

say "Prefill and decode"
speed

# What of the rival was not timed is no failure of ours.
if [[ $device != cpu && $(left "$rival_seconds") -gt 20 ]]; then
    say "transformers on the same weights"
    rival "$rival_seconds" speed "$weights" --limit "$(left "$((rival_seconds - 40))")" ||
        echo "transformers: not all was timed"
fi

say "Real and simulated"
step 30 validate validate

say "A replay of prompts that share prefixes"
[[ $device == cuda ]] || replayed=2
step 50 prefixes replay_prefixes

say "Result"
mkdir -p "$results"
printf '{"test": "machine", "gpu": "%s", "driver": "%s", "clock_mhz": "%s", "date": "%s"}\n' \
    "$name" "${driver# }" "${clock# }" "$(date -u +%F)" >>"$facts"
"$python" tests/gpu/serve_report.py "$facts" \
    "$results/serve-$(date -u +%Y%m%dT%H%M%SZ).json" || failed+=(report)
if [[ ${#failed[@]} -gt 0 ]]; then
    printf 'FAILED: %s\n' "${failed[*]}"
    exit 1
fi
echo "All is right ($SECONDS s)."
