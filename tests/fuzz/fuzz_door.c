/* Any bytes as what a client sends to the whole door: HTTP, JSON, template, tokenizer, grammar,
 * answers, events.  Behind the desk stands a fleet of the harness's own, which draws logits from a
 * seed, so that one input has one history.  The first two bytes cut the rest into pieces; or, where
 * the first one has its highest bit, the second names an endpoint and the rest is a whole body.
 *
 * Whatever comes: what goes back is HTTP, a body of JSON or events of JSON; a status from 400 on
 * carries an error in OpenAI's shape; and when the client has gone nothing is in flight.
 */
#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backends/door/clerk.h"
#include "backends/door/door_parts.h"
#include "backends/engine/generation.h"
#include "backends/posix/wall_clock.h"
#include "core/base/map.h"
#include "kernels/sample.h"

enum { FUZZ_BODY_MAX = 32768, FUZZ_TOKENS_MAX = 12, FUZZ_WIDTH = 8, FUZZ_ANSWERS_MAX = 64 };

#define FUZZ_TOKENIZER "backends/assets/models/austen-2m"

struct fuzz_door {
    struct dyno_clock *clock;
    struct dyno_transcripts *transcripts;
    const struct dyno_tokenizer_file *file;
    struct dyno_door *door;
    float *logits; /* [vocab] */
    void *scratch;
    uint64_t seed;
    char *came; /* [size] from the door, terminated */
    size_t size, capacity;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- a fleet --------------------------------------------------------------------------------- */

static uint32_t fuzz_vocab(const struct fuzz_door *fuzz)
{
    return fuzz->file->vocabulary.token_count;
}

/* One token, or a vector.  True: the sequence ends. */
static bool fuzz_step(struct fuzz_door *fuzz, struct dyno_transcript *transcript)
{
    struct dyno_generation *generation = transcript->generation;
    uint32_t token = DYNO_TOKEN_FILLER;

    for (uint32_t i = 0; i < fuzz_vocab(fuzz); i++) {
        fuzz->seed = dyno_mix(fuzz->seed + i);
        fuzz->logits[i] = (float)(fuzz->seed % 4096) / 256.0F;
    }
    if (generation->ops->embed) {
        generation->ops->embed(generation, fuzz->logits, FUZZ_WIDTH);
    } else {
        token = generation->ops->choose(generation, fuzz->logits, fuzz_vocab(fuzz), transcript,
                                        fuzz->scratch);
        assert(token < fuzz_vocab(fuzz));
        transcript->tokens[transcript->count++] = token;
    }
    return generation->ops->took(generation, token);
}

/* From the last position to the first, for their order is nobody's business. */
static void fuzz_score(struct fuzz_door *fuzz, const struct dyno_transcript *transcript)
{
    struct dyno_generation *generation = transcript->generation;

    for (uint32_t i = transcript->prompt_tokens - 1; i > 0; i--) {
        fuzz->logits[i % fuzz_vocab(fuzz)] += (float)i;
        generation->ops->score(generation, i - 1, fuzz->logits, fuzz_vocab(fuzz), transcript);
    }
}

/* Its whole life at once; every eighth ends in another way. */
static void fuzz_serve(struct fuzz_door *fuzz, const struct dyno_request *request, dyno_ns now)
{
    static const enum dyno_outcome outcomes[8] = {
        [5] = DYNO_REJECTED_QUEUE_FULL, [6] = DYNO_FAILED, [7] = DYNO_REJECTED_PROMPT_TOO_LONG};
    struct dyno_sink *sink = dyno_desk_sink(fuzz->door->desk);
    struct dyno_source *source = dyno_desk_source(fuzz->door->desk);
    struct dyno_request_record record = {.id = request->id,
                                         .outcome = outcomes[dyno_mix(request->id) % 8],
                                         .prompt_tokens = request->prompt_tokens,
                                         .scheduled_ns = now,
                                         .arrival_ns = now,
                                         .ready_ns = now,
                                         .admitted_ns = now,
                                         .first_token_ns = now,
                                         .last_token_ns = now};
    struct dyno_transcript *transcript = dyno_transcripts_find(fuzz->transcripts, request->id);
    uint32_t most = request->max_tokens < FUZZ_TOKENS_MAX ? request->max_tokens : FUZZ_TOKENS_MAX;
    bool ends = record.outcome != DYNO_COMPLETED;

    if (!ends && transcript->generation->ops->score) {
        fuzz_score(fuzz, transcript);
    }
    for (; !ends && record.output_tokens < most; record.output_tokens++) {
        ends = fuzz_step(fuzz, transcript);
    }
    if (record.outcome == DYNO_COMPLETED && !transcript->generation->ops->embed && !ends &&
        most < request->max_tokens) {
        record.outcome = DYNO_CANCELLED_AT_END; /* the harness wants no more */
    }
    source->ops->ended(source, request->id, now);
    assert(sink->ops->request(sink, &record) == DYNO_OK);
}

static void fuzz_fleet(struct fuzz_door *fuzz)
{
    struct dyno_source *source = dyno_desk_source(fuzz->door->desk);
    struct dyno_error error;
    struct dyno_request request;
    uint64_t id;

    while (source->ops->next(source) != DYNO_NEVER) {
        dyno_ns now = dyno_wall_clock_now(fuzz->clock);

        assert(source->ops->take(source, now, &request, &error) == DYNO_OK);
        fuzz_serve(fuzz, &request, now);
    }
    while (source->ops->cancelled(source, dyno_wall_clock_now(fuzz->clock), &id) != DYNO_NEVER) {
    }
}

/* ---- what comes back ------------------------------------------------------------------------- */

static void fuzz_check_error(const json_t *body)
{
    const json_t *error = json_object_get(body, "error");

    assert(json_object_size(error) == 4 && json_string_length(json_object_get(error, "message")));
    assert(json_string_length(json_object_get(error, "type")));
    assert(json_object_get(error, "param") && json_object_get(error, "code"));
}

static void fuzz_check_json(const char *text, size_t size, bool is_error)
{
    json_t *body =
        json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

    assert(json_is_object(body));
    if (is_error) {
        fuzz_check_error(body);
    }
    json_decref(body);
}

/* Events: lines "event: NAME" and "data: JSON", an empty one behind each. */
static void fuzz_check_events(const char *text, size_t size)
{
    const char *end = text + size;

    while (text < end) {
        const char *line = memchr(text, '\n', (size_t)(end - text));
        size_t length;

        assert(line);
        length = (size_t)(line - text);
        if (length > 6 && memcmp(text, "data: ", 6) == 0) {
            if (length != 12 || memcmp(text + 6, "[DONE]", 6) != 0) {
                fuzz_check_json(text + 6, length - 6, memcmp(text + 6, "{\"error\"", 8) == 0);
            }
        } else {
            assert(length == 0 || memcmp(text, "event: ", 7) == 0);
        }
        text = line + 1;
    }
}

/* Join the chunks at `text` where they lie; returns what follows them, NULL: they are not whole. */
static char *fuzz_join(char *text, const char *end, size_t *size)
{
    char *to = text, *from = text;

    for (;;) {
        char *after;
        size_t chunk = strtoul(from, &after, 16);

        if (after == from || (size_t)(end - after) < chunk + 4) {
            return NULL;
        }
        assert(memcmp(after, "\r\n", 2) == 0 && memcmp(after + 2 + chunk, "\r\n", 2) == 0);
        memmove(to, after + 2, chunk);
        to += chunk;
        from = after + 2 + chunk + 2;
        if (chunk == 0) {
            *size = (size_t)(to - text);
            return from;
        }
    }
}

static bool fuzz_has(const char *head, const char *line)
{
    return strstr(head, line) != NULL;
}

/* One response that begins at `text`; returns what follows, NULL: it is not whole. */
static char *fuzz_check_response(char *text, char *end)
{
    char *body = memmem(text, (size_t)(end - text), "\r\n\r\n", 4);
    const char *length;
    long status;
    size_t size;

    assert(end - text < 9 || memcmp(text, "HTTP/1.", 7) == 0);
    if (!body) {
        return NULL;
    }
    body[2] = '\0'; /* the head is a string from here on */
    body += 4;
    status = strtol(text + 9, NULL, 10);
    assert(status >= 100 && status < 600);
    if (status == 100 || status == 204) {
        return body;
    }
    if (fuzz_has(text, "\r\nTransfer-Encoding: chunked\r\n")) {
        char *after = body < end ? fuzz_join(body, end, &size) : NULL;

        if (after) {
            assert(status == 200 && fuzz_has(text, "\r\nContent-Type: text/event-stream"));
            fuzz_check_events(body, size);
        }
        return after;
    }
    length = strstr(text, "\r\nContent-Length: ");
    if (!length) { /* a stream for HTTP/1.0: to the end of the connection */
        return NULL;
    }
    size = strtoul(length + strlen("\r\nContent-Length: "), NULL, 10);
    if ((size_t)(end - body) < size) {
        return NULL; /* also the answer to a HEAD */
    }
    if (fuzz_has(text, "\r\nContent-Type: application/json\r\n")) {
        fuzz_check_json(body, size, status >= 400);
    }
    assert(status < 400 || fuzz_has(text, "\r\nContent-Type: application/json\r\n"));
    return body + size;
}

static void fuzz_check(struct fuzz_door *fuzz)
{
    char *at = fuzz->came;

    while (at && at < fuzz->came + fuzz->size) {
        at = fuzz_check_response(at, fuzz->came + fuzz->size);
    }
}

/* ---- a client -------------------------------------------------------------------------------- */

static void fuzz_hear(struct fuzz_door *fuzz, int socket)
{
    ssize_t got;

    do {
        if (fuzz->capacity - fuzz->size < 65536) {
            fuzz->capacity = 2 * fuzz->capacity + 131072;
            fuzz->came = realloc(fuzz->came, fuzz->capacity);
            assert(fuzz->came);
        }
        got = recv(socket, fuzz->came + fuzz->size, fuzz->capacity - fuzz->size - 1, MSG_DONTWAIT);
        fuzz->size += got > 0 ? (size_t)got : 0;
    } while (got > 0);
    fuzz->came[fuzz->size] = '\0';
}

static void fuzz_turn(struct fuzz_door *fuzz, int socket)
{
    struct dyno_error error;
    bool more;

    assert(dyno_http_server_turn(fuzz->door->server, false, &more, &error) == DYNO_OK);
    fuzz_fleet(fuzz);
    if (socket >= 0) {
        fuzz_hear(fuzz, socket);
    }
}

/* Until nothing moves any more; what the clerk has is waited for. */
static void fuzz_settle(struct fuzz_door *fuzz, int socket)
{
    int still = 0;

    while (still < 4) {
        size_t before = fuzz->size;
        bool is_busy = dyno_clerk_count(fuzz->door->clerk) > 0;

        fuzz_turn(fuzz, socket);
        still = before == fuzz->size && !is_busy ? still + 1 : 0;
    }
}

static void fuzz_open(struct fuzz_door *fuzz)
{
    static const uint32_t no_eos[1] = {0};
    struct dyno_error error = {.status = DYNO_OK};
    struct dyno_door_config config = {.http = {.address = "127.0.0.1",
                                               .header_bytes_max = 4096,
                                               .body_bytes_max = FUZZ_BODY_MAX,
                                               .connections_max = 4,
                                               .head_timeout_ns = 3600 * DYNO_S,
                                               .idle_timeout_ns = 3600 * DYNO_S,
                                               .write_timeout_ns = 3600 * DYNO_S,
                                               .unsent_bytes_max = 1 << 26},
                                      .desk = {.answers_max = FUZZ_ANSWERS_MAX,
                                               .worker_count = 1,
                                               .now = dyno_wall_clock_now,
                                               .wake = dyno_wall_clock_wake},
                                      .models = {{.name = "m",
                                                  .context = 512,
                                                  .dimensions = FUZZ_WIDTH,
                                                  .scores = true,
                                                  .eos = no_eos}},
                                      .model_count = 1,
                                      .block_tokens = 16,
                                      .cors_origin = "*",
                                      .salt = "a secret of the harness",
                                      .version = "0",
                                      .vllm_names = true};

    assert(dyno_tokenizer_file_open(&fuzz->file, FUZZ_TOKENIZER, &error) == DYNO_OK);
    assert(dyno_wall_clock_open(&fuzz->clock, 1.0) == DYNO_OK);
    assert(dyno_transcripts_open(&fuzz->transcripts) == DYNO_OK);
    fuzz->logits = calloc(fuzz_vocab(fuzz), sizeof *fuzz->logits);
    fuzz->scratch = malloc(dyno_sample_scratch(fuzz_vocab(fuzz)));
    assert(fuzz->logits && fuzz->scratch);
    config.desk.clock = fuzz->clock;
    config.desk.transcripts = fuzz->transcripts;
    config.models[0].file = fuzz->file;
    config.models[0].vocab = fuzz_vocab(fuzz);
    assert(dyno_door_open(&fuzz->door, &config, &error) == DYNO_OK);
}

void fuzz_close(struct fuzz_door *fuzz);

/* For a harness that looks for leaks when it ends. */
void fuzz_close(struct fuzz_door *fuzz)
{
    dyno_door_hang_up(fuzz->door);
    dyno_door_close(fuzz->door);
    dyno_transcripts_close(fuzz->transcripts);
    dyno_tokenizer_file_close(fuzz->file);
    dyno_wall_clock_close(fuzz->clock);
    free(fuzz->logits);
    free(fuzz->scratch);
    free(fuzz->came);
    *fuzz = (struct fuzz_door){.door = NULL};
}

/* False: the door has closed the connection. */
static bool fuzz_send(struct fuzz_door *fuzz, int socket, const void *bytes, size_t size)
{
    bool is_sent = send(socket, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;

    fuzz_turn(fuzz, socket);
    return is_sent;
}

static void fuzz_send_pieces(struct fuzz_door *fuzz, int socket, const uint8_t *data, size_t size)
{
    size_t piece = 1 + (size_t)data[0] * data[1];

    data += 2;
    for (size -= 2; size > 0; size -= piece, data += piece) {
        piece = piece < size ? piece : size;
        if (!fuzz_send(fuzz, socket, data, piece)) {
            return;
        }
    }
}

static void fuzz_send_body(struct fuzz_door *fuzz, int socket, const uint8_t *data, size_t size)
{
    static const char *const paths[] = {"/v1/chat/completions", "/v1/completions", "/v1/responses",
                                        "/v1/embeddings",       "/tokenize",       "/detokenize"};
    char head[128];
    int length =
        snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n",
                 paths[data[1] % 6], size - 2);

    if (fuzz_send(fuzz, socket, head, (size_t)length)) {
        (void)fuzz_send(fuzz, socket, data + 2, size - 2);
    }
}

static struct fuzz_door fuzz_the_door; /* it serves one input after another */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_door *fuzz = &fuzz_the_door;
    struct dyno_error error;
    int ends[2];

    if (!fuzz->door) {
        fuzz_open(fuzz);
    }
    if (size < 2) {
        return 0;
    }
    fuzz->seed = size;
    fuzz->size = 0;
    assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    assert(dyno_http_server_adopt(fuzz->door->server, ends[1], &error) == DYNO_OK);
    if (data[0] & 0x80) {
        fuzz_send_body(fuzz, ends[0], data, size);
    } else {
        fuzz_send_pieces(fuzz, ends[0], data, size);
    }
    fuzz_settle(fuzz, ends[0]);
    if (!memmem(data, size, "HEAD", 4)) { /* whose answers claim a body that does not come */
        fuzz_check(fuzz);
    }
    (void)close(ends[0]);
    fuzz_settle(fuzz, -1);
    assert(dyno_http_server_counts(fuzz->door->server).connections_open == 0);
    assert(dyno_desk_count(fuzz->door->desk) == 0);
    return 0;
}
