/* rp_rename. */
#include "api.h"
#include "judge/interface.h"

typedef struct RenameWork {
    rp_model *model;
    const rp_model *like;
} RenameWork;

static int rename_work(void *context, Err *err)
{
    RenameWork *work = context;
    if (work->model->folded)
        return err_set(err, ERR_USAGE, "a folded model cannot be renamed");
    work->model->renamed = true;
    return interface_rename(work->model->model, work->like->model, err);
}

int rp_rename(rp_model *model, const rp_model *like, rp_error *error)
{
    RenameWork work = {model, like};
    return api_on_model(model, rename_work, &work, model->path, error);
}
