/* Pieces of a slab never overlap, are aligned, and come back. */
#include "core/base/slab.h"

#include <stdint.h>
#include <string.h>

#include "core/base/rng.h"
#include "tests/check_main.h"

enum { PIECES = 200 };

struct piece {
    unsigned char *bytes;
    size_t size;
    unsigned char fill;
};

static size_t any_size(struct dyno_rng *rng)
{
    return dyno_rng_u64(rng) >> (64 - 1 - dyno_rng_below(rng, 17));
}

static void take(struct dyno_slab *slab, struct piece *piece, struct dyno_rng *rng)
{
    piece->size = any_size(rng);
    piece->fill = (unsigned char)dyno_rng_u64(rng);
    piece->bytes = dyno_slab_take(slab, piece->size);
    ck_assert(piece->bytes && (uintptr_t)piece->bytes % 16 == 0);
    memset(piece->bytes, piece->fill, piece->size);
}

/* What was written at taking is still there: nobody else was given the same bytes. */
static void give(struct dyno_slab *slab, struct piece *piece)
{
    size_t changed = 0;

    for (size_t i = 0; i < piece->size; i++) {
        changed += piece->bytes[i] != piece->fill;
    }
    ck_assert_uint_eq(changed, 0);
    dyno_slab_give(slab, piece->bytes, piece->size);
    piece->bytes = NULL;
}

START_TEST(pieces_never_overlap)
{
    struct piece pieces[PIECES] = {{0}};
    struct dyno_slab slab = {0};
    struct dyno_rng rng;

    dyno_rng_init(&rng, (uint64_t)_i, "slab");
    for (int i = 0; i < 3000; i++) {
        struct piece *piece = &pieces[dyno_rng_below(&rng, PIECES)];

        if (piece->bytes) {
            give(&slab, piece);
        } else {
            take(&slab, piece, &rng);
        }
    }
    for (int i = 0; i < PIECES; i++) {
        if (pieces[i].bytes) {
            give(&slab, &pieces[i]);
        }
    }
    dyno_slab_release(&slab);
}
END_TEST

START_TEST(a_piece_given_back_is_the_next_of_its_size)
{
    struct dyno_slab slab = {0};
    void *first = dyno_slab_take(&slab, 100), *other;

    dyno_slab_give(&slab, first, 100);
    other = dyno_slab_take(&slab, 50);
    ck_assert_ptr_ne(other, first);
    ck_assert_ptr_eq(dyno_slab_take(&slab, 128), first); /* 65 to 128 bytes share a size */
    dyno_slab_release(&slab);
}
END_TEST

START_TEST(what_cannot_be_had_is_refused)
{
    struct dyno_slab slab = {0};

    ck_assert_ptr_null(dyno_slab_take(&slab, SIZE_MAX));
    ck_assert_ptr_null(dyno_slab_take(&slab, (size_t)1 << 32));
    dyno_slab_give(&slab, NULL, 12);
    ck_assert_ptr_nonnull(dyno_slab_take(&slab, 0));
    dyno_slab_release(&slab);
    dyno_slab_release(&slab);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("slab");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, pieces_never_overlap, 0, 10);
    tcase_add_test(tc, a_piece_given_back_is_the_next_of_its_size);
    tcase_add_test(tc, what_cannot_be_had_is_refused);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("core/base/slab", add_cases)
