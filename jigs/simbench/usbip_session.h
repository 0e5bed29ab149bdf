/* The connection of an attached USB/IP device: what the host submits and unlinks, and the replies
 * to it. Belongs to the thread of the device, never blocks. */
#ifndef JIGS_SIMBENCH_USBIP_SESSION_H
#define JIGS_SIMBENCH_USBIP_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jigs/simbench/usb_firmware.h"

/* So many may wait; a host that submits more is put off. */
#define USBIP_TRANSFERS_MAX 64

struct usbip_transfer {
    uint32_t seqnum;
    struct usb_setup setup;
    bool control;     /* on endpoint 0 */
    uint8_t endpoint; /* its address: bit 7 to the host */
    bool to_host;
    bool zero_packet; /* a bulk transfer of whole packets to the device ends with an empty one */
    size_t moved;     /* bytes of the data that went or came so far */
    size_t packets;   /* of a bulk transfer to the device, taken so far */
    int64_t arrived_ns;
    bool cancelled; /* unlinked, or the host is gone: whoever has it need not go on */
    struct usbip_transfer *next;
    uint16_t length; /* of the data: what both the request and the host have room for */
    uint8_t data[];  /* as long */
};

struct usbip_session;

/* Takes the socket over, also when it fails (NULL: out of memory). */
struct usbip_session *usbip_session_create(int socket, uint32_t devid);
/* NULL is allowed. */
void usbip_session_free(struct usbip_session *session);

int usbip_session_descriptor(const struct usbip_session *session);
/* What to poll for. */
short usbip_session_events(const struct usbip_session *session);
/* Reads what has come, at `now_ns`, answers what is unlinked, and sends what could not be sent
 * before. -1 when the host is gone or says what no host says: nothing more will come. */
int usbip_session_work(struct usbip_session *session, int64_t now_ns);

/* Does one of the transfers that wait reset the bus? */
bool usbip_session_has_reset(const struct usbip_session *session);
bool usbip_transfer_is_reset(const struct usbip_transfer *transfer);

/* The transfers that wait, in the order in which they came: the first of them, and `next`. */
struct usbip_transfer *usbip_session_waiting(const struct usbip_session *session);
/* Takes out one of them. At most one at a time is out; it goes back by usbip_session_finish() or
 * usbip_session_put_back(), of a later session too when it was cancelled, or by
 * usbip_transfer_free() when there is none. */
void usbip_session_take(struct usbip_session *session, struct usbip_transfer *transfer);
/* It waits again, before all others; it is freed when it was cancelled. */
void usbip_session_put_back(struct usbip_session *session, struct usbip_transfer *transfer);
/* `status`: 0 or a negative error number; `moved` bytes of the data went or came. Frees it. Nothing
 * is sent when it was cancelled. -1 when the host is gone, or leaves too much unread. */
int usbip_session_finish(struct usbip_session *session, struct usbip_transfer *transfer,
                         int status);
void usbip_transfer_free(struct usbip_transfer *transfer);

#endif
