/* Workers that are other servers: OpenAI-compatible endpoints, asked over HTTP by text.
 *
 * It stands where a fleet stands (core/worker/worker.h): the router chooses an endpoint as it
 * chooses a worker.  What is asked, and what comes back, goes past core by an errand
 * (backends/engine/errand.h).  One thread with an event loop does all that waits; the loop's thread
 * only hands over and takes news.
 *
 * An endpoint is in or out.  Out, it is asked for its models every so often, and is in with the
 * first answer; in, it is asked whether it is well (/health, or its models where that does not
 * exist), and is out after `failures_max` failures in a row, of checks or of requests, or at once
 * when it refuses a connection.  docs/remote.md says what becomes of requests.
 *
 * A request's record has:
 *
 *   ready         the request was handed to the kernel as a whole
 *   admitted      the head of the answer came
 *   first, last   the first and the last event with text
 *   tokens        as the endpoint says (usage); where it does not, as the caller guessed, and as
 *                 many as there were events with text
 */
#ifndef DYNO_BACKENDS_REMOTE_REMOTE_H
#define DYNO_BACKENDS_REMOTE_REMOTE_H

#include <stdbool.h>

#include "backends/client/url.h"
#include "backends/engine/transcript.h"
#include "core/base/histogram.h"
#include "core/run/clock.h"
#include "core/worker/worker.h"

enum {
    DYNO_REMOTE_MODEL_MAX = 512,      /* bytes of a model's name, its end included */
    DYNO_REMOTE_ENDPOINTS_MAX = 1024, /* URLs in one list */
};

struct dyno_log; /* backends/posix/log.h */
struct dyno_remote;

struct dyno_remote_config {
    const struct dyno_url *urls; /* [count], with or without /v1 at the end; copied */
    uint32_t count;
    const char *api_key;    /* for all of them; NULL: none */
    const char *model_name; /* asked for where it is listed; NULL, or elsewhere: the first model */
    dyno_ns health_every_ns;
    uint32_t failures_max;    /* >= 1 */
    uint32_t retries_max;     /* other endpoints that a request is taken to */
    uint32_t connections_max; /* to each */
    dyno_ns connect_timeout_ns, silence_timeout_ns;
    struct dyno_log *log; /* not owned; NULL: none */
};

/* Looks the names up, starts the thread, and waits until every endpoint has been asked once, which
 * takes health_every_ns at most, or twice that where one has no /health.  On success *out is closed
 * with dyno_remote_close. Errors: as dyno_client_open; DYNO_BAD_INPUT (the key), DYNO_IO (no
 * thread). */
dyno_status dyno_remote_open(struct dyno_remote **out, const struct dyno_remote_config *config,
                             struct dyno_error *error);

/* Stop the thread: nothing is asked or heard any more.  Not during a run. */
void dyno_remote_halt(struct dyno_remote *remote);
void dyno_remote_close(struct dyno_remote *remote); /* NULL: no effect */

/* The list of endpoints "http://a:1,http://b:2" into urls[*count], *count at most on entry.
 * Errors: DYNO_BAD_INPUT, naming the one that is wrong. */
dyno_status dyno_remote_parse(struct dyno_url *urls, uint32_t *count, const char *list,
                              struct dyno_error *error);

/* What is known of one endpoint now. */
struct dyno_remote_look {
    bool is_there;
    char model[DYNO_REMOTE_MODEL_MAX]; /* that it is asked for; "": never heard of */
    uint32_t context_tokens;           /* of that model, as the endpoint says; 0: it does not */
};
struct dyno_remote_look dyno_remote_look(struct dyno_remote *remote, uint32_t worker);

/* What a run plugs in; nothing is owned. */
struct dyno_remote_task {
    struct dyno_transcripts *transcripts; /* where errands are found */
    struct dyno_worker_listener listener;
    struct dyno_histogram *itl; /* gaps between events with text go in */
    dyno_ns (*now)(const struct dyno_clock *clock);
    void (*wake)(struct dyno_clock *clock);
    struct dyno_clock *clock;
};

/* The endpoints as workers; closing these only takes the task out again. */
struct dyno_workers *dyno_remote_workers(struct dyno_remote *remote,
                                         const struct dyno_remote_task *task);

#endif
