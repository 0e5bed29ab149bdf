/* STK500 version 2 over a serial line (AVR068, "Message Format"): the STK500 and the old AVRISP
 * with firmware 2, programmers on an Arduino such as ScratchMonkey, CDC devices of that kind.
 *
 *   1B, sequence number, length (high, low), 0E, body, exclusive or of all bytes before
 *
 * The reply has the same sequence number. There is no time limit within a frame: a programmer that
 * did not get all of one waits for the rest, and looks for the next 1B when 0E is not in its place
 * or the checksum is wrong.
 *
 * What lost, doubled and turned bytes may do. A turned bit makes the checksum wrong. When a byte of
 * the body is lost, the checksum is taken for the last byte of the body, and the next byte that
 * comes, whatever it is, for the checksum: it fits when it is the lost one. When a byte is doubled,
 * the last one of the body is taken for the checksum, which fits when the doubled byte is the
 * checksum. In both cases a fuse could get another value. So of a frame that writes a fuse or lock
 * bits or erases:
 *
 * - The sequence number is chosen so that the checksum is none of the body's bytes: then no doubled
 *   byte can make it fit.
 * - Whatever was lost of the body and the checksum, one byte or several, what is sent next cannot
 *   complete it: a first byte that is no exclusive or of any of the frame's bytes, then zeros (they
 *   change nothing about that), more of them than the longest frame has. Then the programmer waits
 *   for a 1B. This first byte is owed to the place (owed_value) until a sign-on was answered, and
 *   the next claim begins with it.
 *
 * A process that was killed in the midst of such a frame cannot tell its byte to the next one; that
 * begins with zeros, which can complete it only when several of its bytes were lost besides.
 *
 * The head of a frame can be lost, too, or a bit in it turned. Then the programmer looks for a 1B
 * in the body. In what single instructions and other short commands carry there is no place for a
 * frame: 0E would have to stand four bytes after 1B, where there is a zero or the 1B of what
 * follows. Data of a page, though, may hold a whole frame, checksum and all: a page in which one
 * begins goes byte by byte. No checksum is 1B or 0E, so that none begins or goes on there.
 *
 * Two turned bits in the same column of two bytes leave the checksum right: that cannot be
 * prevented here. The board gives back what it heard of an instruction that writes, one byte late,
 * which is compared at once; and every fuse is read back.
 *
 * A frame that arrives twice is carried out twice: a fuse gets the same value, a page the next
 * place, which reading back finds. The second reply is an old one to the next command: replies with
 * another sequence number are thrown away.
 *
 * A Mega2560's bootloader speaks this language, too, and signs on as "AVRISP_2". It answers after
 * opening the port has reset the board, would take pages for its own program, and stays for as long
 * as it is spoken to, unless it is told to leave. It forgets what is written to a parameter: so the
 * polarity of RESET, which is to be 1, tells. And no run of blocks is good without the board's own
 * answer to AC 53 at its end, which a bootloader does not give. */
#include "jigs/drivers/stk500v2_commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "jigs/drivers/stream_talk.h"
#include "jigs/link_stream.h"

#define MESSAGE_START 0x1B
#define TOKEN 0x0E
#define HEADER_BYTES 5
#define STATUS_BYTES 2 /* of each reply: the command's number, status */
#define SHORTEST_BYTES (HEADER_BYTES + STATUS_BYTES + 1)
#define FRAME_BYTES (HEADER_BYTES + STK500V2_BODY_BYTES + 1)
#define LEAVE_BODY                                                                                 \
    {                                                                                              \
        0x11, 1, 1                                                                                 \
    }

#define KNOCK_SILENCE_US 200000
#define KNOCKS 10
#define LATE_SILENCE_US 1000000 /* each so many knocks, for one whose answers are late */
#define LATE_KNOCKS 4
#define FIND_TIME_US 4000000 /* bootloaders take up to 2 s, until they let the programmer begin */
#define BOOTLOADER_TIME_US 2000000
#define BOOTLOADER_ROUNDS 3
#define QUIET_US 30000         /* longer than any adapter's latency timer */
#define DRAIN_LIMIT_US 1000000 /* a reply is at most 24 ms long at 115200 Bd */
#define OLD_REPLIES_MAX 16
#define NOISE_BYTES_MAX 1024
#define PACED_COMMAND_BYTES 40 /* shorter ones do not tell how fast the wire is */
#define DELAY_US 1000          /* what the programmer is told to wait for a page */

