/* For tests of the USB drivers: a link that leads straight into a firmware model with a part on it,
 * and a clock that stands still unless somebody waits or a packet passes, so that times are exact.
 * The link keeps all transfers, holds the driver to rules, and does harm where it is told to.
 * Included by one file of a program, which then has no other link and no other clock. Include
 * cmocka before. */
#ifndef TESTS_FAKE_USB_H
#define TESTS_FAKE_USB_H

#include "tests/fake_usb_port.h"

#include <stdio.h>

#include "jigs/link_usb.h"
#include "jigs/programmer.h"
#include "profiles/fuse_gate.h"
#include "tests/random_bytes.h"

#define FAKE_TRANSFERS 20000
#define FAKE_FRAME_US 1000
#define SECOND_US 1000000
#define MHZ 1000000

/* ---- the clock, in place of jigs/operation.c ---- */

static int64_t fake_now_us;

int64_t operation_now_us(void)
{
    return fake_now_us;
}

int64_t operation_wall_us(void)
{
    return fake_now_us;
}

int operation_check(const struct operation *operation, struct failure *failure)
{
    if (operation->cancel != NULL && atomic_load(operation->cancel))
        return failure_set(failure, FAILURE_INTERRUPTED, "cancelled");
    if (fake_now_us >= operation->deadline_us)
        return failure_set(failure, FAILURE_DEADLINE, "its time was over");
    return 0;
}

void operation_progress(const struct operation *operation, uint32_t done_bytes)
{
    if (operation->progress != NULL)
        operation->progress(operation->context, done_bytes);
}

int64_t operation_within_us(const struct operation *operation, int64_t duration_us)
{
    int64_t end_us = fake_now_us + duration_us;

    return end_us < operation->deadline_us ? end_us : operation->deadline_us;
}

int operation_sleep_us(const struct operation *operation, int64_t duration_us,
                       struct failure *failure)
{
    if (duration_us > 0)
        fake_now_us = operation_within_us(operation, duration_us);
    return operation_check(operation, failure);
}

/* ---- the device ---- */

enum fake_harm { HARM_NONE, HARM_STALL, HARM_SILENT, HARM_GONE, HARM_SHORT, HARM_LONG };

struct link_usb {
    struct fake_device device;
    struct link_usb_identity identity;
    bool is_open;
    int64_t bus_us;                      /* until then the bus is taken */
    struct link_usb_transfer *transfers; /* `data` says nothing later */
    size_t count;
    /* Holds the driver to what no programmer may be sent. */
    void (*check)(struct link_usb *usb, const struct link_usb_transfer *transfer);
    bool connected, enabled; /* for it */
    int64_t reset_us;        /* when RESET went low, or was let go, last */
    /* Harm to the transfers from `harm_at` on, `harm_count` of them. */
    enum fake_harm harm;
    size_t harm_at, harm_count;
    /* Turns bits of setup packets; may be NULL. */
    void (*garble)(struct link_usb_transfer *transfer);
    /* The programmer hears one bit of the setup packet of this transfer wrong: 64 of them, as they
     * go over the wire; -1: none. */
    int wrong_transfer, wrong_bit;
};

static void fake_begin_packet(struct link_usb *usb)
{
    struct usb_port *port = &usb->device.port;

    if (port->now_us < usb->bus_us)
        port->now_us = usb->bus_us;
    usb->bus_us = port->now_us + FAKE_FRAME_US;
}

static int fake_read(struct link_usb *usb, struct link_usb_transfer *transfer)
{
    const struct usb_firmware *firmware = usb->device.firmware;
    int count;

    do {
        size_t wanted = (size_t)(transfer->length - transfer->received);

        wanted = wanted < USB_PACKET_BYTES ? wanted : USB_PACKET_BYTES;
        count = firmware->read(usb->device.instance, transfer->data + transfer->received, wanted);
        if (count < 0)
            return count;
        fake_begin_packet(usb);
        transfer->received = (uint16_t)(transfer->received + count);
    } while (count == USB_PACKET_BYTES && transfer->received < transfer->length);
    return 0;
}

