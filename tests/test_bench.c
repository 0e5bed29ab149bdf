/* The simulated bench: boards come and go as an operator would have it, faults are applied and
 * recorded, and what the record says is what the board holds. */
#include "jigs/operation.h"
#include "tests/bench_fixture.h"

static void next_board_comes_after_lamp_and_look(void **state)
{
    (void)state;
    struct fixture fixture;
    prepare(&fixture, 2);
    fixture.jig.bench.boards = 2;
    start(&fixture);
    assert_null(bench_place(fixture.bench, 3));
    assert_int_equal(look(&fixture), 0x95);
    universal(&fixture, 0xAC, 0xA0, 0, 0xFF);
    assert_int_equal(look(&fixture), 0x95);
    assert_int_equal(bench_lamp(fixture.bench, 1, "pass", 0), 0);
    assert_int_equal(bench_lamp(fixture.bench, 9, "pass", 0), -1);
    assert_int_equal(universal(&fixture, 0x30, 0, 1, 0), 0xFF); /* gone in mid-session */
    assert_int_equal(look(&fixture), 0xFF);                     /* the empty place */
    assert_int_equal(look(&fixture), 0x95);
    assert_int_equal(universal(&fixture, 0x50, 0, 0, 0), 0x62); /* another one, fresh */
    bench_lamp(fixture.bench, 1, "fail", 1);                    /* meant for one before it */
    assert_int_equal(look(&fixture), 0x95);
    bench_lamp(fixture.bench, 1, "fail", operation_wall_us());
    for (int i = 0; i < 4; i++) {
        assert_int_equal(look(&fixture), 0xFF); /* there were two */
    }
    stop(&fixture);
    assert_int_equal(line_count(&fixture), 3);
    EXPECT_LINE(&fixture, 1, "\"site\":1,\"board\":1,\"lamp\":\"pass\",\"part\":\"ATmega328P\"");
    EXPECT_LINE(&fixture, 1, "\"low\":255,");
    EXPECT_LINE(&fixture, 1, "\"clock_hz\":16000000");
    EXPECT_LINE(&fixture, 1, "\"fuse_writes\":[{\"fuse\":\"low\",\"value\":255,\"count\":1}]");
    EXPECT_LINE(&fixture, 2, "\"site\":1,\"board\":2,");
    EXPECT_LINE(&fixture, 2, "\"low\":98,");
    EXPECT_LINE(&fixture, 3, "\"site\":2,\"board\":1,");
    clean_up(&fixture);
}

static void hands_put_in_and_take_out(void **state)
{
    (void)state;
    struct fixture fixture;
    prepare(&fixture, 1);
    start(&fixture);
    assert_int_equal(bench_insert(fixture.bench, 1), -1);
    assert_int_equal(bench_remove(fixture.bench, 1), 0);
    assert_int_equal(bench_remove(fixture.bench, 1), -1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(look(&fixture), 0xFF); /* stays empty until a hand comes */
    }
    assert_int_equal(bench_record_board(fixture.bench, 1, stdout), -1);
    assert_int_equal(bench_insert(fixture.bench, 1), 0);
    assert_int_equal(look(&fixture), 0x95);
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    assert_int_equal(bench_record_board(fixture.bench, 1, out), 0);
    fclose(out);
    assert_non_null(strstr(text, "\"board\":2,"));
    free(text);
    stop(&fixture);
    clean_up(&fixture);
}

static void record_holds_what_the_board_holds(void **state)
{
    (void)state;
    struct fixture fixture;
    prepare(&fixture, 1);
    start(&fixture);
    enter(&fixture);
    universal(&fixture, 0x40, 0, 1, 0xAB);
    universal(&fixture, 0x4C, 0, 0, 0);
    universal(&fixture, 0xC0, 0, 2, 0x07);
    universal(&fixture, 0xAC, 0x80, 0, 0);
    universal(&fixture, 0x48, 0, 1, 0xCD);
    universal(&fixture, 0x4C, 0, 0, 0);
    universal(&fixture, 0xC0, 0, 1, 0x08);
    stop(&fixture);
    EXPECT_LINE(&fixture, 1, "\"flash\":\"ffffffcd\",\"flash_size\":32768");
    EXPECT_LINE(&fixture, 1, "\"eeprom\":\"ff08\"");
    EXPECT_LINE(&fixture, 1, "\"erases\":1,\"flash_pages\":2,\"eeprom_writes\":2");
    EXPECT_LINE(&fixture, 1, "\"ac_frames\":[\"ac800000\"]");
    EXPECT_LINE(&fixture, 1, "\"fuse_writes\":[]");
    EXPECT_LINE(&fixture, 1, "\"bootloader_pages\":0");
    clean_up(&fixture);
}

