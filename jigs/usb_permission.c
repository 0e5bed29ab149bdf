#include "jigs/usb_permission.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool are_installed(const char *directories)
{
    char path[PATH_MAX];
    bool found = false;

    for (const char *at = directories; *at != '\0' && !found;) {
        size_t length = strcspn(at, ":");

        snprintf(path, sizeof path, "%.*s/%s", (int)length, at, USB_PERMISSION_RULES);
        found = access(path, F_OK) == 0;
        at += length + (at[length] == ':' ? 1 : 0);
    }
    return found;
}

/* The data of an installation lie in BIN/../share/gangflash; $GANGFLASH_DATA names others. */
static void find_shipped(char *path, size_t path_bytes)
{
    const char *given = getenv("GANGFLASH_DATA");
    char program[PATH_MAX];

    if (given != NULL && given[0] != '\0') {
        snprintf(path, path_bytes, "%.200s/udev/%s", given, USB_PERMISSION_RULES);
        return;
    }
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length > 0 ? length : 0] = '\0';
    for (int i = 0; i < 2; i++) { /* the program's name, then its directory's */
        char *slash = strrchr(program, '/');

        if (slash != NULL)
            *slash = '\0';
    }
    snprintf(path, path_bytes, "%.200s/share/gangflash/udev/%s", program, USB_PERMISSION_RULES);
}

int usb_permission_fail(const struct usb_sysfs_device *device, const char *directories,
                        struct failure *failure)
{
    static const char reload[] = "sudo udevadm control --reload && sudo udevadm trigger";
    char node[64], rules[PATH_MAX];

    usb_sysfs_node(device, node, sizeof node);
    if (are_installed(directories))
        return failure_set(
            failure, FAILURE_PLACE_DENIED,
            "usb:%s: no permission for %s (%04X:%04X); the udev rules are installed: "
            "join the group plugdev and log in again, or: %s",
            device->path, node, device->vendor, device->product, reload);
    find_shipped(rules, sizeof rules);
    return failure_set(failure, FAILURE_PLACE_DENIED,
                       "usb:%s: no permission for %s; install the udev rules: sudo cp %s "
                       "/etc/udev/rules.d/ && %s",
                       device->path, node, rules, reload);
}
