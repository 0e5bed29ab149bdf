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
    uint8_t endpoint;              /* its address with the direction; 0: a control transfer */
    bool to_host;
    uint16_t length, received;
    /* Setup packet (empty of a bulk transfer), then data, as libusb wants them; it looks at the
     * former as a struct. */
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
    /* Ends the halt of a bulk endpoint, at both of its ends. -1 with the codes of
     * link_usb_control()
     */
    int (*clear_halt)(struct link_usb *usb, uint8_t endpoint, const struct operation *operation,
                      struct failure *failure);
    /* Resets the device, which is the claimed one again. Nothing is under way. -1: it is not. */
    int (*reset)(struct link_usb *usb, const struct operation *operation, struct failure *failure);
    /* Is the device still at its place? */
    bool (*is_there)(const struct link_usb *usb);
    /* Frees everything, also what is still under way. */
    void (*close)(struct link_usb *usb);
};

struct link_usb_endpoint {
    uint8_t address; /* 0: there is none */
    uint16_t packet_bytes;
    bool halted; /* a transfer has ended so */
};

/* First member of the backends' own structs. */
struct link_usb {
    const struct link_usb_backend *backend;
    char name[320]; /* the place, for messages */
    bool lost;
    struct link_usb_identity identity;
    struct link_usb_endpoint bulk_in, bulk_out; /* once they were looked for */
    bool bulk_known;
    bool bulk_settled; /* no reply to an earlier command can be there any more */
    struct link_usb_request requests[LINK_USB_QUEUE];
};

/* ---- what link_usb.c does for link_usb_bulk.c ---- */

/* Hands requests[index], which is filled in, to the system. -1: the link is lost. */
int link_usb_submit(struct link_usb *usb, size_t index, int64_t end_us, struct failure *failure);
/* Until one of the two (which may be the same) is no longer under way, or `end_us`; once the
 * operation is cancelled not for long. -1: the link is lost. */
int link_usb_wait(struct link_usb *usb, const struct link_usb_request *one,
                  const struct link_usb_request *other, int64_t end_us,
                  const struct operation *operation, struct failure *failure);
/* Takes back all that are under way, the one before requests[first] first. */
void link_usb_take_back_all(struct link_usb *usb, size_t first);
/* Why a request that is still under way, or has ended, was not done; `what` it was: "request 17".
 */
int link_usb_fail(struct link_usb *usb, const struct link_usb_request *request, const char *what,
                  int64_t silence_us, const struct operation *operation, struct failure *failure);

struct link_usb_descriptor {
    uint8_t type, number;
    uint16_t language;
    uint16_t wanted, received;
    uint8_t bytes[255];
};
/* Asks for a descriptor, and again after a bad moment. */
int link_usb_get_descriptor(struct link_usb *usb, struct link_usb_descriptor *descriptor,
                            const struct operation *operation, struct failure *failure);

/* The first bulk endpoints of interface 0, without alternate settings, in a configuration
 * descriptor of which `received` bytes came. False when there are not both. */
bool link_usb_find_bulk(const uint8_t *configuration, size_t received, struct link_usb_endpoint *in,
                        struct link_usb_endpoint *out);

/* The text of a string descriptor of which `received` bytes came. */
void link_usb_text(const uint8_t *descriptor, uint16_t received, char *text, size_t text_bytes);

/* Both find, lock and claim the device; the caller reads its texts. */
int link_libusb_open(const struct place *place, const struct operation *operation,
                     struct link_usb **usb, struct failure *failure);
int link_usbip_open(const struct place *place, const struct operation *operation,
                    struct link_usb **usb, struct failure *failure);

#endif
