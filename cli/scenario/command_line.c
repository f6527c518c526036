#include "cli/scenario/command_line.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Append `word` as a shell would take it back: in quotes if it holds anything special. */
static void append_word(char *line, size_t *used, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./,:=+@%";
    bool quoted = word[0] == '\0' || word[strspn(word, plain)] != '\0';

    line[(*used)++] = ' ';
    if (quoted) {
        line[(*used)++] = '\'';
    }
    for (; *word; word++) {
        if (*word == '\'') {
            *used = (size_t)(stpcpy(line + *used, "'\\''") - line);
        } else {
            line[(*used)++] = *word;
        }
    }
    if (quoted) {
        line[(*used)++] = '\'';
    }
}

char *dyno_command_line(int argc, char **argv)
{
    size_t length = sizeof "dyno", used = 4;
    char *line;

    for (int i = 0; i < argc; i++) {
        length += 4 * strlen(argv[i]) + 3;
    }
    line = malloc(length);
    if (!line) {
        return NULL;
    }
    memcpy(line, "dyno", 4);
    for (int i = 0; i < argc; i++) {
        append_word(line, &used, argv[i]);
    }
    line[used] = '\0';
    return line;
}
