/* Files of small tokenizers: what is read from them, and how each is refused that is wrong. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/assets/tokenizer/byte_alphabet.h"
#include "backends/assets/tokenizer/fence.h"
#include "backends/assets/tokenizer/tokenizer.h"
#include "backends/assets/tokenizer/tokenizer_file.h"
#include "core/base/utf8.h"
#include "tests/check_main.h"

static char directory[] = "/tmp/dyno-tokenizer-XXXXXX";

static void write_text(const char *name, const char *text)
{
    char path[128];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    file = fopen(path, "w");
    ck_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void start(void)
{
    memcpy(directory + strlen(directory) - 6, "XXXXXX", 6);
    ck_assert(mkdtemp(directory) != NULL);
}

static void finish(void)
{
    static const char *const names[] = {"tokenizer.json", "tokenizer_config.json", "encoder.json",
                                        "vocab.bpe", "chat_template.jinja"};
    char path[128];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        (void)unlink(path);
    }
    ck_assert(rmdir(directory) == 0);
}

/* {"x": id, ..} of all bytes in their alphabet, then `more`. */
static json_t *byte_vocabulary(void)
{
    json_t *tokens = json_object();

    for (uint32_t byte = 0; byte < 256; byte++) {
        char text[8];

        text[dyno_utf8_put(text, dyno_byte_alphabet_point((unsigned char)byte))] = '\0';
        json_object_set_new(tokens, text, json_integer(byte));
    }
    json_object_set_new(tokens, "th", json_integer(256));
    json_object_set_new(tokens, "the", json_integer(257));
    json_object_set_new(tokens, "\xC4\xA0the", json_integer(258));
    return tokens;
}

/* A byte-level tokenizer.json with `over` laid over it: keys of the root or, within "model", of
 * the model. */
static void write_byte_level(const char *over)
{
    json_t *root = json_loads(
        "{\"added_tokens\": [{\"id\": 259, \"content\": \"<s>\", \"special\": true}, {\"id\": 260, "
        "\"content\": \"<tool>\", \"special\": false}], \"normalizer\": {\"type\": \"NFC\"}, "
        "\"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Split\", "
        "\"pattern\": {\"Regex\": \" ?\\\\p{L}+|\\\\s+\"}, \"behavior\": \"Isolated\", \"invert\": "
        "false}, {\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": false}]}, "
        "\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": "
        "{\"id\": \"<s>\"}}, {\"Sequence\": {\"id\": \"A\"}}]}, \"decoder\": {\"type\": "
        "\"ByteLevel\"}, \"model\": {\"type\": \"BPE\", \"merges\": [\"t h\", [\"th\", \"e\"], "
        "\"\xC4\xA0 the\"]}}",
        0, NULL);
    json_t *model = json_object_get(root, "model"), *more = json_loads(over, 0, NULL);
    char *text;

    ck_assert_msg(root && more, "%s is no JSON", over);
    json_object_set_new(model, "vocab", byte_vocabulary());
    json_object_update(model, json_object_get(more, "model"));
    json_object_del(more, "model");
    json_object_update(root, more);
    text = json_dumps(root, 0);
    write_text("tokenizer.json", text);
    free(text);
    json_decref(more);
    json_decref(root);
}

static const struct dyno_tokenizer_file *read_directory(void)
{
    const struct dyno_tokenizer_file *file = NULL;
    struct dyno_error error;

    ck_assert_msg(dyno_tokenizer_file_open(&file, directory, &error) == DYNO_OK, "%s", error.text);
    return file;
}

static void expect(const struct dyno_tokenizer_file *file, const char *text, const char *due)
{
    const struct dyno_encode_options options = {.control = true, .around = true};
    struct dyno_tokenizer *tokenizer = NULL;
    struct dyno_encoder *encoder;
    struct dyno_token_ids got;
    struct dyno_error error;
    char shown[256] = "";

    ck_assert_msg(dyno_tokenizer_open(&tokenizer, &file->vocabulary, &error) == DYNO_OK, "%s",
                  error.text);
    ck_assert(dyno_encoder_open(&encoder, tokenizer, &error) == DYNO_OK);
    ck_assert(dyno_encode(encoder, text, strlen(text), options, &got, &error) == DYNO_OK);
    for (size_t i = 0; i < got.count; i++) {
        size_t used = strlen(shown);

        (void)snprintf(shown + used, sizeof shown - used, "%s%u", i > 0 ? " " : "", got.ids[i]);
    }
    ck_assert_msg(strcmp(shown, due) == 0, "'%s' is %s, not %s", text, shown, due);
    dyno_encoder_close(encoder);
    dyno_tokenizer_close(tokenizer);
}

