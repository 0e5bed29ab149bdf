/* The AVRISP mkII's driver against a small programmer behind a link of its own: what is asked, what
 * is not believed, how it comes back into step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "jigs/link_usb.h"
#include "jigs/programmer.h"
#include "tests/fake_stk500v2.h"
#include "tests/random_bytes.h"
#include "tests/standard_part.h"

#define SECOND_US INT64_C(1000000)

/* ---- the link, in place of jigs/link_usb.c ---- */

enum harm { HARM_NONE, HARM_SILENT, HARM_STALL, HARM_GONE, HARM_SHORT, HARM_WRONG, HARM_LATE };

struct link_usb {
    struct fake_stk500v2 unit;
    struct link_usb_identity identity;
    bool is_open, needs_clear, needs_reset;
    enum harm harm;
    int harm_count;
    uint8_t late[512]; /* a reply that comes to the next command */
    size_t late_count;
    int clears, resets;
};

int link_usb_open(const struct place *place, const struct operation *operation,
                  struct link_usb **usb, struct failure *failure)
{
    void *found = NULL;

    (void)operation;
    (void)failure;
    assert_int_equal(sscanf(place->path, "%p", &found), 1);
    *usb = found;
    assert_false((*usb)->is_open);
    (*usb)->is_open = true;
    return 0;
}

void link_usb_close(struct link_usb *usb)
{
    if (usb != NULL)
        usb->is_open = false;
}

const struct link_usb_identity *link_usb_identity(const struct link_usb *usb)
{
    return &usb->identity;
}

int link_usb_list(struct link_usb_found **found, size_t *count, struct failure *failure)
{
    *found = NULL;
    *count = 0;
    return failure_set(failure, FAILURE_INTERNAL, "not here");
}

int link_usb_control(struct link_usb *usb, struct link_usb_transfer *transfers, size_t count,
                     const struct operation *operation, size_t *done, struct failure *failure)
{
    (void)usb;
    (void)transfers;
    (void)count;
    (void)operation;
    if (done != NULL)
        *done = 0;
    return failure_set(failure, FAILURE_INTERNAL, "no control transfers here");
}

static int fail_harmed(struct link_usb *usb, struct failure *failure)
{
    usb->needs_clear = true;
    switch (usb->harm) {
    case HARM_STALL:
        return failure_set(failure, FAILURE_PROGRAMMER_STALLED, "stall");
    case HARM_GONE:
        return failure_set(failure, FAILURE_PROGRAMMER_GONE, "unplugged");
    default:
        return failure_set(failure, FAILURE_PROGRAMMER_SILENT, "no reply");
    }
}

/* A reply that did not come in time is the first to come afterwards. */
static void mix_up(struct link_usb *usb, struct link_usb_exchange *exchange)
{
    uint8_t now[512];
    size_t now_count = exchange->received;

    memcpy(now, exchange->in, now_count);
    memcpy(exchange->in, usb->late, usb->late_count);
    exchange->received = usb->late_count;
    memcpy(usb->late, now, now_count);
    usb->late_count = usb->clears > 0 ? 0 : now_count;
}

static int harm_reply(struct link_usb *usb, struct link_usb_exchange *exchange,
                      struct failure *failure)
{
    bool strikes = usb->harm != HARM_NONE && usb->harm_count > 0;

    if (usb->late_count > 0)
        mix_up(usb, exchange);
    if (!strikes)
        return 0;
    usb->harm_count--;
    if (usb->harm == HARM_LATE) {
        memcpy(usb->late, exchange->in, exchange->received);
        usb->late_count = exchange->received;
        return fail_harmed(usb, failure);
    }
    if (usb->harm == HARM_SHORT)
        exchange->received--;
    else if (usb->harm == HARM_WRONG)
        exchange->in[0] ^= 0x80;
    return 0;
}

