/* The USBtinyISP: few rules, and nothing that tells of an error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "jigs/simbench/usbtiny_model.h"
#include "tests/fake_usb_port.h"

#define MHZ 1000000
#define PAGE 128 /* ATmega328P */

enum request {
    ECHO,
    READ_PORT,
    WRITE_PORT,
    CLEAR_BIT,
    SET_BIT,
    POWER_UP,
    POWER_DOWN,
    SPI,
    POLL_BYTES,
    FLASH_READ,
    FLASH_WRITE,
    EEPROM_READ,
    EEPROM_WRITE,
    WRITE_DIRECTION,
    SPI1
};

static void open_model(struct fake_device *device, const char *name, const char *part,
                       int64_t crystal_hz)
{
    fake_device_open(device, usbtiny_models, usbtiny_model_count, name, part, crystal_hz);
}

/* A part that runs on a crystal of 16 MHz. */
static void open_fast(struct fake_device *device, const char *part)
{
    static const uint8_t low_fuse = 0xFF;
    open_model(device, "usbtinyisp", part, 16 * MHZ);
    avr_target_preset(device->port.target, PART_FUSE_LOW, &low_fuse, 1);
}

static int request(struct fake_device *device, uint8_t number, uint16_t value, uint16_t index)
{
    uint8_t reply[8];
    return fake_device_in(device, number, value, index, reply, 4);
}

/* The fourth byte of the answer; negative when the answer is not four bytes. */
static int spi(struct fake_device *device, uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    uint8_t reply[4] = {0};
    int count =
        fake_device_in(device, SPI, (uint16_t)(b << 8 | a), (uint16_t)(d << 8 | c), reply, 4);
    return count == 4 ? reply[3] : -100 + count;
}

static bool enable(struct fake_device *device)
{
    uint8_t reply[4] = {0};
    assert_int_equal(fake_device_in(device, SPI, 0x53AC, 0, reply, 4), 4);
    return reply[2] == 0x53;
}

static void begin(struct fake_device *device, uint16_t period)
{
    assert_int_equal(request(device, POWER_UP, period, 0), 0);
    assert_true(enable(device));
    device->port.frame_count = 0;
}

static void fill(uint8_t *bytes, size_t count, uint8_t seed)
{
    for (size_t i = 0; i < count; i++) {
        bytes[i] = (uint8_t)(seed + i / 65536 * 31 + i / 256 + 7 * i);
    }
}

static void tells_who_it_is(void **state)
{
    static const struct {
        const char *name;
        uint16_t vendor, product;
        const char *product_name;
    } rows[] = {
        {"usbtinyisp", 0x1781, 0x0C9F, "USBtiny"},
        {"pocket-avr", 0x1781, 0x0C9F, "USBtiny"},
        {"arduino-isp", 0x2341, 0x0049, "Arduino ISP"},
    };
    (void)state;
    assert_int_equal(usbtiny_model_count, sizeof rows / sizeof *rows);
    for (size_t i = 0; i < usbtiny_model_count; i++) {
        const struct usb_identity *identity = &usbtiny_models[i].identity;
        assert_string_equal(usbtiny_models[i].name, rows[i].name);
        assert_string_equal(usbtiny_models[i].programmer, "usbtiny");
        assert_int_equal(identity->vendor, rows[i].vendor);
        assert_int_equal(identity->product, rows[i].product);
        assert_string_equal(identity->product_name, rows[i].product_name);
        assert_null(identity->serial);
    }
}

static void echoes_the_setup_packet(void **state)
{
    static const uint8_t packet[8] = {0xC0, ECHO, 0x34, 0x12, 0x78, 0x56, 8, 0};
    struct fake_device device;
    uint8_t reply[8];
    (void)state;
    open_model(&device, "usbtinyisp", NULL, 0);
    assert_int_equal(fake_device_in(&device, ECHO, 0x1234, 0x5678, reply, 8), 8);
    assert_memory_equal(reply, packet, 8);
    assert_int_equal(fake_device_in(&device, ECHO, 0, 0, reply, 3), 3);
    fake_device_close(&device);
}

