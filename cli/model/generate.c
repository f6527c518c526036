/* `dyno generate`: a model goes on from a prompt, or talks on the terminal.
 *
 * Standard output has what the model wrote and is a function of the model, the options and the
 * input; speeds and what a terminal needs go to standard error.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/assets/default_model.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/model/generate_options.h"
#include "cli/model/writer.h"
#include "core/base/words.h"

enum { MESSAGES_MAX = 4096 };

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

/* The first signal ends the answer and then the command, the second one the process.  A read that
 * waits is interrupted too. */
static void catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

/* Everything that was said so far. */
struct session {
    const struct dyno_generate_options *options;
    struct dyno_writer *writer;
    struct dyno_chat_message messages[MESSAGES_MAX]; /* contents are owned, but for the system's */
    uint32_t message_count, first_owned;
    char *answer; /* of this turn */
    size_t answer_size, answer_capacity;
    struct dyno_writer_answer total;
    bool failed; /* to keep or to write an answer */
};

static bool keep(struct session *session, const char *bytes, size_t size)
{
    size_t due = session->answer_size + size + 1;

    if (due > session->answer_capacity) {
        char *grown = realloc(session->answer, 2 * due);

        if (!grown) {
            return false;
        }
        session->answer = grown;
        session->answer_capacity = 2 * due;
    }
    memcpy(session->answer + session->answer_size, bytes, size);
    session->answer_size += size;
    session->answer[session->answer_size] = '\0';
    return true;
}

static bool hear(void *listener, const char *bytes, size_t size)
{
    struct session *session = listener;

    if (size > 0 && (fwrite(bytes, 1, size, stdout) != size || fflush(stdout) != 0 ||
                     !keep(session, bytes, size))) {
        session->failed = true;
    }
    return !session->failed && !interrupted;
}

static void add_up(struct session *session, const struct dyno_writer_answer *answer)
{
    session->total.prompt_tokens += answer->prompt_tokens;
    session->total.reused_tokens += answer->reused_tokens;
    session->total.output_tokens += answer->output_tokens;
    session->total.prompt_s += answer->prompt_s;
    session->total.output_s += answer->output_s;
    session->total.end = answer->end;
}

/* One answer, on standard output with a line end behind it. */
static dyno_status answer(struct session *session, const char *prompt, size_t size, bool rendered,
                          struct dyno_error *error)
{
    const struct dyno_generate_options *options = session->options;
    const struct dyno_writer_ask ask = {
        .prompt = prompt,
        .prompt_size = size,
        .rendered = rendered,
        .tokens_max = options->tokens_max,
        .sampling = {.seed = options->seed,
                     .temperature = options->temperature,
                     .top_k = options->top_k,
                     .top_p = options->top_p,
                     .min_p = options->min_p,
                     .repetition = options->repetition},
        .stops = options->stops,
        .stop_count = options->stop_count,
        .say = hear,
        .listener = session,
    };
    struct dyno_writer_answer given;

    session->answer_size = 0;
    DYNO_TRY(dyno_writer_run(session->writer, &ask, &given, error));
    add_up(session, &given);
    /* Written before what goes to standard error. */
    if (session->failed || putchar('\n') == EOF || fflush(stdout) != 0) {
        return dyno_fail(error, DYNO_IO, "the answer cannot be written: %s", strerror(errno));
    }
    return DYNO_OK;
}

/* A copy of the message is put at the end of the chat. */
static dyno_status add_message(struct session *session, const char *role, const char *content,
                               struct dyno_error *error)
{
    char *copy = strdup(content ? content : "");

    if (!copy || session->message_count == MESSAGES_MAX) {
        free(copy);
        return dyno_fail(error, copy ? DYNO_FULL : DYNO_NO_MEMORY,
                         "the chat has no room for another message");
    }
    session->messages[session->message_count++] =
        (struct dyno_chat_message){.role = role, .content = copy};
    return DYNO_OK;
}

