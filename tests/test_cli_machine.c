/* Reports for machines besides JSON: JUnit, SARIF, annotations; and diff. */
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "cli.h"
#include "proto.h"
#include "schema.h"
#include "suites.h"

#define TRAIN cli_fixture("micro.ts-preserve.onnx")

static const char *digest_of(const char *name)
{
    static char ring[4][SHA256_TEXT];
    static unsigned next;
    size_t size;
    char *bytes = cli_read(name, &size), *text = ring[next++ % 4];
    Sha256 sha;
    ck_assert_ptr_nonnull(bytes);
    sha256_start(&sha);
    sha256_add(&sha, bytes, size);
    sha256_text(&sha, text);
    free(bytes);
    return text;
}

/* ---- XML ---- */

/* Elements nest, attributes are quoted, nothing else is in markup: enough of
 * XML to refuse what an unescaped name would make. */
static void check_xml(const char *text)
{
    char open[16][32];
    int depth = 0;
    for (const char *at = text; (at = strchr(at, '<')); at++) {
        const char *end = at + 1;
        bool quoted = false;
        for (; *end && (quoted || *end != '>'); end++) {
            ck_assert_msg(*end != '<', "'<' in markup: %.80s", at);
            quoted = *end == '"' ? !quoted : quoted;
        }
        ck_assert_msg(*end == '>', "markup does not end: %.80s", at);
        size_t length = strcspn(at + 1, " />?");
        if (at[1] == '?' || end[-1] == '/')
            continue;
        if (at[1] != '/') {
            ck_assert_int_lt(depth, 16);
            snprintf(open[depth++], 32, "%.*s", (int)length, at + 1);
            continue;
        }
        length = strcspn(at + 2, ">");
        ck_assert_int_gt(depth, 0);
        ck_assert_msg(strlen(open[--depth]) == length &&
                          strncmp(open[depth], at + 2, length) == 0,
                      "%s is not closed: %.80s", open[depth], at);
    }
    ck_assert_int_eq(depth, 0);
}

START_TEST(test_junit_of_convert)
{
    ck_assert_int_eq(REPFOLD("convert", "-q", TRAIN, "-o", "out.onnx",
                             "--junit", "r.xml", "--json", "r.json"),
                     0);
    char *xml = cli_text("r.xml");
    json_t *report = schema_load("r.json");
    int folds = (int)json_array_size(json_object_get(report, "folds"));
    check_xml(xml);
    ck_assert_int_gt(folds, 5);
    ck_assert_int_eq(cli_occurrences(xml, "classname=\"repfold.fold\""), folds);
    ck_assert_int_eq(cli_occurrences(xml, "classname=\"repfold.output\""), 1);
    ck_assert_int_eq(cli_occurrences(xml, "<failure"), 0);
    ck_assert_ptr_nonnull(strstr(xml, digest_of(TRAIN)));
    ck_assert_ptr_nonnull(strstr(xml, digest_of("out.onnx")));
    ck_assert_str_eq(
        json_string_value(json_object_get(report, "output_sha256")),
        digest_of("out.onnx"));
    json_decref(report);
    free(xml);
}
END_TEST

START_TEST(test_junit_of_lint)
{
    ck_assert_int_eq(REPFOLD("lint", "-q", TRAIN, "--junit", "-"), 1);
    check_xml(cli.out);
    ck_assert_int_gt(cli_occurrences(cli.out, "<failure"), 5);
    REPFOLD("convert", "-q", TRAIN, "-o", "out.onnx");
    ck_assert_int_eq(REPFOLD("lint", "-q", "out.onnx", "--junit", "-"), 0);
    check_xml(cli.out);
    ck_assert_int_eq(cli_occurrences(cli.out, "<failure"), 0);
    ck_assert_int_gt(cli_occurrences(cli.out, "<testcase"), 0);
}
END_TEST

START_TEST(test_junit_of_verify)
{
    REPFOLD("sample", "fastvit_t8", "--width-mult", "0.125", "--size", "64",
            "-o", "a.onnx", "-q");
    REPFOLD("sample", "fastvit_t8", "--width-mult", "0.125", "--size", "64",
            "-o", "b.onnx", "-q", "--seed", "2");
    ck_assert_int_eq(
        REPFOLD("verify", "-q", "a.onnx", "b.onnx", "--junit", "-"), 1);
    check_xml(cli.out);
    ck_assert_int_gt(cli_occurrences(cli.out, "<failure"), 0);
    ck_assert_ptr_nonnull(strstr(cli.out, digest_of("b.onnx")));
}
END_TEST

