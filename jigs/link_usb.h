/* The USB link: control and bulk transfers to a programmer on a USB port. Two ways to reach one:
 * libusb-1.0, by physical port path or serial number, and a small USB/IP client for the simulated
 * bench, on loopback only. Each is one file behind the functions here (link_libusb.c alone includes
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

/* A command and its reply over the first bulk endpoints of the claimed interface. They are found in
 * its descriptors, not assumed: AVRISP mkII and its clones have IN at 82 or at 83. */
struct link_usb_exchange {
    const uint8_t *out;
    /* Up to LINK_USB_TRANSFER_BYTES_MAX. No empty packet is sent after one that is a multiple of
     * the packet size. */
    size_t out_count;
    uint8_t *in;
    /* A multiple of the packet size, 64 at full speed, and more than the reply: it ends with a
     * short packet, or an empty one. */
    size_t in_room;
    size_t received;    /* result: bytes of the reply */
    int64_t silence_us; /* so long both together may take */
};

/* One exchange. The reply's transfer is handed to the system before the command's, so that the
 * device never waits for this computer. Failures are those of link_usb_control(), and
 * FAILURE_PROGRAMMER_UNKNOWN when the device has no bulk endpoints; FAILURE_PROGRAMMER_OUT_OF_STEP
 * for a reply that fills its room, or comes before the command was taken. The first exchange after
 * opening, and any after one that failed, begins with what link_usb_clear() does, so that the reply
 * to an earlier command is not taken for this one's. (One that comes later still, from a device
 * that was busy, is for the driver to see.) */
int link_usb_exchange(struct link_usb *usb, struct link_usb_exchange *exchange,
                      const struct operation *operation, struct failure *failure);
/* Makes halted bulk endpoints usable again (CLEAR_FEATURE ENDPOINT_HALT), and throws away what the
 * device still has to say, until it is quiet for 20 ms. */
int link_usb_clear(struct link_usb *usb, const struct operation *operation,
                   struct failure *failure);
/* Resets the device on its port, for one that hangs, and has it as after link_usb_open(); also when
 * it comes back under another address, for which it gets 5 s. When this fails the link is gone:
 * FAILURE_PROGRAMMER_GONE from then on. */
int link_usb_reset(struct link_usb *usb, const struct operation *operation,
                   struct failure *failure);

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
