/* Jig files: what is read, and every mistake with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "jigs/jig.h"

static struct jig *parse(const char *text)
{
    struct jig *jig = NULL;
    struct failure failure = {0};

    if (jig_parse("j.yaml", text, strlen(text), &jig, &failure) != 0)
        fail_msg("%s", failure.detail);
    assert_non_null(jig);
    return jig;
}

static void a_real_bench_is_read(void **state)
{
    (void)state;
    struct jig *jig = parse(
        "format: 1\njig: bench-2\ncontact: {present: 400 ms, gone: 2 s, poll: 100 ms}\nsites:\n"
        "  - {site: 3, programmer: stk500v1, at: serial:/dev/ttyACM0, baud: 115200, supply: 5 V}\n"
        "  - {site: 1, programmer: stk500v1, at: tcp:rack:2001, supply: 3.3 V}\n");

    assert_string_equal(jig->name, "bench-2");
    assert_string_equal(jig->path, "j.yaml");
    assert_int_equal(strlen(jig->sha256), 64);
    assert_int_equal(jig->contact_present_us, 400000);
    assert_int_equal(jig->contact_gone_us, 2000000);
    assert_int_equal(jig->contact_poll_us, 100000);
    assert_false(jig->bench.simulated);
    assert_int_equal(jig->site_count, 2);
    assert_int_equal(jig->sites[0].site, 3);
    assert_int_equal(jig->sites[0].line, 5);
    assert_int_equal(jig->sites[0].column, 5);
    assert_string_equal(jig->sites[0].programmer, "stk500v1");
    assert_int_equal(jig->sites[0].place.kind, PLACE_SERIAL);
    assert_string_equal(jig->sites[0].place.path, "/dev/ttyACM0");
    assert_int_equal(jig->sites[0].baud, 115200);
    assert_int_equal(jig->sites[0].supply_mv, 5000);
    assert_int_equal(jig->sites[1].place.port, 2001);
    assert_int_equal(jig->sites[1].baud, 0);
    assert_int_equal(jig->sites[1].supply_mv, 3300);
    assert_ptr_equal(jig_find_site(jig, 1), &jig->sites[1]);
    assert_null(jig_find_site(jig, 2));
    jig_free(jig);
    jig_free(NULL);
}

static void a_simulated_bench_and_its_faults_are_read(void **state)
{
    (void)state;
    struct jig *jig = parse(
        "jig: sim\nbench: {simulated: true, pace: fast, seed: 7, swap: 600 ms, boards: 3}\n"
        "sites:\n"
        "  - {site: 1, programmer: stk500v1, model: arduino-uno-isp, board: ATmega328P,\n"
        "     crystal: 7.3728 MHz}\n"
        "  - {site: 2, programmer: stk500v1, model: teensy-2.0-isp, board: ATtiny85,\n"
        "     port: usb}\n"
        "faults:\n"
        "  - {site: 1, board: 2, fault: wrong-part, part: ATmega32A}\n"
        "  - {fault: flip, wire: from-board, rate: 0.001, mask: 0x01}\n"
        "  - {site: 2, fault: lost-byte, wire: to-programmer, match: \"56 AC A0\", offset: 3}\n"
        "  - {site: 2, fault: lost-byte, wire: to-board, offset: 3, times: 0}\n"
        "  - {fault: hang, after: 1000}\n"
        "  - {fault: no-board, board: 1}\n");
    const struct jig_fault *faults = jig->bench.faults;

    assert_true(jig->bench.simulated);
    assert_false(jig->bench.real_pace);
    assert_int_equal(jig->bench.seed, 7);
    assert_int_equal(jig->bench.swap_us, 600000);
    assert_int_equal(jig->bench.boards, 3);
    assert_int_equal(jig->contact_present_us, 500000);
    assert_int_equal(jig->contact_gone_us, 1000000);
    assert_int_equal(jig->contact_poll_us, 200000);
    assert_string_equal(jig->sites[0].model, "arduino-uno-isp");
    assert_string_equal(jig->sites[0].board, "ATmega328P");
    assert_int_equal(jig->sites[0].crystal_hz, 7372800);
    assert_int_equal(jig->sites[0].place.kind, PLACE_NONE);
    assert_int_equal(jig->sites[1].crystal_hz, 0);
    assert_false(jig->sites[0].usb_port);
    assert_true(jig->sites[1].usb_port);
    assert_int_equal(jig->bench.fault_count, 6);
    assert_int_equal(faults[0].kind, JIG_FAULT_WRONG_PART);
    assert_int_equal(faults[0].site, 1);
    assert_int_equal(faults[0].board, 2);
    assert_string_equal(faults[0].part, "ATmega32A");
    assert_int_equal(faults[1].kind, JIG_FAULT_FLIP);
    assert_int_equal(faults[1].site, 0);
    assert_int_equal(faults[1].wire, JIG_WIRE_FROM_BOARD);
    assert_true(faults[1].rate > 0.00099 && faults[1].rate < 0.00101);
    assert_int_equal(faults[1].mask, 1);
    assert_int_equal(faults[1].times, 0);
    assert_int_equal(faults[2].kind, JIG_FAULT_LOST_BYTE);
    assert_int_equal(faults[2].wire, JIG_WIRE_TO_PROGRAMMER);
    assert_int_equal(faults[2].pattern_count, 3);
    assert_memory_equal(faults[2].pattern, "\x56\xAC\xA0", 3);
    assert_int_equal(faults[2].offset, 3);
    assert_int_equal(faults[2].times, 1);
    assert_int_equal(faults[3].wire, JIG_WIRE_TO_BOARD);
    assert_int_equal(faults[3].times, 0);
    assert_int_equal(faults[4].after, 1000);
    assert_int_equal(faults[5].kind, JIG_FAULT_NO_BOARD);
    jig_free(jig);
}

static void every_kind_of_fault_is_read(void **state)
{
    (void)state;
    struct jig *jig = NULL;
    struct failure failure = {0};

    if (jig_load(TEST_SOURCE_DIR "/tests/fuzz/corpus/jig/faults.yaml", &jig, &failure) != 0)
        fail_msg("%s", failure.detail);
    const struct jig_fault *faults = jig->bench.faults;
    assert_int_equal(jig->bench.fault_count, JIG_FAULT_KINDS);
    for (size_t i = 0; i < jig->bench.fault_count; i++) {
        assert_int_equal(faults[i].kind, i);
        assert_int_equal(faults[i].line, 6 + i);
        assert_int_equal(faults[i].column, 5);
    }
    assert_memory_equal(faults[JIG_FAULT_HANG].pattern, "\x40", 1);
    assert_int_equal(faults[JIG_FAULT_HANG].nth, 3);
    assert_int_equal(faults[JIG_FAULT_DEAD].after, 2);
    assert_int_equal(faults[JIG_FAULT_DEAD].nth, 1);
    assert_int_equal(faults[JIG_FAULT_DEAD].miso, JIG_MISO_NOISE);
    assert_int_equal(faults[JIG_FAULT_LOOSE_CONTACT].times, 0);
    assert_int_equal(faults[JIG_FAULT_LOOSE_CONTACT].miso, JIG_MISO_HIGH);
    assert_int_equal(faults[JIG_FAULT_STUCK_MISO].miso, JIG_MISO_LOW);
    assert_int_equal(faults[JIG_FAULT_NO_SUPPLY].miso, JIG_MISO_LOW);
    assert_int_equal(faults[JIG_FAULT_BAD_PAGE].address, 0x80);
    assert_int_equal(faults[JIG_FAULT_BAD_PAGE].memory, PART_EEPROM);
    assert_int_equal(faults[JIG_FAULT_BAD_PAGE].mask, 0x10);
    assert_int_equal(faults[JIG_FAULT_BAD_PAGE].times, 1);
    assert_int_equal(faults[JIG_FAULT_BAD_FUSE].memory, PART_LOCK);
    assert_int_equal(faults[JIG_FAULT_BAD_FUSE].mask, 0xFF);
    assert_int_equal(faults[JIG_FAULT_BAD_FUSE].times, 0);
    assert_true(faults[JIG_FAULT_SLOW_WRITE].factor > 2.49 &&
                faults[JIG_FAULT_SLOW_WRITE].factor < 2.51);
    assert_int_equal(faults[JIG_FAULT_SLOW_CLOCK].clock_hz, 128000);
    assert_int_equal(faults[JIG_FAULT_GARBAGE].pattern_count, 3);
    assert_string_equal(faults[JIG_FAULT_BANNER].text, "ArduinoISP ready");
    assert_int_equal(faults[JIG_FAULT_LATE_REPLY].duration_us, 300000);
    assert_int_equal(faults[JIG_FAULT_LATE_REPLY].wire, JIG_WIRE_FROM_PROGRAMMER);
    assert_int_equal(faults[JIG_FAULT_RESET].times, 1);
    assert_int_equal(faults[JIG_FAULT_PORT_GONE].duration_us, 2000000);
    assert_int_equal(faults[JIG_FAULT_PULLED].after, 500);
    assert_int_equal(faults[JIG_FAULT_SHORT_REPLY].times, 2);
    assert_int_equal(faults[JIG_FAULT_NAK].after, 40);
    assert_int_equal(faults[JIG_FAULT_DUPLICATE_PACKET].wire, JIG_WIRE_TO_PROGRAMMER);
    assert_int_equal(faults[JIG_FAULT_DUPLICATE_PACKET].offset, 8);
    assert_int_equal(faults[JIG_FAULT_DUPLICATE_PACKET].times, 1);
    assert_int_equal(faults[JIG_FAULT_DOUBLED_BYTE].wire, JIG_WIRE_FROM_PROGRAMMER);
    assert_int_equal(faults[JIG_FAULT_CUT].wire, JIG_WIRE_TO_PROGRAMMER);
    assert_int_equal(faults[JIG_FAULT_CUT].duration_us, 1500000);
    assert_int_equal(faults[JIG_FAULT_ECHO].times, 0);
    assert_int_equal(faults[JIG_FAULT_OLD_REPLY].wire, JIG_WIRE_FROM_PROGRAMMER);
    assert_int_equal(faults[JIG_FAULT_OLD_REPLY].offset, 1);
    assert_int_equal(faults[JIG_FAULT_WRONG_MODE].wire, JIG_WIRE_TO_PROGRAMMER);
    assert_memory_equal(faults[JIG_FAULT_WRONG_MODE].pattern, "\x64\x00\x80\x46", 4);
    assert_int_equal(faults[JIG_FAULT_WRONG_MODE].times, 1);
    jig_free(jig);
}

static void the_short_form_of_a_simulated_bench(void **state)
{
    (void)state;
    struct jig *jig = parse("jig: sim\nbench: simulated\nsites:\n  - {site: 1, programmer: "
                            "stk500v1, model: pro-micro-isp, board: ATmega32U4}\n");

    assert_true(jig->bench.simulated);
    assert_true(jig->bench.real_pace);
    jig_free(jig);
}

/* Four sites, in an order of their own. */
#define FOUR                                                                                       \
    "jig: j\nbench: simulated\nsites:\n"                                                           \
    "  - {site: 4, programmer: stk500v1, model: arduino-uno-isp, board: a}\n"                      \
    "  - {site: 1, programmer: stk500v1, model: arduino-uno-isp, board: a}\n"                      \
    "  - {site: 9, programmer: stk500v1, model: arduino-uno-isp, board: a}\n"                      \
    "  - {site: 2, programmer: stk500v1, model: arduino-uno-isp, board: a}\n"