static void answers_no_bytes_before_power_up(void **state)
{
    struct fake_device device;
    uint8_t bytes[64];
    (void)state;
    open_fast(&device, "ATmega328P");
    for (int pass = 0; pass < 2; pass++) {
        for (int number = SPI; number <= SPI1; number++) {
            assert_int_equal(fake_device_in(&device, (uint8_t)number, 0x30, 0, bytes, 64), 0);
        }
        assert_int_equal(fake_device_out(&device, FLASH_WRITE, 0, 0, bytes, 64), 0);
        assert_int_equal(device.port.frame_count, 0);
        begin(&device, 1);
        assert_int_equal(spi(&device, 0x30, 0, 0, 0), 0x1E);
        assert_int_equal(request(&device, POWER_DOWN, 0, 0), 0);
        assert_false(device.port.reset_low);
        device.port.frame_count = 0;
    }
    fake_device_close(&device);
}

static void answers_what_it_does_not_know_with_no_bytes(void **state)
{
    struct fake_device device;
    uint8_t bytes[64];
    (void)state;
    open_fast(&device, "ATmega328P");
    begin(&device, 1);
    for (int number = SPI1; number < 256; number++) {
        assert_int_equal(fake_device_in(&device, (uint8_t)number, 0, 0, bytes, 64), 0);
    }
    assert_int_equal(device.port.frame_count, 0);
    fake_device_close(&device);
}

static void reads_signature_and_fuses(void **state)
{
    struct fake_device device;
    (void)state;
    open_fast(&device, "ATmega328P");
    begin(&device, 1);
    assert_int_equal(spi(&device, 0x30, 0, 0, 0), 0x1E);
    assert_int_equal(spi(&device, 0x30, 0, 1, 0), 0x95);
    assert_int_equal(spi(&device, 0x50, 0, 0, 0), 0xFF);
    fake_device_close(&device);
}

static void power_up_pulses_reset(void **state)
{
    struct fake_device device;
    (void)state;
    open_fast(&device, "ATmega328P");
    assert_false(device.port.reset_low);
    request(&device, POWER_UP, 1, 0);
    assert_true(device.port.reset_low);
    spi(&device, 0x30, 0, 0, 0); /* out of step now */
    assert_false(enable(&device));
    request(&device, POWER_UP, 1, 1);
    assert_false(device.port.reset_low);
    assert_false(enable(&device));
    request(&device, POWER_UP, 1, 0);
    assert_true(enable(&device));
    fake_device_close(&device);
}

/* Bit time: the period and 1.5 us. */
static void period_makes_sck(void **state)
{
    static const struct {
        uint16_t period;
        int64_t sck_hz, frame_us;
    } rows[] = {
        {1, 400000, 80},  {2, 285714, 112},  {6, 133333, 240},
        {10, 86956, 368}, {250, 3976, 8048}, {0, 3883, 8240}, /* counts as 256 */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fake_device device;
        uint8_t bytes[8];
        open_fast(&device, "ATmega328P");
        begin(&device, rows[i].period);
        int64_t before_us = device.port.now_us;
        assert_int_equal(fake_device_in(&device, FLASH_READ, 0, 0, bytes, 8), 8);
        assert_int_equal(device.port.sck_hz, rows[i].sck_hz);
        assert_int_equal(device.port.now_us - before_us, 8 * rows[i].frame_us);
        fake_device_close(&device);
    }
}

/* A new part runs at 1 MHz: what comes then looks as good as anything else. */
static void sck_too_fast_gives_garbage(void **state)
{
    struct fake_device device;
    uint8_t bytes[32], again[32];
    (void)state;
    open_model(&device, "usbtinyisp", "ATmega328P", 0);
    request(&device, POWER_UP, 2, 0);
    enable(&device);
    assert_int_equal(fake_device_in(&device, FLASH_READ, 0, 0, bytes, 32), 32);
    assert_int_equal(fake_device_in(&device, FLASH_READ, 0, 0, again, 32), 32);
    assert_memory_not_equal(bytes, again, 32);
    assert_int_equal(fake_device_out(&device, FLASH_WRITE, 0, 0, bytes, 32), 0);
    assert_true(avr_target_counts(device.port.target)->too_fast > 0);
    request(&device, POWER_UP, 4, 1);
    request(&device, POWER_UP, 4, 0);
    assert_true(enable(&device));
    assert_int_equal(spi(&device, 0x30, 0, 0, 0), 0x1E);
    fake_device_close(&device);
}

static void target_that_is_gone_is_not_noticed(void **state)
{
    struct fake_device device;
    uint8_t bytes[32];
    (void)state;
    open_model(&device, "usbtinyisp", NULL, 0);
    request(&device, POWER_UP, 1, 0);
    assert_false(enable(&device)); /* but for the echo */
    assert_int_equal(fake_device_in(&device, FLASH_READ, 0, 0, bytes, 32), 32);
    assert_int_equal(bytes[0], 0xFF);
    assert_int_equal(fake_device_out(&device, FLASH_WRITE, 0, 0, bytes, 32), 0);
    fake_device_close(&device);
}

