/* Good files of models and tokenizers, as the fuzz targets take them: where mutations begin.
 * seeds.c writes them as corpora for libFuzzer, tests/backends/test_model_fuzz.c mutates them. */
#ifndef DYNO_TESTS_FUZZ_MODEL_SEEDS_H
#define DYNO_TESTS_FUZZ_MODEL_SEEDS_H

#include "backends/assets/random/random_model.h"
#include "backends/assets/tokenizer/byte_alphabet.h"
#include "core/base/utf8.h"
#include "tests/backends/family_shapes.h"
#include "tests/backends/gguf_files.h"

/* One of family_shapes, made as small as it may be. */
static inline struct dyno_random_model seed_plan(size_t family, enum dyno_element element)
{
    struct dyno_random_model plan = {.shape = family_shapes[family],
                                     .element = element,
                                     .seed = 7,
                                     .shard_bytes_max = DYNO_SHARD_BYTES_MAX};
    struct dyno_model *model = &plan.shape.model;

    model->layers = 1;
    model->dense_layers = model->dense_layers ? 1 : 0;
    model->sliding_layers = model->sliding_layers ? 1 : 0;
    model->hidden = 32; /* two heads of 16 */
    model->kv_heads = model->kv_heads == model->heads ? 2 : 1;
    model->heads = 2;
    model->intermediate = model->intermediate ? 32 : 0;
    model->vocab = 257;
    return plan;
}

static inline void put_file(struct bytes *bytes, const char *name, size_t skip, size_t most)
{
    FILE *file = fopen(model_path(name), "rb");
    uint8_t block[4096];
    size_t got;

    if (!file) {
        return; /* not every folder has one */
    }
    ck_assert_int_eq(fseek(file, (long)skip, SEEK_SET), 0);
    while (most > 0 &&
           (got = fread(block, 1, most < sizeof block ? most : sizeof block, file)) > 0) {
        put(bytes, block, got);
        most -= got;
    }
    (void)fclose(file);
}

/* The header of a file of safetensors. */
static inline void put_header(struct bytes *bytes, const char *name)
{
    struct bytes length = {0};
    uint64_t size = 0;

    put_file(&length, name, 0, sizeof size);
    if (length.size > 0) {
        memcpy(&size, length.data, sizeof size);
        put_file(bytes, name, sizeof size, (size_t)size);
    }
    release_bytes(&length);
}

static inline size_t file_size(const char *name)
{
    struct stat about;

    return stat(model_path(name), &about) == 0 ? (size_t)about.st_size : 0;
}

/* For fuzz_config: a whole folder, in one file of weights or in two. */
static inline struct bytes seed_folder(size_t family, enum dyno_element element, bool parted)
{
    struct dyno_random_model plan = seed_plan(family, element);
    struct dyno_error error = {0};
    struct bytes all = {0};

    make_model_folder();
    for (int round = 0; round < (parted ? 2 : 1); round++) {
        plan.shard_bytes_max =
            round == 1 ? file_size("model.safetensors") * 2 / 3 : DYNO_SHARD_BYTES_MAX;
        if (round == 1) {
            remove_model_folder();
            ck_assert_int_eq(mkdir(model_folder, 0700), 0);
        }
        ck_assert_msg(dyno_random_write_folder(&plan, model_folder, &error) == DYNO_OK, "%s",
                      error.text);
    }
    put_file(&all, "config.json", 0, SIZE_MAX);
    put(&all, "", 1);
    put_file(&all, "generation_config.json", 0, SIZE_MAX);
    put(&all, "", 1);
    put_header(&all, parted ? "model-00001-of-00002.safetensors" : "model.safetensors");
    put(&all, "", 1);
    put_file(&all, "model.safetensors.index.json", 0, SIZE_MAX);
    put(&all, "", 1);
    put_header(&all, "model-00002-of-00002.safetensors");
    remove_model_folder();
    return all;
}

/* For fuzz_gguf: what stands before the weights, which the target makes zeros. */
static inline struct bytes seed_gguf(size_t family, enum dyno_element element)
{
    struct dyno_random_model plan = seed_plan(family, element);
    struct dyno_error error = {0};
    struct bytes all = {0};
    size_t used;

    make_model_folder();
    ck_assert_msg(dyno_random_write_gguf(&plan, model_path("m.gguf"), &error) == DYNO_OK, "%s",
                  error.text);
    put_file(&all, "m.gguf", 0, SIZE_MAX);
    remove_model_folder();
    /* the name of the last tensor in the list; its shape and place take less than 48 bytes */
    used = all.size;
    for (size_t at = 0; at + 7 < all.size; at++) {
        bool ends =
            memcmp(all.data + at, ".weight", 7) == 0 || memcmp(all.data + at, ".bias", 5) == 0;

        used = ends ? at + 7 + 48 : used;
    }
    all.size = used < all.size ? used : all.size;
    put(&all, "", 1);
    return all;
}

