/* A USB port for tests of firmware models: in memory, with the part that hangs on it and a clock
 * that only the firmware's own work moves. Included by one file of a program, which then has no
 * other port. Include cmocka before. */
#ifndef TESTS_FAKE_USB_PORT_H
#define TESTS_FAKE_USB_PORT_H

#include <stdlib.h>
#include <string.h>

#include "jigs/simbench/avr_target.h"
#include "jigs/simbench/usb_firmware.h"
#include "jigs/simbench/usb_port.h"

#define FAKE_FRAMES 4096

struct usb_port {
    struct part *part;
    struct avr_target *target; /* NULL: none */
    int64_t now_us;
    int64_t below_us; /* nanoseconds that make no whole one yet */
    int64_t sck_hz;   /* of the last frame */
    bool reset_low;
    int reset_falls;
    int frame_count;
    uint8_t frames[FAKE_FRAMES][4]; /* the first ones since frame_count was set to 0 */
    int64_t supply_mv;
    int frames_to_mishap; /* the one that does not end, from 1; -1: none */
};

/* A programmer in the test's hands. */
struct fake_device {
    const struct usb_firmware *firmware;
    void *instance;
    struct usb_port port;
};

void usb_port_spend(struct usb_port *port, int64_t us)
{
    assert_int_not_equal(port->frames_to_mishap, 0); /* nothing after a mishap */
    port->now_us += us;
}

void usb_port_spend_ns(struct usb_port *port, int64_t ns)
{
    port->below_us += ns;
    usb_port_spend(port, port->below_us / 1000);
    port->below_us %= 1000;
}

int64_t usb_port_now_us(const struct usb_port *port)
{
    return port->now_us;
}

void usb_port_reset_line(struct usb_port *port, bool low)
{
    port->reset_falls += low && !port->reset_low;
    port->reset_low = low;
    if (port->target != NULL) {
        avr_target_drive_reset(port->target, low);
    }
}

void usb_port_let_go(struct usb_port *port)
{
    usb_port_reset_line(port, false);
}

int64_t usb_port_supply_mv(const struct usb_port *port)
{
    return port->supply_mv;
}

bool usb_port_transfer(struct usb_port *port, const uint8_t mosi[4], uint8_t miso[4],
                       int64_t sck_hz)
{
    if (port->frames_to_mishap > 0) {
        port->frames_to_mishap--;
    }
    if (port->frames_to_mishap == 0) {
        return false;
    }
    port->sck_hz = sck_hz;
    if (port->frame_count < FAKE_FRAMES) {
        memcpy(port->frames[port->frame_count], mosi, 4);
    }
    port->frame_count++;
    for (int i = 0; i < 4; i++) {
        miso[i] = port->target == NULL
                      ? 0xFF
                      : avr_target_transfer(port->target, mosi[i], sck_hz, port->now_us);
    }
    return true;
}

/* Plugs the model in again: it starts, the part keeps what it has. */
static inline void fake_device_start(struct fake_device *device)
{
    void *kept = device->instance;
    device->instance = calloc(1, device->firmware->instance_bytes);
    assert_non_null(device->instance);
    if (kept != NULL) {
        memcpy(device->instance, kept, device->firmware->kept_bytes);
        free(kept);
    }
    device->firmware->start(device->instance, device->firmware, &device->port);
}

/* `part` NULL: there is none. */
static inline void fake_device_open(struct fake_device *device, const struct usb_firmware *models,
                                    size_t model_count, const char *name, const char *part,
                                    int64_t crystal_hz)
{
    struct failure failure = {0};
    memset(device, 0, sizeof *device);
    device->port.now_us = 1000000;
    device->port.frames_to_mishap = -1;
    for (size_t i = 0; i < model_count; i++) {
        device->firmware = strcmp(models[i].name, name) == 0 ? &models[i] : device->firmware;
    }
    assert_non_null(device->firmware);
    if (part != NULL) {
        if (part_load(TEST_SOURCE_DIR "/profiles/parts", part, &device->port.part, &failure) != 0) {
            fail_msg("%s", failure.detail);
        }
        device->port.target = avr_target_create(device->port.part, crystal_hz, true);
        assert_non_null(device->port.target);
    }
    fake_device_start(device);
}

static inline void fake_device_close(struct fake_device *device)
{
    avr_target_free(device->port.target);
    part_free(device->port.part);
    free(device->instance);
}

