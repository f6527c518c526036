/* Answers that travel as text, from the desk to whoever asks for them and back. */
#include <stdlib.h>
#include <string.h>

#include "backends/door/desk.h"
#include "tests/check_main.h"

struct rig {
    struct dyno_clock clock;
    struct dyno_transcripts *transcripts;
    struct dyno_desk *desk;
    struct dyno_answer *answer;
    struct dyno_errand *errand; /* as whoever serves it finds it */
    uint32_t told;
};

static dyno_ns now(const struct dyno_clock *clock)
{
    (void)clock;
    return 5;
}

static void wake(struct dyno_clock *clock)
{
    (void)clock;
}

static void news(void *context)
{
    ((struct rig *)context)->told++;
}

/* The fleet takes the request, and finds its errand. */
static void take(struct rig *rig)
{
    struct dyno_source *source = dyno_desk_source(rig->desk);
    struct dyno_request request;

    ck_assert_uint_eq(source->ops->next(source), 5);
    ck_assert_int_eq(source->ops->take(source, 5, &request, NULL), DYNO_OK);
    ck_assert_uint_eq(request.prompt_tokens, 12);
    ck_assert_uint_eq(request.max_tokens, 9);
    ck_assert_uint_eq(request.span_count, 1);
    rig->errand = dyno_transcripts_find(rig->transcripts, request.id)->errand;
    ck_assert_ptr_nonnull(rig->errand);
}

static void open_rig(struct rig *rig)
{
    char body[] = "{\"a\":1}", fields[] = "A: b\r\n";
    struct dyno_span span = {.id = 7, .blocks = 1};
    struct dyno_errand errand = {.path = "/v1/completions",
                                 .fields = fields,
                                 .body = body,
                                 .body_size = strlen(body),
                                 .request_id = "r"};
    struct dyno_answer_config config = {.prompt_tokens = 12,
                                        .tokens_max = 9,
                                        .spans = &span,
                                        .span_count = 1,
                                        .errand = &errand,
                                        .owner = rig};

    memset(rig, 0, sizeof *rig);
    ck_assert_int_eq(dyno_transcripts_open(&rig->transcripts), DYNO_OK);
    ck_assert_int_eq(
        dyno_desk_open(&rig->desk, &(struct dyno_desk_config){.answers_max = 1,
                                                              .worker_count = 1,
                                                              .transcripts = rig->transcripts,
                                                              .now = now,
                                                              .wake = wake,
                                                              .clock = &rig->clock,
                                                              .news = news,
                                                              .context = rig}),
        DYNO_OK);
    ck_assert_int_eq(dyno_answer_open(&rig->answer, &config, NULL), DYNO_OK);
    memset(body, 'x', sizeof body); /* it was copied */
    memset(fields, 'x', sizeof fields);
    ck_assert_int_eq(dyno_desk_post(rig->desk, rig->answer), DYNO_OK);
    take(rig);
}

static void end(struct rig *rig, enum dyno_outcome outcome)
{
    struct dyno_sink *sink = dyno_desk_sink(rig->desk);
    struct dyno_source *source = dyno_desk_source(rig->desk);
    struct dyno_request_record record = {.id = 0, .outcome = outcome};

    source->ops->ended(source, 0, 5);
    ck_assert_int_eq(sink->ops->request(sink, &record), DYNO_OK);
}

static void close_rig(struct rig *rig)
{
    dyno_answer_release(rig->answer);
    dyno_desk_close(rig->desk);
    dyno_transcripts_close(rig->transcripts);
}

START_TEST(an_errand_says_what_to_ask_and_its_events_are_news)
{
    struct dyno_answer_news heard;
    struct rig rig;

    open_rig(&rig);
    ck_assert_str_eq(rig.errand->path, "/v1/completions");
    ck_assert_str_eq(rig.errand->fields, "A: b\r\n");
    ck_assert_int_eq(memcmp(rig.errand->body, "{\"a\":1}", rig.errand->body_size), 0);
    ck_assert(rig.errand->ops->event(rig.errand, "{1}", 3));
    ck_assert(rig.errand->ops->event(rig.errand, "{22}", 4));
    ck_assert_uint_eq(rig.told, 1); /* news that was not taken yet is not told of again */
    ck_assert_ptr_eq(dyno_desk_news(rig.desk, &heard), rig.answer);
    ck_assert_uint_eq(heard.token_count, 2);
    ck_assert_int_eq(memcmp(heard.text, "{1}{22}", heard.text_size), 0);
    ck_assert_uint_eq(heard.tokens[0].text_end, 3);
    ck_assert_uint_eq(heard.tokens[1].text_end, 7);
    ck_assert_int_eq(heard.end, DYNO_ANSWER_GOES_ON);
    end(&rig, DYNO_COMPLETED);
    ck_assert_ptr_null(dyno_desk_news(rig.desk, &heard)); /* it is for the next round ... */
    ck_assert_uint_eq(rig.told, 2);                       /* ... of which the door was told */
    ck_assert_ptr_eq(dyno_desk_news(rig.desk, &heard), rig.answer);
    ck_assert_uint_eq(heard.token_count, 0);
    ck_assert_int_eq(heard.end, DYNO_ANSWER_FULL);
    ck_assert_uint_eq(heard.refused, 0);
    close_rig(&rig);
}
END_TEST

START_TEST(a_refusal_comes_with_the_end)
{
    struct dyno_answer_news heard;
    struct rig rig;

    open_rig(&rig);
    rig.errand->ops->refused(rig.errand, 422, "{}", 2);
    ck_assert_ptr_null(dyno_desk_news(rig.desk, &heard));
    end(&rig, DYNO_FAILED);
    ck_assert_ptr_eq(dyno_desk_news(rig.desk, &heard), rig.answer);
    ck_assert_int_eq(heard.end, DYNO_ANSWER_FAILED);
    ck_assert_uint_eq(heard.refused, 422);
    ck_assert_uint_eq(heard.text_size, 2);
    ck_assert_uint_eq(heard.token_count, 0);
    close_rig(&rig);
}
END_TEST

START_TEST(what_nobody_takes_is_bounded)
{
    size_t size = 1 << 22, taken = 0;
    char *event = calloc(1, size);
    struct dyno_answer_news heard;
    struct rig rig;

    open_rig(&rig);
    while (rig.errand->ops->event(rig.errand, event, size)) {
        taken += size;
    }
    ck_assert_uint_eq(taken, DYNO_ANSWER_PAGE_MAX);
    ck_assert_ptr_nonnull(dyno_desk_news(rig.desk, &heard));
    ck_assert(rig.errand->ops->event(rig.errand, event, size)); /* there is room again */
    end(&rig, DYNO_FAILED);
    ck_assert_ptr_null(dyno_desk_news(rig.desk, &heard));
    ck_assert_ptr_nonnull(dyno_desk_news(rig.desk, &heard));
    close_rig(&rig);
    free(event);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("errand");

    tcase_add_test(cases, an_errand_says_what_to_ask_and_its_events_are_news);
    tcase_add_test(cases, a_refusal_comes_with_the_end);
    tcase_add_test(cases, what_nobody_takes_is_bounded);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("door/errand", add_cases)