static inline void put_gguf_texts(struct gguf_file *file, const char *key, const char *const *texts,
                                  size_t count)
{
    gguf_array(file, key, DYNO_GGUF_STRING, count);
    for (size_t i = 0; i < count; i++) {
        put_gguf_text(&file->keys, texts[i]);
    }
}

/* For fuzz_gguf: a vocabulary alone, by scores or by merges. */
static inline struct bytes seed_gguf_vocabulary(bool scored)
{
    static const char *const pieces[] = {
        "<unk>", "<s>", "</s>", "<0x0A>", "\xE2\x96\x81", "a", "b", "ab", "th", "the", "t", "h"};
    static const char *const words[] = {"<unk>", "<s>", "<|end|>", "<tool>", "\xC4\xA0", "a",
                                        "b",     "ab",  "th",      "the",    "t",        "h"};
    static const char *const merges[] = {"a b", "t h"};
    static const uint32_t scored_types[] = {2, 3, 3, 6, 1, 1, 1, 1, 1, 1, 5, 4};
    static const uint32_t merged_types[] = {2, 3, 3, 4, 1, 1, 1, 1, 1, 1, 1, 1};
    enum { COUNT = sizeof words / sizeof words[0] };
    struct gguf_file file = {0};
    struct bytes all;

    gguf_text(&file, "tokenizer.ggml.model", scored ? "llama" : "gpt2");
    put_gguf_texts(&file, "tokenizer.ggml.tokens", scored ? pieces : words, COUNT);
    gguf_array(&file, "tokenizer.ggml.token_type", DYNO_GGUF_I32, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        put_u32(&file.keys, scored ? scored_types[i] : merged_types[i]);
    }
    if (scored) {
        gguf_array(&file, "tokenizer.ggml.scores", DYNO_GGUF_F32, COUNT);
        for (size_t i = 0; i < COUNT; i++) {
            put(&file.keys, &(float){-(float)i}, sizeof(float));
        }
    } else {
        gguf_text(&file, "tokenizer.ggml.pre", "llama-bpe");
        put_gguf_texts(&file, "tokenizer.ggml.merges", merges, 2);
    }
    gguf_u32(&file, "tokenizer.ggml.bos_token_id", 1);
    gguf_u32(&file, "tokenizer.ggml.eos_token_id", 2);
    gguf_u32(&file, "tokenizer.ggml.unknown_token_id", 0);
    gguf_text(&file, "tokenizer.chat_template", "{{ messages }}");
    gguf_key(&file, "tokenizer.ggml.add_bos_token", DYNO_GGUF_BOOL);
    put(&file.keys, "\1", 1);
    gguf_key(&file, "tokenizer.ggml.add_space_prefix", DYNO_GGUF_BOOL);
    put(&file.keys, "", 1);
    all = gguf_bytes(&file);
    gguf_release(&file);
    return all;
}

/* For fuzz_llama2c: a model of 32-bit floats, whose logits are tied or not. */
static inline struct bytes seed_llama2c(bool tied)
{
    const int32_t head[] = {4, 4, 1, 1, 1, tied ? 8 : -8, 8};
    struct bytes all = {0};

    put(&all, head, sizeof head);
    /* embedding, two norms, four of attention, three of the MLP, the last norm, rotary tables */
    for (uint64_t i = 0; i < 8 * 4 + 2 * 4 + 7 * 16 + 4 + 2 * 8 * 2 + (tied ? 0 : 32); i++) {
        put_value(&all, DYNO_ELEMENT_F32, "", i);
    }
    return all;
}

static inline void put_groups(struct bytes *bytes, size_t count)
{
    static const int8_t values[4] = {1, -2, 3, 0};

    for (size_t i = 0; i < count; i += sizeof values) {
        put(bytes, values, sizeof values);
    }
    for (size_t i = 0; i < count; i += sizeof values) {
        put(bytes, &(float){0.5F}, sizeof(float));
    }
}

/* For fuzz_llama2c: version 2, int8 in groups of 4. */
static inline struct bytes seed_llama2c_int8(void)
{
    static const uint32_t begin[] = {0x616b3432, 2};
    static const int32_t head[] = {4, 4, 1, 1, 1, 8, 8};
    struct bytes all = {0};

    put(&all, begin, sizeof begin);
    put(&all, head, sizeof head);
    put(&all, "\1", 1); /* tied */
    put_u32(&all, 4);
    while (all.size < 256) {
        put(&all, "", 1);
    }
    for (uint64_t i = 0; i < 3 * 4; i++) { /* norms */
        put_value(&all, DYNO_ELEMENT_F32, "", i);
    }
    put_groups(&all, 8 * 4);
    for (int i = 0; i < 7; i++) {
        put_groups(&all, 4 * 4);
    }
    return all;
}

