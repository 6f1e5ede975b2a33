/* verify and run: are these the numbers? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"
#include "models.h"
#include "proto.h"
#include "suites.h"

#define TRAIN "micro.ts-preserve.onnx"

static const int64_t one[] = {1}, four[] = {1, 4};

static void write_graph(const char *name, const Proto *graph)
{
    Proto model;
    proto_model(&model, graph);
    cli_write(name, model.bytes, model.size);
}

/* y = op(x, weight) with the weight given. */
static void write_scale(const char *name, const char *op, float weight)
{
    Proto graph = {.size = 0};
    proto_node(&graph, op, "x w", "y");
    proto_input(&graph, "x", 2, four);
    proto_output(&graph, "y", 2, four);
    proto_weight(&graph, "w", 1, one, &weight);
    write_graph(name, &graph);
}

/* A version 1.0 .npy file; the header is padded to 128 bytes (NEP 1). */
static void write_npy(const char *name, const char *type, const char *shape,
                      const void *data, size_t size)
{
    char bytes[1024], header[128];
    int length = snprintf(header, sizeof header,
                          "{'descr': '%s', 'fortran_order': False, "
                          "'shape': (%s), }",
                          type, shape);
    memset(bytes, ' ', 128);
    memcpy(bytes, "\x93NUMPY\x01\x00\x76\x00", 10);
    memcpy(bytes + 10, header, (size_t)length);
    bytes[127] = '\n';
    memcpy(bytes + 128, data, size);
    cli_write(name, bytes, 128 + size);
}

/* ---- verify ---- */

START_TEST(test_a_model_is_itself)
{
    ck_assert_int_eq(REPFOLD("verify", cli_fixture(TRAIN), cli_fixture(TRAIN)),
                     0);
    ck_assert_ptr_nonnull(strstr(cli.out, "verdict  equivalent"));
    ck_assert_ptr_nonnull(strstr(cli.out, "seed 1"));
}
END_TEST

START_TEST(test_a_conversion_is_its_original)
{
    ck_assert_int_eq(REPFOLD("convert", "-q", cli_fixture(TRAIN), "-o",
                             "out.onnx", "--no-verify"),
                     0);
    ck_assert_int_eq(REPFOLD("verify", cli_fixture(TRAIN), "out.onnx", "--seed",
                             "7", "--samples", "2"),
                     0);
    ck_assert_ptr_nonnull(strstr(cli.out, "(2 samples, seed 7)"));
}
END_TEST

START_TEST(test_another_function_is_different)
{
    write_scale("a.onnx", "Mul", 1.5f);
    write_scale("b.onnx", "Mul", 1.51f);
    write_scale("c.onnx", "Add", 1.5f);
    ck_assert_int_eq(REPFOLD("verify", "a.onnx", "b.onnx"), 1);
    ck_assert_ptr_nonnull(strstr(cli.out, "verdict  different ("));
    ck_assert_str_eq(cli.err, "");
    ck_assert_int_eq(REPFOLD("verify", "a.onnx", "c.onnx"), 1);
    ck_assert_int_eq(REPFOLD("verify", "-q", "a.onnx", "c.onnx"), 1);
    ck_assert_str_eq(cli.out, "");
}
END_TEST

START_TEST(test_another_interface_is_different)
{
    Proto graph = {.size = 0};
    proto_node(&graph, "Relu", "other", "y");
    proto_input(&graph, "other", 2, four);
    proto_output(&graph, "y", 2, four);
    write_graph("a.onnx", &graph);
    write_scale("b.onnx", "Mul", 1.5f);
    ck_assert_int_eq(REPFOLD("verify", "a.onnx", "b.onnx"), 1);
    ck_assert_ptr_nonnull(strstr(cli.out, "verdict  different\n"));
    ck_assert_ptr_nonnull(strstr(cli.out, "\"other\""));
    ck_assert_ptr_null(strstr(cli.out, "segments"));
}
END_TEST

/* y = x * w with names of its own. */
static void write_renamed(const char *name, float weight)
{
    Proto graph = {.size = 0};
    proto_node(&graph, "Mul", "image weight", "logits");
    proto_input(&graph, "image", 2, four);
    proto_output(&graph, "logits", 2, four);
    proto_weight(&graph, "weight", 1, one, &weight);
    write_graph(name, &graph);
}

