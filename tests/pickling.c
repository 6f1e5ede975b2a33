#include "pickling.h"

#include <string.h>

#include <check.h>

void pickle_raw(Pickling *pickle, const void *bytes, size_t size)
{
    ck_assert_uint_le(pickle->size + size, PICKLE_BYTES);
    memcpy(pickle->bytes + pickle->size, bytes, size);
    pickle->size += size;
}

static void put_number(Pickling *pickle, uint64_t number, int size)
{
    uint8_t bytes[8];
    for (int i = 0; i < size; i++)
        bytes[i] = (uint8_t)(number >> 8 * i);
    pickle_raw(pickle, bytes, (size_t)size);
}

void pickle_text(Pickling *pickle, const char *text)
{
    pickle_ops(pickle, "X");
    put_number(pickle, strlen(text), 4);
    pickle_raw(pickle, text, strlen(text));
}

void pickle_integer(Pickling *pickle, int64_t number)
{
    pickle_ops(pickle, "\x8a\x08");
    put_number(pickle, (uint64_t)number, 8);
}

static void put_tuple(Pickling *pickle, const int64_t *numbers, int count)
{
    pickle_ops(pickle, "(");
    for (int i = 0; i < count; i++)
        pickle_integer(pickle, numbers[i]);
    pickle_ops(pickle, "t");
}

void pickle_tensor(Pickling *pickle, const Saved *saved)
{
    pickle_ops(pickle, "ctorch._utils\n_rebuild_tensor_v2\n((");
    pickle_text(pickle, "storage");
    pickle_ops(pickle, "ctorch\n");
    pickle_raw(pickle, saved->storage, strlen(saved->storage));
    pickle_ops(pickle, "\n");
    pickle_text(pickle, saved->key);
    pickle_text(pickle, "cpu");
    pickle_integer(pickle, saved->elements);
    pickle_ops(pickle, "tQ");
    pickle_integer(pickle, saved->offset);
    put_tuple(pickle, saved->dims, saved->rank);
    put_tuple(pickle, saved->strides, saved->rank);
    pickle_ops(pickle, "\x89"
                       "ccollections\nOrderedDict\n)RtR");
}

void pickle_state(Pickling *pickle, const Saved *saved, size_t count)
{
    pickle_ops(pickle, "ccollections\nOrderedDict\n)R(");
    for (size_t i = 0; i < count; i++) {
        pickle_text(pickle, saved[i].name);
        pickle_tensor(pickle, &saved[i]);
    }
    pickle_ops(pickle, "u");
}

void pickle_whole(Pickling *pickle, const Saved *saved, size_t count)
{
    pickle_ops(pickle, "\x80\x02");
    pickle_state(pickle, saved, count);
    pickle_ops(pickle, ".");
}
