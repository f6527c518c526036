/* Links whose transfers are copies: what arrives is what left, in order, and at once where nothing
 * is moved. */
#include "backends/engine/copier.h"

#include <semaphore.h>
#include <string.h>

#include "backends/posix/wall_clock.h"
#include "tests/check_main.h"

enum { PLACES = 3, BLOCKS = 64, BLOCK_BYTES = 256, TRANSFERS = 200 };

struct stores {
    uint8_t bytes[PLACES][BLOCKS][BLOCK_BYTES];
    uint32_t released;
};

static uint32_t copy(void *context, const struct dyno_transfer *transfer)
{
    struct stores *stores = context;

    for (uint32_t i = 0; i < transfer->blocks; i++) {
        memcpy(stores->bytes[transfer->to][transfer->to_blocks[i]],
               stores->bytes[transfer->from][transfer->from_blocks[i]], BLOCK_BYTES);
    }
    return 0;
}

static void release(void *context)
{
    ((struct stores *)context)->released++;
}

static uint32_t path_to(void *context, uint32_t from, uint32_t to)
{
    (void)context;
    (void)from;
    return to == 2 ? 1 : 0;
}

static struct dyno_links *open_links(struct stores *stores, struct dyno_clock **clock)
{
    struct dyno_links *links = NULL;

    ck_assert_int_eq(dyno_wall_clock_open(clock, 1.0), DYNO_OK);
    ck_assert_int_eq(
        dyno_copier_open(&links,
                         &(struct dyno_copier_config){.path_count = 2,
                                                      .path = path_to,
                                                      .copy = copy,
                                                      .release = release,
                                                      .context = stores,
                                                      .speeds = {{2.0, 50.0}, {4.0, 0.0}},
                                                      .now = dyno_wall_clock_now,
                                                      .wake = dyno_wall_clock_wake,
                                                      .clock = *clock},
                         NULL),
        DYNO_OK);
    return links;
}

static struct dyno_arrival await(struct dyno_links *links, struct dyno_clock *clock, dyno_ns *now)
{
    struct dyno_arrival arrival;

    while (!links->ops->reap(links, *now, &arrival)) {
        *now = clock->ops->wait_until(clock, links->ops->next(links));
    }
    return arrival;
}

START_TEST(what_arrives_is_what_left)
{
    static struct stores stores;
    struct dyno_clock *clock;
    struct dyno_links *links = open_links(&stores, &clock);
    uint32_t from[BLOCKS], to[BLOCKS];
    dyno_ns now = 0, last[2] = {0, 0};
    uint64_t last_id[2] = {0, 0};

    for (uint32_t i = 0; i < BLOCKS; i++) {
        memset(stores.bytes[0][i], (int)(i + 1), BLOCK_BYTES);
        from[i] = i;
        to[i] = BLOCKS - 1 - i;
    }
    for (uint64_t id = 1; id <= TRANSFERS; id++) {
        ck_assert_int_eq(links->ops->submit(links, now,
                                            &(struct dyno_transfer){.id = id,
                                                                    .to = 1 + id % 2,
                                                                    .blocks = BLOCKS,
                                                                    .block_bytes = BLOCK_BYTES,
                                                                    .from_blocks = from,
                                                                    .to_blocks = to}),
                         DYNO_OK);
    }
    for (uint64_t i = 1; i <= TRANSFERS; i++) {
        struct dyno_arrival arrival = await(links, clock, &now);
        uint32_t path = arrival.id % 2 == 1; /* to place 2 */

        ck_assert_uint_le(arrival.at, now);
        ck_assert_uint_ge(arrival.at, last[path]);
        ck_assert_uint_gt(arrival.id, last_id[path]); /* one after the other, on a path */
        last[path] = arrival.at;
        last_id[path] = arrival.id;
    }
    ck_assert_uint_eq(links->ops->next(links), DYNO_NEVER);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        ck_assert_mem_eq(stores.bytes[1][to[i]], stores.bytes[0][i], BLOCK_BYTES);
        ck_assert_mem_eq(stores.bytes[2][to[i]], stores.bytes[0][i], BLOCK_BYTES);
    }
    links->ops->close(links);
    ck_assert_uint_eq(stores.released, 1);
    dyno_wall_clock_close(clock);
}
END_TEST

/* Whoever has waited finds all of it there. */
START_TEST(what_was_submitted_has_arrived_when_it_is_settled)
{
    static struct stores stores;
    struct dyno_clock *clock;
    struct dyno_links *links = open_links(&stores, &clock);
    struct dyno_arrival arrival;
    uint32_t blocks[BLOCKS], count = 0;

    for (uint32_t i = 0; i < BLOCKS; i++) {
        blocks[i] = i;
    }
    dyno_copier_settle(links);
    for (uint64_t id = 1; id <= TRANSFERS; id++) {
        ck_assert_int_eq(links->ops->submit(links, 0,
                                            &(struct dyno_transfer){.id = id,
                                                                    .to = 1 + id % 2,
                                                                    .blocks = BLOCKS,
                                                                    .block_bytes = BLOCK_BYTES,
                                                                    .from_blocks = blocks,
                                                                    .to_blocks = blocks}),
                         DYNO_OK);
    }
    dyno_copier_settle(links);
    while (links->ops->reap(links, dyno_wall_clock_now(clock), &arrival)) {
        count++;
    }
    ck_assert_uint_eq(count, TRANSFERS);
    links->ops->close(links);
    dyno_wall_clock_close(clock);
}
END_TEST

