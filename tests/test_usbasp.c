/* The USBasp driver against the models of its firmware's generations: what it refuses, how it
 * chooses SCK, what it sends and what it never does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "jigs/simbench/usbasp_model.h"
#include "jigs/simbench/usbasploader_model.h"
#include "tests/shipped_parts.h"
#include "tests/usb_driver_checks.h"

enum request {
    CONNECT = 1,
    DISCONNECT = 2,
    TRANSMIT = 3,
    READFLASH = 4,
    ENABLEPROG = 5,
    WRITEFLASH = 6,
    READEEPROM = 7,
    WRITEEEPROM = 8,
    SETLONGADDRESS = 9,
    SETISPSCK = 10,
    GETCAPABILITIES = 127
};

#define FLAG_FIRST 0x01
#define FAST_LOW_FUSE 0xFF /* a crystal, undivided */

/* ---- what holds for every request of every test ---- */

static void check_page(const struct link_usb *usb, const struct link_usb_transfer *transfer)
{
    uint32_t page_size = usb->device.port.part->flash.page_size;

    assert_true(usb->device.port.part->flash.page_write);
    assert_int_equal(transfer->request_type, 0x40);
    assert_int_equal(transfer->length, page_size);
    assert_int_equal(transfer->value % page_size, 0);
    assert_int_equal(transfer->index & 0xFF, page_size & 0xFF);
    assert_int_equal(transfer->index >> 12, page_size >> 8);
    assert_int_equal(transfer->index >> 8 & 0x0F, FLAG_FIRST);
}

static void check_transfer(struct link_usb *usb, const struct link_usb_transfer *transfer)
{
    if (transfer->request != WRITEFLASH) {
        assert_int_equal(transfer->request_type, 0xC0);
        assert_in_range(transfer->length, 1, 248);
    }
    switch (transfer->request) {
    case CONNECT:
        assert_true(usb->connected || fake_now_us - usb->reset_us >= 2000);
        usb->connected = true;
        usb->enabled = false;
        usb->reset_us = fake_now_us;
        break;
    case DISCONNECT:
        usb->connected = usb->enabled = false;
        usb->reset_us = fake_now_us;
        break;
    case ENABLEPROG: /* once for each CONNECT: then the model of the firmware's cache holds */
        assert_true(usb->connected && !usb->enabled);
        assert_true(fake_now_us - usb->reset_us >= 20000); /* the datasheets' */
        usb->enabled = true;
        break;
    case SETISPSCK: /* acts at CONNECT, and some forget it at DISCONNECT */
        assert_false(usb->connected);
        break;
    case TRANSMIT:
        assert_true(usb->enabled);
        assert_int_not_equal(transfer->value & 0xFF, 0x4D);
        break;
    case WRITEFLASH:
        assert_true(usb->enabled);
        check_page(usb, transfer);
        break;
    case READFLASH:
    case READEEPROM:
    case SETLONGADDRESS:
        assert_true(usb->enabled);
        break;
    case GETCAPABILITIES:
        break;
    default:
        fail_msg("request %u was sent", transfer->request);
    }
}

static void open_model(struct usb_fixture *fixture, const char *model, const char *part)
{
    fixture_open(fixture, "usbasp", usbasp_models, usbasp_model_count, model, part);
    fixture->usb.check = check_transfer;
}

static void open_claimed(struct usb_fixture *fixture, const char *model, const char *part)
{
    open_model(fixture, model, part);
    fixture_must(fixture, fixture_claim(fixture));
}

/* A session at 1.5 MHz. */
static void open_attached(struct usb_fixture *fixture, const char *model, const char *part)
{
    open_claimed(fixture, model, part);
    if (part_byte(fixture_part(fixture), PART_FUSE_LOW) != NULL)
        fixture_preset_byte(fixture, PART_FUSE_LOW, FAST_LOW_FUSE);
    fixture_must(fixture, fixture_attach(fixture, 16 * MHZ));
    fixture_forget(fixture);
}

static void open_usual(struct usb_fixture *fixture)
{
    open_attached(fixture, "usbasp-2011", "ATmega328P");
}

/* ---- claiming ---- */

