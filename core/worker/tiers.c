/* Pools, moves between them, and what arrives. */
#include "core/worker/tiers.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/worker/tiers_parts.h"

/* ---- moves ----------------------------------------------------------------------------------- */

static size_t links_bytes(uint32_t link_count, uint32_t ends)
{
    return (size_t)link_count * ends * sizeof(struct dyno_kv_link);
}

dyno_status dyno_move_make(struct dyno_tiers *tiers, struct dyno_local *local, uint32_t worker,
                           const struct dyno_kv_link *links, uint32_t link_count, uint32_t ends,
                           uint32_t *out)
{
    struct dyno_move *move;

    *out = dyno_pool_take(&tiers->moves);
    if (*out == DYNO_POOL_NONE) {
        return DYNO_NO_MEMORY;
    }
    move = dyno_move_at(tiers, *out);
    *move = (struct dyno_move){.local = local,
                               .worker = worker,
                               .is_alive = true,
                               .link_count = link_count,
                               .ends = ends,
                               .seq = DYNO_NO_SEQ};
    move->links = dyno_slab_take(&tiers->slab, links_bytes(link_count, ends));
    if (!move->links) {
        return DYNO_NO_MEMORY;
    }
    for (uint32_t i = 0; i < ends; i++) {
        memcpy(dyno_move_links(move, i), links, links_bytes(link_count, 1));
    }
    return DYNO_OK;
}

void dyno_move_free(struct dyno_tiers *tiers, uint32_t index)
{
    struct dyno_move *move = dyno_move_at(tiers, index);

    dyno_slab_give(&tiers->slab, move->links, links_bytes(move->link_count, move->ends));
    move->is_alive = false;
    dyno_pool_give(&tiers->moves, index);
}

dyno_status dyno_move_send(struct dyno_tiers *tiers, dyno_ns now, uint32_t move, uint32_t source,
                           struct dyno_transfer transfer)
{
    uint32_t part = dyno_pool_take(&tiers->parts);
    uint64_t id = tiers->sent++ << DYNO_MOVE_PART_BITS | part;

    if (part >= 1U << DYNO_MOVE_PART_BITS) { /* or DYNO_POOL_NONE */
        return DYNO_NO_MEMORY;
    }
    *(struct dyno_move_part *)dyno_pool_at(&tiers->parts, part) =
        (struct dyno_move_part){.move = move, .source = source};
    tiers->on_way++;
    dyno_move_at(tiers, move)->ids[source] = id;
    transfer.id = id;
    transfer.block_bytes = tiers->config.block_bytes;
    return tiers->config.links->ops->submit(tiers->config.links, now, &transfer);
}

void dyno_move_left(struct dyno_local *local, uint32_t index, dyno_ns now, bool freed)
{
    struct dyno_worker *worker = &local->workers[index];

    worker->shrunk = worker->shrunk || freed;
    if (freed || !worker->busy) { /* who waits alone fits when nobody else holds anything */
        dyno_local_touch(local, index, now);
    }
}

static dyno_status arrive(struct dyno_tiers *tiers, const struct dyno_arrival *arrival, dyno_ns now)
{
    uint32_t place = dyno_move_part_of(arrival->id);
    struct dyno_move_part part = *(struct dyno_move_part *)dyno_pool_at(&tiers->parts, place);

    tiers->on_way--;
    dyno_pool_give(&tiers->parts, place);
    return dyno_move_at(tiers, part.move)->is_onboard
               ? dyno_onboard_arrived(tiers, part.move, part.source, arrival->lost, now)
               : dyno_store_arrived(tiers, part.move, arrival->lost, now);
}

dyno_status dyno_tiers_settle(struct dyno_local *local, dyno_ns now, bool *any)
{
    struct dyno_tiers *tiers = local->config.tiers;
    struct dyno_links *links = tiers->config.links;
    struct dyno_arrival arrival;

    *any = false;
    while (dyno_links_reap(links, now, &arrival)) {
        DYNO_TRY(arrive(tiers, &arrival, now));
        *any = true;
    }
    return DYNO_OK;
}

/* ---- open, close, books ---------------------------------------------------------------------- */

static void told_resident(void *context, dyno_ns at, uint64_t span, bool held)
{
    const struct dyno_tier_ear *ear = context;
    const struct dyno_worker_listener *listener = &ear->tiers->config.listener;

    listener->kv_resident(listener->context, at, span, held);
}

