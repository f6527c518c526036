/* The names of outcomes. */
#include "core/model/record.h"

#include <assert.h>

static const char *const names[DYNO_OUTCOMES] = {
    [DYNO_COMPLETED] = "completed",
    [DYNO_REJECTED_PROMPT_TOO_LONG] = "rejected_prompt_too_long",
    [DYNO_REJECTED_QUEUE_FULL] = "rejected_queue_full",
    [DYNO_CANCELLED_BY_CLIENT] = "cancelled_by_client",
    [DYNO_CANCELLED_AT_END] = "cancelled_at_end",
    [DYNO_FAILED] = "failed",
};

const char *dyno_outcome_name(enum dyno_outcome outcome)
{
    assert((unsigned)outcome < DYNO_OUTCOMES);
    return names[outcome];
}
