/* The messages of USB/IP as a client needs them: those it sends, and a reader for those that come,
 * which believes nothing. No sockets here. The kernel's Documentation/usb/usbip_protocol.rst,
 * version 1.1.1; all numbers are big endian. */
#ifndef JIGS_USBIP_WIRE_H
#define JIGS_USBIP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reports/failure.h"

#define USBIP_BUS_ID_BYTES 32
#define USBIP_IMPORT_BYTES 40         /* OP_REQ_IMPORT */
#define USBIP_IMPORT_STATUS_BYTES 8   /* OP_REP_IMPORT, what always comes */
#define USBIP_IMPORT_DEVICE_BYTES 312 /* and what follows when the status is good */
#define USBIP_MESSAGE_BYTES 48
#define USBIP_SETUP_BYTES 8
#define USBIP_QUEUE 3 /* as many as link_usb_backend.h has under way */

void usbip_wire_import(uint8_t message[USBIP_IMPORT_BYTES], const char *bus_id);
/* FAILURE_PLACE_MISSING, FAILURE_PLACE_BUSY, FAILURE_PROGRAMMER_OUT_OF_STEP. */
int usbip_wire_import_status(const uint8_t reply[USBIP_IMPORT_STATUS_BYTES],
                             struct failure *failure);
int usbip_wire_import_device(const uint8_t reply[USBIP_IMPORT_DEVICE_BYTES], const char *bus_id,
                             uint32_t *device_id, struct failure *failure);

/* One transfer that the server was given. */
struct usbip_expected {
    uint32_t number;        /* of the CMD_SUBMIT; 0: nothing is expected */
    uint32_t unlink_number; /* of the CMD_UNLINK that takes it back; 0: none was sent */
    uint8_t endpoint;       /* its number, 0…15 */
    bool to_host;
    uint16_t length;
    uint8_t *data;     /* `length` bytes for what comes */
    bool answered;     /* status and received are known */
    int32_t status;    /* 0 or a negative errno of Linux */
    uint16_t received; /* bytes that went or came */
};

struct usbip_inbox {
    struct usbip_expected expected[USBIP_QUEUE];
    uint8_t message[USBIP_MESSAGE_BYTES];
    size_t message_bytes;           /* of it have come */
    struct usbip_expected *body_of; /* whose data are coming; NULL: none */
    size_t body_bytes;              /* of them have come */
};

/* `setup` is all zeros but for endpoint 0. */
void usbip_wire_submit(uint8_t message[USBIP_MESSAGE_BYTES], uint32_t device_id,
                       const struct usbip_expected *expected,
                       const uint8_t setup[USBIP_SETUP_BYTES]);
void usbip_wire_unlink(uint8_t message[USBIP_MESSAGE_BYTES], uint32_t device_id,
                       const struct usbip_expected *expected);
/* Takes what came, in pieces as they come. A transfer whose reply is there (and that of its unlink,
 * where one was sent) has number 0 again; its result stands beside it. -1 with
 * FAILURE_PROGRAMMER_OUT_OF_STEP for anything that was not asked for, or does not fit: then nothing
 * more can be read from this connection. */
int usbip_inbox_take(struct usbip_inbox *inbox, const uint8_t *bytes, size_t count,
                     struct failure *failure);

#endif
