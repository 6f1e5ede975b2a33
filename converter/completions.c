/*
 * --completions SHELL: what bash, zsh and fish complete, from the tables of
 * commands and options that are also parsed, so that it cannot be another.
 */
#include <string.h>

#include "opt.h"

/* Text within single quotes, with a backslash before what is in `special`. */
static void print_quoted(const char *text, const char *special)
{
    for (; *text; text++)
        if (*text == '\'')
            fputs("'\\''", stdout);
        else
            printf("%s%c", strchr(special, *text) ? "\\" : "", *text);
}

/* The words of a choice, separated by blanks. */
static void print_choices(const char *choices)
{
    for (; *choices; choices++)
        putchar(*choices == '|' ? ' ' : *choices);
}

static bool is_choice(const Option *option)
{
    return option->kind == CHOICE;
}

/* The value of an option that names a file or a folder. */
static bool is_file(const Option *option)
{
    return option->kind != FLAG && option->kind != CHOICE &&
           (strstr(option->argument, "FILE") ||
            strstr(option->argument, "DIR") ||
            strstr(option->argument, ".json"));
}

static void print_verbs(const Verb *const *verbs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        printf("%s%s", i ? " " : "", verbs[i]->name);
}

static void print_variants(void)
{
    for (const char *const *variant = rp_sample_variants(); *variant; variant++)
        printf("%s%s", variant == rp_sample_variants() ? "" : " ", *variant);
}

/* ---- bash ---- */

static void bash_choices(const Verb *verb)
{
    size_t count;
    const Option *options = opt_list(&count);
    for (size_t i = 0; i < count; i++) {
        if (!(options[i].verbs & verb->bit) || !is_choice(&options[i]))
            continue;
        printf("    '%s --%s') words='", verb->name, options[i].name);
        print_choices(options[i].argument);
        fputs("' ;;\n", stdout);
    }
}

static void bash_verb(const Verb *verb)
{
    size_t count;
    const Option *options = opt_list(&count);
    printf("    '%s -'*) words='", verb->name);
    for (size_t i = 0; i < count; i++)
        if (options[i].verbs & verb->bit)
            printf(" --%s", options[i].name);
    fputs("' ;;\n", stdout);
}

static void print_bash(const Verb *const *verbs, size_t count)
{
    fputs("# bash completion for repfold, by repfold --completions bash\n"
          "# shellcheck shell=bash\n\n"
          "_repfold() {\n"
          "    local current=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]}\n"
          "    local previous=${COMP_WORDS[COMP_CWORD - 1]} words=\n"
          "    compopt -o default 2>/dev/null\n"
          "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
          "        words='",
          stdout);
    print_verbs(verbs, count);
    fputs(" --help --version'\n"
          "    elif [ \"$verb $COMP_CWORD\" = 'sample 2' ]; then\n"
          "        words='",
          stdout);
    print_variants();
    fputs("'\n"
          "    elif [ \"$verb $COMP_CWORD\" = 'report 2' ]; then\n"
          "        words=merge\n"
          "    fi\n    case \"$verb $previous\" in\n",
          stdout);
    for (size_t i = 0; i < count; i++)
        bash_choices(verbs[i]);
    fputs("    esac\n    [ -n \"$words\" ] || case \"$verb $current\" in\n",
          stdout);
    for (size_t i = 0; i < count; i++)
        bash_verb(verbs[i]);
    fputs(
        "    esac\n"
        "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
        "}\n\ncomplete -F _repfold repfold\n",
        stdout);
}

/* ---- zsh ---- */

static void zsh_option(const Option *option)
{
    fputs(" \\\n        ", stdout);
    if (option->letter)
        printf("'(-%c --%s)'{-%c,--%s}'[", option->letter, option->name,
               option->letter, option->name);
    else
        printf("'%s--%s[", option->kind == LIST ? "*" : "", option->name);
    print_quoted(option->help, "[]\\");
    putchar(']');
    if (option->kind != FLAG) {
        putchar(':');
        print_quoted(is_choice(option) ? option->name : option->argument,
                     ":\\");
        putchar(':');
    }
    if (is_choice(option)) {
        putchar('(');
        print_choices(option->argument);
        putchar(')');
    } else if (is_file(option)) {
        fputs("_files", stdout);
    }
    putchar('\'');
}

static void print_zsh(const Verb *const *verbs, size_t count)
{
    size_t option_count;
    const Option *options = opt_list(&option_count);
    fputs("#compdef repfold\n"
          "# zsh completion for repfold, by repfold --completions zsh\n\n"
          "if (( CURRENT == 2 )); then\n    _values command ",
          stdout);
    print_verbs(verbs, count);
    fputs(" --help --version\n    return\nfi\n"
          "local verb=$words[2]\n"
          "shift words\n(( CURRENT-- ))\n"
          "case $verb in\n",
          stdout);
    for (size_t i = 0; i < count; i++) {
        printf("%s)\n    _arguments", verbs[i]->name);
        for (size_t k = 0; k < option_count; k++)
            if (options[k].verbs & verbs[i]->bit)
                zsh_option(&options[k]);
        if (verbs[i] == &verb_sample) {
            fputs(" \\\n        '1:variant:(", stdout);
            print_variants();
            fputs(")'", stdout);
        } else if (verbs[i] == &verb_report) {
            fputs(" \\\n        '1:what to do:(merge)' '*:file:_files'",
                  stdout);
        } else if (verbs[i]->max_files > 0) {
            fputs(" \\\n        '*:file:_files'", stdout);
        }
        fputs(" ;;\n", stdout);
    }
    fputs("esac\n", stdout);
}

/* ---- fish ---- */

static void fish_option(const Verb *verb, const Option *option)
{
    printf("complete -c repfold -n '__fish_seen_subcommand_from %s' -l %s",
           verb->name, option->name);
    if (option->letter)
        printf(" -s %c", option->letter);
    if (option->kind != FLAG)
        fputs(is_file(option) ? " -r" : " -x", stdout);
    if (is_choice(option)) {
        fputs(" -a '", stdout);
        print_choices(option->argument);
        putchar('\'');
    }
    fputs(" -d '", stdout);
    /* fish has its own rule for a quote within quotes. */
    for (const char *c = option->help; *c; c++)
        printf("%s%c", *c == '\'' || *c == '\\' ? "\\" : "", *c);
    fputs("'\n", stdout);
}

static void print_fish(const Verb *const *verbs, size_t count)
{
    size_t option_count;
    const Option *options = opt_list(&option_count);
    fputs("# fish completion for repfold, by repfold --completions fish\n"
          "complete -c repfold -n __fish_use_subcommand -f -a '",
          stdout);
    print_verbs(verbs, count);
    fputs("'\ncomplete -c repfold -n __fish_use_subcommand -l help\n"
          "complete -c repfold -n __fish_use_subcommand -l version\n"
          "complete -c repfold -n '__fish_seen_subcommand_from sample' -f -a '",
          stdout);
    print_variants();
    fputs("'\ncomplete -c repfold -n '__fish_seen_subcommand_from report; and "
          "not __fish_seen_subcommand_from merge' -f -a merge\n",
          stdout);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < option_count; k++)
            if (options[k].verbs & verbs[i]->bit)
                fish_option(verbs[i], &options[k]);
}

bool completions_print(const char *shell, const Verb *const *verbs,
                       size_t count)
{
    static const struct {
        const char *name;
        void (*print)(const Verb *const *verbs, size_t count);
    } shells[] = {
        {"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++)
        if (strcmp(shells[i].name, shell) == 0) {
            shells[i].print(verbs, count);
            return true;
        }
    return false;
}
