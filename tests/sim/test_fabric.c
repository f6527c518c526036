/* Shared links: each rule worked out by hand, and random fabrics against the definition of max-min
 * fairness applied to everything at every event. */
#include "sim/fabric.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "tests/check_main.h"

/* Endpoint pairs are numbered from * ENDS + to; each has the path that a test gives it. */
enum { ENDS = 8, LINKS_MAX = 12, TRANSFERS_MAX = 120 };

struct map {
    struct dyno_fabric_link links[LINKS_MAX];
    uint32_t link_count;
    uint32_t path[ENDS * ENDS][DYNO_PATH_LINKS_MAX];
    uint32_t path_count[ENDS * ENDS];
};

static uint32_t map_path(const void *context, uint32_t from, uint32_t to,
                         uint32_t path[DYNO_PATH_LINKS_MAX])
{
    const struct map *map = context;
    uint32_t pair = from * ENDS + to;

    memcpy(path, map->path[pair], map->path_count[pair] * sizeof *path);
    return map->path_count[pair];
}

static struct dyno_fabric_config config_of(const struct map *map)
{
    return (struct dyno_fabric_config){
        .links = map->links, .link_count = map->link_count, .path = map_path, .path_context = map};
}

static struct dyno_links *open_fabric(const struct dyno_fabric_config *config)
{
    struct dyno_links *links = NULL;

    ck_assert_int_eq(dyno_fabric_open(&links, config), DYNO_OK);
    return links;
}

static void add_link(struct map *map, uint64_t bytes_per_s, dyno_ns latency)
{
    map->links[map->link_count++] =
        (struct dyno_fabric_link){.bytes_per_s = bytes_per_s, .latency_ns = latency};
}

static void set_path(struct map *map, uint32_t from, uint32_t to, uint32_t count,
                     const uint32_t *path)
{
    for (uint32_t i = 0; i < count; i++) {
        map->path[from * ENDS + to][i] = path[i];
    }
    map->path_count[from * ENDS + to] = count;
}

static void send(struct dyno_links *links, dyno_ns now, uint64_t id, uint32_t from, uint32_t to,
                 uint64_t bytes)
{
    struct dyno_transfer transfer = {
        .id = id, .from = from, .to = to, .blocks = bytes > 0, .block_bytes = bytes};

    ck_assert_int_eq(links->ops->submit(links, now, &transfer), DYNO_OK);
}

static void expect_arrival(struct dyno_links *links, uint64_t id, dyno_ns when)
{
    struct dyno_arrival arrival;

    while (links->ops->next(links) < when) { /* what happens before is no arrival */
        ck_assert(!links->ops->reap(links, links->ops->next(links), &arrival));
    }
    ck_assert_msg(links->ops->reap(links, when, &arrival), "nothing at %llu",
                  (unsigned long long)when);
    ck_assert_uint_eq(arrival.id, id);
    ck_assert_uint_eq(arrival.at, when);
}

/* One link of a gigabyte per second: a byte takes a nanosecond. */
static struct map one_link(void)
{
    struct map map = {0};

    add_link(&map, 1000000000, 0);
    for (uint32_t from = 0; from < ENDS; from++) {
        for (uint32_t to = 0; to < ENDS; to++) {
            set_path(&map, from, to, 1, (uint32_t[]){0});
        }
    }
    return map;
}

START_TEST(alone_it_takes_overheads_latencies_and_its_bytes_at_the_narrowest_link)
{
    struct map map = {0};
    struct dyno_fabric_config config;
    struct dyno_links *links;

    add_link(&map, 4000000000, 100); /* 4 bytes per ns */
    add_link(&map, 2000000000, 30);
    set_path(&map, 0, 1, 2, (uint32_t[]){0, 1});
    config = config_of(&map);
    config.overhead_ns = 1000;
    config.block_overhead_ns = 7;
    links = open_fabric(&config);
    ck_assert_int_eq(
        links->ops->submit(
            links, 50,
            &(struct dyno_transfer){.id = 9, .from = 0, .to = 1, .blocks = 3, .block_bytes = 2001}),
        DYNO_OK);
    /* 50 + 1000 + 3 x 7 + 130 = 1201; three whole blocks of 2001 bytes, 2 a ns: 3001.5 ns. */
    expect_arrival(links, 9, 1201 + 3002);
    ck_assert_uint_eq(links->ops->next(links), DYNO_NEVER);
    links->ops->close(links);
}
END_TEST

