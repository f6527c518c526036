#include "backends/load/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "backends/load/load_parts.h"

enum { FIELDS_MAX = 4096, DESCRIPTORS_BESIDE = 64, STATUS_BYTES = 8 /* "HTTP 400" */ };

/* Connections that were idle for longer are not used again: servers close theirs after 5 s (some
 * of them), and a request sent into that would be lost. */
static const dyno_ns idle_max_ns = 4 * DYNO_S;

/* Wait at most this long at a time, so that an interrupt is seen soon. */
static const dyno_ns nap_ns_max = 50 * DYNO_MS;

static struct dyno_load *load_of(const struct dyno_workers *workers)
{
    return (struct dyno_load *)(uintptr_t)workers; /* its first member */
}

static struct dyno_load *load_of_clock(struct dyno_clock *clock)
{
    return (struct dyno_load *)((uintptr_t)clock - offsetof(struct dyno_load, clock));
}

/* ---- the clock ------------------------------------------------------------------------------- */

static dyno_ns run_now(const struct dyno_load *load)
{
    return dyno_client_now() - load->origin_ns;
}

static dyno_ns cpu_now(void)
{
    struct rusage usage = {0};

    (void)getrusage(RUSAGE_THREAD, &usage);
    return (dyno_ns)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * DYNO_S +
           (dyno_ns)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * DYNO_US;
}

static void on_timer(evutil_socket_t descriptor, short what, void *context)
{
    uint64_t count;
    ssize_t got = read((int)descriptor, &count, sizeof count);

    (void)got; /* it only had to wake us */
    (void)what;
    (void)context;
}

/* A timer that wakes us before `at` stays as it is: one system call less a turn. */
static void set_timer(struct dyno_load *load, dyno_ns now, dyno_ns at)
{
    dyno_ns absolute = load->origin_ns + at;
    struct itimerspec time = {
        .it_value = {.tv_sec = (time_t)(absolute / DYNO_S), .tv_nsec = (long)(absolute % DYNO_S)}};

    if (load->timer_ns > now && load->timer_ns <= at) {
        return;
    }
    load->timer_ns = at;
    (void)timerfd_settime(load->timer_descriptor, TFD_TIMER_ABSTIME, &time, NULL);
}

static dyno_ns wait_until(struct dyno_clock *clock, dyno_ns deadline)
{
    struct dyno_load *load = load_of_clock(clock);
    dyno_ns now = run_now(load);

    if (load->news || deadline <= now) {
        (void)event_base_loop(load->base, EVLOOP_NONBLOCK);
    } else {
        set_timer(load, now, deadline - now < nap_ns_max ? deadline : now + nap_ns_max);
        (void)event_base_loop(load->base, EVLOOP_ONCE);
    }
    now = run_now(load);
    load->last_ns = now > load->last_ns ? now : load->last_ns;
    return load->last_ns;
}

static const struct dyno_clock_ops clock_ops = {
    .name = "load",
    .help = "time passes by itself, and waiting moves the streams",
    .wait_until = wait_until,
};

struct dyno_clock *dyno_load_clock(struct dyno_load *load)
{
    load->clock.ops = &clock_ops;
    load->origin_ns = dyno_client_now();
    load->cpu_origin_ns = cpu_now();
    return &load->clock;
}

/* ---- the worker ------------------------------------------------------------------------------ */

static dyno_status submit(struct dyno_workers *workers, dyno_ns now, uint32_t worker,
                          const struct dyno_request *request)
{
    struct dyno_load *load = load_of(workers);
    dyno_ns sent;

    (void)now;
    (void)worker;
    DYNO_TRY(dyno_load_write_body(load, request));
    DYNO_TRY(dyno_load_request_send(load, request));
    sent = run_now(load);
    dyno_histogram_add(&load->lag, sent > request->arrival_ns ? sent - request->arrival_ns : 0, 1);
    return DYNO_OK;
}

static bool is_digit(char letter)
{
    return letter >= '0' && letter <= '9';
}

/* The same but for numbers, which servers put into sentences; not the status, which comes first. */
static bool is_same_reason(const char *one, const char *other)
{
    if (strncmp(one, other, STATUS_BYTES) != 0) {
        return false;
    }
    while (*one && *other && (*one == *other || (is_digit(*one) && is_digit(*other)))) {
        if (is_digit(*one)) {
            one += strspn(one, "0123456789");
            other += strspn(other, "0123456789");
        } else {
            one++;
            other++;
        }
    }
    return *one == *other;
}

