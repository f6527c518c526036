#include "backends/load/prompt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/assets/tokenizer/tokenizer.h"
#include "core/base/map.h"

enum { PIECE_MAX = 12, WORDS_MIN = 8, TRIAL_WORDS = 512 };

/* A word or a number behind its separator. */
struct piece {
    char text[PIECE_MAX];
    uint8_t size;
};

struct dyno_prompt_maker {
    struct dyno_prompt_config config;
    struct piece *pieces; /* [count] */
    uint32_t count;
    uint32_t around;
};

static const char *const words[] = {
    "a",      "about",  "after",   "again",  "all",     "also",    "always",  "an",      "and",
    "any",    "are",    "as",      "at",     "away",    "back",    "be",      "because", "been",
    "before", "being",  "best",    "better", "between", "big",     "black",   "body",    "book",
    "both",   "boy",    "but",     "by",     "call",    "came",    "can",     "case",    "change",
    "city",   "come",   "could",   "day",    "did",     "do",      "does",    "done",    "door",
    "down",   "each",   "early",   "end",    "even",    "ever",    "every",   "eye",     "face",
    "fact",   "family", "far",     "father", "few",     "find",    "first",   "for",     "found",
    "four",   "friend", "from",    "full",   "game",    "gave",    "general", "get",     "girl",
    "give",   "go",     "going",   "gone",   "good",    "got",     "great",   "group",   "had",
    "half",   "hand",   "hard",    "has",    "have",    "he",      "head",    "heard",   "help",
    "her",    "here",   "high",    "him",    "his",     "home",    "hope",    "hour",    "house",
    "how",    "idea",   "if",      "in",     "into",    "is",      "it",      "its",     "just",
    "keep",   "kind",   "know",    "large",  "last",    "later",   "law",     "lay",     "leave",
    "left",   "less",   "let",     "letter", "life",    "light",   "like",    "line",    "little",
    "live",   "long",   "look",    "love",   "made",    "make",    "man",     "many",    "may",
    "me",     "mean",   "men",     "might",  "mind",    "moment",  "money",   "more",    "morning",
    "most",   "mother", "much",    "must",   "my",      "name",    "near",    "never",   "new",
    "next",   "night",  "no",      "not",    "nothing", "now",     "of",      "off",     "often",
    "old",    "on",     "once",    "one",    "only",    "open",    "or",      "order",   "other",
    "our",    "out",    "over",    "own",    "part",    "party",   "past",    "people",  "place",
    "point",  "power",  "present", "put",    "quite",   "rather",  "read",    "real",    "right",
    "room",   "said",   "same",    "saw",    "say",     "school",  "second",  "see",     "seem",
    "seen",   "set",    "several", "she",    "short",   "should",  "side",    "sister",  "small",
    "so",     "some",   "soon",    "state",  "still",   "such",    "sure",    "take",    "than",
    "that",   "the",    "their",   "them",   "then",    "there",   "these",   "they",    "thing",
    "think",  "this",   "those",   "though", "three",   "through", "time",    "to",      "told",
    "too",    "took",   "town",    "turn",   "two",     "under",   "until",   "up",      "upon",
    "us",     "use",    "very",    "want",   "was",     "water",   "way",     "we",      "week",
    "well",   "went",   "were",    "what",   "when",    "where",   "which",   "while",   "white",
    "who",    "whole",  "why",     "will",   "wish",    "with",    "without", "woman",   "word",
    "work",   "world",  "would",   "year",   "yes",     "yet",     "you",     "young",   "your",
};

enum { WORDS = sizeof words / sizeof words[0] };

/* ---- bytes that grow ------------------------------------------------------------------------- */

dyno_status dyno_load_text_reserve(struct dyno_load_text *text, size_t more)
{
    size_t capacity = 2 * (text->size + more);
    char *grown;

    if (more <= text->capacity - text->size) {
        return DYNO_OK;
    }
    grown = realloc(text->at, capacity);
    if (!grown) {
        return DYNO_NO_MEMORY;
    }
    text->at = grown;
    text->capacity = capacity;
    return DYNO_OK;
}