static int fake_write(struct link_usb *usb, struct link_usb_transfer *transfer)
{
    int answer = 0;

    for (uint16_t at = 0; at < transfer->length; at += USB_PACKET_BYTES) {
        size_t count = (size_t)(transfer->length - at);

        fake_begin_packet(usb);
        answer = usb->device.firmware->write(usb->device.instance, transfer->data + at,
                                             count < USB_PACKET_BYTES ? count : USB_PACKET_BYTES);
        if (answer < 0)
            return answer;
    }
    transfer->received = transfer->length;
    return answer == 0 ? USB_SILENT : 0;
}

static struct usb_setup fake_setup(const struct link_usb *usb,
                                   const struct link_usb_transfer *transfer)
{
    uint8_t bytes[8] = {transfer->request_type,    transfer->request,
                        (uint8_t)transfer->value,  (uint8_t)(transfer->value >> 8),
                        (uint8_t)transfer->index,  (uint8_t)(transfer->index >> 8),
                        (uint8_t)transfer->length, (uint8_t)(transfer->length >> 8)};

    if (usb->wrong_transfer == (int)usb->count - 1)
        bytes[usb->wrong_bit / 8] ^= (uint8_t)(1 << usb->wrong_bit % 8);
    return (struct usb_setup){bytes[0], bytes[1], (uint16_t)(bytes[2] | bytes[3] << 8),
                              (uint16_t)(bytes[4] | bytes[5] << 8),
                              (uint16_t)(bytes[6] | bytes[7] << 8)};
}

/* Setup, data and status packets, each in a frame, or when the firmware has time for it. */
static int fake_run(struct link_usb *usb, struct link_usb_transfer *transfer)
{
    const struct usb_setup setup = fake_setup(usb, transfer);
    uint8_t reply[USB_PACKET_BYTES];
    bool to_host = (transfer->request_type & 0x80) != 0;
    int answer;

    if (usb->bus_us < fake_now_us)
        usb->bus_us = fake_now_us;
    fake_begin_packet(usb);
    answer = usb->device.firmware->setup(usb->device.instance, &setup, reply);
    if (answer == USB_STREAM) {
        answer = to_host ? fake_read(usb, transfer) : fake_write(usb, transfer);
    } else if (answer >= 0 && to_host) {
        answer = answer < transfer->length ? answer : transfer->length;
        if (answer > 0)
            memcpy(transfer->data, reply, (size_t)answer);
        transfer->received = (uint16_t)answer;
        if (transfer->length > 0)
            fake_begin_packet(usb);
    } else if (answer >= 0) { /* data that nobody looks at */
        transfer->received = transfer->length;
    }
    if (answer < 0)
        return answer;
    fake_begin_packet(usb);
    fake_now_us = usb->bus_us;
    return 0;
}

static int fake_fail(const struct link_usb_transfer *transfer, int answer, struct failure *failure)
{
    if (answer == USB_STALL)
        return failure_set(failure, FAILURE_PROGRAMMER_STALLED, "stall");
    fake_now_us += transfer->silence_us;
    return failure_set(failure, FAILURE_PROGRAMMER_SILENT, "no answer");
}

static bool fake_is_harmed(const struct link_usb *usb, size_t number)
{
    return usb->harm != HARM_NONE && number >= usb->harm_at &&
           number - usb->harm_at < usb->harm_count;
}

/* What it says of a transfer that was done; harm that comes before it is fake_harm_before(). */
static void fake_harm_after(const struct link_usb *usb, struct link_usb_transfer *transfer)
{
    if (usb->harm == HARM_SHORT && transfer->received > 0)
        transfer->received--;
    if (usb->harm == HARM_LONG && transfer->received < transfer->length)
        transfer->received++;
}

