/* Saving models whose weights are in other files, and compressed ones. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/inflate.h"
#include "child.h"
#include "external.h"
#include "onnx/extdata.h"
#include "suites.h"

enum { BIG = 20000, MEDIUM = 500, SMALL = 2 }; /* elements */

static Value *add_weight(Model *model, const char *name, int64_t count)
{
    Tensor *tensor;
    Err err = {0};
    float *values = arena_alloc(arena, (size_t)count * sizeof *values);
    for (int64_t i = 0; i < count; i++)
        values[i] = (float)(i + name[0]);
    ck_assert_int_eq(tensor_new(arena, DT_FLOAT, 1, &count, values,
                                (size_t)count * sizeof *values, &tensor, &err),
                     0);
    return graph_add_initializer(model->graph, name, tensor);
}

static void add_output(Model *model, Value *weight, const char *name)
{
    Value *y = graph_value(model->graph, name);
    graph_add_node(model->graph,
                   node_new(model->graph, OP_Relu, "", &weight, 1, &y, 1));
    graph_add_output(model->graph, y);
}

/* Three weights, from 8 bytes to 80,000. */
static Model *new_model(void)
{
    Model *model = model_new(arena);
    model->graph = graph_new(model, NULL);
    model->graph->name = "g";
    model->ir_version = 8;
    model->opset = 17;
    add_output(model, add_weight(model, "medium", MEDIUM), "m");
    add_output(model, add_weight(model, "big", BIG), "b");
    add_output(model, add_weight(model, "small", SMALL), "s");
    return model;
}

/* All weights are what they were made as; their number is given. */
static void check_weights(const Model *model, size_t external)
{
    static const struct {
        const char *name;
        int64_t count;
    } weights[] = {{"medium", MEDIUM}, {"big", BIG}, {"small", SMALL}};
    size_t outside = 0;
    for (int k = 0; k < 3; k++) {
        double *values = arena_array(arena, BIG, sizeof *values);
        const Tensor *tensor =
            find_initializer(model->graph, weights[k].name)->tensor;
        ck_assert_int_eq(tensor->count, weights[k].count);
        tensor_read_f64(tensor, 0, tensor->count, values);
        for (int64_t i = 0; i < tensor->count; i++)
            ck_assert(values[i] == (double)(i + weights[k].name[0]));
        outside += tensor->is_external;
    }
    ck_assert_uint_eq(outside, external);
}

static void save_ok(const Model *model, const char *path, ExternalData external)
{
    Err err = {0};
    SaveOptions options = {.input_path = model->path, .external = external};
    int status = model_save(model, path, &options, &err);
    ck_assert_msg(status == 0, "%s", err.message);
}

static void save_fails(const Model *model, const char *path, ErrCode code,
                       const char *why)
{
    Err err = {0};
    SaveOptions options = {.input_path = model->path};
    ck_assert_int_eq(model_save(model, path, &options, &err), -1);
    ck_assert_msg(err.code == code, "%s", err.message);
    ck_assert_msg(strstr(err.message, why) != NULL, "%s", err.message);
}

/* A file that has data outside, read. */
static Model *outside_model(void)
{
    save_ok(new_model(), in_folder("in.onnx"), EXTERNAL_ALWAYS);
    return external_read(in_folder("in.onnx"));
}

static const DataFile *data_file(const Model *model)
{
    const DataFile *file = model->external->files;
    ck_assert_ptr_nonnull(file);
    ck_assert_ptr_null(file->next);
    return file;
}

START_TEST(big_weights_go_outside)
{
    const Model *model = outside_model();
    check_weights(model, 2);
    const DataFile *file = data_file(model);
    /* The name tells what is in it. */
    uint32_t crc = crc_add(0, file->bytes.bytes, file->bytes.size);
    ck_assert_str_eq(file->location,
                     arena_printf(arena, "in.onnx.%08x.data", crc));
    ck_assert_int_eq(count_files(), 2);
    /* What a runtime may map begins at a page. */
    const Tensor *big = find_initializer(model->graph, "big")->tensor;
    ck_assert_uint_eq(
        (size_t)((const uint8_t *)big->data - file->bytes.bytes) % 4096, 0);
    ck_assert_uint_eq(file->bytes.size, 4096 + BIG * sizeof(float));
}
END_TEST

