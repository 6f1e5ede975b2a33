/*
 * convert --output-dir: many models, each in a process of its own, so that
 * whatever one of them is takes nothing from the others.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "json.h"

typedef int Convert(const Options *options, Outcome *outcome);

typedef struct Batch {
    const Options *options;
    Convert *convert;
    size_t count, started, finished, told;
    char **outputs;
    Outcome *outcomes;
    pid_t *children; /* 0 where none runs */
    int *pipes;      /* what the child tells */
    bool *ended;
    Progress progress;
} Batch;

/* ---- Before the work ---- */

/* What is before the suffix that checkpoints have, which a model must not. */
static size_t stem_length(const char *name)
{
    static const char *const suffixes[] = {".pth.tar", ".pth", ".pt", ".ckpt",
                                           ".safetensors"};
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        size_t end = strlen(suffixes[i]);
        if (length > end && strcmp(name + length - end, suffixes[i]) == 0)
            return length - end;
    }
    return length;
}

static char *output_path(const char *folder, const char *input)
{
    const char *name = strrchr(input, '/') ? strrchr(input, '/') + 1 : input;
    size_t stem = stem_length(name);
    char *path;
    return asprintf(&path, "%s/%.*s%s", folder, (int)stem, name,
                    name[stem] ? ".onnx" : "") < 0
               ? NULL
               : path;
}

static bool batch_make(Batch *batch)
{
    const Options *options = batch->options;
    size_t count = batch->count = options->files.count;
    batch->outputs = calloc(count, sizeof *batch->outputs);
    batch->outcomes = calloc(count, sizeof *batch->outcomes);
    batch->children = calloc(count, sizeof *batch->children);
    batch->pipes = calloc(count, sizeof *batch->pipes);
    batch->ended = calloc(count, sizeof *batch->ended);
    if (!batch->outputs || !batch->outcomes || !batch->children ||
        !batch->pipes || !batch->ended)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!(batch->outputs[i] =
                  output_path(options->output_dir, options->files.items[i])))
            return false;
    return true;
}

static void batch_free(Batch *batch)
{
    for (size_t i = 0; batch->outputs && i < batch->count; i++)
        free(batch->outputs[i]);
    free(batch->outputs);
    free(batch->outcomes);
    free(batch->children);
    free(batch->pipes);
    free(batch->ended);
}

/* What one file alone would be asked for. */
static Options options_of(const Batch *batch, size_t index)
{
    Options one = *batch->options;
    one.files = (List){&batch->options->files.items[index], 1};
    one.output = batch->outputs[index];
    one.output_dir = one.json = one.junit = one.html = NULL;
    one.quiet = one.digests = true;
    one.stdout_taken = report_stream(batch->options) == stderr;
    if (!one.threads) {
        long processors = sysconf(_SC_NPROCESSORS_ONLN);
        uint64_t share = (uint64_t)(processors > 0 ? processors : 1) / one.jobs;
        one.threads = share > 0 ? share : 1;
    }
    return one;
}

static int check_clashes(const Batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        Options one = options_of(batch, i);
        one.json = batch->options->json;
        one.junit = batch->options->junit;
        if (strcmp(one.files.items[0], "-") == 0)
            return trouble_say(batch->options, "usage", "",
                               "standard input has no name to write it by; "
                               "give --output");
        if (outputs_differ(&one) != 0)
            return TROUBLE;
        for (size_t k = 0; k < i; k++)
            if (strcmp(batch->outputs[i], batch->outputs[k]) == 0)
                return trouble_say(batch->options, "usage", batch->outputs[i],
                                   "two of the models would be written here; "
                                   "convert them into different folders");
    }
    return 0;
}

static int check_batch(const Batch *batch)
{
    const Options *options = batch->options;
    struct stat info;
    if (options->output || options->in_place)
        return trouble_say(options, "usage", "",
                           "--output-dir excludes --output and --in-place");
    if (options->html || options->dump_after || options->bench ||
        options->verbose)
        return trouble_say(options, "usage", "",
                           "--html, --bench, --dump-after and --verbose take "
                           "one model; give --output");
    if (mkdir(options->output_dir, 0777) < 0 && errno != EEXIST)
        return trouble_say(options, "io", options->output_dir, "%s",
                           strerror(errno));
    if (stat(options->output_dir, &info) < 0 || !S_ISDIR(info.st_mode))
        return trouble_say(options, "io", options->output_dir,
                           "is not a folder");
    return check_clashes(batch);
}

/* ---- Processes ---- */

