/* The paced source over any teller of rows (inside this room). */
#ifndef DYNO_TRACES_SOURCE_H
#define DYNO_TRACES_SOURCE_H

#include "core/run/source.h"
#include "traces/rows.h"

/* Takes `rows` over, also when it fails.  `answers` may be NULL: nobody wants to know.  A bad
 * configuration or a bad first row fails here. */
dyno_status dyno_paced_open(struct dyno_source **out, struct dyno_rows *rows,
                            const struct dyno_pacing_config *pacing, uint32_t max_tokens,
                            struct dyno_answers *answers, struct dyno_error *error);

/* The rows below a paced source; NULL for any other source. */
struct dyno_rows *dyno_paced_rows(const struct dyno_source *source);

/* Let a paced source go on with other rows and answers; the old ones are the caller's again. */
void dyno_paced_refit(struct dyno_source *source, struct dyno_rows *rows,
                      struct dyno_answers *answers);

#endif
