/* Tokenizers from GGUF metadata and from llama2.c's tokenizer.bin, written by the test. */
#include "backends/assets/tokenizer/tokenizer_file.h"

#include "backends/assets/tokenizer/tokenizer.h"
#include "tests/backends/gguf_files.h"

#include "tests/check_main.h"

static const struct dyno_tokenizer_file *open_file(const char *name, const struct bytes *bytes)
{
    const struct dyno_tokenizer_file *file = NULL;
    struct dyno_error error = {0};

    write_bytes(name, bytes->data, bytes->size);
    ck_assert_msg(dyno_tokenizer_file_open(&file, model_path(name), &error) == DYNO_OK, "%s",
                  error.text);
    return file;
}

static void refuse_file(const char *name, const struct bytes *bytes, dyno_status status,
                        const char *part)
{
    const struct dyno_tokenizer_file *file = NULL;
    struct dyno_error error = {0};

    write_bytes(name, bytes->data, bytes->size);
    ck_assert_int_eq(dyno_tokenizer_file_open(&file, model_path(name), &error), status);
    ck_assert_msg(strstr(error.text, part), "'%s' lacks '%s'", error.text, part);
    ck_assert_msg(strstr(error.text, name), "'%s' does not name the file", error.text);
    ck_assert_ptr_null(file);
}

static void assert_token(const struct dyno_tokenizer_file *file, uint32_t id, const char *text,
                         enum dyno_token_kind kind)
{
    const struct dyno_token *token = &file->vocabulary.tokens[id];

    ck_assert_uint_lt(id, file->vocabulary.token_count);
    ck_assert_uint_eq(token->size, strlen(text));
    ck_assert_mem_eq(token->bytes, text, token->size);
    ck_assert_int_eq((int)token->kind, (int)kind);
}

static void put_strings(struct gguf_file *file, const char *key, const char *const *texts,
                        size_t count)
{
    gguf_array(file, key, DYNO_GGUF_STRING, count);
    for (size_t i = 0; i < count; i++) {
        put_gguf_text(&file->keys, texts[i]);
    }
}

static void put_types(struct gguf_file *file, const uint32_t *types, size_t count)
{
    gguf_array(file, "tokenizer.ggml.token_type", DYNO_GGUF_I32, count);
    for (size_t i = 0; i < count; i++) {
        put_u32(&file->keys, types[i]);
    }
}

/* "Ġ" is how the alphabet writes a space. */
static const char *const words[] = {"a", "b", "Ġ", "ab", "Ġab", "<|end|>", "<tool>"};
static const uint32_t types[] = {1, 1, 1, 1, 1, 3, 4};
static const char *const merges[] = {"a b", "Ġ ab"};
enum { WORDS = 7, MERGES = 2 };

/* A byte-level tokenizer; `pre` NULL: none. */
static struct gguf_file byte_level(const char *pre)
{
    struct gguf_file file = {0};

    gguf_text(&file, "tokenizer.ggml.model", "gpt2");
    if (pre) {
        gguf_text(&file, "tokenizer.ggml.pre", pre);
    }
    put_strings(&file, "tokenizer.ggml.tokens", words, WORDS);
    put_types(&file, types, WORDS);
    return file;
}

static void refuse_gguf(struct gguf_file *file, dyno_status status, const char *part)
{
    struct bytes bytes = gguf_bytes(file);

    gguf_release(file);
    refuse_file("t.gguf", &bytes, status, part);
    release_bytes(&bytes);
}

static const struct dyno_tokenizer_file *open_gguf(struct gguf_file *file)
{
    struct bytes bytes = gguf_bytes(file);
    const struct dyno_tokenizer_file *opened = open_file("t.gguf", &bytes);

    gguf_release(file);
    release_bytes(&bytes);
    return opened;
}

START_TEST(a_byte_level_vocabulary_is_read_from_gguf)
{
    struct gguf_file made = byte_level("gpt-2");
    const struct dyno_tokenizer_file *file;

    put_strings(&made, "tokenizer.ggml.merges", merges, MERGES);
    gguf_u32(&made, "tokenizer.ggml.eos_token_id", 5);
    gguf_text(&made, "tokenizer.chat_template", "{{ messages }}");
    file = open_gguf(&made);
    assert_token(file, 4, " ab", DYNO_TOKEN_PLAIN);
    assert_token(file, 5, "<|end|>", DYNO_TOKEN_CONTROL);
    assert_token(file, 6, "<tool>", DYNO_TOKEN_ADDED);
    ck_assert_int_eq((int)file->vocabulary.kind, DYNO_TOKENIZER_BYTE_LEVEL);
    ck_assert_uint_eq(file->vocabulary.merge_count, 2);
    ck_assert_uint_eq(file->vocabulary.merges[1].result, 4);
    ck_assert_uint_eq(file->vocabulary.eos, 5);
    ck_assert_uint_eq(file->vocabulary.bos, UINT32_MAX);
    ck_assert(!file->vocabulary.add_bos && !file->vocabulary.prefix_space);
    ck_assert_str_eq(file->chat_template, "{{ messages }}");
    ck_assert_str_eq(file->eos_text, "<|end|>");
    dyno_tokenizer_file_close(file);
}
END_TEST

