/* save_checkpoint VARIANT OUT.safetensors: a checkpoint with the weights of
 * `sample`, for the benchmark. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zoo/zoo.h"

enum { PIECE = 1 << 16 };

typedef struct Writer {
    WeightSource source;
    WeightSource *seed;
    Tensor **tensors;
    const char **names;
    size_t count, capacity, name_capacity;
} Writer;

/* Notes what the network asks for. */
static int note_tensor(WeightSource *self, Arena *arena, const char *name,
                       DType type, int rank, const int64_t *dims, Tensor **out,
                       Err *err)
{
    Writer *writer = (Writer *)self;
    TRY(writer->seed->tensor(writer->seed, arena, name, type, rank, dims, out,
                             err));
    writer->tensors = arena_grow(arena, writer->tensors, &writer->capacity,
                                 writer->count + 1, sizeof *writer->tensors);
    writer->names = arena_grow(arena, writer->names, &writer->name_capacity,
                               writer->count + 1, sizeof *writer->names);
    writer->tensors[writer->count] = *out;
    writer->names[writer->count++] = arena_strdup(arena, name);
    return 0;
}

static const char *make_header(Arena *arena, const Writer *writer)
{
    const char *text = "{", *comma = "";
    size_t place = 0;
    for (size_t i = 0; i < writer->count; i++) {
        const Tensor *tensor = writer->tensors[i];
        size_t end = place + (size_t)tensor->count * sizeof(float);
        text = arena_printf(arena, "%s%s\"%s\":{\"dtype\":\"F32\",\"shape\":[",
                            text, comma, writer->names[i]);
        for (int k = 0; k < tensor->rank; k++)
            text = arena_printf(arena, "%s%s%lld", text, k > 0 ? "," : "",
                                (long long)tensor->dims[k]);
        text = arena_printf(arena, "%s],\"data_offsets\":[%zu,%zu]}", text,
                            place, end);
        place = end;
        comma = ",";
    }
    return arena_printf(arena, "%s}", text);
}

static int write_file(Arena *arena, const Writer *writer, const char *path)
{
    static float piece[PIECE];
    const char *header = make_header(arena, writer);
    uint64_t length = strlen(header);
    FILE *file = fopen(path, "wb");
    if (!file)
        return -1;
    for (int i = 0; i < 8; i++)
        putc((int)(length >> 8 * i & 0xff), file);
    fputs(header, file);
    for (size_t i = 0; i < writer->count; i++) {
        const Tensor *tensor = writer->tensors[i];
        for (int64_t at = 0; at < tensor->count; at += PIECE) {
            int64_t rest = tensor->count - at;
            int64_t now = rest < PIECE ? rest : PIECE;
            tensor_read_stored(tensor, at, now, piece);
            fwrite(piece, sizeof *piece, (size_t)now, file);
        }
    }
    bool failed = ferror(file);
    return fclose(file) != 0 || failed ? -1 : 0;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return EXIT_FAILURE;
    Arena *arena = arena_new(0);
    Writer writer = {.source = {note_tensor}};
    rp_sample_options options = {.variant = argv[1]};
    Model *model;
    Err err = {0};
    writer.seed = weights_from_seed(arena, 1);
    if (zoo_build(arena, &options, &writer.source, &model, &err) < 0 ||
        write_file(arena, &writer, argv[2]) < 0) {
        fprintf(stderr, "save_checkpoint: %s\n", err.message);
        return EXIT_FAILURE;
    }
    arena_free(arena);
    return EXIT_SUCCESS;
}
