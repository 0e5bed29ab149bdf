/* Atmel's AVRISP mkII and what others have built with LUFA's AVRISP-MKII firmware: STK500 version 2
 * (Atmel AVR069) over bulk endpoints. A body goes out as one transfer, its reply comes back as
 * another, which ends with a short packet. Half duplex: one command at a time.
 *
 * What garbled and lost packets can do. There is no checksum in this language but the CRC16 that
 * the bus has with each packet. The USB units of these devices honour it, other than those of
 * USBasp and USBtiny, which are software: what arrives damaged is not acknowledged and sent again,
 * and what arrives twice is told by its toggle bit. So a packet arrives whole, once, or not at all,
 * and what writes a fuse or lock bits or erases is one packet of eight bytes. Only a body that is
 * longer than a packet can be cut, by a program that is killed: a page. The packet after it is then
 * taken for its rest. That is data of flash; and the first exchange of whoever comes next is a
 * sign-on, which fails and is tried again.
 *
 * Should a bit turn all the same, within the device or its cable to the board: the board gives back
 * what it heard of an instruction that writes, which is compared at once, and every fuse is read
 * back.
 *
 * A late reply, to a command that this computer gave up, begins with that command's number. It is
 * not taken for the sign-on that ends every recovery.
 *
 * - LUFA's firmware waits for an empty packet after a body of n x 64 bytes, which Atmel's driver
 *   never sends: no body has such a length. It gives up a command after a second of waiting.
 * - Its serial number is the same on all units: a site with one is a port.
 * - Without a measuring input it says that the board has 3.3 V.
 * - Some genuine ones hang when they are opened, and hear a sign-on, for a second time, until they
 *   are reset: so there is one sign-on when it is claimed, and others only in recovery. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "jigs/drivers/stk500v2_commands.h"
#include "jigs/drivers/usb_isp.h"
#include "jigs/link_usb.h"

#define PARAMETER_CONNECTION 0xA1
#define SIGN_ON_SILENCE_US 1000000
#define RECOVER_TRIES 2

/* SCK by parameter 98 (AVR069, its table of SCK durations). The first seven are those of the SPI
 * unit, the others of software. Slower ones are for clocks that no AVR has. */
static const int64_t sck_offered_hz[] = {
    8000000, 4000000, 2000000, 1000000, 500000, 250000, 125000, 96386, 89888, 84211, 79208,
    74767,   70797,   67227,   64000,   61069,  58395,  55945,  51613, 49690, 47905, 46243,
    43244,   41885,   39409,   38278,   36200,  34335,  32654,  31129, 29740, 28470, 27304,
    25724,   24768,   23461,   22285,   21221,  20254,  19371,  18562, 17583, 16914, 16097,
    15356,   14520,   13914,   13224,   12599,  12031,  11511,  10944, 10431, 9963,  9468,
    9081,    8612,    8239,    7851,    7498,   7137,   6809,   6478,  6178,  5879,  5607,
    5359,    5093,    4870,    4633,    4418,   4209,   4019};
#define SCK_COUNT (sizeof sck_offered_hz / sizeof sck_offered_hz[0])

struct mkii {
    struct stk500v2 stk;
    struct link_usb *usb;
};

static struct mkii *mkii_of(struct stk500v2 *stk)
{
    return (struct mkii *)stk;
}

/* ---- bodies ---- */

static int exchange(struct stk500v2 *stk, struct stk500v2_command *command,
                    const struct operation *operation, struct failure *failure)
{
    struct failure cause = {0};
    struct link_usb_exchange both = {.out = command->body,
                                     .out_count = command->count,
                                     .in = command->reply,
                                     .in_room = sizeof command->reply,
                                     .silence_us = command->silence_us};

    if (link_usb_exchange(mkii_of(stk)->usb, &both, operation, &cause) != 0) {
        if (cause.code == FAILURE_PROGRAMMER_GONE)
            stk->engaged = false; /* without power its lines let go */
        return failure_set(failure, cause.code, "%s: %s", command->name, cause.detail);
    }
    command->received = both.received;
    return 0;
}

static int sign_on_again(struct stk500v2 *stk, const struct operation *operation,
                         struct failure *failure)
{
    struct stk500v2_command command = {.name = "sign-on",
                                       .body = {STK500V2_SIGN_ON},
                                       .count = 1,
                                       .silence_us = SIGN_ON_SILENCE_US};

    stk->out_of_step = false;
    if (stk500v2_ask(stk, &command, operation, failure) == 0 &&
        stk500v2_take_sign_on(stk, &command, failure) == 0)
        return 0;
    stk->out_of_step = true;
    return -1;
}

static bool is_final(const struct failure *failure)
{
    return failure->code == FAILURE_PROGRAMMER_GONE || failure->code == FAILURE_DEADLINE ||
           failure->code == FAILURE_INTERRUPTED;
}

