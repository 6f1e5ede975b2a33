/*
 * Kernels on shapes at random: ranks 0 to 7, sizes 0 to 5, against the oracle
 * in both precisions and at every level of the machine (check_oracle).
 * exec_case.h has the notation of the lines.
 */
#include "base/random.h"
#include "exec_case.h"
#include "graph/dump.h"
#include "suites.h"

enum { SEEDS = 40, MOST_RANK = 7, MOST_SIZE = 5 };

static Arena *arena;
static uint64_t seed;

static void setup(void)
{
    arena = arena_new(0);
}

static void teardown(void)
{
    arena_free(arena);
}

/* Every seed has a stream of its own. */
static void start(int index)
{
    seed = random_stream(1, (uint64_t)index);
}

static int64_t pick(int64_t low, int64_t high)
{
    seed = random_bits(seed, 1);
    return low + (int64_t)(seed % (uint64_t)(high - low + 1));
}

#define PICK_OF(list)                                                          \
    (list)[pick(0, (int64_t)(sizeof(list) / sizeof *(list)) - 1)]

/* ---- Shapes and lists ---- */

typedef struct Dims {
    int rank;
    int64_t size[RANK_MAX];
} Dims;

static int64_t dims_count(const Dims *dims)
{
    int64_t count = 1;
    for (int i = 0; i < dims->rank; i++)
        count *= dims->size[i];
    return count;
}

/* Small enough for an oracle that looks at all elements for each; one in eight
 * may have a size of 0. */
static Dims some_dims(int least_rank, int most_rank, int64_t least_size)
{
    enum { ELEMENTS_MOST = 400 };
    bool may_be_empty = least_size == 0 && pick(0, 7) == 0;
    Dims dims;
    do {
        dims.rank = (int)pick(least_rank, most_rank);
        for (int i = 0; i < dims.rank; i++)
            dims.size[i] = pick(may_be_empty ? 0 : 1, MOST_SIZE);
    } while (dims_count(&dims) > ELEMENTS_MOST);
    return dims;
}

static const char *list_text(int64_t count, const int64_t *values)
{
    Text text = {.arena = arena};
    for (int64_t i = 0; i < count; i++)
        text_printf(&text, "%s%lld", i ? "," : "", (long long)values[i]);
    return text.bytes ? text.bytes : "";
}

/* "f32[2,3]" */
static const char *input_text(const char *type, const Dims *dims)
{
    return arena_printf(arena, "%s[%s]", type,
                        list_text(dims->rank, dims->size));
}

/* "i64[2]{4,5}" */
static const char *values_text(const Dims *dims, const int64_t *values)
{
    return arena_printf(arena, "i64[%s]{%s}", list_text(dims->rank, dims->size),
                        list_text(dims_count(dims), values));
}

static const char *vector_text(int64_t count, const int64_t *values)
{
    Dims dims = {1, {count}};
    return values_text(&dims, values);
}

/* Positions on an axis of that size, some counted from its end. */
static const char *indices_text(const Dims *dims, int64_t size)
{
    int64_t count = dims_count(dims);
    int64_t *values = arena_array(arena, (size_t)count + 1, sizeof *values);
    for (int64_t i = 0; i < count; i++)
        values[i] = pick(-size, size - 1);
    return values_text(dims, values);
}

/* An axis, or the same counted from the end. */
static int64_t either_way(int axis, int rank)
{
    return pick(0, 1) ? axis : axis - rank;
}

/* A shape that broadcasts to that one: sizes become 1, first axes go. */
static Dims narrowed(const Dims *dims)
{
    Dims out = *dims;
    if (pick(0, 1))
        return out;
    int drop = (int)pick(0, dims->rank);
    out.rank -= drop;
    for (int i = 0; i < out.rank; i++)
        out.size[i] = pick(0, 2) ? dims->size[i + drop] : 1;
    return out;
}

/* ---- Element by element ---- */

