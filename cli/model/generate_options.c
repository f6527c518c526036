#include "cli/model/generate_options.h"

#include <stddef.h>
#include <string.h>

#include "backends/assets/default_model.h"
#include "cli/help.h"
#include "core/base/words.h"

enum { FLAG_COLUMN = 24 };

#define AT(field) offsetof(struct dyno_generate_options, field)

static const char *const devices[] = {"cpu", "cuda", NULL};
static const char *const weights[] = {"bf16", "fp8", NULL};

static const struct dyno_option rows[] = {
    {.name = "generate.model",
     .flag = "model",
     .value = "NAME|PATH",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(model),
     .initial = DYNO_DEFAULT_MODEL,
     .min = 1,
     .help = "a model that comes with dyno, or a Hugging Face folder, a .gguf file or a llama2.c "
             ".bin file"},
    {.name = "generate.chat",
     .flag = "chat",
     .type = DYNO_OPTION_BOOL,
     .offset = AT(chat),
     .initial = "false",
     .help = "the prompt is a message, put into the model's chat template; without a prompt, a "
             "talk on the terminal, one line a message"},
    {.name = "generate.max_tokens",
     .flag = "max-tokens",
     .value = "N",
     .type = DYNO_OPTION_U32,
     .offset = AT(tokens_max),
     .initial = "200",
     .min = 1,
     .max = 1u << 24,
     .help = "tokens of an answer at most"},
    {.name = "generate.temperature",
     .flag = "temperature",
     .value = "X",
     .type = DYNO_OPTION_DOUBLE,
     .offset = AT(temperature),
     .initial = "0.7",
     .low = 0,
     .high = 100,
     .help = "0: always the likeliest token; higher: more variety"},
    {.name = "generate.top_k",
     .flag = "top-k",
     .value = "N",
     .type = DYNO_OPTION_U32,
     .offset = AT(top_k),
     .initial = "all",
     .special = "all",
     .min = 1,
     .max = 1u << 24,
     .help = "choose among the N likeliest tokens, or 'all'"},
    {.name = "generate.top_p",
     .flag = "top-p",
     .value = "X",
     .type = DYNO_OPTION_DOUBLE,
     .offset = AT(top_p),
     .initial = "0.9",
     .low = 0,
     .high = 1,
     .help = "choose among the likeliest tokens that together have this probability; 1: among all"},
    {.name = "generate.min_p",
     .flag = "min-p",
     .value = "X",
     .type = DYNO_OPTION_DOUBLE,
     .offset = AT(min_p),
     .initial = "0",
     .low = 0,
     .high = 1,
     .help = "leave out tokens that are less likely than X times the likeliest"},
    {.name = "generate.repetition_penalty",
     .flag = "repetition-penalty",
     .value = "X",
     .type = DYNO_OPTION_DOUBLE,
     .offset = AT(repetition),
     .initial = "1",
     .low = 0.01,
     .high = 100,
     .help = "make tokens that occurred already less likely, by this factor; 1: no less"},
    {.name = "generate.seed",
     .flag = "seed",
     .value = "N",
     .type = DYNO_OPTION_U64,
     .offset = AT(seed),
     .initial = "0",
     .max = UINT64_MAX,
     .help = "of the choices: the same seed, the same text"},
    {.name = "generate.device",
     .flag = "device",
     .value = "DEVICE",
     .type = DYNO_OPTION_CHOICE,
     .offset = AT(device),
     .initial = "cpu",
     .choices = devices,
     .help = "what computes: this machine's processor or its first GPU"},
    {.name = "generate.weights",
     .flag = "weights",
     .value = "DTYPE",
     .type = DYNO_OPTION_CHOICE,
     .offset = AT(weights),
     .initial = "bf16",
     .choices = weights,
     .help = "with --device cuda, what weights become: fp8 leaves those of 8 bits as they are in "
             "the model's file"},
    {.name = "generate.threads",
     .flag = "threads",
     .value = "N",
     .type = DYNO_OPTION_U32,
     .offset = AT(threads),
     .initial = "all",
     .special = "all",
     .min = 1,
     .max = 256,
     .help = "threads that compute; 'all': one for each core.  The text does not depend on it"},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

/* Flags with a text that is taken as it is, line ends and all. */
static const struct text_flag {
    const char *flag, *value, *help;
    size_t offset; /* of the const char *; SIZE_MAX: one of `stops` */
} text_flags[] = {
    {"prompt", "TEXT", "what the model goes on from", AT(prompt)},
    {"prompt-file", "FILE", "the same from a file; - is standard input", AT(prompt_file)},
    {"system", "TEXT", "the chat's system message, if the template has a place for one",
     AT(system)},
    {"tokenizer", "PATH", "the tokenizer's file, where it does not lie with the model",
     AT(tokenizer)},
    {"stop", "TEXT", "end where the answer says this; may be given several times", SIZE_MAX},
};

enum { TEXT_FLAGS = sizeof text_flags / sizeof text_flags[0] };

static dyno_status unknown_flag(const char *typed, struct dyno_error *error)
{
    struct dyno_nearest nearest;
    char quoted[DYNO_QUOTE_MAX];
    const char *near;

    dyno_nearest_start(&nearest, typed + strspn(typed, "-"));
    for (size_t i = 0; i < ROWS; i++) {
        dyno_nearest_offer(&nearest, rows[i].flag);
    }
    for (size_t i = 0; i < TEXT_FLAGS; i++) {
        dyno_nearest_offer(&nearest, text_flags[i].flag);
    }
    near = dyno_nearest_word(&nearest);
    return dyno_fail(error, DYNO_BAD_INPUT, "unknown option %s; %s%s%s", dyno_quote(quoted, typed),
                     near ? "did you mean '--" : "'dyno generate --help' lists them",
                     near ? near : "", near ? "'?" : "");
}

static const struct text_flag *find_text_flag(const char *flag)
{
    for (size_t i = 0; i < TEXT_FLAGS; i++) {
        if (strcmp(text_flags[i].flag, flag) == 0) {
            return &text_flags[i];
        }
    }
    return NULL;
}

static dyno_status set_text(struct dyno_generate_options *options, const struct text_flag *flag,
                            const char *text, struct dyno_error *error)
{
    if (flag->offset != SIZE_MAX) {
        memcpy((char *)options + flag->offset, &text, sizeof text);
        return DYNO_OK;
    }
    if (!*text) {
        return dyno_fail(error, DYNO_BAD_INPUT, "--stop: an empty text stands everywhere");
    }
    if (options->stop_count == DYNO_GENERATE_STOPS_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT, "--stop may be given %d times at most",
                         DYNO_GENERATE_STOPS_MAX);
    }
    options->stops[options->stop_count++] = text;
    return DYNO_OK;
}

