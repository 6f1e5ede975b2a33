/*
 * A hash map from strings to pointers.  Keys are not copied and must outlive
 * the map.  The hash is keyed with a random seed (SipHash-1-3, Aumasson and
 * Bernstein 2012), so names from a stranger's file cannot be made to collide;
 * nothing ever iterates over a map, so the seed cannot show in any output.
 */
#ifndef REPFOLD_BASE_MAP_H
#define REPFOLD_BASE_MAP_H

#include "base/mem.h"

typedef struct Map Map;

Map *map_new(Arena *arena);
/* The value of the key, or NULL. */
void *map_get(const Map *map, const char *key);
/* Sets or replaces the value of the key; a NULL value removes it. A key that
 * is there already stays the one that was given first. */
void map_put(Map *map, const char *key, void *value);

#endif
