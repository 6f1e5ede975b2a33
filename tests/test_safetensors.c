/* .safetensors: the format is read, and a header that lies is refused. */
#include <string.h>

#include "checkpoint/checkpoint.h"
#include "suites.h"

static Arena *arena;
static uint8_t *bytes;
static size_t size;
static Checkpoint checkpoint;
static Err err;

/* 1, -2, 0.5 in every real type. */
static const uint8_t data[] =
    "\0\x3c\0\xc0\0\x38\x80\x3f\0\xc0\0\x3f\0\0\x80\x3f\0\0\0\xc0\0\0\0\x3f"
    "\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\0\xc0\0\0\0\0\0\0\xe0\x3f";
enum { DATA_BYTES = 6 + 6 + 12 + 24 };

static void setup(void)
{
    arena = arena_new(0);
    err = (Err){0};
}

static void teardown(void)
{
    arena_free(arena);
}

/* A file of that header and `data_size` bytes of the data. */
static void write_file(const char *header, size_t header_size, size_t data_size)
{
    size = 8 + header_size + data_size;
    bytes = arena_block(arena, size, 1);
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)header_size >> 8 * i);
    memcpy(bytes + 8, header, header_size);
    for (size_t i = 0; i < data_size; i++)
        bytes[8 + header_size + i] = data[i % DATA_BYTES];
}

static int read_file(void)
{
    return checkpoint_read(arena, bytes, size, NULL, &checkpoint, &err);
}

START_TEST(every_real_type)
{
    static const char header[] =
        "{\"__metadata__\":{\"format\":\"pt\"},"
        "\"d\":{\"dtype\":\"F64\",\"shape\":[3],\"data_offsets\":[24,48]},"
        "\"h\":{\"dtype\":\"F16\",\"shape\":[3,1],\"data_offsets\":[0,6]},"
        "\"b\":{\"shape\":[1,3],\"dtype\":\"BF16\",\"data_offsets\":[6,12]},"
        "\"s\" : { \"dtype\":\"F32\",\"shape\":[ 3 ],\"data_offsets\":[12,24]}"
        "}    ";
    const double expected[] = {1, -2, 0.5};
    double values[3];
    write_file(header, sizeof header - 1, DATA_BYTES);
    ck_assert(checkpoint_is(bytes, size));
    ck_assert_msg(read_file() == 0, "%s", err.message);
    ck_assert_uint_eq(checkpoint.count, 4);
    ck_assert_str_eq(checkpoint.tensors[0].name, "d");
    for (int i = 0; i < 4; i++) {
        ck_assert(checkpoint_is_packed(&checkpoint.tensors[i]));
        checkpoint_read_f64(&checkpoint.tensors[i], 0, 3, values);
        ck_assert_mem_eq(values, expected, sizeof values);
    }
}
END_TEST

START_TEST(scalars_and_empty_tensors)
{
    static const char header[] =
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
        "\"b\":{\"dtype\":\"F32\",\"shape\":[0,7],\"data_offsets\":[4,4]}}";
    write_file(header, sizeof header - 1, 4);
    ck_assert_msg(read_file() == 0, "%s", err.message);
    ck_assert_int_eq(checkpoint.tensors[0].count, 1);
    ck_assert_int_eq(checkpoint.tensors[1].count, 0);
}
END_TEST

START_TEST(escapes_in_names)
{
    static const char header[] =
        "{\"a\\n\\\"\\u00e9\\u20AC\":{\"dtype\":\"F32\",\"shape\":[],"
        "\"data_offsets\":[0,4]}}";
    write_file(header, sizeof header - 1, 4);
    ck_assert_msg(read_file() == 0, "%s", err.message);
    ck_assert_str_eq(checkpoint.tensors[0].name, "a\n\"\xc3\xa9\xe2\x82\xac");
}
END_TEST

#define ONE(dtype, shape, offsets)                                             \
    "{\"a\":{\"dtype\":" dtype ",\"shape\":" shape                             \
    ",\"data_offsets\":" offsets "}}"
#define TWO(first, second)                                                     \
    "{\"a\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":" first "},"     \
    "\"b\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":" second "}}"

