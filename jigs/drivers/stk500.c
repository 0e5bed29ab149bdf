/* Atmel's STK500 and AVRISP with their first firmware, protocol version 1 (Atmel AVR061, "STK500
 * Communication Protocol", rev. 2525). Most units were upgraded to version 2 since; those are told
 * to whom they belong (stk500v2).
 *
 * - A command ends with 20 and is answered 14 (in step), data, 10 (done), or 15 when the end byte
 *   was not 20. No length, no checksum; it waits for missing bytes for ever.
 * - SCK is parameter 89, in steps of 8 / 7.3728 MHz. It is remembered for ever, by whomever it was
 *   set, so every session sets it. The AVRISP's clock is half as fast, and so is its SCK: slower
 *   than asked for, which is safe.
 * - The address is set before each block: whether it counts on is not known of all firmware.
 * - EEPROM goes by universal commands: in some firmware a block's address counts bytes, in other
 *   words. Only whether it is blank is asked by blocks, those of either count.
 *
 * What a lost, doubled or turned byte may do. AVR061 has every command answered 15 and not carried
 * out without its end byte, so image data can only be taken for a command that does harm where an
 * end byte follows it: 52 (erase), 62, 63, 65 (fuses, lock bits), 40 84 (the board's supply).
 * Universal commands (56, 57) are not trusted to wait for theirs: AC and a byte of 80 or more after
 * them is enough. Of a page whose data (and the end byte after them) hold such a row the byte that
 * begins it is sent as FF, and written afterwards by universal commands, over what is there: flash
 * takes the AND of what is written between erases. A universal command that holds one (63, the
 * place of a byte, value, end byte) goes in two: after the first three bytes silence must show that
 * its 56 arrived. Commands that are one turned bit from those of a page: 57 from 55, for which a
 * page's address goes apart where the page has AC and 80 or more at the fourth bytes that would
 * begin instructions then; 65 from 64, where a page begins with 20, which is sent later, too. After
 * any failure the firmware may wait for the rest of such a command: it gets zeros, which are no end
 * byte.
 *
 * Fuse and lock writes (56 AC A0 00 v and an end byte): a firmware that carries them out before it
 * looks at the end byte (as ArduinoISP does) must get v for an end byte, lest a lost byte put 20
 * into the fuse; one that looks first must get 20 and, after a failure, anything but 20. Which it
 * is shows at the first write: it goes with v for an end byte, and the fuse is read back. From then
 * on `ends` says how to speak, and what is owed after a failure: v, or 00, which ends a frame
 * wrongly. A doubled byte (AC A0 A0 00 v) is not carried out by a firmware that looks first, as v
 * is no end byte; by any other it is, like a turned bit: reading back finds it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "jigs/drivers/stream_talk.h"
#include "jigs/isp.h"
#include "jigs/programmer.h"

enum {
    SYNC = 0x30,
    SIGN_ON = 0x31,
    SET_PARAMETER = 0x40,
    GET_PARAMETER = 0x41,
    SET_DEVICE = 0x42,
    SET_EXTENDED = 0x45,
    ENTER = 0x50,
    LEAVE = 0x51,
    LOAD_ADDRESS = 0x55,
    UNIVERSAL = 0x56,
    UNIVERSAL_MULTI = 0x57,
    PROGRAM_PAGE = 0x64,
    READ_PAGE = 0x74,

    END = 0x20,
    OK = 0x10,
    FAILED = 0x11,
    UNKNOWN = 0x12,
    NO_DEVICE = 0x13,
    IN_SYNC = 0x14,
    NO_SYNC = 0x15,

    PARAMETER_FIRST = 0x80, /* AVR061 has none below */
    PARAMETER_MAJOR = 0x81,
    PARAMETER_MINOR = 0x82,
    PARAMETER_SUPPLY = 0x84,
    PARAMETER_SCK = 0x89,
    PARAMETER_KIND = 0x93 /* ArduinoISP answers 'S' */
};

#define BLOCK_BYTES_MAX 256
#define BLOCK_BYTES_MIN 32 /* below that single instructions are as good */
#define SEGMENT_BYTES 0x20000
#define SCK_STEP_HZ 921600 /* 7.3728 MHz / 8 */
#define SCK_COUNT 255
#define SUPPLY_TENTHS_MIN 27 /* below, most parts are out of their range */
#define OLD_MAJOR 1
#define OLD_MINOR 10 /* up to this version 45 has four bytes, then five */

#define KNOCK_SILENCE_US 250000
#define FIND_ROUNDS 6
#define WRITE_US 100000 /* beyond the usual, for the slowest parts' page write */
#define FEED_COUNT 8
#define FEED_LIMIT 32 /* the longest command but a page has 20 arguments */
#define OWED_ROUNDS 24
#define RECOVER_TRIES 4
#define NAME_TRIES 3

enum end_rule {
    ENDS_UNKNOWN,
    ENDS_IGNORED, /* an instruction is carried out before its end byte is looked at */
    ENDS_CHECKED
};

struct stk500 {
    struct programmer base;
    struct stream_talk talk;
    bool entered;
    enum end_rule ends;
    uint8_t major, minor;
    char name[16];
    size_t feed_limit; /* bytes that it may be waiting for */
};

static struct stk500 *self(struct programmer *programmer)
{
    return (struct stk500 *)programmer;
}

/* ---- exchanges ---- */

static int expect_byte(struct stk500 *stk, const char *asked, uint8_t expected,
                       const struct operation *operation, struct failure *failure)
{
    return stream_talk_expect(&stk->talk, asked, &expected, 1, WRITE_US, operation, failure);
}

