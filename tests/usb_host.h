/* The host's end of a simulated USB programmer, for tests: a USB/IP client that attaches a device
 * and speaks with it, and can be made to say things that no host says. */
#ifndef TESTS_USB_HOST_H
#define TESTS_USB_HOST_H

#include "tests/bench_host.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define USB_HOST_DATA_MAX 4096

/* Linux, Documentation/usb/usbip_protocol.rst: commands and codes. */
#define USB_HOST_SUBMIT 1
#define USB_HOST_UNLINK 2
#define USB_HOST_SUBMIT_REPLY 3
#define USB_HOST_UNLINK_REPLY 4
#define USB_HOST_LIST 0x8005
#define USB_HOST_IMPORT 0x8003

struct usb_host {
    int socket;
    uint32_t devid;
    uint32_t seqnum; /* last one used */
};

struct usb_host_reply {
    uint32_t command;
    uint32_t seqnum;
    int32_t status;
    uint32_t length;
    uint8_t data[USB_HOST_DATA_MAX]; /* to the host */
};

static inline void usb_host_put(uint8_t *bytes, uint32_t value)
{
    uint32_t big = htonl(value);
    memcpy(bytes, &big, 4);
}

static inline uint32_t usb_host_get(const uint8_t *bytes)
{
    uint32_t big;
    memcpy(&big, bytes, 4);
    return ntohl(big);
}

static inline int usb_host_connect(uint16_t tcp_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(tcp_port)};
    int yes = 1;
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(descriptor >= 0);
    assert_int_equal(connect(descriptor, (const struct sockaddr *)&address, sizeof address), 0);
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return descriptor;
}

/* As many bytes as wanted; false when the connection was closed before. */
static inline bool usb_host_receive(int descriptor, uint8_t *bytes, size_t count)
{
    while (count > 0) {
        struct pollfd look = {.fd = descriptor, .events = POLLIN};
        assert_int_equal(poll(&look, 1, HOST_PATIENCE_MS), 1);
        ssize_t got = recv(descriptor, bytes, count, 0);
        if (got <= 0) {
            return false;
        }
        bytes += got;
        count -= (size_t)got;
    }
    return true;
}

/* The server closes the connection, and says nothing before. */
static inline void usb_host_expect_end(int descriptor)
{
    uint8_t byte;
    assert_false(usb_host_receive(descriptor, &byte, 1));
}

/* Attaches a device; the status that the server gives. */
static inline uint32_t usb_host_import(struct usb_host *host, uint16_t tcp_port, const char *busid)
{
    uint8_t request[40] = {0x01, 0x11, USB_HOST_IMPORT >> 8, USB_HOST_IMPORT & 0xFF};
    uint8_t reply[8 + 312];
    assert_true(strlen(busid) <= 32);
    for (size_t i = 0; busid[i] != '\0'; i++) {
        request[8 + i] = (uint8_t)busid[i];
    }
    *host = (struct usb_host){.socket = usb_host_connect(tcp_port)};
    host_send(host->socket, request, sizeof request);
    assert_true(usb_host_receive(host->socket, reply, 8));
    assert_memory_equal(reply, ((const uint8_t[]){0x01, 0x11, 0x00, 0x03}), 4);
    uint32_t status = usb_host_get(reply + 4);
    if (status != 0) {
        usb_host_expect_end(host->socket);
        close(host->socket);
        host->socket = -1;
        return status;
    }
    assert_true(usb_host_receive(host->socket, reply + 8, 312));
    assert_string_equal((const char *)reply + 8 + 256, busid);
    host->devid = usb_host_get(reply + 8 + 288) << 16 | usb_host_get(reply + 8 + 292);
    return 0;
}

/* "usbip:127.0.0.1:PORT/BUSID" */
static inline void usb_host_open(struct usb_host *host, const char *place)
{
    unsigned port = 0;
    char busid[32] = "";
    assert_int_equal(sscanf(place, "usbip:127.0.0.1:%5u/%31s", &port, busid), 2);
    assert_int_equal(usb_host_import(host, (uint16_t)port, busid), 0);
}

static inline void usb_host_close(struct usb_host *host)
{
    close(host->socket);
    host->socket = -1;
}

struct usb_host_request {
    uint8_t type, request;
    uint16_t value, index, length;
};

/* The head of a submission; tests may spoil it. */
static inline void usb_host_head(struct usb_host *host, const struct usb_host_request *request,
                                 uint8_t head[48])
{
    const uint8_t setup[8] = {request->type,
                              request->request,
                              (uint8_t)request->value,
                              (uint8_t)(request->value >> 8),
                              (uint8_t)request->index,
                              (uint8_t)(request->index >> 8),
                              (uint8_t)request->length,
                              (uint8_t)(request->length >> 8)};
    memset(head, 0, 48);
    usb_host_put(head, USB_HOST_SUBMIT);
    usb_host_put(head + 4, ++host->seqnum);
    usb_host_put(head + 8, host->devid);
    usb_host_put(head + 12, (request->type & 0x80) != 0 && request->length != 0);
    usb_host_put(head + 24, request->length);
    memcpy(head + 40, setup, 8);
}

/* Returns the seqnum. `data`: for the device, `length` bytes. */
static inline uint32_t usb_host_submit(struct usb_host *host,
                                       const struct usb_host_request *request, const uint8_t *data)
{
    uint8_t bytes[48 + USB_HOST_DATA_MAX];
    size_t count = 48;
    usb_host_head(host, request, bytes);
    if ((request->type & 0x80) == 0) {
        assert_true(request->length <= USB_HOST_DATA_MAX);
        if (data != NULL) {
            memcpy(bytes + 48, data, request->length);
        }
        count += request->length;
    }
    host_send(host->socket, bytes, count);
    return host->seqnum;
}

