/*
 * The names that a state dict's pickle may hold. Besides those that tensors
 * are made of there are a few that training scripts leave beside the tensors;
 * what is made of them is inert: it cannot be looked into.
 */
#include <string.h>

#include "checkpoint/pickle.h"

typedef struct Name {
    const char *module, *member;
    Role role;
    Element element;
} Name;

static const Name names[] = {
    {"collections", "OrderedDict", ROLE_DICT, 0},
    {"torch", "Size", ROLE_SIZE, 0},
    {"torch._utils", "_rebuild_tensor_v2", ROLE_TENSOR, 0},
    {"torch._utils", "_rebuild_tensor_v3", ROLE_TENSOR, 0},
    {"torch._utils", "_rebuild_parameter", ROLE_PARAMETER, 0},
    {"torch._utils", "_rebuild_parameter_with_state", ROLE_PARAMETER, 0},
#define ELEMENT(id, size, storage, dtype, name)                                \
    {"torch", storage, ROLE_STORAGE, ELEMENT_##id},                            \
        {"torch", dtype, ROLE_DTYPE, ELEMENT_##id},
#include "checkpoint/element.def"
#undef ELEMENT
    {"torch", "UntypedStorage", ROLE_UNTYPED, 0},
    {"torch.storage", "UntypedStorage", ROLE_UNTYPED, 0},
    {"torch.storage", "_UntypedStorage", ROLE_UNTYPED, 0},
    {"torch", "device", ROLE_INERT, 0},
    {"argparse", "Namespace", ROLE_INERT, 0},
    {"collections", "Counter", ROLE_INERT, 0},
    {"collections", "defaultdict", ROLE_INERT, 0},
    {"builtins", "dict", ROLE_INERT, 0},
    {"builtins", "list", ROLE_INERT, 0},
    {"builtins", "int", ROLE_INERT, 0},
    {"builtins", "float", ROLE_INERT, 0},
    {"builtins", "set", ROLE_INERT, 0},
    {"__builtin__", "set", ROLE_INERT, 0},
    {"_codecs", "encode", ROLE_INERT, 0},
    {"numpy", "dtype", ROLE_INERT, 0},
    {"numpy", "ndarray", ROLE_INERT, 0},
    {"numpy.core.multiarray", "scalar", ROLE_INERT, 0},
    {"numpy.core.multiarray", "_reconstruct", ROLE_INERT, 0},
    {"numpy._core.multiarray", "scalar", ROLE_INERT, 0},
    {"numpy._core.multiarray", "_reconstruct", ROLE_INERT, 0},
    {"numpy.dtypes", "Float32DType", ROLE_INERT, 0},
    {"numpy.dtypes", "Float64DType", ROLE_INERT, 0},
    {"numpy.dtypes", "Int64DType", ROLE_INERT, 0},
};

static bool equals(const char *text, const char *bytes, size_t size)
{
    return strlen(text) == size && memcmp(text, bytes, size) == 0;
}

int name_find(Object *name, const char *module, size_t module_size,
              const char *member, size_t member_size, Err *err)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (*names[i].member && equals(names[i].module, module, module_size) &&
            equals(names[i].member, member, member_size)) {
            name->role = names[i].role;
            name->element = names[i].element;
            return 0;
        }
    return err_set(err, ERR_BAD_CHECKPOINT,
                   "it asks for %.*s.%.*s, which no state dict needs; nothing "
                   "was executed. Save model.state_dict() alone",
                   (int)(module_size < 80 ? module_size : 80), module,
                   (int)(member_size < 80 ? member_size : 80), member);
}

static int bad_call(Err *err, const char *what)
{
    return err_set(err, ERR_BAD_CHECKPOINT, "pickle: %s", what);
}

static const Object *item(const Object *tuple, size_t index)
{
    return index < tuple->list.count ? tuple->list.items[index] : NULL;
}

static bool is_kind(const Object *object, Kind kind)
{
    return object && object->kind == kind;
}

/* _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks);
 * _rebuild_tensor_v3 has the dtype after those. */
static int call_tensor(Arena *arena, const Object *arguments, Object *result,
                       Err *err)
{
    const Object *storage = item(arguments, 0), *offset = item(arguments, 1);
    const Object *dims = item(arguments, 2), *strides = item(arguments, 3);
    const Object *dtype = item(arguments, 6);
    if (!is_kind(storage, KIND_STORAGE) || !is_kind(offset, KIND_INTEGER) ||
        !is_kind(dims, KIND_TUPLE) || !is_kind(strides, KIND_TUPLE))
        return bad_call(err, "a tensor of other arguments than a storage, an "
                             "offset, a size and strides");
    TensorRef *tensor = arena_alloc(arena, sizeof *tensor);
    *tensor = (TensorRef){.storage = storage->storage,
                          .element = storage->storage->element,
                          .offset = offset->integer,
                          .dims = dims,
                          .strides = strides};
    if (is_kind(dtype, KIND_NAME) && dtype->role == ROLE_DTYPE)
        tensor->element = dtype->element;
    else if (!storage->storage->is_typed)
        return bad_call(err, "a tensor of no dtype");
    result->kind = KIND_TENSOR;
    result->tensor = tensor;
    return 0;
}

int name_call(Arena *arena, const Object *name, const Object *arguments,
              Object *result, Err *err)
{
    const Object *first = item(arguments, 0);
    switch (name->role) {
    case ROLE_DICT:
        if (first)
            return bad_call(err, "an OrderedDict made from another value");
        result->kind = KIND_DICT;
        return 0;
    case ROLE_TENSOR:
        return call_tensor(arena, arguments, result, err);
    case ROLE_SIZE:
        if (!is_kind(first, KIND_TUPLE))
            return bad_call(err, "a torch.Size of something else than a tuple");
        *result = *first;
        return 0;
    case ROLE_PARAMETER:
        if (!is_kind(first, KIND_TENSOR))
            return bad_call(err, "a parameter of something else than a tensor");
        *result = *first;
        return 0;
    case ROLE_INERT:
        return 0;
    default:
        return bad_call(err, "a storage or dtype is called as a function");
    }
}

/* ("storage", class, key, location, elements), and before PyTorch 1.6 what part
 * of another storage it shows, or None. */
int storage_find(Arena *arena, const Object *id, Object *result, Err *err)
{
    const Object *class = item(id, 1), *key = item(id, 2);
    const Object *count = item(id, 4), *part = item(id, 5);
    if (!object_is_text(item(id, 0), "storage") || !is_kind(class, KIND_NAME) ||
        (class->role != ROLE_STORAGE && class->role != ROLE_UNTYPED) ||
        !is_kind(key, KIND_TEXT) || key->text.size > KEY_MAX ||
        !is_kind(count, KIND_INTEGER) || count->integer < 0)
        return bad_call(err, "a persistent id that is no storage");
    if (part && part->kind != KIND_NONE)
        return bad_call(err, "a storage that is a part of another one");
    StorageRef *storage = arena_alloc(arena, sizeof *storage);
    *storage = (StorageRef){.key = text_copy(arena, key),
                            .is_typed = class->role == ROLE_STORAGE,
                            .element = class->element,
                            .count = (uint64_t)count->integer};
    result->storage = storage;
    return 0;
}
