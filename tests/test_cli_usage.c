/* The command line: what it takes, what it says when it is wrong. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "repfold.h"
#include "suites.h"

static const char *const verbs[] = {"convert", "verify", "lint",   "inspect",
                                    "run",     "bench",  "sample", "diff",
                                    "report",  "doctor", "import"};
enum { VERB_COUNT = sizeof verbs / sizeof *verbs };

START_TEST(test_overview_names_every_command)
{
    ck_assert_int_eq(REPFOLD("--help"), 0);
    for (int i = 0; i < VERB_COUNT; i++)
        ck_assert_ptr_nonnull(strstr(cli.out, verbs[i]));
    ck_assert_str_eq(cli.err, "");
}
END_TEST

START_TEST(test_each_command_explains_itself)
{
    ck_assert_int_eq(REPFOLD(verbs[_i], "--help"), 0);
    ck_assert_ptr_nonnull(strstr(cli.out, "usage: repfold "));
    ck_assert_ptr_nonnull(strstr(cli.out, "Exit status:"));
    ck_assert_ptr_nonnull(strstr(cli.out, "  repfold "));
    char *help = strdup(cli.out);
    for (const char *line = help; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        ck_assert_msg(strcspn(line, "\n") <= 80, "a long line: %s", line);
    }
    ck_assert_int_eq(REPFOLD("help", verbs[_i]), 0);
    ck_assert_str_eq(cli.out, help);
    free(help);
}
END_TEST

START_TEST(test_version)
{
    ck_assert_int_eq(REPFOLD("--version"), 0);
    ck_assert_str_eq(cli.out, "repfold 0.1.0\n");
}
END_TEST

START_TEST(test_no_command)
{
    cli_run((const char *const[]){NULL});
    cli_assert_trouble("usage", "repfold --help");
}
END_TEST

START_TEST(test_unknown_command_gets_a_suggestion)
{
    REPFOLD("covnert", "a.onnx");
    cli_assert_trouble("usage", "did you mean 'convert'?");
    REPFOLD("conv", "a.onnx");
    cli_assert_trouble("usage", "did you mean 'convert'?");
    REPFOLD("");
    cli_assert_trouble("usage", "unknown command ''; see");
    REPFOLD("xyzzy");
    cli_assert_trouble("usage", "unknown command 'xyzzy'");
}
END_TEST

START_TEST(test_unknown_option_gets_a_suggestion)
{
    REPFOLD("convert", "a.onnx", "-o", "b.onnx", "--treads", "2");
    cli_assert_trouble("usage", "did you mean '--threads'?");
    REPFOLD("convert", "a.onnx", "--out", "b.onnx");
    cli_assert_trouble("usage", "did you mean '--output'?");
    REPFOLD("verify", "a.onnx", "b.onnx", "--frobnicate");
    cli_assert_trouble("usage", "unknown option '--frobnicate'");
    REPFOLD("verify", "a.onnx", "b.onnx", "-x");
    cli_assert_trouble("usage", "unknown option '-x'");
}
END_TEST

START_TEST(test_option_of_another_command_is_unknown)
{
    REPFOLD("lint", "a.onnx", "--in-place");
    cli_assert_trouble("usage", "--in-place");
}
END_TEST

static const struct {
    const char *option, *value;
} bad_values[] = {
    {"--threads", "0"},
    {"--threads", "-1"},
    {"--threads", " 3"},
    {"--threads", "3 "},
    {"--threads", "+3"},
    {"--threads", "3.5"},
    {"--threads", "0x10"},
    {"--threads", ""},
    {"--threads", "1025"},
    {"--samples", "99999999999999999999"},
    {"--seed", "18446744073709551616"},
    {"--max-memory", "1T"},
    {"--max-memory", "1g"},
    {"--max-memory", "M"},
    {"--max-memory", "-1M"},
    {"--max-memory", "0"},
    {"--max-memory", "18014398509481984k"},
    {"--precision", "f16"},
    {"--precision", "f64|both"},
    {"--precision", ""},
    {"--only", ""},
};

START_TEST(test_values_are_read_strictly)
{
    REPFOLD("convert", "a.onnx", "-o", "b.onnx", bad_values[_i].option,
            bad_values[_i].value);
    cli_assert_trouble("usage", bad_values[_i].option);
}
END_TEST

static const char *const bad_reals[] = {"1e400", "1e-400", "nan", "inf",
                                        "-1",    "0",      " 1",  "1x",
                                        "0x1p3", "",       "1e",  "."};

START_TEST(test_reals_are_read_strictly)
{
    REPFOLD("sample", "fastvit_t8", "-o", "a.onnx", "--width-mult",
            bad_reals[_i]);
    cli_assert_trouble("usage", "--width-mult must be a positive number");
}
END_TEST

START_TEST(test_value_may_be_attached)
{
    REPFOLD("convert", "absent.onnx", "--output=b.onnx", "--threads=1");
    cli_assert_trouble("io", "absent.onnx");
    REPFOLD("convert", "absent.onnx", "-ob.onnx");
    cli_assert_trouble("io", "absent.onnx");
    REPFOLD("convert", "absent.onnx", "-o", "b.onnx", "--quiet=yes");
    cli_assert_trouble("usage", "--quiet takes no value");
}
END_TEST

START_TEST(test_value_is_needed)
{
    REPFOLD("convert", "a.onnx", "-o");
    cli_assert_trouble("usage", "--output needs a value");
    REPFOLD("convert", "a.onnx", "--seed");
    cli_assert_trouble("usage", "--seed needs a value");
}
END_TEST

START_TEST(test_files_are_counted)
{
    REPFOLD("convert", "-o", "b.onnx");
    cli_assert_trouble("usage", "usage: repfold convert IN.onnx");
    REPFOLD("verify", "a.onnx");
    cli_assert_trouble("usage", "usage: repfold verify A.onnx B.onnx");
    REPFOLD("inspect", "a.onnx", "b.onnx");
    cli_assert_trouble("usage", "usage: repfold inspect");
    REPFOLD("doctor", "a.onnx");
    cli_assert_trouble("usage", "usage: repfold doctor");
}
END_TEST

START_TEST(test_two_dashes_end_the_options)
{
    REPFOLD("lint", "--", "--absent.onnx");
    cli_assert_trouble("io", "--absent.onnx");
}
END_TEST

START_TEST(test_output_must_be_named)
{
    REPFOLD("convert", "a.onnx");
    cli_assert_trouble("usage", "--output FILE or --in-place");
    REPFOLD("sample", "fastvit_t8");
    cli_assert_trouble("usage", "--output FILE");
    REPFOLD("convert", "a.onnx", "-o", "b.onnx", "--in-place");
    cli_assert_trouble("usage", "exclude each other");
    REPFOLD("convert", "-", "--in-place");
    cli_assert_trouble("usage", "standard input cannot be replaced");
    REPFOLD("convert", "a.onnx", "-o", "new/");
    cli_assert_trouble("io", "new/: is not the name of a file");
    REPFOLD("convert", "a.onnx", "-o", "b.onnx", "--html", "new/");
    cli_assert_trouble("io", "new/: is not the name of a file");
}
END_TEST

/* Nothing that is asked for is passed over in silence. */
START_TEST(test_what_would_be_idle)
{
    static const char *const pairs[][4] = {
        {"--dump-after", "sum", "--json", "r.json"},
        {"--dump-after", "sum", "--html", "r.html"},
        {"--no-verify", "-q", "--images", "photos"},
        {"--no-verify", "-q", "--input", "x=x.npy"},
        {"--no-verify", "-q", "--samples", "8"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        REPFOLD("convert", "a.onnx", "-o", "b.onnx", pairs[i][0], pairs[i][1],
                pairs[i][2], pairs[i][3]);
        cli_assert_trouble("usage", pairs[i][0]);
        ck_assert(!cli_exists("b.onnx"));
    }
}
END_TEST

START_TEST(test_standard_input_is_read_once)
{
    REPFOLD("verify", "-", "-");
    cli_assert_trouble("usage", "standard input can be read once");
    REPFOLD("diff", "-", "a.onnx", "-");
    cli_assert_trouble("usage", "usage: repfold diff");
}
END_TEST

START_TEST(test_quiet_and_verbose_exclude_each_other)
{
    REPFOLD("lint", "a.onnx", "-qv");
    cli_assert_trouble("usage", "exclude each other");
}
END_TEST

/* A script's error object must not depend on where --json stands. */
START_TEST(test_usage_error_as_json)
{
    static const char *const forms[][2] = {
        {"--json", "-"}, {"--json=-", "b"}, {"--json", "/dev/stdout"}};
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(
            REPFOLD("lint", "--tread", "1", "a.onnx", forms[i][0], forms[i][1]),
            2);
        ck_assert_ptr_nonnull(strstr(cli.out, "\"code\": \"usage\""));
        ck_assert_ptr_nonnull(strstr(cli.err, "[usage]"));
    }
}
END_TEST

