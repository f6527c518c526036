/* Traces: sources of requests from recorded files and from a seeded generator. */
#ifndef DYNO_TRACES_TRACES_H
#define DYNO_TRACES_TRACES_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"
#include "core/model/record.h"
#include "core/run/source.h"
#include "traces/law_fit.h"
#include "traces/model_choice.h"
#include "traces/reuse.h"
#include "traces/timeline.h"

/* How the requests of a source are paced. */
enum dyno_pacing {
    DYNO_OPEN_LOOP,   /* by timestamp; inflight_max holds them back at the client */
    DYNO_CLOSED_LOOP, /* exactly `concurrency` in flight; timestamps are ignored */
};

/* Sessions and waits, in both pacings: a request that waits for others (the turn before it in its
 * session, the requests named in wait_for, its parent chat) is sent at
 *   max(its timestamp, the last end of those + its delay)
 * where a missing timestamp or delay counts as 0.  The gap between the timestamps of two turns is
 * not taken for a think time: it holds the first one's service time as it was recorded, which is
 * not known.  In a closed loop timestamps count as 0 too, and a client whose next turn is not due
 * sends another request. */

struct dyno_input_copy;

struct dyno_trace_config {
    const char *path; /* "-": standard input; a name in .gz, or gzip's magic, is decompressed */
    const void *data; /* not NULL: read these bytes instead; path is only their name */
    size_t data_size;
    struct dyno_input_copy *copy; /* not NULL: what is read is kept there (traces/input.h) */
    const char *format;           /* NULL or "auto": recognised from the first lines */
    uint32_t trace_block_tokens;  /* 0: the format's own (mooncake 512, bailian 16) */
    uint64_t skip_bad_max;  /* --skip-bad N: lines that may be bad; they are counted and listed */
    uint32_t sort_window;   /* rows that may be out of order by up to this many places */
    uint64_t requests_skip; /* pass over so many first, and over the turns without a time of their
                               own that wait for them; the next request is sent at time 0 */
    uint64_t requests_max;  /* stop after this many, without those; 0: all */
    uint32_t max_tokens;    /* what the client asks for; 0: as many as the trace recorded */
    const struct dyno_model_choice *models; /* by whose names lines name theirs (model_choice.h);
                                               not owned; NULL: they are passed over */
    bool ignore_unknown; /* pass over columns the format does not know; false: refuse them */
};

struct dyno_pacing_config {
    enum dyno_pacing pacing;
    double speedup;        /* > 0: timestamps and delays are divided by it */
    uint32_t concurrency;  /* closed loop */
    uint32_t inflight_max; /* open loop: --max-concurrency; 0: no limit */
    uint32_t block_tokens; /* of the engine: identities are regrouped into its blocks */
    const struct dyno_model_choice *models; /* what requests ask for; not owned; NULL: one model */
    bool untimed_ok; /* open loop: a request without a timestamp that waits for nothing is sent with
                        the one before it; false: refused */
};

/* Counted by a trace source while it reads. */
struct dyno_trace_counts {
    uint64_t lines_skipped;
    uint64_t failed_dropped; /* recorded as failed (burstgpt: no response tokens): not replayed */
    uint64_t sessions;       /* conversations begun; requests without a session are not counted */
    uint64_t requests;
    uint64_t input_tokens, output_tokens;
    uint64_t block_refs;      /* identities, in the trace's own blocks; of a generator with shared
                                 prefixes or sessions: whole engine blocks of all prompts */
    uint64_t block_refs_seen; /* of these, prefix hits in an unbounded cache shared by all: from
                                 the first identity up to the first never seen before */
    uint64_t block_refs_distinct; /* of these, different ones */
    uint64_t places_off_max;      /* a row stood at most so many places behind its time */
    uint64_t recorded; /* lines of a recording of ours (recording.h), those of requests that
                          failed among them, ... */
    uint64_t recorded_outcomes[DYNO_OUTCOMES]; /* ... by how they ended, ... */
    uint64_t recorded_lost; /* ... requests that could not be recorded, as the lines say, ... */
    uint64_t recorded_torn; /* ... and 1 if it ends within a line: its writer was killed */
    bool block_bound_cut; /* more than 3,000,000 distinct identities, too many to remember: the two
                             before are void */
};

/* Open a trace as a source.  On success *out is closed through its ops. */
dyno_status dyno_trace_open(struct dyno_source **out, const struct dyno_trace_config *config,
                            const struct dyno_pacing_config *pacing, struct dyno_answers *answers,
                            struct dyno_error *error);

