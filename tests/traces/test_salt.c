/* Salted identities: the function is the published one, and what it is for holds. */
#include "traces/salt.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check_main.h"
#include "traces/siphash.h"

static uint64_t hash_of(size_t size)
{
    static const uint64_t key[2] = {0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};
    unsigned char bytes[64];

    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)i;
    }
    return dyno_siphash(key, bytes, size);
}

/* Appendix A of the paper has the hash of 15 bytes; the others are the first of the vectors that
 * its authors published with their reference program. */
START_TEST(the_hash_is_the_published_one)
{
    ck_assert_uint_eq(hash_of(15), 0xa129ca6149be45e5ULL);
    ck_assert_uint_eq(hash_of(0), 0x726fdb47dd0e0e31ULL);
    ck_assert_uint_eq(hash_of(1), 0x74f839c593dc67fdULL);
    ck_assert_uint_eq(hash_of(8), 0x93f5f5799a932462ULL);
}
END_TEST

START_TEST(words_are_hashed_as_the_bytes_that_they_are)
{
    static const uint64_t key[2] = {3, 5}, words[3] = {0x0807060504030201ULL, 9, UINT64_MAX};
    static const unsigned char bytes[24] = {1,    2,    3,    4,    5,    6,    7,    8,
                                            9,    0,    0,    0,    0,    0,    0,    0,
                                            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

    for (size_t count = 0; count <= 3; count++) {
        ck_assert_uint_eq(dyno_siphash_words(key, words, count),
                          dyno_siphash(key, bytes, 8 * count));
    }
}
END_TEST

START_TEST(a_secret_makes_the_same_salt_every_time_and_another_another)
{
    static const uint64_t words[] = {7, 9};
    struct dyno_salt salt, again, other;

    ck_assert_int_eq(dyno_salt_from_text(&salt, "sixteen bytes at least", NULL), DYNO_OK);
    ck_assert_int_eq(dyno_salt_from_text(&again, "sixteen bytes at least", NULL), DYNO_OK);
    ck_assert_int_eq(dyno_salt_from_text(&other, "sixteen bytes at lease", NULL), DYNO_OK);
    ck_assert_mem_eq(&salt, &again, sizeof salt);
    ck_assert_uint_eq(dyno_salt_identity(&salt, words, 2), dyno_salt_identity(&again, words, 2));
    ck_assert_uint_ne(dyno_salt_identity(&salt, words, 2), dyno_salt_identity(&other, words, 2));
    ck_assert_uint_ne(dyno_salt_identity(&salt, words, 2), dyno_salt_identity(&salt, words, 1));
    ck_assert_int_eq(dyno_salt_random(&salt, NULL), DYNO_OK);
    ck_assert_int_eq(dyno_salt_random(&again, NULL), DYNO_OK);
    ck_assert_mem_ne(&salt, &again, sizeof salt);
}
END_TEST

START_TEST(a_short_secret_is_refused_and_not_repeated)
{
    struct dyno_salt salt;
    struct dyno_error error;
    char text[DYNO_SALT_TEXT_BYTES_MAX + 2];

    ck_assert_int_eq(dyno_salt_from_text(&salt, "fifteen bytes !", &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(
        strstr(error.text, "the secret for a salt has 15 bytes; expected 16 to 1024"));
    ck_assert_ptr_null(strstr(error.text, "fifteen"));
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    ck_assert_int_eq(dyno_salt_from_text(&salt, text, &error), DYNO_BAD_INPUT);
}
END_TEST

START_TEST(identities_fit_a_double_and_are_never_zero)
{
    struct dyno_salt salt;
    uint64_t any = 0;

    ck_assert_int_eq(dyno_salt_from_text(&salt, "sixteen bytes at least", NULL), DYNO_OK);
    for (uint64_t i = 0; i < 10000; i++) {
        uint64_t identity = dyno_salt_identity(&salt, &i, 1);

        ck_assert_uint_gt(identity, 0);
        ck_assert_uint_lt(identity, (uint64_t)1 << 53);
        any |= identity;
    }
    ck_assert_uint_eq(any, ((uint64_t)1 << 53) - 1); /* every bit is used */
}
END_TEST

START_TEST(a_label_tells_salts_and_block_sizes_apart)
{
    char label[DYNO_SALT_LABEL_BYTES + 1], other[DYNO_SALT_LABEL_BYTES + 1];
    struct dyno_salt salt;

    ck_assert_int_eq(dyno_salt_from_text(&salt, "sixteen bytes at least", NULL), DYNO_OK);
    dyno_salt_label(&salt, 16, label);
    ck_assert_uint_eq(strlen(label), DYNO_SALT_LABEL_BYTES);
    ck_assert_uint_eq(strspn(label, "0123456789abcdef"), DYNO_SALT_LABEL_BYTES);
    dyno_salt_label(&salt, 32, other);
    ck_assert_str_ne(label, other);
    ck_assert_int_eq(dyno_salt_from_text(&salt, "another sixteen bytes", NULL), DYNO_OK);
    dyno_salt_label(&salt, 16, other);
    ck_assert_str_ne(label, other);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("salt");

    tcase_add_test(tc, the_hash_is_the_published_one);
    tcase_add_test(tc, words_are_hashed_as_the_bytes_that_they_are);
    tcase_add_test(tc, a_secret_makes_the_same_salt_every_time_and_another_another);
    tcase_add_test(tc, a_short_secret_is_refused_and_not_repeated);
    tcase_add_test(tc, identities_fit_a_double_and_are_never_zero);
    tcase_add_test(tc, a_label_tells_salts_and_block_sizes_apart);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("traces/salt", add_cases)
