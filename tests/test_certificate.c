/*
 * Certificates: each fold has one, and nothing that is wrong does. (That every
 * fold of every other test has one is checked where it is folded, in
 * folding.c.)
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "blocks.h"
#include "composing.h"
#include "folding.h"
#include "judge/certify.h"
#include "judge/residue.h"
#include "onnx/onnx.h"
#include "suites.h"

#define FIXTURES "tests/fixtures/"

/* ---- Residues ---- */

START_TEST(residues_follow_exact_arithmetic)
{
    const double a[] = {1,      -3,         0x1p-80, 0x1.fffffep100,
                        5e-324, -0x1p-1074, 0.1,     1e300};
    for (size_t i = 0; i < sizeof a / sizeof *a; i++) {
        Residue x = residue_of(a[i]);
        ck_assert_uint_lt(x, RESIDUE_P);
        ck_assert_uint_eq(residue_add(x, residue_of(-a[i])), 0);
        ck_assert_uint_eq(residue_multiply(x, residue_inverse(x)), 1);
        double eighth = ldexp(a[i], -3); /* where nothing rounds */
        if (ldexp(eighth, 3) == a[i])
            ck_assert_uint_eq(residue_multiply(residue_of(eighth), 8), x);
    }
    ck_assert_uint_eq(residue_of(0), 0);
    ck_assert_uint_eq(residue_of(-0.0), 0);
    ck_assert_uint_eq(residue_of(7), 7);
    ck_assert_uint_eq(residue_of(-7), RESIDUE_P - 7);
    ck_assert_uint_eq(residue_of(0x1p61), 1);
    ck_assert_uint_eq(residue_multiply(residue_of(0.25), 4), 1);
}
END_TEST

START_TEST(residues_of_sums_of_products)
{
    Wide sum = 0;
    Residue slow = 0;
    for (uint64_t i = 0; i < 63; i++) {
        Residue a = residue_random(3, i), b = RESIDUE_P - 1 - i;
        sum += (Wide)a * b;
        slow = residue_add(slow, residue_multiply(a, b));
    }
    ck_assert_uint_eq(residue_reduce(sum), slow);
}
END_TEST

/* ---- Real exports ---- */

static char fixtures[256][96], flags[256][16];
static int fixture_count;

static void fixtures_load(void)
{
    FILE *file = fopen(FIXTURES "index.txt", "r");
    char line[512];
    while (file && fgets(line, sizeof line, file)) {
        char *name = fixtures[fixture_count], *flag = flags[fixture_count];
        if (line[0] != '#' && fixture_count < 256 &&
            sscanf(line, "%95s %*s %*s %*s %*s %*s %*s %*s %*s %*s %15s", name,
                   flag) == 2)
            fixture_count++;
    }
    if (file)
        fclose(file);
}

START_TEST(every_fold_of_real_exports_is_certified)
{
    Arena *arena = arena_new(0);
    Model *models[2];
    Err err = {0};
    for (int i = 0; i < 2; i++) {
        const char *path = arena_printf(arena, FIXTURES "%s", fixtures[_i]);
        ck_assert_msg(model_read_file(arena, path, NULL, &models[i], &err) == 0,
                      "%s", err.message);
        models[i]->assume_inference = strcmp(flags[_i], "training") == 0;
    }
    rp_fold_options options = {.threads = 1};
    FoldReport report = {0};
    ck_assert_int_eq(model_fold(models[1], &options, &report, &err), 0);
    rp_certificates_info info = certify(arena, models[0], models[1]);
    ck_assert_msg(info.hold, "%s: %s", fixtures[_i], info.why);
    ck_assert_uint_gt(info.count, 0);
    for (size_t i = 0; i < info.count; i++) {
        const rp_certificate *certificate = &info.certificates[i];
        ck_assert(certificate->holds);
        ck_assert_ptr_null(certificate->why);
        ck_assert_uint_gt(certificate->consumed_count, 0);
        ck_assert_uint_gt(certificate->produced_count, 0);
        /* In double what cancels may leave several ulp. */
        bool is_double = models[0]->graph->inputs[0]->fact.type == DT_DOUBLE;
        ck_assert(is_double || certificate->rounding <= 0.5 + 1e-5);
        ck_assert(isfinite(certificate->bound));
    }
    arena_free(arena);
}
END_TEST

