/*
 * Saving a model: its own file and, where its data are outside, the files that
 * hold them.  All are written and synced before any has its name; the model
 * comes last, so it never names data that are not there.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/inflate.h"
#include "onnx/extdata.h"
#include "onnx/gzip.h"
#include "onnx/output.h"
#include "onnx/read.h"
#include "onnx/write.h"

/* What becomes one model. */
typedef struct Saving {
    Arena *arena;
    const Model *model;
    const SaveOptions *options;
    DataPlan *plan; /* NULL when all data stay where they are */
    Output *output; /* the model */
    size_t size;    /* of the model in one file, once that is known; or 0 */
    bool is_gzip;
    Output **files; /* in the order of their names, the model last */
    size_t count;
} Saving;

/* ---- Where the data go ---- */

static bool fits_one_file(Saving *saving, Err *err)
{
    return model_written_size(saving->model, &saving->size, err) == 0 &&
           saving->size <= INT_MAX;
}

/* What the user and the input have asked for. */
static DataChoice choose(Saving *saving, size_t external, Err *err)
{
    ExternalData asked = saving->options->external;
    if (saving->output->is_stream || asked == EXTERNAL_NEVER)
        return DATA_INSIDE;
    if (asked == EXTERNAL_ALWAYS)
        return DATA_OUTSIDE;
    if (external > 0)
        return DATA_AS_IS;
    return fits_one_file(saving, err) ? DATA_INSIDE : DATA_OUTSIDE;
}

/* Whether every tensor of the plan is external already, so that a model that
 * did not change may name the files it names. */
static bool is_as_planned(const DataPlan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        if (!plan->places[i].tensor->is_external)
            return false;
    return true;
}

static int make_plan(Saving *saving, Err *err)
{
    Err fault = {0};
    size_t external = data_external_count(saving->model);
    DataChoice choice = choose(saving, external, &fault);
    if (fault.code != ERR_OK)
        return err_set(err, fault.code, "%s", fault.message);
    if (choice == DATA_INSIDE && external == 0)
        return 0;
    saving->plan = data_plan(saving->arena, saving->model, choice);
    if (choice != DATA_INSIDE && !write_changes(saving->model, NULL) &&
        is_as_planned(saving->plan))
        saving->plan = NULL;
    return 0;
}

/* ---- The data file of a plan ---- */

/* Passes on, and sums up. */
typedef struct CrcSink {
    Sink sink; /* first: the sink is the CrcSink */
    Sink *to;
    uint32_t crc;
} CrcSink;

static int crc_write(Sink *sink, const void *bytes, size_t size, Err *err)
{
    CrcSink *self = (CrcSink *)sink;
    self->crc = crc_add(self->crc, bytes, size);
    return self->to->write(self->to, bytes, size, err);
}

enum { COMPARED_AT_ONCE = 1 << 20 };

static bool same_bytes(char *x, char *y, int a, int b)
{
    ssize_t got = 1;
    bool same = true;
    for (off_t at = 0; same && got > 0; at += got) {
        got = pread(a, x, COMPARED_AT_ONCE, at);
        same = got >= 0 && pread(b, y, COMPARED_AT_ONCE, at) == got &&
               memcmp(x, y, (size_t)got) == 0;
    }
    return same;
}

/* Whether the file of that name in the folder of the output has the bytes that
 * were written. Nothing is allocated while it is open. */
static int compare_file(const Output *output, const char *name, bool *same,
                        Err *err)
{
    static const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    char *room = arena_block(output->arena, 2, COMPARED_AT_ONCE);
    int there = openat(output->folder_fd, name, flags);
    *same = there >= 0 &&
            same_bytes(room, room + COMPARED_AT_ONCE, output->fd, there);
    int problem = there < 0 ? errno : 0;
    if (there >= 0)
        close(there);
    arena_release(room);
    /* Links and devices are other files. */
    if (problem == 0 || problem == ELOOP || problem == ENXIO)
        return 0;
    return err_set(err, ERR_IO, "cannot open %s beside it: %s",
                   name_text(output->arena, name), strerror(problem));
}

