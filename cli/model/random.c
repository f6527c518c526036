/* `dyno model random ... -o PATH`: a model of any shape, with weights that nobody trained. */
#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "backends/assets/assets.h"
#include "backends/assets/random/random_model.h"
#include "backends/host/allowance.h"
#include "cli/assembly/run_frame.h"
#include "cli/commands.h"
#include "cli/file_command.h"
#include "cli/model/byte_progress.h"
#include "cli/model/model.h"
#include "core/base/words.h"

struct random_options {
    const char *like;
    uint32_t layers, hidden, heads, kv_heads, head_dim, intermediate, vocab, context;
    uint32_t experts, experts_per_token;
    const char *dtype;
    uint64_t seed, shard_bytes_max;
};

#define AT(field) offsetof(struct random_options, field)

#define SHAPE(key, flag_word, field_name, most, words)                                             \
    {                                                                                              \
        .name = "model." key, .flag = flag_word, .value = "N", .help = words, .initial = "same",   \
        .special = "same", .type = DYNO_OPTION_U32, .offset = AT(field_name), .min = 1,            \
        .max = most                                                                                \
    }

/* In the order of enum dyno_element. */
static const char *const dtypes[] = {"f32", "f16", "bf16", "q8_0", NULL};

static const struct dyno_option rows[] = {
    {.name = "model.like",
     .flag = "like",
     .value = "MODEL",
     .help = "whose shape: a built-in model ('dyno help models'), or the path of a config.json",
     .initial = "llama-3.1-8b",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(like),
     .min = 1},
    SHAPE("layers", "layers", layers, 4096, "layers"),
    SHAPE("hidden", "hidden", hidden, 1 << 20,
          "width; heads and the MLP keep their proportions to it unless given"),
    SHAPE("heads", "heads", heads, 8192, "attention heads"),
    SHAPE("kv_heads", "kv-heads", kv_heads, 8192, "heads of keys and values; divides the heads"),
    SHAPE("head_dim", "head-dim", head_dim, 8192, "width of a head"),
    SHAPE("intermediate", "intermediate", intermediate, 1 << 20,
          "width of the MLP, or of one expert"),
    SHAPE("vocab", "vocab", vocab, 1 << 24, "tokens, at least 257"),
    SHAPE("context", "context", context, 1 << 30, "longest text in tokens"),
    SHAPE("experts", "experts", experts, 65536, "experts of a layer, for a model that has them"),
    SHAPE("experts_per_token", "experts-per-token", experts_per_token, 65536,
          "experts that a token is sent to"),
    {.name = "model.dtype",
     .flag = "dtype",
     .value = "TYPE",
     .help = "f32, f16, bf16, or (GGUF only) q8_0",
     .initial = "bf16",
     .type = DYNO_OPTION_CHOICE,
     .offset = AT(dtype),
     .choices = dtypes},
    {.name = "run.seed",
     .flag = "seed",
     .value = "N",
     .help = "the same seed and shape give the same weights, in either format",
     .initial = "1",
     .type = DYNO_OPTION_U64,
     .offset = AT(seed),
     .max = UINT64_MAX},
    {.name = "output.shard",
     .flag = "shard",
     .value = "SIZE",
     .help = "a safetensors file grows no larger; more weights make several files",
     .initial = "5GB",
     .type = DYNO_OPTION_BYTES,
     .offset = AT(shard_bytes_max),
     .min = 1,
     .max = UINT64_MAX},
};

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

static void print_help(void)
{
    puts("Usage: dyno model random [--OPTION VALUE]... -o PATH\n\n"
         "Write a model with random weights, for load tests and for comparing engines on the same\n"
         "weights. PATH is a new folder (config.json, safetensors, tokenizer.json), or a new file\n"
         "that ends in .gguf. Any text can be encoded; what such a model answers means nothing.\n");
    dyno_file_command_rows_help(rows, ROW_COUNT);
}

static bool ends_in(const char *text, const char *ending)
{
    size_t length = strlen(text), size = strlen(ending);

    return length >= size && strcmp(text + length - size, ending) == 0;
}

static dyno_status read_shape(const char *like, struct dyno_weights *out, struct dyno_error *error)
{
    const struct dyno_model *model;
    char quoted[DYNO_QUOTE_MAX];

    if (dyno_assets_is_path(like)) {
        return dyno_weights_describe(out, like, error);
    }
    model = dyno_model_find(like);
    if (!model) {
        return dyno_fail(error, DYNO_NOT_FOUND,
                         "--like: no model is called %s; 'dyno help models' lists them, and a path "
                         "holds a '/'",
                         dyno_quote(quoted, like));
    }
    return dyno_random_shape(out, model, error);
}

/* `value` as it is to `from`, now for `to`; a multiple of `unit`, at least one. */
static uint32_t in_proportion(uint32_t value, uint32_t from, uint32_t to, uint32_t unit)
{
    uint64_t units = from ? ((uint64_t)value * to / from + unit / 2) / unit : 0;

    return (uint32_t)(units ? units : 1) * unit;
}

static uint32_t chosen(uint32_t given, uint32_t otherwise)
{
    return given ? given : otherwise;
}

