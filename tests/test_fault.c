/* What the simulated bench's faults do to a board, a programmer and its port, one by one: as the
 * host sees it, and as the bench's record tells it. */
#include "tests/bench_fixture.h"

#include <sys/stat.h>

/* The fault of a kind on every board of site 1, at the nth instruction that begins so. */
static struct jig_fault *add_at(struct fixture *fixture, enum jig_fault_kind kind,
                                const uint8_t *bytes, size_t count, int64_t nth)
{
    struct jig_fault *fault = add_fault(fixture, 0, kind);
    memcpy(fault->pattern, bytes, count);
    fault->pattern_count = count;
    fault->nth = nth;
    fault->times = 1;
    return fault;
}

/* Loads `value` into the first byte of a page and writes the page. */
static void write_page(struct fixture *fixture, uint8_t word_high, uint8_t word_low, uint8_t value)
{
    universal(fixture, 0x40, 0, word_low, value);
    universal(fixture, 0x4C, word_high, word_low, 0);
}

static uint8_t signature(struct fixture *fixture)
{
    return universal(fixture, 0x30, 0, 1, 0);
}

static void dies_at_the_nth_of_an_instruction_and_later(void **state)
{
    (void)state;
    struct fixture fixture;
    prepare(&fixture, 1);
    struct jig_fault *fault = add_at(&fixture, JIG_FAULT_DEAD, BYTES(0x50, 0x08), 2);
    fault->after = 1;
    fault->miso = JIG_MISO_LOW;
    start(&fixture);
    enter(&fixture);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(universal(&fixture, 0x50, 0, 0, 0), 0x62); /* another instruction */
    }
    assert_int_equal(universal(&fixture, 0x50, 8, 0, 0), 0xFF); /* the extended fuse is FF */
    assert_int_equal(universal(&fixture, 0x50, 8, 0, 0), 0xFF); /* the second one */
    assert_int_equal(signature(&fixture), 0x00);
    assert_int_equal(look(&fixture), 0x00);
    stop(&fixture);
    EXPECT_LINE(&fixture, 1, "{\"fault\":\"dead\",\"applied\":1}");
    clean_up(&fixture);
}

static void loose_contact_drops_whole_instructions(void **state)
{
    (void)state;
    struct fixture fixture;
    prepare(&fixture, 1);
    add_at(&fixture, JIG_FAULT_LOOSE_CONTACT, BYTES(0xAC, 0xA0), 1);
    start(&fixture);
    enter(&fixture);
    assert_int_equal(universal(&fixture, 0xAC, 0xA0, 0, 0xE2), 0xFF);
    assert_int_equal(universal(&fixture, 0x50, 0, 0, 0), 0x62); /* not written, still in step */
    universal(&fixture, 0xAC, 0xA0, 0, 0xE2);
    assert_int_equal(universal(&fixture, 0x50, 0, 0, 0), 0xE2);
    stop(&fixture);
    EXPECT_LINE(&fixture, 1, "{\"fault\":\"loose-contact\",\"applied\":1}");
    EXPECT_LINE(&fixture, 1, "\"fuse_writes\":[{\"fuse\":\"low\",\"value\":226,\"count\":1}]");
    clean_up(&fixture);
}

static int count_lost(uint64_t seed, uint8_t reads[200])
{
    struct fixture fixture;
    int lost = 0;
    prepare(&fixture, 1);
    fixture.options.seed = seed;
    add_fault(&fixture, 1, JIG_FAULT_LOOSE_CONTACT)->rate = 0.1;
    start(&fixture);
    while (look(&fixture) != 0x95) {
    }
    for (int i = 0; i < 200; i++) {
        reads[i] = signature(&fixture);
        lost += reads[i] == 0xFF;
    }
    stop(&fixture);
    clean_up(&fixture);
    return lost;
}

static void loose_contact_by_rate_follows_the_seed(void **state)
{
    (void)state;
    uint8_t first[200], again[200];
    assert_in_range(count_lost(3, first), 5, 50);
    count_lost(3, again);
    assert_memory_equal(first, again, sizeof first);
    count_lost(4, again);
    assert_memory_not_equal(first, again, sizeof first);
}

