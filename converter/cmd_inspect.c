#include <string.h>

#include "converter.h"

static int tell(const Options *options, const Report *report)
{
    if (!options->quiet)
        text_inspect(report_stream(options), report->before);
    return reports_write(options, report);
}

static int run(const Options *options)
{
    rp_error error = {0};
    Report report = {
        .command = "inspect", .input = options->files.items[0], .ok = true};
    rp_model *model = open_model(options, report.input, &error);
    int failed = !model || rp_summarize(model, &report.before, &error) < 0;
    if (model)
        report_source(options, model, report.input_digest);
    int status = failed ? trouble(options, &error) : tell(options, &report);
    rp_close(model);
    return status;
}

const Verb verb_inspect = {
    .name = "inspect",
    .bit = VERB_INSPECT,
    .min_files = 1,
    .max_files = 1,
    .arguments = "IN.onnx [OPTION ...]",
    .summary = "what a model is made of",
    .text =
        "Prints inputs, outputs, opset, producer, parameters, "
        "multiply-accumulates (of\n"
        "Conv, ConvTranspose, Gemm and MatMul), operators, a table by spatial "
        "size, and\n"
        "the blocks that are recognised by their structure: RepMixer, "
        "MobileOne,\n"
        "large-kernel, CPE, ConvFFN, attention and SE.\n"
        "\n"
        "  repfold inspect model.onnx\n"
        "  repfold inspect model.onnx -q --json - | "
        "jq .model.operators.Conv\n"
        "\n"
        "Exit status: 0 done; 2 trouble.",
    .run = run,
};
