/* Lists of vectors, models and tokens, byte for byte. */
#include "backends/openai/response.h"
#include "tests/check_main.h"

#include <jansson.h>
#include <string.h>

static struct dyno_bytes new_bytes(void)
{
    struct dyno_bytes bytes;

    dyno_bytes_init(&bytes, 1 << 20);
    return bytes;
}

static void expect_bytes(struct dyno_bytes *bytes, const char *due)
{
    ck_assert_int_eq(bytes->status, DYNO_OK);
    ck_assert_msg(bytes->size == strlen(due) && memcmp(bytes->data, due, bytes->size) == 0,
                  "got\n%.*s\nnot\n%s", (int)bytes->size, bytes->data, due);
    dyno_bytes_release(bytes);
}

START_TEST(vectors_are_numbers_or_base64)
{
    const float vectors[] = {1, -2, 0.5F, 0};
    struct dyno_bytes out = new_bytes();

    dyno_openai_put_embeddings(&out, "m", vectors, 2, 2, false, 7);
    expect_bytes(&out, "{\"object\":\"list\",\"data\":["
                       "{\"object\":\"embedding\",\"index\":0,\"embedding\":[1,-2]},"
                       "{\"object\":\"embedding\",\"index\":1,\"embedding\":[0.5,0]}],"
                       "\"model\":\"m\",\"usage\":{\"prompt_tokens\":7,\"total_tokens\":7}}");
    out = new_bytes();
    /* 00 00 80 3f 00 00 00 c0, and 00 00 00 3f 00 00 00 00 */
    dyno_openai_put_embeddings(&out, "m", vectors, 2, 2, true, 7);
    expect_bytes(&out, "{\"object\":\"list\",\"data\":["
                       "{\"object\":\"embedding\",\"index\":0,\"embedding\":\"AACAPwAAAMA=\"},"
                       "{\"object\":\"embedding\",\"index\":1,\"embedding\":\"AAAAPwAAAAA=\"}],"
                       "\"model\":\"m\",\"usage\":{\"prompt_tokens\":7,\"total_tokens\":7}}");
}
END_TEST

START_TEST(a_long_vector_is_written_in_one_base64)
{
    float vector[2000];
    struct dyno_bytes out = new_bytes();
    const char *begin;
    size_t size;

    for (uint32_t i = 0; i < 2000; i++) {
        vector[i] = 1;
    }
    dyno_openai_put_embeddings(&out, "m", vector, 1, 1999, true, 7);
    dyno_bytes_put(&out, "", 1);
    begin = strstr(out.data, "\"embedding\":\"") + strlen("\"embedding\":\"");
    size = strcspn(begin, "\"");
    ck_assert_uint_eq(size, (1999 * 4 + 2) / 3 * 4);
    for (size_t i = 0; i + 16 <= size; i += 16) { /* three floats of 00 00 80 3f */
        ck_assert_mem_eq(begin + i, "AACAPwAAgD8AAIA/", size - i < 16 ? 0 : 16);
    }
    dyno_bytes_release(&out);
}
END_TEST

START_TEST(models_say_what_load_generators_read)
{
    const struct dyno_openai_model models[] = {
        {"a", "/models/a", NULL, 5, 4096}, {"b", "b", "a", 6, 8192}, {"c", "c", NULL, 7, 0}};
    struct dyno_bytes out = new_bytes();

    dyno_openai_put_models(&out, models, 3);
    expect_bytes(&out, "{\"object\":\"list\",\"data\":["
                       "{\"id\":\"a\",\"object\":\"model\",\"created\":5,\"owned_by\":\"dyno\","
                       "\"root\":\"/models/a\",\"parent\":null,\"max_model_len\":4096},"
                       "{\"id\":\"b\",\"object\":\"model\",\"created\":6,\"owned_by\":\"dyno\","
                       "\"root\":\"b\",\"parent\":\"a\",\"max_model_len\":8192},"
                       "{\"id\":\"c\",\"object\":\"model\",\"created\":7,\"owned_by\":\"dyno\","
                       "\"root\":\"c\",\"parent\":null}]}"); /* a length that nobody knows */
}
END_TEST

START_TEST(tokens_and_their_text)
{
    const uint32_t tokens[] = {1, 4294967295U};
    struct dyno_bytes out = new_bytes();

    dyno_openai_put_tokens(&out, tokens, 2, 99);
    dyno_openai_put_tokens(&out, NULL, 0, 99);
    dyno_openai_put_detokenized(&out, "a\n", 2);
    expect_bytes(&out, "{\"count\":2,\"max_model_len\":99,\"tokens\":[1,4294967295]}"
                       "{\"count\":0,\"max_model_len\":99,\"tokens\":[]}"
                       "{\"prompt\":\"a\\n\"}");
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("lists");

    tcase_add_test(cases, vectors_are_numbers_or_base64);
    tcase_add_test(cases, a_long_vector_is_written_in_one_base64);
    tcase_add_test(cases, models_say_what_load_generators_read);
    tcase_add_test(cases, tokens_and_their_text);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("openai/lists", add_cases)
