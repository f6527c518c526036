/* One table of statuses. */
#include "backends/openai/error.h"

#include <inttypes.h>
#include <stdio.h>

#include "backends/openai/json_text.h"

struct status_row {
    uint32_t http_status;
    dyno_status status;
    const char *type;
};

static const struct status_row status_rows[] = {
    {400, DYNO_BAD_INPUT, "invalid_request_error"},
    {401, DYNO_REJECTED, "authentication_error"},
    {403, DYNO_REJECTED, "permission_error"},
    {404, DYNO_NOT_FOUND, "not_found_error"},
    {405, DYNO_BAD_INPUT, "invalid_request_error"},
    {408, DYNO_INTERRUPTED, "timeout_error"},
    {413, DYNO_FULL, "invalid_request_error"},
    {414, DYNO_FULL, "invalid_request_error"},
    {415, DYNO_BAD_INPUT, "invalid_request_error"},
    {417, DYNO_BAD_INPUT, "invalid_request_error"},
    {422, DYNO_BAD_INPUT, "invalid_request_error"},
    {429, DYNO_FULL, "rate_limit_error"},
    {431, DYNO_FULL, "invalid_request_error"},
    {501, DYNO_BAD_INPUT,
     "invalid_request_error"}, /* a coding or a version of HTTP that a client */
    {505, DYNO_BAD_INPUT, "invalid_request_error"}, /* chose, and that is not spoken here */
    {503, DYNO_WORKER_GONE, "service_unavailable_error"},
    {504, DYNO_INTERRUPTED, "timeout_error"},
    {500, DYNO_NO_MEMORY, "server_error"}, /* the last one is for all others */
};

static const struct status_row *row_of(uint32_t http_status)
{
    const struct status_row *row = status_rows;
    const struct status_row *last = status_rows + sizeof status_rows / sizeof *status_rows - 1;

    while (row < last && row->http_status != http_status) {
        row++;
    }
    return row;
}

const char *dyno_openai_error_type(uint32_t http_status)
{
    return row_of(http_status)->type;
}

/* A sentence is one line, whatever it quotes. */
static void clean(char *text)
{
    for (; *text; text++) {
        *text = (unsigned char)*text < 0x20 || *text == 0x7F ? '?' : *text;
    }
}

dyno_status dyno_openai_fail(struct dyno_openai_error *error, uint32_t http_status,
                             const char *code, const char *param, const char *format, ...)
{
    va_list arguments;

    error->http_status = http_status;
    error->code = code;
    (void)snprintf(error->param, sizeof error->param, "%s", param ? param : "");
    error->cause.status = row_of(http_status)->status;
    va_start(arguments, format);
    (void)vsnprintf(error->cause.text, sizeof error->cause.text, format, arguments);
    va_end(arguments);
    clean(error->param);
    clean(error->cause.text);
    return error->cause.status;
}

dyno_status dyno_openai_fail_context(struct dyno_openai_error *error, const char *param,
                                     uint64_t prompt_tokens, uint64_t max_tokens,
                                     uint64_t context_tokens)
{
    if (prompt_tokens >= context_tokens) {
        return dyno_openai_fail(error, 400, DYNO_OPENAI_CODE_CONTEXT, param,
                                "this model's context is %" PRIu64
                                " tokens; the prompt alone has %" PRIu64
                                ", and an answer needs one: shorten it",
                                context_tokens, prompt_tokens);
    }
    return dyno_openai_fail(error, 400, DYNO_OPENAI_CODE_CONTEXT, param,
                            "this model's context is %" PRIu64 " tokens; the prompt has %" PRIu64
                            " and %" PRIu64 " more were asked for: shorten one of them",
                            context_tokens, prompt_tokens, max_tokens);
}

void dyno_openai_error_put(struct dyno_bytes *out, const struct dyno_openai_error *error)
{
    dyno_bytes_put_text(out, "{\"error\":{\"message\":");
    dyno_json_put_text(out, error->cause.text);
    dyno_bytes_put_text(out, ",\"type\":");
    dyno_json_put_text(out, dyno_openai_error_type(error->http_status));
    dyno_bytes_put_text(out, ",\"param\":");
    dyno_json_put_text(out, error->param[0] ? error->param : NULL);
    dyno_bytes_put_text(out, ",\"code\":");
    dyno_json_put_text(out, error->code);
    dyno_bytes_put_text(out, "}}");
}
