/* A window, whole conversations left out or copied, and another pace. */
#include "traces/shape.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "core/base/map.h"
#include "core/base/rng.h"
#include "traces/conversations.h"

struct shaper {
    const struct dyno_pile *pile;
    const struct dyno_shape_config *config;
    struct dyno_conversations conversations;
    bool *is_in;            /* [rows]: in the window */
    struct dyno_map inside; /* session or name -> 1 if the row last seen of it is in the window */
    struct dyno_pile *out;
};

static dyno_status no_memory(struct dyno_error *error)
{
    return dyno_fail(error, DYNO_NO_MEMORY, "no memory to shape a trace");
}

/* A session and a name may be the same number. */
static uint64_t session_key(uint64_t session)
{
    return dyno_chain(session, 1);
}

static bool known_inside(const struct shaper *shaper, uint64_t key, bool *is_known)
{
    const uint32_t *inside = dyno_map_find(&shaper->inside, key);

    *is_known = *is_known || inside;
    return !inside || *inside;
}

/* A row without a time goes with all that it waits for, if that is there. */
static bool follows_inside(const struct shaper *shaper, const struct dyno_row *row, bool *is_known)
{
    bool is_in = true;

    *is_known = false;
    if (row->session != 0 && row->is_ordered) {
        is_in = known_inside(shaper, session_key(row->session), is_known);
    }
    if (row->parent != 0) {
        is_in = known_inside(shaper, row->parent, is_known) && is_in;
    }
    for (uint32_t k = 0; k < row->wait_count; k++) {
        is_in = known_inside(shaper, row->waits[k], is_known) && is_in;
    }
    return is_in;
}

static bool is_inside(const struct shaper *shaper, const struct dyno_row *row)
{
    bool is_known = false, follows;

    if (!row->has_at) {
        follows = follows_inside(shaper, row, &is_known);
        if (is_known) {
            return follows;
        }
    }
    return row->at >= shaper->config->from_ns && row->at < shaper->config->until_ns;
}

static bool note_inside(struct shaper *shaper, uint64_t key, bool is_in)
{
    uint32_t *value = key == 0 ? NULL : dyno_map_put(&shaper->inside, key, is_in, NULL);

    if (value) {
        *value = is_in;
    }
    return key == 0 || value;
}

static dyno_status cut_window(struct shaper *shaper, struct dyno_error *error)
{
    for (size_t i = 0; i < shaper->pile->count; i++) {
        const struct dyno_row *row = &shaper->pile->rows[i];
        bool is_in = shaper->is_in[i] = is_inside(shaper, row);

        if (!note_inside(shaper, row->name, is_in) ||
            (row->session && !note_inside(shaper, session_key(row->session), is_in))) {
            return no_memory(error);
        }
    }
    return DYNO_OK;
}

/* What no longer comes is no longer waited for. */
static void drop_waits(const struct shaper *shaper, struct dyno_row *row)
{
    uint32_t kept = 0;

    for (uint32_t k = 0; k < row->wait_count; k++) {
        const uint32_t *inside = dyno_map_find(&shaper->inside, row->waits[k]);

        if (inside && *inside) {
            row->waits[kept++] = row->waits[k];
        }
    }
    row->wait_count = kept;
}

static dyno_ns at_pace(const struct shaper *shaper, dyno_ns time)
{
    return (dyno_ns)llround((double)time / shaper->config->speedup);
}

/* The row as it is in its conversation's copy number `copy`. */
static void change(const struct shaper *shaper, struct dyno_row *row, uint32_t copy, dyno_ns later)
{
    dyno_ns from = shaper->config->from_ns;

    drop_waits(shaper, row);
    row->at = at_pace(shaper, row->at > from ? row->at - from : 0) + later;
    row->delay = at_pace(shaper, row->delay);
    row->session = dyno_key_in_world(row->session, copy);
    row->name = dyno_key_in_world(row->name, copy);
    row->parent = dyno_key_in_world(row->parent, copy);
    for (uint32_t k = 0; k < row->wait_count; k++) {
        row->waits[k] = dyno_key_in_world(row->waits[k], copy);
    }
    for (uint32_t k = 0; k < row->segment_count; k++) {
        uint64_t id = row->segments[k].id;

        if (!dyno_conversations_is_common(&shaper->conversations, id)) {
            row->segments[k].id = dyno_key_in_world(id, copy);
        }
    }
}

/* How often a conversation is there, and how much later its copy begins: drawn from its first row's
 * number, so that every row of it hears the same. */
static uint32_t copies_of(const struct shaper *shaper, uint32_t first)
{
    double whole = floor(shaper->config->scale);
    struct dyno_rng rng;

    dyno_rng_init(&rng, dyno_chain(shaper->config->seed, first), "shape.copies");
    return (uint32_t)whole + (dyno_rng_unit(&rng) < shaper->config->scale - whole);
}

static dyno_ns moved_by(const struct shaper *shaper, uint32_t first, uint32_t copy)
{
    struct dyno_rng rng;

    if (copy == 0 || shaper->config->spread_ns == 0) {
        return 0;
    }
    dyno_rng_init(&rng, dyno_chain(dyno_chain(shaper->config->seed, first), copy), "shape.spread");
    return dyno_rng_below(&rng, shaper->config->spread_ns);
}

static dyno_status add_copies(struct shaper *shaper, size_t index, struct dyno_error *error)
{
    uint32_t first = shaper->conversations.first[index], copies = copies_of(shaper, first);

    for (uint32_t copy = 0; copy < copies; copy++) {
        DYNO_TRY(dyno_pile_add(shaper->out, &shaper->pile->rows[index], error));
        change(shaper, &shaper->out->rows[shaper->out->count - 1], copy,
               moved_by(shaper, first, copy));
    }
    return DYNO_OK;
}

static dyno_status shape(struct shaper *shaper, struct dyno_error *error)
{
    DYNO_TRY(dyno_conversations_find(&shaper->conversations, shaper->pile,
                                     shaper->config->common_min, error));
    DYNO_TRY(cut_window(shaper, error));
    for (size_t i = 0; i < shaper->pile->count; i++) {
        if (shaper->is_in[i]) {
            DYNO_TRY(add_copies(shaper, i, error));
        }
    }
    if (shaper->out->count == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "no request is left of %zu; expected a wider window or a larger scale",
                         shaper->pile->count);
    }
    dyno_pile_sort(shaper->out);
    return DYNO_OK;
}

dyno_status dyno_shape(struct dyno_pile *out, const struct dyno_pile *pile,
                       const struct dyno_shape_config *config, uint64_t *conversations,
                       struct dyno_error *error)
{
    struct shaper shaper = {.pile = pile, .config = config, .out = out};
    dyno_status status;

    shaper.is_in = calloc(pile->count + 1, sizeof *shaper.is_in);
    status = shaper.is_in ? shape(&shaper, error) : no_memory(error);
    *conversations = shaper.conversations.count;
    free(shaper.is_in);
    dyno_map_release(&shaper.inside);
    dyno_conversations_release(&shaper.conversations);
    return status;
}
