/* Bus Pirate, hardware v3 (an FTDI adapter and 115200 baud) and v4 (USB of its own): its binary SPI
 * mode. Facts this file is built on, from the documentation of the binary modes and the firmware:
 *
 * - A unit may be in any mode when it is found. Twenty zeros in a row take it from its terminal to
 *   the bit-bang mode ("BBIO1"), one takes it there from SPI mode, and lets go of all pins; but a
 *   menu takes no zeros, and 05 may wait for 4096 bytes first.
 * - A command is one byte, answered 01, then its data; an unknown one is answered 00. There is no
 *   end byte and no checksum, and it waits for missing bytes for ever.
 * - 1n puts n + 1 bytes on the SPI bus, each as it comes, and gives back what came meanwhile. 05
 *   writes up to 4096 bytes and then reads; firmware up to 6 first takes all of them into a buffer,
 *   firmware 7 puts each on the bus as it comes, and refuses to move none at all. 06 02 reads flash
 *   by its own instructions, in the lower 64 Ki words as long as word + bytes is below 65536; the
 *   extended address stays as it was loaded last. Before 5.10 there is neither 05 nor, often, 06.
 * - CS is the board's RESET. Setting the speed (6n) or the lines (8n) raises it.
 * - The UART of a v3 holds four bytes; nothing else holds the host back. So nothing is sent while
 *   the unit is busy on the SPI bus, and at slow SCK no more than one instruction at a time.
 *
 * What a lost byte may do. A unit that misses bytes takes zeros for them in recovery, which also
 * take it out of SPI mode, and out of there nothing reaches the board. So what has to be looked at
 * is what the board hears until then:
 *
 * - A fuse or lock write is 13, AC, A0, 00, v: one byte at a time, each when the one before was
 *   answered, so that however many are lost, only the last is in doubt. Until A0 is sent, zeros
 *   make it AC 00, which is nothing. When A0 is not answered, one 00 is sent: it is the third
 *   byte, or makes AC 00, and the board's echo says which (OWED_AFTER_ZERO). After that only v may
 *   follow: it is owed (owed_value) until it is answered, and recovery, also the next claim's,
 *   feeds v until two were answered, before anything else. A unit that did not wait for them takes
 *   them for commands, none of which makes anything that begins with AC of v's and zeros. Where
 *   nothing is answered any more, nothing more is sent: the unit has to be unplugged. After a
 *   program was killed within a fuse write, too.
 * - A chip erase begins with AC, too: AC 80, one turned bit from AC A0. Its first three bytes go by
 *   12, and only when the board has given back the 80 comes the last one.
 * - A page is 05, its length, and loads and the page write: 40 00 w low, 48 00 w high, 4C hi lo 00,
 *   w being the place in the page, below 80. Bytes lost in it shift the rest: then instructions
 *   begin with 00, with w, or with an image byte, which 40, 48 or 4C follows. AC 4x is nothing.
 *   Only the address of the page write could be AC with 80 and more after it, and it would be
 *   followed by zeros: such a page is written without it, and then by an instruction.
 * - When the length of a 05 is hit, the unit takes what is left for commands. Those that move bytes
 *   (1n, 05) move them as they stand: again no AC but with 40, 48 or 4C after it, and no two
 *   bytes of the image side by side. The 00 in every instruction leaves SPI mode, and with it the
 *   board.
 * - EEPROM is read by up to eight transfers at once. When a byte is lost there, the 00 at the end
 *   of an instruction leaves SPI mode. Should the board have another supply, what is left moves
 *   SCK once per instruction at most, in all less often than a single one takes.
 * - Of all other instructions the second or third byte may be AC, with 80 or more after it. What
 *   stands before that AC goes first, by a transfer of its own, and the rest when it has been
 *   answered: then no frame can begin there.
 *
 * A turned bit in a fuse write's second byte or value is executed before anything could look at it;
 * reading back finds it. (A byte that arrives twice, which a UART does not make, would shift the
 * third byte into the value's place.) */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "jigs/drivers/stream_talk.h"
#include "jigs/isp.h"
#include "jigs/link_stream.h"
#include "jigs/programmer.h"

enum {
    GOOD = 0x01,

    ENTER_SPI = 0x01,     /* in bit-bang mode */
    RESET_UNIT = 0x0F,    /* in bit-bang mode: to the terminal */
    MEASURE = 0x14,       /* in bit-bang mode: the ADC */
    PINS_POWER = 0xC0,    /* in bit-bang mode: supply on */
    PINS_NOTHING = 0x80,  /* in bit-bang mode: supply off */
    END_SELF_TEST = 0xFF, /* which a stray 10 or 11 in bit-bang mode begins */

    LEAVE = 0x00,
    SPI_MODE = 0x01,
    RESET_LOW = 0x02,
    RESET_HIGH = 0x03,
    WRITE_THEN_READ = 0x05,
    EXTENDED = 0x06,
    EXTENDED_READ = 0x02,
    TRANSFER = 0x10,   /* + count - 1 */
    SUPPLY_OFF = 0x43, /* supply off, AUX and CS high */
    SUPPLY_ON = 0x4B,  /* supply on, AUX and CS high */
    SPEED = 0x60,
    MODE_0 = 0x8A /* lines driven to 3.3 V, SPI mode 0 */
};

/* SPI speeds by their index in SPEED, and the same fastest first. */
static const int64_t offered_hz[] = {8000000, 4000000, 2666666, 2000000,
                                     1000000, 250000,  125000,  30000};
#define SCK_COUNT (sizeof offered_hz / sizeof offered_hz[0])
#define KEEPS_PACE_HZ 125000 /* from here on a byte on SPI takes less than one at 115200 baud */

#define FRAME_BYTES 4
#define BATCH_MAX 4 /* instructions in one transfer of 16 bytes */
#define BATCH_BYTES (1 + BATCH_MAX * FRAME_BYTES)
/* Transfers on their way together: what comes back is as long as what goes there, and the unit's
 * 114.3 kBd instead of 115.2 make it fall behind by little more than a byte. */
#define RUN_BATCHES 8
#define BULK_HEADER 5
#define BULK_BYTES_MAX 4096
#define PAGE_BYTES_MAX 256  /* no part has longer pages */
#define READ_BYTES_MAX 4096 /* in one go: a third of a second */
#define READ_BYTES_MIN 16   /* below that single instructions are as good */
#define SEGMENT_BYTES 0x20000
#define WORDS_SUM_MAX 0xFFFF /* word address + bytes of 06 02 */

#define ZEROS_TO_ENTER 24     /* 20 are needed, and a few may be taken for something else */
#define ZEROS_TO_FILL 4200    /* what 05 may wait for, and a little more */
#define FLOOD_ROUNDS 2        /* at least… */
#define FIND_TIME_US 4000000  /* …and so long when it is claimed: it may have been held up */
#define FEED_COUNT 2          /* owed values: 00 and v may be missing */
#define FEED_ROUNDS 8         /* 05 takes five for its own header */
#define OWED_AFTER_ZERO 0x100 /* with owed_value: the second byte was sent, and not answered… */
#define OWED_STUCK 0x200      /* …nor was the zero after it */

#define FEED_SILENCE_US 300000
#define REPLY_SILENCE_US 1000000
#define QUIET_US 30000       /* nothing more comes: longer than an FTDI's latency timer */
#define LATE_QUIET_US 300000 /* …nor of what is late, where many share a core */
#define BANNER_SILENCE_US 700000
#define BANNER_QUIET_US 100000
#define DRAIN_LIMIT_US 8000000 /* 06 02 of 64 KiB may still be on its way */
#define REOPEN_TIME_US 5000000 /* some v4 leave the bus when they are reset */
#define REOPEN_PAUSE_US 200000

