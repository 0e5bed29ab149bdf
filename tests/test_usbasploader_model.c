/* A bootloader that passes for a USBasp: what gives it away, and what it does to those who do not
 * look. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "jigs/simbench/usbasploader_model.h"
#include "tests/fake_usb_port.h"

#define PAGE 128

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
    CAPABILITIES = 127
};

#define FIRST 0x0100
#define LAST 0x0200

static void open_model(struct fake_device *device)
{
    fake_device_open(device, usbasploader_models, usbasploader_model_count, "usbasploader",
                     "ATmega32A", 0);
}

static uint32_t transmit(struct fake_device *device, uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    uint8_t reply[4] = {0};
    assert_int_equal(
        fake_device_in(device, TRANSMIT, (uint16_t)(b << 8 | a), (uint16_t)(d << 8 | c), reply, 4),
        4);
    return (uint32_t)reply[0] << 24 | (uint32_t)reply[1] << 16 | (uint32_t)reply[2] << 8 | reply[3];
}

static void fill(uint8_t *bytes, size_t count, uint8_t seed)
{
    for (size_t i = 0; i < count; i++) {
        bytes[i] = (uint8_t)(seed + 7 * i);
    }
}

static void read_flash(struct fake_device *device, uint16_t address, uint8_t *bytes, uint16_t count)
{
    assert_int_equal(fake_device_in(device, READ_FLASH, address, 0, bytes, count), count);
}

static void is_given_away_by_its_release_and_its_answers(void **state)
{
    struct fake_device device;
    uint8_t reply[4] = {0xEE};
    (void)state;
    open_model(&device);
    assert_int_equal(device.firmware->identity.vendor, 0x16C0);
    assert_int_equal(device.firmware->identity.product, 0x05DC);
    assert_int_equal(device.firmware->identity.release, 0x0201);
    assert_string_equal(device.firmware->identity.product_name, "USBasp");
    assert_int_equal(fake_device_in(&device, CAPABILITIES, 0, 0, reply, 4), 0);
    assert_int_equal(fake_device_in(&device, SET_SCK, 8, 0, reply, 4), 0);
    assert_int_equal(fake_device_in(&device, CONNECT, 0, 0, reply, 4), 0);
    assert_int_equal(fake_device_in(&device, ENABLE, 0, 0, reply, 4), 1);
    assert_int_equal(reply[0], 0);
    assert_int_equal(transmit(&device, 0xAC, 0x53, 0, 0), 0);
    assert_int_equal(transmit(&device, 0x30, 0, 0, 0), 0x1E);
    assert_int_equal(transmit(&device, 0x30, 0, 1, 0), 0x95);
    assert_int_equal(transmit(&device, 0x30, 0, 2, 0), 0x0F);
    assert_int_equal(device.port.frame_count, 0); /* the board on the bench is not asked */
    assert_false(device.port.reset_low);
    fake_device_close(&device);
}

static void fuses_and_erase_do_nothing(void **state)
{
    struct fake_device device;
    uint8_t bytes[PAGE], found[PAGE];
    (void)state;
    open_model(&device);
    fill(bytes, PAGE, 3);
    assert_int_equal(fake_device_out(&device, WRITE_FLASH, 0, PAGE, bytes, PAGE), 0);
    assert_int_equal(transmit(&device, 0xAC, 0xA0, 0, 0x62), 0);
    assert_int_equal(transmit(&device, 0x50, 0, 0, 0), 0);
    assert_int_equal(transmit(&device, 0xAC, 0x80, 0, 0), 0);
    assert_int_equal(transmit(&device, 0xF0, 0, 0, 0), 0);
    read_flash(&device, 0, found, PAGE);
    assert_memory_equal(found, bytes, PAGE);
    fake_device_close(&device);
}

static void address_is_always_the_requests_own(void **state)
{
    struct fake_device device;
    uint8_t bytes[2 * PAGE], found[PAGE];
    (void)state;
    open_model(&device);
    fill(bytes, sizeof bytes, 3);
    fake_device_out(&device, WRITE_FLASH, 0, PAGE, bytes, PAGE);
    fake_device_out(&device, WRITE_FLASH, PAGE, PAGE, bytes + PAGE, PAGE);
    assert_int_equal(fake_device_in(&device, SET_LONG_ADDRESS, PAGE, 0, found, 4), 0);
    read_flash(&device, 0, found, PAGE);
    assert_memory_equal(found, bytes, PAGE);
    fake_device_close(&device);
}