static int hear_reply(struct stk500 *stk, const char *asked, uint8_t *data, size_t data_bytes,
                      const struct operation *operation, struct failure *failure)
{
    if (expect_byte(stk, asked, IN_SYNC, operation, failure) != 0)
        return -1;
    if (data_bytes > 0 &&
        stream_talk_hear(&stk->talk, data, data_bytes, WRITE_US, operation, failure) != 0)
        return -1;
    return expect_byte(stk, asked, OK, operation, failure);
}

static int exchange(struct stk500 *stk, const char *asked, const uint8_t *command, size_t count,
                    uint8_t *data, size_t data_bytes, const struct operation *operation,
                    struct failure *failure)
{
    struct operation whole = stream_talk_steady(operation);

    if (stream_talk_begin(&stk->talk, operation, failure) != 0 ||
        stream_talk_send(&stk->talk, command, count, &whole, failure) != 0)
        return -1;
    return hear_reply(stk, asked, data, data_bytes, &whole, failure);
}

static int get_parameter(struct stk500 *stk, uint8_t parameter, uint8_t *value,
                         const struct operation *operation, struct failure *failure)
{
    const uint8_t command[] = {GET_PARAMETER, parameter, END};

    return exchange(stk, "get parameter", command, sizeof command, value, 1, operation, failure);
}

/* ---- finding the programmer, and finding back into step ---- */

static int sync_once(struct stk500 *stk, int64_t silence_us, bool *in_step,
                     const struct operation *operation, struct failure *failure)
{
    static const uint8_t command[] = {SYNC, END};
    uint8_t reply[8];
    size_t count = 0, more = 0;

    if (stream_talk_drain(&stk->talk, 0, operation, failure) != 0 ||
        stream_talk_ask(&stk->talk, command, sizeof command, reply, 2, silence_us, &count,
                        operation, failure) != 0)
        return -1;
    if (count == 2 && stream_talk_ask(&stk->talk, NULL, 0, reply + 2, sizeof reply - 2,
                                      STREAM_TALK_QUIET_US, &more, operation, failure) != 0)
        return -1;
    *in_step = count == 2 && more == 0 && reply[0] == IN_SYNC && reply[1] == OK;
    return 0;
}

/* It takes zeros for the rest of whatever command it waits in, and for its end byte: nothing is
 * carried out. Where a command should begin they are none. */
static int feed_zeros(struct stk500 *stk, const struct operation *operation,
                      struct failure *failure)
{
    static const uint8_t zeros[FEED_COUNT] = {0};
    uint8_t reply[64];

    for (size_t fed = 0; fed < stk->feed_limit; fed += sizeof zeros) {
        size_t left = stk->feed_limit - fed, received = 0;

        if (stream_talk_ask(&stk->talk, zeros, left < sizeof zeros ? left : sizeof zeros, reply,
                            sizeof reply, STREAM_TALK_QUIET_US, &received, operation, failure) != 0)
            return -1;
        if (received > 0 && (reply[received - 1] == NO_SYNC || reply[received - 1] == UNKNOWN))
            break;
    }
    return 0;
}

/* Until something answers, nothing else may be sent: see the top. */
static int feed_owed_value(struct stk500 *stk, const struct operation *operation,
                           struct failure *failure)
{
    uint8_t value = (uint8_t)stk->base.owed_value, reply[64];
    size_t received = 0;

    if (stk->base.owed_value < 0)
        return 0;
    for (int round = 0; received == 0 && round < OWED_ROUNDS; round++)
        if (stream_talk_ask(&stk->talk, &value, 1, reply, sizeof reply,
                            round == 0 ? KNOCK_SILENCE_US : STREAM_TALK_QUIET_US, &received,
                            operation, failure) != 0)
            return -1;
    if (received == 0)
        return failure_set(failure, FAILURE_PROGRAMMER_SILENT,
                           "no answer to %02X, which ends a fuse write that it may be waiting in",
                           value);
    return 0;
}

/* Two clean answers to sync, one after the other. */
static int find_step(struct stk500 *stk, int tries, int64_t silence_us, bool *found,
                     const struct operation *operation, struct failure *failure)
{
    bool in_step = false;
    int good = 0;

    for (; good < 2 && tries > 0; tries--) {
        if (stream_talk_drain(&stk->talk, STREAM_TALK_QUIET_US, operation, failure) != 0 ||
            sync_once(stk, silence_us, &in_step, operation, failure) != 0)
            return -1;
        good = in_step ? good + 1 : 0;
    }
    *found = good == 2;
    if (*found) {
        stk->talk.out_of_step = false;
        stk->feed_limit = FEED_LIMIT;
        stk->base.owed_value = -1;
    }
    return 0;
}

static int recover(struct stk500 *stk, const struct operation *operation, struct failure *failure)
{
    bool found = false;

    if (stream_talk_drain(&stk->talk, STREAM_TALK_QUIET_US, operation, failure) != 0 ||
        feed_owed_value(stk, operation, failure) != 0 || feed_zeros(stk, operation, failure) != 0 ||
        find_step(stk, RECOVER_TRIES, KNOCK_SILENCE_US, &found, operation, failure) != 0)
        return -1;
    if (!found)
        return failure_set(failure, FAILURE_PROGRAMMER_SILENT, "no answer to sync (30 20)");
    return 0;
}

/* Version 2 does not answer version 1; its own sign-on is a frame of 1B, number, length, 0E, body
 * and checksum (Atmel AVR068). Asked only when nothing else was answered. */
static int tell_version_2(struct stk500 *stk, const struct operation *operation,
                          struct failure *failure)
{
    static const uint8_t sign_on[] = {0x1B, 0x01, 0x00, 0x01, 0x0E, 0x01, 0x14};
    uint8_t reply[8];
    size_t received = 0;