static void count_reason(struct dyno_load *load, const char *why)
{
    for (uint32_t i = 0; i < load->reason_count; i++) {
        if (is_same_reason(load->reasons[i].why, why)) {
            load->reasons[i].count++;
            return;
        }
    }
    if (load->reason_count == DYNO_LOAD_REASONS_MAX) {
        load->reasons_left_out++;
        return;
    }
    (void)snprintf(load->reasons[load->reason_count].why, DYNO_LOAD_REASON_MAX, "%s", why);
    load->reasons[load->reason_count++].count = 1;
}

/* Tell of a request's end, and forget it. */
static dyno_status tell_end(struct dyno_load *load, struct dyno_load_request *request)
{
    const struct dyno_load_task *task = &load->task;
    dyno_status status;

    if (request->why[0]) {
        count_reason(load, request->why);
    }
    if (task->answered) {
        task->answered(
            task->answered_context,
            &(struct dyno_load_answer){.record = &request->record,
                                       .why = request->why,
                                       .chunk_ns = request->chunk_ns,
                                       .chunk_count = request->chunk_ns ? request->chunk_count : 0,
                                       .sent_ns = request->record.ready_ns});
    }
    status = task->listener.ended(task->listener.context, &request->record);
    dyno_load_request_free(request);
    return status;
}

/* Failed streams are not waited for: their connection is closed. */
static dyno_status settle(struct dyno_workers *workers, dyno_ns now)
{
    struct dyno_load *load = load_of(workers);

    (void)now;
    while (load->news) {
        struct dyno_load_request *request = load->news;

        load->news = request->next_news;
        request->is_news = false;
        if (request->is_started && !request->told_started) {
            request->told_started = true;
            load->task.listener.first_token(load->task.listener.context, request->record.id);
        }
        if (!request->exchange || request->why[0] || request->is_cancelled) {
            request->has_ended = true;
            dyno_load_request_judge(request);
            DYNO_TRY(tell_end(load, request));
        }
    }
    return DYNO_OK;
}

/* The connection is closed, which tells the server.  Clients that give up are few: they are looked
 * for one by one. */
static dyno_status cancel(struct dyno_workers *workers, dyno_ns now, uint32_t worker, uint64_t id)
{
    struct dyno_load *load = load_of(workers);
    struct dyno_load_request *request = load->requests;

    (void)now;
    (void)worker;
    while (request && request->record.id != id) {
        request = request->next;
    }
    if (request) {
        dyno_load_request_cancel(request);
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

static dyno_ns next(const struct dyno_workers *workers)
{
    const struct dyno_load *load = load_of(workers);

    return load->news ? load->last_ns : DYNO_NEVER;
}

static void sample(struct dyno_workers *workers, dyno_ns now, uint32_t worker,
                   struct dyno_sample_record *out)
{
    const struct dyno_load *load = load_of(workers);

    *out = (struct dyno_sample_record){
        .at = now, .worker = worker, .running = load->in_flight, .tokens_out = load->tokens_out};
}

static void totals(const struct dyno_workers *workers, struct dyno_fleet_totals *out)
{
    (void)workers;
    *out = (struct dyno_fleet_totals){.workers = 1};
}

static dyno_status abandon(struct dyno_workers *workers, dyno_ns now, enum dyno_outcome outcome)
{
    struct dyno_load *load = load_of(workers);

    DYNO_TRY(settle(workers, now));
    while (load->requests) {
        struct dyno_load_request *request = load->requests;

        request->record.outcome = outcome;
        request->record.output_tokens = request->chunk_count;
        DYNO_TRY(tell_end(load, request));
    }
    return DYNO_OK;
}

static void close_nothing(struct dyno_workers *workers)
{
    (void)workers; /* closed with the load */
}

static const struct dyno_workers_ops workers_ops = {
    .name = "load",
    .submit = submit,
    .cancel = cancel,
    .settle = settle,
    .form = form,
    .sync = sync_caches,
    .next = next,
    .sample = sample,
    .totals = totals,
    .abandon = abandon,
    .close = close_nothing,
};

struct dyno_workers *dyno_load_workers(struct dyno_load *load, const struct dyno_load_task *task)
{
    load->task = *task;
    load->workers.ops = &workers_ops;
    return &load->workers;
}

/* ---- open and close -------------------------------------------------------------------------- */

const char *dyno_load_path(const struct dyno_load *load, const char *path)
{
    const char *base = load->config.url->path;
    size_t size = strlen(base);
    bool has_version = size >= 3 && strcmp(base + size - 3, "/v1") == 0;

    return has_version && strncmp(path, "/v1", 3) == 0 ? path + 3 : path;
}

/* As many descriptors as connections, if the system lets us have them. */
static void raise_limit(uint32_t connections)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)connections + DESCRIPTORS_BESIDE;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < wanted) {
        limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static dyno_status open_timer(struct dyno_load *load)
{
    load->timer_descriptor = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (load->timer_descriptor < 0) {
        return DYNO_IO;
    }
    load->timer =
        event_new(load->base, load->timer_descriptor, EV_READ | EV_PERSIST, on_timer, load);
    return load->timer && event_add(load->timer, NULL) == 0 ? DYNO_OK : DYNO_NO_MEMORY;
}

static dyno_status write_fields(char fields[FIELDS_MAX], const char *key, struct dyno_error *error)
{
    int size = snprintf(fields, FIELDS_MAX,
                        "Content-Type: application/json\r\nAccept: text/event-stream\r\n"
                        "User-Agent: dyno\r\n%s%s%s",
                        key ? "Authorization: Bearer " : "", key ? key : "", key ? "\r\n" : "");

    for (const char *at = key; at && *at; at++) {
        if (*at <= ' ' || *at >= 0x7f) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "the API key has letters that no key has (a blank, a line end)");
        }
    }
    if (size >= FIELDS_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT, "the API key is too long");
    }
    return DYNO_OK;
}

