/* What a random world has beside its fleet where requests are served in halves. */
#ifndef DYNO_TESTS_SYSTEM_WORLD_HALVES_H
#define DYNO_TESTS_SYSTEM_WORLD_HALVES_H

#include "core/run/prefill_router.h"
#include "core/run/roster.h"
#include "sim/fabric.h"

enum { WORLD_LINKS_MAX = 20 };

/* Prefill workers beside the others, and the links between all of them. */
struct world_halves {
    uint32_t workers; /* 0: none */
    bool same_gpus;   /* as many as the others, which are the same GPUs in another role */
    struct dyno_worker_config worker;
    struct dyno_dispatch_config dispatch;
    const struct dyno_handoff_policy *policy;
    uint32_t policy_tokens;
    dyno_ns deadline_ns, move_deadline_ns;
    uint32_t move_retries;
    enum dyno_handoff_style style;
    uint32_t layers;
    dyno_ns hop_ns;
    uint64_t block_bytes;
    dyno_ns overhead_ns;
    struct dyno_fabric_link links[WORLD_LINKS_MAX]; /* of each worker: out and in */
};

/* Out of one worker and into the other. */
static inline uint32_t world_path(const void *context, uint32_t from, uint32_t to,
                                  uint32_t path[DYNO_PATH_LINKS_MAX])
{
    (void)context;
    path[0] = 2 * from;
    path[1] = 2 * to + 1;
    return 2;
}

/* What stands beside the fleet where requests are served in halves. */
struct world_other {
    struct dyno_device *device;
    struct dyno_dispatch *dispatch;
    const struct dyno_dispatch *leader; /* of those who decode */
    struct dyno_roster *roster; /* of those who compute prompts, where some of them may die */
    struct dyno_links *links;
};

/* `other` has its device; `shared`: links that are used for something else too, or NULL. */
static inline struct dyno_workers *world_open_halves(const struct world_halves *halves,
                                                     const struct dyno_local_config *decode,
                                                     struct dyno_links *shared,
                                                     struct world_other *other)
{
    struct dyno_workers *workers = NULL;
    struct dyno_error error = {0};
    struct dyno_handoff_config config = {.decode = *decode,
                                         .prefill = *decode,
                                         .listener = decode->listener,
                                         .block_bytes = halves->block_bytes,
                                         .policy = halves->policy,
                                         .policy_tokens = halves->policy_tokens,
                                         .deadline_ns = halves->deadline_ns,
                                         .move_deadline_ns = halves->move_deadline_ns,
                                         .move_retries = halves->move_retries,
                                         .style = halves->style,
                                         .layers = halves->layers,
                                         .hop_ns = halves->hop_ns};

    if (!other->dispatch) {
        ck_assert_int_eq(dyno_dispatch_open(&other->dispatch, &halves->dispatch, &error), DYNO_OK);
    }
    dyno_dispatch_follow(other->dispatch, other->leader);
    ck_assert_int_eq(
        dyno_fabric_open(
            &other->links,
            &(struct dyno_fabric_config){.links = halves->links,
                                         .link_count = 2 * (halves->workers + decode->worker_count),
                                         .path = world_path,
                                         .overhead_ns = halves->overhead_ns}),
        DYNO_OK);
    config.prefill.worker = halves->worker;
    config.prefill.worker.steps_max = decode->worker.steps_max;
    config.prefill.worker_count = halves->workers;
    config.prefill.device = other->device;
    config.router = dyno_prefill_router(other->dispatch);
    config.prefill.endpoint = decode->worker_count;
    config.prefill.first_place = halves->same_gpus ? 0 : decode->worker_count;
    config.same_gpus = halves->same_gpus;
    config.links = shared ? shared : other->links;
    ck_assert_msg(dyno_handoff_open(&workers, &config, &error) == DYNO_OK, "%s", error.text);
    return workers;
}

static inline void world_close_halves(const struct world_other *other)
{
    if (!other->device) {
        return;
    }
    other->device->ops->close(other->device);
    other->links->ops->close(other->links);
    dyno_roster_close(other->roster);
    dyno_dispatch_close(other->dispatch);
}

#endif