START_TEST(test_doctor)
{
    static const char *const facts[] = {
        "repfold",    "processors", "instructions", "sandbox", "memory limit",
        "\njansson ", "\nlibpng ",  "\nlibjpeg ",   "\nzlib ", "\nprotobuf-c "};
    ck_assert_int_eq(REPFOLD("doctor"), 0);
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        ck_assert_msg(strstr(cli.out, facts[i]), "no %s: %s", facts[i],
                      cli.out);
    ck_assert_str_eq(cli.err, "");
    ck_assert_int_eq(REPFOLD("doctor", "-q"), 0);
    ck_assert_str_eq(cli.out, "");
}
END_TEST

START_TEST(test_closed_standard_output_is_trouble)
{
    int status =
        cli_run_with(NULL, "/dev/full", (const char *const[]){"--help", NULL});
    ck_assert_int_eq(status, 2);
    ck_assert_ptr_nonnull(strstr(cli.err, "[io]"));
}
END_TEST

/* ---- What is written about the options elsewhere ---- */

static char *read_source(const char *path)
{
    size_t size;
    char *text = cli_read(cli_source(path), &size);
    ck_assert_msg(text, "cannot read %s", path);
    return text;
}

/* Removes the backslashes of roff. */
static void plain(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++)
        if (*from != '\\')
            *to++ = *from;
    *to = '\0';
}

