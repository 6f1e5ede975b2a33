/* Reading what is broken: it is refused or read, and does no harm. */
#include <stdio.h>
#include <string.h>

#include "models.h"
#include "suites.h"

static const int64_t two[] = {2};

static void rich_model(Proto *file)
{
    Proto graph, branch = {.size = 0};
    proto_node(&branch, "Add", "x w", "r");
    proto_weight(&branch, "w", 1, two, (const float[]){1, 2});
    proto_output(&branch, "r", 1, two);
    if_graph(&graph, &branch);
    proto_weight(&graph, "v", 1, two, (const float[]){3, 4});
    proto_model(file, &graph);
    put_function(file, "local", "f", "Elu");
}

/* Reads bytes that may be anything; what is accepted can be written too. */
static bool survives(const uint8_t *bytes, size_t size)
{
    Arena *own = arena_new(0);
    uint8_t *copy = arena_block(own, size, 1);
    memcpy(copy, bytes, size);
    Model *model;
    Err err = {0};
    bool accepted = model_read_memory(own, copy, size, "test.onnx", NULL,
                                      &model, &err) == 0;
    if (accepted) {
        size_t written;
        model->graph->changed = true;
        ck_assert_int_eq(model_written_size(model, &written, &err), 0);
    } else {
        ck_assert_int_ne(err.code, ERR_OK);
        ck_assert_ptr_null(strpbrk(err.message, "\n\x1b"));
    }
    arena_free(own);
    return accepted;
}

START_TEST(no_prefix_of_a_model_is_a_model)
{
    Proto file, reversed = {.size = 0};
    rich_model(&file);
    /* The opset last, so that only the whole file is complete. */
    Proto import = {.size = 0}, graph;
    proto_int(&import, 2, 17);
    small_graph(&graph);
    proto_int(&reversed, 1, 8);
    proto_message(&reversed, 7, &graph);
    proto_message(&reversed, 8, &import);
    ck_assert(survives(reversed.bytes, reversed.size));
    for (size_t size = 0; size < reversed.size; size++)
        ck_assert(!survives(reversed.bytes, size));
    for (size_t size = 0; size < file.size; size++)
        survives(file.bytes, size);
}
END_TEST

START_TEST(no_flipped_bit_does_harm)
{
    Proto file;
    rich_model(&file);
    ck_assert(survives(file.bytes, file.size));
    size_t accepted = 0;
    for (size_t i = 0; i < file.size * 8; i++) {
        file.bytes[i / 8] ^= (uint8_t)(1 << i % 8);
        accepted += survives(file.bytes, file.size);
        file.bytes[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    ck_assert_uint_gt(accepted, 0);
    ck_assert_uint_lt(accepted, file.size * 8);
}
END_TEST

START_TEST(random_bytes_are_no_model)
{
    uint32_t random = 1;
    for (int round = 0; round < 1000; round++) {
        uint8_t bytes[1024];
        for (size_t i = 0; i < sizeof bytes; i++) {
            random = random * 1664525u + 1013904223u;
            bytes[i] = (uint8_t)(random >> 24);
        }
        ck_assert(!survives(bytes, sizeof bytes));
    }
}
END_TEST

/* Reads with the n-th allocation failing; true when none did. */
static bool reads_failing_at(size_t n, const Proto *file)
{
    Arena *own = arena_new(0);
    Err err = {0};
    volatile bool read = false;
    if (ARENA_GUARD(own)) {
        Model *model;
        mem_fail_at(n);
        read = model_read_memory(own, file->bytes, file->size, "test.onnx",
                                 NULL, &model, &err) == 0;
    }
    mem_fail_at(0);
    arena_free(own);
    return read;
}

START_TEST(running_out_of_memory_unwinds)
{
    Proto file;
    rich_model(&file);
    size_t n = 1;
    while (n < 10000 && !reads_failing_at(n, &file))
        n++;
    ck_assert_uint_gt(n, 10);
    ck_assert_uint_lt(n, 10000);
}
END_TEST

START_TEST(memory_is_bounded)
{
    enum { NODES = 300, BUDGET = 100000 };
    Proto graph = {.size = 0}, file;
    char from[16] = "x", to[16];
    proto_input(&graph, "x", 0, NULL);
    for (int i = 0; i < NODES; i++) {
        snprintf(to, sizeof to, "y%d", i);
        proto_node(&graph, "Relu", from, to);
        strcpy(from, to);
    }
    proto_output(&graph, to, 0, NULL);
    proto_model(&file, &graph);
    static const size_t budgets[] = {BUDGET, 100 * BUDGET};
    for (int i = 0; i < 2; i++) {
        Arena *own = arena_new(budgets[i]);
        Err err = {0};
        volatile bool read = false;
        if (ARENA_GUARD(own)) {
            Model *model;
            read = model_read_memory(own, file.bytes, file.size, "many", NULL,
                                     &model, &err) == 0;
        }
        ck_assert_int_eq(read, i == 1);
        ck_assert_int_eq(arena_over_budget(own), i == 0);
        ck_assert_uint_le(arena_peak(own), budgets[i]);
        arena_free(own);
    }
}
END_TEST

Suite *suite_read_damage(void)
{
    Suite *suite = suite_create("read_damage");
    TCase *tcase = tcase_create("read_damage");
    tcase_add_checked_fixture(tcase, models_setup, models_teardown);
    tcase_add_test(tcase, no_prefix_of_a_model_is_a_model);
    tcase_add_test(tcase, no_flipped_bit_does_harm);
    tcase_add_test(tcase, random_bytes_are_no_model);
    tcase_add_test(tcase, running_out_of_memory_unwinds);
    tcase_add_test(tcase, memory_is_bounded);
    suite_add_tcase(suite, tcase);
    return suite;
}
