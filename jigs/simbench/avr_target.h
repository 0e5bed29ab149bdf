/* A model of an AVR on its ISP port: what the silicon does with every byte that SCK shifts in, good
 * and bad. Source: "Serial Downloading" and "Memory Programming" in the AVR datasheets, for example
 * ATmega328P (8271J) chapters 27 and 28, and AVR910. */
#ifndef JIGS_SIMBENCH_AVR_TARGET_H
#define JIGS_SIMBENCH_AVR_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "profiles/part.h"

/* How many of the latest instructions that begin with AC are kept, AC 53 left out. */
#define AVR_TARGET_FRAMES 64

struct avr_target;

struct avr_target_counts {
    int64_t instructions; /* whole ones, in programming mode */
    int64_t enables;      /* AC 53 that took the part into programming mode */
    int64_t erases;
    int64_t flash_pages; /* 4C that did something */
    int64_t eeprom_writes;
    int64_t ignored_busy;   /* writes that came while the part was still writing: lost */
    int64_t busy_reads;     /* reads that came then: they gave no data */
    int64_t ignored_locked; /* writes that the lock bits forbade */
    int64_t ignored_unknown;
    int64_t too_fast; /* bytes clocked above the SCK limit */
};

/* What is wrong with a part. All zero: nothing. */
struct avr_target_defects {
    double write_factor; /* writes take so many times the datasheet's; 0: once */
    int64_t clock_hz;    /* what it runs on, whatever its fuses say; 0: what they say */
    bool weak_crystal;   /* starts only where the datasheet promises it (avr_clock_is_promised()) */
    /* Bits that a write of `count` bytes from `start` on does not change. May be NULL. */
    uint8_t (*bad_bits)(void *context, enum part_memory memory, uint32_t start, uint32_t count);
    void *context;
};

/* A part as it comes from the factory: memories FF, fuses at their defaults, nothing locked. With
 * `keeps_time` writes take the datasheet's time, else none. `part` must outlive the target. NULL
 * when out of memory. */
struct avr_target *avr_target_create(const struct part *part, int64_t crystal_hz, bool keeps_time);
void avr_target_free(struct avr_target *target);

/* Before the first instruction: what the part holds already, from the memory's first byte on. Bits
 * that a fuse or the lock byte does not have stay as they are. */
void avr_target_preset(struct avr_target *target, enum part_memory memory, const uint8_t *bytes,
                       uint32_t count);
/* Before the first instruction: the board has no crystal, but feeds in a clock of `signal_hz`. */
void avr_target_feed_clock(struct avr_target *target, int64_t signal_hz);
/* Before the first instruction. */
void avr_target_set_defects(struct avr_target *target, const struct avr_target_defects *defects);
/* The supply goes away in the middle of what the next instruction writes. */
void avr_target_cut_next_write(struct avr_target *target);

/* Drives the RESET pin. Low begins a session; high ends programming mode, lets the fuses act and
 * the part run on the clock they choose. */
void avr_target_drive_reset(struct avr_target *target, bool low);
/* Shifts one byte in and one out. `now_us` is the bench's clock. */
uint8_t avr_target_transfer(struct avr_target *target, uint8_t mosi, int64_t sck_hz,
                            int64_t now_us);

const struct part *avr_target_part(const struct avr_target *target);
/* The contents of flash, EEPROM, a fuse or the lock byte; `size` may be NULL. NULL where the part
 * has no such memory. */
const uint8_t *avr_target_memory(const struct avr_target *target, enum part_memory memory,
                                 uint32_t *size);
/* What the CPU runs at now, prescaler counted; 0: no clock, or its RESET pin no longer listens: the
 * part is dead to ISP. */
int64_t avr_target_clock_hz(const struct avr_target *target);
const struct avr_target_counts *avr_target_counts(const struct avr_target *target);
/* How often a write of this value to this fuse or the lock byte was sent, taken or not. */
int64_t avr_target_writes_sent(const struct avr_target *target, enum part_memory memory,
                               uint8_t value);
/* The index-th of the kept AC instructions, oldest first; NULL after the last. */
const uint8_t *avr_target_frame(const struct avr_target *target, int index);

#endif
