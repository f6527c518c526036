#include "sim/topology.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NODE_GPUS = 8, LINKS_A_WORKER = 6, LINKS_A_NODE = 2 };

/* Of one NVMe drive for each GPU. */
#define DISK_READ_BYTES_PER_S  6900000000.0
#define DISK_WRITE_BYTES_PER_S 4100000000.0
#define STORE_BYTES_PER_S      25000000000ULL

/* A worker's place: its node, and the kind of that. */
struct place {
    uint32_t node, kind;
};

struct dyno_topology_links {
    struct dyno_topology topology;
    uint32_t worker_count, node_count;
    struct place *places; /* [worker_count] */
    uint32_t *first_of;   /* [node_count] a node's first worker, whose NIC its disks use */
    struct dyno_fabric_link *links; /* of switches up and down, of workers, of nodes, the store's */
    uint32_t link_count;
};

void dyno_topology_default(struct dyno_topology *out, const struct dyno_gpu *gpu, uint32_t tp,
                           uint32_t workers)
{
    uint32_t each = tp < NODE_GPUS ? NODE_GPUS / tp : 1;

    *out = (struct dyno_topology){
        .overhead_ns = 20 * DYNO_US,
        .store = {.bytes_per_s = STORE_BYTES_PER_S, .latency_ns = 5 * DYNO_MS},
        .kind_count = 1};
    out->kinds[0] = (struct dyno_node_kind){
        .count = (workers + each - 1) / each,
        .workers = each,
        .link = {.bytes_per_s = (uint64_t)(gpu->link_bytes_per_s * tp), .latency_ns = 2 * DYNO_US},
        .nic = {.bytes_per_s = (uint64_t)(gpu->network_bytes_per_s * tp),
                .latency_ns = 5 * DYNO_US},
        .host = {.bytes_per_s = (uint64_t)(gpu->pcie_bytes_per_s * tp), .latency_ns = 2 * DYNO_US},
        .disk_read = {.bytes_per_s = (uint64_t)(DISK_READ_BYTES_PER_S * tp * each),
                      .latency_ns = 100 * DYNO_US},
        .disk_write = {.bytes_per_s = (uint64_t)(DISK_WRITE_BYTES_PER_S * tp * each),
                       .latency_ns = 100 * DYNO_US},
        .at = DYNO_NO_SWITCH};
}

void dyno_topology_trim(struct dyno_topology *topology, uint32_t workers)
{
    struct dyno_node_kind *full = &topology->kinds[0], rest = *full;

    full->count = workers / full->workers;
    rest.workers = workers % full->workers;
    rest.count = 1;
    if (full->count == 0) {
        *full = rest;
    } else if (rest.workers > 0) {
        topology->kinds[topology->kind_count++] = rest;
    }
}

/* ---- what is no topology --------------------------------------------------------------------- */

static bool has_speed(const struct dyno_fabric_link *link)
{
    return link->bytes_per_s >= DYNO_LINK_BYTES_PER_S_MIN &&
           link->bytes_per_s <= DYNO_LINK_BYTES_PER_S_MAX;
}

static dyno_status check_switches(const struct dyno_topology *topology, struct dyno_error *error)
{
    uint32_t depth[DYNO_SWITCHES_MAX];

    for (uint32_t i = 0; i < topology->switch_count; i++) {
        const struct dyno_switch *it = &topology->switches[i];

        if ((i == 0) != (it->up == DYNO_NO_SWITCH) || (i > 0 && it->up >= i)) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "switch %s: the first switch is the top, and every other one says "
                             "which of those before it is above it",
                             it->name);
        }
        depth[i] = i == 0 ? 0 : depth[it->up] + 1;
        if (depth[i] > DYNO_SWITCH_DEPTH_MAX) {
            return dyno_fail(error, DYNO_BAD_INPUT, "switch %s is more than %d below the top",
                             it->name, DYNO_SWITCH_DEPTH_MAX);
        }
        if (i == 0 && (it->link.bytes_per_s > 0 || it->link.latency_ns > 0)) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "switch %s is the top: there is no link above it for a bandwidth or a "
                             "latency",
                             it->name);
        }
        if (i > 0 && !has_speed(&it->link)) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "switch %s: its bandwidth must be from 1 MB/s to 1 PB/s", it->name);
        }
    }
    return DYNO_OK;
}

