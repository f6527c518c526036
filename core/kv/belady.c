/* The cache with perfect foresight.
 *
 * A part is a row of blocks that every request uses all or nothing of: a span, or a piece of one.
 * When a request uses only the first blocks of a part, the part is cut there; the rest becomes a
 * new part that hangs at the first, and what was recorded for the whole now means both.
 *
 * Finishing walks the uses backwards once, to learn of each use when its part is used next, and
 * forwards once, with a heap of the kept parts by next use.  All blocks of a part have the same
 * next use, so when room is short a part gives up its last blocks one by one.
 */
#include "core/kv/belady.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/array.h"
#include "core/base/heap.h"
#include "core/base/map.h"

enum { NONE = UINT32_MAX, FIRST = 1u << 31, REFS_LIMIT = 1 << 30 };

struct part {
    uint32_t blocks;
    uint32_t rest; /* the part that follows in the same span, or NONE */
};

/* A request's use of a span: the first `blocks` blocks of the parts from `part` on. */
struct ref {
    uint32_t part;
    uint32_t blocks; /* with FIRST set: the request's first */
};

struct dyno_belady {
    uint64_t capacity_blocks;
    uint32_t block_tokens;
    uint32_t refs_max;
    bool overflowed;
    struct dyno_map part_of; /* span -> its first part */
    struct part *parts;
    uint32_t part_count, part_capacity;
    struct ref *refs;
    uint32_t ref_count, ref_capacity;
    uint64_t requests, prompt_tokens;
};

/* The forward walk. */
struct replay {
    const uint32_t *next;  /* [uses] the part's next use, or NONE */
    uint32_t *kept;        /* [parts] leading blocks in the cache */
    struct dyno_heap heap; /* kept parts, the furthest next use first */
    uint64_t kept_blocks, capacity_blocks;
    uint64_t hit_blocks, unbounded_hit_blocks;
    uint8_t *seen; /* [parts] used before */
};

static void give_up(struct dyno_belady *belady)
{
    dyno_map_release(&belady->part_of);
    free(belady->parts);
    free(belady->refs);
    belady->parts = NULL;
    belady->refs = NULL;
    belady->part_count = belady->part_capacity = 0;
    belady->ref_count = belady->ref_capacity = 0;
    belady->overflowed = true;
}

static uint32_t new_part(struct dyno_belady *belady, uint32_t blocks, uint32_t rest)
{
    if (!dyno_array_reserve(&belady->parts, &belady->part_capacity, belady->part_count + 1U,
                            sizeof *belady->parts)) {
        return NONE;
    }
    belady->parts[belady->part_count] = (struct part){.blocks = blocks, .rest = rest};
    return belady->part_count++;
}

/* Make the parts from `first` on have a boundary after `blocks` blocks. */
static dyno_status cut(struct dyno_belady *belady, uint32_t first, uint32_t blocks)
{
    uint32_t place = first, left = blocks, fresh;

    while (left > belady->parts[place].blocks && belady->parts[place].rest != NONE) {
        left -= belady->parts[place].blocks;
        place = belady->parts[place].rest;
    }
    if (left == belady->parts[place].blocks) {
        return DYNO_OK;
    }
    if (left > belady->parts[place].blocks) { /* longer than ever before: one more part */
        fresh = new_part(belady, left - belady->parts[place].blocks, NONE);
    } else {
        fresh = new_part(belady, belady->parts[place].blocks - left, belady->parts[place].rest);
    }
    if (fresh == NONE) {
        return DYNO_NO_MEMORY;
    }
    if (left < belady->parts[place].blocks) {
        belady->parts[place].blocks = left;
    }
    belady->parts[place].rest = fresh;
    return DYNO_OK;
}

