/* The cache keeps runs; its oracle here keeps single blocks.  Random sequences come, grow, share
 * and go on both, and everything that can be seen must agree, the order of evictions included. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/kv/cache.h"
#include "tests/check_main.h"

enum { CAPACITY = 96, SPANS_MAX = 8, SEQS_MAX = 6, BLOCKS_MAX = 1 << 16 };

/* ---- the oracle: one row a block, in the order of the idle queue ----------------------------- */

struct block {
    uint64_t span;
    uint32_t index;
    uint32_t refs;
    uint32_t uses, rank; /* where a policy ranks */
};

struct oracle {
    struct block shared[CAPACITY]; /* held by somebody */
    uint32_t shared_count;
    struct block idle[CAPACITY]; /* oldest first */
    uint32_t idle_count;
    uint32_t free, own;
    uint64_t evicted_digest;
    const struct dyno_kv_evict *policy; /* one that ranks, or NULL */
    uint32_t level, cost;
};

static void remove_at(struct block *list, uint32_t *count, uint32_t at)
{
    memmove(list + at, list + at + 1, (*count - at - 1) * sizeof *list);
    (*count)--;
}

static int find_block(const struct block *list, uint32_t count, uint64_t span, uint32_t index)
{
    for (uint32_t i = 0; i < count; i++) {
        if (list[i].span == span && list[i].index == index) {
            return (int)i;
        }
    }
    return -1;
}

static uint64_t digest(uint64_t so_far, uint64_t span, uint32_t left)
{
    return dyno_mix(so_far ^ dyno_mix(span + 0x51ed2701ULL * left));
}

/* The longest idle of those with the lowest rank; without a policy all have the same. */
static uint32_t lowest(const struct oracle *oracle)
{
    uint32_t at = 0;

    for (uint32_t i = 1; i < oracle->idle_count; i++) {
        at = oracle->idle[i].rank < oracle->idle[at].rank ? i : at;
    }
    return at;
}

static void oracle_raise(const struct oracle *oracle, struct block *block)
{
    if (oracle->policy) {
        uint32_t rank = oracle->level + oracle->policy->worth(block->uses, oracle->cost);

        block->rank = rank > block->rank ? rank : block->rank;
    }
}

static void oracle_take(struct oracle *oracle, uint32_t blocks)
{
    while (blocks > oracle->free) {
        uint32_t at = lowest(oracle);
        struct block gone = oracle->idle[at];

        oracle->level = gone.rank;
        remove_at(oracle->idle, &oracle->idle_count, at);
        oracle->free++;
        if (gone.span != 0) {
            oracle->evicted_digest = digest(oracle->evicted_digest, gone.span, gone.index);
        }
    }
    oracle->free -= blocks;
    oracle->own += blocks;
}

static uint32_t oracle_find(const struct oracle *oracle, const struct dyno_kv_link *links,
                            uint32_t count, uint32_t blocks_max, uint32_t *idle)
{
    uint32_t found = 0;

    *idle = 0;
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < links[i].blocks; j++) {
            bool is_idle = find_block(oracle->idle, oracle->idle_count, links[i].span, j) >= 0;

            if (found == blocks_max || (!is_idle && find_block(oracle->shared, oracle->shared_count,
                                                               links[i].span, j) < 0)) {
                return found;
            }
            *idle += is_idle;
            found++;
        }
    }
    return found;
}

static void oracle_reference(struct oracle *oracle, uint64_t span, uint32_t index, bool sealing)
{
    int at = find_block(oracle->shared, oracle->shared_count, span, index);
    struct block known = {.span = span, .index = index};

    if (at < 0) {
        int idle = find_block(oracle->idle, oracle->idle_count, span, index);

        if (idle >= 0) {
            known = oracle->idle[idle];
            remove_at(oracle->idle, &oracle->idle_count, (uint32_t)idle);
            oracle->free += sealing; /* the copy is dropped */
            oracle->own -= sealing;
        } else {
            oracle->own--;
        }
        at = (int)oracle->shared_count++;
        oracle->shared[at] = known;
    } else if (sealing) {
        oracle->own--;
        oracle->free++;
    }
    oracle->shared[at].refs++;
    oracle->shared[at].uses++;
}

static void oracle_release(struct oracle *oracle, uint64_t span, uint32_t index)
{
    uint32_t at = (uint32_t)find_block(oracle->shared, oracle->shared_count, span, index);

    oracle_raise(oracle, &oracle->shared[at]);
    if (--oracle->shared[at].refs == 0) {
        oracle->idle[oracle->idle_count++] = oracle->shared[at];
        remove_at(oracle->shared, &oracle->shared_count, at);
    }
}

