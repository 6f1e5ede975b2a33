/*
 * The JSON reports are what converter/report.schema.json says, checked by a
 * validator of the keywords that the schema uses (JSON Schema 2020-12).
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "suites.h"

static json_t *schema;

static bool is_valid(const json_t *rule, const json_t *value);

/* ---- Keywords ---- */

static bool has_type(const char *type, const json_t *value)
{
    if (strcmp(type, "object") == 0)
        return json_is_object(value);
    if (strcmp(type, "array") == 0)
        return json_is_array(value);
    if (strcmp(type, "string") == 0)
        return json_is_string(value);
    if (strcmp(type, "integer") == 0)
        return json_is_integer(value);
    if (strcmp(type, "number") == 0)
        return json_is_number(value);
    if (strcmp(type, "boolean") == 0)
        return json_is_boolean(value);
    ck_assert_str_eq(type, "null");
    return json_is_null(value);
}

static bool check_type(const json_t *rule, const json_t *value)
{
    if (json_is_string(rule))
        return has_type(json_string_value(rule), value);
    for (size_t i = 0; i < json_array_size(rule); i++)
        if (has_type(json_string_value(json_array_get(rule, i)), value))
            return true;
    return false;
}

static bool check_enum(const json_t *rule, const json_t *value)
{
    for (size_t i = 0; i < json_array_size(rule); i++)
        if (json_equal(json_array_get(rule, i), value))
            return true;
    return false;
}

static bool check_one_of(const json_t *rule, const json_t *value)
{
    int matches = 0;
    for (size_t i = 0; i < json_array_size(rule); i++)
        matches += is_valid(json_array_get(rule, i), value);
    return matches == 1;
}

static bool check_required(const json_t *rule, const json_t *value)
{
    for (size_t i = 0; i < json_array_size(rule); i++)
        if (!json_object_get(value, json_string_value(json_array_get(rule, i))))
            return false;
    return true;
}

static bool check_members(const json_t *rule, json_t *value)
{
    const json_t *properties = json_object_get(rule, "properties");
    const json_t *others = json_object_get(rule, "additionalProperties");
    const char *key;
    json_t *member;
    json_object_foreach(value, key, member)
    {
        const json_t *known = json_object_get(properties, key);
        if (!known && json_is_false(others))
            return false;
        if (!known && others)
            known = others;
        if (known && !is_valid(known, member))
            return false;
    }
    return true;
}

static bool check_items(const json_t *rule, const json_t *value)
{
    for (size_t i = 0; rule && i < json_array_size(value); i++)
        if (!is_valid(rule, json_array_get(value, i)))
            return false;
    return true;
}

/* "#/$defs/NAME" */
static const json_t *resolve(const json_t *reference)
{
    const char *name = strrchr(json_string_value(reference), '/') + 1;
    const json_t *rule =
        json_object_get(json_object_get(schema, "$defs"), name);
    ck_assert_msg(rule, "the schema lacks %s", name);
    return rule;
}

static bool is_valid(const json_t *rule, const json_t *value)
{
    const json_t *part;
    if ((part = json_object_get(rule, "$ref")))
        return is_valid(resolve(part), value);
    if ((part = json_object_get(rule, "type")) && !check_type(part, value))
        return false;
    if ((part = json_object_get(rule, "enum")) && !check_enum(part, value))
        return false;
    if ((part = json_object_get(rule, "oneOf")) && !check_one_of(part, value))
        return false;
    if ((part = json_object_get(rule, "minimum")) && json_is_number(value) &&
        json_number_value(value) < json_number_value(part))
        return false;
    if (json_is_object(value) &&
        (!check_required(json_object_get(rule, "required"), value) ||
         !check_members(rule, (json_t *)(uintptr_t)value)))
        return false;
    return check_items(json_object_get(rule, "items"), value);
}

/* ---- Reports ---- */

static json_t *load(const char *path)
{
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    ck_assert_msg(root, "%s: %s", path, error.text);
    return root;
}

static void setup(void)
{
    cli_setup();
    schema = load(cli_source("converter/report.schema.json"));
}

static void teardown(void)
{
    json_decref(schema);
    cli_teardown();
}

/* What the last run printed, which must be one valid report. */
static json_t *printed(void)
{
    json_error_t error;
    json_t *root = json_loads(cli.out, 0, &error);
    ck_assert_msg(root, "%s: %s", error.text, cli.out);
    ck_assert_msg(is_valid(schema, root), "not valid: %s", cli.out);
    return root;
}

static json_int_t operators(const json_t *report, const char *model,
                            const char *op)
{
    const json_t *ops =
        json_object_get(json_object_get(report, model), "operators");
    ck_assert_ptr_nonnull(ops);
    return json_integer_value(json_object_get(ops, op));
}

#define TRAIN cli_fixture("mini.ts-preserve-features.onnx")

