/* Where a programmer is: a physical place, written in a jig file after `at:`. */
#ifndef JIGS_PLACE_H
#define JIGS_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reports/failure.h"

/* Arduino's CDC boards, and all that copy them, start their bootloader when a port is closed that
 * was set to so many baud. */
#define PLACE_BOOTLOADER_BAUD 1200

enum place_kind {
    PLACE_NONE,   /* not given: a simulated bench fills it in */
    PLACE_SERIAL, /* serial:/dev/… */
    /* serial:usb:1-1.4.2, the serial port of the device that is plugged in there, whatever its
     * number; serial:usb:1-1.4.2:1.0 where it has several */
    PLACE_SERIAL_USB,
    PLACE_PTY, /* pty:/dev/pts/… */
    PLACE_TCP, /* tcp:HOST:PORT, a raw serial port server such as ser2net */
    PLACE_USB, /* usb:1-1.4.2, bus and ports on the way, as the kernel writes them */
    /* usb:serial=TEXT, wherever it is plugged in */
    PLACE_USB_SERIAL,
    /* usbip:ADDRESS:PORT/BUSID, a device of the simulated bench; this machine's own addresses only
     */
    PLACE_USBIP
};

struct place {
    enum place_kind kind;
    char path[256];  /* device, host, bus and ports (and interface), or serial number */
    uint16_t port;   /* PLACE_TCP, PLACE_USBIP */
    char bus_id[32]; /* PLACE_USBIP; the protocol's field has as many bytes */
};

/* FAILURE_JIG_INVALID with what was expected; the caller adds file and line. */
int place_parse(const char *text, struct place *place, struct failure *failure);
/* As it stands in a jig file; place_parse() takes it again. */
void place_to_text(const struct place *place, char *text, size_t text_bytes);
/* Do both lead to the same device? Links are followed, host names resolved, and the system is asked
 * which serial number is plugged in where. */
bool place_same(const struct place *a, const struct place *b);
/* Is it a USB device that drivers speak to over a USB link, and not a stream of bytes? */
bool place_is_usb(const struct place *place);
/* Does it lead to a CDC device (/dev/ttyACM…), as far as can be told now? */
bool place_is_cdc(const struct place *place);
/* "1-1.4.2", the kernel's name of a device by bus and ports: one to seven ports, no leading zeros.
 */
bool place_is_usb_path(const char *text);
/* "1-1.4.2", or an interface of the device there: "1-1.4.2:1.0", configuration and number. */
bool place_is_usb_interface(const char *text);
/* Is the host "127.….….…" or "::1", as numbers? */
bool place_is_loopback(const char *host);

#endif
