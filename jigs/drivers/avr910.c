/* Serial programmers that speak AVR910: Atmel's application note AVR910, "In-System Programming",
 * its ports to other controllers (AT90S2313 at 4 MHz, 19200 baud) and clones that added the block
 * commands of AVR109 ("AVR ISP" 3.8 of mikrocontroller-projekte.de: 7.3728 MHz, 115200 baud). The
 * habits below are those of their listings:
 *
 * - A command is a letter and a fixed number of bytes; there is no end, no length, no checksum, and
 *   the programmer waits for missing bytes for ever. It answers CR or data; '?' to what it does not
 *   know. ESC is passed over where a letter should stand.
 * - All but the questions need a device code from its list ('T'). It says whether flash has pages;
 *   the code of another part with pages does as well.
 * - The universal command ('.' and four bytes) answers the fourth byte back, waits 50 ms and then
 *   answers CR. 'c' and 'C' load a byte, and 'C' counts the address on; on parts without pages
 *   they write it.
 * - The UART holds one byte while the next comes in. What comes faster than it works is lost, so a
 *   command's bytes are followed by ESC until it has had the time of a command on the wire.
 *
 * What a lost, doubled or turned byte may do. When the letter before a byte of data is lost, the
 * data byte is a command, and there is no way to send a byte as data so that it could not become
 * one. 'e' erases; 'l' and 'f' (in AVR911 also 'n' and 'q') write the next byte to lock bits or a
 * fuse. So these letters are never sent as data while anything could be out of step:
 *
 * - Byte by byte, a page that holds such letters is written twice: first with bit 7 of them set,
 *   then with nothing but that bit cleared (7F). Flash takes the AND of what is written between
 *   erases; the clone itself writes pages of 128 bytes as two halves that way.
 * - A block ('B', length, 'F', data) with them goes in pieces: the head and the first byte, then
 *   silence must show that no byte of the head was lost (each would be answered '?'), then the
 *   rest. A letter at the very end, which a doubled byte in the head would push out, is kept back
 *   for another silence.
 * - So does a universal command with one of them in it; EEPROM bytes go by such commands then.
 * - Addresses whose bytes are letters are never set: reading begins earlier, writing counts on to
 *   them. The page write goes by the universal command, not by 'm', which is one bit from 'l' and
 *   from 'e'; without its '.', 4C is 'L', and no command reaches the board after that.
 * - Data with '.' or ':', AC and a byte of 80 or more in a row go in pieces as well. Between
 *   'c' and 'C' three data bytes never stand in a row.
 *
 * Fuse and lock writes ('.' AC A0 00 v) go in pieces, too: '.' AC, silence; A0 00, silence; v. A
 * lost '.' is noticed before anything else is sent. With another byte lost the programmer waits for
 * one more, and v is owed: it is fed until something answers, by the next claim if need be. When
 * the link is cut within the first piece, 00 is owed instead: AC 00 is no instruction. A doubled
 * '.' or AC is noticed before v is sent. A doubled second byte (AC A0 A0 00) and a turned bit are
 * executed before anything could check them; reading back finds it. 'L', too, is one bit from 'l'.
 * On AT90S2333 and AT90S4433 each second byte from A0 to BF is a fuse write with its value in it,
 * and AC is such a byte: there a doubled AC of a chip erase or a fuse write (AC AC 80 00) is
 * executed as one.
 *
 * Native fuse, lock and erase commands are not used. FF is what recovery feeds: as a command it is
 * unknown, and as whatever value an unknown predecessor left owing it does the least harm.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "jigs/drivers/stream_talk.h"
#include "jigs/isp.h"
#include "jigs/programmer.h"

#define CR 0x0D
#define ESCAPE 0x1B
#define FILLER 0xFF
#define IDENTITY_BYTES 7

/* SCK is what a delay loop in the firmware makes it: 93 kHz at 4 MHz, 120 kHz in version 3.8. Its
 * predecessors hold SCK high for 17 cycles of 7.3728 MHz only: as if it were 217 kHz. */
#define ASSUMED_SCK_HZ 217000
#define FLASH_BYTES_MAX 0x20000 /* 16 bits of word address */

/* A command of the slowest firmware: two looks at flash, 0.36 ms each, and 0.23 ms for the list. */
#define COMMAND_NS 1040000
#define EEPROM_WAIT_US 6100 /* the least that a firmware itself waits after a byte of EEPROM */
#define RUN_BYTES 1024
#define READ_COMMANDS 128 /* in one go: the clocks of both ends may differ by 0.3 % */
#define READ_BLOCK_BYTES 512
#define BLOCK_BYTES_MAX 128
#define PAGE_BYTES_MAX 256
#define ADDRESS_STEP 16 /* reading begins at multiples: their low byte is no letter */

#define KNOCK_SILENCE_US 250000
#define FIND_TIME_US 4000000
#define FIND_ROUNDS 6 /* at least */
#define FEED_COUNT 4  /* the longest command but a block has so many bytes after its letter */
#define FEED_BLOCK_COUNT 80
#define OWED_ROUNDS 8
#define OWED_RISKY 2 /* of a value that could be a write in the second byte of AC: see the top */
#define NEVER_AGAIN 0x100 /* beside an owed value */
#define RECOVER_TRIES 3
/* Until a block that began to be written is done: it is looked at, then waited for, 50 ms. */
#define BLOCK_WORK_US 150000

struct avr910 {
    struct programmer base;
    struct stream_talk talk;
    bool entered;
    uint8_t identity[IDENTITY_BYTES];
    uint8_t version[2];
    uint32_t block_bytes; /* a power of two; 0: it has no block commands */
    uint8_t codes[256];   /* the device codes that it knows */
    size_t code_count;
};

static struct avr910 *self(struct programmer *programmer)
{
    return (struct avr910 *)programmer;
}

/* See the top: is it a command that erases, or writes a fuse or lock bits? */
static bool is_letter(uint8_t byte)
{
    return byte == 'e' || byte == 'f' || byte == 'l' || byte == 'n' || byte == 'q';
}

static bool has_letter(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_letter(bytes[i]))
            return true;
    return false;
}

/* ---- commands ---- */

static int command(struct avr910 *avr, const char *asked, const uint8_t *bytes, size_t count,
                   const struct operation *operation, struct failure *failure)
{
    static const uint8_t done[] = {CR};
    struct operation whole = stream_talk_steady(operation);

    if (stream_talk_begin(&avr->talk, operation, failure) != 0 ||
        stream_talk_send(&avr->talk, bytes, count, &whole, failure) != 0)
        return -1;
    return stream_talk_expect(&avr->talk, asked, done, sizeof done, 0, &whole, failure);
}

