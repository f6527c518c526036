/* A machine that was measured: how long passes take on one device, as a few tables instead of a
 * model of kernels.  For CPUs, whose passes follow no roofline, and for the GPUs that are there;
 * `dyno calibrate` fills it.
 *
 *   step = rows(T) + yields(Y) + pair x P + context x C + pass [/ 16] + step     nanoseconds
 *
 * T rows (prompt tokens and decoding sequences), Y sequences that yield a token (their logits), P
 * (query, context) pairs of prompt slices, C tokens that decoding sequences read from KV: those
 * beyond the first `context_near` cost context_far each, for what a few sequences have is read from
 * nearer than what many have.  rows and
 * yields are straight lines between the points measured, through what was measured at 1 and beyond
 * the last point with the slope of the last two.  `pass` is what a pass costs beside its steps
 * (waking a thread, and the loop by it).  A pass with slices has one step, and bears all of it; a
 * device that computes makes passes of up to 16 decode steps, and each bears its share, for steps
 * must not depend on how they are cut into passes.
 *
 * A pass of T rows that follows a pause starts idle(T) later: what it was measured to take more
 * than one that follows another pass (a late clock, threads that sleep, cold caches, a slow clock
 * rate). Whole from DYNO_IDLE_NS_WHOLE (core/worker/paced.h), less after a shorter pause.
 *
 * Decode steps right behind a pass with slices begin behind(T) later, T that pass's rows: caches
 * hold what the prompt left there, and with several threads in other cores.
 */
#ifndef DYNO_SIM_MACHINE_H
#define DYNO_SIM_MACHINE_H

#include "core/base/status.h"
#include "core/worker/device.h"
#include "core/worker/paced.h"

enum { DYNO_MACHINE_POINTS_MAX = 32, DYNO_MACHINE_PASS_STEPS = 16 };

/* A curve over counts: increasing, the first count is 1. */
struct dyno_machine_curve {
    uint32_t count;
    uint32_t at[DYNO_MACHINE_POINTS_MAX];
    double ns[DYNO_MACHINE_POINTS_MAX];
};

struct dyno_machine {
    char model[96];  /* the model's name, as `--model` gave it ... */
    char device[32]; /* ... and "cpu" or "cuda" */
    uint32_t threads;
    uint32_t ranks;     /* that share a worker's passes (--tp); threads are divided among them */
    uint32_t kv_tokens; /* that its memory has room for; 0: not measured */
    struct dyno_machine_curve rows, yields;
    struct dyno_machine_curve idle, behind; /* count may be 0: not measured, and nothing */
    double pair_ns, context_ns, pass_ns;
    double context_far_ns;
    uint32_t context_near; /* 0: all tokens cost context_ns */
    /* Moving blocks of KV from one worker's memory to another's: what a byte takes, and what a
     * transfer takes beside its bytes.  copy_byte_ns 0: not measured. */
    double copy_byte_ns, copy_ns;
    /* What is on its way waits for the loop first: from when a pass has ended, by its stamp, until
     * what follows from that is sent; and from when a turn begins after a rest until what it
     * decides is.  0: not measured. */
    double sent_ns, sent_after_pause_ns;
    /* The same to a file of KV, and from one: over a thread that does either by turns.
     * disk_write_byte_ns 0: not measured. */
    double disk_write_byte_ns, disk_write_ns, disk_read_byte_ns, disk_read_ns;
    /* The same between this process and another one, and what a step that is computed there takes
     * beside what was computed.  far_byte_ns 0: not measured. */
    double far_byte_ns, far_ns, far_pass_ns;
    /* Of every step more, whole; 0 but where it is simulated as a worker in another process. */
    double step_ns;
    /* Starting a worker: what a byte of its KV takes, and what it takes beside that.  start_ns 0:
     * not measured. */
    double start_byte_ns, start_ns;
};

/* DYNO_BAD_INPUT and one sentence if a curve does not increase in `at`, is empty (idle and behind
 * may be), or any time is not finite, negative, or above an hour. */
dyno_status dyno_machine_check(const struct dyno_machine *machine, struct dyno_error *error);

/* The curve's value for `count`, 0 at least; 0 for 0, and of an empty curve. */
double dyno_machine_curve_ns(const struct dyno_machine_curve *curve, double count);

/* What a pass asks of a machine: the T, Y, P and C of its first step. */
struct dyno_machine_work {
    double rows, yields, pairs;
    uint64_t context;
    uint32_t decodes; /* sequences that decode: `context` grows by so many a step */
    bool has_slices;
};

/* Of what core hands to a device. */
struct dyno_machine_work dyno_machine_work_of(const struct dyno_pass *pass);

/* What it costs; the machine was accepted by dyno_machine_check. */
void dyno_machine_work_cost(const struct dyno_machine *machine,
                            const struct dyno_machine_work *work, struct dyno_pass_cost *out);

/* Both at once. */
void dyno_machine_cost(const struct dyno_machine *machine, const struct dyno_pass *pass,
                       struct dyno_pass_cost *out);

/* A simulated fleet of such machines: closed through its ops.  `machine` must outlive it, and
 * dyno_machine_check accepted it. */
struct dyno_answers;
dyno_status dyno_machine_open(struct dyno_device **out, uint32_t worker_count,
                              const struct dyno_machine *machine, struct dyno_answers *answers);

#endif