static dyno_status record(struct dyno_belady *belady, const struct dyno_span *span, bool is_first)
{
    int is_new;
    uint32_t *place = dyno_map_put(&belady->part_of, span->id, NONE, &is_new);

    assert(span->blocks > 0 && span->blocks < FIRST);
    if (!place) {
        return DYNO_NO_MEMORY;
    }
    if (is_new) {
        *place = new_part(belady, span->blocks, NONE);
        if (*place == NONE) {
            dyno_map_remove(&belady->part_of, span->id);
            return DYNO_NO_MEMORY;
        }
    } else {
        DYNO_TRY(cut(belady, *place, span->blocks));
    }
    if (!dyno_array_reserve(&belady->refs, &belady->ref_capacity, belady->ref_count + 1U,
                            sizeof *belady->refs)) {
        return DYNO_NO_MEMORY;
    }
    belady->refs[belady->ref_count++] =
        (struct ref){.part = *place, .blocks = span->blocks | (is_first ? (uint32_t)FIRST : 0)};
    return DYNO_OK;
}

/* How many parts a reference uses, now that all cuts are made. */
static uint32_t uses_of(const struct dyno_belady *belady, const struct ref *ref)
{
    uint32_t left = ref->blocks & ~(uint32_t)FIRST, uses = 0;

    for (uint32_t place = ref->part; left > 0; place = belady->parts[place].rest) {
        left -= belady->parts[place].blocks;
        uses++;
    }
    return uses;
}

/* next[use] for all uses, numbered through all references; `last` [parts] is scratch, all NONE. */
static void find_next_uses(const struct dyno_belady *belady, uint64_t use_count, uint32_t *next,
                           uint32_t *last)
{
    uint64_t use = use_count;

    for (uint32_t i = belady->ref_count; i-- > 0;) {
        uint32_t uses = uses_of(belady, &belady->refs[i]);
        uint32_t place = belady->refs[i].part;

        use -= uses;
        for (uint32_t k = 0; k < uses; k++) {
            next[use + k] = last[place];
            last[place] = (uint32_t)(use + k);
            place = belady->parts[place].rest;
        }
    }
}

static void discard(struct replay *replay, uint32_t place)
{
    replay->kept_blocks -= replay->kept[place];
    replay->kept[place] = 0;
    dyno_heap_remove(&replay->heap, place);
}

/* The part was used and will be used again at `next`, or never. */
static void keep(struct replay *replay, uint32_t place, uint32_t blocks, uint32_t next)
{
    if (next == NONE) {
        discard(replay, place);
        return;
    }
    replay->kept_blocks += blocks - replay->kept[place];
    replay->kept[place] = blocks;
    dyno_heap_set(&replay->heap, place, NONE - (uint64_t)next);
}

/* Give up blocks, the furthest next use first, until the rest fits. */
static void shed(struct replay *replay)
{
    while (replay->kept_blocks > replay->capacity_blocks) {
        uint32_t place = dyno_heap_top(&replay->heap).id;
        uint64_t excess = replay->kept_blocks - replay->capacity_blocks;

        if (excess >= replay->kept[place]) {
            discard(replay, place);
        } else {
            replay->kept[place] -= (uint32_t)excess;
            replay->kept_blocks -= excess;
        }
    }
}

/* Whether a prompt's leading blocks have all been hits so far, with room for so much and without
 * bound. */
struct hits {
    bool bounded, unbounded;
};

static void use(struct replay *replay, struct hits *hits, uint32_t place, uint32_t blocks,
                uint32_t next)
{
    if (hits->bounded) {
        replay->hit_blocks += replay->kept[place];
        hits->bounded = replay->kept[place] == blocks;
    }
    hits->unbounded &= replay->seen[place] != 0;
    replay->unbounded_hit_blocks += hits->unbounded ? blocks : 0;
    replay->seen[place] = 1;
    keep(replay, place, blocks, next);
}