START_TEST(test_convert)
{
    ck_assert_int_eq(
        REPFOLD("convert", "-q", TRAIN, "-o", "out.onnx", "--json", "-"), 0);
    json_t *report = printed();
    ck_assert(json_is_true(json_object_get(report, "ok")));
    ck_assert_int_eq(operators(report, "before", "BatchNormalization"), 35);
    ck_assert_int_eq(operators(report, "after", "BatchNormalization"), 0);
    ck_assert_int_eq(operators(report, "after", "Conv"), 25);
    ck_assert_uint_gt(json_array_size(json_object_get(report, "folds")), 0);
    json_t *verdict = json_object_get(report, "verification");
    ck_assert_str_eq(json_string_value(json_object_get(verdict, "verdict")),
                     "equivalent");
    json_t *outputs = json_object_get(verdict, "outputs");
    ck_assert_uint_eq(json_array_size(outputs), 4);
    for (size_t i = 0; i < 4; i++) {
        json_t *output = json_array_get(outputs, i);
        double algebra = json_real_value(json_object_get(output, "algebra"));
        double ratio = json_real_value(json_object_get(output, "ratio"));
        ck_assert(json_is_real(json_object_get(output, "algebra")));
        ck_assert(algebra >= 0 && algebra < 1e-12);
        ck_assert(ratio > 0 && ratio <= 2);
    }
    json_decref(report);
}
END_TEST

START_TEST(test_convert_without_verification)
{
    ck_assert_int_eq(REPFOLD("convert", TRAIN, "-o", "out.onnx", "--no-verify",
                             "--json", "report.json"),
                     0);
    json_t *report = load(cli_path("report.json"));
    ck_assert(is_valid(schema, report));
    ck_assert(json_is_null(json_object_get(report, "verification")));
    ck_assert_int_eq(cli_count(), 2);
    json_decref(report);
}
END_TEST

START_TEST(test_verify)
{
    ck_assert_int_eq(REPFOLD("verify", "-q", TRAIN, TRAIN, "--json", "-"), 0);
    json_t *report = printed();
    ck_assert_str_eq(json_string_value(json_object_get(report, "verdict")),
                     "equivalent");
    ck_assert_int_eq(json_integer_value(json_object_get(report, "seed")), 1);
    json_decref(report);
}
END_TEST

START_TEST(test_lint)
{
    ck_assert_int_eq(REPFOLD("lint", TRAIN, "--json", "-"), 1);
    json_t *report = printed();
    ck_assert(json_is_false(json_object_get(report, "ok")));
    json_decref(report);
}
END_TEST

START_TEST(test_inspect)
{
    ck_assert_int_eq(REPFOLD("inspect", TRAIN, "--json", "-"), 0);
    json_t *report = printed();
    json_t *model = json_object_get(report, "model");
    ck_assert_int_eq(json_integer_value(json_object_get(model, "opset")), 17);
    ck_assert_uint_eq(json_array_size(json_object_get(model, "outputs")), 4);
    ck_assert(json_is_true(json_object_get(model, "macs_are_exact")));
    ck_assert(json_real_value(json_object_get(model, "macs")) > 1e4);
    json_decref(report);
}
END_TEST

START_TEST(test_bench)
{
    ck_assert_int_eq(REPFOLD("bench", TRAIN, "--runs", "3", "--json", "-"), 0);
    json_t *report = printed();
    double median = json_real_value(json_object_get(report, "median_ms"));
    double least = json_real_value(json_object_get(report, "min_ms"));
    ck_assert(least > 0 && median >= least);
    json_decref(report);
}
END_TEST

START_TEST(test_trouble)
{
    ck_assert_int_eq(REPFOLD("lint", "absent.onnx", "--json", "-"), 2);
    json_decref(printed());
}
END_TEST

/* The validator itself must be able to say no. */
START_TEST(test_schema_refuses_other_objects)
{
    static const char *const wrong[] = {
        "{}",
        "[]",
        "{\"error\": {\"code\": \"io\", \"where\": \"\"}}",
        "{\"error\": {\"code\": 1, \"where\": \"\", \"message\": \"\"}}",
        "{\"repfold\": \"1\", \"command\": \"lint\", \"ok\": true, \"input\": "
        "\"\", \"folds\": [{}], \"refusals\": []}",
        "{\"repfold\": \"1\", \"command\": \"lint\", \"ok\": true, \"input\": "
        "\"\", \"folds\": [], \"refusals\": [], \"more\": 1}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        json_t *value = json_loads(wrong[i], 0, NULL);
        ck_assert_ptr_nonnull(value);
        ck_assert_msg(!is_valid(schema, value), "taken: %s", wrong[i]);
        json_decref(value);
    }
}
END_TEST

Suite *suite_cli_report(void)
{
    Suite *suite = suite_create("cli_report");
    TCase *tc = tcase_create("report");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_convert);
    tcase_add_test(tc, test_convert_without_verification);
    tcase_add_test(tc, test_verify);
    tcase_add_test(tc, test_lint);
    tcase_add_test(tc, test_inspect);
    tcase_add_test(tc, test_bench);
    tcase_add_test(tc, test_trouble);
    tcase_add_test(tc, test_schema_refuses_other_objects);
    suite_add_tcase(suite, tc);
    return suite;
}