static void wrong_part_and_empty_place_take_their_turn(void **state)
{
    (void)state;
    struct fixture fixture;
    prepare(&fixture, 1);
    strcpy(add_fault(&fixture, 1, JIG_FAULT_WRONG_PART)->part, "ATtiny85");
    add_fault(&fixture, 2, JIG_FAULT_NO_BOARD);
    start(&fixture);
    assert_int_equal(look(&fixture), 0x93);
    bench_lamp(fixture.bench, 1, "refused", 0);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(look(&fixture), 0xFF);
    }
    bench_lamp(fixture.bench, 1, "empty", 0);
    assert_int_equal(look(&fixture), 0xFF);
    assert_int_equal(look(&fixture), 0x95);
    stop(&fixture);
    EXPECT_LINE(&fixture, 1, "\"part\":\"ATtiny85\"");
    EXPECT_LINE(&fixture, 1, "\"faults\":[{\"fault\":\"wrong-part\",\"applied\":1}]");
    EXPECT_LINE(&fixture, 1, "\"lamp\":\"refused\"");
    EXPECT_LINE(&fixture, 2, "\"board\":2,\"lamp\":\"empty\",\"part\":null");
    EXPECT_LINE(&fixture, 2, "{\"fault\":\"no-board\",\"applied\":1}");
    EXPECT_LINE(&fixture, 3, "\"board\":3,\"lamp\":null,\"part\":\"ATmega328P\",\"faults\":[]");
    clean_up(&fixture);
}

static void first_board_is_noticed_without_a_lamp(enum jig_fault_kind kind, const char *line)
{
    struct fixture fixture;
    prepare(&fixture, 1);
    add_fault(&fixture, 1, kind);
    start(&fixture);
    int looks = 0;
    while (look(&fixture) == 0xFF && looks < 100) {
        looks++;
    }
    assert_in_range(looks, 30, 32);
    stop(&fixture);
    EXPECT_LINE(&fixture, 1, line);
    clean_up(&fixture);
}

static void empty_place_and_dead_board_are_noticed_without_a_lamp(void **state)
{
    (void)state;
    first_board_is_noticed_without_a_lamp(JIG_FAULT_NO_BOARD, "\"lamp\":null,\"part\":null");
    first_board_is_noticed_without_a_lamp(JIG_FAULT_DEAD, "\"lamp\":null,\"part\":\"ATmega328P\"");
}

/* Sends low fuse writes and tells how many times which value reached the board. */
static void flips_and_losses_by_position(void **state)
{
    (void)state;
    struct fixture fixture;
    prepare(&fixture, 1);
    /* The value of a low fuse write, on the way to the programmer, once. */
    struct jig_fault *fault = add_fault(&fixture, 1, JIG_FAULT_FLIP);
    set_pattern(fault, JIG_WIRE_TO_PROGRAMMER, BYTES(0x56, 0xAC, 0xA0));
    fault->offset = 4;
    fault->mask = 0x81;
    fault->times = 1;
    /* The high fuse read, on the way back from the board. */
    fault = add_fault(&fixture, 1, JIG_FAULT_FLIP);
    set_pattern(fault, JIG_WIRE_FROM_BOARD, BYTES(0x58, 0x08));
    fault->offset = 2;
    fault->mask = 0x01;
    /* The instruction's last byte on MOSI: the board waits for it. */
    fault = add_fault(&fixture, 1, JIG_FAULT_LOST_BYTE);
    set_pattern(fault, JIG_WIRE_TO_BOARD, BYTES(0x50, 0x08, 0x00));
    fault->offset = 3;
    start(&fixture);
    enter(&fixture);
    universal(&fixture, 0xAC, 0xA0, 0, 0x62);
    assert_int_equal(universal(&fixture, 0x50, 0, 0, 0), 0x62 ^ 0x81);
    universal(&fixture, 0xAC, 0xA0, 0, 0x62);
    assert_int_equal(universal(&fixture, 0x50, 0, 0, 0), 0x62);
    assert_int_equal(universal(&fixture, 0x58, 0x08, 0, 0), 0xD9 ^ 0x01);
    universal(&fixture, 0x50, 0x08, 0x00, 0x00);
    assert_int_not_equal(universal(&fixture, 0x30, 0, 1, 0), 0x95); /* out of step */
    assert_int_equal(look(&fixture), 0x95);
    stop(&fixture);
    EXPECT_LINE(&fixture, 1, "{\"fuse\":\"low\",\"value\":98,\"count\":1}");
    EXPECT_LINE(&fixture, 1, "{\"fuse\":\"low\",\"value\":227,\"count\":1}");
    EXPECT_LINE(&fixture, 1, "{\"fault\":\"flip\",\"wire\":\"to-programmer\",\"applied\":1}");
    EXPECT_LINE(&fixture, 1, "{\"fault\":\"flip\",\"wire\":\"from-board\",\"applied\":1}");
    EXPECT_LINE(&fixture, 1, "{\"fault\":\"lost-byte\",\"wire\":\"to-board\",\"applied\":1}");
    clean_up(&fixture);
}