/* Apply `visit` to blocks [from, to) of the chain. */
static void oracle_each(struct oracle *oracle, const struct dyno_kv_link *links, uint32_t from,
                        uint32_t to, bool sealing)
{
    uint32_t position = 0;

    for (uint32_t i = 0; position < to; i++) {
        for (uint32_t j = 0; j < links[i].blocks && position < to; j++, position++) {
            if (position >= from) {
                oracle_reference(oracle, links[i].span, j, sealing);
            }
        }
    }
}

static void oracle_let_go(struct oracle *oracle, const struct dyno_kv_link *links, uint32_t count,
                          uint32_t blocks)
{
    struct block chain[CAPACITY];
    uint32_t length = 0;

    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < links[i].blocks && length < blocks; j++) {
            chain[length++] = (struct block){.span = links[i].span, .index = j};
        }
    }
    while (length > 0) {
        length--;
        oracle_release(oracle, chain[length].span, chain[length].index);
    }
}

/* ---- both, side by side ---------------------------------------------------------------------- */

struct sequence {
    bool alive;
    struct dyno_kv_link links[SPANS_MAX];
    uint32_t link_count, chain, held, own;
};

struct pair {
    struct oracle oracle;
    struct dyno_kv_cache cache;
    struct dyno_kv_listener listener;
    struct sequence sequences[SEQS_MAX];
    uint64_t evicted_digest;
    struct dyno_map lead; /* span -> leading blocks, as heard */
    struct dyno_rng rng;
};

/* The cache tells what is left after several blocks went; the oracle goes block by block. */
static void heard(void *context, uint32_t worker, dyno_ns at, uint64_t span, uint32_t blocks)
{
    struct pair *pair = context;
    uint32_t *lead = dyno_map_put(&pair->lead, span, 0, NULL);

    (void)worker;
    (void)at;
    while (*lead > blocks) {
        (*lead)--;
        pair->evicted_digest = digest(pair->evicted_digest, span, *lead);
    }
    *lead = blocks;
}

static uint32_t below(struct pair *pair, uint32_t bound)
{
    return (uint32_t)dyno_rng_below(&pair->rng, bound);
}

/* Few roots, few children: chains share prefixes often, and lengths of a span may differ. */
static void draw_chain(struct pair *pair, struct sequence *sequence)
{
    uint64_t parent = 1;

    sequence->chain = 0;
    sequence->link_count = below(pair, SPANS_MAX);
    for (uint32_t i = 0; i < sequence->link_count; i++) {
        parent = dyno_chain(parent, below(pair, 2));
        sequence->links[i] =
            (struct dyno_kv_link){.span = parent,
                                  .blocks = 1 + (uint32_t)(parent % 5) +
                                            (i + 1 == sequence->link_count ? below(pair, 3) : 5),
                                  .run = DYNO_KV_NO_RUN};
        sequence->chain += sequence->links[i].blocks;
    }
}

static void arrive(struct pair *pair, struct sequence *sequence)
{
    struct dyno_kv_cache *cache = &pair->cache;
    uint32_t idle, idle_oracle, hit, fresh, limit;

    draw_chain(pair, sequence);
    limit = sequence->chain == 0 ? 0 : below(pair, sequence->chain + 1);
    hit = dyno_kv_find(cache, sequence->links, sequence->link_count, limit, &idle);
    ck_assert_uint_eq(hit, oracle_find(&pair->oracle, sequence->links, sequence->link_count, limit,
                                       &idle_oracle));
    ck_assert_uint_eq(idle, idle_oracle);
    fresh = sequence->chain - hit + below(pair, 6);
    if (fresh + idle > dyno_kv_available(cache)) {
        return;
    }
    ck_assert_int_eq(dyno_kv_hold(cache, sequence->links, hit), DYNO_OK);
    oracle_each(&pair->oracle, sequence->links, 0, hit, false);
    dyno_kv_take(cache, fresh, 0);
    oracle_take(&pair->oracle, fresh);
    sequence->held = hit;
    sequence->own = fresh;
    sequence->alive = true;
}

static void seal_some(struct pair *pair, struct sequence *sequence)
{
    uint32_t to = sequence->held + below(pair, sequence->chain - sequence->held + 1);

    if (to == sequence->held) {
        return;
    }
    ck_assert_int_eq(
        dyno_kv_seal(&pair->cache, sequence->links, sequence->link_count, 0, sequence->held, to, 0),
        DYNO_OK);
    oracle_each(&pair->oracle, sequence->links, sequence->held, to, true);
    sequence->own -= to - sequence->held;
    sequence->held = to;
}

