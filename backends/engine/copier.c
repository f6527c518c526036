#include "backends/engine/copier.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const double bytes_half_life = 64.0 * 1024 * 1024, latency_weight = 1.0 / 16;
static const dyno_ns while_ns = 10 * DYNO_S;

/* A transfer, queued on its path or arrived. */
struct job {
    struct dyno_transfer transfer;
    uint64_t bytes;
    dyno_ns submitted_at, at; /* at: when it had arrived */
    bool was_idle;            /* its path, when it was submitted */
    uint32_t lost;
    uint64_t pass; /* that computes them, of single layers */
    struct job *next;
    struct dyno_block_name *names; /* [transfer.blocks], or NULL */
    uint32_t blocks[];             /* [2][transfer.blocks] */
};

struct path {
    struct copier *copier;
    pthread_t thread;
    bool started;
    pthread_cond_t queued, done; /* done: the first of them has been copied */
    struct job *first, *last;    /* in the order of submission; the first is being copied */
    uint64_t bytes_ahead;        /* of all of them */
    struct dyno_copier_speed speed;
    dyno_ns learned_at;
};

/* All but the configuration is under the lock. */
struct copier {
    struct dyno_links base;
    struct dyno_copier_config config;
    pthread_mutex_t lock;
    struct path paths[DYNO_COPIER_PATHS_MAX + DYNO_COPIER_LAYER_PATHS_MAX];
    uint32_t path_count;       /* with those of layers, which come last */
    struct job *arrived;       /* ordered by (at, id) */
    bool ending, owns_context; /* owns: once it is open */
};

static bool is_layers(const struct dyno_transfer *transfer)
{
    return transfer->end_layer > 0;
}

static struct copier *copier_of(const struct dyno_links *links)
{
    return (struct copier *)(uintptr_t)links; /* its first member */
}

/* ---- a path's thread ------------------------------------------------------------------------- */

static void learn(struct dyno_copier_speed *speed, const struct job *job, dyno_ns began)
{
    double bytes = (double)job->bytes, share;

    if (job->bytes > 0) {
        share = bytes / (bytes + bytes_half_life);
        speed->ns_per_byte += share * ((double)(job->at - began) / bytes - speed->ns_per_byte);
    }
    if (job->was_idle) {
        speed->latency_ns +=
            latency_weight * ((double)(began - job->submitted_at) - speed->latency_ns);
    }
}

/* Under the lock. */
static void arrive(struct copier *copier, struct job *job)
{
    struct job **to = &copier->arrived;

    while (*to && ((*to)->at < job->at ||
                   ((*to)->at == job->at && (*to)->transfer.id < job->transfer.id))) {
        to = &(*to)->next;
    }
    job->next = *to;
    *to = job;
}

/* The path's next transfer; NULL: there will be none. */
static struct job *await_job(struct path *path)
{
    struct copier *copier = path->copier;
    struct job *job;

    pthread_mutex_lock(&copier->lock);
    while (!path->first && !copier->ending) {
        pthread_cond_wait(&path->queued, &copier->lock);
    }
    job = path->first;
    pthread_mutex_unlock(&copier->lock);
    return job;
}

static void finish(struct path *path, struct job *job, dyno_ns began)
{
    struct copier *copier = path->copier;

    pthread_mutex_lock(&copier->lock);
    if (job->lost == DYNO_COPY_NEVER) {
        job->at = DYNO_NEVER;
    } else {
        job->at = copier->config.now(copier->config.clock);
        if (!is_layers(&job->transfer)) {
            learn(&path->speed, job, began);
            path->learned_at = job->at;
        }
    }
    path->first = job->next;
    path->bytes_ahead -= job->bytes;
    arrive(copier, job);
    pthread_cond_broadcast(&path->done);
    pthread_mutex_unlock(&copier->lock);
    copier->config.wake(copier->config.clock);
}

static void *run(void *argument)
{
    struct path *path = argument;
    const struct dyno_copier_config *config = &path->copier->config;
    struct job *job;

    while ((job = await_job(path))) {
        dyno_ns began = config->now(config->clock);

        job->lost = is_layers(&job->transfer)
                        ? config->copy_layers(config->context, &job->transfer, job->pass)
                        : config->copy(config->context, &job->transfer);
        finish(path, job, began);
    }
    return NULL;
}

/* ---- the loop's side ------------------------------------------------------------------------- */

static struct path *path_of(struct copier *copier, const struct dyno_transfer *transfer)
{
    const struct dyno_copier_config *config = &copier->config;
    uint32_t path = config->path ? config->path(config->context, transfer->from, transfer->to) : 0;

    assert(path < config->path_count);
    return &copier->paths[path];
}

/* Of single layers. */
static struct path *layer_path_of(struct copier *copier, const struct dyno_transfer *transfer)
{
    const struct dyno_copier_config *config = &copier->config;

    assert(config->layer_path_count > 0);
    return &copier->paths[config->path_count + transfer->from % config->layer_path_count];
}

