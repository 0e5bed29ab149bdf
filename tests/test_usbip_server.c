/* The USB/IP server: who is there, who may have it, and guests that do not keep to the protocol. */
#include "tests/usb_fixture.h"

static struct usb_bench bench; /* one test at a time */

static int begin_three(void **state)
{
    (void)state;
    usb_bench_start(&bench, 3, false);
    return 0;
}

static int begin_sixty(void **state)
{
    (void)state;
    usb_bench_start(&bench, 60, false);
    return 0;
}

static int end(void **state)
{
    (void)state;
    usb_bench_stop(&bench);
    return 0;
}

/* How many devices are listed; the last one's description stays in `device`. */
static uint32_t list(uint8_t device[316])
{
    int guest = usb_host_connect(bench.tcp_port);
    uint8_t head[12];
    host_send(guest, BYTES(0x01, 0x11, 0x80, 0x05, 0, 0, 0, 0));
    assert_true(usb_host_receive(guest, head, sizeof head));
    assert_memory_equal(head, ((const uint8_t[]){0x01, 0x11, 0x00, 0x05, 0, 0, 0, 0}), 8);
    uint32_t count = usb_host_get(head + 8);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(usb_host_receive(guest, device, 316));
    }
    usb_host_expect_end(guest);
    close(guest);
    return count;
}

static void list_names_what_is_plugged_in(void **state)
{
    (void)state;
    uint8_t device[316];
    struct usb_host host;
    assert_int_equal(list(device), 3);
    assert_string_equal((const char *)device, "/sys/devices/simbench/usb1/1-3");
    assert_string_equal((const char *)device + 256, "1-3");
    assert_memory_equal(device + 288,
                        ((const uint8_t[]){0,    0,    0,    1,    /* bus */
                                           0,    0,    0,    3,    /* device */
                                           0,    0,    0,    1,    /* low speed */
                                           0x16, 0xC0, 0x05, 0xDC, /* vendor, product */
                                           0x01, 0x04,             /* release */
                                           0xFF, 0,    0,          /* class */
                                           0,    1,    1,          /* configurations, interfaces */
                                           0,    0,    0,    0}),  /* interface class */
                        28);
    usb_bench_attach(&bench, 2, &host); /* which leaves it in the list */
    bench.places[1].away_us = 60000000;
    bench.places[1].mishap = ISP_MISHAP_UNPLUG;
    assert_int_equal(list(device), 3);
    usb_host_submit(&host, &(const struct usb_host_request){0xC0, TOY_FRAME, 0, 0, 4}, NULL);
    usb_host_expect_end(host.socket);
    assert_int_equal(list(device), 2);
    usb_host_close(&host);
    assert_int_equal(usb_host_import(&host, bench.tcp_port, "1-2"), 4);
}

static void only_what_is_there_and_free_is_given(void **state)
{
    (void)state;
    struct usb_host first, second;
    assert_int_equal(usb_host_import(&first, bench.tcp_port, "1-4"), 4);
    assert_int_equal(usb_host_import(&first, bench.tcp_port, ""), 4);
    assert_int_equal(usb_host_import(&first, bench.tcp_port, "1-33333333333333333333333333333"), 4);
    usb_bench_attach(&bench, 1, &first);
    assert_int_equal(usb_host_import(&second, bench.tcp_port, "1-1"), 2);
    usb_bench_attach(&bench, 2, &second);
    assert_int_equal(first.devid, 0x10001);
    assert_int_equal(second.devid, 0x10002);
    assert_int_equal(toy_out(&first, TOY_KEEP, 1, NULL, 0), 0);
    assert_int_equal(toy_out(&second, TOY_KEEP, 2, NULL, 0), 0);
    assert_int_equal(toy_state(&first), 1);
    assert_int_equal(toy_state(&second), 2);
    usb_host_close(&first);
    usb_host_close(&second);
}

/* --- guests who do not keep to the protocol --- */

static void requests_that_are_none_are_sent_away(void **state)
{
    (void)state;
    static const uint8_t requests[][8] = {
        {0x01, 0x06, 0x80, 0x05}, /* another version */
        {0x01, 0x11, 0x80, 0x06}, /* no such request */
        {0x01, 0x11, 0x00, 0x03}, /* a reply */
        {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF},
    };
    uint8_t device[316];
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        int guest = usb_host_connect(bench.tcp_port);
        host_send(guest, requests[i], 8);
        usb_host_expect_end(guest);
        close(guest);
    }
    int silent[140]; /* more than may wait for their turn */
    for (size_t i = 0; i < 140; i++) {
        silent[i] = usb_host_connect(bench.tcp_port);
        host_send(silent[i], BYTES(0x01, 0x11, 0x80));
    }
    for (size_t i = 0; i < 140; i++) {
        close(silent[i]); /* in the middle of a word */
    }
    assert_int_equal(list(device), 3);
}

