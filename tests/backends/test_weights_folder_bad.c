/* Hugging Face directories: each way in which one can be wrong. */
#include "tests/backends/llama_folder.h"

#include "tests/check_main.h"

/* The text with the first `from` replaced by `to`. */
static struct bytes replaced(const struct bytes *text, const char *from, const char *to)
{
    const uint8_t *found = memmem(text->data, text->size, from, strlen(from));
    struct bytes out = {0};

    ck_assert_msg(found != NULL, "'%s' is not there", from);
    put(&out, text->data, (size_t)(found - text->data));
    put_word(&out, to);
    put(&out, found + strlen(from), text->size - (size_t)(found - text->data) - strlen(from));
    return out;
}

/* A llama whose header is changed at one place. */
static void refuse_header(const char *from, const char *to, dyno_status status, const char *part)
{
    struct bytes header = {0}, data = {0}, changed;

    write_text("config.json", plain_config);
    plan_safetensors(&header, &data, llama, LLAMA_TENSORS, DYNO_ELEMENT_F32);
    changed = replaced(&header, from, to);
    write_safetensors("model.safetensors", &changed, &data);
    refuse_folder(status, part);
    release_bytes(&header);
    release_bytes(&data);
    release_bytes(&changed);
}

/* A llama beside which this is suggested. */
static void refuse_suggestion(const char *text, const char *part)
{
    write_text("config.json", plain_config);
    write_llama(DYNO_ELEMENT_F32);
    write_text("generation_config.json", text);
    refuse_folder(DYNO_BAD_INPUT, part);
}

START_TEST(suggestions_that_cannot_be_are_refused)
{
    refuse_suggestion(
        "{\"temperature\": -1}",
        "generation_config.json': \"temperature\" is -1; expected a number from 0 to 100");
    refuse_suggestion("{\"temperature\": \"hot\"}", "\"temperature\"");
    refuse_suggestion("{\"top_p\": 1.5}", "\"top_p\" is 1.5; expected a number from 0 to 1");
    refuse_suggestion("{\"top_k\": 2.5}", "\"top_k\" is 2.5; expected a whole number from 0");
    refuse_suggestion("{\"top_k\": -1}", "\"top_k\" is -1");
    refuse_suggestion("{\"repetition_penalty\": 0}", "\"repetition_penalty\" is 0");
    refuse_suggestion("{\"do_sample\": 1}", "\"do_sample\"");
}
END_TEST

START_TEST(a_header_that_lies_is_refused)
{
    refuse_header("\"shape\":[16,8]", "\"shape\":[8,16]", DYNO_BAD_INPUT,
                  "'model.embed_tokens.weight' has the shape [8, 16] where the configuration "
                  "makes it [16, 8]");
    refuse_header("\"shape\":[16,8]", "\"shape\":[16,9]", DYNO_BAD_INPUT, "are not those of");
    refuse_header("\"shape\":[16,8]", "\"shape\":[4294967296,4294967296]", DYNO_BAD_INPUT,
                  "are not those of");
    refuse_header("\"shape\":[16,8]", "\"shape\":[-16,8]", DYNO_BAD_INPUT, "from 0 on");
    refuse_header("\"shape\":[16,8]", "\"shape\":[1,1,1,16,8]", DYNO_BAD_INPUT, "at most 4");
    refuse_header("\"shape\":[16,8]", "\"shape\":16", DYNO_BAD_INPUT, "\"shape\" must be");
    refuse_header("\"dtype\":\"F32\"", "\"dtype\":\"F31\"", DYNO_UNSUPPORTED, "dtype 'F31'");
    refuse_header("\"dtype\":\"F32\"", "\"dtype\":32", DYNO_BAD_INPUT, "\"dtype\" must be");
    refuse_header("\"dtype\":\"F32\"", "\"dtype\":\"I32\"", DYNO_UNSUPPORTED, "is of type I32");
    refuse_header("[0,512]", "[0,511]", DYNO_BAD_INPUT, "are not those of");
    refuse_header("[0,512]", "[512,0]", DYNO_BAD_INPUT, "do not lie in order");
    refuse_header("[0,512]", "[-512,0]", DYNO_BAD_INPUT, "do not lie in order");
    refuse_header("[0,512]", "[0,9223372036854775807]", DYNO_BAD_INPUT, "do not lie in order");
    refuse_header("[0,512]", "[0,9223372036854775808]", DYNO_BAD_INPUT, "not JSON");
    refuse_header("[0,512]", "[0]", DYNO_BAD_INPUT, "two whole numbers");
    refuse_header("[0,512]", "[32,544]", DYNO_BAD_INPUT, "without holes");
    refuse_header("[512,544]", "[0,32]", DYNO_BAD_INPUT, "without overlapping");
    refuse_header("\"lm_head.weight\":{", "\"lm_head.weight\":[{", DYNO_BAD_INPUT, "not JSON");
    refuse_header("{\"__metadata__\"", "[\"__metadata__\"", DYNO_BAD_INPUT, "not JSON");
}
END_TEST

