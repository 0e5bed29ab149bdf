/* What the firmware of a serial programmer is to the bench: how its board is wired to the host, and
 * straight-line code that runs on the thread of its site. */
#ifndef JIGS_SIMBENCH_WIRE_FIRMWARE_H
#define JIGS_SIMBENCH_WIRE_FIRMWARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jigs/simbench/isp_port.h"
#include "jigs/simbench/usb_firmware.h"
#include "jigs/simbench/wire.h"

struct wire_firmware;

struct wire_firmware_run {
    const struct wire_firmware *firmware;
    struct wire *wire;
    const struct isp_port *port;
    unsigned baud; /* that the jig gives it, else the firmware's own */
    bool
        real_pace; /* else nothing that it waits for takes time, and no bootloader runs before it */
    uint64_t seed; /* of what is left to chance at this site */
};

struct wire_firmware {
    const char *name; /* the model in jig files: "arduino-uno-isp" */
    struct wire_line line;
    /* As its board's own USB port, or the USB chip before its UART, names itself as a CDC ACM
     * device: `port: usb` in jig files. NULL: it has none, but an RS-232 port or an adapter of
     * another kind. */
    const struct usb_identity *usb;
    unsigned baud;       /* what it is set to unless the jig says otherwise */
    bool leaves_at_1200; /* closing the port at 1200 baud starts its bootloader */
    bool lets_go;        /* it tells the ISP port when it takes its hands off the board */
    /* Runs until the wire says stop. -1 when out of memory: it stays silent, which the host sees.
     */
    int (*run)(const struct wire_firmware_run *run);
    const void *variant; /* the model's own: what this generation of the firmware does */
};

/* One frame to the board, now. What befalls the programmer with it befalls it here: it hangs, is
 * reset or unplugged. False then. */
bool wire_firmware_transfer(struct wire *wire, const struct isp_port *port, int64_t sck_hz,
                            const uint8_t mosi[4], uint8_t miso[4]);

/* All models there are, from the files that have them; NULL if there is none of that name. */
const struct wire_firmware *wire_firmware_by_name(const char *name);
/* The index-th of them; NULL after the last. */
const struct wire_firmware *wire_firmware_item(size_t index);

#endif
