#include "backends/door/door.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "backends/door/door_parts.h"
#include "core/base/map.h"

enum { REPLY_BYTES_MAX = 1 << 27 };

uint64_t dyno_door_draw(struct dyno_door *door)
{
    return dyno_chain(dyno_mix(door->salt), door->draws++);
}

uint64_t dyno_door_now_s(void)
{
    return (uint64_t)time(NULL);
}

/* ---- requests -------------------------------------------------------------------------------- */

struct route {
    const char *method, *path;
    dyno_door_handler *handler;
};

static const struct route routes[] = {
    {"POST", "/v1/chat/completions", dyno_door_chat},
    {"POST", "/v1/completions", dyno_door_completions},
    {"POST", "/v1/responses", dyno_door_responses},
    {"POST", "/tokenize", dyno_door_tokenize},
    {"POST", "/detokenize", dyno_door_detokenize},
    {"GET", "/v1/models", dyno_door_models},
    {"GET", "/health", dyno_door_health},
    {"GET", "/live", dyno_door_health},
};

enum { ROUTES = sizeof routes / sizeof routes[0] };

static void refuse_route(struct dyno_door *door, struct dyno_http_exchange *exchange,
                         const char *allowed)
{
    const char *method = dyno_http_exchange_method(exchange);
    const char *path = dyno_http_exchange_path(exchange);
    struct dyno_openai_error error;

    if (allowed) {
        (void)dyno_openai_fail(&error, 405, "method_not_allowed", NULL, "%s %.100s: use %s", method,
                               path, allowed);
    } else {
        (void)dyno_openai_fail(&error, 404, "unknown_url", NULL, "there is nothing at %s %.100s",
                               method, path);
    }
    dyno_door_refuse(door, exchange, &error);
}

/* A browser asks first whether it may ask. */
static void reply_to_preflight(struct dyno_door *door, struct dyno_http_exchange *exchange)
{
    struct dyno_http_header headers[DYNO_DOOR_HEADERS_MAX];
    uint32_t count = 0;

    dyno_door_headers(door, exchange, NULL, headers);
    while (headers[count].name) {
        count++;
    }
    if (door->config.cors_origin) {
        headers[count++] =
            (struct dyno_http_header){"Access-Control-Allow-Methods", "GET, POST, OPTIONS"};
        headers[count++] =
            (struct dyno_http_header){"Access-Control-Allow-Headers", "*, Authorization"};
        headers[count++] = (struct dyno_http_header){"Access-Control-Max-Age", "86400"};
    }
    headers[count] = (struct dyno_http_header){.name = NULL};
    dyno_http_reply(exchange, 204, headers, NULL, 0);
}

static void on_request(void *context, struct dyno_http_exchange *exchange)
{
    struct dyno_door *door = context;
    const char *method = dyno_http_exchange_method(exchange);
    const char *path = dyno_http_exchange_path(exchange);
    const char *allowed = NULL;

    if (strcmp(method, "OPTIONS") == 0) {
        reply_to_preflight(door, exchange);
        return;
    }
    for (size_t i = 0; i < ROUTES; i++) {
        bool is_head = strcmp(method, "HEAD") == 0 && strcmp(routes[i].method, "GET") == 0;

        if (strcmp(path, routes[i].path) != 0) {
            continue;
        }
        if (is_head || strcmp(method, routes[i].method) == 0) {
            routes[i].handler(door, exchange);
            return;
        }
        allowed = routes[i].method;
    }
    refuse_route(door, exchange, allowed);
}

static void on_gone(void *context, void *exchange_data)
{
    (void)context;
    dyno_call_drop(exchange_data);
}

static size_t on_refusal(void *context, uint16_t status, const char *why, char *body,
                         size_t size_max)
{
    struct dyno_openai_error error;
    struct dyno_bytes out;
    size_t size;

    (void)context;
    (void)dyno_openai_fail(&error, status, NULL, NULL, "%s", why);
    dyno_bytes_init(&out, size_max);
    dyno_openai_error_put(&out, &error);
    size = out.status == DYNO_OK ? out.size : 0;
    if (size > 0) {
        memcpy(body, out.data, size);
    }
    dyno_bytes_release(&out);
    return size;
}

/* ---- news ------------------------------------------------------------------------------------ */

static void on_woken(void *context)
{
    struct dyno_door *door = context;
    struct dyno_answer_news news;
    struct dyno_answer *answer;

    while ((answer = dyno_desk_news(door->desk, &news)) != NULL) {
        dyno_call_hear(dyno_answer_owner(answer), &news);
    }
}

