/* Topologies: times over the paths of small ones, and what is none. */
#include "sim/topology.h"

#include <string.h>

#include "tests/check_main.h"

enum { GB = 1000000000 };

static struct dyno_fabric_link link_of(uint64_t gb_per_s, dyno_ns latency)
{
    return (struct dyno_fabric_link){.bytes_per_s = gb_per_s * GB, .latency_ns = latency};
}

/* Two racks below a spine; two nodes of two workers in the first, one of one in the second. */
static struct dyno_topology racks(void)
{
    struct dyno_topology topology = {.switch_count = 3, .kind_count = 2};

    topology.switches[0] = (struct dyno_switch){.name = "spine", .up = DYNO_NO_SWITCH};
    topology.switches[1] = (struct dyno_switch){.name = "a", .up = 0, .link = link_of(2, 100)};
    topology.switches[2] = (struct dyno_switch){.name = "b", .up = 0, .link = link_of(8, 10)};
    topology.kinds[0] = (struct dyno_node_kind){
        .count = 2, .workers = 2, .link = link_of(10, 1), .nic = link_of(4, 5), .at = 1};
    topology.kinds[1] = (struct dyno_node_kind){
        .count = 1, .workers = 1, .link = link_of(10, 1), .nic = link_of(1, 3), .at = 2};
    return topology;
}

/* How long 1,000 bytes take. */
static dyno_ns time_between(const struct dyno_topology *topology, uint32_t from, uint32_t to)
{
    struct dyno_topology_links *places = NULL;
    struct dyno_links *links = NULL;
    struct dyno_arrival arrival = {0};

    ck_assert_int_eq(dyno_topology_links_open(&places, topology), DYNO_OK);
    ck_assert_int_eq(dyno_topology_fabric(&links, places, false), DYNO_OK);
    ck_assert_int_eq(
        links->ops->submit(
            links, 0,
            &(struct dyno_transfer){.from = from, .to = to, .blocks = 10, .block_bytes = 100}),
        DYNO_OK);
    ck_assert(links->ops->reap(links, 1000000, &arrival));
    links->ops->close(links);
    dyno_topology_links_close(places);
    return arrival.at;
}

START_TEST(paths_go_through_links_nics_and_as_few_switches_as_needed)
{
    struct dyno_topology topology = racks();

    ck_assert_int_eq(dyno_topology_check(&topology, 5, NULL), DYNO_OK);
    ck_assert_uint_eq(time_between(&topology, 0, 1), 2 + 100);  /* the node's links, 10 a ns */
    ck_assert_uint_eq(time_between(&topology, 0, 2), 10 + 250); /* NICs, 4 a ns, in one rack */
    /* NIC 5, rack a up 100, rack b down 10, NIC 3: the last one is narrowest, 1 a ns. */
    ck_assert_uint_eq(time_between(&topology, 3, 4), 118 + 1000);
    ck_assert_uint_eq(time_between(&topology, 4, 0), 118 + 1000);
    ck_assert_uint_eq(time_between(&topology, 2, 2), 0);
    topology.kinds[1].nic = link_of(16, 3);
    ck_assert_uint_eq(time_between(&topology, 4, 0), 118 + 500); /* the rack's uplink, 2 a ns */
    topology.overhead_ns = 1000;
    topology.block_overhead_ns = 7;
    ck_assert_uint_eq(time_between(&topology, 0, 1), 1000 + 70 + 2 + 100);
}
END_TEST

