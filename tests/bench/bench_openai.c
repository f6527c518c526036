/* What the OpenAI API costs to read and write: CPU time of one thread.
 *
 * usage: bench_openai [chunk|request|prompt] [COUNT]
 *
 * `chunk` writes the text of one token to a stream of chat chunks, as is done for every token of
 * every stream, into a buffer that is emptied now and then, as a socket's is; `request` reads a
 * chat completion of an ordinary client, `prompt` one whose message is of 64 KiB.  Where time is
 * noise, count instructions:
 *
 *     valgrind --tool=callgrind bench_openai chunk 100000
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backends/openai/chat.h"
#include "backends/openai/stream.h"

enum { CHUNKS_IN_BUFFER = 64, PROMPT_BYTES = 64 << 10 };

static double seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void die(const char *why)
{
    (void)fprintf(stderr, "bench_openai: %s\n", why);
    exit(EXIT_FAILURE);
}

/* Returns the bytes written, so that the work cannot be left out. */
static uint64_t write_chunks(uint64_t count)
{
    static const char *const texts[] = {" the", " of", ",", " door", "\n", " caf\xc3\xa9", "ing"};
    const struct dyno_openai_about about = {"chatcmpl-0123456789abcdef0123456789abcdef",
                                            "llama-3.1-8b-instruct", 1700000000};
    struct dyno_openai_stream stream;
    struct dyno_bytes out;
    uint64_t bytes = 0;

    dyno_bytes_init(&out, 1 << 20);
    if (dyno_openai_stream_open(&stream, &about, true, false) != DYNO_OK) {
        die("no memory");
    }
    for (uint64_t i = 0; i < count; i++) {
        struct dyno_openai_delta delta = {.text = texts[i % 7]};

        delta.text_size = strlen(delta.text);
        dyno_openai_stream_put(&stream, &out, &delta);
        if (i % CHUNKS_IN_BUFFER == CHUNKS_IN_BUFFER - 1) {
            bytes += out.size;
            dyno_bytes_clear(&out);
        }
    }
    dyno_openai_stream_close(&stream);
    dyno_bytes_release(&out);
    return bytes;
}

static uint64_t read_bodies(const char *body, size_t size, uint64_t count)
{
    struct dyno_openai_rules rules = dyno_openai_rules_default();
    struct dyno_openai_error error;
    uint64_t tokens = 0;

    for (uint64_t i = 0; i < count; i++) {
        struct dyno_openai_chat chat;

        if (dyno_openai_chat_read(&chat, body, size, &rules, &error) != DYNO_OK) {
            die(error.cause.text);
        }
        tokens += chat.sampling.max_tokens;
        dyno_openai_chat_release(&chat);
    }
    return tokens;
}

static uint64_t read_requests(uint64_t count)
{
    static const char body[] =
        "{\"model\":\"llama-3.1-8b-instruct\",\"messages\":[{\"role\":\"system\",\"content\":\"You "
        "are a helpful assistant.\"},{\"role\":\"user\",\"content\":\"Say in one sentence what a "
        "front door is for.\"}],\"max_completion_tokens\":16,\"temperature\":0.7,\"stream\":true,"
        "\"stream_options\":{\"include_usage\":true}}";

    return read_bodies(body, sizeof body - 1, count);
}

static uint64_t read_prompts(uint64_t count)
{
    static const char begin[] = "{\"model\":\"m\",\"max_tokens\":16,\"messages\":[{\"role\":"
                                "\"user\",\"content\":\"";
    static const char line[] = "It is a truth universally acknowledged, that a single man\\n";
    static char body[PROMPT_BYTES + 512];
    size_t size = sizeof begin - 1;

    memcpy(body, begin, size);
    while (size < PROMPT_BYTES) {
        memcpy(body + size, line, sizeof line - 1);
        size += sizeof line - 1;
    }
    memcpy(body + size, "\"}]}", 4);
    return read_bodies(body, size + 4, count);
}

static const struct work {
    const char *name;
    uint64_t (*do_it)(uint64_t count);
} works[] = {{"chunk", write_chunks}, {"request", read_requests}, {"prompt", read_prompts}};

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "chunk";
    uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 100000;

    for (size_t i = 0; i < sizeof works / sizeof *works && count > 0; i++) {
        if (strcmp(works[i].name, name) == 0) {
            double start = seconds();
            uint64_t sum = works[i].do_it(count);

            printf("%s: %.1f ns each (%" PRIu64 " of them, sum %" PRIu64 ")\n", name,
                   (seconds() - start) * 1e9 / (double)count, count, sum);
            return 0;
        }
    }
    die("usage: bench_openai [chunk|request|prompt] [COUNT]");
    return EXIT_FAILURE;
}
