/* The endpoints of a simulated USB device beside endpoint 0: which there are, what waits in them,
 * and whether they are halted. */
#ifndef JIGS_SIMBENCH_USB_ENDPOINT_H
#define JIGS_SIMBENCH_USB_ENDPOINT_H

#include "jigs/simbench/usb_firmware.h"

#define USB_ENDPOINTS_MAX 8
#define USB_ENDPOINT_IN 0x80 /* bit 7 of the address: to the host */

struct usb_endpoint {
    uint8_t address;
    bool bulk;       /* else interrupt */
    bool halted;     /* stalls until the host clears it */
    bool quiet;      /* NAKs until something else has passed over the bus */
    bool full;       /* `packet` waits: to the host, or to be taken by the firmware */
    uint32_t seqnum; /* the transfer that a packet to the firmware is of */
    size_t count;
    uint8_t packet[USB_BULK_PACKET_BYTES];
};

struct usb_endpoints {
    struct usb_endpoint all[USB_ENDPOINTS_MAX];
    size_t count;
};

/* Those in the firmware's descriptors; none at low speed. */
void usb_endpoints_read(struct usb_endpoints *endpoints, const struct usb_firmware *firmware);
/* NULL: there is none with this address. */
struct usb_endpoint *usb_endpoint_find(struct usb_endpoints *endpoints, uint8_t address);
/* None is halted, nothing waits in them. */
void usb_endpoints_reset(struct usb_endpoints *endpoints);
/* Another host: what the one before had begun to send is not its. */
void usb_endpoints_forget_host(struct usb_endpoints *endpoints);
/* Something has happened: each may have something to say now. */
void usb_endpoints_wake(struct usb_endpoints *endpoints);
/* An empty packet waits for the host at the first bulk IN endpoint: a reply that ends before it
 * began. */
void usb_endpoints_say_nothing(struct usb_endpoints *endpoints);

#endif
