/* The USB link: control transfers to a programmer on a USB port. Two ways to reach one: libusb-1.0,
 * by physical port path or serial number, and a small USB/IP client for the simulated bench, on
 * loopback only. Each is one file behind the functions here (link_libusb.c alone includes
 * libusb.h). One thread at a time uses a link. */
#ifndef JIGS_LINK_USB_H
#define JIGS_LINK_USB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jigs/operation.h"
#include "jigs/place.h"

#define LINK_USB_TRANSFER_BYTES_MAX 4096 /* Linux' usbfs: one page of 4 KiB */

struct link_usb;

/* What the device says about itself; texts are "" where it has none, or does not give it. Control
 * characters and malformed ones are replaced, long texts cut. */
struct link_usb_identity {
    uint16_t vendor, product;
    uint16_t release; /* bcdDevice */
    char manufacturer[64], product_name[64], serial[64];
};

/* Finds the device at `place` (PLACE_USB, PLACE_USB_SERIAL, PLACE_USBIP), locks it against other
 * processes before anything is sent, claims its first interface, reads its texts. A device that was
 * unplugged and plugged in again at the place is found like any other. FAILURE_PLACE_MISSING
 * (nothing is plugged in there), FAILURE_PLACE_BUSY (another process or a kernel driver; named
 * where the system tells), FAILURE_PLACE_DENIED (with the udev rules to install),
 * FAILURE_PLACE_TWICE (several with this serial number), and those of link_usb_control(). */
int link_usb_open(const struct place *place, const struct operation *operation,
                  struct link_usb **usb, struct failure *failure);
void link_usb_close(struct link_usb *usb); /* NULL is allowed */
const struct link_usb_identity *link_usb_identity(const struct link_usb *usb);

struct link_usb_transfer {
    uint8_t request_type; /* 0xC0: vendor, to the host; 0x40: vendor, to the device */
    uint8_t request;
    uint16_t value, index, length;
    uint8_t *data;      /* `length` bytes; NULL when length is 0 */
    int64_t silence_us; /* so long it may take */
    bool whole;         /* fewer bytes than `length` are a failure */
    uint32_t progress;  /* what the operation is told when it is done; 0: nothing */
    uint16_t received;  /* result: bytes that went or came */
};

/* Control transfers in order, each begun when the one before is done (with at most three handed to
 * the system at a time, so that the bus does not wait for this process). Ends at the first that
 * fails; `*done` (may be NULL) tells how many were done, also of those that were not whole. Of
 * those after them up to three may have reached the device all the same.
 * FAILURE_PROGRAMMER_SILENT after silence_us,
 * FAILURE_PROGRAMMER_STALLED (the device refuses it), FAILURE_PROGRAMMER_GONE when it was unplugged
 * (and from then on until it is opened again), FAILURE_PROGRAMMER_OUT_OF_STEP for bus errors and
 * what is not whole.
 * FAILURE_INTERRUPTED by the operation: what is under way may still end, for up to a second;
 * FAILURE_DEADLINE at its deadline. */
int link_usb_control(struct link_usb *usb, struct link_usb_transfer *transfers, size_t count,
                     const struct operation *operation, size_t *done, struct failure *failure);

/* Every device on this machine's buses, for `gangflash jig list`, as the kernel knows them: nothing
 * is opened or sent. Sorted by place; the caller frees. */
struct link_usb_found {
    struct link_usb_identity identity;
    struct place place; /* PLACE_USB */
    bool denied;        /* this user may not open it */
    bool busy;          /* a program has claimed it */
};
int link_usb_list(struct link_usb_found **found, size_t *count, struct failure *failure);

#endif
