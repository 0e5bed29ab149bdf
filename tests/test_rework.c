/* Boards that are not fresh: with an EEPROM to keep, locked, or done already. What an erase clears
 * is put back, survives whatever goes wrong, and is never mistaken for a blank one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "reports/log_eeprom.h"
#include "reports/log_reader.h"
#include "tests/attempt_bench.h"
#include "tests/log_sample.h"

#define RESTORE "eeprom: {keep: restore}"
#define EESAVE_OFF 0xD9
#define EESAVE_ON 0xD1

/* What a board in use may hold: a few runs, blank in between. */
static void fill_eeprom(uint8_t *eeprom)
{
    memset(eeprom, 0xFF, FAKE_EEPROM_MAX);
    memcpy(eeprom, "calibrated", 10);
    memcpy(eeprom + 0x100, "serial 0042", 11);
    eeprom[0x3FF] = 0x00;
}

static void open_used(struct bench *bench, const char *changes, uint8_t high, uint8_t lock)
{
    open_bench(bench, changes);
    fill_eeprom(bench->site.board.eeprom);
    bench->site.board.bytes[HIGH - PART_FIRST_FUSE] = high;
    bench->site.board.bytes[PART_LOCK - PART_FIRST_FUSE] = lock;
}

static void check_content(const struct bench *bench)
{
    uint8_t expected[FAKE_EEPROM_MAX];

    fill_eeprom(expected);
    assert_memory_equal(bench->site.board.eeprom, expected, sizeof expected);
}

static bool is_blank(const struct bench *bench)
{
    for (int i = 0; i < FAKE_EEPROM_MAX; i++)
        if (bench->site.board.eeprom[i] != 0xFF)
            return false;
    return true;
}

static void check_verdict(const struct bench *bench, const char *name, enum verdict verdict,
                          enum failure_code failure)
{
    if (bench->record.verdict != verdict || bench->record.failure != failure)
        fail_msg("%s: %s, %s: %s", name, verdict_name(bench->record.verdict),
                 failure_lookup(bench->record.failure)->name, bench->record.detail);
}

static int count_events(const struct bench *bench, const char *kind)
{
    char sql[128];

    snprintf(sql, sizeof sql, "SELECT count(*) FROM events WHERE kind = '%s'", kind);
    return atoi(sample_query(bench->station.log_path, sql));
}

/* The log has the content of this attempt, whatever became of the board. */
static void check_rescue(const struct bench *bench, int64_t attempt)
{
    uint8_t expected[FAKE_EEPROM_MAX];
    struct log_reader *reader;
    struct log_eeprom eeprom;
    enum log_eeprom_state state;
    struct failure failure = {0};

    fill_eeprom(expected);
    assert_int_equal(log_reader_open(bench->station.log_path, &reader, &failure), 0);
    if (log_reader_eeprom(reader, attempt, &eeprom, &state, &failure) != 0)
        fail_msg("%s", failure.detail);
    assert_int_equal(eeprom.size, sizeof expected);
    assert_memory_equal(eeprom.bytes, expected, sizeof expected);
    free(eeprom.bytes);
    log_reader_close(reader);
}

static int64_t first_owed(const struct bench *bench)
{
    struct log_eeprom eeprom;

    assert_int_equal(log_next_owed_eeprom(bench->station.log, "ATmega328P", 0, 0, &eeprom, NULL),
                     0);
    free(eeprom.bytes);
    return eeprom.attempt;
}

/* keep: restore */

