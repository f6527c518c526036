/* Seam: who asks.  A source yields requests in time order and does not know who serves them.
 *
 * The true answer never crosses into core.  What a trace knows of it (how long it really was) goes
 * from the source straight to a table of answers, which every device, simulated or real, consults
 * when told to end as recorded.
 */
#ifndef DYNO_CORE_RUN_SOURCE_H
#define DYNO_CORE_RUN_SOURCE_H

#include <stdbool.h>

#include "core/base/status.h"
#include "core/base/time.h"
#include "core/model/request.h"

/* Where a source leaves what it knows of the answers. */
struct dyno_answers;
struct dyno_answers_ops {
    /* Request `id` will generate `output_tokens` (>= 1).  DYNO_NO_MEMORY on failure. */
    dyno_status (*expect)(struct dyno_answers *answers, uint64_t id, uint32_t output_tokens);
    /* Request `id` ended; its answer is not asked for again. */
    void (*forget)(struct dyno_answers *answers, uint64_t id);
};
struct dyno_answers {
    const struct dyno_answers_ops *ops;
};

struct dyno_source;

struct dyno_source_ops {
    const char *name;
    bool is_open; /* requests come from outside: while none is there, the clock is woken for them */

    /* When the next request arrives; DYNO_NEVER if none will until another one ends, or none is
     * left.  Cheap; called every turn.  Never less than what take returned last. */
    dyno_ns (*next)(struct dyno_source *source);

    /* Take the request announced by next, at `now` >= next.  Its spans stay valid until the next
     * take.  Tells the table of answers what it knows first.  Errors: DYNO_BAD_INPUT with `error`
     * filled (a bad line): the run ends. */
    dyno_status (*take)(struct dyno_source *source, dyno_ns now, struct dyno_request *out,
                        struct dyno_error *error);

    /* Take the next request that its client has given up at or before `now`: returns when, <= now,
     * with *id; it was taken before, and may have ended meanwhile.  If there is none, returns when
     * the next one is given up, > now; DYNO_NEVER: nobody knows, and a clock that runs is woken
     * then.  May be NULL: clients of this source wait for ever. */
    dyno_ns (*cancelled)(struct dyno_source *source, dyno_ns now, uint64_t *id);

    /* Request `id` ended, by whatever fate, its last token at `at` >= now (a client of a closed
     * loop sends its next one then).  May be NULL. */
    void (*ended)(struct dyno_source *source, uint64_t id, dyno_ns at);

    /* Why next() is DYNO_NEVER: true if the source is exhausted for good.  False with nothing in
     * flight would be a deadlock. */
    bool (*finished)(const struct dyno_source *source);

    void (*close)(struct dyno_source *source);
};

struct dyno_source {
    const struct dyno_source_ops *ops;
    dyno_ns known_next; /* what ops->next would say; 0: it has to be asked */
};

/* As ops->next. */
static inline dyno_ns dyno_source_next(struct dyno_source *source)
{
    return source->known_next ? source->known_next : source->ops->next(source);
}

#endif
