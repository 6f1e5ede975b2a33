/* Code that may leave its process in a state of its own. */
#ifndef REPFOLD_TESTS_CHILD_H
#define REPFOLD_TESTS_CHILD_H

/* Runs it in a child; what it returned, or 128 and the number of the signal
 * that ended it. */
int in_child(int (*run)(void));
/* There: root may do anything, so that what is refused is tried as somebody
 * else; who is not root already stays who he is. */
void become_nobody(void);

#endif
