/* Links that are slow or down, and transfers that are given up: one link of a byte a nanosecond. */
#include "sim/fabric.h"

#include "tests/check_main.h"

static uint32_t path(const void *context, uint32_t from, uint32_t to,
                     uint32_t out[DYNO_PATH_LINKS_MAX])
{
    (void)context, (void)from, (void)to;
    out[0] = 0;
    return 1;
}

static struct dyno_links *open_fabric(bool alone)
{
    static const struct dyno_fabric_link link = {.bytes_per_s = 1000000000};
    struct dyno_links *links = NULL;

    ck_assert_int_eq(dyno_fabric_open(&links, &(struct dyno_fabric_config){.links = &link,
                                                                           .link_count = 1,
                                                                           .path = path,
                                                                           .alone = alone}),
                     DYNO_OK);
    return links;
}

static void send(struct dyno_links *links, dyno_ns now, uint64_t id, uint64_t bytes)
{
    struct dyno_transfer transfer = {
        .id = id, .from = 0, .to = 1, .blocks = 1, .block_bytes = bytes};

    ck_assert_int_eq(links->ops->submit(links, now, &transfer), DYNO_OK);
}

static void arrives(struct dyno_links *links, uint64_t id, dyno_ns when)
{
    struct dyno_arrival arrival;

    while (links->ops->next(links) < when) {
        ck_assert(!links->ops->reap(links, links->ops->next(links), &arrival));
    }
    ck_assert_msg(links->ops->reap(links, when, &arrival), "nothing at %llu",
                  (unsigned long long)when);
    ck_assert_uint_eq(arrival.id, id);
    ck_assert_uint_eq(arrival.at, when);
}

/* 1000 bytes: 300 by 300 ns, 200 in the 800 ns at a quarter, 500 more by 1,600. */
START_TEST(a_slow_link_takes_longer_while_it_is)
{
    struct dyno_links *links = open_fabric(_i == 1);

    send(links, 0, 1, 1000);
    dyno_fabric_slow(links, 300, 0, 4);
    dyno_fabric_slow(links, 1100, 0, 1);
    arrives(links, 1, 1600);
    links->ops->close(links);
}
END_TEST

START_TEST(what_is_on_its_way_waits_for_a_link_that_is_down)
{
    struct dyno_links *links = open_fabric(_i == 1);
    struct dyno_arrival arrival;

    send(links, 0, 1, 1000);
    dyno_fabric_slow(links, 300, 0, 0);
    send(links, 400, 2, 100); /* it comes upon it */
    ck_assert(!links->ops->reap(links, 1000000, &arrival));
    ck_assert_uint_gt(links->ops->next(links), 1000000000000);
    ck_assert_uint_gt(
        links->ops->predict(links, &(struct dyno_transfer){.blocks = 1, .block_bytes = 10}),
        1000000000);
    dyno_fabric_slow(links, 2000000, 0, 1);
    arrives(links, 2, _i == 1 ? 2000100 : 2000200); /* shared: half of it each */
    arrives(links, 1, _i == 1 ? 2000700 : 2000800);
    ck_assert_uint_eq(links->ops->next(links), DYNO_NEVER);
    links->ops->close(links);
}
END_TEST

/* Both have half of the link until one is given up at 400 ns: 200 of the other's 1000 are there. */
START_TEST(what_is_given_up_makes_room_for_the_others)
{
    struct dyno_links *links = open_fabric(false);

    send(links, 0, 1, 1000);
    send(links, 0, 2, 1000);
    ck_assert(links->ops->drop(links, 400, 1));
    ck_assert(!links->ops->drop(links, 400, 1));
    arrives(links, 2, 1200);
    ck_assert(!links->ops->drop(links, 1200, 2));
    links->ops->close(links);
}
END_TEST

/* Before it began, and when it was done and nobody had looked. */
START_TEST(what_is_given_up_does_not_arrive)
{
    struct dyno_links *links = open_fabric(_i == 1);
    struct dyno_arrival arrival;

    send(links, 0, 1, 1000);
    ck_assert(links->ops->drop(links, 0, 1));
    send(links, 0, 2, 1000);
    send(links, 0, 3, 50);
    ck_assert(links->ops->drop(links, 5000, 2));
    ck_assert(links->ops->reap(links, 5000, &arrival));
    ck_assert_uint_eq(arrival.id, 3);
    ck_assert(!links->ops->reap(links, 5000, &arrival));
    ck_assert_uint_eq(links->ops->next(links), DYNO_NEVER);
    links->ops->close(links);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("fabric faults");

    tcase_add_loop_test(tc, a_slow_link_takes_longer_while_it_is, 0, 2);
    tcase_add_loop_test(tc, what_is_on_its_way_waits_for_a_link_that_is_down, 0, 2);
    tcase_add_test(tc, what_is_given_up_makes_room_for_the_others);
    tcase_add_loop_test(tc, what_is_given_up_does_not_arrive, 0, 2);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("fabric faults", add_cases)
