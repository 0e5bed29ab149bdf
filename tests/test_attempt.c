/* The attempt: each failure at each step, and what the record says about it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "station/attempt_steps.h"
#include "tests/attempt_bench.h"

/* A table: a fault, and what becomes of the board. */

struct attempt_case {
    const char *name;
    const char *changes; /* of the profile */
    struct fake_fault fault;
    enum verdict verdict;
    enum failure_code failure;
    enum touched touched;
    int tries;
};

#define FAILS(call_, memory_, nth_, code_)                                                         \
    {                                                                                              \
        .call = call_, .memory = (int)memory_, .nth = nth_, .code = code_                          \
    }
#define DONE_BUT_FAILS(call_, memory_, nth_, code_)                                                \
    {                                                                                              \
        .call = call_, .memory = (int)memory_, .nth = nth_, .code = code_, .done_first = true      \
    }
#define FLIPS(call_, memory_, nth_, address_, flip_)                                               \
    {                                                                                              \
        .call = call_, .memory = (int)memory_, .nth = nth_, .address = address_, .flip = flip_     \
    }

/* The calls of an undisturbed attempt: IDENTIFY twice each for identify, erase (before and after
 * the bytes are read again), verify, low, high, extended, recheck, lock (before and after); READ of
 * a fuse: twice for read, once for erase, before and after its writing, for recheck; of the lock
 * byte: twice for read, for erase, recheck, before, after. */