/* "--stop-after" as a whole word. */
static bool mentions(const char *text, const char *name)
{
    char word[80];
    snprintf(word, sizeof word, "--%s", name);
    size_t length = strlen(word);
    for (const char *at = text; (at = strstr(at, word)); at += length)
        if (!strchr("abcdefghijklmnopqrstuvwxyz-", at[length]) ||
            at[length] == '\0')
            return true;
    return false;
}

static void check_documented(const char *name)
{
    char *text = read_source("converter/repfold.1");
    plain(text);
    ck_assert_msg(mentions(text, name), "the manual does not tell --%s", name);
    free(text);
}

START_TEST(test_every_option_is_documented)
{
    ck_assert_int_eq(REPFOLD(verbs[_i], "--help"), 0);
    char *help = strdup(cli.out);
    int options = 0;
    for (char *line = strstr(help, "\noptions:\n"); line;
         line = strchr(line + 1, '\n')) {
        char *name = strstr(line, "--");
        if (!name || name > line + 8)
            continue;
        name[2 + strcspn(name + 2, " \n")] = '\0';
        check_documented(name + 2);
        options++;
        line = name + strlen(name);
        *line = ' ';
    }
    ck_assert_int_ge(options, 3);
    free(help);
}
END_TEST

/* Those that the error names. */
START_TEST(test_the_manual_lists_the_passes)
{
    char *text = read_source("converter/repfold.1");
    REPFOLD("convert", cli_fixture("micro.ts-preserve.onnx"), "--dump-after",
            "?");
    cli_assert_trouble("usage", "there are ");
    char *list = strstr(cli.err, "there are ") + strlen("there are ");
    list[strcspn(list, "[") - 1] = '\0';
    ck_assert_msg(strstr(text, list), "the manual does not list %s", list);
    free(text);
}
END_TEST

