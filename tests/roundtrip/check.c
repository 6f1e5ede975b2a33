#include "check.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "../fuzz/model.h"
#include "fold/fold.h"
#include "onnx/onnx.h"

void roundtrip_touch(Graph *graph)
{
    graph->changed = true;
    for (size_t i = 0; i < graph->node_count; i++) {
        const Node *node = graph->nodes[i];
        for (int k = 0; k < node->attr_count; k++) {
            size_t count;
            Graph *const *graphs = attr_graphs(&node->attrs[k], &count);
            for (size_t j = 0; j < count; j++)
                roundtrip_touch(graphs[j]);
        }
    }
}

static bool is_same(Arena *arena, const Model *model, const char *path,
                    const char *how)
{
    Span bytes;
    Err err = {0};
    if (fuzz_write(arena, model, &bytes, &err) < 0) {
        printf("%s, %s: %s\n", path, how, err.message);
        return false;
    }
    if (bytes.size == model->file.size &&
        memcmp(bytes.bytes, model->file.bytes, bytes.size) == 0)
        return true;
    printf("%s, %s: differs\n", path, how);
    return false;
}

static bool check_model(Arena *arena, const char *path, RoundTrips *trips)
{
    Model *model;
    Err err = {0};
    FoldReport report = {0};
    rp_fold_options all = {.threads = 1};
    if (model_read_file(arena, path, NULL, &model, &err) < 0) {
        printf("%s: %s\n", path, err.message);
        return false;
    }
    bool same = is_same(arena, model, path, "copied");
    if (model_fold(model, &all, &report, &err) < 0) {
        printf("%s, folded: %s\n", path, err.message);
        return false;
    }
    trips->folded += report.fold_count > 0;
    if (report.fold_count == 0)
        same = is_same(arena, model, path, "folded") && same;
    Model *parts;
    if (model_read_file(arena, path, NULL, &parts, &err) < 0)
        return false;
    roundtrip_touch(parts->graph);
    return is_same(arena, parts, path, "part by part") && same;
}

static void check_file(const char *path, RoundTrips *trips)
{
    const char *dot = strrchr(path, '.');
    if (!dot || strcmp(dot, ".onnx") != 0)
        return;
    Arena *arena = arena_new(0);
    trips->models++;
    trips->same += check_model(arena, path, trips);
    arena_free(arena);
}

bool roundtrip_folder(const char *folder, RoundTrips *trips)
{
    char path[4096];
    struct stat status;
    DIR *open_folder = opendir(folder);
    if (!open_folder)
        return false;
    for (struct dirent *entry; (entry = readdir(open_folder));) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] == '.' || stat(path, &status) < 0)
            continue;
        if (S_ISDIR(status.st_mode))
            roundtrip_folder(path, trips);
        else
            check_file(path, trips);
    }
    closedir(open_folder);
    return true;
}