static void stuck_miso_hides_a_board_that_listens(void **state)
{
    (void)state;
    struct fixture fixture;
    prepare(&fixture, 1);
    add_fault(&fixture, 1, JIG_FAULT_STUCK_MISO)->miso = JIG_MISO_LOW;
    start(&fixture);
    assert_int_equal(look(&fixture), 0x00);
    universal(&fixture, 0xAC, 0xA0, 0, 0xE2);
    assert_int_equal(universal(&fixture, 0x50, 0, 0, 0), 0x00);
    bench_lamp(fixture.bench, 1, "empty", 0);
    assert_int_equal(look(&fixture), 0xFF); /* the empty place floats */
    assert_int_equal(look(&fixture), 0x95);
    stop(&fixture);
    EXPECT_LINE(&fixture, 1, "\"low\":226,");
    EXPECT_LINE(&fixture, 1, "{\"fault\":\"stuck-miso\",\"applied\":1}");
    clean_up(&fixture);
}

/* It lies in its place, so the next one comes only when it is taken out. */
static void a_board_without_supply_hears_nothing(void **state)
{
    (void)state;
    struct fixture fixture;
    prepare(&fixture, 1);
    add_fault(&fixture, 1, JIG_FAULT_NO_SUPPLY)->miso = JIG_MISO_LOW;
    start(&fixture);
    assert_int_equal(look(&fixture), 0x00);
    universal(&fixture, 0xAC, 0xA0, 0, 0xE2);
    bench_lamp(fixture.bench, 1, "empty", 0);
    assert_int_equal(look(&fixture), 0xFF); /* the empty place floats */
    assert_int_equal(look(&fixture), 0x95);
    stop(&fixture);
    EXPECT_LINE(&fixture, 1, "\"low\":98,");
    EXPECT_LINE(&fixture, 1, "{\"fault\":\"no-supply\",\"applied\":1}");
    clean_up(&fixture);
}

static void bad_page_keeps_its_bits(void **state)
{
    (void)state;
    struct fixture fixture;
    prepare(&fixture, 1);
    struct jig_fault *fault = add_fault(&fixture, 0, JIG_FAULT_BAD_PAGE);
    fault->address = 0x85; /* in the second page of 128 bytes */
    fault->mask = 0x0F;
    fault->times = 1;
    fault = add_fault(&fixture, 0, JIG_FAULT_BAD_PAGE);
    fault->memory = PART_EEPROM;
    fault->address = 2;
    fault->mask = 0xFF;
    start(&fixture);
    enter(&fixture);
    write_page(&fixture, 0, 0x00, 0x12);
    write_page(&fixture, 0, 0x40, 0x12);
    assert_int_equal(universal(&fixture, 0x20, 0, 0x00, 0), 0x12);
    assert_int_equal(universal(&fixture, 0x20, 0, 0x40, 0), 0x1F);
    write_page(&fixture, 0, 0x40, 0x12); /* once only */
    assert_int_equal(universal(&fixture, 0x20, 0, 0x40, 0), 0x12);
    for (uint8_t i = 1; i < 4; i++) {
        universal(&fixture, 0xC0, 0, i, 0x33);
        assert_int_equal(universal(&fixture, 0xA0, 0, i, 0), i == 2 ? 0xFF : 0x33);
    }
    stop(&fixture);
    EXPECT_LINE(&fixture, 1, "{\"fault\":\"bad-page\",\"applied\":1},{\"fault\":\"bad-page\",");
    clean_up(&fixture);
}

