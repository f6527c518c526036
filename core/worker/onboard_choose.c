/* From where blocks of a prompt come before it is computed, if from anywhere.
 *
 * What is compared is when the request's first token would be there if nobody else were served:
 * blocks that are onboarded take as long as the slowest of their transfers is predicted to take,
 * beside what is on the same links now; what is not there after that is computed.  The sources are
 * asked in order, each for what those before it lack, so that there are as many ways as sources,
 * and one more, to compute everything; of equal ones the one with fewer transfers is taken.  Tiers
 * come from the fastest on; a peer's GPU before all of them, after all, or not at all, whatever is
 * soonest: which of the links is faster depends on where it is.
 */
#include "core/worker/tiers_parts.h"

dyno_ns dyno_compute_time(const struct dyno_local *local, uint32_t first, uint32_t target)
{
    const struct dyno_device *device = local->config.device;
    uint32_t most = local->config.worker.batch_tokens_max;
    dyno_ns time = 0;

    if (!device->ops->predict) {
        return DYNO_NEVER;
    }
    while (first < target) {
        uint32_t tokens = target - first < most ? target - first : most;
        struct dyno_slice slice = {
            .first = first, .tokens = tokens, .yields = first + tokens == target};

        time += device->ops->predict(
            device, &(struct dyno_pass){.steps_max = 1, .slice_count = 1, .slices = &slice});
        first += tokens;
    }
    return time;
}

uint32_t dyno_onboard_blocks(const struct dyno_tiers *tiers, const struct dyno_move *move,
                             uint32_t source)
{
    uint32_t before = move->from;

    for (uint32_t i = 0; dyno_move_order(tiers, move, i) != source; i++) {
        uint32_t to = move->part_to[dyno_move_order(tiers, move, i)];

        before = to > before ? to : before;
    }
    return move->part_to[source] > before ? move->part_to[source] - before : 0;
}

static dyno_ns transfer_time(const struct dyno_tiers *tiers, const struct dyno_move *move,
                             uint32_t source)
{
    const struct dyno_links *links = tiers->config.links;

    return links->ops->predict(
        links, &(struct dyno_transfer){.from = dyno_move_endpoint(tiers, move, source),
                                       .to = move->local->config.endpoint + move->worker,
                                       .blocks = dyno_onboard_blocks(tiers, move, source),
                                       .block_bytes = tiers->config.block_bytes});
}

/* What a prompt's sources have of it. */
struct choice {
    struct dyno_tiers *tiers;
    struct dyno_move *move;
    uint32_t target;
    uint32_t found[DYNO_SOURCES]; /* leading blocks */
    /* The best way so far: in which order, from how many sources, up to which block, and when it is
     * computed. */
    bool is_peer_last;
    uint32_t sources, end;
    dyno_ns least;
};

/* How many leading blocks each tier has. */
static void look(struct choice *choice, uint32_t blocks_max)
{
    struct dyno_tiers *tiers = choice->tiers;
    struct dyno_move *move = choice->move;
    uint32_t chunk = tiers->config.chunk_blocks, idle;
    uint32_t most = chunk > 1 ? (blocks_max + chunk - 1) / chunk * chunk : blocks_max;

    for (uint32_t i = 0; i < tiers->config.tier_count; i++) {
        uint32_t found =
            dyno_tier_whole(tiers, dyno_kv_find(dyno_move_cache(tiers, move, i),
                                                dyno_move_links(move, dyno_move_end(tiers, i)),
                                                move->link_count, most, &idle));

        choice->found[i] = found < blocks_max ? found : blocks_max; /* one token is computed */
    }
}

/* Each source gives what those before it lack, of the first so many. */
static void lay_out(const struct choice *choice, bool is_peer_last, uint32_t sources)
{
    struct dyno_move *move = choice->move;
    uint32_t end = move->from;

    move->is_peer_last = is_peer_last;
    for (uint32_t i = 0; i <= choice->tiers->config.tier_count; i++) {
        uint32_t source = dyno_move_order(choice->tiers, move, i);
        bool gives = i < sources && choice->found[source] > end;

        move->part_to[source] = gives ? choice->found[source] : 0;
        end = gives ? choice->found[source] : end;
    }
}

/* All ways in one order. */
static void weigh(struct choice *choice, bool is_peer_last)
{
    const struct dyno_move *move = choice->move;
    const struct dyno_local *local = move->local;
    uint32_t all = choice->tiers->config.tier_count + 1;
    uint32_t size = local->config.worker.block_tokens;
    dyno_ns wait = 0;

    lay_out(choice, is_peer_last, all);
    for (uint32_t i = 0; i < all; i++) {
        uint32_t source = dyno_move_order(choice->tiers, move, i), to = move->part_to[source];
        dyno_ns time;

        if (to == 0) {
            continue;
        }
        time = transfer_time(choice->tiers, move, source);
        wait = time > wait ? time : wait;
        time = wait;
        if (local->config.device->ops->predict) {
            time += dyno_compute_time(local, to * size, choice->target);
        }
        if (time < choice->least || !local->config.device->ops->predict) {
            choice->least = time;
            choice->is_peer_last = is_peer_last;
            choice->sources = i + 1;
            choice->end = to;
        }
    }
}

/* What was there, and is computed sooner. */
static void count_slow(const struct choice *choice)
{
    uint32_t end = choice->end;

    for (uint32_t i = 0; i <= choice->tiers->config.tier_count; i++) {
        uint32_t source = dyno_move_order(choice->tiers, choice->move, i);

        if (choice->found[source] > end) {
            choice->tiers->totals[source].slow_blocks += choice->found[source] - end;
            end = choice->found[source];
        }
    }
}

uint32_t dyno_onboard_choose(struct dyno_tiers *tiers, struct dyno_move *move, uint32_t blocks_max,
                             uint32_t peer_blocks, uint32_t target)
{
    struct choice choice = {
        .tiers = tiers, .move = move, .target = target, .is_peer_last = true, .end = move->from};
    uint32_t most = peer_blocks;

    look(&choice, blocks_max);
    for (uint32_t i = 0; i < tiers->config.tier_count; i++) {
        most = choice.found[i] > most ? choice.found[i] : most;
    }
    if (most <= move->from) {
        return move->from;
    }
    choice.least = dyno_compute_time(move->local,
                                     move->from * move->local->config.worker.block_tokens, target);
    weigh(&choice, true);
    if (peer_blocks > move->from) {
        choice.found[DYNO_FROM_GPU] = peer_blocks;
        weigh(&choice, true);
        weigh(&choice, false);
    }
    lay_out(&choice, choice.is_peer_last, choice.sources);
    count_slow(&choice);
    return choice.end;
}
