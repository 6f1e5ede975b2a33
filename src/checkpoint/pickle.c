/* The machine: opcodes of Python's pickle, protocols 2 to 5. */
#include "checkpoint/pickle.h"

#include <string.h>

/* Far beyond any state dict; they bound the memory that a few bytes can ask
 * for. */
enum {
    OBJECTS_MAX = 1 << 20,
    ITEMS_MAX = 1 << 22, /* of all lists */
    MEMO_MAX = 1 << 20,
    STACK_MAX = 1 << 20
};

typedef struct Machine {
    Arena *arena;
    const uint8_t *start, *at, *end;
    Object **stack;
    size_t depth, stack_capacity;
    Object **memo;
    size_t memo_count, memo_capacity; /* count: one more than the last put */
    StorageRef **storages;
    size_t storage_count, storage_capacity;
    size_t objects, items;
    Object none, no, yes, empty, mark; /* values that nobody changes */
    bool stopped;
    Err *err;
} Machine;

static int bad(Machine *m, const char *what)
{
    return err_set(m->err, ERR_BAD_CHECKPOINT, "pickle, byte %zu: %s",
                   (size_t)(m->at - m->start), what);
}

/* ---- Stack and objects ---- */

static Object *new_object(Machine *m, Kind kind)
{
    if (m->objects++ >= OBJECTS_MAX) {
        err_set(m->err, ERR_BUDGET, "pickle: more than %d values", OBJECTS_MAX);
        return NULL;
    }
    Object *object = arena_alloc(m->arena, sizeof *object);
    object->kind = kind;
    return object;
}

/* NULL is the failure of whoever made the object. */
static int push(Machine *m, Object *object)
{
    if (!object)
        return -1;
    if (m->depth >= STACK_MAX)
        return err_set(m->err, ERR_BUDGET, "pickle: more than %d values wait",
                       STACK_MAX);
    m->stack = arena_grow(m->arena, m->stack, &m->stack_capacity, m->depth + 1,
                          sizeof *m->stack);
    m->stack[m->depth++] = object;
    return 0;
}

/* The top of the stack, of that kind or of any for KIND_MARK, and taken off;
 * NULL with the fault set. */
static Object *pop(Machine *m, Kind kind)
{
    if (m->depth == 0 || m->stack[m->depth - 1]->kind == KIND_MARK ||
        (kind != KIND_MARK && m->stack[m->depth - 1]->kind != kind)) {
        bad(m, m->depth == 0 ? "the stack is empty"
                             : "a value of another kind was expected");
        return NULL;
    }
    return m->stack[--m->depth];
}

/* Where the values above the last mark begin; the mark is below them. */
static int find_mark(Machine *m, size_t *first)
{
    size_t i = m->depth;
    while (i > 0 && m->stack[i - 1]->kind != KIND_MARK)
        i--;
    *first = i;
    return i > 0 ? 0 : bad(m, "there is no mark");
}

static int append(Machine *m, Object *list, Object *const *items, size_t count)
{
    m->items += count;
    if (m->items > ITEMS_MAX)
        return err_set(m->err, ERR_BUDGET,
                       "pickle: more than %d values in lists", ITEMS_MAX);
    list->list.items =
        arena_grow(m->arena, list->list.items, &list->list.capacity,
                   list->list.count + count, sizeof *items);
    if (count > 0)
        memcpy(list->list.items + list->list.count, items,
               count * sizeof *items);
    list->list.count += count;
    return 0;
}

/* A value of that kind made of the `count` topmost ones. */
static int gather(Machine *m, Kind kind, size_t count)
{
    if (kind == KIND_TUPLE && count == 0)
        return push(m, &m->empty);
    Object *object = new_object(m, kind);
    if (!object)
        return -1;
    m->depth -= count;
    TRY(append(m, object, m->stack + m->depth, count));
    return push(m, object);
}

/* ---- Opcodes: each gets its operand and the argument of its row ---- */

static int op_protocol(Machine *m, uint64_t version, int argument)
{
    (void)argument;
    return version >= 2 && version <= 5
               ? 0
               : bad(m, "a protocol that is not 2 to 5");
}

