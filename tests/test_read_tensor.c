/* Reading tensors: every way to store them gives the same elements, and none
 * is misread. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models.h"
#include "suites.h"

/* Numbers of TensorProto's fields. */
enum {
    DIMS = 1,
    DATA_TYPE = 2,
    SEGMENT = 3,
    FLOAT_DATA = 4,
    INT32_DATA = 5,
    STRING_DATA = 6,
    INT64_DATA = 7,
    NAME = 8,
    RAW_DATA = 9,
    DOUBLE_DATA = 10,
    UINT64_DATA = 11,
    EXTERNAL_DATA = 13,
    DATA_LOCATION = 14
};

/* The beginning of a tensor "t"; one dim, or none where it is negative. */
static Proto tensor(int type, int64_t dim)
{
    Proto tensor = {.size = 0};
    if (dim >= 0)
        proto_int(&tensor, DIMS, (uint64_t)dim);
    proto_int(&tensor, DATA_TYPE, (uint64_t)type);
    proto_text(&tensor, NAME, "t");
    return tensor;
}

static const Tensor *tensor_of(const Proto *proto)
{
    Proto graph = {.size = 0};
    proto_message(&graph, 5, proto);
    return model_of_graph(&graph)->graph->initializers[0]->tensor;
}

static void check_bad(const Proto *proto, const char *text)
{
    Proto graph = {.size = 0};
    proto_message(&graph, 5, proto);
    check_graph_refused(&graph, ERR_BAD_TENSOR, "initializer \"t\": ");
    check_graph_refused(&graph, ERR_BAD_TENSOR, text);
}

static void check_elements(const Tensor *tensor, const double *want,
                           int64_t count)
{
    double values[8];
    ck_assert_int_eq(tensor->count, count);
    ck_assert(tensor_is_readable(tensor));
    tensor_read_f64(tensor, 0, count, values);
    for (int64_t i = 0; i < count; i++)
        ck_assert_msg(values[i] == want[i], "element %d: %g, not %g", (int)i,
                      values[i], want[i]);
}

/* ---- Where elements can be ---- */

START_TEST(raw_data_is_taken_as_it_is)
{
    static const float values[] = {1, -2.5f, 3e30f};
    Proto proto = tensor(DT_FLOAT, 3);
    proto_bytes(&proto, RAW_DATA, values, sizeof values);
    const Tensor *t = tensor_of(&proto);
    ck_assert_int_eq(t->type, DT_FLOAT);
    check_elements(t, (double[]){1, -2.5, (double)3e30f}, 3);
}
END_TEST

START_TEST(float_data_is_packed_or_not)
{
    static const float values[] = {1, -2.5f};
    static const double want[] = {1, -2.5};
    Proto packed = tensor(DT_FLOAT, 2), single = packed, mixed = packed;
    proto_bytes(&packed, FLOAT_DATA, values, sizeof values);
    put_raw(&single, "\x25\0\0\x80\x3f\x25\0\0\x20\xc0", 10);
    proto_bytes(&mixed, FLOAT_DATA, values, 4);
    put_raw(&mixed, "\x25\0\0\x20\xc0", 5);
    check_elements(tensor_of(&packed), want, 2);
    check_elements(tensor_of(&single), want, 2);
    check_elements(tensor_of(&mixed), want, 2);
}
END_TEST

START_TEST(packed_floats_stay_in_the_file)
{
    static const float values[] = {1, 2};
    Proto proto = tensor(DT_FLOAT, 2), graph = {.size = 0};
    proto_bytes(&proto, FLOAT_DATA, values, sizeof values);
    proto_message(&graph, 5, &proto);
    const Model *model = model_of_graph(&graph);
    const uint8_t *data = model->graph->initializers[0]->tensor->data;
    ck_assert(data > model->file.bytes);
    ck_assert(data < model->file.bytes + model->file.size);
}
END_TEST

