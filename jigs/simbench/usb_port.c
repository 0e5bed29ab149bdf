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

#include "jigs/simbench/usb_port_state.h"

/* How long a transaction takes up the bus: one low-speed frame; or 64 bytes at 12 Mbit/s with the
 * token, the handshake, bit stuffing and the turns between them. */
#define FRAME_NS 1000000
#define FULL_SPEED_NS 50000
/* How far the firmware may be ahead of the clock before it waits, and to how far it then waits. */
#define LEAD_MAX_NS 20000000
#define LEAD_NS 10000000
#define TIMER_SLACK_NS 1000
#define HANG_UP_MS 20
#define FOREVER_NS INT64_MAX
#define NOBODY (-1)

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

void usb_port_forget(struct usb_port *port)
{
    if (port->options.firmware->forget != NULL) {
        port->options.firmware->forget(port->instance);
    }
}

static void free_session(struct usb_port *port)
{
    usb_port_forget(port);
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
        usb_endpoints_forget_host(&port->standard.endpoints);
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
    if (!port->plugged || port->pulled) {
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
    if (socket != NOBODY && port->plugged && !port->pulled) {
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
    bool plugged = port->plugged && !port->pulled;
    pthread_mutex_unlock(&port->lock);
    return plugged;
}

void usb_port_set_plugged(struct usb_port *port, bool plugged)
{
    pthread_mutex_lock(&port->lock);
    port->pulled = !plugged;
    eventfd_write(port->wake, 1);
    pthread_mutex_unlock(&port->lock);
}

static bool is_pulled(struct usb_port *port)
{
    pthread_mutex_lock(&port->lock);
    bool pulled = port->pulled;
    pthread_mutex_unlock(&port->lock);
    return pulled;
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

void usb_port_watch(struct usb_port *port, int descriptor, short events)
{
    port->watch = (struct pollfd){.fd = descriptor, .events = events};
}

/* What the firmware waited for is there now. */
static void end_watch(struct usb_port *port)
{
    usb_port_watch(port, -1, 0);
    usb_endpoints_wake(&port->standard.endpoints);
    if (port->options.real_pace) {
        port->now_ns = later(port->now_ns, clock_ns(port));
    }
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
        port->watch,
    };
    poll_until(port, looks, 4, until_ns);
    port->stopped |= looks[0].revents != 0;
    if (looks[2].revents != 0) {
        usb_endpoints_wake(&port->standard.endpoints);
        if (usbip_session_work(port->session, clock_ns(port)) != 0) {
            drop_session(port);
        }
    }
    if (looks[3].revents != 0) {
        end_watch(port);
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

int64_t usb_port_supply_mv(const struct usb_port *port)
{
    const struct isp_port *isp = port->options.isp;
    return isp->supply_mv == NULL ? 0 : isp->supply_mv(isp->context);
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

/* --- taking up the bus --- */

void usb_port_begin_transaction(struct usb_port *port)
{
    if (port->options.real_pace) {
        port->now_ns = later(port->now_ns, port->bus_ns);
        port->bus_ns =
            port->now_ns + (port->options.firmware->full_speed ? FULL_SPEED_NS : FRAME_NS);
        keep_lead(port);
    }
}

void usb_port_be_late(struct usb_port *port, int64_t late_us)
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

size_t usb_port_pass_out(struct usb_port *port, uint8_t *bytes, size_t count, bool *twice)
{
    const struct usb_port_options *options = &port->options;
    *twice = false;
    return options->to_programmer == NULL || count == 0
               ? count
               : options->to_programmer(options->context, bytes, count, twice);
}

size_t usb_port_pass_in(struct usb_port *port, uint8_t *bytes, size_t count, int64_t *late_us)
{
    const struct usb_port_options *options = &port->options;
    *late_us = 0;
    return options->from_programmer == NULL || count == 0
               ? count
               : options->from_programmer(options->context, bytes, count, late_us);
}

bool usb_port_catch_up(struct usb_port *port)
{
    if (port->options.real_pace && port->now_ns > port->bus_ns) {
        wait_for_host(port, port->now_ns);
    }
    return !is_given_up(port);
}

/* --- life of the firmware --- */

static void restart(struct usb_port *port)
{
    const struct usb_firmware *firmware = port->options.firmware;
    port->mishap = ISP_MISHAP_NONE;
    port->hung = false;
    usb_endpoints_reset(&port->standard.endpoints);
    usb_port_let_go(port); /* its pins are inputs now */
    memset((uint8_t *)port->instance + firmware->kept_bytes, 0,
           firmware->instance_bytes - firmware->kept_bytes);
    firmware->start(port->instance, firmware, port);
}

static void leave_bus(struct usb_port *port)
{
    pthread_mutex_lock(&port->lock);
    port->plugged = false;
    forget_next(port);
    pthread_mutex_unlock(&port->lock);
    drop_session(port);
}

static void unplug(struct usb_port *port)
{
    settle(port, port->options.real_pace ? port->now_ns : 0);
    leave_bus(port);
    port->mishap = ISP_MISHAP_NONE;
    usb_port_let_go(port);
    settle(port, clock_ns(port) + port->away_us * 1000);
}

static void plug_in(struct usb_port *port)
{
    usb_standard_reset(&port->standard);
    port->now_ns = port->options.real_pace ? clock_ns(port) : port->now_ns;
    restart(port);
    pthread_mutex_lock(&port->lock);
    port->plugged = true;
    pthread_mutex_unlock(&port->lock);
}

/* Somebody has pulled the plug: until he puts it in again. */
static void stay_away(struct usb_port *port)
{
    leave_bus(port);
    while (!port->stopped && is_pulled(port)) {
        wait_once(port, FOREVER_NS);
    }
    plug_in(port);
}

/* --- how a transfer ends --- */

static void finish(struct usb_port *port, int status)
{
    settle(port, port->options.real_pace ? port->bus_ns : 0);
    struct usbip_transfer *transfer = port->transfer;
    port->transfer = NULL;
    if (port->session == NULL) {
        usbip_transfer_free(transfer);
    } else if (usbip_session_finish(port->session, transfer, status) != 0) {
        drop_session(port);
    }
}

/* The end of a transfer is a packet of its own, or the device's refusal of it. */
static void answer_host(struct usb_port *port, int status)
{
    usb_port_begin_transaction(port);
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

static void conclude_control(struct usb_port *port, int answer)
{
    if (answer == ANSWER_MISHAP) {
        conclude_mishap(port);
    } else if (answer == USB_SILENT) {
        keep_silent(port);
    } else {
        answer_host(port, answer == ANSWER_DONE ? 0 : -EPIPE);
    }
}

/* The transfer waits for the firmware to have something to say to it; others may have their turn.
 */
static void put_back(struct usb_port *port)
{
    struct usbip_transfer *transfer = port->transfer;
    port->transfer = NULL;
    if (port->session == NULL) {
        usbip_transfer_free(transfer);
    } else {
        usbip_session_put_back(port->session, transfer);
    }
}

/* The endpoint's hardware took the command, but its reply does not come. */
static void leave_unanswered(struct usb_port *port)
{
    if (port->transfer->to_host) {
        put_back(port);
    } else {
        finish(port, 0);
    }
}

static void conclude_bulk_mishap(struct usb_port *port, struct usb_endpoint *endpoint)
{
    enum isp_mishap mishap = port->mishap;
    switch (mishap) {
    case ISP_MISHAP_STALL:
        endpoint->halted = true;
        finish(port, -EPIPE);
        break;
    case ISP_MISHAP_SHORT:
        if (!port->transfer->to_host) {
            usb_endpoints_say_nothing(&port->standard.endpoints);
        }
        finish(port, 0);
        break;
    case ISP_MISHAP_NONE:
    case ISP_MISHAP_NAK:
        leave_unanswered(port);
        break;
    case ISP_MISHAP_HANG:
        port->hung = true;
        leave_unanswered(port);
        break;
    case ISP_MISHAP_RESET:
        finish(port, -EPROTO);
        restart(port);
        break;
    case ISP_MISHAP_UNPLUG:
        unplug(port);
        finish(port, -ENODEV);
        plug_in(port);
        break;
    }
    port->mishap = ISP_MISHAP_NONE;
}

static void conclude_bulk(struct usb_port *port, struct usb_endpoint *endpoint, int answer)
{
    if (answer == ANSWER_MISHAP) {
        conclude_bulk_mishap(port, endpoint);
    } else if (answer == USB_SILENT) {
        put_back(port);
    } else {
        finish(port, answer == ANSWER_DONE ? 0 : -EPIPE);
    }
}

/* --- transfers --- */

static void begin_transfer(struct usb_port *port)
{
    if (port->options.real_pace) {
        port->now_ns = later(port->now_ns, port->transfer->arrived_ns);
    }
}

static void run_control(struct usb_port *port)
{
    if (usbip_transfer_is_reset(port->transfer)) {
        usb_standard_reset(&port->standard);
        usb_port_forget(port);
        if (port->hung) {
            restart(port);
        }
        if (port->options.firmware->bus_reset != NULL) {
            port->options.firmware->bus_reset(port->instance);
        }
    }
    begin_transfer(port);
    conclude_control(port, port->hung ? USB_SILENT : usb_control_serve(port));
    usb_endpoints_wake(&port->standard.endpoints);
}

static void run_bulk(struct usb_port *port)
{
    uint8_t address = port->transfer->endpoint;
    struct usb_endpoint *endpoint = usb_endpoint_find(&port->standard.endpoints, address);
    begin_transfer(port);
    if (endpoint == NULL) {
        usb_port_begin_transaction(port);
        finish(port, -EPIPE);
    } else {
        conclude_bulk(port, endpoint, usb_bulk_serve(port, endpoint));
    }
}

static bool may_go(struct usb_port *port, const struct usbip_transfer *transfer)
{
    if (transfer->control) {
        return true;
    }
    const struct usb_endpoint *endpoint =
        usb_endpoint_find(&port->standard.endpoints, transfer->endpoint);
    return !port->hung && (endpoint == NULL || !endpoint->quiet);
}

/* The one that is next: a reset of the bus before all others, then the first that does not wait for
 * the firmware. NULL: there is none. */
static struct usbip_transfer *next_transfer(struct usb_port *port)
{
    struct usbip_transfer *next = NULL;
    struct usbip_transfer *at = port->session == NULL ? NULL : usbip_session_waiting(port->session);
    for (; at != NULL; at = at->next) {
        if (usbip_transfer_is_reset(at)) {
            return at;
        }
        if (next == NULL && may_go(port, at)) {
            next = at;
        }
    }
    return next;
}

void usb_port_run(struct usb_port *port)
{
    prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS); /* of this thread */
    port->now_ns = port->options.real_pace ? clock_ns(port) : 0;
    restart(port);
    while (!port->stopped) {
        if (is_pulled(port)) {
            stay_away(port);
            continue;
        }
        port->transfer = next_transfer(port);
        if (port->transfer == NULL) {
            wait_once(port, FOREVER_NS);
            continue;
        }
        usbip_session_take(port->session, port->transfer);
        if (port->transfer->control) {
            run_control(port);
        } else {
            run_bulk(port);
        }
    }
    usb_port_forget(port);
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
    made->watch.fd = -1;
    made->plugged = true;
    pthread_mutex_init(&made->lock, NULL);
    made->device = (struct usbip_device){
        .bus = 1, .number = (uint32_t)options->number, .firmware = options->firmware};
    made->standard.number = options->number;
    usb_endpoints_read(&made->standard.endpoints, options->firmware);
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
