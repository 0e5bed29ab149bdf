#include "jigs/simbench/usbip_session.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "jigs/simbench/usbip_message.h"

#define CHUNK_MAX 4096
#define CHUNKS_AT_ONCE 16 /* then others have a turn */
/* A host that leaves so much unread is gone. */
#define UNSENT_MAX 1000000
#define DATA_MAX 0xFFFF
#define NO_ISO 0xFFFFFFFF
#define ENDPOINTS 16

/* USB 1.1, 9.4 and table 11-15: SET_FEATURE(PORT_RESET) to a hub's port. USB/IP's own server takes
 * it, sent to the device, for a reset of its port. */
#define TYPE_HUB_PORT 0x23
#define SET_FEATURE 3
#define PORT_RESET 4
/* Linux asks so after it has reset a port (drivers/usb/core/hub.c, GET_DESCRIPTOR_BUFSIZE), which
 * vhci-hcd does by itself, without a word to the device. */
#define GET_DESCRIPTOR 6
#define DEVICE_DESCRIPTOR 0x0100
#define FIRST_LOOK_BYTES 64

struct usbip_session {
    int socket;
    uint32_t devid;
    struct usbip_transfer *first; /* waiting; the oldest */
    size_t waiting;
    struct usbip_transfer *out; /* given to whoever serves it */

    uint8_t head[USBIP_HEAD_BYTES]; /* of the command that is coming in */
    size_t head_bytes;
    struct usbip_transfer *coming; /* its transfer, while its data come in */
    uint32_t data_bytes;           /* of them, came so far… */
    uint32_t data_wanted;          /* …and in all; what the transfer has no room for is dropped */

    uint8_t *unsent;
    size_t unsent_bytes;
    bool broken; /* the host is gone, or there is no memory for it */
};

/* --- life --- */

struct usbip_session *usbip_session_create(int socket, uint32_t devid)
{
    struct usbip_session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        close(socket);
        return NULL;
    }
    session->socket = socket;
    session->devid = devid;
    return session;
}

void usbip_transfer_free(struct usbip_transfer *transfer)
{
    free(transfer);
}

void usbip_session_free(struct usbip_session *session)
{
    if (session == NULL) {
        return;
    }
    while (session->first != NULL) {
        struct usbip_transfer *transfer = session->first;
        session->first = transfer->next;
        usbip_transfer_free(transfer);
    }
    usbip_transfer_free(session->coming);
    free(session->unsent);
    close(session->socket);
    free(session);
}

int usbip_session_descriptor(const struct usbip_session *session)
{
    return session->socket;
}

short usbip_session_events(const struct usbip_session *session)
{
    return (short)(POLLIN | (session->unsent_bytes != 0 ? POLLOUT : 0));
}

/* --- replies --- */

static void send_unsent(struct usbip_session *session)
{
    while (session->unsent_bytes != 0 && !session->broken) {
        ssize_t sent = send(session->socket, session->unsent, session->unsent_bytes,
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0) {
            session->broken = errno != EAGAIN && errno != EINTR;
            return;
        }
        session->unsent_bytes -= (size_t)sent;
        memmove(session->unsent, session->unsent + sent, session->unsent_bytes);
    }
}

static void reply(struct usbip_session *session, const uint8_t head[USBIP_HEAD_BYTES],
                  const uint8_t *data, size_t data_bytes)
{
    size_t bytes = session->unsent_bytes + USBIP_HEAD_BYTES + data_bytes;
    uint8_t *unsent = bytes > UNSENT_MAX ? NULL : realloc(session->unsent, bytes);
    if (unsent == NULL) {
        session->broken = true;
        return;
    }
    memcpy(unsent + session->unsent_bytes, head, USBIP_HEAD_BYTES);
    if (data_bytes != 0) {
        memcpy(unsent + session->unsent_bytes + USBIP_HEAD_BYTES, data, data_bytes);
    }
    session->unsent = unsent;
    session->unsent_bytes = bytes;
    send_unsent(session);
}

