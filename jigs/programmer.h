/* A programmer and its driver. The station talks to programmers through the functions here; each
 * driver is one file in jigs/drivers/ that exports one const struct programmer_driver, and all of
 * them stand in one plain array in programmer.c.
 *
 * Site and board are two things: a programmer is claimed once per run, and attached once per
 * programming session on a board. A driver keeps its state in its own struct, whose first member is
 * struct programmer; one thread at a time uses it. */
#ifndef JIGS_PROGRAMMER_H
#define JIGS_PROGRAMMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jigs/isp.h"
#include "jigs/operation.h"
#include "jigs/place.h"
#include "profiles/part.h"

struct programmer_driver;

struct programmer {
    const struct programmer_driver *driver;
    const struct part *part; /* of the session; set by programmer_attach() */
    uint32_t session;        /* counts programming sessions from 1 */
    bool attached;
    /* Set by claim as soon as this kind of programmer has answered: what fails in the rest of the
     * claim may be a late answer, and no other programmer. */
    bool answered;
    char firmware[64]; /* what claim found: "ArduinoISP 1.18" */
    /* What the target's clock is now, as far as is known; set before programmer_attach(). 0: not
     * known, programmer_target_hz() says what is assumed then. */
    int64_t target_hz;
    /* In use or known of this firmware; 0: not known. Where SCK can be chosen, attach chooses it.
     */
    int64_t sck_hz;
    int64_t extended_address; /* last one loaded in this session; -1: none */
    /* A byte that the programmer may still wait for, and would take any other for; -1: none. It
     * stays owed when the link is lost: whoever claims the same place again with a new instance
     * copies it there before programmer_claim(), which sends it before anything else. The driver
     * sets it, and clears it when the programmer has shown that it waits for nothing; above the
     * byte it may note more. */
    int owed_value;
};

struct programmer_settings {
    struct place place;
    unsigned baud; /* 0: the driver's default */
};

/* Which places a jig file may give a programmer. */
enum programmer_link { PROGRAMMER_STREAM, PROGRAMMER_USB };

/* What a USB device is taken by for a programmer. */
struct programmer_usb_id {
    uint16_t vendor, product;
    const char *product_name; /* the device's text must be this one; NULL: any */
};

/* What the shortest time depends on besides the part. */
struct programmer_speed {
    unsigned baud;
    int64_t sck_hz; /* at most this, where it can be chosen; 0: the driver's fastest */
};

/* Everything the plan needs to know before any wire is touched. */
struct programmer_driver {
    const char *name;  /* in jig files: "stk500v1" */
    const char *title; /* for people */
    size_t instance_bytes;
    enum programmer_link link;
    const struct programmer_usb_id *usb_ids; /* PROGRAMMER_USB */
    size_t usb_id_count;
    unsigned default_baud;    /* PROGRAMMER_STREAM */
    uint32_t flash_bytes_max; /* 0: no limit */
    int64_t sck_hz;           /* fixed SCK; 0: can be chosen */
    bool sck_is_bound;        /* fixed, and at most sck_hz: what it is, nobody knows */
    int64_t sck_slowest_hz, sck_fastest_hz; /* where it can be chosen */

    /* Opens the place, makes sure the right programmer answers, fills in firmware and sck_hz. */
    int (*claim)(struct programmer *programmer, const struct programmer_settings *settings,
                 const struct operation *operation, struct failure *failure);
    /* Leaves the target released and closes the place. Also after a failed claim. */
    void (*unclaim)(struct programmer *programmer);
    /* Begins a programming session: target in reset, programming enabled. Recovers a programmer
     * that an earlier failure left out of step. May succeed with no board present: identify tells.
     */
    int (*attach)(struct programmer *programmer, const struct operation *operation,
                  struct failure *failure);
    /* Ends the session and lets the target run; must always leave RESET released. A failure means
     * the programmer did not confirm it. */
    int (*release)(struct programmer *programmer, const struct operation *operation,
                   struct failure *failure);
    /* Sends one four-byte instruction, through isp_door_open(), and gives the fourth byte that came
     * back. NULL: this programmer cannot. */
    int (*instruct)(struct programmer *programmer, const struct isp_instruction *instruction,
                    uint8_t *reply, const struct operation *operation, struct failure *failure);

    /* NULL: the default of isp.c serves. */
    int (*identify)(struct programmer *programmer, uint8_t signature[3],
                    const struct operation *operation, struct failure *failure);
    int (*erase)(struct programmer *programmer, struct fuse_permit *permit,
                 const struct operation *operation, struct failure *failure);
    int (*read)(struct programmer *programmer, enum part_memory memory, uint32_t start,
                uint8_t *bytes, uint32_t count, const struct operation *operation,
                struct failure *failure);
    int (*write)(struct programmer *programmer, enum part_memory memory, uint32_t start,
                 const uint8_t *bytes, uint32_t count, struct fuse_permit *permit,
                 const struct operation *operation, struct failure *failure);
    /* Shortest time this driver could need for `flash_bytes` in whole pages and `verify_bytes`, in
     * microseconds; the formula stands beside the driver. Writes its parts, one line each, into
     * `text` when that is not NULL. */
    int64_t (*floor_us)(const struct part *part, const struct programmer_speed *speed,
                        uint32_t flash_bytes, uint32_t verify_bytes, char *text, size_t text_bytes);
};

