/* Any bytes as a chat template: a rendering or a refusal of one sentence, never a crash, and always
 * an end. */
#include <assert.h>
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "backends/assets/template/template.h"
#include "core/base/utf8.h"

static const char fuzz_variables[] =
    "{\"messages\": [{\"role\": \"user\", \"content\": \" a\\n\\u00e9 \"}, {\"role\": "
    "\"assistant\", \"content\": null, \"tool_calls\": [{\"function\": {\"name\": \"f\", "
    "\"arguments\": {\"x\": [1, 2.5, true]}}}]}], \"tools\": [{\"type\": \"function\"}], "
    "\"bos_token\": \"<s>\", \"eos_token\": \"</s>\", \"add_generation_prompt\": true, \"n\": 3, "
    "\"f\": -0.5, \"l\": [3, 1, 2], \"e\": []}";

/* How many were rendered so far, and why the last one was not. */
static size_t fuzz_rendered_count;
static struct dyno_error fuzz_error;

static void fuzz_check_error(const struct dyno_error *error)
{
    fuzz_error = *error;
    assert(error->text[0] != '\0' && strlen(error->text) < DYNO_ERROR_TEXT_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static json_t *variables;
    struct dyno_template *template_;
    struct dyno_error error = {.text = ""};
    char *text = malloc(size + 1), *out;
    size_t out_size;

    variables = variables ? variables : json_loads(fuzz_variables, 0, NULL);
    assert(text && variables);
    memcpy(text, data, size);
    text[size] = '\0';
    if (dyno_template_open(&template_, text, &error) != DYNO_OK) {
        fuzz_check_error(&error);
        free(text);
        return 0;
    }
    if (dyno_template_render(template_, variables, 951827696, 0, &out, &out_size, &error) ==
        DYNO_OK) {
        fuzz_rendered_count++;
        assert(dyno_utf8_valid(out, out_size, NULL) == out_size);
        free(out);
    } else {
        fuzz_check_error(&error);
    }
    dyno_template_close(template_);
    free(text);
    return 0;
}
