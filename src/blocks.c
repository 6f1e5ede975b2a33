/*
 * Recognises the blocks that re-parameterizable networks are built of, by
 * structure alone: names and exporters do not matter.  It serves the reader of
 * `inspect`; nothing that folds depends on it.
 *
 * The sum of parallel branches over one tensor tells most:
 *
 *     x + g * (mix(x) - norm(x))          RepMixer (Vasu et al. 2023, FastViT)
 *     conv7x7(x) + conv3x3(x)             large-kernel
 *     conv(x) + conv1x1(x) [+ norm(x)]    MobileOne (Vasu et al. 2023)
 *     x + depthwise(x)                    CPE
 */
#include "api.h"

enum { BRANCH_MAX = 32, CHAIN_MAX = 16 };

/* One addend: what it reads, and what it passes on the way. */
typedef struct Branch {
    const Value *source;
    const Node *conv, *norm;
} Branch;

typedef struct Sum {
    Branch branches[BRANCH_MAX];
    int count;
    size_t nodes;
    bool subtracts;
} Sum;

typedef struct Finder {
    Arena *arena;
    const Graph *graph;
    bool *constant; /* by node: its outputs never vary */
    rp_block_info *blocks;
    size_t count, capacity;
} Finder;

static void add_block(Finder *finder, const char *kind, const Node *end,
                      size_t nodes)
{
    finder->blocks =
        arena_grow(finder->arena, finder->blocks, &finder->capacity,
                   finder->count + 1, sizeof *finder->blocks);
    const Value *output = node_output(end, 0);
    const char *where = end->name[0] ? end->name : output->name;
    finder->blocks[finder->count++] = (rp_block_info){kind, where, nodes};
}

/* ---- Walking back ---- */

static bool is_constant(const Finder *finder, const Value *value)
{
    if (value->producer)
        return finder->constant[value->producer->index];
    return value->is_initializer;
}

/* Exporters leave chains that compute a weight. What depends on an input only
 * by its shape or type does not vary with it. */
static bool never_varies(const Finder *finder, const Node *node)
{
    int count = node->op == OP_CastLike ? 1 : node->input_count;
    if (node->op == OP_Shape)
        return true;
    for (int i = 0; i < count; i++)
        if (node->inputs[i] && !is_constant(finder, node->inputs[i]))
            return false;
    return node->op != OP_OTHER;
}

static void mark_constants(Finder *finder)
{
    const Graph *graph = finder->graph;
    finder->constant =
        arena_array(finder->arena, graph->node_count + 1, sizeof(bool));
    for (size_t i = 0; i < graph->node_count; i++)
        finder->constant[i] = never_varies(finder, graph->nodes[i]);
}

/* The one input that is not constant, or NULL when there are two. */
static const Value *only_input(const Finder *finder, const Node *node)
{
    const Value *found = NULL;
    for (int i = 0; i < node->input_count; i++) {
        const Value *value = node->inputs[i];
        if (!value || is_constant(finder, value))
            continue;
        if (found)
            return NULL;
        found = value;
    }
    return found;
}

/* Past copies; that operator, or NULL. */
static const Node *producer_of(const Value *value, Op op)
{
    const Node *node = value ? value->producer : NULL;
    while (node && node->op == OP_Identity && node_input(node, 0))
        node = node->inputs[0]->producer;
    return node && node->op == op ? node : NULL;
}

/* Layer scale, a constant that a tracer left in (x + 0), a copy: what a
 * branch may pass on its way to the sum. */
static bool is_pass(const Finder *finder, const Node *node)
{
    switch (node->op) {
    case OP_Identity:
    case OP_Mul:
    case OP_Div:
    case OP_Add:
    case OP_Sub:
        return only_input(finder, node) != NULL;
    default:
        return false;
    }
}

/* Kernel size: the largest axis; 0 when the weight's shape is unknown. */
static int64_t conv_kernel(const Finder *finder, const Node *conv)
{
    const Value *weight = node_input(conv, 1);
    int64_t largest = 0;
    for (int i = 2; weight && i < weight->fact.rank; i++) {
        int64_t size = 0;
        dim_is_known(finder->graph->model->symbols, weight->fact.dims[i],
                     &size);
        if (size > largest)
            largest = size;
    }
    return largest;
}

static bool is_depthwise(const Node *conv)
{
    const Value *weight = node_input(conv, 1);
    return node_int(conv, "group", 1) > 1 && weight && weight->fact.rank >= 3 &&
           weight->fact.dims[1] == 1;
}

