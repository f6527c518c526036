#include "backends/door/door.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>
#include <xxhash.h>

#include "backends/door/clerk.h"
#include "backends/door/door_parts.h"
#include "core/base/map.h"

enum {
    REPLY_BYTES_MAX = 1 << 27,
    NAMES_MAX = DYNO_MODELS_MAX * 130, /* bytes of the names of all models */
};

uint64_t dyno_door_now_s(void)
{
    return (uint64_t)time(NULL);
}

dyno_ns dyno_door_now(const struct dyno_door *door)
{
    return door->config.desk.now(door->config.desk.clock);
}

/* ---- requests -------------------------------------------------------------------------------- */

/* Either answered at once, or made a call of. */
struct route {
    const char *method, *path;
    dyno_door_handler *handler;
    dyno_door_maker *make;
    bool is_public; /* also without a key */
    bool generates; /* held against a key's rate */
};

static const struct route routes[] = {
    {"POST", "/v1/chat/completions", NULL, dyno_door_chat, false, true},
    {"POST", "/v1/completions", NULL, dyno_door_completions, false, true},
    {"POST", "/v1/responses", NULL, dyno_door_responses, false, true},
    {"POST", "/v1/embeddings", NULL, dyno_door_embeddings, false, true},
    {"GET", "/v1/models", dyno_door_models, NULL, false, false},
    {"POST", "/tokenize", NULL, dyno_door_tokenize, false, false},
    {"POST", "/detokenize", NULL, dyno_door_detokenize, false, false},
    {"GET", "/openapi.json", dyno_door_openapi, NULL, true, false},
    {"GET", "/metrics", dyno_door_metrics, NULL, false, false},
    {"GET", "/", dyno_door_root, NULL, true, false},
    {"GET", "/dashboard", dyno_door_dashboard, NULL, true,
     false}, /* the page itself tells nothing */
    {"GET", "/dashboard/data", dyno_door_dashboard_data, NULL, false, false},
    {"GET", DYNO_DOOR_MODELS_PATH, dyno_door_model, NULL, false, false},
    {"GET", "/health", dyno_door_health, NULL, true, false},
    {"GET", "/live", dyno_door_health, NULL, true, false},
};

enum { ROUTES = sizeof routes / sizeof routes[0] };

/* Refuse, and say in a header what would do. */
static void refuse_saying(struct dyno_door *door, struct dyno_http_exchange *exchange,
                          const struct dyno_openai_error *error, const char *name,
                          const char *value)
{
    struct dyno_door_headers headers = dyno_door_headers(door, &door->asker, "application/json");

    dyno_door_add_header(&headers, name, value);
    dyno_bytes_clear(&door->out);
    dyno_openai_error_put(&door->out, error);
    dyno_door_reply(door, exchange, &door->asker, (uint16_t)error->http_status, &headers,
                    door->out.data, door->out.size);
}

/* All methods of a path that a route with this one has. */
static const char *methods_of(const char *method)
{
    return strcmp(method, "GET") == 0 ? "GET, HEAD, OPTIONS" : "POST, OPTIONS";
}

static void refuse_route(struct dyno_door *door, struct dyno_http_exchange *exchange,
                         const char *allowed)
{
    const char *method = dyno_http_exchange_method(exchange);
    const char *path = dyno_http_exchange_path(exchange);
    struct dyno_openai_error error;

    if (!allowed) {
        (void)dyno_openai_fail(&error, 404, "unknown_url", NULL,
                               "there is nothing at %.20s %.100s; /openapi.json says what there is",
                               method, path);
        dyno_door_refuse(door, exchange, &door->asker, &error, 0);
        return;
    }
    (void)dyno_openai_fail(&error, 405, "method_not_allowed", NULL, "%.20s %.100s: use %s", method,
                           path, allowed);
    refuse_saying(door, exchange, &error, "Allow", methods_of(allowed));
}

/* Bodies are read as they come; false: this one is packed, and was refused. */
static bool is_plain(struct dyno_door *door, struct dyno_http_exchange *exchange, bool generates)
{
    const char *coding = dyno_http_exchange_header(exchange, "content-encoding");
    struct dyno_openai_error error;

    if (!coding || strcasecmp(coding, "identity") == 0) {
        return true;
    }
    if (generates) {
        dyno_door_count_refused(door, DYNO_REFUSED_BAD_REQUEST);
    }
    (void)dyno_openai_fail(&error, 415, DYNO_OPENAI_CODE_UNSUPPORTED, NULL,
                           "the body has the Content-Encoding '%.40s'; send it as it is", coding);
    refuse_saying(door, exchange, &error, "Accept-Encoding", "identity");
    return false;
}