START_TEST(data_come_back_into_the_model)
{
    const Model *model = outside_model();
    save_ok(model, in_folder("one.onnx"), EXTERNAL_NEVER);
    ck_assert_int_eq(count_files(), 3);
    ck_assert_int_eq(unlink(in_folder(data_file(model)->location)), 0);
    Model *again = external_read(in_folder("one.onnx"));
    check_weights(again, 0);
    ck_assert_ptr_null(again->external->files);
    /* And out again, from what a file holds. */
    save_ok(again, in_folder("in.onnx"), EXTERNAL_ALWAYS);
    check_weights(external_read(in_folder("in.onnx")), 2);
}
END_TEST

START_TEST(a_stream_has_its_data_inside)
{
    const Model *model = outside_model();
    Span bytes = model_bytes(model);
    Model *again;
    Err err = {0};
    ck_assert_int_eq(model_read_memory(arena, bytes.bytes, bytes.size, "m",
                                       NULL, &again, &err),
                     0);
    check_weights(again, 0);
    save_ok(model, "/dev/null", EXTERNAL_ALWAYS);
    ck_assert_int_eq(count_files(), 2);
}
END_TEST

START_TEST(small_models_stay_in_one_file)
{
    save_ok(new_model(), in_folder("in.onnx"), EXTERNAL_AUTO);
    check_weights(external_read(in_folder("in.onnx")), 0);
    ck_assert_int_eq(count_files(), 1);
}
END_TEST

/* ---- Unchanged ---- */

START_TEST(an_unchanged_model_keeps_its_data_file)
{
    const Model *model = outside_model();
    save_ok(model, in_folder("out.onnx"), EXTERNAL_AUTO);
    check_same_bytes(get_file(in_folder("out.onnx")), model->file);
    ck_assert_int_eq(count_files(), 3);
    check_weights(external_read(in_folder("out.onnx")), 2);
}
END_TEST

START_TEST(an_unchanged_models_data_go_with_it)
{
    const Model *model = outside_model();
    const char *location = data_file(model)->location;
    const char *copy = in_folder(arena_printf(arena, "sub/%s", location));
    ck_assert_int_eq(mkdir(in_folder("sub"), 0777), 0);
    for (int i = 0; i < 2; i++) {
        save_ok(model, in_folder("sub/out.onnx"), EXTERNAL_AUTO);
        check_same_bytes(get_file(in_folder("sub/out.onnx")), model->file);
        check_same_bytes(get_file(copy), get_file(in_folder(location)));
        check_weights(external_read(in_folder("sub/out.onnx")), 2);
    }
    /* Another file of that name is not touched, and neither is the model. */
    put_file(copy, "something else");
    put_file(in_folder("sub/out.onnx"), "old");
    save_fails(model, in_folder("sub/out.onnx"), ERR_EXTERNAL_DATA,
               "is another file");
    check_file(copy, "something else");
    check_file(in_folder("sub/out.onnx"), "old");
}
END_TEST

START_TEST(data_files_may_be_in_folders)
{
    Proto w;
    float values[2] = {7, 8};
    external_tensor(&w, "w", 2, &(Entries){.location = "a/b/w.bin"});
    ck_assert_int_eq(mkdir(in_folder("a"), 0777), 0);
    ck_assert_int_eq(mkdir(in_folder("a/b"), 0777), 0);
    put_bytes(in_folder("a/b/w.bin"), values, sizeof values);
    const Model *model = external_read(external_model(&w));
    ck_assert_int_eq(mkdir(in_folder("sub"), 0777), 0);
    save_ok(model, in_folder("sub/out.onnx"), EXTERNAL_AUTO);
    check_same_bytes(get_file(in_folder("sub/a/b/w.bin")),
                     get_file(in_folder("a/b/w.bin")));
    /* But no link leads the way to them. */
    ck_assert_int_eq(mkdir(in_folder("other"), 0777), 0);
    ck_assert_int_eq(symlink("../a", in_folder("other/a")), 0);
    save_fails(model, in_folder("other/out.onnx"), ERR_IO,
               "cannot open the folder of its data");
}
END_TEST

