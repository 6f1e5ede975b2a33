#include "fold/emit.h"

#include <math.h>
#include <string.h>

void emission_add(Fold *fold, Emission *emission, Node *node)
{
    size_t need = emission->count + 1;
    emission->nodes =
        arena_grow(fold->scratch, emission->nodes, &emission->capacity, need,
                   sizeof *emission->nodes);
    emission->places =
        arena_grow(fold->scratch, emission->places, &emission->place_capacity,
                   need, sizeof *emission->places);
    emission->nodes[emission->count] = node;
    emission->places[emission->count++] = emission->place;
}

void emission_place(Fold *fold, const Emission *emission)
{
    for (size_t i = 0; i < emission->count;) {
        size_t end = i + 1;
        while (end < emission->count &&
               emission->places[end] == emission->places[i])
            end++;
        graph_replace_node(fold->graph, emission->places[i],
                           &emission->nodes[i], end - i);
        i = end;
    }
}

Value *emission_value(Fold *fold, const Value *like)
{
    Value *value = graph_fresh_value(fold->graph, like->name);
    value->fact = like->fact;
    return value;
}

/* A bias, or a vector for an Add, that is kept in double until it is stored. */
typedef struct VecFormula {
    TensorFormula formula;
    Vec vec;
} VecFormula;

static void vec_formula_read(const TensorFormula *self, int64_t first,
                             int64_t count, double *out)
{
    const VecFormula *formula = (const VecFormula *)self;
    for (int64_t i = 0; i < count; i++)
        out[i] = vec_get(formula->vec, first + i, 0);
}

/* A new constant: an initializer, or where a function's body is folded, which
 * has none, what a Constant node gives. */
static Value *constant_value(Fold *fold, Emission *emission, Tensor *tensor,
                             const char *stem)
{
    if (!graph_is_function(fold->graph))
        return graph_add_initializer(fold->graph, stem, tensor);
    Value *value = graph_fresh_value(fold->graph, stem);
    Node *node =
        node_new(fold->graph, OP_Constant, value->name, NULL, 0, &value, 1);
    node_set_tensor(node, "value", tensor);
    emission_add(fold, emission, node);
    value->tensor = tensor;
    return value;
}

Value *emit_vec(Fold *fold, Emission *emission, Vec vec, int64_t size,
                DType type, const char *stem)
{
    VecFormula *formula = arena_alloc(fold->arena, sizeof *formula);
    *formula = (VecFormula){{vec_formula_read}, vec_copy(fold->arena, vec)};
    Tensor *tensor =
        tensor_from_formula(fold->arena, type, 1, &size, &formula->formula);
    return constant_value(fold, emission, tensor, stem);
}

/* The weight's shape: as the operator had it, but for channels, groups and
 * taps. */
static Value *kernel_initializer(Fold *fold, Emission *emission,
                                 const Linear *like, const Kernel *kernel)
{
    const Value *old = like->node->inputs[1];
    const Tensor *weight = value_constant(fold->graph, old);
    int64_t dims[RANK_MAX];
    memcpy(dims, weight->dims, (size_t)weight->rank * sizeof *dims);
    bool out_first = kernel->layout == LAYOUT_OUT_IN;
    int64_t *matrix = dims + weight->rank - like->spatial - 2;
    matrix[0] = out_first ? kernel->out_channels : kernel->in_channels;
    matrix[1] = (out_first ? kernel->in_channels : kernel->out_channels) /
                kernel->group;
    for (int i = 0; i < like->spatial; i++)
        dims[2 + i] = kernel->taps[i];
    Tensor *tensor =
        kernel_tensor(fold->arena, kernel_copy(fold->arena, kernel), like->type,
                      weight->rank, dims);
    return constant_value(fold, emission, tensor, old->name);
}

