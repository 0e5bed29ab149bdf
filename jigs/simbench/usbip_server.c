#include "jigs/simbench/usbip_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "jigs/simbench/usbip_message.h"

/* Connections whose request is not whole yet, and how long one may take for it: on a machine that
 * has much else to do, a guest and this server may both be late. */
#define GUESTS_MAX 128
#define PATIENCE_MS 30000
#define FREE_SEAT (-1)
/* A list of as many devices as a jig has sites, and what Linux wants for its own use. */
#define LONGEST_REPLY 200000
/* For who is put off because there was no descriptor left for it. */
#define RETRY_MS 100

struct guest {
    int socket; /* FREE_SEAT */
    int64_t until_ms;
    uint8_t request[USBIP_IMPORT_BYTES];
    size_t bytes;
};

struct usbip_server {
    int listener;
    int stop;
    uint16_t tcp_port;
    pthread_t thread;
    bool runs;
    struct guest guests[GUESTS_MAX];
    size_t port_count;
    struct usb_port *ports[];
};

static int64_t clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void dismiss(struct guest *guest)
{
    close(guest->socket);
    guest->socket = FREE_SEAT;
}

/* Replies are the first that goes over the connection, and it was given room for the longest. */
static int send_all(int socket, const uint8_t *bytes, size_t count)
{
    return send(socket, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)count ? 0 : -1;
}

/* --- requests --- */

static void send_list(const struct usbip_server *server, int socket)
{
    enum { EACH = USBIP_DEVICE_BYTES + USBIP_INTERFACES_BYTES_MAX, HEAD = USBIP_OP_BYTES + 4 };
    uint8_t *bytes = malloc(HEAD + server->port_count * EACH);
    uint32_t count = 0;
    if (bytes == NULL) {
        return;
    }
    uint8_t *end = bytes + HEAD;
    for (size_t i = 0; i < server->port_count; i++) {
        const struct usbip_device *device = usb_port_device(server->ports[i]);
        if (usb_port_is_plugged(server->ports[i])) {
            usbip_put_device(end, device);
            end += USBIP_DEVICE_BYTES;
            end += usbip_put_interfaces(end, device);
            count++;
        }
    }
    usbip_put_operation(bytes, USBIP_REPLY_LIST, USBIP_OK);
    usbip_put_u32(bytes + USBIP_OP_BYTES, count);
    send_all(socket, bytes, (size_t)(end - bytes)); /* who does not take it asked in vain */
    free(bytes);
}

static struct usb_port *find_port(const struct usbip_server *server, const uint8_t *busid)
{
    for (size_t i = 0; i < server->port_count; i++) {
        const struct usbip_device *device = usb_port_device(server->ports[i]);
        if (strncmp((const char *)busid, device->busid, USBIP_BUSID_BYTES) == 0) {
            return server->ports[i];
        }
    }
    return NULL;
}

/* The connection of a guest who is attached is no longer his. */
static void import_device(const struct usbip_server *server, struct guest *guest)
{
    uint8_t bytes[USBIP_OP_BYTES + USBIP_DEVICE_BYTES];
    struct usb_port *port = find_port(server, guest->request + USBIP_OP_BYTES);
    enum usbip_status status = port == NULL ? USBIP_NO_DEVICE : usb_port_reserve(port);
    usbip_put_operation(bytes, USBIP_REPLY_IMPORT, status);
    if (status != USBIP_OK) {
        send_all(guest->socket, bytes, USBIP_OP_BYTES);
        return;
    }
    usbip_put_device(bytes + USBIP_OP_BYTES, usb_port_device(port));
    bool sent = send_all(guest->socket, bytes, sizeof bytes) == 0;
    usb_port_attach(port, sent ? guest->socket : -1);
    if (sent) {
        guest->socket = FREE_SEAT;
    }
}

/* How long the request is that begins so: 0 when none does. */
static size_t request_bytes(const uint8_t *request)
{
    if (usbip_get_u16(request) != USBIP_VERSION) {
        return 0;
    }
    switch (usbip_get_u16(request + 2)) {
    case USBIP_REQUEST_LIST:
        return USBIP_OP_BYTES;
    case USBIP_REQUEST_IMPORT:
        return USBIP_IMPORT_BYTES;
    default:
        return 0;
    }
}

static void answer(const struct usbip_server *server, struct guest *guest, size_t bytes)
{
    if (bytes == USBIP_OP_BYTES) {
        send_list(server, guest->socket);
    } else if (bytes == USBIP_IMPORT_BYTES) {
        import_device(server, guest);
    }
    if (guest->socket != FREE_SEAT) {
        dismiss(guest);
    }
}

/* Reads no byte beyond the request: what follows an import is for the device. */
static void listen_to(const struct usbip_server *server, struct guest *guest)
{
    size_t wanted =
        guest->bytes < USBIP_OP_BYTES ? (size_t)USBIP_OP_BYTES : request_bytes(guest->request);
    ssize_t got =
        recv(guest->socket, guest->request + guest->bytes, wanted - guest->bytes, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0) {
        dismiss(guest);
        return;
    }
    guest->bytes += (size_t)got;
    if (guest->bytes < USBIP_OP_BYTES) {
        return;
    }
    size_t whole = request_bytes(guest->request);
    if (guest->bytes >= whole) { /* also when it is no request */
        answer(server, guest, whole);
    }
}

