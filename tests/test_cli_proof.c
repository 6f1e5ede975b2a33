/* Certificates as a user meets them: in convert, and in verify. */
#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "fuzz/model.h"
#include "onnx/onnx.h"
#include "schema.h"
#include "suites.h"

#define TRAIN "micro.ts-preserve.onnx"

static void convert(void)
{
    ck_assert_int_eq(REPFOLD("convert", cli_fixture(TRAIN), "-o", "out.onnx",
                             "--json", "report.json"),
                     0);
}

static int verify(const char *report)
{
    return REPFOLD("verify", cli_fixture(TRAIN), "out.onnx", "--certificate",
                   report, "--samples", "1");
}

START_TEST(test_every_change_is_certified)
{
    convert();
    ck_assert_ptr_nonnull(strstr(cli.out, " changed values certified: exact"));
    ck_assert_ptr_null(strstr(cli.out, "undone"));
    ck_assert_int_eq(verify("report.json"), 0);
    ck_assert_ptr_nonnull(strstr(cli.out, "every certificate holds"));
}
END_TEST

/* ---- Edited reports ---- */

static json_t *report_load(void)
{
    json_error_t error;
    json_t *root = json_load_file(cli_path("report.json"), 0, &error);
    ck_assert_msg(root != NULL, "%s", error.text);
    return root;
}

/* The report with that change must be found, by that word. */
static void report_expect(json_t *root, const char *word)
{
    ck_assert_int_eq(json_dump_file(root, cli_path("edited.json"), 0), 0);
    int status = verify("edited.json");
    ck_assert_msg(status == 1 && strstr(cli.out, word), "%s: %d\n%s", word,
                  status, cli.out);
}

/* Another value of the same type, as near as can be; the first element of a
 * list. */
static json_t *edited(const json_t *value)
{
    char text[512];
    json_t *list;
    switch (json_typeof(value)) {
    case JSON_STRING:
        snprintf(text, sizeof text, "%s_", json_string_value(value));
        return json_string(text);
    case JSON_INTEGER:
        return json_integer(json_integer_value(value) + 1);
    case JSON_REAL:
        return json_real(nextafter(json_real_value(value), 1e300));
    case JSON_TRUE:
        return json_false();
    case JSON_ARRAY:
        list = json_deep_copy(value);
        ck_assert_uint_gt(json_array_size(list), 0);
        json_array_set_new(list, 0, edited(json_array_get(value, 0)));
        return list;
    default:
        ck_abort_msg("a certificate holds something else");
    }
}

static json_t *certificates_of(json_t *root)
{
    return json_object_get(json_object_get(root, "certificates"), "list");
}

/* Each field of a certificate, changed and left out. */
START_TEST(test_every_edited_field_is_found)
{
    const char *key;
    json_t *value;
    convert();
    json_t *root = report_load();
    json_t *whole = json_deep_copy(root);
    json_t *certificate = json_array_get(certificates_of(root), 0);
    json_object_foreach(json_array_get(certificates_of(whole), 0), key, value)
    {
        /* What a certificate is about is how it is found. */
        const char *word =
            strcmp(key, "output") == 0 ? "missing in the report" : key;
        json_object_set_new(certificate, key, edited(value));
        report_expect(root, word);
        json_object_del(certificate, key);
        report_expect(root, word);
        json_object_set(certificate, key, value);
    }
    json_object_set_new(certificate, "more", json_true());
    report_expect(root, "more");
    json_decref(whole);
    json_decref(root);
}
END_TEST

START_TEST(test_a_list_one_shorter_is_found)
{
    convert();
    json_t *root = report_load();
    json_t *list = certificates_of(root);
    json_t *bounds = json_object_get(json_array_get(list, 0), "bounds");
    json_array_remove(bounds, json_array_size(bounds) - 1);
    report_expect(root, ": bounds");
    json_decref(root);
}
END_TEST

START_TEST(test_missing_added_and_moved_certificates_are_found)
{
    convert();
    json_t *root = report_load();
    json_t *list = certificates_of(root);
    json_t *first = json_incref(json_array_get(list, 0));
    json_array_remove(list, 0);
    report_expect(root, "missing in the report");
    json_array_append(list, first);
    report_expect(root, "not where it was");
    json_array_insert(list, 0, first);
    report_expect(root, "in the report alone");
    json_decref(first);
    json_decref(root);
}
END_TEST

START_TEST(test_edited_totals_are_found)
{
    static const char *const keys[] = {"hold", "nodes_same", "nodes_certified",
                                       "seed"};
    convert();
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        json_t *root = report_load();
        json_t *all = json_object_get(root, "certificates");
        json_object_set_new(all, keys[i],
                            edited(json_object_get(all, keys[i])));
        /* Another seed gives other residues. */
        report_expect(root,
                      strcmp(keys[i], "seed") == 0 ? ": residue" : keys[i]);
        json_decref(root);
    }
}
END_TEST

