/* Tables of bodies and what is said of them, for the tests of requests. */
#ifndef DYNO_TESTS_BACKENDS_OPENAI_REFUSALS_H
#define DYNO_TESTS_BACKENDS_OPENAI_REFUSALS_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/openai/request.h"

/* A body, or one member of a body that is good without it. */
struct refusal {
    const char *text;
    const char *code, *param; /* param "": null */
    const char *words;        /* in the message */
};

/* `base` with `member` before its end: "{...}" and "\"x\":1". */
static inline char *with_member(const char *base, const char *member)
{
    size_t size = strlen(base) + strlen(member) + 2;
    char *text = malloc(size);

    ck_assert_ptr_nonnull(text);
    (void)snprintf(text, size, "%.*s,%s}", (int)strlen(base) - 1, base, member);
    return text;
}

static inline void expect_error(const struct dyno_openai_error *error, uint32_t http_status,
                                const struct refusal *due)
{
    ck_assert_msg(error->http_status == http_status, "%s: HTTP status %u", due->text,
                  error->http_status);
    ck_assert_msg(strcmp(error->code, due->code) == 0, "%s: code %s, not %s", due->text,
                  error->code, due->code);
    ck_assert_msg(strcmp(error->param, due->param) == 0, "%s: param '%s', not '%s'", due->text,
                  error->param, due->param);
    ck_assert_msg(strstr(error->cause.text, due->words), "%s: '%s' does not say '%s'", due->text,
                  error->cause.text, due->words);
}

#endif