static void walk(const struct dyno_belady *belady, struct replay *replay)
{
    struct hits hits = {false, false};
    uint64_t number = 0;

    for (uint32_t i = 0; i < belady->ref_count; i++) {
        const struct ref *ref = &belady->refs[i];
        uint32_t left = ref->blocks & ~(uint32_t)FIRST;

        if (ref->blocks & FIRST) { /* the request before is complete */
            shed(replay);
            hits = (struct hits){true, true};
        }
        for (uint32_t place = ref->part; left > 0; place = belady->parts[place].rest) {
            left -= belady->parts[place].blocks;
            use(replay, &hits, place, belady->parts[place].blocks, replay->next[number++]);
        }
    }
}

static dyno_status compute(const struct dyno_belady *belady, uint64_t use_count,
                           struct dyno_belady_result *result)
{
    struct replay replay = {.capacity_blocks = belady->capacity_blocks};
    uint32_t *next = malloc((use_count + 1) * sizeof *next);
    dyno_status status = DYNO_NO_MEMORY;

    replay.next = next;
    replay.kept = malloc((belady->part_count + 1) * sizeof *replay.kept);
    replay.seen = calloc(belady->part_count + 1, sizeof *replay.seen);
    if (next && replay.kept && replay.seen &&
        dyno_heap_reserve(&replay.heap, belady->part_count) == DYNO_OK) {
        memset(replay.kept, 0xff, belady->part_count * sizeof *replay.kept);
        find_next_uses(belady, use_count, next, replay.kept);
        memset(replay.kept, 0, belady->part_count * sizeof *replay.kept);
        walk(belady, &replay);
        result->hit_tokens = replay.hit_blocks * belady->block_tokens;
        result->unbounded_hit_tokens = replay.unbounded_hit_blocks * belady->block_tokens;
        result->computed = true;
        status = DYNO_OK;
    }
    free(next);
    free(replay.kept);
    free(replay.seen);
    dyno_heap_release(&replay.heap);
    return status;
}

dyno_status dyno_belady_open(struct dyno_belady **out, uint64_t capacity_blocks,
                             uint32_t block_tokens, uint32_t refs_max)
{
    struct dyno_belady *belady = calloc(1, sizeof *belady);

    if (!belady) {
        return DYNO_NO_MEMORY;
    }
    belady->capacity_blocks = capacity_blocks;
    belady->block_tokens = block_tokens;
    belady->refs_max = refs_max < REFS_LIMIT ? refs_max : REFS_LIMIT;
    *out = belady;
    return DYNO_OK;
}

void dyno_belady_close(struct dyno_belady *belady)
{
    if (belady) {
        give_up(belady);
        free(belady);
    }
}

void dyno_belady_widen(struct dyno_belady *belady, uint64_t blocks)
{
    belady->capacity_blocks += blocks;
}

dyno_status dyno_belady_add(struct dyno_belady *belady, const struct dyno_span *spans,
                            uint32_t span_count, uint32_t prompt_tokens)
{
    belady->requests++;
    belady->prompt_tokens += prompt_tokens;
    if (!belady->overflowed && span_count > belady->refs_max - belady->ref_count) {
        give_up(belady);
    }
    for (uint32_t i = 0; i < span_count && !belady->overflowed; i++) {
        DYNO_TRY(record(belady, &spans[i], i == 0));
    }
    return DYNO_OK;
}

dyno_status dyno_belady_finish(struct dyno_belady *belady, struct dyno_belady_result *result)
{
    struct dyno_belady_result out = {.requests = belady->requests,
                                     .prompt_tokens = belady->prompt_tokens};
    uint64_t use_count = 0;

    if (belady->overflowed) {
        *result = (struct dyno_belady_result){.computed = false};
        return DYNO_OK;
    }
    dyno_map_release(&belady->part_of);
    for (uint32_t i = 0; i < belady->ref_count; i++) {
        use_count += uses_of(belady, &belady->refs[i]);
    }
    if (use_count >= NONE) {
        *result = (struct dyno_belady_result){.computed = false};
        return DYNO_OK;
    }
    DYNO_TRY(compute(belady, use_count, &out));
    *result = out;
    return DYNO_OK;
}
