#include "backends/door/keys.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/units.h"
#include "core/base/words.h"

enum { LINE_MAX_BYTES = 1024, MINUTE_S = 60 };

struct key {
    char text[DYNO_KEY_BYTES_MAX + 1];
    char name[DYNO_KEY_NAME_MAX];
    uint32_t size;
    uint64_t rate;   /* requests a minute; 0: any */
    dyno_ns full_at; /* when the bucket is full again, if nothing comes; in the past: it is */
};

struct dyno_keys {
    struct key *list; /* [count] */
    uint32_t count;
};

/* ---- the file -------------------------------------------------------------------------------- */

struct reading {
    struct dyno_keys *keys;
    const char *path;
    uint32_t line;
    struct dyno_error *error;
};

static dyno_status refuse(const struct reading *reading, const char *why)
{
    char quoted[DYNO_QUOTE_MAX];

    return dyno_fail(reading->error, DYNO_BAD_INPUT, "%s: line %u: %s",
                     dyno_quote(quoted, reading->path), reading->line, why);
}

/* Whether two texts are the same, in a time that depends on `size` alone. */
static bool is_same(const char *one, const char *other, size_t size)
{
    unsigned char difference = 0;

    for (size_t i = 0; i < size; i++) {
        difference |= (unsigned char)(one[i] ^ other[i]);
    }
    return difference == 0;
}

static dyno_status take_rate(const struct reading *reading, struct key *key, char *text)
{
    char *slash = strchr(text, '/');

    if (!slash || strcmp(slash, "/min") != 0) {
        return refuse(reading, "a rate is N/min, as in rate=60/min");
    }
    *slash = '\0';
    if (dyno_parse_u64(text, &key->rate) != DYNO_UNITS_OK || key->rate == 0 ||
        key->rate > 100000000) {
        return refuse(reading, "a rate is a whole number of requests from 1 to 100000000 a minute");
    }
    return DYNO_OK;
}

static dyno_status take_word(const struct reading *reading, struct key *key, char *word)
{
    if (strncmp(word, "name=", 5) == 0) {
        if (word[5] == '\0' || strlen(word + 5) >= sizeof key->name) {
            return refuse(reading, "a name has 1 to 63 bytes");
        }
        memcpy(key->name, word + 5, strlen(word + 5) + 1);
        return DYNO_OK;
    }
    if (strncmp(word, "rate=", 5) == 0) {
        return take_rate(reading, key, word + 5);
    }
    return refuse(reading, "behind a key only name=NAME and rate=N/min may stand");
}

static dyno_status take_key(const struct reading *reading, struct key *key, const char *word)
{
    const struct dyno_keys *keys = reading->keys;
    size_t size = strlen(word);

    if (size < DYNO_KEY_BYTES_MIN || size > DYNO_KEY_BYTES_MAX) {
        return refuse(reading, "a key has 8 to 256 bytes");
    }
    for (uint32_t i = 0; i < keys->count; i++) {
        if (keys->list[i].size == size && is_same(keys->list[i].text, word, size)) {
            return refuse(reading, "the key is there twice");
        }
    }
    memcpy(key->text, word, size + 1);
    key->size = (uint32_t)size;
    return DYNO_OK;
}

static dyno_status take_line(const struct reading *reading, char *line)
{
    struct dyno_keys *keys = reading->keys;
    struct key key = {.rate = 0};
    char *rest = NULL, *word = strtok_r(line, " \t\r\n", &rest);
    struct key *list;

    if (!word || word[0] == '#') {
        return DYNO_OK;
    }
    if (keys->count == DYNO_KEYS_MAX) {
        return refuse(reading, "there are more than 4096 keys");
    }
    DYNO_TRY(take_key(reading, &key, word));
    while ((word = strtok_r(NULL, " \t\r\n", &rest)) != NULL) {
        DYNO_TRY(take_word(reading, &key, word));
    }
    if (key.name[0] == '\0') {
        (void)snprintf(key.name, sizeof key.name, "%u", keys->count + 1);
    }
    list = realloc(keys->list, (keys->count + 1) * sizeof *list);
    if (!list) {
        return dyno_fail(reading->error, DYNO_NO_MEMORY, "out of memory for keys");
    }
    keys->list = list;
    list[keys->count++] = key;
    return DYNO_OK;
}