START_TEST(two_share_a_link_in_halves_until_one_is_done)
{
    struct map map = one_link();
    struct dyno_fabric_config config = config_of(&map);
    struct dyno_links *links = open_fabric(&config);

    send(links, 0, 1, 0, 1, 1000);
    send(links, 400, 2, 2, 3, 900);
    /* 1 alone until 400 (400 bytes), then half: its 600 take 1200.  2 has 600 then, 300 left. */
    expect_arrival(links, 1, 1600);
    expect_arrival(links, 2, 1900);
    links->ops->close(links);
}
END_TEST

/* Two links of 10 and 4 bytes per ns; 1 uses both, 2 the wide one, 3 the narrow one.  The narrow
 * one gives 2 to each of its two; what 1 leaves of the wide one, 8, is 2's. */
START_TEST(what_one_cannot_use_the_others_get)
{
    struct map map = {0};
    struct dyno_fabric_config config;
    struct dyno_links *links;
    struct dyno_arrival arrival;

    add_link(&map, 10000000000, 0);
    add_link(&map, 4000000000, 0);
    set_path(&map, 0, 1, 2, (uint32_t[]){0, 1});
    set_path(&map, 0, 2, 1, (uint32_t[]){0});
    set_path(&map, 0, 3, 1, (uint32_t[]){1});
    config = config_of(&map);
    links = open_fabric(&config);
    send(links, 0, 1, 0, 1, 2000);
    send(links, 0, 2, 0, 2, 4000);
    send(links, 0, 3, 0, 3, 1000);
    ck_assert(!links->ops->reap(links, 0, &arrival));
    ck_assert_uint_eq(dyno_fabric_rate(links, 1) >> 32, 2);
    ck_assert_uint_eq(dyno_fabric_rate(links, 2) >> 32, 8);
    ck_assert_uint_eq(dyno_fabric_rate(links, 3) >> 32, 2);
    expect_arrival(links, 2, 500);
    expect_arrival(links, 3, 500);
    /* 1 has 1000 left and the narrow link to itself: 4 a ns. */
    expect_arrival(links, 1, 750);
    links->ops->close(links);
}
END_TEST

START_TEST(arrivals_of_one_instant_come_by_identity)
{
    struct map map = one_link();
    struct dyno_fabric_config config = config_of(&map);
    struct dyno_links *links = open_fabric(&config);

    send(links, 0, 5, 0, 1, 100);
    send(links, 0, 3, 0, 1, 100);
    send(links, 0, 4, 0, 1, 100);
    send(links, 0, 1, 0, 1, 100);
    expect_arrival(links, 1, 400);
    expect_arrival(links, 3, 400);
    expect_arrival(links, 4, 400);
    expect_arrival(links, 5, 400);
    links->ops->close(links);
}
END_TEST

START_TEST(nothing_to_move_and_nothing_between_take_the_overhead_only)
{
    struct map map = one_link();
    struct dyno_fabric_config config;
    struct dyno_links *links;

    set_path(&map, 1, 1, 0, (uint32_t[]){0});
    config = config_of(&map);
    config.overhead_ns = 10;
    links = open_fabric(&config);
    send(links, 0, 1, 0, 1, 0);
    send(links, 0, 2, 1, 1, 12345);
    expect_arrival(links, 1, 10);
    expect_arrival(links, 2, 10);
    links->ops->close(links);
}
END_TEST

START_TEST(alone_means_that_nobody_is_slowed_down)
{
    struct map map = one_link();
    struct dyno_fabric_config config = config_of(&map);
    struct dyno_links *links;

    config.alone = true;
    links = open_fabric(&config);
    for (uint64_t i = 0; i < 5; i++) {
        send(links, i, i, 0, 1, 1000);
    }
    for (uint64_t i = 0; i < 5; i++) {
        expect_arrival(links, i, 1000 + i);
    }
    links->ops->close(links);
}
END_TEST

/* Alone it is what will be; beside another, also one that does not move yet, half of the link. */
START_TEST(a_prediction_counts_those_who_are_there)
{
    struct map map = {0};
    struct dyno_fabric_config config;
    struct dyno_transfer transfer = {.id = 9, .from = 0, .to = 1, .blocks = 3, .block_bytes = 1000};
    struct dyno_links *links;

    add_link(&map, 1000000000, 10);
    set_path(&map, 0, 1, 1, (const uint32_t[]){0});
    set_path(&map, 2, 3, 0, NULL);
    config = config_of(&map);
    config.overhead_ns = 100;
    config.block_overhead_ns = 7;
    links = open_fabric(&config);
    ck_assert_uint_eq(links->ops->predict(links, &transfer), 100 + 21 + 10 + 3000);
    send(links, 0, 1, 0, 1, 400);
    ck_assert_uint_eq(links->ops->predict(links, &transfer), 100 + 21 + 10 + 6000);
    expect_arrival(links, 1, 100 + 7 + 10 + 400);
    ck_assert_uint_eq(links->ops->predict(links, &transfer), 100 + 21 + 10 + 3000);
    transfer.from = 2;
    transfer.to = 3;
    ck_assert_uint_eq(links->ops->predict(links, &transfer), 100 + 21);
    links->ops->close(links);
}
END_TEST

