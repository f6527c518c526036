/* One request: asked of one endpoint, heard event by event, and ended.  In the thread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/remote/remote_parts.h"
#include "backends/remote/reply.h"
#include "core/base/array.h"

enum { FIRST_HTTP_REFUSAL = 400, FIRST_HTTP_FAILURE = 500 };

static struct dyno_remote_endpoint *endpoint_of(const struct dyno_remote_request *request)
{
    return &request->remote->endpoints[request->worker];
}

static dyno_ns now_of(const struct dyno_remote *remote)
{
    return remote->task.now(remote->task.clock);
}

/* The first reason counts.  What a server says goes into the log: of it only printable ASCII. */
static void blame(struct dyno_remote_request *request, const char *why)
{
    if (request->why[0] != '\0') {
        return;
    }
    (void)snprintf(request->why, sizeof request->why, "%s", why);
    for (char *at = request->why; *at; at++) {
        *at = *at >= ' ' && *at < 0x7f ? *at : '?';
    }
}

/* ---- the end --------------------------------------------------------------------------------- */

static void leave_endpoint(struct dyno_remote_request *request)
{
    struct dyno_remote_endpoint *endpoint = endpoint_of(request);

    if (!request->is_asked) {
        return;
    }
    request->is_asked = false;
    if (request->previous_there) {
        request->previous_there->next_there = request->next_there;
    } else {
        endpoint->in_flight = request->next_there;
    }
    if (request->next_there) {
        request->next_there->previous_there = request->previous_there;
    }
}

static void leave_doomed(struct dyno_remote_request *request)
{
    struct dyno_remote_request **at = &request->remote->doomed;

    while (*at && *at != request) {
        at = &(*at)->next_doomed;
    }
    if (*at) {
        *at = request->next_doomed;
    }
}

static void add_news(struct dyno_remote_request *request)
{
    struct dyno_remote *remote = request->remote;

    if (request->has_news) {
        return;
    }
    request->has_news = true;
    request->next_news = NULL;
    if (remote->news) {
        remote->news_last->next_news = request;
    } else {
        remote->news = request;
    }
    remote->news_last = request;
    dyno_remote_wake_loop(remote);
}

/* The exchange is no more; from here on the request is the loop's. */
static void end(struct dyno_remote_request *request)
{
    struct dyno_remote *remote = request->remote;

    leave_endpoint(request);
    if (request->is_doomed) {
        leave_doomed(request);
    }
    dyno_remote_lock(remote);
    request->has_ended = true;
    remote->posted--;
    add_news(request);
    (void)pthread_cond_broadcast(&remote->changed);
    dyno_remote_unlock(remote);
}

static bool is_refused(const struct dyno_remote_request *request)
{
    return request->head.status >= FIRST_HTTP_REFUSAL && request->head.status < FIRST_HTTP_FAILURE;
}

/* An answer without any text still has an end, and took its time. */
static void complete_record(struct dyno_remote_request *request)
{
    struct dyno_request_record *record = &request->record;

    if (request->is_cancelled) {
        record->outcome = DYNO_CANCELLED_BY_CLIENT;
    } else if (request->why[0]) {
        record->outcome = DYNO_FAILED;
    }
    if (!request->has_usage) {
        record->output_tokens = request->events_with_text;
    }
    if (record->outcome == DYNO_COMPLETED) {
        record->output_tokens += record->output_tokens == 0;
        if (record->first_token_ns == DYNO_NEVER) {
            record->first_token_ns = record->last_token_ns = now_of(request->remote);
        }
    }
}

/* Failures of an endpoint count against it; refusals of a request do not. */
static void judge(struct dyno_remote_request *request)
{
    complete_record(request);
    if (request->is_cancelled) {
        return;
    }
    if (request->why[0] && !is_refused(request)) {
        dyno_remote_endpoint_failed(endpoint_of(request), !request->is_sent, request->why);
    } else {
        dyno_remote_endpoint_succeeded(endpoint_of(request));
    }
}

bool dyno_remote_may_move(const struct dyno_remote_request *request)
{
    return request->why[0] && !request->is_cancelled && !request->has_answer &&
           !is_refused(request);
}

void dyno_remote_cancel(struct dyno_remote_request *request)
{
    request->is_cancelled = true;
    if (request->exchange) {
        dyno_client_exchange_cancel(request->exchange);
        request->exchange = NULL;
    }
    judge(request);
    end(request);
}

static void wake_doom(struct dyno_remote *remote)
{
    event_active(remote->doom, EV_TIMEOUT, 0);
}

static void doom(struct dyno_remote_request *request)
{
    if (!request->is_doomed) {
        request->is_doomed = true;
        request->next_doomed = request->remote->doomed;
        request->remote->doomed = request;
        wake_doom(request->remote);
    }
}

void dyno_remote_doom(struct dyno_remote_request *request, const char *why)
{
    blame(request, why);
    doom(request);
}

void dyno_remote_give_up_doomed(struct dyno_remote *remote)
{
    while (remote->doomed) {
        struct dyno_remote_request *request = remote->doomed;

        if (request->exchange) {
            dyno_client_exchange_cancel(request->exchange);
            request->exchange = NULL;
        }
        judge(request);
        end(request);
    }
}

