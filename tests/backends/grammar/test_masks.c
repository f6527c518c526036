/* Promises of masks and grammars, over random schemas, vocabularies and walks. */
#include "backends/grammar/masks.h"

#include <stdio.h>

#include "core/base/rng.h"
#include "tests/backends/grammar/random_schema.h"
#include "tests/backends/grammar/schemas.h"
#include "tests/check_main.h"

enum { VOCAB = 600, WORDS = (VOCAB + 63) / 64, END_TOKEN = VOCAB - 1, TEXT_MAX = 20000 };

/* All bytes, words that JSON is full of, and random ones. */
struct vocabulary {
    struct dyno_token tokens[VOCAB];
    char bytes[VOCAB][16];
};

static void set_token(struct vocabulary *vocabulary, uint32_t id, const char *bytes, size_t size)
{
    memcpy(vocabulary->bytes[id], bytes, size);
    vocabulary->tokens[id] =
        (struct dyno_token){.bytes = vocabulary->bytes[id], .size = (uint32_t)size};
}

static void make_vocabulary(struct vocabulary *vocabulary, struct dyno_rng *rng)
{
    static const char *const words[] = {
        "{\"",       "\":",  "\": ",  "\": \"",   "\",",
        "\", \"",    "\"}",  "\"]",   "}}",       "]}",
        "\"}}",      "[[",   "{}",    "[]",       "[{\"",
        "},",        "},{",  "\n  ",  "\n",       "  ",
        "null",      "true", "false", "tru",      "nul",
        "12",        "345",  ".5",    "-1",       "e+",
        "\"a\"",     "\"ab", "name",  "\"n",      "na",
        "ab",        "abc",  "red",   "\"re",     "\\\"q",
        "\\u00",     "\xc3", "\xa9",  "\xf0\x9f", "\xf0\x9f\x98\x80",
        "\\n",       "QZ",   "-0",    "\"]]}",    "\": [\"",
        "a\":1,\"b", "}]}",  "0}",    "1]",       "1,",
        "5, ",       "}\n",  "]\n}",  "\"\n",     "    \"",
        "b"};
    static const char alphabet[] = "\"\"{}[],:ab01 \n\\.-ex";
    uint32_t id = 0;

    for (; id < 256; id++) {
        char byte = (char)id;

        set_token(vocabulary, id, &byte, 1);
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        set_token(vocabulary, id++, words[i], strlen(words[i]));
    }
    for (; id < VOCAB; id++) {
        char bytes[8];
        size_t size = 2 + dyno_rng_below(rng, 6);

        for (size_t i = 0; i < size; i++) {
            bytes[i] = alphabet[dyno_rng_below(rng, sizeof alphabet - 1)];
        }
        set_token(vocabulary, id, bytes, size);
    }
    vocabulary->tokens[END_TOKEN].kind = DYNO_TOKEN_CONTROL;
}

struct world {
    struct dyno_rng rng;
    struct vocabulary vocabulary;
    json_t *schema;
    bool strict;
    struct dyno_grammar *grammar;
    struct dyno_token_trie *trie;
    struct dyno_grammar_masks *masks;
    char text[TEXT_MAX];
    size_t size;
};

static struct world *world_open(int seed)
{
    static const uint32_t ends[] = {END_TOKEN};
    struct world *world = calloc(1, sizeof *world);
    struct dyno_vocabulary tokens = {.tokens = world->vocabulary.tokens, .token_count = VOCAB};
    struct dyno_grammar_masks_options options = {VOCAB, ends, 1, 1 << 16};
    struct dyno_error error = {.text = ""};
    dyno_status status;

    dyno_rng_init(&world->rng, (uint64_t)seed, "masks");
    make_vocabulary(&world->vocabulary, &world->rng);
    world->strict = seed % 2;
    world->schema = random_schema(&world->rng, 3);
    status = dyno_grammar_of_schema(&world->grammar, world->schema,
                                    &(struct dyno_grammar_options){world->strict}, &error);
    ck_assert_msg(status == DYNO_OK, "seed %d: %s\n%s", seed, error.text,
                  json_dumps(world->schema, JSON_COMPACT));
    ck_assert_int_eq(dyno_token_trie_open(&world->trie, &tokens, &error), DYNO_OK);
    ck_assert_int_eq(
        dyno_grammar_masks_open(&world->masks, world->grammar, world->trie, &options, &error),
        DYNO_OK);
    return world;
}

static void world_close(struct world *world)
{
    dyno_grammar_masks_close(world->masks);
    dyno_token_trie_close(world->trie);
    dyno_grammar_close(world->grammar);
    json_decref(world->schema);
    free(world);
}

static bool is_set(const uint64_t *mask, uint32_t token)
{
    return mask[token / 64] >> (token % 64) & 1;
}

