/* What a metric of a run is to a gate: which way is better, and in what unit it may be bounded. */
#ifndef DYNO_REPORTS_GATE_METRIC_H
#define DYNO_REPORTS_GATE_METRIC_H

#include <stdbool.h>
#include <stdint.h>

enum dyno_gate_unit {
    DYNO_GATE_MS,
    DYNO_GATE_SHARE, /* 0 ... 1, bounded in points */
    DYNO_GATE_PER_S, /* 1/s */
    DYNO_GATE_COUNT,
    DYNO_GATE_S,
    DYNO_GATE_HOURS,
    DYNO_GATE_WATTS,
    DYNO_GATE_KWH,
};

struct dyno_gate_metric {
    char name[64];
    enum dyno_gate_unit unit;
    int better; /* 1: more is better, -1: less is, 0: neither */
};

/* All that may have a budget (docs/metrics.md), in that order. */
uint32_t dyno_gate_metric_count(void);
struct dyno_gate_metric dyno_gate_metric_at(uint32_t index);

/* Those of one of several models, named as they are behind "models.NAME.": "goodput_fraction". */
uint32_t dyno_gate_metric_model_count(void);
struct dyno_gate_metric dyno_gate_metric_model_at(uint32_t index);

/* By its whole name, "ttft_ms.p99" or "models.chat.ttft_ms.p99"; false: there is none. */
bool dyno_gate_metric_find(struct dyno_gate_metric *out, const char *name);

/* How long the name of the model is in "models.NAME.METRIC", which begins at 7; 0: it is none. */
uint32_t dyno_gate_metric_model_length(const char *name);

/* A difference in the metric's unit from "2ms", "1.5points", "3/s", "20", "1s", "0.1h"; negative:
 * it is none. */
double dyno_gate_unit_parse(enum dyno_gate_unit unit, const char *text);
const char *dyno_gate_unit_example(enum dyno_gate_unit unit); /* "2ms" */

#endif