static void grow_some(struct pair *pair, struct sequence *sequence)
{
    uint32_t blocks = below(pair, 4);

    if (blocks <= dyno_kv_available(&pair->cache)) {
        dyno_kv_take(&pair->cache, blocks, 0);
        oracle_take(&pair->oracle, blocks);
        sequence->own += blocks;
    }
}

static void leave(struct pair *pair, struct sequence *sequence)
{
    pair->oracle.cost = pair->cache.ranking.cost = 1 + below(pair, 3) * 7;
    ck_assert_int_eq(dyno_kv_retire(&pair->cache, sequence->own), DYNO_OK);
    for (uint32_t i = 0; i < sequence->own; i++) {
        struct block nameless = {.uses = 1};

        oracle_raise(&pair->oracle, &nameless);
        pair->oracle.idle[pair->oracle.idle_count++] = nameless;
    }
    pair->oracle.own -= sequence->own;
    dyno_kv_let_go(&pair->cache, sequence->links, sequence->link_count, sequence->held);
    oracle_let_go(&pair->oracle, sequence->links, sequence->link_count, sequence->held);
    sequence->alive = false;
}

static void compare(struct pair *pair)
{
    dyno_kv_cache_check(&pair->cache);
    ck_assert_uint_eq(pair->cache.free, pair->oracle.free);
    ck_assert_uint_eq(pair->cache.own, pair->oracle.own);
    ck_assert_uint_eq(pair->cache.idle, pair->oracle.idle_count);
    ck_assert_uint_eq(pair->cache.shared, pair->oracle.shared_count);
    ck_assert_uint_eq(pair->evicted_digest, pair->oracle.evicted_digest);
}

/* Under every policy in turn. */
START_TEST(runs_agree_with_single_blocks_to_the_order_of_eviction)
{
    const struct dyno_kv_evict *policy = &dyno_kv_evict_table[_i % 3];
    struct pair pair = {.oracle.policy = policy->worth ? policy : NULL};

    dyno_rng_init(&pair.rng, (uint64_t)_i, "cache test");
    pair.oracle.free = CAPACITY;
    pair.listener = (struct dyno_kv_listener){.context = &pair, .changed = heard};
    ck_assert_int_eq(dyno_kv_cache_init(&pair.cache, 0, CAPACITY, &pair.listener), DYNO_OK);
    dyno_kv_cache_rank_by(&pair.cache, policy);
    for (int turn = 0; turn < 3000; turn++) {
        struct sequence *sequence = &pair.sequences[below(&pair, SEQS_MAX)];

        if (!sequence->alive) {
            arrive(&pair, sequence);
        } else if (below(&pair, 3) == 0) {
            leave(&pair, sequence);
        } else if (below(&pair, 2) == 0) {
            seal_some(&pair, sequence);
        } else {
            grow_some(&pair, sequence);
        }
        compare(&pair);
    }
    ck_assert_uint_gt(pair.cache.evicted_blocks, 0);
    dyno_kv_cache_release(&pair.cache);
    dyno_map_release(&pair.lead);
}
END_TEST

START_TEST(a_released_tail_is_evicted_before_its_head)
{
    struct dyno_kv_link links[2] = {{.span = 7, .blocks = 4}, {.span = 8, .blocks = 4}};
    struct pair pair = {0};

    pair.listener = (struct dyno_kv_listener){.context = &pair, .changed = heard};
    ck_assert_int_eq(dyno_kv_cache_init(&pair.cache, 0, 8, &pair.listener), DYNO_OK);
    dyno_kv_take(&pair.cache, 8, 0);
    ck_assert_int_eq(dyno_kv_seal(&pair.cache, links, 2, 0, 0, 8, 0), DYNO_OK);
    dyno_kv_let_go(&pair.cache, links, 2, 8);
    dyno_kv_take(&pair.cache, 5, 0); /* the whole of span 8, and the last block of span 7 */
    ck_assert_uint_eq(*dyno_map_find(&pair.lead, 8), 0);
    ck_assert_uint_eq(*dyno_map_find(&pair.lead, 7), 3);
    ck_assert_uint_eq(pair.cache.evicted_blocks, 5);
    dyno_kv_cache_release(&pair.cache);
    dyno_map_release(&pair.lead);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("cache");

    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, runs_agree_with_single_blocks_to_the_order_of_eviction, 0, 40);
    tcase_add_test(cases, a_released_tail_is_evicted_before_its_head);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("core/kv/cache", add_cases)
