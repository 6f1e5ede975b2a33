/* FastViT: Vasu et al. 2023, arXiv 2303.14189. */
#ifndef REPFOLD_ZOO_FASTVIT_H
#define REPFOLD_ZOO_FASTVIT_H

#include "zoo/net.h"

enum { FASTVIT_STAGES = 4 };

typedef struct FastVit {
    int depths[FASTVIT_STAGES];
    int widths[FASTVIT_STAGES];
    int mlp_ratio;
    enum { REPMIXER, ATTENTION } mixers[FASTVIT_STAGES];
    int encodings[FASTVIT_STAGES];
} FastVit;

/* `description` is a FastVit. */
int fastvit_build(Net *net, const void *description);

#endif
