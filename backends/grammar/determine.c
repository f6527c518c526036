/* The subset construction: a deterministic state is a set of parts.  Of a set only those parts are
 * kept that read a byte or are the end. */
#include <stdlib.h>
#include <string.h>

#include "backends/grammar/parts.h"
#include "core/base/array.h"
#include "core/base/map.h"

enum { POOL_MAX = 1 << 22 };

struct set {
    uint32_t begin, count; /* in the pool */
};

struct subsets {
    const struct dyno_part *parts;
    uint32_t end; /* the part that is the end of the whole */
    struct dyno_regular draft;
    struct set *sets; /* [draft.state_count] */
    uint32_t *pool;
    uint32_t set_capacity, pool_count, pool_capacity;
    struct dyno_map
        first_of; /* hash of a set -> its number plus one; sets of one hash are tried on */
    uint32_t *stack, *seen; /* [part count]; seen: the closure in which a part was last met */
    uint32_t closure;
    uint64_t work;
};

/* Whatever can be reached from `part` without a byte goes behind the pool. */
static dyno_status close_over(struct subsets *subsets, uint32_t part)
{
    uint32_t depth = 0;

    if (subsets->seen[part] != subsets->closure) {
        subsets->seen[part] = subsets->closure;
        subsets->stack[depth++] = part;
    }
    while (depth > 0) {
        uint32_t at = subsets->stack[--depth];
        const uint32_t ways[2] = {subsets->parts[at].next, subsets->parts[at].other};

        subsets->work++;
        if (subsets->parts[at].reads || at == subsets->end) {
            if (subsets->pool_count == POOL_MAX) {
                return DYNO_FULL;
            }
            if (!dyno_array_reserve(&subsets->pool, &subsets->pool_capacity,
                                    subsets->pool_count + 1U, sizeof *subsets->pool)) {
                return DYNO_NO_MEMORY;
            }
            subsets->pool[subsets->pool_count++] = at;
        }
        for (int i = 0; i < 2 && !subsets->parts[at].reads; i++) {
            if (ways[i] != DYNO_PART_NONE && subsets->seen[ways[i]] != subsets->closure) {
                subsets->seen[ways[i]] = subsets->closure;
                subsets->stack[depth++] = ways[i];
            }
        }
    }
    return DYNO_OK;
}

static int ascending(const void *left, const void *right)
{
    const uint32_t *a = left, *b = right;

    return (*a > *b) - (*a < *b);
}

static bool same(const struct subsets *subsets, struct set a, struct set b)
{
    return a.count == b.count && memcmp(subsets->pool + a.begin, subsets->pool + b.begin,
                                        a.count * sizeof *subsets->pool) == 0;
}

/* The number of the set that lies behind the pool; a known one is taken off again. */
static dyno_status number_of(struct subsets *subsets, uint32_t begin, uint32_t *number)
{
    struct set set = {begin, subsets->pool_count - begin};
    uint64_t hash = dyno_chain(set.count, 0);
    bool accepts = false;
    uint32_t *place;
    int is_new = 0;

    if (set.count > 1) {
        qsort(subsets->pool + begin, set.count, sizeof *subsets->pool, ascending);
    }
    for (uint32_t i = 0; i < set.count; i++) {
        hash = dyno_chain(hash, subsets->pool[begin + i]);
        accepts = accepts || subsets->pool[begin + i] == subsets->end;
    }
    for (;; hash = dyno_chain(hash, 1)) {
        place = dyno_map_put(&subsets->first_of, hash, subsets->draft.state_count, &is_new);
        if (!place) {
            return DYNO_NO_MEMORY;
        }
        *number = *place;
        if (is_new) {
            break;
        }
        if (same(subsets, subsets->sets[*number], set)) {
            subsets->pool_count = begin;
            return DYNO_OK;
        }
    }
    if (!dyno_array_reserve(&subsets->sets, &subsets->set_capacity, subsets->draft.state_count + 1U,
                            sizeof set)) {
        return DYNO_NO_MEMORY;
    }
    subsets->sets[*number] = set;
    return dyno_draft_state(&subsets->draft, accepts);
}

/* The edge of state `state` for the bytes first ... last, which none of its parts tells apart. */
static dyno_status add_edge(struct subsets *subsets, uint32_t state, uint8_t first, uint8_t last)
{
    struct set set = subsets->sets[state];
    uint32_t begin = subsets->pool_count, next;

    subsets->closure++;
    for (uint32_t i = 0; i < set.count; i++) {
        const struct dyno_part *part = &subsets->parts[subsets->pool[set.begin + i]];

        subsets->work++;
        if (part->reads && part->first <= first && first <= part->last) {
            DYNO_TRY(close_over(subsets, part->next));
        }
    }
    if (subsets->pool_count == begin) {
        return DYNO_OK;
    }
    DYNO_TRY(number_of(subsets, begin, &next));
    return dyno_draft_edge(&subsets->draft, state, first, last, next);
}

static dyno_status add_edges(struct subsets *subsets, uint32_t state)
{
    struct set set = subsets->sets[state];
    bool cut[257] = {[0] = true, [256] = true};

    for (uint32_t i = 0; i < set.count; i++) {
        const struct dyno_part *part = &subsets->parts[subsets->pool[set.begin + i]];

        if (part->reads) {
            cut[part->first] = cut[part->last + 1] = true;
        }
    }
    for (int first = 0, last; first < 256; first = last + 1) {
        for (last = first; !cut[last + 1]; last++) {
        }
        DYNO_TRY(add_edge(subsets, state, (uint8_t)first, (uint8_t)last));
    }
    return subsets->work > DYNO_REGULAR_WORK_MAX ? DYNO_FULL : DYNO_OK;
}

static dyno_status construct(struct subsets *subsets, uint32_t begin)
{
    uint32_t first;

    subsets->closure++;
    DYNO_TRY(close_over(subsets, begin));
    DYNO_TRY(number_of(subsets, 0, &first));
    for (uint32_t i = 0; i < subsets->draft.state_count; i++) {
        DYNO_TRY(add_edges(subsets, i));
    }
    return DYNO_OK;
}

dyno_status dyno_regular_add(struct dyno_regular *table, struct dyno_parts *parts,
                             struct dyno_piece piece, uint32_t *start)
{
    struct subsets subsets = {
        .parts = parts->parts, .end = piece.end, .work = table->work + parts->count};
    dyno_status status = parts->status;

    if (status != DYNO_OK) {
        return status;
    }
    subsets.stack = calloc(parts->count, sizeof *subsets.stack);
    subsets.seen = calloc(parts->count, sizeof *subsets.seen);
    status = subsets.stack && subsets.seen ? construct(&subsets, piece.begin) : DYNO_NO_MEMORY;
    if (status == DYNO_OK) {
        status = dyno_regular_append(table, &subsets.draft, start);
    }
    table->work = subsets.work;
    dyno_regular_release(&subsets.draft);
    dyno_map_release(&subsets.first_of);
    free(subsets.sets);
    free(subsets.pool);
    free(subsets.stack);
    free(subsets.seen);
    return status;
}
