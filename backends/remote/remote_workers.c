/* The loop's side: endpoints as workers.  Nothing here waits, but for the end of a run. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "backends/remote/remote_parts.h"

static struct dyno_remote *remote_of(const struct dyno_workers *workers)
{
    return (struct dyno_remote *)(uintptr_t)workers; /* its first member */
}

/* ---- handing over ---------------------------------------------------------------------------- */

static void wake_thread(const struct dyno_remote *remote)
{
    eventfd_t one = 1;

    (void)eventfd_write(remote->wake_descriptor, one);
}

/* A wish that the thread has not seen yet is replaced by the newer one; the lock is held. */
static void wish(struct dyno_remote_request *request, enum dyno_remote_wish what)
{
    struct dyno_remote *remote = request->remote;

    request->wish = what;
    if (request->is_posted) {
        return;
    }
    request->is_posted = true;
    request->next_wish = NULL;
    if (remote->wishes) {
        remote->wishes_last->next_wish = request;
    } else {
        remote->wishes = request;
    }
    remote->wishes_last = request;
}

static void post(struct dyno_remote_request *request, uint32_t worker)
{
    struct dyno_remote *remote = request->remote;

    request->worker = worker;
    dyno_remote_request_reset(request);
    remote->endpoints[worker].waiting++;
    dyno_remote_lock(remote);
    remote->posted++;
    wish(request, DYNO_REMOTE_ASK);
    dyno_remote_unlock(remote);
    wake_thread(remote);
}

void dyno_remote_request_free(struct dyno_remote_request *request)
{
    struct dyno_remote *remote = request->remote;

    if (request->previous) {
        request->previous->next = request->next;
    } else {
        remote->requests = request->next;
    }
    if (request->next) {
        request->next->previous = request->previous;
    }
    dyno_event_stream_release(&request->stream);
    dyno_remote_body_release(&request->whole);
    free(request->spans);
    free(request);
}

static struct dyno_remote_request *open_request(struct dyno_remote *remote,
                                                const struct dyno_request *asked)
{
    struct dyno_remote_request *request = calloc(1, sizeof *request);
    size_t size = asked->span_count * sizeof *request->spans;

    if (!request || !(request->spans = malloc(size + 1))) {
        free(request);
        return NULL;
    }
    if (size > 0) {
        memcpy(request->spans, asked->spans, size);
    }
    request->remote = remote;
    request->asked = *asked;
    request->asked.spans = request->spans;
    request->next = remote->requests;
    if (remote->requests) {
        remote->requests->previous = request;
    }
    remote->requests = request;
    return request;
}

static dyno_status submit(struct dyno_workers *workers, dyno_ns now, uint32_t worker,
                          const struct dyno_request *asked)
{
    struct dyno_remote *remote = remote_of(workers);
    const struct dyno_transcript *transcript =
        dyno_transcripts_find(remote->task.transcripts, asked->id);
    struct dyno_remote_request *request = open_request(remote, asked);

    (void)now;
    assert(transcript && transcript->errand);
    if (!request) {
        return DYNO_NO_MEMORY;
    }
    request->errand = transcript->errand;
    post(request, worker);
    return DYNO_OK;
}

/* ---- news ------------------------------------------------------------------------------------ */

static struct dyno_remote_request *take_news(struct dyno_remote *remote, bool *started, bool *ended)
{
    struct dyno_remote_request *request;

    dyno_remote_lock(remote);
    request = remote->news;
    if (request) {
        remote->news = request->next_news;
        request->has_news = false;
        *started = request->is_started;
        *ended = request->has_ended;
    }
    dyno_remote_unlock(remote);
    return request;
}

/* A wish that came too late, and is still in the line, is taken back. */
static void forget_wish(struct dyno_remote_request *request)
{
    struct dyno_remote *remote = request->remote;
    struct dyno_remote_request *line, *next;

    dyno_remote_lock(remote);
    if (request->is_posted) {
        line = remote->wishes;
        remote->wishes = remote->wishes_last = NULL;
        for (; line; line = next) {
            next = line->next_wish;
            line->is_posted = false;
            if (line != request) {
                wish(line, line->wish);
            }
        }
    }
    dyno_remote_unlock(remote);
}

