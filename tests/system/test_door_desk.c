/* The desk with a loop behind it in a thread of its own and a door before it: whatever is posted
 * ends once, says as much as the fleet says it did, and nothing is lost where clients go. */
#include <stdlib.h>
#include <string.h>

#include "backends/engine/filler.h"
#include "backends/null/null.h"
#include "core/base/rng.h"
#include "tests/system/desk_rig.h"

enum { WORKERS = 2, BLOCK_TOKENS = 16, POSTED_MAX = 400, STEP_NS = 20000 };

/* Who takes the loop's turns: its own thread, or the door's too. */
enum { ALONE, HELPED, WAYS };

/* What the door knows of an answer it posted. */
struct asked {
    struct dyno_answer *answer; /* NULL: released */
    uint32_t length, tokens, ends;
    size_t text;
    bool cancelled;
    enum dyno_answer_end end;
    struct dyno_request_record record;
};

struct rig {
    struct desk_rig base; /* its first member */
    dyno_ns step_ns;
    struct asked asked[POSTED_MAX];
};

static struct dyno_worker_config worker_config(void)
{
    struct dyno_worker_config config = dyno_engine_find("vllm")->config;

    config.block_tokens = BLOCK_TOKENS;
    config.blocks = 64;
    config.seqs_max = 8;
    config.steps_max = 4;
    config.context_max = 400;
    return config;
}

static struct dyno_device *open_device(struct desk_rig *rig)
{
    struct dyno_device *null, *device;

    ck_assert_int_eq(dyno_null_open(&null, WORKERS, ((struct rig *)rig)->step_ns, dyno_answers_get,
                                    rig->lengths),
                     DYNO_OK);
    ck_assert_int_eq(
        dyno_filler_open(&device, null, WORKERS, rig->worker.seqs_max, rig->transcripts, false),
        DYNO_OK);
    return device;
}

static void open_rig_with(struct rig *rig, int way, uint32_t answers_max, dyno_ns step_ns)
{
    rig->step_ns = step_ns;
    rig->base = (struct desk_rig){.worker = worker_config(),
                                  .worker_count = WORKERS,
                                  .answers_max = answers_max,
                                  .helps = way == HELPED,
                                  .open_device = open_device};
    desk_rig_open(&rig->base);
}

static void open_rig(struct rig *rig, int way, uint32_t answers_max)
{
    open_rig_with(rig, way, answers_max, STEP_NS);
}

/* ---- the door -------------------------------------------------------------------------------- */

static dyno_status post(struct rig *rig, uint32_t index, uint32_t prompt_tokens, uint32_t length)
{
    static const uint32_t prompt[512];
    struct dyno_error error = {.status = DYNO_OK};
    dyno_status status;

    rig->asked[index] = (struct asked){.length = length};
    ck_assert_int_eq(dyno_answer_open(&rig->asked[index].answer,
                                      &(struct dyno_answer_config){.prompt = prompt,
                                                                   .prompt_tokens = prompt_tokens,
                                                                   .tokens_max = length + 5,
                                                                   .pretended = length,
                                                                   .tokenizer = rig->base.tokenizer,
                                                                   .owner = &rig->asked[index]},
                                      &error),
                     DYNO_OK);
    status = dyno_desk_post(rig->base.desk, rig->asked[index].answer);
    if (status != DYNO_OK) {
        dyno_answer_release(rig->asked[index].answer);
        rig->asked[index].answer = NULL;
    }
    return status;
}

static void hear(struct asked *asked, const struct dyno_answer_news *said)
{
    asked->tokens += said->token_count;
    asked->text += said->text_size;
    if (said->end != DYNO_ANSWER_GOES_ON) {
        asked->ends++;
        asked->end = said->end;
        asked->record = *said->record;
        dyno_answer_release(asked->answer);
        asked->answer = NULL;
    }
}

static void hear_all(struct rig *rig)
{
    struct dyno_answer_news said;
    struct dyno_answer *answer;

    desk_rig_help(&rig->base);
    while ((answer = dyno_desk_news(rig->base.desk, &said)) != NULL) {
        hear(dyno_answer_owner(answer), &said);
    }
}

/* Hear until all that was posted and is still held has ended. */
static void hear_the_rest(struct rig *rig, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        while (rig->asked[i].answer) {
            hear_all(rig);
            desk_rig_nap();
        }
    }
    hear_all(rig);
}

