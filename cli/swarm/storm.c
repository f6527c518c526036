#include "cli/swarm/storm.h"

#include <stdlib.h>

#include "core/base/heap.h"
#include "core/base/rng.h"
#include "sim/answers.h"

static const dyno_ns patience_max = 2 * DYNO_S;

struct storm {
    struct dyno_source base; /* first: a struct dyno_source * is one of these */
    struct dyno_source *inner;
    struct dyno_rng rng;
    double share;
    struct dyno_heap waiting; /* requests in flight, by when their clients give up */
    struct dyno_answers *answers;
    struct dyno_swarm_client *clients; /* [capacity]: by request */
    uint32_t capacity;
};

static dyno_ns storm_next(struct dyno_source *source)
{
    struct storm *storm = (struct storm *)source;

    return storm->inner->ops->next(storm->inner);
}

static dyno_status make_room(struct storm *storm, uint32_t id)
{
    uint32_t capacity = storm->capacity ? storm->capacity : 64;
    struct dyno_swarm_client *larger;

    while (capacity <= id) {
        capacity *= 2;
    }
    if (capacity == storm->capacity) {
        return DYNO_OK;
    }
    larger = realloc(storm->clients, capacity * sizeof *larger);
    if (!larger) {
        return DYNO_NO_MEMORY;
    }
    storm->clients = larger;
    storm->capacity = capacity;
    return dyno_heap_reserve(&storm->waiting, capacity);
}

/* Some give up at once, some at a whole millisecond, where other things happen too. */
static dyno_ns draw_patience(struct storm *storm)
{
    dyno_ns patience = dyno_rng_below(&storm->rng, patience_max);

    switch (dyno_rng_below(&storm->rng, 4)) {
    case 0:
        return 0;
    case 1:
        return patience - patience % DYNO_MS;
    default:
        return patience / (1 + dyno_rng_below(&storm->rng, 100));
    }
}

static dyno_status storm_take(struct dyno_source *source, dyno_ns now, struct dyno_request *out,
                              struct dyno_error *error)
{
    struct storm *storm = (struct storm *)source;
    uint32_t id, answer;

    DYNO_TRY(storm->inner->ops->take(storm->inner, now, out, error));
    id = (uint32_t)out->id;
    DYNO_TRY(make_room(storm, id));
    answer = dyno_answers_get(storm->answers, out->id);
    storm->clients[id] = (struct dyno_swarm_client){
        .gives_up = DYNO_NEVER, .tokens = answer < out->max_tokens ? answer : out->max_tokens};
    if (dyno_rng_unit(&storm->rng) < storm->share) {
        storm->clients[id].gives_up = now + draw_patience(storm);
        dyno_heap_set(&storm->waiting, id, storm->clients[id].gives_up);
    }
    return DYNO_OK;
}

static dyno_ns storm_cancelled(struct dyno_source *source, dyno_ns now, uint64_t *id)
{
    struct storm *storm = (struct storm *)source;
    dyno_ns first = dyno_heap_key(&storm->waiting);

    if (first <= now) {
        *id = dyno_heap_top(&storm->waiting).id;
        dyno_heap_remove(&storm->waiting, (uint32_t)*id);
    }
    return first;
}

static void storm_ended(struct dyno_source *source, uint64_t id, dyno_ns at)
{
    struct storm *storm = (struct storm *)source;

    dyno_heap_remove(&storm->waiting, (uint32_t)id);
    if (storm->inner->ops->ended) {
        storm->inner->ops->ended(storm->inner, id, at);
    }
}

static bool storm_finished(const struct dyno_source *source)
{
    const struct storm *storm = (const struct storm *)source;

    return storm->inner->ops->finished(storm->inner);
}

static void storm_close(struct dyno_source *source)
{
    struct storm *storm = (struct storm *)source;

    storm->inner->ops->close(storm->inner);
    dyno_heap_release(&storm->waiting);
    free(storm->clients);
    free(storm);
}

static const struct dyno_source_ops storm_ops = {.name = "storm",
                                                 .next = storm_next,
                                                 .take = storm_take,
                                                 .cancelled = storm_cancelled,
                                                 .ended = storm_ended,
                                                 .finished = storm_finished,
                                                 .close = storm_close};

dyno_status dyno_swarm_storm_open(struct dyno_source **out, struct dyno_source *inner,
                                  struct dyno_answers *answers, uint64_t seed, double share)
{
    struct storm *storm = calloc(1, sizeof *storm);

    if (!storm) {
        return DYNO_NO_MEMORY;
    }
    storm->base.ops = &storm_ops;
    storm->inner = inner;
    storm->answers = answers;
    storm->share = share;
    dyno_rng_init(&storm->rng, seed, "swarm.storm");
    *out = &storm->base;
    return DYNO_OK;
}

struct dyno_swarm_client dyno_swarm_storm_client(const struct dyno_source *storm, uint64_t id)
{
    return ((const struct storm *)storm)->clients[id];
}
