/* The simulated bench's USB/IP server, on loopback: tells which devices there are, and hands each
 * connection that attaches one over to its port. */
#ifndef JIGS_SIMBENCH_USBIP_SERVER_H
#define JIGS_SIMBENCH_USBIP_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "jigs/simbench/usb_port.h"
#include "reports/failure.h"

#define USBIP_SERVER_HOST "127.0.0.1"

struct usbip_server;

struct usbip_server_options {
    uint16_t tcp_port; /* 0: the system chooses one */
    /* Must outlive the server; the array need not. */
    struct usb_port *const *ports;
    size_t port_count;
};

/* Starts a thread of its own. FAILURE_BENCH when the TCP port is not to be had. */
int usbip_server_start(const struct usbip_server_options *options, struct usbip_server **server,
                       struct failure *failure);
/* NULL is allowed. Devices that are attached stay so. */
void usbip_server_stop(struct usbip_server *server);
uint16_t usbip_server_tcp_port(const struct usbip_server *server);

#endif