/* After a failure each exchange begins by throwing away what the device still has to say. One that
 * says nothing is reset at once: it may hold a board. */
static int recover(struct stk500v2 *stk, const struct operation *operation, struct failure *failure)
{
    struct failure cause = {0};

    for (int i = 0; i < RECOVER_TRIES; i++) {
        if (link_usb_clear(mkii_of(stk)->usb, operation, &cause) == 0 &&
            sign_on_again(stk, operation, &cause) == 0)
            return 0;
        if (is_final(&cause))
            return failure_set(failure, cause.code, "%s", cause.detail);
        if (cause.code == FAILURE_PROGRAMMER_SILENT)
            break;
    }
    if (link_usb_reset(mkii_of(stk)->usb, operation, failure) != 0)
        return -1;
    return sign_on_again(stk, operation, failure);
}

static const struct stk500v2_transport transport = {
    .exchange = exchange,
    .recover = recover,
};

/* ---- which one is it? ---- */

static int refuse_others(const struct mkii *mkii, struct failure *failure)
{
    const struct link_usb_identity *identity = link_usb_identity(mkii->usb);
    const struct programmer_usb_id *id = mkii->stk.base.driver->usb_ids;
    char text[160];

    if (identity->vendor == id->vendor && identity->product == id->product)
        return 0;
    usb_isp_identity_to_text(identity, text, sizeof text);
    return failure_set(failure, FAILURE_PROGRAMMER_UNKNOWN,
                       "%s is no AVRISP mkII: plug one in here, or correct the jig file", text);
}

static int check_sign_on(const struct stk500v2 *stk, struct failure *failure)
{
    if (strcmp(stk->sign_on, "AVRISP_MK2") == 0)
        return 0;
    return failure_set(failure, FAILURE_PROGRAMMER_UNKNOWN, "signs on as '%s', expected AVRISP_MK2",
                       stk->sign_on);
}

static int claim(struct programmer *programmer, const struct programmer_settings *settings,
                 const struct operation *operation, struct failure *failure)
{
    struct mkii *mkii = (struct mkii *)programmer;
    struct stk500v2 *stk = &mkii->stk;

    stk->transport = &transport;
    stk->next_address = -1;
    stk->measures_supply = stk->chooses_polarity = true;
    for (size_t i = 0; i < SCK_COUNT; i++)
        stk500v2_offer_sck(stk, sck_offered_hz[i], (uint8_t)i);
    if (link_usb_open(&settings->place, operation, &mkii->usb, failure) != 0 ||
        refuse_others(mkii, failure) != 0)
        return -1;
    if (sign_on_again(stk, operation, failure) != 0 && recover(stk, operation, failure) != 0)
        return -1;
    programmer->answered = true;
    stk->engaged = true; /* by somebody who was killed, perhaps */
    if (check_sign_on(stk, failure) != 0 || stk500v2_let_go(stk, operation, failure) != 0)
        return -1;
    return stk500v2_read_versions(stk, operation, failure);
}

static void unclaim(struct programmer *programmer)
{
    struct mkii *mkii = (struct mkii *)programmer;
    struct operation operation = {.deadline_us = operation_now_us()};

    if (mkii->usb != NULL)
        (void)stk500v2_let_go(&mkii->stk, &operation, NULL);
    link_usb_close(mkii->usb);
    mkii->usb = NULL;
}

/* ---- sessions ---- */

/* AVR069, "Target connection" */
static const struct {
    uint8_t mask;
    const char *meaning;
} connections[] = {
    {0x20, "the cable is reversed"}, {0x10, "no target found"}, {0x01, "MOSI is shorted"},
    {0x02, "RESET is shorted"},      {0x04, "SCK is shorted"},
};

/* What a genuine one says about an empty place, or a short. */
static const char *connection(struct stk500v2 *stk, const struct operation *operation)
{
    uint8_t found = 0;

    if (stk->out_of_step ||
        stk500v2_get_parameter(stk, PARAMETER_CONNECTION, &found, operation, NULL) != 0)
        return NULL;
    for (size_t i = 0; i < sizeof connections / sizeof connections[0]; i++)
        if ((found & connections[i].mask) != 0)
            return connections[i].meaning;
    return NULL;
}

static int attach(struct programmer *programmer, const struct operation *operation,
                  struct failure *failure)
{
    struct failure cause = {0};
    const char *meaning;

    if (stk500v2_attach(programmer, operation, &cause) == 0)
        return 0;
    meaning = failure_finds_nobody(cause.code)
                  ? connection((struct stk500v2 *)programmer, operation)
                  : NULL;
    return failure_set(failure, cause.code, "%s%s%s", cause.detail,
                       meaning != NULL ? "; the programmer says: " : "",
                       meaning != NULL ? meaning : "");
}

/* ---- the shortest time ---- */

