/* The level that every machine has. Nothing is fused, so that its results are
 * the same on all of them. */
#include <string.h>

#include "exec/level.h"

#define LEVEL plain
#define TARGET
#define VECTOR_BYTES 16
#define PANEL_ROWS 4
#include "exec/level.inc.c"