int link_usb_exchange(struct link_usb *usb, struct link_usb_exchange *exchange,
                      const struct operation *operation, struct failure *failure)
{
    bool strikes = usb->harm_count > 0 &&
                   (usb->harm == HARM_SILENT || usb->harm == HARM_STALL || usb->harm == HARM_GONE);

    assert_true(usb->is_open);
    assert_true(exchange->silence_us >= SECOND_US);
    assert_int_equal(exchange->in_room % 64, 0);
    assert_int_not_equal(exchange->out_count % 64, 0); /* LUFA waits for more then */
    if (operation_check(operation, failure) != 0)
        return -1;
    if (strikes || usb->needs_reset) {
        usb->harm_count -= strikes;
        return fail_harmed(usb, failure);
    }
    exchange->received =
        fake_stk500v2_run(&usb->unit, exchange->out, exchange->out_count, exchange->in);
    assert_true(exchange->received < exchange->in_room);
    return harm_reply(usb, exchange, failure);
}

int link_usb_clear(struct link_usb *usb, const struct operation *operation, struct failure *failure)
{
    (void)operation;
    usb->clears++;
    if (usb->harm == HARM_GONE && usb->harm_count > 0)
        return failure_set(failure, FAILURE_PROGRAMMER_GONE, "unplugged");
    usb->needs_clear = false;
    return 0;
}

int link_usb_reset(struct link_usb *usb, const struct operation *operation, struct failure *failure)
{
    (void)operation;
    (void)failure;
    usb->resets++;
    usb->needs_reset = usb->needs_clear = false;
    return 0;
}

/* ---- fixtures ---- */

static const struct part small = {
    .name = "small",
    .signature = {0x1E, 0x95, 0x0F},
    .flash = {.size = 0x8000, .page_size = 128, .page_write = true, .write_delay_us = 4500},
    .eeprom = {.size = 1024, .page_size = 4, .page_write = true, .write_delay_us = 3600},
    .chip_erase_delay_us = 900,
    .fuse_write_delay_us = 500,
    .lock_write_delay_us = 500,
    .poll_ready = true,
    .poll_after_erase = true,
    .sync_echo = true,
    .sck_divider = 4,
    .sck_divider_from_12mhz = 6,
};

struct fixture {
    struct link_usb *usb;
    struct programmer *programmer;
    struct operation operation;
    struct failure failure;
    struct part part;
};

static void prepare(struct fixture *fixture)
{
    memset(fixture, 0, sizeof *fixture);
    fixture->usb = calloc(1, sizeof *fixture->usb);
    assert_non_null(fixture->usb);
    fake_stk500v2_init(&fixture->usb->unit, "AVRISP_MK2");
    fixture->usb->identity = (struct link_usb_identity){.vendor = 0x03EB, .product = 0x2104};
    fixture->part = small;
    standard_bytes(&fixture->part);
    fixture->operation.deadline_us = operation_now_us() + 600 * SECOND_US;
    fixture->programmer = programmer_create(programmer_driver_by_name("avrispmkii"));
    assert_non_null(fixture->programmer);
    fixture->programmer->target_hz = 16000000;
}

static int claim(struct fixture *fixture)
{
    struct programmer_settings settings = {.place = {.kind = PLACE_USB}};

    snprintf(settings.place.path, sizeof settings.place.path, "%p", (void *)fixture->usb);
    fixture->failure = (struct failure){0};
    return programmer_claim(fixture->programmer, &settings, &fixture->operation, &fixture->failure);
}

static int attach(struct fixture *fixture)
{
    fixture->failure = (struct failure){0};
    return programmer_attach(fixture->programmer, &fixture->part, &fixture->operation,
                             &fixture->failure);
}

static void must(const struct fixture *fixture, int result)
{
    if (result != 0)
        fail_msg("%s: %s", failure_lookup(fixture->failure.code)->name, fixture->failure.detail);
}

static void expect_failure(const struct fixture *fixture, int result, enum failure_code code,
                           const char *text)
{
    assert_int_equal(result, -1);
    if (fixture->failure.code != code || strstr(fixture->failure.detail, text) == NULL)
        fail_msg("%s: %s; expected %s: %s", failure_lookup(fixture->failure.code)->name,
                 fixture->failure.detail, failure_lookup(code)->name, text);
}

static void open_fixture(struct fixture *fixture)
{
    prepare(fixture);
    must(fixture, claim(fixture));
    must(fixture, attach(fixture));
}

static void close_fixture(struct fixture *fixture)
{
    programmer_destroy(fixture->programmer);
    assert_false(fixture->usb->is_open);
    free(fixture->usb);
}

