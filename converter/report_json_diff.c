/* What `diff --json` says beyond what every report says. */
#include "json.h"

#include <string.h>

static json_t *node_json(const rp_node_info *node)
{
    json_t *object = json_object();
    json_put(object, "name", json_text(node->name));
    json_put(object, "op", json_text(node->op));
    return object;
}

static json_t *name_json(const char *name)
{
    return name ? json_text(name) : json_null();
}

/* What stayed the same is not told one by one. */
static json_t *nodes_json(const Report *report)
{
    const rp_diff_info *diff = report->diff;
    json_t *array = json_array();
    for (size_t i = 0; i < diff->node_count; i++) {
        const rp_node_match *match = &diff->nodes[i];
        json_t *object;
        if (match->change == RP_SAME)
            continue;
        object = json_object();
        json_put(object, "change", json_text(rp_change_name(match->change)));
        json_put(object, "a",
                 match->a == SIZE_MAX ? json_null()
                                      : node_json(&report->nodes_a[match->a]));
        json_put(object, "b",
                 match->b == SIZE_MAX ? json_null()
                                      : node_json(&report->nodes_b[match->b]));
        json_put(object, "detail", name_json(match->detail));
        json_append(array, object);
    }
    return array;
}

static json_t *initializers_json(const rp_diff_info *diff)
{
    json_t *array = json_array();
    for (size_t i = 0; i < diff->initializer_count; i++) {
        const rp_name_match *match = &diff->initializers[i];
        json_t *object;
        if (match->change == RP_SAME)
            continue;
        object = json_object();
        json_put(object, "change", json_text(rp_change_name(match->change)));
        json_put(object, "a", name_json(match->a));
        json_put(object, "b", name_json(match->b));
        json_put(object, "difference", json_finite(match->difference));
        json_append(array, object);
    }
    return array;
}

/* From a's names to b's, everything included; null where b has nothing. For an
 * initializer that has changed there is one, for such a value there is not. */
static json_t *names_json(const rp_name_match *matches, size_t count,
                          bool values)
{
    json_t *object = json_object();
    for (size_t i = 0; i < count; i++) {
        json_t *key = matches[i].a ? json_text(matches[i].a) : NULL;
        if (key)
            json_put(object, json_string_value(key),
                     values && matches[i].change == RP_CHANGED
                         ? json_null()
                         : name_json(matches[i].b));
        json_decref(key);
    }
    return object;
}

static json_t *counts_json(const rp_diff_info *diff)
{
    json_t *object = json_object();
    for (rp_change change = RP_SAME; change <= RP_NEW; change++) {
        uint64_t count = 0;
        for (size_t i = 0; i < diff->node_count; i++)
            count += diff->nodes[i].change == change;
        json_put(object, rp_change_name(change), json_count(count));
    }
    return object;
}

void json_put_diff(json_t *root, const Report *report)
{
    const rp_diff_info *diff = report->diff;
    json_t *notes = json_array(), *names = json_object();
    for (size_t i = 0; i < diff->note_count; i++)
        json_append(notes, json_text(diff->notes[i]));
    json_put(names, "initializers",
             names_json(diff->initializers, diff->initializer_count, false));
    json_put(names, "values",
             names_json(diff->values, diff->value_count, true));
    json_put(root, "before", json_summary(report->before));
    json_put(root, "after", json_summary(report->after));
    json_put(root, "same", json_boolean(diff->same));
    json_put(root, "notes", notes);
    json_put(root, "counts", counts_json(diff));
    json_put(root, "nodes", nodes_json(report));
    json_put(root, "initializers", initializers_json(diff));
    json_put(root, "names", names);
}
