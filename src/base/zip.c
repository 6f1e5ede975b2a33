#include "base/zip.h"

#include <stdlib.h>
#include <string.h>

#include "base/inflate.h"

/* Signatures and fixed sizes of records. */
enum {
    LOCAL_MAGIC = 0x04034b50,
    LOCAL_SIZE = 30,
    CENTRAL_MAGIC = 0x02014b50,
    CENTRAL_SIZE = 46,
    END_MAGIC = 0x06054b50,
    END_SIZE = 22,
    COMMENT_MOST = 0xffff,
    LOCATOR_MAGIC = 0x07064b50,
    LOCATOR_SIZE = 20,
    END64_MAGIC = 0x06064b50,
    END64_SIZE = 56,
    EXTRA64 = 1
};

enum { STORED = 0, DEFLATED = 8 };
enum { FLAG_ENCRYPTED = 1, FLAG_SIZES_BEHIND = 8 };
/* Strong encryption and a directory that is masked. */
enum { FLAGS_REFUSED = 1 << 6 | 1 << 13 };

/* In a field of 16 or 32 bits: the number is in the zip64 part. */
static const uint64_t elsewhere16 = 0xffff, elsewhere32 = 0xffffffff;

typedef struct Archive {
    const uint8_t *bytes;
    size_t size;
    uint64_t count, directory, directory_size;
} Archive;