    if (stream_talk_ask(&stk->talk, sign_on, sizeof sign_on, reply, sizeof reply, KNOCK_SILENCE_US,
                        &received, operation, failure) != 0)
        return -1;
    if (received > 0 && reply[0] == 0x1B)
        return failure_set(failure, FAILURE_PROGRAMMER_UNKNOWN,
                           "it has firmware 2: its driver is stk500v2");
    return failure_set(failure, FAILURE_PROGRAMMER_SILENT, "no answer to sync (30 20)");
}

static int find(struct stk500 *stk, const struct operation *operation, struct failure *failure)
{
    bool found = false;

    if (feed_owed_value(stk, operation, failure) != 0 ||
        find_step(stk, FIND_ROUNDS, KNOCK_SILENCE_US, &found, operation, failure) != 0)
        return -1;
    if (found)
        return 0;
    /* It may wait for the rest of a page that a killed program began. */
    stk->feed_limit = BLOCK_BYTES_MAX + 1;
    if (feed_zeros(stk, operation, failure) != 0 ||
        find_step(stk, FIND_ROUNDS, KNOCK_SILENCE_US, &found, operation, failure) != 0)
        return -1;
    return found ? 0 : tell_version_2(stk, operation, failure);
}

/* Up to its OK: names have no fixed length. */
static int hear_name(struct stk500 *stk, uint8_t *reply, size_t room, size_t *count,
                     const struct operation *operation, struct failure *failure)
{
    static const uint8_t command[] = {SIGN_ON, END};
    size_t asked = sizeof command, received;

    *count = 0;
    do {
        if (stream_talk_ask(&stk->talk, command, asked, reply + *count, 1, STREAM_TALK_REPLY_US,
                            &received, operation, failure) != 0)
            return -1;
        *count += received;
        asked = 0;
    } while (received == 1 && *count < room && reply[0] == IN_SYNC && reply[*count - 1] != OK);
    return 0;
}

static void take_name(struct stk500 *stk, const uint8_t *text, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool printable = text[i] >= ' ' && text[i] <= '~';

        stk->name[i] = '.';
        if (printable)
            memcpy(stk->name + i, text + i, 1);
    }
    stk->name[count] = '\0';
}

/* "AVR STK" by AVR061; others say STK500 or AVRISP. Asked again where no name comes: where many
 * share a core, an answer may be one to an earlier question. So those are let come first. */
static int ask_name(struct stk500 *stk, const struct operation *operation, struct failure *failure)
{
    uint8_t reply[sizeof stk->name + 1];
    size_t count = 0;
    bool found = true;

    for (int tries = 0; found && tries < NAME_TRIES; tries++) {
        if (hear_name(stk, reply, sizeof reply, &count, operation, failure) != 0)
            return -1;
        if (count >= 3 && reply[0] == IN_SYNC && reply[count - 1] == OK) {
            take_name(stk, reply + 1, count - 2);
            return 0;
        }
        if (stream_talk_drain(&stk->talk, STREAM_TALK_REPLY_US, operation, failure) != 0 ||
            find_step(stk, RECOVER_TRIES, STREAM_TALK_REPLY_US, &found, operation, failure) != 0)
            return -1;
    }
    stk->talk.out_of_step = true;
    if (!found)
        return failure_set(failure, FAILURE_PROGRAMMER_SILENT,
                           "no answer to sync (30 20) after the question for its name (31 20)");
    return failure_set(failure, FAILURE_PROGRAMMER_UNKNOWN,
                       "it answers a sync, but not with its name (31 20): a bootloader, not a "
                       "programmer");
}

/* AVR061 has a parameter that is not known answered 14, its number, 11; others answer 14 12. */
static int ask_kind(struct stk500 *stk, uint8_t reply[3], size_t *count,
                    const struct operation *operation, struct failure *failure)
{
    static const uint8_t command[] = {GET_PARAMETER, PARAMETER_KIND, END};
    size_t more = 0;

    if (stream_talk_ask(&stk->talk, command, sizeof command, reply, 2, STREAM_TALK_REPLY_US, count,
                        operation, failure) != 0)
        return -1;
    if (*count < 2)
        return 0;
    bool ended = reply[1] >= OK && reply[1] <= NO_SYNC;
    if (stream_talk_ask(&stk->talk, NULL, 0, reply + 2, 1,
                        ended ? STREAM_TALK_QUIET_US : STREAM_TALK_REPLY_US, &more, operation,
                        failure) != 0)
        return -1;
    *count += more;
    return 0;
}

static int check_kind(struct stk500 *stk, const struct operation *operation,
                      struct failure *failure)
{
    uint8_t reply[3];
    size_t count = 0;

    if (ask_name(stk, operation, failure) != 0 ||
        get_parameter(stk, PARAMETER_MAJOR, &stk->major, operation, failure) != 0 ||
        get_parameter(stk, PARAMETER_MINOR, &stk->minor, operation, failure) != 0 ||
        ask_kind(stk, reply, &count, operation, failure) != 0)
        return -1;
    if (count == 3 && reply[0] == IN_SYNC && reply[1] == 'S')
        return failure_set(failure, FAILURE_PROGRAMMER_UNKNOWN,
                           "it is an Arduino with the sketch ArduinoISP: its driver is stk500v1");
    if (stk->major != OLD_MAJOR)
        return failure_set(failure, FAILURE_PROGRAMMER_UNKNOWN,
                           "'%s' has firmware %u.%u, expected 1.x: with firmware 2 its driver is "
                           "stk500v2",
                           stk->name, stk->major, stk->minor);
    return 0;
}

