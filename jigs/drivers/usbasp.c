/* USBasp: Thomas Fischl's programmer on an ATmega8, and what others have made of its firmware.
 * Facts this file is built on:
 *
 * - SCK is chosen with SETISPSCK before CONNECT, which applies it; some forks forget it at
 *   DISCONNECT. Before the release of 2009-02-28 there is no such request, SCK is 375 kHz, and
 *   addresses have 16 bits. What a firmware does not know it answers with nothing.
 * - The jumper "slow SCK" makes it 8 kHz whatever was asked for, and some forks look for a slower
 *   SCK by themselves; only the time that things take shows either.
 * - ENABLEPROG tries up to 32 times. After it the firmware believes that the board's extended
 *   address is 0, and from then on sends 4D by itself: so it comes only after a CONNECT, which puts
 *   the board into reset, and nobody else sends 4D. In some forks the SPI unit is off before
 *   ENABLEPROG has succeeded, and an instruction would hang the programmer for good.
 * - SETLONGADDRESS makes the firmware count the address on by itself and ignore the ones in
 *   requests, until the next CONNECT. Flash and EEPROM share the counter.
 * - WRITEFLASH counts bytes until a page is full, then writes it and waits: until the last byte
 *   reads as something else than FF, for up to 30 x 320 us, or 4.8 ms where it is FF. FIRST in the
 *   flags makes it count from the page's beginning. A part of a page is written with LAST only,
 *   which avrdude never says and no clone has therefore seen: pages are always sent whole, each as
 *   one transfer with FIRST.
 * - A board that is lost, or a page that did not write, is not reported: FF is read.
 *
 * One bit turned in the number of CONNECT, DISCONNECT or READEEPROM makes it TRANSMIT (see
 * usb_isp.h): it would send zeros, or an address of EEPROM, whose high byte is below 80.
 *
 * USBaspLoader is a bootloader that says it is a USBasp, answers every fuse write with success and
 * does nothing. It is refused by its release number, and, should a build have another, because its
 * TRANSMIT gives back no echo. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "jigs/drivers/usb_isp.h"
#include "jigs/isp.h"

enum {
    CONNECT = 1,
    DISCONNECT = 2,
    TRANSMIT = 3,
    READFLASH = 4,
    ENABLEPROG = 5,
    WRITEFLASH = 6,
    READEEPROM = 7,
    SETLONGADDRESS = 9,
    SETISPSCK = 10,
    GETCAPABILITIES = 127
};

#define FLAG_FIRST 1
#define CAPABILITY_TPI 0x00000001
#define CAPABILITY_3MHZ 0x01000000
#define RELEASE_LOADER 0x0201

#define VENDOR_VUSB 0x16C0
#define VENDOR_ATMEL 0x03EB
#define PRODUCT_LOOKALIKE 0xC8B4

#define ENABLE_SILENCE_US 5000000
#define BLOCK_SILENCE_US 5000000
/* "Wait for at least 20 ms" between RESET low and programming enable (ATmega328P, 8271J, 28.8.2);
 * the clocks of this computer and of the programmer differ by far less than this is longer. */
#define RESET_US 22000
/* An empty site is to be found empty soon, also by a firmware that looks for an SCK by itself. */
#define STEP_DOWN_TIME_US 1500000

/* What the firmware waits for a page at least, and the packets before it looks at the next one. */
#define PAGE_WAIT_US 4800
#define NEXT_PAGE_US 2000
#define SEGMENT_OLD_BYTES 0x10000

/* Fastest first. Option 13 is known to few. */
static const int64_t sck_offered_hz[] = {3000000, 1500000, 750000, 375000, 187500, 93750, 32000,
                                         16000,   8000,    4000,   2000,   1000,   500};
#define SCK_COUNT (sizeof sck_offered_hz / sizeof sck_offered_hz[0])
#define SCK_3MHZ 0
#define SCK_1500KHZ 1
#define SCK_375KHZ 3
#define OPTION_FASTEST 13

struct usbasp {
    struct usb_isp isp;
    uint32_t capabilities; /* 0: does not tell */
    bool chooses_sck;      /* also knows addresses of 32 bits */
    enum part_memory next_memory;
    int64_t next_address; /* where the firmware's counter stands; -1: not known */
};

