/* AVRISP mkII, Atmel's and LUFA's: packets, what is kept, what is measured, and where a clone's
 * ways of reading do harm. The commands themselves are those of test_stk500v2_model.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "jigs/simbench/avrispmkii_model.h"
#include "tests/fake_usb_port.h"

#define OUT 0x02
#define IN 0x82
#define MHZ 1000000
#define ROOM 512
#define BYTES(...) ((const uint8_t[]){__VA_ARGS__}), sizeof((const uint8_t[]){__VA_ARGS__})

struct fixture {
    struct fake_device device;
    uint8_t reply[ROOM];
};

static void start(struct fixture *fixture, const char *model, const char *part)
{
    static const uint8_t low_fuse = 0xFF;
    memset(fixture, 0, sizeof *fixture);
    fake_device_open(&fixture->device, avrispmkii_models, avrispmkii_model_count, model, part,
                     16 * MHZ);
    fixture->device.port.supply_mv = 5000;
    if (part != NULL) {
        avr_target_preset(fixture->device.port.target, PART_FUSE_LOW, &low_fuse, 1);
    }
}

static void stop(struct fixture *fixture)
{
    fake_device_close(&fixture->device);
}

static int receive(struct fixture *fixture)
{
    memset(fixture->reply, 0, sizeof fixture->reply);
    return fake_device_receive(&fixture->device, IN, fixture->reply, ROOM);
}

/* A whole command; returns the bytes of the reply. */
static int talk(struct fixture *fixture, const uint8_t *body, size_t count)
{
    assert_int_equal(fake_device_send(&fixture->device, OUT, body, count), 0);
    int received = receive(fixture);
    assert_true(received >= 2);
    assert_int_equal(fixture->reply[0], body[0]);
    return received;
}

#define STATUS(fixture, ...) (talk((fixture), BYTES(__VA_ARGS__)), (fixture)->reply[1])

static uint8_t enter(struct fixture *fixture)
{
    return STATUS(fixture, 0x10, 200, 100, 25, 32, 0, 0x53, 3, 0xAC, 0x53, 0, 0);
}

/* `count` bytes of flash that count on from `first`, as a command. */
static size_t make_block(size_t count, uint8_t first, uint8_t *body)
{
    const uint8_t head[] = {
        0x13, (uint8_t)(count >> 8), (uint8_t)count, 0xC1, 0, 0x40, 0x4C, 0x20, 0xFF, 0xFF};
    memcpy(body, head, sizeof head);
    for (size_t i = 0; i < count; i++) {
        body[sizeof head + i] = (uint8_t)(first + i % 64);
    }
    return sizeof head + count;
}

static bool holds(const struct fixture *fixture, uint32_t address, size_t count, uint8_t first)
{
    uint8_t body[300];
    make_block(count, first, body);
    const uint8_t *flash = fake_device_memory(&fixture->device, PART_FLASH);
    return memcmp(flash + address, body + 10, count) == 0;
}

/* --- tests --- */

static const char *const models[] = {"avrispmkii", "avrispmkii-second-connect", "avrispmkii-lufa",
                                     "avrispmkii-lufa-libusb"};

static void all_write_and_read_pages(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        struct fixture fixture;
        uint8_t body[300];
        start(&fixture, models[i], "ATmega2560");
        assert_int_equal(talk(&fixture, BYTES(0x01)), 13);
        assert_memory_equal(fixture.reply, "\1\0\012AVRISP_MK2", 13);
        assert_int_equal(STATUS(&fixture, 0x50, 0), 0xC9);
        assert_int_equal(STATUS(&fixture, 0x0A), 0);
        assert_int_equal(STATUS(&fixture, 0x02, 0x98, 1), 0);
        assert_int_equal(enter(&fixture), 0x80 * (i < 2) + 0xC0 * (i >= 2)); /* 4 MHz */
        assert_int_equal(STATUS(&fixture, 0x11, 1, 1), 0);
        assert_int_equal(STATUS(&fixture, 0x02, 0x98, 2), 0);
        assert_int_equal(enter(&fixture), 0);
        assert_int_equal(fixture.device.port.sck_hz, 2 * MHZ);
        assert_int_equal(STATUS(&fixture, 0x06, 0x80, 0, 0, 0x80), 0);
        talk(&fixture, body, make_block(256, 5, body));
        assert_int_equal(fixture.reply[1], 0);
        assert_true(holds(&fixture, 256, 256, 5));
        assert_int_equal(STATUS(&fixture, 0x06, 0x80, 0, 0, 0x80), 0);
        assert_int_equal(talk(&fixture, BYTES(0x14, 1, 0, 0x20)), 256 + 3);
        assert_memory_equal(fixture.reply + 2, body + 10, 256);
        assert_int_equal(fixture.reply[258], 0);
        stop(&fixture);
    }
}

