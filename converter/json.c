#include "json.h"

#include <errno.h>
#include <malloc.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- Memory ---- */

/* A few bytes of JSON can stand for a hundred of memory. */
static size_t held, most = SIZE_MAX;
static bool refused;

static void *bounded_alloc(size_t size)
{
    refused |= size > most - held;
    void *memory = refused ? NULL : malloc(size);
    held += malloc_usable_size(memory);
    return memory;
}

static void bounded_free(void *memory)
{
    held -= malloc_usable_size(memory);
    free(memory);
}

void json_prepare(void)
{
    json_set_alloc_funcs(bounded_alloc, bounded_free);
}

/* ---- Building ---- */

static bool failed;

void json_put(json_t *object, const char *key, json_t *value)
{
    failed |= json_object_set_new(object, key, value) < 0;
}

void json_append(json_t *array, json_t *value)
{
    failed |= json_array_append_new(array, value) < 0;
}

void json_merge(json_t *object, json_t *from)
{
    failed |= json_object_update(object, from) < 0;
    json_decref(from);
}

json_t *json_text(const char *string)
{
    if (!string)
        string = "";
    json_t *value = json_string(string);
    if (value)
        return value;
    char *safe = strdup(string);
    for (char *c = safe; c && *c; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    value = safe ? json_string(safe) : NULL;
    free(safe);
    return value;
}

json_t *json_finite(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *json_count(uint64_t value)
{
    return json_integer((json_int_t)value);
}

json_t *json_start(void)
{
    json_t *root = json_object();
    failed = !root;
    return root;
}

json_t *json_begin(const char *command)
{
    json_t *root = json_start();
    json_put(root, "repfold", json_text(rp_version()));
    json_put(root, "command", json_text(command));
    return root;
}

int json_finish(const Options *options, const char *path, json_t *root)
{
    size_t flags = JSON_INDENT(2) | JSON_REAL_PRECISION(17);
    char *bytes = failed ? NULL : json_dumps(root, flags);
    json_decref(root);
    if (!bytes)
        return trouble_say(options, "memory", path,
                           "the report: out of memory");
    size_t size = strlen(bytes);
    bytes[size] = '\n'; /* in place of the NUL: the size is known */
    rp_error error = {0};
    int status = bytes_save(path, bytes, size + 1, &error);
    free(bytes);
    if (status < 0)
        return trouble_say(options, error.code, path, "the report: %s",
                           error.message);
    return 0;
}

void json_print(FILE *stream, json_t *root)
{
    if (!failed && json_dumpf(root, stream, JSON_INDENT(2)) == 0)
        fputc('\n', stream);
    json_decref(root);
}

/* Far more than a report takes. */
static size_t read_bound(FILE *file)
{
    enum { TIMES = 12, ALWAYS = 32 << 20 };
    struct stat info;
    bool known = fstat(fileno(file), &info) == 0 && info.st_size > 0;
    return (known ? (size_t)info.st_size * TIMES : 0) + ALWAYS;
}

json_t *json_read(const Options *options, const char *path)
{
    json_error_t error;
    FILE *file = fopen(path, "rb");
    if (!file) {
        trouble_say(options, "io", path, "cannot open it: %s", strerror(errno));
        return NULL;
    }
    size_t bound = read_bound(file);
    most = held + bound;
    json_t *root = json_loadf(file, 0, &error);
    most = SIZE_MAX;
    fclose(file);
    if (refused)
        trouble_say(options, "budget", path,
                    "it would take more than %zu MiB of memory, which no "
                    "report does",
                    bound >> 20);
    else if (!root)
        trouble_say(options, "bad-input", path, "line %d: %s", error.line,
                    error.text);
    refused = false;
    return root;
}

void json_trouble(FILE *stream, const rp_error *error)
{
    json_t *root = json_start(), *object = json_object();
    json_put(object, "code", json_text(error->code));
    json_put(object, "where", json_text(error->where));
    json_put(object, "message", json_text(error->message));
    json_put(root, "error", object);
    json_print(stream, root);
}
