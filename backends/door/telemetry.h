/* What a live server tells of itself: counts since the start, and the last fifteen minutes.
 *
 * One thread feeds and reads it.  It reads no clock: `now` is an argument, in ns from the start of
 * the server; one that is earlier than the latest seen counts as the latest.  Feeding allocates
 * nothing and costs at most a few hundred instructions, but for the first call of a new second,
 * which clears 4 KiB
 * for each second since the last one.  Memory: 3.6 MB, and 700 bytes a worker.
 *
 * It is shown by dyno_telemetry_json (dashboard_json.h) and dyno_prometheus_write (prometheus.h).
 *
 * Always: received = in flight + refused + ended.  Where there are several models, each has counts
 * of its own, and the whole's are their sums and those of who was sent away before it was known
 * whom he asked for.
 */
#ifndef DYNO_BACKENDS_DOOR_TELEMETRY_H
#define DYNO_BACKENDS_DOOR_TELEMETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"
#include "core/base/time.h"
#include "core/model/record.h"
#include "core/model/request.h"

/* Why the door sent a request away before the fleet saw it. */
enum dyno_refusal {
    DYNO_REFUSED_BAD_REQUEST,  /* malformed, or with a field that is not supported */
    DYNO_REFUSED_UNAUTHORIZED, /* no key, or a wrong one */
    DYNO_REFUSED_NOT_FOUND,    /* no such model */
    DYNO_REFUSED_TOO_LARGE,    /* a limit on bytes or tokens */
    DYNO_REFUSED_RATE_LIMITED,
    DYNO_REFUSED_OVERLOADED, /* back-pressure: the door's own limit on requests in flight */
    DYNO_REFUSED_DRAINING,   /* the server is about to stop */
    DYNO_REFUSED_TIMED_OUT,
    DYNO_REFUSAL_COUNT,
};

struct dyno_nvml_watch;

/* One of several models; its workers come behind those of the models before it. */
struct dyno_telemetry_model {
    const char *name; /* clean UTF-8 (dyno_text_is_clean) */
    uint32_t worker_count;
    uint64_t block_bytes; /* of a KV block; 0: unknown */
};

struct dyno_telemetry_config {
    const char *model;   /* what clients call it; clean UTF-8; of several: a list of them */
    const char *version; /* the program's; clean */
    uint32_t worker_count;
    const char *const *worker_names; /* [worker_count] clean, or NULL: their numbers */
    uint32_t block_tokens;           /* tokens a KV block holds */
    uint64_t block_bytes;            /* ... and its size; 0: unknown, or as the models say */
    const struct dyno_telemetry_model *models; /* [model_count], 0: there is one */
    uint32_t model_count;
    bool has_planner;             /* it decides how many workers there are */
    uint32_t prefill_from;        /* workers from this number on compute prompts for those before
                                     it, which decode; 0: all serve whole requests */
    struct dyno_nvml_watch *gpus; /* GPUs that are told of; not owned; NULL: none */
};

struct dyno_telemetry;

/* On success *out is closed with dyno_telemetry_close; it copies what config points to.
 * Errors: DYNO_BAD_INPUT (no worker, more than DYNO_MODELS_MAX models, a name that is not clean),
 * DYNO_NO_MEMORY. */
dyno_status dyno_telemetry_open(struct dyno_telemetry **out,
                                const struct dyno_telemetry_config *config,
                                struct dyno_error *error);
void dyno_telemetry_close(struct dyno_telemetry *telemetry);

/* Where one of several models is told of; where there is one, the whole.  What that is fed is the
 * whole's too. */
struct dyno_telemetry *dyno_telemetry_of(struct dyno_telemetry *telemetry, uint32_t model);

/* A request to generate has arrived.  One with n answers is n requests, if n records tell of it. */
void dyno_telemetry_received(struct dyno_telemetry *telemetry, dyno_ns now);
/* One that was received ends here, with a 4xx or 503. */
void dyno_telemetry_refused(struct dyno_telemetry *telemetry, dyno_ns now, enum dyno_refusal why);
/* One that was received ends as the fleet tells it.  `cut`: its answer ended at its token limit. */
void dyno_telemetry_ended(struct dyno_telemetry *telemetry, dyno_ns now,
                          const struct dyno_request_record *record, bool cut);

/* A request was understood and posted to the fleet, so long after it was whole. */
void dyno_telemetry_read(struct dyno_telemetry *telemetry, dyno_ns after_ns);
/* The first bytes of a stream have gone to its client, so long after its request was whole. */
void dyno_telemetry_first_byte(struct dyno_telemetry *telemetry, dyno_ns after_ns);

/* The first token of an answer is there, `ttft_ns` after the request arrived. */
void dyno_telemetry_first_token(struct dyno_telemetry *telemetry, dyno_ns now, dyno_ns ttft_ns);
/* Of that: until the loop took the request; from there until the fleet told the token; from there
 * until the door heard of it. */
void dyno_telemetry_way(struct dyno_telemetry *telemetry, dyno_ns to_loop_ns, dyno_ns in_fleet_ns,
                        dyno_ns to_door_ns);
/* `count` more tokens are there, `gap_ns` after the one before them each. */
void dyno_telemetry_next_tokens(struct dyno_telemetry *telemetry, dyno_ns now, uint64_t count,
                                dyno_ns gap_ns);

/* A look at one worker, at sample->at; best once a second.  A worker that the configuration does
 * not have is a mistake of ours: asserted. */
void dyno_telemetry_sampled(struct dyno_telemetry *telemetry,
                            const struct dyno_sample_record *sample);

/* A tick of the planner, of the model whose telemetry it is. */
void dyno_telemetry_planned(struct dyno_telemetry *telemetry,
                            const struct dyno_plan_record *record);

/* A response was begun, to whatever path; codes outside 100-599 are asserted. */
void dyno_telemetry_answered(struct dyno_telemetry *telemetry, int http_status);
/* So many connections are open now. */
void dyno_telemetry_connections(struct dyno_telemetry *telemetry, uint32_t open);

#endif
