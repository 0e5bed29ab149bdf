/* Plugs devices that a USB/IP server on this machine has to offer into the kernel's virtual host
 * controllers (vhci-hcd), and pulls them out again.
 *
 * Documents: Documentation/usb/usbip_protocol.rst of Linux for the import; drivers/usb/usbip/vhci.h
 * and vhci_sysfs.c there for ports and the files of vhci_hcd.0. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <linux/netlink.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ATTACH "/sys/devices/platform/vhci_hcd.0/attach"
#define DETACH "/sys/devices/platform/vhci_hcd.0/detach"

/* A controller has two buses of 15 ports. Ports are numbered through all controllers, those of the
 * USB 2 bus first; the ones of the other bus are not for our devices. */
#define CONTROLLER_PORTS 30
#define BUS_PORTS 15
#define CONTROLLERS 8

#define USBIP_VERSION 0x0111
#define OP_REQ_IMPORT 0x8003
#define OP_REP_IMPORT 0x0003
#define BUSID_BYTES 32
#define OP_HEADER_BYTES 8
#define OP_DEVICE_BYTES 312
/* Of bus number, device number and speed among them; the path has 256 bytes before the bus id. */
#define OP_DEVICE_BUSNUM (256 + BUSID_BYTES)

#define PATIENCE_MS 30000
#define DEVICES_MAX (CONTROLLERS * BUS_PORTS)

struct plug {
    const char *busid;
    unsigned port;  /* of vhci-hcd */
    char name[32];  /* as the kernel calls it: "3-2" */
    char path[128]; /* in sysfs, without /sys */
    bool done;
};

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "usbip_attach: %s: %s\n", what, why);
    return -1;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- ports --- */

/* The bus for low, full and high speed among the two of a controller; 0: none. */
static unsigned bus_of(unsigned controller)
{
    char directory[64], path[384];
    snprintf(directory, sizeof directory, "/sys/devices/platform/vhci_hcd.%u", controller);
    DIR *entries = opendir(directory);
    unsigned bus = 0;
    for (struct dirent *entry; entries != NULL && bus == 0 && (entry = readdir(entries)) != NULL;) {
        unsigned number, speed = 0;
        if (sscanf(entry->d_name, "usb%u", &number) != 1) {
            continue;
        }
        snprintf(path, sizeof path, "%s/%s/speed", directory, entry->d_name);
        FILE *file = fopen(path, "re");
        if (file != NULL) {
            bus = fscanf(file, "%u", &speed) == 1 && speed == 480 ? number : 0;
            fclose(file);
        }
    }
    if (entries != NULL) {
        closedir(entries);
    }
    return bus;
}

/* Where a device at this port of this controller will stand. */
static void place(struct plug *plug, unsigned controller, unsigned bus, unsigned port)
{
    plug->port = controller * CONTROLLER_PORTS + port;
    snprintf(plug->name, sizeof plug->name, "%u-%u", bus, port + 1);
    snprintf(plug->path, sizeof plug->path, "/devices/platform/vhci_hcd.%u/usb%u/%s", controller,
             bus, plug->name);
}

static int locate(struct plug *plug, const char *text)
{
    char *end;
    unsigned long port = strtoul(text, &end, 10);
    if (end == text || *end != '\0' || port >= CONTROLLERS * CONTROLLER_PORTS ||
        port % CONTROLLER_PORTS >= BUS_PORTS) {
        return fail(text, "no USB 2 port of vhci-hcd");
    }
    unsigned controller = (unsigned)port / CONTROLLER_PORTS;
    unsigned bus = bus_of(controller);
    if (bus == 0) {
        return fail(text, "no such controller; is vhci-hcd loaded?");
    }
    place(plug, controller, bus, (unsigned)port % CONTROLLER_PORTS);
    return 0;
}

static bool is_there(const struct plug *plug)
{
    char path[160];
    snprintf(path, sizeof path, "/sys%s", plug->path);
    return access(path, F_OK) == 0;
}

/* --- what the kernel tells --- */

static int listen_to_kernel(void)
{
    int news = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
    const struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
    const int room = 4 << 20; /* some hundred messages for many devices at once */
    if (news < 0 || bind(news, (const struct sockaddr *)&address, sizeof address) != 0 ||
        setsockopt(news, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) != 0) {
        fail("the kernel's events", strerror(errno));
        if (news >= 0) {
            close(news);
        }
        return -1;
    }
    return news;
}

