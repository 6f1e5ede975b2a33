/* doctor: what a report of a fault should say about the machine. */
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <jpeglib.h>
#include <png.h>
#include <protobuf-c/protobuf-c.h>
#include <zlib.h>

#include "json.h"
#include "sandbox.h"

enum { FACTS_MAX = 24 };
/* The version of libjpeg cannot be asked for when running. */
#define TEXT_OF(number) TEXT_OF_TEXT(number)
#define TEXT_OF_TEXT(text) #text

typedef struct Facts {
    const char *names[FACTS_MAX];
    char texts[FACTS_MAX][256];
    size_t count;
} Facts;

static void add(Facts *facts, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void add(Facts *facts, const char *name, const char *format, ...)
{
    va_list arguments;
    facts->names[facts->count] = name;
    va_start(arguments, format);
    vsnprintf(facts->texts[facts->count++], sizeof facts->texts[0], format,
              arguments);
    va_end(arguments);
}

static void add_versions(Facts *facts)
{
    struct utsname system;
    add(facts, "repfold", "%s", rp_version());
    add(facts, "compiler", "%s", __VERSION__);
    if (uname(&system) == 0)
        add(facts, "system", "%s %s, %s", system.sysname, system.release,
            system.machine);
    add(facts, "jansson", "%s", jansson_version_str());
    add(facts, "protobuf-c", "%s", protobuf_c_version());
    add(facts, "zlib", "%s", zlibVersion());
    add(facts, "libpng", "%s", png_get_libpng_ver(NULL));
#ifdef LIBJPEG_TURBO_VERSION
    add(facts, "libjpeg", "turbo " TEXT_OF(LIBJPEG_TURBO_VERSION));
#else
    add(facts, "libjpeg", "%d", JPEG_LIB_VERSION);
#endif
}

static void add_machine(Facts *facts)
{
    add(facts, "processors", "%ld", sysconf(_SC_NPROCESSORS_ONLN));
    add(facts, "instructions", "%s", rp_instructions());
    add(facts, "memory", "%s", format_bytes(rp_memory()));
    add(facts, "matrix products", "own kernels, no BLAS");
}

static const char *limit_text(int which)
{
    struct rlimit limit;
    if (getrlimit((__rlimit_resource_t)which, &limit) < 0)
        return "unknown";
    return limit.rlim_cur == RLIM_INFINITY ? "none"
                                           : format_bytes(limit.rlim_cur);
}

static void add_limits(Facts *facts)
{
    add(facts, "sandbox", "%s", sandbox_state());
    add(facts, "memory limit", "%s", limit_text(RLIMIT_AS));
    add(facts, "file size limit", "%s", limit_text(RLIMIT_FSIZE));
    add(facts, "terminal", "%s, %s", isatty(STDOUT_FILENO) ? "yes" : "no",
        *color(stdout, "x") ? "colour" : "no colour");
}

static int write_json(const Options *options, const Facts *facts)
{
    json_t *root = json_begin("doctor"), *object = json_object();
    for (size_t i = 0; i < facts->count; i++)
        json_put(object, facts->names[i], json_text(facts->texts[i]));
    json_put(root, "ok", json_true());
    json_put(root, "facts", object);
    return json_finish(options, options->json, root);
}

static int run(const Options *options)
{
    Facts facts = {.count = 0};
    add_versions(&facts);
    add_machine(&facts);
    add_limits(&facts);
    FILE *stream = report_stream(options);
    for (size_t i = 0; !options->quiet && i < facts.count; i++) {
        fprintf(stream, "%-16s ", facts.names[i]);
        print_escaped(stream, facts.texts[i]);
        fputc('\n', stream);
    }
    return options->json ? write_json(options, &facts) : YES;
}

const Verb verb_doctor = {
    .name = "doctor",
    .bit = VERB_DOCTOR,
    .min_files = 0,
    .max_files = 0,
    .arguments = "[OPTION ...]",
    .summary = "what this machine offers, for a report of a fault",
    .text = "Prints versions, processors and the instructions that are used, "
            "memory, the\n"
            "state of the sandbox, and limits. Put it into a report of a "
            "fault.\n"
            "\n"
            "  repfold doctor\n"
            "\n"
            "Exit status: 0; 2 trouble.",
    .run = run,
};
