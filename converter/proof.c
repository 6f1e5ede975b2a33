/*
 * verify --certificate: what a conversion's report says of its certificates is
 * derived again from the two models, and must be the same to the last digit.
 */
#include <jansson.h>
#include <string.h>

#include "converter.h"

typedef struct Proof {
    const Options *options;
    const char *path;
    json_t *root;
    const char *missing; /* a field that is not there or of another type */
    char *said;          /* the first difference */
    size_t size;
} Proof;

static const json_t *field(Proof *proof, const json_t *object, const char *key,
                           json_type type)
{
    const json_t *value = json_object_get(object, key);
    if (!value || json_typeof(value) != type) {
        proof->missing = proof->missing ? proof->missing : key;
        return NULL;
    }
    return value;
}

/* A number that a report writes as null is not finite. */
static bool same_number(const json_t *value, double number)
{
    return json_is_null(value) ? number - number != 0
                               : json_is_number(value) &&
                                     json_number_value(value) == number;
}

static bool same_count(Proof *proof, const json_t *object, const char *key,
                       uint64_t number)
{
    const json_t *value = field(proof, object, key, JSON_INTEGER);
    return value && json_integer_value(value) == (json_int_t)number;
}

static bool same_bounds(Proof *proof, const json_t *object,
                        const rp_certificate *certificate)
{
    const json_t *bounds = field(proof, object, "bounds", JSON_ARRAY);
    if (!bounds || json_array_size(bounds) != certificate->channels)
        return false;
    for (size_t i = 0; i < certificate->channels; i++)
        if (!same_number(json_array_get(bounds, i), certificate->bounds[i]))
            return false;
    return true;
}

/* The first field in which the report and what is derived differ, or NULL. */
static const char *difference(Proof *proof, const json_t *object,
                              const rp_certificate *certificate)
{
    const json_t *output = field(proof, object, "output", JSON_STRING);
    if (!output || strcmp(json_string_value(output), certificate->output) != 0)
        return "output";
    if (!certificate->holds ||
        !json_is_true(json_object_get(object, "holds")))
        return "holds";
    if (!same_count(proof, object, "weights", certificate->weights))
        return "weights";
    if (!same_count(proof, object, "residue", certificate->residue))
        return "residue";
    if (!same_number(json_object_get(object, "rounding"),
                     certificate->rounding))
        return "rounding";
    if (!same_number(json_object_get(object, "bound"), certificate->bound))
        return "bound";
    return same_bounds(proof, object, certificate) ? NULL : "bounds";
}

static void say(Proof *proof, const char *format, const char *name,
                const char *detail)
{
    if (!proof->said[0])
        snprintf(proof->said, proof->size, format, name, detail);
}

static void compare(Proof *proof, const json_t *list,
                    const rp_certificates_info *info)
{
    if (json_array_size(list) != info->count)
        say(proof, "%s%s", "the report has another number of certificates",
            "");
    for (size_t i = 0; i < info->count && i < json_array_size(list); i++) {
        const rp_certificate *certificate = &info->certificates[i];
        const char *key =
            difference(proof, json_array_get(list, i), certificate);
        if (key)
            say(proof, "certificate of %s: %s", certificate->output,
                certificate->holds ? key : certificate->why);
    }
    if (!info->hold)
        say(proof, "%s%s", "not all of the model is certified: ",
            info->why ? info->why : "");
}

static int load(Proof *proof, const json_t **list, rp_certify_options *options)
{
    json_error_t error;
    proof->root = json_load_file(proof->path, 0, &error);
    if (!proof->root)
        return trouble_say(proof->options, "bad-input", proof->path,
                           "line %d: %s", error.line, error.text);
    const json_t *certificates =
        field(proof, proof->root, "certificates", JSON_OBJECT);
    const json_t *seed = field(proof, certificates, "seed", JSON_INTEGER);
    *list = field(proof, certificates, "list", JSON_ARRAY);
    if (proof->missing)
        return trouble_say(proof->options, "bad-input", proof->path,
                           "it has no certificates (\"%s\" is missing): give "
                           "the report of a conversion",
                           proof->missing);
    options->seed = (uint64_t)json_integer_value(seed);
    return 0;
}

int proof_check(const Options *options, rp_model *a, rp_model *b, char *said,
                size_t size)
{
    Proof proof = {.options = options, .path = options->certificate,
                   .said = said, .size = size};
    rp_certify_options certify = {.threads = (int)options->threads};
    const json_t *list = NULL;
    rp_error error = {0};
    said[0] = '\0';
    int status = load(&proof, &list, &certify);
    rp_certificates *again =
        status ? NULL : rp_certify(a, b, &certify, &error);
    if (!status && !again)
        status = trouble(options, &error);
    if (again)
        compare(&proof, list, rp_certificates_get(again));
    rp_certificates_free(again);
    json_decref(proof.root);
    return status ? status : said[0] ? NO : YES;
}
