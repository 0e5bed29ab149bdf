/* USB programmers on the simulated bench: where they are, that boards come and go on them, and what
 * its faults do to them, as the host sees it and as the record tells it. */
#include "tests/bench_fixture.h"
#include "tests/usb_host.h"

#include "jigs/operation.h"
#include "jigs/simbench/bench_site.h"

#define EPIPE_STATUS (-32)
#define EPROTO_STATUS (-71)

/* Requests of a USBtinyISP. */
enum request { ECHO = 0, POWER_UP = 5, POWER_DOWN = 6, SPI = 7, FLASH_READ = 9, FLASH_WRITE = 10 };

static struct usb_host host;

/* Two sites with a USBtinyISP and one with a serial programmer; the caller adds faults. */
static void prepare_usb(struct fixture *fixture)
{
    prepare(fixture, 3);
    strcpy(fixture->sites[0].model, "usbtinyisp");
    strcpy(fixture->sites[1].model, "usbtinyisp");
}

static void start_usb(struct fixture *fixture)
{
    struct failure failure = {0};
    fixture->options.record = open_memstream(&fixture->record, &fixture->record_bytes);
    assert_non_null(fixture->options.record);
    if (bench_start(&fixture->options, &fixture->bench, &failure) != 0) {
        fail_msg("%s", failure.detail);
    }
    usb_host_open(&host, bench_place(fixture->bench, 1));
}

static void stop_usb(struct fixture *fixture)
{
    assert_int_equal(bench_stop(fixture->bench), 0);
    usb_host_close(&host);
    assert_int_equal(fclose(fixture->options.record), 0);
}

static struct jig_fault *add_at_instruction(struct fixture *fixture, enum jig_fault_kind kind,
                                            const uint8_t *bytes, size_t count)
{
    struct jig_fault *fault = add_fault(fixture, 0, kind);
    memcpy(fault->pattern, bytes, count);
    fault->pattern_count = count;
    fault->nth = fault->times = 1;
    return fault;
}

static struct jig_fault *add_at_offset(struct fixture *fixture, enum jig_fault_kind kind,
                                       enum jig_fault_wire wire, int64_t offset)
{
    struct jig_fault *fault = add_fault(fixture, 0, kind);
    fault->wire = wire;
    fault->offset = offset;
    fault->times = 1;
    return fault;
}

static int to_host(uint8_t request, uint16_t value, uint16_t index, uint8_t *data, uint16_t length)
{
    return usb_host_control(
        &host, &(const struct usb_host_request){0xC0, request, value, index, length}, data);
}

static int spi(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint8_t reply[4])
{
    return to_host(SPI, (uint16_t)(a | b << 8), (uint16_t)(c | d << 8), reply, 4);
}

/* What the board answers; the transfer must be whole. */
static uint8_t ask(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    uint8_t reply[4] = {0};
    assert_int_equal(spi(a, b, c, d, reply), 4);
    return reply[3];
}

/* SCK as slow as a board on its factory clock needs it; the middle byte of the signature. */
static uint8_t enter_usb(void)
{
    uint8_t nothing[1];
    assert_int_equal(to_host(POWER_DOWN, 0, 0, nothing, 0), 0);
    assert_int_equal(to_host(POWER_UP, 10, 0, nothing, 0), 0);
    ask(0xAC, 0x53, 0, 0);
    return ask(0x30, 0, 1, 0);
}

static int write_block(uint16_t address, uint8_t *data, uint16_t length)
{
    return usb_host_control(
        &host, &(const struct usb_host_request){0x40, FLASH_WRITE, 0, address, length}, data);
}

static void places_name_the_site(void **state)
{
    (void)state;
    struct fixture fixture;
    prepare_usb(&fixture);
    start_usb(&fixture);
    unsigned port = 0;
    int site = 0, end = 0;
    assert_int_equal(
        sscanf(bench_place(fixture.bench, 2), "usbip:127.0.0.1:%5u/1-%d%n", &port, &site, &end), 2);
    assert_int_equal(site, 2);
    assert_int_equal(bench_place(fixture.bench, 2)[end], '\0');
    assert_memory_equal(bench_place(fixture.bench, 3), "pty:/", 5);
    usb_host_close(&host);
    stop_usb(&fixture);
    clean_up(&fixture);
    /* The same TCP port again, asked for. */
    prepare_usb(&fixture);
    fixture.options.usbip_port = (uint16_t)port;
    start_usb(&fixture);
    struct failure failure = {0};
    struct bench *other;
    assert_int_equal(bench_start(&fixture.options, &other, &failure), -1); /* which is taken */
    assert_int_equal(failure.code, FAILURE_BENCH);
    stop_usb(&fixture);
    clean_up(&fixture);
}

