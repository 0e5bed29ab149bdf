/* The USB link's way to the simulated bench: a USB/IP client that speaks to this machine only. The
 * server is another program: nothing it says is believed, and nothing is waited for without an end.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "jigs/link_usb_backend.h"
#include "jigs/usbip_wire.h"

#define IMPORT_SILENCE_US 2000000
#define REQUEST_SILENCE_US 5000000 /* USB 2.0, 9.2.6.4: a device has so long for a request */

/* USB 2.0, tables 9-4, 9-6 and 11-17 */
#define CLEAR_FEATURE 1
#define SET_FEATURE 3
#define SET_CONFIGURATION 9
#define ENDPOINT_HALT 0
#define PORT_RESET 4

struct usbip_link {
    struct link_usb usb;
    int descriptor;
    uint32_t device_id;
    uint32_t last_number;
    struct usbip_inbox inbox;
};

static struct usbip_link *own(struct link_usb *usb)
{
    return (struct usbip_link *)usb;
}

/* ---- the socket ---- */

static int fail_socket(const char *action, int error, struct failure *failure)
{
    return failure_set(failure, FAILURE_PROGRAMMER_GONE, "%s: %s", action,
                       error != 0 ? strerror(error) : "the server closed the connection");
}

/* 1 when it is ready for `events`, 0 at `end_us`, -1 on failure. */
static int wait_ready(int descriptor, short events, int64_t end_us, struct failure *failure)
{
    for (;;) {
        struct pollfd look = {.fd = descriptor, .events = events};
        int64_t left_us = end_us - operation_now_us();

        if (left_us < 0)
            left_us = 0;
        struct timespec left = {.tv_sec = left_us / 1000000, .tv_nsec = left_us % 1000000 * 1000};
        int ready = ppoll(&look, 1, &left, NULL);
        if (ready >= 0)
            return ready;
        if (errno != EINTR)
            return failure_set(failure, FAILURE_INTERNAL, "poll: %s", strerror(errno));
    }
}

static int send_all(int descriptor, const uint8_t *bytes, size_t count, int64_t end_us,
                    struct failure *failure)
{
    size_t done = 0;

    while (done < count) {
        ssize_t sent = send(descriptor, bytes + done, count - done, MSG_NOSIGNAL);

        if (sent >= 0) {
            done += (size_t)sent;
        } else if (errno == EAGAIN) {
            int ready = wait_ready(descriptor, POLLOUT, end_us, failure);

            if (ready < 0)
                return -1;
            if (ready == 0)
                return failure_set(failure, FAILURE_PROGRAMMER_SILENT, "the server takes no bytes");
        } else if (errno != EINTR) {
            return fail_socket("send", errno, failure);
        }
    }
    return 0;
}

/* What has arrived, at most `count` bytes: how many; 0 for none yet. */
static ssize_t receive(int descriptor, uint8_t *bytes, size_t count, struct failure *failure)
{
    ssize_t came;

    do
        came = recv(descriptor, bytes, count, 0);
    while (came < 0 && errno == EINTR);
    if (came > 0)
        return came;
    if (came < 0 && errno == EAGAIN)
        return 0;
    return fail_socket("receive", came < 0 ? errno : 0, failure);
}

static int receive_all(int descriptor, uint8_t *bytes, size_t count, int64_t end_us,
                       struct failure *failure)
{
    size_t done = 0;

    while (done < count) {
        int ready = wait_ready(descriptor, POLLIN, end_us, failure);

        if (ready < 0)
            return -1;
        if (ready == 0)
            return failure_set(failure, FAILURE_PROGRAMMER_SILENT,
                               "the server gave %zu bytes of %zu", done, count);
        ssize_t came = receive(descriptor, bytes + done, count - done, failure);
        if (came < 0)
            return -1;
        done += (size_t)came;
    }
    return 0;
}

/* ---- opening ---- */

static int connect_to(int descriptor, const struct addrinfo *address, int64_t end_us,
                      struct failure *failure)
{
    int error = 0, on = 1;
    socklen_t size = sizeof error;