START_TEST(a_byte_level_file_is_read)
{
    const struct dyno_tokenizer_file *file;

    write_byte_level("{}");
    file = read_directory();
    ck_assert(file->vocabulary.nfc && file->vocabulary.add_bos && !file->vocabulary.ignore_merges);
    ck_assert_ptr_null(file->chat_template);
    ck_assert_str_eq(file->bos_text, "<s>");
    ck_assert_str_eq(file->eos_text, "");
    expect(file, "the the<tool>", "259 257 258 260");
    dyno_tokenizer_file_close(file);
}
END_TEST

START_TEST(the_config_adds_tokens_and_templates)
{
    const struct dyno_tokenizer_file *file;

    write_byte_level("{}");
    write_text("tokenizer_config.json",
               "{\"add_bos_token\": false, \"eos_token\": {\"content\": \"<tool>\"}, "
               "\"add_eos_token\": true, \"model_max_length\": 1000000000000000019884624838656, "
               "\"chat_template\": [{\"name\": \"default\", \"template\": \"a\"}, {\"name\": "
               "\"tool_use\", \"template\": \"b\"}, {\"name\": \"rag\", \"template\": \"c\"}]}");
    file = read_directory();
    ck_assert_str_eq(file->chat_template, "a");
    ck_assert_str_eq(file->tool_template, "b");
    ck_assert_str_eq(file->eos_text, "<tool>");
    expect(file, "the", "257 260");
    dyno_tokenizer_file_close(file);
    write_text("chat_template.jinja", "{{ x }}\n");
    file = read_directory();
    ck_assert_str_eq(file->chat_template, "{{ x }}\n");
    dyno_tokenizer_file_close(file);
}
END_TEST

START_TEST(gpt2s_pair_of_files_is_read)
{
    const struct dyno_tokenizer_file *file;
    json_t *tokens = byte_vocabulary();
    char *text;

    json_object_set_new(tokens, "<|endoftext|>", json_integer(259));
    text = json_dumps(tokens, 0);
    write_text("encoder.json", text);
    write_text("vocab.bpe", "#version: 0.2\nt h\r\nth e\n\xC4\xA0 the\n");
    file = read_directory();
    expect(file, "the the<|endoftext|>'s", "257 258 259 39 115");
    dyno_tokenizer_file_close(file);
    free(text);
    json_decref(tokens);
}
END_TEST

START_TEST(a_sentencepiece_file_is_read)
{
    const struct dyno_tokenizer_file *file;

    write_byte_level(
        "{\"added_tokens\": [{\"id\": 0, \"content\": \"<unk>\", \"special\": true}], "
        "\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Prepend\", "
        "\"prepend\": \"\xE2\x96\x81\"}, {\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, "
        "\"content\": \"\xE2\x96\x81\"}]}, \"pre_tokenizer\": null, \"post_processor\": null, "
        "\"decoder\": {\"type\": \"Sequence\", \"decoders\": [{\"type\": \"Replace\"}, {\"type\": "
        "\"ByteFallback\"}, {\"type\": \"Fuse\"}, {\"type\": \"Strip\"}]}, \"model\": {\"vocab\": "
        "{\"<unk>\": 0, \"a\": 1, \"b\": 2, \"\xE2\x96\x81\": 3, \"ab\": 4, \"\xE2\x96\x81"
        "ab\": 5, \"<0x21>\": 6}, \"merges\": [\"a b\", [\"\xE2\x96\x81\", \"ab\"]], "
        "\"byte_fallback\": true, \"unk_token\": \"<unk>\", \"fuse_unk\": true}}");
    file = read_directory();
    ck_assert(file->vocabulary.kind == DYNO_TOKENIZER_SPM && file->vocabulary.prefix_space);
    expect(file, "ab a!?!<unk>b", "5 3 1 6 0 6 0 3 2");
    dyno_tokenizer_file_close(file);
}
END_TEST

