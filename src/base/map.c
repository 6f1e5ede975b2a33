#include "base/map.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

typedef struct Slot {
    const char *key;
    void *value; /* NULL in a slot whose key was removed */
    uint64_t hash;
} Slot;

struct Map {
    Arena *arena;
    Slot *slots;
    size_t used, capacity; /* capacity is 0 or a power of two */
    uint64_t seed[2];
};

static uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1], v[1] = rotate(v[1], 13) ^ v[0], v[0] = rotate(v[0], 32);
    v[2] += v[3], v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3], v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1], v[1] = rotate(v[1], 17) ^ v[2], v[2] = rotate(v[2], 32);
}

static uint64_t hash_string(const Map *map, const char *key)
{
    uint64_t v[4] = {
        map->seed[0] ^ 0x736f6d6570736575u, map->seed[1] ^ 0x646f72616e646f6du,
        map->seed[0] ^ 0x6c7967656e657261u, map->seed[1] ^ 0x7465646279746573u};
    size_t length = strlen(key);
    for (size_t i = 0; i <= length; i += 8) {
        uint64_t word = 0;
        size_t left = length - i;
        memcpy(&word, key + i, left < 8 ? left : 8);
        if (left < 8)
            word |= (uint64_t)length << 56;
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

Map *map_new(Arena *arena)
{
    Map *map = arena_alloc(arena, sizeof *map);
    map->arena = arena;
    /* Without the system's randomness the time will do: the seed only has to
     * be unknown to whoever wrote the file. */
    if (getrandom(map->seed, sizeof map->seed, GRND_NONBLOCK) < 0)
        map->seed[0] = (uint64_t)time(NULL) * 0x9e3779b97f4a7c15u;
    return map;
}

/* The slot of the key, or the free one where it belongs. */
static Slot *slot_find(Slot *slots, size_t capacity, const char *key,
                       uint64_t hash)
{
    size_t i = (size_t)hash & (capacity - 1);
    while (slots[i].key &&
           (slots[i].hash != hash || strcmp(slots[i].key, key) != 0))
        i = (i + 1) & (capacity - 1);
    return &slots[i];
}

static void map_enlarge(Map *map)
{
    size_t capacity = map->capacity ? map->capacity * 2 : 8;
    Slot *slots = arena_block(map->arena, capacity, sizeof *slots);
    memset(slots, 0, capacity * sizeof *slots);
    for (size_t i = 0; i < map->capacity; i++) {
        Slot *old = &map->slots[i];
        if (old->key)
            *slot_find(slots, capacity, old->key, old->hash) = *old;
    }
    arena_release(map->slots);
    map->slots = slots;
    map->capacity = capacity;
}

void *map_get(const Map *map, const char *key)
{
    if (!map->capacity)
        return NULL;
    uint64_t hash = hash_string(map, key);
    return slot_find(map->slots, map->capacity, key, hash)->value;
}

void map_put(Map *map, const char *key, void *value)
{
    if (map->used * 4 >= map->capacity * 3)
        map_enlarge(map);
    uint64_t hash = hash_string(map, key);
    Slot *slot = slot_find(map->slots, map->capacity, key, hash);
    if (!slot->key) {
        map->used++;
        slot->key = key;
    }
    slot->value = value;
    slot->hash = hash;
}
