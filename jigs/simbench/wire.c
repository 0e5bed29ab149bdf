#include "jigs/simbench/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define QUEUE_MAX 8192
#define CHUNK_MAX 512
/* HardwareSerial of the Arduino core: rings of 64 bytes, one of which stays empty. */
#define UART_SEND_MAX 64
/* USB full speed: a bulk packet of 64 bytes takes about 50 us of a frame of 1 ms (USB 2.0, 5.8.4).
 */
#define USB_PACKET_BYTES 64
#define USB_PACKET_NS 50000
/* A USB frame, and the shortest latency timer of a serial adapter: bytes for the host leave
 * together. */
#define PACKET_NS 1000000
/* An FT232's packet holds so many besides its two status bytes; a full one does not wait for the
 * timer (FTDI AN232B-04). */
#define PACKET_BYTES 62
/* How far the firmware may be ahead of the clock before it waits, and to how far it then waits. */
#define LEAD_MAX_NS 20000000
#define LEAD_NS 10000000
/* How often a closed port is looked at where the system tells nothing about openings. */
#define CLOSED_POLL_NS 10000000

#define FOREVER_NS INT64_MAX

struct queue {
    uint8_t bytes[QUEUE_MAX];
    int64_t at_ns[QUEUE_MAX]; /* when each one has arrived */
    size_t head;
    size_t count;
};

struct wire {
    struct wire_options options;
    char path[64];
    int master;
    int inotify;      /* tells when the slave is opened and closed; -1: not to be had */
    int openers;      /* how many hold the slave open */
    int64_t doubt_ns; /* since when it looks opened, but was not told so; 0: no doubt */
    enum wire_event event;
    bool hung;
    int pulled;                /* event descriptor: somebody wants it unplugged… */
    _Atomic int64_t pulled_us; /* …for so long */
    int64_t back_ns;           /* unplugged until then */
    int64_t hold_ns;           /* nothing leaves before */

    int64_t now_ns;  /* the firmware's clock */
    int64_t seen_ns; /* the monotonic clock when last looked at */
    int64_t byte_ns; /* one byte on the UART's line */

    struct queue line; /* on the way from the host */
    int64_t line_free_ns;
    struct queue received; /* waiting for the firmware */
    struct queue sending;  /* on the way to the host, by the time they leave in a packet */
    int64_t send_free_ns;
    int64_t latency_ns;
    int64_t packet_ns;        /* when the packet that is being filled leaves at the latest… */
    size_t packet_count;      /* …and what is in it */
    uint8_t ready[QUEUE_MAX]; /* due, but the pseudo terminal was full */
    size_t ready_count;
};

/* --- queues --- */

static void queue_push(struct queue *queue, uint8_t byte, int64_t at_ns)
{
    size_t index = (queue->head + queue->count++) % QUEUE_MAX;
    queue->bytes[index] = byte;
    queue->at_ns[index] = at_ns;
}

static uint8_t queue_pop(struct queue *queue)
{
    uint8_t byte = queue->bytes[queue->head];
    queue->head = (queue->head + 1) % QUEUE_MAX;
    queue->count--;
    return byte;
}

static int64_t queue_next_ns(const struct queue *queue)
{
    return queue->count == 0 ? FOREVER_NS : queue->at_ns[queue->head];
}

/* --- opening --- */

/* Makes the link point at the port, in one step. */
static int make_link(const struct wire *wire, struct failure *failure)
{
    char fresh[WIRE_LINK_BYTES + 8];
    if (wire->options.link == NULL) {
        return 0;
    }
    snprintf(fresh, sizeof fresh, "%s.new", wire->options.link);
    if (symlink(wire->path, fresh) != 0 || rename(fresh, wire->options.link) != 0) {
        return failure_set(failure, FAILURE_BENCH, "%s: %s", wire->options.link, strerror(errno));
    }
    return 0;
}