static void the_generations_are_told_apart(void **state)
{
    static const struct {
        const char *model, *firmware;
        int64_t sck_hz;
    } rows[] = {
        {"usbasp-2011", "USBasp 1.04, TPI, SCK up to 1.5 MHz", 0},
        {"usbasp-2011-protostack", "USBasp 1.04, TPI, SCK up to 1.5 MHz", 0},
        {"usbasp-2009", "USBasp 1.02, SCK fixed at 375 kHz", 375000},
        {"usbasp-2005", "USBasp 1.00, SCK fixed at 375 kHz", 375000},
        {"nibobee", "USBasp 1.04, TPI, SCK up to 1.5 MHz", 0},
        {"usbasp-dioannidis", "USBasp 1.11 serial 0000, TPI, SCK up to 1.5 MHz", 0},
        {"usbasp-3mhz", "USBasp 1.04, TPI, SCK up to 3 MHz", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct usb_fixture fixture;

        open_claimed(&fixture, rows[i].model, NULL);
        assert_string_equal(fixture.programmer->firmware, rows[i].firmware);
        assert_int_equal(fixture.programmer->sck_hz, rows[i].sck_hz);
        assert_int_equal(fixture.usb.transfers[0].request, DISCONNECT);
        assert_int_equal(fixture_count(&fixture, CONNECT), 0);
        fixture_close(&fixture);
    }
}

static void others_are_refused_by_name(void **state)
{
    static const struct {
        const char *model, *text;
    } rows[] = {
        {"usbhid-lookalike", "03EB:C8B4 'USBHID' by 'zhifengsoft' only looks like a USBasp"},
        {"vusb-ledcontrol", "16C0:05DC 'LEDControl' by 'obdev.at' is no USBasp"},
    };
    struct usb_fixture fixture;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        open_model(&fixture, rows[i].model, NULL);
        fixture_expect_failure(&fixture, fixture_claim(&fixture), FAILURE_PROGRAMMER_UNKNOWN,
                               rows[i].text);
        assert_int_equal(fixture.usb.count, 0); /* it was not spoken to */
        fixture_close(&fixture);
    }
    fixture_open(&fixture, "usbasp", usbasploader_models, usbasploader_model_count, "usbasploader",
                 NULL);
    fixture_expect_failure(&fixture, fixture_claim(&fixture), FAILURE_PROGRAMMER_UNKNOWN,
                           "is USBaspLoader");
    assert_int_equal(fixture.usb.count, 0);
    fixture_close(&fixture);
}

/* A build of USBaspLoader with another release number. */
static void a_bootloader_that_plays_a_usbasp_is_found_out(void **state)
{
    struct usb_fixture fixture;

    (void)state;
    fixture_open(&fixture, "usbasp", usbasploader_models, usbasploader_model_count, "usbasploader",
                 NULL);
    fixture.usb.identity.release = 0x0104;
    fixture_must(&fixture, fixture_claim(&fixture));
    fixture_expect_failure(&fixture, fixture_attach(&fixture, 16 * MHZ), FAILURE_PROGRAMMER_UNKNOWN,
                           "USBaspLoader");
    assert_int_equal(fixture_count(&fixture, READFLASH) + fixture_count(&fixture, WRITEFLASH), 0);
    fixture_close(&fixture);
}

static void a_reply_of_another_length_is_no_usbasp(void **state)
{
    struct usb_fixture fixture;

    (void)state;
    open_model(&fixture, "usbasp-2011", NULL);
    fixture_harm(&fixture, HARM_SHORT, 1, 1);
    fixture_expect_failure(&fixture, fixture_claim(&fixture), FAILURE_PROGRAMMER_OUT_OF_STEP,
                           "GETCAPABILITIES moved 3 bytes, expected 4");
    fixture_close(&fixture);

    open_model(&fixture, "usbasp-2011", NULL);
    fixture_harm(&fixture, HARM_LONG, 2, 1);
    fixture_expect_failure(&fixture, fixture_claim(&fixture), FAILURE_PROGRAMMER_OUT_OF_STEP,
                           "SETISPSCK moved 2 bytes, expected 1");
    fixture_close(&fixture);
}

static void a_board_that_somebody_left_in_reset_is_let_go(void **state)
{
    struct usb_fixture fixture;
    struct link_usb_transfer connect = {
        .request_type = 0xC0, .request = CONNECT, .silence_us = SECOND_US};

    (void)state;
    open_model(&fixture, "usbasp-2011", "ATmega328P");
    fixture.usb.is_open = true;
    fixture.usb.check = NULL;
    assert_int_equal(link_usb_control(&fixture.usb, &connect, 1, &fixture.operation, NULL, NULL),
                     0);
    fixture.usb.is_open = false;
    fixture.usb.check = check_transfer;
    assert_false(fixture_is_released(&fixture));
    fixture_must(&fixture, fixture_claim(&fixture));
    assert_true(fixture_is_released(&fixture));
    fixture_close(&fixture);
}

/* ---- SCK ---- */

static void sck_is_a_sixth_of_the_clock(void **state)
{
    static const struct {
        const char *model;
        int64_t target_hz, sck_hz;
        uint16_t option;
    } rows[] = {
        {"usbasp-2011", 16 * MHZ, 1500000, 12},       {"usbasp-2011", 20 * MHZ, 1500000, 12},
        {"usbasp-2011", 8 * MHZ, 750000, 11},         {"usbasp-2011", 2 * MHZ, 187500, 9},
        {"usbasp-2011", 1 * MHZ, 93750, 8},           {"usbasp-2011", 0, 93750, 8},
        {"usbasp-2011", 128000, 16000, 7 - 1},        {"usbasp-2011", 32768, 4000, 4},
        {"usbasp-3mhz", 16 * MHZ, 1500000, 12},       {"usbasp-3mhz", 20 * MHZ, 3000000, 13},
        {"usbasp-dioannidis", 16 * MHZ, 1500000, 12},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct avr_target_defects clock = {
            .clock_hz = rows[i].target_hz != 0 ? rows[i].target_hz : MHZ};
        struct usb_fixture fixture;

        open_claimed(&fixture, rows[i].model, "ATmega328P");
        avr_target_set_defects(fixture.usb.device.port.target, &clock);
        fixture_forget(&fixture);
        fixture_must(&fixture, fixture_attach(&fixture, rows[i].target_hz));
        assert_int_equal(fixture.programmer->sck_hz, rows[i].sck_hz);
        assert_int_equal(fixture_count(&fixture, SETISPSCK), 1);
        assert_int_equal(fixture_sent(&fixture, SETISPSCK, 0)->value, rows[i].option);
        assert_int_equal(fixture.usb.device.port.sck_hz, rows[i].sck_hz);
        fixture_close(&fixture);
    }
}

