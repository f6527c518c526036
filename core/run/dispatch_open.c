/* Dispatch: from a configuration to empty books, and back. */
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/run/dispatch_parts.h"
#include "core/run/dispatch_routers.h"

static dyno_status check_config(const struct dyno_dispatch_config *config, struct dyno_error *error)
{
    if (config->worker_count == 0 || config->block_tokens == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "routing needs at least one worker and a block of at least one token, "
                         "not %u workers and %u tokens",
                         config->worker_count, config->block_tokens);
    }
    if (!(config->event_loss >= 0.0 && config->event_loss <= 1.0)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "router.event_loss is %g, but a probability is from 0 to 1",
                         config->event_loss);
    }
    return DYNO_OK;
}

static void *array(uint32_t count, size_t item_bytes, bool *failed)
{
    void *items = calloc(count, item_bytes);

    *failed |= !items;
    return items;
}

static bool has_thresholds(const struct dyno_dispatch_busy *busy)
{
    return busy->inflight > 0 || busy->prefill_tokens > 0 || busy->blocks > 0;
}

static dyno_status open_arrays(struct dyno_dispatch *d, uint32_t workers)
{
    bool failed = false;

    d->eligible = array(workers, sizeof *d->eligible, &failed);
    d->inflight = array(workers, sizeof *d->inflight, &failed);
    d->prefill_tokens = array(workers, sizeof *d->prefill_tokens, &failed);
    d->active_blocks = array(workers, sizeof *d->active_blocks, &failed);
    d->overlap = array(workers, sizeof *d->overlap, &failed);
    d->active_overlap = array(workers, sizeof *d->active_overlap, &failed);
    d->touched = array(workers, sizeof *d->touched, &failed);
    d->active_touched = array(workers, sizeof *d->active_touched, &failed);
    d->events_told = array(workers, sizeof *d->events_told, &failed);
    d->costs = array(workers, sizeof *d->costs, &failed);
    d->scores = array(workers, sizeof *d->scores, &failed);
    d->candidates = array(workers, sizeof *d->candidates, &failed);
    d->open = d->eligible;
    if (has_thresholds(&d->config.busy)) {
        d->open = array(workers, sizeof *d->open, &failed);
        d->is_watched = true;
    }
    if (failed) {
        return DYNO_NO_MEMORY;
    }
    memset(d->eligible, 1, workers);
    memset(d->open, 1, workers);
    d->eligible_count = d->open_count = workers;
    d->view = (struct dyno_route_view){
        .worker_count = workers,
        .block_tokens = d->config.block_tokens,
        .eligible = d->open,
        .inflight = d->inflight,
        .prefill_tokens = d->prefill_tokens,
        .active_blocks = d->active_blocks,
        .overlap_blocks = d->overlap,
        .active_overlap_blocks = d->active_overlap,
    };
    return DYNO_OK;
}

static dyno_status open_books(struct dyno_dispatch *d)
{
    const struct dyno_dispatch_config *config = &d->config;
    struct dyno_rng rng;

    dyno_rng_init(&d->dice.rng, config->seed, "router");
    dyno_rng_init(&rng, config->seed, "router.event_loss");
    d->loss_seed = dyno_rng_u64(&rng);
    d->guesses = config->policy->needs & DYNO_ROUTE_NEEDS_GUESSED;
    d->wants_events = !d->guesses && (config->policy->needs & DYNO_ROUTE_NEEDS_OVERLAP);
    d->wants_active =
        config->busy.blocks > 0 || (config->policy->needs & DYNO_ROUTE_NEEDS_ACTIVE) != 0;
    dyno_pool_init(&d->bookings, sizeof(struct dyno_booking));
    dyno_guess_init(&d->guess, config->guess_ttl_ns, config->guess_blocks_max);
    DYNO_TRY(open_arrays(d, config->worker_count));
    if (d->wants_events || d->guesses) {
        DYNO_TRY(dyno_kv_index_open(&d->index, config->worker_count));
    }
    DYNO_TRY(dyno_mail_init(&d->mail, config->worker_count, config->event_delay_ns));
    return dyno_active_init(&d->active, config->worker_count);
}

