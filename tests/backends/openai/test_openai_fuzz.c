/* Seeded mutations of requests and answers through the fuzz harness: a fuzzer of a few seconds. */
#include "core/base/rng.h"
#include "tests/check_main.h"
#include "tests/fuzz/fuzz_openai.c"

enum { TEXT_MAX = 4000, MUTATIONS = 400 };

/* The first byte is the endpoint. */
static const char *const seeds[] = {
    ("0{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
     "\"a\"}]},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c\",\"type\":"
     "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1}\"}}]},{\"role\":"
     "\"tool\",\"tool_call_id\":\"c\",\"content\":\"2\"}],\"temperature\":0.7,\"top_p\":0.9,"
     "\"stop\":[\"a\",\"b\"],\"logit_bias\":{\"5\":-1},\"logprobs\":true,\"top_logprobs\":3,"
     "\"stream\":true,\"stream_options\":{\"include_usage\":true},\"tools\":[{\"type\":"
     "\"function\",\"function\":{\"name\":\"f\",\"parameters\":{}}}],\"tool_choice\":\"auto\","
     "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"s\",\"schema\":{}}}"
     ","
     "\"max_completion_tokens\":9,\"seed\":1,\"n\":2}"),
    "1{\"model\":\"m\",\"prompt\":[[1,2],[3]],\"echo\":true,\"max_tokens\":0,\"logprobs\":5}",
    "1{\"model\":\"m\",\"prompt\":[\"a\",\"b\"],\"n\":3,\"best_of\":3,\"min_tokens\":1}",
    ("2{\"model\":\"m\",\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_text\","
     "\"text\":"
     "\"a\"}]},{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"f\",\"arguments\":\"{}\"},{"
     "\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":\"2\"}],\"instructions\":"
     "\"i\",\"text\":{\"format\":{\"type\":\"json_object\"}},\"tools\":[{\"type\":\"function\","
     "\"name\":\"f\",\"parameters\":{},\"strict\":true}],\"metadata\":{\"k\":\"v\"},\"include\":["
     "\"message.output_text.logprobs\"],\"top_logprobs\":1,\"max_output_tokens\":5}"),
    "3{\"model\":\"m\",\"input\":[1,2],\"encoding_format\":\"base64\",\"dimensions\":8}",
    "4{\"prompt\":\"a\",\"add_special_tokens\":false}",
    "4{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"tools\":[]}",
    "4{\"tokens\":[1,2,3]}",
    "5a <tool_call>{\"name\":\"f\",\"arguments\":{\"x\":[1,\"}\"]}}</tool_call> b",
    "5<tool_call><function=f><parameter=x>1</parameter></function></tool_call>",
    "6{\"name\":\"f\",\"parameters\":{}};<|python_tag|>{\"name\":\"f\"}",
    "7[TOOL_CALLS][{\"name\":\"f\",\"arguments\":{}}][TOOL_CALLS]f[ARGS]{\"x\":1}",
};

static const char *const pieces[] = {"{",
                                     "}",
                                     "[",
                                     "]",
                                     ",",
                                     ":",
                                     "\"",
                                     "\\",
                                     "null",
                                     "true",
                                     "-1",
                                     "1e9",
                                     "0.5",
                                     "\"a\"",
                                     "[[1]]",
                                     "\\u0000",
                                     "\xff",
                                     "\xe6\x97",
                                     "\\ud800",
                                     "1e999",
                                     "99999999999999999999",
                                     "{\"type\":\"x\"}",
                                     "\"n\":0,",
                                     "\"model\":1,",
                                     "[[[[[[[[[[[[[[[[[[[[",
                                     "<tool_call>",
                                     "\"name\":\"f\""};

static size_t mutate(struct dyno_rng *rng, char *text, size_t size)
{
    size_t at = dyno_rng_below(rng, size + 1);
    const char *piece = pieces[dyno_rng_below(rng, sizeof pieces / sizeof *pieces)];
    size_t more = strlen(piece), gone = dyno_rng_below(rng, size - at + 1);

    if (dyno_rng_below(rng, 2) && size + more < TEXT_MAX) {
        memmove(text + at + more, text + at, size - at);
        memcpy(text + at, piece, more);
        return size + more;
    }
    gone = gone > 10 ? 10 : gone;
    memmove(text + at, text + at + gone, size - at - gone);
    return size - gone;
}

/* Put a piece in the place of one value: what follows a colon, to the next comma or bracket. */
static size_t replace_value(struct dyno_rng *rng, char *text, size_t size)
{
    const char *piece = pieces[dyno_rng_below(rng, sizeof pieces / sizeof *pieces)];
    size_t at = dyno_rng_below(rng, size + 1), end, more = strlen(piece);

    while (at < size && text[at] != ':') {
        at++;
    }
    at += at < size;
    for (end = at; end < size && !strchr(",]}", text[end]); end++) {
    }
    if (size - (end - at) + more >= TEXT_MAX) {
        return size;
    }
    memmove(text + at + more, text + end, size - end);
    memcpy(text + at, piece, more);
    return size - (end - at) + more;
}

START_TEST(no_bytes_crash_a_request)
{
    struct dyno_rng rng;
    char text[TEXT_MAX];

    dyno_rng_init(&rng, (uint64_t)_i, "fuzz");
    for (int i = 0; i < MUTATIONS; i++) {
        const char *seed = seeds[dyno_rng_below(&rng, sizeof seeds / sizeof *seeds)];
        size_t size = strlen(seed);

        memcpy(text, seed, size);
        text[0] = (char)(text[0] - '0');
        for (uint64_t times = dyno_rng_below(&rng, 4); times > 0; times--) {
            size = dyno_rng_below(&rng, 2) ? mutate(&rng, text, size)
                                           : replace_value(&rng, text, size);
        }
        (void)LLVMFuzzerTestOneInput((const uint8_t *)text, size);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("fuzz");

    tcase_set_timeout(cases, 120);
    tcase_add_loop_test(cases, no_bytes_crash_a_request, 0, 10);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("openai/fuzz", add_cases)