START_TEST(every_answer_ends_once_with_all_of_its_tokens)
{
    static struct rig rig;
    struct dyno_rng rng;

    dyno_rng_init(&rng, 1, "desk");
    open_rig(&rig, _i % WAYS, POSTED_MAX);
    desk_rig_start(&rig.base);
    for (uint32_t i = 0; i < POSTED_MAX; i++) {
        ck_assert_int_eq(post(&rig, i, 1 + (uint32_t)dyno_rng_below(&rng, 200),
                              1 + (uint32_t)dyno_rng_below(&rng, 60)),
                         DYNO_OK);
        hear_all(&rig);
    }
    hear_the_rest(&rig, POSTED_MAX);
    dyno_desk_finish(rig.base.desk);
    desk_rig_join(&rig.base);
    ck_assert_uint_gt(atomic_load(&rig.base.told), 0);
    for (uint32_t i = 0; i < POSTED_MAX; i++) {
        const struct asked *asked = &rig.asked[i];

        ck_assert_uint_eq(asked->ends, 1);
        ck_assert_int_eq(asked->end, DYNO_ANSWER_FULL);
        ck_assert_uint_eq(asked->tokens, asked->length);
        ck_assert_uint_eq(asked->record.output_tokens, asked->length);
        ck_assert_uint_ge(asked->text, asked->tokens);
        ck_assert_uint_eq(asked->record.id, i);
    }
    desk_rig_close(&rig.base);
}
END_TEST

/* Clients go at any time: before the loop has seen them, while they wait, and in the middle. */
START_TEST(who_goes_is_told_of_and_holds_nothing)
{
    static struct rig rig;
    struct dyno_rng rng;
    uint32_t cut = 0;

    dyno_rng_init(&rng, (uint64_t)_i, "desk");
    open_rig(&rig, _i % WAYS, POSTED_MAX);
    desk_rig_start(&rig.base);
    for (uint32_t i = 0; i < POSTED_MAX; i++) {
        struct asked *other = &rig.asked[dyno_rng_below(&rng, i + 1)];

        ck_assert_int_eq(post(&rig, i, 1 + (uint32_t)dyno_rng_below(&rng, 200), 300), DYNO_OK);
        if (other->answer && dyno_rng_below(&rng, 2)) {
            dyno_desk_cancel(rig.base.desk, other->answer);
            other->cancelled = true;
            if (dyno_rng_below(&rng, 2)) { /* some are not even waited for */
                dyno_answer_release(other->answer);
                other->answer = NULL;
            }
        }
        if (dyno_rng_below(&rng, 3) == 0) {
            hear_all(&rig);
            desk_rig_nap();
        }
    }
    for (uint32_t i = 0; i < POSTED_MAX; i++) {
        if (rig.asked[i].answer && i % 4 != 0) {
            dyno_desk_cancel(rig.base.desk, rig.asked[i].answer);
            rig.asked[i].cancelled = true;
        }
    }
    hear_the_rest(&rig, POSTED_MAX);
    dyno_desk_finish(rig.base.desk);
    desk_rig_join(&rig.base);
    hear_all(&rig);
    for (uint32_t i = 0; i < POSTED_MAX; i++) {
        const struct asked *asked = &rig.asked[i];

        ck_assert_uint_le(asked->ends, 1);
        ck_assert(asked->ends == 1 || asked->cancelled);
        if (asked->ends == 1 && asked->end == DYNO_ANSWER_FAILED) {
            ck_assert_int_eq(asked->record.outcome, DYNO_CANCELLED_BY_CLIENT);
            ck_assert(asked->cancelled);
            ck_assert_uint_eq(asked->tokens, asked->record.output_tokens);
            cut++;
        }
    }
    ck_assert_uint_gt(cut, 0);
    ck_assert_uint_eq(dyno_desk_count(rig.base.desk), 0);
    desk_rig_close(&rig.base);
}
END_TEST

START_TEST(a_full_desk_refuses_at_once_and_takes_again_later)
{
    static struct rig rig;

    open_rig(&rig, _i, 2);
    ck_assert_int_eq(post(&rig, 0, 10, 5), DYNO_OK);
    ck_assert_int_eq(post(&rig, 1, 10, 5), DYNO_OK);
    ck_assert_int_eq(post(&rig, 2, 10, 5), DYNO_FULL);
    desk_rig_start(&rig.base);
    hear_the_rest(&rig, 2);
    ck_assert_int_eq(post(&rig, 2, 10, 5), DYNO_OK);
    hear_the_rest(&rig, 3);
    dyno_desk_finish(rig.base.desk);
    desk_rig_join(&rig.base);
    ck_assert_int_eq(post(&rig, 3, 10, 5), DYNO_FULL);
    desk_rig_close(&rig.base);
}
END_TEST

/* Steps take an hour, so that whoever is in the fleet stays there. */
START_TEST(when_the_loop_is_cut_everybody_is_told)
{
    static struct rig rig;

    open_rig_with(&rig, _i, POSTED_MAX, 3600 * DYNO_S);
    desk_rig_start(&rig.base);
    for (uint32_t i = 0; i < 100; i++) {
        ck_assert_int_eq(post(&rig, i, 100, 290), DYNO_OK);
    }
    desk_rig_nap();
    __atomic_store_n(&rig.base.interrupted, 1, __ATOMIC_RELAXED);
    dyno_wall_clock_wake(rig.base.clock);
    desk_rig_join(&rig.base);
    hear_the_rest(&rig, 100);
    for (uint32_t i = 0; i < 100; i++) {
        ck_assert_uint_eq(rig.asked[i].ends, 1);
        ck_assert_int_eq(rig.asked[i].end, DYNO_ANSWER_FAILED);
    }
    desk_rig_close(&rig.base);
}
END_TEST

