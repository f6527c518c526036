#include "backends/grammar/pattern_class.h"

#include <stdlib.h>
#include <string.h>

#include "backends/grammar/parts.h"
#include "backends/grammar/pattern.h"
#include "core/base/array.h"

dyno_status dyno_class_add(struct dyno_pattern_tree *tree, uint32_t first, uint32_t last)
{
    if (tree->range_count == DYNO_PATTERN_RANGES_MAX) {
        return DYNO_FULL;
    }
    if (!dyno_array_reserve(&tree->ranges, &tree->range_capacity, tree->range_count + 1U,
                            sizeof *tree->ranges)) {
        return DYNO_NO_MEMORY;
    }
    tree->ranges[tree->range_count++] = (struct dyno_range){first, last};
    return DYNO_OK;
}

static int ascending(const void *left, const void *right)
{
    const struct dyno_range *a = left, *b = right;

    return (a->first > b->first) - (a->first < b->first);
}

static void merge(struct dyno_pattern_tree *tree, uint32_t begin)
{
    uint32_t kept = begin;

    if (tree->range_count > begin) {
        qsort(tree->ranges + begin, tree->range_count - begin, sizeof *tree->ranges, ascending);
    }
    for (uint32_t i = begin; i < tree->range_count; i++) {
        struct dyno_range range = tree->ranges[i];

        if (kept > begin && range.first <= tree->ranges[kept - 1].last + 1) {
            if (range.last > tree->ranges[kept - 1].last) {
                tree->ranges[kept - 1].last = range.last;
            }
        } else {
            tree->ranges[kept++] = range;
        }
    }
    tree->range_count = kept;
}

dyno_status dyno_class_finish(struct dyno_pattern_tree *tree, uint32_t begin, bool opposite)
{
    uint32_t end, next = 0;

    merge(tree, begin);
    if (!opposite) {
        return DYNO_OK;
    }
    end = tree->range_count;
    for (uint32_t i = begin; i < end; i++) {
        struct dyno_range range = tree->ranges[i];

        if (range.first > next) {
            DYNO_TRY(dyno_class_add(tree, next, range.first - 1));
        }
        next = range.last + 1;
    }
    if (next <= DYNO_CHARACTER_MAX) {
        DYNO_TRY(dyno_class_add(tree, next, DYNO_CHARACTER_MAX));
    }
    if (tree->range_count > end) {
        memmove(tree->ranges + begin, tree->ranges + end,
                (tree->range_count - end) * sizeof *tree->ranges);
    }
    tree->range_count -= end - begin;
    return DYNO_OK;
}

static dyno_status add_all(struct dyno_pattern_tree *tree, const struct dyno_range *ranges,
                           uint32_t count, bool opposite)
{
    uint32_t begin = tree->range_count;

    for (uint32_t i = 0; i < count; i++) {
        DYNO_TRY(dyno_class_add(tree, ranges[i].first, ranges[i].last));
    }
    return dyno_class_finish(tree, begin, opposite);
}

bool dyno_class_named(struct dyno_pattern_tree *tree, uint32_t letter, dyno_status *status)
{
    static const struct dyno_range digits[] = {{'0', '9'}};
    static const struct dyno_range words[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
    static const struct dyno_range spaces[] = {
        {9, 13},          {' ', ' '},       {0xa0, 0xa0},     {0x1680, 0x1680}, {0x2000, 0x200a},
        {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}, {0xfeff, 0xfeff}};

    switch (letter) {
    case 'd':
    case 'D':
        *status = add_all(tree, digits, 1, letter == 'D');
        return true;
    case 'w':
    case 'W':
        *status = add_all(tree, words, 4, letter == 'W');
        return true;
    case 's':
    case 'S':
        *status = add_all(tree, spaces, 10, letter == 'S');
        return true;
    default:
        return false;
    }
}
