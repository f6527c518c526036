/* Distributed tracing: the header `traceparent` of the W3C's Trace Context (Recommendation, level
 * 1; https://www.w3.org/TR/trace-context/), as pure functions.
 *
 *   version "-" trace-id "-" parent-id "-" flags      2, 32, 16 and 2 lower-case hex digits
 *
 * A request that comes with a context goes on under the same trace with an identity of our own as
 * the parent of what we ask of others; one that comes without, or with one that is not well-formed,
 * begins a trace of its own (section 3.4: a bad header is as good as none). */
#ifndef DYNO_BACKENDS_POSIX_TRACE_CONTEXT_H
#define DYNO_BACKENDS_POSIX_TRACE_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DYNO_TRACE_PARENT_BYTES = 55,     /* the header's text, without a NUL */
    DYNO_TRACE_STATE_BYTES_MAX = 512, /* of a `tracestate` that is passed on */
    DYNO_TRACE_STATE_MEMBERS_MAX = 32,
};

struct dyno_trace_context {
    uint8_t trace_id[16]; /* not all zero */
    uint8_t parent_id[8]; /* not all zero: whoever asked */
    bool is_sampled;      /* the caller may have recorded this trace */
};

/* Read the header text[length].  False, and *out as it was, if it is not a context: another length,
 * upper-case digits, version ff, a zero identity.  A version from the future is read as far as it
 * is like this one, as the Recommendation says (section 4.3). */
bool dyno_trace_context_parse(const char *text, size_t length, struct dyno_trace_context *out);

/* The context of what is asked of others on behalf of `parent`: the same trace, with the bytes
 * `random` as the new identity. */
struct dyno_trace_context dyno_trace_context_child(const struct dyno_trace_context *parent,
                                                   const uint8_t random[8]);

/* A trace that begins here. */
struct dyno_trace_context dyno_trace_context_root(const uint8_t random[24], bool is_sampled);

/* The header, with a NUL behind it. */
void dyno_trace_context_text(const struct dyno_trace_context *context,
                             char out[DYNO_TRACE_PARENT_BYTES + 1]);

/* May the header `tracestate` be passed on as it came?  At most 512 bytes and 32 members, each
 * key=value of the allowed characters, no key twice (section 3.3).  An empty one may. */
bool dyno_trace_state_is_valid(const char *text, size_t length);

#endif
