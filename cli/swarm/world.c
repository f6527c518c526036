/* Rows of options and what they may be.  A row is drawn on its own; a group of rows is there or is
 * not.  Some draws contradict each other: they are refused by name, which is a promise too. */
#include "cli/swarm/world.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/rng.h"

enum { CHOICES_MAX = 9 };

struct knob {
    const char *option;
    const char *choices[CHOICES_MAX]; /* NULL-terminated; "": as it is without being set */
};

/* Small prompts and small caches: what is rare in production has to be common here. */
static const struct knob always[] = {
    {"generate.arrival",
     {"poisson:3", "poisson:300", "poisson:2000", "constant:100", "gamma:100,3", "sine:50,50,2s",
      "rates:2@0s,1000@1s,1@2s", "concurrency:4", "concurrency:40"}},
    {"generate.input_tokens",
     {"1", "uniform:1,40", "uniform:1,600", "lognormal:200,1", "512", "exponential:100"}},
    {"generate.output_tokens", {"1", "uniform:1,30", "uniform:1,200", "lognormal:50,1"}},
    {"generate.prefix_groups", {"", "1", "3", "10"}},
    {"generate.prefix_tokens", {"16", "100", "uniform:1,300"}},
    {"generate.prefix_zipf", {"0", "1", "2"}},
    {"generate.prefix_depth", {"", "1", "3"}},
    {"generate.session_turns", {"", "", "2", "5"}},
    {"generate.think_time", {"0", "0.01", "exponential:0.5"}},
    {"run.sample_every", {"10ms", "100ms", "1s"}},
    {"run.duration_max", {"", "", "", "", "", "", "2s", "137ms"}},
    {"model.name", {"llama-3.1-8b", "qwen3-0.6b"}},
    {"model.weights", {"bf16", "fp8"}},
    {"fleet.gpu", {"h100", "rtx4090", "l40s"}},
    {"batch.tokens_max", {"64", "300", "2048"}},
    {"batch.seqs_max", {"1", "4", "24", "60"}},
    {"batch.queue_max", {"", "", "", "5"}},
    {"batch.watermark", {"", "0", "0.05"}},
    {"batch.chunked_prefill", {"", "", "true", "false"}},
    {"batch.reserve_prompt", {"", "true", "false"}},
    {"batch.async_scheduling", {"", "true", "false"}},
    {"batch.new_token_ratio", {"", "0", "0.5"}},
    {"batch.context_max", {"", "", "400"}},
    {"kv.prefix_cache", {"true", "true", "false"}},
    {"kv.hit_when", {"", "scheduled", "completed"}},
    {"router.policy",
     {"round_robin", "random", "least_loaded", "power_of_two", "session", "kv", "kv", "kv_approx",
      "lmetric"}},
    {"router.temperature", {"", "", "0.5"}},
    {"router.event_delay", {"", "5ms", "200ms"}},
    {"router.event_loss", {"", "", "0.1"}},
    {"router.session.sticky", {"", "true"}},
    {"batch.lookahead", {"", "", "4"}},
    {"generate.tenants", {"", "8,1,1"}},
};

/* Several routers. */
static const struct knob replicated[] = {
    {"router.replicas", {"2", "3"}},
    {"router.spread", {"turns", "session"}},
    {"router.sync_delay", {"", "1ms", "100ms"}},
};

/* Memory below the GPU's. */
static const struct knob tiered[] = {
    {"kv.prefix_cache", {"true"}},
    {"tiers.levels",
     {"g2=1GiB", "g2=512MiB,g3=8GiB:node", "g2=1GiB:node", "g2=512MiB:cluster,g4=4GiB"}},
    {"tiers.store", {"", "all", "second_use", "tinylfu"}},
    {"tiers.evict", {"", "lru", "lfu", "cost"}},
    {"tiers.peers", {"", "true"}},
};

/* Prompts that come from other workers. */
static const struct knob pulling[] = {
    {"tiers.peer_deadline", {"", "", "", "50us", "20ms"}},
    {"router.tier_credit.peers", {"", "0.5", "1"}},
};

