/* Timeouts of one duration each, in the order in which they end: to start, stop and look takes the
 * same few steps however many there are, and no system call. */
#ifndef DYNO_BACKENDS_HTTP_TIMEOUTS_H
#define DYNO_BACKENDS_HTTP_TIMEOUTS_H

#include "core/base/time.h"

/* Part of what has the timeout; all zero at first, and when it is in no queue. */
struct dyno_http_timeout {
    struct dyno_http_timeout_queue *queue;
    struct dyno_http_timeout *earlier, *later;
    dyno_ns deadline_ns;
};

/* All zero but for the duration. */
struct dyno_http_timeout_queue {
    dyno_ns duration_ns;
    struct dyno_http_timeout *first, *last;
};

/* Leave the queue it is in, if any. */
void dyno_http_timeout_stop(struct dyno_http_timeout *timeout);

/* Leave that queue and end a duration from `now`, which never goes back. */
void dyno_http_timeout_start(struct dyno_http_timeout *timeout,
                             struct dyno_http_timeout_queue *queue, dyno_ns now);

/* Take out and return the first whose deadline is not after `now`, or NULL. */
struct dyno_http_timeout *dyno_http_timeout_pop(struct dyno_http_timeout_queue *queue, dyno_ns now);

#endif
