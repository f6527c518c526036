/* Workers on GPUs, emulated, under the threads of every real device: their greedy text is that of
 * workers on the CPU. */
#include "backends/cuda/device.h"

#include <semaphore.h>
#include <stdatomic.h>

#include "backends/cpu/device.h"
#include "backends/cpu/forward.h"
#include "backends/cuda/device_pools.h"
#include "tests/backends/cuda_models.h"
#include "tests/check_main.h"
#include "tests/cuda_emulation/faults.h"

enum {
    WORKERS = 2,
    SEQUENCES = 3, /* of each worker */
    PROMPT_MAX = 20,
    ANSWER = 10,
    BLOCK_TOKENS = 4,
    TABLE = 8,
    BLOCKS = 40,
    STEPS = 4,
};

/* What stands in for the wall's clock: it counts, and posts. */
static sem_t woken;
static atomic_uint_fast64_t ticks;

static dyno_ns count(const struct dyno_clock *clock)
{
    (void)clock;
    return atomic_fetch_add(&ticks, 1);
}

static void wake(struct dyno_clock *clock)
{
    (void)clock;
    sem_post(&woken);
}

static bool survive;  /* somebody drops what a worker that failed had */
static bool stopping; /* every pass is told to stop at once */

/* A fleet and its sequences: number worker x SEQUENCES + slot. */
struct fleet {
    struct dyno_device *device;
    struct dyno_transcripts *transcripts;
    struct dyno_transcript *sequences[WORKERS * SEQUENCES];
    uint32_t tables[SEQUENCES][TABLE];
    const uint32_t *table_of[SEQUENCES];
    uint32_t ended[WORKERS]; /* sequences */
};

static struct dyno_threaded_config threaded_config(struct dyno_transcripts *transcripts)
{
    return (struct dyno_threaded_config){.worker_count = WORKERS,
                                         .seqs_max = SEQUENCES,
                                         .steps_max = STEPS,
                                         .survives = survive,
                                         .transcripts = transcripts,
                                         .now = count,
                                         .wake = wake};
}

static struct dyno_cuda_config cuda_config(const struct dyno_weights *weights,
                                           struct dyno_transcripts *transcripts, uint32_t ranks)
{
    return (struct dyno_cuda_config){.weights = weights,
                                     .ranks = ranks,
                                     .threads = 2,
                                     .blocks = BLOCKS,
                                     .block_tokens = BLOCK_TOKENS,
                                     .batch_tokens_max = SEQUENCES * PROMPT_MAX,
                                     .context_max = TABLE * BLOCK_TOKENS,
                                     .threaded = threaded_config(transcripts)};
}

/* ranks: of each worker, on GPUs; 0: on the CPU. */
static void open_device(struct fleet *fleet, const struct dyno_weights *weights, uint32_t ranks)
{
    struct dyno_cuda_config cuda = cuda_config(weights, fleet->transcripts, ranks);
    struct dyno_cpu_config cpu = {.weights = weights,
                                  .threads = 1,
                                  .blocks = BLOCKS,
                                  .block_tokens = BLOCK_TOKENS,
                                  .batch_tokens_max = SEQUENCES * PROMPT_MAX,
                                  .threaded = threaded_config(fleet->transcripts)};
    struct dyno_error error = {0};
    dyno_status status = ranks > 0 ? dyno_cuda_device_open(&fleet->device, &cuda, &error)
                                   : dyno_cpu_device_open(&fleet->device, &cpu, &error);

    ck_assert_msg(status == DYNO_OK, "%s", error.text);
}

static struct fleet fleet_open(const struct dyno_weights *weights, uint64_t seed, uint32_t ranks)
{
    struct fleet fleet = {.ended = {0}};
    struct dyno_rng rng;

    dyno_rng_init(&rng, seed, "cuda device prompts");
    ck_assert(dyno_transcripts_open(&fleet.transcripts) == DYNO_OK);
    for (uint32_t i = 0; i < WORKERS * SEQUENCES; i++) {
        uint32_t length = 1 + (uint32_t)dyno_rng_below(&rng, PROMPT_MAX);

        ck_assert(dyno_transcripts_add(fleet.transcripts, i, length, ANSWER, &fleet.sequences[i]) ==
                  DYNO_OK);
        for (uint32_t t = 0; t < length; t++) {
            fleet.sequences[i]->tokens[t] = (uint32_t)dyno_rng_below(&rng, weights->model.vocab);
        }
    }
    for (uint32_t i = 0; i < SEQUENCES * TABLE; i++) {
        fleet.tables[i % SEQUENCES][i / SEQUENCES] = BLOCKS - 1 - i;
    }
    open_device(&fleet, weights, ranks);
    return fleet;
}

