/* Reports: what a run leaves behind: a table, a JSON summary, a database, a progress bar. */
#ifndef DYNO_REPORTS_REPORTS_H
#define DYNO_REPORTS_REPORTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core/base/status.h"
#include "core/model/record.h"
#include "core/plan/plan.h"
#include "core/run/metrics.h"
#include "core/run/roster.h"
#include "core/run/sink.h"

/* Where a figure is expected to lie, at 95 %. */
struct dyno_interval {
    const char *metric; /* as in the JSON: "ttft_ms.mean" */
    double low, high;
};

/* In what respect a run went beyond what its timing was measured on. */
struct dyno_extrapolation {
    const char *what; /* one word: "gpu", "context", ... */
    char text[160];   /* "29416 tokens of one sequence (measured from 16 to 18432)" */
};

/* A reason for which requests failed. */
struct dyno_failure {
    const char *why;
    uint64_t count;
};

/* How the client did, of a run in which it asked a server. */
struct dyno_client_report {
    const struct dyno_histogram *lag;       /* from when a request was due until it was sent */
    const struct dyno_histogram *ttft_sent; /* from when it was sent until its first token; NULL:
                                               not known */
    double cpu_fraction;                    /* of one core: its thread computed */
    uint64_t connections;                   /* made */
    const struct dyno_failure *failures;    /* [failure_count] */
    uint32_t failure_count;
    uint64_t failures_left_out; /* requests that failed for yet other reasons */
};

/* What the planner did, and what it came to. */
struct dyno_plan_report {
    const char *policy;
    uint64_t decisions; /* that changed how many workers there should be */
    uint64_t starts, start_failures, drains;
    uint64_t changes; /* of role; where some workers compute prompts and others decode: */
    bool has_roles;
    uint32_t workers_max; /* up at once */
    uint32_t worker_gpus; /* of each */
    double worker_s;      /* time that workers were up, summed ... */
    double gpu_s;         /* ... and their GPUs */
    uint32_t gpus_max;    /* up at once, of several models; 0: there is one */
    /* [DYNO_PLAN_REASONS] looks at each role, by what came of them and why; NULL: not known. */
    const uint64_t *looks[DYNO_WORKER_ROLES];
    /* Held against the same requests under a planner that knew them; NULL: not asked for. */
    const struct dyno_plan_regret *regret;
};

struct dyno_plan_regret {
    double gpu_hours;  /* more of them than that one took; it may take more */
    double good_share; /* of requests that completed, within the objectives if there are any: so
                          much less than under that one */
    double ttft_p99_s; /* more */
};

/* Requests that waited until a worker might take them (docs/admission.md). */
struct dyno_queue_report {
    const char *policy;
    uint64_t waited;
    uint32_t requests_peak; /* that waited at once ... */
    uint64_t tokens_peak;   /* ... and prompt tokens */
};

/* What went wrong, and what it came to (docs/faults.md). */
struct dyno_fault_report {
    const struct dyno_fault_totals *totals;
    uint64_t restarts;          /* workers that serve where one had died */
    uint64_t tokens_recomputed; /* that dead workers had computed, and nobody else had in cache */
    double ready_share;         /* of the places' time, that in which a worker served there */
};

/* What a link carried, in one direction. */
enum { DYNO_LINK_REPORT_NAME_MAX = 64 };
struct dyno_link_report {
    uint32_t number; /* as in samples */
    char name[DYNO_LINK_REPORT_NAME_MAX];
    uint64_t bytes_per_s;      /* that it can carry ... */
    uint64_t bytes;            /* ... and did */
    dyno_ns busy_ns;           /* time in which something was on it */
    uint64_t peak_bytes_per_s; /* the most between two samples; 0: there were none */
};

struct dyno_links_report {
    const struct dyno_link_report *links; /* [count] those that carried something */
    uint32_t count;
    dyno_ns end_ns; /* of the run, which began at 0 */
};

/* What a run's GPUs draw and cost.  A GPU that is up draws idle_share of watts_max, and the rest in
 * proportion to the share of its time at the roofline, MFU + MBU, at most the share that it is busy
 * (a linear model of use, as Fan, Weber and Barroso's of whole servers, ISCA 2007). */
struct dyno_cost_report {
    double watts_max;  /* of a GPU */
    double idle_share; /* of that */
    double gpu_hour_price, kwh_price;
};

/* One of several models of a fleet. */
struct dyno_model_report {
    const char *name;  /* by which requests ask for it */
    const char *model; /* what it is ... */
    const char *gpu;   /* ... and on what */
    const struct dyno_metrics *metrics;
    const struct dyno_fleet_totals *totals;
    const struct dyno_plan_report *plan; /* NULL: nobody planned */
};