START_TEST(maps)
{
    start(_i);
    static const char *const operators[] = {
        "Abs",       "Ceil",    "Celu",       "Cos",       "Elu",
        "Erf",       "Exp",     "Floor",      "Gelu",      "HardSigmoid",
        "HardSwish", "IsInf",   "IsNaN",      "LeakyRelu", "Log",
        "Mish",      "Neg",     "Reciprocal", "Relu",      "Round",
        "Selu",      "Sigmoid", "Sign",       "Sin",       "Softplus",
        "Softsign",  "Sqrt",    "Swish",      "Tanh",      "ThresholdedRelu",
        "Identity"};
    Dims dims = some_dims(0, MOST_RANK, 0);
    check_oracle(arena_printf(arena, "%s(%s) @24", PICK_OF(operators),
                              input_text("f32", &dims)));
    check_oracle(arena_printf(arena, "Not(%s)", input_text("bool", &dims)));
    check_oracle(arena_printf(arena, "Clip(%s, %s, f32[]{1})",
                              input_text("f32", &dims),
                              pick(0, 1) ? "-" : "f32[]{-0.5}"));
}
END_TEST

START_TEST(broadcasts)
{
    start(_i);
    static const char *const reals[] = {"Add",
                                        "Sub",
                                        "Mul",
                                        "Div",
                                        "Max",
                                        "Min",
                                        "Sum",
                                        "Mean",
                                        "Pow",
                                        "Less",
                                        "LessOrEqual",
                                        "Greater",
                                        "GreaterOrEqual",
                                        "Equal"};
    static const char *const bools[] = {"And", "Or", "Xor", "Equal"};
    Dims whole = some_dims(0, MOST_RANK, 0);
    Dims a = narrowed(&whole), b = narrowed(&whole), c = narrowed(&whole);
    check_oracle(arena_printf(arena, "%s(%s, %s)", PICK_OF(reals),
                              input_text("f32", &a), input_text("f32", &b)));
    check_oracle(arena_printf(arena, "%s(%s, %s)", PICK_OF(bools),
                              input_text("bool", &a), input_text("bool", &b)));
    check_oracle(arena_printf(arena, "Mod(%s, %s) fmod=1",
                              input_text("f32", &a), input_text("f32", &b)));
    check_oracle(arena_printf(arena, "Where(%s, %s, %s)",
                              input_text("bool", &a), input_text("f32", &b),
                              input_text("f32", &c)));
    check_oracle(arena_printf(arena, "Sum(%s, %s, %s)", input_text("f32", &a),
                              input_text("f32", &b), input_text("f32", &c)));
    check_oracle(arena_printf(arena, "Expand(%s, %s)", input_text("f32", &a),
                              vector_text(whole.rank, whole.size)));
}
END_TEST

/* ---- Moving ---- */

START_TEST(transposes_and_views)
{
    start(_i);
    Dims dims = some_dims(0, MOST_RANK, 0);
    int64_t perm[RANK_MAX], flat = dims_count(&dims);
    for (int i = 0; i < dims.rank; i++) {
        int64_t other = pick(0, i);
        perm[i] = perm[other];
        perm[other] = i;
    }
    const char *x = input_text(pick(0, 1) ? "f32" : "i64", &dims);
    check_oracle(arena_printf(arena, "Transpose(%s) perm=[%s]", x,
                              list_text(dims.rank, perm)));
    check_oracle(arena_printf(arena, "Reshape(%s, i64[1]{%lld}) allowzero=1", x,
                              (long long)flat));
    check_oracle(arena_printf(arena, "Flatten(%s) axis=%lld", x,
                              (long long)pick(0, dims.rank)));
    check_oracle(arena_printf(arena, "Unsqueeze(%s, i64[2]{0,-1})", x));
}
END_TEST

START_TEST(slices_and_splits)
{
    start(_i);
    Dims dims = some_dims(1, MOST_RANK, 0);
    int64_t starts[RANK_MAX], ends[RANK_MAX], axes[RANK_MAX], steps[RANK_MAX];
    int count = 0;
    for (int i = 0; i < dims.rank; i++) {
        if (pick(0, 1))
            continue;
        axes[count] = either_way(i, dims.rank);
        starts[count] = pick(-7, 7);
        ends[count] = pick(-7, 7);
        steps[count] = pick(0, 1) ? pick(1, 3) : pick(-3, -1);
        count++;
    }
    const char *x = input_text("f32", &dims);
    if (count > 0)
        check_oracle(
            arena_printf(arena, "Slice(%s, %s, %s, %s, %s)", x,
                         vector_text(count, starts), vector_text(count, ends),
                         vector_text(count, axes), vector_text(count, steps)));
    int axis = (int)pick(0, dims.rank - 1);
    int64_t parts[2] = {pick(0, dims.size[axis]), 0};
    parts[1] = dims.size[axis] - parts[0];
    check_oracle(arena_printf(arena, "Split(%s, %s) axis=%lld -> 2", x,
                              vector_text(2, parts),
                              (long long)either_way(axis, dims.rank)));
}
END_TEST

