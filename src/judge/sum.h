/*
 * What a region of a graph computes, found node by node:
 *
 *     value = sum over parts of  out * Operator(in * place) + bias
 *
 * A place is a value that the region reads, or what operators make of it that
 * affine maps commute with.  Every number is carried twice: in double, and as
 * a residue modulo 2^61 - 1, which nothing rounds.  Along goes what the nodes
 * make, one after the other, of one random input: the `value` of the sum in
 * the field of residues.  The parts must give the same.
 */
#ifndef REPFOLD_JUDGE_SUM_H
#define REPFOLD_JUDGE_SUM_H

#include "judge/known.h"
#include "judge/residue.h"

/* Numbers over channels; size 0 stands for none, 1 for one in all channels. */
typedef struct Coefs {
    int64_t size;
    double *real;
    Residue *exact;
} Coefs;

enum { SPACE_MAX = 3 };

/* One spatial axis: taps read at stride * q + dilation * t - begin. */
typedef struct Lattice {
    int64_t taps, stride, dilation, begin, end;
} Lattice;

typedef enum OperatorKind {
    OPERATOR_CONV,
    OPERATOR_CONV_TRANSPOSE,
    OPERATOR_GEMM,
    OPERATOR_MATMUL
} OperatorKind;

/* Elements [output][input within the group][tap], and the magnitudes that went
 * into each. */
typedef struct Dense {
    int64_t count;
    double *real, *size;
    Residue *exact;
} Dense;

/* A linear operator with a constant weight. */
typedef struct Operator {
    OperatorKind kind;
    const Node *node;
    const Constant *weight; /* NULL: `uniform` at every tap, depthwise */
    double uniform;
    Residue uniform_exact;
    const Dense *dense;    /* of one that other operators were composed to */
    int roundings;         /* that went into each of its numbers */
    bool rows_are_outputs; /* the first axis of the weight, else inputs are */
    int64_t outputs, inputs, group;
    int spatial;
    Lattice axes[SPACE_MAX]; /* beyond `spatial` a single tap */
    double alpha;            /* of Gemm */
    const Constant *bias;    /* or NULL */
    double beta;
    int input_axis, output_axis; /* of the channels */
} Operator;

/* What decides, besides weights, whether two operators can be one. */
typedef struct OperatorClass {
    OperatorKind kind;
    int spatial;
    int64_t inputs, outputs;
    int64_t stride[SPACE_MAX];
    /* The slack r = end - last offset, from which alone the output size
     * follows, or that size where it is known. */
    int64_t extent[SPACE_MAX];
    bool is_sized[SPACE_MAX];
    int64_t far[SPACE_MAX]; /* what pads that are not known follow from, or 0 */
    int input_axis;
    bool keeps_sizes; /* but for the channels; follows from the rest */
} OperatorClass;

typedef enum PlaceKind {
    PLACE_BASE,   /* a value that both graphs compute */
    PLACE_MOVE,   /* a node that affine maps commute with, of another place */
    PLACE_SLOT,   /* a place among zeros along one axis, as Concat puts it */
    PLACE_JOIN,   /* several places one after the other along one axis */
    PLACE_PADDED, /* a place with zeros around its image */
    PLACE_LINEAR, /* an operator of that class, of another place */
    PLACE_OPAQUE  /* any other node, of sums; without node a sum itself */
} PlaceKind;

typedef struct Place {
    PlaceKind kind;
    int inner; /* the other place */
    int shape; /* the first place that is known to have the same shape */
    const Known *base;             /* of PADDED: what has that place's shape */
    int64_t around[2 * SPACE_MAX]; /* of PADDED: its zeros, begin and end */
    const Node *node;              /* of MOVE and OPAQUE */
    Scope *scope;                  /* that the node is in */
    OperatorClass class;
    const Operator *pool; /* of MOVE, where it is an operator, too; or NULL */
    const int64_t *from;  /* of MOVE, where it takes channels: which; or NULL */
    int axis, output;
    int64_t start, length; /* along the axis */
    int *joined;
    struct Sum **sums; /* of OPAQUE: for each input, NULL where constant */
    int count;         /* of joined or sums */
    bool closed;       /* scales stay outside, for what reads it */
    bool is_scaled;    /* another place is this one with a scale inside */
    bool taken;        /* a place of the converted graph is this one */
    /* What rounding of weights inside changes: see Match. */
    const double *bound;
    bool is_rounded;
} Place;

