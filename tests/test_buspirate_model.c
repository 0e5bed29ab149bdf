/* The Bus Pirate's firmware, as a host sees it: its modes, its limits, and that they bite. */
#include "tests/bench_host.h"

#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>

#include "jigs/simbench/buspirate_model.h"

#define FRAMES_MAX 4096

/* What arrived on the ISP lines. The firmware's thread writes, the test reads after an answer. */
struct fixture {
    pthread_mutex_t lock;
    uint8_t frames[FRAMES_MAX][4];
    size_t frame_count;
    int64_t sck_hz;
    bool reset_low;
    int resets, let_go;
    size_t overrun;

    int stop_descriptor;
    struct wire *wire;
    struct isp_port port;
    struct wire_firmware_run options;
    pthread_t thread;
    int host;
};

static void drive_reset(void *context, bool low)
{
    struct fixture *fixture = context;
    pthread_mutex_lock(&fixture->lock);
    fixture->reset_low = low;
    fixture->resets += low;
    pthread_mutex_unlock(&fixture->lock);
}

/* A target that gives back what it heard, and at the end its second and third byte's sum. */
static enum isp_mishap transfer(void *context, const uint8_t mosi[4], uint8_t miso[4],
                                int64_t sck_hz, int64_t now_us, int64_t *away_us)
{
    (void)now_us;
    *away_us = 0;
    struct fixture *fixture = context;
    pthread_mutex_lock(&fixture->lock);
    fixture->sck_hz = sck_hz;
    if (fixture->frame_count < FRAMES_MAX) {
        memcpy(fixture->frames[fixture->frame_count++], mosi, 4);
    }
    pthread_mutex_unlock(&fixture->lock);
    miso[0] = 0x55;
    miso[1] = mosi[0];
    miso[2] = mosi[1];
    miso[3] = (uint8_t)(mosi[1] + mosi[2]);
    return ISP_MISHAP_NONE;
}

static void let_go(void *context)
{
    struct fixture *fixture = context;
    pthread_mutex_lock(&fixture->lock);
    fixture->let_go++;
    pthread_mutex_unlock(&fixture->lock);
}

static size_t pass(void *context, uint8_t *bytes, size_t count) /* NOLINT: as the wire wants it */
{
    (void)context;
    (void)bytes;
    return count;
}

static size_t pass_back(void *context, uint8_t *bytes, size_t count, int64_t *late_us)
{
    *late_us = 0;
    return pass(context, bytes, count);
}

static void note_overrun(void *context, size_t count)
{
    struct fixture *fixture = context;
    pthread_mutex_lock(&fixture->lock);
    fixture->overrun += count;
    pthread_mutex_unlock(&fixture->lock);
}

static void *run_firmware(void *context)
{
    const struct wire_firmware_run *run = context;
    run->firmware->run(run);
    return NULL;
}

static uint64_t seed_of(enum buspirate_left left)
{
    uint64_t seed = 0;
    while (buspirate_left_by_seed(seed) != left) {
        seed++;
    }
    return seed;
}

static void start(struct fixture *fixture, const char *model, bool real_pace,
                  enum buspirate_left left)
{
    memset(fixture, 0, sizeof *fixture);
    pthread_mutex_init(&fixture->lock, NULL);
    fixture->stop_descriptor = eventfd(0, EFD_CLOEXEC);
    fixture->port = (struct isp_port){
        .drive_reset = drive_reset, .transfer = transfer, .let_go = let_go, .context = fixture};
    fixture->options.firmware = wire_firmware_by_name(model);
    assert_non_null(fixture->options.firmware);
    const struct wire_options wire = {
        .real_pace = real_pace,
        .line = fixture->options.firmware->line,
        .baud = fixture->options.firmware->baud,
        .stop_descriptor = fixture->stop_descriptor,
        .to_programmer = pass,
        .from_programmer = pass_back,
        .overrun = note_overrun,
        .context = fixture,
    };
    struct failure failure = {0};
    assert_int_equal(wire_create(&wire, &fixture->wire, &failure), 0);
    fixture->options.wire = fixture->wire;
    fixture->options.port = &fixture->port;
    fixture->options.baud = wire.baud;
    fixture->options.real_pace = real_pace;
    fixture->options.seed = seed_of(left);
    assert_int_equal(pthread_create(&fixture->thread, NULL, run_firmware, &fixture->options), 0);
    fixture->host = host_open(wire_path(fixture->wire));
}

