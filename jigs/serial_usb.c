#include "jigs/serial_usb.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jigs/place.h"
#include "jigs/usb_sysfs.h"

#define NAMES_BYTES 160
#define PORTS_MAX 16 /* the largest adapters on one device have so many */

/* One serial port of a device. */
struct found_port {
    char interface[48]; /* "1-1.4.2:1.0" */
    char tty[64];       /* "ttyACM0" */
};

struct found_ports {
    struct found_port list[PORTS_MAX];
    size_t count;
};

static bool is_tty_name(const char *name)
{
    return strncmp(name, "ttyACM", 6) == 0 || strncmp(name, "ttyUSB", 6) == 0;
}

static void add_port(struct found_ports *ports, const char *interface, const char *tty)
{
    struct found_port *port = &ports->list[ports->count];

    if (ports->count == PORTS_MAX || strlen(interface) >= sizeof port->interface ||
        strlen(tty) >= sizeof port->tty)
        return;
    memcpy(port->interface, interface, strlen(interface) + 1);
    memcpy(port->tty, tty, strlen(tty) + 1);
    ports->count++;
}

/* The names of ttys in a folder of an interface: "INTERFACE/tty" of cdc_acm's has them, and of the
 * adapters' drivers each interface itself. */
static void add_ports_in(const char *usb_root, const char *interface, const char *folder,
                         struct found_ports *ports)
{
    char path[PATH_MAX];
    const struct dirent *entry;

    snprintf(path, sizeof path, "%s/%s/%s", usb_root, interface, folder);
    DIR *open_folder = opendir(path);
    if (open_folder == NULL)
        return;
    while ((entry = readdir(open_folder)) != NULL)
        if (is_tty_name(entry->d_name))
            add_port(ports, interface, entry->d_name);
    closedir(open_folder);
}

/* Is the name "PORT:1.0", one of the device's interfaces; the only wanted one, if it is named? */
static bool is_interface_of(const char *name, const char *port)
{
    size_t length = strlen(port);

    if (strchr(port, ':') != NULL)
        return strcmp(name, port) == 0;
    return strncmp(name, port, length) == 0 && name[length] == ':';
}

static int compare_ports(const void *a, const void *b)
{
    const struct found_port *port_a = a, *port_b = b;
    int order = strverscmp(port_a->interface, port_b->interface);

    return order != 0 ? order : strverscmp(port_a->tty, port_b->tty);
}

static void list_ports(const char *usb_root, const char *port, struct found_ports *ports)
{
    const struct dirent *entry;
    DIR *folder = opendir(usb_root);

    ports->count = 0;
    if (folder == NULL)
        return;
    while ((entry = readdir(folder)) != NULL) {
        if (!is_interface_of(entry->d_name, port))
            continue;
        add_ports_in(usb_root, entry->d_name, "tty", ports);
        add_ports_in(usb_root, entry->d_name, "", ports);
    }
    closedir(folder);
    qsort(ports->list, ports->count, sizeof ports->list[0], compare_ports);
}

static int fail_missing(const char *usb_root, const char *port, struct failure *failure)
{
    struct usb_sysfs_device device;
    char path[sizeof device.path] = "";

    snprintf(path, sizeof path, "%.*s", (int)strcspn(port, ":"), port);
    if (usb_sysfs_find(usb_root, path, &device, NULL) != 0)
        return failure_set(failure, FAILURE_PLACE_MISSING,
                           "serial:usb:%s: nothing is plugged in there", port);
    return failure_set(failure, FAILURE_PLACE_MISSING,
                       "serial:usb:%s: %04X:%04X '%.40s' has no serial port there", port,
                       device.vendor, device.product, device.product_name);
}

static int fail_several(const char *port, const struct found_ports *ports, struct failure *failure)
{
    char names[NAMES_BYTES] = "";
    size_t used = 0;

    if (strcmp(ports->list[0].interface, ports->list[1].interface) == 0)
        return failure_set(failure, FAILURE_PLACE_TWICE,
                           "serial:usb:%s has several serial ports, expected one of them by its "
                           "name in /dev/serial/by-path",
                           port);
    for (size_t i = 0; i < ports->count && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%sserial:usb:%s",
                                 i == 0 ? "" : " or ", ports->list[i].interface);
    return failure_set(failure, FAILURE_PLACE_TWICE,
                       "serial:usb:%s has several serial ports, expected %s", port, names);
}

int serial_usb_find(const char *usb_root, const char *port, char *device, size_t device_bytes,
                    struct failure *failure)
{
    struct found_ports ports;

    list_ports(usb_root, port, &ports);
    if (ports.count == 0)
        return fail_missing(usb_root, port, failure);
    if (ports.count > 1)
        return fail_several(port, &ports, failure);
    snprintf(device, device_bytes, "/dev/%s", ports.list[0].tty);
    return 0;
}

/* The component of a path in sysfs that is an interface, "1-1.4.2:1.0". */
static bool find_interface(char *path, char *port, size_t port_bytes)
{
    char *rest = NULL;

    port[0] = '\0';
    for (char *name = strtok_r(path, "/", &rest); name != NULL; name = strtok_r(NULL, "/", &rest)) {
        size_t length = strcspn(name, ":");

        if (name[length] != ':' || strlen(name) >= port_bytes)
            continue;
        name[length] = '\0';
        if (place_is_usb_path(name)) {
            name[length] = ':';
            memcpy(port, name, strlen(name) + 1);
        }
    }
    return port[0] != '\0';
}

bool serial_usb_port(const char *tty_root, const char *usb_root, const char *device, char *port,
                     size_t port_bytes)
{
    const char *tty = strrchr(device, '/');
    char link[PATH_MAX], path[PATH_MAX], found[64];

    port[0] = '\0';
    snprintf(link, sizeof link, "%s/%s/device", tty_root, tty != NULL ? tty + 1 : device);
    if (realpath(link, path) == NULL || !find_interface(path, port, port_bytes))
        return false;
    char *colon = strchr(port, ':');
    *colon = '\0';
    if (serial_usb_find(usb_root, port, found, sizeof found, NULL) == 0)
        return true;
    *colon = ':';
    return true;
}

bool serial_usb_hurry(const char *adapter_root, const char *device)
{
    const char *tty = strrchr(device, '/');
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/%s/latency_timer", adapter_root,
             tty != NULL ? tty + 1 : device);
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    bool written = write(file, "1\n", 2) == 2;
    close(file);
    return written;
}