static void assert_at(const struct jig *jig, int site, int row, int column)
{
    assert_int_equal(jig_find_site(jig, site)->layout_row, row);
    assert_int_equal(jig_find_site(jig, site)->layout_column, column);
}

static void a_layout_says_where_each_site_stands(void **state)
{
    (void)state;
    struct jig *jig = parse(FOUR "layout: [[1, 0, 2], [0], [~, 9, null, -, 4]]\n");

    assert_int_equal(jig->layout_rows, 3);
    assert_int_equal(jig->layout_columns, 5);
    assert_at(jig, 1, 1, 1);
    assert_at(jig, 2, 1, 3);
    assert_at(jig, 9, 3, 2);
    assert_at(jig, 4, 3, 5);
    jig_free(jig);
    jig = parse(FOUR);
    assert_int_equal(jig->layout_rows, 0);
    assert_at(jig, 9, 0, 0);
    jig_free(jig);
    jig = parse(FOUR "layout:\n  - [1, 2]\n  - [4, 9]\n");
    assert_int_equal(jig->layout_columns, 2);
    assert_at(jig, 9, 2, 2);
    jig_free(jig);
}

/* Text before and after the site or fault of a case. */
#define REAL "jig: j\nsites:\n  - "
#define SIMULATED                                                                                  \
    "jig: j\nbench: simulated\nsites:\n"                                                           \
    "  - {site: 1, programmer: stk500v1, model: arduino-uno-isp, board: ATmega328P}\n"
