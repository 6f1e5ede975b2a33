/* The suites that main.c runs: the Makefile's list, one SUITE(name) each. */
#ifndef REPFOLD_TESTS_SUITES_H
#define REPFOLD_TESTS_SUITES_H

#include <check.h>

#define SUITE(name) Suite *suite_##name(void);
#include "suites.def"
#undef SUITE

#endif