/* Found fuses and lock bits decide what is done; the EEPROM is the same afterwards, always. */
static void test_restore(void **state)
{
    static const struct {
        const char *name;
        const char *changes;
        uint8_t high, lock;
        bool saved;
    } tests[] = {
        {"EESAVE off", RESTORE, EESAVE_OFF, 0xFF, true},
        {"EESAVE on", RESTORE, EESAVE_ON, 0xFF, false},
        {"EESAVE on, to be turned off", RESTORE, EESAVE_ON, 0xFF, false},
        {"EESAVE off, to be turned on", RESTORE "\nfuses: {low: 0xFF, high: 0xD6, extended: 0xFD}",
         EESAVE_OFF, 0xFF, true},
        {"EESAVE off, accepted so",
         RESTORE "\nfuses: {low: 0xFF, high: {write: 0xD6, accept: [0xD9], because: test}, "
                 "extended: 0xFD}",
         EESAVE_OFF, 0xFF, true},
        {"EESAVE on, accepted so",
         RESTORE "\nfuses: {low: 0xFF, high: {write: 0xDE, accept: [0xD1], because: test}, "
                 "extended: 0xFD}",
         EESAVE_ON, 0xFF, false},
        {"EESAVE left", RESTORE "\nfuses: {low: 0xFF, high: leave, extended: 0xFD}", EESAVE_OFF,
         0xFF, true},
        {"mode 2", RESTORE, EESAVE_OFF, 0xFE, true},
        {"mode 3, EESAVE on", RESTORE, EESAVE_ON, 0xFC, false},
        {"boot lock bits", RESTORE, EESAVE_OFF, 0xC3, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        struct bench bench;

        open_used(&bench, tests[i].changes, tests[i].high, tests[i].lock);
        run(&bench);
        check_always(&bench);
        check_verdict(&bench, tests[i].name, VERDICT_PASS, FAILURE_NONE);
        check_board(&bench);
        check_content(&bench);
        assert_int_equal(bench.site.board.erases, 1);
        assert_int_equal(count_events(&bench, LOG_EEPROM_SAVED), tests[i].saved);
        assert_int_equal(count_events(&bench, LOG_EEPROM_RESTORED), tests[i].saved);
        assert_int_equal(bench.record.detail[0] == '\0', tests[i].lock != 0xFC);
        assert_string_equal(bench.record.readback_sha256, bench.record.image_sha256);
        assert_int_equal(first_owed(&bench), 0);
        close_bench(&bench);
    }
}

/* What cannot be read cannot be saved; what an address reads as is no content. */
static void test_hidden(void **state)
{
    static const uint8_t locks[] = {0xFC, 0xFD, 0xC0, 0xF1};

    (void)state;
    for (size_t i = 0; i < sizeof locks; i++) {
        struct bench bench;

        open_used(&bench, RESTORE, EESAVE_OFF, locks[i]);
        run(&bench);
        check_always(&bench);
        check_verdict(&bench, "hidden", VERDICT_REFUSED, FAILURE_EEPROM_WOULD_BE_LOST);
        assert_non_null(strstr(bench.record.detail, "hides the EEPROM"));
        check_content(&bench);
        assert_int_equal(bench.site.board.touched, TOUCHED_NONE);
        close_bench(&bench);
    }
}

/* A locked board takes no fuses until it was erased. */
static void test_locked(void **state)
{
    static const uint8_t locks[] = {0xFE, 0xFC, 0xFD, 0xCF, 0xC3, 0xC0};

    (void)state;
    for (size_t i = 0; i < sizeof locks; i++) {
        struct bench bench;

        open_used(&bench, NULL, EESAVE_OFF, locks[i]);
        run(&bench);
        check_always(&bench);
        check_verdict(&bench, "locked", VERDICT_PASS, FAILURE_NONE);
        check_board(&bench);
        assert_true(is_blank(&bench));
        check_fuse(&bench, "lock", locks[i], 0xCF, FUSE_DECISION_WRITTEN, 0xCF);
        close_bench(&bench);
    }
}

/* The part has no EESAVE: an erase clears the EEPROM in any case. */
static void test_without_eesave(void **state)
{
    struct bench bench;
    struct part *part;

    (void)state;
    open_used(&bench, RESTORE, EESAVE_ON, 0xFF);
    part = bench.station.profile->part;
    part->eesave = (struct part_bit){0};
    run(&bench);
    check_always(&bench);
    check_verdict(&bench, "no EESAVE", VERDICT_PASS, FAILURE_NONE);
    check_content(&bench);
    assert_int_equal(count_events(&bench, LOG_EEPROM_RESTORED), 1);
    close_bench(&bench);
}

static void test_nothing_to_restore(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(&bench, RESTORE);
    run(&bench);
    check_always(&bench);
    check_verdict(&bench, "blank", VERDICT_PASS, FAILURE_NONE);
    assert_int_equal(count_events(&bench, LOG_EEPROM_SAVED), 0);
    assert_int_equal(bench.site.board.writes[PART_EEPROM], 0);
    close_bench(&bench);
}

/* A reading that does not come again is not believed; nor is blank, when the board was away. */
static void slip_off(void *context)
{
    ((struct fake_site *)context)->present = false; /* called with the site's mutex held */
}

static void slip_on(void *context)
{
    ((struct fake_site *)context)->present = true;
}

static void test_unstable_reading(void **state)
{
    struct bench bench;
    struct fake_fault off = {.call = FAKE_READ, .memory = PART_EEPROM, .nth = 1, .hook = slip_off};
    struct fake_fault on = {.call = FAKE_READ, .memory = PART_EEPROM, .nth = 3, .hook = slip_on};
    struct fake_fault flip = {
        .call = FAKE_READ, .memory = PART_EEPROM, .nth = 2, .address = 5, .flip = 0x40};

    (void)state;
    open_used(&bench, RESTORE, EESAVE_OFF, 0xFF);
    fake_site_add_fault(&bench.site, flip);
    run(&bench);
    check_always(&bench);
    check_verdict(&bench, "flip", VERDICT_PASS, FAILURE_NONE);
    assert_int_equal(bench.record.tries, 2);
    check_content(&bench);
    close_bench(&bench);

    open_used(&bench, RESTORE "\nretry: {contact: 0, verify: 0}", EESAVE_OFF, 0xFF);
    off.context = on.context = &bench.site;
    fake_site_add_fault(&bench.site, off);
    fake_site_add_fault(&bench.site, on);
    run(&bench);
    check_always(&bench);
    check_verdict(&bench, "away", VERDICT_FAIL, FAILURE_CONTACT_LOST);
    assert_int_equal(bench.site.board.touched, TOUCHED_NONE);
    check_content(&bench);
    close_bench(&bench);
}

/* What a garbled wire does to an EEPROM that is kept, in mid-job, is found out, unless lock bits
 * hid what it held: then the pass says so. */
static void change_eeprom(void *context)
{
    ((struct fake_site *)context)->board.eeprom[0x100] ^= 0x01;
}

static void test_kept_is_proved(void **state)
{
    static const struct {
        const char *name, *changes;
        bool used;
        uint8_t high, lock;
        bool seen;
    } tests[] = {
        {"EESAVE", "eeprom: keep", true, EESAVE_ON, 0xFF, true},
        {"EESAVE, mode 2", "eeprom: keep", true, EESAVE_ON, 0xFE, true},
        {"EESAVE, blank", "eeprom: keep", false, EESAVE_ON, 0xFF, true},
        {"EESAVE, restore", RESTORE, true, EESAVE_ON, 0xFF, true},
        {"blank", "eeprom: keep", false, EESAVE_OFF, 0xFF, true},
        {"blank, restore", RESTORE, false, EESAVE_OFF, 0xFF, true},
        {"put back", RESTORE, true, EESAVE_OFF, 0xFF, true},
        {"EESAVE, mode 3", "eeprom: keep", true, EESAVE_ON, 0xFC, false},
        {"EESAVE, mode 3, restore", RESTORE, true, EESAVE_ON, 0xFC, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        struct fake_fault fault = {
            .call = FAKE_READ, .memory = PART_FLASH, .nth = 1, .hook = change_eeprom};
        struct bench bench;

        open_used(&bench, tests[i].changes, tests[i].high, tests[i].lock);
        if (!tests[i].used)
            memset(bench.site.board.eeprom, 0xFF, FAKE_EEPROM_MAX);
        fault.context = &bench.site;
        fake_site_add_fault(&bench.site, fault);
        run(&bench);
        check_always(&bench);
        if (tests[i].seen) {
            check_verdict(&bench, tests[i].name, VERDICT_FAIL, FAILURE_VERIFY_MISMATCH);
            assert_non_null(strstr(bench.record.detail, "EEPROM 0x00100: expected"));
        } else {
            check_verdict(&bench, tests[i].name, VERDICT_PASS, FAILURE_NONE);
            assert_string_equal(bench.record.detail,
                                "EEPROM kept, but not proved: the lock bits hid it");
        }
        close_bench(&bench);
    }
}

/* What an earlier try read before anything was touched is forgotten. */
static void test_kept_is_read_in_each_try(void **state)
{
    struct bench bench;
    struct fake_fault contact = {
        .call = FAKE_READ, .memory = PART_EEPROM, .nth = 1, .code = FAILURE_CONTACT_LOST};
    struct fake_fault erase = {.call = FAKE_IDENTIFY, .nth = 6, .code = FAILURE_CONTACT_LOST};

    (void)state;
    open_used(&bench, "eeprom: keep\nretry: {contact: 2, verify: 0}", EESAVE_ON, 0xFF);
    fake_site_add_fault(&bench.site, contact);
    fake_site_add_fault(&bench.site, erase);
    run(&bench);
    check_always(&bench);
    check_verdict(&bench, "tries", VERDICT_PASS, FAILURE_NONE);
    assert_int_equal(bench.record.tries, 3);
    assert_string_equal(bench.record.detail, "");
    check_content(&bench);
    close_bench(&bench);
}

/* A second try within the attempt has the content of the first. */
static void test_tries(void **state)
{
    struct bench bench;
    struct fake_fault contact = {.call = FAKE_IDENTIFY, .nth = 9, .code = FAILURE_CONTACT_LOST};
    struct fake_fault verify = {
        .call = FAKE_READ, .memory = PART_FLASH, .nth = 1, .address = 0x50, .flip = 0x10};

    (void)state;
    open_used(&bench, RESTORE "\nretry: {contact: 1, verify: 1}", EESAVE_OFF, 0xFF);
    fake_site_add_fault(&bench.site, contact); /* at the erase, after the content was saved */
    fake_site_add_fault(&bench.site, verify);  /* and then it is erased twice */
    run(&bench);
    check_always(&bench);
    check_verdict(&bench, "tries", VERDICT_PASS, FAILURE_NONE);
    assert_int_equal(bench.record.tries, 3);
    assert_int_equal(bench.site.board.erases, 2);
    assert_int_equal(count_events(&bench, LOG_EEPROM_SAVED), 1);
    assert_int_equal(count_events(&bench, LOG_EEPROM_RESTORED), 1);
    check_content(&bench);
    close_bench(&bench);
}

/* Another content in the second try, before anything was touched: which is right? */
static void test_content_changes_between_tries(void **state)
{
    struct bench bench;
    struct fake_fault contact = {
        .call = FAKE_IDENTIFY, .nth = 9, .code = FAILURE_CONTACT_LOST, .hook = change_eeprom};

    (void)state;
    open_used(&bench, RESTORE "\nretry: {contact: 1, verify: 0}", EESAVE_OFF, 0xFF);
    contact.context = &bench.site;
    fake_site_add_fault(&bench.site, contact);
    run(&bench);
    check_always(&bench);
    check_verdict(&bench, "changed", VERDICT_FAIL, FAILURE_CONTACT_UNSTABLE);
    assert_int_equal(bench.site.board.touched, TOUCHED_NONE);
    assert_int_equal(first_owed(&bench), 0);
    close_bench(&bench);
}

/* Nothing to keep in the first try, as if it had been read off an empty place: what the second one
 * finds is saved before the erase like any other. */
static void use_eeprom(void *context)
{
    fill_eeprom(((struct fake_site *)context)->board.eeprom);
}

static void test_content_only_in_the_second_try(void **state)
{
    struct bench bench;
    struct fake_fault contact = {
        .call = FAKE_IDENTIFY, .nth = 9, .code = FAILURE_CONTACT_LOST, .hook = use_eeprom};

    (void)state;
    open_bench(&bench, RESTORE "\nretry: {contact: 1, verify: 0}");
    contact.context = &bench.site;
    fake_site_add_fault(&bench.site, contact);
    run(&bench);
    check_always(&bench);
    check_verdict(&bench, "second try", VERDICT_PASS, FAILURE_NONE);
    assert_int_equal(bench.record.tries, 2);
    check_content(&bench);
    check_rescue(&bench, 1);
    assert_int_equal(count_events(&bench, LOG_EEPROM_RESTORED), 1);
    close_bench(&bench);
}

/* Wherever it fails between the erase and the end of the restoring: the detail says how to get the
 * content, and the log has it. Where the content is back, nothing is owed. */
static void test_failing_after_the_erase(void **state)
{
    static const struct {
        enum fake_call call;
        int memory;
        int nth;
        bool done_first;
        bool owed;
    } tests[] = {
        {FAKE_ERASE, 0, 1, false, true},          {FAKE_ERASE, 0, 1, true, true},
        {FAKE_WRITE, PART_FLASH, 1, false, true}, {FAKE_WRITE, PART_FLASH, 2, true, true},
        {FAKE_WRITE, PART_EEPROM, 1, true, true}, {FAKE_WRITE, PART_EEPROM, 2, false, true},
        {FAKE_READ, PART_FLASH, 1, false, true},  {FAKE_READ, PART_EEPROM, 3, false, true},
        {FAKE_WRITE, LOW, 1, false, false},       {FAKE_WRITE, PART_LOCK, 1, false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        struct bench bench;
        char name[32];

        snprintf(name, sizeof name, "failure %zu", i);
        open_used(&bench, RESTORE, EESAVE_OFF, 0xFF);
        fake_site_add_fault(&bench.site, (struct fake_fault){.call = tests[i].call,
                                                             .memory = tests[i].memory,
                                                             .nth = tests[i].nth,
                                                             .done_first = tests[i].done_first,
                                                             .code = FAILURE_PROGRAMMER_SILENT});
        run(&bench);
        check_always(&bench);
        check_verdict(&bench, name, VERDICT_FAIL, FAILURE_PROGRAMMER_SILENT);
        assert_int_equal(strstr(bench.record.detail, "gangflash log eeprom 1 -o") != NULL,
                         tests[i].owed);
        assert_int_equal(bench.record.eeprom_owed, tests[i].owed);
        assert_int_equal(first_owed(&bench), tests[i].owed ? 1 : 0);
        check_rescue(&bench, 1);
        close_bench(&bench);
    }
}

/* The EEPROM does not take what is put back: no pass, and it is owed. */
static void test_not_restored(void **state)
{
    struct bench bench;
    struct fake_fault fault = {
        .call = FAKE_READ, .memory = PART_EEPROM, .nth = 3, .address = 0x105, .flip = 0x01};

    (void)state;
    open_used(&bench, RESTORE, EESAVE_OFF, 0xFF);
    fake_site_add_fault(&bench.site, fault);
    run(&bench);
    check_always(&bench);
    check_verdict(&bench, "not restored", VERDICT_FAIL, FAILURE_VERIFY_MISMATCH);
    assert_non_null(strstr(bench.record.detail, "EEPROM 0x00105: expected 0x6C, found 0x6D"));
    assert_non_null(strstr(bench.record.detail, "gangflash log eeprom 1 -o"));
    assert_int_equal(first_owed(&bench), 1);
    close_bench(&bench);
}

/* The log is full when the content is to be saved: the board stays as it was. */
static void test_log_full_at_saving(void **state)
{
    struct bench bench;
    struct fake_fault fault = {
        .call = FAKE_READ, .memory = PART_EEPROM, .nth = 2, .hook = fake_disk_fill};

    (void)state;
    open_used(&bench, RESTORE, EESAVE_OFF, 0xFF);
    fake_site_add_fault(&bench.site, fault);
    run(&bench);
    fake_disk_free();
    assert_int_equal(bench.status, -1);
    assert_int_equal(bench.failure.code, FAILURE_LOG);
    assert_int_equal(bench.site.board.touched, TOUCHED_NONE);
    check_content(&bench);
    end_bench(&bench);
    fake_station_abandon(&bench.station);
}

/* A board that an earlier attempt left without its EEPROM */

/* Erased, and cut short in the middle of the restoring: the first run is back. */
static void leave_torn(struct bench *bench, const char *changes, int at_write)
{
    open_used(bench, changes, EESAVE_OFF, 0xFF);
    fake_site_add_fault(&bench->site, (struct fake_fault){.call = FAKE_WRITE,
                                                          .memory = PART_EEPROM,
                                                          .nth = at_write,
                                                          .code = FAILURE_PROGRAMMER_SILENT});
    run(bench);
    check_always(bench);
    assert_int_equal(first_owed(bench), 1);
    assert_int_equal(is_blank(bench), at_write == 1);
    bench->site.fault_count = 0;
}

static void refused_as_owed(struct bench *bench)
{
    run(bench);
    check_always(bench);
    check_verdict(bench, "owed", VERDICT_REFUSED, FAILURE_EEPROM_WOULD_BE_LOST);
    assert_non_null(strstr(bench->record.detail, "gangflash log eeprom 1 -o FILE.hex"));
    assert_non_null(strstr(bench->record.detail, "gangflash log settle 1"));
    assert_int_equal(bench->site.board.touched, TOUCHED_NONE);
}

static void test_blank_is_not_believed(void **state)
{
    (void)state;
    for (int at_write = 1; at_write <= 3; at_write++) {
        struct bench bench;

        leave_torn(&bench, RESTORE, at_write);
        refused_as_owed(&bench);
        refused_as_owed(&bench); /* another time, too */
        change_profile(&bench, "eeprom: keep");
        refused_as_owed(&bench);
        bench.previous_attempt = 1;
        refused_as_owed(&bench); /* this profile puts nothing back */
        close_bench(&bench);
    }
}

/* Somebody answers for it: then a blank board is a blank board. */
static void test_settled(void **state)
{
    struct bench bench;

    (void)state;
    leave_torn(&bench, RESTORE, 1);
    refused_as_owed(&bench);
    assert_int_equal(
        log_add_event(bench.station.log, LOG_EEPROM_SETTLED, "attempt 1: by Kim", NULL), 0);
    run(&bench);
    check_always(&bench);
    check_verdict(&bench, "settled", VERDICT_PASS, FAILURE_NONE);
    assert_true(is_blank(&bench));
    close_bench(&bench);
}

/* The very board, as it was not taken out: what was saved is put back. */
static void test_same_board(void **state)
{
    (void)state;
    for (int at_write = 1; at_write <= 3; at_write++) {
        struct bench bench;

        leave_torn(&bench, RESTORE, at_write);
        bench.previous_attempt = 1;
        fake_site_add_fault(&bench.site, (struct fake_fault){.call = FAKE_WRITE,
                                                             .memory = PART_FLASH,
                                                             .nth = 2,
                                                             .code = FAILURE_PROGRAMMER_SILENT});
        run(&bench);
        check_always(&bench);
        check_verdict(&bench, "again", VERDICT_FAIL, FAILURE_PROGRAMMER_SILENT);
        check_rescue(&bench, 2);
        bench.site.fault_count = 0;
        bench.previous_attempt = 2;
        run(&bench);
        check_always(&bench);
        check_verdict(&bench, "same board", VERDICT_PASS, FAILURE_NONE);
        assert_non_null(strstr(bench.record.detail, "EEPROM put back as attempt "));
        check_content(&bench);
        assert_int_equal(first_owed(&bench), 0);
        close_bench(&bench);
    }
}

/* The programmer was away meanwhile: perhaps it is another board, which must not get this content;
 * one that holds something else is not done either, else the debt would count as settled. */
static void test_perhaps_the_same_board(void **state)
{
    struct bench bench;

    (void)state;
    leave_torn(&bench, RESTORE, 1);
    bench.previous_attempt = 1;
    bench.unwatched = true;
    refused_as_owed(&bench);
    memcpy(bench.site.board.eeprom, "another board's", 15);
    refused_as_owed(&bench);
    close_bench(&bench);
}

/* A needle bounces while EESAVE is read: twice it reads 0, programmed. */
static void test_eesave_misread(void **state)
{
    struct bench bench;

    (void)state;
    open_used(&bench, RESTORE "\nretry: {contact: 0, verify: 0}", EESAVE_OFF, 0xFF);
    for (int nth = 1; nth <= 2; nth++)
        fake_site_add_fault(
            &bench.site,
            (struct fake_fault){.call = FAKE_READ, .memory = HIGH, .nth = nth, .flip = 0x08});
    run(&bench);
    check_always(&bench);
    check_verdict(&bench, "bounce", VERDICT_FAIL, FAILURE_CONTACT_UNSTABLE);
    assert_int_equal(bench.site.board.touched, TOUCHED_NONE);
    check_content(&bench);
    close_bench(&bench);
}

/* A byte that was being written may hold anything. */
static void test_torn_page(void **state)
{
    struct bench bench;

    (void)state;
    leave_torn(&bench, RESTORE, 2);
    bench.site.board.eeprom[0x100] = 0x5A;
    refused_as_owed(&bench);
    bench.site.board.eeprom[0x104] = 0x5A; /* another page */
    run(&bench);
    check_always(&bench);
    check_verdict(&bench, "two pages", VERDICT_PASS, FAILURE_NONE);
    close_bench(&bench);
}

/* Other boards go on meanwhile; but it is not the same board when it holds something else. */
static void test_other_content(void **state)
{
    struct bench bench;

    (void)state;
    leave_torn(&bench, RESTORE, 1);
    memcpy(bench.site.board.eeprom, "another board's", 15);
    run(&bench);
    check_always(&bench);
    check_verdict(&bench, "another board", VERDICT_PASS, FAILURE_NONE);
    assert_memory_equal(bench.site.board.eeprom, "another board's", 15);
    assert_int_equal(first_owed(&bench), 1);
    bench.previous_attempt = 1;
    refused_as_owed(&bench);
    close_bench(&bench);
}

/* The content is in its board: nobody needs to put it back. */
static void test_found_in_its_board(void **state)
{
    struct bench bench;

    (void)state;
    leave_torn(&bench, RESTORE, 1);
    fill_eeprom(bench.site.board.eeprom);
    run(&bench);
    check_always(&bench);
    check_verdict(&bench, "a board with the same content", VERDICT_PASS, FAILURE_NONE);
    assert_int_equal(first_owed(&bench), 1); /* it may be another */
    bench.previous_attempt = 1;
    run(&bench);
    check_always(&bench);
    check_verdict(&bench, "the board", VERDICT_PASS, FAILURE_NONE);
    check_content(&bench);
    assert_int_equal(first_owed(&bench), 0);
    close_bench(&bench);
}

/* if_already */

#define ALREADY "if_already: pass"

/* Done once; then the same board again. */
static void open_done(struct bench *bench, const char *changes)
{
    open_bench(bench, changes);
    run(bench);
    check_always(bench);
    check_verdict(bench, "first", VERDICT_PASS, FAILURE_NONE);
    assert_string_not_equal(bench->record.verification, "already");
    assert_int_equal(bench->site.board.erases, 1);
}

static void check_already(const struct bench *bench, const char *name)
{
    check_always(bench);
    check_verdict(bench, name, VERDICT_PASS, FAILURE_NONE);
    assert_string_equal(bench->record.verification, "already");
    assert_string_equal(bench->record.detail, "already programmed");
    assert_int_equal(bench->record.touched, TOUCHED_NONE);
    assert_int_equal(bench->site.board.touched, TOUCHED_NONE);
    assert_int_equal(bench->site.board.erases, 1);
    assert_string_equal(bench->record.readback_sha256, bench->record.image_sha256);
}

static void check_redone(const struct bench *bench, const char *name)
{
    check_always(bench);
    check_verdict(bench, name, VERDICT_PASS, FAILURE_NONE);
    if (bench->site.board.erases != 2)
        fail_msg("%s: %d erases", name, bench->site.board.erases);
    assert_string_equal(bench->record.verification, "image");
    assert_string_equal(bench->record.detail, "");
    check_board(bench);
}

static void test_already(void **state)
{
    static const char *const changes[] = {
        ALREADY,
        ALREADY "\neeprom: keep",
        ALREADY "\neeprom: {file: image.hex}",
        ALREADY "\nlock: 0xFE",
        ALREADY "\nlock: leave",
        ALREADY "\nfuses: {low: leave, high: {write: 0xDE, accept: [0xD9], because: t}, "
                "extended: 0xFD}",
        ALREADY "\nfuses: {low: 0x62, high: 0xD9, extended: 0xFF}\nlock: 0xFF",
    };

    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct bench bench;

        open_done(&bench, changes[i]);
        run(&bench);
        check_already(&bench, changes[i]);
        close_bench(&bench);
    }
}

static void test_record_of_an_already(void **state)
{
    struct bench bench;

    (void)state;
    open_done(&bench, ALREADY "\nfuses: {low: leave, high: {write: 0xDE, accept: [0xD9], "
                              "because: test}, extended: 0xFD}");
    run(&bench);
    check_already(&bench, "record");
    check_fuse(&bench, "low", 0x62, -1, FUSE_DECISION_LEFT, 0x62);
    check_fuse(&bench, "high", 0xD9, 0xDE, FUSE_DECISION_ACCEPTED, 0xD9);
    check_fuse(&bench, "extended", 0xFD, 0xFD, FUSE_DECISION_ALREADY, 0xFD);
    check_fuse(&bench, "lock", 0xCF, 0xCF, FUSE_DECISION_ALREADY, 0xCF);
    assert_string_equal(sample_query(bench.station.log_path,
                                     "SELECT group_concat(step) FROM (SELECT step FROM steps "
                                     "WHERE attempt = 2 ORDER BY started_at)"),
                        "attach,identify,read,compare,recheck,release");
    close_bench(&bench);
}

/* Every byte counts, also where no image is, and whatever `verify` says. */
static void test_almost_already(void **state)
{
    static const struct {
        enum part_memory memory;
        uint32_t address;
        uint8_t flip;
    } tests[] = {
        {PART_FLASH, 0x40, 0x01},  {PART_FLASH, 0x23F, 0x80}, {PART_FLASH, 0, 0x01},
        {PART_FLASH, 0x100, 0x10}, {PART_FLASH, 0x7FFF, 1},   {PART_FLASH, 0x4001, 0xFF},
        {PART_EEPROM, 0, 0x01},    {PART_EEPROM, 0x3FF, 1},   {LOW, 0, 0x01},
        {HIGH, 0, 0x02},           {EXTENDED, 0, 0x02},       {PART_LOCK, 0, 0x10},
        {PART_LOCK, 0, 0x01},      {PART_LOCK, 0, 0x03},
    };

    (void)state;
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        struct bench bench;
        struct fake_board *board = &bench.site.board;
        char name[32];

        snprintf(name, sizeof name, "difference %zu", i);
        open_done(&bench, ALREADY);
        if (tests[i].memory == PART_FLASH)
            board->flash[tests[i].address] ^= tests[i].flip;
        else if (tests[i].memory == PART_EEPROM)
            board->eeprom[tests[i].address] ^= tests[i].flip;
        else
            board->bytes[tests[i].memory - PART_FIRST_FUSE] ^= tests[i].flip;
        run(&bench);
        check_redone(&bench, name);
        close_bench(&bench);
    }
}

/* Lock bits that hide the flash, and lock bits that an erase would have cleared. */
static void test_already_but_locked(void **state)
{
    static const struct {
        const char *changes;
        uint8_t lock;
    } tests[] = {{ALREADY "\nlock: 0xFC", 0xFC}, {ALREADY "\nlock: leave", 0xFE}};

    (void)state;
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        struct bench bench;

        open_done(&bench, tests[i].changes);
        bench.site.board.bytes[PART_LOCK - PART_FIRST_FUSE] = tests[i].lock;
        run(&bench);
        check_redone(&bench, tests[i].changes);
        close_bench(&bench);
    }
}