/* A transfer to the host: bytes received, or the answer that ended it. */
static inline int fake_device_in(struct fake_device *device, uint8_t request, uint16_t value,
                                 uint16_t index, uint8_t *data, uint16_t length)
{
    const struct usb_setup setup = {0xC0, request, value, index, length};
    uint8_t reply[USB_PACKET_BYTES];
    int count = device->firmware->setup(device->instance, &setup, reply);
    if (count != USB_STREAM) {
        assert_true(count <= length);
        memcpy(data, reply, count > 0 ? (size_t)count : 0);
        return count;
    }
    int received = 0;
    do {
        size_t wanted = (size_t)(length - received);
        wanted = wanted < USB_PACKET_BYTES ? wanted : USB_PACKET_BYTES;
        count = device->firmware->read(device->instance, data + received, wanted);
        assert_true(count <= (int)wanted);
        received += count > 0 ? count : 0;
    } while (count == USB_PACKET_BYTES && received < length);
    return count < 0 ? count : received;
}

/* A transfer from the host that announces `length` bytes: 0 when it ended well, or the answer that
 * ended it. `repeated` is a packet that goes out twice, `lost` one that does not; -1: none. */
static inline int fake_device_out_badly(struct fake_device *device, uint8_t request, uint16_t value,
                                        uint16_t index, const uint8_t *data, uint16_t length,
                                        int repeated, int lost)
{
    const struct usb_setup setup = {0x40, request, value, index, length};
    uint8_t reply[USB_PACKET_BYTES];
    int answer = device->firmware->setup(device->instance, &setup, reply);
    if (answer != USB_STREAM) {
        return answer;
    }
    for (int sent = 0; sent < length; sent += USB_PACKET_BYTES) {
        int packet = sent / USB_PACKET_BYTES;
        size_t count = (size_t)(length - sent);
        count = count < USB_PACKET_BYTES ? count : USB_PACKET_BYTES;
        for (int times = packet == lost ? 0 : packet == repeated ? 2 : 1; times > 0; times--) {
            answer = device->firmware->write(device->instance, data + sent, count);
        }
        if (answer < 0 && answer != USB_STREAM) {
            return answer;
        }
    }
    return answer == 1 ? 0 : USB_SILENT;
}

static inline int fake_device_out(struct fake_device *device, uint8_t request, uint16_t value,
                                  uint16_t index, const uint8_t *data, uint16_t length)
{
    return fake_device_out_badly(device, request, value, index, data, length, -1, -1);
}

/* A command to a bulk endpoint, in packets of 64 bytes, without an empty one at its end: 0, or the
 * answer that ended it. */
static inline int fake_device_send(struct fake_device *device, uint8_t endpoint,
                                   const uint8_t *bytes, size_t count)
{
    size_t sent = 0;
    int answer;
    do {
        size_t left = count - sent;
        size_t packet = left < USB_BULK_PACKET_BYTES ? left : USB_BULK_PACKET_BYTES;
        answer = device->firmware->bulk_write(device->instance, endpoint, bytes + sent, packet);
        sent += packet;
    } while (answer == 0 && sent < count);
    return answer;
}

/* A reply from a bulk endpoint, which ends with a short packet or where the room ends, a multiple
 * of 64: bytes received, or the answer that ended it. */
static inline int fake_device_receive(struct fake_device *device, uint8_t endpoint, uint8_t *bytes,
                                      size_t room)
{
    size_t received = 0;
    int count;
    assert_int_equal(room % USB_BULK_PACKET_BYTES, 0);
    do {
        count = device->firmware->bulk_read(device->instance, endpoint, bytes + received,
                                            USB_BULK_PACKET_BYTES);
        assert_true(count <= USB_BULK_PACKET_BYTES);
        received += count > 0 ? (size_t)count : 0;
    } while (count == USB_BULK_PACKET_BYTES && received < room);
    return count < 0 ? count : (int)received;
}

static inline const uint8_t *fake_device_memory(const struct fake_device *device,
                                                enum part_memory memory)
{
    return avr_target_memory(device->port.target, memory, NULL);
}

/* How many frames with this first byte went out since frame_count was set to 0. */
static inline int fake_device_sent(const struct fake_device *device, uint8_t first)
{
    int count = 0;
    assert_true(device->port.frame_count <= FAKE_FRAMES);
    for (int i = 0; i < device->port.frame_count; i++) {
        count += device->port.frames[i][0] == first;
    }
    return count;
}

#endif
