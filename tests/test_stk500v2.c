/* The driver for STK500 version 2 on a serial line, against a small programmer of its own at the
 * other end of a pseudo terminal: what is sent, how it comes back into step, what a lost, doubled
 * or turned byte may do. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "jigs/drivers/stk500v2_commands.h"
#include "jigs/programmer.h"
#include "tests/fake_stk500v2.h"
#include "tests/random_bytes.h"
#include "tests/standard_part.h"
#include "tests/workplace.h"

#define SECOND_US INT64_C(1000000)

/* ---- the other end ---- */

/* All fields but the atomic ones belong to its thread until other_end_stop(); tests look at them
 * when it has nothing to do. */
struct other_end {
    struct fake_stk500v2 unit;
    int master;
    struct place place;
    pthread_t thread;
    atomic_bool stop;
    /* Of the bytes it receives from now on: the one that is lost, doubled or turned; -1: none. */
    atomic_int lose_in, double_in, turn_in;
    int turn_mask;
    atomic_int cut_in;              /* after so many all others are lost; -1: none */
    atomic_int deaf_in, deaf_count; /* after so many so many are lost; -1: none */
    atomic_int mute;                /* so many replies are lost */
    atomic_int late;                /* so many replies are sent only before the next one */
    atomic_int spoil;               /* so many replies have a wrong checksum */
    atomic_int rename;              /* so many replies are to another command */
    atomic_int refuse;              /* so many replies have the status C0 */
    atomic_int strange; /* so many replies have another sequence number, and come again right */
    atomic_int noise;   /* so many replies have noise before them */
    uint8_t held[600];
    size_t held_count;
    uint8_t waiting[8192];
    size_t waiting_start, waiting_end;
    int wrong_frames;
    uint8_t checksum; /* of the last frame */
};

static bool take_one(atomic_int *count)
{
    if (*count <= 0)
        return false;
    atomic_fetch_sub(count, 1);
    return true;
}

static bool take_in(struct other_end *end, int timeout_ms)
{
    struct pollfd look = {.fd = end->master, .events = POLLIN};
    uint8_t bytes[256];

    if (end->waiting_start == end->waiting_end)
        end->waiting_start = end->waiting_end = 0;
    if (end->waiting_end + 2 * sizeof bytes > sizeof end->waiting ||
        poll(&look, 1, timeout_ms) <= 0)
        return false;
    ssize_t count = read(end->master, bytes, sizeof bytes);
    for (ssize_t i = 0; i < count; i++) {
        if (end->deaf_in > 0)
            atomic_fetch_sub(&end->deaf_in, 1);
        else if (end->deaf_in == 0 && take_one(&end->deaf_count))
            continue;
        if (end->lose_in >= 0 && atomic_fetch_sub(&end->lose_in, 1) == 0)
            continue;
        if (end->cut_in == 0)
            continue;
        if (end->cut_in > 0)
            atomic_fetch_sub(&end->cut_in, 1);
        if (end->turn_in >= 0 && atomic_fetch_sub(&end->turn_in, 1) == 0)
            bytes[i] ^= (uint8_t)end->turn_mask;
        end->waiting[end->waiting_end++] = bytes[i];
        if (end->double_in >= 0 && atomic_fetch_sub(&end->double_in, 1) == 0)
            end->waiting[end->waiting_end++] = bytes[i];
    }
    if (count <= 0)
        usleep(2000); /* nobody has the other end open */
    return count > 0;
}

static uint8_t get(struct other_end *end)
{
    while (end->waiting_start == end->waiting_end && !end->stop)
        take_in(end, 20);
    return end->stop ? 0 : end->waiting[end->waiting_start++];
}

static void put(struct other_end *end, const uint8_t *bytes, size_t count)
{
    if (write(end->master, bytes, count) != (ssize_t)count)
        end->stop = true;
}

static void reply(struct other_end *end, uint8_t sequence, const uint8_t *body, size_t count)
{
    uint8_t frame[600] = {0x1B, sequence, (uint8_t)(count >> 8), (uint8_t)count, 0x0E};
    uint8_t sum = 0;

    memcpy(frame + 5, body, count);
    if (take_one(&end->rename))
        frame[5] = 0x10;
    if (take_one(&end->refuse))
        frame[6] = 0xC0;
    for (size_t i = 0; i < 5 + count; i++)
        sum ^= frame[i];
    frame[5 + count] = sum;
    if (take_one(&end->mute))
        return;
    if (take_one(&end->late)) {
        memcpy(end->held, frame, 6 + count);
        end->held_count = 6 + count;
        return;
    }
    put(end, end->held, end->held_count);
    end->held_count = 0;
    if (take_one(&end->noise))
        put(end, (const uint8_t *)"\x1B\x00\xFF\x0E\x1B\x1B", 6);
    if (take_one(&end->spoil))
        frame[5 + count] ^= 0x40;
    if (take_one(&end->strange)) {
        frame[1] ^= 0x80;
        frame[5 + count] ^= 0x80;
        put(end, frame, 6 + count);
        frame[1] ^= 0x80;
        frame[5 + count] ^= 0x80;
    }
    put(end, frame, 6 + count);
}

