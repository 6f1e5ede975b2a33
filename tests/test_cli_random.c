/*
 * Command lines that nobody has thought of: of every command, with options
 * drawn from its own --help.  Whatever they ask for, there is one line of
 * trouble exactly when the exit status is 2, a report is what its schema says
 * and agrees with the status, and inputs stay as they were.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "schema.h"
#include "suites.h"

enum { SEEDS = 6, LINES = 40, WORDS_MAX = 24, VALUES = 6, WORDS = 6 };

/* What an option is given; a new one needs a row. */
static const struct {
    const char *name, *values[VALUES];
} options[] = {
    {"output",
     {"o.onnx", "-", "/dev/null", "none/o.onnx", "in.onnx", "logits=y.npy"}},
    {"json", {"-", "-", "r.json", "none/r.json", "in.onnx"}},
    {"junit", {"r.xml", "-", "in.onnx"}},
    {"html", {"r.html", "none/", ""}},
    {"sarif", {"r.sarif", "-"}},
    {"input",
     {"image=x.npy", "image", "x.npz", "other=x.npy", "image=in.json"}},
    {"input-shape", {"image:1,3,64,64", "image:1,3,65,64", "x:1", "image", ""}},
    {"data", {"folder", "in.onnx", "none"}},
    {"images", {"folder", "none", "in.onnx"}},
    {"max-images", {"1", "0"}},
    {"input-size", {"3,64,64", "64"}},
    {"crop-pct", {"0.9", "2"}},
    {"interpolation", {"nearest", "cubic"}},
    {"mean", {"0,0,0", "0"}},
    {"std", {"1,1,1", "0,0,0"}},
    {"data-dir", {".", "none"}},
    {"external-data", {"never", "auto", "always", "sometimes"}},
    {"rtol", {"1e-3", "0"}},
    {"atol", {"1", "x"}},
    {"output-dir", {"folder", "none/none", "in.onnx"}},
    {"jobs", {"1", "2", "0"}},
    {"shard", {"1/2", "2/1", "1"}},
    {"only", {"C1", "C1,C4", "C99", "c1"}},
    {"skip", {"C4", "", "C5,C6"}},
    {"enable", {"C12", "C16,C19", "X"}},
    {"stop-after", {"1", "3", "-1"}},
    {"dump-after", {"sum", "none"}},
    {"certificate", {"in.json", "none.json", "in.onnx"}},
    {"roundings", {"1", "4", "0", "x"}},
    {"samples", {"1", "2", "4", "0"}},
    {"seed", {"1", "7", "x"}},
    {"precision", {"f64", "both", "f32", "f16"}},
    {"runs", {"1", "2"}},
    {"width-mult", {"0.125", "1e9", "x"}},
    {"key", {"state_dict", "none"}},
    {"variant", {"repvgg_a0", "none"}},
    {"size", {"32", "7", "0"}},
    {"classes", {"3", "0"}},
    {"dtype", {"float16", "float32", "int8"}},
    {"threads", {"1", "2", "0"}},
    {"max-memory", {"64M", "1G", "1k", "1T"}},
};

static const struct {
    const char *verb, *words[WORDS];
} commands[] = {
    {"convert", {"in.onnx", "-o", "o.onnx"}},
    {"convert", {"in.onnx", "-o", "o.onnx"}},
    {"convert", {"deploy.onnx", "-o", "o.onnx", "--require-change"}},
    {"convert", {"in.onnx"}},
    {"convert", {"in.onnx", "deploy.onnx", "--output-dir", "folder"}},
    {"convert", {"in.pth", "none.onnx", "--output-dir", "folder"}},
    {"verify", {"in.onnx", "deploy.onnx"}},
    {"verify", {"deploy.onnx", "in.onnx"}},
    {"verify", {"in.onnx", "in.json"}},
    {"lint", {"in.onnx"}},
    {"lint", {"deploy.onnx"}},
    {"inspect", {"in.onnx"}},
    {"run", {"in.onnx"}},
    {"run", {"in.onnx", "--input-shape", "image:1,3,64,64"}},
    {"bench", {"in.onnx"}},
    {"diff", {"in.onnx", "deploy.onnx"}},
    {"diff", {"in.onnx", "in.onnx"}},
    {"import", {"in.onnx"}},
    {"import", {"in.pth", "-o", "o.onnx"}},
    {"report", {"merge", "in.json"}},
    {"sample", {"repvgg_a0", "--size", "32", "-o", "o.onnx"}},
    {"doctor", {NULL}},
};

enum {
    OPTIONS = sizeof options / sizeof *options,
    COMMANDS = sizeof commands / sizeof *commands
};

static unsigned state;

/* A number below the limit. */
static unsigned draw(unsigned limit)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 16) % limit;
}

static const char *value_of(const char *name)
{
    for (size_t i = 0; i < OPTIONS; i++)
        if (strcmp(options[i].name, name) == 0) {
            unsigned count = 0;
            while (count < VALUES && options[i].values[count])
                count++;
            /* The first is a good one, mostly. */
            return options[i].values[draw(2) ? 0 : draw(count)];
        }
    ck_abort_msg("no value is known for --%s", name);
}

/* ---- Command lines ---- */

typedef struct Line {
    const char *words[WORDS_MAX + 1];
    size_t count;
    char names[4][32]; /* of options, with their dashes */
    char all[512];     /* for whoever reads that it failed */
    bool json, batch;
    bool keeps; /* in.onnx is an input, and not to be replaced */
} Line;

