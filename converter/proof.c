/*
 * verify --certificate: what a conversion's report says of its certificates is
 * derived again from the two models, and must be the same in every name and to
 * the last digit.
 */
#include <string.h>

#include "json.h"

typedef struct Proof {
    const Options *options;
    const char *path;
    json_t *root;
    const json_t *certificates; /* what the report says of them */
    char *said;                 /* the first difference */
    size_t size;
} Proof;

/* The first key whose values differ, or that one of them lacks; NULL for
 * none. */
static const char *difference(json_t *said, json_t *derived)
{
    const char *key;
    json_t *value;
    json_object_foreach(
        derived, key,
        value) if (!json_equal(value, json_object_get(said, key))) return key;
    json_object_foreach(said, key,
                        value) if (!json_object_get(derived, key)) return key;
    return json_is_object(said) ? NULL : "output";
}

static void say(Proof *proof, const char *name, const char *detail)
{
    if (!proof->said[0])
        snprintf(proof->said, proof->size, "certificate of %s: %s", name,
                 detail);
}

static const char *output_of(const json_t *certificate)
{
    const char *output =
        json_string_value(json_object_get(certificate, "output"));
    return output ? output : "";
}

static json_t *certificate_of(const json_t *list, const char *output)
{
    size_t i;
    json_t *certificate;
    json_array_foreach(list, i,
                       certificate) if (strcmp(output_of(certificate),
                                               output) == 0) return certificate;
    return NULL;
}

/* Those of the report one by one, in the order of the derived ones. */
static void compare_lists(Proof *proof, const json_t *derived)
{
    size_t i;
    json_t *own;
    const json_t *list = json_object_get(proof->certificates, "list");
    json_array_foreach(derived, i, own)
    {
        const char *output = output_of(own);
        json_t *said = json_array_get(list, i);
        if (proof->said[0])
            return;
        /* Once, since it is told then. */
        if (strcmp(output_of(said), output) != 0)
            said = certificate_of(list, output);
        const char *why = json_string_value(json_object_get(own, "why"));
        if (json_is_false(json_object_get(own, "holds")))
            say(proof, output, why ? why : "it does not hold");
        else if (!said)
            say(proof, output, "it is missing in the report");
        else if (difference(said, own))
            say(proof, output, difference(said, own));
        else if (said != json_array_get(list, i))
            say(proof, output, "it is not where it was in the report");
    }
    if (json_array_size(list) > json_array_size(derived))
        say(proof, output_of(json_array_get(list, json_array_size(derived))),
            "it is in the report alone");
}

static void compare(Proof *proof, const rp_certificates_info *info)
{
    static const char *const totals[] = {"hold", "nodes_same",
                                         "nodes_certified"};
    Certified certified = {.info = info};
    json_t *derived = json_certificates(&certified);
    compare_lists(proof, json_object_get(derived, "list"));
    if (!info->hold && !proof->said[0])
        snprintf(proof->said, proof->size,
                 "not all of the model is certified: %s",
                 info->why ? info->why : "");
    for (size_t i = 0; i < sizeof totals / sizeof *totals; i++)
        if (!proof->said[0] &&
            !json_equal(json_object_get(derived, totals[i]),
                        json_object_get(proof->certificates, totals[i])))
            snprintf(proof->said, proof->size, "certificates: %s", totals[i]);
    json_decref(derived);
}

static int load(Proof *proof, rp_certify_options *options)
{
    proof->root = json_read(proof->options, proof->path);
    if (!proof->root)
        return TROUBLE;
    proof->certificates = json_object_get(proof->root, "certificates");
    const json_t *seed = json_object_get(proof->certificates, "seed");
    const json_t *list = json_object_get(proof->certificates, "list");
    const char *missing = !json_is_object(proof->certificates) ? "certificates"
                          : !json_is_integer(seed)             ? "seed"
                          : !json_is_array(list)               ? "list"
                                                               : NULL;
    if (missing)
        return trouble_say(proof->options, "bad-input", proof->path,
                           "it has no certificates (\"%s\" is missing): give "
                           "the report of a conversion",
                           missing);
    options->seed = (uint64_t)json_integer_value(seed);
    return 0;
}

int proof_check(const Options *options, rp_model *a, rp_model *b, char *said,
                size_t size)
{
    Proof proof = {.options = options,
                   .path = options->certificate,
                   .said = said,
                   .size = size};
    rp_certify_options certify = {.threads = (int)options->threads};
    rp_error error = {0};
    said[0] = '\0';
    int status = load(&proof, &certify);
    rp_certificates *again = status ? NULL : rp_certify(a, b, &certify, &error);
    if (!status && !again)
        status = trouble(options, &error);
    if (again)
        compare(&proof, rp_certificates_get(again));
    rp_certificates_free(again);
    json_decref(proof.root);
    return status ? status : said[0] ? NO : YES;
}
