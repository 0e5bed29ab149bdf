/* A serial programmer's USB port: a CDC ACM device in front of its wire. Whatever a host writes and
 * reads there goes through the wire's pseudo terminal, which is opened when DTR rises and closed
 * when it falls; so all that opening, closing, losing and waiting means is said in wire.h. */
#ifndef JIGS_SIMBENCH_CDC_BRIDGE_H
#define JIGS_SIMBENCH_CDC_BRIDGE_H

#include "jigs/simbench/isp_port.h"
#include "jigs/simbench/usb_port.h"
#include "jigs/simbench/wire_firmware.h"

struct cdc_bridge {
    struct wire *wire;
    const char *path; /* of the wire's port: a link, for it may be plugged out and in */
    bool leaves_at_1200;
    struct usb_firmware firmware; /* made by cdc_bridge_create_port() */
};

/* A USB port with this number for the wire, which must outlive it, as must `bridge`. The caller
 * tells it when the wire is plugged out and in. */
int cdc_bridge_create_port(struct cdc_bridge *bridge, const struct wire_firmware *model, int number,
                           bool real_pace, int stop_descriptor, struct usb_port **port,
                           struct failure *failure);

#endif
