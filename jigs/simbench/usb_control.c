/* Control transfers of a simulated USB device, packet by packet. */
#include <string.h>

#include "jigs/simbench/usb_port_state.h"

/* What the host is sent: so many bytes, or what the firmware gives packet by packet (NULL). */
struct reply {
    const uint8_t *bytes;
    size_t left;
};

static int next_packet(struct usb_port *port, struct reply *reply, uint8_t *packet, size_t room)
{
    size_t most = room < USB_PACKET_BYTES ? room : USB_PACKET_BYTES;
    if (reply->bytes == NULL) {
        int count = port->options.firmware->read(port->instance, packet, most);
        return port->mishap != ISP_MISHAP_NONE ? ANSWER_MISHAP
               : count > (int)most             ? (int)most
                                               : count;
    }
    size_t count = reply->left < most ? reply->left : most;
    memcpy(packet, reply->bytes, count);
    reply->bytes += count;
    reply->left -= count;
    return (int)count;
}

/* Data of standard requests pass unharmed: faults count the bytes of the programmer's protocol. */
static bool is_standard(const struct usb_port *port)
{
    return (port->transfer->setup.request_type & USB_TYPE_MASK) == USB_TYPE_STANDARD;
}

static int send_data(struct usb_port *port, struct reply reply)
{
    struct usbip_transfer *transfer = port->transfer;
    while (port->transfer->moved < transfer->length) {
        uint8_t packet[USB_PACKET_BYTES];
        int64_t late_us = 0;
        int count = next_packet(port, &reply, packet, transfer->length - port->transfer->moved);
        if (count < 0) {
            return count;
        }
        size_t left = (size_t)count;
        if (!is_standard(port)) {
            left = usb_port_pass_in(port, packet, left, &late_us);
        }
        usb_port_be_late(port, late_us);
        usb_port_begin_transaction(port);
        memcpy(transfer->data + port->transfer->moved, packet, left);
        port->transfer->moved += left;
        if (left < USB_PACKET_BYTES) {
            break; /* which is how the host knows that there are no more */
        }
    }
    return ANSWER_DONE;
}

/* `before`: what the firmware said to the packet before. */
static int deliver(struct usb_port *port, const uint8_t *packet, size_t count, int before)
{
    usb_port_begin_transaction(port);
    if (count == 0) {
        return before; /* it got lost */
    }
    int answer = port->options.firmware->write(port->instance, packet, count);
    return port->mishap != ISP_MISHAP_NONE ? ANSWER_MISHAP : answer;
}

/* Data that the firmware looks at. */
static int take_data(struct usb_port *port)
{
    const struct usbip_transfer *transfer = port->transfer;
    int answer = 0;
    while (port->transfer->moved < transfer->length && answer >= 0) {
        uint8_t packet[USB_PACKET_BYTES];
        size_t room = transfer->length - port->transfer->moved;
        size_t count = room < sizeof packet ? room : sizeof packet;
        bool twice = false;
        memcpy(packet, transfer->data + port->transfer->moved, count);
        size_t left = usb_port_pass_out(port, packet, count, &twice);
        answer = deliver(port, packet, left, answer);
        if (twice && answer >= 0) {
            answer = deliver(port, packet, left, answer);
        }
        port->transfer->moved += answer >= 0 ? count : 0;
    }
    return answer < 0 ? answer : answer == 0 ? USB_SILENT : ANSWER_DONE;
}

/* Data that it does not look at. */
static int ignore_data(struct usb_port *port)
{
    while (port->transfer->moved < port->transfer->length) {
        size_t room = port->transfer->length - port->transfer->moved;
        usb_port_begin_transaction(port);
        port->transfer->moved += room < USB_PACKET_BYTES ? room : USB_PACKET_BYTES;
    }
    return ANSWER_DONE;
}

static int serve_standard(struct usb_port *port)
{
    uint8_t bytes[USB_REPLY_MAX];
    const struct usb_firmware *firmware = port->options.firmware;
    const struct usb_setup *setup = &port->transfer->setup;
    size_t count = usb_standard_reply(firmware, setup, &port->standard, bytes);
    int cleared = usb_standard_clears_halt(setup);
    if (usb_standard_configures(setup)) {
        usb_port_forget(port);
    }
    if (cleared != USB_NO_ENDPOINT && firmware->clear_halt != NULL) {
        firmware->clear_halt(port->instance, (uint8_t)cleared);
    }
    return port->transfer->to_host ? send_data(port, (struct reply){bytes, count})
                                   : ignore_data(port);
}

static int serve_firmware(struct usb_port *port)
{
    uint8_t bytes[USB_PACKET_BYTES];
    const struct usb_firmware *firmware = port->options.firmware;
    int answer = firmware->setup == NULL
                     ? USB_STALL
                     : firmware->setup(port->instance, &port->transfer->setup, bytes);
    if (port->mishap != ISP_MISHAP_NONE) {
        return ANSWER_MISHAP;
    }
    if (answer == USB_STREAM) {
        return port->transfer->to_host ? send_data(port, (struct reply){NULL, 0}) : take_data(port);
    }
    if (answer < 0) {
        return answer;
    }
    return port->transfer->to_host ? send_data(port, (struct reply){bytes, (size_t)answer})
                                   : ignore_data(port);
}

int usb_control_serve(struct usb_port *port)
{
    usb_port_begin_transaction(port);
    return is_standard(port)                         ? serve_standard(port)
           : usbip_transfer_is_reset(port->transfer) ? ANSWER_DONE
                                                     : serve_firmware(port);
}