static void stop(struct fixture *fixture)
{
    eventfd_write(fixture->stop_descriptor, 1);
    pthread_join(fixture->thread, NULL);
    assert_false(fixture->reset_low);
    wire_free(fixture->wire);
    close(fixture->host);
    close(fixture->stop_descriptor);
    pthread_mutex_destroy(&fixture->lock);
}

static size_t frame_count(struct fixture *fixture)
{
    pthread_mutex_lock(&fixture->lock);
    size_t count = fixture->frame_count;
    pthread_mutex_unlock(&fixture->lock);
    return count;
}

static bool reset_is_low(struct fixture *fixture)
{
    pthread_mutex_lock(&fixture->lock);
    bool low = fixture->reset_low;
    pthread_mutex_unlock(&fixture->lock);
    return low;
}

static void expect_frame(struct fixture *fixture, size_t index, uint8_t a, uint8_t b, uint8_t c,
                         uint8_t d)
{
    const uint8_t wanted[4] = {a, b, c, d};
    pthread_mutex_lock(&fixture->lock);
    assert_true(index < fixture->frame_count);
    assert_memory_equal(fixture->frames[index], wanted, 4);
    pthread_mutex_unlock(&fixture->lock);
}

static void expect_silence(struct fixture *fixture)
{
    uint8_t byte;
    assert_int_equal(host_read(fixture->host, &byte, 1, 50), 0);
}

#define BBIO1 BYTES('B', 'B', 'I', 'O', '1')
#define SPI1 BYTES('S', 'P', 'I', '1')

/* From bit-bang mode to a board in reset, powered, at 1 MHz. */
static void hold_board(struct fixture *fixture)
{
    HOST_TALK(fixture->host, BYTES(0x01), SPI1);
    HOST_TALK(fixture->host, BYTES(0x8A), BYTES(0x01));
    HOST_TALK(fixture->host, BYTES(0x63), BYTES(0x01));
    HOST_TALK(fixture->host, BYTES(0x4B), BYTES(0x01));
    assert_false(reset_is_low(fixture));
    HOST_TALK(fixture->host, BYTES(0x02), BYTES(0x01));
    assert_true(reset_is_low(fixture));
}

static void start_holding(struct fixture *fixture, const char *model)
{
    start(fixture, model, false, BUSPIRATE_LEFT_IN_BIT_BANG);
    hold_board(fixture);
}

/* ---- modes ---- */

static void twenty_zeros_leave_the_terminal(void **state)
{
    (void)state;
    struct fixture fixture;
    static const uint8_t zeros[20];
    start(&fixture, "buspirate-v3", false, BUSPIRATE_LEFT_IN_TERMINAL);
    host_send(fixture.host, zeros, 19);
    expect_silence(&fixture);
    HOST_TALK(fixture.host, BYTES('x'), BYTES('x')); /* and the count begins anew */
    host_send(fixture.host, zeros, 19);
    expect_silence(&fixture);
    HOST_TALK(fixture.host, zeros, 1, BBIO1);
    HOST_TALK(fixture.host, zeros, 1, BBIO1);
    HOST_TALK(fixture.host, BYTES(0x01), SPI1);
    HOST_TALK(fixture.host, BYTES(0x01), SPI1);
    HOST_TALK(fixture.host, zeros, 1, BBIO1);
    stop(&fixture);
}

static void a_menu_takes_no_zeros(void **state)
{
    (void)state;
    struct fixture fixture;
    uint8_t zeros[40] = {0}, answer[64];
    start(&fixture, "buspirate-v3", false, BUSPIRATE_LEFT_IN_MENU);
    host_send(fixture.host, zeros, sizeof zeros);
    assert_int_equal(host_read(fixture.host, answer, sizeof zeros, HOST_PATIENCE_MS), sizeof zeros);
    HOST_TALK(fixture.host, BYTES('\r'), BYTES('\r', '\n', 'H', 'i', 'Z', '>'));
    HOST_TALK(fixture.host, zeros, 20, BBIO1);
    stop(&fixture);
}

