/*
 * samples/ci: the shell recipes run on real exports; the others are held
 * against what their readers take, and every repfold in them against what it
 * takes.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "suites.h"

#define TRAIN cli_fixture("micro.ts-preserve.onnx")

static const char *const shell_recipes[] = {"unfused.sh", "pre-commit",
                                            "convert.sh", "vendor.sh",
                                            "shards.sh",  "slurm-array.sh"};
static const char *const yaml_recipes[] = {
    "github-actions.yml", "gitlab-ci.yml", "pre-commit-config.yaml"};

static const char *recipe(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "samples/ci/%s", name);
    return cli_source(path);
}

static char *read_recipe(const char *name)
{
    size_t size;
    char *text = cli_read(recipe(name), &size);
    ck_assert_msg(text, "no %s", name);
    return text;
}

/* Commands find the program that is being tested. */
static void setup(void)
{
    char self[4096], path[8192];
    cli_setup();
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    ck_assert_int_gt(length, 0);
    self[length] = '\0';
    *strrchr(self, '/') = '\0';
    snprintf(path, sizeof path, "%s:%s", self, getenv("PATH"));
    setenv("PATH", path, 1);
}

/* A line of shell in the test's folder. */
static int shell(const char *line)
{
    return cli_command("/bin/sh", (const char *const[]){"-c", line, NULL});
}

static bool has_program(const char *name)
{
    char line[128];
    snprintf(line, sizeof line, "command -v %s", name);
    return shell(line) == 0;
}

/* ---- Shell ---- */

START_TEST(test_shellcheck)
{
    if (!has_program("shellcheck")) {
        fprintf(stderr, "samples_ci: %s was not checked: no shellcheck\n",
                shell_recipes[_i]);
        return;
    }
    cli_command(
        "/usr/bin/env",
        (const char *const[]){"shellcheck", recipe(shell_recipes[_i]), NULL});
    ck_assert_msg(cli.status == 0, "%s", cli.out);
}
END_TEST

static void run_recipe(const char *name, const char *const *arguments)
{
    cli_command(recipe(name), arguments);
}
#define RECIPE(name, ...)                                                      \
    run_recipe(name, (const char *const[]){__VA_ARGS__, NULL})

START_TEST(test_unfused)
{
    REPFOLD("convert", "-q", TRAIN, "-o", "deploy.onnx");
    RECIPE("unfused.sh", "deploy.onnx");
    ck_assert_int_eq(cli.status, 0);
    RECIPE("unfused.sh", TRAIN, "deploy.onnx");
    ck_assert_int_eq(cli.status, 1);
    ck_assert_ptr_nonnull(strstr(cli.err, "is unfused: run 'repfold convert'"));
    RECIPE("unfused.sh", TRAIN, "absent.onnx");
    ck_assert_int_eq(cli.status, 2);
}
END_TEST

/* The hook looks at what is staged: a good file in the tree does not hide it.
 */
START_TEST(test_pre_commit)
{
    char line[8192];
    if (!has_program("git")) {
        fprintf(stderr, "samples_ci: the hook was not run: no git\n");
        return;
    }
    REPFOLD("convert", "-q", TRAIN, "-o", "deploy.onnx");
    snprintf(line, sizeof line,
             "git init -q repo && cd repo && mkdir m && "
             "git config user.email a@b && git config user.name a && "
             "cp %s .git/hooks && cp %s .git/hooks && "
             "cp ../deploy.onnx 'm/a model.onnx' && git add . && "
             "git commit -q -m good",
             recipe("pre-commit"), recipe("unfused.sh"));
    ck_assert_msg(shell(line) == 0, "%s", cli.err);
    snprintf(line, sizeof line,
             "cd repo && cp %s 'm/a model.onnx' && git add . && "
             "cp ../deploy.onnx 'm/a model.onnx' && git commit -q -m bad",
             TRAIN);
    ck_assert_int_ne(shell(line), 0);
    ck_assert_ptr_nonnull(strstr(cli.err, "a model.onnx is unfused"));
    ck_assert_int_eq(shell("cd repo && test $(git log --oneline | wc -l) = 1"),
                     0);
    /* In another working tree git calls the hook by its whole path. */
    ck_assert_msg(shell("cd repo && git worktree add -q ../tree -b b && "
                        "cd ../tree && cp ../deploy.onnx b.onnx && "
                        "git add . && git commit -q -m good") == 0,
                  "%s", cli.err);
}
END_TEST

