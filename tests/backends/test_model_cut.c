/* Files of models cut short at every byte, and with one byte of them turned: each opens, and every
 * byte of what was opened can be read, or is refused by one sentence that names the file. */
#include "backends/assets/template/chat.h"
#include "tests/fuzz/fuzz_model.h"
#include "tests/fuzz/model_seeds.h"

#include "tests/check_main.h"

/* ---- good files ------------------------------------------------------------------------------ */

static size_t write_whole(const char *name, struct bytes *bytes)
{
    size_t size = bytes->size;

    write_bytes(name, bytes->data, size);
    release_bytes(bytes);
    return size;
}

/* Each writes good files into the folder of the test, and returns how many bytes of the subject's
 * own say what lies in it. */

static size_t make_folder(void)
{
    struct bytes seed = seed_safetensors(true);
    uint64_t header;

    write_text("config.json", FUZZ_CONFIG);
    write_text("generation_config.json", "{\"eos_token_id\": [2, 3], \"temperature\": 0.5}");
    memcpy(&header, seed.data + 1, sizeof header);
    write_bytes("model.safetensors", seed.data + 1, seed.size - 1);
    release_bytes(&seed);
    return sizeof header + header;
}

static size_t make_config(void)
{
    (void)make_folder();
    return strlen(FUZZ_CONFIG);
}

static size_t make_index(void)
{
    struct bytes index = {0};

    (void)make_folder();
    ck_assert_int_eq(
        rename(model_path("model.safetensors"), strdupa(model_path("model-1.safetensors"))), 0);
    put_word(&index, "{\"metadata\": {\"total_size\": 9}, \"weight_map\": {");
    for (size_t i = 0; i < LLAMA_TENSORS; i++) {
        put_word(&index, i ? ", \"" : "\"");
        put_word(&index, llama_tensors[i].name);
        put_word(&index, "\": \"model-1.safetensors\"");
    }
    put_word(&index, "}}");
    return write_whole("model.safetensors.index.json", &index);
}

static const struct tensor_plan gguf_tensors[] = {
    {"token_embd.weight", 2, {16, 32}},   {"blk.0.attn_norm.weight", 1, {32}},
    {"blk.0.attn_q.weight", 2, {32, 32}}, {"blk.0.attn_k.weight", 2, {16, 32}},
    {"blk.0.attn_v.weight", 2, {16, 32}}, {"blk.0.attn_output.weight", 2, {32, 32}},
    {"blk.0.ffn_norm.weight", 1, {32}},   {"blk.0.ffn_gate.weight", 2, {32, 32}},
    {"blk.0.ffn_up.weight", 2, {32, 32}}, {"blk.0.ffn_down.weight", 2, {32, 32}},
    {"output_norm.weight", 1, {32}},
};

static size_t make_gguf(void)
{
    enum { F32 = 0, Q8_0 = 8 };
    struct gguf_file file = {0};
    struct bytes all;
    size_t header;

    gguf_text(&file, "general.architecture", "llama");
    gguf_u32(&file, "llama.block_count", 1);
    gguf_u32(&file, "llama.embedding_length", 32);
    gguf_u32(&file, "llama.attention.head_count", 4);
    gguf_u32(&file, "llama.attention.head_count_kv", 2);
    gguf_u32(&file, "llama.feed_forward_length", 32);
    gguf_u32(&file, "llama.context_length", 128);
    gguf_float(&file, "llama.attention.layer_norm_rms_epsilon", 1e-5F);
    gguf_u32(&file, "tokenizer.ggml.eos_token_id", 2);
    for (size_t i = 0; i < sizeof gguf_tensors / sizeof gguf_tensors[0]; i++) {
        gguf_tensor(&file, &gguf_tensors[i], gguf_tensors[i].rank == 1 ? F32 : Q8_0);
    }
    all = gguf_bytes(&file);
    header = all.size - file.data.size;
    gguf_release(&file);
    (void)write_whole("m.gguf", &all);
    return header;
}

static size_t make_gguf_vocabulary(void)
{
    struct bytes all = seed_gguf_vocabulary(false);

    return write_whole("m.gguf", &all);
}

static size_t make_llama2c(void)
{
    struct bytes all = seed_llama2c(false);

    (void)write_whole("m.bin", &all);
    return 7 * sizeof(int32_t);
}

static size_t make_llama2c_int8(void)
{
    struct bytes all = seed_llama2c_int8();

    (void)write_whole("m.bin", &all);
    return 256;
}

static size_t make_llama2c_tokenizer(void)
{
    struct bytes all = seed_llama2c_tokenizer();

    return write_whole("tokenizer.bin", &all);
}

static size_t make_tokenizer(void)
{
    const char *text = tokenizer_seeds[0].parts[0];

    write_text("tokenizer_config.json", tokenizer_seeds[0].parts[1]);
    write_text("tokenizer.json", text);
    return strlen(text);
}

static size_t make_tokenizer_config(void)
{
    (void)make_tokenizer();
    return strlen(tokenizer_seeds[0].parts[1]);
}

static size_t make_template(void)
{
    static const char text[] =
        "{%- set ns = namespace(n=0) %}{% for m in messages if m.content is string %}{% set ns.n = "
        "ns.n + 1 %}{{ '<|' + m['role'] + \"|>\" }}{{ m.content | trim }}{% if not loop.last %}\n"
        "\xE2\x96\x81{% endif %}{%- endfor %}{# so far #}{{ tools|tojson(indent=2) if tools }}"
        "{% if add_generation_prompt %}{{ '<|a' ~ ns.n ~ '|>' }}{% endif %}";

    (void)make_tokenizer();
    write_text("chat_template.jinja", text);
    return strlen(text);
}

