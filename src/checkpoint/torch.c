#include "checkpoint/torch.h"

#include <string.h>

#include "base/zip.h"
#include "checkpoint/pickle.h"

/* The bytes of a storage. */
typedef struct Storage {
    const uint8_t *bytes;
    size_t size;
} Storage;

typedef struct Source {
    Arena *arena;
    Zip *zip;           /* NULL for the legacy format */
    const char *folder; /* that the archive's entries are in, with its slash */
    Map *storages;      /* by key: those read so far, or all of a legacy file */
    size_t room;        /* bytes that entries may still be decompressed to */
    bool big_endian;
    Err *err;
} Source;

static int bad(Err *err, const char *what)
{
    return err_set(err, ERR_BAD_CHECKPOINT, "%s", what);
}

static int read_entry(Source *source, const ZipEntry *entry, const void **out)
{
    if (entry->is_deflated) {
        if (entry->size > source->room)
            return err_set(source->err, ERR_BUDGET,
                           "%.200s: decompressed, the file would be more than "
                           "%d times as large",
                           entry->name, CHECKPOINT_TIMES);
        source->room -= entry->size;
    }
    return zip_read(source->arena, source->zip, entry, out, source->err);
}

/* ---- Tensors ---- */

static int find_storage(Source *source, const StorageRef *ref,
                        const Storage **out)
{
    *out = map_get(source->storages, ref->key);
    if (*out)
        return 0;
    const ZipEntry *entry = NULL;
    if (source->zip)
        entry = zip_find(source->zip, arena_printf(source->arena, "%sdata/%s",
                                                   source->folder, ref->key));
    if (!entry)
        return err_set(source->err, ERR_BAD_CHECKPOINT,
                       "storage %s is not in the file", ref->key);
    Storage *storage = arena_alloc(source->arena, sizeof *storage);
    const void *bytes;
    TRY(read_entry(source, entry, &bytes));
    *storage = (Storage){bytes, entry->size};
    map_put(source->storages, ref->key, storage);
    *out = storage;
    return 0;
}

static int read_integers(const Object *tuple, int64_t *out)
{
    for (size_t i = 0; i < tuple->list.count; i++) {
        const Object *item = tuple->list.items[i];
        if (item->kind != KIND_INTEGER || item->integer < 0)
            return -1;
        out[i] = item->integer;
    }
    return 0;
}

static int read_dims(const TensorRef *ref, CheckpointTensor *out, Err *err)
{
    size_t rank = ref->dims->list.count;
    if (rank > CHECKPOINT_RANK || ref->strides->list.count != rank)
        return err_set(err, ERR_BAD_CHECKPOINT,
                       "it has %zu dimensions and %zu strides", rank,
                       ref->strides->list.count);
    out->rank = (int)rank;
    if (read_integers(ref->dims, out->dims) < 0 ||
        read_integers(ref->strides, out->strides) < 0)
        return bad(err, "a dimension or stride is no number from 0 up");
    out->count = 1;
    for (int i = 0; i < out->rank; i++)
        if (__builtin_mul_overflow(out->count, out->dims[i], &out->count))
            return bad(err, "its dimensions are too large");
    return 0;
}

/* One more than the highest element that the tensor shows of its storage; -1
 * where that overflows. */
static int64_t last_element(const CheckpointTensor *tensor, int64_t offset)
{
    int64_t last = offset, reach;
    if (tensor->count == 0)
        return 0;
    for (int i = 0; i < tensor->rank; i++)
        if (__builtin_mul_overflow(tensor->dims[i] - 1, tensor->strides[i],
                                   &reach) ||
            __builtin_add_overflow(last, reach, &last))
            return -1;
    return __builtin_add_overflow(last, 1, &last) ? -1 : last;
}

static int view_tensor(Source *source, const TensorRef *ref,
                       CheckpointTensor *out)
{
    const StorageRef *mentioned = ref->storage;
    const Storage *storage;
    size_t size = element_size(ref->element), said, need;
    out->element = ref->element;
    out->big_endian = source->big_endian;
    TRY(read_dims(ref, out, source->err));
    TRY(find_storage(source, mentioned, &storage));
    if (__builtin_mul_overflow(
            mentioned->count,
            mentioned->is_typed ? element_size(mentioned->element) : 1,
            &said) ||
        said > storage->size)
        return err_set(source->err, ERR_BAD_CHECKPOINT,
                       "storage %s has %zu bytes, which is fewer than its %llu "
                       "elements need",
                       mentioned->key, storage->size,
                       (unsigned long long)mentioned->count);
    int64_t last = ref->offset < 0 ? -1 : last_element(out, ref->offset);
    if (last < 0 || __builtin_mul_overflow((uint64_t)last, size, &need) ||
        need > said)
        return err_set(source->err, ERR_BAD_CHECKPOINT,
                       "its offset, size and strides reach beyond storage %s",
                       mentioned->key);
    if (out->count > 0)
        out->bytes = storage->bytes + (size_t)ref->offset * size;
    return 0;
}

/* ---- The state dict ---- */

/* As timm looks for it (timm.models.load_state_dict, with EMA): those that
 * hold None are passed over. */