/* --- commands --- */

bool usbip_transfer_is_reset(const struct usbip_transfer *transfer)
{
    const struct usb_setup *setup = &transfer->setup;
    bool hub = setup->request_type == TYPE_HUB_PORT && setup->request == SET_FEATURE &&
               setup->value == PORT_RESET;
    bool first_look = setup->request_type == USB_TYPE_TO_HOST && setup->request == GET_DESCRIPTOR &&
                      setup->value == DEVICE_DESCRIPTOR && setup->length == FIRST_LOOK_BYTES;
    return transfer->control && (hub || first_look);
}

bool usbip_session_has_reset(const struct usbip_session *session)
{
    for (const struct usbip_transfer *at = session->first; at != NULL; at = at->next) {
        if (usbip_transfer_is_reset(at)) {
            return true;
        }
    }
    return false;
}

static void enqueue(struct usbip_session *session, struct usbip_transfer *transfer, int64_t now_ns)
{
    struct usbip_transfer **end = &session->first;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    transfer->arrived_ns = now_ns;
    *end = transfer;
    session->waiting++;
}

/* As much data as both sides speak of; none when they do not agree on the direction. */
static uint16_t data_length(const struct usbip_head *head)
{
    bool to_host = (head->setup.request_type & USB_TYPE_TO_HOST) != 0;
    uint32_t wanted = head->setup.length;
    if (head->endpoint != 0) {
        return (uint16_t)head->length;
    }
    if (to_host != head->to_host) {
        return 0;
    }
    return (uint16_t)(head->length < wanted ? head->length : wanted);
}

static int begin_submit(struct usbip_session *session, const struct usbip_head *head,
                        int64_t now_ns)
{
    bool is_iso = head->iso_count != 0 && head->iso_count != NO_ISO;
    if (is_iso || head->endpoint >= ENDPOINTS || head->length > DATA_MAX ||
        session->waiting >= USBIP_TRANSFERS_MAX) {
        return -1;
    }
    uint16_t length = data_length(head);
    struct usbip_transfer *transfer = calloc(1, sizeof *transfer + length);
    if (transfer == NULL) {
        return -1;
    }
    transfer->seqnum = head->seqnum;
    transfer->setup = head->setup;
    transfer->control = head->endpoint == 0;
    transfer->to_host =
        transfer->control ? (head->setup.request_type & USB_TYPE_TO_HOST) != 0 : head->to_host;
    transfer->endpoint = (uint8_t)(head->endpoint | (head->to_host ? USB_TYPE_TO_HOST : 0));
    transfer->zero_packet = (head->flags & USBIP_ZERO_PACKET) != 0;
    transfer->length = length;
    session->data_bytes = 0;
    session->data_wanted = head->to_host ? 0 : head->length;
    if (session->data_wanted == 0) {
        enqueue(session, transfer, now_ns);
    } else {
        session->coming = transfer;
    }
    return 0;
}

static void cut_out(struct usbip_session *session, struct usbip_transfer *transfer)
{
    struct usbip_transfer **at = &session->first;
    while (*at != transfer) {
        at = &(*at)->next;
    }
    *at = transfer->next;
    transfer->next = NULL;
    session->waiting--;
}

/* 0, or -ECONNRESET when there was something to end. */
static int unlink_transfer(struct usbip_session *session, uint32_t seqnum)
{
    if (session->out != NULL && session->out->seqnum == seqnum && !session->out->cancelled) {
        session->out->cancelled = true;
        return -ECONNRESET;
    }
    for (struct usbip_transfer *at = session->first; at != NULL; at = at->next) {
        if (at->seqnum == seqnum) {
            cut_out(session, at);
            usbip_transfer_free(at);
            return -ECONNRESET;
        }
    }
    return 0;
}