/* Past layer scales and normalisation to the convolution, past it to what it
 * reads; a value that others read as well is where the branches part. */
static Branch branch_of(const Finder *finder, const Value *value, Sum *sum)
{
    Branch branch = {.source = value};
    while (branch.source->use_count == 1) {
        const Node *node = branch.source->producer;
        const Value *input = node ? only_input(finder, node) : NULL;
        if (!input)
            break;
        if (node->op == OP_BatchNormalization && !branch.norm && !branch.conv)
            branch.norm = node;
        else if (node->op == OP_Conv && !branch.conv)
            branch.conv = node;
        else if (!is_pass(finder, node))
            break;
        branch.source = input;
        sum->nodes++;
        if (branch.conv)
            break; /* what feeds it is another layer */
    }
    return branch;
}

/* ---- Sums ---- */

static bool is_sum(const Node *node)
{
    return node->op == OP_Add || node->op == OP_Sub || node->op == OP_Sum;
}

/* A sum of things that vary: adding a bias does not make a branch. */
static bool joins_branches(const Finder *finder, const Node *node)
{
    return is_sum(node) && !only_input(finder, node);
}

/* The sum under a value that only one node reads, past constant factors. */
static const Node *inner_sum(const Finder *finder, const Value *value)
{
    for (int i = 0; i < CHAIN_MAX && value->use_count == 1; i++) {
        const Node *node = value->producer;
        if (!node)
            return NULL;
        if (joins_branches(finder, node))
            return node;
        if (!is_pass(finder, node))
            return NULL;
        value = only_input(finder, node);
    }
    return NULL;
}

/* Fills the sum's branches; false when there are too many to be a block. */
static bool collect(const Finder *finder, const Node *root, Sum *sum)
{
    const Node *pending[BRANCH_MAX];
    int depth = 0;
    pending[depth++] = root;
    while (depth > 0) {
        const Node *node = pending[--depth];
        sum->nodes++;
        sum->subtracts |= node->op == OP_Sub;
        for (int i = 0; i < node->input_count; i++) {
            if (!node->inputs[i] || depth == BRANCH_MAX ||
                sum->count == BRANCH_MAX)
                return false;
            const Node *inner = inner_sum(finder, node->inputs[i]);
            if (inner)
                pending[depth++] = inner;
            else
                sum->branches[sum->count++] =
                    branch_of(finder, node->inputs[i], sum);
        }
    }
    return true;
}

typedef struct Tally {
    int convs, wide, depthwise, norms, plain;
} Tally;

/* Counts kinds of branches; false when they do not all read one tensor. */
static bool tally_branches(const Finder *finder, const Sum *sum, Tally *tally)
{
    for (int i = 0; i < sum->count; i++) {
        const Branch *branch = &sum->branches[i];
        if (branch->source != sum->branches[0].source)
            return false;
        if (branch->conv) {
            tally->convs++;
            tally->wide += conv_kernel(finder, branch->conv) > 1;
            tally->depthwise += is_depthwise(branch->conv);
        } else if (branch->norm) {
            tally->norms++;
        } else {
            tally->plain++;
        }
    }
    return true;
}

static const char *sum_kind(const Sum *sum, const Tally *tally)
{
    if (sum->subtracts && tally->plain > 0)
        return tally->norms > 0 || tally->convs > 0 ? "RepMixer" : NULL;
    if (tally->convs == 1 && tally->plain == 1 && sum->count == 2)
        return tally->wide == 1 && tally->depthwise == 1 ? "CPE" : NULL;
    if (tally->convs == 2 && tally->wide == 2 && sum->count == 2)
        return "large-kernel";
    return tally->convs > 0 && tally->plain == 0 ? "MobileOne" : NULL;
}

/* A sum that is an addend of another belongs to that one. */
static bool is_inner(const Finder *finder, const Node *node)
{
    const Value *value = node_output(node, 0);
    for (int i = 0; i < CHAIN_MAX && value->use_count == 1; i++) {
        const Node *user = value->uses[0].node;
        if (!user)
            return false;
        if (joins_branches(finder, user))
            return true;
        if (!is_pass(finder, user))
            return false;
        value = node_output(user, 0);
    }
    return false;
}

