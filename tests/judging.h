/* Verdicts in tests. */
#ifndef REPFOLD_TESTS_JUDGING_H
#define REPFOLD_TESTS_JUDGING_H

#include "judge/judge.h"

/* The verdict on two models, in two threads; it must be reached. */
rp_verdict_info judge_pair(Arena *arena, const Model *a, const Model *b,
                           bool folded, rp_verify_options options);
/* It is that verdict, and if not "equivalent" it says why. */
void check_verdict(const rp_verdict_info *info, const char *verdict);
/* Its reason has these words. */
void check_words(const rp_verdict_info *info, const char *words);

#endif
