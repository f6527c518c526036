/* What a request's headers say of its body and of its connection (RFC 9112, sections 3.2, 6 and
 * 9.3).  Everything that has been used to smuggle a request past another reader is refused. */
#include <string.h>
#include <strings.h>

#include "backends/http/head.h"

/* What is collected while the fields are gone through. */
struct framing {
    uint32_t hosts, lengths, codings;
    const char *length, *coding, *expectation;
    bool close, keep_alive;
};

/* `list` has `word`, in any case, between its commas. */
static bool has_word(const char *list, const char *word)
{
    size_t size = strlen(word);

    while (*list) {
        list += strspn(list, ", \t");
        if (strncasecmp(list, word, size) == 0 && strcspn(list + size, ", \t") == 0) {
            return true;
        }
        list += strcspn(list, ",");
    }
    return false;
}

static void note_field(struct framing *framing, const char *name, const char *value)
{
    switch (name[0] | 0x20) {
    case 'h':
        framing->hosts += strcasecmp(name, "host") == 0;
        break;
    case 'c':
        if (strcasecmp(name, "content-length") == 0) {
            framing->lengths++;
            framing->length = value;
        } else if (strcasecmp(name, "connection") == 0) {
            framing->close |= has_word(value, "close");
            framing->keep_alive |= has_word(value, "keep-alive");
        }
        break;
    case 't':
        if (strcasecmp(name, "transfer-encoding") == 0) {
            framing->codings++;
            framing->coding = value;
        }
        break;
    case 'e':
        if (strcasecmp(name, "expect") == 0) {
            framing->expectation = value;
        }
        break;
    default:
        break;
    }
}

static struct dyno_http_refusal judge_coding(struct dyno_http_head *head,
                                             const struct framing *framing)
{
    if (framing->lengths > 0) {
        return dyno_http_refuse(400, "Content-Length and Transfer-Encoding exclude each other");
    }
    if (!head->is_1_1 || framing->codings > 1) {
        return dyno_http_refuse(400, "Transfer-Encoding may come once, in HTTP/1.1");
    }
    if (strcasecmp(framing->coding, "chunked") != 0) {
        return dyno_http_refuse(501, "the only Transfer-Encoding understood is chunked");
    }
    head->chunked = true;
    return dyno_http_fine();
}

static struct dyno_http_refusal judge_length(struct dyno_http_head *head,
                                             const struct framing *framing)
{
    size_t digits = strspn(framing->length, "0123456789");

    if (framing->lengths > 1 || digits == 0 || framing->length[digits] != '\0') {
        return dyno_http_refuse(400, "Content-Length is not one number");
    }
    if (digits > 18) {
        return dyno_http_refuse(413, "the body is too large");
    }
    for (size_t i = 0; i < digits; i++) {
        head->content_length = head->content_length * 10 + (uint64_t)(framing->length[i] - '0');
    }
    return dyno_http_fine();
}

static struct dyno_http_refusal judge_expectation(struct dyno_http_head *head,
                                                  const struct framing *framing)
{
    if (framing->expectation && strcasecmp(framing->expectation, "100-continue") != 0) {
        return dyno_http_refuse(417, "the only expectation understood is 100-continue");
    }
    head->expects_continue = framing->expectation && head->is_1_1;
    return dyno_http_fine();
}

struct dyno_http_refusal dyno_http_framing_judge(struct dyno_http_head *head, const char *bytes)
{
    struct dyno_http_refusal refusal = dyno_http_fine();
    struct framing framing = {0};

    head->content_length = 0;
    head->chunked = false;
    for (uint32_t i = 0; i < head->field_count; i++) {
        note_field(&framing, bytes + head->fields[i].name, bytes + head->fields[i].value);
    }
    if (framing.hosts > 1 || (framing.hosts == 0 && head->is_1_1)) {
        return dyno_http_refuse(400, "there is not exactly one Host");
    }
    if (framing.codings > 0) {
        refusal = judge_coding(head, &framing);
    } else if (framing.lengths > 0) {
        refusal = judge_length(head, &framing);
    }
    head->keep_alive = !framing.close && (head->is_1_1 || framing.keep_alive);
    return refusal.status != 0 ? refusal : judge_expectation(head, &framing);
}
