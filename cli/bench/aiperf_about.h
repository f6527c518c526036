/* What AIPerf's summary says of a run beside its figures: `input_config` and `run_info`.
 *
 * The shape is that of schema 1.5 (docs/reference/json-export-schema.md of AIPerf 0.14), where
 * `input_config` is the body of its configuration file: models, endpoint, one dataset named
 * "default", one phase named "profiling".  What has no word there is left out; the command in
 * `run_info` says all. */
#ifndef DYNO_CLI_BENCH_AIPERF_ABOUT_H
#define DYNO_CLI_BENCH_AIPERF_ABOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"

/* Texts outlive the call; "" and NULL: not known, or there is none. */
struct dyno_aiperf_about {
    const char *model;
    const char *url;      /* of the server that was asked; none: the run was simulated or served */
    const char *endpoint; /* "chat", "completions" */
    const char *command;  /* what repeats it; no key is in it */
    const char *trace;    /* a file */
    const char *arrival;  /* as generate.arrival has it (traces/arrival.h) */
    const char *input_tokens, *output_tokens; /* as generate.input_tokens has them */
    uint32_t concurrency, inflight_max;       /* 0: none */
    uint64_t requests;                        /* 0: all of the trace */
    uint64_t seed;
    uint64_t started_ns, ended_ns; /* Unix time; 0: not known */
    bool was_cancelled;            /* it was cut short */
    bool has_slo;
    uint64_t within_slo; /* requests that met every objective */
};

/* ",\n  \"input_config\": {...},\n  \"run_info\": {...}", to be freed.  Error: DYNO_NO_MEMORY. */
dyno_status dyno_aiperf_about_text(char **out, const struct dyno_aiperf_about *about);

#endif