/* One of the allowed tokens; more and more often one that may bring the end nearer. */
static uint32_t choose(struct world *world, const uint64_t *mask, uint32_t turn)
{
    bool hurry = dyno_rng_below(&world->rng, 60) < turn;
    uint32_t token = (uint32_t) "\"}]"[dyno_rng_below(&world->rng, 3)];

    if (is_set(mask, END_TOKEN) && (hurry || dyno_rng_below(&world->rng, 3) == 0)) {
        return END_TOKEN;
    }
    if (hurry && is_set(mask, token)) {
        return token;
    }
    for (token = (uint32_t)dyno_rng_below(&world->rng, VOCAB); !is_set(mask, token);) {
        token = (token + 1) % VOCAB;
    }
    return token;
}

/* What dyno_grammar_advance says of every token. */
static uint32_t compare_mask(struct world *world, int seed, const struct dyno_grammar_state *state,
                             const uint64_t *mask)
{
    uint32_t counted = 0;

    for (uint32_t id = 0; id < VOCAB; id++) {
        struct dyno_grammar_state next = *state;
        struct dyno_token_bytes bytes = dyno_token_trie_token(world->trie, id);
        bool allowed = id == END_TOKEN
                           ? dyno_grammar_may_end(world->grammar, state)
                           : bytes.size > 0 && dyno_grammar_advance(world->grammar, &next,
                                                                    bytes.bytes, bytes.size);

        counted += allowed;
        ck_assert_msg(allowed == is_set(mask, id), "seed %d: token %u behind %.*s: %d", seed, id,
                      (int)world->size, world->text, allowed);
    }
    return counted;
}

/* A text of random allowed tokens; false: it did not end within its bounds. */
static bool write_text(struct world *world, int seed)
{
    struct dyno_grammar_state state;
    uint64_t mask[WORDS];

    world->size = 0;
    dyno_grammar_begin(world->grammar, &state);
    for (uint32_t turn = 0; world->size + 16 < TEXT_MAX && turn < 3000; turn++) {
        uint32_t count = dyno_grammar_mask(world->masks, &state, mask), token;

        ck_assert_msg(count > 0, "seed %d: nothing may follow %.*s", seed, (int)world->size,
                      world->text);
        if (dyno_rng_below(&world->rng, 1 + turn / 8) == 0) {
            ck_assert_uint_eq(count, compare_mask(world, seed, &state, mask));
        }
        token = choose(world, mask, turn);
        if (token == END_TOKEN) {
            return true;
        }
        ck_assert(dyno_grammar_advance(world->grammar, &state, world->vocabulary.bytes[token],
                                       world->vocabulary.tokens[token].size));
        memcpy(world->text + world->size, world->vocabulary.bytes[token],
               world->vocabulary.tokens[token].size);
        world->size += world->vocabulary.tokens[token].size;
    }
    return false;
}

static bool is_valid(const struct world *world, const char *text, size_t size)
{
    json_t *value = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    bool valid = value && validates(world->schema, value, world->strict);

    json_decref(value);
    return valid;
}

/* How many of a few texts ended; those are valid. */
static int write_texts(int seed)
{
    struct world *world = world_open(seed);
    int ended = 0;

    for (int i = 0; i < 4; i++) {
        if (write_text(world, seed)) {
            ck_assert_msg(is_valid(world, world->text, world->size), "seed %d: %.*s\n%.1000s", seed,
                          (int)world->size, world->text, json_dumps(world->schema, JSON_COMPACT));
            ended++;
        }
    }
    world_close(world);
    return ended;
}

/* Some do not end: properties that the schema does not name can be added for ever. */
START_TEST(walks_over_masks_end_in_valid_texts)
{
    enum { SEEDS = 6 };
    int ended = 0;

    for (int i = 0; i < SEEDS; i++) {
        ended += write_texts(SEEDS * _i + i);
    }
    ck_assert_msg(ended > 2 * SEEDS, "seeds from %d: %d texts ended", SEEDS * _i, ended);
}
END_TEST