START_TEST(tensors_that_are_missing_or_more_are_named)
{
    refuse_header("layers.1.mlp.up_proj", "layers.1.mlp.up_prox", DYNO_BAD_INPUT,
                  "lacks the tensor 'model.layers.1.mlp.up_proj.weight' of shape [12, 8]");
    refuse_header("layers.1.mlp.up_proj", "layers.0.mlp.up_proj", DYNO_BAD_INPUT, "duplicate");
    refuse_header("\"lm_head.weight\"", "\"lm_heat.weight\"", DYNO_BAD_INPUT,
                  "lacks the tensor 'lm_head.weight'");
    write_text("config.json", "{\"model_type\": \"llama\", \"num_hidden_layers\": 1,"
                              "\"hidden_size\": 8, \"num_attention_heads\": 2,"
                              "\"num_key_value_heads\": 1, \"vocab_size\": 16,"
                              "\"max_position_embeddings\": 32, \"intermediate_size\": 12}");
    write_llama(DYNO_ELEMENT_F32);
    refuse_folder(DYNO_BAD_INPUT, "'model.layers.1.input_layernorm.weight' has no place");
}
END_TEST

static void write_length(uint64_t length, size_t bytes)
{
    struct bytes file = {0};

    put_u64(&file, length);
    write_bytes("model.safetensors", file.data, bytes);
    release_bytes(&file);
}

START_TEST(a_header_that_does_not_fit_is_refused)
{
    write_text("config.json", plain_config);
    write_length(0, 3);
    refuse_folder(DYNO_BAD_INPUT, "too short");
    write_length(0, 8);
    refuse_folder(DYNO_BAD_INPUT, "not JSON");
    write_length(1, 8);
    refuse_folder(DYNO_BAD_INPUT, "a header of 1 bytes in a file of 8");
    write_length(UINT64_MAX, 8);
    refuse_folder(DYNO_BAD_INPUT, "18446744073709551615");
    write_length(UINT64_C(1) << 63, 8);
    refuse_folder(DYNO_BAD_INPUT, "9223372036854775808");
    write_bytes("model.safetensors", "", 0);
    refuse_folder(DYNO_BAD_INPUT, "is empty");
}
END_TEST

/* A hundred thousand brackets: refused by depth, not by a crash. */
START_TEST(a_deep_header_is_refused)
{
    enum { DEPTH = 100000 };
    struct bytes header = {0}, data = {0};

    for (int i = 0; i < DEPTH; i++) {
        put_word(&header, "{\"a\":");
    }
    write_text("config.json", plain_config);
    write_safetensors("model.safetensors", &header, &(struct bytes){.data = (uint8_t *)"", 0, 0});
    refuse_folder(DYNO_BAD_INPUT, "maximum parsing depth");
    write_bytes("config.json", header.data, header.size);
    refuse_folder(DYNO_BAD_INPUT, "maximum parsing depth");
    release_bytes(&header);
    release_bytes(&data);
}
END_TEST

START_TEST(bytes_that_follow_are_refused)
{
    struct bytes header = {0}, data = {0};

    write_text("config.json", plain_config);
    plan_safetensors(&header, &data, llama, LLAMA_TENSORS, DYNO_ELEMENT_F32);
    put_word(&data, "more");
    write_safetensors("model.safetensors", &header, &data);
    refuse_folder(DYNO_BAD_INPUT, "nothing may follow");
    data.size -= 5;
    write_safetensors("model.safetensors", &header, &data);
    refuse_folder(DYNO_BAD_INPUT, "cut short");
    release_bytes(&header);
    release_bytes(&data);
}
END_TEST