static uint64_t little(const uint8_t *bytes, int size)
{
    uint64_t value = 0;
    for (int i = size - 1; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value;
}

static int bad(Err *err, const char *what)
{
    return err_set(err, ERR_BAD_ARCHIVE, "the zip archive is damaged: %s",
                   what);
}

bool zip_is(const void *bytes, size_t size)
{
    return size >= END_SIZE &&
           (little(bytes, 4) == LOCAL_MAGIC || little(bytes, 4) == END_MAGIC);
}

/* ---- The end, where reading begins ---- */

/* The end record has a comment behind it that reaches to the end. */
static const uint8_t *find_end(const Archive *archive)
{
    for (size_t comment = 0;
         comment <= COMMENT_MOST && comment + END_SIZE <= archive->size;
         comment++) {
        const uint8_t *end =
            archive->bytes + archive->size - END_SIZE - comment;
        if (little(end, 4) == END_MAGIC && little(end + 20, 2) == comment)
            return end;
    }
    return NULL;
}

/* A number of the end record, unless it is that of the zip64 record. */
static bool agrees(uint64_t value, uint64_t elsewhere, uint64_t value64)
{
    return value == elsewhere || value == value64;
}

/* The zip64 record is just before the locator, which is before the end. */
static int read_end64(Archive *archive, const uint8_t *end, Err *err)
{
    const uint8_t *locator = end - LOCATOR_SIZE;
    uint64_t place = little(locator + 8, 8);
    size_t before = (size_t)(locator - archive->bytes);
    if (before < END64_SIZE || place > before - END64_SIZE)
        return bad(err, "its zip64 record is not inside");
    const uint8_t *record = archive->bytes + place;
    if (little(record, 4) != END64_MAGIC ||
        little(record + 4, 8) != before - place - 12)
        return bad(err, "it has no zip64 record where it says");
    if (little(locator + 16, 4) > 1 || little(record + 16, 8) != 0)
        return bad(err, "it is one part of several");
    archive->count = little(record + 32, 8);
    archive->directory_size = little(record + 40, 8);
    archive->directory = little(record + 48, 8);
    if (little(record + 24, 8) != archive->count ||
        !agrees(little(end + 10, 2), elsewhere16, archive->count) ||
        !agrees(little(end + 12, 4), elsewhere32, archive->directory_size) ||
        !agrees(little(end + 16, 4), elsewhere32, archive->directory))
        return bad(err, "its two end records contradict each other");
    archive->size = place;
    return 0;
}

/* Afterwards the directory is the last thing in archive->size. */
static int read_end(Archive *archive, Err *err)
{
    const uint8_t *end = find_end(archive);
    if (!end)
        return bad(err, "it has no end record: perhaps it is cut off");
    if (little(end + 4, 4) != 0 || little(end + 8, 2) != little(end + 10, 2))
        return bad(err, "it is one part of several");
    archive->count = little(end + 10, 2);
    archive->directory_size = little(end + 12, 4);
    archive->directory = little(end + 16, 4);
    archive->size = (size_t)(end - archive->bytes);
    if (archive->size >= LOCATOR_SIZE &&
        little(end - LOCATOR_SIZE, 4) == LOCATOR_MAGIC)
        TRY(read_end64(archive, end, err));
    if (archive->directory > archive->size ||
        archive->directory_size != archive->size - archive->directory)
        return bad(err, "its directory is not in front of its end");
    if (archive->count > archive->directory_size / CENTRAL_SIZE)
        return bad(err, "its directory is too small for its entries");
    return 0;
}

/* ---- The directory ---- */

/* Takes the next number of the zip64 extra field where `value` says so. */
static bool take64(uint64_t *value, const uint8_t **extra, const uint8_t *end)
{
    if (*value != elsewhere32)
        return true;
    if (end - *extra < 8)
        return false;
    *value = little(*extra, 8);
    *extra += 8;
    return true;
}

/* The zip64 extra field; empty when there is none. */
static void find_extra64(const uint8_t *extra, size_t size,
                         const uint8_t **start, const uint8_t **end)
{
    *start = *end = extra;
    for (size_t i = 0; size - i >= 4;) {
        size_t length = (size_t)little(extra + i + 2, 2);
        if (length > size - i - 4)
            return;
        if (little(extra + i, 2) == EXTRA64) {
            *start = extra + i + 4;
            *end = *start + length;
            return;
        }
        i += 4 + length;
    }
}

static int read_sizes(const uint8_t *header, ZipEntry *entry, Err *err)
{
    size_t name = (size_t)little(header + 28, 2);
    const uint8_t *extra, *end;
    find_extra64(header + CENTRAL_SIZE + name, (size_t)little(header + 30, 2),
                 &extra, &end);
    uint64_t packed = little(header + 20, 4), size = little(header + 24, 4);
    entry->place = little(header + 42, 4);
    if (!take64(&size, &extra, end) || !take64(&packed, &extra, end) ||
        !take64(&entry->place, &extra, end))
        return bad(err, "an entry has no zip64 sizes where it needs them");
    entry->packed_size = packed;
    entry->size = size;
    return 0;
}

static int check_method(const uint8_t *header, ZipEntry *entry, Err *err)
{
    uint64_t flags = little(header + 8, 2), method = little(header + 10, 2);
    if (flags & (FLAG_ENCRYPTED | FLAGS_REFUSED))
        return err_set(err, ERR_BAD_ARCHIVE, "the zip archive is encrypted");
    if (method != STORED && method != DEFLATED)
        return err_set(err, ERR_BAD_ARCHIVE,
                       "the zip archive has data compressed by method %d, "
                       "which is neither stored nor deflate",
                       (int)method);
    entry->is_deflated = method == DEFLATED;
    if (!entry->is_deflated && entry->size != entry->packed_size)
        return bad(err, "a stored entry has two sizes");
    return 0;
}

/* Nothing is unpacked to disk, but a name that would climb out of a folder is
 * no archiver's. */
static bool name_is_plain(const char *name, size_t length)
{
    if (length == 0 || name[0] == '/' || strlen(name) != length)
        return false;
    for (const char *part = name; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || !part[2]))
            return false;
    }
    return true;
}

/* One entry of the directory, of which `left` bytes are left; its size in the
 * directory goes to `taken`. */
static int read_central(Arena *arena, const uint8_t *header, size_t left,
                        ZipEntry *entry, size_t *taken, Err *err)
{
    if (left < CENTRAL_SIZE || little(header, 4) != CENTRAL_MAGIC)
        return bad(err, "its directory is not one");
    size_t length = (size_t)little(header + 28, 2);
    *taken = CENTRAL_SIZE + length + (size_t)little(header + 30, 2) +
             (size_t)little(header + 32, 2);
    if (*taken > left)
        return bad(err, "its directory is not one");
    const char *name = (const char *)header + CENTRAL_SIZE;
    entry->name = arena_strndup(arena, name, length);
    entry->crc = (uint32_t)little(header + 16, 4);
    if (little(header + 34, 2) != 0)
        return bad(err, "it is one part of several");
    if (!name_is_plain(entry->name, length))
        return bad(err, "an entry has no name that a file could have");
    TRY(read_sizes(header, entry, err));
    return check_method(header, entry, err);
}

/* ---- Entries ---- */

