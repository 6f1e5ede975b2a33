#include "folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/repfold-test-XXXXXX";

const char *in_folder(const char *name)
{
    return arena_printf(arena, "%s/%s", folder, name);
}

void folder_setup(void)
{
    models_setup();
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

void folder_teardown(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
    models_teardown();
}

void put_bytes(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

void put_file(const char *path, const char *text)
{
    put_bytes(path, text, strlen(text));
}

Span get_file(const char *path)
{
    struct stat status;
    int fd = open(path, O_RDONLY);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fstat(fd, &status), 0);
    uint8_t *bytes = arena_alloc(arena, (size_t)status.st_size);
    ck_assert_int_eq(read(fd, bytes, (size_t)status.st_size), status.st_size);
    close(fd);
    return (Span){bytes, (size_t)status.st_size};
}

void check_file(const char *path, const char *text)
{
    check_same_bytes(get_file(path),
                     (Span){(const uint8_t *)text, strlen(text)});
}

static int count_entries(const char *path)
{
    int count = 0;
    DIR *entries = opendir(path);
    while (readdir(entries))
        count++;
    closedir(entries);
    return count - 2;
}

int count_files(void)
{
    return count_entries(folder);
}

int count_open(void)
{
    return count_entries("/proc/self/fd") - 1;
}
