#include "backends/remote/remote.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "backends/remote/remote_parts.h"

void dyno_remote_lock(struct dyno_remote *remote)
{
    (void)pthread_mutex_lock(&remote->lock);
}

void dyno_remote_unlock(struct dyno_remote *remote)
{
    (void)pthread_mutex_unlock(&remote->lock);
}

void dyno_remote_wake_loop(struct dyno_remote *remote)
{
    if (remote->is_attached) {
        remote->task.wake(remote->task.clock);
    }
}

/* ---- bodies ---------------------------------------------------------------------------------- */

dyno_status dyno_remote_body_add(struct dyno_remote_body *body, const char *bytes, size_t size,
                                 size_t size_max)
{
    size_t capacity = 2 * (body->size + size);
    char *grown;

    if (size > size_max - body->size) {
        return DYNO_FULL;
    }
    if (body->size + size > body->capacity) {
        grown = realloc(body->at, capacity);
        if (!grown) {
            return DYNO_NO_MEMORY;
        }
        body->at = grown;
        body->capacity = capacity;
    }
    if (size > 0) {
        memcpy(body->at + body->size, bytes, size);
        body->size += size;
    }
    return DYNO_OK;
}

void dyno_remote_body_release(struct dyno_remote_body *body)
{
    free(body->at);
    *body = (struct dyno_remote_body){.size = 0};
}

/* ---- the thread ------------------------------------------------------------------------------ */

/* The next wish of a request that has not ended meanwhile; NULL: none. */
static struct dyno_remote_request *take_wish(struct dyno_remote *remote,
                                             enum dyno_remote_wish *what)
{
    struct dyno_remote_request *request;

    dyno_remote_lock(remote);
    do {
        request = remote->wishes;
        if (request) {
            remote->wishes = request->next_wish;
            request->is_posted = false;
            *what = request->wish;
        }
    } while (request && request->has_ended);
    dyno_remote_unlock(remote);
    return request;
}

static void on_woken(evutil_socket_t descriptor, short what, void *context)
{
    struct dyno_remote *remote = context;
    struct dyno_remote_request *request;
    enum dyno_remote_wish wish;
    eventfd_t count;
    bool stops;

    (void)eventfd_read((int)descriptor, &count);
    (void)what;
    while ((request = take_wish(remote, &wish)) != NULL) {
        if (wish == DYNO_REMOTE_CANCEL) {
            dyno_remote_cancel(request);
        } else {
            dyno_remote_ask(request);
        }
    }
    dyno_remote_lock(remote);
    stops = remote->stops;
    dyno_remote_unlock(remote);
    if (stops) {
        (void)event_base_loopbreak(remote->base);
    }
}

static void on_doom(evutil_socket_t descriptor, short what, void *context)
{
    (void)descriptor;
    (void)what;
    dyno_remote_give_up_doomed(context);
}

static void *run(void *context)
{
    struct dyno_remote *remote = context;

    (void)event_base_dispatch(remote->base);
    return NULL;
}

/* Signals are the first thread's. */
static dyno_status start(struct dyno_remote *remote, struct dyno_error *error)
{
    sigset_t all, before;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    remote->runs = pthread_create(&remote->thread, NULL, run, remote) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return remote->runs ? DYNO_OK
                        : dyno_fail(error, DYNO_IO, "the thread of the workers cannot be started");
}

void dyno_remote_halt(struct dyno_remote *remote)
{
    if (!remote->runs) {
        return;
    }
    dyno_remote_lock(remote);
    remote->stops = true;
    dyno_remote_unlock(remote);
    (void)eventfd_write(remote->wake_descriptor, 1);
    (void)pthread_join(remote->thread, NULL);
    remote->runs = false;
}

/* ---- open and close -------------------------------------------------------------------------- */

/* A path that ends in /v1 names the API, not the server. */
static void cut_version(struct dyno_url *url)
{
    size_t size = strlen(url->path);

    if (size >= 3 && strcmp(url->path + size - 3, "/v1") == 0) {
        url->path[size - 3] = '\0';
    }
}

static dyno_status copy_config(struct dyno_remote *remote, const struct dyno_remote_config *config)
{
    remote->config = *config;
    remote->endpoints = calloc(config->count, sizeof *remote->endpoints);
    remote->model_name = config->model_name ? strdup(config->model_name) : NULL;
    if (!remote->endpoints || (config->model_name && !remote->model_name)) {
        return DYNO_NO_MEMORY;
    }
    for (uint32_t i = 0; i < config->count; i++) {
        struct dyno_remote_endpoint *endpoint = &remote->endpoints[i];

        endpoint->remote = remote;
        endpoint->index = i;
        endpoint->url = config->urls[i];
        endpoint->told_there = true; /* as a router takes it at first */
        cut_version(&endpoint->url);
    }
    remote->unchecked = config->count;
    remote->endpoints_changed = true;
    return DYNO_OK;
}