#define SUPPLY_LEAST_MV 2700 /* below, most parts are out of their range */
#define SUPPLY_US 50000      /* until a board that was switched on runs */
#define RESET_US 20000       /* "at least 20 ms" from RESET low to the first instruction */
#define PULSE_US 2000
#define TRIES 2 /* at each SCK */
#define LATE_TRIES 3

struct buspirate {
    struct programmer base;
    struct programmer_settings settings;
    struct link_stream *stream;
    int64_t byte_ns;     /* on the UART */
    bool in_terminal;    /* nothing is to be left there */
    bool in_spi;         /* the board may be held */
    bool out_of_step;    /* an exchange failed: recover() before the next one */
    bool has_bulk;       /* 05 */
    bool buffers;        /* …into a buffer, before anything reaches the board */
    bool has_read;       /* 06 02 */
    bool is_v3;          /* by its own words */
    bool paced, unpaced; /* pages were seen to take their time on a UART; or not to */
};

/* The end of what was heard while looking for the unit, for the message. */
struct heard {
    uint8_t bytes[12];
    size_t count;
};

static struct buspirate *self(struct programmer *programmer)
{
    return (struct buspirate *)programmer;
}

/* A command once begun is finished, so that a cancellation leaves nobody out of step. */
static struct operation steady(const struct operation *operation)
{
    struct operation same = *operation;

    same.cancel = NULL;
    return same;
}

/* ---- exchanges ---- */

static int fail_reply(struct buspirate *pirate, const char *asked, const char *expected,
                      const uint8_t *found, size_t count, struct failure *failure)
{
    char text[64];

    pirate->out_of_step = true;
    stream_talk_bytes_to_text(found, count, text, sizeof text);
    return failure_set(failure, FAILURE_PROGRAMMER_OUT_OF_STEP, "%s: answered %s, expected %s",
                       asked, text, expected);
}

static int send(struct buspirate *pirate, const uint8_t *bytes, size_t count,
                const struct operation *operation, struct failure *failure)
{
    if (link_stream_write(pirate->stream, bytes, count, operation, failure) == 0)
        return 0;
    pirate->out_of_step = true;
    return -1;
}

static int hear(struct buspirate *pirate, uint8_t *bytes, size_t count, int64_t silence_us,
                const struct operation *operation, struct failure *failure)
{
    if (link_stream_read(pirate->stream, bytes, count, silence_us, operation, NULL, failure) == 0)
        return 0;
    pirate->out_of_step = true;
    return -1;
}

/* Reads what there is until nothing came for `quiet_us`: fails only when the link does. */
static int hear_all(struct buspirate *pirate, uint8_t *bytes, size_t room, int64_t quiet_us,
                    size_t *received, const struct operation *operation, struct failure *failure)
{
    struct failure cause = {0};

    if (link_stream_read(pirate->stream, bytes, room, quiet_us, operation, received, &cause) == 0 ||
        cause.code == FAILURE_PROGRAMMER_SILENT)
        return 0;
    return failure_set(failure, cause.code, "%s", cause.detail);
}

/* Before every command: after a failure nothing is sent in this session but what lets go of the
 * board. A byte that nobody asked for means that the next answer would be taken for another's. */
static int begin(struct buspirate *pirate, const char *asked, const struct operation *operation,
                 struct failure *failure)
{
    struct operation whole = steady(operation);
    uint8_t extra[8];
    size_t count = 0;

    if (pirate->out_of_step)
        return failure_set(failure, FAILURE_PROGRAMMER_OUT_OF_STEP,
                           "after a failure only a new session finds back into step");
    if (operation_check(operation, failure) != 0 ||
        hear_all(pirate, extra, sizeof extra, 0, &count, &whole, failure) != 0)
        return -1;
    return count == 0 ? 0 : fail_reply(pirate, asked, "silence before it", extra, count, failure);
}

/* So many bytes both ways, and on SPI. */
static int64_t patience_us(const struct buspirate *pirate, size_t bytes)
{
    int64_t spi_us = pirate->base.sck_hz > 0 ? (int64_t)bytes * 8000000 / pirate->base.sck_hz : 0;

    return REPLY_SILENCE_US + (int64_t)bytes * pirate->byte_ns / 1000 + spi_us;
}

/* One command and its answer: 01, then data. */
static int exchange(struct buspirate *pirate, const char *asked, const uint8_t *command,
                    size_t count, uint8_t *data, size_t data_bytes,
                    const struct operation *operation, struct failure *failure)
{
    struct operation whole = steady(operation);
    int64_t silence_us = patience_us(pirate, count + data_bytes);
    uint8_t found[8];
    size_t more = 0;

    if (begin(pirate, asked, operation, failure) != 0 ||
        send(pirate, command, count, &whole, failure) != 0 ||
        hear(pirate, found, 1, silence_us, &whole, failure) != 0)
        return -1;
    if (found[0] == GOOD)
        return data_bytes > 0 ? hear(pirate, data, data_bytes, silence_us, &whole, failure) : 0;
    if (hear_all(pirate, found + 1, sizeof found - 1, QUIET_US, &more, &whole, failure) != 0)
        return -1;
    return fail_reply(pirate, asked, "01", found, 1 + more, failure);
}

static int command(struct buspirate *pirate, const char *asked, uint8_t byte,
                   const struct operation *operation, struct failure *failure)
{
    return exchange(pirate, asked, &byte, 1, NULL, 0, operation, failure);
}

/* A change of mode, which is answered with the mode's name. */
static int change_mode(struct buspirate *pirate, uint8_t byte, const char *name,
                       const struct operation *operation, struct failure *failure)
{
    struct operation whole = steady(operation);
    uint8_t found[8];
    size_t length = strlen(name);

    if (begin(pirate, name, operation, failure) != 0 ||
        send(pirate, &byte, 1, &whole, failure) != 0 ||
        hear(pirate, found, length, REPLY_SILENCE_US, &whole, failure) != 0)
        return -1;
    if (memcmp(found, name, length) == 0)
        return 0;
    return fail_reply(pirate, "change of mode", name, found, length, failure);
}

/* ---- finding the unit, in whatever mode, and finding back into step ---- */

static void keep_tail(struct heard *heard, const uint8_t *bytes, size_t count)
{
    size_t room = sizeof heard->bytes;
    size_t kept = heard->count;

    if (count >= room) {
        memcpy(heard->bytes, bytes + count - room, room);
        heard->count = room;
        return;
    }
    if (kept + count > room) {
        memmove(heard->bytes, heard->bytes + kept + count - room, room - count);
        kept = room - count;
    }
    memcpy(heard->bytes + kept, bytes, count);
    heard->count = kept + count;
}

static bool ends_in_bit_bang(const struct heard *heard)
{
    static const char name[5] = {'B', 'B', 'I', 'O', '1'};

    return heard->count >= sizeof name &&
           memcmp(heard->bytes + heard->count - sizeof name, name, sizeof name) == 0;
}

/* Sends what begins with `first`, then zeros, and hears until the unit is silent. */
static int knock(struct buspirate *pirate, uint8_t first, size_t zeros, struct heard *heard,
                 const struct operation *operation, struct failure *failure)
{
    uint8_t out[64] = {first}, in[256];
    int64_t limit_us = operation_now_us() + DRAIN_LIMIT_US;
    size_t count = 0;

    for (size_t sent = 0; sent < zeros; sent += sizeof out) {
        size_t left = zeros - sent;

        if (link_stream_write(pirate->stream, out, left < sizeof out ? left : sizeof out, operation,
                              failure) != 0)
            return -1;
        out[0] = 0;
    }
    do {
        if (hear_all(pirate, in, sizeof in, QUIET_US + (int64_t)zeros * pirate->byte_ns / 1000,
                     &count, operation, failure) != 0)
            return -1;
        keep_tail(heard, in, count);
    } while (count == sizeof in && operation_now_us() < limit_us);
    return 0;
}

