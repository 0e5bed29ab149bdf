/* The Bus Pirate's firmware, as a host sees it: its modes, its limits, and that they bite. */
#include "tests/wire_bench.h"

#include <string.h>

#include "jigs/simbench/buspirate_model.h"

/* A target that gives back what it heard, and at the end its second and third byte's sum. */
static void answer(void *context, const uint8_t mosi[4], uint8_t miso[4], int64_t sck_hz,
                   int64_t now_us)
{
    (void)context;
    (void)sck_hz;
    (void)now_us;
    miso[0] = 0x55;
    miso[1] = mosi[0];
    miso[2] = mosi[1];
    miso[3] = (uint8_t)(mosi[1] + mosi[2]);
}

static uint64_t seed_of(enum buspirate_left left)
{
    uint64_t seed = 0;
    while (buspirate_left_by_seed(seed) != left) {
        seed++;
    }
    return seed;
}

static void start(struct wire_bench *bench, const char *model, bool real_pace,
                  enum buspirate_left left)
{
    const struct wire_bench_options options = {
        .model = model, .real_pace = real_pace, .seed = seed_of(left), .board = {.answer = answer}};
    wire_bench_start(bench, &options);
}

static void stop(struct wire_bench *bench)
{
    wire_bench_stop(bench);
    assert_false(bench->reset_low);
}

static void expect_silence(struct wire_bench *bench)
{
    uint8_t byte;
    assert_int_equal(host_read(bench->host, &byte, 1, 50), 0);
}

#define BBIO1 BYTES('B', 'B', 'I', 'O', '1')
#define SPI1 BYTES('S', 'P', 'I', '1')

/* From bit-bang mode to a board in reset, powered, at 1 MHz. */
static void hold_board(struct wire_bench *bench)
{
    HOST_TALK(bench->host, BYTES(0x01), SPI1);
    HOST_TALK(bench->host, BYTES(0x8A), BYTES(0x01));
    HOST_TALK(bench->host, BYTES(0x63), BYTES(0x01));
    HOST_TALK(bench->host, BYTES(0x4B), BYTES(0x01));
    assert_false(reset_is_low(bench));
    HOST_TALK(bench->host, BYTES(0x02), BYTES(0x01));
    assert_true(reset_is_low(bench));
}

static void start_holding(struct wire_bench *bench, const char *model)
{
    start(bench, model, false, BUSPIRATE_LEFT_IN_BIT_BANG);
    hold_board(bench);
}

/* ---- modes ---- */

static void twenty_zeros_leave_the_terminal(void **state)
{
    (void)state;
    struct wire_bench bench;
    static const uint8_t zeros[20];
    start(&bench, "buspirate-v3", false, BUSPIRATE_LEFT_IN_TERMINAL);
    host_send(bench.host, zeros, 19);
    expect_silence(&bench);
    HOST_TALK(bench.host, BYTES('x'), BYTES('x')); /* and the count begins anew */
    host_send(bench.host, zeros, 19);
    expect_silence(&bench);
    HOST_TALK(bench.host, zeros, 1, BBIO1);
    HOST_TALK(bench.host, zeros, 1, BBIO1);
    HOST_TALK(bench.host, BYTES(0x01), SPI1);
    HOST_TALK(bench.host, BYTES(0x01), SPI1);
    HOST_TALK(bench.host, zeros, 1, BBIO1);
    stop(&bench);
}

static void a_menu_takes_no_zeros(void **state)
{
    (void)state;
    struct wire_bench bench;
    uint8_t zeros[40] = {0}, answer[64];
    start(&bench, "buspirate-v3", false, BUSPIRATE_LEFT_IN_MENU);
    host_send(bench.host, zeros, sizeof zeros);
    assert_int_equal(host_read(bench.host, answer, sizeof zeros, HOST_PATIENCE_MS), sizeof zeros);
    HOST_TALK(bench.host, BYTES('\r'), BYTES('\r', '\n', 'H', 'i', 'Z', '>'));
    HOST_TALK(bench.host, zeros, 20, BBIO1);
    stop(&bench);
}

static void a_long_command_swallows_what_comes(void **state)
{
    (void)state;
    struct wire_bench bench;
    static const uint8_t zeros[4096];
    start(&bench, "buspirate-v3", false, BUSPIRATE_LEFT_IN_WRITE_THEN_READ);
    host_send(bench.host, zeros, 4095);
    expect_silence(&bench);
    HOST_TALK(bench.host, zeros, 1, BYTES(0x01));
    HOST_TALK(bench.host, zeros, 1, BBIO1);
    assert_int_equal(frame_count(&bench), 0); /* it drives nothing */
    stop(&bench);
}