static void free_job(struct job *job)
{
    free(job->names);
    free(job);
}

static struct job *make_job(const struct dyno_transfer *transfer, dyno_ns now)
{
    struct job *job = malloc(sizeof *job + 2 * (size_t)transfer->blocks * sizeof job->blocks[0]);

    if (!job) {
        return NULL;
    }
    *job = (struct job){.transfer = *transfer,
                        .bytes = transfer->blocks * transfer->block_bytes,
                        .submitted_at = now,
                        .at = now};
    if (transfer->blocks > 0) {
        size_t size = transfer->blocks * sizeof job->blocks[0];

        memcpy(job->blocks, transfer->from_blocks, size);
        memcpy(job->blocks + transfer->blocks, transfer->to_blocks, size);
    }
    job->transfer.from_blocks = job->blocks;
    job->transfer.to_blocks = job->blocks + transfer->blocks;
    if (transfer->names && transfer->blocks > 0) {
        size_t size = transfer->blocks * sizeof *job->names;

        job->transfer.names = job->names = malloc(size);
        if (!job->names) {
            free(job);
            return NULL;
        }
        memcpy(job->names, transfer->names, size);
    }
    return job;
}

static dyno_status copier_submit(struct dyno_links *links, dyno_ns now,
                                 const struct dyno_transfer *transfer)
{
    struct copier *copier = copier_of(links);
    struct path *path =
        is_layers(transfer) ? layer_path_of(copier, transfer) : path_of(copier, transfer);
    struct job *job;

    assert(transfer->blocks == 0 || (transfer->from_blocks && transfer->to_blocks));
    job = make_job(transfer, now);
    if (!job) {
        return DYNO_NO_MEMORY;
    }
    if (is_layers(transfer)) {
        job->pass = copier->config.pass_of(copier->config.context, transfer->from);
    }
    pthread_mutex_lock(&copier->lock);
    if (transfer->blocks == 0) { /* only word that nothing needs to be moved */
        arrive(copier, job);
    } else {
        job->was_idle = !path->first;
        if (path->first) {
            path->last->next = job;
        } else {
            path->first = job;
        }
        path->last = job;
        path->bytes_ahead += job->bytes;
        pthread_cond_signal(&path->queued);
    }
    pthread_mutex_unlock(&copier->lock);
    return DYNO_OK;
}

static bool copier_reap(struct dyno_links *links, dyno_ns now, struct dyno_arrival *out)
{
    struct copier *copier = copier_of(links);
    struct job *job;

    pthread_mutex_lock(&copier->lock);
    job = copier->arrived;
    if (job && job->at <= now) {
        copier->arrived = job->next;
    } else {
        job = NULL;
    }
    pthread_mutex_unlock(&copier->lock);
    if (!job) {
        return false;
    }
    *out = (struct dyno_arrival){.id = job->transfer.id, .at = job->at, .lost = job->lost};
    free_job(job);
    return true;
}

/* Under the lock: take it out of the list, if it is there. */
static bool unlink_job(struct job **list, uint64_t id)
{
    while (*list && (*list)->transfer.id != id) {
        list = &(*list)->next;
    }
    if (*list) {
        struct job *job = *list;

        *list = job->next;
        free_job(job);
        return true;
    }
    return false;
}

/* Under the lock: one that is being copied is waited for, so that nothing is written to its blocks
 * when they are somebody else's. */
static bool drop_queued(struct copier *copier, struct path *path, uint64_t id)
{
    while (path->first && path->first->transfer.id == id) {
        pthread_cond_wait(&path->done, &copier->lock);
    }
    for (struct job *before = path->first; before && before->next; before = before->next) {
        if (before->next->transfer.id == id) {
            path->bytes_ahead -= before->next->bytes;
            path->last = path->last == before->next ? before : path->last;
            return unlink_job(&before->next, id);
        }
    }
    return false;
}

static bool copier_drop(struct dyno_links *links, dyno_ns now, uint64_t id)
{
    struct copier *copier = copier_of(links);
    bool was_there = false;

    (void)now;
    pthread_mutex_lock(&copier->lock);
    for (uint32_t i = 0; i < copier->path_count && !was_there; i++) {
        was_there = drop_queued(copier, &copier->paths[i], id);
    }
    was_there = was_there || unlink_job(&copier->arrived, id);
    pthread_mutex_unlock(&copier->lock);
    return was_there;
}

/* What is learned counts half as much with every while in which nothing was. */
static double faded(double learned, double first, uint32_t whiles)
{
    return whiles < 64 ? first + ldexp(learned - first, -(int)whiles) : first;
}

static struct dyno_copier_speed speed_of(struct copier *copier, const struct path *path)
{
    const struct dyno_copier_speed *first = &copier->config.speeds[path - copier->paths];
    dyno_ns now = copier->config.now(copier->config.clock);
    uint64_t whiles =
        path->first || now < path->learned_at ? 0 : (now - path->learned_at) / while_ns;
    uint32_t count = whiles < 64 ? (uint32_t)whiles : 64;