START_TEST(double_data_and_64_bits)
{
    static const double values[] = {0.1, -1e300};
    Proto proto = tensor(DT_DOUBLE, 2);
    proto_bytes(&proto, DOUBLE_DATA, values, sizeof values);
    check_elements(tensor_of(&proto), values, 2);
    Proto ints = tensor(DT_INT64, 2);
    proto_int(&ints, INT64_DATA, (uint64_t)-7);
    proto_int(&ints, INT64_DATA, (uint64_t)1 << 40);
    check_elements(tensor_of(&ints), (double[]){-7, 0x1p40}, 2);
    Proto large = tensor(DT_UINT64, 1);
    proto_int(&large, UINT64_DATA, (uint64_t)1 << 63);
    check_elements(tensor_of(&large), (double[]){0x1p63}, 1);
    Proto word = tensor(DT_UINT32, 1);
    proto_int(&word, UINT64_DATA, UINT32_MAX);
    check_elements(tensor_of(&word), (double[]){4294967295.0}, 1);
}
END_TEST

/* What int32_data holds for a type, and what that means. */
static const struct {
    int type;
    int64_t low, high; /* the smallest and largest entry */
    double low_value, high_value;
} int32_types[] = {
    {DT_INT8, -128, 127, -128, 127},
    {DT_UINT8, 0, 255, 0, 255},
    {DT_INT16, -32768, 32767, -32768, 32767},
    {DT_UINT16, 0, 65535, 0, 65535},
    {DT_INT32, INT32_MIN, INT32_MAX, INT32_MIN, INT32_MAX},
    {DT_BOOL, 0, 1, 0, 1},
    {DT_FLOAT16, 0, 0x7bff, 0, 65504},
    {DT_BFLOAT16, 0, 0x3f80, 0, 1},
};

START_TEST(int32_data_holds_the_small_types)
{
    for (size_t i = 0; i < sizeof int32_types / sizeof *int32_types; i++) {
        const double want[] = {int32_types[i].low_value,
                               int32_types[i].high_value};
        Proto single = tensor(int32_types[i].type, 2), packed = single,
              numbers = {.size = 0};
        proto_int(&single, INT32_DATA, (uint64_t)int32_types[i].low);
        proto_int(&single, INT32_DATA, (uint64_t)int32_types[i].high);
        check_elements(tensor_of(&single), want, 2);
        /* The same numbers, each without its tag of one byte. */
        for (int k = 0; k < 2; k++) {
            Proto number = {.size = 0};
            proto_int(&number, 1,
                      (uint64_t)(k ? int32_types[i].high : int32_types[i].low));
            put_raw(&numbers, number.bytes + 1, number.size - 1);
        }
        proto_message(&packed, INT32_DATA, &numbers);
        check_elements(tensor_of(&packed), want, 2);
    }
}
END_TEST

START_TEST(entries_out_of_range_are_refused)
{
    static const struct {
        int type;
        int64_t entry;
    } cases[] = {
        {DT_INT8, 128}, {DT_INT8, -129},       {DT_UINT8, 256},
        {DT_UINT8, -1}, {DT_INT16, 32768},     {DT_UINT16, 65536},
        {DT_BOOL, 2},   {DT_FLOAT16, 0x10000}, {DT_BFLOAT16, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Proto proto = tensor(cases[i].type, 2);
        proto_int(&proto, INT32_DATA, 0);
        proto_int(&proto, INT32_DATA, (uint64_t)cases[i].entry);
        check_bad(&proto, "element 1 of int32_data is out of the range");
    }
    Proto word = tensor(DT_UINT32, 1);
    proto_int(&word, UINT64_DATA, (uint64_t)1 << 32);
    check_bad(&word, "element 0 of uint64_data is out of the range");
}
END_TEST

START_TEST(dims_are_packed_or_not)
{
    Proto single = {.size = 0}, packed = {.size = 0};
    proto_bytes(&packed, DIMS, "\x02\x01", 2);
    proto_int(&single, DIMS, 2);
    proto_int(&single, DIMS, 1);
    for (int i = 0; i < 2; i++) {
        Proto *proto = i ? &packed : &single;
        proto_int(proto, DATA_TYPE, DT_UINT8);
        proto_bytes(proto, RAW_DATA, "\x07\x09", 2);
        proto_text(proto, NAME, "t");
        const Tensor *t = tensor_of(proto);
        ck_assert_int_eq(t->rank, 2);
        ck_assert_int_eq(t->dims[0], 2);
        check_elements(t, (double[]){7, 9}, 2);
    }
}
END_TEST

START_TEST(empty_tensors_have_no_data)
{
    Proto none = tensor(DT_FLOAT, 0), nothing = none, some = none;
    ck_assert_int_eq(tensor_of(&none)->count, 0);
    proto_bytes(&nothing, RAW_DATA, "", 0);
    ck_assert_int_eq(tensor_of(&nothing)->count, 0);
    proto_bytes(&some, RAW_DATA, "1234", 4);
    check_bad(&some, "4 bytes of data");
}
END_TEST

START_TEST(sizes_are_exact)
{
    static const size_t wrong[] = {1, 4, 7, 9, 12};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        Proto proto = tensor(DT_FLOAT, 2);
        proto_bytes(&proto, RAW_DATA, "0123456789ab", wrong[i]);
        check_bad(&proto, "bytes of data where its type float32 and dims need "
                          "8");
    }
    Proto scalar = tensor(DT_FLOAT, -1), single = tensor(DT_FLOAT, 2);
    check_bad(&scalar, "0 bytes of data");
    proto_bytes(&single, FLOAT_DATA, "1234", 4);
    check_bad(&single, "4 bytes of data");
}
END_TEST