/* For fuzz_llama2c: a tokenizer.bin. */
static inline struct bytes seed_llama2c_tokenizer(void)
{
    static const char *const pieces[] = {"<unk>", "\n<s>\n", "\n</s>\n", "<0x41>", " t", "t", " "};
    struct bytes all = {0};

    put_u32(&all, 7);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        put(&all, &(float){-(float)i}, sizeof(float));
        put_u32(&all, (uint32_t)strlen(pieces[i]));
        put_word(&all, pieces[i]);
    }
    return all;
}

/* A Llama of one layer: hidden 8, one head of 8, MLP 8, 16 tokens; tied. */
static const struct tensor_plan llama_tensors[] = {
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

enum { LLAMA_TENSORS = sizeof llama_tensors / sizeof llama_tensors[0] };

/* For fuzz_safetensors: the whole file (an even byte before it) or its header (an odd one). */
static inline struct bytes seed_safetensors(bool whole)
{
    struct bytes header = {0}, data = {0}, all = {0};

    plan_safetensors(&header, &data, llama_tensors, LLAMA_TENSORS, DYNO_ELEMENT_F32);
    put(&all, whole ? "" : "\1", 1);
    if (whole) {
        put_u64(&all, header.size);
    }
    put(&all, header.data, header.size);
    if (whole) {
        put(&all, data.data, data.size);
    }
    release_bytes(&header);
    release_bytes(&data);
    return all;
}

/* An entry of a header; *end is where the tensor before ends. */
static inline void put_entry(struct bytes *bytes, const char *name, const char *ending,
                             const char *dtype, const uint32_t shape[2], uint32_t rank,
                             uint32_t element_bytes, size_t *end)
{
    size_t begin = *end;
    char text[256], columns[16] = "";

    *end += (size_t)shape[0] * (rank > 1 ? shape[1] : 1) * element_bytes;
    if (rank > 1) {
        (void)snprintf(columns, sizeof columns, ", %u", shape[1]);
    }
    (void)snprintf(text, sizeof text,
                   "%s\"%s%s\": {\"dtype\": \"%s\", \"shape\": [%u%s], \"data_offsets\": [%zu, "
                   "%zu]}",
                   begin ? ", " : "", name, ending, dtype, shape[0], columns, begin, *end);
    put_word(bytes, text);
}

/* How a folder says that its matrices are of e4m3, and whether a scale is a block's. */
static const struct fp8_seed {
    const char *config;
    bool blocks; /* of 4 by 4 */
} fp8_seeds[] = {
    {"\"quant_method\": \"fp8\", \"fmt\": \"e4m3\"", false},
    {"\"quant_method\": \"fp8\", \"weight_block_size\": [4, 4]", true},
    {"\"quant_method\": \"compressed-tensors\", \"format\": \"float-quantized\", "
     "\"kv_cache_scheme\": null, \"config_groups\": {\"group_0\": {\"weights\": {\"type\": "
     "\"float\", \"num_bits\": 8, \"strategy\": \"tensor\"}}, \"group_1\": {\"weights\": "
     "{\"type\": \"float\", \"num_bits\": 8, \"strategy\": \"block\", \"block_structure\": "
     "[4, 4]}}}",
     true},
};

enum { FP8_SEEDS = sizeof fp8_seeds / sizeof fp8_seeds[0] };

/* For fuzz_config: a folder of one of fp8_seeds. */
static inline struct bytes seed_fp8_folder(size_t seed)
{
    static const uint32_t of_blocks[2] = {2, 2}, single[2] = {1, 1};
    bool blocks = fp8_seeds[seed].blocks;
    struct bytes all = {0};
    size_t end = 0;

    put_word(&all,
             "{\"model_type\": \"llama\", \"num_hidden_layers\": 1, \"hidden_size\": 8, "
             "\"num_attention_heads\": 1, \"vocab_size\": 16, \"max_position_embeddings\": 32, "
             "\"intermediate_size\": 8, \"tie_word_embeddings\": true, "
             "\"quantization_config\": {");
    put_word(&all, fp8_seeds[seed].config);
    put_word(&all, "}}");
    put(&all, "\0", 2);
    put_word(&all, "{");
    for (size_t i = 0; i < LLAMA_TENSORS; i++) {
        const struct tensor_plan *plan = &llama_tensors[i];
        bool is_fp8 = strstr(plan->name, "_proj.");

        put_entry(&all, plan->name, "", is_fp8 ? "F8_E4M3" : "BF16", plan->shape, plan->rank,
                  is_fp8 ? 1 : 2, &end);
        if (is_fp8) {
            put_entry(&all, plan->name, blocks ? "_scale_inv" : "_scale", "F32",
                      blocks ? of_blocks : single, blocks ? 2 : 1, 4, &end);
        }
    }
    put_word(&all, "}");
    return all;
}

/* For fuzz_tokenizer_file: the parts that are there, in the order that the target names; of
 * vocab.json and encoder.json what is between the braces. */
struct tokenizer_seed {
    const char *parts[7];
};

#define SEED_TOKENS                                                                                \
    "\"<unk>\": 0, \"a\": 1, \"b\": 2, \"t\": 3, \"h\": 4, \"e\": 5, \"th\": 6, \"the\": 7"
#define SEED_ADDED                                                                                 \
    "\"added_tokens\": [{\"id\": 20, \"content\": \"<s>\", \"special\": true, \"normalized\": "    \
    "false, \"lstrip\": true, \"rstrip\": true, \"single_word\": true}, {\"id\": 21, "             \
    "\"content\": \"<|end|>\", \"special\": false, \"normalized\": true}]"
#define SEED_MODEL(space)                                                                          \
    "\"model\": {\"type\": \"BPE\", \"dropout\": null, \"unk_token\": \"<unk>\", \"fuse_unk\": "   \
    "true, \"ignore_merges\": false, \"byte_fallback\": true, \"vocab\": {" SEED_TOKENS            \
    ", \"" space "\": 8, \"" space                                                                 \
    "the\": 9, \"<0x0A>\": 10}, \"merges\": [\"t h\", [\"th\", \"e\"], "                           \
    "\"" space " the\"]}"
#define SEED_CONFIG                                                                                \
    "{\"bos_token\": \"<s>\", \"eos_token\": {\"content\": \"<|end|>\"}, \"add_bos_token\": true," \
    " \"add_eos_token\": false, \"chat_template\": [{\"name\": \"default\", \"template\": "        \
    "\"{{ messages }}\"}, {\"name\": \"tool_use\", \"template\": \"{{ tools }}\"}]}"

static const struct tokenizer_seed tokenizer_seeds[] = {
    {{"{" SEED_ADDED
      ", \"normalizer\": {\"type\": \"NFC\"}, \"pre_tokenizer\": {\"type\": \"Sequence\", "
      "\"pretokenizers\": [{\"type\": \"Split\", \"pattern\": {\"Regex\": \" ?\\\\p{L}+|\\\\s+\"}, "
      "\"behavior\": \"Isolated\", \"invert\": false}, {\"type\": \"ByteLevel\", "
      "\"add_prefix_space\": false, \"use_regex\": false}]}, \"post_processor\": {\"type\": "
      "\"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"<s>\"}}, {\"Sequence\": "
      "{\"id\": \"A\"}}, {\"SpecialToken\": {\"id\": \"<|end|>\"}}]}, \"decoder\": {\"type\": "
      "\"ByteLevel\"}, " SEED_MODEL("\xC4\xA0") "}",
      SEED_CONFIG}},
    {{"{" SEED_ADDED
      ", \"normalizer\": null, \"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": "
      "[{\"type\": \"Digits\", \"individual_digits\": true}, {\"type\": \"ByteLevel\", "
      "\"add_prefix_space\": false, \"use_regex\": true}]}, \"post_processor\": {\"type\": "
      "\"Sequence\", \"processors\": [{\"type\": \"ByteLevel\"}]}, \"decoder\": {\"type\": "
      "\"Sequence\", \"decoders\": [{\"type\": \"ByteLevel\"}]}, " SEED_MODEL("\xC4\xA0") "}",
      "{\"chat_template\": \"{{ messages[0] }}\"}"}},
    {{"{" SEED_ADDED
      ", \"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Prepend\", "
      "\"prepend\": \"\xE2\x96\x81\"}, {\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, "
      "\"content\": \"\xE2\x96\x81\"}]}, \"pre_tokenizer\": null, \"post_processor\": null, "
      "\"decoder\": {\"type\": \"Sequence\", \"decoders\": [{\"type\": \"Replace\"}, {\"type\": "
      "\"ByteFallback\"}, {\"type\": \"Fuse\"}, {\"type\": \"Strip\"}]}, " SEED_MODEL(
          "\xE2\x96\x81") "}",
      SEED_CONFIG}},
    {{"{" SEED_ADDED ", \"pre_tokenizer\": {\"type\": \"Metaspace\", \"replacement\": "
      "\"\xE2\x96\x81\", \"prepend_scheme\": \"first\", \"split\": true}, \"decoder\": {\"type\": "
      "\"Metaspace\"}, " SEED_MODEL("\xE2\x96\x81") "}",
      NULL, NULL, NULL, NULL, NULL, "{{ messages }}"}},
    {{"{" SEED_ADDED ", \"normalizer\": {\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, "
      "\"content\": \"\xE2\x96\x81\"}, \"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": "
      "{\"String\": \" \"}, \"behavior\": \"MergedWithPrevious\"}, " SEED_MODEL("\xE2\x96\x81") "}",
      NULL}},
    {{"{" SEED_ADDED ", \"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": true, "
      "\"use_regex\": true}, " SEED_MODEL("\xC4\xA0") "}"}},
    {{NULL, SEED_CONFIG, SEED_TOKENS ", \"<s>\": 8, \"<|end|>\": 9, \"<|endoftext|>\": 10",
      "#version: 0.2\nt h\r\nth e\n"}},
    {{NULL, NULL, NULL, NULL, SEED_TOKENS ", \"<|endoftext|>\": 8", "t h\nth e\n"}},
};

enum { TOKENIZER_SEEDS = sizeof tokenizer_seeds / sizeof tokenizer_seeds[0] };

/* vocab.json and encoder.json, which know no unknown token, also have all bytes. */
static inline void put_vocabulary(struct bytes *bytes, const char *tokens)
{
    char text[8], entry[48];

    put_word(bytes, "{");
    for (uint32_t byte = 0; byte < 256; byte++) {
        if (!strchr("abteh", (int)byte) || byte == 0) { /* those of SEED_TOKENS */
            text[dyno_utf8_put(text, dyno_byte_alphabet_point((unsigned char)byte))] = '\0';
            (void)snprintf(entry, sizeof entry, "\"%s%s\": %u, ",
                           strchr("\"\\", (int)byte) && byte ? "\\" : "", text, 100 + byte);
            put_word(bytes, entry);
        }
    }
    put_word(bytes, tokens);
    put_word(bytes, "}");
}

static inline struct bytes seed_tokenizer(size_t which)
{
    struct bytes all = {0};

    for (size_t i = 0; i < 7; i++) {
        const char *part = tokenizer_seeds[which].parts[i];

        if (part && (i == 2 || i == 4)) {
            put_vocabulary(&all, part);
        } else {
            put_word(&all, part ? part : "");
        }
        put(&all, "", i < 6);
    }
    return all;
}

/* config.json alone, of families that are simulated only. */
static const char *const simulated_configs[] = {
#define SEED_SHAPES                                                                                \
    "\"num_hidden_layers\": 4, \"hidden_size\": 32, \"num_attention_heads\": 2, "                  \
    "\"num_key_value_heads\": 1, \"head_dim\": 16, \"vocab_size\": 257, "                          \
    "\"max_position_embeddings\": 64, "
    "{\"model_type\": \"qwen2_moe\", " SEED_SHAPES
    "\"num_experts\": 4, \"num_experts_per_tok\": 2, \"moe_intermediate_size\": 32, "
    "\"decoder_sparse_step\": 2, \"mlp_only_layers\": [1], \"intermediate_size\": 64, "
    "\"shared_expert_intermediate_size\": 64, \"use_sliding_window\": true, \"sliding_window\": "
    "8, \"max_window_layers\": 2}",
    "{\"model_type\": \"gpt_oss\", " SEED_SHAPES
    "\"num_local_experts\": 4, \"experts_per_token\": 2, \"intermediate_size\": 32, "
    "\"sliding_window\": 8, \"layer_types\": [\"sliding_attention\", \"full_attention\", "
    "\"sliding_attention\", \"full_attention\"]}",
    "{\"model_type\": \"deepseek_v3\", " SEED_SHAPES
    "\"q_lora_rank\": 8, \"kv_lora_rank\": 8, \"qk_rope_head_dim\": 4, \"qk_nope_head_dim\": 8, "
    "\"v_head_dim\": 8, \"first_k_dense_replace\": 1, \"moe_layer_freq\": 2, "
    "\"n_shared_experts\": 1, \"n_routed_experts\": 4, \"num_experts_per_tok\": 2, "
    "\"moe_intermediate_size\": 16, \"intermediate_size\": 32}",
};

enum { SIMULATED_CONFIGS = sizeof simulated_configs / sizeof simulated_configs[0] };

#endif