START_TEST(nothing_to_move_arrives_at_once)
{
    static struct stores stores;
    struct dyno_clock *clock;
    struct dyno_links *links = open_links(&stores, &clock);
    struct dyno_arrival arrival;

    ck_assert_int_eq(links->ops->submit(links, 7, &(struct dyno_transfer){.id = 3, .to = 1}),
                     DYNO_OK);
    ck_assert_uint_eq(links->ops->next(links), 7);
    ck_assert(!links->ops->reap(links, 6, &arrival));
    ck_assert(links->ops->reap(links, 7, &arrival));
    ck_assert_uint_eq(arrival.id, 3);
    ck_assert_uint_eq(arrival.at, 7);
    links->ops->close(links);
    dyno_wall_clock_close(clock);
}
END_TEST

START_TEST(what_is_predicted_is_latency_and_bytes)
{
    static struct stores stores;
    struct dyno_clock *clock;
    struct dyno_links *links = open_links(&stores, &clock);
    struct dyno_transfer transfer = {.to = 1, .blocks = 10, .block_bytes = BLOCK_BYTES};

    ck_assert_uint_eq(links->ops->predict(links, &transfer), 50 + 10 * BLOCK_BYTES * 2);
    transfer.to = 2;
    ck_assert_uint_eq(links->ops->predict(links, &transfer), 10 * BLOCK_BYTES * 4);
    links->ops->close(links);
    dyno_wall_clock_close(clock);
}
END_TEST

/* Each transfer copies to a block of its own; of half of them nobody hears, and their blocks are
 * somebody else's when drop has returned. */
START_TEST(what_is_dropped_is_not_heard_of_and_writes_nothing_any_more)
{
    static struct stores stores;
    struct dyno_clock *clock;
    struct dyno_links *links = open_links(&stores, &clock);
    dyno_ns now = 0;

    memset(stores.bytes[0], 1, sizeof stores.bytes[0]);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        ck_assert_int_eq(links->ops->submit(links, 0,
                                            &(struct dyno_transfer){.id = i,
                                                                    .to = 1 + i % 2,
                                                                    .blocks = 1,
                                                                    .block_bytes = BLOCK_BYTES,
                                                                    .from_blocks = &i,
                                                                    .to_blocks = &i}),
                         DYNO_OK);
    }
    for (uint32_t i = 0; i < BLOCKS; i += 2) {
        uint32_t id = (i * 5) % BLOCKS;

        ck_assert(links->ops->drop(links, 0, id));
        memset(stores.bytes[1 + id % 2][id], 9, BLOCK_BYTES);
    }
    ck_assert(!links->ops->drop(links, 0, BLOCKS));
    for (uint32_t i = 0; i < BLOCKS / 2; i++) {
        ck_assert_uint_eq(await(links, clock, &now).id % 2, 1);
    }
    links->ops->close(links);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        ck_assert_uint_eq(stores.bytes[1 + i % 2][i][BLOCK_BYTES - 1], i % 2 ? 1 : 9);
    }
    dyno_wall_clock_close(clock);
}
END_TEST

START_TEST(what_is_on_its_way_is_copied_before_links_close)
{
    static struct stores stores;
    struct dyno_clock *clock;
    struct dyno_links *links = open_links(&stores, &clock);
    uint32_t block = 5;

    memset(stores.bytes[0][5], 9, BLOCK_BYTES);
    ck_assert_int_eq(links->ops->submit(links, 0,
                                        &(struct dyno_transfer){.to = 2,
                                                                .blocks = 1,
                                                                .block_bytes = BLOCK_BYTES,
                                                                .from_blocks = &block,
                                                                .to_blocks = &block}),
                     DYNO_OK);
    links->ops->close(links);
    ck_assert_mem_eq(stores.bytes[2][5], stores.bytes[0][5], BLOCK_BYTES);
    dyno_wall_clock_close(clock);
}
END_TEST

static uint32_t copy_to_nowhere(void *context, const struct dyno_transfer *transfer)
{
    return transfer->id == 1 ? DYNO_COPY_NEVER : copy(context, transfer);
}