/* The board is at 1 MHz, or at 128 kHz, and nobody knew. */
static void sck_is_stepped_down_until_the_board_answers(void **state)
{
    static const struct {
        int64_t clock_hz, sck_hz;
    } rows[] = {{8 * MHZ, 1500000}, {7 * MHZ, 1500000}, {4 * MHZ, 375000},
                {1 * MHZ, 93750},   {128000, 16000},    {32768, 4000}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct avr_target_defects clock = {.clock_hz = rows[i].clock_hz};
        struct usb_fixture fixture;
        size_t tries;

        open_claimed(&fixture, "usbasp-2011", "ATmega328P");
        avr_target_set_defects(fixture.usb.device.port.target, &clock);
        fixture_forget(&fixture);
        fixture_must(&fixture, fixture_attach(&fixture, 16 * MHZ));
        assert_int_equal(fixture.programmer->sck_hz, rows[i].sck_hz);
        tries = fixture_count(&fixture, CONNECT);
        assert_int_equal(fixture_count(&fixture, SETISPSCK), tries);
        assert_int_equal(fixture_count(&fixture, ENABLEPROG), tries);
        assert_int_equal(fixture_count(&fixture, DISCONNECT), tries - 1);
        fixture_close(&fixture);
    }
}

static void an_empty_site_is_found_empty_soon(void **state)
{
    static const char *const models[] = {"usbasp-2011", "usbasp-2009", "usbasp-dioannidis",
                                         "usbasp-3mhz"};

    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        struct usb_fixture fixture;
        int64_t begun_us;

        open_claimed(&fixture, models[i], NULL);
        begun_us = fake_now_us;
        fixture_expect_failure(&fixture, fixture_attach(&fixture, 16 * MHZ), FAILURE_NO_BOARD,
                               "no answer to AC 53");
        assert_in_range(fake_now_us - begun_us, 0, 4 * SECOND_US);
        assert_true(fixture_is_released(&fixture));
        assert_int_equal(fixture_count(&fixture, TRANSMIT), 0); /* would hang some */
        /* And the next one is found in order. */
        fixture_expect_failure(&fixture, fixture_attach(&fixture, 16 * MHZ), FAILURE_NO_BOARD, "");
        fixture_close(&fixture);
    }
}

/* 4 kHz are for a crystal of 32 kHz; the firmware's slowest SCKs would take seconds. */
static void sck_is_not_stepped_down_for_ever(void **state)
{
    struct usb_fixture fixture;

    (void)state;
    open_claimed(&fixture, "usbasp-2011", NULL);
    fixture_expect_failure(&fixture, fixture_attach(&fixture, 16 * MHZ), FAILURE_NO_BOARD,
                           "at SCK from 1500000 down to 4000 Hz");
    fixture_close(&fixture);
}

/* Programming is enabled, but then the board does not give 53 back. */
static bool lose_one_enable;

static void garble_enable(struct link_usb_transfer *transfer)
{
    if (lose_one_enable && transfer->request == TRANSMIT && transfer->value == 0x53AC) {
        transfer->value = 0x52AC;
        lose_one_enable = false;
    }
}

static void the_echo_is_looked_at_again(void **state)
{
    struct usb_fixture fixture;

    (void)state;
    open_claimed(&fixture, "usbasp-2011", "ATmega328P");
    fixture_preset_byte(&fixture, PART_FUSE_LOW, FAST_LOW_FUSE);
    lose_one_enable = true;
    fixture.usb.garble = garble_enable;
    fixture_must(&fixture, fixture_attach(&fixture, 16 * MHZ));
    assert_int_equal(fixture.programmer->sck_hz, 375000);
    fixture_close(&fixture);
}

/* In some forks an instruction before ENABLEPROG hangs the programmer. */
static void nothing_is_sent_to_a_board_that_did_not_answer(void **state)
{
    const struct isp_instruction read = isp_read_signature(0);
    struct usb_fixture fixture;
    uint8_t reply;

    (void)state;
    open_claimed(&fixture, "usbasp-dioannidis", "ATmega328P");
    fixture_forget(&fixture);
    fixture.programmer->part = fixture_part(&fixture);
    fixture_expect_failure(&fixture,
                           fixture.programmer->driver->instruct(fixture.programmer, &read, &reply,
                                                                &fixture.operation,
                                                                &fixture.failure),
                           FAILURE_INTERNAL, "before the board answered");
    assert_int_equal(fixture.usb.count, 0);
    fixture_close(&fixture);
}

