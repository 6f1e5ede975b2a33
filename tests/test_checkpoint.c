/* PyTorch checkpoints: what torch.save writes is read; what lies, grows
 * without end or asks to be executed is refused. */
#include <string.h>

#include "archive.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/pickle.h"
#include "pickling.h"
#include "suites.h"

static Arena *arena;
static Archive archive;
static Pickling *pickle;
static Checkpoint checkpoint;
static Err err;

/* Elements of data/0: 0, 1, ... 11. */
static const float floats[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
static const uint16_t halves[] = {0x3c00, 0xc000, 0x3800}; /* 1, -2, 0.5 */
static const uint16_t brains[] = {0x3f80, 0xc000, 0x3f00}; /* the same */
static const double doubles[] = {1, -2, 0.5};

static void setup(void)
{
    arena = arena_new(0);
    pickle = arena_alloc(arena, sizeof *pickle);
    archive_start(&archive, arena_block(arena, ARCHIVE_BYTES, 1));
    err = (Err){0};
}

static void teardown(void)
{
    arena_free(arena);
}

/* The archive: the pickle as it is now, and storages 0 to 3. */
static void pack(void)
{
    archive_add(&archive, "archive/data.pkl", pickle->bytes, pickle->size,
                false);
    archive_add(&archive, "archive/data/0", floats, sizeof floats, false);
    archive_add(&archive, "archive/data/1", halves, sizeof halves, false);
    archive_add(&archive, "archive/data/2", brains, sizeof brains, false);
    archive_add(&archive, "archive/data/3", doubles, sizeof doubles, false);
    archive_end(&archive);
}

static int read_key(const char *key)
{
    pack();
    return checkpoint_read(arena, archive.bytes, archive.size, key, &checkpoint,
                           &err);
}

static void check_values(const CheckpointTensor *tensor, const double *expected,
                         int64_t count)
{
    double values[12];
    ck_assert_int_eq(tensor->count, count);
    checkpoint_read_f64(tensor, 0, count, values);
    for (int64_t i = 0; i < count; i++)
        ck_assert_double_eq(values[i], expected[i]);
}

/* ---- What is read ---- */

START_TEST(views_of_one_storage)
{
    const Saved saved[] = {
        {"matrix", "FloatStorage", "0", 12, 0, 2, {3, 4}, {4, 1}},
        {"transposed", "FloatStorage", "0", 12, 0, 2, {4, 3}, {1, 4}},
        {"row", "FloatStorage", "0", 12, 4, 1, {4}, {1}},
        {"repeated", "FloatStorage", "0", 12, 2, 2, {2, 2}, {0, 1}},
        {"scalar", "FloatStorage", "0", 12, 7, 0, {0}, {0}},
        {"empty", "FloatStorage", "0", 12, 12, 2, {0, 4}, {4, 1}},
    };
    const double expected[][12] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11},
                                   {0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11},
                                   {4, 5, 6, 7},
                                   {2, 3, 2, 3},
                                   {7},
                                   {0}};
    const int64_t counts[] = {12, 12, 4, 4, 1, 0};
    const bool packed[] = {true, false, true, false, true, true};
    pickle_whole(pickle, saved, 6);
    ck_assert_msg(read_key(NULL) == 0, "%s", err.message);
    ck_assert_str_eq(checkpoint.format, "PyTorch");
    ck_assert_uint_eq(checkpoint.count, 6);
    for (int i = 0; i < 6; i++) {
        ck_assert_str_eq(checkpoint.tensors[i].name, saved[i].name);
        ck_assert(checkpoint_is_packed(&checkpoint.tensors[i]) == packed[i]);
        check_values(&checkpoint.tensors[i], expected[i], counts[i]);
    }
}
END_TEST

static const Saved typed[] = {
    {"half", "HalfStorage", "1", 3, 0, 1, {3}, {1}},
    {"brain", "BFloat16Storage", "2", 3, 0, 1, {3}, {1}},
    {"double", "DoubleStorage", "3", 3, 0, 1, {3}, {1}},
};

