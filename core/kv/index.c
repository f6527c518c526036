/* The fleet index: a map from a span's identity to its node, and the walk along a request's chain.
 *
 * The walk keeps the set of workers that have held everything so far.  A worker's overlap is
 * written once, when it leaves that set.  For a fleet of at most 64 workers the set is one word;
 * for a larger one it is a bit set while the spans have sets of holders, and a list from the first
 * span on that has only a list.  Spans are looked up a few ahead, so that their cache misses
 * overlap.
 */
#include "core/kv/index.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/map.h"
#include "core/base/pool.h"
#include "core/kv/index_node.h"

enum { AHEAD = 8 };

struct dyno_kv_index {
    struct dyno_map node_of; /* span -> its place in nodes */
    struct dyno_pool nodes;  /* of struct dyno_index_node; those given back are empty */
    uint32_t worker_count;
    struct dyno_slab slab;
    struct dyno_index_fleet fleet;
    uint64_t *still; /* [set_words], all zero between calls: who has held everything so far */
    uint32_t *list;  /* [worker_count]: the same as a list, ascending */
};

/* A walk along a chain; `depth` blocks are behind it. */
struct walk {
    const struct dyno_kv_index *index;
    uint32_t *overlap;
    uint32_t *touched;
    uint32_t touched_count;
    uint32_t depth;
};

/* Spans looked up ahead of the walk. */
struct lookout {
    const struct dyno_span *spans;
    uint32_t span_count;
    uint32_t ready; /* spans looked up so far, a multiple of AHEAD or all */
    const struct dyno_index_node *nodes[AHEAD];
};

static struct dyno_index_node *node_in(const struct dyno_kv_index *index, uint32_t place)
{
    return dyno_pool_at(&index->nodes, place);
}

static void give_node(struct dyno_kv_index *index, uint32_t place)
{
    struct dyno_index_node *node = node_in(index, place);

    dyno_map_remove(&index->node_of, node->span);
    dyno_index_node_release(node, &index->fleet);
    dyno_pool_give(&index->nodes, place);
}

/* The span's node, made if it has none; DYNO_POOL_NONE: memory is out. */
static uint32_t node_for(struct dyno_kv_index *index, uint64_t span)
{
    int is_new;
    uint32_t *place = dyno_map_put(&index->node_of, span, DYNO_POOL_NONE, &is_new);
    uint32_t taken;

    if (!place) {
        return DYNO_POOL_NONE;
    }
    if (!is_new) {
        return *place;
    }
    taken = dyno_pool_take(&index->nodes);
    if (taken == DYNO_POOL_NONE) {
        dyno_map_remove(&index->node_of, span);
        return DYNO_POOL_NONE;
    }
    *place = taken;
    dyno_index_node_init(node_in(index, taken), span);
    return taken;
}

static dyno_status add(struct dyno_kv_index *index, uint64_t span, uint32_t worker, uint32_t blocks)
{
    uint32_t place = node_for(index, span);
    struct dyno_index_node *node;
    dyno_status status;

    if (place == DYNO_POOL_NONE) {
        return DYNO_NO_MEMORY;
    }
    node = node_in(index, place);
    if (dyno_index_node_blocks(node, &index->fleet, worker) == blocks) {
        return DYNO_OK;
    }
    status = dyno_index_node_add(node, &index->fleet, worker, blocks);
    if (status != DYNO_OK && dyno_index_node_is_empty(node)) {
        give_node(index, place);
    }
    return status;
}

static void drop(struct dyno_kv_index *index, uint32_t place, uint32_t worker)
{
    struct dyno_index_node *node = node_in(index, place);

    dyno_index_node_remove(node, &index->fleet, worker);
    if (dyno_index_node_is_empty(node)) {
        give_node(index, place);
    }
}

/* Look up the next few spans: first all their slots are asked for, then all their nodes. */
static void look_ahead(const struct dyno_kv_index *index, struct lookout *out)
{
    uint32_t count = out->span_count - out->ready;
    const struct dyno_span *spans = out->spans + out->ready;

    count = count < AHEAD ? count : AHEAD;
    for (uint32_t i = 0; i < count; i++) {
        __builtin_prefetch(&index->node_of.slots[dyno_map_home(&index->node_of, spans[i].id)]);
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t *place = dyno_map_find(&index->node_of, spans[i].id);

        out->nodes[i] = place ? node_in(index, *place) : NULL;
        if (place) {
            __builtin_prefetch(out->nodes[i]);
        }
    }
    out->ready += count;
}

/* The node of span `i`, asked for in order; NULL: nobody holds it. */
static const struct dyno_index_node *node_at(const struct dyno_kv_index *index, struct lookout *out,
                                             uint32_t i)
{
    if (i == out->ready) {
        look_ahead(index, out);
    }
    return out->nodes[i % AHEAD];
}

