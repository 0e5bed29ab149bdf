/* What stands between the station and every driver: sessions, ranges, the signature read twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "jigs/programmer.h"

struct fake {
    struct programmer base;
    uint8_t signatures[2][3]; /* first and second reading */
    int identified, released, unclaimed, written;
    bool attach_fails, release_fails;
    bool release_could_be_cancelled;
    int64_t release_time_us;
};

static struct fake *self(struct programmer *programmer)
{
    return (struct fake *)programmer;
}

static int claim(struct programmer *programmer, const struct programmer_settings *settings,
                 const struct operation *operation, struct failure *failure)
{
    (void)operation;
    (void)failure;
    programmer->sck_hz = settings->baud;
    return 0;
}

static void unclaim(struct programmer *programmer)
{
    self(programmer)->unclaimed++;
}

static int attach(struct programmer *programmer, const struct operation *operation,
                  struct failure *failure)
{
    (void)operation;
    return self(programmer)->attach_fails
               ? failure_set(failure, FAILURE_PROGRAMMER_SILENT, "as told")
               : 0;
}

static int release(struct programmer *programmer, const struct operation *operation,
                   struct failure *failure)
{
    struct fake *fake = self(programmer);

    fake->released++;
    fake->release_could_be_cancelled = operation->cancel != NULL;
    fake->release_time_us = operation->deadline_us - operation_now_us();
    return fake->release_fails ? failure_set(failure, FAILURE_PROGRAMMER_SILENT, "as told") : 0;
}

static int identify(struct programmer *programmer, uint8_t signature[3],
                    const struct operation *operation, struct failure *failure)
{
    struct fake *fake = self(programmer);

    (void)operation;
    (void)failure;
    memcpy(signature, fake->signatures[fake->identified++ % 2], 3);
    return 0;
}

static int write(struct programmer *programmer, enum part_memory memory, uint32_t start,
                 const uint8_t *bytes, uint32_t count, struct fuse_permit *permit,
                 const struct operation *operation, struct failure *failure)
{
    (void)memory;
    (void)start;
    (void)bytes;
    (void)count;
    (void)permit;
    (void)operation;
    (void)failure;
    self(programmer)->written++;
    return 0;
}

static int read(struct programmer *programmer, enum part_memory memory, uint32_t start,
                uint8_t *bytes, uint32_t count, const struct operation *operation,
                struct failure *failure)
{
    (void)programmer;
    (void)memory;
    (void)start;
    (void)operation;
    (void)failure;
    memset(bytes, 0x5A, count);
    return 0;
}

static const struct programmer_driver driver = {.name = "fake",
                                                .instance_bytes = sizeof(struct fake),
                                                .default_baud = 19200,
                                                .flash_bytes_max = 0x8000,
                                                .claim = claim,
                                                .unclaim = unclaim,
                                                .attach = attach,
                                                .release = release,
                                                .identify = identify,
                                                .read = read,
                                                .write = write};

static struct part part = {
    .name = "test part",
    .flash = {.size = 0x10000, .page_size = 128, .page_write = true},
    .eeprom = {.size = 1024, .page_size = 4},
    .bytes = {[0] = {.exists = true, .mask = 0xFF, .name = "low"}},
};

static struct operation soon(void)
{
    return (struct operation){.deadline_us = operation_now_us() + 10000000};
}

static struct programmer *attached(void)
{
    struct programmer *programmer = programmer_create(&driver);
    struct operation operation = soon();

    assert_non_null(programmer);
    assert_int_equal(programmer_attach(programmer, &part, &operation, NULL), 0);
    return programmer;
}

static enum failure_code identified(const char *first, const char *second)
{
    struct programmer *programmer = attached();
    struct operation operation = soon();
    struct failure failure = {0};
    uint8_t signature[3];

    memcpy(self(programmer)->signatures[0], first, 3);
    memcpy(self(programmer)->signatures[1], second, 3);
    int result = programmer_identify(programmer, signature, &operation, &failure);
    assert_int_equal(self(programmer)->identified, 2);
    assert_int_equal(result, failure.code == FAILURE_NONE ? 0 : -1);
    programmer_destroy(programmer);
    return failure.code;
}

static void the_signature_is_read_twice(void **state)
{
    (void)state;
    assert_int_equal(identified("\x1E\x95\x0F", "\x1E\x95\x0F"), FAILURE_NONE);
    assert_int_equal(identified("\x1E\x95\x0F", "\x1E\x95\x0E"), FAILURE_CONTACT_UNSTABLE);
    assert_int_equal(identified("\xFF\xFF\xFF", "\x1E\x95\x0F"), FAILURE_CONTACT_UNSTABLE);
    assert_int_equal(identified("\x1E\x95\x0F", "\x00\x00\x00"), FAILURE_CONTACT_UNSTABLE);
    assert_int_equal(identified("\xFF\xFF\xFF", "\xFF\xFF\xFF"), FAILURE_NO_BOARD);
    assert_int_equal(identified("\x00\x00\x00", "\x00\x00\x00"), FAILURE_NO_BOARD);
    assert_int_equal(identified("\x00\x00\x00", "\xFF\xFF\xFF"), FAILURE_NO_BOARD);
    assert_int_equal(identified("\x00\xFF\x00", "\xFF\xFF\xFF"), FAILURE_NO_BOARD);
    /* what is sent comes back */
    assert_int_equal(identified("\x00\x01\x02", "\x00\x01\x02"), FAILURE_CONTACT_UNSTABLE);
}