    if (connect(descriptor, address->ai_addr, address->ai_addrlen) != 0)
        error = errno;
    if (error == EINPROGRESS) {
        int ready = wait_ready(descriptor, POLLOUT, end_us, failure);

        if (ready < 0)
            return -1;
        if (ready == 0)
            return failure_set(failure, FAILURE_PROGRAMMER_SILENT, "connect: no answer");
        if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
            error = errno;
    }
    if (error != 0)
        return failure_set(failure, FAILURE_PLACE_MISSING, "connect: %s", strerror(error));
    if (setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
        return failure_set(failure, FAILURE_INTERNAL, "TCP_NODELAY: %s", strerror(errno));
    return 0;
}

static int dial(struct usbip_link *link, const struct place *place, int64_t end_us,
                struct failure *failure)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                                   .ai_socktype = SOCK_STREAM};
    struct addrinfo *address = NULL;
    char port[8];
    int result = -1;

    if (!place_is_loopback(place->path))
        return failure_set(failure, FAILURE_PLACE_DENIED,
                           "USB/IP is spoken with this machine only, expected 127.0.0.1");
    snprintf(port, sizeof port, "%u", (unsigned)place->port);
    int error = getaddrinfo(place->path, port, &hints, &address);
    if (error != 0)
        return failure_set(failure, FAILURE_PLACE_MISSING, "%s", gai_strerror(error));
    link->descriptor = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (link->descriptor >= 0)
        result = connect_to(link->descriptor, address, end_us, failure);
    else
        failure_set(failure, FAILURE_INTERNAL, "socket: %s", strerror(errno));
    freeaddrinfo(address);
    return result;
}

/* The server gives a device to one client at a time: that is the lock. */
static int import(struct usbip_link *link, const struct place *place, int64_t end_us,
                  struct failure *failure)
{
    uint8_t request[USBIP_IMPORT_BYTES], status[USBIP_IMPORT_STATUS_BYTES];
    uint8_t device[USBIP_IMPORT_DEVICE_BYTES];

    usbip_wire_import(request, place->bus_id);
    if (send_all(link->descriptor, request, sizeof request, end_us, failure) != 0 ||
        receive_all(link->descriptor, status, sizeof status, end_us, failure) != 0 ||
        usbip_wire_import_status(status, failure) != 0 ||
        receive_all(link->descriptor, device, sizeof device, end_us, failure) != 0)
        return -1;
    return usbip_wire_import_device(device, place->bus_id, &link->device_id, failure);
}

/* ---- transfers ---- */

static enum link_usb_outcome outcome_of(int32_t status)
{
    switch (status) { /* the kernel's Documentation/driver-api/usb/error-codes.rst */
    case 0:
        return LINK_USB_DONE;
    case -EPIPE:
        return LINK_USB_STALLED;
    case -ENODEV:
    case -ESHUTDOWN:
        return LINK_USB_GONE;
    case -ENOENT:
    case -ECONNRESET:
        return LINK_USB_TAKEN_BACK;
    case -ETIMEDOUT:
        return LINK_USB_TIMED_OUT;
    default:
        return LINK_USB_GARBLED;
    }
}

/* A number that is not 0, nor that of anything that may still be under way. */
static uint32_t next_number(struct usbip_link *link)
{
    link->last_number++;
    if (link->last_number == 0)
        link->last_number = 1;
    return link->last_number;
}

static int submit(struct link_usb *usb, size_t index, int64_t end_us, struct failure *failure)
{
    struct usbip_link *link = own(usb);
    struct link_usb_request *request = &usb->requests[index];
    struct usbip_expected *expected = &link->inbox.expected[index];
    uint8_t message[USBIP_MESSAGE_BYTES + LINK_USB_TRANSFER_BYTES_MAX];
    size_t count = USBIP_MESSAGE_BYTES;

    *expected = (struct usbip_expected){.number = next_number(link),
                                        .endpoint = request->endpoint & 0x0F,
                                        .to_host = request->to_host,
                                        .length = request->length,
                                        .data = request->bytes + LINK_USB_SETUP_BYTES};
    usbip_wire_submit(message, link->device_id, expected, request->bytes);
    if (!request->to_host) {
        memcpy(message + count, request->bytes + LINK_USB_SETUP_BYTES, request->length);
        count += request->length;
    }
    request->under_way = true;
    return send_all(link->descriptor, message, count, end_us, failure);
}

