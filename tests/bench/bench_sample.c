/* What a choice costs at a vocabulary of 128k: processor time and, under `valgrind --tool=callgrind
 * --toggle-collect=dyno_sample`, instructions.
 *
 * usage: bench_sample [CASE [ROUNDS]]
 *
 * CASE is greedy, temperature, top_p, top_k, flat_top_p (all tokens equally likely) or logprobs;
 * the logits are normally distributed with deviation 3, which is how a model's look. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/rng.h"
#include "kernels/logprobs.h"
#include "kernels/sample.h"

enum { VOCAB = 131072 };

static const struct {
    const char *name;
    struct dyno_sampling sampling;
} cases[] = {
    {"greedy", {.temperature = 0.0}},
    {"temperature", {.temperature = 1.0}},
    {"top_p", {.temperature = 1.0, .top_p = 0.9}},
    {"top_k", {.temperature = 1.0, .top_k = 50}},
    {"flat_top_p", {.temperature = 1e6, .top_p = 0.9}},
};

static double seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int main(int argc, char **argv)
{
    float *logits = malloc(VOCAB * sizeof *logits);
    void *scratch = malloc(dyno_sample_scratch(VOCAB));
    const char *only = argc > 1 ? argv[1] : NULL;
    uint32_t rounds = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 100;
    struct dyno_sample_history nothing = {0};
    struct dyno_logprob chosen, top[20];
    struct dyno_rng rng;

    if (!logits || !scratch || rounds == 0) {
        return EXIT_FAILURE;
    }
    dyno_rng_init(&rng, 1, "bench");
    for (uint32_t i = 0; i < VOCAB; i++) {
        logits[i] = (float)(3.0 * dyno_rng_normal(&rng));
    }
    for (size_t i = 0; i <= sizeof cases / sizeof *cases; i++) {
        bool sample = i < sizeof cases / sizeof *cases;
        const char *name = sample ? cases[i].name : "logprobs";
        double begin = seconds();
        uint64_t sum = 0;

        if (only && strcmp(only, name) != 0) {
            continue;
        }
        for (uint32_t round = 0; round < rounds; round++) {
            sum += sample ? dyno_sample(&cases[i].sampling, logits, VOCAB, round, &nothing, scratch)
                          : dyno_logprobs(logits, VOCAB, round, &chosen, top, 20);
        }
        printf("%-12s %8.1f us a choice (%" PRIu64 ")\n", name, 1e6 * (seconds() - begin) / rounds,
               sum);
    }
    free(scratch);
    free(logits);
    return EXIT_SUCCESS;
}