/* Out of any menu, to a prompt. */
static int type_reset(struct buspirate *pirate, const struct operation *operation,
                      struct failure *failure)
{
    static const char keys[] = "\r\r\r\r\r\r\r\r\r\r#\r";

    for (size_t i = 0; i + 1 < sizeof keys; i++) {
        if (link_stream_write(pirate->stream, (const uint8_t *)&keys[i], 1, operation, failure) !=
            0)
            return -1;
        if (link_stream_drain(pirate->stream, i + 2 < sizeof keys ? PULSE_US : BANNER_SILENCE_US,
                              DRAIN_LIMIT_US, operation, failure) != 0)
            return -1;
    }
    return 0;
}

/* Sends a byte, perhaps several times, until something is answered. */
static int feed_until_answer(struct buspirate *pirate, uint8_t byte, int rounds, uint8_t *answer,
                             size_t *received, const struct operation *operation,
                             struct failure *failure)
{
    uint8_t more[64];
    size_t rest = 0;

    *received = 0;
    for (int i = 0; i < rounds && *received == 0; i++)
        if (link_stream_write(pirate->stream, &byte, 1, operation, failure) != 0 ||
            hear_all(pirate, answer, 1, FEED_SILENCE_US, received, operation, failure) != 0)
            return -1;
    return *received == 0
               ? 0
               : hear_all(pirate, more, sizeof more, QUIET_US, &rest, operation, failure);
}

static int fail_stuck(struct failure *failure)
{
    return failure_set(
        failure, FAILURE_PROGRAMMER_SILENT,
        "no answer within a fuse write: unplug it, any other byte could be taken for "
        "the value");
}

/* The second byte of a fuse write was not answered. A zero is its third byte if that arrived, and
 * makes it no instruction if not; what the board gives back for it tells which. It must not be sent
 * twice. */
static int settle_second_byte(struct buspirate *pirate, const struct operation *operation,
                              struct failure *failure)
{
    uint8_t answer = 0;
    size_t received = 0;

    if ((pirate->base.owed_value & OWED_STUCK) != 0)
        return fail_stuck(failure);
    pirate->base.owed_value |= OWED_STUCK;
    if (feed_until_answer(pirate, 0, 1, &answer, &received, operation, failure) != 0)
        return -1;
    if (received == 0)
        return fail_stuck(failure);
    pirate->base.owed_value = answer == 0xAC ? -1 : pirate->base.owed_value & 0xFF;
    return 0;
}

/* A fuse write may still wait for its last byte, or for its last two: see the top. Nothing else is
 * sent before two values were answered. A 04 or 05 that was taken for a command answers none. */
static int feed_owed_value(struct buspirate *pirate, const struct operation *operation,
                           struct failure *failure)
{
    uint8_t answer = 0;
    size_t received = 0;

    if (pirate->base.owed_value > 0xFF && settle_second_byte(pirate, operation, failure) != 0)
        return -1;
    int value = pirate->base.owed_value;
    for (int i = 0; i < FEED_COUNT && value >= 0; i++) {
        if (feed_until_answer(pirate, (uint8_t)value, FEED_ROUNDS, &answer, &received, operation,
                              failure) != 0)
            return -1;
        if (received == 0 && value != WRITE_THEN_READ && value != WRITE_THEN_READ - 1)
            return fail_stuck(failure);
    }
    return 0;
}

/* Where zeros are answered "BBIO1", and nothing reaches the board. The unit may be in its terminal,
 * in a menu, in any mode, or within a command. */
static int find_bit_bang(struct buspirate *pirate, struct heard *heard,
                         const struct operation *operation, struct failure *failure)
{
    int64_t end_us = pirate->base.answered ? 0 : operation_now_us() + FIND_TIME_US;

    if (link_stream_drain(pirate->stream, QUIET_US, DRAIN_LIMIT_US, operation, failure) != 0 ||
        feed_owed_value(pirate, operation, failure) != 0 ||
        knock(pirate, LEAVE, ZEROS_TO_ENTER, heard, operation, failure) != 0)
        return -1;
    for (int i = 0; (i < FLOOD_ROUNDS || operation_now_us() < end_us) && !ends_in_bit_bang(heard);
         i++) {
        if (knock(pirate, LEAVE, ZEROS_TO_FILL, heard, operation, failure) != 0)
            return -1;
        if (!ends_in_bit_bang(heard) &&
            (type_reset(pirate, operation, failure) != 0 ||
             knock(pirate, END_SELF_TEST, ZEROS_TO_ENTER + 1, heard, operation, failure) != 0))
            return -1;
    }
    return 0;
}

/* One that was claimed as a Bus Pirate is still taken for one. */
static int fail_to_find(const struct buspirate *pirate, const struct heard *heard,
                        struct failure *failure)
{
    enum failure_code code =
        pirate->base.answered ? FAILURE_PROGRAMMER_OUT_OF_STEP : FAILURE_PROGRAMMER_UNKNOWN;
    char text[64];

    if (heard->count == 0)
        return failure_set(failure, FAILURE_PROGRAMMER_SILENT, "no answer to zeros");
    stream_talk_bytes_to_text(heard->bytes, heard->count, text, sizeof text);
    return failure_set(failure, code, "answered … %s, expected a Bus Pirate's 'BBIO1'", text);
}

/* Its name, and nothing else: of the many that zeros are answered with, some may be late. */
static int confirm_bit_bang(struct buspirate *pirate, const struct operation *operation,
                            struct failure *failure)
{
    struct failure cause = {0};

    for (int i = 0; i < LATE_TRIES; i++) {
        pirate->out_of_step = false;
        if (change_mode(pirate, LEAVE, "BBIO1", operation, &cause) == 0)
            return 0;
        if (cause.code != FAILURE_PROGRAMMER_OUT_OF_STEP)
            break;
        if (link_stream_drain(pirate->stream, LATE_QUIET_US, DRAIN_LIMIT_US, operation, failure) !=
            0)
            return -1;
    }
    return failure_set(failure, cause.code, "%s", cause.detail);
}

/* To bit-bang mode from anywhere, with all pins let go, and in step. */
static int recover(struct buspirate *pirate, const struct operation *operation,
                   struct failure *failure)
{
    struct failure cause = {0};
    struct heard heard = {0};

    if (find_bit_bang(pirate, &heard, operation, &cause) != 0 &&
        (cause.code != FAILURE_DEADLINE || ends_in_bit_bang(&heard)))
        return failure_set(failure, cause.code, "%s", cause.detail);
    if (!ends_in_bit_bang(&heard))
        return fail_to_find(pirate, &heard, failure);
    if (confirm_bit_bang(pirate, operation, failure) != 0)
        return -1;
    pirate->base.owed_value = -1;
    pirate->in_spi = pirate->in_terminal = false;
    return 0;
}

/* ---- what it is ---- */

/* Copies the word at `from`, as far as it is fit to be shown. */
static void copy_word(char *to, size_t room, const char *from)
{
    size_t used = 0;

    while (used + 1 < room && from[used] > ' ' && from[used] <= '~') {
        to[used] = from[used];
        used++;
    }
    to[used] = '\0';
}

