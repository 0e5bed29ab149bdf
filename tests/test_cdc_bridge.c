/* Serial programmers at their USB ports: what a host does with a CDC ACM device reaches the
 * programmer behind its wire, and nothing else does. */
#include "tests/bench_fixture.h"
#include "tests/usb_host.h"

#include "jigs/simbench/wire_firmware.h"

#define OUT 0x04
#define IN 0x83
#define NEWS 0x82
#define DTR 1

/* Sites of the bench. */
enum site { UNO = 1, PRO_MICRO, TEENSY };

static struct fixture fixture; /* one test at a time */
static struct usb_host host;

static void begin(void)
{
    struct failure failure = {0};
    prepare(&fixture, 3);
    strcpy(fixture.sites[0].model, "arduino-uno-isp");
    strcpy(fixture.sites[2].model, "teensy-2.0-isp");
    for (int i = 0; i < 3; i++) {
        fixture.sites[i].usb_port = true;
    }
    host.socket = -1;
    if (bench_start(&fixture.options, &fixture.bench, &failure) != 0) {
        fail_msg("%s", failure.detail);
    }
}

static int end(void **state)
{
    (void)state;
    if (host.socket >= 0) {
        usb_host_close(&host);
    }
    assert_int_equal(bench_stop(fixture.bench), 0);
    return 0;
}

static int begin_plain(void **state)
{
    (void)state;
    begin();
    return 0;
}

static int control(uint8_t type, uint8_t request, uint16_t value, uint8_t *data, uint16_t length)
{
    return usb_host_control(
        &host, &(const struct usb_host_request){type, request, value, 0, length}, data);
}

static void set_lines(uint8_t lines)
{
    assert_int_equal(control(0x21, 0x22, lines, NULL, 0), 0);
}

static void set_baud(uint32_t baud)
{
    uint8_t coding[] = {(uint8_t)baud, (uint8_t)(baud >> 8), (uint8_t)(baud >> 16), 0, 0, 0, 8};
    assert_int_equal(control(0x21, 0x20, 0, coding, sizeof coding), sizeof coding);
}

static void open_site(enum site site)
{
    usb_host_open(&host, bench_place(fixture.bench, site));
}

static void say(const uint8_t *bytes, uint32_t count)
{
    assert_int_equal(usb_host_bulk_out(&host, OUT, bytes, count), count);
}

/* So many bytes come, in as many transfers as it takes. */
static void hear(const uint8_t *expected, size_t count)
{
    uint8_t bytes[USB_HOST_DATA_MAX] = {0};
    for (size_t heard = 0; heard < count;) {
        int got = usb_host_bulk_in(&host, IN, bytes + heard, 128);
        assert_true(got >= 0);
        heard += (size_t)got;
        assert_true(heard <= count);
    }
    assert_memory_equal(bytes, expected, count);
}

static void expect_sync(void)
{
    say(BYTES('0', ' '));
    hear(BYTES(0x14, 0x10));
}

/* Its address and end are to come; the wire has read it when the one before is answered. */
static void begin_command(void)
{
    say(BYTES('0', ' ', 'U'));
    hear(BYTES(0x14, 0x10));
}

static void it_is_a_modem_with_a_line(void **state)
{
    (void)state;
    uint8_t data[255] = {0};
    open_site(TEENSY);
    assert_int_equal(control(0x80, 6, 0x0100, data, 18), 18);
    assert_memory_equal(data + 8, ((const uint8_t[]){0xC0, 0x16, 0x83, 0x04}), 4);
    assert_int_equal(data[4], 0x02);
    assert_int_equal(control(0x80, 6, 0x0303, data, 255), 12); /* the serial number: 12345 */
    assert_int_equal(control(0x80, 6, 0x0200, data, 255), 67);
    assert_int_equal(data[4], 2); /* interfaces */
    set_baud(19200);
    assert_int_equal(control(0xA1, 0x21, 0, data, 7), 7);
    assert_memory_equal(data, ((const uint8_t[]){0x00, 0x4B, 0, 0, 0, 0, 8}), 7);
    assert_int_equal(control(0x21, 0x20, 0, data, 3), -32); /* no whole coding */
}

static void it_is_silent_without_dtr(void **state)
{
    (void)state;
    for (enum site site = UNO; site <= TEENSY; site++) {
        open_site(site);
        uint32_t news = usb_host_submit_bulk(&host, NEWS, NULL, 8, 0);
        uint32_t in = usb_host_submit_bulk(&host, IN, NULL, 128, 0);
        uint32_t out = usb_host_submit_bulk(&host, OUT, (const uint8_t *)"0 ", 2, 0);
        assert_int_equal(usb_host_expect(&host, out, NULL), 2);
        usb_host_expect_silence(&host, 50);
        usb_host_give_up(&host, in);
        set_lines(DTR);
        expect_sync();
        set_lines(0);
        in = usb_host_submit_bulk(&host, IN, NULL, 128, 0);
        say(BYTES('0', ' '));
        usb_host_expect_silence(&host, 50);
        usb_host_give_up(&host, in);
        usb_host_give_up(&host, news);
        usb_host_close(&host);
    }
}