static void boards_come_and_go(void **state)
{
    (void)state;
    struct fixture fixture;
    uint8_t page[128];
    memset(page, 0xA5, sizeof page);
    prepare_usb(&fixture);
    start_usb(&fixture);
    assert_int_equal(enter_usb(), 0x95);
    assert_int_equal(write_block(0, page, sizeof page), sizeof page);
    ask(0x4C, 0, 0, 0);
    memset(page, 0, sizeof page);
    assert_int_equal(to_host(FLASH_READ, 0, 0, page, sizeof page), sizeof page);
    for (size_t i = 0; i < sizeof page; i++) {
        assert_int_equal(page[i], 0xA5);
    }
    bench_lamp(fixture.bench, 1, "pass", 0);
    assert_int_equal(enter_usb(), 0xFF);
    assert_int_equal(enter_usb(), 0x95);
    assert_int_equal(to_host(FLASH_READ, 0, 0, page, 1), 1);
    assert_int_equal(page[0], 0xFF);
    stop_usb(&fixture);
    EXPECT_LINE(&fixture, 1, "\"site\":1,\"board\":1,\"lamp\":\"pass\",\"part\":\"ATmega328P\"");
    EXPECT_LINE(&fixture, 1, "\"flash_pages\":1");
    clean_up(&fixture);
}

/* Requests of a USBasp. */
enum usbasp_request {
    USBASP_CONNECT = 1,
    USBASP_DISCONNECT,
    USBASP_ENABLE = 5,
    USBASP_SET_SCK = 10
};

/* 0: somebody answered. */
static int connect_usbasp(uint16_t sck_option)
{
    uint8_t reply[4] = {0xEE};
    assert_int_equal(to_host(USBASP_SET_SCK, sck_option, 0, reply, 4), 1);
    assert_int_equal(to_host(USBASP_CONNECT, 0, 0, reply, 4), 0);
    assert_int_equal(to_host(USBASP_ENABLE, 0, 0, reply, 4), 1);
    return reply[0];
}

static int enable_usbasp(uint16_t sck_option)
{
    uint8_t reply[4];
    int result = connect_usbasp(sck_option);
    assert_int_equal(to_host(USBASP_DISCONNECT, 0, 0, reply, 4), 0);
    return result;
}

/* A USBasp asks 32 times, with pulses of RESET, before it says that nobody answers. 375 kHz are too
 * fast for a new board: it must still be there when it is asked at 93.75 kHz, however often a host
 * tried before it let go, and in how many visits short of those that make a board a dead one. */
static void a_visit_is_one_look(void **state)
{
    (void)state;
    struct fixture fixture;
    prepare_usb(&fixture);
    strcpy(fixture.sites[0].model, "usbasp-2011");
    start_usb(&fixture);
    for (int i = 0; i < 2 * BENCH_SITE_EMPTY_LOOKS; i++) {
        assert_int_equal(connect_usbasp(0), 1);
    }
    assert_int_equal(enable_usbasp(8), 0);
    for (int i = 0; i < BENCH_SITE_EMPTY_LOOKS - 1; i++) {
        assert_int_equal(enable_usbasp(0), 1);
    }
    assert_int_equal(enable_usbasp(8), 0);
    bench_lamp(fixture.bench, 1, "pass", 0);
    for (int i = 0; i < BENCH_SITE_SCK_LOOKS; i++) {
        assert_int_equal(enable_usbasp(8), 1); /* the place is empty */
    }
    assert_int_equal(enable_usbasp(8), 0);
    for (int i = 0; i < BENCH_SITE_EMPTY_LOOKS; i++) {
        assert_int_equal(enable_usbasp(0), 1);
    }
    for (int i = 0; i < BENCH_SITE_SCK_LOOKS; i++) {
        assert_int_equal(enable_usbasp(8), 1); /* it was taken out in the end */
    }
    assert_int_equal(enable_usbasp(8), 0);
    stop_usb(&fixture);
    EXPECT_LINE(&fixture, 1, "\"site\":1,\"board\":1,\"lamp\":\"pass\"");
    EXPECT_LINE(&fixture, 2, "\"site\":1,\"board\":2,");
    EXPECT_LINE(&fixture, 3, "\"site\":1,\"board\":3,");
    clean_up(&fixture);
}

