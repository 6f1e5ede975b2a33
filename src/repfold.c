/*
 * The public entry points: each sets the guard that running out of memory
 * unwinds to, calls one layer, and turns an Err into an rp_error.
 */
#include "repfold.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "api.h"
#include "base/machine.h"
#include "fold/site.h"
#include "graph/dump.h"
#include "import.h"
#include "judge/judge.h"
#include "onnx/extdata.h"
#include "onnx/onnx.h"
#include "zoo/zoo.h"

const char *rp_version(void)
{
    return RP_VERSION;
}

uint64_t rp_memory(void)
{
    return machine_memory();
}

/* ---- Errors ---- */

static int memory_error(const Arena *arena, Err *err)
{
    if (!arena_over_budget(arena))
        return err_set(err, ERR_MEMORY, "out of memory");
    return err_set(err, ERR_BUDGET,
                   "more memory is needed than there may be; %zu MiB were in "
                   "use; raise --max-memory (max_memory)",
                   arena_bytes(arena) >> 20);
}

int api_guard(Arena *arena, Work *work, void *context, Err *err)
{
    if (!ARENA_GUARD(arena)) {
        arena_unguard(arena);
        return memory_error(arena, err);
    }
    int status = work(context, err);
    arena_unguard(arena);
    return status;
}

/* A message is one line, whatever names a file put into it. */
static void copy_line(char *to, size_t size, const char *from)
{
    size_t length = strnlen(from, size - 1);
    for (size_t i = 0; i < length; i++)
        to[i] = (unsigned char)from[i] < ' ' ? ' ' : from[i];
    to[length] = '\0';
}

int api_fail(rp_error *error, Err *err, const char *where)
{
    if (!error)
        return -1;
    if (where)
        err_about(err, where);
    error->code = err_name(err->code);
    copy_line(error->where, sizeof error->where, err->file);
    copy_line(error->message, sizeof error->message, err->message);
    return -1;
}

int api_run_model(rp_model *model, Work *work, void *context, const char *where,
                  rp_error *error)
{
    Err err = {0};
    if (model->broken)
        err_set(&err, ERR_USAGE, "an earlier rp_fold of this model failed");
    else if (api_guard(model->arena, work, context, &err) == 0)
        return 0;
    return api_fail(error, &err, where);
}

int api_on_model(rp_model *model, Work *work, void *context, const char *where,
                 rp_error *error)
{
    arena_bound(model->arena, model->model->memory_bound);
    int status = api_run_model(model, work, context, where, error);
    arena_bound(model->arena, 0);
    return status;
}

void *api_result(size_t budget, size_t size)
{
    Arena *arena = arena_new(budget);
    Arena **result = arena ? arena_alloc(arena, size) : NULL;
    if (result)
        *result = arena;
    else
        arena_free(arena);
    return result;
}

size_t api_bound_left(const rp_model *model)
{
    size_t bound = model->model->memory_bound;
    size_t held = arena_bytes(model->arena);
    return bound > held ? bound - held : bound > 0;
}

/* It must not be 0, which would be no bound. */
size_t api_budget_left(const rp_model *a, const rp_model *b)
{
    size_t budget = b->options.max_memory;
    if (budget == 0)
        return 0;
    size_t held = arena_bytes(a->arena);
    if (a != b)
        held += arena_bytes(b->arena);
    return held < budget ? budget - held : 1;
}

double api_seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* ---- Opening and closing ---- */

typedef struct OpenWork {
    rp_model *model;
    const char *path;  /* of a file, or */
    const void *bytes; /* memory */
    size_t size;
    bool only_checkpoint;
    struct External *external; /* of a model that is opened again */
} OpenWork;

