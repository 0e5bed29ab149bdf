/* What the drivers of USBasp and USBtiny are checked for alike, whatever they send for it. A check
 * that is given a fixture leaves it open. Include cmocka before. */
#ifndef TESTS_USB_DRIVER_CHECKS_H
#define TESTS_USB_DRIVER_CHECKS_H

#include "tests/fake_usb.h"

/* ---- every part ---- */

/* At 16 MHz, whatever its fuses say. */
static inline void fixture_attach_fast(struct usb_fixture *fixture)
{
    const struct avr_target_defects clock = {.clock_hz = 16 * MHZ};

    avr_target_set_defects(fixture->usb.device.port.target, &clock);
    fixture_must(fixture, fixture_claim(fixture));
    fixture_must(fixture, fixture_attach(fixture, 16 * MHZ));
}

/* Comes back as it was written, blank bytes at both ends, and stands in the board. */
static inline void fixture_check_memory(struct usb_fixture *fixture, enum part_memory memory,
                                        uint32_t start, uint32_t count)
{
    static uint8_t bytes[0x8000], back[0x8000];

    assert_true(count <= sizeof bytes);
    fill_random(bytes, count, start);
    bytes[0] = bytes[count - 1] = 0xFF;
    fixture_must(fixture, fixture_write(fixture, memory, start, bytes, count));
    fixture_must(fixture, fixture_read(fixture, memory, start, back, count));
    if (memcmp(back, bytes, count) != 0 ||
        memcmp(fixture_memory(fixture, memory) + start, bytes, count) != 0)
        fail_msg("%s, %s", fixture_part(fixture)->name,
                 part_memory_name(fixture_part(fixture), memory));
    assert_int_equal(avr_target_counts(fixture->usb.device.port.target)->ignored_busy, 0);
}

/* Of the instructions that were sent by requests of this number: how many begin with this byte. */
static inline size_t fixture_count_instructions(const struct usb_fixture *fixture, uint8_t request,
                                                uint8_t first)
{
    size_t count = 0;

    for (size_t i = 0; i < fixture->usb.count; i++)
        count += fixture->usb.transfers[i].request == request &&
                 (fixture->usb.transfers[i].value & 0xFF) == first;
    return count;
}

/* Two pages at the end of the flash, or of what the driver reaches, some EEPROM, all fuses. */
static inline void fixture_check_part(struct usb_fixture *fixture, uint8_t instruct)
{
    const struct part *part = fixture_part(fixture);
    uint32_t reach = fixture->programmer->driver->flash_bytes_max;
    uint32_t end = reach == 0 || part->flash.size < reach ? part->flash.size : reach;
    uint32_t count = part->flash.page_write ? 2 * part->flash.page_size : 12;

    fixture_check_memory(fixture, PART_FLASH, end - count, count);
    if (part->eeprom.size > 0)
        fixture_check_memory(fixture, PART_EEPROM, part->eeprom.size - 13, 13);
    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++) {
        uint8_t value = 0;

        if (!part_byte_is_programmable(part, memory))
            continue;
        fixture_must(fixture, fixture_read(fixture, memory, 0, &value, 1));
        if (!part_byte_equal(part, memory, value, *fixture_memory(fixture, memory)))
            fail_msg("%s, %s: %02X", part->name, part_memory_name(part, memory), value);
    }
    /* Parts without RDY/BSY would say that they are ready. */
    assert_true(part->poll_ready || fixture_count_instructions(fixture, instruct, 0xF0) == 0);
}

/* FF tells nothing by its value: the instruction's packets, and the datasheet's time and a fifth.
 */
static inline void fixture_check_blank_eeprom_time(struct usb_fixture *fixture)
{
    const struct part *part = fixture_part(fixture);
    static const uint8_t blank = 0xFF;
    int64_t begun_us = fake_now_us;

    assert_false(part->poll_ready || part->eeprom.page_write);
    fixture_must(fixture, fixture_write(fixture, PART_EEPROM, 1, &blank, 1));
    assert_int_equal(fake_now_us - begun_us, 3 * FAKE_FRAME_US + part->eeprom.write_delay_us +
                                                 part->eeprom.write_delay_us / 5);
}

/* ---- a fuse ---- */

static inline void fixture_check_permit(struct usb_fixture *fixture)
{
    uint8_t value = 0xDE, back = 0;

    fixture_expect_failure(fixture, fixture_write(fixture, PART_FUSE_HIGH, 0, &value, 1),
                           FAILURE_FUSE_REFUSED, "");
    assert_int_equal(fixture->usb.count, 0);
    fixture_must(fixture, fixture_write_fuse(fixture, PART_FUSE_HIGH, value));
    fixture_must(fixture, fixture_read(fixture, PART_FUSE_HIGH, 0, &back, 1));
    assert_int_equal(back, value);
    assert_int_equal(avr_target_writes_sent(fixture->usb.device.port.target, PART_FUSE_HIGH, value),
                     1);
}