/* Waits without end for the rest of a frame. */
static void run_frame(struct other_end *end)
{
    uint8_t header[5] = {0x1B}, body[FAKE_BODY_MAX], answer[600];
    uint8_t sum = 0x1B;

    if (get(end) != 0x1B)
        return;
    for (int i = 1; i < 5; i++)
        sum ^= header[i] = get(end);
    size_t count = (size_t)(header[2] << 8 | header[3]);
    if (header[4] != 0x0E || count > sizeof body)
        return;
    for (size_t i = 0; i < count; i++)
        sum ^= body[i] = get(end);
    if (get(end) != sum) {
        end->wrong_frames++;
        reply(end, header[1], (const uint8_t[]){0xB0, 0xC1}, 2);
        return;
    }
    if (end->stop || count == 0)
        return;
    end->checksum = sum;
    reply(end, header[1], answer, fake_stk500v2_run(&end->unit, body, count, answer));
}

static void *run(void *context)
{
    struct other_end *end = context;

    while (!end->stop)
        run_frame(end);
    return NULL;
}

static struct other_end *other_end_start(const char *name)
{
    struct other_end *end = calloc(1, sizeof *end);

    assert_non_null(end);
    fake_stk500v2_init(&end->unit, name);
    end->lose_in = end->double_in = end->turn_in = end->cut_in = end->deaf_in = -1;
    end->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(end->master >= 0);
    assert_int_equal(grantpt(end->master), 0);
    assert_int_equal(unlockpt(end->master), 0);
    end->place.kind = PLACE_PTY;
    assert_int_equal(ptsname_r(end->master, end->place.path, sizeof end->place.path), 0);
    assert_int_equal(pthread_create(&end->thread, NULL, run, end), 0);
    return end;
}

static void other_end_stop(struct other_end *end)
{
    end->stop = true;
    assert_int_equal(pthread_join(end->thread, NULL), 0);
    close(end->master);
    free(end);
}

/* ---- fixtures ---- */

static const struct part small = {
    .name = "small",
    .signature = {0x1E, 0x95, 0x0F},
    .flash = {.size = 0x8000, .page_size = 128, .page_write = true, .write_delay_us = 500},
    .eeprom = {.size = 1024, .page_size = 4, .page_write = true, .write_delay_us = 500},
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
    struct other_end *end;
    struct programmer *programmer;
    struct operation operation;
    struct failure failure;
    struct part part;
    struct profile profile;
    struct fuse_gate *gate;
};

static int claim(struct fixture *fixture)
{
    struct programmer_settings settings = {.place = fixture->end->place};

    fixture->failure = (struct failure){0};
    return programmer_claim(fixture->programmer, &settings, &fixture->operation, &fixture->failure);
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

static int attach(struct fixture *fixture)
{
    fixture->failure = (struct failure){0};
    return programmer_attach(fixture->programmer, &fixture->part, &fixture->operation,
                             &fixture->failure);
}

static void prepare(struct fixture *fixture, const char *name)
{
    memset(fixture, 0, sizeof *fixture);
    fixture->part = small;
    standard_bytes(&fixture->part);
    fixture->operation.deadline_us = operation_now_us() + 600 * SECOND_US;
    fixture->end = other_end_start(name);
    fixture->programmer = programmer_create(programmer_driver_by_name("stk500v2"));
    assert_non_null(fixture->programmer);
    fixture->programmer->target_hz = 16000000;
    fixture->profile.part = &fixture->part;
    for (int i = 0; i < PART_FUSE_AND_LOCK_COUNT; i++)
        fixture->profile.rules[i].exists = true;
    fixture->gate = fuse_gate_create(&fixture->profile);
}

static void open_fixture(struct fixture *fixture, const char *name)
{
    prepare(fixture, name);
    must(fixture, claim(fixture));
    must(fixture, attach(fixture));
}

static void close_fixture(struct fixture *fixture)
{
    programmer_destroy(fixture->programmer);
    fuse_gate_free(fixture->gate);
    other_end_stop(fixture->end);
}

static int write_memory(struct fixture *fixture, enum part_memory memory, uint32_t start,
                        const uint8_t *bytes, uint32_t count)
{
    fixture->failure = (struct failure){0};
    return programmer_write(fixture->programmer, memory, start, bytes, count, NULL,
                            &fixture->operation, &fixture->failure);
}

static int read_memory_back(struct fixture *fixture, enum part_memory memory, uint32_t start,
                            uint8_t *bytes, uint32_t count)
{
    fixture->failure = (struct failure){0};
    return programmer_read(fixture->programmer, memory, start, bytes, count, &fixture->operation,
                           &fixture->failure);
}

static int send_fuse(struct fixture *fixture, enum part_memory memory, uint8_t value,
                     int64_t duration_us)
{
    struct operation operation = {.deadline_us = operation_now_us() + duration_us};
    struct fuse_permit *permit = NULL;
    struct isp_instruction instruction;
    uint8_t heard;

    fixture->failure = (struct failure){0};
    fixture->profile.rules[memory - PART_FIRST_FUSE].write = value;
    assert_int_equal(fuse_gate_enter_session(fixture->gate, fixture->programmer->session,
                                             fixture->part.signature, NULL),
                     0);
    assert_int_equal(
        fuse_gate_permit_write(fixture->gate, memory, (uint8_t)~value, value, &permit, NULL), 0);
    instruction = isp_write_byte(&fixture->part, memory, value, permit);
    return programmer_instruct(fixture->programmer, &instruction, &heard, &operation,
                               &fixture->failure);
}

/* ---- finding it ---- */

static void the_programmer_is_found_and_its_version_read(void **state)
{
    (void)state;
    struct fixture fixture;

    open_fixture(&fixture, "STK500_2");
    assert_string_equal(fixture.programmer->firmware, "STK500_2 2.10, hardware 2");
    assert_int_equal(fixture.programmer->sck_hz, 1843200);
    assert_true(fixture.end->unit.entered);
    close_fixture(&fixture);
}

static void what_it_remembers_is_written_only_where_it_differs(void **state)
{
    (void)state;
    struct fixture fixture;

    open_fixture(&fixture, "STK500_2");
    assert_int_equal(fixture.end->unit.parameters[0x98], 0);
    assert_int_equal(fixture.end->unit.parameters[0x9E], 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(programmer_release(fixture.programmer, NULL), 0);
        must(&fixture, attach(&fixture));
    }
    assert_int_equal(fixture.end->unit.sets[0x98], 1);
    assert_int_equal(fixture.end->unit.sets[0x9E], 1);
    /* Somebody else has used it meanwhile. */
    assert_int_equal(programmer_release(fixture.programmer, NULL), 0);
    fixture.end->unit.parameters[0x98] = 7;
    fixture.end->unit.parameters[0x9E] = 0;
    must(&fixture, attach(&fixture));
    assert_int_equal(fixture.end->unit.parameters[0x98], 0);
    assert_int_equal(fixture.end->unit.parameters[0x9E], 1);
    close_fixture(&fixture);
}

static void each_kind_makes_its_own_sck(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t target_hz, sck_hz;
        uint8_t setting;
    } rows[] = {{"STK500_2", 16000000, 1843200, 0},      {"STK500_2", 8000000, 460800, 1},
                {"STK500_2", 1000000, 115200, 2},        {"STK500_2", 128000, 20710, 14},
                {"AVRISP_2", 16000000, 921600, 0},       {"AVRISP_2", 1000000, 57600, 2},
                {"SCRATCHMONKEY", 16000000, 2000000, 0}, {"SCRATCHMONKEY", 1000000, 125000, 2}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture fixture;

        prepare(&fixture, rows[i].name);
        fixture.programmer->target_hz = rows[i].target_hz;
        must(&fixture, claim(&fixture));
        must(&fixture, attach(&fixture));
        assert_int_equal(fixture.programmer->sck_hz, rows[i].sck_hz);
        assert_int_equal(fixture.end->unit.parameters[0x98], rows[i].setting);
        close_fixture(&fixture);
    }
}

