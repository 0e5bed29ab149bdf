#include "jigs/place.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "jigs/serial_usb.h"
#include "jigs/usb_sysfs.h"

#define EXPECTED                                                                                   \
    "expected serial:/dev/…, serial:usb:BUS-PORT.PORT, pty:/dev/pts/N, tcp:HOST:PORT, "          \
    "usb:BUS-PORT.PORT or usb:serial=TEXT"
#define USB_TIERS 7          /* USB 2.0, 4.1.1: the root and five hubs; one to spare */
#define USB_STRING_UNITS 126 /* USB 2.0, 9.6.7: bLength 255 less two, in units of 16 bits */

static int fail(const char *text, struct failure *failure)
{
    return failure_set(failure, FAILURE_JIG_INVALID, "'%.80s' is no place, " EXPECTED, text);
}

static int parse_device(const char *text, const char *path, enum place_kind kind,
                        struct place *place, struct failure *failure)
{
    if (path[0] != '/')
        return fail(text, failure);
    if (strlen(path) >= sizeof place->path)
        return failure_set(failure, FAILURE_JIG_INVALID,
                           "a device path of %zu characters, expected at most %zu", strlen(path),
                           sizeof place->path - 1);
    place->kind = kind;
    memcpy(place->path, path, strlen(path) + 1);
    return 0;
}

/* Digits only: strtoul() would also take signs and blanks. */
static int parse_port(const char *text, uint16_t *port)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long value = strtoul(text, NULL, 10);

    if (digits == 0 || digits > 5 || text[digits] != '\0' || value == 0 || value > UINT16_MAX)
        return -1;
    *port = (uint16_t)value;
    return 0;
}

/* HOST:PORT, where an IPv6 address stands in brackets. */
static int parse_address(const char *address, struct place *place)
{
    const char *colon = strrchr(address, ':');
    const char *host = address;
    size_t length = colon != NULL ? (size_t)(colon - address) : 0;

    if (length >= 2 && host[0] == '[' && host[length - 1] == ']') {
        host++;
        length -= 2;
    } else if (memchr(host, ':', length) != NULL) {
        return -1;
    }
    if (length == 0 || length >= sizeof place->path || parse_port(colon + 1, &place->port) != 0)
        return -1;
    memcpy(place->path, host, length);
    place->path[length] = '\0';
    return 0;
}

static int parse_tcp(const char *text, const char *address, struct place *place,
                     struct failure *failure)
{
    if (parse_address(address, place) != 0)
        return fail(text, failure);
    place->kind = PLACE_TCP;
    return 0;
}

bool place_is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static bool is_bus_id(const char *text)
{
    size_t length = strlen(text);

    return length > 0 && length < sizeof((struct place *)NULL)->bus_id &&
           strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_") ==
               length;
}

/* ADDRESS:PORT/BUSID */
static int parse_usbip(const char *text, const char *address, struct place *place,
                       struct failure *failure)
{
    static const char expected[] = "expected usbip:127.0.0.1:PORT/BUSID";
    const char *slash = strchr(address, '/');
    char host_and_port[sizeof place->path];
    size_t length = slash != NULL ? (size_t)(slash - address) : sizeof host_and_port;

    if (length >= sizeof host_and_port)
        return failure_set(failure, FAILURE_JIG_INVALID, "'%.80s' is no place, %s", text, expected);
    memcpy(host_and_port, address, length);
    host_and_port[length] = '\0';
    if (parse_address(host_and_port, place) != 0 || !is_bus_id(slash + 1))
        return failure_set(failure, FAILURE_JIG_INVALID, "'%.80s' is no place, %s", text, expected);
    if (!place_is_loopback(place->path))
        return failure_set(failure, FAILURE_JIG_INVALID,
                           "usbip: reaches the simulated bench of this machine only: found "
                           "'%.80s', expected 127.0.0.1 (other machines' devices come in by their "
                           "kernels' vhci-hcd, as usb:…)",
                           place->path);
    place->kind = PLACE_USBIP;
    memcpy(place->bus_id, slash + 1, strlen(slash + 1) + 1);
    return 0;
}

/* One to three digits that begin with none, up to 255; NULL, or what follows them. */
static const char *skip_number(const char *text)
{
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > 3 || text[0] == '0' || strtoul(text, NULL, 10) > UINT8_MAX)
        return NULL;
    return text + digits;
}

bool place_is_usb_path(const char *text)
{
    const char *at = skip_number(text);
    int ports = 0;

    while (at != NULL && ports < USB_TIERS && *at == (ports == 0 ? '-' : '.')) {
        at = skip_number(at + 1);
        ports++;
    }
    return at != NULL && *at == '\0' && ports > 0;
}

