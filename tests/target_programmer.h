/* A programmer that shifts every instruction straight into a simulated target, for tests that count
 * what is written and take power or contact away behind any of it. */
#ifndef TESTS_TARGET_PROGRAMMER_H
#define TESTS_TARGET_PROGRAMMER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "jigs/programmer.h"
#include "jigs/simbench/avr_target.h"

/* What happens to the write that is the last. */
enum cut {
    CUT_BEHIND, /* power or contact goes when it is done: the fuses written so far act */
    CUT_INSIDE  /* the supply goes in the middle of it */
};

struct target_programmer {
    struct programmer programmer;
    struct avr_target *target;
    int writes;     /* erase, flash page or byte, EEPROM, fuse, lock: sent so far… */
    int last_write; /* …of which this one is the last; 0: none is */
    enum cut cut;
    bool has_flash, fuse_came_first;
    bool is_cut;           /* nothing comes through any more */
    uint8_t last_frame[4]; /* of the writes */
};

static inline struct target_programmer *target_programmer_of(struct programmer *programmer)
{
    return (struct target_programmer *)programmer;
}

static inline void target_frame(struct target_programmer *self, const uint8_t mosi[4],
                                uint8_t miso[4])
{
    for (int i = 0; i < 4; i++)
        miso[i] = self->is_cut
                      ? 0xFF
                      : avr_target_transfer(self->target, mosi[i], self->programmer.sck_hz, 0);
}

static inline void target_cut(struct target_programmer *self)
{
    avr_target_drive_reset(self->target, false);
    self->is_cut = true;
}

/* One session try at the SCK in use. */
static inline bool target_enters(struct target_programmer *self)
{
    static const uint8_t enable[4] = {0xAC, 0x53, 0, 0};
    uint8_t miso[4];

    avr_target_drive_reset(self->target, false);
    avr_target_drive_reset(self->target, !self->is_cut);
    target_frame(self, enable, miso);
    return miso[2] == 0x53 || !self->programmer.part->sync_echo;
}

#define TARGET_FASTEST_HZ 4000000
#define TARGET_SLOWEST_HZ 500
static const int64_t target_offered_hz[] = {TARGET_FASTEST_HZ,
                                            2000000,
                                            1000000,
                                            500000,
                                            250000,
                                            125000,
                                            62500,
                                            32000,
                                            16000,
                                            8000,
                                            4000,
                                            2000,
                                            1000,
                                            TARGET_SLOWEST_HZ};
#define TARGET_OFFERED (sizeof target_offered_hz / sizeof target_offered_hz[0])

/* As the drivers do that choose SCK: the fastest that may be, and slower ones while nothing
 * answers. */
static inline void target_choose_sck(struct target_programmer *self, bool tries_slower)
{
    size_t first = programmer_pick_sck(&self->programmer, target_offered_hz, TARGET_OFFERED);
    size_t at = first < TARGET_OFFERED ? first : TARGET_OFFERED - 1;

    for (size_t next = at; next < TARGET_OFFERED;
         next = programmer_next_sck(target_offered_hz, TARGET_OFFERED, next)) {
        self->programmer.sck_hz = target_offered_hz[next];
        if (target_enters(self) || !tries_slower)
            return;
    }
    self->programmer.sck_hz = target_offered_hz[at];
    target_enters(self);
}

static inline int target_attach_fixed(struct programmer *programmer,
                                      const struct operation *operation, struct failure *failure)
{
    (void)operation, (void)failure;
    target_enters(target_programmer_of(programmer));
    return 0;
}

static inline int target_attach_plain(struct programmer *programmer,
                                      const struct operation *operation, struct failure *failure)
{
    (void)operation, (void)failure;
    target_choose_sck(target_programmer_of(programmer), false);
    return 0;
}

static inline int target_attach_patient(struct programmer *programmer,
                                        const struct operation *operation, struct failure *failure)
{
    (void)operation, (void)failure;
    target_choose_sck(target_programmer_of(programmer), true);
    return 0;
}

static inline int target_release(struct programmer *programmer, const struct operation *operation,
                                 struct failure *failure)
{
    (void)operation, (void)failure;
    avr_target_drive_reset(target_programmer_of(programmer)->target, false);
    return 0;
}

/* Without pages the instruction that loads a byte writes it. */
static inline bool target_is_write(const struct part *part, const uint8_t mosi[4])
{
    return isp_changes_board(mosi) || (!part->flash.page_write && (mosi[0] & 0xF7) == 0x40);
}

static inline int target_instruct(struct programmer *programmer,
                                  const struct isp_instruction *instruction, uint8_t *reply,
                                  const struct operation *operation, struct failure *failure)
{
    struct target_programmer *self = target_programmer_of(programmer);
    uint8_t mosi[4], miso[4];
    bool writes, last;

    (void)operation;
    if (isp_door_open(programmer->part, instruction, programmer->session, mosi, failure) < 0)
        return -1;
    writes = !self->is_cut && target_is_write(programmer->part, mosi);
    self->writes += writes;
    last = writes && self->writes == self->last_write;
    if (writes) {
        memcpy(self->last_frame, mosi, sizeof mosi);
        self->has_flash |= mosi[0] != 0xAC;
        self->fuse_came_first |= isp_writes_fuse_or_lock(mosi) && !self->has_flash;
    }
    if (last && self->cut == CUT_INSIDE)
        avr_target_cut_next_write(self->target);
    target_frame(self, mosi, miso);
    *reply = miso[3];
    if (last)
        target_cut(self);
    return 0;
}

static inline int target_claim(struct programmer *programmer,
                               const struct programmer_settings *settings,
                               const struct operation *operation, struct failure *failure)
{
    (void)programmer, (void)settings, (void)operation, (void)failure;
    return 0;
}

static inline void target_unclaim(struct programmer *programmer)
{
    (void)programmer;
}

#define TARGET_DRIVER(driver_name, driver_attach, fixed_hz)                                        \
    {                                                                                              \
        .name = (driver_name), .title = (driver_name),                                             \
        .instance_bytes = sizeof(struct target_programmer), .sck_hz = (fixed_hz),                  \
        .sck_slowest_hz = (fixed_hz) != 0 ? 0 : TARGET_SLOWEST_HZ,                                 \
        .sck_fastest_hz = (fixed_hz) != 0 ? 0 : TARGET_FASTEST_HZ, .claim = target_claim,          \
        .unclaim = target_unclaim, .attach = (driver_attach), .release = target_release,           \
        .instruct = target_instruct                                                                \
    }

#endif
