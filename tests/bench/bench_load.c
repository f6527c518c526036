/* How fast a model is opened, against reading its file with nothing done to it.
 *
 * usage: bench_load FILE [ROUNDS]
 *
 * FILE is a .gguf or a llama2.c .bin file.  Printed are medians, in GB of the file a second of wall
 * time: of read(), and of opening (every byte mapped and checked), each with the file in the page
 * cache ("warm") and after it was thrown out of it ("cold").  Rounds of the four are interleaved.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "backends/assets/weights.h"

enum { ROUNDS = 5, ROUNDS_MAX = 99, BUFFER_BYTES = 4 << 20, KINDS = 4 };

static double seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void die(const char *why)
{
    (void)fprintf(stderr, "bench_load: %s\n", why);
    exit(EXIT_FAILURE);
}

static int open_file(const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);

    if (file < 0) {
        die("the file cannot be opened");
    }
    return file;
}

static void throw_out(const char *path)
{
    int file = open_file(path);

    (void)fdatasync(file);
    (void)posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    (void)close(file);
}

static double time_read(const char *path)
{
    uint8_t *buffer = malloc(BUFFER_BYTES);
    int file = open_file(path);
    double start = seconds();

    while (buffer && read(file, buffer, BUFFER_BYTES) > 0) {
    }
    (void)close(file);
    free(buffer);
    return seconds() - start;
}

static double time_open(const char *path)
{
    struct dyno_weights *weights = NULL;
    struct dyno_error error;
    double start = seconds(), end;

    if (dyno_weights_open(&weights, path, &error) != DYNO_OK) {
        die(error.text);
    }
    end = seconds();
    dyno_weights_close(weights);
    return end - start;
}

static int compare(const void *left, const void *right)
{
    const double *a = left, *b = right;

    return (*a > *b) - (*a < *b);
}

int main(int argc, char **argv)
{
    static const char *const names[KINDS] = {"read warm", "open warm", "read cold", "open cold"};
    static double taken[KINDS][ROUNDS_MAX];
    int rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : ROUNDS;
    struct stat about;

    if (argc < 2 || rounds < 1 || rounds > ROUNDS_MAX || stat(argv[1], &about) != 0) {
        die("usage: bench_load FILE [ROUNDS]");
    }
    (void)time_read(argv[1]);
    for (int i = 0; i < rounds; i++) {
        taken[0][i] = time_read(argv[1]);
        taken[1][i] = time_open(argv[1]);
        throw_out(argv[1]);
        taken[2][i] = time_read(argv[1]);
        throw_out(argv[1]);
        taken[3][i] = time_open(argv[1]);
    }
    for (int kind = 0; kind < KINDS; kind++) {
        qsort(taken[kind], (size_t)rounds, sizeof(double), compare);
        printf("%s  %6.2f GB/s\n", names[kind],
               (double)about.st_size / 1e9 / taken[kind][rounds / 2]);
    }
    return EXIT_SUCCESS;
}
