/* ONNX's own backend tests, as Debian's libonnx-testdata has them: every case
 * whose operators and types the executor supports. */
#include <stdio.h>

#include "conformance/cases.h"
#include "repfold.h"
#include "suites.h"

#define DEBIAN "/usr/share/libonnx-testdata/data"

/* What the package holds in scope: fewer would be a test that fell away. */
enum { CASES_LEAST = 780 };

/* Prints what goes wrong; all failures are seen in one run. */
static bool passes(Arena *arena, const Case *test, int f64)
{
    rp_error error = {0};
    rp_model *model = rp_open(test->model, NULL, &error);
    bool passed = model && test->sets > 0;
    for (int set = 0; passed && set < test->sets; set++) {
        rp_run_result result;
        rp_run_options options = {.f64 = f64,
                                  .threads = 1,
                                  .data_dir = case_data(arena, test, set),
                                  .rtol = RULE_RTOL,
                                  .atol = RULE_ATOL};
        passed =
            rp_run(model, &options, &result, &error) == 0 && result.matched;
        if (!passed && result.mismatch)
            printf("%s: %s\n", test->name, result.mismatch);
    }
    if (!passed && error.message[0])
        printf("%s: %s\n", test->name, error.message);
    rp_close(model);
    return passed;
}

static void check_all(int f64)
{
    Arena *arena = arena_new(0);
    size_t count, in_scope = 0, failed = 0;
    Case *cases = cases_find(arena, DEBIAN, &count);
    if (count == 0)
        printf("conformance: left out, libonnx-testdata is not installed\n");
    for (size_t i = 0; i < count; i++) {
        if (cases[i].why_not)
            continue;
        in_scope++;
        failed += !passes(arena, &cases[i], f64);
    }
    ck_assert_msg(failed == 0, "%zu of %zu cases fail", failed, in_scope);
    ck_assert_msg(count == 0 || in_scope >= CASES_LEAST,
                  "only %zu cases are in scope", in_scope);
    arena_free(arena);
}

START_TEST(every_case_in_scope_passes_in_float32)
{
    check_all(0);
}
END_TEST

START_TEST(every_case_in_scope_passes_in_float64)
{
    check_all(1);
}
END_TEST

Suite *suite_conformance(void)
{
    Suite *suite = suite_create("conformance");
    TCase *tcase = tcase_create("conformance");
    tcase_add_test(tcase, every_case_in_scope_passes_in_float32);
    tcase_add_test(tcase, every_case_in_scope_passes_in_float64);
    suite_add_tcase(suite, tcase);
    return suite;
}