static void bad_fuse_keeps_its_bits(void **state)
{
    (void)state;
    struct fixture fixture;
    prepare(&fixture, 1);
    struct jig_fault *fault = add_fault(&fixture, 0, JIG_FAULT_BAD_FUSE);
    fault->memory = PART_FUSE_HIGH; /* D9 when new */
    fault->mask = 0x01;
    fault = add_fault(&fixture, 0, JIG_FAULT_BAD_FUSE);
    fault->memory = PART_LOCK;
    fault->mask = 0xFF;
    start(&fixture);
    enter(&fixture);
    universal(&fixture, 0xAC, 0xA8, 0, 0xDA);
    assert_int_equal(universal(&fixture, 0x58, 0x08, 0, 0), 0xDB);
    universal(&fixture, 0xAC, 0xA0, 0, 0xE2);
    assert_int_equal(universal(&fixture, 0x50, 0, 0, 0), 0xE2);
    universal(&fixture, 0xAC, 0xE0, 0, 0xFC);
    assert_int_equal(universal(&fixture, 0x58, 0, 0, 0), 0xFF);
    stop(&fixture);
    EXPECT_LINE(&fixture, 1, "{\"fuse\":\"high\",\"value\":218,\"count\":1}");
    EXPECT_LINE(&fixture, 1, "{\"fault\":\"bad-fuse\",\"applied\":1},{\"fault\":\"bad-fuse\",");
    clean_up(&fixture);
}

/* Fast pace: neither the programmer's waits nor the host's are too short for a sound board, but for
 * a slow one. */
static void slow_writes_take_their_time(void **state)
{
    (void)state;
    for (int slow = 0; slow < 2; slow++) {
        struct fixture fixture;
        prepare(&fixture, 1);
        add_fault(&fixture, 0, JIG_FAULT_SLOW_WRITE)->factor = slow ? 500 : 1.01;
        start(&fixture);
        HOST_TALK(fixture.host,
                  BYTES(0x42, 0x86, 0, 0, 1, 1, 1, 1, 3, 0xFF, 0xFF, 0xFF, 0xFF, 0, 128, 4, 0, 0, 0,
                        0x80, 0, 0x20),
                  BYTES(0x14, 0x10));
        enter(&fixture);
        for (uint8_t page = 0; page < 2; page++) {
            HOST_TALK(fixture.host, BYTES(0x55, (uint8_t)(page * 64), 0, 0x20), BYTES(0x14, 0x10));
            HOST_TALK(fixture.host, BYTES(0x64, 0, 2, 'F', 0x12, 0x34, 0x20), BYTES(0x14, 0x10));
        }
        bool busy = universal(&fixture, 0xF0, 0, 0, 0) & 1;
        assert_int_equal(busy, slow);
        stop(&fixture);
        EXPECT_LINE(&fixture, 1, slow ? "\"flash_pages\":1," : "\"flash_pages\":2,");
        EXPECT_LINE(&fixture, 1, "{\"fault\":\"slow-write\",\"applied\":1}");
        clean_up(&fixture);
    }
}

static void slow_clock_cannot_follow(void **state)
{
    (void)state;
    struct fixture fixture;
    prepare(&fixture, 1);
    add_fault(&fixture, 0, JIG_FAULT_SLOW_CLOCK)->clock_hz = 128000;
    start(&fixture);
    assert_int_not_equal(look(&fixture), 0x95);
    stop(&fixture);
    EXPECT_LINE(&fixture, 1, "\"clock_hz\":128000,");
    EXPECT_LINE(&fixture, 1, "\"enables\":0,");
    EXPECT_LINE(&fixture, 1, "{\"fault\":\"slow-clock\",\"applied\":1}");
    clean_up(&fixture);
}

static void without_a_crystal_its_fuses_silence_it(void **state)
{
    (void)state;
    struct fixture fixture;
    prepare(&fixture, 1);
    add_fault(&fixture, 0, JIG_FAULT_NO_CRYSTAL);
    start(&fixture);
    enter(&fixture);
    universal(&fixture, 0xAC, 0xA0, 0, 0xFF);
    assert_int_equal(signature(&fixture), 0x95);
    assert_int_equal(look(&fixture), 0xFF);
    stop(&fixture);
    EXPECT_LINE(&fixture, 1, "\"clock_hz\":0,");
    clean_up(&fixture);
}

