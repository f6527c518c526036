/* What /proc says of a process: its state, and when it began. */
#include "reports/liveness.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    NAME_BYTES = 256,
    TEXT_BYTES = 1024,
    FIELDS_TO_START = 19, /* from the state, field 3 of /proc/PID/stat, to field 22 */
    CLOCKS_APART_S = 10,  /* clocks are set, and seconds are rounded */
};

/* The first bytes of a file of /proc, with a NUL; false: it cannot be read. */
static bool read_text(const char *path, char out[TEXT_BYTES])
{
    FILE *file = fopen(path, "re");
    size_t got;

    if (!file) {
        return false;
    }
    got = fread(out, 1, TEXT_BYTES - 1, file);
    out[got] = '\0';
    fclose(file);
    return got > 0;
}

/* Unix time at which this machine was started; 0: it does not say. */
static int64_t boot_time(void)
{
    FILE *file = fopen("/proc/stat", "re");
    int64_t at = 0;
    char line[TEXT_BYTES];

    while (file && at == 0 && fgets(line, sizeof line, file)) {
        if (strncmp(line, "btime ", 6) == 0) {
            at = strtoll(line + 6, NULL, 10);
        }
    }
    if (file) {
        fclose(file);
    }
    return at;
}

/* State and start of a process, from its line in /proc; its name, in brackets, may hold anything.
 */
static bool read_line(const char *line, char *state, int64_t *ticks)
{
    const char *at = strrchr(line, ')');

    if (!at || at[1] != ' ') {
        return false;
    }
    *state = at[2];
    for (int field = 0; at && field <= FIELDS_TO_START; field++) {
        at = strchr(at + 1, ' ');
    }
    if (!at) {
        return false;
    }
    *ticks = strtoll(at + 1, NULL, 10);
    return true;
}

static enum dyno_liveness look(int64_t process, int64_t since_s)
{
    char path[64], line[TEXT_BYTES], state = 'X';
    int64_t boot_s = boot_time(), ticks = 0, second = sysconf(_SC_CLK_TCK);

    if (boot_s == 0 || second <= 0) {
        return DYNO_LIVENESS_UNKNOWN;
    }
    (void)snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", process);
    if (!read_text(path, line)) {
        return DYNO_LIVENESS_GONE;
    }
    if (!read_line(line, &state, &ticks)) {
        return DYNO_LIVENESS_UNKNOWN;
    }
    if (state == 'Z' || state == 'X' || boot_s + ticks / second > since_s + CLOCKS_APART_S) {
        return DYNO_LIVENESS_GONE;
    }
    return DYNO_LIVENESS_RUNNING;
}

enum dyno_liveness dyno_liveness_of(const char *machine, int64_t process, int64_t since_s)
{
    char here[NAME_BYTES] = "";

    if (!machine || gethostname(here, sizeof here - 1) != 0 || strcmp(machine, here) != 0 ||
        process <= 0) {
        return DYNO_LIVENESS_UNKNOWN;
    }
    return look(process, since_s);
}
