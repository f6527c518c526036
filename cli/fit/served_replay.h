/* A recorded benchmark sent again, to a simulated server: the same requests at the same times, or
 * as many in flight as the tool kept. */
#ifndef DYNO_CLI_FIT_SERVED_REPLAY_H
#define DYNO_CLI_FIT_SERVED_REPLAY_H

#include "backends/assets/served_run.h"
#include "cli/assembly/assembly.h"
#include "cli/fit/request_listener.h"

struct dyno_served_replay {
    struct dyno_served_run run; /* what was recorded */
    struct dyno_scenario scenario;
    struct dyno_options options;
    char *trace; /* [trace_size] what is sent; NULL: the scenario's generator sends it */
    size_t trace_size;
    struct dyno_timing_config timing;    /* as the scenario says, without calibration by the run */
    struct dyno_calibration calibration; /* of the scenario */
    struct dyno_listener heard;          /* the last replay, by request */
    struct dyno_fleet_totals totals;     /* of it */
    uint64_t replays;
};

/* `words` [count] are options of `dyno replay`, over what the recording says of the engine's
 * settings and of the load.  `prompts` (may be NULL) names the prompts in tokens (see
 * struct dyno_token_prompt), so that what shares a prefix hits as it did; without it nothing is
 * shared.  Replays once.  On failure there is nothing to close.  Errors: those of reading, of a
 * scenario, and DYNO_BAD_INPUT where the scenario cannot serve what was recorded. */
dyno_status dyno_served_replay_open(struct dyno_served_replay *replay, const char *path,
                                    const char *prompts, char *const *words, int count,
                                    struct dyno_error *error);
void dyno_served_replay_close(struct dyno_served_replay *replay);

/* Once more, with these parameters. */
dyno_status dyno_served_replay_again(struct dyno_served_replay *replay,
                                     const struct dyno_timing_parameters *parameters,
                                     struct dyno_error *error);

/* Milliseconds of `metric` of request `index` in the last replay; negative: it has none. */
double dyno_served_replay_ms(const struct dyno_served_replay *replay, size_t index,
                             enum dyno_served_metric metric);

#endif
