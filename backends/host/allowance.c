/* /proc/self/cgroup says which groups this process is in, /proc/self/mountinfo where their folders
 * are:
 *
 *     0::/user.slice/job                            version 2, which has one tree
 *     4:cpu,cpuacct:/job                            version 1, a tree for some controllers
 *     33 24 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw
 *     36 24 0:31 /job /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct
 *
 * The fourth word of a mount is the group that lies at its fifth: in a container often the
 * process's own. */
#include "backends/host/allowance.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/team.h"

enum { WORD_BYTES = 1024 };

#define WORD "%1023s" /* of scanf, into [WORD_BYTES] */

/* A tree of groups, as it is mounted. */
struct tree {
    char top[WORD_BYTES];   /* the group at the mount */
    char place[WORD_BYTES]; /* the mount */
};

/* Opens `path` below `root` to be read; NULL: it is not there. */
static FILE *open_below(const char *root, const char *path)
{
    char whole[PATH_MAX];
    int length = snprintf(whole, sizeof whole, "%s%s", root, path);

    return length < (int)sizeof whole ? fopen(whole, "re") : NULL;
}

/* Whether `word` stands in `list`, whose words are parted by commas. */
static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);

    while (*list) {
        size_t size = strcspn(list, ",\n");

        if (size == length && memcmp(list, word, length) == 0) {
            return true;
        }
        list += size;
        list += *list != '\0';
    }
    return false;
}

/* Whether the line of mountinfo is a tree of version 2 (`controller` NULL) or that one's of
 * version 1. */
static bool is_tree(struct tree *tree, const char *line, const char *controller)
{
    const char *behind = strstr(line, " - ");
    char kind[WORD_BYTES], options[WORD_BYTES];

    return behind && sscanf(line, "%*s %*s %*s " WORD " " WORD, tree->top, tree->place) == 2 &&
           sscanf(behind, " - " WORD " %*s " WORD, kind, options) == 2 &&
           (controller ? strcmp(kind, "cgroup") == 0 && has_word(options, controller)
                       : strcmp(kind, "cgroup2") == 0);
}

static bool find_tree(struct tree *tree, const char *root, const char *controller)
{
    FILE *file = open_below(root, "/proc/self/mountinfo");
    char *line = NULL;
    size_t room = 0;
    bool found = false;

    while (file && !found && getline(&line, &room, file) > 0) {
        found = is_tree(tree, line, controller);
    }
    free(line);
    if (file) {
        (void)fclose(file);
    }
    return found;
}

/* The first two numbers of a group's file; a word that is none, such as "max", is UINT64_MAX, as is
 * what is not there. */
static void read_numbers(uint64_t numbers[2], const char *root, const char *folder,
                         const char *name)
{
    char path[PATH_MAX], line[WORD_BYTES];
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = length < (int)sizeof path ? open_below(root, path) : NULL;
    const char *at = file ? fgets(line, sizeof line, file) : NULL;

    for (int i = 0; i < 2; i++) {
        numbers[i] = UINT64_MAX;
        if (at) {
            at += strspn(at, " ");
            numbers[i] = *at >= '0' && *at <= '9' ? strtoull(at, NULL, 10) : UINT64_MAX;
            at += strcspn(at, " \n");
        }
    }
    if (file) {
        (void)fclose(file);
    }
}

static uint64_t read_number(const char *root, const char *folder, const char *name)
{
    uint64_t numbers[2];

    read_numbers(numbers, root, folder, name);
    return numbers[0];
}

static void lower_memory(struct dyno_allowance *allowance, uint64_t bytes)
{
    allowance->memory_bytes = bytes < allowance->memory_bytes ? bytes : allowance->memory_bytes;
}

static void lower_cores(struct dyno_allowance *allowance, uint64_t quota_us, uint64_t period_us)
{
    uint64_t cores;

    if (quota_us == UINT64_MAX || period_us == UINT64_MAX || period_us == 0) {
        return;
    }
    cores = quota_us / period_us;
    if (cores < allowance->cores) {
        allowance->cores = cores > 0 ? (uint32_t)cores : 1;
    }
}

