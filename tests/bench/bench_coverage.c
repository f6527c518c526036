/* How often the intervals of `dyno ab` hold the truth: queues whose differences are known, over
 * many worlds.  bench_coverage [WORLDS [DRAWS [ROW]]], of one row of the table
 * or all; docs/ab.md has what it printed. */
#include <stdio.h>

#include "tests/reports/paired_worlds.h"

static const char *const metrics[] = {"ttft_ms.mean", "ttft_ms.p50", "ttft_ms.p99"};

static const struct paired_world worlds[] = {
    {.rate = 0.3, .slowdown = 1.1, .requests = 2000, .seeds = 1},
    {.rate = 0.5, .slowdown = 1.1, .requests = 500, .seeds = 1},
    {.rate = 0.5, .slowdown = 1.1, .requests = 2000, .seeds = 1},
    {.rate = 0.5, .slowdown = 1.1, .requests = 10000, .seeds = 1},
    {.rate = 0.7, .slowdown = 1.1, .requests = 10000, .seeds = 1},
    {.rate = 0.8, .slowdown = 1.05, .requests = 10000, .seeds = 1},
    {.rate = 0.85, .slowdown = 1.05, .requests = 10000, .seeds = 1},
    {.rate = 0.9, .slowdown = 1.03, .requests = 10000, .seeds = 1},
    {.rate = 0.9, .slowdown = 1.03, .requests = 40000, .seeds = 1},
    {.rate = 0.6, .slowdown = 1.1, .requests = 10000, .seeds = 1, .arrivals = WORLD_BURSTS},
    {.rate = 0.6, .slowdown = 1.1, .requests = 10000, .seeds = 1, .arrivals = WORLD_TIDES},
    {.rate = 0.6, .slowdown = 1.1, .requests = 10000, .seeds = 1, .arrivals = WORLD_CROWDS},
    {.rate = 0.7, .slowdown = 1.1, .requests = 10000, .seeds = 1, .work = WORLD_EQUAL},
    {.rate = 0.6, .slowdown = 1.1, .requests = 10000, .seeds = 1, .work = WORLD_UNEVEN},
    {.rate = 0.5, .slowdown = 1.1, .requests = 2000, .seeds = 3},
    {.rate = 0.5, .slowdown = 1.1, .requests = 2000, .seeds = 5},
    {.rate = 0.7, .slowdown = 1.1, .requests = 2000, .seeds = 10},
    {.rate = 0.5, .slowdown = 1.1, .requests = 2000, .seeds = 20},
};

/* How many of `count` intervals of each metric hold the truth, and how many were given. */
struct tally {
    uint32_t covered[3], given[3];
    double blocks; /* in the mean */
};

static dyno_status count_covered(struct tally *out, const struct paired_world *world,
                                 uint32_t count, uint32_t draws)
{
    struct world_truth truths[2];

    world_truths(world, truths);
    for (uint32_t i = 0; i < count; i++) {
        struct dyno_paired_figures figures;

        DYNO_TRY(world_compare(world, 1 + (uint64_t)i * world->seeds, draws, false, &figures));
        out->blocks += (double)figures.cells / figures.block_cells / count;
        for (int j = 0; j < 3; j++) {
            const struct dyno_estimate *found =
                &figures.difference[0][1][dyno_paired_metric_find(metrics[j])];
            double truth = world_truth(truths, metrics[j]);

            out->covered[j] += found->low <= truth && truth <= found->high;
            out->given[j] += found->low <= found->high;
        }
    }
    return DYNO_OK;
}

static void print_row(const struct paired_world *world, const struct tally *tally)
{
    printf("%-7s %-11s %-5.2g %-8.3g %8u %5u %6.1f", world_arrivals_names[world->arrivals],
           world_work_names[world->work], world->rate, world->slowdown, world->requests,
           world->seeds, tally->blocks);
    for (int j = 0; j < 3; j++) {
        printf("  %5.1f of %4u",
               tally->given[j] ? 100.0 * tally->covered[j] / tally->given[j] : 0.0,
               tally->given[j]);
    }
    printf("\n");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    uint32_t count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 400;
    uint32_t draws = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 400;
    size_t rows = sizeof worlds / sizeof worlds[0];
    size_t from = argc > 3 ? strtoul(argv[3], NULL, 10) % rows : 0,
           end = argc > 3 ? from + 1 : rows;

    printf("%-7s %-11s %-5s %-8s %8s %5s %6s  %13s  %13s  %13s\n", "arrive", "work", "load",
           "slowdown", "requests", "seeds", "blocks", "mean, %", "p50, %", "p99, %");
    for (size_t i = from; i < end; i++) {
        struct tally tally = {.blocks = 0.0};

        if (count_covered(&tally, &worlds[i], count, draws) != DYNO_OK) {
            return 1;
        }
        print_row(&worlds[i], &tally);
    }
    return 0;
}