static struct usbasp *self(struct programmer *programmer)
{
    return (struct usbasp *)programmer;
}

static const struct usb_isp_dialect dialect = {
    .name = "USBasp",
    .let_go_name = "DISCONNECT",
    .instruct = TRANSMIT,
    .let_go = DISCONNECT,
    .read_flash = READFLASH,
    .read_eeprom = READEEPROM,
    .loads_extended_address = true,
    .dataless_bytes = 4,
    .block_silence_us = BLOCK_SILENCE_US,
};

/* ---- which USBasp is it? ---- */

static int refuse_others(const struct usbasp *usbasp, struct failure *failure)
{
    const struct link_usb_identity *identity = link_usb_identity(usbasp->isp.usb);
    char text[160];

    usb_isp_identity_to_text(identity, text, sizeof text);
    if (identity->vendor == VENDOR_ATMEL && identity->product == PRODUCT_LOOKALIKE)
        return failure_set(failure, FAILURE_PROGRAMMER_UNKNOWN,
                           "%s only looks like a USBasp and speaks another language: plug a USBasp "
                           "in here, or put USBasp firmware on this one",
                           text);
    if (usb_isp_check_identity(&usbasp->isp, failure) != 0)
        return -1;
    if (identity->release == RELEASE_LOADER)
        return failure_set(failure, FAILURE_PROGRAMMER_UNKNOWN,
                           "%s, release 2.01, is USBaspLoader, the bootloader of a board, and no "
                           "programmer: plug a USBasp in here",
                           text);
    return 0;
}

static int ask_capabilities(struct usbasp *usbasp, const struct operation *operation,
                            struct failure *failure)
{
    struct usb_isp_request request = {.name = "GETCAPABILITIES", .request = GETCAPABILITIES};

    if (usb_isp_ask(&usbasp->isp, &request, operation, failure) != 0)
        return -1;
    if (request.received == 0) /* does not know the request */
        return 0;
    if (usb_isp_check_reply(&usbasp->isp, &request, 4, failure) != 0)
        return -1;
    usbasp->capabilities = (uint32_t)request.reply[0] | (uint32_t)request.reply[1] << 8 |
                           (uint32_t)request.reply[2] << 16 | (uint32_t)request.reply[3] << 24;
    return 0;
}

/* `*known` is false when the firmware does not know the request. */
static int set_sck(struct usbasp *usbasp, size_t sck, bool *known,
                   const struct operation *operation, struct failure *failure)
{
    struct usb_isp_request request = {
        .name = "SETISPSCK", .request = SETISPSCK, .value = (uint16_t)(OPTION_FASTEST - sck)};

    if (usb_isp_ask(&usbasp->isp, &request, operation, failure) != 0)
        return -1;
    *known = request.received != 0;
    if (!*known)
        return 0;
    if (usb_isp_check_reply(&usbasp->isp, &request, 1, failure) != 0)
        return -1;
    if (request.reply[0] == 0)
        return 0;
    return failure_set(failure, FAILURE_PROGRAMMER_REFUSED, "SETISPSCK to %" PRId64 " Hz: %u",
                       sck_offered_hz[sck], request.reply[0]);
}

/* For example "USBasp 1.11 serial 0001, TPI, SCK up to 1.5 MHz". */
static void describe(struct usbasp *usbasp)
{
    const struct link_usb_identity *identity = link_usb_identity(usbasp->isp.usb);
    struct programmer *programmer = &usbasp->isp.base;
    char serial[24] = "";

    if (identity->serial[0] != '\0')
        snprintf(serial, sizeof serial, " serial %.15s", identity->serial);
    snprintf(programmer->firmware, sizeof programmer->firmware, "USBasp %x.%02x%s%s, SCK %s",
             (unsigned)identity->release >> 8, (unsigned)identity->release & 0xFF, serial,
             (usbasp->capabilities & CAPABILITY_TPI) != 0 ? ", TPI" : "",
             !usbasp->chooses_sck                            ? "fixed at 375 kHz"
             : (usbasp->capabilities & CAPABILITY_3MHZ) != 0 ? "up to 3 MHz"
                                                             : "up to 1.5 MHz");
}