#define FAULT SIMULATED "faults:\n  - "

#define FOUND(found)                                                                               \
    "jig: j\nbench: simulated\nsites:\n  - {site: 1, programmer: stk500v1, board: ATtiny85,\n"     \
    "     model: arduino-uno-isp, found: " found "}\n"

static const struct {
    const char *text;
    const char *place; /* line and column */
    const char *reason;
} mistakes[] = {
    {"jig: j\nsite: []\n", "2:1", "sites"}, /* the nearest key is named */
    {"sites: []\n", "1:1", "jig"},
    {"jig: j\n", "1:1", "sites"},
    {FOUND("blank"), "5:37", "mapping"},
    {FOUND("{lfuse: 1}"), "5:38", "unknown key 'lfuse'"},
    {FOUND("{fuse: 1, high: 2}"), "5:44", "found fuse beside high, but it is the name of a part's"},
    {FOUND("{low: 1, fuse: 2}"), "5:52", "found fuse beside low"},
    {FOUND("{lock: 256}"), "5:44", "from 0 to 255"},
    {FOUND("{low: 62}"), "5:43", "found '62', which may be hexadecimal or decimal: write 0x62"},
    {FOUND("{flash: [a.hex]}"), "5:45", "expected text"},
    {REAL "{site: 1, programmer: stk500v1, at: tcp:a:1, found: {low: 1}}\n", "3:57",
     "only on a simulated bench"},
    {"jig: j\nsites: []\n", "2:8", "1 to 256"},
    {"jig: j\nsites: 7\n", "2:8", "1 to 256"},
    {"format: 2\njig: j\n", "1:9", "2"},
    {"jig: j\ncontact: {presnt: 1 s}\n", "2:11", "present"},
    {"jig: j\ncontact: {poll: 90 s}\n", "2:17", "at most 60 s"},
    {"jig: j\nbench: pretended\n", "2:8", "simulated"},
    {"jig: j\nbench: {pace: fast}\n", "2:8", "simulated"},
    {"jig: j\nbench: {simulated: true, pace: slow}\n", "2:32", "real"},
    {"jig: j\nbench: {simulated: true, seed: -1}\n", "2:32", "-1"},
    {"jig: j\nbench: {simulated: false, pace: fast}\n", "2:8", "not simulated"},
    {REAL "7\n", "3:5", "mapping"},
    {REAL "{site: 1, programmer: usbtiny, at: serial:/dev/null}\n", "3:40",
     "found 'serial:/dev/null' for usbtiny, expected a USB device: usb:"},
    {REAL "{site: 1, programmer: usbasp, baud: 19200, at: usb:1-1.4}\n", "3:41",
     "usbasp is reached over USB, which has no baud rate"},
    {REAL "{site: 1, programmer: stk500v1, at: usb:1-1.4}\n", "3:41",
     "found 'usb:1-1.4' for stk500v1, expected serial:/dev/…, serial:usb:"},
    {REAL "{site: 1, programer: stk500v1}\n", "3:15", "programmer"},
    {REAL "{programmer: stk500v1, at: tcp:a:1}\n", "3:5", "site"},
    {REAL "{site: 0, programmer: stk500v1, at: tcp:a:1}\n", "3:12", "0"},
    {REAL "{site: 257, programmer: stk500v1, at: tcp:a:1}\n", "3:12", "257"},
    {REAL "{site: 1, programmer: stk500v3, at: tcp:a:1}\n", "3:27", "stk500v1"},
    {REAL "{site: 1, programmer: stk500v1}\n", "3:5", "at"},
    {REAL "{site: 1, programmer: stk500v1, at: /dev/ttyACM0}\n", "3:41", "serial:/dev/"},
    {REAL "{site: 1, programmer: stk500v1, at: serial:/dev/ttyACM7, baud: 1200}\n", "3:68",
     "1200 baud starts the bootloader of many a CDC board"},
    {REAL "{site: 1, programmer: stk500v1, at: tcp:a:1, baud: 9}\n", "3:56", "9"},
    {REAL "{site: 1, programmer: stk500v1, at: tcp:a:1, supply: 12 V}\n", "3:58", "5 V"},
    {REAL "{site: 1, programmer: stk500v1, at: tcp:a:1, crystal: 8 MHz}\n", "3:59",
     "only on a simulated bench"},
    {REAL "{site: 1, programmer: stk500v1, at: tcp:a:1}\nfaults: []\n", "4:9",
     "only on a simulated bench"},
    {REAL "{site: 1, programmer: stk500v1, at: tcp:a:1}\n  - {site: 1, programmer: stk500v1}\n",
     "4:12", "site 1 stands in line 3"},
    {"jig: j\nbench: simulated\nsites:\n  - {site: 1, programmer: stk500v1, at: tcp:a:1}\n", "4:41",
     "simulated bench"},
    {"jig: j\nbench: simulated\nsites:\n  - {site: 1, programmer: stk500v1, model: uno, board: "
     "a}\n",
     "4:44", "arduino-uno-isp"},
    {"jig: j\nbench: simulated\nsites:\n  - {site: 1, programmer: stk500v1, model: usbasp-2011, "
     "board: a}\n",
     "4:44", "expected arduino-uno-isp, pro-micro-isp or teensy-2.0-isp"},
    {"jig: j\nbench: simulated\nsites:\n  - {site: 1, programmer: stk500v1, model: "
     "pro-micro-isp, board: ATmega32U4, crystal: 40 MHz}\n",
     "4:87", "20 MHz"},
    {"jig: j\nbench: simulated\nsites:\n  - {site: 1, programmer: stk500v1, model: "
     "pro-micro-isp, board: ATmega32U4, port: com1}\n",
     "4:84", "pty"},
    {"jig: j\nbench: simulated\nsites:\n  - {site: 1, programmer: usbasp, model: "
     "usbasp-2011, board: ATmega32U4, port: usb}\n",
     "4:80", "only for serial programmers"},
    {REAL "{site: 1, programmer: stk500v1, at: tcp:a:1, port: usb}\n", "3:56",
     "only on a simulated bench"},
    {FOUR "layout: 4\n", "8:9", "[[1, 2], [3, 4]]"},
    {FOUR "layout: []\n", "8:9", "1 to 256 rows"},
    {FOUR "layout: [1, 2, 4, 9]\n", "8:10", "a row of 1 to 256 site numbers"},
    {FOUR "layout: [[1, 2], [], [4, 9]]\n", "8:18", "a row of 1 to 256"},
    {FOUR "layout: [[1, 2], [4, 3]]\n", "8:22", "found 3, expected the number of a site"},
    {FOUR "layout: [[1, 2], [4, 257]]\n", "8:22", "257"},
    {FOUR "layout: [[1, 2], [4, nine]]\n", "8:22", "nine"},
    {FOUR "layout: [[1, 2], [4, [9]]]\n", "8:22", "number"},
    {FOUR "layout: [[1, 2], [4, 9, 2]]\n", "8:25", "site 2 stands in row 1, column 2"},
    {FOUR "layout: [[1, 2], [4, 0]]\n", "8:9", "site 9 of line 6 is not in it"},
    {FAULT "{fault: flop, wire: to-board, rate: 1}\n", "6:13", "flip"},
    {FAULT "{site: 2, fault: no-board}\n", "6:12", "no site 2"},
    {FAULT "{board: 0, fault: no-board}\n", "6:13", "from 1"},
    {"jig: j\nbench: {simulated: true, boards: 2}\nsites:\n  - {site: 1, programmer: stk500v1, "
     "model: arduino-uno-isp, board: ATtiny12}\nfaults:\n  - {board: 3, fault: no-board}\n",
     "6:13", "found board 3, expected at most 2"},
    {FAULT "{fault: wrong-part}\n", "6:5", "part"},
    {FAULT "{fault: no-board, rate: 0.5}\n", "6:29", "rate says nothing"},
    {FAULT "{fault: lost-byte, wire: to-board, rate: 0.5, mask: 1}\n", "6:57", "mask says nothing"},
    {FAULT "{fault: flip, rate: 0.5}\n", "6:5", "wire"},
    {FAULT "{fault: flip, wire: to-board}\n", "6:5", "either a rate"},
    {FAULT "{fault: flip, wire: to-board, rate: 0.5, offset: 1}\n", "6:5", "either a rate"},
    {FAULT "{fault: flip, wire: to-board, rate: 1.5}\n", "6:41", "up to 1"},
    {FAULT "{fault: flip, wire: to-board, rate: often}\n", "6:41", "up to 1"},
    {FAULT "{fault: flip, wire: to-board, match: \"56 AC A\"}\n", "6:42", "A"},
    {FAULT "{fault: flip, wire: to-board, match: \"1 2 3 4 5 6 7 8 9\"}\n", "6:42", "9 bytes"},
    {FAULT "{fault: flip, wire: sideways, rate: 1}\n", "6:25", "to-programmer"},
    {FAULT "{fault: late-reply, wire: to-board, for: 1 s, rate: 1}\n", "6:31", "wire says nothing"},
    {FAULT "{fault: late-reply, rate: 1}\n", "6:5", "for"},
    {FAULT "{fault: late-reply, rate: 1, for: 61 s}\n", "6:39", "at most 60 s"},
    {FAULT "{fault: doubled-byte, wire: to-board, rate: 1}\n", "6:33", "a serial line's"},
    {FAULT "{fault: doubled-byte, wire: to-programmer}\n", "6:5", "either a rate"},
    {FAULT "{fault: cut, offset: 1}\n", "6:5", "for"},
    {FAULT "{fault: cut, offset: 1, for: 61 s}\n", "6:34", "at most 60 s"},
    {FAULT "{fault: echo}\n", "6:5", "either a rate"},
    {FAULT "{fault: echo, rate: 1, bytes: 00}\n", "6:35", "bytes says nothing"},
    {FAULT "{fault: wrong-mode}\n", "6:5", "bytes"},
    {FAULT "{fault: wrong-mode, bytes: 00, rate: 1}\n", "6:42", "rate says nothing"},
    {FAULT "{fault: echo, offset: -1}\n", "6:27", "-1"},
    {FAULT "{fault: echo, match: 56, offset: -65}\n", "6:38", "-65"},
    {FAULT "{fault: dead, offset: 1}\n", "6:27", "offset says nothing"},
    {FAULT "{fault: dead, nth: 2}\n", "6:24", "nth says nothing without match"},
    {FAULT "{fault: dead, match: AC, nth: 0}\n", "6:35", "0"},
    {FAULT "{fault: dead, match: \"AC 80 0 0 0\"}\n", "6:26", "5 bytes"},
    {FAULT "{fault: dead, times: 2}\n", "6:26", "times says nothing"},
    {FAULT "{fault: dead, miso: up}\n", "6:25", "high"},
    {FAULT "{fault: loose-contact}\n", "6:5", "either a rate"},
    {FAULT "{fault: loose-contact, rate: 0.1, after: 3}\n", "6:5", "either a rate"},
    {FAULT "{fault: stuck-miso}\n", "6:5", "miso"},
    {FAULT "{fault: stuck-miso, miso: low, after: 3}\n", "6:43", "after says nothing"},
    {FAULT "{fault: bad-page}\n", "6:5", "address"},
    {FAULT "{fault: bad-page, address: 0, memory: lock}\n", "6:43", "eeprom"},
    {FAULT "{fault: bad-page, address: 0, mask: 0}\n", "6:41", "0"},
    {FAULT "{fault: bad-fuse}\n", "6:5", "fuse"},
    {FAULT "{fault: bad-fuse, fuse: middle}\n", "6:29", "low"},
    {FAULT "{fault: slow-write}\n", "6:5", "factor"},
    {FAULT "{fault: slow-write, factor: 1}\n", "6:33", "above 1"},
    {FAULT "{fault: slow-clock, clock: 1 kHz}\n", "6:32", "32768 Hz"},
    {FAULT "{fault: no-crystal, clock: 1 MHz}\n", "6:32", "clock says nothing"},
    {FAULT "{fault: garbage, count: 3, bytes: \"1 2\"}\n", "6:29", "either bytes"},
    {FAULT "{fault: garbage, count: 501}\n", "6:29", "501"},
    {FAULT "{fault: banner}\n", "6:5", "text"},
    {FAULT "{fault: reset, rate: 0.5}\n", "6:26", "rate says nothing"},
    {FAULT "{fault: port-gone, after: 3}\n", "6:5", "for"},
    {FAULT "{fault: power-loss}\n", "6:5", "expected an instruction"},
    {FAULT "{fault: pulled}\n", "6:5", "expected an instruction"},
};