/* Marks the device that this message is about, "ACTION@PATH" and more. Returns how many. */
static size_t mark(struct plug *plugs, size_t count, const char *action, const char *message)
{
    size_t length = strlen(action);
    for (size_t i = 0; i < count; i++) {
        if (!plugs[i].done && strncmp(message, action, length) == 0 && message[length] == '@' &&
            strcmp(message + length + 1, plugs[i].path) == 0) {
            plugs[i].done = true;
            return 1;
        }
    }
    return 0;
}

/* Waits until that action is told of all devices. A device is bound to the kernel's general driver
 * once it has its configuration. */
static int await(int news, struct plug *plugs, size_t count, const char *action)
{
    char message[8192];
    int64_t until = now_ms() + PATIENCE_MS;
    size_t missing = 0;
    for (size_t i = 0; i < count; i++) {
        missing += !plugs[i].done;
    }
    while (missing > 0) {
        struct pollfd look = {.fd = news, .events = POLLIN};
        int64_t left = until - now_ms();
        if (left <= 0 || poll(&look, 1, (int)left) == 0) {
            break;
        }
        ssize_t got = recv(news, message, sizeof message - 1, 0);
        if (got < 0 && errno != EINTR) {
            return fail("the kernel's events", strerror(errno));
        }
        message[got < 0 ? 0 : got] = '\0';
        missing -= mark(plugs, count, action, message);
    }
    for (size_t i = 0; i < count; i++) {
        if (!plugs[i].done) {
            fprintf(stderr, "usbip_attach: %s (port %u): no %s\n", plugs[i].name, plugs[i].port,
                    action);
        }
    }
    return missing > 0 ? -1 : 0;
}

/* 0, or the error's number. */
static int put(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        return errno;
    }
    bool bad = fputs(text, file) < 0;
    bad |= fclose(file) != 0;
    return bad ? errno : 0;
}

static int write_file(const char *path, const char *text)
{
    int error = put(path, text);
    return error != 0 ? fail(path, strerror(error)) : 0;
}

/* --- the server --- */

static int connect_to(const char *server)
{
    char host[128];
    const char *colon = strrchr(server, ':');
    if (colon == NULL || (size_t)(colon - server) >= sizeof host) {
        return fail(server, "expected HOST:PORT");
    }
    snprintf(host, sizeof host, "%.*s", (int)(colon - server), server);
    const struct addrinfo wanted = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    int error = getaddrinfo(host, colon + 1, &wanted, &found);
    if (error != 0) {
        return fail(server, gai_strerror(error));
    }
    const int yes = 1;
    const struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    int line = socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC, 0);
    if (line >= 0 && (connect(line, found->ai_addr, found->ai_addrlen) != 0 ||
                      setsockopt(line, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
                      setsockopt(line, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) != 0)) {
        close(line);
        line = -1;
    }
    freeaddrinfo(found);
    return line >= 0 ? line : fail(server, strerror(errno));
}

static uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Asks for the device; afterwards the connection carries its transfers. */
static int import(int line, const char *busid, unsigned *device, unsigned *speed)
{
    uint8_t ask[OP_HEADER_BYTES + BUSID_BYTES] = {USBIP_VERSION >> 8, USBIP_VERSION & 0xFF,
                                                  OP_REQ_IMPORT >> 8, OP_REQ_IMPORT & 0xFF};
    uint8_t reply[OP_HEADER_BYTES + OP_DEVICE_BYTES];
    if (strlen(busid) >= BUSID_BYTES) {
        return fail(busid, "bus id too long");
    }
    snprintf((char *)ask + OP_HEADER_BYTES, BUSID_BYTES, "%s", busid);
    if (send(line, ask, sizeof ask, MSG_NOSIGNAL) != (ssize_t)sizeof ask ||
        recv(line, reply, OP_HEADER_BYTES, MSG_WAITALL) != OP_HEADER_BYTES) {
        return fail(busid, "the server hangs up");
    }
    if ((big_endian(reply) & 0xFFFF) != OP_REP_IMPORT || big_endian(reply + 4) != 0) {
        return fail(busid, "the server refuses it");
    }
    if (recv(line, reply + OP_HEADER_BYTES, OP_DEVICE_BYTES, MSG_WAITALL) != OP_DEVICE_BYTES) {
        return fail(busid, "the server hangs up");
    }
    const uint8_t *facts = reply + OP_HEADER_BYTES + OP_DEVICE_BUSNUM;
    *device = big_endian(facts) << 16 | big_endian(facts + 4);
    *speed = big_endian(facts + 8);
    return 0;
}