static void fleet_close(struct fleet *fleet)
{
    fleet->device->ops->close(fleet->device);
    dyno_transcripts_close(fleet->transcripts);
}

/* Every worker's prompts in one pass, then passes of STEPS until all have ended.  Returns how many
 * passes. */
static uint32_t submit_all(struct fleet *fleet, bool prompts)
{
    uint32_t passes = 0;

    for (uint32_t worker = 0; worker < WORKERS; worker++) {
        struct dyno_slice slices[SEQUENCES];
        struct dyno_pass pass = {.worker = worker,
                                 .steps_max = prompts ? 1 : STEPS,
                                 .slice_count = prompts ? SEQUENCES : 0,
                                 .slices = slices,
                                 .decode = !prompts,
                                 .tables = fleet->table_of};

        if (fleet->ended[worker] == SEQUENCES) {
            continue;
        }
        passes++;
        for (uint32_t slot = 0; slot < SEQUENCES; slot++) {
            uint32_t id = worker * SEQUENCES + slot;

            if (prompts) {
                fleet->device->ops->open(fleet->device, worker, slot, id, 0, ANSWER);
            }
            slices[slot] = (struct dyno_slice){
                .slot = slot, .tokens = fleet->sequences[id]->prompt_tokens, .yields = true};
        }
        fleet->device->ops->submit(fleet->device, 0, &pass);
        if (stopping) {
            fleet->device->ops->stop(fleet->device, worker, 0, 0);
        }
    }
    return passes;
}

static void reap_all(struct fleet *fleet, uint32_t passes)
{
    struct dyno_completion completion;

    for (uint32_t i = 0; i < passes; i++) {
        while (sem_wait(&woken) != 0) {
        }
        ck_assert(fleet->device->ops->reap(fleet->device, UINT64_MAX, &completion));
        fleet->ended[completion.worker] += completion.ended_count;
    }
}

static void run(struct fleet *fleet)
{
    uint32_t passes;

    for (uint32_t slot = 0; slot < SEQUENCES; slot++) {
        fleet->table_of[slot] = fleet->tables[slot];
    }
    reap_all(fleet, submit_all(fleet, true));
    while ((passes = submit_all(fleet, false)) > 0) {
        reap_all(fleet, passes);
    }
}

/* How much larger the CPU's logit of `one` is than that of `other` behind the first `count` tokens,
 * as a share of the largest. */
static double margin(const struct dyno_weights *weights, const struct dyno_transcript *sequence,
                     uint32_t length, uint32_t one, uint32_t other)
{
    static const uint32_t table[TABLE] = {0, 1, 2, 3, 4, 5, 6, 7};
    struct dyno_team *team = dyno_team_open(1);
    struct dyno_kv_storage *storage;
    struct dyno_forward *forward;
    float *logits = array_of(weights->model.vocab, sizeof *logits);
    float largest = 0.0F;

    ck_assert(dyno_kv_storage_open(&storage, &weights->model, TABLE, BLOCK_TOKENS, DYNO_ELEMENT_F32,
                                   NULL) == DYNO_OK);
    ck_assert(dyno_forward_open(&forward,
                                &(struct dyno_forward_config){.weights = weights,
                                                              .storage = storage,
                                                              .team = team,
                                                              .rows_max = TABLE * BLOCK_TOKENS},
                                NULL) == DYNO_OK);
    dyno_forward_run(
        forward,
        &(struct dyno_forward_slice){
            .tokens = sequence->tokens, .count = length, .table = table, .yields = true},
        1, logits);
    dyno_forward_close(forward);
    dyno_kv_storage_close(storage);
    dyno_team_close(team);
    for (uint32_t i = 0; i < weights->model.vocab; i++) {
        largest = fabsf(logits[i]) > largest ? fabsf(logits[i]) : largest;
    }
    return ((double)logits[one] - (double)logits[other]) / (double)largest;
}