static void a_slower_sck_is_tried_when_the_board_does_not_answer(void **state)
{
    (void)state;
    struct fixture fixture;

    prepare(&fixture, "STK500_2");
    fixture.end->unit.slowest_setting = 2;
    must(&fixture, claim(&fixture));
    must(&fixture, attach(&fixture));
    assert_int_equal(fixture.programmer->sck_hz, 115200);
    assert_int_equal(programmer_release(fixture.programmer, NULL), 0);
    fixture.end->unit.no_board = true;
    expect_failure(&fixture, attach(&fixture), FAILURE_NO_BOARD,
                   "no answer to AC 53, at SCK from 1843200 down to");
    assert_false(fixture.end->unit.entered);
    close_fixture(&fixture);
}

static void a_board_without_power_is_refused(void **state)
{
    (void)state;
    struct fixture fixture;

    prepare(&fixture, "AVRISP_2");
    fixture.end->unit.parameters[0x94] = 26;
    must(&fixture, claim(&fixture));
    expect_failure(&fixture, attach(&fixture), FAILURE_NO_SUPPLY,
                   "target not powered, or no board: the programmer measures 2.6 V");
    assert_int_equal(fake_stk500v2_count(&fixture.end->unit, 0x10), 0);
    fixture.end->unit.parameters[0x94] = 27;
    must(&fixture, attach(&fixture));
    close_fixture(&fixture);

    prepare(&fixture, "SCRATCHMONKEY"); /* measures nothing */
    fixture.end->unit.parameters[0x94] = 0;
    must(&fixture, claim(&fixture));
    must(&fixture, attach(&fixture));
    close_fixture(&fixture);
}

static void a_bootloader_is_told_to_leave(void **state)
{
    (void)state;
    struct fixture fixture;

    prepare(&fixture, "SCRATCHMONKEY");
    fixture.end->unit.bootloader = true;
    must(&fixture, claim(&fixture));
    assert_non_null(strstr(fixture.programmer->firmware, "SCRATCHMONKEY"));
    assert_int_equal(fake_stk500v2_count(&fixture.end->unit, 0x10), 0);
    close_fixture(&fixture);
}

static void silence_and_other_programmers_are_told_apart(void **state)
{
    (void)state;
    struct fixture fixture;

    prepare(&fixture, "STK600");
    expect_failure(&fixture, claim(&fixture), FAILURE_PROGRAMMER_UNKNOWN, "signs on as 'STK600'");
    close_fixture(&fixture);
    prepare(&fixture, "STK500_2");
    fixture.end->mute = 1000;
    expect_failure(&fixture, claim(&fixture), FAILURE_PROGRAMMER_SILENT, "sign-on");
    close_fixture(&fixture);
}

