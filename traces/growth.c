#include "traces/growth.h"

#include <stdlib.h>

enum { GO_ON_MAX = 2 }; /* turns that go on from one */

struct growth {
    const struct dyno_conversations *conversations;
    const struct dyno_pile *pile;
    struct dyno_map ends; /* the last whole block of a prompt -> the latest row of such a prompt */
    uint32_t *before;     /* [rows]: the row that it goes on from; itself: none */
    uint32_t *go_on;      /* [rows]: how many go on from it */
};

/* Of the row's identities, those of whole blocks; a prompt's last block may be a part of one. */
static uint32_t whole_blocks(const struct growth *growth, const struct dyno_row *row)
{
    uint32_t count = row->segment_count;

    return count > 0 && row->segments[count - 1].end % growth->pile->block_tokens != 0 ? count - 1
                                                                                       : count;
}

/* The row with the longest prompt that this one begins with; what many have is nobody's. */
static uint32_t row_before(const struct growth *growth, uint32_t index)
{
    const struct dyno_row *rows = growth->pile->rows, *row = &rows[index];

    for (uint32_t k = whole_blocks(growth, row); k > 0; k--) {
        uint64_t id = row->segments[k - 1].id;
        const uint32_t *found = dyno_map_find(&growth->ends, id);

        if (dyno_conversations_is_common(growth->conversations, id)) {
            break;
        }
        if (found &&
            (uint64_t)rows[*found].input_tokens + rows[*found].output_tokens <= row->input_tokens) {
            return *found;
        }
    }
    return index;
}

static bool link_rows(struct growth *growth)
{
    for (uint32_t i = 0; i < growth->pile->count; i++) {
        const struct dyno_row *row = &growth->pile->rows[i];
        uint32_t whole = whole_blocks(growth, row), before = row_before(growth, i), *end;

        growth->before[i] = before;
        growth->go_on[before] += before != i;
        if (whole > 0) {
            end = dyno_map_put(&growth->ends, row->segments[whole - 1].id, i, NULL);
            if (!end) {
                return false;
            }
            *end = i;
        }
    }
    return true;
}

bool dyno_growth_find(struct dyno_conversations *conversations, const struct dyno_pile *pile)
{
    struct growth growth = {.conversations = conversations, .pile = pile};
    bool fits;

    growth.before = malloc((pile->count + 1) * sizeof *growth.before);
    growth.go_on = calloc(pile->count + 1, sizeof *growth.go_on);
    fits = growth.before && growth.go_on && link_rows(&growth);
    conversations->count = fits ? 0 : conversations->count;
    for (uint32_t i = 0; fits && i < pile->count; i++) {
        uint32_t before = growth.before[i];
        bool goes_on = before != i && growth.go_on[before] <= GO_ON_MAX;

        conversations->first[i] = goes_on ? conversations->first[before] : i;
        conversations->count += !goes_on;
    }
    free(growth.before);
    free(growth.go_on);
    dyno_map_release(&growth.ends);
    return fits;
}
