/*
 * What the commands of the converter share.  The converter is a program on
 * the public API: it includes repfold.h and nothing else of src/.
 */
#ifndef REPFOLD_CONVERTER_H
#define REPFOLD_CONVERTER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "repfold.h"

/* Exit statuses: NO is an answer, TROUBLE is none. */
enum { YES = 0, NO = 1, TROUBLE = 2 };

typedef struct List {
    const char **items;
    size_t count;
} List;

/* Everything the command line can say; opt.c fills it by its table. */
typedef struct Options {
    List files;
    const char *output, *json, *junit, *sarif, *html;
    const char *only, *skip, *enable, *dump_after;
    const char *key, *variant;
    const char *external_data, *external_dir;
    const char *data_dir, *dtype, *precision, *certificate;
    List inputs, outputs, shapes, data_dirs;
    bool help, verbose, quiet, no_sandbox, github, bench;
    bool in_place, no_verify, require_change, allow_cost, inline_functions;
    bool by_position, no_run, strict;
    bool assume_inference, freeze_initializers;
    bool dense, dynamic;
    const char *shard, *output_dir;
    unsigned shard_index, shard_count; /* of --shard, once it is read */
    bool digests;      /* are wanted, without a report of its own */
    bool stdout_taken; /* by the report on all models */
    uint64_t jobs, threads, samples, stop_after, runs, size, classes, seed;
    uint64_t roundings;
    uint64_t max_memory, max_images;
    const char *images, *input_size, *interpolation, *mean, *std;
    double width_mult, rtol, atol, crop_pct;
} Options;

/* One command. */
typedef struct Verb {
    const char *name;
    unsigned bit; /* the options that concern it have this bit */
    size_t min_files, max_files;
    const char *arguments; /* of the usage line */
    const char *summary;   /* one line */
    const char *text;      /* the rest of --help */
    int (*run)(const Options *options);
} Verb;

enum {
    VERB_CONVERT = 1,
    VERB_VERIFY = 2,
    VERB_LINT = 4,
    VERB_INSPECT = 8,
    VERB_RUN = 16,
    VERB_BENCH = 32,
    VERB_SAMPLE = 64,
    VERB_DIFF = 128,
    VERB_IMPORT = 256,
    VERB_REPORT = 512,
    VERB_DOCTOR = 1024
};

extern const Verb verb_convert, verb_import, verb_verify, verb_lint,
    verb_inspect, verb_run, verb_bench, verb_sample, verb_diff, verb_report,
    verb_doctor;

/* ---- trouble.c: errors ---- */

/* Prints the one line, and tells it in every report that is asked for; returns
 * TROUBLE. */
int trouble(const Options *options, const rp_error *error);
/* The same for a fault of the command line or the system. */
int trouble_say(const Options *options, const char *code, const char *where,
                const char *format, ...) __attribute__((format(printf, 4, 5)));

/* What was told last; before that nothing, with the code of what must not be. */
const rp_error *trouble_last(void);

/* ---- process.c ---- */

/* What the system may do to the process becomes an error like any other, or
 * ends it without leaving anything. First of all. */
void process_prepare(void);
/* In a child: when its parent ends, however it does, so does this one. */
void process_follow(pid_t parent);

/* ---- files.c: what is read and written besides models ---- */

/* "-", for output. */
bool is_stdout(const char *path);
/* Writes a report: whole or not at all; "-" is standard output. */
int bytes_save(const char *path, const char *bytes, size_t size,
               rp_error *error);
/* Refuses a folder, and a path in a folder that does not exist, before hours
 * of work are spent on it. */
int output_check(const Options *options, const char *path);
/* The same of --output, which must be given. */
int output_needed(const Options *options);
/* The same for every report that is asked for. */
int reports_check(const Options *options);
/* Refuses to write one file twice, or a report over an input. Until it has
 * passed, no file is written, not even for an error. */
int outputs_differ(const Options *options);
/* The same of the files beside a model that hold its weights. 0, or -1. */
int weights_spared(const Options *options, const rp_model *model,
                   rp_error *error);
/* Gives up everything but the files that the options name, see sandbox.h. */
int files_only(const Options *options);
/* Where the report for people goes: standard error when something else takes
 * standard output. */
FILE *report_stream(const Options *options);
/* FILE of NAME=FILE. */
const char *file_part(const char *pair);

/* ---- format.c: numbers and names for people ---- */

/* A short text; kept in a small ring, so use it at once. */
const char *format_count(uint64_t count); /* 4033272 */
const char *format_large(double value);   /* 4.03 M */
const char *format_bytes(uint64_t bytes); /* 16.3 MB */
const char *format_number(double value);  /* 2.1e-15, "-" for NaN */
const char *plural(size_t count);         /* "s", or "" of one */
/* Prints a name from a file so that it cannot drive the terminal. */
void print_escaped(FILE *stream, const char *text);
/* The same of words, in lines that end before the margin, where a word may be
 * longer, and begin after the indent; that of the first is there already. */
