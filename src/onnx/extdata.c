#include "onnx/extdata.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/sha1.h"
#include "base/utf8.h"
#include "onnx/read.h"
#include "onnx/wire.h"

static void external_close(void *object)
{
    External *external = object;
    for (DataFile *file = external->files; file; file = file->next)
        if (file->bytes.size > 0)
            munmap((void *)(uintptr_t)file->bytes.bytes, file->bytes.size);
    if (external->folder_fd >= 0)
        close(external->folder_fd);
}

External *external_new(Arena *arena, const char *folder)
{
    External *external = arena_alloc(arena, sizeof *external);
    *external = (External){
        .arena = arena,
        .folder = folder ? arena_strdup(arena, folder) : NULL,
        .folder_fd = -1,
        .by_location = map_new(arena),
    };
    external->last = &external->files;
    arena_defer(arena, external_close, external);
    return external;
}

static void release(Span span)
{
    if (span.size > 0)
        madvise((void *)(uintptr_t)span.bytes, span.size, MADV_DONTNEED);
}

void external_release(const External *external)
{
    release(external->map);
    for (const DataFile *file = external->files; file; file = file->next)
        release(file->bytes);
}

size_t external_size(const External *external)
{
    size_t size = 0;
    for (const DataFile *file = external->files; file; file = file->next)
        size += file->bytes.size;
    return size;
}

bool external_is(const External *external, const struct stat *status)
{
    for (const DataFile *file = external->files; file; file = file->next)
        if (file->device == status->st_dev && file->inode == status->st_ino)
            return true;
    return false;
}

/* ---- What the tensor says ---- */

/* The entries of external_data (onnx.proto, TensorProto). */
typedef struct Place {
    const char *location, *checksum; /* NULL where they are left out */
    uint64_t offset, length;
    bool has_offset, has_length;
} Place;

static int refuse(Err *err, const char *what)
{
    return err_set(err, ERR_EXTERNAL_DATA, "%s", what);
}

/* Decimal digits and nothing else. */
static bool parse_number(const char *text, uint64_t *number)
{
    *number = 0;
    if (!*text)
        return false;
    for (; *text; text++)
        if (*text < '0' || *text > '9' ||
            __builtin_mul_overflow(*number, 10, number) ||
            __builtin_add_overflow(*number, (uint64_t)(*text - '0'), number))
            return false;
    return *number <= INT64_MAX;
}

static int take_number(Arena *arena, const char *key, const char *text,
                       uint64_t *number, bool *has, Err *err)
{
    if (*has)
        return err_set(err, ERR_EXTERNAL_DATA,
                       "its external data have two entries %s", key);
    if (!parse_number(text, number))
        return err_set(
            err, ERR_EXTERNAL_DATA,
            "the %s of its external data is %s, not a decimal number", key,
            name_text(arena, text));
    *has = true;
    return 0;
}

static int take_text(const char *key, const char *text, const char **field,
                     Err *err)
{
    if (*field)
        return err_set(err, ERR_EXTERNAL_DATA,
                       "its external data have two entries %s", key);
    *field = text;
    return 0;
}

static int take_entry(Arena *arena, Span entry, Place *place, Err *err)
{
    enum { KEY = 1, VALUE = 2 };
    const char *key = wire_string(arena, entry, KEY);
    const char *value = wire_string(arena, entry, VALUE);
    if (strcmp(key, "location") == 0)
        return take_text(key, value, &place->location, err);
    if (strcmp(key, "checksum") == 0)
        return take_text(key, value, &place->checksum, err);
    if (strcmp(key, "offset") == 0)
        return take_number(arena, key, value, &place->offset,
                           &place->has_offset, err);
    if (strcmp(key, "length") == 0)
        return take_number(arena, key, value, &place->length,
                           &place->has_length, err);
    /* A folder that the writer's own library noted for itself. */
    if (strcmp(key, "basepath") == 0)
        return 0;
    return err_set(err, ERR_EXTERNAL_DATA,
                   "its external data have the entry %s, which is none of "
                   "ONNX's",
                   name_text(arena, key));
}

/* What has a meaning of its own on some system, or to some reader. */
static bool is_plain(unsigned char c)
{
    return c >= ' ' && c != 0x7f && !strchr("\\:*?\"<>|%#", c);
}

