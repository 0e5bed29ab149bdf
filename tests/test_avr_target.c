/* The AVR on its ISP port: every trap that a programmer can fall into must be there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "jigs/simbench/avr_target.h"

#define SLOW_HZ 125000
#define CRYSTAL_HZ 16000000

struct fixture {
    struct part *part;
    struct avr_target *target;
    int64_t sck_hz;
    int64_t now_us;
};

static void load(struct fixture *fixture, const char *part, int64_t crystal_hz)
{
    struct failure failure = {0};
    if (part_load(TEST_SOURCE_DIR "/profiles/parts", part, &fixture->part, &failure) != 0) {
        fail_msg("%s", failure.detail);
    }
    fixture->target = avr_target_create(fixture->part, crystal_hz, true);
    assert_non_null(fixture->target);
    fixture->sck_hz = SLOW_HZ;
    fixture->now_us = 1000000;
}

static void unload(struct fixture *fixture)
{
    avr_target_free(fixture->target);
    part_free(fixture->part);
}

/* One instruction; the four bytes that came back, first one highest. */
static uint32_t send(struct fixture *fixture, uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    const uint8_t mosi[4] = {a, b, c, d};
    uint32_t miso = 0;
    for (int i = 0; i < 4; i++) {
        miso = miso << 8 |
               avr_target_transfer(fixture->target, mosi[i], fixture->sck_hz, fixture->now_us);
    }
    return miso;
}

static uint8_t ask(struct fixture *fixture, uint8_t a, uint8_t b, uint8_t c)
{
    return (uint8_t)send(fixture, a, b, c, 0);
}

static void wait_ms(struct fixture *fixture, int64_t duration_ms)
{
    fixture->now_us += duration_ms * 1000;
}

static bool enter(struct fixture *fixture)
{
    avr_target_drive_reset(fixture->target, false);
    avr_target_drive_reset(fixture->target, true);
    return (send(fixture, 0xAC, 0x53, 0, 0) >> 8 & 0xFF) == 0x53;
}

/* An instruction that takes time, and that time. */
static void send_and_wait(struct fixture *fixture, uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    send(fixture, a, b, c, d);
    wait_ms(fixture, 25);
}

static uint8_t flash_at(const struct fixture *fixture, uint32_t address)
{
    return avr_target_memory(fixture->target, PART_FLASH, NULL)[address];
}

static uint8_t eeprom_at(const struct fixture *fixture, uint32_t address)
{
    return avr_target_memory(fixture->target, PART_EEPROM, NULL)[address];
}

static uint8_t byte_of(const struct fixture *fixture, enum part_memory memory)
{
    return *avr_target_memory(fixture->target, memory, NULL);
}

static const struct avr_target_counts *counts(const struct fixture *fixture)
{
    return avr_target_counts(fixture->target);
}

static void answers_after_enable(void **state)
{
    (void)state;
    struct fixture fixture;
    load(&fixture, "ATmega328P", CRYSTAL_HZ);
    assert_int_equal(ask(&fixture, 0x30, 0, 0), 0xFF); /* RESET is high */
    assert_true(enter(&fixture));
    assert_int_equal(ask(&fixture, 0x30, 0, 0), 0x1E);
    assert_int_equal(ask(&fixture, 0x30, 0, 1), 0x95);
    assert_int_equal(ask(&fixture, 0x30, 0, 2), 0x0F);
    /* each byte comes back one later */
    assert_int_equal(send(&fixture, 0x12, 0x34, 0x56, 0x78) & 0xFFFFFF, 0x123456);
    avr_target_drive_reset(fixture.target, false);
    avr_target_drive_reset(fixture.target, true);
    assert_int_equal(ask(&fixture, 0x30, 0, 0), 0xFF); /* RESET rose: no longer programming */
    unload(&fixture);
}

