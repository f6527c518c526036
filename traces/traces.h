/* Traces: sources of requests from recorded files and from a seeded generator. */
#ifndef DYNO_TRACES_TRACES_H
#define DYNO_TRACES_TRACES_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"
#include "core/run/source.h"

/* How the requests of a source are paced. */
enum dyno_pacing {
    DYNO_OPEN_LOOP,   /* by timestamp (divided by speedup); inflight_max holds them back at the client */
    DYNO_CLOSED_LOOP, /* exactly `concurrency` in flight; timestamps are ignored */
};

struct dyno_trace_config {
    const char *path;    /* "-": standard input; a name in .gz, or gzip's magic, is decompressed */
    const char *format;  /* NULL or "auto": recognised from the first lines */
    uint32_t trace_block_tokens; /* 0: the format's own (mooncake 512, bailian 16) */
    uint64_t skip_bad_max; /* --skip-bad N: lines that may be bad; they are counted and listed */
    uint32_t sort_window;  /* rows that may be out of order by up to this many places */
    uint64_t requests_max; /* stop after this many; 0: all */
    uint32_t max_tokens;   /* what the client asks for; 0: as many as the trace recorded */
};

struct dyno_pacing_config {
    enum dyno_pacing pacing;
    double speedup;         /* > 0: timestamps are divided by it */
    uint32_t concurrency;   /* closed loop */
    uint32_t inflight_max;  /* open loop: --max-concurrency; 0: no limit */
    uint32_t block_tokens;  /* of the engine: identities are regrouped into its blocks */
};

/* Counted by a trace source while it reads. */
struct dyno_trace_counts {
    uint64_t lines_skipped;
    uint64_t requests;
    uint64_t input_tokens, output_tokens;
    uint64_t block_refs;        /* identities in the trace's own blocks */
    uint64_t block_refs_seen;   /* of these, prefix hits in an unbounded cache shared by all: from the
                                   first identity up to the first never seen before */
    bool block_bound_cut;       /* too many distinct identities to remember: block_refs_seen is void */
};

/* Open a trace as a source.  On success *out is closed through its ops. */
dyno_status dyno_trace_open(struct dyno_source **out, const struct dyno_trace_config *config,
                            const struct dyno_pacing_config *pacing, struct dyno_answers *answers,
                            struct dyno_error *error);

/* A generator's parameters: each a text as on the command line, parsed and checked by open. */
struct dyno_generator_config {
    uint64_t seed;
    uint64_t requests;          /* 0: until `duration_ns` */
    dyno_ns duration_ns;        /* 0: until `requests` */
    const char *arrival;        /* "constant:RATE", "poisson:RATE", "gamma:RATE,CV",
                                   "sine:MEAN,AMPLITUDE,PERIOD", "rates:RATE@0s,RATE@60s,...",
                                   "concurrency:N" (closed loop); RATE in requests per second */
    const char *input_tokens;   /* "1024", "uniform:LOW,HIGH", "normal:MEAN,DEVIATION",
                                   "lognormal:MEDIAN,SIGMA", "exponential:MEAN" */
    const char *output_tokens;  /* the same */
    uint32_t prefix_groups;     /* shared-prefix trees: how many distinct roots; 0: no sharing */
    const char *prefix_tokens;  /* a length as above: of the shared prefix of a group */
    double prefix_zipf;         /* popularity of groups: exponent; 0 = uniform */
    uint32_t prefix_depth;      /* levels of a tree below its root ... */
    uint32_t prefix_branches;   /* ... and children of a node */
    uint32_t session_turns;     /* > 1: multi-turn: a turn's prompt is all before it plus new input */
    const char *think_time;     /* seconds between an answer and the next turn: "0", "exponential:20" */
};

dyno_status dyno_generator_open(struct dyno_source **out, const struct dyno_generator_config *config,
                                const struct dyno_pacing_config *pacing,
                                struct dyno_answers *answers, struct dyno_error *error);

/* Counts so far of a source made by either; zeros for any other source. */
struct dyno_trace_counts dyno_source_counts(const struct dyno_source *source);

/* The same requests, read ahead into memory: for benchmarks that leave reading out. */
dyno_status dyno_source_preload(struct dyno_source **out, struct dyno_source *from,
                                struct dyno_answers *answers, struct dyno_error *error);

#endif
