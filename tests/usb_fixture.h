/* USB ports with a small firmware that does as its requests say, and no board behind it but a
 * record of frames, for tests of the port and of the server. */
#ifndef TESTS_USB_FIXTURE_H
#define TESTS_USB_FIXTURE_H

#include "tests/usb_host.h"

#include <pthread.h>
#include <sys/eventfd.h>

#include "jigs/simbench/usbip_server.h"

#define USB_PORTS_MAX 60

enum toy_request {
    TOY_ECHO = 1, /* the setup packet */
    TOY_COUNT,    /* bytes 0, 1, 2… as many as wanted, at most `index` if given; busy for `value`
                     microseconds before each packet */
    TOY_STORE,    /* takes all data, busy for `value` microseconds after each packet */
    TOY_STORED,   /* what it took, with a byte for the size of each packet before it */
    TOY_STALL,
    TOY_SILENT,
    TOY_WANT_MORE, /* takes data and is never content */
    TOY_FRAME,     /* shifts value and index into the board */
    TOY_STATE,     /* the byte kept: 0 after a start */
    TOY_KEEP,      /* `value` as state */
    TOY_IGNORE,    /* takes no notice of data */
    TOY_STALL_DATA /* stalls at the second packet */
};

struct toy {
    struct usb_port *port;
    struct usb_setup setup;
    uint8_t state;
    uint8_t next;
    size_t count;
    uint8_t packets[USB_HOST_DATA_MAX];
    size_t packet_count;
    uint8_t stored[USB_HOST_DATA_MAX];
    size_t stored_count;
};

static inline void toy_start(void *instance, const struct usb_firmware *firmware,
                             struct usb_port *port)
{
    struct toy *toy = instance;
    (void)firmware;
    toy->port = port;
}

static inline int toy_echo(const struct usb_setup *setup, uint8_t *reply)
{
    const uint8_t bytes[] = {setup->request_type,    setup->request,
                             (uint8_t)setup->value,  (uint8_t)(setup->value >> 8),
                             (uint8_t)setup->index,  (uint8_t)(setup->index >> 8),
                             (uint8_t)setup->length, (uint8_t)(setup->length >> 8)};
    memcpy(reply, bytes, sizeof bytes);
    return 8;
}

static inline int toy_frame(struct toy *toy, uint8_t *reply)
{
    const struct usb_setup *setup = &toy->setup;
    const uint8_t mosi[4] = {(uint8_t)setup->value, (uint8_t)(setup->value >> 8),
                             (uint8_t)setup->index, (uint8_t)(setup->index >> 8)};
    return usb_port_transfer(toy->port, mosi, reply, 1000000) ? 4 : 0;
}

static inline int toy_setup(void *instance, const struct usb_setup *setup, uint8_t *reply)
{
    struct toy *toy = instance;
    toy->setup = *setup;
    toy->next = 0;
    toy->count = 0;
    switch (setup->request) {
    case TOY_ECHO:
        return toy_echo(setup, reply);
    case TOY_STORE:
    case TOY_WANT_MORE:
    case TOY_STALL_DATA:
        toy->packet_count = toy->stored_count = 0;
        return USB_STREAM;
    case TOY_COUNT:
    case TOY_STORED:
        return USB_STREAM;
    case TOY_STALL:
        return USB_STALL;
    case TOY_SILENT:
        return USB_SILENT;
    case TOY_FRAME:
        return toy_frame(toy, reply);
    case TOY_STATE:
        reply[0] = toy->state;
        return 1;
    case TOY_KEEP:
        toy->state = (uint8_t)setup->value;
        return 0;
    default:
        return 0;
    }
}

static inline int toy_write(void *instance, const uint8_t *bytes, size_t count)
{
    struct toy *toy = instance;
    toy->packets[toy->packet_count++] = (uint8_t)count;
    memcpy(toy->stored + toy->stored_count, bytes, count);
    toy->stored_count += count;
    if (toy->setup.request == TOY_STALL_DATA) {
        return toy->packet_count == 2 ? USB_STALL : 0;
    }
    usb_port_spend(toy->port, toy->setup.value);
    return toy->setup.request == TOY_STORE && toy->stored_count >= toy->setup.length;
}

static inline uint8_t toy_stored_byte(const struct toy *toy, size_t index)
{
    return index < toy->packet_count ? toy->packets[index] : toy->stored[index - toy->packet_count];
}

static inline int toy_read(void *instance, uint8_t *bytes, size_t count)
{
    struct toy *toy = instance;
    size_t limit = toy->setup.request == TOY_STORED ? toy->packet_count + toy->stored_count
                   : toy->setup.index != 0          ? toy->setup.index
                                                    : SIZE_MAX;
    size_t left = limit - toy->count;
    count = left < count ? left : count;
    for (size_t i = 0; i < count; i++) {
        bytes[i] = toy->setup.request == TOY_STORED ? toy_stored_byte(toy, toy->count + i)
                                                    : (uint8_t)(toy->count + i);
    }
    toy->count += count;
    if (toy->setup.request == TOY_COUNT) {
        usb_port_spend(toy->port, toy->setup.value);
    }
    return (int)count;
}

static const struct usb_firmware toy_firmware = {
    .name = "toy",
    .programmer = "none",
    .identity = {.vendor = 0x16C0,
                 .product = 0x05DC,
                 .release = 0x0104,
                 .manufacturer = "www.fischl.de",
                 .product_name = "USBasp",
                 .device_class = 0xFF},
    .instance_bytes = sizeof(struct toy),
    .start = toy_start,
    .setup = toy_setup,
    .write = toy_write,
    .read = toy_read,
};