/* "Bus Pirate v3b, firmware 6.1". False when the greeting does not tell both. */
static bool describe(struct buspirate *pirate, const char *banner)
{
    const char *hardware = strstr(banner, "Bus Pirate v");
    const char *firmware = strstr(banner, "irmware v");
    char hardware_text[8] = "", firmware_text[24] = "";

    if (hardware != NULL)
        copy_word(hardware_text, sizeof hardware_text, hardware + strlen("Bus Pirate "));
    if (firmware != NULL)
        copy_word(firmware_text, sizeof firmware_text, firmware + strlen("irmware v"));
    pirate->is_v3 = hardware_text[0] == 'v' && hardware_text[1] == '3';
    snprintf(pirate->base.firmware, sizeof pirate->base.firmware, "Bus Pirate%s%s%s%s",
             hardware != NULL ? " " : "", hardware_text, firmware != NULL ? ", firmware " : "",
             firmware_text);
    return hardware != NULL && firmware != NULL;
}

/* A unit that left the bus comes back at the same place. */
static int reopen(struct buspirate *pirate, const struct operation *operation,
                  struct failure *failure)
{
    int64_t end_us = operation_now_us() + REOPEN_TIME_US;

    link_stream_close(pirate->stream);
    pirate->stream = NULL;
    for (;;) {
        struct failure cause = {0};

        if (link_stream_open(&pirate->settings.place, pirate->settings.baud, operation,
                             &pirate->stream, &cause) == 0)
            return 0;
        if (operation_now_us() >= end_us)
            return failure_set(failure, cause.code, "%s", cause.detail);
        if (operation_sleep_us(operation, REOPEN_PAUSE_US, failure) != 0)
            return -1;
    }
}

/* Its greeting: a v3 is reset and says it by itself, a v4 when it is asked. */
static int read_banner(struct buspirate *pirate, char *banner, size_t room,
                       const struct operation *operation, struct failure *failure)
{
    static const uint8_t leave[] = {RESET_UNIT}, ask[] = {'\r', 'i', '\r'};
    uint8_t *bytes = (uint8_t *)banner;
    size_t first = 0, count = 0, more = 0;

    pirate->in_terminal = true;
    if (link_stream_write(pirate->stream, leave, sizeof leave, operation, failure) != 0 ||
        hear_all(pirate, bytes, 2, BANNER_SILENCE_US, &first, operation, failure) != 0 ||
        hear_all(pirate, bytes + first, room - 1 - first, BANNER_QUIET_US, &count, operation,
                 failure) != 0)
        return -1;
    count += first;
    banner[count] = '\0';
    if (memmem(banner, count, "Bus Pirate v", 12) == NULL &&
        (link_stream_write(pirate->stream, ask, sizeof ask, operation, failure) != 0 ||
         hear_all(pirate, bytes + count, room - 1 - count, BANNER_QUIET_US, &more, operation,
                  failure) != 0))
        return -1;
    banner[count + more] = '\0';
    for (size_t i = 0; i < count + more; i++)
        if (banner[i] == '\0')
            banner[i] = ' ';
    return 0;
}

static int ask_name_once(struct buspirate *pirate, bool *told, const struct operation *operation,
                         struct failure *failure)
{
    struct failure cause = {0};
    char banner[512] = "";

    if (read_banner(pirate, banner, sizeof banner, operation, &cause) != 0) {
        if (cause.code != FAILURE_PROGRAMMER_GONE)
            return failure_set(failure, cause.code, "%s", cause.detail);
        if (reopen(pirate, operation, failure) != 0)
            return -1;
    }
    *told = describe(pirate, banner);
    return recover(pirate, operation, failure);
}

/* How fast it may be spoken to hangs on what it is: a greeting that did not come is asked for
 * again. */
static int ask_name(struct buspirate *pirate, const struct operation *operation,
                    struct failure *failure)
{
    bool told = false;

    for (int i = 0; i < LATE_TRIES && !told; i++)
        if (ask_name_once(pirate, &told, operation, failure) != 0)
            return -1;
    return 0;
}

static int enter_spi(struct buspirate *pirate, const struct operation *operation,
                     struct failure *failure)
{
    pirate->in_spi = true;
    return change_mode(pirate, ENTER_SPI, "SPI1", operation, failure);
}

/* So many bytes, which come whatever firmware it is, and what follows them. */
static int hear_answer(struct buspirate *pirate, uint8_t *bytes, size_t room, size_t wanted,
                       size_t *received, const struct operation *operation, struct failure *failure)
{
    size_t more = 0;

    if (hear_all(pirate, bytes, wanted, REPLY_SILENCE_US, received, operation, failure) != 0 ||
        hear_all(pirate, bytes + *received, room - *received, QUIET_US, &more, operation,
                 failure) != 0)
        return -1;
    *received += more;
    return 0;
}

/* Sends a command that not every firmware has, and ends in the one mode or the other: both are
 * left. Each firmware has at least `wanted` bytes to say, so fewer are a late answer, and it is
 * asked again. */
static int try_command(struct buspirate *pirate, const uint8_t *bytes, size_t count, size_t wanted,
                       struct heard *heard, const struct operation *operation,
                       struct failure *failure)
{
    heard->count = 0;
    for (int i = 0; i < LATE_TRIES && heard->count < wanted; i++)
        if (enter_spi(pirate, operation, failure) != 0 ||
            send(pirate, bytes, count, operation, failure) != 0 ||
            hear_answer(pirate, heard->bytes, sizeof heard->bytes, wanted, &heard->count, operation,
                        failure) != 0 ||
            recover(pirate, operation, failure) != 0)
            return -1;
    if (heard->count > 0)
        return 0;
    pirate->out_of_step = true;
    return failure_set(failure, FAILURE_PROGRAMMER_SILENT, "no answer to %02X in SPI mode",
                       bytes[0]);
}

/* Nothing is powered or driven yet. Reading one byte is what both kinds of 05 do; moving none is
 * what only the one with a buffer does. A firmware without the command says 00 to it, and more to
 * what follows. */
static int probe(struct buspirate *pirate, const struct operation *operation,
                 struct failure *failure)
{
    static const uint8_t read_one[] = {WRITE_THEN_READ, 0, 0, 0, 1};
    static const uint8_t move_none[] = {WRITE_THEN_READ, 0, 0, 0, 0, SPI_MODE};
    static const uint8_t no_operation[] = {EXTENDED, 0};
    struct heard heard = {0};

    if (try_command(pirate, read_one, sizeof read_one, 2, &heard, operation, failure) != 0)
        return -1;
    pirate->has_bulk = heard.count == 2 && heard.bytes[0] == GOOD;
    if (try_command(pirate, no_operation, sizeof no_operation, 2, &heard, operation, failure) != 0)
        return -1;
    pirate->has_read = heard.count == 2 && heard.bytes[0] == GOOD && heard.bytes[1] == GOOD;
    if (!pirate->has_bulk)
        return 0;
    if (try_command(pirate, move_none, sizeof move_none, 5, &heard, operation, failure) != 0)
        return -1;
    pirate->buffers =
        heard.count == 5 && heard.bytes[0] == GOOD && memcmp(heard.bytes + 1, "SPI1", 4) == 0;
    return 0;
}

static int claim(struct programmer *programmer, const struct programmer_settings *settings,
                 const struct operation *operation, struct failure *failure)
{
    struct buspirate *pirate = self(programmer);

    pirate->settings = *settings;
    pirate->byte_ns = 10 * INT64_C(1000000000) / settings->baud;
    pirate->in_terminal = true; /* unless it says something else */
    if (link_stream_open(&settings->place, settings->baud, operation, &pirate->stream, failure) !=
            0 ||
        recover(pirate, operation, failure) != 0)
        return -1;
    programmer->answered = true;
    if (ask_name(pirate, operation, failure) != 0)
        return -1;
    return probe(pirate, operation, failure);
}

/* ---- sessions ---- */