/* A generator's parameters: each a text as on the command line, parsed and checked by open. */
struct dyno_generator_config {
    uint64_t seed;
    uint64_t requests;         /* 0: until `duration_ns` */
    dyno_ns duration_ns;       /* 0: until `requests` */
    const char *arrival;       /* "constant:RATE", "poisson:RATE", "gamma:RATE,CV",
                                  "sine:MEAN,AMPLITUDE,PERIOD", "rates:RATE@0s,RATE@60s,...",
                                  "concurrency:N" (closed loop); RATE in requests per second */
    const char *input_tokens;  /* "1024", "uniform:LOW,HIGH", "normal:MEAN,DEVIATION",
                                  "lognormal:MEDIAN,SIGMA", "exponential:MEAN", or
                                  "percentiles:..." (law.h); or "LENGTH@0s;LENGTH@6h;..."
                                  (course.h): of a conversation, as of its begin */
    const char *output_tokens; /* the same */
    uint32_t prefix_groups;    /* shared-prefix trees: how many distinct roots; 0: no sharing */
    const char *prefix_tokens; /* a length as above: of the shared prefix of a group */
    double prefix_zipf;        /* popularity of groups: exponent; 0 = uniform */
    uint32_t prefix_depth;     /* levels of a tree below its root ... */
    uint32_t prefix_branches;  /* ... and children of a node */
    const char *session_turns; /* turns of a session (turns.h): "5", "1:70,2:20,9:10"; NULL: 1.  A
                                  turn's prompt is all before it plus new input */
    const char *turn_tokens;   /* a length as above: new input of later turns; NULL: input_tokens */
    const char *think_time; /* seconds between an answer and the next turn: "0", "exponential:20" */
    const char *turn_gap;   /* instead, seconds between asking a turn and asking the next, which
                               waits for its answer if that takes longer; NULL: turns think */
    dyno_ns tick_ns;        /* requests come when a clock ticks, all that came since at once; 0:
                               when they do */
    const char *tenants;    /* "8,1,1": shares of requests (of sessions) of tenants 1, 2, 3; NULL:
                               there are none */
    const char *priorities; /* "0:9,5:1": shares of priorities; NULL: all are 0 */
    /* While a trace is written of it: non-zero: stop; may be NULL. */
    const volatile sig_atomic_t *interrupted;
};

/* A source of what the generator makes, whose answers' lengths go to `answers` (not owned).  On
 * success *out is closed through its ops.  Errors: DYNO_BAD_INPUT (in words), DYNO_NO_MEMORY. */
dyno_status dyno_generator_open(struct dyno_source **out,
                                const struct dyno_generator_config *config,
                                const struct dyno_pacing_config *pacing,
                                struct dyno_answers *answers, struct dyno_error *error);

/* The name of a trace's format ("mooncake"); "generator" for one; NULL for any other source. */
const char *dyno_source_format(const struct dyno_source *source);

/* Counts so far of a source made by either; zeros for any other source. */
struct dyno_trace_counts dyno_source_counts(const struct dyno_source *source);

/* What was skipped, one sentence each, the first 20; *count of them.  They are the source's. */
const char *const *dyno_source_skipped(const struct dyno_source *source, size_t *count);

/* The same requests with the same pacing, read (or generated) ahead into compact memory: for
 * benchmarks that leave reading out.  `from` must come from one of the two above and must not have
 * been taken from; on success it lives on as *out, on failure it is still the caller's.  Counts are
 * those of the whole from the start, in the order of the rows (otherwise: of what was sent, in that
 * order); sessions count as they begin. */
dyno_status dyno_source_preload(struct dyno_source **out, struct dyno_source *from,
                                struct dyno_answers *answers, struct dyno_error *error);

/* Write what a generator makes as a trace: `format` is "mooncake" (identities of blocks of
 * `block_tokens`; 0: the format's 512; timestamps in whole milliseconds; later turns of a session
 * have a delay and no timestamp, unless there is a turn_gap) or "azure" (no identities, no
 * sessions).  `path` may be "-"; a name in .gz is compressed.  The file appears only when all of it
 * is written.  *requests (may be NULL) says how many it has.  Errors: DYNO_BAD_INPUT, DYNO_IO,
 * DYNO_NO_MEMORY, DYNO_INTERRUPTED; then nothing is left.
 *
 * Memory: 16 bytes and more for each different identity written, as the file numbers them densely.
 */
dyno_status dyno_trace_write(const char *path, const char *format, uint32_t block_tokens,
                             const struct dyno_generator_config *config, uint64_t *requests,
                             struct dyno_error *error);

/* How `dyno_trace_shape` changes a trace. */
struct dyno_shape_config {
    dyno_ns from_ns, until_ns; /* requests sent in [from, until), by the trace's own time; a turn
                                  without a time of its own goes with the one it waits for */
    double scale;   /* > 0: so many times the conversations: below 1 some are left out, above 1 some
                       are there again, with what all share shared, and the rest their own */
    double speedup; /* > 0: times and delays are divided by it, after the window is cut */
    dyno_ns spread_ns; /* a copy of a conversation begins up to so much later, evenly drawn */
    /* A block that more requests have is a common prefix, not a conversation. */
    uint32_t common_min;
    uint64_t seed; /* of what is left out, copied and moved */
};

