/*
 * Linear forms.  Around sums and scalings a value is flattened into
 *
 *     value = sum over branches of  scale * L(base) + shift
 *
 * where L is a linear operator, an identity, or linear forms seen through an
 * operator that affine maps commute with (the mover). Whatever the nesting and
 * the signs, x + gamma * (mix(x) - norm(x)) becomes one list of branches, of
 * which those that share a base and a lattice become one kernel.
 */
#ifndef REPFOLD_FOLD_FORM_H
#define REPFOLD_FOLD_FORM_H

#include "fold/sight.h"

typedef struct Form Form;

typedef enum BranchKind {
    BRANCH_IDENTITY, /* a value that the form cannot look into */
    BRANCH_LINEAR,   /* a convolution, pool, Gemm or MatMul */
    BRANCH_VIA /* forms behind an operator that affine maps commute with */
} BranchKind;

typedef struct Branch {
    BranchKind kind;
    const Linear *linear; /* of BRANCH_LINEAR; several branches may share it */
    Form **inner;         /* of BRANCH_VIA: what the mover reads */
    int inner_count;
    Node *mover;
    int output;   /* of the mover, that the branch is */
    Value *value; /* the branch without scale and shift */
    Vec scale, shift;
    /* A value of the graph that equals alias_sign times the whole branch, scale
     * and shift included; NULL when there is none. */
    Value *alias;
    double alias_sign;
    int part; /* which operand of the last sum it came with */
} Branch;

/* Sums of more branches are left in pieces, and so are longer chains of moving
 * nodes: the planner recurses over both. */
enum { BRANCHES_MAX = 64, MOVES_MAX = 16 };

struct Form {
    Value *value; /* what it describes */
    Node *node;   /* what produces that; NULL for a leaf */
    Form **parts; /* the forms of what the node reads */
    int part_count;
    Branch *branches;
    int count;
    int axis;  /* along which scales and shifts lie, -1 while uniform */
    int more;  /* axes that follow and that they lie along as well */
    int moves; /* moving nodes on the longest way down */
    int nodes; /* of the file that it is made of */
    RuleSet rules;
    bool taken;      /* a larger form has it */
    bool tried;      /* folding it was; several parts of a Split lead here */
    Form **siblings; /* of a Split's first output: those of all; or NULL */
};

/* Builds the forms of all nodes of the graph, indexed by node index; NULL for
 * nodes that are neither linear nor affine nor sums. They are of the nodes'
 * first outputs. */
Form **forms_build(Fold *fold);

/* The form of scale * form + shift; NULL when some branch's channels do not lie
 * along that axis of the value. */
Form *form_scaled(Fold *fold, Form *form, const Sight *sight);

/* The i-th form behind a mover that is a branch of the form, with the branch's
 * scale and shift absorbed; NULL when it cannot take them. */
Form *form_behind(Fold *fold, const Form *form, const Branch *branch, int i);

/* True when every branch has a linear operator to take scale and shift. */
bool form_absorbs(const Form *form);

#endif