START_TEST(greedy_text_is_that_of_the_cpu)
{
    struct dyno_rng rng;
    struct dyno_weights *weights;
    struct fleet gpu, cpu;
    uint32_t same = 0, ranks = _i < 4 ? 1 : 2;
    enum family family = _i % 2 ? QWEN3 : LLAMA3;
    struct dyno_model shapes;

    dyno_rng_init(&rng, (uint64_t)_i, "cuda device");
    shapes = ranks > 1 ? cuda_shapes_to_share(&rng, family, 16)
                       : cuda_shapes(&rng, family, _i % 4 < 2 ? 64 : 16);
    weights = cuda_model_of(&rng, family, &shapes);
    dyno_emulation_devices(ranks > 1 ? WORKERS * (int)ranks : 1);
    sem_init(&woken, 0, 0);
    gpu = fleet_open(weights, (uint64_t)_i, ranks);
    run(&gpu);
    cpu = fleet_open(weights, (uint64_t)_i, 0);
    run(&cpu);
    for (uint32_t i = 0; i < WORKERS * SEQUENCES; i++) {
        const struct dyno_transcript *got = gpu.sequences[i], *due = cpu.sequences[i];
        uint32_t at = due->prompt_tokens;

        ck_assert(got->count == due->count && got->count == got->prompt_tokens + ANSWER);
        while (at < due->count && got->tokens[at] == due->tokens[at]) {
            at++;
        }
        same += at - due->prompt_tokens;
        if (at < due->count) {
            double apart = margin(weights, due, at, due->tokens[at], got->tokens[at]);

            ck_assert_msg(apart < 0.1, "seed %d: sequence %u, token %u: %g of the logits apart", _i,
                          i, at, apart);
        }
    }
    ck_assert_msg(same > WORKERS * SEQUENCES * ANSWER / 2, "seed %d: %u tokens", _i, same);
    fleet_close(&gpu);
    fleet_close(&cpu);
    sem_destroy(&woken);
}
END_TEST

/* Where a sequence ends, or the pass is told to, a step of it may have begun on the GPU that does
 * not count. */
START_TEST(passes_that_end_early_leave_no_trace)
{
    struct dyno_rng rng;
    struct dyno_weights *weights;
    struct fleet whole, early;

    dyno_rng_init(&rng, (uint64_t)_i, "cuda device");
    weights = cuda_model(&rng, QWEN3, 64);
    sem_init(&woken, 0, 0);
    whole = fleet_open(weights, (uint64_t)_i, 1);
    run(&whole);
    weights->eos[0] = whole.sequences[0]->tokens[whole.sequences[0]->prompt_tokens + 2];
    weights->eos_count = _i == 0 ? 1 : 0;
    stopping = _i == 1;
    early = fleet_open(weights, (uint64_t)_i, 1);
    run(&early);
    for (uint32_t i = 0; i < WORKERS * SEQUENCES; i++) {
        const struct dyno_transcript *got = early.sequences[i], *due = whole.sequences[i];
        uint32_t end = due->prompt_tokens;

        while (end < due->count && (end == due->prompt_tokens || weights->eos_count == 0 ||
                                    due->tokens[end - 1] != weights->eos[0])) {
            end++;
        }
        ck_assert_uint_eq(got->count, end);
        ck_assert_mem_eq(got->tokens, due->tokens, end * sizeof(uint32_t));
    }
    ck_assert(weights->eos_count == 0 ||
              early.sequences[0]->count <= early.sequences[0]->prompt_tokens + 3);
    fleet_close(&whole);
    fleet_close(&early);
    sem_destroy(&woken);
}
END_TEST

START_TEST(a_fleet_without_room_is_refused)
{
    struct dyno_rng rng;
    struct dyno_weights *weights;
    struct dyno_cuda_config config;
    struct dyno_device *device = NULL;
    struct dyno_error error = {0};
    uint32_t blocks = 0;

    dyno_rng_init(&rng, 1, "cuda device");
    weights = cuda_model(&rng, LLAMA3, 64);
    config = cuda_config(weights, NULL, 1);
    ck_assert(dyno_cuda_device_blocks(&blocks, &config, &error) == DYNO_OK && blocks == BLOCKS);
    config.blocks = 0; /* as many as sequences can fill */
    ck_assert(dyno_cuda_device_blocks(&blocks, &config, &error) == DYNO_OK &&
              blocks == SEQUENCES * TABLE);
    dyno_emulation_free_bytes((size_t)1 << 30);
    ck_assert(dyno_cuda_device_open(&device, &config, &error) == DYNO_NO_MEMORY && !device);
    ck_assert_msg(strstr(error.text, "the GPU has 1.00 GiB free, and "), "%s", error.text);
}
END_TEST

static void await_wake(void)
{
    while (sem_wait(&woken) != 0) {
    }
}