typedef struct Part {
    int place;
    const Operator *linear; /* NULL: the place itself */
    Coefs in, out;
    int64_t start, length; /* channels of the sum; length 0 is all */
    /* Of an operator of whose outputs some were taken: which of them each
     * channel of the part is; or NULL. */
    const int64_t *rows;
    int64_t row_count;
    int steps;         /* roundings that went into in and out */
    const Fact *shape; /* of what the operator reads */
    /* What is added to that, by channel: with the operator's weight it went
     * into the bias of the sum. */
    Coefs shift;
} Part;

/* The output of the operator that a channel of the part is. */
static inline int64_t part_row(const Part *part, int64_t channel)
{
    return part->rows ? part->rows[channel] : channel;
}

/* How many channels an operator's part has. */
static inline int64_t part_width(const Part *part)
{
    return part->rows ? part->row_count : part->linear->outputs;
}

/* The shape of a sum is that to which ONNX broadcasts the shapes of its places;
 * so is each part, and numbers along an axis with them. */
typedef struct Sum {
    const Fact *fact;
    int axis; /* along which the numbers lie; -1 while the same everywhere */
    int more; /* axes that follow and that they lie along as well, by rows */
    int rank; /* that the axis counts in; -1 where it is not known */
    int64_t width; /* channels there, 1 while axis is -1 */
    Part *parts;
    int count;
    bool broadcasts; /* a part may be smaller than the sum */
    /* NULL, or `width` numbers each: the bias, the sum of the magnitudes that
     * went into it, and half an ulp of those that were stored. */
    Coefs bias;
    double *bias_size, *bias_slack;
    int bias_sources, bias_steps;
    DType bias_type; /* of the source, where there is one and it is not
                        scaled */
    int as_place;    /* 1 + the place that it is without its bias, or 0 */
    int as_whole;    /* the same with it */
    Residue *value;  /* by channel; NULL while axis is -1 */
} Sum;

/* How what operators gave may be read. Which way is the right one depends on
 * what folding did. */
typedef enum Reading {
    READ_PLACE,    /* as one place, and what was added to it apart */
    READ_COMPOSED, /* as operators, which become one with it */
    READ_WHOLE,    /* as one place with what was added to it */
    READ_SCALED,   /* as places whose scales stay outside */
    /* The first and the third, and so do all others that read it. */
    READ_SHARED,
    READ_SHARED_WHOLE,
    /* What the converted graph adds stays apart from what operators gave; or a
     * crop from what reads it. */
    READ_APART,
    READINGS
} Reading;

typedef struct Joint {
    const Known *at;
    unsigned possible; /* bits of Reading; READ_PLACE always is */
    Reading now;
} Joint;

enum { JOINTS_MAX = 64 };

/* A region while it is looked at. */
typedef struct Region {
    Arena *arena;
    unsigned stamp;
    unsigned reading;   /* the number of this time that a region is read */
    unsigned *readings; /* of the last one */
    Place *places;
    int place_count;
    size_t place_capacity;
    uint64_t seed;
    Pool *pool;
    bool is_original; /* whose nodes are read now */
    Joint joints[JOINTS_MAX];
    int joint_count;
    Reading preferred; /* of joints that are new */
    int square_roots;
    Residue scales; /* a random combination of what they gave */
    uint64_t scale_count;
    unsigned facts;       /* what was relied on: bits of FactKind */
    const char *obstacle; /* what could not be looked through, or NULL */
    bool counts;          /* roundings, for a histogram */
    struct Proof *proof;
} Region;

/* ORDER FactKind: the names in certificate.c. */
typedef enum FactKind {
    FACT_INFERENCE, /* BatchNormalization uses stored statistics */
    FACT_UNPADDED,  /* a shift goes into an operator without padding */
    FACT_SHAPES,    /* summands have one shape: nothing is broadcast */
    FACT_LATTICE,   /* offsets, strides and sizes agree */
    FACT_GROUPS,    /* groups are filled up with zeros */
    FACT_COMMUTES,  /* affine maps commute with what moves or averages */
    FACT_ZERO_PADS, /* an explicit padding is with zeros */
    FACT_DIVISOR,   /* an average divides by one number everywhere */
    FACT_POSITIVE,  /* scales are positive before Relu or MaxPool */
    FACT_COMPOSED,  /* no padding between operators that become one */
    FACT_BORDER,    /* a border is what the operator gives for zeros */
    FACT_COMPUTED,  /* a constant subgraph's numbers are taken in double */
    FACT_KEPT,      /* nothing is padded, or nothing left out */
    FACT_KINDS
} FactKind;