static void every_mistake_is_told_with_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        struct jig *jig = NULL;
        struct failure failure = {0};
        char start[40];

        snprintf(start, sizeof start, "j.yaml:%s: ", mistakes[i].place);
        if (jig_parse("j.yaml", mistakes[i].text, strlen(mistakes[i].text), &jig, &failure) == 0)
            fail_msg("taken: %s", mistakes[i].text);
        assert_null(jig);
        if (failure.code != FAILURE_JIG_INVALID ||
            strncmp(failure.detail, start, strlen(start)) != 0 ||
            strstr(failure.detail + strlen(start), mistakes[i].reason) == NULL)
            fail_msg("found '%s', expected '%s…%s', for\n%s", failure.detail, start,
                     mistakes[i].reason, mistakes[i].text);
    }
}

/* Text of a fault, and what is said about it, after its place. */
static const struct {
    const char *fault, *reason;
} part_mistakes[] = {
    {"{fault: wrong-part, part: ATmega328X}", "fault wrong-part: no part 'ATmega328X'"},
    {"{fault: bad-page, address: 0x8000}", "fault bad-page: found address 0x8000, but flash of "
                                           "ATmega328P has 32768 bytes"},
    {"{fault: bad-page, address: 1024, memory: eeprom}", "address 0x400, but eeprom"},
    {"{fault: bad-fuse, fuse: fuse}",
     "fault bad-fuse: ATmega328P has no such fuse, but low, high, extended, lock"},
};

