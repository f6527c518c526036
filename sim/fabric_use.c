/* What links carry.  It is summed when a transfer's rate changes, as its bytes are, so that it
 * costs nothing while nothing changes; what moved since is added when somebody asks. */
#include <assert.h>

#include "sim/fabric_parts.h"

unsigned __int128 dyno_fabric_moved(const struct moving *moving, dyno_ns now)
{
    unsigned __int128 moved = (unsigned __int128)moving->rate * (now - moving->since);

    return moved < moving->left ? moved : moving->left;
}

void dyno_fabric_occupy(struct fabric *fabric, const struct moving *moving, dyno_ns now)
{
    for (uint32_t i = 0; i < moving->hop_count; i++) {
        struct link *link = &fabric->links[moving->hops[i].link];

        if (link->users++ == 0) {
            link->busy_since = now;
        }
    }
}

void dyno_fabric_carry(struct fabric *fabric, const struct moving *moving, unsigned __int128 moved)
{
    for (uint32_t i = 0; moved > 0 && i < moving->hop_count; i++) {
        fabric->links[moving->hops[i].link].carried += moved;
    }
}

void dyno_fabric_vacate(struct fabric *fabric, const struct moving *moving, dyno_ns now)
{
    for (uint32_t i = 0; i < moving->hop_count; i++) {
        struct link *link = &fabric->links[moving->hops[i].link];

        assert(link->users > 0);
        if (--link->users == 0) {
            link->busy_ns += now - link->busy_since;
        }
    }
}

/* A byte that is on its way is counted when all of it has passed, of each transfer. */
void dyno_fabric_use(const struct dyno_links *links, dyno_ns now, struct dyno_link_use *out)
{
    const struct fabric *fabric = (const void *)links;

    for (uint32_t i = 0; i < links->link_count; i++) {
        const struct link *link = &fabric->links[i];

        out[i].bytes = (uint64_t)(link->carried >> RATE_BITS);
        out[i].busy_ns = link->busy_ns + (link->users > 0 ? now - link->busy_since : 0);
    }
    for (uint32_t i = 0; i < fabric->events.count; i++) {
        const struct moving *moving = at(fabric, fabric->events.items[i].id);

        for (uint32_t j = 0; moving->begun && j < moving->hop_count; j++) {
            out[moving->hops[j].link].bytes +=
                (uint64_t)(dyno_fabric_moved(moving, now) >> RATE_BITS);
        }
    }
}