static void lost_reply_byte_by_place_in_the_turn(void **state)
{
    (void)state;
    struct fixture fixture;
    prepare(&fixture, 1);
    struct jig_fault *fault = add_fault(&fixture, 0, JIG_FAULT_LOST_BYTE);
    fault->wire = JIG_WIRE_FROM_PROGRAMMER;
    fault->offset = 1; /* the second byte of each board's turn */
    start(&fixture);
    HOST_TALK(fixture.host, BYTES(0x30, 0x20), BYTES(0x14));
    HOST_TALK(fixture.host, BYTES(0x30, 0x20), BYTES(0x14, 0x10));
    stop(&fixture);
    EXPECT_LINE(&fixture, 1, "\"wire\":\"from-programmer\",\"applied\":1}");
    clean_up(&fixture);
}

/* A pattern may come in pieces; what follows it is hit all the same. */
static void pattern_is_seen_across_writes(void **state)
{
    (void)state;
    struct fixture fixture;
    prepare(&fixture, 1);
    struct jig_fault *fault = add_fault(&fixture, 1, JIG_FAULT_FLIP);
    set_pattern(fault, JIG_WIRE_TO_PROGRAMMER, BYTES(0x30, 0x20, 0x41));
    fault->offset = 3;
    fault->mask = 0x03;
    start(&fixture);
    HOST_TALK(fixture.host, BYTES(0x30, 0x20), BYTES(0x14, 0x10));
    host_send(fixture.host, BYTES(0x41));
    HOST_TALK(fixture.host, BYTES(0x82, 0x20), BYTES(0x14, 1, 0x10)); /* 81 arrived */
    stop(&fixture);
    clean_up(&fixture);
}

/* What 64 signature reads look like through a noisy contact. */
static void read_noise(uint64_t seed, uint8_t noise[64])
{
    struct fixture fixture;
    prepare(&fixture, 1);
    fixture.options.seed = seed;
    struct jig_fault *fault = add_fault(&fixture, 1, JIG_FAULT_FLIP);
    fault->wire = JIG_WIRE_FROM_BOARD;
    fault->rate = 0.1;
    start(&fixture);
    enter(&fixture);
    for (size_t i = 0; i < 64; i++) {
        noise[i] = universal(&fixture, 0x30, 0, 1, 0);
    }
    stop(&fixture);
    clean_up(&fixture);
}

static void rates_follow_the_seed(void **state)
{
    (void)state;
    uint8_t first[64];
    uint8_t again[64];
    uint8_t other[64];
    read_noise(7, first);
    read_noise(7, again);
    read_noise(8, other);
    assert_memory_equal(first, again, sizeof first);
    assert_memory_not_equal(first, other, sizeof first);
    int wrong = 0;
    for (size_t i = 0; i < sizeof first; i++) {
        wrong += first[i] != 0x95;
    }
    assert_in_range(wrong, 1, 20);
}

static void hangs_until_opened_again(void **state)
{
    (void)state;
    struct fixture fixture;
    prepare(&fixture, 1);
    add_fault(&fixture, 1, JIG_FAULT_HANG)->after = 5;
    start(&fixture);
    assert_int_equal(look(&fixture), 0x95); /* four frames */
    universal(&fixture, 0x30, 0, 0, 0);
    host_send(fixture.host, BYTES(0x56, 0x30, 0, 0, 0, 0x20));
    uint8_t byte;
    assert_int_equal(host_read(fixture.host, &byte, 1, 100), 0);
    host_send(fixture.host, BYTES(0x30, 0x20));
    assert_int_equal(host_read(fixture.host, &byte, 1, 100), 0);
    fixture.host = host_reopen(fixture.host, bench_place(fixture.bench, 1));
    assert_int_equal(look(&fixture), 0x95);
    stop(&fixture);
    EXPECT_LINE(&fixture, 1, "\"faults\":[{\"fault\":\"hang\",\"applied\":1}]");
    clean_up(&fixture);
}

