#include "jigs/simbench/usb_port.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "jigs/simbench/usb_standard.h"
#include "jigs/simbench/usbip_session.h"

#define FRAME_NS 1000000
/* How far the firmware may be ahead of the clock before it waits, and to how far it then waits. */
#define LEAD_MAX_NS 20000000
#define LEAD_NS 10000000
#define TIMER_SLACK_NS 1000
#define HANG_UP_MS 20
#define FOREVER_NS INT64_MAX
#define NOBODY (-1)

/* How serving a transfer ends, beside the firmware's own answers. */
#define ANSWER_DONE 0
#define ANSWER_MISHAP (-4) /* see usb_port.mishap */

struct usb_port {
    struct usb_port_options options;
    struct usbip_device device;
    void *instance;
    bool stopped;
    bool hung; /* until the bus is reset or the plug pulled */
    uint8_t configuration;

    struct usbip_session *session;   /* NULL: nobody has attached the device */
    struct usbip_transfer *transfer; /* being served */
    size_t moved;                    /* bytes of its data stage */
    enum isp_mishap mishap;          /* what became of the programmer meanwhile */
    int64_t away_us;                 /* how long it is unplugged then */

    int64_t now_ns;  /* the firmware's clock */
    int64_t bus_ns;  /* when the bus is free for the next transaction */
    int64_t seen_ns; /* the monotonic clock when last looked at */

    int wake;             /* event descriptor: somebody wants to attach the device */
    pthread_mutex_t lock; /* guards what follows */
    bool plugged;
    bool reserved;
    int attached; /* the session's socket; NOBODY */
    int next;     /* the socket of who attaches the device; NOBODY */
};

/* --- the firmware's clock --- */

static int64_t clock_ns(struct usb_port *port)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    port->seen_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    return port->seen_ns;
}

static int64_t later(int64_t a_ns, int64_t b_ns)
{
    return a_ns > b_ns ? a_ns : b_ns;
}

/* --- who has attached the device --- */

static void set_attached(struct usb_port *port, int socket)
{
    pthread_mutex_lock(&port->lock);
    port->attached = socket;
    pthread_mutex_unlock(&port->lock);
}

static void free_session(struct usb_port *port)
{
    if (port->transfer != NULL) {
        port->transfer->cancelled = true;
    }
    usbip_session_free(port->session);
    port->session = NULL;
}

static void drop_session(struct usb_port *port)
{
    set_attached(port, NOBODY); /* before another socket may have its number */
    free_session(port);
}

static void begin_session(struct usb_port *port)
{
    eventfd_t ignored;
    eventfd_read(port->wake, &ignored);
    pthread_mutex_lock(&port->lock);
    int socket = port->next;
    if (socket != NOBODY) {
        port->attached = socket;
        port->next = NOBODY;
    }
    pthread_mutex_unlock(&port->lock);
    if (socket != NOBODY) {
        free_session(port); /* its host has hung up, else there would be no other */
        port->session = usbip_session_create(socket, usbip_devid(&port->device));
        if (port->session == NULL) {
            set_attached(port, NOBODY);
        }
    }
}

/* Also true of nobody. A hang-up that is on its way yet is waited for. */
static bool has_hung_up(int socket)
{
    struct pollfd look = {.fd = socket, .events = POLLRDHUP};
    return socket == NOBODY || poll(&look, 1, HANG_UP_MS) == 1;
}

enum usbip_status usb_port_reserve(struct usb_port *port)
{
    enum usbip_status status = USBIP_OK;
    pthread_mutex_lock(&port->lock);
    if (!port->plugged) {
        status = USBIP_NO_DEVICE;
    } else if (port->reserved || !has_hung_up(port->next) || !has_hung_up(port->attached)) {
        status = USBIP_BUSY;
    } else {
        port->reserved = true;
    }
    pthread_mutex_unlock(&port->lock);
    return status;
}

