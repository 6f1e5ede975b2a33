#include "zoo/keys.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zoo/architecture.h"

/* More blocks than any stage has, and more channels than any layer: what a
 * stranger's file says must not make us build without end. */
enum { DEPTH_MAX = 256, WIDTH_MAX = 1 << 24, NAME_MAX_BYTES = 512 };

/* Where the first `length` bytes of the part stand in the name, between dots;
 * NULL where they do not. */
static const char *find_part(const char *name, const char *part, size_t length,
                             bool at_end)
{
    const char *end = name + strlen(name), *at = name;
    for (; (at = memmem(at, (size_t)(end - at), part, length)); at++)
        if ((at == name || at[-1] == '.') &&
            (at[length] == '\0' || (at[length] == '.' && !at_end)))
            return at;
    return NULL;
}

static const char *respell_once(Arena *arena, const char *name,
                                const Spelling *spelling)
{
    size_t length = strlen(spelling->from);
    bool at_end = spelling->from[length - 1] == '$';
    length -= at_end;
    const char *at = find_part(name, spelling->from, length, at_end);
    return at ? arena_printf(arena, "%.*s%s%s", (int)(at - name), name,
                             spelling->to, at + length)
              : name;
}

static const char *respell(Arena *arena, const char *name,
                           const Spelling *spellings)
{
    for (; spellings->from; spellings++)
        name = respell_once(arena, name, spellings);
    return name;
}

/* What stands before the first "stem" of any name. */
static const char *find_prefix(const Keys *keys)
{
    static const char part[] = "stem";
    for (size_t i = 0; i < keys->count; i++) {
        const char *at = keys->names[i] ? find_part(keys->names[i], part,
                                                    sizeof part - 1, false)
                                        : NULL;
        if (at)
            return arena_strndup(keys->arena, keys->names[i],
                                 (size_t)(at - keys->names[i]));
    }
    return "";
}

Keys *keys_spell(Arena *arena, const ZooList *list, const Spelling *spellings)
{
    Keys *keys = arena_alloc(arena, sizeof *keys);
    keys->arena = arena;
    keys->tensors = list->tensors;
    keys->count = list->count;
    keys->names = arena_array(arena, list->count + 1, sizeof *keys->names);
    for (size_t i = 0; i < keys->count; i++)
        if (strlen(list->tensors[i].name) < NAME_MAX_BYTES)
            keys->names[i] = respell(arena, list->tensors[i].name, spellings);
    const char *prefix = find_prefix(keys);
    size_t length = strlen(prefix);
    for (size_t i = 0; i < keys->count && length > 0; i++)
        if (keys->names[i])
            keys->names[i] = strncmp(keys->names[i], prefix, length) == 0
                                 ? keys->names[i] + length
                                 : NULL;
    return keys;
}

void keys_index(Keys *keys)
{
    keys->index = map_new(keys->arena);
    for (size_t i = 0; i < keys->count; i++)
        if (keys->names[i])
            map_put(keys->index, keys->names[i], (void *)&keys->tensors[i]);
}

static const int64_t *find_dims(const Keys *keys, int rank, const char *name)
{
    const ZooTensor *tensor = map_get(keys->index, name);
    if (!tensor || tensor->rank != rank)
        return NULL;
    for (int i = 0; i < rank; i++)
        if (tensor->dims[i] < 1 || tensor->dims[i] > WIDTH_MAX)
            return NULL;
    return tensor->dims;
}

const int64_t *keys_dims(const Keys *keys, int rank, const char *format, ...)
{
    char name[NAME_MAX_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    return find_dims(keys, rank, name);
}

const int64_t *keys_kernel(const Keys *keys, const char *prefix,
                           const char *branch)
{
    const int64_t *dims = keys_dims(keys, 4, "%s.%s.weight", prefix, branch);
    return dims ? dims : keys_dims(keys, 4, "%s.reparam_conv.weight", prefix);
}

int keys_depth(const Keys *keys, const char *prefix)
{
    size_t length = strlen(prefix);
    long depth = 0;
    for (size_t i = 0; i < keys->count; i++) {
        const char *name = keys->names[i];
        char *end;
        if (!name || strncmp(name, prefix, length) != 0 || name[length] < '0' ||
            name[length] > '9')
            continue;
        long number = strtol(name + length, &end, 10);
        if (*end == '.' && number >= depth && number < DEPTH_MAX)
            depth = number + 1;
    }
    return (int)depth;
}

bool keys_mention(const Keys *keys, const char *text)
{
    for (size_t i = 0; i < keys->count; i++)
        if (keys->names[i] && strstr(keys->names[i], text))
            return true;
    return false;
}
