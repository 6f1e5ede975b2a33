/* Models in the fuzzer: as bytes and as graphs. */
#ifndef REPFOLD_TESTS_FUZZ_MODEL_H
#define REPFOLD_TESTS_FUZZ_MODEL_H

#include "fuzz.h"
#include "gen.h"

/* Reads the bytes; they must be right. */
Model *fuzz_read(Arena *arena, Span file, Err *err);
/* Writes the model, as it has changed since it was read. */
int fuzz_write(Arena *arena, const Model *model, Span *file, Err *err);
/* Forgets the file that the model was read from, so that anything may be
 * edited and all is written anew. */
void fuzz_detach(Model *model);
/* Writes a detached or generated model with the functions it had. */
int fuzz_pack(Arena *arena, const Model *model, Span *file, Err *err);
/* The FunctionProto of a graph without initializers. */
Span fuzz_function(Arena *arena, const Graph *body, const char *domain);
/* A function of five inputs that gives the negative of its first. */
Span fuzz_namesake(Arena *arena, const char *domain);

#endif
