#include "core/run/flight.h"

#include <assert.h>
#include <string.h>

static size_t flown_bytes(const struct dyno_request *request)
{
    return sizeof(struct dyno_flown) + request->span_count * sizeof(struct dyno_span);
}

static struct dyno_flown **place_at(const struct dyno_flight *flight, uint32_t place)
{
    return dyno_pool_at(&flight->flown, place);
}

void dyno_flight_init(struct dyno_flight *flight)
{
    memset(flight, 0, sizeof *flight);
    dyno_pool_init(&flight->flown, sizeof(struct dyno_flown *));
}

void dyno_flight_release(struct dyno_flight *flight)
{
    dyno_slab_release(&flight->slab);
    dyno_map_release(&flight->place_of);
    dyno_pool_release(&flight->flown);
}

dyno_status dyno_flight_keep(struct dyno_flight *flight, const struct dyno_request *request)
{
    struct dyno_flown *flown = dyno_slab_take(&flight->slab, flown_bytes(request));
    uint32_t place = flown ? dyno_pool_take(&flight->flown) : DYNO_POOL_NONE;

    if (place == DYNO_POOL_NONE) {
        dyno_slab_give(&flight->slab, flown, flown_bytes(request));
        return DYNO_NO_MEMORY;
    }
    if (!dyno_map_put(&flight->place_of, request->id, place, NULL)) {
        dyno_pool_give(&flight->flown, place);
        dyno_slab_give(&flight->slab, flown, flown_bytes(request));
        return DYNO_NO_MEMORY;
    }
    *place_at(flight, place) = flown;
    flown->request = *request;
    if (request->span_count > 0) {
        memcpy(flown->spans, request->spans, request->span_count * sizeof *flown->spans);
    }
    flown->request.spans = flown->spans;
    return DYNO_OK;
}

struct dyno_flown *dyno_flight_at(const struct dyno_flight *flight, uint64_t id)
{
    const uint32_t *place = dyno_map_find(&flight->place_of, id);

    assert(place);
    return *place_at(flight, *place);
}

void dyno_flight_drop(struct dyno_flight *flight, uint64_t id)
{
    const uint32_t *found = dyno_map_find(&flight->place_of, id);
    struct dyno_flown *flown;

    if (!found) {
        return;
    }
    flown = *place_at(flight, *found);
    dyno_pool_give(&flight->flown, *found);
    dyno_map_remove_found(&flight->place_of, found);
    dyno_slab_give(&flight->slab, flown, flown_bytes(&flown->request));
}
