#include "core/run/lobby.h"

#include <assert.h>
#include <string.h>

static size_t seat_bytes(const struct dyno_request *request)
{
    return sizeof(struct dyno_lobby_seat) + request->span_count * sizeof(struct dyno_span);
}

static struct dyno_lobby_seat **seat_at(const struct dyno_lobby *lobby, uint32_t place)
{
    return dyno_pool_at(&lobby->seats, place);
}

dyno_status dyno_lobby_init(struct dyno_lobby *lobby, const struct dyno_lobby_config *config)
{
    lobby->config = *config;
    dyno_pool_init(&lobby->seats, sizeof(struct dyno_lobby_seat *));
    return dyno_admit_open(&lobby->admit, &config->admit);
}

void dyno_lobby_release(struct dyno_lobby *lobby)
{
    dyno_admit_close(lobby->admit);
    dyno_slab_release(&lobby->slab);
    dyno_map_release(&lobby->place_of);
    dyno_pool_release(&lobby->seats);
    memset(lobby, 0, sizeof *lobby);
}

static bool is_full(const struct dyno_lobby *lobby, const struct dyno_request *request)
{
    const struct dyno_lobby_config *config = &lobby->config;

    return lobby->count >= config->count_max ||
           (config->tokens_max > 0 && lobby->tokens + request->prompt_tokens > config->tokens_max);
}

static void append(struct dyno_lobby *lobby, struct dyno_lobby_seat *seat)
{
    struct dyno_lobby_totals *totals = &lobby->totals;

    seat->prev = lobby->last;
    if (lobby->last) {
        lobby->last->next = seat;
    } else {
        lobby->first = seat;
    }
    lobby->last = seat;
    lobby->count++;
    lobby->tokens += seat->request.prompt_tokens;
    totals->waited++;
    totals->count_peak = lobby->count > totals->count_peak ? lobby->count : totals->count_peak;
    totals->tokens_peak = lobby->tokens > totals->tokens_peak ? lobby->tokens : totals->tokens_peak;
}

/* A place of its own, under its id and in the order of those who wait. */
static dyno_status take_place(struct dyno_lobby *lobby, const struct dyno_request *request,
                              uint32_t *out)
{
    uint32_t place = dyno_pool_take(&lobby->seats);

    if (place == DYNO_POOL_NONE) {
        return DYNO_NO_MEMORY;
    }
    if (!dyno_map_put(&lobby->place_of, request->id, place, NULL) ||
        dyno_admit_enter(lobby->admit, place,
                         &(struct dyno_admit_request){.tenant = request->tenant,
                                                      .priority = request->priority,
                                                      .cost = request->prompt_tokens}) != DYNO_OK) {
        dyno_map_remove(&lobby->place_of, request->id);
        dyno_pool_give(&lobby->seats, place);
        return DYNO_NO_MEMORY;
    }
    *out = place;
    return DYNO_OK;
}

dyno_status dyno_lobby_enter(struct dyno_lobby *lobby, dyno_ns now,
                             const struct dyno_request *request)
{
    dyno_ns wait = lobby->config.wait_ns;
    struct dyno_lobby_seat *seat;
    uint32_t place;

    if (!request->before && is_full(lobby, request)) {
        return DYNO_REJECTED;
    }
    DYNO_TRY(take_place(lobby, request, &place));
    seat = dyno_slab_take(&lobby->slab, seat_bytes(request));
    if (!seat) {
        dyno_admit_leave(lobby->admit, place);
        dyno_map_remove(&lobby->place_of, request->id);
        dyno_pool_give(&lobby->seats, place);
        return DYNO_NO_MEMORY;
    }
    *seat_at(lobby, place) = seat;
    *seat = (struct dyno_lobby_seat){.place = place, .leaves_at = DYNO_NEVER, .request = *request};
    if (wait > 0 && now < DYNO_NEVER - wait) {
        seat->leaves_at = now + wait;
    }
    assert(!lobby->last || lobby->last->leaves_at <= seat->leaves_at);
    if (request->span_count > 0) {
        memcpy(seat->spans, request->spans, request->span_count * sizeof *seat->spans);
    }
    seat->request.spans = seat->spans;
    append(lobby, seat);
    return DYNO_OK;
}

void dyno_lobby_charge(struct dyno_lobby *lobby, const struct dyno_request_record *record)
{
    struct dyno_admit_request request = {
        .tenant = record->tenant, .priority = record->priority, .cost = record->prompt_tokens};
    double tokens = lobby->config.output_cost * record->output_tokens;

    dyno_admit_charge(lobby->admit, &request, tokens < UINT32_MAX ? (uint32_t)tokens : UINT32_MAX);
}

/* It is not in the policy's order any more. */
static struct dyno_lobby_seat *take_out(struct dyno_lobby *lobby, struct dyno_lobby_seat *seat)
{
    if (seat->prev) {
        seat->prev->next = seat->next;
    } else {
        lobby->first = seat->next;
    }
    if (seat->next) {
        seat->next->prev = seat->prev;
    } else {
        lobby->last = seat->prev;
    }
    lobby->count--;
    lobby->tokens -= seat->request.prompt_tokens;
    dyno_map_remove(&lobby->place_of, seat->request.id);
    dyno_pool_give(&lobby->seats, seat->place);
    return seat;
}

struct dyno_lobby_seat *dyno_lobby_take(struct dyno_lobby *lobby)
{
    assert(lobby->first);
    return take_out(lobby, *seat_at(lobby, dyno_admit_take(lobby->admit)));
}

struct dyno_lobby_seat *dyno_lobby_first(struct dyno_lobby *lobby)
{
    assert(lobby->first);
    dyno_admit_leave(lobby->admit, lobby->first->place);
    return take_out(lobby, lobby->first);
}

struct dyno_lobby_seat *dyno_lobby_find(struct dyno_lobby *lobby, uint64_t id)
{
    const uint32_t *found = dyno_map_find(&lobby->place_of, id);

    if (!found) {
        return NULL;
    }
    dyno_admit_leave(lobby->admit, *found);
    return take_out(lobby, *seat_at(lobby, *found));
}

void dyno_lobby_give(struct dyno_lobby *lobby, struct dyno_lobby_seat *seat)
{
    dyno_slab_give(&lobby->slab, seat, seat_bytes(&seat->request));
}
