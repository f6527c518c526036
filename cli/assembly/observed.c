#include "cli/assembly/observed.h"

#include <stdlib.h>

struct observed {
    struct dyno_source base;
    struct dyno_source *inner;
    dyno_see_request *see;
    void *context;
};

static dyno_ns observed_next(struct dyno_source *source)
{
    struct observed *observed = (struct observed *)source;

    return observed->inner->ops->next(observed->inner);
}

static dyno_status observed_take(struct dyno_source *source, dyno_ns now, struct dyno_request *out,
                                 struct dyno_error *error)
{
    struct observed *observed = (struct observed *)source;

    DYNO_TRY(observed->inner->ops->take(observed->inner, now, out, error));
    return observed->see(observed->context, out);
}

static void observed_ended(struct dyno_source *source, uint64_t id, dyno_ns at)
{
    struct observed *observed = (struct observed *)source;

    if (observed->inner->ops->ended) {
        observed->inner->ops->ended(observed->inner, id, at);
    }
}

static bool observed_finished(const struct dyno_source *source)
{
    const struct observed *observed = (const struct observed *)source;

    return observed->inner->ops->finished(observed->inner);
}

static void observed_close(struct dyno_source *source)
{
    struct observed *observed = (struct observed *)source;

    observed->inner->ops->close(observed->inner);
    free(observed);
}

static const struct dyno_source_ops observed_ops = {.name = "observed",
                                                    .next = observed_next,
                                                    .take = observed_take,
                                                    .ended = observed_ended,
                                                    .finished = observed_finished,
                                                    .close = observed_close};

dyno_status dyno_observed_open(struct dyno_source **out, struct dyno_source *inner,
                               dyno_see_request *see, void *context)
{
    struct observed *observed = calloc(1, sizeof *observed);

    if (!observed) {
        return DYNO_NO_MEMORY;
    }
    *observed = (struct observed){
        .base.ops = &observed_ops, .inner = inner, .see = see, .context = context};
    *out = &observed->base;
    return DYNO_OK;
}