/* Forget the oldest message of the user and what was answered; false: there is none to spare. */
static bool forget_oldest(struct session *session)
{
    uint32_t first = session->first_owned;

    if (session->message_count < first + 3) {
        return false;
    }
    for (uint32_t i = first; i < first + 2; i++) {
        free((void *)(uintptr_t)session->messages[i].content);
    }
    session->message_count -= 2;
    memmove(&session->messages[first], &session->messages[first + 2],
            (session->message_count - first) * sizeof session->messages[0]);
    return true;
}

/* The answer to the chat as it stands; what no longer fits is forgotten from its beginning. */
static dyno_status answer_chat(struct session *session, struct dyno_error *error)
{
    dyno_status status;

    do {
        char *prompt = NULL;
        size_t size = 0;

        status = dyno_writer_render(session->writer, session->messages, session->message_count,
                                    &prompt, &size, error);
        if (status == DYNO_OK) {
            status = answer(session, prompt, size, true, error);
        }
        free(prompt);
    } while (status == DYNO_FULL && forget_oldest(session));
    return status;
}

/* One message and its answer. */
static dyno_status take_turn(struct session *session, const char *message, struct dyno_error *error)
{
    DYNO_TRY(add_message(session, "user", message, error));
    DYNO_TRY(answer_chat(session, error));
    return add_message(session, "assistant", session->answer_size ? session->answer : "", error);
}

/* A line of standard input without its end; *ended: there is none any more. */
static dyno_status read_line(char **line, size_t *capacity, bool *ended, struct dyno_error *error)
{
    ssize_t length = getline(line, capacity, stdin);

    *ended = length < 0;
    if (length < 0 && !feof(stdin) && !interrupted) {
        return dyno_fail(error, DYNO_IO, "standard input cannot be read: %s", strerror(errno));
    }
    if (length < 0) {
        return DYNO_OK;
    }
    if (strlen(*line) != (size_t)length) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "a line of standard input is not text: byte %zu is 0", strlen(*line) + 1);
    }
    (*line)[strcspn(*line, "\n")] = '\0';
    return DYNO_OK;
}

/* Lines of standard input, until it ends. */
static dyno_status talk(struct session *session, struct dyno_error *error)
{
    bool terminal = isatty(STDIN_FILENO), ended = false;
    dyno_status status = DYNO_OK;
    char *line = NULL;
    size_t capacity = 0;

    while (status == DYNO_OK && !ended && !interrupted) {
        if (terminal) {
            fputs("> ", stderr);
        }
        status = read_line(&line, &capacity, &ended, error);
        if (status == DYNO_OK && !ended && line[strspn(line, " \t\r")] != '\0') {
            status = take_turn(session, line, error);
        }
    }
    free(line);
    if (terminal && status == DYNO_OK) {
        fputc('\n', stderr);
    }
    return status;
}

/* All of a file, without the line end at its end. */
static dyno_status read_prompt(char **out, const char *path, struct dyno_error *error)
{
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(path, "rb");
    char *text = NULL, quoted[DYNO_QUOTE_MAX];
    size_t capacity = 0;
    ssize_t length = file ? getdelim(&text, &capacity, '\0', file) : 0;
    dyno_status status = DYNO_OK;

    dyno_quote(quoted, path);
    if (!file || ferror(file)) {
        status = dyno_fail(error, file ? DYNO_IO : DYNO_NOT_FOUND,
                           "--prompt-file: %s cannot be read: %s", quoted, strerror(errno));
    } else if (!text) {
        status = dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the prompt");
    } else if (length > 0 && text[length - 1] == '\0') {
        status = dyno_fail(error, DYNO_BAD_INPUT, "--prompt-file: %s is not text: byte %zd is 0",
                           quoted, length);
    } else if (length > 0 && text[length - 1] == '\n') {
        text[length - 1] = '\0';
    }
    if (file && !is_stdin) {
        (void)fclose(file);
    }
    if (status != DYNO_OK || !text) {
        free(text);
        return status;
    }
    if (length <= 0) {
        text[0] = '\0'; /* an empty file: nothing was written to it */
    }
    *out = text;
    return DYNO_OK;
}