static dyno_status check_kind(const struct dyno_topology *topology, uint32_t index,
                              struct dyno_error *error)
{
    const struct dyno_node_kind *kind = &topology->kinds[index];

    if (kind->count == 0 || kind->workers == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT, "node %u of the file has no workers", index + 1);
    }
    if (!has_speed(&kind->link) || !has_speed(&kind->nic)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "node %u of the file: its bandwidths must be from 1 MB/s to 1 PB/s",
                         index + 1);
    }
    if ((kind->at == DYNO_NO_SWITCH) != (topology->switch_count == 0) ||
        (kind->at != DYNO_NO_SWITCH && kind->at >= topology->switch_count)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "node %u of the file is at no switch, but there are switches: its workers "
                         "could not be reached",
                         index + 1);
    }
    return DYNO_OK;
}

static uint64_t workers_of(const struct dyno_topology *topology)
{
    uint64_t workers = 0;

    for (uint32_t i = 0; i < topology->kind_count; i++) {
        workers += (uint64_t)topology->kinds[i].count * topology->kinds[i].workers;
    }
    return workers;
}

dyno_status dyno_topology_check(const struct dyno_topology *topology, uint32_t workers,
                                struct dyno_error *error)
{
    uint64_t there = workers_of(topology);

    DYNO_TRY(check_switches(topology, error));
    for (uint32_t i = 0; i < topology->kind_count; i++) {
        DYNO_TRY(check_kind(topology, i, error));
    }
    if (there > DYNO_TOPOLOGY_WORKERS_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "the topology has places for %llu workers: %d are the most",
                         (unsigned long long)there, DYNO_TOPOLOGY_WORKERS_MAX);
    }
    if (there < workers) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "the topology has places for %llu workers, but the fleet has %u",
                         (unsigned long long)there, workers);
    }
    return DYNO_OK;
}

/* ---- links and paths ------------------------------------------------------------------------- */

/* The links of a worker follow those of switches. */
static uint32_t of_worker(const struct dyno_topology_links *links, uint32_t worker, uint32_t which)
{
    return 2 * links->topology.switch_count + LINKS_A_WORKER * worker + which;
}

enum { LINK_OUT, LINK_IN, NIC_OUT, NIC_IN, HOST_OUT, HOST_IN };
enum { DISK_OUT, DISK_IN };
enum { STORE_OUT, STORE_IN };

static uint32_t of_node(const struct dyno_topology_links *links, uint32_t node, uint32_t which)
{
    return of_worker(links, links->worker_count, 0) + LINKS_A_NODE * node + which;
}

static uint32_t of_store(const struct dyno_topology_links *links, uint32_t which)
{
    return of_node(links, links->node_count, which);
}

static uint32_t depth_of(const struct dyno_topology *topology, uint32_t at)
{
    uint32_t depth = 0;

    for (; topology->switches[at].up != DYNO_NO_SWITCH; at = topology->switches[at].up) {
        depth++;
    }
    return depth;
}

/* Up from one switch and down to the other. */
static uint32_t across(const struct dyno_topology *topology, uint32_t from, uint32_t to,
                       uint32_t *path)
{
    uint32_t ups = 0, downs = 0, down[DYNO_SWITCH_DEPTH_MAX];
    uint32_t from_depth = depth_of(topology, from), to_depth = depth_of(topology, to);

    while (from != to) {
        bool goes_up = from_depth >= to_depth, comes_down = to_depth >= from_depth;

        if (goes_up) {
            path[ups++] = 2 * from;
            from = topology->switches[from].up;
            from_depth--;
        }
        if (comes_down) {
            down[downs++] = 2 * to + 1;
            to = topology->switches[to].up;
            to_depth--;
        }
    }
    for (uint32_t i = 0; i < downs; i++) {
        path[ups + i] = down[downs - 1 - i];
    }
    return ups + downs;
}

/* The NIC of worker `by`, and the switches between it and the top. */
static uint32_t to_top(const struct dyno_topology_links *links, uint32_t by, bool out,
                       uint32_t *path)
{
    uint32_t at = links->topology.kinds[links->places[by].kind].at, count = 0;

    if (out) {
        path[count++] = of_worker(links, by, NIC_OUT);
    }
    if (at != DYNO_NO_SWITCH) {
        count += out ? across(&links->topology, at, 0, path + count)
                     : across(&links->topology, 0, at, path + count);
    }
    if (!out) {
        path[count++] = of_worker(links, by, NIC_IN);
    }
    return count;
}