/* Another endpoint for a request of which nothing was told; *moved: there is one. */
static dyno_status move(struct dyno_remote_request *request, bool *moved)
{
    struct dyno_remote *remote = request->remote;
    const struct dyno_worker_listener *listener = &remote->task.listener;
    dyno_status status = DYNO_OK;
    uint32_t worker;

    *moved = false;
    if (remote->is_abandoned || request->is_given_up ||
        request->retries >= remote->config.retries_max || !dyno_remote_may_move(request)) {
        return DYNO_OK;
    }
    worker = listener->reroute(listener->context, &request->asked, &status);
    if (status != DYNO_OK || worker == DYNO_NO_WORKER) {
        return status;
    }
    dyno_log(remote->config.log, DYNO_LOG_WARNING, request->errand->request_id, "worker_failed",
             dyno_log_count("worker", request->worker), dyno_log_text("why", request->why),
             dyno_log_count("next", worker));
    *moved = true;
    request->retries++;
    post(request, worker);
    return DYNO_OK;
}

/* What the endpoint said in place of an answer is the client's to know. */
static void hand_on_refusal(struct dyno_remote_request *request)
{
    struct dyno_errand *errand = request->errand;
    bool is_failure = dyno_remote_may_move(request) || request->has_answer;

    if (request->why[0]) {
        dyno_log(request->remote->config.log, is_failure ? DYNO_LOG_WARNING : DYNO_LOG_INFO,
                 errand->request_id, is_failure ? "worker_failed" : "worker_refused",
                 dyno_log_count("worker", request->worker), dyno_log_text("why", request->why));
    }
    if (!request->has_answer && !request->is_cancelled && request->head.status >= 400) {
        errand->ops->refused(errand, request->head.status, request->whole.at, request->whole.size);
    }
}

static dyno_status tell_end(struct dyno_remote_request *request)
{
    struct dyno_remote *remote = request->remote;
    struct dyno_remote_endpoint *endpoint = &remote->endpoints[request->worker];
    dyno_status status;
    bool moved;

    forget_wish(request);
    endpoint->waiting -= !request->told_started;
    endpoint->running -= request->told_started;
    DYNO_TRY(move(request, &moved));
    if (moved) {
        return DYNO_OK;
    }
    hand_on_refusal(request);
    status = remote->task.listener.ended(remote->task.listener.context, &request->record);
    dyno_remote_request_free(request);
    return status;
}

static dyno_status settle_one(struct dyno_remote_request *request, bool started, bool ended)
{
    struct dyno_remote *remote = request->remote;
    const struct dyno_worker_listener *listener = &remote->task.listener;

    if (started && !request->told_started) {
        request->told_started = true;
        remote->endpoints[request->worker].waiting--;
        remote->endpoints[request->worker].running++;
        listener->first_token(listener->context, request->asked.id);
    }
    return ended ? tell_end(request) : DYNO_OK;
}

/* Who went and who came, and the gaps that were noted. */
static void settle_endpoints(struct dyno_remote *remote)
{
    const struct dyno_worker_listener *listener = &remote->task.listener;

    dyno_remote_lock(remote);
    for (size_t i = 0; i < remote->gap_count; i++) {
        dyno_histogram_add(remote->task.itl, remote->gaps[i], 1);
    }
    remote->gap_count = 0;
    for (uint32_t i = 0; remote->endpoints_changed && i < remote->config.count; i++) {
        struct dyno_remote_endpoint *endpoint = &remote->endpoints[i];

        if (endpoint->told_there != endpoint->is_there) {
            endpoint->told_there = endpoint->is_there;
            listener->presence(listener->context, i, endpoint->is_there);
        }
    }
    remote->endpoints_changed = false;
    dyno_remote_unlock(remote);
}