/* 61 bytes make a reply of exactly one packet. */
static void full_reply_ends_with_an_empty_packet(void **state)
{
    (void)state;
    struct fixture fixture;
    uint8_t packet[64];
    start(&fixture, "avrispmkii", "ATmega328P");
    assert_int_equal(enter(&fixture), 0);
    assert_int_equal(fake_device_send(&fixture.device, OUT, BYTES(0x14, 0, 61, 0x20)), 0);
    const struct usb_firmware *firmware = fixture.device.firmware;
    assert_int_equal(firmware->bulk_read(fixture.device.instance, IN, packet, 64), 64);
    assert_int_equal(firmware->bulk_read(fixture.device.instance, IN, packet, 64), 0);
    assert_int_equal(firmware->bulk_read(fixture.device.instance, IN, packet, 64), USB_SILENT);
    stop(&fixture);
}

static void next_command_waits_until_the_reply_is_taken(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, "avrispmkii", NULL);
    assert_int_equal(fake_device_send(&fixture.device, OUT, BYTES(0x01)), 0);
    assert_int_equal(fake_device_send(&fixture.device, OUT, BYTES(0x03, 0x98)), USB_SILENT);
    assert_int_equal(receive(&fixture), 13); /* the late one */
    assert_int_equal(STATUS(&fixture, 0x03, 0x98), 0);
    /* Choosing the configuration empties the endpoints. */
    assert_int_equal(fake_device_send(&fixture.device, OUT, BYTES(0x01)), 0);
    fixture.device.firmware->forget(fixture.device.instance);
    assert_int_equal(receive(&fixture), USB_SILENT);
    assert_int_equal(STATUS(&fixture, 0x03, 0x98), 0);
    stop(&fixture);
}

static void genuine_command_ends_with_a_short_packet(void **state)
{
    (void)state;
    struct fixture fixture;
    uint8_t body[300];
    start(&fixture, "avrispmkii", "ATmega328P");
    assert_int_equal(enter(&fixture), 0);
    assert_int_equal(make_block(54, 1, body), 64);
    assert_int_equal(fake_device_send(&fixture.device, OUT, body, 64), 0);
    assert_int_equal(receive(&fixture), USB_SILENT);
    assert_int_equal(fake_device_send(&fixture.device, OUT, body, 0), 0);
    assert_int_equal(receive(&fixture), 2);
    assert_true(holds(&fixture, 0, 54, 1));
    assert_int_equal(fake_device_send(&fixture.device, OUT, body, 0), 0); /* nothing */
    assert_int_equal(receive(&fixture), USB_SILENT);
    stop(&fixture);
}

static void lufa_waits_for_the_empty_packet_of_some_lengths(void **state)
{
    (void)state;
    static const size_t lengths[] = {54, 118, 182, 246};
    struct fixture fixture;
    uint8_t body[300];
    start(&fixture, "avrispmkii-lufa", "ATmega2560");
    assert_int_equal(enter(&fixture), 0);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        size_t count = make_block(lengths[i], 1, body);
        assert_int_equal(fake_device_send(&fixture.device, OUT, body, count), 0);
        assert_int_equal(receive(&fixture), USB_SILENT);
        /* Any packet will do: this sign-on is never answered. */
        assert_int_equal(fake_device_send(&fixture.device, OUT, BYTES(0x01)), 0);
        assert_int_equal(receive(&fixture), 2);
        assert_int_equal(fixture.reply[0], 0x13);
        assert_int_equal(receive(&fixture), USB_SILENT);
    }
    /* Other commands of 64 bytes need none, and an empty packet is one that it does not know. */
    uint8_t multi[64] = {0x1D, 60, 4, 0, 0x30, 0, 1, 0};
    assert_int_equal(talk(&fixture, multi, sizeof multi), 2 + 4 + 1);
    assert_int_equal(fixture.reply[5], 0x98);
    assert_int_equal(fake_device_send(&fixture.device, OUT, multi, 0), 0);
    assert_int_equal(receive(&fixture), 2);
    assert_memory_equal(fixture.reply, "\0\xC9", 2);
    stop(&fixture);
}

static void lufa_ignores_what_follows_in_the_packet(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, "avrispmkii-lufa", "ATmega328P");
    assert_int_equal(enter(&fixture), 0);
    assert_int_equal(talk(&fixture, BYTES(0x1D, 4, 4, 0, 0x30, 0, 1, 0, 0xAC, 0x80)), 7);
    assert_int_equal(fixture.reply[5], 0x95);
    assert_int_equal(receive(&fixture), USB_SILENT);
    stop(&fixture);
}

