#include "backends/client/response.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/words.h"

/* A line or a value that is not terminated. */
struct text {
    const char *at;
    size_t size;
};

static bool is(struct text text, const char *word)
{
    return text.size == strlen(word) && strncasecmp(text.at, word, text.size) == 0;
}

static struct text trim(struct text text)
{
    while (text.size > 0 && (*text.at == ' ' || *text.at == '\t')) {
        text.at++;
        text.size--;
    }
    while (text.size > 0 && (text.at[text.size - 1] == ' ' || text.at[text.size - 1] == '\t')) {
        text.size--;
    }
    return text;
}

static dyno_status refuse(struct dyno_error *error, const char *why, struct text line)
{
    char copy[DYNO_QUOTE_MAX], quoted[DYNO_QUOTE_MAX];
    size_t size = line.size < sizeof copy - 1 ? line.size : sizeof copy - 1;

    memcpy(copy, line.at, size);
    copy[size] = '\0';
    return dyno_fail(error, DYNO_BAD_INPUT, "no proper HTTP response: %s: %s", why,
                     dyno_quote(quoted, copy));
}

/* ---- head ------------------------------------------------------------------------------------ */

static bool is_digit(char letter)
{
    return letter >= '0' && letter <= '9';
}

static dyno_status take_status_line(struct dyno_client_response *response, struct text line,
                                    struct dyno_error *error)
{
    const char *at = line.at;
    uint32_t status;

    if (line.size < 12 || memcmp(at, "HTTP/1.", 7) != 0 || (at[7] != '0' && at[7] != '1') ||
        at[8] != ' ' || !is_digit(at[9]) || !is_digit(at[10]) || !is_digit(at[11]) ||
        (line.size > 12 && at[12] != ' ')) {
        return refuse(error, "it does not begin like one of HTTP/1.0 or 1.1", line);
    }
    status = (uint32_t)((at[9] - '0') * 100 + (at[10] - '0') * 10 + (at[11] - '0'));
    if (status < 100 || status > 599 || status == 101) {
        return refuse(error, "a status that cannot be", line);
    }
    response->head = (struct dyno_client_head){.status = status, .minor = (uint32_t)(at[7] - '0')};
    response->has_length = response->is_chunked = false;
    response->keeps = response->closes = false;
    response->lines = 0;
    response->left = 0;
    response->stage = DYNO_CLIENT_FIELDS;
    return DYNO_OK;
}

static dyno_status take_length(struct dyno_client_response *response, struct text value,
                               struct dyno_error *error)
{
    uint64_t length = 0;

    for (size_t i = 0; i < value.size; i++) {
        if (!is_digit(value.at[i]) || i >= 18) {
            return refuse(error, "a Content-Length that is no number", value);
        }
        length = length * 10 + (uint64_t)(value.at[i] - '0');
    }
    if (value.size == 0 || (response->has_length && response->left != length)) {
        return refuse(error, "no single Content-Length", value);
    }
    response->has_length = true;
    response->left = length;
    return DYNO_OK;
}

/* The next item of a list with commas, which is moved past it; false: none is left. */
static bool next_item(struct text *list, struct text *item)
{
    const char *comma = memchr(list->at, ',', list->size);
    size_t size = comma ? (size_t)(comma - list->at) : list->size;

    if (list->size == 0) {
        return false;
    }
    *item = trim((struct text){list->at, size});
    list->at += size + (comma != NULL);
    list->size -= size + (comma != NULL);
    return true;
}

static void take_connection(struct dyno_client_response *response, struct text value)
{
    struct text item;

    while (next_item(&value, &item)) {
        response->keeps |= is(item, "keep-alive");
        response->closes |= is(item, "close");
    }
}

static void take_type(struct dyno_client_response *response, struct text value)
{
    const char *end = memchr(value.at, ';', value.size);
    struct text type = trim((struct text){value.at, end ? (size_t)(end - value.at) : value.size});
    char *out = response->head.content_type;

    if (type.size >= DYNO_CLIENT_TYPE_MAX) {
        type.size = DYNO_CLIENT_TYPE_MAX - 1;
    }
    for (size_t i = 0; i < type.size; i++) {
        char letter = type.at[i];

        out[i] = letter >= 'A' && letter <= 'Z' ? (char)(letter - 'A' + 'a') : letter;
    }
    out[type.size] = '\0';
}

