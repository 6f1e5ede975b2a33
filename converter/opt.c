#include "opt.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
    FOLDS = VERB_CONVERT | VERB_LINT,
    JUDGES = VERB_CONVERT | VERB_VERIFY,
    EXECUTES = JUDGES | VERB_RUN | VERB_BENCH,
    READS = EXECUTES | VERB_LINT | VERB_INSPECT | VERB_DIFF,
    CHECKS = JUDGES | VERB_LINT,
    MAKES = VERB_IMPORT | VERB_SAMPLE,
    IMPORTS = VERB_IMPORT | VERB_CONVERT,
    TELLS = CHECKS | VERB_REPORT,
    ALL = READS | MAKES | VERB_REPORT | VERB_DOCTOR,
    INT_LIMIT = 2147483647
};

#define AT(field) offsetof(Options, field)

static const Option table[] = {
    {"output", 'o', TEXT, AT(output), VERB_CONVERT | MAKES, 0, "FILE",
     "where the model goes; - is standard output"},
    {"output", 0, LIST, AT(outputs), VERB_RUN, 0, "NAME=FILE.npy",
     "write this output; may be repeated"},
    {"input", 0, LIST, AT(inputs), VERB_RUN, 0, "NAME=FILE.npy",
     "read this input, or those in FILE.npz; may be repeated"},
    {"input", 0, LIST, AT(inputs), JUDGES, 0, "NAME=FILE.npy",
     "verify on these data, or FILE.npz, as well; may be repeated"},
    {"images", 0, TEXT, AT(images), JUDGES, 0, "DIR",
     "verify on the PNG and JPEG files of a folder as well"},
    {"max-images", 0, NUMBER, AT(max_images), JUDGES, 1000000, "N",
     "the first N of them by name (64)"},
    {"input-size", 0, TEXT, AT(input_size), JUDGES, 0, "3,H,W",
     "the size that images get (the model's)"},
    {"crop-pct", 0, REAL, AT(crop_pct), JUDGES, 0, "X",
     "the centre that is left of an image, at most 1 (0.875)"},
    {"interpolation", 0, CHOICE, AT(interpolation), JUDGES, 0,
     "nearest|bilinear|bicubic", "how images are resized (bicubic)"},
    {"mean", 0, TEXT, AT(mean), JUDGES, 0, "R,G,B",
     "taken from images in 0 to 1 (0.485,0.456,0.406)"},
    {"std", 0, TEXT, AT(std), JUDGES, 0, "R,G,B",
     "which they are then divided by (0.229,0.224,0.225)"},
    {"data-dir", 0, TEXT, AT(external_dir), READS, 0, "DIR",
     "where external data are (the model's folder)"},
    {"external-data", 0, CHOICE, AT(external_data), VERB_CONVERT | MAKES, 0,
     "never|auto|always", "write weights beside the model (auto)"},
    {"data", 0, TEXT, AT(data_dir), VERB_RUN, 0, "DIR",
     "run on input_N.pb and compare with output_N.pb"},
    {"data", 0, LIST, AT(data_dirs), JUDGES, 0, "DIR",
     "verify on the input_N.pb of a folder as well; may be repeated"},
    {"rtol", 0, REAL, AT(rtol), VERB_RUN, 0, "X",
     "with --data: relative tolerance (1e-3)"},
    {"atol", 0, REAL, AT(atol), VERB_RUN, 0, "X",
     "with --data: absolute tolerance (1e-7)"},
    {"output-dir", 0, TEXT, AT(output_dir), VERB_CONVERT, 0, "DIR",
     "write each of several models into this folder"},
    {"jobs", 0, NUMBER, AT(jobs), VERB_CONVERT, 1024, "N",
     "with --output-dir: how many models at once (processors)"},
    {"shard", 0, TEXT, AT(shard), VERB_VERIFY, 0, "K/N",
     "verify on the K-th of N parts of all samples"},
    {"in-place", 0, FLAG, AT(in_place), VERB_CONVERT, 0, NULL,
     "replace the input file"},
    {"no-run", 0, FLAG, AT(no_run), VERB_CONVERT, 0, NULL,
     "certify, but do not run either model"},
    {"no-verify", 0, FLAG, AT(no_verify), VERB_CONVERT, 0, NULL,
     "write without certificates and without running it"},
    {"require-change", 0, FLAG, AT(require_change), VERB_CONVERT, 0, NULL,
     "exit 1 when nothing could be folded"},
    {"only", 0, TEXT, AT(only), FOLDS, 0, "RULES",
     "fold by these rules alone: C1,C4,..."},
    {"skip", 0, TEXT, AT(skip), FOLDS, 0, "RULES", "fold by all but these"},
    {"enable", 0, TEXT, AT(enable), FOLDS, 0, "RULES",
     "also fold by rules that are off by default"},
    {"allow-cost", 0, FLAG, AT(allow_cost), FOLDS, 0, NULL,
     "also make folds that raise MACs or parameters"},
    {"inline-functions", 0, FLAG, AT(inline_functions), FOLDS, 0, NULL,
     "put a model-local function that is called once in place of its call"},
    {"assume-inference", 0, FLAG, AT(assume_inference), READS, 0, NULL,
     "take BatchNormalization with training_mode=1 for inference"},
    {"strict", 0, FLAG, AT(strict), VERB_LINT, 0, NULL,
     "exit 1 also where only the way of exporting prevents a fold"},
    {"stop-after", 0, NUMBER, AT(stop_after), FOLDS, INT_LIMIT, "N",
     "make the first N folds only: bisects a wrong result"},
    {"dump-after", 0, TEXT, AT(dump_after), VERB_CONVERT, 0, "PASS",
     "print the graph as text after PASS and write nothing"},
    {"freeze-initializers", 0, FLAG, AT(freeze_initializers), READS, 0, NULL,
     "initializers that are also inputs are constant"},
    {"input-shape", 0, LIST, AT(shapes), JUDGES | VERB_BENCH | VERB_RUN, 0,
     "NAME:1,3,H,W", "the size of a symbolic input; may be repeated"},
    {"certificate", 0, TEXT, AT(certificate), VERB_VERIFY, 0, "R.json",
     "the report of the conversion: derive its certificates again"},
    {"by-position", 0, FLAG, AT(by_position), VERB_VERIFY, 0, NULL,
     "pair inputs and outputs by their order, whatever they are called"},
    {"roundings", 0, NUMBER, AT(roundings), VERB_VERIFY, 1000, "N",
     "how often each weight may have been rounded (1)"},
    {"samples", 0, NUMBER, AT(samples), JUDGES, 10000, "N",
     "random inputs to verify on (4; 1 mixed one for a large network)"},
    {"seed", 0, NUMBER, AT(seed), JUDGES | VERB_SAMPLE, INT64_MAX, "N",
     "what the random numbers start from (1)"},
    {"precision", 0, CHOICE, AT(precision), JUDGES, 0, "f64|both",
     "f64 leaves the float32 executions out (both)"},
    {"precision", 0, CHOICE, AT(precision), VERB_RUN, 0, "f32|f64",
     "arithmetic to run in (f64)"},
    {"precision", 0, CHOICE, AT(precision), VERB_BENCH, 0, "f32|f64",
     "arithmetic to run in (f32)"},
    {"runs", 0, NUMBER, AT(runs), VERB_BENCH, 100000, "N",
     "how often to run (10)"},
    {"width-mult", 0, REAL, AT(width_mult), VERB_SAMPLE, 0, "X",
     "multiply the number of channels (1)"},
    {"key", 0, TEXT, AT(key), IMPORTS, 0, "KEY",
     "of a checkpoint: the state dict under this key"},
    {"variant", 0, TEXT, AT(variant), IMPORTS, 0, "VARIANT",
     "of a checkpoint: the network that it must be of"},
    {"size", 0, NUMBER, AT(size), IMPORTS | VERB_SAMPLE, 65536, "PIXELS",
     "height and width of the input (256; 224 where it is not FastViT)"},
    {"classes", 0, NUMBER, AT(classes), VERB_SAMPLE, 1000000, "N",
     "outputs of the classifier (1000)"},
    {"dense", 0, FLAG, AT(dense), IMPORTS | VERB_SAMPLE, 0, NULL,
     "four feature maps instead of a classifier"},
    {"dynamic", 0, FLAG, AT(dynamic), IMPORTS | VERB_SAMPLE, 0, NULL,
     "leave the batch size open"},
    {"dtype", 0, CHOICE, AT(dtype), VERB_SAMPLE, 0, "float16|float32|float64",
     "type of weights and data (float32)"},
    {"dtype", 0, CHOICE, AT(dtype), IMPORTS, 0, "float16|float32|float64",
     "type of weights and data (the checkpoint's)"},
    {"threads", 0, NUMBER, AT(threads), EXECUTES | VERB_LINT, 1024, "N",
     "processors to use (all)"},
    {"max-memory", 0, SIZE, AT(max_memory), READS | VERB_IMPORT, 0, "SIZE",
     "stop when more memory is needed: 512M, 4G (three quarters of all)"},
    {"json", 0, TEXT, AT(json), ALL, 0, "FILE",
     "write the report as JSON as well; - is standard output"},
    {"html", 0, TEXT, AT(html), CHECKS, 0, "FILE",
     "write the report as a page as well: graphs, folds, plots"},
    {"bench", 0, FLAG, AT(bench), JUDGES, 0, NULL,
     "time both models as well, in all and by operator"},
    {"junit", 0, TEXT, AT(junit), TELLS, 0, "FILE",
     "write a JUnit report as well: a test case a fold and an output"},
    {"sarif", 0, TEXT, AT(sarif), VERB_LINT, 0, "FILE",
     "write the findings as SARIF 2.1.0 as well"},
    {"github", 0, FLAG, AT(github), TELLS | VERB_DIFF, 0, NULL,
     "print annotations for GitHub Actions as well"},
    {"verbose", 'v', FLAG, AT(verbose), FOLDS, 0, NULL,
     "list each fold, and each refusal with its reason"},
    {"verbose", 'v', FLAG, AT(verbose), VERB_DIFF, 0, NULL,
     "name each node and initializer that is not the same"},
    {"verbose", 'v', FLAG, AT(verbose), VERB_IMPORT, 0, NULL,
     "list every tensor that does not fit"},
    {"no-sandbox", 0, FLAG, AT(no_sandbox), ALL, 0, NULL,
     "keep the right to open other files, see the manual, SECURITY"},
    {"quiet", 'q', FLAG, AT(quiet), ALL, 0, NULL, "print errors only"},
    {"help", 'h', FLAG, AT(help), ALL, 0, NULL, "print this text"},
};

