#include "cli/bars.h"

#include <string.h>

void dyno_bars(char out[DYNO_BARS_BYTES], const uint64_t *counts, size_t count)
{
    static const char *const eighths[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    uint64_t most = 1;
    char *at = out;

    *at = '\0';
    for (size_t i = 0; i < count; i++) {
        most = counts[i] > most ? counts[i] : most;
    }
    for (size_t i = 0; i < count && i < DYNO_BARS_MAX; i++) {
        /* Rounded up: whatever is there can be seen. */
        uint64_t height = (uint64_t)(((unsigned __int128)counts[i] * 8 + most - 1) / most);

        at = stpcpy(at, eighths[height]);
    }
}
