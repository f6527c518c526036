/* What a writer writes does not depend on how it was asked before, comes in whole characters, and
 * ends for the reason that it gives. */
#include "cli/model/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/assets/default_model.h"
#include "core/base/utf8.h"
#include "tests/check_main.h"

struct heard {
    char text[1 << 16];
    size_t size;
    uint32_t calls, calls_max; /* 0: endless patience */
};

static struct dyno_writer *writer;
static struct dyno_error problem;
static struct dyno_writer_answer answer;

static void open_default(void)
{
    char path[DYNO_MODEL_PATH_MAX];

    ck_assert_msg(dyno_default_model_find(path, DYNO_DEFAULT_MODEL, &problem) == DYNO_OK, "%s",
                  problem.text);
    ck_assert_msg(dyno_writer_open(&writer, path, NULL, &(struct dyno_writer_engine){.threads = 1},
                                   &problem) == DYNO_OK,
                  "%s", problem.text);
}

static void close_it(void)
{
    dyno_writer_close(writer);
    writer = NULL;
}

static bool hear(void *listener, const char *bytes, size_t size)
{
    struct heard *heard = listener;

    ck_assert_msg(dyno_utf8_valid(bytes, size, NULL) == size, "a piece of %zu bytes is not text",
                  size);
    ck_assert_uint_lt(heard->size + size, sizeof heard->text);
    memcpy(heard->text + heard->size, bytes, size);
    heard->size += size;
    heard->text[heard->size] = '\0';
    heard->calls++;
    return heard->calls != heard->calls_max;
}

/* A question whose answer lands in a new `heard`. */
static struct dyno_writer_ask question(const char *prompt, uint32_t tokens_max)
{
    struct heard *heard = calloc(1, sizeof *heard);

    ck_assert_ptr_nonnull(heard);
    return (struct dyno_writer_ask){.prompt = prompt,
                                    .prompt_size = strlen(prompt),
                                    .tokens_max = tokens_max,
                                    .say = hear,
                                    .listener = heard};
}

static struct heard *ask(const struct dyno_writer_ask *what)
{
    ck_assert_msg(dyno_writer_run(writer, what, &answer, &problem) == DYNO_OK, "%s", problem.text);
    return what->listener;
}

START_TEST(what_was_computed_before_changes_nothing)
{
    static const struct {
        const char *prompt;
        bool reuses;
    } turns[] = {{"It was a truth", false},
                 {"It was a truth universally", true},
                 {"It was", true},
                 {"She was not at all", false},
                 {"She was not to be", true}};
    struct heard *warm[sizeof turns / sizeof turns[0]];

    for (size_t i = 0; i < sizeof turns / sizeof turns[0]; i++) {
        struct dyno_writer_ask what = question(turns[i].prompt, 16);

        what.sampling.temperature = (double)(i % 2);
        what.sampling.seed = i;
        warm[i] = ask(&what);
        ck_assert_int_eq(answer.reused_tokens > 0, turns[i].reuses);
    }
    for (size_t i = 0; i < sizeof turns / sizeof turns[0]; i++) {
        struct dyno_writer_ask what = question(turns[i].prompt, 16);
        struct heard *fresh;

        close_it();
        open_default();
        what.sampling.temperature = (double)(i % 2);
        what.sampling.seed = i;
        fresh = ask(&what);
        ck_assert_uint_eq(answer.reused_tokens, 0);
        ck_assert_str_eq(warm[i]->text, fresh->text);
        free(fresh);
        free(warm[i]);
    }
}
END_TEST

START_TEST(every_piece_is_whole_characters_however_wild_the_tokens)
{
    for (uint64_t seed = 0; seed < 4; seed++) {
        struct dyno_writer_ask what = question("caf\u00e9 \u4f60\u597d", 50);

        what.sampling.temperature = 20; /* almost any token, single bytes too */
        what.sampling.seed = seed;
        free(ask(&what)); /* hear() looks at the pieces */
        ck_assert_uint_gt(answer.output_tokens, 0);
    }
}
END_TEST