/* ---- replies ---- */

static void old_replies_and_noise_do_not_matter(void **state)
{
    (void)state;
    struct fixture fixture;
    uint8_t signature[3] = {0};

    open_fixture(&fixture, "STK500_2");
    fixture.end->strange = 3;
    fixture.end->noise = 2;
    must(&fixture,
         programmer_identify(fixture.programmer, signature, &fixture.operation, &fixture.failure));
    assert_memory_equal(signature, small.signature, 3);
    close_fixture(&fixture);
}

static void a_late_reply_is_not_that_of_the_next_command(void **state)
{
    (void)state;
    struct fixture fixture;
    struct operation short_one = {.deadline_us = 0};
    uint8_t bytes[2] = {0}, signature[3];

    open_fixture(&fixture, "STK500_2");
    short_one.deadline_us = operation_now_us() + SECOND_US / 2;
    fixture.end->unit.flash[0] = 0x77;
    fixture.end->late = 1;
    fixture.failure = (struct failure){0};
    expect_failure(
        &fixture,
        programmer_read(fixture.programmer, PART_FLASH, 0, bytes, 2, &short_one, &fixture.failure),
        FAILURE_DEADLINE, "");
    /* Nothing more goes out in this session. */
    expect_failure(
        &fixture,
        programmer_identify(fixture.programmer, signature, &fixture.operation, &fixture.failure),
        FAILURE_PROGRAMMER_OUT_OF_STEP, "only a new session");
    assert_int_equal(programmer_release(fixture.programmer, NULL), 0);
    assert_false(fixture.end->unit.entered);
    must(&fixture, attach(&fixture));
    must(&fixture, read_memory_back(&fixture, PART_FLASH, 0, bytes, 2));
    assert_int_equal(bytes[0], 0x77);
    close_fixture(&fixture);
}

static void a_spoilt_reply_is_not_believed(void **state)
{
    (void)state;
    struct fixture fixture;
    uint8_t bytes[4];

    open_fixture(&fixture, "STK500_2");
    fixture.end->spoil = 1;
    expect_failure(&fixture, read_memory_back(&fixture, PART_FLASH, 0, bytes, 4),
                   FAILURE_PROGRAMMER_OUT_OF_STEP, "checksum");
    assert_int_equal(programmer_release(fixture.programmer, NULL), 0);
    must(&fixture, attach(&fixture));
    must(&fixture, read_memory_back(&fixture, PART_FLASH, 0, bytes, 4));
    close_fixture(&fixture);
}

static int sign_ons_of_a_claim(int renamed, int refused)
{
    struct fixture fixture;
    int count;

    prepare(&fixture, "STK500_2");
    fixture.end->rename = renamed;
    fixture.end->refuse = refused;
    must(&fixture, claim(&fixture));
    count = fake_stk500v2_count(&fixture.end->unit, STK500V2_SIGN_ON);
    close_fixture(&fixture);
    return count;
}

static void a_reply_that_only_looks_like_a_sign_on_is_not_believed(void **state)
{
    (void)state;
    int usual = sign_ons_of_a_claim(0, 0);

    assert_int_equal(sign_ons_of_a_claim(1, 0), usual + 1);
    assert_int_equal(sign_ons_of_a_claim(0, 1), usual + 1);
}

static void a_unit_without_a_slow_enough_sck_is_named(void **state)
{
    (void)state;
    struct fixture fixture;

    prepare(&fixture, "SCRATCHMONKEY");
    fixture.programmer->target_hz = 128000;
    must(&fixture, claim(&fixture));
    expect_failure(&fixture, attach(&fixture), FAILURE_PROGRAMMER_REFUSED,
                   "SCRATCHMONKEY, 125000 Hz, is too fast for a board at 128000 Hz");
    close_fixture(&fixture);
}

static void a_board_that_is_lost_is_noticed(void **state)
{
    (void)state;
    struct fixture fixture;
    uint8_t bytes[512];

    open_fixture(&fixture, "STK500_2");
    fixture.end->unit.no_board = true;
    expect_failure(&fixture, read_memory_back(&fixture, PART_FLASH, 0, bytes, sizeof bytes),
                   FAILURE_CONTACT_LOST, "does not give back AC 53");
    fill_random(bytes, sizeof bytes, 3);
    expect_failure(&fixture, write_memory(&fixture, PART_FLASH, 0, bytes, sizeof bytes),
                   FAILURE_CONTACT_LOST, "does not give back AC 53");
    close_fixture(&fixture);
}

static void a_page_that_was_not_written_is_told(void **state)
{
    (void)state;
    struct fixture fixture;
    uint8_t bytes[128] = {0};

    open_fixture(&fixture, "STK500_2");
    fixture.end->unit.fails = 0x81;
    expect_failure(&fixture, write_memory(&fixture, PART_FLASH, 0, bytes, sizeof bytes),
                   FAILURE_BOARD_BUSY, "writing flash");
    fixture.end->unit.fails = 0xC0;
    expect_failure(&fixture, write_memory(&fixture, PART_FLASH, 0, bytes, sizeof bytes),
                   FAILURE_PROGRAMMER_REFUSED, "writing flash: status C0");
    close_fixture(&fixture);
}