static void slow_guests_are_waited_for(void **state)
{
    (void)state;
    static const uint8_t request[40] = {0x01, 0x11, 0x80, 0x03, 0, 0, 0, 0, '1', '-', '1'};
    uint8_t reply[320];
    int guest = usb_host_connect(bench.tcp_port);
    for (size_t i = 0; i < sizeof request; i++) {
        poll(NULL, 0, 1);
        host_send(guest, request + i, 1);
    }
    assert_true(usb_host_receive(guest, reply, sizeof reply));
    assert_memory_equal(reply, ((const uint8_t[]){0x01, 0x11, 0x00, 0x03, 0, 0, 0, 0}), 8);
    close(guest);
}

/* What is said once a device is attached: where in a submission, and what. */
struct lie {
    size_t at;
    uint32_t word;
};

static void spoilt_commands_close_the_connection(void **state)
{
    (void)state;
    static const struct lie lies[] = {
        {0, 5},                    /* no such command */
        {0, 0x01000000},           /* the wrong byte first */
        {8, 0x10002},              /* another device's */
        {8, 0},                    /* nobody's */
        {24, 0x10000},             /* more than a control transfer may have */
        {24, 0xFFFFFFFF},          /* …and more than there is memory */
        {24, 0x80000000}, {32, 1}, /* isochronous */
        {32, 0x7FFFFFFF},
    };
    struct usb_host host;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        uint8_t head[48];
        usb_bench_attach(&bench, 1, &host);
        usb_host_head(&host, &(const struct usb_host_request){0xC0, TOY_ECHO, 0, 0, 8}, head);
        usb_host_put(head + lies[i].at, lies[i].word);
        host_send(host.socket, head, sizeof head);
        usb_host_expect_end(host.socket);
        usb_host_close(&host);
    }
    usb_bench_attach(&bench, 1, &host);
    assert_int_equal(toy_state(&host), 0);
    usb_host_close(&host);
}

/* The setup packet says one length, the host another: the smaller one is meant. */
static void lengths_that_differ_do_no_harm(void **state)
{
    (void)state;
    struct usb_host host;
    struct usb_host_reply reply;
    uint8_t bytes[48 + 100];
    uint8_t data[64];
    usb_bench_attach(&bench, 1, &host);
    for (uint32_t length = 0; length <= 100; length += 20) {
        usb_host_head(&host, &(const struct usb_host_request){0xC0, TOY_COUNT, 0, 0, 40}, bytes);
        usb_host_put(bytes + 24, length);
        host_send(host.socket, bytes, 48);
        assert_true(usb_host_reply(&host, true, &reply));
        assert_int_equal(reply.status, 0);
        assert_int_equal(reply.length, length < 40 ? length : 40);

        memset(bytes, 0x55, sizeof bytes);
        usb_host_head(&host, &(const struct usb_host_request){0x40, TOY_IGNORE, 0, 0, 40}, bytes);
        usb_host_put(bytes + 24, length);
        host_send(host.socket, bytes, 48 + length);
        assert_true(usb_host_reply(&host, false, &reply));
        assert_int_equal(reply.status, 0);
        assert_int_equal(reply.length, length < 40 ? length : 40);
    }
    /* And so is the direction: data in a packet that asks for some, and the other way round. */
    usb_host_head(&host, &(const struct usb_host_request){0xC0, TOY_COUNT, 0, 0, 40}, bytes);
    usb_host_put(bytes + 12, 0);
    host_send(host.socket, bytes, 48 + 40);
    assert_true(usb_host_reply(&host, false, &reply));
    assert_int_equal(reply.length, 0);
    usb_host_head(&host, &(const struct usb_host_request){0x40, TOY_IGNORE, 0, 0, 40}, bytes);
    usb_host_put(bytes + 12, 1);
    host_send(host.socket, bytes, 48);
    assert_true(usb_host_reply(&host, true, &reply));
    assert_int_equal(reply.length, 0);
    assert_int_equal(toy_in(&host, TOY_ECHO, 0, 0, data, 8), 8);
    usb_host_close(&host);
}

