/* What changed between two runs of the same requests that should be alike, by class of request. */
#ifndef DYNO_REPORTS_DRIFT_H
#define DYNO_REPORTS_DRIFT_H

#include "reports/pairing.h"

enum { DYNO_DRIFT_CLASSES = 8 };

struct dyno_drift_class {
    const char *label; /* "prompt 1k to 4k" */
    uint32_t requests, changed;
    double ttft_ms[2], e2e_ms[2]; /* means over those completed in both: base, head; NAN: none */
};

struct dyno_drift {
    uint32_t requests, changed, unpaired, rerouted;
    bool any;                            /* a request changed or is unpaired */
    struct dyno_request_record first[2]; /* the first that changed: base, head; where changed > 0 */
    struct dyno_drift_class classes[DYNO_DRIFT_CLASSES];
};

/* Errors: DYNO_NO_MEMORY. */
dyno_status dyno_drift_find(struct dyno_drift *out, const struct dyno_request_record *base,
                            uint32_t base_count, const struct dyno_request_record *head,
                            uint32_t head_count);

#endif