/* ---- memories ---- */

static void pages_go_in_one_run_and_blank_ones_not_at_all(void **state)
{
    (void)state;
    struct fixture fixture;
    uint8_t bytes[1024], back[1024];

    open_fixture(&fixture, "STK500_2");
    fill_random(bytes, sizeof bytes, 5);
    memset(bytes + 512, 0xFF, 128);
    must(&fixture, write_memory(&fixture, PART_FLASH, 0x400, bytes, sizeof bytes));
    assert_memory_equal(fixture.end->unit.flash + 0x400, bytes, sizeof bytes);
    assert_int_equal(fake_stk500v2_count(&fixture.end->unit, 0x13), 7);
    assert_int_equal(fake_stk500v2_count(&fixture.end->unit, 0x06),
                     2);                                     /* and after the blank one */
    assert_int_equal(fixture.end->unit.last_block[3], 0xC1); /* page, RDY/BSY, write it */
    must(&fixture, read_memory_back(&fixture, PART_FLASH, 0x401, back, sizeof back - 2));
    assert_memory_equal(back, bytes + 1, sizeof back - 2);
    assert_int_equal(fake_stk500v2_count(&fixture.end->unit, 0x14), 4);
    assert_int_equal(fake_stk500v2_count(&fixture.end->unit, 0x06), 3);
    assert_int_equal(fake_stk500v2_count(&fixture.end->unit, 0x12) +
                         fake_stk500v2_count(&fixture.end->unit, 0x17) +
                         fake_stk500v2_count(&fixture.end->unit, 0x19),
                     0);
    close_fixture(&fixture);
}

static void above_128_kib_the_address_is_told_again(void **state)
{
    (void)state;
    struct fixture fixture;
    uint8_t bytes[512], back[512];

    prepare(&fixture, "STK500_2");
    fixture.part.flash.size = FAKE_FLASH_MAX;
    fixture.part.flash.needs_extended_address = true;
    must(&fixture, claim(&fixture));
    must(&fixture, attach(&fixture));
    fill_random(bytes, sizeof bytes, 9);
    must(&fixture, write_memory(&fixture, PART_FLASH, 0x1FF00, bytes, sizeof bytes));
    assert_memory_equal(fixture.end->unit.flash + 0x1FF00, bytes, sizeof bytes);
    must(&fixture, read_memory_back(&fixture, PART_FLASH, 0x1FF00, back, sizeof back));
    assert_memory_equal(back, bytes, sizeof back);
    assert_int_equal(fake_stk500v2_count(&fixture.end->unit, 0x06), 4);
    close_fixture(&fixture);
}

/* Never by RDY/BSY on a part that has none; nor by what polls it the wrong way. */
static void parts_and_programmers_without_ready_are_waited_for(void **state)
{
    (void)state;
    struct fixture fixture;
    uint8_t bytes[256];
    int64_t begun_us;

    fill_random(bytes, sizeof bytes, 11);
    open_fixture(&fixture, "SCRATCHMONKEY");
    must(&fixture, write_memory(&fixture, PART_FLASH, 0, bytes, sizeof bytes));
    assert_int_equal(fixture.end->unit.last_block[3], 0x91);
    must(&fixture, write_memory(&fixture, PART_EEPROM, 0, bytes, 8));
    assert_int_equal(fixture.end->unit.last_block[3], 0x91);
    close_fixture(&fixture);

    prepare(&fixture, "STK500_2");
    fixture.part.poll_ready = fixture.part.poll_after_erase = false;
    fixture.part.flash.write_delay_us = 50000;
    fixture.part.eeprom = (struct part_array){.size = 1024, .page_size = 1, .write_delay_us = 4000};
    must(&fixture, claim(&fixture));
    must(&fixture, attach(&fixture));
    begun_us = operation_now_us();
    must(&fixture, write_memory(&fixture, PART_FLASH, 0, bytes, sizeof bytes));
    assert_int_equal(fixture.end->unit.last_block[3], 0x91);
    assert_true(operation_now_us() - begun_us >= 2 * 60000);
    must(&fixture, write_memory(&fixture, PART_EEPROM, 3, bytes, 40));
    assert_memory_equal(fixture.end->unit.eeprom + 3, bytes, 40);
    assert_int_equal(fixture.end->unit.last_block[3], 0x02);
    assert_int_equal(fixture.end->unit.last_block[4], 5); /* ms: 4.8 */
    assert_int_equal(fixture.end->unit.last_block[5], 0xC0);
    close_fixture(&fixture);
}