void print_words(FILE *stream, int indent, const char *words);
/* The same as text or a quoted attribute of HTML and XML. */
void print_markup(FILE *stream, const char *text);
/* The bytes of the character at `text`, which is not empty, and whether it can
 * be shown as it is. */
size_t name_step(const char *text, bool *plain);
/* Colour on, where the stream is a terminal that wants it. */
const char *color(FILE *stream, const char *code);

/* ---- progress.c ---- */

typedef struct Progress {
    pthread_t thread; /* while on */
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool on, shown;
    const char *phase;
    double done; /* of it; negative: unknown */
    double phase_start;
} Progress;

/* Shows work of more than a second on a terminal's standard error; it begins
 * with reading. What was started must be ended; ending twice is allowed. */
void progress_start(Progress *progress, const Options *options);
/* How far the phase is; negative where that is not known. Returns 0: go on. */
int progress_show(void *context, const char *phase, double done);
/* Makes room for a line; what is shown comes back with the next. */
void progress_clear(Progress *progress);
void progress_end(Progress *progress);
/* Ends what is shown, if anything is; trouble does so. */
void progress_end_any(void);
/* In a child, which has none of its parent's threads. */
void progress_forget(void);

/* ---- images.c ---- */

struct dirent;

/* What --images gives: an array for each batch. */
typedef struct Images {
    rp_array *arrays;
    size_t array_count, batch;
    size_t count, found; /* images that were taken, of all in the folder */
    struct dirent **names;
    char *input;
    int64_t dims[4];
    float *data;
} Images;

/* Whether a file's name is that of an image. */
bool image_is_named(const char *name);
/* Refuses options that make no sense before any work. 0, or TROUBLE. */
int images_check(const Options *options);
/* Loads those for an input of the model, in name order; none without --images.
 * What was loaded is to be freed, after a failure too. */
int images_load(const Options *options, rp_model *model, Progress *progress,
                Images *images, rp_error *error);
void images_free(Images *images);

/* ---- options shared by commands: common.c ---- */

rp_import_options import_options(const Options *options);
rp_model *open_model(const Options *options, const char *path, rp_error *error);
rp_save_options save_options(const Options *options);
rp_fold_options fold_options(const Options *options, Progress *progress);
rp_verify_options verify_options(const Options *options, const Images *images,
                                 Progress *progress);
/* Whether --precision is f64; `otherwise` without it. */
bool runs_f64(const Options *options, bool otherwise);
/* Before long work that takes and gives back the same memory all the time. */
void keep_memory(void);

/* ---- certify.c ---- */

/* A fold that was undone, by the number it had. */
typedef struct Undone {
    int number;
    char *output, *why;
} Undone;

enum { UNDONE_MAX = 64 };

typedef struct Certified {
    rp_certificates *certificates;
    const rp_certificates_info *info;
    Undone undone[UNDONE_MAX];
    const char *outputs[UNDONE_MAX];
    size_t undone_count;
    bool replaced; /* *model is another than before */
} Certified;

/* Certifies the folded model against the original, a copy of what it came
 * from. While a certificate does not hold, its fold is left out and the rest
 * folded again, into another model; the first must stay open. */
int certify(rp_model *original, rp_model **model, rp_fold_options fold,
            const rp_certify_options *options, Certified *certified,
            rp_error *error);
/* The same for the first fold that a run found wrong on its own: 1 when it was
 * undone and all is to be certified and run again, 0 when there is none, -1 on
 * trouble. */
int undo_fault(rp_model *original, rp_model **model, rp_fold_options fold,
               const rp_verdict_info *verdict, Certified *certified,
               rp_error *error);
/* Whether every change is certified. */
bool certificates_suffice(const rp_certificates_info *info);
void certified_free(Certified *certified);

/* ---- proof.c ---- */

/* Holds the report of a conversion against certificates that are derived again
 * from the two models. NO with the first difference in `said`. */
int proof_check(const Options *options, rp_model *a, rp_model *b, char *said,
                size_t size);

/* ---- batch.c: many models ---- */

/* What came of one model. */
typedef struct Outcome {
    int status;
    bool written;
    size_t nodes_before, nodes_after, folds, left;
    char verdict[16]; /* "" without one */
    char input_digest[RP_DIGEST_SIZE], output_digest[RP_DIGEST_SIZE];
    char code[32];     /* of trouble; else "" */
    char message[512]; /* of trouble, or why the answer is no; else "" */
} Outcome;

/* Converts every file into --output-dir, each in a process of its own. */
int batch_run(const Options *options,
              int (*convert)(const Options *options, Outcome *outcome));

/* ---- report_text.c ---- */

enum { TALLY_MAX = 64, TALLY_NAME = 32 };

/* How often each of a few names occurs. */
typedef struct Tally {
    char names[TALLY_MAX][TALLY_NAME];
    size_t counts[TALLY_MAX];
    size_t size;
} Tally;

void tally_add(Tally *tally, const char *name, size_t length);

