/* What an attempt, a step, an event or a lot becomes in the log's tables. Everything here runs
 * inside a transaction. An empty string and a number that means "not known" are stored as NULL. */
#ifndef REPORTS_LOG_ROWS_H
#define REPORTS_LOG_ROWS_H

#include "reports/log_chain.h"
#include "reports/record.h"

/* The kind of the event that says of an attempt which rule over profiles was set aside for it. Its
 * detail: "attempt 17: dwen, because: the boards are debugged in the field". */
#define LOG_RISK_ACCEPTED "risk-accepted"

/* The kind of the event that says of an attempt that its clock fuses may be written before its
 * flash: whoever finds it cut short must reckon with it. Its detail begins with "attempt 17:". */
#define LOG_CLOCK_FIRST "clock-first"

/* The kind of the event that says of an attempt that a fuse which takes the way into its board is
 * written next. Its detail: "attempt 17: RSTDISBL". */
#define LOG_LAST_DOOR "last-door"

/* The opening row, the fuse intents, the event about the clock fuses, and one for each risk that
 * was accepted; none of these where there was no board. */
int log_rows_add_opened(struct log_chain *chain, const struct record_attempt *record,
                        struct failure *failure);
/* What became of each fuse, and then the closing row. */
int log_rows_add_closed(struct log_chain *chain, const struct record_attempt *record,
                        struct failure *failure);
int log_rows_add_step(struct log_chain *chain, int64_t attempt, const struct record_step *step,
                      struct failure *failure);
int log_rows_add_event(struct log_chain *chain, int64_t at_us, const char *kind, const char *detail,
                       struct failure *failure);
int log_rows_add_lot(struct log_chain *chain, const char *lot, const char *profile_sha256,
                     int64_t count, int64_t bound_at_us, struct failure *failure);

#endif