/* ---- what goes wrong ---- */

static inline int fixture_write_some(struct usb_fixture *fixture, uint8_t *bytes, uint32_t count)
{
    fill_random(bytes, count, 9);
    return fixture_write(fixture, PART_FLASH, 0, bytes, count);
}

/* Whatever fails, at whichever request: the code is right, nothing more goes out in the session but
 * the request that ends it, the board is released, and the next session does all of it. `open`
 * opens a session. */
static inline void fixture_check_harm(void (*open)(struct usb_fixture *fixture),
                                      enum fake_harm harm, size_t at, enum failure_code code)
{
    struct usb_fixture fixture;
    uint8_t bytes[512], back[512];
    size_t count;

    open(&fixture);
    fixture_harm(&fixture, harm, at, 1);
    fixture_expect_failure(&fixture, fixture_write_some(&fixture, bytes, sizeof bytes), code, "");
    count = fixture.usb.count;
    fixture_expect_failure(&fixture, fixture_read(&fixture, PART_FLASH, 0, back, 8),
                           FAILURE_PROGRAMMER_OUT_OF_STEP, "only a new session");
    assert_int_equal(programmer_read(fixture.programmer, PART_FUSE_LOW, 0, back, 1,
                                     &fixture.operation, &fixture.failure),
                     -1);
    assert_int_equal(fixture.usb.count, count);
    fixture_must(&fixture, programmer_release(fixture.programmer, &fixture.failure));
    assert_int_equal(fixture.usb.count, harm == HARM_GONE ? count : count + 1);
    assert_true(fixture_is_released(&fixture));
    fixture_must(&fixture, fixture_attach(&fixture, 16 * MHZ));
    fixture_must(&fixture, fixture_erase(&fixture));
    fixture_must(&fixture, fixture_write_some(&fixture, bytes, sizeof bytes));
    fixture_must(&fixture, fixture_read(&fixture, PART_FLASH, 0, back, sizeof back));
    assert_memory_equal(back, bytes, sizeof bytes);
    fixture_close(&fixture);
}

/* Fails at each of the first requests of attach in turn. `open` claims, at 1 MHz. */
static inline void fixture_check_failing_attach(void (*open)(struct usb_fixture *fixture),
                                                size_t requests)
{
    static const enum fake_harm harms[] = {HARM_STALL, HARM_SILENT, HARM_GONE};

    for (size_t i = 0; i < sizeof harms / sizeof *harms; i++)
        for (size_t at = 0; at < requests; at++) {
            struct usb_fixture fixture;

            open(&fixture);
            fixture_harm(&fixture, harms[i], at, 1);
            assert_int_equal(fixture_attach(&fixture, 1 * MHZ), -1);
            assert_int_equal(failure_lookup(fixture.failure.code)->blame, FAILURE_BLAME_PROGRAMMER);
            assert_true(fixture_is_released(&fixture));
            fixture_must(&fixture, fixture_attach(&fixture, 1 * MHZ));
            fixture_close(&fixture);
        }
}

/* Of a claimed board at 1 MHz. `connect` is the request that pulls RESET low. */
static inline void fixture_check_attach_out_of_time(struct usb_fixture *fixture, uint8_t connect)
{
    fixture->operation.deadline_us = fake_now_us + 20000; /* while RESET is low */
    fixture_expect_failure(fixture, fixture_attach(fixture, 1 * MHZ), FAILURE_DEADLINE, "");
    assert_int_equal(fixture_count(fixture, connect), 1);
    assert_true(fixture_is_released(fixture));
}

/* The request of this name that ends a session is not heard, nor when it is sent again; it is sent
 * once more at the end of all. */
static inline void fixture_check_unheard_release(struct usb_fixture *fixture, const char *name)
{
    fixture_harm(fixture, HARM_SILENT, 0, 2);
    fixture_expect_failure(fixture, programmer_release(fixture->programmer, &fixture->failure),
                           FAILURE_PROGRAMMER_SILENT, name);
    assert_false(fixture_is_released(fixture));
    programmer_destroy(fixture->programmer);
    fixture->programmer = NULL;
    assert_true(fixture_is_released(fixture));
}

/* No part has such pages, but somebody's own part file may say so. */
static inline void fixture_check_long_pages(struct usb_fixture *fixture)
{
    struct part *part = fixture->usb.device.port.part;
    uint32_t page_size = part->flash.page_size;
    uint8_t bytes[512];

    part->flash.page_size = sizeof bytes;
    fill_random(bytes, sizeof bytes, 1);
    fixture_expect_failure(fixture, fixture_write(fixture, PART_FLASH, 0, bytes, sizeof bytes),
                           FAILURE_INTERNAL, "a page of 512 bytes, expected 256");
    assert_int_equal(fixture->usb.count, 0);
    part->flash.page_size = page_size;
}