START_TEST(joins_and_repeats)
{
    start(_i);
    Dims dims = some_dims(1, MOST_RANK, 0), other = dims;
    int axis = (int)pick(0, dims.rank - 1);
    int64_t repeats[RANK_MAX], pads[2 * RANK_MAX];
    other.size[axis] = pick(0, MOST_SIZE);
    for (int i = 0; i < dims.rank; i++)
        repeats[i] = pick(i == axis ? 0 : 1, 2);
    for (int i = 0; i < dims.rank; i++) {
        pads[i] = pick(0, 2);
        pads[i + dims.rank] = pick(0, 2);
    }
    const char *x = input_text("f32", &dims);
    check_oracle(arena_printf(arena, "Concat(%s, %s, %s) axis=%lld", x,
                              input_text("f32", &other), x,
                              (long long)either_way(axis, dims.rank)));
    check_oracle(arena_printf(arena, "Tile(%s, %s)", x,
                              vector_text(dims.rank, repeats)));
    check_oracle(arena_printf(arena, "Pad(%s, %s, f32[]{7})", x,
                              vector_text(2 * dims.rank, pads)));
    if (dims_count(&dims) > 0)
        check_oracle(arena_printf(arena, "Pad(%s, %s) mode=\"%s\" @19", x,
                                  vector_text(2 * dims.rank, pads),
                                  pick(0, 1) ? "edge" : "wrap"));
}
END_TEST

START_TEST(blocks_and_triangles)
{
    start(_i);
    int64_t b = pick(1, 3);
    Dims deep = {4, {pick(0, 2), b * b * pick(1, 3), pick(1, 3), pick(0, 3)}};
    Dims wide = {4, {pick(0, 2), pick(1, 3), b * pick(1, 3), b * pick(0, 3)}};
    check_oracle(arena_printf(
        arena, "DepthToSpace(%s) blocksize=%lld mode=\"%s\"",
        input_text("f32", &deep), (long long)b, pick(0, 1) ? "DCR" : "CRD"));
    check_oracle(arena_printf(arena, "SpaceToDepth(%s) blocksize=%lld",
                              input_text("f32", &wide), (long long)b));
    Dims dims = some_dims(2, MOST_RANK, 0);
    check_oracle(arena_printf(arena, "Trilu(%s, i64[]{%lld}) upper=%lld",
                              input_text("f32", &dims), (long long)pick(-4, 4),
                              (long long)pick(0, 1)));
}
END_TEST

/* ---- Indices ---- */

START_TEST(gathers)
{
    start(_i);
    Dims dims = some_dims(1, 5, 1), indices = some_dims(0, 2, 0);
    int axis = (int)pick(0, dims.rank - 1);
    const char *x = input_text(pick(0, 1) ? "f32" : "i64", &dims);
    check_oracle(arena_printf(arena, "Gather(%s, %s) axis=%lld", x,
                              indices_text(&indices, dims.size[axis]),
                              (long long)either_way(axis, dims.rank)));
    Dims like = dims;
    for (int i = 0; i < dims.rank; i++)
        like.size[i] = i == axis ? pick(0, 4) : pick(1, dims.size[i]);
    check_oracle(arena_printf(arena, "GatherElements(%s, %s) axis=%lld", x,
                              indices_text(&like, dims.size[axis]),
                              (long long)either_way(axis, dims.rank)));
}
END_TEST

/* One update for each place, or a reduction, which may meet it again. */
START_TEST(scatters)
{
    start(_i);
    static const char *const reductions[] = {"add", "mul", "max", "min"};
    Dims dims = some_dims(1, 5, 1), updates = dims;
    int axis = (int)pick(0, dims.rank - 1);
    bool reduces = pick(0, 1) != 0;
    for (int i = 0; i < dims.rank; i++)
        updates.size[i] =
            i == axis ? reduces ? pick(0, 4) : 1 : pick(1, dims.size[i]);
    const char *reduction = reduces ? PICK_OF(reductions) : "none";
    check_oracle(arena_printf(
        arena, "ScatterElements(%s, %s, %s) axis=%lld reduction=\"%s\"",
        input_text("f32", &dims), indices_text(&updates, dims.size[axis]),
        input_text("f32", &updates), (long long)either_way(axis, dims.rank),
        reduction));
}
END_TEST