static dyno_status open_policy(struct dyno_dispatch *d, struct dyno_error *error)
{
    const struct dyno_route_policy *policy = d->config.policy;

    if (!d->config.route.args) {
        d->config.route.args = "";
    }
    if (policy->open &&
        policy->open(&d->policy_state, &d->config.route, d->config.worker_count) != 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "routing policy %s does not start with %u workers: its options or "
                         "router.args '%s' do not fit it, or memory is out",
                         policy->name, d->config.worker_count, d->config.route.args);
    }
    d->policy = policy; /* from now on it must be closed */
    return DYNO_OK;
}

static dyno_status open_one(struct dyno_dispatch **out, const struct dyno_dispatch_config *config,
                            struct dyno_error *error)
{
    struct dyno_dispatch *d;
    dyno_status status = check_config(config, error);

    if (status != DYNO_OK) {
        return status;
    }
    d = calloc(1, sizeof *d);
    if (!d) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for routing");
    }
    d->config = *config;
    status = open_books(d);
    if (status != DYNO_OK) {
        dyno_fail(error, status, "no memory for routing among %u workers", config->worker_count);
    } else {
        status = open_policy(d, error);
    }
    if (status != DYNO_OK) {
        dyno_dispatch_close(d);
        return status;
    }
    *out = d;
    return DYNO_OK;
}

/* Of the exact books: it is never asked. */
static const struct dyno_route_policy asks_routers = {
    .abi = DYNO_ROUTE_ABI, .name = "routers", .help = "one of several routers decides"};

dyno_status dyno_dispatch_open(struct dyno_dispatch **out,
                               const struct dyno_dispatch_config *config, struct dyno_error *error)
{
    struct dyno_dispatch_config books = *config;
    struct dyno_routers *routers = NULL;
    dyno_status status;

    if (config->router_count <= 1) {
        return open_one(out, config, error);
    }
    DYNO_TRY(check_config(config, error));
    DYNO_TRY(dyno_routers_open(&routers, config, error));
    books.policy = &asks_routers;
    status = open_one(out, &books, error);
    if (status != DYNO_OK) {
        dyno_routers_close(routers);
        return status;
    }
    (*out)->routers = routers;
    (*out)->is_watched = true;
    (*out)->wants_events = routers->list[0]->wants_events;
    return DYNO_OK;
}

dyno_status dyno_dispatch_use_tiers(struct dyno_dispatch *dispatch,
                                    const struct dyno_dispatch_tiers *tiers)
{
    for (uint32_t i = 0; dispatch->routers && i < dispatch->routers->count; i++) {
        DYNO_TRY(dyno_dispatch_use_tiers(dispatch->routers->list[i], tiers));
    }
    if (!dispatch->index) {
        return DYNO_OK; /* nobody asks */
    }
    dispatch->tier_credit = calloc(dispatch->config.worker_count, sizeof *dispatch->tier_credit);
    if (!dispatch->tier_credit) {
        return DYNO_NO_MEMORY;
    }
    dispatch->tiers = *tiers;
    dispatch->view.tier_credit = dispatch->tier_credit;
    return DYNO_OK;
}

void dyno_dispatch_close(struct dyno_dispatch *dispatch)
{
    struct dyno_dispatch *d = dispatch;

    if (!d) {
        return;
    }
    if (d->policy && d->policy->close) {
        d->policy->close(d->policy_state);
    }
    dyno_routers_close(d->routers);
    dyno_kv_index_close(d->index);
    dyno_mail_release(&d->mail);
    dyno_guess_release(&d->guess);
    dyno_active_release(&d->active);
    dyno_pool_release(&d->bookings);
    dyno_id_map_release(&d->booking_of);
    dyno_slab_release(&d->refs);
    if (d->open != d->eligible) {
        free(d->open);
    }
    free(d->eligible);
    free(d->inflight);
    free(d->prefill_tokens);
    free(d->active_blocks);
    free(d->overlap);
    free(d->active_overlap);
    free(d->touched);
    free(d->active_touched);
    free(d->events_told);
    free(d->tier_credit);
    free(d->costs);
    free(d->scores);
    free(d->candidates);
    free(d);
}