static dyno_status set_row(struct dyno_generate_options *options, const struct dyno_option *row,
                           const char *text, struct dyno_error *error)
{
    const struct dyno_option_origin origin = {.source = DYNO_SOURCE_FLAG, .where = row->flag};

    return dyno_options_set(&options->rows, row, text, &origin, error);
}

static dyno_status missing_value(const char *flag, const struct dyno_option *row,
                                 const struct text_flag *text_flag, struct dyno_error *error)
{
    char accepts[256];

    if (row && row->type != DYNO_OPTION_TEXT) {
        dyno_option_describe(row, accepts, sizeof accepts);
        return dyno_fail(error, DYNO_BAD_INPUT, "--%s needs a value: %s", flag, accepts);
    }
    return dyno_fail(error, DYNO_BAD_INPUT, "--%s needs a value: %s", flag,
                     row ? row->value : text_flag->value);
}

/* The flag at argv[*at], which is moved past its value. */
static dyno_status take_flag(struct dyno_generate_options *options, int argc, char **argv, int *at,
                             struct dyno_error *error)
{
    const char *typed = argv[(*at)++], *equals = strchr(typed, '='), *text;
    size_t length = equals ? (size_t)(equals - typed) : strlen(typed);
    char flag[DYNO_OPTION_NAME_MAX] = "";
    const struct dyno_option *row;
    const struct text_flag *text_flag;

    if (strncmp(typed, "--", 2) == 0 && length - 2 < sizeof flag) {
        memcpy(flag, typed + 2, length - 2);
    }
    row = dyno_options_find_flag(&options->rows, flag);
    text_flag = find_text_flag(flag);
    if (strcmp(typed, "--help") == 0 || strcmp(typed, "-h") == 0) {
        options->help = true;
        return DYNO_OK;
    }
    if (!row && !text_flag) {
        return unknown_flag(typed, error);
    }
    if (row && row->type == DYNO_OPTION_BOOL) {
        return set_row(options, row, equals ? equals + 1 : "true", error);
    }
    text = equals ? equals + 1 : *at < argc ? argv[(*at)++] : NULL;
    if (!text) {
        return missing_value(flag, row, text_flag, error);
    }
    return row ? set_row(options, row, text, error) : set_text(options, text_flag, text, error);
}