/* What an endpoint is, and its node. */
static enum dyno_place place_of(const struct dyno_topology_links *links, uint32_t endpoint,
                                uint32_t *node)
{
    uint32_t index = endpoint - links->worker_count;

    *node = index % links->node_count;
    if (index < links->node_count) {
        return DYNO_PLACE_HOST;
    }
    if (index < 2 * links->node_count) {
        return DYNO_PLACE_DISK;
    }
    return index == 2 * links->node_count ? DYNO_PLACE_POOLED : DYNO_PLACE_STORE;
}

/* Out of a worker or a place in a node, to a place. */
static uint32_t path_down(const struct dyno_topology_links *links, uint32_t from, uint32_t to,
                          uint32_t *path)
{
    uint32_t node, to_node, count = 0, by = from;
    enum dyno_place place = place_of(links, to, &to_node);

    if (from < links->worker_count) {
        path[count++] = of_worker(links, from, HOST_OUT);
    } else {
        if (place_of(links, from, &node) == DYNO_PLACE_DISK) {
            path[count++] = of_node(links, node, DISK_OUT);
        }
        by = links->first_of[node];
    }
    switch (place) {
    case DYNO_PLACE_HOST:
        break;
    case DYNO_PLACE_DISK:
        path[count++] = of_node(links, to_node, DISK_IN);
        break;
    case DYNO_PLACE_POOLED:
    case DYNO_PLACE_STORE:
        count += to_top(links, by, true, path + count);
        break;
    }
    if (place == DYNO_PLACE_STORE) {
        path[count++] = of_store(links, STORE_IN);
    }
    return count;
}

/* Out of a place, into a worker. */
static uint32_t path_up(const struct dyno_topology_links *links, uint32_t from, uint32_t to,
                        uint32_t *path)
{
    uint32_t node, count = 0;

    switch (place_of(links, from, &node)) {
    case DYNO_PLACE_HOST:
        break;
    case DYNO_PLACE_DISK:
        path[count++] = of_node(links, node, DISK_OUT);
        break;
    case DYNO_PLACE_STORE:
        path[count++] = of_store(links, STORE_OUT);
        count += to_top(links, to, false, path + count);
        break;
    case DYNO_PLACE_POOLED:
        count += to_top(links, to, false, path + count);
        break;
    }
    path[count++] = of_worker(links, to, HOST_IN);
    return count;
}

static uint32_t path_of_workers(const struct dyno_topology_links *links, uint32_t from, uint32_t to,
                                uint32_t *path)
{
    const struct place *a = &links->places[from], *b = &links->places[to];
    uint32_t count = 0, from_switch = links->topology.kinds[a->kind].at;
    uint32_t to_switch = links->topology.kinds[b->kind].at;

    assert(from < links->worker_count && to < links->worker_count);
    if (from == to) {
        return 0;
    }
    if (a->node == b->node) {
        path[0] = of_worker(links, from, LINK_OUT);
        path[1] = of_worker(links, to, LINK_IN);
        return 2;
    }
    path[count++] = of_worker(links, from, NIC_OUT);
    if (from_switch != to_switch) {
        count += across(&links->topology, from_switch, to_switch, path + count);
    }
    path[count++] = of_worker(links, to, NIC_IN);
    return count;
}

static uint32_t path_between(const void *context, uint32_t from, uint32_t to,
                             uint32_t path[DYNO_PATH_LINKS_MAX])
{
    const struct dyno_topology_links *links = context;

    if (to >= links->worker_count) {
        return path_down(links, from, to, path);
    }
    return from >= links->worker_count ? path_up(links, from, to, path)
                                       : path_of_workers(links, from, to, path);
}

/* One that is not there is on no path that is taken. */
static struct dyno_fabric_link or_ideal(struct dyno_fabric_link link)
{
    return link.bytes_per_s > 0
               ? link
               : (struct dyno_fabric_link){.bytes_per_s = DYNO_LINK_BYTES_PER_S_MAX};
}

static void place_nodes(struct dyno_topology_links *links, const struct dyno_node_kind *kind,
                        uint32_t first_node, uint32_t first_worker)
{
    for (uint32_t i = 0; i < kind->count; i++) {
        struct dyno_fabric_link *own = &links->links[of_node(links, first_node + i, 0)];

        links->first_of[first_node + i] = first_worker + i * kind->workers;
        own[DISK_OUT] = or_ideal(kind->disk_read);
        own[DISK_IN] = or_ideal(kind->disk_write);
    }
}