static int leave(struct stk500 *stk, const struct operation *operation, struct failure *failure)
{
    static const uint8_t command[] = {LEAVE, END};

    if (exchange(stk, "leave", command, sizeof command, NULL, 0, operation, failure) != 0)
        return -1;
    stk->entered = false;
    return 0;
}

static void firmware_text(const struct stk500 *stk, char *text, size_t text_bytes)
{
    snprintf(text, text_bytes, "%s %u.%u", stk->name, stk->major, stk->minor);
}

static int claim(struct programmer *programmer, const struct programmer_settings *settings,
                 const struct operation *operation, struct failure *failure)
{
    struct stk500 *stk = self(programmer);

    stk->feed_limit = FEED_LIMIT;
    stk->ends = ENDS_UNKNOWN;
    if (stream_talk_open(&stk->talk, &settings->place, settings->baud, operation, failure) != 0 ||
        find(stk, operation, failure) != 0)
        return -1;
    programmer->answered = true;
    if (check_kind(stk, operation, failure) != 0)
        return -1;
    firmware_text(stk, programmer->firmware, sizeof programmer->firmware);
    /* A predecessor that was killed in a session may have left the board in reset. */
    stk->entered = true;
    return leave(stk, operation, failure);
}

/* ---- sessions ---- */

static int release(struct programmer *programmer, const struct operation *operation,
                   struct failure *failure)
{
    static const uint8_t command[] = {LEAVE, END};
    struct stk500 *stk = self(programmer);

    if (stk->talk.out_of_step && recover(stk, operation, failure) != 0) {
        /* Perhaps it hears what it does not confirm; but it must not end a fuse write with it. */
        if (stk->base.owed_value < 0)
            link_stream_write(stk->talk.stream, command, sizeof command, operation, NULL);
        return -1;
    }
    return leave(stk, operation, failure);
}

static void unclaim(struct programmer *programmer)
{
    struct stk500 *stk = self(programmer);
    struct operation operation = {.deadline_us = operation_now_us() + STREAM_TALK_REPLY_US};

    if (stk->talk.stream != NULL && stk->entered)
        release(programmer, &operation, NULL);
    stream_talk_close(&stk->talk);
}

/* The places are AVR061's. The device code only matters for parallel programming; it is an
 * ATmega328P's. */
static int set_device(struct stk500 *stk, const struct operation *operation,
                      struct failure *failure)
{
    const struct part *part = stk->base.part;
    uint32_t page = part->flash.page_write ? part->flash.page_size : 0;
    uint32_t eeprom = part->eeprom.size, flash = part->flash.size;
    const uint8_t command[] = {SET_DEVICE,
                               0x86,
                               0, /* revision */
                               0, /* serial and parallel programming */
                               1, /* full parallel interface */
                               1, /* polling */
                               1, /* self-timed */
                               1, /* lock bytes */
                               3, /* fuse bytes */
                               0xFF,
                               0xFF,
                               0xFF,
                               0xFF,
                               (uint8_t)(page >> 8),
                               (uint8_t)page,
                               (uint8_t)(eeprom >> 8),
                               (uint8_t)eeprom,
                               (uint8_t)(flash >> 24),
                               (uint8_t)(flash >> 16),
                               (uint8_t)(flash >> 8),
                               (uint8_t)flash,
                               END};

    return exchange(stk, "set device", command, sizeof command, NULL, 0, operation, failure);
}

/* PAGEL and BS2 (D7, A0) only matter for parallel programming; RESET is a pin of its own. */
static int set_extended(struct stk500 *stk, const struct operation *operation,
                        struct failure *failure)
{
    uint8_t page =
        stk->base.part->eeprom.page_write ? (uint8_t)stk->base.part->eeprom.page_size : 0;
    const uint8_t old[] = {SET_EXTENDED, 4, page, 0xD7, 0xA0, END};
    const uint8_t young[] = {SET_EXTENDED, 5, page, 0xD7, 0xA0, 0, END};
    bool is_old = stk->minor <= OLD_MINOR;

    return exchange(stk, "set extended parameters", is_old ? old : young,
                    is_old ? sizeof old : sizeof young, NULL, 0, operation, failure);
}

static int check_supply(struct stk500 *stk, const struct operation *operation,
                        struct failure *failure)
{
    uint8_t tenths = 0;

    if (get_parameter(stk, PARAMETER_SUPPLY, &tenths, operation, failure) != 0)
        return -1;
    if (tenths < SUPPLY_TENTHS_MIN)
        return failure_set(failure, FAILURE_NO_SUPPLY,
                           "it says the board's supply is %u.%u V, expected at least 2.7 V",
                           tenths / 10, tenths % 10);
    return 0;
}

/* Set, and read back: a unit that does not take it would go on at whatever it remembers. */
static int set_sck(struct stk500 *stk, uint8_t duration, const struct operation *operation,
                   struct failure *failure)
{
    const uint8_t command[] = {SET_PARAMETER, PARAMETER_SCK, duration, END};
    uint8_t found = 0;

    if (exchange(stk, "set SCK", command, sizeof command, NULL, 0, operation, failure) != 0 ||
        get_parameter(stk, PARAMETER_SCK, &found, operation, failure) != 0)
        return -1;
    if (found != duration)
        return failure_set(failure, FAILURE_PROGRAMMER_REFUSED,
                           "SCK duration was set to %u and is %u", duration, found);
    stk->base.sck_hz = SCK_STEP_HZ / duration;
    return 0;
}

