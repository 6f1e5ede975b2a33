/* The levels that fuse a multiplication and an addition: the only file that is
 * compiled with contraction. */
#include <string.h>

#include "exec/level.h"

#if defined(__x86_64__)

#define LEVEL avx2
#define TARGET __attribute__((target("avx2,fma")))
#define VECTOR_BYTES 32
#define PANEL_ROWS 4
#include "exec/level.inc.c"

#define LEVEL avx512
#define TARGET __attribute__((target("avx512f,fma")))
#define VECTOR_BYTES 64
#define PANEL_ROWS 8
#include "exec/level.inc.c"

#elif defined(__aarch64__)

#define LEVEL neon
#define TARGET
#define VECTOR_BYTES 16
#define PANEL_ROWS 8
#include "exec/level.inc.c"

#endif
