/* The very links and the very device that serve are measured.  Of a step counts how long its answer
 * takes beside what the worker says that it computed; the median of a few. */
#include "cli/machine/calibrate_far.h"

#include "backends/cpu/kv_links.h"
#include "backends/posix/wall_clock.h"
#include "backends/ucx/peers.h"
#include "cli/assembly/live_far.h"
#include "cli/machine/calibrate_copies.h"
#include "cli/machine/median.h"

enum { STEPS = 51, STEP_TOKENS = 64 };

static dyno_status measure_links(struct dyno_machine *out, struct dyno_ucx_peers *peers,
                                 const struct dyno_weights *weights,
                                 const struct dyno_copies_pace *pace, struct dyno_error *error)
{
    struct dyno_kv_storage *storages[2] = {NULL, NULL};
    struct dyno_kv_peer *memories[2] = {NULL, dyno_ucx_peers_memory(peers, 0)};
    struct dyno_links *links;
    dyno_status status;

    DYNO_TRY(dyno_kv_storage_open(&storages[0], &weights->model, DYNO_COPIES_BLOCKS,
                                  DYNO_COPIES_BLOCK_TOKENS, DYNO_ELEMENT_F32, error));
    dyno_kv_storage_touch(storages[0]);
    status = dyno_cpu_links_open(&links,
                                 &(struct dyno_cpu_links_config){.storages = storages,
                                                                 .peers = memories,
                                                                 .endpoint_count = 2,
                                                                 .ranks = 1,
                                                                 .now = dyno_wall_clock_now,
                                                                 .wake = dyno_wall_clock_wake,
                                                                 .clock = pace->clock},
                                 error);
    if (status == DYNO_OK) {
        status = dyno_copies_time(links, pace, 1, dyno_kv_storage_block_bytes(storages[0]),
                                  &out->far_byte_ns, &out->far_ns);
        links->ops->close(links);
    }
    dyno_kv_storage_close(storages[0]);
    return status;
}

static void run_step(struct dyno_device *device, struct dyno_clock *clock,
                     struct dyno_transcript *transcript)
{
    static const uint32_t table[STEP_TOKENS / DYNO_COPIES_BLOCK_TOKENS] = {0, 1, 2, 3};
    const uint32_t *tables[1] = {table};
    const struct dyno_slice slice = {.tokens = STEP_TOKENS, .yields = true};
    struct dyno_completion completion;
    dyno_ns now = dyno_wall_clock_now(clock);

    transcript->count = transcript->prompt_tokens;
    device->ops->open(device, 0, 0, 1, 0, 1);
    device->ops->submit(
        device, now,
        &(struct dyno_pass){.steps_max = 1, .slice_count = 1, .slices = &slice, .tables = tables});
    while (!device->ops->reap(device, now, &completion)) {
        now = clock->ops->wait_until(clock, DYNO_NEVER);
    }
    device->ops->shut(device, 0, 0);
}

static dyno_status measure_steps(struct dyno_machine *out, struct dyno_ucx_peers *peers,
                                 struct dyno_transcripts *transcripts, struct dyno_clock *clock,
                                 struct dyno_error *error)
{
    struct dyno_threaded_config threaded = {.worker_count = 1,
                                            .seqs_max = 1,
                                            .steps_max = 1,
                                            .transcripts = transcripts,
                                            .now = dyno_wall_clock_now,
                                            .wake = dyno_wall_clock_wake,
                                            .clock = clock};
    struct dyno_transcript *transcript;
    struct dyno_device *device;
    double beside[STEPS];

    if (dyno_transcripts_add(transcripts, 1, STEP_TOKENS, 1, &transcript) != DYNO_OK) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a prompt");
    }
    for (uint32_t i = 0; i < STEP_TOKENS; i++) {
        transcript->tokens[i] = 0;
    }
    DYNO_TRY(dyno_ucx_device_open(&device, peers, &threaded, error));
    for (uint32_t i = 0; i < STEPS; i++) {
        uint64_t before = dyno_ucx_peers_totals(peers).beside_ns;

        run_step(device, clock, transcript);
        beside[i] = (double)(dyno_ucx_peers_totals(peers).beside_ns - before);
    }
    device->ops->close(device);
    out->far_pass_ns = dyno_median(beside, STEPS);
    return DYNO_OK;
}

static dyno_status measure(struct dyno_machine *out, struct dyno_ucx_peers *peers,
                           const struct dyno_weights *weights, const struct dyno_copies_pace *pace,
                           struct dyno_error *error)
{
    struct dyno_transcripts *transcripts;
    dyno_status status;

    DYNO_TRY(measure_links(out, peers, weights, pace, error));
    if (dyno_transcripts_open(&transcripts) != DYNO_OK) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a prompt");
    }
    status = measure_steps(out, peers, transcripts, pace->clock, error);
    dyno_transcripts_close(transcripts);
    return status;
}

dyno_status dyno_far_measure(struct dyno_machine *out, const struct dyno_measure_config *config,
                             const struct dyno_weights *weights, struct dyno_clock *clock,
                             struct dyno_error *error)
{
    struct dyno_ucx_peers *peers;
    dyno_status status;

    DYNO_TRY(dyno_ucx_peers_open(
        &peers,
        &(struct dyno_ucx_peers_config){.addresses = config->far,
                                        .transport = dyno_live_transport(config->transport),
                                        .weights = weights,
                                        .workers = 1,
                                        .ranks = 1,
                                        .threads = config->threads,
                                        .blocks = DYNO_COPIES_BLOCKS,
                                        .block_tokens = DYNO_COPIES_BLOCK_TOKENS,
                                        .rows_max = STEP_TOKENS,
                                        .now = dyno_wall_clock_now,
                                        .wake = dyno_wall_clock_wake,
                                        .clock = clock},
        error));
    status =
        measure(out, peers, weights,
                &(struct dyno_copies_pace){.clock = clock, .pause_ns = config->pause_ns}, error);
    if (status == DYNO_OK && dyno_ucx_peers_are_gone(peers)) {
        status = dyno_fail(error, DYNO_WORKER_GONE, "the worker at %s is gone", config->far);
    }
    dyno_ucx_peers_close(peers);
    return status;
}
