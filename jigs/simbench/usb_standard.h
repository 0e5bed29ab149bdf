/* The standard requests that every USB device answers, as V-USB does: Universal Serial Bus
 * Specification 1.1, chapter 9. */
#ifndef JIGS_SIMBENCH_USB_STANDARD_H
#define JIGS_SIMBENCH_USB_STANDARD_H

#include "jigs/simbench/usb_endpoint.h"
#include "jigs/simbench/usb_firmware.h"

#define USB_REPLY_MAX 256 /* a string descriptor's longest is 255 */

/* USB 1.1, table 9-5. */
enum usb_descriptor {
    USB_DEVICE = 1,
    USB_CONFIGURATION = 2,
    USB_STRING = 3,
    USB_INTERFACE = 4,
    USB_ENDPOINT = 5
};

/* What the host has chosen. */
struct usb_standard_state {
    int number;            /* of the port that it is in */
    uint8_t configuration; /* 0: none */
    struct usb_endpoints endpoints;
};

/* As after power on or a reset of the bus. */
void usb_standard_reset(struct usb_standard_state *state);

/* Writes the reply and returns its bytes, which may be more than setup->length. What the device
 * does not have is answered with none. */
size_t usb_standard_reply(const struct usb_firmware *firmware, const struct usb_setup *setup,
                          struct usb_standard_state *state, uint8_t reply[USB_REPLY_MAX]);

/* The endpoint whose halt the request clears, USB_NO_ENDPOINT: it is another one. */
#define USB_NO_ENDPOINT (-1)
int usb_standard_clears_halt(const struct usb_setup *setup);

/* Does the host choose a configuration? */
bool usb_standard_configures(const struct usb_setup *setup);

/* The descriptor of this type that follows `after` (NULL: the first one) among those of the
 * firmware's interfaces; NULL: there are no more. */
const uint8_t *usb_standard_next(const struct usb_firmware *firmware, enum usb_descriptor type,
                                 const uint8_t *after);

#endif
