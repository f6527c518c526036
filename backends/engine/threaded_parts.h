/* What a device of threads is made of.  Private to backends/engine/threaded*.c. */
#ifndef DYNO_BACKENDS_ENGINE_THREADED_PARTS_H
#define DYNO_BACKENDS_ENGINE_THREADED_PARTS_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "backends/engine/threaded.h"

enum dyno_mail { MAIL_EMPTY, MAIL_POSTED, MAIL_DONE, MAIL_LOST, MAIL_FAILED };

enum dyno_wish { WISH_NONE, WISH_START, WISH_STOP };

/* A sequence on its worker. */
struct dyno_engine_slot {
    struct dyno_transcript *transcript; /* NULL: free */
    uint32_t generated, total;          /* tokens; total: it ends there */
    bool decodes;
};

/* One worker's engine.  While mail is POSTED everything but the atomics is its thread's; otherwise
 * it is the loop's.  Under the lock a step's tokens are taken, or the pass is cut. */
struct dyno_engine {
    struct dyno_threaded *device;
    uint32_t worker;
    struct dyno_engine_slot *slots; /* [seqs_max] */
    pthread_t thread;
    bool started;
    sem_t posted;
    atomic_int mail;
    atomic_bool quit, stop;
    atomic_bool failed;         /* so somebody else said */
    atomic_uint boundary_count; /* of boundaries, those that are known */
    atomic_uint started_count;  /* steps that have started, or will for sure */
    struct dyno_layer_gate gate;
    pthread_mutex_t lock;
    /* Under the lock: */
    bool cut;                       /* no step of the pass that has not ended yet counts */
    enum dyno_wish wish;            /* of the loop, which the thread has not looked at yet */
    enum dyno_threaded_start start; /* the last one */
    /* The pass. */
    uint32_t steps_max, steps;
    struct dyno_slice *slices; /* [slice_count] */
    uint32_t slice_count, slice_capacity;
    bool decode;
    double plain_ns; /* what it would take by config.costs; 0: not to be learned from */
    const uint32_t *const *tables;
    dyno_ns *boundaries;              /* [config.steps_max + 1] */
    struct dyno_engine_piece *pieces; /* [slice_capacity + seqs_max] of a step ... */
    uint32_t *yielding;               /* ... and the slots of those that yield ... */
    uint32_t *next;                   /* ... and their tokens */
    uint32_t *ended;                  /* [seqs_max] */
    uint32_t ended_count;
};

struct dyno_threaded {
    struct dyno_device base;
    struct dyno_device_ops ops;
    struct dyno_threaded_config config;
    struct dyno_engine *engines; /* [worker_count] */
    atomic_uint failures;        /* workers whose mail is FAILED, or was until it was dropped, and
                                    those that failed as somebody else said */
    bool owns_context;           /* once it is open */
};

static inline enum dyno_mail dyno_engine_mail(const struct dyno_engine *engine)
{
    return (enum dyno_mail)atomic_load_explicit(&engine->mail, memory_order_acquire);
}

/* ---- threaded_run.c: the worker's thread; the context is its engine ---- */
void *dyno_engine_run(void *context);

#endif
