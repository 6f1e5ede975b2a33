/* Dumps: pure, diffable, no addresses, stable order. */
#ifndef REPFOLD_GRAPH_DUMP_H
#define REPFOLD_GRAPH_DUMP_H

#include "graph/graph.h"

/* A growing text in an arena. */
typedef struct Text {
    Arena *arena;
    char *bytes; /* NUL-terminated */
    size_t length, capacity;
} Text;

void text_printf(Text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The text with control characters and invalid UTF-8 escaped, so that a name
 * from a file can go to a terminal. */
void text_escaped(Text *text, const char *string);

/* A name as it stands in a message: quoted, escaped, and cut when it is too
 * long to read. */
const char *name_text(Arena *arena, const char *name);

/* "float32[batch,3,256,256]"; "?" for what is not known. */
void text_fact(Text *text, const Symbols *symbols, const Fact *fact);

/* What an attribute holds: "[1,1]", "0.001"; lists are cut. */
void text_attr_value(Text *text, const Attr *attr);

/* One line a node: outputs with type and shape, operator, inputs. */
void graph_dump_text(const Graph *graph, Text *text);
/* The same for Graphviz. */
void graph_dump_dot(const Graph *graph, Text *text);

#endif
