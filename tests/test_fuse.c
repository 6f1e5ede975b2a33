/*
 * Steps that run as one: the same bits as the steps by themselves, and which
 * ones do.  A row's nodes are "OPERATOR input ... > output"; the values x and
 * the constants of make_net are there, y and any z are the graph's outputs.
 */
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "exec/exec.h"
#include "graph/dump.h"
#include "net.h"
#include "suites.h"

/* More than one block, and no multiple of one. */
enum { N = 2, C = 3, H = 24, W = 25, MOST = N * C * H * W };

static Arena *arena;
static Err err;

static void setup(void)
{
    arena = arena_new(0);
    err = (Err){0};
}

static void teardown(void)
{
    arena_free(arena);
}

#define GELU(x, y)                                                             \
    "Div " x " root > " y "1; Erf " y "1 > " y "2; Add " y "2 one > " y        \
    "3; Mul " x " " y "3 > " y "4; Mul " y "4 half > " y
#define GELU_NAMES "Div+Erf+Add+Mul+Mul"
#define NORM(x, y) "BatchNormalization " x " gamma beta mean var > " y

#define BRANCH(weight, y) "Conv x " weight " > " y "c; " NORM(y "c", y)

static const struct {
    const char *nodes, *groups;
} rows[] = {
    {GELU("x", "y"), GELU_NAMES},
    {"Conv x w > c; " GELU("c", "y"), "Conv+" GELU_NAMES},
    {"Conv x w > c; Sigmoid c > s; Mul c s > m; Add m x > y",
     "Conv+Sigmoid+Mul+Add"},
    {"Conv x w > c; " NORM("c", "n") "; Relu n > y",
     "Conv+BatchNormalization+Relu"},
    {NORM("x", "n") "; Add n n > y", "BatchNormalization+Add"},
    {"MatMul x square > p; Add p last > q; " GELU("q", "y"),
     "MatMul+Add+" GELU_NAMES},
    /* a kernel beside, and what it is added to is normalised before */
    {"Conv x w > a; " NORM("a", "an") "; Conv x v > b; " NORM(
         "b", "bn") "; Add an bn > s; " NORM("x", "xn") "; Add s xn > t; "
                                                        "Relu t > y",
     "Conv+Conv+BatchNormalization+BatchNormalization+Add+BatchNormalization+"
     "Add+Relu"},
    /* a sum of normalised values is one row, from either side, unless what is
     * normalised is read again or gone by then */
    {NORM("x", "n") "; Add full n > s; " NORM("s", "t") "; Add t x > y",
     "BatchNormalization+Add+BatchNormalization+Add"},
    {NORM("x", "n") "; Sum n full x > y", "BatchNormalization+Sum"},
    {NORM("x", "n") "; " NORM("full", "f") "; Add n f > y",
     "BatchNormalization+BatchNormalization+Add"},
    {NORM("x", "n") "; Relu n > r; Add n r > y", "BatchNormalization+Relu+Add"},
    {NORM("x", "n") "; Add n channel > s; Sub s full > y",
     "BatchNormalization+Add+Sub"},
    {"Neg x > p; " NORM("p", "n") "; Exp x > q; Add n q > y",
     "Neg+BatchNormalization+Exp+Add"},
    /* branches on one value: their kernels run side by side, unless somebody
     * else reads one or they see different values; then each sum is done with
     * its kernel */
    {NORM("x", "i") "; " BRANCH("w", "a") "; " BRANCH(
         "v", "b") "; Add a b > s; " BRANCH("w", "c") "; Add s c > t; "
                                                      "Add t i > u; Relu u > y",
     "Conv+Conv+Conv+BatchNormalization+BatchNormalization+"
     "BatchNormalization+Add+BatchNormalization+Add+Add+Relu"},
    {BRANCH("w", "a") "; " BRANCH("v", "b") "; Add a b > s; Conv x w > z; "
                                            "Add z s > y",
     "Conv+Conv+BatchNormalization+BatchNormalization+Add Conv Add"},
    {NORM("x", "i") "; " BRANCH("w",
                                "a") "; Conv i v > b; Add a b > s; "
                                     "Conv x w > c; Add s c > t; Add t i > y",
     "BatchNormalization Conv Conv+BatchNormalization+Add Conv+Add+Add"},
    {"Conv x w > a; Conv x v > b; Sub a b > y", "Conv+Conv+Sub"},
    /* more of them than registers: as far as it goes */
    {"Conv x w > a; Conv x v > b; Conv x w > c; Conv x v > d; Conv x w > e; "
     "Sum a b c d e > y",
     "Conv+Conv+Conv+Conv+Conv+Sum"},
    {"Conv x w > a; Abs a > A; Conv x v > b; Neg b > B; Conv x w > c; "
     "Exp c > C; Conv x v > d; Sin d > D; Conv x w > e; Cos e > E; "
     "Sum A B C D E > y",
     "Conv+Abs Conv+Neg Conv+Exp Conv+Sin Conv+Cos Sum"},
    /* all ways to broadcast, from either side */
    {"Mul x channel > a; Sub last a > b; Add full b > c; Div c one > y",
     "Mul+Sub+Add+Div"},
    {"Max x channel > a; Min a x last > b; Sum b full last > c; Relu c > y",
     "Max+Min+Sum+Relu"},
    {"GlobalAveragePool x > p; Sigmoid p > g; Mul x g > m; Relu m > y",
     "GlobalAveragePool Sigmoid Mul+Relu"},
    /* what a chain cannot index, or is not a real number, stays out */
    {"Neg x > a; Add a odd > b; Abs b > c; Neg c > y", "Neg Add Abs+Neg"},
    {"Pow x two > a; Neg a > y", "Pow Neg"},
    {"Neg x > a; Less a full > y", "Neg Less"},
    /* what others read is there */
    {"Abs x > z; Neg z > y", "Abs Neg"},
    {"Conv x w > z; Relu z > y", "Conv Relu"},
    {"Neg x > a; ReduceMean a > m; Sub a m > y", "Neg ReduceMean Sub"},
    {"Add x full > s; Sigmoid s > g; Mul s g > y", "Add+Sigmoid+Mul"},
    /* numbers that are computed */
    {"ReduceMean x > m; Neg m > n; Clip x n one > c; Abs c > y",
     "ReduceMean Neg Clip+Abs"},
    /* more values at once than there are registers */
    {"Abs x > a; Neg x > b; Exp x > c; Sin x > d; Cos x > e; "
     "Sum a b c d e > y",
     "Abs Neg Exp Sin Cos Sum"},
    /* the order of the nodes is not the order of the chains */
    {"Neg x > a; Abs x > b; Relu a > c; Exp b > d; MatMul c square > e; "
     "Sub e d > y",
     "Neg+Relu MatMul+Abs+Exp+Sub"},
};
enum { ROWS = sizeof rows / sizeof *rows };