static void test_already_is_refused(void **state)
{
    struct bench bench;

    (void)state;
    open_done(&bench, "if_already: refuse");
    run(&bench);
    check_always(&bench);
    check_verdict(&bench, "refuse", VERDICT_REFUSED, FAILURE_ALREADY_PROGRAMMED);
    assert_int_equal(bench.site.board.touched, TOUCHED_NONE);
    bench.site.board.flash[0x3000] = 0x00;
    run(&bench);
    check_redone(&bench, "another");
    close_bench(&bench);
}

/* What reads right once, but not twice, is not believed. */
static void test_already_reads_twice(void **state)
{
    struct bench bench;
    struct fake_fault fault = {
        .call = FAKE_READ, .memory = PART_FLASH, .nth = 0, .address = 0x5000, .flip = 0xFF};

    (void)state;
    open_done(&bench, ALREADY);
    bench.site.board.flash[0x5000] = 0x00;
    fault.nth = 0x5000 / 256 + 1; /* of the pieces; it reads blank the first time */
    fake_site_add_fault(&bench.site, fault);
    run(&bench);
    assert_true(bench.site.faults[0].seen > 128);
    check_redone(&bench, "twice");
    close_bench(&bench);
}

/* A board that was never done costs one piece. */
static void test_fresh_board_costs_little(void **state)
{
    struct bench bench;
    struct fake_fault fault = {
        .call = FAKE_READ, .memory = PART_FLASH, .nth = 2, .code = FAILURE_PROGRAMMER_GONE};

    (void)state;
    open_bench(&bench, ALREADY "\nfuses: {low: leave, high: leave, extended: leave}\nlock: 0xFF");
    fake_site_add_fault(&bench.site, fault);
    run(&bench);
    check_always(&bench);
    assert_int_equal(bench.record.touched, TOUCHED_WRITTEN); /* it failed at the verify */
    close_bench(&bench);
}

