#include "jigs/link_usb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jigs/link_usb_backend.h"
#include "jigs/usb_sysfs.h"
#include "reports/text.h"

#define CANCEL_LOOK_US 50000
#define CANCEL_GRACE_US 1000000 /* a transfer that is cut short leaves the device in the middle */
#define TAKE_BACK_US 4000000    /* a machine under load may stand still for seconds, not for this */
#define UNPLUG_NOTICE_US 300000 /* hubs are asked every 256 ms at most (USB 2.0, 11.12.1) */
#define UNPLUG_LOOK_US 20000
#define TEXT_SILENCE_US 500000 /* a request of a few packets; devices are given 5 s by USB 2.0 */
#define TEXT_TRIES 3

/* USB 2.0, 9.4.3 and 9.6 */
#define STANDARD_TO_HOST 0x80
#define GET_DESCRIPTOR 6
#define DESCRIPTOR_DEVICE 1
#define DESCRIPTOR_STRING 3
#define DEVICE_DESCRIPTOR_BYTES 18
#define DESCRIPTOR_BYTES_MAX 255
#define LANGUAGE_ENGLISH_US 0x0409

/* ---- transfers ---- */

static int fail_lost(const struct link_usb *usb, struct failure *failure)
{
    return failure_set(failure, FAILURE_PROGRAMMER_GONE, "%s was unplugged", usb->name);
}

/* The backend says why; nothing more can be done with this link. */
static int lose(struct link_usb *usb, const struct failure *cause, struct failure *failure)
{
    usb->lost = true;
    for (size_t i = 0; i < LINK_USB_QUEUE; i++)
        usb->requests[i].outcome = LINK_USB_GONE;
    return failure_set(failure, cause->code, "%s: %s", usb->name, cause->detail);
}

static int check_transfer(const struct link_usb *usb, const struct link_usb_transfer *transfer,
                          struct failure *failure)
{
    if (transfer->length <= LINK_USB_TRANSFER_BYTES_MAX &&
        (transfer->length == 0 || transfer->data != NULL))
        return 0;
    return failure_set(failure, FAILURE_INTERNAL, "%s: a transfer of %u bytes, expected up to %d",
                       usb->name, transfer->length, LINK_USB_TRANSFER_BYTES_MAX);
}

/* USB 2.0, 9.3: the numbers of a setup packet are little endian. */
static void fill_request(struct link_usb_request *request, const struct link_usb_transfer *transfer)
{
    const uint8_t setup[LINK_USB_SETUP_BYTES] = {
        transfer->request_type,    transfer->request,
        (uint8_t)transfer->value,  (uint8_t)(transfer->value >> 8),
        (uint8_t)transfer->index,  (uint8_t)(transfer->index >> 8),
        (uint8_t)transfer->length, (uint8_t)(transfer->length >> 8)};

    request->under_way = request->taking_back = false;
    request->outcome = LINK_USB_GARBLED;
    request->endpoint = 0;
    request->to_host = (transfer->request_type & 0x80) != 0;
    request->length = transfer->length;
    request->received = 0;
    memcpy(request->bytes, setup, sizeof setup);
    if (request->to_host || transfer->length == 0)
        memset(request->bytes + sizeof setup, 0, transfer->length);
    else
        memcpy(request->bytes + sizeof setup, transfer->data, transfer->length);
}

int link_usb_submit(struct link_usb *usb, size_t index, int64_t end_us, struct failure *failure)
{
    struct failure cause = {0};

    if (usb->lost)
        return fail_lost(usb, failure);
    if (usb->backend->submit(usb, index, end_us, &cause) != 0)
        return lose(usb, &cause, failure);
    return 0;
}

static int begin(struct link_usb *usb, size_t index, const struct link_usb_transfer *transfer,
                 const struct operation *operation, struct failure *failure)
{
    if (check_transfer(usb, transfer, failure) != 0)
        return -1;
    fill_request(&usb->requests[index], transfer);
    return link_usb_submit(usb, index, operation_within_us(operation, transfer->silence_us),
                           failure);
}

static bool is_cancelled(const struct operation *operation)
{
    return operation->cancel != NULL && atomic_load(operation->cancel);
}

