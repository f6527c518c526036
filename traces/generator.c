/* The generator: rows drawn from laws.
 *
 * A request's prompt is a path of shared prefixes (prefix.h), then input_tokens of its own.  With
 * session_turns > 1 the arrival process starts sessions, each turn of which sends the whole prompt
 * and answer before it and new input.  A session's own text only grows, so that one segment that
 * gets longer names all of it.
 *
 * Later turns follow an answer by think_time; then they have no time of their own, and a session is
 * told from its first turn to its last before the next one begins.  With turn_gap they have a time,
 * so much after that of the turn before; then rows are told in the order of their times, and all
 * sessions that are not over are kept, the next to begin among them.
 *
 * Every purpose has a random stream of its own.  Memory: the weights of the prefix groups, and what
 * is kept of open sessions (some 150 bytes each). */
#include <stdlib.h>

#include "core/base/array.h"
#include "core/base/map.h"
#include "traces/arrival.h"
#include "traces/course.h"
#include "traces/law.h"
#include "traces/order.h"
#include "traces/prefix.h"
#include "traces/rows.h"
#include "traces/shares.h"
#include "traces/turns.h"

static const uint64_t session_root =
    0x73657373; /* "sess": what a session's own text is chained by */

/* A conversation that is not over. */
struct session {
    struct dyno_row prefix; /* its segments: the shared ones */
    uint64_t number;        /* 1, 2, 3, ... as they begin */
    uint64_t own_id;        /* of its own text */
    uint32_t turns_left;    /* 0: it is over */
    uint32_t next_input;    /* prompt tokens of its next turn */
    uint32_t tenant;        /* whose it is, and how urgent */
    int32_t priority;
    bool has_begun;
    dyno_ns began, at; /* when its first turn comes, and its next; the same where turns think */
};

struct generator {
    struct dyno_rows rows; /* first: a struct dyno_rows * is one of these */
    struct dyno_arrival arrival;
    struct dyno_course input, turn_input, output;
    struct dyno_turns turns;
    struct dyno_law think, gap;
    struct dyno_prefixes prefixes;
    struct dyno_shares tenants, priorities;
    struct dyno_rng input_rng, turn_input_rng, output_rng, think_rng, gap_rng;
    uint64_t requests_max;    /* 0: no limit */
    dyno_ns duration_ns;      /* 0: no limit */
    dyno_ns tick_ns;          /* of the clock that they are told by; 0: as they are */
    bool is_timed;            /* turns have a time: turn_gap was given */
    uint64_t requests;        /* told so far */
    uint64_t sessions;        /* begun so far */
    struct session *open;     /* [open_count], those that are over among them; where turns think
                                 there is one */
    uint32_t open_count;      /* used so far */
    uint32_t open_capacity;   /* allocated */
    struct dyno_order due;    /* is_timed: when those that are not over go on */
    struct dyno_order unused; /* is_timed: those that are over, the lowest first */
    bool is_next_there;       /* is_timed: the session that begins next is among them */
};

static dyno_status no_memory(const struct generator *generator, struct dyno_error *error)
{
    return dyno_fail(error, DYNO_NO_MEMORY, "%s: no memory for a request", generator->rows.name);
}

/* Begin a session (of one turn where there are none); *got is false when no more come. */
static dyno_status begin(struct generator *generator, struct session *session, bool *got,
                         struct dyno_error *error)
{
    struct dyno_row *prefix = &session->prefix;
    uint64_t tokens;

    session->began = session->at = dyno_arrival_next(&generator->arrival);
    *got = session->at != DYNO_NEVER &&
           (generator->duration_ns == 0 || session->at < generator->duration_ns);
    if (!*got) {
        return DYNO_OK;
    }
    dyno_row_clear(prefix);
    if (!dyno_prefixes_draw(&generator->prefixes, prefix)) {
        return no_memory(generator, error);
    }
    tokens = prefix->segment_count ? prefix->segments[prefix->segment_count - 1].end : 0;
    session->own_id = dyno_chain(
        dyno_chain(session_root, tokens ? prefix->segments[prefix->segment_count - 1].id : 0),
        generator->sessions++);
    session->number = generator->sessions;
    tokens += dyno_course_tokens(&generator->input, session->began, &generator->input_rng);
    session->next_input = tokens < DYNO_ROW_TOKENS_MAX ? (uint32_t)tokens : DYNO_ROW_TOKENS_MAX;
    session->turns_left = dyno_turns_draw(&generator->turns);
    session->has_begun = false;
    session->tenant = (uint32_t)dyno_shares_draw(&generator->tenants);
    session->priority = dyno_shares_draw(&generator->priorities);
    return DYNO_OK;
}

