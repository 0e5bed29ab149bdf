/* The USB link over USB/IP: every outcome of a transfer, and a server that lies, is silent or goes
 * away. What libusb does is tried with a real kernel, in tests/qemu. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "jigs/link_stream.h"
#include "jigs/link_usb.h"
#include "jigs/link_usb_backend.h"
#include "tests/usbip_script.h"

#define SECOND_US INT64_C(1000000)
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct operation within(int64_t duration_us)
{
    return (struct operation){.deadline_us = operation_now_us() + duration_us};
}

static struct link_usb *open_link(struct script_server *server)
{
    struct operation operation = within(20 * SECOND_US);
    struct failure failure = {0};
    struct link_usb *usb = NULL;

    assert_true(script_start(server));
    if (link_usb_open(&server->place, &operation, &usb, &failure) != 0)
        fail_msg("%s", failure.detail);
    return usb;
}

static void end(struct script_server *server, struct link_usb *usb)
{
    link_usb_close(usb);
    script_stop(server);
    assert_string_equal(server->failed, "");
}

static struct link_usb_transfer to_host(uint8_t request, uint8_t *data, uint16_t length)
{
    return (struct link_usb_transfer){.request_type = 0xC0,
                                      .request = request,
                                      .length = length,
                                      .data = data,
                                      .silence_us = 10 * SECOND_US};
}

static void assert_failure(const struct failure *failure, enum failure_code code, const char *says)
{
    if (failure->code != code || strstr(failure->detail, says) == NULL)
        fail_msg("found %s '%s', expected %s '%s'", failure_lookup(failure->code)->name,
                 failure->detail, failure_lookup(code)->name, says);
}

/* ---- opening ---- */

static void the_device_says_who_it_is(void **state)
{
    (void)state;
    struct script_server server = {.serial = "0042"};
    struct link_usb *usb = open_link(&server);
    const struct link_usb_identity *identity = link_usb_identity(usb);

    assert_int_equal(identity->vendor, 0x16C0);
    assert_int_equal(identity->product, 0x05DC);
    assert_int_equal(identity->release, 0x0104);
    assert_string_equal(identity->manufacturer, "www.fischl.de");
    assert_string_equal(identity->product_name, "USBasp");
    assert_string_equal(identity->serial, "0042");
    end(&server, usb);
}

static void texts_that_do_not_come_are_empty(void **state)
{
    (void)state;
    struct script_server server = {.text_status = -EPIPE};
    struct link_usb *usb = open_link(&server);

    assert_int_equal(link_usb_identity(usb)->vendor, 0x16C0);
    assert_string_equal(link_usb_identity(usb)->product_name, "");
    end(&server, usb);
    assert_int_equal(server.standard_count, 4); /* a stall is an answer: nothing was asked twice */
}

static void texts_are_made_fit_to_be_shown(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        uint16_t received;
        const char *text;
    } texts[] = {
        {"\x08\x03U\0S\0B\0", 8, "USB"},
        {"\xFF\x03U\0S\0", 6, "US"},
        {"\x04\x03U\0S\0B\0", 8, "U"},
        {"\x05\x03U\0S", 5, "U"},
        {"\x06\x03\n\0\x1B\0", 6, "??"},
        {"\x06\x03\xFC\0\xAC\x20", 6, "\xC3\xBC\xE2\x82\xAC"},
        {"\x06\x03\x3D\xD8\x00\xDE", 6, "??"},
        {"\x06\x03\0\0A\0", 6, "?A"},
        {"\x06\x02U\0S\0", 6, ""},
        {"\x01\x03U\0", 4, ""},
        {"\x04", 1, ""},
        {"", 0, ""},
    };

    for (size_t i = 0; i < COUNT(texts); i++) {
        uint8_t bytes[255] = {0};
        char text[64];

        memcpy(bytes, texts[i].bytes, texts[i].received);
        link_usb_text(bytes, texts[i].received, text, sizeof text);
        assert_string_equal(text, texts[i].text);
    }
}

