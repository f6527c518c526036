/* Who waits for a layer goes on when it is computed, and sees what was written until then. */
#include "backends/engine/layer_gate.h"

#include <pthread.h>
#include <stdbool.h>

#include "tests/check_main.h"

enum { LAYERS = 8, PASSES = 200 };

/* What one thread writes layer by layer and another one reads, without a lock of its own. */
struct worked {
    struct dyno_layer_gate gate;
    uint32_t layers[PASSES][LAYERS];
    pthread_barrier_t begun;
};

static void *compute(void *context)
{
    struct worked *worked = context;

    for (uint32_t pass = 0; pass < PASSES; pass++) {
        pthread_barrier_wait(&worked->begun);
        for (uint32_t layer = 0; layer < LAYERS; layer++) {
            worked->layers[pass][layer] = 1 + pass * LAYERS + layer;
            dyno_layer_gate_note(&worked->gate, layer + 1);
        }
        dyno_layer_gate_end(&worked->gate);
    }
    return NULL;
}

START_TEST(what_was_computed_before_a_layer_was_told_of_is_seen)
{
    static struct worked worked;
    pthread_t thread;

    dyno_layer_gate_init(&worked.gate);
    ck_assert_int_eq(pthread_barrier_init(&worked.begun, NULL, 2), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, compute, &worked), 0);
    for (uint32_t pass = 0; pass < PASSES; pass++) {
        dyno_layer_gate_begin(&worked.gate);
        pthread_barrier_wait(&worked.begun);
        for (uint32_t layer = 0; layer < LAYERS; layer++) {
            ck_assert_uint_gt(
                dyno_layer_gate_await(&worked.gate, dyno_layer_gate_pass(&worked.gate), layer),
                layer);
            ck_assert_uint_eq(worked.layers[pass][layer], 1 + pass * LAYERS + layer);
        }
        ck_assert_uint_eq(
            dyno_layer_gate_await(&worked.gate, dyno_layer_gate_pass(&worked.gate), LAYERS),
            UINT32_MAX);
    }
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&worked.begun);
    dyno_layer_gate_release(&worked.gate);
}
END_TEST

/* Nor does one that never was. */
START_TEST(a_pass_that_is_over_holds_nobody_up)
{
    struct dyno_layer_gate gate;
    uint64_t first;

    dyno_layer_gate_init(&gate);
    dyno_layer_gate_await(&gate, dyno_layer_gate_pass(&gate), 0);
    dyno_layer_gate_begin(&gate);
    first = dyno_layer_gate_pass(&gate);
    dyno_layer_gate_end(&gate);
    dyno_layer_gate_await(&gate, first, 100);
    dyno_layer_gate_begin(&gate);
    ck_assert_uint_eq(dyno_layer_gate_pass(&gate), first + 1);
    dyno_layer_gate_await(&gate, first, 0);
    dyno_layer_gate_release(&gate);
}
END_TEST

/* What was told stays so: word of fewer layers, which may come late, holds nobody up. */
START_TEST(layers_that_are_computed_stay_computed)
{
    struct dyno_layer_gate gate;
    uint64_t pass;

    dyno_layer_gate_init(&gate);
    dyno_layer_gate_begin(&gate);
    pass = dyno_layer_gate_pass(&gate);
    dyno_layer_gate_note(&gate, 3);
    dyno_layer_gate_note(&gate, 2);
    ck_assert_uint_eq(dyno_layer_gate_await(&gate, pass, 0), 3);
    ck_assert_uint_eq(dyno_layer_gate_await(&gate, pass, 2), 3);
    dyno_layer_gate_end(&gate);
    dyno_layer_gate_note(&gate, 4);
    ck_assert_uint_eq(dyno_layer_gate_await(&gate, pass, 50), UINT32_MAX);
    dyno_layer_gate_release(&gate);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("layer gate");

    tcase_add_test(cases, what_was_computed_before_a_layer_was_told_of_is_seen);
    tcase_add_test(cases, a_pass_that_is_over_holds_nobody_up);
    tcase_add_test(cases, layers_that_are_computed_stay_computed);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("layer_gate", add_cases)
