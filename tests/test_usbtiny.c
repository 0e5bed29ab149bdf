/* The USBtiny driver against the models of its firmware: what it refuses, how it chooses SCK, what
 * it sends and what it never does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "jigs/simbench/trinket_model.h"
#include "jigs/simbench/usbtiny_model.h"
#include "tests/shipped_parts.h"
#include "tests/usb_driver_checks.h"

enum request {
    ECHO = 0,
    POWERUP = 5,
    POWERDOWN = 6,
    SPI = 7,
    POLL_BYTES = 8,
    FLASH_READ = 9,
    FLASH_WRITE = 10,
    EEPROM_READ = 11
};

#define FAST_LOW_FUSE 0xFF /* a crystal, undivided */

/* ---- what holds for every request of every test ---- */

static void check_page(const struct link_usb *usb, const struct link_usb_transfer *transfer)
{
    const struct part_array *flash = &usb->device.port.part->flash;

    assert_true(flash->page_write);
    assert_int_equal(transfer->request_type, 0x40);
    assert_int_equal(transfer->length, flash->page_size);
    assert_int_equal(transfer->index % flash->page_size, 0);
    assert_int_equal(transfer->value, 0); /* only loads */
}

static void check_transfer(struct link_usb *usb, const struct link_usb_transfer *transfer)
{
    if (transfer->request != FLASH_WRITE) {
        assert_int_equal(transfer->request_type, 0xC0);
        assert_in_range(transfer->length, 0, 248);
    }
    switch (transfer->request) {
    case ECHO:
        break;
    case POWERUP:
        /* RESET is high for 2 ms from the end of POWERDOWN on, which has two packets. */
        assert_true(fake_now_us - usb->reset_us >= 4000);
        usb->connected = true;
        usb->reset_us = fake_now_us;
        assert_in_range(transfer->value, 1, 250);
        assert_in_range(transfer->index, 0, 1);
        break;
    case POWERDOWN:
        usb->connected = false;
        usb->reset_us = fake_now_us;
        break;
    case POLL_BYTES:
        assert_int_equal(transfer->value, 0);
        assert_int_equal(transfer->length, 0);
        break;
    case SPI:
        assert_true(fake_now_us - usb->reset_us >= 50000);
        assert_true(usb->connected);
        break;
    case EEPROM_READ:
        assert_true(usb->connected);
        break;
    case FLASH_WRITE:
        assert_true(usb->connected);
        check_page(usb, transfer);
        break;
    case FLASH_READ:
        /* Once before, to find a bootloader out. */
        assert_true(usb->connected || usb->count <= 4);
        break;
    default:
        fail_msg("request %u was sent", transfer->request);
    }
}

static void open_model(struct usb_fixture *fixture, const char *model, const char *part)
{
    fixture_open(fixture, "usbtiny", usbtiny_models, usbtiny_model_count, model, part);
    fixture->usb.check = check_transfer;
}

static void open_claimed(struct usb_fixture *fixture, const char *model, const char *part)
{
    open_model(fixture, model, part);
    fixture_must(fixture, fixture_claim(fixture));
}

/* A session at the fastest SCK. */
static void open_attached(struct usb_fixture *fixture, const char *part)
{
    open_claimed(fixture, "usbtinyisp", part);
    if (part_byte(fixture_part(fixture), PART_FUSE_LOW) != NULL)
        fixture_preset_byte(fixture, PART_FUSE_LOW, FAST_LOW_FUSE);
    fixture_must(fixture, fixture_attach(fixture, 16 * MHZ));
    fixture_forget(fixture);
}

static void open_usual(struct usb_fixture *fixture)
{
    open_attached(fixture, "ATmega328P");
}

static size_t count_instructions(const struct usb_fixture *fixture, uint8_t first)
{
    return fixture_count_instructions(fixture, SPI, first);
}

/* ---- claiming ---- */

