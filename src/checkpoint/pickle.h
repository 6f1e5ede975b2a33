/*
 * The unpickler: Python's pickle, protocols 2 to 5, as far as a state dict
 * needs it. It builds values and calls nothing; a name outside the table in
 * names.c is refused.
 */
#ifndef REPFOLD_CHECKPOINT_PICKLE_H
#define REPFOLD_CHECKPOINT_PICKLE_H

#include "checkpoint/checkpoint.h"

typedef enum Kind {
    KIND_NONE,
    KIND_BOOL,
    KIND_INTEGER,
    KIND_REAL,
    KIND_TEXT, /* str or bytes */
    KIND_TUPLE,
    KIND_LIST, /* or a set */
    KIND_DICT, /* key, value, key, value ... */
    KIND_NAME,
    KIND_STORAGE,
    KIND_TENSOR,
    KIND_INERT, /* something that is built and never needed */
    KIND_MARK
} Kind;

/* What a name in the pickle stands for. */
typedef enum Role {
    ROLE_DICT,
    ROLE_SIZE,      /* torch.Size: its argument */
    ROLE_TENSOR,    /* _rebuild_tensor_v2, _rebuild_tensor_v3 */
    ROLE_PARAMETER, /* _rebuild_parameter and its like: the first argument */
    ROLE_STORAGE,
    ROLE_UNTYPED, /* a storage whose tensors have a dtype of their own */
    ROLE_DTYPE,
    ROLE_INERT
} Role;

typedef struct Object Object;

/* PyTorch's keys are decimal numbers. One that is copied for every mention must
 * be short. */
enum { KEY_MAX = 64 };

typedef struct StorageRef {
    const char *key; /* the entry data/KEY of the archive */
    bool is_typed;
    Element element;
    uint64_t count; /* elements */
} StorageRef;

typedef struct TensorRef {
    const StorageRef *storage;
    Element element;
    int64_t offset; /* in elements */
    const Object *dims, *strides;
} TensorRef;

struct Object {
    Kind kind;
    Role role;       /* of a name */
    Element element; /* of a storage class or dtype */
    union {
        int64_t integer;
        struct {
            const char *bytes; /* in the pickle, not ended by NUL */
            size_t size;
        } text;
        struct {
            Object **items;
            size_t count, capacity;
        } list;
        StorageRef *storage;
        TensorRef *tensor;
    };
};

typedef struct Pickle {
    const Object *root;
    size_t size;           /* of the pickle: more may follow it */
    StorageRef **storages; /* every mention of one, in order */
    size_t storage_count;
} Pickle;

/* Reads the pickle that the bytes begin with. */
int pickle_read(Arena *arena, const uint8_t *bytes, size_t size, Pickle *out,
                Err *err);

bool object_is_text(const Object *object, const char *text);
/* The value under a key of a dict; NULL where there is none. */
const Object *dict_get(const Object *dict, const char *key);
/* A copy that ends with NUL. */
char *text_copy(Arena *arena, const Object *text);

/* ---- names.c: what the names stand for, for pickle.c ---- */

/* Sets the role, or refuses the name. */
int name_find(Object *name, const char *module, size_t module_size,
              const char *member, size_t member_size, Err *err);
/* The value of name(*arguments), put into `result`. */
int name_call(Arena *arena, const Object *name, const Object *arguments,
              Object *result, Err *err);
/* The value of a persistent id, put into `result`. */
int storage_find(Arena *arena, const Object *id, Object *result, Err *err);

#endif