/* RESET high, supply off, all pins let go. */
static int let_go(struct buspirate *pirate, const struct operation *operation,
                  struct failure *failure)
{
    if (command(pirate, "RESET high", RESET_HIGH, operation, failure) != 0 ||
        operation_sleep_us(operation, PULSE_US, failure) != 0 ||
        command(pirate, "supply off", SUPPLY_OFF, operation, failure) != 0 ||
        change_mode(pirate, LEAVE, "BBIO1", operation, failure) != 0)
        return -1;
    pirate->in_spi = false;
    return 0;
}

static int release(struct programmer *programmer, const struct operation *operation,
                   struct failure *failure)
{
    struct buspirate *pirate = self(programmer);

    if (!pirate->out_of_step && let_go(pirate, operation, NULL) == 0)
        return 0;
    return recover(pirate, operation, failure);
}

static void unclaim(struct programmer *programmer)
{
    static const uint8_t to_terminal = RESET_UNIT;
    struct buspirate *pirate = self(programmer);
    struct operation operation = {.deadline_us = operation_now_us() + 3 * REPLY_SILENCE_US};

    if (pirate->stream == NULL)
        return;
    if ((pirate->in_spi && release(programmer, &operation, NULL) != 0) || pirate->in_terminal)
        goto close;
    link_stream_write(pirate->stream, &to_terminal, 1, &operation, NULL);
    link_stream_drain(pirate->stream, QUIET_US, REPLY_SILENCE_US, &operation, NULL);
close:
    link_stream_close(pirate->stream);
    pirate->stream = NULL;
}

static int pass_transfer(struct buspirate *pirate, const char *asked, const uint8_t *bytes,
                         size_t count, uint8_t *answers, const struct operation *operation,
                         struct failure *failure)
{
    uint8_t frame[1 + BATCH_MAX * FRAME_BYTES] = {(uint8_t)(TRANSFER + count - 1)};

    memcpy(frame + 1, bytes, count);
    return exchange(pirate, asked, frame, 1 + count, answers, count, operation, failure);
}

/* AC 53; the third byte that comes back must be 53, where the part gives it. */
static int enable(struct buspirate *pirate, bool *enabled, const struct operation *operation,
                  struct failure *failure)
{
    const struct isp_instruction instruction = isp_programming_enable();
    const struct part *part = pirate->base.part;
    uint8_t bytes[FRAME_BYTES], answers[FRAME_BYTES];

    if (isp_door_open(part, &instruction, pirate->base.session, bytes, failure) != 0 ||
        pass_transfer(pirate, "AC 53", bytes, sizeof bytes, answers, operation, failure) != 0)
        return -1;
    *enabled = answers[2] == 0x53 || !part->sync_echo;
    return 0;
}

static int try_sck(struct buspirate *pirate, size_t sck, bool *enabled,
                   const struct operation *operation, struct failure *failure)
{
    uint8_t speed = (uint8_t)(SPEED + SCK_COUNT - 1 - sck);

    pirate->base.sck_hz = offered_hz[sck];
    if (command(pirate, "speed", speed, operation, failure) != 0)
        return -1;
    for (int i = 0; i < TRIES && !*enabled; i++)
        if (command(pirate, "RESET high", RESET_HIGH, operation, failure) != 0 ||
            operation_sleep_us(operation, PULSE_US, failure) != 0 ||
            command(pirate, "RESET low", RESET_LOW, operation, failure) != 0 ||
            operation_sleep_us(operation, RESET_US, failure) != 0 ||
            enable(pirate, enabled, operation, failure) != 0)
            return -1;
    return 0;
}

/* What the ADC's probe says about the board's supply: switched on again by the pins of the bit-bang
 * mode, because SPI mode has no ADC. "" where it says nothing. */
static void read_supply(struct buspirate *pirate, char *text, size_t text_bytes,
                        const struct operation *operation)
{
    static const uint8_t on[] = {PINS_POWER}, measure[] = {MEASURE}, off[] = {PINS_NOTHING};
    uint8_t found[2] = {0};

    text[0] = '\0';
    if (let_go(pirate, operation, NULL) != 0 || send(pirate, on, 1, operation, NULL) != 0 ||
        hear(pirate, found, 1, REPLY_SILENCE_US, operation, NULL) != 0 ||
        operation_sleep_us(operation, RESET_US, NULL) != 0 ||
        send(pirate, measure, 1, operation, NULL) != 0 ||
        hear(pirate, found, 2, REPLY_SILENCE_US, operation, NULL) != 0)
        return;
    int64_t mv =
        (found[0] << 8 | found[1]) * INT64_C(6600) / 1024; /* 10 bits, halved by resistors */
    /* Without a wire the probe measures nothing, so this is no proof. */
    snprintf(text, text_bytes, "; its ADC probe measures %" PRId64 ".%" PRId64 " V%s", mv / 1000,
             mv % 1000 / 100, mv < SUPPLY_LEAST_MV ? ": no supply, or it does not hang on it" : "");
    if (send(pirate, off, 1, operation, NULL) == 0)
        hear(pirate, found, 1, REPLY_SILENCE_US, operation, NULL);
}

static int step_down(struct buspirate *pirate, size_t first, const struct operation *operation,
                     struct failure *failure)
{
    char supply[96];
    size_t now = first;
    bool enabled = false;

    for (size_t next = first; next < SCK_COUNT;) {
        now = next;
        if (try_sck(pirate, now, &enabled, operation, failure) != 0)
            return -1;
        if (enabled)
            return 0;
        next = programmer_next_sck(offered_hz, SCK_COUNT, now);
    }
    read_supply(pirate, supply, sizeof supply, operation);
    return failure_set(failure, FAILURE_NO_BOARD,
                       "no answer to AC 53, at SCK from %" PRId64 " down to %" PRId64 " Hz%s",
                       offered_hz[first], offered_hz[now], supply);
}

/* The unit's own supply is switched on: boards that are wired to it need it, to others it makes no
 * difference. */
static int begin_session(struct buspirate *pirate, const struct operation *operation,
                         struct failure *failure)
{
    if (pirate->out_of_step || pirate->in_spi || pirate->in_terminal) {
        if (recover(pirate, operation, failure) != 0)
            return -1;
    } else if (change_mode(pirate, LEAVE, "BBIO1", operation, NULL) != 0 &&
               recover(pirate, operation, failure) != 0) {
        return -1;
    }
    if (enter_spi(pirate, operation, failure) != 0 ||
        command(pirate, "mode 0", MODE_0, operation, failure) != 0 ||
        command(pirate, "supply on", SUPPLY_ON, operation, failure) != 0)
        return -1;
    return operation_sleep_us(operation, SUPPLY_US, failure);
}

static int attach(struct programmer *programmer, const struct operation *operation,
                  struct failure *failure)
{
    struct buspirate *pirate = self(programmer);
    size_t first = programmer_pick_sck(programmer, offered_hz, SCK_COUNT);

    if (first == SCK_COUNT)
        return failure_set(failure, FAILURE_PROGRAMMER_REFUSED,
                           "its slowest SCK, %" PRId64 " Hz, is too fast for a board at %" PRId64
                           " Hz",
                           offered_hz[SCK_COUNT - 1], programmer_target_hz(programmer));
    if (begin_session(pirate, operation, failure) == 0 &&
        step_down(pirate, first, operation, failure) == 0)
        return 0;
    struct operation out = {.deadline_us = operation_now_us() + 3 * REPLY_SILENCE_US};
    if (pirate->in_spi || pirate->out_of_step)
        (void)release(programmer, &out, NULL); /* the reason stands already */
    return -1;
}

/* ---- single instructions ---- */

static bool is_chip_erase(const uint8_t bytes[FRAME_BYTES])
{
    return bytes[0] == 0xAC && (bytes[1] & 0xE0) == 0x80;
}