/* Start a worker, and say how that went. */
static enum dyno_threaded_start start_again(struct dyno_device *device, uint32_t worker)
{
    dyno_threaded_device_start(device, worker);
    await_wake();
    return dyno_threaded_device_look(device, worker);
}

/* Of the workers of a place one is there at a time: who starts takes the memory of the other, and
 * who is told to stop after that has nothing to give back. */
START_TEST(who_starts_in_a_place_takes_it)
{
    struct dyno_rng rng;
    struct dyno_cuda_config config;
    struct dyno_transcripts *transcripts;
    struct dyno_device *decode = NULL, *prefill = NULL;
    dyno_ns took = 0;
    struct dyno_error error = {0};

    dyno_rng_init(&rng, 1, "cuda device");
    sem_init(&woken, 0, 0);
    ck_assert(dyno_transcripts_open(&transcripts) == DYNO_OK);
    config = cuda_config(cuda_model(&rng, LLAMA3, 16), transcripts, 1);
    config.shares_places = true;
    config.others = WORKERS;
    config.ready_count = 1;
    config.start_ns = &took;
    ck_assert_msg(dyno_cuda_device_open(&decode, &config, &error) == DYNO_OK, "%s", error.text);
    ck_assert_uint_eq(took, 1); /* the clock counts how often it is asked */
    config.beside = decode;
    config.ready_first = 1;
    ck_assert_msg(dyno_cuda_device_open(&prefill, &config, &error) == DYNO_OK, "%s", error.text);
    ck_assert(dyno_cuda_device_has(decode, 0) && !dyno_cuda_device_has(decode, 1));
    ck_assert(!dyno_cuda_device_has(prefill, 0) && dyno_cuda_device_has(prefill, 1));
    for (uint32_t round = 0; round < 2; round++) {
        struct dyno_device *from = round ? prefill : decode, *to = round ? decode : prefill;

        ck_assert(start_again(to, 0) == DYNO_THREADED_STARTED);
        ck_assert(dyno_cuda_device_has(to, 0) && !dyno_cuda_device_has(from, 0));
        dyno_threaded_device_stop(from, 0); /* late */
        ck_assert(start_again(from, 1) == DYNO_THREADED_STARTED);
        ck_assert(dyno_cuda_device_has(to, 0) && dyno_cuda_device_has(from, 1) &&
                  !dyno_cuda_device_has(to, 1));
        ck_assert(start_again(to, 1) == DYNO_THREADED_STARTED);
    }
    prefill->ops->close(prefill);
    decode->ops->close(decode);
    dyno_transcripts_close(transcripts);
    sem_destroy(&woken);
}
END_TEST

/* As much memory as workers of one role need, who have both in turn; unless the other role has more
 * blocks than there is room for. */
START_TEST(a_place_needs_memory_for_one_role)
{
    struct dyno_rng rng;
    struct dyno_cuda_config config;
    struct dyno_error error = {0};
    uint32_t alone = 0, both = 0, turns = 0;

    dyno_rng_init(&rng, 1, "cuda device");
    config = cuda_config(cuda_model(&rng, LLAMA3, 64), NULL, 1);
    config.blocks = 0;
    config.context_max = 1 << 16; /* more blocks can be filled than there is room for */
    dyno_emulation_free_bytes(((size_t)1 << 30) + ((size_t)256 << 20));
    ck_assert_msg(dyno_cuda_device_blocks(&alone, &config, &error) == DYNO_OK, "%s", error.text);
    config.others = WORKERS;
    ck_assert(dyno_cuda_device_blocks(&both, &config, &error) != DYNO_OK || both < alone);
    config.shares_places = true;
    ck_assert(dyno_cuda_device_blocks(&turns, &config, &error) == DYNO_OK && turns == alone);
    config.others_blocks = alone;
    ck_assert(dyno_cuda_device_blocks(&turns, &config, &error) == DYNO_OK && turns == alone);
    config.others_blocks = 2 * alone;
    ck_assert(dyno_cuda_device_blocks(&turns, &config, &error) == DYNO_NO_MEMORY);
}
END_TEST