/* In the child: converts, tells, and ends. */
static void child_run(const Batch *batch, size_t index, int pipe)
{
    Options options = options_of(batch, index);
    Outcome outcome = {.status = TROUBLE};
    progress_forget();
    setvbuf(stderr, NULL, _IOLBF, BUFSIZ);
    outcome.status = files_only(&options);
    if (outcome.status == 0)
        outcome.status = batch->convert(&options, &outcome);
    if (outcome.status == TROUBLE) {
        const rp_error *error = trouble_last();
        snprintf(outcome.code, sizeof outcome.code, "%s", error->code);
        snprintf(outcome.message, sizeof outcome.message, "%s", error->message);
    }
    /* Small enough to be in the pipe whole. */
    bool told = write(pipe, &outcome, sizeof outcome) == sizeof outcome;
    bool flushed = fflush(NULL) == 0;
    _exit(told && flushed ? outcome.status : TROUBLE);
}

static int start_one(Batch *batch)
{
    size_t index = batch->started;
    int ends[2];
    fflush(NULL);
    if (pipe(ends) < 0)
        return -1;
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        process_follow(parent);
        close(ends[0]);
        child_run(batch, index, ends[1]);
    }
    close(ends[1]);
    if (child < 0) {
        close(ends[0]);
        return -1;
    }
    batch->children[index] = child;
    batch->pipes[index] = ends[0];
    batch->started++;
    return 0;
}

/* A child that a model has taken over may say anything. */
static bool is_sound(Outcome *outcome, int status)
{
    outcome->verdict[sizeof outcome->verdict - 1] = '\0';
    outcome->input_digest[RP_DIGEST_SIZE - 1] = '\0';
    outcome->output_digest[RP_DIGEST_SIZE - 1] = '\0';
    outcome->code[sizeof outcome->code - 1] = '\0';
    outcome->message[sizeof outcome->message - 1] = '\0';
    return WIFEXITED(status) && WEXITSTATUS(status) == outcome->status &&
           outcome->status >= YES && outcome->status <= TROUBLE;
}

static void take_outcome(Batch *batch, size_t index, int status)
{
    Outcome *outcome = &batch->outcomes[index];
    bool whole =
        read(batch->pipes[index], outcome, sizeof *outcome) == sizeof *outcome;
    close(batch->pipes[index]);
    batch->children[index] = 0;
    batch->ended[index] = true;
    batch->finished++;
    if (whole && is_sound(outcome, status))
        return;
    *outcome = (Outcome){.status = TROUBLE, .code = "internal"};
    if (WIFSIGNALED(status))
        snprintf(outcome->message, sizeof outcome->message,
                 "its process was ended by signal %d", WTERMSIG(status));
    else
        snprintf(outcome->message, sizeof outcome->message,
                 "its process ended without a word");
    trouble_say(&(Options){0}, outcome->code,
                batch->options->files.items[index], "%s", outcome->message);
}

static int wait_one(Batch *batch)
{
    int status;
    pid_t child;
    do
        child = waitpid(-1, &status, 0);
    while (child < 0 && errno == EINTR);
    if (child < 0)
        return -1;
    for (size_t i = 0; i < batch->started; i++)
        if (batch->children[i] == child)
            take_outcome(batch, i, status);
    return 0;
}

/* ---- Telling ---- */

static void tell_one(FILE *stream, const Batch *batch, size_t index)
{
    const Outcome *outcome = &batch->outcomes[index];
    static const char *const words[] = {"ok      ", "no      ", "trouble "};
    fputs(words[outcome->status], stream);
    print_escaped(stream, batch->options->files.items[index]);
    if (outcome->written) {
        fputs(" -> ", stream);
        print_escaped(stream, batch->outputs[index]);
    }
    if (outcome->status == TROUBLE) {
        fputs(" [", stream);
        print_escaped(stream, outcome->code);
        fputc(']', stream);
    } else {
        fprintf(stream, ": %zu -> %zu nodes, %zu folds%s",
                outcome->nodes_before, outcome->nodes_after, outcome->folds,
                outcome->verdict[0] ? ", " : "");
        print_escaped(stream, outcome->verdict);
        fputs(outcome->status == NO ? "; " : "", stream);
        print_escaped(stream, outcome->message);
    }
    fputc('\n', stream);
}

/* In the order of the command line, whichever is done first. */
static void tell_ended(Batch *batch)
{
    progress_show(&batch->progress, "convert",
                  (double)batch->finished / (double)batch->count);
    while (batch->told < batch->count && batch->ended[batch->told]) {
        if (!batch->options->quiet) {
            progress_clear(&batch->progress);
            tell_one(report_stream(batch->options), batch, batch->told);
        }
        batch->told++;
    }
}