    return (struct dyno_copier_speed){
        .ns_per_byte = faded(path->speed.ns_per_byte, first->ns_per_byte, count),
        .latency_ns = faded(path->speed.latency_ns, first->latency_ns, count)};
}

static dyno_ns copier_predict(const struct dyno_links *links, const struct dyno_transfer *transfer)
{
    struct copier *copier = copier_of(links);
    const struct path *path = path_of(copier, transfer);
    struct dyno_copier_speed speed;
    double bytes, ns;

    pthread_mutex_lock(&copier->lock);
    bytes = (double)path->bytes_ahead + (double)transfer->blocks * (double)transfer->block_bytes;
    speed = speed_of(copier, path);
    ns = speed.latency_ns + bytes * speed.ns_per_byte;
    pthread_mutex_unlock(&copier->lock);
    return ns < 1e18 ? (dyno_ns)ns : (dyno_ns)1e18;
}

static dyno_ns copier_next(const struct dyno_links *links)
{
    struct copier *copier = copier_of(links);
    dyno_ns next;

    pthread_mutex_lock(&copier->lock);
    next = copier->arrived ? copier->arrived->at : DYNO_NEVER;
    pthread_mutex_unlock(&copier->lock);
    return next;
}

void dyno_copier_settle(struct dyno_links *links)
{
    struct copier *copier = copier_of(links);

    pthread_mutex_lock(&copier->lock);
    for (uint32_t i = 0; i < copier->path_count; i++) {
        while (copier->paths[i].first) {
            pthread_cond_wait(&copier->paths[i].done, &copier->lock);
        }
    }
    pthread_mutex_unlock(&copier->lock);
}

struct dyno_copier_speed dyno_copier_speed(const struct dyno_links *links, uint32_t path)
{
    struct copier *copier = copier_of(links);
    struct dyno_copier_speed speed;

    pthread_mutex_lock(&copier->lock);
    speed = copier->paths[path].speed;
    pthread_mutex_unlock(&copier->lock);
    return speed;
}

/* ---- open and close -------------------------------------------------------------------------- */

static void copier_close(struct dyno_links *links)
{
    struct copier *copier = copier_of(links);

    pthread_mutex_lock(&copier->lock);
    copier->ending = true;
    for (uint32_t i = 0; i < copier->path_count; i++) {
        pthread_cond_signal(&copier->paths[i].queued);
    }
    pthread_mutex_unlock(&copier->lock);
    for (uint32_t i = 0; i < copier->path_count; i++) {
        if (copier->paths[i].started) {
            pthread_join(copier->paths[i].thread, NULL);
        }
        pthread_cond_destroy(&copier->paths[i].queued);
        pthread_cond_destroy(&copier->paths[i].done);
    }
    if (copier->owns_context && copier->config.release) {
        copier->config.release(copier->config.context);
    }
    while (copier->arrived) {
        struct job *job = copier->arrived;

        copier->arrived = job->next;
        free_job(job);
    }
    pthread_mutex_destroy(&copier->lock);
    free(copier);
}

static const struct dyno_links_ops copier_ops = {
    .name = "copier",
    .submit = copier_submit,
    .reap = copier_reap,
    .drop = copier_drop,
    .predict = copier_predict,
    .next = copier_next,
    .close = copier_close,
};

dyno_status dyno_copier_open(struct dyno_links **out, const struct dyno_copier_config *config,
                             struct dyno_error *error)
{
    struct copier *copier = calloc(1, sizeof *copier);

    assert(config->path_count >= 1 && config->path_count <= DYNO_COPIER_PATHS_MAX);
    assert(config->layer_path_count <= DYNO_COPIER_LAYER_PATHS_MAX &&
           (config->layer_path_count > 0) == (config->copy_layers && config->pass_of));
    if (!copier) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for links between workers");
    }
    copier->base.ops = &copier_ops;
    copier->config = *config;
    pthread_mutex_init(&copier->lock, NULL);
    copier->base.moves_layers = config->layer_path_count > 0;
    copier->path_count = config->path_count + config->layer_path_count;
    for (uint32_t i = 0; i < copier->path_count; i++) {
        pthread_cond_init(&copier->paths[i].queued, NULL);
        pthread_cond_init(&copier->paths[i].done, NULL);
        copier->paths[i].copier = copier;
        copier->paths[i].speed =
            i < config->path_count ? config->speeds[i] : (struct dyno_copier_speed){0};
    }
    for (uint32_t i = 0; i < copier->path_count; i++) {
        if (pthread_create(&copier->paths[i].thread, NULL, run, &copier->paths[i]) != 0) {
            copier_close(&copier->base);
            return dyno_fail(error, DYNO_IO, "the threads that copy KV blocks cannot be started");
        }
        copier->paths[i].started = true;
    }
    copier->owns_context = true;
    *out = &copier->base;
    return DYNO_OK;
}