static int take_back(struct link_usb *usb, size_t index, int64_t end_us, struct failure *failure)
{
    struct usbip_link *link = own(usb);
    struct usbip_expected *expected = &link->inbox.expected[index];
    uint8_t message[USBIP_MESSAGE_BYTES];

    expected->unlink_number = next_number(link);
    usbip_wire_unlink(message, link->device_id, expected);
    return send_all(link->descriptor, message, sizeof message, end_us, failure);
}

static int pump(struct link_usb *usb, int64_t end_us, struct failure *failure)
{
    struct usbip_link *link = own(usb);
    uint8_t bytes[LINK_USB_TRANSFER_BYTES_MAX];
    int ready = wait_ready(link->descriptor, POLLIN, end_us, failure);

    if (ready <= 0)
        return ready;
    ssize_t came = receive(link->descriptor, bytes, sizeof bytes, failure);
    if (came < 0 || usbip_inbox_take(&link->inbox, bytes, (size_t)came, failure) != 0)
        return -1;
    for (size_t i = 0; i < LINK_USB_QUEUE; i++) {
        struct link_usb_request *request = &usb->requests[i];
        const struct usbip_expected *expected = &link->inbox.expected[i];

        if (!request->under_way || expected->number != 0)
            continue;
        request->outcome = outcome_of(expected->status);
        request->received = expected->received;
        request->under_way = false;
    }
    return 0;
}

/* USB 2.0, 9.4.1. Data toggles are the server's: the kernel's sees this request and sets its own.
 */
static int clear_halt(struct link_usb *usb, uint8_t endpoint, const struct operation *operation,
                      struct failure *failure)
{
    struct link_usb_transfer clear = {.request_type = 0x02,
                                      .request = CLEAR_FEATURE,
                                      .value = ENDPOINT_HALT,
                                      .index = endpoint,
                                      .silence_us = REQUEST_SILENCE_US};

    return link_usb_control(usb, &clear, 1, operation, NULL, failure);
}

/* USB 2.0, table 11-16: SetPortFeature(PORT_RESET) as a hub gets it. The kernel's server
 * (drivers/usb/usbip/stub_rx.c), and the simulated bench, take it for the device's own port. */
static int reset(struct link_usb *usb, const struct operation *operation, struct failure *failure)
{
    struct link_usb_transfer requests[] = {
        {.request_type = 0x23, .request = SET_FEATURE, .value = PORT_RESET},
        {.request = SET_CONFIGURATION, .value = 1},
    };

    requests[0].silence_us = requests[1].silence_us = REQUEST_SILENCE_US;
    if (link_usb_control(usb, &requests[0], 1, operation, NULL, failure) != 0)
        return -1;
    return link_usb_control(usb, &requests[1], 1, operation, NULL, failure);
}

static bool is_there(const struct link_usb *usb)
{
    const struct usbip_link *link = (const struct usbip_link *)usb;
    uint8_t byte;
    ssize_t came = recv(link->descriptor, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    return came > 0 || (came < 0 && (errno == EAGAIN || errno == EINTR));
}

static void close_link(struct link_usb *usb)
{
    struct usbip_link *link = own(usb);

    if (link->descriptor >= 0)
        close(link->descriptor);
    free(link);
}

static const struct link_usb_backend backend = {
    .submit = submit,
    .pump = pump,
    .take_back = take_back,
    .clear_halt = clear_halt,
    .reset = reset,
    .is_there = is_there,
    .close = close_link,
};

int link_usbip_open(const struct place *place, const struct operation *operation,
                    struct link_usb **usb, struct failure *failure)
{
    struct usbip_link *made = calloc(1, sizeof *made);
    int64_t end_us = operation_within_us(operation, IMPORT_SILENCE_US);
    struct failure cause = {0};

    if (made == NULL)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "a USB link");
    made->usb.backend = &backend;
    made->descriptor = -1;
    place_to_text(place, made->usb.name, sizeof made->usb.name);
    if (dial(made, place, end_us, &cause) != 0 || import(made, place, end_us, &cause) != 0) {
        if (cause.code != FAILURE_PROGRAMMER_SILENT || operation_check(operation, failure) == 0)
            failure_set(failure, cause.code, "%s: %s", made->usb.name, cause.detail);
        close_link(&made->usb);
        return -1;
    }
    *usb = &made->usb;
    return 0;
}
