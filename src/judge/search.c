/* Most often all joints are read in one way, or nearly all. */
#include "judge/search.h"

/* Reads both regions and compares what they give. */
static bool regions_agree(Region *region, const Regions *regions, Sum **a,
                          double **bounds)
{
    region->reading = ++*region->readings;
    region->places = NULL;
    region->place_capacity = 0;
    region->place_count = region->square_roots = 0;
    region->scales = region->scale_count = 0;
    region->facts = 0;
    region->obstacle = NULL;
    *a = regions_read(region, regions->original, regions->original_count, true);
    Sum *b = regions_read(region, regions->converted, regions->converted_count,
                          false);
    int64_t width = (*a)->width > b->width ? (*a)->width : b->width;
    *bounds = arena_array(region->arena, (size_t)width, sizeof **bounds);
    return sums_compare(region, *a, b, *bounds);
}

static void readings_prefer(Region *region, Reading reading)
{
    region->preferred = reading;
    for (int i = 0; i < region->joint_count; i++)
        region->joints[i].now =
            region->joints[i].possible >> reading & 1 ? reading : READ_PLACE;
}

/* Tries are fewer where each takes longer. */
static int tries_of(const Regions *regions)
{
    enum { LEAST = 4, MOST = 1 << 10, WORK = 1 << 16 };
    size_t tries =
        WORK / (regions->original_count + regions->converted_count + 1);
    return tries > MOST ? MOST : tries < LEAST ? LEAST : (int)tries;
}

/* A search for the readings with which the regions are the same. */
typedef struct Search {
    Region *region;
    Regions *regions;
    Sum **a;
    double **bounds;
    int tries; /* that are left */
    /* What is said of a failure is of the first try. */
    Proof failure;
    const char *obstacle;
} Search;

/* One try, in memory of its own. */
static bool search_try(Search *search)
{
    Region *region = search->region;
    Arena *outer = region->arena;
    region->arena = arena_child(outer);
    *region->proof = (Proof){.arena = region->proof->arena};
    if (regions_agree(region, search->regions, search->a, search->bounds))
        return true;
    if (!search->failure.why) {
        search->failure = *region->proof;
        search->obstacle = region->obstacle;
    }
    arena_free(region->arena);
    region->arena = outer;
    search->tries--;
    return false;
}

/* Tries all readings that differ in so many joints, from the first one on, from
 * those that are set; the recursion is as deep. */
static bool search_near(Search *search, int first, int changes)
{
    Region *region = search->region;
    if (changes == 0)
        return search_try(search);
    for (int i = first; i < region->joint_count; i++) {
        Joint *joint = &region->joints[i];
        Reading base = joint->now;
        for (int other = 0; other < READINGS && search->tries > 0; other++) {
            if (other == (int)base || !(joint->possible >> other & 1))
                continue;
            joint->now = (Reading)other;
            if (search_near(search, i + 1, changes - 1))
                return true;
        }
        joint->now = base;
    }
    return false;
}

bool readings_try(Region *region, Regions *regions, Sum **a, double **bounds)
{
    static const Reading bases[] = {READ_PLACE, READ_COMPOSED, READ_WHOLE};
    Search search = {.region = region,
                     .regions = regions,
                     .a = a,
                     .bounds = bounds,
                     .tries = tries_of(regions)};
    for (int changes = 0; changes <= region->joint_count; changes++) {
        int before = search.tries;
        for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
            if (search.tries <= 0 || (i > 0 && region->joint_count == 0))
                break;
            readings_prefer(region, bases[i]);
            if (search_near(&search, 0, changes))
                return true;
        }
        /* No more joints than that can be read in another way. */
        if (search.tries == before)
            break;
    }
    *region->proof = search.failure;
    region->obstacle = search.obstacle;
    return false;
}