/* What was made before it is known that the model cannot be written goes. */
START_TEST(folders_that_were_made_go_with_it)
{
    Proto w, other, graph = {.size = 0}, file;
    static const char *const folders[] = {"a", "a/b", "far", "far/keep"};
    external_tensor(&w, "w", 2, &(Entries){.location = "a/b/w.bin"});
    external_tensor(&other, "other", 2, &(Entries){.location = "other.bin"});
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        ck_assert_int_eq(mkdir(in_folder(folders[i]), 0777), 0);
    put_file(in_folder("a/b/w.bin"), "12345678");
    put_file(in_folder("other.bin"), "12345678");
    put_file(in_folder("far/other.bin"), "in the way");
    proto_node(&graph, "Add", "w other", "y");
    proto_message(&graph, 5, &w);
    proto_message(&graph, 5, &other);
    proto_output(&graph, "y", 1, (const int64_t[]){2});
    proto_model(&file, &graph);
    put_bytes(in_folder("in.onnx"), file.bytes, file.size);
    const Model *model = external_read(in_folder("in.onnx"));
    save_fails(model, in_folder("far/out.onnx"), ERR_EXTERNAL_DATA,
               "which is another file");
    ck_assert_int_lt(access(in_folder("far/a"), F_OK), 0);
    ck_assert_int_eq(access(in_folder("far/keep"), F_OK), 0);
    ck_assert_int_eq(mkdir(in_folder("far/a"), 0777), 0);
    save_fails(model, in_folder("far/out.onnx"), ERR_EXTERNAL_DATA,
               "which is another file");
    ck_assert_int_lt(access(in_folder("far/a/b"), F_OK), 0);
    ck_assert_int_eq(access(in_folder("far/a"), F_OK), 0);
    ck_assert_int_eq(unlink(in_folder("far/other.bin")), 0);
    save_ok(model, in_folder("far/out.onnx"), EXTERNAL_AUTO);
    check_file(in_folder("far/a/b/w.bin"), "12345678");
}
END_TEST

/* ---- Changed ---- */

START_TEST(a_changed_model_gets_a_data_file_of_its_own)
{
    Model *model = outside_model();
    const char *old = data_file(model)->location;
    Span bytes = get_file(in_folder(old));
    model->path = in_folder("in.onnx");
    add_output(model, add_weight(model, "new", MEDIUM), "n");
    model->graph->changed = true;
    Err err = {0};
    SaveOptions options = {.input_path = model->path, .in_place = true};
    ck_assert_int_eq(model_save(model, model->path, &options, &err), 0);
    Model *again = external_read(model->path);
    check_weights(again, 2);
    ck_assert(find_initializer(again->graph, "new")->tensor->is_external);
    ck_assert_str_ne(data_file(again)->location, old);
    check_same_bytes(get_file(in_folder(old)), bytes);
    ck_assert_int_eq(count_files(), 3);
}
END_TEST

START_TEST(equal_elements_are_written_once)
{
    Model *model = outside_model();
    size_t before = data_file(model)->bytes.size;
    Tensor *big = find_initializer(model->graph, "big")->tensor;
    add_output(model, graph_add_initializer(model->graph, "again", big), "n");
    model->graph->changed = true;
    save_ok(model, in_folder("out.onnx"), EXTERNAL_AUTO);
    Model *saved = external_read(in_folder("out.onnx"));
    check_weights(saved, 2);
    ck_assert_uint_eq(data_file(saved)->bytes.size, before);
    ck_assert_ptr_eq(find_initializer(saved->graph, "again")->tensor->data,
                     find_initializer(saved->graph, "big")->tensor->data);
}
END_TEST

/* Two weights that share a part of the file get bytes of their own. */
START_TEST(overlapping_elements_are_written_apart)
{
    enum { PART = 400 };
    Proto graph = {.size = 0}, file, w;
    float values[PART + 1];
    for (int i = 0; i <= PART; i++)
        values[i] = (float)i;
    put_bytes(in_folder("n.bin"), values, sizeof values);
    external_tensor(&w, "a", PART, &(Entries){"n.bin", "0", "1600", NULL});
    proto_message(&graph, 5, &w);
    external_tensor(&w, "b", PART, &(Entries){"n.bin", "4", "1600", NULL});
    proto_message(&graph, 5, &w);
    proto_node(&graph, "Add", "a b", "y");
    proto_output(&graph, "y", 1, (const int64_t[]){PART});
    proto_model(&file, &graph);
    put_bytes(in_folder("in.onnx"), file.bytes, file.size);
    Model *model = external_read(in_folder("in.onnx"));
    model->graph->changed = true;
    save_ok(model, in_folder("out.onnx"), EXTERNAL_AUTO);
    Model *saved = external_read(in_folder("out.onnx"));
    ck_assert_uint_eq(data_file(saved)->bytes.size, 1600 + 1600);
    ck_assert_mem_eq(find_initializer(saved->graph, "a")->tensor->data, values,
                     1600);
    ck_assert_mem_eq(find_initializer(saved->graph, "b")->tensor->data,
                     values + 1, 1600);
}
END_TEST