/* The last host has hung up, but the bench may have more of it to read before it can know. */
static void attach_after(struct usb_host *host)
{
    int64_t start_ms = host_now_ms();
    while (usb_host_import(host, bench.tcp_port, "1-1") != 0) {
        assert_true(host_now_ms() - start_ms < HOST_PATIENCE_MS);
    }
}

static void hosts_that_submit_without_end_are_put_off(void **state)
{
    (void)state;
    struct usb_host host;
    struct usb_host_request request = {0xC0, TOY_SILENT, 0, 0, 8};
    usb_bench_attach(&bench, 1, &host);
    for (int i = 0; i < 64; i++) {
        usb_host_submit(&host, &request, NULL);
    }
    usb_host_expect_silence(&host, 50);
    for (int i = 0; i < 2; i++) { /* one is being served */
        usb_host_submit(&host, &request, NULL);
    }
    usb_host_expect_end(host.socket);
    usb_host_close(&host);
    usb_bench_attach(&bench, 1, &host);
    request.request = TOY_COUNT;
    request.length = 4000;
    /* One that never reads is not waited for either. */
    for (int i = 0; i < 2000; i++) {
        uint8_t head[48];
        usb_host_head(&host, &request, head);
        if (send(host.socket, head, sizeof head, MSG_NOSIGNAL) != sizeof head) {
            break;
        }
    }
    usb_host_close(&host);
    attach_after(&host);
    assert_int_equal(toy_state(&host), 0);
    usb_host_close(&host);
}

static uint32_t next_random(uint32_t *random)
{
    *random = *random * 1664525 + 1013904223; /* Numerical Recipes, 7.1 */
    return *random >> 8;
}

/* Well-formed or not, by chance: the bench goes on. */
static void chance_does_no_harm(void **state)
{
    (void)state;
    uint32_t random = 1;
    struct usb_host host;
    for (int round = 0; round < 300; round++) {
        usb_bench_attach(&bench, 1, &host);
        for (int i = 0; i < 4; i++) {
            uint8_t bytes[48 + 64] = {0};
            const struct usb_host_request request = {
                (uint8_t)next_random(&random), (uint8_t)(next_random(&random) % 16),
                (uint16_t)(next_random(&random) % 8), (uint16_t)next_random(&random),
                (uint16_t)(next_random(&random) % 300)};
            usb_host_head(&host, &request, bytes);
            bytes[next_random(&random) % 48] ^= (uint8_t)(1u << next_random(&random) % 8);
            if (next_random(&random) % 4 == 0) {
                bytes[3] = USB_HOST_UNLINK;
            }
            send(host.socket, bytes, 1 + next_random(&random) % sizeof bytes, MSG_NOSIGNAL);
        }
        usb_host_close(&host);
    }
    usb_bench_attach(&bench, 1, &host);
    usb_host_reset_bus(&host);
    uint8_t echo[8];
    assert_int_equal(toy_in(&host, TOY_ECHO, 0, 0, echo, 8), 8);
    usb_host_close(&host);
}

static void sixty_devices_at_once(void **state)
{
    (void)state;
    static struct usb_host hosts[60];
    uint8_t device[316];
    uint8_t data[8];
    assert_int_equal(list(device), 60);
    for (int i = 0; i < 60; i++) {
        usb_bench_attach(&bench, i + 1, &hosts[i]);
    }
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 60; i++) {
            usb_host_submit(&hosts[i],
                            &(const struct usb_host_request){0xC0, TOY_ECHO, (uint16_t)i, 0, 8},
                            NULL);
        }
        for (int i = 0; i < 60; i++) {
            struct usb_host_reply reply;
            assert_true(usb_host_reply(&hosts[i], true, &reply));
            assert_int_equal(reply.data[2], i);
        }
    }
    for (int i = 0; i < 60; i++) {
        assert_int_equal(toy_in(&hosts[i], TOY_ECHO, 0, 0, data, 8), 8);
        usb_host_close(&hosts[i]);
    }
}

int main(void)
{
#define THREE(test) cmocka_unit_test_setup_teardown(test, begin_three, end)
    const struct CMUnitTest tests[] = {
        THREE(list_names_what_is_plugged_in),
        THREE(only_what_is_there_and_free_is_given),
        THREE(requests_that_are_none_are_sent_away),
        THREE(slow_guests_are_waited_for),
        THREE(spoilt_commands_close_the_connection),
        THREE(lengths_that_differ_do_no_harm),
        THREE(hosts_that_submit_without_end_are_put_off),
        THREE(chance_does_no_harm),
        cmocka_unit_test_setup_teardown(sixty_devices_at_once, begin_sixty, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
