/* From the command line's options to the library's. */
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "converter.h"

/* -v: each tensor that does not fit. */
static void show_mismatch(void *context, const char *line)
{
    const Options *options = context;
    if (!options->verbose)
        return;
    print_escaped(stderr, line);
    fputc('\n', stderr);
}

bool runs_f64(const Options *options, bool otherwise)
{
    return options->precision ? strcmp(options->precision, "f64") == 0
                              : otherwise;
}

rp_import_options import_options(const Options *options)
{
    return (rp_import_options){
        .key = options->key,
        .variant = options->variant,
        .size = (int)options->size,
        .dense = options->dense,
        .dynamic = options->dynamic,
        .dtype = options->dtype,
        .mismatch = show_mismatch,
        .mismatch_context = (void *)options,
    };
}

rp_model *open_model(const Options *options, const char *path, rp_error *error)
{
    rp_import_options import = import_options(options);
    rp_open_options open = {
        .import = &import,
        .max_memory = options->max_memory,
        .freeze_initializers = options->freeze_initializers,
        .assume_inference = options->assume_inference,
        .data_dir = options->external_dir,
    };
    rp_model *model = rp_open(path, &open, error);
    if (!model || weights_spared(options, model, error) == 0)
        return model;
    rp_close(model);
    return NULL;
}

rp_save_options save_options(const Options *options)
{
    const char *external = options->external_data;
    return (rp_save_options){
        .in_place = options->in_place,
        .external_data = !external || strcmp(external, "auto") == 0
                             ? RP_EXTERNAL_AUTO
                         : strcmp(external, "never") == 0 ? RP_EXTERNAL_NEVER
                                                          : RP_EXTERNAL_ALWAYS,
    };
}

rp_fold_options fold_options(const Options *options, Progress *progress)
{
    return (rp_fold_options){
        .only = options->only,
        .skip = options->skip,
        .enable = options->enable,
        .stop_after = (int)options->stop_after,
        .stop_after_pass = options->dump_after,
        .assume_inference = options->assume_inference,
        .allow_cost = options->allow_cost,
        .inline_functions = options->inline_functions,
        .threads = (int)options->threads,
        .progress = progress_show,
        .progress_context = progress,
    };
}

rp_verify_options verify_options(const Options *options, const Images *images,
                                 Progress *progress)
{
    return (rp_verify_options){
        .samples = (int)options->samples,
        .seed = options->seed,
        .threads = (int)options->threads,
        .roundings = (int)options->roundings,
        .shard = (int)options->shard_index,
        .shards = (int)options->shard_count,
        .skip_f32 = runs_f64(options, false),
        .input_shapes = options->shapes.items,
        .input_shape_count = options->shapes.count,
        .input_files = options->inputs.items,
        .input_file_count = options->inputs.count,
        .data_dirs = options->data_dirs.items,
        .data_dir_count = options->data_dirs.count,
        .arrays = images->arrays,
        .array_count = images->array_count,
        .progress = progress_show,
        .progress_context = progress,
    };
}

/* glibc gives a large block straight back to the system, which clears it when
 * it is asked for again: a tenth of the time of a verification. */
void keep_memory(void)
{
#ifdef __GLIBC__
    enum { LARGE = 1 << 30 };
    mallopt(M_MMAP_THRESHOLD, LARGE);
    mallopt(M_TRIM_THRESHOLD, LARGE);
#endif
}