static const struct attempt_case cases[] = {
    {"nothing wrong", NULL, {0}, VERDICT_PASS, FAILURE_NONE, TOUCHED_LOCKED, 1},
    {"attach: silent", NULL, FAILS(FAKE_ATTACH, 0, 1, FAILURE_PROGRAMMER_SILENT), VERDICT_FAIL,
     FAILURE_PROGRAMMER_SILENT, TOUCHED_NONE, 1},
    {"attach: contact, once", NULL, FAILS(FAKE_ATTACH, 0, 1, FAILURE_CONTACT_UNSTABLE),
     VERDICT_PASS, FAILURE_NONE, TOUCHED_LOCKED, 2},
    {"attach: contact, ever", NULL, FAILS(FAKE_ATTACH, 0, 0, FAILURE_CONTACT_UNSTABLE),
     VERDICT_FAIL, FAILURE_CONTACT_UNSTABLE, TOUCHED_NONE, 3},
    {"no retries", "retry: {contact: 0, verify: 0}",
     FAILS(FAKE_ATTACH, 0, 1, FAILURE_CONTACT_UNSTABLE), VERDICT_FAIL, FAILURE_CONTACT_UNSTABLE,
     TOUCHED_NONE, 1},
    {"identify: unstable", NULL, FLIPS(FAKE_IDENTIFY, 0, 2, 1, 0x40), VERDICT_PASS, FAILURE_NONE,
     TOUCHED_LOCKED, 2},
    {"identify: another part", NULL, FLIPS(FAKE_IDENTIFY, 0, 0, 1, 0x01), VERDICT_REFUSED,
     FAILURE_SIGNATURE_MISMATCH, TOUCHED_NONE, 1},
    {"read: two readings differ", NULL, FLIPS(FAKE_READ, LOW, 1, 0, 0x01), VERDICT_PASS,
     FAILURE_NONE, TOUCHED_LOCKED, 2},
    {"read: lost, ever", NULL, FAILS(FAKE_READ, PART_LOCK, 0, FAILURE_CONTACT_LOST), VERDICT_FAIL,
     FAILURE_CONTACT_LOST, TOUCHED_NONE, 3},
    {"erase: signature unstable", NULL, FLIPS(FAKE_IDENTIFY, 0, 3, 1, 0x01), VERDICT_PASS,
     FAILURE_NONE, TOUCHED_LOCKED, 2},
    {"erase: board gone by then",
     NULL,
     {.call = FAKE_IDENTIFY, .nth = 3, .onward = true, .code = FAILURE_NO_BOARD},
     VERDICT_FAIL,
     FAILURE_CONTACT_LOST,
     TOUCHED_NONE,
     3},
    {"erase: contact, not retried", NULL, FAILS(FAKE_ERASE, 0, 1, FAILURE_CONTACT_LOST),
     VERDICT_FAIL, FAILURE_CONTACT_LOST, TOUCHED_ERASED, 1},
    {"erase: busy", NULL, DONE_BUT_FAILS(FAKE_ERASE, 0, 1, FAILURE_BOARD_BUSY), VERDICT_FAIL,
     FAILURE_BOARD_BUSY, TOUCHED_ERASED, 1},
    {"flash: programmer gone", NULL, FAILS(FAKE_WRITE, PART_FLASH, 2, FAILURE_PROGRAMMER_GONE),
     VERDICT_FAIL, FAILURE_PROGRAMMER_GONE, TOUCHED_WRITTEN, 1},
    {"eeprom: fails", "eeprom: {file: image.hex}",
     FAILS(FAKE_WRITE, PART_EEPROM, 1, FAILURE_PROGRAMMER_REFUSED), VERDICT_FAIL,
     FAILURE_PROGRAMMER_REFUSED, TOUCHED_WRITTEN, 1},
    {"eeprom: from a file",
     "eeprom: {file: image.hex}",
     {0},
     VERDICT_PASS,
     FAILURE_NONE,
     TOUCHED_LOCKED,
     1},
    {"verify: differs", NULL, FLIPS(FAKE_READ, PART_FLASH, 0, 0x50, 0x10), VERDICT_FAIL,
     FAILURE_VERIFY_MISMATCH, TOUCHED_WRITTEN, 1},
    {"verify: differs once, one retry", "retry: {contact: 0, verify: 1}",
     FLIPS(FAKE_READ, PART_FLASH, 1, 0x50, 0x10), VERDICT_PASS, FAILURE_NONE, TOUCHED_LOCKED, 2},
    {"verify: differs ever, one retry", "retry: {contact: 0, verify: 1}",
     FLIPS(FAKE_READ, PART_FLASH, 0, 0x50, 0x10), VERDICT_FAIL, FAILURE_VERIFY_MISMATCH,
     TOUCHED_WRITTEN, 2},
    {"verify: EEPROM not blank", NULL, FLIPS(FAKE_READ, PART_EEPROM, 0, 0x3FF, 0x80), VERDICT_FAIL,
     FAILURE_VERIFY_MISMATCH, TOUCHED_WRITTEN, 1},
    {"verify: contact, not retried", NULL, FAILS(FAKE_READ, PART_FLASH, 1, FAILURE_CONTACT_LOST),
     VERDICT_FAIL, FAILURE_CONTACT_LOST, TOUCHED_WRITTEN, 1},
    {"erase: a fuse found otherwise", NULL, FLIPS(FAKE_READ, HIGH, 3, 0, 0x08), VERDICT_PASS,
     FAILURE_NONE, TOUCHED_LOCKED, 2},
    {"verify: board gone when all was read",
     NULL,
     {.call = FAKE_IDENTIFY, .nth = 7, .onward = true, .code = FAILURE_NO_BOARD},
     VERDICT_FAIL,
     FAILURE_CONTACT_LOST,
     TOUCHED_WRITTEN,
     1},
    {"fuses: another part by now",
     NULL,
     {.call = FAKE_IDENTIFY, .nth = 9, .onward = true, .address = 2, .flip = 0x01},
     VERDICT_FAIL,
     FAILURE_SIGNATURE_MISMATCH,
     TOUCHED_WRITTEN,
     1},
    {"fuses: found another than before", NULL, FLIPS(FAKE_READ, LOW, 4, 0, 0x80), VERDICT_FAIL,
     FAILURE_FUSE_MISMATCH, TOUCHED_WRITTEN, 1},
    {"fuses: not sent", NULL, FAILS(FAKE_WRITE, LOW, 1, FAILURE_PROGRAMMER_SILENT), VERDICT_FAIL,
     FAILURE_PROGRAMMER_SILENT, TOUCHED_FUSED, 1},
    {"fuses: sent, no answer", NULL, DONE_BUT_FAILS(FAKE_WRITE, HIGH, 1, FAILURE_PROGRAMMER_SILENT),
     VERDICT_FAIL, FAILURE_PROGRAMMER_SILENT, TOUCHED_FUSED, 1},
    {"fuses: reads back another", NULL, FLIPS(FAKE_READ, EXTENDED, 5, 0, 0x04), VERDICT_FAIL,
     FAILURE_FUSE_MISMATCH, TOUCHED_FUSED, 1},
    {"fuses: another in bits that are not there", NULL, FLIPS(FAKE_READ, EXTENDED, 5, 0, 0xF8),
     VERDICT_PASS, FAILURE_NONE, TOUCHED_LOCKED, 1},
    {"reenter: release not confirmed", NULL, FAILS(FAKE_RELEASE, 0, 1, FAILURE_PROGRAMMER_SILENT),
     VERDICT_FAIL, FAILURE_PROGRAMMER_SILENT, TOUCHED_FUSED, 1},
    {"reenter: cannot attach", NULL, FAILS(FAKE_ATTACH, 0, 2, FAILURE_CONTACT_LOST), VERDICT_FAIL,
     FAILURE_CONTACT_LOST, TOUCHED_FUSED, 1},
    {"recheck: the board's clock does not run",
     NULL,
     {.call = FAKE_IDENTIFY, .nth = 15, .onward = true, .code = FAILURE_NO_BOARD},
     VERDICT_FAIL,
     FAILURE_CONTACT_LOST,
     TOUCHED_FUSED,
     1},
    {"recheck: a fuse did not hold", NULL, FLIPS(FAKE_READ, HIGH, 6, 0, 0x01), VERDICT_FAIL,
     FAILURE_FUSE_MISMATCH, TOUCHED_FUSED, 1},
    {"recheck: lock not erased", NULL, FLIPS(FAKE_READ, PART_LOCK, 4, 0, 0x01), VERDICT_FAIL,
     FAILURE_LOCK_MISMATCH, TOUCHED_FUSED, 1},
    {"lock: not sent", NULL, FAILS(FAKE_WRITE, PART_LOCK, 1, FAILURE_PROGRAMMER_SILENT),
     VERDICT_FAIL, FAILURE_PROGRAMMER_SILENT, TOUCHED_LOCKED, 1},
    {"lock: reads back another", NULL, FLIPS(FAKE_READ, PART_LOCK, 6, 0, 0x10), VERDICT_FAIL,
     FAILURE_LOCK_MISMATCH, TOUCHED_LOCKED, 1},
    {"release: not confirmed", NULL, FAILS(FAKE_RELEASE, 0, 2, FAILURE_PROGRAMMER_GONE),
     VERDICT_FAIL, FAILURE_PROGRAMMER_GONE, TOUCHED_LOCKED, 1},
};

