/* UTF-8: what is well formed, and where it may be cut. */
#ifndef REPFOLD_BASE_UTF8_H
#define REPFOLD_BASE_UTF8_H

#include <stddef.h>

/* The bytes of the well-formed sequence that the text begins with (Unicode,
 * table 3-7), or 0. */
size_t utf8_sequence(const char *text, size_t size);

/* How many of the first `most` bytes end no sequence in its middle. */
size_t utf8_cut(const char *text, size_t most);

#endif