/* What is stored in tiers, and what of it. */
static const struct knob stored[] = {
    {"tiers.levels", {"", "", "g2=512MiB,g3=2GiB:node,g4=8GiB"}},
    {"tiers.store_below", {"", "second_use", "tinylfu"}},
    {"tiers.chunk_tokens", {"", "", "64", "192"}}, /* of all sizes of blocks */
};

/* Requests that wait before the fleet. */
static const struct knob queued[] = {
    {"queue.policy", {"fcfs", "lcfs", "wspt", "priority", "fair"}},
    {"queue.busy_inflight", {"1", "4", "16"}},
    {"queue.busy_prefill_tokens", {"", "", "300"}},
    {"queue.busy_kv", {"", "", "0.5"}},
    {"queue.depth_max", {"", "", "3"}},
    {"queue.tokens_max", {"", "", "2000"}},
    {"queue.timeout", {"", "", "300ms"}},
    {"queue.quantum", {"", "64"}},
    {"queue.output_cost", {"", "1"}},
};

static const struct knob of_sglang[] = {
    {"engine.profile", {"sglang"}},
    {"batch.admission", {"", "", "estimate", "no-evict"}},
    {"batch.queue_order", {"", "fcfs", "lpm"}},
};

static const struct knob of_others[] = {
    {"engine.profile", {"vllm", "trtllm"}},
    {"batch.admission", {"", "", "pass", "estimate", "no-evict"}},
    {"batch.prefill_interval", {"", "", "", "3"}},
};

static const struct knob planned[] = {
    {"planner.policy", {"static", "load", "throughput", "sla", "hybrid", "clairvoyant"}},
    {"planner.every", {"100ms", "1s"}},
    {"planner.min", {"0", "1"}},
    {"planner.start", {"", "1"}},
    {"planner.startup", {"0", "0.3", "exponential:1"}},
    {"planner.start_failure", {"", "0.3"}},
    {"planner.metric_loss", {"", "0.3"}},
    {"planner.warmup", {"0s", "1s"}},
    {"planner.cooldown", {"0s", "2s"}},
    {"planner.metric_delay", {"", "300ms"}},
    {"planner.first_passes", {"", "3"}},
    {"planner.predictor",
     {"constant", "moving_average", "holt_winters", "arima", "kalman", "seasonal"}},
    {"slo.ttft", {"200ms"}},
    {"slo.itl", {"20ms"}},
};

/* What goes wrong. */
static const struct knob faulty[] = {
    {"faults.list",
     {"", "", "worker:0@0s=dead", "worker:0@137ms..1s=dead", "worker:0@500ms..never=dead",
      "worker:0@100ms..900ms=frozen", "worker:0@1s..2s=slow:3"}},
    {"faults.death_every", {"300ms", "2s", "20s", "1h"}},
    {"faults.death_for", {"", "", "500ms"}},
    {"faults.stall_every", {"", "", "1s"}},
    {"faults.stall_for", {"10ms", "300ms"}},
    {"faults.stall_slowness", {"", "2", "7"}},
    {"faults.restart", {"0", "0.3", "exponential:1"}},
    {"faults.notice", {"", "1ms", "200ms"}},
    {"faults.migration_limit", {"", "0", "1", "100"}},
};

/* Blocks that have to arrive in time. */
static const struct knob hurried[] = {
    {"disagg.move_deadline", {"", "", "100us", "5ms"}},
    {"disagg.move_retries", {"", "0", "2"}},
};

/* The same of links. */
static const struct knob of_links[] = {
    {"faults.list", {"nic:0@0s..2s=down", "host:0@100ms..1s=slow:10", "peer:0@50ms..150ms=down"}},
    {"faults.link_every", {"200ms", "2s", "1h"}},
    {"faults.link_for", {"10ms", "1s"}},
    {"faults.link_slowness", {"", "2", "50"}},
};