static void garbage_comes_with_each_opening(const char *model)
{
    struct fixture fixture;
    uint8_t noise[3] = {0};
    prepare(&fixture, 1);
    snprintf(fixture.sites[0].model, sizeof fixture.sites[0].model, "%s", model);
    struct jig_fault *fault = add_fault(&fixture, 0, JIG_FAULT_GARBAGE);
    memcpy(fault->pattern, "\x14\x10\xFE", 3);
    fault->pattern_count = 3;
    start(&fixture);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(host_read(fixture.host, noise, 3, HOST_PATIENCE_MS), 3);
        assert_memory_equal(noise, "\x14\x10\xFE", 3);
        assert_int_equal(look(&fixture), 0x95);
        if (i < 3) {
            fixture.host = host_reopen(fixture.host, bench_place(fixture.bench, 1));
        }
    }
    stop(&fixture);
    EXPECT_LINE(&fixture, 1, "{\"fault\":\"garbage\",\"applied\":3}");
    clean_up(&fixture);
}

static void banner_comes_with_each_start(void **state)
{
    (void)state;
    struct fixture fixture;
    char text[5] = "";
    prepare(&fixture, 1);
    strcpy(fixture.sites[0].model, "arduino-uno-isp");
    strcpy(add_fault(&fixture, 0, JIG_FAULT_BANNER)->text, "Hello");
    add_at(&fixture, JIG_FAULT_RESET, BYTES(0x50), 1);
    start(&fixture);
    assert_int_equal(host_read(fixture.host, (uint8_t *)text, 5, HOST_PATIENCE_MS), 5);
    assert_memory_equal(text, "Hello", 5);
    enter(&fixture);
    host_send(fixture.host, BYTES(0x56, 0x50, 0, 0, 0, 0x20));
    assert_int_equal(host_read(fixture.host, (uint8_t *)text, 5, HOST_PATIENCE_MS), 5);
    assert_memory_equal(text, "Hello", 5);
    assert_int_equal(look(&fixture), 0x95); /* the sketch is back; its session is gone */
    stop(&fixture);
    EXPECT_LINE(&fixture, 1, "{\"fault\":\"banner\",\"applied\":2}");
    EXPECT_LINE(&fixture, 1, "{\"fault\":\"reset\",\"applied\":1}");
    EXPECT_LINE(&fixture, 1, "\"enables\":2,");
    clean_up(&fixture);
}

static void late_reply_keeps_what_follows_waiting(void **state)
{
    (void)state;
    struct fixture fixture;
    prepare(&fixture, 1);
    struct jig_fault *fault = add_fault(&fixture, 0, JIG_FAULT_LATE_REPLY);
    fault->wire = JIG_WIRE_FROM_PROGRAMMER;
    fault->offset = 2; /* the second answer */
    fault->times = 1;
    fault->duration_us = 1000000;
    start(&fixture);
    HOST_TALK(fixture.host, BYTES(0x30, 0x20), BYTES(0x14, 0x10));
    int64_t began_ms = host_now_ms();
    host_send(fixture.host, BYTES(0x30, 0x20));
    host_send(fixture.host, BYTES(0x30, 0x20));
    struct pollfd first = {.fd = fixture.host, .events = POLLIN};
    assert_int_equal(poll(&first, 1, HOST_PATIENCE_MS), 1);
    assert_in_range(host_now_ms() - began_ms, 1000, HOST_PATIENCE_MS - 1);
    HOST_TALK(fixture.host, NULL, 0, BYTES(0x14, 0x10, 0x14, 0x10));
    stop(&fixture);
    EXPECT_LINE(&fixture, 1, "\"wire\":\"from-programmer\",\"applied\":1}");
    clean_up(&fixture);
}

