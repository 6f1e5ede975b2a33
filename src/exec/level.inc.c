/* One level, for both real types: see level.h. */

#include "exec/real_f32.h"

#include "exec/shuffle.h"

#include "exec/gemm_micro.inc.c"

#include "exec/depthwise_micro.inc.c"

#include "exec/direct_micro.inc.c"

#include "exec/real_f64.h"

#include "exec/shuffle.h"

#include "exec/gemm_micro.inc.c"

#include "exec/depthwise_micro.inc.c"

#include "exec/direct_micro.inc.c"

#undef LEVEL
#undef TARGET
#undef VECTOR_BYTES
#undef PANEL_ROWS