static const struct {
    const char *header;
    size_t data_size;
    const char *why;
} headers[] = {
    {"{", 0, "a string|'\"' was expected"},
    {"{}", 4, "4 bytes follow"},
    {"{} x", 0, "more follows"},
    {"{\"a\"}", 0, "':' was expected"},
    {"{\"a\":1}", 0, "'{' was expected"},
    {"{\"a\":{}}", 0, "'\"' was expected"},
    {"{\"a\":{\"dtype\":\"F32\"}}", 0, "needs dtype, shape"},
    {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", 0, "given twice"},
    {"{\"a\":{\"type\":\"F32\"}}", 0, "unknown field"},
    {"{\"a", 0, "does not end"},
    {"{\"a\\", 0, "does not end"},
    {"{\"a\\x\":1}", 0, "unknown escape"},
    {"{\"a\\u12\":1}", 0, "hexadecimal"},
    {"{\"a\\u0000\":1}", 0, "no name needs"},
    {"{\"a\\ud83d\\ude00\":1}", 0, "no name needs"},
    {"{\"a\nb\":1}", 0, "control character"},
    {"{\"__metadata__\":{\"a\":{}}}", 0, "'\"' was expected"},
    {"{\"__metadata__\":[]}", 0, "'{' was expected"},
    {ONE("\"F33\"", "[1]", "[0,4]"), 4, "unknown dtype F33"},
    {ONE("\"\"", "[1]", "[0,4]"), 4, "unknown dtype"},
    {ONE("7", "[1]", "[0,4]"), 4, "'\"' was expected"},
    {ONE("\"F32\"", "[-1]", "[0,4]"), 4, "whole number"},
    {ONE("\"F32\"", "[1.0]", "[0,4]"), 4, "']' was expected"},
    {ONE("\"F32\"", "[01]", "[0,4]"), 4, "begins with 0"},
    {ONE("\"F32\"", "[1e3]", "[0,4]"), 4, "']' was expected"},
    {ONE("\"F32\"", "[[1]]", "[0,4]"), 4, "whole number"},
    {ONE("\"F32\"", "[99999999999999999999]", "[0,4]"), 4, "too large"},
    {ONE("\"F32\"", "[4294967296,4294967296]", "[0,4]"), 4, "too large"},
    {ONE("\"F32\"", "[4611686018427387904]", "[0,4]"), 4, "too large"},
    {ONE("\"F32\"", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4, "too many numbers"},
    {ONE("\"F32\"", "[1]", "[0,8]"), 4, "beyond the file"},
    {ONE("\"F32\"", "[1]", "[4,0]"), 4, "beyond the file"},
    {ONE("\"F32\"", "[1]", "[0,9223372036854775807]"), 4, "beyond the file"},
    {ONE("\"F32\"", "[1]", "[0,2]"), 4, "do not fit"},
    {ONE("\"F32\"", "[1]", "[0]"), 4, "two numbers"},
    {ONE("\"F32\"", "[1]", "[0,1,2]"), 4, "too many numbers"},
    {ONE("\"F32\"", "[1]", "[4,8]"), 8, "after a gap"},
    {ONE("\"F32\"", "[1]", "[0,4]"), 8, "4 bytes follow"},
    {TWO("[0,2]", "[0,2]"), 4, "overlap"},
    {TWO("[0,2]", "[1,3]"), 4, "overlap"},
    {TWO("[0,2]", "[4,6]"), 6, "after a gap"},
    {"{\"a\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0,2]},"
     "\"a\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[2,4]}}",
     4, "two tensors are called a"},
};

/* True where the message has one of the texts between bars. */
static bool matches(const char *message, const char *why)
{
    for (; *why; why += *why == '|') {
        size_t length = strcspn(why, "|");
        char text[64] = "";
        memcpy(text, why, length);
        if (strstr(message, text))
            return true;
        why += length;
    }
    return false;
}

START_TEST(a_header_that_lies_is_refused)
{
    write_file(headers[_i].header, strlen(headers[_i].header),
               headers[_i].data_size);
    ck_assert_int_eq(read_file(), -1);
    ck_assert_int_eq(err.code, ERR_BAD_CHECKPOINT);
    ck_assert_msg(matches(err.message, headers[_i].why), "%s: %s",
                  headers[_i].header, err.message);
}
END_TEST

START_TEST(a_header_longer_than_the_file)
{
    static const uint64_t lengths[] = {3, 1 << 30, UINT32_MAX};
    write_file("{}", 2, 0);
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(lengths[_i] >> 8 * i);
    ck_assert_int_eq(read_file(), -1);
    ck_assert_ptr_nonnull(strstr(err.message, "bytes long, and the file"));
}
END_TEST

START_TEST(a_model_with_a_brace_in_that_place_is_none)
{
    /* IR version 8; a graph of one node, which reads "{". */
    static const uint8_t model[] = "\x08\x08:\x0a\x0a\x08\x0a\x01{\"\x03Neg";
    ck_assert(!checkpoint_is(model, sizeof model - 1));
}
END_TEST

/* The header is one long run of opening brackets: no recursion, no memory. */
START_TEST(deep_nesting_is_refused)
{
    enum { DEPTH = 1 << 20 };
    char *header = arena_block(arena, DEPTH, 1);
    memset(header, '[', DEPTH);
    memcpy(header, "{\"a\":", 5);
    write_file(header, DEPTH, 0);
    ck_assert_int_eq(read_file(), -1);
    ck_assert_uint_lt(arena_peak(arena), 8 << 20);
}
END_TEST

START_TEST(a_truncated_file)
{
    static const char header[] = ONE("\"F32\"", "[2]", "[0,8]");
    write_file(header, sizeof header - 1, 8);
    size_t whole = size;
    for (size = 0; size < whole; size++) {
        err = (Err){0};
        ck_assert_int_eq(read_file(), -1);
    }
}
END_TEST

START_TEST(no_key_can_be_chosen)
{
    write_file("{}", 2, 0);
    ck_assert_int_eq(
        checkpoint_read(arena, bytes, size, "model", &checkpoint, &err), -1);
    ck_assert_int_eq(err.code, ERR_USAGE);
}
END_TEST

Suite *suite_safetensors(void)
{
    Suite *suite = suite_create("safetensors");
    TCase *tcase = tcase_create("safetensors");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, every_real_type);
    tcase_add_test(tcase, scalars_and_empty_tensors);
    tcase_add_test(tcase, escapes_in_names);
    tcase_add_loop_test(tcase, a_header_that_lies_is_refused, 0,
                        sizeof headers / sizeof *headers);
    tcase_add_loop_test(tcase, a_header_longer_than_the_file, 0, 3);
    tcase_add_test(tcase, a_model_with_a_brace_in_that_place_is_none);
    tcase_add_test(tcase, deep_nesting_is_refused);
    tcase_add_test(tcase, a_truncated_file);
    tcase_add_test(tcase, no_key_can_be_chosen);
    suite_add_tcase(suite, tcase);
    return suite;
}