/* What NCCL takes, when it is brought together and when it is asked, is no place for blocks. */
START_TEST(ranks_leave_room_for_what_nccl_takes)
{
    const size_t gib = (size_t)1 << 30, mib = (size_t)1 << 20;
    struct dyno_rng rng;
    struct dyno_model shapes;
    struct dyno_cuda_config config;
    struct dyno_error error = {0};
    uint32_t all = 0, fewer = 0;

    dyno_rng_init(&rng, 1, "cuda device");
    shapes = cuda_shapes_to_share(&rng, LLAMA3, 16);
    config = cuda_config(cuda_model_of(&rng, LLAMA3, &shapes), NULL, 2);
    config.blocks = 0;
    config.context_max = 1 << 16; /* more blocks can be filled than there is room for */
    dyno_emulation_devices(4);
    dyno_emulation_free_bytes(gib + 46 * mib);
    ck_assert_msg(dyno_cuda_device_blocks(&all, &config, &error) == DYNO_OK, "%s", error.text);
    dyno_emulation_nccl_bytes(2 * mib, 1 * mib);
    ck_assert(dyno_cuda_device_blocks(&fewer, &config, &error) == DYNO_OK && fewer < all);
    dyno_emulation_free_bytes(gib + 49 * mib);
    ck_assert(dyno_cuda_device_blocks(&fewer, &config, &error) == DYNO_OK && fewer == all);
    dyno_emulation_nccl_bytes(512 * mib, 0);
    dyno_emulation_free_bytes(gib + 520 * mib);
    ck_assert(dyno_cuda_device_blocks(&fewer, &config, &error) == DYNO_NO_MEMORY);
    ck_assert_msg(strstr(error.text, "0.50 that NCCL took when it was tried, 1.00 left to CUDA"),
                  "%s", error.text);
    dyno_emulation_nccl_bytes(0, 0);
}
END_TEST

/* As on a machine that has no GPU, or no driver. */
START_TEST(what_is_missing_is_said)
{
    static const struct {
        cudaError_t code;
        const char *part;
    } missing[] = {{cudaErrorNoDevice, "look at nvidia-smi"},
                   {cudaErrorInsufficientDriver, "driver is not installed, or older"}};
    struct dyno_rng rng;
    struct dyno_cuda_config config;
    uint32_t blocks = 0;

    dyno_rng_init(&rng, 1, "cuda device");
    config = cuda_config(cuda_model(&rng, LLAMA3, 16), NULL, 1);
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
        struct dyno_error error = {0};

        dyno_emulation_fail(1, missing[i].code);
        ck_assert(dyno_cuda_device_blocks(&blocks, &config, &error) == DYNO_NOT_FOUND);
        ck_assert_msg(strstr(error.text, missing[i].part), "%s", error.text);
    }
    dyno_emulation_fail(0, cudaSuccess);
}
END_TEST

START_TEST(ranks_without_gpus_of_their_own_are_refused)
{
    struct dyno_rng rng;
    struct dyno_model shapes;
    struct dyno_cuda_config config;
    struct dyno_error error = {0};
    uint32_t blocks = 0;

    dyno_rng_init(&rng, 1, "cuda device");
    shapes = cuda_shapes_to_share(&rng, LLAMA3, 16);
    config = cuda_config(cuda_model_of(&rng, LLAMA3, &shapes), NULL, 2);
    dyno_emulation_devices(4);
    ck_assert(dyno_cuda_device_blocks(&blocks, &config, &error) == DYNO_OK && blocks == BLOCKS);
    dyno_emulation_devices(3);
    ck_assert(dyno_cuda_device_blocks(&blocks, &config, &error) == DYNO_NOT_FOUND);
    ck_assert_str_eq(error.text, "2 workers of 2 ranks need 4 GPUs, one for every rank, and there "
                                 "are 3: fewer workers or ranks (--tp) would do");
    config.ranks = 3;
    ck_assert(dyno_cuda_device_blocks(&blocks, &config, &error) == DYNO_NOT_FOUND);
    dyno_emulation_devices(6);
    ck_assert(dyno_cuda_device_blocks(&blocks, &config, &error) == DYNO_BAD_INPUT);
    ck_assert_msg(strstr(error.text, "heads"), "%s", error.text);
}
END_TEST

/* Each call that opening makes, and then the first pass: the one refuses, the other ends the
 * program. */
