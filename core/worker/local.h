/* Our own workers: continuous batching and a KV cache over a device, for a whole fleet. */
#ifndef DYNO_CORE_WORKER_LOCAL_H
#define DYNO_CORE_WORKER_LOCAL_H

#include "core/base/histogram.h"
#include "core/worker/config.h"
#include "core/worker/device.h"
#include "core/worker/worker.h"

/* Who hears of requests served in halves (core/worker/halves.h).  Called as listeners are. */
struct dyno_half_listener {
    void *context;
    /* The half of request `id` that decodes has a slot and its prompt's blocks; `blocks` of them
     * are to be filled.  NULL functions: there are no halves. */
    dyno_status (*reserved)(void *context, dyno_ns now, uint64_t id, uint32_t blocks);
    /* The half that is a prompt has yielded its first token at `at`; the record is the worker's,
     * valid during the call.  Its blocks are leased until dyno_half_release. */
    dyno_status (*prompt_done)(void *context, const struct dyno_request_record *record, dyno_ns at);
    /* The pass that will yield it begins; NULL: nobody wants to know. */
    void (*prompt_begun)(void *context, uint64_t id);
    /* Blocks that arrive are all of the prompt, but its first token is still to be computed: with
     * the prompt's last token, where it decodes. */
    bool first_token_here;
};

struct dyno_local_config {
    struct dyno_worker_config worker; /* the same for every worker */
    uint32_t worker_count;
    uint32_t gpus_per_worker;   /* for the books only */
    uint32_t warm_from;         /* from this one on ... */
    uint32_t warm_count;        /* ... so many have had their first passes when the run begins */
    struct dyno_device *device; /* not owned */
    struct dyno_worker_listener listener;
    struct dyno_half_listener halves;
    struct dyno_tiers *tiers;   /* core/worker/tiers.h; not owned; NULL: there are none ... */
    uint32_t first_place;       /* ... and what they call worker 0; the others follow */
    uint32_t endpoint;          /* and what links call it, likewise */
    struct dyno_histogram *itl; /* where the gaps between tokens go; not owned */
};

/* On success *out is closed through its ops.  Errors: DYNO_BAD_INPUT (a contradiction in the
 * configuration, in words), DYNO_NO_MEMORY. */
dyno_status dyno_local_open(struct dyno_workers **out, const struct dyno_local_config *config,
                            struct dyno_error *error);

/* A pass of a device that computes cannot be forgotten: it reads tables and transcripts, and writes
 * blocks.  All are told to stop, and waited for; they can be settled then.  Returns when the last
 * one ended, or `now`. */
dyno_ns dyno_local_quiesce(struct dyno_workers *workers, dyno_ns now);

/* Walks every worker's cache; aborts if an invariant is broken.  For tests and debug runs. */
void dyno_local_check(const struct dyno_workers *workers);

#endif