static void old_firmware_takes_fast_boards_only(void **state)
{
    struct usb_fixture fixture;

    (void)state;
    open_claimed(&fixture, "usbasp-2009", "ATmega328P");
    fixture_forget(&fixture);
    fixture_expect_failure(&fixture, fixture_attach(&fixture, 1 * MHZ), FAILURE_PROGRAMMER_TOO_OLD,
                           "USBasp 1.02, SCK fixed at 375 kHz, which is too fast for a board at "
                           "1000000 Hz");
    fixture_expect_failure(&fixture, fixture_attach(&fixture, 0), FAILURE_PROGRAMMER_TOO_OLD, "");
    assert_int_equal(fixture.usb.count, 0); /* nothing was touched */
    fixture_preset_byte(&fixture, PART_FUSE_LOW, FAST_LOW_FUSE);
    fixture_must(&fixture, fixture_attach(&fixture, 16 * MHZ));
    assert_int_equal(fixture.programmer->sck_hz, 375000);
    assert_int_equal(fixture_count(&fixture, SETISPSCK), 0);
    fixture_close(&fixture);

    open_claimed(&fixture, "usbasp-2009", "ATmega1284P");
    fixture_expect_failure(&fixture, fixture_attach(&fixture, 16 * MHZ), FAILURE_PROGRAMMER_TOO_OLD,
                           "64 KiB");
    fixture_close(&fixture);
}

static void a_part_without_echo_is_refused(void **state)
{
    struct usb_fixture fixture;

    (void)state;
    open_claimed(&fixture, "usbasp-2011", "AT90S1200");
    fixture_forget(&fixture);
    fixture_expect_failure(&fixture, fixture_attach(&fixture, 16 * MHZ), FAILURE_PROGRAMMER_REFUSED,
                           "AT90S1200");
    assert_int_equal(fixture.usb.count, 0);
    fixture_close(&fixture);
}

/* Nobody says that the jumper "slow SCK" is fitted. */
static void a_slower_sck_than_asked_for_is_measured(void **state)
{
    struct usb_fixture fixture;
    uint8_t bytes[256], back[256];

    (void)state;
    open_attached(&fixture, "usbasp-2011-slow-jumper", "ATmega328P");
    assert_int_equal(fixture.programmer->sck_hz, 8000);
    fill_random(bytes, sizeof bytes, 3);
    fixture_must(&fixture, fixture_write(&fixture, PART_FLASH, 0, bytes, sizeof bytes));
    fixture_must(&fixture, fixture_read(&fixture, PART_FLASH, 0, back, sizeof back));
    assert_memory_equal(back, bytes, sizeof bytes);
    fixture_close(&fixture);
}

/* The computer stands still in the first looks, and the programmer is not slow for it. */
static void hold_first_looks_up(struct link_usb *usb, const struct link_usb_transfer *transfer)
{
    size_t looks = 0;

    for (size_t i = 0; i < usb->count; i++)
        looks += usb->transfers[i].request == READFLASH;
    check_transfer(usb, transfer);
    if (transfer->request == READFLASH && looks <= 3)
        fake_now_us += 500000;
}

static void a_slow_computer_is_not_taken_for_a_slow_sck(void **state)
{
    struct usb_fixture fixture;

    (void)state;
    open_claimed(&fixture, "usbasp-2011", "ATmega328P");
    fixture_preset_byte(&fixture, PART_FUSE_LOW, FAST_LOW_FUSE);
    fixture_forget(&fixture);
    fixture.usb.check = hold_first_looks_up;
    fixture_must(&fixture, fixture_attach(&fixture, 16 * MHZ));
    assert_int_equal(fixture.programmer->sck_hz, 1500000);
    assert_int_equal(fixture_count(&fixture, READFLASH), 4);
    fixture_close(&fixture);
}

/* ---- flash ---- */

/* Parts whose pages, addresses and waits differ; each range must come back, and be in the part. */
static void flash_comes_back_as_it_was_written(void **state)
{
    static const struct {
        const char *part;
        uint32_t start, count;
    } rows[] = {
        {"ATmega328P", 0, 0x8000},      {"ATmega328P", 0x7F80, 0x80},
        {"ATmega8A", 0x100, 0x400},     {"ATmega2560", 0x1FE00, 0x500},
        {"ATmega2560", 0x3FF00, 0x100}, {"ATmega1284P", 0xFF00, 0x300},
        {"ATmega161", 0, 0x200},        {"AT90S8515", 0x10, 0x80},
        {"ATmega103", 0xFF00, 0x200},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct usb_fixture fixture;

        open_attached(&fixture, "usbasp-2011", rows[i].part);
        fixture_check_memory(&fixture, PART_FLASH, rows[i].start, rows[i].count);
        fixture_close(&fixture);
    }
}

static void every_generation_writes_flash(void **state)
{
    static const char *const models[] = {"usbasp-2011", "usbasp-2009",       "usbasp-2005",
                                         "nibobee",     "usbasp-dioannidis", "usbasp-3mhz"};
    uint8_t bytes[1024], back[1024];

    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        struct usb_fixture fixture;

        open_attached(&fixture, models[i], "ATmega328P");
        fill_random(bytes, sizeof bytes, (unsigned)i);
        fixture_must(&fixture, fixture_write(&fixture, PART_FLASH, 0x400, bytes, sizeof bytes));
        fixture_must(&fixture, fixture_read(&fixture, PART_FLASH, 0x400, back, sizeof back));
        assert_memory_equal(back, bytes, sizeof bytes);
        fixture_close(&fixture);
    }
}