static dyno_status open_parts(struct dyno_load *load, struct dyno_error *error)
{
    const struct dyno_load_config *config = &load->config;
    char fields[FIELDS_MAX];

    DYNO_TRY(write_fields(fields, config->api_key, error));
    raise_limit(config->connections_max);
    load->base = event_base_new();
    if (!load->base || open_timer(load) != DYNO_OK || dyno_histogram_init(&load->lag) != DYNO_OK ||
        dyno_histogram_init(&load->ttft_sent) != DYNO_OK) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory or descriptors for an event loop");
    }
    return dyno_client_open(
        &load->client,
        &(struct dyno_client_config){.base = load->base,
                                     .url = config->url,
                                     .fields = fields,
                                     .trusted = config->trusted,
                                     .connections_max = config->connections_max,
                                     .connect_timeout_ns = config->connect_timeout_ns,
                                     .silence_timeout_ns = config->silence_timeout_ns,
                                     .idle_max_ns = idle_max_ns},
        error);
}

dyno_status dyno_load_open(struct dyno_load **out, const struct dyno_load_config *config,
                           struct dyno_error *error)
{
    struct dyno_load *load = calloc(1, sizeof *load);
    dyno_status status;

    if (!load) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a load");
    }
    load->config = *config;
    load->timer_descriptor = -1;
    status = open_parts(load, error);
    if (status != DYNO_OK) {
        dyno_load_close(load);
        return status;
    }
    *out = load;
    return DYNO_OK;
}

void dyno_load_close(struct dyno_load *load)
{
    if (!load) {
        return;
    }
    while (load->requests) {
        dyno_load_request_free(load->requests);
    }
    dyno_client_close(load->client);
    if (load->timer) {
        event_free(load->timer);
    }
    if (load->timer_descriptor >= 0) {
        (void)close(load->timer_descriptor);
    }
    if (load->base) {
        event_base_free(load->base);
    }
    dyno_histogram_release(&load->lag);
    dyno_histogram_release(&load->ttft_sent);
    dyno_load_text_release(&load->body);
    free(load);
}

void dyno_load_facts(const struct dyno_load *load, struct dyno_load_facts *out)
{
    dyno_ns wall = run_now(load);

    *out = (struct dyno_load_facts){
        .lag = &load->lag,
        .ttft_sent = &load->ttft_sent,
        .cpu_fraction = wall > 0 ? (double)(cpu_now() - load->cpu_origin_ns) / (double)wall : 0.0,
        .connects = dyno_client_connects(load->client),
        .bytes_read = load->bytes_read,
        .reasons = load->reasons,
        .reason_count = load->reason_count,
        .reasons_left_out = load->reasons_left_out,
    };
}