/* ---- What is wrong is found ---- */

/* Five branches; the last ones are left out of smaller ones. */
static void build_branches(Bench *b, int count)
{
    Value *x = bench_image(b, 4, 8);
    Value *sum = x;
    const ConvShape shapes[] = {SAME(3), SAME(1), SAME(3)};
    for (int i = 0; i < count; i++)
        sum = bench_binary(b, OP_Add, sum, conv_bn(b, x, shapes[i]));
    Value *end = graph_value(b->graph, "end");
    Node *node = node_new(b->graph, OP_Relu, "end", &sum, 1, &end, 1);
    end->fact = sum->fact;
    graph_add_node(b->graph, node);
    bench_output(b, end);
}

static void build_three(Bench *b)
{
    build_branches(b, 3);
}

static void build_strided(Bench *b)
{
    Value *x = bench_image(b, 4, 9);
    ConvShape shape = {.out = 4, .kernel = 3, .pad = 1, .stride = 2};
    bench_output(b, conv_bn(b, x, shape));
}

typedef void Tamper(Folded *folded, Node *conv);

static Node *conv_of(const Model *model)
{
    for (size_t i = 0; i < model->graph->node_count; i++)
        if (model->graph->nodes[i]->op == OP_Conv)
            return model->graph->nodes[i];
    return NULL;
}

/* Replaces one number of an initializer by its neighbour, `steps` on. */
static void nudge(Folded *folded, Value *value, int64_t at, int steps)
{
    const Tensor *old = value->tensor;
    void *data;
    Tensor *tensor =
        tensor_alloc(folded->arena, old->type, old->rank, old->dims, &data);
    tensor_read_stored(old, 0, old->count, data);
    float *numbers = data;
    for (int i = 0; i < steps; i++)
        numbers[at] = nextafterf(numbers[at], HUGE_VALF);
    value->tensor = tensor;
}

static void tamper_weight(Folded *folded, Node *conv)
{
    nudge(folded, conv->inputs[1], 7, 2);
}

/* Whichever of the two neighbours is further away. */
static void tamper_weight_by_an_ulp(Folded *folded, Node *conv)
{
    const Tensor *tensor = conv->inputs[1]->tensor;
    double exact;
    float stored;
    tensor_read_f64(tensor, 7, 1, &exact);
    tensor_read_stored(tensor, 7, 1, &stored);
    void *data;
    Tensor *fresh = tensor_alloc(folded->arena, tensor->type, tensor->rank,
                                 tensor->dims, &data);
    tensor_read_stored(tensor, 0, tensor->count, data);
    ((float *)data)[7] =
        nextafterf(stored, (double)stored > exact ? HUGE_VALF : -HUGE_VALF);
    conv->inputs[1]->tensor = fresh;
}

static void tamper_bias(Folded *folded, Node *conv)
{
    nudge(folded, conv->inputs[2], 1, 2);
}

static void tamper_pads(Folded *folded, Node *conv)
{
    (void)folded;
    int64_t pads[4] = {2, 1, 0, 1};
    node_set_ints(conv, "pads", pads, 4);
}

static void tamper_stride(Folded *folded, Node *conv)
{
    (void)folded;
    int64_t strides[2] = {2, 1};
    node_set_ints(conv, "strides", strides, 2);
}

/* A kernel of three with a dilation of two reaches as far as one of five. */
static void tamper_dilation(Folded *folded, Node *conv)
{
    (void)folded;
    int64_t dilations[2] = {2, 2}, pads[4] = {2, 2, 2, 2};
    node_set_ints(conv, "dilations", dilations, 2);
    node_set_ints(conv, "pads", pads, 4);
}

