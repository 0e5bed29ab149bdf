/* Bulk and interrupt transfers of a simulated USB device, packet by packet. A transfer may wait for
 * the firmware while those on other endpoints go on: what the host wants to read is often asked for
 * before the command that makes it. */
#include <string.h>

#include "jigs/simbench/usb_port_state.h"

/* Something has passed over the bus: whoever waited for it is asked again. */
static void charge(struct usb_port *port)
{
    usb_port_begin_transaction(port);
    usb_endpoints_wake(&port->standard.endpoints);
}

/* --- to the host --- */

/* The firmware's next packet waits in the endpoint, spoilt as the wire spoils it. */
static int fill_in(struct usb_port *port, struct usb_endpoint *endpoint)
{
    int64_t late_us = 0;
    int count = port->options.firmware->bulk_read(port->instance, endpoint->address,
                                                  endpoint->packet, sizeof endpoint->packet);
    if (port->mishap != ISP_MISHAP_NONE || count < 0) {
        return port->mishap != ISP_MISHAP_NONE ? ANSWER_MISHAP : count;
    }
    endpoint->full = true;
    endpoint->count = (size_t)count;
    if (endpoint->bulk) {
        endpoint->count = usb_port_pass_in(port, endpoint->packet, (size_t)count, &late_us);
    }
    usb_port_be_late(port, late_us);
    return ANSWER_DONE;
}

static int send_packets(struct usb_port *port, struct usb_endpoint *endpoint)
{
    struct usbip_transfer *transfer = port->transfer;
    while (transfer->moved < transfer->length) {
        int answer = endpoint->full ? ANSWER_DONE : fill_in(port, endpoint);
        if (answer != ANSWER_DONE) {
            return answer;
        }
        if (!usb_port_catch_up(port)) {
            return USB_SILENT; /* the packet stays for the host's next transfer */
        }
        size_t room = transfer->length - transfer->moved;
        size_t count = endpoint->count < room ? endpoint->count : room;
        charge(port);
        memcpy(transfer->data + transfer->moved, endpoint->packet, count);
        transfer->moved += count;
        endpoint->full = false;
        if (count < USB_BULK_PACKET_BYTES) {
            break; /* which is how the host knows that there are no more */
        }
    }
    return ANSWER_DONE;
}

/* --- from the host --- */

/* The transfer's next packet, spoilt as the wire spoils it, waits for the firmware. `*twice`: it
 * comes twice. */
static void fill_out(struct usb_port *port, struct usb_endpoint *endpoint, size_t count,
                     bool *twice)
{
    const struct usbip_transfer *transfer = port->transfer;
    memcpy(endpoint->packet, transfer->data + transfer->moved, count);
    endpoint->count = count;
    if (endpoint->bulk) {
        endpoint->count = usb_port_pass_out(port, endpoint->packet, count, twice);
    }
    endpoint->seqnum = transfer->seqnum;
    endpoint->full = true;
}

/* Offers the firmware the packet that waits. */
static int offer(struct usb_port *port, const struct usb_endpoint *endpoint, bool is_lost)
{
    int64_t bus_ns = port->bus_ns;
    usb_port_begin_transaction(port);
    if (is_lost) {
        return ANSWER_DONE;
    }
    int answer = port->options.firmware->bulk_write(port->instance, endpoint->address,
                                                    endpoint->packet, endpoint->count);
    if (port->mishap != ISP_MISHAP_NONE) {
        return ANSWER_MISHAP;
    }
    if (answer == USB_SILENT) {
        port->bus_ns = bus_ns; /* a NAK takes no time worth counting */
    }
    return answer;
}

static int take_packet(struct usb_port *port, struct usb_endpoint *endpoint)
{
    struct usbip_transfer *transfer = port->transfer;
    size_t room = transfer->length - transfer->moved;
    size_t count = room < USB_BULK_PACKET_BYTES ? room : USB_BULK_PACKET_BYTES;
    bool twice = false;
    if (!endpoint->full || endpoint->seqnum != transfer->seqnum) {
        fill_out(port, endpoint, count, &twice);
    }
    bool is_lost = count != 0 && endpoint->count == 0;
    int answer = offer(port, endpoint, is_lost);
    if (answer == ANSWER_DONE && twice) {
        answer = offer(port, endpoint, is_lost);
    }
    if (answer == USB_SILENT) {
        return answer;
    }
    endpoint->full = false;
    transfer->moved += answer == USB_STALL ? 0 : count;
    transfer->packets++;
    usb_endpoints_wake(&port->standard.endpoints);
    return answer;
}

/* An empty transfer is one empty packet. */
static size_t packets_of(const struct usbip_transfer *transfer)
{
    size_t whole = transfer->length / USB_BULK_PACKET_BYTES;
    bool more = transfer->length % USB_BULK_PACKET_BYTES != 0 || transfer->length == 0;
    return whole + (more || transfer->zero_packet);
}

static int take_packets(struct usb_port *port, struct usb_endpoint *endpoint)
{
    int answer = ANSWER_DONE;
    while (answer == ANSWER_DONE && port->transfer->packets < packets_of(port->transfer)) {
        answer = take_packet(port, endpoint);
    }
    return answer;
}

int usb_bulk_serve(struct usb_port *port, struct usb_endpoint *endpoint)
{
    if (endpoint->halted) {
        usb_port_begin_transaction(port);
        return USB_STALL;
    }
    int answer =
        port->transfer->to_host ? send_packets(port, endpoint) : take_packets(port, endpoint);
    endpoint->halted = answer == USB_STALL;
    endpoint->quiet = answer == USB_SILENT && !(port->transfer->to_host && endpoint->full);
    return answer;
}
