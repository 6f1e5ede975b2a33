#include "judge/certify.h"

#include <string.h>

#include "judge/region.h"
#include "judge/same.h"
#include "judge/search.h"

/* ORDER FactKind. */
static const char *const fact_names[FACT_KINDS] = {
    "inference-statistics",
    "unpadded-shift",
    "equal-shapes",
    "lattice",
    "groups",
    "commutes",
    "zero-padding",
    "one-divisor",
    "positive-scale",
    "no-padding-between",
    "border-continues",
    "computed-constants",
    "value-kept",
};

typedef struct Certifier {
    Arena *arena; /* of what is said */
    Arena *work;  /* of what is known of the two graphs; it is much */
    const rp_certify_options *options;
    Pool *pool;
    unsigned stamp, readings;
    rp_certificate *certificates;
    size_t capacity;
    rp_certificates_info *out;
} Certifier;

static void certifier_fail(Certifier *certifier, const char *why)
{
    certifier->out->hold = 0;
    if (!certifier->out->why)
        certifier->out->why = why;
}

/* ---- One certificate ---- */

static const char *name_of(const Certifier *certifier, const Node *node)
{
    const Value *first = node_output(node, 0);
    return arena_strdup(certifier->arena, node->name[0] ? node->name
                                          : first       ? first->name
                                                        : node->op_type);
}

static const char *const *names_of(const Certifier *certifier,
                                   Known *const *values, size_t count,
                                   size_t *named)
{
    const char **names =
        arena_array(certifier->arena, count + 1, sizeof *names);
    *named = 0;
    for (size_t i = 0; i < count; i++)
        if (values[i]->node && values[i]->output == 0)
            names[(*named)++] = name_of(certifier, values[i]->node);
    return names;
}

static const char *const *facts_of(const Certifier *certifier, unsigned facts,
                                   size_t *count)
{
    const char **names =
        arena_array(certifier->arena, FACT_KINDS, sizeof *names);
    *count = 0;
    for (int i = 0; i < FACT_KINDS; i++)
        if (facts & 1u << i)
            names[(*count)++] = fact_names[i];
    return names;
}

static void certificate_bounds(const Certifier *certifier, const Sum *sum,
                               const double *bounds, rp_certificate *out)
{
    double *copy =
        arena_array(certifier->arena, (size_t)sum->width, sizeof *copy);
    for (int64_t c = 0; c < sum->width; c++) {
        copy[c] = bounds[c];
        if (bounds[c] > out->bound)
            out->bound = bounds[c];
    }
    out->bounds = copy;
    out->channels = (size_t)sum->width;
}

/* A random combination of the channels. */
static uint64_t certificate_residue(const Region *region, const Sum *sum)
{
    Residue total = 0;
    for (int64_t c = 0; sum->value && c < sum->width; c++)
        total = residue_add(
            total,
            residue_multiply(sum->value[c],
                             residue_random(region->seed + 1, (uint64_t)c)));
    return total;
}

static void certificate_compare(const Certifier *certifier, Region *region,
                                Regions *regions, rp_certificate *out)
{
    Sum *a = NULL;
    double *bounds = NULL;
    Proof *proof = region->proof;
    out->holds = readings_try(region, regions, &a, &bounds);
    out->weights = proof->weights;
    out->rounding = proof->rounding.largest;
    out->square_roots = region->square_roots;
    out->scales = region->scales;
    out->residue = out->holds ? certificate_residue(region, a) : 0;
    out->preconditions =
        facts_of(certifier, region->facts, &out->precondition_count);
    if (out->holds) {
        certificate_bounds(certifier, a, bounds, out);
        rounding_add(&certifier->out->rounding, &proof->rounding);
    } else {
        out->why = region->obstacle
                       ? arena_printf(certifier->arena, "%s; and %s",
                                      proof->why, region->obstacle)
                       : proof->why;
    }
}