/* ---- events ---------------------------------------------------------------------------------- */

/* No memory for a gap: the histogram lacks it. */
static void note_gap(struct dyno_remote *remote, dyno_ns gap)
{
    if (dyno_array_reserve(&remote->gaps, &remote->gap_capacity, remote->gap_count + 1U,
                           sizeof *remote->gaps)) {
        remote->gaps[remote->gap_count++] = gap;
    }
}

static void take_text(struct dyno_remote_request *request)
{
    struct dyno_remote *remote = request->remote;
    struct dyno_request_record *record = &request->record;
    dyno_ns now = now_of(remote), before = record->last_token_ns;

    record->last_token_ns = now;
    request->events_with_text++;
    atomic_fetch_add_explicit(&endpoint_of(request)->tokens_out, 1, memory_order_relaxed);
    dyno_remote_lock(remote);
    if (before == DYNO_NEVER) {
        record->first_token_ns = now;
        request->is_started = true;
        add_news(request);
    } else {
        note_gap(remote, now - before);
    }
    dyno_remote_unlock(remote);
}

static void take_usage(struct dyno_remote_request *request, const struct dyno_answer_chunk *chunk)
{
    struct dyno_request_record *record = &request->record;

    request->has_usage = true;
    record->output_tokens = chunk->output_tokens;
    if (chunk->prompt_tokens > 0) {
        record->prompt_tokens = chunk->prompt_tokens;
    }
    if (chunk->has_cached && chunk->cached_tokens <= record->prompt_tokens) {
        record->cached_tokens = chunk->cached_tokens;
    }
}

static void take_chunk(struct dyno_remote_request *request, const struct dyno_answer_chunk *chunk)
{
    request->is_finished |= chunk->is_finished;
    if (chunk->has_text) {
        take_text(request);
    }
    if (chunk->has_usage) {
        take_usage(request, chunk);
    }
    if (chunk->has_error) { /* the client is told by the event itself */
        dyno_remote_doom(request, "the endpoint told of an error within its stream");
    }
}

static bool is_response(const struct dyno_errand *errand)
{
    return strcmp(errand->path, "/v1/responses") == 0;
}

/* Nothing more is waited for: unless the answer ends by itself in this very turn, its connection is
 * closed. */
static void take_done(struct dyno_remote_request *request)
{
    request->is_done = true;
    doom(request);
}

/* An error in place of the first event is a refusal that came late: it is nobody's answer yet. */
static void on_event(void *context, const char *data, size_t size)
{
    struct dyno_remote_request *request = context;
    struct dyno_answer_chunk chunk;

    if (request->is_done || request->why[0]) {
        return;
    }
    if (!dyno_reply_read(&chunk, data, size, is_response(request->errand))) {
        dyno_remote_doom(request, "an event of the stream is no JSON object");
        return;
    }
    if (chunk.is_done) {
        take_done(request);
        return;
    }
    if (chunk.has_error && !request->has_answer) {
        dyno_remote_doom(request, "the endpoint told of an error in place of an answer");
        return;
    }
    request->has_answer = true;
    if (!request->errand->ops->event(request->errand, data, size)) {
        dyno_remote_doom(request, "the answer is longer than there is room for");
        return;
    }
    take_chunk(request, &chunk);
    if (chunk.is_finished && is_response(request->errand)) {
        take_done(request); /* responses have no word for it */
    }
}

static bool is_whole_answer(const struct dyno_remote_request *request)
{
    return request->errand->is_whole && request->head.status == 200;
}

/* One object is all of the answer, and its only event. */
static void take_whole(struct dyno_remote_request *request)
{
    const struct dyno_remote_body *whole = &request->whole;
    struct dyno_answer_chunk chunk;

    if (whole->size == 0 || !dyno_reply_read(&chunk, whole->at, whole->size, false) ||
        chunk.has_error) {
        blame(request, "the endpoint's answer is no JSON object, or an error");
        return;
    }
    request->has_answer = true;
    if (!request->errand->ops->event(request->errand, whole->at, whole->size)) {
        blame(request, "the answer is longer than there is room for");
        return;
    }
    if (chunk.prompt_tokens > 0) {
        request->record.prompt_tokens = chunk.prompt_tokens;
    }
    take_text(request);
}

/* ---- what the client tells ------------------------------------------------------------------- */

static void on_sent(void *context, dyno_ns at)
{
    struct dyno_remote_request *request = context;

    (void)at;
    request->is_sent = true;
    if (request->record.ready_ns == DYNO_NEVER) {
        request->record.ready_ns = now_of(request->remote);
    }
}

static void on_head(void *context, dyno_ns at, const struct dyno_client_head *head)
{
    struct dyno_remote_request *request = context;

    on_sent(request, at); /* servers may answer before they have read all */
    request->head = *head;
    request->is_stream =
        head->status == 200 && strcmp(head->content_type, "text/event-stream") == 0;
    request->record.admitted_ns = now_of(request->remote);
}