/* A command that is not whole waits on for its end, unless the board is reset. */
static void dtr_resets_boards_with_a_uart(void **state)
{
    (void)state;
    for (enum site site = UNO; site <= TEENSY; site++) {
        open_site(site);
        set_lines(DTR);
        begin_command();
        set_lines(0);
        set_lines(DTR);
        if (site != UNO) {
            say(BYTES(0, 0, ' '));
            hear(BYTES(0x14, 0x10));
        }
        expect_sync();
        /* The host goes without a word, and with it DTR. */
        begin_command();
        usb_host_close(&host);
        open_site(site);
        set_lines(DTR);
        if (site != UNO) {
            say(BYTES(0, 0, ' '));
            hear(BYTES(0x14, 0x10));
        }
        expect_sync();
        usb_host_close(&host);
    }
}

/* Several transfers wait, as cdc-acm has them; a reply of whole packets ends with an empty one. */
static void long_data_go_both_ways(void **state)
{
    (void)state;
    uint8_t expected[64] = {0x14}, many[600];
    memset(expected + 1, 0xFF, 62);
    expected[63] = 0x10;
    open_site(PRO_MICRO);
    set_lines(DTR);
    expect_sync();
    say(BYTES('P', ' '));
    hear(BYTES(0x14, 0x10));
    say(BYTES('U', 0, 0, ' '));
    hear(BYTES(0x14, 0x10));
    for (int i = 0; i < 20; i++) {
        say(BYTES('t', 0, 62, 'F', ' '));
        hear(expected, sizeof expected);
    }
    for (size_t i = 0; i < sizeof many; i += 2) {
        many[i] = '0';
        many[i + 1] = ' ';
    }
    say(many, sizeof many); /* each is answered */
    for (size_t i = 0; i < sizeof many; i += 2) {
        many[i] = 0x14;
        many[i + 1] = 0x10;
    }
    hear(many, sizeof many);
}

static uint16_t tcp_port(void)
{
    unsigned port = 0;
    assert_int_equal(sscanf(bench_place(fixture.bench, 1), "usbip:127.0.0.1:%5u", &port), 1);
    return (uint16_t)port;
}

#define NOT_THERE 4 /* usbip_protocol.rst */

static void expect_gone(const char *busid)
{
    struct usb_host other;
    usb_host_expect_end(host.socket);
    usb_host_close(&host);
    assert_int_equal(usb_host_import(&other, tcp_port(), busid), NOT_THERE);
}

static void a_pulled_plug_takes_the_device_away(void **state)
{
    (void)state;
    prepare(&fixture, 1);
    fixture.sites[0].usb_port = true;
    struct jig_fault *fault = add_fault(&fixture, 0, JIG_FAULT_PORT_GONE);
    fault->duration_us = 200000;
    fault->times = 1;
    fault->nth = 1;
    struct failure failure = {0};
    assert_int_equal(bench_start(&fixture.options, &fixture.bench, &failure), 0);
    open_site(1);
    set_lines(DTR);
    expect_sync();
    int64_t start_ms = host_now_ms();
    say(BYTES('P', ' ')); /* shifts frames */
    usb_host_expect_end(host.socket);
    usb_host_close(&host);
    uint32_t status;
    while ((status = usb_host_import(&host, tcp_port(), "1-1")) != 0) {
        assert_int_equal(status, NOT_THERE);
        assert_true(host_now_ms() - start_ms < HOST_PATIENCE_MS);
        poll(NULL, 0, 5);
    }
    assert_true(host_now_ms() - start_ms >= 199);
    set_lines(DTR);
    expect_sync();
}

static void the_atmega32u4_leaves_at_1200_baud(void **state)
{
    (void)state;
    for (enum site site = TEENSY; site >= UNO; site--) {
        if (site != PRO_MICRO) {
            open_site(site);
            set_lines(DTR);
            set_baud(1200);
            set_lines(0);
            set_lines(DTR);
            expect_sync();
            usb_host_close(&host);
        }
    }
    open_site(PRO_MICRO);
    set_lines(DTR);
    set_baud(1200);
    expect_sync(); /* as long as it is open */
    set_baud(19200);
    set_lines(0);
    set_lines(DTR);
    expect_sync();
    set_baud(1200);
    set_lines(0);
    expect_gone("1-2");
}

static void models_without_a_usb_port_are_refused(void **state)
{
    (void)state;
    const struct wire_firmware *model;
    for (size_t i = 0; (model = wire_firmware_item(i)) != NULL; i++) {
        struct failure failure = {0};
        prepare(&fixture, 1);
        snprintf(fixture.sites[0].model, sizeof fixture.sites[0].model, "%s", model->name);
        fixture.sites[0].usb_port = true;
        int result = bench_start(&fixture.options, &fixture.bench, &failure);
        assert_int_equal(result, model->usb != NULL ? 0 : -1);
        if (result == 0) {
            assert_int_equal(bench_stop(fixture.bench), 0);
        } else {
            assert_int_equal(failure.code, FAILURE_JIG_INVALID);
            assert_non_null(strstr(failure.detail, "expected port: pty"));
        }
    }
}

int main(void)
{
#define PLAIN(test) cmocka_unit_test_setup_teardown(test, begin_plain, end)
    const struct CMUnitTest tests[] = {
        PLAIN(it_is_a_modem_with_a_line),
        PLAIN(it_is_silent_without_dtr),
        PLAIN(dtr_resets_boards_with_a_uart),
        PLAIN(long_data_go_both_ways),
        cmocka_unit_test_teardown(a_pulled_plug_takes_the_device_away, end),
        PLAIN(the_atmega32u4_leaves_at_1200_baud),
        cmocka_unit_test(models_without_a_usb_port_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