static void its_shapes_are_claimed(void **state)
{
    static const struct {
        const char *model, *firmware;
    } rows[] = {
        {"usbtinyisp", "USBtiny 1.04, USBtiny"},
        {"pocket-avr", "USBtiny 1.07, USBtiny"},
        {"arduino-isp", "USBtiny 1.04, Arduino ISP"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct usb_fixture fixture;

        open_claimed(&fixture, rows[i].model, NULL);
        assert_string_equal(fixture.programmer->firmware, rows[i].firmware);
        assert_int_equal(fixture.usb.transfers[0].request, POWERDOWN);
        assert_int_equal(fixture_count(&fixture, POWERUP), 0);
        fixture_close(&fixture);
    }
}

static void bootloaders_under_its_ids_are_refused(void **state)
{
    static const struct {
        const char *model;
        uint16_t vendor, product;
        const char *text;
        size_t requests;
    } rows[] = {
        {"trinket-bootloader", 0x1781, 0x0C9F, "'Trinket' by 'Adafruit' is the bootloader", 0},
        {"trinket-disguised", 0x2341, 0x0C9F, "2341:0C9F 'USBtiny' by '' is the bootloader", 0},
        /* POWERDOWN, ECHO (perhaps twice), and FLASH_READ that is answered without POWERUP */
        {"trinket-disguised", 0x1781, 0x0C9F, "1781:0C9F 'USBtiny' by '' is the bootloader", 3},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct usb_fixture fixture;

        fixture_open(&fixture, "usbtiny", trinket_models, trinket_model_count, rows[i].model, NULL);
        fixture.usb.check = check_transfer;
        fixture.usb.identity.vendor = rows[i].vendor;
        fixture.usb.identity.product = rows[i].product;
        fixture_expect_failure(&fixture, fixture_claim(&fixture), FAILURE_PROGRAMMER_UNKNOWN,
                               rows[i].text);
        assert_int_equal(fixture.usb.count, rows[i].requests);
        fixture_close(&fixture);
    }
}

static void others_are_refused_by_name(void **state)
{
    struct usb_fixture fixture;

    (void)state;
    open_model(&fixture, "usbtinyisp", NULL);
    fixture.usb.identity.product = 0x0C9E;
    fixture_expect_failure(&fixture, fixture_claim(&fixture), FAILURE_PROGRAMMER_UNKNOWN,
                           "1781:0C9E 'USBtiny' by '' is no USBtiny");
    assert_int_equal(fixture.usb.count, 0);
    fixture_close(&fixture);
}

static void garble_echo(struct link_usb_transfer *transfer)
{
    if (transfer->request == ECHO)
        transfer->value ^= 0x0100;
}

static void a_wrong_echo_is_no_usbtiny(void **state)
{
    struct usb_fixture fixture;

    (void)state;
    open_model(&fixture, "usbtinyisp", NULL);
    fixture.usb.garble = garble_echo;
    fixture_expect_failure(&fixture, fixture_claim(&fixture), FAILURE_PROGRAMMER_UNKNOWN,
                           "ECHO gave back");
    fixture_close(&fixture);
}

static void one_garbled_echo_is_asked_for_again(void **state)
{
    struct usb_fixture fixture;

    (void)state;
    open_model(&fixture, "usbtinyisp", NULL);
    fixture.usb.wrong_transfer = 1; /* POWERDOWN is the first */
    fixture.usb.wrong_bit = 16;     /* of the value */
    assert_int_equal(fixture_claim(&fixture), 0);
    assert_int_equal(fixture.usb.transfers[1].request, ECHO);
    assert_int_equal(fixture.usb.transfers[2].request, ECHO);
    fixture_close(&fixture);
}

/* ---- SCK ---- */

static void sck_is_a_sixth_of_the_clock(void **state)
{
    static const struct {
        int64_t target_hz;
        uint16_t period_us;
    } rows[] = {{16 * MHZ, 1}, {8 * MHZ, 1}, {2 * MHZ, 2}, {1 * MHZ, 5},
                {0, 5},        {128000, 46}, {32768, 182}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct avr_target_defects clock = {
            .clock_hz = rows[i].target_hz != 0 ? rows[i].target_hz : MHZ};
        struct usb_fixture fixture;

        open_claimed(&fixture, "usbtinyisp", "ATmega328P");
        avr_target_set_defects(fixture.usb.device.port.target, &clock);
        fixture_forget(&fixture);
        fixture_must(&fixture, fixture_attach(&fixture, rows[i].target_hz));
        assert_int_equal(fixture_count(&fixture, POWERUP), 1);
        assert_int_equal(fixture_sent(&fixture, POWERUP, 0)->value, rows[i].period_us);
        /* What is said is not less than what is, and within a quarter of it. */
        assert_in_range(fixture.programmer->sck_hz, fixture.usb.device.port.sck_hz,
                        fixture.usb.device.port.sck_hz * 5 / 4);
        assert_true(fixture.programmer->sck_hz * 6 <= clock.clock_hz);
        fixture_close(&fixture);
    }
}

static void sck_is_stepped_down_until_the_board_answers(void **state)
{
    static const int64_t clocks_hz[] = {16 * MHZ, 2 * MHZ, 1 * MHZ, 128000, 32768};

    (void)state;
    for (size_t i = 0; i < sizeof clocks_hz / sizeof *clocks_hz; i++) {
        const struct avr_target_defects clock = {.clock_hz = clocks_hz[i]};
        struct usb_fixture fixture;

        open_claimed(&fixture, "usbtinyisp", "ATmega328P");
        avr_target_set_defects(fixture.usb.device.port.target, &clock);
        fixture_must(&fixture, fixture_attach(&fixture, 16 * MHZ));
        assert_true(fixture.programmer->sck_hz <= clocks_hz[i] / 4);
        fixture_close(&fixture);
    }
}

static void an_empty_site_is_found_empty_soon(void **state)
{
    struct usb_fixture fixture;
    int64_t begun_us;

    (void)state;
    open_claimed(&fixture, "usbtinyisp", NULL);
    begun_us = fake_now_us;
    fixture_expect_failure(&fixture, fixture_attach(&fixture, 16 * MHZ), FAILURE_NO_BOARD,
                           "no answer to AC 53, at SCK from 454545 down to 3980 Hz");
    assert_in_range(fake_now_us - begun_us, 0, 2 * SECOND_US);
    assert_true(fixture_is_released(&fixture));
    assert_int_equal(fixture.usb.transfers[fixture.usb.count - 1].request, POWERDOWN);
    fixture_close(&fixture);
}

static void a_board_that_is_too_slow_for_it_is_refused(void **state)
{
    struct usb_fixture fixture;

    (void)state;
    open_claimed(&fixture, "usbtinyisp", "ATmega328P");
    fixture_forget(&fixture);
    fixture_expect_failure(&fixture, fixture_attach(&fixture, 16000), FAILURE_PROGRAMMER_REFUSED,
                           "3980 Hz, is too fast for a board at 16000 Hz");
    assert_int_equal(fixture.usb.count, 0);
    fixture_close(&fixture);
}

/* It misses AC 53 once, as after a disturbance: RESET is pulsed, SCK stays. */
static bool lose_one_enable;

static void garble_enable(struct link_usb_transfer *transfer)
{
    if (lose_one_enable && transfer->request == SPI && transfer->value == 0x53AC) {
        transfer->value = 0x52AC;
        lose_one_enable = false;
    }
}

static void reset_is_pulsed_before_sck_is_made_slower(void **state)
{
    struct usb_fixture fixture;

    (void)state;
    open_claimed(&fixture, "usbtinyisp", "ATmega328P");
    fixture_forget(&fixture);
    lose_one_enable = true;
    fixture.usb.garble = garble_enable;
    fixture_must(&fixture, fixture_attach(&fixture, 1 * MHZ));
    assert_int_equal(fixture_count(&fixture, POWERUP), 3);
    assert_int_equal(fixture_sent(&fixture, POWERUP, 1)->index, 1);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(fixture_sent(&fixture, POWERUP, i)->value, 5);
    fixture_close(&fixture);
}

/* Erases all the same. */
static void garble_erase(struct link_usb_transfer *transfer)
{
    if (transfer->request == SPI && transfer->value == 0x80AC)
        transfer->value = 0x81AC;
}

/* AT90S1200 gives no 53: its signature tells. Nor is it asked what it heard. */
static void a_part_without_echo_is_attached(void **state)
{
    struct usb_fixture fixture;
    uint8_t signature[3];

    (void)state;
    open_claimed(&fixture, "usbtinyisp", "AT90S1200");
    fixture_must(&fixture, fixture_attach(&fixture, 16 * MHZ));
    fixture_must(&fixture, programmer_identify(fixture.programmer, signature, &fixture.operation,
                                               &fixture.failure));
    assert_memory_equal(signature, fixture_part(&fixture)->signature, 3);
    fixture.usb.garble = garble_erase;
    fixture_must(&fixture, fixture_erase(&fixture));
    fixture_close(&fixture);
}

/* ---- flash ---- */

static void flash_comes_back_as_it_was_written(void **state)
{
    static const struct {
        const char *part;
        uint32_t start, count;
    } rows[] = {
        {"ATmega328P", 0, 0x8000},      {"ATmega328P", 0x7F80, 0x80},   {"ATmega8A", 0x100, 0x400},
        {"ATmega2560", 0xF000, 0x1000}, {"ATmega1284P", 0xFF00, 0x100}, {"ATmega161", 0, 0x200},
        {"AT90S8515", 0x10, 0x80},      {"ATmega103", 0xFF00, 0x100},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct usb_fixture fixture;

        open_attached(&fixture, rows[i].part);
        fixture_check_memory(&fixture, PART_FLASH, rows[i].start, rows[i].count);
        fixture_close(&fixture);
    }
}

/* Its addresses have 16 bits: beyond, the beginning would be read and written. */
static void flash_beyond_64_kib_is_refused(void **state)
{
    struct usb_fixture fixture;
    uint8_t bytes[512] = {0};

    (void)state;
    open_attached(&fixture, "ATmega1284P");
    assert_int_equal(fixture.programmer->driver->flash_bytes_max, 0x10000);
    fixture_expect_failure(&fixture, fixture_read(&fixture, PART_FLASH, 0xFFF0, bytes, 17),
                           FAILURE_INTERNAL, "65536 bytes of flash");
    fixture_expect_failure(&fixture, fixture_write(&fixture, PART_FLASH, 0xFF00, bytes, 512),
                           FAILURE_INTERNAL, "65536 bytes of flash");
    assert_int_equal(fixture.usb.count, 0);
    fixture_close(&fixture);
}

/* The target forgets it at RESET, so each session sends it before the first page or block. */
static void the_extended_address_is_loaded_once_in_a_session(void **state)
{
    struct usb_fixture fixture;
    uint8_t bytes[512];

    (void)state;
    open_attached(&fixture, "ATmega2560");
    fill_random(bytes, sizeof bytes, 1);
    for (size_t session = 1; session <= 2; session++) {
        if (session == 1)
            fixture_must(&fixture, fixture_write(&fixture, PART_FLASH, 0, bytes, sizeof bytes));
        else
            fixture_must(&fixture, fixture_read(&fixture, PART_FLASH, 0, bytes, sizeof bytes));
        assert_int_equal(count_instructions(&fixture, 0x4D), session);
        fixture_must(&fixture, fixture_read(&fixture, PART_FLASH, 0, bytes, sizeof bytes));
        assert_int_equal(count_instructions(&fixture, 0x4D), session);
        fixture_must(&fixture, programmer_release(fixture.programmer, &fixture.failure));
        fixture_must(&fixture, fixture_attach(&fixture, 16 * MHZ));
    }
    fixture_close(&fixture);
}

static void blank_pages_are_left_out_of_every_part(void **state)
{
    struct usb_fixture fixture;
    uint8_t bytes[64 * 4];

    (void)state;
    open_attached(&fixture, "ATmega8A"); /* without RDY/BSY */
    fill_random(bytes, sizeof bytes, 1);
    memset(bytes + 64, 0xFF, 128);
    fixture_must(&fixture, fixture_write(&fixture, PART_FLASH, 0, bytes, sizeof bytes));
    assert_int_equal(fixture_count(&fixture, FLASH_WRITE), 2);
    assert_memory_equal(fixture_memory(&fixture, PART_FLASH), bytes, sizeof bytes);
    fixture_check_blank_eeprom_time(&fixture);
    fixture_close(&fixture);
}

static void pages_longer_than_any_are_refused(void **state)
{
    struct usb_fixture fixture;

    (void)state;
    open_usual(&fixture);
    fixture_check_long_pages(&fixture);
    fixture_close(&fixture);
}

static void pages_are_loaded_then_written(void **state)
{
    struct usb_fixture fixture;
    uint8_t bytes[4 * 128];

    (void)state;
    open_usual(&fixture);
    fill_random(bytes, sizeof bytes, 1);
    memset(bytes + 128, 0xFF, 128);
    fixture_must(&fixture, fixture_write(&fixture, PART_FLASH, 0x1000, bytes, sizeof bytes));
    assert_int_equal(fixture_count(&fixture, FLASH_WRITE), 3); /* one is blank */
    assert_int_equal(count_instructions(&fixture, 0x4C), 3);
    assert_int_equal(count_instructions(&fixture, 0xF0), 3); /* one look is enough */
    for (size_t i = 0; i < 3; i++) {
        const struct link_usb_transfer *transfer = &fixture.usb.transfers[4 * i];
        uint16_t address = (uint16_t)(0x1000 + (i > 0 ? i + 1 : 0) * 128);

        assert_int_equal(transfer[0].request, FLASH_WRITE);
        assert_int_equal(transfer[0].index, address);
        assert_int_equal(transfer[1].value, (address >> 9) << 8 | 0x4C);
        assert_int_equal(transfer[1].index, address >> 1 & 0xFF);
        assert_int_equal(transfer[2].request, POLL_BYTES);
        assert_int_equal(transfer[3].value, 0x00F0);
    }
    fixture_close(&fixture);
}

/* A part that takes longer than its datasheet says is waited for, and what was sent meanwhile is
 * sent again; one that never ends fails. */
static void a_slow_page_is_waited_for(void **state)
{
    const struct avr_target_defects slow = {.write_factor = 3}, endless = {.write_factor = 100};
    struct usb_fixture fixture;
    uint8_t bytes[1024], back[1024];
    int64_t ignored;

    (void)state;
    open_usual(&fixture);
    avr_target_set_defects(fixture.usb.device.port.target, &slow);
    fill_random(bytes, sizeof bytes, 2);
    memset(bytes + 7 * 128, 0xFF, 128);
    fixture_must(&fixture, fixture_write(&fixture, PART_FLASH, 0, bytes, sizeof bytes));
    fixture_must(&fixture, fixture_read(&fixture, PART_FLASH, 0, back, sizeof back));
    assert_memory_equal(back, bytes, sizeof bytes);
    /* From then on nothing is sent too early. */
    ignored = avr_target_counts(fixture.usb.device.port.target)->ignored_busy;
    assert_true(ignored > 0);
    fixture_must(&fixture, fixture_write(&fixture, PART_FLASH, 0x400, bytes, sizeof bytes));
    assert_int_equal(avr_target_counts(fixture.usb.device.port.target)->ignored_busy, ignored);
    assert_memory_equal(fixture_memory(&fixture, PART_FLASH) + 0x400, bytes, sizeof bytes);

    avr_target_set_defects(fixture.usb.device.port.target, &endless);
    fixture_expect_failure(&fixture, fixture_write(&fixture, PART_FLASH, 0x800, bytes, 256),
                           FAILURE_BOARD_BUSY, "");
    fixture_close(&fixture);
}

/* At whichever page it begins to be slow: none is left out, and progress never goes back. */
static void note_progress(void *context, uint32_t done)
{
    uint32_t *last = context;

    assert_true(done > *last);
    *last = done;
}

static void a_part_that_gets_slow_keeps_all_pages(void **state)
{
    const struct avr_target_defects slow = {.write_factor = 3};
    uint8_t bytes[16 * 128], back[sizeof bytes];

    (void)state;
    for (uint32_t fast = 1; fast < 16; fast++) {
        struct usb_fixture fixture;
        uint32_t done = 0;

        open_usual(&fixture);
        fill_random(bytes, sizeof bytes, fast);
        memset(bytes + 3 * 128, 0xFF, 256);
        fixture_must(&fixture, fixture_write(&fixture, PART_FLASH, 0, bytes, fast * 128));
        avr_target_set_defects(fixture.usb.device.port.target, &slow);
        fixture.operation.progress = note_progress;
        fixture.operation.context = &done;
        fixture_must(&fixture, fixture_write(&fixture, PART_FLASH, fast * 128, bytes + fast * 128,
                                             (uint32_t)sizeof bytes - fast * 128));
        assert_int_equal(done, sizeof bytes - fast * 128);
        done = 0;
        fixture_must(&fixture, fixture_read(&fixture, PART_FLASH, 0, back, sizeof back));
        assert_memory_equal(back, bytes, sizeof bytes);
        fixture_close(&fixture);
    }
}

/* The board slips off between the data of a page and the instruction that writes it. */
static void garble_commit(struct link_usb_transfer *transfer)
{
    if (transfer->request == SPI && (transfer->value & 0xFF) == 0x4C)
        transfer->value = 0xFFFF;
}

static void a_board_that_does_not_hear_of_its_page_is_lost(void **state)
{
    struct usb_fixture fixture;
    uint8_t bytes[128];

    (void)state;
    open_usual(&fixture);
    fill_random(bytes, sizeof bytes, 2);
    fixture.usb.garble = garble_commit;
    fixture_expect_failure(&fixture, fixture_write(&fixture, PART_FLASH, 0x200, bytes, 128),
                           FAILURE_CONTACT_LOST, "sent 4C 01 00 00");
    fixture_close(&fixture);
}

static void blocks_are_as_long_as_they_may_be(void **state)
{
    struct usb_fixture fixture;
    uint8_t bytes[1000];

    (void)state;
    open_usual(&fixture);
    fixture_must(&fixture, fixture_read(&fixture, PART_FLASH, 8, bytes, sizeof bytes));
    assert_int_equal(fixture.usb.count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(fixture.usb.transfers[i].length, i < 4 ? 248 : 8);
        assert_int_equal(fixture.usb.transfers[i].index, 8 + 248 * i);
        assert_int_equal(fixture.usb.transfers[i].value, 0);
    }
    fixture_close(&fixture);
}

static void count_progress(void *context, uint32_t done)
{
    int *count = context;

    (void)done;
    (*count)++;
}

/* At slow SCKs, so that no transfer takes for ever, and progress is seen. */
static void blocks_are_shorter_where_sck_is_slow(void **state)
{
    const struct avr_target_defects clock = {.clock_hz = 32768};
    struct usb_fixture fixture;
    uint8_t bytes[300];
    int signs = 0;

    (void)state;
    open_claimed(&fixture, "usbtinyisp", "ATmega328P");
    avr_target_set_defects(fixture.usb.device.port.target, &clock);
    fixture_must(&fixture, fixture_attach(&fixture, 32768));
    fixture_forget(&fixture);
    fixture.operation.progress = count_progress;
    fixture.operation.context = &signs;
    fixture_must(&fixture, fixture_read(&fixture, PART_FLASH, 0, bytes, sizeof bytes));
    assert_int_equal(fixture.usb.transfers[0].length, 168); /* 5.4 kHz: a second */
    assert_int_equal(signs, 2);
    fixture_close(&fixture);
}

/* ---- EEPROM, fuses ---- */

static void eeprom_comes_back_as_it_was_written(void **state)
{
    static const struct {
        const char *part;
        uint32_t start, count;
    } rows[] = {
        {"ATmega328P", 0, 1024}, {"ATmega328P", 5, 9}, {"ATmega2560", 4090, 6},
        {"ATmega8A", 3, 20},     {"AT90S8515", 0, 16},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct usb_fixture fixture;

        open_attached(&fixture, rows[i].part);
        fixture_check_memory(&fixture, PART_EEPROM, rows[i].start, rows[i].count);
        fixture_close(&fixture);
    }
}

static void a_page_of_eeprom_goes_in_one_write(void **state)
{
    struct usb_fixture fixture;
    uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};

    (void)state;
    open_usual(&fixture);
    fixture_must(&fixture, fixture_write(&fixture, PART_EEPROM, 0x40, bytes, sizeof bytes));
    assert_int_equal(count_instructions(&fixture, 0xC1), 8);
    assert_int_equal(count_instructions(&fixture, 0xC2), 2);
    assert_int_equal(count_instructions(&fixture, 0xF0), 2);
    fixture_close(&fixture);
}

