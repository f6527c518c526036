/* The rows of a scenario: the only list of its options.  Sections come in the order in which a
 * reader meets them (cli/scenario/sections.c); text defaults, ranges and words are data, not code.
 */
#include "cli/scenario/scenario.h"

#include <stddef.h>

#include "cli/scenario/option_choices.h"

#define AT(field) offsetof(struct dyno_scenario, field)
#define DAYS(n)   ((n) * (86400 * DYNO_S))

/* A row: name, flag, value word, type, field, and what else it has. */
#define ROW(name_, flag_, value_, type_, field_, ...)                                              \
    {                                                                                              \
        .name = (name_), .flag = (flag_), .value = (value_), .type = DYNO_OPTION_##type_,          \
        .offset = AT(field_), __VA_ARGS__                                                          \
    }
#define DEFAULT(text)       .initial = (text)
#define OR(word)            .special = (word)
#define RANGE(min_, max_)   .min = (min_), .max = (max_)
#define WITHIN(low_, high_) .low = (low_), .high = (high_)
#define NOT_EMPTY           .min = 1
#define WORDS(...)                                                                                 \
    .choices = (const char *const[])                                                               \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }
#define TABLE(function) .choice = (function)
#define HELP(text)      .help = (text)
#define LIST            .is_list = true
#define ALSO(text)      .also = (text) /* as Dynamo has it */

