#include "core/run/lobby.h"

#include <assert.h>
#include <string.h>

static size_t seat_bytes(const struct dyno_request *request)
{
    return sizeof(struct dyno_lobby_seat) + request->span_count * sizeof(struct dyno_span);
}

void dyno_lobby_release(struct dyno_lobby *lobby)
{
    dyno_slab_release(&lobby->slab);
    memset(lobby, 0, sizeof *lobby);
}

dyno_status dyno_lobby_enter(struct dyno_lobby *lobby, const struct dyno_request *request,
                             dyno_ns leaves_at)
{
    struct dyno_lobby_seat *seat = dyno_slab_take(&lobby->slab, seat_bytes(request));

    if (!seat) {
        return DYNO_NO_MEMORY;
    }
    assert(!lobby->last || lobby->last->leaves_at <= leaves_at);
    *seat = (struct dyno_lobby_seat){.leaves_at = leaves_at, .request = *request};
    if (request->span_count > 0) {
        memcpy(seat->spans, request->spans, request->span_count * sizeof *seat->spans);
    }
    seat->request.spans = seat->spans;
    if (lobby->last) {
        lobby->last->next = seat;
    } else {
        lobby->first = seat;
    }
    lobby->last = seat;
    lobby->count++;
    return DYNO_OK;
}

dyno_ns dyno_lobby_next(const struct dyno_lobby *lobby)
{
    return lobby->first ? lobby->first->leaves_at : DYNO_NEVER;
}

static struct dyno_lobby_seat *take_after(struct dyno_lobby *lobby, struct dyno_lobby_seat *before)
{
    struct dyno_lobby_seat *seat = before ? before->next : lobby->first;

    if (before) {
        before->next = seat->next;
    } else {
        lobby->first = seat->next;
    }
    if (lobby->last == seat) {
        lobby->last = before;
    }
    lobby->count--;
    return seat;
}

struct dyno_lobby_seat *dyno_lobby_first(struct dyno_lobby *lobby)
{
    assert(lobby->first);
    return take_after(lobby, NULL);
}

struct dyno_lobby_seat *dyno_lobby_find(struct dyno_lobby *lobby, uint64_t id)
{
    struct dyno_lobby_seat *before = NULL, *seat = lobby->first;

    while (seat && seat->request.id != id) {
        before = seat;
        seat = seat->next;
    }
    return seat ? take_after(lobby, before) : NULL;
}

void dyno_lobby_give(struct dyno_lobby *lobby, struct dyno_lobby_seat *seat)
{
    dyno_slab_give(&lobby->slab, seat, seat_bytes(&seat->request));
}