static void check_case(const struct attempt_case *test)
{
    struct bench bench;

    open_bench(&bench, test->changes);
    if (test->fault.code != FAILURE_NONE || test->fault.flip != 0)
        fake_site_add_fault(&bench.site, test->fault);
    run(&bench);
    if (bench.record.verdict != test->verdict || bench.record.failure != test->failure ||
        bench.record.touched != test->touched || bench.record.tries != test->tries)
        fail_msg("%s: verdict %s, failure %s (%s), touched %s, %d tries", test->name,
                 verdict_name(bench.record.verdict), failure_lookup(bench.record.failure)->name,
                 bench.record.detail, touched_name(bench.record.touched), bench.record.tries);
    check_always(&bench);
    if (test->verdict == VERDICT_PASS)
        check_board(&bench);
    close_bench(&bench);
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_case(&cases[i]);
}

/* Every call to the programmer fails once, one after the other. */
static bool check_failing_call(int nth, enum failure_code code, bool done_first)
{
    struct bench bench;
    struct fake_fault fault = {.call = FAKE_ANY,
                               .memory = FAKE_ANY_MEMORY,
                               .nth = nth,
                               .code = code,
                               .done_first = done_first};
    bool struck;

    open_bench(&bench, "retry: {contact: 0, verify: 0}");
    fake_site_add_fault(&bench.site, fault);
    run(&bench);
    check_always(&bench);
    struck = bench.site.faults[0].seen >= nth;
    assert_int_equal(bench.record.verdict == VERDICT_PASS, !struck);
    if (struck && code == FAILURE_INTERRUPTED)
        assert_int_equal(bench.record.verdict, VERDICT_INTERRUPTED);
    close_bench(&bench);
    return struck;
}

static void test_every_call_fails(void **state)
{
    static const enum failure_code codes[] = {FAILURE_PROGRAMMER_SILENT, FAILURE_CONTACT_LOST,
                                              FAILURE_INTERRUPTED};
    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        int nth = 1;

        while (check_failing_call(nth, codes[i], false))
            nth++;
        assert_in_range(nth, 40, 80); /* an attempt has about so many */
    }
}

