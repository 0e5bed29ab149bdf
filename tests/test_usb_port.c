/* The USB port: what a host sees of a low-speed device, packet by packet, and when. */
#include "tests/usb_fixture.h"

#define EPIPE_STATUS (-32)
#define EPROTO_STATUS (-71)

static struct usb_bench bench; /* one test at a time */
static struct usb_host host;

static int begin_fast(void **state)
{
    (void)state;
    usb_bench_start(&bench, 1, false);
    usb_bench_attach(&bench, 1, &host);
    return 0;
}

static int begin_real(void **state)
{
    (void)state;
    usb_bench_start(&bench, 1, true);
    usb_bench_attach(&bench, 1, &host);
    return 0;
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

/* --- what it is --- */

static int descriptor(uint16_t value, uint8_t *data, uint16_t length)
{
    return usb_host_control(&host, &(const struct usb_host_request){0x80, 6, value, 0, length},
                            data);
}

static void descriptors_are_those_of_a_low_speed_device(void **state)
{
    (void)state;
    uint8_t data[255];
    static const uint8_t device[18] = {18,   1,    0x10, 0x01, 0xFF, 0, 0, 8, 0xC0,
                                       0x16, 0xDC, 0x05, 0x04, 0x01, 1, 2, 0, 1};
    static const uint8_t configuration[18] = {9, 2, 18, 0, 1, 1, 0, 0x80, 50,
                                              9, 4, 0,  0, 0, 0, 0, 0,    0};
    static const uint8_t product[] = {14, 3, 'U', 0, 'S', 0, 'B', 0, 'a', 0, 's', 0, 'p', 0};
    assert_int_equal(descriptor(0x0100, data, 64), 18); /* the kernel's first look */
    assert_memory_equal(data, device, 18);
    assert_int_equal(descriptor(0x0100, data, 8), 8);
    assert_memory_equal(data, device, 8);
    assert_int_equal(descriptor(0x0200, data, 9), 9);
    assert_int_equal(descriptor(0x0200, data, 255), 18);
    assert_memory_equal(data, configuration, 18);
    assert_int_equal(descriptor(0x0300, data, 255), 4);
    assert_memory_equal(data, ((const uint8_t[]){4, 3, 9, 4}), 4);
    assert_int_equal(descriptor(0x0302, data, 255), sizeof product);
    assert_memory_equal(data, product, sizeof product);
    assert_int_equal(descriptor(0x0303, data, 255), 0); /* no serial number */
    assert_int_equal(descriptor(0x0600, data, 10), 0);
}

static void standard_requests_are_answered(void **state)
{
    (void)state;
    uint8_t data[8] = {0xEE, 0xEE};
    const struct usb_host_request status = {0x80, 0, 0, 0, 2};
    const struct usb_host_request get = {0x80, 8, 0, 0, 1};
    const struct usb_host_request set = {0x00, 9, 1, 0, 0};
    assert_int_equal(usb_host_control(&host, &status, data), 2);
    assert_int_equal(data[0] | data[1], 0);
    assert_int_equal(usb_host_control(&host, &get, data), 1);
    assert_int_equal(data[0], 0);
    assert_int_equal(usb_host_control(&host, &set, NULL), 0);
    assert_int_equal(usb_host_control(&host, &get, data), 1);
    assert_int_equal(data[0], 1);
    usb_host_reset_bus(&host);
    assert_int_equal(usb_host_control(&host, &get, data), 1);
    assert_int_equal(data[0], 0);
}

/* --- data --- */

static void replies_end_where_firmware_or_host_says(void **state)
{
    (void)state;
    uint8_t data[300] = {0};
    assert_int_equal(toy_in(&host, TOY_ECHO, 0x1234, 0x5678, data, 8), 8);
    assert_memory_equal(data, ((const uint8_t[]){0xC0, 1, 0x34, 0x12, 0x78, 0x56, 8, 0}), 8);
    assert_int_equal(toy_in(&host, TOY_ECHO, 0, 0, data, 3), 3);
    assert_int_equal(toy_in(&host, TOY_ECHO, 0, 0, data, 20), 8);
    assert_int_equal(toy_in(&host, TOY_ECHO, 0, 0, data, 0), 0);
    assert_int_equal(toy_in(&host, 200, 0, 0, data, 4), 0);
    assert_int_equal(toy_in(&host, TOY_COUNT, 0, 0, data, 300), 300);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(data[i], i & 0xFF);
    }
    assert_int_equal(toy_in(&host, TOY_COUNT, 0, 24, data, 100), 24);
    assert_int_equal(toy_in(&host, TOY_COUNT, 0, 27, data, 100), 27);
}

