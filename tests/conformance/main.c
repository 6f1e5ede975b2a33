/*
 * Runs ONNX's backend tests through the built program:
 *
 *     conformance PROGRAM ROOT ...
 *
 * Every case in scope runs by `run --data`, in float32 and float64 at ONNX's
 * rule and once more at a strict one, and then by --input and --output .npy.
 * A table by operator, what is not run and why, and a summary are printed; the
 * exit status is 1 where a case in scope fails, 2 on trouble.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api.h"
#include "base/map.h"
#include "cases.h"
#include "exec/npy.h"
#include "judge/compare.h"
#include "judge/input.h"
#include "onnx/onnx.h"

enum { ARGUMENTS_MOST = 160 };

#define TEXT(number) TEXT_OF(number)
#define TEXT_OF(number) #number

/* How one operator fares, or one reason is met. */
typedef struct Row {
    const char *name;
    int cases, passed, strict;
} Row;

typedef struct Table {
    Map *by_name; /* to Row, by number */
    Row *rows;
    size_t count, capacity;
} Table;

typedef struct Report {
    Arena *arena;
    const char *program, *folder; /* the folder is for .npy files */
    Table operators, reasons;
    int cases, passed, strict, files, files_passed;
} Report;

/* ---- Tables ---- */

static Row *row_of(Arena *arena, Table *table, const char *name)
{
    if (!table->by_name)
        table->by_name = map_new(arena);
    uintptr_t known = (uintptr_t)map_get(table->by_name, name);
    if (known > 0)
        return &table->rows[known - 1];
    table->rows = arena_grow(arena, table->rows, &table->capacity,
                             table->count + 1, sizeof *table->rows);
    table->rows[table->count++] = (Row){.name = name};
    map_put(table->by_name, name, (void *)(uintptr_t)table->count);
    return &table->rows[table->count - 1];
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const Row *)a)->name, ((const Row *)b)->name);
}

static void sort_rows(Table *table)
{
    if (table->count > 0)
        qsort(table->rows, table->count, sizeof *table->rows, by_name);
}

/* ---- The program ---- */

/* Runs it with these arguments, its words left to see only where they are
 * wanted; the exit status, or -1. */