/* A lamp that comes late finds the next attempt at work, which has the board taken from under it:
 * what it looks for in vain counts for little, since it is not yet asked whether the place is
 * empty. */
static void a_board_taken_out_of_an_attempt_is_missed_longer(void **state)
{
    (void)state;
    struct fixture fixture;
    prepare_usb(&fixture);
    strcpy(fixture.sites[0].model, "usbasp-2011");
    start_usb(&fixture);
    uint8_t reply[4];
    assert_int_equal(enable_usbasp(8), 0);
    int64_t shown_us = operation_wall_us();
    assert_int_equal(connect_usbasp(8), 0); /* the next attempt */
    bench_lamp(fixture.bench, 1, "fail", shown_us);
    assert_int_equal(to_host(USBASP_DISCONNECT, 0, 0, reply, 4), 0);
    for (int i = 0; i < BENCH_SITE_ATTEMPT_LOOKS * BENCH_SITE_SCK_LOOKS; i++) {
        assert_int_equal(enable_usbasp(8), 1);
    }
    assert_int_equal(enable_usbasp(8), 0);
    stop_usb(&fixture);
    EXPECT_LINE(&fixture, 1, "\"site\":1,\"board\":1,\"lamp\":\"fail\"");
    clean_up(&fixture);
}

/* However often the programmer let go of the board and entered again since. */
static void a_late_lamp_finds_reset_as_it_was(void **state)
{
    (void)state;
    for (int held = 0; held <= 1; held++) {
        for (int later = 1; later <= 3; later++) {
            struct fixture fixture;
            prepare_usb(&fixture);
            strcpy(fixture.sites[0].model, "usbasp-2011");
            start_usb(&fixture);
            uint8_t reply[4];
            assert_int_equal(enable_usbasp(8), 0);
            bool is_held = held == 1;
            if (is_held) {
                assert_int_equal(connect_usbasp(8), 0);
            }
            int64_t shown_us = operation_wall_us();
            for (int i = 0; i < later; i++, is_held = !is_held) {
                uint8_t request = is_held ? USBASP_DISCONNECT : USBASP_CONNECT;
                assert_int_equal(to_host(request, 0, 0, reply, 4), 0);
            }
            bench_lamp(fixture.bench, 1, "fail", shown_us);
            stop_usb(&fixture);
            EXPECT_LINE(&fixture, 1, held == 1 ? "\"in_reset\":true" : "\"in_reset\":false");
            clean_up(&fixture);
        }
    }
}

