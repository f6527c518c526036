/* Load for a server: the workers behind an OpenAI-compatible address, and the clock to wait on.
 *
 * It stands where a fleet stands (core/worker/worker.h), so that the one loop, its sources, its
 * sinks and its metrics drive a server as they drive a simulation.  Requests are posted as streams;
 * every piece of an answer is stamped when it was read.  A request's record has the client's view:
 *
 *   scheduled, arrival   as the source says; latency counts from here, however late it was sent
 *   ready                the request was handed to the kernel as a whole
 *   admitted             the head of the answer came
 *   first, last token    the first and the last chunk with text
 *
 * Chunks are counted as tokens unless the server says how many there were (usage).  Everything runs
 * on the loop's thread.
 */
#ifndef DYNO_BACKENDS_LOAD_LOAD_H
#define DYNO_BACKENDS_LOAD_LOAD_H

#include <stdbool.h>

#include "backends/client/url.h"
#include "backends/load/prompt.h"
#include "core/base/histogram.h"
#include "core/run/clock.h"
#include "core/worker/worker.h"

enum { DYNO_LOAD_REASON_MAX = 224, DYNO_LOAD_REASONS_MAX = 16, DYNO_LOAD_MODEL_MAX = 512 };

struct dyno_load;

/* One answer, when it has ended: for files that want more than the record. */
struct dyno_load_answer {
    const struct dyno_request_record *record;
    const char *why;         /* it failed; "": it did not */
    const dyno_ns *chunk_ns; /* [chunk_count] when each chunk with text came, if they were kept */
    uint32_t chunk_count;
    dyno_ns sent_ns; /* as ready_ns */
};

struct dyno_load_config {
    const struct dyno_url *url; /* with or without /v1 at its end */
    const char *api_key;        /* NULL: none */
    const char *trusted;        /* of https: a PEM file of authorities; NULL: the system's */
    uint32_t connections_max;
    dyno_ns connect_timeout_ns, silence_timeout_ns;
};

/* What is asked for; set before the run. */
struct dyno_load_task {
    const char *model;
    bool is_chat;      /* /v1/chat/completions, else /v1/completions */
    bool ignore_eos;   /* ask for max_tokens tokens whatever the model says */
    const char *extra; /* more members of the body: ",\"temperature\":0", or "" */
    const struct dyno_prompt_maker *prompts;
    uint32_t (*answer_tokens)(void *context, uint64_t id); /* how long an answer is to be; NULL: the
                                                              request's max_tokens */
    void *answer_context;
    struct dyno_histogram *itl; /* gaps between chunks go in */
    struct dyno_worker_listener listener;
    void (*answered)(void *context, const struct dyno_load_answer *answer); /* may be NULL */
    void *answered_context;
    bool keeps_chunks; /* for `answered` */
};

/* Looks the server up; nothing is sent yet.  On success *out is closed with dyno_load_close.
 * Errors: as dyno_client_open. */
dyno_status dyno_load_open(struct dyno_load **out, const struct dyno_load_config *config,
                           struct dyno_error *error);
void dyno_load_close(struct dyno_load *load); /* NULL: no effect */

/* Ask the server which model it serves: the first of /v1/models.  Waits for the answer.
 * Errors: DYNO_IO (no answer, or none that says so). */
dyno_status dyno_load_model(struct dyno_load *load, char out[DYNO_LOAD_MODEL_MAX],
                            struct dyno_error *error);

/* The clock of the run, which starts at 0 with this call; waiting on it moves the streams. */
struct dyno_clock *dyno_load_clock(struct dyno_load *load);

/* The server as one worker.  `task` is copied; what it points to outlives the run.  Both are
 * closed with the load. */
struct dyno_workers *dyno_load_workers(struct dyno_load *load, const struct dyno_load_task *task);

/* Failures whose reasons differ in numbers only are counted together. */
struct dyno_load_reason {
    char why[DYNO_LOAD_REASON_MAX]; /* the first one's */
    uint64_t count;
};

/* How the client itself did. */
struct dyno_load_facts {
    const struct dyno_histogram *lag;       /* from when a request was due until it was sent, or its
                                               connection begun */
    const struct dyno_histogram *ttft_sent; /* of requests that were completed: from when one was
                                               sent until its first token */
    double cpu_fraction;                    /* of the run's time that this thread computed */
    uint64_t connects;                      /* connections begun */
    uint64_t bytes_read;
    const struct dyno_load_reason *reasons; /* [reason_count] why requests failed */
    uint32_t reason_count;
    uint64_t reasons_left_out; /* failures for yet other reasons */
};

void dyno_load_facts(const struct dyno_load *load, struct dyno_load_facts *out);

#endif
