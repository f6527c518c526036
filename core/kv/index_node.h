/* One span's holders: the unit of the fleet index, 64 bytes, a cache line.
 *
 * Most holders of a span hold the same number of its blocks: all of them.  Those are a set, one bit
 * a worker; the rest are listed one by one, ascending by worker.  A fleet of at most 64 workers
 * keeps the set in the node itself.  A larger one lists the first few holders and takes a set when
 * a list would be the larger of the two.
 *
 *   LISTED -> SET     [add]     the list is full and has as many bytes as a set
 *   SET    -> LISTED  [remove]  as few are left as fit into the node
 *
 * Always: a worker is in the set or in the list or nowhere, and never with zero blocks.
 */
#ifndef DYNO_CORE_KV_INDEX_NODE_H
#define DYNO_CORE_KV_INDEX_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/slab.h"
#include "core/base/status.h"

enum { DYNO_INDEX_FEW = 4 };

struct dyno_index_holder {
    uint32_t worker;
    uint32_t blocks;
};

struct dyno_index_node {
    uint64_t span;
    uint32_t common;       /* blocks that each worker of the set holds */
    uint32_t common_count; /* workers in the set */
    union {
        uint64_t word;   /* fleets of at most 64 workers */
        uint64_t *words; /* larger ones; NULL: no set */
    } set;
    uint32_t others_count;
    uint32_t others_capacity; /* DYNO_INDEX_FEW: they are in the node */
    union {
        struct dyno_index_holder few[DYNO_INDEX_FEW];
        struct dyno_index_holder *many;
    } others;
};

/* What the nodes of one fleet share. */
struct dyno_index_fleet {
    struct dyno_slab *slab;
    uint64_t *scratch;  /* [set_words], all zero between calls */
    uint32_t set_words; /* of one set */
    size_t slab_bytes;  /* that the nodes have taken from the slab */
};

void dyno_index_node_init(struct dyno_index_node *node, uint64_t span);
/* Give back what the node, empty now, took. */
void dyno_index_node_release(struct dyno_index_node *node, struct dyno_index_fleet *fleet);

/* From now on `worker` holds `blocks` >= 1 blocks.  DYNO_NO_MEMORY: it holds none. */
dyno_status dyno_index_node_add(struct dyno_index_node *node, struct dyno_index_fleet *fleet,
                                uint32_t worker, uint32_t blocks);
/* From now on `worker` holds none. */
void dyno_index_node_remove(struct dyno_index_node *node, struct dyno_index_fleet *fleet,
                            uint32_t worker);

/* The place in the list of the first holder whose worker is not less than `worker`. */
uint32_t dyno_index_node_seek(const struct dyno_index_node *node, uint32_t worker);

static inline const struct dyno_index_holder *
dyno_index_node_others(const struct dyno_index_node *node)
{
    return node->others_capacity == DYNO_INDEX_FEW ? node->others.few : node->others.many;
}

/* The set's words, or NULL. */
static inline const uint64_t *dyno_index_node_set(const struct dyno_index_node *node,
                                                  const struct dyno_index_fleet *fleet)
{
    return fleet->set_words == 1 ? &node->set.word : node->set.words;
}

/* How many blocks `worker` holds. */
static inline uint32_t dyno_index_node_blocks(const struct dyno_index_node *node,
                                              const struct dyno_index_fleet *fleet, uint32_t worker)
{
    const uint64_t *set = dyno_index_node_set(node, fleet);
    const struct dyno_index_holder *others = dyno_index_node_others(node);
    uint32_t place;

    if (set && (set[worker / 64] >> (worker % 64) & 1)) {
        return node->common;
    }
    if (!node->others_count) {
        return 0;
    }
    place = dyno_index_node_seek(node, worker);
    return place < node->others_count && others[place].worker == worker ? others[place].blocks : 0;
}

static inline bool dyno_index_node_is_empty(const struct dyno_index_node *node)
{
    return node->common_count == 0 && node->others_count == 0;
}

#endif
