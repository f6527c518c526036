#include "core/kv/trie.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/id_map.h"
#include "core/base/map.h"
#include "core/base/pool.h"
#include "core/base/slab.h"

/* One of the original spans, and where it ends in its node. */
struct element {
    uint64_t id;
    uint32_t blocks;
    uint32_t end; /* blocks of the node up to and with this one */
};

struct node {
    uint32_t refs; /* requests in flight, caches, and those that linger; first: the pool's link */
    uint32_t count, capacity;
    uint64_t id;              /* of the first element */
    struct element *elements; /* [capacity] */
};

/* The nodes of a request in flight. */
struct booking {
    uint32_t unused; /* the pool's link */
    uint32_t count;
    uint32_t *nodes; /* [count] */
};

/* A cache forgot a node; somebody may not know yet. */
struct lingering {
    dyno_ns until;
    uint32_t node;
};

struct dyno_kv_trie {
    struct dyno_map node_of;       /* first element's id -> node */
    struct dyno_id_map booking_of; /* request -> booking */
    struct dyno_pool nodes, bookings;
    struct dyno_slab slab;
    struct dyno_span *spans; /* [spans_capacity] the last chain rewritten ... */
    uint32_t *path;          /* ... and its nodes */
    uint32_t spans_capacity;
    struct lingering *lingering; /* ring of lingering_capacity, a power of two */
    uint64_t lingering_first, lingering_end;
    uint64_t lingering_capacity;
    dyno_ns linger_ns;
};

static struct node *node_at(const struct dyno_kv_trie *trie, uint32_t place)
{
    return dyno_pool_at(&trie->nodes, place);
}

static size_t elements_bytes(uint32_t capacity)
{
    return capacity * sizeof(struct element);
}

