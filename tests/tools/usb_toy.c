/* Serves devices with the small firmware of tests/usb_fixture.h over USB/IP, until its standard
 * input ends: one for each argument, which is its serial number, "-" for none; "bulk" is the one
 * device with bulk endpoints. Prints "port N", the
 * TCP port; the devices are 1-1, 1-2 and so on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/usb_fixture.h"

/* ---- a device with bulk endpoints, as commands say by their first byte ---- */

#define BULK_IN 0x83
#define BULK_OUT 0x02

enum bulk_command {
    BULK_ECHO = 1,  /* the command is the reply */
    BULK_COUNT,     /* so many counting bytes: low byte, high byte */
    BULK_SILENT,    /* no reply */
    BULK_LATE,      /* the command is the reply, once there was a vendor request */
    BULK_STALL_IN,  /* both halt */
    BULK_STALL_OUT, /* */
    BULK_HANG       /* until a reset */
};

struct bulk_toy {
    uint8_t command[4096];
    size_t count;
    uint8_t reply[4096];
    size_t reply_bytes, sent;
    bool has_reply, held, stall;
    struct usb_port *port;
};

static const uint8_t bulk_interfaces[] = {9, 4,  0, 0,  2, 0xFF, 0,        0, 0,  7, 5, BULK_IN,
                                          2, 64, 0, 10, 7, 5,    BULK_OUT, 2, 64, 0, 10};

static void bulk_start(void *instance, const struct usb_firmware *firmware, struct usb_port *port)
{
    (void)firmware;
    ((struct bulk_toy *)instance)->port = port;
}

static int bulk_setup(void *instance, const struct usb_setup *setup, uint8_t *reply)
{
    ((struct bulk_toy *)instance)->held = false;
    return toy_echo(setup, reply);
}

/* The one frame that the board of these devices does not live through. */
static const uint8_t hang_frame[4] = {BULK_HANG, BULK_HANG, BULK_HANG, BULK_HANG};

static enum isp_mishap transfer(void *context, const uint8_t mosi[4], uint8_t miso[4],
                                int64_t sck_hz, int64_t now_us, int64_t *away_us)
{
    enum isp_mishap mishap = place_transfer(context, mosi, miso, sck_hz, now_us, away_us);

    return memcmp(mosi, hang_frame, sizeof hang_frame) == 0 ? ISP_MISHAP_HANG : mishap;
}

static int bulk_obey(struct bulk_toy *toy)
{
    toy->reply_bytes = toy->count;
    toy->sent = 0;
    memcpy(toy->reply, toy->command, toy->count);
    if (toy->command[0] == BULK_COUNT) {
        toy->reply_bytes = (size_t)(toy->command[1] | toy->command[2] << 8) % sizeof toy->reply;
        for (size_t i = 0; i < toy->reply_bytes; i++)
            toy->reply[i] = (uint8_t)i;
    }
    toy->has_reply = toy->command[0] != BULK_SILENT;
    toy->held = toy->command[0] == BULK_LATE;
    toy->stall = toy->command[0] == BULK_STALL_IN;
    toy->count = 0;
    if (toy->command[0] == BULK_HANG)
        usb_port_transfer(toy->port, hang_frame, (uint8_t[4]){0}, 1000000);
    return toy->command[0] == BULK_STALL_OUT ? USB_STALL : 0;
}

static int bulk_write(void *instance, uint8_t endpoint, const uint8_t *bytes, size_t count)
{
    struct bulk_toy *toy = instance;

    if (endpoint != BULK_OUT)
        return USB_SILENT;
    if (toy->count + count > sizeof toy->command)
        return USB_STALL;
    memcpy(toy->command + toy->count, bytes, count);
    toy->count += count;
    return count < 64 ? bulk_obey(toy) : 0;
}

static int bulk_read(void *instance, uint8_t endpoint, uint8_t *bytes, size_t most)
{
    struct bulk_toy *toy = instance;
    size_t left = toy->reply_bytes - toy->sent, count = left < most ? left : most;

    if (endpoint == BULK_IN && toy->stall) {
        toy->stall = toy->has_reply = false;
        return USB_STALL;
    }
    if (endpoint != BULK_IN || !toy->has_reply || toy->held)
        return USB_SILENT;
    memcpy(bytes, toy->reply + toy->sent, count);
    toy->sent += count;
    toy->has_reply = count == most; /* a short one, or an empty one, ends it */
    return (int)count;
}

static const struct usb_firmware bulk_firmware = {
    .name = "bulk-toy",
    .programmer = "none",
    .identity = {.vendor = 0x16C0,
                 .product = 0x05DC,
                 .release = 0x0200,
                 .product_name = "Bulk",
                 .serial = "bulk",
                 .device_class = 0xFF},
    .instance_bytes = sizeof(struct bulk_toy),
    .start = bulk_start,
    .setup = bulk_setup,
    .full_speed = true,
    .interfaces = bulk_interfaces,
    .interfaces_bytes = sizeof bulk_interfaces,
    .interface_count = 1,
    .bulk_write = bulk_write,
    .bulk_read = bulk_read,
};

/* ---- serving ---- */

struct toy_site {
    struct usb_firmware firmware;
    struct isp_port isp;
    struct usb_place place;
};

static void *run(void *context)
{
    usb_port_run(((const struct toy_site *)context)->place.port);
    return NULL;
}

static int start(struct toy_site *site, int number, const char *serial, int stop,
                 struct failure *failure)
{
    site->firmware = strcmp(serial, "bulk") == 0 ? bulk_firmware : toy_firmware;
    if (strcmp(serial, "-") != 0)
        site->firmware.identity.serial = serial;
    site->isp = (struct isp_port){
        .drive_reset = place_drive_reset, .transfer = transfer, .context = &site->place};
    const struct usb_port_options options = {.firmware = &site->firmware,
                                             .isp = &site->isp,
                                             .number = number,
                                             .stop_descriptor = stop,
                                             .to_programmer = place_to,
                                             .from_programmer = place_from,
                                             .context = &site->place};

    if (usb_port_create(&options, &site->place.port, failure) != 0)
        return -1;
    return pthread_create(&site->place.thread, NULL, run, site) == 0
               ? 0
               : failure_set(failure, FAILURE_BENCH, "no thread");
}

int main(int argc, char **argv)
{
    static struct toy_site sites[USB_PORTS_MAX];
    struct usb_port *ports[USB_PORTS_MAX];
    struct usbip_server *server = NULL;
    struct failure failure = {0};
    size_t count = (size_t)argc - 1;
    int stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), result = 0;

    if (count < 1 || count > USB_PORTS_MAX || stop < 0)
        return 2;
    for (size_t i = 0; i < count && result == 0; i++) {
        result = start(&sites[i], (int)i + 1, argv[i + 1], stop, &failure);
        ports[i] = sites[i].place.port;
    }
    const struct usbip_server_options options = {.ports = ports, .port_count = count};
    if (result != 0 || usbip_server_start(&options, &server, &failure) != 0) {
        fprintf(stderr, "usb_toy: %s\n", failure.detail);
        return 1;
    }
    printf("port %u\n", usbip_server_tcp_port(server));
    fflush(stdout);
    while (getchar() != EOF)
        continue;
    usbip_server_stop(server);
    eventfd_write(stop, 1);
    for (size_t i = 0; i < count; i++) {
        pthread_join(sites[i].place.thread, NULL);
        usb_port_free(sites[i].place.port);
    }
    close(stop);
    return 0;
}