static dyno_status open_pools(struct dyno_tiers *tiers, uint32_t tier)
{
    const struct dyno_tier_config *config = &tiers->config.tiers[tier];

    tiers->pools[tier] = calloc(config->pool_count, sizeof *tiers->pools[tier]);
    tiers->found[tier] = calloc(config->pool_count, sizeof *tiers->found[tier]);
    if (!tiers->pools[tier] || !tiers->found[tier]) {
        return DYNO_NO_MEMORY;
    }
    tiers->ears[tier] = (struct dyno_tier_ear){.tiers = tiers, .tier = tier};
    tiers->ears[tier].listener.context = &tiers->ears[tier];
    tiers->ears[tier].listener.resident = tiers->config.listener.kv_resident ? told_resident : NULL;
    DYNO_TRY(dyno_tier_wide_open(tiers, tier));
    for (uint32_t i = 0; i < config->pool_count; i++) {
        DYNO_TRY(dyno_kv_cache_init(&tiers->pools[tier][i], i, config->pool_blocks,
                                    &tiers->ears[tier].listener));
        if (config->evict) {
            dyno_kv_cache_rank_by(&tiers->pools[tier][i], config->evict);
        }
        if (tiers->config.stores_kv) {
            DYNO_TRY(dyno_kv_places_open(&tiers->pools[tier][i].places, config->pool_blocks, 0));
        }
    }
    return DYNO_OK;
}

static dyno_status open_sketches(struct dyno_tiers *tiers, uint32_t tier)
{
    const struct dyno_tier_config *config = &tiers->config.tiers[tier];

    if (!config->store || !config->store->counts) {
        return DYNO_OK;
    }
    tiers->sketches[tier] = calloc(config->pool_count, sizeof *tiers->sketches[tier]);
    if (!tiers->sketches[tier]) {
        return DYNO_NO_MEMORY;
    }
    for (uint32_t i = 0; i < config->pool_count; i++) {
        DYNO_TRY(dyno_kv_sketch_init(&tiers->sketches[tier][i], config->pool_blocks));
    }
    return DYNO_OK;
}

/* Copies of the configuration's arrays, and how many workers each pool has. */
static dyno_status keep_numbers(struct dyno_tiers *tiers)
{
    size_t count = 1 + (size_t)tiers->config.place_count;
    uint32_t *to;

    for (uint32_t i = 0; i < tiers->config.tier_count; i++) {
        count += tiers->config.place_count + (size_t)2 * tiers->config.tiers[i].pool_count;
    }
    to = tiers->numbers = calloc(count, sizeof *to);
    if (!to) {
        return DYNO_NO_MEMORY;
    }
    for (uint32_t i = 0; i < tiers->config.tier_count; i++) {
        struct dyno_tier_config *tier = &tiers->config.tiers[i];

        memcpy(to, tier->pool_of, tiers->config.place_count * sizeof *to);
        tier->pool_of = to;
        to += tiers->config.place_count;
        memcpy(to, tier->endpoint_of, tier->pool_count * sizeof *to);
        tier->endpoint_of = to;
        to += tier->pool_count;
        tiers->users[i] = to;
        to += tier->pool_count;
        for (uint32_t j = 0; j < tiers->config.place_count; j++) {
            tiers->users[i][tier->pool_of[j]]++;
        }
    }
    tiers->ends = to;
    return DYNO_OK;
}

dyno_status dyno_tiers_open(struct dyno_tiers **out, const struct dyno_tiers_config *config)
{
    struct dyno_tiers *tiers = calloc(1, sizeof *tiers);
    dyno_status status;

    if (!tiers) {
        return DYNO_NO_MEMORY;
    }
    tiers->config = *config;
    dyno_pool_init(&tiers->moves, sizeof(struct dyno_move));
    dyno_pool_init(&tiers->parts, sizeof(struct dyno_move_part));
    status = keep_numbers(tiers);
    for (uint32_t i = 0; status == DYNO_OK && i < config->tier_count; i++) {
        status = open_pools(tiers, i);
        if (status == DYNO_OK) {
            status = open_sketches(tiers, i);
        }
    }
    if (status != DYNO_OK) {
        dyno_tiers_close(tiers);
        return status;
    }
    *out = tiers;
    return DYNO_OK;
}

