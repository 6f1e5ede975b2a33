/* Errors: the first one wins, prefixes go outwards, names are stable. */
#include <string.h>

#include "base/err.h"
#include "suites.h"

START_TEST(setting_returns_minus_one_and_formats)
{
    Err err = {0};
    ck_assert_int_eq(err_set(&err, ERR_IO, "%s: %d", "file", 7), -1);
    ck_assert_int_eq(err.code, ERR_IO);
    ck_assert_str_eq(err.message, "file: 7");
}
END_TEST

START_TEST(the_first_fault_wins)
{
    Err err = {0};
    err_set(&err, ERR_IO, "first");
    ck_assert_int_eq(err_set(&err, ERR_CYCLE, "second"), -1);
    ck_assert_int_eq(err.code, ERR_IO);
    ck_assert_str_eq(err.message, "first");
}
END_TEST

START_TEST(a_prefix_goes_before)
{
    Err err = {0};
    err_set(&err, ERR_IO, "no such file");
    ck_assert_int_eq(err_prefix(&err, "model %s", "a.onnx"), -1);
    ck_assert_str_eq(err.message, "model a.onnx: no such file");
}
END_TEST

START_TEST(long_messages_are_cut_not_overrun)
{
    Err err = {0};
    char big[2000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    err_set(&err, ERR_IO, "%s", big);
    ck_assert_uint_eq(strlen(err.message), sizeof err.message - 1);
    err_prefix(&err, "%s", big);
    ck_assert_uint_eq(strlen(err.message), sizeof err.message - 1);
    err_prefix(&err, "short");
    ck_assert_int_eq(strncmp(err.message, "short: xxx", 10), 0);
}
END_TEST

/* What is wrong is told, however long the path to it is. */
START_TEST(a_long_prefix_leaves_room_for_the_message)
{
    Err err = {0};
    char big[2000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    err_set(&err, ERR_IO, "no such file");
    err_prefix(&err, "%s", big);
    ck_assert_uint_lt(strlen(err.message), sizeof err.message);
    ck_assert_ptr_nonnull(strstr(err.message, "xxx...: no such file"));
    err_prefix(&err, "outer");
    ck_assert_int_eq(strncmp(err.message, "outer: xxx", 10), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "...: no such"));
}
END_TEST

/* Who opened the file knows which it is; those around it have another. */
START_TEST(the_first_file_stays)
{
    Err err = {0};
    err_set(&err, ERR_IO, "no such file");
    ck_assert_int_eq(err_about(&err, "x.npy"), -1);
    ck_assert_int_eq(err_about(&err, "m.onnx"), -1);
    ck_assert_str_eq(err.file, "x.npy");
    ck_assert_str_eq(err.message, "no such file");
}
END_TEST

START_TEST(every_code_has_a_name_of_its_own)
{
    for (int i = 0; i < ERR_COUNT; i++) {
        ck_assert_ptr_nonnull(err_name((ErrCode)i));
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(err_name((ErrCode)i), err_name((ErrCode)j));
    }
    ck_assert_str_eq(err_name(ERR_UNSUPPORTED_OPERATOR),
                     "unsupported-operator");
    ck_assert_str_eq(err_name((ErrCode)ERR_COUNT), "internal");
}
END_TEST

static int step(int fails, Err *err)
{
    return fails ? err_set(err, ERR_USAGE, "step") : 0;
}

static int steps(int fails, int *reached, Err *err)
{
    TRY(step(fails, err));
    *reached = 1;
    return 0;
}

START_TEST(try_forwards_a_failure)
{
    Err err = {0};
    int reached = 0;
    ck_assert_int_eq(steps(1, &reached, &err), -1);
    ck_assert_int_eq(reached, 0);
    err = (Err){0};
    ck_assert_int_eq(steps(0, &reached, &err), 0);
    ck_assert_int_eq(reached, 1);
}
END_TEST

Suite *suite_err(void)
{
    Suite *suite = suite_create("err");
    TCase *tcase = tcase_create("err");
    tcase_add_test(tcase, setting_returns_minus_one_and_formats);
    tcase_add_test(tcase, the_first_fault_wins);
    tcase_add_test(tcase, a_prefix_goes_before);
    tcase_add_test(tcase, long_messages_are_cut_not_overrun);
    tcase_add_test(tcase, a_long_prefix_leaves_room_for_the_message);
    tcase_add_test(tcase, the_first_file_stays);
    tcase_add_test(tcase, every_code_has_a_name_of_its_own);
    tcase_add_test(tcase, try_forwards_a_failure);
    suite_add_tcase(suite, tcase);
    return suite;
}