static int open_master(struct wire *wire, struct failure *failure)
{
    wire->master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    struct termios settings;
    if (wire->master < 0 || grantpt(wire->master) != 0 || unlockpt(wire->master) != 0 ||
        ptsname_r(wire->master, wire->path, sizeof wire->path) != 0 ||
        tcgetattr(wire->master, &settings) != 0) {
        return failure_set(failure, FAILURE_BENCH, "no pseudo terminal: %s", strerror(errno));
    }
    cfmakeraw(&settings);
    if (tcsetattr(wire->master, TCSANOW, &settings) != 0) {
        return failure_set(failure, FAILURE_BENCH, "%s: %s", wire->path, strerror(errno));
    }
    /* A slave that was never opened does not read as closed; one that was closed does. */
    int slave = open(wire->path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0) {
        return failure_set(failure, FAILURE_BENCH, "%s: %s", wire->path, strerror(errno));
    }
    close(slave);
    return 0;
}

static void watch_openings(struct wire *wire)
{
    wire->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (wire->inotify >= 0 &&
        inotify_add_watch(wire->inotify, wire->path, IN_OPEN | IN_CLOSE) < 0) {
        close(wire->inotify);
        wire->inotify = -1;
    }
}

static int open_port(struct wire *wire, struct failure *failure)
{
    if (open_master(wire, failure) != 0) {
        return -1;
    }
    watch_openings(wire); /* before the host can know the port */
    return make_link(wire, failure);
}

static void close_port(struct wire *wire)
{
    if (wire->options.link != NULL) {
        unlink(wire->options.link);
    }
    if (wire->master >= 0) {
        close(wire->master);
    }
    if (wire->inotify >= 0) {
        close(wire->inotify);
    }
    wire->master = wire->inotify = -1;
    wire->openers = 0;
    wire->doubt_ns = 0;
}

static int64_t clock_ns(struct wire *wire)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    wire->seen_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    return wire->seen_ns;
}

int wire_create(const struct wire_options *options, struct wire **wire, struct failure *failure)
{
    struct wire *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "no memory for a wire");
    }
    made->options = *options;
    made->master = made->inotify = -1;
    made->pulled = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (made->pulled < 0) {
        wire_free(made);
        return failure_set(failure, FAILURE_BENCH, "no event descriptor: %s", strerror(errno));
    }
    if (open_port(made, failure) != 0) {
        wire_free(made);
        return -1;
    }
    /* One start bit, eight data bits, one stop bit. */
    made->byte_ns = options->line.uart ? 10000000000 / options->baud : 0;
    made->latency_ns = options->line.latency_us != 0 ? options->line.latency_us * 1000 : PACKET_NS;
    made->now_ns = options->real_pace ? clock_ns(made) : 0;
    *wire = made;
    return 0;
}

void wire_free(struct wire *wire)
{
    if (wire == NULL) {
        return;
    }
    close_port(wire);
    if (wire->pulled >= 0) {
        close(wire->pulled);
    }
    free(wire);
}

const char *wire_path(const struct wire *wire)
{
    return wire->options.link != NULL ? wire->options.link : wire->path;
}

/* --- bytes in and out --- */

/* Is there room for a chunk, whatever the wire makes of it? */
static bool takes_more(const struct wire *wire)
{
    return wire->line.count + WIRE_ROOM(CHUNK_MAX) <= QUEUE_MAX;
}

/* What comes back of what the host wrote, when it is through. */
static void send_back(struct wire *wire, int64_t at_ns)
{
    uint8_t bytes[CHUNK_MAX];
    size_t count = 0;
    if (wire->options.echo != NULL) {
        count = wire->options.echo(wire->options.context, bytes, sizeof bytes);
    }
    for (size_t i = 0; i < count && wire->sending.count < QUEUE_MAX; i++) {
        queue_push(&wire->sending, bytes[i], at_ns);
    }
}

/* Bytes that the host wrote just now begin to travel. */
static void take_from_host(struct wire *wire)
{
    uint8_t chunk[WIRE_ROOM(CHUNK_MAX)];
    ssize_t got = takes_more(wire) ? read(wire->master, chunk, CHUNK_MAX) : 0;
    if (got <= 0) {
        return; /* nothing there, or nobody: the next look at the openers tells */
    }
    size_t count = wire->options.to_programmer(wire->options.context, chunk, (size_t)got);
    int64_t start_ns = 0;
    if (wire->options.real_pace) {
        int64_t now_ns = clock_ns(wire);
        start_ns = now_ns > wire->line_free_ns ? now_ns : wire->line_free_ns;
    }
    for (size_t i = 0; i < count; i++) {
        if (wire->options.real_pace && wire->options.line.uart) {
            start_ns += wire->byte_ns;
        } else if (wire->options.real_pace && i % USB_PACKET_BYTES == 0) {
            start_ns += USB_PACKET_NS;
        }
        queue_push(&wire->line, chunk[i], start_ns);
    }
    wire->line_free_ns = start_ns;
    send_back(wire, start_ns);
}

