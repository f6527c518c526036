/* The meaning of strip and single_word is that of Hugging Face's AddedToken. */
#include "backends/assets/tokenizer/added_tokens.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "core/base/utf8.h"

static uint64_t key_of(uint32_t node, char byte)
{
    return (uint64_t)node << 8 | (unsigned char)byte;
}

void dyno_added_tokens_release(struct dyno_added_tokens *added)
{
    dyno_map_release(&added->child_of);
    free(added->token_of);
    free(added->leads_to_control);
    memset(added, 0, sizeof *added);
}

static dyno_status add_node(struct dyno_added_tokens *added)
{
    if (added->node_count == added->node_capacity) {
        uint32_t capacity = added->node_capacity ? 2 * added->node_capacity : 256;
        uint32_t *wide = realloc(added->token_of, capacity * sizeof *wide);
        bool *leads;

        if (!wide) {
            return DYNO_NO_MEMORY;
        }
        added->token_of = wide;
        leads = realloc(added->leads_to_control, capacity * sizeof *leads);
        if (!leads) {
            return DYNO_NO_MEMORY;
        }
        added->leads_to_control = leads;
        added->node_capacity = capacity;
    }
    added->leads_to_control[added->node_count] = false;
    added->token_of[added->node_count++] = UINT32_MAX;
    return DYNO_OK;
}

static void note_first(struct dyno_added_tokens *added, bool control, unsigned char byte)
{
    if (!added->begins[control][byte]) {
        added->begins[control][byte] = true;
        added->only[control] = byte;
        added->first_count[control]++;
    }
}

dyno_status dyno_added_tokens_add(struct dyno_added_tokens *added, const struct dyno_token *tokens,
                                  uint32_t id, const char *text, size_t size)
{
    const struct dyno_token *token = &tokens[id];
    unsigned char first = (unsigned char)text[0];
    uint32_t node = 0;

    if (added->node_count == 0) {
        DYNO_TRY(add_node(added));
    }
    for (size_t i = 0; i < size; i++) {
        int is_new;
        const uint32_t *child =
            dyno_map_put(&added->child_of, key_of(node, text[i]), added->node_count, &is_new);

        if (!child) {
            return DYNO_NO_MEMORY;
        }
        added->leads_to_control[node] |= token->kind == DYNO_TOKEN_CONTROL;
        node = *child;
        if (is_new) {
            DYNO_TRY(add_node(added));
        }
    }
    if (added->token_of[node] == UINT32_MAX) {
        added->token_of[node] = id;
    }
    note_first(added, 1, first);
    if (token->kind == DYNO_TOKEN_ADDED) {
        note_first(added, 0, first);
    }
    return DYNO_OK;
}

uint32_t dyno_added_tokens_named(const struct dyno_added_tokens *added, const char *text,
                                 size_t size)
{
    uint32_t node = 0;

    if (added->node_count == 0) {
        return UINT32_MAX;
    }
    for (size_t i = 0; i < size; i++) {
        const uint32_t *child = dyno_map_find(&added->child_of, key_of(node, text[i]));

        if (!child) {
            return UINT32_MAX;
        }
        node = *child;
    }
    return added->token_of[node];
}

/* The longest token that begins at text[0], CONTROL tokens of at most `control` bytes; *length is
 * its size. */
static uint32_t longest(const struct dyno_added_tokens *added, const struct dyno_token *tokens,
                        const char *text, size_t size, size_t control, size_t *length)
{
    uint32_t node = 0, best = UINT32_MAX;

    for (size_t i = 0; i < size; i++) {
        const uint32_t *child = dyno_map_find(&added->child_of, key_of(node, text[i]));
        uint32_t id;

        if (!child) {
            break;
        }
        node = *child;
        id = added->token_of[node];
        if (id != UINT32_MAX && tokens[id].normalized == added->normalized &&
            (i < control || tokens[id].kind == DYNO_TOKEN_ADDED)) {
            best = id;
            *length = i + 1;
        }
    }
    return best;
}

/* Unicode's White_Space. */
static bool is_blank(uint32_t point)
{
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)point);

    return (point >= 9 && point <= 13) || point == 0x85 || category == UTF8PROC_CATEGORY_ZS ||
           category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
}