START_TEST(test_a_report_without_certificates_is_trouble)
{
    convert();
    cli_write("empty.json", "{}", 2);
    verify("empty.json");
    cli_assert_trouble("bad-input", "certificates");
    cli_write("broken.json", "{", 1);
    verify("broken.json");
    cli_assert_trouble("bad-input", "broken.json: line ");
    verify("absent.json");
    cli_assert_trouble("io", "absent.json: cannot open it");
}
END_TEST

/* Every report says what the exit status says. */
START_TEST(test_what_does_not_hold_is_in_every_report)
{
    convert();
    json_t *root = report_load();
    json_t *first = json_array_get(certificates_of(root), 0);
    json_object_set_new(first, "rounding", json_real(0.125));
    ck_assert_int_eq(json_dump_file(root, cli_path("edited.json"), 0), 0);
    json_decref(root);
    ck_assert_int_eq(REPFOLD("verify", cli_fixture(TRAIN), "out.onnx",
                             "--certificate", "edited.json", "--json", "v.json",
                             "--junit", "v.xml", "--html", "v.html",
                             "--github"),
                     1);
    ck_assert_ptr_nonnull(strstr(cli.out, ",title=proof::certificate of "));
    json_t *report = schema_load("v.json");
    const json_t *proof = json_object_get(report, "proof");
    ck_assert(schema_accepts(report));
    ck_assert(json_is_false(json_object_get(report, "ok")));
    ck_assert(json_is_false(json_object_get(proof, "holds")));
    json_decref(report);
    char *xml = cli_text("v.xml"), *page = cli_text("v.html");
    ck_assert_ptr_nonnull(strstr(xml, "<failure message=\"certificate of "));
    ck_assert_ptr_nonnull(strstr(page, "Not as certified"));
    free(xml);
    free(page);
}
END_TEST

START_TEST(test_what_holds_is_in_every_report)
{
    convert();
    ck_assert_int_eq(REPFOLD("verify", cli_fixture(TRAIN), "out.onnx",
                             "--certificate", "report.json", "--json", "v.json",
                             "--junit", "v.xml"),
                     0);
    json_t *report = schema_load("v.json");
    const json_t *proof = json_object_get(report, "proof");
    ck_assert(schema_accepts(report));
    ck_assert(json_is_true(json_object_get(proof, "holds")));
    json_decref(report);
    char *xml = cli_text("v.xml");
    ck_assert_ptr_nonnull(strstr(xml, "classname=\"repfold.proof\""));
    ck_assert_ptr_null(strstr(xml, "<failure"));
    free(xml);
}
END_TEST

/* A few bytes of JSON can stand for a hundred of memory. */
START_TEST(test_a_report_may_not_take_too_much)
{
    static const char begin[] = "{\"certificates\":{\"seed\":1,\"list\":[",
                      item[] = "{},", end[] = "{}]}}";
    enum { ITEMS = 1 << 21 };
    size_t size = sizeof begin - 1, step = sizeof item - 1;
    char *bytes = malloc(size + ITEMS * step + sizeof end);
    memcpy(bytes, begin, size);
    for (int i = 0; i < ITEMS; i++, size += step)
        memcpy(bytes + size, item, step);
    memcpy(bytes + size, end, sizeof end - 1);
    size += sizeof end - 1;
    convert();
    cli_write("bomb.json", bytes, size);
    free(bytes);
    verify("bomb.json");
    cli_assert_trouble("budget", "bomb.json: ");
    if (!CLI_IS_SANITIZED)
        ck_assert_uint_lt(cli.peak, 16 * size + (64 << 20));
}
END_TEST

/* ---- Edited models ---- */

static Node *node_of(const Model *model, Op op)
{
    for (size_t i = 0; i < model->graph->node_count; i++)
        if (model->graph->nodes[i]->op == op)
            return model->graph->nodes[i];
    ck_abort_msg("there is no such node");
}

/* The neighbour of element 0. */
static void move_element(Model *model, Value *value)
{
    const Tensor *old = value->tensor;
    void *data;
    Tensor *tensor =
        tensor_alloc(model->arena, old->type, old->rank, old->dims, &data);
    tensor_read_stored(old, 0, old->count, data);
    ((float *)data)[0] = nextafterf(((float *)data)[0], HUGE_VALF);
    value->tensor = tensor;
}

static void move_weight(Model *model)
{
    move_element(model, node_of(model, OP_Conv)->inputs[1]);
}

static void move_bias(Model *model)
{
    move_element(model, node_of(model, OP_Conv)->inputs[2]);
}

/* As large as before, one pixel further on. */
static void move_pads(Model *model)
{
    const int64_t *pads;
    Node *conv = node_of(model, OP_Conv);
    ck_assert_int_eq(node_ints(conv, "pads", &pads), 4);
    int64_t moved[4] = {pads[0] - 1, pads[1], pads[2] + 1, pads[3]};
    node_set_ints(conv, "pads", moved, 4);
}

static void drop_branch(Model *model)
{
    Node *add = node_of(model, OP_Add);
    add->inputs[1] = add->inputs[0];
}