bool place_is_usb_interface(const char *text)
{
    char port[sizeof((struct place *)NULL)->path];
    size_t length = strcspn(text, ":");
    unsigned configuration = 0, interface = 0;
    int end = 0;

    if (length >= sizeof port)
        return false;
    memcpy(port, text, length);
    port[length] = '\0';
    if (!place_is_usb_path(port))
        return false;
    if (text[length] == '\0')
        return true;
    text += length + 1;
    return strspn(text, "0123456789.") == strlen(text) &&
           sscanf(text, "%3u.%3u%n", &configuration, &interface, &end) == 2 && text[end] == '\0' &&
           configuration >= 1 && configuration <= UINT8_MAX && interface <= UINT8_MAX &&
           text[0] != '0';
}

/* 1-1.4.2 or 1-1.4.2:1.0 */
static int parse_serial_usb(const char *text, const char *port, struct place *place,
                            struct failure *failure)
{
    if (!place_is_usb_interface(port))
        return failure_set(failure, FAILURE_JIG_INVALID,
                           "'%.80s' is no place, expected bus and ports as in serial:usb:1-1.4.2, "
                           "or with configuration and interface serial:usb:1-1.4.2:1.0",
                           text);
    place->kind = PLACE_SERIAL_USB;
    memcpy(place->path, port, strlen(port) + 1);
    return 0;
}

static int parse_serial_number(const char *serial, struct place *place, struct failure *failure)
{
    size_t length = strlen(serial);

    if (length == 0 || length > USB_STRING_UNITS)
        return failure_set(failure, FAILURE_JIG_INVALID,
                           "a serial number of %zu characters, expected 1 to %d", length,
                           USB_STRING_UNITS);
    for (const char *at = serial; *at != '\0'; at++)
        if (iscntrl((unsigned char)*at))
            return failure_set(failure, FAILURE_JIG_INVALID,
                               "a control character in a serial number, expected text");
    place->kind = PLACE_USB_SERIAL;
    memcpy(place->path, serial, length + 1);
    return 0;
}

/* 1-1.4.2 or serial=TEXT */
static int parse_usb(const char *text, const char *device, struct place *place,
                     struct failure *failure)
{
    if (strncmp(device, "serial=", 7) == 0)
        return parse_serial_number(device + 7, place, failure);
    if (!place_is_usb_path(device))
        return failure_set(failure, FAILURE_JIG_INVALID,
                           "'%.80s' is no place, expected bus and ports as in usb:1-1.4.2, or "
                           "usb:serial=TEXT",
                           text);
    place->kind = PLACE_USB;
    memcpy(place->path, device, strlen(device) + 1);
    return 0;
}

int place_parse(const char *text, struct place *place, struct failure *failure)
{
    memset(place, 0, sizeof *place);
    if (strncmp(text, "serial:usb:", 11) == 0)
        return parse_serial_usb(text, text + 11, place, failure);
    if (strncmp(text, "serial:", 7) == 0)
        return parse_device(text, text + 7, PLACE_SERIAL, place, failure);
    if (strncmp(text, "pty:", 4) == 0)
        return parse_device(text, text + 4, PLACE_PTY, place, failure);
    if (strncmp(text, "tcp:", 4) == 0)
        return parse_tcp(text, text + 4, place, failure);
    if (strncmp(text, "usb:", 4) == 0)
        return parse_usb(text, text + 4, place, failure);
    if (strncmp(text, "usbip:", 6) == 0)
        return parse_usbip(text, text + 6, place, failure);
    return fail(text, failure);
}

void place_to_text(const struct place *place, char *text, size_t text_bytes)
{
    bool brackets = strchr(place->path, ':') != NULL;

    switch (place->kind) {
    case PLACE_NONE:
        snprintf(text, text_bytes, "none");
        break;
    case PLACE_SERIAL:
        snprintf(text, text_bytes, "serial:%s", place->path);
        break;
    case PLACE_SERIAL_USB:
        snprintf(text, text_bytes, "serial:usb:%s", place->path);
        break;
    case PLACE_PTY:
        snprintf(text, text_bytes, "pty:%s", place->path);
        break;
    case PLACE_TCP:
        snprintf(text, text_bytes, brackets ? "tcp:[%s]:%u" : "tcp:%s:%u", place->path,
                 (unsigned)place->port);
        break;
    case PLACE_USB:
        snprintf(text, text_bytes, "usb:%s", place->path);
        break;
    case PLACE_USB_SERIAL:
        snprintf(text, text_bytes, "usb:serial=%s", place->path);
        break;
    case PLACE_USBIP:
        snprintf(text, text_bytes, brackets ? "usbip:[%s]:%u/%s" : "usbip:%s:%u/%s", place->path,
                 (unsigned)place->port, place->bus_id);
        break;
    }
}

bool place_is_usb(const struct place *place)
{
    return place->kind == PLACE_USB || place->kind == PLACE_USB_SERIAL ||
           place->kind == PLACE_USBIP;
}