static int op_nothing(Machine *m, uint64_t operand, int argument)
{
    (void)m, (void)operand, (void)argument;
    return 0;
}

static int op_stop(Machine *m, uint64_t operand, int argument)
{
    (void)operand, (void)argument;
    m->stopped = true;
    return m->depth == 1 && m->stack[0]->kind != KIND_MARK
               ? 0
               : bad(m, "the end comes with too few or too many values");
}

enum { NONE, NO, YES, EMPTY, MARK };

static int op_constant(Machine *m, uint64_t operand, int which)
{
    Object *const constants[] = {&m->none, &m->no, &m->yes, &m->empty,
                                 &m->mark};
    (void)operand;
    return push(m, constants[which]);
}

static int op_integer(Machine *m, uint64_t operand, int is_signed)
{
    Object *object = new_object(m, KIND_INTEGER);
    if (object)
        object->integer = is_signed ? (int32_t)operand : (int64_t)operand;
    return push(m, object);
}

/* The length of what follows is the operand. */
static const uint8_t *take(Machine *m, uint64_t size)
{
    const uint8_t *bytes = m->at;
    if (size > (uint64_t)(m->end - m->at)) {
        bad(m, "a value is longer than the file");
        return NULL;
    }
    m->at += size;
    return bytes;
}

/* Two's complement; one of more than 8 bytes is no number that we need. */
static int op_long(Machine *m, uint64_t size, int argument)
{
    (void)argument;
    const uint8_t *bytes = take(m, size);
    Object *object =
        bytes ? new_object(m, size <= 8 ? KIND_INTEGER : KIND_INERT) : NULL;
    if (object && size > 0 && size <= 8) {
        uint64_t value = bytes[size - 1] & 0x80 ? UINT64_MAX : 0;
        for (size_t i = (size_t)size; i-- > 0;)
            value = value << 8 | bytes[i];
        object->integer = (int64_t)value;
    }
    return push(m, object);
}

static int op_real(Machine *m, uint64_t operand, int argument)
{
    (void)operand, (void)argument;
    return push(m, new_object(m, KIND_REAL));
}

static int op_text(Machine *m, uint64_t size, int argument)
{
    (void)argument;
    const uint8_t *bytes = take(m, size);
    Object *object = bytes ? new_object(m, KIND_TEXT) : NULL;
    if (object) {
        object->text.bytes = (const char *)bytes;
        object->text.size = (size_t)size;
    }
    return push(m, object);
}

static int op_empty(Machine *m, uint64_t operand, int kind)
{
    (void)operand;
    return push(m, new_object(m, (Kind)kind));
}

static int op_tuple(Machine *m, uint64_t operand, int count)
{
    (void)operand;
    for (int i = 0; i < count; i++)
        if (m->depth < (size_t)count ||
            m->stack[m->depth - 1 - (size_t)i]->kind == KIND_MARK)
            return bad(m, "a tuple of too few values");
    return gather(m, KIND_TUPLE, (size_t)count);
}

/* All above the mark. */
static int op_gather(Machine *m, uint64_t operand, int kind)
{
    (void)operand;
    size_t first;
    TRY(find_mark(m, &first));
    if (kind == KIND_DICT && (m->depth - first) % 2 != 0)
        return bad(m, "a key without a value");
    TRY(gather(m, (Kind)kind, m->depth - first));
    m->stack[first - 1] = m->stack[first];
    m->depth = first;
    return 0;
}

static int op_append(Machine *m, uint64_t operand, int argument)
{
    (void)operand, (void)argument;
    Object *item = pop(m, KIND_MARK);
    Object *list = item ? pop(m, KIND_LIST) : NULL;
    if (!list)
        return -1;
    TRY(append(m, list, &item, 1));
    return push(m, list);
}