static void it_tells_who_it_is(void **state)
{
    (void)state;
    struct wire_bench bench;
    char text[512];
    start(&bench, "buspirate-v3", false, BUSPIRATE_LEFT_IN_BIT_BANG);
    host_send(bench.host, BYTES(0x0F)); /* resets a v3, which says it by itself */
    host_await_text(bench.host, text, sizeof text, "Bus Pirate v3b\r\nFirmware v6.1 r1676");
    assert_int_equal(text[0], 0x01);
    stop(&bench);
    start(&bench, "buspirate-v4", false, BUSPIRATE_LEFT_IN_BIT_BANG);
    HOST_TALK(bench.host, BYTES(0x0F), BYTES(0x01, 'H', 'i', 'Z', '>'));
    host_send(bench.host, BYTES('i', '\r'));
    host_await_text(bench.host, text, sizeof text, "Bus Pirate v4\r\nFirmware v6.3-r2151");
    stop(&bench);
}

/* ---- lines ---- */

static void it_drives_nothing_until_it_is_told(void **state)
{
    (void)state;
    struct wire_bench bench;
    start(&bench, "buspirate-v3", false, BUSPIRATE_LEFT_IN_BIT_BANG);
    HOST_TALK(bench.host, BYTES(0x01), SPI1);
    HOST_TALK(bench.host, BYTES(0x02), BYTES(0x01)); /* no supply */
    assert_false(reset_is_low(&bench));
    HOST_TALK(bench.host, BYTES(0x13, 1, 2, 3, 4), BYTES(0x01, 0xFF, 0xFF, 0xFF, 0xFF));
    HOST_TALK(bench.host, BYTES(0x48), BYTES(0x01)); /* a supply, but lines that only pull down */
    assert_true(reset_is_low(&bench));
    HOST_TALK(bench.host, BYTES(0x13, 1, 2, 3, 4), BYTES(0x01, 0xFF, 0xFF, 0xFF, 0xFF));
    assert_int_equal(frame_count(&bench), 0);
    HOST_TALK(bench.host, BYTES(0x4C), BYTES(0x01)); /* pull-ups do */
    HOST_TALK(bench.host, BYTES(0x13, 1, 2, 3, 4), BYTES(0x01, 0x55, 1, 2, 5));
    HOST_TALK(bench.host, BYTES(0x8A), BYTES(0x01)); /* raises CS */
    assert_false(reset_is_low(&bench));
    HOST_TALK(bench.host, BYTES(0x02), BYTES(0x01));
    HOST_TALK(bench.host, BYTES(0x65), BYTES(0x01)); /* so does this */
    assert_false(reset_is_low(&bench));
    HOST_TALK(bench.host, BYTES(0x13, 1, 2, 3, 4), BYTES(0x01, 0x55, 1, 2, 5));
    assert_int_equal(bench.sck_hz, 2666666);
    HOST_TALK(bench.host, BYTES(0x02), BYTES(0x01));
    assert_true(reset_is_low(&bench));
    HOST_TALK(bench.host, BYTES(0x00), BBIO1); /* lets go of everything */
    assert_false(reset_is_low(&bench));
    assert_int_equal(bench.let_go, 1);
    stop(&bench);
}

static void the_adc_sees_the_supply(void **state)
{
    (void)state;
    struct wire_bench bench;
    start(&bench, "buspirate-v3", false, BUSPIRATE_LEFT_IN_BIT_BANG);
    HOST_TALK(bench.host, BYTES(0x14), BYTES(0, 0));
    HOST_TALK(bench.host, BYTES(0xC0), BYTES(0xC0));
    HOST_TALK(bench.host, BYTES(0x14), BYTES(0x03, 0x07)); /* 775 x 6.6 V / 1024 */
    HOST_TALK(bench.host, BYTES(0x01), SPI1);
    HOST_TALK(bench.host, BYTES(0x00), BBIO1);
    HOST_TALK(bench.host, BYTES(0x14), BYTES(0, 0));
    stop(&bench);
}

/* ---- commands ---- */

