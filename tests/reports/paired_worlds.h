/* Worlds whose truth is known: two arms of a queue with one server, fed the same arrivals and the
 * same work, where the second arm's server is slower by a factor.
 *
 * M/M/1 in its stationary state: mean wait = rho / (mu - lambda); P(wait > t) = rho exp(-(mu -
 * lambda) t).  Of other arrivals and other work the truth is that of a run of two million requests,
 * some hundred times as long as what is asked about it (world_serve_long).  A wait is told as
 * TTFT. */
#ifndef DYNO_TESTS_REPORTS_PAIRED_WORLDS_H
#define DYNO_TESTS_REPORTS_PAIRED_WORLDS_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/math.h"
#include "core/base/rng.h"
#include "reports/paired.h"

enum world_arrivals {
    WORLD_POISSON,
    WORLD_BURSTS, /* gaps of two lengths: their variance is four times their mean's square */
    WORLD_TIDES,  /* six tenths of the rate and fourteen, for 40 s in the mean each */
    WORLD_CROWDS, /* three at once in the mean */
};

enum world_work {
    WORLD_EXPONENTIAL,
    WORLD_EQUAL,
    WORLD_UNEVEN, /* as bursts are */
};

static const char *const world_arrivals_names[] = {"poisson", "bursts", "tides", "crowds"};
static const char *const world_work_names[] = {"exponential", "equal", "uneven"};

struct paired_world {
    double rate;     /* arrivals per second */
    double slowdown; /* of the second arm; the first serves one a second */
    uint32_t requests, seeds;
    enum world_arrivals arrivals;
    enum world_work work;
};

/* Where a world is: what comes next is drawn from this. */
struct world_stream {
    const struct paired_world *world;
    struct dyno_rng rng;
    double left; /* of the tide */
    bool is_high;
};

static inline struct world_stream world_stream(const struct paired_world *world, uint64_t seed)
{
    struct world_stream stream = {.world = world};

    dyno_rng_init(&stream.rng, seed, "paired_world");
    return stream;
}

/* Of mean 1: exponential, with one of two means. */
static inline double world_two_fold(struct dyno_rng *rng)
{
    static const double share = 0.1127; /* of the longer: half of the whole, as the shorter */
    double length = dyno_rng_exponential(rng);

    return length / (2.0 * (dyno_rng_unit(rng) < share ? share : 1.0 - share));
}

static inline double world_tide(struct world_stream *stream)
{
    double passed = 0.0;

    while (true) {
        double gap = dyno_rng_exponential(&stream->rng) /
                     (stream->world->rate * (stream->is_high ? 1.4 : 0.6));

        if (gap <= stream->left) {
            stream->left -= gap;
            return passed + gap;
        }
        passed += stream->left;
        stream->left = 40.0 * dyno_rng_exponential(&stream->rng);
        stream->is_high = !stream->is_high;
    }
}

/* Until the next request, in s. */
static inline double world_gap(struct world_stream *stream)
{
    double rate = stream->world->rate;

    switch (stream->world->arrivals) {
    case WORLD_BURSTS:
        return world_two_fold(&stream->rng) / rate;
    case WORLD_TIDES:
        return world_tide(stream);
    case WORLD_CROWDS:
        return dyno_rng_unit(&stream->rng) < 2.0 / 3.0
                   ? 0.0
                   : 3.0 * dyno_rng_exponential(&stream->rng) / rate;
    default:
        return dyno_rng_exponential(&stream->rng) / rate;
    }
}

/* What it asks for, in s of the first server. */
static inline double world_work(struct world_stream *stream)
{
    switch (stream->world->work) {
    case WORLD_EQUAL:
        return 1.0;
    case WORLD_UNEVEN:
        return world_two_fold(&stream->rng);
    default:
        return dyno_rng_exponential(&stream->rng);
    }
}

static inline void world_serve(const struct paired_world *world, uint64_t seed,
                               struct dyno_request_record *first,
                               struct dyno_request_record *second)
{
    enum { SETTLE = 1500 };
    struct world_stream stream = world_stream(world, seed);
    double at = 1e-3, free_at[2] = {0, 0};

    for (uint32_t i = 0; i < SETTLE + world->requests; i++) {
        double work, start[2];

        at += world_gap(&stream);
        work = world_work(&stream);
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

/* What is true of an arm. */
struct world_truth {
    double mean, p50, p99; /* of the wait, in s */
    double good;           /* the share that waits two seconds at most */
};

enum { WORLD_GOOD_S = 2 };

static inline int world_by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

/* Of a long run; reads `waits` [count], and sorts them. */
static inline struct world_truth world_truth_of_waits(double *waits, uint32_t count)
{
    struct world_truth truth = {.mean = 0.0};

    qsort(waits, count, sizeof *waits, world_by_value);
    for (uint32_t i = 0; i < count; i++) {
        truth.mean += waits[i] / count;
        truth.good += (waits[i] <= WORLD_GOOD_S) / (double)count;
    }
    truth.p50 = waits[count / 2];
    truth.p99 = waits[count / 100 * 99];
    return truth;
}

static inline void world_serve_long(const struct paired_world *world, struct world_truth out[2])
{
    enum { COUNT = 2000000 };
    struct world_stream stream = world_stream(world, 1000000007);
    double *waits[2] = {malloc(COUNT * sizeof **waits), malloc(COUNT * sizeof **waits)};
    double at = 0.0, free_at[2] = {0, 0};

    for (uint32_t i = 0; i < COUNT; i++) {
        double work;

        at += world_gap(&stream);
        work = world_work(&stream);
        for (int arm = 0; arm < 2; arm++) {
            double start = free_at[arm] > at ? free_at[arm] : at;

            waits[arm][i] = start - at;
            free_at[arm] = start + work * (arm ? world->slowdown : 1.0);
        }
    }
    for (int arm = 0; arm < 2; arm++) {
        out[arm] = world_truth_of_waits(waits[arm], COUNT);
        free(waits[arm]);
    }
}

/* Of both arms. */
static inline void world_truths(const struct paired_world *world, struct world_truth out[2])
{
    if (world->arrivals != WORLD_POISSON || world->work != WORLD_EXPONENTIAL) {
        world_serve_long(world, out);
        return;
    }
    for (int arm = 0; arm < 2; arm++) {
        double slowdown = arm ? world->slowdown : 1.0, mu = 1.0 / slowdown;

        out[arm] = (struct world_truth){
            .mean = world_mean_wait(world, slowdown),
            .p50 = world_wait_quantile(world, slowdown, 0.5),
            .p99 = world_wait_quantile(world, slowdown, 0.99),
            .good = 1.0 - world->rate / mu / dyno_exp((mu - world->rate) * WORLD_GOOD_S),
        };
    }
}

/* The truth of each metric's difference, in ms. */
static inline double world_truth(const struct world_truth arms[2], const char *metric)
{
    if (strcmp(metric, "ttft_ms.p50") == 0) {
        return 1e3 * (arms[1].p50 - arms[0].p50);
    }
    if (strcmp(metric, "ttft_ms.p99") == 0) {
        return 1e3 * (arms[1].p99 - arms[0].p99);
    }
    return 1e3 * (arms[1].mean - arms[0].mean);
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