static void blank_pages_are_left_out(void **state)
{
    struct usb_fixture fixture;
    uint8_t bytes[8 * 128];

    (void)state;
    open_usual(&fixture);
    fill_random(bytes, sizeof bytes, 1);
    memset(bytes + 128, 0xFF, 128);
    memset(bytes + 6 * 128, 0xFF, 256); /* to the end */
    fixture_must(&fixture, fixture_write(&fixture, PART_FLASH, 0x1000, bytes, sizeof bytes));
    assert_int_equal(fixture_count(&fixture, WRITEFLASH), 5);
    assert_int_equal(fixture_count(&fixture, SETLONGADDRESS), 2);
    assert_int_equal(fixture_sent(&fixture, SETLONGADDRESS, 1)->value, 0x1100);
    assert_memory_equal(fixture_memory(&fixture, PART_FLASH) + 0x1000, bytes, sizeof bytes);

    fixture_forget(&fixture);
    memset(bytes, 0xFF, sizeof bytes);
    fixture_must(&fixture, fixture_write(&fixture, PART_FLASH, 0x2000, bytes, sizeof bytes));
    assert_int_equal(fixture.usb.count, 0);
    fixture_close(&fixture);
}

/* Flash and EEPROM share the firmware's address. */
static void the_address_is_sent_where_it_changes(void **state)
{
    struct usb_fixture fixture;
    uint8_t bytes[2048];
    const struct link_usb_transfer *sent;

    (void)state;
    open_attached(&fixture, "usbasp-2011", "ATmega2560");
    fill_random(bytes, sizeof bytes, 1);
    fixture_must(&fixture, fixture_write(&fixture, PART_FLASH, 0x10000, bytes, sizeof bytes));
    fixture_must(&fixture, fixture_write(&fixture, PART_FLASH, 0x10800, bytes, sizeof bytes));
    assert_int_equal(fixture_count(&fixture, SETLONGADDRESS), 1);
    sent = fixture_sent(&fixture, SETLONGADDRESS, 0);
    assert_int_equal(sent->value, 0x0000);
    assert_int_equal(sent->index, 0x0001);
    assert_int_equal(fixture_sent(&fixture, WRITEFLASH, 8)->value, 0x0800);

    fixture_forget(&fixture);
    fixture_must(&fixture, fixture_read(&fixture, PART_FLASH, 0x10000, bytes, sizeof bytes));
    fixture_must(&fixture, fixture_read(&fixture, PART_FLASH, 0x10800, bytes, 100));
    assert_int_equal(fixture_count(&fixture, SETLONGADDRESS), 1);
    fixture_must(&fixture, fixture_read(&fixture, PART_EEPROM, 100, bytes, 100));
    assert_int_equal(fixture_count(&fixture, SETLONGADDRESS), 2);
    fixture_must(&fixture, fixture_read(&fixture, PART_FLASH, 200, bytes, 100));
    assert_int_equal(fixture_count(&fixture, SETLONGADDRESS), 3);
    /* Each session begins with the firmware's old ways. */
    fixture_must(&fixture, programmer_release(fixture.programmer, &fixture.failure));
    fixture_must(&fixture, fixture_attach(&fixture, 16 * MHZ));
    fixture_must(&fixture, fixture_read(&fixture, PART_FLASH, 300, bytes, 100));
    assert_int_equal(fixture_count(&fixture, SETLONGADDRESS), 4);
    fixture_close(&fixture);
}

/* Nothing is believed of the firmware's counter after a failure. */
static void pages_longer_than_any_are_refused(void **state)
{
    struct usb_fixture fixture;
    uint8_t bytes[8];

    (void)state;
    open_usual(&fixture);
    fixture_check_long_pages(&fixture);
    fixture_must(&fixture, fixture_read(&fixture, PART_FLASH, 512, bytes, sizeof bytes));
    assert_int_equal(fixture_count(&fixture, SETLONGADDRESS), 1);
    fixture_close(&fixture);
}

static void blocks_are_as_long_as_they_may_be(void **state)
{
    struct usb_fixture fixture;
    uint8_t bytes[1000];

    (void)state;
    open_usual(&fixture);
    fixture_must(&fixture, fixture_read(&fixture, PART_FLASH, 0, bytes, sizeof bytes));
    assert_int_equal(fixture_count(&fixture, READFLASH), 5);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(fixture_sent(&fixture, READFLASH, i)->length, 248);
        assert_int_equal(fixture_sent(&fixture, READFLASH, i)->value, 248 * i);
    }
    assert_int_equal(fixture_sent(&fixture, READFLASH, 4)->length, 8);
    fixture_close(&fixture);
}

/* ---- EEPROM, fuses, single instructions ---- */

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

        open_attached(&fixture, "usbasp-2011", rows[i].part);
        fixture_check_memory(&fixture, PART_EEPROM, rows[i].start, rows[i].count);
        assert_int_equal(fixture_count(&fixture, WRITEEEPROM), 0);
        fixture_close(&fixture);
    }
}

static void a_fuse_leaves_with_its_permit_only(void **state)
{
    struct usb_fixture fixture;

    (void)state;
    open_usual(&fixture);
    fixture_check_permit(&fixture);
    fixture_close(&fixture);
}

