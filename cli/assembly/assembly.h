/* An assembly: a scenario put together, with an implementation plugged into every seam. */
#ifndef DYNO_CLI_ASSEMBLY_ASSEMBLY_H
#define DYNO_CLI_ASSEMBLY_ASSEMBLY_H

#include <signal.h>

#include "cli/assembly/extrapolation.h"
#include "cli/assembly/faulting.h"
#include "cli/assembly/halves.h"
#include "cli/assembly/journal_head.h"
#include "cli/assembly/links.h"
#include "cli/assembly/live.h"
#include "cli/assembly/planning.h"
#include "cli/assembly/starting.h"
#include "cli/assembly/tiers.h"
#include "cli/scenario/scenario.h"
#include "core/kv/belady.h"
#include "core/run/loop.h"
#include "core/run/metrics.h"
#include "core/worker/local.h"
#include "sim/calibration.h"
#include "sim/timing.h"
#include "traces/recording.h"
#include "traces/traces.h"

struct dyno_remote; /* backends/remote/remote.h */

struct dyno_assembly {
    /* Set before open: 0: as asked; else timing is drawn within its uncertainty. */
    uint32_t replica;
    const struct dyno_scenario *asked;    /* the scenario as it was given ... */
    const struct dyno_scenario *scenario; /* ... and of the first model where there are several: */
    struct dyno_fleets *fleets;           /* then (cli/assembly/models.h); else NULL */
    struct dyno_assembly *first;          /* beside which it serves model number ... */
    uint32_t model; /* ... this; NULL and 0: it is the first, or the only one */
    struct dyno_timing_config timing_config; /* model and GPU are in here */
    struct dyno_worker_config worker;
    /* Of timing.calibration; without one, what the defaults rest on. */
    struct dyno_calibration calibration;
    struct dyno_timing *timing;
    struct dyno_live live;           /* of a device that computes */
    struct dyno_machine machine;     /* of timing.machine ... */
    struct dyno_machine far_machine; /* ... and as its workers in other processes are */
    struct dyno_answers *answers;
    struct dyno_source *source;   /* what the loop sees ... */
    struct dyno_source *recorded; /* ... and somewhere below it the trace or the generator itself */
    struct dyno_belady *belady;   /* NULL: not asked for */
    struct dyno_clock *clock;
    struct dyno_clock *loop_clock; /* the same, behind the journal if there is one */
    struct dyno_device *device;
    struct dyno_ucx_peers *peers;         /* whose it is, if it is in other processes */
    struct dyno_device *computing;        /* the last of those it stands before, or itself ... */
    struct dyno_device *computing_behind; /* ... and so of halves.device */
    struct dyno_dispatch *dispatch;       /* among those that decode, if that is not all */
    struct dyno_halves halves;            /* what requests in halves need more */
    struct dyno_tiering tiering;          /* and lower tiers of KV */
    struct dyno_linking linking;          /* and what moves over links for either */
    struct dyno_kv_trie *trie;            /* NULL: not used with this router */
    void *plugin;                         /* of router.plugin */
    const char *policy_name;
    struct dyno_starting starting; /* of workers that start for real */
    struct dyno_planning planning;
    struct dyno_faulting faulting;
    struct dyno_roster *roster; /* of one of them; NULL: everybody always serves */
    struct dyno_cost_report cost_report;
    struct dyno_plan_report plan_report; /* of the finished run */
    struct dyno_queue_report queue_report;
    struct dyno_fault_report fault_report;
    struct dyno_extrapolation extrapolated[DYNO_EXTRAPOLATIONS_MAX];
    struct dyno_workers *workers;
    struct dyno_loop *loop;
    struct dyno_metrics metrics;
    struct dyno_loop_result result;
    struct dyno_fleet_totals totals;
    char title[256]; /* "llama-3.1-8b on 8 x h100, vllm, kv" */
    /* What the caller may set before open, in place of what the scenario says: */
    /* Requests from outside: called when worker, model and clock are known; *out stays the
     * caller's, and tokens reach whoever left a transcript in live.transcripts. */
    dyno_status (*open_outside)(void *context, const struct dyno_assembly *assembly,
                                struct dyno_source **out, struct dyno_error *error);
    void *outside_context;
    /* Somebody who stands before clock and source: called when every seam is there and before the
     * loop sees any; may put others in the place of loop_clock and source. */
    dyno_status (*put_before)(void *context, struct dyno_assembly *assembly,
                              struct dyno_error *error);
    void *before_context;
    struct dyno_remote *remote; /* other servers in the workers' place; not owned ... */
    const char *remote_model;   /* ... and what the title calls their model */
    const void *trace_data;     /* [trace_size] the trace's bytes; trace.path is only their name */
    size_t trace_size;
    struct dyno_input_copy *trace_copy; /* where to keep what is read of it; NULL: nowhere */
    dyno_status (*see)(void *context, const struct dyno_request *request); /* every request, or */
    void *see_context;                                                     /* NULL */
    const struct dyno_timing_parameters *parameters; /* instead of the GPU's own */
    /* Notes what comes; not owned; its sink is the caller's to add. */
    struct dyno_recording *recording;
    struct dyno_journal *journal; /* stands in front of clock, source and device; not owned ... */
    const struct dyno_options *options;  /* ... and its head is written from these */
    const struct dyno_journal_head *fed; /* or it stands for them, and this was its head */
    /* And before the run: who takes the loop's turns; not owned; NULL: who runs the assembly. */
    struct dyno_turns *turns;
};

enum { DYNO_PRELOAD = 1 }; /* read the source ahead into memory */

/* Zero-initialise first.  `sinks` (may be NULL) hear the run after the assembly's own metrics;
 * `interrupted` as in core/run/loop.h.  On failure everything is closed again. */
dyno_status dyno_assembly_open(struct dyno_assembly *assembly, const struct dyno_scenario *scenario,
                               struct dyno_sink *sinks, const volatile sig_atomic_t *interrupted,
                               unsigned flags, struct dyno_error *error);

/* Serve the source to its end; fills metrics, result and totals. */
dyno_status dyno_assembly_run(struct dyno_assembly *assembly, struct dyno_error *error);

/* What a report says of the finished run; texts point into the assembly. */
dyno_status dyno_assembly_report(struct dyno_assembly *assembly, struct dyno_report *report,
                                 struct dyno_error *error);

void dyno_assembly_close(struct dyno_assembly *assembly);

#endif
