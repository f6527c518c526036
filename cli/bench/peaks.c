#include "cli/bench/peaks.h"

#include <stdlib.h>

static int by_time(const void *a, const void *b)
{
    dyno_ns left = *(const dyno_ns *)a, right = *(const dyno_ns *)b;

    return (left > right) - (left < right);
}

static void sort(dyno_ns *times, size_t count)
{
    if (count > 0) {
        qsort(times, count, sizeof *times, by_time);
    }
}

size_t dyno_peak_overlap(dyno_ns *starts, dyno_ns *ends, size_t count)
{
    size_t ended = 0, most = 0;

    sort(starts, count);
    sort(ends, count);
    for (size_t i = 0; i < count; i++) {
        while (ended < i && ends[ended] <= starts[i]) {
            ended++;
        }
        most = i + 1 - ended > most ? i + 1 - ended : most;
    }
    return most;
}

size_t dyno_peak_per_second(dyno_ns *times, size_t count)
{
    size_t most = 0, from = 0;

    sort(times, count);
    for (size_t i = 0; i < count; i++) {
        if ((times[i] - times[0]) / DYNO_S != (times[from] - times[0]) / DYNO_S) {
            from = i;
        }
        most = i + 1 - from > most ? i + 1 - from : most;
    }
    return most;
}
