/* Seam: a request that travels as its client wrote it, to a worker that is another server.
 *
 * Core never sees the text.  Whoever makes the request leaves its errand with the transcript
 * (transcript.h), under the request's number; the worker that serves it finds it there, asks, and
 * tells the errand what came back.  It is told from one thread at a time, and nothing any more once
 * core was told that the request has ended.
 */
#ifndef DYNO_BACKENDS_ENGINE_ERRAND_H
#define DYNO_BACKENDS_ENGINE_ERRAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dyno_errand;

struct dyno_errand_ops {
    /* The data of one event of the answer, but for the word [DONE].  False: it cannot be kept, and
     * the worker gives the request up. */
    bool (*event)(struct dyno_errand *errand, const char *data, size_t size);
    /* In place of an answer: the worker said `http_status` (400 to 599) and body[size].  Once at
     * most, and never after an event. */
    void (*refused)(struct dyno_errand *errand, uint32_t http_status, const char *body,
                    size_t size);
};

/* All texts stay where they are until the request has ended. */
struct dyno_errand {
    const struct dyno_errand_ops *ops;
    const char *path;   /* "/v1/chat/completions" */
    const char *fields; /* more lines of the request's head, each with its CRLF */
    const char *body;   /* [body_size] a JSON object, without "model" but with other members */
    size_t body_size;
    const char *request_id; /* for the log */
    bool is_whole; /* no stream comes of it, but one JSON object, heard as its only event */
};

#endif