/* The kernel keeps the connection from here on. */
static int hand_over(const char *server, const struct plug *plug)
{
    unsigned device, speed;
    char text[64];
    int line = connect_to(server);
    if (line < 0) {
        return -1;
    }
    int result = import(line, plug->busid, &device, &speed);
    if (result == 0) {
        snprintf(text, sizeof text, "%u %d %u %u", plug->port, line, device, speed);
        result = write_file(ATTACH, text);
    }
    close(line);
    return result;
}

/* --- commands --- */

/* Takes BUSID@PORT apart. */
static int read_plugs(struct plug *plugs, char **words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *at = strrchr(words[i], '@');
        if (at == NULL) {
            return fail(words[i], "expected BUSID@PORT");
        }
        *at = '\0';
        plugs[i].busid = words[i];
        if (locate(&plugs[i], at + 1) != 0) {
            return -1;
        }
    }
    return 0;
}

static int attach(int news, struct plug *plugs, const char *server, char **words, size_t count)
{
    if (read_plugs(plugs, words, count) != 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        if (hand_over(server, &plugs[i]) != 0) {
            return -1;
        }
    }
    if (await(news, plugs, count, "bind") != 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        printf("%s usb:%s\n", plugs[i].busid, plugs[i].name);
    }
    return 0;
}

/* Every port at which something is plugged in. */
static size_t find_plugged(struct plug *plugs)
{
    size_t count = 0;
    for (unsigned controller = 0; controller < CONTROLLERS; controller++) {
        unsigned bus = bus_of(controller);
        for (unsigned port = 0; bus != 0 && port < BUS_PORTS; port++) {
            place(&plugs[count], controller, bus, port);
            count += is_there(&plugs[count]);
        }
    }
    return count;
}

static int pull_out(struct plug *plug)
{
    char text[16];
    snprintf(text, sizeof text, "%u", plug->port);
    plug->done = !is_there(plug);
    int error = plug->done ? 0 : put(DETACH, text);
    /* EINVAL: nothing is connected any more (vhci_sysfs.c). The server has hung up, and the kernel
     * is about to pull the device out by itself. */
    return error == 0 || error == EINVAL ? 0 : fail(DETACH, strerror(error));
}

static int detach(int news, struct plug *plugs, char **words, size_t count)
{
    if (count == 1 && strcmp(words[0], "all") == 0) {
        count = find_plugged(plugs);
    } else {
        for (size_t i = 0; i < count; i++) {
            if (locate(&plugs[i], words[i]) != 0) {
                return -1;
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (pull_out(&plugs[i]) != 0) {
            return -1;
        }
    }
    return await(news, plugs, count, "remove");
}

static int usage(void)
{
    fputs(
        "usage: usbip_attach attach HOST:PORT BUSID@PORT...\n"
        "       usbip_attach detach PORT...|all\n"
        "The PORT of a server is TCP's; that of a device is vhci-hcd's: 30 for each controller,\n"
        "the first 15 of them for our devices. Prints 'BUSID usb:BUS-PORT' for each when all are\n"
        "configured.\n",
        stderr);
    return 2;
}

int main(int argc, char **argv)
{
    bool attaches = argc > 3 && strcmp(argv[1], "attach") == 0;
    size_t first = attaches ? 3 : 2;
    if (argc - (int)first > DEVICES_MAX ||
        (!attaches && (argc < 3 || strcmp(argv[1], "detach") != 0))) {
        return usage();
    }
    size_t count = (size_t)argc - first;
    struct plug *plugs = calloc(DEVICES_MAX + 1, sizeof *plugs);
    int news = listen_to_kernel();
    int result = -1;
    if (plugs != NULL && news >= 0) {
        result = attaches ? attach(news, plugs, argv[2], argv + first, count)
                          : detach(news, plugs, argv + first, count);
    }
    if (news >= 0) {
        close(news);
    }
    free(plugs);
    return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
