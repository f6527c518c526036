/* Dispatch: what a policy is shown at every pick, against plain books kept beside it, and every
 * policy over a history of its own making. */
#include "core/base/rng.h"
#include "core/route/route.h"
#include "core/run/dispatch.h"
#include "tests/check_main.h"
#include "tests/core/run/spy.h"

enum { SPANS_MAX = 5, REQUESTS = 800, IDS = 9 };

/* --- Against plain books --- */

struct plain {
    uint32_t workers;
    uint32_t held[IDS][WORKERS_MAX]; /* what workers told */
    struct plain_request {
        bool live, waits;
        uint32_t worker, tokens, uncached, span_count;
        struct dyno_span spans[SPANS_MAX];
    } requests[REQUESTS];
};

static uint32_t leading(const uint32_t held[IDS][WORKERS_MAX], uint32_t worker,
                        const struct dyno_span *spans, uint32_t count)
{
    uint32_t overlap = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t has = held[spans[i].id - 1][worker];

        if (has < spans[i].blocks) {
            return overlap + has;
        }
        overlap += spans[i].blocks;
    }
    return overlap;
}

/* The blocks of each span that each worker's live requests have between them. */
static void held_by_live(const struct plain *plain, uint32_t held[IDS][WORKERS_MAX])
{
    memset(held, 0, IDS * sizeof *held);
    for (uint32_t i = 0; i < REQUESTS; i++) {
        const struct plain_request *request = &plain->requests[i];

        for (uint32_t k = 0; request->live && k < request->span_count; k++) {
            uint32_t *has = &held[request->spans[k].id - 1][request->worker];

            *has = request->spans[k].blocks > *has ? request->spans[k].blocks : *has;
        }
    }
}

static void compare(const struct plain *plain, const struct plain_request *asked)
{
    static uint32_t live[IDS][WORKERS_MAX];

    held_by_live(plain, live);
    for (uint32_t worker = 0; worker < plain->workers; worker++) {
        uint64_t inflight = 0, prefill = 0, active = 0;

        for (uint32_t i = 0; i < REQUESTS; i++) {
            const struct plain_request *request = &plain->requests[i];

            if (request->live && request->worker == worker) {
                uint32_t own = (request->tokens + BLOCK_TOKENS - 1) / BLOCK_TOKENS;

                for (uint32_t k = 0; k < request->span_count; k++) {
                    own -= request->spans[k].blocks;
                }
                inflight++;
                prefill += request->waits ? request->uncached : 0;
                active += own;
            }
        }
        for (uint32_t id = 0; id < IDS; id++) {
            active += live[id][worker];
        }
        ck_assert_uint_eq(spy.inflight[worker], inflight);
        ck_assert_uint_eq(spy.prefill_tokens[worker], prefill);
        ck_assert_uint_eq(spy.active_blocks[worker], active);
        ck_assert_uint_eq(spy.overlap[worker],
                          leading(plain->held, worker, asked->spans, asked->span_count));
        ck_assert_uint_eq(spy.active_overlap[worker],
                          leading(live, worker, asked->spans, asked->span_count));
    }
}

static void random_request(struct dyno_rng *rng, struct plain_request *request)
{
    uint32_t blocks = 0;

    request->span_count = (uint32_t)dyno_rng_below(rng, SPANS_MAX + 1);
    for (uint32_t k = 0; k < request->span_count; k++) {
        /* each depth has one or two identities; lengths vary, as where prompts share a part */
        request->spans[k].id = 1 + 2 * k - (k > 0 && dyno_rng_below(rng, 2));
        request->spans[k].blocks =
            dyno_rng_below(rng, 3) ? 4 : 1 + (uint32_t)dyno_rng_below(rng, 6);
        blocks += request->spans[k].blocks;
    }
    request->tokens = blocks * BLOCK_TOKENS + 1 + (uint32_t)dyno_rng_below(rng, 100);
}

static void route_one(struct dyno_dispatch *dispatch, struct plain *plain, struct dyno_rng *rng,
                      uint32_t id)
{
    struct plain_request *request = &plain->requests[id];
    uint32_t cached;

    random_request(rng, request);
    spy.next = (uint32_t)dyno_rng_below(rng, plain->workers);
    cached = leading(plain->held, spy.next, request->spans, request->span_count) * BLOCK_TOKENS;
    ck_assert_uint_eq(
        pick(dispatch, id, id, request->tokens, request->spans, request->span_count).worker,
        spy.next);
    compare(plain, request);
    request->worker = spy.next;
    request->uncached = request->tokens - cached;
    request->live = request->waits = true;
}