/* What bash offers for the last of the words, in cli.out. */
static void complete(const char *words)
{
    char line[512];
    snprintf(line, sizeof line,
             ". %s && COMP_WORDS=(%s) && COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) "
             "&& _repfold && echo \"${COMPREPLY[@]}\"",
             cli_path("bash"), words);
    cli_command("/bin/bash", (const char *const[]){"-c", line, NULL});
    ck_assert_msg(cli.status == 0 && !*cli.err, "%s: %s", words, cli.err);
}

static void write_completions(const char *shell)
{
    ck_assert_int_eq(REPFOLD("--completions", shell), 0);
    cli_write(shell, cli.out, strlen(cli.out));
}

START_TEST(test_bash_completes)
{
    static const char *const cases[][2] = {
        {"repfold ver", "verify\n"},
        {"repfold verify --be", "--bench\n"},
        {"repfold lint --be", "\n"},
        {"repfold convert --in", "--input --input-size --interpolation "
                                 "--in-place --inline-functions "
                                 "--input-shape\n"},
        {"repfold run --precision f", "f32 f64\n"},
        {"repfold verify --precision b", "both\n"},
        {"repfold report m", "merge\n"},
        {"repfold sample fastvit_s", "fastvit_s12 fastvit_sa12 fastvit_sa24 "
                                     "fastvit_sa36\n"}};
    write_completions("bash");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        complete(cases[i][0]);
        ck_assert_str_eq(cli.out, cases[i][1]);
    }
    REPFOLD("--completions", "tcsh");
    cli_assert_trouble("usage", "bash, zsh or fish");
}
END_TEST

/* The shells themselves read them, where they are there. */
START_TEST(test_zsh_and_fish_read_their_completions)
{
    static const char *const shells[] = {"zsh", "fish"};
    for (int i = 0; i < 2; i++) {
        char line[256];
        write_completions(shells[i]);
        ck_assert_ptr_nonnull(strstr(cli.out, "stop-after"));
        snprintf(line, sizeof line,
                 "command -v %s >/dev/null || exit 9; %s -n %s", shells[i],
                 shells[i], cli_path(shells[i]));
        cli_command("/bin/sh", (const char *const[]){"-c", line, NULL});
        if (cli.status == 9)
            fprintf(stderr, "cli_usage: there is no %s to read it\n",
                    shells[i]);
        else
            ck_assert_msg(cli.status == 0, "%s: %s", shells[i], cli.err);
    }
}
END_TEST

/* The words at `text` are those of the rule, wherever lines end, and in
 * whatever case the first letter is. Returns what comes behind. */
static const char *check_rule(const char *text, const rp_rule *rule)
{
    const char *at = text;
    for (const char *c = rule->text; *c; c++, at++) {
        bool same = c == rule->text ? tolower((unsigned char)*at) ==
                                          tolower((unsigned char)*c)
                                    : *at == *c || (*c == ' ' && *at == '\n');
        ck_assert_msg(same, "%s: not \"%s\" but: %.60s", rule->name, rule->text,
                      text);
    }
    ck_assert_msg(!isalnum((unsigned char)*at), "%s goes on: %.60s", rule->name,
                  text);
    return at;
}

/* In each place the rule has one entry, which begins with `head`, ends with
 * `tail` and says whether it is off. */