/* H100: 450 GB/s of NVLink, 400 Gbit/s of network. */
/* With PCIe links of 5 a ns, disks that read 2 a ns and write 1, and a store of 3 a ns. */
START_TEST(places_that_hold_kv_lie_behind_pcie_disks_and_nics)
{
    struct dyno_topology topology = racks();
    uint32_t host, disk, pooled, store;
    struct dyno_topology_links *places = NULL;

    for (uint32_t i = 0; i < 2; i++) {
        topology.kinds[i].host = link_of(5, 20);
        topology.kinds[i].disk_read = link_of(2, 400);
        topology.kinds[i].disk_write = link_of(1, 500);
    }
    topology.store = link_of(3, 7000);
    ck_assert_int_eq(dyno_topology_links_open(&places, &topology), DYNO_OK);
    ck_assert_uint_eq(dyno_topology_nodes(places), 3);
    ck_assert_uint_eq(dyno_topology_node_of(places, 3), 1);
    host = dyno_topology_endpoint(places, DYNO_PLACE_HOST, 1);
    disk = dyno_topology_endpoint(places, DYNO_PLACE_DISK, 1);
    pooled = dyno_topology_endpoint(places, DYNO_PLACE_POOLED, 0);
    store = dyno_topology_endpoint(places, DYNO_PLACE_STORE, 0);
    dyno_topology_links_close(places);
    ck_assert_uint_eq(time_between(&topology, 3, host), 20 + 200);
    ck_assert_uint_eq(time_between(&topology, host, 3), 20 + 200);
    ck_assert_uint_eq(time_between(&topology, 3, disk), 20 + 500 + 1000);
    ck_assert_uint_eq(time_between(&topology, disk, 3), 400 + 20 + 500);
    ck_assert_uint_eq(time_between(&topology, host, disk), 500 + 1000);
    /* PCIe 20, NIC 5, rack a up 100: that one is narrowest, 2 a ns. */
    ck_assert_uint_eq(time_between(&topology, 3, pooled), 125 + 500);
    ck_assert_uint_eq(time_between(&topology, pooled, 3), 125 + 500);
    ck_assert_uint_eq(time_between(&topology, 3, store), 125 + 7000 + 500);
    ck_assert_uint_eq(time_between(&topology, store, 3), 125 + 7000 + 500);
    ck_assert_uint_eq(time_between(&topology, host, store), 105 + 7000 + 500);
    ck_assert_uint_eq(time_between(&topology, disk, store), 505 + 7000 + 500);
    ck_assert_uint_eq(time_between(&topology, 0, 1), 2 + 100); /* and workers as before */
}
END_TEST

/* Switches, six links a worker, two a node, and the store's. */
START_TEST(every_link_has_a_name_and_a_speed)
{
    static const struct {
        enum dyno_link_part part;
        uint32_t number, in;
        const char *name;
    } cases[] = {{DYNO_LINK_SWITCH, 1, 0, "switch a up"}, {DYNO_LINK_SWITCH, 2, 1, "switch b down"},
                 {DYNO_LINK_PEER, 0, 0, "peer 0 out"},    {DYNO_LINK_NIC, 3, 1, "nic 3 in"},
                 {DYNO_LINK_HOST, 4, 0, "host 4 out"},    {DYNO_LINK_DISK, 2, 1, "disk 2 in"},
                 {DYNO_LINK_STORE, 0, 0, "store out"},    {DYNO_LINK_STORE, 0, 1, "store in"}};
    struct dyno_topology topology = racks();
    struct dyno_topology_links *links = NULL;
    char name[DYNO_LINK_NAME_MAX];

    ck_assert_int_eq(dyno_topology_links_open(&links, &topology), DYNO_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t link = dyno_topology_find_link(links, cases[i].part, cases[i].number);

        dyno_topology_link_name(links, link + cases[i].in, name);
        ck_assert_str_eq(name, cases[i].name);
    }
    ck_assert_uint_eq(dyno_topology_link_speed(links, 2), 2 * GB); /* of rack a, up */
    dyno_topology_links_close(links);
}
END_TEST