struct serial {
    struct stk500v2 stk;
    struct link_stream *stream;
    int64_t byte_us; /* on a UART */
    uint8_t sequence;
};

/* The programmers, by what they sign on with. */
struct kind {
    const char *sign_on;
    int64_t crystal_hz; /* SCK is made from it; 0: see monkey_hz */
    bool measures_supply, chooses_polarity, waits_by_itself;
};

static const struct kind kinds[] = {
    {"STK500_2", 7372800, true, true, false},
    {"AVRISP_2", 3686400, true, true, false},
    /* Its wait for RDY/BSY takes "busy" for "ready". */
    {"SCRATCHMONKEY", 0, false, false, true},
};

/* ScratchMonkey's SCK by parameter 98, in the source of its versions 0.1 to 2.0. A board that does
 * not answer it tries more slowly by itself, and does not say so. */
static const int64_t monkey_hz[] = {2000000, 500000, 125000};

static struct serial *serial_of(struct stk500v2 *stk)
{
    return (struct serial *)stk;
}

/* ---- frames ---- */

struct frame {
    uint8_t bytes[FRAME_BYTES];
    size_t count;
};

static uint8_t exclusive_or(const uint8_t *bytes, size_t count)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum ^= bytes[i];
    return sum;
}

static bool is_good_checksum(const struct stk500v2_command *command, uint8_t checksum)
{
    if (checksum == MESSAGE_START || checksum == TOKEN)
        return false;
    return !command->changes_fuses || memchr(command->body, checksum, command->count) == NULL;
}

/* Of all sequence numbers one after the other each makes another checksum, so a good one is soon
 * found; never the last one again. */
static void make_frame(struct serial *serial, const struct stk500v2_command *command,
                       struct frame *frame)
{
    uint8_t *bytes = frame->bytes, checksum;
    size_t before = HEADER_BYTES + command->count;

    bytes[0] = MESSAGE_START;
    bytes[2] = (uint8_t)(command->count >> 8);
    bytes[3] = (uint8_t)command->count;
    bytes[4] = TOKEN;
    memcpy(bytes + HEADER_BYTES, command->body, command->count);
    do {
        bytes[1] = ++serial->sequence;
        checksum = exclusive_or(bytes, before);
    } while (!is_good_checksum(command, checksum));
    bytes[before] = checksum;
    frame->count = before + 1;
}

/* A byte that is no exclusive or of any bytes of the body and the checksum: there are nine, most of
 * them known, so that they make at most a quarter of all values. */
static uint8_t find_filler(const struct frame *frame)
{
    bool made[256] = {true};
    uint8_t filler = 1;

    for (size_t i = HEADER_BYTES; i < frame->count; i++)
        for (unsigned sum = 0; sum < 256; sum++)
            if (made[sum])
                made[sum ^ frame->bytes[i]] = true;
    while (made[filler] || filler == MESSAGE_START || filler == TOKEN)
        filler++;
    return filler;
}

/* Everything but the last byte may go out while the board still writes: the programmer begins when
 * it has all. */
static int send_frame(struct serial *serial, const struct frame *frame,
                      const struct operation *operation, struct failure *failure)
{
    size_t kept = serial->stk.busy_until_us > operation_now_us() ? 1 : 0;

    if (link_stream_write(serial->stream, frame->bytes, frame->count - kept, operation, failure) !=
        0)
        return -1;
    if (kept == 0)
        return 0;
    if (operation_sleep_us(operation, serial->stk.busy_until_us - operation_now_us(), failure) != 0)
        return -1;
    return link_stream_write(serial->stream, frame->bytes + frame->count - 1, 1, operation,
                             failure);
}

/* ---- replies ---- */

static bool is_header(const uint8_t bytes[HEADER_BYTES])
{
    int count = bytes[2] << 8 | bytes[3];

    return bytes[0] == MESSAGE_START && bytes[4] == TOKEN && count >= STATUS_BYTES &&
           count <= STK500V2_REPLY_BYTES;
}

/* The shortest reply, which has two bytes of body, or the beginning of a longer one. What is no
 * header may be noise before it. */
static int hear_start(struct serial *serial, uint8_t start[SHORTEST_BYTES], int64_t silence_us,
                      const struct operation *operation, struct failure *failure)
{
    if (link_stream_read(serial->stream, start, SHORTEST_BYTES, silence_us, operation, NULL,
                         failure) != 0)
        return -1;
    for (int noise = 0; !is_header(start); noise++) {
        if (noise == NOISE_BYTES_MAX)
            return failure_set(failure, FAILURE_PROGRAMMER_OUT_OF_STEP,
                               "%d bytes of reply, but no frame (1B, …, 0E) in them",
                               NOISE_BYTES_MAX);
        memmove(start, start + 1, SHORTEST_BYTES - 1);
        if (link_stream_read(serial->stream, start + SHORTEST_BYTES - 1, 1, silence_us, operation,
                             NULL, failure) != 0)
            return -1;
    }
    return 0;
}

