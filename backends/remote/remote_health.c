/* One endpoint: whether it is there, and which model it serves.  In the thread. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/remote/remote_parts.h"

enum { FIELDS_MAX = 4096 };

/* An idle connection is not used again after so long: servers close theirs after 5 s (some of
 * them), and a request sent into that would fail. */
static const dyno_ns idle_max_ns = 4 * DYNO_S;

/* ---- in and out ------------------------------------------------------------------------------ */

static void tell_presence(struct dyno_remote_endpoint *endpoint, bool is_there)
{
    struct dyno_remote *remote = endpoint->remote;

    dyno_remote_lock(remote);
    endpoint->is_there = is_there;
    remote->endpoints_changed = true;
    dyno_remote_wake_loop(remote);
    dyno_remote_unlock(remote);
}

static void go(struct dyno_remote_endpoint *endpoint, const char *why)
{
    struct dyno_remote_request *next;

    dyno_log(endpoint->remote->config.log, DYNO_LOG_WARNING, NULL, "worker_out",
             dyno_log_count("worker", endpoint->index),
             dyno_log_text("url", endpoint->url.authority), dyno_log_text("why", why));
    tell_presence(endpoint, false);
    for (struct dyno_remote_request *at = endpoint->in_flight; at; at = next) {
        next = at->next_there;
        if (!at->has_answer) {
            dyno_remote_doom(at, "the endpoint went away");
        }
    }
}

static void come(struct dyno_remote_endpoint *endpoint)
{
    enum dyno_log_level level = endpoint->was_checked ? DYNO_LOG_WARNING : DYNO_LOG_INFO;

    dyno_log(endpoint->remote->config.log, level, NULL, "worker_in",
             dyno_log_count("worker", endpoint->index),
             dyno_log_text("url", endpoint->url.authority),
             dyno_log_text("model", endpoint->model));
    tell_presence(endpoint, true);
}

static void check_now(const struct dyno_remote_endpoint *endpoint)
{
    event_active(endpoint->timer, EV_TIMEOUT, 0);
}

void dyno_remote_endpoint_succeeded(struct dyno_remote_endpoint *endpoint)
{
    endpoint->failures = 0;
}

void dyno_remote_endpoint_failed(struct dyno_remote_endpoint *endpoint, bool was_refused,
                                 const char *why)
{
    endpoint->failures++;
    if (endpoint->is_there &&
        (was_refused || endpoint->failures >= endpoint->remote->config.failures_max)) {
        go(endpoint, why);
    }
}

/* ---- models ---------------------------------------------------------------------------------- */

/* The one with the name that is asked for, else the first. */
static const json_t *choose_model(const json_t *list, const char *name)
{
    for (size_t i = 0; name && i < json_array_size(list); i++) {
        const json_t *model = json_array_get(list, i);
        const char *id = json_string_value(json_object_get(model, "id"));

        if (id && strcmp(id, name) == 0) {
            return model;
        }
    }
    return json_array_get(list, 0);
}

static uint32_t context_of(const json_t *model)
{
    json_int_t tokens = json_integer_value(json_object_get(model, "max_model_len"));

    return tokens > 0 && tokens <= UINT32_MAX ? (uint32_t)tokens : 0;
}

static bool keep_model(struct dyno_remote_endpoint *endpoint, const json_t *model)
{
    const json_t *id = json_object_get(model, "id");
    const char *name = json_string_value(id);
    char *text = name && name[0] && strlen(name) < DYNO_REMOTE_MODEL_MAX
                     ? json_dumps(id, JSON_ENCODE_ANY)
                     : NULL;

    if (!text) {
        return false;
    }
    free(endpoint->model_json);
    endpoint->model_json = text;
    dyno_remote_lock(endpoint->remote);
    memcpy(endpoint->model, name, strlen(name) + 1);
    endpoint->context_tokens = context_of(model);
    dyno_remote_unlock(endpoint->remote);
    return true;
}

static bool read_models(struct dyno_remote_endpoint *endpoint)
{
    const struct dyno_remote_body *body = &endpoint->check_body;
    json_t *root = body->at ? json_loadb(body->at, body->size, 0, NULL) : NULL;
    bool is_read = keep_model(
        endpoint, choose_model(json_object_get(root, "data"), endpoint->remote->model_name));

    json_decref(root);
    return is_read;
}

/* ---- checks ---------------------------------------------------------------------------------- */

static void note_checked(struct dyno_remote_endpoint *endpoint)
{
    struct dyno_remote *remote = endpoint->remote;

    dyno_remote_body_release(&endpoint->check_body);
    if (endpoint->was_checked) {
        return;
    }
    endpoint->was_checked = true;
    dyno_remote_lock(remote);
    remote->unchecked--;
    (void)pthread_cond_broadcast(&remote->changed);
    dyno_remote_unlock(remote);
}

static void fail_check(struct dyno_remote_endpoint *endpoint, bool was_refused, const char *why)
{
    if (!endpoint->was_checked) {
        dyno_log(endpoint->remote->config.log, DYNO_LOG_WARNING, NULL, "worker_out",
                 dyno_log_count("worker", endpoint->index),
                 dyno_log_text("url", endpoint->url.authority), dyno_log_text("why", why));
    }
    dyno_remote_endpoint_failed(endpoint, was_refused, why);
    note_checked(endpoint);
}

static bool has_no_such_path(uint32_t status)
{
    return status == 404 || status == 405 || status == 501;
}

