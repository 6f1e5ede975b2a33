/* rp_certify. */
#include "judge/certify.h"
#include "api.h"

struct rp_certificates {
    Arena *arena;
    rp_certificates_info info;
};

typedef struct CertifyWork {
    rp_certificates *certificates;
    rp_model *a, *b;
    const rp_certify_options *options;
} CertifyWork;

static int certify_work(void *context, Err *err)
{
    CertifyWork *work = context;
    rp_certify_options defaults = {0};
    return certify_models(work->certificates->arena, work->a->model,
                          work->b->model,
                          work->options ? work->options : &defaults,
                          &work->certificates->info, err);
}

rp_certificates *rp_certify(rp_model *a, rp_model *b,
                            const rp_certify_options *options, rp_error *error)
{
    Err err = {0};
    CertifyWork work = {
        api_result(api_budget_left(a, b), sizeof(rp_certificates)), a, b,
        options};
    if (a->broken || b->broken)
        err_set(&err, ERR_USAGE, "an earlier rp_fold of this model failed");
    else if (!work.certificates)
        err_set(&err, b->options.max_memory ? ERR_BUDGET : ERR_MEMORY,
                "no memory is left for certificates");
    else if (api_guard(work.certificates->arena, certify_work, &work, &err) ==
             0)
        return work.certificates;
    api_fail(error, &err, b->path);
    rp_certificates_free(work.certificates);
    return NULL;
}

const rp_certificates_info *
rp_certificates_get(const rp_certificates *certificates)
{
    return &certificates->info;
}

void rp_certificates_free(rp_certificates *certificates)
{
    if (certificates)
        arena_free(certificates->arena);
}
