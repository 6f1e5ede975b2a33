/*
 * Reading nodes as algebra: what a node is, if it is linear, and the reason
 * if it cannot take part. Nothing here changes the graph.
 */
#ifndef REPFOLD_FOLD_SITE_H
#define REPFOLD_FOLD_SITE_H

#include "fold/fold.h"
#include "fold/kernel.h"

typedef enum Reason {
    REASON_NONE,
#define REASON(id, code, advice) REASON_##id,
#include "fold/reason.def"
#undef REASON
    REASON_COUNT
} Reason;

const char *reason_code(Reason reason);
const char *reason_advice(Reason reason);

typedef enum Rule {
#define RULE(name, on_demand, text) RULE_##name,
#include "fold/rule.def"
#undef RULE
    RULE_COUNT
} Rule;

typedef unsigned RuleSet;
#define RULE_BIT(rule) (1u << (rule))

/* ORDER Rule */
extern const rp_rule rules_all[RULE_COUNT];
/* The set named by "C1,C4"; an unknown name is an error. */
int rules_parse(const char *text, RuleSet *out, Err *err);
const char *rules_text(Arena *arena, RuleSet rules);

/* A refusal while it is being found: the reason and the one fact. */
typedef struct Obstacle {
    Reason reason;
    const char *fact;
} Obstacle;

/* What every pass works with. What is read of the graph is in the scratch
 * memory, and what is put into it is copied. */
typedef struct Fold {
    Arena *arena;   /* the model's: what stays */
    Arena *scratch; /* what a pass forgets, or a part of one */
    Arena *notes;   /* the obstacles of a round */
    Model *model;
    Graph *graph;
    const rp_fold_options *options;
    RuleSet enabled;
    FoldReport *report;
    bool is_stale;  /* something was folded since uses and shapes were found */
    bool *island;   /* by node index, as of the last fill */
    Map *obstacles; /* node's first output -> Obstacle, for the report */
    uint64_t weights_read; /* since memory was last let go of */
    /* Nodes of all graphs so far, how many were gone through because of folds,
     * and whether that was too much. */
    size_t whole_size, work;
    bool gives_up;
} Fold;

/* Between these two the scratch memory is one of its own, for one site or
 * whatever else is forgotten before the pass ends. */
Arena *site_begin(Fold *fold);
void site_end(Fold *fold, Arena *outer);

/* True when no further fold may be made (--stop-after). */
bool fold_is_done(const Fold *fold);
/* True when the fold that produces the value is not to be made. */
bool fold_is_undone(const Fold *fold, const Value *output);
/* Notes why a node stays, as of this round. */
void fold_note(Fold *fold, const Node *node, Reason reason, const char *fact);
/* Why nothing can go into what produces a value that has no form: what keeps
 * that from being linear, if that is known. A product of two activations is no
 * weight that could be a constant. */
Obstacle producer_obstacle(const Fold *fold, const Value *value);

typedef enum LinearKind {
    LINEAR_CONV,
    LINEAR_CONV_TRANSPOSE,
    LINEAR_GEMM,
    LINEAR_MATMUL
} LinearKind;

/* A linear operator: y = kernel * x + bias. */
typedef struct Linear {
    LinearKind kind;
    Node *node;
    Value *input;
    const Kernel *kernel;
    Vec bias; /* VEC_NONE when there is none */
    int spatial;
    Axis axes[AXES_MAX]; /* of Conv; beyond `spatial` a single tap */
    int channel_axis;    /* of the output */
    DType type;          /* of the stored weight */
    bool is_virtual;     /* a pool or an identity: no weight is stored */
    /* Constant nodes that compute weight or bias and could go. */
    bool weight_is_computed, bias_is_computed;
    Node *pad; /* an explicit Pad that went into the axes, or NULL */
    /* The pads follow from a size that is not known (auto_pad). */
    bool pads_follow;
    /* The axes hold for the image size that is known, and not for others. */
    bool static_size;
    /* Of a pool seen with the convolution before it: that, and the nodes of
     * the border between. */
    Node **border;
    int border_count;
} Linear;

/* Why the node cannot be read so, with the fact in `fact` where there is one;
 * REASON_NONE when it can. REASON_NONLINEAR for any other operator. */
Reason linear_read(Fold *fold, Node *node, Linear *out, const char **fact);

Linear *linear_copy(Arena *arena, const Linear *linear);