START_TEST(test_convert)
{
    RECIPE("convert.sh", TRAIN, "deploy.onnx", "reports");
    ck_assert_msg(cli.status == 0, "%s", cli.err);
    ck_assert(cli_exists("deploy.onnx") && cli_exists("reports/report.html") &&
              cli_exists("reports/report.json") &&
              cli_exists("reports/junit.xml"));
}
END_TEST

START_TEST(test_vendor)
{
    char input[4200];
    char *train = strdup(cli_fixture("mini.ts-preserve-f64.onnx"));
    REPFOLD("convert", "-q", train, "-o", "deploy.onnx");
    snprintf(input, sizeof input, "image=%s", cli_fixture("in64.npy"));
    RECIPE("vendor.sh", train, "deploy.onnx", "reports", input);
    ck_assert_msg(cli.status == 0, "%s", cli.err);
    ck_assert_ptr_nonnull(strstr(cli.out, "17 samples"));
    ck_assert(cli_exists("reports/report.html"));
    RECIPE("vendor.sh", train, cli_fixture("mini.ts-preserve.onnx"), "reports");
    ck_assert_int_eq(cli.status, 1);
    free(train);
}
END_TEST

/* With GNU parallel, where it is there, and with xargs. */
START_TEST(test_shards)
{
    REPFOLD("convert", "-q", TRAIN, "-o", "deploy.onnx");
    if (!has_program("parallel"))
        fprintf(stderr, "samples_ci: no GNU parallel; shards run by xargs\n");
    if (_i == 1) /* one that is not GNU's */
        ck_assert_int_eq(shell("mkdir bin && printf '#!/bin/sh\\nexit 1\\n' "
                               ">bin/parallel && chmod +x bin/parallel"),
                         0);
    setenv("PATH_BEFORE", cli_path("bin"), 1);
    char line[8192];
    snprintf(line, sizeof line,
             "PATH=\"$PATH_BEFORE:$PATH\" exec %s %s deploy.onnx 3 'the "
             "reports'",
             recipe("shards.sh"), TRAIN);
    ck_assert_msg(shell(line) == 0, "%s", cli.err);
    ck_assert_ptr_nonnull(strstr(cli.out, "6 samples"));
    ck_assert(cli_exists("the reports/3.json") &&
              cli_exists("the reports/all.json"));
}
END_TEST

START_TEST(test_slurm)
{
    char line[8192];
    REPFOLD("convert", "-q", TRAIN, "-o", "deploy.onnx");
    for (int task = 1; task <= 2; task++) {
        snprintf(line, sizeof line,
                 "SLURM_ARRAY_TASK_COUNT=2 SLURM_ARRAY_TASK_ID=%d "
                 "SLURM_CPUS_PER_TASK=1 exec %s %s deploy.onnx r",
                 task, recipe("slurm-array.sh"), TRAIN);
        ck_assert_msg(shell(line) == 0, "%s", cli.err);
    }
    ck_assert_int_eq(REPFOLD("report", "merge", "r/1.json", "r/2.json"), 0);
}
END_TEST

/* ---- YAML ---- */

enum { DEPTH_MAX = 16 };

/* A line of a block: how far it is indented, past "- " too, and its key. */
typedef struct Line {
    int indent;
    bool item;
    char key[64], value[256];
} Line;