static const char *const usual_keys[] = {"state_dict_ema", "model_ema",
                                         "state_dict", "model"};

/* The keys that could be given, for a message. */
static const char *dict_keys(Arena *arena, const Object *root)
{
    enum { LISTED = 8 };
    const char *text = "";
    int listed = 0;
    for (size_t i = 0; i < root->list.count && listed < LISTED; i += 2) {
        const Object *key = root->list.items[i];
        if (root->list.items[i + 1]->kind != KIND_DICT ||
            key->kind != KIND_TEXT || key->text.size > 64)
            continue;
        text = arena_printf(arena, "%s%s%s", text, listed++ ? ", " : "",
                            text_copy(arena, key));
    }
    return listed ? text : "none";
}

static int find_state(Source *source, const Object *root, const char *key,
                      Checkpoint *out, const Object **state)
{
    if (root->kind != KIND_DICT)
        return bad(source->err, "it is no dict of tensors");
    *state = root;
    out->key = "";
    if (key) {
        *state = dict_get(root, key);
        out->key = key;
        if (!*state || (*state)->kind != KIND_DICT)
            return err_set(source->err, ERR_BAD_CHECKPOINT,
                           "no dict is under the key %.64s; there are: %s", key,
                           dict_keys(source->arena, root));
        return 0;
    }
    for (size_t i = 0; i < sizeof usual_keys / sizeof *usual_keys; i++) {
        const Object *found = dict_get(root, usual_keys[i]);
        if (!found || found->kind != KIND_DICT)
            continue;
        *state = found;
        out->key = usual_keys[i];
        return 0;
    }
    return 0;
}

/* Without what wrappers put before a name, in the order timm takes it off. */
static const char *clean_name(const char *name)
{
    static const char *const wrappers[] = {"_orig_mod.", "module.",
                                           "_orig_mod."};
    for (size_t i = 0; i < sizeof wrappers / sizeof *wrappers; i++)
        if (strncmp(name, wrappers[i], strlen(wrappers[i])) == 0)
            name += strlen(wrappers[i]);
    return name;
}

static int add_tensor(Source *source, const Object *key, const TensorRef *ref,
                      Map *seen, Checkpoint *out)
{
    const char *name = text_copy(source->arena, key);
    CheckpointTensor *tensor = &out->tensors[out->count];
    tensor->name = clean_name(name);
    if (map_get(seen, tensor->name))
        return err_set(source->err, ERR_BAD_CHECKPOINT,
                       "two tensors are called %.200s", tensor->name);
    map_put(seen, tensor->name, tensor);
    if (view_tensor(source, ref, tensor) < 0)
        return err_prefix(source->err, "%.200s", tensor->name);
    out->count++;
    return 0;
}

static int read_state(Source *source, const Object *root, const char *key,
                      Checkpoint *out)
{
    const Object *state = NULL;
    TRY(find_state(source, root, key, out, &state));
    if (state->list.count / 2 > CHECKPOINT_TENSORS)
        return err_set(source->err, ERR_BUDGET, "more than %d tensors",
                       CHECKPOINT_TENSORS);
    Map *seen = map_new(source->arena);
    out->tensors = arena_array(source->arena, state->list.count / 2 + 1,
                               sizeof *out->tensors);
    for (size_t i = 0; i < state->list.count; i += 2)
        if (state->list.items[i]->kind == KIND_TEXT &&
            state->list.items[i + 1]->kind == KIND_TENSOR)
            TRY(add_tensor(source, state->list.items[i],
                           state->list.items[i + 1]->tensor, seen, out));
    if (out->count == 0)
        return err_set(source->err, ERR_BAD_CHECKPOINT,
                       "no tensors are %s%.64s; dicts that --key could name: "
                       "%s",
                       *out->key ? "under " : "at the top", out->key,
                       dict_keys(source->arena, root));
    return 0;
}

/* ---- The zip format ---- */

/* The entry FOLDER/data.pkl; everything else is beside it. */
static const ZipEntry *find_pickle(Source *source)
{
    static const char tail[] = "data.pkl";
    for (size_t i = 0; i < source->zip->count; i++) {
        const ZipEntry *entry = &source->zip->entries[i];
        const char *slash = strchr(entry->name, '/');
        size_t folder = slash ? (size_t)(slash + 1 - entry->name) : 0;
        if (strcmp(entry->name + folder, tail) != 0)
            continue;
        source->folder = arena_strndup(source->arena, entry->name, folder);
        return entry;
    }
    return NULL;
}

/* The entry FOLDER/byteorder, which older files do not have. */
static int read_byte_order(Source *source)
{
    const void *text;
    const ZipEntry *entry =
        zip_find(source->zip,
                 arena_printf(source->arena, "%sbyteorder", source->folder));
    if (!entry)
        return 0;
    TRY(read_entry(source, entry, &text));
    source->big_endian = entry->size == 3 && memcmp(text, "big", 3) == 0;
    if (source->big_endian ||
        (entry->size == 6 && memcmp(text, "little", 6) == 0))
        return 0;
    return bad(source->err, "its byte order is neither little nor big");
}

