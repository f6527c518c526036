/* Stack distances by a Fenwick tree over the order of use.
 *
 * Every use has a place, counted up; a block stands at the place of its last use.  The distance of
 * a block is how many blocks stand at its place and after it: a sum that the tree keeps.  When the
 * places are used up, the blocks move together, in order. */
#include "traces/reuse.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/map.h"

enum { PLACES_MIN = 1 << 12 };

struct dyno_reuse {
    struct dyno_map numbers; /* block -> 0, 1, 2, ... */
    uint32_t *place_of;      /* [block_capacity]: by number; from 1 */
    uint64_t *hits;          /* [block_capacity + 1]: references by distance */
    size_t block_capacity;
    uint32_t *tree;  /* [places + 1]: Fenwick tree of how many blocks stand at a place */
    uint32_t *block; /* [places + 1]: the number of the block that was used there */
    size_t places, used;
    uint64_t references;
    bool is_cut, is_summed; /* hits are cumulated already */
};

dyno_status dyno_reuse_open(struct dyno_reuse **out, struct dyno_error *error)
{
    *out = calloc(1, sizeof **out);
    return *out ? DYNO_OK : dyno_fail(error, DYNO_NO_MEMORY, "no memory for a curve of reuse");
}

void dyno_reuse_close(struct dyno_reuse *reuse)
{
    if (reuse) {
        dyno_map_release(&reuse->numbers);
        free(reuse->place_of);
        free(reuse->hits);
        free(reuse->tree);
        free(reuse->block);
        free(reuse);
    }
}

static void tree_add(struct dyno_reuse *reuse, size_t place, uint32_t amount)
{
    for (; place <= reuse->places; place += place & -place) {
        reuse->tree[place] += amount;
    }
}

/* How many blocks stand at a place up to this one. */
static uint32_t tree_sum(const struct dyno_reuse *reuse, size_t place)
{
    uint32_t sum = 0;

    for (; place > 0; place -= place & -place) {
        sum += reuse->tree[place];
    }
    return sum;
}

/* Room for one more block. */
static bool grow_blocks(struct dyno_reuse *reuse)
{
    size_t capacity = reuse->block_capacity ? 2 * reuse->block_capacity : PLACES_MIN;
    uint32_t *place_of;
    uint64_t *hits;

    if (reuse->numbers.count < reuse->block_capacity) {
        return true;
    }
    place_of = realloc(reuse->place_of, capacity * sizeof *place_of);
    if (!place_of) {
        return false;
    }
    reuse->place_of = place_of;
    hits = realloc(reuse->hits, (capacity + 1) * sizeof *hits);
    if (!hits) {
        return false;
    }
    memset(hits + (reuse->block_capacity ? reuse->block_capacity + 1 : 0), 0,
           (capacity - reuse->block_capacity + (reuse->block_capacity == 0)) * sizeof *hits);
    reuse->hits = hits;
    reuse->block_capacity = capacity;
    return true;
}

/* Move the blocks together into `places` places. */
static bool move_together(struct dyno_reuse *reuse, size_t places)
{
    uint32_t *tree = calloc(places + 1, sizeof *tree);
    uint32_t *block = malloc((places + 1) * sizeof *block);
    size_t to = 0;

    if (!tree || !block) {
        free(tree);
        free(block);
        return false;
    }
    for (size_t from = 1; from <= reuse->used; from++) {
        uint32_t number = reuse->block[from];

        if (reuse->place_of[number] == from) {
            block[++to] = number;
            reuse->place_of[number] = (uint32_t)to;
        }
    }
    free(reuse->tree);
    free(reuse->block);
    reuse->tree = tree;
    reuse->block = block;
    reuse->places = places;
    reuse->used = to;
    for (size_t place = 1; place <= to; place++) {
        tree_add(reuse, place, 1);
    }
    return true;
}

/* Room for one more use; at least half of the places are free after a move. */
static bool make_place(struct dyno_reuse *reuse)
{
    size_t places = reuse->places ? reuse->places : PLACES_MIN;

    if (reuse->used < reuse->places) {
        return true;
    }
    while (places < 2 * (reuse->numbers.count + 1)) {
        places *= 2;
    }
    return move_together(reuse, places);
}

/* Use a block: it moves to the newest place. */
static bool use(struct dyno_reuse *reuse, uint64_t id)
{
    uint32_t fresh = (uint32_t)reuse->numbers.count, *known;
    int is_new;

    if (!grow_blocks(reuse) || !make_place(reuse) ||
        !(known = dyno_map_put(&reuse->numbers, id, fresh, &is_new))) {
        return false;
    }
    if (!is_new) {
        tree_add(reuse, reuse->place_of[*known], UINT32_MAX); /* less one */
    }
    reuse->used++;
    reuse->block[reuse->used] = *known;
    reuse->place_of[*known] = (uint32_t)reuse->used;
    tree_add(reuse, reuse->used, 1);
    return true;
}

/* Count the blocks of a prompt that some cache holds: a beginning of it. */
static void count_hits(struct dyno_reuse *reuse, const struct dyno_span *blocks, uint32_t count)
{
    uint32_t standing = (uint32_t)reuse->numbers.count;

    for (uint32_t i = 0; i < count; i++) {
        const uint32_t *known = dyno_map_find(&reuse->numbers, blocks[i].id);

        if (!known) {
            return;
        }
        reuse->hits[standing - tree_sum(reuse, reuse->place_of[*known] - 1)]++;
    }
}

dyno_status dyno_reuse_note(struct dyno_reuse *reuse, const struct dyno_span *blocks,
                            uint32_t count, size_t distinct_max, struct dyno_error *error)
{
    if (reuse->is_cut) {
        return DYNO_OK;
    }
    reuse->references += count;
    count_hits(reuse, blocks, count);
    for (uint32_t i = count; i > 0; i--) {
        if (!use(reuse, blocks[i - 1].id)) {
            return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a curve of reuse");
        }
    }
    reuse->is_cut = reuse->numbers.count > distinct_max;
    return DYNO_OK;
}

bool dyno_reuse_is_cut(const struct dyno_reuse *reuse)
{
    return reuse->is_cut;
}

void dyno_reuse_curve(struct dyno_reuse *reuse, const uint64_t **hits, size_t *size,
                      uint64_t *references)
{
    static const uint64_t none[1] = {0};

    for (size_t c = 1; c <= reuse->numbers.count && !reuse->is_summed; c++) {
        reuse->hits[c] += reuse->hits[c - 1];
    }
    reuse->is_summed = true;
    *hits = reuse->hits ? reuse->hits : none;
    *size = reuse->numbers.count;
    *references = reuse->references;
}