/* Infinity and NaN of each type, in the first and the last element of lm_head. */
START_TEST(weights_that_are_not_finite_are_refused)
{
    static const uint16_t bad[3][2] = {{0, 0}, {0x7c00, 0xfe01}, {0x7f80, 0xff81}};
    enum dyno_element element = (enum dyno_element)_i;
    size_t unit = dyno_row_bytes(element, 1);

    for (int which = 0; which < 2; which++) {
        struct bytes header = {0}, data = {0};
        uint32_t wide = which ? 0xffc00000 : 0x7f800000;
        size_t place;

        plan_safetensors(&header, &data, llama, LLAMA_TENSORS, element);
        place = which ? data.size - unit : data.size - 128 * unit;
        memcpy(data.data + place, unit == 4 ? (const void *)&wide : &bad[element][which], unit);
        write_text("config.json", plain_config);
        write_safetensors("model.safetensors", &header, &data);
        refuse_folder(DYNO_BAD_INPUT, which ? "element 127 of tensor 'lm_head.weight' is infinite"
                                            : "element 0 of tensor 'lm_head.weight' is infinite");
        release_bytes(&header);
        release_bytes(&data);
    }
}
END_TEST

START_TEST(an_index_that_lies_is_refused)
{
    write_text("config.json", plain_config);
    refuse_folder(DYNO_NOT_FOUND, "neither model.safetensors nor");
    write_part("a.safetensors", 0, 10);
    write_part("b.safetensors", 10, LLAMA_TENSORS - 10);
    write_index("a.safetensors");
    refuse_folder(DYNO_BAD_INPUT, "places tensor 'lm_head.weight' in 'a.safetensors'");
    write_index("../a.safetensors");
    refuse_folder(DYNO_BAD_INPUT, "must name a file of the same folder");
    write_index("c.safetensors");
    refuse_folder(DYNO_NOT_FOUND, "c.safetensors");
    write_part("b.safetensors", 9, LLAMA_TENSORS - 9);
    write_index("b.safetensors");
    refuse_folder(DYNO_BAD_INPUT, "is there twice");
    write_text("model.safetensors.index.json", "{\"weight_map\": {\"a\": 1}}");
    refuse_folder(DYNO_BAD_INPUT, "must name a file");
    write_text("model.safetensors.index.json", "{}");
    refuse_folder(DYNO_BAD_INPUT, "model.safetensors.index.json' has no \"weight_map\"");
    write_text("model.safetensors.index.json", "{\"weight_map\":");
    refuse_folder(DYNO_BAD_INPUT, "model.safetensors.index.json', line 1, column 14: unexpected");
    write_text("model.safetensors.index.json", "{\"weight_map\": [1]}");
    refuse_folder(DYNO_BAD_INPUT, "model.safetensors.index.json': \"weight_map\" is an array");
}
END_TEST

/* A sparse file of 2^43 bytes: no machine that runs this test holds it in memory. */
START_TEST(a_model_larger_than_memory_is_refused)
{
    struct bytes header = {0}, data = {0};

    write_text("config.json", plain_config);
    plan_safetensors(&header, &data, llama, LLAMA_TENSORS, DYNO_ELEMENT_F32);
    write_safetensors("model.safetensors", &header, &data);
    release_bytes(&header);
    release_bytes(&data);
    if (truncate(model_path("model.safetensors"), (off_t)1 << 43) != 0) {
        return; /* the file system has no room for a hole of that size */
    }
    refuse_folder(DYNO_NO_MEMORY, "of memory may be used");
}
END_TEST

static void refuse_config(const char *more, dyno_status status, const char *part)
{
    char text[1024];

    (void)snprintf(text, sizeof text, "{\"model_type\": \"llama\", " SHAPES ", %s}", more);
    write_text("config.json", text);
    write_llama(DYNO_ELEMENT_F32);
    refuse_folder(status, part);
}

