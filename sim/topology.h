/* A topology: which links lie between the workers of a fleet, and to where lower tiers of KV lie.
 *
 *   switch spine                      nodes hold workers; inside a node a worker has a link to its
 *     |    \                          peers (NVLink, PCIe), and to the outside a NIC
 *   switch rack0  switch rack1        at a switch; switches form a tree
 *     |        \
 *   node       node
 *
 * Between two workers of a node: the link out of the one and into the other.  Between nodes: the
 * NIC out of the one, up the tree as far as needed and down, the NIC into the other.  Both
 * directions of everything are links of their own.
 *
 * Beside workers there are places that hold KV (core/worker/tiers.h): the host memory of every
 * node, which a worker reaches over its own PCIe link; its disks, behind that and all workers'
 * together; and at the top of the switches, behind PCIe link and NIC, the pooled host memory of all
 * nodes, and a store.
 */
#ifndef DYNO_SIM_TOPOLOGY_H
#define DYNO_SIM_TOPOLOGY_H

#include "core/model/gpu.h"
#include "sim/fabric.h"

enum {
    DYNO_SWITCHES_MAX = 256,
    DYNO_NODE_KINDS_MAX = 64,
    DYNO_SWITCH_DEPTH_MAX = 5, /* of the tree: more would not fit a path */
    DYNO_NO_SWITCH = UINT32_MAX,
    DYNO_TOPOLOGY_NAME_MAX = 32,
    DYNO_TOPOLOGY_WORKERS_MAX = 1000000,
};

struct dyno_switch {
    char name[DYNO_TOPOLOGY_NAME_MAX];
    uint32_t up;                  /* an earlier switch; DYNO_NO_SWITCH: the top */
    struct dyno_fabric_link link; /* to it, each way; unused at the top */
};

/* `count` nodes alike, each of `workers` workers. */
struct dyno_node_kind {
    uint32_t count, workers;
    struct dyno_fabric_link link; /* of a worker to its peers */
    struct dyno_fabric_link nic;  /* of a worker to the outside */
    struct dyno_fabric_link host; /* of a worker to host memory; 0 bytes a second: none */
    struct dyno_fabric_link disk_read, disk_write; /* of a node; likewise */
    uint32_t at; /* switch; DYNO_NO_SWITCH: of several nodes, an ideal one */
};

/* Plain data: a copy is complete. */
struct dyno_topology {
    dyno_ns overhead_ns, block_overhead_ns; /* of a transfer, and of each of its blocks */
    struct dyno_fabric_link store;          /* 0 bytes a second: none */
    uint32_t switch_count, kind_count;
    struct dyno_switch switches[DYNO_SWITCHES_MAX];
    struct dyno_node_kind kinds[DYNO_NODE_KINDS_MAX]; /* workers are numbered in this order */
};

/* Nodes of eight GPUs, `tp` to a worker, whose links, PCIe and NICs are the GPU's times tp, at one
 * ideal switch.  A node has as many NVMe drives as GPUs, each of 6.9 GB/s read and 4.1 GB/s written
 * (Samsung's data sheet of the PM9A3 of 3.84 TB).  Latencies (2 us inside a node and to the host, 5
 * us outside, 100 us of a disk), the store (25 GB/s, 5 ms) and the overhead of a transfer (20 us)
 * are round figures of the hardware's order, not measured. */
void dyno_topology_default(struct dyno_topology *out, const struct dyno_gpu *gpu, uint32_t tp,
                           uint32_t workers);

/* One of the nodes of a default topology has no more workers than are needed: `workers` in all.
 * Those of another kind can be added behind it. */
void dyno_topology_trim(struct dyno_topology *topology, uint32_t workers);

/* Whether it is one, and has at least `workers` workers.  DYNO_BAD_INPUT says what is wrong. */
dyno_status dyno_topology_check(const struct dyno_topology *topology, uint32_t workers,
                                struct dyno_error *error);

/* The links of a topology that was checked, as a fabric wants them.  The endpoints are the workers,
 * and then the places that hold KV. */
struct dyno_topology_links;

/* Where KV may lie. */
enum dyno_place {
    DYNO_PLACE_HOST,   /* of a node */
    DYNO_PLACE_DISK,   /* likewise */
    DYNO_PLACE_POOLED, /* host memory of all nodes */
    DYNO_PLACE_STORE,
};
dyno_status dyno_topology_links_open(struct dyno_topology_links **out,
                                     const struct dyno_topology *topology);
void dyno_topology_links_close(struct dyno_topology_links *links);

uint32_t dyno_topology_node_of(const struct dyno_topology_links *links, uint32_t worker);
uint32_t dyno_topology_nodes(const struct dyno_topology_links *links); /* how many */
/* The endpoint of a place; `node` only counts where there is one in every node. */
uint32_t dyno_topology_endpoint(const struct dyno_topology_links *links, enum dyno_place place,
                                uint32_t node);
/* Whether every one of the first `workers` workers has a way to such a place.  DYNO_BAD_INPUT says
 * what is missing, for `whom`. */
dyno_status dyno_topology_check_place(const struct dyno_topology *topology, uint32_t workers,
                                      enum dyno_place place, const char *whom,
                                      struct dyno_error *error);

/* Links that can be named: a pair, out of what they belong to and into it (of a switch: up, down).
 */
enum dyno_link_part {
    DYNO_LINK_PEER,   /* of a worker to the others of its node */
    DYNO_LINK_NIC,    /* of a worker */
    DYNO_LINK_HOST,   /* of a worker to host memory */
    DYNO_LINK_DISK,   /* of a node */
    DYNO_LINK_STORE,  /* the only one */
    DYNO_LINK_SWITCH, /* to the one above it */
};

enum { DYNO_LINK_PARTS = DYNO_LINK_SWITCH + 1, DYNO_NO_LINK = UINT32_MAX };

/* "peer", "nic", ... */
const char *dyno_link_part_name(enum dyno_link_part part);
/* The first of the pair, as the fabric numbers them; DYNO_NO_LINK: there is no such. */
uint32_t dyno_topology_find_link(const struct dyno_topology_links *links, enum dyno_link_part part,
                                 uint32_t number);
/* What one link is called, as the fabric numbers them: "nic 3 out", "switch rack0 up". */
enum { DYNO_LINK_NAME_MAX = DYNO_TOPOLOGY_NAME_MAX + 16 };
void dyno_topology_link_name(const struct dyno_topology_links *links, uint32_t link,
                             char out[DYNO_LINK_NAME_MAX]);
uint64_t dyno_topology_link_speed(const struct dyno_topology_links *links,
                                  uint32_t link); /* bytes a second */
/* The number of a switch that has one above it; DYNO_NO_SWITCH: none has that name. */
uint32_t dyno_topology_find_switch(const struct dyno_topology_links *links, const char *name);

/* A fabric over them; `alone` as in struct dyno_fabric_config.  They outlive it. */
dyno_status dyno_topology_fabric(struct dyno_links **out, const struct dyno_topology_links *links,
                                 bool alone);

#endif