START_TEST(test_reports_do_not_vary)
{
    const char *const names[] = {"r.json", "r.xml", "s.json", "s.xml"};
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(REPFOLD("convert", "-q", TRAIN, "-o", "out.onnx",
                                 "--json", names[2 * i], "--junit",
                                 names[2 * i + 1], "--threads", i ? "2" : "1"),
                         0);
    ck_assert(cli_same("r.json", "s.json"));
    ck_assert(cli_same("r.xml", "s.xml"));
}
END_TEST

/* ---- SARIF ---- */

static const char *string_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    ck_assert_msg(text, "no text \"%s\"", key);
    return text;
}

static const json_t *first(const json_t *object, const char *key)
{
    const json_t *array = json_object_get(object, key);
    ck_assert_msg(json_array_size(array) > 0, "no \"%s\"", key);
    return json_array_get(array, 0);
}

/* What the standard requires of a run, and what code scanning reads. */
static void check_result(const json_t *run, const json_t *result)
{
    const json_t *driver =
        json_object_get(json_object_get(run, "tool"), "driver");
    const json_t *rules = json_object_get(driver, "rules");
    const json_t *location = first(result, "locations");
    const json_t *physical = json_object_get(location, "physicalLocation");
    bool known = false;
    for (size_t i = 0; i < json_array_size(rules); i++)
        known |= strcmp(string_at(json_array_get(rules, i), "id"),
                        string_at(result, "ruleId")) == 0;
    ck_assert_msg(known, "no rule %s", string_at(result, "ruleId"));
    ck_assert(strcmp(string_at(result, "level"), "warning") == 0 ||
              strcmp(string_at(result, "level"), "note") == 0);
    ck_assert_str_ne(string_at(json_object_get(result, "message"), "text"), "");
    ck_assert_str_eq(
        string_at(json_object_get(physical, "artifactLocation"), "uri"),
        "a%20model.onnx");
    ck_assert_int_eq(json_integer_value(json_object_get(
                         json_object_get(physical, "region"), "startLine")),
                     1);
    ck_assert_str_ne(
        string_at(first(location, "logicalLocations"), "fullyQualifiedName"),
        "");
}

START_TEST(test_sarif)
{
    size_t size, warnings = 0;
    char *bytes = cli_read(TRAIN, &size);
    cli_write("a model.onnx", bytes, size);
    free(bytes);
    ck_assert_int_eq(REPFOLD("lint", "-q", "a model.onnx", "--sarif", "-"), 1);
    json_t *root = json_loads(cli.out, 0, NULL);
    ck_assert_ptr_nonnull(root);
    ck_assert_str_eq(string_at(root, "version"), "2.1.0");
    const json_t *run = first(root, "runs");
    const json_t *hashes = json_object_get(first(run, "artifacts"), "hashes");
    ck_assert_str_eq(string_at(hashes, "sha-256"), digest_of("a model.onnx"));
    const json_t *results = json_object_get(run, "results");
    for (size_t i = 0; i < json_array_size(results); i++) {
        const json_t *result = json_array_get(results, i);
        check_result(run, result);
        warnings += strcmp(string_at(result, "ruleId"), "foldable") == 0;
    }
    ck_assert_uint_gt(warnings, 5);
    json_decref(root);
}
END_TEST

/* ---- Trouble ---- */

static void check_told(const char *report, const char *told)
{
    char *text = cli_text(report);
    ck_assert_msg(strstr(text, told) != NULL, "no %s in: %s", told, text);
    free(text);
}