/* What comes behind it does. */
START_TEST(what_never_arrives_is_there_to_be_dropped)
{
    static struct stores stores;
    const uint32_t block = 5;
    struct dyno_transfer transfer = {.to = 1,
                                     .blocks = 1,
                                     .block_bytes = BLOCK_BYTES,
                                     .from_blocks = &block,
                                     .to_blocks = &block};
    struct dyno_links *links = NULL;
    struct dyno_clock *clock = NULL;
    struct dyno_arrival arrival;
    dyno_ns now = 0;

    ck_assert_int_eq(dyno_wall_clock_open(&clock, 1.0), DYNO_OK);
    ck_assert_int_eq(dyno_copier_open(&links,
                                      &(struct dyno_copier_config){.path_count = 1,
                                                                   .copy = copy_to_nowhere,
                                                                   .context = &stores,
                                                                   .now = dyno_wall_clock_now,
                                                                   .wake = dyno_wall_clock_wake,
                                                                   .clock = clock},
                                      NULL),
                     DYNO_OK);
    for (transfer.id = 1; transfer.id <= 2; transfer.id++) {
        ck_assert_int_eq(links->ops->submit(links, now, &transfer), DYNO_OK);
    }
    ck_assert_uint_eq(await(links, clock, &now).id, 2);
    ck_assert_uint_eq(links->ops->next(links), DYNO_NEVER);
    ck_assert(!links->ops->reap(links, now + 3600 * DYNO_S, &arrival));
    ck_assert(links->ops->drop(links, now, 1));
    ck_assert(!links->ops->drop(links, now, 1));
    links->ops->close(links);
    dyno_wall_clock_close(clock);
}
END_TEST

/* Layers that are computed when somebody says so. */
struct layered {
    struct stores stores;
    sem_t computed;
    uint64_t passes[2];
    uint32_t first[2], end[2], count;
};

static uint64_t pass_of(void *context, uint32_t from)
{
    (void)context;
    return 100 + from;
}

static uint32_t copy_layers(void *context, const struct dyno_transfer *transfer, uint64_t pass)
{
    struct layered *layered = context;

    while (sem_wait(&layered->computed) != 0) {
    }
    layered->passes[layered->count] = pass;
    layered->first[layered->count] = transfer->first_layer;
    layered->end[layered->count++] = transfer->end_layer;
    return copy(&layered->stores, transfer);
}

START_TEST(layers_that_are_waited_for_hold_nobody_else_up)
{
    static struct layered layered;
    const uint32_t block = 5, other = 6;
    struct dyno_transfer transfer = {.from = 2,
                                     .to = 1,
                                     .blocks = 1,
                                     .block_bytes = BLOCK_BYTES,
                                     .from_blocks = &block,
                                     .to_blocks = &other};
    struct dyno_links *links = NULL;
    struct dyno_clock *clock = NULL;
    dyno_ns now = 0;

    ck_assert_int_eq(sem_init(&layered.computed, 0, 0), 0);
    ck_assert_int_eq(dyno_wall_clock_open(&clock, 1.0), DYNO_OK);
    ck_assert_int_eq(dyno_copier_open(&links,
                                      &(struct dyno_copier_config){.path_count = 1,
                                                                   .copy = copy,
                                                                   .pass_of = pass_of,
                                                                   .copy_layers = copy_layers,
                                                                   .layer_path_count = 2,
                                                                   .context = &layered,
                                                                   .now = dyno_wall_clock_now,
                                                                   .wake = dyno_wall_clock_wake,
                                                                   .clock = clock},
                                      NULL),
                     DYNO_OK);
    ck_assert(links->moves_layers);
    for (uint32_t i = 0; i < 2; i++) { /* all but the last one, then that */
        transfer.id = 1 + i;
        transfer.first_layer = i * 7;
        transfer.end_layer = 7 + i;
        ck_assert_int_eq(links->ops->submit(links, now, &transfer), DYNO_OK);
    }
    transfer.id = 3;
    transfer.first_layer = transfer.end_layer = 0;
    ck_assert_int_eq(links->ops->submit(links, now, &transfer), DYNO_OK);
    ck_assert_uint_eq(await(links, clock, &now).id, 3);
    (void)sem_post(&layered.computed);
    ck_assert_uint_eq(await(links, clock, &now).id, 1);
    (void)sem_post(&layered.computed);
    ck_assert_uint_eq(await(links, clock, &now).id, 2);
    ck_assert_uint_eq(layered.passes[0], 102);
    ck_assert_uint_eq(layered.passes[1], 102);
    ck_assert_uint_eq(layered.first[0] + layered.end[0], 7);
    ck_assert_uint_eq(layered.first[1], 7);
    ck_assert_uint_eq(layered.end[1], 8);
    links->ops->close(links);
    dyno_wall_clock_close(clock);
    sem_destroy(&layered.computed);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("copier");

    tcase_add_test(cases, what_arrives_is_what_left);
    tcase_add_test(cases, what_was_submitted_has_arrived_when_it_is_settled);
    tcase_add_test(cases, nothing_to_move_arrives_at_once);
    tcase_add_test(cases, what_is_predicted_is_latency_and_bytes);
    tcase_add_test(cases, what_is_dropped_is_not_heard_of_and_writes_nothing_any_more);
    tcase_add_test(cases, what_is_on_its_way_is_copied_before_links_close);
    tcase_add_test(cases, what_never_arrives_is_there_to_be_dropped);
    tcase_add_test(cases, layers_that_are_waited_for_hold_nobody_else_up);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("copier", add_cases)