static void eeprom_goes_by_pages_and_their_parts_singly(void **state)
{
    (void)state;
    struct fixture fixture;
    uint8_t bytes[22], back[22];

    open_fixture(&fixture, "STK500_2");
    fill_random(bytes, sizeof bytes, 13);
    must(&fixture, write_memory(&fixture, PART_EEPROM, 6, bytes, sizeof bytes - 2));
    assert_int_equal(fake_stk500v2_count(&fixture.end->unit, 0x15),
                     5); /* 8, 12, 16, 20, 24 and 25 */
    assert_int_equal(fake_stk500v2_count(&fixture.end->unit, 0x06), 1);
    assert_int_equal(fixture.end->unit.last_block[3], 0xC1);
    assert_memory_equal(fixture.end->unit.last_block + 5, "\xC1\xC2\xA0", 3);
    must(&fixture, read_memory_back(&fixture, PART_EEPROM, 6, back, 20));
    assert_memory_equal(back + 2, bytes + 2, 18);
    close_fixture(&fixture);
}

static void parts_without_pages_are_served(void **state)
{
    (void)state;
    struct fixture fixture;
    uint8_t bytes[20];

    prepare(&fixture, "STK500_2");
    fixture.part.flash.page_write = false;
    fixture.part.flash.page_size = 1;
    must(&fixture, claim(&fixture));
    must(&fixture, attach(&fixture));
    fill_random(bytes, sizeof bytes, 17);
    must(&fixture, write_memory(&fixture, PART_FLASH, 0x21, bytes, sizeof bytes));
    assert_int_equal(fake_stk500v2_count(&fixture.end->unit, 0x13), 0);
    assert_true(fixture.end->unit.singles >= 20);
    close_fixture(&fixture);
}

/* At an SCK at which a page would take longer than a programmer's patience. */
static void at_a_slow_sck_blocks_are_short(void **state)
{
    (void)state;
    struct fixture fixture;
    uint8_t bytes[128], back[128];

    prepare(&fixture, "STK500_2");
    fixture.programmer->target_hz = 32768;
    must(&fixture, claim(&fixture));
    must(&fixture, attach(&fixture));
    assert_true(fixture.programmer->sck_hz < 6000);
    fill_random(bytes, sizeof bytes, 19);
    must(&fixture, write_memory(&fixture, PART_FLASH, 0x80, bytes, sizeof bytes));
    assert_int_equal(fake_stk500v2_count(&fixture.end->unit, 0x13), 0);
    assert_memory_equal(fixture.end->unit.flash + 0x80, bytes, sizeof bytes);
    must(&fixture, read_memory_back(&fixture, PART_FLASH, 0x80, back, sizeof back));
    assert_memory_equal(back, bytes, sizeof back);
    assert_true(fake_stk500v2_count(&fixture.end->unit, 0x14) >= 2);
    close_fixture(&fixture);
}

/* ---- what could be taken for a frame ---- */

static void data_that_look_like_a_frame_go_singly(void **state)
{
    (void)state;
    static const uint8_t frame[] = {0x1B, 0x01, 0x00, 0x08, 0x0E, 0x1D, 0x04,
                                    0x04, 0x00, 0xAC, 0xA0, 0x00, 0x20, 0x36};
    static const uint8_t nearly[] = {0x1B, 0x01, 0x02, 0x08, 0x0E, 0x1D,
                                     0x1B, 0x01, 0x00, 0x08, 0x0E, 0x2D};
    struct fixture fixture;
    uint8_t bytes[256];

    open_fixture(&fixture, "STK500_2");
    fill_random(bytes, sizeof bytes, 23);
    memcpy(bytes + 40, frame, sizeof frame);
    memcpy(bytes + 251, frame, 5); /* a beginning at the end */
    must(&fixture, write_memory(&fixture, PART_FLASH, 0x100, bytes, sizeof bytes));
    assert_int_equal(fake_stk500v2_count(&fixture.end->unit, 0x13), 0);
    assert_memory_equal(fixture.end->unit.flash + 0x100, bytes, sizeof bytes);
    assert_int_equal(fixture.end->unit.fuse_write_count, 0);
    /* What only nearly does goes as usual. */
    memset(bytes, 0xFF, sizeof bytes);
    memcpy(bytes, nearly, sizeof nearly);
    must(&fixture, write_memory(&fixture, PART_FLASH, 0x300, bytes, 128));
    assert_int_equal(fake_stk500v2_count(&fixture.end->unit, 0x13), 1);
    close_fixture(&fixture);
}

/* ---- fuses ---- */

static void a_fuse_goes_as_one_instruction(void **state)
{
    (void)state;
    struct fixture fixture;

    open_fixture(&fixture, "STK500_2");
    for (int value = 0; value < 256; value++) {
        must(&fixture, send_fuse(&fixture, PART_FUSE_LOW, (uint8_t)value, SECOND_US));
        assert_int_equal(fixture.programmer->owed_value, -1);
        fixture.end->unit.fuse_write_count = 0;
        /* A doubled byte of the body must not make its checksum fit. */
        assert_null(memchr(fixture.end->unit.last, fixture.end->checksum, 8));
        assert_true(fixture.end->checksum != 0x1B && fixture.end->checksum != 0x0E);
    }
    assert_memory_equal(fixture.end->unit.last, "\x1D\x04\x04\x00\xAC\xA0\x00\xFF", 8);
    close_fixture(&fixture);
}

enum fault { FAULT_LOST, FAULT_DOUBLED, FAULT_TURNED, FAULT_CUT, FAULT_COUNT };
#define FUSE_FRAME_BYTES 14