/* A browser asks first whether it may ask. */
static void reply_to_preflight(struct dyno_door *door, struct dyno_http_exchange *exchange,
                               const char *allowed)
{
    struct dyno_door_headers headers = dyno_door_headers(door, &door->asker, NULL);

    if (allowed) {
        dyno_door_add_header(&headers, "Allow", methods_of(allowed));
    }
    if (door->config.cors_origin) {
        dyno_door_add_header(&headers, "Access-Control-Allow-Methods", "GET, POST, OPTIONS");
        dyno_door_add_header(&headers, "Access-Control-Allow-Headers", "*, Authorization");
        dyno_door_add_header(&headers, "Access-Control-Max-Age", "86400");
    }
    dyno_door_reply(door, exchange, &door->asker, 204, &headers, NULL, 0);
}

/* Whoever may not ask is refused, and does not learn what there is. */
static bool let_in(struct dyno_door *door, struct dyno_http_exchange *exchange, bool counts)
{
    const char *authorization = dyno_http_exchange_header(exchange, "authorization");
    struct dyno_openai_error error = {.http_status = 0};
    dyno_ns wait_ns = 0;

    switch (door->keys ? dyno_keys_judge(door->keys, authorization, counts, door->asker.arrival_ns,
                                         &door->asker.tenant, &wait_ns)
                       : DYNO_KEY_GOOD) {
    case DYNO_KEY_GOOD:
        return true;
    case DYNO_KEY_MISSING:
        (void)dyno_openai_fail(&error, 401, DYNO_OPENAI_CODE_KEY, NULL,
                               "a key is needed: send it as 'Authorization: Bearer KEY'");
        break;
    case DYNO_KEY_WRONG:
        (void)dyno_openai_fail(&error, 401, DYNO_OPENAI_CODE_KEY, NULL,
                               "the key is not one of this server's");
        break;
    case DYNO_KEY_TOO_OFTEN:
        (void)dyno_openai_fail(&error, 429, DYNO_OPENAI_CODE_RATE, NULL,
                               "this key has asked as often as it may; try again in %.1f s",
                               (double)wait_ns * 1e-9);
        break;
    }
    if (counts) {
        dyno_door_count_refused(door, error.http_status == 429 ? DYNO_REFUSED_RATE_LIMITED
                                                               : DYNO_REFUSED_UNAUTHORIZED);
    }
    dyno_door_refuse(door, exchange, &door->asker, &error, wait_ns);
    return false;
}

/* The client's own id, if it is one that may stand in a log and a header. */
static void name_request(struct dyno_door *door, const struct dyno_http_exchange *exchange)
{
    const char *given = dyno_http_exchange_header(exchange, "x-request-id");
    char *id = door->asker.request_id;

    if (given && given[0] != '\0' && strlen(given) < sizeof door->asker.request_id) {
        memcpy(id, given, strlen(given) + 1);
    } else {
        dyno_openai_id(id, "req", dyno_scribe_draw(&door->scribe), dyno_scribe_draw(&door->scribe));
    }
}

/* The path itself, or where that is more than a slash and ends with one, a path below it. */
static bool is_path_of(const struct route *route, const char *path)
{
    size_t size = strlen(route->path);

    return size > 1 && route->path[size - 1] == '/'
               ? strncmp(path, route->path, size) == 0 && path[size] != '\0'
               : strcmp(path, route->path) == 0;
}

/* The client's trace goes on; without one, or with a bad one, it begins here. */
static void follow_trace(struct dyno_door *door, const struct dyno_http_exchange *exchange)
{
    const char *parent = dyno_http_exchange_header(exchange, "traceparent");
    struct dyno_scribe *scribe = &door->scribe;
    uint64_t random[3] = {dyno_scribe_draw(scribe), dyno_scribe_draw(scribe),
                          dyno_scribe_draw(scribe)};
    uint8_t bytes[sizeof random];

    memcpy(bytes, random, sizeof bytes);
    if (!parent || !dyno_trace_context_parse(parent, strlen(parent), &door->asker.trace)) {
        door->asker.trace = dyno_trace_context_root(bytes, false);
    }
}

