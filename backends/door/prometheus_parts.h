/* Inside the text format: its lines, and the families under vLLM's names. */
#ifndef DYNO_BACKENDS_DOOR_PROMETHEUS_PARTS_H
#define DYNO_BACKENDS_DOOR_PROMETHEUS_PARTS_H

#include <stdint.h>
#include <stdio.h>

#include "backends/door/ladder.h"
#include "backends/door/telemetry_parts.h"
#include "backends/nvml/watch.h"

struct dyno_label {
    const char *name;  /* NULL: the list ends here */
    const char *value; /* NULL: there is no such label */
};

/* The labels of one sample: DYNO_LABELS({"worker", "0"}, {"tier", "g1"}). */
#define DYNO_LABELS(...)                                                                           \
    (const struct dyno_label[])                                                                    \
    {                                                                                              \
        __VA_ARGS__,                                                                               \
        {                                                                                          \
            NULL, NULL                                                                             \
        }                                                                                          \
    }
#define DYNO_NO_LABELS DYNO_LABELS({NULL, NULL})

/* A family begins: its lines of help and type.  `help` is one line without a backslash. */
void dyno_lines_family(FILE *out, const char *name, const char *type, const char *help);
/* Samples of it.  Any bytes may be in a label's value: it is escaped. */
void dyno_lines_count(FILE *out, const char *name, const struct dyno_label *labels, uint64_t value);
void dyno_lines_real(FILE *out, const char *name, const struct dyno_label *labels, double value);
/* Those of a family of type histogram.  `per_unit`: how many of the ladder's parts make one of the
 * metric's units: 10^9 for durations, told in seconds, 1 for tokens. */
void dyno_lines_ladder(FILE *out, const char *name, const struct dyno_label *labels,
                       const struct dyno_ladder *ladder, uint64_t per_unit);

void dyno_prometheus_vllm(FILE *out, const struct dyno_telemetry *telemetry);
void dyno_prometheus_gpus(FILE *out, struct dyno_nvml_watch *watch);

#endif