/* --- addresses --- */

/* 16 bits of a byte address: bit 15 of the word address is never set, so above 64 KiB the lower
 * copy comes, and behind the end of it its beginning. */
static void reading_reaches_64_kib(void **state)
{
    struct fake_device device;
    static uint8_t flash[128 * 1024];
    uint8_t bytes[64];
    (void)state;
    open_fast(&device, "ATmega1284P");
    fill(flash, sizeof flash, 3);
    avr_target_preset(device.port.target, PART_FLASH, flash, sizeof flash);
    begin(&device, 1);
    fake_device_in(&device, FLASH_READ, 0, 0x1235, bytes, 64);
    assert_memory_equal(bytes, &flash[0x1235], 64);
    fake_device_in(&device, FLASH_READ, 0, (uint16_t)0x11235, bytes, 64);
    assert_memory_equal(bytes, &flash[0x1235], 64);
    assert_memory_not_equal(bytes, &flash[0x11235], 64);
    fake_device_in(&device, FLASH_READ, 0, 0xFFF0, bytes, 64);
    assert_memory_equal(bytes, &flash[0xFFF0], 16);
    assert_memory_equal(bytes + 16, flash, 48);
    for (int i = 0; i < device.port.frame_count; i++) {
        assert_int_equal(device.port.frames[i][1] & 0x80, 0);
    }
    assert_int_equal(spi(&device, 0x28, 0x80, 0x10, 0), flash[0x10021]); /* the slow way */
    fake_device_close(&device);
}

static void page_above_64_kib_is_written_by_its_commit(void **state)
{
    struct fake_device device;
    uint8_t bytes[256];
    (void)state;
    open_fast(&device, "ATmega1284P");
    fill(bytes, sizeof bytes, 3);
    begin(&device, 1);
    assert_int_equal(fake_device_out(&device, FLASH_WRITE, 0, 0x0100, bytes, 256), 0);
    spi(&device, 0x4C, 0x80, 0x80, 0);
    const uint8_t *flash = fake_device_memory(&device, PART_FLASH);
    assert_memory_equal(flash + 0x10100, bytes, 256);
    assert_int_equal(flash[0x0100], 0xFF);
    fake_device_close(&device);
}

static void eeprom_address_is_a_bytes(void **state)
{
    struct fake_device device;
    uint8_t eeprom[1024], bytes[16];
    (void)state;
    open_fast(&device, "ATmega328P");
    fill(eeprom, sizeof eeprom, 3);
    avr_target_preset(device.port.target, PART_EEPROM, eeprom, sizeof eeprom);
    begin(&device, 1);
    fake_device_in(&device, EEPROM_READ, 0, 0x0201, bytes, 16);
    assert_memory_equal(bytes, &eeprom[0x0201], 16);
    assert_int_equal(fake_device_sent(&device, 0xA0), 16);
    fake_device_close(&device);
}

/* --- writing --- */

/* The page is kept by the target, not by the programmer; only the host commits it. */
static void page_is_loaded_and_committed_apart(void **state)
{
    struct fake_device device;
    uint8_t bytes[PAGE];
    (void)state;
    open_fast(&device, "ATmega328P");
    fill(bytes, sizeof bytes, 3);
    begin(&device, 1);
    int64_t before_us = device.port.now_us;
    fake_device_out(&device, FLASH_WRITE, 0, 0x80, bytes, 64);
    fake_device_out(&device, FLASH_WRITE, 0, 0xC0, bytes + 64, 64);
    assert_int_equal(device.port.now_us - before_us, PAGE * 80);
    assert_int_equal(device.port.frame_count, PAGE);
    assert_int_equal(avr_target_counts(device.port.target)->flash_pages, 0);
    spi(&device, 0x4C, 0, 0x40, 0);
    assert_memory_equal(fake_device_memory(&device, PART_FLASH) + 0x80, bytes, PAGE);
    device.port.now_us += 5000;
    fake_device_out(&device, FLASH_WRITE, 0, 0x100, bytes, PAGE);
    request(&device, POWER_UP, 1, 1); /* RESET: what was loaded is gone */
    begin(&device, 1);
    spi(&device, 0x4C, 0, 0x80, 0);
    assert_int_equal(fake_device_memory(&device, PART_FLASH)[0x100], 0xFF);
    fake_device_close(&device);
}

