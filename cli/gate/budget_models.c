#include "cli/gate/budget_models.h"

#include <string.h>
#include <yaml.h>

enum { DEPTH_MAX = 6, PATH_MAX_BYTES = 128 };

static const char begin[] = "budgets.models.";

static void take_path(struct dyno_gate_models *out, const char *path)
{
    const char *name = path + strlen(begin);
    size_t length;

    if (strncmp(path, begin, strlen(begin)) != 0) {
        return;
    }
    length = strcspn(name, ".");
    if (length == 0 || length >= DYNO_SUMMARY_MODEL_MAX || out->count == DYNO_MODELS_MAX) {
        return;
    }
    for (uint32_t i = 0; i < out->count; i++) {
        if (strlen(out->names[i]) == length && strncmp(out->names[i], name, length) == 0) {
            return;
        }
    }
    (void)snprintf(out->names[out->count++], DYNO_SUMMARY_MODEL_MAX, "%.*s", (int)length, name);
}

static void walk(struct dyno_gate_models *out, yaml_document_t *document, yaml_node_t *node,
                 const char *path, int depth)
{
    if (!node || node->type != YAML_MAPPING_NODE || depth == DEPTH_MAX) {
        return;
    }
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = yaml_document_get_node(document, pair->key);
        char below[PATH_MAX_BYTES];

        if (!key || key->type != YAML_SCALAR_NODE) {
            continue;
        }
        (void)snprintf(below, sizeof below, "%s%s%.60s", path, *path ? "." : "",
                       (const char *)key->data.scalar.value);
        take_path(out, below);
        walk(out, document, yaml_document_get_node(document, pair->value), below, depth + 1);
    }
}

void dyno_gate_models_find(struct dyno_gate_models *out, FILE *file)
{
    yaml_document_t document;
    yaml_parser_t parser;

    *out = (struct dyno_gate_models){.count = 0};
    if (!yaml_parser_initialize(&parser)) {
        return;
    }
    yaml_parser_set_input_file(&parser, file);
    if (yaml_parser_load(&parser, &document)) {
        walk(out, &document, yaml_document_get_root_node(&document), "", 0);
        yaml_document_delete(&document);
    }
    yaml_parser_delete(&parser);
}
