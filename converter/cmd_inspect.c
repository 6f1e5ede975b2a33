#include <string.h>

#include "converter.h"

static int tell(const Options *options, const rp_summary *summary)
{
    Report report = {
        .command = "inspect",
        .input = options->files.items[0],
        .before = summary,
        .ok = true,
    };
    if (!options->quiet)
        text_inspect(report_stream(options), summary);
    return json_report(options, &report);
}

static int run(const Options *options)
{
    rp_error error = {0};
    const rp_summary *summary;
    rp_model *model = open_model(options, options->files.items[0], &error);
    int failed = !model || rp_summarize(model, &summary, &error) < 0;
    int status = failed ? trouble(options, &error) : tell(options, summary);
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