static int claim(struct programmer *programmer, const struct programmer_settings *settings,
                 const struct operation *operation, struct failure *failure)
{
    struct usbasp *usbasp = self(programmer);

    usbasp->isp.dialect = &dialect;
    usbasp->next_address = -1;
    if (link_usb_open(&settings->place, operation, &usbasp->isp.usb, failure) != 0 ||
        refuse_others(usbasp, failure) != 0)
        return -1;
    usbasp->isp.engaged = true; /* by somebody who was killed, perhaps */
    if (usb_isp_let_go(&usbasp->isp, operation, failure) != 0)
        return -1;
    programmer->answered = true;
    if (ask_capabilities(usbasp, operation, failure) != 0 ||
        set_sck(usbasp, SCK_375KHZ, &usbasp->chooses_sck, operation, failure) != 0)
        return -1;
    if (!usbasp->chooses_sck)
        programmer->sck_hz = sck_offered_hz[SCK_375KHZ];
    describe(usbasp);
    return 0;
}

/* ---- sessions ---- */

/* The SCKs that this firmware has, fastest first. */
static const int64_t *offer(const struct usbasp *usbasp, size_t *count)
{
    size_t fastest = (usbasp->capabilities & CAPABILITY_3MHZ) != 0 ? SCK_3MHZ : SCK_1500KHZ;

    if (!usbasp->chooses_sck) {
        *count = 1;
        return &sck_offered_hz[SCK_375KHZ];
    }
    *count = SCK_COUNT - fastest;
    return &sck_offered_hz[fastest];
}

static int check_part(const struct usbasp *usbasp, struct failure *failure)
{
    const struct part *part = usbasp->isp.base.part;

    if (!part->sync_echo)
        return failure_set(failure, FAILURE_PROGRAMMER_REFUSED,
                           "a USBasp waits for an echo that %s does not give: use another "
                           "programmer",
                           part->name);
    if (!usbasp->chooses_sck && part->flash.size > SEGMENT_OLD_BYTES)
        return failure_set(failure, FAILURE_PROGRAMMER_TOO_OLD,
                           "%s reaches 64 KiB of flash, %s has more: put firmware of 2011 on it",
                           usbasp->isp.base.firmware, part->name);
    return 0;
}

static int fail_too_fast(const struct usbasp *usbasp, struct failure *failure)
{
    int64_t clock_hz = programmer_target_hz(&usbasp->isp.base);

    return failure_set(failure, FAILURE_PROGRAMMER_TOO_OLD,
                       "%s, which is too fast for a board at %" PRId64
                       " Hz: put firmware of 2011 on it, or use a newer one",
                       usbasp->isp.base.firmware, clock_hz);
}

/* RESET goes low with `sck`. */
static int connect_board(struct usbasp *usbasp, const int64_t *sck,
                         const struct operation *operation, struct failure *failure)
{
    struct usb_isp_request request = {.name = "CONNECT", .request = CONNECT};
    bool known = true;

    if (usb_isp_begin_session(&usbasp->isp, operation, failure) != 0)
        return -1;
    if (usbasp->chooses_sck &&
        set_sck(usbasp, (size_t)(sck - sck_offered_hz), &known, operation, failure) != 0)
        return -1;
    if (!known)
        return failure_set(failure, FAILURE_PROGRAMMER_OUT_OF_STEP,
                           "SETISPSCK is not answered any more");
    usbasp->isp.base.sck_hz = *sck;
    usbasp->next_address = -1;
    usbasp->isp.engaged = true;
    if (usb_isp_ask(&usbasp->isp, &request, operation, failure) != 0)
        return -1;
    return operation_sleep_us(operation, RESET_US, failure);
}

static int enable(struct usbasp *usbasp, const struct operation *operation, struct failure *failure)
{
    struct usb_isp_request request = {
        .name = "ENABLEPROG", .request = ENABLEPROG, .silence_us = ENABLE_SILENCE_US};

    if (usb_isp_ask(&usbasp->isp, &request, operation, failure) != 0 ||
        usb_isp_check_reply(&usbasp->isp, &request, 1, failure) != 0)
        return -1;
    usbasp->isp.enabled = request.reply[0] == 0;
    return 0;
}

static int fail_loader(struct failure *failure)
{
    return failure_set(failure, FAILURE_PROGRAMMER_UNKNOWN,
                       "says it has enabled programming, but AC 53 gives back nothing but 00: this "
                       "is USBaspLoader, the bootloader of a board, and no programmer");
}