static int fake_harm_before(struct link_usb *usb, const struct link_usb_transfer *transfer,
                            struct failure *failure)
{
    switch (usb->harm) {
    case HARM_STALL:
        return fake_fail(transfer, USB_STALL, failure);
    case HARM_SILENT:
        return fake_fail(transfer, USB_SILENT, failure);
    case HARM_GONE:
        usb_port_reset_line(&usb->device.port, false);
        fake_device_start(&usb->device);
        usb->connected = usb->enabled = false;
        usb->reset_us = 0;
        return failure_set(failure, FAILURE_PROGRAMMER_GONE, "unplugged");
    default:
        return 0;
    }
}

static int fake_transfer(struct link_usb *usb, struct link_usb_transfer *transfer,
                         const struct operation *operation, struct failure *failure)
{
    size_t number = usb->count++;
    struct link_usb_transfer arriving = *transfer;
    int answer;

    assert_true(usb->count <= FAKE_TRANSFERS);
    assert_true(transfer->silence_us > 0);
    usb->transfers[number] = *transfer;
    if (usb->check != NULL)
        usb->check(usb, transfer);
    if (usb->garble != NULL)
        usb->garble(&arriving);
    if (operation_check(operation, failure) != 0 ||
        (fake_is_harmed(usb, number) && fake_harm_before(usb, transfer, failure) != 0))
        return -1;
    answer = fake_run(usb, &arriving);
    transfer->received = arriving.received;
    if (answer < 0)
        return fake_fail(transfer, answer, failure);
    if (fake_is_harmed(usb, number))
        fake_harm_after(usb, transfer);
    usb->transfers[number].received = transfer->received;
    return 0;
}

/* ---- the link, in place of jigs/link_usb.c ---- */

int link_usb_control(struct link_usb *usb, struct link_usb_transfer *transfers, size_t count,
                     const struct operation *operation, size_t *done, struct failure *failure)
{
    bool is_short = false;
    size_t i = 0;
    int result = 0;

    assert_true(usb->is_open);
    for (i = 0; i < count; i++)
        transfers[i].received = 0;
    for (i = 0; result == 0 && i < count; i += result == 0 || is_short) {
        result = fake_transfer(usb, &transfers[i], operation, failure);
        is_short = result == 0 && transfers[i].whole && transfers[i].received < transfers[i].length;
        if (is_short)
            result = failure_set(failure, FAILURE_PROGRAMMER_OUT_OF_STEP, "a short reply");
        else if (result == 0 && transfers[i].progress != 0)
            operation_progress(operation, transfers[i].progress);
    }
    if (done != NULL)
        *done = i;
    return result;
}

/* Low-speed devices have no bulk endpoints. */
int link_usb_exchange(struct link_usb *usb, struct link_usb_exchange *exchange,
                      const struct operation *operation, struct failure *failure)
{
    (void)usb;
    (void)exchange;
    (void)operation;
    return failure_set(failure, FAILURE_INTERNAL, "not here");
}

int link_usb_clear(struct link_usb *usb, const struct operation *operation, struct failure *failure)
{
    (void)usb;
    (void)operation;
    return failure_set(failure, FAILURE_INTERNAL, "not here");
}

int link_usb_reset(struct link_usb *usb, const struct operation *operation, struct failure *failure)
{
    (void)usb;
    (void)operation;
    return failure_set(failure, FAILURE_INTERNAL, "not here");
}

int link_usb_open(const struct place *place, const struct operation *operation,
                  struct link_usb **usb, struct failure *failure)
{
    void *found = NULL;

    (void)operation;
    (void)failure;
    assert_int_equal(sscanf(place->path, "%p", &found), 1);
    *usb = found;
    assert_false((*usb)->is_open);
    (*usb)->is_open = true;
    return 0;
}

void link_usb_close(struct link_usb *usb)
{
    if (usb != NULL)
        usb->is_open = false;
}

const struct link_usb_identity *link_usb_identity(const struct link_usb *usb)
{
    return &usb->identity;
}