static rp_certificate *certificate_new(Certifier *certifier, const Known *b)
{
    certifier->certificates = arena_grow(
        certifier->arena, certifier->certificates, &certifier->capacity,
        certifier->out->count + 1, sizeof *certifier->certificates);
    rp_certificate *out = &certifier->certificates[certifier->out->count++];
    *out = (rp_certificate){.output =
                                arena_strdup(certifier->arena, b->value->name),
                            .node = name_of(certifier, b->node)};
    return out;
}

/* Certifies that b, a value of the converted graph, equals a. */
static void certificate_make(Certifier *certifier, Known *a, Known *b)
{
    Arena *scratch = arena_child(certifier->work);
    Proof proof = {.arena = certifier->arena};
    rp_certificate *out = certificate_new(certifier, b);
    uint64_t seed = certifier->options->seed ? certifier->options->seed : 1;
    Region region = {.arena = scratch,
                     .stamp = ++certifier->stamp,
                     .readings = &certifier->readings,
                     .seed = random_stream(seed, certifier->out->count),
                     .pool = certifier->pool,
                     .counts = certifier->options->histogram,
                     .proof = &proof};
    Regions regions;
    if (regions_find(&region, a, b, &regions))
        certificate_compare(certifier, &region, &regions, out);
    else
        out->why = "what is between it and values that both models share is "
                   "too large";
    out->consumed = names_of(certifier, regions.original,
                             regions.original_count, &out->consumed_count);
    out->produced = names_of(certifier, regions.converted,
                             regions.converted_count, &out->produced_count);
    for (size_t i = 0; i < regions.converted_count; i++)
        regions.converted[i]->covered = true;
    if (!out->holds)
        certifier_fail(certifier, arena_printf(certifier->arena, "\"%s\": %s",
                                               out->output, out->why));
    arena_free(scratch);
}

/* Certifies that the node of b is that of a, whose input stays as it is on the
 * way through nodes that b lacks. */
static void certificate_keep(Certifier *certifier, Known *b, Known *const *gone,
                             size_t gone_count)
{
    rp_certificate *out = certificate_new(certifier, b);
    out->holds = 1;
    out->consumed = names_of(certifier, gone, gone_count, &out->consumed_count);
    out->produced = names_of(certifier, &b, 1, &out->produced_count);
    out->preconditions =
        facts_of(certifier, 1u << FACT_KEPT, &out->precondition_count);
    b->covered = true;
}

/* ---- Nodes that are the same ---- */

static int scopes_certify(Certifier *certifier, Scope *a, Scope *b, Err *err);

static bool inputs_pair_up(Scope *a, Scope *b)
{
    const Graph *one = a->graph, *other = b->graph;
    for (size_t i = 0, k = 0;; i++, k++) {
        i = input_from(one, i);
        k = input_from(other, k);
        if (i == one->input_count || k == other->input_count)
            return i == one->input_count && k == other->input_count;
        Known *own = scope_known(a, one->inputs[i]);
        Known *twin = scope_known(b, other->inputs[k]);
        twin->twin = own->twin = own;
        twin->fact = own->fact;
    }
}

/* Inputs and outputs of bodies correspond by position. */
static int bodies_certify(Certifier *certifier, Scope *outer_a,
                          const Graph *graph_a, Scope *outer_b,
                          const Graph *graph_b, bool *same, Err *err)
{
    bool inside = graph_a->parent != NULL;
    Scope *a =
        scope_new(certifier->work, outer_a, graph_a, inside ? outer_a : NULL);
    Scope *b =
        scope_new(certifier->work, outer_b, graph_b, inside ? outer_b : NULL);
    *same =
        graph_a->output_count == graph_b->output_count && inputs_pair_up(a, b);
    if (!*same)
        return 0;
    TRY(scopes_certify(certifier, a, b, err));
    for (size_t i = 0; *same && i < graph_a->output_count; i++) {
        Known *own = scope_known(a, graph_a->outputs[i]);
        Known *twin = scope_known(b, graph_b->outputs[i]);
        *same = own->constant && twin->constant
                    ? constants_agree(own->constant, twin->constant)
                    : twin->twin && known_root(twin->twin) == known_root(own);
    }
    return 0;
}