static void add_weight(Net *net, const char *name, DType type, int rank,
                       const int64_t *dims)
{
    double values[MOST];
    int64_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= dims[i];
    for (int64_t i = 0; i < count; i++)
        values[i] = type == DT_INT64
                        ? 2
                        : 0.1 + random_unit((uint64_t)name[0], (uint64_t)i);
    toy_weight(net, name, type, rank, dims, values);
}

static void add_constants(Net *net)
{
    static const char *const channels[] = {"gamma", "beta", "mean", "var"};
    for (int i = 0; i < 4; i++)
        add_weight(net, channels[i], DT_FLOAT, 1, (int64_t[]){C});
    add_weight(net, "root", DT_FLOAT, 0, NULL);
    add_weight(net, "one", DT_FLOAT, 0, NULL);
    add_weight(net, "half", DT_FLOAT, 1, (int64_t[]){1});
    add_weight(net, "two", DT_INT64, 0, NULL);
    add_weight(net, "channel", DT_FLOAT, 3, (int64_t[]){C, 1, 1});
    add_weight(net, "last", DT_FLOAT, 1, (int64_t[]){W});
    add_weight(net, "full", DT_FLOAT, 4, (int64_t[]){N, C, H, W});
    add_weight(net, "odd", DT_FLOAT, 4, (int64_t[]){N, 1, H, W});
    add_weight(net, "w", DT_FLOAT, 4, (int64_t[]){C, 1, 3, 3});
    add_weight(net, "v", DT_FLOAT, 4, (int64_t[]){C, 1, 1, 1});
    add_weight(net, "square", DT_FLOAT, 2, (int64_t[]){W, W});
}

