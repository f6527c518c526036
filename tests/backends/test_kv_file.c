/* Blocks of KV in a file: what is read is what was written, also after a restart; what is not is
 * said. */
#include "backends/store/kv_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/rng.h"
#include "tests/check_main.h"

enum { BLOCKS = 100, BLOCK_BYTES = 5000 };

static char path[] = "/tmp/dyno-test-kv-XXXXXX";

static void make_path(void)
{
    int descriptor;

    (void)snprintf(path, sizeof path, "/tmp/dyno-test-kv-XXXXXX");
    descriptor = mkstemp(path);
    ck_assert_int_ge(descriptor, 0);
    (void)close(descriptor);
}

static void remove_path(void)
{
    (void)unlink(path);
}

static const struct dyno_kv_file_config usual = {
    .path = path, .blocks = BLOCKS, .block_bytes = BLOCK_BYTES, .fingerprint = 7};

static struct dyno_kv_file *open_file(const struct dyno_kv_file_config *config)
{
    struct dyno_kv_file *file = NULL;
    struct dyno_error error = {0};

    ck_assert_msg(dyno_kv_file_open(&file, config, &error) == DYNO_OK, "%s", error.text);
    return file;
}

/* Block i of a span is made of bytes that say so. */
static char byte_of(const struct dyno_block_name *name)
{
    return (char)(name->span * 31 + name->index);
}

struct blocks {
    struct dyno_block_name names[BLOCKS];
    uint32_t places[BLOCKS];
    uint32_t got;
};

static void give(void *context, uint32_t block, void *bytes)
{
    const struct blocks *blocks = context;

    memset(bytes, byte_of(&blocks->names[block]), BLOCK_BYTES);
}

static void get(void *context, uint32_t block, void *bytes)
{
    struct blocks *blocks = context;
    const char *at = bytes;

    ck_assert_uint_eq(block, blocks->got++);
    for (uint32_t i = 0; i < BLOCK_BYTES; i++) {
        ck_assert_int_eq(at[i], byte_of(&blocks->names[block]));
    }
}

/* Two spans, one of which begins at depth 60, in places that are all over the file. */
static void lay_out(struct blocks *blocks)
{
    for (uint32_t i = 0; i < BLOCKS; i++) {
        blocks->names[i] = (struct dyno_block_name){
            .span = i < 60 ? 11 : 12, .index = i < 60 ? i : i - 60, .depth = i};
        blocks->places[i] = i * 37 % BLOCKS;
    }
    blocks->got = 0;
}

static void write_all(struct dyno_kv_file *file, struct blocks *blocks)
{
    lay_out(blocks);
    ck_assert_uint_eq(dyno_kv_file_write(file, blocks->places, blocks->names, BLOCKS, give, blocks),
                      0);
}

START_TEST(what_is_read_is_what_was_written_also_after_a_restart)
{
    struct dyno_kv_file_config config = usual;
    struct blocks blocks;
    struct dyno_kv_file *file;
    struct dyno_kept_block *kept;
    uint32_t count;

    config.way = _i == 0 ? DYNO_FILE_BEST : DYNO_FILE_THREADS;
    file = open_file(&config);
    ck_assert_str_eq(_i == 1 ? "threads" : dyno_kv_file_way(file), dyno_kv_file_way(file));
    (void)dyno_kv_file_kept(file, &count);
    ck_assert_uint_eq(count, 0);
    write_all(file, &blocks);
    ck_assert_uint_eq(dyno_kv_file_read(file, blocks.places, blocks.names, BLOCKS, get, &blocks),
                      0);
    ck_assert_uint_eq(blocks.got, BLOCKS);
    dyno_kv_file_close(file);
    file = open_file(&config);
    kept = dyno_kv_file_kept(file, &count);
    ck_assert_uint_eq(count, BLOCKS);
    for (uint32_t i = 0; i < count; i++) { /* by name */
        ck_assert_uint_eq(kept[i].name.span, blocks.names[i].span);
        ck_assert_uint_eq(kept[i].name.index, blocks.names[i].index);
        ck_assert_uint_eq(kept[i].name.depth, blocks.names[i].depth);
        ck_assert_uint_eq(kept[i].place, blocks.places[i]);
    }
    blocks.got = 0;
    ck_assert_uint_eq(dyno_kv_file_read(file, blocks.places, blocks.names, BLOCKS, get, &blocks),
                      0);
    dyno_kv_file_close(file);
}
END_TEST

/* One bit of a block, wherever it lies. */
static void flip(uint32_t place, uint32_t byte)
{
    int descriptor = open(path, O_RDWR);
    off_t at = 4096 + (off_t)place * 8192 + byte;
    char was;

    ck_assert_int_eq(pread(descriptor, &was, 1, at), 1);
    was ^= 4;
    ck_assert_int_eq(pwrite(descriptor, &was, 1, at), 1);
    (void)close(descriptor);
}

START_TEST(a_bit_that_flips_is_seen)
{
    static const uint32_t bytes[] = {3, 8, 18, 24, 35, 40, 41, 5039};
    struct blocks blocks;
    struct dyno_kv_file *file = open_file(&usual);

    write_all(file, &blocks);
    flip(blocks.places[45], bytes[_i]);
    ck_assert_uint_eq(dyno_kv_file_read(file, blocks.places, blocks.names, BLOCKS, get, &blocks),
                      BLOCKS - 45);
    ck_assert_uint_eq(blocks.got, 45);
    dyno_kv_file_close(file);
}
END_TEST