/* The lock is held. */
static void forget_next(struct usb_port *port)
{
    if (port->next != NOBODY) {
        close(port->next);
        port->next = NOBODY;
    }
}

void usb_port_attach(struct usb_port *port, int socket)
{
    pthread_mutex_lock(&port->lock);
    port->reserved = false;
    if (socket != NOBODY && port->plugged) {
        forget_next(port); /* who has hung up meanwhile */
        port->next = socket;
        eventfd_write(port->wake, 1);
    } else if (socket != NOBODY) {
        close(socket);
    }
    pthread_mutex_unlock(&port->lock);
}

const struct usbip_device *usb_port_device(const struct usb_port *port)
{
    return &port->device;
}

bool usb_port_is_plugged(struct usb_port *port)
{
    pthread_mutex_lock(&port->lock);
    bool plugged = port->plugged;
    pthread_mutex_unlock(&port->lock);
    return plugged;
}

/* --- waiting --- */

static void poll_until(struct usb_port *port, struct pollfd *looks, nfds_t count, int64_t until_ns)
{
    if (until_ns == FOREVER_NS) {
        poll(looks, count, -1);
        return;
    }
    int64_t left_ns = later(until_ns - port->seen_ns, 0);
    struct timespec left = {left_ns / 1000000000, left_ns % 1000000000};
    ppoll(looks, count, &left, NULL);
}

/* Sleeps until something happens or `until_ns`; takes in what the host says. */
static void wait_once(struct usb_port *port, int64_t until_ns)
{
    bool attached = port->session != NULL;
    struct pollfd looks[] = {
        {.fd = port->options.stop_descriptor, .events = POLLIN},
        {.fd = port->wake, .events = POLLIN},
        {.fd = attached ? usbip_session_descriptor(port->session) : -1,
         .events = (short)(attached ? usbip_session_events(port->session) : 0)},
    };
    poll_until(port, looks, 3, until_ns);
    port->stopped |= looks[0].revents != 0;
    if (looks[2].revents != 0 && usbip_session_work(port->session, clock_ns(port)) != 0) {
        drop_session(port);
    }
    if (looks[1].revents != 0) {
        begin_session(port);
    }
}

/* Waits until the clock is where the firmware is. */
static void settle(struct usb_port *port, int64_t until_ns)
{
    while (!port->stopped && clock_ns(port) < until_ns) {
        wait_once(port, until_ns);
    }
}

static bool is_given_up(const struct usb_port *port)
{
    return port->stopped || port->transfer->cancelled ||
           (port->session != NULL && usbip_session_has_reset(port->session));
}

/* Waits while the host still wants the transfer. */
static void wait_for_host(struct usb_port *port, int64_t until_ns)
{
    while (!is_given_up(port) && clock_ns(port) < until_ns) {
        wait_once(port, until_ns);
    }
}

/* --- for the firmware --- */

int64_t usb_port_now_us(const struct usb_port *port)
{
    return port->now_ns / 1000;
}

static void keep_lead(struct usb_port *port)
{
    if (port->options.real_pace && port->now_ns > port->seen_ns + LEAD_MAX_NS) {
        settle(port, port->now_ns - LEAD_NS);
    }
}

void usb_port_spend_ns(struct usb_port *port, int64_t duration_ns)
{
    if (port->mishap == ISP_MISHAP_NONE && !port->stopped) {
        port->now_ns += duration_ns;
        keep_lead(port);
    }
}

void usb_port_spend(struct usb_port *port, int64_t duration_us)
{
    usb_port_spend_ns(port, duration_us * 1000);
}

void usb_port_reset_line(struct usb_port *port, bool low)
{
    if (port->mishap == ISP_MISHAP_NONE) {
        port->options.isp->drive_reset(port->options.isp->context, low);
    }
}

void usb_port_let_go(struct usb_port *port)
{
    const struct isp_port *isp = port->options.isp;
    usb_port_reset_line(port, false);
    if (port->mishap == ISP_MISHAP_NONE && isp->let_go != NULL) {
        isp->let_go(isp->context);
    }
}

