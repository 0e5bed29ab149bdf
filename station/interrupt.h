/* Ctrl-C for commands that work on programmers in one thread: the signal does not end the program
 * but cancels what is under way, so that every way out releases the board. */
#ifndef STATION_INTERRUPT_H
#define STATION_INTERRUPT_H

#include <stdatomic.h>

#include "reports/failure.h"

struct interrupt;

/* From here on SIGINT, SIGTERM and SIGHUP set interrupt_flag(); after interrupt_end() they do
 * nothing, since the program ends right after: a second Ctrl-C that waits by then must take away
 * neither the last words nor the exit status. Call before other threads start. */
int interrupt_begin(struct interrupt **interrupt, struct failure *failure);
/* For struct operation. */
const atomic_bool *interrupt_flag(const struct interrupt *interrupt);
/* NULL is allowed. */
void interrupt_end(struct interrupt *interrupt);

#endif