START_TEST(another_block_is_not_taken_for_the_one_that_is_asked_for)
{
    struct blocks blocks;
    struct dyno_kv_file *file = open_file(&usual);

    write_all(file, &blocks);
    blocks.names[10].index = 9; /* as if the books were wrong */
    ck_assert_uint_eq(dyno_kv_file_read(file, blocks.places, blocks.names, BLOCKS, get, &blocks),
                      BLOCKS - 10);
    dyno_kv_file_close(file);
}
END_TEST

START_TEST(a_file_that_was_cut_has_what_is_left)
{
    struct blocks blocks;
    struct dyno_kv_file *file = open_file(&usual);
    uint32_t count;

    write_all(file, &blocks);
    dyno_kv_file_close(file);
    ck_assert_int_eq(truncate(path, 4096 + 50 * 8192 + 100), 0);
    file = open_file(&usual);
    (void)dyno_kv_file_kept(file, &count);
    ck_assert_uint_eq(count, 51); /* of the last one only the header */
    for (uint32_t i = 0; i < BLOCKS; i++) {
        blocks.got = i;
        ck_assert_uint_eq(
            dyno_kv_file_read(file, &blocks.places[i], &blocks.names[i], 1, give, &blocks),
            blocks.places[i] >= 50);
    }
    dyno_kv_file_close(file);
}
END_TEST

/* A disk that now and then fails, or gives back something else. */
struct disk {
    struct dyno_rng rng;
};

static void fault(void *context, struct dyno_file_op *op)
{
    struct disk *disk = context;

    if (dyno_rng_below(&disk->rng, 8) > 0) {
        return;
    }
    if (op->is_write || dyno_rng_below(&disk->rng, 2)) {
        op->result = 5; /* EIO */
    } else {
        ((char *)op->bytes)[dyno_rng_below(&disk->rng, op->size)] ^=
            (char)(1 << dyno_rng_below(&disk->rng, 8));
    }
}

/* `get` fails if a byte is wrong. */
START_TEST(whatever_a_disk_does_no_wrong_byte_comes_back)
{
    struct disk disk;
    struct dyno_kv_file_config config = usual;
    struct dyno_kv_file *file;
    struct blocks blocks;
    uint32_t lost = 0;

    dyno_rng_init(&disk.rng, (uint64_t)_i, "disk");
    config.fault = fault;
    config.fault_context = &disk;
    file = open_file(&config);
    lay_out(&blocks);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        struct blocks one = {.names = {blocks.names[i]}, .places = {blocks.places[i]}};

        (void)dyno_kv_file_write(file, one.places, one.names, 1, give, &one);
    }
    for (uint32_t i = 0; i < BLOCKS; i++) {
        struct blocks one = {.names = {blocks.names[i]}, .places = {blocks.places[i]}};
        uint32_t missing = dyno_kv_file_read(file, one.places, one.names, 1, get, &one);

        ck_assert_uint_eq(one.got, 1 - missing);
        lost += missing;
    }
    ck_assert_uint_gt(lost, 0);
    ck_assert_uint_lt(lost, BLOCKS / 2);
    dyno_kv_file_close(file);
}
END_TEST

static void expect_refused(const struct dyno_kv_file_config *config, const char *words)
{
    struct dyno_kv_file *file = NULL;
    struct dyno_error error = {0};

    ck_assert_int_eq(dyno_kv_file_open(&file, config, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_null(file);
    ck_assert_msg(strstr(error.text, words), "%s", error.text);
}

START_TEST(what_is_not_its_own_is_refused)
{
    struct dyno_kv_file_config other = usual;
    struct dyno_kv_file *file = open_file(&usual);
    FILE *text;

    expect_refused(&usual, "is used by another process");
    dyno_kv_file_close(file);
    other.fingerprint = 8;
    expect_refused(&other, "has KV of another model");
    other = usual;
    other.block_bytes++;
    expect_refused(&other, "has KV of another model");
    other.path = "/dev/null";
    expect_refused(&other, "is no ordinary file");
    text = fopen(path, "w");
    (void)fputs("somebody's diary, which is not to be written over\n", text);
    (void)fclose(text);
    expect_refused(&usual, "is no file of KV blocks");
    other = usual;
    other.block_bytes = 0;
    expect_refused(&other, "cannot lie in a file");
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("kv file");

    tcase_add_checked_fixture(cases, make_path, remove_path);
    tcase_add_loop_test(cases, what_is_read_is_what_was_written_also_after_a_restart, 0, 2);
    tcase_add_loop_test(cases, a_bit_that_flips_is_seen, 0, 8);
    tcase_add_test(cases, another_block_is_not_taken_for_the_one_that_is_asked_for);
    tcase_add_test(cases, a_file_that_was_cut_has_what_is_left);
    tcase_add_loop_test(cases, whatever_a_disk_does_no_wrong_byte_comes_back, 0, 20);
    tcase_add_test(cases, what_is_not_its_own_is_refused);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("kv_file", add_cases)