/* A SentencePiece file with <s>, `normalized` or not, and a <, which is. */
static void write_marks(const char *normalized)
{
    char over[2048];

    (void)snprintf(
        over, sizeof over,
        "{\"added_tokens\": [{\"id\": 8, \"content\": \"<s>\", \"special\": true, \"normalized\": "
        "%s}, {\"id\": 9, \"content\": \"a <\", \"special\": false, \"normalized\": true}], "
        "\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Prepend\", "
        "\"prepend\": \"\xE2\x96\x81\"}, {\"type\": \"Replace\", \"pattern\": {\"String\": \" "
        "\"}, \"content\": \"\xE2\x96\x81\"}]}, \"pre_tokenizer\": null, \"post_processor\": null, "
        "\"decoder\": null, \"model\": {\"vocab\": {\"<unk>\": 0, \"\xE2\x96\x81\": 1, \"a\": 2, "
        "\"b\": 3, \"<\": 4, \"s\": 5, \">\": 6, \"x\": 7, \"bb\": 10}, \"merges\": [\"b b\"], "
        "\"unk_token\": \"<unk>\"}}",
        normalized);
    write_byte_level(over);
}

/* As the library `tokenizers` 0.23.2 encodes these: a token that is normalised begins with the
 * block that is put before a text, and is found only where one is. */
START_TEST(normalized_tokens_are_matched_in_normalised_text)
{
    const struct dyno_tokenizer_file *file;

    write_marks("true");
    file = read_directory();
    expect(file, "<s>a", "8 2");
    expect(file, "a<s>b", "1 2 4 5 6 3");
    expect(file, "a <s>", "9 5 6");
    expect(file, "<s><s>", "8 4 5 6");
    expect(file, " <s>", "1 8");
    expect(file, "ab a <x", "1 2 3 9 7");
    expect(file, "xa <x", "1 7 2 1 4 7");
    expect(file, DYNO_FENCE "<s>a", "1 4 5 6 2"); /* typed by a user */
    dyno_tokenizer_file_close(file);
    write_marks("false");
    file = read_directory();
    expect(file, "<s>a", "8 1 2");
    expect(file, "a<s>b", "1 2 8 1 3");
    expect(file, "a <s>", "1 2 1 8");
    expect(file, " <s>", "1 1 8");
    expect(file, "ab a <x", "1 2 3 9 7");
    dyno_tokenizer_file_close(file);
}
END_TEST

/* Likewise; an e and an accent are the letter with it, and so they are in the token. */
START_TEST(normalized_tokens_are_composed_as_text_is)
{
    const struct dyno_tokenizer_file *file;

    write_byte_level("{\"added_tokens\": [{\"id\": 259, \"content\": \"<s>\", \"special\": true}, "
                     "{\"id\": 260, \"content\": \"<\xC3\xA9>\", \"normalized\": true}, {\"id\": "
                     "261, \"content\": \"<e\xCC\x81\xCC\x81\", \"normalized\": true}]}");
    file = read_directory();
    expect(file, "<\xC3\xA9>b", "259 260 98");
    expect(file, "b<e\xCC\x81>b", "259 98 260 98");
    expect(file,
           "b<e\xCC\x81\xCC\x81"
           "b",
           "259 98 261 98");
    dyno_tokenizer_file_close(file);
    write_byte_level("{\"added_tokens\": [{\"id\": 259, \"content\": \"<s>\", \"special\": true}, "
                     "{\"id\": 260, \"content\": \"<\xC3\xA9>\", \"normalized\": false}]}");
    file = read_directory();
    expect(file, "<\xC3\xA9>b", "259 260 98");
    expect(file, "b<e\xCC\x81>b", "259 98 60 195 169 62 98");
    dyno_tokenizer_file_close(file);
}
END_TEST

static void refuse(dyno_status due, const char *words)
{
    const struct dyno_tokenizer_file *file = NULL;
    struct dyno_error error = {.text = ""};
    dyno_status status = dyno_tokenizer_file_open(&file, directory, &error);

    ck_assert_msg(status == due && !file, "'%s': %d, not %d", words, status, due);
    ck_assert_msg(strstr(error.text, words) && strstr(error.text, directory), "'%s' is not in '%s'",
                  words, error.text);
}

