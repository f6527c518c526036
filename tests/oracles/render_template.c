/* Renders chat templates for comparison: each line of the input is
 * {"template": text, "variables": {..}, "now": seconds}, each line of the output
 * {"text": rendered} or {"error": sentence}. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "backends/assets/template/template.h"

static json_t *render(const json_t *request)
{
    const char *text = json_string_value(json_object_get(request, "template"));
    struct dyno_template *template_ = NULL;
    struct dyno_error error;
    json_t *answer;
    char *out = NULL;
    size_t size;

    if (!text || dyno_template_open(&template_, text, &error) != DYNO_OK ||
        dyno_template_render(template_, json_object_get(request, "variables"),
                             json_integer_value(json_object_get(request, "now")), 0, &out, &size,
                             &error) != DYNO_OK) {
        dyno_template_close(template_);
        return json_pack("{ss}", "error", text ? error.text : "no template");
    }
    dyno_template_close(template_);
    answer = json_pack("{ss%}", "text", out, size);
    free(out);
    return answer;
}

int main(void)
{
    char *line = NULL;
    size_t capacity = 0;

    while (getline(&line, &capacity, stdin) > 0) {
        json_t *request = json_loads(line, JSON_ALLOW_NUL, NULL);
        json_t *answer = request ? render(request) : json_pack("{ss}", "error", "no JSON");

        if (!answer) {
            answer = json_pack("{ss}", "error", "the text is no JSON string");
        }
        (void)json_dumpf(answer, stdout, JSON_COMPACT);
        (void)putchar('\n');
        json_decref(answer);
        json_decref(request);
    }
    free(line);
    return EXIT_SUCCESS;
}