/* The oldest parts do so, too, when their lock bits forbid reading: the message says it of them. */
static void a_locked_old_part_may_hide_its_signature(void **state)
{
    (void)state;
    char name[] = "LB";
    struct part_field field = {.name = name, .mask = 0x03};
    struct part old = part;
    struct programmer *programmer = programmer_create(&driver);
    struct operation operation = soon();
    uint8_t signature[3];

    old.bytes[PART_LOCK - PART_FIRST_FUSE] =
        (struct part_byte){.exists = true, .mask = 0x06, .fields = &field, .field_count = 1};
    memcpy(self(programmer)->signatures, "\x00\x01\x02\x00\x01\x02", 6);
    assert_int_equal(programmer_attach(programmer, &old, &operation, NULL), 0);
    for (int tries = 0; tries < 2; tries++) {
        struct failure failure = {0};

        assert_int_equal(programmer_identify(programmer, signature, &operation, &failure), -1);
        assert_true((strstr(failure.detail, "lock bits") != NULL) == (field.mask == 0x06));
        field.mask = 0x06;
    }
    programmer_destroy(programmer);
}

static void nothing_goes_without_a_session(void **state)
{
    (void)state;
    struct programmer *programmer = programmer_create(&driver);
    struct operation operation = soon();
    uint8_t bytes[128] = {0};

    programmer->part = &part;
    assert_int_equal(programmer_identify(programmer, bytes, &operation, NULL), -1);
    assert_int_equal(programmer_erase(programmer, NULL, &operation, NULL), -1);
    assert_int_equal(programmer_read(programmer, PART_FLASH, 0, bytes, 1, &operation, NULL), -1);
    assert_int_equal(
        programmer_write(programmer, PART_FLASH, 0, bytes, 128, NULL, &operation, NULL), -1);
    assert_int_equal(programmer_release(programmer, NULL), 0);
    assert_int_equal(self(programmer)->released, 0);
    programmer_destroy(programmer);
}

static void sessions_are_counted_and_begin_afresh(void **state)
{
    (void)state;
    struct programmer *programmer = attached();
    struct operation operation = soon();

    assert_int_equal(programmer->session, 1);
    assert_int_equal(programmer_attach(programmer, &part, &operation, NULL), -1);
    programmer->extended_address = 1;
    assert_int_equal(programmer_release(programmer, NULL), 0);
    assert_int_equal(programmer_attach(programmer, &part, &operation, NULL), 0);
    assert_int_equal(programmer->session, 2);
    assert_int_equal(programmer->extended_address, -1);
    assert_int_equal(programmer_release(programmer, NULL), 0);
    self(programmer)->attach_fails = true;
    assert_int_equal(programmer_attach(programmer, &part, &operation, NULL), -1);
    assert_false(programmer->attached);
    programmer_destroy(programmer);
}

static void release_cannot_be_cancelled_and_ends(void **state)
{
    (void)state;
    struct programmer *programmer = attached();
    struct fake *fake = self(programmer);

    fake->release_fails = true;
    assert_int_equal(programmer_release(programmer, NULL), -1);
    assert_false(programmer->attached);
    assert_int_equal(fake->released, 1);
    assert_false(fake->release_could_be_cancelled);
    assert_true(fake->release_time_us > 0 && fake->release_time_us <= 3000000);
    programmer_destroy(programmer);
}

static void ranges_are_checked(void **state)
{
    (void)state;
    static const struct {
        enum part_memory memory;
        uint32_t start, count;
        bool read, write;
    } cases[] = {
        {PART_FLASH, 0, 128, true, true},       {PART_FLASH, 0x7F80, 128, true, true},
        {PART_FLASH, 0x8000, 128, true, false}, /* beyond what the driver reaches */
        {PART_FLASH, 64, 128, true, false},     /* no whole pages */
        {PART_FLASH, 0, 100, true, false},      {PART_FLASH, 0, 0, false, false},
        {PART_FLASH, 0xFFFF, 1, true, false},   {PART_FLASH, 0xFFFF, 2, false, false},
        {PART_FLASH, 0x10000, 1, false, false}, {PART_FLASH, 128, UINT32_MAX, false, false},
        {PART_EEPROM, 1, 3, true, true},        {PART_EEPROM, 1023, 2, false, false},
        {PART_FUSE_LOW, 0, 1, true, true},      {PART_FUSE_LOW, 0, 2, false, false},
        {PART_FUSE_HIGH, 0, 1, false, false}, /* this part has none */
    };
    static uint8_t bytes[256];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct programmer *programmer = attached();
        struct operation operation = soon();
        int read_result = programmer_read(programmer, cases[i].memory, cases[i].start, bytes,
                                          cases[i].count, &operation, NULL);
        int write_result = programmer_write(programmer, cases[i].memory, cases[i].start, bytes,
                                            cases[i].count, NULL, &operation, NULL);

        if ((read_result == 0) != cases[i].read || (write_result == 0) != cases[i].write)
            fail_msg("case %zu: read %d, write %d", i, read_result, write_result);
        assert_int_equal(self(programmer)->written, cases[i].write ? 1 : 0);
        programmer_destroy(programmer);
    }
}

