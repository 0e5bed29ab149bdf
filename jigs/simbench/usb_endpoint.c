#include "jigs/simbench/usb_endpoint.h"

#include "jigs/simbench/usb_standard.h"

/* USB 1.1, table 9-10: where in an endpoint's descriptor, and the kinds of transfer. */
#define ADDRESS 2
#define ATTRIBUTES 3
#define KIND_MASK 0x03
#define KIND_BULK 2

void usb_endpoints_read(struct usb_endpoints *endpoints, const struct usb_firmware *firmware)
{
    const uint8_t *descriptor = NULL;
    *endpoints = (struct usb_endpoints){0};
    while (firmware->full_speed && endpoints->count < USB_ENDPOINTS_MAX &&
           (descriptor = usb_standard_next(firmware, USB_ENDPOINT, descriptor)) != NULL) {
        endpoints->all[endpoints->count++] =
            (struct usb_endpoint){.address = descriptor[ADDRESS],
                                  .bulk = (descriptor[ATTRIBUTES] & KIND_MASK) == KIND_BULK};
    }
}

struct usb_endpoint *usb_endpoint_find(struct usb_endpoints *endpoints, uint8_t address)
{
    for (size_t i = 0; i < endpoints->count; i++) {
        if (endpoints->all[i].address == address) {
            return &endpoints->all[i];
        }
    }
    return NULL;
}

void usb_endpoints_reset(struct usb_endpoints *endpoints)
{
    for (size_t i = 0; i < endpoints->count; i++) {
        struct usb_endpoint *endpoint = &endpoints->all[i];
        endpoint->halted = endpoint->quiet = endpoint->full = false;
    }
}

void usb_endpoints_forget_host(struct usb_endpoints *endpoints)
{
    for (size_t i = 0; i < endpoints->count; i++) {
        struct usb_endpoint *endpoint = &endpoints->all[i];
        endpoint->full = endpoint->full && (endpoint->address & USB_ENDPOINT_IN) != 0;
    }
    usb_endpoints_wake(endpoints);
}

void usb_endpoints_wake(struct usb_endpoints *endpoints)
{
    for (size_t i = 0; i < endpoints->count; i++) {
        endpoints->all[i].quiet = false;
    }
}

void usb_endpoints_say_nothing(struct usb_endpoints *endpoints)
{
    for (size_t i = 0; i < endpoints->count; i++) {
        struct usb_endpoint *endpoint = &endpoints->all[i];
        if (endpoint->bulk && (endpoint->address & USB_ENDPOINT_IN) != 0) {
            endpoint->full = true;
            endpoint->count = 0;
            return;
        }
    }
}
