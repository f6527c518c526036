/* Two fleets as one, by hand: who is told what, and what is heard of it. */
#include "tests/check_main.h"

#include <string.h>

#include "core/worker/several.h"

/* A fleet that remembers what it was told last. */
struct stub {
    struct dyno_workers base;
    dyno_ns next;
    uint32_t worker;
    uint64_t id;
    uint32_t settled, formed, synced, closed;
    bool rests;
};

static struct stub stubs[2];

static struct stub *stub_of(struct dyno_workers *workers)
{
    return (void *)workers;
}

static dyno_status submit(struct dyno_workers *workers, dyno_ns now, uint32_t worker,
                          const struct dyno_request *request)
{
    (void)now;
    stub_of(workers)->worker = worker;
    stub_of(workers)->id = request->id;
    return DYNO_OK;
}

static dyno_status cancel(struct dyno_workers *workers, dyno_ns now, uint32_t worker, uint64_t id)
{
    (void)now;
    stub_of(workers)->worker = worker;
    stub_of(workers)->id = id;
    return DYNO_OK;
}

static dyno_status settle(struct dyno_workers *workers, dyno_ns now)
{
    (void)now;
    stub_of(workers)->settled++;
    return DYNO_OK;
}

static dyno_status form(struct dyno_workers *workers, dyno_ns now)
{
    (void)now;
    stub_of(workers)->formed++;
    return DYNO_OK;
}

static bool stop(struct dyno_workers *workers, dyno_ns now, uint32_t worker)
{
    (void)now;
    stub_of(workers)->worker = worker;
    return stub_of(workers)->rests;
}

static void sync(struct dyno_workers *workers, dyno_ns now)
{
    (void)now;
    stub_of(workers)->synced++;
}

static dyno_ns next(const struct dyno_workers *workers)
{
    return ((const struct stub *)(const void *)workers)->next;
}

static void sample(struct dyno_workers *workers, dyno_ns now, uint32_t worker,
                   struct dyno_sample_record *out)
{
    *out = (struct dyno_sample_record){
        .at = now, .worker = worker, .running = (stub_of(workers) == &stubs[1] ? 20 : 10) + worker};
}

static void totals(const struct dyno_workers *workers, struct dyno_fleet_totals *out)
{
    (void)workers;
    *out = (struct dyno_fleet_totals){.workers = 1, .gpus = 4, .steps = 7};
}

static dyno_status abandon(struct dyno_workers *workers, dyno_ns now, enum dyno_outcome outcome)
{
    (void)now, (void)outcome;
    stub_of(workers)->settled = 100;
    return DYNO_OK;
}

static void close(struct dyno_workers *workers)
{
    stub_of(workers)->closed++;
}

static const struct dyno_workers_ops ops = {.name = "stub",
                                            .submit = submit,
                                            .cancel = cancel,
                                            .settle = settle,
                                            .form = form,
                                            .stop = stop,
                                            .sync = sync,
                                            .next = next,
                                            .sample = sample,
                                            .totals = totals,
                                            .abandon = abandon,
                                            .close = close};

/* What the outer listener of a model heard. */
struct heard {
    uint64_t first_token;
    struct dyno_request_record ended;
    struct dyno_resume lost;
    uint32_t worker; /* of the last event */
    uint32_t goes_to;
};

static void on_first_token(void *context, uint64_t request)
{
    ((struct heard *)context)->first_token = request;
}

static dyno_status on_ended(void *context, const struct dyno_request_record *record)
{
    ((struct heard *)context)->ended = *record;
    return DYNO_OK;
}

static dyno_status on_lost(void *context, const struct dyno_resume *how_far)
{
    ((struct heard *)context)->lost = *how_far;
    return DYNO_OK;
}

static void on_kv_changed(void *context, uint32_t worker, dyno_ns at, uint64_t span,
                          uint32_t blocks)
{
    (void)at, (void)span, (void)blocks;
    ((struct heard *)context)->worker = worker;
}

static void on_presence(void *context, uint32_t worker, bool is_there)
{
    (void)is_there;
    ((struct heard *)context)->worker = worker;
}

static uint32_t on_reroute(void *context, const struct dyno_request *request, dyno_status *status)
{
    (void)request;
    *status = DYNO_OK;
    return ((struct heard *)context)->goes_to;
}

static struct heard heard[2];
static struct dyno_worker_listener inner[2];
static struct dyno_workers *all;

/* Workers 0 and 1 of the first fleet; 2, 3 and 4 of the second are its 0, 1 and 2. */
static void set_up(void)
{
    struct dyno_several *several;

    memset(heard, 0, sizeof heard);
    ck_assert_int_eq(dyno_several_open(&several, 2), DYNO_OK);
    for (uint32_t i = 0; i < 2; i++) {
        struct dyno_worker_listener outer = {.context = &heard[i],
                                             .first_token = on_first_token,
                                             .ended = on_ended,
                                             .lost = on_lost,
                                             .kv_changed = i == 1 ? on_kv_changed : NULL,
                                             .presence = on_presence,
                                             .reroute = on_reroute};

        stubs[i] = (struct stub){.base.ops = &ops, .next = DYNO_NEVER};
        inner[i] = dyno_several_listener(several, &outer);
        dyno_several_add(several, &stubs[i].base, 2 + i);
        ck_assert_ptr_eq(dyno_several_member(several, i), &stubs[i].base);
    }
    all = dyno_several_workers(several);
}

