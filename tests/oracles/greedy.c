/* The tokens that a model answers greedily, and how sure it is of each, for comparison with another
 * engine.
 *
 * usage: oracle_greedy MODEL COUNT TOKEN...
 *
 * Prints COUNT lines: a token, and by how much its logit exceeds the next best one's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/cpu/forward.h"

enum { BLOCK_TOKENS = 16, TOKENS_MAX = 1024, WORKERS = 1 };

static void die(const char *why)
{
    (void)fprintf(stderr, "oracle_greedy: %s\n", why);
    exit(EXIT_FAILURE);
}

/* The largest logit's place; *margin: by how much it exceeds the second. */
static uint32_t pick(const float *logits, uint32_t vocab, float *margin)
{
    uint32_t best = 0;
    float second = -1e30F;

    for (uint32_t i = 1; i < vocab; i++) {
        if (logits[i] > logits[best]) {
            second = logits[best];
            best = i;
        } else if (logits[i] > second) {
            second = logits[i];
        }
    }
    *margin = logits[best] - second;
    return best;
}

static void answer(struct dyno_forward *forward, uint32_t vocab, uint32_t *tokens, uint32_t count,
                   uint32_t more)
{
    float *logits = calloc(vocab, sizeof(*logits));
    uint32_t table[TOKENS_MAX / BLOCK_TOKENS], done = 0;

    for (uint32_t i = 0; i < TOKENS_MAX / BLOCK_TOKENS; i++) {
        table[i] = i;
    }
    for (uint32_t i = 0; logits && i < more; i++) {
        struct dyno_forward_slice slice = {.tokens = tokens + done,
                                           .first = done,
                                           .count = count - done,
                                           .table = table,
                                           .yields = true};
        float margin;

        dyno_forward_run(forward, &slice, 1, logits);
        done = count;
        tokens[count] = pick(logits, vocab, &margin);
        printf("%u %.6f\n", tokens[count], (double)margin);
        count++;
    }
    free(logits);
}

int main(int argc, char **argv)
{
    static uint32_t tokens[TOKENS_MAX];
    struct dyno_weights *weights = NULL;
    struct dyno_kv_storage *storage = NULL;
    struct dyno_forward *forward = NULL;
    struct dyno_error error = {.text = "usage: oracle_greedy MODEL COUNT TOKEN..."};
    struct dyno_forward_config config = {.team = dyno_team_open(WORKERS), .rows_max = TOKENS_MAX};
    uint32_t more = argc > 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0, count = 0;

    for (int i = 3; i < argc && count < TOKENS_MAX; i++) {
        tokens[count++] = (uint32_t)strtoul(argv[i], NULL, 10);
    }
    if (argc < 4 || count + more > TOKENS_MAX ||
        dyno_weights_open(&weights, argv[1], &error) != DYNO_OK ||
        dyno_kv_storage_open(&storage, &weights->model, TOKENS_MAX / BLOCK_TOKENS, BLOCK_TOKENS,
                             DYNO_ELEMENT_F32, &error) != DYNO_OK) {
        die(error.text);
    }
    config.weights = weights;
    config.storage = storage;
    if (dyno_forward_open(&forward, &config, &error) != DYNO_OK) {
        die(error.text);
    }
    answer(forward, weights->model.vocab, tokens, count, more);
    dyno_forward_close(forward);
    dyno_kv_storage_close(storage);
    dyno_weights_close(weights);
    dyno_team_close(config.team);
    return EXIT_SUCCESS;
}