/* No call that fails while a board is compared lets it pass. */
static bool check_failing_call(int nth, enum failure_code code)
{
    struct bench bench;
    struct fake_fault fault = {
        .call = FAKE_ANY, .memory = FAKE_ANY_MEMORY, .nth = nth, .code = code};
    bool struck;

    open_done(&bench, ALREADY "\nretry: {contact: 0, verify: 0}");
    fake_site_add_fault(&bench.site, fault);
    run(&bench);
    check_always(&bench);
    struck = bench.site.faults[0].seen >= nth;
    assert_int_equal(bench.record.verdict == VERDICT_PASS, !struck);
    assert_int_equal(bench.site.board.touched, TOUCHED_NONE);
    close_bench(&bench);
    return struck;
}

static void test_every_call_fails(void **state)
{
    int nth = 1;

    (void)state;
    while (check_failing_call(nth, FAILURE_CONTACT_LOST))
        nth += nth > 20 && nth < 270 ? 13 : 1; /* pieces are all alike */
    assert_in_range(nth, 270, 300);
}

/* A second try may come to another end than the first. */
static void change_flash(void *context)
{
    ((struct fake_site *)context)->board.flash[0x4000] = 0x12;
}

static void test_already_only_in_the_first_try(void **state)
{
    struct bench bench;
    struct fake_fault fault = {.call = FAKE_READ,
                               .memory = LOW,
                               .nth = 3, /* recheck */
                               .code = FAILURE_CONTACT_LOST,
                               .hook = change_flash};

    (void)state;
    open_done(&bench, ALREADY);
    fault.context = &bench.site;
    fake_site_add_fault(&bench.site, fault);
    run(&bench);
    assert_int_equal(bench.record.tries, 2);
    check_redone(&bench, "second try");
    close_bench(&bench);
}

