/* Writes a corpus for each fuzz target of models, tokenizers and templates: FOLDER/TARGET/..., and
 * the words of its formats as FOLDER/TARGET.dict, for libFuzzer's -dict.
 *
 * usage: fuzz_seeds FOLDER */
#include "tests/fuzz/model_seeds.h"
#include "tests/fuzz/template_seeds.h"

static const char *corpora;

static void make_folder(const char *path)
{
    if (mkdir(path, 0777) != 0 && access(path, W_OK) != 0) {
        (void)fprintf(stderr, "fuzz_seeds: cannot make the folder %s\n", path);
        exit(EXIT_FAILURE);
    }
}

static FILE *create(const char *target, const char *name)
{
    char path[4096];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s%s%s", corpora, target, *name == '.' ? "" : "/", name);
    file = fopen(path, "wb");
    if (!file) {
        (void)fprintf(stderr, "fuzz_seeds: cannot write %s\n", path);
        exit(EXIT_FAILURE);
    }
    return file;
}

static void keep(const char *target, size_t number, struct bytes bytes)
{
    char name[32], folder[4096];
    FILE *file;

    (void)snprintf(folder, sizeof folder, "%s/%s", corpora, target);
    make_folder(folder);
    (void)snprintf(name, sizeof name, "seed-%zu", number);
    file = create(target, name);
    if (fwrite(bytes.data, 1, bytes.size, file) != bytes.size || fclose(file) != 0) {
        (void)fprintf(stderr, "fuzz_seeds: %s is not written whole\n", name);
        exit(EXIT_FAILURE);
    }
    release_bytes(&bytes);
}

static struct bytes text_bytes(const char *text)
{
    struct bytes bytes = {0};

    put_word(&bytes, text);
    return bytes;
}

static void keep_models(void)
{
    size_t folders = 0, ggufs = 0;

    for (size_t family = 0; family < FAMILY_SHAPES; family++) {
        for (int element = 0; element < DYNO_ELEMENTS; element++) {
            keep("fuzz_gguf", ggufs++, seed_gguf(family, (enum dyno_element)element));
        }
        for (int parted = 0; parted < 2; parted++) {
            keep("fuzz_config", folders++,
                 seed_folder(family, (enum dyno_element)(family % 3), parted));
        }
    }
    for (size_t i = 0; i < SIMULATED_CONFIGS; i++) {
        keep("fuzz_config", folders++, text_bytes(simulated_configs[i]));
    }
    for (int i = 0; i < 2; i++) {
        keep("fuzz_gguf", ggufs++, seed_gguf_vocabulary(i));
        keep("fuzz_safetensors", (size_t)i, seed_safetensors(i));
        keep("fuzz_llama2c", (size_t)i, seed_llama2c(i));
    }
    for (size_t i = 0; i < FP8_SEEDS; i++) {
        keep("fuzz_config", folders++, seed_fp8_folder(i));
    }
    keep("fuzz_llama2c", 2, seed_llama2c_int8());
    keep("fuzz_llama2c", 3, seed_llama2c_tokenizer());
}

/* The words between quotes and between other signs of the seeds themselves: keys, types, names. */
static bool is_of_word(char letter)
{
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || letter == '_' ||
           letter == '.';
}

static void keep_words(FILE *file, const uint8_t *text, size_t size)
{
    for (size_t at = 0, end; at < size; at = end + 1) {
        for (end = at; end < size && is_of_word((char)text[end]); end++) {
        }
        if (end - at >= 2 && end - at <= 48) {
            (void)fprintf(file, "\"%.*s\"\n", (int)(end - at), (const char *)text + at);
        }
    }
}

/* Words that no seed has: other values of the keys that are in them. */
static const char more_words[] =
    "rope_parameters rope_type linear llama3 default yarn factor low_freq_factor high_freq_factor "
    "original_max_position_embeddings partial_rotary_factor sliding_attention full_attention "
    "layer_types max_window_layers use_sliding_window sliding_window quantization_config mlp_bias "
    "do_sample temperature top_k top_p min_p repetition_penalty hidden_act swish gelu_new "
    "activation_function scale_attn_weights scale_attn_by_inverse_layer_idx eos_token_id F32 F16 "
    "BF16 F64 I64 F8_E4M3 BOOL __metadata__ weight_map rope.scaling.type rope.scaling.factor "
    "general.alignment general.name attention.sliding_window rope_freqs.weight "
    "rope.dimension_count attention.value_length expert_feed_forward_length output.weight "
    "blk.0.attn_q.bias lm_head.weight add_prefix_space prepend_scheme always never";

static void keep_dictionary(const char *target, const struct bytes *seeds, size_t count)
{
    FILE *file = create(target, ".dict");

    for (size_t i = 0; i < count; i++) {
        keep_words(file, seeds[i].data, seeds[i].size);
    }
    keep_words(file, (const uint8_t *)more_words, sizeof more_words - 1);
    (void)fprintf(file, "\"\\x00\"\n\"true\"\n\"null\"\n\"-1\"\n\"4294967296\"\n\"1e308\"\n");
    if (fclose(file) != 0) {
        exit(EXIT_FAILURE);
    }
}

static void keep_dictionaries(void)
{
    struct bytes folder = seed_folder(3, DYNO_ELEMENT_BF16, true);
    struct bytes experts = seed_folder(6, DYNO_ELEMENT_BF16, false);
    struct bytes gguf = seed_gguf(6, DYNO_ELEMENT_F32), words = {0};

    for (size_t i = 0; i < TOKENIZER_SEEDS; i++) {
        struct bytes one = seed_tokenizer(i);

        put(&words, one.data, one.size);
        release_bytes(&one);
    }
    keep_dictionary("fuzz_config", (const struct bytes[]){folder, experts}, 2);
    keep_dictionary("fuzz_safetensors", &folder, 1);
    keep_dictionary("fuzz_gguf", &gguf, 1);
    keep_dictionary("fuzz_tokenizer_file", &words, 1);
    release_bytes(&words);
    for (size_t i = 0; i < TEMPLATE_SEEDS; i++) {
        put_word(&words, template_seeds[i]);
    }
    keep_dictionary("fuzz_template", &words, 1);
    release_bytes(&folder);
    release_bytes(&experts);
    release_bytes(&gguf);
    release_bytes(&words);
}

/* A test, because that is where Check's assertions, which the makers of the seeds use, work. */
START_TEST(corpora_are_written)
{
    keep_models();
    for (size_t i = 0; i < TOKENIZER_SEEDS; i++) {
        keep("fuzz_tokenizer_file", i, seed_tokenizer(i));
    }
    for (size_t i = 0; i < TEMPLATE_SEEDS; i++) {
        keep("fuzz_template", i, text_bytes(template_seeds[i]));
    }
    keep_dictionaries();
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("fuzz_seeds");
    TCase *tcase = tcase_create("fuzz_seeds");
    SRunner *runner = srunner_create(suite);
    int failed;

    if (argc != 2) {
        (void)fprintf(stderr, "usage: fuzz_seeds FOLDER\n");
        return EXIT_FAILURE;
    }
    corpora = argv[1];
    make_folder(corpora);
    tcase_add_test(tcase, corpora_are_written);
    suite_add_tcase(suite, tcase);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