/* Puts what has arrived by the firmware's clock into its receive buffer. */
static void receive(struct wire *wire)
{
    size_t room = wire->options.line.receive_bytes;
    bool loses = room != 0 && wire->options.real_pace;
    size_t lost = 0;
    while (queue_next_ns(&wire->line) <= wire->now_ns) {
        if (loses && wire->received.count >= room) {
            queue_pop(&wire->line);
            lost++;
        } else if (wire->received.count < QUEUE_MAX) {
            queue_push(&wire->received, queue_pop(&wire->line), 0);
        } else {
            break;
        }
    }
    if (lost != 0 && wire->options.overrun != NULL) {
        wire->options.overrun(wire->options.context, lost);
    }
}

/* Late bytes keep those behind them back. */
static void hold_back(struct wire *wire, int64_t late_us)
{
    if (late_us > 0) {
        int64_t until_ns = clock_ns(wire) + late_us * 1000;
        wire->hold_ns = until_ns > wire->hold_ns ? until_ns : wire->hold_ns;
    }
}

static bool is_held_back(const struct wire *wire)
{
    return wire->hold_ns != 0 && wire->seen_ns < wire->hold_ns;
}

static void write_ready(struct wire *wire)
{
    if (wire->ready_count == 0 || is_held_back(wire)) {
        return;
    }
    wire->hold_ns = 0;
    ssize_t written = write(wire->master, wire->ready, wire->ready_count);
    if (written > 0) {
        wire->ready_count -= (size_t)written;
        memmove(wire->ready, wire->ready + written, wire->ready_count);
    }
}

/* Sends the packets whose time has come. Without a listener they are gone. */
static void deliver(struct wire *wire)
{
    if (wire->openers == 0) {
        wire->ready_count = 0;
    }
    if (wire->hold_ns != 0) { /* also at fast pace */
        clock_ns(wire);
    }
    while (wire->ready_count + WIRE_ROOM(CHUNK_MAX) <= QUEUE_MAX &&
           queue_next_ns(&wire->sending) <= wire->seen_ns) {
        uint8_t chunk[WIRE_ROOM(CHUNK_MAX)];
        size_t count = 0;
        while (count < CHUNK_MAX && queue_next_ns(&wire->sending) <= wire->seen_ns) {
            chunk[count++] = queue_pop(&wire->sending);
        }
        int64_t late_us = 0;
        count = wire->options.from_programmer(wire->options.context, chunk, count, &late_us);
        hold_back(wire, late_us);
        if (wire->openers != 0) {
            memcpy(wire->ready + wire->ready_count, chunk, count);
            wire->ready_count += count;
        }
    }
    write_ready(wire);
}

/* --- who holds the port open --- */

/* When a byte that is through at `done_ns` leaves the adapter: with the next packet, of which there
 * is one every `every_ns`. */
static int64_t packet_ns(int64_t done_ns, int64_t every_ns)
{
    return (done_ns + every_ns - 1) / every_ns * every_ns;
}

/* A byte of the firmware is through at `done_ns`. */
static void fill_packet(struct wire *wire, uint8_t byte, int64_t done_ns)
{
    int64_t at_ns = packet_ns(done_ns, wire->latency_ns);
    if (wire->packet_ns != at_ns) {
        wire->packet_ns = at_ns;
        wire->packet_count = 0;
    }
    queue_push(&wire->sending, byte, at_ns);
    if (++wire->packet_count < PACKET_BYTES) {
        return;
    }
    wire->packet_count = 0;
    for (size_t i = 0; i < PACKET_BYTES && i < wire->sending.count; i++) {
        size_t place = (wire->sending.head + wire->sending.count - 1 - i) % QUEUE_MAX;
        wire->sending.at_ns[place] = packet_ns(done_ns, PACKET_NS);
    }
}