static void a_long_command_swallows_what_comes(void **state)
{
    (void)state;
    struct fixture fixture;
    static const uint8_t zeros[4096];
    start(&fixture, "buspirate-v3", false, BUSPIRATE_LEFT_IN_WRITE_THEN_READ);
    host_send(fixture.host, zeros, 4095);
    expect_silence(&fixture);
    HOST_TALK(fixture.host, zeros, 1, BYTES(0x01));
    HOST_TALK(fixture.host, zeros, 1, BBIO1);
    assert_int_equal(frame_count(&fixture), 0); /* it drives nothing */
    stop(&fixture);
}

static void it_tells_who_it_is(void **state)
{
    (void)state;
    struct fixture fixture;
    char text[512] = "";
    start(&fixture, "buspirate-v3", false, BUSPIRATE_LEFT_IN_BIT_BANG);
    host_send(fixture.host, BYTES(0x0F)); /* resets a v3, which says it by itself */
    host_read(fixture.host, (uint8_t *)text, sizeof text - 1, 100);
    assert_int_equal(text[0], 0x01);
    assert_non_null(strstr(text, "Bus Pirate v3b\r\nFirmware v6.1 r1676"));
    stop(&fixture);
    start(&fixture, "buspirate-v4", false, BUSPIRATE_LEFT_IN_BIT_BANG);
    HOST_TALK(fixture.host, BYTES(0x0F), BYTES(0x01, 'H', 'i', 'Z', '>'));
    memset(text, 0, sizeof text);
    host_send(fixture.host, BYTES('i', '\r'));
    host_read(fixture.host, (uint8_t *)text, sizeof text - 1, 100);
    assert_non_null(strstr(text, "Bus Pirate v4\r\nFirmware v6.3-r2151"));
    stop(&fixture);
}

/* ---- lines ---- */

static void it_drives_nothing_until_it_is_told(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, "buspirate-v3", false, BUSPIRATE_LEFT_IN_BIT_BANG);
    HOST_TALK(fixture.host, BYTES(0x01), SPI1);
    HOST_TALK(fixture.host, BYTES(0x02), BYTES(0x01)); /* no supply */
    assert_false(reset_is_low(&fixture));
    HOST_TALK(fixture.host, BYTES(0x13, 1, 2, 3, 4), BYTES(0x01, 0xFF, 0xFF, 0xFF, 0xFF));
    HOST_TALK(fixture.host, BYTES(0x48), BYTES(0x01)); /* a supply, but lines that only pull down */
    assert_true(reset_is_low(&fixture));
    HOST_TALK(fixture.host, BYTES(0x13, 1, 2, 3, 4), BYTES(0x01, 0xFF, 0xFF, 0xFF, 0xFF));
    assert_int_equal(frame_count(&fixture), 0);
    HOST_TALK(fixture.host, BYTES(0x4C), BYTES(0x01)); /* pull-ups do */
    HOST_TALK(fixture.host, BYTES(0x13, 1, 2, 3, 4), BYTES(0x01, 0x55, 1, 2, 5));
    HOST_TALK(fixture.host, BYTES(0x8A), BYTES(0x01)); /* raises CS */
    assert_false(reset_is_low(&fixture));
    HOST_TALK(fixture.host, BYTES(0x02), BYTES(0x01));
    HOST_TALK(fixture.host, BYTES(0x65), BYTES(0x01)); /* so does this */
    assert_false(reset_is_low(&fixture));
    HOST_TALK(fixture.host, BYTES(0x13, 1, 2, 3, 4), BYTES(0x01, 0x55, 1, 2, 5));
    assert_int_equal(fixture.sck_hz, 2666666);
    HOST_TALK(fixture.host, BYTES(0x02), BYTES(0x01));
    assert_true(reset_is_low(&fixture));
    HOST_TALK(fixture.host, BYTES(0x00), BBIO1); /* lets go of everything */
    assert_false(reset_is_low(&fixture));
    assert_int_equal(fixture.let_go, 1);
    stop(&fixture);
}

static void the_adc_sees_the_supply(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, "buspirate-v3", false, BUSPIRATE_LEFT_IN_BIT_BANG);
    HOST_TALK(fixture.host, BYTES(0x14), BYTES(0, 0));
    HOST_TALK(fixture.host, BYTES(0xC0), BYTES(0xC0));
    HOST_TALK(fixture.host, BYTES(0x14), BYTES(0x03, 0x07)); /* 775 x 6.6 V / 1024 */
    HOST_TALK(fixture.host, BYTES(0x01), SPI1);
    HOST_TALK(fixture.host, BYTES(0x00), BBIO1);
    HOST_TALK(fixture.host, BYTES(0x14), BYTES(0, 0));
    stop(&fixture);
}