static dyno_status read_lines(struct reading *reading, FILE *file)
{
    char line[LINE_MAX_BYTES];
    char quoted[DYNO_QUOTE_MAX];

    while (fgets(line, sizeof line, file)) {
        reading->line++;
        if (!strchr(line, '\n') && !feof(file)) {
            return refuse(reading, "the line is longer than 1022 bytes");
        }
        DYNO_TRY(take_line(reading, line));
    }
    if (ferror(file)) {
        return dyno_fail(reading->error, DYNO_IO, "%s cannot be read: %s",
                         dyno_quote(quoted, reading->path), strerror(errno));
    }
    if (reading->keys->count == 0) {
        return dyno_fail(reading->error, DYNO_BAD_INPUT, "%s: there is no key in it",
                         dyno_quote(quoted, reading->path));
    }
    return DYNO_OK;
}

dyno_status dyno_keys_open(struct dyno_keys **out, const char *path, struct dyno_error *error)
{
    struct reading reading = {
        .keys = calloc(1, sizeof *reading.keys), .path = path, .error = error};
    char quoted[DYNO_QUOTE_MAX];
    dyno_status status;
    FILE *file;

    if (!reading.keys) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for keys");
    }
    file = fopen(path, "r");
    if (!file) {
        status = dyno_fail(error, errno == ENOENT ? DYNO_NOT_FOUND : DYNO_IO,
                           "%s, the file of keys, cannot be read: %s", dyno_quote(quoted, path),
                           strerror(errno));
    } else {
        status = read_lines(&reading, file);
        (void)fclose(file);
    }
    if (status != DYNO_OK) {
        dyno_keys_close(reading.keys);
        return status;
    }
    *out = reading.keys;
    return DYNO_OK;
}

void dyno_keys_close(struct dyno_keys *keys)
{
    if (keys) {
        free(keys->list);
        free(keys);
    }
}

/* ---- judging --------------------------------------------------------------------------------- */

/* The bucket is kept as the time at which it will be full: a request puts it off by its share of a
 * minute, and there is room while that is less than a minute away. */
static bool fits(struct key *key, dyno_ns now, dyno_ns *wait_ns)
{
    dyno_ns share = MINUTE_S * DYNO_S / key->rate;
    dyno_ns full_at = key->full_at > now ? key->full_at : now;

    if (full_at + share > now + MINUTE_S * DYNO_S) {
        *wait_ns = full_at + share - (now + MINUTE_S * DYNO_S);
        return false;
    }
    key->full_at = full_at + share;
    return true;
}

static struct key *find(const struct dyno_keys *keys, const char *text)
{
    char padded[DYNO_KEY_BYTES_MAX + 1] = "";
    size_t size = strlen(text);
    struct key *found = NULL;

    if (size > DYNO_KEY_BYTES_MAX) {
        return NULL;
    }
    memcpy(padded, text, size + 1);
    for (uint32_t i = 0; i < keys->count; i++) {
        struct key *key = &keys->list[i];
        bool is_it = is_same(key->text, padded, sizeof padded);

        found = is_it ? key : found;
    }
    return found;
}

enum dyno_key_verdict dyno_keys_judge(struct dyno_keys *keys, const char *authorization,
                                      bool counts, dyno_ns now, uint32_t *tenant, dyno_ns *wait_ns)
{
    static const char scheme[] = "Bearer ";
    struct key *key;

    if (!authorization || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0) {
        return DYNO_KEY_MISSING;
    }
    authorization += sizeof scheme - 1;
    authorization += strspn(authorization, " ");
    key = find(keys, authorization);
    if (!key) {
        return DYNO_KEY_WRONG;
    }
    *tenant = (uint32_t)(key - keys->list) + 1;
    return counts && key->rate > 0 && !fits(key, now, wait_ns) ? DYNO_KEY_TOO_OFTEN : DYNO_KEY_GOOD;
}

const char *dyno_keys_name(const struct dyno_keys *keys, uint32_t tenant)
{
    return keys->list[tenant - 1].name;
}