static void an_erase_clears_the_board(void **state)
{
    struct usb_fixture fixture;
    uint8_t bytes[128];

    (void)state;
    open_usual(&fixture);
    fill_random(bytes, sizeof bytes, 4);
    fixture_must(&fixture, fixture_write(&fixture, PART_FLASH, 0, bytes, sizeof bytes));
    fixture_must(&fixture, fixture_erase(&fixture));
    fixture_must(&fixture, fixture_read(&fixture, PART_FLASH, 0, bytes, sizeof bytes));
    for (size_t i = 0; i < sizeof bytes; i++)
        assert_int_equal(bytes[i], 0xFF);
    fixture_close(&fixture);
}

static void the_firmware_alone_loads_extended_addresses(void **state)
{
    const struct isp_instruction load = isp_load_extended_address(0x20000);
    struct usb_fixture fixture;
    uint8_t reply;

    (void)state;
    open_attached(&fixture, "usbasp-2011", "ATmega2560");
    assert_int_equal(programmer_instruct(fixture.programmer, &load, &reply, &fixture.operation,
                                         &fixture.failure),
                     -1);
    assert_int_equal(fixture.failure.code, FAILURE_INTERNAL);
    assert_int_equal(fixture.usb.count, 0);
    fixture_close(&fixture);
}

/* One bit of the address of a fuse write, of the erase: what the board gives back tells. */
static void garble_fuse_write(struct link_usb_transfer *transfer)
{
    if (transfer->request == TRANSMIT && transfer->value == 0xA8AC)
        transfer->value = 0xA0AC;
}

static void garble_erase(struct link_usb_transfer *transfer)
{
    if (transfer->request == TRANSMIT && transfer->value == 0x80AC)
        transfer->value = 0xA0AC;
}

static void a_garbled_fuse_write_is_noticed_at_once(void **state)
{
    struct usb_fixture fixture;

    (void)state;
    open_usual(&fixture);
    fixture.usb.garble = garble_fuse_write;
    fixture_expect_failure(&fixture, fixture_write_fuse(&fixture, PART_FUSE_HIGH, 0xDE),
                           FAILURE_CONTACT_LOST,
                           "sent AC A8 00 DE, of which the board gave back AC A0");
    fixture.usb.garble = garble_erase;
    fixture_expect_failure(&fixture, fixture_erase(&fixture), FAILURE_CONTACT_LOST,
                           "sent AC 80 00 00, of which the board gave back AC A0");
    fixture_close(&fixture);
}

static void check_part(const char *name, void *context)
{
    struct usb_fixture fixture;

    (void)context;
    if (strcmp(name, "AT90S1200") == 0) /* gives no echo: refused, see above */
        return;
    open_model(&fixture, "usbasp-2011", name);
    fixture_attach_fast(&fixture);
    fixture_check_part(&fixture, TRANSMIT);
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
    for (size_t at = 0; at < 5; at++) {
        fixture_check_harm(open_usual, HARM_STALL, at, FAILURE_PROGRAMMER_STALLED);
        fixture_check_harm(open_usual, HARM_SILENT, at, FAILURE_PROGRAMMER_SILENT);
        fixture_check_harm(open_usual, HARM_GONE, at, FAILURE_PROGRAMMER_GONE);
        if (at > 0) /* SETLONGADDRESS has no reply */
            fixture_check_harm(open_usual, HARM_SHORT, at, FAILURE_PROGRAMMER_OUT_OF_STEP);
    }
}

static void a_short_reply_is_a_failure(void **state)
{
    struct usb_fixture fixture;
    uint8_t bytes[300];

    (void)state;
    open_usual(&fixture);
    fixture_harm(&fixture, HARM_SHORT, 2, 1);
    fixture_expect_failure(&fixture, fixture_read(&fixture, PART_FLASH, 0, bytes, sizeof bytes),
                           FAILURE_PROGRAMMER_OUT_OF_STEP, "moved 51 bytes, expected 52");
    fixture_close(&fixture);

    open_usual(&fixture);
    fixture_harm(&fixture, HARM_SHORT, 0, 1);
    fixture_expect_failure(&fixture, fixture_read(&fixture, PART_FUSE_LOW, 0, bytes, 1),
                           FAILURE_PROGRAMMER_OUT_OF_STEP, "moved 3 bytes, expected 4");
    fixture_close(&fixture);
}

static void open_board_claimed(struct usb_fixture *fixture)
{
    open_claimed(fixture, "usbasp-2011", "ATmega328P");
}

static void attach_lets_go_when_it_fails(void **state)
{
    (void)state;
    fixture_check_failing_attach(open_board_claimed, 4);
}

/* SETISPSCK, ENABLEPROG, the echo, the first bytes of flash; CONNECT has no reply. */
static void a_short_reply_fails_attaching(void **state)
{
    (void)state;
    for (size_t at = 0; at < 5; at++) {
        struct usb_fixture fixture;

        if (at == 1)
            continue;
        open_claimed(&fixture, "usbasp-2011", "ATmega328P");
        fixture_harm(&fixture, HARM_SHORT, at, 1);
        fixture_expect_failure(&fixture, fixture_attach(&fixture, 1 * MHZ),
                               FAILURE_PROGRAMMER_OUT_OF_STEP, "");
        assert_true(fixture_is_released(&fixture));
        fixture_close(&fixture);
    }
}