static inline void region_rely(Region *region, FactKind fact)
{
    region->facts |= 1u << fact;
}

/* Channel c of what a node gives holds those from[c * ways] and on of what it
 * reads: one, or as many as there are ways. */
typedef struct Channels {
    int64_t width, ways, *from;
} Channels;

/* Where the numbers of a sum are behind a node. */
typedef struct Route {
    int axis, more;
    Channels channels; /* width 0: they stay as they are */
} Route;

/* How the value of either graph is to be read, of the ways that are possible.
 */
Reading region_choice(Region *region, const Known *at, unsigned possible);
/* The same where only the original has a choice: the converted graph is read in
 * the first way. */
Reading region_reading(Region *region, const Known *at, unsigned possible);
/* LayerNormalization and the like, whose scale and bias stand apart. */
bool is_norm(const Node *node);
/* True when two sums have one shape. */
bool shapes_agree(const Region *region, const Sum *a, const Sum *b);
/* Puts the numbers of a sum along an axis, where they were the same. */
void sum_widen(Region *region, Sum *sum, int axis, int rank, int64_t width);
/* True when the numbers of both lie along one axis, counted from the last, or
 * are the same everywhere. */
bool axes_agree(const Sum *a, const Sum *b);
/* The sum of a value of the region, which is made when the node is taken. */
Sum *region_sum(Region *region, Known *known);
/* The same with its numbers along one axis, or inside a place. */
Sum *region_plain_sum(Region *region, Known *known);
void region_set(Region *region, Known *known, Sum *sum);
/* Reads one node of the region, whose inputs are known. */
void region_take(Region *region, Known *output);

/* ---- coefs.c ---- */

Coefs coefs_uniform(Arena *arena, double value);
Coefs coefs_new(Arena *arena, int64_t size);
Coefs coefs_of_constant(Arena *arena, const Constant *constant);
Coefs coefs_multiply(Arena *arena, Coefs a, Coefs b);
Coefs coefs_add(Arena *arena, Coefs a, Coefs b);
Coefs coefs_absolute(Arena *arena, Coefs coefs);
Coefs coefs_slice(Coefs coefs, int64_t start, int64_t length);
/* The numbers from `start` on, among so many that are 1. */
Coefs coefs_spread(Arena *arena, Coefs coefs, int64_t start, int64_t size);
/* The same factor in channel i of one and k of the other. */
bool coefs_agree(Coefs a, int64_t i, Coefs b, int64_t k);
/* True for one number, not 0, in all channels. */
bool coefs_are_uniform(Coefs coefs);
bool coefs_are_ones(Coefs coefs);
/* True where sums of terms are 0; `sizes` are those of their magnitudes. */
bool coefs_cancel(Coefs coefs, Coefs sizes);
/* The same for what two sums add. */
bool bias_agrees(const Sum *a, int64_t i, const Sum *b, int64_t k);
bool bias_is_zero(const Sum *sum);
bool coefs_are_positive(Coefs coefs);
double coefs_real(Coefs coefs, int64_t channel, double none);
Residue coefs_exact(Coefs coefs, int64_t channel, Residue none);

/* Half a unit in the last place of a number of that type near the value. */
double half_ulp(DType type, double value);

/* ---- place.c ---- */

int place_base(Region *region, Known *known);
/* `shape` is a place that has the shape of the whole. */
int place_slot(Region *region, int inner, int axis, int64_t start,
               int64_t length, int shape);
int place_join(Region *region, const int *joined, int count, int axis);
/* The place with zeros around its image; `inside` has its shape. */
int place_padded(Region *region, int inner, const Known *inside,
                 const int64_t *around);
/* What a node with one sum as input makes of a place, in one of its outputs. */
int place_move(Region *region, Scope *scope, const Node *node, int output,
               int inner);
/* What made a place of its inner one makes of another. */
int place_moved_alike(Region *region, int like, int inner);
/* True for what the same node makes of two places, which *a and *b become; a is
 * of the original. */
bool places_move_alike(const Region *region, int *a, int *b);
/* What operators of that class make of a place of that shape. */
int place_linear(Region *region, const Operator *linear, const Fact *shape,
                 int inner);
int place_opaque(Region *region, Scope *scope, const Node *node, Sum **sums,
                 int output);