static void place_workers(struct dyno_topology_links *links)
{
    const struct dyno_topology *topology = &links->topology;
    uint32_t worker = 0, node = 0;

    for (uint32_t i = 0; i < topology->switch_count; i++) {
        links->links[2 * i] = links->links[2 * i + 1] =
            i > 0 ? topology->switches[i].link
                  : (struct dyno_fabric_link){.bytes_per_s = DYNO_LINK_BYTES_PER_S_MAX};
    }
    for (uint32_t i = 0; i < topology->kind_count; i++) {
        const struct dyno_node_kind *kind = &topology->kinds[i];

        for (uint32_t j = 0; j < kind->count * kind->workers; j++, worker++) {
            struct dyno_fabric_link *own = &links->links[of_worker(links, worker, 0)];

            links->places[worker] = (struct place){.node = node + j / kind->workers, .kind = i};
            own[LINK_OUT] = own[LINK_IN] = kind->link;
            own[NIC_OUT] = own[NIC_IN] = kind->nic;
            own[HOST_OUT] = own[HOST_IN] = or_ideal(kind->host);
        }
        place_nodes(links, kind, node, worker - kind->count * kind->workers);
        node += kind->count;
    }
    links->links[of_store(links, STORE_OUT)] = links->links[of_store(links, STORE_IN)] =
        or_ideal(topology->store);
}

dyno_status dyno_topology_links_open(struct dyno_topology_links **out,
                                     const struct dyno_topology *topology)
{
    struct dyno_topology_links *links = calloc(1, sizeof *links);

    if (!links) {
        return DYNO_NO_MEMORY;
    }
    links->topology = *topology;
    links->worker_count = (uint32_t)workers_of(topology);
    for (uint32_t i = 0; i < topology->kind_count; i++) {
        links->node_count += topology->kinds[i].count;
    }
    links->link_count = of_store(links, 0) + 2;
    links->places = calloc(links->worker_count + (size_t)1, sizeof *links->places);
    links->first_of = calloc(links->node_count + (size_t)1, sizeof *links->first_of);
    links->links = calloc(links->link_count + (size_t)1, sizeof *links->links);
    if (!links->places || !links->first_of || !links->links) {
        dyno_topology_links_close(links);
        return DYNO_NO_MEMORY;
    }
    place_workers(links);
    *out = links;
    return DYNO_OK;
}

void dyno_topology_links_close(struct dyno_topology_links *links)
{
    if (links) {
        free(links->places);
        free(links->first_of);
        free(links->links);
        free(links);
    }
}

dyno_status dyno_topology_fabric(struct dyno_links **out, const struct dyno_topology_links *links,
                                 bool alone)
{
    return dyno_fabric_open(
        out, &(struct dyno_fabric_config){.links = links->links,
                                          .link_count = links->link_count,
                                          .path = path_between,
                                          .path_context = links,
                                          .overhead_ns = links->topology.overhead_ns,
                                          .block_overhead_ns = links->topology.block_overhead_ns,
                                          .alone = alone});
}

/* ---- links by name ----------------------------------------------------------------------------
 */

const char *dyno_link_part_name(enum dyno_link_part part)
{
    static const char *const names[DYNO_LINK_PARTS] = {
        [DYNO_LINK_PEER] = "peer", [DYNO_LINK_NIC] = "nic",     [DYNO_LINK_HOST] = "host",
        [DYNO_LINK_DISK] = "disk", [DYNO_LINK_STORE] = "store", [DYNO_LINK_SWITCH] = "switch"};

    return names[part];
}

uint32_t dyno_topology_find_link(const struct dyno_topology_links *links, enum dyno_link_part part,
                                 uint32_t number)
{
    bool is_worker = number < links->worker_count;

    switch (part) {
    case DYNO_LINK_PEER:
        return is_worker ? of_worker(links, number, LINK_OUT) : DYNO_NO_LINK;
    case DYNO_LINK_NIC:
        return is_worker ? of_worker(links, number, NIC_OUT) : DYNO_NO_LINK;
    case DYNO_LINK_HOST:
        return is_worker ? of_worker(links, number, HOST_OUT) : DYNO_NO_LINK;
    case DYNO_LINK_DISK:
        return number < links->node_count ? of_node(links, number, DISK_OUT) : DYNO_NO_LINK;
    case DYNO_LINK_STORE:
        return number == 0 ? of_store(links, STORE_OUT) : DYNO_NO_LINK;
    case DYNO_LINK_SWITCH:
        break;
    }
    return number > 0 && number < links->topology.switch_count ? 2 * number : DYNO_NO_LINK;
}