static void data_go_in_packets_of_eight(void **state)
{
    (void)state;
    uint8_t sent[21], data[32] = {0};
    for (size_t i = 0; i < sizeof sent; i++) {
        sent[i] = (uint8_t)(0x80 + i);
    }
    assert_int_equal(toy_out(&host, TOY_STORE, 0, sent, sizeof sent), sizeof sent);
    assert_int_equal(toy_in(&host, TOY_STORED, 0, 0, data, sizeof data), 24);
    assert_memory_equal(data, ((const uint8_t[]){8, 8, 5}), 3);
    assert_memory_equal(data + 3, sent, sizeof sent);
    assert_int_equal(toy_out(&host, TOY_IGNORE, 0, sent, sizeof sent), sizeof sent);
    assert_int_equal(toy_out(&host, TOY_KEEP, 7, NULL, 0), 0);
    assert_int_equal(toy_state(&host), 7);
}

static void spoilt_lost_late_and_repeated_packets(void **state)
{
    (void)state;
    uint8_t sent[16] = {1, 2, 3}, data[64] = {0};
    struct usb_place *place = &bench.places[0];
    place->flip = 0x40;
    assert_int_equal(toy_in(&host, TOY_COUNT, 0, 0, data, 9), 9);
    assert_int_equal(data[0], 0x40);
    assert_int_equal(data[8], 8);
    place->flip = 0x40;
    assert_int_equal(descriptor(0x0100, data, 18), 18); /* which no fault is meant for */
    assert_int_equal(data[0], 18);
    place->flip = 0;
    place->lose = 1;
    assert_int_equal(toy_in(&host, TOY_COUNT, 0, 0, data, 40), 7);
    place->twice = true;
    assert_int_equal(toy_out(&host, TOY_STORE, 0, sent, sizeof sent), sizeof sent);
    assert_int_equal(toy_in(&host, TOY_STORED, 0, 0, data, sizeof data), 3 + 24);
    assert_memory_equal(data + 3, sent, 8);
    assert_memory_equal(data + 3 + 8, sent, 8);
    place->lose = 3; /* the firmware waits for them */
    uint32_t seqnum =
        usb_host_submit(&host, &(const struct usb_host_request){0x40, TOY_STORE, 0, 0, 16}, sent);
    usb_host_expect_silence(&host, 50);
    usb_host_give_up(&host, seqnum);
    int64_t start_ms = host_now_ms();
    place->late_us = 100000;
    assert_int_equal(toy_in(&host, TOY_COUNT, 0, 0, data, 40), 40);
    assert_true(host_now_ms() - start_ms >= 99);
}

/* --- what does not work --- */

static void stalls_end_the_transfer_only(void **state)
{
    (void)state;
    uint8_t data[32] = {0};
    assert_int_equal(toy_in(&host, TOY_STALL, 0, 0, data, 4), EPIPE_STATUS);
    assert_int_equal(toy_out(&host, TOY_STALL, 0, data, 32), EPIPE_STATUS);
    assert_int_equal(toy_out(&host, TOY_STALL_DATA, 0, data, 32), EPIPE_STATUS);
    assert_int_equal(toy_state(&host), 0);
    uint8_t head[48];
    struct usb_host_reply reply;
    usb_host_head(&host, &(const struct usb_host_request){0xC0, TOY_ECHO, 0, 0, 8}, head);
    usb_host_put(head + 16, 2); /* an endpoint that there is not */
    host_send(host.socket, head, sizeof head);
    assert_true(usb_host_reply(&host, true, &reply));
    assert_int_equal(reply.status, EPIPE_STATUS);
    assert_int_equal(reply.length, 0);
}

static void unlinked_transfers_end_at_once(void **state)
{
    (void)state;
    uint8_t data[32] = {0};
    const struct usb_host_request silent = {0xC0, TOY_SILENT, 0, 0, 4};
    const struct usb_host_request greedy = {0x40, TOY_WANT_MORE, 0, 0, 32};
    const struct usb_host_request keep = {0x40, TOY_KEEP, 9, 0, 0};
    struct usb_host_reply reply;
    uint32_t first = usb_host_submit(&host, &silent, NULL);
    uint32_t second = usb_host_submit(&host, &keep, NULL);
    usb_host_expect_silence(&host, 50);
    usb_host_give_up(&host, second); /* which waits behind the first */
    usb_host_give_up(&host, first);
    assert_int_equal(toy_state(&host), 0);
    first = usb_host_submit(&host, &greedy, data);
    usb_host_expect_silence(&host, 50);
    usb_host_give_up(&host, first);
    assert_int_equal(toy_in(&host, TOY_ECHO, 0, 0, data, 8), 8);
    uint32_t unlink = usb_host_unlink(&host, host.seqnum); /* done already */
    assert_true(usb_host_reply(&host, false, &reply));
    assert_int_equal(reply.command, USB_HOST_UNLINK_REPLY);
    assert_int_equal(reply.seqnum, unlink);
    assert_int_equal(reply.status, 0);
}

