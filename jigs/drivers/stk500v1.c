/* ArduinoISP: the sketch that turns an Arduino into a programmer, on boards with a UART (Uno, Nano)
 * and on boards with USB of their own (Pro Micro, Teensy 2.0). It speaks STK500 version 1 (Atmel
 * AVR061) with the gaps and habits of the sketch's version 1.18; both are facts this file is built
 * on:
 *
 * - A command ends with 20 and is answered 14 (in step), data, 10 (done); 15 when the end byte was
 *   not 20. There is no length and no checksum, and the sketch waits for missing bytes for ever.
 * - The universal command (56) puts its four bytes on the SPI bus before it looks at the end byte.
 * - Programming a page (64) answers 14 when all bytes are in, then programs, then answers 10.
 *   Meanwhile a UART receives 63 bytes into its ring buffer and loses every further one.
 * - It cannot change SCK: 125 kHz on a 16 MHz board. Each page write ends with 30 ms of waiting.
 *
 * What a lost byte may do. While a command's frame is whole, its bytes are what they were meant to
 * be. When a byte of the frame around a page's data is lost or garbled (64, length, 'F'), the
 * sketch takes page data for commands. Of its commands only 56 sends bytes of the host's choice, so
 * only data that hold 56, AC and a byte of 80 or more could write a fuse or lock bits or erase
 * (AC followed by less is no instruction but programming enable). A page that holds these three in
 * a row is not sent as a block, but byte by byte with universal commands; so are the pages and
 * bytes that the sketch cannot write in blocks. What stands before and after the data of a block
 * cannot complete the three: the bytes after them are 20 (end byte, or what recovery feeds), and AC
 * 20 is no instruction; the header is 64, a length, 46, and no page size is 56. Universal commands
 * with data (56 opcode high low value 20) go out several at a time. After a value of AC stands 20;
 * a place in a page is below 80. Only the low byte of the address of a byte may be AC with a value
 * of 80 or more after it: two bytes in a row must be lost between it and the 56. A byte lost within
 * the data leaves the frame open; the next 20 closes it. Addresses (55 low high 20) could be read
 * as 56 with two bits turned: 56 AC A0 20 would write a fuse. Flash addresses sent here are
 * therefore multiples of 32 bytes: their low byte is never AC, nor 56, which would matter if the 55
 * were lost. EEPROM addresses have no high byte of 80.
 *
 * Fuse and lock writes are spoken so that a lost byte cannot make another value: see write_fuse().
 * When the link is cut within one, the sketch takes the next byte for the value, and opening the
 * port again does not reset every Arduino. So the value is owed to the place (owed_value), and the
 * next claim begins with it. When the cut was right behind the AC, three values in a row would be
 * taken for an instruction, and most fuse values (E2, FF) make that a write of lock bits: of these
 * only two are fed before the port is opened again, which resets an Arduino with a UART. Only
 * another process cannot know what is owed, and no byte is harmless to a sketch that waits so:
 * after a program was killed within a fuse write, or a line cut behind its AC, an Arduino with USB
 * of its own has to be reset before it is claimed again.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "jigs/drivers/stream_talk.h"
#include "jigs/isp.h"
#include "jigs/link_stream.h"
#include "jigs/programmer.h"

enum {
    SYNC = 0x30,
    SIGN_ON = 0x31,
    GET_PARAMETER = 0x41,
    SET_DEVICE = 0x42,
    ENTER = 0x50,
    LEAVE = 0x51,
    LOAD_ADDRESS = 0x55,
    UNIVERSAL = 0x56,
    PROGRAM_PAGE = 0x64,
    READ_PAGE = 0x74,

    END = 0x20,
    OK = 0x10,
    IN_SYNC = 0x14,
    NO_SYNC = 0x15,

    PARAMETER_MAJOR = 0x81,
    PARAMETER_MINOR = 0x82,
    PARAMETER_KIND = 0x93 /* the sketch answers 'S'; bootloaders that also say AVR ISP do not */
};

#define UART_BUFFER_BYTES 63 /* a ring of 64 holds one less */
#define BLOCK_BYTES_MAX 256  /* the sketch's page buffer: one byte more overruns its memory */
#define SEGMENT_BYTES 0x20000
#define ADDRESS_STEP 32 /* see above */
#define UNIVERSAL_BYTES 6
#define BATCH_MAX (UART_BUFFER_BYTES / UNIVERSAL_BYTES)
#define LOOKS_MAX 4 /* at a part that writes, before the first answer is there */

#define SPI_BYTE_US 256 /* one instruction, 32 bits at 125 kHz */
#define COMMIT_US 30000

/* What a write takes at most on most parts ("Serial Programming" in the datasheets, ATmega328P,
 * 8271J: flash 4.5 ms, EEPROM 3.6 ms), and an EEPROM's on old ones (ATmega32A, 8155: 9 ms). */
#define WRITE_US 4500
#define SLOW_WRITE_US 9000

#define REPLY_SILENCE_US 1000000
#define PROGRAM_SILENCE_US 2000000
#define KNOCK_SILENCE_US 250000
#define QUIET_US 30000         /* nothing more comes: longer than any adapter's latency timer */
#define DRAIN_LIMIT_US 1000000 /* a read of 1 KiB may still be on its way */
#define FIND_TIME_US 4000000   /* bootloader and the sketch's first blinking take up to 2.2 s */
#define BOOTLOADER_TIME_US 2000000
#define BOOTLOADER_ROUNDS 3

#define FUSE_FEED_COUNT 5
#define FUSE_FEED_RISKY 2   /* of a value that would be a write in the second byte: see above */
#define FUSE_FEED_ROUNDS 10 /* 2.5 s; together they fit into the UART's buffer */
#define END_FEED_COUNT 8
#define END_FEED_LIMIT 32 /* the longest command but a page has 20 arguments */

struct stk500v1 {
    struct programmer base;
    struct link_stream *stream;
    int64_t byte_us;    /* on the wire */
    bool out_of_step;   /* an exchange failed: recover() before the next one */
    bool entered;       /* the sketch may hold the target in reset */
    size_t feed_limit;  /* end bytes the sketch may be waiting for, and has room for */
    size_t values_left; /* of an owed value so many may still be fed */
    int64_t flash_next; /* where the sketch's address counter stands in flash; -1: not known */
};

/* What was heard while looking for the sketch, for the message. */
struct heard {
    uint8_t bytes[12];
    size_t count;
};

static struct stk500v1 *self(struct programmer *programmer)
{
    return (struct stk500v1 *)programmer;
}

/* A command once begun is finished, so that a cancellation leaves nobody out of step. */
static struct operation steady(const struct operation *operation)
{
    struct operation same = *operation;

    same.cancel = NULL;
    return same;
}

/* ---- exchanges ---- */

