/* `dyno model info PATH`: what a model's files hold, as an aligned table. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "backends/assets/random/random_model.h"
#include "backends/assets/tokenizer/tokenizer_file.h"
#include "cli/commands.h"
#include "cli/file_command.h"
#include "cli/model/model.h"

enum { LABEL_WIDTH = 20 };

static void print_help(void)
{
    puts("Usage: dyno model info PATH\n\n"
         "Open a model (a folder of Hugging Face, a .gguf file, a llama2.c .bin file) as for\n"
         "serving, every weight read once, and say what it is.");
}

static void number_line(const char *label, uint64_t value)
{
    printf("%-*s%" PRIu64 "\n", LABEL_WIDTH, label, value);
}

static void text_line(const char *label, const char *text)
{
    printf("%-*s%s\n", LABEL_WIDTH, label, text);
}

static const char *element_name(enum dyno_element element)
{
    static const char *const names[] = {"f32", "f16", "bf16", "q8_0"};

    return element < DYNO_ELEMENTS ? names[element] : "?";
}

static void print_heads(const struct dyno_model *model)
{
    printf("%-*s%" PRIu32 " for queries, %" PRIu32 " for keys and values, of %" PRIu32 "\n",
           LABEL_WIDTH, "heads", model->heads, model->kv_heads, model->head_dim);
}

static void print_mlp(const struct dyno_model *model)
{
    if (model->experts) {
        printf("%-*s%" PRIu32 " of %" PRIu32 ", of %" PRIu32 "\n", LABEL_WIDTH, "experts a token",
               model->experts_per_token, model->experts, model->expert_intermediate);
    }
    if (model->dense_layers) {
        number_line("mlp width", model->intermediate);
    }
}

static void print_rope(const struct dyno_rope *rope)
{
    static const char *const pairs[] = {"learned positions", "half-split pairs", "adjacent pairs"};
    static const char *const scalings[] = {"", ", linear scaling", ", llama3 scaling",
                                           ", YaRN scaling", ", a table of divisors"};

    if (rope->pairs == DYNO_ROPE_NONE) {
        text_line("positions", "learned");
    } else {
        printf("%-*srotary, theta %g, %s%s\n", LABEL_WIDTH, "positions", rope->theta,
               pairs[rope->pairs], scalings[rope->scaling]);
    }
}

static void print_tokens(const struct dyno_weights *weights)
{
    if (weights->bos != UINT32_MAX) {
        number_line("begin token", weights->bos);
    }
    for (uint32_t i = 0; i < weights->eos_count; i++) {
        number_line(i ? "" : "end tokens", weights->eos[i]);
    }
}

/* In one line, in the order in which a token is chosen. */
static void print_sampling(const struct dyno_suggested_sampling *sampling)
{
    const struct {
        const char *name;
        const struct dyno_suggestion *is;
    } all[] = {{"repetition penalty", &sampling->repetition},
               {"temperature", &sampling->temperature},
               {"min-p", &sampling->min_p},
               {"top-k", &sampling->top_k},
               {"top-p", &sampling->top_p}};
    bool any = false;

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i].is->given) {
            printf("%-*s%s %g", any ? 0 : LABEL_WIDTH, any ? ", " : "suggested", all[i].name,
                   all[i].is->value);
            any = true;
        }
    }
    if (any) {
        putchar('\n');
    }
}

static void print_weights(const struct dyno_weights *weights)
{
    const struct dyno_model *model = &weights->model;
    const char *family = dyno_random_family(weights);

    text_line("name", model->name);
    text_line("family", family ? family : "other");
    number_line("layers", model->layers);
    number_line("hidden", model->hidden);
    print_heads(model);
    print_mlp(model);
    number_line("vocabulary", model->vocab);
    number_line("context", model->context_max);
    if (weights->window) {
        number_line("window", weights->window);
    }
    print_rope(&weights->rope);
    number_line("parameters", dyno_model_parameters(model));
    number_line("bytes", weights->bytes);
    text_line("type", element_name(weights->layers[0].query.element));
    text_line("logits", model->tied_embeddings ? "tied to the embedding" : "of their own");
    print_tokens(weights);
    print_sampling(&weights->sampling);
}

static void print_tokenizer(const char *path)
{
    const struct dyno_tokenizer_file *file = NULL;
    struct dyno_error error;
    const char *dot = strrchr(path, '.');

    if (dot && strcmp(dot, ".bin") == 0) {
        text_line("tokenizer", "in a file of its own (llama2.c)");
        return;
    }
    if (dyno_tokenizer_file_open(&file, path, &error) != DYNO_OK) {
        printf("%-*snone here: %s\n", LABEL_WIDTH, "tokenizer", error.text);
        return;
    }
    printf("%-*s%s, %" PRIu32 " tokens\n", LABEL_WIDTH, "tokenizer",
           file->vocabulary.kind == DYNO_TOKENIZER_SPM ? "SentencePiece" : "byte-level",
           file->vocabulary.token_count);
    text_line("chat template", file->chat_template ? "yes" : "no");
    dyno_tokenizer_file_close(file);
}

static int run(const char *file, const void *values)
{
    struct dyno_weights *weights = NULL;
    struct dyno_error error;

    (void)values;
    if (dyno_weights_open(&weights, file, &error) != DYNO_OK) {
        return dyno_command_complain(&error, DYNO_EXIT_FAILED);
    }
    print_weights(weights);
    print_tokenizer(file);
    dyno_weights_close(weights);
    return DYNO_EXIT_OK;
}

int dyno_model_info(int argc, char **argv)
{
    uint32_t nothing;

    return dyno_file_command_run(
        &(struct dyno_file_command){.command = "model info",
                                    .needs = "a model: dyno model info PATH",
                                    .values = &nothing,
                                    .print_help = print_help,
                                    .run = run},
        argc, argv);
}