const char *external_location(Arena *arena, const char *name, size_t most)
{
    char *location = arena_strdup(arena, name);
    size_t left = strlen(name), length;
    for (char *at = location; left > 0; at += length, left -= length) {
        length = utf8_sequence(at, left);
        if (length > 1 || (length == 1 && is_plain((unsigned char)*at)))
            continue;
        *at = '_';
        length = 1;
    }
    location[utf8_cut(location, most)] = '\0';
    return location;
}

/* Why a location is none, or NULL: a relative path of plain names. */
static const char *location_fault(const char *location)
{
    if (strlen(location) >= PATH_MAX)
        return "is too long";
    for (const char *c = location; *c; c++)
        if (!is_plain((unsigned char)*c))
            return "has a character that no such path should have";
    for (const char *part = location; part; part = strchr(part, '/')) {
        part += part != location; /* behind the slash */
        size_t length = strcspn(part, "/");
        if (length == 0)
            return "is not a relative path";
        if ((length == 1 && part[0] == '.') ||
            (length == 2 && part[0] == '.' && part[1] == '.'))
            return "is not a plain relative path: it has . or .. in it";
    }
    return NULL;
}

static int read_place(Arena *arena, Span tensor, Place *place, Err *err)
{
    enum { EXTERNAL_DATA = 13 };
    Wire wire = wire_over(tensor);
    Field field;
    *place = (Place){0};
    while (wire_find(&wire, EXTERNAL_DATA, WIRE_BYTES, &field))
        TRY(take_entry(arena, field.payload, place, err));
    if (!place->location)
        return refuse(err, "its external data have no location");
    const char *fault = location_fault(place->location);
    if (fault)
        return err_set(err, ERR_EXTERNAL_DATA,
                       "the location %s of its external data %s",
                       name_text(arena, place->location), fault);
    return 0;
}

/* ---- Opening ---- */

/* FIFOs must not block, and terminals not become ours. */
enum { OPEN_FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW };

/* Component by component, for kernels before 5.6. */
static int open_by_steps(int folder, const char *location)
{
    int at = fcntl(folder, F_DUPFD_CLOEXEC, 0);
    for (const char *slash; at >= 0 && (slash = strchr(location, '/'));
         location = slash + 1) {
        char part[NAME_MAX + 1];
        size_t length = (size_t)(slash - location);
        int next = -1;
        errno = ENAMETOOLONG;
        if (length < sizeof part) {
            memcpy(part, location, length);
            part[length] = '\0';
            next =
                openat(at, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        }
        close(at);
        at = next;
    }
    if (at < 0)
        return -1;
    int file = openat(at, location, OPEN_FLAGS);
    close(at);
    return file;
}

static int open_beneath(int folder, const char *location)
{
    struct open_how how = {
        .flags = OPEN_FLAGS,
        .resolve =
            RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    int fd = (int)syscall(SYS_openat2, folder, location, &how, sizeof how);
    /* EPERM: a container's filter that does not know the call. */
    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        return open_by_steps(folder, location);
    return fd;
}

static int open_folder(External *external, Arena *arena, Err *err)
{
    if (!external->folder)
        return refuse(err, "the model does not come from a file, so there is "
                           "no folder to look in: name one with --data-dir "
                           "(data_dir)");
    if (external->folder_fd >= 0)
        return 0;
    external->folder_fd =
        open(external->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (external->folder_fd < 0)
        return err_set(err, ERR_EXTERNAL_DATA, "cannot open the folder %s: %s",
                       name_text(arena, external->folder), strerror(errno));
    return 0;
}

static int check_file(const External *external, const struct stat *status,
                      Err *err)
{
    if (!S_ISREG(status->st_mode))
        return refuse(err, "it is not a regular file");
    if (status->st_nlink != 1)
        return refuse(err, "the file has other names too, so it may lie "
                           "elsewhere: put a copy there");
    if (external->model.st_ino != 0 &&
        external->model.st_ino == status->st_ino &&
        external->model.st_dev == status->st_dev)
        return refuse(err, "it is the model itself");
    return 0;
}

static int map_file(External *external, int fd, DataFile *file, Err *err)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return refuse(err, strerror(errno));
    TRY(check_file(external, &status, err));
    file->device = status.st_dev;
    file->inode = status.st_ino;
    size_t size = (size_t)status.st_size;
    if (size == 0)
        return 0;
    void *map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return refuse(err, strerror(errno));
    file->bytes = (Span){map, size};
    return 0;
}

/* What is wrong with the file, or with the system that should open it. */
static int open_fault(int problem, Err *err)
{
    if (problem == ELOOP || problem == ENOTDIR || problem == EXDEV)
        return refuse(err, "it is a link, or its path has one");
    if (problem == ENXIO)
        return refuse(err, "it is not a regular file");
    bool systems = problem == EMFILE || problem == ENFILE ||
                   problem == ENOMEM || problem == EIO;
    return err_set(err, systems ? ERR_IO : ERR_EXTERNAL_DATA, "%s",
                   strerror(problem));
}

static int open_file(External *external, Arena *arena, const char *location,
                     DataFile **out, Err *err)
{
    *out = map_get(external->by_location, location);
    if (*out)
        return 0;
    TRY(open_folder(external, arena, err));
    /* Nothing is allocated while the file is open, or mapped and not listed. */
    DataFile *file = arena_alloc(external->arena, sizeof *file);
    file->location = arena_strdup(external->arena, location);
    int fd = open_beneath(external->folder_fd, location);
    if (fd < 0)
        return open_fault(errno, err);
    int status = map_file(external, fd, file, err);
    close(fd);
    TRY(status);
    *external->last = file;
    external->last = &file->next;
    map_put(external->by_location, file->location, file);
    *out = file;
    return 0;
}

/* ---- Checksums ---- */

static void hash_file(const External *external, DataFile *file)
{
    enum { AT_ONCE = 64 << 20 };
    Sha1 sha;
    sha1_start(&sha);
    for (size_t done = 0; done < file->bytes.size; done += AT_ONCE) {
        size_t left = file->bytes.size - done;
        sha1_add(&sha, file->bytes.bytes + done,
                 left < AT_ONCE ? left : AT_ONCE);
        external_release(external);
    }
    sha1_end(&sha, file->digest);
    file->is_hashed = true;
}

/* The value of a hexadecimal digit, which is not NUL; or -1. */
static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c);
    return at ? (int)(at - digits) : -1;
}