/* Two groups, whose weights are the first half of the input channels. */
static void tamper_group(Folded *folded, Node *conv)
{
    const Tensor *old = conv->inputs[1]->tensor;
    int64_t dims[4] = {4, 2, 3, 3};
    void *data;
    Tensor *tensor = tensor_alloc(folded->arena, DT_FLOAT, 4, dims, &data);
    tensor_read_stored(old, 0, tensor->count, data);
    conv->inputs[1]->tensor = tensor;
    node_set_int(conv, "group", 2);
}

static void tamper_bias_absent(Folded *folded, Node *conv)
{
    (void)folded;
    conv->input_count = 2;
}

static void tamper_not_a_number(Folded *folded, Node *conv)
{
    nudge(folded, conv->inputs[1], 0, 0);
    float *data = (float *)(uintptr_t)conv->inputs[1]->tensor->data;
    data[0] = NAN;
}

/* The merged kernel reads something else. */
static void tamper_input(Folded *folded, Node *conv)
{
    Graph *graph = folded->after->graph;
    Value *x = conv->inputs[0];
    Value *y = graph_fresh_value(graph, "other");
    y->fact = x->fact;
    Node *node = node_new(graph, OP_Sigmoid, "other", &x, 1, &y, 1);
    Node *both[2] = {node, node_clone(conv, conv->inputs, conv->outputs)};
    both[1]->inputs[0] = y;
    graph_replace_node(graph, conv, both, 2);
    graph_fill_uses(graph);
}

/* A node that computes what nobody reads. */
static void tamper_extra(Folded *folded, Node *conv)
{
    Graph *graph = folded->after->graph;
    Value *x = conv->inputs[0], *y = graph_fresh_value(graph, "nobody");
    y->fact = x->fact;
    graph_add_node(graph, node_new(graph, OP_Sigmoid, "nobody", &x, 1, &y, 1));
}

/* A node after the fold does something else. */
static void tamper_end(Folded *folded, Node *conv)
{
    (void)conv;
    Graph *graph = folded->after->graph;
    Node *last = graph->nodes[graph->node_count - 1];
    last->op = OP_Sigmoid;
    last->op_type = "Sigmoid";
}

static const struct {
    Tamper *tamper;
    const char *why;
} tampers[] = {
    {tamper_weight, "element 7 of the weight"},
    {tamper_weight_by_an_ulp, "element 7 of the weight"},
    {tamper_bias, "the bias of channel 1"},
    {tamper_bias_absent, "the bias of channel 0"},
    {tamper_pads, "no operator of the converted model has room"},
    {tamper_stride, "shapes differ"},
    {tamper_dilation, "no operator of the converted model has room"},
    {tamper_group, "no operator of the converted model has room"},
    {tamper_not_a_number, "element 0 of the weight"},
    {tamper_input, "what passes unchanged in the original"},
    {tamper_extra, "node \"nobody\" is in no certificate"},
    {tamper_end, "\"end\": "},
};
enum { TAMPERS = sizeof tampers / sizeof *tampers };

START_TEST(what_is_tampered_with_is_found)
{
    Folded folded = fold_model(build_three, NULL);
    rp_certificates_info info =
        certify(folded.arena, folded.before, folded.after);
    ck_assert_msg(info.hold, "%s", info.why);
    tampers[_i].tamper(&folded, conv_of(folded.after));
    info = certify(folded.arena, folded.before, folded.after);
    ck_assert(!info.hold);
    ck_assert_msg(strstr(info.why, tampers[_i].why) != NULL, "%s", info.why);
    folded_free(&folded);
}
END_TEST

/* Where an average stands between the operator and what it is held against. */
START_TEST(a_fault_in_front_of_an_average_is_found)
{
    rp_fold_options stack = {.enable = "C19"};
    Folded folded = fold_model(build_joined_average, &stack);
    Node *conv = conv_of(folded.after);
    /* Of the second half's first output. */
    nudge(&folded, conv->inputs[1], 4 * 36, 2);
    rp_certificates_info info =
        certify(folded.arena, folded.before, folded.after);
    ck_assert(!info.hold);
    ck_assert_msg(strstr(info.why, "element 144 of the weight") != NULL, "%s",
                  info.why);
    folded_free(&folded);
}
END_TEST

