/* The ArduinoISP driver against a small sketch of its own at the other end of a pseudo terminal:
 * what is sent, byte by byte, how it comes back into step, what a lost byte may do. And with every
 * part on the simulated bench. */
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
#include <unistd.h>

#include <cmocka.h>

#include "jigs/programmer.h"
#include "tests/standard_part.h"
#include "tests/workplace.h"

#define SECOND_US INT64_C(1000000)
#define LOG_MAX (1 << 20)
#define FLASH_MAX 0x40000

/* ---- the other end ---- */

enum speech {
    SPEECH_SKETCH,
    SPEECH_OPTIBOOT,    /* until it was left alone for a second: sync and sign-on are 14 10 */
    SPEECH_ATMEGA_BOOT, /* the same, but it says AVR ISP, too */
    SPEECH_ECHO,
    SPEECH_NONE
};

/* All fields but the atomic ones belong to its thread until sketch_stop(); tests look at them when
 * it has nothing to do. */
struct sketch {
    int master;
    struct place place;
    pthread_t thread;
    enum speech speech;
    atomic_bool stop;
    atomic_int drop_in; /* loses the n-th byte from now; -1: none */
    atomic_int cut_in;  /* after so many bytes all others are lost; -1: none */
    atomic_int mute;    /* so many bytes of answers are lost */
    atomic_int stray;   /* this byte comes before the next answer; -1: none */
    /* Waits until nothing more comes for so long before it answers a page or 56; 0: does not. */
    atomic_int patience_ms;
    atomic_size_t logged; /* bytes received */
    uint8_t log[LOG_MAX];
    uint8_t waiting[512];
    size_t waiting_start, waiting_end;
    size_t most_waiting; /* received while it was not listening */
    bool programming;
    uint16_t here; /* word address */
    uint8_t extended;
    uint8_t flash[FLASH_MAX], page[256], eeprom[4096], eeprom_page[8];
    uint8_t fuse_writes[64][2]; /* second byte and value */
    size_t fuse_write_count;
    int erases, blocks, addresses, loads, extended_loads, polls, leaves, pages_in_bootloader;
};

/* Takes in what is there, after waiting for the first byte: false when none came. */
static bool take_in(struct sketch *sketch, int timeout_ms)
{
    struct pollfd look = {.fd = sketch->master, .events = POLLIN};
    uint8_t bytes[256];
    size_t room = sizeof sketch->waiting - sketch->waiting_end;

    if (poll(&look, 1, timeout_ms) <= 0)
        return false;
    ssize_t count = read(sketch->master, bytes, room < sizeof bytes ? room : sizeof bytes);
    for (ssize_t i = 0; i < count; i++) {
        size_t at = sketch->logged;

        if (at < LOG_MAX)
            sketch->log[at] = bytes[i];
        atomic_fetch_add(&sketch->logged, 1);
        if (sketch->drop_in >= 0 && atomic_fetch_sub(&sketch->drop_in, 1) == 0)
            continue;
        if (sketch->cut_in == 0)
            continue;
        if (sketch->cut_in > 0)
            atomic_fetch_sub(&sketch->cut_in, 1);
        sketch->waiting[sketch->waiting_end++] = bytes[i];
    }
    if (count <= 0)
        usleep(2000); /* nobody has the other end open */
    return count > 0;
}

static uint8_t get(struct sketch *sketch)
{
    while (sketch->waiting_start == sketch->waiting_end && !sketch->stop) {
        sketch->waiting_start = sketch->waiting_end = 0;
        take_in(sketch, 20);
    }
    return sketch->stop ? 0x20 : sketch->waiting[sketch->waiting_start++];
}

/* What a UART's buffer would have to hold while the sketch does something else. */
static void be_busy(struct sketch *sketch)
{
    if (sketch->patience_ms == 0)
        return;
    while (take_in(sketch, sketch->patience_ms))
        continue;
    if (sketch->waiting_end - sketch->waiting_start > sketch->most_waiting)
        sketch->most_waiting = sketch->waiting_end - sketch->waiting_start;
}

static void put(struct sketch *sketch, uint8_t byte)
{
    int stray = atomic_exchange(&sketch->stray, -1);

    if (stray >= 0)
        put(sketch, (uint8_t)stray);
    if (sketch->mute > 0) {
        atomic_fetch_sub(&sketch->mute, 1);
        return;
    }
    if (write(sketch->master, &byte, 1) != 1)
        sketch->stop = true;
}

static bool ended(struct sketch *sketch)
{
    bool right = get(sketch) == 0x20;

    put(sketch, right ? 0x14 : 0x15);
    return right;
}

static void answer(struct sketch *sketch)
{
    if (ended(sketch))
        put(sketch, 0x10);
}

static uint8_t write_fuse(struct sketch *sketch, const uint8_t bytes[4])
{
    if ((bytes[1] & 0xE0) == 0x80)
        sketch->erases++;
    else if (bytes[1] != 0x53 && (bytes[1] & 0x80) != 0 && sketch->fuse_write_count < 64) {
        sketch->fuse_writes[sketch->fuse_write_count][0] = bytes[1];
        sketch->fuse_writes[sketch->fuse_write_count++][1] = bytes[3];
    }
    return bytes[2];
}

static void commit(struct sketch *sketch, uint16_t word)
{
    uint32_t address = sketch->extended * 0x20000U + (word & 0xFF80U) * 2;

    for (int i = 0; i < 256; i++)
        sketch->flash[address + (uint32_t)i] &= sketch->page[i];
    memset(sketch->page, 0xFF, sizeof sketch->page);
}