static void a_fuse_leaves_with_its_permit_only(void **state)
{
    struct usb_fixture fixture;

    (void)state;
    open_usual(&fixture);
    fixture_check_permit(&fixture);
    fixture_must(&fixture, fixture_erase(&fixture));
    fixture_close(&fixture);
}

static void check_part(const char *name, void *context)
{
    struct usb_fixture fixture;

    (void)context;
    open_model(&fixture, "usbtinyisp", name);
    fixture_attach_fast(&fixture);
    fixture_check_part(&fixture, SPI);
    fixture_close(&fixture);
}

static void every_part_comes_back_as_it_was_written(void **state)
{
    (void)state;
    check_shipped_parts(check_part, NULL);
}

/* ---- what goes wrong ---- */

static void a_failure_ends_the_session(void **state)
{
    (void)state;
    for (size_t at = 0; at < 8; at++) { /* data, instruction, nothing, look */
        fixture_check_harm(open_usual, HARM_STALL, at, FAILURE_PROGRAMMER_STALLED);
        fixture_check_harm(open_usual, HARM_SILENT, at, FAILURE_PROGRAMMER_SILENT);
        fixture_check_harm(open_usual, HARM_GONE, at, FAILURE_PROGRAMMER_GONE);
        if (at % 4 != 2)
            fixture_check_harm(open_usual, HARM_SHORT, at, FAILURE_PROGRAMMER_OUT_OF_STEP);
    }
}

