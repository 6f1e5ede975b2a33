#include <string.h>

#include "converter.h"

static void print_bench(FILE *stream, const rp_bench_info *info)
{
    fprintf(stream, "median %.3f ms, best %.3f ms, %s MAC/s\n", info->median_ms,
            info->min_ms, format_large(info->macs_per_s));
    fprintf(stream, "%.1f MB at once, for %.1f MB of tensors alive together\n",
            (double)info->peak_bytes / 1e6, (double)info->live_bytes / 1e6);
    for (size_t i = 0; i < info->operator_count; i++) {
        fprintf(stream, "%10.3f ms  ", info->operators[i].median_ms);
        print_escaped(stream, info->operators[i].op);
        fprintf(stream, " x%zu\n", info->operators[i].count);
    }
}

static int run(const Options *options)
{
    rp_error error = {0};
    const rp_bench_info *info = NULL;
    rp_bench_options how = {
        .runs = (int)options->runs,
        .f64 = runs_f64(options, false),
        .threads = (int)options->threads,
        .input_shapes = options->shapes.items,
        .input_shape_count = options->shapes.count,
    };
    Progress progress;
    progress_start(&progress, options);
    rp_model *model = open_model(options, options->files.items[0], &error);
    char digest[RP_DIGEST_SIZE] = "";
    int status;
    progress_show(&progress, "bench", -1);
    if (model)
        report_source(options, model, digest);
    int failed = !model || rp_bench(model, &how, &info, &error) < 0;
    progress_end(&progress);
    if (failed) {
        status = trouble(options, &error);
    } else {
        if (!options->quiet)
            print_bench(report_stream(options), info);
        status = json_bench(options, digest, info);
    }
    rp_close(model);
    return status;
}

const Verb verb_bench = {
    .name = "bench",
    .bit = VERB_BENCH,
    .min_files = 1,
    .max_files = 1,
    .arguments = "IN.onnx [OPTION ...]",
    .summary = "time the reference executor, in all and per operator",
    .text =
        "Runs the model on random inputs several times, after one run that "
        "does not\n"
        "count, and prints the median and the best time, the memory that a "
        "run holds\n"
        "beside the weights, and the median per operator; Conv+Relu are nodes "
        "that run\n"
        "as one.\n"
        "\n"
        "  repfold bench model.onnx --runs 20 --threads 1\n"
        "  repfold bench model.onnx -q --json - | jq .median_ms\n"
        "\n"
        "Exit status: 0 done; 2 trouble.",
    .run = run,
};