static int op_set_item(Machine *m, uint64_t operand, int argument)
{
    (void)operand, (void)argument;
    Object *value = pop(m, KIND_MARK);
    Object *key = value ? pop(m, KIND_MARK) : NULL;
    if (!key || m->depth == 0)
        return key ? bad(m, "the stack is empty") : -1;
    /* What is never needed takes items and forgets them. */
    if (m->stack[m->depth - 1]->kind == KIND_INERT)
        return 0;
    Object *dict = pop(m, KIND_DICT);
    if (!dict)
        return -1;
    TRY(append(m, dict, (Object *[]){key, value}, 2));
    return push(m, dict);
}

/* Appends all above the mark to the list or dict below it. */
static int op_extend(Machine *m, uint64_t operand, int kind)
{
    (void)operand;
    size_t first;
    TRY(find_mark(m, &first));
    size_t count = m->depth - first;
    m->depth = first - 1;
    if (m->depth > 0 && m->stack[m->depth - 1]->kind == KIND_INERT)
        return 0;
    if (kind == KIND_DICT && count % 2 != 0)
        return bad(m, "a key without a value");
    Object *into = pop(m, (Kind)kind);
    if (!into)
        return -1;
    TRY(append(m, into, m->stack + first, count));
    return push(m, into);
}

static int op_pop(Machine *m, uint64_t operand, int argument)
{
    (void)operand, (void)argument;
    if (m->depth == 0)
        return bad(m, "the stack is empty");
    m->depth--;
    return 0;
}

static int op_pop_mark(Machine *m, uint64_t operand, int argument)
{
    (void)operand, (void)argument;
    size_t first;
    TRY(find_mark(m, &first));
    m->depth = first - 1;
    return 0;
}

static int op_duplicate(Machine *m, uint64_t operand, int argument)
{
    (void)operand, (void)argument;
    Object *top = pop(m, KIND_MARK);
    return top ? push(m, top) == 0 ? push(m, top) : -1 : -1;
}

static int op_put(Machine *m, uint64_t index, int argument)
{
    (void)argument;
    if (index >= MEMO_MAX)
        return bad(m, "a memo entry of too high a number");
    Object *top = pop(m, KIND_MARK);
    TRY(push(m, top));
    size_t need = (size_t)index + 1;
    m->memo =
        arena_grow(m->arena, m->memo, &m->memo_capacity, need, sizeof *m->memo);
    m->memo[index] = top;
    if (need > m->memo_count)
        m->memo_count = need;
    return 0;
}

static int op_memoize(Machine *m, uint64_t operand, int argument)
{
    (void)operand;
    return op_put(m, m->memo_count, argument);
}

static int op_get(Machine *m, uint64_t index, int argument)
{
    (void)argument;
    if (index >= m->memo_count || !m->memo[index])
        return bad(m, "a memo entry that was never put");
    return push(m, m->memo[index]);
}

/* ---- Names and what becomes of them ---- */

static int push_name(Machine *m, const char *module, size_t module_size,
                     const char *member, size_t member_size)
{
    Object *name = new_object(m, KIND_NAME);
    if (!name)
        return -1;
    TRY(name_find(name, module, module_size, member, member_size, m->err));
    return push(m, name);
}

static const char *take_line(Machine *m, size_t *size)
{
    const char *line = (const char *)m->at;
    const uint8_t *end = memchr(m->at, '\n', (size_t)(m->end - m->at));
    if (!end) {
        bad(m, "a name does not end");
        return NULL;
    }
    *size = (size_t)(end - m->at);
    m->at = end + 1;
    return line;
}

static int op_global(Machine *m, uint64_t operand, int argument)
{
    (void)operand, (void)argument;
    size_t module_size, member_size;
    const char *module = take_line(m, &module_size);
    const char *member = module ? take_line(m, &member_size) : NULL;
    return member ? push_name(m, module, module_size, member, member_size) : -1;
}

static int op_stack_global(Machine *m, uint64_t operand, int argument)
{
    (void)operand, (void)argument;
    Object *member = pop(m, KIND_TEXT);
    Object *module = member ? pop(m, KIND_TEXT) : NULL;
    if (!module)
        return -1;
    return push_name(m, module->text.bytes, module->text.size,
                     member->text.bytes, member->text.size);
}