static void send_noise(struct wire *wire)
{
    uint8_t noise[CHUNK_MAX];
    size_t count = 0;
    if (wire->options.opened != NULL) {
        count = wire->options.opened(wire->options.context, noise, sizeof noise);
    }
    int64_t at_ns = wire->options.real_pace ? packet_ns(clock_ns(wire), wire->latency_ns) : 0;
    for (size_t i = 0; i < count && wire->sending.count < QUEUE_MAX; i++) {
        queue_push(&wire->sending, noise[i], at_ns);
    }
}

static void note_opened(struct wire *wire)
{
    if (wire->openers++ != 0 || wire->event != WIRE_EVENT_NONE) {
        return;
    }
    if (wire->options.line.opening_resets || wire->hung) {
        wire->event = WIRE_EVENT_OPENED;
    } else {
        send_noise(wire);
    }
}

static void note_closed(struct wire *wire)
{
    wire->openers -= wire->openers > 0;
}

/* False when there was nothing to read. */
static bool read_openings(struct wire *wire)
{
    char buffer[1024] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t count = wire->inotify < 0 ? -1 : read(wire->inotify, buffer, sizeof buffer);
    for (char *next = buffer; count > 0 && next < buffer + count;) {
        struct inotify_event event;
        memcpy(&event, next, sizeof event);
        if (event.mask & IN_OPEN) {
            note_opened(wire);
        }
        if (event.mask & IN_CLOSE) {
            note_closed(wire);
        }
        next += sizeof event + event.len;
    }
    return count > 0;
}

static bool slave_is_closed(const struct wire *wire)
{
    struct pollfd look = {.fd = wire->master, .events = 0};
    return poll(&look, 1, 0) == 1 && (look.revents & POLLHUP) != 0;
}

/* Nobody was seen to open it, but it is not closed: it is being closed or opened right now, and the
 * system will say so. If it says nothing, two equal events have reached us as one. */
static void settle_doubt(struct wire *wire)
{
    clock_ns(wire);
    if (wire->inotify >= 0 && wire->doubt_ns == 0) {
        wire->doubt_ns = wire->seen_ns;
    } else if (wire->seen_ns - wire->doubt_ns >= CLOSED_POLL_NS) {
        wire->doubt_ns = 0;
        note_opened(wire);
    }
}

/* Brings the count of openers up to date. Equal events that follow each other reach us as one, so
 * what the pseudo terminal itself says counts more. */
static void look_at_openers(struct wire *wire)
{
    while (read_openings(wire)) {
        wire->doubt_ns = 0;
    }
    bool closed = slave_is_closed(wire);
    if (read_openings(wire)) {
        wire->doubt_ns = 0;
        return; /* changing right now: the next look tells */
    }
    if (closed) {
        wire->doubt_ns = 0;
        wire->openers = 0;
        take_from_host(wire); /* what was written before the port was closed still travels */
    } else if (wire->openers == 0) {
        settle_doubt(wire);
    }
}

/* --- waiting --- */

static int64_t earlier(int64_t a_ns, int64_t b_ns)
{
    return a_ns < b_ns ? a_ns : b_ns;
}

static void poll_until(struct wire *wire, struct pollfd *looks, int count, int64_t until_ns)
{
    if (until_ns == FOREVER_NS) {
        poll(looks, (nfds_t)count, -1);
    } else {
        int64_t left_ns = until_ns - wire->seen_ns;
        left_ns = left_ns < 0 ? 0 : left_ns;
        struct timespec left = {left_ns / 1000000000, left_ns % 1000000000};
        ppoll(looks, (nfds_t)count, &left, NULL);
    }
}

static void forget_pull(const struct wire *wire)
{
    eventfd_t ignored;
    eventfd_read(wire->pulled, &ignored);
}

void wire_pull(struct wire *wire, int64_t away_us)
{
    atomic_store(&wire->pulled_us, away_us);
    eventfd_write(wire->pulled, 1);
}

