/* Models by name: where they are looked for, and in which order. */
#include "backends/assets/default_model.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/assets/tokenizer/tokenizer.h"
#include "backends/assets/tokenizer/tokenizer_file.h"
#include "tests/check_main.h"

static char found[DYNO_MODEL_PATH_MAX];
static struct dyno_error problem;

static dyno_status find(const char *name)
{
    memset(found, 0, sizeof found);
    return dyno_default_model_find(found, name, &problem);
}

START_TEST(the_default_model_is_found_from_the_build_tree)
{
    char file[DYNO_MODEL_PATH_MAX + 16];

    ck_assert_msg(find(DYNO_DEFAULT_MODEL) == DYNO_OK, "%s", problem.text);
    ck_assert_ptr_nonnull(strstr(found, "share/dyno/models/" DYNO_DEFAULT_MODEL));
    (void)snprintf(file, sizeof file, "%s/config.json", found);
    ck_assert_int_eq(access(file, R_OK), 0);
}
END_TEST

START_TEST(it_is_found_from_any_folder)
{
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_msg(find(DYNO_DEFAULT_MODEL) == DYNO_OK, "%s", problem.text);
}
END_TEST

START_TEST(a_name_with_a_slash_is_a_path_as_it_is)
{
    ck_assert_int_eq(find("./" DYNO_DEFAULT_MODEL), DYNO_OK);
    ck_assert_str_eq(found, "./" DYNO_DEFAULT_MODEL);
    ck_assert_int_eq(find("/nowhere/at all"), DYNO_OK);
    ck_assert_str_eq(found, "/nowhere/at all");
}
END_TEST

START_TEST(a_name_may_be_a_file_or_folder_here_but_a_model_that_comes_with_dyno_is_first)
{
    char folder[] = "/tmp/dyno_models_XXXXXX";

    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    ck_assert_int_eq(find("mine"), DYNO_NOT_FOUND);
    ck_assert_int_eq(mkdir("mine", 0700), 0);
    ck_assert_int_eq(mkdir(DYNO_DEFAULT_MODEL, 0700), 0);
    ck_assert_msg(find("mine") == DYNO_OK, "%s", problem.text);
    ck_assert_str_eq(found, "mine");
    ck_assert_int_eq(find(DYNO_DEFAULT_MODEL), DYNO_OK);
    ck_assert_str_ne(found, DYNO_DEFAULT_MODEL);
    ck_assert_int_eq(rmdir("mine") + rmdir(DYNO_DEFAULT_MODEL) + chdir("/") + rmdir(folder), 0);
}
END_TEST

START_TEST(an_unknown_name_is_refused_with_the_names_that_are_there)
{
    ck_assert_int_eq(find("no-such-model"), DYNO_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(problem.text, "'no-such-model'"));
    ck_assert_ptr_nonnull(strstr(problem.text, DYNO_DEFAULT_MODEL));
    ck_assert_int_eq(found[0], 0);
}
END_TEST

START_TEST(an_empty_or_endless_name_is_refused)
{
    char longest[DYNO_MODEL_PATH_MAX + 1];

    memset(longest, 'a', sizeof longest);
    longest[DYNO_MODEL_PATH_MAX] = '\0';
    ck_assert_int_eq(find(longest), DYNO_BAD_INPUT);
    ck_assert_int_eq(find(""), DYNO_BAD_INPUT);
    longest[DYNO_MODEL_PATH_MAX - 1] = '\0';
    ck_assert_int_eq(find(longest), DYNO_NOT_FOUND);
}
END_TEST

/* The ids are those of the recipe's own tokenizer (models/recipe/tokens.py), with which the model
 * was trained. */
START_TEST(its_text_becomes_the_tokens_that_it_was_trained_on)
{
    static const char text[] = "It's 1813, my dear Mr. Bennet--have you\nheard?  caf\u00e9 \u4f60";
    static const uint32_t due[] = {1026, 371,  32,  49,  56,  49,  51,  44,  408, 730, 360,
                                   46,   1208, 352, 265, 309, 317, 10,  257, 436, 63,  32,
                                   277,  97,   102, 195, 169, 32,  228, 189, 160};
    const struct dyno_tokenizer_file *file;
    struct dyno_tokenizer *tokenizer;
    struct dyno_encoder *encoder;
    struct dyno_token_ids ids;

    ck_assert_int_eq(find(DYNO_DEFAULT_MODEL), DYNO_OK);
    ck_assert_msg(dyno_tokenizer_file_open(&file, found, &problem) == DYNO_OK, "%s", problem.text);
    ck_assert_int_eq(dyno_tokenizer_open(&tokenizer, &file->vocabulary, &problem), DYNO_OK);
    ck_assert_int_eq(dyno_encoder_open(&encoder, tokenizer, &problem), DYNO_OK);
    ck_assert_int_eq(dyno_encode(encoder, text, sizeof text - 1, (struct dyno_encode_options){0},
                                 &ids, &problem),
                     DYNO_OK);
    ck_assert_uint_eq(ids.count, sizeof due / sizeof due[0]);
    ck_assert_mem_eq(ids.ids, due, sizeof due);
    dyno_encoder_close(encoder);
    dyno_tokenizer_close(tokenizer);
    dyno_tokenizer_file_close(file);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("default_model");

    tcase_add_test(cases, the_default_model_is_found_from_the_build_tree);
    tcase_add_test(cases, it_is_found_from_any_folder);
    tcase_add_test(cases, a_name_with_a_slash_is_a_path_as_it_is);
    tcase_add_test(cases,
                   a_name_may_be_a_file_or_folder_here_but_a_model_that_comes_with_dyno_is_first);
    tcase_add_test(cases, an_unknown_name_is_refused_with_the_names_that_are_there);
    tcase_add_test(cases, an_empty_or_endless_name_is_refused);
    tcase_add_test(cases, its_text_becomes_the_tokens_that_it_was_trained_on);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("default_model", add_cases)