/* name(*arguments), or name.__new__(name, *arguments). */
static int op_call(Machine *m, uint64_t operand, int argument)
{
    (void)operand, (void)argument;
    Object *arguments = pop(m, KIND_TUPLE);
    Object *name = arguments ? pop(m, KIND_NAME) : NULL;
    Object *result = name ? new_object(m, KIND_INERT) : NULL;
    if (!result)
        return -1;
    TRY(name_call(m->arena, name, arguments, result, m->err));
    return push(m, result);
}

/* The state of an object: nothing that tensors are made of. */
static int op_build(Machine *m, uint64_t operand, int argument)
{
    (void)operand, (void)argument;
    if (!pop(m, KIND_MARK))
        return -1;
    Kind kind = m->depth > 0 ? m->stack[m->depth - 1]->kind : KIND_MARK;
    if (kind != KIND_DICT && kind != KIND_INERT && kind != KIND_TENSOR)
        return bad(m, "a state for a value that has none");
    return 0;
}

static int op_storage(Machine *m, uint64_t operand, int argument)
{
    (void)operand, (void)argument;
    Object *id = pop(m, KIND_TUPLE);
    Object *storage = id ? new_object(m, KIND_STORAGE) : NULL;
    if (!storage)
        return -1;
    TRY(storage_find(m->arena, id, storage, m->err));
    m->storages = arena_grow(m->arena, m->storages, &m->storage_capacity,
                             m->storage_count + 1, sizeof *m->storages);
    m->storages[m->storage_count++] = storage->storage;
    return push(m, storage);
}

/* ---- The machine ---- */

typedef struct Opcode {
    uint8_t operand; /* bytes of it, little-endian */
    int (*run)(Machine *m, uint64_t operand, int argument);
    int argument;
} Opcode;

/* By code, as in Python's pickletools; one that is not here is refused. */
static const Opcode opcodes[256] = {
    [0x80] = {1, op_protocol, 0},       /* PROTO */
    [0x95] = {8, op_nothing, 0},        /* FRAME: what follows is read anyhow */
    ['.'] = {0, op_stop, 0},            /* STOP */
    ['('] = {0, op_constant, MARK},     /* MARK */
    ['N'] = {0, op_constant, NONE},     /* NONE */
    [0x89] = {0, op_constant, NO},      /* NEWFALSE */
    [0x88] = {0, op_constant, YES},     /* NEWTRUE */
    [')'] = {0, op_constant, EMPTY},    /* EMPTY_TUPLE */
    ['K'] = {1, op_integer, false},     /* BININT1 */
    ['M'] = {2, op_integer, false},     /* BININT2 */
    ['J'] = {4, op_integer, true},      /* BININT */
    [0x8a] = {1, op_long, 0},           /* LONG1 */
    [0x8b] = {4, op_long, 0},           /* LONG4 */
    ['G'] = {8, op_real, 0},            /* BINFLOAT */
    ['X'] = {4, op_text, 0},            /* BINUNICODE */
    [0x8c] = {1, op_text, 0},           /* SHORT_BINUNICODE */
    [0x8d] = {8, op_text, 0},           /* BINUNICODE8 */
    ['T'] = {4, op_text, 0},            /* BINSTRING */
    ['U'] = {1, op_text, 0},            /* SHORT_BINSTRING */
    ['B'] = {4, op_text, 0},            /* BINBYTES */
    ['C'] = {1, op_text, 0},            /* SHORT_BINBYTES */
    [0x8e] = {8, op_text, 0},           /* BINBYTES8 */
    [0x96] = {8, op_text, 0},           /* BYTEARRAY8 */
    [']'] = {0, op_empty, KIND_LIST},   /* EMPTY_LIST */
    ['}'] = {0, op_empty, KIND_DICT},   /* EMPTY_DICT */
    [0x8f] = {0, op_empty, KIND_LIST},  /* EMPTY_SET */
    ['t'] = {0, op_gather, KIND_TUPLE}, /* TUPLE */
    ['l'] = {0, op_gather, KIND_LIST},  /* LIST */
    ['d'] = {0, op_gather, KIND_DICT},  /* DICT */
    [0x91] = {0, op_gather, KIND_LIST}, /* FROZENSET */
    [0x85] = {0, op_tuple, 1},          /* TUPLE1 */
    [0x86] = {0, op_tuple, 2},          /* TUPLE2 */
    [0x87] = {0, op_tuple, 3},          /* TUPLE3 */
    ['a'] = {0, op_append, 0},          /* APPEND */
    ['e'] = {0, op_extend, KIND_LIST},  /* APPENDS */
    [0x90] = {0, op_extend, KIND_LIST}, /* ADDITEMS */
    ['s'] = {0, op_set_item, 0},        /* SETITEM */
    ['u'] = {0, op_extend, KIND_DICT},  /* SETITEMS */
    ['0'] = {0, op_pop, 0},             /* POP */
    ['1'] = {0, op_pop_mark, 0},        /* POP_MARK */
    ['2'] = {0, op_duplicate, 0},       /* DUP */
    ['q'] = {1, op_put, 0},             /* BINPUT */
    ['r'] = {4, op_put, 0},             /* LONG_BINPUT */
    [0x94] = {0, op_memoize, 0},        /* MEMOIZE */
    ['h'] = {1, op_get, 0},             /* BINGET */
    ['j'] = {4, op_get, 0},             /* LONG_BINGET */
    ['c'] = {0, op_global, 0},          /* GLOBAL */
    [0x93] = {0, op_stack_global, 0},   /* STACK_GLOBAL */
    ['R'] = {0, op_call, 0},            /* REDUCE */
    [0x81] = {0, op_call, 0},           /* NEWOBJ */
    ['b'] = {0, op_build, 0},           /* BUILD */
    ['Q'] = {0, op_storage, 0},         /* BINPERSID */
};

