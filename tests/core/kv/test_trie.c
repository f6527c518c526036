/* Rewritten chains share what the original ones share: by example, and against the originals over
 * random requests that come, stay and go. */
#include <stdbool.h>
#include <string.h>

#include "core/base/map.h"
#include "core/base/rng.h"
#include "core/kv/trie.h"
#include "tests/check_main.h"

enum { SPANS = 6, REQUESTS = 24 };

static struct dyno_request request_of(uint64_t id, const struct dyno_span *spans, uint32_t count)
{
    return (struct dyno_request){.id = id, .spans = spans, .span_count = count};
}

static struct dyno_request enter(struct dyno_kv_trie *trie, uint64_t id,
                                 const struct dyno_span *spans, uint32_t count)
{
    struct dyno_request request = request_of(id, spans, count);

    ck_assert_int_eq(dyno_kv_trie_enter(trie, 0, &request), DYNO_OK);
    return request;
}

static void check_span(const struct dyno_request *request, uint32_t index, uint64_t id,
                       uint32_t blocks)
{
    ck_assert_uint_lt(index, request->span_count);
    ck_assert_uint_eq(request->spans[index].id, id);
    ck_assert_uint_eq(request->spans[index].blocks, blocks);
}

/* The example in the header, each span of 10 blocks. */
START_TEST(what_came_together_stays_together_until_it_parts)
{
    const struct dyno_span first[] = {{1, 10}, {2, 10}, {3, 10}, {4, 10}, {5, 10}};
    const struct dyno_span second[] = {{1, 10}, {2, 10}, {8, 10}, {9, 10}};
    const struct dyno_span third[] = {{1, 10}, {2, 10}, {3, 10}, {4, 10}, {5, 10}, {6, 10}};
    struct dyno_kv_trie *trie;
    struct dyno_request out;

    ck_assert_int_eq(dyno_kv_trie_open(&trie, 0), DYNO_OK);
    out = enter(trie, 0, first, 5);
    ck_assert_uint_eq(out.span_count, 1);
    check_span(&out, 0, 1, 50);
    out = enter(trie, 1, second, 4);
    ck_assert_uint_eq(out.span_count, 2);
    check_span(&out, 0, 1, 20);
    check_span(&out, 1, 8, 20);
    out = enter(trie, 2, third, 6);
    ck_assert_uint_eq(out.span_count, 1);
    check_span(&out, 0, 1, 60);
    ck_assert_uint_eq(dyno_kv_trie_nodes(trie), 2);
    dyno_kv_trie_close(trie);
}
END_TEST

START_TEST(a_node_lives_while_somebody_may_name_it)
{
    const struct dyno_span spans[] = {{1, 4}};
    struct dyno_request late = request_of(9, NULL, 0);
    struct dyno_kv_trie *trie;

    ck_assert_int_eq(dyno_kv_trie_open(&trie, 5), DYNO_OK);
    (void)enter(trie, 0, spans, 1);
    dyno_kv_trie_held(trie, 1);
    dyno_kv_trie_leave(trie, 0);
    ck_assert_uint_eq(dyno_kv_trie_nodes(trie), 1);
    ck_assert_int_eq(dyno_kv_trie_gone(trie, 1, 10), DYNO_OK); /* lingers until 15 */
    ck_assert_int_eq(dyno_kv_trie_enter(trie, 14, &late), DYNO_OK);
    ck_assert_uint_eq(dyno_kv_trie_nodes(trie), 1);
    ck_assert_int_eq(dyno_kv_trie_enter(trie, 15, &late), DYNO_OK);
    ck_assert_uint_eq(dyno_kv_trie_nodes(trie), 0);
    dyno_kv_trie_close(trie);
}
END_TEST

START_TEST(a_span_that_contradicts_itself_is_shared_up_to_the_shorter)
{
    const struct dyno_span first[] = {{1, 4}, {2, 4}};
    const struct dyno_span shorter[] = {{1, 3}, {2, 4}};
    const struct dyno_span longer[] = {{1, 4}, {2, 7}};
    struct dyno_kv_trie *trie;
    struct dyno_request out;

    ck_assert_int_eq(dyno_kv_trie_open(&trie, 0), DYNO_OK);
    (void)enter(trie, 0, first, 2);
    out = enter(trie, 1, shorter, 2);
    ck_assert_uint_eq(out.span_count, 1);
    check_span(&out, 0, 1, 3);
    out = enter(trie, 2, longer, 2); /* the last span of a node may grow */
    ck_assert_uint_eq(out.span_count, 1);
    check_span(&out, 0, 1, 11);
    dyno_kv_trie_close(trie);
}
END_TEST

struct kept {
    bool alive;
    struct dyno_span fine[SPANS], merged[SPANS];
    uint32_t fine_count, merged_count;
};

static uint32_t shared_blocks(const struct dyno_span *a, uint32_t a_count,
                              const struct dyno_span *b, uint32_t b_count)
{
    uint32_t blocks = 0;

    for (uint32_t i = 0; i < a_count && i < b_count && a[i].id == b[i].id; i++) {
        blocks += a[i].blocks < b[i].blocks ? a[i].blocks : b[i].blocks;
        if (a[i].blocks != b[i].blocks) {
            break;
        }
    }
    return blocks;
}

static void draw(struct dyno_rng *rng, struct kept *kept)
{
    uint64_t parent = 1;

    kept->fine_count = 1 + (uint32_t)dyno_rng_below(rng, SPANS);
    for (uint32_t i = 0; i < kept->fine_count; i++) {
        parent = dyno_chain(parent, dyno_rng_below(rng, 2));
        kept->fine[i] = (struct dyno_span){.id = parent, .blocks = 1 + (uint32_t)(parent % 7)};
    }
}

START_TEST(any_two_living_requests_share_what_they_shared)
{
    struct kept kept[REQUESTS] = {0};
    struct dyno_kv_trie *trie;
    struct dyno_rng rng;

    dyno_rng_init(&rng, (uint64_t)_i, "trie test");
    ck_assert_int_eq(dyno_kv_trie_open(&trie, 0), DYNO_OK);
    for (int turn = 0; turn < 2000; turn++) {
        uint64_t id = dyno_rng_below(&rng, REQUESTS);
        struct kept *one = &kept[id];

        if (one->alive) {
            dyno_kv_trie_leave(trie, id);
            one->alive = false;
            continue;
        }
        struct dyno_request out;

        draw(&rng, one);
        out = enter(trie, id, one->fine, one->fine_count);
        one->alive = true;
        one->merged_count = out.span_count;
        memcpy(one->merged, out.spans, out.span_count * sizeof *out.spans);
        for (int i = 0; i < REQUESTS; i++) {
            if (kept[i].alive) {
                ck_assert_uint_eq(
                    shared_blocks(one->fine, one->fine_count, kept[i].fine, kept[i].fine_count),
                    shared_blocks(one->merged, one->merged_count, kept[i].merged,
                                  kept[i].merged_count));
            }
        }
    }
    for (uint64_t id = 0; id < REQUESTS; id++) {
        dyno_kv_trie_leave(trie, id);
    }
    ck_assert_uint_eq(dyno_kv_trie_nodes(trie), 0);
    dyno_kv_trie_close(trie);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("trie");

    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, what_came_together_stays_together_until_it_parts);
    tcase_add_test(cases, a_node_lives_while_somebody_may_name_it);
    tcase_add_test(cases, a_span_that_contradicts_itself_is_shared_up_to_the_shorter);
    tcase_add_loop_test(cases, any_two_living_requests_share_what_they_shared, 0, 10);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("core/kv/trie", add_cases)