static int write_memory(struct fixture *fixture, enum part_memory memory, uint32_t start,
                        const uint8_t *bytes, uint32_t count)
{
    fixture->failure = (struct failure){0};
    return programmer_write(fixture->programmer, memory, start, bytes, count, NULL,
                            &fixture->operation, &fixture->failure);
}

static int read_memory(struct fixture *fixture, enum part_memory memory, uint32_t start,
                       uint8_t *bytes, uint32_t count)
{
    fixture->failure = (struct failure){0};
    return programmer_read(fixture->programmer, memory, start, bytes, count, &fixture->operation,
                           &fixture->failure);
}

/* ---- finding it ---- */

static void it_is_found_and_its_version_read(void **state)
{
    (void)state;
    struct fixture fixture;

    open_fixture(&fixture);
    assert_string_equal(fixture.programmer->firmware, "AVRISP_MK2 2.10, hardware 2");
    assert_int_equal(fixture.programmer->sck_hz, 2000000);
    assert_int_equal(fixture.usb->unit.parameters[0x98], 2);
    assert_int_equal(fixture.usb->unit.parameters[0x9E], 1);
    close_fixture(&fixture);
}

static void others_are_refused(void **state)
{
    (void)state;
    struct fixture fixture;

    prepare(&fixture);
    fixture.usb->identity.product = 0x2106;
    expect_failure(&fixture, claim(&fixture), FAILURE_PROGRAMMER_UNKNOWN, "is no AVRISP mkII");
    assert_int_equal(fixture.usb->unit.command_count, 0);
    close_fixture(&fixture);
    prepare(&fixture);
    fixture.usb->unit.name = "STK600";
    expect_failure(&fixture, claim(&fixture), FAILURE_PROGRAMMER_UNKNOWN, "signs on as 'STK600'");
    close_fixture(&fixture);
}

static void one_that_hangs_is_reset(void **state)
{
    (void)state;
    struct fixture fixture;

    prepare(&fixture);
    fixture.usb->needs_reset = true;
    must(&fixture, claim(&fixture));
    assert_int_equal(fixture.usb->resets, 1);
    must(&fixture, attach(&fixture));
    close_fixture(&fixture);
}

/* Units keep both in their EEPROM, which wears out. */
static void what_it_remembers_is_written_only_where_it_differs(void **state)
{
    (void)state;
    struct fixture fixture;

    open_fixture(&fixture);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(programmer_release(fixture.programmer, NULL), 0);
        assert_false(fixture.usb->unit.entered);
        must(&fixture, attach(&fixture));
    }
    assert_int_equal(fixture.usb->unit.sets[0x98], 1);
    assert_int_equal(fixture.usb->unit.sets[0x9E], 1);
    close_fixture(&fixture);
}

static void sck_is_that_of_the_table(void **state)
{
    (void)state;
    static const struct {
        int64_t target_hz, sck_hz;
        uint8_t setting;
    } rows[] = {{20000000, 2000000, 2}, {8000000, 1000000, 3}, {1000000, 125000, 6},
                {500000, 79208, 10},    {128000, 21221, 37},   {32768, 5359, 66}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture fixture;

        prepare(&fixture);
        fixture.programmer->target_hz = rows[i].target_hz;
        must(&fixture, claim(&fixture));
        must(&fixture, attach(&fixture));
        assert_int_equal(fixture.programmer->sck_hz, rows[i].sck_hz);
        assert_int_equal(fixture.usb->unit.parameters[0x98], rows[i].setting);
        close_fixture(&fixture);
    }
}

static void a_slower_sck_is_tried_when_the_board_does_not_answer(void **state)
{
    (void)state;
    struct fixture fixture;

    prepare(&fixture);
    fixture.usb->unit.slowest_setting = 5;
    must(&fixture, claim(&fixture));
    must(&fixture, attach(&fixture));
    assert_int_equal(fixture.programmer->sck_hz, 125000); /* 2 MHz, 500 kHz, 125 kHz */
    close_fixture(&fixture);
}

