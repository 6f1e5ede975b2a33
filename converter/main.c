/* repfold: the command line. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "opt.h"

static const Verb *const verbs[] = {
    &verb_convert, &verb_import, &verb_verify, &verb_lint,
    &verb_inspect, &verb_run,    &verb_bench,  &verb_sample,
    &verb_diff,    &verb_report, &verb_doctor,
};

enum { VERB_COUNT = sizeof verbs / sizeof *verbs };

static void print_overview(void)
{
    fputs("repfold: from the training form of a network to its deploy form, "
          "with proof\n\n"
          "usage: repfold COMMAND ...\n\n",
          stdout);
    for (size_t i = 0; i < VERB_COUNT; i++)
        printf("  %-9s %s\n", verbs[i]->name, verbs[i]->summary);
    fputs("\n"
          "'repfold COMMAND --help' tells more and gives examples; so does "
          "'man repfold'.\n"
          "Exit status: 0 yes or done, 1 no, 2 trouble of any kind.\n",
          stdout);
}

static void print_help(const Verb *verb)
{
    printf("usage: repfold %s %s\n\n%s\n\noptions:\n", verb->name,
           verb->arguments, verb->text);
    opt_help(verb);
}

static const Verb *find_verb(const char *name)
{
    for (size_t i = 0; i < VERB_COUNT; i++)
        if (strcmp(verbs[i]->name, name) == 0)
            return verbs[i];
    return NULL;
}

static int unknown_verb(const char *name)
{
    const char *names[VERB_COUNT];
    Options none = {0};
    for (size_t i = 0; i < VERB_COUNT; i++)
        names[i] = verbs[i]->name;
    const char *nearest = opt_nearest(name, names, VERB_COUNT);
    if (nearest)
        return trouble_say(&none, "usage", "",
                           "unknown command '%s'; did you mean '%s'?", name,
                           nearest);
    return trouble_say(&none, "usage", "",
                       "unknown command '%s'; see 'repfold --help'", name);
}

static int run_verb(const Verb *verb, int argc, char **argv)
{
    Options options = {0};
    rp_error error = {0};
    int status;
    if (opt_parse(verb, argc, argv, &options, &error) < 0) {
        reports_as_given(&options, argv);
        status = trouble(&options, &error);
    } else if (options.help) {
        print_help(verb);
        status = YES;
    } else {
        status = outputs_differ(&options);
        if (status == 0)
            status = reports_check(&options);
        /* Of several models each has a process of its own, with less; and
         * what reads no file has nothing to fear. */
        if (status == 0 && !options.output_dir && verb->max_files > 0)
            status = files_only(&options);
        if (status == 0)
            status = verb->run(&options);
    }
    opt_free(&options);
    return status;
}

static int print_completions(const char *shell)
{
    Options none = {0};
    if (shell && completions_print(shell, verbs, VERB_COUNT))
        return YES;
    return trouble_say(&none, "usage", "",
                       "--completions must be bash, zsh or fish");
}

static int dispatch(int argc, char **argv)
{
    Options none = {0};
    if (argc < 2)
        return trouble_say(&none, "usage", "",
                           "no command; see 'repfold --help'");
    const char *word = argv[1];
    if (strcmp(word, "--version") == 0) {
        printf("repfold %s\n", rp_version());
        return YES;
    }
    if (strcmp(word, "--completions") == 0)
        return print_completions(argv[2]);
    if (strcmp(word, "help") == 0 && argc > 2) {
        const Verb *verb = find_verb(argv[2]);
        if (!verb)
            return unknown_verb(argv[2]);
        print_help(verb);
        return YES;
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 ||
        strcmp(word, "help") == 0) {
        print_overview();
        return YES;
    }
    const Verb *verb = find_verb(word);
    return verb ? run_verb(verb, argc - 2, argv + 2) : unknown_verb(word);
}

int main(int argc, char **argv)
{
    process_prepare();
    json_prepare();
    int status = dispatch(argc, argv);
    /* A report that did not arrive is no answer. */
    bool failed = ferror(stdout) != 0;
    if (fclose(stdout) != 0 || failed) {
        fprintf(stderr, "repfold: standard output: %s [io]\n", strerror(errno));
        return TROUBLE;
    }
    return status;
}
