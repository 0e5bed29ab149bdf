/* A USB port with a simulated programmer in it, reached over USB/IP: a low-speed device that speaks
 * through control transfers, or a full-speed one that has bulk and interrupt endpoints, too.
 *
 * Its firmware runs as straight-line code on a timeline of its own, pinned to the monotonic clock,
 * as behind a wire (wire.h). Each transaction on the bus - a setup packet, a data packet, the end
 * of a control transfer - takes a low-speed frame of 1 ms, or 50 us at full speed, whatever it
 * carries. It is NAKed, which costs nothing, while the firmware is busy: it takes place at the end
 * of the one before, or when the firmware is free again if that is later. A transfer that waits
 * already follows without a gap; another begins when it comes. The host is told the end of a
 * transfer when its last transaction is over. So errors of waking up late do not add up, and a port
 * sleeps while a transfer runs. At fast pace nothing waits; the timeline only counts how long the
 * firmware would have been busy.
 *
 * Control transfers are served in the order in which they come, one at a time. On the other
 * endpoints a transfer that the firmware NAKs waits, and may be taken back, while those on other
 * endpoints pass it. */
#ifndef JIGS_SIMBENCH_USB_PORT_H
#define JIGS_SIMBENCH_USB_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jigs/simbench/isp_port.h"
#include "jigs/simbench/usb_firmware.h"
#include "jigs/simbench/usbip_message.h"
#include "reports/failure.h"

struct usb_port_options {
    const struct usb_firmware *firmware;
    const struct isp_port *isp;
    int number; /* of the port: its bus id is "1-NUMBER" */
    bool real_pace;
    int stop_descriptor; /* becomes readable when the bench stops */
    /* May be NULL: nothing. What happens to the data of vendor requests and bulk transfers, packet
     * by packet: change them in place, return how many bytes are left. `*twice`: the packet is
     * delivered twice.
     * `*late_us`: the device NAKs so much longer before it sends the packet. */
    size_t (*to_programmer)(void *context, uint8_t *bytes, size_t count, bool *twice);
    size_t (*from_programmer)(void *context, uint8_t *bytes, size_t count, int64_t *late_us);
    void *context;
};

/* `options` is copied. FAILURE_BENCH when the system has no descriptors left. */
int usb_port_create(const struct usb_port_options *options, struct usb_port **port,
                    struct failure *failure);
void usb_port_free(struct usb_port *port); /* NULL is allowed */
/* Runs the device until the bench stops. */
void usb_port_run(struct usb_port *port);

/* --- for the server, which may be another thread --- */

const struct usbip_device *usb_port_device(const struct usb_port *port);
bool usb_port_is_plugged(struct usb_port *port);
/* Somebody wants to attach the device: USBIP_OK reserves it until usb_port_attach() gives the
 * connection, which then belongs to the port, or -1 when it came to nothing. USBIP_BUSY while
 * somebody else has it, USBIP_NO_DEVICE while it is unplugged. */
enum usbip_status usb_port_reserve(struct usb_port *port);
void usb_port_attach(struct usb_port *port, int socket);

/* Plugs the device in or out, from outside. It comes back as after power on. */
void usb_port_set_plugged(struct usb_port *port, bool plugged);

/* --- for the firmware --- */

/* When the descriptor is ready for these events of poll(), or hung up, the endpoints that had
 * nothing to say are asked again, once; then it is no longer looked at. -1: none. */
void usb_port_watch(struct usb_port *port, int descriptor, short events);

/* The firmware's clock, microseconds on the monotonic clock; at fast pace the time that it was busy
 * with. */
int64_t usb_port_now_us(const struct usb_port *port);
/* The firmware is busy for so long. */
void usb_port_spend(struct usb_port *port, int64_t duration_us);
void usb_port_spend_ns(struct usb_port *port, int64_t duration_ns);
/* Drives the board's RESET line. */
void usb_port_reset_line(struct usb_port *port, bool low);
/* The programmer no longer drives any line to the board: RESET is high. */
void usb_port_let_go(struct usb_port *port);
/* The board's supply; 0: none. */
int64_t usb_port_supply_mv(const struct usb_port *port);
/* Shifts one frame into the board; the time it takes is the firmware's to spend. False when
 * something happened to the programmer: it leaves, with any answer. */
bool usb_port_transfer(struct usb_port *port, const uint8_t mosi[4], uint8_t miso[4],
                       int64_t sck_hz);

#endif