static int fail_reply(struct stk500v1 *stk, const char *asked, uint8_t expected,
                      const uint8_t *found, size_t count, struct failure *failure)
{
    char text[64];

    stk->out_of_step = true;
    stream_talk_bytes_to_text(found, count, text, sizeof text);
    return failure_set(failure, FAILURE_PROGRAMMER_OUT_OF_STEP,
                       "%s: answered %s, expected %02X at the end of it", asked, text, expected);
}

static int send(struct stk500v1 *stk, const uint8_t *bytes, size_t count,
                const struct operation *operation, struct failure *failure)
{
    if (link_stream_write(stk->stream, bytes, count, operation, failure) == 0)
        return 0;
    stk->out_of_step = true;
    return -1;
}

static int hear(struct stk500v1 *stk, uint8_t *bytes, size_t count, int64_t silence_us,
                const struct operation *operation, struct failure *failure)
{
    if (link_stream_read(stk->stream, bytes, count, silence_us, operation, NULL, failure) == 0)
        return 0;
    stk->out_of_step = true;
    return -1;
}

/* One byte, which must be `expected`. */
static int expect(struct stk500v1 *stk, const char *asked, uint8_t expected, int64_t silence_us,
                  const struct operation *operation, struct failure *failure)
{
    uint8_t found[8];
    size_t more = 0;

    if (hear(stk, found, 1, silence_us, operation, failure) != 0)
        return -1;
    if (found[0] == expected)
        return 0;
    link_stream_read(stk->stream, found + 1, sizeof found - 1, QUIET_US, operation, &more, NULL);
    return fail_reply(stk, asked, expected, found, 1 + more, failure);
}

/* Before every command of a session. After a failure nothing may be sent but what recover() sends:
 * the sketch may be within a fuse write. */
static int begin(const struct stk500v1 *stk, const struct operation *operation,
                 struct failure *failure)
{
    if (stk->out_of_step)
        return failure_set(failure, FAILURE_PROGRAMMER_OUT_OF_STEP,
                           "after a failure only a new session finds back into step");
    return operation_check(operation, failure);
}

/* One command, in step from 14 to 10. */
static int exchange(struct stk500v1 *stk, const char *asked, const uint8_t *command, size_t count,
                    uint8_t *data, size_t data_bytes, const struct operation *operation,
                    struct failure *failure)
{
    struct operation whole = steady(operation);
    int64_t silence_us = REPLY_SILENCE_US + (int64_t)count * stk->byte_us;

    if (begin(stk, operation, failure) != 0 || send(stk, command, count, &whole, failure) != 0 ||
        expect(stk, asked, IN_SYNC, silence_us, &whole, failure) != 0)
        return -1;
    if (data_bytes > 0 && hear(stk, data, data_bytes, silence_us, &whole, failure) != 0)
        return -1;
    return expect(stk, asked, OK, silence_us, &whole, failure);
}

/* Sends a command and hears what comes, right or wrong: fails only when the link does. */
static int ask(struct stk500v1 *stk, const uint8_t *command, size_t count, uint8_t *reply,
               size_t reply_bytes, int64_t silence_us, size_t *received,
               const struct operation *operation, struct failure *failure)
{
    struct failure cause = {0};

    *received = 0;
    if (link_stream_write(stk->stream, command, count, operation, failure) != 0)
        return -1;
    if (link_stream_read(stk->stream, reply, reply_bytes, silence_us, operation, received,
                         &cause) == 0 ||
        cause.code == FAILURE_PROGRAMMER_SILENT)
        return 0;
    return failure_set(failure, cause.code, "%s", cause.detail);
}

/* ---- finding the sketch, and finding back into step ---- */

/* The same while it is looked for. Nothing at all may be an answer that is late. */
static int ask_patiently(struct stk500v1 *stk, const uint8_t *command, size_t count, uint8_t *reply,
                         size_t reply_bytes, size_t *received, const struct operation *operation,
                         struct failure *failure)
{
    if (ask(stk, command, count, reply, reply_bytes, KNOCK_SILENCE_US, received, operation,
            failure) != 0)
        return -1;
    return *received > 0 ? 0
                         : ask(stk, NULL, 0, reply, reply_bytes, REPLY_SILENCE_US, received,
                               operation, failure);
}

/* A clean 14 10, and nothing after it. */
static int sync_once(struct stk500v1 *stk, int64_t silence_us, struct heard *heard, bool *in_step,
                     const struct operation *operation, struct failure *failure)
{
    static const uint8_t command[] = {SYNC, END};
    static const uint8_t answer[] = {IN_SYNC, OK};

    if (link_stream_drain(stk->stream, 0, DRAIN_LIMIT_US, operation, failure) != 0 ||
        ask(stk, command, sizeof command, heard->bytes, sizeof answer, silence_us, &heard->count,
            operation, failure) != 0)
        return -1;
    *in_step = heard->count == sizeof answer && memcmp(heard->bytes, answer, sizeof answer) == 0;
    if (heard->count == 0)
        return 0;
    size_t more = 0;
    struct failure cause = {0};
    if (link_stream_read(stk->stream, heard->bytes + heard->count,
                         sizeof heard->bytes - heard->count, QUIET_US, operation, &more,
                         &cause) != 0 &&
        cause.code != FAILURE_PROGRAMMER_SILENT)
        return failure_set(failure, cause.code, "%s", cause.detail);
    heard->count += more;
    *in_step = *in_step && more == 0;
    return 0;
}

/* Is it the sketch that answers? A bootloader on the same Arduino also answers sync, and would take
 * a page for its own program. So no page is ever sent without this proof in the same session. */
static int prove(struct stk500v1 *stk, struct heard *heard, bool *proven,
                 const struct operation *operation, struct failure *failure)
{
    static const uint8_t sign_on[] = {SIGN_ON, END};
    static const uint8_t kind[] = {GET_PARAMETER, PARAMETER_KIND, END};
    static const uint8_t sign_on_answer[] = {IN_SYNC, 'A', 'V', 'R', ' ', 'I', 'S', 'P', OK};
    static const uint8_t kind_answer[] = {IN_SYNC, 'S', OK};

    *proven = false;
    if (ask_patiently(stk, sign_on, sizeof sign_on, heard->bytes, sizeof sign_on_answer,
                      &heard->count, operation, failure) != 0)
        return -1;
    if (heard->count != sizeof sign_on_answer ||
        memcmp(heard->bytes, sign_on_answer, sizeof sign_on_answer) != 0)
        return 0;
    if (ask_patiently(stk, kind, sizeof kind, heard->bytes, sizeof kind_answer, &heard->count,
                      operation, failure) != 0)
        return -1;
    *proven = heard->count == sizeof kind_answer &&
              memcmp(heard->bytes, kind_answer, sizeof kind_answer) == 0;
    return 0;
}

/* A sketch that waits for the rest of a command takes end bytes for it, until one comes where a
 * command should begin: that one is answered 15. Never more than would fit into its page buffer:
 * with a garbled length they would overrun its memory. */
static int feed_ends(struct stk500v1 *stk, const struct operation *operation,
                     struct failure *failure)
{
    uint8_t ends[END_FEED_COUNT], reply[64];