/* ---- commands ---- */

static void a_buffer_is_filled_before_anything_is_shifted(void **state)
{
    (void)state;
    struct fixture fixture;
    start_holding(&fixture, "buspirate-v3");
    host_send(fixture.host, BYTES(0x05, 0, 8, 0, 0, 0x40, 0, 1, 2, 0x48, 0, 1));
    expect_silence(&fixture);
    assert_int_equal(frame_count(&fixture), 0);
    HOST_TALK(fixture.host, BYTES(3), BYTES(0x01));
    expect_frame(&fixture, 0, 0x40, 0, 1, 2);
    expect_frame(&fixture, 1, 0x48, 0, 1, 3);
    HOST_TALK(fixture.host, BYTES(0x05, 0, 3, 0, 1, 0xF0, 7, 8), BYTES(0x01, 15));
    expect_frame(&fixture, 2, 0xF0, 7, 8, 0xFF); /* what it sends while it reads */
    HOST_TALK(fixture.host, BYTES(0x05, 0, 0, 0, 0), BYTES(0x01));
    /* Too long: what was meant as data are commands. */
    HOST_TALK(fixture.host, BYTES(0x05, 0x10, 0x01, 0, 0, 0x01), BYTES(0x00, 'S', 'P', 'I', '1'));
    assert_true(reset_is_low(&fixture));
    HOST_TALK(fixture.host, BYTES(0x04, 0, 4, 0, 0, 1, 2, 3, 4), BYTES(0x01));
    assert_false(reset_is_low(&fixture)); /* 04 ends with CS high */
    stop(&fixture);
}

static void the_community_s_firmware_streams(void **state)
{
    (void)state;
    struct fixture fixture;
    start_holding(&fixture, "buspirate-v3-community");
    host_send(fixture.host, BYTES(0x05, 0, 8, 0, 0, 0x40, 0, 1, 2, 0x48, 0, 1));
    expect_silence(&fixture);
    expect_frame(&fixture, 0, 0x40, 0, 1, 2);
    assert_int_equal(frame_count(&fixture), 1);
    HOST_TALK(fixture.host, BYTES(3), BYTES(0x01));
    HOST_TALK(fixture.host, BYTES(0x05, 0, 0, 0, 0), BYTES(0x00)); /* nothing to do is an error */
    HOST_TALK(fixture.host, BYTES(0x05, 0, 3, 0, 1, 0xF0, 7, 8), BYTES(0x01, 15));
    stop(&fixture);
}

static void old_firmware_takes_unknown_bytes_for_commands(void **state)
{
    (void)state;
    struct fixture fixture;
    start_holding(&fixture, "buspirate-v3-old");
    HOST_TALK(fixture.host, BYTES(0x13, 1, 2, 3, 4), BYTES(0x01, 0x55, 1, 2, 5));
    HOST_TALK(fixture.host, BYTES(0x05, 0, 0, 0, 1),
              BYTES(0x00, 'B', 'B', 'I', 'O', '1', 'B', 'B', 'I', 'O', '1', 'B', 'B', 'I', 'O', '1',
                    'S', 'P', 'I', '1'));
    assert_false(reset_is_low(&fixture));
    HOST_TALK(fixture.host, BYTES(0x06, 0), BYTES(0x00, 'B', 'B', 'I', 'O', '1'));
    stop(&fixture);
}

static void an_open_frame_stays_open(void **state)
{
    (void)state;
    struct fixture fixture;
    start_holding(&fixture, "buspirate-v3");
    HOST_TALK(fixture.host, BYTES(0x13, 9, 9, 9, 9), BYTES(0x01, 0x55, 9, 9, 18));
    HOST_TALK(fixture.host, BYTES(0x12, 0xAC, 0x80, 0x00), BYTES(0x01, 0xFF, 0xAC, 0x80));
    assert_int_equal(frame_count(&fixture), 1);
    HOST_TALK(fixture.host, BYTES(0x10, 0x00), BYTES(0x01, 0x80));
    expect_frame(&fixture, 1, 0xAC, 0x80, 0, 0);
    HOST_TALK(fixture.host, BYTES(0x10, 0x77), BYTES(0x01, 0xFF));
    HOST_TALK(fixture.host, BYTES(0x03), BYTES(0x01)); /* RESET begins anew */
    HOST_TALK(fixture.host, BYTES(0x02), BYTES(0x01));
    HOST_TALK(fixture.host, BYTES(0x13, 1, 2, 3, 4), BYTES(0x01, 0x55, 1, 2, 5));
    stop(&fixture);
}

