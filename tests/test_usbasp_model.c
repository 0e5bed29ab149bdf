/* The USBasp in its generations: each habit that a driver can be caught by must be there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "jigs/simbench/usbasp_model.h"
#include "tests/fake_usb_port.h"

#define MHZ 1000000
#define PAGE 128 /* ATmega328P */

enum request {
    CONNECT = 1,
    DISCONNECT,
    TRANSMIT,
    READ_FLASH,
    ENABLE,
    WRITE_FLASH,
    READ_EEPROM,
    WRITE_EEPROM,
    SET_LONG_ADDRESS,
    SET_SCK,
    TPI_CONNECT,
    CAPABILITIES = 127
};

#define FIRST 0x0100
#define LAST 0x0200

static void open_model(struct fake_device *device, const char *name, const char *part,
                       int64_t crystal_hz)
{
    fake_device_open(device, usbasp_models, usbasp_model_count, name, part, crystal_hz);
}

/* A part that runs on a crystal of 16 MHz. */
static void open_fast(struct fake_device *device, const char *name)
{
    static const uint8_t low_fuse = 0xFF;
    open_model(device, name, "ATmega328P", 16 * MHZ);
    avr_target_preset(device->port.target, PART_FUSE_LOW, &low_fuse, 1);
}

/* A request without data, sent as a transfer to the host of four bytes. */
static int request(struct fake_device *device, uint8_t number, uint16_t value, uint8_t reply[4])
{
    return fake_device_in(device, number, value, 0, reply, 4);
}

static int command(struct fake_device *device, uint8_t number, uint16_t value)
{
    uint8_t reply[4] = {0};
    return request(device, number, value, reply);
}

static int enable(struct fake_device *device)
{
    uint8_t reply[4] = {0xEE};
    assert_int_equal(request(device, ENABLE, 0, reply), 1);
    return reply[0];
}

static int transmit(struct fake_device *device, uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    uint8_t reply[4] = {0};
    int count =
        fake_device_in(device, TRANSMIT, (uint16_t)(b << 8 | a), (uint16_t)(d << 8 | c), reply, 4);
    return count == 4 ? reply[3] : count;
}

static void begin(struct fake_device *device)
{
    assert_int_equal(command(device, CONNECT, 0), 0);
    assert_int_equal(enable(device), 0);
    device->port.frame_count = 0;
}

static void set_option(struct fake_device *device, uint8_t option)
{
    uint8_t reply[4] = {0xEE};
    assert_int_equal(request(device, SET_SCK, option, reply), 1);
    assert_int_equal(reply[0], 0);
}

static void set_long_address(struct fake_device *device, uint32_t address)
{
    uint8_t reply[4] = {0};
    assert_int_equal(fake_device_in(device, SET_LONG_ADDRESS, (uint16_t)address,
                                    (uint16_t)(address >> 16), reply, 4),
                     0);
}

static void fill(uint8_t *bytes, size_t count, uint8_t seed)
{
    for (size_t i = 0; i < count; i++) {
        bytes[i] = (uint8_t)(seed + 7 * i % 250);
    }
}

static void preset(struct fake_device *device, enum part_memory memory, uint8_t *bytes,
                   uint32_t count)
{
    fill(bytes, count, 3);
    avr_target_preset(device->port.target, memory, bytes, count);
}

static int write_flash(struct fake_device *device, uint16_t address, uint16_t index,
                       const uint8_t *bytes, uint16_t count)
{
    return fake_device_out(device, WRITE_FLASH, address, index, bytes, count);
}

static int64_t pages_written(const struct fake_device *device)
{
    return avr_target_counts(device->port.target)->flash_pages;
}

static bool flash_is_blank(const struct fake_device *device, uint32_t start, uint32_t count)
{
    const uint8_t *flash = fake_device_memory(device, PART_FLASH);
    for (uint32_t i = 0; i < count; i++) {
        if (flash[start + i] != 0xFF) {
            return false;
        }
    }
    return true;
}

/* --- who is it --- */

static void tells_who_it_is(void **state)
{
    static const struct {
        const char *name;
        uint16_t vendor, product, release;
        const char *product_name, *serial;
    } rows[] = {
        {"usbasp-2011", 0x16C0, 0x05DC, 0x0104, "USBasp", NULL},
        {"usbasp-2011-slow-jumper", 0x16C0, 0x05DC, 0x0104, "USBasp", NULL},
        {"usbasp-2011-protostack", 0x16C0, 0x05DC, 0x0104, "USBasp", NULL},
        {"usbasp-2009", 0x16C0, 0x05DC, 0x0102, "USBasp", NULL},
        {"usbasp-2005", 0x03EB, 0xC7B4, 0x0100, "USBasp", NULL},
        {"nibobee", 0x16C0, 0x092F, 0x0104, "NIBObee", NULL},
        {"usbasp-dioannidis", 0x16C0, 0x05DC, 0x0111, "USBasp", "0000"},
        {"usbasp-3mhz", 0x16C0, 0x05DC, 0x0104, "USBasp", NULL},
        {"usbhid-lookalike", 0x03EB, 0xC8B4, 0x0100, "USBHID", NULL},
        {"vusb-ledcontrol", 0x16C0, 0x05DC, 0x0100, "LEDControl", NULL},
    };
    (void)state;
    assert_int_equal(usbasp_model_count, sizeof rows / sizeof *rows);
    for (size_t i = 0; i < usbasp_model_count; i++) {
        const struct usb_identity *identity = &usbasp_models[i].identity;
        assert_string_equal(usbasp_models[i].name, rows[i].name);
        assert_string_equal(usbasp_models[i].programmer, "usbasp");
        assert_int_equal(identity->vendor, rows[i].vendor);
        assert_int_equal(identity->product, rows[i].product);
        assert_int_equal(identity->release, rows[i].release);
        assert_string_equal(identity->product_name, rows[i].product_name);
        if (rows[i].serial == NULL) {
            assert_null(identity->serial);
        } else {
            assert_string_equal(identity->serial, rows[i].serial);
        }
    }
}