static dyno_status take_field(struct dyno_client_response *response, struct text line,
                              struct dyno_error *error)
{
    const char *colon = memchr(line.at, ':', line.size);
    struct text name = {line.at, colon ? (size_t)(colon - line.at) : 0};
    struct text value;

    if (++response->lines > DYNO_CLIENT_LINES_MAX) {
        return refuse(error, "a head of too many lines", line);
    }
    if (name.size == 0 || *line.at == ' ' || *line.at == '\t' || colon[-1] == ' ' ||
        memchr(line.at, '\0', line.size)) {
        return refuse(error, "a line that is no field", line);
    }
    value = trim((struct text){colon + 1, line.size - name.size - 1});
    if (is(name, "content-length")) {
        return take_length(response, value, error);
    }
    if (is(name, "transfer-encoding")) {
        if (!is(value, "chunked") || response->is_chunked) {
            return refuse(error, "a Transfer-Encoding other than chunked", value);
        }
        response->is_chunked = true;
    } else if (is(name, "connection")) {
        take_connection(response, value);
    } else if (is(name, "content-type")) {
        take_type(response, value);
    }
    return DYNO_OK;
}

/* The empty line after the fields. */
static dyno_status end_head(struct dyno_client_response *response,
                            const struct dyno_client_listener *listener, struct dyno_error *error)
{
    static const struct text nothing = {"", 0};

    if (response->head.status < 200) {
        response->stage = DYNO_CLIENT_STATUS_LINE;
        return ++response->interims <= DYNO_CLIENT_LINES_MAX
                   ? DYNO_OK
                   : refuse(error, "nothing but interim responses", nothing);
    }
    if (response->is_chunked && response->has_length) {
        return refuse(error, "chunks and a Content-Length", nothing);
    }
    if (response->head.status == 204 || response->head.status == 304 ||
        (response->has_length && response->left == 0)) {
        response->stage = DYNO_CLIENT_DONE;
    } else if (response->is_chunked) {
        response->stage = DYNO_CLIENT_CHUNK_SIZE;
    } else {
        response->stage = response->has_length ? DYNO_CLIENT_SIZED : DYNO_CLIENT_UNTIL_END;
    }
    listener->head(listener->context, &response->head);
    return DYNO_OK;
}

/* ---- body ------------------------------------------------------------------------------------ */