static int question(struct avr910 *avr, uint8_t letter, uint8_t *answer, size_t count,
                    const struct operation *operation, struct failure *failure)
{
    struct operation whole = stream_talk_steady(operation);

    if (stream_talk_begin(&avr->talk, operation, failure) != 0 ||
        stream_talk_send(&avr->talk, &letter, 1, &whole, failure) != 0)
        return -1;
    return stream_talk_hear(&avr->talk, answer, count, 0, &whole, failure);
}

/* Commands on their way together. */
struct run {
    uint8_t bytes[RUN_BYTES];
    size_t used;
    size_t answers; /* CR that are still to come */
};

static int run_send(struct avr910 *avr, struct run *run, const struct operation *operation,
                    struct failure *failure)
{
    size_t used = run->used;

    run->used = 0;
    return stream_talk_send(&avr->talk, run->bytes, used, operation, failure);
}

/* Followed by ESC until the programmer has had the time for it. */
static int run_add(struct avr910 *avr, struct run *run, const uint8_t *bytes, size_t count,
                   const struct operation *operation, struct failure *failure)
{
    size_t length = (size_t)((COMMAND_NS + avr->talk.byte_ns - 1) / avr->talk.byte_ns);

    if (length < count)
        length = count;
    if (length > RUN_BYTES)
        return failure_set(failure, FAILURE_INTERNAL, "no command takes %zu bytes", length);
    if (run->used + length > RUN_BYTES && run_send(avr, run, operation, failure) != 0)
        return -1;
    memset(run->bytes + run->used, ESCAPE, length);
    memcpy(run->bytes + run->used, bytes, count);
    run->used += length;
    run->answers++;
    return 0;
}

static int run_finish(struct avr910 *avr, struct run *run, const char *asked,
                      const struct operation *operation, struct failure *failure)
{
    uint8_t done[64];
    int64_t wire_us = (int64_t)run->used * avr->talk.byte_ns / 1000;

    memset(done, CR, sizeof done);
    if (run_send(avr, run, operation, failure) != 0)
        return -1;
    while (run->answers > 0) {
        size_t now = run->answers < sizeof done ? run->answers : sizeof done;

        if (stream_talk_expect(&avr->talk, asked, done, now, wire_us, operation, failure) != 0)
            return -1;
        run->answers -= now;
    }
    return 0;
}

/* ---- finding the programmer, and finding back into step ---- */

static int feed(struct avr910 *avr, size_t count, int64_t quiet_us,
                const struct operation *operation, struct failure *failure)
{
    uint8_t fillers[FEED_BLOCK_COUNT];

    memset(fillers, FILLER, sizeof fillers);
    if (link_stream_write(avr->talk.stream, fillers, count, operation, failure) != 0)
        return -1;
    return stream_talk_drain(&avr->talk, quiet_us + (int64_t)count * avr->talk.byte_ns / 1000,
                             operation, failure);
}

/* A fuse write that was not answered may wait for one more byte. Nothing else may be sent until
 * something answers. */
static int feed_owed_value(struct avr910 *avr, const struct operation *operation,
                           struct failure *failure)
{
    uint8_t value = (uint8_t)avr->base.owed_value, reply[16];
    bool risky = value >= 0x80;
    size_t received = 0;

    if (avr->base.owed_value < 0)
        return 0;
    if (is_letter(value) || avr->base.owed_value >= NEVER_AGAIN)
        return failure_set(failure, FAILURE_PROGRAMMER_OUT_OF_STEP,
                           "it may be waiting for the fuse value %02X, or take it for a command: "
                           "unplug the programmer and plug it in again",
                           value);
    for (int round = 0; received == 0 && round < (risky ? OWED_RISKY : OWED_ROUNDS); round++)
        if (stream_talk_ask(&avr->talk, &value, 1, reply, sizeof reply, KNOCK_SILENCE_US, &received,
                            operation, failure) != 0)
            return -1;
    if (received == 0 && risky)
        avr->base.owed_value |= NEVER_AGAIN;
    if (received == 0)
        return failure_set(failure, FAILURE_PROGRAMMER_SILENT,
                           "no answer to the fuse value %02X that it may be waiting for", value);
    return stream_talk_drain(&avr->talk, STREAM_TALK_QUIET_US, operation, failure);
}

/* What was heard while looking for it. */
struct heard {
    uint8_t bytes[16];
    size_t count;
};

static bool is_identity(const struct heard *heard)
{
    for (size_t i = 0; i < heard->count; i++)
        if (heard->bytes[i] < ' ' || heard->bytes[i] > '~' || heard->bytes[i] == '?')
            return false;
    return heard->count == IDENTITY_BYTES;
}

static int ask_identity(struct avr910 *avr, int64_t silence_us, struct heard *heard,
                        const struct operation *operation, struct failure *failure)
{
    static const uint8_t letter[] = {'S'};
    size_t more = 0;

    if (stream_talk_drain(&avr->talk, 0, operation, failure) != 0 ||
        stream_talk_ask(&avr->talk, letter, 1, heard->bytes, IDENTITY_BYTES, silence_us,
                        &heard->count, operation, failure) != 0)
        return -1;
    if (heard->count < IDENTITY_BYTES)
        return 0;
    if (stream_talk_ask(&avr->talk, NULL, 0, heard->bytes + heard->count,
                        sizeof heard->bytes - heard->count, STREAM_TALK_QUIET_US, &more, operation,
                        failure) != 0)
        return -1;
    heard->count += more;
    return 0;
}

/* A name that came late leaves the answers to what was asked meanwhile for the next questions: let
 * them come, and ask once more. */
static int ask_again(struct avr910 *avr, struct heard *heard, const struct operation *operation,
                     struct failure *failure)
{
    if (stream_talk_drain(&avr->talk, STREAM_TALK_REPLY_US, operation, failure) != 0)
        return -1;
    return ask_identity(avr, STREAM_TALK_REPLY_US, heard, operation, failure);
}

/* It may wait for the rest of a command that a killed program began, and it may just have been
 * reset. What answers, but not with a name, may be late: where many share a core. */
static int find(struct avr910 *avr, struct heard *heard, const struct operation *operation,
                struct failure *failure)
{
    int64_t end_us = operation_now_us() + FIND_TIME_US, quiet_us = STREAM_TALK_QUIET_US;

    for (int round = 0; round < FIND_ROUNDS || operation_now_us() < end_us; round++) {
        struct heard now = {0};

        if (feed(avr, round % 2 == 0 ? FEED_COUNT : FEED_BLOCK_COUNT, quiet_us, operation,
                 failure) != 0 ||
            ask_identity(avr, KNOCK_SILENCE_US, &now, operation, failure) != 0)
            return -1;
        if (round > 0 && is_identity(&now) && ask_again(avr, &now, operation, failure) != 0)
            return -1;
        if (now.count > 0)
            *heard = now;
        if (is_identity(&now))
            return 0;
        quiet_us = now.count > 0 ? KNOCK_SILENCE_US : STREAM_TALK_QUIET_US;
    }
    return 0;
}