/* A part gives 53 back also when it is enabled already. This is also how a bootloader that plays a
 * USBasp shows. */
static int check_echo(struct usbasp *usbasp, const struct operation *operation,
                      struct failure *failure)
{
    const struct isp_instruction instruction = isp_programming_enable();
    struct usb_isp_queue queue;
    const uint8_t *reply = queue.replies[0];

    usb_isp_queue_init(&queue, &usbasp->isp);
    if (usb_isp_add_instruction(&queue, &instruction, failure) != 0 ||
        usb_isp_send(&queue, operation, failure) != 0)
        return -1;
    if (usbasp->capabilities == 0 && reply[0] == 0 && reply[1] == 0 && reply[2] == 0)
        return fail_loader(failure);
    usbasp->isp.enabled = reply[2] == 0x53;
    return 0;
}

/* How long reading `bytes` takes. */
static int time_read(struct usbasp *usbasp, uint8_t bytes, int64_t *took_us,
                     const struct operation *operation, struct failure *failure)
{
    uint8_t data[64];
    struct usb_isp_queue queue;
    int64_t begun_us = operation_now_us();

    usb_isp_queue_init(&queue, &usbasp->isp);
    usb_isp_add_read(&queue, "reading flash", READFLASH, 0, 0, data, bytes);
    if (usb_isp_send(&queue, operation, failure) != 0)
        return -1;
    *took_us = operation_now_us() - begun_us;
    return 0;
}

/* Says in sck_hz what is in use, where it is far from what was asked for: see the top. Only longer
 * looks are believed, and the shortest of them, as this computer may have been slow. */
static int measure_sck(struct usbasp *usbasp, const struct operation *operation,
                       struct failure *failure)
{
    static const uint8_t bytes[] = {8, 64, 64, 64};
    struct programmer *programmer = &usbasp->isp.base;
    int64_t spi_us = INT64_MAX;

    for (size_t i = 0; i < sizeof bytes; i++) {
        int64_t packets_us = (2 + bytes[i] / USB_ISP_PACKET_BYTES) * USB_ISP_PACKET_US;
        int64_t expected_us = packets_us + usb_isp_spi_us(programmer->sck_hz, bytes[i]);
        int64_t took_us;

        if (time_read(usbasp, bytes[i], &took_us, operation, failure) != 0)
            return -1;
        if (took_us < 2 * expected_us + 10 * USB_ISP_PACKET_US)
            return 0;
        if (i > 0 && took_us - packets_us < spi_us)
            spi_us = took_us - packets_us;
    }
    size_t sck = 0;
    /* The nearest that is not slower than what was measured by more than a quarter. */
    while (sck + 1 < SCK_COUNT && usb_isp_spi_us(sck_offered_hz[sck], 64) * 5 / 4 < spi_us)
        sck++;
    programmer->sck_hz = sck_offered_hz[sck];
    return 0;
}

static int try_sck(struct usbasp *usbasp, const int64_t *sck, const struct operation *operation,
                   struct failure *failure)
{
    if (connect_board(usbasp, sck, operation, failure) != 0 ||
        enable(usbasp, operation, failure) != 0)
        return -1;
    if (usbasp->isp.enabled && check_echo(usbasp, operation, failure) != 0)
        return -1;
    return usbasp->isp.enabled ? measure_sck(usbasp, operation, failure) : 0;
}

static int fail_no_answer(struct usbasp *usbasp, int64_t first_hz, int64_t last_hz,
                          struct failure *failure)
{
    usbasp->isp.base.sck_hz = first_hz;
    return failure_set(failure, FAILURE_NO_BOARD,
                       "no answer to AC 53, at SCK from %" PRId64 " down to %" PRId64 " Hz",
                       first_hz, last_hz);
}

static int step_down(struct usbasp *usbasp, const int64_t *offered_hz, size_t count, size_t first,
                     const struct operation *operation, struct failure *failure)
{
    int64_t end_us = operation_now_us() + STEP_DOWN_TIME_US;
    size_t now = first;

    for (size_t next = first; next < count;) {
        now = next;
        if (try_sck(usbasp, &offered_hz[now], operation, failure) != 0)
            return -1;
        if (usbasp->isp.enabled)
            return 0;
        next = operation_now_us() < end_us ? programmer_next_sck(offered_hz, count, now) : count;
    }
    return fail_no_answer(usbasp, offered_hz[first], offered_hz[now], failure);
}

