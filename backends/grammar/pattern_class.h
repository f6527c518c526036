/* Classes of characters: [a-z], \d, '.'.  For pattern.h's own files. */
#ifndef DYNO_BACKENDS_GRAMMAR_PATTERN_CLASS_H
#define DYNO_BACKENDS_GRAMMAR_PATTERN_CLASS_H

#include <stdbool.h>

#include "backends/grammar/pattern_tree.h"

/* Add a range behind the others. */
dyno_status dyno_class_add(struct dyno_pattern_tree *tree, uint32_t first, uint32_t last);

/* Add what \d, \w, \s, or in capitals their opposite, stand for; false: another letter. */
bool dyno_class_named(struct dyno_pattern_tree *tree, uint32_t letter, dyno_status *status);

/* Make the ranges from `begin` on ascending and apart, and if asked their opposite. */
dyno_status dyno_class_finish(struct dyno_pattern_tree *tree, uint32_t begin, bool opposite);

#endif
