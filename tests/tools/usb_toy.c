/* Serves devices with the small firmware of tests/usb_fixture.h over USB/IP, until its standard
 * input ends: one for each argument, which is its serial number, "-" for none. Prints "port N", the
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
    site->firmware = toy_firmware;
    if (strcmp(serial, "-") != 0)
        site->firmware.identity.serial = serial;
    site->isp = (struct isp_port){
        .drive_reset = place_drive_reset, .transfer = place_transfer, .context = &site->place};
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
