/* The tensors of a random model in the order in which they are written, and their values. */
#ifndef DYNO_BACKENDS_ASSETS_RANDOM_RANDOM_PLAN_H
#define DYNO_BACKENDS_ASSETS_RANDOM_RANDOM_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "backends/assets/random/random_model.h"
#include "backends/assets/weights_parts.h"
#include "kernels/team.h"

enum { DYNO_PLAN_NAME_MAX = 128 };

/* How the file's elements lie, seen from W[rows][columns]. */
enum dyno_plan_order {
    DYNO_ORDER_PLAIN,
    DYNO_ORDER_TRANSPOSED, /* [columns][rows] */
    DYNO_ORDER_PAIRED, /* rows of a head so that rotary pairs, half a head apart, are neighbours */
};

struct dyno_planned_tensor {
    char name[DYNO_PLAN_NAME_MAX];
    enum dyno_element element;
    enum dyno_plan_order order;
    bool is_ones;
    const float *values;    /* given instead of made; NULL: made */
    uint32_t stack;         /* matrices in it, one behind the other; 0: one, without a dimension */
    uint32_t rows, columns; /* columns 0: a vector */
    uint32_t role, layer;   /* with the place in the stack: which values */
    uint32_t expert;        /* of the first in the stack */
};

struct dyno_random_plan {
    const struct dyno_random_model *model;
    const struct dyno_tensor_names *names;
    bool is_gguf;
    struct dyno_planned_tensor *tensors; /* [count] */
    size_t count;
    uint32_t room;
    struct dyno_team *team; /* which makes values */
};

/* Every tensor of the model under these names.  On success dyno_random_plan_release. */
dyno_status dyno_random_plan_make(struct dyno_random_plan *out,
                                  const struct dyno_random_model *model,
                                  const struct dyno_tensor_names *names, bool is_gguf,
                                  struct dyno_error *error);
/* One more, zeroed; NULL where memory is out. */
struct dyno_planned_tensor *dyno_random_plan_add(struct dyno_random_plan *plan);
void dyno_random_plan_release(struct dyno_random_plan *plan);

/* The shape in the file, outermost first, at most three; returns the rank. */
uint32_t dyno_planned_shape(const struct dyno_planned_tensor *tensor, uint64_t shape[3]);
uint64_t dyno_planned_bytes(const struct dyno_planned_tensor *tensor);

/* Hand the tensor's bytes to `put`, some at a time. */
dyno_status dyno_planned_write(const struct dyno_random_plan *plan,
                               const struct dyno_planned_tensor *tensor,
                               dyno_status (*put)(void *context, const void *data, size_t size),
                               void *context, struct dyno_error *error);

#endif
