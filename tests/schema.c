/*
 * A validator of the keywords that report.schema.json uses (JSON Schema
 * 2020-12).
 */
#include "schema.h"

#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "suites.h"

static json_t *schema;

static bool is_valid(const json_t *rule, const json_t *value);

/* ---- Keywords ---- */

static bool has_type(const char *type, const json_t *value)
{
    if (strcmp(type, "object") == 0)
        return json_is_object(value);
    if (strcmp(type, "array") == 0)
        return json_is_array(value);
    if (strcmp(type, "string") == 0)
        return json_is_string(value);
    if (strcmp(type, "integer") == 0)
        return json_is_integer(value);
    if (strcmp(type, "number") == 0)
        return json_is_number(value);
    if (strcmp(type, "boolean") == 0)
        return json_is_boolean(value);
    ck_assert_str_eq(type, "null");
    return json_is_null(value);
}

static bool check_type(const json_t *rule, const json_t *value)
{
    if (json_is_string(rule))
        return has_type(json_string_value(rule), value);
    for (size_t i = 0; i < json_array_size(rule); i++)
        if (has_type(json_string_value(json_array_get(rule, i)), value))
            return true;
    return false;
}

static bool check_enum(const json_t *rule, const json_t *value)
{
    for (size_t i = 0; i < json_array_size(rule); i++)
        if (json_equal(json_array_get(rule, i), value))
            return true;
    return false;
}

static bool check_one_of(const json_t *rule, const json_t *value)
{
    int matches = 0;
    for (size_t i = 0; i < json_array_size(rule); i++)
        matches += is_valid(json_array_get(rule, i), value);
    return matches == 1;
}

static bool check_required(const json_t *rule, const json_t *value)
{
    for (size_t i = 0; i < json_array_size(rule); i++)
        if (!json_object_get(value, json_string_value(json_array_get(rule, i))))
            return false;
    return true;
}

static bool check_members(const json_t *rule, json_t *value)
{
    const json_t *properties = json_object_get(rule, "properties");
    const json_t *others = json_object_get(rule, "additionalProperties");
    const char *key;
    json_t *member;
    json_object_foreach(value, key, member)
    {
        const json_t *known = json_object_get(properties, key);
        if (!known && json_is_false(others))
            return false;
        if (!known && others)
            known = others;
        if (known && !is_valid(known, member))
            return false;
    }
    return true;
}

static bool check_items(const json_t *rule, const json_t *value)
{
    for (size_t i = 0; rule && i < json_array_size(value); i++)
        if (!is_valid(rule, json_array_get(value, i)))
            return false;
    return true;
}

/* "#/$defs/NAME" */
static const json_t *resolve(const json_t *reference)
{
    const char *name = strrchr(json_string_value(reference), '/') + 1;
    const json_t *rule =
        json_object_get(json_object_get(schema, "$defs"), name);
    ck_assert_msg(rule, "the schema lacks %s", name);
    return rule;
}

static bool is_valid(const json_t *rule, const json_t *value)
{
    const json_t *part;
    if ((part = json_object_get(rule, "$ref")))
        return is_valid(resolve(part), value);
    if ((part = json_object_get(rule, "type")) && !check_type(part, value))
        return false;
    if ((part = json_object_get(rule, "enum")) && !check_enum(part, value))
        return false;
    if ((part = json_object_get(rule, "oneOf")) && !check_one_of(part, value))
        return false;
    if ((part = json_object_get(rule, "minimum")) && json_is_number(value) &&
        json_number_value(value) < json_number_value(part))
        return false;
    if (json_is_object(value) &&
        (!check_required(json_object_get(rule, "required"), value) ||
         !check_members(rule, (json_t *)(uintptr_t)value)))
        return false;
    return check_items(json_object_get(rule, "items"), value);
}

/* ---- Reports ---- */

static json_t *load(const char *path)
{
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    ck_assert_msg(root, "%s: %s", path, error.text);
    return root;
}

void schema_setup(void)
{
    cli_setup();
    schema = load(cli_source("converter/report.schema.json"));
}

void schema_teardown(void)
{
    json_decref(schema);
    cli_teardown();
}

json_t *schema_load(const char *name)
{
    return load(cli_path(name));
}

bool schema_accepts(const json_t *report)
{
    return is_valid(schema, report);
}

json_t *schema_printed(void)
{
    json_error_t error;
    json_t *root = json_loads(cli.out, 0, &error);
    ck_assert_msg(root, "%s: %s", error.text, cli.out);
    ck_assert_msg(schema_accepts(root), "not valid: %s", cli.out);
    return root;
}