static int open_model(const OpenWork *work, Err *err)
{
    rp_model *model = work->model;
    ReadOptions options = {
        .data_dir = model->options.data_dir,
        .external = work->external,
    };
    Span bytes = {work->bytes, work->size};
    if (!work->bytes)
        TRY(import_look(model->arena, model->path, work->only_checkpoint,
                        &bytes, err));
    if (bytes.bytes && checkpoint_is(bytes.bytes, bytes.size))
        return import_model(model, bytes, model->options.import, err);
    if (work->only_checkpoint)
        return err_set(err, ERR_BAD_CHECKPOINT,
                       "neither a PyTorch checkpoint nor .safetensors");
    if (bytes.bytes)
        return model_read_memory(model->arena, bytes.bytes, bytes.size,
                                 model->path, &options, &model->model, err);
    return model_read_file(model->arena, model->path, &options, &model->model,
                           err);
}

static int open_work(void *context, Err *err)
{
    OpenWork *work = context;
    rp_model *model = work->model;
    model->path = arena_strdup(model->arena, work->path);
    TRY(open_model(work, err));
    model->model->freeze_initializers = model->options.freeze_initializers;
    model->model->assume_inference = model->options.assume_inference;
    return 0;
}

/* An empty model in an arena of its own, or NULL. */
static rp_model *model_make(const rp_open_options *options)
{
    rp_open_options chosen = options ? *options : (rp_open_options){0};
    Arena *arena = arena_new(chosen.max_memory);
    rp_model *model = arena ? arena_alloc(arena, sizeof *model) : NULL;
    if (!model) {
        arena_free(arena);
        return NULL;
    }
    model->arena = arena;
    model->origin = model;
    model->options = chosen;
    return model;
}

/* Makes a model and fills it by the work, whose first member is the model. */
static rp_model *model_fill(const rp_open_options *options, Work *fill,
                            rp_model **slot, const char *path, rp_error *error)
{
    Err err = {0};
    rp_model *model = *slot = model_make(options);
    if (model && api_guard(model->arena, fill, slot, &err) == 0)
        return model;
    if (!model)
        err_set(&err, options && options->max_memory ? ERR_BUDGET : ERR_MEMORY,
                "there is no memory to begin with%s",
                options && options->max_memory
                    ? "; raise --max-memory (max_memory)"
                    : "");
    api_fail(error, &err, path);
    rp_close(model);
    return NULL;
}

static rp_model *open_path(const char *path, const rp_open_options *options,
                           bool only_checkpoint, rp_error *error)
{
    OpenWork work = {.path = path, .only_checkpoint = only_checkpoint};
    rp_model *model = model_fill(options, open_work, &work.model, path, error);
    if (model)
        model->is_file = strcmp(path, "-") != 0;
    return model;
}

rp_model *rp_open(const char *path, const rp_open_options *options,
                  rp_error *error)
{
    return open_path(path, options, false, error);
}

rp_model *rp_import(const char *path, const rp_open_options *options,
                    rp_error *error)
{
    return open_path(path, options, true, error);
}

const rp_import_info *rp_imported(const rp_model *model)
{
    return model->imported;
}

rp_model *rp_open_memory(const void *bytes, size_t size, const char *name,
                         const rp_open_options *options, rp_error *error)
{
    OpenWork work = {
        .path = name ? name : "memory",
        .bytes = bytes ? bytes : "",
        .size = bytes ? size : 0,
    };
    return model_fill(options, open_work, &work.model, work.path, error);
}

rp_model *rp_reopen(const rp_model *model, rp_error *error)
{
    const Span file = model->imported ? model->checkpoint : model->model->file;
    OpenWork work = {
        .path = model->path,
        .bytes = file.bytes,
        .size = file.size,
        .external = model->model->external,
    };
    if (file.size == 0) {
        Err err = {0};
        err_set(&err, ERR_USAGE,
                "a generated model has no bytes to open again; save it first");
        api_fail(error, &err, model->path);
        return NULL;
    }
    rp_model *copy =
        model_fill(&model->options, open_work, &work.model, model->path, error);
    if (copy) {
        copy->origin = model->origin;
        copy->model->assume_inference = model->model->assume_inference;
        copy->is_file = model->is_file;
    }
    return copy;
}