/* The same weights, but a branch less: 3x3, 1x1 and 3x3 without the last. */
static void build_two(Bench *b)
{
    build_branches(b, 2);
}

START_TEST(a_branch_that_was_dropped_is_found)
{
    Folded three = fold_model(build_three, NULL);
    Folded two = fold_model(build_two, NULL);
    rp_certificates_info info = certify(three.arena, three.before, two.after);
    ck_assert(!info.hold);
    info = certify(three.arena, two.before, three.after);
    ck_assert(!info.hold);
    folded_free(&two);
    folded_free(&three);
}
END_TEST

/* Symmetric padding of a strided convolution may be shifted without a change
 * of the output's size. */
START_TEST(shifted_padding_is_found)
{
    Folded folded = fold_model(build_strided, NULL);
    int64_t pads[4] = {0, 1, 2, 1};
    node_set_ints(conv_of(folded.after), "pads", pads, 4);
    rp_certificates_info info =
        certify(folded.arena, folded.before, folded.after);
    ck_assert(!info.hold);
    folded_free(&folded);
}
END_TEST

START_TEST(an_unrelated_model_has_no_certificate)
{
    Folded one = fold_model(build_three, NULL);
    Folded other = fold_model(build_strided, NULL);
    rp_certificates_info info = certify(one.arena, one.before, other.after);
    ck_assert(!info.hold);
    ck_assert_ptr_nonnull(info.why);
    folded_free(&other);
    folded_free(&one);
}
END_TEST

START_TEST(a_model_is_itself)
{
    Folded folded = fold_model(build_three, NULL);
    rp_certificates_info info =
        certify(folded.arena, folded.before, folded.before);
    ck_assert_msg(info.hold, "%s", info.why);
    ck_assert_uint_eq(info.count, 0);
    ck_assert_uint_eq(info.nodes_same, folded.before->graph->node_count);
    folded_free(&folded);
}
END_TEST

/* ---- What a certificate says ---- */

START_TEST(a_certificate_names_what_it_is_about)
{
    Folded folded = fold_model(build_three, NULL);
    rp_certificates_info info =
        certify(folded.arena, folded.before, folded.after);
    const rp_certificate *certificate = &info.certificates[0];
    const Node *conv = conv_of(folded.after);
    ck_assert_uint_eq(info.count, 1);
    ck_assert_str_eq(certificate->output, conv->outputs[0]->name);
    ck_assert_uint_eq(certificate->produced_count, 1);
    ck_assert_uint_eq(certificate->consumed_count, 9);
    ck_assert_int_eq(certificate->square_roots, 3);
    ck_assert_uint_eq(certificate->channels, 4);
    ck_assert_uint_eq(certificate->weights, 4 * 4 * 9 + 4);
    ck_assert_uint_eq(info.nodes_same, 1);
    ck_assert_uint_eq(info.nodes_certified, 1);
    bool lattice = false;
    for (size_t i = 0; i < certificate->precondition_count; i++)
        lattice |= strcmp(certificate->preconditions[i], "lattice") == 0;
    ck_assert(lattice);
    folded_free(&folded);
}
END_TEST

START_TEST(threads_change_nothing_and_seeds_the_residue_alone)
{
    Folded folded = fold_model(build_three, NULL);
    rp_certificates_info info[3];
    for (int i = 0; i < 3; i++) {
        rp_certify_options options = {.threads = i == 1 ? 3 : 1,
                                      .seed = i == 2 ? 9 : 0};
        Err err = {0};
        ck_assert_int_eq(certify_models(folded.arena, folded.before,
                                        folded.after, &options, &info[i], &err),
                         0);
        ck_assert(info[i].hold);
    }
    const rp_certificate *a = &info[0].certificates[0];
    for (int i = 1; i < 3; i++) {
        const rp_certificate *b = &info[i].certificates[0];
        ck_assert(a->residue == b->residue ? i == 1 : i == 2);
        ck_assert_double_eq(a->rounding, b->rounding);
        ck_assert_mem_eq(a->bounds, b->bounds, a->channels * sizeof *a->bounds);
    }
    folded_free(&folded);
}
END_TEST