    memset(ends, END, sizeof ends);
    for (size_t fed = 0; fed < stk->feed_limit; fed += sizeof ends) {
        size_t left = stk->feed_limit - fed, received = 0;

        if (ask(stk, ends, left < sizeof ends ? left : sizeof ends, reply, sizeof reply, QUIET_US,
                &received, operation, failure) != 0)
            return -1;
        if (received > 0 && reply[received - 1] == NO_SYNC)
            break;
    }
    return 0; /* whether it helped, a sync tells */
}

/* A page's data are on their way, `sent` bytes of them. */
static void note_block(struct stk500v1 *stk, size_t sent)
{
    size_t room = sent < BLOCK_BYTES_MAX ? BLOCK_BYTES_MAX - sent + 1 : 1;

    stk->feed_limit = room > END_FEED_LIMIT ? room : END_FEED_LIMIT;
}

static void note_in_step(struct stk500v1 *stk)
{
    stk->out_of_step = false;
    stk->feed_limit = END_FEED_LIMIT;
}

/* AC with this as its second byte: 100 erases, 101 and 111 write fuses and lock bits ("Serial
 * Programming Instruction Set" in the datasheets, ATmega328P, 8271J). */
static bool is_risky_second_byte(uint8_t value)
{
    return value >= 0x80 && (value & 0xE0) != 0xC0;
}

/* A fuse write whose reply did not come may still wait for bytes: its value and its end byte. They
 * must be the value, whatever was lost (never 20), and until an answer shows that bytes arrive,
 * nothing else may be sent: it could be the first to arrive. The longest command that a value can
 * be (42, 20 arguments) is answered within these rounds, unless fewer may be fed. */
static int feed_owed_value(struct stk500v1 *stk, const struct operation *operation,
                           struct failure *failure)
{
    uint8_t values[FUSE_FEED_COUNT], reply[64];
    size_t received = 0;

    memset(values, stk->base.owed_value, sizeof values);
    for (int round = 0; received == 0 && round < FUSE_FEED_ROUNDS && stk->values_left > 0;
         round++) {
        size_t count = stk->values_left < sizeof values ? stk->values_left : sizeof values;

        stk->values_left -= count;
        if (ask(stk, values, count, reply, sizeof reply, KNOCK_SILENCE_US, &received, operation,
                failure) != 0)
            return -1;
    }
    if (received == 0)
        return failure_set(failure, FAILURE_PROGRAMMER_SILENT,
                           "no answer to the fuse value %02X that it may be waiting for",
                           (unsigned)stk->base.owed_value);
    return 0;
}

static int recover(struct stk500v1 *stk, const struct operation *operation, struct failure *failure)
{
    struct heard heard = {0};
    bool in_step = false;

    if (link_stream_drain(stk->stream, QUIET_US, DRAIN_LIMIT_US, operation, failure) != 0)
        return -1;
    if (stk->base.owed_value >= 0 && feed_owed_value(stk, operation, failure) != 0)
        return -1;
    if (feed_ends(stk, operation, failure) != 0)
        return -1;
    for (int good = 0, tries = 0; good < 2 && tries < 4; tries++) {
        if (link_stream_drain(stk->stream, QUIET_US, DRAIN_LIMIT_US, operation, failure) != 0 ||
            sync_once(stk, KNOCK_SILENCE_US, &heard, &in_step, operation, failure) != 0)
            return -1;
        good = in_step ? good + 1 : 0;
    }
    if (!in_step && heard.count == 0)
        return failure_set(failure, FAILURE_PROGRAMMER_SILENT, "no answer, not even out of step");
    if (!in_step)
        return fail_reply(stk, "sync", OK, heard.bytes, heard.count, failure);
    note_in_step(stk);
    stk->base.owed_value = -1;
    stk->flash_next = -1;
    return 0;
}

static int fail_to_find(const struct heard *heard, struct failure *failure)
{
    char text[64];

    if (heard->count == 0)
        return failure_set(failure, FAILURE_PROGRAMMER_SILENT, "no answer to sync (30 20)");
    /* AVR061: what STK500 and AVRISP are called by their first firmware */
    if (memmem(heard->bytes, heard->count, "AVR STK", 7) != NULL)
        return failure_set(failure, FAILURE_PROGRAMMER_UNKNOWN,
                           "it is an STK500 or AVRISP with firmware 1: its driver is stk500");
    stream_talk_bytes_to_text(heard->bytes, heard->count, text, sizeof text);
    return failure_set(failure, FAILURE_PROGRAMMER_UNKNOWN,
                       "answered %s, expected ArduinoISP's 14 'AVR ISP' 10", text);
}

/* Knocks once: `*proven` when the sketch answered, `*bootloader` when something else did that knows
 * the language. What was heard last stays in `heard`. Once anything was heard, answers may take
 * their time: of one that is slow each would be taken for the next one's. */
static int knock(struct stk500v1 *stk, struct heard *heard, bool *proven, bool *bootloader,
                 const struct operation *operation, struct failure *failure)
{
    struct heard now = {0};
    bool in_step = false;

    *proven = *bootloader = false;
    if (sync_once(stk, heard->count > 0 ? REPLY_SILENCE_US : KNOCK_SILENCE_US, &now, &in_step,
                  operation, failure) != 0)
        return -1;
    if (in_step && prove(stk, &now, proven, operation, failure) != 0)
        return -1;
    *bootloader = in_step && !*proven;
    if (now.count > 0)
        *heard = now;
    return 0;
}

/* Opening the port resets an Arduino with a UART: first its bootloader runs, then the sketch
 * blinks. While nothing answers, knocking is right; when a bootloader answers, it would stay for as
 * long as it is spoken to, so be silent until its watchdog ends it. */
static int find_sketch(struct stk500v1 *stk, struct heard *heard, bool *proven,
                       const struct operation *operation, struct failure *failure)
{
    int64_t end_us = operation_now_us() + FIND_TIME_US;
    bool bootloader = false;

    *proven = false;
    for (int rounds = 0; operation_now_us() < end_us && rounds < BOOTLOADER_ROUNDS;) {
        if (knock(stk, heard, proven, &bootloader, operation, failure) != 0)
            return -1;
        if (*proven)
            return 0;
        if (!bootloader)
            continue;
        if (operation_sleep_us(operation, BOOTLOADER_TIME_US, failure) != 0)
            return -1;
        rounds++;
        end_us = operation_now_us() + FIND_TIME_US;
    }
    if (heard->count > 0)
        return 0;
    /* The sketch itself may wait for the rest of a page that a killed program began. */
    note_block(stk, 0);
    if (feed_ends(stk, operation, failure) != 0)
        return -1;
    return knock(stk, heard, proven, &bootloader, operation, failure);
}

/* What an instance before this one owes. First a silence, in which the bootloader of an Arduino
 * that was reset ends: it could take the value for a command of its own, and 64 would write its
 * flash. */