/* With a time each byte is read until it is there, and not one of the two that mean "busy"; when
 * the time is over the next one follows. */
static void check_polling(uint16_t busy_values)
{
    struct fake_device device;
    uint8_t bytes[4] = {0x11, 0x7F, 0x33, 0x44};
    open_fast(&device, "ATmega328P");
    begin(&device, 1);
    request(&device, POLL_BYTES, busy_values, 0);
    int64_t before_us = device.port.now_us;
    assert_int_equal(fake_device_out(&device, EEPROM_WRITE, 9000, 8, bytes, 4), 0);
    assert_memory_equal(fake_device_memory(&device, PART_EEPROM) + 8, bytes, 4);
    /* three bytes of 3.6 ms; and 7F, which cannot tell: 9 ms, counted without what is around the
     * bits, that is 80 us for each 32 */
    int64_t took_us = device.port.now_us - before_us;
    assert_in_range(took_us, 3 * 3600 + 9000 * 80 / 32, 3 * 3600 + 9000 * 80 / 32 + 11 * 80);
    fake_device_close(&device);
}

static void bytes_are_polled_when_there_is_time(void **state)
{
    (void)state;
    check_polling(0x7FFF);
    check_polling(0xFF7F);
}

static void bytes_are_lost_without_time(void **state)
{
    struct fake_device device;
    uint8_t bytes[4] = {0x11, 0x22, 0x33, 0x44};
    (void)state;
    open_fast(&device, "ATmega328P");
    begin(&device, 1);
    assert_int_equal(fake_device_out(&device, EEPROM_WRITE, 0, 8, bytes, 4), 0);
    const uint8_t *eeprom = fake_device_memory(&device, PART_EEPROM);
    assert_int_equal(eeprom[8], 0x11);
    assert_int_equal(eeprom[9], 0xFF);
    assert_int_equal(avr_target_counts(device.port.target)->ignored_busy, 3);
    fake_device_close(&device);
}

static void polling_gives_up_silently(void **state)
{
    static const struct avr_target_defects defects = {.write_factor = 100};
    struct fake_device device;
    uint8_t bytes[2] = {0x11, 0x22};
    (void)state;
    open_fast(&device, "ATmega328P");
    avr_target_set_defects(device.port.target, &defects);
    begin(&device, 1);
    assert_int_equal(fake_device_out(&device, EEPROM_WRITE, 3200, 8, bytes, 2), 0);
    assert_int_equal(device.port.frame_count, 2 * (1 + 100));
    fake_device_close(&device);
}

/* --- the stack --- */

static void reading_gives_255_bytes_at_most(void **state)
{
    static const struct {
        uint16_t length;
        int result;
    } rows[] = {{248, 248}, {254, 254}, {255, 255}, {256, 255}, {512, 255}, {0x0401, 255}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fake_device device;
        uint8_t bytes[0x0401];
        open_fast(&device, "ATmega328P");
        begin(&device, 1);
        assert_int_equal(fake_device_in(&device, FLASH_READ, 0, 0, bytes, rows[i].length),
                         rows[i].result);
        fake_device_close(&device);
    }
}

/* Each packet goes to the firmware as it comes, and the transfer ends well whatever came. */
static void repeated_and_lost_packets_move_the_rest(void **state)
{
    struct fake_device device;
    uint8_t bytes[64];
    (void)state;
    open_fast(&device, "ATmega328P");
    fill(bytes, sizeof bytes, 3);
    begin(&device, 1);
    assert_int_equal(fake_device_out_badly(&device, FLASH_WRITE, 0, 0, bytes, 64, 1, -1), 0);
    spi(&device, 0x4C, 0, 0, 0);
    device.port.now_us += 5000;
    assert_int_equal(fake_device_out_badly(&device, FLASH_WRITE, 0, PAGE, bytes, 64, -1, 1), 0);
    spi(&device, 0x4C, 0, PAGE / 2, 0);
    const uint8_t *flash = fake_device_memory(&device, PART_FLASH);
    assert_memory_equal(flash, bytes, 16);
    assert_memory_equal(flash + 16, bytes + 8, 56);
    assert_memory_equal(flash + PAGE, bytes, 8);
    assert_memory_equal(flash + PAGE + 8, bytes + 16, 48);
    fake_device_close(&device);
}