const struct dyno_option dyno_scenario_rows[] = {
    ROW("run.seed", "seed", "N", U64, run.seed, DEFAULT("1"), RANGE(0, UINT64_MAX),
        HELP("seed of every random stream; the same seed gives the same run")),
    ROW("run.clock", "clock", "CLOCK", CHOICE, run.clock, DEFAULT("virtual"),
        WORDS("virtual", "wall"),
        HELP("virtual jumps from event to event, wall paces the run in real time")),
    ROW("run.device", "device", "DEVICE", CHOICE, run.device, DEFAULT("sim"),
        WORDS("sim", "null", "cpu", "cuda", "remote"),
        HELP("sim models a GPU, null computes nothing and shows what the harness itself costs, cpu "
             "computes real tokens on this machine, cuda on its GPUs, remote asks the servers of "
             "fleet.endpoints")),
    ROW("run.ends", "ends", "WHEN", CHOICE, run.ends, DEFAULT("recorded"),
        WORDS("recorded", "model"),
        HELP("a request ends after as many tokens as were recorded, or when the model ends it "
             "(devices cpu and cuda)")),
    ROW("run.sample_every", "sample-every", "TIME", DURATION, run.sample_every_ns, DEFAULT("1s"),
        OR("never"), RANGE(DYNO_MS, DAYS(1)),
        HELP("simulated time between two looks at every worker, for the table sample of the "
             "database")),
    ROW("run.duration_max", "duration-max", "TIME", DURATION, run.duration_max_ns, DEFAULT("never"),
        OR("never"), RANGE(1, DAYS(3650)), HELP("stop the run at this simulated time")),

    ROW("trace.path", "trace", "FILE", TEXT, trace.path, DEFAULT("none"), OR("none"), NOT_EMPTY,
        HELP("the trace to replay; - is standard input, .gz is read as it is")),
    ROW("trace.format", "format", "FORMAT", CHOICE, trace.format, DEFAULT("auto"),
        WORDS("auto", "mooncake", "azure", "burstgpt", "bailian"),
        HELP("its format; auto recognises it by its first lines")),
    ROW("trace.block_tokens", NULL, "TOKENS", U32, trace.block_tokens, DEFAULT("format"),
        OR("format"), RANGE(1, 1048576),
        HELP("tokens of one block identity in the trace; format means the format's own")),
    ROW("trace.skip_bad", "skip-bad", "N", U64, trace.skip_bad, DEFAULT("0"), RANGE(0, UINT64_MAX),
        HELP("lines that may be bad: they are skipped, counted and listed; one more ends the run")),
    ROW("trace.sort_window", "sort-window", "LINES", U32, trace.sort_window, DEFAULT("1024"),
        RANGE(0, 1048576),
        HELP("how many lines out of order one may be and still be put in its place")),
    ROW("trace.ignore_unknown", "ignore-unknown", NULL, BOOL, trace.ignore_unknown,
        DEFAULT("false"), HELP("pass over columns that the format does not know; else refused")),
    ROW("trace.skip", "skip", "N", U64, trace.skip, DEFAULT("0"), RANGE(0, UINT64_MAX),
        HELP("pass over so many requests of a trace; time begins with the next one")),
    ROW("trace.requests", "requests", "N", U64, trace.requests, DEFAULT("all"), OR("all"),
        RANGE(1, UINT64_MAX), HELP("stop after this many requests, of a trace or of a generator")),
    ROW("trace.max_tokens", "max-tokens", "TOKENS", U32, trace.max_tokens, DEFAULT("recorded"),
        OR("recorded"), RANGE(1, 16777216),
        HELP("most tokens a client asks for; recorded means as many as it got")),
    ROW("trace.speedup", "speedup", "X", DOUBLE, trace.speedup, DEFAULT("1"), WITHIN(0.0001, 10000),
        HELP("divide every timestamp by this")),
    ROW("trace.concurrency", "concurrency", "N", U32, trace.concurrency, DEFAULT("none"),
        OR("none"), RANGE(1, 10000000),
        HELP("closed loop over a trace: always this many requests in flight, timestamps ignored")),
    ROW("trace.max_concurrency", "max-concurrency", "N", U32, trace.inflight_max, DEFAULT("none"),
        OR("none"), RANGE(1, 10000000),
        HELP("open loop behind a client that holds at most this many in flight; the wait is "
             "reported apart")),

    ROW("generate.arrival", "arrival", "LAW", TEXT, generate.arrival, DEFAULT("none"), OR("none"),
        NOT_EMPTY,
        HELP("generate requests instead of reading a trace: constant:RATE, poisson:RATE, "
             "gamma:RATE,CV, sine:MEAN,AMPLITUDE,PERIOD, rates:RATE@0s,RATE@60s,... (per second), "
             "or concurrency:N, a closed loop (also over a trace)")),
    ROW("generate.input_tokens", "input-tokens", "LENGTH", TEXT, generate.input_tokens,
        DEFAULT("1024"), NOT_EMPTY,
        HELP("prompt length: a number, uniform:LOW,HIGH, normal:MEAN,DEVIATION, "
             "lognormal:MEDIAN,SIGMA, exponential:MEAN, or percentiles:P0,P1,P5,P10,P20,...,P90,"
             "P95,P99,P100; LENGTH@0s;LENGTH@6h;... where it changes as time goes on")),
    ROW("generate.output_tokens", "output-tokens", "LENGTH", TEXT, generate.output_tokens,
        DEFAULT("128"), NOT_EMPTY, HELP("answer length, written the same way")),
    ROW("generate.duration", "duration", "TIME", DURATION, generate.duration_ns, DEFAULT("none"),
        OR("none"), RANGE(1, DAYS(3650)),
        HELP("generate for this long; none means until --requests")),
    ROW("generate.prefix_groups", NULL, "N", U32, generate.prefix_groups, DEFAULT("none"),
        OR("none"), RANGE(1, 10000000),
        HELP("distinct shared-prefix trees; none means that no prompts share anything")),
    ROW("generate.prefix_tokens", NULL, "LENGTH", TEXT, generate.prefix_tokens, DEFAULT("512"),
        NOT_EMPTY, HELP("length of a prefix that a group shares, written as a prompt length")),
    ROW("generate.prefix_zipf", NULL, "X", DOUBLE, generate.prefix_zipf, DEFAULT("1"),
        WITHIN(0, 10),
        HELP("how uneven the groups are: Zipf exponent of their popularity, 0 for equal")),
    ROW("generate.prefix_depth", NULL, "LEVELS", U32, generate.prefix_depth, DEFAULT("0"),
        RANGE(0, 32), HELP("levels of a group's tree below its root")),
    ROW("generate.prefix_branches", NULL, "N", U32, generate.prefix_branches, DEFAULT("2"),
        RANGE(1, 65536), HELP("children of a node of the tree")),
    ROW("generate.session_turns", NULL, "TURNS", TEXT, generate.session_turns, DEFAULT("1"),
        NOT_EMPTY,
        HELP("turns of a conversation: a number, or TURNS:SHARE,... as often as the shares say "
             "(1:70,2:20,9:10); each turn sends all before it and new input")),
    ROW("generate.turn_tokens", NULL, "LENGTH", TEXT, generate.turn_tokens, DEFAULT("same"),
        OR("same"), NOT_EMPTY,
        HELP("new input of later turns, written as a prompt length; same means as the first's")),
    ROW("generate.think_time", NULL, "SECONDS", TEXT, generate.think_time, DEFAULT("0"), NOT_EMPTY,
        HELP(
            "seconds between an answer and the next turn, written as a length: 5, exponential:20")),
    ROW("generate.turn_gap", NULL, "SECONDS", TEXT, generate.turn_gap, DEFAULT("none"), OR("none"),
        NOT_EMPTY,
        HELP("instead, seconds between asking a turn and asking the next, which waits for the "
             "answer if that takes longer; none means that turns think")),
    ROW("generate.tick", NULL, "TIME", DURATION, generate.tick_ns, DEFAULT("none"), OR("none"),
        RANGE(1, DAYS(1)),
        HELP("requests come when a clock ticks, all at once that came since, as recorders tell "
             "them that seldom look at the time; none means when they come")),
    ROW("generate.tenants", NULL, "SHARES", TEXT, generate.tenants, DEFAULT("none"), OR("none"),
        NOT_EMPTY, HELP("shares of requests (of sessions) of tenants 1, 2, 3, ...: 8,1,1")),
    ROW("generate.priorities", NULL, "SHARES", TEXT, generate.priorities, DEFAULT("none"),
        OR("none"), NOT_EMPTY, HELP("shares of requests of some priorities: 0:9,5:1")),

    ROW("model.name", "model", "MODEL", TEXT, model.name, DEFAULT("llama-3.1-8b"), NOT_EMPTY,
        HELP("a built-in model (see `dyno help models`), or the path of a Hugging Face "
             "config.json; to compute: a model's folder or file, or one that comes with dyno")),
    ROW("model.weights", "weights", "DTYPE", CHOICE, model.weights, DEFAULT("bf16"),
        WORDS("bf16", "fp8", "int4"), HELP("type of the weights")),
    ROW("model.fp8_scales", NULL, "WHEN", CHOICE, model.fp8_scales, DEFAULT("dynamic"),
        WORDS("dynamic", "static"),
        HELP("fp8 weights: static if the checkpoint scales a whole matrix's inputs, as NVIDIA's "
             "own do; dynamic if rows are scaled as they come")),
    ROW("model.kv", "kv-cache-dtype", "DTYPE", CHOICE, model.kv, DEFAULT("bf16"),
        WORDS("bf16", "fp8"), HELP("type of the KV cache")),

    ROW("fleet.gpu", "gpu", "GPU", TEXT, fleet.gpu, DEFAULT("h100"), NOT_EMPTY,
        HELP("a built-in GPU (see `dyno help models`), or the path of a YAML file")),
    ROW("fleet.workers", "workers", "N", U32, fleet.workers, DEFAULT("1"), RANGE(1, 1000000),
        HELP("workers behind the router; each is one engine on tp GPUs")),
    ROW("fleet.endpoints", "worker", "URL", TEXT, fleet.endpoints, DEFAULT("none"), OR("none"),
        NOT_EMPTY, LIST,
        HELP("OpenAI-compatible servers in place of workers of our own, http://HOST:PORT each, to "
             "serve from; --worker may be given several times")),
    ROW("fleet.models", "models", "MODEL", TEXT, fleet.models, DEFAULT("none"), OR("none"),
        NOT_EMPTY, LIST,
        HELP(
            "several models behind one door and one budget (docs/several-models.md), each with a "
            "name by which requests ask for it: name=chat:model=llama-3.1-8b:workers=4:share=2; "
            "also gpu, tp, weights, blocks, tenants (3+5), and of a planner min, max and start; in "
            "a file an item may be a mapping; none: model.name alone")),
    ROW("fleet.tp", "tp", "N", U32, fleet.tp, DEFAULT("1"), RANGE(1, 1024),
        HELP("tensor parallel GPUs of a worker, or ranks of one on the CPU")),
    ROW("fleet.threads", "threads", "N", U32, fleet.threads, DEFAULT("auto"), OR("auto"),
        RANGE(1, 256), HELP("threads of a worker that computes; auto shares this machine's cores")),
    ROW("fleet.at", "workers-at", "ADDRESSES", TEXT, fleet.at, DEFAULT("here"), OR("here"),
        NOT_EMPTY,
        HELP("where workers that decode or serve whole requests are: HOST:PORT of `dyno worker` "
             "and more, with commas between them; here: in this process (docs/ucx.md)")),
    ROW("fleet.transport", NULL, "HOW", CHOICE, fleet.transport, DEFAULT("auto"),
        WORDS("auto", "shm", "tcp"),
        HELP("what KV and passes go over to them; auto: shared memory on this machine, else tcp")),
    ROW("fleet.reconnect", NULL, "TIME", DURATION, fleet.reconnect_ns, DEFAULT("1min"), OR("never"),
        RANGE(DYNO_MS, DAYS(10000)),
        HELP("how long a process of workers that is gone (--workers-at, --prefill-at) is looked "
             "for again at its address; a server looks for it for ever")),
    ROW("fleet.silence", NULL, "TIME", DURATION, fleet.silence_ns, DEFAULT("10s"), OR("never"),
        RANGE(100 * DYNO_MS, 3600 * DYNO_S),
        HELP("a process of workers of which nothing is heard for so long is gone: it hangs")),
    ROW("fleet.expert_parallel", "expert-parallel", NULL, BOOL, fleet.expert_parallel,
        DEFAULT("false"),
        HELP("spread whole experts over the GPUs of a worker rather than splitting each")),

    ROW("disagg.policy", "disagg", "POLICY", TEXT, disagg.policy, DEFAULT("none"), OR("none"),
        NOT_EMPTY,
        HELP("which requests have their prompt computed by another worker: always, never, "
             "threshold:TOKENS, cached_threshold:TOKENS, load:TOKENS, predicted; none: there are "
             "no such workers")),
    ROW("disagg.prefill", "prefill", "N", U32, disagg.prefill, DEFAULT("1"), RANGE(1, 100000),
        HELP("workers that compute prompts only; the router chooses among these")),
    ROW("disagg.decode", "decode", "N", U32, disagg.decode, DEFAULT("1"), RANGE(1, 100000),
        HELP("workers that decode, and serve whole what --disagg does not part")),
    ROW("disagg.router", NULL, "POLICY", CHOICE, disagg.router, DEFAULT("least_loaded"),
        TABLE(dyno_choice_built_in), HELP("which of the workers that decode gets a request")),
    ROW("disagg.deadline", NULL, "TIME", DURATION, disagg.deadline_ns, DEFAULT("none"), OR("none"),
        RANGE(1, DAYS(1)),
        HELP("how long a request waits for blocks where it will decode before it is served whole "
             "there")),
    ROW("disagg.move_deadline", NULL, "TIME", DURATION, disagg.move_deadline_ns, DEFAULT("none"),
        OR("none"), RANGE(1, DAYS(1)),
        HELP("for a prompt's blocks to arrive once they move, on links that may fail; then they "
             "are sent again, or the prompt is computed where it decodes")),
    ROW("disagg.move_retries", NULL, "N", U32, disagg.move_retries, DEFAULT("1"), RANGE(0, 1000),
        HELP("times that they are sent again")),
    ROW("disagg.style", NULL, "STYLE", CHOICE, disagg.style, DEFAULT("push"),
        WORDS("push", "pull", "both"),
        HELP("push: the first token comes from the worker that computed the prompt, which sends "
             "its blocks at once; pull: the other one fetches them between two passes, and "
             "computes the prompt's last token again for the first token; both: the prompt is "
             "computed while the request waits for blocks, which are sent when there are both")),
    ROW("disagg.transfer", NULL, "HOW", CHOICE, disagg.transfer, DEFAULT("whole"),
        WORDS("whole", "layers"),
        HELP("style push: whole moves a prompt's blocks when it is computed, layers moves each "
             "layer "
             "while the next ones are")),
    ROW("disagg.hop", NULL, "TIME", DURATION, disagg.hop_ns, DEFAULT("0s"), RANGE(0, 60 * DYNO_S),
        HELP("style pull: from a prompt's answer until the worker that decodes is asked, by way "
             "of a proxy")),
    ROW("disagg.fetch_block", NULL, "TIME", DURATION, disagg.fetch_block_ns, DEFAULT("0s"),
        RANGE(0, 10 * DYNO_S),
        HELP("style pull: host time of a pass for each block that it asks for")),
    ROW("disagg.piece", NULL, "TIME", DURATION, disagg.piece_ns, DEFAULT("1us"),
        RANGE(0, 60 * DYNO_S),
        HELP(
            "of every further piece that the keys or values of a block's layer are cut into, where "
            "the two kinds of workers split heads over unequal numbers of GPUs")),
    ROW("prefill.gpu", NULL, "GPU", TEXT, prefill.gpu, DEFAULT("same"), OR("same"), NOT_EMPTY,
        HELP("their GPU; same: fleet.gpu")),
    ROW("prefill.tp", NULL, "N", U32, prefill.tp, DEFAULT("same"), OR("same"), RANGE(1, 1024),
        HELP("their tensor parallel GPUs; same: fleet.tp")),
    ROW("prefill.weights", NULL, "DTYPE", CHOICE, prefill.weights, DEFAULT("same"),
        WORDS("same", "bf16", "fp8", "int4"), HELP("type of their weights; same: model.weights")),
    ROW("prefill.blocks", NULL, "N", U32, prefill.blocks, DEFAULT("auto"), OR("auto"),
        RANGE(1, 4294967294),
        HELP("their KV blocks; auto: kv.blocks if nothing else differs, else what fits")),
    ROW("prefill.at", "prefill-at", "ADDRESSES", TEXT, prefill.at, DEFAULT("here"), OR("here"),
        NOT_EMPTY,
        HELP("where they are: HOST:PORT of `dyno worker` and more, with commas between them; here: "
             "in this process (docs/ucx.md)")),
    ROW("prefill.transport", NULL, "HOW", CHOICE, prefill.transport, DEFAULT("auto"),
        WORDS("auto", "shm", "tcp"),
        HELP("what KV and passes go over to other processes; auto: shared memory on this machine, "
             "else tcp")),
    ROW("links.topology", "topology", "FILE", TEXT, links.topology, DEFAULT("none"), OR("none"),
        NOT_EMPTY,
        HELP("nodes, switches and NICs as YAML (docs/links.md); none: nodes of eight GPUs with the "
             "GPU's own links and NICs")),
    ROW("links.sharing", NULL, "HOW", CHOICE, links.sharing, DEFAULT("fair"),
        WORDS("fair", "alone"),
        HELP("fair: transfers share links, max-min fair; alone: each as if there were no other, "
             "for comparison")),
    ROW("tiers.levels", "tier", "TIER", TEXT, tiers.levels, DEFAULT("none"), OR("none"), NOT_EMPTY,
        LIST,
        HELP("tiers below the GPU's memory, each with a size and whose it is (docs/tiers.md): "
             "g2=64GiB is host memory, g3=2TiB:node NVMe, g4=10TiB a store; --tier may be given "
             "several times")),
    ROW("tiers.store", NULL, "POLICY", CHOICE, tiers.store, DEFAULT("all"),
        TABLE(dyno_choice_store),
        HELP("which blocks of a computed prompt the fastest of them takes")),
    ROW("tiers.store_below", NULL, "POLICY", CHOICE, tiers.store_below, DEFAULT("all"),
        TABLE(dyno_choice_store), HELP("and which of what that one has those below it take")),
    ROW("tiers.evict", NULL, "POLICY", CHOICE, tiers.evict, DEFAULT("lru"),
        TABLE(dyno_choice_evict), HELP("which blocks they give up first")),
    ROW("tiers.chunk_tokens", NULL, "TOKENS", U32, tiers.chunk_tokens, DEFAULT("block"),
        OR("block"), RANGE(1, 1048576),
        HELP("a prompt is stored and found there in whole chunks of so many tokens (256 in "
             "LMCache); "
             "a multiple of kv.block_tokens")),
    ROW("tiers.peers", "peers", NULL, BOOL, tiers.peers, DEFAULT("false"),
        HELP(
            "prompts are copied from other workers' GPUs too, where that is faster than to compute "
            "them, or to have them from a tier")),
    ROW("tiers.peer_deadline", NULL, "TIME", DURATION, tiers.peer_deadline_ns, DEFAULT("none"),
        OR("none"), RANGE(1, DAYS(1)),
        HELP("for what is pulled from another worker's GPU to be there; then it is computed; none: "
             "it comes, however late")),
    ROW("tiers.file", "tier-file", "FILE", TEXT, tiers.file, DEFAULT("none"), OR("none"), NOT_EMPTY,
        HELP("where g3 lies of workers that compute: made if it is not there, and what is in it is "
             "found again; with several pools also FILE.1, FILE.2 ...; none: gone with the run")),

    ROW("engine.profile", "engine", "ENGINE", CHOICE, batch.engine, DEFAULT("vllm"),
        TABLE(dyno_choice_engine),
        HELP("the engine whose defaults and scheduling order workers follow")),

    ROW("batch.tokens_max", "max-num-batched-tokens", "TOKENS", U32, batch.batch_tokens_max,
        DEFAULT("profile"), OR("profile"), RANGE(1, 16777216),
        HELP("tokens computed in one pass at most; of vllm 8192 on GPUs of 70 GiB and more but the "
             "A100, else 2048; of sglang 2048 to 16384, by memory")),
    ROW("batch.seqs_max", "max-num-seqs", "N", U32, batch.seqs_max, DEFAULT("profile"),
        OR("profile"), RANGE(1, 1048576),
        HELP("sequences running on a worker at most; of vllm 1024 on GPUs of 70 GiB and more but "
             "the A100, else 256")),
    ROW("batch.prefill_interval", NULL, "STEPS", U32, batch.prefill_interval, DEFAULT("1"),
        RANGE(1, 1000000),
        HELP("while anything decodes, compute prompts in every so many steps only "
             "(prefill_schedule_interval of vllm)")),
    ROW("batch.lookahead", NULL, "TOKENS", U32, batch.lookahead, DEFAULT("0"), RANGE(0, 65536),
        HELP("tokens beyond the next one that a running sequence has KV blocks for (vllm's "
             "look-ahead "
             "slots, num_speculative_tokens)")),
    ROW("batch.steps_max", NULL, "N", U32, batch.steps_max, DEFAULT("1000000"),
        RANGE(1, 1000000000),
        HELP("decode steps of one pass at most; 1 is single-stepping: slower, with the same "
             "result")),
    ROW("batch.context_max", "max-model-len", "TOKENS", U32, batch.context_max, DEFAULT("model"),
        OR("model"), RANGE(1, 1073741824), HELP("prompt and answer of one sequence at most")),
    ROW("batch.queue_max", "max-queue", "N", U32, batch.queue_max, DEFAULT("none"), OR("none"),
        RANGE(1, 4294967295), HELP("requests waiting at a worker before it rejects more")),
    ROW("batch.watermark", NULL, "FRACTION", DOUBLE, batch.watermark, DEFAULT("profile"),
        OR("profile"), WITHIN(0, 0.9),
        HELP("fraction of KV blocks that an admission must leave free")),
    ROW("batch.chunked_prefill", NULL, "WHETHER", CHOICE, batch.chunked_prefill, DEFAULT("profile"),
        WORDS("profile", "true", "false"),
        HELP("split prompts over passes: true, false or as the engine profile does")),
    ROW("batch.mixed_chunk", NULL, NULL, BOOL, batch.mixed_chunk, DEFAULT("false"),
        HELP("let whoever decodes go along in passes of prompts (enable_mixed_chunk of sglang)")),
    ROW("batch.admission", NULL, "RULE", CHOICE, batch.admission, DEFAULT("profile"),
        WORDS("profile", "pass", "estimate", "no-evict"),
        HELP(
            "what must be free for a request to start: pass, the blocks of its first pass (vllm; "
            "MAX_UTILIZATION of trtllm); estimate, what it and others may need (sglang); no-evict, "
            "all it may ever need (trtllm)")),
    ROW("batch.queue_order", NULL, "ORDER", CHOICE, batch.queue_order, DEFAULT("profile"),
        WORDS("profile", "fcfs", "lpm"),
        HELP("who waits first: fcfs, first come first served, or lpm, longest prefix match first "
             "(sglang only)")),
    ROW("batch.reserve_prompt", NULL, "WHETHER", CHOICE, batch.reserve_prompt, DEFAULT("profile"),
        WORDS("profile", "true", "false"),
        HELP("admit a request only if its whole prompt would fit: true, false or as the engine "
             "profile does")),
    ROW("batch.async_scheduling", NULL, "WHETHER", CHOICE, batch.async_scheduling,
        DEFAULT("profile"), WORDS("profile", "true", "false"),
        HELP("schedule a pass while the one before it runs: true, false or as the engine profile "
             "does")),
    ROW("batch.new_token_ratio", NULL, "FRACTION", DOUBLE, batch.new_token_ratio,
        DEFAULT("profile"), OR("profile"), WITHIN(0, 1),
        HELP("share of max tokens set aside for a running sequence at first, before it falls "
             "(sglang)")),

    ROW("kv.block_tokens", "block-size", "TOKENS", U32, kv.block_tokens, DEFAULT("profile"),
        OR("profile"), RANGE(1, 65536), HELP("tokens of one KV block")),
    ROW("kv.blocks", "num-gpu-blocks-override", "N", U32, kv.blocks, DEFAULT("auto"), OR("auto"),
        RANGE(1, 4294967294),
        HELP("KV blocks of a worker; auto means what fits beside the weights")),
    ROW("kv.memory_utilization", "gpu-memory-utilization", "FRACTION", DOUBLE,
        kv.memory_utilization, DEFAULT("profile"), OR("profile"), WITHIN(0.01, 1),
        HELP("the engine's share of GPU memory: gpu_memory_utilization of vllm (0.9 of all), "
             "mem_fraction_static of sglang (of what is free before weights; by GPU, tp and tokens "
             "of a pass), free_gpu_memory_fraction of trtllm (0.9 of what is free beside weights "
             "and activations)")),
    ROW("kv.prefix_cache", "prefix-cache", NULL, BOOL, kv.prefix_cache, DEFAULT("true"),
        HELP("keep blocks of finished sequences for prompts that begin alike")),
    ROW("kv.hit_when", NULL, "WHEN", CHOICE, kv.hit_when, DEFAULT("profile"),
        WORDS("profile", "scheduled", "completed"),
        HELP("a block may be hit once the pass that fills it is scheduled, or completed")),
    ROW("kv.bound_belady", "belady", NULL, BOOL, kv.bound_belady, DEFAULT("true"),
        HELP("also report the hit rate of one cache of the whole capacity with perfect foresight")),

    ROW("router.policy", "router", "POLICY", CHOICE, router.policy, DEFAULT("round_robin"),
        TABLE(dyno_choice_policy), HELP("which worker gets a request")),
    ROW("router.plugin", "policy", "FILE", TEXT, router.plugin, DEFAULT("none"), OR("none"),
        NOT_EMPTY, HELP("a shared object with a policy of your own, instead of a built-in one")),
    ROW("router.args", "policy-args", "TEXT", TEXT, router.args, DEFAULT(""),
        HELP("free text for that policy")),
    ROW("router.temperature", "router-temperature", "X", DOUBLE, router.temperature, DEFAULT("0"),
        WITHIN(0, 1000), ALSO("router.kv.temperature"),
        HELP("0 takes the best and draws among equals; above, a softmax over costs")),
    ROW("router.temperature_absolute", NULL, NULL, BOOL, router.temperature_absolute,
        DEFAULT("false"),
        HELP("temperature counts blocks instead of the spread of the costs at hand")),
    ROW("router.event_delay", NULL, "TIME", DURATION, router.event_delay_ns, DEFAULT("0s"),
        RANGE(0, DAYS(1)), HELP("from a change in a worker's cache until the router knows")),
    ROW("router.event_loss", NULL, "FRACTION", DOUBLE, router.event_loss, DEFAULT("0"),
        WITHIN(0, 1), HELP("probability that the router never hears of such a change")),
    ROW("router.kv.overlap_credit", NULL, "X", DOUBLE, router.overlap_credit, DEFAULT("1"),
        WITHIN(0, 1000),
        HELP("blocks of prefill saved by a cached block (policies kv, kv_approx, lmetric)")),
    ROW("router.kv.overlap_decay", NULL, "X", DOUBLE, router.overlap_decay, DEFAULT("0"),
        WITHIN(0, 1000),
        HELP("how fast that credit fades on a worker with more prefill waiting than the idlest")),
    ROW("router.kv.prefill_load_scale", NULL, "X", DOUBLE, router.prefill_load_scale, DEFAULT("1"),
        WITHIN(0, 1000), HELP("weight of the prefill still to do against decode blocks")),
    ROW("router.kv.decode_request_weight", NULL, "BLOCKS", DOUBLE, router.decode_request_weight,
        DEFAULT("0"), WITHIN(0, 1000000), HELP("cost of every request in flight on a worker")),
    ROW("router.kv.track_prefill_tokens", NULL, NULL, BOOL, router.track_prefill_tokens,
        DEFAULT("true"), HELP("count prefill that is waiting on a worker as load")),
    ROW("router.kv.track_active_blocks", NULL, NULL, BOOL, router.track_active_blocks,
        DEFAULT("true"), HELP("count blocks held by running requests as load")),
    ROW("router.tier_credit.peers", NULL, "X", DOUBLE, router.peer_credit, DEFAULT("0"),
        WITHIN(0, 1000),
        HELP("blocks of prefill saved by a block that another worker's GPU holds, with --peers "
             "(policies that read overlaps)")),
    ROW("router.tier_credit.g2", NULL, "X", DOUBLE, router.tier_credit[0], DEFAULT("0.75"),
        WITHIN(0, 1000),
        HELP("blocks of prefill saved by a block that lies only in host memory (the same "
             "policies)")),
    ROW("router.tier_credit.g3", NULL, "X", DOUBLE, router.tier_credit[1], DEFAULT("0.25"),
        WITHIN(0, 1000), HELP("... only on disk")),
    ROW("router.tier_credit.g4", NULL, "X", DOUBLE, router.tier_credit[2], DEFAULT("0.25"),
        WITHIN(0, 1000), HELP("... only in a store")),
    ROW("router.session.replicas", NULL, "N", U32, router.session_replicas, DEFAULT("64"),
        RANGE(1, 65536), HELP("points of a worker on the hash ring (policy session)")),
    ROW("router.session.sticky", NULL, NULL, BOOL, router.session_sticky, DEFAULT("false"),
        HELP("a session whose worker has gone stays where it went when that comes back (policy "
             "session)")),
    ROW("router.approx.ttl", NULL, "TIME", DURATION, router.guess_ttl_ns, DEFAULT("2min"),
        RANGE(DYNO_MS, DAYS(365)),
        HELP("how long a guess about a cache is believed (policy kv_approx)")),
    ROW("router.approx.size_max", NULL, "BLOCKS", U32, router.guess_blocks_max, DEFAULT("1048576"),
        RANGE(1024, 1073741824), HELP("blocks guessed at most, then the oldest fifth is dropped")),
    ROW("router.replicas", NULL, "N", U32, router.replicas, DEFAULT("1"), RANGE(1, 1024),
        HELP("routers over the one fleet, each with a view of its own")),
    ROW("router.spread", NULL, "HOW", CHOICE, router.spread, DEFAULT("turns"),
        WORDS("turns", "session"),
        HELP("whose a request is: turns takes them in turn, session keeps a session with one")),
    ROW("router.sync_delay", NULL, "TIME", DURATION, router.sync_delay_ns, DEFAULT("none"),
        OR("none"), RANGE(1, DAYS(1)),
        HELP("from what a router does until the others know of it; none: they never do")),

    ROW("queue.policy", NULL, "POLICY", CHOICE, queue.policy, DEFAULT("fcfs"),
        TABLE(dyno_choice_admission), HELP("in which order those who wait are let in")),
    ROW("queue.busy_inflight", NULL, "N", U32, queue.busy_inflight, DEFAULT("none"), OR("none"),
        RANGE(1, 1000000),
        HELP("a worker with so many requests in flight is busy: it gets no more, and while all "
             "workers are busy requests wait; none: by that no worker is ever busy")),
    ROW("queue.busy_prefill_tokens", NULL, "TOKENS", U64, queue.busy_prefill_tokens,
        DEFAULT("none"), OR("none"), RANGE(1, 1000000000000),
        HELP("a worker with so many prompt tokens still to compute is busy")),
    ROW("queue.busy_kv", NULL, "FRACTION", DOUBLE, queue.busy_kv, DEFAULT("none"), OR("none"),
        WITHIN(0.001, 1),
        HELP("a worker with prompts in flight that fill this share of its KV blocks is busy")),
    ROW("queue.depth_max", NULL, "N", U32, queue.count_max, DEFAULT("100000"), RANGE(0, 100000000),
        HELP("requests that wait at most; one more is rejected (rejected_queue_full)")),
    ROW("queue.tokens_max", NULL, "TOKENS", U64, queue.tokens_max, DEFAULT("none"), OR("none"),
        RANGE(1, 1000000000000000), HELP("tokens of their prompts, summed, at most")),
    ROW("queue.timeout", NULL, "TIME", DURATION, queue.timeout_ns, DEFAULT("10min"), OR("none"),
        RANGE(1, DAYS(1)), HELP("one that waited so long is rejected (rejected_queue_timeout)")),
    ROW("queue.classes", NULL, "CLASSES", TEXT, queue.classes, DEFAULT("-1:4,0:2,1:1"), NOT_EMPTY,
        HELP("classes of priority, PRIORITY:WEIGHT,... ascending; one reaches up to the next, and "
             "a lower priority is earlier, as in vLLM (policies priority and wspt)")),
    ROW("queue.quantum", NULL, "TOKENS", U32, queue.quantum, DEFAULT("2048"), RANGE(1, 1048576),
        HELP("prompt tokens that a tenant, or a class for each unit of its weight, may let in when "
             "its turn comes (policies priority and fair)")),
    ROW("queue.output_cost", NULL, "X", DOUBLE, queue.output_cost, DEFAULT("0"), WITHIN(0, 1000),
        HELP("prompt tokens that a generated token is charged as, when its request has ended "
             "(policies priority and fair)")),

    ROW("planner.policy", "planner", "POLICY", CHOICE, planner.policy, DEFAULT("none"),
        TABLE(dyno_choice_planner),
        HELP("who decides how many of fleet.workers are up; none: all of them always are")),
    ROW("planner.budget", "budget", "GPUS", U32, planner.budget_gpus, DEFAULT("all"), OR("all"),
        RANGE(1, 1048576),
        HELP("GPUs that may be up at once, of starting and draining workers too")),
    ROW("planner.min", NULL, "N", U32, planner.workers_min, DEFAULT("1"), RANGE(0, 65536),
        HELP(
            "workers at least, of either role; with 0 the first request after a rest waits for one "
            "to start")),
    ROW("planner.max", NULL, "N", U32, planner.workers_max, DEFAULT("all"), OR("all"),
        RANGE(1, 65536),
        HELP("workers at most; all means fleet.workers, or what the budget allows")),
    ROW("planner.start", NULL, "N", U32, planner.start, DEFAULT("max"), OR("max"), RANGE(1, 65536),
        HELP(
            "workers that are ready when the run begins (of either role, --prefill and --decode)")),
    ROW("planner.every", NULL, "TIME", DURATION, planner.every_ns, DEFAULT("10s"),
        RANGE(DYNO_MS, DAYS(1)), ALSO("planner.interval"),
        HELP("time between two looks at the fleet, each with a decision")),
    ROW("planner.startup", NULL, "LAW", TEXT, planner.startup, DEFAULT("60"), NOT_EMPTY,
        HELP("seconds until a worker that was started is ready: 60, uniform:LOW,HIGH, "
             "normal:MEAN,DEVIATION, lognormal:MEDIAN,SIGMA or exponential:MEAN")),
    ROW("planner.change", NULL, "LAW", TEXT, planner.change, DEFAULT("startup"), OR("startup"),
        NOT_EMPTY,
        HELP("seconds until a worker that has stopped is ready on its GPUs in the other role, to "
             "compute prompts or to decode; startup: as long as a start")),
    ROW("planner.start_failure", NULL, "FRACTION", DOUBLE, planner.start_failure, DEFAULT("0"),
        WITHIN(0, 0.99), HELP("probability that a start fails; it is tried again")),
    ROW("planner.warmup", NULL, "TIME", DURATION, planner.warmup_ns, DEFAULT("30s"),
        RANGE(0, DAYS(1)),
        HELP("nothing is learned from a worker's first passes, over an empty cache, for so long")),
    ROW("planner.first_passes", NULL, "N", U32, planner.first_passes, DEFAULT("0"),
        RANGE(0, 1000000),
        HELP("passes of a worker that was started which take longer (graphs captured, kernels "
             "compiled)")),
    ROW("planner.first_pass_extra", NULL, "TIME", DURATION, planner.first_pass_extra_ns,
        DEFAULT("0s"), RANGE(0, 600 * DYNO_S), HELP("how much longer each of them takes")),
    ROW("planner.metric_delay", NULL, "TIME", DURATION, planner.metric_delay_ns, DEFAULT("0s"),
        RANGE(0, DAYS(1)),
        HELP("what workers say of themselves is heard so much later, in whole looks")),
    ROW("planner.metric_loss", NULL, "FRACTION", DOUBLE, planner.metric_loss, DEFAULT("0"),
        WITHIN(0, 1), HELP("probability that a worker's metrics are missing at a look")),
    ROW("planner.predictor", NULL, "NAME", CHOICE, planner.predictor, DEFAULT("arima"),
        TABLE(dyno_choice_predictor), HELP("how the rate of requests is forecast")),
    ROW("planner.window", NULL, "N", U32, planner.window, DEFAULT("16"), RANGE(1, 64),
        HELP("looks that a forecast goes by (moving_average, arima)")),
    ROW("planner.season", NULL, "TIME", DURATION, planner.season_ns, DEFAULT("none"), OR("none"),
        RANGE(1, DAYS(366)), HELP("after which the load repeats itself (seasonal, holt_winters)")),
    ROW("planner.queue_up", NULL, "N", DOUBLE, planner.queue_up, DEFAULT("4"), WITHIN(0, 1000000),
        HELP("requests waiting at a worker, on average, from which one more is wanted")),
    ROW("planner.queue_down", NULL, "N", DOUBLE, planner.queue_down, DEFAULT("0.5"),
        WITHIN(0, 1000000), HELP("up to which one fewer may do")),
    ROW("planner.use_up", NULL, "FRACTION", DOUBLE, planner.use_up, DEFAULT("0.8"), WITHIN(0, 1),
        HELP("of the scarcer of batch places and KV blocks in use, from which one more is wanted")),
    ROW("planner.use_down", NULL, "FRACTION", DOUBLE, planner.use_down, DEFAULT("0.4"),
        WITHIN(0, 1), HELP("up to which one fewer may do")),
    ROW("planner.headroom", NULL, "FRACTION", DOUBLE, planner.headroom, DEFAULT("0.8"),
        WITHIN(0.01, 1), HELP("of what a worker was measured to do, the share to plan with")),
    ROW("planner.cooldown", NULL, "TIME", DURATION, planner.cooldown_ns, DEFAULT("2min"),
        RANGE(0, DAYS(1)), HELP("fewer must be wanted for so long before there are")),
    ROW("planner.regret", "regret", NULL, BOOL, planner.regret, DEFAULT("false"),
        HELP("run once more under the planner clairvoyant, and report the difference")),

    ROW("faults.list", "fault", "FAULT", TEXT, faults.list, DEFAULT("none"), OR("none"), NOT_EMPTY,
        LIST,
        HELP("WHAT:WHICH@FROM[..TO]=HOW, as in worker:2@120s=dead, worker:4-7@2min..3min=dead, "
             "worker:1@30s..40s=frozen, worker:1@30s..40s=slow:3, nic:3@30s..40s=down or "
             "switch:rack1@30s..40s=slow:10 (docs/faults.md)")),
    ROW("faults.death_every", NULL, "TIME", DURATION, faults.death_every_ns, DEFAULT("none"),
        OR("none"), RANGE(DYNO_MS, DAYS(3650)),
        HELP("mean time between the deaths of one worker, which are drawn; none: none are")),
    ROW("faults.death_for", NULL, "TIME", DURATION, faults.death_for_ns, DEFAULT("0s"),
        RANGE(0, DAYS(365)),
        HELP("so long, on average, nobody can be started where a worker died of these")),
    ROW("faults.stall_every", NULL, "TIME", DURATION, faults.stall_every_ns, DEFAULT("none"),
        OR("none"), RANGE(DYNO_MS, DAYS(3650)),
        HELP("mean time from a stall of one worker to its next; none: none are drawn")),
    ROW("faults.stall_for", NULL, "TIME", DURATION, faults.stall_for_ns, DEFAULT("10s"),
        RANGE(1, DAYS(1)), HELP("how long these stalls last, on average")),
    ROW("faults.stall_slowness", NULL, "N", U32, faults.stall_slowness, DEFAULT("frozen"),
        OR("frozen"), RANGE(2, 1000),
        HELP("so many times slower a worker is in them; frozen: it begins no pass")),
    ROW("faults.link_every", NULL, "TIME", DURATION, faults.link_every_ns, DEFAULT("none"),
        OR("none"), RANGE(DYNO_MS, DAYS(3650)),
        HELP("mean time from an outage of one worker's NIC to its next; none: none are drawn")),
    ROW("faults.link_for", NULL, "TIME", DURATION, faults.link_for_ns, DEFAULT("10s"),
        RANGE(1, DAYS(1)), HELP("how long these outages last, on average")),
    ROW("faults.link_slowness", NULL, "N", U32, faults.link_slowness, DEFAULT("down"), OR("down"),
        RANGE(2, 1000),
        HELP("so many times narrower a NIC is in them; down: it lets nothing pass")),
    ROW("faults.restart", NULL, "LAW", TEXT, faults.restart, DEFAULT("60"), NOT_EMPTY,
        HELP("seconds until a worker that is started in the place of a dead one is ready, as "
             "planner.startup, which says it where there is a planner")),
    ROW("faults.notice", NULL, "TIME", DURATION, faults.notice_ns, DEFAULT("0s"), RANGE(0, DAYS(1)),
        HELP("from a worker's death until somebody notices: so long requests go there and wait")),
    ROW("faults.migration_limit", NULL, "N", U32, faults.migrations_max, DEFAULT("3"),
        RANGE(0, 1000000),
        HELP("times that a request goes on elsewhere when its worker died; then it has failed")),

    ROW("slo.ttft", NULL, "TIME", DURATION, slo.ttft_ns, DEFAULT("none"), OR("none"),
        RANGE(1, DAYS(365)),
        HELP("time to first token, at most, for a request to count as goodput")),
    ROW("slo.tpot", NULL, "TIME", DURATION, slo.tpot_ns, DEFAULT("none"), OR("none"),
        RANGE(1, DAYS(365)),
        HELP("mean time per token after the first, at most, for a request to count as goodput")),
    ROW("slo.itl", NULL, "TIME", DURATION, slo.itl_ns, DEFAULT("none"), OR("none"),
        RANGE(1, DAYS(365)),
        HELP("mean gap between tokens, at most, for a request to count as goodput")),
    ROW("slo.e2e", NULL, "TIME", DURATION, slo.e2e_ns, DEFAULT("none"), OR("none"),
        RANGE(1, DAYS(365)), HELP("whole request, at most, for a request to count as goodput")),

    ROW("cost.energy", NULL, NULL, BOOL, cost.energy, DEFAULT("false"),
        HELP("report what simulated GPUs draw: nothing when stopped, the idle share when up, the "
             "rest by the share of time at the roofline")),
    ROW("cost.idle_share", NULL, "FRACTION", DOUBLE, cost.idle_share, DEFAULT("0.15"), WITHIN(0, 1),
        HELP("of a GPU's power limit, what it draws when it is up and has nothing to do")),
    ROW("cost.gpu_hour", NULL, "PRICE", DOUBLE, cost.gpu_hour_price, DEFAULT("0"),
        WITHIN(0, 1000000), HELP("of an hour of a GPU that is up, in any currency")),
    ROW("cost.kwh", NULL, "PRICE", DOUBLE, cost.kwh_price, DEFAULT("0"), WITHIN(0, 1000000),
        HELP("of a kilowatt-hour, in the same currency")),

    ROW("timing.calibration", "calibration", "FILE", TEXT, timing.calibration, DEFAULT("none"),
        OR("none"), NOT_EMPTY,
        HELP("timing parameters from this file (see `dyno fit`), over the GPU's own")),
    ROW("timing.gemm_flops_efficiency", NULL, "FRACTION", DOUBLE, timing.gemm_flops_efficiency,
        DEFAULT("auto"), OR("auto"), WITHIN(0.01, 1),
        HELP("share of peak operations that large matrix products reach")),
    ROW("timing.gemm_memory_efficiency", NULL, "FRACTION", DOUBLE, timing.gemm_memory_efficiency,
        DEFAULT("auto"), OR("auto"), WITHIN(0.01, 1),
        HELP("share of peak bandwidth reached while reading weights")),
    ROW("timing.prefill_attention_efficiency", NULL, "FRACTION", DOUBLE,
        timing.prefill_attention_efficiency, DEFAULT("auto"), OR("auto"), WITHIN(0.01, 1),
        HELP("share of peak bf16 operations that prefill attention reaches")),
    ROW("timing.decode_attention_efficiency", NULL, "FRACTION", DOUBLE,
        timing.decode_attention_efficiency, DEFAULT("auto"), OR("auto"), WITHIN(0.01, 1),
        HELP("share of peak bandwidth reached while reading KV")),
    ROW("timing.machine", "machine", "FILE", TEXT, timing.machine, DEFAULT("none"), OR("none"),
        NOT_EMPTY, HELP("simulate a machine that `dyno calibrate` measured, instead of a GPU")),
    ROW("timing.host", NULL, "ENGINE", CHOICE, timing.host, DEFAULT("engine"),
        TABLE(dyno_choice_host),
        HELP("whose host costs to take: engine means those of engine.profile; vllm-sync is vLLM to "
             "0.13, or without asynchronous scheduling")),
    ROW("timing.host_us", NULL, "US", DOUBLE, timing.host_us, DEFAULT("auto"), OR("auto"),
        WITHIN(0, 10000000), HELP("microseconds on the host to schedule a pass")),
    ROW("timing.host_us_per_sequence", NULL, "US", DOUBLE, timing.host_us_per_sequence,
        DEFAULT("auto"), OR("auto"), WITHIN(0, 10000000),
        HELP("more of them for each sequence in it")),
    ROW("timing.ingest_us", NULL, "US", DOUBLE, timing.ingest_us, DEFAULT("auto"), OR("auto"),
        WITHIN(0, 10000000), HELP("microseconds on the host to take in a request")),
    ROW("timing.ingest_us_per_token", NULL, "US", DOUBLE, timing.ingest_us_per_token,
        DEFAULT("auto"), OR("auto"), WITHIN(0, 10000000),
        HELP("more of them for each token of its prompt")),
    ROW("timing.response_us", NULL, "US", DOUBLE, timing.response_us, DEFAULT("auto"), OR("auto"),
        WITHIN(0, 10000000),
        HELP("microseconds from a pass's end until its tokens leave the server")),

    ROW("output.db", "db", "FILE", TEXT, output.db, DEFAULT("runs.db"), OR("none"), NOT_EMPTY,
        HELP("SQLite database that the run is added to; none (or :memory:) keeps nothing")),
    ROW("output.json", "json", "FILE", TEXT, output.json, DEFAULT("none"), OR("none"), NOT_EMPTY,
        HELP("write the summary as JSON; - is standard output")),
    ROW("output.host_json", "host-json", "FILE", TEXT, output.host_json, DEFAULT("none"),
        OR("none"), NOT_EMPTY, HELP("write wall time, speed and memory of this run as JSON")),
    ROW("output.journal", "journal", "FILE", TEXT, output.journal, DEFAULT("none"), OR("none"),
        NOT_EMPTY,
        HELP("write down all that enters the core; `dyno rerun FILE` feeds it back and checks that "
             "the core decides the same")),
    ROW("output.intervals", "intervals", "N", TEXT, output.intervals, DEFAULT("auto"), OR("none"),
        NOT_EMPTY,
        HELP("95 % intervals for the headlines, from so many replicas: timing drawn within its "
             "uncertainty, requests resampled in blocks; auto takes 8, and none where the run is "
             "long")),
    ROW("output.decisions", "decisions", NULL, BOOL, output.decisions, DEFAULT("false"),
        HELP("record every routing decision with its candidates and scores")),
    ROW("output.progress", "progress", NULL, BOOL, output.progress, DEFAULT("true"),
        HELP("a progress bar, where standard error is a terminal")),

    ROW("serve.address", "address", "ADDRESS", TEXT, serve.address, DEFAULT("127.0.0.1"), NOT_EMPTY,
        HELP("where to listen; :: is every address of this machine")),
    ROW("serve.port", "port", "PORT", U32, serve.port, DEFAULT("8000"), OR("any"), RANGE(1, 65535),
        HELP("the port; any takes a free one and says which")),
    ROW("serve.model_name", "served-model-name", "NAME", TEXT, serve.model_name, DEFAULT("model"),
        OR("model"), NOT_EMPTY,
        HELP("what clients call the model; model means the last part of model.name")),
    ROW("serve.tls_certificate", "ssl-certfile", "FILE", TEXT, serve.tls_certificate,
        DEFAULT("none"), OR("none"), NOT_EMPTY,
        HELP("speak TLS, with this certificate (PEM, its chain behind it)")),
    ROW("serve.tls_key", "ssl-keyfile", "FILE", TEXT, serve.tls_key, DEFAULT("none"), OR("none"),
        NOT_EMPTY, HELP("the certificate's key (PEM)")),
    ROW("serve.cors_origin", "cors-origin", "ORIGIN", TEXT, serve.cors_origin, DEFAULT("none"),
        OR("none"), NOT_EMPTY,
        HELP("web pages that may ask: * for all of them, or one origin (https://chat.example)")),
    ROW("serve.api_keys", "api-keys", "FILE", TEXT, serve.api_keys, DEFAULT("none"), OR("none"),
        NOT_EMPTY,
        HELP("who may ask: a file with a key a line, each perhaps with name=NAME and rate=N/min")),
    ROW("serve.vllm_metrics", "vllm-metrics", NULL, BOOL, serve.vllm_metrics, DEFAULT("false"),
        HELP("metrics under vLLM's names too, for dashboards that know those")),
    ROW("serve.record", "record", "FILE", TEXT, serve.record, DEFAULT("none"), OR("none"),
        NOT_EMPTY,
        HELP("write the traffic down as a trace that can be replayed: times, lengths and salted "
             "identities of blocks, nothing that was said")),
    ROW("serve.record_salt_env", NULL, "NAME", TEXT, serve.record_salt_env, DEFAULT("none"),
        OR("none"), NOT_EMPTY,
        HELP("the environment variable that has the salt, so that a recording can be continued "
             "after a restart; none makes one up")),
    ROW("serve.record_size_max", NULL, "SIZE", BYTES, serve.record_bytes_max, DEFAULT("1GiB"),
        OR("none"), RANGE(4096, UINT64_MAX),
        HELP("a file of the recording at most; then it is set aside as FILE.1")),
    ROW("serve.record_files_max", NULL, "N", U32, serve.record_files_max, DEFAULT("10"),
        RANGE(1, 1000), HELP("files that were set aside are kept")),
    ROW("serve.record_queue_max", NULL, "SIZE", BYTES, serve.record_queue_bytes_max,
        DEFAULT("64MiB"), RANGE(65536, UINT64_MAX),
        HELP("of the recording may wait to be written; what comes then is lost, and counted")),
    ROW("serve.db_size_max", NULL, "SIZE", BYTES, serve.db_bytes_max, DEFAULT("1GiB"), OR("none"),
        RANGE(4 << 20, UINT64_MAX),
        HELP("the database of --db at most: the oldest rows of servers make room")),
    ROW("serve.db_age_max", NULL, "TIME", DURATION, serve.db_age_max_ns, DEFAULT("none"),
        OR("none"), RANGE(DYNO_S, DAYS(3650)), HELP("rows of servers are kept so long")),
    ROW("serve.log_level", "log-level", "LEVEL", CHOICE, serve.log_level, DEFAULT("warning"),
        WORDS("debug", "info", "warning", "error", "none"),
        HELP("what is logged to standard error, a line an event; info: every "
             "request, without its text")),
    ROW("serve.log_format", "log-format", "FORMAT", CHOICE, serve.log_format, DEFAULT("text"),
        WORDS("text", "json"), HELP("how it is written")),
    ROW("serve.worker_api_key_env", "worker-api-key-env", "NAME", TEXT, serve.worker_api_key_env,
        DEFAULT("none"), OR("none"), NOT_EMPTY,
        HELP("the environment variable with the key that the servers of fleet.endpoints are asked "
             "with")),
    ROW("serve.health_every", NULL, "TIME", DURATION, serve.health_every_ns, DEFAULT("2s"),
        RANGE(10 * DYNO_MS, DAYS(1)),
        HELP(
            "between two checks of each of them; one that is not answered by the next has failed")),
    ROW("serve.health_failures", NULL, "N", U32, serve.health_failures, DEFAULT("3"),
        RANGE(1, 1000),
        HELP("in a row, after which one is left out; a refused connection is enough alone")),
    ROW("serve.worker_retries", NULL, "N", U32, serve.worker_retries, DEFAULT("2"), RANGE(0, 1000),
        HELP("others that are asked when one failed before its answer began")),
    ROW("serve.worker_silence", NULL, "TIME", DURATION, serve.worker_silence_ns, DEFAULT("10min"),
        RANGE(DYNO_MS, DAYS(1)), HELP("one may be silent while an answer of it is due")),
    ROW("serve.requests_max", NULL, "N", U32, serve.requests_max, DEFAULT("16384"),
        RANGE(1, 1000000),
        HELP("requests in flight and waiting at most; one more is answered 429")),
    ROW("serve.connections_max", NULL, "N", U32, serve.connections_max, DEFAULT("16384"),
        RANGE(1, 1000000), HELP("connections at most; one more is answered 503")),
    ROW("serve.header_max", NULL, "SIZE", BYTES, serve.header_bytes_max, DEFAULT("64KiB"),
        RANGE(1024, 1 << 24), HELP("a request's line and headers at most; else 431")),
    ROW("serve.body_max", NULL, "SIZE", BYTES, serve.body_bytes_max, DEFAULT("16MiB"),
        RANGE(1024, 1 << 29), HELP("a request's body at most; else 413")),
    ROW("serve.unsent_max", NULL, "SIZE", BYTES, serve.unsent_bytes_max, DEFAULT("4MiB"),
        RANGE(1024, 1 << 30),
        HELP("of a stream, what its client has not taken; one that is slower is cut")),
    ROW("serve.head_timeout", NULL, "TIME", DURATION, serve.head_timeout_ns, DEFAULT("30s"),
        RANGE(DYNO_MS, DAYS(1)), HELP("for a request to come whole, from its first byte")),
    ROW("serve.idle_timeout", NULL, "TIME", DURATION, serve.idle_timeout_ns, DEFAULT("2min"),
        RANGE(DYNO_MS, DAYS(1)), HELP("a connection may rest between requests")),
    ROW("serve.write_timeout", NULL, "TIME", DURATION, serve.write_timeout_ns, DEFAULT("30s"),
        RANGE(DYNO_MS, DAYS(1)), HELP("a client may take nothing of what is there for it")),
    ROW("serve.grace", NULL, "TIME", DURATION, serve.grace_ns, DEFAULT("30s"),
        RANGE(DYNO_MS, DAYS(1)),
        HELP("on SIGTERM or SIGINT, for what is in flight to end; a second one ends it at once")),
};

const uint32_t dyno_scenario_row_count = sizeof(dyno_scenario_rows) / sizeof(dyno_scenario_rows[0]);
