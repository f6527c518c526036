/* What is told of a run: plain records, made by workers and dispatch, heard by sinks. */
#ifndef DYNO_CORE_MODEL_RECORD_H
#define DYNO_CORE_MODEL_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/time.h"

enum dyno_outcome {
    DYNO_COMPLETED,
    DYNO_REJECTED_PROMPT_TOO_LONG, /* more blocks than a worker has, or past the model's context */
    DYNO_REJECTED_QUEUE_FULL,
    DYNO_CANCELLED_BY_CLIENT,
    DYNO_CANCELLED_AT_END, /* the run was interrupted while it was in flight */
    DYNO_FAILED,
    DYNO_REJECTED_QUEUE_TIMEOUT, /* no worker might take it for too long */
};

enum { DYNO_OUTCOMES = DYNO_REJECTED_QUEUE_TIMEOUT + 1 }; /* how many there are */

/* "completed", "rejected_queue_full", ...: as the database and recorded traces call it. */
const char *dyno_outcome_name(enum dyno_outcome outcome);

/* Whether it was turned away, for one reason or another. */
bool dyno_outcome_is_rejected(enum dyno_outcome outcome);

enum { DYNO_NO_WORKER = UINT32_MAX };

/* One request's whole life, told when it ends.  Stamps are DYNO_NEVER where it never came so far.
 *
 *   scheduled <= arrival <= ready <= admitted <= first_token <= last_token
 *
 * client_wait = arrival - scheduled (outside e2e)   ingest = ready - arrival - held
 * onboard: blocks of its prompt came from a lower tier before it was admitted
 * queue = held + admitted - ready - onboard    prefill = first_token - admitted
 * held: from arrival until a worker might take it, where none might at once
 * transfer: from the first token to when the KV was all on the worker that decodes
 * decode = last_token - first_token - transfer
 * e2e = last_token - arrival = ingest + queue + onboard + prefill + transfer + decode.
 * ttft = first_token - arrival.
 */
struct dyno_request_record {
    uint64_t id;
    uint64_t session;
    uint32_t tenant;
    uint32_t model; /* the one that was asked, as in the request */
    int32_t priority;
    uint32_t worker;         /* the one that decodes; DYNO_NO_WORKER: never routed */
    uint32_t prefill_worker; /* another one that computed its prompt; 0, for that is none: itself */
    enum dyno_outcome outcome;
    uint32_t prompt_tokens;
    uint32_t output_tokens;    /* generated */
    uint32_t cached_tokens;    /* prompt tokens found in cache when first admitted ... */
    uint32_t onboarded_tokens; /* ... and of these brought there from a lower tier for it */
    uint32_t pulled_tokens;    /* ... or from another worker's GPU: part of onboarded_tokens */
    uint32_t preemptions;
    uint32_t migrations; /* workers that were lost with it, and from which it went on elsewhere */
    dyno_ns scheduled_ns;
    dyno_ns arrival_ns;
    dyno_ns ready_ns;
    dyno_ns admitted_ns;
    dyno_ns first_token_ns;
    dyno_ns last_token_ns;
    dyno_ns held_ns;     /* a duration */
    dyno_ns onboard_ns;  /* a duration */
    dyno_ns transfer_ns; /* likewise; 0: its KV was not moved, or no token came after that, or
                            it came before the first token, and is in prefill */
};

/* How far a request came on a worker that was lost, for the worker that goes on with it. */
struct dyno_resume {
    struct dyno_request_record record; /* as if it had ended then; who goes on keeps its stamps */
    uint32_t computed;                 /* tokens that it had in KV, which are gone */
    uint32_t router; /* that sent it there, where there are several: it does so again */
};

enum { DYNO_TIERS_MAX = 3 }; /* below the GPU's own memory */

/* A pool of a tier that a worker uses, perhaps with others. */
struct dyno_tier_sample {
    uint32_t level;
    uint32_t blocks_moving; /* held by transfers */
    uint32_t blocks_kept, blocks_total;
};

/* One worker, looked at every sample interval. */
struct dyno_sample_record {
    dyno_ns at;
    uint32_t worker;
    const char *state; /* static: "stopped", "starting", "ready", "draining" or "lost"; NULL: all
                          workers always serve */
    uint32_t running;
    uint32_t waiting;
    uint32_t elsewhere;   /* of these, have their place and wait for a prompt from another worker */
    uint32_t blocks_used; /* held by sequences */
    uint32_t blocks_idle; /* cached, held by none */
    uint32_t blocks_total;   /* 0: nothing is known of the worker's cache */
    uint64_t tokens_out;     /* generated so far */
    dyno_ns busy_ns;         /* time in passes so far */
    uint64_t steps;          /* done so far ... */
    uint64_t prefill_tokens; /* ... and prompt tokens computed */
    uint32_t tier_count;
    struct dyno_tier_sample tiers[DYNO_TIERS_MAX];
};

/* A link that carried something since it was looked at last, with the samples. */
struct dyno_link_record {
    dyno_ns at, since;
    uint32_t link;   /* as what moves KV numbers them */
    uint64_t bytes;  /* since then ... */
    dyno_ns busy_ns; /* ... and time in which something was on it */
};

/* One tick of the planner: what it saw and what it decided (core/plan/plan.h).  Where some workers
 * compute prompts and others decode, there is one of each role. */