static void add_nodes(Net *net, const char *nodes)
{
    char *text = arena_strdup(arena, nodes), *rest = NULL;
    for (char *line = strtok_r(text, ";", &rest); line;
         line = strtok_r(NULL, ";", &rest)) {
        char name[32], *output = strstr(line, " > ");
        int length = 0;
        ck_assert_int_eq(sscanf(line, " %31s%n", name, &length), 1);
        *output = 0;
        Node *node = toy_node(net, op_find(name), line + length, output + 3);
        if (strcmp(name, "Conv") == 0)
            node_set_int(node, "group", C);
        if (strcmp(name, "Conv") == 0 && strstr(line, " w"))
            node_set_ints(node, "pads", (const int64_t[]){1, 1, 1, 1}, 4);
        if (output[3] == 'z')
            toy_output(net, output + 3, DT_FLOAT);
    }
}

static Net make_net(const char *nodes)
{
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 4, (const int64_t[]){-1, C, -1, W});
    toy_output(&net, "y", DT_UNDEFINED);
    add_constants(&net);
    add_nodes(&net, nodes);
    toy_finish(&net);
    return net;
}

static Array *make_array(Precision precision, int rank, const int64_t *dims)
{
    Array *x = array_new(arena, DT_FLOAT, rank, dims, precision);
    for (int64_t i = 0; i < x->count; i++) {
        double value = 3 * random_normal(7, (uint64_t)i);
        if (precision == PRECISION_F32)
            ((float *)x->data)[i] = (float)value;
        else
            ((double *)x->data)[i] = value;
    }
    return x;
}

static Array *make_input(Precision precision, int64_t n, int64_t h)
{
    return make_array(precision, 4, (int64_t[]){n, C, h, W});
}

static void run(const Net *net, const ExecOptions *options, Array *x,
                Array **outputs)
{
    Exec *exec;
    ck_assert_msg(exec_new(arena, net->graph, options, &exec, &err) == 0, "%s",
                  err.message);
    /* The second run finds the buffers of the first. */
    for (int again = 0; again < 2; again++)
        ck_assert_msg(exec_run(exec, arena, &x, outputs, &err) == 0, "%s",
                      err.message);
}

/* A probe sees every value: then nothing runs as one. */
static int ignore_value(void *context, const Node *node, int output,
                        const Array *array, Err *fault)
{
    (void)context, (void)node, (void)output, (void)array, (void)fault;
    return 0;
}

static void check_same(const Net *net, const ExecOptions *options, Array *x)
{
    Array *fused[2], *alone[2];
    ExecOptions separate = *options;
    separate.probe = ignore_value;
    separate.pool = NULL;
    run(net, options, x, fused);
    run(net, &separate, x, alone);
    for (size_t i = 0; i < net->graph->output_count; i++) {
        size_t size =
            alone[i]->type == DT_BOOL || options->precision == PRECISION_F64
                ? sizeof(double)
                : sizeof(float);
        ck_assert_int_eq(fused[i]->count, alone[i]->count);
        ck_assert_int_eq(memcmp(fused[i]->data, alone[i]->data,
                                (size_t)alone[i]->count * size),
                         0);
    }
}

START_TEST(steps_that_run_as_one_give_the_same_bits)
{
    Net net = make_net(rows[_i].nodes);
    for (int p = PRECISION_F32; p <= PRECISION_F64; p++)
        for (int threads = 1; threads <= 3; threads++)
            check_same(&net,
                       &(ExecOptions){.precision = (Precision)p,
                                      .runs_often = threads == 2,
                                      .pool = pool_new(arena, threads)},
                       make_input((Precision)p, N, H));
}
END_TEST

static void note_group(void *context, const Node *const *nodes, int count,
                       double seconds)
{
    Text *text = context;
    (void)seconds;
    for (int i = 0; i < count; i++)
        text_printf(text, "%s%s",
                    i              ? "+"
                    : text->length ? " "
                                   : "",
                    nodes[i]->op_type);
}

START_TEST(steps_run_as_one_where_only_they_read_what_is_between)
{
    Net net = make_net(rows[_i].nodes);
    Text text = {.arena = arena};
    Exec *exec;
    Array *x = make_input(PRECISION_F32, N, H), *outputs[2];
    ExecOptions options = {.timing = note_group, .timing_context = &text};
    ck_assert_int_eq(exec_new(arena, net.graph, &options, &exec, &err), 0);
    ck_assert_int_eq(exec_run(exec, arena, &x, outputs, &err), 0);
    ck_assert_str_eq(text.bytes, rows[_i].groups);
}
END_TEST

