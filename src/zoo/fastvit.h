/* FastViT: Vasu et al. 2023, arXiv 2303.14189. */
#ifndef REPFOLD_ZOO_FASTVIT_H
#define REPFOLD_ZOO_FASTVIT_H

enum { FASTVIT_STAGES = 4 };

/* Of int alone, as every description: zoo.c compares them byte by byte. */
typedef struct FastVit {
    int widths[FASTVIT_STAGES];
    int depths[FASTVIT_STAGES];
    int mlp_ratios[FASTVIT_STAGES];
    enum { REPMIXER, ATTENTION } mixers[FASTVIT_STAGES];
    int encodings[FASTVIT_STAGES];
} FastVit;

#endif
