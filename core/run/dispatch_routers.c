#include "core/run/dispatch_routers.h"

#include <stdlib.h>
#include <string.h>

#include "core/model/record.h"

enum note_kind { NOTE_BOOKED, NOTE_FIRST_TOKEN, NOTE_ENDED };

/* What one router tells the others. */
struct dyno_note {
    struct dyno_note *next;
    dyno_ns due;
    enum note_kind kind;
    uint32_t from;
    uint32_t worker;         /* of NOTE_BOOKED, as all below ... */
    uint32_t prefill_tokens; /* ... believed uncached */
    struct dyno_request request;
    struct dyno_span spans[];
};

static size_t note_bytes(const struct dyno_note *note)
{
    return sizeof *note + note->request.span_count * sizeof *note->spans;
}

/* DYNO_NO_MEMORY. */
static dyno_status post(struct dyno_routers *routers, const struct dyno_note *note)
{
    struct dyno_note *copy;

    if (!routers->tells) {
        return DYNO_OK;
    }
    copy = dyno_slab_take(&routers->slab, note_bytes(note));
    if (!copy) {
        return DYNO_NO_MEMORY;
    }
    *copy = *note;
    copy->next = NULL;
    copy->due = routers->now < DYNO_NEVER - routers->delay_ns ? routers->now + routers->delay_ns
                                                              : DYNO_NEVER;
    if (note->request.span_count > 0) {
        memcpy(copy->spans, note->request.spans, note->request.span_count * sizeof *copy->spans);
    }
    copy->request.spans = copy->spans;
    *(routers->last ? &routers->last->next : &routers->first) = copy;
    routers->last = copy;
    return DYNO_OK;
}

static dyno_status hear(struct dyno_dispatch *router, const struct dyno_note *note)
{
    switch (note->kind) {
    case NOTE_BOOKED:
        return dyno_dispatch_book(router, &note->request, note->worker, note->prefill_tokens,
                                  false);
    case NOTE_FIRST_TOKEN:
        dyno_dispatch_first_token(router, note->request.id);
        break;
    case NOTE_ENDED:
        dyno_dispatch_ended(router, note->request.id);
        break;
    }
    return DYNO_OK;
}

/* What is due by now reaches everybody but who told it. */
static dyno_status deliver(struct dyno_routers *routers)
{
    while (routers->first && routers->first->due <= routers->now) {
        struct dyno_note *note = routers->first;

        for (uint32_t i = 0; i < routers->count; i++) {
            if (i != note->from) {
                DYNO_TRY(hear(routers->list[i], note));
            }
        }
        routers->first = note->next;
        if (!note->next) {
            routers->last = NULL;
        }
        dyno_slab_give(&routers->slab, note, note_bytes(note));
    }
    return DYNO_OK;
}

static uint32_t router_for(struct dyno_routers *routers, const struct dyno_request *request)
{
    uint32_t turn = routers->turn;

    if (routers->leader) {
        return dyno_dispatch_router_of(routers->leader, request->id);
    }
    if (request->before) { /* the others may still have it in their books where it was lost */
        return request->before->router;
    }
    if (routers->by_session && request->session) {
        return (uint32_t)(dyno_mix(dyno_mix(request->session)) % routers->count);
    }
    routers->turn = turn + 1 < routers->count ? turn + 1 : 0;
    return turn;
}

dyno_status dyno_routers_pick(struct dyno_routers *routers, dyno_ns now, const uint8_t *eligible,
                              const struct dyno_request *request, int want_candidates,
                              struct dyno_decision_record *record, uint32_t *prefill_tokens)
{
    struct dyno_dispatch *router;
    uint32_t index;

    routers->now = now;
    DYNO_TRY(deliver(routers));
    index = router_for(routers, request);
    router = routers->list[index];
    router->view.eligible = eligible;
    DYNO_TRY(dyno_dispatch_pick(router, now, request, want_candidates, record));
    if (!dyno_map_put(&routers->home_of, request->id, index, NULL)) {
        return DYNO_NO_MEMORY;
    }
    record->router = index;
    *prefill_tokens = dyno_dispatch_booked_tokens(router, request->id);
    return post(routers, &(struct dyno_note){.kind = NOTE_BOOKED,
                                             .from = index,
                                             .worker = record->worker,
                                             .prefill_tokens = *prefill_tokens,
                                             .request = *request});
}

/* Failing to tell, the others believe that it goes on: the next pick says why. */
static void tell(struct dyno_routers *routers, uint32_t from, enum note_kind kind, uint64_t id)
{
    struct dyno_note note = {.kind = kind, .from = from, .request = {.id = id}};

    if (post(routers, &note) != DYNO_OK) {
        for (uint32_t i = 0; i < routers->count; i++) {
            routers->list[i]->trouble = DYNO_NO_MEMORY;
        }
    }
}

void dyno_routers_first_token(struct dyno_routers *routers, uint64_t request_id)
{
    const uint32_t *home = dyno_map_find(&routers->home_of, request_id);

    if (home) {
        dyno_dispatch_first_token(routers->list[*home], request_id);
        tell(routers, *home, NOTE_FIRST_TOKEN, request_id);
    }
}

void dyno_routers_ended(struct dyno_routers *routers, uint64_t request_id)
{
    const uint32_t *home = dyno_map_find(&routers->home_of, request_id);

    if (home) {
        dyno_dispatch_ended(routers->list[*home], request_id);
        tell(routers, *home, NOTE_ENDED, request_id);
        dyno_map_remove(&routers->home_of, request_id);
    }
}

/* The first one has the seed of a single router, the others streams of their own. */
static dyno_status open_list(struct dyno_routers *routers,
                             const struct dyno_dispatch_config *config, struct dyno_error *error)
{
    struct dyno_dispatch_config one = *config;

    one.router_count = 0;
    one.busy = (struct dyno_dispatch_busy){0}; /* who is busy is known of the exact books */
    for (uint32_t i = 0; i < config->router_count; i++) {
        one.seed = i == 0 ? config->seed : dyno_chain(config->seed, i);
        DYNO_TRY(dyno_dispatch_open(&routers->list[i], &one, error));
        routers->count++;
    }
    return DYNO_OK;
}

dyno_status dyno_routers_open(struct dyno_routers **out, const struct dyno_dispatch_config *config,
                              struct dyno_error *error)
{
    struct dyno_routers *routers = calloc(1, sizeof *routers);
    dyno_status status = DYNO_NO_MEMORY;

    if (routers) {
        routers->by_session = config->routers_by_session;
        routers->tells = config->sync_delay_ns != DYNO_NEVER;
        routers->delay_ns = config->sync_delay_ns;
        routers->list = calloc(config->router_count, sizeof(struct dyno_dispatch *));
        status = routers->list ? open_list(routers, config, error) : DYNO_NO_MEMORY;
    }
    if (status != DYNO_OK) {
        dyno_routers_close(routers);
        return status == DYNO_NO_MEMORY
                   ? dyno_fail(error, status, "no memory for %u routers", config->router_count)
                   : status;
    }
    *out = routers;
    return DYNO_OK;
}

void dyno_routers_close(struct dyno_routers *routers)
{
    if (!routers) {
        return;
    }
    for (uint32_t i = 0; i < routers->count; i++) {
        dyno_dispatch_close(routers->list[i]);
    }
    free(routers->list);
    dyno_map_release(&routers->home_of);
    dyno_slab_release(&routers->slab);
    free(routers);
}