static void doubled_byte_arrives_twice(void **state)
{
    (void)state;
    struct fixture fixture;
    prepare(&fixture, 1);
    struct jig_fault *fault = add_fault(&fixture, 0, JIG_FAULT_DOUBLED_BYTE);
    set_pattern(fault, JIG_WIRE_TO_PROGRAMMER, BYTES(0x30, 0x20));
    fault->offset = 1;
    fault->times = 1;
    fault = add_fault(&fixture, 0, JIG_FAULT_DOUBLED_BYTE);
    set_pattern(fault, JIG_WIRE_FROM_PROGRAMMER, BYTES(0x56, 0x52));
    fault->offset = -1;
    fault->times = 1;
    start(&fixture);
    HOST_TALK(fixture.host, BYTES(0x30, 0x20), BYTES(0x14, 0x10, 0x15));
    HOST_TALK(fixture.host, BYTES(0x30, 0x20), BYTES(0x14, 0x10));
    HOST_TALK(fixture.host, BYTES(0x31, 0x20),
              BYTES(0x14, 'A', 'A', 'V', 'R', ' ', 'I', 'S', 'P', 0x10));
    stop(&fixture);
    EXPECT_LINE(&fixture, 1,
                "{\"fault\":\"doubled-byte\",\"wire\":\"to-programmer\",\"applied\":1}");
    clean_up(&fixture);
}

static void cut_line_loses_both_ways_for_a_time(void **state)
{
    (void)state;
    struct fixture fixture;
    uint8_t answer[2];
    prepare(&fixture, 1);
    struct jig_fault *fault = add_fault(&fixture, 0, JIG_FAULT_CUT);
    set_pattern(fault, JIG_WIRE_TO_PROGRAMMER, BYTES(0x41, 0x81));
    fault->offset = 1;
    fault->times = 1;
    fault->duration_us = 400000;
    start(&fixture);
    HOST_TALK(fixture.host, BYTES(0x30, 0x20), BYTES(0x14, 0x10));
    int64_t began_ms = host_now_ms();
    host_send(fixture.host, BYTES(0x41, 0x81, 0x20));
    while (host_now_ms() - began_ms < HOST_PATIENCE_MS) {
        host_send(fixture.host, BYTES(0x20)); /* the sketch waits for two more */
        if (host_read(fixture.host, answer, 1, 20) == 1) {
            break;
        }
    }
    assert_in_range(host_now_ms() - began_ms, 400, HOST_PATIENCE_MS - 1);
    stop(&fixture);
    EXPECT_LINE(&fixture, 1, "{\"fault\":\"cut\",\"wire\":\"to-programmer\",\"applied\":1}");
    clean_up(&fixture);
}

static void echo_comes_before_the_answer(void **state)
{
    (void)state;
    struct fixture fixture;
    prepare(&fixture, 1);
    add_fault(&fixture, 0, JIG_FAULT_ECHO)->rate = 1;
    start(&fixture);
    HOST_TALK(fixture.host, BYTES(0x30, 0x20), BYTES(0x30, 0x20, 0x14, 0x10));
    HOST_TALK(fixture.host, BYTES(0x50, 0x20), BYTES(0x50, 0x20, 0x14, 0x10));
    stop(&fixture);
    EXPECT_LINE(&fixture, 1, "{\"fault\":\"echo\",\"wire\":\"to-programmer\",\"applied\":4}");
    clean_up(&fixture);
}

static void old_reply_comes_once_more(void **state)
{
    (void)state;
    struct fixture fixture;
    prepare(&fixture, 1);
    struct jig_fault *fault = add_fault(&fixture, 0, JIG_FAULT_OLD_REPLY);
    set_pattern(fault, JIG_WIRE_FROM_PROGRAMMER, BYTES(0x14, 0x41));
    fault->times = 1;
    start(&fixture);
    HOST_TALK(fixture.host, BYTES(0x30, 0x20), BYTES(0x14, 0x10));
    HOST_TALK(fixture.host, BYTES(0x41, 0x81, 0x20), BYTES(0x14, 0x01, 0x10));
    HOST_TALK(fixture.host, BYTES(0x31, 0x20),
              BYTES(0x14, 0x01, 0x10, 0x14, 'A', 'V', 'R', ' ', 'I', 'S', 'P', 0x10));
    HOST_TALK(fixture.host, BYTES(0x30, 0x20), BYTES(0x14, 0x10));
    stop(&fixture);
    EXPECT_LINE(&fixture, 1,
                "{\"fault\":\"old-reply\",\"wire\":\"from-programmer\",\"applied\":1}");
    clean_up(&fixture);
}