START_TEST(an_attributes_tensor_moves_too)
{
    Proto w, extra = {.size = 0}, graph, file;
    static float values[300];
    values[299] = 9;
    external_tensor(&w, "", 300, &(Entries){.location = "w.bin"});
    put_bytes(in_folder("w.bin"), values, sizeof values);
    put_attribute(&extra, "value", 5, w.bytes, w.size, ATTR_TENSOR);
    node_graph(&graph, "Custom", &extra);
    proto_model(&file, &graph);
    put_bytes(in_folder("in.onnx"), file.bytes, file.size);
    Model *model = external_read(in_folder("in.onnx"));
    ExternalData ways[] = {EXTERNAL_NEVER, EXTERNAL_ALWAYS};
    for (int i = 0; i < 2; i++) {
        model->graph->changed = true;
        save_ok(model, in_folder("out.onnx"), ways[i]);
        Model *saved = external_read(in_folder("out.onnx"));
        const Tensor *tensor =
            node_attr(find_node(saved->graph, "the/node"), "value")->tensor;
        double last;
        tensor_read_f64(tensor, 299, 1, &last);
        ck_assert(last == 9 && tensor->is_external == (i == 1));
    }
}
END_TEST

/* Of a type that nothing is computed with. */
START_TEST(elements_of_any_type_move)
{
    Proto w = {.size = 0}, entry = w;
    uint8_t values[1025];
    memset(values, 0x5a, sizeof values);
    put_bytes(in_folder("w.bin"), values, sizeof values);
    proto_int(&w, 1, 2049);
    proto_int(&w, 2, DT_INT4);
    proto_text(&w, 8, "w");
    proto_text(&entry, 1, "location");
    proto_text(&entry, 2, "w.bin");
    proto_message(&w, 13, &entry);
    proto_int(&w, 14, 1);
    Model *model = external_read(external_model(&w));
    save_ok(model, in_folder("out.onnx"), EXTERNAL_NEVER);
    Model *saved = external_read(in_folder("out.onnx"));
    const Tensor *tensor = find_initializer(saved->graph, "w")->tensor;
    Span source = {tensor->source, tensor->source_size};
    ck_assert_ptr_nonnull(memmem(source.bytes, source.size, values, 1025));
    model->graph->changed = true;
    save_ok(model, in_folder("out.onnx"), EXTERNAL_AUTO);
    saved = external_read(in_folder("out.onnx"));
    ck_assert_uint_eq(data_file(saved)->bytes.size, sizeof values);
}
END_TEST

/* ---- What must not be lost ---- */

START_TEST(a_data_file_is_not_replaced_by_the_model)
{
    Proto w;
    external_tensor(&w, "w", 2, &(Entries){.location = "w.onnx"});
    const char *path = external_model(&w);
    put_bytes(in_folder("w.onnx"), "aaaabbbb", 8);
    const Model *model = external_read(path);
    ck_assert_int_eq(mkdir(in_folder("sub"), 0777), 0);
    ck_assert_int_eq(symlink("w.onnx", in_folder("link")), 0);
    save_fails(model, in_folder("w.onnx"), ERR_SAME_FILE, "holds data of");
    save_fails(model, in_folder("link"), ERR_SAME_FILE, "holds data of");
    save_fails(model, in_folder("sub/w.onnx"), ERR_SAME_FILE,
               "the name of a data file");
    check_file(in_folder("w.onnx"), "aaaabbbb");
    ck_assert_int_eq(rmdir(in_folder("sub")), 0);
}
END_TEST

START_TEST(another_file_of_the_name_is_not_replaced)
{
    const char *location = data_file(outside_model())->location;
    Span other = get_file(in_folder(location)); /* as long */
    ((uint8_t *)(uintptr_t)other.bytes)[other.size - 1] ^= 1;
    put_bytes(in_folder(location), other.bytes, other.size);
    unlink(in_folder("in.onnx"));
    Err err = {0};
    SaveOptions options = {.external = EXTERNAL_ALWAYS};
    ck_assert_int_eq(
        model_save(new_model(), in_folder("in.onnx"), &options, &err), -1);
    ck_assert_int_eq(err.code, ERR_EXTERNAL_DATA);
    check_same_bytes(other, get_file(in_folder(location)));
    ck_assert_int_eq(count_files(), 1);
}
END_TEST