static int frame(uint8_t *data)
{
    return toy_in(&host, TOY_FRAME, 0xA0AC, 0x3412, data, 4);
}

static void mishaps_that_end_a_transfer(void **state)
{
    (void)state;
    uint8_t data[4] = {0};
    struct usb_place *place = &bench.places[0];
    assert_int_equal(toy_out(&host, TOY_KEEP, 5, NULL, 0), 0);
    assert_int_equal(frame(data), 4);
    assert_memory_equal(place->frame, ((const uint8_t[]){0xAC, 0xA0, 0x12, 0x34}), 4);
    assert_int_equal(data[0], 0x53);
    place->mishap = ISP_MISHAP_STALL;
    assert_int_equal(frame(data), EPIPE_STATUS);
    place->mishap = ISP_MISHAP_SHORT;
    assert_int_equal(frame(data), 0);
    assert_int_equal(toy_state(&host), 5);
    place->reset_low = true;
    place->mishap = ISP_MISHAP_RESET;
    assert_int_equal(frame(data), EPROTO_STATUS);
    assert_int_equal(toy_state(&host), 0);
    assert_false(place->reset_low);
    assert_int_equal(frame(data), 4);
}

static void naks_and_hangs(void **state)
{
    (void)state;
    uint8_t data[64];
    const struct usb_host_request request = {0xC0, TOY_FRAME, 0, 0, 4};
    const struct usb_host_request look = {0x80, 6, 0x0100, 0, 18};
    struct usb_place *place = &bench.places[0];
    assert_int_equal(toy_out(&host, TOY_KEEP, 5, NULL, 0), 0);
    place->mishap = ISP_MISHAP_NAK;
    uint32_t seqnum = usb_host_submit(&host, &request, NULL);
    usb_host_expect_silence(&host, 50);
    usb_host_give_up(&host, seqnum);
    assert_int_equal(toy_state(&host), 5);
    for (int i = 0; i < 2; i++) {
        place->mishap = ISP_MISHAP_HANG;
        seqnum = usb_host_submit(&host, &request, NULL);
        usb_host_expect_silence(&host, 50);
        usb_host_give_up(&host, seqnum);
        seqnum = usb_host_submit(&host, &look, NULL); /* not even that */
        usb_host_expect_silence(&host, 50);
        usb_host_give_up(&host, seqnum);
        if (i == 0) {
            usb_host_reset_bus(&host);
        } else {
            assert_int_equal(descriptor(0x0100, data, 64), 18);
        }
        assert_int_equal(toy_state(&host), 0);
    }
}

static void unplugged_and_plugged_in_again(void **state)
{
    (void)state;
    struct usb_place *place = &bench.places[0];
    struct usb_host other;
    place->away_us = 200000;
    assert_int_equal(toy_out(&host, TOY_KEEP, 5, NULL, 0), 0);
    place->mishap = ISP_MISHAP_UNPLUG;
    int64_t start_ms = host_now_ms();
    usb_host_submit(&host, &(const struct usb_host_request){0xC0, TOY_FRAME, 0, 0, 4}, NULL);
    usb_host_expect_end(host.socket);
    usb_host_close(&host);
    uint32_t status;
    while ((status = usb_host_import(&other, bench.tcp_port, "1-1")) != 0) {
        assert_int_equal(status, 4);
        assert_true(host_now_ms() - start_ms < HOST_PATIENCE_MS);
        poll(NULL, 0, 5);
    }
    assert_true(host_now_ms() - start_ms >= 199);
    assert_int_equal(toy_state(&other), 0);
    usb_host_close(&other);
}

/* --- who has it --- */

static void one_host_at_a_time(void **state)
{
    (void)state;
    struct usb_host other;
    assert_int_equal(toy_out(&host, TOY_KEEP, 5, NULL, 0), 0);
    assert_int_equal(usb_host_import(&other, bench.tcp_port, "1-1"), 2);
    for (int i = 0; i < 20; i++) { /* at once, and with something left undone */
        usb_host_submit(&host, &(const struct usb_host_request){0xC0, TOY_SILENT, 0, 0, 4}, NULL);
        usb_host_close(&host);
        usb_bench_attach(&bench, 1, &host);
        assert_int_equal(toy_state(&host), 5); /* the firmware runs on */
    }
}

/* --- time --- */

/* Setup, ten packets of data, status: each takes a frame. */
#define COUNT_80_MS 12

