/* Which of several models a request asks for: by its line, by its tenant, by shares. */
#include "tests/check_main.h"
#include "tests/traces/support.h"

/* "chat" has two thirds of what nothing else decides; "code" the rest, and tenants 3 and 5. */
static struct dyno_model_choice two(void)
{
    return (struct dyno_model_choice){
        .seed = 7,
        .count = 2,
        .of = {{.name = "chat", .shares = {.count = 1, .of = {{.share = 2.0}}}},
               {.name = "code",
                .shares = {.count = 1, .of = {{.share = 1.0}}},
                .tenants = {3, 5},
                .tenant_count = 2}}};
}

static void haul_models(struct haul *haul, const char *text, const struct dyno_model_choice *choice)
{
    struct dyno_trace_config config = config_of(text);
    struct dyno_pacing_config pacing = pacing_of(16);

    config.models = pacing.models = choice;
    haul_trace(haul, &config, &pacing);
}

static void expect_models(const char *text, const uint32_t *models, size_t count)
{
    struct dyno_model_choice choice = two();
    struct haul haul;

    haul_models(&haul, text, &choice);
    ck_assert_msg(haul.status == DYNO_OK, "%s", haul.error.text);
    ck_assert_uint_eq(haul.count, count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_eq(haul.items[i].request.model, models[i]);
    }
    haul_release(&haul);
}

START_TEST(a_line_names_its_model_and_that_counts_more_than_its_tenant)
{
    expect_models("{\"timestamp\": 0, \"input_length\": 5, \"output_length\": 1, \"model\": "
                  "\"code\"}\n"
                  "{\"timestamp\": 1, \"input_length\": 5, \"output_length\": 1, \"model\": "
                  "\"chat\", \"tenant\": 5}\n",
                  (uint32_t[]){1, 0}, 2);
    expect_models("Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
                  "5,chat,472,18,490,x\n6,code,1,1,2,x\n",
                  (uint32_t[]){0, 1}, 2);
}
END_TEST

START_TEST(a_tenant_has_its_model)
{
    expect_models("{\"timestamp\": 0, \"input_length\": 5, \"output_length\": 1, \"tenant\": 3}\n"
                  "{\"timestamp\": 1, \"input_length\": 5, \"output_length\": 1, \"tenant\": 5}\n",
                  (uint32_t[]){1, 1}, 2);
}
END_TEST

START_TEST(a_model_that_is_not_served_is_refused_by_name)
{
    struct dyno_model_choice choice = two();
    struct haul haul;

    haul_models(&haul,
                "{\"timestamp\": 0, \"input_length\": 5, \"output_length\": 1, \"model\": "
                "\"Code\"}\n",
                &choice);
    ck_assert_int_eq(haul.status, DYNO_BAD_INPUT);
    ck_assert_str_eq(haul.error.text,
                     "t:1:66: model is \"Code\"; expected one of the models of the fleet: chat, "
                     "code");
    haul_release(&haul);
    /* Where there is one model nobody looks at what stands there, as ever. */
    haul_text(&haul, "{\"timestamp\": 0, \"input_length\": 5, \"output_length\": 1, \"model\": "
                     "{\"any\": [1]}, \"model\": 2}\n");
    ck_assert_int_eq(haul.status, DYNO_OK);
    ck_assert_uint_eq(haul.items[0].request.model, 0);
    haul_release(&haul);
}
END_TEST

START_TEST(a_tenant_whom_no_model_is_for_is_refused_where_none_has_a_share)
{
    struct dyno_model_choice choice = two();
    struct haul haul;

    choice.of[0].shares.of[0].share = choice.of[1].shares.of[0].share = 0.0;
    haul_models(&haul,
                "{\"timestamp\": 0, \"input_length\": 5, \"output_length\": 1, \"tenant\": 3}\n"
                "{\"timestamp\": 1, \"input_length\": 5, \"output_length\": 1, \"tenant\": 4}\n",
                &choice);
    ck_assert_int_eq(haul.status, DYNO_BAD_INPUT);
    ck_assert_str_eq(haul.error.text, "t: request 1 is of tenant 4, for whom there is no model, "
                                      "and none has a share at that time");
    haul_release(&haul);
}
END_TEST

