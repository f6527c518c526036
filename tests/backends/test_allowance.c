/* What control groups leave to a process, told by small trees of /proc and the groups' folders. */
#include "backends/host/allowance.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/team.h"

#include "tests/check_main.h"

enum { FILES_MAX = 16 };

static char root[sizeof P_tmpdir + 32];
static char files[FILES_MAX][256];
static uint32_t file_count;

static void open_root(void)
{
    (void)snprintf(root, sizeof root, "%s/dyno-host-XXXXXX", P_tmpdir);
    ck_assert_ptr_nonnull(mkdtemp(root));
    file_count = 0;
}

/* The file `path` below the root, and its folders. */
static void put(const char *path, const char *text)
{
    char *whole = files[file_count];
    FILE *file;

    ck_assert_uint_lt(file_count, FILES_MAX);
    file_count++;
    (void)snprintf(whole, sizeof files[0], "%s%s", root, path);
    for (char *at = whole + strlen(root) + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        (void)mkdir(whole, 0700);
        *at = '/';
    }
    file = fopen(whole, "we");
    ck_assert_ptr_nonnull(file);
    (void)fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
}

static void remove_root(void)
{
    while (file_count > 0) {
        char *path = files[--file_count], *last;

        (void)unlink(path);
        while (strlen(path) > strlen(root) && (last = strrchr(path, '/'))) {
            *last = '\0';
            (void)rmdir(path); /* until it has other files */
        }
    }
    ck_assert_int_ne(access(root, F_OK), 0);
}

static struct dyno_allowance allowance(void)
{
    struct dyno_allowance found;

    dyno_allowance_of_groups(&found, root);
    return found;
}

#define UNIFIED "33 24 0:28 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"

START_TEST(nobody_limits_what_no_group_does)
{
    put("/proc/version", "Linux\n");
    ck_assert_uint_eq(allowance().memory_bytes, UINT64_MAX);
    ck_assert_uint_eq(allowance().cores, UINT32_MAX);
    put("/proc/self/cgroup", "0::/job\n");
    ck_assert_uint_eq(allowance().memory_bytes, UINT64_MAX); /* no mount is told */
    put("/proc/self/mountinfo", UNIFIED);
    ck_assert_uint_eq(allowance().memory_bytes, UINT64_MAX); /* nothing is in it */
    put("/sys/fs/cgroup/job/memory.max", "max\n");
    put("/sys/fs/cgroup/job/memory.high", "max\n");
    put("/sys/fs/cgroup/job/cpu.max", "max 100000\n");
    ck_assert_uint_eq(allowance().memory_bytes, UINT64_MAX);
    ck_assert_uint_eq(allowance().cores, UINT32_MAX);
}
END_TEST

START_TEST(the_smallest_limit_on_the_way_up_counts)
{
    put("/proc/self/cgroup", "0::/system.slice/dyno.service/job\n");
    put("/proc/self/mountinfo", "24 1 8:1 / / rw - ext4 /dev/sda1 rw\n" UNIFIED);
    put("/sys/fs/cgroup/system.slice/memory.max", "8589934592\n");
    put("/sys/fs/cgroup/system.slice/cpu.max", "400000 100000\n");
    ck_assert_uint_eq(allowance().memory_bytes, 8589934592);
    ck_assert_uint_eq(allowance().cores, 4);
    put("/sys/fs/cgroup/system.slice/dyno.service/memory.high", "2147483648\n");
    put("/sys/fs/cgroup/system.slice/dyno.service/job/memory.max", "17179869184\n");
    put("/sys/fs/cgroup/system.slice/dyno.service/job/cpu.max", "150000 50000\n");
    ck_assert_uint_eq(allowance().memory_bytes, 2147483648);
    ck_assert_uint_eq(allowance().cores, 3);
    put("/sys/fs/cgroup/other/memory.max", "4096\n"); /* not on the way */
    ck_assert_uint_eq(allowance().memory_bytes, 2147483648);
}
END_TEST

/* 2.9 processors bear two threads that wait for each other; a half bears one. */
START_TEST(of_a_quota_whole_cores_count_and_at_least_one)
{
    put("/proc/self/cgroup", "0::/\n");
    put("/proc/self/mountinfo", UNIFIED);
    put("/sys/fs/cgroup/cpu.max", "290000 100000\n");
    ck_assert_uint_eq(allowance().cores, 2);
    put("/sys/fs/cgroup/cpu.max", "50000 100000\n");
    ck_assert_uint_eq(allowance().cores, 1);
}
END_TEST

/* Version 1 has trees of its own for controllers; in a container the mount is the process's group,
 * though /proc names it as the host does. */