static int fail_to_find(const struct heard *heard, struct failure *failure)
{
    char text[64];

    if (heard->count == 0)
        return failure_set(failure, FAILURE_PROGRAMMER_SILENT,
                           "no answer to S, the question for its name");
    stream_talk_bytes_to_text(heard->bytes, heard->count, text, sizeof text);
    return failure_set(failure, FAILURE_PROGRAMMER_UNKNOWN,
                       "answered %s to S, expected a name of %d characters", text, IDENTITY_BYTES);
}

static int look_for_programmer(struct avr910 *avr, uint8_t identity[IDENTITY_BYTES],
                               const struct operation *operation, struct failure *failure)
{
    struct failure cause = {0};
    struct heard heard = {0};

    if (feed_owed_value(avr, operation, &cause) != 0 || find(avr, &heard, operation, &cause) != 0) {
        if (cause.code == FAILURE_DEADLINE)
            return fail_to_find(&heard, failure);
        return failure_set(failure, cause.code, "%s", cause.detail);
    }
    if (!is_identity(&heard))
        return fail_to_find(&heard, failure);
    memcpy(identity, heard.bytes, IDENTITY_BYTES);
    avr->base.owed_value = -1;
    avr->base.answered = true;
    avr->talk.out_of_step = false;
    return 0;
}

static int recover(struct avr910 *avr, const struct operation *operation, struct failure *failure)
{
    struct heard heard = {0};

    if (stream_talk_drain(&avr->talk, STREAM_TALK_QUIET_US, operation, failure) != 0 ||
        feed_owed_value(avr, operation, failure) != 0)
        return -1;
    for (int tries = 0; tries < RECOVER_TRIES; tries++) {
        if (feed(avr, tries == 0 ? FEED_COUNT : FEED_BLOCK_COUNT,
                 tries == 0 ? STREAM_TALK_QUIET_US : KNOCK_SILENCE_US, operation, failure) != 0 ||
            ask_identity(avr, KNOCK_SILENCE_US, &heard, operation, failure) != 0)
            return -1;
        if (is_identity(&heard)) {
            avr->base.owed_value = -1;
            avr->talk.out_of_step = false;
            return 0;
        }
    }
    return fail_to_find(&heard, failure);
}

/* ---- what it can do ---- */

/* Boards' own bootloaders speak the same language, and have their own flash behind it. */
static int refuse_bootloader(const struct avr910 *avr, struct failure *failure)
{
    static const char *const names[] = {"CATERIN", "LUFACDC", "AVRBOOT", "XMEGABO"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (memcmp(avr->identity, names[i], IDENTITY_BYTES) == 0)
            return failure_set(failure, FAILURE_PROGRAMMER_UNKNOWN,
                               "'%s' is a board's bootloader, not a programmer", names[i]);
    return 0;
}

static int check_type(struct avr910 *avr, const struct operation *operation,
                      struct failure *failure)
{
    uint8_t type = 0, counts_on = 0;

    if (question(avr, 'p', &type, 1, operation, failure) != 0 ||
        question(avr, 'a', &counts_on, 1, operation, failure) != 0)
        return -1;
    if (type != 'S')
        return failure_set(failure, FAILURE_PROGRAMMER_UNKNOWN,
                           "answered %02X to p, expected S: a serial programmer", type);
    if (counts_on != 'Y')
        return failure_set(failure, FAILURE_PROGRAMMER_TOO_OLD,
                           "its address does not count on (it answers %02X to a, not Y)",
                           counts_on);
    return 0;
}

/* The largest power of two that its buffer holds. */
static int ask_blocks(struct avr910 *avr, const struct operation *operation,
                      struct failure *failure)
{
    uint8_t answer = 0, size[2] = {0};
    struct operation whole = stream_talk_steady(operation);

    avr->block_bytes = 0;
    if (question(avr, 'b', &answer, 1, operation, failure) != 0)
        return -1;
    if (answer != 'Y')
        return 0;
    if (stream_talk_hear(&avr->talk, size, sizeof size, 0, &whole, failure) != 0)
        return -1;
    uint32_t buffer = (uint32_t)size[0] << 8 | size[1];
    for (uint32_t bytes = 2; bytes <= buffer && bytes <= BLOCK_BYTES_MAX; bytes *= 2)
        avr->block_bytes = bytes;
    return 0;
}

static int ask_devices(struct avr910 *avr, const struct operation *operation,
                       struct failure *failure)
{
    struct operation whole = stream_talk_steady(operation);
    uint8_t code = 0;

    avr->code_count = 0;
    if (question(avr, 't', &code, 1, operation, failure) != 0)
        return -1;
    while (code != 0 && avr->code_count < sizeof avr->codes) {
        avr->codes[avr->code_count++] = code;
        if (stream_talk_hear(&avr->talk, &code, 1, 0, &whole, failure) != 0)
            return -1;
    }
    if (code == 0 && avr->code_count > 0)
        return 0;
    avr->talk.out_of_step = true;
    return failure_set(failure, FAILURE_PROGRAMMER_UNKNOWN,
                       "its list of device codes has %s, expected up to %zu codes and 00",
                       code == 0 ? "none" : "no end", sizeof avr->codes);
}

/* Device codes, those to be preferred first ("AVR910", and the clone's list). */
static const struct {
    uint16_t page_bytes; /* 0: bytes are written singly */
    uint8_t code;
    bool echo; /* programming enable is repeated until its 53 comes back */
} devices[] = {
    {128, 0x72, true}, {128, 0x74, true}, {64, 0x76, true}, {256, 0x43, true},
    {256, 0x45, true}, {32, 0x5E, true},  {32, 0x57, true}, {64, 0x31, true},
    {128, 0x35, true}, {0, 0x68, true},   {0, 0x38, true},  {0, 0x30, true},
    {0, 0x20, true},   {0, 0x4C, true},   {0, 0x55, true},  {0, 0x13, false},
};

static bool knows(const struct avr910 *avr, uint8_t code)
{
    return memchr(avr->codes, code, avr->code_count) != NULL;
}

/* One of a part with the same pages, else of any that has pages like this one, or none; 0: it knows
 * none. */
static uint8_t device_code(const struct avr910 *avr, const struct part *part)
{
    uint32_t wanted = part->flash.page_write ? part->flash.page_size : 0;
    uint8_t found = 0;

    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++) {
        if (!knows(avr, devices[i].code) || devices[i].echo != part->sync_echo ||
            (devices[i].page_bytes != 0) != (wanted != 0))
            continue;
        if (devices[i].page_bytes == wanted)
            return devices[i].code;
        if (found == 0)
            found = devices[i].code;
    }
    return found;
}