START_TEST(too_much_for_one_transfer_is_refused)
{
    struct map map = one_link();
    struct dyno_fabric_config config = config_of(&map);
    struct dyno_links *links = open_fabric(&config);
    struct dyno_transfer transfer = {.blocks = UINT32_MAX, .block_bytes = UINT64_MAX};

    ck_assert_int_eq(links->ops->submit(links, 0, &transfer), DYNO_BAD_INPUT);
    ck_assert_uint_eq(links->ops->next(links), DYNO_NEVER);
    links->ops->close(links);
}
END_TEST

/* Eight workers, each with its own way into a wide backbone that all of them cannot overfill: a
 * transfer computes its own rate and no other. */
START_TEST(a_change_costs_nothing_to_those_it_cannot_reach)
{
    struct map map = {0};
    struct dyno_fabric_config config;
    struct dyno_links *links;
    struct dyno_arrival arrival;

    add_link(&map, 8000000000, 0);
    for (uint32_t i = 0; i < ENDS; i++) {
        add_link(&map, 1000000000, 0);
        set_path(&map, i, i, 2, (uint32_t[]){0, i + 1});
    }
    config = config_of(&map);
    links = open_fabric(&config);
    for (uint32_t i = 0; i < ENDS; i++) {
        send(links, 0, i, i, i, 1000 + i);
    }
    ck_assert(!links->ops->reap(links, 0, &arrival));
    ck_assert_uint_eq(dyno_fabric_work(links), ENDS);
    for (uint32_t i = 0; i < ENDS; i++) {
        expect_arrival(links, i, 1000 + i);
    }
    ck_assert_uint_eq(dyno_fabric_work(links), ENDS);
    links->ops->close(links);
}
END_TEST

/* ---- the oracle ------------------------------------------------------------------------------ */

/* Everything at every event, in the words of fabric.h. */
struct slow {
    uint64_t id;
    uint32_t pair;
    unsigned __int128 left;
    dyno_ns begins, since, arrives;
    uint64_t rate;
    bool begun, done, fixed;
};

struct oracle {
    const struct map *map;
    struct slow transfers[TRANSFERS_MAX];
    uint32_t count;
    dyno_ns now;
};

static uint64_t capacity_of(const struct map *map, uint32_t link)
{
    return (uint64_t)(((unsigned __int128)map->links[link].bytes_per_s << 32) / 1000000000);
}

static bool uses(const struct oracle *oracle, const struct slow *slow, uint32_t link)
{
    for (uint32_t i = 0; i < oracle->map->path_count[slow->pair]; i++) {
        if (oracle->map->path[slow->pair][i] == link) {
            return true;
        }
    }
    return false;
}

static bool is_moving(const struct slow *slow)
{
    return slow->begun && !slow->done;
}

static uint64_t ceiling_of(const struct oracle *oracle, const struct slow *slow)
{
    uint64_t ceiling = UINT64_MAX;

    for (uint32_t i = 0; i < oracle->map->path_count[slow->pair]; i++) {
        uint64_t capacity = capacity_of(oracle->map, oracle->map->path[slow->pair][i]);

        ceiling = capacity < ceiling ? capacity : ceiling;
    }
    return ceiling;
}

/* The level of a link; UINT64_MAX: nobody there is to be fixed. */
static uint64_t level_of(const struct oracle *oracle, const uint64_t *rates, uint32_t link)
{
    uint64_t left = capacity_of(oracle->map, link);
    uint32_t unfixed = 0;

    for (uint32_t i = 0; i < oracle->count; i++) {
        const struct slow *slow = &oracle->transfers[i];

        if (is_moving(slow) && uses(oracle, slow, link)) {
            left -= slow->fixed ? rates[i] : 0;
            unfixed += !slow->fixed;
        }
    }
    return unfixed > 0 ? left / unfixed : UINT64_MAX;
}