/* The value is owed from when the second byte may have arrived until the last one was answered. */
static int owed_after(const uint8_t bytes[FRAME_BYTES], int sent)
{
    static const int flags[FRAME_BYTES] = {0, OWED_AFTER_ZERO, 0, 0};

    return sent == 0 ? -1 : bytes[3] | flags[sent];
}

/* One byte at a time, each when the one before was answered: see the top. */
static int write_fuse(struct buspirate *pirate, const uint8_t bytes[FRAME_BYTES],
                      uint8_t answers[FRAME_BYTES], const struct operation *operation,
                      struct failure *failure)
{
    struct operation whole = steady(operation);

    if (command(pirate, "fuse write", TRANSFER + FRAME_BYTES - 1, operation, failure) != 0)
        return -1;
    for (int i = 0; i < FRAME_BYTES; i++) {
        pirate->base.owed_value = owed_after(bytes, i);
        if (send(pirate, bytes + i, 1, &whole, failure) != 0 ||
            hear(pirate, answers + i, 1, patience_us(pirate, 2), &whole, failure) != 0)
            return -1;
        if (i == 0)
            continue;
        pirate->base.owed_value = bytes[3]; /* what was answered has arrived */
        if (i < FRAME_BYTES - 1 && pirate->base.part->sync_echo && answers[i] != bytes[i - 1]) {
            pirate->out_of_step = true;
            return failure_set(failure, FAILURE_CONTACT_LOST,
                               "sent %02X in a fuse write, of which the board gave back %02X",
                               bytes[i - 1], answers[i]);
        }
        if (i < FRAME_BYTES - 1 && begin(pirate, "fuse write", &whole, failure) != 0)
            return -1;
    }
    pirate->base.owed_value = -1;
    return 0;
}

/* In two transfers, the second when the first has been answered. */
static int pass_in_two(struct buspirate *pirate, const uint8_t bytes[FRAME_BYTES], size_t first,
                       uint8_t answers[FRAME_BYTES], const struct operation *operation,
                       struct failure *failure)
{
    if (pass_transfer(pirate, "instruction", bytes, first, answers, operation, failure) != 0)
        return -1;
    if (is_chip_erase(bytes) && isp_check_heard(pirate->base.part, bytes, answers, failure) != 0) {
        pirate->out_of_step = true; /* nothing may complete it */
        return -1;
    }
    return pass_transfer(pirate, "instruction", bytes + first, FRAME_BYTES - first, answers + first,
                         operation, failure);
}

/* How many bytes stand before an AC that 80 or more follows; 0: there is none. */
static size_t bytes_before_ac(const uint8_t bytes[FRAME_BYTES])
{
    for (size_t i = 1; i + 1 < FRAME_BYTES; i++)
        if (bytes[i] == 0xAC && bytes[i + 1] >= 0x80)
            return i;
    return 0;
}

static int instruct(struct programmer *programmer, const struct isp_instruction *instruction,
                    uint8_t *reply, const struct operation *operation, struct failure *failure)
{
    struct buspirate *pirate = self(programmer);
    uint8_t bytes[FRAME_BYTES], answers[FRAME_BYTES] = {0};
    int result;

    *reply = 0;
    if (isp_door_open(programmer->part, instruction, programmer->session, bytes, failure) != 0)
        return -1;
    size_t first = is_chip_erase(bytes) ? 3 : bytes_before_ac(bytes);
    if (isp_writes_fuse_or_lock(bytes))
        result = write_fuse(pirate, bytes, answers, operation, failure);
    else if (first != 0)
        result = pass_in_two(pirate, bytes, first, answers, operation, failure);
    else
        result =
            pass_transfer(pirate, "instruction", bytes, sizeof bytes, answers, operation, failure);
    *reply = answers[3];
    if (result != 0 || !isp_changes_board(bytes))
        return result;
    return isp_check_heard(pirate->base.part, bytes, answers, failure);
}

/* Instructions that go out in one transfer: none of them changes fuses, and none needs two. */
struct batch {
    uint8_t bytes[BATCH_MAX * FRAME_BYTES];
    uint8_t answers[BATCH_MAX * FRAME_BYTES];
    size_t count;
};

/* At slow SCK the unit's UART overruns while a byte is on SPI. */
static size_t batch_room(const struct buspirate *pirate)
{
    return pirate->base.sck_hz >= KEEPS_PACE_HZ ? BATCH_MAX : 1;
}

static int send_batch(struct buspirate *pirate, struct batch *batch,
                      const struct operation *operation, struct failure *failure)
{
    size_t count = batch->count;

    batch->count = 0;
    if (count == 0)
        return 0;
    return pass_transfer(pirate, "instructions", batch->bytes, count * FRAME_BYTES, batch->answers,
                         operation, failure);
}

/* False when it has to go by itself. */
static int add_to_batch(struct buspirate *pirate, struct batch *batch,
                        struct isp_instruction instruction, bool *added, struct failure *failure)
{
    uint8_t bytes[FRAME_BYTES];

    *added = false;
    if (isp_door_open(pirate->base.part, &instruction, pirate->base.session, bytes, failure) != 0)
        return -1;
    if (bytes_before_ac(bytes) != 0)
        return 0;
    memcpy(batch->bytes + batch->count++ * FRAME_BYTES, bytes, sizeof bytes);
    *added = true;
    return 0;
}

/* ---- reading ---- */

/* By single instructions, some at a time. */
static int read_singly(struct buspirate *pirate, enum part_memory memory, uint32_t start,
                       uint8_t *bytes, uint32_t count, const struct operation *operation,
                       struct failure *failure)
{
    struct batch batch = {.count = 0};
    uint32_t done = 0;

    while (done < count) {
        bool added = true;
        uint32_t some = 0;

        while (added && done + some < count && batch.count < batch_room(pirate)) {
            if (add_to_batch(pirate, &batch, isp_read_at(memory, start + done + some), &added,
                             failure) != 0)
                return -1;
            some += added;
        }
        if (send_batch(pirate, &batch, operation, failure) != 0)
            return -1;
        for (uint32_t i = 0; i < some; i++)
            bytes[done++] = batch.answers[i * FRAME_BYTES + 3];
        if (!added) {
            struct isp_instruction read = isp_read_at(memory, start + done);

            if (instruct(&pirate->base, &read, &bytes[done], operation, failure) != 0)
                return -1;
            done++;
        }
    }
    return 0;
}

/* The same for `count` bytes of EEPROM, a multiple of BATCH_MAX: no instruction of these has AC and
 * 80 or more in it. */
static int read_run(struct buspirate *pirate, uint32_t start, uint8_t *bytes, uint32_t count,
                    const struct operation *operation, struct failure *failure)
{
    uint8_t sent[RUN_BATCHES * BATCH_BYTES], answers[sizeof sent];
    struct operation whole = steady(operation);
    size_t used = 0;

    for (uint32_t i = 0; i < count; i++, used += FRAME_BYTES) {
        struct isp_instruction read = isp_read_eeprom(start + i);

        if (i % BATCH_MAX == 0)
            sent[used++] = TRANSFER + BATCH_MAX * FRAME_BYTES - 1;
        if (isp_door_open(pirate->base.part, &read, pirate->base.session, sent + used, failure) !=
            0)
            return -1;
    }
    if (begin(pirate, "reading EEPROM", operation, failure) != 0 ||
        send(pirate, sent, used, &whole, failure) != 0 ||
        hear(pirate, answers, used, patience_us(pirate, used), &whole, failure) != 0)
        return -1;
    for (size_t at = 0; at < used; at += BATCH_BYTES) {
        if (answers[at] != GOOD)
            return fail_reply(pirate, "reading EEPROM", "01", answers + at, 1, failure);
        for (size_t i = 1; i <= BATCH_MAX; i++)
            *bytes++ = answers[at + i * FRAME_BYTES];
    }
    return 0;
}

