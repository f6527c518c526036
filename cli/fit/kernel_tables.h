/* Tables of measured kernels, as AIConfigurator and LLMServingSim publish them, read as samples. */
#ifndef DYNO_CLI_FIT_KERNEL_TABLES_H
#define DYNO_CLI_FIT_KERNEL_TABLES_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"
#include "core/model/model.h"
#include "sim/fit.h"

struct dyno_kernel_samples {
    struct dyno_kernel_sample *items; /* [count] */
    size_t count;
    uint32_t capacity;
};

void dyno_kernel_samples_release(struct dyno_kernel_samples *samples);

/* Append the samples of one table (CSV, may be gzipped), recognised by the columns of its header;
 * a profile's shapes are those of `model`.  Rows that the timing model does not describe (other
 * head sizes, sliding windows, block-scaled fp8, messages that were not captured in a graph or are
 * above 128 MiB) are passed over.  DYNO_BAD_INPUT if the table is none of them. */
dyno_status dyno_kernel_samples_read(struct dyno_kernel_samples *samples, const char *path,
                                     const struct dyno_model *model, struct dyno_error *error);

#endif