static uint32_t new_input(struct generator *generator, const struct session *session)
{
    return generator->turn_input.count
               ? dyno_course_tokens(&generator->turn_input, session->began,
                                    &generator->turn_input_rng)
               : dyno_course_tokens(&generator->input, session->began, &generator->input_rng);
}

/* What the turn after `row` will ask; a session whose prompt would get too long ends. */
static void plan_next_turn(struct generator *generator, struct session *session,
                           const struct dyno_row *row)
{
    uint64_t tokens = (uint64_t)row->input_tokens + row->output_tokens;

    session->turns_left--;
    session->has_begun = true;
    if (session->turns_left == 0) {
        return;
    }
    tokens += new_input(generator, session);
    if (tokens > DYNO_ROW_TOKENS_MAX) {
        session->turns_left = 0;
        return;
    }
    session->next_input = (uint32_t)tokens;
    if (generator->is_timed) {
        dyno_ns gap = dyno_law_time(&generator->gap, &generator->gap_rng);

        session->at += gap < DYNO_NEVER / 2 - session->at ? gap : 0;
    }
}

/* When the clock shows it: what came since the last tick comes with it. */
static dyno_ns told_at(const struct generator *generator, dyno_ns at)
{
    return generator->tick_ns > 0 ? at - at % generator->tick_ns : at;
}

static dyno_status tell_turn(struct generator *generator, struct session *session,
                             struct dyno_row *row, struct dyno_error *error)
{
    bool thinks = session->has_begun && !generator->is_timed;

    dyno_row_clear(row);
    row->at = told_at(generator, session->at);
    row->has_at = !thinks;
    row->delay = thinks ? dyno_law_time(&generator->think, &generator->think_rng) : 0;
    row->tenant = session->tenant;
    row->priority = session->priority;
    row->input_tokens = session->next_input;
    row->output_tokens =
        dyno_course_tokens(&generator->output, session->began, &generator->output_rng);
    for (uint32_t i = 0; i < session->prefix.segment_count; i++) {
        const struct dyno_segment *segment = &session->prefix.segments[i];

        if (!dyno_row_add_segment(row, segment->id, segment->end)) {
            return no_memory(generator, error);
        }
    }
    plan_next_turn(generator, session, row);
    if (generator->turns.most > 1) {
        row->session = session->number;
        row->is_ordered = true;
        row->ends_session = session->turns_left == 0;
        if (!dyno_row_add_segment(row, session->own_id, row->input_tokens)) {
            return no_memory(generator, error);
        }
    }
    row->block_refs = row->segment_count ? row->input_tokens / generator->rows.block_tokens : 0;
    return DYNO_OK;
}

/* Room for one more session: that of one that is over, or new. */
static bool find_room(struct generator *generator, uint32_t *place)
{
    if (generator->unused.count > 0) {
        *place = dyno_order_pop(&generator->unused).slot;
        return true;
    }
    if (!dyno_array_reserve(&generator->open, &generator->open_capacity, generator->open_count + 1U,
                            sizeof *generator->open)) {
        return false;
    }
    *place = generator->open_count++;
    generator->open[*place] = (struct session){.turns_left = 0};
    return true;
}

static bool put(struct dyno_order *order, dyno_ns at, uint64_t sequence, uint32_t place)
{
    return dyno_order_push(order,
                           (struct dyno_order_item){.at = at, .sequence = sequence, .slot = place});
}

/* The session that begins next goes among those that go on; none, if no more come. */
static dyno_status begin_ahead(struct generator *generator, struct dyno_error *error)
{
    uint32_t place;
    bool got;

    if (!find_room(generator, &place)) {
        return no_memory(generator, error);
    }
    DYNO_TRY(begin(generator, &generator->open[place], &got, error));
    generator->is_next_there = true; /* or never any more */
    return !got || put(&generator->due, generator->open[place].at, generator->open[place].number,
                       place)
               ? DYNO_OK
               : no_memory(generator, error);
}

/* The turn that comes first of all sessions'. */
static dyno_status read_timed(struct generator *generator, struct dyno_row *row, bool *got,
                              struct dyno_error *error)
{
    struct session *session;
    uint32_t place;
    bool is_kept;

    if (!generator->is_next_there) {
        DYNO_TRY(begin_ahead(generator, error));
    }
    *got = generator->due.count > 0;
    if (!*got) {
        return DYNO_OK;
    }
    place = dyno_order_pop(&generator->due).slot;
    session = &generator->open[place];
    generator->is_next_there = generator->is_next_there && session->has_begun;
    DYNO_TRY(tell_turn(generator, session, row, error));
    is_kept = session->turns_left > 0 ? put(&generator->due, session->at, session->number, place)
                                      : put(&generator->unused, 0, place, place);
    return is_kept ? DYNO_OK : no_memory(generator, error);
}

