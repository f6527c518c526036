#include "core/worker/passages.h"

#include <string.h>

void dyno_passages_init(struct dyno_passages *passages)
{
    memset(passages, 0, sizeof *passages);
    dyno_pool_init(&passages->pool, sizeof(struct dyno_passage));
}

void dyno_passages_release(struct dyno_passages *passages)
{
    dyno_pool_release(&passages->pool);
    dyno_map_release(&passages->place_of);
    dyno_slab_release(&passages->spans);
}

uint32_t dyno_passages_find(const struct dyno_passages *passages, uint64_t id)
{
    const uint32_t *place = dyno_map_find(&passages->place_of, id);

    return place ? *place : DYNO_POOL_NONE;
}

struct dyno_passage *dyno_passages_at(const struct dyno_passages *passages, uint32_t place)
{
    return dyno_pool_at(&passages->pool, place);
}

bool dyno_passages_is_taken(const struct dyno_passages *passages, uint32_t place)
{
    return dyno_passages_at(passages, place)->is_taken;
}

static size_t spans_bytes(const struct dyno_request *request)
{
    return request->span_count * sizeof(struct dyno_span);
}

static dyno_status copy_request(struct dyno_passages *passages, struct dyno_request *to,
                                const struct dyno_request *from)
{
    struct dyno_span *spans = NULL;

    *to = *from;
    if (from->span_count > 0) {
        spans = dyno_slab_take(&passages->spans, spans_bytes(from));
        if (!spans) {
            return DYNO_NO_MEMORY;
        }
        memcpy(spans, from->spans, spans_bytes(from));
    }
    to->spans = spans;
    return DYNO_OK;
}

dyno_status dyno_passages_begin(struct dyno_passages *passages, const struct dyno_request *request,
                                uint32_t *place)
{
    uint32_t *known;

    *place = dyno_pool_take(&passages->pool);
    if (*place == DYNO_POOL_NONE) {
        return DYNO_NO_MEMORY;
    }
    *dyno_passages_at(passages, *place) = (struct dyno_passage){
        .phase = DYNO_PASSAGE_WAIT, .prompt_place = DYNO_NO_WORKER, .is_taken = true};
    DYNO_TRY(copy_request(passages, &dyno_passages_at(passages, *place)->request, request));
    known = dyno_map_put(&passages->place_of, request->id, *place, NULL);
    if (!known) {
        return DYNO_NO_MEMORY;
    }
    *known = *place;
    return DYNO_OK;
}

void dyno_passages_end(struct dyno_passages *passages, uint32_t place)
{
    struct dyno_passage *passage = dyno_passages_at(passages, place);
    void *spans = (void *)(uintptr_t)passage->request.spans; /* ours */

    passage->is_taken = false;
    dyno_map_remove(&passages->place_of, passage->request.id);
    if (spans) {
        dyno_slab_give(&passages->spans, spans, spans_bytes(&passage->request));
    }
    dyno_pool_give(&passages->pool, place);
}
