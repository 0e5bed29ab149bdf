/* Bulk transfers over USB/IP: a command and its reply, and everything that can come between them.
 * What libusb does is tried with a real kernel, in tests/qemu. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "jigs/link_usb.h"
#include "jigs/link_usb_backend.h"
#include "tests/usbip_script.h"

#define SECOND_US INT64_C(1000000)
#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define OUT 0x02
#define IN 0x83 /* as some builds of LUFA's have it */

/* What happens to a command. */
enum act {
    REPLY,       /* with `bytes` bytes that count from the command's first one */
    STALL_OUT,   /* both until the host ends the halt */
    STALL_IN,    /* */
    SILENT,      /* it is taken, and nothing is said */
    DEAF,        /* it is not taken */
    LATE,        /* the reply is there when the host no longer waits for it */
    EARLY,       /* a reply, and the command is not taken */
    PART,        /* one byte of it is not taken */
    GONE,        /* -ENODEV for both */
    CUT,         /* the connection ends */
    CANCEL,      /* silence, and the operation is cancelled */
    CANCEL_REPLY /* the operation is cancelled, and the reply comes */
};

struct step {
    enum act act;
    uint16_t bytes;
};

struct device {
    const struct step *steps; /* after them REPLY with 3 bytes */
    size_t step_count;
    const uint8_t *configuration; /* NULL: that of an AVRISP mkII clone */
    size_t configuration_bytes;
    bool mute_status;   /* GET_STATUS stalls */
    bool halted;        /* IN, as an earlier program left it */
    uint16_t left_over; /* bytes of a reply that an earlier program did not fetch */
    bool babbling;      /* always has something to say */
    bool other_after_reset;
    /* what happened: I and O for transfers, U taken back, S asked for a halt, C ends it, R reset, G
     * configured, D configuration descriptor */
    char story[400];
    size_t commands;
    uint8_t command[4096];
    size_t command_bytes;
    /* its own */
    struct script_request in; /* waiting; number 0: none */
    uint32_t answered;        /* number of the last IN that was */
    bool halted_out;
    uint8_t first;
};

static const uint8_t mkii[] = {9, 2, 32, 0, 1,  1, 0,  0xC0, 50, 9, 4, 0,   0, 2,  0xFF, 0,
                               0, 0, 7,  5, IN, 2, 64, 0,    10, 7, 5, OUT, 2, 64, 0,    10};

static void tell(struct device *device, char what)
{
    size_t length = strlen(device->story);

    if (length + 1 < sizeof device->story)
        device->story[length] = what;
}

static void answer_in(struct device *device, int client, int32_t status, uint16_t count)
{
    uint8_t bytes[4096];
    uint16_t fits = count < device->in.length ? count : device->in.length;

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(device->first + i);
    script_answer(client, &device->in, status, bytes, fits, false);
    device->answered = device->in.number;
    device->in.number = 0;
}

/* A reply that waits, or stays until it is fetched. */
static void reply(struct device *device, int client, uint16_t count)
{
    if (device->in.number != 0)
        answer_in(device, client, 0, count);
    else
        device->left_over = count;
}

static bool take_command(struct script_server *server, int client, struct device *device,
                         const struct script_request *request)
{
    struct step step = {REPLY, 3};

    if (device->halted_out) {
        script_answer(client, request, -EPIPE, NULL, 0, false);
        return true;
    }
    if (device->commands < device->step_count)
        step = device->steps[device->commands];
    device->commands++;
    memcpy(device->command, request->data, request->length);
    device->command_bytes = request->length;
    device->first = request->data[0];
    if (step.act == CANCEL || step.act == CANCEL_REPLY)
        atomic_store(server->cancel, true);
    if (step.act == EARLY)
        reply(device, client, step.bytes);
    if (step.act == EARLY || step.act == DEAF)
        return true;
    device->halted_out = step.act == STALL_OUT;
    script_answer(client, request,
                  step.act == STALL_OUT ? -EPIPE
                  : step.act == GONE    ? -ENODEV
                                        : 0,
                  NULL, step.act == PART ? request->length - 1u : request->length, false);
    if (step.act == REPLY || step.act == CANCEL_REPLY || step.act == PART)
        reply(device, client, step.bytes);
    if (step.act == LATE)
        device->left_over = step.bytes;
    device->halted = step.act == STALL_IN;
    if (step.act == STALL_IN || step.act == GONE)
        answer_in(device, client, step.act == GONE ? -ENODEV : -EPIPE, 0);
    return step.act != CUT;
}

