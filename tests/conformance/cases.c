#include "cases.h"

#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scope.h"

/* nftw takes no context. */
static struct {
    Arena *arena;
    Case *cases;
    size_t count, capacity;
} found;

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int count_sets(const Case *test)
{
    int sets = 0;
    while (access(case_data(found.arena, test, sets), F_OK) == 0)
        sets++;
    return sets;
}

static int visit(const char *path, const struct stat *status, int type,
                 struct FTW *where)
{
    (void)status;
    if (type != FTW_F || strcmp(path + where->base, "model.onnx") != 0)
        return 0;
    found.cases = arena_grow(found.arena, found.cases, &found.capacity,
                             found.count + 1, sizeof *found.cases);
    Case *test = &found.cases[found.count++];
    *test = (Case){.model = arena_printf(found.arena, "%s", path)};
    test->folder =
        arena_printf(found.arena, "%.*s", where->base - 1, test->model);
    test->name = last_part(test->folder);
    test->sets = count_sets(test);
    scope_of_case(found.arena, test);
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const Case *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : strcmp(x->folder, y->folder);
}

Case *cases_find(Arena *arena, const char *root, size_t *count)
{
    found.arena = arena;
    found.cases = NULL;
    found.count = found.capacity = 0;
    nftw(root, visit, 16, FTW_PHYS);
    if (found.count > 0)
        qsort(found.cases, found.count, sizeof *found.cases, by_name);
    *count = found.count;
    return found.cases;
}

const char *case_data(Arena *arena, const Case *test, int set)
{
    return arena_printf(arena, "%s/test_data_set_%d", test->folder, set);
}