/* Sizes in front of the data may be left out, or be in a zip64 field. */
static bool size_agrees(const uint8_t *field, uint64_t value, uint64_t flags)
{
    uint64_t local = little(field, 4);
    return local == value || local == elsewhere32 ||
           (local == 0 && (flags & FLAG_SIZES_BEHIND));
}

/* The header in front of an entry's data must repeat the directory. */
static int read_local(const Archive *archive, const uint8_t *central,
                      ZipEntry *entry, Err *err)
{
    if (archive->directory < LOCAL_SIZE ||
        entry->place > archive->directory - LOCAL_SIZE)
        return bad(err, "an entry lies behind its directory");
    const uint8_t *header = archive->bytes + entry->place;
    uint64_t room = archive->directory - entry->place - LOCAL_SIZE;
    uint64_t length = little(header + 26, 2);
    uint64_t front = length + little(header + 28, 2);
    if (little(header, 4) != LOCAL_MAGIC || front > room ||
        entry->packed_size > room - front)
        return bad(err, "an entry is not where its directory says");
    uint64_t flags = little(header + 6, 2);
    if (flags != little(central + 8, 2) || length != strlen(entry->name) ||
        memcmp(header + LOCAL_SIZE, entry->name, length) != 0 ||
        little(header + 8, 2) != little(central + 10, 2) ||
        !size_agrees(header + 18, entry->packed_size, flags) ||
        !size_agrees(header + 22, entry->size, flags))
        return bad(err, "an entry is not what its directory says");
    entry->packed = header + LOCAL_SIZE + front;
    return 0;
}

static int by_place(const void *a, const void *b)
{
    const ZipEntry *x = *(const ZipEntry *const *)a;
    const ZipEntry *y = *(const ZipEntry *const *)b;
    return x->place < y->place ? -1 : x->place > y->place;
}

static int check_overlap(Arena *arena, const Archive *archive, const Zip *zip,
                         Err *err)
{
    const ZipEntry **sorted = arena_array(arena, zip->count, sizeof *sorted);
    for (size_t i = 0; i < zip->count; i++)
        sorted[i] = &zip->entries[i];
    if (zip->count > 0)
        qsort(sorted, zip->count, sizeof *sorted, by_place);
    for (size_t i = 1; i < zip->count; i++)
        if (sorted[i - 1]->packed + sorted[i - 1]->packed_size >
            archive->bytes + sorted[i]->place)
            return bad(err, "two entries overlap");
    return 0;
}

static int read_entries(Arena *arena, const Archive *archive, Zip *zip,
                        Err *err)
{
    const uint8_t *header = archive->bytes + archive->directory;
    size_t left = archive->directory_size, taken = 0;
    for (; zip->count < archive->count; header += taken, left -= taken) {
        ZipEntry *entry = &zip->entries[zip->count++];
        TRY(read_central(arena, header, left, entry, &taken, err));
        TRY(read_local(archive, header, entry, err));
        if (map_get(zip->names, entry->name))
            return bad(err, "two entries have the same name");
        map_put(zip->names, entry->name, entry);
    }
    if (left > 0)
        return bad(err, "its directory has more entries than it says");
    return check_overlap(arena, archive, zip, err);
}

int zip_open(Arena *arena, const void *bytes, size_t size, Zip **out, Err *err)
{
    Archive archive = {.bytes = bytes, .size = size};
    TRY(read_end(&archive, err));
    Zip *zip = arena_alloc(arena, sizeof *zip);
    zip->entries = arena_array(arena, archive.count, sizeof *zip->entries);
    zip->names = map_new(arena);
    zip->limit = inflate_limit(arena, size);
    *out = zip;
    return read_entries(arena, &archive, zip, err);
}

const ZipEntry *zip_find(const Zip *zip, const char *name)
{
    return map_get(zip->names, name);
}

int zip_read(Arena *arena, Zip *zip, const ZipEntry *entry, const void **out,
             Err *err)
{
    *out = entry->packed;
    if (entry->is_deflated) {
        if (entry->size > zip->limit)
            return inflate_refuse(zip->limit, err);
        zip->limit -= entry->size;
        void *bytes = arena_block(arena, entry->size, 1);
        TRY(inflate_raw(arena, entry->packed, entry->packed_size, bytes,
                        entry->size, err));
        *out = bytes;
    }
    if (crc_add(0, *out, entry->size) != entry->crc)
        return bad(err, "an entry does not have its checksum");
    return 0;
}