static uint8_t spi(struct sketch *sketch, const uint8_t bytes[4])
{
    static const uint8_t signature[4] = {0x1E, 0x95, 0x0F, 0xFF};
    uint16_t word = (uint16_t)(bytes[1] << 8 | bytes[2]);

    switch (bytes[0]) {
    case 0x30:
        return signature[bytes[2] % 4];
    case 0xAC:
        return write_fuse(sketch, bytes);
    case 0xF0:
        sketch->polls++;
        return 0;
    case 0x4D:
        sketch->extended = bytes[2] & 1;
        sketch->extended_loads++;
        return 0;
    case 0x40:
    case 0x48:
        sketch->loads++;
        sketch->page[bytes[2] % 128 * 2 + (bytes[0] == 0x48)] = bytes[3];
        return 0;
    case 0x4C:
        commit(sketch, word);
        return 0;
    case 0xC1:
        sketch->eeprom_page[bytes[2] % 8] = bytes[3];
        return 0;
    case 0xC2:
        for (int i = 0; i < 4; i++)
            sketch->eeprom[(word + i) % 4096] = sketch->eeprom_page[i];
        return 0;
    default:
        return bytes[2];
    }
}

static void universal(struct sketch *sketch)
{
    uint8_t bytes[4];

    for (int i = 0; i < 4; i++)
        bytes[i] = get(sketch);
    uint8_t reply = spi(sketch, bytes);
    be_busy(sketch);
    if (ended(sketch)) {
        put(sketch, reply);
        put(sketch, 0x10);
    }
}

static void program_page(struct sketch *sketch)
{
    uint8_t data[256];
    int length = get(sketch) << 8;

    length |= get(sketch);
    if (get(sketch) != 'F') {
        put(sketch, 0x11);
        return;
    }
    for (int i = 0; i < length; i++)
        data[i % 256] = get(sketch);
    if (!ended(sketch))
        return;
    sketch->blocks++;
    sketch->waiting_start = sketch->waiting_end = 0;
    be_busy(sketch);
    for (int i = 0; i < length && length <= 256; i += 2, sketch->here++) {
        sketch->page[sketch->here % 128 * 2] = data[i];
        sketch->page[sketch->here % 128 * 2 + 1] = data[i + 1];
    }
    if (length <= 256)
        commit(sketch, (uint16_t)(sketch->here - 1));
    put(sketch, 0x10);
}

static void read_page(struct sketch *sketch)
{
    int length = get(sketch) << 8;

    length |= get(sketch);
    uint8_t type = get(sketch);
    if (!ended(sketch))
        return;
    for (int i = 0; i < length; i++) {
        uint32_t at = sketch->here * 2U + (uint32_t)i;

        put(sketch, type == 'E' ? sketch->eeprom[at % 4096]
                                : sketch->flash[sketch->extended * 0x20000U + at]);
    }
    if (type == 'F')
        sketch->here = (uint16_t)(sketch->here + length / 2);
    put(sketch, 0x10);
}

static void load_address(struct sketch *sketch)
{
    sketch->here = get(sketch);
    sketch->here = (uint16_t)(sketch->here | get(sketch) << 8);
    sketch->addresses++;
    answer(sketch);
}

static void sign_on(struct sketch *sketch)
{
    static const char text[] = "AVR ISP";

    if (!ended(sketch))
        return;
    for (const char *at = text; *at != '\0' && sketch->speech != SPEECH_OPTIBOOT; at++)
        put(sketch, (uint8_t)*at);
    put(sketch, 0x10);
}

static void parameter(struct sketch *sketch)
{
    uint8_t which = get(sketch);
    bool boot = sketch->speech != SPEECH_SKETCH;

    if (!ended(sketch))
        return;
    put(sketch, which == 0x93 ? (boot ? 0 : 'S') : which == 0x81 ? 1 : which == 0x82 ? 18 : 0);
    put(sketch, 0x10);
}

static void obey(struct sketch *sketch, uint8_t command)
{
    switch (command) {
    case 0x20:
        put(sketch, 0x15);
        break;
    case 0x31:
        sign_on(sketch);
        break;
    case 0x41:
        parameter(sketch);
        break;
    case 0x42:
        for (int i = 0; i < 20; i++)
            get(sketch);
        answer(sketch);
        break;
    case 0x51:
        sketch->leaves++;
        answer(sketch);
        break;
    case 0x30:
    case 0x50:
        answer(sketch);
        break;
    case 0x55:
        load_address(sketch);
        break;
    case 0x56:
        universal(sketch);
        break;
    case 0x64:
        sketch->pages_in_bootloader += sketch->speech != SPEECH_SKETCH;
        program_page(sketch);
        break;
    case 0x74:
        read_page(sketch);
        break;
    default:
        put(sketch, get(sketch) == 0x20 ? 0x12 : 0x15);
    }
}

static void *sketch_run(void *context)
{
    struct sketch *sketch = context;

    while (!sketch->stop) {
        bool boot = sketch->speech == SPEECH_OPTIBOOT || sketch->speech == SPEECH_ATMEGA_BOOT;
        bool idle = sketch->waiting_start == sketch->waiting_end;

        /* A bootloader's watchdog, in small. */
        if (boot && idle && sketch->logged > 0 && !take_in(sketch, 1000))
            sketch->speech = SPEECH_SKETCH;
        uint8_t command = get(sketch);
        if (sketch->stop || sketch->speech == SPEECH_NONE)
            continue;
        if (sketch->speech == SPEECH_ECHO)
            put(sketch, command);
        else
            obey(sketch, command);
    }
    return NULL;
}

