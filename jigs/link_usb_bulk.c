/* Bulk transfers of the USB link: a command to a programmer, and its reply. */
#include <string.h>

#include "jigs/link_usb_backend.h"

#define REQUEST_IN 0
#define REQUEST_OUT 1
/* The two ends of one exchange are told to this process at once, in any order. A reply that is so
 * much earlier than the end of the command is not the reply to it. */
#define EARLY_US 20000
#define QUIET_US                                                                                   \
    20000 /* a full-speed device that has something to say is asked every millisecond */
#define CLEAR_TRIES 16 /* more than are waiting in any device's buffers */
#define REQUEST_SILENCE_US 500000

/* USB 2.0, 9.4.5, 9.6.5 and 9.6.6 */
#define ENDPOINT_TO_HOST 0x82
#define GET_STATUS 0
#define STATUS_HALTED 1
#define DESCRIPTOR_CONFIGURATION 2
#define DESCRIPTOR_INTERFACE 4
#define DESCRIPTOR_ENDPOINT 5
#define INTERFACE_BYTES 9
#define ENDPOINT_BYTES 7
#define TRANSFER_TYPE 3
#define TYPE_BULK 2
#define PACKET_MASK 0x07FF

/* ---- endpoints ---- */

static void note_endpoint(const uint8_t *descriptor, struct link_usb_endpoint *in,
                          struct link_usb_endpoint *out)
{
    struct link_usb_endpoint *found = (descriptor[2] & 0x80) != 0 ? in : out;

    if ((descriptor[3] & TRANSFER_TYPE) != TYPE_BULK || (descriptor[2] & 0x0F) == 0 ||
        found->address != 0)
        return;
    found->address = descriptor[2];
    found->packet_bytes = (uint16_t)((descriptor[4] | descriptor[5] << 8) & PACKET_MASK);
}

bool link_usb_find_bulk(const uint8_t *configuration, size_t received, struct link_usb_endpoint *in,
                        struct link_usb_endpoint *out)
{
    bool claimed = false;

    *in = *out = (struct link_usb_endpoint){0};
    for (size_t at = 0; at + 2 <= received; at += configuration[at]) {
        const uint8_t *descriptor = configuration + at;

        if (descriptor[0] < 2 || descriptor[0] > received - at)
            break;
        if (descriptor[1] == DESCRIPTOR_INTERFACE && descriptor[0] >= INTERFACE_BYTES)
            claimed = descriptor[2] == 0 && descriptor[3] == 0;
        else if (descriptor[1] == DESCRIPTOR_ENDPOINT && descriptor[0] >= ENDPOINT_BYTES && claimed)
            note_endpoint(descriptor, in, out);
    }
    return in->address != 0 && out->address != 0 && in->packet_bytes != 0 && out->packet_bytes != 0;
}

static int fail_no_bulk(const struct link_usb *usb, struct failure *failure)
{
    return failure_set(failure, FAILURE_PROGRAMMER_UNKNOWN,
                       "%s (%04X:%04X '%.40s') has no bulk endpoints in its first interface",
                       usb->name, usb->identity.vendor, usb->identity.product,
                       usb->identity.product_name);
}

/* Asked for as Windows does: 255 bytes, in which the first interface stands. */
static int find_bulk(struct link_usb *usb, const struct operation *operation,
                     struct failure *failure)
{
    struct link_usb_descriptor configuration = {.type = DESCRIPTOR_CONFIGURATION,
                                                .wanted = sizeof configuration.bytes};

    if (usb->bulk_known)
        return 0;
    if (link_usb_get_descriptor(usb, &configuration, operation, failure) != 0)
        return -1;
    if (!link_usb_find_bulk(configuration.bytes, configuration.received, &usb->bulk_in,
                            &usb->bulk_out))
        return fail_no_bulk(usb, failure);
    usb->bulk_known = true;
    return 0;
}

/* ---- transfers ---- */

static int submit(struct link_usb *usb, size_t index, const struct link_usb_endpoint *endpoint,
                  const uint8_t *out, size_t count, int64_t end_us, struct failure *failure)
{
    struct link_usb_request *request = &usb->requests[index];

    request->under_way = request->taking_back = false;
    request->outcome = LINK_USB_GARBLED;
    request->endpoint = endpoint->address;
    request->to_host = out == NULL;
    request->length = (uint16_t)count;
    request->received = 0;
    memset(request->bytes, 0, LINK_USB_SETUP_BYTES);
    if (out != NULL)
        memcpy(request->bytes + LINK_USB_SETUP_BYTES, out, count);
    return link_usb_submit(usb, index, end_us, failure);
}