/* --- the board and the cable --- */

struct usb_bench;

/* What happens on one port. Set between transfers, by the test. */
struct usb_place {
    struct usb_bench *bench;
    struct usb_port *port;
    pthread_t thread;
    enum isp_mishap mishap; /* of the next frame */
    int64_t away_us;
    uint8_t frame[4]; /* the last one */
    int frames;
    bool reset_low;
    uint8_t flip; /* bits of the next data packet's first byte */
    size_t lose;  /* bytes of the next data packet */
    bool twice;
    int64_t late_us;
};

struct usb_bench {
    int stop;
    struct usbip_server *server;
    uint16_t tcp_port;
    size_t count;
    struct usb_place places[USB_PORTS_MAX];
};

static inline void place_drive_reset(void *context, bool low)
{
    ((struct usb_place *)context)->reset_low = low;
}

static inline enum isp_mishap place_transfer(void *context, const uint8_t mosi[4], uint8_t miso[4],
                                             int64_t sck_hz, int64_t now_us, int64_t *away_us)
{
    struct usb_place *place = context;
    (void)now_us;
    assert_int_equal(sck_hz, 1000000);
    enum isp_mishap mishap = place->mishap;
    place->mishap = ISP_MISHAP_NONE;
    *away_us = place->away_us;
    memcpy(place->frame, mosi, 4);
    place->frames++;
    for (int i = 0; i < 4; i++) {
        miso[i] = (uint8_t)~mosi[i];
    }
    return mishap;
}

static inline size_t place_to(void *context, uint8_t *bytes, size_t count, bool *twice)
{
    struct usb_place *place = context;
    bytes[0] ^= place->flip;
    place->flip = 0;
    *twice = place->twice;
    size_t left = count - place->lose;
    place->twice = false;
    place->lose = 0;
    return left;
}

static inline size_t place_from(void *context, uint8_t *bytes, size_t count, int64_t *late_us)
{
    struct usb_place *place = context;
    bytes[0] ^= place->flip;
    place->flip = 0;
    *late_us = place->late_us;
    size_t left = count - place->lose;
    place->late_us = 0;
    place->lose = 0;
    return left;
}

static inline void *place_run(void *context)
{
    usb_port_run(((const struct usb_place *)context)->port);
    return NULL;
}

static inline void place_start(struct usb_bench *bench, struct usb_place *place, int number,
                               const struct usb_firmware *firmware, bool real_pace)
{
    struct failure failure = {0};
    static const struct isp_port lines = {.drive_reset = place_drive_reset,
                                          .transfer = place_transfer};
    /* The lines' context differs, so each place has its own. */
    static struct isp_port each[USB_PORTS_MAX];
    each[number - 1] = lines;
    each[number - 1].context = place;
    const struct usb_port_options options = {
        .firmware = firmware,
        .isp = &each[number - 1],
        .number = number,
        .real_pace = real_pace,
        .stop_descriptor = bench->stop,
        .to_programmer = place_to,
        .from_programmer = place_from,
        .context = place,
    };
    place->bench = bench;
    place->reset_low = true;
    assert_int_equal(usb_port_create(&options, &place->port, &failure), 0);
    assert_int_equal(pthread_create(&place->thread, NULL, place_run, place), 0);
}

/* Ports 1-1 to 1-`count`, and a server for them. */
static inline void usb_bench_start_with(struct usb_bench *bench, size_t count,
                                        const struct usb_firmware *firmware, bool real_pace)
{
    struct failure failure = {0};
    struct usb_port *ports[USB_PORTS_MAX];
    memset(bench, 0, sizeof *bench);
    bench->count = count;
    bench->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    for (size_t i = 0; i < count; i++) {
        place_start(bench, &bench->places[i], (int)i + 1, firmware, real_pace);
        ports[i] = bench->places[i].port;
    }
    const struct usbip_server_options options = {.ports = ports, .port_count = count};
    assert_int_equal(usbip_server_start(&options, &bench->server, &failure), 0);
    bench->tcp_port = usbip_server_tcp_port(bench->server);
}

static inline void usb_bench_start(struct usb_bench *bench, size_t count, bool real_pace)
{
    usb_bench_start_with(bench, count, &toy_firmware, real_pace);
}

static inline void usb_bench_stop(struct usb_bench *bench)
{
    usbip_server_stop(bench->server);
    eventfd_write(bench->stop, 1);
    for (size_t i = 0; i < bench->count; i++) {
        pthread_join(bench->places[i].thread, NULL);
        usb_port_free(bench->places[i].port);
    }
    close(bench->stop);
}

/* Attaches a port; it must be free. */
static inline void usb_bench_attach(const struct usb_bench *bench, int number,
                                    struct usb_host *host)
{
    char busid[32];
    snprintf(busid, sizeof busid, "1-%d", number);
    assert_int_equal(usb_host_import(host, bench->tcp_port, busid), 0);
}

/* Requests of the toy. */
static inline int toy_in(struct usb_host *host, uint8_t request, uint16_t value, uint16_t index,
                         uint8_t *data, uint16_t length)
{
    return usb_host_control(
        host, &(const struct usb_host_request){0xC0, request, value, index, length}, data);
}

static inline int toy_out(struct usb_host *host, uint8_t request, uint16_t value, uint8_t *data,
                          uint16_t length)
{
    return usb_host_control(host, &(const struct usb_host_request){0x40, request, value, 0, length},
                            data);
}

static inline uint8_t toy_state(struct usb_host *host)
{
    uint8_t state = 0xEE;
    assert_int_equal(toy_in(host, TOY_STATE, 0, 0, &state, 1), 1);
    return state;
}

#endif