static int enter(struct stk500 *stk, const struct operation *operation, struct failure *failure)
{
    static const uint8_t command[] = {ENTER, END};
    struct operation whole = stream_talk_steady(operation);
    uint8_t reply = 0;

    if (stream_talk_begin(&stk->talk, operation, failure) != 0)
        return -1;
    stk->entered = true;
    if (stream_talk_send(&stk->talk, command, sizeof command, &whole, failure) != 0 ||
        expect_byte(stk, "enter", IN_SYNC, &whole, failure) != 0 ||
        stream_talk_hear(&stk->talk, &reply, 1, STREAM_TALK_REPLY_US, &whole, failure) != 0)
        return -1;
    if (reply == OK)
        return 0;
    if (reply == NO_DEVICE || reply == FAILED)
        return failure_set(failure, FAILURE_NO_BOARD,
                           "the programmer found no device, at SCK of %" PRId64 " Hz",
                           stk->base.sck_hz);
    return stream_talk_fail_reply(&stk->talk, "enter", (const uint8_t[]){OK}, 1, &reply, 1,
                                  failure);
}

/* Of the values that it offers, the fastest that the board takes; 0: none. */
static uint8_t sck_duration(const struct programmer *programmer)
{
    int64_t offered_hz[SCK_COUNT];

    for (size_t i = 0; i < SCK_COUNT; i++)
        offered_hz[i] =
            SCK_STEP_HZ / (int64_t)(i + 1) + 1; /* rounded up: never faster than picked */
    size_t picked = programmer_pick_sck(programmer, offered_hz, SCK_COUNT);
    return picked < SCK_COUNT ? (uint8_t)(picked + 1) : 0;
}

/* Is it still the one that was claimed? What was learned of that does not hold for another. */
static int prove(struct stk500 *stk, const struct operation *operation, struct failure *failure)
{
    char found[sizeof stk->base.firmware];

    if (check_kind(stk, operation, failure) != 0)
        return -1;
    firmware_text(stk, found, sizeof found);
    if (strcmp(found, stk->base.firmware) == 0)
        return 0;
    return failure_set(failure, FAILURE_PROGRAMMER_UNKNOWN, "it is '%s', but was '%s' before",
                       found, stk->base.firmware);
}

static int begin_session(struct stk500 *stk, uint8_t duration, const struct operation *operation,
                         struct failure *failure)
{
    if ((stk->talk.out_of_step && recover(stk, operation, failure) != 0) ||
        stream_talk_drain(&stk->talk, 0, operation, failure) != 0)
        return -1;
    if ((stk->entered && leave(stk, operation, failure) != 0) ||
        prove(stk, operation, failure) != 0 || check_supply(stk, operation, failure) != 0 ||
        set_device(stk, operation, failure) != 0 || set_extended(stk, operation, failure) != 0)
        return -1;
    return set_sck(stk, duration, operation, failure);
}

static int attach(struct programmer *programmer, const struct operation *operation,
                  struct failure *failure)
{
    struct stk500 *stk = self(programmer);
    uint8_t duration = sck_duration(programmer);

    if (duration == 0)
        return failure_set(failure, FAILURE_PROGRAMMER_REFUSED,
                           "its slowest SCK, %d Hz, is too fast for a board at %" PRId64 " Hz",
                           SCK_STEP_HZ / SCK_COUNT, programmer_target_hz(programmer));
    if (begin_session(stk, duration, operation, failure) == 0 &&
        enter(stk, operation, failure) == 0)
        return 0;
    if (stk->entered)
        release(programmer, operation, NULL); /* the target may be in reset */
    return -1;
}

/* ---- what could be taken for a command ---- */

/* A command that does harm, and how many bytes stand between it and its end byte. */
static bool is_native_harm(const uint8_t *bytes, size_t left)
{
    static const struct {
        uint8_t command;
        size_t arguments;
    } harms[] = {{0x52, 0}, {0x62, 2}, {0x63, 1}, {0x65, 3}, {SET_PARAMETER, 2}};

    for (size_t i = 0; i < sizeof harms / sizeof harms[0]; i++)
        if (bytes[0] == harms[i].command && left > harms[i].arguments + 1 &&
            bytes[harms[i].arguments + 1] == END)
            return bytes[0] != SET_PARAMETER || bytes[1] >= PARAMETER_FIRST;
    return false;
}

/* Where a row of bytes begins that could do harm, see the top; `count` where none does. The bytes
 * end with the command's end byte. */
static size_t find_harm(const uint8_t *bytes, size_t count)
{
    bool multi = false;
    size_t i = 0;

    for (; i < count; i++) {
        bool fuse = i + 1 < count && bytes[i] == 0xAC && bytes[i + 1] >= 0x80;

        if (is_native_harm(bytes + i, count - i) ||
            (fuse && (multi || (i > 0 && bytes[i - 1] == UNIVERSAL))))
            break;
        multi = multi || bytes[i] == UNIVERSAL_MULTI;
    }
    return i;
}

/* ---- single instructions ---- */

/* In two pieces, see the top. */
static int send_in_two(struct stk500 *stk, const uint8_t *command, size_t head, size_t count,
                       const struct operation *operation, struct failure *failure)
{
    int64_t wire_us = (int64_t)head * stk->talk.byte_ns / 1000;

    if (stream_talk_send(&stk->talk, command, head, operation, failure) != 0 ||
        stream_talk_expect_silence(&stk->talk, "instruction, before its end", wire_us, operation,
                                   failure) != 0)
        return -1;
    return stream_talk_send(&stk->talk, command + head, count - head, operation, failure);
}

static int universal(struct stk500 *stk, const uint8_t bytes[4], uint8_t *reply,
                     const struct operation *operation, struct failure *failure)
{
    const uint8_t command[] = {UNIVERSAL, bytes[0], bytes[1], bytes[2], bytes[3], END};
    size_t body = sizeof command - 1;
    size_t head = find_harm(command + 1, body) < body ? 3 : 0;
    struct operation whole = stream_talk_steady(operation);

    if (stream_talk_begin(&stk->talk, operation, failure) != 0 ||
        (head > 0 ? send_in_two(stk, command, head, sizeof command, &whole, failure) != 0
                  : stream_talk_send(&stk->talk, command, sizeof command, &whole, failure) != 0))
        return -1;
    return hear_reply(stk, "instruction", reply, 1, &whole, failure);
}