static void open_board_claimed(struct usb_fixture *fixture)
{
    open_claimed(fixture, "usbtinyisp", "ATmega328P");
}

static void attach_lets_go_when_it_fails(void **state)
{
    (void)state;
    fixture_check_failing_attach(open_board_claimed, 2);
}

static void letting_go_is_tried_again(void **state)
{
    struct usb_fixture fixture;

    (void)state;
    open_usual(&fixture);
    fixture_check_unheard_release(&fixture, "POWERDOWN");
    fixture_close(&fixture);
}

static void an_attach_whose_time_is_over_lets_go(void **state)
{
    struct usb_fixture fixture;

    (void)state;
    open_board_claimed(&fixture);
    fixture_check_attach_out_of_time(&fixture, POWERUP);
    fixture_close(&fixture);
}

static void open_for_turned_bits(struct usb_fixture *fixture)
{
    open_model(fixture, "usbtinyisp", "ATmega328P");
    fixture->usb.check = NULL;
    fixture_preset_byte(fixture, PART_FUSE_LOW, FAST_LOW_FUSE);
}

static void one_turned_bit_makes_no_fuse_write_of_anything_else(void **state)
{
    (void)state;
    fixture_check_turned_bits(open_for_turned_bits, SPI);
}

/* ---- time ---- */