static void transfers_end_badly(void **state)
{
    (void)state;
    static const struct {
        enum jig_fault_kind kind;
        int status;
        const char *record;
    } rows[] = {
        {JIG_FAULT_STALL, EPIPE_STATUS, "{\"fault\":\"stall\",\"applied\":1}"},
        {JIG_FAULT_SHORT_REPLY, 0, "{\"fault\":\"short-reply\",\"applied\":1}"},
        {JIG_FAULT_RESET, EPROTO_STATUS, "{\"fault\":\"reset\",\"applied\":1}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture fixture;
        uint8_t reply[4];
        prepare_usb(&fixture);
        add_at_instruction(&fixture, rows[i].kind, BYTES(0xAC, 0xA0));
        start_usb(&fixture);
        assert_int_equal(enter_usb(), 0x95);
        assert_int_equal(spi(0xAC, 0xA0, 0, 0xF7, reply), rows[i].status);
        assert_int_equal(enter_usb(), 0x95);
        assert_int_equal(ask(0x50, 0, 0, 0), 0x62); /* it was not received */
        assert_int_equal(spi(0xAC, 0xA0, 0, 0xF7, reply), 4);
        stop_usb(&fixture);
        EXPECT_LINE(&fixture, 1, rows[i].record);
        EXPECT_LINE(&fixture, 1, "\"low\":247,");
        clean_up(&fixture);
    }
}

/* In the middle of a block, too. */
static void reads_and_writes_end_early(void **state)
{
    (void)state;
    struct fixture fixture;
    uint8_t data[128] = {0};
    prepare_usb(&fixture);
    struct jig_fault *fault =
        add_at_instruction(&fixture, JIG_FAULT_SHORT_REPLY, BYTES(0x20, 0x00, 0x0A));
    fault->times = 2;
    add_at_instruction(&fixture, JIG_FAULT_STALL, BYTES(0x48, 0x00, 0x0A));
    start_usb(&fixture);
    enter_usb();
    assert_int_equal(to_host(FLASH_READ, 0, 0, data, 128), 16); /* the byte 20 is in the third */
    assert_int_equal(to_host(FLASH_READ, 0, 0, data, 128), 16);
    assert_int_equal(to_host(FLASH_READ, 0, 0, data, 128), 128);
    assert_int_equal(write_block(0, data, 128), EPIPE_STATUS);
    assert_int_equal(write_block(0, data, 128), 128);
    stop_usb(&fixture);
    EXPECT_LINE(&fixture, 1, "{\"fault\":\"short-reply\",\"applied\":2}");
    clean_up(&fixture);
}

static void silence_until_given_up_and_until_the_bus_is_reset(void **state)
{
    (void)state;
    struct fixture fixture;
    prepare_usb(&fixture);
    add_at_instruction(&fixture, JIG_FAULT_NAK, BYTES(0x50, 0x00));
    add_at_instruction(&fixture, JIG_FAULT_HANG, BYTES(0x50, 0x08));
    start_usb(&fixture);
    enter_usb();
    const struct usb_host_request low = {0xC0, SPI, 0x0050, 0, 4};
    const struct usb_host_request extended = {0xC0, SPI, 0x0850, 0, 4};
    const struct usb_host_request echo = {0xC0, ECHO, 0, 0, 8};
    uint32_t seqnum = usb_host_submit(&host, &low, NULL);
    usb_host_expect_silence(&host, 50);
    usb_host_give_up(&host, seqnum);
    assert_int_equal(ask(0x50, 0, 0, 0), 0x62);
    seqnum = usb_host_submit(&host, &extended, NULL);
    usb_host_expect_silence(&host, 50);
    usb_host_give_up(&host, seqnum);
    usb_host_close(&host);
    usb_host_open(&host, bench_place(fixture.bench, 1));
    seqnum = usb_host_submit(&host, &echo, NULL);
    usb_host_expect_silence(&host, 50);
    usb_host_give_up(&host, seqnum);
    usb_host_reset_bus(&host);
    assert_int_equal(enter_usb(), 0x95);
    stop_usb(&fixture);
    clean_up(&fixture);
}

static void data_bytes_are_spoilt(void **state)
{
    (void)state;
    struct fixture fixture;
    uint8_t data[40], wanted[40];
    prepare_usb(&fixture);
    add_at_offset(&fixture, JIG_FAULT_FLIP, JIG_WIRE_TO_PROGRAMMER, 9)->mask = 0x40;
    add_at_offset(&fixture, JIG_FAULT_DUPLICATE_PACKET, JIG_WIRE_TO_PROGRAMMER, 20);
    /* Three answers of four bytes come before the block that is read. */
    add_at_offset(&fixture, JIG_FAULT_LOST_BYTE, JIG_WIRE_FROM_PROGRAMMER, 3 * 4 + 12);
    for (uint8_t i = 0; i < 40; i++) {
        data[i] = i;
        /* The packet of 16 to 23 comes twice, and all that follows 8 bytes too late. */
        wanted[i] = i < 24 ? i : (uint8_t)(i - 8);
    }
    wanted[9] ^= 0x40;
    start_usb(&fixture);
    enter_usb();
    assert_int_equal(write_block(0, data, 40), 40);
    ask(0x4C, 0, 0, 0);
    assert_int_equal(to_host(FLASH_READ, 0, 0, data, 40), 15);
    assert_int_equal(to_host(FLASH_READ, 0, 0, data, 40), 40);
    assert_memory_equal(data, wanted, 40);
    stop_usb(&fixture);
    EXPECT_LINE(&fixture, 1, "{\"fault\":\"flip\",\"wire\":\"to-programmer\",\"applied\":1}");
    EXPECT_LINE(&fixture, 1,
                "{\"fault\":\"duplicate-packet\",\"wire\":\"to-programmer\",\"applied\":1}");
    EXPECT_LINE(&fixture, 1,
                "{\"fault\":\"lost-byte\",\"wire\":\"from-programmer\",\"applied\":1}");
    clean_up(&fixture);
}

static void unplugged_for_a_while(void **state)
{
    (void)state;
    struct fixture fixture;
    char place[128];
    struct usb_host again;
    prepare_usb(&fixture);
    add_at_instruction(&fixture, JIG_FAULT_PORT_GONE, BYTES(0x50))->duration_us = 150000;
    start_usb(&fixture);
    enter_usb();
    snprintf(place, sizeof place, "%s", bench_place(fixture.bench, 1));
    int64_t start_ms = host_now_ms();
    usb_host_submit(&host, &(const struct usb_host_request){0xC0, SPI, 0x0050, 0, 4}, NULL);
    usb_host_expect_end(host.socket);
    usb_host_close(&host);
    unsigned port = 0;
    assert_int_equal(sscanf(place, "usbip:127.0.0.1:%5u", &port), 1);
    while (usb_host_import(&again, (uint16_t)port, "1-1") != 0) {
        assert_true(host_now_ms() - start_ms < HOST_PATIENCE_MS);
        poll(NULL, 0, 5);
    }
    assert_true(host_now_ms() - start_ms >= 149);
    host = again;
    assert_int_equal(enter_usb(), 0x95); /* the board has stayed */
    stop_usb(&fixture);
    EXPECT_LINE(&fixture, 1, "{\"fault\":\"port-gone\",\"applied\":1}");
    EXPECT_LINE(&fixture, 1, "\"board\":1,");
    clean_up(&fixture);
}

static void faults_that_can_happen_to_none_are_refused(void **state)
{
    (void)state;
    static const struct {
        enum jig_fault_kind kind;
        int site, result;
    } rows[] = {
        {JIG_FAULT_STALL, 0, 0},   {JIG_FAULT_STALL, 1, 0},    {JIG_FAULT_STALL, 3, -1},
        {JIG_FAULT_GARBAGE, 0, 0}, {JIG_FAULT_GARBAGE, 1, -1}, {JIG_FAULT_GARBAGE, 3, 0},
        {JIG_FAULT_HANG, 1, 0},    {JIG_FAULT_HANG, 3, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture fixture;
        struct failure failure = {0};
        prepare_usb(&fixture);
        struct jig_fault *fault = add_fault(&fixture, 0, rows[i].kind);
        fault->site = rows[i].site;
        fault->count = 1;
        assert_int_equal(bench_start(&fixture.options, &fixture.bench, &failure), rows[i].result);
        if (rows[i].result == 0) {
            assert_int_equal(bench_stop(fixture.bench), 0);
        } else {
            assert_int_equal(failure.code, FAILURE_JIG_INVALID);
            assert_non_null(strstr(failure.detail, "programmers only"));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_name_the_site),
        cmocka_unit_test(boards_come_and_go),
        cmocka_unit_test(a_visit_is_one_look),
        cmocka_unit_test(a_board_taken_out_of_an_attempt_is_missed_longer),
        cmocka_unit_test(a_late_lamp_finds_reset_as_it_was),
        cmocka_unit_test(transfers_end_badly),
        cmocka_unit_test(reads_and_writes_end_early),
        cmocka_unit_test(silence_until_given_up_and_until_the_bus_is_reset),
        cmocka_unit_test(data_bytes_are_spoilt),
        cmocka_unit_test(unplugged_for_a_while),
        cmocka_unit_test(faults_that_can_happen_to_none_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