static void assert_no_open(struct script_server *server, int64_t time_us, enum failure_code code,
                           const char *says)
{
    struct operation operation = within(time_us);
    struct failure failure = {0};
    struct link_usb *usb = NULL;

    assert_true(script_start(server));
    assert_int_equal(link_usb_open(&server->place, &operation, &usb, &failure), -1);
    assert_null(usb);
    assert_failure(&failure, code, says);
    assert_non_null(strstr(failure.detail, code == FAILURE_DEADLINE ? "" : "/1-1.4: "));
    script_stop(server);
    assert_string_equal(server->failed, "");
}

static void a_server_that_gives_no_device(void **state)
{
    (void)state;
    static const struct {
        struct script_server server;
        int64_t time_us;
        enum failure_code code;
        const char *says;
    } cases[] = {
        {{.import = IMPORT_STATUS, .import_status = 1}, 20000000, FAILURE_PLACE_MISSING, "nothing"},
        {{.import = IMPORT_STATUS, .import_status = 2}, 20000000, FAILURE_PLACE_BUSY, "another"},
        {{.import = IMPORT_STATUS, .import_status = 4}, 20000000, FAILURE_PLACE_MISSING, "nothing"},
        {{.import = IMPORT_STATUS, .import_status = 0xFFFFFFFF},
         20000000,
         FAILURE_PROGRAMMER_OUT_OF_STEP,
         "status 4294967295"},
        {{.import = IMPORT_OTHER_VERSION},
         20000000,
         FAILURE_PROGRAMMER_OUT_OF_STEP,
         "0106 0003, expected 0111 0003"},
        {{.import = IMPORT_OTHER_DEVICE},
         20000000,
         FAILURE_PROGRAMMER_OUT_OF_STEP,
         "'1-1.5', expected '1-1.4'"},
        {{.import = IMPORT_SILENT}, 20000000, FAILURE_PROGRAMMER_SILENT, "0 bytes of 8"},
        {{.import = IMPORT_SILENT}, 100000, FAILURE_DEADLINE, ""},
        {{.import = IMPORT_HALF}, 20000000, FAILURE_PROGRAMMER_GONE, "closed the connection"},
        {{.device_bytes = 8}, 20000000, FAILURE_PROGRAMMER_OUT_OF_STEP, "descriptor of 8 bytes"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct script_server server = cases[i].server;

        assert_no_open(&server, cases[i].time_us, cases[i].code, cases[i].says);
    }
}

static void places_that_lead_nowhere(void **state)
{
    (void)state;
    struct script_server server = {0};
    struct operation operation = within(20 * SECOND_US);
    struct failure failure = {0};
    struct link_usb *usb = NULL;
    struct link_stream *stream = NULL;
    struct place tcp = {.kind = PLACE_TCP, .path = "127.0.0.1", .port = 1};
    struct place far = {.kind = PLACE_USBIP, .path = "192.0.2.1", .port = 3240, .bus_id = "1-1"};
    struct place empty = {.kind = PLACE_USB, .path = "200-7.7"};
    struct place nobody = {.kind = PLACE_USB_SERIAL, .path = "no such serial number"};

    assert_true(script_start(&server));
    script_stop(&server);
    assert_int_equal(link_usb_open(&server.place, &operation, &usb, &failure), -1);
    assert_failure(&failure, FAILURE_PLACE_MISSING, "connect: Connection refused");
    assert_int_equal(link_usb_open(&far, &operation, &usb, &failure), -1);
    assert_failure(&failure, FAILURE_PLACE_DENIED, "this machine only");
    assert_int_equal(link_usb_open(&tcp, &operation, &usb, &failure), -1);
    assert_failure(&failure, FAILURE_PLACE_MISSING, "tcp:127.0.0.1:1 is no USB place");
    assert_int_equal(link_usb_open(&empty, &operation, &usb, &failure), -1);
    assert_failure(&failure, FAILURE_PLACE_MISSING, "usb:200-7.7: nothing is plugged in there");
    assert_int_equal(link_usb_open(&nobody, &operation, &usb, &failure), -1);
    assert_failure(&failure, FAILURE_PLACE_MISSING, "usb:serial=no such serial number");
    assert_int_equal(link_stream_open(&empty, 19200, &operation, &stream, &failure), -1);
    assert_failure(&failure, FAILURE_PLACE_MISSING, "no stream");
    assert_null(usb);
    link_usb_close(NULL);
}

/* ---- transfers ---- */

static void transfers_carry_what_they_are_given(void **state)
{
    (void)state;
    struct script_server server = {0};
    struct link_usb *usb = open_link(&server);
    struct operation operation = within(20 * SECOND_US);
    struct failure failure = {0};
    uint8_t out[4096], in[4096], spi[4] = {0};
    size_t done = 0;
    struct link_usb_transfer transfers[] = {
        {.request_type = 0x40,
         .request = 6,
         .value = 0x1234,
         .index = 0x80F3,
         .length = sizeof out,
         .data = out,
         .silence_us = 10 * SECOND_US},
        to_host(4, in, sizeof in),
        to_host(3, spi, sizeof spi),
        to_host(1, NULL, 0),
    };

    for (size_t i = 0; i < sizeof out; i++)
        out[i] = (uint8_t)(i * 7);
    if (link_usb_control(usb, transfers, COUNT(transfers), &operation, &done, &failure) != 0)
        fail_msg("%s", failure.detail);
    end(&server, usb);
    assert_int_equal(done, COUNT(transfers));
    assert_int_equal(server.request_count, COUNT(transfers));
    assert_memory_equal(server.requests[0].setup, "\x40\x06\x34\x12\xF3\x80\x00\x10", 8);
    assert_memory_equal(server.requests[0].data, out, sizeof out);
    assert_memory_equal(server.requests[3].setup, "\xC0\x01\0\0\0\0\0\0", 8);
    for (size_t i = 0; i < sizeof in; i++)
        assert_int_equal(in[i], (uint8_t)(i + 4));
    for (size_t i = 0; i < COUNT(transfers); i++)
        assert_int_equal(transfers[i].received, transfers[i].length);
}

/* The first of each three is answered only when the other two have come. */
static void three_are_under_way_at_a_time(void **state)
{
    (void)state;
    static const struct script_step steps[] = {{.act = ACT_HOLD, .bytes = 2}, {0}, {0},
                                               {.act = ACT_HOLD, .bytes = 2}, {0}, {0}};
    struct script_server server = {.steps = steps, .step_count = COUNT(steps)};
    struct link_usb *usb = open_link(&server);
    struct operation operation = within(20 * SECOND_US);
    struct failure failure = {0};
    uint8_t data[7][8] = {0};
    size_t done = 0;
    struct link_usb_transfer transfers[7];

    for (uint8_t i = 0; i < 7; i++)
        transfers[i] = to_host((uint8_t)(10 * i), data[i], 8);
    if (link_usb_control(usb, transfers, 7, &operation, &done, &failure) != 0)
        fail_msg("%s", failure.detail);
    end(&server, usb);
    assert_int_equal(done, 7);
    for (uint8_t i = 0; i < 7; i++) {
        assert_int_equal(server.requests[i].setup[1], 10 * i);
        assert_int_equal(data[i][7], 10 * i + 7);
    }
}

static void a_short_reply_is_told_and_no_failure(void **state)
{
    (void)state;
    static const struct script_step steps[] = {{.act = ACT_ANSWER, .bytes = 3},
                                               {.act = ACT_TRICKLE, .bytes = 60},
                                               {.act = ACT_STATUS, .status = 0}};
    struct script_server server = {.steps = steps, .step_count = COUNT(steps)};
    struct link_usb *usb = open_link(&server);
    struct operation operation = within(20 * SECOND_US);
    uint8_t data[3][64];
    struct link_usb_transfer transfers[] = {to_host(0, data[0], 64), to_host(0, data[1], 64),
                                            to_host(0, data[2], 64)};

    memset(data, 0xEE, sizeof data);
    assert_int_equal(link_usb_control(usb, transfers, 3, &operation, NULL, NULL), 0);
    end(&server, usb);
    assert_int_equal(transfers[0].received, 3);
    assert_memory_equal(data[0], "\0\1\2\xEE\xEE", 5);
    assert_int_equal(transfers[1].received, 60);
    assert_int_equal(data[1][59], 59);
    assert_int_equal(data[1][60], 0xEE);
    assert_int_equal(transfers[2].received, 0);
}

static void note_progress(void *context, uint32_t done_bytes)
{
    uint32_t *told = context;

    told[told[0]] = done_bytes;
    told[0]++;
}

static void a_short_reply_ends_it_where_all_was_wanted(void **state)
{
    (void)state;
    static const struct script_step steps[] = {{.act = ACT_ANSWER},
                                               {.act = ACT_ANSWER, .bytes = 3}};
    struct script_server server = {.steps = steps, .step_count = COUNT(steps)};
    struct link_usb *usb = open_link(&server);
    struct operation operation = within(20 * SECOND_US);
    struct failure failure = {0};
    uint32_t told[6] = {1};
    uint8_t data[5][8];
    size_t done = 0;
    struct link_usb_transfer transfers[5];

    for (uint8_t i = 0; i < 5; i++) {
        transfers[i] = to_host(i, data[i], 8);
        transfers[i].whole = true;
        transfers[i].progress = 10U + i;
    }
    operation.progress = note_progress;
    operation.context = told;
    assert_int_equal(link_usb_control(usb, transfers, 5, &operation, &done, &failure), -1);
    assert_failure(&failure, FAILURE_PROGRAMMER_OUT_OF_STEP, "request 1 moved 3 bytes, expected 8");
    assert_int_equal(done, 2);
    assert_int_equal(transfers[1].received, 3);
    assert_int_equal(told[0], 2); /* the first alone */
    assert_int_equal(told[1], 10);
    end(&server, usb);
    assert_in_range(server.request_count, 2, 4); /* the others were under way already */
}

static void progress_is_told_transfer_by_transfer(void **state)
{
    (void)state;
    static const struct script_step steps[] = {{.act = ACT_ANSWER},
                                               {.act = ACT_ANSWER},
                                               {.act = ACT_ANSWER},
                                               {.act = ACT_STATUS, .status = -EPIPE}};
    struct script_server server = {.steps = steps, .step_count = COUNT(steps)};
    struct link_usb *usb = open_link(&server);
    uint32_t told[6] = {1};
    struct operation operation = within(20 * SECOND_US);
    uint8_t data[4][8];
    struct link_usb_transfer transfers[4];

    operation.progress = note_progress;
    operation.context = told;
    for (uint8_t i = 0; i < 4; i++) {
        transfers[i] = to_host(i, data[i], 8);
        transfers[i].progress = i == 1 ? 0 : 10U + i;
    }
    assert_int_equal(link_usb_control(usb, transfers, 4, &operation, NULL, NULL), -1);
    end(&server, usb);
    assert_int_equal(told[0], 3); /* the second has nothing to tell, the fourth was not done */
    assert_int_equal(told[1], 10);
    assert_int_equal(told[2], 12);
}

struct outcome_case {
    const char *says;
    struct script_step step; /* of the second of three */
    unsigned silence_ms;
    enum failure_code code;
    unsigned unlinks_max; /* the third may be under way, and the second */
    bool lost;            /* nothing more can be done with this link */
};

static void try_outcome(const struct outcome_case *trial)
{
    const struct script_step steps[] = {{.act = ACT_ANSWER}, trial->step, {.act = ACT_SILENT}};
    struct script_server server = {.steps = steps, .step_count = COUNT(steps)};
    struct link_usb *usb = open_link(&server);
    struct operation operation = within(20 * SECOND_US);
    struct failure failure = {0};
    uint8_t data[4][8];
    size_t done = 9;
    struct link_usb_transfer transfers[] = {to_host(0, data[0], 8), to_host(0x11, data[1], 8),
                                            to_host(0, data[2], 8)};
    struct link_usb_transfer next = to_host(5, data[3], 8);
    int64_t before_us = operation_now_us();

    transfers[1].silence_us = INT64_C(1000) * trial->silence_ms;
    assert_int_equal(link_usb_control(usb, transfers, 3, &operation, &done, &failure), -1);
    int64_t took_us = operation_now_us() - before_us;
    assert_failure(&failure, trial->code, trial->says);
    /* A stream that cannot be believed may take a good answer along that came with the bad one. */
    assert_in_range(done, trial->lost ? 0 : 1, 1);
    assert_int_equal(transfers[0].received, 8 * done);
    assert_int_equal(transfers[1].received, 0);
    assert_in_range(took_us, trial->silence_ms < 1000 ? 1000 * trial->silence_ms : 0,
                    15 * SECOND_US);
    int result = link_usb_control(usb, &next, 1, &operation, &done, &failure);
    if (trial->lost) {
        assert_int_equal(result, -1);
        assert_failure(&failure, FAILURE_PROGRAMMER_GONE, "was unplugged");
    } else if (result != 0 || done != 1 || data[3][7] != 12) {
        fail_msg("next: %s", failure.detail);
    }
    end(&server, usb);
    assert_in_range(server.unlink_count, 0, trial->unlinks_max);
    /* Else the later one would begin when the earlier one was taken back. */
    if (server.unlink_count == 2)
        assert_true(server.unlinked[0] > server.unlinked[1]);
}

#define LONG_MS 10000

static const struct outcome_case outcome_cases[] = {
    {"stall at request 17",
     {.act = ACT_STATUS, .status = -EPIPE},
     LONG_MS,
     FAILURE_PROGRAMMER_STALLED,
     1,
     false},
    {"unplugged",
     {.act = ACT_STATUS, .status = -ENODEV},
     LONG_MS,
     FAILURE_PROGRAMMER_GONE,
     1,
     true},
    {"unplugged",
     {.act = ACT_STATUS, .status = -ESHUTDOWN},
     LONG_MS,
     FAILURE_PROGRAMMER_GONE,
     1,
     true},
    {"bus error at request 17",
     {.act = ACT_STATUS, .status = -EPROTO},
     LONG_MS,
     FAILURE_PROGRAMMER_OUT_OF_STEP,
     1,
     false},
    {"bus error",
     {.act = ACT_STATUS, .status = 5},
     LONG_MS,
     FAILURE_PROGRAMMER_OUT_OF_STEP,
     1,
     false},
    {"bus error",
     {.act = ACT_STATUS, .status = INT32_MIN},
     LONG_MS,
     FAILURE_PROGRAMMER_OUT_OF_STEP,
     1,
     false},
    {"given back unasked",
     {.act = ACT_STATUS, .status = -ECONNRESET},
     LONG_MS,
     FAILURE_PROGRAMMER_OUT_OF_STEP,
     1,
     false},
    {"gave request 17 up",
     {.act = ACT_STATUS, .status = -ETIMEDOUT},
     LONG_MS,
     FAILURE_PROGRAMMER_SILENT,
     1,
     false},
    {"no answer to request 17 within 60 ms",
     {.act = ACT_SILENT},
     60,
     FAILURE_PROGRAMMER_SILENT,
     2,
     false},
    {"within 60 ms", {.act = ACT_LATE}, 60, FAILURE_PROGRAMMER_SILENT, 2, false},
    {"within 60 ms", {.act = ACT_LATE, .status = 2}, 60, FAILURE_PROGRAMMER_SILENT, 2, true},
    {"within 60 ms", {.act = ACT_DEAF}, 60, FAILURE_PROGRAMMER_SILENT, 2, true},
    {"9 bytes were transferred, expected at most 8",
     {.act = ACT_LENGTH, .status = 9},
     LONG_MS,
     FAILURE_PROGRAMMER_OUT_OF_STEP,
     0,
     true},
    {"4294967295 bytes",
     {.act = ACT_LENGTH, .status = -1},
     LONG_MS,
     FAILURE_PROGRAMMER_OUT_OF_STEP,
     0,
     true},
    {"not under way", {.act = ACT_OTHER_NUMBER}, LONG_MS, FAILURE_PROGRAMMER_OUT_OF_STEP, 0, true},
    {"message 7", {.act = ACT_OTHER_COMMAND}, LONG_MS, FAILURE_PROGRAMMER_OUT_OF_STEP, 0, true},
    {"was not sent", {.act = ACT_UNASKED_UNLINK}, LONG_MS, FAILURE_PROGRAMMER_OUT_OF_STEP, 0, true},
    {"", {.act = ACT_CUT}, LONG_MS, FAILURE_PROGRAMMER_GONE, 0, true},
    {"", {.act = ACT_END}, LONG_MS, FAILURE_PROGRAMMER_GONE, 0, true},
};

static void every_outcome_has_its_code(void **state)
{
    (void)state;

    for (size_t i = 0; i < COUNT(outcome_cases); i++)
        try_outcome(&outcome_cases[i]);
}

static void an_answer_that_comes_twice_is_refused(void **state)
{
    (void)state;
    static const struct script_step steps[] = {{.act = ACT_TWICE}, {.act = ACT_SILENT}};
    struct script_server server = {.steps = steps, .step_count = COUNT(steps)};
    struct link_usb *usb = open_link(&server);
    struct operation operation = within(20 * SECOND_US);
    struct failure failure = {0};
    uint8_t data[8];
    struct link_usb_transfer transfers[] = {to_host(1, data, 8), to_host(2, data, 8)};

    assert_int_equal(link_usb_control(usb, transfers, 2, &operation, NULL, &failure), -1);
    assert_failure(&failure, FAILURE_PROGRAMMER_OUT_OF_STEP, "not under way");
    end(&server, usb);
}

static void transfers_that_cannot_be_are_not_sent(void **state)
{
    (void)state;
    static uint8_t much[LINK_USB_TRANSFER_BYTES_MAX + 1];
    struct script_server server = {0};
    struct link_usb *usb = open_link(&server);
    struct operation operation = within(20 * SECOND_US);
    struct failure failure = {0};
    struct link_usb_transfer transfers[] = {to_host(1, much, sizeof much), to_host(1, NULL, 1)};

    for (size_t i = 0; i < COUNT(transfers); i++) {
        assert_int_equal(link_usb_control(usb, &transfers[i], 1, &operation, NULL, &failure), -1);
        assert_failure(&failure, FAILURE_INTERNAL, "expected up to 4096");
    }
    assert_int_equal(link_usb_control(usb, NULL, 0, &operation, NULL, &failure), 0);
    end(&server, usb);
    assert_int_equal(server.request_count, 0);
}

/* ---- the operation ---- */

static void nothing_begins_once_it_is_over(void **state)
{
    (void)state;
    struct script_server server = {0};
    struct link_usb *usb = open_link(&server);
    atomic_bool cancel = true;
    struct operation cancelled = {.deadline_us = INT64_MAX, .cancel = &cancel}, late = within(0);
    struct failure failure = {0};
    uint8_t data[8];
    struct link_usb_transfer transfer = to_host(1, data, 8);
    struct link_usb *other = NULL;

    assert_int_equal(link_usb_control(usb, &transfer, 1, &cancelled, NULL, &failure), -1);
    assert_failure(&failure, FAILURE_INTERRUPTED, "");
    assert_int_equal(link_usb_control(usb, &transfer, 1, &late, NULL, &failure), -1);
    assert_failure(&failure, FAILURE_DEADLINE, "");
    assert_int_equal(link_usb_open(&server.place, &cancelled, &other, &failure), -1);
    assert_failure(&failure, FAILURE_INTERRUPTED, "");
    end(&server, usb);
    assert_int_equal(server.request_count, 0);
    assert_int_equal(server.sessions, 1);
}

/* Cancelled while three are under way: all end, and the fourth is never sent. */
static void what_is_under_way_ends_when_cancelled(void **state)
{
    (void)state;
    static const struct script_step steps[] = {{.act = ACT_HOLD, .bytes = 2}};
    atomic_bool cancel = false;
    struct script_server server = {.steps = steps, .step_count = 1, .cancel = &cancel};
    struct link_usb *usb = open_link(&server);
    struct operation operation = within(20 * SECOND_US);
    struct failure failure = {0};
    uint8_t data[4][8];
    size_t done = 0;
    struct link_usb_transfer transfers[] = {to_host(1, data[0], 8), to_host(2, data[1], 8),
                                            to_host(3, data[2], 8), to_host(4, data[3], 8)};

    operation.cancel = &cancel;
    assert_int_equal(link_usb_control(usb, transfers, 4, &operation, &done, &failure), -1);
    assert_failure(&failure, FAILURE_INTERRUPTED, "");
    assert_int_equal(done, 3);
    assert_int_equal(data[1][7], 9);
    end(&server, usb);
    assert_int_equal(server.request_count, 3);
    assert_int_equal(server.unlink_count, 0);
}

static void *cancel_soon(void *context)
{
    usleep(100000);
    atomic_store((atomic_bool *)context, true);
    return NULL;
}

static void silence_does_not_outlast_a_cancellation_or_deadline(void **state)
{
    (void)state;
    static const struct script_step steps[] = {{.act = ACT_SILENT}, {.act = ACT_SILENT}};
    atomic_bool cancel = false;
    struct script_server server = {.steps = steps, .step_count = 2};
    struct link_usb *usb = open_link(&server);
    struct operation operation = within(60 * SECOND_US);
    struct failure failure = {0};
    uint8_t data[8];
    struct link_usb_transfer transfer = to_host(1, data, 8);
    int64_t before_us = operation_now_us();
    pthread_t thread;

    transfer.silence_us = 50 * SECOND_US;
    operation.cancel = &cancel;
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &cancel), 0);
    assert_int_equal(link_usb_control(usb, &transfer, 1, &operation, NULL, &failure), -1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_failure(&failure, FAILURE_INTERRUPTED, "");
    operation = within(SECOND_US / 2);
    assert_int_equal(link_usb_control(usb, &transfer, 1, &operation, NULL, &failure), -1);
    assert_failure(&failure, FAILURE_DEADLINE, "");
    assert_true(operation_now_us() - before_us < 20 * SECOND_US);
    operation = within(20 * SECOND_US);
    assert_int_equal(link_usb_control(usb, &transfer, 1, &operation, NULL, &failure), 0);
    end(&server, usb);
    assert_int_equal(server.unlink_count, 2);
}