static void is_deaf_until_reset_when_the_first_instruction_is_another(void **state)
{
    (void)state;
    struct fixture fixture;
    load(&fixture, "ATmega328P", CRYSTAL_HZ);
    avr_target_drive_reset(fixture.target, true);
    ask(&fixture, 0x30, 0, 0);
    assert_int_equal(send(&fixture, 0xAC, 0x53, 0, 0) >> 8 & 0xFF, 0xFF);
    assert_int_equal(ask(&fixture, 0x30, 0, 0), 0xFF);
    assert_int_equal(counts(&fixture)->enables, 0);
    assert_true(enter(&fixture));
    assert_int_equal(counts(&fixture)->enables, 1);
    unload(&fixture);
}

static void lost_byte_shifts_every_later_frame(void **state)
{
    (void)state;
    struct fixture fixture;
    load(&fixture, "ATmega328P", CRYSTAL_HZ);
    assert_true(enter(&fixture));
    avr_target_transfer(fixture.target, 0x30, SLOW_HZ, fixture.now_us);
    assert_int_not_equal(ask(&fixture, 0x30, 0, 0), 0x1E);
    assert_true(enter(&fixture));
    assert_int_equal(ask(&fixture, 0x30, 0, 0), 0x1E);
    unload(&fixture);
}

static void page_buffer_and_flash_only_clear_bits(void **state)
{
    (void)state;
    struct fixture fixture;
    load(&fixture, "ATmega328P", CRYSTAL_HZ);
    enter(&fixture);
    send(&fixture, 0x40, 0, 1, 0xF0);          /* word 1, low */
    send(&fixture, 0x40, 0, 1, 0x3F);          /* the same again */
    send(&fixture, 0x48, 0, 0x41, 0x5A);       /* word 0x41: only the bits within a page count */
    send_and_wait(&fixture, 0x4C, 0, 0x40, 0); /* the second page */
    assert_int_equal(flash_at(&fixture, 128 + 2), 0xF0 & 0x3F);
    assert_int_equal(flash_at(&fixture, 128 + 3), 0x5A);
    assert_int_equal(flash_at(&fixture, 3), 0xFF);
    send(&fixture, 0x40, 0, 1, 0xCF);          /* the buffer is FF again… */
    send_and_wait(&fixture, 0x4C, 0, 0x40, 0); /* …but the flash is not */
    assert_int_equal(flash_at(&fixture, 128 + 2), 0x30 & 0xCF);
    assert_int_equal(flash_at(&fixture, 128 + 3), 0x5A);
    assert_int_equal(ask(&fixture, 0x28, 0, 0x41), 0x5A);
    assert_int_equal(counts(&fixture)->flash_pages, 2);
    unload(&fixture);
}

static void ignores_writes_while_busy(void **state)
{
    (void)state;
    struct fixture fixture;
    load(&fixture, "ATmega328P", CRYSTAL_HZ);
    enter(&fixture);
    send(&fixture, 0xC0, 0, 5, 0x11);
    assert_int_equal(ask(&fixture, 0xF0, 0, 0) & 1, 1);
    send(&fixture, 0xC0, 0, 6, 0x22);
    assert_int_equal(ask(&fixture, 0xA0, 0, 5), 0xFF);
    assert_int_equal(counts(&fixture)->ignored_busy, 1);
    assert_int_equal(counts(&fixture)->busy_reads, 1);
    fixture.now_us += 3600; /* the datasheet's time for this part */
    assert_int_equal(ask(&fixture, 0xF0, 0, 0) & 1, 0);
    assert_int_equal(ask(&fixture, 0xA0, 0, 5), 0x11);
    assert_int_equal(ask(&fixture, 0xA0, 0, 6), 0xFF);
    send(&fixture, 0xAC, 0xA0, 0, 0xE2);
    send(&fixture, 0xAC, 0xA8, 0, 0xDE); /* too early: sent, counted, lost */
    assert_int_equal(byte_of(&fixture, PART_FUSE_HIGH), 0xD9);
    assert_int_equal(avr_target_writes_sent(fixture.target, PART_FUSE_HIGH, 0xDE), 1);
    unload(&fixture);
}