static int settle_owed_value(struct stk500v1 *stk, const struct operation *operation,
                             struct failure *failure)
{
    if (stk->base.owed_value < 0)
        return 0;
    if (operation_sleep_us(operation, BOOTLOADER_TIME_US, failure) != 0 ||
        link_stream_drain(stk->stream, QUIET_US, DRAIN_LIMIT_US, operation, failure) != 0 ||
        feed_owed_value(stk, operation, failure) != 0)
        return -1;
    return feed_ends(stk, operation, failure);
}

static int look_for_sketch(struct stk500v1 *stk, const struct operation *operation,
                           struct failure *failure)
{
    struct failure cause = {0};
    struct heard heard = {0};
    bool proven = false;

    if (settle_owed_value(stk, operation, &cause) != 0 ||
        find_sketch(stk, &heard, &proven, operation, &cause) != 0) {
        if (cause.code == FAILURE_DEADLINE)
            return fail_to_find(&heard, failure);
        return failure_set(failure, cause.code, "%s", cause.detail);
    }
    if (!proven)
        return fail_to_find(&heard, failure);
    note_in_step(stk);
    stk->base.owed_value = -1;
    stk->base.answered = true;
    return 0;
}

static int get_parameter(struct stk500v1 *stk, uint8_t parameter, uint8_t *value,
                         const struct operation *operation, struct failure *failure)
{
    const uint8_t command[] = {GET_PARAMETER, parameter, END};

    return exchange(stk, "version", command, sizeof command, value, 1, operation, failure);
}

static int claim(struct programmer *programmer, const struct programmer_settings *settings,
                 const struct operation *operation, struct failure *failure)
{
    struct stk500v1 *stk = self(programmer);
    uint8_t major = 0, minor = 0;

    stk->flash_next = -1;
    stk->feed_limit = END_FEED_LIMIT;
    stk->values_left = SIZE_MAX;
    stk->byte_us = 10 * INT64_C(1000000) / settings->baud;
    if (link_stream_open(&settings->place, settings->baud, operation, &stk->stream, failure) != 0 ||
        look_for_sketch(stk, operation, failure) != 0 ||
        get_parameter(stk, PARAMETER_MAJOR, &major, operation, failure) != 0 ||
        get_parameter(stk, PARAMETER_MINOR, &minor, operation, failure) != 0)
        return -1;
    snprintf(programmer->firmware, sizeof programmer->firmware, "ArduinoISP %u.%u", major, minor);
    return 0;
}

/* ---- sessions ---- */

static int leave(struct stk500v1 *stk, const struct operation *operation, struct failure *failure)
{
    static const uint8_t command[] = {LEAVE, END};

    if (exchange(stk, "leave", command, sizeof command, NULL, 0, operation, failure) != 0)
        return -1;
    stk->entered = false;
    return 0;
}

static int release(struct programmer *programmer, const struct operation *operation,
                   struct failure *failure)
{
    static const uint8_t command[] = {LEAVE, END};
    struct stk500v1 *stk = self(programmer);

    if (stk->out_of_step && recover(stk, operation, failure) != 0) {
        /* Perhaps it hears what it does not confirm; but it must not take this for a fuse value. */
        if (stk->base.owed_value < 0)
            link_stream_write(stk->stream, command, sizeof command, operation, NULL);
        return -1;
    }
    return leave(stk, operation, failure);
}

static void unclaim(struct programmer *programmer)
{
    struct stk500v1 *stk = self(programmer);
    struct operation operation = {.deadline_us = operation_now_us() + REPLY_SILENCE_US};

    if (stk->stream != NULL && stk->entered)
        release(programmer, &operation, NULL);
    link_stream_close(stk->stream);
    stk->stream = NULL;
}

/* Of the twenty arguments the sketch uses the device code (E0 and more: RESET is active high), the
 * page size and the EEPROM size; the places are AVR061's. */
static int set_device(struct stk500v1 *stk, const struct operation *operation,
                      struct failure *failure)
{
    const struct part *part = stk->base.part;
    uint32_t page = part->flash.page_size, eeprom = part->eeprom.size, flash = part->flash.size;
    uint8_t command[22] = {SET_DEVICE, 0x86}; /* an ATmega328P's, as good as any below E0 */

    command[13] = (uint8_t)(page >> 8);
    command[14] = (uint8_t)page;
    command[15] = (uint8_t)(eeprom >> 8);
    command[16] = (uint8_t)eeprom;
    command[17] = (uint8_t)(flash >> 24);
    command[18] = (uint8_t)(flash >> 16);
    command[19] = (uint8_t)(flash >> 8);
    command[20] = (uint8_t)flash;
    command[21] = END;
    return exchange(stk, "set device", command, sizeof command, NULL, 0, operation, failure);
}

/* Entering while entered does nothing in the sketch; leave first, then the target is reset. */
static int enter(struct stk500v1 *stk, const struct operation *operation, struct failure *failure)
{
    static const uint8_t command[] = {ENTER, END};

    if (stk->entered && leave(stk, operation, failure) != 0)
        return -1;
    stk->entered = true;
    return exchange(stk, "enter", command, sizeof command, NULL, 0, operation, failure);
}

static int attach(struct programmer *programmer, const struct operation *operation,
                  struct failure *failure)
{
    struct stk500v1 *stk = self(programmer);
    struct heard heard;
    bool proven = false;

    stk->flash_next = -1;
    if (stk->out_of_step && recover(stk, operation, failure) != 0)
        return -1;
    if (link_stream_drain(stk->stream, 0, DRAIN_LIMIT_US, operation, failure) != 0 ||
        prove(stk, &heard, &proven, operation, failure) != 0)
        return -1;
    if (!proven && look_for_sketch(stk, operation, failure) != 0)
        return -1;
    if (set_device(stk, operation, failure) != 0)
        return -1;
    if (enter(stk, operation, failure) == 0)
        return 0;
    release(programmer, operation, NULL); /* the target may be in reset */
    return -1;
}

/* ---- single instructions ---- */

/* The sketch executes a universal command as soon as it has four bytes, before it looks at the end
 * byte. With the end byte 20, one lost byte would shift it into the value's place and write 20 into
 * a fuse. So the value itself is the end byte, and the right answer is 15: wrong end byte. (A value
 * of 20 has the ordinary answer.) Then whichever byte is lost, the fuse gets its value or nothing:
 *
 *   56 AC A0 00 v v   lost: 56 - AC A0, 00 v are two unknown commands, v may begin a third
 *                           AC, A0 - no instruction of this kind is left
 *                           00, v or v - the value is in its place; an end byte is missing
 *
 * The first case gives a second 15, which is why a sync is asked for after the write. Whenever the
 * right answer does not come, the value stays owed: recover() or the next claim feeds it first.
 * A garbled value or address cannot be prevented with this sketch; reading back finds it. */
