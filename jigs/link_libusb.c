/* The USB link's way to real devices, by libusb-1.0. The kernel tells where they are (usb_sysfs.h);
 * their node is opened and locked here, and handed to libusb. So no link looks through all devices,
 * which libusb would do once for each of many sites, and what is locked is what is used. */
#include <errno.h>
#include <fcntl.h>
#include <libusb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "jigs/link_usb_backend.h"
#include "jigs/place_holder.h"
#include "jigs/usb_permission.h"
#include "jigs/usb_sysfs.h"

#define HOLDER_LOOK_US 100000 /* a process that only tries the place is gone after this */
#define COME_BACK_US 5000000  /* AVRISP mkII takes 2 s */
#define COME_BACK_LOOK_US 50000
#define INTERFACE 0

struct libusb_link {
    struct link_usb usb;
    struct place place;
    struct usb_sysfs_device device;
    int node; /* open and locked */
    libusb_context *context;
    libusb_device_handle *handle;
    bool claimed;
    struct libusb_transfer *transfers[LINK_USB_QUEUE];
};

static struct libusb_link *own(struct link_usb *usb)
{
    return (struct libusb_link *)usb;
}

/* ---- finding ---- */

static int find_serial(const char *serial, struct usb_sysfs_device *found, struct failure *failure)
{
    struct usb_sysfs_device *devices = NULL;
    size_t count = 0;
    int result = 0;

    if (usb_sysfs_list(USB_SYSFS_ROOT, &devices, &count, failure) != 0)
        return -1;
    found->path[0] = '\0';
    for (size_t i = 0; i < count && result == 0; i++) {
        if (strcmp(devices[i].serial, serial) != 0)
            continue;
        if (found->path[0] != '\0')
            result = failure_set(failure, FAILURE_PLACE_TWICE,
                                 "usb:serial=%s is plugged in at usb:%s and at usb:%s", serial,
                                 found->path, devices[i].path);
        *found = devices[i];
    }
    free(devices);
    if (result == 0 && found->path[0] == '\0')
        result =
            failure_set(failure, FAILURE_PLACE_MISSING,
                        "usb:serial=%s: no device with this serial number is plugged in", serial);
    return result;
}

static int find_device(const struct place *place, struct usb_sysfs_device *device,
                       struct failure *failure)
{
    if (place->kind == PLACE_USB)
        return usb_sysfs_find(USB_SYSFS_ROOT, place->path, device, failure);
    return find_serial(place->path, device, failure);
}

/* Another one may have been plugged in since: its node has another address. */
static bool is_there(const struct link_usb *usb)
{
    const struct usb_sysfs_device *device = &((const struct libusb_link *)usb)->device;
    struct usb_sysfs_device now;

    return usb_sysfs_find(USB_SYSFS_ROOT, device->path, &now, NULL) == 0 &&
           now.bus == device->bus && now.address == device->address;
}

/* ---- locking ---- */

static int fail_held(const struct libusb_link *link, const char *holder, struct failure *failure)
{
    return failure_set(failure, FAILURE_PLACE_BUSY, "%s is held by %s", link->usb.name, holder);
}

static int fail_busy(const struct libusb_link *link, const char *node, struct failure *failure)
{
    char holder[128];

    if (!place_holder_find(node, holder, sizeof holder))
        snprintf(holder, sizeof holder,
                 "another site of this program, or a process that this user may not look at");
    return fail_held(link, holder, failure);
}

static int open_node(struct libusb_link *link, const char *node, struct failure *failure)
{
    link->node = open(node, O_RDWR | O_CLOEXEC);
    if (link->node >= 0)
        return 0;
    if (errno == EACCES || errno == EPERM)
        return usb_permission_fail(&link->device, USB_PERMISSION_DIRECTORIES, failure);
    return failure_set(failure, FAILURE_PLACE_MISSING, "%s: %s: %s", link->usb.name, node,
                       strerror(errno));
}

/* The lock keeps out every Gangflash before it sends anything; the look into /proc finds programs
 * that do not lock and, as avrdude on a USBasp, claim no interface either. One that is found may
 * have only tried the place: look twice. */