static void old_part_always_says_ready(void **state)
{
    (void)state;
    struct fixture fixture;
    load(&fixture, "ATmega32A", CRYSTAL_HZ);
    enter(&fixture);
    send(&fixture, 0xC0, 0, 5, 0x11);
    assert_int_equal(ask(&fixture, 0xF0, 0, 0), 0); /* ready, it seems */
    send(&fixture, 0xC0, 0, 6, 0x22);
    wait_ms(&fixture, 20);
    assert_int_equal(eeprom_at(&fixture, 5), 0x11);
    assert_int_equal(eeprom_at(&fixture, 6), 0xFF);
    unload(&fixture);
}

static void eesave_counts_from_the_next_session(void **state)
{
    (void)state;
    struct fixture fixture;
    load(&fixture, "ATmega328P", CRYSTAL_HZ);
    enter(&fixture);
    send_and_wait(&fixture, 0xC0, 0, 5, 0x11);
    send_and_wait(&fixture, 0xAC, 0xA8, 0, 0xD1);
    send_and_wait(&fixture, 0xAC, 0x80, 0, 0);
    assert_int_equal(eeprom_at(&fixture, 5), 0xFF);
    send_and_wait(&fixture, 0xC0, 0, 5, 0x22);
    enter(&fixture);
    send_and_wait(&fixture, 0xAC, 0x80, 0, 0);
    assert_int_equal(eeprom_at(&fixture, 5), 0x22);
    assert_int_equal(counts(&fixture)->erases, 2);
    unload(&fixture);
}

static void lock_bits_hide_and_refuse_until_erased(void **state)
{
    (void)state;
    struct fixture fixture;
    load(&fixture, "ATmega328P", CRYSTAL_HZ);
    enter(&fixture);
    send(&fixture, 0x40, 0, 9, 0x77);
    send_and_wait(&fixture, 0x4C, 0, 0, 0);
    send_and_wait(&fixture, 0xAC, 0xE0, 0, 0xFE); /* mode 2: no more writing */
    assert_int_equal(ask(&fixture, 0x20, 0, 9), 0x77);
    send_and_wait(&fixture, 0xAC, 0xA0, 0, 0xFF);
    send_and_wait(&fixture, 0xC0, 0, 0, 0);
    send(&fixture, 0x40, 0, 9, 0x00);
    send_and_wait(&fixture, 0x4C, 0, 0, 0);
    assert_int_equal(byte_of(&fixture, PART_FUSE_LOW), 0x62);
    assert_int_equal(eeprom_at(&fixture, 0), 0xFF);
    assert_int_equal(flash_at(&fixture, 18), 0x77);
    assert_int_equal(counts(&fixture)->ignored_locked, 3);

    send_and_wait(&fixture, 0xAC, 0xE0, 0, 0xFF); /* not undone without an erase */
    assert_int_equal(byte_of(&fixture, PART_LOCK), 0xFE);
    send_and_wait(&fixture, 0xAC, 0xE0, 0, 0xCC); /* mode 3; boot lock bits are locked by now */
    assert_int_equal(byte_of(&fixture, PART_LOCK), 0xFC);
    assert_int_equal(ask(&fixture, 0x20, 0x12, 9), 9);
    assert_int_equal(ask(&fixture, 0x28, 0x12, 9), 9);
    assert_int_equal(ask(&fixture, 0x58, 0, 0), 0xFC); /* fuses and lock can be read */

    send_and_wait(&fixture, 0xAC, 0x80, 0, 0);
    assert_int_equal(ask(&fixture, 0x58, 0, 0), 0xFF);
    assert_int_equal(ask(&fixture, 0x20, 0, 9), 0xFF);
    send_and_wait(&fixture, 0xAC, 0xA0, 0, 0xFF);
    assert_int_equal(byte_of(&fixture, PART_FUSE_LOW), 0xFF);
    unload(&fixture);
}

