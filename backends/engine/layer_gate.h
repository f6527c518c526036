/* How far the layers of a worker's pass have come: told by the thread that computes it, asked by
 * others, who wait for the keys and values of a layer to take them elsewhere while the next ones
 * are computed.
 *
 *   begin: pass n is to be computed -> note: so many of its layers are -> end: it is over, whether
 *   it was computed or not, so that nobody waits for ever
 *
 * All of it from any thread.  What the computing thread wrote before it noted a layer is seen by
 * who waited for it.
 */
#ifndef DYNO_BACKENDS_ENGINE_LAYER_GATE_H
#define DYNO_BACKENDS_ENGINE_LAYER_GATE_H

#include <pthread.h>
#include <stdint.h>

struct dyno_layer_gate {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    /* Under the lock: */
    uint64_t pass;   /* the last one that has begun; 0: none has */
    uint32_t layers; /* of it, that are computed; UINT32_MAX: it is over */
};

void dyno_layer_gate_init(struct dyno_layer_gate *gate);
void dyno_layer_gate_release(struct dyno_layer_gate *gate); /* nobody waits any more */

void dyno_layer_gate_begin(struct dyno_layer_gate *gate);
/* Fewer than were noted already: nothing. */
void dyno_layer_gate_note(struct dyno_layer_gate *gate, uint32_t layers);
void dyno_layer_gate_end(struct dyno_layer_gate *gate);

/* The pass that began last, to be waited for. */
uint64_t dyno_layer_gate_pass(struct dyno_layer_gate *gate);

/* Wait until layer `layer` of the pass is computed, or the pass is over.  Returns how many of its
 * layers are, more than `layer`; UINT32_MAX: it is over. */
uint32_t dyno_layer_gate_await(struct dyno_layer_gate *gate, uint64_t pass, uint32_t layer);

#endif
