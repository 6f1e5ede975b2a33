/*
 * The noise floor: what storing the original's parameters once costs.
 *
 * By definition it is the largest change of an output, relative to max |y|,
 * over K runs in double of the original, every stored parameter multiplied by
 * 1 + r, r uniform in [-u, u], u the roundoff of its type; at least one run on
 * each sample. A further run can only raise it, so there are no further ones
 * once every difference of b is below the floor. Of integers (an arg max of
 * what is computed) it is the part of them that changes.
 *
 * On one sample alone, which is what a large network gets, float32 will do: r
 * is drawn from [-s u, s u] with s u = 2^-14, a thousand times what float32
 * rounds, and the change divided by s. That is taken for the floor only where
 * the change is small (the output still follows the parameters linearly) and
 * large beside what float32 does to the same model without noise, and only to
 * find b equivalent: what it would call different is decided in double.
 *
 * A network that rounds to whole numbers jumps: QuantizeLinear, Round, Cast, an
 * arg max.  It depends on chance whether one rounding of a parameter takes a
 * number over the edge, and where none does the floor may be 0.  So, where b
 * is above the floor, there are as many further runs with noise as large as
 * the worst roundings, sqrt(3 K) times the random ones in a sum of K products.
 * A change in them that is out of proportion is one that storing the parameters
 * can make, and raises the floor; one in proportion says nothing new.
 */
#ifndef REPFOLD_JUDGE_NOISE_H
#define REPFOLD_JUDGE_NOISE_H

#include "judge/numbers.h"

/* The runs that there will be at most. */
int noise_runs_most(const Numbers *numbers);
/* Fills noise_floor; all other numbers are known. */
int noise_run(Numbers *numbers, Err *err);

#endif
