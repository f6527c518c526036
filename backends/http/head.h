/* The head of a request: request line and headers, judged by RFC 9112.
 *
 * Strict where leniency would let two readers of the same bytes see different requests: lines end
 * with CR LF only, no blank before a colon, no folded lines, one Host, one length, and never a
 * length and a transfer coding both.
 */
#ifndef DYNO_BACKENDS_HTTP_HEAD_H
#define DYNO_BACKENDS_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DYNO_HTTP_FIELDS_MAX = 100, DYNO_HTTP_PARAMETERS_MAX = 32 };

/* Where two strings lie, counted from the head's first byte. */
struct dyno_http_field {
    uint32_t name, value;
};

struct dyno_http_head {
    uint32_t method, path; /* as in struct dyno_http_field */
    uint32_t field_count, parameter_count;
    struct dyno_http_field fields[DYNO_HTTP_FIELDS_MAX];
    struct dyno_http_field parameters[DYNO_HTTP_PARAMETERS_MAX];
    uint64_t content_length; /* 0 without a body, and if chunked */
    bool is_1_1;             /* else HTTP/1.0 */
    bool is_head;            /* the method HEAD */
    bool keep_alive;
    bool chunked;
    bool expects_continue;
};

/* Why a request is refused; status 0: it is not. */
struct dyno_http_refusal {
    uint16_t status;
    const char *why; /* a constant */
};

/* How many bytes the head at `bytes` has, its empty line among them, or 0 if `size` bytes are not
 * all of it.  *scanned, 0 at first, is kept from call to call while bytes are added.  SIZE_MAX: a
 * line ends without CR, which can never become a request. */
size_t dyno_http_head_size(const char *bytes, size_t size, size_t *scanned);

/* `size` is what dyno_http_head_size said, below 4 GiB.  The bytes are changed: strings are decoded
 * and terminated in place.  On refusal `head` is undefined. */
struct dyno_http_refusal dyno_http_head_parse(struct dyno_http_head *head, char *bytes,
                                              size_t size);

/* The first field of that name, in any case; NULL: none. */
const char *dyno_http_head_find(const struct dyno_http_head *head, const char *bytes,
                                const char *name);

/* The parts of dyno_http_head_parse: the target `at`..`end` (path and query; `end` may be
 * overwritten), and what follows from the fields. */
struct dyno_http_refusal dyno_http_target_parse(struct dyno_http_head *head, char *bytes, char *at,
                                                char *end);
struct dyno_http_refusal dyno_http_framing_judge(struct dyno_http_head *head, const char *bytes);

/* A name of headers and methods may hold this byte (RFC 9110, "tchar"). */
bool dyno_http_is_token_byte(char byte);

static inline struct dyno_http_refusal dyno_http_refuse(uint16_t status, const char *why)
{
    return (struct dyno_http_refusal){.status = status, .why = why};
}

static inline struct dyno_http_refusal dyno_http_fine(void)
{
    return (struct dyno_http_refusal){0};
}

#endif