static void the_floor_is_the_sum_of_its_parts(void **state)
{
    const struct programmer_driver *driver = programmer_driver_by_name("usbtiny");
    struct programmer_speed speed = {.sck_hz = 16 * MHZ / 6};
    struct usb_fixture fixture;
    char text[800];
    /* Data with their setup and status, 4.5 ms from the instruction on, three packets for the look;
     * 116 blocks of 31 packets or less with 2 packets each. */
    int64_t page_us = 18 * 1000 + 4500 + 3000;
    int64_t expected_us = 224 * page_us + 116 * 2000 + 3584 * 1000;

    (void)state;
    open_model(&fixture, "usbtinyisp", "ATmega328P");
    assert_int_equal(
        driver->floor_us(fixture_part(&fixture), &speed, 28672, 28672, text, sizeof text),
        expected_us);
    assert_non_null(strstr(text, "SCK: 454545 Hz"));
    assert_non_null(strstr(text, "224 pages x 25500 us"));
    assert_int_equal(driver->floor_us(fixture_part(&fixture), &speed, 28672, 28672, NULL, 0),
                     expected_us);
    speed.sck_hz = 166666; /* period 5: a packet takes 1587 us */
    (void)driver->floor_us(fixture_part(&fixture), &speed, 28672, 28672, text, sizeof text);
    assert_non_null(strstr(text, "a packet of data takes 1587 us"));
    fixture_close(&fixture);
}