static void set_heads(struct dyno_model *model, const struct random_options *options,
                      uint32_t hidden_before)
{
    uint32_t heads_before = model->heads;

    model->head_dim = chosen(options->head_dim, model->head_dim);
    if (options->hidden && options->hidden != hidden_before) {
        model->heads = in_proportion(model->heads, hidden_before, options->hidden, 1);
    }
    model->heads = chosen(options->heads, model->heads);
    if (model->heads != heads_before) {
        model->kv_heads = in_proportion(model->kv_heads, heads_before, model->heads, 1);
        while (model->heads % model->kv_heads != 0) {
            model->kv_heads--;
        }
    }
    model->kv_heads = chosen(options->kv_heads, model->kv_heads);
}

/* Widths in proportion are multiples of 32, whole blocks of Q8_0. */
static void set_width(uint32_t *width, const struct random_options *options, uint32_t hidden_before,
                      uint32_t hidden)
{
    enum { UNIT = 32 };

    if (*width == 0) {
        return;
    }
    if (hidden != hidden_before) {
        *width = in_proportion(*width, hidden_before, hidden, UNIT);
    }
    *width = chosen(options->intermediate, *width);
}

/* A context that YaRN stretches was so much shorter in training. */
static void set_context(struct dyno_weights *shape, const struct random_options *options)
{
    struct dyno_model *model = &shape->model;

    model->context_max = chosen(options->context, model->context_max);
    model->positions = model->positions ? model->context_max : 0;
    if (options->context && shape->rope.scaling == DYNO_ROPE_YARN) {
        double original = model->context_max / shape->rope.factor;

        shape->rope.original_context = original < 1 ? 1 : (uint32_t)original;
    }
}

static dyno_status change_shape(struct dyno_model *model, const struct random_options *options,
                                struct dyno_error *error)
{
    uint32_t hidden_before = model->hidden;
    bool dense = model->experts == 0;

    if (dense && (options->experts || options->experts_per_token)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "--experts: model \"%s\" has none; take one that does, such as "
                         "mixtral-8x7b",
                         model->name);
    }
    model->layers = chosen(options->layers, model->layers);
    model->dense_layers = dense ? model->layers : model->dense_layers;
    model->sliding_layers = model->sliding_layers ? model->layers : 0;
    model->hidden = chosen(options->hidden, model->hidden);
    set_heads(model, options, hidden_before);
    set_width(&model->intermediate, options, hidden_before, model->hidden);
    set_width(&model->expert_intermediate, options, hidden_before, model->hidden);
    model->vocab = chosen(options->vocab, model->vocab);
    model->experts = chosen(options->experts, model->experts);
    model->experts_per_token = chosen(options->experts_per_token, model->experts_per_token);
    return dyno_model_check(model, error);
}

static enum dyno_element element_of(const char *dtype)
{
    uint32_t i = 0;

    while (i + 1 < DYNO_ELEMENTS && strcmp(dtypes[i], dtype) != 0) {
        i++;
    }
    return (enum dyno_element)i;
}

struct watch {
    struct dyno_byte_progress progress;
    const volatile sig_atomic_t *interrupted;
};

static bool show(void *context, uint64_t bytes, uint64_t bytes_total)
{
    struct watch *watch = context;

    dyno_byte_progress_show(&watch->progress, bytes, bytes_total);
    return !*watch->interrupted;
}

static dyno_status write_model(const char *path, const struct random_options *options,
                               struct dyno_random_model *model, struct dyno_error *error)
{
    struct watch watch = {.interrupted = dyno_frame_interrupts()};
    dyno_status status;

    DYNO_TRY(read_shape(options->like, &model->shape, error));
    set_context(&model->shape, options);
    DYNO_TRY(change_shape(&model->shape.model, options, error));
    dyno_byte_progress_start(&watch.progress, stderr);
    model->wrote = show;
    model->context = &watch;
    status = ends_in(path, ".gguf") ? dyno_random_write_gguf(model, path, error)
                                    : dyno_random_write_folder(model, path, error);
    dyno_byte_progress_end(&watch.progress);
    model->context = NULL;
    return status;
}

static int run(const char *file, const void *values)
{
    const struct random_options *options = values;
    struct dyno_random_model model = {.element = element_of(options->dtype),
                                      .seed = options->seed,
                                      .threads = dyno_allowed_team(),
                                      .shard_bytes_max = options->shard_bytes_max};
    const struct dyno_model *shape = &model.shape.model;
    struct dyno_error error;
    dyno_status status = write_model(file, options, &model, &error);

    if (status != DYNO_OK) {
        return dyno_command_complain(&error, status == DYNO_IO || status == DYNO_NO_MEMORY ||
                                                     status == DYNO_INTERRUPTED
                                                 ? DYNO_EXIT_FAILED
                                                 : DYNO_EXIT_USAGE);
    }
    printf("%s: %s, %" PRIu32 " layers, hidden %" PRIu32 ", %.3f billion parameters, %s\n", file,
           dyno_random_family(&model.shape), shape->layers, shape->hidden,
           (double)dyno_model_parameters(shape) / 1e9, options->dtype);
    return DYNO_EXIT_OK;
}

int dyno_model_random(int argc, char **argv)
{
    struct random_options values;

    return dyno_file_command_run(
        &(struct dyno_file_command){.command = "model random",
                                    .file_flag = "-o",
                                    .needs = "a folder or a .gguf file to write: -o PATH",
                                    .rows = rows,
                                    .row_count = ROW_COUNT,
                                    .values = &values,
                                    .print_help = print_help,
                                    .run = run},
        argc, argv);
}
