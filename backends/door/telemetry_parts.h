/* Inside telemetry: what its writers read. */
#ifndef DYNO_BACKENDS_DOOR_TELEMETRY_PARTS_H
#define DYNO_BACKENDS_DOOR_TELEMETRY_PARTS_H

#include "backends/door/ladder.h"
#include "backends/door/telemetry.h"
#include "backends/door/window.h"

enum {
    DYNO_OUTCOME_COUNT = DYNO_OUTCOMES,
    DYNO_HTTP_STATUSES = 600,
};

/* How a request ended: its outcome, or DYNO_OUTCOME_COUNT + its refusal. */
_Static_assert(DYNO_END_COUNT == DYNO_OUTCOME_COUNT + DYNO_REFUSAL_COUNT, "ends are both");

/* Prompts of requests that ended in one minute. */
struct dyno_prompt_minute {
    uint64_t minute;
    uint64_t tokens, cached_tokens;
    uint64_t onboarded_tokens, pulled_tokens; /* of cached ones, as below */
};

enum { DYNO_PROMPT_MINUTES = 15 };

struct dyno_worker_telemetry {
    char *name;
    const char *model; /* of several, the one that it serves; NULL: there is one */
    /* The latest look; and two before it, some seconds apart, that rates are reckoned from. */
    struct dyno_sample_record latest, middle, earlier;
    bool looked;
    uint64_t prompt_tokens, cached_tokens, preemptions; /* since the start ... */
    uint64_t onboarded_tokens, pulled_tokens; /* ... and of cached ones, those from lower tiers, and
                                                 from other workers */
    struct dyno_prompt_minute minutes[DYNO_PROMPT_MINUTES]; /* at the minute modulo their number */
};

enum { DYNO_PLAN_CHANGES_KEPT = 20 };

enum { DYNO_PLAN_ROLES = 2 }; /* those who serve or decode, and those who compute prompts */

/* What the planner has done; its roles and reasons are static texts. */
struct dyno_plan_telemetry {
    struct dyno_plan_record latest[DYNO_PLAN_ROLES]; /* of a role that has ticked */
    bool ticked[DYNO_PLAN_ROLES];
    struct dyno_plan_record changes[DYNO_PLAN_CHANGES_KEPT]; /* the n-th at n modulo their number */
    uint64_t change_count;
};

struct dyno_telemetry {
    char *model, *version;
    struct dyno_telemetry *whole;                   /* of one of several models; else NULL */
    struct dyno_telemetry *models[DYNO_MODELS_MAX]; /* [model_count] of a whole that has several */
    uint32_t model_count;
    uint32_t block_tokens;
    uint64_t block_bytes;
    dyno_ns now;
    uint64_t received;
    uint64_t ends[DYNO_END_COUNT];
    uint64_t cut; /* of the completed */
    uint64_t output_tokens;
    uint64_t answers[DYNO_HTTP_STATUSES];
    uint32_t connections;
    bool has_planner;
    uint32_t prefill_from;
    struct dyno_nvml_watch *gpus;
    struct dyno_plan_telemetry plan;
    struct dyno_fleet_look look; /* the sums of the workers' latest */
    struct dyno_ladder read, first_byte, to_loop, in_fleet, to_door;
    struct dyno_ladder ttft, itl, tpot, e2e, queue, prefill, decode;
    struct dyno_ladder prompt_length, output_length;
    struct dyno_window *window;     /* NULL: of one of several models, where it is not kept ... */
    struct dyno_span_counts unkept; /* ... and goes here */
    uint32_t worker_count;
    struct dyno_worker_telemetry workers[];
};

/* A short lower-case name of an end, for labels; end < DYNO_END_COUNT. */
const char *dyno_end_word(uint32_t end);
/* The i-th of those whose requests are told apart, i < their number: the models, or where there is
 * one the whole; and what its label says, NULL: it needs none. */
uint32_t dyno_telemetry_parts(const struct dyno_telemetry *telemetry);
const struct dyno_telemetry *dyno_telemetry_part(const struct dyno_telemetry *telemetry, uint32_t i,
                                                 const char **label);
/* Requests that have neither ended nor been refused. */
uint64_t dyno_telemetry_in_flight(const struct dyno_telemetry *telemetry);

#endif