int rp_uses_file(const rp_model *model, const char *path)
{
    struct stat status;
    const External *external = model->model->external;
    return external && stat(path, &status) == 0 &&
           external_is(external, &status);
}

void rp_close(rp_model *model)
{
    if (model)
        arena_free(model->arena);
}

/* ---- The generator ---- */

typedef struct SampleWork {
    rp_model *model;
    const rp_sample_options *options;
} SampleWork;

static int sample_work(void *context, Err *err)
{
    SampleWork *work = context;
    rp_model *model = work->model;
    uint64_t seed = work->options->seed ? work->options->seed : 1;
    model->path = arena_strdup(model->arena, work->options->variant);
    return zoo_build(model->arena, work->options,
                     weights_from_seed(model->arena, seed), &model->model, err);
}

rp_model *rp_sample(const rp_sample_options *options, rp_error *error)
{
    SampleWork work = {.options = options};
    return model_fill(NULL, sample_work, &work.model, options->variant, error);
}

const char *const *rp_sample_variants(void)
{
    return zoo_variants;
}

/* ---- Saving ---- */

typedef struct SaveWork {
    rp_model *model;
    const char *path;
    const rp_save_options *options;
    uint8_t *bytes; /* of rp_save_memory */
    size_t size;
} SaveWork;

static int save_work(void *context, Err *err)
{
    SaveWork *work = context;
    SaveOptions options = {
        .input_path = work->model->is_file ? work->model->path : NULL,
        .in_place = work->options->in_place,
        .external = (ExternalData)work->options->external_data,
        .data = &work->model->saved_data,
    };
    return model_save(work->model->model, work->path, &options, err);
}

int rp_save(rp_model *model, const char *path, const rp_save_options *options,
            rp_error *error)
{
    static const rp_save_options defaults;
    SaveWork work = {model, path, options ? options : &defaults, NULL, 0};
    return api_on_model(model, save_work, &work, path, error);
}

const char *rp_saved_data(const rp_model *model)
{
    return model->saved_data;
}

typedef struct WriteWork {
    Arena *arena;
    const char *path;
    const void *bytes;
    size_t size;
} WriteWork;

static int write_work(void *context, Err *err)
{
    WriteWork *work = context;
    return file_save(work->arena, work->path, work->bytes, work->size, err);
}

int rp_write_file(const char *path, const void *bytes, size_t size,
                  rp_error *error)
{
    Err err = {0};
    WriteWork work = {arena_new(0), path, bytes, size};
    int status = -1;
    if (work.arena)
        status = api_guard(work.arena, write_work, &work, &err);
    else
        err_set(&err, ERR_MEMORY, "out of memory");
    arena_free(work.arena);
    return status < 0 ? api_fail(error, &err, path) : 0;
}

void rp_cleanup(void)
{
    save_cleanup();
}

typedef struct MemorySink {
    Sink sink;
    uint8_t *bytes;
    size_t used, size;
} MemorySink;

static int memory_write(Sink *self, const void *bytes, size_t size, Err *err)
{
    MemorySink *memory = (MemorySink *)self;
    if (size > memory->size - memory->used)
        return err_set(err, ERR_INTERNAL, "the model grew while written");
    memcpy(memory->bytes + memory->used, bytes, size);
    memory->used += size;
    return 0;
}

static int save_memory_work(void *context, Err *err)
{
    SaveWork *work = context;
    Model *model = work->model->model;
    TRY(model_written_size(model, &work->size, err));
    TRY(model_check_size(work->size, err));
    work->bytes = arena_block(work->model->arena, work->size, 1);
    MemorySink memory = {{memory_write}, work->bytes, 0, work->size};
    TRY(model_write(model, &memory.sink, err));
    work->size = memory.used;
    return 0;
}

