/* A USB/IP server that does as it is told, wrong things above all: a thread on loopback that plays
 * one device. It knows nothing of jigs/usbip_wire.c; offsets are those of the kernel's
 * Documentation/usb/usbip_protocol.rst. */
#ifndef TESTS_USBIP_SCRIPT_H
#define TESTS_USBIP_SCRIPT_H

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "jigs/place.h"

#define SCRIPT_BUS_ID "1-1.4"
#define SCRIPT_REQUESTS_MAX 32

enum script_import {
    IMPORT_GOOD,
    IMPORT_STATUS, /* with import_status */
    IMPORT_OTHER_VERSION,
    IMPORT_OTHER_DEVICE,
    IMPORT_SILENT,
    IMPORT_HALF, /* of the device, then the end */
};

/* What happens to a vendor request. */
enum script_act {
    ACT_ANSWER,  /* with `bytes` bytes of counting data, or as many as are asked for */
    ACT_STATUS,  /* with `status` and no data */
    ACT_TRICKLE, /* like ACT_ANSWER, byte by byte */
    /* Answered when `bytes` others have come, with them; sets `cancel` before, where there is one.
     */
    ACT_HOLD,
    ACT_SILENT,
    ACT_DEAF, /* no answer to the unlink either */
    /* Answered when the unlink has come, which then finds nothing; with `status` 2 twice. */
    ACT_LATE,
    ACT_LENGTH,       /* says that `status` bytes come */
    ACT_OTHER_NUMBER, /* answers one that is not under way */
    ACT_OTHER_COMMAND,
    ACT_UNASKED_UNLINK,
    ACT_TWICE,
    ACT_CUT, /* half of the answer, then the end */
    ACT_END
};

struct script_step {
    enum script_act act;
    int32_t status;
    uint16_t bytes;
};

struct script_request {
    uint8_t setup[8];
    uint8_t data[4096];
    uint32_t number;
    uint16_t length;
    uint8_t endpoint; /* with the direction */
};

struct script_server;
/* What is no vendor request, nor the device descriptor, nor a text. False: the connection ends. */
typedef bool script_other(struct script_server *server, int client,
                          const struct script_request *request);

struct script_server {
    /* set before the start */
    enum script_import import;
    uint32_t import_status;
    const struct script_step *steps; /* of the vendor requests, in order; after them ACT_ANSWER */
    size_t step_count;
    int text_status;    /* of string descriptors: 0 or a negative errno */
    int device_bytes;   /* of the device descriptor; 0: 18 */
    const char *serial; /* NULL: none */
    atomic_bool *cancel;
    script_other *other; /* NULL: nothing is */
    void (*taken_back)(struct script_server *server, int client, uint32_t number); /* may be NULL */
    void *context;                                                                 /* theirs */
    /* to be looked at after the end */
    struct script_request requests[SCRIPT_REQUESTS_MAX]; /* vendor requests */
    size_t request_count;
    size_t unlink_count;
    uint32_t unlinked[2]; /* numbers of the first ones */
    size_t standard_count;
    size_t sessions;
    char failed[100]; /* what the client did wrong; "" */
    /* the server's own */
    struct place place;
    int listener;
    pthread_t thread;
    uint32_t held;      /* number of the request that waits for others; 0: none */
    size_t held_wanted; /* so many requests there are then */
    uint32_t silent[4];
    bool deaf;
    uint32_t late;
    int late_answers;
};