START_TEST(elements_are_in_one_place)
{
    Proto both = tensor(DT_FLOAT, 1), wrong = both, text = {.size = 0};
    proto_bytes(&both, FLOAT_DATA, "1234", 4);
    proto_bytes(&both, RAW_DATA, "1234", 4);
    check_bad(&both, "has both float_data and raw_data");
    proto_int(&wrong, INT64_DATA, 1);
    check_bad(&wrong, "has int64_data, which does not go with its type");
    text = tensor(DT_STRING, 1);
    proto_bytes(&text, RAW_DATA, "1234", 4);
    check_bad(&text, "has raw_data, which does not go with its type string");
}
END_TEST

START_TEST(impossible_dims_are_refused)
{
    Proto minus = {.size = 0}, large = tensor(DT_FLOAT, (int64_t)1 << 32);
    proto_int(&minus, DIMS, (uint64_t)-1);
    proto_int(&minus, DATA_TYPE, DT_FLOAT);
    proto_text(&minus, NAME, "t");
    check_bad(&minus, "the negative dim -1");
    proto_int(&large, DIMS, (uint64_t)1 << 32);
    check_bad(&large, "overflows");
    Proto bytes = tensor(DT_DOUBLE, INT64_MAX);
    check_bad(&bytes, "overflows");
}
END_TEST

START_TEST(a_tensor_has_a_type)
{
    Proto none = {.size = 0}, zero = tensor(0, 1), minus = tensor(-1, 1);
    proto_text(&none, NAME, "t");
    check_bad(&none, "has no data type");
    check_bad(&zero, "has no data type");
    check_bad(&minus, "has no data type");
}
END_TEST

START_TEST(segments_are_refused)
{
    Proto proto = tensor(DT_FLOAT, 1);
    proto_bytes(&proto, RAW_DATA, "1234", 4);
    proto_bytes(&proto, SEGMENT, "", 0);
    check_bad(&proto, "segments");
}
END_TEST

/* ---- What is passed through ---- */

