#!/usr/bin/env bash
# What help says, byte for byte, and that all of it comes from the rows.
#
# usage: tests/cli/help.sh DYNO
set -euo pipefail

dyno=$(readlink -f "$1")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# says ARGUMENT... <<END: dyno prints exactly that and ends well.
says() {
    "$dyno" "$@" >"$scratch/got" 2>"$scratch/err"
    if [[ -s $scratch/err ]] || ! diff -u - "$scratch/got"; then
        printf 'dyno %s: not as above; on standard error:\n%s\n' "$*" "$(cat "$scratch/err")"
        exit 1
    fi
}

# same "ARGUMENT..." ARGUMENT...: both command lines print the same.
same() {
    local first
    read -ra first <<<"$1"
    shift
    "$dyno" "${first[@]}" >"$scratch/first"
    "$dyno" "$@" | diff -u "$scratch/first" -
}

says <<'END'
Usage: dyno COMMAND [ARGUMENT]...

A bench for LLM serving fleets: how would this fleet serve that traffic?

  replay       replay a trace, or generated load, through a fleet, simulated or real
  serve        serve a fleet, real or simulated, to clients of the OpenAI API
  worker       compute prompts for a dyno in another process
  trace        look at a trace, make another of it, or make one: trace info, shape, synth, fit
  model        look at a model, or make a random one: model info PATH, model random -o PATH
  bench        ask a server what a trace or a generator asks, and measure it
  ab           compare arms of a scenario, request by request, with intervals and a verdict
  tune         find the options that serve a scenario's traffic best
  gate         may this change go in? the same scenarios under a base and a head
  generate     let a model write: goes on from a prompt, or talks on the terminal
  runs         the runs in a database: list, show, compare, tag, delete
  report       runs of a database as a page with figures
  sql          ask a database of runs: dyno sql FILE.db 'SELECT ...'
  export       a run as vllm bench serve or AIPerf would write it, as CSV or JSON
  calibrate    measure how long passes take on this machine
  validate     run a trace for real and simulated, and compare request by request
  rerun        feed a recorded run back: the core must decide the same
  swarm        try random worlds and faults, and look at every promise
  fit          a calibration from measured kernels, or from a benchmark of a server
  accuracy     how far predictions are from a folder of measurements
  sensitivity  what each knob does to TTFT, TPOT and capacity
  bench-sim    how fast the simulator is on this machine
  doctor       what this machine has, and what is missing
  help         help for a command; help scenario: every option; help models: models and GPUs
  version      print the version

`dyno COMMAND --help` says more.
Exit status: 0 done, 1 the run failed, 2 wrong use.
END
same help
same help --help
same help -h
same help help help

