/* Workers in another process that is gone, and there again: who is started finds whoever is there,
 * or nobody, and is given up; and who stops is let go. */
#include "tests/backends/ucx/far.h"

/* Whoever computes, who may be there again. */
struct looking {
    struct far far;
    struct dyno_clock *clock;
    struct dyno_ucx_peers *peers;
    struct dyno_transcripts *transcripts;
    struct dyno_device *device;
    struct dyno_faults *faults;
};

static void open_all(struct looking *looking, enum dyno_ucx_transport transport,
                     dyno_ns look_for_ns)
{
    struct dyno_threaded_config threaded;
    struct dyno_error error;

    open_far(&looking->far, 8);
    ck_assert_int_eq(dyno_wall_clock_open(&looking->clock, 1.0), DYNO_OK);
    ck_assert_int_eq(dyno_transcripts_open(&looking->transcripts), DYNO_OK);
    looking->peers = open_peers(&looking->far, looking->clock, transport, look_for_ns);
    threaded = threaded_config(looking->transcripts, looking->clock);
    ck_assert_int_eq(dyno_ucx_device_open(&looking->device, looking->peers, &threaded, &error),
                     DYNO_OK);
    ck_assert_int_eq(
        dyno_ucx_faults_open(&looking->faults,
                             (const struct dyno_ucx_mortals[DYNO_UCX_MORTALS]){{looking->peers, 0}},
                             NULL),
        DYNO_OK);
}

static void close_all(struct looking *looking)
{
    looking->faults->ops->close(looking->faults);
    looking->device->ops->close(looking->device);
    dyno_ucx_peers_close(looking->peers);
    dyno_transcripts_close(looking->transcripts);
    dyno_wall_clock_close(looking->clock);
}

/* The next thing that goes wrong. */
static struct dyno_fault_record await_fault(const struct looking *looking)
{
    struct dyno_fault_record fault = {.what = ""};
    dyno_ns now = dyno_wall_clock_now(looking->clock);

    while (looking->faults->ops->next(looking->faults) > now) {
        now = looking->clock->ops->wait_until(looking->clock, DYNO_NEVER);
    }
    ck_assert(looking->faults->ops->take(looking->faults, now, &fault));
    return fault;
}

static enum dyno_threaded_start start_worker(const struct looking *looking, uint32_t worker)
{
    dyno_threaded_device_start(looking->device, worker);
    while (dyno_threaded_device_look(looking->device, worker) == DYNO_THREADED_STARTS) {
        (void)looking->clock->ops->wait_until(looking->clock, DYNO_NEVER);
    }
    return dyno_threaded_device_look(looking->device, worker);
}

/* Its process ends, and the workers that it had from `first` on are told to be dead; their places
 * are mended at once. */
static void lose(struct looking *looking, uint32_t first)
{
    end_far(&looking->far);
    for (uint32_t i = first; i < WORKERS; i++) {
        struct dyno_fault_record fault = await_fault(looking);

        ck_assert_uint_eq(fault.target, i);
        ck_assert_uint_eq(fault.until, fault.at);
    }
    ck_assert_uint_eq(looking->faults->ops->next(looking->faults), DYNO_NEVER);
    release_far(&looking->far);
}

/* What it computes is what the one before did, in a memory of its own; the other worker, who was
 * not started again, does not reach it. */
