/* How fast a tokenizer is: megabytes a second of one thread, over a text given as a file.
 *
 * usage: bench_tokenizer TOKENIZER TEXT [ROUNDS]
 *
 * Each round has a new encoder, whose cache is empty, and encodes the text in parts of about 4 KiB,
 * as prompts come; then it decodes all ids.  Time is the thread's own.  Printed are the median and
 * the best round, which on a busy machine is nearer to what the program can do. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backends/assets/tokenizer/detokenizer.h"
#include "backends/assets/tokenizer/tokenizer.h"
#include "backends/assets/tokenizer/tokenizer_file.h"

enum { PART_BYTES = 4096, ROUNDS_MAX = 99 };

static double seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void die(const char *why)
{
    (void)fprintf(stderr, "bench_tokenizer: %s\n", why);
    exit(EXIT_FAILURE);
}

static char *read_text(const char *path, size_t *size)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t capacity = 0;
    ssize_t got = file ? getdelim(&text, &capacity, '\0', file) : -1;

    if (got <= 0) {
        die("the text cannot be read");
    }
    (void)fclose(file);
    *size = (size_t)got;
    return text;
}

static int by_size(const void *left, const void *right)
{
    const double *a = left, *b = right;

    return *a < *b ? -1 : *a > *b;
}

static void print_speed(const char *what, double *values, size_t count, size_t size)
{
    qsort(values, count, sizeof *values, by_size);
    printf("%-7s %8.1f MB/s median, %.1f best\n", what, 1e-6 * (double)size / values[count / 2],
           1e-6 * (double)size / values[0]);
}

/* Parts end after a line where there is one. */
static size_t part_size(const char *text, size_t size)
{
    const char *end;

    if (size <= PART_BYTES) {
        return size;
    }
    end = memchr(text + PART_BYTES, '\n', size - PART_BYTES);
    return end ? (size_t)(end - text) + 1 : size;
}

static uint32_t *encode_all(const struct dyno_tokenizer *tokenizer, const char *text, size_t size,
                            size_t *count, double *took)
{
    uint32_t *ids = malloc((size + 1) * sizeof *ids);
    struct dyno_encoder *encoder;
    struct dyno_token_ids got;
    struct dyno_error error;
    double start;

    *count = 0;
    if (!ids || dyno_encoder_open(&encoder, tokenizer, &error) != DYNO_OK) {
        die("no memory");
    }
    start = seconds();
    while (size > 0) {
        size_t part = part_size(text, size);

        if (dyno_encode(encoder, text, part, (struct dyno_encode_options){0}, &got, &error) !=
            DYNO_OK) {
            die(error.text);
        }
        memcpy(ids + *count, got.ids, got.count * sizeof *ids);
        *count += got.count;
        text += part;
        size -= part;
    }
    *took = seconds() - start;
    dyno_encoder_close(encoder);
    return ids;
}

int main(int argc, char **argv)
{
    const struct dyno_tokenizer_file *file;
    struct dyno_tokenizer *tokenizer;
    struct dyno_error error;
    double encode_s[ROUNDS_MAX], decode_s[ROUNDS_MAX], start = seconds();
    size_t rounds = argc > 3 ? strtoul(argv[3], NULL, 10) : 7, size, count = 0, decoded;
    char *text, *back;

    if (argc < 3 || rounds == 0 || rounds > ROUNDS_MAX) {
        die("usage: bench_tokenizer TOKENIZER TEXT [ROUNDS from 1 to 99]");
    }
    if (dyno_tokenizer_file_open(&file, argv[1], &error) != DYNO_OK ||
        dyno_tokenizer_open(&tokenizer, &file->vocabulary, &error) != DYNO_OK) {
        die(error.text);
    }
    dyno_tokenizer_file_close(file);
    printf("load    %8.3f s\n", seconds() - start);
    text = read_text(argv[2], &size);
    for (size_t i = 0; i < rounds; i++) {
        uint32_t *ids = encode_all(tokenizer, text, size, &count, &encode_s[i]);

        start = seconds();
        if (dyno_decode(tokenizer, ids, count, true, &back, &decoded, &error) != DYNO_OK) {
            die(error.text);
        }
        decode_s[i] = seconds() - start;
        free(back);
        free(ids);
    }
    printf("text    %8zu bytes, %zu tokens\n", size, count);
    print_speed("encode", encode_s, rounds, size);
    print_speed("decode", decode_s, rounds, size);
    free(text);
    dyno_tokenizer_close(tokenizer);
    return EXIT_SUCCESS;
}