static int begin_command(struct usbip_session *session, int64_t now_ns)
{
    struct usbip_head head;
    usbip_get_head(session->head, &head);
    session->head_bytes = 0;
    if (head.devid != session->devid) {
        return -1;
    }
    if (head.command == USBIP_SUBMIT) {
        return begin_submit(session, &head, now_ns);
    }
    if (head.command == USBIP_UNLINK) {
        uint8_t bytes[USBIP_HEAD_BYTES];
        usbip_put_unlink_reply(bytes, head.seqnum, unlink_transfer(session, head.unlinks));
        reply(session, bytes, NULL, 0);
        return 0;
    }
    return -1;
}

static size_t take_head(struct usbip_session *session, const uint8_t *bytes, size_t count)
{
    size_t room = USBIP_HEAD_BYTES - session->head_bytes;
    size_t taken = count < room ? count : room;
    memcpy(session->head + session->head_bytes, bytes, taken);
    session->head_bytes += taken;
    return taken;
}

static size_t take_data(struct usbip_session *session, const uint8_t *bytes, size_t count)
{
    struct usbip_transfer *transfer = session->coming;
    size_t room = session->data_wanted - session->data_bytes;
    size_t taken = count < room ? count : room;
    for (size_t i = 0; i < taken && session->data_bytes + i < transfer->length; i++) {
        transfer->data[session->data_bytes + i] = bytes[i];
    }
    session->data_bytes += (uint32_t)taken;
    return taken;
}

static int take_bytes(struct usbip_session *session, const uint8_t *bytes, size_t count,
                      int64_t now_ns)
{
    while (count != 0) {
        size_t taken = session->coming != NULL ? take_data(session, bytes, count)
                                               : take_head(session, bytes, count);
        bytes += taken;
        count -= taken;
        if (session->coming != NULL && session->data_bytes == session->data_wanted) {
            enqueue(session, session->coming, now_ns);
            session->coming = NULL;
        } else if (session->head_bytes == USBIP_HEAD_BYTES && begin_command(session, now_ns) != 0) {
            return -1;
        }
    }
    return 0;
}

int usbip_session_work(struct usbip_session *session, int64_t now_ns)
{
    uint8_t chunk[CHUNK_MAX];
    ssize_t got = sizeof chunk;
    send_unsent(session);
    /* Less than was asked for is all that there is now. */
    for (int i = 0; i < CHUNKS_AT_ONCE && got == sizeof chunk && !session->broken; i++) {
        got = recv(session->socket, chunk, sizeof chunk, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            break;
        }
        session->broken =
            got <= 0 || take_bytes(session, chunk, (size_t)got, now_ns) != 0 || session->broken;
    }
    return session->broken ? -1 : 0;
}

/* --- for who serves it --- */

struct usbip_transfer *usbip_session_waiting(const struct usbip_session *session)
{
    return session->first;
}

void usbip_session_take(struct usbip_session *session, struct usbip_transfer *transfer)
{
    cut_out(session, transfer);
    session->out = transfer;
}

static void forget_out(struct usbip_session *session, const struct usbip_transfer *transfer)
{
    if (session->out == transfer) {
        session->out = NULL;
    }
}

void usbip_session_put_back(struct usbip_session *session, struct usbip_transfer *transfer)
{
    forget_out(session, transfer);
    if (transfer->cancelled) {
        usbip_transfer_free(transfer);
        return;
    }
    transfer->next = session->first;
    session->first = transfer;
    session->waiting++;
}

int usbip_session_finish(struct usbip_session *session, struct usbip_transfer *transfer, int status)
{
    forget_out(session, transfer);
    if (!transfer->cancelled) {
        uint8_t head[USBIP_HEAD_BYTES];
        usbip_put_submit_reply(head, transfer->seqnum, status, (uint32_t)transfer->moved);
        reply(session, head, transfer->data, transfer->to_host ? transfer->moved : 0);
    }
    usbip_transfer_free(transfer);
    return session->broken ? -1 : 0;
}