/* Room for the model but not for the data. */
static int save_beyond_the_limit(void)
{
    Err err = {0};
    SaveOptions options = {.external = EXTERNAL_ALWAYS};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){40000, 40000});
    int status = model_save(new_model(), in_folder("out.onnx"), &options, &err);
    return status == -1 && strstr(err.message, "File too large") ? 0 : 1;
}

START_TEST(a_full_disk_leaves_no_data)
{
    put_file(in_folder("out.onnx"), "old");
    ck_assert_int_eq(in_child(save_beyond_the_limit), 0);
    check_file(in_folder("out.onnx"), "old");
    ck_assert_int_eq(count_files(), 1);
}
END_TEST

/* Saves a copy of the model with the n-th allocation failing; true when none
 * did. */
static bool save_failing_at(size_t n)
{
    Arena *own = arena_new(0);
    Err err = {0};
    SaveOptions options = {.external = EXTERNAL_ALWAYS};
    volatile bool saved = false;
    if (ARENA_GUARD(own)) {
        Model *model;
        ck_assert_int_eq(
            model_read_file(own, in_folder("in.onnx"), NULL, &model, &err), 0);
        model->graph->changed = true;
        mem_fail_at(n);
        saved = model_save(model, in_folder("out.onnx"), &options, &err) == 0;
    }
    mem_fail_at(0);
    arena_free(own);
    return saved;
}

START_TEST(running_out_of_memory_leaves_no_data)
{
    outside_model();
    int before = count_files(), open = count_open();
    /* The second time the data are there, and are compared. */
    for (int round = 0; round < 2; round++) {
        size_t n = 1;
        for (; n < 1000 && !save_failing_at(n); n++) {
            ck_assert_int_eq(count_files(), before);
            ck_assert_int_eq(count_open(), open);
        }
        ck_assert_uint_gt(n, 5);
        ck_assert_uint_lt(n, 1000);
        before += round == 0 ? 2 : 0;
        ck_assert_int_eq(count_files(), before);
    }
}
END_TEST

/* ---- Left-overs ---- */

/* Files that only look like left-overs stay; so does what somebody works on. */
START_TEST(left_overs_are_removed)
{
    static const char *const stay[] = {
        ".out.0123456789abcdeg",  ".out.0123456789abcde",
        ".out.0123456789abcdef0", ".other.0123456789abcdef",
        "out.0123456789abcdef",   ".out.onnx",
    };
    Err err = {0};
    for (int i = 0; i < 6; i++)
        put_file(in_folder(stay[i]), "x");
    put_file(in_folder(".out.0123456789abcdef"), "x");
    put_file(in_folder(".out.fedcba9876543210"), "x");
    int fd = open(in_folder(".out.fedcba9876543210"), O_RDONLY);
    ck_assert_int_eq(flock(fd, LOCK_EX), 0);
    ck_assert_int_eq(file_save(arena, in_folder("out"), "new", 3, &err), 0);
    ck_assert_int_eq(count_files(), 8);
    ck_assert_int_eq(access(in_folder(".out.0123456789abcdef"), F_OK), -1);
    close(fd);
    ck_assert_int_eq(file_save(arena, in_folder("out"), "new", 3, &err), 0);
    ck_assert_int_eq(count_files(), 7);
}
END_TEST

/* ---- Compressed ---- */

