#include "fold/site.h"

#include <stdio.h>
#include <string.h>

const char *reason_code(Reason reason)
{
    static const char *const codes[] = {
        [REASON_NONE] = "none",
#define REASON(id, code, advice) [REASON_##id] = code,
#include "fold/reason.def"
#undef REASON
    };
    return codes[reason];
}

const char *reason_advice(Reason reason)
{
    static const char *const texts[] = {
        [REASON_NONE] = "",
#define REASON(id, code, advice) [REASON_##id] = advice,
#include "fold/reason.def"
#undef REASON
    };
    return texts[reason];
}

Reason constant_obstacle(const Fold *fold, const Value *value)
{
    if (!value)
        return REASON_NONE;
    if (value_constant(fold->graph, value)) /* of a type that is not read */
        return REASON_QUANTIZED;
    if (value->is_mutable)
        return REASON_MUTABLE;
    if (value_is_overridable(fold->graph, value))
        return REASON_OVERRIDABLE;
    if (node_is_quantizer(value->producer))
        return REASON_QUANTIZED;
    return REASON_DYNAMIC_WEIGHT;
}

bool constant_vec(Fold *fold, const Value *value, Vec *out)
{
    const Tensor *tensor = value ? value_constant(fold->graph, value) : NULL;
    if (!tensor || !tensor_is_readable(tensor))
        return false;
    double *elements =
        arena_array(fold->scratch, (size_t)tensor->count, sizeof *elements);
    tensor_read_f64(tensor, 0, tensor->count, elements);
    *out = (Vec){tensor->count, elements};
    return true;
}

bool use_is_value_free(const Use *use)
{
    if (!use->node)
        return false;
    Op op = use->node->op;
    return op == OP_Shape || op == OP_Size ||
           (op == OP_CastLike && use->slot == 1);
}

const Use *only_data_use(const Value *value, Reason *reason)
{
    const Use *found = NULL;
    *reason = value->is_output     ? REASON_GRAPH_OUTPUT
              : value->is_captured ? REASON_SUBGRAPH_CAPTURE
                                   : REASON_NONE;
    for (int i = 0; !*reason && i < value->use_count; i++) {
        if (use_is_value_free(&value->uses[i]))
            continue;
        if (found)
            *reason = REASON_MULTI_USE;
        found = &value->uses[i];
    }
    if (!*reason && !found)
        *reason = REASON_NONLINEAR;
    return *reason ? NULL : found;
}

Reason use_obstacle(const Value *value)
{
    Reason reason;
    only_data_use(value, &reason);
    return reason;
}

Reason sole_use_obstacle(const Value *value)
{
    Reason reason = use_obstacle(value);
    return !reason && value->use_count != 1 ? REASON_MULTI_USE : reason;
}

void value_free_move(Value *from, Value *to)
{
    for (int i = 0; i < from->use_count; i++)
        if (use_is_value_free(&from->uses[i]))
            node_replace_input(from->uses[i].node, from, to);
}

const char *node_title(const Node *node)
{
    return node->name[0] ? node->name : node->outputs[0]->name;
}

/* What the first of several Casts to one type gives: converters to float16 put
 * one before each reader. */
static Value *first_cast(Value *value)
{
    enum { USES_SEEN = 64 };
    const Node *own = value->producer;
    const Value *read = own->inputs[0];
    int64_t to = node_int(own, "to", DT_UNDEFINED);
    if (own->attr_count != 1 || to == DT_UNDEFINED)
        return value;
    for (int i = 0; i < read->use_count && i < USES_SEEN; i++) {
        const Node *other = read->uses[i].node;
        if (other && other->op == OP_Cast && !other->removed &&
            other->graph == own->graph && other->index < own->index &&
            other->attr_count == 1 && node_int(other, "to", 0) == to)
            return other->outputs[0];
    }
    return value;
}

Value *value_behind(const Fold *fold, Value *value)
{
    while (value->producer && value->producer->outputs[0] == value &&
           node_input(value->producer, 0) &&
           node_keeps_value(fold, value->producer))
        value = value->producer->inputs[0];
    return value->producer && value->producer->op == OP_Cast &&
                   !node_is_parametric(value->producer)
               ? first_cast(value)
               : value;
}

/* ---- Rules ---- */

const rp_rule rules_all[RULE_COUNT] = {
#define RULE(name, on_demand, text) {#name, text, on_demand},
#include "fold/rule.def"
#undef RULE
};

int rules_parse(const char *text, RuleSet *out, Err *err)
{
    *out = 0;
    while (*text) {
        size_t length = strcspn(text, ",");
        int rule = 0;
        while (rule < RULE_COUNT &&
               (strlen(rules_all[rule].name) != length ||
                strncmp(rules_all[rule].name, text, length) != 0))
            rule++;
        if (rule == RULE_COUNT)
            return err_set(err, ERR_USAGE,
                           "no rule is called \"%.*s\"; there are %s to %s",
                           (int)length, text, rules_all[0].name,
                           rules_all[RULE_COUNT - 1].name);
        *out |= RULE_BIT(rule);
        text += length + (text[length] == ',');
    }
    return 0;
}

const char *rules_text(Arena *arena, RuleSet rules)
{
    char text[RULE_COUNT * 4 + 1] = "";
    size_t length = 0;
    for (int rule = 0; rule < RULE_COUNT; rule++)
        if (rules & RULE_BIT(rule))
            length +=
                (size_t)snprintf(text + length, sizeof text - length, "%s%s",
                                 length ? "," : "", rules_all[rule].name);
    return arena_strdup(arena, text);
}

/* ---- Notes ---- */

bool fold_is_done(const Fold *fold)
{
    int limit = fold->options->stop_after;
    return limit > 0 && fold->report->fold_count >= (size_t)limit;
}

bool fold_is_undone(const Fold *fold, const Value *output)
{
    for (size_t i = 0; i < fold->options->undo_count; i++)
        if (strcmp(fold->options->undo[i], output->name) == 0)
            return true;
    return false;
}

/* The first specific reason stays: passes come in the order in which a user
 * would look, backward before forward. */
void fold_note(Fold *fold, const Node *node, Reason reason, const char *fact)
{
    const Value *value = node_output(node, 0);
    if (!value)
        return;
    Obstacle *known = map_get(fold->obstacles, value->name);
    if (known && known->reason != REASON_NONLINEAR)
        return;
    Obstacle *obstacle = arena_alloc(fold->notes, sizeof *obstacle);
    *obstacle = (Obstacle){reason, arena_strdup(fold->notes, fact ? fact : "")};
    map_put(fold->obstacles, value->name, obstacle);
}

Arena *site_begin(Fold *fold)
{
    Arena *outer = fold->scratch;
    fold->scratch = arena_child(outer);
    return outer;
}

void site_end(Fold *fold, Arena *outer)
{
    arena_free(fold->scratch);
    fold->scratch = outer;
}

Obstacle producer_obstacle(const Fold *fold, const Value *value)
{
    const Node *node = value->producer;
    const Value *first = node ? node_output(node, 0) : NULL;
    const Obstacle *known =
        first ? map_get(fold->obstacles, first->name) : NULL;
    if (known &&
        (node->op != OP_MatMul || known->reason != REASON_DYNAMIC_WEIGHT))
        return *known;
    return (Obstacle){node_is_quantizer(node) ? REASON_QUANTIZED
                                              : REASON_NONLINEAR,
                      value->name};
}
