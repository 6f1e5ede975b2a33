/*
 * LSTM, GRU and RNN: by hand, and of shapes at random against the oracle.
 * exec_case.h has the notation.
 */
#include "base/random.h"
#include "exec_case.h"
#include "folding.h"
#include "graph/dump.h"
#include "suites.h"

enum { SEEDS = 30 };

/* Weights of 1 and 0 without a bias: the state is f(x), or what is said. */
#define ONE(x) "f32[1,1,1]{" #x "}"

static const ExecRow rows[] = {
    /* each activation at 2, with numbers of its own and without */
    {"RNN(" ONE(2) ", " ONE(1) ", " ONE(0) ") activations=[\"Relu\"] -> 2",
     "float32[1,1,1,1]{2}; float32[1,1,1]{2}"},
    {"RNN(" ONE(0) ", " ONE(1) ", " ONE(0) ") activations=[\"sigmoid\"]",
     "float32[1,1,1,1]{0.5}"},
    {"RNN(" ONE(3) ", " ONE(1) ", " ONE(0) ") activations=[\"Softsign\"]",
     "float32[1,1,1,1]{0.75}"},
    {"RNN(" ONE(0) ", " ONE(1) ", " ONE(0) ") activations=[\"Softplus\"]",
     "float32[1,1,1,1]{0.693147}"},
    {"RNN(" ONE(-2) ", " ONE(1) ", " ONE(0) ") activations=[\"LeakyRelu\"]",
     "float32[1,1,1,1]{-0.02}"},
    {"RNN(" ONE(-2) ", " ONE(1) ", " ONE(0) ") activations=[\"LeakyRelu\"] "
                                            "activation_alpha=[0.5]",
     "float32[1,1,1,1]{-1}"},
    {"RNN(" ONE(2) ", " ONE(1) ", " ONE(0) ") activations=[\"ThresholdedRelu\"]"
                                           " activation_alpha=[3.]",
     "float32[1,1,1,1]{0}"},
    {"RNN(" ONE(-2) ", " ONE(1) ", " ONE(0) ") activations=[\"Elu\"]",
     "float32[1,1,1,1]{-0.864665}"},
    {"RNN(" ONE(2) ", " ONE(1) ", " ONE(0) ") activations=[\"HardSigmoid\"]",
     "float32[1,1,1,1]{0.9}"},
    {"RNN(" ONE(2) ", " ONE(1) ", " ONE(
         0) ") activations=[\"Affine\"] "
            "activation_alpha=[3.] activation_beta=[1.]",
     "float32[1,1,1,1]{7}"},
    {"RNN(" ONE(2) ", " ONE(1) ", " ONE(0) ") activations=[\"Affine\"]",
     "float32[1,1,1,1]{2}"},
    {"RNN(" ONE(2) ", " ONE(1) ", " ONE(
         0) ") activations=[\"ScaledTanh\"] "
            "activation_alpha=[3.] activation_beta=[0.5]",
     "float32[1,1,1,1]{2.28478}"},
    /* numbers go to those that take some, in order */
    {"RNN(f32[1,1,1]{-2}, f32[2,1,1]{1,1}, f32[2,1,1]{0,0}) "
     "direction=\"bidirectional\" activations=[\"Relu\",\"LeakyRelu\"] "
     "activation_alpha=[0.5] -> 2",
     "float32[1,2,1,1]{0,-1}; float32[2,1,1]{0,-1}"},
    /* the bias of each matrix, and a state to begin with */
    {"RNN(" ONE(2) ", " ONE(1) ", " ONE(3) ", f32[1,2]{10,100}, -, " ONE(
         5) ") activations=[\"Relu\"]",
     "float32[1,1,1,1]{127}"},
    {"RNN(" ONE(2) ", " ONE(1) ", " ONE(0) ") activations=[\"Relu\"] clip=1.5",
     "float32[1,1,1,1]{1.5}"},
    /* sequences of 2, 0 and 1 steps: the rest is 0, the state stays */
    {"RNN(f32[2,3,1]{1,2,3,4,5,6}, " ONE(1) ", " ONE(
         10) ", -, i32[3]{2,0,1}, "
             "f32[1,3,1]{0,7,0}) activations=[\"Relu\"] -> 2",
     "float32[2,1,3,1]{1,0,3,14,0,0}; float32[1,3,1]{14,7,3}"},
    {"RNN(f32[2,3,1]{1,2,3,4,5,6}, " ONE(1) ", " ONE(
         10) ", -, i32[3]{2,0,1}) "
             "activations=[\"Relu\"] direction=\"reverse\" -> 2",
     "float32[2,1,3,1]{41,0,3,4,0,0}; float32[1,3,1]{41,0,3}"},
    {"RNN(f32[0,1,1], " ONE(1) ", " ONE(0) ", -, -, " ONE(5) ") -> 2",
     "float32[0,1,1,1]{}; float32[1,1,1]{5}"},
    /* what does not fit */
    {"RNN(" ONE(2) ", " ONE(1) ", " ONE(0) ") activations=[\"Sine\"]",
     "bad-attribute"},
    {"RNN(" ONE(2) ", " ONE(1) ", " ONE(0) ") "
                                           "activations=[\"Relu\",\"Relu\"]",
     "bad-attribute"},
    {"RNN(" ONE(2) ", " ONE(1) ", " ONE(0) ") direction=\"up\"",
     "bad-attribute"},
    {"RNN(" ONE(2) ", " ONE(1) ", " ONE(0) ") direction=\"bidirectional\"",
     "bad-shape"},
    {"RNN(" ONE(2) ", " ONE(1) ", " ONE(0) ", f32[1,3])", "bad-shape"},
    {"RNN(" ONE(2) ", " ONE(1) ", " ONE(0) ", -, i32[1]{2})", "bad-shape"},
    {"RNN(" ONE(2) ", " ONE(1) ", " ONE(0) ", -, i32[2]{1,1})", "bad-shape"},
    {"GRU(" ONE(2) ", " ONE(1) ", " ONE(0) ")", "bad-shape"},
    {"LSTM(" ONE(2) ", f32[1,4,1], f32[1,4,1], -, -, -, -, f32[1,2])",
     "bad-shape"},
};

