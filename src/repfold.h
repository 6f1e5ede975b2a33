/*
 * repfold: from the training form of a network to its deploy form, with proof.
 *
 * The one public header of librepfold.
 *
 *     rp_error error = {0};
 *     rp_model *model = rp_open("train.onnx", NULL, &error);
 *     if (model && rp_fold(model, NULL, &error) == 0)
 *         rp_save(model, "deploy.onnx", NULL, &error);
 *     rp_close(model);
 *
 * Errors: a function that can fail returns NULL or -1 and fills the error,
 * which may be NULL, and is left alone on success.  The library never prints,
 * exits or aborts; an rp_model that failed in rp_fold can only be closed.
 *
 * Options: NULL, or a struct of zeros, is every default.  What they point to
 * is read during the call alone; rp_open's must live until rp_close.
 *
 * Ownership: what a model returns belongs to it and lives until rp_close.  A
 * verdict, certificates and a diff belong to the caller until they are freed,
 * and what they return to them; freeing or closing NULL is allowed.  The
 * strings of an rp_error are its own or constants.
 *
 * Shapes and units: dimensions in the model's order, outermost first; counts
 * are of elements, sizes of bytes unless pixels are told; names are the
 * model's, in UTF-8 as they were read.  A multiply-accumulate counts as one.
 *
 * Threads: different models may be used from different threads at once; one
 * model, and a copy of rp_reopen with it, from one thread at a time.  Functions
 * that take `threads` start and end those within the call, and callbacks come
 * one at a time, before it returns.  rp_version, rp_instructions, rp_memory,
 * rp_change_name, rp_sample_variants and rp_cleanup may be called at any time.
 */
#ifndef REPFOLD_H
#define REPFOLD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RP_VERSION "0.1.0"

#if defined(__GNUC__)
#define RP_API __attribute__((visibility("default")))
#else
#define RP_API
#endif

typedef struct rp_model rp_model;
typedef struct rp_verdict rp_verdict;
typedef struct rp_certificates rp_certificates;
typedef struct rp_diff rp_diff;

typedef struct rp_error {
    const char *code;  /* stable: "io", "not-onnx", ...; NULL without error */
    char where[512];   /* the file it is about, FILE.npz:NAME, or "" */
    char message[512]; /* one line: node, value, what to do */
} rp_error;

/* The version of the library that is linked, "MAJOR.MINOR.PATCH". */
RP_API const char *rp_version(void);
/* The instructions that the executor's kernels use here: "AVX2 and FMA". */
RP_API const char *rp_instructions(void);
/* The bytes of memory that this process may have: what the machine has, or less
 * where a control group says so. Without a budget, three quarters are used. */
RP_API uint64_t rp_memory(void);

/* ---- Reading and writing ---- */

typedef struct rp_import_options {
    const char *key;     /* of the state dict; NULL: where timm looks for it */
    const char *variant; /* what it must be; NULL: recognised */
    int size;            /* pixels; 0 as in rp_sample_options */
    int dense;           /* four feature maps instead of a classifier */
    int dynamic;         /* symbolic batch */
    const char *dtype;   /* NULL: as the checkpoint has it */
    /* Told of each tensor that is missing, extra or of another shape. */
    void (*mismatch)(void *context, const char *line);
    void *mismatch_context;
} rp_import_options;

typedef struct rp_open_options {
    /* Bytes for the model and all work on it. 0: three quarters of rp_memory,
     * and to read, fold and write it sixteen times its files and 64 MB. */
    size_t max_memory;
    int freeze_initializers; /* those that are also inputs are constant */
    int assume_inference;    /* training_mode=1 counts as 0, in all work */
    const char *data_dir;    /* of external data; NULL: the model's folder */
    const rp_import_options *import; /* for a checkpoint; NULL for none */
} rp_open_options;

/* Opens a model; the file, and those with its external data, are mapped and
 * must not change until rp_close: who reads beyond the end of a file that has
 * become shorter gets SIGBUS. "-" is standard input; what gzip has compressed
 * is decompressed. A checkpoint, of PyTorch or .safetensors, becomes the
 * network that it is of, in ONNX. */
RP_API rp_model *rp_open(const char *path, const rp_open_options *options,
                         rp_error *error);
