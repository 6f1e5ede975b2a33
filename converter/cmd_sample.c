#include "converter.h"

static int run(const Options *options)
{
    rp_error error = {0};
    rp_sample_options how = {
        .variant = options->files.items[0],
        .width_mult = options->width_mult,
        .size = (int)options->size,
        .classes = (int)options->classes,
        .dense = options->dense,
        .dynamic = options->dynamic,
        .dtype = options->dtype,
        .seed = options->seed,
    };
    int status = output_needed(options);
    if (status)
        return status;
    rp_save_options saving = save_options(options);
    Progress progress;
    progress_start(&progress, options);
    progress_show(&progress, "generate", -1);
    rp_model *model = rp_sample(&how, &error);
    if (!model || rp_save(model, options->output, &saving, &error) < 0)
        status = trouble(options, &error);
    progress_end(&progress);
    if (status == 0)
        status = json_made(options, model);
    rp_close(model);
    return status;
}

const Verb verb_sample = {
    .name = "sample",
    .bit = VERB_SAMPLE,
    .min_files = 1,
    .max_files = 1,
    .arguments = "VARIANT -o OUT.onnx [OPTION ...]",
    .summary = "write a network in training form with random weights",
    .text =
        "VARIANT is fastvit_t8, fastvit_t12, fastvit_s12, fastvit_sa12, "
        "fastvit_sa24,\n"
        "fastvit_sa36, fastvit_ma36, mobileone_s0 to _s4 or repvgg_a0 to "
        "_d2se. Weights,\n"
        "statistics and layer scales are random, so that a wrong fold shows; "
        "the same\n"
        "seed gives the same file.\n"
        "\n"
        "  repfold sample fastvit_t8 -o train.onnx\n"
        "  repfold sample fastvit_sa12 --dense --dtype float16 -o sa12.onnx\n"
        "\n"
        "Exit status: 0 written; 2 trouble.",
    .run = run,
};