static dyno_status open_loop(struct dyno_remote *remote)
{
    remote->base = event_base_new();
    remote->wake_descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!remote->base || remote->wake_descriptor < 0) {
        return DYNO_NO_MEMORY;
    }
    remote->doom = event_new(remote->base, -1, 0, on_doom, remote);
    remote->woken =
        event_new(remote->base, remote->wake_descriptor, EV_READ | EV_PERSIST, on_woken, remote);
    return remote->doom && remote->woken && event_add(remote->woken, NULL) == 0 ? DYNO_OK
                                                                                : DYNO_NO_MEMORY;
}

static dyno_status open_parts(struct dyno_remote *remote, const struct dyno_remote_config *config,
                              struct dyno_error *error)
{
    if (copy_config(remote, config) != DYNO_OK || open_loop(remote) != DYNO_OK) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory or descriptors for remote workers");
    }
    for (uint32_t i = 0; i < config->count; i++) {
        DYNO_TRY(dyno_remote_endpoint_open(&remote->endpoints[i], error));
    }
    remote->config.urls = NULL; /* these were the caller's */
    remote->config.api_key = remote->config.model_name = NULL;
    return start(remote, error);
}

dyno_status dyno_remote_open(struct dyno_remote **out, const struct dyno_remote_config *config,
                             struct dyno_error *error)
{
    struct dyno_remote *remote = calloc(1, sizeof *remote);
    dyno_status status;

    assert(config->count >= 1 && config->failures_max >= 1 && config->connections_max >= 1);
    if (!remote || pthread_mutex_init(&remote->lock, NULL) != 0) {
        free(remote);
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for remote workers");
    }
    (void)pthread_cond_init(&remote->changed, NULL);
    remote->wake_descriptor = -1;
    status = open_parts(remote, config, error);
    if (status != DYNO_OK) {
        dyno_remote_close(remote);
        return status;
    }
    dyno_remote_lock(remote);
    while (remote->unchecked > 0) {
        (void)pthread_cond_wait(&remote->changed, &remote->lock);
    }
    dyno_remote_unlock(remote);
    *out = remote;
    return DYNO_OK;
}

static void free_events(const struct dyno_remote *remote)
{
    if (remote->doom) {
        event_free(remote->doom);
    }
    if (remote->woken) {
        event_free(remote->woken);
    }
    if (remote->base) {
        event_base_free(remote->base);
    }
    if (remote->wake_descriptor >= 0) {
        (void)close(remote->wake_descriptor);
    }
}

void dyno_remote_close(struct dyno_remote *remote)
{
    if (!remote) {
        return;
    }
    dyno_remote_halt(remote);
    for (uint32_t i = 0; remote->endpoints && i < remote->config.count; i++) {
        dyno_remote_endpoint_close(&remote->endpoints[i]);
    }
    while (remote->requests) {
        dyno_remote_request_free(remote->requests);
    }
    free_events(remote);
    (void)pthread_cond_destroy(&remote->changed);
    (void)pthread_mutex_destroy(&remote->lock);
    free(remote->gaps);
    free(remote->model_name);
    free(remote->endpoints);
    free(remote);
}

struct dyno_remote_look dyno_remote_look(struct dyno_remote *remote, uint32_t worker)
{
    const struct dyno_remote_endpoint *endpoint = &remote->endpoints[worker];
    struct dyno_remote_look look;

    assert(worker < remote->config.count);
    dyno_remote_lock(remote);
    look = (struct dyno_remote_look){.is_there = endpoint->is_there,
                                     .context_tokens = endpoint->context_tokens};
    memcpy(look.model, endpoint->model, sizeof look.model);
    dyno_remote_unlock(remote);
    return look;
}

struct dyno_workers *dyno_remote_workers(struct dyno_remote *remote,
                                         const struct dyno_remote_task *task)
{
    remote->workers.ops = &dyno_remote_workers_ops;
    dyno_remote_lock(remote);
    remote->task = *task;
    remote->is_attached = true;
    dyno_remote_unlock(remote);
    return &remote->workers;
}

/* ---- lists of URLs --------------------------------------------------------------------------- */

dyno_status dyno_remote_parse(struct dyno_url *urls, uint32_t *count, const char *list,
                              struct dyno_error *error)
{
    char *copy = strdup(list), *rest = copy;
    dyno_status status =
        copy ? DYNO_OK : dyno_fail(error, DYNO_NO_MEMORY, "no memory for the workers' addresses");
    uint32_t parsed = 0;

    while (status == DYNO_OK && rest) {
        const char *one = strsep(&rest, ",");

        one += strspn(one, " ");
        status = parsed < *count ? dyno_url_parse(&urls[parsed], one, error)
                                 : dyno_fail(error, DYNO_BAD_INPUT, "more than %u workers", *count);
        parsed++;
    }
    free(copy);
    if (status == DYNO_OK) {
        *count = parsed;
    }
    return status;
}
