/* rp_digest, rp_digest_source: what reports tell one file from another by. */
#include "base/sha256.h"

#include <string.h>

#include "api.h"
#include "onnx/dataplan.h"
#include "onnx/onnx.h"

typedef struct DigestWork {
    Sink sink; /* first: what the writer hands back */
    rp_model *model;
    Sha256 sha;
} DigestWork;

static int digest_write(Sink *self, const void *bytes, size_t size, Err *err)
{
    (void)err;
    sha256_add(&((DigestWork *)self)->sha, bytes, size);
    return 0;
}

static int digest_work(void *context, Err *err)
{
    DigestWork *work = context;
    return model_write(work->model->model, &work->sink, err);
}

/* Whether rp_save would write what was read. */
static bool is_untouched(const rp_model *model)
{
    return model->model->file.size > 0 && model->report.fold_count == 0 &&
           !model->model->graph->changed;
}

void rp_digest_source(const rp_model *model, char digest[RP_DIGEST_SIZE])
{
    const Span bytes = model->imported ? model->checkpoint : model->model->file;
    Sha256 sha;
    digest[0] = '\0';
    if (bytes.size == 0)
        return;
    sha256_start(&sha);
    sha256_add(&sha, bytes.bytes, bytes.size);
    sha256_text(&sha, digest);
}

int rp_digest(rp_model *model, char digest[RP_DIGEST_SIZE], rp_error *error)
{
    DigestWork work = {.sink = {digest_write}, .model = model};
    const Span file = model->model->file;
    _Static_assert((int)RP_DIGEST_SIZE == (int)SHA256_TEXT, "one text");
    digest[0] = '\0';
    sha256_start(&work.sha);
    if (is_untouched(model))
        sha256_add(&work.sha, file.bytes, file.size);
    else if (data_external_count(model->model) > 0)
        return 0;
    else if (api_on_model(model, digest_work, &work, model->path, error) < 0)
        return -1;
    sha256_text(&work.sha, digest);
    return 0;
}