/* A report of an earlier run would be taken for that of this one. */
START_TEST(test_every_report_tells_trouble)
{
    cli_write("r.xml", "old", 3);
    REPFOLD("convert", "a<b>.onnx", "-o", "out.onnx", "--json", "r.json",
            "--junit", "r.xml", "--html", "r.html");
    cli_assert_trouble("io", "a<b>.onnx: cannot open it: ");
    cli_assert_json_code("r.json", "io");
    char *xml = cli_text("r.xml");
    check_xml(xml);
    free(xml);
    check_told("r.xml",
               "tests=\"1\" failures=\"0\" skipped=\"0\" errors=\"1\"");
    check_told("r.xml", "<error type=\"io\" message=\"cannot open it: ");
    check_told("r.xml", "name=\"a&lt;b&gt;.onnx\"");
    check_told("r.html", "<code>a&lt;b&gt;.onnx</code>: cannot open it: ");
    ck_assert(!cli_exists("out.onnx"));
    REPFOLD("lint", "absent.onnx", "--sarif", "r.sarif");
    cli_assert_trouble("io", "absent.onnx");
    json_t *root = schema_load("r.sarif");
    const json_t *run = first(root, "runs");
    ck_assert_str_eq(string_at(first(run, "results"), "ruleId"), "io");
    ck_assert_str_eq(string_at(first(run, "results"), "level"), "error");
    check_told("r.sarif", "\"uri\": \"absent.onnx\"");
    ck_assert(json_is_false(
        json_object_get(first(run, "invocations"), "executionSuccessful")));
    json_decref(root);
}
END_TEST

/* Standard input has no name to be spared, and one report at most is printed.
 */