enum { TABLE_SIZE = sizeof table / sizeof *table };

const Option *opt_list(size_t *count)
{
    *count = TABLE_SIZE;
    return table;
}

/* ---- Errors ---- */

static int usage(rp_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int usage(rp_error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    error->code = "usage";
    error->where[0] = '\0';
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return -1;
}

/* ---- What was meant ---- */

enum { WORD_MAX = 63 };

/* Levenshtein's distance, for words of up to WORD_MAX letters. */
static size_t distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1], width = strlen(b);
    for (size_t j = 0; j <= width; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 1; j <= width; j++) {
            size_t best = diagonal + (a[i] != b[j - 1]);
            diagonal = row[j];
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (row[j] + 1 < best)
                best = row[j] + 1;
            row[j] = best;
        }
    }
    return row[width];
}

const char *opt_nearest(const char *word, const char *const *candidates,
                        size_t count)
{
    const char *nearest = NULL;
    size_t best = strlen(word) / 3 + 1;
    if (strlen(word) > WORD_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (strlen(candidates[i]) > WORD_MAX)
            continue;
        /* What is cut short is meant, however much of it is missing. */
        bool is_start =
            *word && strncmp(candidates[i], word, strlen(word)) == 0;
        size_t far = is_start ? 0 : distance(word, candidates[i]);
        if (far <= best && (!nearest || far < best)) {
            best = far;
            nearest = candidates[i];
        }
    }
    return nearest;
}

