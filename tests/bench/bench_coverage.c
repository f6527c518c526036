/* How often the intervals of `dyno ab` hold the truth: queues whose differences are known in closed
 * form, over many worlds.  bench_coverage [WORLDS [DRAWS]]; docs/ab.md has what it printed. */
#include <stdio.h>

#include "tests/reports/paired_worlds.h"

static const char *const metrics[] = {"ttft_ms.mean", "ttft_ms.p50", "ttft_ms.p99"};

static const struct paired_world worlds[] = {
    {.rate = 0.3, .slowdown = 1.1, .requests = 2000, .seeds = 1},
    {.rate = 0.5, .slowdown = 1.1, .requests = 2000, .seeds = 1},
    {.rate = 0.5, .slowdown = 1.1, .requests = 10000, .seeds = 1},
    {.rate = 0.7, .slowdown = 1.1, .requests = 10000, .seeds = 1},
    {.rate = 0.8, .slowdown = 1.05, .requests = 10000, .seeds = 1},
    {.rate = 0.85, .slowdown = 1.05, .requests = 10000, .seeds = 1},
    {.rate = 0.5, .slowdown = 1.1, .requests = 2000, .seeds = 3},
    {.rate = 0.5, .slowdown = 1.1, .requests = 2000, .seeds = 5},
    {.rate = 0.7, .slowdown = 1.1, .requests = 2000, .seeds = 10},
    {.rate = 0.5, .slowdown = 1.1, .requests = 2000, .seeds = 20},
};

int main(int argc, char **argv)
{
    uint32_t count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 400;
    uint32_t draws = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 400;

    printf("%-6s %-9s %9s %6s %8s  %16s  %16s  %16s\n", "load", "slowdown", "requests", "seeds",
           "blocks", "mean, %", "p50, %", "p99, %");
    for (size_t i = 0; i < sizeof worlds / sizeof worlds[0]; i++) {
        uint32_t covered[3] = {0}, given[3] = {0};
        double blocks = 0;

        for (uint32_t world = 0; world < count; world++) {
            struct dyno_paired_figures figures;

            if (world_compare(&worlds[i], 1 + (uint64_t)world * worlds[i].seeds, draws, false,
                              &figures) != DYNO_OK) {
                return 1;
            }
            blocks += (double)figures.cells / figures.block_cells / count;
            for (int j = 0; j < 3; j++) {
                const struct dyno_estimate *found =
                    &figures.difference[0][1][dyno_paired_metric_find(metrics[j])];
                double truth = world_truth(&worlds[i], metrics[j]);

                covered[j] += found->low <= truth && truth <= found->high;
                given[j] += found->low <= found->high;
            }
        }
        printf("%-6.2g %-9.3g %9u %6u %8.1f", worlds[i].rate, worlds[i].slowdown,
               worlds[i].requests, worlds[i].seeds, blocks);
        for (int j = 0; j < 3; j++) {
            printf("  %8.1f of %4u", given[j] ? 100.0 * covered[j] / given[j] : 0.0, given[j]);
        }
        printf("\n");
        fflush(stdout);
    }
    return 0;
}