static void bits_that_do_not_exist_read_as_one(void **state)
{
    (void)state;
    struct fixture fixture;
    load(&fixture, "ATmega32U4", CRYSTAL_HZ);
    enter(&fixture);
    send_and_wait(&fixture, 0xAC, 0xA4, 0, 0xC3);
    assert_int_equal(ask(&fixture, 0x50, 0x08, 0), 0xF3);
    send_and_wait(&fixture, 0xAC, 0xE0, 0, 0x2F);
    assert_int_equal(ask(&fixture, 0x58, 0x00, 0), 0xEF);
    /* SPIEN cannot be changed over ISP */
    send_and_wait(&fixture, 0xAC, 0xA8, 0, 0xFF);
    assert_int_equal(ask(&fixture, 0x58, 0x08, 0) & 0x20, 0);
    unload(&fixture);
}

static void clock_fuses_act_at_the_next_session(void **state)
{
    (void)state;
    struct fixture fixture;
    load(&fixture, "ATmega328P", CRYSTAL_HZ);
    assert_int_equal(avr_target_clock_hz(fixture.target), 1000000);
    enter(&fixture);
    send_and_wait(&fixture, 0xAC, 0xA0, 0, 0xE2);
    assert_int_equal(avr_target_clock_hz(fixture.target), 1000000);
    avr_target_drive_reset(fixture.target, false);
    assert_int_equal(avr_target_clock_hz(fixture.target), 8000000);
    enter(&fixture);
    send_and_wait(&fixture, 0xAC, 0xA0, 0, 0xFF);
    assert_true(enter(&fixture));
    assert_int_equal(avr_target_clock_hz(fixture.target), CRYSTAL_HZ);
    unload(&fixture);
}

static void crystal_that_is_not_there_is_death(void **state)
{
    (void)state;
    struct fixture fixture;
    load(&fixture, "ATmega328P", 0);
    enter(&fixture);
    send_and_wait(&fixture, 0xAC, 0xA0, 0, 0xFF);
    assert_int_equal(ask(&fixture, 0x30, 0, 0), 0x1E); /* still alive in this session */
    assert_false(enter(&fixture));
    assert_int_equal(avr_target_clock_hz(fixture.target), 0);
    assert_int_equal(ask(&fixture, 0x30, 0, 0), 0xFF);
    unload(&fixture);
}

static void fuses_that_close_the_door(void **state)
{
    (void)state;
    static const uint8_t high[] = {0x59, 0x99}; /* RSTDISBL, DWEN */
    for (size_t i = 0; i < 2; i++) {
        struct fixture fixture;
        load(&fixture, "ATmega328P", CRYSTAL_HZ);
        enter(&fixture);
        send_and_wait(&fixture, 0xAC, 0xA8, 0, high[i]);
        assert_int_equal(ask(&fixture, 0x58, 0x08, 0), high[i]);
        assert_false(enter(&fixture));
        unload(&fixture);
    }
}

static void garbage_above_the_sck_limit(void **state)
{
    (void)state;
    struct fixture fixture;
    load(&fixture, "ATmega328P", CRYSTAL_HZ);
    fixture.sck_hz = 250001; /* a quarter of 1 MHz */
    assert_false(enter(&fixture));
    assert_true(counts(&fixture)->too_fast > 0);
    for (int tries = 0; tries < 2000; tries++) { /* noise, but not what would be an answer */
        assert_false(enter(&fixture));
    }
    fixture.sck_hz = 250000;
    assert_true(enter(&fixture));
    send_and_wait(&fixture, 0xAC, 0xA0, 0, 0xFF);
    fixture.sck_hz = CRYSTAL_HZ / 5; /* from 12 MHz on a sixth */
    assert_false(enter(&fixture));
    fixture.sck_hz = CRYSTAL_HZ / 6;
    assert_true(enter(&fixture));
    send_and_wait(&fixture, 0xAC, 0xA0, 0, 0xE3); /* 128 kHz */
    fixture.sck_hz = SLOW_HZ;
    assert_false(enter(&fixture));
    unload(&fixture);
}

