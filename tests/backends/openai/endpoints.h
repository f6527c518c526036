/* Every endpoint with a body, for tests that ask all of them the same. */
#ifndef DYNO_TESTS_BACKENDS_OPENAI_ENDPOINTS_H
#define DYNO_TESTS_BACKENDS_OPENAI_ENDPOINTS_H

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "backends/openai/chat.h"
#include "backends/openai/completion.h"
#include "backends/openai/embedding.h"
#include "backends/openai/responses.h"
#include "backends/openai/tokenize.h"

/* Read a body and release it again. */
#define DYNO_TEST_READ(noun)                                                                       \
    static inline dyno_status read_##noun(const char *body, struct dyno_openai_error *error)       \
    {                                                                                              \
        struct dyno_openai_rules rules = dyno_openai_rules_default();                              \
        struct dyno_openai_##noun request;                                                         \
        dyno_status status =                                                                       \
            dyno_openai_##noun##_read(&request, body, strlen(body), &rules, error);                \
                                                                                                   \
        if (status == DYNO_OK) {                                                                   \
            dyno_openai_##noun##_release(&request);                                                \
        }                                                                                          \
        return status;                                                                             \
    }

DYNO_TEST_READ(chat)
DYNO_TEST_READ(completion)
DYNO_TEST_READ(responses)
DYNO_TEST_READ(embedding)
DYNO_TEST_READ(tokenize)
DYNO_TEST_READ(detokenize)

static const struct endpoint {
    const char *schema;     /* in our description */
    const char *api_schema; /* in the API's own; NULL: it has none */
    dyno_status (*read)(const char *body, struct dyno_openai_error *error);
} endpoints[] = {
    {"ChatCompletionRequest", "CreateChatCompletionRequest", read_chat},
    {"CompletionRequest", "CreateCompletionRequest", read_completion},
    {"ResponseRequest", "CreateResponse", read_responses},
    {"EmbeddingRequest", "CreateEmbeddingRequest", read_embedding},
    {"TokenizeRequest", NULL, read_tokenize},
    {"DetokenizeRequest", NULL, read_detokenize},
};

/* What is said of a body with the one field `name`, whose value suits no field.  A field that may
 * have any value is said to be all right, and then something else is missing. */
static inline const char *code_of_odd_value(const struct endpoint *endpoint, const char *name)
{
    struct dyno_openai_error error = {.code = NULL};
    char body[256];

    (void)snprintf(body, sizeof body, "{\"%s\":{\"quux\":[{}]}}", name);
    ck_assert_msg(endpoint->read(body, &error) != DYNO_OK, "%s was taken", body);
    ck_assert_ptr_nonnull(error.code);
    return strstr(error.param, ".quux") ? "" : error.code;
}

#endif