static void take_in(struct device *device, int client, const struct script_request *request)
{
    if (device->in.number != 0)
        return; /* the test sees two I without a U */
    device->in = *request;
    if (device->halted) {
        answer_in(device, client, -EPIPE, 0);
    } else if (device->left_over != 0 || device->babbling) {
        answer_in(device, client, 0, device->left_over);
        device->left_over = 0;
    }
}

static bool control(struct script_server *server, int client, struct device *device,
                    const struct script_request *request)
{
    const uint8_t *setup = request->setup;
    uint8_t status[2] = {0};

    if (memcmp(setup, "\x80\x06\x00\x02\x00\x00\xFF\x00", 8) == 0) {
        tell(device, 'D');
        script_answer(client, request, 0, device->configuration,
                      (uint32_t)device->configuration_bytes, false);
    } else if (setup[0] == 0x82 && setup[1] == 0) {
        tell(device, 'S');
        status[0] = setup[4] == IN ? device->halted : device->halted_out;
        script_answer(client, request, device->mute_status ? -EPIPE : 0, status,
                      device->mute_status ? 0 : sizeof status, false);
    } else if (setup[0] == 0x02 && setup[1] == 1 && (setup[4] == IN || setup[4] == OUT)) {
        tell(device, 'C');
        *(setup[4] == IN ? &device->halted : &device->halted_out) = false;
        script_answer(client, request, 0, NULL, 0, false);
    } else if (memcmp(setup, "\x23\x03\x04\x00\x00\x00\x00\x00", 8) == 0) {
        tell(device, 'R');
        device->halted = device->halted_out = device->babbling = false;
        server->serial = device->other_after_reset ? "other" : server->serial;
        script_answer(client, request, 0, NULL, 0, false);
    } else if (memcmp(setup, "\x00\x09\x01\x00\x00\x00\x00\x00", 8) == 0) {
        tell(device, 'G');
        script_answer(client, request, 0, NULL, 0, false);
    } else {
        script_blame(server, "another standard request");
        return false;
    }
    return true;
}

static bool other(struct script_server *server, int client, const struct script_request *request)
{
    struct device *device = server->context;

    switch (request->endpoint) {
    case 0:
        return control(server, client, device, request);
    case OUT:
        tell(device, 'O');
        return take_command(server, client, device, request);
    case IN:
        tell(device, 'I');
        take_in(device, client, request);
        return true;
    default:
        script_blame(server, "another endpoint");
        return false;
    }
}

static void taken_back(struct script_server *server, int client, uint32_t number)
{
    struct device *device = server->context;

    (void)client;
    if (device->answered == number)
        return; /* a machine under load: its answer is on the way */
    tell(device, 'U');
    if (device->in.number == number)
        device->in.number = 0;
}

static struct operation within(int64_t duration_us)
{
    return (struct operation){.deadline_us = operation_now_us() + duration_us};
}

static struct link_usb *open_link(struct script_server *server, struct device *device)
{
    struct operation operation = within(20 * SECOND_US);
    struct failure failure = {0};
    struct link_usb *usb = NULL;

    server->other = other;
    server->taken_back = taken_back;
    server->context = device;
    if (device->configuration == NULL) {
        device->configuration = mkii;
        device->configuration_bytes = sizeof mkii;
    }
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

static void assert_failure(const struct failure *failure, enum failure_code code, const char *says)
{
    if (failure->code != code || strstr(failure->detail, says) == NULL)
        fail_msg("found %s '%s', expected %s '%s'", failure_lookup(failure->code)->name,
                 failure->detail, failure_lookup(code)->name, says);
}

struct heard {
    size_t received;
    uint8_t bytes[64];
};

/* One command of two bytes, of which `first` is the first, with room for a packet. */
static int ask(struct link_usb *usb, uint8_t first, unsigned silence_ms, struct heard *heard,
               struct failure *failure)
{
    const uint8_t command[] = {first, 0x55};
    struct operation operation = within(20 * SECOND_US);
    struct link_usb_exchange exchange = {.out = command,
                                         .out_count = sizeof command,
                                         .in = heard->bytes,
                                         .in_room = sizeof heard->bytes,
                                         .received = 99,
                                         .silence_us = INT64_C(1000) * silence_ms};
    int result = link_usb_exchange(usb, &exchange, &operation, failure);