static int set_device(struct avr910 *avr, uint8_t code, const struct operation *operation,
                      struct failure *failure)
{
    const uint8_t bytes[] = {'T', code};

    return command(avr, "device code", bytes, sizeof bytes, operation, failure);
}

/* All but the questions need a device, whichever. Were the T lost, its code would be a command: see
 * the top. */
static int set_any_device(struct avr910 *avr, const struct operation *operation,
                          struct failure *failure)
{
    for (size_t i = 0; i < avr->code_count; i++)
        if (!is_letter(avr->codes[i]))
            return set_device(avr, avr->codes[i], operation, failure);
    return failure_set(failure, FAILURE_PROGRAMMER_UNKNOWN,
                       "each device code of its list is also a command that erases or writes "
                       "fuses: none can be sent safely");
}

/* Fuses can be written by no other command, so a programmer without it is of no use. Its pins drive
 * nothing now. */
static int check_universal(struct avr910 *avr, const struct operation *operation,
                           struct failure *failure)
{
    static const uint8_t look[] = {'.', 0x30, 0x00, 0x00, 0x00};
    uint8_t reply[sizeof look];
    size_t received = 0;

    if (stream_talk_ask(&avr->talk, look, sizeof look, reply, 2, STREAM_TALK_REPLY_US, &received,
                        operation, failure) != 0)
        return -1;
    if (received == 2 && reply[1] == CR)
        return 0;
    avr->talk.out_of_step = true;
    if (received < 2)
        return failure_set(failure, FAILURE_PROGRAMMER_SILENT,
                           "no answer to the universal command of four bytes (.)");
    return failure_set(failure, FAILURE_PROGRAMMER_TOO_OLD,
                       "it lacks the universal command of four bytes (.), and fuses can be written "
                       "by no other");
}

static int leave(struct avr910 *avr, const struct operation *operation, struct failure *failure)
{
    static const uint8_t bytes[] = {'L'};

    if (command(avr, "leave", bytes, sizeof bytes, operation, failure) != 0)
        return -1;
    avr->entered = false;
    return 0;
}

/* A predecessor that was killed in a session may have left the board in reset. */
static int let_go(struct avr910 *avr, const struct operation *operation, struct failure *failure)
{
    avr->entered = true;
    if (set_any_device(avr, operation, failure) != 0)
        return -1;
    return leave(avr, operation, failure);
}

static int claim(struct programmer *programmer, const struct programmer_settings *settings,
                 const struct operation *operation, struct failure *failure)
{
    struct avr910 *avr = self(programmer);
    char blocks[32];

    if (stream_talk_open(&avr->talk, &settings->place, settings->baud, operation, failure) != 0 ||
        look_for_programmer(avr, avr->identity, operation, failure) != 0 ||
        refuse_bootloader(avr, failure) != 0 || check_type(avr, operation, failure) != 0 ||
        question(avr, 'V', avr->version, sizeof avr->version, operation, failure) != 0 ||
        ask_blocks(avr, operation, failure) != 0 || ask_devices(avr, operation, failure) != 0 ||
        let_go(avr, operation, failure) != 0 || check_universal(avr, operation, failure) != 0)
        return -1;
    snprintf(blocks, sizeof blocks, "blocks of %" PRIu32, avr->block_bytes);
    snprintf(programmer->firmware, sizeof programmer->firmware, "%.7s %c.%c, %s",
             (const char *)avr->identity, avr->version[0], avr->version[1],
             avr->block_bytes > 0 ? blocks : "byte by byte");
    return 0;
}

/* ---- sessions ---- */

static int release(struct programmer *programmer, const struct operation *operation,
                   struct failure *failure)
{
    static const uint8_t bytes[] = {'L'};
    struct avr910 *avr = self(programmer);

    if (avr->talk.out_of_step && recover(avr, operation, failure) != 0) {
        /* Perhaps it hears what it does not confirm; but it must not take this for a fuse value. */
        if (avr->base.owed_value < 0)
            link_stream_write(avr->talk.stream, bytes, sizeof bytes, operation, NULL);
        return -1;
    }
    return leave(avr, operation, failure);
}

static void unclaim(struct programmer *programmer)
{
    struct avr910 *avr = self(programmer);
    struct operation operation = {.deadline_us = operation_now_us() + STREAM_TALK_REPLY_US};

    if (avr->talk.stream != NULL && avr->entered)
        release(programmer, &operation, NULL);
    stream_talk_close(&avr->talk);
}

static int find_name(struct avr910 *avr, uint8_t name[IDENTITY_BYTES],
                     const struct operation *operation, struct failure *failure)
{
    struct heard heard = {0};

    if (ask_identity(avr, KNOCK_SILENCE_US, &heard, operation, failure) != 0)
        return -1;
    memcpy(name, heard.bytes, IDENTITY_BYTES);
    if (heard.count == IDENTITY_BYTES && memcmp(name, avr->identity, IDENTITY_BYTES) == 0)
        return 0;
    return look_for_programmer(avr, name, operation, failure);
}

/* Is it still the one that was claimed? What was asked then does not hold for another. */
static int prove(struct avr910 *avr, const struct operation *operation, struct failure *failure)
{
    uint8_t name[IDENTITY_BYTES], version[2];

    if (find_name(avr, name, operation, failure) != 0 ||
        question(avr, 'V', version, sizeof version, operation, failure) != 0)
        return -1;
    if (memcmp(name, avr->identity, sizeof name) == 0 &&
        memcmp(version, avr->version, sizeof version) == 0)
        return 0;
    return failure_set(failure, FAILURE_PROGRAMMER_UNKNOWN,
                       "its name is '%.7s' %c.%c, but was '%.7s' %c.%c before", (const char *)name,
                       version[0], version[1], (const char *)avr->identity, avr->version[0],
                       avr->version[1]);
}

static int enter(struct avr910 *avr, const struct operation *operation, struct failure *failure)
{
    static const uint8_t bytes[] = {'P'};

    if (avr->entered && leave(avr, operation, failure) != 0)
        return -1;
    avr->entered = true;
    return command(avr, "enter", bytes, sizeof bytes, operation, failure);
}

static int attach(struct programmer *programmer, const struct operation *operation,
                  struct failure *failure)
{
    struct avr910 *avr = self(programmer);
    uint8_t code = device_code(avr, programmer->part);

