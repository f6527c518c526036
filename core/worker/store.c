/* Copies of computed prompts go down, tier by tier. */
#include "core/worker/tiers_parts.h"

static struct dyno_kv_cache *source_of(const struct dyno_tiers *tiers, const struct dyno_move *move)
{
    return move->source == DYNO_FROM_GPU
               ? &move->local->workers[move->worker].cache
               : dyno_tier_cache(tiers, move->source, move->local, move->worker);
}

static uint32_t endpoint_of(const struct dyno_tiers *tiers, const struct dyno_move *move,
                            uint32_t tier)
{
    return tier == DYNO_FROM_GPU
               ? move->local->config.endpoint + move->worker
               : tiers->config.tiers[tier]
                     .endpoint_of[dyno_tier_pool(tiers, tier, move->local, move->worker)];
}

/* Both ends hold, the destination takes, and the blocks leave. */
static dyno_status send(struct dyno_tiers *tiers, uint32_t index, dyno_ns now)
{
    struct dyno_move *move = dyno_move_at(tiers, index);
    struct dyno_kv_cache *source = source_of(tiers, move);
    struct dyno_kv_cache *to = dyno_tier_cache(tiers, move->tier, move->local, move->worker);
    uint32_t idle;

    move->started_at = now;
    (void)dyno_kv_find(source, dyno_move_links(move, 0), move->link_count, move->to, &idle);
    DYNO_TRY(dyno_kv_hold(source, dyno_move_links(move, 0), move->to));
    DYNO_TRY(dyno_kv_hold(to, dyno_move_links(move, 1), move->from));
    dyno_kv_take(to, move->to - move->from, now);
    if (move->source == DYNO_FROM_GPU) {
        move->local->workers[move->worker].moves_on_way++;
    }
    return dyno_move_send(tiers, now, index, move->tier, endpoint_of(tiers, move, move->source),
                          endpoint_of(tiers, move, move->tier), move->to - move->from);
}

/* What is there already counts as used now. */
static dyno_status touch(struct dyno_kv_cache *cache, struct dyno_kv_link *links,
                         uint32_t link_count, uint32_t blocks)
{
    if (blocks > 0) {
        DYNO_TRY(dyno_kv_hold(cache, links, blocks));
        dyno_kv_let_go(cache, links, link_count, blocks);
    }
    return DYNO_OK;
}

/* The first `blocks` blocks of the chain lie in `source` and are held there: copy what the tier
 * below it lacks, or see to the one below that. */
static dyno_status store(struct dyno_tiers *tiers, struct dyno_local *local, uint32_t worker,
                         const struct dyno_kv_link *links, uint32_t link_count, uint32_t blocks,
                         uint32_t source, dyno_ns now)
{
    uint32_t tier = source == DYNO_FROM_GPU ? 0 : source + 1, index, idle, room, found;
    struct dyno_kv_cache *to;
    struct dyno_move *move;

    for (; tier < tiers->config.tier_count && blocks > 0; source = tier++, blocks = found) {
        DYNO_TRY(dyno_move_make(tiers, local, worker, links, link_count, 2, &index));
        move = dyno_move_at(tiers, index);
        to = dyno_tier_cache(tiers, tier, local, worker);
        found = dyno_kv_find(to, dyno_move_links(move, 1), link_count, blocks, &idle);
        room = dyno_kv_available(to) - idle;
        if (room > blocks - found) {
            room = blocks - found;
        }
        tiers->totals[tier].skipped_blocks += blocks - found - room;
        if (room > 0) {
            move->source = source;
            move->tier = tier;
            move->from = found;
            move->to = found + room;
            return send(tiers, index, now);
        }
        DYNO_TRY(touch(to, dyno_move_links(move, 1), link_count, found));
        dyno_move_free(tiers, index);
    }
    return DYNO_OK;
}

dyno_status dyno_store(struct dyno_local *local, struct dyno_worker *worker, uint32_t index,
                       dyno_ns now)
{
    const struct dyno_seq *seq = &local->seqs[index];
    uint32_t blocks = seq->chain_blocks;

    if (seq->link_count > seq->span_count) { /* what it generated is nobody else's */
        blocks -= seq->links[seq->span_count].blocks;
    }
    if (blocks > seq->held_blocks) {
        blocks = seq->held_blocks;
    }
    return store(local->config.tiers, local, dyno_worker_index(local, worker), seq->links,
                 seq->span_count, blocks, DYNO_FROM_GPU, now);
}

/* The source lets go. */
static void leave(struct dyno_tiers *tiers, const struct dyno_move *move, dyno_ns now)
{
    struct dyno_kv_cache *source = source_of(tiers, move);
    uint32_t idle;

    if (move->source == DYNO_FROM_GPU) {
        dyno_local_sync_worker(move->local, move->worker, now);
    }
    idle = source->idle;
    dyno_kv_let_go(source, dyno_move_links(move, 0), move->link_count, move->to);
    if (move->source == DYNO_FROM_GPU) {
        move->local->workers[move->worker].moves_on_way--;
        dyno_move_left(move, now, source->idle > idle);
    }
}

dyno_status dyno_store_arrived(struct dyno_tiers *tiers, uint32_t index, dyno_ns now)
{
    struct dyno_move *move = dyno_move_at(tiers, index);
    struct dyno_tier_totals *totals = &tiers->totals[move->tier];
    struct dyno_kv_cache *to = dyno_tier_cache(tiers, move->tier, move->local, move->worker);

    totals->stores++;
    totals->stored_blocks += move->to - move->from;
    totals->store_wait_ns += now - move->started_at;
    DYNO_TRY(
        dyno_kv_seal(to, dyno_move_links(move, 1), move->link_count, 0, move->from, move->to, now));
    DYNO_TRY(store(tiers, move->local, move->worker, dyno_move_links(move, 1), move->link_count,
                   move->to, move->tier, now));
    move = dyno_move_at(tiers, index); /* the next one may have moved it */
    dyno_kv_let_go(to, dyno_move_links(move, 1), move->link_count, move->to);
    leave(tiers, move, now);
    dyno_move_free(tiers, index);
    return DYNO_OK;
}
