/* Transfers that are given up, and links that are slow or down. */
#include <string.h>

#include "sim/fabric_parts.h"

static bool drop_done(struct fabric *fabric, uint64_t id)
{
    for (uint32_t i = 0; i < fabric->done_count; i++) {
        if (fabric->done[i].id == id) {
            fabric->done_count--;
            memmove(&fabric->done[i], &fabric->done[i + 1],
                    (fabric->done_count - i) * sizeof *fabric->done);
            return true;
        }
    }
    return false;
}

bool dyno_fabric_drop(struct dyno_links *links, dyno_ns now, uint64_t id)
{
    struct fabric *fabric = fabric_of(links);
    bool dropped;

    dyno_fabric_advance(fabric, now);
    for (uint32_t i = 0; i < fabric->events.count; i++) {
        uint32_t transfer = fabric->events.items[i].id;
        const struct moving *moving = at(fabric, transfer);

        if (moving->id != id) {
            continue;
        }
        dyno_heap_remove(&fabric->events, transfer);
        if (!moving->begun) {
            dyno_fabric_await(fabric, moving, false);
        } else {
            dyno_fabric_carry(fabric, moving, dyno_fabric_moved(moving, now));
            dyno_fabric_vacate(fabric, moving, now);
        }
        if (moving->begun && !fabric->config.alone) {
            dyno_fabric_quit(fabric, transfer, now);
        }
        dyno_pool_give(&fabric->transfers, transfer);
        links->due = dyno_fabric_next(links);
        return true;
    }
    dropped = drop_done(fabric, id);
    links->due = dyno_fabric_next(links);
    return dropped;
}

/* Whether it uses links, or will. */
static bool has_links(const struct moving *moving)
{
    return moving->hop_count > 0;
}

/* Every transfer is taken off its links, or put on them again as wide as they are now. */
static void take_all(struct fabric *fabric, bool back)
{
    for (uint32_t i = 0; i < fabric->events.count; i++) {
        uint32_t transfer = fabric->events.items[i].id;
        struct moving *moving = at(fabric, transfer);

        if (!has_links(moving)) {
            continue;
        }
        for (uint32_t j = 0; back && j < moving->hop_count; j++) {
            uint64_t capacity = fabric->links[moving->hops[j].link].capacity;

            moving->ceiling = j == 0 || capacity < moving->ceiling ? capacity : moving->ceiling;
        }
        if (!moving->begun) {
            dyno_fabric_await(fabric, moving, back);
        } else if (!fabric->config.alone) {
            (void)(back ? dyno_fabric_join : dyno_fabric_leave)(fabric, transfer);
        }
    }
}

/* Whoever moves, in the order of their places. */
static void set_rates(struct fabric *fabric, dyno_ns now)
{
    fabric->mark++;
    fabric->reached_count = 0;
    for (uint32_t i = 0; i < fabric->transfers.used; i++) {
        if (dyno_heap_has(&fabric->events, i) && at(fabric, i)->begun && has_links(at(fabric, i))) {
            dyno_fabric_reach(fabric, i);
        }
    }
    if (!fabric->config.alone) {
        dyno_fabric_share_anew(fabric, now);
        return;
    }
    for (uint32_t i = 0; i < fabric->reached_count; i++) {
        uint32_t transfer = fabric->reached[i];

        dyno_fabric_set_rate(fabric, transfer, at(fabric, transfer)->ceiling, now);
    }
}

void dyno_fabric_slow(struct dyno_links *links, dyno_ns now, uint32_t link, uint32_t slowness)
{
    struct fabric *fabric = fabric_of(links);
    uint64_t whole = fabric->links[link].whole;

    dyno_fabric_advance(fabric, now);
    take_all(fabric, false);
    fabric->links[link].capacity = slowness > 0 ? whole / slowness : 0;
    take_all(fabric, true);
    set_rates(fabric, now);
    links->due = dyno_fabric_next(links);
}