/* The same from memory, which must live until rp_close. `name` is what
 * messages call it. */
RP_API rp_model *rp_open_memory(const void *bytes, size_t size,
                                const char *name,
                                const rp_open_options *options,
                                rp_error *error);
/* The bytes that `model` came from, opened again, to verify a folded model
 * against. `model` must stay open until the copy is closed. */
RP_API rp_model *rp_reopen(const rp_model *model, rp_error *error);
/* Whether data of the model lie in that file, beside the model's own. */
RP_API int rp_uses_file(const rp_model *model, const char *path);
RP_API void rp_close(rp_model *model);

typedef enum rp_external_data {
    RP_EXTERNAL_AUTO,  /* as the input has it; outside where over 2 GiB */
    RP_EXTERNAL_NEVER, /* into the model */
    RP_EXTERNAL_ALWAYS /* outside, of weights of 1 kB and more */
} rp_external_data;

typedef struct rp_save_options {
    int in_place; /* allow the output to be the file the model came from */
    rp_external_data external_data;
} rp_save_options;

/* Writes the model: whole or not at all. Data outside go into NAME.CRC.data
 * beside it, which is there first and replaces nothing; where nothing was
 * changed, data files are copied under their own names. What goes to a stream
 * has its data inside, and what is called .gz is compressed. */
RP_API int rp_save(rp_model *model, const char *path,
                   const rp_save_options *options, rp_error *error);
/* The file beside the model that the last rp_save put data into, or found them
 * in; NULL where all are inside. */
RP_API const char *rp_saved_data(const rp_model *model);
/* Writes ready bytes, such as a report, in the same way. */
RP_API int rp_write_file(const char *path, const void *bytes, size_t size,
                         rp_error *error);
/* Removes temporary files of all saves; may be called in a signal handler. */
RP_API void rp_cleanup(void);
/* rp_save with all data inside, into memory that belongs to the model. */
RP_API int rp_save_memory(rp_model *model, const void **bytes, size_t *size,
                          rp_error *error);

enum { RP_DIGEST_SIZE = 65 };
/* The SHA-256 of the model's file as rp_save would write it now, uncompressed,
 * in hexadecimal. Empty where a folded model has data in other files. */
RP_API int rp_digest(rp_model *model, char digest[RP_DIGEST_SIZE],
                     rp_error *error);
/* The same of the bytes that were read, once decompressed: of the checkpoint
 * where it was one. Empty for a generated model. */
RP_API void rp_digest_source(const rp_model *model,
                             char digest[RP_DIGEST_SIZE]);

/* ---- Checkpoints ---- */

typedef struct rp_import_info {
    const char *format;  /* "PyTorch", "PyTorch before 1.6", "safetensors" */
    const char *key;     /* that the state dict was under, or "" */
    const char *variant; /* "fastvit_sa12"; "FastViT" of other widths */
    int deploy;          /* the branches were merged already */
    size_t tensors;      /* that became weights */
    size_t unused;       /* counters, and those of other networks */
} rp_import_info;

/* rp_open for checkpoints alone. */
RP_API rp_model *rp_import(const char *path, const rp_open_options *options,
                           rp_error *error);
/* What an opened checkpoint was; NULL for a model. */
RP_API const rp_import_info *rp_imported(const rp_model *model);

/* ---- What a model is ---- */

typedef struct rp_tensor_info {
    const char *name;
    const char *type;   /* "float32", "int64", ... or "" when unknown */
    int rank;           /* -1 when unknown */
    const char *const *dims; /* rank texts: "3", "batch" */
} rp_tensor_info;

typedef struct rp_op_count {
    const char *op;
    size_t count; /* of such nodes */
} rp_op_count;

typedef struct rp_block_info {
    const char *kind;  /* "RepMixer", "MobileOne", "ConvFFN", ... */
    const char *where; /* name of the node it ends with */
    size_t nodes;
} rp_block_info;

/* The nodes that work at one spatial size. */
typedef struct rp_stage_info {
    const char *size;     /* "64x64", "heightxwidth" */
    const char *channels; /* of its last convolution */
    size_t nodes, convs;
    uint64_t parameters;
    double macs;
} rp_stage_info;