START_TEST(wrong_files_are_refused_by_name)
{
    static const struct {
        const char *over;
        dyno_status due;
        const char *words;
    } cases[] = {
        {"{\"normalizer\": {\"type\": \"NFKC\"}}", DYNO_UNSUPPORTED, "step 'NFKC'"},
        {"{\"normalizer\": {\"type\": \"Sequence\"}}", DYNO_BAD_INPUT, "must be a list"},
        {"{\"pre_tokenizer\": {\"type\": \"Whitespace\"}}", DYNO_UNSUPPORTED, "'Whitespace'"},
        {"{\"pre_tokenizer\": null}", DYNO_UNSUPPORTED, "neither byte-level"},
        {"{\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"a\"}, "
         "\"behavior\": \"Removed\"}}",
         DYNO_UNSUPPORTED, "\"behavior\""},
        {"{\"post_processor\": {\"type\": \"BertProcessing\"}}", DYNO_UNSUPPORTED,
         "'BertProcessing'"},
        {"{\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": []}}", DYNO_BAD_INPUT,
         "Sequence"},
        {"{\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": "
         "{\"id\": \"<q>\"}}, {\"Sequence\": {}}]}}",
         DYNO_BAD_INPUT, "'<q>' is not a token"},
        {"{\"decoder\": {\"type\": \"WordPiece\"}}", DYNO_UNSUPPORTED, "'WordPiece'"},
        {"{\"model\": {\"type\": \"Unigram\"}}", DYNO_UNSUPPORTED, "'Unigram', not BPE"},
        {"{\"model\": {\"vocab\": []}}", DYNO_BAD_INPUT, "\"model.vocab\""},
        {"{\"model\": {\"vocab\": {}}}", DYNO_BAD_INPUT, "empty"},
        {"{\"model\": {\"vocab\": {\"a\": -1}}}", DYNO_BAD_INPUT, "token 'a'"},
        {"{\"model\": {\"vocab\": {\"a\": 1, \"b\": 1}}}", DYNO_BAD_INPUT, "two tokens have id 1"},
        {"{\"model\": {\"merges\": 3}}", DYNO_BAD_INPUT, "\"model.merges\""},
        {"{\"model\": {\"merges\": [\"ab\"]}}", DYNO_BAD_INPUT, "merge 0"},
        {"{\"model\": {\"merges\": [\"t h\", \"q q\"]}}", DYNO_BAD_INPUT, "merge 1, 'q q'"},
        {"{\"model\": {\"merges\": [[\"t\"]]}}", DYNO_BAD_INPUT, "model.merges[0]"},
        {"{\"model\": {\"dropout\": 0.1}}", DYNO_UNSUPPORTED, "dropout"},
        {"{\"model\": {\"end_of_word_suffix\": \"</w>\"}}", DYNO_UNSUPPORTED, "end_of_word_suffix"},
        {"{\"model\": {\"unk_token\": \"<q>\"}}", DYNO_BAD_INPUT, "unk_token"},
        {"{\"model\": {\"unk_token\": 5}}", DYNO_BAD_INPUT, "must be a token's text, or null"},
        {"{\"added_tokens\": {\"0\": \"<q>\"}}", DYNO_BAD_INPUT, "\"added_tokens\" must be a list"},
        {"{\"added_tokens\": [{\"id\": 5}]}", DYNO_BAD_INPUT, "\"content\""},
        {"{\"added_tokens\": [{\"id\": 5, \"content\": \"<s>\"}]}", DYNO_BAD_INPUT,
         "id 5 of another token"},
        {"{\"added_tokens\": [{\"id\": 99999999, \"content\": \"<s>\"}]}", DYNO_BAD_INPUT,
         "token '<s>'"},
        /* 2 x (2 + 1) + 65536 places for 3 tokens */
        {"{\"added_tokens\": [{\"id\": 65542, \"content\": \"<s>\"}], \"model\": {\"vocab\": "
         "{\"a\": 0, \"b\": 1}, \"merges\": []}}",
         DYNO_BAD_INPUT, "token '<s>' must be a whole number from 0 to 65541, as there are 3"},
        {"{\"model\": {\"vocab\": {\"a\": 0, \"b\": 65540}}}", DYNO_BAD_INPUT,
         "token 'b' must be a whole number from 0 to 65539, as there are 2 tokens"}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_byte_level(cases[i].over);
        refuse(cases[i].due, cases[i].words);
    }
    write_text("tokenizer.json", "{\"model\": ");
    refuse(DYNO_BAD_INPUT, "not JSON: line 1");
    write_text("tokenizer.json", "[]");
    refuse(DYNO_BAD_INPUT, "not a JSON object");
    write_byte_level("{}");
    write_text("tokenizer_config.json", "{\"eos_token\": \"<q>\"}");
    refuse(DYNO_BAD_INPUT, "\"eos_token\" '<q>'");
    write_text("tokenizer_config.json", "{\"add_eos_token\": true}");
    refuse(DYNO_BAD_INPUT, "\"add_eos_token\" is true");
    write_text("tokenizer_config.json", "{\"chat_template\": [1]}");
    refuse(DYNO_BAD_INPUT, "chat_template[0]");
    write_text("tokenizer_config.json", "{\"chat_template\": 5}");
    refuse(DYNO_BAD_INPUT, "\"chat_template\" must be a text");
    write_text("tokenizer_config.json", "{\"bos_token\": 5}");
    refuse(DYNO_BAD_INPUT, "\"bos_token\" must be a token's text");
    write_text("tokenizer_config.json", "{\"add_bos_token\": 1}");
    refuse(DYNO_BAD_INPUT, "\"add_bos_token\" must be true or false");
}
END_TEST