static int write_fuse(struct stk500v1 *stk, const uint8_t instruction[4],
                      const struct operation *operation, struct failure *failure)
{
    const uint8_t value = instruction[3];
    const uint8_t command[] = {UNIVERSAL,      instruction[0], instruction[1],
                               instruction[2], value,          value};
    static const uint8_t sync[] = {SYNC, END};
    struct operation whole = steady(operation);
    uint8_t reply;

    if (begin(stk, operation, failure) != 0)
        return -1;
    stk->base.owed_value = value;
    stk->values_left = is_risky_second_byte(value) ? FUSE_FEED_RISKY : SIZE_MAX;
    if (send(stk, command, sizeof command, &whole, failure) != 0)
        return -1;
    if (value == END) {
        if (expect(stk, "fuse write", IN_SYNC, REPLY_SILENCE_US, &whole, failure) != 0 ||
            hear(stk, &reply, 1, REPLY_SILENCE_US, &whole, failure) != 0 ||
            expect(stk, "fuse write", OK, REPLY_SILENCE_US, &whole, failure) != 0)
            return -1;
    } else if (expect(stk, "fuse write", NO_SYNC, REPLY_SILENCE_US, &whole, failure) != 0) {
        return -1;
    }
    /* Had the 56 been lost, a second 15 would stand here in the place of the sync's 14. */
    if (send(stk, sync, sizeof sync, &whole, failure) != 0 ||
        expect(stk, "sync after a fuse write", IN_SYNC, REPLY_SILENCE_US, &whole, failure) != 0 ||
        expect(stk, "sync after a fuse write", OK, REPLY_SILENCE_US, &whole, failure) != 0)
        return -1;
    note_in_step(stk);
    stk->base.owed_value = -1;
    return 0;
}

static void frame_universal(const uint8_t instruction[4], uint8_t frame[UNIVERSAL_BYTES])
{
    frame[0] = UNIVERSAL;
    memcpy(frame + 1, instruction, 4);
    frame[5] = END;
}

static int instruct(struct programmer *programmer, const struct isp_instruction *instruction,
                    uint8_t *reply, const struct operation *operation, struct failure *failure)
{
    struct stk500v1 *stk = self(programmer);
    uint8_t bytes[4], frame[UNIVERSAL_BYTES];

    *reply = 0;
    if (isp_door_open(programmer->part, instruction, programmer->session, bytes, failure) != 0)
        return -1;
    if (isp_writes_fuse_or_lock(bytes))
        return write_fuse(stk, bytes, operation, failure);
    frame_universal(bytes, frame);
    return exchange(stk, "instruction", frame, sizeof frame, reply, 1, operation, failure);
}

/* At most BATCH_MAX instructions, all on their way before the first reply is awaited: together
 * they fit into the UART's buffer. None of them writes a fuse. `replies` receives one byte each. */
static int instruct_batch(struct stk500v1 *stk, const struct isp_instruction *instructions,
                          size_t count, uint8_t *replies, const struct operation *operation,
                          struct failure *failure)
{
    uint8_t frames[BATCH_MAX * UNIVERSAL_BYTES], bytes[4];
    struct operation whole = steady(operation);
    int64_t silence_us = REPLY_SILENCE_US + (int64_t)sizeof frames * stk->byte_us;

    if (begin(stk, operation, failure) != 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (isp_door_open(stk->base.part, &instructions[i], stk->base.session, bytes, failure) != 0)
            return -1;
        frame_universal(bytes, frames + i * UNIVERSAL_BYTES);
    }
    if (send(stk, frames, count * UNIVERSAL_BYTES, &whole, failure) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (expect(stk, "instruction", IN_SYNC, silence_us, &whole, failure) != 0 ||
            hear(stk, &replies[i], 1, silence_us, &whole, failure) != 0 ||
            expect(stk, "instruction", OK, silence_us, &whole, failure) != 0)
            return -1;
    return 0;
}

/* The three bytes in one go. Not by the sketch's own command (75): a bootloader into which the
 * Arduino was reset would answer that with the Arduino's signature, and this with 00. */
static int identify(struct programmer *programmer, uint8_t signature[3],
                    const struct operation *operation, struct failure *failure)
{
    const struct isp_instruction instructions[3] = {isp_read_signature(0), isp_read_signature(1),
                                                    isp_read_signature(2)};

    return instruct_batch(self(programmer), instructions, 3, signature, operation, failure);
}

/* ---- writing by single instructions ---- */

/* Instructions that go out in one go, once they are as many as fit or the last one is in. */
struct batch {
    struct isp_instruction instructions[BATCH_MAX];
    size_t used;
};

static int send_batch(struct stk500v1 *stk, struct batch *batch, uint8_t replies[BATCH_MAX],
                      const struct operation *operation, struct failure *failure)
{
    size_t count = batch->used;

    batch->used = 0;
    return instruct_batch(stk, batch->instructions, count, replies, operation, failure);
}

/* Makes room for `count` more; what is in the batch only loads bytes, so that its replies say
 * nothing. */
static int make_room(struct stk500v1 *stk, struct batch *batch, size_t count,
                     const struct operation *operation, struct failure *failure)
{
    uint8_t replies[BATCH_MAX];

    if (batch->used + count <= BATCH_MAX)
        return 0;
    return send_batch(stk, batch, replies, operation, failure);
}

static int add_load(struct stk500v1 *stk, struct batch *batch, struct isp_instruction load,
                    const struct operation *operation, struct failure *failure)
{
    if (make_room(stk, batch, 1, operation, failure) != 0)
        return -1;
    batch->instructions[batch->used++] = load;
    return 0;
}

/* How many looks fit into the time a write usually takes: on a UART one command follows the other
 * after its six bytes. */
static size_t look_count(const struct stk500v1 *stk, enum part_memory memory)
{
    bool slow = memory == PART_EEPROM && !stk->base.part->poll_ready;
    int64_t usual_us = slow ? SLOW_WRITE_US : WRITE_US;
    int64_t frame_us = UNIVERSAL_BYTES * stk->byte_us;
    int64_t count = (usual_us + frame_us - 1) / frame_us;

    return count < LOOKS_MAX ? (size_t)count : LOOKS_MAX;
}

/* Ends with `write`, which writes `count` bytes at `start`, and looks on the heels of it whether it
 * is done; else waits on. */
static int finish_write(struct stk500v1 *stk, struct batch *batch, struct isp_instruction write,
                        enum part_memory memory, uint32_t start, const uint8_t *bytes,
                        uint32_t count, const struct operation *operation, struct failure *failure)
{
    const struct part *part = stk->base.part;
    uint8_t replies[BATCH_MAX];
    uint32_t at = 0;
    bool by_value = isp_can_poll_value(part, memory, bytes, count, &at);
    size_t looks = by_value || part->poll_ready ? look_count(stk, memory) : 0;

    if (make_room(stk, batch, 1 + looks, operation, failure) != 0)
        return -1;
    batch->instructions[batch->used++] = write;
    size_t first = batch->used;
    for (size_t i = 0; i < looks; i++)
        batch->instructions[batch->used++] =
            by_value ? isp_read_at(memory, start + at) : isp_poll_ready();
    if (send_batch(stk, batch, replies, operation, failure) != 0)
        return -1;
    for (size_t i = first; i < first + looks; i++)
        if (by_value ? replies[i] == bytes[at] : (replies[i] & 1) == 0)
            return 0;
    return isp_wait_written(&stk->base, memory, start, bytes, count, operation, failure);
}

/* ---- flash ---- */

/* Pages to be written, in order. */
struct flash_job {
    uint32_t start;
    const uint8_t *bytes;
    uint32_t count, page_size;
    uint32_t at;          /* next page, from `start` */
    uint32_t segment_end; /* address where another extended address is needed */
};

/* One page as it goes over the wire, with the address before it where the sketch's counter does
 * not stand there anyway. */
struct page_command {
    uint8_t bytes[4 + 4 + BLOCK_BYTES_MAX + 1];
    size_t count;
    size_t header;
    uint32_t end; /* what is done when it is done, from the job's start */
};

enum page_kind { PAGE_BLANK, PAGE_BLOCK, PAGE_SINGLY };

/* The sizes of page that the sketch has in its list. Of any other it would make each word a page.
 */
static bool knows_pages_of(uint32_t bytes)
{
    return bytes == 32 || bytes == 64 || bytes == 128 || bytes == 256;
}

/* See the top: could this data write a fuse if it were taken for commands? */
static bool looks_like_fuse_write(const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i + 2 < count; i++)
        if (bytes[i] == UNIVERSAL && bytes[i + 1] == 0xAC && bytes[i + 2] >= 0x80)
            return true;
    return false;
}