    heard->received = exchange.received;
    return result;
}

static void assert_reply(struct link_usb *usb, uint8_t first)
{
    struct failure failure = {0};
    struct heard heard;

    if (ask(usb, first, 10000, &heard, &failure) != 0)
        fail_msg("%s", failure.detail);
    assert_int_equal(heard.received, 3);
    assert_int_equal(heard.bytes[0], first);
    assert_int_equal(heard.bytes[2], first + 2);
}

/* ---- what goes well ---- */

static void the_reply_is_asked_for_before_the_command_goes(void **state)
{
    (void)state;
    struct device device = {0};
    struct script_server server = {0};
    struct link_usb *usb = open_link(&server, &device);

    assert_string_equal(device.story, ""); /* who needs no bulk is not asked for it */
    for (uint8_t i = 0; i < 4; i++)
        assert_reply(usb, i);
    end(&server, usb);
    /* The first one clears; from then on there is nothing but commands and replies. */
    assert_string_equal(device.story, "DSSIUIOIOIOIO");
    assert_memory_equal(device.command, "\x03\x55", 2);
    assert_int_equal(device.command_bytes, 2);
}

static void long_commands_and_replies_are_one_transfer(void **state)
{
    (void)state;
    static const struct step steps[] = {{REPLY, 259}, {REPLY, 0}, {REPLY, 64}};
    struct device device = {.steps = steps, .step_count = COUNT(steps)};
    struct script_server server = {0};
    struct link_usb *usb = open_link(&server, &device);
    struct operation operation = within(20 * SECOND_US);
    struct failure failure = {0};
    uint8_t command[1024], bytes[512];
    struct link_usb_exchange exchange = {.out = command,
                                         .out_count = sizeof command,
                                         .in = bytes,
                                         .in_room = sizeof bytes,
                                         .silence_us = 10 * SECOND_US};

    for (size_t i = 0; i < sizeof command; i++)
        command[i] = (uint8_t)(i * 7);
    memset(bytes, 0xEE, sizeof bytes);
    if (link_usb_exchange(usb, &exchange, &operation, &failure) != 0)
        fail_msg("%s", failure.detail);
    assert_int_equal(exchange.received, 259);
    assert_int_equal(bytes[258], 2);
    assert_int_equal(bytes[259], 0xEE);
    assert_int_equal(device.command_bytes, sizeof command);
    assert_memory_equal(device.command, command, sizeof command);
    assert_int_equal(link_usb_exchange(usb, &exchange, &operation, &failure), 0);
    assert_int_equal(exchange.received, 0);
    assert_int_equal(link_usb_exchange(usb, &exchange, &operation, &failure), 0);
    assert_int_equal(exchange.received, 64);
    end(&server, usb);
    assert_string_equal(device.story, "DSSIUIOIOIO"); /* no empty packet after 1024 bytes */
}

static void control_and_bulk_go_side_by_side(void **state)
{
    (void)state;
    struct device device = {0};
    struct script_server server = {0};
    struct link_usb *usb = open_link(&server, &device);
    struct operation operation = within(20 * SECOND_US);
    uint8_t data[8];
    struct link_usb_transfer transfer = {.request_type = 0xC0,
                                         .request = 5,
                                         .length = sizeof data,
                                         .data = data,
                                         .silence_us = SECOND_US};

    assert_reply(usb, 1);
    assert_int_equal(link_usb_control(usb, &transfer, 1, &operation, NULL, NULL), 0);
    assert_int_equal(data[7], 12);
    assert_reply(usb, 2);
    end(&server, usb);
}

/* ---- endpoints ---- */

static void endpoints_are_those_of_the_first_interface(void **state)
{
    (void)state;
#define INTERFACE(number, alternate, count) 9, 4, number, alternate, count, 0xFF, 0, 0, 0
#define ENDPOINT(address, type) 7, 5, address, type, 64, 0, 10
    static const struct {
        uint8_t bytes[60];
        uint8_t count, in, out; /* 0: not both were found */
    } cases[] = {
        {{INTERFACE(0, 0, 2), ENDPOINT(0x82, 2), ENDPOINT(0x02, 2)}, 23, 0x82, 0x02},
        {{INTERFACE(0, 0, 3), ENDPOINT(0x81, 3), ENDPOINT(0x04, 2), ENDPOINT(0x83, 2)},
         30,
         0x83,
         0x04},
        {{INTERFACE(0, 0, 4), ENDPOINT(0x82, 2), ENDPOINT(0x84, 2), ENDPOINT(0x02, 2),
          ENDPOINT(0x03, 2)},
         37,
         0x82,
         0x02},
        {{INTERFACE(0, 0, 1), ENDPOINT(0x82, 2), INTERFACE(1, 0, 1), ENDPOINT(0x02, 2)}, 32, 0, 0},
        {{INTERFACE(0, 0, 0), INTERFACE(0, 1, 2), ENDPOINT(0x82, 2), ENDPOINT(0x02, 2)}, 32, 0, 0},
        {{ENDPOINT(0x82, 2), ENDPOINT(0x02, 2)}, 14, 0, 0},
        {{INTERFACE(0, 0, 2), ENDPOINT(0x82, 2), ENDPOINT(0x02, 2)}, 22, 0, 0},
        {{INTERFACE(0, 0, 2), ENDPOINT(0x82, 2), 0, 5, 2, 2, 64, 0, 10}, 23, 0, 0},
        {{INTERFACE(0, 0, 2), ENDPOINT(0x82, 2), 200, 5, 2, 2, 64, 0, 10}, 23, 0, 0},
        {{INTERFACE(0, 0, 2), ENDPOINT(0x82, 2), 4, 5, 2, 2}, 20, 0, 0},
        {{INTERFACE(0, 0, 2), ENDPOINT(0x82, 2), 7, 5, 2, 2, 0, 0, 10}, 23, 0, 0},
        {{INTERFACE(0, 0, 2), ENDPOINT(0x80, 2), ENDPOINT(0x00, 2)}, 23, 0, 0},
        {{0}, 0, 0, 0},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct link_usb_endpoint in, out;
        uint8_t *exact = test_malloc(cases[i].count + 1);

        memcpy(exact, cases[i].bytes, cases[i].count);
        assert_int_equal(link_usb_find_bulk(exact, cases[i].count, &in, &out), cases[i].in != 0);
        if (cases[i].in != 0) {
            assert_int_equal(in.address, cases[i].in);
            assert_int_equal(out.address, cases[i].out);
            assert_int_equal(in.packet_bytes, 64);
        }
        test_free(exact);
    }
}

static void a_device_without_bulk_is_another_one(void **state)
{
    (void)state;
    static const uint8_t usbasp[] = {9, 2, 18, 0, 1, 1, 0, 0x80, 5, INTERFACE(0, 0, 0)};
    struct device device = {.configuration = usbasp, .configuration_bytes = sizeof usbasp};
    struct script_server server = {0};
    struct link_usb *usb = open_link(&server, &device);
    struct operation operation = within(20 * SECOND_US);
    struct failure failure = {0};
    struct heard heard;

    assert_int_equal(ask(usb, 1, 1000, &heard, &failure), -1);
    assert_failure(&failure, FAILURE_PROGRAMMER_UNKNOWN,
                   "(16C0:05DC 'USBasp') has no bulk endpoints");
    assert_int_equal(link_usb_clear(usb, &operation, &failure), -1);
    assert_failure(&failure, FAILURE_PROGRAMMER_UNKNOWN, "has no bulk endpoints");
    end(&server, usb);
    assert_string_equal(device.story, "DD");
}

static void exchanges_that_cannot_be_are_not_sent(void **state)
{
    (void)state;
    static uint8_t much[8192];
    static const struct {
        size_t out, in;
    } cases[] = {{0, 64}, {1, 0}, {1, 63}, {1, 100}, {4097, 64}, {1, 4160}};
    struct device device = {0};
    struct script_server server = {0};
    struct link_usb *usb = open_link(&server, &device);
    struct operation operation = within(20 * SECOND_US);
    struct failure failure = {0};

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct link_usb_exchange exchange = {.out = much,
                                             .out_count = cases[i].out,
                                             .in = much,
                                             .in_room = cases[i].in,
                                             .silence_us = SECOND_US};

        assert_int_equal(link_usb_exchange(usb, &exchange, &operation, &failure), -1);
        assert_failure(&failure, FAILURE_INTERNAL, "expected up to 4096");
    }
    end(&server, usb);
    assert_string_equal(device.story, "D");
}