/* llama.cpp puts the beginning before a text of Llama 3 unless the file says otherwise. */
START_TEST(a_family_brings_its_own_settings)
{
    struct gguf_file made = byte_level("llama-bpe");
    const struct dyno_tokenizer_file *file;

    put_strings(&made, "tokenizer.ggml.merges", merges, MERGES);
    gguf_u32(&made, "tokenizer.ggml.bos_token_id", 5);
    file = open_gguf(&made);
    ck_assert(file->vocabulary.ignore_merges && file->vocabulary.add_bos);
    dyno_tokenizer_file_close(file);
}
END_TEST

START_TEST(a_scored_vocabulary_is_read_from_gguf)
{
    static const char *const pieces[] = {"<unk>", "<s>", "</s>", "<0x0A>", "\xE2\x96\x81", "x"};
    static const uint32_t kinds[] = {2, 3, 3, 6, 1, 5};
    struct gguf_file made = {0};
    const struct dyno_tokenizer_file *file;

    gguf_text(&made, "tokenizer.ggml.model", "llama");
    put_strings(&made, "tokenizer.ggml.tokens", pieces, 6);
    put_types(&made, kinds, 6);
    gguf_array(&made, "tokenizer.ggml.scores", DYNO_GGUF_F32, 6);
    for (int i = 0; i < 6; i++) {
        put(&made.keys, &(float){(float)-i}, sizeof(float));
    }
    gguf_u32(&made, "tokenizer.ggml.bos_token_id", 1);
    gguf_u32(&made, "tokenizer.ggml.unknown_token_id", 0);
    file = open_gguf(&made);
    assert_token(file, 0, "<unk>", DYNO_TOKEN_CONTROL);
    assert_token(file, 3, "\n", DYNO_TOKEN_BYTE);
    assert_token(file, 4, "\xE2\x96\x81", DYNO_TOKEN_PLAIN);
    assert_token(file, 5, "x", DYNO_TOKEN_UNREACHABLE);
    ck_assert_float_eq(file->vocabulary.tokens[4].score, -4);
    ck_assert(file->vocabulary.prefix_space && file->vocabulary.add_bos);
    ck_assert_uint_eq(file->vocabulary.unknown, 0);
    dyno_tokenizer_file_close(file);
}
END_TEST

START_TEST(metadata_that_is_wrong_is_refused)
{
    struct gguf_file made = {0};

    gguf_text(&made, "tokenizer.ggml.model", "bert");
    refuse_gguf(&made, DYNO_UNSUPPORTED, "\"tokenizer.ggml.model\" must be");
    gguf_text(&made, "tokenizer.ggml.model", "gpt2");
    refuse_gguf(&made, DYNO_BAD_INPUT, "\"tokenizer.ggml.tokens\" must list");
    made = byte_level("gpt-2");
    refuse_gguf(&made, DYNO_BAD_INPUT, "\"tokenizer.ggml.merges\" is missing");
    made = byte_level("unheard-of");
    put_strings(&made, "tokenizer.ggml.merges", merges, MERGES);
    refuse_gguf(&made, DYNO_UNSUPPORTED, "\"tokenizer.ggml.pre\" is 'unheard-of'");
    made = byte_level(NULL);
    put_strings(&made, "tokenizer.ggml.merges", merges, MERGES);
    refuse_gguf(&made, DYNO_UNSUPPORTED, "\"tokenizer.ggml.pre\" is ''");
    made = byte_level("gpt-2");
    put_strings(&made, "tokenizer.ggml.merges", merges, MERGES);
    gguf_u32(&made, "tokenizer.ggml.eos_token_id", 7);
    refuse_gguf(&made, DYNO_BAD_INPUT, "\"tokenizer.ggml.eos_token_id\" is 7");
    made = byte_level("gpt-2");
    put_strings(&made, "tokenizer.ggml.merges", merges, MERGES);
    gguf_array(&made, "tokenizer.ggml.scores", DYNO_GGUF_F32, 1);
    put_u32(&made.keys, 0);
    refuse_gguf(&made, DYNO_BAD_INPUT, "must be as long");
}
END_TEST

START_TEST(merges_that_join_nothing_are_refused)
{
    static const char *const strange[] = {"a b", "a q"};
    struct gguf_file made = byte_level("gpt-2");

    put_strings(&made, "tokenizer.ggml.merges", strange, 2);
    refuse_gguf(&made, DYNO_BAD_INPUT, "t.gguf");
}
END_TEST