/* A single byte that reads back otherwise is never a pass, wherever it is. */
static void check_flip(enum part_memory memory, int nth, uint32_t address, uint8_t flip)
{
    struct bench bench;
    struct fake_fault fault = {
        .call = FAKE_READ, .memory = (int)memory, .nth = nth, .address = address, .flip = flip};

    open_bench(&bench, NULL);
    fake_site_add_fault(&bench.site, fault);
    run(&bench);
    check_always(&bench);
    assert_int_equal(bench.record.verdict, VERDICT_FAIL);
    close_bench(&bench);
}

static void test_no_pass_with_a_wrong_byte(void **state)
{
    /* Outside the image, in its pages of 0x80 bytes. */
    static const uint32_t padding[] = {0x00, 0x3F, 0xC0, 0xFF, 0x240, 0x27F};

    (void)state;
    for (uint32_t address = 0x40; address < 0x240; address += 9)
        if (address < 0xC0 || address >= 0x200)
            check_flip(PART_FLASH, 0, address, (uint8_t)(1u << address % 8));
    for (size_t i = 0; i < sizeof padding / sizeof padding[0]; i++)
        check_flip(PART_FLASH, 0, padding[i], (uint8_t)(1u << i));
    for (uint32_t address = 0; address < 0x400; address += 113)
        check_flip(PART_EEPROM, 0, address, (uint8_t)(1u << address % 8));
    for (int bit = 0; bit < 8; bit++) {
        check_flip(LOW, 6, 0, (uint8_t)(1u << bit));
        check_flip(HIGH, 5, 0, (uint8_t)(1u << bit));
        if (bit < 6) /* the lock byte has six bits */
            check_flip(PART_LOCK, 6, 0, (uint8_t)(1u << bit));
    }
}

/* The last byte that is read back is the lock byte. When the board is gone by then, what a dead
 * line reads may be the very value: all bits that exist 0. */
static void test_no_pass_without_a_board_at_the_end(void **state)
{
    struct bench bench;
    struct fake_fault dead_line = FLIPS(FAKE_READ, PART_LOCK, 6, 0, 0x3F);
    struct fake_fault gone = {
        .call = FAKE_IDENTIFY, .nth = 19, .onward = true, .code = FAILURE_NO_BOARD};

    (void)state;
    open_bench(&bench, "lock: 0xC0");
    bench.site.board.stuck[PART_LOCK - PART_FIRST_FUSE] = 0x3F;
    fake_site_add_fault(&bench.site, dead_line);
    fake_site_add_fault(&bench.site, gone);
    run(&bench);
    check_always(&bench);
    assert_int_equal(bench.record.verdict, VERDICT_FAIL);
    assert_int_equal(bench.record.failure, FAILURE_CONTACT_LOST);
    assert_int_equal(bench.record.touched, TOUCHED_LOCKED);
    close_bench(&bench);
}

static void leave_place(void *context)
{
    ((struct fake_site *)context)->present = false;
}

static void put_another_in(void *context)
{
    struct fake_site *site = context;

    site->present = true;
    memset(site->board.flash, 0x55, sizeof site->board.flash);
    memset(site->board.eeprom, 0x55, sizeof site->board.eeprom);
}

/* The board is taken out while its EEPROM is read, which is to be blank, as an empty place is; then
 * another one stands there, whose fuses are right. */
static void test_no_pass_for_another_board(void **state)
{
    struct bench bench;
    struct fake_fault out = {
        .call = FAKE_READ, .memory = PART_EEPROM, .nth = 1, .hook = leave_place};
    struct fake_fault in = {.call = FAKE_ATTACH, .nth = 2, .hook = put_another_in};

    (void)state;
    open_bench(&bench, "fuses: {low: 0x62, high: 0xD9, extended: 0xFF}\nlock: 0xFF");
    out.context = in.context = &bench.site;
    fake_site_add_fault(&bench.site, out);
    fake_site_add_fault(&bench.site, in);
    run(&bench);
    check_always(&bench);
    assert_int_equal(bench.record.verdict, VERDICT_FAIL);
    assert_int_equal(bench.record.failure, FAILURE_CONTACT_LOST);
    close_bench(&bench);
}