static void flash_is_read_up_to_a_sum(void **state)
{
    (void)state;
    struct fixture fixture;
    start_holding(&fixture, "buspirate-v3");
    HOST_TALK(fixture.host, BYTES(0x06, 0), BYTES(0x01, 0x01));
    HOST_TALK(fixture.host, BYTES(0x06, 1), BYTES(0x01, 0x01, 0, 1));
    HOST_TALK(fixture.host, BYTES(0x06, 2, 0, 0, 0x12, 0x34, 0, 0, 0, 3),
              BYTES(0x01, 0x01, 0x46, 0x46, 0x47));
    expect_frame(&fixture, 0, 0x20, 0x12, 0x34, 0);
    expect_frame(&fixture, 1, 0x28, 0x12, 0x34, 0);
    expect_frame(&fixture, 2, 0x20, 0x12, 0x35, 0);
    HOST_TALK(fixture.host, BYTES(0x06, 2, 0, 0, 0xFF, 0xFE, 0, 0, 0, 1), BYTES(0x01, 0x01, 0xFD));
    HOST_TALK(fixture.host, BYTES(0x06, 2, 0, 0, 0xFF, 0xFE, 0, 0, 0, 2), BYTES(0x01, 0x00));
    HOST_TALK(fixture.host, BYTES(0x06, 2, 0, 1, 0, 0, 0, 0, 0, 1), BYTES(0x01, 0x00));
    HOST_TALK(fixture.host, BYTES(0x06, 7), BYTES(0x01, 0x00));
    stop(&fixture);
}

/* ---- the wire ---- */

static int64_t exchange_ms(struct fixture *fixture, const uint8_t *sent, size_t count,
                           size_t answers)
{
    uint8_t found[512];
    int64_t start_ms = host_now_ms();
    host_send(fixture->host, sent, count);
    assert_int_equal(host_read(fixture->host, found, answers, HOST_PATIENCE_MS), answers);
    return host_now_ms() - start_ms;
}

/* 400 bytes take 35 ms at 115200 baud, and 64 bytes a tenth of a second at 30 kHz and four of them
 * fit into the UART meanwhile. */
static void a_uart_has_its_pace_and_overruns(void **state)
{
    (void)state;
    struct fixture fixture;
    uint8_t command[5 + 400] = {0x05, 400 >> 8, 400 & 0xFF};
    start(&fixture, "buspirate-v3", true, BUSPIRATE_LEFT_IN_BIT_BANG);
    hold_board(&fixture);
    assert_true(exchange_ms(&fixture, command, sizeof command, 1) >= 35 + 3);
    HOST_TALK(fixture.host, BYTES(0x60), BYTES(0x01));
    assert_int_equal(fixture.overrun, 0);
    host_send(fixture.host, BYTES(0x13, 1, 2, 3, 4)); /* one instruction fits */
    uint8_t answer[32];
    assert_int_equal(host_read(fixture.host, answer, 5, HOST_PATIENCE_MS), 5);
    assert_int_equal(fixture.overrun, 0);
    host_send(fixture.host, BYTES(0x1F, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16));
    assert_true(host_read(fixture.host, answer, 17, 200) < 17);
    assert_true(fixture.overrun > 0);
    stop(&fixture);
}

/* Ten answers in a row wait ten times for the adapter's timer, half of it in the middle. */
static void an_adapter_answers_when_its_timer_says(void **state)
{
    (void)state;
    struct fixture fixture;
    int64_t took_ms[2] = {0};
    for (int slow = 0; slow < 2; slow++) {
        start(&fixture, slow ? "buspirate-v3-16ms" : "buspirate-v3", true,
              BUSPIRATE_LEFT_IN_BIT_BANG);
        for (int i = 0; i < 10; i++) {
            took_ms[slow] += exchange_ms(&fixture, BYTES(0x00), 5);
        }
        stop(&fixture);
    }
    assert_true(took_ms[1] >= 9 * 16); /* each begins when the one before was heard */
    assert_true(took_ms[1] > took_ms[0]);
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