START_TEST(what_is_not_computed_is_refused_by_name)
{
    refuse_config("\"hidden_act\": \"relu\"", DYNO_UNSUPPORTED, "\"hidden_act\" is 'relu'");
    refuse_config("\"rope_scaling\": {\"rope_type\": \"longrope\", \"factor\": 4.0}",
                  DYNO_UNSUPPORTED, "\"rope_type\" is 'longrope'");
    refuse_config("\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 4.0}", DYNO_UNSUPPORTED,
                  "'dynamic'");
    refuse_config("\"rope_scaling\": {\"type\": \"linear\", \"factor\": 0}", DYNO_BAD_INPUT,
                  "\"factor\" is 0");
    refuse_config("\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0,"
                  "\"low_freq_factor\": 4.0, \"high_freq_factor\": 4.0}",
                  DYNO_BAD_INPUT, "not above low_freq_factor");
    refuse_config("\"rope_theta\": -1", DYNO_BAD_INPUT, "\"rope_theta\" is -1");
    refuse_config("\"rope_theta\": \"big\"", DYNO_BAD_INPUT, "where a number is expected");
    refuse_config("\"partial_rotary_factor\": 0.5", DYNO_UNSUPPORTED, "partial_rotary_factor");
    refuse_config("\"mlp_bias\": true", DYNO_UNSUPPORTED, "\"mlp_bias\"");
    refuse_config("\"rms_norm_eps\": 0", DYNO_BAD_INPUT, "\"rms_norm_eps\" is 0");
    refuse_config("\"quantization_config\": {\"quant_method\": \"gptq\"}", DYNO_UNSUPPORTED,
                  "\"quant_method\" is 'gptq'");
    refuse_config("\"eos_token_id\": 16", DYNO_BAD_INPUT, "none of the 16 tokens");
    refuse_config("\"eos_token_id\": [1, \"x\"]", DYNO_BAD_INPUT, "\"eos_token_id\" must be");
    refuse_config("\"eos_token_id\": [0,1,2,3,4,5,6,7,8]", DYNO_UNSUPPORTED, "more than 8");
    refuse_config("\"attention_bias\": true", DYNO_BAD_INPUT,
                  "lacks the tensor 'model.layers.0.self_attn.q_proj.bias'");
    write_text("config.json", "{\"model_type\": \"gpt_oss\"}");
    refuse_folder(DYNO_BAD_INPUT, "\"num_hidden_layers\" is missing");
    write_text("config.json", "{\"model_type\": \"qwen2_moe\", " SHAPES
                              ", \"num_experts\": 2, \"num_experts_per_tok\": 1,"
                              "\"moe_intermediate_size\": 4,"
                              "\"shared_expert_intermediate_size\": 4}");
    refuse_folder(DYNO_UNSUPPORTED, "\"model_type\" is 'qwen2_moe'; what is computed is llama");
}
END_TEST

START_TEST(a_path_that_is_no_model_is_explained)
{
    struct dyno_weights *weights = NULL;
    struct dyno_error error;

    write_llama(DYNO_ELEMENT_F32);
    ck_assert_int_eq(dyno_weights_open(&weights, model_path("model.safetensors"), &error),
                     DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "give the folder"));
    ck_assert_int_eq(dyno_weights_open(&weights, model_path("none"), &error), DYNO_NOT_FOUND);
    ck_assert_int_eq(dyno_weights_open(&weights, "/dev/null", &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "not a regular file"));
    refuse_folder(DYNO_NOT_FOUND, "config.json");
}
END_TEST

/* A checkpoint in a cache is links; one of them led somewhere once. */
START_TEST(a_link_that_leads_nowhere_is_not_passed_over)
{
    write_llama(DYNO_ELEMENT_F32);
    write_text("config.json", plain_config);
    ck_assert_int_eq(symlink("nowhere", model_path("generation_config.json")), 0);
    refuse_folder(DYNO_NOT_FOUND, "/generation_config.json': No such file");
    ck_assert_int_eq(unlink(model_path("generation_config.json")), 0);
    ck_assert_int_eq(unlink(model_path("model.safetensors")), 0);
    ck_assert_int_eq(symlink("model.safetensors", model_path("model.safetensors")), 0);
    refuse_folder(DYNO_IO, "/model.safetensors': Too many levels of symbolic links");
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("folder");

    tcase_add_checked_fixture(tcase, make_model_folder, remove_model_folder);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_header_that_lies_is_refused);
    tcase_add_test(tcase, a_link_that_leads_nowhere_is_not_passed_over);
    tcase_add_test(tcase, suggestions_that_cannot_be_are_refused);
    tcase_add_test(tcase, tensors_that_are_missing_or_more_are_named);
    tcase_add_test(tcase, a_header_that_does_not_fit_is_refused);
    tcase_add_test(tcase, a_deep_header_is_refused);
    tcase_add_test(tcase, bytes_that_follow_are_refused);
    tcase_add_loop_test(tcase, weights_that_are_not_finite_are_refused, 0, 3);
    tcase_add_test(tcase, an_index_that_lies_is_refused);
    tcase_add_test(tcase, a_model_larger_than_memory_is_refused);
    tcase_add_test(tcase, what_is_not_computed_is_refused_by_name);
    tcase_add_test(tcase, a_path_that_is_no_model_is_explained);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("backends/weights_folder_bad", add_cases)