static void disturb(struct dyno_dispatch *dispatch, struct plain *plain, struct dyno_rng *rng,
                    uint32_t id)
{
    uint32_t worker = (uint32_t)dyno_rng_below(rng, plain->workers);
    uint32_t span = (uint32_t)dyno_rng_below(rng, IDS);
    uint32_t blocks = dyno_rng_below(rng, 4) ? 4 : (uint32_t)dyno_rng_below(rng, 6);
    uint32_t older = id - (uint32_t)dyno_rng_below(rng, id < 60 ? id + 1 : 60);

    tell(dispatch, id, worker, 1 + span, blocks);
    plain->held[span][worker] = blocks;
    if (dyno_rng_below(rng, 2)) {
        dyno_dispatch_first_token(dispatch, older);
        plain->requests[older].waits = false;
    } else {
        dyno_dispatch_ended(dispatch, older);
        plain->requests[older].live = false;
    }
}

static void random_history(uint64_t seed, uint32_t workers)
{
    static struct plain plain;
    struct dyno_dispatch_config config = config_of(&spy_policy, workers);
    struct dyno_dispatch *dispatch = open_dispatch(&config);
    struct dyno_rng rng;

    memset(&plain, 0, sizeof plain);
    plain.workers = workers;
    dyno_rng_init(&rng, seed, "dispatch history");
    for (uint32_t id = 0; id < REQUESTS; id++) {
        route_one(dispatch, &plain, &rng, id);
        for (uint32_t i = 0; i < 2; i++) {
            disturb(dispatch, &plain, &rng, id);
        }
    }
    for (uint32_t id = 0; id < REQUESTS; id++) {
        dyno_dispatch_ended(dispatch, id);
        plain.requests[id].live = false;
    }
    pick(dispatch, REQUESTS, REQUESTS, 1, NULL, 0);
    compare(&plain, &(struct plain_request){.span_count = 0});
    dyno_dispatch_close(dispatch);
}

START_TEST(the_view_agrees_with_plain_books_at_every_pick)
{
    random_history((uint64_t)_i, 1 + (uint32_t)_i);
    random_history((uint64_t)_i, WORKERS_MAX);
}
END_TEST

/* --- Every policy --- */

/* A history of its own making: picks follow, and are followed by, what workers would tell. */
static uint64_t digest(const struct dyno_route_policy *policy, uint64_t seed, uint32_t workers,
                       uint32_t requests, double temperature)
{
    struct dyno_dispatch_config config = config_of(policy, workers);
    struct dyno_dispatch *dispatch;
    struct dyno_rng rng;
    uint64_t hash = 1;

    config.seed = seed;
    config.route.temperature = temperature;
    config.event_delay_ns = seed % 2 ? 5 : 0;
    config.event_loss = seed % 3 ? 0.1 : 0;
    dispatch = open_dispatch(&config);
    dyno_rng_init(&rng, 99, "digest");
    for (uint64_t id = 0; id < requests; id++) {
        struct plain_request request;
        uint32_t worker;

        random_request(&rng, &request);
        worker = pick(dispatch, id, id, request.tokens, request.spans, request.span_count).worker;
        ck_assert_uint_lt(worker, workers);
        hash = hash * 31 + worker;
        for (uint32_t k = 0; k < request.span_count; k++) {
            tell(dispatch, id, worker, request.spans[k].id, request.spans[k].blocks);
        }
        if (id >= 2 * workers) {
            dyno_dispatch_first_token(dispatch, id - workers);
            dyno_dispatch_ended(dispatch, id - 2 * workers);
        }
    }
    dyno_dispatch_close(dispatch);
    return hash;
}

START_TEST(one_seed_one_history_for_every_policy)
{
    for (size_t i = 0; dyno_route_table[i]; i++) {
        const struct dyno_route_policy *policy = dyno_route_table[i];

        for (uint64_t seed = 0; seed < 3; seed++) {
            double temperature = (double)(seed % 2);

            ck_assert_msg(digest(policy, seed, 8, 500, temperature) ==
                              digest(policy, seed, 8, 500, temperature),
                          "%s, seed %u: histories differ", policy->name, (unsigned)seed);
        }
    }
}
END_TEST

START_TEST(four_thousand_workers_are_routed_among_by_every_policy)
{
    for (size_t i = 0; dyno_route_table[i]; i++) {
        digest(dyno_route_table[i], 1, 4096, 500, 0);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("dispatch books");

    tcase_set_timeout(cases, 120);
    tcase_add_loop_test(cases, the_view_agrees_with_plain_books_at_every_pick, 0, 6);
    tcase_add_test(cases, one_seed_one_history_for_every_policy);
    tcase_add_test(cases, four_thousand_workers_are_routed_among_by_every_policy);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("core/run/dispatch_books", add_cases)