START_TEST(test_by_position_names_are_free)
{
    write_scale("a.onnx", "Mul", 1.5f);
    write_renamed("b.onnx", 1.5f);
    write_renamed("c.onnx", 1.51f);
    ck_assert_int_eq(REPFOLD("verify", "a.onnx", "b.onnx"), 1);
    ck_assert_ptr_nonnull(strstr(cli.out, "--by-position"));
    ck_assert_int_eq(REPFOLD("verify", "a.onnx", "b.onnx", "--by-position",
                             "--html", "b.html", "--json", "b.json"),
                     0);
    ck_assert_ptr_nonnull(strstr(cli.out, "output y:"));
    ck_assert_int_eq(REPFOLD("verify", "a.onnx", "c.onnx", "--by-position"), 1);
    ck_assert_ptr_nonnull(strstr(cli.out, "output \"y\" differs"));
}
END_TEST

/* The names in a body would have to change with the input's. */
START_TEST(test_by_position_leaves_bodies_alone)
{
    Proto branch = {.size = 0}, graph;
    const int64_t two = 2;
    proto_node(&branch, "Neg", "x", "n");
    proto_output(&branch, "n", 1, &two);
    if_graph(&graph, &branch);
    write_graph("if.onnx", &graph);
    write_renamed("b.onnx", 1.5f);
    REPFOLD("verify", "b.onnx", "if.onnx", "--by-position");
    cli_assert_trouble("bad-input", "\"x\" cannot be called \"image\"");
}
END_TEST

START_TEST(test_nan_in_the_original_is_inconclusive)
{
    Proto graph = {.size = 0};
    proto_node(&graph, "Sub", "x x", "zero");
    proto_node(&graph, "Div", "zero zero", "y");
    proto_input(&graph, "x", 2, four);
    proto_output(&graph, "y", 2, four);
    write_graph("nan.onnx", &graph);
    ck_assert_int_eq(REPFOLD("verify", "nan.onnx", "nan.onnx"), 1);
    ck_assert_ptr_nonnull(strstr(cli.out, "verdict  inconclusive"));
    ck_assert_ptr_nonnull(strstr(cli.out, "--input NAME=FILE.npy"));
    /* Nothing in it folds: the same bytes are the same function. */
    ck_assert_int_eq(REPFOLD("convert", "nan.onnx", "-o", "out.onnx"), 0);
    ck_assert_ptr_nonnull(strstr(cli.out, "verdict  not needed"));
    ck_assert(cli_same("nan.onnx", "out.onnx"));
}
END_TEST

/* The square root of normal numbers is none, that of the user's is. */
START_TEST(test_data_alone_can_tell)
{
    const float positive[] = {1, 2, 3, 4};
    Proto graph = {.size = 0};
    proto_node(&graph, "Sqrt", "x", "y");
    proto_input(&graph, "x", 2, four);
    proto_output(&graph, "y", 2, four);
    write_graph("root.onnx", &graph);
    write_npy("x.npy", "<f4", "1, 4", positive, sizeof positive);
    ck_assert_int_eq(REPFOLD("verify", "root.onnx", "root.onnx"), 1);
    ck_assert_int_eq(
        REPFOLD("verify", "root.onnx", "root.onnx", "--input", "x=x.npy"), 0);
    ck_assert_ptr_nonnull(strstr(cli.out, "equivalent (1 sample,"));
}
END_TEST

/* ---- run ---- */

static const float values[] = {1, -2, 0.5f, 4};

START_TEST(test_run_reads_and_writes_npy)
{
    write_scale("m.onnx", "Mul", 1.5f);
    write_npy("x.npy", "<f4", "1, 4", values, sizeof values);
    ck_assert_int_eq(
        REPFOLD("run", "m.onnx", "--input", "x=x.npy", "--output", "y=y.npy"),
        0);
    size_t size;
    float result[4];
    char *bytes = cli_read("y.npy", &size);
    ck_assert_ptr_nonnull(bytes);
    ck_assert_uint_gt(size, sizeof result);
    memcpy(result, bytes + size - sizeof result, sizeof result);
    free(bytes);
    for (int i = 0; i < 4; i++)
        ck_assert(result[i] == 1.5f * values[i]);
}
END_TEST

START_TEST(test_run_refuses_what_does_not_fit)
{
    double doubles[4] = {0};
    write_scale("m.onnx", "Mul", 1.5f);
    write_npy("x.npy", "<f4", "4, 1", values, sizeof values);
    REPFOLD("run", "m.onnx", "--input", "x=x.npy", "--output", "y=y.npy");
    cli_assert_trouble("bad-input", "x.npy: input x is [1,4], not [4,1]");
    write_npy("x.npy", "<f8", "1, 4", doubles, sizeof doubles);
    REPFOLD("run", "m.onnx", "--input", "x=x.npy", "--output", "y=y.npy");
    cli_assert_trouble("bad-input", "x.npy: input x is float32, not float64");
    cli_write("x.npy", "not npy", 7);
    REPFOLD("run", "m.onnx", "--input", "x=x.npy");
    cli_assert_trouble("bad-npy", "repfold: x.npy: it is not a .npy file");
    ck_assert(!cli_exists("y.npy"));
    REPFOLD("verify", "m.onnx", "m.onnx", "--input", "x=x.npy", "--json", "r");
    cli_assert_trouble("bad-npy", "repfold: x.npy: it is not a .npy file");
    char *report = cli_text("r");
    ck_assert_msg(strstr(report, "\"where\": \"x.npy\"") != NULL, "%s", report);
    free(report);
}
END_TEST