static void dies_after_so_many_instructions(void **state)
{
    (void)state;
    struct fixture fixture;
    prepare(&fixture, 1);
    add_fault(&fixture, 1, JIG_FAULT_DEAD)->after = 5;
    start(&fixture);
    assert_int_equal(look(&fixture), 0x95); /* four frames */
    assert_int_equal(universal(&fixture, 0x30, 0, 1, 0), 0x95);
    assert_int_equal(universal(&fixture, 0x30, 0, 1, 0), 0xFF);
    assert_int_equal(look(&fixture), 0xFF);
    bench_lamp(fixture.bench, 1, "fail", 0);
    look(&fixture);
    assert_int_equal(look(&fixture), 0x95);
    stop(&fixture);
    EXPECT_LINE(&fixture, 1, "\"faults\":[{\"fault\":\"dead\",\"applied\":1}]");
    clean_up(&fixture);
}

static void faults_of_other_sites_and_boards_do_nothing(void **state)
{
    (void)state;
    struct fixture fixture;
    prepare(&fixture, 2);
    add_fault(&fixture, 2, JIG_FAULT_DEAD);
    add_fault(&fixture, 1, JIG_FAULT_DEAD)->site = 2;
    start(&fixture);
    assert_int_equal(look(&fixture), 0x95);
    close(fixture.host);
    fixture.host = host_open(bench_place(fixture.bench, 2));
    assert_int_equal(look(&fixture), 0xFF);
    stop(&fixture);
    clean_up(&fixture);
}

static void real_pace_swaps_in_its_time(void **state)
{
    (void)state;
    struct fixture fixture;
    prepare(&fixture, 1);
    fixture.options.real_pace = true;
    fixture.jig.bench.swap_us = 300000;
    start(&fixture);
    assert_int_equal(look(&fixture), 0x95);
    int64_t began_ms = host_now_ms();
    bench_lamp(fixture.bench, 1, "pass", 0);
    while (look(&fixture) == 0xFF && host_now_ms() - began_ms < HOST_PATIENCE_MS) {
    }
    assert_in_range(host_now_ms() - began_ms, 300, HOST_PATIENCE_MS - 1);
    stop(&fixture);
    clean_up(&fixture);
}

static void refuses_what_it_does_not_have(void **state)
{
    (void)state;
    struct fixture fixture;
    struct failure failure = {0};
    prepare(&fixture, 1);
    strcpy(fixture.sites[0].model, "arduino-uno");
    assert_int_equal(bench_start(&fixture.options, &fixture.bench, &failure), -1);
    assert_int_equal(failure.code, FAILURE_JIG_INVALID);
    assert_non_null(strstr(failure.detail, "arduino-uno-isp"));
    prepare(&fixture, 1);
    strcpy(fixture.sites[0].board, "ATmega328PX");
    assert_int_equal(bench_start(&fixture.options, &fixture.bench, &failure), -1);
    prepare(&fixture, 1);
    strcpy(add_fault(&fixture, 1, JIG_FAULT_WRONG_PART)->part, "ATmega0");
    assert_int_equal(bench_start(&fixture.options, &fixture.bench, &failure), -1);
}

static void shipped_benches_start(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t sites;
        bool real_pace;
    } rows[] = {{"sim-1-uart", 1, true},
                {"sim-8", 8, true},
                {"sim-32-uart", 32, true},
                {"sim-64-fast", 64, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture fixture;
        struct failure failure = {0};
        struct jig *jig = NULL;
        char path[512];
        snprintf(path, sizeof path, TEST_SOURCE_DIR "/jigs/benches/%s.yaml", rows[i].name);
        prepare(&fixture, 0);
        if (jig_load(path, &jig, &failure) != 0) {
            fail_msg("%s", failure.detail);
        }
        assert_int_equal(jig->site_count, rows[i].sites);
        assert_int_equal(jig->bench.real_pace, rows[i].real_pace);
        fixture.options.jig = jig;
        fixture.options.real_pace = false;
        start(&fixture);
        assert_int_not_equal(look(&fixture), 0xFF);
        stop(&fixture);
        clean_up(&fixture);
        jig_free(jig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(next_board_comes_after_lamp_and_look),
        cmocka_unit_test(hands_put_in_and_take_out),
        cmocka_unit_test(record_holds_what_the_board_holds),
        cmocka_unit_test(wrong_part_and_empty_place_take_their_turn),
        cmocka_unit_test(empty_place_and_dead_board_are_noticed_without_a_lamp),
        cmocka_unit_test(flips_and_losses_by_position),
        cmocka_unit_test(lost_reply_byte_by_place_in_the_turn),
        cmocka_unit_test(pattern_is_seen_across_writes),
        cmocka_unit_test(rates_follow_the_seed),
        cmocka_unit_test(hangs_until_opened_again),
        cmocka_unit_test(dies_after_so_many_instructions),
        cmocka_unit_test(faults_of_other_sites_and_boards_do_nothing),
        cmocka_unit_test(real_pace_swaps_in_its_time),
        cmocka_unit_test(refuses_what_it_does_not_have),
        cmocka_unit_test(shipped_benches_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