static void lufa_fills_a_short_command_from_its_memory(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, "avrispmkii-lufa", "ATmega328P");
    assert_int_equal(enter(&fixture), 0);
    assert_int_equal(talk(&fixture, BYTES(0x1D, 4, 4, 0, 0x30, 0, 0, 0x62)), 7);
    int64_t began_us = fixture.device.port.now_us;
    assert_int_equal(fake_device_send(&fixture.device, OUT, BYTES(0x1D, 4, 4, 0, 0xAC, 0xA8, 0)),
                     0);
    fixture.device.port.frame_count = 0;
    assert_int_equal(receive(&fixture), 7);
    assert_true(fixture.device.port.now_us - began_us >= 100000);
    assert_memory_equal(fixture.device.port.frames[0], "\xAC\xA8\0\x62", 4);
    /* The rest may come in another packet, too. */
    assert_int_equal(fake_device_send(&fixture.device, OUT, BYTES(0x03)), 0);
    assert_int_equal(fake_device_send(&fixture.device, OUT, BYTES(0x98)), 0);
    assert_int_equal(receive(&fixture), 3);
    assert_int_equal(fixture.reply[2], 6);
    stop(&fixture);
}

static void multi_stops_early_on_lufa_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        struct fixture fixture;
        start(&fixture, models[i], "ATmega328P");
        assert_int_equal(enter(&fixture), 0);
        fixture.device.port.frame_count = 0;
        assert_int_equal(talk(&fixture, BYTES(0x1D, 4, 0, 0, 0x30, 0, 0, 0)), 3);
        assert_int_equal(fixture.device.port.frame_count, i < 2 ? 1 : 0);
        stop(&fixture);
    }
}

static void too_long_blocks_are_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    uint8_t body[300];
    start(&fixture, "avrispmkii", "ATmega2560");
    assert_int_equal(enter(&fixture), 0);
    talk(&fixture, body, make_block(258, 1, body));
    assert_int_equal(fixture.reply[1], 0xC0);
    stop(&fixture);
    start(&fixture, "avrispmkii-lufa", "ATmega2560");
    assert_int_equal(enter(&fixture), 0);
    /* By its first packet; the others wait, to be taken for commands. */
    assert_int_equal(fake_device_send(&fixture.device, OUT, body, 268), USB_SILENT);
    assert_int_equal(receive(&fixture), 2);
    assert_int_equal(fixture.reply[1], 0xC0);
    stop(&fixture);
}

static void lufa_has_a_second_for_a_command(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        uint8_t status;
        bool whole;
    } rows[] = {{"avrispmkii", 0, true}, {"avrispmkii-lufa", 0, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture fixture;
        uint8_t body[10 + 200] = {0x15, 0, 200, 0x02, 10, 0xC0, 0x00, 0xA0, 0xFF, 0xFF};
        start(&fixture, rows[i].model, "ATmega32A");
        assert_int_equal(enter(&fixture), 0);
        talk(&fixture, body, sizeof body);
        assert_int_equal(fixture.reply[1], rows[i].status);
        const uint8_t *eeprom = fake_device_memory(&fixture.device, PART_EEPROM);
        assert_int_equal(eeprom[90], 0);
        assert_int_equal(eeprom[199] == 0, rows[i].whole);
        stop(&fixture);
    }
}

static void parameters_outlive_power(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        struct fixture fixture;
        start(&fixture, models[i], NULL);
        talk(&fixture, BYTES(0x03, 0x98));
        assert_int_equal(fixture.reply[2], 6);
        assert_int_equal(STATUS(&fixture, 0x02, 0x98, 40), 0);
        assert_int_equal(STATUS(&fixture, 0x02, 0x9E, 0), 0);
        fake_device_start(&fixture.device);
        talk(&fixture, BYTES(0x03, 0x98));
        assert_int_equal(fixture.reply[2], 40);
        talk(&fixture, BYTES(0x03, 0x9E));
        assert_int_equal(fixture.reply[2], 0);
        stop(&fixture);
    }
}

static void sck_is_that_of_the_table(void **state)
{
    (void)state;
    static const struct {
        uint8_t duration;
        int64_t hz;
    } rows[] = {{2, 2 * MHZ}, {6, 125000}, {7, 96386}, {14, 64000}, {163, 51}, {255, 51}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture fixture;
        start(&fixture, "avrispmkii-lufa", "ATmega328P");
        assert_int_equal(STATUS(&fixture, 0x02, 0x98, rows[i].duration), 0);
        assert_int_equal(enter(&fixture), 0);
        assert_int_equal(fixture.device.port.sck_hz, rows[i].hz);
        stop(&fixture);
    }
}