START_TEST(test_run_checks_names)
{
    write_scale("m.onnx", "Mul", 1.5f);
    write_npy("x.npy", "<f4", "1, 4", values, sizeof values);
    REPFOLD("run", "m.onnx", "--output", "y=y.npy");
    cli_assert_trouble("bad-input", "input x is not given");
    REPFOLD("run", "m.onnx", "--input", "z=x.npy");
    cli_assert_trouble("bad-input", "no input is called");
    REPFOLD("run", "m.onnx", "--input", "x.npy");
    cli_assert_trouble("usage", "is not NAME=FILE.npy");
    REPFOLD("run", "m.onnx", "--input", "x=x.npy", "--output", "z=z.npy");
    cli_assert_trouble("bad-input", "no output is called");
    REPFOLD("run", "m.onnx", "--input", "x=x.npy", "--input", "x=x.npy");
    cli_assert_trouble("usage", "given twice");
    REPFOLD("run", "m.onnx", "--input", "x=x.npy", "--output", "y=x.npy");
    cli_assert_trouble("same-file", "x.npy");
    REPFOLD("run", "m.onnx", "--input", "x=absent.npy");
    cli_assert_trouble("io", "absent.npy");
    ck_assert_int_eq(cli_count(), 2);
}
END_TEST

/* One TensorProto, as the ONNX backend tests have them. */
static void write_pb(const char *name, const float *data)
{
    Proto tensor = {.size = 0};
    proto_int(&tensor, 1, 1);
    proto_int(&tensor, 1, 4);
    proto_int(&tensor, 2, 1);
    proto_bytes(&tensor, 9, data, 4 * sizeof *data);
    cli_write(name, tensor.bytes, tensor.size);
}

START_TEST(test_run_backend_folder)
{
    const float right[] = {1.5f, -3, 0.75f, 6}, wrong[] = {1.5f, -3, 0.7f, 6};
    write_scale("m.onnx", "Mul", 1.5f);
    ck_assert_int_eq(mkdir(cli_path("data"), 0777), 0);
    write_pb("data/input_0.pb", values);
    write_pb("data/output_0.pb", right);
    ck_assert_int_eq(REPFOLD("run", "m.onnx", "--data", "data"), 0);
    ck_assert_ptr_nonnull(strstr(cli.out, "every output matches"));
    write_pb("data/output_0.pb", wrong);
    ck_assert_int_eq(REPFOLD("run", "m.onnx", "--data", "data"), 1);
    ck_assert_ptr_nonnull(strstr(cli.out, "differs: output y"));
    ck_assert_int_eq(
        REPFOLD("run", "m.onnx", "--data", "data", "--rtol", "0.1"), 0);
    write_pb("data/output_0.pb", right);
    write_pb("data/output_1.pb", right);
    ck_assert_int_eq(REPFOLD("run", "m.onnx", "--data", "data"), 1);
    ck_assert_ptr_nonnull(strstr(cli.out, "the model has no such output"));
    REPFOLD("run", "m.onnx", "--data", "absent");
    cli_assert_trouble("io", "absent/input_0.pb");
    REPFOLD("run", "m.onnx", "--data", "data", "--output", "y=y.npy");
    cli_assert_trouble("usage", "--data");
}
END_TEST