/* What the record says of a good board. */
static void test_record_of_a_pass(void **state)
{
    struct bench bench;
    char digest[DIGEST_TEXT_BYTES];

    (void)state;
    open_bench(&bench, NULL);
    run(&bench);
    check_always(&bench);
    check_board(&bench);
    image_digest(bench.station.profile->flash, bench.station.profile->eeprom, digest);
    assert_string_equal(bench.record.readback_sha256, digest);
    assert_string_equal(bench.record.image_sha256, digest);
    assert_string_equal(bench.record.verification, "image");
    assert_string_equal(bench.record.signature, "1E 95 0F");
    assert_string_equal(bench.record.expected_signature, "1E 95 0F");
    assert_string_equal(bench.record.programmer_firmware, "fake 1.0");
    assert_string_equal(bench.record.profile, "fake");
    assert_string_equal(bench.record.part, "ATmega328P");
    assert_string_equal(bench.record.detail, "");
    assert_int_equal(bench.record.sck_hz, 125000);
    assert_int_equal(bench.record.cycle, 3);
    assert_int_equal(bench.record.fuse_count, 4);
    check_fuse(&bench, "low", 0x62, 0xFF, FUSE_DECISION_WRITTEN, 0xFF);
    check_fuse(&bench, "high", 0xD9, 0xDE, FUSE_DECISION_WRITTEN, 0xDE);
    check_fuse(&bench, "extended", 0xFF, 0xFD, FUSE_DECISION_WRITTEN, 0xFD);
    check_fuse(&bench, "lock", 0xFF, 0xCF, FUSE_DECISION_WRITTEN, 0xCF);
    assert_int_equal(bench.site.board.erases, 1);
    assert_int_equal(bench.site.board.writes[PART_FLASH], 2);
    assert_int_equal(bench.site.board.writes[PART_EEPROM], 0);
    close_bench(&bench);
}

/* A fuse that is right, accepted or left is not sent. */
static void test_fuses_not_sent(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(&bench, "fuses:\n  low: 0x62\n  high: {write: 0xDE, accept: [0xD9], because: test}\n"
                       "  extended: leave\nlock: 0xFF");
    run(&bench);
    check_always(&bench);
    assert_int_equal(bench.record.verdict, VERDICT_PASS);
    check_fuse(&bench, "low", 0x62, 0x62, FUSE_DECISION_ALREADY, 0x62);
    check_fuse(&bench, "high", 0xD9, 0xDE, FUSE_DECISION_ACCEPTED, 0xD9);
    check_fuse(&bench, "extended", 0xFF, -1, FUSE_DECISION_LEFT, 0xFF);
    check_fuse(&bench, "lock", 0xFF, 0xFF, FUSE_DECISION_ALREADY, 0xFF);
    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++)
        assert_int_equal(bench.site.board.writes[memory], 0);
    assert_int_equal(bench.record.touched, TOUCHED_WRITTEN);
    close_bench(&bench);
}

/* What was not sent stands as refused; what may have been sent as unknown. */
static void test_decisions_of_a_failure(void **state)
{
    struct bench bench;
    struct fake_fault fault = {.call = FAKE_WRITE,
                               .memory = HIGH,
                               .nth = 1,
                               .code = FAILURE_PROGRAMMER_SILENT,
                               .done_first = true};

    (void)state;
    open_bench(&bench, NULL);
    fake_site_add_fault(&bench.site, fault);
    run(&bench);
    check_always(&bench);
    check_fuse(&bench, "low", 0x62, 0xFF, FUSE_DECISION_WRITTEN, 0xFF);
    check_fuse(&bench, "high", 0xD9, 0xDE, FUSE_DECISION_UNKNOWN, -1);
    check_fuse(&bench, "extended", 0xFF, 0xFD, FUSE_DECISION_REFUSED, -1);
    check_fuse(&bench, "lock", 0xFF, 0xCF, FUSE_DECISION_REFUSED, -1);
    close_bench(&bench);
}

static void test_stuck_fuse(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(&bench, NULL);
    bench.site.board.stuck[HIGH - PART_FIRST_FUSE] = 0x01;
    run(&bench);
    check_always(&bench);
    assert_int_equal(bench.record.failure, FAILURE_FUSE_MISMATCH);
    assert_string_equal(bench.record.detail,
                        "high: expected 0xDE, reads back 0xDF (bits 0xFF exist)");
    check_fuse(&bench, "high", 0xD9, 0xDE, FUSE_DECISION_UNKNOWN, 0xDF);
    assert_int_equal(bench.site.board.writes[PART_LOCK], 0);
    close_bench(&bench);
}

