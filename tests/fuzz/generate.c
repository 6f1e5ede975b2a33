/* A random network: regions of linear and affine operators, and nonlinearities
 * between them. */
#include <stdio.h>
#include <stdlib.h>

#include "blocks.h"
#include "model.h"

enum { NODES_MAX = 60, OPSET_MIN = 7, OPSET_MAX = 20 };

/* ---- Inputs ---- */

static int64_t random_channels(Gen *gen)
{
    static const int64_t channels[] = {1, 2, 3, 4, 4, 6};
    return channels[gen_pick(gen, 6)];
}

static Value *image_input(Gen *gen)
{
    static const int ranks[] = {3, 4, 4, 4, 4, 4, 5};
    int rank = ranks[gen_pick(gen, 7)];
    int64_t dims[RANK_MAX] = {gen_range(gen, 1, 2), random_channels(gen)};
    for (int i = 2; i < rank; i++) {
        dims[i] = gen_range(gen, 3, rank == 5 ? 4 : 8);
        if (gen_chance(gen, 20) && dims[1] >= 3) /* size and channels alike */
            dims[i] = dims[1];
    }
    return gen_input(gen, gen->type, rank, dims);
}

static Value *token_input(Gen *gen)
{
    int64_t dims[3];
    int rank = (int)gen_range(gen, 2, 3);
    for (int i = 0; i < rank; i++)
        dims[i] = i && gen_chance(gen, 25) ? dims[0] : gen_range(gen, 1, 6);
    return gen_input(gen, gen->type, rank, dims);
}

/* Some sizes of the first input become symbols, named after the numbers. */
static void make_symbolic(Gen *gen, Value *input)
{
    Fact *fact = &input->fact;
    Dim *dims = fact_set(gen->arena, fact, fact->type, fact->rank, fact->dims);
    for (int i = 0; i < fact->rank; i++)
        if (i != 1 && gen_chance(gen, 70))
            dims[i] = dim_named(gen->model->symbols,
                                arena_printf(gen->arena, "%c%lld",
                                             i ? 'h' + i - 2 : 'n',
                                             (long long)dims[i]));
}

/* ---- Regions ---- */

static Value *nonlinearity(Gen *gen, Value *x)
{
    static const Op exact[] = {OP_Relu, OP_Relu, OP_Relu, OP_Abs};
    static const Op others[] = {OP_Tanh, OP_Sigmoid, OP_Erf};
    int known = op_exists(OP_Erf, gen->model->opset) ? 3 : 2;
    if (gen_chance(gen, 15))
        return x;
    if (!gen->integers && gen_chance(gen, 30))
        return gen_unary(gen, others[gen_pick(gen, known)], x);
    return gen_unary(gen, exact[gen_pick(gen, 4)], x);
}

static Value *image_region(Gen *gen, Value *x)
{
    static Value *(*const regions[])(Gen *, Value *) = {
        gen_sum_region,    gen_sum_region,    gen_sum_region,
        gen_chain_region,  gen_chain_region,  gen_forward_region,
        gen_moving_region, gen_moving_region, gen_transposed_region,
        gen_tokens,        gen_border_region, gen_island_region,
        gen_stack_region,  gen_crop_region,
    };
    for (int i = 2; i < x->fact.rank; i++)
        if (x->fact.dims[i] > 12)
            return gen_unary(gen, OP_GlobalMaxPool, x);
    if (gen_chance(gen, 20))
        return gen_trap(gen, x);
    return regions[gen_pick(gen, sizeof regions / sizeof *regions)](gen, x);
}

/* Each region folds into one node at best; constants that are computed go as
 * well. */
static void region_count(Gen *gen)
{
    size_t nodes = gen->graph->node_count - gen->region;
    gen->upper += nodes > 1 ? nodes - 1 : 0;
}

static Value *network(Gen *gen)
{
    bool tokens = gen_chance(gen, 15);
    Value *x = tokens ? token_input(gen) : image_input(gen);
    for (int left = (int)gen_range(gen, 1, 4);
         left > 0 && gen->graph->node_count < NODES_MAX; left--) {
        gen->region = gen->graph->node_count;
        x = tokens ? gen_token_region(gen, x) : image_region(gen, x);
        tokens = tokens || x->fact.rank == 2;
        region_count(gen);
        if (gen_chance(gen, 15))
            gen_expose(gen);
        x = nonlinearity(gen, x);
    }
    return x;
}

/* ---- Models ---- */

static Gen gen_start(Arena *arena, uint64_t seed, bool integers)
{
    static const DType types[] = {DT_FLOAT, DT_FLOAT,   DT_FLOAT,
                                  DT_FLOAT, DT_FLOAT16, DT_DOUBLE};
    Gen gen = {.arena = arena, .random = seed, .integers = integers};
    gen_bits(&gen.random); /* neighbouring seeds part */
    gen.model = model_new(arena);
    gen.model->graph = gen.graph = graph_new(gen.model, NULL);
    gen.graph->name = "fuzz";
    gen.model->opset = gen_range(&gen, OPSET_MIN, OPSET_MAX);
    gen.model->ir_version =
        gen_chance(&gen, 15) && gen.model->opset < 10 ? 3 : 8;
    gen.type = types[gen_pick(&gen, 6)];
    return gen;
}

/* The functions that are called. A default domain's function takes every call
 * of the operator's name. */
static void add_functions(Gen *gen)
{
    Model *model = gen->model;
    bool takes_all = gen_chance(gen, 1);
    for (size_t i = 0; i < gen->graph->node_count; i++)
        takes_all &= gen->graph->nodes[i]->output_count == 1;
    Function *functions =
        arena_array(gen->arena, 2 + FUNCTIONS_MAX, sizeof *functions);
    model->functions = functions;
    for (size_t i = 0; i < gen->function_count; i++)
        functions[model->function_count++].source = gen->functions[i];
    if (gen->namesake)
        functions[model->function_count++].source =
            fuzz_namesake(gen->arena, "com.example");
    if (takes_all)
        functions[model->function_count++].source =
            fuzz_namesake(gen->arena, "");
}

FuzzModel fuzz_generate(Arena *arena, uint64_t seed, bool integers)
{
    Gen gen = gen_start(arena, seed, integers);
    Value *x = network(&gen);
    if (!x->is_output)
        graph_add_output(gen.graph, x);
    if (gen_chance(&gen, 30))
        make_symbolic(&gen, gen.graph->inputs[0]);
    for (size_t i = 0; i < gen.graph->output_count; i++)
        if (gen.graph->outputs[i]->producer)
            gen_done(&gen, gen.graph->outputs[i]->producer);
    add_functions(&gen);
    FuzzModel model = {.seed = seed, .integers = integers, .upper = gen.upper};
    Err err = {0};
    if (fuzz_pack(arena, gen.model, &model.file, &err) < 0) {
        fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed,
                err.message);
        abort();
    }
    static const rp_fold_options choices[] = {
        {.enable = NULL},
        {.enable = NULL},
        {.enable = "C12,C16,C19"},
        {.enable = "C12,C16,C19", .allow_cost = 1},
        {.allow_cost = 1, .inline_functions = 1},
        {.inline_functions = 1},
    };
    model.options = choices[gen_pick(&gen, 6)];
    return model;
}
