#include "cli/assembly/ahead.h"

#include <sys/stat.h>

#include "sim/answers.h"

bool dyno_ahead_is_once(const struct dyno_scenario *scenario)
{
    struct stat facts;

    return scenario->trace.path && (stat(scenario->trace.path, &facts) != 0 /* "-" too */
                                    || !S_ISREG(facts.st_mode));
}

static dyno_status read_all(struct dyno_source *source, struct dyno_answers *answers,
                            dyno_ahead_see *see, void *context, struct dyno_error *error)
{
    bool enough = false;

    while (!enough && !source->ops->finished(source)) {
        dyno_ns at = source->ops->next(source);
        struct dyno_request request = {0};

        if (at == DYNO_NEVER) {
            return DYNO_OK;
        }
        DYNO_TRY(source->ops->take(source, at, &request, error));
        DYNO_TRY(see(context, at, &request, dyno_answers_get(answers, request.id), &enough));
        answers->ops->forget(answers, request.id);
        if (source->ops->ended) {
            source->ops->ended(source, request.id, at);
        }
    }
    return DYNO_OK;
}

dyno_status dyno_ahead_read(const struct dyno_scenario *scenario,
                            const struct dyno_frame_source *from, dyno_ahead_see *see,
                            void *context, struct dyno_error *error)
{
    struct dyno_answers *answers = NULL;
    struct dyno_source *source = NULL;
    dyno_status status;

    DYNO_TRY(dyno_answers_open(&answers));
    status = dyno_frame_open_source(&source, scenario, from, answers, error);
    if (status == DYNO_OK) {
        status = read_all(source, answers, see, context, error);
        source->ops->close(source);
    }
    dyno_answers_close(answers);
    return status;
}
