/* roundtrip FOLDER ...: reads and writes every model below them. */
#include <stdio.h>

#include "check.h"

int main(int argc, char **argv)
{
    RoundTrips all = {0};
    for (int i = 1; i < argc; i++) {
        RoundTrips trips = {0};
        if (!roundtrip_folder(argv[i], &trips))
            printf("%s: cannot be read\n", argv[i]);
        printf("%s: %zu of %zu models come out byte for byte (%zu fold)\n",
               argv[i], trips.same, trips.models, trips.folded);
        all.models += trips.models;
        all.same += trips.same;
    }
    return all.models > 0 && all.same == all.models ? 0 : 1;
}