typedef struct rp_summary {
    const char *path, *producer;
    int64_t ir_version, opset;
    size_t nodes;                      /* of the main graph */
    uint64_t parameters, weight_bytes; /* elements and bytes of initializers */
    uint64_t file_bytes;    /* as rp_save_memory would write it now */
    double macs;            /* multiply-accumulates; of unknown sizes: 1 */
    int macs_are_exact;     /* 0 where a symbolic size was taken as 1 */
    const rp_tensor_info *inputs, *outputs;
    size_t input_count, output_count;
    const rp_op_count *ops; /* most frequent first, then by name */
    size_t op_count;
    const rp_block_info *blocks;
    size_t block_count;
    const rp_stage_info *stages;
    size_t stage_count;
} rp_summary;

/* Describes the model as it is now; a later fold leaves the summary alone. */
RP_API int rp_summarize(rp_model *model, const rp_summary **summary,
                        rp_error *error);
/* How many nodes of that operator the summary counts. */
RP_API size_t rp_summary_op(const rp_summary *summary, const char *op);

typedef struct rp_node_info {
    const char *name;   /* that of its first output where it has none; or "" */
    const char *op;     /* "Conv", "com.microsoft.Gelu" */
    const char *output; /* the first one's name, or "" */
    const char *detail; /* of its size, for a reader: "3x3 48->96", or "" */
    int stage;          /* index of the summary's stage; -1: before all */
    const size_t *sources; /* the nodes whose values it reads, each once */
    size_t source_count;
} rp_node_info;

/* The nodes of the main graph, in order. */
RP_API int rp_nodes(rp_model *model, const rp_node_info **nodes, size_t *count,
                    rp_error *error);

/* The graph as text, or for Graphviz. */
RP_API int rp_dump(rp_model *model, int dot, const char **text,
                   rp_error *error);

/* ---- Folding ---- */

typedef struct rp_rule {
    const char *name;  /* "C1" */
    const char *text;  /* what it folds, in a few words */
    int on_demand;     /* off unless it is enabled */
} rp_rule;

/* All of them, in the order of their numbers. */
RP_API const rp_rule *rp_rules(size_t *count);

typedef struct rp_fold_record {
    int number;          /* 1, 2, ...: what stop_after counts */
    const char *rules;   /* "C1,C4,C5" */
    const char *node;    /* the node it produced */
    const char *output;  /* the value that node produces, the same as before */
    const char *const *consumed; /* the nodes that went into it */
    size_t consumed_count;
    double macs_before, macs_after; /* per output position */
    uint64_t parameters_before, parameters_after;
    uint64_t subnormals; /* weights below float16's or bfloat16's least normal */
    int static_size; /* exact for the image size that the file states alone */
} rp_fold_record;

typedef struct rp_refusal {
    const char *reason; /* a code: "multi-use", "pad-shift", ... */
    const char *node, *op;
    const char *fact;   /* the one fact that blocked it */
    const char *advice; /* what the user can do */
} rp_refusal;

typedef struct rp_fold_options {
    const char *only, *skip; /* rules, comma-separated; NULL: all, none */
    const char *enable;   /* rules that are off by default; NULL for none */
    int stop_after;       /* folds to make at most; 0 for all */
    /* Outputs of folds not to make: those whose certificate failed. */
    const char *const *undo;
    size_t undo_count;
    const char *stop_after_pass; /* the last pass to run; NULL for all */
    int assume_inference; /* training_mode=1 BatchNormalization counts as 0 */
    int allow_cost; /* folds may raise MACs or parameters, not only by biases */
    int inline_functions; /* a function called once takes its call's place */
    int threads;          /* 0 for all processors */
    int (*progress)(void *context, const char *phase, double done);
    void *progress_context; /* a progress that returns non-zero cancels */
} rp_fold_options;

/* Folds the model in place. */
RP_API int rp_fold(rp_model *model, const rp_fold_options *options,
                   rp_error *error);
/* The folds that rp_fold made, and the sites that it left, in graph order. */
RP_API const rp_fold_record *rp_folds(const rp_model *model, size_t *count);
RP_API const rp_refusal *rp_refusals(const rp_model *model, size_t *count);

/* ---- Verifying ---- */

