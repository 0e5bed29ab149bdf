/* EEPROM contents in the log. Where a chip erase clears an EEPROM that a profile keeps, its content
 * is an event before it is nothing on the board, so that neither a lost contact nor a crash can
 * lose it. Three kinds of event are about it; the detail of each begins with "attempt N":
 *
 *   eeprom-saved     "attempt 17: EEPROM 1024; 0010 01020304; 0200 AB": its size in bytes, and each
 *                    run of its bytes with the address of the first, in hex; FF everywhere else
 *   eeprom-restored  it was read back from the board afterwards and found equal
 *   eeprom-settled   somebody answers for it: it was put back by other means, or is not wanted
 *
 * An attempt owes an EEPROM when it was saved and may have been erased, the attempt is over, and
 * neither it nor a later attempt on the same board restored or settled it. */
#ifndef REPORTS_LOG_EEPROM_H
#define REPORTS_LOG_EEPROM_H

#include <stdbool.h>
#include <stdint.h>

#include "reports/database.h"

#define LOG_EEPROM_SAVED "eeprom-saved"
#define LOG_EEPROM_RESTORED "eeprom-restored"
#define LOG_EEPROM_SETTLED "eeprom-settled"

/* What somebody types who wants the content of attempt %lld. */
#define LOG_EEPROM_RESCUE "gangflash log eeprom %lld -o FILE.hex"

/* More than any AVR has. */
#define LOG_EEPROM_BYTES_MAX 65536

enum log_eeprom_state {
    LOG_EEPROM_NONE, /* the attempt saved none */
    LOG_EEPROM_KEPT, /* the board was not erased */
    LOG_EEPROM_BACK, /* restored or settled */
    LOG_EEPROM_OWED
};

struct log_eeprom {
    int64_t attempt; /* that saved it; 0: there is none */
    uint32_t size;
    uint8_t *bytes;  /* size of them; the caller frees */
    bool same_board; /* an earlier attempt on the very board that is asked for */
};

/* The detail of an eeprom-saved event; the caller frees. NULL: out of memory. */
char *log_eeprom_to_text(int64_t attempt, const uint8_t *bytes, uint32_t size);
/* The reverse. FAILURE_LOG when it is not such a text. */
int log_eeprom_from_text(const char *text, struct log_eeprom *eeprom, struct failure *failure);

/* What `attempt` saved; eeprom->attempt 0 when it saved nothing. */
int log_eeprom_load(struct database *database, int64_t attempt, struct log_eeprom *eeprom,
                    struct failure *failure);

/* Whether `attempt` saved an EEPROM, and what became of it. An attempt without a closing row counts
 * as one that erased. */
int log_eeprom_look(struct database *database, int64_t attempt, enum log_eeprom_state *state,
                    struct failure *failure);

/* For the writer of the log: finds out, once, what is owed; keeps account of each event that was
 * written since, the newest row of its table. */
int log_eeprom_prepare(struct database *database, struct failure *failure);
int log_eeprom_note_event(struct database *database, const char *kind, struct failure *failure);

/* See log_next_owed_eeprom(). After log_eeprom_prepare(). */
struct log_eeprom_search {
    const char *part;
    int64_t previous_attempt; /* on the board that is asked for; 0: none known */
    int64_t after;
    struct log_eeprom *eeprom; /* received */
};
int log_eeprom_find_owed(struct database *database, const struct log_eeprom_search *search,
                         struct failure *failure);

#endif