static struct sketch *sketch_start(enum speech speech)
{
    struct sketch *sketch = calloc(1, sizeof *sketch);

    assert_non_null(sketch);
    sketch->speech = speech;
    sketch->drop_in = sketch->stray = sketch->cut_in = -1;
    memset(sketch->flash, 0xFF, sizeof sketch->flash);
    memset(sketch->page, 0xFF, sizeof sketch->page);
    sketch->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(sketch->master >= 0);
    assert_int_equal(grantpt(sketch->master), 0);
    assert_int_equal(unlockpt(sketch->master), 0);
    sketch->place.kind = PLACE_PTY;
    assert_int_equal(ptsname_r(sketch->master, sketch->place.path, sizeof sketch->place.path), 0);
    assert_int_equal(pthread_create(&sketch->thread, NULL, sketch_run, sketch), 0);
    return sketch;
}

static void sketch_stop(struct sketch *sketch)
{
    sketch->stop = true;
    assert_int_equal(pthread_join(sketch->thread, NULL), 0);
    close(sketch->master);
    free(sketch);
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
};

struct fixture {
    struct sketch *sketch;
    struct programmer *programmer;
    struct operation operation;
    struct part part;
    struct profile profile;
    struct fuse_gate *gate;
};

static struct operation within(int64_t duration_us)
{
    return (struct operation){.deadline_us = operation_now_us() + duration_us};
}

static int claim(struct programmer *programmer, const struct sketch *sketch, int64_t duration_us,
                 struct failure *failure)
{
    struct operation operation = within(duration_us);
    struct programmer_settings settings = {.place = sketch->place};

    return programmer_claim(programmer, &settings, &operation, failure);
}

static void attach(struct fixture *fixture)
{
    struct failure failure = {0};

    if (programmer_attach(fixture->programmer, &fixture->part, &fixture->operation, &failure) != 0)
        fail_msg("attach: %s", failure.detail);
}

static void open_fixture(struct fixture *fixture)
{
    struct failure failure = {0};

    memset(fixture, 0, sizeof *fixture);
    fixture->part = small;
    standard_bytes(&fixture->part);
    fixture->operation = within(600 * SECOND_US);
    fixture->sketch = sketch_start(SPEECH_SKETCH);
    fixture->programmer = programmer_create(programmer_driver_by_name("stk500v1"));
    assert_non_null(fixture->programmer);
    if (claim(fixture->programmer, fixture->sketch, 60 * SECOND_US, &failure) != 0)
        fail_msg("claim: %s", failure.detail);
    fixture->profile.part = &fixture->part;
    for (int i = 0; i < PART_FUSE_AND_LOCK_COUNT; i++)
        fixture->profile.rules[i].exists = true;
    fixture->gate = fuse_gate_create(&fixture->profile);
    attach(fixture);
}

static void close_fixture(struct fixture *fixture)
{
    fixture->sketch->mute = 0;
    programmer_destroy(fixture->programmer);
    fuse_gate_free(fixture->gate);
    sketch_stop(fixture->sketch);
}

static int write_flash(struct fixture *fixture, uint32_t start, const uint8_t *bytes,
                       uint32_t count, struct failure *failure)
{
    return programmer_write(fixture->programmer, PART_FLASH, start, bytes, count, NULL,
                            &fixture->operation, failure);
}

static int send_fuse(struct fixture *fixture, enum part_memory memory, uint8_t value,
                     struct failure *failure)
{
    struct fuse_permit *permit = NULL;
    struct isp_instruction instruction;
    uint8_t reply;

    fixture->profile.rules[memory - PART_FIRST_FUSE].write = value;
    assert_int_equal(fuse_gate_enter_session(fixture->gate, fixture->programmer->session,
                                             fixture->part.signature, NULL),
                     0);
    assert_int_equal(
        fuse_gate_permit_write(fixture->gate, memory, (uint8_t)~value, value, &permit, NULL), 0);
    instruction = isp_write_byte(&fixture->part, memory, value, permit);
    return programmer_instruct(fixture->programmer, &instruction, &reply, &fixture->operation,
                               failure);
}

static void assert_logged(const struct sketch *sketch, size_t at, const uint8_t *bytes,
                          size_t count)
{
    assert_true(sketch->logged >= at + count);
    for (size_t i = 0; i < count; i++)
        if (sketch->log[at + i] != bytes[i])
            fail_msg("byte %zu sent is %02X, expected %02X", i, sketch->log[at + i], bytes[i]);
}

/* Nothing that looks like a fuse write. */
static void fill_tame(uint8_t *bytes, size_t count, unsigned seed)
{
    fill_random(bytes, count, seed);
    for (size_t i = 0; i < count; i++)
        bytes[i] &= 0x7F;
}

/* ---- claiming ---- */

static void the_sketch_is_found_and_its_version_read(void **state)
{
    (void)state;
    struct fixture fixture;

    open_fixture(&fixture);
    assert_string_equal(fixture.programmer->firmware, "ArduinoISP 1.18");
    assert_int_equal(fixture.programmer->sck_hz, 125000);
    close_fixture(&fixture);
}

