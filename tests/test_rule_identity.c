/* A Pad of nothing and a Slice of everything go. */
#include <stdio.h>
#include <string.h>

#include "blocks.h"
#include "cli.h"
#include "hostile/text.h"
#include "suites.h"

/* ---- Pad ---- */

static const struct {
    const char *mode;
    int64_t pads[8];
    bool as_attribute;
} pads[] = {
    {NULL, {0}, false},      {"reflect", {0}, false}, {"edge", {0}, false},
    {"constant", {0}, true}, {"edge", {0}, true},
};
enum { PADS = sizeof pads / sizeof *pads };

static int chosen;

/* Before an operator that has no other way to get rid of it. */
static Value *padded(Bench *b, Value *x, Value *amounts, const char *mode)
{
    double number = 3;
    Value *inputs[3] = {x, amounts, bench_numbers(b, 0, NULL, &number)};
    Value *y = graph_fresh_value(b->graph, "padded");
    Node *node =
        node_new(b->graph, OP_Pad, "pad", inputs, amounts ? 3 : 1, &y, 1);
    if (mode)
        node_set_string(node, "mode", mode);
    if (!amounts) {
        node_set_ints(node, "pads", pads[chosen].pads, 8);
        b->model->opset = b->graph->opset = 10;
    }
    bench_add(b, node);
    return y;
}

static void build_pad(Bench *b)
{
    Value *amounts =
        pads[chosen].as_attribute ? NULL : bench_ints(b, 8, pads[chosen].pads);
    Value *x = bench_input(b, 4, (int64_t[]){1, 3, -1, -1});
    x = padded(b, x, amounts, pads[chosen].mode);
    bench_output(b, bench_unary(b, OP_Sigmoid, x));
    bench_output(b, bench_binary(b, OP_Mul, x, x));
}

static void check_goes(Build *build, size_t nodes)
{
    Folded folded = fold_model(build, NULL);
    ck_assert_double_eq(folded.difference, 0);
    ck_assert_uint_eq(folded.after->graph->node_count, nodes);
    ck_assert_uint_ge(folded.report.fold_count, 1);
    ck_assert_str_eq(folded.report.folds[0].rules, "C0");
    folded_free(&folded);
}

START_TEST(a_pad_of_nothing_goes)
{
    chosen = _i;
    check_goes(build_pad, 2);
}
END_TEST

/* The sizes stay, and yet all is moved by a pixel. */
static void build_shift(Bench *b)
{
    int64_t amounts[8] = {0, 0, 0, 1, 0, 0, 0, -1};
    Value *x = padded(b, bench_image(b, 3, 5), bench_ints(b, 8, amounts), NULL);
    bench_output(b, bench_unary(b, OP_Sigmoid, x));
}

/* Amounts that nobody knows. */
static void build_fed(Bench *b)
{
    Value *amounts = bench_input(b, 1, (int64_t[]){8});
    amounts =
        bench_unary(b, OP_Floor, bench_binary(b, OP_Sub, amounts, amounts));
    Value *y = graph_fresh_value(b->graph, "amounts");
    Node *cast = node_new(b->graph, OP_Cast, "cast", &amounts, 1, &y, 1);
    node_set_int(cast, "to", DT_INT64);
    bench_add(b, cast);
    bench_output(b, bench_unary(b, OP_Sigmoid,
                                padded(b, bench_image(b, 3, 5), y, NULL)));
}

static void build_output(Bench *b)
{
    int64_t nothing[8] = {0};
    Value *x = padded(b, bench_image(b, 3, 5), bench_ints(b, 8, nothing), NULL);
    bench_output(b, x);
    bench_output(b, bench_unary(b, OP_Sigmoid, x));
}

static void check_stays(Build *build)
{
    Folded folded = fold_model(build, NULL);
    ck_assert_uint_eq(folded.report.fold_count, 0);
    ck_assert(!folded.after->graph->changed);
    folded_free(&folded);
}

START_TEST(other_pads_stay)
{
    check_stays(build_shift);
    check_stays(build_fed);
    check_refuses(build_output, "graph-output");
}
END_TEST

/* No model may have these, but a file can. */
START_TEST(amounts_that_are_no_integers_are_not_read)
{
    static const char *const types[] = {"f32[2](0.0, 0.0)", "c64[2]"};
    char text[128];
    Proto file;
    snprintf(text, sizeof text,
             "x: f32[2]; p = %s; y = Pad(x, p); z = Sigmoid(y); -> z",
             types[_i]);
    text_model(&file, text);
    cli_write("in.onnx", file.bytes, file.size);
    ck_assert_int_eq(
        REPFOLD("convert", "in.onnx", "-o", "out.onnx", "--no-verify"), 0);
    ck_assert_ptr_nonnull(strstr(cli.out, "nothing to fold"));
}
END_TEST

/* ---- Slice ---- */

typedef struct Cuts {
    int64_t size; /* of the image, -1 when it is not known */
    int64_t start, end, step;
} Cuts;