static void wrong_mode_is_what_somebody_sent_before(void **state)
{
    (void)state;
    struct fixture fixture;
    prepare(&fixture, 1);
    struct jig_fault *fault = add_fault(&fixture, 0, JIG_FAULT_WRONG_MODE);
    set_pattern(fault, JIG_WIRE_TO_PROGRAMMER, BYTES(0x42, 0x86));
    fault->times = 1;
    start(&fixture);
    for (int i = 0; i < 19; i++) { /* of 20 parameters one is there; then an end byte */
        host_send(fixture.host, BYTES(0x00));
    }
    HOST_TALK(fixture.host, BYTES(0x20), BYTES(0x14, 0x10));
    HOST_TALK(fixture.host, BYTES(0x30, 0x20), BYTES(0x14, 0x10));
    stop(&fixture);
    EXPECT_LINE(&fixture, 1, "{\"fault\":\"wrong-mode\",\"wire\":\"to-programmer\",\"applied\":1}");
    clean_up(&fixture);
}

static bool is_there(const char *path)
{
    struct stat found;
    return stat(path, &found) == 0;
}

static void port_comes_back_at_its_place(void **state)
{
    (void)state;
    struct fixture fixture;
    char path[300];
    uint8_t byte;
    prepare(&fixture, 2);
    add_at(&fixture, JIG_FAULT_PORT_GONE, BYTES(0x50), 1)->duration_us = 300000;
    start(&fixture);
    snprintf(path, sizeof path, "%s", bench_place(fixture.bench, 1) + 4);
    assert_string_not_equal(path, bench_place(fixture.bench, 2) + 4);
    enter(&fixture);
    int64_t began_ms = host_now_ms();
    host_send(fixture.host, BYTES(0x56, 0x50, 0, 0, 0, 0x20));
    struct pollfd hung_up = {.fd = fixture.host, .events = POLLIN};
    assert_int_equal(poll(&hung_up, 1, HOST_PATIENCE_MS), 1);
    assert_true((hung_up.revents & POLLHUP) != 0);
    assert_true(read(fixture.host, &byte, 1) <= 0);
    assert_true(!is_there(path) || host_now_ms() - began_ms >= 300); /* it may be back by now */
    close(fixture.host);
    while (!is_there(path) && host_now_ms() - began_ms < HOST_PATIENCE_MS) {
        poll(NULL, 0, 5);
    }
    fixture.host = host_open(path);
    assert_int_equal(look(&fixture), 0x95);
    stop(&fixture);
    assert_false(is_there(path));
    *strrchr(path, '/') = '\0';
    assert_false(is_there(path));
    EXPECT_LINE(&fixture, 1, "{\"fault\":\"port-gone\",\"applied\":1}");
    clean_up(&fixture);
}

static void bench_stops_while_a_port_is_gone(void **state)
{
    (void)state;
    struct fixture fixture;
    prepare(&fixture, 1);
    add_at(&fixture, JIG_FAULT_PORT_GONE, BYTES(0x50), 1)->duration_us = 600000000;
    start(&fixture);
    enter(&fixture);
    host_send(fixture.host, BYTES(0x56, 0x50, 0, 0, 0, 0x20));
    struct pollfd hung_up = {.fd = fixture.host, .events = POLLIN};
    assert_int_equal(poll(&hung_up, 1, HOST_PATIENCE_MS), 1);
    stop(&fixture);
    clean_up(&fixture);
}

static void power_loss_leaves_half_a_page(void **state)
{
    (void)state;
    struct fixture fixture;
    prepare(&fixture, 1);
    add_at(&fixture, JIG_FAULT_POWER_LOSS, BYTES(0x4C), 1);
    start(&fixture);
    enter(&fixture);
    universal(&fixture, 0x40, 0, 0, 0x12);
    universal(&fixture, 0x48, 0, 31, 0x34); /* byte 63 of 128 */
    universal(&fixture, 0x40, 0, 32, 0x56); /* byte 64 */
    universal(&fixture, 0x4C, 0, 0, 0);
    assert_int_equal(signature(&fixture), 0xFF);
    assert_int_equal(look(&fixture), 0xFF);
    stop(&fixture);
    char flash[160];
    int used = snprintf(flash, sizeof flash, "\"flash\":\"12");
    for (int i = 0; i < 62; i++) {
        used += snprintf(flash + used, sizeof flash - (size_t)used, "ff");
    }
    snprintf(flash + used, sizeof flash - (size_t)used, "34\"");
    EXPECT_LINE(&fixture, 1, flash);
    EXPECT_LINE(&fixture, 1, "{\"fault\":\"power-loss\",\"applied\":1}");
    clean_up(&fixture);
}