static void a_bootloader_is_left_alone_until_it_ends(void **state)
{
    (void)state;
    static const enum speech speeches[] = {SPEECH_OPTIBOOT, SPEECH_ATMEGA_BOOT};

    for (int i = 0; i < 2; i++) {
        struct sketch *sketch = sketch_start(speeches[i]);
        struct programmer *programmer = programmer_create(programmer_driver_by_name("stk500v1"));
        struct failure failure = {0};

        if (claim(programmer, sketch, 60 * SECOND_US, &failure) != 0)
            fail_msg("%s", failure.detail);
        programmer_destroy(programmer);
        assert_int_equal(sketch->speech, SPEECH_SKETCH);
        assert_int_equal(sketch->pages_in_bootloader, 0);
        sketch_stop(sketch);
    }
}

static void silence_and_another_language_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        enum speech speech;
        enum failure_code code;
        const char *detail;
    } cases[] = {{SPEECH_NONE, FAILURE_PROGRAMMER_SILENT, "no answer"},
                 {SPEECH_ECHO, FAILURE_PROGRAMMER_UNKNOWN, "answered 30 20"}};

    for (int i = 0; i < 2; i++) {
        struct sketch *sketch = sketch_start(cases[i].speech);
        struct programmer *programmer = programmer_create(programmer_driver_by_name("stk500v1"));
        struct failure failure = {0};

        assert_int_equal(claim(programmer, sketch, SECOND_US, &failure), -1);
        assert_int_equal(failure.code, cases[i].code);
        assert_non_null(strstr(failure.detail, cases[i].detail));
        programmer_destroy(programmer);
        sketch_stop(sketch);
    }
}

static void noise_before_the_first_answer_does_not_matter(void **state)
{
    (void)state;
    struct sketch *sketch = sketch_start(SPEECH_SKETCH);
    struct programmer *programmer = programmer_create(programmer_driver_by_name("stk500v1"));
    struct failure failure = {0};

    sketch->stray = 0xC3;
    assert_int_equal(write(sketch->master, "AT banner\r\n", 11), 11);
    if (claim(programmer, sketch, 60 * SECOND_US, &failure) != 0)
        fail_msg("%s", failure.detail);
    programmer_destroy(programmer);
    sketch_stop(sketch);
}

/* ---- fuses ---- */

static void a_fuse_value_is_its_own_end_byte(void **state)
{
    (void)state;
    static const struct {
        enum part_memory memory;
        uint8_t value, command[6];
    } cases[] = {{PART_FUSE_LOW, 0x5E, {0x56, 0xAC, 0xA0, 0x00, 0x5E, 0x5E}},
                 {PART_FUSE_HIGH, 0xDE, {0x56, 0xAC, 0xA8, 0x00, 0xDE, 0xDE}},
                 {PART_FUSE_EXTENDED, 0x20, {0x56, 0xAC, 0xA4, 0x00, 0x20, 0x20}},
                 {PART_LOCK, 0xCF, {0x56, 0xAC, 0xE0, 0x00, 0xCF, 0xCF}}};
    struct fixture fixture;

    open_fixture(&fixture);
    for (size_t i = 0; i < 4; i++) {
        struct failure failure = {0};
        size_t at = fixture.sketch->logged;

        if (send_fuse(&fixture, cases[i].memory, cases[i].value, &failure) != 0)
            fail_msg("%s", failure.detail);
        assert_logged(fixture.sketch, at, cases[i].command, 6);
        assert_int_equal(fixture.sketch->fuse_write_count, i + 1);
        assert_int_equal(fixture.sketch->fuse_writes[i][0], cases[i].command[2]);
        assert_int_equal(fixture.sketch->fuse_writes[i][1], cases[i].value);
    }
    close_fixture(&fixture);
}

static void assert_only_value_written(const struct sketch *sketch, uint8_t second, uint8_t value)
{
    for (size_t i = 0; i < sketch->fuse_write_count; i++)
        if (sketch->fuse_writes[i][0] != second || sketch->fuse_writes[i][1] != value)
            fail_msg("AC %02X 00 %02X was executed", sketch->fuse_writes[i][0],
                     sketch->fuse_writes[i][1]);
}

/* Whatever vanishes, on the way there or back: the value or nothing; and then the value is fed
 * before anything else, and the next session is in step. Only when the 56 vanished does the sketch
 * answer at once, and is sent the sync that shows it: no fuse write is open then. */
static void lose_one_byte_of_a_fuse_write(uint8_t value, int lost, int mute)
{
    struct fixture fixture;
    struct failure failure = {0};
    uint8_t signature[3];
    uint8_t fed[5];

    open_fixture(&fixture);
    memset(fed, value, sizeof fed);
    size_t at = fixture.sketch->logged;
    fixture.sketch->drop_in = lost;
    fixture.sketch->mute = mute;
    assert_int_equal(send_fuse(&fixture, PART_FUSE_HIGH, value, &failure), -1);
    fixture.sketch->mute = 0;
    assert_int_equal(programmer_identify(fixture.programmer, signature, &fixture.operation, NULL),
                     -1);
    size_t sent = lost == 0 ? 8 : 6;
    assert_int_equal(fixture.sketch->logged, at + sent);
    programmer_release(fixture.programmer, NULL);
    attach(&fixture);
    /* AC AC AC AC is a fuse write to some part. */
    assert_logged(fixture.sketch, at + sent, fed, value == 0xAC ? 2 : sizeof fed);
    if (programmer_identify(fixture.programmer, signature, &fixture.operation, &failure) != 0)
        fail_msg("%s", failure.detail);
    assert_only_value_written(fixture.sketch, 0xA8, value);
    close_fixture(&fixture);
}