/* What classifiers say of the caller's own data: of an output of rank 2 with
 * two or more columns, by rows. Of equal numbers the first counts as larger. */
typedef struct rp_agreement {
    uint64_t rows; /* 0 where the output is no such, or there are no data */
    uint64_t top1; /* in which the same column is the largest */
    uint64_t top5; /* in which the same five are, in any order */
    double change; /* largest |difference|, not divided by anything */
} rp_agreement;

/* Three numbers for each output, as |difference| divided by the maximum of
 * |y| (of integers the part of the elements that differ), in the sample that
 * speaks most against it; see the manual, VERDICT. */
typedef struct rp_output_verdict {
    const char *name;
    int equivalent, inconclusive; /* where it is neither, it is different */
    double max_abs;      /* largest |y| of the original in float64 */
    double algebra;      /* converted with unrounded weights; NaN: not known */
    double weights;      /* converted as stored, both in float64 */
    double execution_a, execution_b; /* each in float32 against float64 */
    double noise_floor;  /* what storing A's parameters once costs */
    double ratio;        /* weights / noise_floor */
    /* Of axis 1 (of axis 0 where that is all): what `weights` is the largest
     * of, over all samples. */
    const double *channel_errors;
    size_t channels; /* 0 where the output has none */
    rp_agreement agreement;
} rp_output_verdict;

typedef struct rp_segment_verdict {
    const char *output; /* the value at whose computation they differ */
    const char *node_a, *node_b;
    double difference;  /* largest |difference| */
    double bound;       /* what rounding can explain there */
    double ratio;       /* largest difference / bound over the elements */
} rp_segment_verdict;

/* Numbers for one input, row-major, float32 whatever real type the input is of;
 * whole ones from 0 to 255 where that is uint8. */
typedef struct rp_array {
    const char *input;   /* its name */
    int rank;
    const int64_t *dims; /* what is fixed in the models must be the same */
    const void *data;
    const char *type; /* of `data`: "int64", ...; NULL: float32, as above */
    const char *name; /* the file it is from, for errors; or NULL */
} rp_array;

typedef struct rp_verify_options {
    int samples;         /* random inputs; 0 for 4, large networks: 1 or 2 */
    uint64_t seed;       /* 0 for 1 */
    int threads;         /* 0 for all processors */
    int skip_f32, skip_segments; /* leave `execution`, or segments, out */
    int noise_runs;      /* at most, for one sample; 0 for 4 */
    int roundings;       /* that each stored number may have had; 0 for 1 */
    /* Of all samples this part alone, from 0, of so many; 0 for all. Samples
     * are dealt in pairs, files one by one. */
    int shard, shards;
    /* "NAME:1,3,256,256" each: the size of a symbolic input. */
    const char *const *input_shapes;
    size_t input_shape_count;
    /* As in rp_run_options: verify on these data as well. */
    const char *const *input_files;
    size_t input_file_count;
    /* And on these, from memory. The n-th array of each input, its files
     * counted first, is one sample; every input needs as many. */
    const rp_array *arrays;
    size_t array_count;
    /* And on input_N.pb in these folders, each a sample behind the others. */
    const char *const *data_dirs;
    size_t data_dir_count;
    int (*progress)(void *context, const char *phase, double done);
    void *progress_context;
} rp_verify_options;

typedef struct rp_verdict_info {
    const char *verdict; /* "equivalent", "different", "inconclusive" */
    const char *why;     /* one line where it is not "equivalent" */
    uint64_t seed;
    int samples, roundings;
    const rp_output_verdict *outputs;
    size_t output_count;
    size_t segments;     /* compared */
    size_t segments_same; /* by the same nodes on the same values: no need */
    /* No cut point: one name with two meanings, or no bound is known. */
    size_t segments_left_out;
    const rp_segment_verdict *worst; /* NULL when none was compared */
    /* Segments that exceed their bound, in graph order. */
    const rp_segment_verdict *faults;
    size_t fault_count;
} rp_verdict_info;

/* Calls inputs and outputs, in their order, as those of `like`, where there are
 * as many: rp_verify, which pairs them by name, then pairs them by position.
 * The model cannot be folded any more; rp_save writes what was read. */
