/*
 * The fuzz targets on their seeds, on every seed
 * with one bit the other way and cut at every byte: none may crash, hang or
 * leave out why it refuses.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/readers.h"
#include "suites.h"

#define CORPUS "tests/fuzz/corpus/"
enum { SEED_BYTES = 1 << 13, SEEDS_MAX = 64 };

typedef struct Seed {
    char name[64];
    uint8_t bytes[SEED_BYTES];
    size_t size;
} Seed;

static Seed seeds[SEEDS_MAX];
static int seed_count;

static void seed_load(const char *name)
{
    Seed *seed = &seeds[seed_count];
    char path[512];
    snprintf(path, sizeof path, CORPUS "%s", name);
    /* Data that a seed refers to are none. */
    bool is_seed = name[0] != '.' && !strstr(name, ".data");
    FILE *file = is_seed ? fopen(path, "rb") : NULL;
    if (!file || seed_count == SEEDS_MAX)
        return;
    snprintf(seed->name, sizeof seed->name, "%.60s", name);
    seed->size = fread(seed->bytes, 1, SEED_BYTES, file);
    fclose(file);
    seed_count++;
}

static void seeds_load(void)
{
    DIR *folder = opendir(CORPUS);
    if (!folder)
        return;
    for (struct dirent *entry; (entry = readdir(folder));)
        seed_load(entry->d_name);
    closedir(folder);
}

static void run(const Seed *seed, const uint8_t *bytes, size_t size)
{
    if (strstr(seed->name, ".pickle")) {
        fuzz_pickle(bytes, size);
    } else if (strstr(seed->name, ".gz")) {
        fuzz_gzip(bytes, size);
    } else if (strstr(seed->name, ".png") || strstr(seed->name, ".jpg")) {
        fuzz_image(bytes, size);
    } else if (strstr(seed->name, ".npz")) {
        fuzz_npz(bytes, size);
    } else if (strstr(seed->name, "external")) {
        fuzz_external(bytes, size);
        fuzz_diff(bytes, size);
    } else if (strstr(seed->name, ".onnx")) {
        fuzz_model(bytes, size);
        fuzz_fold(bytes, size);
        fuzz_run(bytes, size);
    } else if (strstr(seed->name, ".npy")) {
        fuzz_npy(bytes, size);
    } else {
        fuzz_checkpoint(bytes, size);
        fuzz_import(bytes, size);
    }
}

START_TEST(the_seeds_are_there)
{
    static const struct {
        const char *ending;
        int least;
    } kinds[] = {{".pickle", 4}, {".checkpoint", 3}, {".onnx", 5},
                 {".npy", 3},    {".png", 2},        {".jpg", 1},
                 {".npz", 2},    {".gz", 1},         {"external", 1}};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        int count = 0;
        for (int i = 0; i < seed_count; i++)
            count += strstr(seeds[i].name, kinds[k].ending) != NULL;
        ck_assert_int_ge(count, kinds[k].least);
    }
}
END_TEST

START_TEST(a_flipped_bit)
{
    Seed *seed = &seeds[_i];
    ck_assert_uint_lt(seed->size, SEED_BYTES);
    run(seed, seed->bytes, seed->size);
    for (size_t bit = 0; bit < 8 * seed->size; bit++) {
        seed->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        run(seed, seed->bytes, seed->size);
        seed->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}
END_TEST

START_TEST(a_cut)
{
    const Seed *seed = &seeds[_i];
    for (size_t size = 0; size < seed->size; size++) {
        /* A block of its own, so that a sanitizer sees a read beyond it. */
        uint8_t *bytes = malloc(size + 1);
        memcpy(bytes, seed->bytes, size);
        run(seed, bytes, size);
        free(bytes);
    }
}
END_TEST

Suite *suite_readers(void)
{
    seeds_load();
    Suite *suite = suite_create("readers");
    TCase *tcase = tcase_create("readers");
    tcase_add_test(tcase, the_seeds_are_there);
    tcase_add_loop_test(tcase, a_flipped_bit, 0, seed_count);
    tcase_add_loop_test(tcase, a_cut, 0, seed_count);
    suite_add_tcase(suite, tcase);
    return suite;
}