START_TEST(an_answer_ends_for_the_reason_given)
{
    struct dyno_writer_ask what = question("It was", 17);
    struct heard *whole = ask(&what), *heard;
    char stop[8];

    ck_assert_int_eq(answer.end, DYNO_END_LENGTH);
    ck_assert_uint_eq(answer.output_tokens, 17);
    ck_assert_uint_gt(whole->size, 12);

    what = question("It was", 17); /* three bytes from the middle, wherever tokens end */
    (void)snprintf(stop, sizeof stop, "%.3s", whole->text + 8);
    what.stops = (const char *const[]){stop};
    what.stop_count = 1;
    heard = ask(&what);
    ck_assert_int_eq(answer.end, DYNO_END_STOP);
    ck_assert_ptr_null(strstr(heard->text, stop));
    ck_assert_uint_eq(heard->size, (size_t)(strstr(whole->text, stop) - whole->text));
    free(heard);

    what = question("It was", 17);
    ((struct heard *)what.listener)->calls_max = 5;
    heard = ask(&what);
    ck_assert_int_eq(answer.end, DYNO_END_HEARER);
    ck_assert_uint_eq(answer.output_tokens, 5);
    free(heard);
    free(whole);
}
END_TEST

/* " a" is one token. */
static char *many_tokens(uint32_t count)
{
    char *text = malloc(2 * (size_t)count + 1);

    ck_assert_ptr_nonnull(text);
    for (uint32_t i = 0; i < count; i++) {
        memcpy(text + 2 * (size_t)i, " a", 3);
    }
    return text;
}

/* A prompt of two parts: nobody waits for the second, and it is not taken for computed. */
START_TEST(a_long_prompt_is_left_where_nobody_hears)
{
    char prompt[1401];
    struct dyno_writer_ask what;
    struct heard *whole, *heard;

    for (size_t i = 0; i + 1 < sizeof prompt; i += 2) {
        memcpy(prompt + i, " a", 2);
    }
    prompt[sizeof prompt - 1] = '\0';
    what = question(prompt, 3);
    ((struct heard *)what.listener)->calls_max = 1;
    heard = ask(&what);
    ck_assert_int_eq(answer.end, DYNO_END_HEARER);
    ck_assert_uint_gt(answer.prompt_tokens, 600);
    ck_assert_uint_eq(answer.output_tokens, 0);
    free(heard);
    what = question(prompt, 3);
    heard = ask(&what);
    ck_assert_uint_eq(answer.reused_tokens, 512);
    close_it();
    open_default();
    what = question(prompt, 3);
    whole = ask(&what);
    ck_assert_uint_eq(answer.reused_tokens, 0);
    ck_assert_str_eq(heard->text, whole->text);
    free(heard);
    free(whole);
}
END_TEST

START_TEST(the_context_is_filled_to_the_last_token_and_not_beyond)
{
    uint32_t context = dyno_writer_context(writer);
    char *full = many_tokens(context), *almost = many_tokens(context - 1);
    struct dyno_writer_ask what = question(full, 100);

    ck_assert_int_eq(dyno_writer_run(writer, &what, &answer, &problem), DYNO_FULL);
    ck_assert_uint_eq(((struct heard *)what.listener)->calls, 0);
    free(what.listener);
    what = question(almost, 100);
    free(ask(&what));
    ck_assert_uint_eq(answer.prompt_tokens, context - 1);
    ck_assert_uint_eq(answer.output_tokens, 1); /* which fills it */
    ck_assert(answer.end == DYNO_END_CONTEXT || answer.end == DYNO_END_MODEL);
    free(full);
    free(almost);
}
END_TEST

START_TEST(special_tokens_are_meant_only_where_they_are_rendered)
{
    struct dyno_writer_ask what = question("<|user|>", 1);

    free(ask(&what));
    ck_assert_uint_gt(answer.prompt_tokens, 1);
    what = question("<|user|>", 1);
    what.rendered = true;
    free(ask(&what));
    ck_assert_uint_eq(answer.prompt_tokens, 1);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("writer");

    tcase_set_timeout(cases, 250);
    tcase_add_checked_fixture(cases, open_default, close_it);
    tcase_add_test(cases, what_was_computed_before_changes_nothing);
    tcase_add_test(cases, every_piece_is_whole_characters_however_wild_the_tokens);
    tcase_add_test(cases, an_answer_ends_for_the_reason_given);
    tcase_add_test(cases, a_long_prompt_is_left_where_nobody_hears);
    tcase_add_test(cases, the_context_is_filled_to_the_last_token_and_not_beyond);
    tcase_add_test(cases, special_tokens_are_meant_only_where_they_are_rendered);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("writer", add_cases)