static enum page_kind classify(const struct flash_job *job)
{
    const uint8_t *page = job->bytes + job->at;

    if (isp_is_blank(page, job->page_size))
        return PAGE_BLANK;
    if (!knows_pages_of(job->page_size) || looks_like_fuse_write(page, job->page_size))
        return PAGE_SINGLY;
    return PAGE_BLOCK;
}

static size_t put_address(uint8_t *bytes, uint32_t byte_address)
{
    bytes[0] = LOAD_ADDRESS;
    bytes[1] = (uint8_t)(byte_address >> 1);
    bytes[2] = (uint8_t)(byte_address >> 9);
    bytes[3] = END;
    return 4;
}

/* The job's next block; false at its end, before a page that goes another way, and at the end of
 * the 128 KiB that the extended address reaches. */
static bool next_block(struct stk500v1 *stk, struct flash_job *job, struct page_command *command)
{
    while (job->at < job->count && classify(job) == PAGE_BLANK)
        job->at += job->page_size;
    uint32_t address = job->start + job->at;
    if (job->at >= job->count || address >= job->segment_end || classify(job) != PAGE_BLOCK)
        return false;
    size_t used = stk->flash_next != (int64_t)address ? put_address(command->bytes, address) : 0;
    const uint8_t header[] = {PROGRAM_PAGE, (uint8_t)(job->page_size >> 8), (uint8_t)job->page_size,
                              'F'};
    memcpy(command->bytes + used, header, sizeof header);
    command->header = used + sizeof header;
    memcpy(command->bytes + command->header, job->bytes + job->at, job->page_size);
    command->count = command->header + job->page_size;
    command->bytes[command->count++] = END;
    job->at += job->page_size;
    command->end = job->at;
    stk->flash_next = address + job->page_size;
    return true;
}

/* Sends the rest of a block and waits until the sketch has all of it. */
static int deliver(struct stk500v1 *stk, const struct page_command *command, size_t sent,
                   const struct operation *operation, struct failure *failure)
{
    int64_t silence_us = REPLY_SILENCE_US + (int64_t)command->count * stk->byte_us;

    note_block(stk, command->count - command->header);
    if (send(stk, command->bytes + sent, command->count - sent, operation, failure) != 0)
        return -1;
    if (command->bytes[0] == LOAD_ADDRESS &&
        (expect(stk, "address", IN_SYNC, silence_us, operation, failure) != 0 ||
         expect(stk, "address", OK, silence_us, operation, failure) != 0))
        return -1;
    return expect(stk, "page", IN_SYNC, silence_us, operation, failure);
}

/* While the sketch programs a block, its UART's buffer receives the beginning of the next: as many
 * bytes as fit, never more. */
static int send_ahead(struct stk500v1 *stk, const struct page_command *next, size_t *sent,
                      const struct operation *operation, struct failure *failure)
{
    *sent = next->count < UART_BUFFER_BYTES ? next->count : UART_BUFFER_BYTES;
    note_block(stk, *sent > next->header ? *sent - next->header : 0);
    return send(stk, next->bytes, *sent, operation, failure);
}

/* The sketch waits 30 ms for a page. A few of the oldest parts take longer. */
static bool outlasts_the_sketch(const struct part *part)
{
    return part->flash.write_delay_us + part->flash.write_delay_us / 5 > COMMIT_US;
}

static int wait_for_page(struct stk500v1 *stk, const struct flash_job *job, uint32_t end,
                         const struct operation *operation, struct failure *failure)
{
    uint32_t at = end - job->page_size;

    if (!outlasts_the_sketch(stk->base.part))
        return 0;
    return isp_wait_written(&stk->base, PART_FLASH, job->start + at, job->bytes + at,
                            job->page_size, operation, failure);
}

/* Blocks one after the other, the rest of each when the one before is done. */
static int write_blocks(struct stk500v1 *stk, struct flash_job *job,
                        const struct operation *operation, struct failure *failure)
{
    struct operation whole = steady(operation);
    bool ahead = !outlasts_the_sketch(stk->base.part);
    struct page_command commands[2];
    size_t sent = 0;
    int now = 0;
    bool more = next_block(stk, job, &commands[now]);

    if (begin(stk, operation, failure) != 0)
        return -1;
    while (more) {
        if (deliver(stk, &commands[now], sent, &whole, failure) != 0)
            return -1;
        sent = 0;
        more = operation_check(operation, NULL) == 0 && next_block(stk, job, &commands[1 - now]);
        if (more && ahead && send_ahead(stk, &commands[1 - now], &sent, &whole, failure) != 0)
            return -1;
        if (expect(stk, "page done", OK, PROGRAM_SILENCE_US, &whole, failure) != 0 ||
            wait_for_page(stk, job, commands[now].end, &whole, failure) != 0)
            return -1;
        operation_progress(operation, commands[now].end);
        now = 1 - now;
    }
    stk->feed_limit = END_FEED_LIMIT;
    return operation_check(operation, failure);
}

/* Before flash at `address`: the extended address, and after a change of it a new address. */
static int enter_segment(struct stk500v1 *stk, uint32_t address, const struct operation *operation,
                         struct failure *failure)
{
    int64_t before = stk->base.extended_address;