static void script_put(uint8_t *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t script_get(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static bool script_read(int client, void *bytes, size_t count)
{
    return count == 0 || recv(client, bytes, count, MSG_WAITALL) == (ssize_t)count;
}

static void script_write(int client, const void *bytes, size_t count)
{
    (void)!send(client, bytes, count, MSG_NOSIGNAL);
}

static void script_blame(struct script_server *server, const char *what)
{
    if (server->failed[0] == '\0')
        snprintf(server->failed, sizeof server->failed, "%s", what);
}

/* RET_SUBMIT; data NULL: counting */
static void script_answer(int client, const struct script_request *request, int32_t status,
                          const uint8_t *data, uint32_t count, bool trickle)
{
    uint8_t message[48 + 4096] = {0};
    bool to_host = ((request->endpoint | request->setup[0]) & 0x80) != 0;
    size_t length = 48 + (to_host ? count : 0);

    script_put(message, 3);
    script_put(message + 4, request->number);
    script_put(message + 20, (uint32_t)status);
    script_put(message + 24, count);
    for (uint32_t i = 0; i < count && to_host; i++)
        message[48 + i] = data != NULL ? data[i] : (uint8_t)(i + request->setup[1]);
    if (!trickle) {
        script_write(client, message, length);
        return;
    }
    for (size_t i = 0; i < length; i++) {
        script_write(client, message + i, 1);
        usleep(200);
    }
}

static void script_answer_unlink(int client, uint32_t number, int32_t status)
{
    uint8_t message[48] = {0};

    script_put(message, 4);
    script_put(message + 4, number);
    script_put(message + 20, (uint32_t)status);
    script_write(client, message, sizeof message);
}

static uint32_t script_string(const char *text, uint8_t *bytes)
{
    size_t length = strlen(text);

    bytes[0] = (uint8_t)(2 + 2 * length);
    bytes[1] = 3;
    for (size_t i = 0; i < length; i++) {
        bytes[2 + 2 * i] = (uint8_t)text[i];
        bytes[3 + 2 * i] = 0;
    }
    return bytes[0];
}

/* GET_DESCRIPTOR of a stock USBasp */
static void script_descriptor(struct script_server *server, int client,
                              const struct script_request *request)
{
    uint8_t device[18] = {18, 1, 0x10, 1, 0xFF, 0, 0, 8, 0xC0, 0x16, 0xDC, 5, 4, 1, 1, 2, 3, 1};
    const char *texts[] = {NULL, "www.fischl.de", "USBasp", server->serial};
    uint8_t bytes[256] = {4, 3, 9, 4};
    uint32_t count = 4;

    server->standard_count++;
    if (request->setup[3] == 1) {
        device[16] = server->serial != NULL ? 3 : 0;
        count = server->device_bytes != 0 ? (uint32_t)server->device_bytes : sizeof device;
        script_answer(client, request, 0, device, count, false);
        return;
    }
    if (server->text_status != 0 || request->setup[2] > 3) {
        script_answer(client, request, server->text_status, NULL, 0, false);
        return;
    }
    if (request->setup[2] > 0) {
        if (request->setup[4] != 9 || request->setup[5] != 4)
            script_blame(server, "a text in another language");
        count = script_string(texts[request->setup[2]], bytes);
    }
    script_answer(client, request, 0, bytes, count < request->length ? count : request->length,
                  false);
}

static void script_release(struct script_server *server, int client)
{
    if (server->request_count < server->held_wanted)
        return;
    if (server->cancel != NULL)
        atomic_store(server->cancel, true);
    for (size_t i = 0; i < server->request_count; i++)
        if (server->requests[i].number >= server->held)
            script_answer(client, &server->requests[i], 0, NULL, server->requests[i].length, false);
    server->held = 0;
}

/* False: the connection ends. */
static bool script_act(struct script_server *server, int client,
                       const struct script_request *request, const struct script_step *step)
{
    struct script_request other = *request;
    uint32_t count = step->bytes != 0 ? step->bytes : request->length;
    uint8_t message[48] = {0};

    if (server->held != 0) {
        script_release(server, client);
        return true;
    }
    switch (step->act) {
    case ACT_ANSWER:
    case ACT_TRICKLE:
        script_answer(client, request, 0, NULL, count, step->act == ACT_TRICKLE);
        break;
    case ACT_STATUS:
        script_answer(client, request, step->status, NULL, 0, false);
        break;
    case ACT_HOLD:
        server->held = request->number;
        server->held_wanted = server->request_count + step->bytes;
        break;
    case ACT_DEAF:
        server->deaf = true;
        break;
    case ACT_SILENT:
        break;
    case ACT_LATE:
        server->late = request->number;
        server->late_answers = step->status == 2 ? 2 : 1;
        break;
    case ACT_LENGTH:
        script_put(message, 3);
        script_put(message + 4, request->number);
        script_put(message + 24, (uint32_t)step->status);
        script_write(client, message, sizeof message);
        break;
    case ACT_OTHER_NUMBER:
        other.number += 1000;
        script_answer(client, &other, 0, NULL, count, false);
        break;
    case ACT_OTHER_COMMAND:
        script_put(message, 7);
        script_put(message + 4, request->number);
        script_write(client, message, sizeof message);
        break;
    case ACT_UNASKED_UNLINK:
        script_answer_unlink(client, request->number + 1, 0);
        break;
    case ACT_TWICE:
        script_answer(client, request, 0, NULL, count, false);
        script_answer(client, request, 0, NULL, count, false);
        break;
    case ACT_CUT:
        script_put(message, 3);
        script_put(message + 4, request->number);
        script_put(message + 24, count);
        script_write(client, message, sizeof message);
        script_write(client, "x", 1);
        return false;
    case ACT_END:
        return false;
    }
    return true;
}

static bool script_submit(struct script_server *server, int client, const uint8_t message[48])
{
    static const struct script_step answer = {.act = ACT_ANSWER};
    struct script_request request = {.number = script_get(message + 4),
                                     .length = (uint16_t)script_get(message + 24)};
    bool to_host = script_get(message + 12) == 1;

    memcpy(request.setup, message + 40, 8);
    request.endpoint = (uint8_t)script_get(message + 16);
    if (request.endpoint != 0 && to_host)
        request.endpoint |= 0x80;
    if (script_get(message + 8) != (1u << 16 | 7) || script_get(message + 16) > 15 ||
        (request.endpoint != 0 && server->other == NULL))
        script_blame(server, "another device or endpoint");
    if (request.endpoint == 0 && (request.length != (request.setup[6] | request.setup[7] << 8) ||
                                  to_host != ((request.setup[0] & 0x80) != 0)))
        script_blame(server, "length or direction beside the setup packet's");
    if (request.number == 0)
        script_blame(server, "number 0");
    if (!to_host && !script_read(client, request.data, request.length))
        return false;
    if (server->other != NULL && (request.endpoint != 0 || (request.setup[0] & 0x60) != 0x40) &&
        !(request.setup[0] == 0x80 && (request.setup[3] == 1 || request.setup[3] == 3)))
        return server->other(server, client, &request);
    if (request.setup[0] == 0x80) {
        script_descriptor(server, client, &request);
        return true;
    }
    if (server->request_count == SCRIPT_REQUESTS_MAX)
        return false;
    size_t index = server->request_count++;
    server->requests[index] = request;
    return script_act(server, client, &request,
                      index < server->step_count ? &server->steps[index] : &answer);
}

static void script_unlink(struct script_server *server, int client, const uint8_t message[48])
{
    uint32_t number = script_get(message + 4), victim = script_get(message + 20);

    if (server->unlink_count < 2)
        server->unlinked[server->unlink_count] = victim;
    server->unlink_count++;
    if (server->deaf)
        return;
    if (server->late == victim) {
        for (size_t i = 0; i < server->request_count; i++)
            for (int j = 0; j < server->late_answers && server->requests[i].number == victim; j++)
                script_answer(client, &server->requests[i], 0, NULL, server->requests[i].length,
                              false);
        server->late = 0;
        script_answer_unlink(client, number, 0);
        return;
    }
    script_answer_unlink(client, number, -ECONNRESET);
    if (server->taken_back != NULL)
        server->taken_back(server, client, victim);
}

static bool script_give_device(struct script_server *server, int client)
{
    uint8_t request[40], reply[8 + 312] = {1, 0x11, 0, 3};

    if (!script_read(client, request, sizeof request))
        return false;
    if (memcmp(request, "\x01\x11\x80\x03\0\0\0\0" SCRIPT_BUS_ID "\0", 14) != 0)
        script_blame(server, "another import request");
    if (server->import == IMPORT_SILENT) {
        uint8_t byte;

        (void)script_read(client, &byte, 1); /* until the client is gone */
        return false;
    }
    if (server->import == IMPORT_OTHER_VERSION)
        reply[1] = 0x06;
    if (server->import == IMPORT_STATUS)
        script_put(reply + 4, server->import_status);
    memcpy(reply + 8 + 256, server->import == IMPORT_OTHER_DEVICE ? "1-1.5" : SCRIPT_BUS_ID, 6);
    script_put(reply + 8 + 288, 1);
    script_put(reply + 8 + 292, 7);
    if (server->import == IMPORT_STATUS || server->import == IMPORT_HALF) {
        script_write(client, reply, server->import == IMPORT_HALF ? 100 : 8);
        return false;
    }
    script_write(client, reply, sizeof reply);
    return true;
}

static void script_serve(struct script_server *server, int client)
{
    uint8_t message[48];

    server->sessions++;
    server->held = server->late = 0;
    server->deaf = false;
    if (!script_give_device(server, client))
        return;
    while (script_read(client, message, sizeof message)) {
        if (script_get(message) == 1) {
            if (!script_submit(server, client, message))
                return;
        } else if (script_get(message) == 2) {
            script_unlink(server, client, message);
        } else {
            script_blame(server, "an unknown command");
        }
    }
}

static void *script_run(void *context)
{
    struct script_server *server = context;
    int client;

    while ((client = accept(server->listener, NULL, NULL)) >= 0) {
        script_serve(server, client);
        close(client);
    }
    return NULL;
}

static bool script_start(struct script_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;

    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server->listener < 0 ||
        bind(server->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(server->listener, 4) != 0 ||
        getsockname(server->listener, (struct sockaddr *)&address, &size) != 0)
        return false;
    server->place = (struct place){.kind = PLACE_USBIP,
                                   .path = "127.0.0.1",
                                   .port = ntohs(address.sin_port),
                                   .bus_id = SCRIPT_BUS_ID};
    return pthread_create(&server->thread, NULL, script_run, server) == 0;
}

static void script_stop(struct script_server *server)
{
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
}

#endif