static bool names_agree(const Node *a, const Node *b)
{
    if (a->output_count != b->output_count)
        return false;
    for (int i = 0; i < a->output_count; i++)
        if (!a->outputs[i] != !b->outputs[i] ||
            (a->outputs[i] &&
             strcmp(a->outputs[i]->name, b->outputs[i]->name) != 0))
            return false;
    return true;
}

/* A node that holds graphs: attribute by attribute. */
static int holders_same(Certifier *certifier, Scope *scope_a, const Node *a,
                        Scope *scope_b, const Node *b, bool *same, Err *err)
{
    *same = a->op == b->op && a->attr_count == b->attr_count &&
            a->input_count == b->input_count &&
            strcmp(a->op_type, b->op_type) == 0 &&
            strcmp(a->domain, b->domain) == 0;
    for (int i = 0; *same && i < a->attr_count; i++) {
        const Attr *left = &a->attrs[i], *right = &b->attrs[i];
        if (attr_graph(left) && attr_graph(right) &&
            strcmp(left->name, right->name) == 0)
            TRY(bodies_certify(certifier, scope_a, left->graph, scope_b,
                               right->graph, same, err));
        else
            *same = attr_same(left, right);
    }
    return 0;
}

/* Broadcasting the constant to the other operand leaves that one's shape. */
static bool constant_fits(const Known *constant, const Known *other)
{
    const Fact *small = &constant->fact, *large = &other->fact;
    if (!constant->constant || small->rank < 0 || small->rank > large->rank)
        return false;
    for (int i = 1; i <= small->rank; i++) {
        Dim size = small->dims[small->rank - i];
        if (size != 1 && size != large->dims[large->rank - i])
            return false;
    }
    return true;
}

/* What has the same shape, whatever is known of it: a map per channel, as folds
 * take it into an operator, keeps that of what it reads. */
static Known *shape_source(Known *known)
{
    for (;;) {
        known = known_root(known);
        const Node *node = known->node;
        if (!node || known->output != 0)
            return known;
        Known *inputs[2] = {scope_known(known->scope, node_input(node, 0)),
                            scope_known(known->scope, node_input(node, 1))};
        bool is_map = node->op == OP_Add || node->op == OP_Sub ||
                      node->op == OP_Mul || node->op == OP_Div;
        if (node->op == OP_BatchNormalization && inputs[0])
            known = inputs[0];
        else if (is_map && inputs[0] && inputs[1] &&
                 constant_fits(inputs[1], inputs[0]))
            known = inputs[0];
        else if (is_map && inputs[0] && inputs[1] &&
                 constant_fits(inputs[0], inputs[1]))
            known = inputs[1];
        else
            return known;
    }
}

static bool shapes_same(Known *own, const Known *other)
{
    return facts_agree(&own->fact, &other->fact) ||
           (other->twin && (facts_agree(&own->fact, &other->inferred) ||
                            shape_source(own) == shape_source(other->twin)));
}

static int nodes_same(Certifier *certifier, Scope *scope_a, const Node *a,
                      Scope *scope_b, const Node *b, bool *same, Err *err)
{
    *same = names_agree(a, b);
    if (!*same)
        return 0;
    if (node_has_graphs(a) && node_has_graphs(b))
        TRY(holders_same(certifier, scope_a, a, scope_b, b, same, err));
    else
        *same = node_same(a, b);
    /* Only the shape is read: another value may have it too. */
    if (*same && (a->op == OP_Shape || a->op == OP_Size)) {
        if (shapes_same(scope_known(scope_a, a->inputs[0]),
                        scope_known(scope_b, b->inputs[0])))
            return 0;
    }
    *same = *same && inputs_agree(scope_a, a, scope_b, b, 0);
    return 0;
}

/* Nodes that pad nothing or take everything, between what the node of a reads
 * and what that of b does. */