/* All drivers; `count` receives their number. */
const struct programmer_driver *const *programmer_drivers(size_t *count);
/* NULL if there is none of that name. */
const struct programmer_driver *programmer_driver_by_name(const char *name);

/* A new, unclaimed instance; NULL when out of memory. programmer_destroy() unclaims and frees. */
struct programmer *programmer_create(const struct programmer_driver *driver);
void programmer_destroy(struct programmer *programmer);

/* What the target's clock is taken for: target_hz, else the part's factory clock, else 1 MHz, which
 * is what most parts leave the factory with. */
int64_t programmer_target_hz(const struct programmer *programmer);
/* For drivers that can choose SCK: of `count` values offered, fastest first, the first one that is
 * at most a sixth of the target's clock (RC clocks drift, so less than any datasheet allows) and
 * below what the part's divider allows; `count` when even the slowest is too fast. */
size_t programmer_pick_sck(const struct programmer *programmer, const int64_t *offered_hz,
                           size_t count);
/* The next slower one to be tried after `offered_hz[now]` brought no answer, a quarter or less:
 * fuses divide clocks by eight. Not below 4 kHz, which is for a 32 kHz crystal: at an empty site
 * that would take seconds. `count` when there is none. */
size_t programmer_next_sck(const int64_t *offered_hz, size_t count, size_t now);

int programmer_claim(struct programmer *programmer, const struct programmer_settings *settings,
                     const struct operation *operation, struct failure *failure);
/* Creates an instance and claims with it; on failure there is none. `*owed_value` is what was left
 * owing to this place (see struct programmer), and after a failure what is. */
int programmer_open(const struct programmer_driver *driver,
                    const struct programmer_settings *settings, int *owed_value,
                    const struct operation *operation, struct programmer **programmer,
                    struct failure *failure);
/* The same, but one that does not answer, or not in step, is looked for again: one that hung for a
 * few seconds, or shares a core with many, is not missing; nor is one that leaves its bus in the
 * middle of it and comes back. An absent one is waited for about four seconds, or as long as its
 * driver looks for it, one that left about six, and the failure says how long it was. */
int programmer_open_patiently(const struct programmer_driver *driver,
                              const struct programmer_settings *settings, int *owed_value,
                              const struct operation *operation, struct programmer **programmer,
                              struct failure *failure);
int programmer_attach(struct programmer *programmer, const struct part *part,
                      const struct operation *operation, struct failure *failure);
/* Has a deadline of its own and ignores cancellation: every way out goes through here. Does nothing
 * when not attached. */
int programmer_release(struct programmer *programmer, struct failure *failure);
/* Reads the signature twice. FAILURE_NO_BOARD when all bytes are 00 or FF, both times;
 * FAILURE_CONTACT_UNSTABLE when the two differ, or are only what was sent. */
int programmer_identify(struct programmer *programmer, uint8_t signature[3],
                        const struct operation *operation, struct failure *failure);
/* A board that is not there leaves MISO floating: 00 and FF, in any mixture. */
bool programmer_is_no_board(const uint8_t signature[3]);
/* A board that lost an SCK pulse is out of step and gives back, late, what it is sent: of 30 00 n
 * 00 the n. No part has this signature. */
bool programmer_is_echo(const uint8_t signature[3]);
/* "The signature bytes are not readable in lock mode 3" of the oldest parts (AT90S8515, 0841): they
 * give back what they are sent. Their lock bits stand one higher than all others'. */
bool programmer_may_hide_signature(const struct part *part);
int programmer_erase(struct programmer *programmer, struct fuse_permit *permit,
                     const struct operation *operation, struct failure *failure);
int programmer_read(struct programmer *programmer, enum part_memory memory, uint32_t start,
                    uint8_t *bytes, uint32_t count, const struct operation *operation,
                    struct failure *failure);
/* Flash: whole pages of erased memory, or any bytes of it where the part has no pages. Fuses and
 * lock: one byte, with its permit. */
int programmer_write(struct programmer *programmer, enum part_memory memory, uint32_t start,
                     const uint8_t *bytes, uint32_t count, struct fuse_permit *permit,
                     const struct operation *operation, struct failure *failure);
int programmer_instruct(struct programmer *programmer, const struct isp_instruction *instruction,
                        uint8_t *reply, const struct operation *operation, struct failure *failure);

#endif