static void supply_is_measured_by_the_genuine_one(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, "avrispmkii", NULL);
    talk(&fixture, BYTES(0x03, 0x94));
    assert_int_equal(fixture.reply[2], 50);
    talk(&fixture, BYTES(0x03, 0xA1));
    assert_int_equal(fixture.reply[2], 0);
    fixture.device.port.supply_mv = 0;
    talk(&fixture, BYTES(0x03, 0x94));
    assert_int_equal(fixture.reply[2], 0);
    talk(&fixture, BYTES(0x03, 0xA1));
    assert_int_equal(fixture.reply[2], 0x10);
    assert_int_equal(STATUS(&fixture, 0x02, 0x94, 33), 0xC0);
    stop(&fixture);
    start(&fixture, "avrispmkii-lufa", NULL);
    fixture.device.port.supply_mv = 0;
    talk(&fixture, BYTES(0x03, 0x94));
    assert_int_equal(fixture.reply[2], 33);
    stop(&fixture);
}

static void no_target(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, "avrispmkii", NULL);
    assert_int_equal(enter(&fixture), 0x80);
    stop(&fixture);
    start(&fixture, "avrispmkii-lufa", NULL);
    int64_t began_us = fixture.device.port.now_us;
    assert_int_equal(enter(&fixture), 0xC0);
    assert_in_range(fixture.device.port.now_us - began_us, 900000, 1200000);
    stop(&fixture);
}

static void lufa_hangs_without_spi(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, "avrispmkii-lufa", "ATmega328P");
    assert_int_equal(fake_device_send(&fixture.device, OUT, BYTES(0x1D, 4, 4, 0, 0x30, 0, 0, 0)),
                     0);
    assert_int_equal(receive(&fixture), USB_SILENT);
    assert_int_equal(fake_device_send(&fixture.device, OUT, BYTES(0x01)), USB_SILENT);
    fake_device_start(&fixture.device);
    assert_int_equal(talk(&fixture, BYTES(0x01)), 13);
    stop(&fixture);
}

static void second_connect_stalls_until_a_bus_reset(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, "avrispmkii-second-connect", NULL);
    assert_int_equal(talk(&fixture, BYTES(0x01)), 13);
    assert_int_equal(fake_device_send(&fixture.device, OUT, BYTES(0x01)), USB_STALL);
    assert_int_equal(receive(&fixture), USB_STALL);
    fixture.device.firmware->forget(fixture.device.instance);
    assert_int_equal(fake_device_send(&fixture.device, OUT, BYTES(0x03, 0x98)), USB_STALL);
    fixture.device.firmware->bus_reset(fixture.device.instance);
    assert_int_equal(talk(&fixture, BYTES(0x01)), 13);
    stop(&fixture);
}

/* Whatever the firmware had to say gets lost with it, and the next command is answered. */
static void mishap_leaves_no_reply(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        struct fixture fixture;
        uint8_t body[300];
        start(&fixture, models[i], "ATmega328P");
        assert_int_equal(enter(&fixture), 0);
        fixture.device.port.frames_to_mishap = 20;
        assert_int_equal(fake_device_send(&fixture.device, OUT, body, make_block(128, 1, body)), 0);
        fixture.device.port.frames_to_mishap = -1;
        assert_int_equal(receive(&fixture), USB_SILENT);
        assert_int_equal(STATUS(&fixture, 0x03, 0x98), 0);
        stop(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_write_and_read_pages),
        cmocka_unit_test(full_reply_ends_with_an_empty_packet),
        cmocka_unit_test(next_command_waits_until_the_reply_is_taken),
        cmocka_unit_test(genuine_command_ends_with_a_short_packet),
        cmocka_unit_test(lufa_waits_for_the_empty_packet_of_some_lengths),
        cmocka_unit_test(lufa_ignores_what_follows_in_the_packet),
        cmocka_unit_test(lufa_fills_a_short_command_from_its_memory),
        cmocka_unit_test(multi_stops_early_on_lufa_only),
        cmocka_unit_test(too_long_blocks_are_refused),
        cmocka_unit_test(lufa_has_a_second_for_a_command),
        cmocka_unit_test(parameters_outlive_power),
        cmocka_unit_test(sck_is_that_of_the_table),
        cmocka_unit_test(supply_is_measured_by_the_genuine_one),
        cmocka_unit_test(no_target),
        cmocka_unit_test(lufa_hangs_without_spi),
        cmocka_unit_test(second_connect_stalls_until_a_bus_reset),
        cmocka_unit_test(mishap_leaves_no_reply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
