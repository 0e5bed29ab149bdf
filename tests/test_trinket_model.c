/* A bootloader under the ids of the USBtinyISP: what gives it away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "jigs/simbench/trinket_model.h"
#include "tests/fake_usb_port.h"

#define PAGE 64
#define FLASH_BYTES 0x14C0

enum request { ECHO, POWER_UP = 5, SPI = 7, FLASH_READ = 9, FLASH_WRITE, EEPROM_READ };

static void open_model(struct fake_device *device, const char *name)
{
    fake_device_open(device, trinket_models, trinket_model_count, name, "ATtiny85", 0);
}

static uint32_t spi(struct fake_device *device, uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    uint8_t reply[4] = {0};
    assert_int_equal(
        fake_device_in(device, SPI, (uint16_t)(b << 8 | a), (uint16_t)(d << 8 | c), reply, 4), 4);
    return (uint32_t)reply[0] << 24 | (uint32_t)reply[1] << 16 | (uint32_t)reply[2] << 8 | reply[3];
}

static void fill(uint8_t *bytes, size_t count, uint8_t seed)
{
    for (size_t i = 0; i < count; i++) {
        bytes[i] = (uint8_t)(seed + 7 * i);
    }
}

static void is_given_away_by_its_answers(void **state)
{
    static const struct {
        const char *name, *product_name;
    } rows[] = {{"trinket-bootloader", "Trinket"}, {"trinket-disguised", "USBtiny"}};
    (void)state;
    assert_int_equal(trinket_model_count, sizeof rows / sizeof *rows);
    for (size_t i = 0; i < trinket_model_count; i++) {
        struct fake_device device;
        uint8_t reply[8];
        open_model(&device, rows[i].name);
        assert_string_equal(device.firmware->programmer, "usbtiny");
        assert_int_equal(device.firmware->identity.vendor, 0x1781);
        assert_int_equal(device.firmware->identity.product, 0x0C9F);
        assert_string_equal(device.firmware->identity.product_name, rows[i].product_name);
        assert_int_equal(fake_device_in(&device, ECHO, 1, 2, reply, 8), 0);
        assert_int_equal(spi(&device, 0x30, 0, 1, 0), 0x93); /* without POWERUP */
        fake_device_close(&device);
    }
}

static void echoes_what_is_looked_for_and_ignores_fuses(void **state)
{
    struct fake_device device;
    (void)state;
    open_model(&device, "trinket-disguised");
    assert_int_equal(spi(&device, 0xAC, 0x53, 0, 0), 0x5300);
    assert_int_equal(spi(&device, 0x12, 0x34, 0x56, 0x78), 0x3400); /* no true echo */
    assert_int_equal(spi(&device, 0x30, 0, 0, 0), 0x1E);
    assert_int_equal(spi(&device, 0x30, 0, 2, 0), 0x0B);
    assert_int_equal(spi(&device, 0xAC, 0xA0, 0, 0xE1), 0xA000);
    assert_int_equal(spi(&device, 0x50, 0, 0, 0), 0);
    assert_int_equal(device.port.frame_count, 0); /* the board on the bench is not asked */
    assert_int_equal(avr_target_counts(device.port.target)->instructions, 0);
    fake_device_close(&device);
}

static void writes_its_own_flash_within_bounds(void **state)
{
    struct fake_device device;
    uint8_t bytes[PAGE], found[PAGE];
    (void)state;
    open_model(&device, "trinket-bootloader");
    fill(bytes, PAGE, 3);
    assert_int_equal(fake_device_out(&device, FLASH_WRITE, 0, PAGE, bytes, PAGE), 0);
    spi(&device, 0x4C, 0, PAGE / 2, 0);
    assert_int_equal(fake_device_in(&device, FLASH_READ, 0, PAGE, found, PAGE), PAGE);
    assert_memory_equal(found, bytes, PAGE);
    assert_int_equal(fake_device_out(&device, FLASH_WRITE, 0, FLASH_BYTES, bytes, PAGE), 0);
    spi(&device, 0x4C, FLASH_BYTES >> 9, (FLASH_BYTES >> 1) & 0xFF, 0);
    assert_int_equal(fake_device_in(&device, FLASH_READ, 0, FLASH_BYTES, found, PAGE), PAGE);
    assert_int_equal(found[0], 0xFF);
    /* the last four bytes are the bootloader's */
    assert_int_equal(fake_device_out(&device, FLASH_WRITE, 0, FLASH_BYTES - PAGE, bytes, PAGE), 0);
    spi(&device, 0x4C, (FLASH_BYTES - PAGE) >> 9, (FLASH_BYTES - PAGE) >> 1 & 0xFF, 0);
    assert_int_equal(fake_device_in(&device, FLASH_READ, 0, FLASH_BYTES - PAGE, found, PAGE), PAGE);
    assert_memory_equal(found, bytes, PAGE - 4);
    assert_int_equal(found[PAGE - 4], 0xFF);
    spi(&device, 0xAC, 0x80, 0, 0);
    assert_int_equal(fake_device_in(&device, FLASH_READ, 0, PAGE, found, PAGE), PAGE);
    assert_int_equal(found[0], 0xFF);
    fake_device_close(&device);
}

static void reading_eeprom_hangs(void **state)
{
    struct fake_device device;
    uint8_t bytes[8];
    (void)state;
    open_model(&device, "trinket-bootloader");
    assert_int_equal(fake_device_in(&device, EEPROM_READ, 0, 0, bytes, 8), USB_SILENT);
    assert_int_equal(fake_device_in(&device, POWER_UP, 1, 0, bytes, 4), USB_SILENT);
    fake_device_start(&device);
    assert_int_equal(fake_device_in(&device, POWER_UP, 1, 0, bytes, 4), 0);
    fake_device_close(&device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_given_away_by_its_answers),
        cmocka_unit_test(echoes_what_is_looked_for_and_ignores_fuses),
        cmocka_unit_test(writes_its_own_flash_within_bounds),
        cmocka_unit_test(reading_eeprom_hangs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
