/* The recording's files: whole lines of one salt, whatever happens. */
#include "tests/traces/recording_rig.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/check_main.h"

START_TEST(the_same_salt_goes_on_in_the_same_file)
{
    struct dyno_recording_config config = config_with(SECRET);
    struct haul haul;

    record_sharing(&config);
    config.started_at_ns += 60 * DYNO_S;
    record_sharing(&config);
    ck_assert(!is_there(".1"));
    read_file(&haul, path, 16);
    ck_assert_uint_eq(haul.count, 6);
    ck_assert_uint_eq(haul.items[3].spans[4].id, haul.items[0].spans[4].id); /* a minute later */
    haul_release(&haul);
}
END_TEST

START_TEST(another_salt_begins_another_file)
{
    struct dyno_recording_config config = config_with(SECRET);
    struct haul haul;

    record_sharing(&config);
    config.salt = NULL;
    record_sharing(&config);
    ck_assert(is_there(".1") && !is_there(".2"));
    record_sharing(&config); /* chance does not come twice */
    ck_assert(is_there(".2"));
    read_file(&haul, path, 16);
    ck_assert_uint_eq(haul.count, 3);
    haul_release(&haul);
    ck_assert_uint_eq(lines_of(".2"), 3);
    config.salt = SECRET;
    config.block_tokens = 32; /* so does another size of blocks */
    record_sharing(&config);
    ck_assert(is_there(".3"));
}
END_TEST

START_TEST(what_is_no_recording_is_not_touched)
{
    static const char *const others[] = {
        "{\"timestamp\": 1, \"input_length\": 5, \"output_length\": 1}\n",
        "hello\n",
        "{\"timestamp\": 1",
        "\n",
    };
    struct dyno_recording_config config = config_with(SECRET);

    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        FILE *file = fopen(path, "w");
        char *text;

        fputs(others[i], file);
        fclose(file);
        refuse_with(&config, DYNO_BAD_INPUT, "is no recording of dyno's; choose another file");
        text = slurp(path);
        ck_assert_str_eq(text, others[i]);
        free(text);
    }
    ck_assert(!is_there(".1"));
}
END_TEST

START_TEST(only_a_file_is_recorded_into_and_by_one_at_a_time)
{
    struct dyno_recording_config config = config_with(SECRET), other = config;
    struct dyno_recording *recording;

    other.path = folder;
    refuse_with(&other, DYNO_IO, "cannot be opened");
    other.path = "/dev/null";
    refuse_with(&other, DYNO_BAD_INPUT, "is not a file");
    other.path = "/nowhere/at/all";
    refuse_with(&other, DYNO_IO, "No such file");
    recording = open_with(&config);
    refuse_with(&config, DYNO_IO, "another program records into it");
    (void)close_all(recording);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    refuse_with(&config, DYNO_BAD_INPUT, "is not a file");
}
END_TEST

/* Cut the file at every byte of its last line, as a kill within a write does. */
START_TEST(a_torn_line_is_cut_off_before_it_is_gone_on_with)
{
    struct dyno_recording_config config = config_with(SECRET);
    char *text;
    size_t size, first;

    ck_assert_uint_eq(record_many(&config, 2).recorded, 2);
    text = slurp(path);
    size = strlen(text);
    first = strcspn(text, "\n") + 1;
    for (size_t cut = first; cut < size; cut += 7) {
        FILE *file = fopen(path, "w");
        struct haul haul;

        fwrite(text, 1, cut, file);
        fclose(file);
        ck_assert_uint_eq(record_many(&config, 1).recorded, 1);
        ck_assert_uint_eq(lines_of(""), 2);
        read_file(&haul, path, 16);
        ck_assert_uint_eq(haul.counts.recorded_torn, 0);
        haul_release(&haul);
    }
    ck_assert(!is_there(".1"));
    free(text);
}
END_TEST

START_TEST(a_file_that_is_large_enough_is_set_aside)
{
    struct dyno_recording_config config = config_with(SECRET);
    size_t line;
    char *text;

    ck_assert_uint_eq(record_many(&config, 1).recorded, 1);
    text = slurp(path);
    line = strlen(text);
    free(text);
    config.bytes_max = 3 * line + line / 2;
    config.files_max = 3;
    ck_assert_uint_eq(record_many(&config, 20).recorded, 20);
    /* 21 lines, three a file: the oldest nine are gone, the youngest are in the file. */
    ck_assert(is_there("") && is_there(".1") && is_there(".2") && is_there(".3"));
    ck_assert(!is_there(".4"));
    for (int i = 1; i <= 3; i++) {
        char suffix[8];

        (void)snprintf(suffix, sizeof suffix, ".%d", i);
        ck_assert_uint_eq(lines_of(suffix), 3);
    }
    text = slurp(path);
    ck_assert_ptr_nonnull(strstr(text, "\"timestamp\": 1764254917142.")); /* the 20th */
    free(text);
}
END_TEST