/* One whole frame. */
static int hear_frame(struct serial *serial, struct stk500v2_command *command, uint8_t *sequence,
                      const struct operation *operation, struct failure *failure)
{
    uint8_t frame[HEADER_BYTES + STK500V2_REPLY_BYTES + 1];
    int64_t silence_us = command->silence_us + (int64_t)command->count * serial->byte_us;

    if (hear_start(serial, frame, silence_us, operation, failure) != 0)
        return -1;
    size_t count = (size_t)(frame[2] << 8 | frame[3]);
    size_t left = HEADER_BYTES + count + 1 - SHORTEST_BYTES;
    if (left > 0 && link_stream_read(serial->stream, frame + SHORTEST_BYTES, left, silence_us,
                                     operation, NULL, failure) != 0)
        return -1;
    uint8_t found = frame[HEADER_BYTES + count];
    uint8_t expected = exclusive_or(frame, HEADER_BYTES + count);
    if (found != expected)
        return failure_set(failure, FAILURE_PROGRAMMER_OUT_OF_STEP,
                           "%s: a reply of %zu bytes with checksum %02X, expected %02X",
                           command->name, count, found, expected);
    *sequence = frame[1];
    command->received = count;
    memcpy(command->reply, frame + HEADER_BYTES, count);
    return 0;
}

/* The reply with this sequence number; older ones come late. */
static int hear(struct serial *serial, struct stk500v2_command *command,
                const struct operation *operation, struct failure *failure)
{
    struct failure cause = {0};
    uint8_t sequence = 0;

    for (int i = 0; i < OLD_REPLIES_MAX; i++) {
        if (hear_frame(serial, command, &sequence, operation, &cause) != 0)
            return failure_set(failure, cause.code, "%s: %s", command->name, cause.detail);
        if (sequence == serial->sequence)
            return 0;
    }
    return failure_set(failure, FAILURE_PROGRAMMER_OUT_OF_STEP,
                       "%s: replies with other sequence numbers (last %u) than %u", command->name,
                       sequence, serial->sequence);
}

/* A command cannot be quicker than its bytes on a UART and the board's on SPI; over USB it is. */
static void note_pace(struct serial *serial, const struct stk500v2_command *command,
                      int64_t begun_us)
{
    struct stk500v2 *stk = &serial->stk;
    int64_t wire_us =
        (int64_t)(command->count + command->received + 2 * (HEADER_BYTES + 1)) * serial->byte_us;

    if (command->count >= PACED_COMMAND_BYTES)
        stk->slow_wire = operation_now_us() - begun_us >=
                         wire_us + stk500v2_spi_us(stk->base.sck_hz, (int64_t)command->count);
}

static int exchange(struct stk500v2 *stk, struct stk500v2_command *command,
                    const struct operation *operation, struct failure *failure)
{
    struct serial *serial = serial_of(stk);
    int64_t begun_us = operation_now_us();
    struct frame frame;

    make_frame(serial, command, &frame);
    if (command->changes_fuses)
        stk->base.owed_value = find_filler(&frame);
    if (send_frame(serial, &frame, operation, failure) != 0 ||
        hear(serial, command, operation, failure) != 0)
        return -1;
    note_pace(serial, command, begun_us);
    if (command->reply[0] == command->body[0])
        stk->base.owed_value = -1; /* it has all of the frame */
    return 0;
}

/* ---- finding into step ---- */

/* Ends what the programmer may wait for: see the top. */
static int send_filler(struct serial *serial, const struct operation *operation,
                       struct failure *failure)
{
    uint8_t bytes[FRAME_BYTES] = {0};

    if (serial->stk.base.owed_value >= 0)
        bytes[0] = (uint8_t)serial->stk.base.owed_value;
    return link_stream_write(serial->stream, bytes, sizeof bytes, operation, failure);
}

static int fill(struct serial *serial, const struct operation *operation, struct failure *failure)
{
    if (link_stream_drain(serial->stream, 0, DRAIN_LIMIT_US, operation, failure) != 0 ||
        send_filler(serial, operation, failure) != 0)
        return -1;
    return link_stream_drain(serial->stream, QUIET_US, DRAIN_LIMIT_US, operation, failure);
}