/* Of both roles. */
static const struct knob planned_parted[] = {
    {"generate.arrival", {"poisson:30", "poisson:100", "gamma:60,3", "rates:100@0s,20@500ms"}},
    {"generate.input_tokens",
     {"uniform:1,600", "uniform:1,20@0s;uniform:200,600@500ms",
      "uniform:200,600@0s;uniform:1,20@500ms;uniform:200,600@1s"}},
    {"generate.output_tokens",
     {"uniform:1,200", "uniform:50,200@0s;uniform:1,10@500ms",
      "uniform:1,10@0s;uniform:50,200@500ms;uniform:1,10@1s"}},
    {"planner.policy", {"load", "load", "throughput", "sla", "hybrid", "clairvoyant"}},
    {"planner.every", {"20ms", "20ms", "100ms"}},
    {"planner.startup", {"0", "0.3", "exponential:1"}},
    {"planner.change", {"", "0", "0.1", "exponential:0.5"}},
    {"planner.start_failure", {"", "0.3"}},
    {"planner.metric_loss", {"", "", "0.3"}},
    {"planner.warmup", {"0s", "100ms"}},
    {"planner.headroom", {"", "0.05"}},
    {"planner.cooldown", {"0s", "0s", "500ms"}},
    {"planner.metric_delay", {"", "", "300ms"}},
    {"planner.first_passes", {"", "3"}},
    {"planner.queue_up", {"1", "2"}},
    {"planner.use_up", {"0.2"}},
    {"planner.use_down", {"0.1"}},
    {"slo.ttft", {"20ms", "200ms"}},
    {"slo.itl", {"", "20ms"}},
};

static const struct knob parted[] = {
    {"disagg.policy", {"always", "never", "threshold:100", "cached_threshold:64"}},
    {"disagg.prefill", {"1", "2", "3"}},
    {"disagg.decode", {"1", "2", "3"}},
    {"disagg.hop", {"", "2ms"}},
    {"prefill.blocks", {"", "400"}},
    {"links.sharing", {"fair", "alone"}},
};

/* Requests are parted by what is seen, and those who decode are chosen by more than load. */
static const struct knob judged[] = {
    {"disagg.policy", {"load:64", "predicted"}},
    {"disagg.router", {"", "", "kv", "power_of_two"}},
};

static const struct knob pushed[] = {
    {"disagg.style", {"push"}},
    {"disagg.transfer", {"whole", "layers"}},
    {"disagg.deadline", {"", "", "1ms", "100ms"}},
};

static const struct knob pulled[] = {
    {"disagg.style", {"pull", "both"}},
    {"disagg.deadline", {"1ms", "100ms"}},
};

static uint32_t choices_of(const struct knob *knob)
{
    uint32_t count = 0;

    while (count < CHOICES_MAX && knob->choices[count]) {
        count++;
    }
    return count;
}

static void add_word(struct dyno_swarm_world *world, const char *word)
{
    if (world->argc < DYNO_SWARM_WORDS_MAX) {
        (void)snprintf(world->words[world->argc], DYNO_SWARM_WORD_BYTES, "%s", word);
        world->argv[world->argc] = world->words[world->argc];
        world->argc++;
        world->argv[world->argc] = NULL;
    }
}

void dyno_swarm_set(struct dyno_swarm_world *world, const char *setting)
{
    add_word(world, "--set");
    add_word(world, setting);
}

static void set_number(struct dyno_swarm_world *world, const char *option, uint64_t value)
{
    char setting[DYNO_SWARM_WORD_BYTES];

    (void)snprintf(setting, sizeof setting, "%s=%" PRIu64, option, value);
    dyno_swarm_set(world, setting);
}

static void draw_knobs(struct dyno_swarm_world *world, struct dyno_rng *rng,
                       const struct knob *knobs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t at = (uint32_t)dyno_rng_below(rng, choices_of(&knobs[i]));
        char setting[DYNO_SWARM_WORD_BYTES];

        if (knobs[i].choices[at][0] != '\0') {
            (void)snprintf(setting, sizeof setting, "%s=%s", knobs[i].option, knobs[i].choices[at]);
            dyno_swarm_set(world, setting);
        }
    }
}