/* Files of one recording, one behind another, are one trace. */
START_TEST(files_set_aside_are_read_as_one)
{
    struct dyno_recording_config config = config_with(NULL);
    char command[4 * PATH_MAX];
    struct haul haul;

    config.bytes_max = 1000;
    ck_assert_uint_eq(record_many(&config, 20).recorded, 20);
    ck_assert(is_there(".1"));
    (void)snprintf(command, sizeof command, "cd %s && cat $(ls -r trace*) > all && rm trace*",
                   folder);
    ck_assert_int_eq(system(command), 0);
    (void)snprintf(path, sizeof path, "%s/all", folder);
    read_file(&haul, path, 16);
    ck_assert_uint_eq(haul.count, 20);
    haul_release(&haul);
}
END_TEST

/* What an operator was told. */
static char said[4096];

static void hear_say(void *context, const char *text)
{
    size_t used = strlen(said);

    (void)context;
    (void)snprintf(said + used, sizeof said - used, "%s\n", text);
}

static void limit_files_to(rlim_t bytes)
{
    struct rlimit limit;

    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void await_counts(struct dyno_recording *recording, uint64_t due)
{
    struct dyno_recording_counts counts;

    do {
        counts = dyno_recording_counts(recording);
        usleep(1000);
    } while (counts.recorded + counts.lost < due);
}

/* A disk that fills up within a line, and is given room again. */
START_TEST(a_full_disk_loses_whole_lines_and_says_so_once)
{
    static const struct dyno_request requests[] = {
        {.id = 0, .prompt_tokens = 5, .max_tokens = 1, .arrival_ns = 1},
        {.id = 1, .prompt_tokens = 5, .max_tokens = 1, .arrival_ns = 2},
        {.id = 2, .prompt_tokens = 5, .max_tokens = 1, .arrival_ns = 3},
        {.id = 3, .prompt_tokens = 5, .max_tokens = 1, .arrival_ns = 4},
    };
    struct dyno_recording_config config = config_with(NULL);
    struct script script = {.source = {.ops = &script_ops}, .requests = requests, .count = 4};
    struct dyno_recording_counts counts;
    struct dyno_recording *recording;
    struct haul haul;

    signal(SIGXFSZ, SIG_IGN);
    config.say = hear_say;
    recording = open_with(&config);
    take_all(recording, &script);
    end(recording, 0, 1, DYNO_COMPLETED);
    await_counts(recording, 1);
    limit_files_to(200); /* a line is longer than 100 bytes: the second is cut */
    end(recording, 1, 1, DYNO_COMPLETED);
    await_counts(recording, 2);
    end(recording, 2, 1, DYNO_COMPLETED);
    await_counts(recording, 3);
    limit_files_to(RLIM_INFINITY);
    end(recording, 3, 1, DYNO_COMPLETED);
    counts = close_all(recording);
    ck_assert_uint_eq(counts.recorded, 2);
    ck_assert_uint_eq(counts.lost, 2);
    read_file(&haul, path, 16);
    ck_assert_uint_eq(haul.count, 2);
    ck_assert_uint_eq(haul.counts.recorded_lost, 2);
    haul_release(&haul);
    ck_assert_msg(strstr(said, "cannot be written: File too large\nthe recording goes on; 2 "
                               "requests are not in it\n") != NULL,
                  "%s", said);
}
END_TEST

START_TEST(a_killed_recording_is_whole_but_for_its_last_line)
{
    struct dyno_recording_config config = config_with(SECRET);
    struct haul haul;
    int status;
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct script script = {.source = {.ops = &script_ops}, .requests = sharing, .count = 3};
        struct dyno_recording *recording = open_with(&config);

        take_all(recording, &script);
        end(recording, 0, 1, DYNO_COMPLETED);
        end(recording, 2, 1, DYNO_COMPLETED);
        await_counts(recording, 2);
        kill(getpid(), SIGKILL);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
    read_file(&haul, path, 16);
    ck_assert_uint_eq(haul.count, 2);
    haul_release(&haul);
    ck_assert_uint_eq(record_many(&config, 1).recorded, 1); /* and it is gone on with */
    ck_assert_uint_eq(lines_of(""), 3);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("files");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, the_same_salt_goes_on_in_the_same_file);
    tcase_add_test(tc, another_salt_begins_another_file);
    tcase_add_test(tc, what_is_no_recording_is_not_touched);
    tcase_add_test(tc, only_a_file_is_recorded_into_and_by_one_at_a_time);
    tcase_add_test(tc, a_torn_line_is_cut_off_before_it_is_gone_on_with);
    tcase_add_test(tc, a_file_that_is_large_enough_is_set_aside);
    tcase_add_test(tc, files_set_aside_are_read_as_one);
    tcase_add_test(tc, a_full_disk_loses_whole_lines_and_says_so_once);
    tcase_add_test(tc, a_killed_recording_is_whole_but_for_its_last_line);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("traces/recording_files", add_cases)