static void power_loss_leaves_a_locked_board_locked(void **state)
{
    (void)state;
    struct fixture fixture;
    prepare(&fixture, 1);
    add_at(&fixture, JIG_FAULT_POWER_LOSS, BYTES(0xAC, 0x80), 1);
    start(&fixture);
    enter(&fixture);
    universal(&fixture, 0x40, 0, 0, 0x12);
    universal(&fixture, 0x4C, 0, 0, 0);
    universal(&fixture, 0xAC, 0xE0, 0, 0xFC);
    universal(&fixture, 0xAC, 0x80, 0, 0);
    stop(&fixture);
    EXPECT_LINE(&fixture, 1, "\"flash\":\"\",");
    EXPECT_LINE(&fixture, 1, "\"lock\":252,");
    clean_up(&fixture);
}

static void pulled_board_is_gone(void **state)
{
    (void)state;
    struct fixture fixture;
    prepare(&fixture, 1);
    add_fault(&fixture, 1, JIG_FAULT_PULLED)->after = 5;
    start(&fixture);
    assert_int_equal(look(&fixture), 0x95); /* four instructions */
    assert_int_equal(signature(&fixture), 0x95);
    assert_int_equal(signature(&fixture), 0xFF);
    assert_int_equal(look(&fixture), 0xFF);
    bench_lamp(fixture.bench, 1, "fail", 0);
    look(&fixture);
    assert_int_equal(look(&fixture), 0x95);
    stop(&fixture);
    EXPECT_LINE(&fixture, 1, "\"lamp\":\"fail\",");
    EXPECT_LINE(&fixture, 1, "{\"fault\":\"pulled\",\"applied\":1}");
    clean_up(&fixture);
}

static void garbage_on_a_uart(void **state)
{
    (void)state;
    garbage_comes_with_each_opening("arduino-uno-isp");
}

static void garbage_on_usb(void **state)
{
    (void)state;
    garbage_comes_with_each_opening("pro-micro-isp");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dies_at_the_nth_of_an_instruction_and_later),
        cmocka_unit_test(loose_contact_drops_whole_instructions),
        cmocka_unit_test(loose_contact_by_rate_follows_the_seed),
        cmocka_unit_test(stuck_miso_hides_a_board_that_listens),
        cmocka_unit_test(a_board_without_supply_hears_nothing),
        cmocka_unit_test(bad_page_keeps_its_bits),
        cmocka_unit_test(bad_fuse_keeps_its_bits),
        cmocka_unit_test(slow_writes_take_their_time),
        cmocka_unit_test(slow_clock_cannot_follow),
        cmocka_unit_test(without_a_crystal_its_fuses_silence_it),
        cmocka_unit_test(garbage_on_a_uart),
        cmocka_unit_test(garbage_on_usb),
        cmocka_unit_test(banner_comes_with_each_start),
        cmocka_unit_test(late_reply_keeps_what_follows_waiting),
        cmocka_unit_test(doubled_byte_arrives_twice),
        cmocka_unit_test(cut_line_loses_both_ways_for_a_time),
        cmocka_unit_test(echo_comes_before_the_answer),
        cmocka_unit_test(old_reply_comes_once_more),
        cmocka_unit_test(wrong_mode_is_what_somebody_sent_before),
        cmocka_unit_test(port_comes_back_at_its_place),
        cmocka_unit_test(bench_stops_while_a_port_is_gone),
        cmocka_unit_test(power_loss_leaves_half_a_page),
        cmocka_unit_test(power_loss_leaves_a_locked_board_locked),
        cmocka_unit_test(pulled_board_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