static void flash_above_128_kib_needs_the_extended_address(void **state)
{
    (void)state;
    struct fixture fixture;
    load(&fixture, "ATmega2560", CRYSTAL_HZ);
    enter(&fixture);
    send(&fixture, 0x4D, 0, 1, 0);
    send(&fixture, 0x40, 0, 2, 0xAB);
    send_and_wait(&fixture, 0x4C, 0, 0, 0);
    assert_int_equal(flash_at(&fixture, 0x20004), 0xAB);
    assert_int_equal(ask(&fixture, 0x20, 0, 2), 0xAB);
    enter(&fixture); /* a new session starts below */
    assert_int_equal(ask(&fixture, 0x20, 0, 2), 0xFF);
    send(&fixture, 0x4D, 0, 3, 0); /* beyond the flash: wraps */
    assert_int_equal(ask(&fixture, 0x20, 0, 2), 0xAB);
    unload(&fixture);
}

static void eeprom_page_touches_loaded_bytes_only(void **state)
{
    (void)state;
    struct fixture fixture;
    load(&fixture, "ATmega328P", CRYSTAL_HZ);
    enter(&fixture);
    send_and_wait(&fixture, 0xC0, 0, 8, 0x11);
    send(&fixture, 0xC1, 0, 1, 0x22);
    send(&fixture, 0xC1, 0, 2, 0xF3);
    send(&fixture, 0xC1, 0, 2, 0x3F);
    send_and_wait(&fixture, 0xC2, 0, 8, 0);
    assert_int_equal(eeprom_at(&fixture, 8), 0x11);
    assert_int_equal(eeprom_at(&fixture, 9), 0x22);
    assert_int_equal(eeprom_at(&fixture, 10), 0xF3 & 0x3F);
    assert_int_equal(eeprom_at(&fixture, 11), 0xFF);
    send_and_wait(&fixture, 0xC0, 4, 8, 0x44); /* beyond the EEPROM: wraps */
    assert_int_equal(eeprom_at(&fixture, 8), 0x44);
    unload(&fixture);

    load(&fixture, "ATmega32A", CRYSTAL_HZ); /* has no page writes */
    enter(&fixture);
    send(&fixture, 0xC1, 0, 1, 0x22);
    send_and_wait(&fixture, 0xC2, 0, 0, 0);
    assert_int_equal(eeprom_at(&fixture, 1), 0xFF);
    unload(&fixture);
}

/* ---- the oldest parts ---- */

static void no_echo_is_no_reason_not_to_answer(void **state)
{
    (void)state;
    struct fixture fixture;
    load(&fixture, "AT90S1200", CRYSTAL_HZ);
    assert_false(enter(&fixture)); /* no 53 comes back */
    assert_int_equal(ask(&fixture, 0x30, 0, 0), 0x1E);
    assert_int_equal(ask(&fixture, 0x30, 0, 1), 0x90);
    assert_int_equal(ask(&fixture, 0x50, 0, 0), 0); /* what came in: fuses cannot be read */
    assert_int_equal(ask(&fixture, 0x58, 0, 0), 0);
    send_and_wait(&fixture, 0xAC, 0xA0, 0, 0x00);
    assert_int_equal(byte_of(&fixture, PART_FUSE_LOW), 0xDF);
    assert_int_equal(counts(&fixture)->ignored_unknown, 3);
    send_and_wait(&fixture, 0xAC, 0xFD, 0, 0); /* lock bit 1, which is bit 1 */
    assert_int_equal(byte_of(&fixture, PART_LOCK), 0xFD);
    unload(&fixture);
}

static void flash_without_pages_takes_bytes(void **state)
{
    (void)state;
    struct fixture fixture;
    load(&fixture, "AT90S8515", CRYSTAL_HZ);
    enter(&fixture);
    send_and_wait(&fixture, 0x40, 0x01, 0x02, 0x5A);
    send_and_wait(&fixture, 0x48, 0x01, 0x02, 0xA5);
    assert_int_equal(flash_at(&fixture, 0x204), 0x5A);
    assert_int_equal(flash_at(&fixture, 0x205), 0xA5);
    send_and_wait(&fixture, 0x40, 0x01, 0x02, 0x3C); /* only clears bits */
    assert_int_equal(ask(&fixture, 0x20, 0x01, 0x02), 0x5A & 0x3C);
    assert_int_equal(ask(&fixture, 0x28, 0x01, 0x02), 0xA5);
    send_and_wait(&fixture, 0x4C, 0x01, 0x02, 0);
    assert_int_equal(counts(&fixture)->flash_pages, 3);
    unload(&fixture);
}

