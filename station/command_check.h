/* gangflash check: what a profile would do, fuse byte by fuse byte; touches nothing. */
#ifndef STATION_COMMAND_CHECK_H
#define STATION_COMMAND_CHECK_H

#include "station/command.h"
#include "station/job.h"

extern const struct command command_check;

/* Prints the profile and what each wanted site of the jig would do. Every bad site is told;
 * `failure` receives the first, with FAILURE_PLAN_REFUSED. */
int command_check_print(const struct job *job, const bool *site_wanted, bool json,
                        struct failure *failure);

#endif
