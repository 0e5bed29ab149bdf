/* What the files of the USB port share: its state, its waits, and how it takes up the bus. Included
 * by usb_port.c, which has its life, usb_control.c and usb_bulk.c, which serve its transfers. */
#ifndef JIGS_SIMBENCH_USB_PORT_STATE_H
#define JIGS_SIMBENCH_USB_PORT_STATE_H

#include <poll.h>
#include <pthread.h>

#include "jigs/simbench/usb_port.h"
#include "jigs/simbench/usb_standard.h"
#include "jigs/simbench/usbip_session.h"

/* How serving a transfer ends, beside the firmware's own answers. */
#define ANSWER_DONE 0
#define ANSWER_MISHAP (-4) /* see usb_port.mishap */

struct usb_port {
    struct usb_port_options options;
    struct usbip_device device;
    void *instance;
    bool stopped;
    bool hung; /* until the bus is reset or the plug pulled */
    struct usb_standard_state standard;

    struct usbip_session *session;   /* NULL: nobody has attached the device */
    struct usbip_transfer *transfer; /* being served */
    enum isp_mishap mishap;          /* what became of the programmer meanwhile */
    int64_t away_us;                 /* how long it is unplugged then */

    int64_t now_ns;  /* the firmware's clock */
    int64_t bus_ns;  /* when the bus is free for the next transaction */
    int64_t seen_ns; /* the monotonic clock when last looked at */

    struct pollfd watch; /* the firmware's */

    int wake;             /* event descriptor: somebody attaches the device, or moves the plug */
    pthread_mutex_t lock; /* guards what follows */
    bool plugged;
    bool pulled; /* from outside: it is to stay away */
    bool reserved;
    int attached; /* the session's socket; NOBODY */
    int next;     /* the socket of who attaches the device; NOBODY */
};

/* The next transaction on the bus takes place; the firmware's clock is at its begin. */
void usb_port_begin_transaction(struct usb_port *port);
/* The device NAKs so much longer, while the host still wants the transfer. */
void usb_port_be_late(struct usb_port *port, int64_t late_us);
/* Waits until the firmware's present has come, while the host still wants the transfer: false when
 * it does not. */
bool usb_port_catch_up(struct usb_port *port);

/* What happens to data on their way (usb_port_options): how many bytes are left. */
size_t usb_port_pass_out(struct usb_port *port, uint8_t *bytes, size_t count, bool *twice);
size_t usb_port_pass_in(struct usb_port *port, uint8_t *bytes, size_t count, int64_t *late_us);
/* The firmware forgets what the host told it. */
void usb_port_forget(struct usb_port *port);

/* A whole control transfer, but for how it ends: an answer. */
int usb_control_serve(struct usb_port *port);
/* A bulk or interrupt transfer on one of its endpoints, packet by packet, until it has ended or the
 * firmware has no more to say to it: an answer. */
int usb_bulk_serve(struct usb_port *port, struct usb_endpoint *endpoint);

#endif