/* Fails only when the link does; `cause` says what was heard. While a filler is owed it goes right
 * before the sign-on, whose 1B could be what the programmer waits for: the line may have been dead
 * until now. */
static int knock(struct serial *serial, int64_t silence_us, bool *answered, struct failure *cause,
                 const struct operation *operation, struct failure *failure)
{
    struct stk500v2_command command = {
        .name = "sign-on", .body = {STK500V2_SIGN_ON}, .count = 1, .silence_us = silence_us};
    struct failure heard = {0};
    struct frame frame;

    make_frame(serial, &command, &frame);
    *answered = (serial->stk.base.owed_value < 0 || send_filler(serial, operation, &heard) == 0) &&
                send_frame(serial, &frame, operation, &heard) == 0 &&
                hear(serial, &command, operation, &heard) == 0;
    if (!*answered && heard.code != FAILURE_PROGRAMMER_SILENT &&
        heard.code != FAILURE_PROGRAMMER_OUT_OF_STEP)
        return failure_set(failure, heard.code, "%s", heard.detail);
    if (*answered)
        *answered = stk500v2_take_sign_on(&serial->stk, &command, &heard) == 0;
    if (!*answered && (cause->code == FAILURE_NONE || heard.code != FAILURE_PROGRAMMER_SILENT))
        *cause = heard;
    return 0;
}

/* Knocks until `end_us`, at least `KNOCKS` times. With an end it is looked for, and given time. */
static int sign_on(struct serial *serial, int64_t end_us, const struct operation *operation,
                   struct failure *failure)
{
    struct failure cause = {0};
    bool answered = false;

    for (int i = 0; !answered && (i < KNOCKS || operation_now_us() < end_us); i++) {
        bool late = end_us > 0 && i % LATE_KNOCKS == LATE_KNOCKS - 1;

        if (knock(serial, late ? LATE_SILENCE_US : KNOCK_SILENCE_US, &answered, &cause, operation,
                  failure) != 0)
            return -1;
    }
    if (!answered)
        return failure_set(failure, cause.code, "%s", cause.detail);
    serial->stk.out_of_step = false;
    serial->stk.base.owed_value = -1;
    serial->stk.base.answered = true;
    return 0;
}

/* Perhaps it hears what it does not confirm. */
static void leave_blindly(struct serial *serial, const struct operation *operation)
{
    const struct stk500v2_command command = {.body = LEAVE_BODY, .count = 3};
    struct frame frame;

    make_frame(serial, &command, &frame);
    (void)send_frame(serial, &frame, operation, NULL);
}

static int recover(struct stk500v2 *stk, const struct operation *operation, struct failure *failure)
{
    struct serial *serial = serial_of(stk);

    if (fill(serial, operation, failure) == 0 && sign_on(serial, 0, operation, failure) == 0)
        return 0;
    leave_blindly(serial, operation);
    return -1;
}

static const struct stk500v2_transport transport = {
    .exchange = exchange,
    .recover = recover,
    .keeps_back = true,
    .signs_on_again = true,
};

/* ---- which one is it? ---- */

static int64_t sck_of(int64_t crystal_hz, unsigned setting)
{
    static const int64_t dividers[] = {4, 16, 64, 128};

    if (setting < sizeof dividers / sizeof dividers[0])
        return crystal_hz / dividers[setting];
    return crystal_hz / (24 * (int64_t)setting + 20); /* AVR068: 24 (n + 10/12) */
}

/* 4 is not slower than 3. */
static void offer_sck(struct stk500v2 *stk, int64_t crystal_hz)
{
    int64_t slowest_hz = INT64_MAX;

    stk->sck_count = 0;
    for (uint8_t i = 0; crystal_hz == 0 && i < sizeof monkey_hz / sizeof monkey_hz[0]; i++)
        stk500v2_offer_sck(stk, monkey_hz[i], i);
    for (unsigned setting = 0; crystal_hz != 0 && setting <= UINT8_MAX; setting++) {
        int64_t sck_hz = sck_of(crystal_hz, setting);

        if (sck_hz >= slowest_hz)
            continue;
        stk500v2_offer_sck(stk, sck_hz, (uint8_t)setting);
        slowest_hz = sck_hz;
    }
}

