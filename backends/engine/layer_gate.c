#include "backends/engine/layer_gate.h"

void dyno_layer_gate_init(struct dyno_layer_gate *gate)
{
    *gate = (struct dyno_layer_gate){.layers = UINT32_MAX};
    (void)pthread_mutex_init(&gate->lock, NULL);
    (void)pthread_cond_init(&gate->moved, NULL);
}

void dyno_layer_gate_release(struct dyno_layer_gate *gate)
{
    (void)pthread_cond_destroy(&gate->moved);
    (void)pthread_mutex_destroy(&gate->lock);
}

void dyno_layer_gate_begin(struct dyno_layer_gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->pass++;
    gate->layers = 0;
    pthread_cond_broadcast(&gate->moved);
    pthread_mutex_unlock(&gate->lock);
}

void dyno_layer_gate_note(struct dyno_layer_gate *gate, uint32_t layers)
{
    pthread_mutex_lock(&gate->lock);
    if (layers > gate->layers) {
        gate->layers = layers;
        pthread_cond_broadcast(&gate->moved);
    }
    pthread_mutex_unlock(&gate->lock);
}

void dyno_layer_gate_end(struct dyno_layer_gate *gate)
{
    dyno_layer_gate_note(gate, UINT32_MAX);
}

uint64_t dyno_layer_gate_pass(struct dyno_layer_gate *gate)
{
    uint64_t pass;

    pthread_mutex_lock(&gate->lock);
    pass = gate->pass;
    pthread_mutex_unlock(&gate->lock);
    return pass;
}

uint32_t dyno_layer_gate_await(struct dyno_layer_gate *gate, uint64_t pass, uint32_t layer)
{
    uint32_t layers;

    pthread_mutex_lock(&gate->lock);
    while (gate->pass == pass && gate->layers <= layer) {
        pthread_cond_wait(&gate->moved, &gate->lock);
    }
    layers = gate->pass == pass ? gate->layers : UINT32_MAX;
    pthread_mutex_unlock(&gate->lock);
    return layers;
}