static int attach(struct programmer *programmer, const struct operation *operation,
                  struct failure *failure)
{
    struct usbasp *usbasp = self(programmer);
    size_t count = 0;
    const int64_t *offered_hz = offer(usbasp, &count);

    if (check_part(usbasp, failure) != 0)
        return -1;
    size_t first = programmer_pick_sck(programmer, offered_hz, count);
    if (first == count)
        return fail_too_fast(usbasp, failure);
    if (step_down(usbasp, offered_hz, count, first, operation, failure) == 0)
        return 0;
    (void)usb_isp_release(programmer, operation, NULL); /* the reason stands already */
    return -1;
}

/* ---- memories ---- */

/* Puts SETLONGADDRESS into the queue, unless the firmware's counter stands there anyway; it will
 * stand after `count` bytes from there. */
static void aim(struct usbasp *usbasp, struct usb_isp_queue *queue, enum part_memory memory,
                uint32_t address, uint32_t count)
{
    if (usbasp->next_memory != memory || usbasp->next_address != address)
        usb_isp_add_request(queue, "SETLONGADDRESS", SETLONGADDRESS, (uint16_t)address,
                            (uint16_t)(address >> 16));
    usbasp->next_memory = memory;
    usbasp->next_address = (int64_t)address + count;
}

/* After a failure nobody knows where the counter stands. */
static int counted(struct usbasp *usbasp, int result)
{
    if (result != 0)
        usbasp->next_address = -1;
    return result;
}

static int read(struct programmer *programmer, enum part_memory memory, uint32_t start,
                uint8_t *bytes, uint32_t count, const struct operation *operation,
                struct failure *failure)
{
    struct usbasp *usbasp = self(programmer);
    struct usb_isp_queue queue;

    if (memory != PART_FLASH && memory != PART_EEPROM)
        return isp_read(programmer, memory, start, bytes, count, operation, failure);
    usb_isp_queue_init(&queue, &usbasp->isp);
    aim(usbasp, &queue, memory, start, count);
    return counted(usbasp,
                   usb_isp_read_blocks(&queue, memory, start, bytes, count, operation, failure));
}

static int add_page(struct usbasp *usbasp, struct usb_isp_queue *queue, uint32_t address,
                    const uint8_t *bytes, struct failure *failure)
{
    uint32_t page_size = usbasp->isp.base.part->flash.page_size;
    uint16_t index =
        (uint16_t)(((page_size >> 8 & 0x0F) << 4 | FLAG_FIRST) << 8 | (page_size & 0xFF));

    aim(usbasp, queue, PART_FLASH, address, page_size);
    return usb_isp_add_write(queue, "writing flash", WRITEFLASH, (uint16_t)address, index, bytes,
                             page_size, failure);
}

/* Parts without RDY/BSY also read as other values than FF while they write, which the firmware
 * takes for the end of it; and a few take longer than it waits where it cannot tell. */
static bool needs_a_look(const struct part *part)
{
    return !part->poll_ready || part->flash.write_delay_us + part->flash.write_delay_us / 5 >
                                    PAGE_WAIT_US + NEXT_PAGE_US;
}

static int write_pages(struct usbasp *usbasp, uint32_t start, const uint8_t *bytes, uint32_t count,
                       const struct operation *operation, struct failure *failure)
{
    const struct part *part = usbasp->isp.base.part;
    uint32_t page_size = part->flash.page_size;
    bool singly = needs_a_look(part);
    struct usb_isp_queue queue;

    usb_isp_queue_init(&queue, &usbasp->isp);
    for (uint32_t at = 0; at < count; at += page_size) {
        bool last = at + page_size >= count;

        if (!isp_is_blank(bytes + at, page_size)) {
            if (add_page(usbasp, &queue, start + at, bytes + at, failure) != 0)
                return -1;
            usb_isp_add_progress(&queue, at + page_size);
        }
        if (queue.used == 0 || (!last && !singly && !usb_isp_is_full(&queue, 2)))
            continue;
        if (usb_isp_send(&queue, operation, failure) != 0)
            return -1;
        if (singly && isp_wait_written(&usbasp->isp.base, PART_FLASH, start + at, bytes + at,
                                       page_size, operation, failure) != 0)
            return -1;
        operation_progress(operation, at + page_size);
    }
    return 0;
}