static void on_body(void *context, dyno_ns at, const char *bytes, size_t size)
{
    struct dyno_remote_request *request = context;
    struct dyno_error error = {0};

    (void)at;
    if (!request->is_stream) {
        size_t most = is_whole_answer(request) ? DYNO_REMOTE_WHOLE_MAX : DYNO_REMOTE_BODY_MAX;

        if (dyno_remote_body_add(&request->whole, bytes, size, most) != DYNO_OK) {
            dyno_remote_doom(request, "what the endpoint says in place of a stream is too long");
        }
        return;
    }
    if (dyno_event_stream_push(&request->stream, bytes, size, on_event, request, &error) !=
        DYNO_OK) {
        dyno_remote_doom(request, error.text);
    }
}

/* No stream came: what came instead. */
static void take_refusal(struct dyno_remote_request *request)
{
    char why[DYNO_REMOTE_WHY_MAX];

    if (request->head.status >= FIRST_HTTP_REFUSAL) {
        (void)snprintf(why, sizeof why, "HTTP %u", request->head.status);
    } else {
        (void)snprintf(why, sizeof why, "HTTP %u with '%.64s', which is no stream of events",
                       request->head.status, request->head.content_type);
    }
    blame(request, why);
}

static void on_ended(void *context, dyno_ns at, const char *why)
{
    struct dyno_remote_request *request = context;

    (void)at;
    request->exchange = NULL;
    if (why && !request->is_done) {
        blame(request, why);
    } else if (!why && is_whole_answer(request)) {
        take_whole(request);
    } else if (!why && !request->is_stream) {
        take_refusal(request);
    } else if (!request->is_done && !request->is_finished) {
        blame(request, "the stream ended without a word that it would");
    }
    judge(request);
    end(request);
}

/* ---- asking ---------------------------------------------------------------------------------- */

static void join_endpoint(struct dyno_remote_request *request)
{
    struct dyno_remote_endpoint *endpoint = endpoint_of(request);

    request->is_asked = true;
    request->previous_there = NULL;
    request->next_there = endpoint->in_flight;
    if (endpoint->in_flight) {
        endpoint->in_flight->previous_there = request;
    }
    endpoint->in_flight = request;
}

/* The errand's body with the model that the endpoint serves: {"model":"x", and the rest. */
static char *write_body(const struct dyno_remote_request *request, size_t *size)
{
    const struct dyno_errand *errand = request->errand;
    const char *model = endpoint_of(request)->model_json;
    size_t room = strlen(model) + errand->body_size + sizeof "{\"model\":,";
    char *body = malloc(room);
    int head = body ? snprintf(body, room, "{\"model\":%s,", model) : 0;

    if (body) {
        memcpy(body + head, errand->body + 1, errand->body_size - 1);
        *size = (size_t)head + errand->body_size - 1;
    }
    return body;
}

void dyno_remote_ask(struct dyno_remote_request *request)
{
    struct dyno_remote_endpoint *endpoint = endpoint_of(request);
    struct dyno_client_handler handler = {request, on_sent, on_head, on_body, on_ended};
    struct dyno_client_request post = {
        .method = "POST", .path = request->errand->path, .fields = request->errand->fields};
    dyno_status status = DYNO_NO_MEMORY;
    char *body = NULL;

    join_endpoint(request);
    if (!endpoint->model_json) {
        dyno_remote_doom(request, "the endpoint is out");
        return;
    }
    body = write_body(request, &post.body_size);
    post.body = body;
    if (body) {
        status = dyno_client_send(endpoint->client, &post, &handler, &request->exchange);
    }
    free(body);
    if (status != DYNO_OK) {
        request->exchange = NULL;
        request->is_sent = true; /* it is not the endpoint that refused */
        dyno_remote_doom(request, status == DYNO_FULL ? "as many connections as there may be"
                                                      : "no memory to ask");
    }
}

void dyno_remote_request_reset(struct dyno_remote_request *request)
{
    const struct dyno_request *asked = &request->asked;

    dyno_event_stream_release(&request->stream);
    dyno_remote_body_release(&request->whole);
    request->head = (struct dyno_client_head){.status = 0};
    request->events_with_text = 0;
    request->is_sent = request->is_stream = request->is_finished = request->is_done = false;
    request->has_usage = false;
    request->is_doomed = request->has_ended = false;
    request->why[0] = '\0';
    request->record = (struct dyno_request_record){.id = asked->id,
                                                   .session = asked->session,
                                                   .tenant = asked->tenant,
                                                   .model = asked->model,
                                                   .priority = asked->priority,
                                                   .worker = request->worker,
                                                   .outcome = DYNO_COMPLETED,
                                                   .prompt_tokens = asked->prompt_tokens,
                                                   .scheduled_ns = asked->scheduled_ns,
                                                   .arrival_ns = asked->arrival_ns,
                                                   .held_ns = asked->held_ns,
                                                   .ready_ns = DYNO_NEVER,
                                                   .admitted_ns = DYNO_NEVER,
                                                   .first_token_ns = DYNO_NEVER,
                                                   .last_token_ns = DYNO_NEVER};
}