/* Pads, or how they follow from the size. */
static void set_pads(Node *node, const Linear *like)
{
    int64_t pads[2 * AXES_MAX], extra[AXES_MAX];
    int n = like->spatial;
    bool has_extra = node_attr(node, "output_padding") != NULL;
    if (like->pads_follow) {
        bool upper = node_string_is(like->node, "auto_pad", "SAME_UPPER");
        node_set_string(node, "auto_pad", upper ? "SAME_UPPER" : "SAME_LOWER");
        return;
    }
    for (int i = 0; i < n; i++) {
        int64_t end = like->axes[i].end;
        pads[i] = like->axes[i].begin;
        pads[n + i] = end > 0 ? end : 0;
        extra[i] = end < 0 ? -end : 0;
        has_extra |= extra[i] > 0;
    }
    if (has_extra)
        node_set_ints(node, "output_padding", extra, (size_t)n);
    node_set_ints(node, "pads", pads, 2 * (size_t)n);
}

static void set_axes(Node *node, const Linear *like, const Kernel *kernel)
{
    int64_t strides[AXES_MAX], dilations[AXES_MAX];
    size_t count = (size_t)like->spatial;
    for (size_t i = 0; i < count; i++) {
        strides[i] = like->axes[i].stride;
        dilations[i] = like->axes[i].dilation;
    }
    node_set_ints(node, "dilations", dilations, count);
    node_set_int(node, "group", kernel->group);
    node_set_ints(node, "kernel_shape", kernel->taps, count);
    set_pads(node, like);
    node_set_ints(node, "strides", strides, count);
}

/* The operator itself. A convolution states its axes in full, so that what was
 * implied (auto_pad, defaults) cannot differ. */
static Node *operator_node(Fold *fold, const Linear *like, const Kernel *kernel,
                           Value *weight, Value *bias, Value *out)
{
    Value *inputs[3] = {like->input, weight, bias};
    Node *node = node_new(fold->graph, like->node->op, like->node->name, inputs,
                          bias ? 3 : 2, &out, 1);
    if (like->kind == LINEAR_CONV) {
        set_axes(node, like, kernel);
        return node;
    }
    Node *copy = node_clone(like->node, like->node->inputs, &out);
    node->attrs = copy->attrs;
    node->attr_count = copy->attr_count;
    if (like->kind == LINEAR_GEMM && bias)
        node_set_float(node, "beta", 1.0f);
    if (like->kind == LINEAR_GEMM && bias && graph_opset(fold->graph) < 7)
        node_set_int(node, "broadcast", 1);
    if (like->kind == LINEAR_CONV_TRANSPOSE && !node_attr(node, "auto_pad") &&
        !node_attr(node, "output_shape"))
        set_axes(node, like, kernel);
    return node;
}

int linear_node_count(const Linear *like, Vec bias)
{
    return like->kind == LINEAR_MATMUL && bias.size ? 2 : 1;
}

#ifdef REPFOLD_PLANT_WRONG_FOLD
/* For the test of what happens to wrong folds: that fold's bias is off, and so
 * is the next one's, which has its number when all is folded again. */
static Vec plant(Fold *fold, Vec bias)
{
    static int planted;
    if (planted == 2 ||
        fold->report->fold_count + 1 != REPFOLD_PLANT_WRONG_FOLD)
        return bias;
    planted++;
    return vec_add(fold->scratch, bias, vec_uniform(fold->scratch, 0x1p-10));
}
#endif