version=$(sed -n 's/^project(dyno VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
says --version <<END
dyno $version
END
same --version version

says generate --help <<'END'
Usage: dyno generate (--prompt TEXT | --prompt-file FILE | --chat) [--OPTION VALUE]...

Let a model write.  The text goes to standard output as it comes, its speed to standard error.

Examples:
  dyno generate --prompt "It was a fine morning, and"
  dyno generate --chat
  dyno generate --model ./Qwen3-0.6B --chat --prompt "Why is the sky blue?"

How tokens are chosen is what a folder's generation_config.json suggests, where it does and
no option says otherwise.

  --prompt TEXT         what the model goes on from
  --prompt-file FILE    the same from a file; - is standard input
  --system TEXT         the chat's system message, if the template has a place for one
  --tokenizer PATH      the tokenizer's file, where it does not lie with the model
  --stop TEXT           end where the answer says this; may be given several times
  --model NAME|PATH     a model that comes with dyno, or a Hugging Face folder, a .gguf file or a
                        llama2.c .bin file [austen-2m]
  --chat                the prompt is a message, put into the model's chat template; without a
                        prompt, a talk on the terminal, one line a message
  --max-tokens N        tokens of an answer at most [200]
  --temperature X       0: always the likeliest token; higher: more variety [0.7]
  --top-k N             choose among the N likeliest tokens, or 'all' [all]
  --top-p X             choose among the likeliest tokens that together have this probability; 1:
                        among all [0.9]
  --min-p X             leave out tokens that are less likely than X times the likeliest [0]
  --repetition-penalty X
                        make tokens that occurred already less likely, by this factor; 1: no less
                        [1]
  --seed N              of the choices: the same seed, the same text [0]
  --device DEVICE       what computes: this machine's processor or its first GPU [cpu]
  --weights DTYPE       with --device cuda, what weights become: fp8 leaves those of 8 bits as they
                        are in the model's file [bf16]
  --threads N           threads that compute; 'all': one for each core. The text does not depend on
                        it [all]
END
same 'help generate' generate -h

says replay --help <<'END'
Usage: dyno replay [SCENARIO.yaml] [--OPTION VALUE]... [--set NAME=VALUE]...

Replay a recorded trace, or generated requests, through a fleet of workers under a routing policy.
Prints a table, and adds the run to a SQLite database.

Examples:
  dyno replay --trace trace.jsonl --gpu h100 --workers 8 --router kv
  dyno replay --arrival poisson:20 --requests 1000 --slo ttft=2s,tpot=50ms
  dyno replay fleet.yaml --set model.weights=fp8 --json out.json

  --set NAME=VALUE            set any option by the name that `dyno help scenario` lists
  --print-scenario            print every option, its value and where it came from, as a scenario
                              file, and stop
  --help                      print this and stop

run: the run itself
  --seed N                    seed of every random stream; the same seed gives the same run [1]
  --clock CLOCK               virtual jumps from event to event, wall paces the run in real time
                              [virtual]
  --device DEVICE             sim models a GPU, null computes nothing and shows what the harness
                              itself costs, cpu computes real tokens on this machine, cuda on its
                              GPUs, remote asks the servers of fleet.endpoints [sim]
  --ends WHEN                 a request ends after as many tokens as were recorded, or when the
                              model ends it (devices cpu and cuda) [recorded]
  --sample-every TIME         simulated time between two looks at every worker, for the table sample
                              of the database [1s]
  --duration-max TIME         stop the run at this simulated time [never]

trace: requests from a recorded trace, and how they are paced
  --trace FILE                the trace to replay; - is standard input, .gz is read as it is
  --format FORMAT             its format; auto recognises it by its first lines: auto, mooncake,
                              azure, burstgpt, bailian [auto]
  --skip-bad N                lines that may be bad: they are skipped, counted and listed; one more
                              ends the run [0]
  --sort-window LINES         how many lines out of order one may be and still be put in its place
                              [1024]
  --[no-]ignore-unknown       pass over columns that the format does not know; else refused [false]
  --skip N                    pass over so many requests of a trace; time begins with the next one
                              [0]
  --requests N                stop after this many requests, of a trace or of a generator [all]
  --max-tokens TOKENS         most tokens a client asks for; recorded means as many as it got
                              [recorded]
  --speedup X                 divide every timestamp by this [1]
  --concurrency N             closed loop over a trace: always this many requests in flight,
                              timestamps ignored
  --max-concurrency N         open loop behind a client that holds at most this many in flight; the
                              wait is reported apart

generate: requests from the seeded generator
  --arrival LAW               generate requests instead of reading a trace: constant:RATE,
                              poisson:RATE, gamma:RATE,CV, sine:MEAN,AMPLITUDE,PERIOD,
                              rates:RATE@0s,RATE@60s,... (per second), or concurrency:N, a closed
                              loop (also over a trace)
  --input-tokens LENGTH       prompt length: a number, uniform:LOW,HIGH, normal:MEAN,DEVIATION,
                              lognormal:MEDIAN,SIGMA, exponential:MEAN, or
                              percentiles:P0,P1,P5,P10,P20,...,P90,P95,P99,P100;
                              LENGTH@0s;LENGTH@6h;... where it changes as time goes on [1024]
  --output-tokens LENGTH      answer length, written the same way [128]
  --duration TIME             generate for this long; none means until --requests

model: what is served
  --model MODEL               a built-in model (see `dyno help models`), or the path of a Hugging
                              Face config.json; to compute: a model's folder or file, or one that
                              comes with dyno [llama-3.1-8b]
  --weights DTYPE             type of the weights: bf16, fp8, int4 [bf16]
  --kv-cache-dtype DTYPE      type of the KV cache: bf16, fp8 [bf16]

fleet: what serves it
  --gpu GPU                   a built-in GPU (see `dyno help models`), or the path of a YAML file
                              [h100]
  --workers N                 workers behind the router; each is one engine on tp GPUs [1]
  --models MODEL              several models behind one door and one budget
                              (docs/several-models.md), each with a name by which requests ask for
                              it: name=chat:model=llama-3.1-8b:workers=4:share=2; also gpu, tp,
                              weights, blocks, tenants (3+5), and of a planner min, max and start;
                              in a file an item may be a mapping; none: model.name alone
  --tp N                      tensor parallel GPUs of a worker, or ranks of one on the CPU [1]
  --threads N                 threads of a worker that computes; auto shares this machine's cores
                              [auto]
  --workers-at ADDRESSES      where workers that decode or serve whole requests are: HOST:PORT of
                              `dyno worker` and more, with commas between them; here: in this
                              process (docs/ucx.md) [here]
  --[no-]expert-parallel      spread whole experts over the GPUs of a worker rather than splitting
                              each [false]

disagg: prompts computed by one worker and decoded by another
  --disagg POLICY             which requests have their prompt computed by another worker: always,
                              never, threshold:TOKENS, cached_threshold:TOKENS, load:TOKENS,
                              predicted; none: there are no such workers
  --prefill N                 workers that compute prompts only; the router chooses among these [1]
  --decode N                  workers that decode, and serve whole what --disagg does not part [1]

prefill: how workers that compute prompts differ from those that decode
  --prefill-at ADDRESSES      where they are: HOST:PORT of `dyno worker` and more, with commas
                              between them; here: in this process (docs/ucx.md) [here]

links: what lies between workers
  --topology FILE             nodes, switches and NICs as YAML (docs/links.md); none: nodes of eight
                              GPUs with the GPU's own links and NICs

tiers: where KV may lie beside the GPU's own memory
  --tier TIER                 tiers below the GPU's memory, each with a size and whose it is
                              (docs/tiers.md): g2=64GiB is host memory, g3=2TiB:node NVMe, g4=10TiB
                              a store; --tier may be given several times
  --[no-]peers                prompts are copied from other workers' GPUs too, where that is faster
                              than to compute them, or to have them from a tier [false]
  --tier-file FILE            where g3 lies of workers that compute: made if it is not there, and
                              what is in it is found again; with several pools also FILE.1, FILE.2
                              ...; none: gone with the run

engine: which engine's habits the workers have
  --engine ENGINE             the engine whose defaults and scheduling order workers follow: vllm,
                              sglang, trtllm [vllm]

batch: how a worker forms its passes
  --max-num-batched-tokens TOKENS
                              tokens computed in one pass at most; of vllm 8192 on GPUs of 70 GiB
                              and more but the A100, else 2048; of sglang 2048 to 16384, by memory
                              [profile]
  --max-num-seqs N            sequences running on a worker at most; of vllm 1024 on GPUs of 70 GiB
                              and more but the A100, else 256 [profile]
  --max-model-len TOKENS      prompt and answer of one sequence at most [model]
  --max-queue N               requests waiting at a worker before it rejects more

kv: a worker's KV cache
  --block-size TOKENS         tokens of one KV block [profile]
  --num-gpu-blocks-override N
                              KV blocks of a worker; auto means what fits beside the weights [auto]
  --gpu-memory-utilization FRACTION
                              the engine's share of GPU memory: gpu_memory_utilization of vllm (0.9
                              of all), mem_fraction_static of sglang (of what is free before
                              weights; by GPU, tp and tokens of a pass), free_gpu_memory_fraction of
                              trtllm (0.9 of what is free beside weights and activations) [profile]
  --[no-]prefix-cache         keep blocks of finished sequences for prompts that begin alike [true]
  --[no-]belady               also report the hit rate of one cache of the whole capacity with
                              perfect foresight [true]