RP_API int rp_rename(rp_model *model, const rp_model *like, rp_error *error);
/* Are two models the same function? When b was folded, and one is rp_reopen's
 * copy of the other, the unrounded weights are known and `algebra` is given. */
RP_API rp_verdict *rp_verify(rp_model *a, rp_model *b,
                             const rp_verify_options *options,
                             rp_error *error);
/* Needs neither model any more. */
RP_API const rp_verdict_info *rp_verdict_get(const rp_verdict *verdict);
RP_API void rp_verdict_free(rp_verdict *verdict);

/* ---- Certificates ----
 *
 * A certificate proves that one value of a converted model is the same map of
 * the values that both models share as in the original. It is derived from the
 * two models alone, by code that shares nothing with folding, in double and
 * exactly modulo 2^61 - 1; see the manual, CERTIFICATES. Those of all values
 * that changed prove the whole model. */

typedef struct rp_certificate {
    const char *output; /* the value, the same in both models */
    const char *node;   /* that produces it in the converted one */
    int holds;
    const char *why; /* one line where it does not hold, else NULL */
    const char *const *consumed; /* nodes of the original it replaces */
    const char *const *produced; /* nodes of the converted model */
    const char *const *preconditions; /* what was checked, by name */
    size_t consumed_count, produced_count, precondition_count;
    uint64_t weights; /* numbers of the converted model that were checked */
    /* Random combination of what the original's nodes, one after the other,
     * make of a random input modulo 2^61 - 1; the merged map makes the same. */
    uint64_t residue;
    /* BatchNormalization nodes, and a random combination modulo 2^61 - 1 of
     * their factors gamma / sqrt(var + epsilon). Those are taken as they are in
     * double, at most 3 parts in 2^53 away, which the bounds count. */
    int square_roots;
    uint64_t scales;
    double rounding; /* of the stored numbers, largest, in their ulp */
    /* By channel, on |y - exact y| in the reals, while all that the fold's
     * operators read is at most 1 in magnitude; and the largest. */
    const double *bounds;
    size_t channels;
    double bound;
} rp_certificate;

enum { RP_ROUNDING_BINS = 20 };
/* How far stored numbers are from the exact ones, in their ulp. */
typedef struct rp_rounding_info {
    double largest;
    uint64_t bins[RP_ROUNDING_BINS]; /* from 0 to 1/2, even; the last: more */
    uint64_t count;                  /* in all bins */
} rp_rounding_info;

typedef struct rp_certificates_info {
    int hold;        /* every certificate, and nothing is left uncertified */
    const char *why; /* one line where they do not, else NULL */
    uint64_t seed;
    size_t nodes_same, nodes_certified; /* of the converted model */
    const rp_certificate *certificates; /* in graph order */
    size_t count;
    rp_rounding_info rounding; /* of those that hold, with `histogram` */
} rp_certificates_info;

typedef struct rp_certify_options {
    uint64_t seed; /* 0 for 1 */
    int threads;   /* 0 for all processors */
    int histogram; /* count the roundings of stored numbers */
} rp_certify_options;

/* Certifies that b computes what a does; what does not hold is no error. */
RP_API rp_certificates *rp_certify(rp_model *a, rp_model *b,
                                   const rp_certify_options *options,
                                   rp_error *error);
RP_API const rp_certificates_info *rp_certificates_get(
    const rp_certificates *certificates);
RP_API void rp_certificates_free(rp_certificates *certificates);

/* ---- Differences ----
 *
 * Which node, initializer and value of one model is which of another: by name,
 * and where names differ by place in the graph. No weight is trusted to be the
 * same because its name is. */

typedef enum rp_change {
    RP_SAME,    /* the same, under the same name */
    RP_RENAMED, /* the same, under another name */
    RP_CHANGED, /* another operator, attribute, input, element or shape */
    RP_MERGED,  /* a's is part of what b computes at once */
    RP_GONE,    /* only in a */
    RP_NEW      /* only in b */
} rp_change;

/* "same", "renamed", ... */
RP_API const char *rp_change_name(rp_change change);

/* Indices into rp_nodes of both. Each node of a comes once, in graph order,
 * and more often where it was merged into several; then the new ones of b. */
