/* Attempts that a kill or a power cut left open. */
#ifndef REPORTS_LOG_RECOVERY_H
#define REPORTS_LOG_RECOVERY_H

#include "reports/log_chain.h"

/* Closes each as interrupted, inside a transaction: the detail names the last step that the log
 * knows to be finished; `touched` counts as done what it knows and the first later step that would
 * change the board further (fuses and lock only when the intent asks for a write); what became of
 * the fuses is unknown, and a fuse that takes the way into the board is named where it may be on.
 * The end is the last sign of life. Steps are queued, so a kill can lose those of the last moments:
 * the log never says less than it knows, but the board may be further.
 */
int log_recovery_run(struct database *database, struct log_chain *chain, int *recovered,
                     struct failure *failure);

#endif