START_TEST(who_is_started_again_finds_who_is_there)
{
    static const uint32_t table[] = {5, 6, 7, 2, 20, 0};
    struct dyno_kv_storage *storage = NULL;
    struct dyno_kv_peer *memories[WORKERS];
    struct dyno_transcript *text;
    struct looking looking;
    struct dyno_error error;
    uint32_t answer[ANSWER];

    open_all(&looking, transport_of(_i), 3600 * DYNO_S);
    for (uint32_t i = 0; i < WORKERS; i++) {
        memories[i] = dyno_ucx_peers_memory(looking.peers, i);
    }
    ck_assert_int_eq(dyno_kv_storage_open(&storage, &looking.far.weights->model, BLOCKS,
                                          BLOCK_TOKENS, DYNO_ELEMENT_F32, &error),
                     DYNO_OK);
    text = add_prompt(looking.transcripts, looking.far.weights->model.vocab);
    compute(looking.device, looking.clock, 1, table);
    memcpy(answer, text->tokens + PROMPT, 9 * sizeof *answer);
    lose(&looking, 0);
    ck_assert(!fetch_blocks(memories[1], table, &storage, table, 6));
    ck_assert_int_eq(start_worker(&looking, 1), DYNO_THREADED_FAILED); /* nobody is there */
    ck_assert_ptr_nonnull(strstr(dyno_ucx_peers_loss(looking.peers).in_vain, "no worker answers"));
    ck_assert_uint_eq(looking.faults->ops->next(looking.faults), DYNO_NEVER);
    start_far(&looking.far);
    ck_assert_int_eq(start_worker(&looking, 1), DYNO_THREADED_STARTED);
    ck_assert_uint_eq(dyno_ucx_peers_loss(looking.peers).workers, WORKERS);
    ck_assert_uint_eq(dyno_ucx_peers_loss(looking.peers).away, WORKERS - 1);
    ck_assert(!fetch_blocks(memories[0], table, &storage, table, 6));
    ck_assert(fetch_blocks(memories[1], table, &storage, table, 6));
    text->count = PROMPT;
    compute(looking.device, looking.clock, 1, table);
    ck_assert_mem_eq(answer, text->tokens + PROMPT, 9 * sizeof *answer);
    lose(&looking, 1); /* once more */
    close_all(&looking);
    dyno_kv_storage_close(storage);
    arrays_free();
}
END_TEST

START_TEST(who_is_not_found_for_long_enough_is_given_up)
{
    struct looking looking;
    struct dyno_fault_record fault;

    open_all(&looking, transport_of(_i), 1);
    lose(&looking, 0);
    ck_assert_int_eq(start_worker(&looking, 1), DYNO_THREADED_FAILED);
    fault = await_fault(&looking);
    ck_assert_uint_eq(fault.target, 1);
    ck_assert_uint_eq(fault.until, DYNO_NEVER);
    ck_assert_uint_eq(looking.faults->ops->next(looking.faults), DYNO_NEVER);
    close_all(&looking);
    arrays_free();
}
END_TEST

/* Until it serves somebody else: the threads of its workers let go of it. */
static void await_free(const struct far *far, struct dyno_clock *clock)
{
    struct dyno_ucx_peers_config config = peers_config(far, clock, DYNO_UCX_TCP);
    struct dyno_ucx_peers *others = NULL;
    struct dyno_error error;

    while (dyno_ucx_peers_open(&others, &config, &error) != DYNO_OK) {
        ck_assert_msg(strstr(error.text, "serves another dyno"), "%s", error.text);
        (void)usleep(1000);
    }
    dyno_ucx_peers_close(others);
}

/* Of a process all of whose workers have stopped nothing is kept: it serves whoever comes. */
START_TEST(who_stops_lets_its_process_go)
{
    struct looking looking;

    open_all(&looking, transport_of(_i), 0);
    for (uint32_t i = 0; i < WORKERS; i++) {
        dyno_threaded_device_stop(looking.device, i);
        ck_assert_int_eq(start_worker(&looking, i), DYNO_THREADED_STARTED);
        dyno_threaded_device_stop(looking.device, i);
    }
    await_free(&looking.far, looking.clock);
    ck_assert_int_eq(start_worker(&looking, 0), DYNO_THREADED_STARTED);
    ck_assert_uint_eq(looking.faults->ops->next(looking.faults), DYNO_NEVER);
    close_all(&looking);
    end_far(&looking.far);
    close_far(&looking.far);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("ucx again");

    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, who_is_started_again_finds_who_is_there, 0, 2);
    tcase_add_loop_test(cases, who_is_not_found_for_long_enough_is_given_up, 0, 2);
    tcase_add_loop_test(cases, who_stops_lets_its_process_go, 0, 2);
    suite_add_tcase(suite, cases);
}

static const char *lacking(void)
{
    return dyno_ucx_is_built() ? NULL : "this build has no UCX";
}

DYNO_CHECK_MAIN_UNLESS("backends/ucx again", add_cases, lacking)