static int unknown_option(const Verb *verb, const char *name, size_t length,
                          rp_error *error)
{
    const char *names[TABLE_SIZE];
    size_t count = 0;
    char word[WORD_MAX + 1];
    snprintf(word, sizeof word, "%.*s", (int)length, name);
    for (size_t i = 0; i < TABLE_SIZE; i++)
        if (table[i].verbs & verb->bit)
            names[count++] = table[i].name;
    const char *nearest = opt_nearest(word, names, count);
    if (nearest)
        return usage(error, "unknown option '--%s'; did you mean '--%s'?", word,
                     nearest);
    return usage(error, "unknown option '--%s'; see 'repfold %s --help'", word,
                 verb->name);
}

/* ---- Values ---- */

/* Digits and nothing else: no sign, no blank, no fraction. */
static bool parse_number(const char *text, size_t length, uint64_t limit,
                         uint64_t *out)
{
    uint64_t value = 0;
    if (length == 0)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!isdigit((unsigned char)text[i]))
            return false;
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *out = value;
    return value <= limit;
}

static bool parse_size(const char *text, uint64_t *out)
{
    static const char suffixes[] = "kMG";
    size_t length = strlen(text);
    const char *suffix = length > 0 ? strchr(suffixes, text[length - 1]) : NULL;
    int shift = suffix ? 10 * (int)(suffix - suffixes + 1) : 0;
    return parse_number(text, length - (suffix != NULL), UINT64_MAX >> shift,
                        out) &&
           (*out <<= shift) > 0;
}

