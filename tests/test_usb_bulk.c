/* Bulk and interrupt endpoints of the USB port: what a host sees of a full-speed device, packet by
 * packet, and when. */
#include "tests/usb_fixture.h"

#define EPIPE_STATUS (-32)
#define EPROTO_STATUS (-71)
#define OUT 0x02
#define IN 0x83
#define NEWS 0x81 /* the interrupt endpoint */

/* A command ends with a short packet; its reply is the same bytes, in packets, after it was busy
 * for the command's second and third byte (milliseconds). What the first byte makes of it: */
enum order { ECHO = 1, STALL_OUT, STALL_IN, FRAME };

struct parrot {
    struct usb_port *port;
    uint8_t command[USB_HOST_DATA_MAX];
    size_t count;
    size_t said; /* of the reply; `count` again: all */
    bool replies;
    bool ends; /* the last packet was a whole one */
    uint8_t cleared;
};

static void parrot_start(void *instance, const struct usb_firmware *firmware, struct usb_port *port)
{
    (void)firmware;
    ((struct parrot *)instance)->port = port;
}

static int parrot_setup(void *instance, const struct usb_setup *setup, uint8_t *reply)
{
    (void)setup;
    reply[0] = ((const struct parrot *)instance)->cleared;
    return 1;
}

static int parrot_obey(struct parrot *parrot)
{
    uint8_t miso[4];
    usb_port_spend(parrot->port, (parrot->command[1] << 8 | parrot->command[2]) * 1000);
    if (parrot->command[0] == FRAME &&
        !usb_port_transfer(parrot->port, parrot->command, miso, 1000000)) {
        parrot->count = 0;
        return 0;
    }
    parrot->replies = true;
    parrot->said = 0;
    return 0;
}

static int parrot_write(void *instance, uint8_t endpoint, const uint8_t *bytes, size_t count)
{
    struct parrot *parrot = instance;
    assert_int_equal(endpoint, OUT);
    if (parrot->replies) {
        return USB_SILENT; /* until it is heard */
    }
    memcpy(parrot->command + parrot->count, bytes, count);
    parrot->count += count;
    if (parrot->command[0] == STALL_OUT) {
        parrot->count = 0;
        parrot->command[0] = 0;
        return USB_STALL;
    }
    return count < 64 ? parrot_obey(parrot) : 0;
}

static int parrot_read(void *instance, uint8_t endpoint, uint8_t *bytes, size_t most)
{
    struct parrot *parrot = instance;
    assert_int_equal(most, 64);
    if (endpoint == NEWS || !parrot->replies) {
        return USB_SILENT;
    }
    if (parrot->command[0] == STALL_IN) {
        parrot->replies = false;
        parrot->count = 0;
        return USB_STALL;
    }
    size_t left = parrot->count - parrot->said;
    size_t count = left < most ? left : most;
    memcpy(bytes, parrot->command + parrot->said, count);
    parrot->said += count;
    if (count < most) {
        parrot->replies = false;
        parrot->count = 0;
    }
    return (int)count;
}

static void parrot_clear(void *instance, uint8_t endpoint)
{
    ((struct parrot *)instance)->cleared = endpoint;
}

static const uint8_t interfaces[] = {
    9, 4, 0,    0, 1,  0xFF, 1,  2, 0, /* one with an interrupt endpoint */
    7, 5, NEWS, 3, 8,  0,    10,       /* */
    9, 4, 1,    0, 2,  0xFF, 3,  4, 0, /* and one with two bulk endpoints */
    7, 5, OUT,  2, 64, 0,    0,  7, 5, IN, 2, 64, 0, 0};

static const struct usb_firmware parrot = {
    .name = "parrot",
    .programmer = "none",
    .identity = {.vendor = 0x03EB, .product = 0x2104, .product_name = "parrot"},
    .full_speed = true,
    .interfaces = interfaces,
    .interfaces_bytes = sizeof interfaces,
    .interface_count = 2,
    .instance_bytes = sizeof(struct parrot),
    .start = parrot_start,
    .setup = parrot_setup,
    .bulk_write = parrot_write,
    .bulk_read = parrot_read,
    .clear_halt = parrot_clear,
};

