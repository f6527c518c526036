/* Seeded mutations of good model files through the fuzz harnesses.  Under the sanitizers this is a
 * fuzzer of a few seconds; a failure prints the seed that repeats it. */
#include "core/base/rng.h"
#include "tests/backends/gguf_files.h"

#define LLVMFuzzerTestOneInput fuzz_one_safetensors
#include "tests/fuzz/fuzz_safetensors.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_one_gguf
#include "tests/fuzz/fuzz_gguf.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_one_llama2c
#include "tests/fuzz/fuzz_llama2c.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_one_config
#include "tests/fuzz/fuzz_config.c"
#undef LLVMFuzzerTestOneInput

#include "tests/check_main.h"

enum { MUTATIONS = 400, CHANGES_MAX = 4 };

static const struct tensor_plan tensors[] = {
    {"model.embed_tokens.weight", 2, {16, 8}},
    {"model.layers.0.input_layernorm.weight", 1, {8}},
    {"model.layers.0.self_attn.q_proj.weight", 2, {8, 8}},
    {"model.layers.0.self_attn.k_proj.weight", 2, {8, 8}},
    {"model.layers.0.self_attn.v_proj.weight", 2, {8, 8}},
    {"model.layers.0.self_attn.o_proj.weight", 2, {8, 8}},
    {"model.layers.0.post_attention_layernorm.weight", 1, {8}},
    {"model.layers.0.mlp.gate_proj.weight", 2, {8, 8}},
    {"model.layers.0.mlp.up_proj.weight", 2, {8, 8}},
    {"model.layers.0.mlp.down_proj.weight", 2, {8, 8}},
    {"model.norm.weight", 1, {8}},
};

static const struct tensor_plan gguf_tensors[] = {
    {"token_embd.weight", 2, {16, 8}},  {"blk.0.attn_norm.weight", 1, {8}},
    {"blk.0.attn_q.weight", 2, {8, 8}}, {"blk.0.attn_k.weight", 2, {8, 8}},
    {"blk.0.attn_v.weight", 2, {8, 8}}, {"blk.0.attn_output.weight", 2, {8, 8}},
    {"blk.0.ffn_norm.weight", 1, {8}},  {"blk.0.ffn_gate.weight", 2, {8, 8}},
    {"blk.0.ffn_up.weight", 2, {8, 8}}, {"blk.0.ffn_down.weight", 2, {8, 8}},
    {"output_norm.weight", 1, {8}},
};

static struct bytes good_safetensors(void)
{
    struct bytes header = {0}, data = {0}, all = {0};

    plan_safetensors(&header, &data, tensors, sizeof tensors / sizeof tensors[0], DYNO_ELEMENT_F32);
    put(&all, "", 1);
    put_u64(&all, header.size);
    put(&all, header.data, header.size);
    put(&all, data.data, data.size);
    release_bytes(&header);
    release_bytes(&data);
    return all;
}

static void put_gguf_vocabulary(struct gguf_file *file)
{
    gguf_text(file, "tokenizer.ggml.model", "llama");
    gguf_array(file, "tokenizer.ggml.tokens", DYNO_GGUF_STRING, 16);
    for (int i = 0; i < 16; i++) {
        char text[8];

        (void)snprintf(text, sizeof text, "t%d", i);
        put_gguf_text(&file->keys, text);
    }
    gguf_array(file, "tokenizer.ggml.scores", DYNO_GGUF_F32, 16);
    for (int i = 0; i < 16; i++) {
        put(&file->keys, &(float){(float)-i}, sizeof(float));
    }
    gguf_u32(file, "tokenizer.ggml.eos_token_id", 2);
}

static struct bytes good_gguf(void)
{
    struct gguf_file file = {0};
    struct bytes all;

    gguf_text(&file, "general.architecture", "llama");
    gguf_u32(&file, "llama.block_count", 1);
    gguf_u32(&file, "llama.embedding_length", 8);
    gguf_u32(&file, "llama.attention.head_count", 1);
    gguf_u32(&file, "llama.feed_forward_length", 8);
    gguf_u32(&file, "llama.context_length", 32);
    put_gguf_vocabulary(&file);
    for (size_t i = 0; i < sizeof gguf_tensors / sizeof gguf_tensors[0]; i++) {
        gguf_tensor(&file, &gguf_tensors[i], 0);
    }
    all = gguf_bytes(&file);
    gguf_release(&file);
    return all;
}