/* The place of the original that a sum of the converted graph is; or -1. */
int place_of_original(Region *region, Scope *scope, Sum **sum);
/* What rounding inside changes at the place, at most, in any channel. */
double place_bound(const Region *region, int place);
/* True where a weight is rounded that goes into it. */
bool place_is_rounded(const Region *region, int place);
/* How the numbers of a sum that lie along some axes lie behind a Reshape, or a
 * Transpose that changes two of these axes; false for other nodes, and where
 * they are no longer side by side. */
bool span_forward(Region *region, const Known *output, const Sum *input,
                  Route *route);
/* The axis of the node's output that `axis` of its input becomes as a whole;
 * -1 when there is none. *repeat is by how much the channels are merged with
 * what follows them. */
int axis_forward(Scope *scope, const Node *node, int axis, int64_t *repeat);

/* ---- mover.c ---- */

/* Where an axis goes through a node that does not reshape; -1 where it is cut
 * or mixed. */
int axis_kept(Scope *scope, const Node *node, int axis);

/* What a Slice cuts off the spatial axes, begin and end; false when it is
 * another node, or cuts others. */
bool crop_read(Scope *scope, const Node *node, int spatial, int64_t *amounts);

void channels_new(Arena *arena, int64_t width, int64_t ways, Channels *out);
void channels_repeat(Arena *arena, int64_t width, int64_t times, Channels *out);
/* False for other nodes than those that take channels along that axis. */
bool channels_take(Region *region, Scope *scope, const Node *node, int output,
                   int axis, Channels *out);
/* f(s x) = s f(x) for s > 0; for that scale. */
bool is_homogeneous(const Node *node);
bool is_scaling(const Node *node, Coefs scale);
/* By how much the node may enlarge a difference, at most; 1 for most. */
double mover_gain(Scope *scope, const Node *node);

/* ---- linear.c ---- */

/* False when the node is no linear operator with a constant weight. */
bool operator_read(Region *region, Scope *scope, const Node *node,
                   Operator *out);
/* An average pool, a maximum over one element or a crop as an operator; false
 * when its divisor is not the same everywhere. */
bool operator_read_pool(Scope *scope, const Node *node, Operator *out);
OperatorClass operator_class(const Operator *linear, const Fact *input);
bool classes_agree(const OperatorClass *a, const OperatorClass *b);
bool operator_is_padded(const Operator *linear);
/* True where pads follow from a size that is not known: no other padding can be
 * added to them, and nothing composed. */
bool operator_is_far(const Operator *linear);
int64_t operator_taps(const Operator *linear);
/* Offsets of a tap, by axis. */
void operator_offsets(const Operator *linear, int64_t tap, int64_t *offsets);
/* Elements of the weight in one row of its first axis. */
int64_t operator_rows(const Operator *linear);
int64_t operator_columns(const Operator *linear);

/* value[o] += alpha * sum over c and t of W[o, c, t] * x[c, t] for the sum; and
 * what is added to the input, which does not meet padding, becomes its bias. */
void operator_apply(Region *region, const Operator *linear, const Residue *x,
                    const Sum *input, Sum *sum);

/* ---- compose.c ---- */

/* Whether such paddings around what an operator gives are what it would give
 * there: it must have one tap, which outside of its output reads outside of its
 * input. That of a crop does not. */
bool axis_gives_zeros(const Lattice *axis, int64_t begin, int64_t end);
/* One tap, no padding, a stride of 1. */
bool operator_is_pointwise(const Operator *linear);

/* Where the taps of a pair of channels are in the dense form; -1 where groups
 * keep them apart. */
int64_t dense_index(const Operator *linear, int64_t output, int64_t input);
const Dense *operator_dense(Region *region, const Operator *linear);
/* second * between * first as one operator; NULL when it is none. */
const Operator *operator_compose(Region *region, const Operator *first,
                                 Coefs between, const Operator *second);
/* The operator's outputs as those from `start` on of so many; NULL where that
 * is too large. */
const Operator *operator_among(Region *region, const Operator *linear,
                               int64_t start, int64_t outputs);
/* What the operator makes of in * place at the output position `at`. */
void operator_evaluate(Region *region, const Operator *linear, int place,
                       Coefs in, const int64_t *at, Residue *y);

/* The number that a place has in a channel at an offset. */
Residue place_value(const Region *region, int place, int64_t channel,
                    const int64_t *offsets);

#endif
