/* Checkpoints of 8 bits: scales of each kind against products by hand, and each way in which they
 * can be wrong. */
#include "kernels/element.h"
#include "kernels/fp8.h"
#include "tests/backends/llama_folder.h"

#include "tests/check_main.h"

enum { BLOCK_ROWS = 3, BLOCK_COLUMNS = 5 };

/* How the scales of a matrix are written. */
struct scales {
    const char *ending, *dtype, *config;
    bool by_row, by_block, bare; /* of rank 0 */
};

static const struct scales kinds[] = {
    {"_scale", "F32", "\"quant_method\": \"fp8\", \"activation_scheme\": \"static\"", .bare = true},
    {"_scale", "BF16", "\"quant_method\": \"fbgemm_fp8\", \"activation_scale_ub\": 1200.0",
     .by_row = true},
    {"_scale_inv", "F32",
     "\"quant_method\": \"fp8\", \"fmt\": \"e4m3\", \"weight_block_size\": [3, 5]",
     .by_block = true},
    {"_scale", "F32",
     "\"quant_method\": \"compressed-tensors\", \"format\": \"float-quantized\", "
     "\"config_groups\": "
     "{\"group_0\": {\"weights\": {\"num_bits\": 8, \"type\": \"float\", \"strategy\": "
     "\"channel\"}}}",
     .by_row = true},
    {"_scale", "F32",
     "\"quant_method\": \"compressed-tensors\", \"config_groups\": {\"g\": {\"weights\": "
     "{\"num_bits\": 8, "
     "\"type\": \"float\", \"strategy\": \"block\", \"block_structure\": [3, 5]}}}",
     .by_block = true},
    {"_scale", "F32",
     "\"quant_method\": \"compressed-tensors\", \"config_groups\": {\"g\": {\"weights\": "
     "{\"num_bits\": 8, "
     "\"type\": \"float\", \"strategy\": \"tensor\"}}}",
     .bare = false},
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* Scale number i of a matrix, which bf16 holds. */
static float scale_at(const char *name, uint64_t i)
{
    return value_at(name, i + 1000) + 1.0F;
}

static uint32_t across(uint32_t side, uint32_t block)
{
    return (side + block - 1) / block;
}

/* Which scale element (row, column) of the matrix has. */
static uint64_t scale_of(const struct scales *kind, const struct tensor_plan *plan, uint32_t row,
                         uint32_t column)
{
    return kind->by_row     ? row
           : kind->by_block ? (uint64_t)(row / BLOCK_ROWS) * across(plan->shape[1], BLOCK_COLUMNS) +
                                  column / BLOCK_COLUMNS
                            : 0;
}

static void tell(struct bytes *header, const char *name, const char *ending, const char *dtype,
                 const char *shape, size_t begin, size_t end)
{
    char text[400];

    (void)snprintf(text, sizeof text,
                   ",\"%s%s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}", name,
                   ending, dtype, shape, begin, end);
    put_word(header, text);
}

static void put_scales(struct bytes *header, struct bytes *data, const struct scales *kind,
                       const struct tensor_plan *plan)
{
    uint32_t rows = kind->by_row ? plan->shape[0] : across(plan->shape[0], BLOCK_ROWS);
    uint32_t columns = kind->by_row ? 1 : across(plan->shape[1], BLOCK_COLUMNS);
    size_t begin = data->size;
    char shape[32] = "1";

    if (!kind->by_row && !kind->by_block) {
        rows = columns = 1;
        shape[kind->bare ? 0 : 1] = '\0';
    } else {
        (void)snprintf(shape, sizeof shape, "%u,%u", rows, columns);
    }
    for (uint32_t i = 0; i < rows * columns; i++) {
        float value = scale_at(plan->name, i);
        uint16_t half = dyno_bf16_of_float(value);

        put(data, strcmp(kind->dtype, "BF16") == 0 ? (const void *)&half : &value,
            strcmp(kind->dtype, "BF16") == 0 ? 2 : 4);
    }
    tell(header, plan->name, kind->ending, kind->dtype, shape, begin, data->size);
}

/* The layers' matrices but for one kind are of e4m3, as in published checkpoints; the rest BF16. */
static bool is_fp8(const struct tensor_plan *plan)
{
    return plan->rank == 2 && strstr(plan->name, "_proj") && !strstr(plan->name, "k_proj");
}

static void write_fp8(const struct scales *kind, const char *without, uint8_t first)
{
    struct bytes header = {0}, data = {0};
    char shape[32], text[1024];

    put_word(&header, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t i = 0; i < LLAMA_TENSORS; i++) {
        const struct tensor_plan *plan = &llama[i];
        size_t begin = data.size;

        (void)snprintf(shape, sizeof shape, plan->rank > 1 ? "%u,%u" : "%u", plan->shape[0],
                       plan->shape[1]);
        for (uint64_t j = 0; j < plan_elements(plan); j++) {
            uint8_t byte = j == 0 && first ? first : dyno_e4m3_of_float(value_at(plan->name, j));

            if (is_fp8(plan)) {
                put(&data, &byte, 1);
            } else {
                put_value(&data, DYNO_ELEMENT_BF16, plan->name, j);
            }
        }
        tell(&header, plan->name, "", is_fp8(plan) ? "F8_E4M3" : "BF16", shape, begin, data.size);
        if (is_fp8(plan) && (!without || !strstr(plan->name, without))) {
            put_scales(&header, &data, kind, plan);
        }
    }
    put_word(&header, "}");
    write_safetensors("model.safetensors", &header, &data);
    release_bytes(&header);
    release_bytes(&data);
    (void)snprintf(text, sizeof text,
                   "{\"model_type\": \"llama\", " SHAPES ", \"quantization_config\": {%s}}",
                   kind->config);
    write_text("config.json", text);
}

static void expect_matrix(const struct scales *kind, const struct dyno_matrix *matrix,
                          const struct tensor_plan *plan)
{
    float row[16];

    ck_assert_int_eq((int)matrix->element, DYNO_ELEMENT_BF16);
    for (uint32_t r = 0; r < matrix->rows; r++) {
        dyno_matrix_read(matrix, r, 0, matrix->columns, row);
        for (uint32_t c = 0; c < matrix->columns; c++) {
            float value = value_at(plan->name, (uint64_t)r * matrix->columns + c);
            float due = is_fp8(plan) ? dyno_e4m3_to_float(dyno_e4m3_of_float(value)) *
                                           scale_at(plan->name, scale_of(kind, plan, r, c))
                                     : value;

            ck_assert_msg(row[c] == dyno_bf16_to_float(dyno_bf16_of_float(due)),
                          "%s [%u, %u] is %g, not %g", plan->name, r, c, (double)row[c],
                          (double)due);
        }
    }
}

START_TEST(matrices_are_multiplied_by_their_scales)
{
    struct dyno_weights *weights;

    write_fp8(&kinds[_i], NULL, 0);
    weights = open_folder();
    for (uint32_t i = 0; i < 2; i++) {
        const struct dyno_layer_weights *layer = &weights->layers[i];
        const struct tensor_plan *plans = &llama[1 + i * 9];

        expect_matrix(&kinds[_i], &layer->query, &plans[1]);
        expect_matrix(&kinds[_i], &layer->key, &plans[2]);
        expect_matrix(&kinds[_i], &layer->output, &plans[4]);
        expect_matrix(&kinds[_i], &layer->gate, &plans[6]);
        expect_matrix(&kinds[_i], &layer->down, &plans[8]);
    }
    dyno_weights_close(weights);
}
END_TEST

static void expect_narrow(const struct dyno_weights *weights, const struct scales *kind,
                          const struct dyno_matrix *matrix, const struct tensor_plan *plan)
{
    uint32_t first = plan->shape[0] / 2, row = UINT32_MAX;
    struct dyno_matrix part = *matrix; /* from `first` on */
    const struct dyno_narrow *narrow;

    part.rows = 1;
    part.data = (const uint16_t *)matrix->data + (size_t)first * matrix->columns;
    narrow = dyno_weights_narrow(weights, &part, &row);
    ck_assert_ptr_nonnull(narrow);
    ck_assert_uint_eq(row, first);
    ck_assert_ptr_eq(narrow, dyno_weights_narrow(weights, matrix, &row));
    ck_assert_uint_eq(row, 0);
    for (uint32_t i = 0; i < matrix->rows * matrix->columns; i++) {
        uint32_t r = i / matrix->columns, c = i % matrix->columns;
        uint32_t groups = across(narrow->columns, narrow->block_columns);
        float scale = narrow->scale[r / narrow->block_rows * groups + c / narrow->block_columns];

        ck_assert_uint_eq(narrow->narrow[i], dyno_e4m3_of_float(value_at(plan->name, i)));
        ck_assert(scale == scale_at(plan->name, scale_of(kind, plan, r, c)));
    }
    part.rows = matrix->rows;
    ck_assert_ptr_null(dyno_weights_narrow(weights, &part, &row)); /* it goes past the end */
}

START_TEST(what_they_were_is_known_beside_them)
{
    struct dyno_weights *weights;
    uint32_t row;

    write_fp8(&kinds[_i], NULL, 0);
    weights = open_folder();
    for (uint32_t i = 0; i < 2; i++) {
        const struct dyno_layer_weights *layer = &weights->layers[i];
        const struct tensor_plan *plans = &llama[1 + i * 9];

        expect_narrow(weights, &kinds[_i], &layer->query, &plans[1]);
        expect_narrow(weights, &kinds[_i], &layer->output, &plans[4]);
        expect_narrow(weights, &kinds[_i], &layer->down, &plans[8]);
        ck_assert_ptr_null(dyno_weights_narrow(weights, &layer->key, &row)); /* it was bf16 */
    }
    ck_assert_ptr_null(dyno_weights_narrow(weights, &weights->embedding, &row));
    dyno_weights_close(weights);
}
END_TEST

START_TEST(scales_that_are_wrong_are_refused)
{
    struct scales kind = kinds[2];

    write_fp8(&kind, "1.mlp.down", 0);
    refuse_folder(DYNO_BAD_INPUT, "'model.layers.1.mlp.down_proj.weight' of shape [8, 12] is of "
                                  "e4m3 and has no scale");
    kind.config = "\"quant_method\": \"fp8\", \"weight_block_size\": [4, 5]";
    write_fp8(&kind, NULL, 0);
    refuse_folder(DYNO_BAD_INPUT, "does not fit its matrix: one scale, one a row or one a block");
    kind.config = "\"quant_method\": \"fp8\"";
    write_fp8(&kind, NULL, 0);
    refuse_folder(DYNO_BAD_INPUT, "does not fit its matrix: one scale or one a row");
    write_fp8(&kinds[0], NULL, 0x7f); /* not a number */
    refuse_folder(DYNO_BAD_INPUT, "element 0 of tensor 'model.layers.0.mlp.down_proj.weight' is "
                                  "infinite or not a number");
    write_fp8(&kinds[0], NULL, 0);
    write_text("config.json", plain_config);
    refuse_folder(DYNO_UNSUPPORTED, "is of type F8_E4M3");
}
END_TEST

static void refuse_method(const char *config, dyno_status status, const char *part)
{
    struct scales kind = kinds[0];

    kind.config = config;
    write_fp8(&kind, NULL, 0);
    refuse_folder(status, part);
}

#define GROUP(weights)                                                                             \
    "\"quant_method\": \"compressed-tensors\", \"config_groups\": {\"g\": {\"weights\": {" weights \
    "}}}"

START_TEST(other_methods_are_refused_by_name)
{
    refuse_method("\"quant_method\": \"awq\"", DYNO_UNSUPPORTED, "\"quant_method\" is 'awq'");
    refuse_method("\"bits\": 4", DYNO_UNSUPPORTED, "\"quant_method\" is ''");
    refuse_method("\"quant_method\": \"fp8\", \"fmt\": \"e5m2\"", DYNO_UNSUPPORTED, "'e5m2'");
    refuse_method("\"quant_method\": \"fp8\", \"weight_block_size\": [128]", DYNO_BAD_INPUT,
                  "\"weight_block_size\" must be two whole numbers");
    refuse_method("\"quant_method\": \"fp8\", \"weight_block_size\": [0, 128]", DYNO_BAD_INPUT,
                  "\"weight_block_size\" must be two whole numbers");
    refuse_method(GROUP("\"num_bits\": 4, \"type\": \"int\""), DYNO_UNSUPPORTED,
                  "floats of 8 bits");
    refuse_method(GROUP("\"num_bits\": 8, \"type\": \"int\""), DYNO_UNSUPPORTED,
                  "floats of 8 bits");
    refuse_method(GROUP("\"num_bits\": 8, \"type\": \"float\", \"strategy\": \"group\""),
                  DYNO_UNSUPPORTED, "\"strategy\" is 'group'");
    refuse_method("\"quant_method\": \"compressed-tensors\", \"format\": \"pack-quantized\"",
                  DYNO_UNSUPPORTED, "'pack-quantized'");
    refuse_method(
        "\"quant_method\": \"compressed-tensors\", \"kv_cache_scheme\": {\"num_bits\": 8}",
        DYNO_UNSUPPORTED, "\"kv_cache_scheme\"");
    refuse_method("\"quant_method\": \"compressed-tensors\", \"config_groups\": {\"g\": {}}",
                  DYNO_UNSUPPORTED, "\"weights\" is 'absent'");
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("fp8");

    tcase_add_checked_fixture(tcase, make_model_folder, remove_model_folder);
    tcase_add_loop_test(tcase, matrices_are_multiplied_by_their_scales, 0, KINDS);
    tcase_add_loop_test(tcase, what_they_were_is_known_beside_them, 0, KINDS);
    tcase_add_test(tcase, scales_that_are_wrong_are_refused);
    tcase_add_test(tcase, other_methods_are_refused_by_name);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("backends/weights_fp8", add_cases)