void dyno_tiers_close(struct dyno_tiers *tiers)
{
    if (!tiers) {
        return;
    }
    for (uint32_t i = 0; i < tiers->config.tier_count; i++) {
        for (uint32_t j = 0; tiers->pools[i] && j < tiers->config.tiers[i].pool_count; j++) {
            dyno_kv_places_close(tiers->pools[i][j].places);
            dyno_kv_cache_release(&tiers->pools[i][j]);
        }
        for (uint32_t j = 0; tiers->sketches[i] && j < tiers->config.tiers[i].pool_count; j++) {
            dyno_kv_sketch_release(&tiers->sketches[i][j]);
        }
        free(tiers->pools[i]);
        free(tiers->sketches[i]);
        free(tiers->found[i]);
        dyno_tier_wide_close(&tiers->wide[i]);
    }
    free(tiers->numbers);
    free(tiers->names);
    dyno_pool_release(&tiers->moves);
    dyno_pool_release(&tiers->parts);
    dyno_slab_release(&tiers->slab);
    free(tiers);
}

bool dyno_tiers_have_peers(const struct dyno_tiers *tiers)
{
    return tiers->config.peers;
}

struct dyno_links *dyno_tiers_links(const struct dyno_tiers *tiers)
{
    return tiers->config.links;
}

void dyno_tiers_sample(const struct dyno_local *local, uint32_t worker,
                       struct dyno_sample_record *out)
{
    const struct dyno_tiers *tiers = local->config.tiers;

    out->tier_count = tiers->config.tier_count;
    for (uint32_t i = 0; i < tiers->config.tier_count; i++) {
        const struct dyno_kv_cache *pool = dyno_tier_cache(tiers, i, local, worker);

        out->tiers[i] = (struct dyno_tier_sample){.level = tiers->config.tiers[i].level,
                                                  .blocks_moving = pool->own + pool->shared,
                                                  .blocks_kept = pool->idle,
                                                  .blocks_total = pool->capacity};
    }
}

/* What came from other workers' GPUs. */
static void count_peers(const struct dyno_tiers *tiers, struct dyno_fleet_totals *totals)
{
    struct dyno_tier_totals *peers = &totals->peers;

    *peers = tiers->totals[DYNO_FROM_GPU];
    peers->level = 1;
    peers->loaded_bytes = tiers->config.block_bytes * peers->loaded_blocks;
    totals->transfers += peers->loads;
    totals->transfer_bytes += (unsigned __int128)tiers->config.block_bytes * peers->loaded_blocks;
    totals->transfer_wait_ns += peers->load_wait_ns;
}

void dyno_tiers_totals(const struct dyno_tiers *tiers, struct dyno_fleet_totals *totals)
{
    totals->tier_count = tiers->config.tier_count;
    totals->tier_block_bytes = tiers->config.block_bytes;
    for (uint32_t i = 0; i < tiers->config.tier_count; i++) {
        const struct dyno_tier_config *config = &tiers->config.tiers[i];
        struct dyno_tier_totals *tier = &totals->tiers[i];

        *tier = tiers->totals[i];
        tier->level = config->level;
        tier->pools = config->pool_count;
        tier->loaded_bytes = tiers->config.block_bytes * tier->loaded_blocks;
        tier->stored_bytes = tiers->config.block_bytes * tier->stored_blocks;
        for (uint32_t j = 0; j < config->pool_count; j++) {
            tier->blocks_total += tiers->pools[i][j].capacity;
            tier->blocks_idle += tiers->pools[i][j].idle;
            tier->evicted_blocks += tiers->pools[i][j].evicted_blocks;
        }
        totals->transfers += tier->loads + tier->stores;
        totals->transfer_bytes += (unsigned __int128)tiers->config.block_bytes *
                                  (tier->loaded_blocks + tier->stored_blocks);
        totals->transfer_wait_ns += tier->load_wait_ns;
    }
    if (tiers->config.peers) {
        count_peers(tiers, totals);
    }
}

void dyno_tiers_check(const struct dyno_tiers *tiers)
{
    for (uint32_t i = 0; i < tiers->config.tier_count; i++) {
        for (uint32_t j = 0; j < tiers->config.tiers[i].pool_count; j++) {
            const struct dyno_kv_cache *pool = &tiers->pools[i][j];

            dyno_kv_cache_check(pool);
            if (pool->places) {
                dyno_kv_places_check(pool->places, pool);
            }
            assert(tiers->on_way > 0 || pool->own + pool->shared == 0);
            (void)pool;
        }
    }
}