static Value *sliced(Bench *b, Value *x, const Cuts *cuts, int64_t axis)
{
    Value *inputs[5] = {x, bench_ints(b, 1, &cuts->start),
                        bench_ints(b, 1, &cuts->end), bench_ints(b, 1, &axis),
                        bench_ints(b, 1, &cuts->step)};
    return bench_node(b, OP_Slice, inputs, 5);
}

static const Cuts *cuts_now;

static void build_slices(Bench *b)
{
    int64_t n = cuts_now->size;
    Value *x = bench_input(b, 4, (int64_t[]){1, 3, n, n});
    x = sliced(b, sliced(b, x, cuts_now, 2), cuts_now, -1);
    bench_output(b, bench_binary(b, OP_Add, bench_unary(b, OP_Sigmoid, x), x));
}

static const Cuts whole[] = {
    {5, 0, 5, 1}, {5, 0, 7, 1}, {5, 0, INT64_MAX, 1}, {-1, 0, INT64_MAX, 1}};
enum { WHOLE = sizeof whole / sizeof *whole };

START_TEST(slices_of_everything_go)
{
    cuts_now = &whole[_i];
    check_goes(build_slices, 2);
}
END_TEST

static const Cuts parts[] = {
    {5, 1, 5, 1}, {5, 0, 4, 1},           {5, 0, -1, 1}, {-1, 0, 9, 1},
    {5, 0, 5, 2}, {5, -1, INT64_MIN, -1}, {1, 0, 5, 2},
};
enum { PARTS = sizeof parts / sizeof *parts };

START_TEST(other_slices_stay)
{
    cuts_now = &parts[_i];
    check_stays(build_slices);
}
END_TEST

/* Of two values, and again and again: one fold for each reader. */
static void build_many(Bench *b)
{
    enum { LENGTH = 70 };
    Value *x = bench_image(b, 3, 5), *y = bench_unary(b, OP_Neg, x);
    for (int i = 0; i < LENGTH; i++)
        x = sliced(b, x, &whole[i % 3], i % 2 ? 2 : -1);
    y = sliced(b, y, &whole[0], 2);
    bench_output(b, bench_binary(b, OP_Div, x, y));
}

START_TEST(chains_of_them_go_at_once)
{
    check_goes(build_many, 2);
    Folded folded = fold_model(build_many, NULL);
    ck_assert_uint_eq(folded.report.fold_count, 1);
    ck_assert_uint_eq(folded.report.folds[0].consumed_count, 71);
    folded_free(&folded);
}
END_TEST

/* A body reads it by name. */
static void build_captured(Bench *outer)
{
    Value *x = sliced(outer, bench_image(outer, 3, 5), &whole[0], 2);
    Value *condition = sometimes(outer),
          *y = graph_fresh_value(outer->graph, "y");
    Node *node = node_new(outer->graph, OP_If, "if", &condition, 1, &y, 1);
    node->attrs = arena_array(outer->arena, 2, sizeof *node->attrs);
    node->attr_count = 2;
    for (int i = 0; i < 2; i++) {
        Bench b = *outer;
        b.graph = graph_new(outer->model, outer->graph);
        Value *inside = graph_read_value(b.graph, x->name);
        inside->fact = x->fact;
        bench_output(&b, bench_unary(&b, i ? OP_Neg : OP_Sigmoid, inside));
        node->attrs[i] = (Attr){.name = i ? "else_branch" : "then_branch",
                                .type = ATTR_GRAPH,
                                .graph = b.graph};
    }
    graph_add_node(outer->graph, node);
    bench_output(outer, y);
}

START_TEST(what_a_body_reads_stays)
{
    check_stays(build_captured);
}
END_TEST

/* Behind it a normalization finds its convolution. */
static void build_between(Bench *b)
{
    Value *x = bench_conv(b, bench_image(b, 3, 5), SAME(3));
    x = sliced(b, x, &whole[1], 3);
    bench_output(b, bench_batchnorm(b, x, 3));
}

START_TEST(folds_go_on_behind_it)
{
    check_folds(build_between, 1, 0);
}
END_TEST

Suite *suite_rule_identity(void)
{
    Suite *suite = suite_create("rule_identity");
    TCase *tcase = tcase_create("rule_identity");
    tcase_add_loop_test(tcase, a_pad_of_nothing_goes, 0, PADS);
    tcase_add_test(tcase, other_pads_stay);
    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, cli_setup, cli_teardown);
    tcase_add_loop_test(files, amounts_that_are_no_integers_are_not_read, 0, 2);
    suite_add_tcase(suite, files);
    tcase_add_loop_test(tcase, slices_of_everything_go, 0, WHOLE);
    tcase_add_loop_test(tcase, other_slices_stay, 0, PARTS);
    tcase_add_test(tcase, chains_of_them_go_at_once);
    tcase_add_test(tcase, what_a_body_reads_stays);
    tcase_add_test(tcase, folds_go_on_behind_it);
    suite_add_tcase(suite, tcase);
    return suite;
}
