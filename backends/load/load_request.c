/* One request: sent, heard chunk by chunk, and judged at its end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/load/answer.h"
#include "backends/load/load_parts.h"
#include "core/base/array.h"

enum { FIELDS_MAX = 96, REFUSAL_MAX = 4096 };

static dyno_ns run_time(const struct dyno_load_request *request, dyno_ns at)
{
    return at > request->load->origin_ns ? at - request->load->origin_ns : 0;
}

static void add_news(struct dyno_load_request *request)
{
    struct dyno_load *load = request->load;

    if (request->is_news) {
        return;
    }
    request->is_news = true;
    request->next_news = NULL;
    if (load->news) {
        load->news_last->next_news = request;
    } else {
        load->news = request;
    }
    load->news_last = request;
}

/* The first reason counts.  What a server says goes into files and onto a terminal: of it only
 * printable ASCII. */
static void blame(struct dyno_load_request *request, const char *why)
{
    if (request->why[0] != '\0') {
        return;
    }
    (void)snprintf(request->why, sizeof request->why, "%s", why);
    for (char *at = request->why; *at; at++) {
        *at = *at >= ' ' && *at < 0x7f ? *at : '?';
    }
}

static void fail(struct dyno_load_request *request, const char *why)
{
    blame(request, why);
    add_news(request);
}

/* ---- chunks ---------------------------------------------------------------------------------- */

static void keep_chunk(struct dyno_load_request *request, dyno_ns at)
{
    if (!dyno_array_reserve(&request->chunk_ns, &request->chunk_capacity, request->chunk_count + 1U,
                            sizeof *request->chunk_ns)) {
        fail(request, "no memory for its stamps");
        return;
    }
    request->chunk_ns[request->chunk_count] = at;
}

static void take_text(struct dyno_load_request *request, dyno_ns at)
{
    struct dyno_request_record *record = &request->record;

    if (request->chunk_count > 0) {
        dyno_histogram_add(request->load->task.itl, at - record->last_token_ns, 1);
    } else {
        record->first_token_ns = at;
        request->is_started = true;
        add_news(request);
    }
    record->last_token_ns = at;
    if (request->load->task.keeps_chunks) {
        keep_chunk(request, at);
    }
    request->chunk_count++;
    request->load->tokens_out++;
}

static void take_usage(struct dyno_load_request *request, const struct dyno_answer_chunk *chunk)
{
    request->has_usage = true;
    request->usage_tokens = chunk->output_tokens;
    if (chunk->prompt_tokens > 0) {
        request->record.prompt_tokens = chunk->prompt_tokens;
    }
    if (chunk->has_cached) {
        request->record.cached_tokens = chunk->cached_tokens;
    }
}

static void take_error(struct dyno_load_request *request, const struct dyno_answer_chunk *chunk)
{
    char why[DYNO_LOAD_REASON_MAX];

    (void)snprintf(why, sizeof why, "an error within the stream%s%s", chunk->message[0] ? ": " : "",
                   chunk->message);
    fail(request, why);
}

/* Where the bytes being read came from, and when. */
struct reading {
    struct dyno_load_request *request;
    dyno_ns at;
};

static void on_event(void *context, const char *data, size_t size)
{
    const struct reading *reading = context;
    struct dyno_load_request *request = reading->request;
    struct dyno_answer_chunk chunk;

    if (request->is_done || request->why[0]) {
        return;
    }
    if (!dyno_answer_read(&chunk, data, size)) {
        fail(request, "a chunk of the stream is no JSON object");
        return;
    }
    if (chunk.has_error) {
        take_error(request, &chunk);
        return;
    }
    request->is_done = chunk.is_done;
    request->is_finished |= chunk.is_finished;
    if (chunk.has_choices) {
        if (request->choices_first_ns == DYNO_NEVER) {
            request->choices_first_ns = reading->at;
        }
        request->choices_last_ns = reading->at;
    }
    if (chunk.has_text) {
        take_text(request, reading->at);
    }
    if (chunk.has_usage) {
        take_usage(request, &chunk);
    }
}

/* ---- what the client tells ------------------------------------------------------------------- */

static void on_sent(void *context, dyno_ns at)
{
    struct dyno_load_request *request = context;

    if (request->record.ready_ns == DYNO_NEVER) {
        request->record.ready_ns = run_time(request, at);
    }
}

static void on_head(void *context, dyno_ns at, const struct dyno_client_head *head)
{
    struct dyno_load_request *request = context;

    on_sent(request, at); /* servers may answer before they have read all */
    request->head = *head;
    request->is_stream =
        head->status == 200 && strcmp(head->content_type, "text/event-stream") == 0;
    request->record.admitted_ns = run_time(request, at);
}

static void on_body(void *context, dyno_ns at, const char *bytes, size_t size)
{
    struct dyno_load_request *request = context;
    struct reading reading = {request, run_time(request, at)};
    struct dyno_error error = {0};

    request->load->bytes_read += size;
    if (request->is_stream) {
        if (dyno_event_stream_push(&request->stream, bytes, size, on_event, &reading, &error) !=
            DYNO_OK) {
            fail(request, error.text);
        }
    } else if (request->refusal.size < REFUSAL_MAX) {
        size =
            size < REFUSAL_MAX - request->refusal.size ? size : REFUSAL_MAX - request->refusal.size;
        (void)dyno_load_text_add(&request->refusal, bytes, size); /* no memory: no words */
    }
}

