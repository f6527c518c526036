/* What a client is told when its request is refused: {"error": {message, type, param, code}}.
 *
 * Source: the schema `Error` of the OpenAI API, and the classes its clients make of statuses. */
#ifndef DYNO_BACKENDS_OPENAI_ERROR_H
#define DYNO_BACKENDS_OPENAI_ERROR_H

#include <stdarg.h>
#include <stdint.h>

#include "backends/openai/bytes.h"
#include "core/base/status.h"

enum { DYNO_OPENAI_PARAM_MAX = 160 };

/* Codes that programs look for; others may be made up where they are used. */
#define DYNO_OPENAI_CODE_CONTEXT "context_length_exceeded"
#define DYNO_OPENAI_CODE_UNKNOWN "unknown_parameter" /* no such field anywhere */
#define DYNO_OPENAI_CODE_UNSUPPORTED                                                               \
    "unsupported_parameter" /* a field of the API, not done here                                   \
                             */
#define DYNO_OPENAI_CODE_MISSING "missing_required_parameter"
#define DYNO_OPENAI_CODE_TYPE    "invalid_type"
#define DYNO_OPENAI_CODE_VALUE   "invalid_value"
#define DYNO_OPENAI_CODE_JSON    "invalid_json"
#define DYNO_OPENAI_CODE_SIZE    "request_too_large"
#define DYNO_OPENAI_CODE_MODEL   "model_not_found"
#define DYNO_OPENAI_CODE_KEY     "invalid_api_key"
#define DYNO_OPENAI_CODE_RATE    "rate_limit_exceeded"

struct dyno_openai_error {
    uint32_t http_status;              /* one that dyno_openai_error_type knows */
    const char *code;                  /* static; NULL: null */
    char param[DYNO_OPENAI_PARAM_MAX]; /* the field, as "messages[2].content"; "": null */
    struct dyno_error cause;           /* the message, which may quote the request: for the client,
                                        * not for logs; and the status that was returned */
};

/* The `type` that goes with an HTTP status; "server_error" for one that has none of its own. */
const char *dyno_openai_error_type(uint32_t http_status);

/* Fill `error` (not NULL) and return what its HTTP status is called inside: DYNO_BAD_INPUT for 400,
 * 405, 415 and 422; DYNO_REJECTED for 401 and 403; DYNO_NOT_FOUND for 404; DYNO_FULL for 413 and
 * 429; DYNO_WORKER_GONE for 503; DYNO_INTERRUPTED for 408 and 504; DYNO_NO_MEMORY for the rest.
 * `param` may be NULL. */
dyno_status dyno_openai_fail(struct dyno_openai_error *error, uint32_t http_status,
                             const char *code, const char *param, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* 400: the prompt, or the prompt and what was asked for, is longer than the model's context. */
dyno_status dyno_openai_fail_context(struct dyno_openai_error *error, const char *param,
                                     uint64_t prompt_tokens, uint64_t max_tokens,
                                     uint64_t context_tokens);

/* 500: no memory; what every parser returns when an allocation fails. */
static inline dyno_status dyno_openai_fail_memory(struct dyno_openai_error *error)
{
    (void)dyno_openai_fail(error, 500, NULL, NULL, "no memory for this request");
    return DYNO_NO_MEMORY; /* here, so that compilers see that it is no success */
}

/* The body of a refusal, with all four keys. */
void dyno_openai_error_put(struct dyno_bytes *out, const struct dyno_openai_error *error);

#endif