/* ---- Kernels side by side ---- */

/* A number from low to high. */
static int64_t pick(uint64_t *seed, int64_t low, int64_t high)
{
    return low +
           (int64_t)(random_bits(7, (*seed)++) % (uint64_t)(high - low + 1));
}

/* What the branches of a network have in common. */
typedef struct Branches {
    int rank;
    int64_t images, in, out, group, stride, size[2];
} Branches;

static Branches pick_branches(uint64_t *seed)
{
    Branches b = {.rank = (int)pick(seed, 3, 4), .images = pick(seed, 1, 2)};
    int64_t group_in = 1, group_out = pick(seed, 1, 2);
    b.group = pick(seed, 1, 40);
    if (pick(seed, 0, 1)) { /* not depthwise */
        b.group = pick(seed, 1, 2);
        group_in = pick(seed, 1, 30);
        group_out = pick(seed, 1, 70);
    }
    b.in = b.group * group_in;
    b.out = b.group * group_out;
    b.stride = pick(seed, 1, 2);
    for (int i = 0; i < 2; i++)
        b.size[i] = pick(seed, 1, pick(seed, 0, 3) ? 30 : 90);
    return b;
}

static void add_random(Net *net, const char *name, int rank,
                       const int64_t *dims)
{
    int64_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= dims[i];
    double *values = arena_array(arena, (size_t)count + 1, sizeof *values);
    for (int64_t i = 0; i < count; i++)
        values[i] = 0.1 + random_unit((uint64_t)count, (uint64_t)i);
    toy_weight(net, name, DT_FLOAT, rank, dims, values);
}

/* A convolution of x whose padding keeps the size, and perhaps its BatchNorm,
 * added to `sum` where that is given. */
static const char *add_branch(Net *net, const Branches *b, uint64_t *seed,
                              int index, const char *sum)
{
    char *name = arena_printf(arena, "branch%d", index), text[64];
    int64_t kernel = 2 * pick(seed, 0, 3) + 1, dilation = pick(seed, 1, 2);
    int64_t pad = kernel / 2 * dilation, bias = pick(seed, 0, 1);
    const int64_t dims[] = {b->out, b->in / b->group, kernel, kernel};
    add_random(net, arena_printf(arena, "w%d", index), b->rank, dims);
    snprintf(text, sizeof text, "x w%d%s", index, bias ? " beta" : "");
    Node *node = toy_node(net, OP_Conv, text, name);
    node_set_ints(node, "pads", (const int64_t[]){pad, pad, pad, pad},
                  (size_t)(2 * (b->rank - 2)));
    node_set_ints(node, "strides", (const int64_t[]){b->stride, b->stride},
                  (size_t)(b->rank - 2));
    node_set_ints(node, "dilations", (const int64_t[]){dilation, dilation},
                  (size_t)(b->rank - 2));
    node_set_int(node, "group", b->group);
    if (pick(seed, 0, 2)) {
        snprintf(text, sizeof text, "%s gamma beta mean var", name);
        name = arena_printf(arena, "normal%d", index);
        toy_node(net, OP_BatchNormalization, text, name);
    }
    if (!sum)
        return name;
    bool first = pick(seed, 0, 1);
    snprintf(text, sizeof text, "%s %s", first ? sum : name,
             first ? name : sum);
    name = arena_printf(arena, "sum%d", index);
    toy_node(net, OP_Add, text, name);
    return name;
}

static Net make_branches(const Branches *b, uint64_t *seed)
{
    static const char *const channels[] = {"gamma", "beta", "mean", "var"};
    Net net = toy_new(arena);
    const char *sum = NULL, *identity = NULL;
    const int64_t dims[] = {-1, b->in, b->size[0], b->size[1]};
    int64_t count = pick(seed, 2, 6);
    toy_input(&net, "x", DT_FLOAT, b->rank, dims);
    for (int i = 0; i < 4; i++)
        add_random(&net, channels[i], 1, &b->out);
    if (b->in == b->out && b->stride == 1 && pick(seed, 0, 1)) {
        identity = "identity";
        toy_node(&net, OP_BatchNormalization, "x gamma beta mean var",
                 identity);
    }
    for (int i = 0; i < (int)count; i++)
        sum = add_branch(&net, b, seed, i, sum);
    if (identity) {
        toy_node(&net, OP_Add, arena_printf(arena, "%s %s", sum, identity),
                 "all");
        sum = "all";
    }
    toy_node(&net, OP_Relu, sum, "y");
    toy_output(&net, "y", DT_UNDEFINED);
    toy_finish(&net);
    return net;
}

