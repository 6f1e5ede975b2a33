/*
 * Every operator that takes elements of several types, for each of them.
 * exec_case.h has the notation.
 */
#include <stdio.h>

#include "exec_case.h"
#include "suites.h"

static const struct {
    const char *name;
    DType type;
} types[] = {
    {"f32", DT_FLOAT},     {"f64", DT_DOUBLE}, {"f16", DT_FLOAT16},
    {"bf16", DT_BFLOAT16}, {"i8", DT_INT8},    {"i16", DT_INT16},
    {"i32", DT_INT32},     {"i64", DT_INT64},  {"u8", DT_UINT8},
    {"u16", DT_UINT16},    {"u32", DT_UINT32}, {"u64", DT_UINT64},
    {"bool", DT_BOOL},
};

typedef enum Group { ALL, NUMBERS, SIGNED, INTEGERS, REALS } Group;

static bool group_has(Group group, DType type)
{
    bool is_real = dtype_is_real(type), is_signed = is_real;
    is_signed |= type == DT_INT8 || type == DT_INT16 || type == DT_INT32 ||
                 type == DT_INT64;
    switch (group) {
    case ALL:
        return true;
    case NUMBERS:
        return type != DT_BOOL;
    case SIGNED:
        return is_signed;
    case INTEGERS:
        return type != DT_BOOL && !is_real;
    default:
        return is_real;
    }
}

/* T stands for each type of the group, of which the result is too. */
typedef struct TypeRow {
    Group group;
    const char *line, *expect;
} TypeRow;

/* clang-format off */
static const TypeRow type_rows[] = {
    {ALL, "Identity(T[2]{1,0})", "[2]{1,0}"},
    {ALL, "Reshape(T[2]{1,0}, i64{2,1})", "[2,1]{1,0}"},
    {ALL, "Flatten(T[2,1]{1,0})", "[2,1]{1,0}"},
    {ALL, "Squeeze(T[2,1]{1,0})", "[2]{1,0}"},
    {ALL, "Unsqueeze(T[2]{1,0}, i64[1]{0})", "[1,2]{1,0}"},
    {ALL, "Transpose(T[1,2]{1,0})", "[2,1]{1,0}"},
    {ALL, "Concat(T[1]{1}, T[1]{0}) axis=0", "[2]{1,0}"},
    {ALL, "Slice(T[2]{1,0}, i64[1]{1}, i64[1]{2})", "[1]{0}"},
    {ALL, "Split(T[2]{1,0}, i64[1]{2})", "[2]{1,0}"},
    {ALL, "Gather(T[2]{1,0}, i64[1]{1})", "[1]{0}"},
    {ALL, "GatherElements(T[2]{1,0}, i64[1]{1})", "[1]{0}"},
    {ALL, "GatherND(T[2]{1,0}, i64[1,1]{1})", "[1]{0}"},
    {ALL, "ScatterElements(T[2]{1,0}, i64[1]{1}, T[1]{1})", "[2]{1,1}"},
    {ALL, "ScatterND(T[2]{1,0}, i64[1,1]{1}, T[1]{1})", "[2]{1,1}"},
    {ALL, "Expand(T[1]{1}, i64[1]{2})", "[2]{1,1}"},
    {ALL, "Tile(T[1]{1}, i64[1]{2})", "[2]{1,1}"},
    {ALL, "Pad(T[1]{1}, i64{0,1})", "[2]{1,0}"},
    {ALL, "Where(bool[2]{1,0}, T[1]{1}, T[1]{0})", "[2]{1,0}"},
    {ALL, "DepthToSpace(T[1,4,1,1]{1,0,1,0}) blocksize=2",
     "[1,1,2,2]{1,0,1,0}"},
    {ALL, "SpaceToDepth(T[1,1,2,2]{1,0,1,0}) blocksize=2",
     "[1,4,1,1]{1,0,1,0}"},
    {ALL, "Trilu(T[2,2]{1,1,1,1})", "[2,2]{1,1,0,1}"},
    {ALL, "Resize(T[2]{1,0}, -, f32[1]{2})", "[4]{1,1,0,0}"},
    {REALS, "Dropout(T[2]{1,0})", "[2]{1,0}"},
    {NUMBERS, "Add(T[2]{1,2}, T[2]{3,4})", "[2]{4,6}"},
    {NUMBERS, "Sub(T[2]{5,6}, T[2]{3,4})", "[2]{2,2}"},
    {NUMBERS, "Mul(T[2]{1,2}, T[2]{3,4})", "[2]{3,8}"},
    {NUMBERS, "Div(T[2]{6,8}, T[2]{3,4})", "[2]{2,2}"},
    {NUMBERS, "Pow(T[2]{1,2}, T[2]{3,4})", "[2]{1,16}"},
    {NUMBERS, "Max(T[2]{1,4}, T[2]{3,2})", "[2]{3,4}"},
    {NUMBERS, "Min(T[2]{1,4}, T[2]{3,2})", "[2]{1,2}"},
    {NUMBERS, "Abs(T[2]{1,4})", "[2]{1,4}"},
    {NUMBERS, "Sign(T[2]{0,4})", "[2]{0,1}"},
    {NUMBERS, "Clip(T[2]{1,4}, T[]{2}, T[]{3})", "[2]{2,3}"},
    {NUMBERS, "ReduceMax(T[2]{1,4})", "[1]{4}"},
    {NUMBERS, "ReduceMin(T[2]{1,4})", "[1]{1}"},
    {NUMBERS, "ReduceSum(T[2]{1,4})", "[1]{5}"},
    {NUMBERS, "ReduceMean(T[2]{1,5})", "[1]{3}"},
    {NUMBERS, "ReduceProd(T[2]{2,4})", "[1]{8}"},
    {NUMBERS, "ReduceL1(T[2]{2,4})", "[1]{6}"},
    {NUMBERS, "ReduceSumSquare(T[2]{2,3})", "[1]{13}"},
    {NUMBERS, "MatMul(T[1,2]{1,2}, T[2,1]{3,4})", "[1,1]{11}"},
    {NUMBERS, "Gemm(T[1,2]{1,2}, T[2,1]{3,4})", "[1,1]{11}"},
    {NUMBERS, "Einsum(T[2]{1,2}, T[2]{3,4}) equation=\"i,i->\"", "[]{11}"},
    {NUMBERS, "CumSum(T[2]{1,2}, i64[]{0})", "[2]{1,3}"},
    {NUMBERS, "TopK(T[3]{1,3,2}, i64[1]{1})", "[1]{3}"},
    {NUMBERS, "Range(T[]{1}, T[]{4}, T[]{2})", "[2]{1,3}"},
    {NUMBERS, "Upsample(T[2]{1,2}, f32[1]{2}) @9", "[4]{1,1,2,2}"},
    {SIGNED, "Neg(T[2]{1,-2})", "[2]{-1,2}"},
    {SIGNED, "Relu(T[2]{-1,2})", "[2]{0,2}"},
    {INTEGERS, "Mod(T[2]{7,8}, T[2]{4,4})", "[2]{3,0}"},
};
/* clang-format on */