static void find_sum(Finder *finder, const Node *node)
{
    Sum sum = {.count = 0};
    Tally tally = {0};
    if (!joins_branches(finder, node) || is_inner(finder, node) ||
        !collect(finder, node, &sum) || !tally_branches(finder, &sum, &tally))
        return;
    const char *kind = sum_kind(&sum, &tally);
    if (kind)
        add_block(finder, kind, node, sum.nodes);
}

/* ---- Other blocks ---- */

static bool is_pointwise(Op op)
{
    switch (op) {
    case OP_Add:
    case OP_Clip:
    case OP_Div:
    case OP_Dropout:
    case OP_Erf:
    case OP_Gelu:
    case OP_HardSigmoid:
    case OP_HardSwish:
    case OP_Identity:
    case OP_LeakyRelu:
    case OP_Mul:
    case OP_Pow:
    case OP_Relu:
    case OP_Sigmoid:
    case OP_Tanh:
        return true;
    default:
        return false;
    }
}

/* Back through an activation, however it is spelled, to the convolution that
 * feeds it. */
static const Node *conv_before(const Finder *finder, const Value *value,
                               size_t *nodes)
{
    for (int i = 0; value && i < CHAIN_MAX; i++) {
        const Node *node = value->producer;
        if (!node || node->op == OP_Conv)
            return node;
        if (!is_pointwise(node->op) && node->op != OP_BatchNormalization)
            return NULL;
        ++*nodes;
        for (int k = 0; k < node->input_count; k++)
            if (node->inputs[k] && !is_constant(finder, node->inputs[k])) {
                value = node->inputs[k];
                break;
            }
    }
    return NULL;
}

/* FastViT's feed-forward: depthwise k x k, 1x1, activation, 1x1. */
static void find_conv_ffn(Finder *finder, const Node *last)
{
    size_t nodes = 3;
    if (last->op != OP_Conv || conv_kernel(finder, last) != 1)
        return;
    const Node *first = conv_before(finder, node_input(last, 0), &nodes);
    if (!first || nodes == 3 || conv_kernel(finder, first) != 1)
        return;
    const Value *x = node_input(first, 0);
    const Node *norm = producer_of(x, OP_BatchNormalization);
    const Node *mix = producer_of(norm ? node_input(norm, 0) : x, OP_Conv);
    if (mix && is_depthwise(mix) && conv_kernel(finder, mix) > 1)
        add_block(finder, "ConvFFN", last, nodes + (norm != NULL));
}

/* softmax(q k^T) v */
static void find_attention(Finder *finder, const Node *node)
{
    if (node->op != OP_MatMul)
        return;
    const Node *softmax = producer_of(node_input(node, 0), OP_Softmax);
    const Value *scores = softmax ? node_input(softmax, 0) : NULL;
    for (int i = 0; scores && i < CHAIN_MAX; i++) {
        const Node *producer = scores->producer;
        if (producer && producer->op == OP_MatMul) {
            add_block(finder, "attention", node, (size_t)i + 3);
            return;
        }
        if (!producer || !is_pointwise(producer->op))
            return;
        scores = only_input(finder, producer);
    }
}

/* x * gate(pool(x)): squeeze and excitation (Hu et al. 2018). */
static void find_gate(Finder *finder, const Node *node)
{
    if (node->op != OP_Mul || node->input_count != 2)
        return;
    for (int side = 0; side < 2; side++) {
        const Value *x = node->inputs[side];
        const Value *gate = node->inputs[1 - side];
        size_t nodes = 1;
        if (!producer_of(gate, OP_Sigmoid) &&
            !producer_of(gate, OP_HardSigmoid))
            continue;
        for (int i = 0; gate && gate != x && i < CHAIN_MAX; i++, nodes++) {
            const Node *from = gate->producer;
            gate = from ? only_input(finder, from) : NULL;
        }
        if (gate == x && nodes > 3)
            add_block(finder, "SE", node, nodes);
    }
}

void blocks_find(Arena *arena, Graph *graph, const rp_block_info **blocks,
                 size_t *count)
{
    Finder finder = {.arena = arena, .graph = graph};
    graph_fill_uses(graph);
    mark_constants(&finder);
    for (size_t i = 0; i < graph->node_count; i++) {
        const Node *node = graph->nodes[i];
        if (!node_output(node, 0))
            continue;
        find_sum(&finder, node);
        find_conv_ffn(&finder, node);
        find_attention(&finder, node);
        find_gate(&finder, node);
    }
    *blocks = finder.blocks;
    *count = finder.count;
}