static dyno_status settle(struct dyno_workers *workers, dyno_ns now)
{
    struct dyno_remote *remote = remote_of(workers);
    struct dyno_remote_request *request;
    bool started, ended;

    (void)now;
    settle_endpoints(remote);
    while ((request = take_news(remote, &started, &ended)) != NULL) {
        DYNO_TRY(settle_one(request, started, ended));
    }
    return DYNO_OK;
}

static struct dyno_remote_request *find(const struct dyno_remote *remote, uint64_t id)
{
    struct dyno_remote_request *request = remote->requests;

    while (request && request->asked.id != id) {
        request = request->next;
    }
    return request;
}

/* Clients that give up are few: they are looked for one by one. */
static dyno_status cancel(struct dyno_workers *workers, dyno_ns now, uint32_t worker, uint64_t id)
{
    struct dyno_remote *remote = remote_of(workers);
    struct dyno_remote_request *request = find(remote, id);

    (void)now;
    (void)worker;
    if (request) {
        request->is_given_up = true;
        dyno_remote_lock(remote);
        wish(request, DYNO_REMOTE_CANCEL);
        dyno_remote_unlock(remote);
        wake_thread(remote);
    }
    return DYNO_OK;
}

static dyno_status form(struct dyno_workers *workers, dyno_ns now)
{
    (void)workers;
    (void)now;
    return DYNO_OK;
}

static void sync_caches(struct dyno_workers *workers, dyno_ns now)
{
    (void)workers;
    (void)now;
}

/* News is due at once; what else happens wakes the clock. */
static dyno_ns next(const struct dyno_workers *workers)
{
    struct dyno_remote *remote = remote_of(workers);
    dyno_ns due;

    dyno_remote_lock(remote);
    due = remote->news || remote->endpoints_changed ? 0 : DYNO_NEVER;
    dyno_remote_unlock(remote);
    return due;
}

static void sample(struct dyno_workers *workers, dyno_ns now, uint32_t worker,
                   struct dyno_sample_record *out)
{
    struct dyno_remote_endpoint *endpoint = &remote_of(workers)->endpoints[worker];

    *out = (struct dyno_sample_record){
        .at = now,
        .worker = worker,
        .running = endpoint->running,
        .waiting = endpoint->waiting,
        .tokens_out = atomic_load_explicit(&endpoint->tokens_out, memory_order_relaxed)};
}

static void totals(const struct dyno_workers *workers, struct dyno_fleet_totals *out)
{
    *out = (struct dyno_fleet_totals){.workers = remote_of(workers)->config.count};
}

/* Errands may not be told of anything any more when this returns: the thread is waited for, which
 * has nothing to do but to close connections. */
static dyno_status abandon(struct dyno_workers *workers, dyno_ns now, enum dyno_outcome outcome)
{
    struct dyno_remote *remote = remote_of(workers);

    remote->is_abandoned = true;
    dyno_remote_lock(remote);
    for (struct dyno_remote_request *at = remote->requests; at; at = at->next) {
        wish(at, DYNO_REMOTE_CANCEL);
    }
    wake_thread(remote);
    while (remote->posted > 0) {
        (void)pthread_cond_wait(&remote->changed, &remote->lock);
    }
    for (struct dyno_remote_request *at = remote->requests; at; at = at->next) {
        if (at->is_cancelled && !at->is_given_up) {
            at->record.outcome = outcome;
        }
    }
    dyno_remote_unlock(remote);
    return settle(workers, now);
}

static void detach(struct dyno_workers *workers)
{
    struct dyno_remote *remote = remote_of(workers);

    dyno_remote_lock(remote);
    remote->is_attached = false;
    dyno_remote_unlock(remote);
}

const struct dyno_workers_ops dyno_remote_workers_ops = {
    .name = "remote",
    .submit = submit,
    .cancel = cancel,
    .settle = settle,
    .form = form,
    .sync = sync_caches,
    .next = next,
    .sample = sample,
    .totals = totals,
    .abandon = abandon,
    .close = detach,
};