static void a_memory_that_is_written_shows_other_values(void **state)
{
    (void)state;
    struct fixture fixture;
    load(&fixture, "AT90S8515", CRYSTAL_HZ); /* flash 7F; EEPROM 80, then 7F */
    enter(&fixture);
    send(&fixture, 0x40, 0, 0, 0x5A);
    assert_int_equal(ask(&fixture, 0x20, 0, 0), 0x7F);
    assert_int_equal(ask(&fixture, 0xA0, 0, 0), 0xFF);
    assert_int_equal(ask(&fixture, 0xF0, 0, 0) & 1, 0); /* it has no RDY/BSY */
    send(&fixture, 0x48, 0, 0, 0x11);                   /* too early: lost */
    wait_ms(&fixture, 5);
    assert_int_equal(ask(&fixture, 0x20, 0, 0), 0x5A);
    assert_int_equal(ask(&fixture, 0x28, 0, 0), 0xFF);
    assert_int_equal(counts(&fixture)->ignored_busy, 1);
    send(&fixture, 0xC0, 0, 7, 0x33);
    assert_int_equal(ask(&fixture, 0xA0, 0, 7), 0x80);
    wait_ms(&fixture, 8);
    assert_int_equal(ask(&fixture, 0xA0, 0, 7), 0x7F);
    wait_ms(&fixture, 2);
    assert_int_equal(ask(&fixture, 0xA0, 0, 7), 0x33);
    unload(&fixture);
}

static void fuse_and_lock_bits_come_in_one_byte(void **state)
{
    (void)state;
    struct fixture fixture;
    load(&fixture, "AT90S8535", CRYSTAL_HZ);
    enter(&fixture);
    /* LB1 LB2 . . . . . FSTRT, with SPIEN at bit 5 as ever */
    assert_int_equal(ask(&fixture, 0x58, 0, 0), 0xC1);
    send_and_wait(&fixture, 0xAC, 0xBE, 0, 0xFF); /* FSTRT, in the second byte */
    assert_int_equal(byte_of(&fixture, PART_FUSE_LOW), 0xDE);
    assert_int_equal(avr_target_writes_sent(fixture.target, PART_FUSE_LOW, 0xFE), 1);
    send_and_wait(&fixture, 0xAC, 0xFD, 0, 0xFF); /* lock bit 1: no more writing */
    assert_int_equal(ask(&fixture, 0x58, 0, 0), 0x40);
    send_and_wait(&fixture, 0xAC, 0xBF, 0, 0);
    send_and_wait(&fixture, 0x40, 0, 0, 0);
    send_and_wait(&fixture, 0xC0, 0, 0, 0);
    assert_int_equal(counts(&fixture)->ignored_locked, 3);
    assert_int_equal(ask(&fixture, 0x30, 0, 1), 0x93);
    send_and_wait(&fixture, 0xAC, 0xF9, 0, 0xFF); /* lock bit 2: no more reading */
    assert_int_equal(ask(&fixture, 0x20, 0, 5), 5);
    assert_int_equal(ask(&fixture, 0x30, 0, 1), 1); /* not even the signature */
    send_and_wait(&fixture, 0xAC, 0x80, 0, 0);
    assert_int_equal(ask(&fixture, 0x30, 0, 1), 0x93);
    assert_int_equal(ask(&fixture, 0x58, 0, 0), 0xC0);
    unload(&fixture);
}

