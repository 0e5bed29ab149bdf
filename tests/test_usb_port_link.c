/* The station's own USB link and the bench's USB ports understand each other: what happens to a
 * device is what the link says of it. */
#include "tests/usb_fixture.h"

#include "jigs/link_usb.h"

static struct usb_bench bench; /* one test at a time */
static struct link_usb *usb;

static const struct operation patient = {.deadline_us = INT64_MAX};

/* FAILURE_NONE when it is open. */
static enum failure_code try_to_open(int port, struct link_usb **opened)
{
    char text[64];
    struct place place;
    struct failure failure = {0};
    snprintf(text, sizeof text, "usbip:127.0.0.1:%u/1-%d", (unsigned)bench.tcp_port, port);
    assert_int_equal(place_parse(text, &place, &failure), 0);
    *opened = NULL;
    return link_usb_open(&place, &patient, opened, &failure) == 0 ? FAILURE_NONE : failure.code;
}

static int begin(void **state)
{
    (void)state;
    usb_bench_start(&bench, 1, false);
    assert_int_equal(try_to_open(1, &usb), FAILURE_NONE);
    return 0;
}

static int end(void **state)
{
    (void)state;
    link_usb_close(usb);
    usb_bench_stop(&bench);
    return 0;
}

/* Of a device that says nothing. */
#define BRIEFLY_US 300000
#define PATIENTLY_US (HOST_PATIENCE_MS * 1000)

/* The code of the failure; `received` of the transfer. */
static enum failure_code control(int64_t silence_us, uint8_t type, uint8_t request, uint16_t value,
                                 void *data, uint16_t length, uint16_t *received)
{
    struct failure failure = {0};
    struct link_usb_transfer transfer = {.request_type = type,
                                         .request = request,
                                         .value = value,
                                         .length = length,
                                         .data = data,
                                         .silence_us = silence_us};
    int result = link_usb_control(usb, &transfer, 1, &patient, NULL, &failure);
    *received = transfer.received;
    return result == 0 ? FAILURE_NONE : failure.code;
}

static void expect_state(uint8_t wanted)
{
    uint8_t found = 0xEE;
    uint16_t received;
    assert_int_equal(control(PATIENTLY_US, 0xC0, TOY_STATE, 0, &found, 1, &received), FAILURE_NONE);
    assert_int_equal(found, wanted);
}

static void identity_and_data_arrive(void **state)
{
    (void)state;
    uint8_t data[256];
    uint16_t received;
    const struct link_usb_identity *identity = link_usb_identity(usb);
    assert_int_equal(identity->vendor, 0x16C0);
    assert_int_equal(identity->product, 0x05DC);
    assert_int_equal(identity->release, 0x0104);
    assert_string_equal(identity->manufacturer, "www.fischl.de");
    assert_string_equal(identity->product_name, "USBasp");
    assert_string_equal(identity->serial, "");
    assert_int_equal(control(PATIENTLY_US, 0xC0, TOY_COUNT, 0, data, 256, &received), FAILURE_NONE);
    assert_int_equal(received, 256);
    assert_int_equal(data[255], 255);
    assert_int_equal(control(PATIENTLY_US, 0x40, TOY_STORE, 0, data, 200, &received), FAILURE_NONE);
    assert_int_equal(received, 200);
    assert_int_equal(control(PATIENTLY_US, 0xC0, TOY_STORED, 0, data, 256, &received),
                     FAILURE_NONE);
    assert_int_equal(received, 200 + 25);
    assert_int_equal(data[25 + 199], 199);
}

static void trouble_is_told_apart(void **state)
{
    (void)state;
    static const struct {
        enum isp_mishap mishap;
        enum failure_code code;
        uint8_t state_after;
    } rows[] = {
        {ISP_MISHAP_STALL, FAILURE_PROGRAMMER_STALLED, 5},
        {ISP_MISHAP_SHORT, FAILURE_NONE, 5},
        {ISP_MISHAP_NAK, FAILURE_PROGRAMMER_SILENT, 5},
        {ISP_MISHAP_RESET, FAILURE_PROGRAMMER_OUT_OF_STEP, 0},
    };
    uint8_t data[4];
    uint16_t received;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(control(PATIENTLY_US, 0x40, TOY_KEEP, 5, NULL, 0, &received),
                         FAILURE_NONE);
        bench.places[0].mishap = rows[i].mishap;
        int64_t silence_us = rows[i].code == FAILURE_PROGRAMMER_SILENT ? BRIEFLY_US : PATIENTLY_US;
        assert_int_equal(control(silence_us, 0xC0, TOY_FRAME, 0, data, 4, &received), rows[i].code);
        assert_int_equal(received, 0);
        expect_state(rows[i].state_after);
    }
}

static void hung_device_stays_so_when_it_is_opened_again(void **state)
{
    (void)state;
    uint8_t data[4];
    uint16_t received;
    bench.places[0].mishap = ISP_MISHAP_HANG;
    assert_int_equal(control(BRIEFLY_US, 0xC0, TOY_FRAME, 0, data, 4, &received),
                     FAILURE_PROGRAMMER_SILENT);
    link_usb_close(usb);
    usb = NULL;
    assert_int_equal(try_to_open(1, &usb), FAILURE_PROGRAMMER_SILENT);
    usb = NULL;
}

static void unplugged_device_is_gone_and_comes_back(void **state)
{
    (void)state;
    uint8_t data[4];
    uint16_t received;
    bench.places[0].away_us = 100000;
    bench.places[0].mishap = ISP_MISHAP_UNPLUG;
    assert_int_equal(control(PATIENTLY_US, 0xC0, TOY_FRAME, 0, data, 4, &received),
                     FAILURE_PROGRAMMER_GONE);
    link_usb_close(usb);
    usb = NULL;
    int64_t start_ms = host_now_ms();
    while (try_to_open(1, &usb) != FAILURE_NONE) {
        assert_true(host_now_ms() - start_ms < HOST_PATIENCE_MS);
        poll(NULL, 0, 5);
    }
    expect_state(0);
}

static void device_in_use_is_busy(void **state)
{
    (void)state;
    struct link_usb *other;
    assert_int_equal(try_to_open(1, &other), FAILURE_PLACE_BUSY);
    assert_int_equal(try_to_open(2, &other), FAILURE_PLACE_MISSING);
    expect_state(0);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(identity_and_data_arrive),
        TEST(trouble_is_told_apart),
        TEST(hung_device_stays_so_when_it_is_opened_again),
        TEST(unplugged_device_is_gone_and_comes_back),
        TEST(device_in_use_is_busy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