bool usb_port_transfer(struct usb_port *port, const uint8_t mosi[4], uint8_t miso[4],
                       int64_t sck_hz)
{
    if (port->stopped || port->mishap != ISP_MISHAP_NONE) {
        return false;
    }
    port->mishap = port->options.isp->transfer(port->options.isp->context, mosi, miso, sck_hz,
                                               usb_port_now_us(port), &port->away_us);
    return port->mishap == ISP_MISHAP_NONE;
}

/* --- a transfer, packet by packet --- */

/* The next transaction on the bus takes place; the firmware's clock is at its begin. */
static void begin_transaction(struct usb_port *port)
{
    if (port->options.real_pace) {
        port->now_ns = later(port->now_ns, port->bus_ns);
        port->bus_ns = port->now_ns + FRAME_NS;
        keep_lead(port);
    }
}

/* The device NAKs so much longer. */
static void be_late(struct usb_port *port, int64_t late_us)
{
    if (late_us <= 0) {
        return;
    }
    int64_t start_ns = clock_ns(port);
    if (port->options.real_pace) {
        start_ns = later(start_ns, later(port->now_ns, port->bus_ns));
    }
    wait_for_host(port, start_ns + late_us * 1000);
    if (port->options.real_pace) {
        port->bus_ns = later(port->bus_ns, port->seen_ns);
    }
}

/* What the host is sent: so many bytes, or what the firmware gives packet by packet (NULL). */
struct reply {
    const uint8_t *bytes;
    size_t left;
};

static int next_packet(struct usb_port *port, struct reply *reply, uint8_t *packet, size_t room)
{
    size_t most = room < USB_PACKET_BYTES ? room : USB_PACKET_BYTES;
    if (reply->bytes == NULL) {
        int count = port->options.firmware->read(port->instance, packet, most);
        return port->mishap != ISP_MISHAP_NONE ? ANSWER_MISHAP
               : count > (int)most             ? (int)most
                                               : count;
    }
    size_t count = reply->left < most ? reply->left : most;
    memcpy(packet, reply->bytes, count);
    reply->bytes += count;
    reply->left -= count;
    return (int)count;
}

/* Data of standard requests pass unharmed: faults count the bytes of the programmer's protocol. */
static bool is_standard(const struct usb_port *port)
{
    return (port->transfer->setup.request_type & USB_TYPE_MASK) == USB_TYPE_STANDARD;
}

static int send_data(struct usb_port *port, struct reply reply)
{
    struct usbip_transfer *transfer = port->transfer;
    while (port->moved < transfer->length) {
        uint8_t packet[USB_PACKET_BYTES];
        int64_t late_us = 0;
        int count = next_packet(port, &reply, packet, transfer->length - port->moved);
        if (count < 0) {
            return count;
        }
        size_t left = (size_t)count;
        if (!is_standard(port)) {
            left = port->options.from_programmer(port->options.context, packet, left, &late_us);
        }
        be_late(port, late_us);
        begin_transaction(port);
        memcpy(transfer->data + port->moved, packet, left);
        port->moved += left;
        if (left < USB_PACKET_BYTES) {
            break; /* which is how the host knows that there are no more */
        }
    }
    return ANSWER_DONE;
}

/* `before`: what the firmware said to the packet before. */
static int deliver(struct usb_port *port, const uint8_t *packet, size_t count, int before)
{
    begin_transaction(port);
    if (count == 0) {
        return before; /* it got lost */
    }
    int answer = port->options.firmware->write(port->instance, packet, count);
    return port->mishap != ISP_MISHAP_NONE ? ANSWER_MISHAP : answer;
}