START_TEST(test_trouble_is_printed_once)
{
    static const char *const lines[][6] = {
        {"lint", "-", "--junit", "-"},
        {"lint", "a.onnx", "--junit", "-", "--nonsense"},
        {"lint", "a.onnx", "--junit=-", "--html", "/dev/stdout", "--nonsense"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const char *arguments[7] = {NULL};
        memcpy(arguments, lines[i], sizeof lines[i]);
        ck_assert_int_eq(cli_run_with("/dev/null", NULL, arguments), 2);
        ck_assert_int_eq(cli_occurrences(cli.out, "<error type="), 1);
        ck_assert_int_eq(cli_occurrences(cli.out, "<html"), 0);
    }
    /* What is printed is one document, also where another file is full. */
    ck_assert_int_eq(
        REPFOLD("lint", "-q", TRAIN, "--json", "-", "--junit", "/dev/full"), 2);
    json_t *root = json_loads(cli.out, 0, NULL);
    ck_assert_str_eq(string_at(json_object_get(root, "error"), "where"),
                     "/dev/full");
    json_decref(root);
}
END_TEST

/* ---- Annotations ---- */

START_TEST(test_github)
{
    ck_assert_int_eq(REPFOLD("lint", "-q", TRAIN, "--github"), 1);
    ck_assert_int_eq(cli_occurrences(cli.out, "::error file="), 1);
    ck_assert_int_eq(cli_occurrences(cli.out, "::warning file="), 9);
    ck_assert_int_eq(
        REPFOLD("convert", "-q", TRAIN, "-o", "out.onnx", "--github"), 0);
    ck_assert_int_eq(cli_occurrences(cli.out, "::notice file="), 1);
    ck_assert_int_eq(REPFOLD("lint", "-q", "out.onnx", "--github"), 0);
    ck_assert_str_eq(cli.out, "");
    ck_assert_int_eq(REPFOLD("lint", "50%,a.onnx", "--github"), 2);
    ck_assert_ptr_nonnull(strstr(cli.out, "::error file=50%25%2Ca.onnx,"));
}
END_TEST

/* Trouble with no file is at none. */
START_TEST(test_annotation_without_a_file)
{
    ck_assert_int_eq(REPFOLD("convert", "a.onnx", "--github"), 2);
    ck_assert_ptr_nonnull(
        strstr(cli.out, "::error title=usage::where to? give --output"));
}
END_TEST

/* ---- Names that would be markup ---- */

static const char hostile[] =
    "</testcase><script>alert(1)</script>\"'&]]>\x01\r\n::error::x";

/* A model that folds, whose nodes and outputs are called so. */
static void write_hostile(const char *file)
{
    static const int64_t shape[] = {1, 1, 2, 2}, kernel[] = {1, 1, 1, 1},
                         one[] = {1};
    static const float weight[] = {3};
    Proto graph = {0}, model = {0};
    proto_input(&graph, "x", 4, shape);
    proto_output(&graph, hostile, 4, shape);
    proto_weight(&graph, "w", 4, kernel, weight);
    proto_weight(&graph, "s", 1, one, weight);
    proto_node(&graph, "Conv", "x w", "c");
    Proto node = {0};
    proto_text(&node, 1, "c");
    proto_text(&node, 1, "s");
    proto_text(&node, 2, hostile);
    proto_text(&node, 3, hostile);
    proto_text(&node, 4, "Mul");
    proto_message(&graph, 1, &node);
    proto_model(&model, &graph);
    cli_write(file, model.bytes, model.size);
}

START_TEST(test_hostile_names)
{
    write_hostile("h.onnx");
    ck_assert_int_eq(REPFOLD("lint", "-q", "h.onnx", "--junit", "h.xml",
                             "--sarif", "h.sarif", "--github"),
                     1);
    char *xml = cli_text("h.xml");
    check_xml(xml);
    ck_assert_ptr_null(strstr(xml, "<script"));
    for (const char *c = xml; *c; c++)
        ck_assert(*c == '\n' || (unsigned char)*c >= ' ');
    free(xml);
    json_t *root = schema_load("h.sarif");
    ck_assert_uint_gt(
        json_array_size(json_object_get(first(root, "runs"), "results")), 0);
    json_decref(root);
    ck_assert_ptr_nonnull(strstr(cli.out, "2 nodes can be folded into one"));
    ck_assert_ptr_nonnull(strstr(cli.out, "1 kernel can be folded"));
    for (char *line = strtok(cli.out, "\n"); line; line = strtok(NULL, "\n"))
        ck_assert_msg(strncmp(line, "::warning file=h.onnx", 21) == 0 ||
                          strncmp(line, "::error file=h.onnx", 19) == 0,
                      "%s", line);
}
END_TEST

/* ---- diff ---- */

/* timm's own reparameterization gives its kernels new names: the map leads from
 * the end of each block to its kernel, through what reads both. */
START_TEST(test_diff_of_another_tool)
{
    ck_assert_int_eq(REPFOLD("diff", "-q", cli_fixture("mini.ts-preserve.onnx"),
                             cli_fixture("mini.ts-preserve-reparam.onnx"),
                             "--json", "-"),
                     1);
    json_t *report = schema_printed();
    const json_t *values =
        json_object_get(json_object_get(report, "names"), "values");
    ck_assert_str_eq(string_at(values, "/stem/stem.0/Add_1_output_0"),
                     "/stem/stem.0/reparam_conv/Conv_output_0");
    ck_assert_str_eq(
        string_at(values, "/stages.0/blocks/blocks.0/token_mixer/Add_output_0"),
        "/stages.0/blocks/blocks.0/token_mixer/reparam_conv/Conv_output_0");
    ck_assert(json_is_null(
        json_object_get(values, "/stem/stem.0/conv_kxk.0/conv/Conv_output_0")));
    json_decref(report);
}
END_TEST

/* A fold goes through attention's reshapes: what is between has other values,
 * whatever it is called. */
START_TEST(test_diff_does_not_map_other_values)
{
    const char *train = cli_fixture("mini.ts-preserve-features.onnx");
    REPFOLD("convert", "-q", train, "-o", "out.onnx");
    REPFOLD("diff", "-q", train, "out.onnx", "--json", "-");
    json_t *report = schema_printed();
    json_t *names = json_object_get(report, "names"), *value;
    const char *key;
    json_object_foreach(json_object_get(names, "values"), key, value)
    {
        ck_assert_msg(json_is_null(value) ||
                          strcmp(json_string_value(value), key) == 0,
                      "%s -> %s", key, json_string_value(value));
    }
    json_decref(report);
}
END_TEST

/* Of a conversion nothing comes from nowhere, but for the bias of a MatMul, and
 * nothing but constants is lost: also where folds go through reshapes, in
 * attention. */
START_TEST(test_diff_accounts_for_all)
{
    static const char *const names[] = {"mini.ts-preserve-features.onnx",
                                        "mini.dynamo-opt.onnx",
                                        "sa12.ts-preserve.onnx"};
    const char *train = cli_fixture(names[_i]);
    REPFOLD("convert", "-q", train, "-o", "out.onnx");
    ck_assert_int_eq(REPFOLD("diff", "-q", train, "out.onnx", "--json", "-"),
                     1);
    json_t *report = schema_printed();
    const json_t *nodes = json_object_get(report, "nodes");
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const json_t *node = json_array_get(nodes, i);
        const char *change = string_at(node, "change");
        ck_assert_msg(
            strcmp(change, "new") != 0 ||
                strstr(string_at(json_object_get(node, "b"), "name"), "/bias"),
            "new: %s", string_at(json_object_get(node, "b"), "name"));
        if (strcmp(change, "gone") == 0)
            ck_assert_str_eq(string_at(json_object_get(node, "a"), "op"),
                             "Constant");
    }
    json_decref(report);
}
END_TEST