/* A locked board is erased, which unlocks it, and locked again. */
static void test_locked_board(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(&bench, NULL);
    bench.site.board.bytes[PART_LOCK - PART_FIRST_FUSE] = 0xCF;
    run(&bench);
    check_always(&bench);
    assert_int_equal(bench.record.verdict, VERDICT_PASS);
    check_fuse(&bench, "lock", 0xCF, 0xCF, FUSE_DECISION_WRITTEN, 0xCF);
    assert_int_equal(bench.site.board.writes[PART_LOCK], 1);
    close_bench(&bench);
}

static void test_mismatch_detail(void **state)
{
    struct bench bench;
    struct fake_fault fault = {
        .call = FAKE_READ, .memory = PART_FLASH, .address = 0x41, .flip = 0xFF};

    (void)state;
    open_bench(&bench, NULL);
    fake_site_add_fault(&bench.site, fault);
    run(&bench);
    check_always(&bench);
    assert_string_equal(bench.record.detail,
                        "flash 0x00041: expected 0xCB, found 0x34; 1 bytes differ, bits 0 to 1 "
                        "(not programmed) and 1 to 0 (wrongly programmed or not erased)");
    assert_string_not_equal(bench.record.readback_sha256, "");
    close_bench(&bench);
}

/* A needle that slips off in mid-job is no fault of the part. */
static void slip_off(void *context)
{
    ((struct fake_site *)context)->present = false; /* called with the site's mutex held */
}

static void test_contact_lost_in_mid_job(void **state)
{
    static const struct {
        enum fake_call call;
        enum part_memory memory;
        int nth;
    } moments[] = {{FAKE_WRITE, PART_FLASH, 2}, {FAKE_WRITE, LOW, 1}, {FAKE_WRITE, PART_LOCK, 1}};

    (void)state;
    for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++) {
        struct bench bench;

        open_bench(&bench, "retry: {contact: 2, verify: 1}");
        fake_site_add_fault(&bench.site, (struct fake_fault){.call = moments[i].call,
                                                             .memory = (int)moments[i].memory,
                                                             .nth = moments[i].nth,
                                                             .hook = slip_off,
                                                             .context = &bench.site});
        run(&bench);
        check_always(&bench);
        assert_int_equal(bench.record.verdict, VERDICT_FAIL);
        assert_string_equal(failure_lookup(bench.record.failure)->name, "contact-lost");
        assert_int_equal(bench.record.tries, 1);
        close_bench(&bench);
    }
}

/* Pages that no image touches count only where the profile says so. */
static void test_verify_whole(void **state)
{
    static const struct {
        const char *changes;
        enum verdict verdict;
        const char *verification;
    } tests[] = {{NULL, VERDICT_PASS, "image"}, {"verify: whole", VERDICT_FAIL, "whole"}};
    struct fake_fault fault = {
        .call = FAKE_READ, .memory = PART_FLASH, .address = 0x100, .flip = 0x01};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct bench bench;

        open_bench(&bench, tests[i].changes);
        fake_site_add_fault(&bench.site, fault);
        run(&bench);
        check_always(&bench);
        assert_int_equal(bench.record.verdict, tests[i].verdict);
        assert_string_equal(bench.record.verification, tests[i].verification);
        close_bench(&bench);
    }
}

static void test_empty(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(&bench, NULL);
    fake_site_remove(&bench.site);
    run(&bench);
    check_always(&bench);
    assert_int_equal(bench.record.verdict, VERDICT_EMPTY);
    assert_int_equal(bench.record.failure, FAILURE_NO_BOARD);
    assert_int_equal(bench.record.tries, 2);
    assert_string_equal(bench.record.signature, "");
    close_bench(&bench);
}