/* Known as not done in the first try, found done in the second: which has the time to read it all,
 * twice, at the slowest. */
static void test_already_in_the_second_try(void **state)
{
    struct bench bench;
    const struct fake_fault misread = {
        .call = FAKE_READ, .memory = PART_FLASH, .nth = 1, .flip = 1};
    const struct fake_fault contact = {
        .call = FAKE_READ, .memory = LOW, .nth = 3, .code = FAILURE_CONTACT_LOST};

    (void)state;
    open_done(&bench, ALREADY);
    fake_site_add_fault(&bench.site, misread);
    fake_site_add_fault(&bench.site, contact);
    bench.site.shortest_read_us = 0;
    run(&bench);
    assert_int_equal(bench.record.tries, 2);
    check_already(&bench, "second try");
    assert_true(bench.site.shortest_read_us > INT64_C(2) * 0x8000 * 600);
    close_bench(&bench);
}

/* Everything but the EEPROM is there: that of a board which an earlier attempt left cleared. */
static void test_already_but_for_its_eeprom(void **state)
{
    struct bench bench;
    static const char changes[] =
        ALREADY "\n" RESTORE "\nfuses: {low: leave, high: leave, extended: leave}\n"
                "lock: leave";

    (void)state;
    leave_torn(&bench, changes, 1);
    refused_as_owed(&bench);
    bench.previous_attempt = 1;
    run(&bench);
    check_always(&bench);
    check_verdict(&bench, "put back", VERDICT_PASS, FAILURE_NONE);
    assert_string_equal(bench.record.detail, "EEPROM put back as attempt 1 had saved it");
    assert_int_equal(bench.site.board.erases, 2);
    check_content(&bench);
    bench.previous_attempt = 0;
    bench.site.board.erases = 1;
    run(&bench);
    check_already(&bench, "now it is");
    check_content(&bench);
    close_bench(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_restore),
        cmocka_unit_test(test_hidden),
        cmocka_unit_test(test_locked),
        cmocka_unit_test(test_without_eesave),
        cmocka_unit_test(test_nothing_to_restore),
        cmocka_unit_test(test_unstable_reading),
        cmocka_unit_test(test_kept_is_proved),
        cmocka_unit_test(test_kept_is_read_in_each_try),
        cmocka_unit_test(test_tries),
        cmocka_unit_test(test_content_changes_between_tries),
        cmocka_unit_test(test_content_only_in_the_second_try),
        cmocka_unit_test(test_failing_after_the_erase),
        cmocka_unit_test(test_not_restored),
        cmocka_unit_test(test_log_full_at_saving),
        cmocka_unit_test(test_blank_is_not_believed),
        cmocka_unit_test(test_settled),
        cmocka_unit_test(test_same_board),
        cmocka_unit_test(test_perhaps_the_same_board),
        cmocka_unit_test(test_eesave_misread),
        cmocka_unit_test(test_torn_page),
        cmocka_unit_test(test_other_content),
        cmocka_unit_test(test_found_in_its_board),
        cmocka_unit_test(test_already),
        cmocka_unit_test(test_record_of_an_already),
        cmocka_unit_test(test_almost_already),
        cmocka_unit_test(test_already_but_locked),
        cmocka_unit_test(test_already_is_refused),
        cmocka_unit_test(test_already_reads_twice),
        cmocka_unit_test(test_fresh_board_costs_little),
        cmocka_unit_test(test_every_call_fails),
        cmocka_unit_test(test_already_only_in_the_first_try),
        cmocka_unit_test(test_already_in_the_second_try),
        cmocka_unit_test(test_already_but_for_its_eeprom),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