/* DISCONNECT that fails is sent again, and once more at the end of all. */
static void letting_go_is_tried_again(void **state)
{
    struct usb_fixture fixture;

    (void)state;
    open_usual(&fixture);
    fixture_harm(&fixture, HARM_STALL, 0, 1);
    fixture_must(&fixture, programmer_release(fixture.programmer, &fixture.failure));
    assert_int_equal(fixture_count(&fixture, DISCONNECT), 2);
    assert_true(fixture_is_released(&fixture));

    fixture_must(&fixture, fixture_attach(&fixture, 16 * MHZ));
    fixture_forget(&fixture);
    fixture_check_unheard_release(&fixture, "DISCONNECT");
    fixture_close(&fixture);
}

static void a_cancelled_write_ends_and_lets_go(void **state)
{
    struct usb_fixture fixture;
    atomic_bool cancel = true;
    uint8_t bytes[256];

    (void)state;
    open_usual(&fixture);
    fixture.operation.cancel = &cancel;
    fixture_expect_failure(&fixture, fixture_write_some(&fixture, bytes, sizeof bytes),
                           FAILURE_INTERRUPTED, "");
    fixture_must(&fixture, programmer_release(fixture.programmer, &fixture.failure));
    assert_true(fixture_is_released(&fixture));
    fixture_close(&fixture);
}

static atomic_bool stop_it;

static void cancel_at_enableprog(struct link_usb_transfer *transfer)
{
    if (transfer->request == ENABLEPROG)
        atomic_store(&stop_it, true);
}

static void a_cancelled_attach_lets_go(void **state)
{
    struct usb_fixture fixture;

    (void)state;
    open_claimed(&fixture, "usbasp-2011", "ATmega328P");
    atomic_store(&stop_it, false);
    fixture.operation.cancel = &stop_it;
    fixture.usb.garble = cancel_at_enableprog;
    fixture_expect_failure(&fixture, fixture_attach(&fixture, 1 * MHZ), FAILURE_INTERRUPTED, "");
    assert_int_equal(fixture_count(&fixture, CONNECT), 1);
    assert_true(fixture_is_released(&fixture));
    fixture_close(&fixture);
}

/* In the first or the second byte of what makes a page of EEPROM. */
static uint16_t turned_bit;

static void turn_a_bit(struct link_usb_transfer *transfer)
{
    if (transfer->request == TRANSMIT && (transfer->value & 0xFF) == 0xC2)
        transfer->value ^= turned_bit;
}

static void both_bytes_that_come_back_are_looked_at(void **state)
{
    (void)state;
    for (int bit = 0; bit < 16; bit++) {
        static const uint8_t bytes[4] = {1, 2, 3, 4};
        struct usb_fixture fixture;

        open_usual(&fixture);
        turned_bit = (uint16_t)(1 << bit);
        fixture.usb.garble = turn_a_bit;
        fixture_expect_failure(&fixture,
                               fixture_write(&fixture, PART_EEPROM, 0, bytes, sizeof bytes),
                               FAILURE_CONTACT_LOST, "sent C2 00 00 00");
        fixture_close(&fixture);
    }
}

static void cancel_at_fuse(struct link_usb_transfer *transfer)
{
    if (transfer->request == TRANSMIT && (transfer->value & 0xFF) == 0xAC)
        atomic_store(&stop_it, true);
}

static void an_instruction_that_was_begun_is_finished(void **state)
{
    struct usb_fixture fixture;

    (void)state;
    open_usual(&fixture);
    atomic_store(&stop_it, false);
    fixture.operation.cancel = &stop_it;
    fixture.usb.garble = cancel_at_fuse;
    fixture_expect_failure(&fixture, fixture_write_fuse(&fixture, PART_FUSE_HIGH, 0xDE),
                           FAILURE_INTERRUPTED, "");
    assert_int_equal(fixture_memory(&fixture, PART_FUSE_HIGH)[0], 0xDE);
    fixture_must(&fixture, programmer_release(fixture.programmer, &fixture.failure));
    assert_true(fixture_is_released(&fixture));
    fixture_close(&fixture);
}

static void an_attach_whose_time_is_over_lets_go(void **state)
{
    struct usb_fixture fixture;

    (void)state;
    open_board_claimed(&fixture);
    fixture_check_attach_out_of_time(&fixture, CONNECT);
    fixture_close(&fixture);
}

static void unclaiming_lets_go(void **state)
{
    struct usb_fixture fixture;

    (void)state;
    open_usual(&fixture);
    programmer_destroy(fixture.programmer);
    fixture.programmer = NULL;
    assert_true(fixture_is_released(&fixture));
    assert_int_equal(fixture.usb.count, 1);
    fixture_close(&fixture);
}

static void open_for_turned_bits(struct usb_fixture *fixture)
{
    open_model(fixture, "usbasp-2011", "ATmega328P");
    fixture->usb.check = NULL;
    fixture_preset_byte(fixture, PART_FUSE_LOW, FAST_LOW_FUSE);
}

