/*
 * Temporary files and how none stays.  They are called .NAME.RANDOM after the
 * file they are to become.  A signal handler removes those of this process; of
 * one that was killed the next run removes them, when it writes the same file
 * and nobody holds a lock on them.
 */
#ifndef REPFOLD_ONNX_LEFTOVER_H
#define REPFOLD_ONNX_LEFTOVER_H

#include <signal.h>

#include "onnx/output.h"

/* A new name for a temporary file, as long as a name may be. */
void leftover_name(const char *name, char temp[OUTPUT_NAME_LIMIT + 1]);
/* Removes what a run that was killed has left in the folder. */
void leftover_remove(int folder_fd, const char *name);

/* Enters a file into the table of this process; *slot is its place, -1 when
 * the table is full. */
void leftover_note(int *slot, int folder_fd, const char *temp);
void leftover_forget(int *slot);

/* The signals that end a program wait. */
void leftover_block(sigset_t *before);
void leftover_unblock(const sigset_t *before);

#endif