int torch_read_zip(Arena *arena, const uint8_t *bytes, size_t size,
                   const char *key, Checkpoint *out, Err *err)
{
    Source source = {.arena = arena,
                     .storages = map_new(arena),
                     .room = checkpoint_limit(size),
                     .err = err};
    TRY(zip_open(arena, bytes, size, &source.zip, err));
    const ZipEntry *entry = find_pickle(&source);
    if (!entry)
        return bad(err, "a zip archive without PyTorch's data.pkl");
    const void *text;
    Pickle pickle;
    TRY(read_byte_order(&source));
    TRY(read_entry(&source, entry, &text));
    TRY(pickle_read(arena, text, entry->size, &pickle, err));
    out->format = "PyTorch";
    return read_state(&source, pickle.root, key, out);
}

/* ---- The legacy format ---- */

/* Pickled: the number 0x1950a86a20f9469cfc6c. */
static const uint8_t legacy_magic[] = {0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9,
                                       0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};
enum { LEGACY_PROTOCOL = 1001, PROTOCOL_OPCODE = 2 };

bool torch_is_legacy(const uint8_t *bytes, size_t size)
{
    return size > PROTOCOL_OPCODE + sizeof legacy_magic && bytes[0] == 0x80 &&
           memcmp(bytes + PROTOCOL_OPCODE, legacy_magic, sizeof legacy_magic) ==
               0;
}

typedef struct Rest {
    const uint8_t *bytes;
    size_t size;
} Rest;

static int next_pickle(Source *source, Rest *rest, Pickle *out)
{
    TRY(pickle_read(source->arena, rest->bytes, rest->size, out, source->err));
    rest->bytes += out->size;
    rest->size -= out->size;
    return 0;
}

/* The second pickle is the format's version, the third is about the machine
 * that wrote it. */
static int read_preface(Source *source, Rest *rest)
{
    Pickle pickle;
    TRY(next_pickle(source, rest, &pickle));
    if (pickle.root->kind != KIND_INTEGER ||
        pickle.root->integer != LEGACY_PROTOCOL)
        return bad(source->err, "an unknown version of PyTorch's old format");
    TRY(next_pickle(source, rest, &pickle));
    const Object *little = pickle.root->kind == KIND_DICT
                               ? dict_get(pickle.root, "little_endian")
                               : NULL;
    if (!little || little->kind != KIND_BOOL)
        return bad(source->err, "its byte order is neither little nor big");
    source->big_endian = !little->integer;
    return 0;
}

/* A storage is the number of its elements and then those: how large one is
 * stands in the pickle, wherever that first mentions the storage. */
static int read_storage(Source *source, Rest *rest, const StorageRef *ref)
{
    enum { COUNT_BYTES = 8 };
    uint64_t count = 0;
    size_t size;
    if (rest->size < COUNT_BYTES)
        return bad(source->err, "the file ends before its last storage");
    for (int i = 0; i < COUNT_BYTES; i++)
        count |= (uint64_t)rest->bytes[source->big_endian ? 7 - i : i] << 8 * i;
    if (__builtin_mul_overflow(count, element_size(ref->element), &size) ||
        size > rest->size - COUNT_BYTES)
        return err_set(source->err, ERR_BAD_CHECKPOINT,
                       "storage %s is longer than the file", ref->key);
    Storage *storage = arena_alloc(source->arena, sizeof *storage);
    *storage = (Storage){rest->bytes + COUNT_BYTES, size};
    map_put(source->storages, ref->key, storage);
    rest->bytes += COUNT_BYTES + size;
    rest->size -= COUNT_BYTES + size;
    return 0;
}

static int read_storages(Source *source, Rest *rest, const Pickle *pickle)
{
    Map *refs = map_new(source->arena);
    for (size_t i = 0; i < pickle->storage_count; i++)
        map_put(refs, pickle->storages[i]->key, pickle->storages[i]);
    Pickle keys;
    TRY(next_pickle(source, rest, &keys));
    if (keys.root->kind != KIND_LIST)
        return bad(source->err, "no list of storages follows the pickle");
    for (size_t i = 0; i < keys.root->list.count; i++) {
        const Object *key = keys.root->list.items[i];
        StorageRef *ref = key->kind == KIND_TEXT && key->text.size <= KEY_MAX
                              ? map_get(refs, text_copy(source->arena, key))
                              : NULL;
        if (!ref || !ref->is_typed)
            return bad(source->err, "a storage that the pickle does not name");
        TRY(read_storage(source, rest, ref));
    }
    return 0;
}

int torch_read_legacy(Arena *arena, const uint8_t *bytes, size_t size,
                      const char *key, Checkpoint *out, Err *err)
{
    Source source = {.arena = arena, .storages = map_new(arena), .err = err};
    size_t magic = PROTOCOL_OPCODE + sizeof legacy_magic;
    Rest rest = {bytes + magic, size - magic};
    Pickle pickle;
    TRY(read_preface(&source, &rest));
    TRY(next_pickle(&source, &rest, &pickle));
    TRY(read_storages(&source, &rest, &pickle));
    out->format = "PyTorch before 1.6";
    return read_state(&source, pickle.root, key, out);
}
