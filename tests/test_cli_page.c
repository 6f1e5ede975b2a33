/*
 * --html: what is on the page, and that a real browser shows and works it.
 * Where Chromium or Node is missing, the test says so and looks at the text
 * alone.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "proto.h"
#include "suites.h"

#define TRAIN cli_fixture("mini.ts-preserve-features.onnx")

static int fold_count(const char *name)
{
    ck_assert_int_eq(REPFOLD("lint", name, "-q", "--junit", "-"), 1);
    return cli_occurrences(cli.out, "classname=\"repfold.fold\"");
}

/* Elements that end by themselves, or that HTML knows to have no end. */
static bool is_empty(const char *tag, size_t length, const char *end)
{
    static const char *const names[] = {"meta", "input", "br"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == length && strncmp(tag, names[i], length) == 0)
            return true;
    return end[-1] == '/' || *tag == '!';
}

/* Elements nest, and there is no markup but ours. The script is passed over;
 * it is the same for every model. */
static void check_nesting(const char *text)
{
    char open[32][16];
    int depth = 0;
    for (const char *at = text; (at = strchr(at, '<')); at++) {
        const char *tag = at + 1 + (at[1] == '/'), *end = at + 1;
        size_t length = strcspn(tag, " />\n");
        bool quoted = false;
        for (; *end && (quoted || *end != '>'); end++) {
            ck_assert_msg(*end != '<', "'<' in markup: %.80s", at);
            quoted = *end == '"' ? !quoted : quoted;
        }
        ck_assert_msg(isalpha((unsigned char)*tag) || *tag == '!',
                      "a stray '<': %.80s", at);
        if (at[1] == '/') {
            ck_assert_int_gt(depth, 0);
            ck_assert_msg(strlen(open[--depth]) == length &&
                              strncmp(open[depth], tag, length) == 0,
                          "%s is not closed before %.80s", open[depth], at);
        } else if (!is_empty(tag, length, end)) {
            ck_assert_int_lt(depth, 32);
            snprintf(open[depth++], 16, "%.*s", (int)length, tag);
        }
        if (length == 6 && strncmp(at, "<script", 7) == 0)
            at = strstr(at, "</script>") - 1;
    }
    ck_assert_int_eq(depth, 0);
}

/* One file that asks for nothing. */
static void check_contained(const char *text)
{
    static const char *const asking[] = {"http:",   "https:", "src=",    "url(",
                                         "@import", "<link",  "style=\""};
    for (size_t i = 0; i < sizeof asking / sizeof *asking; i++)
        ck_assert_msg(!strstr(text, asking[i]), "\"%s\" is on the page",
                      asking[i]);
    ck_assert_int_eq(cli_occurrences(text, "<script"), 1);
    ck_assert_int_eq(cli_occurrences(text, "<style"), 1);
    ck_assert_ptr_nonnull(strstr(text, "default-src 'none'"));
}

/* ---- The browser ---- */

/* The path of a program, or NULL; the caller frees it. */
static char *program_path(const char *name)
{
    char *path = strdup(getenv("PATH") ? getenv("PATH") : ""), *state;
    for (char *part = strtok_r(path, ":", &state); part;
         part = strtok_r(NULL, ":", &state)) {
        char *full = malloc(strlen(part) + strlen(name) + 2);
        ck_assert_ptr_nonnull(full);
        sprintf(full, "%s/%s", part, name);
        if (access(full, X_OK) == 0) {
            free(path);
            return full;
        }
        free(full);
    }
    free(path);
    return NULL;
}

static void check_in_browser(const char *name)
{
    char *node = program_path("node"), *chromium = program_path("chromium");
    if (node && chromium) {
        cli_command(node, (const char *const[]){
                              cli_source("tests/browser/check_page.js"),
                              chromium, cli_path(name), NULL});
        ck_assert_msg(cli.status == 0, "%s: %s%s", name, cli.out, cli.err);
        ck_assert_ptr_nonnull(strstr(cli.out, " checks in the browser\n"));
    } else {
        fprintf(stderr, "cli_page: %s was not opened in a browser: no %s\n",
                name, node ? "chromium" : "node");
    }
    free(node);
    free(chromium);
}

/* ---- Pages ---- */

START_TEST(test_convert)
{
    ck_assert_int_eq(REPFOLD("convert", "-q", TRAIN, "-o", "out.onnx", "--html",
                             "page.html", "--bench"),
                     0);
    char *text = cli_text("page.html");
    check_nesting(text);
    check_contained(text);
    ck_assert_ptr_nonnull(strstr(text, "Equivalent"));
    ck_assert_int_eq(cli_occurrences(text, "<tr id=\"fold-"),
                     fold_count(TRAIN));
    ck_assert_int_eq(cli_occurrences(text, "class=\"good\">holds<"),
                     fold_count(TRAIN));
    ck_assert_int_eq(
        cli_occurrences(text, "aria-label=\"error by output channel\""), 4);
    ck_assert_int_eq(
        cli_occurrences(text, "aria-label=\"histogram of weight rounding\""),
        1);
    ck_assert_int_eq(
        cli_occurrences(text,
                        "aria-label=\"time by operator before and after\""),
        1);
    ck_assert_int_eq(cli_occurrences(text, "class=\"graph\""), 5);
    free(text);
    check_in_browser("page.html");
}
END_TEST

START_TEST(test_page_does_not_vary)
{
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(REPFOLD("convert", "-q", TRAIN, "-o", "out.onnx",
                                 "--html", i ? "a.html" : "b.html", "--threads",
                                 i ? "2" : "1"),
                         0);
    ck_assert(cli_same("a.html", "b.html"));
}
END_TEST