int link_usb_wait(struct link_usb *usb, const struct link_usb_request *one,
                  const struct link_usb_request *other, int64_t end_us,
                  const struct operation *operation, struct failure *failure)
{
    int64_t now_us = operation_now_us();
    bool cut = false;

    while (one->under_way && other->under_way && now_us < end_us) {
        struct failure cause = {0};
        int64_t look_us = end_us;

        if (!cut && is_cancelled(operation)) {
            cut = true;
            if (end_us > now_us + CANCEL_GRACE_US)
                end_us = now_us + CANCEL_GRACE_US;
        }
        if (!cut && operation->cancel != NULL && look_us > now_us + CANCEL_LOOK_US)
            look_us = now_us + CANCEL_LOOK_US;
        if (usb->backend->pump(usb, cut ? end_us : look_us, &cause) != 0)
            return lose(usb, &cause, failure);
        now_us = operation_now_us();
    }
    return 0;
}

/* The last one first, else it would begin when the earlier ones are taken back. */
void link_usb_take_back_all(struct link_usb *usb, size_t first)
{
    int64_t end_us = operation_now_us() + TAKE_BACK_US;
    struct failure cause = {0};
    int result = 0;

    for (size_t i = LINK_USB_QUEUE; i-- > 0 && result == 0 && !usb->lost;) {
        size_t index = (first + i) % LINK_USB_QUEUE;
        struct link_usb_request *request = &usb->requests[index];

        if (!request->under_way)
            continue;
        request->taking_back = true;
        result = usb->backend->take_back(usb, index, end_us, &cause);
    }
    for (size_t i = 0; i < LINK_USB_QUEUE && result == 0 && !usb->lost; i++)
        while (result == 0 && usb->requests[i].under_way && operation_now_us() < end_us)
            result = usb->backend->pump(usb, end_us, &cause);
    for (size_t i = 0; i < LINK_USB_QUEUE; i++)
        if (result != 0 || usb->requests[i].under_way)
            usb->lost = true;
}

/* A device that is pulled out looks like a broken bus until its hub was asked again. */
static bool was_unplugged(const struct link_usb *usb)
{
    int64_t end_us = operation_now_us() + UNPLUG_NOTICE_US;
    const struct operation look = {.deadline_us = INT64_MAX};

    while (usb->backend->is_there(usb)) {
        if (operation_now_us() >= end_us)
            return false;
        (void)operation_sleep_us(&look, UNPLUG_LOOK_US, NULL);
    }
    return true;
}

static int fail_outcome(struct link_usb *usb, enum link_usb_outcome outcome, const char *what,
                        struct failure *failure)
{
    if (outcome == LINK_USB_GARBLED && was_unplugged(usb))
        outcome = LINK_USB_GONE;
    switch (outcome) {
    case LINK_USB_GONE:
        usb->lost = true;
        return fail_lost(usb, failure);
    case LINK_USB_STALLED:
        return failure_set(failure, FAILURE_PROGRAMMER_STALLED, "%s: stall at %s", usb->name, what);
    case LINK_USB_TIMED_OUT:
        return failure_set(failure, FAILURE_PROGRAMMER_SILENT,
                           "%s: the system gave %s up after no answer", usb->name, what);
    case LINK_USB_DONE:
    case LINK_USB_TAKEN_BACK:
    case LINK_USB_GARBLED:
        break;
    }
    return failure_set(failure, FAILURE_PROGRAMMER_OUT_OF_STEP, "%s: %s at %s", usb->name,
                       outcome == LINK_USB_GARBLED ? "bus error" : "given back unasked", what);
}

/* The request's time is over: its own, the operation's, or what was left after a cancellation. */
static int fail_late(const struct link_usb *usb, const char *what, int64_t silence_us,
                     const struct operation *operation, struct failure *failure)
{
    if (operation_check(operation, failure) != 0)
        return -1;
    return failure_set(failure, FAILURE_PROGRAMMER_SILENT, "%s: no answer to %s within %lld ms",
                       usb->name, what, (long long)(silence_us / 1000));
}

int link_usb_fail(struct link_usb *usb, const struct link_usb_request *request, const char *what,
                  int64_t silence_us, const struct operation *operation, struct failure *failure)
{
    return request->under_way ? fail_late(usb, what, silence_us, operation, failure)
                              : fail_outcome(usb, request->outcome, what, failure);
}

static int finish(struct link_usb *usb, size_t index, struct link_usb_transfer *transfer,
                  const struct operation *operation, struct failure *failure)
{
    struct link_usb_request *request = &usb->requests[index];
    int64_t end_us = operation_within_us(operation, transfer->silence_us);
    char what[24];

    if (link_usb_wait(usb, request, request, end_us, operation, failure) != 0)
        return -1;
    if (request->under_way || request->outcome != LINK_USB_DONE) {
        snprintf(what, sizeof what, "request %u", transfer->request);
        return link_usb_fail(usb, request, what, transfer->silence_us, operation, failure);
    }
    transfer->received = request->received;
    if (request->to_host && request->received > 0)
        memcpy(transfer->data, request->bytes + LINK_USB_SETUP_BYTES, request->received);
    return 0;
}