/* ---- clearing ---- */

/* USB 2.0, 9.4.5. A device that does not say is taken for one that is not halted: the next transfer
 * tells. */
static int is_halted(struct link_usb *usb, uint8_t endpoint, bool *halted,
                     const struct operation *operation, struct failure *failure)
{
    uint8_t status[2] = {0};
    struct failure cause = {0};
    struct link_usb_transfer ask = {.request_type = ENDPOINT_TO_HOST,
                                    .request = GET_STATUS,
                                    .index = endpoint,
                                    .length = sizeof status,
                                    .data = status,
                                    .silence_us = REQUEST_SILENCE_US};

    *halted = false;
    if (link_usb_control(usb, &ask, 1, operation, NULL, &cause) == 0)
        *halted = ask.received == sizeof status && (status[0] & STATUS_HALTED) != 0;
    else if (cause.code != FAILURE_PROGRAMMER_STALLED && cause.code != FAILURE_PROGRAMMER_SILENT)
        return failure_set(failure, cause.code, "%s", cause.detail);
    return 0;
}

/* Only one that is halted: clearing another one's halt would set back its data toggle, which not
 * every firmware does as the host does. */
static int end_halt(struct link_usb *usb, struct link_usb_endpoint *endpoint,
                    const struct operation *operation, struct failure *failure)
{
    bool halted = endpoint->halted;

    if (!halted && is_halted(usb, endpoint->address, &halted, operation, failure) != 0)
        return -1;
    if (!halted)
        return 0;
    endpoint->halted = false;
    return usb->backend->clear_halt(usb, endpoint->address, operation, failure);
}

/* 1 when something came, 0 when the device was quiet. */
static int throw_away(struct link_usb *usb, const struct operation *operation,
                      struct failure *failure)
{
    struct link_usb_request *request = &usb->requests[REQUEST_IN];
    int64_t end_us = operation_within_us(operation, QUIET_US);
    size_t room = LINK_USB_TRANSFER_BYTES_MAX / usb->bulk_in.packet_bytes;

    if (operation_check(operation, failure) != 0 ||
        submit(usb, REQUEST_IN, &usb->bulk_in, NULL, room * usb->bulk_in.packet_bytes, end_us,
               failure) != 0 ||
        link_usb_wait(usb, request, request, end_us, operation, failure) != 0)
        return -1;
    if (request->under_way) {
        link_usb_take_back_all(usb, 0);
        if (usb->lost)
            return failure_set(failure, FAILURE_PROGRAMMER_GONE, "%s was unplugged", usb->name);
        return request->received > 0 || request->outcome == LINK_USB_DONE ? 1 : 0;
    }
    if (request->outcome == LINK_USB_STALLED)
        return usb->backend->clear_halt(usb, usb->bulk_in.address, operation, failure) == 0 ? 1
                                                                                            : -1;
    if (request->outcome != LINK_USB_DONE)
        return link_usb_fail(usb, request, "a reply of before", QUIET_US, operation, failure);
    return 1;
}

int link_usb_clear(struct link_usb *usb, const struct operation *operation, struct failure *failure)
{
    if (find_bulk(usb, operation, failure) != 0 ||
        end_halt(usb, &usb->bulk_out, operation, failure) != 0 ||
        end_halt(usb, &usb->bulk_in, operation, failure) != 0)
        return -1;
    for (int i = 0; i < CLEAR_TRIES; i++) {
        int came = throw_away(usb, operation, failure);

        if (came <= 0) {
            usb->bulk_settled = came == 0;
            return came;
        }
    }
    return failure_set(failure, FAILURE_PROGRAMMER_OUT_OF_STEP, "%s does not stop sending",
                       usb->name);
}

/* ---- exchanging ---- */