/* Data that the firmware looks at. */
static int take_data(struct usb_port *port)
{
    const struct usbip_transfer *transfer = port->transfer;
    int answer = 0;
    while (port->moved < transfer->length && answer >= 0) {
        uint8_t packet[USB_PACKET_BYTES];
        size_t room = transfer->length - port->moved;
        size_t count = room < sizeof packet ? room : sizeof packet;
        bool twice = false;
        memcpy(packet, transfer->data + port->moved, count);
        size_t left = port->options.to_programmer(port->options.context, packet, count, &twice);
        answer = deliver(port, packet, left, answer);
        if (twice && answer >= 0) {
            answer = deliver(port, packet, left, answer);
        }
        port->moved += answer >= 0 ? count : 0;
    }
    return answer < 0 ? answer : answer == 0 ? USB_SILENT : ANSWER_DONE;
}

/* Data that it does not look at. */
static int ignore_data(struct usb_port *port)
{
    while (port->moved < port->transfer->length) {
        size_t room = port->transfer->length - port->moved;
        begin_transaction(port);
        port->moved += room < USB_PACKET_BYTES ? room : USB_PACKET_BYTES;
    }
    return ANSWER_DONE;
}

static int serve_standard(struct usb_port *port)
{
    uint8_t bytes[USB_REPLY_MAX];
    size_t count = usb_standard_reply(&port->options.firmware->identity, &port->transfer->setup,
                                      &port->configuration, bytes);
    return port->transfer->to_host ? send_data(port, (struct reply){bytes, count})
                                   : ignore_data(port);
}

static int serve_firmware(struct usb_port *port)
{
    uint8_t bytes[USB_PACKET_BYTES];
    const struct usb_firmware *firmware = port->options.firmware;
    int answer = firmware->setup(port->instance, &port->transfer->setup, bytes);
    if (port->mishap != ISP_MISHAP_NONE) {
        return ANSWER_MISHAP;
    }
    if (answer == USB_STREAM) {
        return port->transfer->to_host ? send_data(port, (struct reply){NULL, 0}) : take_data(port);
    }
    if (answer < 0) {
        return answer;
    }
    return port->transfer->to_host ? send_data(port, (struct reply){bytes, (size_t)answer})
                                   : ignore_data(port);
}

/* --- life of the firmware --- */

static void restart(struct usb_port *port)
{
    const struct usb_firmware *firmware = port->options.firmware;
    port->mishap = ISP_MISHAP_NONE;
    port->hung = false;
    usb_port_let_go(port); /* its pins are inputs now */
    memset(port->instance, 0, firmware->instance_bytes);
    firmware->start(port->instance, firmware, port);
}

static void unplug(struct usb_port *port)
{
    settle(port, port->options.real_pace ? port->now_ns : 0);
    pthread_mutex_lock(&port->lock);
    port->plugged = false;
    forget_next(port);
    pthread_mutex_unlock(&port->lock);
    drop_session(port);
    port->mishap = ISP_MISHAP_NONE;
    usb_port_let_go(port);
    settle(port, clock_ns(port) + port->away_us * 1000);
}

static void plug_in(struct usb_port *port)
{
    port->configuration = 0;
    port->now_ns = port->options.real_pace ? clock_ns(port) : port->now_ns;
    restart(port);
    pthread_mutex_lock(&port->lock);
    port->plugged = true;
    pthread_mutex_unlock(&port->lock);
}

/* --- how a transfer ends --- */

static void finish(struct usb_port *port, int status)
{
    settle(port, port->options.real_pace ? port->bus_ns : 0);
    struct usbip_transfer *transfer = port->transfer;
    port->transfer = NULL;
    if (port->session == NULL) {
        usbip_transfer_free(transfer);
    } else if (usbip_session_finish(port->session, transfer, status, port->moved) != 0) {
        drop_session(port);
    }
}

/* The end of a transfer is a packet of its own, or the device's refusal of it. */
static void answer_host(struct usb_port *port, int status)
{
    begin_transaction(port);
    finish(port, status);
}

