/* libevent's own HTTP server with the same work as bench_http's: the figure to compare with. */
#ifndef DYNO_TESTS_BENCH_RIVAL_EVHTTP_H
#define DYNO_TESTS_BENCH_RIVAL_EVHTTP_H

#include <stddef.h>
#include <stdint.h>

struct rival_evhttp;

/* A server on a free port of 127.0.0.1 that answers each request with a stream of `count` times
 * `event`, all in one turn, and stops after `requests` of them.  NULL: it cannot. */
struct rival_evhttp *rival_evhttp_open(const char *event, int count, size_t requests);
uint16_t rival_evhttp_port(const struct rival_evhttp *rival);
void rival_evhttp_run(struct rival_evhttp *rival);
void rival_evhttp_close(struct rival_evhttp *rival);

#endif
