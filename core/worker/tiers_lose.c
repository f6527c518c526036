/* What is on its way to and from tiers when a run is given up, or a worker stops or is lost. */
#include <assert.h>

#include "core/worker/tiers_parts.h"

enum { HOST_LEVEL = 2 };

/* A cache of which a move has taken, not filled, blocks [from, to), and holds what is before. */
static void give_up(struct dyno_kv_cache *cache, const struct dyno_move *move, uint32_t end)
{
    dyno_move_place_leave(move, end, cache, move->from);
    dyno_kv_drop(cache, move->to - move->from);
    dyno_kv_let_go(cache, dyno_move_links(move, end), move->link_count, move->from);
}

static void abandon_store(struct dyno_tiers *tiers, const struct dyno_move *move)
{
    struct dyno_kv_cache *source =
        move->source == DYNO_FROM_GPU
            ? &move->local->workers[move->worker].cache
            : dyno_tier_cache(tiers, move->source, move->local, move->worker);

    give_up(dyno_tier_cache(tiers, move->tier, move->local, move->worker), move, 1);
    dyno_move_place_leave(move, 0, source, move->to);
    dyno_kv_let_go(source, dyno_move_links(move, 0), move->link_count, move->to);
}

static void abandon_onboard(struct dyno_tiers *tiers, uint32_t index)
{
    struct dyno_move *move = dyno_move_at(tiers, index);

    if (move->is_awaited[DYNO_FROM_GPU]) {
        dyno_peers_forget(move->local, index);
        dyno_peer_leave(tiers, move);
    }
    for (uint32_t i = 0; i < tiers->config.tier_count; i++) {
        struct dyno_kv_cache *pool = dyno_tier_cache(tiers, i, move->local, move->worker);

        if (move->is_awaited[i]) {
            dyno_move_place_leave(move, 1 + i, pool, move->part_to[i]);
            dyno_kv_let_go(pool, dyno_move_links(move, 1 + i), move->link_count, move->part_to[i]);
        }
    }
    give_up(&move->local->workers[move->worker].cache, move, 0);
}

void dyno_move_abandon(struct dyno_tiers *tiers, uint32_t index)
{
    const struct dyno_move *move = dyno_move_at(tiers, index);
    struct dyno_local *local = move->local;
    bool is_pull = move->is_awaited[DYNO_FROM_GPU];

    if (move->is_onboard) {
        abandon_onboard(tiers, index);
    } else {
        abandon_store(tiers, move);
    }
    dyno_move_free(tiers, index);
    if (is_pull) {
        dyno_peers_over(local);
    }
}

/* ---- the run is given up --------------------------------------------------------------------- */

void dyno_tiers_abandon(struct dyno_local *local)
{
    struct dyno_tiers *tiers = local->config.tiers;

    for (uint32_t i = 0; i < tiers->moves.used; i++) {
        const struct dyno_move *move = dyno_move_at(tiers, i);

        if (move->is_alive && move->local == local) {
            dyno_move_abandon(tiers, i);
        }
    }
    for (uint32_t i = 0; i < local->config.worker_count; i++) {
        local->workers[i].moves_on_way = 0;
        local->workers[i].blocks_storing = 0;
    }
}

/* ---- a worker stops -------------------------------------------------------------------------- */

/* Host memory that one worker has for itself is its process's, and goes with it. */
static bool is_gone(const struct dyno_tiers *tiers, uint32_t tier, const struct dyno_local *local,
                    uint32_t worker)
{
    return tiers->config.tiers[tier].level == HOST_LEVEL &&
           tiers->users[tier][dyno_tier_pool(tiers, tier, local, worker)] == 1;
}

bool dyno_tiers_is_at_rest(const struct dyno_local *local, uint32_t worker)
{
    const struct dyno_tiers *tiers = local->config.tiers;

    for (uint32_t i = 0; i < tiers->config.tier_count; i++) {
        const struct dyno_kv_cache *pool = dyno_tier_cache(tiers, i, local, worker);

        if (pool->own + pool->shared > 0 && is_gone(tiers, i, local, worker)) {
            return false;
        }
    }
    return true;
}

void dyno_tiers_stop(struct dyno_local *local, uint32_t worker, dyno_ns now)
{
    struct dyno_tiers *tiers = local->config.tiers;

    for (uint32_t i = 0; i < tiers->config.tier_count; i++) {
        if (is_gone(tiers, i, local, worker)) {
            struct dyno_kv_cache *pool = dyno_tier_cache(tiers, i, local, worker);

            assert(pool->own + pool->shared == 0);
            dyno_kv_forget_idle(pool, now);
        }
    }
}

/* ---- a worker is lost ------------------------------------------------------------------------ */

/* A move between tiers goes on without the worker, if both are there. */
static bool goes_on(const struct dyno_tiers *tiers, const struct dyno_move *move)
{
    return !move->is_onboard && move->source != DYNO_FROM_GPU &&
           !is_gone(tiers, move->source, move->local, move->worker) &&
           !is_gone(tiers, move->tier, move->local, move->worker);
}

static void drop(struct dyno_tiers *tiers, uint32_t index, uint32_t source, dyno_ns now)
{
    uint64_t id = dyno_move_at(tiers, index)->ids[source];

    tiers->on_way--;
    dyno_pool_give(&tiers->parts, dyno_move_part_of(id));
    (void)tiers->config.links->ops->drop(tiers->config.links, now, id);
}

static void drop_all(struct dyno_tiers *tiers, uint32_t index, dyno_ns now)
{
    const struct dyno_move *move = dyno_move_at(tiers, index);

    if (!move->is_onboard) {
        drop(tiers, index, move->tier, now);
        return;
    }
    for (uint32_t i = 0; i < tiers->config.tier_count; i++) {
        if (move->is_awaited[i]) {
            drop(tiers, index, i, now);
        }
    }
    if (move->is_awaited[DYNO_FROM_GPU] && move->is_peer_asked) {
        drop(tiers, index, DYNO_FROM_GPU, now);
        dyno_peer_left(tiers, dyno_move_at(tiers, index), now);
    }
}

dyno_status dyno_pull_give_up(struct dyno_tiers *tiers, uint32_t index, dyno_ns now)
{
    struct dyno_move *move = dyno_move_at(tiers, index);

    if (move->is_peer_asked) {
        drop(tiers, index, DYNO_FROM_GPU, now);
    } else {
        dyno_peers_forget(move->local, index);
    }
    return dyno_onboard_arrived(tiers, index, DYNO_FROM_GPU,
                                dyno_onboard_blocks(tiers, move, DYNO_FROM_GPU), now);
}

dyno_status dyno_tiers_lose(struct dyno_local *local, uint32_t worker, dyno_ns now)
{
    struct dyno_tiers *tiers = local->config.tiers;

    for (uint32_t i = 0; i < tiers->moves.used; i++) {
        const struct dyno_move *move = dyno_move_at(tiers, i);

        if (move->is_alive && move->local == local && move->worker == worker &&
            !goes_on(tiers, move)) {
            drop_all(tiers, i, now);
            dyno_move_abandon(tiers, i);
        } else if (move->is_alive && move->local == local && move->is_onboard &&
                   move->is_awaited[DYNO_FROM_GPU] && move->peer == worker) {
            DYNO_TRY(dyno_pull_give_up(tiers, i, now));
        }
    }
    dyno_tiers_stop(local, worker, now);
    local->workers[worker].moves_on_way = 0;
    local->workers[worker].blocks_storing = 0;
    return DYNO_OK;
}