/* Rows of indices that have a size for each of the first axes, after `batch`
 * axes that are not indexed. */
static const char *rows_text(const Dims *x, int batch, int64_t rows, int width)
{
    Dims dims = {batch + 2, {0}};
    for (int i = 0; i < batch; i++)
        dims.size[i] = x->size[i];
    dims.size[batch] = rows;
    dims.size[batch + 1] = width;
    int64_t count = dims_count(&dims);
    int64_t *values = arena_array(arena, (size_t)count + 1, sizeof *values);
    for (int64_t i = 0; i < count; i++) {
        int64_t size = x->size[batch + i % width];
        values[i] = pick(-size, size - 1);
    }
    return values_text(&dims, values);
}

START_TEST(gathers_and_scatters_by_rows)
{
    start(_i);
    Dims x = some_dims(1, 5, 1), updates;
    int batch = (int)pick(0, x.rank - 1), width = (int)pick(1, x.rank - batch);
    check_oracle(arena_printf(arena, "GatherND(%s, %s) batch_dims=%d",
                              input_text("f32", &x),
                              rows_text(&x, batch, pick(0, 4), width), batch));
    int64_t rows = pick(0, 4);
    width = (int)pick(1, x.rank);
    updates = (Dims){1 + x.rank - width, {rows}};
    for (int i = width; i < x.rank; i++)
        updates.size[1 + i - width] = x.size[i];
    check_oracle(arena_printf(
        arena, "ScatterND(%s, %s, %s) reduction=\"%s\"", input_text("f32", &x),
        rows_text(&x, 0, rows, width), input_text("f32", &updates),
        rows <= 1 && pick(0, 1) ? "none" : "add"));
}
END_TEST

START_TEST(searches)
{
    start(_i);
    Dims dims = some_dims(1, MOST_RANK, 1);
    int axis = (int)pick(0, dims.rank - 1);
    long long at = (long long)either_way(axis, dims.rank);
    const char *x = input_text("f32", &dims);
    check_oracle(arena_printf(arena,
                              "%s(%s) axis=%lld keepdims=%lld "
                              "select_last_index=%lld",
                              pick(0, 1) ? "ArgMax" : "ArgMin", x, at,
                              (long long)pick(0, 1), (long long)pick(0, 1)));
    check_oracle(arena_printf(arena,
                              "TopK(%s, i64[1]{%lld}) axis=%lld largest=%lld "
                              "-> 2",
                              x, (long long)pick(0, dims.size[axis]), at,
                              (long long)pick(0, 1)));
    check_oracle(arena_printf(arena,
                              "CumSum(%s, i64[]{%lld}) exclusive=%lld "
                              "reverse=%lld",
                              x, at, (long long)pick(0, 1),
                              (long long)pick(0, 1)));
    Dims indices = some_dims(0, 4, 0);
    check_oracle(arena_printf(
        arena, "OneHot(%s, i64[]{%lld}, f32[2]{5,7}) axis=%lld",
        indices_text(&indices, 3), (long long)pick(1, 5),
        (long long)either_way((int)pick(0, indices.rank), indices.rank + 1)));
}
END_TEST

/* ---- Sums ---- */

START_TEST(reductions)
{
    start(_i);
    static const char *const operators[] = {
        "ReduceL1",  "ReduceL2",       "ReduceLogSum", "ReduceLogSumExp",
        "ReduceMax", "ReduceMean",     "ReduceMin",    "ReduceProd",
        "ReduceSum", "ReduceSumSquare"};
    Dims dims = some_dims(0, MOST_RANK, 0);
    int64_t axes[RANK_MAX];
    int count = 0;
    for (int i = 0; i < dims.rank; i++)
        if (pick(0, 1))
            axes[count++] = either_way(i, dims.rank);
    check_oracle(arena_printf(arena,
                              "%s(%s, %s) keepdims=%lld "
                              "noop_with_empty_axes=%lld",
                              PICK_OF(operators), input_text("f32", &dims),
                              vector_text(count, axes), (long long)pick(0, 1),
                              (long long)pick(0, 1)));
}
END_TEST