/* Nobody is told that nothing is something. */
START_TEST(a_vector_that_nobody_computes_fails)
{
    static struct rig rig;
    struct asked *asked = &rig.asked[0];
    struct dyno_error error = {.status = DYNO_OK};

    open_rig(&rig, _i, 1);
    desk_rig_start(&rig.base);
    ck_assert_int_eq(dyno_answer_open(&asked->answer,
                                      &(struct dyno_answer_config){.prompt = (uint32_t[]){0, 1},
                                                                   .prompt_tokens = 2,
                                                                   .tokens_max = 1,
                                                                   .pretended = 1,
                                                                   .dimensions = 3,
                                                                   .tokenizer = rig.base.tokenizer,
                                                                   .owner = asked},
                                      &error),
                     DYNO_OK);
    ck_assert_int_eq(dyno_desk_post(rig.base.desk, asked->answer), DYNO_OK);
    hear_the_rest(&rig, 1);
    ck_assert_int_eq(asked->end, DYNO_ANSWER_FAILED);
    ck_assert_int_eq(asked->record.outcome, DYNO_COMPLETED);
    dyno_desk_finish(rig.base.desk);
    desk_rig_join(&rig.base);
    desk_rig_close(&rig.base);
}
END_TEST

/* A fleet that takes no time answers in turns of the helper's, unless the loop's own thread was in
 * one just then. */
START_TEST(a_helper_need_not_wait_for_the_loops_thread)
{
    enum { COUNT = 100 };
    static struct rig rig;

    open_rig_with(&rig, HELPED, POSTED_MAX, 1);
    desk_rig_start(&rig.base);
    for (uint32_t i = 0; i < COUNT; i++) {
        ck_assert_int_eq(post(&rig, i, 10, 5), DYNO_OK);
        ck_assert(rig.base.left);
        hear_the_rest(&rig, i + 1);
        ck_assert_uint_eq(rig.asked[i].tokens, 5);
    }
    ck_assert_uint_gt(rig.base.told_here, 0);
    dyno_desk_finish(rig.base.desk);
    desk_rig_join(&rig.base);
    desk_rig_close(&rig.base);
}
END_TEST

/* Somebody who hears of the third end and cannot go on. */
static dyno_status fail_at_third(struct dyno_sink *sink, const struct dyno_request_record *record)
{
    (void)sink;
    return record->id < 2 ? DYNO_OK : DYNO_IO;
}

static void *run_to_failure(void *context)
{
    struct desk_rig *rig = context;
    struct dyno_loop_result result;
    struct dyno_error error = {.status = DYNO_OK};

    ck_assert_int_eq(dyno_turns_run(rig->turns, rig->workers, &result, &error), DYNO_IO);
    dyno_desk_abandon(rig->desk);
    return NULL;
}

START_TEST(a_loop_that_fails_in_whoevers_turn_ends_with_the_error)
{
    static const struct dyno_sink_ops failing_ops = {.name = "failing", .request = fail_at_third};
    static struct rig rig;
    struct dyno_sink failing = {.ops = &failing_ops};

    open_rig_with(&rig, HELPED, POSTED_MAX, 1);
    rig.base.fails = true;
    dyno_desk_sink(rig.base.desk)->next = &failing;
    ck_assert_int_eq(pthread_create(&rig.base.thread, NULL, run_to_failure, &rig.base), 0);
    for (uint32_t i = 0; i < 5; i++) {
        dyno_status status = post(&rig, i, 10, 5);

        ck_assert(status == DYNO_OK || (status == DYNO_FULL && i > 2));
        hear_the_rest(&rig, i + 1); /* also of those who come too late */
    }
    desk_rig_join(&rig.base);
    desk_rig_close(&rig.base);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("desk");

    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, every_answer_ends_once_with_all_of_its_tokens, 0, WAYS);
    tcase_add_loop_test(cases, who_goes_is_told_of_and_holds_nothing, 0, 8);
    tcase_add_loop_test(cases, a_full_desk_refuses_at_once_and_takes_again_later, 0, WAYS);
    tcase_add_loop_test(cases, when_the_loop_is_cut_everybody_is_told, 0, WAYS);
    tcase_add_loop_test(cases, a_vector_that_nobody_computes_fails, 0, WAYS);
    tcase_add_test(cases, a_helper_need_not_wait_for_the_loops_thread);
    tcase_add_test(cases, a_loop_that_fails_in_whoevers_turn_ends_with_the_error);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("system/door_desk", add_cases)