static struct usb_bench bench; /* one test at a time */
static struct usb_host host;

static int begin(bool real_pace)
{
    usb_bench_start_with(&bench, 1, &parrot, real_pace);
    usb_bench_attach(&bench, 1, &host);
    return 0;
}

static int begin_fast(void **state)
{
    (void)state;
    return begin(false);
}

static int begin_real(void **state)
{
    (void)state;
    return begin(true);
}

static int end(void **state)
{
    (void)state;
    if (host.socket >= 0) {
        usb_host_close(&host);
    }
    usb_bench_stop(&bench);
    return 0;
}

/* A command of `count` bytes that keeps the parrot busy for so long. */
static const uint8_t *command(enum order order, unsigned busy_ms)
{
    static uint8_t bytes[1024];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 7);
    }
    bytes[0] = (uint8_t)order;
    bytes[1] = (uint8_t)(busy_ms >> 8);
    bytes[2] = (uint8_t)busy_ms;
    return bytes;
}

/* --- what it is --- */

static void descriptors_name_the_endpoints(void **state)
{
    (void)state;
    uint8_t data[255] = {0};
    const struct usb_host_request look = {0x80, 6, 0x0200, 0, 255};
    static const uint8_t head[9] = {9, 2, 9 + sizeof interfaces, 0, 2, 1, 0, 0x80, 50};
    assert_int_equal(usb_host_control(&host, &look, data), 9 + sizeof interfaces);
    assert_memory_equal(data, head, sizeof head);
    assert_memory_equal(data + sizeof head, interfaces, sizeof interfaces);
}

static void the_list_names_speed_and_interfaces(void **state)
{
    (void)state;
    uint8_t head[12], device[312], classes[8];
    int guest = usb_host_connect(bench.tcp_port);
    host_send(guest, BYTES(0x01, 0x11, 0x80, 0x05, 0, 0, 0, 0));
    assert_true(usb_host_receive(guest, head, sizeof head));
    assert_true(usb_host_receive(guest, device, sizeof device));
    assert_true(usb_host_receive(guest, classes, sizeof classes));
    assert_int_equal(usb_host_get(device + 296), 2); /* full speed */
    assert_int_equal(device[311], 2);
    assert_memory_equal(classes, ((const uint8_t[]){0xFF, 1, 2, 0, 0xFF, 3, 4, 0}), 8);
    usb_host_expect_end(guest);
    close(guest);
}

/* --- transfers --- */

static void replies_end_with_a_short_packet(void **state)
{
    (void)state;
    static const size_t lengths[] = {3, 63, 65, 127, 300, 1023};
    uint8_t data[1024] = {0};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        const uint8_t *sent = command(ECHO, 0);
        assert_int_equal(usb_host_bulk_out(&host, OUT, sent, (uint32_t)lengths[i]), lengths[i]);
        assert_int_equal(usb_host_bulk_in(&host, IN, data, sizeof data), lengths[i]);
        assert_memory_equal(data, sent, lengths[i]);
    }
}

/* Whole packets do not end a command; an empty one does, and ends the reply, too. */
static void empty_packets_end_whole_ones(void **state)
{
    (void)state;
    uint8_t data[1024] = {0};
    for (int how = 0; how < 2; how++) {
        uint32_t in = usb_host_submit_bulk(&host, IN, NULL, sizeof data, 0);
        uint32_t out = usb_host_submit_bulk(&host, OUT, command(ECHO, 0), 128,
                                            how == 0 ? USB_HOST_ZERO_PACKET : 0);
        assert_int_equal(usb_host_expect(&host, out, NULL), 128);
        if (how == 1) {
            usb_host_expect_silence(&host, 50);
            assert_int_equal(usb_host_bulk_out(&host, OUT, NULL, 0), 0);
        }
        assert_int_equal(usb_host_expect(&host, in, data), 128);
    }
    /* Where the host has room for no more, an empty packet is left for the next transfer. */
    usb_host_expect(&host, usb_host_submit_bulk(&host, OUT, command(ECHO, 0), 128, 0x40), NULL);
    assert_int_equal(usb_host_bulk_in(&host, IN, data, 64), 64);
    assert_int_equal(usb_host_bulk_in(&host, IN, data, 64), 64);
    assert_int_equal(usb_host_bulk_in(&host, IN, data, 64), 0);
}