static size_t nodes_gone(Scope *scope_a, const Node *a, Scope *scope_b,
                         const Node *b, Known **gone, size_t most)
{
    size_t count = 0;
    for (int i = 0; i < a->input_count && i < b->input_count; i++) {
        Known *own = scope_known(scope_a, a->inputs[i]);
        const Known *other = scope_known(scope_b, b->inputs[i]);
        while (own && other && !own->constant && own != other->twin &&
               own->node && node_keeps(own->scope, own->node)) {
            bool goes = own->node->op == OP_Pad || own->node->op == OP_Slice;
            if (goes && count < most)
                gone[count++] = own;
            own = scope_known(own->scope, own->node->inputs[0]);
        }
    }
    return count;
}

/* ---- Graphs ---- */

static bool types_differ(const Known *a, const Known *b)
{
    DType own = a->fact.type, other = b->fact.type;
    return own != other && own != DT_UNDEFINED && other != DT_UNDEFINED;
}

static void twin_set(Known *a, Known *b)
{
    b->twin = a;
    b->inferred = b->fact;
    b->fact = a->fact;
    if (!a->twin)
        a->twin = b;
}

/* The value of the original that a value of the converted graph must equal; or
 * NULL where none has its name, and a node that gives it, and its type. */
static Known *original_of(const Scope *a, const Known *b)
{
    Known *own = scope_find(a, b->value->name);
    return own && own->node && !types_differ(own, b) ? own : NULL;
}

/* Settles one node of the converted graph, whose inputs are settled. Several
 * outputs, as those of a Split, may be of several nodes of the original. */
static int node_settle(Certifier *certifier, Scope *a, Scope *b,
                       const Node *node, Err *err)
{
    enum { GONE_MAX = 16 };
    Known *first = NULL, *own = NULL, *gone[GONE_MAX];
    bool same = false, asks = node->op == OP_Shape || node->op == OP_Size;
    for (int i = node->output_count; i-- > 0;)
        if (node->outputs[i])
            first = scope_known(b, node->outputs[i]);
    if (asks)
        scope_known(b, node->inputs[0])->shape_read = true;
    /* A shape may be known here alone. */
    if (!first || (first->constant && !asks))
        return 0;
    own = original_of(a, first);
    if (own)
        TRY(nodes_same(certifier, a, own->node, b, node, &same, err));
    if (first->constant && !same)
        return 0;
    size_t count = same ? nodes_gone(a, own->node, b, node, gone, GONE_MAX) : 0;
    if (count > 0)
        certificate_keep(certifier, first, gone, count);
    for (int i = 0; i < node->output_count; i++) {
        Known *output = scope_known(b, node->outputs[i]);
        Known *twin = !output ? NULL
                      : same  ? scope_known(a, own->node->outputs[i])
                              : original_of(a, output);
        if (!twin)
            continue;
        if (!same)
            certificate_make(certifier, twin, output);
        twin_set(twin, output);
    }
    return 0;
}

/* Every node must be the same, or in a region that is certified; what is only
 * asked for its shape may compute anything, and who else would read it is such
 * a node. */
static void coverage_check(Certifier *certifier, Scope *scope)
{
    const Graph *graph = scope->graph;
    for (size_t i = 0; i < graph->node_count; i++) {
        const Node *node = graph->nodes[i];
        bool same = false, certified = false, idle = false;
        for (int k = 0; k < node->output_count; k++) {
            const Known *output = scope_known(scope, node->outputs[k]);
            if (!output)
                continue;
            certified |= output->covered;
            same |= output->twin != NULL;
            idle |= output->constant || output->spent || output->shape_read;
        }
        certifier->out->nodes_certified += certified;
        certifier->out->nodes_same += same && !certified;
        if (!same && !certified && !idle && node->output_count > 0)
            certifier_fail(certifier,
                           arena_printf(certifier->arena,
                                        "node \"%s\" is in no certificate",
                                        name_of(certifier, node)));
    }
}

static int scopes_certify(Certifier *certifier, Scope *a, Scope *b, Err *err)
{
    scope_count_readers(a);
    scope_count_readers(b);
    for (size_t i = 0; i < a->graph->node_count; i++)
        TRY(scope_take(a, a->graph->nodes[i], err));
    for (size_t i = 0; i < b->graph->node_count; i++) {
        TRY(scope_take(b, b->graph->nodes[i], err));
        TRY(node_settle(certifier, a, b, b->graph->nodes[i], err));
    }
    coverage_check(certifier, b);
    return 0;
}