int link_usb_list(struct link_usb_found **found, size_t *count, struct failure *failure)
{
    *found = NULL;
    *count = 0;
    return failure_set(failure, FAILURE_INTERNAL, "not here");
}

/* ---- a driver with a session on it ---- */

struct usb_fixture {
    struct link_usb usb;
    struct programmer *programmer;
    struct operation operation;
    struct failure failure;
    struct profile profile;
    struct fuse_gate *gate;
};

static inline const struct part *fixture_part(const struct usb_fixture *fixture)
{
    return fixture->usb.device.port.part;
}

static void fake_copy_text(char *to, size_t bytes, const char *text)
{
    snprintf(to, bytes, "%s", text != NULL ? text : "");
}

static void fixture_take_identity(struct usb_fixture *fixture)
{
    const struct usb_identity *from = &fixture->usb.device.firmware->identity;
    struct link_usb_identity *to = &fixture->usb.identity;

    to->vendor = from->vendor;
    to->product = from->product;
    to->release = from->release;
    fake_copy_text(to->manufacturer, sizeof to->manufacturer, from->manufacturer);
    fake_copy_text(to->product_name, sizeof to->product_name, from->product_name);
    fake_copy_text(to->serial, sizeof to->serial, from->serial);
}

/* Not claimed yet. `part` NULL: no board, but the driver is told of an ATmega328P. */
static inline void fixture_open(struct usb_fixture *fixture, const char *driver,
                                const struct usb_firmware *models, size_t model_count,
                                const char *model, const char *part)
{
    memset(fixture, 0, sizeof *fixture);
    fixture->usb.wrong_transfer = -1;
    fake_now_us = 1000 * SECOND_US;
    fake_device_open(&fixture->usb.device, models, model_count, model,
                     part != NULL ? part : "ATmega328P", 16 * MHZ);
    if (part == NULL) {
        avr_target_free(fixture->usb.device.port.target);
        fixture->usb.device.port.target = NULL;
    }
    fixture_take_identity(fixture);
    fixture->usb.transfers = calloc(FAKE_TRANSFERS, sizeof *fixture->usb.transfers);
    assert_non_null(fixture->usb.transfers);
    fixture->operation.deadline_us = fake_now_us + 3600 * (int64_t)SECOND_US;
    fixture->programmer = programmer_create(programmer_driver_by_name(driver));
    assert_non_null(fixture->programmer);
    fixture->profile.part = fixture->usb.device.port.part;
    for (int i = 0; i < PART_FUSE_AND_LOCK_COUNT; i++)
        fixture->profile.rules[i].exists = true;
    fixture->gate = fuse_gate_create(&fixture->profile);
}

static inline void fixture_close(struct usb_fixture *fixture)
{
    programmer_destroy(fixture->programmer);
    assert_false(fixture->usb.is_open);
    fuse_gate_free(fixture->gate);
    fake_device_close(&fixture->usb.device);
    free(fixture->usb.transfers);
}

/* The board's clock: a crystal of 16 MHz, as a board has it that was done before. */
static inline void fixture_preset_byte(struct usb_fixture *fixture, enum part_memory memory,
                                       uint8_t value)
{
    avr_target_preset(fixture->usb.device.port.target, memory, &value, 1);
}

static inline int fixture_claim(struct usb_fixture *fixture)
{
    struct programmer_settings settings = {.place = {.kind = PLACE_USB, .path = ""}};

    snprintf(settings.place.path, sizeof settings.place.path, "%p", (void *)&fixture->usb);
    fixture->failure = (struct failure){0};
    return programmer_claim(fixture->programmer, &settings, &fixture->operation, &fixture->failure);
}

static inline int fixture_attach(struct usb_fixture *fixture, int64_t target_hz)
{
    fixture->failure = (struct failure){0};
    fixture->programmer->target_hz = target_hz;
    return programmer_attach(fixture->programmer, fixture_part(fixture), &fixture->operation,
                             &fixture->failure);
}

