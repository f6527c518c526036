/* Workers in other processes, as the process that has the core knows them: by their addresses it
 * opens them, and then they are a device, memories and a source of faults like any others.
 *
 * Worker w of W is in process w x P / W of P.  A process that is gone (its connection ended, it was
 * silent too long, it answered what nobody answers) takes all of its workers along: their passes
 * never end, what moves from and to them never arrives, and the faults tell of their deaths.  Who
 * is started again looks for a process at the same address, which may be another one by then: its
 * memory is empty.  Where nobody was found for `look_for_ns` the faults say that it is for good.
 */
#ifndef DYNO_BACKENDS_UCX_PEERS_H
#define DYNO_BACKENDS_UCX_PEERS_H

#include "backends/assets/weights.h"
#include "backends/cpu/kv_peer.h"
#include "backends/engine/threaded.h"
#include "backends/ucx/transport.h"
#include "core/run/faults.h"

struct dyno_ucx_peers;

struct dyno_ucx_peers_config {
    const char *addresses; /* "HOST:PORT" and more, with commas between them */
    enum dyno_ucx_transport transport;
    const struct dyno_weights *weights; /* not owned */
    uint32_t workers;                   /* of all processes; as many in each */
    uint32_t ranks, threads;            /* of each worker; threads 0: as its process likes */
    uint32_t blocks, block_tokens, rows_max;
    /* Workers that are there from the start: [ready_first, ready_first + ready_count); 0: all. */
    uint32_t ready_first, ready_count;
    dyno_ns look_for_ns; /* how long a process that is gone is looked for; 0: not at all */
    dyno_ns silence_ns;  /* one of which nothing is heard for so long is gone; 0: it never is */
    bool predicts;       /* measure a few passes when a device opens, to say what one would take */
    bool tells_layers;   /* gates of the device (backends/engine/layer_gate.h) are told of layers */
    /* What time it is, and whom to wake: both from any thread. */
    dyno_ns (*now)(const struct dyno_clock *clock);
    void (*wake)(struct dyno_clock *clock);
    struct dyno_clock *clock; /* not owned */
};

/* Whether this build has them; else nothing below is to be called but open, which says so. */
bool dyno_ucx_is_built(void);

/* On success *out is closed with dyno_ucx_peers_close, after the device and links that use it.
 * Errors: DYNO_UNSUPPORTED (a build without UCX), DYNO_NOT_FOUND, DYNO_BAD_INPUT (an address, or a
 * process that refuses, in its words), DYNO_IO, DYNO_NO_MEMORY. */
dyno_status dyno_ucx_peers_open(struct dyno_ucx_peers **out,
                                const struct dyno_ucx_peers_config *config,
                                struct dyno_error *error);
void dyno_ucx_peers_close(struct dyno_ucx_peers *peers); /* NULL: nothing */

/* A device of all of them, whose passes are computed where they are, step by step; `threaded` as of
 * dyno_cpu_config.  Its workers can be started and stopped: a process all of whose workers have
 * stopped is let go.  As dyno_threaded_device_open. */
dyno_status dyno_ucx_device_open(struct dyno_device **out, struct dyno_ucx_peers *peers,
                                 const struct dyno_threaded_config *threaded,
                                 struct dyno_error *error);

/* The memory of a worker, in which blocks of all of its ranks are one, whoever is there.  The
 * peers'. */
struct dyno_kv_peer *dyno_ucx_peers_memory(struct dyno_ucx_peers *peers, uint32_t worker);

/* Faults of workers in other processes, of either role: as the loop counts them, those of
 * `peers` from `first_worker` on; NULL: there are none.  A place is mended as soon as its worker
 * has died, where it is to be looked for, and then broken for good if that was in vain.  On success
 * *out is closed through its ops, before the peers.  `others` may be NULL; from then on it is
 * closed with *out.  DYNO_NO_MEMORY. */
enum { DYNO_UCX_MORTALS = 2 };
struct dyno_ucx_mortals {
    struct dyno_ucx_peers *peers;
    uint32_t first_worker;
};
dyno_status dyno_ucx_faults_open(struct dyno_faults **out,
                                 const struct dyno_ucx_mortals mortals[DYNO_UCX_MORTALS],
                                 struct dyno_faults *others);

/* What steps took beside what was computed: the time from question to answer less that of
 * computing. */
struct dyno_ucx_totals {
    uint64_t steps, beside_ns;
    uint64_t layers; /* of all steps, that were told of before the answer */
};

/* Of the processes that are there, while no pass is under way. */
struct dyno_ucx_totals dyno_ucx_peers_totals(struct dyno_ucx_peers *peers);

/* Whether any process is gone of whose workers one has not been started since. */
bool dyno_ucx_peers_are_gone(struct dyno_ucx_peers *peers);

/* What became of processes, as the faults told. */
struct dyno_ucx_loss {
    uint32_t workers;                  /* that died with one ... */
    uint32_t away;                     /* ... and those that nobody is in place of now */
    char why[DYNO_ERROR_TEXT_MAX];     /* the last process that is gone ... */
    char in_vain[DYNO_ERROR_TEXT_MAX]; /* ... and why nobody was found there when it was looked for
                                          last; empty: somebody was */
};

struct dyno_ucx_loss dyno_ucx_peers_loss(struct dyno_ucx_peers *peers);

#endif