/* The workers of `word`, whose first is `base`, leave with `overlap` blocks. */
static void leave(struct walk *walk, uint32_t base, uint64_t word, uint32_t overlap)
{
    for (; word; word &= word - 1) {
        walk->overlap[base + (uint32_t)__builtin_ctzll(word)] = overlap;
    }
}

static void touch(struct walk *walk, uint32_t base, uint64_t word)
{
    for (; word; word &= word - 1) {
        walk->touched[walk->touched_count++] = base + (uint32_t)__builtin_ctzll(word);
    }
}

/* Of the workers in `still` (bits of the workers from `base` on), those listed in `node` are taken
 * out: returned if they hold all `blocks` of the span, else they leave.  `*place` is where in the
 * list these workers begin and, afterwards, end. */
static uint64_t settle_listed(struct walk *walk, const struct dyno_index_node *node,
                              uint32_t *place, uint32_t base, uint64_t *still, uint32_t blocks)
{
    const struct dyno_index_holder *others = dyno_index_node_others(node);
    uint64_t kept = 0;

    for (; *place < node->others_count && others[*place].worker - base < 64; (*place)++) {
        uint64_t bit = (uint64_t)1 << (others[*place].worker - base);

        if (!(*still & bit)) {
            continue;
        }
        *still &= ~bit;
        if (others[*place].blocks >= blocks) {
            kept |= bit;
        } else {
            walk->overlap[others[*place].worker] = walk->depth + others[*place].blocks;
        }
    }
    return kept;
}

/* Of 64 workers, those that hold all `blocks` of the span; the others leave. */
static uint64_t settle_word(struct walk *walk, const struct dyno_index_node *node, uint64_t set,
                            uint32_t *place, uint32_t base, uint64_t still, uint32_t blocks)
{
    uint64_t kept = settle_listed(walk, node, place, base, &still, blocks);

    leave(walk, base, still & ~set, walk->depth);
    if (node->common >= blocks) {
        return kept | (still & set);
    }
    leave(walk, base, still & set, walk->depth + node->common);
    return kept;
}

static uint64_t listed_word(const struct dyno_index_node *node, uint32_t *place, uint32_t base)
{
    const struct dyno_index_holder *others = dyno_index_node_others(node);
    uint64_t word = 0;

    for (; *place < node->others_count && others[*place].worker - base < 64; (*place)++) {
        word |= (uint64_t)1 << (others[*place].worker - base);
    }
    return word;
}

/* The whole walk of a small fleet: `node` holds the first span. */
static void walk_word(struct walk *walk, struct lookout *out, const struct dyno_index_node *node)
{
    uint32_t place = 0;
    uint64_t still = node->set.word | listed_word(node, &place, 0);

    touch(walk, 0, still);
    for (uint32_t i = 0; still && i < out->span_count; i++) {
        node = node_at(walk->index, out, i);
        if (!node) {
            break;
        }
        place = 0;
        still = settle_word(walk, node, node->set.word, &place, 0, still, out->spans[i].blocks);
        walk->depth += out->spans[i].blocks;
    }
    leave(walk, 0, still, walk->depth);
}

/* The walk over spans whose holders are bit sets.  Returns the first span that it did not settle.
 */
static uint32_t walk_sets(struct walk *walk, struct lookout *out,
                          const struct dyno_index_node *node)
{
    const struct dyno_kv_index *index = walk->index;
    uint32_t words = index->fleet.set_words;
    uint32_t place = 0, i;
    uint64_t any = 1;

    for (uint32_t word = 0; word < words; word++) {
        index->still[word] = node->set.words[word] | listed_word(node, &place, word * 64);
        touch(walk, word * 64, index->still[word]);
    }
    for (i = 0; any && i < out->span_count; i++) {
        node = node_at(index, out, i);
        if (!node || !node->set.words) {
            break;
        }
        any = 0;
        place = 0;
        for (uint32_t word = 0; word < words; word++) {
            if (!index->still[word]) { /* skip its listed workers too */
                (void)listed_word(node, &place, word * 64);
                continue;
            }
            index->still[word] = settle_word(walk, node, node->set.words[word], &place, word * 64,
                                             index->still[word], out->spans[i].blocks);
            any |= index->still[word];
        }
        walk->depth += out->spans[i].blocks;
    }
    return any ? i : out->span_count;
}

/* Turn the bit set into a list: of those still there, who is listed in `node` stays and the rest
 * leaves; NULL: all leave. */
static uint32_t sets_to_list(struct walk *walk, const struct dyno_index_node *node)
{
    const struct dyno_kv_index *index = walk->index;
    uint32_t place = 0, count = 0;

    for (uint32_t word = 0; word < index->fleet.set_words; word++) {
        uint64_t listed = node ? listed_word(node, &place, word * 64) : 0;
        uint64_t staying = index->still[word] & listed;

        leave(walk, word * 64, index->still[word] & ~listed, walk->depth);
        index->still[word] = 0;
        for (; staying; staying &= staying - 1) {
            index->list[count++] = word * 64 + (uint32_t)__builtin_ctzll(staying);
        }
    }
    return count;
}

