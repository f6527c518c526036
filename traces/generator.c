/* The generator: rows drawn from laws.
 *
 * A request's prompt is a path of shared prefixes (prefix.h), then input_tokens of its own.  With
 * session_turns > 1 the arrival process starts sessions, whose later turns follow an answer by
 * think_time: each turn's prompt is the whole prompt and answer before it and new input.  A
 * session's own text only grows, so that one segment that gets longer names all of it.
 *
 * Every purpose has a random stream of its own.  Memory: the weights of the prefix groups. */
#include <stdlib.h>

#include "core/base/map.h"
#include "traces/arrival.h"
#include "traces/course.h"
#include "traces/law.h"
#include "traces/prefix.h"
#include "traces/rows.h"
#include "traces/shares.h"

enum { TURNS_MAX = 65536 };

static const uint64_t session_root =
    0x73657373; /* "sess": what a session's own text is chained by */

struct generator {
    struct dyno_rows rows; /* first: a struct dyno_rows * is one of these */
    struct dyno_arrival arrival;
    struct dyno_course input, output;
    struct dyno_law think;
    struct dyno_prefixes prefixes;
    struct dyno_shares tenants, priorities;
    struct dyno_rng input_rng, output_rng, think_rng;
    uint64_t requests_max;  /* 0: no limit */
    dyno_ns duration_ns;    /* 0: no limit */
    uint32_t turns_max;     /* of a session */
    uint64_t requests;      /* told so far */
    uint64_t sessions;      /* begun so far */
    struct dyno_row prefix; /* its segments: the shared ones of the current session */
    uint64_t own_id;        /* of the session's own text */
    uint32_t turns_left;    /* of the current session */
    uint32_t next_input;    /* prompt tokens of its next turn */
    uint32_t tenant;        /* whose it is, and how urgent */
    int32_t priority;
    dyno_ns at; /* when it began */
};

static dyno_status no_memory(const struct generator *generator, struct dyno_error *error)
{
    return dyno_fail(error, DYNO_NO_MEMORY, "%s: no memory for a request", generator->rows.name);
}

/* Begin a session (of one turn where there are none); *got is false when no more come. */
static dyno_status begin(struct generator *generator, bool *got, struct dyno_error *error)
{
    struct dyno_row *prefix = &generator->prefix;
    uint64_t tokens;

    generator->at = dyno_arrival_next(&generator->arrival);
    *got = generator->at != DYNO_NEVER &&
           (generator->duration_ns == 0 || generator->at < generator->duration_ns);
    if (!*got) {
        return DYNO_OK;
    }
    dyno_row_clear(prefix);
    if (!dyno_prefixes_draw(&generator->prefixes, prefix)) {
        return no_memory(generator, error);
    }
    tokens = prefix->segment_count ? prefix->segments[prefix->segment_count - 1].end : 0;
    generator->own_id = dyno_chain(
        dyno_chain(session_root, tokens ? prefix->segments[prefix->segment_count - 1].id : 0),
        generator->sessions++);
    tokens += dyno_course_tokens(&generator->input, generator->at, &generator->input_rng);
    generator->next_input = tokens < DYNO_ROW_TOKENS_MAX ? (uint32_t)tokens : DYNO_ROW_TOKENS_MAX;
    generator->turns_left = generator->turns_max;
    generator->tenant = (uint32_t)dyno_shares_draw(&generator->tenants);
    generator->priority = dyno_shares_draw(&generator->priorities);
    return DYNO_OK;
}

/* What the turn after `row` will ask; a session whose prompt would get too long ends. */
static void plan_next_turn(struct generator *generator, const struct dyno_row *row)
{
    uint64_t tokens = (uint64_t)row->input_tokens + row->output_tokens;

    generator->turns_left--;
    if (generator->turns_left == 0) {
        return;
    }
    tokens += dyno_course_tokens(&generator->input, generator->at, &generator->input_rng);
    if (tokens > DYNO_ROW_TOKENS_MAX) {
        generator->turns_left = 0;
        return;
    }
    generator->next_input = (uint32_t)tokens;
}

static dyno_status tell_turn(struct generator *generator, struct dyno_row *row,
                             struct dyno_error *error)
{
    bool is_first = generator->turns_left == generator->turns_max;