START_TEST(every_real_type)
{
    pickle_whole(pickle, typed, 3);
    ck_assert_msg(read_key(NULL) == 0, "%s", err.message);
    for (size_t i = 0; i < 3; i++)
        check_values(&checkpoint.tensors[i], doubles, 3);
}
END_TEST

START_TEST(big_endian_files)
{
    static const uint8_t swapped[] = {0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0};
    const Saved saved = {"x", "FloatStorage", "0", 2, 0, 1, {2}, {1}};
    pickle_whole(pickle, &saved, 1);
    archive_add(&archive, "a/data.pkl", pickle->bytes, pickle->size, false);
    archive_add(&archive, "a/byteorder", "big", 3, false);
    archive_add(&archive, "a/data/0", swapped, sizeof swapped, false);
    archive_end(&archive);
    ck_assert_msg(checkpoint_read(arena, archive.bytes, archive.size, NULL,
                                  &checkpoint, &err) == 0,
                  "%s", err.message);
    check_values(checkpoint.tensors, doubles, 2);
}
END_TEST

START_TEST(compressed_archives)
{
    pickle_whole(pickle, typed, 1);
    archive_add(&archive, "a/data.pkl", pickle->bytes, pickle->size, true);
    archive_add(&archive, "a/data/1", halves, sizeof halves, true);
    archive_end(&archive);
    ck_assert_msg(checkpoint_read(arena, archive.bytes, archive.size, NULL,
                                  &checkpoint, &err) == 0,
                  "%s", err.message);
    check_values(checkpoint.tensors, doubles, 3);
}
END_TEST

/* A dict with one state dict, of one tensor, under each key given. */
static void nest(const char *const *keys, size_t count)
{
    pickle_ops(pickle, "\x80\x02}(");
    for (size_t i = 0; i < count; i++) {
        Saved saved = typed[0];
        saved.name = keys[i];
        pickle_text(pickle, keys[i]);
        pickle_state(pickle, &saved, 1);
    }
    pickle_text(pickle, "epoch");
    pickle_ops(pickle, "K\x03u.");
}

START_TEST(the_averaged_weights_come_first)
{
    static const char *const keys[] = {"model", "state_dict", "model_ema",
                                       "state_dict_ema"};
    nest(keys, (size_t)_i);
    ck_assert_msg(read_key(NULL) == 0, "%s", err.message);
    ck_assert_str_eq(checkpoint.key, keys[_i - 1]);
    ck_assert_str_eq(checkpoint.tensors[0].name, keys[_i - 1]);
}
END_TEST

START_TEST(a_key_chooses)
{
    static const char *const keys[] = {"net", "state_dict"};
    nest(keys, 2);
    ck_assert_msg(read_key("net") == 0, "%s", err.message);
    ck_assert_str_eq(checkpoint.tensors[0].name, "net");
}
END_TEST

START_TEST(a_wrong_key_names_the_right_ones)
{
    static const char *const keys[] = {"net", "weights"};
    nest(keys, 2);
    ck_assert_int_eq(read_key("model"), -1);
    ck_assert_int_eq(err.code, ERR_BAD_CHECKPOINT);
    ck_assert_ptr_nonnull(strstr(err.message, "net, weights"));
}
END_TEST

START_TEST(no_tensors_at_the_top)
{
    static const char *const keys[] = {"net", "weights"};
    nest(keys, 2);
    ck_assert_int_eq(read_key(NULL), -1);
    ck_assert_ptr_nonnull(strstr(err.message, "net, weights"));
}
END_TEST

START_TEST(wrappers_prefixes_go)
{
    static const char *const names[] = {
        "module.x", "_orig_mod.x", "_orig_mod.module.x", "module._orig_mod.x"};
    Saved saved = typed[0];
    saved.name = names[_i];
    pickle_whole(pickle, &saved, 1);
    ck_assert_msg(read_key(NULL) == 0, "%s", err.message);
    ck_assert_str_eq(checkpoint.tensors[0].name, "x");
}
END_TEST