/* The stack does not ask which request the data belong to. */
static void data_of_any_request_are_written(void **state)
{
    struct fake_device device;
    uint8_t bytes[16];
    (void)state;
    open_fast(&device, "ATmega328P");
    fill(bytes, sizeof bytes, 3);
    begin(&device, 1);
    fake_device_out(&device, FLASH_WRITE, 0, 0, bytes, 8);
    assert_int_equal(fake_device_out(&device, ECHO, 0, 0, bytes + 8, 8), 0);
    spi(&device, 0x4C, 0, 0, 0);
    assert_memory_equal(fake_device_memory(&device, PART_FLASH), bytes, 16);
    fake_device_close(&device);
}

static void port_bits_move_the_lines(void **state)
{
    struct fake_device device;
    uint8_t byte = 0xEE;
    (void)state;
    open_fast(&device, "ATmega328P");
    request(&device, SET_BIT, 0, 0);
    request(&device, WRITE_DIRECTION, 0xFF, 0);
    assert_false(device.port.reset_low); /* the buffer is off */
    request(&device, POWER_UP, 1, 1);
    assert_int_equal(fake_device_in(&device, READ_PORT, 0, 0, &byte, 1), 1);
    assert_int_equal(byte, 0x11);
    request(&device, CLEAR_BIT, 4, 0);
    assert_true(device.port.reset_low);
    request(&device, SET_BIT, 4, 0);
    assert_false(device.port.reset_low);
    request(&device, WRITE_PORT, 0x01, 0);
    assert_true(device.port.reset_low);
    request(&device, WRITE_DIRECTION, 0x01, 0);
    assert_false(device.port.reset_low);
    request(&device, WRITE_DIRECTION, 0xB1, 0);
    assert_true(enable(&device));
    request(&device, WRITE_PORT, 0, 0); /* it takes itself for powered down */
    assert_int_equal(request(&device, SPI, 0x30, 0), 0);
    assert_true(device.port.reset_low);
    fake_device_close(&device);
}

/* The port asserts that nothing is spent after a frame that did not end. */
static void leaves_quickly_after_a_mishap(void **state)
{
    struct fake_device device;
    uint8_t bytes[64] = {0};
    (void)state;
    open_fast(&device, "ATmega328P");
    begin(&device, 1);
    device.port.frames_to_mishap = 5;
    fake_device_in(&device, FLASH_READ, 0, 0, bytes, 64);
    device.port.frames_to_mishap = 5;
    fake_device_out(&device, FLASH_WRITE, 0, 0, bytes, 64);
    memset(bytes, 0x55, sizeof bytes);
    device.port.frames_to_mishap = 10; /* while it polls */
    fake_device_out(&device, EEPROM_WRITE, 9000, 0, bytes, 64);
    device.port.frames_to_mishap = -1;
    device.port.now_us += 20000; /* the byte that was being written */
    assert_int_equal(fake_device_in(&device, EEPROM_READ, 0, 0, bytes, 64), 64);
    assert_memory_equal(bytes, fake_device_memory(&device, PART_EEPROM), 64);
    device.port.frames_to_mishap = 1;
    spi(&device, 0x30, 0, 0, 0);
    device.port.frames_to_mishap = -1;
    fake_device_start(&device);
    begin(&device, 1);
    assert_int_equal(spi(&device, 0x30, 0, 0, 0), 0x1E);
    fake_device_close(&device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_who_it_is),
        cmocka_unit_test(echoes_the_setup_packet),
        cmocka_unit_test(answers_no_bytes_before_power_up),
        cmocka_unit_test(answers_what_it_does_not_know_with_no_bytes),
        cmocka_unit_test(reads_signature_and_fuses),
        cmocka_unit_test(power_up_pulses_reset),
        cmocka_unit_test(period_makes_sck),
        cmocka_unit_test(sck_too_fast_gives_garbage),
        cmocka_unit_test(target_that_is_gone_is_not_noticed),
        cmocka_unit_test(reading_reaches_64_kib),
        cmocka_unit_test(page_above_64_kib_is_written_by_its_commit),
        cmocka_unit_test(eeprom_address_is_a_bytes),
        cmocka_unit_test(page_is_loaded_and_committed_apart),
        cmocka_unit_test(bytes_are_polled_when_there_is_time),
        cmocka_unit_test(bytes_are_lost_without_time),
        cmocka_unit_test(polling_gives_up_silently),
        cmocka_unit_test(reading_gives_255_bytes_at_most),
        cmocka_unit_test(repeated_and_lost_packets_move_the_rest),
        cmocka_unit_test(data_of_any_request_are_written),
        cmocka_unit_test(port_bits_move_the_lines),
        cmocka_unit_test(leaves_quickly_after_a_mishap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