/* AC A0 is the low fuse of nearly all parts, with its value in the fourth byte. */
static void the_same_bytes_are_another_fuse_write(void **state)
{
    (void)state;
    struct fixture fixture;
    load(&fixture, "AT90S4433", CRYSTAL_HZ);
    enter(&fixture);
    send_and_wait(&fixture, 0xAC, 0xA0, 0, 0x5E);
    assert_int_equal(avr_target_writes_sent(fixture.target, PART_FUSE_LOW, 0xE0), 1);
    assert_int_equal(byte_of(&fixture, PART_FUSE_LOW) & 0x3F, 0);
    send_and_wait(&fixture, 0xAC, 0xBE, 0, 0x00);
    assert_int_equal(ask(&fixture, 0x50, 0, 0), 0xDE);
    unload(&fixture);
}

static void the_oldest_pages_take_their_time(void **state)
{
    (void)state;
    struct fixture fixture;
    load(&fixture, "ATmega103", CRYSTAL_HZ);
    enter(&fixture);
    send(&fixture, 0x40, 0, 0, 0x5A);
    send(&fixture, 0x4C, 0, 0, 0);
    wait_ms(&fixture, 55);
    assert_int_equal(ask(&fixture, 0x20, 0, 0), 0xFF);
    wait_ms(&fixture, 2);
    assert_int_equal(ask(&fixture, 0x20, 0, 0), 0x5A);
    unload(&fixture);
}

static void counts_and_keeps_what_was_sent(void **state)
{
    (void)state;
    struct fixture fixture;
    load(&fixture, "ATtiny85", CRYSTAL_HZ);
    enter(&fixture);
    for (int i = 0; i < AVR_TARGET_FRAMES + 3; i++) {
        send_and_wait(&fixture, 0xAC, 0xA0, 0, (uint8_t)(0x40 | (i & 0x0F)));
    }
    send_and_wait(&fixture, 0xAC, 0xE0, 0, 0xFF);
    assert_int_equal(avr_target_writes_sent(fixture.target, PART_FUSE_LOW, 0x41), 5);
    assert_int_equal(avr_target_writes_sent(fixture.target, PART_LOCK, 0xFF), 1);
    const uint8_t last[4] = {0xAC, 0xE0, 0, 0xFF};
    assert_memory_equal(avr_target_frame(fixture.target, AVR_TARGET_FRAMES - 1), last, 4);
    assert_null(avr_target_frame(fixture.target, AVR_TARGET_FRAMES));
    send(&fixture, 0x99, 0, 0, 0);
    assert_int_equal(counts(&fixture)->ignored_unknown, 1);
    assert_int_not_equal(ask(&fixture, 0x38, 0, 0), 0xFF);
    assert_int_equal(ask(&fixture, 0x38, 0, 2), 0xFF); /* it has two calibration bytes */
    unload(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_after_enable),
        cmocka_unit_test(is_deaf_until_reset_when_the_first_instruction_is_another),
        cmocka_unit_test(lost_byte_shifts_every_later_frame),
        cmocka_unit_test(page_buffer_and_flash_only_clear_bits),
        cmocka_unit_test(ignores_writes_while_busy),
        cmocka_unit_test(old_part_always_says_ready),
        cmocka_unit_test(eesave_counts_from_the_next_session),
        cmocka_unit_test(lock_bits_hide_and_refuse_until_erased),
        cmocka_unit_test(bits_that_do_not_exist_read_as_one),
        cmocka_unit_test(clock_fuses_act_at_the_next_session),
        cmocka_unit_test(crystal_that_is_not_there_is_death),
        cmocka_unit_test(fuses_that_close_the_door),
        cmocka_unit_test(garbage_above_the_sck_limit),
        cmocka_unit_test(flash_above_128_kib_needs_the_extended_address),
        cmocka_unit_test(eeprom_page_touches_loaded_bytes_only),
        cmocka_unit_test(no_echo_is_no_reason_not_to_answer),
        cmocka_unit_test(flash_without_pages_takes_bytes),
        cmocka_unit_test(a_memory_that_is_written_shows_other_values),
        cmocka_unit_test(fuse_and_lock_bits_come_in_one_byte),
        cmocka_unit_test(the_same_bytes_are_another_fuse_write),
        cmocka_unit_test(the_oldest_pages_take_their_time),
        cmocka_unit_test(counts_and_keeps_what_was_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