/* The next turn of the one session, or the first of the next. */
static dyno_status read_session(struct generator *generator, struct dyno_row *row, bool *got,
                                struct dyno_error *error)
{
    uint32_t place = 0;

    if (generator->open_count == 0 && !find_room(generator, &place)) {
        return no_memory(generator, error);
    }
    if (generator->open->turns_left == 0) {
        DYNO_TRY(begin(generator, generator->open, got, error));
    }
    return *got ? tell_turn(generator, generator->open, row, error) : DYNO_OK;
}

static dyno_status generator_read(struct dyno_rows *rows, struct dyno_row *row, bool *got,
                                  struct dyno_error *error)
{
    struct generator *generator = (struct generator *)rows;

    *got = generator->requests_max == 0 || generator->requests < generator->requests_max;
    if (*got) {
        DYNO_TRY(generator->is_timed ? read_timed(generator, row, got, error)
                                     : read_session(generator, row, got, error));
    }
    generator->requests += *got;
    return DYNO_OK;
}

static void generator_close(struct dyno_rows *rows)
{
    struct generator *generator = (struct generator *)rows;

    dyno_arrival_release(&generator->arrival);
    dyno_course_release(&generator->input);
    dyno_course_release(&generator->turn_input);
    dyno_course_release(&generator->output);
    dyno_prefixes_release(&generator->prefixes);
    for (uint32_t i = 0; i < generator->open_count; i++) {
        dyno_row_release(&generator->open[i].prefix);
    }
    free(generator->open);
    dyno_order_release(&generator->due);
    dyno_order_release(&generator->unused);
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
    if (config->turn_gap && generator->arrival.kind == DYNO_ARRIVAL_CLOSED) {
        return dyno_fail(
            error, DYNO_BAD_INPUT,
            "turn_gap counts from when a turn was asked, and a closed loop has no such "
            "times; expected think_time, or another arrival than concurrency:N");
    }
    if (config->tick_ns > 0 && generator->arrival.kind == DYNO_ARRIVAL_CLOSED) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "tick is of a clock that tells when requests come, and in a closed loop "
                         "they come when a place is free; expected another arrival than "
                         "concurrency:N");
    }
    return DYNO_OK;
}

/* When a conversation goes on: so long after an answer, or after it asked. */
static dyno_status set_up_turns(struct generator *generator,
                                const struct dyno_generator_config *config,
                                struct dyno_error *error)
{
    const char *think = config->think_time ? config->think_time : "0";

    dyno_rng_init(&generator->think_rng, config->seed, "think time");
    dyno_rng_init(&generator->gap_rng, config->seed, "turn gap");
    dyno_rng_init(&generator->turn_input_rng, config->seed, "turn tokens");
    DYNO_TRY(dyno_turns_init(&generator->turns, config->session_turns, config->seed, error));
    DYNO_TRY(dyno_law_parse_seconds(&generator->think, "think_time", think, error));
    if (config->turn_tokens) {
        DYNO_TRY(
            dyno_course_parse(&generator->turn_input, "turn_tokens", config->turn_tokens, error));
    }
    generator->is_timed = config->turn_gap != NULL;
    if (!generator->is_timed) {
        return DYNO_OK;
    }
    DYNO_TRY(dyno_law_parse_seconds(&generator->gap, "turn_gap", config->turn_gap, error));
    if (generator->think.kind != DYNO_LAW_FIXED || generator->think.first != 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "think_time and turn_gap contradict each other: turns come so long after "
                         "an answer, or after what it answers was asked; expected one of them");
    }
    return DYNO_OK;
}

static dyno_status set_up(struct generator *generator, const struct dyno_generator_config *config,
                          struct dyno_error *error)
{
    generator->requests_max = config->requests;
    generator->duration_ns = config->duration_ns;
    generator->tick_ns = config->tick_ns;
    dyno_rng_init(&generator->input_rng, config->seed, "input tokens");
    dyno_rng_init(&generator->output_rng, config->seed, "output tokens");
    DYNO_TRY(dyno_arrival_init(&generator->arrival, config->arrival, config->seed, error));
    DYNO_TRY(check(generator, config, error));
    DYNO_TRY(dyno_course_parse(&generator->input, "input_tokens", config->input_tokens, error));
    DYNO_TRY(dyno_course_parse(&generator->output, "output_tokens", config->output_tokens, error));
    DYNO_TRY(set_up_turns(generator, config, error));
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