/* Sleeps until something happens or `until_ns`; takes in and sends out what there is. */
static void wait_once(struct wire *wire, int64_t until_ns)
{
    bool listens = wire->openers != 0;
    bool held = is_held_back(wire);
    short wanted = takes_more(wire) ? POLLIN : 0;
    struct pollfd looks[] = {
        {.fd = wire->options.stop_descriptor, .events = POLLIN},
        {.fd = wire->inotify, .events = POLLIN},
        /* A closed slave would wake us without end. */
        {.fd = listens ? wire->master : -1,
         .events = (short)(wanted | (wire->ready_count != 0 && !held ? POLLOUT : 0))},
        {.fd = wire->pulled, .events = POLLIN},
    };
    if (held) {
        until_ns = earlier(until_ns, wire->hold_ns);
    } else if (wire->ready_count ==
               0) { /* else the host must read before anything more can leave */
        until_ns = earlier(until_ns, queue_next_ns(&wire->sending));
    }
    if (!listens && (wire->inotify < 0 || wire->doubt_ns != 0)) {
        clock_ns(wire);
        until_ns = earlier(until_ns, wire->seen_ns + CLOSED_POLL_NS);
    }
    poll_until(wire, looks, 4, until_ns);
    if (looks[0].revents != 0) {
        wire->event = WIRE_EVENT_STOP;
    } else if (looks[3].revents != 0) {
        forget_pull(wire);
        wire_unplug(wire, atomic_load(&wire->pulled_us));
        return;
    } else if (looks[1].revents != 0 || (looks[2].revents & POLLHUP) != 0 || !listens) {
        look_at_openers(wire);
    }
    if ((looks[2].revents & POLLIN) != 0 && wire->event == WIRE_EVENT_NONE) {
        take_from_host(wire);
    }
}

/* Waits until the clock is where the firmware is. */
static void settle(struct wire *wire, int64_t until_ns)
{
    while (wire->event == WIRE_EVENT_NONE) {
        clock_ns(wire);
        deliver(wire);
        if (wire->seen_ns >= until_ns) {
            return;
        }
        wait_once(wire, until_ns);
    }
}

/* --- for the firmware --- */

int64_t wire_now_us(const struct wire *wire)
{
    return wire->now_ns / 1000;
}

void wire_spend_ns(struct wire *wire, int64_t duration_ns)
{
    if (wire->event != WIRE_EVENT_NONE) {
        return;
    }
    wire->now_ns += duration_ns;
    if (wire->options.real_pace && wire->now_ns > wire->seen_ns + LEAD_MAX_NS) {
        settle(wire, wire->now_ns - LEAD_NS);
    }
}

void wire_spend(struct wire *wire, int64_t duration_us)
{
    wire_spend_ns(wire, duration_us * 1000);
}

/* Waits for bytes of the host; true when some are on the way. */
static bool wait_for_host(struct wire *wire, int64_t until_ns)
{
    while (wire->line.count == 0 && wire->event == WIRE_EVENT_NONE) {
        if (wire->options.real_pace) {
            clock_ns(wire);
        }
        deliver(wire);
        if (until_ns != FOREVER_NS && wire->seen_ns >= until_ns) {
            return false;
        }
        wait_once(wire, until_ns);
    }
    return wire->event == WIRE_EVENT_NONE;
}

int wire_get(struct wire *wire, int64_t until_us)
{
    int64_t until_ns =
        until_us == WIRE_FOREVER || !wire->options.real_pace ? FOREVER_NS : until_us * 1000;
    while (wire->event == WIRE_EVENT_NONE) {
        /* Bytes already on the line come before any that we have not seen yet; only beyond them
         * must the clock be awaited to know what has arrived. */
        if (wire->options.real_pace && wire->now_ns > wire->line_free_ns &&
            wire->now_ns > wire->seen_ns) {
            settle(wire, wire->now_ns);
        }
        receive(wire);
        if (wire->received.count != 0) {
            return queue_pop(&wire->received);
        }
        if (wire->now_ns >= until_ns) {
            return -1;
        }
        if (wire->line.count == 0 && !wait_for_host(wire, until_ns)) {
            wire->now_ns = wire->event == WIRE_EVENT_NONE ? until_ns : wire->now_ns;
            return -1;
        }
        int64_t next_ns = earlier(queue_next_ns(&wire->line), until_ns);
        wire->now_ns = next_ns > wire->now_ns ? next_ns : wire->now_ns;
    }
    return -1;
}