START_TEST(calls_that_fail_while_it_opens_are_told)
{
    struct dyno_rng rng;
    struct dyno_weights *weights;
    struct dyno_cuda_config config;
    struct dyno_transcripts *transcripts;
    struct dyno_device *device;
    uint64_t calls;

    dyno_rng_init(&rng, 1, "cuda device");
    weights = cuda_model(&rng, LLAMA3, 16);
    ck_assert(dyno_transcripts_open(&transcripts) == DYNO_OK);
    config = cuda_config(weights, transcripts, 1);
    config.threaded.seqs_max = 1;
    config.batch_tokens_max = 2;
    dyno_emulation_fail(0, cudaSuccess);
    ck_assert(dyno_cuda_device_open(&device, &config, NULL) == DYNO_OK);
    calls = dyno_emulation_calls();
    device->ops->close(device);
    for (uint64_t call = 1; call <= calls; call++) {
        struct dyno_error error = {0};
        struct dyno_device *none = NULL;

        dyno_emulation_fail(call, cudaErrorMemoryAllocation);
        ck_assert_msg(dyno_cuda_device_open(&none, &config, &error) != DYNO_OK && !none &&
                          error.text[0],
                      "call %d of %d", (int)call, (int)calls);
    }
    dyno_emulation_fail(0, cudaSuccess);
    dyno_transcripts_close(transcripts);
}
END_TEST

START_TEST(a_pass_that_fails_ends_the_program)
{
    struct dyno_rng rng;
    struct fleet fleet;

    dyno_rng_init(&rng, 1, "cuda device");
    sem_init(&woken, 0, 0);
    fleet = fleet_open(cuda_model(&rng, LLAMA3, 16), 1, 1);
    dyno_emulation_fail(9, cudaErrorIllegalAddress);
    run(&fleet);
}
END_TEST

/* The other worker's pass counts, and it goes on; the lost one is started when its GPU is well. */
START_TEST(a_worker_whose_gpu_is_lost_leaves_the_others)
{
    struct dyno_rng rng;
    struct fleet fleet;
    struct dyno_completion completion;
    uint32_t failed = WORKERS;

    survive = true;
    dyno_rng_init(&rng, 1, "cuda device");
    sem_init(&woken, 0, 0);
    dyno_emulation_devices(WORKERS);
    fleet = fleet_open(cuda_model(&rng, LLAMA3, 16), 1, 1);
    for (uint32_t slot = 0; slot < SEQUENCES; slot++) {
        fleet.table_of[slot] = fleet.tables[slot];
    }
    dyno_emulation_lose(1, 1 + (uint64_t)_i * 7, cudaErrorIllegalAddress);
    ck_assert_uint_eq(submit_all(&fleet, true), WORKERS);
    await_wake();
    await_wake();
    ck_assert(fleet.device->ops->reap(fleet.device, UINT64_MAX, &completion));
    ck_assert(completion.worker == 0 && completion.steps == 1);
    ck_assert(!fleet.device->ops->reap(fleet.device, UINT64_MAX, &completion));
    ck_assert(fleet.device->ops->failed(fleet.device, &failed) && failed == 1);
    ck_assert(!fleet.device->ops->drop(fleet.device, 1, 0, &completion));
    for (uint32_t slot = 0; slot < SEQUENCES; slot++) {
        const struct dyno_transcript *sequence = fleet.sequences[SEQUENCES + slot];

        ck_assert_uint_eq(sequence->count, sequence->prompt_tokens); /* nobody was told a token */
        fleet.device->ops->shut(fleet.device, 1, slot);
    }
    ck_assert(start_again(fleet.device, 1) == DYNO_THREADED_FAILED);
    dyno_emulation_lose(1, 0, cudaSuccess);
    ck_assert(start_again(fleet.device, 1) == DYNO_THREADED_STARTED);
    ck_assert(!fleet.device->ops->failed(fleet.device, &failed));
    fleet_close(&fleet);
    sem_destroy(&woken);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("device");

    tcase_set_timeout(tc, 240);
    tcase_add_checked_fixture(tc, NULL, arrays_free);
    tcase_add_loop_test(tc, greedy_text_is_that_of_the_cpu, 0, 5);
    tcase_add_loop_test(tc, passes_that_end_early_leave_no_trace, 0, 2);
    tcase_add_test(tc, a_fleet_without_room_is_refused);
    tcase_add_test(tc, who_starts_in_a_place_takes_it);
    tcase_add_test(tc, ranks_leave_room_for_what_nccl_takes);
    tcase_add_test(tc, what_is_missing_is_said);
    tcase_add_test(tc, a_place_needs_memory_for_one_role);
    tcase_add_test(tc, ranks_without_gpus_of_their_own_are_refused);
    tcase_add_test(tc, calls_that_fail_while_it_opens_are_told);
    tcase_add_loop_test(tc, a_worker_whose_gpu_is_lost_leaves_the_others, 0, 2);
    tcase_add_exit_test(tc, a_pass_that_fails_ends_the_program, EXIT_FAILURE);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("cuda_device", add_cases)