static int together; /* kernels of the largest group */

static void count_kernels(void *context, const Node *const *nodes, int count,
                          double seconds)
{
    int kernels = 0;
    (void)context, (void)seconds;
    for (int i = 0; i < count; i++)
        kernels += nodes[i]->op == OP_Conv;
    together = kernels > together ? kernels : together;
}

START_TEST(kernels_side_by_side_give_the_same_bits)
{
    int several = 0;
    for (uint64_t seed = (uint64_t)_i << 32, end = seed + 3000; seed < end;) {
        Arena *whole = arena;
        arena = arena_child(whole);
        Branches b = pick_branches(&seed);
        Net net = make_branches(&b, &seed);
        Precision precision = (Precision)pick(&seed, 0, 1);
        ExecOptions options = {.precision = precision,
                               .level =
                                   pick(&seed, 0, 1) ? SIMD_BEST : SIMD_PLAIN,
                               .runs_often = pick(&seed, 0, 1),
                               .pool = pool_new(arena, (int)pick(&seed, 1, 3)),
                               .timing = count_kernels};
        const int64_t dims[] = {b.images, b.in, b.size[0], b.size[1]};
        together = 0;
        check_same(&net, &options, make_array(precision, b.rank, dims));
        several += together > 1;
        arena_free(arena);
        arena = whole;
    }
    ck_assert_int_gt(several, 5);
}
END_TEST

/* One plan, inputs of other sizes: none, one row, more. */
START_TEST(a_plan_takes_inputs_of_other_shapes)
{
    static const int64_t sizes[][2] = {{1, 1}, {N, H}, {0, H}, {1, 2 * H}};
    Net net = make_net("Conv x w > c; Mul c channel > m; " GELU("m", "y"));
    Exec *exec;
    ck_assert_int_eq(
        exec_new(arena, net.graph, &(ExecOptions){.exact = false}, &exec, &err),
        0);
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
        const int64_t *size = sizes[i / 2];
        Array *x = make_input(PRECISION_F32, size[0], size[1]), *y, *alone;
        ck_assert_int_eq(exec_run(exec, arena, &x, &y, &err), 0);
        run(&net, &(ExecOptions){.probe = ignore_value}, x, &alone);
        ck_assert_int_eq(y->count, size[0] * C * size[1] * W);
        ck_assert_int_eq(
            memcmp(y->data, alone->data, (size_t)y->count * sizeof(float)), 0);
    }
}
END_TEST

/* A step that fails says so itself, not the group that it is in. */
START_TEST(a_fault_is_told_of_the_node)
{
    Net net = make_net("Neg x > a; Clip a last > b; Abs b > y");
    Array *x = make_input(PRECISION_F32, N, H), *y;
    Exec *exec;
    ck_assert_int_eq(
        exec_new(arena, net.graph, &(ExecOptions){.exact = false}, &exec, &err),
        0);
    ck_assert_int_eq(exec_run(exec, arena, &x, &y, &err), -1);
    ck_assert_int_eq(err.code, ERR_BAD_SHAPE);
    ck_assert_ptr_nonnull(strstr(err.message, "node \"node_b\""));
}
END_TEST

Suite *suite_fuse(void)
{
    Suite *suite = suite_create("fuse");
    TCase *tcase = tcase_create("fuse");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, steps_that_run_as_one_give_the_same_bits, 0,
                        ROWS);
    tcase_add_loop_test(
        tcase, steps_run_as_one_where_only_they_read_what_is_between, 0, ROWS);
    tcase_add_loop_test(tcase, kernels_side_by_side_give_the_same_bits, 0, 4);
    tcase_add_test(tcase, a_plan_takes_inputs_of_other_shapes);
    tcase_add_test(tcase, a_fault_is_told_of_the_node);
    suite_add_tcase(suite, tcase);
    return suite;
}