static inline void fixture_must(struct usb_fixture *fixture, int result)
{
    if (result != 0)
        fail_msg("%s: %s", failure_lookup(fixture->failure.code)->name, fixture->failure.detail);
}

static inline void fixture_expect_failure(struct usb_fixture *fixture, int result,
                                          enum failure_code code, const char *text)
{
    assert_int_equal(result, -1);
    if (fixture->failure.code != code || strstr(fixture->failure.detail, text) == NULL)
        fail_msg("%s: %s; expected %s: %s", failure_lookup(fixture->failure.code)->name,
                 fixture->failure.detail, failure_lookup(code)->name, text);
}

static inline int fixture_write(struct usb_fixture *fixture, enum part_memory memory,
                                uint32_t start, const uint8_t *bytes, uint32_t count)
{
    fixture->failure = (struct failure){0};
    return programmer_write(fixture->programmer, memory, start, bytes, count, NULL,
                            &fixture->operation, &fixture->failure);
}

static inline int fixture_read(struct usb_fixture *fixture, enum part_memory memory, uint32_t start,
                               uint8_t *bytes, uint32_t count)
{
    fixture->failure = (struct failure){0};
    return programmer_read(fixture->programmer, memory, start, bytes, count, &fixture->operation,
                           &fixture->failure);
}

static inline void fixture_enter_gate(struct usb_fixture *fixture)
{
    assert_int_equal(fuse_gate_enter_session(fixture->gate, fixture->programmer->session,
                                             fixture_part(fixture)->signature, NULL),
                     0);
}

static inline int fixture_erase(struct usb_fixture *fixture)
{
    struct fuse_permit *permit = NULL;

    fixture->failure = (struct failure){0};
    fixture_enter_gate(fixture);
    assert_int_equal(fuse_gate_permit_erase(fixture->gate, &permit, NULL), 0);
    return programmer_erase(fixture->programmer, permit, &fixture->operation, &fixture->failure);
}

static inline int fixture_write_fuse(struct usb_fixture *fixture, enum part_memory memory,
                                     uint8_t value)
{
    struct fuse_permit *permit = NULL;

    fixture->failure = (struct failure){0};
    fixture->profile.rules[memory - PART_FIRST_FUSE].write = value;
    fixture_enter_gate(fixture);
    assert_int_equal(
        fuse_gate_permit_write(fixture->gate, memory, (uint8_t)~value, value, &permit, NULL), 0);
    return programmer_write(fixture->programmer, memory, 0, &value, 1, permit, &fixture->operation,
                            &fixture->failure);
}

static inline const uint8_t *fixture_memory(const struct usb_fixture *fixture,
                                            enum part_memory memory)
{
    return fake_device_memory(&fixture->usb.device, memory);
}

/* ---- what was sent ---- */

static inline size_t fixture_count(const struct usb_fixture *fixture, uint8_t request)
{
    size_t count = 0;

    for (size_t i = 0; i < fixture->usb.count; i++)
        count += fixture->usb.transfers[i].request == request;
    return count;
}

/* The index-th request of this number; fails when there are not so many. */
static inline const struct link_usb_transfer *fixture_sent(const struct usb_fixture *fixture,
                                                           uint8_t request, size_t index)
{
    for (size_t i = 0; i < fixture->usb.count; i++)
        if (fixture->usb.transfers[i].request == request && index-- == 0)
            return &fixture->usb.transfers[i];
    fail_msg("fewer requests of number %u than expected", request);
    return NULL;
}

static inline void fixture_forget(struct usb_fixture *fixture)
{
    fixture->usb.count = 0;
    fixture->usb.device.port.frame_count = 0;
}

static inline bool fixture_is_released(const struct usb_fixture *fixture)
{
    return !fixture->usb.device.port.reset_low;
}

static inline void fixture_harm(struct usb_fixture *fixture, enum fake_harm harm, size_t from_now,
                                size_t count)
{
    fixture->usb.harm = harm;
    fixture->usb.harm_at = fixture->usb.count + from_now;
    fixture->usb.harm_count = count;
}

#endif
