#include "zoo/byob.h"

const Spelling byob_spellings[] = {{NULL, NULL}};
const char *const byob_classifier[] = {"head.", NULL};

Feature byob_activate(Net *net, Scope scope, Feature x, int64_t reduced)
{
    if (reduced > 0)
        x = block_squeeze_excite(net, scope_child(net, scope, "attn"), x,
                                 reduced);
    return block_relu(net, scope_child(net, scope, "act"), x);
}

Scope byob_block_scope(Net *net, int stage, int number)
{
    return scope_nested(net, scope_item(net, scope_root(), "stages", stage),
                        number);
}

int byob_widths(Net *net, int stem, const int *widths, int64_t *out)
{
    int all[1 + BYOB_STAGES] = {stem};
    for (int i = 0; i < BYOB_STAGES; i++)
        all[i + 1] = widths[i];
    if (net->options.dense)
        return err_set(net->err, ERR_USAGE,
                       "only FastViT can be built without its classifier");
    return net_scale_widths(net, all, 1 + BYOB_STAGES, out);
}

void byob_head(Net *net, Feature x)
{
    int64_t classes = net->options.classes;
    Value *logits = block_classifier(
        net, scope_child(net, scope_root(), "head"), x, classes, "logits");
    net_output(net, logits, 2, (int64_t[]){1, classes});
}

bool byob_measure(const Keys *keys, const char *branch, int *stem, int *widths,
                  int *depths)
{
    const int64_t *kernel = keys_kernel(keys, "stem", branch);
    if (!kernel)
        return false;
    *stem = (int)kernel[0];
    for (int i = 0; i < BYOB_STAGES; i++) {
        const char *stage = arena_printf(keys->arena, "stages.%d.", i);
        depths[i] = keys_depth(keys, stage);
        const char *last =
            arena_printf(keys->arena, "%s%d", stage, depths[i] - 1);
        kernel = keys_kernel(keys, last, branch);
        if (depths[i] == 0 || !kernel)
            return false;
        widths[i] = (int)kernel[0];
    }
    return true;
}