static bool is_short(const struct link_usb_transfer *transfer)
{
    return transfer->whole && transfer->received != transfer->length;
}

static int check_whole(const struct link_usb *usb, const struct link_usb_transfer *transfer,
                       struct failure *failure)
{
    if (!is_short(transfer))
        return 0;
    return failure_set(failure, FAILURE_PROGRAMMER_OUT_OF_STEP,
                       "%s: request %u moved %u bytes, expected %u", usb->name, transfer->request,
                       transfer->received, transfer->length);
}

static void tell_progress(const struct operation *operation,
                          const struct link_usb_transfer *transfers, size_t ended, size_t *told)
{
    for (; *told < ended; (*told)++)
        if (transfers[*told].progress != 0 && !is_short(&transfers[*told]))
            operation_progress(operation, transfers[*told].progress);
}

int link_usb_control(struct link_usb *usb, struct link_usb_transfer *transfers, size_t count,
                     const struct operation *operation, size_t *done, struct failure *failure)
{
    struct failure stop = {0};
    size_t begun = 0, ended = 0, told = 0;
    int result = 0;

    for (size_t i = 0; i < count; i++)
        transfers[i].received = 0;
    while (result == 0 && ended < count) {
        if (usb->lost)
            result = fail_lost(usb, failure);
        while (result == 0 && begun < count && begun - ended < LINK_USB_QUEUE &&
               operation_check(operation, &stop) == 0) {
            result = begin(usb, begun % LINK_USB_QUEUE, &transfers[begun], operation, failure);
            begun++;
        }
        if (result == 0 && begun == ended) /* none is under way and none may be begun */
            result = failure_set(failure, stop.code, "%s", stop.detail);
        tell_progress(operation, transfers, ended, &told); /* the bus is busy meanwhile */
        if (result == 0)
            result = finish(usb, ended % LINK_USB_QUEUE, &transfers[ended], operation, failure);
        if (result == 0)
            result = check_whole(usb, &transfers[ended++], failure);
    }
    tell_progress(operation, transfers, ended, &told);
    if (result != 0)
        link_usb_take_back_all(usb, ended % LINK_USB_QUEUE);
    if (done != NULL)
        *done = ended;
    return result;
}

/* ---- texts ---- */

int link_usb_get_descriptor(struct link_usb *usb, struct link_usb_descriptor *descriptor,
                            const struct operation *operation, struct failure *failure)
{
    struct link_usb_transfer transfer = {.request_type = STANDARD_TO_HOST,
                                         .request = GET_DESCRIPTOR,
                                         .value =
                                             (uint16_t)(descriptor->type << 8 | descriptor->number),
                                         .index = descriptor->language,
                                         .length = descriptor->wanted,
                                         .data = descriptor->bytes,
                                         .silence_us = TEXT_SILENCE_US};
    struct failure cause = {0};
    int result = -1;

    for (int i = 0; i < TEXT_TRIES && result != 0; i++) {
        cause.code = FAILURE_NONE;
        result = link_usb_control(usb, &transfer, 1, operation, NULL, &cause);
        /* Only what a bad moment explains is tried again. */
        if (cause.code != FAILURE_PROGRAMMER_SILENT && cause.code != FAILURE_PROGRAMMER_OUT_OF_STEP)
            break;
    }
    descriptor->received = transfer.received;
    return result == 0 ? 0 : failure_set(failure, cause.code, "%s", cause.detail);
}

/* A device that is gone, or an operation that is over, ends the opening; a device that does not
 * give a text has none. */
static bool is_no_text(const struct failure *cause)
{
    return cause->code == FAILURE_PROGRAMMER_STALLED || cause->code == FAILURE_PROGRAMMER_SILENT ||
           cause->code == FAILURE_PROGRAMMER_OUT_OF_STEP;
}

/* USB 2.0, 9.6.7. The device's own length byte counts, if as many came. */
static size_t string_units(const uint8_t *bytes, uint16_t received)
{
    if (received < 2 || bytes[0] < 2 || bytes[1] != DESCRIPTOR_STRING)
        return 0;
    return (size_t)((bytes[0] < received ? bytes[0] : received) - 2) / 2;
}