START_TEST(a_name_in_gz_is_compressed)
{
    const Model *model = external_read(external_model(NULL));
    save_ok(model, in_folder("one.onnx"), EXTERNAL_NEVER);
    model = external_read(in_folder("one.onnx"));
    save_ok(model, in_folder("out.onnx.gz"), EXTERNAL_AUTO);
    Span packed = get_file(in_folder("out.onnx.gz"));
    /* No flags, no time, no system. */
    ck_assert_mem_eq(packed.bytes, "\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
    void *bytes;
    size_t size;
    Err err = {0};
    ck_assert_int_eq(
        inflate_gzip(arena, packed.bytes, packed.size, &bytes, &size, &err), 0);
    check_same_bytes((Span){bytes, size}, model->file);
    save_ok(external_read(in_folder("out.onnx.gz")), in_folder("two.onnx"),
            EXTERNAL_AUTO);
    check_same_bytes(get_file(in_folder("two.onnx")), model->file);
}
END_TEST

/* More than the compressor's buffer, and a compressor's own failure. */
START_TEST(a_gzip_file_that_is_wrong_is_not_cut_off)
{
    save_ok(new_model(), in_folder("in.onnx.gz"), EXTERNAL_AUTO);
    Span packed = get_file(in_folder("in.onnx.gz"));
    uint8_t *bytes = arena_block(arena, packed.size, 1);
    /* In the checksum, and in the size behind it. */
    for (size_t back = 1; back <= 8; back += 7) {
        Err err = {0};
        void *out;
        size_t size;
        memcpy(bytes, packed.bytes, packed.size);
        bytes[packed.size - back] ^= 1;
        ck_assert_int_eq(
            inflate_gzip(arena, bytes, packed.size, &out, &size, &err), -1);
        ck_assert_int_eq(err.code, ERR_BAD_ARCHIVE);
        err = (Err){0};
        inflate_gzip(arena, bytes, packed.size - back, &out, &size, &err);
        ck_assert_int_eq(err.code, ERR_TRUNCATED);
    }
}
END_TEST

/* Whatever the model is called, a reader takes the location. */
START_TEST(any_name_gives_a_location)
{
    char long_name[256];
    const char *const names[] = {"a:b.onnx",        "50%.onnx", "a#b.onnx",
                                 "a\\b.onnx",       long_name,  "caf\xe9.onnx",
                                 "caf\xc3\xa9.onnx"};
    for (int i = 0; i < 254; i += 2)
        memcpy(long_name + i, "\xc3\xa9", 2);
    strcpy(long_name + 254, "x");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *name = names[i];
        save_ok(new_model(), in_folder(name), EXTERNAL_ALWAYS);
        check_weights(external_read(in_folder(name)), 2);
    }
    Model *model = external_read(in_folder("caf\xc3\xa9.onnx"));
    ck_assert_int_eq(
        strncmp(data_file(model)->location, "caf\xc3\xa9.onnx.", 11), 0);
}
END_TEST

START_TEST(big_models_are_compressed)
{
    save_ok(new_model(), in_folder("in.onnx.gz"), EXTERNAL_AUTO);
    check_weights(external_read(in_folder("in.onnx.gz")), 0);
    save_fails(new_model(), "/dev/full", ERR_IO, "No space left");
}
END_TEST

Suite *suite_outside(void)
{
    Suite *suite = suite_create("outside");
    TCase *tcase = tcase_create("outside");
    tcase_add_checked_fixture(tcase, folder_setup, folder_teardown);
    tcase_add_test(tcase, big_weights_go_outside);
    tcase_add_test(tcase, data_come_back_into_the_model);
    tcase_add_test(tcase, a_stream_has_its_data_inside);
    tcase_add_test(tcase, small_models_stay_in_one_file);
    tcase_add_test(tcase, an_unchanged_model_keeps_its_data_file);
    tcase_add_test(tcase, an_unchanged_models_data_go_with_it);
    tcase_add_test(tcase, data_files_may_be_in_folders);
    tcase_add_test(tcase, folders_that_were_made_go_with_it);
    tcase_add_test(tcase, a_changed_model_gets_a_data_file_of_its_own);
    tcase_add_test(tcase, equal_elements_are_written_once);
    tcase_add_test(tcase, overlapping_elements_are_written_apart);
    tcase_add_test(tcase, an_attributes_tensor_moves_too);
    tcase_add_test(tcase, elements_of_any_type_move);
    tcase_add_test(tcase, a_data_file_is_not_replaced_by_the_model);
    tcase_add_test(tcase, another_file_of_the_name_is_not_replaced);
    tcase_add_test(tcase, a_full_disk_leaves_no_data);
    tcase_add_test(tcase, running_out_of_memory_leaves_no_data);
    tcase_add_test(tcase, left_overs_are_removed);
    tcase_add_test(tcase, a_name_in_gz_is_compressed);
    tcase_add_test(tcase, a_gzip_file_that_is_wrong_is_not_cut_off);
    tcase_add_test(tcase, any_name_gives_a_location);
    tcase_add_test(tcase, big_models_are_compressed);
    suite_add_tcase(suite, tcase);
    return suite;
}