START_TEST(test_without_verification)
{
    ck_assert_int_eq(REPFOLD("convert", "-q", TRAIN, "-o", "out.onnx",
                             "--no-verify", "--html", "page.html"),
                     0);
    char *text = cli_text("page.html");
    check_nesting(text);
    ck_assert_ptr_nonnull(strstr(text, "Not verified"));
    ck_assert_ptr_null(strstr(text, "id=\"verification\""));
    free(text);
}
END_TEST

/* The figure with the roundings of weights. */
static const char *histogram(const char *page, size_t *length)
{
    const char *begin = strstr(page, "<figcaption><b>Rounding of");
    ck_assert_ptr_nonnull(begin);
    *length = (size_t)(strstr(begin, "</figure>") - begin);
    return begin;
}

START_TEST(test_verify)
{
    REPFOLD("convert", "-q", TRAIN, "-o", "out.onnx", "--html", "convert.html");
    ck_assert_int_eq(
        REPFOLD("verify", "-q", TRAIN, "out.onnx", "--bench", "--html", "-"),
        0);
    check_nesting(cli.out);
    /* Both know the roundings from the two models alone. */
    char *converted = cli_text("convert.html");
    size_t length;
    const char *own = histogram(converted, &length);
    ck_assert_int_eq(strncmp(histogram(cli.out, &length), own, length), 0);
    free(converted);
    ck_assert_ptr_nonnull(strstr(cli.out, "time by operator before and after"));
    ck_assert_ptr_nonnull(strstr(cli.out, " hold, and nothing else differs."));
    ck_assert_ptr_nonnull(strstr(cli.out, "Equivalent"));
    ck_assert_ptr_nonnull(strstr(cli.out, "class=\"ribbon"));
    ck_assert_ptr_null(strstr(cli.out, "id=\"folds\""));
}
END_TEST

START_TEST(test_lint)
{
    ck_assert_int_eq(REPFOLD("lint", "-q", TRAIN, "--html", "page.html"), 1);
    char *text = cli_text("page.html");
    check_nesting(text);
    ck_assert_ptr_nonnull(strstr(text, "Can be folded"));
    ck_assert_int_eq(cli_occurrences(text, "<tr id=\"fold-"),
                     fold_count(TRAIN));
    free(text);
}
END_TEST

/* ---- Names that would be markup ---- */

static const char hostile[] =
    "</script></style></title></text><script>window.pwned=1</script>"
    "<img src=x onerror=\"window.pwned=1\">\"'&]]>-->"
    "javascript:window.pwned=1 \x01\r\n`${window.pwned=1}` "
    "\xe2\x80\xae<svg onload=window.pwned=1>";

/* y = relu(conv(x) * s), and everything has the name, but for a digit. */
static void write_hostile(const char *file)
{
    static const int64_t shape[] = {1, 1, 2, 2}, kernel[] = {1, 1, 1, 1},
                         one[] = {1, 1, 1};
    static const float weight[] = {3};
    static const char *const ops[] = {"Conv", "Mul", "Relu"};
    Proto graph = {0}, model = {0};
    char names[4][sizeof hostile + 1], weights[2][sizeof hostile + 1];
    for (int i = 0; i < 4; i++)
        sprintf(names[i], "%s%d", hostile, i);
    for (int i = 0; i < 2; i++) {
        sprintf(weights[i], "%s%c", hostile, 'a' + i);
        proto_weight(&graph, weights[i], i ? 3 : 4, i ? one : kernel, weight);
    }
    proto_input(&graph, names[0], 4, shape);
    proto_output(&graph, names[3], 4, shape);
    for (int i = 0; i < 3; i++) {
        Proto node = {0};
        proto_text(&node, 1, names[i]);
        if (i < 2)
            proto_text(&node, 1, weights[i]);
        proto_text(&node, 2, names[i + 1]);
        proto_text(&node, 3, names[i + 1]);
        proto_text(&node, 4, ops[i]);
        proto_message(&graph, 1, &node);
    }
    proto_model(&model, &graph);
    cli_write(file, model.bytes, model.size);
}

START_TEST(test_hostile_names)
{
    const char *name = "<img src=x onerror=alert(1)>.onnx";
    write_hostile(name);
    ck_assert_int_eq(
        REPFOLD("convert", "-q", name, "-o", "out.onnx", "--html", "h.html"),
        0);
    char *text = cli_text("h.html");
    check_nesting(text);
    ck_assert_ptr_null(strstr(text, "<img"));
    ck_assert_int_eq(cli_occurrences(text, "<script"), 1);
    ck_assert_int_eq(cli_occurrences(text, "<svg onload"), 0);
    ck_assert_ptr_null(strstr(text, "\xe2\x80\xae"));
    ck_assert_int_gt(cli_occurrences(text, "&lt;script&gt;window.pwned=1"), 3);
    free(text);
    check_in_browser("h.html");
}
END_TEST

Suite *suite_cli_page(void)
{
    Suite *suite = suite_create("cli_page");
    TCase *tc = tcase_create("page");
    tcase_add_checked_fixture(tc, cli_setup, cli_teardown);
    tcase_add_test(tc, test_convert);
    tcase_add_test(tc, test_page_does_not_vary);
    tcase_add_test(tc, test_without_verification);
    tcase_add_test(tc, test_verify);
    tcase_add_test(tc, test_lint);
    tcase_add_test(tc, test_hostile_names);
    suite_add_tcase(suite, tc);
    return suite;
}