START_TEST(test_diff)
{
    ck_assert_int_eq(REPFOLD("diff", TRAIN, TRAIN), 0);
    ck_assert_str_eq(cli.out, "the same nodes, names and weights\n");
    REPFOLD("convert", "-q", TRAIN, "-o", "out.onnx");
    ck_assert_int_eq(REPFOLD("diff", TRAIN, "out.onnx", "-v"), 1);
    ck_assert_ptr_nonnull(strstr(cli.out, "  BatchNormalization 40 -> 0\n"));
    ck_assert_ptr_nonnull(strstr(cli.out, "\n  merged   "));
    ck_assert_int_eq(REPFOLD("diff", TRAIN, "out.onnx"), 1);
    ck_assert_ptr_null(strstr(cli.out, "\n  merged   "));
    ck_assert_ptr_nonnull(strstr(cli.out, "-v names them"));
    REPFOLD("diff", TRAIN, "absent.onnx");
    cli_assert_trouble("io", "absent.onnx");
}
END_TEST

START_TEST(test_diff_json)
{
    REPFOLD("convert", "-q", TRAIN, "-o", "out.onnx");
    ck_assert_int_eq(REPFOLD("diff", "-q", TRAIN, "out.onnx", "--json", "-"),
                     1);
    json_t *report = schema_printed(), *value;
    const char *key;
    int kept = 0;
    ck_assert(json_is_false(json_object_get(report, "same")));
    ck_assert_str_eq(string_at(report, "other_sha256"), digest_of("out.onnx"));
    const json_t *counts = json_object_get(report, "counts");
    ck_assert_int_gt(json_integer_value(json_object_get(counts, "merged")), 40);
    ck_assert_int_eq(json_integer_value(json_object_get(counts, "changed")), 0);
    json_t *names = json_object_get(report, "names");
    json_object_foreach(json_object_get(names, "values"), key, value)
    {
        ck_assert(json_is_null(value) ||
                  strcmp(json_string_value(value), key) == 0);
        kept += json_is_string(value);
    }
    ck_assert_int_gt(kept, 50);
    json_object_foreach(json_object_get(names, "initializers"), key, value)
    {
        if (strstr(key, "running_var"))
            ck_assert_msg(json_is_string(value), "%s went nowhere", key);
    }
    json_decref(report);
}
END_TEST

Suite *suite_cli_machine(void)
{
    Suite *suite = suite_create("cli_machine");
    TCase *tc = tcase_create("machine");
    tcase_add_checked_fixture(tc, schema_setup, schema_teardown);
    tcase_add_test(tc, test_junit_of_convert);
    tcase_add_test(tc, test_junit_of_lint);
    tcase_add_test(tc, test_junit_of_verify);
    tcase_add_test(tc, test_reports_do_not_vary);
    tcase_add_test(tc, test_sarif);
    tcase_add_test(tc, test_every_report_tells_trouble);
    tcase_add_test(tc, test_trouble_is_printed_once);
    tcase_add_test(tc, test_github);
    tcase_add_test(tc, test_hostile_names);
    tcase_add_test(tc, test_annotation_without_a_file);
    tcase_add_test(tc, test_diff);
    tcase_add_test(tc, test_diff_json);
    tcase_add_test(tc, test_diff_of_another_tool);
    tcase_add_test(tc, test_diff_does_not_map_other_values);
    tcase_add_loop_test(tc, test_diff_accounts_for_all, 0, 3);
    suite_add_tcase(suite, tc);
    return suite;
}