#define ONLY_FUSE(found, fault)                                                                    \
    "jig: j\nbench: simulated\nsites:\n  - {site: 1, programmer: stk500v1, board: ATtiny12,\n"     \
    "     model: arduino-uno-isp, found: {" found ": 0x52}}\nfaults:\n"                            \
    "  - {fault: bad-fuse, fuse: " fault "}\n"

static void faults_are_held_against_the_parts(void **state)
{
    (void)state;
    struct failure failure = {0};
    struct jig *jig = parse(SIMULATED);

    assert_int_equal(jig_check_parts(jig, TEST_SOURCE_DIR "/profiles/parts", &failure), 0);
    jig_free(jig);
    for (size_t i = 0; i < sizeof part_mistakes / sizeof part_mistakes[0]; i++) {
        char text[512];

        snprintf(text, sizeof text, FAULT "{fault: no-board}\n  - %s\n", part_mistakes[i].fault);
        jig = parse(text);
        assert_int_equal(jig_check_parts(jig, TEST_SOURCE_DIR "/profiles/parts", &failure), -1);
        assert_int_equal(failure.code, FAILURE_JIG_INVALID);
        if (strncmp(failure.detail, "j.yaml:7:5: ", 12) != 0 ||
            strstr(failure.detail, part_mistakes[i].reason) == NULL)
            fail_msg("found '%s', expected '%s'", failure.detail, part_mistakes[i].reason);
        jig_free(jig);
    }
    jig = parse("jig: j\nbench: simulated\nsites:\n"
                "  - {site: 1, programmer: stk500v1, model: arduino-uno-isp, board: ATmega32A}\n"
                "faults:\n  - {fault: bad-fuse, fuse: extended}\n");
    assert_int_equal(jig_check_parts(jig, TEST_SOURCE_DIR "/profiles/parts", &failure), -1);
    assert_string_equal(failure.detail, "j.yaml:6:5: fault bad-fuse: ATmega32A has no such fuse, "
                                        "but low, high, lock");
    jig_free(jig);
    jig = parse(ONLY_FUSE("fuse", "fuse"));
    assert_int_equal(jig_check_parts(jig, TEST_SOURCE_DIR "/profiles/parts", &failure), 0);
    jig_free(jig);
    jig = parse(ONLY_FUSE("fuse", "low"));
    assert_int_equal(jig_check_parts(jig, TEST_SOURCE_DIR "/profiles/parts", &failure), -1);
    assert_string_equal(failure.detail,
                        "j.yaml:7:5: fault bad-fuse: ATtiny12 has no such fuse, but "
                        "fuse, lock");
    jig_free(jig);
    jig = parse(ONLY_FUSE("low", "fuse"));
    assert_int_equal(jig_check_parts(jig, TEST_SOURCE_DIR "/profiles/parts", &failure), -1);
    assert_string_equal(failure.detail, "j.yaml:4:5: found on site 1: ATtiny12 has no byte 'low', "
                                        "but fuse, lock");
    jig_free(jig);
    jig = parse(FOUND("{fuse: 0x12}"));
    assert_int_equal(jig_check_parts(jig, TEST_SOURCE_DIR "/profiles/parts", &failure), -1);
    assert_string_equal(failure.detail, "j.yaml:4:5: found on site 1: ATtiny85 has no byte 'fuse', "
                                        "but low, high, extended, lock");
    jig_free(jig);
    jig = parse("jig: j\nbench: simulated\nsites:\n"
                "  - {site: 1, programmer: stk500v1, model: arduino-uno-isp, board: ATmega8}\n");
    assert_int_equal(jig_check_parts(jig, TEST_SOURCE_DIR "/tests", &failure), -1);
    assert_non_null(strstr(failure.detail, "j.yaml:4:5: board of site 1: no part 'ATmega8'"));
    jig_free(jig);
}