static bool parse_real(const char *text, double *out)
{
    char *end;
    if (strspn(text, "0123456789.eE+-") != strlen(text) ||
        !isdigit((unsigned char)text[0]))
        return false;
    errno = 0;
    *out = strtod(text, &end);
    return *end == '\0' && errno == 0 && isfinite(*out) && *out > 0;
}

/* True when the text is one of the words. */
static bool is_choice(const char *choices, const char *text)
{
    size_t length = strcspn(text, "|");
    if (text[length])
        return false;
    for (const char *word = choices; word; word = strchr(word, '|')) {
        word += *word == '|';
        if (length > 0 && strncmp(word, text, length) == 0 &&
            (word[length] == '\0' || word[length] == '|'))
            return true;
    }
    return false;
}

static int bad_value(const Option *option, const char *text, rp_error *error)
{
    char wanted[128];
    switch (option->kind) {
    case NUMBER:
        snprintf(wanted, sizeof wanted, "a whole number from 1 to %llu",
                 (unsigned long long)option->limit);
        break;
    case SIZE:
        snprintf(wanted, sizeof wanted, "a size such as 512M or 4G");
        break;
    case REAL:
        snprintf(wanted, sizeof wanted, "a positive number");
        break;
    default:
        snprintf(wanted, sizeof wanted, "%s", option->argument);
    }
    return usage(error, "--%s must be %s, not '%s'", option->name, wanted,
                 text);
}

static bool parse_value(const Option *option, const char *text, void *field)
{
    switch (option->kind) {
    case FLAG:
        return *(bool *)field = true;
    case LIST: {
        List *list = field;
        list->items[list->count++] = text;
        return true;
    }
    case CHOICE:
        *(const char **)field = text;
        return is_choice(option->argument, text);
    case TEXT:
        /* An output that would replace what standard output goes to. */
        if (strcmp(text, "/dev/stdout") == 0 &&
            strcmp(option->argument, "FILE") == 0)
            text = "-";
        *(const char **)field = text;
        return text[0] != '\0';
    case NUMBER:
        return parse_number(text, strlen(text), option->limit, field) &&
               *(uint64_t *)field > 0;
    case SIZE:
        return parse_size(text, field);
    case REAL:
        return parse_real(text, field);
    }
    return false;
}

static int set_value(const Option *option, const char *text, Options *options,
                     rp_error *error)
{
    if (parse_value(option, text, (char *)options + option->offset))
        return 0;
    return bad_value(option, text, error);
}

/* ---- Arguments ---- */

typedef struct Arguments {
    int count, next;
    char **items;
    bool taken[TABLE_SIZE];
} Arguments;

static const Option *find_long(const Verb *verb, const char *name,
                               size_t length)
{
    for (size_t i = 0; i < TABLE_SIZE; i++)
        if ((table[i].verbs & verb->bit) && strlen(table[i].name) == length &&
            strncmp(table[i].name, name, length) == 0)
            return &table[i];
    return NULL;
}

static const Option *find_letter(const Verb *verb, char letter)
{
    for (size_t i = 0; i < TABLE_SIZE; i++)
        if ((table[i].verbs & verb->bit) && table[i].letter == letter)
            return &table[i];
    return NULL;
}