/* ---- Models ---- */

/* An input must be of one type, and one that has a default must have the same
 * in both. */
static void inputs_pair(Scope *a, Scope *b)
{
    for (size_t i = 0; i < b->graph->input_count; i++) {
        Known *twin = scope_known(b, b->graph->inputs[i]);
        Known *own = scope_find(a, twin->value->name);
        if (!own || !own->value->is_input || twin->constant ||
            types_differ(own, twin))
            continue;
        const Tensor *left = own->value->tensor, *right = twin->value->tensor;
        if (!left != !right || (left && !tensor_same(left, right)))
            continue;
        twin_set(own, twin);
    }
}

static void outputs_check(Certifier *certifier, Scope *a, Scope *b)
{
    for (size_t i = 0; i < a->graph->output_count; i++) {
        Known *own = scope_known(a, a->graph->outputs[i]);
        const Known *twin = scope_find(b, own->value->name);
        bool same =
            twin &&
            (own->constant && twin->constant
                 ? constants_agree(own->constant, twin->constant)
                 : twin->twin && known_root(twin->twin) == known_root(own));
        if (!same || !twin->value->is_output)
            certifier_fail(certifier,
                           arena_printf(certifier->arena,
                                        "output \"%s\" is not certified",
                                        own->value->name));
    }
    if (a->graph->output_count != b->graph->output_count)
        certifier_fail(certifier, "the numbers of outputs differ");
}

/* No conversion moves a function. */
static const Function *function_at(const Model *model, size_t index,
                                   const Function *like)
{
    if (index >= model->function_count)
        return NULL;
    const Function *function = &model->functions[index];
    return strcmp(function->name, like->name) == 0 &&
                   strcmp(function->domain, like->domain) == 0
               ? function
               : NULL;
}

static int functions_certify(Certifier *certifier, Scope *a, Scope *b, Err *err)
{
    const Model *model = b->graph->model;
    for (size_t i = 0; i < model->function_count; i++) {
        const Function *own =
            function_at(a->graph->model, i, &model->functions[i]);
        bool same = own && own->body->opset == model->functions[i].body->opset;
        if (same)
            TRY(bodies_certify(certifier, a, own->body, b,
                               model->functions[i].body, &same, err));
        if (!same)
            certifier_fail(certifier,
                           arena_printf(certifier->arena,
                                        "function \"%s\" is not certified",
                                        model->functions[i].name));
    }
    return 0;
}

static int certify_work(Certifier *certifier, const Model *a, const Model *b,
                        Err *err)
{
    int64_t room = constants_room(a->graph, b->graph);
    /* The same numbers on every machine: a report may be held against what
     * another one derives. */
    ExecOptions exec = {.precision = PRECISION_F64,
                        .level = SIMD_PLAIN,
                        .pool = certifier->pool};
    Scope like = {.symbols = symbols_new(certifier->work),
                  .exec = &exec,
                  .room = &room,
                  .is_original = true};
    Scope *left = scope_new(certifier->work, &like, a->graph, NULL);
    like.is_original = false;
    Scope *right = scope_new(certifier->work, &like, b->graph, NULL);
    for (size_t i = 0; i < a->graph->input_count; i++)
        scope_known(left, a->graph->inputs[i]);
    inputs_pair(left, right);
    TRY(scopes_certify(certifier, left, right, err));
    outputs_check(certifier, left, right);
    return functions_certify(certifier, left, right, err);
}

int certify_models(Arena *arena, const Model *a, const Model *b,
                   const rp_certify_options *options, rp_certificates_info *out,
                   Err *err)
{
    *out = (rp_certificates_info){.hold = 1,
                                  .seed = options->seed ? options->seed : 1};
    Arena *work = arena_child(arena);
    Certifier certifier = {.arena = arena,
                           .work = work,
                           .options = options,
                           .pool = pool_new(work, options->threads),
                           .out = out};
    int status = certify_work(&certifier, a, b, err);
    out->certificates = certifier.certificates;
    arena_free(work);
    return status;
}