static void a_buffer_is_filled_before_anything_is_shifted(void **state)
{
    (void)state;
    struct wire_bench bench;
    start_holding(&bench, "buspirate-v3");
    host_send(bench.host, BYTES(0x05, 0, 8, 0, 0, 0x40, 0, 1, 2, 0x48, 0, 1));
    expect_silence(&bench);
    assert_int_equal(frame_count(&bench), 0);
    HOST_TALK(bench.host, BYTES(3), BYTES(0x01));
    expect_frame(&bench, 0, 0x40, 0, 1, 2);
    expect_frame(&bench, 1, 0x48, 0, 1, 3);
    HOST_TALK(bench.host, BYTES(0x05, 0, 3, 0, 1, 0xF0, 7, 8), BYTES(0x01, 15));
    expect_frame(&bench, 2, 0xF0, 7, 8, 0xFF); /* what it sends while it reads */
    HOST_TALK(bench.host, BYTES(0x05, 0, 0, 0, 0), BYTES(0x01));
    /* Too long: what was meant as data are commands. */
    HOST_TALK(bench.host, BYTES(0x05, 0x10, 0x01, 0, 0, 0x01), BYTES(0x00, 'S', 'P', 'I', '1'));
    assert_true(reset_is_low(&bench));
    HOST_TALK(bench.host, BYTES(0x04, 0, 4, 0, 0, 1, 2, 3, 4), BYTES(0x01));
    assert_false(reset_is_low(&bench)); /* 04 ends with CS high */
    stop(&bench);
}

static void the_community_s_firmware_streams(void **state)
{
    (void)state;
    struct wire_bench bench;
    start_holding(&bench, "buspirate-v3-community");
    host_send(bench.host, BYTES(0x05, 0, 8, 0, 0, 0x40, 0, 1, 2, 0x48, 0, 1));
    expect_silence(&bench);
    expect_frame(&bench, 0, 0x40, 0, 1, 2);
    assert_int_equal(frame_count(&bench), 1);
    HOST_TALK(bench.host, BYTES(3), BYTES(0x01));
    HOST_TALK(bench.host, BYTES(0x05, 0, 0, 0, 0), BYTES(0x00)); /* nothing to do is an error */
    HOST_TALK(bench.host, BYTES(0x05, 0, 3, 0, 1, 0xF0, 7, 8), BYTES(0x01, 15));
    stop(&bench);
}

static void old_firmware_takes_unknown_bytes_for_commands(void **state)
{
    (void)state;
    struct wire_bench bench;
    start_holding(&bench, "buspirate-v3-old");
    HOST_TALK(bench.host, BYTES(0x13, 1, 2, 3, 4), BYTES(0x01, 0x55, 1, 2, 5));
    HOST_TALK(bench.host, BYTES(0x05, 0, 0, 0, 1),
              BYTES(0x00, 'B', 'B', 'I', 'O', '1', 'B', 'B', 'I', 'O', '1', 'B', 'B', 'I', 'O', '1',
                    'S', 'P', 'I', '1'));
    assert_false(reset_is_low(&bench));
    HOST_TALK(bench.host, BYTES(0x06, 0), BYTES(0x00, 'B', 'B', 'I', 'O', '1'));
    stop(&bench);
}

static void an_open_frame_stays_open(void **state)
{
    (void)state;
    struct wire_bench bench;
    start_holding(&bench, "buspirate-v3");
    HOST_TALK(bench.host, BYTES(0x13, 9, 9, 9, 9), BYTES(0x01, 0x55, 9, 9, 18));
    HOST_TALK(bench.host, BYTES(0x12, 0xAC, 0x80, 0x00), BYTES(0x01, 0xFF, 0xAC, 0x80));
    assert_int_equal(frame_count(&bench), 1);
    HOST_TALK(bench.host, BYTES(0x10, 0x00), BYTES(0x01, 0x80));
    expect_frame(&bench, 1, 0xAC, 0x80, 0, 0);
    HOST_TALK(bench.host, BYTES(0x10, 0x77), BYTES(0x01, 0xFF));
    HOST_TALK(bench.host, BYTES(0x03), BYTES(0x01)); /* RESET begins anew */
    HOST_TALK(bench.host, BYTES(0x02), BYTES(0x01));
    HOST_TALK(bench.host, BYTES(0x13, 1, 2, 3, 4), BYTES(0x01, 0x55, 1, 2, 5));
    stop(&bench);
}

static void flash_is_read_up_to_a_sum(void **state)
{
    (void)state;
    struct wire_bench bench;
    start_holding(&bench, "buspirate-v3");
    HOST_TALK(bench.host, BYTES(0x06, 0), BYTES(0x01, 0x01));
    HOST_TALK(bench.host, BYTES(0x06, 1), BYTES(0x01, 0x01, 0, 1));
    HOST_TALK(bench.host, BYTES(0x06, 2, 0, 0, 0x12, 0x34, 0, 0, 0, 3),
              BYTES(0x01, 0x01, 0x46, 0x46, 0x47));
    expect_frame(&bench, 0, 0x20, 0x12, 0x34, 0);
    expect_frame(&bench, 1, 0x28, 0x12, 0x34, 0);
    expect_frame(&bench, 2, 0x20, 0x12, 0x35, 0);
    HOST_TALK(bench.host, BYTES(0x06, 2, 0, 0, 0xFF, 0xFE, 0, 0, 0, 1), BYTES(0x01, 0x01, 0xFD));
    HOST_TALK(bench.host, BYTES(0x06, 2, 0, 0, 0xFF, 0xFE, 0, 0, 0, 2), BYTES(0x01, 0x00));
    HOST_TALK(bench.host, BYTES(0x06, 2, 0, 1, 0, 0, 0, 0, 0, 1), BYTES(0x01, 0x00));
    HOST_TALK(bench.host, BYTES(0x06, 7), BYTES(0x01, 0x00));
    stop(&bench);
}