/* ---- one bit ---- */

#define TURNED_FUSE 0xDE /* what the high fuse is to be; the others stay as they are */

/* What an attempt does, shorter. */
static inline int fixture_run_job(struct usb_fixture *fixture)
{
    uint8_t page[128], back[sizeof page];
    uint8_t eeprom[4] = {0xAC, 0x80, 0x00, 0x55};

    for (size_t i = 0; i < sizeof page; i++) /* as much like instructions as can be */
        page[i] = "\xC0\x03\xAC\xA0\x00\x00\x04\x00"[i % 8] ^ (i / 8 % 2 == 0 ? 0 : 0x04);
    if (fixture_claim(fixture) != 0 || fixture_attach(fixture, 16 * MHZ) != 0 ||
        fixture_read(fixture, PART_FUSE_LOW, 0, back, 1) != 0 || fixture_erase(fixture) != 0 ||
        fixture_write(fixture, PART_FLASH, 0x5600, page, sizeof page) != 0 ||
        fixture_read(fixture, PART_FLASH, 0x5600, back, sizeof back) != 0 ||
        fixture_write(fixture, PART_EEPROM, 0xAC, eeprom, sizeof eeprom) != 0 ||
        fixture_read(fixture, PART_EEPROM, 0xAC, back, sizeof eeprom) != 0 ||
        fixture_write_fuse(fixture, PART_FUSE_HIGH, TURNED_FUSE) != 0)
        return -1;
    return programmer_release(fixture->programmer, &fixture->failure);
}

static inline int64_t fixture_wrong_writes(const struct usb_fixture *fixture)
{
    int64_t count = 0;

    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++)
        for (int value = 0; value < 256; value++)
            if (memory != PART_FUSE_HIGH || value != TURNED_FUSE)
                count +=
                    avr_target_writes_sent(fixture->usb.device.port.target, memory, (uint8_t)value);
    return count;
}

/* Each bit of each setup packet in turn is heard wrong. A fuse write that nobody asked for may only
 * come of an instruction that begins with AC, and then the driver says so at once, unless it is the
 * value that turned, or what the fuses hold afterwards tells. `open` opens a fixture at 16 MHz. */
static inline void fixture_check_turned_bits(void (*open)(struct usb_fixture *fixture),
                                             uint8_t instruct)
{
    size_t transfers = 1, wrong = 0;

    for (size_t at = 0; at < transfers; at++)
        for (int bit = 0; bit < 64; bit++) {
            struct usb_fixture fixture;
            const struct link_usb_transfer *sent;
            int result;

            open(&fixture);
            fixture.usb.wrong_transfer = (int)at;
            fixture.usb.wrong_bit = bit;
            result = fixture_run_job(&fixture);
            sent = &fixture.usb.transfers[at];
            if (fixture_wrong_writes(&fixture) != 0) {
                wrong++;
                assert_int_equal(sent->request, instruct);
                assert_int_equal(sent->value & 0xFF, 0xAC);
                assert_true(result != 0 || bit / 8 == 5); /* the value's byte */
            }
            if (fixture.usb.count > transfers && result == 0)
                transfers = fixture.usb.count;
            fixture_close(&fixture);
        }
    assert_true(transfers > 20);
    assert_true(wrong > 0); /* else nothing was tried */
}

/* ---- time ---- */

/* `sck_hz` as for the driver's floor. */
static inline void fixture_check_pace(struct usb_fixture *fixture, int64_t sck_hz)
{
    static uint8_t bytes[28672], back[28672];
    const struct programmer_driver *driver = fixture->programmer->driver;
    const struct programmer_speed speed = {.sck_hz = sck_hz};
    int64_t begun_us = fake_now_us;

    fill_random(bytes, sizeof bytes, 5);
    fixture_must(fixture, fixture_write(fixture, PART_FLASH, 0, bytes, sizeof bytes));
    fixture_must(fixture, fixture_read(fixture, PART_FLASH, 0, back, sizeof back));
    int64_t took_us = fake_now_us - begun_us;
    assert_memory_equal(back, bytes, sizeof bytes);
    int64_t floor_us =
        driver->floor_us(fixture_part(fixture), &speed, sizeof bytes, sizeof bytes, NULL, 0);
    print_message("%s: %lld us, floor %lld us: %.3f\n", driver->name, (long long)took_us,
                  (long long)floor_us, (double)took_us / (double)floor_us);
    assert_true(took_us >= floor_us);
    assert_in_range(took_us * 1000 / floor_us, 1000, 1020);
}

#endif