static void a_lost_byte_cannot_make_another_fuse_value(void **state)
{
    (void)state;
    for (int lost = 0; lost < 6; lost++)
        lose_one_byte_of_a_fuse_write(0xDE, lost, 0);
    /* Values that are commands when they are taken for one. */
    lose_one_byte_of_a_fuse_write(0x56, 0, 0);
    lose_one_byte_of_a_fuse_write(0x56, 2, 0);
    lose_one_byte_of_a_fuse_write(0x64, 0, 0);
    lose_one_byte_of_a_fuse_write(0xAC, 0, 0);
    lose_one_byte_of_a_fuse_write(0xAC, 1, 0);
}

/* The line is cut behind the AC: values that would be an instruction after it are not fed until the
 * port is opened again, however often the session is tried to be ended. */
static void a_cut_behind_the_ac_makes_no_other_instruction(void **state)
{
    (void)state;
    static const uint8_t values[] = {0xE2, 0xA4};
    for (size_t i = 0; i < sizeof values; i++) {
        struct fixture fixture;
        struct failure failure = {0};

        open_fixture(&fixture);
        fixture.sketch->cut_in = 2; /* 56 AC */
        assert_int_equal(send_fuse(&fixture, PART_FUSE_LOW, values[i], &failure), -1);
        fixture.sketch->cut_in = -1;
        size_t at = fixture.sketch->logged;
        for (int tries = 0; tries < 3; tries++) {
            programmer_release(fixture.programmer, NULL);
            programmer_attach(fixture.programmer, &fixture.part, &fixture.operation, NULL);
        }
        assert_true(fixture.sketch->logged <= at + 2);
        assert_int_equal(fixture.sketch->fuse_write_count, 0);
        close_fixture(&fixture);
    }
}

static void a_lost_answer_to_a_fuse_write_is_no_success(void **state)
{
    (void)state;
    lose_one_byte_of_a_fuse_write(0xDE, -1, 1);
}

/* From `at` on nothing was sent but the value. */
static void assert_only_fed(const struct sketch *sketch, size_t at, uint8_t value)
{
    assert_true(sketch->logged > at);
    for (size_t i = at; i < sketch->logged; i++)
        if (sketch->log[i] != value)
            fail_msg("byte %zu after the cut is %02X", i - at, sketch->log[i]);
}

/* The link is cut within a fuse write, and opening it again does not reset the Arduino: neither the
 * old instance, nor a claim that fails, nor the one that succeeds sends anything before the value.
 */
static void claim_after_a_cut_fuse_write(uint8_t value)
{
    struct fixture fixture;
    struct failure failure = {0};
    uint8_t fed[5], signature[3];
    size_t at;

    open_fixture(&fixture);
    memset(fed, value, sizeof fed);
    fixture.sketch->cut_in = 4; /* 56 AC A8 00 */
    assert_int_equal(send_fuse(&fixture, PART_FUSE_HIGH, value, &failure), -1);
    assert_int_equal(fixture.programmer->owed_value, value);
    at = fixture.sketch->logged;
    assert_int_equal(programmer_release(fixture.programmer, &failure), -1);
    assert_only_fed(fixture.sketch, at, value);
    for (int cut = 1; cut >= 0; cut--) {
        programmer_destroy(fixture.programmer);
        fixture.programmer = programmer_create(programmer_driver_by_name("stk500v1"));
        fixture.programmer->owed_value = value;
        fixture.sketch->cut_in = cut ? 0 : -1;
        at = fixture.sketch->logged;
        assert_int_equal(claim(fixture.programmer, fixture.sketch, 20 * SECOND_US, NULL), -cut);
        assert_int_equal(fixture.programmer->owed_value, cut ? value : -1);
        if (cut)
            assert_only_fed(fixture.sketch, at, value);
    }
    assert_logged(fixture.sketch, at, fed, sizeof fed);
    attach(&fixture);
    if (programmer_identify(fixture.programmer, signature, &fixture.operation, &failure) != 0)
        fail_msg("%s", failure.detail);
    assert_int_equal(fixture.sketch->fuse_write_count, 1);
    assert_only_value_written(fixture.sketch, 0xA8, value);
    close_fixture(&fixture);
}

static void a_claim_begins_with_the_value_that_is_owed(void **state)
{
    (void)state;
    claim_after_a_cut_fuse_write(0xDE);
    claim_after_a_cut_fuse_write(0x42); /* the longest command */
}

/* ---- flash ---- */

static void the_next_page_is_sent_ahead_up_to_the_buffer(void **state)
{
    (void)state;
    static uint8_t bytes[5 * 128], back[5 * 128];
    struct fixture fixture;
    struct failure failure = {0};

    open_fixture(&fixture);
    fill_tame(bytes, sizeof bytes, 1);
    memset(bytes + 3 * 128, 0xFF, 128); /* a blank page: a gap, and a new address after it */
    fixture.sketch->patience_ms = 400;
    if (write_flash(&fixture, 0x100, bytes, sizeof bytes, &failure) != 0)
        fail_msg("%s", failure.detail);
    assert_int_equal(fixture.sketch->most_waiting, 63);
    assert_int_equal(fixture.sketch->blocks, 4);
    assert_int_equal(fixture.sketch->addresses, 2);
    assert_memory_equal(fixture.sketch->flash + 0x100, bytes, sizeof bytes);
    fixture.sketch->patience_ms = 0;
    assert_int_equal(programmer_read(fixture.programmer, PART_FLASH, 0x100, back, sizeof back,
                                     &fixture.operation, &failure),
                     0);
    assert_memory_equal(back, bytes, sizeof bytes);
    close_fixture(&fixture);
}