static void add_word(Line *line, const char *word)
{
    ck_assert_uint_lt(line->count, WORDS_MAX);
    line->words[line->count++] = word;
    strcat(strcat(line->all, " "), *word ? word : "''");
}

/* The n-th of the options that the help lists; false when there are fewer. */
static bool option_at(const char *help, unsigned n, char name[32], bool *takes)
{
    const char *at = strstr(help, "\noptions:\n");
    for (; (at = strchr(at, '\n')); at++) {
        if (strncmp(at + 1, "  ", 2) != 0 || strncmp(at + 7, "--", 2) != 0)
            continue;
        if (n-- > 0)
            continue;
        size_t length = strcspn(at + 7, " \n");
        snprintf(name, 32, "%.*s", (int)length, at + 7);
        const char *next = at + 7 + length;
        *takes = next[0] == ' ' && next[1] != ' ' && next[1] != '\n';
        return true;
    }
    return false;
}

static void add_option(Line *line, const char *help, char name[32])
{
    unsigned count = 0;
    bool takes;
    while (option_at(help, count, name, &takes))
        count++;
    ck_assert_uint_gt(count, 0);
    option_at(help, draw(count), name, &takes);
    if (strcmp(name, "--help") == 0)
        return;
    add_word(line, name);
    line->batch |= strcmp(name, "--output-dir") == 0;
    line->keeps &= strcmp(name, "--in-place") != 0;
    if (!takes)
        return;
    add_word(line, value_of(name + 2));
    line->json |= strcmp(name, "--json") == 0 &&
                  strcmp(line->words[line->count - 1], "-") == 0;
}

static void draw_line(Line *line)
{
    unsigned command = draw(COMMANDS), number = draw(5);
    *line = (Line){.count = 0};
    REPFOLD(commands[command].verb, "--help");
    char *help = strdup(cli.out);
    add_word(line, commands[command].verb);
    for (size_t i = 0; i < WORDS && commands[command].words[i]; i++) {
        const char *word = commands[command].words[i];
        add_word(line, word);
        line->keeps |= strcmp(word, "in.onnx") == 0;
        line->batch |= strcmp(word, "--output-dir") == 0;
    }
    for (unsigned i = 0; i < number; i++)
        add_option(line, help, line->names[i]);
    free(help);
}

/* ---- What holds of all ---- */

static void check_report(const Line *line)
{
    json_error_t error;
    json_t *root = json_loads(cli.out, 0, &error);
    /* Two reports cannot have one stream, and then neither does. */
    if (!root && strstr(cli.err, "two outputs would go to the same file"))
        return;
    ck_assert_msg(root != NULL, "%s: no JSON: %s", line->all, cli.out);
    ck_assert_msg(schema_accepts(root), "%s: not by the schema", line->all);
    const json_t *ok = json_object_get(root, "ok");
    ck_assert_msg(!ok || json_is_true(ok) == (cli.status == 0), "%s: ok is %d",
                  line->all, json_is_true(ok));
    ck_assert_msg(ok || cli.status == 2, "%s: no ok", line->all);
    json_decref(root);
}

/* Lines of trouble on standard error. */
static int count_trouble(void)
{
    int count = 0;
    for (const char *at = cli.err; *at; at += strcspn(at, "\n"), at += *at != 0)
        count += strncmp(at, "repfold: ", 9) == 0;
    return count;
}

static void check(const Line *line)
{
    ck_assert_msg(cli.status >= 0 && cli.status <= 2, "%s: status %d",
                  line->all, cli.status);
    /* Of many models each has its own. */
    if (!line->batch)
        ck_assert_msg(count_trouble() == (cli.status == 2), "%s: %d: %s",
                      line->all, cli.status, cli.err);
    if (line->json)
        check_report(line);
    ck_assert_msg(!line->keeps || cli_same("in.onnx", "kept.onnx"),
                  "%s: an input changed", line->all);
}

static void write_inputs(void)
{
    const char *train = cli_fixture("micro.ts-preserve.onnx");
    ck_assert_int_eq(REPFOLD("convert", "-q", train, "-o", "deploy.onnx",
                             "--json", "in.json"),
                     0);
    size_t size;
    char *bytes = cli_read(cli_fixture("micro.ts-preserve.onnx"), &size);
    cli_write("in.onnx", bytes, size);
    cli_write("kept.onnx", bytes, size);
    free(bytes);
    bytes = cli_read(cli_fixture("checkpoints/micro-ema.pth"), &size);
    cli_write("in.pth", bytes, size);
    free(bytes);
}

START_TEST(test_any_command_line)
{
    Line line;
    state = (unsigned)_i;
    write_inputs();
    for (int i = 0; i < LINES; i++) {
        draw_line(&line);
        cli_run(line.words);
        check(&line);
        if (!cli_same("in.onnx", "kept.onnx"))
            write_inputs();
    }
}
END_TEST

Suite *suite_cli_random(void)
{
    Suite *suite = suite_create("cli_random");
    TCase *tc = tcase_create("random");
    tcase_add_checked_fixture(tc, schema_setup, schema_teardown);
    tcase_add_loop_test(tc, test_any_command_line, 0, SEEDS);
    suite_add_tcase(suite, tc);
    return suite;
}