/* The walk from span `i` on, of the `count` workers listed. */
static void walk_list(struct walk *walk, struct lookout *out, uint32_t i, uint32_t count)
{
    uint32_t *list = walk->index->list;

    for (; count && i < out->span_count; i++) {
        const struct dyno_index_node *node = node_at(walk->index, out, i);
        uint32_t kept = 0;

        if (!node) {
            break;
        }
        for (uint32_t k = 0; k < count; k++) {
            uint32_t held = dyno_index_node_blocks(node, &walk->index->fleet, list[k]);

            if (held >= out->spans[i].blocks) {
                list[kept++] = list[k];
            } else {
                walk->overlap[list[k]] = walk->depth + held;
            }
        }
        count = kept;
        walk->depth += out->spans[i].blocks;
    }
    for (uint32_t k = 0; k < count; k++) {
        walk->overlap[list[k]] = walk->depth;
    }
}

static void walk_wide(struct walk *walk, struct lookout *out, const struct dyno_index_node *node)
{
    uint32_t i = 0, count = 0;

    if (node->set.words) {
        i = walk_sets(walk, out, node);
        count = sets_to_list(walk, i < out->span_count ? node_at(walk->index, out, i) : NULL);
    } else {
        const struct dyno_index_holder *others = dyno_index_node_others(node);

        for (; count < node->others_count; count++) {
            walk->index->list[count] = others[count].worker;
            walk->touched[count] = others[count].worker;
        }
        walk->touched_count = count;
    }
    walk_list(walk, out, i, count);
}

dyno_status dyno_kv_index_open(struct dyno_kv_index **out, uint32_t worker_count)
{
    struct dyno_kv_index *index = calloc(1, sizeof *index);

    assert(worker_count > 0);
    if (!index) {
        return DYNO_NO_MEMORY;
    }
    dyno_pool_init(&index->nodes, sizeof(struct dyno_index_node));
    index->worker_count = worker_count;
    index->fleet.slab = &index->slab;
    index->fleet.set_words = (worker_count + 63) / 64;
    index->fleet.scratch = calloc(index->fleet.set_words, sizeof *index->fleet.scratch);
    index->still = calloc(index->fleet.set_words, sizeof *index->still);
    index->list = malloc(worker_count * sizeof *index->list);
    if (!index->fleet.scratch || !index->still || !index->list) {
        dyno_kv_index_close(index);
        return DYNO_NO_MEMORY;
    }
    *out = index;
    return DYNO_OK;
}

void dyno_kv_index_close(struct dyno_kv_index *index)
{
    if (index) {
        dyno_map_release(&index->node_of);
        dyno_slab_release(&index->slab);
        dyno_pool_release(&index->nodes);
        free(index->fleet.scratch);
        free(index->still);
        free(index->list);
        free(index);
    }
}

dyno_status dyno_kv_index_set(struct dyno_kv_index *index, uint64_t span, uint32_t worker,
                              uint32_t blocks)
{
    const uint32_t *place;

    assert(worker < index->worker_count);
    if (blocks) {
        return add(index, span, worker, blocks);
    }
    place = dyno_map_find(&index->node_of, span);
    if (place) {
        drop(index, *place, worker);
    }
    return DYNO_OK;
}

void dyno_kv_index_drop_worker(struct dyno_kv_index *index, uint32_t worker)
{
    assert(worker < index->worker_count);
    for (uint32_t place = 0; place < index->nodes.used; place++) {
        if (!dyno_index_node_is_empty(node_in(index, place))) {
            drop(index, place, worker);
        }
    }
}

uint32_t dyno_kv_index_match(const struct dyno_kv_index *index, const struct dyno_span *spans,
                             uint32_t span_count, uint32_t *overlap, uint32_t *touched)
{
    struct walk walk = {.index = index, .overlap = overlap, .touched = touched};
    struct lookout out = {.spans = spans, .span_count = span_count};
    const struct dyno_index_node *node;

    if (!span_count || !index->node_of.count) {
        return 0;
    }
    node = node_at(index, &out, 0);
    if (node && index->fleet.set_words == 1) {
        walk_word(&walk, &out, node);
    } else if (node) {
        walk_wide(&walk, &out, node);
    }
    return walk.touched_count;
}

size_t dyno_kv_index_spans(const struct dyno_kv_index *index)
{
    return index->node_of.count;
}

size_t dyno_kv_index_bytes(const struct dyno_kv_index *index)
{
    return index->nodes.capacity * index->nodes.item_bytes +
           (index->node_of.mask + 1) * sizeof *index->node_of.slots + index->fleet.slab_bytes;
}

uint32_t dyno_kv_index_blocks(const struct dyno_kv_index *index, uint64_t span, uint32_t worker)
{
    const uint32_t *place = dyno_map_find(&index->node_of, span);

    assert(worker < index->worker_count);
    return place ? dyno_index_node_blocks(node_in(index, *place), &index->fleet, worker) : 0;
}