#define DRAW(world, rng, knobs) draw_knobs(world, rng, knobs, sizeof(knobs) / sizeof *(knobs))

/* What is not a choice among a few. */
static void draw_sizes(struct dyno_swarm_world *world, struct dyno_rng *rng, bool is_parted)
{
    static const uint32_t sizes[] = {1, 4, 16, 64};
    uint32_t block_tokens = sizes[dyno_rng_below(rng, sizeof sizes / sizeof *sizes)];

    set_number(world, "run.seed", world->seed);
    set_number(world, "trace.requests", 20 + dyno_rng_below(rng, 180));
    set_number(world, "kv.block_tokens", block_tokens);
    set_number(world, "kv.blocks", 3 + (400 + dyno_rng_below(rng, 6000)) / block_tokens);
    if (!is_parted) {
        set_number(world, "fleet.workers", 1 + dyno_rng_below(rng, 6));
    }
}

/* In most of the worlds in halves GPUs change their role, with few to spare; in a stream of its
 * own, so that others stay as they are. */
static void draw_changes(struct dyno_swarm_world *world, uint64_t seed)
{
    struct dyno_rng rng;
    uint32_t prefill, decode, places;

    dyno_rng_init(&rng, seed, "swarm.roles");
    if (dyno_rng_below(&rng, 5) < 4) {
        DRAW(world, &rng, planned_parted);
        if (dyno_rng_below(&rng, 2)) {
            DRAW(world, &rng, tiered);
        }
        prefill = 1 + (uint32_t)dyno_rng_below(&rng, 4);
        decode = 1 + (uint32_t)dyno_rng_below(&rng, 4);
        places = prefill + decode + (uint32_t)dyno_rng_below(&rng, 3);
        set_number(world, "disagg.prefill", prefill);
        set_number(world, "disagg.decode", decode);
        set_number(world, "fleet.workers", places);
        set_number(world, "planner.budget",
                   prefill + decode +
                       (dyno_rng_below(&rng, 3) == 0 ? places - prefill - decode : 0));
    }
}

/* Several routers in a quarter of the worlds in halves, likewise. */
static void draw_routers(struct dyno_swarm_world *world, uint64_t seed)
{
    struct dyno_rng rng;

    dyno_rng_init(&rng, seed, "swarm.routers");
    if (dyno_rng_below(&rng, 4) == 0) {
        DRAW(world, &rng, replicated);
    }
}

/* Prompts by other weights in a quarter of them, likewise. */
static void draw_weights(struct dyno_swarm_world *world, uint64_t seed)
{
    struct dyno_rng rng;

    dyno_rng_init(&rng, seed, "swarm.weights");
    if (dyno_rng_below(&rng, 4) == 0) {
        dyno_swarm_set(world, "prefill.weights=int4");
    }
}

/* Policies that judge by what they see in a third of them, likewise. */
static void draw_policies(struct dyno_swarm_world *world, uint64_t seed)
{
    struct dyno_rng rng;

    dyno_rng_init(&rng, seed, "swarm.policies");
    if (dyno_rng_below(&rng, 3) == 0) {
        DRAW(world, &rng, judged);
    }
}

/* Tiers that hold something else than all, in half of the worlds that have any, likewise. */
static void draw_stores(struct dyno_swarm_world *world, uint64_t seed)
{
    struct dyno_rng rng;

    for (int i = 0; i < world->argc; i++) {
        if (strncmp(world->words[i], "tiers.levels=", 13) == 0) {
            dyno_rng_init(&rng, seed, "swarm.stores");
            if (dyno_rng_below(&rng, 2)) {
                DRAW(world, &rng, stored);
            }
            return;
        }
    }
}

/* Whoever goes by a season has one. */
static void set_season(struct dyno_swarm_world *world)
{
    for (int i = 0; i < world->argc; i++) {
        if (strcmp(world->words[i], "planner.predictor=seasonal") == 0) {
            dyno_swarm_set(world, "planner.season=2s");
            return;
        }
    }
}

