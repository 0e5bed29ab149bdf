/* How good is the contact between a programmer and the board that sits there, whatever board it is?
 * The signature is read many times; what differs is a needle, not a part. Nothing on the board is
 * changed: it is put into reset, programming is enabled, signature and flash are read, and it is
 * released, on every way out. */
#ifndef JIGS_CONTACT_TEST_H
#define JIGS_CONTACT_TEST_H

#include "jigs/programmer.h"

#define CONTACT_TEST_READINGS 100

enum contact_grade {
    CONTACT_GOOD,     /* all readings alike */
    CONTACT_UNSTABLE, /* there is a board, but not all readings are alike, or they are no signature
                       */
    CONTACT_NO_BOARD
};

struct contact_report {
    enum contact_grade grade;
    uint8_t signature[3]; /* the one that was read most often, 00 and FF left out where possible */
    int readings;         /* begun */
    int alike;            /* that gave it */
    struct failure failure; /* NONE, or what the programmer said of the contact */
    /* One four-byte instruction there and back; 0: this programmer sends none. */
    int64_t trip_median_us, trip_worst_us;
    int64_t sck_hz;       /* as the programmer says; 0: it does not */
    uint32_t block_bytes; /* of flash that were read in one go, where the contact is good… */
    int64_t block_us;     /* …and how long that took */
};

/* On a claimed programmer; `target_hz` is what the board's clock is, 0: not known, then SCK is slow
 * enough for any that is not slower than a new part's. operation->progress is told how many
 * readings are done. -1 when the programmer failed, did not confirm that it released the board, or
 * was interrupted; then the report says nothing. */
int contact_test(struct programmer *programmer, int64_t target_hz,
                 const struct operation *operation, struct contact_report *report,
                 struct failure *failure);

/* What SCK must be at least for the block to have come so fast; 0: none was read. */
int64_t contact_test_sck_at_least_hz(const struct contact_report *report);

/* "good", "unstable", "no-board" */
const char *contact_grade_name(enum contact_grade grade);

#endif