static void refuse_answer(struct dyno_load_request *request)
{
    struct dyno_answer_chunk refusal = {.has_error = false};
    char why[DYNO_LOAD_REASON_MAX];

    if (request->head.status == 200) {
        (void)snprintf(why, sizeof why, "the answer is no text/event-stream but '%s'",
                       request->head.content_type);
    } else {
        if (!request->refusal.at ||
            !dyno_answer_read(&refusal, request->refusal.at, request->refusal.size)) {
            refusal.message[0] = '\0';
        }
        (void)snprintf(why, sizeof why, "HTTP %u%s%s", request->head.status,
                       refusal.message[0] ? ": " : "", refusal.message);
    }
    fail(request, why);
}

static void on_ended(void *context, dyno_ns at, const char *why)
{
    struct dyno_load_request *request = context;

    (void)at;
    request->exchange = NULL;
    if (request->has_ended) {
        return;
    }
    if (why && !request->is_done) {
        fail(request, why);
    } else if (!why && !request->is_stream) {
        refuse_answer(request);
    } else if (!request->is_done && !request->is_finished) {
        fail(request, "the stream ended without [DONE] or a reason to finish");
    }
    add_news(request);
}

/* ---- its life -------------------------------------------------------------------------------- */

static struct dyno_load_request *open_request(struct dyno_load *load,
                                              const struct dyno_request *asked)
{
    struct dyno_load_request *request = calloc(1, sizeof *request);

    if (!request) {
        return NULL;
    }
    request->load = load;
    request->choices_first_ns = request->choices_last_ns = DYNO_NEVER;
    request->record = (struct dyno_request_record){.id = asked->id,
                                                   .session = asked->session,
                                                   .tenant = asked->tenant,
                                                   .priority = asked->priority,
                                                   .outcome = DYNO_COMPLETED,
                                                   .prompt_tokens = asked->prompt_tokens,
                                                   .scheduled_ns = asked->scheduled_ns,
                                                   .arrival_ns = asked->arrival_ns,
                                                   .held_ns = asked->held_ns,
                                                   .ready_ns = DYNO_NEVER,
                                                   .admitted_ns = DYNO_NEVER,
                                                   .first_token_ns = DYNO_NEVER,
                                                   .last_token_ns = DYNO_NEVER};
    request->next = load->requests;
    if (load->requests) {
        load->requests->previous = request;
    }
    load->requests = request;
    load->in_flight++;
    return request;
}

void dyno_load_request_free(struct dyno_load_request *request)
{
    struct dyno_load *load = request->load;

    if (request->exchange) {
        dyno_client_exchange_cancel(request->exchange);
    }
    if (request->previous) {
        request->previous->next = request->next;
    } else {
        load->requests = request->next;
    }
    if (request->next) {
        request->next->previous = request->previous;
    }
    load->in_flight--;
    dyno_event_stream_release(&request->stream);
    dyno_load_text_release(&request->refusal);
    free(request->chunk_ns);
    free(request);
}

dyno_status dyno_load_request_send(struct dyno_load *load, const struct dyno_request *asked)
{
    struct dyno_load_request *request = open_request(load, asked);
    struct dyno_client_handler handler = {request, on_sent, on_head, on_body, on_ended};
    char fields[FIELDS_MAX];
    struct dyno_client_request post = {
        .method = "POST",
        .path =
            dyno_load_path(load, load->task.is_chat ? "/v1/chat/completions" : "/v1/completions"),
        .fields = fields,
        .body = load->body.at,
        .body_size = load->body.size};
    dyno_status status;

    if (!request) {
        return DYNO_NO_MEMORY;
    }
    (void)snprintf(fields, sizeof fields, "X-Request-Id: dyno-%llu\r\n",
                   (unsigned long long)asked->id);
    status = dyno_client_send(load->client, &post, &handler, &request->exchange);
    if (status == DYNO_FULL) {
        fail(request, "every connection was in use: more need a larger --connections");
        return DYNO_OK;
    }
    if (status != DYNO_OK) {
        dyno_load_request_free(request);
    }
    return status;
}

void dyno_load_request_cancel(struct dyno_load_request *request)
{
    if (request->exchange) {
        dyno_client_exchange_cancel(request->exchange);
        request->exchange = NULL;
        request->is_cancelled = true;
        add_news(request);
    }
}

/* Chunks with no text at all: special tokens have none, but they took their time. */
static void settle_without_text(struct dyno_load_request *request)
{
    if (request->choices_first_ns == DYNO_NEVER) {
        blame(request, "the answer has no chunk with a token");
        return;
    }
    request->record.first_token_ns = request->choices_first_ns;
    request->record.last_token_ns = request->choices_last_ns;
    request->chunk_count = 1;
}

void dyno_load_request_judge(struct dyno_load_request *request)
{
    struct dyno_request_record *record = &request->record;

    if (request->is_cancelled) {
        record->outcome = DYNO_CANCELLED_BY_CLIENT;
        record->output_tokens = request->chunk_count;
        return;
    }
    if (request->why[0] == '\0' && request->chunk_count == 0) {
        settle_without_text(request);
    }
    if (request->why[0]) {
        record->outcome = DYNO_FAILED;
    }
    record->output_tokens = request->has_usage ? request->usage_tokens : request->chunk_count;
    if (record->output_tokens == 0 && record->outcome == DYNO_COMPLETED) {
        record->output_tokens = 1; /* something came */
    }
    if (record->outcome == DYNO_COMPLETED && record->first_token_ns >= record->ready_ns) {
        dyno_histogram_add(&request->load->ttft_sent, record->first_token_ns - record->ready_ns, 1);
    }
}