static void lengths_have_8_bits(void **state)
{
    struct fake_device device;
    uint8_t bytes[300] = {0};
    (void)state;
    open_model(&device);
    assert_int_equal(fake_device_in(&device, READ_FLASH, 0, 0, bytes, 254), 254);
    assert_int_equal(fake_device_in(&device, READ_FLASH, 0, 0, bytes, 255), USB_SILENT);
    assert_int_equal(fake_device_in(&device, READ_FLASH, 0, 0, bytes, 256), 0);
    assert_int_equal(fake_device_in(&device, READ_FLASH, 0, 0, bytes, 260), 4);
    fake_device_close(&device);
}

/* Page by page, each erased before; a part of one only as the last. */
static void pages_are_written_at_their_end_or_as_the_last(void **state)
{
    struct fake_device device;
    uint8_t bytes[PAGE], found[PAGE];
    (void)state;
    open_model(&device);
    fill(bytes, PAGE, 3);
    int64_t before_us = device.port.now_us;
    fake_device_out(&device, WRITE_FLASH, 0, FIRST | PAGE, bytes, PAGE);
    assert_int_equal(device.port.now_us - before_us, 9000);
    fill(bytes, PAGE, 99); /* over what was there */
    fake_device_out(&device, WRITE_FLASH, 0, FIRST | PAGE, bytes, PAGE);
    read_flash(&device, 0, found, PAGE);
    assert_memory_equal(found, bytes, PAGE);
    fake_device_out(&device, WRITE_FLASH, PAGE, FIRST | PAGE, bytes, 64);
    read_flash(&device, PAGE, found, 64);
    assert_int_equal(found[0], 0xFF);
    fake_device_out(&device, WRITE_FLASH, PAGE, LAST | PAGE, bytes, 64);
    read_flash(&device, PAGE, found, 64);
    assert_memory_equal(found, bytes, 64);
    fake_device_close(&device);
}

static void bootloader_is_protected(void **state)
{
    struct fake_device device;
    uint8_t bytes[PAGE], found[PAGE];
    (void)state;
    open_model(&device);
    fill(bytes, PAGE, 3);
    assert_int_equal(fake_device_out(&device, WRITE_FLASH, 0x7000 - PAGE, LAST, bytes, PAGE), 0);
    assert_int_equal(fake_device_out(&device, WRITE_FLASH, 0x7000, LAST, bytes, PAGE), 0);
    read_flash(&device, 0x7000 - PAGE, found, PAGE);
    assert_memory_equal(found, bytes, PAGE);
    read_flash(&device, 0x7000, found, PAGE);
    assert_int_equal(found[0], 0xFF);
    fake_device_close(&device);
}

static void eeprom_is_read_and_written(void **state)
{
    struct fake_device device;
    uint8_t bytes[16], found[16];
    (void)state;
    open_model(&device);
    fill(bytes, 16, 3);
    assert_int_equal(fake_device_out(&device, WRITE_EEPROM, 0x101, 0, bytes, 16), 0);
    assert_int_equal(fake_device_in(&device, READ_EEPROM, 0x101, 0, found, 16), 16);
    assert_memory_equal(found, bytes, 16);
    assert_int_equal(transmit(&device, 0xC0, 1, 1, 0x77), 0);
    assert_int_equal(transmit(&device, 0xA0, 1, 1, 0), 0x77);
    fake_device_close(&device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_given_away_by_its_release_and_its_answers),
        cmocka_unit_test(fuses_and_erase_do_nothing),
        cmocka_unit_test(address_is_always_the_requests_own),
        cmocka_unit_test(lengths_have_8_bits),
        cmocka_unit_test(pages_are_written_at_their_end_or_as_the_last),
        cmocka_unit_test(bootloader_is_protected),
        cmocka_unit_test(eeprom_is_read_and_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