START_TEST(texts_of_fitting_values_are_accepted)
{
    struct world *world = world_open(_i);

    for (size_t i = 0; i < 20; i++) {
        json_t *value = fitting_value(&world->rng, world->schema, world->strict);
        size_t layout = i % 3 == 0 ? JSON_COMPACT : i % 3 == 1 ? 0 : JSON_INDENT(2);
        char *text = json_dumps(value, layout | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
        bool may_end;

        ck_assert(validates(world->schema, value, world->strict));
        ck_assert_msg(readable(world->grammar, text, strlen(text), &may_end) == strlen(text) &&
                          may_end,
                      "seed %d: %s\n%s", _i, text, json_dumps(world->schema, JSON_COMPACT));
        free(text);
        json_decref(value);
    }
    world_close(world);
}
END_TEST

START_TEST(a_wrong_byte_is_accepted_only_where_it_is_right)
{
    static const char bytes[] = "\"{}[],:0123456789abceElnrtuxQZ-. \n\\/\xc3\xa9\x01";
    struct world *world = world_open(_i);

    for (int i = 0; i < 300; i++) {
        json_t *value = fitting_value(&world->rng, world->schema, world->strict);
        char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
        size_t size = strlen(text);
        bool may_end;

        text[dyno_rng_below(&world->rng, size)] =
            bytes[dyno_rng_below(&world->rng, sizeof bytes - 1)];
        if (readable(world->grammar, text, size, &may_end) == size && may_end) {
            ck_assert_msg(is_valid(world, text, size), "seed %d: %s\n%s", _i, text,
                          json_dumps(world->schema, JSON_COMPACT));
        }
        free(text);
        json_decref(value);
    }
    world_close(world);
}
END_TEST

START_TEST(masks_are_found_again_and_forgotten_when_full)
{
    struct world *world = world_open(1);
    struct dyno_grammar_masks *small;
    struct dyno_grammar *any;
    struct dyno_grammar_masks_options options = {VOCAB, NULL, 0, 0};
    struct dyno_grammar_masks_counts counts;
    struct dyno_grammar_state state;
    struct dyno_error error;
    uint64_t mask[WORDS];

    ck_assert_int_eq(dyno_grammar_of_any(&any, false, &error), DYNO_OK);
    ck_assert_int_eq(dyno_grammar_masks_open(&small, any, world->trie, &options, &error), DYNO_OK);
    dyno_grammar_begin(any, &state);
    ck_assert(dyno_grammar_advance(any, &state, "[\"", 2));
    for (int i = 0; i < 1000; i++) {
        (void)dyno_grammar_mask(small, &state, mask);
        ck_assert(
            dyno_grammar_advance(any, &state, i % 10 == 9 ? "\",\"" : "a", i % 10 == 9 ? 3 : 1));
    }
    counts = dyno_grammar_masks_counts(small);
    ck_assert_uint_eq(counts.made, 1);
    ck_assert_uint_eq(counts.found, 999);
    ck_assert(dyno_grammar_advance(any, &state, "\"", 1));
    for (int i = 0; i < 10; i++) { /* more kinds of states than masks are kept */
        static const char *const steps[] = {",", "[", "{", "\"a\"", ":", "1", "}", "]"};

        for (int j = 0; j < 8; j++) {
            ck_assert(dyno_grammar_advance(any, &state, steps[j], strlen(steps[j])));
            ck_assert_uint_gt(dyno_grammar_mask(small, &state, mask), 0);
        }
    }
    ck_assert_uint_gt(dyno_grammar_masks_counts(small).made, 70);
    ck_assert_uint_lt(dyno_grammar_masks_counts(small).bytes, 1 << 18);
    dyno_grammar_masks_close(small);
    dyno_grammar_close(any);
    world_close(world);
}
END_TEST

START_TEST(tokens_of_sentencepiece_are_their_text)
{
    const struct dyno_token tokens[] = {
        {.bytes = "\xE2\x96\x81{\"", .size = 5},
        {.bytes = "}", .size = 1, .kind = DYNO_TOKEN_BYTE},
        {.bytes = "}", .size = 1},
        {.bytes = "</s>", .size = 4, .kind = DYNO_TOKEN_CONTROL},
        {.bytes = "{", .size = 1},
    };
    struct dyno_vocabulary vocabulary = {
        .kind = DYNO_TOKENIZER_SPM, .tokens = tokens, .token_count = 5};
    struct dyno_grammar_masks_options options = {5, (uint32_t[]){3}, 1, 0};
    struct dyno_grammar_masks *masks;
    struct dyno_token_trie *trie;
    struct dyno_grammar *any;
    struct dyno_grammar_state state;
    struct dyno_error error;
    uint64_t mask;

    ck_assert_int_eq(dyno_token_trie_open(&trie, &vocabulary, &error), DYNO_OK);
    ck_assert_int_eq(dyno_grammar_of_any(&any, true, &error), DYNO_OK);
    ck_assert_int_eq(dyno_grammar_masks_open(&masks, any, trie, &options, &error), DYNO_OK);
    ck_assert_uint_eq(dyno_token_trie_token(trie, 0).size, 3);
    ck_assert_uint_eq(dyno_token_trie_token(trie, 3).size, 0);
    dyno_grammar_begin(any, &state);
    ck_assert_uint_eq(dyno_grammar_mask(masks, &state, &mask), 2);
    ck_assert_uint_eq(mask, 1 << 0 | 1 << 4);
    ck_assert(dyno_grammar_advance(any, &state, "{", 1));
    ck_assert_uint_eq(dyno_grammar_mask(masks, &state, &mask), 2);
    ck_assert_uint_eq(mask, 1 << 1 | 1 << 2);
    ck_assert(dyno_grammar_advance(any, &state, "}", 1));
    ck_assert_uint_eq(dyno_grammar_mask(masks, &state, &mask), 1);
    ck_assert_uint_eq(mask, 1 << 3);
    dyno_grammar_masks_close(masks);
    dyno_grammar_close(any);
    dyno_token_trie_close(trie);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("masks");

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, masks_are_found_again_and_forgotten_when_full);
    tcase_add_test(tcase, tokens_of_sentencepiece_are_their_text);
    tcase_add_loop_test(tcase, walks_over_masks_end_in_valid_texts, 0, 10);
    tcase_add_loop_test(tcase, texts_of_fitting_values_are_accepted, 0, 60);
    tcase_add_loop_test(tcase, a_wrong_byte_is_accepted_only_where_it_is_right, 0, 60);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("masks", add_cases)