/* Everything a report says of a run that the metrics do not hold themselves. */
struct dyno_report {
    const struct dyno_metrics *metrics;
    const struct dyno_fleet_totals *totals;
    const char *device; /* what computed, in real time ("cpu", "server"); NULL: GPUs were
                           simulated */
    const char *title;  /* "llama-3.1-8b on 8 x h100, vllm, kv router" */
    uint64_t trace_requests, trace_input_tokens, trace_output_tokens; /* offered by the source */
    uint64_t lines_skipped;
    uint64_t failed_dropped; /* recorded as failed in the trace itself: not replayed */
    /* Bounds, as fractions of prompt tokens or blocks; negative: not computed (shown as "n/a",
     * null in JSON). */
    double unbounded_hit_rate;       /* infinite cache shared by all, in the trace's own blocks */
    double unbounded_token_hit_rate; /* the same of prompt tokens, in the engine's blocks */
    double belady_hit_rate;          /* the fleet's capacity in one cache with perfect foresight */
    double model_flops;              /* done: for MFU */
    double model_bytes;              /* read: for MBU */
    double flops_peak, bytes_peak;   /* per second, of the whole fleet */
    const struct dyno_extrapolation *extrapolated; /* [extrapolated_count] */
    uint32_t extrapolated_count;
    const struct dyno_interval *intervals; /* [interval_count]; latencies: mean, p50, p99 of TTFT,
                                              TPOT, E2E, then output tokens a second and the
                                              share of prompt tokens found in cache; with
                                              objectives, the share of requests within them */
    uint32_t interval_count;               /* 0: there are none ... */
    uint32_t interval_replicas;
    const char *intervals_lacking; /* ... because: one word, as in the JSON; NULL: nobody asked, or
                                      nothing was predicted */
    const char *intervals_why;     /* the same in words; with intervals, why percentiles have none,
                                      "" or NULL where they have */
    const struct dyno_model_report *models; /* [model_count] where there are several, else 0 */
    uint32_t model_count;
    const struct dyno_plan_report *plan;     /* NULL: nobody planned */
    const struct dyno_queue_report *queue;   /* NULL: nobody could have to wait */
    const struct dyno_fault_report *faults;  /* NULL: nothing could go wrong */
    const struct dyno_links_report *links;   /* NULL: there were none, or nobody counted */
    const struct dyno_cost_report *cost;     /* NULL: nobody asked */
    const struct dyno_client_report *client; /* NULL: no server was asked */
    bool interrupted;
    uint64_t requests_unfinished; /* in flight when interrupted */
};

/* The machine's part: never in the JSON summary. */
struct dyno_host_facts {
    double wall_s;
    double requests_per_wall_s;
    uint64_t peak_rss_bytes;
};

/* A GPU of this machine at an instant, as its driver has it; NAN: it does not tell. */
struct dyno_gpu_record {
    dyno_ns at;
    uint32_t gpu;
    bool tells_throttles;
    char throttles[96];       /* why clocks are held down, in words with blanks between */
    double busy, memory_busy; /* shares */
    double memory_used_bytes, power_watts, energy_joules, sm_clock_mhz, memory_clock_mhz;
    double temperature_celsius, ecc_corrected, ecc_uncorrected;
};

/* The table on the terminal; plain text, aligned, the same for the same inputs. */
void dyno_report_table(const struct dyno_report *report, FILE *out);

/* The JSON summary (docs/metrics.md lists the keys); "-" writes to `standard_output`.  A file is
 * written beside and renamed, so that nothing half-written is left. */
dyno_status dyno_report_json(const struct dyno_report *report, const char *path,
                             struct dyno_error *error);
dyno_status dyno_host_json(const struct dyno_host_facts *facts, const char *path,
                           struct dyno_error *error);

/* A recorder: a sink that writes a run to SQLite on a thread of its own, through a bounded ring.
 * When the thread cannot write, the next record's sink call returns its status and close says why.
 */
struct dyno_recorder;

struct dyno_run_option_row {
    const char *name, *value, *origin;
};

/* Creates or opens the database, checks its schema's version, and adds the row of this run (its own
 * transaction), with status 'running' until close.  `command` is what repeats it; all texts are
 * copied.  ":memory:" keeps nothing: the sink hears nothing and close does nothing.
 * Errors: DYNO_BAD_INPUT (not a database of runs), DYNO_UNSUPPORTED (another version of the
 * schema), DYNO_IO (locked for more than 2 s, read-only, full, ...), DYNO_NO_MEMORY. */
dyno_status dyno_recorder_open(struct dyno_recorder **out, const char *path, const char *command,
                               const char *title, const struct dyno_run_option_row *options,
                               uint32_t option_count, struct dyno_error *error);
struct dyno_sink *dyno_recorder_sink(struct dyno_recorder *recorder);
/* From the thread of the sinks; as the sink's calls. */
dyno_status dyno_recorder_gpu(struct dyno_recorder *recorder, const struct dyno_gpu_record *record);
int64_t dyno_recorder_run_id(const struct dyno_recorder *recorder); /* 0: nothing is kept */
/* Write the summary (as rows of metric, value) and the host's facts, mark the run finished (or
 * interrupted), and close, whatever comes.  `report` NULL: the run failed; it is marked so. `facts`
 * may be NULL.  On failure `error` says why the recorder could not write, and what it had committed
 * stays, marked failed (or running, where even that could not be written). */
dyno_status dyno_recorder_close(struct dyno_recorder *recorder, const struct dyno_report *report,
                                const struct dyno_host_facts *facts, struct dyno_error *error);

/* Say that runs `live` and `simulated` of the database are the same requests, run for real and
 * simulated; its view validation_error compares them.  Errors: as dyno_recorder_open. */
dyno_status dyno_validation_record(const char *path, int64_t live, int64_t simulated,
                                   struct dyno_error *error);

/* `dyno runs`: the runs in a database, as a table or as a JSON array.  A run that has not come to
 * its end (status 'running') is called running while its process is there, crashed when that is
 * gone, and unfinished where this machine cannot know.  Errors: DYNO_NOT_FOUND, else as
 * dyno_recorder_open.
 */
dyno_status dyno_runs_table(const char *path, FILE *out, struct dyno_error *error);
dyno_status dyno_runs_json(const char *path, FILE *out, struct dyno_error *error);

/* A progress bar on `stream`, which the caller keeps open; a sink that hears nothing when `stream`
 * is not a terminal.  Totals may be 0: unknown.  Close erases the bar; NULL: no effect. */
struct dyno_progress;
dyno_status dyno_progress_open(struct dyno_progress **out, FILE *stream, uint64_t requests_total,
                               dyno_ns duration_total_ns);
struct dyno_sink *dyno_progress_sink(struct dyno_progress *progress);
void dyno_progress_close(struct dyno_progress *progress);

#endif