void link_usb_text(const uint8_t *descriptor, uint16_t received, char *text, size_t text_bytes)
{
    char utf8[3 * DESCRIPTOR_BYTES_MAX / 2 + 1];
    size_t units = string_units(descriptor, received), used = 0;

    for (size_t i = 0; i < units; i++) {
        unsigned unit = descriptor[2 + 2 * i] | (unsigned)descriptor[3 + 2 * i] << 8;

        if (unit == 0 || (unit >= 0xD800 && unit <= 0xDFFF))
            unit = '?'; /* half a pair: no programmer's name needs one */
        if (unit < 0x80) {
            utf8[used++] = (char)unit;
        } else if (unit < 0x800) {
            utf8[used++] = (char)(0xC0 | unit >> 6);
            utf8[used++] = (char)(0x80 | (unit & 0x3F));
        } else {
            utf8[used++] = (char)(0xE0 | unit >> 12);
            utf8[used++] = (char)(0x80 | (unit >> 6 & 0x3F));
            utf8[used++] = (char)(0x80 | (unit & 0x3F));
        }
    }
    utf8[used] = '\0';
    text_copy(text, text_bytes, utf8);
}

/* A text descriptor; one that the device does not give has no bytes. */
static int get_text(struct link_usb *usb, uint8_t number, uint16_t language,
                    struct link_usb_descriptor *descriptor, const struct operation *operation,
                    struct failure *failure)
{
    struct failure cause = {0};

    *descriptor = (struct link_usb_descriptor){.type = DESCRIPTOR_STRING,
                                               .number = number,
                                               .language = language,
                                               .wanted = DESCRIPTOR_BYTES_MAX};
    if (link_usb_get_descriptor(usb, descriptor, operation, &cause) == 0)
        return 0;
    descriptor->received = 0;
    return is_no_text(&cause) ? 0 : failure_set(failure, cause.code, "%s", cause.detail);
}

static int read_text(struct link_usb *usb, uint8_t number, uint16_t language, char *text,
                     size_t text_bytes, const struct operation *operation, struct failure *failure)
{
    struct link_usb_descriptor descriptor;

    if (number == 0)
        return 0;
    if (get_text(usb, number, language, &descriptor, operation, failure) != 0)
        return -1;
    link_usb_text(descriptor.bytes, descriptor.received, text, text_bytes);
    return 0;
}

/* The first of the languages that the device has; all that were seen have only one. */
static int read_language(struct link_usb *usb, const struct operation *operation,
                         uint16_t *language, struct failure *failure)
{
    struct link_usb_descriptor descriptor;

    if (get_text(usb, 0, 0, &descriptor, operation, failure) != 0)
        return -1;
    *language = LANGUAGE_ENGLISH_US;
    if (string_units(descriptor.bytes, descriptor.received) > 0)
        *language = (uint16_t)(descriptor.bytes[2] | descriptor.bytes[3] << 8);
    return 0;
}

static int read_texts(struct link_usb *usb, const uint8_t *device,
                      const struct operation *operation, struct failure *failure)
{
    struct link_usb_identity *identity = &usb->identity;
    uint16_t language = 0;

    if (device[14] == 0 && device[15] == 0 && device[16] == 0)
        return 0;
    if (read_language(usb, operation, &language, failure) != 0 ||
        read_text(usb, device[14], language, identity->manufacturer, sizeof identity->manufacturer,
                  operation, failure) != 0 ||
        read_text(usb, device[15], language, identity->product_name, sizeof identity->product_name,
                  operation, failure) != 0)
        return -1;
    return read_text(usb, device[16], language, identity->serial, sizeof identity->serial,
                     operation, failure);
}

/* USB 2.0, 9.6.1 */
static int read_identity(struct link_usb *usb, const struct operation *operation,
                         struct failure *failure)
{
    struct link_usb_descriptor device = {.type = DESCRIPTOR_DEVICE,
                                         .wanted = DEVICE_DESCRIPTOR_BYTES};