/* How many bytes of flash at `address` the unit reads by itself; 0: none. */
static uint32_t fast_bytes(const struct buspirate *pirate, uint32_t address, uint32_t count)
{
    uint32_t word = address % SEGMENT_BYTES / 2;
    uint32_t most = WORDS_SUM_MAX - word;

    if (!pirate->has_read || address % 2 != 0)
        return 0;
    if (most > READ_BYTES_MAX)
        most = READ_BYTES_MAX;
    if (most > count)
        most = count;
    most -= most < count ? most % 2 : 0; /* the next one begins with a word */
    return most >= READ_BYTES_MIN ? most : 0;
}

static int read_fast(struct buspirate *pirate, uint32_t address, uint8_t *bytes, uint32_t count,
                     const struct operation *operation, struct failure *failure)
{
    uint32_t word = address % SEGMENT_BYTES / 2;
    const uint8_t read[] = {EXTENDED,
                            EXTENDED_READ,
                            0,
                            0,
                            (uint8_t)(word >> 8),
                            (uint8_t)word,
                            0,
                            0,
                            (uint8_t)(count >> 8),
                            (uint8_t)count};
    struct operation whole = steady(operation);
    uint8_t good[1];

    if (exchange(pirate, "reading flash", read, sizeof read, good, sizeof good, operation,
                 failure) != 0)
        return -1;
    if (good[0] != GOOD)
        return fail_reply(pirate, "reading flash", "01 after its address", good, 1, failure);
    return hear(pirate, bytes, count, patience_us(pirate, 4 * FRAME_BYTES), &whole, failure);
}

static int read_flash(struct buspirate *pirate, uint32_t start, uint8_t *bytes, uint32_t count,
                      const struct operation *operation, struct failure *failure)
{
    for (uint32_t done = 0; done < count;) {
        uint32_t address = start + done;
        uint32_t fast = fast_bytes(pirate, address, count - done);
        uint32_t left = SEGMENT_BYTES - address % SEGMENT_BYTES;
        uint32_t some = address % 2 != 0 ? 1 : READ_BYTES_MIN;

        some = some < left ? some : left;
        some = some < count - done ? some : count - done;
        if (isp_select_segment(&pirate->base, address, operation, failure) != 0)
            return -1;
        if (fast != 0 ? read_fast(pirate, address, bytes + done, fast, operation, failure) != 0
                      : read_singly(pirate, PART_FLASH, address, bytes + done, some, operation,
                                    failure) != 0)
            return -1;
        done += fast != 0 ? fast : some;
        operation_progress(operation, done);
    }
    return 0;
}

static int read_eeprom(struct buspirate *pirate, uint32_t start, uint8_t *bytes, uint32_t count,
                       const struct operation *operation, struct failure *failure)
{
    for (uint32_t done = 0, some; done < count; done += some) {
        uint32_t left = count - done, run = RUN_BATCHES * BATCH_MAX;
        bool together = batch_room(pirate) == BATCH_MAX && left >= run;

        some = together ? run : left < READ_BYTES_MIN ? left : READ_BYTES_MIN;
        if (together ? read_run(pirate, start + done, bytes + done, some, operation, failure) != 0
                     : read_singly(pirate, PART_EEPROM, start + done, bytes + done, some, operation,
                                   failure) != 0)
            return -1;
        operation_progress(operation, done + some);
    }
    return 0;
}

static int read(struct programmer *programmer, enum part_memory memory, uint32_t start,
                uint8_t *bytes, uint32_t count, const struct operation *operation,
                struct failure *failure)
{
    if (memory == PART_FLASH)
        return read_flash(self(programmer), start, bytes, count, operation, failure);
    if (memory == PART_EEPROM)
        return read_eeprom(self(programmer), start, bytes, count, operation, failure);
    return isp_read(programmer, memory, start, bytes, count, operation, failure);
}

/* ---- writing ---- */

/* Instructions without a permit that go out together: in one 05 where the firmware has it and the
 * UART cannot overrun, else in transfers of a few. */
struct series {
    uint8_t bytes[BULK_HEADER + (PAGE_BYTES_MAX + 1) * FRAME_BYTES];
    size_t used;
};

static bool goes_in_bulk(const struct buspirate *pirate)
{
    return pirate->has_bulk &&
           (pirate->buffers || !pirate->is_v3 || pirate->base.sck_hz >= KEEPS_PACE_HZ);
}

static int add_to_series(struct buspirate *pirate, struct series *series,
                         struct isp_instruction instruction, struct failure *failure)
{
    if (series->used == 0)
        series->used = BULK_HEADER;
    if (isp_door_open(pirate->base.part, &instruction, pirate->base.session,
                      series->bytes + series->used, failure) != 0)
        return -1;
    series->used += FRAME_BYTES;
    return 0;
}

static int send_in_transfers(struct buspirate *pirate, const struct series *series,
                             const struct operation *operation, struct failure *failure)
{
    size_t most = batch_room(pirate) * FRAME_BYTES;
    uint8_t answers[BATCH_MAX * FRAME_BYTES];

    for (size_t at = BULK_HEADER, some; at < series->used; at += some) {
        some = series->used - at < most ? series->used - at : most;
        if (pass_transfer(pirate, "page", series->bytes + at, some, answers, operation, failure) !=
            0)
            return -1;
    }
    return 0;
}

static int send_series(struct buspirate *pirate, struct series *series,
                       const struct operation *operation, struct failure *failure)
{
    size_t count = series->used - BULK_HEADER;
    const uint8_t header[BULK_HEADER] = {WRITE_THEN_READ, (uint8_t)(count >> 8), (uint8_t)count, 0,
                                         0};

    if (!goes_in_bulk(pirate))
        return send_in_transfers(pirate, series, operation, failure);
    memcpy(series->bytes, header, sizeof header);
    return exchange(pirate, "page", series->bytes, series->used, NULL, 0, operation, failure);
}

/* What loads `count` bytes and writes them, in one series; `commit` by itself where its address
 * could be taken for a beginning (see the top). */
static int finish_series(struct buspirate *pirate, struct series *series,
                         struct isp_instruction commit, const struct operation *operation,
                         struct failure *failure)
{
    uint8_t unheard;

    if (bytes_before_ac(commit.bytes) == 0)
        return add_to_series(pirate, series, commit, failure) != 0
                   ? -1
                   : send_series(pirate, series, operation, failure);
    if (send_series(pirate, series, operation, failure) != 0)
        return -1;
    return instruct(&pirate->base, &commit, &unheard, operation, failure);
}

/* Words that stay FF are not loaded. */
static int load_page(struct buspirate *pirate, struct series *series, uint32_t address,
                     const uint8_t *bytes, struct failure *failure)
{
    const struct part *part = pirate->base.part;

    series->used = 0;
    for (uint32_t i = 0; i < part->flash.page_size; i++)
        if (!isp_is_blank(bytes + (i & ~1U), 2) &&
            add_to_series(pirate, series, isp_load_flash(part, address + i, bytes[i]), failure) !=
                0)
            return -1;
    return 0;
}

/* Whole pages of flash. */
struct pages {
    uint32_t start;
    const uint8_t *bytes;
    uint32_t count;
    int64_t written; /* page that the part may still be busy with, from `start`; -1: none */
};

/* On the wire. */
static int64_t series_us(const struct buspirate *pirate, const struct series *series)
{
    return (int64_t)(series->used + FRAME_BYTES) * pirate->byte_ns / 1000;
}

