/* The standard requests that every USB device answers, as V-USB does: Universal Serial Bus
 * Specification 1.1, chapter 9. */
#ifndef JIGS_SIMBENCH_USB_STANDARD_H
#define JIGS_SIMBENCH_USB_STANDARD_H

#include "jigs/simbench/usb_firmware.h"

#define USB_REPLY_MAX 256 /* a string descriptor's longest is 255 */

/* Writes the reply and returns its bytes, which may be more than setup->length. What the device
 * does not have is answered with none. `configuration` is what the host chose, 0: none. */
size_t usb_standard_reply(const struct usb_identity *identity, const struct usb_setup *setup,
                          uint8_t *configuration, uint8_t reply[USB_REPLY_MAX]);

#endif