/* EEPROM: the profile's will, EESAVE as found, what is in it, and what becomes of that. */
static void test_eeprom(void **state)
{
    static const struct {
        const char *name;
        const char *changes;
        uint8_t high, lock, content;
        enum verdict verdict;
        enum failure_code failure;
        uint8_t content_after;
    } tests[] = {
        {"keep, would be lost", "eeprom: keep", 0xD9, 0xFF, 0x12, VERDICT_REFUSED,
         FAILURE_EEPROM_WOULD_BE_LOST, 0x12},
        {"keep, nothing to lose", "eeprom: keep", 0xD9, 0xFF, 0xFF, VERDICT_PASS, FAILURE_NONE,
         0xFF},
        {"keep, cannot be seen", "eeprom: keep", 0xD9, 0xFC, 0xFF, VERDICT_REFUSED,
         FAILURE_EEPROM_WOULD_BE_LOST, 0xFF},
        {"keep, EESAVE", "eeprom: keep", 0xD1, 0xFF, 0x12, VERDICT_PASS, FAILURE_NONE, 0x12},
        {"erase", NULL, 0xD9, 0xFF, 0x12, VERDICT_PASS, FAILURE_NONE, 0xFF},
        {"erase, EESAVE", NULL, 0xD1, 0xFF, 0x12, VERDICT_PASS, FAILURE_NONE, 0xFF},
        {"file, EESAVE", "eeprom: {file: image.hex}", 0xD1, 0xFF, 0x12, VERDICT_PASS, FAILURE_NONE,
         0xFF},
    };

    (void)state;
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        struct bench bench;

        open_bench(&bench, tests[i].changes);
        bench.site.board.bytes[HIGH - PART_FIRST_FUSE] = tests[i].high;
        bench.site.board.bytes[PART_LOCK - PART_FIRST_FUSE] = tests[i].lock;
        bench.site.board.eeprom[0x10] = tests[i].content;
        run(&bench);
        check_always(&bench);
        if (bench.record.verdict != tests[i].verdict || bench.record.failure != tests[i].failure)
            fail_msg("%s: %s, %s", tests[i].name, verdict_name(bench.record.verdict),
                     bench.record.detail);
        assert_int_equal(bench.site.board.eeprom[0x10], tests[i].content_after);
        if (bench.station.profile->eeprom != NULL)
            assert_memory_equal(bench.site.board.eeprom, bench.station.profile->eeprom->data,
                                bench.station.profile->eeprom->size);
        close_bench(&bench);
    }
}

/* Cancelling */

static void cancel(void *context)
{
    atomic_store((atomic_bool *)context, true);
}

static void test_cancel(void **state)
{
    struct bench bench;
    struct fake_fault fault = {.call = FAKE_WRITE, .memory = PART_FLASH, .nth = 2, .hook = cancel};

    (void)state;
    open_bench(&bench, NULL);
    fault.context = &bench.cancel;
    fake_site_add_fault(&bench.site, fault);
    run(&bench);
    check_always(&bench);
    assert_int_equal(bench.record.verdict, VERDICT_INTERRUPTED);
    assert_int_equal(bench.record.failure, FAILURE_INTERRUPTED);
    assert_string_equal(bench.record.detail, "stopped at the step flash");
    assert_int_equal(bench.record.touched, TOUCHED_WRITTEN);
    close_bench(&bench);
}

/* What made the work fail makes the release fail, too: it is told once. */
static void test_gone_is_told_once(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(&bench, NULL);
    fake_site_add_fault(&bench.site, (struct fake_fault){.call = FAKE_WRITE,
                                                         .memory = PART_FLASH,
                                                         .nth = 2,
                                                         .code = FAILURE_PROGRAMMER_GONE});
    fake_site_add_fault(
        &bench.site,
        (struct fake_fault){.call = FAKE_RELEASE, .nth = 1, .code = FAILURE_PROGRAMMER_GONE});
    run(&bench);
    assert_int_equal(bench.record.failure, FAILURE_PROGRAMMER_GONE);
    assert_non_null(
        strstr(bench.record.detail, "; for this the target may not be released either"));
    close_bench(&bench);
}

static void test_cancelled_before(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(&bench, NULL);
    atomic_store(&bench.cancel, true);
    run(&bench);
    check_always(&bench);
    assert_int_equal(bench.record.verdict, VERDICT_INTERRUPTED);
    assert_int_equal(bench.record.touched, TOUCHED_NONE);
    assert_int_equal(bench.site.attaches, 0);
    close_bench(&bench);
}

/* The log */

static bool pop_kind(struct bench *bench, enum station_event_kind kind, struct station_event *event)
{
    while (event_queue_pop(bench->station.events, event))
        if (event->kind == kind)
            return true;
    return false;
}