/* Where a shaped trace goes. */
struct dyno_shape_output {
    const char *path;      /* as in dyno_trace_write */
    const char *format;    /* "mooncake", "bailian", "azure" or "burstgpt" */
    uint32_t block_tokens; /* tokens an identity stands for; 0: as many as in what is read; bailian
                              writes 16 */
    const char *salt; /* NULL: identities, sessions and names are numbered as they come; else they
                         are hashes keyed by this secret of 16 bytes or more (salt.h), and two files
                         of one secret can be compared */
    const volatile sig_atomic_t *interrupted; /* non-zero: stop, and leave nothing; may be NULL */
};

/* What became of a shaped trace. */
struct dyno_shape_counts {
    uint64_t requests_read, conversations_read, requests_written;
};

/* Read inputs[count] (all of them begin at time 0; their sessions, names and, unless `is_shared`,
 * identities are told apart), shape and write them.  Everything is held in memory.  Errors:
 * DYNO_BAD_INPUT, DYNO_IO, DYNO_NO_MEMORY; then no file is left. */
dyno_status dyno_trace_shape(const struct dyno_trace_config *inputs, uint32_t count, bool is_shared,
                             const struct dyno_shape_config *config,
                             const struct dyno_shape_output *output,
                             struct dyno_shape_counts *counts, struct dyno_error *error);

enum { DYNO_FIT_ARRIVAL_BYTES = 512, DYNO_FIT_TURNS_BYTES = 640 };

/* What the generator would have to be told to make a trace that resembles another. */
struct dyno_trace_fit {
    uint64_t requests, conversations;
    char arrival[DYNO_FIT_ARRIVAL_BYTES]; /* of conversations: gamma, or rates where the rate moves
                                             more than the gaps' own variation explains */
    struct dyno_law_fit input, output;    /* tokens: new ones of a turn, and of an answer */
    struct dyno_law_fit turn_input;       /* new ones of later turns; no text: as of first ones */
    uint32_t prefix_groups;               /* common prefixes, if most conversations have one */
    double prefix_zipf;
    struct dyno_law_fit prefix;       /* tokens, over the groups */
    char turns[DYNO_FIT_TURNS_BYTES]; /* of a conversation: "1" where there are none */
    bool is_timed;                    /* turns have times: they are a gap apart, and do not think */
    struct dyno_law_fit pause; /* seconds: between asking two turns, or between an answer and the
                                  next turn */
    dyno_ns tick_ns;           /* of the trace's clock (tick.h); 0: it is fine */
};

/* Read the trace and fit.  Conversations are the sessions of a trace that has some; else they are
 * told apart by who waits for whom, or by how prompts grow (growth.h).  Errors: the reader's,
 * DYNO_NO_MEMORY. */
dyno_status dyno_trace_fit(struct dyno_trace_fit *out, const struct dyno_trace_config *config,
                           uint32_t common_min, struct dyno_error *error);

/* The generator's configuration that this is; its texts are the fit's. */
struct dyno_generator_config dyno_trace_fit_config(const struct dyno_trace_fit *fit, uint64_t seed);

enum { DYNO_TOKEN_OCTAVES = 25 }; /* a count of tokens is below 2^25 */

/* Token counts of all requests; a quantile is the ceil(q * count)-th smallest, exact. */
struct dyno_token_summary {
    double mean;
    uint32_t min, p50, p90, p99, max;
    uint64_t octaves[DYNO_TOKEN_OCTAVES]; /* requests of 2^k to 2^(k+1) - 1 tokens */
};

/* What a trace holds. */
struct dyno_trace_summary {
    char format[32];
    struct dyno_trace_counts counts;
    uint64_t session_requests; /* that belong to a session */
    dyno_ns span_ns;           /* from the first request to the last, were every answer instant */
    struct dyno_token_summary input, output;
    struct dyno_token_summary turns;  /* likewise, of sessions: how many requests each has */
    struct dyno_token_summary crowds; /* likewise, of seconds: how many requests come in each */
    struct dyno_timeline arrivals;    /* were every answer instant */
    struct dyno_reuse *reuse;         /* of the trace's own blocks, ... */
    uint32_t block_tokens;            /* ... which are that long; 0: there are none */
    char **skipped;                   /* [skipped_count]: sentences, the first 20 */
    size_t skipped_count;
};

/* Read a whole trace, as a fleet would that answers at once.  Release afterwards; on failure there
 * is nothing to release. */
dyno_status dyno_trace_summarise(struct dyno_trace_summary *out,
                                 const struct dyno_trace_config *config, struct dyno_error *error);
void dyno_trace_summary_release(struct dyno_trace_summary *summary);

#endif