/* Parts without pages: WRITEFLASH takes 7F for the only value that they show while they write. The
 * default waits for each byte as its part file says. */
static int write(struct programmer *programmer, enum part_memory memory, uint32_t start,
                 const uint8_t *bytes, uint32_t count, struct fuse_permit *permit,
                 const struct operation *operation, struct failure *failure)
{
    struct usbasp *usbasp = self(programmer);

    if (memory == PART_EEPROM)
        return usb_isp_write_eeprom(&usbasp->isp, start, bytes, count, operation, failure);
    if (memory != PART_FLASH || !programmer->part->flash.page_write)
        return isp_write(programmer, memory, start, bytes, count, permit, operation, failure);
    return counted(usbasp, write_pages(usbasp, start, bytes, count, operation, failure));
}

/* ---- the shortest time ---- */

static int64_t used_sck_hz(const struct programmer_speed *speed)
{
    size_t sck = SCK_1500KHZ;

    while (speed->sck_hz > 0 && sck + 1 < SCK_COUNT && sck_offered_hz[sck] > speed->sck_hz)
        sck++;
    return sck_offered_hz[sck];
}

/* Setup, data and status packets; the status packet waits until the page is written. */
static int64_t page_floor_us(const struct part *part, int64_t sck_hz, char *text, size_t text_bytes)
{
    int64_t packets = part->flash.page_size / USB_ISP_PACKET_BYTES;
    int64_t packet_us = usb_isp_packet_us(sck_hz);
    int64_t commit_us = usb_isp_spi_us(sck_hz, USB_ISP_PACKET_BYTES + 1);
    int64_t last_us = commit_us + part->flash.write_delay_us;
    int64_t page_us = USB_ISP_PACKET_US + (packets - 1) * packet_us + last_us + USB_ISP_PACKET_US;

    if (text != NULL)
        snprintf(text, text_bytes,
                 "SCK: %" PRId64 " Hz, a packet of data takes %" PRId64 " us\n"
                 "page: setup %d us, %" PRId64 " packets of data x %" PRId64
                 " us, the last one %" PRId64 " us of SPI and %" PRIu32
                 " us of writing, status %d us = %" PRId64 " us\n",
                 sck_hz, packet_us, USB_ISP_PACKET_US, packets - 1, packet_us, commit_us,
                 part->flash.write_delay_us, USB_ISP_PACKET_US, page_us);
    return page_us;
}

/* One packet in each frame of 1 ms: for a page its setup packet, its data, which are longer than a
 * frame only at slow SCKs, the writing, and the status packet; for reading the same without
 * writing. The erase and the addresses are not counted: a floor. */
static int64_t floor_us(const struct part *part, const struct programmer_speed *speed,
                        uint32_t flash_bytes, uint32_t verify_bytes, char *text, size_t text_bytes)
{
    int64_t sck_hz = used_sck_hz(speed);
    int64_t page_us = part->flash.page_write ? page_floor_us(part, sck_hz, text, text_bytes)
                                             : usb_isp_byte_floor_us(part, text, text_bytes);

    return usb_isp_floor_us(part, sck_hz, page_us, flash_bytes, verify_bytes, text, text_bytes);
}

/* The very first ones had no texts that anybody compared; NIBObee is a robot with one on board. */
static const struct programmer_usb_id usb_ids[] = {
    {VENDOR_VUSB, 0x05DC, "USBasp"},
    {VENDOR_VUSB, 0x092F, NULL},
    {VENDOR_ATMEL, 0xC7B4, NULL},
};

const struct programmer_driver usbasp_driver = {
    .name = "usbasp",
    .title = "USBasp",
    .instance_bytes = sizeof(struct usbasp),
    .link = PROGRAMMER_USB,
    .usb_ids = usb_ids,
    .usb_id_count = sizeof usb_ids / sizeof usb_ids[0],
    .sck_slowest_hz = 500,
    .sck_fastest_hz = 1500000,
    .claim = claim,
    .unclaim = usb_isp_unclaim,
    .attach = attach,
    .release = usb_isp_release,
    .identify = usb_isp_identify,
    .instruct = usb_isp_instruct,
    .read = read,
    .write = write,
    .floor_us = floor_us,
};
