/*
 * Building the JSON reports.  Jansson answers -1 when it is out of memory, and
 * accepts NULL values as such failures; one flag gathers them all.
 */
#ifndef REPFOLD_CONVERTER_JSON_H
#define REPFOLD_CONVERTER_JSON_H

#include <jansson.h>

#include "converter.h"

/* To be called before anything else of Jansson's. */
void json_prepare(void);
void json_put(json_t *object, const char *key, json_t *value);
void json_append(json_t *array, json_t *value);
/* Moves the keys of `from`, which is gone then. */
void json_merge(json_t *object, json_t *from);
/* A name from a file need not be UTF-8; JSON must be. */
json_t *json_text(const char *string);
/* JSON has neither NaN nor infinity: null is "not known or not finite". */
json_t *json_finite(double value);
json_t *json_count(uint64_t value);

/* An empty object: what is built from here on is one report. */
json_t *json_start(void);
/* A report of that command. */
json_t *json_begin(const char *command);
/* Writes it to `path` and lets go of it. 0, or TROUBLE and its line. */
int json_finish(const Options *options, const char *path, json_t *root);

/* The same to a stream: nothing where memory has run out. */
void json_print(FILE *stream, json_t *root);

/* Reads a report that was written before. NULL, and its line was told. */
json_t *json_read(const Options *options, const char *path);

/* What a model is; report_json.c. */
json_t *json_summary(const rp_summary *summary);
/* Certificates, and what was undone for want of one; report_json.c. */
json_t *json_certificates(const Certified *certified);
/* The keys of a diff; report_json_diff.c. */
void json_put_diff(json_t *root, const Report *report);

#endif
