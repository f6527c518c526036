/* Which model a server serves: asked before the run. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "backends/load/load_parts.h"

enum { LIST_BYTES_MAX = 1 << 20 };

struct asking {
    struct dyno_client_head head;
    struct dyno_load_text body;
    bool is_too_long, has_ended;
    char why[DYNO_LOAD_REASON_MAX];
};

static void on_sent(void *context, dyno_ns at)
{
    (void)context;
    (void)at;
}

static void on_head(void *context, dyno_ns at, const struct dyno_client_head *head)
{
    (void)at;
    ((struct asking *)context)->head = *head;
}

static void on_body(void *context, dyno_ns at, const char *bytes, size_t size)
{
    struct asking *asking = context;

    (void)at;
    if (size > LIST_BYTES_MAX - asking->body.size ||
        dyno_load_text_add(&asking->body, bytes, size) != DYNO_OK) {
        asking->is_too_long = true;
    }
}

static void on_ended(void *context, dyno_ns at, const char *why)
{
    struct asking *asking = context;

    (void)at;
    asking->has_ended = true;
    (void)snprintf(asking->why, sizeof asking->why, "%s", why ? why : "");
}

/* The first name in the list. */
static bool read_list(const struct asking *asking, char out[DYNO_LOAD_MODEL_MAX])
{
    json_t *root = json_loadb(asking->body.at ? asking->body.at : "", asking->body.size, 0, NULL);
    const json_t *first = json_array_get(json_object_get(root, "data"), 0);
    const char *name = json_string_value(json_object_get(first, "id"));
    bool fits = name && name[0] && strlen(name) < DYNO_LOAD_MODEL_MAX;

    if (fits) {
        memcpy(out, name, strlen(name) + 1);
    }
    json_decref(root);
    return fits;
}

static dyno_status judge(const struct dyno_load *load, const struct asking *asking,
                         char out[DYNO_LOAD_MODEL_MAX], struct dyno_error *error)
{
    const char *server = load->config.url->authority;

    if (asking->why[0]) {
        return dyno_fail(error, DYNO_IO, "%s does not say which model it serves: %s", server,
                         asking->why);
    }
    if (asking->head.status != 200) {
        bool wants_key = asking->head.status == 401 || asking->head.status == 403;

        return dyno_fail(error, DYNO_IO, "%s does not say which model it serves: HTTP %u; %s",
                         server, asking->head.status,
                         wants_key ? "name the variable that holds its key with --api-key-env"
                                   : "name it with --model");
    }
    if (asking->is_too_long || !read_list(asking, out)) {
        return dyno_fail(error, DYNO_IO,
                         "%s does not say which model it serves: what /v1/models gives is no list "
                         "of models; name it with --model",
                         server);
    }
    return DYNO_OK;
}

dyno_status dyno_load_model(struct dyno_load *load, char out[DYNO_LOAD_MODEL_MAX],
                            struct dyno_error *error)
{
    struct asking asking = {.has_ended = false};
    struct dyno_client_handler handler = {&asking, on_sent, on_head, on_body, on_ended};
    struct dyno_client_request get = {
        .method = "GET", .path = dyno_load_path(load, "/v1/models"), .fields = ""};
    struct dyno_client_exchange *exchange;
    dyno_status status = dyno_client_send(load->client, &get, &handler, &exchange);

    if (status != DYNO_OK) {
        return dyno_fail(error, status, "no memory to ask which model is served");
    }
    while (!asking.has_ended && event_base_loop(load->base, EVLOOP_ONCE) == 0) {
    }
    status = judge(load, &asking, out, error);
    dyno_load_text_release(&asking.body);
    return status;
}