START_TEST(normalizations)
{
    start(_i);
    Dims dims = some_dims(1, MOST_RANK, 0);
    int axis = (int)pick(0, dims.rank - 1);
    long long at = (long long)either_way(axis, dims.rank);
    const char *x = input_text("f32", &dims);
    check_oracle(arena_printf(arena, "%s(%s) axis=%lld @%d",
                              pick(0, 1) ? "Softmax" : "LogSoftmax", x, at,
                              pick(0, 1) ? 11 : 13));
    check_oracle(arena_printf(arena, "LpNormalization(%s) axis=%lld p=%lld", x,
                              at, (long long)pick(1, 2)));
    Dims image = some_dims(3, MOST_RANK, 1);
    x = input_text("f32", &image);
    check_oracle(arena_printf(arena, "LRN(%s) size=%lld alpha=0.5 bias=2.", x,
                              (long long)pick(1, 4)));
    check_oracle(
        arena_printf(arena, "%s(%s)",
                     pick(0, 1) ? "GlobalMaxPool" : "GlobalAveragePool", x));
    Dims last = {1, {dims.size[dims.rank - 1]}};
    check_oracle(arena_printf(
        arena, "LayerNormalization(%s, %s, %s)", input_text("f32", &dims),
        input_text("f32", &last), input_text("f32", &last)));
}
END_TEST

/* Windows of one to three axes. */
START_TEST(pools)
{
    start(_i);
    int space = (int)pick(1, 3);
    Dims image = {2 + space, {pick(0, 2), pick(1, 3)}};
    int64_t kernel[3], strides[3], dilations[3], pads[6];
    for (int i = 0; i < space; i++) {
        image.size[2 + i] = pick(5, space < 3 ? 9 : 6);
        kernel[i] = pick(1, 3);
        strides[i] = pick(1, 3);
        dilations[i] = kernel[i] > 1 ? pick(1, 2) : 1;
        pads[i] = pick(0, kernel[i] - 1);
        pads[i + space] = pick(0, kernel[i] - 1);
    }
    bool is_max = pick(0, 1) != 0;
    const char *counts =
        arena_printf(arena, " count_include_pad=%lld", (long long)pick(0, 1));
    check_oracle(arena_printf(
        arena,
        "%s(%s) kernel_shape=[%s] strides=[%s] dilations=[%s] pads=[%s] "
        "ceil_mode=%lld%s",
        is_max ? "MaxPool" : "AveragePool", input_text("f32", &image),
        list_text(space, kernel), list_text(space, strides),
        list_text(space, dilations), list_text(2 * space, pads),
        (long long)pick(0, 1), is_max ? "" : counts));
}
END_TEST

/* Scales are halves, which are exact in either precision; so are sizes. */
START_TEST(resizes)
{
    start(_i);
    static const char *const modes[] = {"nearest", "linear", "cubic"};
    static const char *const coordinates[] = {
        "half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"};
    static const char *const nearest[] = {"round_prefer_floor", "floor", "ceil",
                                          "round_prefer_ceil"};
    Dims dims = some_dims(1, 4, 1);
    Text scales = {.arena = arena};
    for (int i = 0; i < dims.rank; i++)
        text_printf(&scales, "%s%g", i ? "," : "",
                    dims.size[i] > 1 ? 0.5 * (double)pick(1, 5) : 2);
    check_oracle(arena_printf(arena,
                              "Resize(%s, -, f32[%d]{%s}) mode=\"%s\" "
                              "coordinate_transformation_mode=\"%s\" "
                              "nearest_mode=\"%s\"",
                              input_text("f32", &dims), dims.rank, scales.bytes,
                              PICK_OF(modes), PICK_OF(coordinates),
                              PICK_OF(nearest)));
}
END_TEST