int emit_linear(Fold *fold, Emission *emission, const Linear *like,
                const Kernel *kernel, Vec bias, Value *out)
{
#ifdef REPFOLD_PLANT_WRONG_FOLD
    bias = plant(fold, bias);
#endif
    Node *old = like->node;
    Value *weight = kernel == like->kernel
                        ? old->inputs[1]
                        : kernel_initializer(fold, emission, like, kernel);
    Value *vector = NULL;
    if (bias.size) {
        const Value *named = node_input(old, 2);
        const char *stem = named ? named->name
                                 : arena_printf(fold->scratch, "%s.bias",
                                                old->inputs[1]->name);
        vector = emit_vec(fold, emission, bias, kernel->out_channels,
                          like->type, stem);
    }
    if (like->kind != LINEAR_MATMUL || !vector) {
        emission_add(fold, emission,
                     operator_node(fold, like, kernel, weight, vector, out));
        return 1;
    }
    Value *product = emission_value(fold, old->outputs[0]);
    emission_add(fold, emission,
                 operator_node(fold, like, kernel, weight, NULL, product));
    Value *inputs[2] = {product, vector};
    emission_add(fold, emission,
                 node_new(fold->graph, OP_Add,
                          arena_printf(fold->arena, "%s/bias", old->name),
                          inputs, 2, &out, 1));
    return 2;
}

static double type_largest(DType type)
{
    switch (type) {
    case DT_FLOAT16:
        return 65519.99; /* what still rounds to 65504 */
    case DT_BFLOAT16:
        return 0x1.ffp127 * (1 - 0x1p-54);
    case DT_FLOAT:
        return 0x1.ffffffp127 * (1 - 0x1p-54);
    default:
        return HUGE_VAL;
    }
}

static Reason elements_obstacle(Fold *fold, const double *values, int64_t count,
                                DType type, const char **fact)
{
    double largest = type_largest(type);
    for (int64_t i = 0; i < count; i++) {
        if (fabs(values[i]) < largest)
            continue;
        bool overflow =
            isfinite(values[i]) && (type == DT_FLOAT16 || type == DT_BFLOAT16);
        *fact =
            arena_printf(fold->scratch, "a folded number is %.6g", values[i]);
        return overflow ? REASON_F16_OVERFLOW : REASON_NOT_FINITE;
    }
    return REASON_NONE;
}

/* Every kernel is looked at; all of a big model need not be in memory for
 * that. */
static void let_go(Fold *fold, uint64_t weights)
{
    enum { MANY = 1 << 24 };
    fold->weights_read += weights;
    if (fold->weights_read < MANY)
        return;
    model_let_go(fold->model);
    fold->weights_read = 0;
}

/* A channel whose largest weight is so far below float16's normal numbers loses
 * more by rounding than storing its own weights costs, twice. */
static Reason underflow_obstacle(Fold *fold, const double *largest,
                                 int64_t channels, const char **fact)
{
    for (int64_t c = 0; c < channels; c++) {
        if (largest[c] == 0 || largest[c] >= dtype_least_normal(DT_FLOAT16) / 2)
            continue;
        *fact = arena_printf(fold->scratch,
                             "the largest weight of channel %lld is %.3g",
                             (long long)c, largest[c]);
        return REASON_F16_UNDERFLOW;
    }
    return REASON_NONE;
}

Reason numbers_obstacle(Fold *fold, const Kernel *kernel, Vec bias, DType type,
                        const char **fact)
{
    enum { PIECE = 1024 };
    double piece[PIECE], *largest = NULL;
    if (type == DT_FLOAT16)
        largest = arena_array(fold->scratch, (size_t)kernel->out_channels,
                              sizeof *largest);
    int64_t count = kernel_elements(kernel);
    let_go(fold, (uint64_t)count);
    for (int64_t done = 0; done < count; done += PIECE) {
        int64_t now = count - done < PIECE ? count - done : PIECE;
        kernel->formula.read(&kernel->formula, done, now, piece);
        Reason reason = elements_obstacle(fold, piece, now, type, fact);
        if (reason)
            return reason;
        for (int64_t i = 0; largest && i < now; i++) {
            double *own = &largest[kernel_channel(kernel, done + i)];
            *own = fmax(*own, fabs(piece[i]));
        }
    }
    Reason reason =
        largest ? underflow_obstacle(fold, largest, kernel->out_channels, fact)
                : REASON_NONE;
    if (reason)
        return reason;
    return elements_obstacle(fold, bias.at, bias.size, type, fact);
}