static void boards_are_found_as_they_are(void **state)
{
    (void)state;
    static const char parts[] = TEST_SOURCE_DIR "/profiles/parts";
    static const char hex[] = TEST_SOURCE_DIR "/profiles/boards/demo/demo.hex";
    struct failure failure = {0};
    struct jig_contents contents;
    struct part *part = NULL;
    struct jig *jig = parse(FOUND("{flash: " TEST_SOURCE_DIR "/profiles/boards/demo/demo.hex,\n"
                                  "  eeprom: e.hex, low: 0x62, lock: 0xFC}"));
    const struct jig_found *found = &jig->sites[0].found;

    assert_string_equal(found->flash, hex);
    assert_string_equal(found->eeprom, "e.hex");
    assert_true(found->given[0] && !found->given[1] && !found->given[2] && found->given[3]);
    assert_int_equal(found->bytes[0], 0x62);
    assert_int_equal(found->bytes[3], 0xFC);
    assert_int_equal(jig_check_parts(jig, parts, &failure), -1);
    assert_non_null(strstr(failure.detail, "j.yaml:4:5: found on site 1: e.hex"));
    jig_free(jig);

    jig = parse(FOUND("{flash: " TEST_SOURCE_DIR "/profiles/boards/demo/demo.hex}"));
    assert_int_equal(part_load(parts, "ATtiny85", &part, &failure), 0);
    assert_int_equal(jig_check_parts(jig, parts, &failure), 0);
    assert_int_equal(jig_load_found(jig, &jig->sites[0], part, &contents, &failure), 0);
    assert_int_equal(contents.flash->size, part->flash.size);
    assert_true(contents.flash->count > 0);
    assert_null(contents.eeprom);
    jig_free_contents(&contents);
    part->bytes[1].exists = false;
    jig->sites[0].found.given[1] = true;
    assert_int_equal(jig_load_found(jig, &jig->sites[0], part, &contents, &failure), -1);
    assert_non_null(strstr(failure.detail, "ATtiny85 has no byte 'high', but low, extended, lock"));
    part_free(part);
    jig_free(jig);
}