static const struct route *find_route(const char *method, const char *path, const char **allowed)
{
    bool is_head = strcmp(method, "HEAD") == 0;

    *allowed = NULL;
    for (size_t i = 0; i < ROUTES; i++) {
        if (!is_path_of(&routes[i], path)) {
            continue;
        }
        if (strcmp(is_head ? "GET" : method, routes[i].method) == 0) {
            return &routes[i];
        }
        *allowed = routes[i].method;
    }
    return NULL;
}

static void on_request(void *context, struct dyno_http_exchange *exchange)
{
    struct dyno_door *door = context;
    const char *method = dyno_http_exchange_method(exchange), *allowed;
    const struct route *route = find_route(method, dyno_http_exchange_path(exchange), &allowed);

    door->asker = (struct dyno_door_asker){.arrival_ns = dyno_door_now(door)};
    name_request(door, exchange);
    follow_trace(door, exchange);
    if (strcmp(method, "OPTIONS") == 0) {
        reply_to_preflight(door, exchange, allowed);
        return;
    }
    if (!(route && route->is_public) && !let_in(door, exchange, route && route->generates)) {
        return;
    }
    if (!route) {
        refuse_route(door, exchange, allowed);
    } else if (!route->make) {
        route->handler(door, exchange);
    } else if (is_plain(door, exchange, route->generates)) {
        dyno_door_take_order(door, exchange, route->make, route->generates);
    }
}

static void on_gone(void *context, void *exchange_data)
{
    struct dyno_guest *guest = exchange_data;

    (void)context;
    if (guest) {
        guest->gone(guest);
    }
}