/* 30,000 draws of 2/3: a deviation of 82. */
START_TEST(the_rest_is_drawn_by_shares)
{
    struct dyno_model_choice choice = two();
    uint32_t chats = 0, again = 0;

    for (uint64_t id = 0; id < 30000; id++) {
        uint32_t model = dyno_model_choice_pick(&choice, 0, id, 0, 0);

        chats += model == 0;
        again += model == dyno_model_choice_pick(&choice, 0, id, 0, 7);
        ck_assert_uint_eq(dyno_model_choice_pick(&choice, 0, id, 0, 5), 1);
    }
    ck_assert_uint_eq(again, 30000); /* no matter of what was drawn before */
    ck_assert(chats > 20000 - 330 && chats < 20000 + 330);
    for (uint64_t session = 1; session < 100; session++) {
        uint32_t model = dyno_model_choice_pick(&choice, 0, 1, session, 0);

        for (uint64_t id = 2; id < 10; id++) {
            ck_assert_uint_eq(dyno_model_choice_pick(&choice, 0, id, session, 0), model);
        }
    }
}
END_TEST

START_TEST(shares_change_at_their_times)
{
    struct dyno_model_choice choice = two();

    choice.of[0].shares =
        (struct dyno_model_shares){.count = 3, .of = {{0, 1.0}, {DYNO_S, 0.0}, {3 * DYNO_S, 1.0}}};
    choice.of[1].shares =
        (struct dyno_model_shares){.count = 2, .of = {{0, 0.0}, {2 * DYNO_S, 1.0}}};
    for (uint64_t id = 0; id < 100; id++) {
        ck_assert_uint_eq(dyno_model_choice_pick(&choice, DYNO_S - 1, id, 0, 0), 0);
        ck_assert_uint_eq(dyno_model_choice_pick(&choice, DYNO_S, id, 0, 0), 2); /* nobody's */
        ck_assert_uint_eq(dyno_model_choice_pick(&choice, 2 * DYNO_S, id, 0, 0), 1);
        ck_assert_uint_lt(dyno_model_choice_pick(&choice, 3 * DYNO_S, id, 0, 0), 2);
    }
}
END_TEST

/* Read ahead into memory, the lines say the same. */
START_TEST(what_is_read_ahead_keeps_its_model)
{
    struct dyno_model_choice choice = two();
    struct dyno_trace_config config = config_of(
        "{\"timestamp\": 0, \"input_length\": 5, \"output_length\": 1, \"model\": \"code\"}\n"
        "{\"timestamp\": 1, \"input_length\": 5, \"output_length\": 1, \"model\": \"chat\"}\n");
    struct dyno_pacing_config pacing = pacing_of(16);
    struct dyno_source *source;
    struct haul haul;

    config.models = pacing.models = &choice;
    haul_init(&haul);
    ck_assert_int_eq(dyno_trace_open(&source, &config, &pacing, &haul.answers, &haul.error),
                     DYNO_OK);
    ck_assert_int_eq(dyno_source_preload(&source, source, &haul.answers, &haul.error), DYNO_OK);
    haul_all(&haul, source, 0);
    source->ops->close(source);
    ck_assert_uint_eq(haul.count, 2);
    ck_assert_uint_eq(haul.items[0].request.model, 1);
    ck_assert_uint_eq(haul.items[1].request.model, 0);
    haul_release(&haul);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("model_choice");

    tcase_add_test(cases, a_line_names_its_model_and_that_counts_more_than_its_tenant);
    tcase_add_test(cases, a_tenant_has_its_model);
    tcase_add_test(cases, a_model_that_is_not_served_is_refused_by_name);
    tcase_add_test(cases, a_tenant_whom_no_model_is_for_is_refused_where_none_has_a_share);
    tcase_add_test(cases, the_rest_is_drawn_by_shares);
    tcase_add_test(cases, shares_change_at_their_times);
    tcase_add_test(cases, what_is_read_ahead_keeps_its_model);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("traces/model_choice", add_cases)
