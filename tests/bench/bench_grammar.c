/* What constrained decoding costs with a real vocabulary: sizes, and processor time of a mask that
 * is made, one that is kept, and of advancing by a token.
 *
 * usage: bench_grammar TOKENIZER [ROUNDS [SCHEMA]]
 *
 * The text that is followed is a list of people, in the tokens that the masks allow: as long ones
 * as there are.  Of kept masks the instructions, by the difference of two numbers of rounds: perf
 * stat -e instructions:u bench_grammar TOKENIZER 1; ... 101 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backends/assets/tokenizer/tokenizer_file.h"
#include "backends/grammar/masks.h"

static const char built_in[] =
    "{\"type\":\"object\",\"properties\":{\"people\":{\"type\":\"array\",\"items\":{\"type\":"
    "\"object\",\"properties\":{\"name\":{\"type\":\"string\",\"maxLength\":60},\"age\":{\"type\":"
    "\"integer\",\"minimum\":0,\"maximum\":150},\"role\":{\"enum\":[\"author\",\"editor\",null]},"
    "\"tags\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}},\"required\":[\"name\",\"age\","
    "\"role\",\"tags\"]}}},\"required\":[\"people\"]}";

static const char text[] =
    "{\"people\": [{\"name\": \"Jane Austen\", \"age\": 41, \"role\": \"author\", \"tags\": "
    "[\"novels\", \"irony\", \"Hampshire and Bath\"]}, {\"name\": \"Fanny Burney\", \"age\": 87, "
    "\"role\": null, \"tags\": []}, {\"name\": \"Maria Edgeworth \xc3\xa9\", \"age\": 81, "
    "\"role\": "
    "\"editor\", \"tags\": [\"a much longer text that goes on for quite a few words, as texts "
    "do\"]}]}";

static double seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void die(const char *why)
{
    (void)fprintf(stderr, "bench_grammar: %s\n", why);
    exit(EXIT_FAILURE);
}

struct bench {
    struct dyno_token_trie *trie;
    struct dyno_grammar *grammar;
    struct dyno_grammar_masks *masks;
    uint64_t *allowed;
    uint32_t vocab;
    double slowest;
};

/* The longest allowed token that the text at `at` begins with. */
static uint32_t next_token(const struct bench *bench, const char *at, size_t left)
{
    uint32_t best = UINT32_MAX;
    size_t best_size = 0;

    for (uint32_t id = 0; id < bench->vocab; id++) {
        struct dyno_token_bytes token = dyno_token_trie_token(bench->trie, id);

        if (bench->allowed[id / 64] >> (id % 64) & 1 && token.size > best_size &&
            token.size <= left && memcmp(token.bytes, at, token.size) == 0) {
            best = id;
            best_size = token.size;
        }
    }
    return best;
}

/* Follow the tokens, or with count 0 find them first; returns how many they are. */
static size_t follow(struct bench *bench, uint32_t *tokens, size_t count)
{
    struct dyno_grammar_state state;
    size_t i = 0;

    dyno_grammar_begin(bench->grammar, &state);
    for (size_t at = 0; at < sizeof text - 1; i++) {
        double begin = seconds();
        struct dyno_token_bytes token;

        (void)dyno_grammar_mask(bench->masks, &state, bench->allowed);
        if (count == 0) {
            bench->slowest =
                seconds() - begin > bench->slowest ? seconds() - begin : bench->slowest;
            tokens[i] = next_token(bench, text + at, sizeof text - 1 - at);
        }
        token = dyno_token_trie_token(bench->trie, tokens[i]);
        if (!dyno_grammar_advance(bench->grammar, &state, token.bytes, token.size)) {
            die("the text does not fit the schema");
        }
        at += token.size;
    }
    return i;
}

static void open_all(struct bench *bench, const char *path, const char *schema_text)
{
    const struct dyno_grammar_options strict = {.strict = true};
    const struct dyno_tokenizer_file *file = NULL;
    struct dyno_grammar_masks_options options = {.bytes_max = 16 << 20};
    struct dyno_error error;
    json_t *schema = json_loads(schema_text, 0, NULL);
    double begin = seconds();

    if (!schema || dyno_tokenizer_file_open(&file, path, &error) != DYNO_OK) {
        die("the tokenizer or the schema cannot be read");
    }
    printf("tokenizer   %10.1f ms to read, %u tokens\n", 1e3 * (seconds() - begin),
           file->vocabulary.token_count);
    begin = seconds();
    options.vocab = bench->vocab = file->vocabulary.token_count;
    if (dyno_token_trie_open(&bench->trie, &file->vocabulary, &error) != DYNO_OK) {
        die(error.text);
    }
    printf("trie        %10.1f ms, %.1f MiB\n", 1e3 * (seconds() - begin),
           (double)dyno_token_trie_bytes(bench->trie) / 1048576);
    begin = seconds();
    if (dyno_grammar_of_schema(&bench->grammar, schema, &strict, &error) != DYNO_OK ||
        dyno_grammar_masks_open(&bench->masks, bench->grammar, bench->trie, &options, &error) !=
            DYNO_OK) {
        die(error.text);
    }
    printf("grammar     %10.3f ms, %.1f KiB; a state %.1f KiB, a mask %.1f KiB\n",
           1e3 * (seconds() - begin), (double)dyno_grammar_bytes(bench->grammar) / 1024,
           (double)sizeof(struct dyno_grammar_state) / 1024, (double)options.vocab / 8192);
    bench->allowed = calloc(options.vocab / 64 + 1, sizeof *bench->allowed);
    json_decref(schema);
    dyno_tokenizer_file_close(file);
}

int main(int argc, char **argv)
{
    struct bench bench = {.slowest = 0.0};
    uint32_t tokens[sizeof text];
    uint32_t rounds = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1000;
    struct dyno_grammar_masks_counts counts;
    double begin;
    size_t count;

    if (argc < 2) {
        die("usage: bench_grammar TOKENIZER [ROUNDS [SCHEMA]]");
    }
    open_all(&bench, argv[1], argc > 3 ? argv[3] : built_in);
    count = follow(&bench, tokens, 0);
    counts = dyno_grammar_masks_counts(bench.masks);
    printf("first time  %10.3f ms the slowest mask; %zu tokens, %" PRIu64 " masks made\n",
           1e3 * bench.slowest, count, counts.made);
    begin = seconds();
    for (uint32_t i = 0; i < rounds; i++) {
        (void)follow(&bench, tokens, count);
    }
    printf("then        %10.3f us a token (mask and advance), %u rounds\n",
           1e6 * (seconds() - begin) / ((double)count * rounds), rounds);
    counts = dyno_grammar_masks_counts(bench.masks);
    printf("masks       %10.1f MiB reserved, %" PRIu64 " made, %" PRIu64 " found\n",
           (double)counts.bytes / 1048576, counts.made, counts.found);
    dyno_grammar_masks_close(bench.masks);
    dyno_grammar_close(bench.grammar);
    dyno_token_trie_close(bench.trie);
    free(bench.allowed);
    return EXIT_SUCCESS;
}