START_TEST(types_that_are_not_numbers_stay_opaque)
{
    Proto text = tensor(DT_STRING, 2), packed = tensor(DT_INT4, 3),
          newer = tensor(28, 2), complex = tensor(DT_COMPLEX64, 1),
          small = tensor(DT_FLOAT8E5M2, 2), sparse = packed;
    proto_text(&text, STRING_DATA, "a");
    proto_text(&text, STRING_DATA, "b");
    ck_assert_int_eq(tensor_of(&text)->type, DT_STRING);
    ck_assert(!tensor_is_readable(tensor_of(&text)));
    proto_bytes(&packed, RAW_DATA, "\x21\x03", 2);
    ck_assert_int_eq(tensor_of(&packed)->count, 3);
    ck_assert(!tensor_is_readable(tensor_of(&packed)));
    proto_bytes(&newer, RAW_DATA, "12", 2);
    ck_assert_int_eq(tensor_of(&newer)->type, DT_UNDEFINED);
    ck_assert(!tensor_is_readable(tensor_of(&newer)));
    proto_bytes(&complex, FLOAT_DATA, "12345678", 8);
    ck_assert(!tensor_is_readable(tensor_of(&complex)));
    proto_bytes(&small, RAW_DATA, "12", 2);
    ck_assert(!tensor_is_readable(tensor_of(&small)));
    proto_int(&sparse, INT32_DATA, 0x321);
    ck_assert(!tensor_is_readable(tensor_of(&sparse)));
}
END_TEST

START_TEST(opaque_tensors_have_their_size)
{
    Proto text = tensor(DT_STRING, 2), packed = tensor(DT_INT4, 700000000),
          two = tensor(DT_UINT2, 5);
    proto_text(&text, STRING_DATA, "a");
    check_bad(&text, "1 strings where its type string and dims need 2");
    proto_bytes(&packed, RAW_DATA, "1", 1);
    check_bad(&packed, "1 bytes of data where its type int4 and dims need "
                       "350000000");
    proto_bytes(&two, RAW_DATA, "1", 1);
    check_bad(&two, "need 2");
}
END_TEST

START_TEST(a_rank_beyond_reason_stays_opaque)
{
    Proto proto = tensor(DT_FLOAT, 1), graph = {.size = 0};
    for (int i = 0; i < RANK_MAX; i++)
        proto_int(&proto, DIMS, 1);
    proto_bytes(&proto, RAW_DATA, "1234", 4);
    proto_message(&graph, 5, &proto);
    const Value *t = model_of_graph(&graph)->graph->initializers[0];
    ck_assert(!tensor_is_readable(t->tensor));
    ck_assert_int_eq(t->fact.rank, -1);
}
END_TEST

START_TEST(sparse_initializers_stay_opaque)
{
    Proto values = tensor(DT_FLOAT, 1), sparse = {.size = 0},
          indices = tensor(DT_INT64, 1), graph = {.size = 0};
    proto_bytes(&values, RAW_DATA, "1234", 4);
    proto_int(&indices, INT64_DATA, 2);
    proto_message(&sparse, 1, &values);
    proto_message(&sparse, 2, &indices);
    proto_int(&sparse, 3, 4);
    proto_message(&graph, 15, &sparse);
    const Model *model = model_of_graph(&graph);
    const Value *t = find_initializer(model->graph, "t");
    ck_assert_ptr_nonnull(t);
    ck_assert(!tensor_is_readable(t->tensor));
    proto_message(&graph, 15, &sparse);
    check_graph_refused(&graph, ERR_DUPLICATE_NAME, "\"t\" is there twice");
}
END_TEST

/* Two values at those indices, of a tensor of those dims. */
typedef struct SparseCase {
    int index_type, index_rank;
    int64_t index_dims[3], indices[4];
    size_t index_count, rank;
    int64_t dims[2];
    const char *why; /* NULL: it is right */
} SparseCase;

static void sparse_graph(Proto *graph, const SparseCase *c)
{
    Proto values = tensor(DT_FLOAT, 2), indices = {.size = 0}, sparse = indices;
    *graph = indices;
    proto_bytes(&values, RAW_DATA, "12345678", 8);
    for (int i = 0; i < c->index_rank; i++)
        proto_int(&indices, DIMS, (uint64_t)c->index_dims[i]);
    proto_int(&indices, DATA_TYPE, (uint64_t)c->index_type);
    for (size_t i = 0; i < c->index_count; i++)
        proto_int(&indices, c->index_type == DT_INT64 ? INT64_DATA : INT32_DATA,
                  (uint64_t)c->indices[i]);
    proto_message(&sparse, 1, &values);
    if (c->index_type != DT_UNDEFINED)
        proto_message(&sparse, 2, &indices);
    for (size_t i = 0; i < c->rank; i++)
        proto_int(&sparse, 3, (uint64_t)c->dims[i]);
    proto_message(graph, 15, &sparse);
}