static dyno_status check(const struct dyno_generate_options *options, struct dyno_error *error)
{
    if (options->prompt && options->prompt_file) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "--prompt and --prompt-file contradict each other; give one");
    }
    if (options->system && !options->chat) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "--system is part of a chat; give --chat too, or put the text before the "
                         "prompt");
    }
    if (strcmp(options->weights, "fp8") == 0 && strcmp(options->device, "cuda") != 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "--weights fp8 is for GPUs: give --device cuda too; the processor reads "
                         "weights as the model's file has them");
    }
    if (!options->prompt && !options->prompt_file && !options->chat) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "nothing to go on from: give --prompt TEXT, --prompt-file FILE, or --chat "
                         "for a talk on the terminal");
    }
    return DYNO_OK;
}

static dyno_status take_all(struct dyno_generate_options *options, int argc, char **argv,
                            struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX];
    int at = 1;

    while (at < argc) {
        if (argv[at][0] != '-') {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "what is %s? A prompt is given as --prompt TEXT, a model as --model",
                             dyno_quote(quoted, argv[at]));
        }
        DYNO_TRY(take_flag(options, argc, argv, &at, error));
    }
    return options->help ? DYNO_OK : check(options, error);
}

dyno_status dyno_generate_options_open(struct dyno_generate_options *options, int argc, char **argv,
                                       struct dyno_error *error)
{
    dyno_status status;

    memset(options, 0, sizeof *options);
    DYNO_TRY(dyno_options_open(&options->rows, rows, ROWS, options, error));
    status = take_all(options, argc, argv, error);
    if (status != DYNO_OK) {
        dyno_options_close(&options->rows);
    }
    return status;
}

static dyno_status suggest(struct dyno_generate_options *options, const char *flag,
                           const struct dyno_suggestion *suggestion, struct dyno_error *error)
{
    const struct dyno_option_origin origin = {.source = DYNO_SOURCE_FILE,
                                              .where = "generation_config.json"};
    const struct dyno_option *row = dyno_options_find_flag(&options->rows, flag);
    char text[64];

    if (!suggestion->given ||
        dyno_options_origin(&options->rows, row)->source != DYNO_SOURCE_DEFAULT) {
        return DYNO_OK;
    }
    if (row->special && suggestion->value == 0) {
        return dyno_options_set(&options->rows, row, row->special, &origin, error);
    }
    (void)snprintf(text, sizeof text, "%.17g", suggestion->value);
    return dyno_options_set(&options->rows, row, text, &origin, error);
}

dyno_status dyno_generate_options_suggest(struct dyno_generate_options *options,
                                          const struct dyno_suggested_sampling *sampling,
                                          struct dyno_error *error)
{
    DYNO_TRY(suggest(options, "temperature", &sampling->temperature, error));
    DYNO_TRY(suggest(options, "top-k", &sampling->top_k, error));
    DYNO_TRY(suggest(options, "top-p", &sampling->top_p, error));
    DYNO_TRY(suggest(options, "min-p", &sampling->min_p, error));
    return suggest(options, "repetition-penalty", &sampling->repetition, error);
}

void dyno_generate_options_close(struct dyno_generate_options *options)
{
    dyno_options_close(&options->rows);
}

static void text_entry(FILE *out, uint32_t width, const struct text_flag *flag)
{
    char head[DYNO_OPTION_NAME_MAX];

    (void)snprintf(head, sizeof head, "--%s %s", flag->flag, flag->value);
    dyno_help_entry(out, width, FLAG_COLUMN, head, flag->help);
}

static void row_entry(FILE *out, uint32_t width, const struct dyno_option *row)
{
    char head[DYNO_OPTION_NAME_MAX], text[512];

    (void)snprintf(head, sizeof head, "--%s%s%s", row->flag, row->value ? " " : "",
                   row->value ? row->value : "");
    (void)snprintf(text, sizeof text, row->type == DYNO_OPTION_BOOL ? "%s" : "%s [%s]", row->help,
                   row->initial);
    dyno_help_entry(out, width, FLAG_COLUMN, head, text);
}

void dyno_generate_help(FILE *out, uint32_t width)
{
    fputs("Usage: dyno generate (--prompt TEXT | --prompt-file FILE | --chat) [--OPTION VALUE]...\n"
          "\nLet a model write.  The text goes to standard output as it comes, its speed to "
          "standard error.\n\n"
          "Examples:\n"
          "  dyno generate --prompt \"It was a fine morning, and\"\n"
          "  dyno generate --chat\n"
          "  dyno generate --model ./Qwen3-0.6B --chat --prompt \"Why is the sky blue?\"\n\n"
          "How tokens are chosen is what a folder's generation_config.json suggests, where it does "
          "and\nno option says otherwise.\n\n",
          out);
    for (size_t i = 0; i < TEXT_FLAGS; i++) {
        text_entry(out, width, &text_flags[i]);
    }
    for (size_t i = 0; i < ROWS; i++) {
        row_entry(out, width, &rows[i]);
    }
}