    if (code == 0)
        return failure_set(
            failure, FAILURE_PROGRAMMER_TOO_OLD, "it knows no device %s pages, as %s is",
            programmer->part->flash.page_write ? "with" : "without", programmer->part->name);
    if ((avr->talk.out_of_step && recover(avr, operation, failure) != 0) ||
        prove(avr, operation, failure) != 0 || set_device(avr, code, operation, failure) != 0)
        return -1;
    if (enter(avr, operation, failure) == 0)
        return 0;
    release(programmer, operation, NULL); /* the target may be in reset */
    return -1;
}

/* ---- single instructions ---- */

/* The fourth byte back, and when it came; then CR. */
static int hear_universal(struct avr910 *avr, uint8_t *reply, int64_t *executed_us,
                          const struct operation *operation, struct failure *failure)
{
    static const uint8_t done[] = {CR};

    if (stream_talk_hear(&avr->talk, reply, 1, 0, operation, failure) != 0)
        return -1;
    *executed_us = operation_now_us();
    return stream_talk_expect(&avr->talk, "instruction", done, sizeof done, 0, operation, failure);
}

static int universal_at_once(struct avr910 *avr, const uint8_t bytes[4], uint8_t *reply,
                             int64_t *executed_us, const struct operation *operation,
                             struct failure *failure)
{
    const uint8_t sent[] = {'.', bytes[0], bytes[1], bytes[2], bytes[3]};
    struct operation whole = stream_talk_steady(operation);

    if (stream_talk_begin(&avr->talk, operation, failure) != 0 ||
        stream_talk_send(&avr->talk, sent, sizeof sent, &whole, failure) != 0)
        return -1;
    return hear_universal(avr, reply, executed_us, &whole, failure);
}

/* See the top. With `owes` the last byte is a value that the programmer must get when it got what
 * stands before it. */
static int universal_in_pieces(struct avr910 *avr, const uint8_t bytes[4], bool owes,
                               uint8_t *reply, int64_t *executed_us,
                               const struct operation *operation, struct failure *failure)
{
    const uint8_t head[] = {'.', bytes[0]};
    struct operation whole = stream_talk_steady(operation);
    int64_t wire_us = (int64_t)sizeof head * avr->talk.byte_ns / 1000;

    if (stream_talk_begin(&avr->talk, operation, failure) != 0)
        return -1;
    avr->base.owed_value = owes ? 0 : -1;
    if (stream_talk_send(&avr->talk, head, sizeof head, &whole, failure) != 0 ||
        stream_talk_expect_silence(&avr->talk, "instruction, after its first byte", wire_us, &whole,
                                   failure) != 0)
        return -1;
    avr->base.owed_value = owes ? bytes[3] : -1;
    if (stream_talk_send(&avr->talk, bytes + 1, 2, &whole, failure) != 0 ||
        stream_talk_expect_silence(&avr->talk, "instruction, before its last byte", wire_us, &whole,
                                   failure) != 0 ||
        stream_talk_send(&avr->talk, bytes + 3, 1, &whole, failure) != 0 ||
        hear_universal(avr, reply, executed_us, &whole, failure) != 0)
        return -1;
    avr->base.owed_value = -1;
    return 0;
}

static int emit(struct avr910 *avr, const struct isp_instruction *instruction, uint8_t *reply,
                int64_t *executed_us, const struct operation *operation, struct failure *failure)
{
    uint8_t bytes[4];

    *reply = 0;
    if (isp_door_open(avr->base.part, instruction, avr->base.session, bytes, failure) != 0)
        return -1;
    if (isp_writes_fuse_or_lock(bytes))
        return universal_in_pieces(avr, bytes, true, reply, executed_us, operation, failure);
    if (has_letter(bytes, sizeof bytes) && bytes[0] != 'L') /* 4C, see the top */
        return universal_in_pieces(avr, bytes, false, reply, executed_us, operation, failure);
    return universal_at_once(avr, bytes, reply, executed_us, operation, failure);
}

static int instruct(struct programmer *programmer, const struct isp_instruction *instruction,
                    uint8_t *reply, const struct operation *operation, struct failure *failure)
{
    int64_t executed_us;

    return emit(self(programmer), instruction, reply, &executed_us, operation, failure);
}

/* What writes, and then the datasheet's time and a fifth from when it was executed. */
static int emit_and_wait(struct avr910 *avr, struct isp_instruction instruction, uint32_t delay_us,
                         const struct operation *operation, struct failure *failure)
{
    uint8_t reply;
    int64_t executed_us = 0;

    if (emit(avr, &instruction, &reply, &executed_us, operation, failure) != 0)
        return -1;
    int64_t left_us = executed_us + delay_us + delay_us / 5 - operation_now_us();
    return left_us > 0 ? operation_sleep_us(operation, left_us, failure) : 0;
}

/* By its own command, last byte first: a universal command would wait 50 ms for each. */
static int identify(struct programmer *programmer, uint8_t signature[3],
                    const struct operation *operation, struct failure *failure)
{
    uint8_t found[3];

    if (question(self(programmer), 's', found, sizeof found, operation, failure) != 0)
        return -1;
    for (int i = 0; i < 3; i++)
        signature[i] = found[2 - i];
    return 0;
}

/* ---- reading ---- */

/* A stretch that one address reaches. */
struct reading {
    bool flash;
    uint32_t at, end;     /* what the programmer is asked for, bytes */
    uint32_t start, stop; /* what is wanted of it */
    uint8_t *bytes;       /* of `start` */
};

static int set_address(struct avr910 *avr, uint32_t address, const struct operation *operation,
                       struct failure *failure)
{
    const uint8_t bytes[] = {'A', (uint8_t)(address >> 8), (uint8_t)address};

    return command(avr, "address", bytes, sizeof bytes, operation, failure);
}

static int ask_block(struct avr910 *avr, const struct reading *reading, uint32_t length,
                     const struct operation *operation, struct failure *failure)
{
    const uint8_t bytes[] = {'g', (uint8_t)(length >> 8), (uint8_t)length,
                             reading->flash ? 'F' : 'E'};

    return stream_talk_send(&avr->talk, bytes, sizeof bytes, operation, failure);
}

/* A letter for each word or byte, and time for it: the answer to a word takes two bytes of the
 * wire, and the programmer cannot be asked faster than it answers. */
static int ask_singly(struct avr910 *avr, const struct reading *reading, uint32_t length,
                      const struct operation *operation, struct failure *failure)
{
    const uint8_t bytes[] = {reading->flash ? 'R' : 'd', ESCAPE};
    struct run run = {.used = 0};

    for (uint32_t i = 0; i < length; i += reading->flash ? 2 : 1)
        if (run_add(avr, &run, bytes, sizeof bytes, operation, failure) != 0)
            return -1;
    return run_send(avr, &run, operation, failure);
}