static bool read_line(const char *text, size_t length, Line *line)
{
    char copy[512];
    ck_assert_uint_lt(length, sizeof copy);
    snprintf(copy, sizeof copy, "%.*s", (int)length, text);
    ck_assert_msg(!strchr(copy, '\t'), "a tab: %s", copy);
    ck_assert_msg(length == 0 || copy[length - 1] != ' ', "a blank: %s", copy);
    const char *at = copy + strspn(copy, " ");
    *line = (Line){.item = strncmp(at, "- ", 2) == 0};
    if (*at == '\0' || *at == '#')
        return false;
    at += line->item ? 2 : 0;
    line->indent = (int)(at - copy);
    size_t key = strcspn(at, ":");
    if (at[key] == ':' && (at[key + 1] == ' ' || at[key + 1] == '\0')) {
        snprintf(line->key, sizeof line->key, "%.*s", (int)key, at);
        at += key + 1;
    }
    snprintf(line->value, sizeof line->value, "%s", at + strspn(at, " "));
    return true;
}

/* The keys above a line, joined by dots: "jobs.unfused.steps". */
typedef struct Place {
    char keys[DEPTH_MAX][64];
    int indents[DEPTH_MAX], depth;
    int block; /* of a block scalar, its indent; -1 outside */
} Place;

static void check_indent(Place *place, const Line *line, const char *name)
{
    while (place->depth > 0 && place->indents[place->depth - 1] > line->indent)
        place->depth--;
    bool same =
        place->depth > 0 && place->indents[place->depth - 1] == line->indent;
    if (same)
        place->depth--;
    ck_assert_msg(line->indent % 2 == 0, "%s: odd indent at %s", name,
                  line->key);
    ck_assert_int_lt(place->depth, DEPTH_MAX);
    place->indents[place->depth] = line->indent;
    strcpy(place->keys[place->depth++], line->key);
}

static bool is_at(const Place *place, int depth, const char *key)
{
    return place->depth == depth && strcmp(place->keys[depth - 1], key) == 0;
}

typedef struct Found {
    int jobs, runs_on, steps, uses_or_run, scripts, hooks, tops;
} Found;

static void note_line(const Place *place, const Line *line, Found *found)
{
    found->tops += place->depth == 1;
    found->jobs += place->depth == 2 && strcmp(place->keys[0], "jobs") == 0;
    found->runs_on += is_at(place, 3, "runs-on");
    found->steps += is_at(place, 3, "steps");
    found->scripts += is_at(place, 2, "script");
    found->hooks += line->item && strcmp(line->key, "id") == 0;
    if (place->depth == 4 && strcmp(place->keys[2], "steps") == 0)
        found->uses_or_run +=
            strcmp(line->key, "uses") == 0 || strcmp(line->key, "run") == 0;
}

static void walk_yaml(const char *name, Found *found)
{
    char *text = read_recipe(name);
    Place place = {.block = -1};
    *found = (Found){0};
    for (const char *at = text; *at;) {
        size_t length = strcspn(at, "\n");
        Line line;
        bool shown = read_line(at, length, &line);
        at += length + (at[length] == '\n');
        if (!shown || (place.block >= 0 && line.indent > place.block))
            continue;
        place.block = -1;
        if (!line.key[0])
            continue;
        check_indent(&place, &line, name);
        if (strcmp(line.value, "|") == 0)
            place.block = line.indent;
        note_line(&place, &line, found);
    }
    free(text);
}

START_TEST(test_github)
{
    Found found;
    walk_yaml("github-actions.yml", &found);
    ck_assert_int_eq(found.tops, 4); /* name, on, env, jobs */
    ck_assert_int_eq(found.jobs, 4);
    ck_assert_int_eq(found.runs_on, found.jobs);
    ck_assert_int_eq(found.steps, found.jobs);
    ck_assert_int_ge(found.uses_or_run, 3 * found.jobs);
}
END_TEST

