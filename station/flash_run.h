/* One run of `gangflash flash`: everything is opened, boards are done until somebody says stop or
 * the count is reached, everything is closed, and a summary tells what came of it. */
#ifndef STATION_FLASH_RUN_H
#define STATION_FLASH_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "station/scheduler.h"

struct flash_config {
    const char *profile;
    const char *jig;
    const char *lot;           /* NULL: none */
    int64_t count;             /* 0: not given */
    const char *operator_name; /* NULL: whoever is logged in */
    enum scheduler_go go;
    const char *sites; /* "1,3-5"; NULL: all */
    bool retest;
    const char *log; /* NULL: the user's own */
    bool json;
    bool dry_run;
    const char *bench_pace;   /* NULL: as the jig says */
    const char *bench_record; /* NULL: none */
};

/* Returns the exit status; has said on stderr what kept the run from starting. */
int flash_run(const struct flash_config *config);

#endif