static int hex_value(char letter)
{
    if (is_digit(letter)) {
        return letter - '0';
    }
    letter |= 0x20;
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* "1a2b ; extension=value" */
static dyno_status take_chunk_size(struct dyno_client_response *response, struct text line,
                                   struct dyno_error *error)
{
    uint64_t size = 0;
    size_t digits = 0;

    while (digits < line.size && hex_value(line.at[digits]) >= 0) {
        if (digits == 15) {
            return refuse(error, "a chunk's size that is too large", line);
        }
        size = size * 16 + (uint64_t)hex_value(line.at[digits++]);
    }
    line.at += digits;
    line.size -= digits;
    if (digits == 0 || (trim(line).size > 0 && *trim(line).at != ';')) {
        return refuse(error, "a chunk without a size", line);
    }
    response->left = size;
    response->lines = 0;
    response->stage = size > 0 ? DYNO_CLIENT_CHUNK : DYNO_CLIENT_TRAILERS;
    return DYNO_OK;
}

static size_t take_body(struct dyno_client_response *response, const char *bytes, size_t size,
                        const struct dyno_client_listener *listener)
{
    if (response->stage != DYNO_CLIENT_UNTIL_END) {
        size = size < response->left ? size : (size_t)response->left;
        response->left -= size;
    }
    listener->body(listener->context, bytes, size);
    if (response->left == 0 && response->stage == DYNO_CLIENT_SIZED) {
        response->stage = DYNO_CLIENT_DONE;
    } else if (response->left == 0 && response->stage == DYNO_CLIENT_CHUNK) {
        response->stage = DYNO_CLIENT_CHUNK_END;
    }
    return size;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static dyno_status take_line(struct dyno_client_response *response, struct text line,
                             const struct dyno_client_listener *listener, struct dyno_error *error)
{
    if (line.size > 0 && line.at[line.size - 1] == '\r') {
        line.size--;
    }
    switch (response->stage) {
    case DYNO_CLIENT_STATUS_LINE:
        return take_status_line(response, line, error);
    case DYNO_CLIENT_FIELDS:
        return line.size > 0 ? take_field(response, line, error)
                             : end_head(response, listener, error);
    case DYNO_CLIENT_CHUNK_SIZE:
        return take_chunk_size(response, line, error);
    case DYNO_CLIENT_CHUNK_END:
        response->stage = DYNO_CLIENT_CHUNK_SIZE;
        return line.size == 0 ? DYNO_OK : refuse(error, "a chunk longer than its size", line);
    default: /* DYNO_CLIENT_TRAILERS */
        if (line.size == 0) {
            response->stage = DYNO_CLIENT_DONE;
        }
        return ++response->lines <= DYNO_CLIENT_LINES_MAX
                   ? DYNO_OK
                   : refuse(error, "too many trailers", line);
    }
}

/* Keep the beginning of a line until the rest of it comes. */
static dyno_status keep_part(struct dyno_client_response *response, const char *bytes, size_t size,
                             struct dyno_error *error)
{
    if (size > DYNO_CLIENT_LINE_MAX - response->line_size) {
        return refuse(error, "a line that is too long", (struct text){bytes, size});
    }
    if (!response->line && !(response->line = malloc(DYNO_CLIENT_LINE_MAX))) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a line of a response");
    }
    memcpy(response->line + response->line_size, bytes, size);
    response->line_size += size;
    return DYNO_OK;
}

/* One line, or what there is of it; `*used` bytes were looked at. */
static dyno_status push_line(struct dyno_client_response *response, const char *bytes, size_t size,
                             size_t *used, const struct dyno_client_listener *listener,
                             struct dyno_error *error)
{
    const char *end = memchr(bytes, '\n', size);
    struct text line = {bytes, end ? (size_t)(end - bytes) : size};
    dyno_status status;

    *used = line.size + (end != NULL);
    if (!end) {
        return keep_part(response, bytes, line.size, error);
    }
    if (response->line && response->line_size > 0) {
        DYNO_TRY(keep_part(response, bytes, line.size, error));
        line = (struct text){response->line, response->line_size};
    }
    if (line.size > DYNO_CLIENT_LINE_MAX) {
        return refuse(error, "a line that is too long", line);
    }
    response->line_size = 0;
    status = take_line(response, line, listener, error);
    if (response->line && response->stage != DYNO_CLIENT_FIELDS) {
        free(response->line); /* thousands of streams are open at once */
        response->line = NULL;
    }
    return status;
}

/* ---- public ---------------------------------------------------------------------------------- */

void dyno_client_response_init(struct dyno_client_response *response)
{
    *response = (struct dyno_client_response){.stage = DYNO_CLIENT_STATUS_LINE};
}

void dyno_client_response_release(struct dyno_client_response *response)
{
    free(response->line);
    response->line = NULL;
}

dyno_status dyno_client_response_push(struct dyno_client_response *response, const char *bytes,
                                      size_t size, size_t *used,
                                      const struct dyno_client_listener *listener,
                                      struct dyno_error *error)
{
    size_t at = 0;

    response->began |= size > 0;
    while (at < size && response->stage != DYNO_CLIENT_DONE) {
        size_t step;

        if (response->stage == DYNO_CLIENT_SIZED || response->stage == DYNO_CLIENT_UNTIL_END ||
            response->stage == DYNO_CLIENT_CHUNK) {
            step = take_body(response, bytes + at, size - at, listener);
        } else {
            DYNO_TRY(push_line(response, bytes + at, size - at, &step, listener, error));
        }
        at += step;
    }
    *used = at;
    return DYNO_OK;
}

dyno_status dyno_client_response_close(struct dyno_client_response *response,
                                       struct dyno_error *error)
{
    if (response->stage == DYNO_CLIENT_UNTIL_END) {
        response->stage = DYNO_CLIENT_DONE;
        response->closes = true;
    }
    if (response->stage == DYNO_CLIENT_DONE) {
        return DYNO_OK;
    }
    return dyno_fail(error, DYNO_IO, "the server closed the connection %s",
                     !response->began                        ? "without an answer"
                     : response->stage <= DYNO_CLIENT_FIELDS ? "within the head of its answer"
                                                             : "within its answer");
}

bool dyno_client_response_is_done(const struct dyno_client_response *response)
{
    return response->stage == DYNO_CLIENT_DONE;
}

bool dyno_client_response_keeps(const struct dyno_client_response *response)
{
    return !response->closes && (response->head.minor == 1 || response->keeps);
}