static void take_unified(struct dyno_allowance *allowance, const char *root, const char *folder)
{
    uint64_t cpu[2];

    lower_memory(allowance, read_number(root, folder, "memory.max"));
    lower_memory(allowance, read_number(root, folder, "memory.high"));
    read_numbers(cpu, root, folder, "cpu.max");
    lower_cores(allowance, cpu[0], cpu[1]);
}

static void take_memory(struct dyno_allowance *allowance, const char *root, const char *folder)
{
    lower_memory(allowance, read_number(root, folder, "memory.limit_in_bytes"));
}

static void take_cpu(struct dyno_allowance *allowance, const char *root, const char *folder)
{
    lower_cores(allowance, read_number(root, folder, "cpu.cfs_quota_us"),
                read_number(root, folder, "cpu.cfs_period_us"));
}

/* Where `group` lies below the mount; the mount itself, if the group lies elsewhere. */
static const char *below_top(const struct tree *tree, const char *group)
{
    size_t length = strcmp(tree->top, "/") == 0 ? 0 : strlen(tree->top);

    if (strncmp(group, tree->top, length) != 0 || (group[length] && group[length] != '/') ||
        strstr(group, "/..")) {
        return "";
    }
    return strcmp(group + length, "/") == 0 ? "" : group + length;
}

/* From the group up to the top of the tree. */
static void climb(struct dyno_allowance *allowance, const char *root, const struct tree *tree,
                  const char *group,
                  void (*take)(struct dyno_allowance *allowance, const char *root,
                               const char *folder))
{
    char folder[PATH_MAX];
    size_t least = strlen(tree->place);
    int length = snprintf(folder, sizeof folder, "%s%s", tree->place, below_top(tree, group));

    if (length >= (int)sizeof folder) {
        return;
    }
    for (;;) {
        char *last = strrchr(folder, '/');

        take(allowance, root, folder);
        if (!last || strlen(folder) <= least) {
            return;
        }
        *last = '\0';
    }
}

/* What one line of /proc/self/cgroup, "NUMBER:CONTROLLERS:GROUP", sets. */
static void take_line(struct dyno_allowance *allowance, const char *root, char *line)
{
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    struct tree tree;

    if (!group) {
        return;
    }
    controllers++;
    *group++ = '\0';
    group[strcspn(group, "\n")] = '\0';
    if (*controllers == '\0' && find_tree(&tree, root, NULL)) {
        climb(allowance, root, &tree, group, take_unified);
    }
    if (has_word(controllers, "memory") && find_tree(&tree, root, "memory")) {
        climb(allowance, root, &tree, group, take_memory);
    }
    if (has_word(controllers, "cpu") && find_tree(&tree, root, "cpu")) {
        climb(allowance, root, &tree, group, take_cpu);
    }
}

void dyno_allowance_of_groups(struct dyno_allowance *out, const char *root)
{
    FILE *file = open_below(root, "/proc/self/cgroup");
    char *line = NULL;
    size_t room = 0;

    *out = (struct dyno_allowance){.memory_bytes = UINT64_MAX, .cores = UINT32_MAX};
    while (file && getline(&line, &room, file) > 0) {
        take_line(out, root, line);
    }
    free(line);
    if (file) {
        (void)fclose(file);
    }
}

uint64_t dyno_allowed_memory_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    struct dyno_allowance allowance;

    dyno_allowance_of_groups(&allowance, "");
    if (pages > 0 && page_bytes > 0) {
        lower_memory(&allowance, (uint64_t)pages * (uint64_t)page_bytes);
    }
    return allowance.memory_bytes;
}

uint32_t dyno_allowed_cores(void)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    struct dyno_allowance allowance;
    cpu_set_t may;

    dyno_allowance_of_groups(&allowance, "");
    if (sched_getaffinity(0, sizeof may, &may) == 0) { /* else there are more than the set holds */
        online = CPU_COUNT(&may);
    }
    online = online > 0 ? online : 1;
    return (uint32_t)online < allowance.cores ? (uint32_t)online : allowance.cores;
}

uint32_t dyno_allowed_team(void)
{
    uint32_t cores = dyno_allowed_cores();

    return cores < DYNO_TEAM_MAX ? cores : DYNO_TEAM_MAX;
}
