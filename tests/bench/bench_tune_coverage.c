/* How often the intervals of `dyno tune` hold the truth, over many worlds.
 * bench_tune_coverage [WORLDS [DRAWS [ROW]]], of one row of the table or all; docs/tune.md has what
 * it printed. */
#include <stdio.h>

#include "tests/cli/tune_worlds.h"

static const struct paired_world worlds[] = {
    {.rate = 0.5, .slowdown = 1.1, .requests = 500},
    {.rate = 0.5, .slowdown = 1.1, .requests = 2000},
    {.rate = 0.5, .slowdown = 1.1, .requests = 10000},
    {.rate = 0.7, .slowdown = 1.1, .requests = 10000},
    {.rate = 0.8, .slowdown = 1.05, .requests = 10000},
    {.rate = 0.85, .slowdown = 1.05, .requests = 10000},
    {.rate = 0.9, .slowdown = 1.03, .requests = 10000},
    {.rate = 0.9, .slowdown = 1.03, .requests = 40000},
    {.rate = 0.6, .slowdown = 1.1, .requests = 10000, .arrivals = WORLD_BURSTS},
    {.rate = 0.6, .slowdown = 1.1, .requests = 10000, .arrivals = WORLD_TIDES},
    {.rate = 0.6, .slowdown = 1.1, .requests = 10000, .arrivals = WORLD_CROWDS},
    {.rate = 0.7, .slowdown = 1.1, .requests = 10000, .work = WORLD_EQUAL},
    {.rate = 0.6, .slowdown = 1.1, .requests = 10000, .work = WORLD_UNEVEN},
    {.rate = 0.5, .slowdown = 1.1, .requests = 2000, .seeds = 5},
    {.rate = 0.7, .slowdown = 1.1, .requests = 2000, .seeds = 5},
    {.rate = 0.5, .slowdown = 1.1, .requests = 2000, .seeds = 10},
};

static void print_row(const struct paired_world *world, const char *of, uint32_t count,
                      const uint32_t covered[METRICS])
{
    printf("%-7s %-11s %-5.2g %9u %6u  %-10s", world_arrivals_names[world->arrivals],
           world_work_names[world->work], world->rate, world->requests,
           world->seeds ? world->seeds : 1, of);
    for (int i = 0; i < METRICS; i++) {
        printf("  %7.1f", 100.0 * covered[i] / count);
    }
    printf("\n");
}

int main(int argc, char **argv)
{
    uint32_t count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 300;
    uint32_t draws = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 200;
    size_t rows = sizeof worlds / sizeof worlds[0];
    size_t from = argc > 3 ? strtoul(argv[3], NULL, 10) % rows : 0,
           end = argc > 3 ? from + 1 : rows;

    printf("%-7s %-11s %-5s %9s %6s  %-10s  %7s  %7s  %7s  %7s  %7s\n", "arrive", "work", "load",
           "requests", "seeds", "of", "mean", "p50", "goodput", "per GPU", "watts");
    for (size_t i = from; i < end; i++) {
        uint32_t arms[METRICS] = {0}, differences[METRICS] = {0};

        count_covered(&worlds[i], count, draws, arms, differences);
        print_row(&worlds[i], "one side", count, arms);
        print_row(&worlds[i], "difference", count, differences);
        fflush(stdout);
    }
    return 0;
}