    dyno_row_clear(row);
    row->at = generator->at;
    row->has_at = is_first;
    row->delay = is_first ? 0 : dyno_law_time(&generator->think, &generator->think_rng);
    row->tenant = generator->tenant;
    row->priority = generator->priority;
    row->input_tokens = generator->next_input;
    row->output_tokens =
        dyno_course_tokens(&generator->output, generator->at, &generator->output_rng);
    for (uint32_t i = 0; i < generator->prefix.segment_count; i++) {
        const struct dyno_segment *segment = &generator->prefix.segments[i];

        if (!dyno_row_add_segment(row, segment->id, segment->end)) {
            return no_memory(generator, error);
        }
    }
    plan_next_turn(generator, row);
    if (generator->turns_max > 1) {
        row->session = generator->sessions;
        row->is_ordered = true;
        row->ends_session = generator->turns_left == 0;
        if (!dyno_row_add_segment(row, generator->own_id, row->input_tokens)) {
            return no_memory(generator, error);
        }
    }
    row->block_refs = row->segment_count ? row->input_tokens / generator->rows.block_tokens : 0;
    return DYNO_OK;
}

static dyno_status generator_read(struct dyno_rows *rows, struct dyno_row *row, bool *got,
                                  struct dyno_error *error)
{
    struct generator *generator = (struct generator *)rows;

    *got = false;
    if (generator->requests_max && generator->requests == generator->requests_max) {
        return DYNO_OK;
    }
    *got = true;
    if (generator->turns_left == 0) {
        DYNO_TRY(begin(generator, got, error));
        if (!*got) {
            return DYNO_OK;
        }
    }
    generator->requests++;
    return tell_turn(generator, row, error);
}

static void generator_close(struct dyno_rows *rows)
{
    struct generator *generator = (struct generator *)rows;

    dyno_arrival_release(&generator->arrival);
    dyno_course_release(&generator->input);
    dyno_course_release(&generator->output);
    dyno_prefixes_release(&generator->prefixes);
    dyno_row_release(&generator->prefix);
    free(generator);
}

static const struct dyno_rows_ops generator_ops = {
    .name = "generator",
    .read = generator_read,
    .close = generator_close,
};

static dyno_status check(const struct generator *generator,
                         const struct dyno_generator_config *config, struct dyno_error *error)
{
    if (generator->rows.block_tokens == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT, "the block size is 0; expected at least 1 token");
    }
    if (config->requests == 0 &&
        (config->duration_ns == 0 || generator->arrival.kind == DYNO_ARRIVAL_CLOSED)) {
        return dyno_fail(error, DYNO_BAD_INPUT, "a generator without end; expected --requests N%s",
                         config->duration_ns == 0 ? " or --duration TIME"
                                                  : ", as a closed loop takes as long as it takes");
    }
    if (config->session_turns > TURNS_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT, "session_turns is %u; expected at most %d",
                         config->session_turns, TURNS_MAX);
    }
    return DYNO_OK;
}

static dyno_status set_up(struct generator *generator, const struct dyno_generator_config *config,
                          struct dyno_error *error)
{
    const char *think = config->think_time ? config->think_time : "0";

    generator->requests_max = config->requests;
    generator->duration_ns = config->duration_ns;
    generator->turns_max = config->session_turns ? config->session_turns : 1;
    dyno_rng_init(&generator->input_rng, config->seed, "input tokens");
    dyno_rng_init(&generator->output_rng, config->seed, "output tokens");
    dyno_rng_init(&generator->think_rng, config->seed, "think time");
    DYNO_TRY(dyno_arrival_init(&generator->arrival, config->arrival, config->seed, error));
    DYNO_TRY(check(generator, config, error));
    DYNO_TRY(dyno_course_parse(&generator->input, "input_tokens", config->input_tokens, error));
    DYNO_TRY(dyno_course_parse(&generator->output, "output_tokens", config->output_tokens, error));
    DYNO_TRY(dyno_law_parse_seconds(&generator->think, "think_time", think, error));
    DYNO_TRY(
        dyno_shares_init(&generator->tenants, "tenants", config->tenants, 0, config->seed, error));
    DYNO_TRY(dyno_shares_init(&generator->priorities, "priorities", config->priorities, 1,
                              config->seed, error));
    return dyno_prefixes_init(&generator->prefixes, config, error);
}

dyno_status dyno_generator_rows_open(struct dyno_rows **out,
                                     const struct dyno_generator_config *config,
                                     uint32_t block_tokens, uint32_t *concurrency,
                                     struct dyno_error *error)
{
    struct generator *generator = calloc(1, sizeof *generator);
    dyno_status status;

    if (!generator) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a generator");
    }
    generator->rows = (struct dyno_rows){.ops = &generator_ops,
                                         .name = "generator",
                                         .format = "generator",
                                         .block_tokens = block_tokens};
    status = set_up(generator, config, error);
    if (status != DYNO_OK) {
        dyno_rows_close(&generator->rows);
        return status;
    }
    *concurrency = generator->arrival.concurrency;
    *out = &generator->rows;
    return DYNO_OK;
}