#define USB_HOST_ZERO_PACKET 0x40 /* include/linux/usb.h: URB_ZERO_PACKET */

/* A transfer on an endpoint beside 0: its address, with bit 7 to the host. `data` go to the device.
 * Returns the seqnum. */
static inline uint32_t usb_host_submit_bulk(struct usb_host *host, uint8_t endpoint,
                                            const uint8_t *data, uint32_t length, uint32_t flags)
{
    uint8_t bytes[48 + USB_HOST_DATA_MAX] = {0};
    bool to_host = (endpoint & 0x80) != 0;
    assert_true(length <= USB_HOST_DATA_MAX);
    usb_host_put(bytes, USB_HOST_SUBMIT);
    usb_host_put(bytes + 4, ++host->seqnum);
    usb_host_put(bytes + 8, host->devid);
    usb_host_put(bytes + 12, to_host);
    usb_host_put(bytes + 16, endpoint & 0x0F);
    usb_host_put(bytes + 20, flags);
    usb_host_put(bytes + 24, length);
    if (!to_host && length != 0) {
        memcpy(bytes + 48, data, length);
    }
    host_send(host->socket, bytes, 48 + (to_host ? 0 : length));
    return host->seqnum;
}

/* Returns the seqnum of the unlinking. */
static inline uint32_t usb_host_unlink(struct usb_host *host, uint32_t seqnum)
{
    uint8_t head[48] = {0};
    usb_host_put(head, USB_HOST_UNLINK);
    usb_host_put(head + 4, ++host->seqnum);
    usb_host_put(head + 8, host->devid);
    usb_host_put(head + 20, seqnum);
    host_send(host->socket, head, sizeof head);
    return host->seqnum;
}

/* The next reply; `to_host`: data come with it. False when the connection is closed. */
static inline bool usb_host_reply(const struct usb_host *host, bool to_host,
                                  struct usb_host_reply *reply)
{
    uint8_t head[48];
    *reply = (struct usb_host_reply){0};
    if (!usb_host_receive(host->socket, head, sizeof head)) {
        return false;
    }
    *reply = (struct usb_host_reply){.command = usb_host_get(head),
                                     .seqnum = usb_host_get(head + 4),
                                     .status = (int32_t)usb_host_get(head + 20)};
    if (reply->command == USB_HOST_SUBMIT_REPLY) {
        reply->length = usb_host_get(head + 24);
        assert_true(reply->length <= sizeof reply->data);
        assert_true(!to_host || usb_host_receive(host->socket, reply->data, reply->length));
    }
    return true;
}

/* Nothing comes for so long. */
static inline void usb_host_expect_silence(const struct usb_host *host, int patience_ms)
{
    struct pollfd look = {.fd = host->socket, .events = POLLIN};
    assert_int_equal(poll(&look, 1, patience_ms), 0);
}

/* A control transfer: how many bytes went or came, or its status. */
static inline int usb_host_control(struct usb_host *host, const struct usb_host_request *request,
                                   uint8_t *data)
{
    struct usb_host_reply reply;
    bool to_host = (request->type & 0x80) != 0;
    uint32_t seqnum = usb_host_submit(host, request, data);
    assert_true(usb_host_reply(host, to_host, &reply));
    assert_int_equal(reply.command, USB_HOST_SUBMIT_REPLY);
    assert_int_equal(reply.seqnum, seqnum);
    if (to_host && reply.length != 0) {
        assert_true(reply.length <= request->length);
        memcpy(data, reply.data, reply.length);
    }
    return reply.status != 0 ? reply.status : (int)reply.length;
}

/* The reply to this transfer is the next one: how many bytes, or its status. */
static inline int usb_host_expect(const struct usb_host *host, uint32_t seqnum, uint8_t *data)
{
    struct usb_host_reply reply;
    assert_true(usb_host_reply(host, data != NULL, &reply));
    assert_int_equal(reply.command, USB_HOST_SUBMIT_REPLY);
    assert_int_equal(reply.seqnum, seqnum);
    if (data != NULL) {
        memcpy(data, reply.data, reply.length);
    }
    return reply.status != 0 ? reply.status : (int)reply.length;
}

static inline int usb_host_bulk_out(struct usb_host *host, uint8_t endpoint, const uint8_t *data,
                                    uint32_t length)
{
    return usb_host_expect(host, usb_host_submit_bulk(host, endpoint, data, length, 0), NULL);
}

static inline int usb_host_bulk_in(struct usb_host *host, uint8_t endpoint, uint8_t *data,
                                   uint32_t room)
{
    return usb_host_expect(host, usb_host_submit_bulk(host, endpoint, NULL, room, 0), data);
}

/* Ends a transfer that is not answered. */
static inline void usb_host_give_up(struct usb_host *host, uint32_t seqnum)
{
    struct usb_host_reply reply;
    uint32_t unlink = usb_host_unlink(host, seqnum);
    assert_true(usb_host_reply(host, false, &reply));
    assert_int_equal(reply.command, USB_HOST_UNLINK_REPLY);
    assert_int_equal(reply.seqnum, unlink);
    assert_int_equal(reply.status, -104); /* -ECONNRESET */
}

/* Resets the device's port. */
static inline void usb_host_reset_bus(struct usb_host *host)
{
    const struct usb_host_request reset = {0x23, 3, 4, 0, 0};
    assert_int_equal(usb_host_control(host, &reset, NULL), 0);
}

#endif
