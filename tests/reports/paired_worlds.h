/* Worlds whose truth is known: two arms of a queue with one server, fed the same arrivals and the
 * same work, where the second arm's server is slower by a factor.
 *
 * M/M/1 in its stationary state: mean wait = rho / (mu - lambda); P(wait > t) = rho exp(-(mu -
 * lambda) t).  A wait is told as TTFT. */
#ifndef DYNO_TESTS_REPORTS_PAIRED_WORLDS_H
#define DYNO_TESTS_REPORTS_PAIRED_WORLDS_H

#include <stdlib.h>
#include <string.h>

#include "core/base/math.h"
#include "core/base/rng.h"
#include "reports/paired.h"

struct paired_world {
    double rate;     /* arrivals per second */
    double slowdown; /* of the second arm; the first serves one a second */
    uint32_t requests, seeds;
};

static inline void world_serve(const struct paired_world *world, uint64_t seed,
                               struct dyno_request_record *first,
                               struct dyno_request_record *second)
{
    enum { SETTLE = 1500 };
    struct dyno_rng rng;
    double at = 1e-3, free_at[2] = {0, 0};

    dyno_rng_init(&rng, seed, "paired_world");
    for (uint32_t i = 0; i < SETTLE + world->requests; i++) {
        double work, start[2];

        at += dyno_rng_exponential(&rng) / world->rate;
        work = dyno_rng_exponential(&rng);
        for (int arm = 0; arm < 2; arm++) {
            start[arm] = free_at[arm] > at ? free_at[arm] : at;
            free_at[arm] = start[arm] + work * (arm ? world->slowdown : 1.0);
        }
        for (int arm = 0; arm < 2 && i >= SETTLE; arm++) {
            dyno_ns arrival = (dyno_ns)(at * 1e9), token = (dyno_ns)(start[arm] * 1e9);

            (arm ? second : first)[i - SETTLE] =
                (struct dyno_request_record){.id = i - SETTLE,
                                             .outcome = DYNO_COMPLETED,
                                             .prompt_tokens = 100,
                                             .output_tokens = 1,
                                             .scheduled_ns = arrival,
                                             .arrival_ns = arrival,
                                             .ready_ns = arrival,
                                             .admitted_ns = token,
                                             .first_token_ns = token,
                                             .last_token_ns = token};
        }
    }
}

static inline double world_mean_wait(const struct paired_world *world, double slowdown)
{
    double mu = 1.0 / slowdown, rho = world->rate / mu;

    return rho / (mu - world->rate);
}

static inline double world_wait_quantile(const struct paired_world *world, double slowdown,
                                         double p)
{
    double mu = 1.0 / slowdown, rho = world->rate / mu;

    return rho > 1.0 - p ? dyno_log(rho / (1.0 - p)) / (mu - world->rate) : 0.0;
}

/* The truth of each metric's difference, in ms. */
static inline double world_truth(const struct paired_world *world, const char *metric)
{
    static const struct {
        const char *name;
        double p;
    } quantiles[] = {{"ttft_ms.p50", 0.5}, {"ttft_ms.p99", 0.99}};

    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
        if (strcmp(metric, quantiles[i].name) == 0) {
            return 1e3 * (world_wait_quantile(world, world->slowdown, quantiles[i].p) -
                          world_wait_quantile(world, 1.0, quantiles[i].p));
        }
    }
    return 1e3 * (world_mean_wait(world, world->slowdown) - world_mean_wait(world, 1.0));
}

/* All seeds of a world, compared; `seed` of the first. */
static inline dyno_status world_compare(const struct paired_world *world, uint64_t seed,
                                        uint32_t draws, bool means_only,
                                        struct dyno_paired_figures *out)
{
    enum { SEEDS_MAX = 64 };
    struct dyno_request_record *memory =
        malloc((size_t)2 * world->seeds * world->requests * sizeof *memory);
    const struct dyno_request_record *records[2 * SEEDS_MAX];
    uint32_t counts[SEEDS_MAX];
    dyno_status status;

    if (!memory) {
        return DYNO_NO_MEMORY;
    }
    for (uint32_t i = 0; i < world->seeds; i++) {
        struct dyno_request_record *first = memory + (size_t)i * world->requests;
        struct dyno_request_record *second = memory + ((size_t)world->seeds + i) * world->requests;

        world_serve(world, seed + i, first, second);
        records[i] = first;
        records[world->seeds + i] = second;
        counts[i] = world->requests;
    }
    status = dyno_paired_compute(out, &(struct dyno_paired_input){.arms = 2,
                                                                  .streams = world->seeds,
                                                                  .records = records,
                                                                  .counts = counts,
                                                                  .draws = draws,
                                                                  .means_only = means_only,
                                                                  .seed = seed});
    free(memory);
    return status;
}

#endif
