/* The wire between the host and a programmer: a pseudo terminal whose slave the host opens, and
 * behind it a UART or a native USB port with the times of the real thing.
 *
 * Firmware runs as straight-line code on a timeline of its own, pinned to the monotonic clock: it
 * may be ahead of the clock, but nothing leaves before its time and nothing is looked at before it
 * could have come. So errors of waking up late do not add up, and a site sleeps while its bytes are
 * on the way. At fast pace nothing waits; the timeline only counts how long the firmware would have
 * been busy. */
#ifndef JIGS_SIMBENCH_WIRE_H
#define JIGS_SIMBENCH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reports/failure.h"

#define WIRE_FOREVER INT64_MAX
#define WIRE_LINK_BYTES 256 /* of the longest path of a link */
/* What so many passing bytes may become. */
#define WIRE_ROOM(count) (2 * (count) + 1024)

/* What interrupts the firmware. Once one is there, wire_get() gives -1 and the other calls do
 * nothing, until wire_restart(). */
enum wire_event {
    WIRE_EVENT_NONE,
    WIRE_EVENT_OPENED,    /* the host opened the port: DTR resets this board */
    WIRE_EVENT_RESET,     /* the board was reset otherwise */
    WIRE_EVENT_UNPLUGGED, /* the port is gone; wire_restart() waits until it is back */
    WIRE_EVENT_STOP       /* for good */
};

struct wire;

/* How a board is wired to the host. All false and 0: a USB port of its own, which loses nothing and
 * resets nothing. */
struct wire_line {
    bool uart;            /* behind an adapter: bytes take their time at the baud rate */
    bool opening_resets;  /* DTR resets the board */
    size_t receive_bytes; /* UART: what comes while so many wait is lost; 0: nothing is */
    int64_t latency_us;   /* the adapter's latency timer; 0: 1 ms */
};

struct wire_options {
    bool real_pace;
    struct wire_line line;
    unsigned baud;       /* UART */
    int stop_descriptor; /* becomes readable when the bench stops */
    /* A symbolic link to the port, made and kept up to date by the wire, so that it stays at one
     * place when it was unplugged. NULL: none, and the port must not be unplugged. */
    const char *link;
    /* What the wire does to passing bytes: changes them in place, returns how many they are then,
     * at most WIRE_ROOM(count).
     * `late_us` receives how much later they leave, with all that comes after them. */
    size_t (*to_programmer)(void *context, uint8_t *bytes, size_t count);
    size_t (*from_programmer)(void *context, uint8_t *bytes, size_t count, int64_t *late_us);
    /* What comes back to the host of the bytes that just passed to the programmer: at most `most`.
     * Returns how many. May be NULL. */
    size_t (*echo)(void *context, uint8_t *bytes, size_t most);
    /* Noise for the host that opened the port: at most `most` bytes. Returns how many. May be
     * NULL. */
    size_t (*opened)(void *context, uint8_t *bytes, size_t most);
    /* Bytes were lost because the receive buffer was full. May be NULL. */
    void (*overrun)(void *context, size_t count);
    void *context;
    /* The port was unplugged, or is back. May be NULL. */
    void (*plugged)(void *plug_context, bool there);
    void *plug_context;
};

/* FAILURE_BENCH when the system has no pseudo terminal. */
int wire_create(const struct wire_options *options, struct wire **wire, struct failure *failure);
void wire_free(struct wire *wire);
/* "/dev/pts/N", or the link. */
const char *wire_path(const struct wire *wire);

/* From any thread: as if wire_unplug() were called, as soon as the firmware waits for something. */
void wire_pull(struct wire *wire, int64_t away_us);

/* The rest is for the thread that runs the firmware. */

/* The firmware's clock, microseconds on the monotonic clock; at fast pace the time that it was busy
 * with. */
int64_t wire_now_us(const struct wire *wire);
/* The next byte from the host; -1 when none came until then (never at fast pace), or at an event.
 */
int wire_get(struct wire *wire, int64_t until_us);
/* Is another byte of the host on its way already? */
bool wire_has_more(const struct wire *wire);
void wire_put(struct wire *wire, uint8_t byte);
/* The firmware is busy for so long. */
void wire_spend(struct wire *wire, int64_t duration_us);
void wire_spend_ns(struct wire *wire, int64_t duration_ns);
/* The firmware hangs: bytes are taken and lost until an event; also a USB port counts as reset when
 * it is opened again. */
void wire_hang(struct wire *wire);
/* The board is reset: WIRE_EVENT_RESET. */
void wire_reset(struct wire *wire);
/* The programmer is unplugged for so long: WIRE_EVENT_UNPLUGGED. */
void wire_unplug(struct wire *wire, int64_t away_us);
enum wire_event wire_event(const struct wire *wire);
/* The board starts anew: forgets the event and what was in its buffers. When the port was
 * unplugged, waits until it is back; it stays WIRE_EVENT_UNPLUGGED when the system gives no other
 * port. */
void wire_restart(struct wire *wire);

#endif
