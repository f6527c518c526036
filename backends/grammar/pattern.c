/* A pattern becomes a tree of items, and the tree parts: what is repeated is made anew each time.
 */
#include "backends/grammar/pattern.h"

#include <stdlib.h>

#include "backends/grammar/pattern_tree.h"

static struct dyno_piece piece_of(struct dyno_parts *parts, const struct dyno_pattern_tree *tree,
                                  uint32_t at);

static struct dyno_piece sequence_piece(struct dyno_parts *parts,
                                        const struct dyno_pattern_tree *tree, uint32_t first)
{
    struct dyno_piece piece = dyno_piece_empty(parts);

    for (uint32_t at = first; at != DYNO_ITEM_NONE; at = tree->items[at].next) {
        piece = dyno_piece_join(parts, piece, piece_of(parts, tree, at));
    }
    return piece;
}

static struct dyno_piece either_piece(struct dyno_parts *parts,
                                      const struct dyno_pattern_tree *tree, uint32_t first)
{
    struct dyno_piece piece = piece_of(parts, tree, first);

    for (uint32_t at = tree->items[first].next; at != DYNO_ITEM_NONE; at = tree->items[at].next) {
        piece = dyno_piece_either(parts, piece, piece_of(parts, tree, at));
    }
    return piece;
}

/* x x x (x (x)?)? or x x x x*. */
static struct dyno_piece repeat_piece(struct dyno_parts *parts,
                                      const struct dyno_pattern_tree *tree,
                                      const struct dyno_pattern_item *item)
{
    struct dyno_piece piece = dyno_piece_empty(parts), tail;

    for (uint32_t i = 0; i < item->min && parts->status == DYNO_OK; i++) {
        piece = dyno_piece_join(parts, piece, piece_of(parts, tree, item->first));
    }
    if (item->max == DYNO_REPEAT_NO_MAX) {
        tail = dyno_piece_any_times(parts, piece_of(parts, tree, item->first));
        return dyno_piece_join(parts, piece, tail);
    }
    tail = dyno_piece_empty(parts);
    for (uint32_t i = item->min; i < item->max && parts->status == DYNO_OK; i++) {
        tail = dyno_piece_join(parts, piece_of(parts, tree, item->first), tail);
        tail = dyno_piece_optional(parts, tail);
    }
    return dyno_piece_join(parts, piece, tail);
}

static struct dyno_piece piece_of(struct dyno_parts *parts, const struct dyno_pattern_tree *tree,
                                  uint32_t at)
{
    const struct dyno_pattern_item *item = &tree->items[at];

    switch (item->kind) {
    case DYNO_ITEM_CLASS:
        return dyno_piece_character(parts, tree->ranges + item->first, item->count);
    case DYNO_ITEM_SEQUENCE:
        return sequence_piece(parts, tree, item->first);
    case DYNO_ITEM_EITHER:
        return either_piece(parts, tree, item->first);
    case DYNO_ITEM_REPEAT:
        return repeat_piece(parts, tree, item);
    }
    return dyno_piece_empty(parts);
}

dyno_status dyno_piece_pattern(struct dyno_parts *parts, const char *text, size_t size,
                               struct dyno_piece *out, struct dyno_error *error)
{
    struct dyno_pattern_tree tree = {0};
    dyno_status status = dyno_pattern_parse(&tree, text, size, error);

    if (status == DYNO_OK) {
        *out = piece_of(parts, &tree, tree.root);
    }
    dyno_pattern_release(&tree);
    return status;
}