/* With the value for an end byte: the right answer is 15. */
static int write_with_value(struct stk500 *stk, const uint8_t bytes[4],
                            const struct operation *operation, struct failure *failure)
{
    const uint8_t command[] = {UNIVERSAL, bytes[0], bytes[1], bytes[2], bytes[3], bytes[3]};
    static const uint8_t no_sync[] = {NO_SYNC}, in_sync[] = {IN_SYNC, OK};
    static const uint8_t sync[] = {SYNC, END};
    struct operation whole = stream_talk_steady(operation);

    if (stream_talk_begin(&stk->talk, operation, failure) != 0)
        return -1;
    stk->base.owed_value = bytes[3];
    if (stream_talk_send(&stk->talk, command, sizeof command, &whole, failure) != 0 ||
        stream_talk_expect(&stk->talk, "fuse write", no_sync, 1, 0, &whole, failure) != 0)
        return -1;
    /* Had the 56 been lost, a second 15 would stand here. */
    if (stream_talk_send(&stk->talk, sync, sizeof sync, &whole, failure) != 0 ||
        stream_talk_expect(&stk->talk, "sync after a fuse write", in_sync, 2, 0, &whole, failure) !=
            0)
        return -1;
    stk->base.owed_value = -1;
    return 0;
}

static int write_with_end(struct stk500 *stk, const uint8_t bytes[4],
                          const struct operation *operation, struct failure *failure)
{
    uint8_t reply;

    stk->base.owed_value = bytes[3] == END && stk->ends != ENDS_CHECKED ? END : 0;
    if (universal(stk, bytes, &reply, operation, failure) != 0)
        return -1;
    stk->base.owed_value = -1;
    return 0;
}

/* A fuse or the lock byte, and the value that the four bytes write to it. */
struct target {
    enum part_memory memory;
    uint8_t value;
    uint32_t delay_us;
};

static int find_target(const struct part *part, const uint8_t bytes[4], struct target *target,
                       struct failure *failure)
{
    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++) {
        const struct part_byte *byte = part_byte(part, memory);
        uint8_t value, carried;

        if (byte == NULL || !byte->writable || !byte->readable ||
            !part_instruction_decode(&byte->write, bytes, &value, &carried))
            continue;
        *target = (struct target){memory, value,
                                  memory == PART_LOCK ? part->lock_write_delay_us
                                                      : part->fuse_write_delay_us};
        return 0;
    }
    return failure_set(failure, FAILURE_PROGRAMMER_REFUSED,
                       "how this programmer takes a fuse write shows only at one that can be read "
                       "back, and %s has none such",
                       part->name);
}

static int holds(struct stk500 *stk, const struct target *target, bool *does,
                 const struct operation *operation, struct failure *failure)
{
    const struct part *part = stk->base.part;
    struct isp_instruction read = isp_read_byte(part, target->memory);
    uint8_t bytes[4], reply = 0;

    if (isp_door_open(part, &read, stk->base.session, bytes, failure) != 0 ||
        universal(stk, bytes, &reply, operation, failure) != 0)
        return -1;
    *does = part_byte_equal(part, target->memory, isp_byte_of_reply(part, target->memory, reply),
                            target->value);
    return 0;
}

/* The first fuse or lock write of a claim: see the top. Where the byte holds the value already,
 * nothing shows, and nothing needs to. */
static int write_and_learn(struct stk500 *stk, const uint8_t bytes[4],
                           const struct operation *operation, struct failure *failure)
{
    struct operation whole = stream_talk_steady(operation);
    struct target target;
    bool before = false, after = false;

    if (find_target(stk->base.part, bytes, &target, failure) != 0 ||
        holds(stk, &target, &before, operation, failure) != 0 ||
        write_with_value(stk, bytes, operation, failure) != 0 ||
        operation_sleep_us(&whole, target.delay_us + target.delay_us / 5, failure) != 0 ||
        holds(stk, &target, &after, &whole, failure) != 0)
        return -1;
    if (!before && after)
        stk->ends = ENDS_IGNORED;
    if (after)
        return 0;
    stk->ends = ENDS_CHECKED;
    return write_with_end(stk, bytes, &whole, failure);
}

static int write_fuse(struct stk500 *stk, const uint8_t bytes[4], const struct operation *operation,
                      struct failure *failure)
{
    if (stk->ends == ENDS_CHECKED || bytes[3] == END)
        return write_with_end(stk, bytes, operation, failure);
    if (stk->ends == ENDS_IGNORED)
        return write_with_value(stk, bytes, operation, failure);
    return write_and_learn(stk, bytes, operation, failure);
}

static int instruct(struct programmer *programmer, const struct isp_instruction *instruction,
                    uint8_t *reply, const struct operation *operation, struct failure *failure)
{
    struct stk500 *stk = self(programmer);
    uint8_t bytes[4];

    *reply = 0;
    if (isp_door_open(programmer->part, instruction, programmer->session, bytes, failure) != 0)
        return -1;
    if (isp_writes_fuse_or_lock(bytes))
        return write_fuse(stk, bytes, operation, failure);
    return universal(stk, bytes, reply, operation, failure);
}

/* ---- flash ---- */

static size_t put_address(uint8_t *bytes, uint32_t byte_address)
{
    bytes[0] = LOAD_ADDRESS;
    bytes[1] = (uint8_t)(byte_address >> 1);
    bytes[2] = (uint8_t)(byte_address >> 9);
    bytes[3] = END;
    return 4;
}