static int lock_node(const struct libusb_link *link, const char *node,
                     const struct operation *operation, struct failure *failure)
{
    char holder[128];

    if (flock(link->node, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            return fail_busy(link, node, failure);
        return failure_set(failure, FAILURE_PLACE_DENIED, "%s: lock: %s", link->usb.name,
                           strerror(errno));
    }
    if (!place_holder_find(node, holder, sizeof holder))
        return 0;
    if (operation_sleep_us(operation, HOLDER_LOOK_US, failure) != 0)
        return -1;
    if (!place_holder_find(node, holder, sizeof holder))
        return 0;
    return fail_held(link, holder, failure);
}

/* ---- opening ---- */

static int fail_libusb(const struct libusb_link *link, const char *action, int error,
                       struct failure *failure)
{
    enum failure_code code = FAILURE_PROGRAMMER_UNKNOWN;

    if (error == LIBUSB_ERROR_NO_DEVICE)
        code = FAILURE_PROGRAMMER_GONE;
    else if (error == LIBUSB_ERROR_NO_MEM)
        code = FAILURE_OUT_OF_MEMORY;
    else if (error == LIBUSB_ERROR_ACCESS)
        code = FAILURE_PLACE_DENIED;
    return failure_set(failure, code, "%s: %s: %s", link->usb.name, action, libusb_strerror(error));
}

static int fail_claim(struct libusb_link *link, const char *node, int error,
                      struct failure *failure)
{
    struct usb_sysfs_device now;

    if (error != LIBUSB_ERROR_BUSY)
        return fail_libusb(link, "claim of its first interface", error, failure);
    if (usb_sysfs_find(USB_SYSFS_ROOT, link->device.path, &now, NULL) == 0 &&
        now.driver[0] != '\0' && strcmp(now.driver, "usbfs") != 0)
        return failure_set(failure, FAILURE_PLACE_BUSY,
                           "%s (%04X:%04X '%.40s') is used by the kernel's driver %s",
                           link->usb.name, now.vendor, now.product, now.product_name, now.driver);
    return fail_busy(link, node, failure);
}

static void forbid_discovery(void)
{
    libusb_set_option(NULL, LIBUSB_OPTION_NO_DEVICE_DISCOVERY);
}

/* A context of its own for each link: no locks are shared between sites. That libusb is not to look
 * for devices must be said before there is any context, for all that are to come: as long as there
 * is one, libusb 1.0.26 would also write it into the oldest, which may be another site's that is
 * just being freed. */
static int claim(struct libusb_link *link, const char *node, struct failure *failure)
{
    static pthread_once_t said = PTHREAD_ONCE_INIT;

    pthread_once(&said, forbid_discovery);
    int error = libusb_init(&link->context);
    if (error != 0) {
        link->context = NULL;
        return fail_libusb(link, "libusb", error, failure);
    }
    error = libusb_wrap_sys_device(link->context, link->node, &link->handle);
    if (error != 0) {
        link->handle = NULL;
        return fail_libusb(link, "open", error, failure);
    }
    error = libusb_claim_interface(link->handle, INTERFACE);
    if (error != 0)
        return fail_claim(link, node, error, failure);
    link->claimed = true;
    for (size_t i = 0; i < LINK_USB_QUEUE; i++)
        if ((link->transfers[i] = libusb_alloc_transfer(0)) == NULL)
            return fail_libusb(link, "transfers", LIBUSB_ERROR_NO_MEM, failure);
    return 0;
}

/* ---- transfers ---- */

static enum link_usb_outcome outcome_of(enum libusb_transfer_status status)
{
    switch (status) {
    case LIBUSB_TRANSFER_COMPLETED:
        return LINK_USB_DONE;
    case LIBUSB_TRANSFER_STALL:
        return LINK_USB_STALLED;
    case LIBUSB_TRANSFER_NO_DEVICE:
        return LINK_USB_GONE;
    case LIBUSB_TRANSFER_CANCELLED:
        return LINK_USB_TAKEN_BACK;
    case LIBUSB_TRANSFER_TIMED_OUT:
        return LINK_USB_TIMED_OUT;
    case LIBUSB_TRANSFER_ERROR:
    case LIBUSB_TRANSFER_OVERFLOW:
        break;
    }
    return LINK_USB_GARBLED;
}

static void LIBUSB_CALL note_end(struct libusb_transfer *transfer)
{
    struct link_usb_request *request = transfer->user_data;

    request->outcome = outcome_of(transfer->status);
    request->under_way = false;
    if (transfer->actual_length < 0 || transfer->actual_length > request->length)
        request->outcome = LINK_USB_GARBLED;
    else
        request->received = (uint16_t)transfer->actual_length;
}

/* Without a time limit of libusb's: a transfer that waits for the one before it would use its up.
 */
static int submit(struct link_usb *usb, size_t index, int64_t end_us, struct failure *failure)
{
    struct libusb_link *link = own(usb);
    struct link_usb_request *request = &usb->requests[index];

    (void)end_us;
    if (request->endpoint == 0)
        libusb_fill_control_transfer(link->transfers[index], link->handle, request->bytes, note_end,
                                     request, 0);
    else
        libusb_fill_bulk_transfer(link->transfers[index], link->handle, request->endpoint,
                                  request->bytes + LINK_USB_SETUP_BYTES, request->length, note_end,
                                  request, 0);
    int error = libusb_submit_transfer(link->transfers[index]);
    if (error == 0)
        request->under_way = true;
    else if (error == LIBUSB_ERROR_NO_DEVICE)
        request->outcome = LINK_USB_GONE;
    else if (error == LIBUSB_ERROR_IO)
        request->outcome = LINK_USB_GARBLED;
    else
        return failure_set(failure, FAILURE_INTERNAL, "submit: %s", libusb_strerror(error));
    return 0;
}

static int pump(struct link_usb *usb, int64_t end_us, struct failure *failure)
{
    int64_t left_us = end_us - operation_now_us();

    if (left_us < 0)
        left_us = 0;
    struct timeval left = {.tv_sec = left_us / 1000000, .tv_usec = left_us % 1000000};
    int error = libusb_handle_events_timeout_completed(own(usb)->context, &left, NULL);
    if (error == 0 || error == LIBUSB_ERROR_INTERRUPTED)
        return 0;
    return failure_set(failure, FAILURE_INTERNAL, "waiting: %s", libusb_strerror(error));
}

/* One that has ended already, or whose device is gone, is given back like the others. */
static int take_back(struct link_usb *usb, size_t index, int64_t end_us, struct failure *failure)
{
    (void)end_us;
    int error = libusb_cancel_transfer(own(usb)->transfers[index]);
    if (error == 0 || error == LIBUSB_ERROR_NOT_FOUND || error == LIBUSB_ERROR_NO_DEVICE)
        return 0;
    return failure_set(failure, FAILURE_INTERNAL, "taking back: %s", libusb_strerror(error));
}

/* In this order nothing is used after it was freed, even when a transfer could not be taken back:
 * closing the node makes the kernel forget it. */
static void let_go(struct libusb_link *link)
{
    if (link->claimed)
        libusb_release_interface(link->handle, INTERFACE);
    if (link->handle != NULL)
        libusb_close(link->handle);
    if (link->node >= 0)
        close(link->node);
    for (size_t i = 0; i < LINK_USB_QUEUE; i++) {
        libusb_free_transfer(link->transfers[i]);
        link->transfers[i] = NULL;
    }
    if (link->context != NULL)
        libusb_exit(link->context);
    link->claimed = false;
    link->handle = NULL;
    link->node = -1;
    link->context = NULL;
}

static void close_link(struct link_usb *usb)
{
    let_go(own(usb));
    free(usb);
}

/* By the kernel, which sets its data toggle, too, and gives the device 5 s. */
static int clear_halt(struct link_usb *usb, uint8_t endpoint, const struct operation *operation,
                      struct failure *failure)
{
    (void)operation;
    int error = libusb_clear_halt(own(usb)->handle, endpoint);
    if (error == 0)
        return 0;
    if (error == LIBUSB_ERROR_NO_DEVICE)
        return failure_set(failure, FAILURE_PROGRAMMER_GONE, "%s was unplugged", usb->name);
    return failure_set(failure, FAILURE_PROGRAMMER_SILENT, "%s: clearing the halt of %02X: %s",
                       usb->name, endpoint, libusb_strerror(error));
}

static int open_link(struct libusb_link *link, const struct place *place,
                     const struct operation *operation, struct failure *failure)
{
    char node[64];

    if (find_device(place, &link->device, failure) != 0)
        return -1;
    usb_sysfs_node(&link->device, node, sizeof node);
    if (open_node(link, node, failure) != 0 || lock_node(link, node, operation, failure) != 0)
        return -1;
    if (!is_there(&link->usb))
        return failure_set(failure, FAILURE_PLACE_MISSING, "%s was unplugged", link->usb.name);
    return claim(link, node, failure);
}

/* While it is away there is no node; then udev gives it its permissions. */
static int open_again(struct libusb_link *link, const struct operation *operation,
                      struct failure *failure)
{
    int64_t end_us = operation_within_us(operation, COME_BACK_US);
    struct failure cause = {0};

    for (;;) {
        cause.code = FAILURE_NONE;
        if (open_link(link, &link->place, operation, &cause) == 0)
            return 0;
        let_go(link);
        if (operation_now_us() >= end_us)
            return failure_set(failure, FAILURE_PROGRAMMER_GONE, "after its reset: %s",
                               cause.detail);
        if (operation_sleep_us(operation, COME_BACK_LOOK_US, failure) != 0)
            return -1;
    }
}

/* The kernel's reset keeps address and claim of a device that comes back as it was; another one, or
 * one that drops off the bus meanwhile, is plugged in anew. */
static int reset(struct link_usb *usb, const struct operation *operation, struct failure *failure)
{
    struct libusb_link *link = own(usb);
    int error = libusb_reset_device(link->handle);

    if (error == 0 && is_there(usb))
        return 0;
    if (error != 0 && error != LIBUSB_ERROR_NOT_FOUND && error != LIBUSB_ERROR_NO_DEVICE)
        return fail_libusb(link, "reset", error, failure);
    let_go(link);
    return open_again(link, operation, failure);
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

int link_libusb_open(const struct place *place, const struct operation *operation,
                     struct link_usb **usb, struct failure *failure)
{
    struct libusb_link *made = calloc(1, sizeof *made);

    if (made == NULL)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "a USB link");
    made->usb.backend = &backend;
    made->node = -1;
    made->place = *place;
    place_to_text(place, made->usb.name, sizeof made->usb.name);
    if (open_link(made, place, operation, failure) != 0) {
        close_link(&made->usb);
        return -1;
    }
    *usb = &made->usb;
    return 0;
}