static const struct {
    void (*edit)(Model *model);
    const char *said;
} edits[] = {
    {move_weight, "element 0 of the weight"},
    {move_bias, "the bias of channel 0"},
    {move_pads, "no operator of the converted model has room"},
    {drop_branch, "certificate of "},
};
enum { EDITS = sizeof edits / sizeof *edits };

/* One unit in the last place is further than half a unit from the exact weight,
 * and far less than what any run shows. */
START_TEST(test_an_edited_model_is_found)
{
    Arena *arena = arena_new(0);
    Model *model;
    Span file;
    Err err = {0};
    convert();
    ck_assert_int_eq(
        model_read_file(arena, cli_path("out.onnx"), NULL, &model, &err), 0);
    edits[_i].edit(model);
    fuzz_detach(model);
    ck_assert_int_eq(fuzz_write(arena, model, &file, &err), 0);
    cli_write("out.onnx", file.bytes, file.size);
    ck_assert_int_eq(verify("report.json"), 1);
    ck_assert_msg(strstr(cli.out, edits[_i].said) != NULL, "%s", cli.out);
    arena_free(arena);
}
END_TEST

/* ---- Rules with certificates of their own kind ---- */

/* The sizes of DBB's border are computed from other shapes. */
START_TEST(test_a_computed_border_is_certified)
{
    const char *train = cli_source("tests/families/dbb.onnx");
    ck_assert_int_eq(
        REPFOLD("convert", train, "-o", "out.onnx", "--json", "report.json"),
        0);
    ck_assert_ptr_nonnull(strstr(cli.out, "C13"));
    ck_assert_ptr_nonnull(strstr(cli.out, " changed values certified: exact"));
    ck_assert_ptr_null(strstr(cli.out, "undone"));
    ck_assert_int_eq(REPFOLD("verify", train, "out.onnx", "--certificate",
                             "report.json", "--samples", "1"),
                     0);
    ck_assert_ptr_nonnull(strstr(cli.out, "every certificate holds"));
}
END_TEST

/* ---- Wrong folds ---- */

/* The programs with two wrong folds planted, in the Makefile: its certificate
 * fails, and where all are taken for true, its segment does. */
static const char *const planted[][2] = {
    {"repfold-planted", "the bias of channel"},
    {"repfold-trusting", "run alone, it differs by"},
};

START_TEST(test_a_wrong_fold_is_undone)
{
    const char *arguments[] = {"convert", cli_fixture(TRAIN), "-o", "out.onnx",
                               "--json",  "report.json",      NULL};
    ck_assert_int_eq(cli_program(planted[_i][0], arguments), 1);
    ck_assert_ptr_nonnull(strstr(cli.out, "undone   fold #3 at "));
    ck_assert_ptr_nonnull(strstr(cli.out, "undone   fold #4 at "));
    ck_assert_msg(strstr(cli.out, planted[_i][1]) != NULL, "%s", cli.out);
    ck_assert_ptr_nonnull(strstr(cli.out, "verdict  equivalent"));
    ck_assert(cli_exists("out.onnx"));
    ck_assert_int_eq(verify("report.json"), 0);
}
END_TEST

/* Certificates do without running either model. */
START_TEST(test_a_wrong_fold_is_undone_without_a_run)
{
    const char *arguments[] = {
        "convert",  cli_fixture(TRAIN), "-o",          "out.onnx",
        "--no-run", "--json",           "report.json", NULL};
    ck_assert_int_eq(cli_program("repfold-planted", arguments), 1);
    ck_assert_ptr_nonnull(strstr(cli.out, "undone   fold #3 at "));
    ck_assert_ptr_nonnull(strstr(cli.out, "verdict  none"));
    json_t *report = schema_load("report.json");
    ck_assert(schema_accepts(report));
    json_decref(report);
    ck_assert_int_eq(verify("report.json"), 0);
}
END_TEST

Suite *suite_cli_proof(void)
{
    Suite *suite = suite_create("cli_proof");
    TCase *tc = tcase_create("proof");
    tcase_add_checked_fixture(tc, schema_setup, schema_teardown);
    tcase_add_test(tc, test_every_change_is_certified);
    tcase_add_test(tc, test_every_edited_field_is_found);
    tcase_add_test(tc, test_a_list_one_shorter_is_found);
    tcase_add_test(tc, test_missing_added_and_moved_certificates_are_found);
    tcase_add_test(tc, test_edited_totals_are_found);
    tcase_add_test(tc, test_a_report_without_certificates_is_trouble);
    tcase_add_test(tc, test_what_does_not_hold_is_in_every_report);
    tcase_add_test(tc, test_what_holds_is_in_every_report);
    tcase_add_test(tc, test_a_report_may_not_take_too_much);
    tcase_add_loop_test(tc, test_an_edited_model_is_found, 0, EDITS);
    tcase_add_test(tc, test_a_computed_border_is_certified);
    tcase_add_loop_test(tc, test_a_wrong_fold_is_undone, 0, 2);
    tcase_add_test(tc, test_a_wrong_fold_is_undone_without_a_run);
    suite_add_tcase(suite, tc);
    return suite;
}