/* 'R' gives the high byte first. */
static void swap_words(uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i + 1 < count; i += 2) {
        uint8_t high = bytes[i];

        bytes[i] = bytes[i + 1];
        bytes[i + 1] = high;
    }
}

/* Copies what is wanted of a chunk that begins at `at`. */
static void keep(const struct reading *reading, uint32_t at, const uint8_t *chunk, uint32_t length)
{
    uint32_t from = at > reading->start ? at : reading->start;
    uint32_t to = at + length < reading->stop ? at + length : reading->stop;

    if (from < to)
        memcpy(reading->bytes + (from - reading->start), chunk + (from - at), to - from);
}

static int read_chunk(struct avr910 *avr, const struct reading *reading, uint32_t at,
                      uint32_t length, const struct operation *operation, struct failure *failure)
{
    uint8_t chunk[READ_BLOCK_BYTES];
    int asked = avr->block_bytes > 0 ? ask_block(avr, reading, length, operation, failure)
                                     : ask_singly(avr, reading, length, operation, failure);

    if (asked != 0 || stream_talk_hear(&avr->talk, chunk, length, 0, operation, failure) != 0)
        return -1;
    if (avr->block_bytes == 0 && reading->flash)
        swap_words(chunk, length);
    keep(reading, at, chunk, length);
    return 0;
}

static int read_stretch(struct avr910 *avr, const struct reading *reading,
                        const struct operation *operation, struct failure *failure)
{
    struct operation whole = stream_talk_steady(operation);
    uint32_t unit = reading->flash ? 2 : 1;
    uint32_t most = avr->block_bytes > 0 ? READ_BLOCK_BYTES : READ_COMMANDS * unit;

    if (set_address(avr, reading->at / unit, operation, failure) != 0)
        return -1;
    for (uint32_t at = reading->at; at < reading->end; at += most) {
        uint32_t left = reading->end - at;
        uint32_t length = left < most ? left : most;

        if (stream_talk_begin(&avr->talk, operation, failure) != 0 ||
            read_chunk(avr, reading, at, length, &whole, failure) != 0)
            return -1;
        uint32_t done = at + length < reading->stop ? at + length : reading->stop;
        if (done > reading->start)
            operation_progress(operation, done - reading->start);
    }
    return 0;
}

static int read_array(struct avr910 *avr, enum part_memory memory, uint32_t start, uint8_t *bytes,
                      uint32_t count, const struct operation *operation, struct failure *failure)
{
    bool flash = memory == PART_FLASH;
    uint32_t step = flash ? 2 * ADDRESS_STEP : ADDRESS_STEP;
    uint32_t stop = start + count;
    struct reading reading = {.flash = flash,
                              .at = start - start % step,
                              .end = (stop + step - 1) / step * step,
                              .start = start,
                              .stop = stop};

    reading.bytes = &bytes[0];
    while (is_letter((uint8_t)(reading.at / (flash ? 2 : 1) >> 8)))
        reading.at -= step;
    return read_stretch(avr, &reading, operation, failure);
}

static int read(struct programmer *programmer, enum part_memory memory, uint32_t start,
                uint8_t *bytes, uint32_t count, const struct operation *operation,
                struct failure *failure)
{
    if (memory == PART_FLASH || memory == PART_EEPROM)
        return read_array(self(programmer), memory, start, bytes, count, operation, failure);
    return isp_read(programmer, memory, start, bytes, count, operation, failure);
}

/* ---- flash, byte by byte ---- */

static int add_load(struct avr910 *avr, struct run *run, const uint8_t word[2],
                    const struct operation *operation, struct failure *failure)
{
    const uint8_t low[] = {'c', word[0]}, high[] = {'C', word[1]};

    if (run_add(avr, run, low, sizeof low, operation, failure) != 0)
        return -1;
    return run_add(avr, run, high, sizeof high, operation, failure);
}

/* Words that stay FF are not loaded. Of an address the part looks only at its place in the page;
 * where that is a letter, the blank words before it are loaded after all. */
static int load_page(struct avr910 *avr, const uint8_t *bytes, const struct operation *operation,
                     struct failure *failure)
{
    static const uint8_t blank[2] = {0xFF, 0xFF};
    struct run run = {.used = 0};
    uint32_t words = avr->base.part->flash.page_size / 2, next = 0;
    bool known = false;

    for (uint32_t word = 0; word < words; word++) {
        if (isp_is_blank(bytes + 2 * (size_t)word, 2))
            continue;
        uint32_t from = word;
        while (is_letter((uint8_t)from) && !(known && from == next))
            from--;
        const uint8_t address[] = {'A', 0, (uint8_t)from};
        if (!(known && from == next) &&
            run_add(avr, &run, address, sizeof address, operation, failure) != 0)
            return -1;
        for (; from < word; from++)
            if (add_load(avr, &run, blank, operation, failure) != 0)
                return -1;
        if (add_load(avr, &run, bytes + 2 * (size_t)word, operation, failure) != 0)
            return -1;
        next = word + 1;
        known = true;
    }
    return run_finish(avr, &run, "load", operation, failure);
}

static int load_and_write(struct avr910 *avr, uint32_t address, const uint8_t *bytes,
                          const struct operation *operation, struct failure *failure)
{
    const struct part *part = avr->base.part;
    struct operation whole = stream_talk_steady(operation);

    if (isp_is_blank(bytes, part->flash.page_size))
        return 0;
    if (stream_talk_begin(&avr->talk, operation, failure) != 0 ||
        load_page(avr, bytes, &whole, failure) != 0)
        return -1;
    return emit_and_wait(avr, isp_write_flash_page(address), part->flash.write_delay_us, operation,
                         failure);
}

/* See the top: letters first with bit 7, and without it in a second round. */
static int write_page_singly(struct avr910 *avr, uint32_t address, const uint8_t *bytes,
                             const struct operation *operation, struct failure *failure)
{
    uint8_t first[PAGE_BYTES_MAX] = {0}, second[PAGE_BYTES_MAX] = {0};
    uint32_t count = avr->base.part->flash.page_size;

    for (uint32_t i = 0; i < count; i++) {
        first[i] = is_letter(bytes[i]) ? bytes[i] | 0x80 : bytes[i];
        second[i] = is_letter(bytes[i]) ? 0x7F : 0xFF;
    }
    if (load_and_write(avr, address, first, operation, failure) != 0)
        return -1;
    return load_and_write(avr, address, second, operation, failure);
}

/* ---- flash in blocks ---- */

static bool looks_like_universal(const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i + 2 < count; i++)
        if ((bytes[i] == '.' || bytes[i] == ':') && bytes[i + 1] == 0xAC && bytes[i + 2] >= 0x80)
            return true;
    return false;
}