START_TEST(layers_by_hand)
{
    check_exec_row(&rows[_i]);
}
END_TEST

/* ---- At random ---- */

static Arena *arena;
static uint64_t seed;

static void setup(void)
{
    arena = arena_new(0);
}

static void teardown(void)
{
    arena_free(arena);
}

static int pick(int low, int high)
{
    seed = random_bits(seed, 1);
    return low + (int)(seed % (uint64_t)(high - low + 1));
}

/* "f32[a,b,c]", or half of the time nothing. */
static const char *maybe(int a, int b, int c)
{
    if (pick(0, 1))
        return "-";
    return c ? arena_printf(arena, "f32[%d,%d,%d]", a, b, c)
             : arena_printf(arena, "f32[%d,%d]", a, b);
}

static const char *lengths_text(int batch, int time)
{
    Text text = {.arena = arena};
    if (pick(0, 1))
        return "-";
    text_printf(&text, "i32[%d]{", batch);
    for (int i = 0; i < batch; i++)
        text_printf(&text, "%s%d", i ? "," : "", pick(0, time));
    text_printf(&text, "}");
    return text.bytes;
}

/* (first, second, third), the first two the other way round with layout 1. */
static const char *state_text(bool batch_first, int directions, int batch,
                              int units)
{
    return batch_first ? maybe(batch, directions, units)
                       : maybe(directions, batch, units);
}