/* --- guests --- */

static struct guest *free_seat(struct usbip_server *server)
{
    for (size_t i = 0; i < GUESTS_MAX; i++) {
        if (server->guests[i].socket == FREE_SEAT) {
            return &server->guests[i];
        }
    }
    return NULL;
}

/* False when the system has no descriptor for who is there. */
static bool let_in(struct usbip_server *server)
{
    struct guest *guest = free_seat(server);
    int socket = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (socket < 0) {
        return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED;
    }
    int yes = 1;
    int room = LONGEST_REPLY;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    *guest = (struct guest){.socket = socket, .until_ms = clock_ms() + PATIENCE_MS};
    return true;
}

/* Dismisses who took too long. How long until the next one does; -1: nobody is there. */
static int next_end_ms(struct usbip_server *server)
{
    int64_t now_ms = clock_ms();
    int64_t next_ms = -1;
    for (size_t i = 0; i < GUESTS_MAX; i++) {
        struct guest *guest = &server->guests[i];
        if (guest->socket != FREE_SEAT && guest->until_ms <= now_ms) {
            dismiss(guest);
        }
        if (guest->socket != FREE_SEAT && (next_ms < 0 || guest->until_ms - now_ms < next_ms)) {
            next_ms = guest->until_ms - now_ms;
        }
    }
    return (int)next_ms;
}

static void *serve(void *context)
{
    struct usbip_server *server = context;
    struct pollfd looks[GUESTS_MAX + 2];
    bool can_accept = true;
    for (;;) {
        int wait_ms = next_end_ms(server);
        bool listens = can_accept && free_seat(server) != NULL;
        for (size_t i = 0; i < GUESTS_MAX; i++) {
            looks[i] = (struct pollfd){.fd = server->guests[i].socket, .events = POLLIN};
        }
        looks[GUESTS_MAX] = (struct pollfd){.fd = server->stop, .events = POLLIN};
        looks[GUESTS_MAX + 1] =
            (struct pollfd){.fd = listens ? server->listener : -1, .events = POLLIN};
        if (!can_accept && (wait_ms < 0 || wait_ms > RETRY_MS)) {
            wait_ms = RETRY_MS;
        }
        if (poll(looks, GUESTS_MAX + 2, wait_ms) < 0) {
            continue;
        }
        if (looks[GUESTS_MAX].revents != 0) {
            return NULL;
        }
        for (size_t i = 0; i < GUESTS_MAX; i++) {
            if (looks[i].revents != 0) {
                listen_to(server, &server->guests[i]);
            }
        }
        can_accept = looks[GUESTS_MAX + 1].revents == 0 || let_in(server);
    }
}

/* --- life --- */

static int listen_on(struct usbip_server *server, uint16_t tcp_port, struct failure *failure)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(tcp_port)};
    socklen_t length = sizeof address;
    int yes = 1;
    inet_pton(AF_INET, USBIP_SERVER_HOST, &address.sin_addr);
    server->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (server->stop < 0 || server->listener < 0) {
        return failure_set(failure, FAILURE_BENCH, "no socket: %s", strerror(errno));
    }
    setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(server->listener, (const struct sockaddr *)&address, sizeof address) != 0 ||
        listen(server->listener, GUESTS_MAX) != 0 ||
        getsockname(server->listener, (struct sockaddr *)&address, &length) != 0) {
        return failure_set(failure, FAILURE_BENCH, "TCP port %u of " USBIP_SERVER_HOST ": %s",
                           (unsigned)tcp_port, strerror(errno));
    }
    server->tcp_port = ntohs(address.sin_port);
    return 0;
}

int usbip_server_start(const struct usbip_server_options *options, struct usbip_server **server,
                       struct failure *failure)
{
    struct usbip_server *made =
        calloc(1, sizeof *made + options->port_count * sizeof(struct usb_port *));
    if (made == NULL) {
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "no memory for the USB/IP server");
    }
    made->stop = made->listener = -1;
    made->port_count = options->port_count;
    for (size_t i = 0; i < made->port_count; i++) {
        made->ports[i] = options->ports[i];
    }
    for (size_t i = 0; i < GUESTS_MAX; i++) {
        made->guests[i].socket = FREE_SEAT;
    }
    int error = 0;
    if (listen_on(made, options->tcp_port, failure) != 0) {
        usbip_server_stop(made);
        return -1;
    }
    error = pthread_create(&made->thread, NULL, serve, made);
    if (error != 0) {
        usbip_server_stop(made);
        return failure_set(failure, FAILURE_BENCH, "no thread for the USB/IP server: %s",
                           strerror(error));
    }
    made->runs = true;
    *server = made;
    return 0;
}

void usbip_server_stop(struct usbip_server *server)
{
    if (server == NULL) {
        return;
    }
    if (server->runs) {
        eventfd_write(server->stop, 1);
        pthread_join(server->thread, NULL);
    }
    for (size_t i = 0; i < GUESTS_MAX; i++) {
        if (server->guests[i].socket != FREE_SEAT) {
            dismiss(&server->guests[i]);
        }
    }
    if (server->listener >= 0) {
        close(server->listener);
    }
    if (server->stop >= 0) {
        close(server->stop);
    }
    free(server);
}

uint16_t usbip_server_tcp_port(const struct usbip_server *server)
{
    return server->tcp_port;
}