static const char *consumed_text(Fold *fold, const char *const *names,
                                 size_t count)
{
    size_t length = 1;
    for (size_t i = 0; i < count; i++)
        length += strlen(names[i]) + 1;
    char *text = arena_alloc(fold->arena, length), *at = text;
    for (size_t i = 0; i < count; i++) {
        at = stpcpy(at, names[i]);
        if (i + 1 < count)
            *at++ = ' ';
    }
    return text;
}

static uint64_t node_parameters(const Node *node)
{
    uint64_t count = 0;
    for (int i = 0; i < node->input_count; i++) {
        const Value *value = node->inputs[i];
        if (value && value->is_initializer && value->tensor)
            count += (uint64_t)value->tensor->count;
    }
    return count;
}

/* Elements of a folded weight that a 16-bit type stores with less precision
 * than its own. */
static uint64_t tensor_subnormals(const Tensor *tensor)
{
    enum { PIECE = 512 };
    double piece[PIECE], least = tensor->type == DT_FLOAT16    ? 0x1p-14
                                 : tensor->type == DT_BFLOAT16 ? 0x1p-126
                                                               : 0;
    uint64_t count = 0;
    if (!tensor->formula || least == 0)
        return 0;
    for (int64_t done = 0; done < tensor->count; done += PIECE) {
        int64_t now =
            tensor->count - done < PIECE ? tensor->count - done : PIECE;
        tensor_read_f64(tensor, done, now, piece);
        for (int64_t i = 0; i < now; i++)
            count += piece[i] != 0 && fabs(piece[i]) < least;
    }
    return count;
}

static uint64_t node_subnormals(const Node *node)
{
    uint64_t count = 0;
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i] && node->inputs[i]->tensor)
            count += tensor_subnormals(node->inputs[i]->tensor);
    return count;
}

int node_size(const Node *node)
{
    return node->merged > 0 ? node->merged : 1;
}

int nodes_sum(int a, int b)
{
    int sum = a + b;
    return sum > NODES_MAX ? NODES_MAX + 1 : sum;
}

void fold_record(Fold *fold, const Emission *emission, const Account *account)
{
    size_t consumed_count = account->consumed_count;
    FoldReport *report = fold->report;
    report->folds =
        arena_grow(fold->arena, report->folds, &report->fold_capacity,
                   report->fold_count + 1, sizeof *report->folds);
    rp_fold_record *record = &report->folds[report->fold_count++];
    const char **names =
        arena_array(fold->arena, consumed_count, sizeof *names);
    uint64_t before = 0, after = 0, subnormals = 0;
    int merged = 0;
    for (size_t i = 0; i < consumed_count; i++) {
        const Node *node = account->consumed[i];
        names[i] = node_title(node);
        merged = nodes_sum(merged, node_size(node));
        before += node_parameters(node);
    }
    const char *origin = consumed_text(fold, names, consumed_count);
    const char *rule_names = rules_text(fold->arena, account->rules);
    for (size_t i = 0; i < emission->count; i++) {
        emission->nodes[i]->merged = merged;
        emission->nodes[i]->origin = origin;
        emission->nodes[i]->rule = rule_names;
        after += node_parameters(emission->nodes[i]);
        subnormals += node_subnormals(emission->nodes[i]);
    }
    const Node *last = emission->nodes[emission->count - 1];
    *record = (rp_fold_record){
        .number = (int)report->fold_count,
        .rules = rule_names,
        .node = node_title(last),
        .output = last->outputs[0]->name,
        .consumed = names,
        .consumed_count = consumed_count,
        .macs_before = account->macs_before,
        .macs_after = account->macs_after,
        .parameters_before = before,
        .parameters_after = after,
        .subnormals = subnormals,
        .static_size = account->static_size,
    };
    fold->is_stale = true;
}