/* `attached` is the value in the same argument, or NULL. */
static int take_option(const Option *option, const char *attached,
                       Arguments *arguments, Options *options, rp_error *error)
{
    if (option->kind == FLAG && attached)
        return usage(error, "--%s takes no value", option->name);
    bool repeats = option->kind == FLAG || option->kind == LIST;
    if (!repeats && arguments->taken[option - table])
        return usage(error, "--%s is there twice", option->name);
    arguments->taken[option - table] = true;
    if (option->kind != FLAG && !attached) {
        if (arguments->next == arguments->count)
            return usage(error, "--%s needs a value: %s", option->name,
                         option->argument);
        attached = arguments->items[arguments->next++];
    }
    return set_value(option, attached, options, error);
}

static int take_long(const Verb *verb, const char *name, Arguments *arguments,
                     Options *options, rp_error *error)
{
    size_t length = strcspn(name, "=");
    const Option *option = find_long(verb, name, length);
    if (!option)
        return unknown_option(verb, name, length, error);
    return take_option(option, name[length] ? name + length + 1 : NULL,
                       arguments, options, error);
}

/* Letters without a value may be joined: -qv. */
static int take_letters(const Verb *verb, const char *letters,
                        Arguments *arguments, Options *options, rp_error *error)
{
    for (; *letters; letters++) {
        const Option *option = find_letter(verb, *letters);
        if (!option)
            return usage(error,
                         "unknown option '-%c'; see 'repfold %s "
                         "--help'",
                         *letters, verb->name);
        if (option->kind != FLAG)
            return take_option(option, letters[1] ? letters + 1 : NULL,
                               arguments, options, error);
        if (take_option(option, NULL, arguments, options, error) < 0)
            return -1;
    }
    return 0;
}

static int check_files(const Verb *verb, const Options *options,
                       rp_error *error)
{
    size_t count = options->files.count;
    if (count < verb->min_files || count > verb->max_files)
        return usage(error, "usage: repfold %s %s", verb->name,
                     verb->arguments);
    size_t streams = 0;
    for (size_t i = 0; i < count; i++)
        streams += strcmp(options->files.items[i], "-") == 0;
    if (streams > 1)
        return usage(error, "standard input can be read once, not %zu times",
                     streams);
    if (options->verbose && options->quiet)
        return usage(error, "-v and -q exclude each other");
    return 0;
}

/* Every list has room for every argument. */
static int make_lists(Options *options, size_t capacity)
{
    List *lists[] = {&options->files, &options->inputs, &options->outputs,
                     &options->shapes, &options->data_dirs};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (!(lists[i]->items = calloc(capacity + 1, sizeof(char *))))
            return -1;
    return 0;
}

void opt_free(Options *options)
{
    free(options->files.items);
    free(options->inputs.items);
    free(options->outputs.items);
    free(options->shapes.items);
    free(options->data_dirs.items);
}

int opt_parse(const Verb *verb, int argc, char **argv, Options *options,
              rp_error *error)
{
    Arguments arguments = {.count = argc, .items = argv};
    bool only_files = false;
    if (make_lists(options, (size_t)argc) < 0)
        return usage(error, "out of memory");
    while (arguments.next < argc) {
        const char *word = argv[arguments.next++];
        int status = 0;
        if (word[0] == '\0')
            status = usage(error, "an argument is empty where a file's name "
                                  "should be");
        else if (only_files || word[0] != '-' || word[1] == '\0')
            options->files.items[options->files.count++] = word;
        else if (strcmp(word, "--") == 0)
            only_files = true;
        else if (word[1] == '-')
            status = take_long(verb, word + 2, &arguments, options, error);
        else
            status = take_letters(verb, word + 1, &arguments, options, error);
        if (status < 0)
            return -1;
    }
    return options->help ? 0 : check_files(verb, options, error);
}

/* ---- Help ---- */

void opt_help(const Verb *verb)
{
    enum { COLUMN = 30 };
    for (size_t i = 0; i < TABLE_SIZE; i++) {
        const Option *option = &table[i];
        char left[64];
        if (!(option->verbs & verb->bit))
            continue;
        int width = snprintf(
            left, sizeof left, "  %c%c%s--%s%s%s", option->letter ? '-' : ' ',
            option->letter ? option->letter : ' ', option->letter ? ", " : "  ",
            option->name, option->argument ? " " : "",
            option->argument ? option->argument : "");
        if (width < COLUMN)
            printf("%-*s", COLUMN, left);
        else
            printf("%s\n%*s", left, COLUMN, "");
        print_words(stdout, COLUMN, option->help);
    }
}