/* ---- what goes wrong ---- */

struct outcome_case {
    const char *says;
    struct step step; /* of the second of three */
    unsigned silence_ms;
    enum failure_code code;
    const char *story; /* from the second on; the third begins by clearing */
    bool lost;
};

#define LONG_MS 10000

static const struct outcome_case outcome_cases[] = {
    {"stall at a command", {STALL_OUT, 0}, LONG_MS, FAILURE_PROGRAMMER_STALLED, "IOUCSIUIO", false},
    {"stall at a reply", {STALL_IN, 0}, LONG_MS, FAILURE_PROGRAMMER_STALLED, "IOSCIUIO", false},
    {"no answer to a command within 500 ms",
     {SILENT, 0},
     500,
     FAILURE_PROGRAMMER_SILENT,
     "IOUSSIUIO",
     false},
    {"no answer to a command within 500 ms",
     {DEAF, 0},
     500,
     FAILURE_PROGRAMMER_SILENT,
     "IOUUSSIUIO",
     false},
    {"no answer to a command within 500 ms",
     {LATE, 20},
     500,
     FAILURE_PROGRAMMER_SILENT,
     "IOUSSIIUIO",
     false},
    {"a reply of 20 bytes before the command was taken",
     {EARLY, 20},
     LONG_MS,
     FAILURE_PROGRAMMER_OUT_OF_STEP,
     "IOUSSIUIO",
     false},
    {"1 bytes of a command of 2 were taken",
     {PART, 3},
     LONG_MS,
     FAILURE_PROGRAMMER_OUT_OF_STEP,
     NULL, /* the reply may have come or not */
     false},
    {"does not end within 64 bytes",
     {REPLY, 64},
     LONG_MS,
     FAILURE_PROGRAMMER_OUT_OF_STEP,
     "IOSSIUIO",
     false},
    {"does not end within 64 bytes",
     {REPLY, 200},
     LONG_MS,
     FAILURE_PROGRAMMER_OUT_OF_STEP,
     "IOSSIUIO",
     false},
    {"unplugged", {GONE, 0}, LONG_MS, FAILURE_PROGRAMMER_GONE, NULL, true},
    {"closed the connection", {CUT, 0}, LONG_MS, FAILURE_PROGRAMMER_GONE, NULL, true},
};

