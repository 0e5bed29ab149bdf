#include "jigs/link_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "jigs/link_serial.h"
#include "jigs/place_holder.h"
#include "jigs/serial_usb.h"
#include "jigs/usb_sysfs.h"

#define LOOK_US 50000
#define HELD_UP_US 20000      /* above what many sites that share a core cost each other */
#define HOLDER_LOOK_US 100000 /* a process that only tries the place is gone after this */
#define PAUSE_MAX_US 16000
#define PAUSE_MIN_US 1000
#define ADAPTER_LATENCY_US 1000 /* adapters deliver a packet this often */
#define PACED_BYTES 16          /* so many bytes tell how fast they come */

struct link_stream {
    int descriptor;
    int lock;                   /* held open for its lock; a TCP connection has none */
    struct link_serial *serial; /* owns the descriptor of a serial port */
    bool is_socket;
    char name[300];
    int64_t byte_us; /* on the wire at the given baud rate; 0: not known */
    bool paced;      /* bytes were seen to come as slowly as the baud rate says */
    uint8_t buffer[4096];
    size_t buffer_start, buffer_end;
};

/* How fast the bytes of one read come. */
struct flow {
    int64_t start_us;
    size_t bytes; /* since then */
};

/* ---- opening ---- */

static int fail_busy(const struct link_stream *stream, const char *device, struct failure *failure)
{
    char holder[128];

    if (!place_holder_find(device, holder, sizeof holder))
        snprintf(holder, sizeof holder, "a lock that is not another visible process's");
    return failure_set(failure, FAILURE_PLACE_BUSY, "%s is held by %s", stream->name, holder);
}

/* A lock keeps out every Gangflash and every other program that locks; the look into /proc finds
 * those that do not. The one that is found may have only tried the place: look twice. All this
 * before any setting is touched, which would be the other one's, too. */