START_TEST(a_worker_is_told_by_the_name_that_its_fleet_has_for_it)
{
    struct dyno_request request = {.id = 42};
    struct dyno_sample_record seen;

    set_up();
    ck_assert_int_eq(all->ops->submit(all, 1, 1, &request), DYNO_OK);
    ck_assert_uint_eq(stubs[0].worker, 1);
    ck_assert_int_eq(all->ops->submit(all, 1, 4, &request), DYNO_OK);
    ck_assert_uint_eq(stubs[1].worker, 2);
    ck_assert_uint_eq(stubs[1].id, 42);
    ck_assert_int_eq(all->ops->cancel(all, 1, 2, 43), DYNO_OK);
    ck_assert_uint_eq(stubs[1].worker, 0);
    ck_assert_uint_eq(stubs[1].id, 43);
    stubs[1].rests = true;
    ck_assert(!all->ops->stop(all, 1, 0));
    ck_assert(all->ops->stop(all, 1, 3));
    ck_assert_uint_eq(stubs[1].worker, 1);
    all->ops->sample(all, 9, 3, &seen);
    ck_assert_uint_eq(seen.worker, 3);
    ck_assert_uint_eq(seen.running, 21);
    all->ops->close(all);
}
END_TEST

START_TEST(all_of_them_go_on_together)
{
    struct dyno_fleet_totals sums;

    set_up();
    stubs[0].next = 30;
    ck_assert_uint_eq(all->ops->next(all), 30);
    stubs[1].next = 20;
    ck_assert_uint_eq(all->ops->next(all), 20);
    ck_assert_int_eq(all->ops->settle(all, 20), DYNO_OK);
    ck_assert_int_eq(all->ops->form(all, 20), DYNO_OK);
    all->ops->sync(all, 20);
    all->ops->totals(all, &sums);
    ck_assert_uint_eq(sums.workers, 2);
    ck_assert_uint_eq(sums.gpus, 8);
    ck_assert_uint_eq(sums.steps, 14);
    for (uint32_t i = 0; i < 2; i++) {
        ck_assert_uint_eq(stubs[i].settled + stubs[i].formed + stubs[i].synced, 3);
    }
    ck_assert_int_eq(all->ops->abandon(all, 21, DYNO_CANCELLED_AT_END), DYNO_OK);
    ck_assert_uint_eq(stubs[0].settled + stubs[1].settled, 200);
    all->ops->close(all);
    ck_assert_uint_eq(stubs[0].closed + stubs[1].closed, 2);
}
END_TEST

START_TEST(what_a_fleet_says_is_heard_by_the_listener_of_its_model)
{
    struct dyno_request_record record = {.id = 5, .worker = 2, .outcome = DYNO_COMPLETED};
    struct dyno_resume how_far = {.record = record};
    dyno_status status = DYNO_FAILED;

    set_up();
    ck_assert_ptr_null(inner[0].kv_changed); /* nobody wants to know */
    inner[1].first_token(inner[1].context, 5);
    ck_assert_uint_eq(heard[1].first_token, 5);
    ck_assert_int_eq(inner[1].ended(inner[1].context, &record), DYNO_OK);
    ck_assert_uint_eq(heard[1].ended.worker, 4);
    ck_assert_uint_eq(heard[1].ended.id, 5);
    record.worker = DYNO_NO_WORKER;
    ck_assert_int_eq(inner[1].ended(inner[1].context, &record), DYNO_OK);
    ck_assert_uint_eq(heard[1].ended.worker, DYNO_NO_WORKER);
    ck_assert_int_eq(inner[1].lost(inner[1].context, &how_far), DYNO_OK);
    ck_assert_uint_eq(heard[1].lost.record.worker, 4);
    inner[1].kv_changed(inner[1].context, 0, 1, 7, 1);
    ck_assert_uint_eq(heard[1].worker, 2);
    inner[0].presence(inner[0].context, 1, false);
    ck_assert_uint_eq(heard[0].worker, 1);
    heard[1].goes_to = 3;
    ck_assert_uint_eq(inner[1].reroute(inner[1].context, NULL, &status), 1);
    heard[1].goes_to = DYNO_NO_WORKER;
    ck_assert_uint_eq(inner[1].reroute(inner[1].context, NULL, &status), DYNO_NO_WORKER);
    ck_assert_int_eq(status, DYNO_OK);
    all->ops->close(all);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("several");

    tcase_add_test(cases, a_worker_is_told_by_the_name_that_its_fleet_has_for_it);
    tcase_add_test(cases, all_of_them_go_on_together);
    tcase_add_test(cases, what_a_fleet_says_is_heard_by_the_listener_of_its_model);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("core/several", add_cases)