static void one_turned_bit_makes_no_fuse_write_of_anything_else(void **state)
{
    (void)state;
    fixture_check_turned_bits(open_for_turned_bits, TRANSMIT);
}

/* ---- time ---- */

static void the_floor_is_the_sum_of_its_parts(void **state)
{
    const struct programmer_driver *driver = programmer_driver_by_name("usbasp");
    struct programmer_speed speed = {.sck_hz = 16 * MHZ / 6};
    struct usb_fixture fixture;
    char text[800];
    /* Setup, 15 packets, 72 bytes' time for 8 + 1 instructions at 1.5 MHz and 4.5 ms, status; 116
     * blocks of 31 packets or less with 2 packets each. */
    int64_t page_us = 1000 + 15 * 1000 + 192 + 4500 + 1000;
    int64_t expected_us = 224 * page_us + 116 * 2000 + 3584 * 1000;

    (void)state;
    open_model(&fixture, "usbasp-2011", "ATmega328P");
    assert_int_equal(
        driver->floor_us(fixture_part(&fixture), &speed, 28672, 28672, text, sizeof text),
        expected_us);
    assert_non_null(strstr(text, "SCK: 1500000 Hz"));
    assert_non_null(strstr(text, "224 pages x 21692 us = 4859008 us"));
    assert_non_null(strstr(text, "116 blocks x 2 packets (setup, status) x 1000 us + 3584 packets "
                                 "of data x 1000 us = 3816000 us"));
    assert_int_equal(driver->floor_us(fixture_part(&fixture), &speed, 28672, 28672, NULL, 0),
                     expected_us);
    speed.sck_hz = 0; /* the fastest that all have */
    assert_int_equal(driver->floor_us(fixture_part(&fixture), &speed, 28672, 28672, NULL, 0),
                     expected_us);
    speed.sck_hz = 166666; /* 93.75 kHz: a packet takes 2730 us */
    (void)driver->floor_us(fixture_part(&fixture), &speed, 28672, 28672, text, sizeof text);
    assert_non_null(strstr(text, "a packet of data takes 2730 us"));
    fixture_close(&fixture);
}

static void writing_and_reading_keep_to_the_floor(void **state)
{
    struct usb_fixture fixture;

    (void)state;
    open_usual(&fixture);
    fixture_check_pace(&fixture, 1500000);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_generations_are_told_apart),
        cmocka_unit_test(others_are_refused_by_name),
        cmocka_unit_test(a_bootloader_that_plays_a_usbasp_is_found_out),
        cmocka_unit_test(a_reply_of_another_length_is_no_usbasp),
        cmocka_unit_test(a_board_that_somebody_left_in_reset_is_let_go),
        cmocka_unit_test(sck_is_a_sixth_of_the_clock),
        cmocka_unit_test(sck_is_stepped_down_until_the_board_answers),
        cmocka_unit_test(an_empty_site_is_found_empty_soon),
        cmocka_unit_test(sck_is_not_stepped_down_for_ever),
        cmocka_unit_test(the_echo_is_looked_at_again),
        cmocka_unit_test(nothing_is_sent_to_a_board_that_did_not_answer),
        cmocka_unit_test(old_firmware_takes_fast_boards_only),
        cmocka_unit_test(a_part_without_echo_is_refused),
        cmocka_unit_test(a_slower_sck_than_asked_for_is_measured),
        cmocka_unit_test(a_slow_computer_is_not_taken_for_a_slow_sck),
        cmocka_unit_test(flash_comes_back_as_it_was_written),
        cmocka_unit_test(every_generation_writes_flash),
        cmocka_unit_test(blank_pages_are_left_out),
        cmocka_unit_test(the_address_is_sent_where_it_changes),
        cmocka_unit_test(pages_longer_than_any_are_refused),
        cmocka_unit_test(blocks_are_as_long_as_they_may_be),
        cmocka_unit_test(eeprom_comes_back_as_it_was_written),
        cmocka_unit_test(a_fuse_leaves_with_its_permit_only),
        cmocka_unit_test(an_erase_clears_the_board),
        cmocka_unit_test(the_firmware_alone_loads_extended_addresses),
        cmocka_unit_test(a_garbled_fuse_write_is_noticed_at_once),
        cmocka_unit_test(every_part_comes_back_as_it_was_written),
        cmocka_unit_test(a_failure_ends_the_session),
        cmocka_unit_test(a_short_reply_is_a_failure),
        cmocka_unit_test(attach_lets_go_when_it_fails),
        cmocka_unit_test(a_short_reply_fails_attaching),
        cmocka_unit_test(letting_go_is_tried_again),
        cmocka_unit_test(a_cancelled_write_ends_and_lets_go),
        cmocka_unit_test(a_cancelled_attach_lets_go),
        cmocka_unit_test(both_bytes_that_come_back_are_looked_at),
        cmocka_unit_test(an_instruction_that_was_begun_is_finished),
        cmocka_unit_test(an_attach_whose_time_is_over_lets_go),
        cmocka_unit_test(unclaiming_lets_go),
        cmocka_unit_test(one_turned_bit_makes_no_fuse_write_of_anything_else),
        cmocka_unit_test(the_floor_is_the_sum_of_its_parts),
        cmocka_unit_test(writing_and_reading_keep_to_the_floor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