static size_t count_status(const Batch *batch, int status)
{
    size_t count = 0;
    for (size_t i = 0; i < batch->count; i++)
        count += batch->outcomes[i].status == status;
    return count;
}

static json_t *file_json(const Batch *batch, size_t index)
{
    const Outcome *outcome = &batch->outcomes[index];
    json_t *object = json_object(), *error = json_object();
    json_put(object, "input", json_text(batch->options->files.items[index]));
    if (outcome->input_digest[0])
        json_put(object, "input_sha256", json_text(outcome->input_digest));
    json_put(object, "output",
             outcome->written ? json_text(batch->outputs[index]) : json_null());
    if (outcome->output_digest[0])
        json_put(object, "output_sha256", json_text(outcome->output_digest));
    json_put(object, "status", json_integer(outcome->status));
    json_put(object, "verdict",
             outcome->verdict[0] ? json_text(outcome->verdict) : json_null());
    json_put(object, "folds", json_count(outcome->folds));
    json_put(object, "left", json_count(outcome->left));
    json_put(object, "nodes_before", json_count(outcome->nodes_before));
    json_put(object, "nodes_after", json_count(outcome->nodes_after));
    if (outcome->status == NO)
        json_put(object, "why", json_text(outcome->message));
    json_put(error, "code", json_text(outcome->code));
    json_put(error, "message", json_text(outcome->message));
    if (outcome->code[0]) {
        json_put(object, "error", error);
    } else {
        json_decref(error);
        json_put(object, "error", json_null());
    }
    return object;
}

static int write_json(const Batch *batch, bool ok)
{
    const Options *options = batch->options;
    json_t *root = json_begin("convert"), *files = json_array();
    for (size_t i = 0; i < batch->count; i++)
        json_append(files, file_json(batch, i));
    json_put(root, "ok", json_boolean(ok));
    json_put(root, "files", files);
    return json_finish(options, options->json, root);
}

static int write_junit(const Batch *batch)
{
    const Options *options = batch->options;
    size_t count = batch->count;
    JunitCase *cases = calloc(count, sizeof *cases);
    if (!cases)
        return trouble_say(options, "memory", options->junit, "out of memory");
    for (size_t i = 0; i < count; i++) {
        const Outcome *outcome = &batch->outcomes[i];
        cases[i] = (JunitCase){
            .name = options->files.items[i],
            .failure = outcome->status == YES ? NULL : outcome->message,
            .code = outcome->status == TROUBLE ? outcome->code : NULL};
    }
    int status = junit_models(options, cases, count);
    free(cases);
    return status;
}

static int tell_all(Batch *batch)
{
    const Options *options = batch->options;
    size_t yes = count_status(batch, YES), no = count_status(batch, NO);
    size_t trouble = batch->count - yes - no;
    int worst = trouble ? TROUBLE : no ? NO : YES, status = 0;
    if (!options->quiet)
        fprintf(report_stream(options),
                "%zu model%s: %zu ok, %zu not, %zu in trouble\n", batch->count,
                plural(batch->count), yes, no, trouble);
    if (options->json)
        status = write_json(batch, worst == YES);
    if (status == 0 && options->junit)
        status = write_junit(batch);
    return status ? status : worst;
}

/* A process that cannot be started, or waited for, stops the rest. */
static int run_all(Batch *batch)
{
    progress_start(&batch->progress, batch->options);
    progress_show(&batch->progress, "convert", 0);
    while (batch->finished < batch->count) {
        bool more = batch->started < batch->count;
        bool full = batch->started - batch->finished >= batch->options->jobs;
        if ((more && !full ? start_one(batch) : wait_one(batch)) < 0) {
            while (batch->started > batch->finished && wait_one(batch) == 0)
                ;
            return trouble_say(batch->options, "io", "", "processes: %s",
                               strerror(errno));
        }
        tell_ended(batch);
    }
    progress_end(&batch->progress);
    return tell_all(batch);
}

int batch_run(const Options *given,
              int (*convert)(const Options *options, Outcome *outcome))
{
    Options options = *given;
    Batch batch = {.options = &options, .convert = convert};
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    int status;
    if (!options.jobs)
        options.jobs = processors > 0 ? (uint64_t)processors : 1;
    if (batch_make(&batch))
        status = check_batch(&batch);
    else
        status = trouble_say(&options, "memory", "", "out of memory");
    if (status == 0)
        status = run_all(&batch);
    batch_free(&batch);
    return status;
}
