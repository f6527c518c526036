/* Prompt blocks of requests in flight: which worker works on which spans, counted once however many
 * of its requests share them.
 *
 * A span's node lists (worker, blocks) with the number of requests that booked just that,
 * ascending; mostly all have the same number of blocks and there is one entry a worker.  A worker
 * has as many blocks of the span as its last entry says.  A node lives as long as it has an entry.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/usual.h"
#include "core/run/dispatch_parts.h"

enum { FEW = 4, NARROW_WORKERS = 64 };

struct entry {
    uint32_t worker;
    uint32_t blocks;
    uint32_t requests;
};

struct node {
    uint64_t span;
    uint32_t count;
    uint32_t capacity; /* FEW: the entries are in the node */
    union {
        struct entry few[FEW];
        struct entry *many;
    } entries;
};

static struct node *node_at(const struct dyno_active *active, uint32_t place)
{
    return dyno_pool_at(&active->nodes, place);
}

static struct entry *entries_of(struct node *node)
{
    return node->capacity == FEW ? node->entries.few : node->entries.many;
}

static bool is_before(const struct entry *entry, uint32_t worker, uint32_t blocks)
{
    return entry->worker < worker || (entry->worker == worker && entry->blocks < blocks);
}

/* The place of the first entry not before (worker, blocks). */
static uint32_t seek(struct node *node, uint32_t worker, uint32_t blocks)
{
    const struct entry *entries = entries_of(node);
    uint32_t low = 0, high = node->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (is_before(&entries[middle], worker, blocks)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static dyno_status resize(struct dyno_active *active, struct node *node, uint32_t capacity)
{
    struct entry few[FEW];
    struct entry *entries = few;
    bool was_many = node->capacity != FEW;

    if (capacity != FEW) {
        entries = dyno_slab_take(&active->slab, capacity * sizeof *entries);
        if (!entries) {
            return DYNO_NO_MEMORY;
        }
    }
    memcpy(entries, entries_of(node), node->count * sizeof *entries);
    if (was_many) {
        dyno_slab_give(&active->slab, node->entries.many, node->capacity * sizeof *entries);
    }
    if (capacity == FEW) {
        memcpy(node->entries.few, few, node->count * sizeof *few);
    } else {
        node->entries.many = entries;
    }
    node->capacity = capacity;
    return DYNO_OK;
}

/* How many blocks the worker of the entry at `place` would have without that entry, if it is the
 * worker's last; else UINT32_MAX. */
static uint32_t blocks_without(struct node *node, uint32_t place)
{
    const struct entry *entries = entries_of(node);
    uint32_t worker = entries[place].worker;

    if (place + 1 < node->count && entries[place + 1].worker == worker) {
        return UINT32_MAX;
    }
    return place > 0 && entries[place - 1].worker == worker ? entries[place - 1].blocks : 0;
}

/* A worker's last entry of a span changed. */
static dyno_status tell_wide(struct dyno_active *active, const struct node *node, uint32_t worker,
                             uint32_t blocks)
{
    return DYNO_RARELY(active->wide) ? dyno_kv_index_set(active->wide, node->span, worker, blocks)
                                     : DYNO_OK;
}

static void give_node(struct dyno_active *active, uint32_t place)
{
    struct node *node = node_at(active, place);

    dyno_map_remove(&active->node_of, node->span);
    if (node->capacity != FEW) {
        dyno_slab_give(&active->slab, node->entries.many, node->capacity * sizeof(struct entry));
    }
    dyno_pool_give(&active->nodes, place);
}

static void let_go(struct dyno_active *active, const struct dyno_active_ref *ref, uint32_t worker,
                   uint64_t *total)
{
    struct node *node = node_at(active, ref->node);
    struct entry *entries = entries_of(node);
    uint32_t place = seek(node, worker, ref->blocks);
    uint32_t after;

    assert(place < node->count && entries[place].worker == worker &&
           entries[place].blocks == ref->blocks);
    if (--entries[place].requests > 0) {
        return;
    }
    after = blocks_without(node, place);
    if (after != UINT32_MAX) {
        *total -= ref->blocks - after;
        (void)tell_wide(active, node, worker, after); /* failing, it is believed to have more */
    }
    node->count--;
    memmove(entries + place, entries + place + 1, (node->count - place) * sizeof *entries);
    if (node->count == 0) {
        give_node(active, ref->node);
    } else if (DYNO_RARELY(node->capacity > FEW) && node->count <= node->capacity / 4) {
        (void)resize(active, node, node->capacity / 2); /* failing, it stays as it is */
    }
}

/* The span's node, made if it has none; DYNO_POOL_NONE: memory is out. */
static uint32_t node_for(struct dyno_active *active, uint64_t span)
{
    int is_new;
    uint32_t *place = dyno_map_put(&active->node_of, span, DYNO_POOL_NONE, &is_new);
    uint32_t taken;

    if (!place) {
        return DYNO_POOL_NONE;
    }
    if (!is_new) {
        return *place;
    }
    taken = dyno_pool_take(&active->nodes);
    if (taken == DYNO_POOL_NONE) {
        dyno_map_remove(&active->node_of, span);
        return DYNO_POOL_NONE;
    }
    *place = taken;
    memset(node_at(active, taken), 0, sizeof(struct node));
    node_at(active, taken)->span = span;
    node_at(active, taken)->capacity = FEW;
    return taken;
}

/* One more request at `worker` with `blocks` of the span.  `*is_last`: as the worker's last entry,
 * which is new. */
static dyno_status hold(struct dyno_active *active, struct node *node, uint32_t worker,
                        uint32_t blocks, uint64_t *total, bool *is_last)
{
    uint32_t place = seek(node, worker, blocks);
    struct entry *entries = entries_of(node);
    uint32_t before;

    *is_last = false;
    if (place < node->count && entries[place].worker == worker && entries[place].blocks == blocks) {
        entries[place].requests++;
        return DYNO_OK;
    }
    if (DYNO_RARELY(node->count == node->capacity)) {
        DYNO_TRY(resize(active, node, 2 * node->capacity));
        entries = entries_of(node);
    }
    memmove(entries + place + 1, entries + place, (node->count - place) * sizeof *entries);
    entries[place] = (struct entry){.worker = worker, .blocks = blocks, .requests = 1};
    node->count++;
    before = blocks_without(node, place);
    if (before != UINT32_MAX) {
        *total += blocks - before;
        *is_last = true;
    }
    return DYNO_OK;
}

static dyno_status book(struct dyno_active *active, uint32_t worker, const struct dyno_span *span,
                        struct dyno_active_ref *ref, uint64_t *total)
{
    struct node *node;
    bool is_last;
    dyno_status status;

    *ref = (struct dyno_active_ref){.node = node_for(active, span->id), .blocks = span->blocks};
    if (ref->node == DYNO_POOL_NONE) {
        return DYNO_NO_MEMORY;
    }
    node = node_at(active, ref->node);
    status = hold(active, node, worker, span->blocks, total, &is_last);
    if (status != DYNO_OK) {
        if (node->count == 0) {
            give_node(active, ref->node);
        }
        return status;
    }
    status = is_last ? tell_wide(active, node, worker, span->blocks) : DYNO_OK;
    if (status != DYNO_OK) {
        let_go(active, ref, worker, total);
    }
    return status;
}

/* Whether the entry at `place` is its worker's last, which says how many blocks it has. */
static bool is_last_of_worker(const struct node *node, const struct entry *entries, uint32_t place)
{
    return place + 1 == node->count || entries[place + 1].worker != entries[place].worker;
}

/* The workers of the first span: those with all its blocks are listed. */
static uint32_t begin(struct node *node, const struct dyno_span *span, uint32_t *list,
                      uint32_t *overlap, uint32_t *touched, uint32_t *touched_count)
{
    const struct entry *entries = entries_of(node);
    uint32_t kept = 0;

    *touched_count = 0;
    for (uint32_t place = 0; place < node->count; place++) {
        struct entry entry = entries[place];

        if (!is_last_of_worker(node, entries, place)) {
            continue;
        }
        touched[(*touched_count)++] = entry.worker;
        if (entry.blocks < span->blocks) {
            overlap[entry.worker] = entry.blocks;
        } else {
            overlap[entry.worker] = span->blocks;
            list[kept++] = entry.worker;
        }
    }
    return kept;
}

/* Of the workers listed, keep those that have all blocks of `span`. */
static uint32_t narrow(struct node *node, const struct dyno_span *span, uint32_t *list,
                       uint32_t count, uint32_t *overlap)
{
    const struct entry *entries = entries_of(node);
    uint32_t kept = 0, k = 0;

    for (uint32_t place = 0; place < node->count; place++) {
        struct entry entry = entries[place];

        while (k < count && list[k] < entry.worker) {
            k++;
        }
        if (k == count) {
            break;
        }
        if (list[k] != entry.worker || !is_last_of_worker(node, entries, place)) {
            continue;
        }
        if (entry.blocks < span->blocks) {
            overlap[entry.worker] += entry.blocks;
        } else {
            overlap[entry.worker] += span->blocks;
            list[kept++] = entry.worker;
        }
    }
    return kept;
}

/* The match of a small fleet. */
static uint32_t match_narrow(const struct dyno_active *active, const struct dyno_span *spans,
                             uint32_t span_count, uint32_t *overlap, uint32_t *touched)
{
    uint32_t list[NARROW_WORKERS];
    uint32_t touched_count = 0, count = 0;

    for (uint32_t i = 0; i < span_count && (count || i == 0); i++) {
        const uint32_t *place = dyno_map_find(&active->node_of, spans[i].id);
        struct node *node;

        if (!place) {
            break;
        }
        node = node_at(active, *place);
        count = i == 0 ? begin(node, &spans[i], list, overlap, touched, &touched_count)
                       : narrow(node, &spans[i], list, count, overlap);
    }
    return touched_count;
}

dyno_status dyno_active_init(struct dyno_active *active, uint32_t worker_count)
{
    dyno_pool_init(&active->nodes, sizeof(struct node));
    return worker_count > NARROW_WORKERS ? dyno_kv_index_open(&active->wide, worker_count)
                                         : DYNO_OK;
}

void dyno_active_release(struct dyno_active *active)
{
    dyno_map_release(&active->node_of);
    dyno_pool_release(&active->nodes);
    dyno_slab_release(&active->slab);
    dyno_kv_index_close(active->wide);
    memset(active, 0, sizeof *active);
}

uint32_t dyno_active_match(const struct dyno_active *active, const struct dyno_span *spans,
                           uint32_t span_count, uint32_t *overlap, uint32_t *touched)
{
    return DYNO_RARELY(active->wide)
               ? dyno_kv_index_match(active->wide, spans, span_count, overlap, touched)
               : match_narrow(active, spans, span_count, overlap, touched);
}

dyno_status dyno_active_book(struct dyno_active *active, uint32_t worker,
                             const struct dyno_span *spans, uint32_t span_count,
                             struct dyno_active_ref *refs, uint64_t *blocks)
{
    for (uint32_t i = 0; i < span_count; i++) {
        dyno_status status = book(active, worker, &spans[i], &refs[i], blocks);

        if (status != DYNO_OK) {
            dyno_active_unbook(active, worker, refs, i, blocks);
            return status;
        }
    }
    return DYNO_OK;
}

void dyno_active_unbook(struct dyno_active *active, uint32_t worker,
                        const struct dyno_active_ref *refs, uint32_t ref_count, uint64_t *blocks)
{
    for (uint32_t i = ref_count; i-- > 0;) {
        let_go(active, &refs[i], worker, blocks);
    }
}