struct dyno_plan_record {
    dyno_ns at;
    const char *role; /* static: "serve", "decode", "prefill" */
    uint32_t model;   /* whose workers they are; 0 where there is one */
    uint32_t coming;  /* places that will have the role, and whose workers drain in the other */
    uint32_t before, asked, desired; /* workers: decided last, asked for by the policy, decided */
    const char *reason;              /* static: "up", "cooling", ... */
    uint32_t ready, starting, draining;
    uint32_t heard;                   /* ready workers whose metrics came */
    uint32_t running, waiting, lobby; /* requests: on those, and for any worker */
    double rate, forecast_rate;       /* requests per second: since the last tick, and to come */
};

enum dyno_fault_kind {
    DYNO_FAULT_DEATH, /* a worker is gone with all it holds, and so is its place until the end */
    DYNO_FAULT_STALL, /* a worker is slow, or stands still */
    DYNO_FAULT_LINK,  /* a link is slow, or lets nothing pass */
};

enum { DYNO_FAULT_KINDS = DYNO_FAULT_LINK + 1 };

/* "death", "stall", "link". */
const char *dyno_fault_name(enum dyno_fault_kind kind);

/* Something went wrong (core/run/faults.h). */
struct dyno_fault_record {
    enum dyno_fault_kind kind;
    const char *what;  /* that it hit: "worker", "nic", the name of a switch; whoever yields it
                          keeps it */
    uint32_t target;   /* which of them */
    dyno_ns at, until; /* DYNO_NEVER: for good */
    uint32_t slowness; /* so many times slower; 0: nothing moves */
    uint64_t requests; /* that were with a worker that died */
};

/* What became of all faults of a run. */
struct dyno_fault_totals {
    uint64_t faults[DYNO_FAULT_KINDS]; /* that began */
    uint64_t deaths;                   /* of workers that served, or drained */
    uint64_t migrations;               /* times that a request went on elsewhere ... */
    uint64_t migrated;                 /* ... of so many requests */
    uint64_t lost;                     /* requests that nobody went on with */
};

/* What became of a tier (core/worker/tiers.h), summed over its pools.  Blocks, but for the times.
 */
struct dyno_tier_totals {
    uint32_t level; /* 2, 3 or 4 */
    uint32_t pools;
    uint64_t blocks_total;
    uint64_t blocks_idle;     /* that it holds at the end */
    uint64_t hit_blocks;      /* of prompts at their first admission */
    uint64_t loaded_blocks;   /* onboarded, for whatever reason */
    uint64_t stored_blocks;   /* that came ... */
    uint64_t skipped_blocks;  /* ... and that would have, but there was no room ... */
    uint64_t declined_blocks; /* ... or nobody wanted them: by the policy, or
                                 because they would not come back soon enough */
    uint64_t evicted_blocks;
    uint64_t slow_blocks; /* that it had for requests that were faster without them */
    unsigned __int128 load_wait_ns, store_wait_ns; /* of transfers, summed */
    uint64_t loads, stores;                        /* transfers */
    uint64_t lost_blocks; /* that could not be written or read, or were not what was stored */
    uint64_t loaded_bytes, stored_bytes; /* of those blocks: models of a fleet have unequal ones */
};

/* What the fleet did, summed over workers at the end of a run. */
struct dyno_fleet_totals {
    uint32_t workers;
    uint32_t gpus;
    uint64_t blocks_total; /* KV blocks of all workers */
    uint64_t passes, steps;
    uint64_t prefill_tokens;           /* computed (recomputed ones again) */
    uint64_t decode_tokens;            /* computed by decode steps */
    unsigned __int128 attention_pairs; /* query x context token pairs computed */
    unsigned __int128 kv_tokens_read;  /* context tokens read by decode steps */
    uint64_t preemptions;
    uint64_t tokens_recomputed; /* that a worker which was lost had computed, and another one did
                                   not find in its cache */
    uint64_t evicted_blocks;
    uint32_t pass_tokens_max;   /* of any pass ... */
    uint32_t sequences_max;     /* ... that decoded in one ... */
    uint32_t context_max;       /* ... and tokens of any one sequence in KV */
    uint64_t prompt_blocks;     /* whole prompt blocks looked up at first admission */
    uint64_t prompt_blocks_hit; /* of these, found */
    uint64_t transfers;         /* of KV between workers, and tiers ... */
    unsigned __int128 transfer_bytes;
    unsigned __int128 transfer_wait_ns; /* ... of those that a request waited for, summed: between
                                           workers from the first token to the last block */
    uint64_t transfers_given_up;   /* no blocks in time: the prompt was computed where it decodes */
    uint64_t transfers_sent_again; /* blocks came too late, or their prompt was lost: another try */
    uint32_t tier_count;           /* 0: there are no lower tiers */
    struct dyno_tier_totals tiers[DYNO_TIERS_MAX];
    /* What came from other workers' GPUs: loads, and what was hit of them.  Level 1; 0: nobody
     * pulls from another one. */
    struct dyno_tier_totals peers;
    uint64_t tier_block_bytes;       /* of several models that of one of them */
    unsigned __int128 busy_ns;       /* summed over workers */
    unsigned __int128 block_ns_used; /* blocks held by sequences x time, summed */
    dyno_ns end_ns;                  /* when the run ended */
};

/* The books of another part of the fleet too: sums, and the larger of what is a maximum.  Parts
 * that have tiers have as many, of the same levels in the same order. */
void dyno_fleet_totals_add(struct dyno_fleet_totals *totals, const struct dyno_fleet_totals *more);

/* What a block has that was moved to one of the tiers or from it: of several models the mean. */
uint64_t dyno_tier_block_bytes(const struct dyno_fleet_totals *totals,
                               const struct dyno_tier_totals *tier);

#endif