static void write_name(char out[DYNO_LINK_NAME_MAX], enum dyno_link_part part, uint32_t number,
                       uint32_t which)
{
    (void)snprintf(out, DYNO_LINK_NAME_MAX, "%s %u %s", dyno_link_part_name(part), number,
                   which % 2 == 0 ? "out" : "in");
}

void dyno_topology_link_name(const struct dyno_topology_links *links, uint32_t link,
                             char out[DYNO_LINK_NAME_MAX])
{
    static const enum dyno_link_part of_workers[] = {DYNO_LINK_PEER, DYNO_LINK_NIC, DYNO_LINK_HOST};
    uint32_t workers = of_worker(links, 0, 0), nodes = of_node(links, 0, 0);

    if (link < workers) {
        (void)snprintf(out, DYNO_LINK_NAME_MAX, "switch %s %s",
                       links->topology.switches[link / 2].name, link % 2 == 0 ? "up" : "down");
    } else if (link < nodes) {
        uint32_t which = (link - workers) % LINKS_A_WORKER;

        write_name(out, of_workers[which / 2], (link - workers) / LINKS_A_WORKER, which);
    } else if (link < of_store(links, 0)) {
        write_name(out, DYNO_LINK_DISK, (link - nodes) / LINKS_A_NODE, link - nodes);
    } else {
        (void)snprintf(out, DYNO_LINK_NAME_MAX, "store %s",
                       link == of_store(links, STORE_OUT) ? "out" : "in");
    }
}

uint64_t dyno_topology_link_speed(const struct dyno_topology_links *links, uint32_t link)
{
    return links->links[link].bytes_per_s;
}

uint32_t dyno_topology_find_switch(const struct dyno_topology_links *links, const char *name)
{
    for (uint32_t i = 1; i < links->topology.switch_count; i++) {
        if (strcmp(links->topology.switches[i].name, name) == 0) {
            return i;
        }
    }
    return DYNO_NO_SWITCH;
}

/* ---- places ---------------------------------------------------------------------------------- */

uint32_t dyno_topology_node_of(const struct dyno_topology_links *links, uint32_t worker)
{
    return links->places[worker].node;
}

uint32_t dyno_topology_nodes(const struct dyno_topology_links *links)
{
    return links->node_count;
}

uint32_t dyno_topology_endpoint(const struct dyno_topology_links *links, enum dyno_place place,
                                uint32_t node)
{
    switch (place) {
    case DYNO_PLACE_HOST:
        return links->worker_count + node;
    case DYNO_PLACE_DISK:
        return links->worker_count + links->node_count + node;
    case DYNO_PLACE_POOLED:
    case DYNO_PLACE_STORE:
        break;
    }
    return links->worker_count + 2 * links->node_count + (place == DYNO_PLACE_STORE);
}

dyno_status dyno_topology_check_place(const struct dyno_topology *topology, uint32_t workers,
                                      enum dyno_place place, const char *whom,
                                      struct dyno_error *error)
{
    uint32_t worker = 0;

    for (uint32_t i = 0; i < topology->kind_count && worker < workers; i++) {
        const struct dyno_node_kind *kind = &topology->kinds[i];
        const char *missing = NULL;

        if (!has_speed(&kind->host)) {
            missing = "host, the bandwidth of a worker to host memory";
        } else if (place == DYNO_PLACE_DISK &&
                   !(has_speed(&kind->disk_read) && has_speed(&kind->disk_write))) {
            missing = "disk_read and disk_write, the bandwidths of its disks";
        }
        if (missing) {
            return dyno_fail(error, DYNO_BAD_INPUT, "%s: node %u of the topology does not say %s",
                             whom, i + 1, missing);
        }
        worker += kind->count * kind->workers;
    }
    if (place == DYNO_PLACE_STORE && !has_speed(&topology->store)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s: the topology does not say store, the bandwidth of the object store",
                         whom);
    }
    return DYNO_OK;
}