/* Would the page write fuses behind a 57? What stands before its data are six bytes of SPI then. */
static bool hides_instruction(const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 2; i + 1 < count; i += 4)
        if (bytes[i] == 0xAC && bytes[i + 1] >= 0x80)
            return true;
    return false;
}

static int write_block(struct stk500 *stk, uint32_t address, const uint8_t *bytes, uint32_t count,
                       const struct operation *operation, struct failure *failure)
{
    static const uint8_t done[] = {IN_SYNC, OK};
    uint8_t command[4 + 4 + BLOCK_BYTES_MAX + 1];
    struct operation whole = stream_talk_steady(operation);
    size_t place = put_address(command, address), used = place;
    const uint8_t head[] = {PROGRAM_PAGE, (uint8_t)(count >> 8), (uint8_t)count, 'F'};
    size_t apart = hides_instruction(bytes, count) ? place : 0;

    memcpy(command + used, head, sizeof head);
    used += sizeof head;
    memcpy(command + used, bytes, count);
    used += count;
    command[used++] = END;
    if (stream_talk_begin(&stk->talk, operation, failure) != 0)
        return -1;
    stk->feed_limit = BLOCK_BYTES_MAX + 1;
    if ((apart > 0 && exchange(stk, "address", command, place, NULL, 0, operation, failure) != 0) ||
        stream_talk_send(&stk->talk, command + apart, used - apart, &whole, failure) != 0 ||
        (apart == 0 &&
         stream_talk_expect(&stk->talk, "address", done, sizeof done, 0, &whole, failure) != 0) ||
        stream_talk_expect(&stk->talk, "page", done, sizeof done, WRITE_US, &whole, failure) != 0)
        return -1;
    stk->feed_limit = FEED_LIMIT;
    return 0;
}

/* Takes out what could do harm, see the top: `late` is FF but for those bytes. False where there
 * are none. */
static bool take_out(uint8_t *bytes, uint8_t *late, uint32_t count)
{
    uint8_t ended[BLOCK_BYTES_MAX + 1];
    size_t at;
    bool found = false;

    memcpy(ended, bytes, count);
    ended[count] = END;
    memset(late, 0xFF, count);
    if (bytes[0] == END) {
        late[0] = END;
        ended[0] = 0xFF;
        found = true;
    }
    while ((at = find_harm(ended, count + 1)) < count) {
        late[at] = ended[at];
        ended[at] = 0xFF;
        found = true;
    }
    memcpy(bytes, ended, count);
    return found;
}

static int write_page(struct programmer *programmer, uint32_t address, const uint8_t *bytes,
                      const struct operation *operation, struct failure *failure)
{
    uint32_t page = programmer->part->flash.page_size;
    uint8_t first[BLOCK_BYTES_MAX], late[BLOCK_BYTES_MAX];
    struct operation quiet = *operation;

    memcpy(first, bytes, page);
    bool is_late = take_out(first, late, page);
    if (!isp_is_blank(first, page) &&
        (isp_select_segment(programmer, address, operation, failure) != 0 ||
         write_block(self(programmer), address, first, page, operation, failure) != 0))
        return -1;
    quiet.progress = NULL;
    return is_late ? isp_write(programmer, PART_FLASH, address, late, page, NULL, &quiet, failure)
                   : 0;
}

static int write(struct programmer *programmer, enum part_memory memory, uint32_t start,
                 const uint8_t *bytes, uint32_t count, struct fuse_permit *permit,
                 const struct operation *operation, struct failure *failure)
{
    uint32_t page = programmer->part->flash.page_size;

    if (memory != PART_FLASH || !programmer->part->flash.page_write || page > BLOCK_BYTES_MAX)
        return isp_write(programmer, memory, start, bytes, count, permit, operation, failure);
    for (uint32_t at = 0; at < count; at += page) {
        if (write_page(programmer, start + at, bytes + at, operation, failure) != 0)
            return -1;
        operation_progress(operation, at + page);
    }
    return 0;
}

/* Whole words, `count` of them even; of 128 KiB at most one end. */
static int read_block(struct stk500 *stk, char memory, uint32_t address, uint8_t *bytes,
                      uint32_t count, const struct operation *operation, struct failure *failure)
{
    static const uint8_t done[] = {IN_SYNC, OK, IN_SYNC};
    uint8_t command[4 + 5];
    struct operation whole = stream_talk_steady(operation);
    size_t used = put_address(command, address);
    const uint8_t read[] = {READ_PAGE, (uint8_t)(count >> 8), (uint8_t)count, (uint8_t)memory, END};

    memcpy(command + used, read, sizeof read);
    if (stream_talk_begin(&stk->talk, operation, failure) != 0 ||
        stream_talk_send(&stk->talk, command, used + sizeof read, &whole, failure) != 0 ||
        stream_talk_expect(&stk->talk, "read", done, sizeof done, 0, &whole, failure) != 0 ||
        stream_talk_hear(&stk->talk, bytes, count, 0, &whole, failure) != 0)
        return -1;
    return expect_byte(stk, "read, after the data", OK, &whole, failure);
}

/* Two blocks for each 256 bytes, one of each count, see the top. The addresses of blocks count
 * words here. */