static int run_program(const Report *report, const char *const *arguments,
                       bool quiet)
{
    const char *argv[ARGUMENTS_MOST + 2] = {report->program};
    int count = 1, status;
    while (arguments[count - 1] && count <= ARGUMENTS_MOST) {
        argv[count] = arguments[count - 1];
        count++;
    }
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        int file = quiet ? open("/dev/null", O_WRONLY) : 1;
        if (file < 0 || dup2(file, 1) < 0 || dup2(file, 2) < 0)
            _exit(127);
        execv(report->program, (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

typedef struct Rule {
    const char *rtol, *atol;
    bool tell; /* say what is wrong */
} Rule;

static bool data_matches(const Report *report, const Case *test,
                         const char *precision, Rule rule)
{
    for (int set = 0; set < test->sets; set++) {
        const char *arguments[] = {
            "run",         test->model,
            "--data",      case_data(report->arena, test, set),
            "--precision", precision,
            "--rtol",      rule.rtol,
            "--atol",      rule.atol,
            NULL};
        if (run_program(report, arguments, true) == 0)
            continue;
        if (rule.tell)
            run_program(report, arguments, false);
        return false;
    }
    return test->sets > 0;
}

/* ---- Through .npy files ---- */

/* numpy has no bfloat16. */
static bool has_npy(Value *const *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (values[i]->fact.type == DT_BFLOAT16)
            return false;
    return true;
}

static int write_input(const Report *report, const char *data, int index,
                       const char *file, Err *err)
{
    const char *name;
    Tensor *tensor;
    Array *array;
    TRY(tensor_read_file(
        report->arena,
        arena_printf(report->arena, "%s/input_%d.pb", data, index), &tensor,
        &name, err));
    TRY(array_from_tensor(report->arena, tensor, PRECISION_F64, false, &array,
                          err));
    return array_save(report->arena, file, array, PRECISION_F64, err);
}

static int compare_output(const Report *report, const char *data, int index,
                          const char *file, Err *err)
{
    const char *name;
    Tensor *computed, *expected;
    Operand a = {.precision = PRECISION_F64}, b = a;
    Tolerance tolerance = {.rtol = RULE_RTOL, .atol = RULE_ATOL};
    Comparison comparison;
    Arena *arena = report->arena;
    TRY(npy_read(arena, file, &computed, err));
    TRY(tensor_read_file(arena,
                         arena_printf(arena, "%s/output_%d.pb", data, index),
                         &expected, &name, err));
    TRY(array_from_tensor(arena, computed, PRECISION_F64, false,
                          (Array **)&a.array, err));
    TRY(array_from_tensor(arena, expected, PRECISION_F64, false,
                          (Array **)&b.array, err));
    compare_arrays(a, b, &tolerance, &comparison);
    if (comparison.result == COMPARE_EQUAL)
        return 0;
    return err_set(err, ERR_BAD_INPUT, "%s: %s", file,
                   compare_text(arena, &comparison, a, b));
}

static const char *pair(const Report *report, const char *name,
                        const char *kind, size_t index)
{
    return arena_printf(report->arena, "%s=%s/%s_%zu.npy", name, report->folder,
                        kind, index);
}

/* The arguments for one set of data; its inputs are written. */
static int file_arguments(const Report *report, const Case *test,
                          const Graph *graph, const char *data,
                          const char **arguments, Err *err)
{
    const Value **inputs;
    int given = graph_free_inputs(report->arena, graph, &inputs);
    int count = 0;
    if (2 * ((size_t)given + graph->output_count) + 3 > ARGUMENTS_MOST)
        return err_set(err, ERR_USAGE, "too many inputs and outputs");
    arguments[count++] = "run";
    arguments[count++] = test->model;
    for (int i = 0; i < given; i++) {
        const char *name = inputs[i]->name;
        const char *file = pair(report, name, "input", (size_t)i);
        arguments[count++] = "--input";
        arguments[count++] = file;
        TRY(write_input(report, data, i, file + strlen(name) + 1, err));
    }
    for (size_t i = 0; i < graph->output_count; i++) {
        arguments[count++] = "--output";
        arguments[count++] = pair(report, graph->outputs[i]->name, "output", i);
    }
    arguments[count] = NULL;
    return 0;
}

static int run_files(Report *report, const Case *test, const Graph *graph,
                     Err *err)
{
    const char *arguments[ARGUMENTS_MOST + 1];
    const char *data = case_data(report->arena, test, 0);
    if (!has_npy(graph->inputs, graph->input_count) ||
        !has_npy(graph->outputs, graph->output_count))
        return 0;
    report->files++;
    TRY(file_arguments(report, test, graph, data, arguments, err));
    if (run_program(report, arguments, true) != 0)
        return err_set(err, ERR_BAD_INPUT, "it does not run on .npy files");
    for (size_t i = 0; i < graph->output_count; i++) {
        const char *name = graph->outputs[i]->name;
        const char *file = pair(report, name, "output", i) + strlen(name) + 1;
        TRY(compare_output(report, data, (int)i, file, err));
    }
    report->files_passed++;
    return 0;
}

static bool files_match(Report *report, const Case *test)
{
    Err err = {0};
    rp_error error = {0};
    rp_model *model = rp_open(test->model, NULL, &error);
    bool passed =
        model && run_files(report, test, model->model->graph, &err) == 0;
    if (!passed)
        printf("%s: %s: %s\n", test->name, model ? err.file : error.where,
               model ? err.message : error.message);
    rp_close(model);
    return passed;
}

/* ---- Cases ---- */

static void run_case(Report *report, const Case *test)
{
    const Rule rule = {TEXT(RULE_RTOL), TEXT(RULE_ATOL), true};
    const Rule strictly = {TEXT(STRICT_RTOL), TEXT(STRICT_ATOL), false};
    bool passed = data_matches(report, test, "f64", rule) &&
                  data_matches(report, test, "f32", rule);
    bool strict = passed && data_matches(report, test, "f64", strictly) &&
                  data_matches(report, test, "f32", strictly);
    if (!passed)
        printf("FAILED %s\n", test->folder);
    else if (!files_match(report, test))
        printf("FAILED %s by .npy files\n", test->folder);
    for (size_t i = 0; i < test->op_count; i++) {
        Row *row = row_of(report->arena, &report->operators, test->ops[i]);
        row->cases++;
        row->passed += passed;
        row->strict += strict;
    }
    report->cases++;
    report->passed += passed;
    report->strict += strict;
}

static int run_root(Report *report, const char *root)
{
    size_t count;
    Case *cases = cases_find(report->arena, root, &count);
    if (count == 0) {
        fprintf(stderr, "conformance: no case is below %s\n", root);
        return -1;
    }
    for (size_t i = 0; i < count; i++)
        if (cases[i].why_not)
            row_of(report->arena, &report->reasons, cases[i].why_not)->cases++;
        else
            run_case(report, &cases[i]);
    return 0;
}

static void print_report(Report *report)
{
    int left_out = 0;
    sort_rows(&report->operators);
    sort_rows(&report->reasons);
    printf("\n%-26s %6s %6s %6s\n", "operator", "cases", "passed", "strict");
    for (size_t i = 0; i < report->operators.count; i++) {
        const Row *row = &report->operators.rows[i];
        printf("%-26s %6d %6d %6d\n", row->name, row->cases, row->passed,
               row->strict);
    }
    printf("\nnot run, and why\n");
    for (size_t i = 0; i < report->reasons.count; i++) {
        const Row *row = &report->reasons.rows[i];
        printf("%6d  %s\n", row->cases, row->name);
        left_out += row->cases;
    }
    printf("\n%d of %d cases in scope pass at rtol %g, atol %g; %d at rtol %g, "
           "atol %g; %d of %d by .npy files; %d not run\n",
           report->passed, report->cases, RULE_RTOL, RULE_ATOL, report->strict,
           STRICT_RTOL, STRICT_ATOL, report->files_passed, report->files,
           left_out);
}

static void remove_files(const char *folder)
{
    const char *const arguments[] = {"rm", "-r", folder, NULL};
    pid_t child = fork();
    if (child == 0) {
        execvp("rm", (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    if (child > 0)
        waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/repfold-conformance-XXXXXX";
    if (argc < 3 || !mkdtemp(folder)) {
        fprintf(stderr, "usage: conformance PROGRAM ROOT ...\n");
        return 2;
    }
    int status = 0;
    Report report = {
        .arena = arena_new(0), .program = argv[1], .folder = folder};
    for (int i = 2; i < argc && status == 0; i++)
        status = run_root(&report, argv[i]) < 0 ? 2 : 0;
    print_report(&report);
    if (status == 0)
        status =
            report.passed < report.cases || report.files_passed < report.files;
    arena_free(report.arena);
    remove_files(folder);
    return status;
}