/* Places are quarters, inside and beyond the input on all sides. */
START_TEST(samples)
{
    start(_i);
    static const char *const modes[] = {"nearest", "linear", "cubic"};
    static const char *const paddings[] = {"zeros", "border", "reflection"};
    Dims x = some_dims(3, 5, 1), grid = x;
    for (int i = 1; i < grid.rank - 1; i++)
        grid.size[i] = pick(0, 3);
    grid.size[grid.rank - 1] = grid.rank - 2;
    Text places = {.arena = arena};
    for (int64_t i = 0; i < dims_count(&grid); i++)
        text_printf(&places, "%s%g", i ? "," : "",
                    0.25 * (double)pick(-14, 14));
    check_oracle(arena_printf(arena,
                              "GridSample(%s, %s{%s}) mode=\"%s\" "
                              "padding_mode=\"%s\" align_corners=%lld",
                              input_text("f32", &x), input_text("f32", &grid),
                              places.bytes ? places.bytes : "", PICK_OF(modes),
                              PICK_OF(paddings), (long long)pick(0, 1)));
}
END_TEST

/* Regions inside and beyond the input, in whole numbers and halves. */
START_TEST(regions)
{
    start(_i);
    Dims x = some_dims(4, 4, 1);
    int64_t count = pick(0, 3);
    Text corners = {.arena = arena}, images = {.arena = arena};
    for (int64_t i = 0; i < count; i++) {
        double left = 0.5 * (double)pick(-4, 8),
               top = 0.5 * (double)pick(-4, 8);
        text_printf(&corners, "%s%g,%g,%g,%g", i ? "," : "", left, top,
                    left + 0.5 * (double)pick(0, 9),
                    top + 0.5 * (double)pick(0, 9));
        text_printf(&images, "%s%lld", i ? "," : "",
                    (long long)pick(0, x.size[0] - 1));
    }
    static const char *const modes[] = {"half_pixel", "output_half_pixel"};
    check_oracle(arena_printf(
        arena,
        "RoiAlign(%s, f32[%lld,4]{%s}, i64[%lld]{%s}) output_height=%lld "
        "output_width=%lld sampling_ratio=%lld spatial_scale=0.5 "
        "coordinate_transformation_mode=\"%s\"",
        input_text("f32", &x), (long long)count,
        corners.bytes ? corners.bytes : "", (long long)count,
        images.bytes ? images.bytes : "", (long long)pick(1, 3),
        (long long)pick(1, 3), (long long)pick(0, 2), PICK_OF(modes)));
}
END_TEST

START_TEST(einsums)
{
    start(_i);
    static const struct {
        const char *equation, *a, *b;
    } sums[] = {{"i,i->", "i", "i"},
                {"i,j->ij", "i", "j"},
                {"ij,jk->ik", "ij", "jk"},
                {"bij,bjk->bik", "bij", "bjk"},
                {"bij,bkj->bik", "bij", "bkj"},
                {"ij,ij->ji", "ij", "ij"},
                {"bhid,bhjd->bhij", "bhid", "bhjd"},
                {"ijk,k->ji", "ijk", "k"},
                {"ii,j->ij", "ii", "j"},
                {"abcd,db->ca", "abcd", "db"}};
    size_t k = (size_t)pick(0, sizeof sums / sizeof *sums - 1);
    int64_t sizes[26];
    Dims dims[2];
    for (int i = 0; i < 26; i++)
        sizes[i] = pick(pick(0, 9) ? 1 : 0, 4);
    for (int side = 0; side < 2; side++) {
        const char *labels = side ? sums[k].b : sums[k].a;
        dims[side].rank = 0;
        for (; *labels; labels++)
            dims[side].size[dims[side].rank++] = sizes[*labels - 'a'];
    }
    check_oracle(arena_printf(arena, "Einsum(%s, %s) equation=\"%s\"",
                              input_text("f32", &dims[0]),
                              input_text("f32", &dims[1]), sums[k].equation));
}
END_TEST

Suite *suite_kern_random(void)
{
    /* clang-format off */
    const TTest *const families[] = {
        maps, broadcasts, transposes_and_views, slices_and_splits,
        joins_and_repeats, blocks_and_triangles, gathers, scatters,
        gathers_and_scatters_by_rows, searches, reductions, normalizations,
        pools, resizes, samples, regions, einsums,
    };
    /* clang-format on */
    Suite *suite = suite_create("kern_random");
    TCase *tc = tcase_create("kern_random");
    tcase_add_checked_fixture(tc, setup, teardown);
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        tcase_add_loop_test(tc, families[i], 0, SEEDS);
    suite_add_tcase(suite, tc);
    return suite;
}