/* One piece of a block, after which nothing may come for so long. */
static int send_piece(struct avr910 *avr, const uint8_t *bytes, size_t count, int64_t work_us,
                      const struct operation *operation, struct failure *failure)
{
    int64_t wire_us = (int64_t)count * avr->talk.byte_ns / 1000;

    if (stream_talk_send(&avr->talk, bytes, count, operation, failure) != 0)
        return -1;
    return stream_talk_expect_silence(&avr->talk, "block, before its end", wire_us + work_us,
                                      operation, failure);
}

/* See the top. */
static int send_block_in_pieces(struct avr910 *avr, const uint8_t *sent, size_t head, size_t count,
                                const struct operation *operation, struct failure *failure)
{
    size_t first = is_letter(sent[head]) ? head : head + 1;
    size_t last = is_letter(sent[count - 1]) ? count - 1 : count;

    if (send_piece(avr, sent, first, 0, operation, failure) != 0)
        return -1;
    if (first == head && send_piece(avr, sent + first++, 1, 0, operation, failure) != 0)
        return -1;
    if (last == count)
        return stream_talk_send(&avr->talk, sent + first, count - first, operation, failure);
    if (send_piece(avr, sent + first, last - first, BLOCK_WORK_US, operation, failure) != 0)
        return -1;
    return stream_talk_send(&avr->talk, sent + last, 1, operation, failure);
}

static int write_block(struct avr910 *avr, const uint8_t *bytes, uint32_t count,
                       const struct operation *operation, struct failure *failure)
{
    static const uint8_t done[] = {CR};
    enum { HEAD = 4 };
    uint8_t sent[HEAD + BLOCK_BYTES_MAX] = {'B', (uint8_t)(count >> 8), (uint8_t)count, 'F'};
    struct operation whole = stream_talk_steady(operation);
    bool in_pieces = has_letter(bytes, count) || looks_like_universal(bytes, count);

    memcpy(sent + HEAD, bytes, count);
    if (stream_talk_begin(&avr->talk, operation, failure) != 0)
        return -1;
    if (in_pieces ? send_block_in_pieces(avr, sent, HEAD, HEAD + count, &whole, failure) != 0
                  : stream_talk_send(&avr->talk, sent, HEAD + count, &whole, failure) != 0)
        return -1;
    return stream_talk_expect(&avr->talk, "block", done, sizeof done,
                              (int64_t)count * avr->talk.byte_ns / 1000, &whole, failure);
}

/* Brings the programmer's counter to `address`. Where a byte of that is a letter, blocks of FF
 * before it count on to it: they change nothing. */
static int go_to(struct avr910 *avr, uint32_t address, uint32_t block,
                 const struct operation *operation, struct failure *failure)
{
    uint8_t blank[BLOCK_BYTES_MAX];
    uint32_t from = address;

    memset(blank, 0xFF, sizeof blank);
    while (is_letter((uint8_t)(from >> 9)) || is_letter((uint8_t)(from >> 1)))
        from -= block;
    if (set_address(avr, from >> 1, operation, failure) != 0)
        return -1;
    for (; from < address; from += block)
        if (write_block(avr, blank, block, operation, failure) != 0)
            return -1;
    return 0;
}

/* No block reaches beyond a page, and each is written at its end. */
static int write_blocks(struct avr910 *avr, uint32_t start, const uint8_t *bytes, uint32_t count,
                        const struct operation *operation, struct failure *failure)
{
    uint32_t page = avr->base.part->flash.page_size, next = 0;
    uint32_t block = avr->block_bytes < page ? avr->block_bytes : page;
    bool known = false;

    for (uint32_t at = 0; at < count; at += block) {
        uint32_t address = start + at;

        if (isp_is_blank(bytes + at, block))
            continue;
        if (!(known && next == address) && go_to(avr, address, block, operation, failure) != 0)
            return -1;
        if (write_block(avr, bytes + at, block, operation, failure) != 0)
            return -1;
        next = address + block;
        known = true;
        operation_progress(operation, at + block);
    }
    operation_progress(operation, count);
    return 0;
}

static int write_pages(struct avr910 *avr, uint32_t start, const uint8_t *bytes, uint32_t count,
                       const struct operation *operation, struct failure *failure)
{
    uint32_t page = avr->base.part->flash.page_size;

    if (page > PAGE_BYTES_MAX)
        return failure_set(failure, FAILURE_INTERNAL, "pages of %" PRIu32 " bytes", page);
    if (avr->block_bytes > 0)
        return write_blocks(avr, start, bytes, count, operation, failure);
    for (uint32_t at = 0; at < count; at += page) {
        if (write_page_singly(avr, start + at, bytes + at, operation, failure) != 0)
            return -1;
        operation_progress(operation, at + page);
    }
    return 0;
}

/* ---- single bytes: EEPROM, and flash without pages ---- */

/* A byte that is written at once. */
struct single {
    uint8_t letter;
    uint32_t address; /* of the programmer's counter */
    uint8_t value;
    struct isp_instruction instruction; /* that does the same */
    uint32_t wait_us;                   /* after its answer */
    uint32_t delay_us;                  /* the datasheet's */
};

/* `*next` is where the counter stands; -1: not known. It does not move here. */
static int write_single(struct avr910 *avr, const struct single *single, int64_t *next,
                        const struct operation *operation, struct failure *failure)
{
    const uint8_t sent[] = {single->letter, single->value};
    bool there = *next == (int64_t)single->address;
    struct operation whole = stream_talk_steady(operation);

    if (is_letter(single->value) || (!there && is_letter((uint8_t)single->address))) {
        *next = -1;
        return emit_and_wait(avr, single->instruction, single->delay_us, operation, failure);
    }
    if (!there && set_address(avr, single->address, operation, failure) != 0)
        return -1;
    *next = single->address;
    if (command(avr, "byte", sent, sizeof sent, operation, failure) != 0)
        return -1;
    return single->wait_us > 0 ? operation_sleep_us(&whole, single->wait_us, failure) : 0;
}

static uint32_t with_a_fifth(uint32_t delay_us)
{
    return delay_us + delay_us / 5;
}

static int write_flash_bytes(struct avr910 *avr, uint32_t start, const uint8_t *bytes,
                             uint32_t count, const struct operation *operation,
                             struct failure *failure)
{
    const struct part *part = avr->base.part;
    uint32_t delay_us = part->flash.write_delay_us;
    int64_t next = -1;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t address = start + i;
        bool high = (address & 1) != 0;
        struct single single = {
            high ? 'C' : 'c',       address / 2, bytes[i], isp_load_flash(part, address, bytes[i]),
            with_a_fifth(delay_us), delay_us};

