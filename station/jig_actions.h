/* The actions of `gangflash jig`. Each returns -1 with a failure, or 0 with the exit status. */
#ifndef STATION_JIG_ACTIONS_H
#define STATION_JIG_ACTIONS_H

#include "station/jig_session.h"

/* Every programmer that is plugged in: place, firmware, what it can do. */
int jig_list(const struct jig_config *config, int *status, struct failure *failure);
/* Tries every site of a jig on the board that sits there; changes nothing on it. The status is that
 * of the worst site. */
int jig_test(const struct jig_config *config, int *status, struct failure *failure);
/* Makes a jig file of what is plugged in, one programmer after the other, or of what is there. */
int jig_learn(const struct jig_config *config, int *status, struct failure *failure);
/* Another unit for a site: it must answer; its place is changed in the jig file, and the log is
 * told.
 */
int jig_replace(const struct jig_config *config, int *status, struct failure *failure);

#endif