/* As Linux' drivers do: many ask before there is anything, and are served in their order. */
static void several_wait_at_each_endpoint(void **state)
{
    (void)state;
    enum { MANY = 16 };
    uint32_t in[MANY], out[MANY], news = usb_host_submit_bulk(&host, NEWS, NULL, 8, 0);
    uint8_t data[64] = {0};
    for (int i = 0; i < MANY; i++) {
        in[i] = usb_host_submit_bulk(&host, IN, NULL, 64, 0);
    }
    usb_host_expect_silence(&host, 50);
    for (int i = 0; i < MANY; i++) { /* each but the first is NAKed at first */
        out[i] = usb_host_submit_bulk(&host, OUT, command(ECHO, 0), 3 + (uint32_t)i, 0);
    }
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(usb_host_expect(&host, out[i], NULL), 3 + i);
        assert_int_equal(usb_host_expect(&host, in[i], data), 3 + i);
    }
    usb_host_give_up(&host, news);
}

static void what_is_taken_back_leaves_the_others(void **state)
{
    (void)state;
    uint8_t data[64] = {0};
    uint32_t first = usb_host_submit_bulk(&host, IN, NULL, 64, 0);
    uint32_t second = usb_host_submit_bulk(&host, IN, NULL, 64, 0);
    usb_host_expect_silence(&host, 50);
    usb_host_give_up(&host, first);
    assert_int_equal(usb_host_bulk_out(&host, OUT, command(ECHO, 0), 9), 9);
    assert_int_equal(usb_host_expect(&host, second, data), 9);
    /* A command that is NAKed, half of it taken. */
    assert_int_equal(usb_host_bulk_out(&host, OUT, command(ECHO, 0), 9), 9);
    first = usb_host_submit_bulk(&host, OUT, command(ECHO, 0), 100, 0);
    usb_host_expect_silence(&host, 50);
    usb_host_give_up(&host, first);
    assert_int_equal(usb_host_bulk_in(&host, IN, data, 64), 9);
    assert_int_equal(usb_host_bulk_out(&host, OUT, command(ECHO, 0), 11), 11);
    assert_int_equal(usb_host_bulk_in(&host, IN, data, 64), 11);
}

static int control(uint8_t type, uint8_t request, uint16_t value, uint16_t index)
{
    return usb_host_control(&host, &(const struct usb_host_request){type, request, value, index, 0},
                            NULL);
}

static int status_of(uint16_t endpoint)
{
    uint8_t data[2] = {0};
    const struct usb_host_request request = {0x82, 0, 0, endpoint, 2};
    assert_int_equal(usb_host_control(&host, &request, data), 2);
    return data[0];
}

static void halts_last_until_they_are_cleared(void **state)
{
    (void)state;
    uint8_t data[64] = {0};
    const struct usb_host_request cleared = {0xC0, 1, 0, 0, 1};
    for (int how = 0; how < 3; how++) {
        assert_int_equal(usb_host_bulk_out(&host, OUT, command(STALL_OUT, 0), 9), EPIPE_STATUS);
        assert_int_equal(usb_host_bulk_out(&host, OUT, command(ECHO, 0), 9), EPIPE_STATUS);
        assert_int_equal(status_of(OUT), 1);
        assert_int_equal(status_of(IN), 0);
        if (how == 0) {
            assert_int_equal(control(0x02, 1, 0, IN), 0); /* of the other endpoint */
            assert_int_equal(usb_host_bulk_out(&host, OUT, command(ECHO, 0), 9), EPIPE_STATUS);
            assert_int_equal(control(0x02, 1, 0, OUT), 0);
            assert_int_equal(usb_host_control(&host, &cleared, data), 1);
            assert_int_equal(data[0], OUT);
        } else if (how == 1) {
            assert_int_equal(control(0x01, 11, 0, 1), 0); /* SET_INTERFACE */
        } else {
            assert_int_equal(control(0x00, 9, 1, 0), 0); /* SET_CONFIGURATION */
        }
        assert_int_equal(status_of(OUT), 0);
        assert_int_equal(usb_host_bulk_out(&host, OUT, command(ECHO, 0), 9), 9);
        assert_int_equal(usb_host_bulk_in(&host, IN, data, 64), 9);
    }
    assert_int_equal(usb_host_bulk_out(&host, OUT, command(STALL_IN, 0), 9), 9);
    assert_int_equal(usb_host_bulk_in(&host, IN, data, 64), EPIPE_STATUS);
    assert_int_equal(control(0x02, 1, 0, IN), 0);
    assert_int_equal(control(0x02, 3, 0, IN), 0); /* SET_FEATURE: the host halts it */
    assert_int_equal(usb_host_bulk_in(&host, IN, data, 64), EPIPE_STATUS);
    assert_int_equal(usb_host_bulk_in(&host, 0x84, data, 64), EPIPE_STATUS); /* there is none */
}