/* A convolution, or a pool seen as one, takes the zeros that a Pad in front of
 * it puts around its image: linear->pad is that node then. Why it cannot is
 * noted at the Pad. */
void linear_take_pad(Fold *fold, Linear *linear);

/* What a convolution of a cropped image is of the whole image: its taps lie
 * farther inside, which is padding below 0, and so only in a sum with others.
 * False when the input is not cropped, or padded where it is. */
bool linear_uncrop(Fold *fold, const Linear *linear, Linear *out);

/* The identity on a value as a one-tap depthwise convolution, transposed or
 * not; false when its channels are not known. `type` is that of the weights it
 * will join. */
bool linear_identity(Fold *fold, Value *value, LinearKind kind, DType type,
                     Linear *out);

/* Multiply-accumulates for one output position: taps x channels. */
double linear_macs(const Linear *linear);

/* An affine map along one axis of its input: y = scale * x + shift. */
typedef struct AffineMap {
    Value *input;
    Vec scale, shift;
    int axis; /* -1 when the same in every channel */
} AffineMap;

/* BatchNormalization (inference), Mul, Add, Sub, Div with one constant operand,
 * Neg. The same conventions. */
Reason affine_read(Fold *fold, Node *node, AffineMap *out, const char **fact);

/* The elements of a constant value as a vector; false when it is none. */
bool constant_vec(Fold *fold, const Value *value, Vec *out);
/* Why a value is not a constant. */
Reason constant_obstacle(const Fold *fold, const Value *value);

/* What a report calls the node: exporters may leave nodes without a name, but
 * not their outputs. */
const char *node_title(const Node *node);

/* The value behind nodes that keep it: what a branch really reads. */
Value *value_behind(const Fold *fold, Value *value);

/* True when a use reads only the value's shape or type. */
bool use_is_value_free(const Use *use);
/* The only use of a value that reads its elements; NULL, and the reason, when
 * there are more or others that a fold would disturb. */
const Use *only_data_use(const Value *value, Reason *reason);
/* The reason alone: why a value's reader cannot absorb what computes it. */
Reason use_obstacle(const Value *value);
/* The same where even who reads only the shape would read another one. */
Reason sole_use_obstacle(const Value *value);
/* Readers of the shape or type alone read it from another value like it. */
void value_free_move(Value *from, Value *to);

/* The axis of the node's input that becomes `axis` of its output, as a whole
 * and in order; -1 when there is none. */
int affine_axis_back(const Fold *fold, const Node *node, int axis);
/* The other way; *repeat is by how much the channels are merged with trailing
 * axes (Flatten), 1 as a rule. */
int affine_axis_forward(const Fold *fold, const Node *node, int axis,
                        int64_t *repeat);
/* BatchNormalization and Dropout in training mode, whatever is assumed.
 * ONNX BatchNormalization-1, -7, -9, -14; Dropout-1, -7, -12. */
bool node_trains(const Fold *fold, const Node *node);
/* Identity, Dropout in inference, Cast, Reshape and Expand to what it is, Pad
 * of nothing and Slice of everything. */
bool node_keeps_value(const Fold *fold, const Node *node);
/* Transpose, Reshape, Flatten, Squeeze, Unsqueeze: only moves elements. */
bool node_moves_only(const Node *node);
/* What a Slice does along one axis: from 0 to the end by steps of 1 where it
 * does nothing. Start and end are as they are written, still to be clamped to
 * the length. */
typedef struct Cut {
    int64_t start, end, step;
} Cut;
/* False when that is not constant. */
bool cut_read(const Fold *fold, const Node *node, int axis, Cut *cut);

/* Evaluates, in float64, the constant subgraphs that feed weights, statistics
 * and shapes, within a budget; stores them in value->tensor. `found` tells
 * whether there were any. */
int constants_evaluate(Fold *fold, bool *found, Err *err);

/* A constant that is kept in double until it is stored. The numbers are not
 * copied. */
Tensor *tensor_from_doubles(Arena *arena, DType type, int rank,
                            const int64_t *dims, const double *values);

/* The nodes that compute a constant for this reader alone; 0 when it is stored,
 * or when storing it would make the file larger because what it is computed
 * from has other readers. */
enum { CHAIN_MAX = 32 };
int constant_chain(const Value *value, Node *nodes[CHAIN_MAX]);

/* Marks the nodes of activations and attention that runtimes recognise. */
void islands_mark(Fold *fold);

#endif
