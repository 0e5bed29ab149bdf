/* Between the USB link and its two ways to reach a device: link_libusb.c and link_usbip.c. Included
 * by these, link_usb.c and what tests them only. */
#ifndef JIGS_LINK_USB_BACKEND_H
#define JIGS_LINK_USB_BACKEND_H

#include "jigs/link_usb.h"

#define LINK_USB_SETUP_BYTES 8
/* Under way at a time. USBtiny's shortest transfers take 2 ms: with three there are always two
 * more, for 5 ms, before the bus would have to wait for this process. */
#define LINK_USB_QUEUE 3

enum link_usb_outcome {
    LINK_USB_DONE,
    LINK_USB_STALLED,
    LINK_USB_GONE,
    LINK_USB_TAKEN_BACK,
    LINK_USB_TIMED_OUT, /* by the system, before us */
    LINK_USB_GARBLED    /* the bus could not carry it */
};

/* One of the transfers that may be under way. */
struct link_usb_request {
    bool under_way; /* handed to the system, which may still use it */
    bool taking_back;
    enum link_usb_outcome outcome; /* once it is no longer under way */
    bool to_host;
    uint16_t length, received;
    /* Setup packet, then data, as libusb wants them; it looks at the former as a struct. */
    _Alignas(8) uint8_t bytes[LINK_USB_SETUP_BYTES + LINK_USB_TRANSFER_BYTES_MAX];
};

struct link_usb_backend {
    /* Hands requests[index], which is filled in, to the system, behind the others. Sets
     * under_way, or the outcome GONE when the device is known to be. -1: the link is lost. */
    int (*submit)(struct link_usb *usb, size_t index, int64_t end_us, struct failure *failure);
    /* Waits until `end_us` for anything to come, and takes it: requests that ended are no longer
     * under way. -1: the link is lost. */
    int (*pump)(struct link_usb *usb, int64_t end_us, struct failure *failure);
    /* Asks for a request that is under way to be given back; it ends in pump(). */
    int (*take_back)(struct link_usb *usb, size_t index, int64_t end_us, struct failure *failure);
    /* Is the device still at its place? */
    bool (*is_there)(const struct link_usb *usb);
    /* Frees everything, also what is still under way. */
    void (*close)(struct link_usb *usb);
};

/* First member of the backends' own structs. */
struct link_usb {
    const struct link_usb_backend *backend;
    char name[320]; /* the place, for messages */
    bool lost;
    struct link_usb_identity identity;
    struct link_usb_request requests[LINK_USB_QUEUE];
};

/* The text of a string descriptor of which `received` bytes came. */
void link_usb_text(const uint8_t *descriptor, uint16_t received, char *text, size_t text_bytes);

/* Both find, lock and claim the device; the caller reads its texts. */
int link_libusb_open(const struct place *place, const struct operation *operation,
                     struct link_usb **usb, struct failure *failure);
int link_usbip_open(const struct place *place, const struct operation *operation,
                    struct link_usb **usb, struct failure *failure);

#endif
