/* Reading the log without disturbing the station that writes it: listing, showing one attempt,
 * and checking the chain. Read-only; needs no lock. */
#ifndef REPORTS_LOG_READER_H
#define REPORTS_LOG_READER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "reports/failure.h"
#include "reports/log_eeprom.h"

struct log_reader;

/* FAILURE_LOG when it cannot be read or is no log of ours. */
int log_reader_open(const char *path, struct log_reader **reader, struct failure *failure);
void log_reader_close(struct log_reader *reader);

struct log_list_options {
    const char *lot;     /* NULL: all */
    const char *verdict; /* NULL: all; "open": still without one */
    int site;            /* 0: all */
    int64_t last;        /* only the last N; 0: all */
    bool json;
};
/* One line per attempt, oldest first: as a table, or JSON lines with every column of the view.
 * FAILURE_USAGE when there is no such verdict, or no such lot. */
int log_reader_list(struct log_reader *reader, const struct log_list_options *options, FILE *out,
                    struct failure *failure);
/* What is no attempt, oldest first: runs, programmers that were lost or replaced, EEPROMs that were
 * saved. `last` 0: all. As a table, in which a detail may be cut, or JSON lines. */
int log_reader_events(struct log_reader *reader, int64_t last, bool json, FILE *out,
                      struct failure *failure);
/* All that is known of one attempt: its row, the risks accepted for it, fuses byte by byte, steps.
 * FAILURE_USAGE if there is no such attempt. */
int log_reader_show(struct log_reader *reader, int64_t attempt, bool json, FILE *out,
                    struct failure *failure);
/* The EEPROM that this attempt saved before its erase, and what became of it; the caller frees its
 * bytes. FAILURE_USAGE if there is no such attempt, or it saved none. */
int log_reader_eeprom(struct log_reader *reader, int64_t attempt, struct log_eeprom *eeprom,
                      enum log_eeprom_state *state, struct failure *failure);
/* Recomputes every hash and follows the chain; prints the first row that does not fit, or the
 * number of rows and the head. `noted` is a head that was printed earlier, NULL: none; without one
 * rows that were cut off at the end do not show. FAILURE_LOG when something does not fit, or no row
 * has that head any more. */
int log_reader_verify(struct log_reader *reader, const char *noted, bool json, FILE *out,
                      struct failure *failure);

#endif
