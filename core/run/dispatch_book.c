/* Dispatch: a request's time in the books.
 *
 *   -       -> WAITS    [dyno_dispatch_book]         inflight, prefill_tokens, active_blocks grow
 *   WAITS   -> DECODES  [dyno_dispatch_first_token]  prefill_tokens shrinks
 *   WAITS   -> -        [dyno_dispatch_ended]        all three shrink
 *   DECODES -> -        [dyno_dispatch_ended]        inflight, active_blocks shrink
 *
 * Always: each of a worker's counts is the sum over the requests booked there, with blocks that
 * several share counted once.
 */
#include "core/base/usual.h"
#include "core/run/dispatch_parts.h"
#include "core/run/dispatch_routers.h"

static struct dyno_booking *booking_at(const struct dyno_dispatch *d, uint32_t place)
{
    return dyno_pool_at(&d->bookings, place);
}

static uint32_t own_blocks(const struct dyno_dispatch *d, const struct dyno_request *request)
{
    uint64_t shared = 0;
    uint32_t all = dyno_dispatch_prompt_blocks(d, request);

    for (uint32_t i = 0; i < request->span_count; i++) {
        shared += request->spans[i].blocks;
    }
    return shared < all ? all - (uint32_t)shared : 0;
}

static dyno_status book_active(struct dyno_dispatch *d, const struct dyno_request *request,
                               struct dyno_booking *booking)
{
    size_t bytes = request->span_count * sizeof *booking->refs;
    uint64_t *blocks = &d->active_blocks[booking->worker];
    dyno_status status;

    if (request->span_count) {
        booking->refs = dyno_slab_take(&d->refs, bytes);
        if (!booking->refs) {
            return DYNO_NO_MEMORY;
        }
        status = dyno_active_book(&d->active, booking->worker, request->spans, request->span_count,
                                  booking->refs, blocks);
        if (status != DYNO_OK) {
            dyno_slab_give(&d->refs, booking->refs, bytes);
            return status;
        }
        booking->ref_count = request->span_count;
    }
    booking->own_blocks = own_blocks(d, request);
    *blocks += booking->own_blocks;
    return DYNO_OK;
}

static void unbook_active(struct dyno_dispatch *d, const struct dyno_booking *booking)
{
    uint64_t *blocks = &d->active_blocks[booking->worker];

    dyno_active_unbook(&d->active, booking->worker, booking->refs, booking->ref_count, blocks);
    if (booking->ref_count) {
        dyno_slab_give(&d->refs, booking->refs, booking->ref_count * sizeof *booking->refs);
    }
    *blocks -= booking->own_blocks;
}

/* A free place under the request's id. */
static dyno_status take_place(struct dyno_dispatch *d, uint64_t request_id, uint32_t *out)
{
    uint32_t place = dyno_pool_take(&d->bookings);
    uint32_t *found;
    bool is_new;

    if (place == DYNO_POOL_NONE) {
        return DYNO_NO_MEMORY;
    }
    found = dyno_id_map_put(&d->booking_of, request_id, place, &is_new);
    if (!found || !is_new) {
        dyno_pool_give(&d->bookings, place);
        return found ? DYNO_BAD_INPUT : DYNO_NO_MEMORY;
    }
    *out = place;
    return DYNO_OK;
}

/* Everything but the counts of the worker. */
static dyno_status book_spans(struct dyno_dispatch *d, const struct dyno_request *request,
                              struct dyno_booking *booking)
{
    if (d->wants_active) {
        DYNO_TRY(book_active(d, request, booking));
    }
    if (DYNO_RARELY(d->guesses) && booking->is_own) {
        dyno_status status = dyno_guess_note(&d->guess, d->index, booking->worker, request->spans,
                                             request->span_count, d->view.now_ns);

        if (status != DYNO_OK && d->wants_active) {
            unbook_active(d, booking);
        }
        return status;
    }
    return DYNO_OK;
}

static void end_prefill(struct dyno_dispatch *d, struct dyno_booking *booking)
{
    d->prefill_tokens[booking->worker] -= booking->prefill_tokens;
    booking->prefill_tokens = 0;
    booking->waits = false;
}

dyno_status dyno_dispatch_book(struct dyno_dispatch *d, const struct dyno_request *request,
                               uint32_t worker, uint32_t prefill_tokens, bool is_own)
{
    struct dyno_booking *booking;
    uint32_t place;
    dyno_status status;

    DYNO_TRY(take_place(d, request->id, &place));
    booking = booking_at(d, place);
    *booking = (struct dyno_booking){
        .worker = worker, .prefill_tokens = prefill_tokens, .waits = true, .is_own = is_own};
    status = book_spans(d, request, booking);
    if (status != DYNO_OK) {
        dyno_pool_give(&d->bookings, place);
        dyno_id_map_remove(&d->booking_of, request->id);
        return status;
    }
    d->prefill_tokens[worker] += prefill_tokens;
    d->inflight[worker]++;
    if (DYNO_RARELY(d->is_watched)) {
        dyno_dispatch_judge(d, worker);
    }
    return DYNO_OK;
}

static void watch_first_token(struct dyno_dispatch *d, uint64_t request_id, uint32_t worker)
{
    dyno_dispatch_judge(d, worker);
    if (d->routers) {
        dyno_routers_first_token(d->routers, request_id);
    }
}

static void watch_end(struct dyno_dispatch *d, uint64_t request_id, uint32_t worker)
{
    dyno_dispatch_judge(d, worker);
    if (d->routers) {
        dyno_routers_ended(d->routers, request_id);
    }
}

void dyno_dispatch_first_token(struct dyno_dispatch *dispatch, uint64_t request_id)
{
    const uint32_t *place = dyno_id_map_find(&dispatch->booking_of, request_id);
    struct dyno_booking *booking = place ? booking_at(dispatch, *place) : NULL;

    if (!booking || !booking->waits) {
        return;
    }
    end_prefill(dispatch, booking);
    if (DYNO_RARELY(dispatch->is_watched)) {
        watch_first_token(dispatch, request_id, booking->worker);
    }
    if (dispatch->policy->first_token && booking->is_own) {
        dispatch->policy->first_token(dispatch->policy_state, request_id, booking->worker);
    }
}

void dyno_dispatch_ended(struct dyno_dispatch *dispatch, uint64_t request_id)
{
    const uint32_t *found = dyno_id_map_find(&dispatch->booking_of, request_id);
    struct dyno_booking booking;

    if (!found) {
        return;
    }
    booking = *booking_at(dispatch, *found);
    end_prefill(dispatch, &booking);
    dispatch->inflight[booking.worker]--;
    if (dispatch->wants_active) {
        unbook_active(dispatch, &booking);
    }
    if (DYNO_RARELY(dispatch->is_watched)) {
        watch_end(dispatch, request_id, booking.worker);
    }
    dyno_pool_give(&dispatch->bookings, *found);
    dyno_id_map_remove(&dispatch->booking_of, request_id);
    if (dispatch->policy->ended && booking.is_own) {
        dispatch->policy->ended(dispatch->policy_state, request_id, booking.worker);
    }
}

uint32_t dyno_dispatch_booked_tokens(const struct dyno_dispatch *d, uint64_t request_id)
{
    return booking_at(d, *dyno_id_map_find(&d->booking_of, request_id))->prefill_tokens;
}

uint32_t dyno_dispatch_worker_of(const struct dyno_dispatch *dispatch, uint64_t request_id)
{
    const uint32_t *found = dyno_id_map_find(&dispatch->booking_of, request_id);

    return found ? booking_at(dispatch, *found)->worker : DYNO_NO_WORKER;
}