static void tells_its_capabilities(void **state)
{
    static const struct {
        const char *name;
        int count;
        uint32_t bits;
    } rows[] = {
        {"usbasp-2011", 4, 0x00000001}, {"usbasp-2009", 0, 0},
        {"usbasp-2005", 0, 0},          {"usbasp-dioannidis", 4, 0x000000A1},
        {"usbasp-3mhz", 4, 0x01000001}, {"usbhid-lookalike", 0, 0},
        {"vusb-ledcontrol", 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fake_device device;
        uint8_t reply[4] = {0};
        open_model(&device, rows[i].name, NULL, 0);
        assert_int_equal(request(&device, CAPABILITIES, 0, reply), rows[i].count);
        uint32_t bits = reply[0] | (uint32_t)reply[1] << 8 | (uint32_t)reply[2] << 16 |
                        (uint32_t)reply[3] << 24;
        assert_int_equal(bits, rows[i].bits);
        fake_device_close(&device);
    }
}

static void answers_what_it_does_not_know_with_no_bytes(void **state)
{
    struct fake_device device;
    (void)state;
    open_model(&device, "usbasp-2011", NULL, 0);
    assert_int_equal(command(&device, 0, 0), 0);
    assert_int_equal(command(&device, 17, 0), 0);
    assert_int_equal(command(&device, 200, 0), 0);
    fake_device_close(&device);
    open_model(&device, "usbasp-2009", NULL, 0);
    assert_int_equal(command(&device, SET_LONG_ADDRESS, 0), 0);
    assert_int_equal(command(&device, SET_SCK, 8), 0);
    assert_int_equal(command(&device, TPI_CONNECT, 0), 0);
    assert_false(device.port.reset_low);
    fake_device_close(&device);
}

static void oldest_ignores_sck_and_long_addresses(void **state)
{
    struct fake_device device;
    uint8_t flash[64], bytes[8];
    (void)state;
    open_fast(&device, "usbasp-2009");
    preset(&device, PART_FLASH, flash, sizeof flash);
    command(&device, SET_SCK, 8);
    begin(&device);
    transmit(&device, 0x30, 0, 0, 0);
    assert_int_equal(device.port.sck_hz, 375000);
    set_long_address(&device, 0);
    assert_int_equal(fake_device_in(&device, READ_FLASH, 32, 0, bytes, 8), 8);
    assert_memory_equal(bytes, &flash[32], 8);
    fake_device_close(&device);
}

static void reply_is_no_longer_than_asked(void **state)
{
    struct fake_device device;
    uint8_t reply[4] = {0, 0, 0xEE, 0xEE};
    (void)state;
    open_model(&device, "usbasp-2011", NULL, 0);
    assert_int_equal(fake_device_in(&device, CAPABILITIES, 0, 0, reply, 2), 2);
    assert_int_equal(reply[2], 0xEE);
    fake_device_close(&device);
}

/* --- the session --- */

static void enables_reads_and_releases(void **state)
{
    struct fake_device device;
    (void)state;
    open_fast(&device, "usbasp-2011");
    assert_false(device.port.reset_low);
    begin(&device);
    assert_true(device.port.reset_low);
    assert_int_equal(transmit(&device, 0x30, 0, 0, 0), 0x1E);
    assert_int_equal(transmit(&device, 0x30, 0, 1, 0), 0x95);
    assert_int_equal(transmit(&device, 0x30, 0, 2, 0), 0x0F);
    assert_int_equal(transmit(&device, 0x50, 0, 0, 0), 0xFF);
    assert_int_equal(command(&device, DISCONNECT, 0), 0);
    assert_false(device.port.reset_low);
    fake_device_close(&device);
}

static void returns_the_echo(void **state)
{
    struct fake_device device;
    uint8_t reply[4] = {0};
    (void)state;
    open_fast(&device, "usbasp-2011");
    begin(&device);
    assert_int_equal(fake_device_in(&device, TRANSMIT, 0x53AC, 0, reply, 4), 4);
    assert_int_equal(reply[1], 0xAC);
    assert_int_equal(reply[2], 0x53);
    fake_device_close(&device);
}

static void enable_fails_without_a_target(void **state)
{
    struct fake_device device;
    (void)state;
    open_model(&device, "usbasp-2011", NULL, 0);
    assert_int_equal(command(&device, CONNECT, 0), 0);
    assert_int_equal(enable(&device), 1);
    assert_int_equal(device.port.frame_count, 32);
    fake_device_close(&device);
}

/* The fuses: a crystal of 16 MHz, undivided or by 8; the factory's, which make it 1 MHz. */
static void enable_fails_when_sck_is_too_fast(void **state)
{
    static const struct {
        uint8_t low_fuse;
        uint8_t option;
        int result;
    } rows[] = {
        {0x62, 0, 1}, {0x62, 9, 0},  {0x62, 10, 1}, {0x7F, 10, 0},
        {0x7F, 0, 0}, {0x7F, 11, 1}, {0xFF, 12, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fake_device device;
        open_model(&device, "usbasp-2011", "ATmega328P", 16 * MHZ);
        avr_target_preset(device.port.target, PART_FUSE_LOW, &rows[i].low_fuse, 1);
        set_option(&device, rows[i].option);
        command(&device, CONNECT, 0);
        assert_int_equal(enable(&device), rows[i].result);
        fake_device_close(&device);
    }
}

static void sck_is_applied_at_connect_only(void **state)
{
    struct fake_device device;
    (void)state;
    open_model(&device, "usbasp-2011", "ATmega328P", 0);
    command(&device, CONNECT, 0);
    set_option(&device, 8);
    assert_int_equal(enable(&device), 1);
    assert_int_equal(device.port.sck_hz, 375000);
    begin(&device);
    assert_int_equal(transmit(&device, 0x30, 0, 0, 0), 0x1E);
    assert_int_equal(device.port.sck_hz, 93750);
    set_option(&device, 0);
    assert_int_equal(transmit(&device, 0x30, 0, 0, 0), 0x1E);
    assert_int_equal(device.port.sck_hz, 93750);
    command(&device, DISCONNECT, 0);
    set_option(&device, 8);
    command(&device, DISCONNECT, 0);
    begin(&device); /* the option stays when the session ends */
    assert_int_equal(device.port.sck_hz, 93750);
    fake_device_close(&device);
}

static void check_sck(const char *name, uint8_t option, int64_t sck_hz)
{
    struct fake_device device;
    open_fast(&device, name);
    set_option(&device, option);
    command(&device, CONNECT, 0);
    enable(&device);
    int64_t before_us = device.port.now_us;
    transmit(&device, 0x30, 0, 0, 0);
    assert_int_equal(device.port.sck_hz, sck_hz);
    int64_t frame_us = 32 * MHZ / sck_hz;
    assert_in_range(device.port.now_us - before_us, frame_us, frame_us + 1);
    fake_device_close(&device);
}

static void options_choose_sck(void **state)
{
    static const int32_t stock_hz[] = {375000, 500,   1000,   2000,   4000,   8000,    16000,
                                       32000,  93750, 187500, 375000, 750000, 1500000, 375000};
    (void)state;
    for (uint8_t option = 0; option < 14; option++) {
        check_sck("usbasp-2011", option, stock_hz[option]);
    }
    check_sck("usbasp-2011", 200, 375000);
    check_sck("usbasp-3mhz", 0, 375000);
    check_sck("usbasp-3mhz", 12, 1500000);
    check_sck("usbasp-3mhz", 14, 375000);
    check_sck("usbasp-dioannidis", 0, 1500000);
    check_sck("usbasp-dioannidis", 7, 32000);
    check_sck("usbasp-2011-slow-jumper", 12, 8000);
    check_sck("usbasp-2011-slow-jumper", 0, 8000);
}

static void forks_make_3_mhz(void **state)
{
    static const char *const names[] = {"usbasp-3mhz", "usbasp-dioannidis"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        static const uint8_t low_fuse = 0xFF;
        struct fake_device device;
        open_model(&device, names[i], "ATmega328P", 20 * MHZ);
        avr_target_preset(device.port.target, PART_FUSE_LOW, &low_fuse, 1);
        set_option(&device, 13);
        begin(&device);
        assert_int_equal(device.port.sck_hz, 3000000);
        fake_device_close(&device);
    }
}

/* The SPI unit is off and the firmware waits for it for ever; only plugging it in again helps. */
static void transmit_without_connect_hangs(void **state)
{
    static const char *const names[] = {"usbasp-2011", "usbasp-2009", "usbasp-3mhz"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct fake_device device;
        open_fast(&device, names[i]);
        assert_int_equal(transmit(&device, 0x30, 0, 0, 0), USB_SILENT);
        assert_int_equal(command(&device, CONNECT, 0), USB_SILENT);
        assert_int_equal(device.port.frame_count, 0);
        fake_device_start(&device);
        begin(&device);
        command(&device, DISCONNECT, 0);
        assert_int_equal(command(&device, ENABLE, 0), USB_SILENT);
        fake_device_close(&device);
    }
}

/* SCK from a loop goes nowhere while the lines are inputs. */
static void slow_sck_without_connect_reaches_nobody(void **state)
{
    struct fake_device device;
    (void)state;
    open_fast(&device, "usbasp-2011");
    set_option(&device, 7);
    begin(&device);
    command(&device, DISCONNECT, 0);
    device.port.frame_count = 0;
    assert_int_equal(transmit(&device, 0x30, 0, 0, 0), 0xFF);
    assert_int_equal(device.port.frame_count, 0);
    fake_device_close(&device);
}

/* Up to 2009 a target that is out of step stays so; since then RESET is pulsed. */
static void enable_pulses_reset_since_1_4(void **state)
{
    static const struct {
        const char *name;
        int result;
    } rows[] = {{"usbasp-2009", 1}, {"usbasp-2011", 0}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fake_device device;
        open_fast(&device, rows[i].name);
        command(&device, CONNECT, 0);
        transmit(&device, 0x30, 0, 0, 0); /* the first instruction is not AC 53 */
        assert_int_equal(enable(&device), rows[i].result);
        assert_true(device.port.reset_low);
        fake_device_close(&device);
    }
}

/* --- addresses --- */

static void address_is_the_requests_own(void **state)
{
    struct fake_device device;
    uint8_t flash[512], eeprom[64], bytes[64];
    (void)state;
    open_fast(&device, "usbasp-2011");
    preset(&device, PART_FLASH, flash, sizeof flash);
    preset(&device, PART_EEPROM, eeprom, sizeof eeprom);
    begin(&device);
    assert_int_equal(fake_device_in(&device, READ_FLASH, 301, 0, bytes, 40), 40);
    assert_memory_equal(bytes, &flash[301], 40);
    assert_int_equal(fake_device_in(&device, READ_FLASH, 0, 0, bytes, 16), 16);
    assert_memory_equal(bytes, flash, 16);
    assert_int_equal(fake_device_in(&device, READ_EEPROM, 5, 0, bytes, 20), 20);
    assert_memory_equal(bytes, &eeprom[5], 20);
    fake_device_close(&device);
}

static void long_address_sticks_until_connect(void **state)
{
    struct fake_device device;
    uint8_t flash[512], eeprom[512], bytes[64];
    (void)state;
    open_fast(&device, "usbasp-2011");
    preset(&device, PART_FLASH, flash, sizeof flash);
    preset(&device, PART_EEPROM, eeprom, sizeof eeprom);
    begin(&device);
    set_long_address(&device, 100);
    fake_device_in(&device, READ_FLASH, 0, 0, bytes, 24);
    assert_memory_equal(bytes, &flash[100], 24);
    fake_device_in(&device, READ_FLASH, 0, 0, bytes, 24); /* goes on */
    assert_memory_equal(bytes, &flash[124], 24);
    fake_device_in(&device, READ_EEPROM, 0, 0, bytes, 8); /* by the same counter */
    assert_memory_equal(bytes, &eeprom[148], 8);
    assert_int_equal(enable(&device), 0);
    fake_device_in(&device, READ_FLASH, 0, 0, bytes, 8); /* ENABLEPROG changes nothing */
    assert_memory_equal(bytes, &flash[156], 8);
    begin(&device);
    fake_device_in(&device, READ_FLASH, 8, 0, bytes, 8);
    assert_memory_equal(bytes, &flash[8], 8);
    fake_device_close(&device);
}

static void writes_go_on_from_a_long_address(void **state)
{
    struct fake_device device;
    uint8_t bytes[2 * PAGE];
    (void)state;
    open_fast(&device, "usbasp-2011");
    fill(bytes, sizeof bytes, 1);
    begin(&device);
    set_long_address(&device, 0x1000);
    assert_int_equal(write_flash(&device, 0, FIRST | PAGE, bytes, PAGE), 0);
    assert_int_equal(write_flash(&device, 0, PAGE, bytes + PAGE, PAGE), 0);
    assert_memory_equal(fake_device_memory(&device, PART_FLASH) + 0x1000, bytes, sizeof bytes);
    assert_int_equal(pages_written(&device), 2);
    fake_device_close(&device);
}

/* 4D goes out by itself when address bit 17 changes, and not else. */
static void extended_address_is_loaded_when_it_changes(void **state)
{
    struct fake_device device;
    static uint8_t flash[256 * 1024];
    uint8_t bytes[16];
    (void)state;
    open_model(&device, "usbasp-2011", "ATmega2560", 0);
    preset(&device, PART_FLASH, flash, sizeof flash);
    set_option(&device, 8);
    begin(&device);
    set_long_address(&device, 0x1FFF8);
    assert_int_equal(fake_device_in(&device, READ_FLASH, 0xFFF8, 0, bytes, 16), 16);
    assert_memory_equal(bytes, &flash[0x1FFF8], 16);
    assert_int_equal(fake_device_sent(&device, 0x4D), 1);
    set_long_address(&device, 0x30000);
    fake_device_in(&device, READ_FLASH, 0, 0, bytes, 16);
    assert_memory_equal(bytes, &flash[0x30000], 16);
    assert_int_equal(fake_device_sent(&device, 0x4D), 1);
    fake_device_close(&device);
}

/* RESET makes the target forget the extended address; the firmware hears of it at CONNECT only. */
static void extended_address_is_stale_after_enabling_again(void **state)
{
    struct fake_device device;
    static uint8_t flash[256 * 1024];
    uint8_t bytes[8];
    (void)state;
    open_model(&device, "usbasp-2011", "ATmega2560", 0);
    preset(&device, PART_FLASH, flash, sizeof flash);
    flash[0] = 0x42;
    avr_target_preset(device.port.target, PART_FLASH, flash, sizeof flash);
    set_option(&device, 8);
    begin(&device);
    set_long_address(&device, 0x20000);
    fake_device_in(&device, READ_FLASH, 0, 0, bytes, 8);
    assert_memory_equal(bytes, &flash[0x20000], 8);
    /* glitches on SCK: the echo is no longer where it was */
    avr_target_transfer(device.port.target, 0x30, 93750, device.port.now_us);
    assert_int_equal(enable(&device), 0);
    set_long_address(&device, 0x20000);
    fake_device_in(&device, READ_FLASH, 0, 0, bytes, 8);
    assert_memory_equal(bytes, flash, 8); /* the lower half */
    begin(&device);
    set_long_address(&device, 0x20000);
    fake_device_in(&device, READ_FLASH, 0, 0, bytes, 8);
    assert_memory_equal(bytes, &flash[0x20000], 8);
    fake_device_close(&device);
}

static void dioannidis_always_loads_the_extended_address(void **state)
{
    struct fake_device device;
    uint8_t bytes[8];
    (void)state;
    open_fast(&device, "usbasp-dioannidis");
    begin(&device);
    fake_device_in(&device, READ_FLASH, 0, 0, bytes, 8);
    fake_device_in(&device, READ_FLASH, 0, 0, bytes, 8);
    assert_int_equal(fake_device_sent(&device, 0x4D), 1);
    fake_device_close(&device);
}

/* --- flash --- */

static void page_is_committed_when_it_is_full(void **state)
{
    struct fake_device device;
    uint8_t bytes[PAGE];
    (void)state;
    open_fast(&device, "usbasp-2011");
    fill(bytes, sizeof bytes, 9);
    begin(&device);
    assert_int_equal(write_flash(&device, 0x80, FIRST | PAGE, bytes, 64), 0);
    assert_int_equal(pages_written(&device), 0);
    assert_int_equal(write_flash(&device, 0xC0, PAGE, bytes + 64, 64), 0);
    assert_int_equal(pages_written(&device), 1);
    assert_memory_equal(fake_device_memory(&device, PART_FLASH) + 0x80, bytes, PAGE);
    fake_device_close(&device);
}

static void partial_page_is_lost(void **state)
{
    struct fake_device device;
    uint8_t bytes[PAGE];
    (void)state;
    open_fast(&device, "usbasp-2011");
    fill(bytes, sizeof bytes, 9);
    begin(&device);
    assert_int_equal(write_flash(&device, 0, FIRST | PAGE, bytes, 100), 0);
    command(&device, DISCONNECT, 0);
    begin(&device);
    assert_true(flash_is_blank(&device, 0, PAGE));
    assert_int_equal(pages_written(&device), 0);
    fake_device_close(&device);
}

static void partial_page_is_committed_as_the_last(void **state)
{
    struct fake_device device;
    uint8_t bytes[PAGE];
    (void)state;
    open_fast(&device, "usbasp-2011");
    fill(bytes, sizeof bytes, 9);
    begin(&device);
    assert_int_equal(write_flash(&device, 0, FIRST | LAST | PAGE, bytes, 100), 0);
    assert_memory_equal(fake_device_memory(&device, PART_FLASH), bytes, 100);
    assert_int_equal(pages_written(&device), 1);
    assert_int_equal(write_flash(&device, PAGE, FIRST | LAST | PAGE, bytes, PAGE), 0);
    assert_int_equal(pages_written(&device), 2); /* full: once */
    fake_device_close(&device);
}

/* Only a first block loads the counter; else it goes on from wherever it was. */
static void page_counter_is_loaded_by_the_first_block(void **state)
{
    struct fake_device device;
    uint8_t bytes[PAGE];
    (void)state;
    open_fast(&device, "usbasp-2011");
    fill(bytes, sizeof bytes, 9);
    begin(&device);
    write_flash(&device, 0, FIRST | PAGE, bytes, 64);
    write_flash(&device, PAGE, PAGE, bytes, PAGE); /* committed in its middle */
    assert_int_equal(pages_written(&device), 1);
    assert_true(flash_is_blank(&device, PAGE + 64, 64));
    write_flash(&device, 2 * PAGE, FIRST | PAGE, bytes, PAGE);
    assert_int_equal(pages_written(&device), 2);
    fake_device_close(&device);
    open_fast(&device, "usbasp-2011"); /* at power on it is 0, which counts as 256 */
    begin(&device);
    write_flash(&device, 0, PAGE, bytes, PAGE);
    assert_int_equal(pages_written(&device), 0);
    fake_device_close(&device);
}

/* A page of 256 bytes does not fit the counter of 8 bits, so the last one seems never full. */
static void page_of_256_is_committed_twice_as_the_last(void **state)
{
    struct fake_device device;
    uint8_t bytes[256];
    (void)state;
    open_model(&device, "usbasp-2011", "ATmega2560", 0);
    fill(bytes, sizeof bytes, 9);
    set_option(&device, 8);
    begin(&device);
    assert_int_equal(write_flash(&device, 0, FIRST | 0x1000, bytes, 256), 0);
    assert_int_equal(pages_written(&device), 1);
    assert_int_equal(write_flash(&device, 256, FIRST | LAST | 0x1000, bytes, 256), 0);
    assert_int_equal(pages_written(&device), 3);
    assert_memory_equal(fake_device_memory(&device, PART_FLASH), bytes, 256);
    assert_memory_equal(fake_device_memory(&device, PART_FLASH) + 256, bytes, 256);
    fake_device_close(&device);
}

static void takes_several_pages_in_one_transfer(void **state)
{
    struct fake_device device;
    uint8_t bytes[8 * PAGE];
    (void)state;
    open_fast(&device, "usbasp-2011");
    fill(bytes, sizeof bytes, 9);
    begin(&device);
    assert_int_equal(write_flash(&device, 0, FIRST | PAGE, bytes, sizeof bytes), 0);
    assert_int_equal(pages_written(&device), 8);
    assert_memory_equal(fake_device_memory(&device, PART_FLASH), bytes, sizeof bytes);
    fake_device_close(&device);
}

static void parts_without_pages_are_written_bytewise(void **state)
{
    struct fake_device device;
    uint8_t bytes[16];
    (void)state;
    open_model(&device, "usbasp-2011", "AT90S8515", 8 * MHZ);
    fill(bytes, sizeof bytes, 9);
    bytes[3] = 0x7F;
    bytes[4] = 0x7F;
    begin(&device);
    assert_int_equal(write_flash(&device, 0x20, FIRST, bytes, sizeof bytes), 0);
    assert_memory_equal(fake_device_memory(&device, PART_FLASH) + 0x20, bytes, sizeof bytes);
    assert_int_equal(fake_device_sent(&device, 0x4C), 0);
    fake_device_close(&device);
}

/* --- time --- */

static int64_t time_write(struct fake_device *device, uint16_t address, const uint8_t *bytes)
{
    int64_t before_us = device->port.now_us;
    assert_int_equal(write_flash(device, address, FIRST | PAGE, bytes, PAGE), 0);
    return device->port.now_us - before_us;
}

/* 85.3 us a byte; then the page's last byte is read until it is there, at most for 30 x 320 us, or
 * 4.8 ms pass where it is FF. */
static void committing_takes_its_time(void **state)
{
    static const struct avr_target_defects defects = {.write_factor = 1000};
    const int64_t load_us = 32 * (PAGE + 1) * INT64_C(1000) / 375;
    struct fake_device device;
    uint8_t bytes[PAGE];
    (void)state;
    open_fast(&device, "usbasp-2011");
    fill(bytes, sizeof bytes, 9);
    begin(&device);
    int64_t polled_us = time_write(&device, 0, bytes) - load_us;
    assert_true(polled_us >= 4500 && polled_us <= 4500 + 2 * 86);
    bytes[PAGE - 1] = 0xFF;
    assert_in_range(time_write(&device, PAGE, bytes) - load_us, 4800, 4801);
    avr_target_set_defects(device.port.target, &defects);
    bytes[PAGE - 1] = 0x55;
    int64_t given_up_us = time_write(&device, 2 * PAGE, bytes) - load_us;
    assert_true(given_up_us >= 9600 && given_up_us <= 9600 + 30 * 86);
    fake_device_close(&device);
}

static void eeprom_takes_9600_us_a_byte(void **state)
{
    struct fake_device device;
    uint8_t bytes[12];
    (void)state;
    open_fast(&device, "usbasp-2011");
    fill(bytes, sizeof bytes, 9);
    begin(&device);
    int64_t before_us = device.port.now_us;
    assert_int_equal(fake_device_out(&device, WRITE_EEPROM, 7, 0, bytes, sizeof bytes), 0);
    assert_int_equal(device.port.now_us - before_us, 12 * 9600 + 12 * 32000 / 375);
    assert_memory_equal(fake_device_memory(&device, PART_EEPROM) + 7, bytes, sizeof bytes);
    fake_device_close(&device);
}

static void slow_sck_takes_its_time(void **state)
{
    struct fake_device device;
    uint8_t bytes[200];
    (void)state;
    open_fast(&device, "usbasp-2011-slow-jumper");
    begin(&device);
    int64_t before_us = device.port.now_us;
    assert_int_equal(fake_device_in(&device, READ_FLASH, 0, 0, bytes, sizeof bytes), 200);
    assert_int_equal(device.port.now_us - before_us, 200 * 4000);
    fake_device_close(&device);
}

/* --- limits of the transfers --- */

static void reading_255_bytes_and_more_is_broken(void **state)
{
    static const struct {
        const char *name;
        uint16_t length;
        int result;
    } rows[] = {
        {"usbasp-2011", 254, 254},        {"usbasp-2011", 255, USB_SILENT},
        {"usbasp-2011", 256, 0},          {"usbasp-2011", 260, 4},
        {"usbasp-2011", 511, USB_SILENT}, {"usbasp-2009", 256, 0},
        {"usbasp-dioannidis", 255, 255},  {"usbasp-dioannidis", 512, 512},
        {"usbasp-3mhz", 256, 256},
    };
    static uint8_t flash[1024];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fake_device device;
        uint8_t bytes[1024];
        open_fast(&device, rows[i].name);
        preset(&device, PART_FLASH, flash, sizeof flash);
        begin(&device);
        int count = fake_device_in(&device, READ_FLASH, 0, 0, bytes, rows[i].length);
        assert_int_equal(count, rows[i].result);
        assert_memory_equal(bytes, flash, count > 0 ? (size_t)count : 0);
        fake_device_close(&device);
    }
}

static void data_in_the_wrong_direction_stall(void **state)
{
    struct fake_device device;
    uint8_t bytes[16] = {0};
    (void)state;
    open_fast(&device, "usbasp-2011");
    begin(&device);
    assert_int_equal(fake_device_out(&device, READ_FLASH, 0, 0, bytes, 16), USB_STALL);
    assert_int_equal(fake_device_in(&device, WRITE_FLASH, 0, FIRST | PAGE, bytes, 16), USB_STALL);
    assert_int_equal(fake_device_out(&device, READ_EEPROM, 0, 0, bytes, 16), USB_STALL);
    assert_int_equal(fake_device_in(&device, READ_FLASH, 0, 0, bytes, 16), 16); /* goes on */
    assert_int_equal(device.port.frame_count, 16);
    fake_device_close(&device);
}

static void waits_for_data_that_do_not_come(void **state)
{
    struct fake_device device;
    uint8_t bytes[PAGE];
    (void)state;
    open_fast(&device, "usbasp-2011");
    fill(bytes, sizeof bytes, 9);
    begin(&device);
    const struct usb_setup without_data = {0x40, WRITE_FLASH, 0, FIRST | PAGE, 0};
    assert_int_equal(device.firmware->setup(device.instance, &without_data, bytes), USB_SILENT);
    assert_int_equal(
        fake_device_out_badly(&device, WRITE_FLASH, 0, FIRST | PAGE, bytes, PAGE, -1, PAGE / 8 - 1),
        USB_SILENT);
    assert_int_equal(pages_written(&device), 0);
    assert_int_equal(transmit(&device, 0x30, 0, 0, 0), 0x1E);
    fake_device_close(&device);
}

/* Nothing tells a repeated packet from a new one: the page ends early, and what is left over finds
 * nobody. */
static void repeated_packet_is_taken_for_the_next(void **state)
{
    struct fake_device device;
    uint8_t bytes[PAGE];
    (void)state;
    open_fast(&device, "usbasp-2011");
    fill(bytes, sizeof bytes, 9);
    begin(&device);
    assert_int_equal(
        fake_device_out_badly(&device, WRITE_FLASH, 0, FIRST | PAGE, bytes, PAGE, 2, -1),
        USB_STALL);
    const uint8_t *flash = fake_device_memory(&device, PART_FLASH);
    assert_int_equal(pages_written(&device), 1);
    assert_memory_equal(flash, bytes, 24);
    assert_memory_equal(flash + 24, bytes + 16, PAGE - 24);
    fake_device_close(&device);
}

/* What comes in the packet after the last byte goes to EEPROM. */
static void bytes_too_many_go_to_eeprom(void **state)
{
    struct fake_device device;
    uint8_t bytes[20];
    (void)state;
    open_fast(&device, "usbasp-2011");
    fill(bytes, sizeof bytes, 9);
    begin(&device);
    /* 8, 8 again, and 8 of which 4 are too many; then 4 that find nobody */
    assert_int_equal(fake_device_out_badly(&device, WRITE_FLASH, 0, FIRST | PAGE, bytes, 20, 0, -1),
                     USB_STALL);
    assert_memory_equal(fake_device_memory(&device, PART_EEPROM) + 20, bytes + 12, 4);
    assert_int_equal(avr_target_counts(device.port.target)->eeprom_writes, 4);
    fake_device_close(&device);
}

/* --- forks --- */

static void dioannidis_steps_down(void **state)
{
    struct fake_device device;
    (void)state;
    open_model(&device, "usbasp-dioannidis", "ATmega328P", 0); /* 1 MHz */
    command(&device, CONNECT, 0);
    assert_int_equal(enable(&device), 0);
    assert_int_equal(device.port.sck_hz, 187500);
    assert_int_equal(transmit(&device, 0x30, 0, 0, 0), 0x1E);
    command(&device, CONNECT, 0); /* remembers the step… */
    enable(&device);
    assert_int_equal(device.port.sck_hz, 187500);
    command(&device, DISCONNECT, 0);
    fake_device_close(&device);
}

static void dioannidis_forgets_sck_at_disconnect(void **state)
{
    struct fake_device device;
    (void)state;
    open_fast(&device, "usbasp-dioannidis");
    set_option(&device, 8);
    begin(&device);
    assert_int_equal(device.port.sck_hz, 93750);
    command(&device, DISCONNECT, 0);
    begin(&device);
    assert_int_equal(device.port.sck_hz, 1500000);
    fake_device_close(&device);
}

static void dioannidis_needs_seconds_without_a_target(void **state)
{
    struct fake_device device;
    (void)state;
    open_model(&device, "usbasp-dioannidis", NULL, 0);
    command(&device, CONNECT, 0);
    int64_t before_us = device.port.now_us;
    assert_int_equal(enable(&device), 1);
    int64_t took_us = device.port.now_us - before_us;
    assert_true(took_us > 1500000 && took_us < 2000000);
    fake_device_close(&device);
}

static void dioannidis_hangs_when_spi_is_used_before_enabling(void **state)
{
    struct fake_device device;
    (void)state;
    open_fast(&device, "usbasp-dioannidis");
    command(&device, CONNECT, 0);
    assert_true(device.port.reset_low);
    assert_int_equal(transmit(&device, 0xAC, 0x53, 0, 0), USB_SILENT);
    assert_int_equal(command(&device, DISCONNECT, 0), USB_SILENT);
    fake_device_close(&device);
    open_model(&device, "usbasp-dioannidis", NULL, 0); /* nor after it failed */
    command(&device, CONNECT, 0);
    assert_int_equal(enable(&device), 1);
    assert_int_equal(transmit(&device, 0x30, 0, 0, 0), USB_SILENT);
    fake_device_close(&device);
}

static void dioannidis_looks_at_the_type_of_request(void **state)
{
    struct fake_device device;
    const struct usb_setup get_report = {0xA1, CONNECT, 0x0300, 0, 8}; /* HID: GET_REPORT is 1 */
    uint8_t reply[USB_PACKET_BYTES];
    (void)state;
    open_fast(&device, "usbasp-dioannidis");
    assert_int_equal(device.firmware->setup(device.instance, &get_report, reply), 0);
    assert_false(device.port.reset_low);
    fake_device_close(&device);
    open_fast(&device, "usbasp-2011");
    assert_int_equal(device.firmware->setup(device.instance, &get_report, reply), 0);
    assert_true(device.port.reset_low);
    fake_device_close(&device);
}

static void fork_with_3_mhz_searches(void **state)
{
    static const struct {
        int64_t clock_hz;
        int64_t sck_hz; /* of what follows */
    } rows[] = {
        {1000000, 187500}, /* the SPI unit stays at what worked… */
        {128000, 16000},   /* …and the loop, at 32 kHz, takes one step more */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct avr_target_defects defects = {.clock_hz = rows[i].clock_hz};
        struct fake_device device;
        open_fast(&device, "usbasp-3mhz");
        avr_target_set_defects(device.port.target, &defects);
        command(&device, CONNECT, 0);
        assert_int_equal(enable(&device), 0);
        assert_int_equal(transmit(&device, 0x30, 0, 0, 0), 0x1E);
        assert_int_equal(device.port.sck_hz, rows[i].sck_hz);
        fake_device_close(&device);
    }
}

/* --- trouble --- */

/* The port asserts that nothing is spent after a frame that did not end. */
static void leaves_quickly_after_a_mishap(void **state)
{
    static const char *const names[] = {"usbasp-2011", "usbasp-2009", "usbasp-dioannidis",
                                        "usbasp-3mhz"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct fake_device device;
        uint8_t bytes[PAGE] = {0};
        open_fast(&device, names[i]);
        begin(&device);
        device.port.frames_to_mishap = 5;
        fake_device_in(&device, READ_FLASH, 0, 0, bytes, PAGE);
        device.port.frames_to_mishap = 5;
        write_flash(&device, 0, FIRST | PAGE, bytes, PAGE);
        device.port.frames_to_mishap = 5;
        fake_device_out(&device, WRITE_EEPROM, 0, 0, bytes, PAGE);
        device.port.frames_to_mishap = PAGE + 3; /* while it polls */
        write_flash(&device, 0, FIRST | PAGE, bytes, PAGE);
        device.port.frames_to_mishap = -1;
        device.port.now_us += 20000; /* the page that was being written */
        assert_int_equal(transmit(&device, 0x30, 0, 0, 0), 0x1E);
        device.port.frames_to_mishap = 1;
        command(&device, ENABLE, 0);
        device.port.frames_to_mishap = -1;
        fake_device_start(&device);
        begin(&device);
        assert_int_equal(transmit(&device, 0x30, 0, 0, 0), 0x1E);
        fake_device_close(&device);
    }
}

static void target_that_goes_is_not_noticed(void **state)
{
    struct fake_device device;
    uint8_t bytes[64];
    (void)state;
    open_fast(&device, "usbasp-2011");
    begin(&device);
    avr_target_free(device.port.target);
    device.port.target = NULL;
    assert_int_equal(fake_device_in(&device, READ_FLASH, 0, 0, bytes, 64), 64);
    assert_int_equal(bytes[63], 0xFF);
    assert_int_equal(write_flash(&device, 0, FIRST | 64, bytes, 64), 0);
    fake_device_close(&device);
}

static void others_answer_with_no_bytes(void **state)
{
    static const char *const names[] = {"usbhid-lookalike", "vusb-ledcontrol"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct fake_device device;
        uint8_t bytes[64];
        open_fast(&device, names[i]);
        for (int number = 0; number < 256; number++) {
            assert_int_equal(fake_device_in(&device, (uint8_t)number, 0, 0, bytes, 64), 0);
            assert_int_equal(fake_device_out(&device, (uint8_t)number, 0, 0, bytes, 64), 0);
        }
        assert_false(device.port.reset_low);
        assert_int_equal(device.port.frame_count, 0);
        fake_device_close(&device);
    }
}

static void tpi_finds_nobody(void **state)
{
    struct fake_device device;
    uint8_t bytes[32] = {0};
    (void)state;
    open_fast(&device, "usbasp-2011");
    assert_int_equal(command(&device, 11, 0), 0);
    assert_true(device.port.reset_low);
    assert_int_equal(request(&device, 13, 0, bytes), 1);
    assert_int_equal(bytes[0], 0xFF);
    assert_int_equal(fake_device_in(&device, 15, 0, 0, bytes, 32), 32);
    assert_int_equal(bytes[31], 0xFF);
    assert_int_equal(fake_device_out(&device, 16, 0, 0, bytes, 32), 0);
    assert_int_equal(command(&device, 12, 0), 0);
    assert_false(device.port.reset_low);
    assert_int_equal(device.port.frame_count, 0);
    fake_device_close(&device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_who_it_is),
        cmocka_unit_test(tells_its_capabilities),
        cmocka_unit_test(answers_what_it_does_not_know_with_no_bytes),
        cmocka_unit_test(oldest_ignores_sck_and_long_addresses),
        cmocka_unit_test(reply_is_no_longer_than_asked),
        cmocka_unit_test(enables_reads_and_releases),
        cmocka_unit_test(returns_the_echo),
        cmocka_unit_test(enable_fails_without_a_target),
        cmocka_unit_test(enable_fails_when_sck_is_too_fast),
        cmocka_unit_test(sck_is_applied_at_connect_only),
        cmocka_unit_test(options_choose_sck),
        cmocka_unit_test(forks_make_3_mhz),
        cmocka_unit_test(transmit_without_connect_hangs),
        cmocka_unit_test(slow_sck_without_connect_reaches_nobody),
        cmocka_unit_test(enable_pulses_reset_since_1_4),
        cmocka_unit_test(address_is_the_requests_own),
        cmocka_unit_test(long_address_sticks_until_connect),
        cmocka_unit_test(writes_go_on_from_a_long_address),
        cmocka_unit_test(extended_address_is_loaded_when_it_changes),
        cmocka_unit_test(extended_address_is_stale_after_enabling_again),
        cmocka_unit_test(dioannidis_always_loads_the_extended_address),
        cmocka_unit_test(page_is_committed_when_it_is_full),
        cmocka_unit_test(partial_page_is_lost),
        cmocka_unit_test(partial_page_is_committed_as_the_last),
        cmocka_unit_test(page_counter_is_loaded_by_the_first_block),
        cmocka_unit_test(page_of_256_is_committed_twice_as_the_last),
        cmocka_unit_test(takes_several_pages_in_one_transfer),
        cmocka_unit_test(parts_without_pages_are_written_bytewise),
        cmocka_unit_test(committing_takes_its_time),
        cmocka_unit_test(eeprom_takes_9600_us_a_byte),
        cmocka_unit_test(slow_sck_takes_its_time),
        cmocka_unit_test(reading_255_bytes_and_more_is_broken),
        cmocka_unit_test(data_in_the_wrong_direction_stall),
        cmocka_unit_test(waits_for_data_that_do_not_come),
        cmocka_unit_test(repeated_packet_is_taken_for_the_next),
        cmocka_unit_test(bytes_too_many_go_to_eeprom),
        cmocka_unit_test(dioannidis_steps_down),
        cmocka_unit_test(dioannidis_forgets_sck_at_disconnect),
        cmocka_unit_test(dioannidis_needs_seconds_without_a_target),
        cmocka_unit_test(dioannidis_hangs_when_spi_is_used_before_enabling),
        cmocka_unit_test(dioannidis_looks_at_the_type_of_request),
        cmocka_unit_test(fork_with_3_mhz_searches),
        cmocka_unit_test(leaves_quickly_after_a_mishap),
        cmocka_unit_test(target_that_goes_is_not_noticed),
        cmocka_unit_test(others_answer_with_no_bytes),
        cmocka_unit_test(tpi_finds_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
