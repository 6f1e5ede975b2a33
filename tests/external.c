#include "external.h"

#include <string.h>

const float four_numbers[4] = {1, 2, 3, 4};

static const int64_t two[] = {2};

static void put_entry(Proto *tensor, const char *key, const char *value)
{
    Proto entry = {.size = 0};
    if (!value)
        return;
    proto_text(&entry, 1, key);
    proto_text(&entry, 2, value);
    proto_message(tensor, 13, &entry);
}

void external_tensor(Proto *tensor, const char *name, int64_t count,
                     const Entries *entries)
{
    *tensor = (Proto){.size = 0};
    proto_int(tensor, 1, (uint64_t)count);
    proto_int(tensor, 2, DT_FLOAT);
    proto_text(tensor, 8, name);
    put_entry(tensor, "location", entries->location);
    put_entry(tensor, "offset", entries->offset);
    put_entry(tensor, "length", entries->length);
    put_entry(tensor, "checksum", entries->checksum);
    proto_int(tensor, 14, 1);
}

const char *external_model(const Proto *w)
{
    static const float values[] = {7, 8};
    Proto graph = {.size = 0}, file, own;
    if (!w) {
        external_tensor(&own, "w", 2, &(Entries){.location = "w.bin"});
        put_bytes(in_folder("w.bin"), values, sizeof values);
        w = &own;
    }
    proto_node(&graph, "Add", "x w", "a");
    proto_node(&graph, "Relu", "a", "y");
    proto_message(&graph, 5, w);
    proto_input(&graph, "x", 1, two);
    proto_output(&graph, "y", 1, two);
    proto_model(&file, &graph);
    const char *path = in_folder("in.onnx");
    put_bytes(path, file.bytes, file.size);
    return path;
}

Model *external_read(const char *path)
{
    Model *model;
    Err err = {0};
    int status = model_read_file(arena, path, NULL, &model, &err);
    ck_assert_msg(status == 0, "%s", err.message);
    return model;
}

void external_refused(const char *path, const char *why)
{
    Model *model;
    Err err = {0};
    int status = model_read_file(arena, path, NULL, &model, &err);
    ck_assert_msg(status == -1, "not refused: %s", why);
    ck_assert_msg(err.code == ERR_EXTERNAL_DATA, "%s", err.message);
    ck_assert_str_eq(err.file, path);
    ck_assert_msg(strstr(err.message, "initializer \"w\""), "%s", err.message);
    ck_assert_msg(strstr(err.message, why) != NULL, "%s", err.message);
}

const char *model_with(const Entries *entries)
{
    Proto w;
    external_tensor(&w, "w", 2, entries);
    return external_model(&w);
}

void put_numbers(const char *name)
{
    put_bytes(in_folder(name), four_numbers, sizeof four_numbers);
}

void check_w(const Model *model, double a, double b)
{
    double values[2];
    const Tensor *w = find_initializer(model->graph, "w")->tensor;
    ck_assert(w->is_external);
    tensor_read_f64(w, 0, 2, values);
    ck_assert(values[0] == a && values[1] == b);
}