#define PACKET_BYTES 64
#define PACKET_US 50 /* with its token and handshake at 12 Mbit/s */
#define WRITE_HEADER 10
#define BLOCK_BYTES 256
#define INSTRUCTION_PACKETS 2
#define CRYSTAL_HZ 16000000

static int64_t used_sck_hz(const struct programmer_speed *speed)
{
    size_t sck = 0;

    while (speed->sck_hz > 0 && sck + 1 < SCK_COUNT && sck_offered_hz[sck] > speed->sck_hz)
        sck++;
    return sck_offered_hz[sck];
}

/* Of instructions, with what the programmer needs beside the bits. */
static int64_t board_us(int64_t sck_hz, int64_t bytes)
{
    return stk500v2_spi_us(sck_hz, bytes) + stk500v2_own_us(CRYSTAL_HZ, bytes);
}

static int64_t page_floor_us(const struct part *part, int64_t sck_hz, char *text, size_t text_bytes)
{
    int64_t page = part->flash.page_size;
    int64_t packets = (WRITE_HEADER + page + PACKET_BYTES - 1) / PACKET_BYTES + 1;
    int64_t spi_us = board_us(sck_hz, page + 2);
    int64_t page_us = packets * PACKET_US + spi_us + part->flash.write_delay_us;

    if (text != NULL)
        snprintf(text, text_bytes,
                 "SCK: %" PRId64 " Hz, and 16 cycles of 16 MHz a byte\n"
                 "page: %" PRId64 " packets x %d us, %" PRId64
                 " instructions over SPI, one that writes and one that finds it done = %" PRId64
                 " us, %" PRIu32 " us of writing = %" PRId64 " us\n",
                 sck_hz, packets, PACKET_US, page, spi_us, part->flash.write_delay_us, page_us);
    return page_us;
}

/* Without pages: the byte, then the look that finds it written. */
static int64_t byte_floor_us(const struct part *part, int64_t sck_hz, char *text, size_t text_bytes)
{
    int64_t single_us = INSTRUCTION_PACKETS * PACKET_US + board_us(sck_hz, 1);
    int64_t write_us = part->flash.write_delay_us;
    int64_t all_us = single_us + (write_us > single_us ? write_us : single_us);

    if (text != NULL)
        snprintf(text, text_bytes,
                 "byte: an instruction of %" PRId64 " us, then the longer of that and %" PRId64
                 " us of writing = %" PRId64 " us\n",
                 single_us, write_us, all_us);
    return all_us;
}

/* Per page its packets, the one of the reply, its instructions and the writing, one after the
 * other: the firmware takes in a whole page before it begins. Reading: the command's packet, the
 * instructions, during which packets of the reply leave, and its last packet. The erase, addresses,
 * the firmware's time for a command and this computer's are not counted: a floor. */
static int64_t floor_us(const struct part *part, const struct programmer_speed *speed,
                        uint32_t flash_bytes, uint32_t verify_bytes, char *text, size_t text_bytes)
{
    int64_t sck_hz = used_sck_hz(speed), pages = flash_bytes / part->flash.page_size;
    int64_t page_us = part->flash.page_write ? page_floor_us(part, sck_hz, text, text_bytes)
                                             : byte_floor_us(part, sck_hz, text, text_bytes);
    int64_t blocks = (verify_bytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
    int64_t read_us = blocks * INSTRUCTION_PACKETS * PACKET_US + board_us(sck_hz, verify_bytes);
    size_t used = text != NULL ? strlen(text) : 0;

    if (text != NULL)
        snprintf(text + used, text_bytes - used,
                 "write: %" PRId64 " pages x %" PRId64 " us = %" PRId64 " us\n"
                 "verify: %" PRId64 " blocks x %d packets x %d us + %" PRIu32
                 " instructions over SPI = %" PRId64 " us\n",
                 pages, page_us, pages * page_us, blocks, INSTRUCTION_PACKETS, PACKET_US,
                 verify_bytes, read_us);
    return pages * page_us + read_us;
}

static const struct programmer_usb_id usb_ids[] = {{0x03EB, 0x2104, NULL}};

const struct programmer_driver avrispmkii_driver = {
    .name = "avrispmkii",
    .title = "AVRISP mkII and others with its firmware (LUFA)",
    .instance_bytes = sizeof(struct mkii),
    .link = PROGRAMMER_USB,
    .usb_ids = usb_ids,
    .usb_id_count = sizeof usb_ids / sizeof usb_ids[0],
    .sck_slowest_hz = 4019,
    .sck_fastest_hz = 8000000,
    .claim = claim,
    .unclaim = unclaim,
    .attach = attach,
    .release = stk500v2_release,
    .instruct = stk500v2_instruct,
    .read = stk500v2_read,
    .write = stk500v2_write,
    .floor_us = floor_us,
};