/* A checkpoint in a cache is links; one of them led somewhere once. */
START_TEST(a_link_that_leads_nowhere_is_not_passed_over)
{
    char path[128];

    write_byte_level("{}");
    (void)snprintf(path, sizeof path, "%s/chat_template.jinja", directory);
    ck_assert_int_eq(symlink("nowhere", path), 0);
    refuse(DYNO_NOT_FOUND, "chat_template.jinja");
}
END_TEST

static void refuse_tokenizer(const struct dyno_tokenizer_file *file, uint32_t vocab,
                             const char *words)
{
    struct dyno_tokenizer *tokenizer = NULL;
    struct dyno_error error = {.text = ""};

    ck_assert_int_eq(dyno_tokenizer_file_tokenizer(&tokenizer, file, vocab, &error),
                     DYNO_BAD_INPUT);
    ck_assert_ptr_null(tokenizer);
    ck_assert_msg(strstr(error.text, words) && strstr(error.text, directory), "'%s' is not in '%s'",
                  words, error.text);
}

/* 261 tokens, ids 0 to 260. */
START_TEST(a_tokenizer_knows_no_more_than_its_weights)
{
    const struct dyno_tokenizer_file *file;
    struct dyno_tokenizer *tokenizer = NULL;
    struct dyno_error error;

    write_byte_level("{}");
    file = read_directory();
    refuse_tokenizer(file, 260, "has 261 tokens, the weights have 260");
    ck_assert_int_eq(dyno_tokenizer_file_tokenizer(&tokenizer, file, 261, &error), DYNO_OK);
    dyno_tokenizer_close(tokenizer);
    dyno_tokenizer_file_close(file);
    write_byte_level("{\"model\": {\"vocab\": {\"a\": 0}, \"merges\": []}}");
    file = read_directory();
    refuse_tokenizer(file, 0, "has no token for byte 0x00");
    dyno_tokenizer_file_close(file);
}
END_TEST

START_TEST(a_missing_file_is_not_found)
{
    const struct dyno_tokenizer_file *file = NULL;
    struct dyno_error error;

    ck_assert(dyno_tokenizer_file_open(&file, directory, &error) == DYNO_NOT_FOUND);
    ck_assert(dyno_tokenizer_file_open(&file, "/nowhere/x.json", &error) == DYNO_NOT_FOUND);
    ck_assert_ptr_null(file);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("tokenizer file");

    tcase_add_checked_fixture(cases, start, finish);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, a_byte_level_file_is_read);
    tcase_add_test(cases, the_config_adds_tokens_and_templates);
    tcase_add_test(cases, gpt2s_pair_of_files_is_read);
    tcase_add_test(cases, a_sentencepiece_file_is_read);
    tcase_add_test(cases, normalized_tokens_are_matched_in_normalised_text);
    tcase_add_test(cases, normalized_tokens_are_composed_as_text_is);
    tcase_add_test(cases, wrong_files_are_refused_by_name);
    tcase_add_test(cases, a_link_that_leads_nowhere_is_not_passed_over);
    tcase_add_test(cases, a_tokenizer_knows_no_more_than_its_weights);
    tcase_add_test(cases, a_missing_file_is_not_found);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("tokenizer file", add_cases)
