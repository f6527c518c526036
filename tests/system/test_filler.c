/* Over random worlds: whoever hears the fillers of a request hears as many as core says it got,
 * also where requests are preempted, give up, or decode in leaps. */
#include "backends/engine/filler.h"
#include "tests/check_main.h"
#include "tests/system/world_draw_halves.h"

enum { WORLDS = 300 };

/* A generation that counts. */
struct counter {
    struct dyno_generation base;
    uint32_t tokens;
};

static struct counter counters[WORLD_REQUESTS_MAX];
static uint32_t told[WORLD_REQUESTS_MAX];
static bool completed[WORLD_REQUESTS_MAX];
static struct dyno_transcripts *transcripts;

static bool took(struct dyno_generation *generation, uint32_t token)
{
    ck_assert_uint_eq(token, DYNO_TOKEN_FILLER);
    ((struct counter *)generation)->tokens++;
    return false;
}

static const struct dyno_generation_ops counter_ops = {.took = took};

static dyno_status on_request(struct dyno_sink *sink, const struct dyno_request_record *record)
{
    (void)sink;
    told[record->id] = record->output_tokens;
    completed[record->id] = record->outcome == DYNO_COMPLETED;
    return DYNO_OK;
}

static const struct dyno_sink_ops sink_ops = {.name = "told", .request = on_request};

static uint32_t wrapped_count; /* devices of the world: those that compute prompts come second */

static struct dyno_device *wrap(const struct world *world, struct dyno_device *device)
{
    const struct world_halves *halves = &world->halves;
    uint32_t workers = world->dispatch.worker_count, seqs_max = world->worker.seqs_max;
    struct dyno_device *wrapped;

    workers = halves->workers > workers ? halves->workers : workers;
    seqs_max = halves->worker.seqs_max > seqs_max ? halves->worker.seqs_max : seqs_max;
    ck_assert_int_eq(dyno_filler_open(&wrapped, device, workers, seqs_max, transcripts,
                                      wrapped_count++ == 1 && halves->style == DYNO_HANDOFF_PULL),
                     DYNO_OK);
    return wrapped;
}

static void bring_generations(const struct world *world)
{
    struct dyno_transcript *transcript;

    ck_assert_int_eq(dyno_transcripts_open(&transcripts), DYNO_OK);
    for (uint32_t i = 0; i < world->request_count; i++) {
        counters[i] = (struct counter){.base = {.ops = &counter_ops}};
        ck_assert_int_eq(dyno_transcripts_add(transcripts, i, 1, 1, &transcript), DYNO_OK);
        transcript->generation = &counters[i].base;
    }
}

START_TEST(as_many_fillers_are_heard_as_tokens_are_told)
{
    uint64_t heard = 0;

    for (uint64_t seed = 0; seed < WORLDS; seed++) {
        static struct world world;

        world_draw(&world, seed);
        if (seed % 4 == 1) {
            world_draw_halves(&world);
        }
        if (seed % 4 > 1) { /* these ask how long passes take */
            world.worker.prefix_cache = true;
            world_draw_tiers(&world.tiers, seed, world.dispatch.worker_count,
                             world.worker.block_tokens);
        }
        wrapped_count = 0;
        world.extra_sink = &sink_ops;
        world.wrap = wrap;
        bring_generations(&world);
        (void)world_run(&world, seed % 3 == 0 ? 1 : 1u << 20);
        for (uint32_t i = 0; i < world.request_count; i++) {
            /* Who leaves while a prompt's token waits to be pulled does not hear it any more. */
            bool is_gone = world.halves.workers > 0 && !completed[i];

            ck_assert_msg(counters[i].tokens == told[i] ||
                              (is_gone && counters[i].tokens < told[i]),
                          "seed %llu, request %u: heard %u of %u", (unsigned long long)seed, i,
                          counters[i].tokens, told[i]);
            heard += told[i];
        }
        dyno_transcripts_close(transcripts);
    }
    ck_assert_uint_gt(heard, 10000);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("filler");

    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, as_many_fillers_are_heard_as_tokens_are_told);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("system/filler", add_cases)