static void judge_check(struct dyno_remote_endpoint *endpoint)
{
    uint32_t status = endpoint->check_head.status;
    char why[DYNO_REMOTE_WHY_MAX];

    if (!endpoint->checks_models && has_no_such_path(status)) {
        endpoint->lacks_health = true;
        check_now(endpoint);
    } else if (status != 200) {
        (void)snprintf(why, sizeof why, "asked whether it is well, it says HTTP %u", status);
        fail_check(endpoint, false, why);
    } else if (endpoint->checks_models && !read_models(endpoint)) {
        fail_check(endpoint, false, "what it gives as /v1/models is no list of models");
    } else {
        dyno_remote_endpoint_succeeded(endpoint);
        if (!endpoint->is_there) {
            come(endpoint);
        }
        note_checked(endpoint);
    }
}

static void on_sent(void *context, dyno_ns at)
{
    (void)at;
    ((struct dyno_remote_endpoint *)context)->check_sent = true;
}

static void on_head(void *context, dyno_ns at, const struct dyno_client_head *head)
{
    (void)at;
    ((struct dyno_remote_endpoint *)context)->check_head = *head;
}

/* What is too long is no list of models. */
static void on_body(void *context, dyno_ns at, const char *bytes, size_t size)
{
    struct dyno_remote_endpoint *endpoint = context;

    (void)at;
    if (endpoint->checks_models &&
        dyno_remote_body_add(&endpoint->check_body, bytes, size, DYNO_REMOTE_BODY_MAX) != DYNO_OK) {
        endpoint->check_head.status = 0;
    }
}

static void on_ended(void *context, dyno_ns at, const char *why)
{
    struct dyno_remote_endpoint *endpoint = context;

    (void)at;
    endpoint->check = NULL;
    if (why) {
        fail_check(endpoint, !endpoint->check_sent, why);
    } else {
        judge_check(endpoint);
    }
}

/* The check before this one has had all its time. */
static void end_late_check(struct dyno_remote_endpoint *endpoint)
{
    if (endpoint->check) {
        dyno_client_exchange_cancel(endpoint->check);
        endpoint->check = NULL;
        fail_check(endpoint, false, "asked whether it is well, it did not answer in time");
    }
}

static void on_timer(evutil_socket_t descriptor, short what, void *context)
{
    struct dyno_remote_endpoint *endpoint = context;
    struct dyno_client_handler handler = {endpoint, on_sent, on_head, on_body, on_ended};
    struct dyno_client_request get = {.method = "GET", .fields = ""};

    (void)descriptor;
    (void)what;
    end_late_check(endpoint);
    dyno_remote_body_release(&endpoint->check_body);
    endpoint->check_head = (struct dyno_client_head){.status = 0};
    endpoint->check_sent = false;
    endpoint->checks_models = !endpoint->is_there || endpoint->lacks_health;
    get.path = endpoint->checks_models ? "/v1/models" : "/health";
    if (dyno_client_send(endpoint->checker, &get, &handler, &endpoint->check) != DYNO_OK) {
        endpoint->check = NULL;
        fail_check(endpoint, false, "no memory to ask whether it is well");
    }
}

/* ---- open and close -------------------------------------------------------------------------- */

static dyno_status write_fields(char fields[FIELDS_MAX], const char *key, struct dyno_error *error)
{
    int size =
        snprintf(fields, FIELDS_MAX, "Content-Type: application/json\r\nUser-Agent: dyno\r\n%s%s%s",
                 key ? "Authorization: Bearer " : "", key ? key : "", key ? "\r\n" : "");

    for (const char *at = key; at && *at; at++) {
        if (*at <= ' ' || *at >= 0x7f) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "the workers' API key has letters that no key has (a blank, a line "
                             "end)");
        }
    }
    if (size >= FIELDS_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT, "the workers' API key is too long");
    }
    return DYNO_OK;
}

static dyno_status open_timer(struct dyno_remote_endpoint *endpoint)
{
    dyno_ns every = endpoint->remote->config.health_every_ns;
    struct timeval time = {.tv_sec = (time_t)(every / DYNO_S),
                           .tv_usec = (suseconds_t)(every % DYNO_S / DYNO_US)};

    endpoint->timer = event_new(endpoint->remote->base, -1, EV_PERSIST, on_timer, endpoint);
    if (!endpoint->timer || event_add(endpoint->timer, &time) != 0) {
        return DYNO_NO_MEMORY;
    }
    check_now(endpoint);
    return DYNO_OK;
}

dyno_status dyno_remote_endpoint_open(struct dyno_remote_endpoint *endpoint,
                                      struct dyno_error *error)
{
    const struct dyno_remote_config *config = &endpoint->remote->config;
    char fields[FIELDS_MAX];
    struct dyno_client_config client = {.base = endpoint->remote->base,
                                        .url = &endpoint->url,
                                        .fields = fields,
                                        .connections_max = config->connections_max,
                                        .connect_timeout_ns = config->connect_timeout_ns,
                                        .silence_timeout_ns = config->silence_timeout_ns,
                                        .idle_max_ns = idle_max_ns};

    DYNO_TRY(write_fields(fields, config->api_key, error));
    DYNO_TRY(dyno_client_open(&endpoint->client, &client, error));
    client.connections_max = 1;
    DYNO_TRY(dyno_client_open(&endpoint->checker, &client, error));
    return open_timer(endpoint) == DYNO_OK
               ? DYNO_OK
               : dyno_fail(error, DYNO_NO_MEMORY, "no memory for the workers' checks");
}

void dyno_remote_endpoint_close(struct dyno_remote_endpoint *endpoint)
{
    dyno_client_close(endpoint->client);
    dyno_client_close(endpoint->checker);
    if (endpoint->timer) {
        event_free(endpoint->timer);
    }
    dyno_remote_body_release(&endpoint->check_body);
    free(endpoint->model_json);
}
