/* A desk with a fleet behind it: a loop in a thread of its own, and a device of the test's. */
#ifndef DYNO_TESTS_SYSTEM_DESK_RIG_H
#define DYNO_TESTS_SYSTEM_DESK_RIG_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "backends/assets/tokenizer/tokenizer.h"
#include "backends/assets/vocabulary.h"
#include "backends/door/desk.h"
#include "backends/posix/turns.h"
#include "backends/posix/wall_clock.h"
#include "core/route/route.h"
#include "core/run/loop.h"
#include "core/worker/local.h"
#include "sim/answers.h"
#include "tests/check_main.h"

struct desk_rig {
    /* The test's, before it is opened. */
    struct dyno_worker_config worker;
    uint32_t worker_count, answers_max;
    bool computes; /* the device does: it ends answers itself */
    bool helps;    /* the test's thread takes turns of the loop, by desk_rig_help */
    bool fails;    /* the loop ends in the middle of something */
    struct dyno_device *(*open_device)(struct desk_rig *rig);

    struct dyno_clock *clock;
    struct dyno_answers *lengths;
    struct dyno_transcripts *transcripts;
    struct dyno_desk *desk;
    struct dyno_device *device;
    struct dyno_dispatch *dispatch;
    struct dyno_loop *loop;
    struct dyno_workers *workers;
    struct dyno_turns *turns;
    bool left; /* something at the desk, for the loop */
    struct dyno_histogram itl;
    struct dyno_tokenizer *tokenizer; /* of two letters */
    volatile sig_atomic_t interrupted;
    pthread_t thread;
    atomic_uint told;   /* times that news was told of ... */
    uint32_t told_here; /* ... by the test's own thread, in a turn that it took */
    pthread_t own;
};

static inline void desk_rig_news(void *context)
{
    struct desk_rig *rig = context;

    atomic_fetch_add(&rig->told, 1);
    if (pthread_equal(pthread_self(), rig->own)) {
        rig->told_here++;
    }
}

static inline void desk_rig_left(void *context)
{
    ((struct desk_rig *)context)->left = true;
}

static inline void desk_rig_tokenizer(struct desk_rig *rig)
{
    static const struct dyno_token tokens[] = {{.bytes = "a", .size = 1, .kind = DYNO_TOKEN_PLAIN},
                                               {.bytes = "b", .size = 1, .kind = DYNO_TOKEN_PLAIN}};
    struct dyno_vocabulary vocabulary = {.kind = DYNO_TOKENIZER_SPM,
                                         .tokens = tokens,
                                         .token_count = 2,
                                         .bos = UINT32_MAX,
                                         .eos = UINT32_MAX,
                                         .unknown = 0};
    struct dyno_error error;

    ck_assert_msg(dyno_tokenizer_open(&rig->tokenizer, &vocabulary, &error) == DYNO_OK, "%s",
                  error.text);
}

static inline void desk_rig_desk(struct desk_rig *rig)
{
    struct dyno_desk_config config = {.answers_max = rig->answers_max,
                                      .worker_count = rig->worker_count,
                                      .lengths = rig->computes ? NULL : rig->lengths,
                                      .transcripts = rig->transcripts,
                                      .now = dyno_wall_clock_now,
                                      .wake = dyno_wall_clock_wake,
                                      .clock = rig->clock,
                                      .left = rig->helps ? desk_rig_left : NULL,
                                      .news = desk_rig_news,
                                      .context = rig};

    ck_assert_int_eq(dyno_desk_open(&rig->desk, &config), DYNO_OK);
}

static inline void desk_rig_fleet(struct desk_rig *rig)
{
    struct dyno_dispatch_config dispatch = {.policy = dyno_route_find("round_robin"),
                                            .route = {.args = ""},
                                            .worker_count = rig->worker_count,
                                            .block_tokens = rig->worker.block_tokens};
    struct dyno_loop_config loop = {.clock = rig->clock,
                                    .source = dyno_desk_source(rig->desk),
                                    .answers = rig->lengths,
                                    .worker_count = rig->worker_count,
                                    .sinks = dyno_desk_sink(rig->desk),
                                    .live = true,
                                    .interrupted = &rig->interrupted};
    struct dyno_local_config local = {.worker = rig->worker,
                                      .worker_count = rig->worker_count,
                                      .gpus_per_worker = 1,
                                      .device = rig->device,
                                      .itl = &rig->itl};
    struct dyno_error error = {.status = DYNO_OK};

    ck_assert_int_eq(dyno_dispatch_open(&rig->dispatch, &dispatch, &error), DYNO_OK);
    ck_assert_int_eq(dyno_histogram_init(&rig->itl), DYNO_OK);
    loop.dispatch = rig->dispatch;
    ck_assert_int_eq(dyno_loop_open(&rig->loop, &loop), DYNO_OK);
    local.listener = dyno_loop_listener(rig->loop);
    ck_assert_int_eq(dyno_local_open(&rig->workers, &local, &error), DYNO_OK);
}

static inline void desk_rig_open(struct desk_rig *rig)
{
    rig->own = pthread_self();
    desk_rig_tokenizer(rig);
    ck_assert_int_eq(dyno_wall_clock_open(&rig->clock, 1.0), DYNO_OK);
    ck_assert_int_eq(dyno_answers_open(&rig->lengths), DYNO_OK);
    ck_assert_int_eq(dyno_transcripts_open(&rig->transcripts), DYNO_OK);
    desk_rig_desk(rig);
    rig->device = rig->open_device(rig);
    desk_rig_fleet(rig);
    if (rig->helps) {
        ck_assert_int_eq(dyno_turns_open(&rig->turns, rig->loop, rig->clock), DYNO_OK);
    }
}

/* What a door does when it has read what is at hand. */
static inline void desk_rig_help(struct desk_rig *rig)
{
    if (rig->left) {
        rig->left = false;
        dyno_turns_help(rig->turns);
    }
}

static inline void desk_rig_close(struct desk_rig *rig)
{
    if (!rig->fails) {
        dyno_local_check(rig->workers);
    }
    rig->workers->ops->close(rig->workers);
    rig->device->ops->close(rig->device);
    dyno_turns_close(rig->turns);
    dyno_loop_close(rig->loop);
    dyno_dispatch_close(rig->dispatch);
    dyno_desk_close(rig->desk);
    dyno_transcripts_close(rig->transcripts);
    dyno_answers_close(rig->lengths);
    dyno_wall_clock_close(rig->clock);
    dyno_histogram_release(&rig->itl);
    dyno_tokenizer_close(rig->tokenizer);
}

static inline void *desk_rig_run(void *context)
{
    struct desk_rig *rig = context;
    struct dyno_loop_result result;
    struct dyno_error error = {.status = DYNO_OK};
    dyno_status status = rig->helps ? dyno_turns_run(rig->turns, rig->workers, &result, &error)
                                    : dyno_loop_run(rig->loop, rig->workers, &result, &error);

    ck_assert_msg(status == DYNO_OK, "%s", error.text);
    dyno_desk_abandon(rig->desk);
    return NULL;
}

static inline void desk_rig_start(struct desk_rig *rig)
{
    ck_assert_int_eq(pthread_create(&rig->thread, NULL, desk_rig_run, rig), 0);
}

static inline void desk_rig_join(struct desk_rig *rig)
{
    ck_assert_int_eq(pthread_join(rig->thread, NULL), 0);
}

static inline void desk_rig_nap(void)
{
    (void)nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

#endif