static void put_piece(struct bytes *bytes, float score, const char *text)
{
    put(bytes, &score, sizeof(score));
    put_u32(bytes, (uint32_t)strlen(text));
    put_word(bytes, text);
}

static struct bytes scored_file(void)
{
    struct bytes bytes = {0};

    put_u32(&bytes, 5);
    put_piece(&bytes, 0, "<unk>");
    put_piece(&bytes, 0, "\n<s>\n");
    put_piece(&bytes, 0, "\n</s>\n");
    put_piece(&bytes, 0, "<0x41>");
    put_piece(&bytes, -1, " t");
    return bytes;
}

/* Spaces are written as U+2581, for that is what SentencePiece joins. */
START_TEST(a_tokenizer_of_llama2c_is_read)
{
    struct bytes bytes = scored_file();
    const struct dyno_tokenizer_file *file = open_file("t.bin", &bytes);

    assert_token(file, 1, "<s>", DYNO_TOKEN_CONTROL);
    assert_token(file, 3, "A", DYNO_TOKEN_BYTE);
    assert_token(file, 4, "\xE2\x96\x81t", DYNO_TOKEN_PLAIN);
    ck_assert_uint_eq(file->vocabulary.token_count, 5);
    ck_assert_uint_eq(file->vocabulary.bos, 1);
    ck_assert_uint_eq(file->vocabulary.eos, 2);
    ck_assert(file->vocabulary.add_bos && file->vocabulary.prefix_space);
    dyno_tokenizer_file_close(file);
    release_bytes(&bytes);
}
END_TEST

START_TEST(a_tokenizer_of_llama2c_that_is_wrong_is_refused)
{
    struct bytes bytes = scored_file();

    bytes.size--;
    refuse_file("t.bin", &bytes, DYNO_BAD_INPUT, "within the file");
    bytes.size -= 4;
    refuse_file("t.bin", &bytes, DYNO_BAD_INPUT, "is cut short");
    release_bytes(&bytes);
    put_u32(&bytes, 5);
    put_piece(&bytes, 0, "<unk>");
    refuse_file("t.bin", &bytes, DYNO_BAD_INPUT, "more than three tokens");
    release_bytes(&bytes);
    bytes = scored_file();
    put_piece(&bytes, (float)(1.0 / 0.0), "x");
    refuse_file("t.bin", &bytes, DYNO_BAD_INPUT, "not finite");
    release_bytes(&bytes);
}
END_TEST

/* One vocabulary in two formats: llama.cpp makes 403 407 261 378 of this text. */
START_TEST(stories260k_is_the_same_in_both_formats)
{
    static const char *const paths[] = {"../shared/models/stories260K/stories260K.f32.gguf",
                                        "../shared/models/stories260K/tok512.bin"};
    static const char text[] = "Once upon a time";
    static const uint32_t due[] = {403, 407, 261, 378};

    for (size_t i = 0; i < 2 && access(paths[i], R_OK) == 0; i++) {
        const struct dyno_tokenizer_file *file = NULL;
        struct dyno_tokenizer *tokenizer = NULL;
        struct dyno_encoder *encoder = NULL;
        struct dyno_token_ids ids;
        struct dyno_error error;

        ck_assert_msg(dyno_tokenizer_file_open(&file, paths[i], &error) == DYNO_OK, "%s",
                      error.text);
        ck_assert(dyno_tokenizer_open(&tokenizer, &file->vocabulary, &error) == DYNO_OK);
        ck_assert(dyno_encoder_open(&encoder, tokenizer, &error) == DYNO_OK);
        ck_assert(dyno_encode(encoder, text, strlen(text), (struct dyno_encode_options){0}, &ids,
                              &error) == DYNO_OK);
        ck_assert_uint_eq(ids.count, 4);
        ck_assert_mem_eq(ids.ids, due, sizeof(due));
        dyno_encoder_close(encoder);
        dyno_tokenizer_close(tokenizer);
        dyno_tokenizer_file_close(file);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("formats");

    tcase_add_checked_fixture(tcase, make_model_folder, remove_model_folder);
    tcase_add_test(tcase, a_byte_level_vocabulary_is_read_from_gguf);
    tcase_add_test(tcase, a_family_brings_its_own_settings);
    tcase_add_test(tcase, a_scored_vocabulary_is_read_from_gguf);
    tcase_add_test(tcase, metadata_that_is_wrong_is_refused);
    tcase_add_test(tcase, merges_that_join_nothing_are_refused);
    tcase_add_test(tcase, a_tokenizer_of_llama2c_is_read);
    tcase_add_test(tcase, a_tokenizer_of_llama2c_that_is_wrong_is_refused);
    tcase_add_test(tcase, stories260k_is_the_same_in_both_formats);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("backends/tokenizer_formats", add_cases)