START_TEST(version_1_has_a_tree_for_each)
{
    put("/proc/self/cgroup", "12:name=systemd:/init\n4:cpu,cpuacct:/docker/5af\n"
                             "3:memory:/docker/5af/inner\n0::/elsewhere\n");
    put("/proc/self/mountinfo",
        "36 24 0:31 /docker/5af /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
        "37 24 0:32 /docker/5af /sys/fs/cgroup/memory rw shared:9 - cgroup none rw,memory\n");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"); /* none */
    put("/sys/fs/cgroup/memory/inner/memory.limit_in_bytes", "1073741824\n");
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    ck_assert_uint_eq(allowance().memory_bytes, 1073741824);
    ck_assert_uint_eq(allowance().cores, UINT32_MAX);
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "200000\n");
    ck_assert_uint_eq(allowance().cores, 2);
}
END_TEST

/* A group that lies outside what is mounted: the mount's own limits are what is to be seen. */
START_TEST(a_group_beside_the_mount_has_the_mounts_limits)
{
    put("/proc/self/mountinfo", UNIFIED);
    put("/sys/fs/cgroup/memory.max", "4194304\n");
    put("/sys/memory.max", "4096\n");
    put("/proc/self/cgroup", "0::/../../job\n");
    ck_assert_uint_eq(allowance().memory_bytes, 4194304);
    put("/proc/self/mountinfo", "33 24 0:28 /pod /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    put("/sys/fs/cgroup/er/memory.max", "4096\n");
    put("/proc/self/cgroup", "0::/poder\n");
    ck_assert_uint_eq(allowance().memory_bytes, 4194304);
    put("/proc/self/cgroup", "0::/pod/er\n");
    ck_assert_uint_eq(allowance().memory_bytes, 4096);
}
END_TEST

START_TEST(what_is_no_number_sets_no_limit)
{
    char endless[4096];

    memset(endless, '9', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    put("/proc/self/cgroup", "\n:\n::\n0::\n0:\n0::/a\n");
    put("/proc/self/mountinfo", "\n - \n33 24 - cgroup2\n" UNIFIED);
    put("/sys/fs/cgroup/memory.max", endless);
    put("/sys/fs/cgroup/cpu.max", "100000\n"); /* without a period */
    ck_assert_uint_eq(allowance().memory_bytes, UINT64_MAX);
    ck_assert_uint_eq(allowance().cores, UINT32_MAX);
    put("/sys/fs/cgroup/cpu.max", "100000 0\n");
    ck_assert_uint_eq(allowance().cores, UINT32_MAX);
    put("/sys/fs/cgroup/memory.max", "");
    put("/sys/fs/cgroup/cpu.max", "-1 -1\n");
    ck_assert_uint_eq(allowance().memory_bytes, UINT64_MAX);
    ck_assert_uint_eq(allowance().cores, UINT32_MAX);
}
END_TEST

/* This machine, whatever it is: a thread that may run on one processor has one. */
START_TEST(a_thread_has_the_processors_on_which_it_may_run)
{
    uint32_t cores = dyno_allowed_cores();
    cpu_set_t before, one;
    size_t last = 0;

    ck_assert_uint_gt(dyno_allowed_memory_bytes(), 0);
    ck_assert_uint_ge(cores, 1);
    ck_assert_uint_eq(dyno_allowed_team(), cores < DYNO_TEAM_MAX ? cores : DYNO_TEAM_MAX);
    if (sched_getaffinity(0, sizeof before, &before) != 0) {
        return;
    }
    ck_assert_uint_le(cores, (uint32_t)CPU_COUNT(&before));
    for (size_t i = 0; i < CPU_SETSIZE; i++) {
        last = CPU_ISSET(i, &before) ? i : last;
    }
    CPU_ZERO(&one);
    CPU_SET(last, &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
    ck_assert_uint_eq(dyno_allowed_cores(), 1);
    ck_assert_int_eq(sched_setaffinity(0, sizeof before, &before), 0);
    ck_assert_uint_eq(dyno_allowed_cores(), cores);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *groups = tcase_create("groups"), *machine = tcase_create("machine");

    tcase_add_checked_fixture(groups, open_root, remove_root);
    tcase_add_test(groups, nobody_limits_what_no_group_does);
    tcase_add_test(groups, the_smallest_limit_on_the_way_up_counts);
    tcase_add_test(groups, of_a_quota_whole_cores_count_and_at_least_one);
    tcase_add_test(groups, version_1_has_a_tree_for_each);
    tcase_add_test(groups, a_group_beside_the_mount_has_the_mounts_limits);
    tcase_add_test(groups, what_is_no_number_sets_no_limit);
    suite_add_tcase(suite, groups);
    tcase_add_test(machine, a_thread_has_the_processors_on_which_it_may_run);
    suite_add_tcase(suite, machine);
}

DYNO_CHECK_MAIN("backends/allowance", add_cases)