router: who gets a request
  --router POLICY             which worker gets a request: round_robin, random, least_loaded,
                              power_of_two, session, kv, kv_approx, lmetric, plugin [round_robin]
  --policy FILE               a shared object with a policy of your own, instead of a built-in one
  --policy-args TEXT          free text for that policy
  --router-temperature X      0 takes the best and draws among equals; above, a softmax over costs
                              [0]

planner: how many workers there are: who starts and stops them
  --planner POLICY            who decides how many of fleet.workers are up; none: all of them always
                              are: none, static, load, throughput, sla, hybrid, clairvoyant
  --budget GPUS               GPUs that may be up at once, of starting and draining workers too
                              [all]
  --[no-]regret               run once more under the planner clairvoyant, and report the difference
                              [false]

faults: what goes wrong, and how the fleet goes on (docs/faults.md)
  --fault FAULT               WHAT:WHICH@FROM[..TO]=HOW, as in worker:2@120s=dead,
                              worker:4-7@2min..3min=dead, worker:1@30s..40s=frozen,
                              worker:1@30s..40s=slow:3, nic:3@30s..40s=down or
                              switch:rack1@30s..40s=slow:10 (docs/faults.md)

slo: what counts as goodput
  --slo ttft=TIME,tpot=TIME,...
                              what a request must meet to count as goodput: any of ttft, tpot, itl,
                              e2e