static int take_kind(struct stk500v2 *stk, struct failure *failure)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].sign_on, stk->sign_on) != 0)
            continue;
        stk->measures_supply = kinds[i].measures_supply;
        stk->chooses_polarity = kinds[i].chooses_polarity;
        stk->waits_by_itself = kinds[i].waits_by_itself;
        offer_sck(stk, kinds[i].crystal_hz);
        return 0;
    }
    return failure_set(failure, FAILURE_PROGRAMMER_UNKNOWN,
                       "signs on as '%s': expected STK500_2, AVRISP_2 or SCRATCHMONKEY",
                       stk->sign_on);
}

/* A bootloader ends when it is told to leave (any byte keeps Arduino's for 9 s more), older ones
 * when they are left alone. What fails here, the next sign-on shows. */
static int end_bootloader(struct serial *serial, const struct operation *operation,
                          struct failure *failure)
{
    serial->stk.engaged = true;
    (void)stk500v2_let_go(&serial->stk, operation, NULL);
    return operation_sleep_us(operation, BOOTLOADER_TIME_US, failure);
}

/* Until something answers that keeps a parameter. */
static int find_programmer(struct serial *serial, const struct operation *operation,
                           struct failure *failure)
{
    struct failure cause = {0};

    for (int i = 0; i < BOOTLOADER_ROUNDS; i++) {
        if (i > 0 && end_bootloader(serial, operation, failure) != 0)
            return -1;
        if (sign_on(serial, operation_now_us() + FIND_TIME_US, operation, failure) != 0 ||
            take_kind(&serial->stk, failure) != 0)
            return -1;
        if (stk500v2_set_polarity(&serial->stk, operation, &cause) == 0)
            return 0;
        if (cause.code != FAILURE_PROGRAMMER_REFUSED)
            return failure_set(failure, cause.code, "%s", cause.detail);
    }
    return failure_set(failure, FAILURE_PROGRAMMER_UNKNOWN,
                       "signs on as '%s', but does not keep its parameters: a bootloader, and no "
                       "programmer",
                       serial->stk.sign_on);
}

static int claim(struct programmer *programmer, const struct programmer_settings *settings,
                 const struct operation *operation, struct failure *failure)
{
    struct serial *serial = (struct serial *)programmer;
    struct stk500v2 *stk = &serial->stk;

    stk->transport = &transport;
    stk->next_address = -1;
    serial->byte_us = 10 * INT64_C(1000000) / settings->baud;
    if (link_stream_open(&settings->place, settings->baud, operation, &serial->stream, failure) !=
            0 ||
        fill(serial, operation, failure) != 0 || find_programmer(serial, operation, failure) != 0)
        return -1;
    stk->engaged = true; /* by somebody who was killed, perhaps */
    if (stk500v2_let_go(stk, operation, failure) != 0)
        return -1;
    return stk500v2_read_versions(stk, operation, failure);
}

static void unclaim(struct programmer *programmer)
{
    struct serial *serial = (struct serial *)programmer;
    struct operation operation = {.deadline_us = operation_now_us()};

    if (serial->stream != NULL)
        (void)stk500v2_let_go(&serial->stk, &operation, NULL);
    link_stream_close(serial->stream);
    serial->stream = NULL;
}

/* ---- the shortest time ---- */

/* Of an STK500. */
static int64_t used_sck_hz(const struct programmer_speed *speed)
{
    unsigned setting = 0;

    while (speed->sck_hz > 0 && setting < UINT8_MAX &&
           sck_of(kinds[0].crystal_hz, setting) > speed->sck_hz)
        setting++;
    return sck_of(kinds[0].crystal_hz, setting);
}

#define FRAMING_BYTES (HEADER_BYTES + 1)
#define WRITE_BYTES (FRAMING_BYTES + 10 + FRAMING_BYTES + 2) /* besides the data */
#define READ_BYTES (FRAMING_BYTES + 4 + FRAMING_BYTES + 3)
#define BLOCK_BYTES 256
/* An instruction by itself: its command and the reply. */
#define SINGLE_BYTES (FRAMING_BYTES + 8 + FRAMING_BYTES + 7)

/* Of instructions, with what an STK500 needs beside the bits. */
static int64_t board_us(int64_t sck_hz, int64_t bytes)
{
    return stk500v2_spi_us(sck_hz, bytes) + stk500v2_own_us(kinds[0].crystal_hz, bytes);
}

