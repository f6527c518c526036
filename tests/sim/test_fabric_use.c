/* What links carry, by hand: one link on which a byte takes a nanosecond, and a second one behind
 * it on which it takes half of that. */
#include "sim/fabric.h"
#include "tests/check_main.h"

static const struct dyno_fabric_link two[] = {{.bytes_per_s = 1000000000},
                                              {.bytes_per_s = 2000000000}};

/* To endpoint 1 over the first, to endpoint 2 over both. */
static uint32_t path_to(const void *context, uint32_t from, uint32_t to,
                        uint32_t path[DYNO_PATH_LINKS_MAX])
{
    (void)context, (void)from;
    path[0] = 0;
    path[1] = 1;
    return to;
}

static struct dyno_links *open_two(bool alone)
{
    struct dyno_links *links = NULL;
    struct dyno_fabric_config config = {
        .links = two, .link_count = 2, .path = path_to, .alone = alone};

    ck_assert_int_eq(dyno_fabric_open(&links, &config), DYNO_OK);
    ck_assert_uint_eq(links->link_count, 2);
    return links;
}

static void send(struct dyno_links *links, dyno_ns now, uint64_t id, uint32_t to, uint64_t bytes)
{
    struct dyno_transfer transfer = {.id = id, .to = to, .blocks = 1, .block_bytes = bytes};

    ck_assert_int_eq(links->ops->submit(links, now, &transfer), DYNO_OK);
}

static void look(struct dyno_links *links, dyno_ns now)
{
    struct dyno_arrival arrival;

    while (links->ops->reap(links, now, &arrival)) {
    }
}

static void carried(struct dyno_links *links, dyno_ns now, uint32_t link, uint64_t bytes,
                    dyno_ns busy)
{
    struct dyno_link_use uses[2];

    links->ops->use(links, now, uses);
    ck_assert_uint_eq(uses[link].bytes, bytes);
    ck_assert_uint_eq(uses[link].busy_ns, busy);
}

/* 1 alone from 100, beside 2 from 500 (at half a byte each) until 1700, 2 alone until 1900; then
 * nothing until 3000, and 3 goes over both. */
START_TEST(a_link_carries_what_passes_over_it_and_is_busy_while_it_does)
{
    struct dyno_links *links = open_two(false);

    carried(links, 50, 0, 0, 0);
    send(links, 100, 1, 1, 1000);
    look(links, 300);
    carried(links, 300, 0, 200, 200);
    send(links, 500, 2, 1, 800);
    look(links, 700);
    carried(links, 700, 0, 600, 600);
    look(links, 2500);
    carried(links, 2500, 0, 1800, 1800);
    carried(links, 2500, 1, 0, 0);
    send(links, 3000, 3, 2, 500);
    look(links, 3100);
    carried(links, 3100, 0, 1900, 1900);
    carried(links, 3100, 1, 100, 100);
    look(links, 9000);
    carried(links, 9000, 0, 2300, 2300);
    carried(links, 9000, 1, 500, 500);
    links->ops->close(links);
}
END_TEST

/* Two of a thousand bytes each pass in the time of one: twice what the link can carry. */
START_TEST(what_is_not_shared_may_carry_more_than_it_can)
{
    struct dyno_links *links = open_two(true);

    send(links, 0, 1, 1, 1000);
    send(links, 0, 2, 1, 1000);
    look(links, 1000);
    carried(links, 1000, 0, 2000, 1000);
    links->ops->close(links);
}
END_TEST

START_TEST(what_was_given_up_was_carried_as_far_as_it_came)
{
    struct dyno_links *links = open_two(false);

    send(links, 0, 1, 1, 1000);
    look(links, 0);
    ck_assert(links->ops->drop(links, 400, 1));
    carried(links, 700, 0, 400, 400);
    send(links, 700, 2, 1, 1000);
    ck_assert(links->ops->drop(links, 650 + 50, 2)); /* it has not begun, or only just */
    carried(links, 900, 0, 400, 400);
    links->ops->close(links);
}
END_TEST

/* At a quarter of the speed from 100 to 500; down from then until 600, and still in use. */
START_TEST(a_slow_link_carries_less_and_one_that_is_down_is_busy_with_nothing)
{
    struct dyno_links *links = open_two(false);

    send(links, 0, 1, 1, 1000);
    dyno_fabric_slow(links, 100, 0, 4);
    dyno_fabric_slow(links, 500, 0, 0);
    carried(links, 500, 0, 200, 500);
    carried(links, 600, 0, 200, 600);
    dyno_fabric_slow(links, 600, 0, 1);
    look(links, 1400);
    carried(links, 2000, 0, 1000, 1400);
    links->ops->close(links);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("use");

    tcase_add_test(cases, a_link_carries_what_passes_over_it_and_is_busy_while_it_does);
    tcase_add_test(cases, what_is_not_shared_may_carry_more_than_it_can);
    tcase_add_test(cases, what_was_given_up_was_carried_as_far_as_it_came);
    tcase_add_test(cases, a_slow_link_carries_less_and_one_that_is_down_is_busy_with_nothing);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("fabric_use", add_cases)
