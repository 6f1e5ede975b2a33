#include "converter.h"

static void tell(const Options *options, const rp_import_info *info)
{
    FILE *stream = report_stream(options);
    if (options->quiet)
        return;
    fprintf(stream, "%s", info->format);
    if (info->key[0]) {
        fputs(", ", stream);
        print_escaped(stream, info->key);
    }
    fprintf(stream, ": %s%s, %zu tensors, %zu not used\n", info->variant,
            info->deploy ? ", already reparameterized" : "", info->tensors,
            info->unused);
}

static int run(const Options *options)
{
    rp_error error = {0};
    int status = output_needed(options);
    if (status)
        return status;
    rp_import_options how = import_options(options);
    rp_open_options open = {.max_memory = options->max_memory, .import = &how};
    rp_save_options saving = save_options(options);
    Progress progress;
    progress_start(&progress, options);
    rp_model *model = rp_import(options->files.items[0], &open, &error);
    int failed = !model || rp_save(model, options->output, &saving, &error) < 0;
    progress_end(&progress);
    if (failed)
        status = trouble(options, &error);
    else
        tell(options, rp_imported(model));
    if (!failed)
        status = json_made(options, model);
    rp_close(model);
    return status;
}

const Verb verb_import = {
    .name = "import",
    .bit = VERB_IMPORT,
    .min_files = 1,
    .max_files = 1,
    .arguments = "CHECKPOINT -o OUT.onnx [OPTION ...]",
    .summary = "write the network that a PyTorch checkpoint is of",
    .text =
        "Reads what torch.save wrote, or .safetensors, and executes nothing "
        "in it. The\n"
        "network is recognised from the tensors' names and shapes: FastViT, "
        "MobileOne or\n"
        "RepVGG, of any width, in training form or already reparameterized. "
        "All other\n"
        "commands take a checkpoint where they take a model, too.\n"
        "\n"
        "  repfold import fastvit_sa12.pth.tar -o train.onnx\n"
        "  repfold import backbone.safetensors --dense --size 512 -o "
        "train.onnx\n"
        "  repfold convert fastvit_sa12.pth.tar -o deploy.onnx\n"
        "\n"
        "Exit status: 0 written; 2 trouble, such as tensors that are missing.",
    .run = run,
};
