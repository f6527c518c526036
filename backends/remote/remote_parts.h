/* What remote is made of.  Private to backends/remote/.
 *
 * Two threads: the loop's (submit, settle, ...) and remote's own, "the thread", in which clients
 * and their callbacks run.  A request belongs to the thread from its post until `has_ended`, then
 * to the loop's again; what both touch is behind the lock.
 *
 *   submit -> POSTED [post] -> asked [dyno_remote_ask] -> ended [dyno_remote_end] -> settle:
 *                                       told of and freed, or posted again for another endpoint
 */
#ifndef DYNO_BACKENDS_REMOTE_REMOTE_PARTS_H
#define DYNO_BACKENDS_REMOTE_REMOTE_PARTS_H

#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>

#include "backends/client/client.h"
#include "backends/client/event_stream.h"
#include "backends/posix/log.h"
#include "backends/remote/remote.h"
#include "core/base/map.h"

enum {
    DYNO_REMOTE_WHY_MAX = 256,
    DYNO_REMOTE_BODY_MAX = 1 << 20,  /* of what is said in place of an answer */
    DYNO_REMOTE_WHOLE_MAX = 1 << 25, /* of an answer that is whole */
};

/* The body of an answer that is no stream. */
struct dyno_remote_body {
    char *at;
    size_t size, capacity;
};

struct dyno_remote_endpoint {
    struct dyno_remote *remote;
    uint32_t index;
    struct dyno_url url; /* without /v1 */
    /* The thread's. */
    struct dyno_client *client, *checker; /* for requests, and for checks */
    struct event *timer;
    struct dyno_client_exchange *check; /* in flight; NULL: none */
    struct dyno_client_head check_head;
    struct dyno_remote_body check_body;
    bool check_sent, checks_models; /* of the check in flight */
    bool lacks_health;              /* it has no /health */
    bool was_checked;
    uint32_t failures;                     /* in a row */
    struct dyno_remote_request *in_flight; /* list of those asked of it */
    char *model_json;                      /* its model as JSON; NULL: not known */
    /* Behind the lock. */
    bool is_there;
    char model[DYNO_REMOTE_MODEL_MAX];
    uint32_t context_tokens;
    /* Both. */
    atomic_ullong tokens_out;
    /* The loop's. */
    bool told_there;
    uint32_t waiting, running;
};

enum dyno_remote_wish { DYNO_REMOTE_NOTHING, DYNO_REMOTE_ASK, DYNO_REMOTE_CANCEL };

struct dyno_remote_request {
    struct dyno_remote *remote;
    struct dyno_request asked; /* its spans are ours */
    struct dyno_span *spans;
    struct dyno_errand *errand;
    /* The loop's. */
    struct dyno_remote_request *next, *previous; /* of all */
    uint32_t retries;
    bool told_started;
    bool is_given_up; /* its client has gone */
    /* Behind the lock. */
    enum dyno_remote_wish wish; /* what the thread is to do */
    struct dyno_remote_request *next_wish, *next_news;
    bool is_posted, has_news, is_started, has_ended;
    /* The thread's until it has ended. */
    uint32_t worker;
    struct dyno_remote_request *next_there, *previous_there; /* in flight at its endpoint */
    struct dyno_remote_request *next_doomed;
    struct dyno_client_exchange *exchange;
    struct dyno_client_head head; /* status 0: none came */
    struct dyno_event_stream stream;
    struct dyno_remote_body whole; /* of what is no stream */
    struct dyno_request_record record;
    uint32_t events_with_text;
    bool is_asked; /* in the list of its endpoint */
    bool is_sent, is_stream, is_finished, is_done, has_usage;
    bool has_answer; /* an event was handed on: it can no longer be asked elsewhere */
    bool is_doomed;  /* in the list of those to be given up */
    bool is_cancelled;
    char why[DYNO_REMOTE_WHY_MAX]; /* it failed; "": it did not */
};

struct dyno_remote {
    struct dyno_workers workers;
    struct dyno_remote_config config;
    struct dyno_remote_endpoint *endpoints; /* [config.count] */
    char *model_name;
    struct event_base *base;
    struct event *woken, *doom;
    int wake_descriptor;
    pthread_t thread;
    bool runs;
    struct dyno_remote_request *doomed;
    /* Behind the lock. */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a request ended, or an endpoint was checked */
    struct dyno_remote_request *wishes, *wishes_last;
    struct dyno_remote_request *news, *news_last;
    dyno_ns *gaps; /* [gap_count] between events with text, not in the histogram yet */
    size_t gap_count;
    uint32_t gap_capacity;
    uint32_t posted; /* requests that the thread has */
    uint32_t unchecked;
    bool stops, is_attached, endpoints_changed;
    struct dyno_remote_task task;
    /* The loop's. */
    struct dyno_remote_request *requests;
    bool is_abandoned;
};

void dyno_remote_lock(struct dyno_remote *remote);
void dyno_remote_unlock(struct dyno_remote *remote);
/* The loop has something to settle; the lock is held. */
void dyno_remote_wake_loop(struct dyno_remote *remote);

/* Errors: DYNO_FULL (more than size_max in all), DYNO_NO_MEMORY. */
dyno_status dyno_remote_body_add(struct dyno_remote_body *body, const char *bytes, size_t size,
                                 size_t size_max);
void dyno_remote_body_release(struct dyno_remote_body *body);

/* ---- remote_request.c: the thread's side of a request ---- */
void dyno_remote_ask(struct dyno_remote_request *request);
void dyno_remote_cancel(struct dyno_remote_request *request);
/* Give it up soon: not from within a callback of its client. */
void dyno_remote_doom(struct dyno_remote_request *request, const char *why);
void dyno_remote_give_up_doomed(struct dyno_remote *remote);
/* What comes of it may be asked of another endpoint. */
bool dyno_remote_may_move(const struct dyno_remote_request *request);
/* Everything of one attempt is forgotten. */
void dyno_remote_request_reset(struct dyno_remote_request *request);

/* ---- remote_health.c: the thread's side of an endpoint ---- */
dyno_status dyno_remote_endpoint_open(struct dyno_remote_endpoint *endpoint,
                                      struct dyno_error *error);
void dyno_remote_endpoint_close(struct dyno_remote_endpoint *endpoint);
/* A request went well, or did not. */
void dyno_remote_endpoint_succeeded(struct dyno_remote_endpoint *endpoint);
void dyno_remote_endpoint_failed(struct dyno_remote_endpoint *endpoint, bool was_refused,
                                 const char *why);

/* ---- remote_workers.c: the loop's side ---- */
void dyno_remote_request_free(struct dyno_remote_request *request);
extern const struct dyno_workers_ops dyno_remote_workers_ops;

#endif