/* ---- the wire ---- */

static size_t overrun(struct wire_bench *bench)
{
    pthread_mutex_lock(&bench->lock);
    size_t count = bench->overrun;
    pthread_mutex_unlock(&bench->lock);
    return count;
}

static int64_t exchange_ms(struct wire_bench *bench, const uint8_t *sent, size_t count,
                           size_t answers)
{
    uint8_t found[512];
    int64_t start_ms = host_now_ms();
    host_send(bench->host, sent, count);
    assert_int_equal(host_read(bench->host, found, answers, HOST_PATIENCE_MS), answers);
    return host_now_ms() - start_ms;
}

/* 400 bytes take 35 ms at 115200 baud, and 64 bytes a tenth of a second at 30 kHz and four of them
 * fit into the UART meanwhile. */
static void a_uart_has_its_pace_and_overruns(void **state)
{
    (void)state;
    struct wire_bench bench;
    uint8_t command[5 + 400] = {0x05, 400 >> 8, 400 & 0xFF};
    start(&bench, "buspirate-v3", true, BUSPIRATE_LEFT_IN_BIT_BANG);
    hold_board(&bench);
    assert_true(exchange_ms(&bench, command, sizeof command, 1) >= 35 + 3);
    HOST_TALK(bench.host, BYTES(0x60), BYTES(0x01));
    assert_int_equal(overrun(&bench), 0);
    host_send(bench.host, BYTES(0x13, 1, 2, 3, 4)); /* one instruction fits */
    uint8_t answer[32];
    assert_int_equal(host_read(bench.host, answer, 5, HOST_PATIENCE_MS), 5);
    assert_int_equal(overrun(&bench), 0);
    host_send(bench.host, BYTES(0x1F, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16));
    for (int64_t until_ms = host_now_ms() + HOST_PATIENCE_MS; overrun(&bench) == 0;) {
        assert_true(host_now_ms() < until_ms);
        poll(NULL, 0, 5);
    }
    assert_true(host_read(bench.host, answer, 17, 200) < 17);
    stop(&bench);
}

static int64_t ten_answers_ms(const char *model)
{
    struct wire_bench bench;
    int64_t took_ms = 0;
    start(&bench, model, true, BUSPIRATE_LEFT_IN_BIT_BANG);
    for (int i = 0; i < 10; i++) {
        took_ms += exchange_ms(&bench, BYTES(0x00), 5);
    }
    stop(&bench);
    return took_ms;
}

/* Ten answers in a row wait ten times for the adapter's timer, half of it in the middle. */
static void an_adapter_answers_when_its_timer_says(void **state)
{
    (void)state;
    const int64_t least_ms = 9 * 16; /* each begins when the one before was heard */
    assert_true(ten_answers_ms("buspirate-v3-16ms") >= least_ms);
    /* The fastest of several, for the machine may be busy. */
    int64_t until_ms = host_now_ms() + HOST_PATIENCE_MS;
    while (ten_answers_ms("buspirate-v3") >= least_ms) {
        assert_true(host_now_ms() < until_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(twenty_zeros_leave_the_terminal),
        cmocka_unit_test(a_menu_takes_no_zeros),
        cmocka_unit_test(a_long_command_swallows_what_comes),
        cmocka_unit_test(it_tells_who_it_is),
        cmocka_unit_test(it_drives_nothing_until_it_is_told),
        cmocka_unit_test(the_adc_sees_the_supply),
        cmocka_unit_test(a_buffer_is_filled_before_anything_is_shifted),
        cmocka_unit_test(the_community_s_firmware_streams),
        cmocka_unit_test(old_firmware_takes_unknown_bytes_for_commands),
        cmocka_unit_test(an_open_frame_stays_open),
        cmocka_unit_test(flash_is_read_up_to_a_sum),
        cmocka_unit_test(a_uart_has_its_pace_and_overruns),
        cmocka_unit_test(an_adapter_answers_when_its_timer_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