/* {"args": Namespace(...), "best": numpy.float64(...), "model": {...}}, as
 * training scripts write it. */
START_TEST(what_else_is_in_the_file_is_passed_over)
{
    pickle_ops(pickle, "\x80\x02}(");
    pickle_text(pickle, "args");
    pickle_ops(pickle, "cargparse\nNamespace\n)\x81}X\1\0\0\0xK\1sb");
    pickle_text(pickle, "best");
    pickle_ops(pickle, "cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\n"
                       "X\2\0\0\0f8\x89\x88\x87R(K\3X\1\0\0\0<NNNJ\xff\xff\xff"
                       "\xffJ\xff\xff\xff\xffK\0tbC\x8"
                       "12345678\x86R");
    pickle_text(pickle, "model");
    pickle_state(pickle, typed, 1);
    pickle_ops(pickle, "u.");
    ck_assert_msg(read_key(NULL) == 0, "%s", err.message);
    ck_assert_str_eq(checkpoint.key, "model");
    check_values(checkpoint.tensors, doubles, 3);
}
END_TEST

/* ---- Tensors that lie ---- */

static const struct {
    Saved saved;
    const char *why;
} lies[] = {
    {{"x", "FloatStorage", "0", 13, 0, 1, {1}, {1}}, "fewer than its 13"},
    {{"x", "DoubleStorage", "0", 12, 0, 1, {1}, {1}}, "fewer than its 12"},
    {{"x", "FloatStorage", "0", INT64_MAX, 0, 1, {1}, {1}}, "fewer than"},
    {{"x", "FloatStorage", "0", -1, 0, 1, {1}, {1}}, "no storage"},
    {{"x", "FloatStorage", "9", 12, 0, 1, {1}, {1}}, "not in the file"},
    {{"x", "FloatStorage", "../0", 12, 0, 1, {1}, {1}}, "not in the file"},
    {{"x", "FloatStorage", "0", 12, 0, 1, {13}, {1}}, "reach beyond"},
    {{"x", "FloatStorage", "0", 12, 9, 1, {4}, {1}}, "reach beyond"},
    {{"x", "FloatStorage", "0", 12, -1, 1, {4}, {1}}, "reach beyond"},
    {{"x", "FloatStorage", "0", 12, INT64_MAX, 1, {4}, {1}}, "reach beyond"},
    {{"x", "FloatStorage", "0", 11, 0, 2, {3, 4}, {4, 1}}, "reach beyond"},
    {{"x", "FloatStorage", "0", 12, 0, 2, {2, 2}, {11, 1}}, "reach beyond"},
    {{"x", "FloatStorage", "0", 12, 0, 2, {3, 3}, {INT64_MAX, 1}},
     "reach beyond"},
    {{"x", "FloatStorage", "0", 12, 0, 1, {-1}, {1}}, "from 0 up"},
    {{"x", "FloatStorage", "0", 12, 0, 2, {2, 2}, {-2, 1}}, "from 0 up"},
    {{"x", "FloatStorage", "0", 12, 0, 2, {1LL << 32, 1LL << 32}, {0, 0}},
     "too large"},
    {{"x", "FloatStorage", "0", 12, 0, 1, {1LL << 40}, {0}}, "8 times"},
    {{"x", "FloatStorage", "0", 12, 0, 9, {1, 1, 1, 1, 1, 1, 1, 1, 1}, {0}},
     "9 dimensions"},
};

START_TEST(a_tensor_that_lies_is_refused)
{
    pickle_whole(pickle, &lies[_i].saved, 1);
    ck_assert_int_eq(read_key(NULL), -1);
    ck_assert_msg(strstr(err.message, lies[_i].why) != NULL, "%s", err.message);
    ck_assert_uint_lt(arena_peak(arena), 4 << 20);
}
END_TEST