static void opening_again_finds_it_after_it_was_gone(void **state)
{
    (void)state;
    static const struct script_step steps[] = {{.act = ACT_END}};
    struct script_server server = {.steps = steps, .step_count = 1};
    struct link_usb *usb = open_link(&server);
    struct operation operation = within(20 * SECOND_US);
    struct failure failure = {0};
    uint8_t data[8];
    struct link_usb_transfer transfer = to_host(1, data, 8);

    assert_int_equal(link_usb_control(usb, &transfer, 1, &operation, NULL, &failure), -1);
    assert_failure(&failure, FAILURE_PROGRAMMER_GONE, "");
    link_usb_close(usb);
    if (link_usb_open(&server.place, &operation, &usb, &failure) != 0)
        fail_msg("%s", failure.detail);
    assert_int_equal(link_usb_control(usb, &transfer, 1, &operation, NULL, &failure), 0);
    end(&server, usb);
    assert_int_equal(server.sessions, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_device_says_who_it_is),
        cmocka_unit_test(texts_that_do_not_come_are_empty),
        cmocka_unit_test(texts_are_made_fit_to_be_shown),
        cmocka_unit_test(a_server_that_gives_no_device),
        cmocka_unit_test(places_that_lead_nowhere),
        cmocka_unit_test(transfers_carry_what_they_are_given),
        cmocka_unit_test(three_are_under_way_at_a_time),
        cmocka_unit_test(a_short_reply_is_told_and_no_failure),
        cmocka_unit_test(a_short_reply_ends_it_where_all_was_wanted),
        cmocka_unit_test(progress_is_told_transfer_by_transfer),
        cmocka_unit_test(every_outcome_has_its_code),
        cmocka_unit_test(an_answer_that_comes_twice_is_refused),
        cmocka_unit_test(transfers_that_cannot_be_are_not_sent),
        cmocka_unit_test(nothing_begins_once_it_is_over),
        cmocka_unit_test(what_is_under_way_ends_when_cancelled),
        cmocka_unit_test(silence_does_not_outlast_a_cancellation_or_deadline),
        cmocka_unit_test(opening_again_finds_it_after_it_was_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