/* The disk is full when the attempt is opened, or later: the verdict is nobody's to know. */
static void check_log_fault(struct fake_fault fault, enum touched touched)
{
    struct bench bench;
    struct station_event event;

    open_bench(&bench, NULL);
    fault.hook = fake_disk_fill;
    fake_site_add_fault(&bench.site, fault);
    run(&bench);
    fake_disk_free();
    assert_int_equal(bench.status, -1);
    assert_int_equal(bench.failure.code, FAILURE_LOG);
    assert_int_equal(atomic_load(&bench.station.published), 0);
    assert_false(bench.site.attached);
    assert_int_equal(bench.site.attaches, bench.site.releases);
    assert_int_equal(bench.site.board.touched, touched);
    assert_true(pop_kind(&bench, STATION_EVENT_UNKNOWN, &event));
    assert_int_equal(event.failure.code, FAILURE_LOG);
    assert_int_equal(event.record.verdict, VERDICT_NONE);
    assert_int_equal(event.record.touched, touched);
    assert_int_equal(event.site, 7);
    end_bench(&bench);
    fake_station_abandon(&bench.station);
}

static void test_log_fault(void **state)
{
    struct fake_fault at_opening = {.call = FAKE_READ, .memory = LOW, .nth = 1};
    struct fake_fault at_closing = {.call = FAKE_READ, .memory = PART_LOCK, .nth = 5};

    (void)state;
    check_log_fault(at_opening, TOUCHED_NONE);
    check_log_fault(at_closing, TOUCHED_LOCKED);
}

/* Events: steps in the table's order, the bar never beyond its end. */
static void test_events(void **state)
{
    struct bench bench;
    struct station_event event;
    int last = -1;
    int steps = 0;

    (void)state;
    open_bench(&bench, NULL);
    run(&bench);
    while (event_queue_pop(bench.station.events, &event)) {
        assert_int_equal(event.site, 7);
        assert_int_equal(event.cycle, 3);
        assert_in_range(event.permille, 0, 1000);
        if (event.kind != STATION_EVENT_STEP)
            continue;
        assert_true(record_step_index(event.step) > last);
        last = record_step_index(event.step);
        steps++;
    }
    assert_int_equal(steps, 12); /* all but eeprom */
    close_bench(&bench);
}

static void test_step_names(void **state)
{
    int count, known;
    const struct attempt_step *steps = attempt_step_table(&count);
    const struct record_step_fact *facts = record_step_table(&known);

    (void)state;
    assert_int_equal(count, known);
    for (int i = 0; i < count; i++)
        assert_string_equal(steps[i].name, facts[i].name);
}

static void test_look(void **state)
{
    static const struct {
        struct fake_fault fault;
        bool present;
        enum attempt_presence presence;
    } tests[] = {
        {{0}, true, ATTEMPT_BOARD_PRESENT},
        {{0}, false, ATTEMPT_BOARD_ABSENT},
        {FLIPS(FAKE_IDENTIFY, 0, 1, 0, 0x01), true, ATTEMPT_BOARD_PRESENT},
        {FAILS(FAKE_IDENTIFY, 0, 1, FAILURE_CONTACT_LOST), true, ATTEMPT_BOARD_ABSENT},
        {FAILS(FAKE_ATTACH, 0, 1, FAILURE_PROGRAMMER_SILENT), true, ATTEMPT_PROGRAMMER_FAILED},
        {FAILS(FAKE_RELEASE, 0, 1, FAILURE_PROGRAMMER_SILENT), true, ATTEMPT_PROGRAMMER_FAILED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        struct bench bench;
        struct failure failure;

        open_bench(&bench, NULL);
        fake_site_add_fault(&bench.site, tests[i].fault);
        bench.site.present = tests[i].present;
        assert_int_equal(attempt_look(bench.programmer, &bench.plan, &bench.cancel, &failure),
                         tests[i].presence);
        assert_false(bench.site.attached);
        assert_int_equal(bench.site.board.touched, TOUCHED_NONE);
        close_bench(&bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_every_call_fails),
        cmocka_unit_test(test_no_pass_with_a_wrong_byte),
        cmocka_unit_test(test_no_pass_without_a_board_at_the_end),
        cmocka_unit_test(test_no_pass_for_another_board),
        cmocka_unit_test(test_record_of_a_pass),
        cmocka_unit_test(test_fuses_not_sent),
        cmocka_unit_test(test_decisions_of_a_failure),
        cmocka_unit_test(test_stuck_fuse),
        cmocka_unit_test(test_locked_board),
        cmocka_unit_test(test_mismatch_detail),
        cmocka_unit_test(test_contact_lost_in_mid_job),
        cmocka_unit_test(test_verify_whole),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_eeprom),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_gone_is_told_once),
        cmocka_unit_test(test_cancelled_before),
        cmocka_unit_test(test_log_fault),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_step_names),
        cmocka_unit_test(test_look),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