static void let_go(struct dyno_kv_trie *trie, uint32_t place)
{
    struct node *node = node_at(trie, place);

    assert(node->refs > 0);
    if (--node->refs == 0) {
        dyno_map_remove(&trie->node_of, node->id);
        dyno_slab_give(&trie->slab, node->elements, elements_bytes(node->capacity));
        dyno_pool_give(&trie->nodes, place);
    }
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static dyno_status reserve_elements(struct dyno_kv_trie *trie, struct node *node, uint32_t count)
{
    uint32_t capacity = node->capacity ? node->capacity : 4;
    struct element *elements;

    if (count <= node->capacity) {
        return DYNO_OK;
    }
    while (capacity < count) {
        capacity *= 2;
    }
    elements = dyno_slab_take(&trie->slab, elements_bytes(capacity));
    if (!elements) {
        return DYNO_NO_MEMORY;
    }
    if (node->count > 0) {
        memcpy(elements, node->elements, elements_bytes(node->count));
    }
    if (node->capacity > 0) {
        dyno_slab_give(&trie->slab, node->elements, elements_bytes(node->capacity));
    }
    node->elements = elements;
    node->capacity = capacity;
    return DYNO_OK;
}

/* Blocks of all its elements, of which there are some. */
static uint32_t end_of(const struct node *node)
{
    return node->elements[node->count - 1].end;
}

static dyno_status append(struct dyno_kv_trie *trie, struct node *node,
                          const struct dyno_span *spans, uint32_t count)
{
    uint32_t end = node->count > 0 ? end_of(node) : 0;
    struct element *elements;

    DYNO_TRY(reserve_elements(trie, node, node->count + count));
    elements = node->elements + node->count;
    for (uint32_t i = 0; i < count; i++) {
        end += spans[i].blocks;
        elements[i].id = spans[i].id;
        elements[i].blocks = spans[i].blocks;
        elements[i].end = end;
    }
    node->count += count;
    return DYNO_OK;
}

static dyno_status make_node(struct dyno_kv_trie *trie, const struct dyno_span *spans,
                             uint32_t count, uint32_t *out)
{
    uint32_t place = dyno_pool_take(&trie->nodes);
    struct node *node;

    if (place == DYNO_POOL_NONE) {
        return DYNO_NO_MEMORY;
    }
    node = node_at(trie, place);
    *node = (struct node){.id = spans[0].id};
    if (append(trie, node, spans, count) != DYNO_OK ||
        !dyno_map_put(&trie->node_of, node->id, place, NULL)) {
        return DYNO_NO_MEMORY;
    }
    *out = place;
    return DYNO_OK;
}

/* ---- the walk -------------------------------------------------------------------------------- */

struct walk {
    const struct dyno_span *from; /* what is left of the original chain */
    uint32_t left;
    uint32_t count; /* nodes on the way so far */
};

/* Where identities agree but lengths do not: the last of a node may grow; otherwise the chain ends
 * with what both have.  Returns the blocks of this element that are shared. */
static uint32_t settle_length(struct node *node, uint32_t index, struct walk *walk)
{
    struct element *element = &node->elements[index];
    uint32_t blocks = walk->from->blocks;

    if (blocks > element->blocks && index + 1 == node->count) {
        element->end += blocks - element->blocks;
        element->blocks = blocks;
        walk->from++;
        walk->left--;
        return blocks;
    }
    walk->left = 0;
    return blocks < element->blocks ? blocks : element->blocks;
}

/* Follow a node as far as the chain does.  Returns the blocks of it that the chain names. */
static uint32_t follow(struct node *node, struct walk *walk)
{
    const struct element *elements = node->elements;
    const struct dyno_span *from = walk->from;
    uint32_t count = walk->left < node->count ? walk->left : node->count, index = 0, blocks;

    while (index < count && elements[index].id == from[index].id &&
           elements[index].blocks == from[index].blocks) {
        index++;
    }
    walk->from += index;
    walk->left -= index;
    blocks = index > 0 ? elements[index - 1].end : 0;
    if (index < count && elements[index].id == from[index].id) {
        blocks += settle_length(node, index, walk);
    }
    return blocks;
}

/* Whether the chain goes on behind the end of `node` with spans that no other node begins with. */
static bool may_grow(const struct dyno_kv_trie *trie, const struct node *node, uint32_t blocks,
                     const struct walk *walk)
{
    return walk->left > 0 && blocks == end_of(node) &&
           !dyno_map_find(&trie->node_of, walk->from->id);
}

static dyno_status take_step(struct dyno_kv_trie *trie, struct walk *walk)
{
    const uint32_t *known = dyno_map_find(&trie->node_of, walk->from->id);
    uint32_t place, blocks;
    struct node *node;

    if (known) {
        place = *known;
        node = node_at(trie, place);
        blocks = follow(node, walk);
        if (may_grow(trie, node, blocks, walk)) {
            DYNO_TRY(append(trie, node, walk->from, walk->left));
            blocks = end_of(node);
            walk->left = 0;
        }
    } else { /* it gets all that is left */
        DYNO_TRY(make_node(trie, walk->from, walk->left, &place));
        node = node_at(trie, place);
        blocks = end_of(node);
        walk->left = 0;
    }
    node->refs++;
    trie->spans[walk->count] = (struct dyno_span){.id = node->id, .blocks = blocks};
    trie->path[walk->count++] = place;
    return DYNO_OK;
}

static dyno_status reserve_path(struct dyno_kv_trie *trie, uint32_t count)
{
    uint32_t capacity = trie->spans_capacity ? trie->spans_capacity : 64;
    struct dyno_span *spans;
    uint32_t *path;

    if (count <= trie->spans_capacity) {
        return DYNO_OK;
    }
    while (capacity < count) {
        capacity *= 2;
    }
    spans = realloc(trie->spans, capacity * sizeof *spans);
    if (!spans) {
        return DYNO_NO_MEMORY;
    }
    trie->spans = spans;
    path = realloc(trie->path, capacity * sizeof *path);
    if (!path) {
        return DYNO_NO_MEMORY;
    }
    trie->path = path;
    trie->spans_capacity = capacity;
    return DYNO_OK;
}

static dyno_status book(struct dyno_kv_trie *trie, uint64_t request, uint32_t count)
{
    uint32_t place = dyno_pool_take(&trie->bookings);
    struct booking *booking;
    bool is_new;

    if (place == DYNO_POOL_NONE) {
        return DYNO_NO_MEMORY;
    }
    booking = dyno_pool_at(&trie->bookings, place);
    booking->count = count;
    booking->nodes = dyno_slab_take(&trie->slab, count * sizeof *booking->nodes);
    if (!booking->nodes || !dyno_id_map_put(&trie->booking_of, request, place, &is_new)) {
        return DYNO_NO_MEMORY;
    }
    memcpy(booking->nodes, trie->path, count * sizeof *booking->nodes);
    return DYNO_OK;
}

/* ---- public ---------------------------------------------------------------------------------- */

dyno_status dyno_kv_trie_open(struct dyno_kv_trie **out, dyno_ns linger_ns)
{
    struct dyno_kv_trie *trie = calloc(1, sizeof *trie);

    if (!trie) {
        return DYNO_NO_MEMORY;
    }
    dyno_pool_init(&trie->nodes, sizeof(struct node));
    dyno_pool_init(&trie->bookings, sizeof(struct booking));
    trie->linger_ns = linger_ns;
    *out = trie;
    return DYNO_OK;
}

void dyno_kv_trie_close(struct dyno_kv_trie *trie)
{
    if (!trie) {
        return;
    }
    dyno_map_release(&trie->node_of);
    dyno_id_map_release(&trie->booking_of);
    dyno_pool_release(&trie->nodes);
    dyno_pool_release(&trie->bookings);
    dyno_slab_release(&trie->slab);
    free(trie->spans);
    free(trie->path);
    free(trie->lingering);
    free(trie);
}

static void end_lingering(struct dyno_kv_trie *trie, dyno_ns now)
{
    while (trie->lingering_first < trie->lingering_end) {
        struct lingering *first =
            &trie->lingering[trie->lingering_first & (trie->lingering_capacity - 1)];

        if (first->until > now) {
            return;
        }
        trie->lingering_first++;
        let_go(trie, first->node);
    }
}

dyno_status dyno_kv_trie_enter(struct dyno_kv_trie *trie, dyno_ns now, struct dyno_request *request)
{
    struct walk walk = {.from = request->spans, .left = request->span_count};

    end_lingering(trie, now);
    if (request->span_count == 0) {
        return DYNO_OK;
    }
    DYNO_TRY(reserve_path(trie, request->span_count));
    while (walk.left > 0) {
        DYNO_TRY(take_step(trie, &walk));
    }
    DYNO_TRY(book(trie, request->id, walk.count));
    request->spans = trie->spans;
    request->span_count = walk.count;
    return DYNO_OK;
}

void dyno_kv_trie_leave(struct dyno_kv_trie *trie, uint64_t request)
{
    const uint32_t *place = dyno_id_map_find(&trie->booking_of, request);
    struct booking *booking;

    if (!place) {
        return;
    }
    booking = dyno_pool_at(&trie->bookings, *place);
    for (uint32_t i = 0; i < booking->count; i++) {
        let_go(trie, booking->nodes[i]);
    }
    dyno_slab_give(&trie->slab, booking->nodes, booking->count * sizeof *booking->nodes);
    dyno_pool_give(&trie->bookings, *place);
    dyno_id_map_remove(&trie->booking_of, request);
}

void dyno_kv_trie_held(struct dyno_kv_trie *trie, uint64_t span)
{
    const uint32_t *place = dyno_map_find(&trie->node_of, span);

    if (place) {
        node_at(trie, *place)->refs++;
    }
}

static dyno_status reserve_lingering(struct dyno_kv_trie *trie)
{
    uint64_t capacity = trie->lingering_capacity ? 2 * trie->lingering_capacity : 64;
    uint64_t count = trie->lingering_end - trie->lingering_first;
    struct lingering *ring;

    if (count < trie->lingering_capacity) {
        return DYNO_OK;
    }
    ring = malloc(capacity * sizeof *ring);
    if (!ring) {
        return DYNO_NO_MEMORY;
    }
    for (uint64_t i = 0; i < count; i++) {
        ring[i] = trie->lingering[(trie->lingering_first + i) & (trie->lingering_capacity - 1)];
    }
    free(trie->lingering);
    trie->lingering = ring;
    trie->lingering_capacity = capacity;
    trie->lingering_first = 0;
    trie->lingering_end = count;
    return DYNO_OK;
}

dyno_status dyno_kv_trie_gone(struct dyno_kv_trie *trie, uint64_t span, dyno_ns at)
{
    const uint32_t *place = dyno_map_find(&trie->node_of, span);

    if (!place) {
        return DYNO_OK;
    }
    if (trie->linger_ns == 0) {
        let_go(trie, *place);
        return DYNO_OK;
    }
    DYNO_TRY(reserve_lingering(trie));
    trie->lingering[trie->lingering_end++ & (trie->lingering_capacity - 1)] =
        (struct lingering){.until = at + trie->linger_ns, .node = *place};
    return DYNO_OK;
}

size_t dyno_kv_trie_nodes(const struct dyno_kv_trie *trie)
{
    return trie->node_of.count;
}