static void above_128_kib_the_extended_address_is_loaded(void **state)
{
    (void)state;
    static uint8_t bytes[4 * 256], back[4 * 256];
    struct fixture fixture;
    struct failure failure = {0};

    open_fixture(&fixture);
    fixture.part.flash = (struct part_array){.size = FLASH_MAX,
                                             .page_size = 256,
                                             .page_write = true,
                                             .write_delay_us = 500,
                                             .needs_extended_address = true};
    fill_tame(bytes, sizeof bytes, 2);
    if (write_flash(&fixture, 0x1FE00, bytes, sizeof bytes, &failure) != 0)
        fail_msg("%s", failure.detail);
    assert_int_equal(fixture.sketch->extended_loads, 2);
    assert_int_equal(fixture.sketch->addresses, 2);
    assert_memory_equal(fixture.sketch->flash + 0x1FE00, bytes, sizeof bytes);
    if (programmer_read(fixture.programmer, PART_FLASH, 0x1FE00, back, sizeof back,
                        &fixture.operation, &failure) != 0)
        fail_msg("%s", failure.detail);
    assert_memory_equal(back, bytes, sizeof bytes);
    assert_int_equal(fixture.sketch->extended_loads, 4);
    close_fixture(&fixture);
}

/* Is one page with `count` such bytes at `place` sent as a block? */
static bool goes_as_block(struct fixture *fixture, const char *bytes, size_t count, size_t place)
{
    uint8_t page[128];
    struct failure failure = {0};
    int blocks = fixture->sketch->blocks;

    memset(page, 0x33, sizeof page);
    memcpy(page + place, bytes, count);
    memset(fixture->sketch->flash, 0xFF, 128);
    if (write_flash(fixture, 0, page, sizeof page, &failure) != 0)
        fail_msg("%s", failure.detail);
    assert_memory_equal(fixture->sketch->flash, page, sizeof page);
    return fixture->sketch->blocks > blocks;
}

static void data_that_could_write_a_fuse_never_go_as_a_block(void **state)
{
    (void)state;
    struct fixture fixture;

    open_fixture(&fixture);
    for (size_t place = 0; place <= 125; place++) {
        assert_false(goes_as_block(&fixture, "\x56\xAC\x80", 3, place));
        assert_true(goes_as_block(&fixture, "\x56\xAC\x7F", 3, place));
    }
    assert_false(goes_as_block(&fixture, "\x56\x56\xAC\xFF", 4, 60));
    assert_false(goes_as_block(&fixture, "\x56\xAC\xAC", 3, 60));
    assert_true(goes_as_block(&fixture, "\xAC\xA0\x00\x20", 4, 60));
    assert_true(goes_as_block(&fixture, "\x56\xAD\xA0", 3, 60));
    /* After a page's end comes its end byte 20, and AC 20 is no instruction. */
    assert_true(goes_as_block(&fixture, "\x56\xAC", 2, 126));
    assert_true(goes_as_block(&fixture, "\x56", 1, 127));
    assert_true(goes_as_block(&fixture, "\xAC\xA0", 2, 0));
    close_fixture(&fixture);
}

/* Any byte of a page's command is lost or turned: no fuse is written, nothing erased, and the next
 * session is in step. */
static void spoil_a_page(int lost, uint8_t stray)
{
    static uint8_t bytes[256];
    struct fixture fixture;
    struct failure failure = {0};

    open_fixture(&fixture);
    fill_tame(bytes, sizeof bytes, 3);
    memcpy(bytes + 20, "\xAC\xA0\x00\x20", 4);
    fixture.sketch->drop_in = lost;
    if (stray != 0)
        fixture.sketch->stray = stray;
    assert_int_equal(write_flash(&fixture, 0, bytes, sizeof bytes, &failure), -1);
    assert_true(failure.code == FAILURE_PROGRAMMER_OUT_OF_STEP ||
                failure.code == FAILURE_PROGRAMMER_SILENT);
    assert_int_equal(programmer_release(fixture.programmer, NULL), 0);
    attach(&fixture);
    memset(fixture.sketch->flash, 0xFF, 256);
    if (write_flash(&fixture, 0, bytes, sizeof bytes, &failure) != 0)
        fail_msg("byte %d lost: %s", lost, failure.detail);
    assert_memory_equal(fixture.sketch->flash, bytes, sizeof bytes);
    assert_int_equal(fixture.sketch->fuse_write_count, 0);
    assert_int_equal(fixture.sketch->erases, 0);
    close_fixture(&fixture);
}

static void a_spoilt_page_is_told_and_recovered_from(void **state)
{
    (void)state;
    spoil_a_page(2, 0);   /* high byte of the address */
    spoil_a_page(4, 0);   /* 64 */
    spoil_a_page(6, 0);   /* length */
    spoil_a_page(7, 0);   /* 'F' */
    spoil_a_page(50, 0);  /* data */
    spoil_a_page(136, 0); /* end byte */
    spoil_a_page(160, 0); /* in the part sent ahead */
    spoil_a_page(-1, 0x15);
}