START_TEST(layers_against_the_oracle)
{
    static const struct {
        const char *name;
        int gates;
    } layers[] = {{"LSTM", 4}, {"GRU", 3}, {"RNN", 1}};
    static const char *const ways[] = {"forward", "reverse", "bidirectional"};
    seed = random_stream(7, (uint64_t)_i);
    int layer = pick(0, 2), way = pick(0, 2), directions = way == 2 ? 2 : 1;
    int gates = layers[layer].gates, units = pick(1, pick(0, 5) ? 9 : 40);
    int features = pick(1, 9), time = pick(1, 5), batch = pick(1, 4);
    bool batch_first = pick(0, 1);
    Text line = {.arena = arena};
    text_printf(&line, "%s(f32[%d,%d,%d], f32[%d,%d,%d], f32[%d,%d,%d], %s, %s",
                layers[layer].name, batch_first ? batch : time,
                batch_first ? time : batch, features, directions, gates * units,
                features, directions, gates * units, units,
                maybe(directions, 2 * gates * units, 0),
                lengths_text(batch, time));
    text_printf(&line, ", %s",
                state_text(batch_first, directions, batch, units));
    if (layer == 0)
        text_printf(&line, ", %s, %s",
                    state_text(batch_first, directions, batch, units),
                    maybe(directions, 3 * units, 0));
    text_printf(&line, ") direction=\"%s\" layout=%d%s%s%s", ways[way],
                batch_first, pick(0, 3) ? "" : " clip=0.75",
                layer == 1 && pick(0, 1) ? " linear_before_reset=1" : "",
                layer == 0 && !pick(0, 3) ? " input_forget=1" : "");
    check_oracle(line.bytes);
}
END_TEST

/* ---- In a network ---- */

/* A text recogniser in small: convolutions, of whose columns a layer reads one
 * after the other; only its last state is wanted. */
static void build_reader(Bench *b)
{
    enum { CHANNELS = 4, COLUMNS = 5, UNITS = 3 };
    int64_t features[3] = {COLUMNS, 1, CHANNELS};
    int64_t input[3] = {1, 4 * UNITS, CHANNELS},
            state[3] = {1, 4 * UNITS, UNITS};
    Value *x = bench_image(b, 2, COLUMNS);
    x = bench_conv(b, x, (ConvShape){.out = CHANNELS, .kernel = 3, .pad = 1});
    x = bench_batchnorm(b, x, CHANNELS);
    x = bench_unary(b, OP_Relu, x);
    x = bench_binary(b, OP_ReduceMean, x, bench_ints(b, 1, (int64_t[]){2}));
    Node *turn =
        node_new(b->graph, OP_Transpose, "turn", &x, 1,
                 (Value *[]){graph_fresh_value(b->graph, "turned")}, 1);
    node_set_ints(turn, "perm", (int64_t[]){3, 0, 1, 2}, 4);
    bench_add(b, turn);
    x = bench_binary(b, OP_Reshape, turn->outputs[0],
                     bench_ints(b, 3, features));
    Value *inputs[3] = {x, bench_constant(b, 3, input),
                        bench_constant(b, 3, state)};
    Value *outputs[2] = {NULL, graph_fresh_value(b->graph, "last")};
    bench_add(b, node_new(b->graph, OP_LSTM, "read", inputs, 3, outputs, 2));
    bench_output(b, outputs[1]);
}

START_TEST(folds_before_a_layer_that_only_gives_its_last_state)
{
    Folded folded = fold_model(build_reader, NULL);
    ck_assert_uint_eq(folded.report.fold_count, 1);
    ck_assert_double_le(folded.difference, 1e-14);
    folded_free(&folded);
}
END_TEST

Suite *suite_kern_recurrent(void)
{
    Suite *suite = suite_create("kern_recurrent");
    TCase *tcase = tcase_create("layers");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, layers_by_hand, 0,
                        (int)(sizeof rows / sizeof *rows));
    tcase_add_loop_test(tcase, layers_against_the_oracle, 0, SEEDS);
    tcase_add_test(tcase, folds_before_a_layer_that_only_gives_its_last_state);
    suite_add_tcase(suite, tcase);
    return suite;
}