static void fix_smallest(struct oracle *oracle, uint64_t *rates)
{
    uint64_t smallest = UINT64_MAX;
    uint32_t link = LINKS_MAX, transfer = TRANSFERS_MAX;

    for (uint32_t i = 0; i < oracle->count; i++) {
        if (is_moving(&oracle->transfers[i]) && !oracle->transfers[i].fixed &&
            ceiling_of(oracle, &oracle->transfers[i]) < smallest) {
            smallest = ceiling_of(oracle, &oracle->transfers[i]);
            transfer = i;
        }
    }
    for (uint32_t i = 0; i < oracle->map->link_count; i++) {
        uint64_t level = level_of(oracle, rates, i);

        if (level < smallest) {
            smallest = level;
            link = i;
        }
    }
    for (uint32_t i = 0; i < oracle->count; i++) {
        struct slow *slow = &oracle->transfers[i];

        if (is_moving(slow) && !slow->fixed &&
            (link == LINKS_MAX ? i == transfer : uses(oracle, slow, link))) {
            rates[i] = smallest;
            slow->fixed = true;
        }
    }
}

static void fill_all(struct oracle *oracle)
{
    uint64_t rates[TRANSFERS_MAX] = {0};
    uint32_t moving = 0;

    for (uint32_t i = 0; i < oracle->count; i++) {
        oracle->transfers[i].fixed = false;
        moving += is_moving(&oracle->transfers[i]);
    }
    for (uint32_t i = 0; i < moving; i++) { /* at least one a time */
        fix_smallest(oracle, rates);
    }
    for (uint32_t i = 0; i < oracle->count; i++) {
        struct slow *slow = &oracle->transfers[i];

        if (is_moving(slow) && rates[i] != slow->rate) {
            unsigned __int128 moved = (unsigned __int128)slow->rate * (oracle->now - slow->since);

            slow->left -= moved < slow->left ? moved : slow->left;
            slow->since = oracle->now;
            slow->rate = rates[i];
            slow->arrives = slow->since + (dyno_ns)((slow->left + slow->rate - 1) / slow->rate);
        }
    }
}

/* The next thing that happens; false: nothing more. */
static bool oracle_step(struct oracle *oracle)
{
    struct slow *next = NULL;
    dyno_ns when = DYNO_NEVER;

    for (uint32_t i = 0; i < oracle->count; i++) {
        struct slow *slow = &oracle->transfers[i];
        dyno_ns then = slow->begun ? slow->arrives : slow->begins;

        if (!slow->done && then < when) {
            when = then;
            next = slow;
        }
    }
    if (!next) {
        return false;
    }
    oracle->now = when;
    if (next->begun) {
        next->done = true;
    } else {
        next->begun = true;
        next->since = when;
    }
    fill_all(oracle);
    return true;
}

static void draw_map(struct map *map, struct dyno_rng *rng)
{
    uint32_t link_count = 2 + (uint32_t)dyno_rng_below(rng, LINKS_MAX - 2);

    memset(map, 0, sizeof *map);
    for (uint32_t i = 0; i < link_count; i++) {
        uint64_t speed = dyno_rng_below(rng, 2) ? 1000000000 * (1 + dyno_rng_below(rng, 4))
                                                : 1000003 + dyno_rng_below(rng, 3000000000);

        add_link(map, speed, dyno_rng_below(rng, 50));
    }
    for (uint32_t pair = 0; pair < ENDS * ENDS; pair++) {
        uint32_t first = (uint32_t)dyno_rng_below(rng, link_count);
        uint32_t stride = 1 + (uint32_t)dyno_rng_below(rng, link_count - 1);

        map->path_count[pair] = 1 + (uint32_t)dyno_rng_below(rng, 3);
        for (uint32_t i = 0; i < map->path_count[pair]; i++) {
            uint32_t link = (first + i * stride) % link_count;

            if (i > 0 && (link == first || link == map->path[pair][i - 1])) {
                map->path_count[pair] = i; /* each link once */
                break;
            }
            map->path[pair][i] = link;
        }
    }
}

struct arrivals {
    dyno_ns at[TRANSFERS_MAX];
    struct dyno_arrival last;
    uint32_t count;
};

static void reap_all(struct dyno_links *links, dyno_ns now, struct arrivals *arrivals)
{
    struct dyno_arrival arrival;

    while (links->ops->reap(links, now, &arrival)) {
        ck_assert(arrivals->count == 0 || arrivals->last.at < arrival.at ||
                  (arrivals->last.at == arrival.at && arrivals->last.id < arrival.id));
        ck_assert_uint_le(arrival.at, now);
        arrivals->at[arrival.id] = arrival.at;
        arrivals->last = arrival;
        arrivals->count++;
    }
}