timing: how long a pass takes; auto means the GPU's own figure
  --calibration FILE          timing parameters from this file (see `dyno fit`), over the GPU's own
  --machine FILE              simulate a machine that `dyno calibrate` measured, instead of a GPU

output: what a run leaves behind
  --db FILE                   SQLite database that the run is added to; none (or :memory:) keeps
                              nothing [runs.db]
  --json FILE                 write the summary as JSON; - is standard output
  --host-json FILE            write wall time, speed and memory of this run as JSON
  --journal FILE              write down all that enters the core; `dyno rerun FILE` feeds it back
                              and checks that the core decides the same
  --intervals N               95 % intervals for the headlines, from so many replicas: timing drawn
                              within its uncertainty, requests resampled in blocks; auto takes 8,
                              and none where the run is long [auto]
  --[no-]decisions            record every routing decision with its candidates and scores [false]
  --[no-]progress             a progress bar, where standard error is a terminal [true]

A value in brackets is the default. Values are laid over each other: defaults, the engine profile's,
the scenario file's, then --set and flags, of which the later wins. `dyno help scenario` lists every
option, also those without a flag.
END
same "replay --help" help replay
same "replay --help" replay -h

# Where nothing is given a server takes other things than a replay.
"$dyno" serve --help >"$scratch/got"
for said in 'fleet.endpoints [cpu; sim for a GPU' 'comes with dyno [austen-2m]' '[true'; do
    grep -Fq -- "$said" "$scratch/got" || {
        printf 'dyno serve --help does not say %s\n' "$said"
        exit 1
    }
done
if grep -Fq 'runs.db' "$scratch/got"; then
    echo "a server keeps no database by itself"
    exit 1
fi

says doctor --help <<'END'
Usage: dyno doctor [--json] [--require NAME,...]

What this machine has, line by line; of what is missing, what that costs.

  --json                    write JSON, with the figures of each GPU
  --require NAME,...        end with 1 if a line of one of these names says missing [none]
END

# Whatever the list names has help of its own.
for command in $("$dyno" help | sed -n 's/^  \([a-z-]*\)  .*/\1/p'); do
    if ! "$dyno" "$command" --help >"$scratch/got" 2>"$scratch/err" || [[ -s $scratch/err ]] ||
        [[ ! -s $scratch/got ]]; then
        echo "dyno $command --help: $(cat "$scratch/err")"
        exit 1
    fi
done

# `dyno help scenario` names every option that --print-scenario prints, and no line is too long.
"$dyno" help scenario >"$scratch/scenario"
"$dyno" help models >"$scratch/models"
if grep -n '.\{101,\}' "$scratch/scenario" "$scratch/models"; then
    echo "help is wider than 100 columns"
    exit 1
fi
"$dyno" replay --print-scenario >"$scratch/printed"
options=$(grep -c '# ' "$scratch/printed")
listed=$(grep -Ec '^  [a-z0-9_.]+: [A-Za-z]' "$scratch/scenario")
if [[ $options -ne $listed ]]; then
    echo "$options options are printed, $listed have help"
    exit 1
fi
sed -n '/^slo:/,/^$/p' "$scratch/scenario" | diff -u - <(cat <<'END'
slo: what counts as goodput
  ttft: TIME                        time to first token, at most, for a request to count as goodput
  tpot: TIME                        mean time per token after the first, at most, for a request to
                                    count as goodput
  itl: TIME                         mean gap between tokens, at most, for a request to count as
                                    goodput
  e2e: TIME                         whole request, at most, for a request to count as goodput

END
)
