#include "jigs/usb_sysfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jigs/place.h"

bool usb_sysfs_text(const char *root, const char *path, const char *attribute, char *text,
                    size_t text_bytes)
{
    char name[PATH_MAX];
    ssize_t length = -1;

    text[0] = '\0';
    snprintf(name, sizeof name, "%s/%s/%s", root, path, attribute);
    int file = open(name, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    do
        length = read(file, text, text_bytes - 1);
    while (length < 0 && errno == EINTR);
    close(file);
    if (length < 0)
        length = 0;
    if (length > 0 && text[length - 1] == '\n')
        length--;
    text[length] = '\0';
    return length > 0;
}

static bool read_number(const char *root, const char *path, const char *attribute, int base,
                        unsigned long maximum, unsigned long *number)
{
    char text[32], *end = NULL;

    if (!usb_sysfs_text(root, path, attribute, text, sizeof text))
        return false;
    *number = strtoul(text, &end, base);
    return end != text && *end == '\0' && *number <= maximum;
}

/* The interface is a device of its own, PATH:CONFIGURATION.INTERFACE, and its driver a link. */
static void read_driver(const char *root, struct usb_sysfs_device *device)
{
    char name[PATH_MAX], target[PATH_MAX];
    unsigned long configuration = 0;

    if (!read_number(root, device->path, "bConfigurationValue", 10, UINT8_MAX, &configuration))
        return;
    snprintf(name, sizeof name, "%s/%s:%lu.0/driver", root, device->path, configuration);
    ssize_t length = readlink(name, target, sizeof target - 1);
    if (length <= 0)
        return;
    target[length] = '\0';
    const char *slash = strrchr(target, '/');
    snprintf(device->driver, sizeof device->driver, "%.31s", slash != NULL ? slash + 1 : target);
}

/* False when it is not there, or went while it was looked at. */
static bool read_device(const char *root, const char *path, struct usb_sysfs_device *device)
{
    unsigned long bus = 0, address = 0, vendor = 0, product = 0, release = 0;

    memset(device, 0, sizeof *device);
    if (!read_number(root, path, "busnum", 10, 999, &bus) ||
        !read_number(root, path, "devnum", 10, 999, &address) ||
        !read_number(root, path, "idVendor", 16, UINT16_MAX, &vendor) ||
        !read_number(root, path, "idProduct", 16, UINT16_MAX, &product) ||
        !read_number(root, path, "bcdDevice", 16, UINT16_MAX, &release))
        return false;
    snprintf(device->path, sizeof device->path, "%s", path);
    device->bus = (unsigned)bus;
    device->address = (unsigned)address;
    device->vendor = (uint16_t)vendor;
    device->product = (uint16_t)product;
    device->release = (uint16_t)release;
    usb_sysfs_text(root, path, "manufacturer", device->manufacturer, sizeof device->manufacturer);
    usb_sysfs_text(root, path, "product", device->product_name, sizeof device->product_name);
    usb_sysfs_text(root, path, "serial", device->serial, sizeof device->serial);
    read_driver(root, device);
    return true;
}

int usb_sysfs_find(const char *root, const char *path, struct usb_sysfs_device *device,
                   struct failure *failure)
{
    if (place_is_usb_path(path) && read_device(root, path, device))
        return 0;
    return failure_set(failure, FAILURE_PLACE_MISSING, "usb:%s: nothing is plugged in there", path);
}

/* "1-2" stands before "1-10". */
static int compare(const void *a, const void *b)
{
    const char *path_a = ((const struct usb_sysfs_device *)a)->path;
    const char *path_b = ((const struct usb_sysfs_device *)b)->path;

    return strverscmp(path_a, path_b);
}

static int add_device(const char *root, const char *path, struct usb_sysfs_device **devices,
                      size_t *count, size_t *room, struct failure *failure)
{
    if (*count == *room) {
        size_t more = *room == 0 ? 16 : 2 * *room;
        struct usb_sysfs_device *grown = realloc(*devices, more * sizeof *grown);

        if (grown == NULL)
            return failure_set(failure, FAILURE_OUT_OF_MEMORY, "a list of USB devices");
        *devices = grown;
        *room = more;
    }
    if (read_device(root, path, &(*devices)[*count]))
        (*count)++;
    return 0;
}

int usb_sysfs_list(const char *root, struct usb_sysfs_device **devices, size_t *count,
                   struct failure *failure)
{
    size_t room = 0;
    int result = 0;
    const struct dirent *entry;
    DIR *folder = opendir(root);

    *devices = NULL;
    *count = 0;
    if (folder == NULL)
        return errno == ENOENT
                   ? 0
                   : failure_set(failure, FAILURE_INTERNAL, "%s: %s", root, strerror(errno));
    while (result == 0 && (entry = readdir(folder)) != NULL)
        if (place_is_usb_path(entry->d_name))
            result = add_device(root, entry->d_name, devices, count, &room, failure);
    closedir(folder);
    if (result != 0) {
        free(*devices);
        *devices = NULL;
        *count = 0;
        return -1;
    }
    if (*count > 1)
        qsort(*devices, *count, sizeof **devices, compare);
    return 0;
}

void usb_sysfs_node(const struct usb_sysfs_device *device, char *node, size_t node_bytes)
{
    snprintf(node, node_bytes, "/dev/bus/usb/%03u/%03u", device->bus, device->address);
}
