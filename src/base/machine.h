/* What the machine lets this process have. */
#ifndef REPFOLD_BASE_MACHINE_H
#define REPFOLD_BASE_MACHINE_H

#include <stddef.h>

/* Bytes of memory: what the machine has, or less where a control group says
 * so, as that of a container or a CI job; SIZE_MAX where nothing is known. It
 * is looked up once. */
size_t machine_memory(void);

/* The least limit of the control groups that the file `membership` lists, as
 * /proc/self/cgroup does, and of those above them, under the folder `mounts`;
 * SIZE_MAX where there is none. */
size_t cgroup_memory(const char *membership, const char *mounts);

#endif
