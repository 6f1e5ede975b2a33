/*
 * Plans: which branches of a linear form become one operator, and what would be
 * left. Planning changes nothing.
 */
#ifndef REPFOLD_FOLD_PLAN_H
#define REPFOLD_FOLD_PLAN_H

#include "fold/form.h"

/* Branches that become one operator. */
typedef struct Cluster {
    int members[BRANCHES_MAX];
    int count;
    Linear lead; /* its axes are the union's; its node the largest member's */
    int64_t group;
} Cluster;

typedef struct Plan {
    Form *form;
    Cluster *clusters;
    int count;
    bool changed;     /* something is absorbed or merged */
    bool crosses;     /* branches of different summands are merged */
    bool static_size; /* it holds for the image size that is known alone */
    int nodes;        /* that carrying it out adds */
    double macs_before, macs_after;
    RuleSet rules;
} Plan;

/* Clusters the branches and counts what would remain. A plan that cannot be
 * carried out has 0 nodes. */
Plan plan_make(Fold *fold, Form *form);
/* The plan for the i-th form behind a mover, with the branch's scale and shift
 * absorbed. */
Plan plan_behind(Fold *fold, const Plan *plan, const Branch *branch, int i);
/* True when the cluster is left as a value that exists already. */
bool cluster_is_alias(const Plan *plan, const Cluster *cluster);
/* What the cluster's operator will have. */
const Kernel *cluster_kernel(Fold *fold, const Plan *plan,
                             const Cluster *cluster);
Vec cluster_bias(Fold *fold, const Plan *plan, const Cluster *cluster);
/* Why a weight of the plan does not fit its type, and which number. */
Reason plan_obstacle(Fold *fold, const Plan *plan, const char **fact);

#endif