bool wire_has_more(const struct wire *wire)
{
    return wire->received.count != 0 || wire->line.count != 0;
}

void wire_put(struct wire *wire, uint8_t byte)
{
    while (wire->sending.count == QUEUE_MAX && wire->event == WIRE_EVENT_NONE) {
        deliver(wire);
        if (wire->sending.count == QUEUE_MAX) {
            wait_once(wire, FOREVER_NS);
            clock_ns(wire);
        }
    }
    if (wire->event != WIRE_EVENT_NONE) {
        return;
    }
    if (!wire->options.real_pace) {
        queue_push(&wire->sending, byte, 0);
        return;
    }
    int64_t start_ns = wire->send_free_ns > wire->now_ns ? wire->send_free_ns : wire->now_ns;
    wire->send_free_ns = start_ns + wire->byte_ns;
    fill_packet(wire, byte, wire->send_free_ns);
    /* The send buffer holds so many; then the firmware waits for the line. */
    int64_t waits_ns = wire->send_free_ns - UART_SEND_MAX * wire->byte_ns - wire->now_ns;
    if (waits_ns > 0) {
        wire_spend(wire, waits_ns / 1000);
    }
}

void wire_hang(struct wire *wire)
{
    wire->hung = true;
    while (wire->event == WIRE_EVENT_NONE) {
        clock_ns(wire);
        deliver(wire);
        wire->line.count = 0;
        wait_once(wire, FOREVER_NS);
    }
    wire->hung = false;
}

static void interrupt(struct wire *wire, enum wire_event event)
{
    if (wire->event == WIRE_EVENT_NONE) {
        wire->event = event;
    }
}

void wire_reset(struct wire *wire)
{
    interrupt(wire, WIRE_EVENT_RESET);
}

static void tell_plugged(const struct wire *wire, bool there)
{
    if (wire->options.plugged != NULL) {
        wire->options.plugged(wire->options.plug_context, there);
    }
}

void wire_unplug(struct wire *wire, int64_t away_us)
{
    tell_plugged(wire, false);
    close_port(wire);
    wire->back_ns = clock_ns(wire) + away_us * 1000;
    interrupt(wire, WIRE_EVENT_UNPLUGGED);
}

/* Waits until the unplugged port is plugged in again; there is nothing but the stop to wait for
 * meanwhile. */
static void wait_until_back(struct wire *wire)
{
    struct pollfd stop = {.fd = wire->options.stop_descriptor, .events = POLLIN};
    while (clock_ns(wire) < wire->back_ns) {
        poll_until(wire, &stop, 1, wire->back_ns);
        if (stop.revents != 0) {
            wire->event = WIRE_EVENT_STOP;
            return;
        }
    }
    forget_pull(wire);
    if (open_port(wire, NULL) == 0) {
        wire->event = WIRE_EVENT_NONE;
        tell_plugged(wire, true);
    } else {
        close_port(wire);
        wire->back_ns = clock_ns(wire) + CLOSED_POLL_NS;
    }
}

enum wire_event wire_event(const struct wire *wire)
{
    return wire->event;
}

void wire_restart(struct wire *wire)
{
    bool opened = wire->event == WIRE_EVENT_OPENED;
    if (wire->event == WIRE_EVENT_UNPLUGGED) {
        wait_until_back(wire);
    }
    if (wire->event == WIRE_EVENT_STOP || wire->event == WIRE_EVENT_UNPLUGGED) {
        return;
    }
    wire->event = WIRE_EVENT_NONE;
    wire->hold_ns = 0;
    wire->line.count = 0;
    wire->received.count = 0;
    wire->sending.count = 0;
    wire->ready_count = 0;
    if (wire->options.real_pace) {
        wire->now_ns = clock_ns(wire);
        wire->line_free_ns = 0;
        wire->send_free_ns = 0;
        wire->packet_ns = 0;
    }
    if (opened) {
        send_noise(wire);
    }
}