/* Policy: a checksum is optional, but a wrong one is an error. */
static int check_sum(const External *external, DataFile *file,
                     const char *checksum, Err *err)
{
    uint8_t digest[SHA1_SIZE];
    bool is_sha1 = strlen(checksum) == 2 * SHA1_SIZE;
    for (size_t i = 0; is_sha1 && i < SHA1_SIZE; i++) {
        int high = hex_digit(checksum[2 * i]);
        int low = hex_digit(checksum[2 * i + 1]);
        is_sha1 = high >= 0 && low >= 0;
        digest[i] = (uint8_t)(high * 16 + low);
    }
    if (!is_sha1)
        return refuse(err, "its checksum is not a SHA-1 digest");
    if (!file->is_hashed)
        hash_file(external, file);
    if (memcmp(digest, file->digest, SHA1_SIZE) != 0)
        return refuse(err, "the file does not have the checksum that the "
                           "model says");
    return 0;
}

/* ---- All of it ---- */

static int find_place(External *external, Arena *arena, const Place *place,
                      Span *out, Err *err)
{
    DataFile *file;
    TRY(open_file(external, arena, place->location, &file, err));
    if (place->checksum)
        TRY(check_sum(external, file, place->checksum, err));
    size_t size = file->bytes.size;
    if (place->offset > size)
        return err_set(err, ERR_EXTERNAL_DATA,
                       "begins at byte %llu of a file of %zu",
                       (unsigned long long)place->offset, size);
    size_t left = size - (size_t)place->offset;
    if (place->length > left)
        return err_set(err, ERR_EXTERNAL_DATA,
                       "%llu bytes from byte %llu on do not fit into a file "
                       "of %zu",
                       (unsigned long long)place->length,
                       (unsigned long long)place->offset, size);
    size_t length = place->has_length ? (size_t)place->length : left;
    *out = (Span){0};
    if (length > 0)
        *out = (Span){file->bytes.bytes + place->offset, length};
    return 0;
}

int external_find(External *external, Arena *arena, Span tensor, Span *out,
                  Err *err)
{
    Place place;
    TRY(read_place(arena, tensor, &place, err));
    if (find_place(external, arena, &place, out, err) < 0)
        return err_prefix(err, "data file %s",
                          name_text(arena, place.location));
    return 0;
}