static void spoilt_lost_late_and_repeated_packets(void **state)
{
    (void)state;
    uint8_t data[64] = {0};
    struct usb_place *place = &bench.places[0];
    place->flip = 0x40;
    assert_int_equal(usb_host_bulk_out(&host, OUT, command(ECHO, 0), 9), 9);
    assert_int_equal(usb_host_bulk_in(&host, IN, data, 64), 9);
    assert_int_equal(data[0], 0x41);
    place->lose = 2;
    assert_int_equal(usb_host_bulk_out(&host, OUT, command(ECHO, 0), 9), 9);
    assert_int_equal(usb_host_bulk_in(&host, IN, data, 64), 7);
    place->twice = true; /* the second is NAKed, and becomes a command of its own */
    uint32_t seqnum = usb_host_submit_bulk(&host, OUT, command(ECHO, 0), 9, 0);
    uint32_t in = usb_host_submit_bulk(&host, IN, NULL, 64, 0);
    assert_int_equal(usb_host_expect(&host, in, data), 9);
    assert_int_equal(usb_host_expect(&host, seqnum, NULL), 9);
    int64_t start_ms = host_now_ms();
    place->late_us = 100000;
    assert_int_equal(usb_host_bulk_in(&host, IN, data, 64), 9);
    assert_true(host_now_ms() - start_ms >= 99);
}

/* A late reply stays in the device until somebody takes it. */
static void late_replies_wait_in_the_endpoint(void **state)
{
    (void)state;
    uint8_t data[64] = {0};
    struct usb_place *place = &bench.places[0];
    assert_int_equal(usb_host_bulk_out(&host, OUT, command(ECHO, 0), 9), 9);
    place->late_us = 60000000;
    uint32_t seqnum = usb_host_submit_bulk(&host, IN, NULL, 64, 0);
    usb_host_expect_silence(&host, 50);
    usb_host_give_up(&host, seqnum);
    assert_int_equal(usb_host_bulk_in(&host, IN, data, 64), 9);
    assert_memory_equal(data, command(ECHO, 0), 9);
}

/* --- what happens to the programmer --- */

static void mishaps_that_end_a_command(void **state)
{
    (void)state;
    uint8_t data[64] = {0};
    struct usb_place *place = &bench.places[0];
    place->mishap = ISP_MISHAP_STALL;
    assert_int_equal(usb_host_bulk_out(&host, OUT, command(FRAME, 0), 9), EPIPE_STATUS);
    assert_int_equal(control(0x02, 1, 0, OUT), 0);
    place->mishap = ISP_MISHAP_SHORT;
    assert_int_equal(usb_host_bulk_out(&host, OUT, command(FRAME, 0), 9), 9);
    assert_int_equal(usb_host_bulk_in(&host, IN, data, 64), 0);
    place->mishap = ISP_MISHAP_RESET;
    assert_int_equal(usb_host_bulk_out(&host, OUT, command(FRAME, 0), 9), EPROTO_STATUS);
    for (int hangs = 0; hangs < 2; hangs++) {
        place->mishap = hangs ? ISP_MISHAP_HANG : ISP_MISHAP_NAK;
        uint32_t seqnum = usb_host_submit_bulk(&host, IN, NULL, 64, 0);
        assert_int_equal(usb_host_bulk_out(&host, OUT, command(FRAME, 0), 9), 9);
        usb_host_expect_silence(&host, 50);
        usb_host_give_up(&host, seqnum);
        if (hangs) {
            seqnum = usb_host_submit_bulk(&host, OUT, command(ECHO, 0), 9, 0);
            usb_host_expect_silence(&host, 50);
            usb_host_give_up(&host, seqnum);
            usb_host_reset_bus(&host);
        }
        assert_int_equal(usb_host_bulk_out(&host, OUT, command(ECHO, 0), 9), 9);
        assert_int_equal(usb_host_bulk_in(&host, IN, data, 64), 9);
    }
    place->mishap = ISP_MISHAP_UNPLUG;
    usb_host_submit_bulk(&host, OUT, command(FRAME, 0), 9, 0);
    usb_host_expect_end(host.socket);
}