/* A letter, a mark, a decimal digit or a connector. */
static bool is_word(uint32_t point)
{
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)point);

    return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_ND) ||
           category == UTF8PROC_CATEGORY_PC;
}

/* The character that ends at text[at], at > 0; *before is where it begins. */
static uint32_t point_before(const char *text, size_t at, size_t *before)
{
    size_t length;

    do {
        at--;
    } while (at > 0 && ((unsigned char)text[at] & 0xC0) == 0x80);
    *before = at;
    return dyno_utf8_point(text + at, &length);
}

static bool stands_alone(const char *text, size_t size, size_t start, size_t end)
{
    size_t ignored;

    return (start == 0 || !is_word(point_before(text, start, &ignored))) &&
           (end == size || !is_word(dyno_utf8_point(text + end, &ignored)));
}

static void take_blanks(struct dyno_added_match *match, const struct dyno_token *token,
                        const char *text, size_t size, size_t from)
{
    size_t before, length;

    while (token->strip_left && match->start > from &&
           is_blank(point_before(text, match->start, &before))) {
        match->start = before;
    }
    while (token->strip_right && match->end < size &&
           is_blank(dyno_utf8_point(text + match->end, &length))) {
        match->end += length;
    }
}

static bool is_all_blank(const char *text, size_t size)
{
    size_t at = 0, length;

    while (at < size && is_blank(dyno_utf8_point(text + at, &length))) {
        at += length;
    }
    return at == size;
}

bool dyno_added_tokens_threaten(const struct dyno_added_tokens *added,
                                const struct dyno_token *tokens, const char *text, size_t size)
{
    uint32_t node = 0;

    if (!added->begins[1][(unsigned char)text[0]]) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        const uint32_t *child = dyno_map_find(&added->child_of, key_of(node, text[i]));
        bool is_inside = ((unsigned char)text[i] & 0xC0) == 0x80; /* a character */
        uint32_t id;

        if (!child) {
            return added->leads_to_control[node] && !is_inside && is_all_blank(text + i, size - i);
        }
        node = *child;
        id = added->token_of[node];
        if (id != UINT32_MAX && tokens[id].kind == DYNO_TOKEN_CONTROL) {
            return true;
        }
    }
    return added->leads_to_control[node];
}

size_t dyno_added_room_to_fence(struct dyno_added_fences fences, size_t at)
{
    size_t low = 0, high = fences.count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (fences.at[middle] < at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < fences.count ? fences.at[low] - at : SIZE_MAX;
}

/* The first place from `at` on where a token may begin, or `size`. */
static size_t next_place(const struct dyno_added_tokens *added, bool control, const char *text,
                         size_t size, size_t at)
{
    const bool *begins = added->begins[control];
    const char *found;

    if (added->first_count[control] == 0) {
        return size;
    }
    if (added->first_count[control] == 1) {
        found = memchr(text + at, added->only[control], size - at);
        return found ? (size_t)(found - text) : size;
    }
    while (at < size && !begins[(unsigned char)text[at]]) {
        at++;
    }
    return at;
}

struct dyno_added_match dyno_added_tokens_find(const struct dyno_added_tokens *added,
                                               const struct dyno_token *tokens, const char *text,
                                               size_t size, size_t from, bool control,
                                               struct dyno_added_fences fences)
{
    struct dyno_added_match match = {.id = UINT32_MAX};

    for (size_t at = next_place(added, control, text, size, from); at < size;
         at = next_place(added, control, text, size, at + 1)) {
        size_t length = 0;

        match.id = longest(added, tokens, text + at, size - at,
                           control ? dyno_added_room_to_fence(fences, at) : 0, &length);
        if (match.id == UINT32_MAX) {
            continue;
        }
        if (tokens[match.id].single_word && !stands_alone(text, size, at, at + length)) {
            at += length - 1;
            continue;
        }
        match.start = at;
        match.end = at + length;
        take_blanks(&match, &tokens[match.id], text, size, from);
        return match;
    }
    return (struct dyno_added_match){.start = size, .end = size, .id = UINT32_MAX};
}