START_TEST(two_tensors_of_one_name)
{
    Saved saved[] = {typed[0], typed[1]};
    saved[1].name = "module.half";
    pickle_whole(pickle, saved, 2);
    ck_assert_int_eq(read_key(NULL), -1);
    ck_assert_ptr_nonnull(strstr(err.message, "two tensors are called half"));
}
END_TEST

/* ---- Pickles ---- */

#define OPS(text) text, sizeof(text) - 1

static const struct {
    const char *ops;
    size_t size;
    const char *why;
} pickles[] = {
    {OPS(""), "ends in the middle"},
    {OPS("\x80"), "longer than the file"},
    {OPS("\x80\x01."), "protocol"},
    {OPS("\x80\x06."), "protocol"},
    {OPS("\x80\x02."), "too few"},
    {OPS("\x80\x02NN."), "too many"},
    {OPS("\x80\x02(."), "too few"},
    {OPS("\x80\x02N"), "ends in the middle"},
    {OPS("\x80\x02X\xff\xff\xff\xff"), "longer than the file"},
    {OPS("\x80\x02\x8d\xff\xff\xff\xff\xff\xff\xff\xff"), "longer than"},
    {OPS("\x80\x02\x8b\xff\xff\xff\xff"), "longer than the file"},
    {OPS("\x80\x02h\0."), "never put"},
    {OPS("\x80\x02Nr\xff\xff\xff\xff."), "too high a number"},
    {OPS("\x80\x02Nr\xff\xff\x0f\0j\xfe\xff\x0f\0."), "never put"},
    {OPS("\x80\x02q\0."), "stack is empty"},
    {OPS("\x80\x02\x94."), "stack is empty"},
    {OPS("\x80\x02t."), "no mark"},
    {OPS("\x80\x02\x85."), "too few values"},
    {OPS("\x80\x02N(N\x86."), "too few values"},
    {OPS("\x80\x02NNs."), "stack is empty"},
    {OPS("\x80\x02]NNs."), "another kind"},
    {OPS("\x80\x02}(Nu."), "key without a value"},
    {OPS("\x80\x02(Nd."), "key without a value"},
    {OPS("\x80\x02}(Ne."), "another kind"},
    {OPS("\x80\x02Na."), "stack is empty"},
    {OPS("\x80\x02"
         "0."),
     "stack is empty"},
    {OPS("\x80\x02"
         "1."),
     "no mark"},
    {OPS("\x80\x02"
         "2."),
     "stack is empty"},
    {OPS("\x80\x02N}b."), "has none"},
    {OPS("\x80\x02)R."), "stack is empty"},
    {OPS("\x80\x02N)R."), "another kind"},
    {OPS("\x80\x02"
         "ctorch\nFloatStorage\n)R."),
     "called as a function"},
    {OPS("\x80\x02"
         "ctorch._utils\n_rebuild_tensor_v2\n)R."),
     "other arguments"},
    {OPS("\x80\x02"
         "ctorch._utils\n_rebuild_parameter\n)R."),
     "than a tensor"},
    {OPS("\x80\x02"
         "ctorch\nSize\n)R."),
     "than a tuple"},
    {OPS("\x80\x02"
         "ccollections\nOrderedDict\nN\x85R."),
     "another value"},
    {OPS("\x80\x02)Q."), "no storage"},
    {OPS("\x80\x02"
         "cos\nsystem\n."),
     "os.system"},
    {OPS("\x80\x04\x8c\x08"
         "builtins\x8c\x04"
         "eval\x93."),
     "builtins.eval"},
    {OPS("\x80\x02"
         "ctorch.nn.modules.linear\nLinear\n)\x81."),
     "torch.nn.modules.linear.Linear"},
    {OPS("\x80\x02"
         "ctorch\n\n."),
     "torch."},
    {OPS("\x80\x02"
         "cos"),
     "does not end"},
    {OPS("\x80\x02(cos\nsystem\no."), "os.system"},
    {OPS("\x80\x02(ios\nsystem\n."), "opcode 0x69"},
    {OPS("\x80\x02I1\n."), "opcode 0x49"},
    {OPS("\x80\x02\x82\x01."), "opcode 0x82"},
    {OPS("\x80\x05\x97."), "opcode 0x97"},
    {OPS("\x80\x02N."), "no dict of tensors"},
    {OPS("\x80\x02]."), "no dict of tensors"},
    {OPS("\x80\x02}."), "no tensors"},
    {OPS("\x80\x02}X\1\0\0\0xNs."), "no tensors"},
    /* A dict that holds itself. */
    {OPS("\x80\x02}q\0X\5\0\0\0modelh\0s."), "no tensors"},
};