/* What a report may tell; absent parts are NULL. */
typedef struct Report {
    const Certified *certified;
    const char *command;
    const char *input, *output; /* files; NULL when none was written */
    const char *output_data; /* beside the output, or NULL */
    const rp_summary *before, *after;
    rp_model *folded; /* its folds and refusals */
    size_t strict_left; /* refusals that lint --strict fails for */
    const rp_verdict_info *verdict;
    char not_verified[600]; /* why there is no verdict; or "" */
    bool unchanged;         /* so that none is needed */
    const char *objection; /* why the result was not written, or NULL */
    const Images *images;
    const char *other; /* the second file of verify and diff */
    /* For diff, and for the page. */
    rp_diff *compared;
    const rp_diff_info *diff;
    const rp_node_info *nodes_a, *nodes_b; /* that it speaks of */
    size_t node_count_a, node_count_b;
    const rp_bench_info *bench_before, *bench_after;
    /* SHA-256, "" where unknown. */
    char input_digest[RP_DIGEST_SIZE], other_digest[RP_DIGEST_SIZE];
    char output_digest[RP_DIGEST_SIZE];
    /* Of --certificate: what does not hold, "" for nothing; NULL without it. */
    const char *proof;
    /* Of how many shards the verification was put together; 0: of none. */
    unsigned merged;
    bool ok; /* the answer the exit status gives */
} Report;

/* ---- reports.c ---- */

enum { REPORT_MAX = 4 };

/* The files that reports go to; how many there are. */
size_t reports_list(const Options *options, const char *paths[REPORT_MAX]);
/* Whether something besides the report for people is asked for. */
bool reports_wanted(const Options *options);
/* Takes the digest of what was read where reports are wanted. */
void report_source(const Options *options, const rp_model *model,
                   char digest[RP_DIGEST_SIZE]);
/* Whether weights go beside a model that held them: then what a report could
 * tell is not the digest of the file. */
bool report_moves_weights(const Options *options, const rp_summary *written);
/* Takes the digest of what is written where reports are wanted. */
int report_digest(const Options *options, rp_model *model,
                  char digest[RP_DIGEST_SIZE], rp_error *error);
/* Compares the graphs of both models for the report; summaries that are there
 * are kept. */
int report_look(Report *report, rp_model *a, rp_model *b, rp_error *error);
/* --bench: times both models, on the same inputs. */
int report_bench(const Options *options, Report *report, rp_model *a,
                 rp_model *b, rp_error *error);
/* Of the command by that name? */
bool report_is(const Report *report, const char *command);
/* Whether the site is left because of how the network was exported. */
bool report_blames_export(const rp_refusal *refusal);
/* How many sites lint was asked to fail for besides what can be folded. */
size_t report_strict_left(const Options *options, const rp_model *model);
/* Whether --certificate found what does not hold. */
bool report_disproved(const Report *report);
/* Writes what is asked for. 0, or TROUBLE and its line. */
int reports_write(const Options *options, const Report *report);
/* Tells an error instead; what goes wrong with that is told nowhere. */
void reports_tell(const Options *options, const rp_error *error);
/* While no file is safe to write: leaves only what goes to standard output. */
void reports_only_printed(Options *options);
/* The same of a command line that cannot be read. */
void reports_as_given(Options *options, char *const *argv);
/* Saves what was written to a stream of open_memstream, and closes it. */
int report_save(const Options *options, const char *path, FILE *stream,
                char **bytes, size_t *size);
/* The certificate of that value, or NULL. */
const rp_certificate *report_certificate(const Report *report,
                                         const char *output);

/* ---- report_html.c, report_junit.c, report_sarif.c, report_github.c ---- */

int html_report(const Options *options, const Report *report);
int junit_report(const Options *options, const Report *report);
/* One test case a model. */
typedef struct JunitCase {
    const char *name, *failure; /* NULL where it passed */
    const char *code;           /* of trouble, or NULL */
} JunitCase;
int junit_models(const Options *options, const JunitCase *cases, size_t count);
int sarif_report(const Options *options, const Report *report);
void github_report(FILE *stream, const Report *report);

/* What each tells of trouble. */
void json_trouble(FILE *stream, const rp_error *error);
void junit_trouble(FILE *stream, const rp_error *error);
void sarif_trouble(FILE *stream, const rp_error *error);
void html_trouble(FILE *stream, const rp_error *error);
void github_trouble(FILE *stream, const rp_error *error);

/* Within a line: in how many rows both models say the same. */
void text_agreement(FILE *stream, const rp_agreement *agreement);
void text_convert(const Options *options, FILE *stream, const Report *report);
void text_proof(FILE *stream, const char *proof);
void text_verify(FILE *stream, const Report *report);
void text_lint(const Options *options, FILE *stream, const Report *report);
void text_inspect(FILE *stream, const rp_summary *summary);

/* ---- report_json.c ---- */

int json_report(const Options *options, const Report *report);
int json_run(const Options *options, const rp_run_result *result);
int json_bench(const Options *options, const char *digest,
               const rp_bench_info *info);
/* Of a model that was made and written: by import, or by sample. */
int json_made(const Options *options, rp_model *model);

#endif