static void try_outcome(const struct outcome_case *trial)
{
    const struct step steps[] = {{REPLY, 3}, trial->step};
    struct device device = {.steps = steps, .step_count = COUNT(steps)};
    struct script_server server = {0};
    struct link_usb *usb = open_link(&server, &device);
    struct failure failure = {0};
    struct heard heard = {0};
    size_t before;
    int64_t before_us = operation_now_us();

    assert_reply(usb, 0x10);
    before = strlen(device.story);
    assert_int_equal(ask(usb, 0x20, trial->silence_ms, &heard, &failure), -1);
    assert_failure(&failure, trial->code, trial->says);
    assert_int_equal(heard.received, 0);
    assert_int_equal(heard.bytes[0], 0);
    assert_in_range(operation_now_us() - before_us,
                    trial->silence_ms < 1000 ? 1000 * trial->silence_ms : 0, 20 * SECOND_US);
    if (trial->lost) {
        assert_int_equal(ask(usb, 0x30, LONG_MS, &heard, &failure), -1);
        assert_failure(&failure, FAILURE_PROGRAMMER_GONE, "was unplugged");
    } else {
        assert_reply(usb, 0x30);
    }
    end(&server, usb);
    if (trial->story != NULL)
        assert_string_equal(device.story + before, trial->story);
}

static void every_outcome_has_its_code(void **state)
{
    (void)state;

    for (size_t i = 0; i < COUNT(outcome_cases); i++)
        try_outcome(&outcome_cases[i]);
}