static int check_exchange(const struct link_usb *usb, const struct link_usb_exchange *exchange,
                          struct failure *failure)
{
    if (exchange->out_count > 0 && exchange->out_count <= LINK_USB_TRANSFER_BYTES_MAX &&
        exchange->in_room > 0 && exchange->in_room <= LINK_USB_TRANSFER_BYTES_MAX &&
        exchange->in_room % usb->bulk_in.packet_bytes == 0)
        return 0;
    return failure_set(failure, FAILURE_INTERNAL,
                       "%s: a command of %zu bytes with room for a reply of %zu, expected up to %d,"
                       " the room a multiple of %u",
                       usb->name, exchange->out_count, exchange->in_room,
                       LINK_USB_TRANSFER_BYTES_MAX, usb->bulk_in.packet_bytes);
}

/* The command is with the device. */
static int finish_out(struct link_usb *usb, const struct link_usb_exchange *exchange,
                      int64_t end_us, const struct operation *operation, struct failure *failure)
{
    const struct link_usb_request *in = &usb->requests[REQUEST_IN];
    const struct link_usb_request *out = &usb->requests[REQUEST_OUT];

    if (link_usb_wait(usb, in, out, end_us, operation, failure) != 0)
        return -1;
    if (out->under_way && !in->under_way && in->outcome == LINK_USB_DONE) {
        if (link_usb_wait(usb, out, out, operation_within_us(operation, EARLY_US), operation,
                          failure) != 0)
            return -1;
        if (out->under_way)
            return failure_set(failure, FAILURE_PROGRAMMER_OUT_OF_STEP,
                               "%s: a reply of %u bytes before the command was taken", usb->name,
                               in->received);
    }
    if (out->under_way && !in->under_way)
        return link_usb_fail(usb, in, "a reply", exchange->silence_us, operation, failure);
    if (out->under_way || out->outcome != LINK_USB_DONE)
        return link_usb_fail(usb, out, "a command", exchange->silence_us, operation, failure);
    if (out->received == exchange->out_count)
        return 0;
    return failure_set(failure, FAILURE_PROGRAMMER_OUT_OF_STEP,
                       "%s: %u bytes of a command of %zu were taken", usb->name, out->received,
                       exchange->out_count);
}

static int finish_in(struct link_usb *usb, struct link_usb_exchange *exchange, int64_t end_us,
                     const struct operation *operation, struct failure *failure)
{
    const struct link_usb_request *in = &usb->requests[REQUEST_IN];

    if (link_usb_wait(usb, in, in, end_us, operation, failure) != 0)
        return -1;
    if (in->under_way || in->outcome != LINK_USB_DONE)
        return link_usb_fail(usb, in, in->under_way ? "a command" : "a reply", exchange->silence_us,
                             operation, failure);
    if (in->received == exchange->in_room)
        return failure_set(failure, FAILURE_PROGRAMMER_OUT_OF_STEP,
                           "%s: a reply that does not end within %zu bytes", usb->name,
                           exchange->in_room);
    exchange->received = in->received;
    memcpy(exchange->in, in->bytes + LINK_USB_SETUP_BYTES, in->received);
    return 0;
}

int link_usb_exchange(struct link_usb *usb, struct link_usb_exchange *exchange,
                      const struct operation *operation, struct failure *failure)
{
    exchange->received = 0;
    if (operation_check(operation, failure) != 0 || find_bulk(usb, operation, failure) != 0 ||
        check_exchange(usb, exchange, failure) != 0 ||
        (!usb->bulk_settled && link_usb_clear(usb, operation, failure) != 0))
        return -1;
    int64_t end_us = operation_within_us(operation, exchange->silence_us);

    usb->bulk_settled = false;
    if (submit(usb, REQUEST_IN, &usb->bulk_in, NULL, exchange->in_room, end_us, failure) != 0 ||
        submit(usb, REQUEST_OUT, &usb->bulk_out, exchange->out, exchange->out_count, end_us,
               failure) != 0 ||
        finish_out(usb, exchange, end_us, operation, failure) != 0 ||
        finish_in(usb, exchange, end_us, operation, failure) != 0) {
        link_usb_take_back_all(usb, 0);
        usb->bulk_in.halted = usb->requests[REQUEST_IN].outcome == LINK_USB_STALLED;
        usb->bulk_out.halted = usb->requests[REQUEST_OUT].outcome == LINK_USB_STALLED;
        return -1;
    }
    usb->bulk_settled = true;
    return 0;
}
