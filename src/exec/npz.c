#include "exec/npz.h"

#include <string.h>

#include "base/input.h"
#include "base/zip.h"
#include "exec/npy.h"

static const char suffix[] = ".npz", array_suffix[] = ".npy";
enum { SUFFIX = 4 };

static bool ends_with(const char *text, const char *ending)
{
    size_t length = strlen(text);
    return length >= SUFFIX && strcmp(text + length - SUFFIX, ending) == 0;
}

bool npz_is(const char *path)
{
    return ends_with(path, suffix);
}

/* The name in FILE.npz:NAME, or NULL; a path may have colons. */
static const char *name_in(const char *path)
{
    const char *found = NULL;
    for (const char *at = path; (at = strstr(at, suffix)); at += SUFFIX)
        if (at[SUFFIX] == ':')
            found = at + SUFFIX + 1;
    return found;
}

static int open_archive(Arena *arena, const char *file, Zip **out, Err *err)
{
    InputFile input;
    if (input_open(arena, file, SIZE_MAX, &input, err) < 0 ||
        zip_open(arena, input.bytes.bytes, input.bytes.size, out, err) < 0)
        return err_about(err, file);
    return 0;
}

static int read_entry(Arena *arena, Zip *zip, const ZipEntry *entry,
                      const char *where, Tensor **out, Err *err)
{
    const void *bytes;
    return zip_read(arena, zip, entry, &bytes, err) < 0 ||
                   npy_parse(arena, bytes, entry->size, out, err) < 0
               ? err_about(err, where)
               : 0;
}

static const ZipEntry *find_array(Arena *arena, const Zip *zip,
                                  const char *name)
{
    const ZipEntry *entry =
        zip_find(zip, arena_printf(arena, "%s%s", name, array_suffix));
    return entry ? entry : zip_find(zip, name);
}

static int read_named(Arena *arena, const char *path, const char *name,
                      Tensor **out, Err *err)
{
    Zip *zip;
    size_t length = (size_t)(name - 1 - path);
    TRY(open_archive(arena, arena_strndup(arena, path, length), &zip, err));
    const ZipEntry *entry = find_array(arena, zip, name);
    if (!entry) {
        err_set(err, ERR_BAD_NPY, "there is no array of that name");
        return err_about(err, path);
    }
    return read_entry(arena, zip, entry, path, out, err);
}

static int read_only(Arena *arena, const char *path, Tensor **out, Err *err)
{
    Zip *zip;
    TRY(open_archive(arena, path, &zip, err));
    if (zip->count != 1) {
        err_set(err, ERR_BAD_NPY, "has %zu arrays: say which, as %s:NAME",
                zip->count, path);
        return err_about(err, path);
    }
    const ZipEntry *entry = zip->entries;
    return read_entry(arena, zip, entry,
                      arena_printf(arena, "%s:%s", path, entry->name), out,
                      err);
}

int array_read(Arena *arena, const char *path, Tensor **out, Err *err)
{
    const char *name = name_in(path);
    if (name)
        return read_named(arena, path, name, out, err);
    return npz_is(path) ? read_only(arena, path, out, err)
                        : npy_read(arena, path, out, err);
}

int npz_visit(Arena *arena, const char *path, NpzVisit *visit, Err *err)
{
    Zip *zip;
    TRY(open_archive(arena, path, &zip, err));
    for (size_t i = 0; i < zip->count; i++) {
        const ZipEntry *entry = &zip->entries[i];
        size_t length = strlen(entry->name);
        if (ends_with(entry->name, array_suffix))
            length -= SUFFIX;
        const char *name = arena_strndup(arena, entry->name, length);
        const char *where = arena_printf(arena, "%s:%s", path, name);
        Tensor *tensor;
        TRY(read_entry(arena, zip, entry, where, &tensor, err));
        if (visit->array(visit, name, tensor, err) < 0)
            return err_about(err, where);
    }
    return 0;
}