dyno_status dyno_load_text_add(struct dyno_load_text *text, const char *bytes, size_t size)
{
    DYNO_TRY(dyno_load_text_reserve(text, size));
    if (size > 0) {
        memcpy(text->at + text->size, bytes, size);
    }
    text->size += size;
    return DYNO_OK;
}

void dyno_load_text_release(struct dyno_load_text *text)
{
    free(text->at);
    memset(text, 0, sizeof *text);
}

/* ---- pieces ---------------------------------------------------------------------------------- */

static void add_word(struct dyno_prompt_maker *maker, const char *word)
{
    struct piece *piece = &maker->pieces[maker->count++];

    piece->size = (uint8_t)snprintf(piece->text, PIECE_MAX, " %s", word);
}

static void add_id(struct dyno_prompt_maker *maker, uint32_t id)
{
    struct piece *piece = &maker->pieces[maker->count++];

    piece->size = (uint8_t)snprintf(piece->text, PIECE_MAX, ",%u", id);
}

static dyno_status count_tokens(struct dyno_encoder *encoder, const char *text, size_t size,
                                size_t *count, struct dyno_error *error)
{
    struct dyno_token_ids ids;

    DYNO_TRY(dyno_encode(encoder, text, size, (struct dyno_encode_options){.around = false}, &ids,
                         error));
    *count = ids.count;
    return DYNO_OK;
}

/* The words that are one token each, at the start of a text and within. */
static dyno_status add_exact_words(struct dyno_prompt_maker *maker, struct dyno_encoder *encoder,
                                   struct dyno_error *error)
{
    for (uint32_t i = 0; i < WORDS; i++) {
        char text[3 * PIECE_MAX];
        int size = snprintf(text, sizeof text, "%s %s %s", words[i], words[i], words[i]);
        size_t alone = 0, together = 0;

        DYNO_TRY(count_tokens(encoder, words[i], strlen(words[i]), &alone, error));
        DYNO_TRY(count_tokens(encoder, text, (size_t)size, &together, error));
        if (alone == 1 && together == 3) {
            add_word(maker, words[i]);
        }
    }
    if (maker->count < WORDS_MIN) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "the tokenizer has %u of dyno's %d words as one token each, too few for "
                         "prompts of exact length; leave it out, or send token ids",
                         maker->count, (int)WORDS);
    }
    return DYNO_OK;
}

/* A long row of words must have as many tokens as words. */
static dyno_status try_words(const struct dyno_prompt_maker *maker, struct dyno_encoder *encoder,
                             struct dyno_error *error)
{
    struct dyno_request trial = {.prompt_tokens = TRIAL_WORDS + maker->around};
    struct dyno_load_text text = {0};
    size_t count = 0;
    dyno_status status = dyno_prompt_write(maker, &trial, &text);

    if (status == DYNO_OK) { /* between its quotes */
        status = count_tokens(encoder, text.at + 1, text.size - 2, &count, error);
    }
    dyno_load_text_release(&text);
    if (status == DYNO_OK && count != TRIAL_WORDS) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "the tokenizer makes %zu tokens of %d words that are one each: there are "
                         "no prompts of exact length; leave it out, or send token ids",
                         count, (int)TRIAL_WORDS);
    }
    return status;
}

static dyno_status add_tokenizer_words(struct dyno_prompt_maker *maker, struct dyno_error *error)
{
    struct dyno_encode_options around = {.around = true};
    struct dyno_encoder *encoder;
    struct dyno_token_ids ids;
    dyno_status status;

    DYNO_TRY(dyno_encoder_open(&encoder, maker->config.tokenizer, error));
    status = dyno_encode(encoder, "", 0, around, &ids, error);
    if (status == DYNO_OK && maker->config.subtracts_around) {
        maker->around = (uint32_t)ids.count;
    }
    if (status == DYNO_OK) {
        status = add_exact_words(maker, encoder, error);
    }
    if (status == DYNO_OK) {
        status = try_words(maker, encoder, error);
    }
    dyno_encoder_close(encoder);
    return status;
}