static void an_empty_place_is_told_as_the_programmer_sees_it(void **state)
{
    (void)state;
    struct fixture fixture;

    prepare(&fixture);
    fixture.usb->unit.no_board = true;
    must(&fixture, claim(&fixture));
    expect_failure(&fixture, attach(&fixture), FAILURE_NO_BOARD, "no answer to AC 53");
    assert_false(fixture.usb->unit.entered);
    fixture.usb->unit.parameters[0xA1] = 0x20;
    expect_failure(&fixture, attach(&fixture), FAILURE_NO_BOARD, "says: the cable is reversed");
    fixture.usb->unit.parameters[0x94] = 3;
    expect_failure(&fixture, attach(&fixture), FAILURE_NO_SUPPLY,
                   "target not powered, or no board: the programmer measures 0.3 V");
    close_fixture(&fixture);
}

/* ---- replies ---- */

static void a_reply_that_does_not_fit_is_not_believed(void **state)
{
    (void)state;
    static const enum harm harms[] = {HARM_SHORT, HARM_WRONG, HARM_STALL, HARM_SILENT, HARM_LATE};
    static const enum failure_code codes[] = {
        FAILURE_PROGRAMMER_OUT_OF_STEP, FAILURE_PROGRAMMER_OUT_OF_STEP, FAILURE_PROGRAMMER_STALLED,
        FAILURE_PROGRAMMER_SILENT, FAILURE_PROGRAMMER_SILENT};
    uint8_t bytes[256];

    for (size_t i = 0; i < sizeof harms / sizeof harms[0]; i++) {
        struct fixture fixture;

        open_fixture(&fixture);
        fixture.usb->harm = harms[i];
        fixture.usb->harm_count = 1;
        expect_failure(&fixture, read_memory(&fixture, PART_FLASH, 0, bytes, sizeof bytes),
                       codes[i], "");
        int sent = fixture.usb->unit.command_count;
        expect_failure(&fixture, read_memory(&fixture, PART_FLASH, 0, bytes, sizeof bytes),
                       FAILURE_PROGRAMMER_OUT_OF_STEP, "only a new session");
        assert_int_equal(fixture.usb->unit.command_count, sent);
        assert_int_equal(programmer_release(fixture.programmer, NULL), 0);
        assert_true(fixture.usb->clears > 0);
        assert_false(fixture.usb->unit.entered);
        must(&fixture, attach(&fixture));
        must(&fixture, read_memory(&fixture, PART_FLASH, 0, bytes, sizeof bytes));
        close_fixture(&fixture);
    }
}

static void one_that_is_unplugged_is_gone(void **state)
{
    (void)state;
    struct fixture fixture;
    uint8_t byte;

    open_fixture(&fixture);
    fixture.usb->harm = HARM_GONE;
    fixture.usb->harm_count = 1000;
    expect_failure(&fixture, read_memory(&fixture, PART_EEPROM, 0, &byte, 1),
                   FAILURE_PROGRAMMER_GONE, "unplugged");
    fixture.programmer->attached = false;
    expect_failure(&fixture, attach(&fixture), FAILURE_PROGRAMMER_GONE, "unplugged");
    close_fixture(&fixture);
}

static void a_board_that_is_lost_is_noticed(void **state)
{
    (void)state;
    struct fixture fixture;
    uint8_t bytes[128];

    open_fixture(&fixture);
    fixture.usb->unit.no_board = true;
    expect_failure(&fixture, read_memory(&fixture, PART_FLASH, 0, bytes, sizeof bytes),
                   FAILURE_CONTACT_LOST, "does not give back AC 53");
    close_fixture(&fixture);
}

/* ---- memories ---- */

static void pages_go_in_one_run(void **state)
{
    (void)state;
    struct fixture fixture;
    uint8_t bytes[1024], back[1024];

    open_fixture(&fixture);
    fill_random(bytes, sizeof bytes, 5);
    memset(bytes + 256, 0xFF, 128);
    must(&fixture, write_memory(&fixture, PART_FLASH, 0x80, bytes, sizeof bytes));
    assert_memory_equal(fixture.usb->unit.flash + 0x80, bytes, sizeof bytes);
    assert_int_equal(fake_stk500v2_count(&fixture.usb->unit, 0x13), 7);
    assert_int_equal(fake_stk500v2_count(&fixture.usb->unit, 0x06), 2);
    assert_memory_equal(fixture.usb->unit.last_block + 3, "\xC1\x05\x40\x4C\x20", 5);
    must(&fixture, read_memory(&fixture, PART_FLASH, 0x80, back, sizeof back));
    assert_memory_equal(back, bytes, sizeof back);
    assert_int_equal(fake_stk500v2_count(&fixture.usb->unit, 0x14), 4);
    close_fixture(&fixture);
}

