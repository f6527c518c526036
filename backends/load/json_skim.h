/* JSON looked through without keeping any of it: a cursor over one text, for chunks of a stream of
 * which a few members matter and the rest is only passed over.
 *
 * What is read is checked as it is passed: a text that is no JSON (RFC 8259; UTF-8 is not looked
 * at) makes the cursor bad, and every call after that returns "nothing".  Nesting has a limit.  No
 * memory is allocated.
 *
 *     dyno_skim_object(&skim);
 *     while (dyno_skim_member(&skim, &key)) {
 *         if (dyno_skim_is(key, "usage")) { ... read or enter the value ... }
 *         else dyno_skim_pass(&skim);
 *     }
 *     good = dyno_skim_end(&skim);
 */
#ifndef DYNO_BACKENDS_LOAD_JSON_SKIM_H
#define DYNO_BACKENDS_LOAD_JSON_SKIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { DYNO_SKIM_DEPTH_MAX = 64 };

struct dyno_skim {
    const char *at, *end;
    uint32_t depth;
    bool fresh; /* just behind an opening bracket: no comma is due */
    bool bad;
};

/* A string between its quotes, escapes and all. */
struct dyno_skim_text {
    const char *at;
    size_t size;
};

void dyno_skim_start(struct dyno_skim *skim, const char *json, size_t size);

/* What the next value begins with: '{', '[', '"', 't', 'f', 'n', '0' for any number; 0: none. */
char dyno_skim_peek(struct dyno_skim *skim);

/* Enter the object that comes next; then its members one by one, false after the last.  Each
 * member's value must be read, entered or passed. */
bool dyno_skim_object(struct dyno_skim *skim);
bool dyno_skim_member(struct dyno_skim *skim, struct dyno_skim_text *key);

/* The same of an array. */
bool dyno_skim_array(struct dyno_skim *skim);
bool dyno_skim_item(struct dyno_skim *skim);

/* Read a string, or a whole number from 0 to UINT32_MAX; false, and the value is passed over, if it
 * is something else. */
bool dyno_skim_string(struct dyno_skim *skim, struct dyno_skim_text *out);
bool dyno_skim_u32(struct dyno_skim *skim, uint32_t *out);

void dyno_skim_pass(struct dyno_skim *skim);

/* All was read, and all of it was JSON. */
bool dyno_skim_end(struct dyno_skim *skim);

/* Here, so that a compiler knows how long a literal is. */
static inline bool dyno_skim_is(struct dyno_skim_text text, const char *word)
{
    return text.size == strlen(word) && memcmp(text.at, word, text.size) == 0;
}

#endif
