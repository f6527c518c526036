#include "traces/passed.h"

static bool is_in(const struct dyno_map *map, uint64_t key)
{
    return key != 0 && dyno_map_find(map, key) != NULL;
}

static bool waits_for_passed(const struct dyno_passed *passed, const struct dyno_row *row)
{
    bool waits = is_in(&passed->sessions, row->session) || is_in(&passed->names, row->parent);

    for (uint32_t i = 0; i < row->wait_count && !waits; i++) {
        waits = is_in(&passed->names, row->waits[i]);
    }
    return waits;
}

/* Nobody will end that it waits for. */
static void part(const struct dyno_passed *passed, struct dyno_row *row)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < row->wait_count; i++) {
        if (!is_in(&passed->names, row->waits[i])) {
            row->waits[kept++] = row->waits[i];
        }
    }
    row->wait_count = kept;
    row->parent = is_in(&passed->names, row->parent) ? 0 : row->parent;
}

static dyno_status note(struct dyno_map *map, uint64_t key, struct dyno_error *error)
{
    return key == 0 || dyno_map_put(map, key, 1, NULL)
               ? DYNO_OK
               : dyno_fail(error, DYNO_NO_MEMORY, "no memory to pass over requests");
}

dyno_status dyno_passed_see(struct dyno_passed *passed, uint64_t skip, struct dyno_row *row,
                            bool *is_passed, struct dyno_error *error)
{
    *is_passed = passed->seen++ < skip;
    if (!*is_passed && passed->count > 0) {
        *is_passed = !row->has_at && waits_for_passed(passed, row);
        part(passed, row);
    }
    if (!*is_passed) {
        if (row->has_at && is_in(&passed->sessions, row->session)) {
            dyno_map_remove(&passed->sessions, row->session); /* it goes on from here */
        }
        return DYNO_OK;
    }
    passed->count++;
    DYNO_TRY(note(&passed->sessions, row->session, error));
    return note(&passed->names, row->name, error);
}

void dyno_passed_release(struct dyno_passed *passed)
{
    dyno_map_release(&passed->sessions);
    dyno_map_release(&passed->names);
    *passed = (struct dyno_passed){.count = 0};
}