    if (link_usb_get_descriptor(usb, &device, operation, failure) != 0)
        return -1;
    if (device.received < DEVICE_DESCRIPTOR_BYTES || device.bytes[1] != DESCRIPTOR_DEVICE)
        return failure_set(failure, FAILURE_PROGRAMMER_OUT_OF_STEP,
                           "%s: a device descriptor of %u bytes, type %u, expected %d and %d",
                           usb->name, device.received, device.bytes[1], DEVICE_DESCRIPTOR_BYTES,
                           DESCRIPTOR_DEVICE);
    usb->identity.vendor = (uint16_t)(device.bytes[8] | device.bytes[9] << 8);
    usb->identity.product = (uint16_t)(device.bytes[10] | device.bytes[11] << 8);
    usb->identity.release = (uint16_t)(device.bytes[12] | device.bytes[13] << 8);
    return read_texts(usb, device.bytes, operation, failure);
}

/* ---- opening, closing, listing ---- */

int link_usb_open(const struct place *place, const struct operation *operation,
                  struct link_usb **usb, struct failure *failure)
{
    struct link_usb *made = NULL;
    int result = -1;

    if (operation_check(operation, failure) != 0)
        return -1;
    if (place->kind == PLACE_USB || place->kind == PLACE_USB_SERIAL) {
        result = link_libusb_open(place, operation, &made, failure);
    } else if (place->kind == PLACE_USBIP) {
        result = link_usbip_open(place, operation, &made, failure);
    } else {
        char text[320];

        place_to_text(place, text, sizeof text);
        return failure_set(failure, FAILURE_PLACE_MISSING, "%s is no USB place", text);
    }
    if (result == 0 && read_identity(made, operation, failure) != 0) {
        link_usb_close(made);
        return -1;
    }
    if (result == 0)
        *usb = made;
    return result;
}

void link_usb_close(struct link_usb *usb)
{
    if (usb == NULL)
        return;
    link_usb_take_back_all(usb, 0);
    usb->backend->close(usb);
}

/* Another device may be plugged in there meanwhile. */
static int check_same(const struct link_usb *usb, const struct link_usb_identity *before,
                      struct failure *failure)
{
    const struct link_usb_identity *now = &usb->identity;

    if (now->vendor == before->vendor && now->product == before->product &&
        strcmp(now->serial, before->serial) == 0)
        return 0;
    return failure_set(failure, FAILURE_PROGRAMMER_GONE,
                       "%s: after its reset it is %04X:%04X '%s', expected %04X:%04X '%s'",
                       usb->name, now->vendor, now->product, now->serial, before->vendor,
                       before->product, before->serial);
}

int link_usb_reset(struct link_usb *usb, const struct operation *operation, struct failure *failure)
{
    const struct link_usb_identity before = usb->identity;

    if (usb->lost)
        return fail_lost(usb, failure);
    if (operation_check(operation, failure) != 0)
        return -1;
    link_usb_take_back_all(usb, 0);
    usb->bulk_known = usb->bulk_settled = false;
    if (usb->lost)
        return fail_lost(usb, failure);
    if (usb->backend->reset(usb, operation, failure) != 0 ||
        read_identity(usb, operation, failure) != 0 || check_same(usb, &before, failure) != 0) {
        usb->lost = true;
        return -1;
    }
    return 0;
}

const struct link_usb_identity *link_usb_identity(const struct link_usb *usb)
{
    return &usb->identity;
}

static void fill_found(struct link_usb_found *found, const struct usb_sysfs_device *device)
{
    struct link_usb_identity *identity = &found->identity;
    char node[64];

    identity->vendor = device->vendor;
    identity->product = device->product;
    identity->release = device->release;
    text_copy(identity->manufacturer, sizeof identity->manufacturer, device->manufacturer);
    text_copy(identity->product_name, sizeof identity->product_name, device->product_name);
    text_copy(identity->serial, sizeof identity->serial, device->serial);
    found->place.kind = PLACE_USB;
    snprintf(found->place.path, sizeof found->place.path, "%s", device->path);
    usb_sysfs_node(device, node, sizeof node);
    found->denied = access(node, R_OK | W_OK) != 0;
    found->busy = strcmp(device->driver, "usbfs") == 0;
}

int link_usb_list(struct link_usb_found **found, size_t *count, struct failure *failure)
{
    struct usb_sysfs_device *devices = NULL;
    size_t device_count = 0;

    *found = NULL;
    *count = 0;
    if (usb_sysfs_list(USB_SYSFS_ROOT, &devices, &device_count, failure) != 0)
        return -1;
    *found = calloc(device_count + 1, sizeof **found);
    if (*found == NULL) {
        free(devices);
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "a list of USB devices");
    }
    for (size_t i = 0; i < device_count; i++)
        fill_found(&(*found)[i], &devices[i]);
    *count = device_count;
    free(devices);
    return 0;
}