static struct slow draw_transfer(const struct map *map, struct dyno_rng *rng, uint64_t id,
                                 dyno_ns now)
{
    struct slow slow = {.id = id,
                        .pair = (uint32_t)dyno_rng_below(rng, ENDS * ENDS),
                        .left = (unsigned __int128)(1 + dyno_rng_below(rng, 100000)) << 32,
                        .begins = now};

    for (uint32_t i = 0; i < map->path_count[slow.pair]; i++) {
        slow.begins += map->links[map->path[slow.pair][i]].latency_ns;
    }
    return slow;
}

/* In the end every link carried the bytes of all that passed over it, in no more time than they
 * were there. */
static void check_use(struct dyno_links *links, const struct oracle *oracle, const uint64_t *sizes)
{
    struct dyno_link_use uses_of[LINKS_MAX];

    ck_assert_uint_eq(links->link_count, oracle->map->link_count);
    links->ops->use(links, oracle->now, uses_of);
    for (uint32_t i = 0; i < links->link_count; i++) {
        uint64_t bytes = 0;

        for (uint32_t j = 0; j < oracle->count; j++) {
            bytes += uses(oracle, &oracle->transfers[j], i) ? sizes[j] : 0;
        }
        ck_assert_uint_eq(uses_of[i].bytes, bytes);
        ck_assert_uint_le(uses_of[i].busy_ns, oracle->now);
        ck_assert((unsigned __int128)capacity_of(oracle->map, i) * uses_of[i].busy_ns >=
                  (unsigned __int128)bytes << 32);
    }
}

/* The same transfers to both; the fabric is looked at now and then. */
static void compare_with_oracle(uint64_t seed)
{
    static struct map map;
    static struct oracle oracle;
    struct arrivals arrivals = {.count = 0};
    struct dyno_fabric_config config;
    uint64_t sizes[TRANSFERS_MAX];
    struct dyno_links *links;
    struct dyno_rng rng;
    dyno_ns now = 0;

    dyno_rng_init(&rng, seed, "fabric");
    draw_map(&map, &rng);
    config = config_of(&map);
    links = open_fabric(&config);
    oracle = (struct oracle){.map = &map, .count = 1 + (uint32_t)dyno_rng_below(&rng, 119)};
    for (uint32_t i = 0; i < oracle.count; i++) {
        struct slow *slow = &oracle.transfers[i];

        *slow = draw_transfer(&map, &rng, i, now);
        sizes[i] = (uint64_t)(slow->left >> 32);
        send(links, now, i, slow->pair / ENDS, slow->pair % ENDS, (uint64_t)(slow->left >> 32));
        now += dyno_rng_below(&rng, 3) * dyno_rng_below(&rng, 20000);
        if (dyno_rng_below(&rng, 2)) {
            reap_all(links, now, &arrivals);
        }
    }
    while (oracle_step(&oracle)) {
        reap_all(links, oracle.now > now ? oracle.now : now, &arrivals);
    }
    ck_assert_uint_eq(arrivals.count, oracle.count);
    for (uint32_t i = 0; i < oracle.count; i++) {
        ck_assert_msg(arrivals.at[i] == oracle.transfers[i].arrives,
                      "seed %llu, transfer %u: %llu, not %llu", (unsigned long long)seed, i,
                      (unsigned long long)arrivals.at[i],
                      (unsigned long long)oracle.transfers[i].arrives);
    }
    check_use(links, &oracle, sizes);
    links->ops->close(links);
}

START_TEST(rates_and_arrivals_are_those_of_the_definition)
{
    for (uint64_t seed = (uint64_t)_i * 10; seed < (uint64_t)_i * 10 + 10; seed++) {
        compare_with_oracle(seed);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("fabric");

    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, alone_it_takes_overheads_latencies_and_its_bytes_at_the_narrowest_link);
    tcase_add_test(cases, two_share_a_link_in_halves_until_one_is_done);
    tcase_add_test(cases, what_one_cannot_use_the_others_get);
    tcase_add_test(cases, arrivals_of_one_instant_come_by_identity);
    tcase_add_test(cases, nothing_to_move_and_nothing_between_take_the_overhead_only);
    tcase_add_test(cases, alone_means_that_nobody_is_slowed_down);
    tcase_add_test(cases, a_prediction_counts_those_who_are_there);
    tcase_add_test(cases, too_much_for_one_transfer_is_refused);
    tcase_add_test(cases, a_change_costs_nothing_to_those_it_cannot_reach);
    tcase_add_loop_test(cases, rates_and_arrivals_are_those_of_the_definition, 0, 20);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("sim/fabric", add_cases)