static void on_news(void *context)
{
    dyno_http_server_wake(((struct dyno_door *)context)->server);
}

/* ---- open and close -------------------------------------------------------------------------- */

/* Tokens that end a text: the weights know some, the tokenizer one. */
static dyno_status open_ends(struct dyno_door *door, struct dyno_error *error)
{
    const struct dyno_door_model *model = &door->config.model;
    uint32_t last = dyno_tokenizer_eos(door->tokenizer);

    door->eos = calloc(model->eos_count + 1, sizeof *door->eos);
    if (!door->eos) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the server");
    }
    for (uint32_t i = 0; i < model->eos_count; i++) {
        door->eos[door->eos_count++] = model->eos[i];
        last = last == model->eos[i] ? UINT32_MAX : last;
    }
    if (last != UINT32_MAX && last < model->vocab) {
        door->eos[door->eos_count++] = last;
    }
    return DYNO_OK;
}

static dyno_status open_text(struct dyno_door *door, struct dyno_error *error)
{
    const struct dyno_tokenizer_file *file = door->config.model.file;

    DYNO_TRY(dyno_tokenizer_open(&door->tokenizer, &file->vocabulary, error));
    DYNO_TRY(dyno_encoder_open(&door->encoder, door->tokenizer, error));
    DYNO_TRY(open_ends(door, error));
    if (file->chat_template) {
        DYNO_TRY(dyno_template_open(&door->template_, file->chat_template, error));
    }
    if (file->chat_template || file->tool_template) {
        door->call_form = dyno_openai_call_form_of(file->tool_template ? file->tool_template
                                                                       : file->chat_template);
    }
    if (file->tool_template) {
        DYNO_TRY(dyno_template_open(&door->tool_template, file->tool_template, error));
    }
    return DYNO_OK;
}

static dyno_status open_parts(struct dyno_door *door, struct dyno_error *error)
{
    struct dyno_http_config http = door->config.http;
    struct dyno_desk_config desk = door->config.desk;

    if (getrandom(&door->salt, sizeof door->salt, 0) != (ssize_t)sizeof door->salt) {
        return dyno_fail(error, DYNO_IO, "the system gives no random numbers");
    }
    DYNO_TRY(open_text(door, error));
    desk.news = on_news;
    desk.context = door;
    if (dyno_desk_open(&door->desk, &desk) != DYNO_OK) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the server");
    }
    http.request = on_request;
    http.gone = on_gone;
    http.woken = on_woken;
    http.refusal = on_refusal;
    http.context = door;
    return dyno_http_server_open(&door->server, &http, error);
}

dyno_status dyno_door_open(struct dyno_door **out, const struct dyno_door_config *config,
                           struct dyno_error *error)
{
    struct dyno_door *door = calloc(1, sizeof *door);
    dyno_status status;

    if (!door) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the server");
    }
    door->config = *config;
    door->created_s = dyno_door_now_s();
    door->rules = dyno_openai_rules_default();
    door->rules.body_bytes_max = config->http.body_bytes_max;
    door->rules.vocab = config->model.vocab;
    dyno_bytes_init(&door->out, REPLY_BYTES_MAX);
    status = open_parts(door, error);
    if (status != DYNO_OK) {
        dyno_door_close(door);
        return status;
    }
    *out = door;
    return DYNO_OK;
}

void dyno_door_close(struct dyno_door *door)
{
    if (!door) {
        return;
    }
    dyno_http_server_close(door->server);
    dyno_desk_close(door->desk);
    dyno_template_close(door->template_);
    dyno_template_close(door->tool_template);
    dyno_encoder_close(door->encoder);
    dyno_tokenizer_close(door->tokenizer);
    dyno_bytes_release(&door->out);
    free(door->eos);
    free(door->spans);
    free(door);
}

uint16_t dyno_door_port(const struct dyno_door *door)
{
    return dyno_http_server_port(door->server);
}

struct dyno_desk *dyno_door_desk(struct dyno_door *door)
{
    return door->desk;
}

dyno_status dyno_door_run(struct dyno_door *door, struct dyno_error *error)
{
    dyno_status status = dyno_http_server_run(door->server, error);

    dyno_desk_finish(door->desk);
    return status;
}

void dyno_door_stop(struct dyno_door *door, dyno_ns grace_ns)
{
    dyno_http_server_stop(door->server, grace_ns);
}