static void what_a_driver_cannot_is_said(void **state)
{
    (void)state;
    struct programmer *programmer = attached();
    struct operation operation = soon();
    struct failure failure = {0};
    struct isp_instruction instruction = isp_poll_ready();
    uint8_t reply;

    assert_int_equal(programmer_instruct(programmer, &instruction, &reply, &operation, &failure),
                     -1);
    assert_non_null(strstr(failure.detail, "fake"));
    programmer_destroy(programmer);
}

static void the_drivers_default_baud_rate_is_used(void **state)
{
    (void)state;
    struct programmer *programmer = programmer_create(&driver);
    struct operation operation = soon();
    struct programmer_settings settings = {.baud = 0};

    assert_int_equal(programmer_claim(programmer, &settings, &operation, NULL), 0);
    assert_int_equal(programmer->sck_hz, 19200);
    settings.baud = 115200;
    assert_int_equal(programmer_claim(programmer, &settings, &operation, NULL), 0);
    assert_int_equal(programmer->sck_hz, 115200);
    programmer_destroy(programmer);
    programmer_destroy(NULL);
}

/* The part of these tests: below a quarter of the clock, from 12 MHz on below a sixth. */
static void sck_is_a_sixth_of_the_clock_at_most(void **state)
{
    (void)state;
    static const int64_t offered[] = {2000000, 1333333, 250000, 160000};
    struct part slow = {.sck_divider = 4, .sck_divider_from_12mhz = 6};
    struct programmer programmer = {.part = &slow};

    assert_int_equal(programmer_target_hz(&programmer), 1000000);
    assert_int_equal(programmer_pick_sck(&programmer, offered, 4), 3);
    slow.factory_clock_hz = 8000000;
    assert_int_equal(programmer_target_hz(&programmer), 8000000);
    assert_int_equal(programmer_pick_sck(&programmer, offered, 4), 1);
    programmer.target_hz = 12000000;
    assert_int_equal(programmer_target_hz(&programmer), 12000000);
    assert_int_equal(programmer_pick_sck(&programmer, offered, 4), 1); /* not: below a sixth */
    programmer.target_hz = 12000006;
    assert_int_equal(programmer_pick_sck(&programmer, offered, 4), 0);
    programmer.target_hz = 960000;
    assert_int_equal(programmer_pick_sck(&programmer, offered, 4), 3);
    programmer.target_hz = 959999;
    assert_int_equal(programmer_pick_sck(&programmer, offered, 4), 4);
    slow.sck_divider = 6; /* some part that takes less than all others */
    programmer.target_hz = 960000;
    assert_int_equal(programmer_pick_sck(&programmer, offered, 4), 4);
}

static void the_table_of_drivers_is_sound(void **state)
{
    (void)state;
    size_t count = 0;
    const struct programmer_driver *const *drivers = programmer_drivers(&count);

    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        assert_non_null(drivers[i]->name);
        assert_true(strlen(drivers[i]->name) > 0 && strlen(drivers[i]->name) < 32);
        assert_true(strlen(drivers[i]->title) > 0);
        assert_true(drivers[i]->instance_bytes >= sizeof(struct programmer));
        assert_true(drivers[i]->claim && drivers[i]->unclaim && drivers[i]->attach &&
                    drivers[i]->release);
        assert_true((drivers[i]->link == PROGRAMMER_USB) == (drivers[i]->usb_id_count > 0));
        assert_true((drivers[i]->link == PROGRAMMER_STREAM) == (drivers[i]->default_baud > 0));
        assert_true((drivers[i]->sck_hz == 0) == (drivers[i]->sck_slowest_hz > 0));
        assert_true(drivers[i]->sck_slowest_hz <= drivers[i]->sck_fastest_hz);
        assert_true(drivers[i]->instruct != NULL ||
                    (drivers[i]->identify && drivers[i]->read && drivers[i]->write));
        assert_ptr_equal(programmer_driver_by_name(drivers[i]->name), drivers[i]);
    }
    assert_null(programmer_driver_by_name("stk400"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_signature_is_read_twice),
        cmocka_unit_test(a_locked_old_part_may_hide_its_signature),
        cmocka_unit_test(nothing_goes_without_a_session),
        cmocka_unit_test(sessions_are_counted_and_begin_afresh),
        cmocka_unit_test(release_cannot_be_cancelled_and_ends),
        cmocka_unit_test(ranges_are_checked),
        cmocka_unit_test(what_a_driver_cannot_is_said),
        cmocka_unit_test(the_drivers_default_baud_rate_is_used),
        cmocka_unit_test(sck_is_a_sixth_of_the_clock_at_most),
        cmocka_unit_test(the_table_of_drivers_is_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
