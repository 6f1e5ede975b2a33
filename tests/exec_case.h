/*
 * Running one node in one line, in the notation of infer_case.h.  Elements of
 * inputs follow their dims, f32[2]{1,2}; those that are not given are drawn at
 * random: reals near 1 in size, integers and bools 0 or 1.
 */
#ifndef REPFOLD_TESTS_EXEC_CASE_H
#define REPFOLD_TESTS_EXEC_CASE_H

#include "exec/exec.h"
#include "infer_case.h"

typedef struct ExecCase {
    CaseNode line;
    Array *inputs[CASE_INPUTS];
    Array *outputs[CASE_OUTPUTS];
    Err err;
    int result;
} ExecCase;

void exec_case(Arena *arena, const char *line, const ExecOptions *options,
               ExecCase *out);

/* The outputs as text, "float32[2]{3,nan}; int64[]{1}", six digits; or the
 * name of the error. Must be so in both precisions. */
typedef struct ExecRow {
    const char *line, *expect;
} ExecRow;
void check_exec_row(const ExecRow *row);

/* The first output must be what the oracle says, in both precisions and at
 * every level that the machine has, and not
 * depend on the number of threads, nor on what a plan has prepared. */
void check_oracle(const char *line);

#endif
