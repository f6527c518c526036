/* Conversations as disjoint sets of rows, each set named by its first row. */
#include "traces/conversations.h"

#include <stdlib.h>

static dyno_status no_memory(struct dyno_error *error)
{
    return dyno_fail(error, DYNO_NO_MEMORY, "no memory to find the conversations of a trace");
}

static uint32_t root_of(uint32_t *first, uint32_t row)
{
    while (first[row] != row) {
        first[row] = first[first[row]];
        row = first[row];
    }
    return row;
}

static void join(uint32_t *first, uint32_t left, uint32_t right)
{
    uint32_t a = root_of(first, left), b = root_of(first, right);

    first[a < b ? b : a] = a < b ? a : b;
}

/* Rows with one key are of one conversation; 0 is no key. */
static bool join_by_key(struct dyno_map *seen, uint64_t key, uint32_t row, uint32_t *first)
{
    uint32_t *known = key == 0 ? &row : dyno_map_put(seen, key, row, NULL);

    if (known) {
        join(first, *known, row);
    }
    return known != NULL;
}

static bool count_uses(struct dyno_conversations *out, const struct dyno_pile *pile)
{
    for (size_t i = 0; i < pile->count; i++) {
        for (uint32_t k = 0; k < pile->rows[i].segment_count; k++) {
            uint32_t *uses = dyno_map_put(&out->uses, pile->rows[i].segments[k].id, 0, NULL);

            if (!uses) {
                return false;
            }
            *uses += *uses < UINT32_MAX;
        }
    }
    return true;
}

struct seen {
    struct dyno_map sessions, names, blocks; /* -> a row that has it */
};

static bool join_row(struct dyno_conversations *out, struct seen *seen, const struct dyno_row *row,
                     uint32_t index)
{
    if (!join_by_key(&seen->sessions, row->session, index, out->first) ||
        !join_by_key(&seen->names, row->name, index, out->first) ||
        !join_by_key(&seen->names, row->parent, index, out->first)) {
        return false;
    }
    for (uint32_t k = 0; k < row->wait_count; k++) {
        if (!join_by_key(&seen->names, row->waits[k], index, out->first)) {
            return false;
        }
    }
    for (uint32_t k = 0; k < row->segment_count; k++) {
        uint64_t id = row->segments[k].id;

        if (!dyno_conversations_is_common(out, id) &&
            !join_by_key(&seen->blocks, id, index, out->first)) {
            return false;
        }
    }
    return true;
}

static bool join_rows(struct dyno_conversations *out, const struct dyno_pile *pile)
{
    struct seen seen = {0};
    bool fits = true;

    for (uint32_t i = 0; i < pile->count && fits; i++) {
        out->first[i] = i;
        fits = join_row(out, &seen, &pile->rows[i], i);
    }
    for (uint32_t i = 0; i < pile->count && fits; i++) {
        out->first[i] = root_of(out->first, i);
        out->count += out->first[i] == i;
    }
    dyno_map_release(&seen.sessions);
    dyno_map_release(&seen.names);
    dyno_map_release(&seen.blocks);
    return fits;
}

dyno_status dyno_conversations_find(struct dyno_conversations *out, const struct dyno_pile *pile,
                                    uint32_t common_min, struct dyno_error *error)
{
    *out = (struct dyno_conversations){.common_min = common_min};
    if (pile->count > UINT32_MAX - 1) {
        return dyno_fail(error, DYNO_BAD_INPUT, "a trace of more than 2^32 requests");
    }
    out->first = malloc((pile->count + 1) * sizeof *out->first);
    if (!out->first || !count_uses(out, pile) || !join_rows(out, pile)) {
        dyno_conversations_release(out);
        return no_memory(error);
    }
    return DYNO_OK;
}

void dyno_conversations_release(struct dyno_conversations *conversations)
{
    free(conversations->first);
    dyno_map_release(&conversations->uses);
    *conversations = (struct dyno_conversations){0};
}

bool dyno_conversations_is_common(const struct dyno_conversations *conversations, uint64_t block)
{
    const uint32_t *uses = dyno_map_find(&conversations->uses, block);

    return uses && *uses > conversations->common_min;
}
