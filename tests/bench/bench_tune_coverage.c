/* How often the intervals of `dyno tune` hold the truth, over many worlds.
 * bench_tune_coverage [WORLDS [DRAWS]]; docs/tune.md has what it printed. */
#include <stdio.h>

#include "tests/cli/tune_worlds.h"

static const struct paired_world worlds[] = {
    {.rate = 0.5, .slowdown = 1.1, .requests = 2000},
    {.rate = 0.5, .slowdown = 1.1, .requests = 10000},
    {.rate = 0.7, .slowdown = 1.1, .requests = 10000},
    {.rate = 0.5, .slowdown = 1.1, .requests = 2000, .seeds = 5},
    {.rate = 0.7, .slowdown = 1.1, .requests = 2000, .seeds = 5},
    {.rate = 0.5, .slowdown = 1.1, .requests = 2000, .seeds = 10},
};

static void print_row(const struct paired_world *world, const char *of, uint32_t count,
                      const uint32_t covered[METRICS])
{
    printf("%-6.2g %9u %6u  %-12s", world->rate, world->requests, world->seeds ? world->seeds : 1,
           of);
    for (int i = 0; i < METRICS; i++) {
        printf("  %8.1f", 100.0 * covered[i] / count);
    }
    printf("\n");
}

int main(int argc, char **argv)
{
    uint32_t count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 300;
    uint32_t draws = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 200;

    printf("%-6s %9s %6s  %-12s  %8s  %8s  %8s  %8s  %8s\n", "load", "requests", "seeds",
           "interval of", "mean", "p50", "goodput", "per GPU", "watts");
    for (size_t i = 0; i < sizeof worlds / sizeof worlds[0]; i++) {
        uint32_t arms[METRICS] = {0}, differences[METRICS] = {0};

        count_covered(&worlds[i], count, draws, arms, differences);
        print_row(&worlds[i], "one side", count, arms);
        print_row(&worlds[i], "difference", count, differences);
        fflush(stdout);
    }
    return 0;
}