    if (isp_select_segment(&stk->base, address, operation, failure) != 0)
        return -1;
    if (stk->base.extended_address != before)
        stk->flash_next = -1;
    return 0;
}

static uint32_t segment_end(uint32_t address)
{
    return (address / SEGMENT_BYTES + 1) * SEGMENT_BYTES;
}

/* A page by its own instructions. Words that stay FF are not loaded. */
static int write_page_singly(struct stk500v1 *stk, uint32_t address, const uint8_t *bytes,
                             const struct operation *operation, struct failure *failure)
{
    const struct part *part = stk->base.part;
    struct batch batch = {0};

    for (uint32_t i = 0; i < part->flash.page_size; i++) {
        if (isp_is_blank(bytes + (i & ~1U), 2))
            continue;
        if (add_load(stk, &batch, isp_load_flash(part, address + i, bytes[i]), operation,
                     failure) != 0)
            return -1;
    }
    if (enter_segment(stk, address, operation, failure) != 0)
        return -1;
    return finish_write(stk, &batch, isp_write_flash_page(address), PART_FLASH, address, bytes,
                        part->flash.page_size, operation, failure);
}

static int write_flash(struct stk500v1 *stk, struct flash_job *job,
                       const struct operation *operation, struct failure *failure)
{
    while (job->at < job->count) {
        uint32_t address = job->start + job->at;

        switch (classify(job)) {
        case PAGE_BLANK:
            job->at += job->page_size;
            break;
        case PAGE_SINGLY:
            if (write_page_singly(stk, address, job->bytes + job->at, operation, failure) != 0)
                return -1;
            job->at += job->page_size;
            break;
        case PAGE_BLOCK:
            job->segment_end = segment_end(address);
            if (enter_segment(stk, address, operation, failure) != 0 ||
                write_blocks(stk, job, operation, failure) != 0)
                return -1;
            break;
        }
        operation_progress(operation, job->at);
    }
    return 0;
}

/* ---- reading blocks ---- */

/* A stretch that one address and one extended address reach. The sketch would stream any length,
 * but a 74 with one bit turned is a 64, and then more than 256 bytes could not be fed to bring it
 * back. */
struct reading {
    enum part_memory memory;
    uint32_t at, end;     /* what the sketch is asked for: at least the wanted bytes */
    uint32_t start, stop; /* the wanted bytes */
    uint8_t *bytes;       /* of `start` */
};

static uint32_t chunk_length(const struct reading *reading, uint32_t at)
{
    uint32_t left = reading->end - at;

    return left < BLOCK_BYTES_MAX ? left : BLOCK_BYTES_MAX;
}

/* The sketch counts its address on while it reads flash, but not for EEPROM. */
static bool needs_address(const struct reading *reading, uint32_t at)
{
    return reading->memory == PART_EEPROM || at == reading->at;
}

static int send_read(struct stk500v1 *stk, const struct reading *reading, uint32_t at,
                     const struct operation *operation, struct failure *failure)
{
    uint8_t command[9];
    uint32_t length = chunk_length(reading, at);
    size_t used = needs_address(reading, at) ? put_address(command, at) : 0;
    const uint8_t read[] = {READ_PAGE, (uint8_t)(length >> 8), (uint8_t)length,
                            reading->memory == PART_EEPROM ? 'E' : 'F', END};

    memcpy(command + used, read, sizeof read);
    note_block(stk, 0);
    return send(stk, command, used + sizeof read, operation, failure);
}

static int hear_start(struct stk500v1 *stk, const struct reading *reading, uint32_t at,
                      const struct operation *operation, struct failure *failure)
{
    if (needs_address(reading, at) &&
        (expect(stk, "address", IN_SYNC, REPLY_SILENCE_US, operation, failure) != 0 ||
         expect(stk, "address", OK, REPLY_SILENCE_US, operation, failure) != 0))
        return -1;
    return expect(stk, "read", IN_SYNC, REPLY_SILENCE_US, operation, failure);
}

/* Copies what is wanted of a chunk that begins at `at`. */
static void keep(const struct reading *reading, uint32_t at, const uint8_t *chunk, uint32_t length)
{
    uint32_t from = at > reading->start ? at : reading->start;
    uint32_t to = at + length < reading->stop ? at + length : reading->stop;

    if (from < to)
        memcpy(reading->bytes + (from - reading->start), chunk + (from - at), to - from);
}

/* Chunk after chunk; while one streams in, the next command is already on its way. */
static int read_stretch(struct stk500v1 *stk, const struct reading *reading,
                        const struct operation *operation, uint32_t done, struct failure *failure)
{
    struct operation whole = steady(operation);
    uint8_t chunk[BLOCK_BYTES_MAX + 1];

    if (begin(stk, operation, failure) != 0 ||
        send_read(stk, reading, reading->at, &whole, failure) != 0)
        return -1;
    for (uint32_t at = reading->at, next; at < reading->end; at = next) {
        uint32_t length = chunk_length(reading, at);
        bool stopped = operation_check(operation, failure) != 0;

        next = at + length;
        if (hear_start(stk, reading, at, &whole, failure) != 0)
            return -1;
        if (!stopped && next < reading->end && send_read(stk, reading, next, &whole, failure) != 0)
            return -1;
        if (hear(stk, chunk, length + 1, REPLY_SILENCE_US, &whole, failure) != 0)
            return -1;
        if (chunk[length] != OK)
            return fail_reply(stk, "read, after the data", OK, chunk + length, 1, failure);
        if (stopped)
            return -1;
        keep(reading, at, chunk, length);
        if (next > reading->start)
            operation_progress(operation, done + (next < reading->stop ? next : reading->stop) -
                                              reading->start);
    }
    stk->feed_limit = END_FEED_LIMIT;
    return 0;
}

static int read_blocks(struct stk500v1 *stk, enum part_memory memory, uint32_t start,
                       uint8_t *bytes, uint32_t count, const struct operation *operation,
                       struct failure *failure)
{
    uint32_t end = start + count;

    stk->flash_next = -1; /* reading moves the counter */
    for (uint32_t at = start; at < end;) {
        uint32_t stop = memory == PART_FLASH && segment_end(at) < end ? segment_end(at) : end;
        struct reading reading = {.memory = memory,
                                  .at = at - at % ADDRESS_STEP,
                                  .end = stop + stop % 2, /* flash is read in words */
                                  .start = at,
                                  .stop = stop};

        reading.bytes = &bytes[at - start];
        if (memory == PART_FLASH && enter_segment(stk, at, operation, failure) != 0)
            return -1;
        if (read_stretch(stk, &reading, operation, at - start, failure) != 0)
            return -1;
        at = stop;
    }
    return 0;
}

static int read(struct programmer *programmer, enum part_memory memory, uint32_t start,
                uint8_t *bytes, uint32_t count, const struct operation *operation,
                struct failure *failure)
{
    if (memory == PART_FLASH || memory == PART_EEPROM)
        return read_blocks(self(programmer), memory, start, bytes, count, operation, failure);
    return isp_read(programmer, memory, start, bytes, count, operation, failure);
}