static void build_three_in_double(Bench *b)
{
    b->type = DT_DOUBLE;
    build_three(b);
}

/* Also of zeros in float64, of whose ulp there is no half. */
START_TEST(what_is_exact_is_rounded_by_nothing)
{
    Folded folded = fold_exactly(build_three_in_double);
    rp_certify_options options = {.threads = 1, .histogram = 1};
    rp_certificates_info info;
    Err err = {0};
    ck_assert_int_eq(certify_models(folded.arena, folded.before, folded.after,
                                    &options, &info, &err),
                     0);
    ck_assert_msg(info.hold, "%s", info.why);
    ck_assert_uint_gt(info.rounding.count, 0);
    ck_assert_uint_eq(info.rounding.bins[0], info.rounding.count);
    ck_assert_double_eq(info.rounding.largest, 0);
    folded_free(&folded);
}
END_TEST

/* The outputs, in double, of the model with weights as stored or not. */
static const double *outputs_of(Arena *arena, const Model *model, bool exact,
                                const double *x, int64_t *count)
{
    ExecOptions options = {.precision = PRECISION_F64, .exact = exact};
    const Fact *fact = &model->graph->inputs[0]->fact;
    Array *output, *input = array_new(arena, fact->type, fact->rank, fact->dims,
                                      PRECISION_F64);
    memcpy(input->data, x, (size_t)input->count * sizeof *x);
    Exec *exec;
    Err err = {0};
    ck_assert_int_eq(exec_new(arena, model->graph, &options, &exec, &err), 0);
    ck_assert_int_eq(exec_run(exec, arena, &input, &output, &err), 0);
    *count = output->count;
    return output->data;
}

/* The worst input with |x| <= 1 has the signs of what rounding did; random
 * signs come close enough to show that the bound is no idle number. */
START_TEST(the_bound_bounds_and_not_by_much)
{
    Folded folded = fold_model(build_strided, NULL);
    rp_certificates_info info =
        certify(folded.arena, folded.before, folded.after);
    const rp_certificate *certificate = &info.certificates[0];
    double closest = 0, x[4 * 9 * 9];
    for (uint64_t run = 0; run < 50; run++) {
        for (uint64_t i = 0; i < 4 * 9 * 9; i++)
            x[i] = random_bits(run, i) & 1 ? 1 : -1;
        int64_t count;
        const double *a =
            outputs_of(folded.arena, folded.before, true, x, &count);
        const double *b =
            outputs_of(folded.arena, folded.after, false, x, &count);
        for (int64_t i = 0; i < count; i++) {
            double bound = certificate->bounds[i / (count / 4)];
            double ratio = fabs(a[i] - b[i]) / bound;
            closest = fmax(closest, ratio);
        }
    }
    ck_assert_double_le(closest, 1);
    ck_assert_double_gt(closest, 0.3);
    folded_free(&folded);
}
END_TEST

Suite *suite_certificate(void)
{
    fixtures_load();
    Suite *suite = suite_create("certificate");
    TCase *tcase = tcase_create("certificate");
    tcase_add_test(tcase, residues_follow_exact_arithmetic);
    tcase_add_test(tcase, residues_of_sums_of_products);
    tcase_add_loop_test(tcase, every_fold_of_real_exports_is_certified, 0,
                        fixture_count);
    tcase_add_loop_test(tcase, what_is_tampered_with_is_found, 0, TAMPERS);
    tcase_add_test(tcase, a_fault_in_front_of_an_average_is_found);
    tcase_add_test(tcase, a_branch_that_was_dropped_is_found);
    tcase_add_test(tcase, shifted_padding_is_found);
    tcase_add_test(tcase, an_unrelated_model_has_no_certificate);
    tcase_add_test(tcase, a_model_is_itself);
    tcase_add_test(tcase, a_certificate_names_what_it_is_about);
    tcase_add_test(tcase, threads_change_nothing_and_seeds_the_residue_alone);
    tcase_add_test(tcase, what_is_exact_is_rounded_by_nothing);
    tcase_add_test(tcase, the_bound_bounds_and_not_by_much);
    suite_add_tcase(suite, tcase);
    return suite;
}
