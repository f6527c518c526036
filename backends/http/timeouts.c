#include "backends/http/timeouts.h"

#include <stddef.h>

void dyno_http_timeout_stop(struct dyno_http_timeout *timeout)
{
    struct dyno_http_timeout_queue *queue = timeout->queue;

    if (!queue) {
        return;
    }
    *(timeout->earlier ? &timeout->earlier->later : &queue->first) = timeout->later;
    *(timeout->later ? &timeout->later->earlier : &queue->last) = timeout->earlier;
    *timeout = (struct dyno_http_timeout){0};
}

void dyno_http_timeout_start(struct dyno_http_timeout *timeout,
                             struct dyno_http_timeout_queue *queue, dyno_ns now)
{
    dyno_http_timeout_stop(timeout);
    timeout->queue = queue;
    timeout->deadline_ns = now + queue->duration_ns;
    timeout->earlier = queue->last;
    *(queue->last ? &queue->last->later : &queue->first) = timeout;
    queue->last = timeout;
}

struct dyno_http_timeout *dyno_http_timeout_pop(struct dyno_http_timeout_queue *queue, dyno_ns now)
{
    struct dyno_http_timeout *first = queue->first;

    if (!first || first->deadline_ns > now) {
        return NULL;
    }
    dyno_http_timeout_stop(first);
    return first;
}