static bool same_device(const char *a, const char *b)
{
    char real_a[PATH_MAX], real_b[PATH_MAX];
    struct stat stat_a, stat_b;

    if (strcmp(a, b) == 0)
        return true;
    if (realpath(a, real_a) != NULL && realpath(b, real_b) != NULL && strcmp(real_a, real_b) == 0)
        return true;
    /* Two nodes of one device, as containers and chroots have them. */
    return stat(a, &stat_a) == 0 && stat(b, &stat_b) == 0 && S_ISCHR(stat_a.st_mode) &&
           S_ISCHR(stat_b.st_mode) && stat_a.st_rdev == stat_b.st_rdev;
}

bool place_is_cdc(const struct place *place)
{
    char device[PATH_MAX] = "";

    if (place->kind == PLACE_SERIAL_USB)
        (void)serial_usb_find(USB_SYSFS_ROOT, place->path, device, sizeof device, NULL);
    else if (place->kind == PLACE_SERIAL && realpath(place->path, device) == NULL)
        snprintf(device, sizeof device, "%s", place->path);
    return strncmp(device, "/dev/ttyACM", 11) == 0;
}

static bool has_address(const struct addrinfo *list, const struct addrinfo *wanted)
{
    for (; list != NULL; list = list->ai_next)
        if (list->ai_addrlen == wanted->ai_addrlen &&
            memcmp(list->ai_addr, wanted->ai_addr, wanted->ai_addrlen) == 0)
            return true;
    return false;
}

/* Two names of one host? A name that cannot be resolved is the same as itself only. */
static bool same_host(const char *a, const char *b)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list_a = NULL, *list_b = NULL;
    bool same = strcasecmp(a, b) == 0;

    if (!same && getaddrinfo(a, NULL, &hints, &list_a) == 0 &&
        getaddrinfo(b, NULL, &hints, &list_b) == 0)
        for (const struct addrinfo *at = list_a; at != NULL && !same; at = at->ai_next)
            same = has_address(list_b, at);
    if (list_a != NULL)
        freeaddrinfo(list_a);
    if (list_b != NULL)
        freeaddrinfo(list_b);
    return same;
}

/* Is the device with this serial number plugged in there now? */
static bool has_serial_number(const char *usb_path, const char *serial)
{
    char found[USB_SYSFS_TEXT_BYTES];

    return usb_sysfs_text(USB_SYSFS_ROOT, usb_path, "serial", found, sizeof found) &&
           strcmp(found, serial) == 0;
}

static bool same_usb(const struct place *a, const struct place *b)
{
    if (a->kind == b->kind)
        return strcmp(a->path, b->path) == 0 && a->port == b->port &&
               strcmp(a->bus_id, b->bus_id) == 0;
    if (a->kind == PLACE_USB && b->kind == PLACE_USB_SERIAL)
        return has_serial_number(a->path, b->path);
    return a->kind == PLACE_USB_SERIAL && b->kind == PLACE_USB &&
           has_serial_number(b->path, a->path);
}

/* Is a USB port named twice? An interface that is not given may be any. */
static bool same_port(const char *a, const char *b)
{
    size_t length_a = strcspn(a, ":"), length_b = strcspn(b, ":");

    return length_a == length_b && strncmp(a, b, length_a) == 0 &&
           (a[length_a] == '\0' || b[length_b] == '\0' || strcmp(a, b) == 0);
}

/* The serial port of what is plugged in at `a`, and another place. */
static bool same_as_serial_usb(const struct place *a, const struct place *b)
{
    char device[64], port[sizeof a->path];

    if (b->kind == PLACE_USB || b->kind == PLACE_SERIAL_USB)
        return same_port(a->path, b->path);
    if (b->kind == PLACE_USB_SERIAL) {
        snprintf(port, sizeof port, "%.*s", (int)strcspn(a->path, ":"), a->path);
        return has_serial_number(port, b->path);
    }
    return (b->kind == PLACE_SERIAL || b->kind == PLACE_PTY) &&
           serial_usb_find(USB_SYSFS_ROOT, a->path, device, sizeof device, NULL) == 0 &&
           same_device(device, b->path);
}

bool place_same(const struct place *a, const struct place *b)
{
    if (a->kind == PLACE_NONE || b->kind == PLACE_NONE)
        return false;
    if (a->kind == PLACE_SERIAL_USB)
        return same_as_serial_usb(a, b);
    if (b->kind == PLACE_SERIAL_USB)
        return same_as_serial_usb(b, a);
    if (place_is_usb(a) || place_is_usb(b))
        return place_is_usb(a) && place_is_usb(b) && same_usb(a, b);
    if (a->kind == PLACE_TCP || b->kind == PLACE_TCP)
        return a->kind == b->kind && a->port == b->port && same_host(a->path, b->path);
    return same_device(a->path, b->path);
}