START_TEST(sparse_tensors_are_what_they_say)
{
    static const int64_t big = (int64_t)1 << 40;
    static const SparseCase cases[] = {
        {DT_INT64, 1, {2}, {1, 3}, 2, 1, {5}, NULL},
        {DT_INT64, 2, {2, 2}, {0, 2, 1, 0}, 4, 2, {2, 3}, NULL},
        {DT_INT64, 1, {2}, {3, 1}, 2, 1, {5}, "not behind the one before"},
        {DT_INT64, 1, {2}, {3, 3}, 2, 1, {5}, "not behind the one before"},
        {DT_INT64, 2, {2, 2}, {1, 0, 0, 2}, 4, 2, {2, 3}, "index 1 is not"},
        {DT_INT64, 1, {2}, {3, 5}, 2, 1, {5}, "index 1 is out of range"},
        {DT_INT64, 1, {2}, {-1, 3}, 2, 1, {5}, "index 0 is out of range"},
        {DT_INT64, 2, {2, 2}, {0, 3, 1, 0}, 4, 2, {2, 3}, "out of range"},
        {DT_INT64, 1, {3}, {1, 2, 3}, 3, 1, {5}, "for each of 2 values"},
        {DT_INT64, 3, {1, 2, 1}, {1, 3}, 2, 1, {5}, "for each of 2"},
        {DT_INT64, 2, {2, 1}, {1, 3}, 2, 2, {2, 3}, "for each of 2"},
        {DT_INT32, 1, {2}, {1, 3}, 2, 1, {5}, "not one of int64"},
        {DT_UNDEFINED, 0, {0}, {0}, 0, 1, {5}, "values and no indices"},
        {DT_INT64, 1, {2}, {1, 3}, 2, 0, {0}, "has no dims"},
        {DT_INT64, 1, {2}, {1, 3}, 2, 2, {5, 0}, "has the dim 0"},
        {DT_INT64, 1, {2}, {1, 3}, 2, 2, {big, big}, "dims overflow"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Proto graph;
        sparse_graph(&graph, &cases[i]);
        if (cases[i].why)
            check_graph_refused(&graph, ERR_BAD_TENSOR, cases[i].why);
        else
            model_of_graph(&graph);
    }
}
END_TEST

/* A byte of an entry, or all four of them, may be filled. */
START_TEST(small_types_have_entries_enough)
{
    for (int entries = 0; entries <= 7; entries++) {
        Proto four = tensor(DT_UINT4, 11);
        for (int i = 0; i < entries; i++)
            proto_int(&four, INT32_DATA, 1);
        if (entries >= 2 && entries <= 6)
            tensor_of(&four);
        else
            check_bad(&four, "where its type uint4 and dims need 6");
    }
}
END_TEST

static void put_external(Proto *proto, const char *location)
{
    Proto entry = {.size = 0};
    proto_text(&entry, 1, "location");
    proto_text(&entry, 2, location);
    proto_message(proto, EXTERNAL_DATA, &entry);
    proto_int(proto, DATA_LOCATION, 1);
}

START_TEST(external_data_needs_a_folder)
{
    Proto proto = tensor(DT_FLOAT, 1), graph = {.size = 0}, extra = graph,
          sparse = graph;
    put_external(&proto, "weights.bin");
    proto_message(&graph, 5, &proto);
    check_graph_refused(&graph, ERR_EXTERNAL_DATA,
                        "initializer \"t\": data file \"weights.bin\": the "
                        "model does not come from a file");
    put_attribute(&extra, "value", 5, proto.bytes, proto.size, ATTR_TENSOR);
    node_graph(&graph, "Custom", &extra);
    check_graph_refused(&graph, ERR_EXTERNAL_DATA,
                        "attribute \"value\": data file \"weights.bin\"");
    proto_message(&sparse, 1, &proto);
    graph = (Proto){.size = 0};
    proto_message(&graph, 15, &sparse);
    check_graph_refused(&graph, ERR_EXTERNAL_DATA, "sparse initializer");
}
END_TEST

START_TEST(the_location_of_data_is_one_that_is_known)
{
    Proto proto = tensor(DT_FLOAT, 1), graph = {.size = 0};
    proto_int(&proto, DATA_LOCATION, 2);
    proto_message(&graph, 5, &proto);
    check_graph_refused(&graph, ERR_BAD_TENSOR, "unknown data location 2");
}
END_TEST

START_TEST(tensors_of_attributes_stay_in_the_file_too)
{
    Proto proto = tensor(DT_INT64, 1), extra = {.size = 0}, graph;
    proto_bytes(&proto, RAW_DATA, "\x05\0\0\0\0\0\0\0", 8);
    put_attribute(&extra, "value", 5, proto.bytes, proto.size, ATTR_TENSOR);
    node_graph(&graph, "Custom", &extra);
    const Model *model = model_of_graph(&graph);
    const Attr *attr = node_attr(model->graph->nodes[0], "value");
    const uint8_t *data = attr->tensor->data;
    check_elements(attr->tensor, (double[]){5}, 1);
    ck_assert(data > model->file.bytes);
    ck_assert(data < model->file.bytes + model->file.size);
}
END_TEST

START_TEST(a_tensor_can_be_a_file)
{
    Proto proto = tensor(DT_FLOAT, 1);
    proto_bytes(&proto, RAW_DATA, "\0\0\0\x40", 4);
    char path[] = "/tmp/repfold-tensor-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, proto.bytes, proto.size), (ssize_t)proto.size);
    Tensor *t;
    const char *name;
    Err err = {0};
    ck_assert_int_eq(tensor_read_file(arena, path, &t, &name, &err), 0);
    ck_assert_str_eq(name, "t");
    check_elements(t, (double[]){2}, 1);
    ck_assert_int_eq(ftruncate(fd, (off_t)proto.size - 1), 0);
    ck_assert_int_eq(tensor_read_file(arena, path, &t, &name, &err), -1);
    ck_assert_int_eq(err.code, ERR_TRUNCATED);
    ck_assert_str_eq(err.file, path);
    close(fd);
    unlink(path);
}
END_TEST

Suite *suite_read_tensor(void)
{
    Suite *suite = suite_create("read_tensor");
    TCase *tcase = tcase_create("read_tensor");
    tcase_add_checked_fixture(tcase, models_setup, models_teardown);
    tcase_add_test(tcase, raw_data_is_taken_as_it_is);
    tcase_add_test(tcase, float_data_is_packed_or_not);
    tcase_add_test(tcase, packed_floats_stay_in_the_file);
    tcase_add_test(tcase, double_data_and_64_bits);
    tcase_add_test(tcase, int32_data_holds_the_small_types);
    tcase_add_test(tcase, entries_out_of_range_are_refused);
    tcase_add_test(tcase, dims_are_packed_or_not);
    tcase_add_test(tcase, empty_tensors_have_no_data);
    tcase_add_test(tcase, sizes_are_exact);
    tcase_add_test(tcase, elements_are_in_one_place);
    tcase_add_test(tcase, impossible_dims_are_refused);
    tcase_add_test(tcase, a_tensor_has_a_type);
    tcase_add_test(tcase, segments_are_refused);
    tcase_add_test(tcase, types_that_are_not_numbers_stay_opaque);
    tcase_add_test(tcase, opaque_tensors_have_their_size);
    tcase_add_test(tcase, a_rank_beyond_reason_stays_opaque);
    tcase_add_test(tcase, sparse_initializers_stay_opaque);
    tcase_add_test(tcase, sparse_tensors_are_what_they_say);
    tcase_add_test(tcase, small_types_have_entries_enough);
    tcase_add_test(tcase, external_data_needs_a_folder);
    tcase_add_test(tcase, the_location_of_data_is_one_that_is_known);
    tcase_add_test(tcase, tensors_of_attributes_stay_in_the_file_too);
    tcase_add_test(tcase, a_tensor_can_be_a_file);
    suite_add_tcase(suite, tcase);
    return suite;
}