static void check_rules(const char *source, const char *head, const char *tail,
                        const char *off)
{
    char *whole = read_source(source);
    size_t count;
    const rp_rule *rules = rp_rules(&count);
    for (size_t i = 0; i < count; i++) {
        char title[32];
        snprintf(title, sizeof title, head, rules[i].name);
        ck_assert_int_eq(cli_occurrences(whole, title), 1);
        const char *text = strstr(whole, title) + strlen(title);
        const char *behind = check_rule(text, &rules[i]);
        const char *end = strstr(behind, tail), *said = strstr(behind, off);
        ck_assert_ptr_nonnull(end);
        ck_assert_msg((said && said < end) == rules[i].on_demand,
                      "%s says the wrong thing of %s", source, rules[i].name);
    }
    free(whole);
}

START_TEST(test_rules_are_described_as_in_the_table)
{
    check_rules("converter/repfold.1", "\n.B %s\n", "\n.", "\nOff by default.");
    check_rules("README.md", "\n| %s | ", " |\n", "off unless `--enable`d");
}
END_TEST

/* The quoted codes of an X-macro table, and how the manual sets them. */
static void check_codes(const char *table, const char *macro, const char *form)
{
    char *manual = read_source("converter/repfold.1");
    char *rows = read_source(table);
    int count = 0;
    for (char *row = rows; (row = strstr(row, macro));) {
        char *code = strchr(row, '"') + 1;
        row = strchr(code, '"');
        *row++ = '\0';
        if (strcmp(code, "ok") == 0)
            continue;
        char head[64];
        snprintf(head, sizeof head, form, code);
        ck_assert_msg(strstr(manual, head), "repfold.1 does not tell %s", code);
        count++;
    }
    ck_assert_int_gt(count, 10);
    free(manual);
    free(rows);
}

START_TEST(test_every_code_is_in_the_manual)
{
    check_codes("src/base/err.def", "\nERR(", "%s");
    check_codes("src/fold/reason.def", "\nREASON(", "\n.TP\n.B %s\n");
}
END_TEST

Suite *suite_cli_usage(void)
{
    Suite *suite = suite_create("cli_usage");
    TCase *tc = tcase_create("usage");
    tcase_add_checked_fixture(tc, cli_setup, cli_teardown);
    tcase_add_test(tc, test_overview_names_every_command);
    tcase_add_loop_test(tc, test_each_command_explains_itself, 0, VERB_COUNT);
    tcase_add_test(tc, test_the_manual_lists_the_passes);
    tcase_add_test(tc, test_rules_are_described_as_in_the_table);
    tcase_add_test(tc, test_version);
    tcase_add_test(tc, test_no_command);
    tcase_add_test(tc, test_unknown_command_gets_a_suggestion);
    tcase_add_test(tc, test_unknown_option_gets_a_suggestion);
    tcase_add_test(tc, test_option_of_another_command_is_unknown);
    tcase_add_loop_test(tc, test_values_are_read_strictly, 0,
                        sizeof bad_values / sizeof *bad_values);
    tcase_add_loop_test(tc, test_reals_are_read_strictly, 0,
                        sizeof bad_reals / sizeof *bad_reals);
    tcase_add_test(tc, test_value_may_be_attached);
    tcase_add_test(tc, test_value_is_needed);
    tcase_add_test(tc, test_files_are_counted);
    tcase_add_test(tc, test_two_dashes_end_the_options);
    tcase_add_test(tc, test_output_must_be_named);
    tcase_add_test(tc, test_what_would_be_idle);
    tcase_add_test(tc, test_standard_input_is_read_once);
    tcase_add_test(tc, test_quiet_and_verbose_exclude_each_other);
    tcase_add_test(tc, test_usage_error_as_json);
    tcase_add_test(tc, test_doctor);
    tcase_add_test(tc, test_closed_standard_output_is_trouble);
    tcase_add_loop_test(tc, test_every_option_is_documented, 0, VERB_COUNT);
    tcase_add_test(tc, test_bash_completes);
    tcase_add_test(tc, test_zsh_and_fish_read_their_completions);
    tcase_add_test(tc, test_every_code_is_in_the_manual);
    suite_add_tcase(suite, tc);
    return suite;
}