/* The host is NAKed until it has enough. */
static void keep_silent(struct usb_port *port)
{
    wait_for_host(port, FOREVER_NS);
    finish(port, -EPROTO); /* unless it took the transfer back: the bus was reset */
}

static void conclude_mishap(struct usb_port *port)
{
    enum isp_mishap mishap = port->mishap;
    port->mishap = ISP_MISHAP_NONE;
    switch (mishap) {
    case ISP_MISHAP_STALL:
        answer_host(port, -EPIPE);
        break;
    case ISP_MISHAP_NONE:
    case ISP_MISHAP_SHORT:
        answer_host(port, 0);
        break;
    case ISP_MISHAP_NAK:
        keep_silent(port);
        break;
    case ISP_MISHAP_HANG:
        port->hung = true;
        keep_silent(port);
        break;
    case ISP_MISHAP_RESET: /* for a moment there is nobody who would answer */
        answer_host(port, -EPROTO);
        restart(port);
        break;
    case ISP_MISHAP_UNPLUG:
        unplug(port);
        finish(port, -ENODEV);
        plug_in(port);
        break;
    }
}

static void conclude(struct usb_port *port, int answer)
{
    if (answer == ANSWER_MISHAP) {
        conclude_mishap(port);
    } else if (answer == USB_SILENT) {
        keep_silent(port);
    } else {
        answer_host(port, answer == ANSWER_DONE ? 0 : -EPIPE);
    }
}

static void run_transfer(struct usb_port *port)
{
    struct usbip_transfer *transfer = port->transfer;
    int answer = USB_SILENT;
    port->moved = 0;
    if (usbip_transfer_is_reset(transfer)) {
        port->configuration = 0;
        if (port->hung) {
            restart(port);
        }
    }
    if (port->options.real_pace) {
        port->now_ns = later(port->now_ns, transfer->arrived_ns);
    }
    if (!port->hung) {
        begin_transaction(port);
        answer = !transfer->control                  ? USB_STALL
                 : is_standard(port)                 ? serve_standard(port)
                 : usbip_transfer_is_reset(transfer) ? ANSWER_DONE
                                                     : serve_firmware(port);
    }
    conclude(port, answer);
}

void usb_port_run(struct usb_port *port)
{
    prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS); /* of this thread */
    port->now_ns = port->options.real_pace ? clock_ns(port) : 0;
    restart(port);
    while (!port->stopped) {
        port->transfer = port->session == NULL ? NULL : usbip_session_take(port->session);
        if (port->transfer != NULL) {
            run_transfer(port);
        } else {
            wait_once(port, FOREVER_NS);
        }
    }
    usb_port_reset_line(port, false);
}

/* --- life of the port --- */

int usb_port_create(const struct usb_port_options *options, struct usb_port **port,
                    struct failure *failure)
{
    struct usb_port *made = calloc(1, sizeof *made);
    void *instance = calloc(1, options->firmware->instance_bytes);
    if (made == NULL || instance == NULL) {
        free(made);
        free(instance);
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "no memory for a USB port");
    }
    made->options = *options;
    made->instance = instance;
    made->attached = made->next = NOBODY;
    made->plugged = true;
    pthread_mutex_init(&made->lock, NULL);
    made->device = (struct usbip_device){
        .bus = 1, .number = (uint32_t)options->number, .identity = &options->firmware->identity};
    snprintf(made->device.busid, sizeof made->device.busid, "1-%d", options->number);
    made->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (made->wake < 0) {
        failure_set(failure, FAILURE_BENCH, "no event descriptor: %s", strerror(errno));
        usb_port_free(made);
        return -1;
    }
    *port = made;
    return 0;
}

void usb_port_free(struct usb_port *port)
{
    if (port == NULL) {
        return;
    }
    usbip_session_free(port->session);
    forget_next(port);
    if (port->wake >= 0) {
        close(port->wake);
    }
    pthread_mutex_destroy(&port->lock);
    free(port->instance);
    free(port);
}
