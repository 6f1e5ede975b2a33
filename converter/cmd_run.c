#include <string.h>

#include "converter.h"

static int tell(const Options *options, const rp_run_result *result)
{
    bool matched = !options->data_dir || result->matched;
    FILE *stream = report_stream(options);
    if (!options->quiet && !matched) {
        fputs("differs: ", stream);
        print_escaped(stream, result->mismatch);
        fputc('\n', stream);
    } else if (!options->quiet) {
        fprintf(stream, "%s in %.3f s\n",
                options->data_dir ? "every output matches" : "ran",
                result->seconds);
    }
    int status = json_run(options, result);
    return status ? status : matched ? YES : NO;
}

static int check(const Options *options)
{
    if (options->data_dir && (options->inputs.count || options->outputs.count ||
                              options->shapes.count))
        return trouble_say(options, "usage", "",
                           "--data brings inputs and outputs of its own");
    if (!options->data_dir && (options->rtol > 0 || options->atol > 0))
        return trouble_say(options, "usage", "",
                           "--rtol and --atol go with --data");
    for (size_t i = 0; i < options->outputs.count; i++) {
        const char *pair = options->outputs.items[i], *file = file_part(pair);
        int status = file > pair ? output_check(options, file) : 0;
        if (status)
            return status;
    }
    return 0;
}

static int run(const Options *options)
{
    rp_error error = {0};
    rp_run_result result = {0};
    int status = check(options);
    if (status)
        return status;
    rp_run_options how = {
        .f64 = runs_f64(options, true),
        .threads = (int)options->threads,
        .inputs = options->inputs.items,
        .input_count = options->inputs.count,
        .outputs = options->outputs.items,
        .output_count = options->outputs.count,
        .input_shapes = options->shapes.items,
        .input_shape_count = options->shapes.count,
        .data_dir = options->data_dir,
        .rtol = options->rtol,
        .atol = options->atol,
    };
    Progress progress;
    progress_start(&progress, options);
    rp_model *model = open_model(options, options->files.items[0], &error);
    progress_show(&progress, "run", -1);
    int failed = !model || rp_run(model, &how, &result, &error) < 0;
    progress_end(&progress);
    status = failed ? trouble(options, &error) : tell(options, &result);
    rp_close(model);
    return status;
}

const Verb verb_run = {
    .name = "run",
    .bit = VERB_RUN,
    .min_files = 1,
    .max_files = 1,
    .arguments = "IN.onnx --input NAME=FILE.npy --output NAME=FILE.npy ...",
    .summary = "run a model with the reference executor",
    .text =
        "Reads inputs from .npy files, runs the model on them and writes the "
        "outputs\n"
        "named. With --data it runs a folder of the ONNX backend test format "
        "instead and\n"
        "compares every output.\n"
        "\n"
        "  repfold run m.onnx --input x=x.npy --output y=y.npy\n"
        "  repfold run m.onnx --input-shape x:1,3,320,320\n"
        "  repfold run m.onnx --data test_data_set_0 --rtol 1e-5\n"
        "\n"
        "Exit status: 0 ran, and with --data every output matched; 1 an "
        "output differed;\n"
        "2 trouble.",
    .run = run,
};