static int look_for_blank(struct stk500 *stk, uint32_t start, uint32_t end, bool *blank,
                          const struct operation *operation, struct failure *failure)
{
    uint8_t block[BLOCK_BYTES_MAX];

    *blank = true;
    for (uint32_t at = start; at < end && *blank; at += sizeof block) {
        uint32_t length = end - at < sizeof block ? end - at : sizeof block;

        if (read_block(stk, 'E', 2 * at, block, length, operation, failure) != 0)
            return -1;
        *blank = isp_is_blank(block, length);
        if (at == 0 || !*blank)
            continue;
        if (read_block(stk, 'E', at, block, length, operation, failure) != 0)
            return -1;
        *blank = isp_is_blank(block, length);
        operation_progress(operation, at + length - start);
    }
    return 0;
}

static int read_eeprom(struct programmer *programmer, uint32_t start, uint8_t *bytes,
                       uint32_t count, const struct operation *operation, struct failure *failure)
{
    bool blank = false;

    if (start % 2 == 0 && count >= BLOCK_BYTES_MIN &&
        look_for_blank(self(programmer), start, start + count, &blank, operation, failure) != 0)
        return -1;
    if (!blank)
        return isp_read(programmer, PART_EEPROM, start, bytes, count, operation, failure);
    memset(bytes, 0xFF, count);
    return 0;
}

static int read(struct programmer *programmer, enum part_memory memory, uint32_t start,
                uint8_t *bytes, uint32_t count, const struct operation *operation,
                struct failure *failure)
{
    uint8_t block[BLOCK_BYTES_MAX];
    uint32_t end = start + count;

    if (memory == PART_EEPROM)
        return read_eeprom(programmer, start, bytes, count, operation, failure);
    if (memory != PART_FLASH)
        return isp_read(programmer, memory, start, bytes, count, operation, failure);
    for (uint32_t at = start - start % BLOCK_BYTES_MAX; at < end; at += BLOCK_BYTES_MAX) {
        uint32_t left = end - at, from = at < start ? start : at;
        uint32_t length = left < BLOCK_BYTES_MAX ? left + left % 2 : BLOCK_BYTES_MAX;

        if (isp_select_segment(programmer, at, operation, failure) != 0 ||
            read_block(self(programmer), 'F', at, block, length, operation, failure) != 0)
            return -1;
        memcpy(bytes + (from - start), block + (from - at),
               (left < BLOCK_BYTES_MAX ? end : at + BLOCK_BYTES_MAX) - from);
        operation_progress(operation,
                           (left < BLOCK_BYTES_MAX ? end : at + BLOCK_BYTES_MAX) - start);
    }
    return 0;
}

/* ---- the shortest time ---- */

/* A page: its address and itself on the wire; one instruction per byte over SPI and one that
 * writes; the part's own time; the answers. A page with a row that could do harm (see the top)
 * takes a second write; that is not counted. Reading: a byte takes what is longer, an instruction
 * or a byte on the wire, and a block of 256 has 9 bytes before it and 4 around it. Each page and
 * block waits for the answer to the one before: whether the firmware takes bytes while it is busy
 * is not known. SCK as asked for; an AVRISP has half of it. */
static int64_t floor_us(const struct part *part, const struct programmer_speed *speed,
                        uint32_t flash_bytes, uint32_t verify_bytes, char *text, size_t text_bytes)
{
    int64_t byte_ns = 10 * INT64_C(1000000000) / speed->baud;
    int64_t asked_hz =
        speed->sck_hz > 0 && speed->sck_hz < SCK_STEP_HZ ? speed->sck_hz : SCK_STEP_HZ;
    int64_t duration = (SCK_STEP_HZ + asked_hz - 1) / asked_hz;
    int64_t frame_ns = 32 * INT64_C(1000000000) * (duration > 255 ? 255 : duration) / SCK_STEP_HZ;
    int64_t page = part->flash.page_size, pages = flash_bytes / page;
    int64_t page_us = ((page + 11) * byte_ns + (page + 1) * frame_ns) / 1000 +
                      (int64_t)part->flash.write_delay_us;
    int64_t each_ns = frame_ns > byte_ns ? frame_ns : byte_ns;
    int64_t blocks = verify_bytes / BLOCK_BYTES_MAX, rest = verify_bytes % BLOCK_BYTES_MAX;
    int64_t block_us = (BLOCK_BYTES_MAX * each_ns + 13 * byte_ns) / 1000;
    int64_t write_us = stream_talk_framed_us(pages, page_us);
    int64_t read_us = stream_talk_framed_us(blocks, block_us) + rest * each_ns / 1000;

    if (text != NULL)
        snprintf(text, text_bytes,
                 "page: (%" PRId64 " + 11) bytes x %" PRId64 " ns, (%" PRId64
                 " + 1) instructions x %" PRId64 " ns, %" PRIu32 " us to write = %" PRId64 " us\n"
                 "write: %" PRId64 " pages, each in whole USB frames of 1 ms = %" PRId64 " us\n"
                 "verify: %" PRId64 " blocks of (%d x %" PRId64 " ns and 13 bytes) = %" PRId64
                 " us, each in whole frames, and %" PRId64 " bytes more = %" PRId64 " us\n",
                 page, byte_ns, page, frame_ns, part->flash.write_delay_us, page_us, pages,
                 write_us, blocks, BLOCK_BYTES_MAX, each_ns, block_us, rest, read_us);
    return write_us + read_us;
}

const struct programmer_driver stk500_driver = {
    .name = "stk500",
    .title = "Atmel STK500 and AVRISP with firmware 1 (STK500 version 1)",
    .instance_bytes = sizeof(struct stk500),
    .link = PROGRAMMER_STREAM,
    .default_baud = 115200,
    .sck_slowest_hz = SCK_STEP_HZ / SCK_COUNT + 1,
    .sck_fastest_hz = SCK_STEP_HZ,
    .claim = claim,
    .unclaim = unclaim,
    .attach = attach,
    .release = release,
    .instruct = instruct,
    .read = read,
    .write = write,
    .floor_us = floor_us,
};