/* ---- clearing ---- */

static void what_an_earlier_program_left_is_thrown_away(void **state)
{
    (void)state;
    static const struct {
        struct device device;
        const char *story;
    } cases[] = {
        {{.left_over = 20}, "DSSIIUIO"},
        {{.left_over = 4096}, "DSSIIUIO"},
        {{.halted = true}, "DSSCIUIO"},
        {{.halted = true, .left_over = 9}, "DSSCIIUIO"},
        {{.halted = true, .mute_status = true}, "DSSICIUIO"},
        {{.mute_status = true}, "DSSIUIO"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct device device = cases[i].device;
        struct script_server server = {0};
        struct link_usb *usb = open_link(&server, &device);

        assert_reply(usb, 7);
        end(&server, usb);
        assert_string_equal(device.story, cases[i].story);
    }
}

static void clearing_by_itself_is_not_done_twice(void **state)
{
    (void)state;
    static const struct step steps[] = {{LATE, 20}};
    struct device device = {.steps = steps, .step_count = COUNT(steps)};
    struct script_server server = {0};
    struct link_usb *usb = open_link(&server, &device);
    struct operation operation = within(20 * SECOND_US);
    struct failure failure = {0};
    struct heard heard;

    assert_int_equal(link_usb_clear(usb, &operation, &failure), 0);
    assert_int_equal(ask(usb, 1, 500, &heard, &failure), -1);
    assert_int_equal(link_usb_clear(usb, &operation, &failure), 0);
    assert_reply(usb, 9);
    end(&server, usb);
    assert_string_equal(device.story, "DSSIUIOUSSIIUIO");
}

static void a_device_that_does_not_stop_is_not_listened_to_for_ever(void **state)
{
    (void)state;
    struct device device = {.babbling = true};
    struct script_server server = {0};
    struct link_usb *usb = open_link(&server, &device);
    struct operation operation = within(20 * SECOND_US);
    struct failure failure = {0};
    struct heard heard;

    assert_int_equal(link_usb_clear(usb, &operation, &failure), -1);
    assert_failure(&failure, FAILURE_PROGRAMMER_OUT_OF_STEP, "does not stop sending");
    assert_int_equal(ask(usb, 1, LONG_MS, &heard, &failure), -1);
    assert_failure(&failure, FAILURE_PROGRAMMER_OUT_OF_STEP, "does not stop sending");
    assert_int_equal(device.commands, 0);
    end(&server, usb);
}

/* ---- reset ---- */

static void a_reset_makes_it_usable_again(void **state)
{
    (void)state;
    static const struct step steps[] = {{STALL_IN, 0}};
    struct device device = {.steps = steps, .step_count = COUNT(steps), .left_over = 5};
    struct script_server server = {.serial = "0042"};
    struct link_usb *usb = open_link(&server, &device);
    struct operation operation = within(20 * SECOND_US);
    struct failure failure = {0};
    struct heard heard;

    assert_int_equal(ask(usb, 1, LONG_MS, &heard, &failure), -1);
    if (link_usb_reset(usb, &operation, &failure) != 0)
        fail_msg("%s", failure.detail);
    assert_string_equal(link_usb_identity(usb)->serial, "0042");
    assert_reply(usb, 9);
    end(&server, usb);
    assert_string_equal(device.story, "DSSIIUIORGDSSIUIO");
}

static void another_device_after_a_reset_is_none(void **state)
{
    (void)state;
    struct device device = {.other_after_reset = true};
    struct script_server server = {.serial = "0042"};
    struct link_usb *usb = open_link(&server, &device);
    struct operation operation = within(20 * SECOND_US);
    struct failure failure = {0};
    struct heard heard;

    assert_int_equal(link_usb_reset(usb, &operation, &failure), -1);
    assert_failure(&failure, FAILURE_PROGRAMMER_GONE, "'other', expected 16C0:05DC '0042'");
    assert_int_equal(ask(usb, 1, LONG_MS, &heard, &failure), -1);
    assert_failure(&failure, FAILURE_PROGRAMMER_GONE, "was unplugged");
    assert_int_equal(link_usb_reset(usb, &operation, &failure), -1);
    assert_failure(&failure, FAILURE_PROGRAMMER_GONE, "was unplugged");
    assert_int_equal(link_usb_clear(usb, &operation, &failure), -1);
    assert_failure(&failure, FAILURE_PROGRAMMER_GONE, "was unplugged");
    end(&server, usb);
    assert_int_equal(device.commands, 0);
}

/* ---- the operation ---- */

static void nothing_begins_once_it_is_over(void **state)
{
    (void)state;
    struct device device = {0};
    struct script_server server = {0};
    struct link_usb *usb = open_link(&server, &device);
    atomic_bool cancel = true;
    struct operation cancelled = {.deadline_us = INT64_MAX, .cancel = &cancel}, late = within(0);
    struct failure failure = {0};
    uint8_t bytes[64];
    struct link_usb_exchange exchange = {.out = bytes,
                                         .out_count = 1,
                                         .in = bytes,
                                         .in_room = sizeof bytes,
                                         .silence_us = SECOND_US};

    memset(bytes, 0, sizeof bytes);
    assert_int_equal(link_usb_exchange(usb, &exchange, &cancelled, &failure), -1);
    assert_failure(&failure, FAILURE_INTERRUPTED, "");
    assert_int_equal(link_usb_clear(usb, &late, &failure), -1);
    assert_failure(&failure, FAILURE_DEADLINE, "");
    assert_int_equal(link_usb_reset(usb, &cancelled, &failure), -1);
    assert_failure(&failure, FAILURE_INTERRUPTED, "");
    assert_string_equal(device.story, "");
    assert_reply(usb, 1); /* and all is well when it is not */
    end(&server, usb);
}

/* A command that the device has is given its time; after a second without a reply it is over. */
static void a_cancellation_waits_for_the_reply_but_not_for_long(void **state)
{
    (void)state;
    static const struct step steps[] = {{CANCEL_REPLY, 3}, {CANCEL, 0}, {SILENT, 0}};
    atomic_bool cancel = false;
    struct device device = {.steps = steps, .step_count = COUNT(steps)};
    struct script_server server = {.cancel = &cancel};
    struct link_usb *usb = open_link(&server, &device);
    struct operation operation = within(60 * SECOND_US);
    struct failure failure = {0};
    uint8_t bytes[64] = {1, 2};
    struct link_usb_exchange exchange = {.out = bytes,
                                         .out_count = 2,
                                         .in = bytes,
                                         .in_room = sizeof bytes,
                                         .silence_us = 50 * SECOND_US};
    int64_t before_us = operation_now_us();

    operation.cancel = &cancel;
    assert_int_equal(link_usb_exchange(usb, &exchange, &operation, &failure), 0);
    assert_int_equal(exchange.received, 3);
    atomic_store(&cancel, false);
    assert_int_equal(link_usb_exchange(usb, &exchange, &operation, &failure), -1);
    assert_failure(&failure, FAILURE_INTERRUPTED, "");
    atomic_store(&cancel, false);
    operation = within(SECOND_US / 2);
    assert_int_equal(link_usb_exchange(usb, &exchange, &operation, &failure), -1);
    assert_failure(&failure, FAILURE_DEADLINE, "");
    assert_true(operation_now_us() - before_us < 20 * SECOND_US);
    assert_reply(usb, 1);
    end(&server, usb);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reply_is_asked_for_before_the_command_goes),
        cmocka_unit_test(long_commands_and_replies_are_one_transfer),
        cmocka_unit_test(control_and_bulk_go_side_by_side),
        cmocka_unit_test(endpoints_are_those_of_the_first_interface),
        cmocka_unit_test(a_device_without_bulk_is_another_one),
        cmocka_unit_test(exchanges_that_cannot_be_are_not_sent),
        cmocka_unit_test(every_outcome_has_its_code),
        cmocka_unit_test(what_an_earlier_program_left_is_thrown_away),
        cmocka_unit_test(clearing_by_itself_is_not_done_twice),
        cmocka_unit_test(a_device_that_does_not_stop_is_not_listened_to_for_ever),
        cmocka_unit_test(a_reset_makes_it_usable_again),
        cmocka_unit_test(another_device_after_a_reset_is_none),
        cmocka_unit_test(nothing_begins_once_it_is_over),
        cmocka_unit_test(a_cancellation_waits_for_the_reply_but_not_for_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
