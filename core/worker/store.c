/* Copies of computed prompts go down, tier by tier. */
#include <string.h>

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

/* How the source's blocks are held when a store begins. */
enum source_hold {
    NOT_HELD,
    HELD,       /* by somebody who goes on, so the chain knows where they are */
    HANDED_OVER /* likewise, but it becomes the store's own */
};

/* Both ends hold, the destination takes, and the blocks leave. */
static dyno_status send(struct dyno_tiers *tiers, uint32_t index, enum source_hold hold,
                        dyno_ns now)
{
    struct dyno_move *move = dyno_move_at(tiers, index);
    struct dyno_kv_cache *source = source_of(tiers, move);
    struct dyno_kv_cache *to = dyno_tier_cache(tiers, move->tier, move->local, move->worker);
    uint32_t idle;

    move->started_at = now;
    if (hold == NOT_HELD) {
        (void)dyno_kv_find(source, dyno_move_links(move, 0), move->link_count, move->to, &idle);
    }
    if (hold != HANDED_OVER) {
        DYNO_TRY(dyno_kv_hold(source, dyno_move_links(move, 0), move->to));
    }
    DYNO_TRY(dyno_move_place_hold(move, 0, source, move->to));
    DYNO_TRY(dyno_kv_hold(to, dyno_move_links(move, 1), move->from));
    DYNO_TRY(dyno_move_place_hold(move, 1, to, move->from));
    dyno_kv_take(to, move->to - move->from, now);
    DYNO_TRY(dyno_move_place_take(move, 1, to, move->to - move->from));
    if (move->source == DYNO_FROM_GPU) {
        move->local->workers[move->worker].moves_on_way++;
        move->local->workers[move->worker].blocks_storing += move->to;
    }
    return dyno_move_send(
        tiers, now, index, move->tier,
        (struct dyno_transfer){
            .from = endpoint_of(tiers, move, move->source),
            .to = endpoint_of(tiers, move, move->tier),
            .blocks = move->to - move->from,
            .from_blocks = dyno_move_place_at(move, 0, source, move->from),
            .to_blocks = dyno_move_place_at(move, 1, to, move->from),
            .names = dyno_move_names(tiers, move, move->tier, move->from, move->to - move->from)});
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

/* What a store needs to know of its chain. */
struct chain {
    struct dyno_local *local;
    uint32_t worker;
    const struct dyno_kv_link *links; /* [link_count] as who holds it in the source has them */
    uint32_t link_count;
    uint32_t wanted[DYNO_TIERS_MAX];
    uint32_t cost;
};

/* Whether so many blocks more may be held in the source. */
static bool may_hold(const struct chain *chain, uint32_t source, uint32_t blocks)
{
    return source != DYNO_FROM_GPU ||
           dyno_worker_may_hold(&chain->local->workers[chain->worker], blocks);
}

/* How many blocks of the chain beyond the `found` ones the tier is to have, of `blocks`. */
static uint32_t missing(struct dyno_tiers *tiers, const struct chain *chain, uint32_t tier,
                        uint32_t found, uint32_t blocks, uint32_t room)
{
    struct dyno_tier_totals *totals = &tiers->totals[tier];
    uint32_t wanted = chain->wanted[tier] < blocks ? chain->wanted[tier] : blocks, to;

    wanted = dyno_tier_whole(tiers, wanted);
    wanted = wanted > found ? wanted : found;
    totals->declined_blocks += blocks - wanted;
    to = room < wanted - found ? dyno_tier_whole(tiers, found + room) : wanted;
    to = to > found ? to : found;
    totals->skipped_blocks += wanted - to;
    return to - found;
}

/* The first `blocks` blocks of the chain lie in `holder` and are held there: copy what the tier
 * below it lacks, or see to the one below that.  Who holds them may offer its hold
 * (*hold, else NULL) to a store of all of them, which takes it, and *hold is false; but in a ranked
 * cache, where every hold counts. */
static dyno_status store(struct dyno_tiers *tiers, const struct chain *chain, uint32_t blocks,
                         uint32_t holder, bool *hold, dyno_ns now)
{
    uint32_t source = holder, tier = source == DYNO_FROM_GPU ? 0 : source + 1;
    uint32_t index, idle, room, found;
    struct dyno_kv_cache *to;
    struct dyno_move *move;
    bool handed;

    for (; tier < tiers->config.tier_count && blocks > 0; source = tier++, blocks = found) {
        DYNO_TRY(dyno_move_make(tiers, chain->local, chain->worker, chain->links, chain->link_count,
                                2, &index));
        move = dyno_move_at(tiers, index);
        memcpy(move->wanted, chain->wanted, sizeof move->wanted);
        move->cost = chain->cost;
        to = dyno_tier_cache(tiers, tier, chain->local, chain->worker);
        found = dyno_kv_find(to, dyno_move_links(move, 1), chain->link_count, blocks, &idle);
        room = may_hold(chain, source, blocks) ? dyno_kv_available(to) - idle : 0;
        room = missing(tiers, chain, tier, found, blocks, room);
        if (room > 0) {
            move->source = source;
            move->tier = tier;
            move->from = found;
            move->to = found + room;
            handed = source == holder && hold && move->to == blocks &&
                     !source_of(tiers, move)->ranking.policy;
            if (handed) {
                *hold = false;
            }
            return send(tiers, index,
                        handed             ? HANDED_OVER
                        : source == holder ? HELD
                                           : NOT_HELD,
                        now);
        }
        to->ranking.cost = chain->cost;
        DYNO_TRY(touch(to, dyno_move_links(move, 1), chain->link_count, found));
        dyno_move_free(tiers, index);
    }
    return DYNO_OK;
}

/* What a block of the chain takes to compute, against one of an ordinary prompt: of one pass. */
static uint32_t cost_of(const struct dyno_tiers *tiers, const struct dyno_local *local,
                        uint32_t blocks)
{
    uint32_t size = local->config.worker.block_tokens, most = local->config.worker.batch_tokens_max;
    uint64_t tokens = (uint64_t)blocks * size;
    bool counts = false;
    dyno_ns chain, pass;
    double cost;

    for (uint32_t i = 0; i < tiers->config.tier_count; i++) {
        counts =
            counts || (tiers->config.tiers[i].evict && tiers->config.tiers[i].evict->counts_cost);
    }
    if (!counts || tokens == 0) {
        return DYNO_EVICT_COST_ONE;
    }
    chain = dyno_compute_time(local, 0, (uint32_t)tokens);
    pass = dyno_compute_time(local, 0, most);
    if (chain == DYNO_NEVER || pass == 0) {
        return DYNO_EVICT_COST_ONE;
    }
    cost = DYNO_EVICT_COST_ONE * ((double)chain / (double)tokens) / ((double)pass / most);
    return cost < 1 ? 1 : cost > DYNO_EVICT_COST_MAX ? DYNO_EVICT_COST_MAX : (uint32_t)cost;
}

/* Whether the chain would be there later than it can be computed again, as the links are now. */
static bool is_slow(const struct dyno_tiers *tiers, const struct chain *chain, uint32_t tier,
                    uint32_t blocks, dyno_ns compute)
{
    const struct dyno_links *links = tiers->config.links;
    uint32_t pool = dyno_tier_pool(tiers, tier, chain->local, chain->worker);

    return compute != DYNO_NEVER &&
           links->ops->predict(
               links, &(struct dyno_transfer){.from = tiers->config.tiers[tier].endpoint_of[pool],
                                              .to = chain->local->config.endpoint + chain->worker,
                                              .blocks = blocks,
                                              .block_bytes = tiers->config.block_bytes}) >= compute;
}

/* What each tier's policy wants of the chain, which is seen once more; nothing, where it would be
 * of no use there. */
static void ask_policies(const struct dyno_tiers *tiers, struct chain *chain,
                         struct dyno_store_view *view)
{
    dyno_ns compute =
        dyno_compute_time(chain->local, 0, view->blocks * chain->local->config.worker.block_tokens);

    for (uint32_t i = 0; i < tiers->config.tier_count; i++) {
        const struct dyno_store_policy *policy = tiers->config.tiers[i].store;

        if (tiers->sketches[i]) {
            struct dyno_kv_sketch *sketch =
                &tiers->sketches[i][dyno_tier_pool(tiers, i, chain->local, chain->worker)];

            for (uint32_t j = 0; j < chain->link_count; j++) {
                dyno_kv_sketch_see(sketch, chain->links[j].span);
            }
            view->sketch = sketch;
        }
        chain->wanted[i] = policy ? policy->wanted(view) : view->blocks;
        if (chain->wanted[i] > 0 && is_slow(tiers, chain, i, view->blocks, compute)) {
            chain->wanted[i] = 0;
        }
    }
}

dyno_status dyno_store(struct dyno_local *local, struct dyno_worker *worker, uint32_t index,
                       dyno_ns now)
{
    const struct dyno_seq *seq = &local->seqs[index];
    struct dyno_store_view view = {.links = seq->links,
                                   .link_count = seq->span_count,
                                   .blocks = seq->chain_blocks,
                                   .hit_blocks = seq->record.cached_tokens /
                                                 local->config.worker.block_tokens};
    struct chain chain = {.local = local,
                          .worker = dyno_worker_index(local, worker),
                          .links = seq->links,
                          .link_count = seq->span_count};

    if (local->config.tiers->config.tier_count == 0) {
        return DYNO_OK;
    }
    if (seq->link_count > seq->span_count) { /* what it generated is nobody else's */
        view.blocks -= seq->links[seq->span_count].blocks;
    }
    if (view.blocks > seq->held_blocks) {
        view.blocks = seq->held_blocks;
    }
    chain.cost = cost_of(local->config.tiers, local, view.blocks);
    ask_policies(local->config.tiers, &chain, &view);
    return store(local->config.tiers, &chain, view.blocks, DYNO_FROM_GPU, NULL, now);
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
    source->ranking.cost = move->cost;
    dyno_move_place_leave(move, 0, source, move->to);
    dyno_kv_let_go(source, dyno_move_links(move, 0), move->link_count, move->to);
    if (move->source == DYNO_FROM_GPU) {
        move->local->workers[move->worker].moves_on_way--;
        move->local->workers[move->worker].blocks_storing -= move->to;
        dyno_move_left(move->local, move->worker, now, source->idle > idle);
    }
}

dyno_status dyno_store_arrived(struct dyno_tiers *tiers, uint32_t index, uint32_t lost, dyno_ns now)
{
    struct dyno_move *move = dyno_move_at(tiers, index);
    struct dyno_tier_totals *totals = &tiers->totals[move->tier];
    struct dyno_kv_cache *to = dyno_tier_cache(tiers, move->tier, move->local, move->worker);
    struct chain chain;
    bool hold = true;

    move->lost = lost;
    totals->stores++;
    totals->stored_blocks += move->to - lost - move->from;
    totals->lost_blocks += lost;
    totals->store_wait_ns += now - move->started_at;
    dyno_move_place_cut(move, 1, to);
    dyno_kv_drop(to, lost);
    DYNO_TRY(dyno_move_place_seal(move, 1, to));
    DYNO_TRY(dyno_kv_seal(to, dyno_move_links(move, 1), move->link_count, 0, move->from,
                          move->to - lost, now));
    chain = (struct chain){.local = move->local,
                           .worker = move->worker,
                           .links = dyno_move_links(move, 1),
                           .link_count = move->link_count,
                           .cost = move->cost};
    memcpy(chain.wanted, move->wanted, sizeof chain.wanted);
    DYNO_TRY(store(tiers, &chain, move->to - lost, move->tier, &hold, now));
    move = dyno_move_at(tiers, index); /* the next one may have moved it */
    to->ranking.cost = move->cost;
    dyno_move_place_leave(move, 1, to, move->to - lost);
    if (hold) {
        dyno_kv_let_go(to, dyno_move_links(move, 1), move->link_count, move->to - lost);
    }
    leave(tiers, move, now);
    dyno_move_free(tiers, index);
    return DYNO_OK;
}