static int step(Machine *m)
{
    if (m->at == m->end)
        return bad(m, "the file ends in the middle");
    const Opcode *opcode = &opcodes[*m->at];
    if (!opcode->run)
        return err_set(m->err, ERR_BAD_CHECKPOINT,
                       "pickle, byte %zu: opcode 0x%02x is not one that a "
                       "state dict needs",
                       (size_t)(m->at - m->start), *m->at);
    m->at++;
    const uint8_t *bytes = take(m, opcode->operand);
    if (!bytes)
        return -1;
    uint64_t operand = 0;
    for (int i = 0; i < opcode->operand; i++)
        operand |= (uint64_t)bytes[i] << 8 * i;
    return opcode->run(m, operand, opcode->argument);
}

int pickle_read(Arena *arena, const uint8_t *bytes, size_t size, Pickle *out,
                Err *err)
{
    /* In the arena: the objects outlive this call. */
    Machine *m = arena_alloc(arena, sizeof *m);
    m->arena = arena;
    m->start = m->at = bytes;
    m->end = bytes + size;
    m->err = err;
    m->no.kind = m->yes.kind = KIND_BOOL;
    m->yes.integer = 1;
    m->empty.kind = KIND_TUPLE;
    m->mark.kind = KIND_MARK;
    while (!m->stopped)
        TRY(step(m));
    *out = (Pickle){.root = m->stack[0],
                    .size = (size_t)(m->at - m->start),
                    .storages = m->storages,
                    .storage_count = m->storage_count};
    return 0;
}

bool object_is_text(const Object *object, const char *text)
{
    return object && object->kind == KIND_TEXT &&
           object->text.size == strlen(text) &&
           memcmp(object->text.bytes, text, object->text.size) == 0;
}

/* The last one counts, as in Python. */
const Object *dict_get(const Object *dict, const char *key)
{
    for (size_t i = dict->list.count; i >= 2; i -= 2)
        if (object_is_text(dict->list.items[i - 2], key))
            return dict->list.items[i - 1];
    return NULL;
}

char *text_copy(Arena *arena, const Object *text)
{
    return arena_strndup(arena, text->text.bytes, text->text.size);
}