/* How long `count` transfers take that wait side by side. */
static int64_t time_of_waiting(int count)
{
    struct usb_host_reply reply;
    int64_t start_ms = host_now_ms();
    for (int i = 0; i < count; i++) {
        usb_host_submit(&host, &(const struct usb_host_request){0xC0, TOY_COUNT, 0, 0, 80}, NULL);
    }
    for (int i = 0; i < count; i++) {
        assert_true(usb_host_reply(&host, true, &reply));
        assert_true(host_now_ms() - start_ms >=
                    (i + 1) * COUNT_80_MS - 1); /* none before its time */
    }
    return host_now_ms() - start_ms;
}

static void waiting_transfers_follow_without_a_gap(void **state)
{
    (void)state;
    enum { TRANSFERS = 50 };
    int64_t until_ms = host_now_ms() + HOST_PATIENCE_MS;
    int64_t took_ms = time_of_waiting(TRANSFERS);
    /* No error adds up; a machine that is busy may add some. */
    while (took_ms >= TRANSFERS * COUNT_80_MS + 300 && host_now_ms() < until_ms) {
        took_ms = time_of_waiting(TRANSFERS);
    }
    assert_true(took_ms < TRANSFERS * COUNT_80_MS + 300);
}

static void each_transfer_takes_its_frames(void **state)
{
    (void)state;
    uint8_t data[80];
    int64_t start_ms = host_now_ms();
    for (int i = 0; i < 10; i++) {
        assert_int_equal(toy_in(&host, TOY_COUNT, 0, 0, data, 80), 80);
    }
    assert_true(host_now_ms() - start_ms >= 10 * COUNT_80_MS - 1);
    start_ms = host_now_ms();
    for (int i = 0; i < 10; i++) {
        assert_int_equal(toy_out(&host, TOY_STORE, 0, data, 80), 80);
    }
    assert_true(host_now_ms() - start_ms >= 10 * COUNT_80_MS - 1);
}

static int64_t time_of(uint8_t type, uint8_t request, uint16_t busy_us)
{
    uint8_t data[80] = {0};
    int64_t start_ms = host_now_ms();
    assert_int_equal(
        usb_host_control(&host, &(const struct usb_host_request){type, request, busy_us, 0, 80},
                         data),
        80);
    return host_now_ms() - start_ms;
}

static void busy_firmware_naks(void **state)
{
    (void)state;
    /* 20 ms before each of the ten packets hide the frames, but for two or three. */
    assert_true(time_of(0xC0, TOY_COUNT, 20000) >= 10 * 20 + 2 - 1);
    assert_true(time_of(0x40, TOY_STORE, 20000) >= 10 * 20 + 2 - 1);
    /* What fits into a frame costs nothing: the fastest of several, for the machine may be busy. */
    int64_t until_ms = host_now_ms() + HOST_PATIENCE_MS;
    int64_t fastest_ms = INT64_MAX;
    while (fastest_ms >= COUNT_80_MS + 8 && host_now_ms() < until_ms) {
        int64_t took_ms = time_of(0xC0, TOY_COUNT, 900);
        assert_true(took_ms >= COUNT_80_MS - 1);
        fastest_ms = took_ms < fastest_ms ? took_ms : fastest_ms;
    }
    assert_true(fastest_ms < COUNT_80_MS + 8);
}

static void silence_is_left_at_once_at_real_pace_too(void **state)
{
    (void)state;
    const struct usb_host_request silent = {0xC0, TOY_SILENT, 0, 0, 4};
    uint32_t seqnum = usb_host_submit(&host, &silent, NULL);
    usb_host_expect_silence(&host, 50);
    usb_host_give_up(&host, seqnum);
    assert_int_equal(toy_state(&host), 0);
}

int main(void)
{
#define FAST(test) cmocka_unit_test_setup_teardown(test, begin_fast, end)
#define REAL(test) cmocka_unit_test_setup_teardown(test, begin_real, end)
    const struct CMUnitTest tests[] = {
        FAST(descriptors_are_those_of_a_low_speed_device),
        FAST(standard_requests_are_answered),
        FAST(replies_end_where_firmware_or_host_says),
        FAST(data_go_in_packets_of_eight),
        FAST(spoilt_lost_late_and_repeated_packets),
        FAST(stalls_end_the_transfer_only),
        FAST(unlinked_transfers_end_at_once),
        FAST(mishaps_that_end_a_transfer),
        FAST(naks_and_hangs),
        FAST(unplugged_and_plugged_in_again),
        FAST(one_host_at_a_time),
        REAL(waiting_transfers_follow_without_a_gap),
        REAL(each_transfer_takes_its_frames),
        REAL(busy_firmware_naks),
        REAL(silence_is_left_at_once_at_real_pace_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