/* The programmer is told to wait; it has no next command yet. */
static void parts_without_ready_are_waited_for(void **state)
{
    (void)state;
    struct fixture fixture;
    uint8_t bytes[128];

    prepare(&fixture);
    fixture.part.poll_ready = fixture.part.poll_after_erase = false;
    fixture.part.eeprom.page_write = false;
    fixture.part.eeprom.page_size = 1;
    fixture.part.eeprom.write_delay_us = 9000;
    must(&fixture, claim(&fixture));
    must(&fixture, attach(&fixture));
    fill_random(bytes, sizeof bytes, 7);
    must(&fixture, write_memory(&fixture, PART_FLASH, 0, bytes, sizeof bytes));
    assert_memory_equal(fixture.usb->unit.last_block + 3, "\x91\x06", 2); /* 5.4 ms */
    must(&fixture, write_memory(&fixture, PART_EEPROM, 1, bytes, 100));
    assert_memory_equal(fixture.usb->unit.last_block + 3, "\x02\x0B\xC0\x00\xA0", 5);
    assert_memory_equal(fixture.usb->unit.eeprom + 1, bytes, 100);
    close_fixture(&fixture);
}

static void native_commands_for_fuses_are_never_sent(void **state)
{
    (void)state;
    static const uint8_t native[] = {0x12, 0x17, 0x18, 0x19, 0x1A, 0x1B, 0x1C};
    struct fixture fixture;
    uint8_t signature[3], fuse;

    open_fixture(&fixture);
    must(&fixture,
         programmer_identify(fixture.programmer, signature, &fixture.operation, &fixture.failure));
    assert_memory_equal(signature, small.signature, 3);
    must(&fixture, read_memory(&fixture, PART_FUSE_LOW, 0, &fuse, 1));
    for (size_t i = 0; i < sizeof native; i++)
        assert_int_equal(fake_stk500v2_count(&fixture.usb->unit, native[i]), 0);
    /* Without a permit nothing leaves. */
    struct isp_instruction instruction = isp_write_byte(&fixture.part, PART_FUSE_LOW, 0x62, NULL);
    expect_failure(&fixture,
                   programmer_instruct(fixture.programmer, &instruction, &fuse, &fixture.operation,
                                       &fixture.failure),
                   FAILURE_FUSE_REFUSED, "");
    assert_int_equal(fixture.usb->unit.fuse_write_count, 0);
    close_fixture(&fixture);
}

static void the_floor_is_the_sum_of_its_parts(void **state)
{
    (void)state;
    const struct programmer_driver *driver = programmer_driver_by_name("avrispmkii");
    const struct programmer_speed speed = {.sck_hz = 2666666};
    char text[800];
    /* Three packets and one; 130 instructions of 20 us; 4.5 ms. Blocks of 256 instructions and two
     * packets. */
    int64_t expected = 224 * (200 + 2600 + 4500) + 112 * 100 + INT64_C(28672) * 20;

    assert_int_equal(driver->floor_us(&small, &speed, 28672, 28672, text, sizeof text), expected);
    assert_int_equal(driver->floor_us(&small, &speed, 28672, 28672, NULL, 0), expected);
    assert_non_null(strstr(text, "224 pages x 7300 us"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_found_and_its_version_read),
        cmocka_unit_test(others_are_refused),
        cmocka_unit_test(one_that_hangs_is_reset),
        cmocka_unit_test(what_it_remembers_is_written_only_where_it_differs),
        cmocka_unit_test(sck_is_that_of_the_table),
        cmocka_unit_test(a_slower_sck_is_tried_when_the_board_does_not_answer),
        cmocka_unit_test(an_empty_place_is_told_as_the_programmer_sees_it),
        cmocka_unit_test(a_reply_that_does_not_fit_is_not_believed),
        cmocka_unit_test(one_that_is_unplugged_is_gone),
        cmocka_unit_test(a_board_that_is_lost_is_noticed),
        cmocka_unit_test(pages_go_in_one_run),
        cmocka_unit_test(parts_without_ready_are_waited_for),
        cmocka_unit_test(native_commands_for_fuses_are_never_sent),
        cmocka_unit_test(the_floor_is_the_sum_of_its_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
