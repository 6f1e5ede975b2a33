/* Reports against converter/report.schema.json. */
#ifndef REPFOLD_TESTS_SCHEMA_H
#define REPFOLD_TESTS_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>

/* A checked fixture: cli_setup, and the schema. */
void schema_setup(void);
void schema_teardown(void);

/* A JSON file of the test's folder. */
json_t *schema_load(const char *name);
bool schema_accepts(const json_t *report);
/* What the last run printed, which must be one valid report. */
json_t *schema_printed(void);

#endif
