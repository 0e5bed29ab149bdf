/* The chain: every row of the log carries the hash of the row before it and its own, so that a row
 * that was changed, taken out, put in or moved shows. What the chain alone cannot show is a tail
 * cut off or a file written anew from its beginning: that needs a head kept elsewhere, which is
 * looked for among the rows.
 *
 * Encoding 1, for whoever recomputes it. A row's hash is SHA-256 over these fields one after
 * another, written as 64 lower-case hexadecimal digits:
 *
 *   1. the table's name                              as text
 *   2. the column sequence                           as integer
 *   3. the column previous_hash                      as text
 *   4. the column encoding                           as integer
 *   5. every other column but `hash`, in the table's order: station first
 *
 * Each field is one byte for its type, eight bytes for the length of what follows (big-endian), and
 * the value's bytes:
 *
 *   NULL     'N'  length 0
 *   integer  'I'  length 8, two's complement, big-endian
 *   text     'T'  UTF-8, no terminator
 *
 * (Anything else, 'X' and its bytes, is never written.) The order over all tables is the column
 * sequence: 1, 2, 3, … without a gap. previous_hash of row 1 is 64 zeros. */
#ifndef REPORTS_LOG_CHAIN_H
#define REPORTS_LOG_CHAIN_H

#include "reports/digest.h"
#include "reports/log_schema.h"

#define LOG_CHAIN_ENCODING 1
#define LOG_CHAIN_FIRST "0000000000000000000000000000000000000000000000000000000000000000"

struct log_chain; /* the end to which rows are added */

/* Finds the last row and checks its hash. `station` is copied. */
int log_chain_open(struct database *database, const char *station, struct log_chain **chain,
                   struct failure *failure);
/* Before the database is closed. NULL is allowed. */
void log_chain_close(struct log_chain *chain);

/* Adds a row, inside a transaction: the values are the table's own columns, between station and
 * previous_hash. When the transaction is not committed, the chain must not be used any more. */
int log_chain_append(struct log_chain *chain, enum log_table table,
                     const struct database_value *values, int count, struct failure *failure);

struct log_chain_report {
    int64_t rows; /* that fit */
    char head[DIGEST_TEXT_BYTES];
    int64_t noted_sequence; /* of the row whose hash is the head noted earlier; 0: none has it */
    bool broken;            /* then: */
    int64_t sequence;       /* of the first row that does not fit */
    char table[32];         /* where it stands */
    const char *complaint;  /* what is wrong with it */
};

/* Reads every row of the log in order. `noted` is a head of this log that was noted earlier, NULL:
 * none was. Returns 0 when it could be read, broken or not. */
int log_chain_verify(struct database *database, const char *noted, struct log_chain_report *report,
                     struct failure *failure);

#endif