/* A v3 with a buffer begins to load a page only when all of it has come over its UART: meanwhile
 * the page before is written, also when the part takes twice and a half the datasheet's time. That
 * the bytes do take their time was seen with the pages before. */
static bool waits_for_free(const struct buspirate *pirate, const struct series *series)
{
    int64_t write_us = pirate->base.part->flash.write_delay_us;

    return pirate->buffers && pirate->is_v3 && pirate->paced && !pirate->unpaced &&
           goes_in_bulk(pirate) && 2 * series_us(pirate, series) >= 5 * write_us;
}

static int wait_for_page(struct buspirate *pirate, struct pages *pages,
                         const struct operation *operation, struct failure *failure)
{
    int64_t at = pages->written;

    pages->written = -1;
    if (at < 0)
        return 0;
    return isp_wait_written(&pirate->base, PART_FLASH, pages->start + (uint32_t)at,
                            pages->bytes + at, pirate->base.part->flash.page_size, operation,
                            failure);
}

/* `*again` when it went out without waiting for the page before, but was there sooner than a UART
 * carries it: then the part may have been busy. */
static int send_page(struct buspirate *pirate, struct pages *pages, uint32_t at,
                     struct series *series, bool *again, const struct operation *operation,
                     struct failure *failure)
{
    bool free_wait = waits_for_free(pirate, series);

    if (!free_wait && wait_for_page(pirate, pages, operation, failure) != 0)
        return -1;
    int64_t start_us = operation_now_us();
    if (finish_series(pirate, series, isp_write_flash_page(pages->start + at), operation,
                      failure) != 0)
        return -1;
    bool in_time = operation_now_us() - start_us >= series_us(pirate, series) * 9 / 10;
    pirate->paced |= in_time;
    pirate->unpaced |= !in_time;
    *again = free_wait && !in_time;
    pages->written = at;
    return 0;
}

static int write_pages(struct buspirate *pirate, struct pages *pages,
                       const struct operation *operation, struct failure *failure)
{
    uint32_t page_size = pirate->base.part->flash.page_size;
    struct series series;

    for (uint32_t at = 0; at < pages->count; at += page_size) {
        bool again = !isp_is_blank(pages->bytes + at, page_size);
        uint32_t address = pages->start + at;

        while (again) {
            uint32_t segment = address % SEGMENT_BYTES;

            if (segment == 0 && wait_for_page(pirate, pages, operation, failure) != 0)
                return -1;
            if (isp_select_segment(&pirate->base, address, operation, failure) != 0 ||
                load_page(pirate, &series, address, pages->bytes + at, failure) != 0 ||
                send_page(pirate, pages, at, &series, &again, operation, failure) != 0)
                return -1;
        }
        operation_progress(operation, at + page_size);
    }
    return wait_for_page(pirate, pages, operation, failure);
}

/* A page, or part of one, or a byte where there are none. */
static int write_eeprom_piece(struct programmer *programmer, uint32_t address, const uint8_t *bytes,
                              uint32_t count, const struct operation *operation,
                              struct failure *failure)
{
    struct buspirate *pirate = self(programmer);
    const struct part_array *eeprom = &programmer->part->eeprom;
    uint32_t offset = eeprom->page_write ? address % eeprom->page_size : 0;
    struct isp_instruction single = isp_write_eeprom(address, bytes[0]);
    struct series series = {.used = 0};
    uint8_t unheard;

    if (!eeprom->page_write) {
        if (instruct(programmer, &single, &unheard, operation, failure) != 0)
            return -1;
        return isp_wait_written(programmer, PART_EEPROM, address, bytes, 1, operation, failure);
    }
    for (uint32_t i = 0; i < count; i++)
        if (add_to_series(pirate, &series, isp_load_eeprom(offset + i, bytes[i]), failure) != 0)
            return -1;
    if (finish_series(pirate, &series, isp_write_eeprom_page(address - offset), operation,
                      failure) != 0)
        return -1;
    return isp_wait_written(programmer, PART_EEPROM, address, bytes, count, operation, failure);
}

static int write(struct programmer *programmer, enum part_memory memory, uint32_t start,
                 const uint8_t *bytes, uint32_t count, struct fuse_permit *permit,
                 const struct operation *operation, struct failure *failure)
{
    if (memory == PART_EEPROM)
        return isp_write_eeprom_pieces(programmer, start, bytes, count, write_eeprom_piece,
                                       operation, failure);
    if (memory == PART_FLASH && programmer->part->flash.page_write) {
        struct pages pages = {start, bytes, count, -1};

        return write_pages(self(programmer), &pages, operation, failure);
    }
    return isp_write(programmer, memory, start, bytes, count, permit, operation, failure);
}

/* ---- the shortest time ---- */

static int64_t used_sck_hz(const struct programmer_speed *speed)
{
    for (size_t i = 0; i < SCK_COUNT; i++)
        if (speed->sck_hz <= 0 || offered_hz[i] <= speed->sck_hz)
            return offered_hz[i];
    return offered_hz[SCK_COUNT - 1];
}

/* Of a v3 with a buffer. Per page: 05 and its length, an instruction for each byte and the one that
 * writes it, on the wire; then the same on SPI; then the answer, for which the next page waits lest
 * it overrun the UART. The page write itself goes on while the next page comes. Where flash has no
 * pages: an instruction for each byte, and one look. Reading: a byte on the wire, or one
 * instruction on SPI where that takes longer. A v4 has no UART, and is faster. */
static int64_t floor_us(const struct part *part, const struct programmer_speed *speed,
                        uint32_t flash_bytes, uint32_t verify_bytes, char *text, size_t text_bytes)
{
    int64_t byte_ns = 10 * INT64_C(1000000000) / speed->baud;
    int64_t frame_ns = FRAME_BYTES * 8 * INT64_C(1000000000) / used_sck_hz(speed);
    bool paged = part->flash.page_write;
    int64_t page = paged ? part->flash.page_size : 1;
    int64_t frames = page + 1;                    /* the write, or the look */
    int64_t header = paged ? BULK_HEADER + 1 : 2; /* and the answer */
    int64_t page_us = ((header + frames * FRAME_BYTES) * byte_ns + frames * frame_ns) / 1000;
    int64_t read_ns = byte_ns > frame_ns ? byte_ns : frame_ns;
    int64_t write_us =
        paged ? stream_talk_framed_us(flash_bytes / page, page_us) : flash_bytes / page * page_us;
    int64_t read_us = verify_bytes * read_ns / 1000;

    if (text != NULL)
        snprintf(text, text_bytes,
                 "page: (%" PRId64 " + %" PRId64 " instructions x 4) bytes x %" PRId64
                 " ns on the wire, + %" PRId64 " x %" PRId64 " ns on SPI = %" PRId64 " us\n"
                 "write: %" PRId64 " pages x %" PRId64 " us, each in whole USB frames of 1 ms = "
                 "%" PRId64 " us\n"
                 "verify: %" PRIu32 " bytes x %" PRId64 " ns = %" PRId64 " us\n",
                 header, frames, byte_ns, frames, frame_ns, page_us, flash_bytes / page, page_us,
                 write_us, verify_bytes, read_ns, read_us);
    return write_us + read_us;
}

const struct programmer_driver buspirate_driver = {
    .name = "buspirate",
    .title = "Bus Pirate v3 and v4 (binary SPI mode)",
    .instance_bytes = sizeof(struct buspirate),
    .link = PROGRAMMER_STREAM,
    .default_baud = 115200,
    .sck_slowest_hz = 30000,
    .sck_fastest_hz = 8000000,
    .claim = claim,
    .unclaim = unclaim,
    .attach = attach,
    .release = release,
    .instruct = instruct,
    .read = read,
    .write = write,
    .floor_us = floor_us,
};
