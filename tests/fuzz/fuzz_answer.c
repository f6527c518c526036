/* Any bytes as what a server answers, in pieces of any size: a response, its event stream and the
 * chunks in that.  Never a crash; however it is cut, the same comes of it. */
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "backends/client/event_stream.h"
#include "backends/client/response.h"
#include "backends/load/answer.h"

/* What was heard, as one number, and what is listening. */
struct fuzz_heard {
    struct dyno_event_stream stream;
    bool stream_failed;
    uint64_t digest;
    size_t body_size;
};

static void fuzz_note(struct fuzz_heard *heard, uint64_t what)
{
    heard->digest = (heard->digest ^ what) * 0x100000001b3ULL;
}

static void fuzz_event(void *context, const char *data, size_t size)
{
    struct fuzz_heard *heard = context;
    struct dyno_answer_chunk chunk;
    bool good = dyno_answer_read(&chunk, data, size);

    fuzz_note(heard, size);
    fuzz_note(heard, good);
    if (good) {
        assert(strlen(chunk.message) < DYNO_ANSWER_MESSAGE_MAX);
        fuzz_note(heard, (uint64_t)chunk.has_text << 32 | chunk.output_tokens);
    }
}

static void fuzz_head(void *context, const struct dyno_client_head *head)
{
    assert(head->status >= 200 && head->status <= 599);
    fuzz_note(context, head->status);
}

static void fuzz_body(void *context, const char *bytes, size_t size)
{
    struct fuzz_heard *heard = context;

    heard->body_size += size;
    if (!heard->stream_failed &&
        dyno_event_stream_push(&heard->stream, bytes, size, fuzz_event, heard, NULL) != DYNO_OK) {
        heard->stream_failed = true;
    }
}

/* The digest of data[size] in pieces of `piece` bytes, each in memory of its own. */
static uint64_t fuzz_push(const uint8_t *data, size_t size, size_t piece)
{
    struct fuzz_heard heard = {.digest = 0};
    struct dyno_client_listener listener = {&heard, fuzz_head, fuzz_body};
    struct dyno_client_response response;
    struct dyno_error error = {.text = ""};
    dyno_status status = DYNO_OK;

    dyno_client_response_init(&response);
    for (size_t at = 0; at < size && status == DYNO_OK; at += piece) {
        size_t length = piece < size - at ? piece : size - at, used = 0;
        char *copy = malloc(length);

        assert(copy);
        memcpy(copy, data + at, length);
        status = dyno_client_response_push(&response, copy, length, &used, &listener, &error);
        assert(status != DYNO_OK || used == length || dyno_client_response_is_done(&response));
        free(copy);
    }
    if (status == DYNO_OK) {
        status = dyno_client_response_close(&response, &error);
    }
    assert(status == DYNO_OK || error.text[0] != '\0');
    assert(heard.body_size <= size);
    fuzz_note(&heard, (uint64_t)(status == DYNO_OK));
    dyno_client_response_release(&response);
    dyno_event_stream_release(&heard.stream);
    return heard.digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t whole = fuzz_push(data, size, size + 1);
    uint64_t by_bytes = fuzz_push(data, size, 1);
    uint64_t by_sevens = fuzz_push(data, size, 7);

    assert(by_bytes == whole);
    assert(by_sevens == whole);
    return 0;
}