START_TEST(a_bad_pickle_is_refused)
{
    pickle_raw(pickle, pickles[_i].ops, pickles[_i].size);
    ck_assert_int_eq(read_key(NULL), -1);
    ck_assert_int_eq(err.code, ERR_BAD_CHECKPOINT);
    ck_assert_msg(strstr(err.message, pickles[_i].why) != NULL, "%s",
                  err.message);
}
END_TEST

/* A few bytes again and again. */
static const struct {
    const char *ops;
    size_t size;
} bombs[] = {
    {OPS("}")},           /* values */
    {OPS("(")},           /* marks */
    {OPS("N2")},          /* copies */
    {OPS("]q\1h\1h\1a")}, /* a list in itself */
    {OPS("N\x85q\1h\1\x86")},
    {OPS("\x8f\x94")},
};

START_TEST(a_pickle_bomb_is_bounded)
{
    enum { SIZE = 8 << 20 };
    uint8_t *bytes = arena_block(arena, SIZE, 1);
    Pickle out;
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)bombs[_i].ops[i % bombs[_i].size];
    size_t before = arena_bytes(arena);
    ck_assert_int_eq(pickle_read(arena, bytes, SIZE, &out, &err), -1);
    ck_assert_uint_lt(arena_peak(arena) - before, (size_t)160 << 20);
}
END_TEST

/* None takes a byte in the file, and a place in the list. */
START_TEST(a_long_list_is_bounded)
{
    enum { SIZE = 8 << 20, PIECE = 1 << 12 };
    char *bytes = arena_block(arena, SIZE, 1);
    Pickle out;
    memset(bytes, 'N', SIZE);
    bytes[0] = ']';
    for (size_t i = 1; i + PIECE < SIZE; i += PIECE) {
        bytes[i] = '(';
        bytes[i + PIECE - 1] = 'e';
    }
    ck_assert_int_eq(
        pickle_read(arena, (const uint8_t *)bytes, SIZE, &out, &err), -1);
    ck_assert_int_eq(err.code, ERR_BUDGET);
}
END_TEST

/* Every tuple holds the one before: depth costs no stack. */
START_TEST(deep_nesting_is_read)
{
    enum { DEPTH = 900000 };
    uint8_t *bytes = arena_block(arena, DEPTH + 4, 1);
    Pickle out;
    memset(bytes, 0x85, DEPTH + 4);
    memcpy(bytes, "\x80\x02N", 3);
    bytes[DEPTH + 3] = '.';
    ck_assert_int_eq(pickle_read(arena, bytes, DEPTH + 4, &out, &err), 0);
    ck_assert_int_eq(out.root->kind, KIND_TUPLE);
    ck_assert_uint_eq(out.size, DEPTH + 4);
}
END_TEST

/* ---- Archives ---- */

START_TEST(a_zip_of_something_else)
{
    archive_add(&archive, "a/b/data.pkl", "N.", 2, false);
    archive_end(&archive);
    ck_assert_int_eq(checkpoint_read(arena, archive.bytes, archive.size, NULL,
                                     &checkpoint, &err),
                     -1);
    ck_assert_ptr_nonnull(strstr(err.message, "without PyTorch's data.pkl"));
}
END_TEST