static dyno_status add_ids(struct dyno_prompt_maker *maker, struct dyno_error *error)
{
    const struct dyno_tokenizer *tokenizer = maker->config.tokenizer;
    uint32_t most = tokenizer ? dyno_tokenizer_count(tokenizer) : maker->config.vocabulary;

    for (uint32_t id = tokenizer ? 0 : most / 8; id < most; id++) {
        struct dyno_token token = {.size = 1, .kind = DYNO_TOKEN_PLAIN};

        if (tokenizer) {
            token = dyno_tokenizer_token(tokenizer, id);
        }
        if (token.size > 0 && token.kind == DYNO_TOKEN_PLAIN) {
            add_id(maker, id);
        }
    }
    return maker->count > 0 ? DYNO_OK
                            : dyno_fail(error, DYNO_BAD_INPUT, "the tokenizer has no plain tokens");
}

static dyno_status add_pieces(struct dyno_prompt_maker *maker, struct dyno_error *error)
{
    const struct dyno_prompt_config *config = &maker->config;
    uint32_t most = WORDS;

    if (config->as_tokens) {
        most = config->tokenizer ? dyno_tokenizer_count(config->tokenizer) : config->vocabulary;
    }
    maker->pieces = calloc((size_t)most + 1, sizeof *maker->pieces);
    if (!maker->pieces) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the words of prompts");
    }
    if (config->as_tokens) {
        return add_ids(maker, error);
    }
    if (config->tokenizer) {
        return add_tokenizer_words(maker, error);
    }
    for (uint32_t i = 0; i < WORDS; i++) {
        add_word(maker, words[i]);
    }
    return DYNO_OK;
}

dyno_status dyno_prompt_maker_open(struct dyno_prompt_maker **out,
                                   const struct dyno_prompt_config *config,
                                   struct dyno_error *error)
{
    struct dyno_prompt_maker *maker = calloc(1, sizeof *maker);
    dyno_status status;

    if (!maker) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for prompts");
    }
    maker->config = *config;
    status = add_pieces(maker, error);
    maker->config.tokenizer = NULL;
    if (status != DYNO_OK) {
        dyno_prompt_maker_close(maker);
        return status;
    }
    *out = maker;
    return DYNO_OK;
}

void dyno_prompt_maker_close(struct dyno_prompt_maker *maker)
{
    if (maker) {
        free(maker->pieces);
        free(maker);
    }
}

/* ---- prompts --------------------------------------------------------------------------------- */

/* The pieces at [from, to) of what stands under `name`. */
static void put_pieces(const struct dyno_prompt_maker *maker, struct dyno_load_text *out,
                       uint32_t from, uint32_t to, uint64_t name)
{
    char *at = out->at + out->size;

    for (uint32_t i = from; i < to; i++) {
        const struct piece *piece = &maker->pieces[dyno_chain(name, i - from) % maker->count];

        memcpy(at, piece->text, PIECE_MAX); /* always as much, for that is fast: room is there */
        at += piece->size;
    }
    out->size = (size_t)(at - out->at);
}

dyno_status dyno_prompt_write(const struct dyno_prompt_maker *maker,
                              const struct dyno_request *request, struct dyno_load_text *out)
{
    static const uint64_t private_root = 0x3c79ac492ba7b653ULL;
    uint64_t seed = maker->config.seed;
    uint32_t most =
        request->prompt_tokens > maker->around ? request->prompt_tokens - maker->around : 1;
    size_t start = out->size;
    uint32_t end = 0;

    DYNO_TRY(dyno_load_text_reserve(out, ((size_t)most + 2) * PIECE_MAX));
    for (uint32_t i = 0; i < request->span_count && end < most; i++) {
        uint32_t from = end;
        uint64_t to = end + (uint64_t)request->spans[i].blocks * maker->config.block_tokens;

        end = to < most ? (uint32_t)to : most;
        put_pieces(maker, out, from, end, dyno_chain(seed, request->spans[i].id));
    }
    put_pieces(maker, out, end, most, dyno_chain(dyno_chain(seed, private_root), request->id));
    out->at[start] = maker->config.as_tokens ? '[' : '"'; /* in place of the first separator */
    out->at[out->size++] = maker->config.as_tokens ? ']' : '"';
    return DYNO_OK;
}
