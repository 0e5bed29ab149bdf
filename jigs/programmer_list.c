#include "jigs/programmer_list.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jigs/serial_path.h"
#include "jigs/serial_usb.h"
#include "jigs/usb_sysfs.h"

/* ---- USB devices ---- */

static bool is_id_of(const struct programmer_usb_id *id, const struct link_usb_identity *identity)
{
    return id->vendor == identity->vendor && id->product == identity->product &&
           (id->product_name == NULL || strcmp(id->product_name, identity->product_name) == 0);
}

/* NULL: it is no programmer's. */
static const struct programmer_driver *driver_of(const struct link_usb_identity *identity)
{
    size_t count = 0;
    const struct programmer_driver *const *drivers = programmer_drivers(&count);

    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < drivers[i]->usb_id_count; j++)
            if (is_id_of(&drivers[i]->usb_ids[j], identity))
                return drivers[i];
    return NULL;
}

static void fill_usb(struct programmer_found *found, const struct programmer_driver *driver,
                     const struct link_usb_found *device)
{
    const struct link_usb_identity *identity = &device->identity;
    bool both = identity->product_name[0] != '\0' && identity->manufacturer[0] != '\0';

    *found = (struct programmer_found){.driver = driver,
                                       .place = device->place,
                                       .by_id = true,
                                       .on_usb = true,
                                       .lasting = true,
                                       .denied = device->denied,
                                       .vendor = identity->vendor,
                                       .product = identity->product};
    snprintf(found->description, sizeof found->description, "%s%s%s", identity->product_name,
             both ? ", " : "", identity->manufacturer);
}

/* ---- serial ports ---- */

/* The driver for what may be at a serial port. */
static const struct programmer_driver *stream_driver(void)
{
    size_t count = 0;
    const struct programmer_driver *const *drivers = programmer_drivers(&count);

    for (size_t i = 0; i < count; i++)
        if (drivers[i]->link == PROGRAMMER_STREAM)
            return drivers[i];
    return NULL;
}

/* The name that lasts longest: where it is plugged in, by udev's link or else as the kernel tells.
 * A port of the machine's own has its number for good. */
static bool find_serial_place(const struct programmer_list_input *input,
                              const struct link_serial_found *port, struct place *place)
{
    place->kind = PLACE_SERIAL;
    if (serial_path_find(input->by_path, port->device, place->path, sizeof place->path))
        return true;
    if (port->on_usb && serial_usb_port(input->tty_root, input->usb_root, port->device, place->path,
                                        sizeof place->path)) {
        place->kind = PLACE_SERIAL_USB;
        return true;
    }
    snprintf(place->path, sizeof place->path, "%s", port->device);
    return !port->on_usb;
}

static void fill_serial(struct programmer_found *found, const struct programmer_driver *driver,
                        const struct link_serial_found *port,
                        const struct programmer_list_input *input)
{
    *found = (struct programmer_found){
        .driver = driver, .on_usb = port->on_usb, .vendor = port->vendor, .product = port->product};
    found->lasting = find_serial_place(input, port, &found->place);
    found->denied = access(port->device, R_OK | W_OK) != 0;
    snprintf(found->description, sizeof found->description, "%s%s%s", port->description,
             port->description[0] != '\0' ? ", " : "", port->device);
}

/* ---- all of them ---- */

static int compare_paths(const void *a, const void *b)
{
    return strverscmp(((const struct programmer_found *)a)->place.path,
                      ((const struct programmer_found *)b)->place.path);
}

int programmer_list_of(const struct programmer_list_input *input, struct programmer_found **found,
                       size_t *count, struct failure *failure)
{
    const struct programmer_driver *stream = stream_driver();
    struct programmer_found *made =
        calloc(input->usb_count + input->serial_count + 1, sizeof *made);
    size_t used = 0;

    *found = NULL;
    *count = 0;
    if (made == NULL)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "a list of programmers");
    for (size_t i = 0; i < input->usb_count; i++) {
        const struct programmer_driver *driver = driver_of(&input->usb[i].identity);

        if (driver != NULL)
            fill_usb(&made[used++], driver, &input->usb[i]);
    }
    size_t usb_used = used;
    for (size_t i = 0; stream != NULL && i < input->serial_count; i++)
        fill_serial(&made[used++], stream, &input->serial[i], input);
    qsort(made, usb_used, sizeof *made, compare_paths);
    qsort(made + usb_used, used - usb_used, sizeof *made, compare_paths);
    *found = made;
    *count = used;
    return 0;
}

int programmer_list(struct programmer_found **found, size_t *count, struct failure *failure)
{
    struct link_usb_found *usb = NULL;
    struct link_serial_found *serial = NULL;
    struct programmer_list_input input = {.by_path = SERIAL_PATH_DIRECTORY,
                                          .usb_root = USB_SYSFS_ROOT,
                                          .tty_root = SERIAL_USB_TTY_ROOT};
    int result = -1;

    *found = NULL;
    *count = 0;
    if (link_usb_list(&usb, &input.usb_count, failure) == 0 &&
        link_serial_list(&serial, &input.serial_count, failure) == 0) {
        input.usb = usb;
        input.serial = serial;
        result = programmer_list_of(&input, found, count, failure);
    }
    free(usb);
    free(serial);
    return result;
}

/* ---- for people ---- */

void programmer_frequency_to_text(int64_t hz, char *text, size_t text_bytes)
{
    if (hz >= 1000000)
        snprintf(text, text_bytes, "%.4g MHz", (double)hz / 1e6);
    else if (hz >= 1000)
        snprintf(text, text_bytes, "%.4g kHz", (double)hz / 1e3);
    else
        snprintf(text, text_bytes, "%" PRId64 " Hz", hz);
}

void programmer_abilities_to_text(const struct programmer_driver *driver, char *text,
                                  size_t text_bytes)
{
    char slowest[24], fastest[24], limit[40] = "";

    if (driver->flash_bytes_max != 0)
        snprintf(limit, sizeof limit, ", flash up to %" PRIu32 " KiB",
                 driver->flash_bytes_max / 1024);
    programmer_frequency_to_text(driver->sck_hz != 0 ? driver->sck_hz : driver->sck_slowest_hz,
                                 slowest, sizeof slowest);
    programmer_frequency_to_text(driver->sck_fastest_hz, fastest, sizeof fastest);
    if (driver->sck_hz != 0)
        snprintf(text, text_bytes, "SCK %s%s%s", driver->sck_is_bound ? "at most " : "", slowest,
                 limit);
    else
        snprintf(text, text_bytes, "SCK %s to %s%s", slowest, fastest, limit);
}