static void harm(struct other_end *end, enum fault fault, int at)
{
    end->turn_mask = 1 << at % 8;
    if (fault == FAULT_LOST)
        end->lose_in = at;
    else if (fault == FAULT_DOUBLED)
        end->double_in = at;
    else if (fault == FAULT_TURNED)
        end->turn_in = at;
    else
        end->cut_in = at;
}

static void unharm(struct other_end *end)
{
    end->lose_in = end->double_in = end->turn_in = end->cut_in = end->deaf_in = -1;
}

/* The claim of a new instance: what was begun by the one before must not be completed. */
static void claim_anew(struct fixture *fixture)
{
    int owed = fixture->programmer->owed_value;

    ((struct stk500v2 *)fixture->programmer)->engaged = false; /* it cannot say goodbye */
    programmer_destroy(fixture->programmer);
    unharm(fixture->end);
    fixture->programmer = programmer_create(programmer_driver_by_name("stk500v2"));
    fixture->programmer->target_hz = 16000000;
    fixture->programmer->owed_value = owed;
    must(fixture, claim(fixture));
    must(fixture, attach(fixture));
}

/* Whatever happens to a byte of the frame, the fuse gets its value or nothing, and what was not
 * confirmed is no success. */
static void harm_each_byte(uint8_t value, enum fault fault)
{
    struct fixture fixture;

    open_fixture(&fixture, "STK500_2");
    for (int at = 0; at < FUSE_FRAME_BYTES; at++) {
        fixture.end->unit.fuse_write_count = 0;
        harm(fixture.end, fault, at);
        int result = send_fuse(&fixture, PART_FUSE_LOW, value, 150000);
        bool written = result == 0;
        if (fault == FAULT_CUT) {
            fixture.programmer->attached = false;
            claim_anew(&fixture);
        } else {
            unharm(fixture.end);
            assert_int_equal(programmer_release(fixture.programmer, &fixture.failure), 0);
            must(&fixture, attach(&fixture));
        }
        if (fault == FAULT_TURNED && written)
            fail_msg("a turned bit in byte %d was not noticed", at);
        for (int i = 0; i < fixture.end->unit.fuse_write_count; i++)
            if (fixture.end->unit.fuse_writes[i][0] != 0xA0 ||
                fixture.end->unit.fuse_writes[i][1] != value)
                fail_msg("value %02X, fault %d at byte %d: AC %02X 00 %02X", value, fault, at,
                         fixture.end->unit.fuse_writes[i][0], fixture.end->unit.fuse_writes[i][1]);
        assert_true(!written || fixture.end->unit.fuse_write_count > 0);
        assert_int_equal(fixture.end->unit.erases, 0);
        assert_int_equal(fixture.programmer->owed_value, -1);
    }
    close_fixture(&fixture);
}

/* Values that are special: what the frame holds anyway, its start, the token. */
static void no_fault_of_a_byte_makes_another_fuse_value(void **state)
{
    (void)state;
    static const uint8_t values[] = {0xDE, 0x1B, 0x00, 0xA0, 0xAC, 0x0E, 0x04, 0xE2};
    int running = 0, bad = 0, status;

    for (size_t i = 0; i < sizeof values; i++)
        for (int fault = 0; fault < FAULT_COUNT; fault++, running++) {
            fflush(NULL);
            pid_t child = fork();

            assert_true(child >= 0);
            if (child == 0) {
                harm_each_byte(values[i], (enum fault)fault);
                _exit(0);
            }
        }
    for (; running > 0; running--) {
        assert_true(wait(&status) > 0);
        bad += status != 0;
    }
    assert_int_equal(bad, 0);
}

/* The value is lost, then the line is dead for as long as the filler is: the sign-on behind it
 * begins with 1B, which the programmer takes for the checksum that belongs to the checksum. */
static void a_line_that_is_dead_meanwhile_makes_no_other_value(void **state)
{
    (void)state;
    struct fixture fixture;

    open_fixture(&fixture, "STK500_2");
    fixture.end->deaf_count = 5 + 275 + 1;
    fixture.end->deaf_in = FUSE_FRAME_BYTES;
    fixture.end->lose_in = FUSE_FRAME_BYTES - 2;
    assert_int_not_equal(send_fuse(&fixture, PART_FUSE_LOW, 0x1B, 150000), 0);
    assert_int_equal(programmer_release(fixture.programmer, &fixture.failure), 0);
    must(&fixture, attach(&fixture));
    assert_int_equal(fixture.end->deaf_count, 0);
    assert_int_equal(fixture.end->unit.fuse_write_count, 0);
    assert_int_equal(fixture.programmer->owed_value, -1);
    close_fixture(&fixture);
}

/* ---- ends ---- */

static void an_attached_programmer_that_is_destroyed_lets_the_target_go(void **state)
{
    (void)state;
    struct fixture fixture;

    open_fixture(&fixture, "STK500_2");
    assert_true(fixture.end->unit.entered);
    programmer_destroy(fixture.programmer);
    assert_false(fixture.end->unit.entered);
    fixture.programmer = programmer_create(programmer_driver_by_name("stk500v2"));
    close_fixture(&fixture);
}