/* 16*8 + 2*8 + 7*8*8 + 8 floats, and two tables of 32*4. */
static struct bytes good_llama2c(void)
{
    static const int32_t head[] = {8, 8, 1, 1, 1, 16, 32};
    struct bytes all = {0};

    put(&all, head, sizeof head);
    for (uint64_t i = 0; i < 128 + 16 + 7 * 64 + 8 + 256; i++) {
        put_value(&all, DYNO_ELEMENT_F32, "", i);
    }
    return all;
}

static struct bytes good_config(void)
{
    struct bytes all = {0};

    put(&all, "", 1);
    put_word(&all, FUZZ_CONFIG);
    return all;
}

static const struct kind {
    struct bytes (*good)(void);
    int (*one)(const uint8_t *data, size_t size);
} kinds[] = {
    {good_safetensors, fuzz_one_safetensors},
    {good_gguf, fuzz_one_gguf},
    {good_llama2c, fuzz_one_llama2c},
    {good_config, fuzz_one_config},
};

/* Most changes near the beginning, where lengths and names are. */
static void mutate(struct dyno_rng *rng, struct bytes *bytes)
{
    static const uint64_t nasty[] = {0, 1, 7, 255, UINT32_MAX, INT64_MAX, UINT64_MAX, 1ULL << 31};
    size_t reach = dyno_rng_below(rng, 2) && bytes->size > 300 ? 300 : bytes->size;
    size_t at = dyno_rng_below(rng, reach + 1);
    uint64_t number = nasty[dyno_rng_below(rng, sizeof nasty / sizeof nasty[0])];
    size_t size = (size_t)1 << dyno_rng_below(rng, 4);

    switch (dyno_rng_below(rng, 4)) {
    case 0: /* another byte */
        if (at < bytes->size) {
            bytes->data[at] = (uint8_t)dyno_rng_below(rng, 256);
        }
        break;
    case 1: /* another number */
        if (at + size <= bytes->size) {
            memcpy(bytes->data + at, &number, size);
        }
        break;
    case 2: /* some bytes moved */
        if (at + size <= bytes->size && size < at) {
            memmove(bytes->data + at - size, bytes->data + at, size);
        }
        break;
    default: /* cut off, seldom */
        if (dyno_rng_below(rng, 4) == 0) {
            bytes->size = at;
        }
        break;
    }
}

/* _i: the kind of file. */
START_TEST(no_bytes_crash_a_loader)
{
    const struct kind *kind = &kinds[_i];
    const char *only = getenv("DYNO_FUZZ_SEED");

    for (uint64_t seed = 0; seed < MUTATIONS; seed++) {
        struct bytes bytes = kind->good();
        struct dyno_rng rng;

        if (only && strtoull(only, NULL, 10) != seed) {
            release_bytes(&bytes);
            continue;
        }
        dyno_rng_init(&rng, seed, "mutation");
        for (uint64_t i = dyno_rng_below(&rng, CHANGES_MAX + 1); i > 0; i--) {
            mutate(&rng, &bytes);
        }
        (void)fprintf(stderr, "\rkind %d, DYNO_FUZZ_SEED=%llu ", _i, (unsigned long long)seed);
        (void)kind->one(bytes.data, bytes.size);
        release_bytes(&bytes);
    }
}
END_TEST

/* The harness would find nothing if its good files were refused. */
START_TEST(the_good_files_are_good)
{
    static const char *const names[] = {"model.safetensors", "m.gguf", "m.bin"};
    struct bytes bytes = kinds[_i].good();
    struct dyno_weights *weights = NULL;
    struct dyno_error error = {0};
    size_t skip = _i == 0;

    make_model_folder();
    write_text("config.json", FUZZ_CONFIG);
    write_bytes(names[_i], bytes.data + skip, bytes.size - skip);
    ck_assert_msg(dyno_weights_open(&weights, _i == 0 ? model_folder : model_path(names[_i]),
                                    &error) == DYNO_OK,
                  "%s", error.text);
    dyno_weights_close(weights);
    remove_model_folder();
    release_bytes(&bytes);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("model_fuzz");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, the_good_files_are_good, 0, 3);
    tcase_add_loop_test(tcase, no_bytes_crash_a_loader, 0, 4);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("backends/model_fuzz", add_cases)