static dyno_status converse(struct session *session, const char *prompt, struct dyno_error *error)
{
    const struct dyno_generate_options *options = session->options;

    if (!options->chat) {
        return answer(session, prompt, strlen(prompt), false, error);
    }
    if (options->system) {
        session->messages[session->message_count++] =
            (struct dyno_chat_message){.role = "system", .content = options->system};
    }
    session->first_owned = session->message_count;
    return prompt ? take_turn(session, prompt, error) : talk(session, error);
}

static void print_speed(const struct session *session)
{
    static const char *const ends[] = {
        [DYNO_END_MODEL] = "the model ended",
        [DYNO_END_STOP] = "a stop string ended it",
        [DYNO_END_LENGTH] = "--max-tokens ended it",
        [DYNO_END_CONTEXT] = "the model's context is full",
        [DYNO_END_HEARER] = "interrupted",
    };
    const struct dyno_writer_answer *total = &session->total;
    uint32_t computed = total->prompt_tokens - total->reused_tokens;

    if (total->prompt_tokens == 0) {
        return;
    }
    fprintf(stderr, "prompt: %u tokens", total->prompt_tokens);
    if (total->reused_tokens > 0) {
        fprintf(stderr, ", %u of them known", total->reused_tokens);
    }
    if (total->prompt_s > 0) {
        fprintf(stderr, ", %.1f tokens/s", computed / total->prompt_s);
    }
    fprintf(stderr, "; answer: %u tokens", total->output_tokens);
    if (total->output_s > 0) {
        fprintf(stderr, ", %.1f tokens/s", total->output_tokens / total->output_s);
    }
    fprintf(stderr, "; %s\n", ends[total->end]);
}

static void close_session(struct session *session)
{
    for (uint32_t i = session->first_owned; i < session->message_count; i++) {
        free((void *)(uintptr_t)session->messages[i].content);
    }
    free(session->answer);
    dyno_writer_close(session->writer);
    free(session);
}

static dyno_status run(struct dyno_generate_options *options, const char *prompt,
                       struct dyno_error *error)
{
    struct session *session = calloc(1, sizeof *session);
    char path[DYNO_MODEL_PATH_MAX];
    dyno_status status;

    if (!session) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    session->options = options;
    status = dyno_default_model_find(path, options->model, error);
    if (status == DYNO_OK) {
        const struct dyno_writer_engine engine = {.on_gpu = strcmp(options->device, "cuda") == 0,
                                                  .narrow = strcmp(options->weights, "fp8") == 0,
                                                  .threads = options->threads};

        status = dyno_writer_open(&session->writer, path, options->tokenizer, &engine, error);
    }
    if (status == DYNO_OK) {
        status =
            dyno_generate_options_suggest(options, dyno_writer_suggested(session->writer), error);
    }
    if (status == DYNO_OK) {
        status = converse(session, prompt, error);
        print_speed(session);
    }
    close_session(session);
    return status;
}

int dyno_command_generate(int argc, char **argv)
{
    struct dyno_generate_options options;
    struct dyno_error error;
    char *from_file = NULL;
    dyno_status status = DYNO_OK;

    if (dyno_generate_options_open(&options, argc, argv, &error) != DYNO_OK) {
        return dyno_command_complain(&error, DYNO_EXIT_USAGE);
    }
    if (options.help) {
        dyno_generate_help(stdout, dyno_help_width(stdout));
    } else {
        catch_interrupts();
        if (options.prompt_file) {
            status = read_prompt(&from_file, options.prompt_file, &error);
        }
        if (status == DYNO_OK) {
            status = run(&options, from_file ? from_file : options.prompt, &error);
        }
    }
    free(from_file);
    dyno_generate_options_close(&options);
    return status == DYNO_OK ? DYNO_EXIT_OK : dyno_command_complain(&error, DYNO_EXIT_FAILED);
}