int rp_save_memory(rp_model *model, const void **bytes, size_t *size,
                   rp_error *error)
{
    SaveWork work = {.model = model};
    int status =
        api_on_model(model, save_memory_work, &work, model->path, error);
    *bytes = status < 0 ? NULL : work.bytes;
    *size = status < 0 ? 0 : work.size;
    return status;
}

/* ---- Dumping ---- */

typedef struct DumpWork {
    rp_model *model;
    bool dot;
    Text text;
} DumpWork;

static int dump_work(void *context, Err *err)
{
    DumpWork *work = context;
    Graph *graph = work->model->model->graph;
    work->text.arena = work->model->arena;
    TRY(graph_infer(graph, err));
    if (work->dot)
        graph_dump_dot(graph, &work->text);
    else
        graph_dump_text(graph, &work->text);
    return 0;
}

int rp_dump(rp_model *model, int dot, const char **text, rp_error *error)
{
    DumpWork work = {.model = model, .dot = dot};
    int status = api_on_model(model, dump_work, &work, model->path, error);
    *text = status < 0 ? NULL : work.text.bytes ? work.text.bytes : "";
    return status;
}

/* ---- Folding ---- */

typedef struct FoldWork {
    rp_model *model;
    const rp_fold_options *options;
} FoldWork;

static int fold_work(void *context, Err *err)
{
    FoldWork *work = context;
    rp_fold_options all = {0};
    if (work->model->renamed)
        return err_set(err, ERR_USAGE, "a model after rp_rename cannot fold");
    return model_fold(work->model->model, work->options ? work->options : &all,
                      &work->model->report, err);
}

int rp_fold(rp_model *model, const rp_fold_options *options, rp_error *error)
{
    FoldWork work = {model, options};
    int status = api_on_model(model, fold_work, &work, model->path, error);
    if (status < 0)
        model->broken = true;
    else
        model->folded = true;
    return status;
}

const rp_rule *rp_rules(size_t *count)
{
    *count = RULE_COUNT;
    return rules_all;
}

const rp_fold_record *rp_folds(const rp_model *model, size_t *count)
{
    *count = model->report.fold_count;
    return model->report.folds;
}

const rp_refusal *rp_refusals(const rp_model *model, size_t *count)
{
    *count = model->report.refusal_count;
    return model->report.refusals;
}

/* ---- Verifying ---- */

struct rp_verdict {
    Arena *arena;
    rp_verdict_info info;
};

typedef struct VerifyWork {
    rp_verdict *verdict;
    rp_model *a, *b;
    const rp_verify_options *options;
} VerifyWork;

static int judge_work(void *context, Err *err)
{
    VerifyWork *work = context;
    rp_verify_options options = {0};
    bool folded = work->b->folded && !work->a->folded &&
                  work->a->origin == work->b->origin;
    if (work->options)
        TRY(folders_to_arrays(work->verdict->arena, work->a->model,
                              work->options, &options, err));
    return judge_models(work->verdict->arena, work->a->model, work->b->model,
                        folded, &options, &work->verdict->info, err);
}

rp_verdict *rp_verify(rp_model *a, rp_model *b,
                      const rp_verify_options *options, rp_error *error)
{
    Err err = {0};
    VerifyWork work = {api_result(api_budget_left(a, b), sizeof(rp_verdict)), a,
                       b, options};
    if (a->broken || b->broken)
        err_set(&err, ERR_USAGE, "an earlier rp_fold of this model failed");
    else if (!work.verdict)
        err_set(&err, b->options.max_memory ? ERR_BUDGET : ERR_MEMORY,
                "no memory is left for the verification");
    else if (api_guard(work.verdict->arena, judge_work, &work, &err) == 0)
        return work.verdict;
    api_fail(error, &err, err.model == 1 ? a->path : b->path);
    rp_verdict_free(work.verdict);
    return NULL;
}

const rp_verdict_info *rp_verdict_get(const rp_verdict *verdict)
{
    return &verdict->info;
}

void rp_verdict_free(rp_verdict *verdict)
{
    if (verdict)
        arena_free(verdict->arena);
}