/* The output takes its place among the files, unless it is there already. */
static int add_file(Saving *saving, Output *output, const char *name, Err *err)
{
    struct stat status;
    bool same;
    TRY(output_complete(output, err));
    output->name = arena_strdup(saving->arena, name);
    if (fstatat(output->folder_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        saving->files[saving->count++] = output;
        return 0;
    }
    TRY(compare_file(output, name, &same, err));
    if (same)
        return 0;
    return err_set(err, ERR_EXTERNAL_DATA,
                   "its data would go to %s beside it, which is another file: "
                   "remove that, or choose another folder",
                   name_text(saving->arena, name));
}

static const char *data_name(const Saving *saving, uint32_t crc)
{
    enum { ENDING = 14 }; /* .xxxxxxxx.data */
    const char *stem = external_location(saving->arena, saving->output->name,
                                         OUTPUT_NAME_LIMIT - ENDING);
    return arena_printf(saving->arena, "%s.%08x.data", stem, crc);
}

static int save_planned(Saving *saving, Err *err)
{
    Output *output;
    DataPlan *plan = saving->plan;
    TRY(output_open_beside(saving->output, "", &output, err));
    TRY(output_reserve(output, plan->size, err));
    CrcSink crc = {{crc_write}, &output->sink, 0};
    TRY(write_data(saving->model, plan, &crc.sink, err));
    plan->location = data_name(saving, crc.crc);
    return add_file(saving, output, plan->location, err);
}

/* ---- Data files that stay as they are ---- */

/* True when the model's data are in the output's own folder. */
static bool is_same_folder(const Saving *saving)
{
    struct stat a, b;
    return fstat(saving->model->external->folder_fd, &a) == 0 &&
           fstat(saving->output->folder_fd, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

static int copy_file(Saving *saving, const DataFile *file, Err *err)
{
    Output *output;
    const char *slash = strrchr(file->location, '/');
    size_t length = slash ? (size_t)(slash - file->location) : 0;
    const char *folder = arena_strndup(saving->arena, file->location, length);
    if (strcmp(file->location, saving->output->name) == 0)
        return err_set(err, ERR_SAME_FILE,
                       "is the name of a data file of the model: name another "
                       "output");
    TRY(output_open_beside(saving->output, folder, &output, err));
    TRY(output_reserve(output, file->bytes.size, err));
    TRY(write_mapped(saving->model, file->bytes, &output->sink, err));
    return add_file(saving, output, slash ? slash + 1 : file->location, err);
}

static int save_copies(Saving *saving, Err *err)
{
    const External *external = saving->model->external;
    if (!external || !external->files || is_same_folder(saving))
        return 0;
    for (const DataFile *file = external->files; file; file = file->next)
        TRY(copy_file(saving, file, err));
    return 0;
}

/* ---- The model ---- */

static int save_model(Saving *saving, Err *err)
{
    Output *output = saving->output;
    size_t size = saving->size;
    Gzip *gzip;
    if (saving->plan || size == 0)
        TRY(write_size(saving->model, saving->plan, &size, err));
    TRY(model_check_size(size, err));
    if (saving->is_gzip) {
        TRY(gzip_start(saving->arena, &output->sink, &gzip, err));
        TRY(write_model(saving->model, saving->plan, gzip_sink(gzip), err));
        return gzip_end(gzip, err);
    }
    TRY(output_reserve(output, size, err));
    return write_model(saving->model, saving->plan, &output->sink, err);
}

/* A model's data are lost when it takes their place. */
static int check_data(const Saving *saving, Err *err)
{
    const External *external = saving->model->external;
    const Output *output = saving->output;
    if (!external || !output->exists || !external_is(external, &output->old))
        return 0;
    return err_set(err, ERR_SAME_FILE,
                   "holds data of the input: name another output");
}

static size_t count_files(const Model *model)
{
    size_t count = 2;
    for (const DataFile *file = model->external ? model->external->files : NULL;
         file; file = file->next)
        count++;
    return count;
}

/* Tells the user; of files that stayed as they are, the first. */
static void tell_location(const Saving *saving)
{
    const External *external = saving->model->external;
    const char *name = saving->plan                  ? saving->plan->location
                       : external && external->files ? external->files->location
                                                     : NULL;
    if (saving->options->data)
        *saving->options->data =
            name ? arena_strdup(saving->model->arena, name) : NULL;
}

static int save(Saving *saving, const char *path, Err *err)
{
    size_t length = strlen(path);
    saving->is_gzip = length > 3 && strcmp(path + length - 3, ".gz") == 0;
    saving->files = arena_array(saving->arena, count_files(saving->model),
                                sizeof(Output *));
    TRY(output_open(saving->arena, path, saving->options, &saving->output,
                    err));
    TRY(check_data(saving, err));
    TRY(make_plan(saving, err));
    if (saving->plan && saving->plan->count > 0)
        TRY(save_planned(saving, err));
    else if (!saving->plan)
        TRY(save_copies(saving, err));
    TRY(save_model(saving, err));
    TRY(output_complete(saving->output, err));
    saving->files[saving->count++] = saving->output;
    tell_location(saving);
    return output_publish(saving->files, saving->count, err);
}

/* What has failed, and for what file. */
static int about_target(const char *path, Err *err)
{
    return err_about(err, strcmp(path, "-") == 0 ? "standard output" : path);
}

int model_save(const Model *model, const char *path, const SaveOptions *options,
               Err *err)
{
    static const SaveOptions defaults = {0};
    Saving saving = {
        .arena = arena_child(model->arena),
        .model = model,
        .options = options ? options : &defaults,
    };
    int status = save(&saving, path, err);
    arena_free(saving.arena);
    return status < 0 ? about_target(path, err) : 0;
}

static int save_content(Arena *arena, const char *path, Content *content,
                        Err *err)
{
    SaveOptions options = {0};
    Output *output;
    TRY(output_open(arena, path, &options, &output, err));
    TRY(output_reserve(output, content->size, err));
    TRY(content->write(content, &output->sink, err));
    TRY(output_complete(output, err));
    return output_publish(&output, 1, err);
}

int file_save_content(Arena *arena, const char *path, Content *content,
                      Err *err)
{
    Arena *scratch = arena_child(arena);
    int status = save_content(scratch, path, content, err);
    arena_free(scratch);
    return status < 0 ? about_target(path, err) : 0;
}

typedef struct Bytes {
    Content content; /* first: the content is the bytes */
    const void *bytes;
} Bytes;

static int write_bytes(Content *content, Sink *sink, Err *err)
{
    return sink->write(sink, ((Bytes *)content)->bytes, content->size, err);
}

int file_save(Arena *arena, const char *path, const void *bytes, size_t size,
              Err *err)
{
    Bytes ready = {{write_bytes, size}, bytes};
    return file_save_content(arena, path, &ready.content, err);
}