/* --- time --- */

static void packets_take_their_time(void **state)
{
    (void)state;
    enum { TRANSFERS = 40 };
    uint8_t data[1024] = {0};
    int64_t start_ms = host_now_ms();
    for (int i = 0; i < TRANSFERS; i++) { /* 16 packets each way, 50 us each */
        assert_int_equal(usb_host_bulk_out(&host, OUT, command(ECHO, 0), 1023), 1023);
        assert_int_equal(usb_host_bulk_in(&host, IN, data, sizeof data), 1023);
    }
    assert_true(host_now_ms() - start_ms >= TRANSFERS * 32 * 50 / 1000 - 1);
}

/* The reply comes when the command is done, not before, and soon then: the machine may be busy. */
static void busy_firmware_replies_when_it_is_done(void **state)
{
    (void)state;
    uint8_t data[64] = {0};
    int64_t until_ms = host_now_ms() + HOST_PATIENCE_MS;
    int64_t fastest_ms = INT64_MAX;
    while (fastest_ms >= 15 + 8 && host_now_ms() < until_ms) {
        int64_t start_ms = host_now_ms();
        uint32_t in = usb_host_submit_bulk(&host, IN, NULL, 64, 0);
        uint32_t out = usb_host_submit_bulk(&host, OUT, command(ECHO, 15), 9, 0);
        assert_int_equal(usb_host_expect(&host, out, NULL), 9);
        assert_int_equal(usb_host_expect(&host, in, data), 9);
        int64_t took_ms = host_now_ms() - start_ms;
        assert_true(took_ms >= 14);
        fastest_ms = took_ms < fastest_ms ? took_ms : fastest_ms;
    }
    assert_true(fastest_ms < 15 + 8);
}

/* Taken back while the command runs, its reply is the next one's. */
static void replies_taken_back_too_early_come_late(void **state)
{
    (void)state;
    uint8_t data[64] = {0};
    uint32_t in = usb_host_submit_bulk(&host, IN, NULL, 64, 0);
    uint32_t out = usb_host_submit_bulk(&host, OUT, command(ECHO, 18), 9, 0);
    assert_int_equal(usb_host_expect(&host, out, NULL), 9);
    usb_host_give_up(&host, in);
    assert_int_equal(usb_host_bulk_in(&host, IN, data, 64), 9);
}

int main(void)
{
#define FAST(test) cmocka_unit_test_setup_teardown(test, begin_fast, end)
#define REAL(test) cmocka_unit_test_setup_teardown(test, begin_real, end)
    const struct CMUnitTest tests[] = {
        FAST(descriptors_name_the_endpoints),
        FAST(the_list_names_speed_and_interfaces),
        FAST(replies_end_with_a_short_packet),
        FAST(empty_packets_end_whole_ones),
        FAST(several_wait_at_each_endpoint),
        FAST(what_is_taken_back_leaves_the_others),
        FAST(halts_last_until_they_are_cleared),
        FAST(spoilt_lost_late_and_repeated_packets),
        FAST(late_replies_wait_in_the_endpoint),
        FAST(mishaps_that_end_a_command),
        REAL(packets_take_their_time),
        REAL(busy_firmware_replies_when_it_is_done),
        REAL(replies_taken_back_too_early_come_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
