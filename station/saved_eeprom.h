/* EEPROM contents that attempts saved in the log: getting one back, and answering for one. */
#ifndef STATION_SAVED_EEPROM_H
#define STATION_SAVED_EEPROM_H

#include <stdint.h>

#include "reports/failure.h"

/* Writes what `attempt` saved as Intel HEX, all its bytes, to a file that must not exist; NULL: to
 * the standard output. Says on stderr what became of the EEPROM. */
int saved_eeprom_write(const char *log_path, int64_t attempt, const char *output,
                       struct failure *failure);
/* Notes in the log that nobody needs to put it back any more. FAILURE_USAGE when it is not owed. */
int saved_eeprom_settle(const char *log_path, int64_t attempt, struct failure *failure);

#endif