/* Flash without pages: the sketch has no block command that would do. */
static int write_flash_bytes(struct stk500v1 *stk, uint32_t start, const uint8_t *bytes,
                             uint32_t count, const struct operation *operation,
                             struct failure *failure)
{
    for (uint32_t i = 0; i < count; i++) {
        struct batch batch = {0};
        struct isp_instruction load = isp_load_flash(stk->base.part, start + i, bytes[i]);

        if (bytes[i] != 0xFF && finish_write(stk, &batch, load, PART_FLASH, start + i, bytes + i, 1,
                                             operation, failure) != 0)
            return -1;
        operation_progress(operation, i + 1);
    }
    return 0;
}

/* ---- EEPROM ---- */

/* A page, or part of one, by its own instructions (the sketch's block command waits 45 ms for each
 * byte). */
static int write_eeprom_page(struct stk500v1 *stk, uint32_t address, const uint8_t *bytes,
                             uint32_t count, const struct operation *operation,
                             struct failure *failure)
{
    uint32_t offset = address % stk->base.part->eeprom.page_size;
    struct batch batch = {0};

    for (uint32_t i = 0; i < count; i++)
        if (add_load(stk, &batch, isp_load_eeprom(offset + i, bytes[i]), operation, failure) != 0)
            return -1;
    return finish_write(stk, &batch, isp_write_eeprom_page(address - offset), PART_EEPROM, address,
                        bytes, count, operation, failure);
}

static int write_eeprom_byte(struct stk500v1 *stk, uint32_t address, const uint8_t *byte,
                             const struct operation *operation, struct failure *failure)
{
    struct batch batch = {0};

    return finish_write(stk, &batch, isp_write_eeprom(address, *byte), PART_EEPROM, address, byte,
                        1, operation, failure);
}

static int write_eeprom_piece(struct programmer *programmer, uint32_t address, const uint8_t *bytes,
                              uint32_t count, const struct operation *operation,
                              struct failure *failure)
{
    if (!programmer->part->eeprom.page_write)
        return write_eeprom_byte(self(programmer), address, bytes, operation, failure);
    return write_eeprom_page(self(programmer), address, bytes, count, operation, failure);
}

static int write(struct programmer *programmer, enum part_memory memory, uint32_t start,
                 const uint8_t *bytes, uint32_t count, struct fuse_permit *permit,
                 const struct operation *operation, struct failure *failure)
{
    const struct part *part = programmer->part;

    if (memory == PART_FLASH && !part->flash.page_write)
        return write_flash_bytes(self(programmer), start, bytes, count, operation, failure);
    if (memory == PART_FLASH) {
        struct flash_job job = {
            .start = start, .bytes = bytes, .count = count, .page_size = part->flash.page_size};

        return write_flash(self(programmer), &job, operation, failure);
    }
    if (memory == PART_EEPROM)
        return isp_write_eeprom_pieces(programmer, start, bytes, count, write_eeprom_piece,
                                       operation, failure);
    return isp_write(programmer, memory, start, bytes, count, permit, operation, failure);
}

/* ---- the shortest time ---- */

/* Microseconds of a page that goes as a block. */
static int64_t block_floor_us(int64_t page, int64_t wire_ns, char *text, size_t text_bytes)
{
    int64_t wire_us = (5 + page - UART_BUFFER_BYTES) * wire_ns / 1000;
    int64_t spi_us = page * SPI_BYTE_US;

    if (text != NULL)
        snprintf(text, text_bytes,
                 "page on the wire: (5 + %" PRId64 " - %d sent ahead) bytes x %" PRId64
                 " ns = %" PRId64 " us\n"
                 "page over SPI: %" PRId64 " x %d us = %" PRId64 " us\n"
                 "page write: %d us wait + %d us instruction = %d us\n",
                 page, UART_BUFFER_BYTES, wire_ns, wire_us, page, SPI_BYTE_US, spi_us, COMMIT_US,
                 SPI_BYTE_US, COMMIT_US + SPI_BYTE_US);
    return (wire_us > 0 ? wire_us : 0) + spi_us + COMMIT_US + SPI_BYTE_US;
}

/* The same of one that goes by single instructions, or of a byte where there are no pages: what
 * loads it and writes it and one look, and the answer to the look. */
static int64_t single_floor_us(const struct part *part, int64_t wire_ns, char *text,
                               size_t text_bytes)
{
    int commands = part->flash.page_write ? (int)part->flash.page_size + 2 : 2;
    int64_t wire_us = (commands * UNIVERSAL_BYTES + 3) * wire_ns / 1000;

    if (text != NULL)
        snprintf(text, text_bytes,
                 "page on the wire: (%d instructions x %d + 3) bytes x %" PRId64 " ns = %" PRId64
                 " us\n",
                 commands, UNIVERSAL_BYTES, wire_ns, wire_us);
    return wire_us;
}

/* On a UART, per page: its bytes on the wire, less those sent ahead while the page before is
 * programmed; one SPI instruction per byte; the wait of the sketch and its page write instruction.
 * Reading: one byte on the wire per byte, during which SPI gets the next one. The erase, the
 * addresses, the answers and the adapter's latency are not counted: a floor. */
static int64_t floor_us(const struct part *part, const struct programmer_speed *speed,
                        uint32_t flash_bytes, uint32_t verify_bytes, char *text, size_t text_bytes)
{
    int64_t page = part->flash.page_size;
    int64_t pages = flash_bytes / page;
    int64_t wire_ns = 10 * INT64_C(1000000000) / speed->baud;
    bool as_block = part->flash.page_write && knows_pages_of(part->flash.page_size);
    int64_t page_us = as_block ? block_floor_us(page, wire_ns, text, text_bytes)
                               : single_floor_us(part, wire_ns, text, text_bytes);
    int64_t read_us = verify_bytes * wire_ns / 1000;
    size_t used = text != NULL ? strlen(text) : 0;

    if (text != NULL)
        snprintf(text + used, text_bytes - used,
                 "write: %" PRId64 " pages x %" PRId64 " us = %" PRId64 " us\n"
                 "verify: %" PRIu32 " bytes x %" PRId64 " ns = %" PRId64 " us\n",
                 pages, page_us, pages * page_us, verify_bytes, wire_ns, read_us);
    return pages * page_us + read_us;
}

const struct programmer_driver stk500v1_driver = {
    .name = "stk500v1",
    .title = "Arduino as ISP (ArduinoISP sketch, STK500 version 1)",
    .instance_bytes = sizeof(struct stk500v1),
    .link = PROGRAMMER_STREAM,
    .default_baud = 19200,
    .sck_hz = 125000,
    .claim = claim,
    .unclaim = unclaim,
    .attach = attach,
    .release = release,
    .instruct = instruct,
    .identify = identify,
    .read = read,
    .write = write,
    .floor_us = floor_us,
};