static void a_flash_read_begins_at_a_harmless_address(void **state)
{
    (void)state;
    uint8_t back[300];
    struct fixture fixture;
    struct failure failure = {0};

    open_fixture(&fixture);
    fill_tame(fixture.sketch->flash, 1024, 4);
    for (uint32_t start = 0; start < 600; start += 43) {
        size_t at = fixture.sketch->logged;

        if (programmer_read(fixture.programmer, PART_FLASH, start, back, sizeof back,
                            &fixture.operation, &failure) != 0)
            fail_msg("%s", failure.detail);
        assert_memory_equal(back, fixture.sketch->flash + start, sizeof back);
        assert_int_equal(fixture.sketch->log[at], 0x55);
        assert_int_equal(fixture.sketch->log[at + 1] % 16, 0);
    }
    close_fixture(&fixture);
}

static void an_answer_that_does_not_fit_is_not_believed(void **state)
{
    (void)state;
    uint8_t back[128], signature[3];
    struct fixture fixture;
    struct failure failure = {0};

    open_fixture(&fixture);
    fixture.sketch->mute = 1; /* one byte less: all data are shifted */
    assert_int_equal(programmer_read(fixture.programmer, PART_FLASH, 0, back, sizeof back,
                                     &fixture.operation, &failure),
                     -1);
    assert_int_equal(failure.code, FAILURE_PROGRAMMER_OUT_OF_STEP);
    assert_non_null(strstr(failure.detail, "expected 14"));
    assert_int_equal(programmer_release(fixture.programmer, NULL), 0);
    attach(&fixture);
    assert_int_equal(
        programmer_identify(fixture.programmer, signature, &fixture.operation, &failure), 0);
    close_fixture(&fixture);
}

/* ---- EEPROM ---- */

static void eeprom_pages_are_pipelined_within_the_buffer(void **state)
{
    (void)state;
    uint8_t bytes[61], back[61];
    struct fixture fixture;
    struct failure failure = {0};

    open_fixture(&fixture);
    memset(fixture.sketch->eeprom_page, 0xFF, 8);
    fill_tame(bytes, sizeof bytes, 5);
    fixture.sketch->patience_ms = 150;
    if (programmer_write(fixture.programmer, PART_EEPROM, 0x14, bytes, 60, NULL, &fixture.operation,
                         &failure) != 0)
        fail_msg("%s", failure.detail);
    fixture.sketch->patience_ms = 0;
    assert_memory_equal(fixture.sketch->eeprom + 0x14, bytes, 60);
    assert_true(fixture.sketch->most_waiting <= 63);
    assert_true(fixture.sketch->most_waiting > 12);
    assert_int_equal(fixture.sketch->polls, 30); /* two in each of 15 pages */
    if (programmer_read(fixture.programmer, PART_EEPROM, 0x13, back, 61, &fixture.operation,
                        &failure) != 0)
        fail_msg("%s", failure.detail);
    assert_memory_equal(back + 1, bytes, 60);
    close_fixture(&fixture);
}

/* ---- cancelling, releasing ---- */

struct canceller {
    atomic_bool cancel;
};

static void cancel_after_a_page(void *context, uint32_t done_bytes)
{
    if (done_bytes >= 128)
        ((struct canceller *)context)->cancel = true;
}

static void a_cancelled_write_ends_in_step(void **state)
{
    (void)state;
    static uint8_t bytes[8 * 128];
    static const uint8_t leave[] = {0x51, 0x20};
    struct fixture fixture;
    struct failure failure = {0};
    struct canceller canceller = {.cancel = false};

    open_fixture(&fixture);
    fill_tame(bytes, sizeof bytes, 6);
    fixture.operation.cancel = &canceller.cancel;
    fixture.operation.progress = cancel_after_a_page;
    fixture.operation.context = &canceller;
    assert_int_equal(write_flash(&fixture, 0, bytes, sizeof bytes, &failure), -1);
    assert_int_equal(failure.code, FAILURE_INTERRUPTED);
    assert_true(fixture.sketch->blocks < 8);
    size_t at = fixture.sketch->logged;
    assert_int_equal(programmer_release(fixture.programmer, &failure), 0);
    assert_int_equal(fixture.sketch->logged, at + 2);
    assert_logged(fixture.sketch, at, leave, 2);
    close_fixture(&fixture);
}

static void an_attached_programmer_that_is_destroyed_lets_the_target_go(void **state)
{
    (void)state;
    struct fixture fixture;

    open_fixture(&fixture);
    programmer_destroy(fixture.programmer);
    fixture.programmer = NULL;
    assert_int_equal(fixture.sketch->leaves, 1);
    close_fixture(&fixture);
}

/* A program before us was killed within a page: the sketch waits for 100 bytes. */
static void a_sketch_that_waits_for_a_page_is_found(void **state)
{
    (void)state;
    struct sketch *sketch = sketch_start(SPEECH_SKETCH);
    struct programmer *programmer = programmer_create(programmer_driver_by_name("stk500v1"));
    struct failure failure = {0};

    memcpy(sketch->waiting, "\x64\x00\x80\x46", 4); /* before anybody has opened the other end */
    sketch->waiting_end = 4;
    if (claim(programmer, sketch, 60 * SECOND_US, &failure) != 0)
        fail_msg("%s", failure.detail);
    programmer_destroy(programmer);
    sketch_stop(sketch);
}