static size_t on_refusal(void *context, uint16_t status, const char *why, char *body,
                         size_t size_max)
{
    struct dyno_door *door = context;
    struct dyno_openai_error error;
    struct dyno_bytes out;
    size_t size;

    dyno_telemetry_answered(door->telemetry, status);
    if (status == 408 || status == 413) { /* it was on its way to ask for something */
        dyno_door_count_refused(door,
                                status == 408 ? DYNO_REFUSED_TIMED_OUT : DYNO_REFUSED_TOO_LARGE);
    }
    (void)dyno_openai_fail(&error, status, status == 413 ? DYNO_OPENAI_CODE_SIZE : NULL, NULL, "%s",
                           why);
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

static void hear_news(struct dyno_door *door)
{
    struct dyno_answer_news news;
    struct dyno_answer *answer;

    while ((answer = dyno_desk_news(door->desk, &news)) != NULL) {
        dyno_call_hear(dyno_answer_owner(answer), &news);
    }
}

static void on_woken(void *context)
{
    struct dyno_door *door = context;

    dyno_door_look(door);
    dyno_clerk_collect(door->clerk);
    hear_news(door);
}

/* The desk's: the loop has something to take in. */
static void on_left(void *context)
{
    dyno_http_server_put_off(((struct dyno_door *)context)->server);
}

static void on_later(void *context)
{
    const struct dyno_door *door = context;

    door->config.help(door->config.help_context);
}

static void on_first_byte(void *context, dyno_ns after_ns)
{
    dyno_telemetry_first_byte(((struct dyno_door *)context)->telemetry, after_ns);
}

static void on_news(void *context)
{
    dyno_http_server_wake(((struct dyno_door *)context)->server);
}

/* ---- open and close -------------------------------------------------------------------------- */

/* Random numbers differ from one start to the next; identities need not. */
static dyno_status open_chance(struct dyno_door *door, uint64_t chances[2],
                               struct dyno_error *error)
{
    const char *salt = door->config.salt;
    size_t size = 2 * sizeof chances[0];

    if (getrandom(chances, size, 0) != (ssize_t)size) {
        return dyno_fail(error, DYNO_IO, "the system gives no random numbers");
    }
    door->salt = salt ? XXH3_64bits(salt, strlen(salt)) : dyno_mix(chances[0]);
    door->config.salt = NULL; /* a secret, and the caller's */
    return DYNO_OK;
}

/* Where there are several models each is told of by itself. */
static dyno_status open_telemetry(struct dyno_door *door, struct dyno_error *error)
{
    const struct dyno_door_config *config = &door->config;
    struct dyno_telemetry_model models[DYNO_MODELS_MAX] = {0};
    bool several = config->model_count > 1;
    char names[NAMES_MAX];

    dyno_door_list_models(door, names, sizeof names);
    for (uint32_t i = 0; i < config->model_count; i++) {
        models[i] = (struct dyno_telemetry_model){.name = config->models[i].name,
                                                  .worker_count = config->models[i].worker_count,
                                                  .block_bytes = config->models[i].block_bytes};
    }
    DYNO_TRY(dyno_telemetry_open(
        &door->telemetry,
        &(struct dyno_telemetry_config){.model = several ? names : models[0].name,
                                        .version = config->version,
                                        .worker_count = config->desk.worker_count,
                                        .block_tokens = config->block_tokens,
                                        .block_bytes = several ? 0 : models[0].block_bytes,
                                        .models = models,
                                        .model_count = several ? config->model_count : 0,
                                        .has_planner = config->has_planner,
                                        .prefill_from = config->prefill_from,
                                        .gpus = config->gpus},
        error));
    for (uint32_t i = 0; i < config->model_count; i++) {
        door->served[i].telemetry = dyno_telemetry_of(door->telemetry, i);
    }
    return DYNO_OK;
}

static dyno_status open_parts(struct dyno_door *door, struct dyno_error *error)
{
    struct dyno_http_config http = door->config.http;
    struct dyno_desk_config desk = door->config.desk;
    uint64_t chances[2];

    DYNO_TRY(open_chance(door, chances, error));
    for (uint32_t i = 0; i < door->config.model_count; i++) {
        DYNO_TRY(dyno_served_model_open(&door->served[i], door, i, error));
    }
    DYNO_TRY(dyno_scribe_init(&door->scribe, door, chances[0], error));
    if (door->config.keys_path) {
        DYNO_TRY(dyno_keys_open(&door->keys, door->config.keys_path, error));
    }
    DYNO_TRY(open_telemetry(door, error));
    door->samples = calloc(desk.worker_count, sizeof *door->samples);
    if (!door->samples) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the server");
    }
    desk.news = on_news;
    desk.left = door->config.help ? on_left : NULL;
    desk.context = door;
    if (dyno_desk_open(&door->desk, &desk) != DYNO_OK) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the server");
    }
    http.request = on_request;
    http.gone = on_gone;
    http.woken = on_woken;
    http.later = door->config.help ? on_later : NULL;
    http.first_byte = on_first_byte;
    http.refusal = on_refusal;
    http.context = door;
    DYNO_TRY(dyno_http_server_open(&door->server, &http, error));
    return dyno_clerk_open(&door->clerk, door, chances[1], error);
}

/* Of all models, for bodies are read before it is known which one they are for; 0: of some model it
 * is not known. */
static uint32_t greatest_vocab(const struct dyno_door_config *config)
{
    uint32_t greatest = 0;

    for (uint32_t i = 0; i < config->model_count; i++) {
        uint32_t vocab = config->models[i].vocab;

        if (vocab == 0) {
            return 0;
        }
        greatest = vocab > greatest ? vocab : greatest;
    }
    return greatest;
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
    door->rules.vocab = greatest_vocab(config);
    dyno_bytes_init(&door->out, REPLY_BYTES_MAX);
    status = open_parts(door, error);
    if (status != DYNO_OK) {
        dyno_door_close(door);
        return status;
    }
    *out = door;
    return DYNO_OK;
}

void dyno_door_hang_up(struct dyno_door *door)
{
    if (!door || !door->server) {
        return;
    }
    dyno_clerk_halt(door->clerk); /* it wakes the server */
    dyno_http_server_close(door->server);
    door->server = NULL;
    if (door->desk) {
        hear_news(door); /* of those whose clients were cut */
    }
}

void dyno_door_close(struct dyno_door *door)
{
    if (!door) {
        return;
    }
    dyno_door_hang_up(door);
    dyno_clerk_close(door->clerk);
    dyno_desk_close(door->desk);
    dyno_keys_close(door->keys);
    dyno_telemetry_close(door->telemetry);
    free(door->samples);
    dyno_scribe_release(&door->scribe);
    for (uint32_t i = 0; i < door->config.model_count; i++) {
        dyno_served_model_release(&door->served[i]);
    }
    dyno_bytes_release(&door->out);
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
