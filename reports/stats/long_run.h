/* How far the mean of cells that remember each other may be off.
 *
 * Blocks of b cells show of the variance of a mean what is right but for a part c / b: where cells
 * follow each other too little, as what begins in one block ends in the next; where they work
 * against each other too much, as what one block leaves undone the next one has to do (the time
 * that a fleet is busy, more so the difference of two that have the same work).  Blocks of two
 * lengths tell c:
 *
 *   variance = (b V(b) - h V(h)) / (b - h), h = b / 2
 *
 * which is the lag window with a flat top (Politis and Romano, 1995; "lugsail" in Vats and Flegal,
 * 2022).  It knows half as much of itself as overlapping blocks do of what they show, whose degrees
 * of freedom are 3 / 2 of those of blocks that do not overlap (Meketon and Schmeiser, 1984): 3 / 4
 * of k - 1 for k blocks. */
#ifndef DYNO_REPORTS_STATS_LONG_RUN_H
#define DYNO_REPORTS_STATS_LONG_RUN_H

#include <stdbool.h>
#include <stdint.h>

enum { DYNO_CELLS_MAX = 256, DYNO_BLOCKS_MIN = 5, DYNO_BLOCKS_MAX = 25 };

/* How long a series remembers. */
struct dyno_memory {
    /* The length of a block, in cells, that gives the least error of the standard error of a mean:
     * Politis and White, 2004, as corrected by Patton, Politis and White, 2009; for the circular
     * bootstrap.  At least 1, at most count / 4: so it is where what follows a cell outweighs it to
     * the other side, so that nothing is left of a variance. */
    double block;
};

struct dyno_memory dyno_memory_of(const double *series, uint32_t count);

/* How long a block is to be, in cells, of `cells` of a run and `all` of all runs: as long as asked
 * for, so long that there are at most DYNO_BLOCKS_MAX, and that a run has DYNO_BLOCKS_MIN. */
uint32_t dyno_block_cells(double asked, uint32_t cells, uint32_t all);

struct dyno_long_run {
    double variance; /* of the mean of a stream; of several, of their means' mean */
    double ratio;    /* the variance to what blocks of the length that was asked about show */
    double freedom;  /* degrees of it */
    double memories; /* how often all cells hold the block that they ask for */
};

/* What each cell adds to a figure. */
struct dyno_long_run_input {
    const double *series; /* [streams][cells] */
    uint32_t streams;     /* each on its own ... */
    bool shared;          /* ... or all the same traffic, and so one */
    uint32_t cells;
    uint32_t block_cells; /* the blocks that are asked about */
    uint32_t least_cells; /* blocks are at least so long; 0: as long as the series asks */
};

/* A series of zeros shows nothing: its ratio is 1. */
struct dyno_long_run dyno_long_run_of(const struct dyno_long_run_input *input);

#endif
