/* A random world: what a seed draws of the options that a simulation has, as the words of the
 * command line that would make it. */
#ifndef DYNO_CLI_SWARM_WORLD_H
#define DYNO_CLI_SWARM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

enum { DYNO_SWARM_WORDS_MAX = 192, DYNO_SWARM_WORD_BYTES = 96 };

struct dyno_swarm_world {
    uint64_t seed;
    char words[DYNO_SWARM_WORDS_MAX][DYNO_SWARM_WORD_BYTES]; /* "replay", "--set", "a.b=c", ... */
    char *argv[DYNO_SWARM_WORDS_MAX + 1];                    /* the same; NULL-terminated */
    int argc;
    double storm; /* share of clients that give up; 0: nobody (not an option of a run) */
};

/* Draw the world of a seed; `more` (may be NULL-terminated, not NULL) are settings that every world
 * has, "section.key=value", over what was drawn. */
void dyno_swarm_draw(struct dyno_swarm_world *world, uint64_t seed, char *const *more);

/* One more setting. */
void dyno_swarm_set(struct dyno_swarm_world *world, const char *setting);

#endif