        if (bytes[i] == 0xFF)
            continue;
        if (write_single(avr, &single, &next, operation, failure) != 0)
            return -1;
        next += next >= 0 && high;
        operation_progress(operation, i + 1);
    }
    return 0;
}

static int write_eeprom(struct avr910 *avr, uint32_t start, const uint8_t *bytes, uint32_t count,
                        const struct operation *operation, struct failure *failure)
{
    uint32_t delay_us = avr->base.part->eeprom.write_delay_us;
    uint32_t needed_us = with_a_fifth(delay_us);
    int64_t next = -1;

    for (uint32_t i = 0; i < count; i++) {
        struct single single = {'D',
                                start + i,
                                bytes[i],
                                isp_write_eeprom(start + i, bytes[i]),
                                needed_us > EEPROM_WAIT_US ? needed_us - EEPROM_WAIT_US : 0,
                                delay_us};

        if (write_single(avr, &single, &next, operation, failure) != 0)
            return -1;
        next += next >= 0;
        operation_progress(operation, i + 1);
    }
    return 0;
}

static int write(struct programmer *programmer, enum part_memory memory, uint32_t start,
                 const uint8_t *bytes, uint32_t count, struct fuse_permit *permit,
                 const struct operation *operation, struct failure *failure)
{
    struct avr910 *avr = self(programmer);

    if (memory == PART_FLASH && programmer->part->flash.page_write)
        return write_pages(avr, start, bytes, count, operation, failure);
    if (memory == PART_FLASH)
        return write_flash_bytes(avr, start, bytes, count, operation, failure);
    if (memory == PART_EEPROM)
        return write_eeprom(avr, start, bytes, count, operation, failure);
    return isp_write(programmer, memory, start, bytes, count, permit, operation, failure);
}

/* ---- the shortest time ---- */

#define SINGLE_FRAME_US 356 /* an instruction over the SPI of the firmware for 4 MHz */
#define SINGLE_WAIT_US 49000
#define BLOCK_FRAME_US 272 /* the same for 7.3728 MHz */
#define BLOCK_BYTES 64
#define BLOCK_BAUD 57600 /* from here on it is taken for one with blocks */

/* A page byte by byte: an address, a letter and a value for each byte, the page write with its
 * answer, which comes 49 ms after it. Reading: one byte on the wire for each byte. A page with
 * letters (see the top) takes a second page write; that is not counted. It costs 66 ms, 49 of which
 * the firmware waits after the universal command: a third of a page's time more. Nothing cheaper is
 * as safe: a 'c' that was lost is as silent as one that waits for its letter, and a universal
 * command, whose head silence proves, takes 80 ms for each letter. */
static int64_t single_floor_us(int64_t page, int64_t byte_ns, char *text, size_t text_bytes)
{
    int64_t wire_us = (3 + 2 * page + 5 + 1) * byte_ns / 1000;

    if (text != NULL)
        snprintf(text, text_bytes,
                 "page on the wire: (3 + 2 x %" PRId64 " + 5 + 1) bytes x %" PRId64 " ns = %" PRId64
                 " us\n"
                 "page write: %d us instruction + %d us wait\n",
                 page, byte_ns, wire_us, SINGLE_FRAME_US, SINGLE_WAIT_US);
    return wire_us + SINGLE_FRAME_US + SINGLE_WAIT_US;
}

/* Blocks of 64 bytes or a page: on the wire, then over SPI, then written (it looks whether it is
 * done), then answered. Blocks with letters wait 30 ms more; that is not counted. Reading: one
 * instruction for each byte. */
static int64_t block_floor_us(const struct part *part, int64_t byte_ns, char *text,
                              size_t text_bytes)
{
    int64_t page = part->flash.page_size;
    int64_t block = page < BLOCK_BYTES ? page : BLOCK_BYTES;
    int64_t wire_us = (4 + block + 1) * byte_ns / 1000;
    int64_t block_us = wire_us + (block + 1) * BLOCK_FRAME_US + (int64_t)part->flash.write_delay_us;

    if (text != NULL)
        snprintf(text, text_bytes,
                 "block on the wire: (4 + %" PRId64 " + 1) bytes x %" PRId64 " ns = %" PRId64
                 " us\n"
                 "block over SPI: (%" PRId64 " + 1) x %d us, and %" PRIu32 " us to write\n",
                 block, byte_ns, wire_us, block, BLOCK_FRAME_US, part->flash.write_delay_us);
    return page / block * block_us;
}

/* A byte without pages: a letter, its value and the answer, and the part's own time. */
static int64_t byte_floor_us(const struct part *part, int64_t byte_ns, char *text,
                             size_t text_bytes)
{
    int64_t byte_us = 3 * byte_ns / 1000 + (int64_t)part->flash.write_delay_us;

    if (text != NULL)
        snprintf(text, text_bytes, "byte: 3 x %" PRId64 " ns + %" PRIu32 " us to write\n", byte_ns,
                 part->flash.write_delay_us);
    return byte_us;
}

/* How it works is not known before it is asked: from 57600 baud on it is taken for a firmware with
 * blocks, below for one without. */
static int64_t floor_us(const struct part *part, const struct programmer_speed *speed,
                        uint32_t flash_bytes, uint32_t verify_bytes, char *text, size_t text_bytes)
{
    int64_t byte_ns = 10 * INT64_C(1000000000) / speed->baud;
    int64_t pages = flash_bytes / part->flash.page_size;
    bool blocks = speed->baud >= BLOCK_BAUD;
    int64_t page_us = !part->flash.page_write ? byte_floor_us(part, byte_ns, text, text_bytes)
                      : blocks                ? block_floor_us(part, byte_ns, text, text_bytes)
                               : single_floor_us(part->flash.page_size, byte_ns, text, text_bytes);
    int64_t read_us =
        blocks ? (int64_t)verify_bytes * BLOCK_FRAME_US : (int64_t)verify_bytes * byte_ns / 1000;
    size_t used = text != NULL ? strlen(text) : 0;

    if (text != NULL)
        snprintf(text + used, text_bytes - used,
                 "write: %" PRId64 " pages x %" PRId64 " us = %" PRId64 " us\n"
                 "verify: %" PRIu32 " bytes = %" PRId64 " us\n",
                 pages, page_us, pages * page_us, verify_bytes, read_us);
    return pages * page_us + read_us;
}

const struct programmer_driver avr910_driver = {
    .name = "avr910",
    .title = "AVR910 (Atmel's low-cost serial programmer and its clones)",
    .instance_bytes = sizeof(struct avr910),
    .link = PROGRAMMER_STREAM,
    .default_baud = 19200,
    .flash_bytes_max = FLASH_BYTES_MAX,
    .sck_hz = ASSUMED_SCK_HZ,
    .sck_is_bound = true,
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