enum { TYPE_ROWS = sizeof type_rows / sizeof *type_rows };

/* The line with a type's name for each "T[". */
static void put_type(const char *line, const char *name, char *out, size_t size)
{
    size_t length = 0;
    for (; *line; line++) {
        bool stands = line[0] == 'T' && line[1] == '[';
        int put = stands ? snprintf(out + length, size - length, "%s", name)
                         : snprintf(out + length, size - length, "%c", *line);
        length += (size_t)put;
        ck_assert_uint_lt(length, size);
    }
}

START_TEST(row_holds_for_all_its_types)
{
    const TypeRow *row = &type_rows[_i];
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char line[256], expect[256];
        if (!group_has(row->group, types[i].type))
            continue;
        put_type(row->line, types[i].name, line, sizeof line);
        snprintf(expect, sizeof expect, "%s%s", dtype_name(types[i].type),
                 row->expect);
        ExecRow of = {line, expect};
        check_exec_row(&of);
    }
}
END_TEST

/* From each type to each. */
START_TEST(every_type_is_cast_to_every_type)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
            char line[256], expect[256];
            snprintf(line, sizeof line, "Cast(%s[2]{1,0}) to=%d", types[i].name,
                     (int)types[k].type);
            snprintf(expect, sizeof expect, "%s[2]{1,0}",
                     dtype_name(types[k].type));
            ExecRow of = {line, expect};
            check_exec_row(&of);
        }
}
END_TEST

Suite *suite_types(void)
{
    Suite *suite = suite_create("types");
    TCase *tc = tcase_create("types");
    tcase_add_loop_test(tc, row_holds_for_all_its_types, 0, TYPE_ROWS);
    tcase_add_test(tc, every_type_is_cast_to_every_type);
    suite_add_tcase(suite, tc);
    return suite;
}