static void writing_and_reading_keep_to_the_floor(void **state)
{
    struct usb_fixture fixture;

    (void)state;
    open_usual(&fixture);
    fixture_check_pace(&fixture, 0);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_shapes_are_claimed),
        cmocka_unit_test(bootloaders_under_its_ids_are_refused),
        cmocka_unit_test(others_are_refused_by_name),
        cmocka_unit_test(a_wrong_echo_is_no_usbtiny),
        cmocka_unit_test(one_garbled_echo_is_asked_for_again),
        cmocka_unit_test(sck_is_a_sixth_of_the_clock),
        cmocka_unit_test(sck_is_stepped_down_until_the_board_answers),
        cmocka_unit_test(an_empty_site_is_found_empty_soon),
        cmocka_unit_test(a_board_that_is_too_slow_for_it_is_refused),
        cmocka_unit_test(reset_is_pulsed_before_sck_is_made_slower),
        cmocka_unit_test(a_part_without_echo_is_attached),
        cmocka_unit_test(flash_comes_back_as_it_was_written),
        cmocka_unit_test(flash_beyond_64_kib_is_refused),
        cmocka_unit_test(the_extended_address_is_loaded_once_in_a_session),
        cmocka_unit_test(blank_pages_are_left_out_of_every_part),
        cmocka_unit_test(pages_longer_than_any_are_refused),
        cmocka_unit_test(pages_are_loaded_then_written),
        cmocka_unit_test(a_slow_page_is_waited_for),
        cmocka_unit_test(a_part_that_gets_slow_keeps_all_pages),
        cmocka_unit_test(a_board_that_does_not_hear_of_its_page_is_lost),
        cmocka_unit_test(blocks_are_as_long_as_they_may_be),
        cmocka_unit_test(blocks_are_shorter_where_sck_is_slow),
        cmocka_unit_test(eeprom_comes_back_as_it_was_written),
        cmocka_unit_test(a_page_of_eeprom_goes_in_one_write),
        cmocka_unit_test(a_fuse_leaves_with_its_permit_only),
        cmocka_unit_test(every_part_comes_back_as_it_was_written),
        cmocka_unit_test(a_failure_ends_the_session),
        cmocka_unit_test(attach_lets_go_when_it_fails),
        cmocka_unit_test(an_attach_whose_time_is_over_lets_go),
        cmocka_unit_test(letting_go_is_tried_again),
        cmocka_unit_test(one_turned_bit_makes_no_fuse_write_of_anything_else),
        cmocka_unit_test(the_floor_is_the_sum_of_its_parts),
        cmocka_unit_test(writing_and_reading_keep_to_the_floor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