START_TEST(test_verify_on_backend_folders)
{
    write_scale("m.onnx", "Mul", 1.5f);
    ck_assert_int_eq(mkdir(cli_path("data"), 0777), 0);
    ck_assert_int_eq(mkdir(cli_path("more"), 0777), 0);
    write_pb("data/input_0.pb", values);
    write_pb("more/input_0.pb", values);
    ck_assert_int_eq(REPFOLD("verify", "m.onnx", "m.onnx", "--data", "data",
                             "--data", "more"),
                     0);
    ck_assert_ptr_nonnull(strstr(cli.out, "equivalent (6 samples"));
    ck_assert_int_eq(REPFOLD("verify", "m.onnx", "m.onnx", "--data", "data",
                             "--data", "more", "--shard", "2/2", "--samples",
                             "1", "--json", "r.json"),
                     0);
    ck_assert_ptr_nonnull(strstr(cli.out, "equivalent (1 sample,"));
    cli_write("more/input_0.pb", "\x08\x01\x10\x07\x4a\x08\0\0\0\0\0\0\0\0",
              14);
    REPFOLD("verify", "m.onnx", "m.onnx", "--data", "more");
    cli_assert_trouble("bad-input",
                       "more/input_0.pb: the array is int64, input \"x\" is");
    REPFOLD("convert", "m.onnx", "-o", "out.onnx", "--data", "absent");
    cli_assert_trouble("io", "absent/input_0.pb");
    REPFOLD("verify", "m.onnx", "m.onnx", "--data", "data", "--json",
            "data/input_0.pb");
    cli_assert_trouble("same-file", "data/input_0.pb");
}
END_TEST

START_TEST(test_bench)
{
    ck_assert_int_eq(REPFOLD("bench", cli_fixture(TRAIN), "--runs", "2"), 0);
    ck_assert_ptr_nonnull(strstr(cli.out, "median "));
    ck_assert_ptr_nonnull(strstr(cli.out, " ms  Conv x"));
    REPFOLD("bench", cli_fixture("micro.ts-preserve-dynsize.onnx"), "--runs",
            "1", "--input-shape", "image:1,3,48,80");
    ck_assert_int_eq(cli.status, 0);
    REPFOLD("run", cli_fixture("micro.ts-preserve-dynsize.onnx"),
            "--input-shape", "image:1,3,48,80");
    ck_assert_int_eq(cli.status, 0);
    ck_assert_int_eq(REPFOLD("run", cli_fixture(TRAIN), "--data", "d",
                             "--input-shape", "image:1,3,48,80"),
                     2);
    ck_assert_int_eq(REPFOLD("run", cli_fixture(TRAIN), "--input-shape",
                             "picture:1,3,48,80"),
                     2);
    REPFOLD("bench", cli_fixture(TRAIN), "--input-shape", "image:1,3,48,80");
    ck_assert_int_eq(cli.status, 2);
}
END_TEST

/* ---- The samples of the library ---- */

START_TEST(test_sample_programs)
{
    ck_assert_int_eq(cli_program("samples/convert_memory",
                                 (const char *const[]){cli_fixture(TRAIN),
                                                       "out.onnx", NULL}),
                     0);
    ck_assert_ptr_nonnull(strstr(cli.out, "equivalent"));
    ck_assert_int_eq(cli_program("samples/verify_memory",
                                 (const char *const[]){cli_fixture(TRAIN),
                                                       "out.onnx", NULL}),
                     0);
    ck_assert_int_eq(
        REPFOLD("convert", "-q", cli_fixture(TRAIN), "-o", "same.onnx"), 0);
    ck_assert(cli_same("out.onnx", "same.onnx"));
    write_scale("a.onnx", "Mul", 1.5f);
    write_scale("b.onnx", "Mul", 2.5f);
    ck_assert_int_eq(
        cli_program("samples/verify_memory",
                    (const char *const[]){"a.onnx", "b.onnx", NULL}),
        1);
    ck_assert_int_eq(
        cli_program("samples/verify_memory",
                    (const char *const[]){"a.onnx", "none.onnx", NULL}),
        2);
}
END_TEST

Suite *suite_cli_verify(void)
{
    Suite *suite = suite_create("cli_verify");
    TCase *tc = tcase_create("verify");
    tcase_add_checked_fixture(tc, cli_setup, cli_teardown);
    tcase_add_test(tc, test_a_model_is_itself);
    tcase_add_test(tc, test_a_conversion_is_its_original);
    tcase_add_test(tc, test_another_function_is_different);
    tcase_add_test(tc, test_another_interface_is_different);
    tcase_add_test(tc, test_by_position_names_are_free);
    tcase_add_test(tc, test_by_position_leaves_bodies_alone);
    tcase_add_test(tc, test_nan_in_the_original_is_inconclusive);
    tcase_add_test(tc, test_data_alone_can_tell);
    tcase_add_test(tc, test_run_reads_and_writes_npy);
    tcase_add_test(tc, test_run_refuses_what_does_not_fit);
    tcase_add_test(tc, test_run_checks_names);
    tcase_add_test(tc, test_run_backend_folder);
    tcase_add_test(tc, test_verify_on_backend_folders);
    tcase_add_test(tc, test_bench);
    tcase_add_test(tc, test_sample_programs);
    suite_add_tcase(suite, tc);
    return suite;
}