/* ---- what is tried --------------------------------------------------------------------------- */

static void open_model(const char *path)
{
    fuzz_open_weights(path);
}

static void open_template(const char *path)
{
    const struct dyno_tokenizer_file *file = NULL;
    struct dyno_template *template_ = NULL;
    struct dyno_error error;

    if (dyno_tokenizer_file_open(&file, path, &error) != DYNO_OK) {
        fuzz_check_refusal(&error);
        return;
    }
    if (!file->chat_template ||
        dyno_chat_template_open(&template_, file, file->chat_template, &error) == DYNO_OK) {
        fuzz_opened_count++;
    } else {
        fuzz_check_refusal(&error);
    }
    dyno_template_close(template_);
    dyno_tokenizer_file_close(file);
}

static const struct subject {
    const char *file; /* which is cut and turned */
    bool is_folder;   /* its folder is opened, or else the file */
    bool is_whole;    /* nothing may be cut off it, not even one byte */
    size_t (*make)(void);
    void (*open)(const char *path);
} subjects[] = {
    {"model.safetensors", true, true, make_folder, open_model},
    {"config.json", true, true, make_config, open_model},
    {"model.safetensors.index.json", true, true, make_index, open_model},
    {"m.gguf", false, true, make_gguf, open_model},
    {"m.gguf", false, false, make_gguf_vocabulary, fuzz_open_tokenizer}, /* zeros fill it up */
    {"m.bin", false, true, make_llama2c, open_model},
    {"m.bin", false, true, make_llama2c_int8, open_model},
    {"tokenizer.bin", false, false, make_llama2c_tokenizer, fuzz_open_tokenizer}, /* fewer tokens */
    {"tokenizer.json", true, true, make_tokenizer, fuzz_open_tokenizer},
    {"tokenizer_config.json", true, true, make_tokenizer_config, fuzz_open_tokenizer},
    {"chat_template.jinja", true, false, make_template, open_template}, /* half a text is one */
};

enum { SUBJECTS = sizeof subjects / sizeof subjects[0] };

/* Opens it; whether that went well.  A refusal names the file (`exactly`) or one beside it, where
 * they do not agree; `what` and `at` are what was done. */
static bool opens(const struct subject *subject, bool exactly, const char *what, size_t at)
{
    char path[sizeof model_folder + 256];

    (void)snprintf(path, sizeof path, "%s",
                   subject->is_folder ? model_folder : model_path(subject->file));
    fuzz_opened_count = 0;
    fuzz_refusal = (struct dyno_error){0};
    subject->open(path);
    ck_assert_msg(
        fuzz_opened_count == 1 || (strstr(fuzz_refusal.text, model_folder) &&
                                   (!exactly || strstr(fuzz_refusal.text, subject->file))),
        "%s, %s %zu: '%s' does not name the file", subject->file, what, at, fuzz_refusal.text);
    return fuzz_opened_count == 1;
}

/* Every length up to the end of what says what lies in the file, then some 200 of the rest, and one
 * byte less than all. */
START_TEST(a_file_cut_short_is_refused_by_name)
{
    const struct subject *subject = &subjects[_i];
    size_t header = subject->make(), size = file_size(subject->file), refused = 0;
    size_t stride = (size - header) / 200 + 1;

    ck_assert_msg(opens(subject, true, "whole", size), "%s: %s", subject->file, fuzz_refusal.text);
    for (size_t length = size - 1;;) {
        bool opened;

        ck_assert_int_eq(truncate(model_path(subject->file), (off_t)length), 0);
        opened = opens(subject, true, "cut to", length);
        ck_assert_msg(!opened || !subject->is_whole, "%s was read of %zu bytes of %zu",
                      subject->file, length, size);
        refused += !opened;
        if (length == 0) {
            break;
        }
        length -= length > header + stride ? stride : 1;
    }
    ck_assert_uint_gt(refused, header / 2);
}
END_TEST

static void turn_byte(FILE *file, size_t at, uint8_t with)
{
    int byte;

    ck_assert_int_eq(fseek(file, (long)at, SEEK_SET), 0);
    byte = fgetc(file);
    ck_assert_int_ne(byte, EOF);
    ck_assert_int_eq(fseek(file, (long)at, SEEK_SET), 0);
    ck_assert_int_eq(fputc(byte ^ with, file), byte ^ with);
    ck_assert_int_eq(fflush(file), 0);
}

/* One bit, and all of them, of each byte that says what lies in the file. */
START_TEST(a_byte_turned_is_borne)
{
    static const uint8_t masks[] = {0x01, 0xff};
    const struct subject *subject = &subjects[_i];
    size_t header = subject->make(), refused = 0;
    FILE *file = fopen(model_path(subject->file), "r+be");

    ck_assert_ptr_nonnull(file);
    for (size_t at = 0; at < header; at++) {
        for (size_t i = 0; i < sizeof masks; i++) {
            turn_byte(file, at, masks[i]);
            refused += !opens(subject, false, "turned at", at);
            turn_byte(file, at, masks[i]);
        }
    }
    (void)fclose(file);
    ck_assert_uint_gt(refused, 0);
    ck_assert_msg(opens(subject, true, "whole", 0), "%s: %s", subject->file, fuzz_refusal.text);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("model_cut");

    tcase_add_checked_fixture(tcase, make_model_folder, remove_model_folder);
    tcase_set_timeout(tcase, 240);
    tcase_add_loop_test(tcase, a_file_cut_short_is_refused_by_name, 0, SUBJECTS);
    tcase_add_loop_test(tcase, a_byte_turned_is_borne, 0, SUBJECTS);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("backends/model_cut", add_cases)