static void the_floor_is_the_sum_of_its_parts(void **state)
{
    (void)state;
    const struct programmer_driver *driver = programmer_driver_by_name("stk500v2");
    const struct programmer_speed speed = {.baud = 115200, .sck_hz = 500000};
    char text[800];
    /* At 460.8 kHz: 152 bytes at 86.805 us and a millisecond, 129 instructions of 69.4 and 8.7 us.
     */
    int64_t page_us = 13194 + 1000 + 8958 + 1119;
    /* 275 bytes and 256 instructions. */
    int64_t block_us = 23871 + 17777 + 2222;

    int64_t found = driver->floor_us(&small, &speed, 28672, 28672, text, sizeof text);
    assert_int_equal(found, driver->floor_us(&small, &speed, 28672, 28672, NULL, 0));
    assert_in_range(page_us, 24001, 25000);
    assert_in_range(block_us, 43001, 44000);
    assert_int_equal(found, (224 * 25 - 1 + 112 * 44 - 1) * 1000);
    assert_non_null(strstr(text, "224 pages x 24271 us"));
}

/* ---- on the simulated bench ---- */

static void on_bench(const char *model, const char *part, uint32_t start, uint32_t count)
{
    workplace_program(
        &(struct workplace_options){.driver = "stk500v2", .model = model, .part = part}, start,
        count);
}

static void every_part_is_programmed_on_the_simulated_bench(void **state)
{
    (void)state;
    on_bench("stk500-v2", "ATmega328P", 0x7000, 0x1000);
    on_bench("mega2560-isp", "ATmega32U4", 0, 0x800);
    on_bench("scratchmonkey", "ATmega32A", 0x400, 0x800); /* EEPROM by bytes */
    on_bench("stk500-v2", "ATmega32A", 0x400, 0x800);
    on_bench("scratchmonkey", "ATmega328P", 0x40 * 128, 0x400);
    on_bench("stk500-v2", "ATmega2560", 0x1F000, 0x2000);
    on_bench("scratchmonkey", "ATmega2560", 0x1F000, 0x2000);
    on_bench("mega2560-isp", "ATtiny841", 0x130, 0x400); /* pages of 16 bytes */
    on_bench("stk500-v2", "AT90S8515", 0x123, 0x401);    /* no pages */
    on_bench("stk500-v2", "AT90S1200", 0, 0x40);         /* no echo */
}

static void slowly(const char *model, const char *part, uint32_t flash_bytes, uint32_t eeprom_bytes)
{
    workplace_program_slowly(
        (struct workplace_options){.driver = "stk500v2", .model = model, .part = part}, flash_bytes,
        eeprom_bytes);
}

static void slow_parts_are_waited_for(void **state)
{
    (void)state;
    slowly("stk500-v2", "ATmega328P", 1024, 20);
    slowly("stk500-v2", "ATmega32A", 512, 20); /* neither RDY/BSY nor EEPROM pages */
    slowly("scratchmonkey", "ATmega32A", 256, 6);
    slowly("scratchmonkey", "ATmega328P", 512, 12);
    slowly("mega2560-isp", "ATmega103", 512, 10); /* 56 ms for a page */
    slowly("stk500-v2", "AT90S8515", 30, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_programmer_is_found_and_its_version_read),
        cmocka_unit_test(what_it_remembers_is_written_only_where_it_differs),
        cmocka_unit_test(each_kind_makes_its_own_sck),
        cmocka_unit_test(a_slower_sck_is_tried_when_the_board_does_not_answer),
        cmocka_unit_test(a_board_without_power_is_refused),
        cmocka_unit_test(a_bootloader_is_told_to_leave),
        cmocka_unit_test(silence_and_other_programmers_are_told_apart),
        cmocka_unit_test(old_replies_and_noise_do_not_matter),
        cmocka_unit_test(a_late_reply_is_not_that_of_the_next_command),
        cmocka_unit_test(a_spoilt_reply_is_not_believed),
        cmocka_unit_test(a_reply_that_only_looks_like_a_sign_on_is_not_believed),
        cmocka_unit_test(a_unit_without_a_slow_enough_sck_is_named),
        cmocka_unit_test(a_board_that_is_lost_is_noticed),
        cmocka_unit_test(a_page_that_was_not_written_is_told),
        cmocka_unit_test(pages_go_in_one_run_and_blank_ones_not_at_all),
        cmocka_unit_test(above_128_kib_the_address_is_told_again),
        cmocka_unit_test(parts_and_programmers_without_ready_are_waited_for),
        cmocka_unit_test(eeprom_goes_by_pages_and_their_parts_singly),
        cmocka_unit_test(parts_without_pages_are_served),
        cmocka_unit_test(at_a_slow_sck_blocks_are_short),
        cmocka_unit_test(data_that_look_like_a_frame_go_singly),
        cmocka_unit_test(a_fuse_goes_as_one_instruction),
        cmocka_unit_test(no_fault_of_a_byte_makes_another_fuse_value),
        cmocka_unit_test(a_line_that_is_dead_meanwhile_makes_no_other_value),
        cmocka_unit_test(an_attached_programmer_that_is_destroyed_lets_the_target_go),
        cmocka_unit_test(the_floor_is_the_sum_of_its_parts),
        cmocka_unit_test(every_part_is_programmed_on_the_simulated_bench),
        cmocka_unit_test(slow_parts_are_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