/* Each may be as large, both may not. */
START_TEST(a_zip_bomb)
{
    enum { SIZE = 700 << 10 };
    const Saved saved[] = {
        {"x", "FloatStorage", "0", SIZE / 4, 0, 1, {1}, {1}},
        {"y", "FloatStorage", "1", SIZE / 4, 0, 1, {1}, {1}}};
    const void *zeros = arena_alloc(arena, SIZE);
    for (size_t count = 1; count <= 2; count++) {
        archive_start(&archive, archive.bytes);
        pickle->size = 0;
        pickle_whole(pickle, saved, count);
        archive_add(&archive, "a/data.pkl", pickle->bytes, pickle->size, true);
        archive_add(&archive, "a/data/0", zeros, SIZE, true);
        archive_add(&archive, "a/data/1", zeros, SIZE, true);
        archive_end(&archive);
        int status = checkpoint_read(arena, archive.bytes, archive.size, NULL,
                                     &checkpoint, &err);
        ck_assert_msg(status == (count == 1 ? 0 : -1), "%s", err.message);
    }
    ck_assert_int_eq(err.code, ERR_BUDGET);
    ck_assert_ptr_nonnull(strstr(err.message, "y: a/data/1: decompressed"));
}
END_TEST

START_TEST(an_unknown_byte_order)
{
    pickle_whole(pickle, typed, 1);
    archive_add(&archive, "archive/byteorder", "middle", 6, false);
    ck_assert_int_eq(read_key(NULL), -1);
    ck_assert_ptr_nonnull(strstr(err.message, "byte order"));
}
END_TEST

/* Cut anywhere, the file is refused. */
START_TEST(a_truncated_file)
{
    pickle_whole(pickle, typed, 3);
    pack();
    for (size_t size = 0; size < archive.size; size++) {
        uint8_t *part = arena_block(arena, size + 1, 1);
        memcpy(part, archive.bytes, size);
        err = (Err){0};
        ck_assert_int_eq(
            checkpoint_read(arena, part, size, NULL, &checkpoint, &err), -1);
        arena_release(part);
    }
}
END_TEST

Suite *suite_checkpoint(void)
{
    Suite *suite = suite_create("checkpoint");
    TCase *reads = tcase_create("reads");
    tcase_add_checked_fixture(reads, setup, teardown);
    tcase_add_test(reads, views_of_one_storage);
    tcase_add_test(reads, every_real_type);
    tcase_add_test(reads, big_endian_files);
    tcase_add_test(reads, compressed_archives);
    tcase_add_loop_test(reads, the_averaged_weights_come_first, 1, 5);
    tcase_add_test(reads, a_key_chooses);
    tcase_add_test(reads, a_wrong_key_names_the_right_ones);
    tcase_add_test(reads, no_tensors_at_the_top);
    tcase_add_loop_test(reads, wrappers_prefixes_go, 0, 4);
    tcase_add_test(reads, what_else_is_in_the_file_is_passed_over);
    suite_add_tcase(suite, reads);
    TCase *refuses = tcase_create("refuses");
    tcase_add_checked_fixture(refuses, setup, teardown);
    tcase_add_loop_test(refuses, a_tensor_that_lies_is_refused, 0,
                        sizeof lies / sizeof *lies);
    tcase_add_test(refuses, two_tensors_of_one_name);
    tcase_add_loop_test(refuses, a_bad_pickle_is_refused, 0,
                        sizeof pickles / sizeof *pickles);
    tcase_add_loop_test(refuses, a_pickle_bomb_is_bounded, 0,
                        sizeof bombs / sizeof *bombs);
    tcase_add_test(refuses, a_long_list_is_bounded);
    tcase_add_test(refuses, deep_nesting_is_read);
    tcase_add_test(refuses, a_zip_of_something_else);
    tcase_add_test(refuses, a_zip_bomb);
    tcase_add_test(refuses, an_unknown_byte_order);
    tcase_add_test(refuses, a_truncated_file);
    suite_add_tcase(suite, refuses);
    return suite;
}