static int64_t page_floor_us(const struct part *part, int64_t sck_hz, int64_t wire_ns, char *text,
                             size_t text_bytes)
{
    int64_t page = part->flash.page_size, write_us = part->flash.write_delay_us;
    int64_t wire_us = (WRITE_BYTES + page) * wire_ns / 1000;
    int64_t spi_us = board_us(sck_hz, page + 1);
    int64_t longer_us = wire_us + DELAY_US > write_us ? wire_us + DELAY_US : write_us;

    if (text != NULL)
        snprintf(text, text_bytes,
                 "SCK: %" PRId64 " Hz, and 16 cycles of 7.3728 MHz a byte\n"
                 "page on the wire: (%d + %" PRId64 ") bytes x %" PRId64 " ns = %" PRId64
                 " us, and %d us that the programmer waits, or %" PRId64
                 " us of writing the page before\n"
                 "page over SPI: (%" PRId64 " + 1) instructions = %" PRId64 " us\n",
                 sck_hz, WRITE_BYTES, page, wire_ns, wire_us, DELAY_US, write_us, page, spi_us);
    return longer_us + spi_us;
}

/* Without pages: the byte, then the look that finds it written. */
static int64_t byte_floor_us(const struct part *part, int64_t sck_hz, int64_t wire_ns, char *text,
                             size_t text_bytes)
{
    int64_t single_us = SINGLE_BYTES * wire_ns / 1000 + board_us(sck_hz, 1);
    int64_t write_us = part->flash.write_delay_us;
    int64_t all_us = single_us + (write_us > single_us ? write_us : single_us);

    if (text != NULL)
        snprintf(text, text_bytes,
                 "byte: an instruction of %" PRId64 " us, then the longer of that and %" PRId64
                 " us of writing = %" PRId64 " us\n",
                 single_us, write_us, all_us);
    return all_us;
}

/* On a UART, per page: its frame and the reply, during which the page before is written; the
 * instructions on SPI, which begin when the frame is whole. Reading: frame and reply of a block,
 * and before the reply the block's instructions. Each waits for the reply before it. A programmer
 * that is no UART is quicker on the wire. Addresses and this computer's own time are not counted: a
 * floor. */
static int64_t floor_us(const struct part *part, const struct programmer_speed *speed,
                        uint32_t flash_bytes, uint32_t verify_bytes, char *text, size_t text_bytes)
{
    int64_t wire_ns = 10 * INT64_C(1000000000) / speed->baud;
    int64_t sck_hz = used_sck_hz(speed), pages = flash_bytes / part->flash.page_size;
    int64_t page_us = part->flash.page_write
                          ? page_floor_us(part, sck_hz, wire_ns, text, text_bytes)
                          : byte_floor_us(part, sck_hz, wire_ns, text, text_bytes);
    int64_t write_us =
        part->flash.page_write ? stream_talk_framed_us(pages, page_us) : pages * page_us;
    int64_t blocks = verify_bytes / BLOCK_BYTES, rest = verify_bytes % BLOCK_BYTES;
    int64_t block_us = (READ_BYTES + BLOCK_BYTES) * wire_ns / 1000 + board_us(sck_hz, BLOCK_BYTES);
    int64_t read_us =
        stream_talk_framed_us(blocks, block_us) + rest * wire_ns / 1000 + board_us(sck_hz, rest);
    size_t used = text != NULL ? strlen(text) : 0;

    if (text != NULL)
        snprintf(text + used, text_bytes - used,
                 "write: %" PRId64 " pages x %" PRId64 " us, each in whole USB frames of 1 ms = "
                 "%" PRId64 " us\n"
                 "verify: %" PRId64 " blocks of (%d + %d) bytes x %" PRId64 " ns and %d "
                 "instructions over SPI, %" PRId64 " us each, in whole frames, and %" PRId64
                 " bytes more = %" PRId64 " us\n",
                 pages, page_us, write_us, blocks, READ_BYTES, BLOCK_BYTES, wire_ns, BLOCK_BYTES,
                 block_us, rest, read_us);
    return write_us + read_us;
}

const struct programmer_driver stk500v2_driver = {
    .name = "stk500v2",
    .title = "STK500 version 2 on a serial line: STK500, AVRISP, ScratchMonkey",
    .instance_bytes = sizeof(struct serial),
    .link = PROGRAMMER_STREAM,
    .default_baud = 115200,
    .sck_slowest_hz = 1200, /* an STK500's; the old AVRISP has half of it */
    .sck_fastest_hz = 1843200,
    .claim = claim,
    .unclaim = unclaim,
    .attach = stk500v2_attach,
    .release = stk500v2_release,
    .instruct = stk500v2_instruct,
    .read = stk500v2_read,
    .write = stk500v2_write,
    .floor_us = floor_us,
};