START_TEST(what_is_missing_for_a_place_is_named)
{
    struct dyno_topology topology = racks();
    struct dyno_error error = {0};

    ck_assert_int_eq(dyno_topology_check_place(&topology, 5, DYNO_PLACE_HOST, "g2", &error),
                     DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "g2: node 1 of the topology does not say host"));
    topology.kinds[0].host = link_of(5, 20);
    ck_assert_int_eq(dyno_topology_check_place(&topology, 4, DYNO_PLACE_HOST, "g2", &error),
                     DYNO_OK); /* workers that there are not need none */
    ck_assert_int_eq(dyno_topology_check_place(&topology, 5, DYNO_PLACE_HOST, "g2", &error),
                     DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "node 2"));
    ck_assert_int_eq(dyno_topology_check_place(&topology, 4, DYNO_PLACE_DISK, "g3", &error),
                     DYNO_BAD_INPUT);
    ck_assert_int_eq(dyno_topology_check_place(&topology, 4, DYNO_PLACE_STORE, "g4", &error),
                     DYNO_BAD_INPUT);
}
END_TEST

START_TEST(by_default_nodes_have_eight_gpus)
{
    static struct dyno_topology topology;

    dyno_topology_default(&topology, dyno_gpu_find("h100"), 4, 5);
    ck_assert_int_eq(dyno_topology_check(&topology, 5, NULL), DYNO_OK);
    ck_assert_uint_eq(topology.kinds[0].workers, 2);
    ck_assert_uint_eq(topology.kinds[0].count, 3);
    ck_assert_uint_eq(topology.kinds[0].link.bytes_per_s, 4ULL * 450 * GB);
    ck_assert_uint_eq(topology.kinds[0].nic.bytes_per_s, 4ULL * 50 * GB);
    ck_assert_uint_eq(time_between(&topology, 0, 1), 20000 + 4000 + 1);
    ck_assert_uint_eq(time_between(&topology, 1, 2), 20000 + 10000 + 5);
    dyno_topology_default(&topology, dyno_gpu_find("h100"), 16, 2);
    ck_assert_uint_eq(topology.kinds[0].workers, 1);
    ck_assert_uint_eq(topology.kinds[0].count, 2);
}
END_TEST

static void expect_refused(const struct dyno_topology *topology, const char *words)
{
    struct dyno_error error = {0};

    ck_assert_int_eq(dyno_topology_check(topology, 5, &error), DYNO_BAD_INPUT);
    ck_assert_msg(strstr(error.text, words), "'%s' does not say '%s'", error.text, words);
}

START_TEST(impossible_topologies_are_refused_by_name)
{
    struct dyno_topology topology = racks();

    topology.kinds[1].count = 0;
    expect_refused(&topology, "node 2");
    topology = racks();
    topology.kinds[0].count = 1;
    expect_refused(&topology, "places for 3 workers, but the fleet has 5");
    topology = racks();
    topology.kinds[1].at = DYNO_NO_SWITCH;
    expect_refused(&topology, "node 2 of the file is at no switch");
    topology = racks();
    topology.switches[2].up = DYNO_NO_SWITCH;
    expect_refused(&topology, "switch b");
    topology = racks();
    topology.switches[1].up = 2;
    expect_refused(&topology, "switch a");
    topology = racks();
    topology.switches[1].link.bytes_per_s = 999999;
    expect_refused(&topology, "switch a: its bandwidth");
    topology = racks();
    topology.kinds[0].nic.bytes_per_s = 0;
    expect_refused(&topology, "node 1");
    topology = racks();
    topology.switch_count = 8;
    for (uint32_t i = 3; i < 8; i++) {
        topology.switches[i] =
            (struct dyno_switch){.name = "deep", .up = i - 1, .link = link_of(1, 1)};
    }
    expect_refused(&topology, "switch deep is more than 5 below the top");
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("topology");

    tcase_add_test(cases, paths_go_through_links_nics_and_as_few_switches_as_needed);
    tcase_add_test(cases, places_that_hold_kv_lie_behind_pcie_disks_and_nics);
    tcase_add_test(cases, what_is_missing_for_a_place_is_named);
    tcase_add_test(cases, every_link_has_a_name_and_a_speed);
    tcase_add_test(cases, by_default_nodes_have_eight_gpus);
    tcase_add_test(cases, impossible_topologies_are_refused_by_name);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("sim/topology", add_cases)
