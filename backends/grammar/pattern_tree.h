/* A regular expression as a tree.  For pattern.h's own files. */
#ifndef DYNO_BACKENDS_GRAMMAR_PATTERN_TREE_H
#define DYNO_BACKENDS_GRAMMAR_PATTERN_TREE_H

#include <stddef.h>

#include "backends/grammar/spelling.h"
#include "core/base/status.h"

#define DYNO_ITEM_NONE     UINT32_MAX
#define DYNO_REPEAT_NO_MAX UINT32_MAX

enum dyno_item_kind {
    DYNO_ITEM_CLASS,    /* one character of ranges[first, first + count) */
    DYNO_ITEM_SEQUENCE, /* the items from `first` on, one behind the other; may be none */
    DYNO_ITEM_EITHER,   /* one of the items from `first` on */
    DYNO_ITEM_REPEAT,   /* `first`, from min to max times */
};

struct dyno_pattern_item {
    enum dyno_item_kind kind;
    uint32_t first, count, min, max;
    uint32_t next; /* in the sequence or choice that it is part of; NONE: the last */
};

struct dyno_pattern_tree {
    struct dyno_pattern_item *items;
    struct dyno_range *ranges;
    uint32_t item_count, item_capacity, range_count, range_capacity;
    uint32_t root;
};

/* On failure too the tree is the caller's to release. */
dyno_status dyno_pattern_parse(struct dyno_pattern_tree *tree, const char *text, size_t size,
                               struct dyno_error *error);
void dyno_pattern_release(struct dyno_pattern_tree *tree);

#endif