static void two_sites_at_one_place_are_refused(void **state)
{
    (void)state;
    char directory[] = "/tmp/gangflash-jig-XXXXXX", link_path[64], path[64];
    struct jig *jig = NULL;
    struct failure failure = {0};

    assert_non_null(mkdtemp(directory));
    snprintf(link_path, sizeof link_path, "%s/by-path", directory);
    snprintf(path, sizeof path, "%s/jig.yaml", directory);
    assert_int_equal(symlink("/dev/null", link_path), 0);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
            "jig: j\nsites:\n  - {site: 1, programmer: stk500v1, at: serial:/dev/null}\n"
            "  - {site: 2, programmer: stk500v1, at: serial:/dev/zero}\n"
            "  - {site: 3, programmer: stk500v1, at: serial:%s}\n",
            link_path);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(jig_load(path, &jig, &failure), -1);
    assert_null(jig);
    assert_int_equal(failure.code, FAILURE_PLACE_TWICE);
    assert_non_null(strstr(failure.detail, "jig.yaml:5:41: site 3"));
    assert_non_null(strstr(failure.detail, "site 1 of line 3"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(unlink(link_path), 0);
    assert_int_equal(rmdir(directory), 0);
    memset(&failure, 0, sizeof failure);
    assert_int_equal(jig_load(path, &jig, &failure), -1);
    assert_int_equal(failure.code, FAILURE_JIG_INVALID);
}

static void two_sites_at_one_usb_port_are_refused(void **state)
{
    (void)state;
    static const char text[] = "jig: j\nsites:\n"
                               "  - {site: 1, programmer: usbasp, at: usb:1-1.4}\n"
                               "  - {site: 2, programmer: usbtiny, at: usb:1-1.4.1}\n"
                               "  - {site: 3, programmer: usbasp, at: \"usb:serial=0042\"}\n"
                               "  - {site: 4, programmer: usbtiny, at: usb:1-1.4}\n";
    struct jig *jig = NULL;
    struct failure failure = {0};

    assert_int_equal(jig_parse("j.yaml", text, strlen(text), &jig, &failure), -1);
    assert_int_equal(failure.code, FAILURE_PLACE_TWICE);
    assert_string_equal(failure.detail, "j.yaml:6:40: site 4 is at 'usb:1-1.4', where site 1 of "
                                        "line 3 is already");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_real_bench_is_read),
        cmocka_unit_test(a_simulated_bench_and_its_faults_are_read),
        cmocka_unit_test(every_kind_of_fault_is_read),
        cmocka_unit_test(faults_are_held_against_the_parts),
        cmocka_unit_test(the_short_form_of_a_simulated_bench),
        cmocka_unit_test(a_layout_says_where_each_site_stands),
        cmocka_unit_test(every_mistake_is_told_with_its_place),
        cmocka_unit_test(boards_are_found_as_they_are),
        cmocka_unit_test(two_sites_at_one_place_are_refused),
        cmocka_unit_test(two_sites_at_one_usb_port_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