static int lock_device(const struct link_stream *stream, const char *device,
                       const struct operation *operation, struct failure *failure)
{
    char holder[128];

    if (flock(stream->lock, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            return fail_busy(stream, device, failure);
        return failure_set(failure, FAILURE_PLACE_DENIED, "%s: lock: %s", stream->name,
                           strerror(errno));
    }
    if (!place_holder_find(device, holder, sizeof holder))
        return 0;
    if (operation_sleep_us(operation, HOLDER_LOOK_US, failure) != 0)
        return -1;
    if (!place_holder_find(device, holder, sizeof holder))
        return 0;
    return failure_set(failure, FAILURE_PLACE_BUSY, "%s is held by %s", stream->name, holder);
}

/* Raw, and no drop of DTR on close: it would reset an Arduino, and with it let go of the target. */
static int make_raw(const struct link_stream *stream, unsigned baud, struct failure *failure)
{
    struct termios settings;

    if (tcgetattr(stream->descriptor, &settings) != 0)
        goto fail;
    if (stream->serial == NULL) { /* else libserialport has set the rest */
        cfmakeraw(&settings);
        settings.c_cflag |= CLOCAL | CREAD;
        if (baud != 0)
            cfsetspeed(&settings, baud); /* one that is not in the table has no meaning here */
    }
    settings.c_cflag &= ~(tcflag_t)HUPCL;
    settings.c_cc[VMIN] = 1;
    settings.c_cc[VTIME] = 0;
    if (tcsetattr(stream->descriptor, TCSANOW, &settings) == 0)
        return 0;
fail:
    return failure_set(failure, FAILURE_PLACE_MISSING, "%s: terminal settings: %s", stream->name,
                       strerror(errno));
}

static int fail_open(const struct link_stream *stream, const char *device, struct failure *failure)
{
    if (errno == EBUSY)
        return fail_busy(stream, device, failure);
    return failure_set(
        failure, errno == EACCES || errno == EPERM ? FAILURE_PLACE_DENIED : FAILURE_PLACE_MISSING,
        "%s: open: %s", stream->name, strerror(errno));
}

/* The system's own name of the device, without links: libserialport knows ports by it only. */
static int find_device(const struct link_stream *stream, const struct place *place,
                       char device[PATH_MAX], struct failure *failure)
{
    if (place->kind == PLACE_SERIAL_USB)
        return serial_usb_find(USB_SYSFS_ROOT, place->path, device, PATH_MAX, failure);
    if (realpath(place->path, device) == NULL)
        return fail_open(stream, place->path, failure);
    return 0;
}

static int check_baud(const struct link_stream *stream, const char *device, unsigned baud,
                      struct failure *failure)
{
    if (baud != PLACE_BOOTLOADER_BAUD || strncmp(device, "/dev/ttyACM", 11) != 0)
        return 0;
    return failure_set(failure, FAILURE_JIG_INVALID,
                       "%s is the CDC device %s, where %u baud starts the bootloader of many a "
                       "board; expected another baud rate",
                       stream->name, device, baud);
}

static int open_serial(struct link_stream *stream, const char *device, unsigned baud,
                       struct failure *failure)
{
    struct failure cause = {0};

    if (link_serial_open(device, baud, &stream->serial, &stream->descriptor, &cause) != 0) {
        if (cause.code == FAILURE_PLACE_BUSY)
            return fail_busy(stream, device, failure);
        return failure_set(failure, cause.code, "%s", cause.detail);
    }
    /* Not on a pseudo terminal: there it would outlive us as long as the other end lives. */
    if (ioctl(stream->descriptor, TIOCEXCL) != 0)
        return failure_set(failure, FAILURE_PLACE_DENIED, "%s: exclusive use: %s", stream->name,
                           strerror(errno));
    serial_usb_hurry(SERIAL_USB_ADAPTER_ROOT, device);
    return 0;
}

static int open_device(struct link_stream *stream, const struct place *place, unsigned baud,
                       const struct operation *operation, struct failure *failure)
{
    char device[PATH_MAX], again[PATH_MAX];

    if (find_device(stream, place, device, failure) != 0 ||
        check_baud(stream, device, baud, failure) != 0)
        return -1;
    stream->lock = open(device, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (stream->lock < 0)
        return fail_open(stream, device, failure);
    if (!isatty(stream->lock))
        return failure_set(failure, FAILURE_PLACE_MISSING, "%s is no terminal", stream->name);
    if (lock_device(stream, device, operation, failure) != 0)
        return -1;
    if (place->kind == PLACE_PTY)
        stream->descriptor = stream->lock;
    else if (open_serial(stream, device, baud, failure) != 0)
        return -1;
    /* Plugged in anew meanwhile, another device may have the number. */
    if (find_device(stream, place, again, failure) != 0)
        return -1;
    if (strcmp(device, again) != 0)
        return failure_set(failure, FAILURE_PLACE_MISSING, "%s was %s and is %s", stream->name,
                           device, again);
    return make_raw(stream, baud, failure);
}

/* How much later than it wanted this process looked again: then the system had no time for it, nor
 * perhaps for what brings the bytes, and a programmer is not silent for it. */
static int64_t held_up_us(int64_t wanted_us)
{
    int64_t late_us = operation_now_us() - wanted_us;

    return late_us > HELD_UP_US ? late_us : 0;
}

/* Waits until the descriptor is ready for `events`, looking at the cancellation in between.
 * Returns 1 when it is, 0 at `end_us`, or later by what the process was held up, but never without
 * a last look after that; -1 on failure. */
static int wait_ready(const struct link_stream *stream, short events, int64_t end_us,
                      const struct operation *operation, struct failure *failure)
{
    for (;;) {
        struct pollfd look = {.fd = stream->descriptor, .events = events};
        int64_t begun_us = operation_now_us();
        int64_t left_us = end_us > begun_us ? end_us - begun_us : 0;
        int64_t slice_us = left_us < LOOK_US ? left_us : LOOK_US;
        struct timespec slice = {.tv_sec = 0, .tv_nsec = slice_us * 1000};

        int ready = ppoll(&look, 1, &slice, NULL);
        if (ready > 0)
            return 1;
        if (ready < 0 && errno != EINTR)
            return failure_set(failure, FAILURE_INTERNAL, "%s: poll: %s", stream->name,
                               strerror(errno));
        if (operation_check(operation, failure) != 0)
            return -1;
        if (left_us == 0)
            return 0;
        if (end_us < operation->deadline_us)
            end_us += held_up_us(begun_us + slice_us);
    }
}

static int connect_address(struct link_stream *stream, const struct addrinfo *address,
                           const struct operation *operation, struct failure *failure)
{
    int error = 0, on = 1;
    socklen_t size = sizeof error;

    stream->descriptor = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (stream->descriptor < 0)
        return failure_set(failure, FAILURE_INTERNAL, "%s: socket: %s", stream->name,
                           strerror(errno));
    if (connect(stream->descriptor, address->ai_addr, address->ai_addrlen) != 0)
        error = errno;
    if (error == EINPROGRESS) {
        if (wait_ready(stream, POLLOUT, operation->deadline_us, operation, failure) < 0)
            return -1;
        if (getsockopt(stream->descriptor, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
            error = errno;
    }
    if (error != 0)
        return failure_set(failure, FAILURE_PROGRAMMER_GONE, "%s: connect: %s", stream->name,
                           strerror(error));
    if (setsockopt(stream->descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
        return failure_set(failure, FAILURE_INTERNAL, "%s: TCP_NODELAY: %s", stream->name,
                           strerror(errno));
    return 0;
}

/* The lookup of a name has the resolver's own time limit; numeric addresses need none. */
static int open_tcp(struct link_stream *stream, const struct place *place,
                    const struct operation *operation, struct failure *failure)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses = NULL;
    char port[8];
    int result = -1;

    snprintf(port, sizeof port, "%u", (unsigned)place->port);
    int error = getaddrinfo(place->path, port, &hints, &addresses);
    if (error != 0)
        return failure_set(failure, FAILURE_PLACE_MISSING, "%s: %s", stream->name,
                           gai_strerror(error));
    for (struct addrinfo *at = addresses; at != NULL && result != 0; at = at->ai_next) {
        if (operation_check(operation, failure) != 0)
            break;
        result = connect_address(stream, at, operation, failure);
        if (result != 0 && stream->descriptor >= 0) {
            close(stream->descriptor);
            stream->descriptor = -1;
        }
    }
    freeaddrinfo(addresses);
    return result;
}

int link_stream_open(const struct place *place, unsigned baud, const struct operation *operation,
                     struct link_stream **stream, struct failure *failure)
{
    if (place->kind == PLACE_NONE)
        return failure_set(failure, FAILURE_PLACE_MISSING, "no place was given");
    if (place_is_usb(place))
        return failure_set(failure, FAILURE_PLACE_MISSING, "%s is no stream of bytes", place->path);
    struct link_stream *made = calloc(1, sizeof *made);
    if (made == NULL)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "a stream link");
    made->descriptor = made->lock = -1;
    made->is_socket = place->kind == PLACE_TCP;
    made->byte_us = baud != 0 ? 10 * INT64_C(1000000) / baud : 0; /* start, eight bits, stop */
    place_to_text(place, made->name, sizeof made->name);
    int result = place->kind == PLACE_TCP ? open_tcp(made, place, operation, failure)
                                          : open_device(made, place, baud, operation, failure);
    if (result != 0) {
        link_stream_close(made);
        return -1;
    }
    *stream = made;
    return 0;
}

void link_stream_close(struct link_stream *stream)
{
    if (stream == NULL)
        return;
    if (stream->serial != NULL)
        link_serial_close(stream->serial);
    else if (stream->descriptor >= 0 && stream->descriptor != stream->lock)
        close(stream->descriptor);
    if (stream->lock >= 0)
        close(stream->lock);
    free(stream);
}

/* ---- bytes ---- */

static int fail_gone(const struct link_stream *stream, const char *action, int error,
                     struct failure *failure)
{
    return failure_set(failure, FAILURE_PROGRAMMER_GONE, "%s: %s: %s", stream->name, action,
                       error != 0 ? strerror(error) : "the other end is gone");
}

int link_stream_write(struct link_stream *stream, const uint8_t *bytes, size_t count,
                      const struct operation *operation, struct failure *failure)
{
    size_t done = 0;

    while (done < count) {
        ssize_t taken = stream->is_socket
                            ? send(stream->descriptor, bytes + done, count - done, MSG_NOSIGNAL)
                            : write(stream->descriptor, bytes + done, count - done);
        if (taken > 0) {
            done += (size_t)taken;
            continue;
        }
        if (taken < 0 && errno == EINTR)
            continue;
        if (taken < 0 && errno != EAGAIN)
            return fail_gone(stream, "write", errno, failure);
        struct failure cause = {0};
        if (wait_ready(stream, POLLOUT, operation->deadline_us, operation, &cause) > 0)
            continue;
        if (cause.code == FAILURE_DEADLINE || cause.code == FAILURE_NONE)
            return failure_set(failure, FAILURE_PROGRAMMER_SILENT, "%s takes no bytes",
                               stream->name);
        return failure_set(failure, cause.code, "%s", cause.detail);
    }
    return 0;
}

static size_t take_buffered(struct link_stream *stream, uint8_t *bytes, size_t count)
{
    size_t there = stream->buffer_end - stream->buffer_start;
    size_t taken = there < count ? there : count;

    if (taken > 0)
        memcpy(bytes, stream->buffer + stream->buffer_start, taken);
    stream->buffer_start += taken;
    return taken;
}

/* Fills the empty buffer with what has arrived: the number of bytes, 0 for none yet. */
static int receive(struct link_stream *stream, struct failure *failure)
{
    ssize_t came;

    do
        came = read(stream->descriptor, stream->buffer, sizeof stream->buffer);
    while (came < 0 && errno == EINTR);
    stream->buffer_start = 0;
    stream->buffer_end = came > 0 ? (size_t)came : 0;
    if (came > 0 || (came < 0 && errno == EAGAIN))
        return came > 0 ? (int)came : 0;
    return fail_gone(stream, "read", came < 0 ? errno : 0, failure);
}

static int wait_for_bytes(struct link_stream *stream, int64_t silence_us,
                          const struct operation *operation, struct failure *failure)
{
    int64_t end_us = operation_within_us(operation, silence_us);
    int ready = wait_ready(stream, POLLIN, end_us, operation, failure);

    if (ready != 0)
        return ready < 0 ? -1 : 0;
    return failure_set(failure, FAILURE_PROGRAMMER_SILENT, "%s: no answer within %lld ms",
                       stream->name, (long long)(silence_us / 1000));
}

static void note_flow(struct link_stream *stream, struct flow *flow, size_t came)
{
    int64_t now_us = operation_now_us();

    if (flow->start_us == 0) {
        flow->start_us = now_us; /* the first bytes may have waited for us */
        return;
    }
    flow->bytes += came;
    if (flow->bytes >= PACED_BYTES)
        stream->paced = (int64_t)flow->bytes * stream->byte_us <= 2 * (now_us - flow->start_us);
}

/* Every wake costs, and many sites share a core: while bytes come as slowly as the wire carries
 * them, let several arrive before looking again. What comes faster (USB, TCP, a bench without pace)
 * is never waited for, and never is the last byte. */
static void let_arrive(const struct link_stream *stream, size_t missing)
{
    int64_t pause_us = (int64_t)missing * stream->byte_us - ADAPTER_LATENCY_US;

    if (!stream->paced || pause_us < PAUSE_MIN_US)
        return;
    if (pause_us > PAUSE_MAX_US)
        pause_us = PAUSE_MAX_US;
    struct timespec pause = {.tv_sec = 0, .tv_nsec = pause_us * 1000};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}

int link_stream_read(struct link_stream *stream, uint8_t *bytes, size_t count, int64_t silence_us,
                     const struct operation *operation, size_t *received, struct failure *failure)
{
    struct flow flow = {0};
    size_t done = take_buffered(stream, bytes, count);
    int result = 0;

    while (done < count && result == 0) {
        int came = receive(stream, failure);

        if (came < 0) {
            result = -1;
        } else if (came == 0) {
            result = wait_for_bytes(stream, silence_us, operation, failure);
        } else {
            note_flow(stream, &flow, (size_t)came);
            done += take_buffered(stream, bytes + done, count - done);
            if (done < count && (result = operation_check(operation, failure)) == 0)
                let_arrive(stream, count - done);
        }
    }
    if (received != NULL)
        *received = done;
    return result;
}

int link_stream_drain(struct link_stream *stream, int64_t quiet_us, int64_t limit_us,
                      const struct operation *operation, struct failure *failure)
{
    int64_t limit_end_us = operation_now_us() + limit_us, carried_us = 0;

    stream->buffer_start = stream->buffer_end = 0;
    for (;;) {
        int came = receive(stream, failure);

        stream->buffer_end = 0;
        if (came < 0)
            return -1;
        if (came == 0) {
            int64_t end_us = operation_within_us(operation, quiet_us);
            int ready = wait_ready(stream, POLLIN, end_us, operation, failure);

            if (ready <= 0)
                return ready;
        }
        /* The clock alone says nothing: where many share a core, a few bytes may be seen late. */
        carried_us += came * stream->byte_us;
        if (operation_now_us() >= limit_end_us && (carried_us >= limit_us || stream->byte_us == 0))
            return failure_set(failure, FAILURE_PROGRAMMER_OUT_OF_STEP, "%s does not stop sending",
                               stream->name);
    }
}
