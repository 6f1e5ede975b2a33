/* The table of operators. */
#include <string.h>

#include "graph/graph.h"
#include "suites.h"

START_TEST(every_row_is_found_by_its_name)
{
    for (int i = OP_OTHER + 1; i < OP_COUNT; i++)
        ck_assert_int_eq(op_find(op_name((Op)i)), i);
}
END_TEST

/* op_find searches by bisection. */
START_TEST(rows_are_sorted)
{
    for (int i = OP_OTHER + 2; i < OP_COUNT; i++)
        ck_assert_int_lt(strcmp(op_name((Op)(i - 1)), op_name((Op)i)), 0);
}
END_TEST

START_TEST(other_names_are_no_operator)
{
    static const char *const names[] = {"",    "conv", "Con",       "Convs",
                                        "Zzz", "Aaa",  "SequenceAt"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        ck_assert_int_eq(op_find(names[i]), OP_OTHER);
}
END_TEST

START_TEST(arities)
{
    ck_assert_int_eq(op_arity(OP_Conv).min_inputs, 2);
    ck_assert_int_eq(op_arity(OP_Conv).max_inputs, 3);
    ck_assert_int_eq(op_arity(OP_Concat).max_inputs, -1);
    ck_assert_int_eq(op_arity(OP_Split).max_outputs, -1);
    for (int i = OP_OTHER; i < OP_COUNT; i++) {
        OpArity arity = op_arity((Op)i);
        ck_assert(arity.max_inputs < 0 || arity.min_inputs <= arity.max_inputs);
        ck_assert_int_ne(arity.max_outputs, 0);
    }
}
END_TEST

START_TEST(operators_come_and_go)
{
    ck_assert(!op_exists(OP_Gelu, 19));
    ck_assert(op_exists(OP_Gelu, 20));
    ck_assert(op_exists(OP_Gelu, 28));
    ck_assert(op_exists(OP_Upsample, 1));
    ck_assert(op_exists(OP_Upsample, 9));
    ck_assert(!op_exists(OP_Upsample, 10));
    ck_assert(op_exists(OP_Gelu, 0));
    ck_assert(op_exists(OP_OTHER, 1));
    for (int i = OP_OTHER; i < OP_COUNT; i++) {
        OpRange range = op_range((Op)i);
        ck_assert_int_ge(range.since, 1);
        ck_assert(range.until == 0 || range.until >= range.since);
    }
}
END_TEST

START_TEST(attributes_have_the_types_of_some_opset)
{
    const uint32_t integer = (uint32_t)1 << ATTR_INT,
                   real = (uint32_t)1 << ATTR_FLOAT,
                   string = (uint32_t)1 << ATTR_STRING,
                   tensor = (uint32_t)1 << ATTR_TENSOR;
    ck_assert_uint_eq(op_attr_types(OP_Softmax, "axis"), integer);
    ck_assert_uint_eq(op_attr_types(OP_Attention, "scale"), real);
    /* Cast's was a name once; a Pad has a number where others have tensors. */
    ck_assert_uint_eq(op_attr_types(OP_Cast, "to"), integer | string);
    ck_assert_uint_eq(op_attr_types(OP_Constant, "value"), tensor);
    ck_assert_uint_eq(op_attr_types(OP_Pad, "value"), real);
    /* Those of others are none of its own. */
    ck_assert_uint_eq(op_attr_types(OP_Conv, "alpha"), 0);
    ck_assert_uint_eq(op_attr_types(OP_Relu, "kernel_shape"), 0);
    ck_assert_uint_eq(op_attr_types(OP_MatMul, "transA"), 0);
    ck_assert_uint_eq(op_attr_types(OP_OTHER, "axis"), 0);
}
END_TEST

Suite *suite_op(void)
{
    Suite *suite = suite_create("op");
    TCase *tcase = tcase_create("op");
    tcase_add_test(tcase, every_row_is_found_by_its_name);
    tcase_add_test(tcase, rows_are_sorted);
    tcase_add_test(tcase, other_names_are_no_operator);
    tcase_add_test(tcase, arities);
    tcase_add_test(tcase, operators_come_and_go);
    tcase_add_test(tcase, attributes_have_the_types_of_some_opset);
    suite_add_tcase(suite, tcase);
    return suite;
}