/* ---- the shortest time ---- */

static void the_floor_is_the_sum_of_its_parts(void **state)
{
    (void)state;
    const struct programmer_driver *driver = programmer_driver_by_name("stk500v1");
    const struct programmer_speed speed = {.baud = 19200};
    char text[800];
    /* 224 pages: 70 bytes at 520.833 us, 128 instructions of 256 us, 30 ms, one more instruction;
     * 28672 bytes back. */
    int64_t expected = 224 * (36458 + 32768 + 30000 + 256) + 14933323;

    assert_int_equal(driver->floor_us(&small, &speed, 28672, 28672, text, sizeof text), expected);
    assert_non_null(strstr(text, "(5 + 128 - 63 sent ahead) bytes x 520833 ns = 36458 us"));
    assert_non_null(strstr(text, "224 pages x 99482 us"));
    assert_int_equal(driver->floor_us(&small, &speed, 28672, 28672, NULL, 0), expected);

    /* Without pages: 12 bytes to it and 3 back for each byte. */
    struct part old = small;
    old.flash.page_write = false;
    old.flash.page_size = 1;
    assert_int_equal(driver->floor_us(&old, &speed, 100, 0, text, sizeof text), 100 * 7812);
    assert_non_null(strstr(text, "(2 instructions x 6 + 3) bytes"));
}

/* ---- every part on the simulated bench ---- */

static void program_on_bench(const char *part, const char *model, uint32_t start, uint32_t count)
{
    const struct workplace_options options = {.driver = "stk500v1", .model = model, .part = part};
    uint8_t *bytes = malloc(count);

    assert_non_null(bytes);
    fill_tame(bytes, count, 7);
    memcpy(bytes + 70, "\x56\xAC\xA0\x00\x20", 5);
    workplace_program_bytes(&options, start, bytes, count);
    free(bytes);
}

static void every_part_is_programmed_on_the_simulated_bench(void **state)
{
    (void)state;
    program_on_bench("ATmega328P", "arduino-uno-isp", 0x7000, 0x1000);
    program_on_bench("ATmega32U4", "pro-micro-isp", 0, 0x800);
    program_on_bench("ATmega32A", "teensy-2.0-isp", 0x400, 0x800);
    program_on_bench("ATtiny85", "arduino-uno-isp", 0x40, 0x400);
    program_on_bench("ATmega2560", "pro-micro-isp", 0x1F000, 0x2000);
    program_on_bench("ATtiny841", "pro-micro-isp", 0x130, 0x400); /* pages of 16 bytes */
    program_on_bench("AT90S8515", "pro-micro-isp", 0x123, 0x401); /* no pages */
}

static void program_slow_part(const char *part, uint32_t flash_bytes, uint32_t eeprom_bytes)
{
    workplace_program_slowly(
        (struct workplace_options){.driver = "stk500v1", .model = "pro-micro-isp", .part = part},
        flash_bytes, eeprom_bytes);
}

static void slow_parts_are_waited_for(void **state)
{
    (void)state;
    program_slow_part("AT90S8515", 30, 20); /* data polling: 7F; 80, then 7F */
    program_slow_part("AT90S8535", 20, 12); /* FF; 00, then FF */
    program_slow_part("ATtiny12", 20, 12);
    program_slow_part("ATmega32A", 256, 20); /* EEPROM by bytes */
    program_slow_part("ATmega103", 512, 10); /* 56 ms for a page */
    program_slow_part("ATtiny841", 64, 20);  /* RDY/BSY, and pages that the sketch does not know */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sketch_is_found_and_its_version_read),
        cmocka_unit_test(a_bootloader_is_left_alone_until_it_ends),
        cmocka_unit_test(silence_and_another_language_are_told_apart),
        cmocka_unit_test(noise_before_the_first_answer_does_not_matter),
        cmocka_unit_test(a_fuse_value_is_its_own_end_byte),
        cmocka_unit_test(a_lost_byte_cannot_make_another_fuse_value),
        cmocka_unit_test(a_lost_answer_to_a_fuse_write_is_no_success),
        cmocka_unit_test(a_cut_behind_the_ac_makes_no_other_instruction),
        cmocka_unit_test(a_claim_begins_with_the_value_that_is_owed),
        cmocka_unit_test(the_next_page_is_sent_ahead_up_to_the_buffer),
        cmocka_unit_test(above_128_kib_the_extended_address_is_loaded),
        cmocka_unit_test(data_that_could_write_a_fuse_never_go_as_a_block),
        cmocka_unit_test(a_spoilt_page_is_told_and_recovered_from),
        cmocka_unit_test(a_flash_read_begins_at_a_harmless_address),
        cmocka_unit_test(an_answer_that_does_not_fit_is_not_believed),
        cmocka_unit_test(eeprom_pages_are_pipelined_within_the_buffer),
        cmocka_unit_test(a_cancelled_write_ends_in_step),
        cmocka_unit_test(an_attached_programmer_that_is_destroyed_lets_the_target_go),
        cmocka_unit_test(a_sketch_that_waits_for_a_page_is_found),
        cmocka_unit_test(the_floor_is_the_sum_of_its_parts),
        cmocka_unit_test(every_part_is_programmed_on_the_simulated_bench),
        cmocka_unit_test(slow_parts_are_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