typedef struct rp_node_match {
    rp_change change;
    size_t a, b;        /* SIZE_MAX where there is none */
    const char *detail; /* RP_CHANGED: "epsilon 1e-05 -> 0.001", or NULL */
} rp_node_match;

/* Of an initializer, or of a value that a node computes: what b has for it.
 * Of an initializer that was merged, b is a weight that it went into. A value
 * is RP_CHANGED where its node has a partner that computes another. */
typedef struct rp_name_match {
    rp_change change;
    const char *a, *b; /* names, or NULL */
    double difference; /* of an initializer: largest, NaN: not comparable */
} rp_name_match;

typedef struct rp_diff_info {
    int same; /* everything is RP_SAME, and interfaces agree */
    const rp_node_match *nodes;
    const rp_name_match *initializers, *values;
    size_t node_count, initializer_count, value_count;
    /* What differs of inputs, outputs, opsets and functions, in words. */
    const char *const *notes;
    size_t note_count;
} rp_diff_info;

/* Names belong to the models, which must stay open. */
RP_API rp_diff *rp_diff_make(rp_model *a, rp_model *b, rp_error *error);
RP_API const rp_diff_info *rp_diff_get(const rp_diff *diff);
RP_API void rp_diff_free(rp_diff *diff);

/* ---- Running ---- */

typedef struct rp_run_options {
    int f64;     /* 1: float64, 0: float32, unless data_dir has float64 */
    int threads; /* 0 for all processors */
    /* "NAME=FILE.npy", "NAME=FILE.npz:ARRAY" or "FILE.npz" each; the arrays of
     * the last are called like the inputs. */
    const char *const *inputs;
    size_t input_count;
    /* "NAME=FILE.npy" each: where that output goes. */
    const char *const *outputs;
    size_t output_count;
    /* An ONNX backend test: model's input_N.pb and output_N.pb; or NULL. */
    const char *data_dir;
    double rtol, atol; /* for data_dir; 0 for ONNX's 1e-3 and 1e-7 */
    /* "NAME:1,3,256,256" each: an input that is not given is drawn, as
     * rp_verify draws its first sample. */
    const char *const *input_shapes;
    size_t input_shape_count;
} rp_run_options;

typedef struct rp_run_result {
    int matched;          /* with data_dir: every output matched */
    const char *mismatch; /* the first that did not, in words */
    double seconds;
} rp_run_result;

/* Runs the model once. That an output does not match is no error. */
RP_API int rp_run(rp_model *model, const rp_run_options *options,
                  rp_run_result *result, rp_error *error);

/* Time per operator; "Conv+Relu" for those that run as one. */
typedef struct rp_bench_op {
    const char *op;
    size_t count;
    double median_ms;
} rp_bench_op;

typedef struct rp_bench_info {
    double median_ms, min_ms, macs_per_s;
    /* Bytes of the tensors that are alive together, at most, and all that a
     * run holds beside the weights. */
    size_t live_bytes, peak_bytes;
    const rp_bench_op *operators; /* slowest first */
    size_t operator_count;
} rp_bench_info;

typedef struct rp_bench_options {
    int runs; /* 0 for 10 */
    int f64, threads;
    const char *const *input_shapes; /* as in rp_verify_options */
    size_t input_shape_count;
} rp_bench_options;

/* Times the executor on drawn inputs, after one run that does not count. */
RP_API int rp_bench(rp_model *model, const rp_bench_options *options,
                    const rp_bench_info **info, rp_error *error);

/* ---- The generator ---- */

typedef struct rp_sample_options {
    const char *variant; /* needed: one of rp_sample_variants */
    double width_mult;   /* 0 for 1 */
    int size;            /* pixels; 0: 256, or 224 for what is no FastViT */
    int classes;         /* 0 for 1000 */
    int dense;           /* four feature maps instead of a classifier */
    int dynamic;         /* symbolic batch */
    const char *dtype;   /* "float32" (NULL), "float16", "float64" */
    uint64_t seed;       /* 0 for 1 */
} rp_sample_options;

/* A training-form model with random weights, open like any other. */
RP_API rp_model *rp_sample(const rp_sample_options *options, rp_error *error);
/* The variants' names, ended by NULL. */
RP_API const char *const *rp_sample_variants(void);

#ifdef __cplusplus
}
#endif

#endif