/* Of workers that pull from one another: in a stream of its own, so that others stay as they are.
 */
static void draw_pulls(struct dyno_swarm_world *world, uint64_t seed)
{
    struct dyno_rng rng;

    for (int i = 0; i < world->argc; i++) {
        if (strcmp(world->words[i], "tiers.peers=true") == 0) {
            dyno_rng_init(&rng, seed, "swarm.pulls");
            DRAW(world, &rng, pulling);
            return;
        }
    }
}

/* Two models, in a third of the worlds that may have them, by a stream of their own; where a
 * planner is in them the budget is short in most. */
static void draw_models(struct dyno_swarm_world *world, uint64_t seed, bool is_planned)
{
    char setting[DYNO_SWARM_WORD_BYTES];
    uint32_t small, large, gpus;
    struct dyno_rng rng;

    dyno_rng_init(&rng, seed, "swarm.models");
    if (dyno_rng_below(&rng, 3) > 0) {
        return;
    }
    small = 1 + (uint32_t)dyno_rng_below(&rng, 4);
    large = 1 + (uint32_t)dyno_rng_below(&rng, 3);
    gpus = small + 2 * large;
    (void)snprintf(setting, sizeof setting,
                   "fleet.models=name=a:model=qwen3-0.6b:workers=%" PRIu32
                   ",name=b:model=qwen3-8b:workers=%" PRIu32 ":tp=2",
                   small, large);
    dyno_swarm_set(world, setting);
    if (is_planned) {
        set_number(world, "planner.budget", 3 + dyno_rng_below(&rng, gpus - 2));
    }
}

void dyno_swarm_draw(struct dyno_swarm_world *world, uint64_t seed, char *const *more)
{
    struct dyno_rng rng, faults; /* faults by themselves: worlds without any stay as they are */
    bool moves;                  /* KV, over links */
    uint64_t kind;
    bool is_faulty;

    memset(world, 0, sizeof *world);
    world->seed = seed;
    dyno_rng_init(&rng, seed, "swarm");
    dyno_rng_init(&faults, seed, "swarm.faults");
    is_faulty = dyno_rng_below(&faults, 3) == 0;
    kind = dyno_rng_below(&rng, 4);
    add_word(world, "replay");
    DRAW(world, &rng, always);
    if (dyno_rng_below(&rng, 3) == 0) {
        DRAW(world, &rng, of_sglang);
    } else {
        DRAW(world, &rng, of_others);
    }
    draw_sizes(world, &rng, kind == 1);
    if (dyno_rng_below(&rng, 3) == 0) {
        DRAW(world, &rng, queued);
    }
    if (kind != 1 && dyno_rng_below(&rng, 4) == 0) {
        DRAW(world, &rng, replicated);
    }
    moves = kind == 1;
    if (dyno_rng_below(&rng, 4) == 0) {
        DRAW(world, &rng, tiered);
        moves = true;
    }
    if (kind == 0) {
        DRAW(world, &rng, planned);
    } else if (kind == 1) {
        DRAW(world, &rng, parted);
        if (dyno_rng_below(&rng, 2)) {
            DRAW(world, &rng, pushed);
        } else {
            DRAW(world, &rng, pulled);
        }
        draw_changes(world, seed);
        draw_routers(world, seed);
        draw_weights(world, seed);
        draw_policies(world, seed);
    }
    set_season(world);
    draw_stores(world, seed);
    draw_pulls(world, seed);
    if (is_faulty) {
        DRAW(world, &faults, faulty);
        if (moves && dyno_rng_below(&faults, 2) == 0) {
            DRAW(world, &faults, of_links);
        }
    }
    if (kind == 1) {
        DRAW(world, &faults, hurried);
    }
    if (!moves) {
        draw_models(world, seed, kind == 0);
    }
    world->storm = dyno_rng_below(&rng, 2) ? 0 : dyno_rng_unit(&rng);
    for (; *more; more++) {
        dyno_swarm_set(world, *more);
    }
}