START_TEST(test_gitlab)
{
    Found found;
    walk_yaml("gitlab-ci.yml", &found);
    ck_assert_int_eq(found.scripts, 3);
    ck_assert_int_eq(found.tops, 3 + found.scripts);
}
END_TEST

START_TEST(test_pre_commit_config)
{
    Found found;
    walk_yaml("pre-commit-config.yaml", &found);
    ck_assert_int_eq(found.tops, 1);
    ck_assert_int_eq(found.hooks, 1);
    /* The hook is run as pre-commit.com runs it: with files behind. */
    char *text = read_recipe("pre-commit-config.yaml"), line[4096];
    char *entry = strstr(text, "entry: ") + strlen("entry: ");
    entry[strcspn(entry, "\n")] = '\0';
    REPFOLD("convert", "-q", TRAIN, "-o", "deploy.onnx");
    snprintf(line, sizeof line, "%s deploy.onnx deploy.onnx", entry);
    ck_assert_int_eq(shell(line), 0);
    snprintf(line, sizeof line, "%s deploy.onnx %s", entry, TRAIN);
    ck_assert_int_eq(shell(line), 1);
    free(text);
}
END_TEST

/* ---- What repfold is asked ---- */

/* Every option of a line that begins with "repfold VERB", up to its end. */
static int check_command(const char *line, const char *name)
{
    char verb[32], option[64], needle[80];
    int checked = 0;
    ck_assert_int_eq(sscanf(line, "repfold %31[a-z]", verb), 1);
    ck_assert_msg(REPFOLD(verb, "--help") == 0, "%s: repfold %s", name, verb);
    for (const char *at = line; *at && *at != '\n'; at++) {
        if (strncmp(at, "\\\n", 2) == 0)
            at++; /* it goes on */
        if (strncmp(at, " --", 3) != 0 ||
            sscanf(at, " --%63[a-z-]", option) != 1)
            continue;
        snprintf(needle, sizeof needle, "--%s ", option);
        ck_assert_msg(strstr(cli.out, needle), "%s: repfold %s has no --%s",
                      name, verb, option);
        checked++;
    }
    return checked;
}

static int check_commands(const char *name)
{
    char *text = read_recipe(name);
    int checked = 0;
    for (const char *at = text; (at = strstr(at, "repfold ")); at++) {
        bool starts = at == text || !strchr("/'-_", at[-1]);
        if (starts && islower((unsigned char)at[8]) &&
            strncmp(at, "repfold is", 10) != 0)
            checked += check_command(at, name);
    }
    free(text);
    return checked;
}

START_TEST(test_commands)
{
    int checked = 0;
    for (size_t i = 0; i < sizeof shell_recipes / sizeof *shell_recipes; i++)
        checked += check_commands(shell_recipes[i]);
    for (size_t i = 0; i < sizeof yaml_recipes / sizeof *yaml_recipes; i++)
        checked += check_commands(yaml_recipes[i]);
    ck_assert_int_ge(checked, 20);
}
END_TEST

Suite *suite_samples_ci(void)
{
    Suite *suite = suite_create("samples_ci");
    TCase *tc = tcase_create("ci");
    tcase_add_checked_fixture(tc, setup, cli_teardown);
    tcase_add_loop_test(tc, test_shellcheck, 0,
                        sizeof shell_recipes / sizeof *shell_recipes);
    tcase_add_test(tc, test_unfused);
    tcase_add_test(tc, test_pre_commit);
    tcase_add_test(tc, test_convert);
    tcase_add_test(tc, test_vendor);
    tcase_add_loop_test(tc, test_shards, 0, 2);
    tcase_add_test(tc, test_slurm);
    tcase_add_test(tc, test_github);
    tcase_add_test(tc, test_gitlab);
    tcase_add_test(tc, test_pre_commit_config);
    tcase_add_test(tc, test_commands);
    suite_add_tcase(suite, tc);
    return suite;
}
