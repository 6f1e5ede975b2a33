/* rp_digest: what a report says to tell one file from another. */
#include "base/sha256.h"

#include <string.h>

#include "api.h"
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

int rp_digest(rp_model *model, char digest[RP_DIGEST_SIZE], rp_error *error)
{
    DigestWork work = {.sink = {digest_write}, .model = model};
    _Static_assert((int)RP_DIGEST_SIZE == (int)SHA256_TEXT, "one text");
    digest[0] = '\0';
    sha256_start(&work.sha);
    if (api_on_model(model, digest_work, &work, model->path, error) < 0)
        return -1;
    sha256_text(&work.sha, digest);
    return 0;
}
