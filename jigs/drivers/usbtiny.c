/* USBtiny: Dick Streefland's programmer in its many shapes: USBtinyISP, Pocket AVR, Arduino ISP.
 * Facts this file is built on:
 *
 * - SCK is a software delay: POWERUP takes its period in microseconds, 1 to 250, to which the loop
 *   adds 1.2 to 1.5. Here 1.2 counts for what a board can take, so that it never runs faster than
 *   is said.
 * - POWERUP may also switch on the board's supply, and drives RESET. Until POWERUP and after
 *   POWERDOWN requests for the board are answered with nothing, as are unknown ones. There is no
 *   answer that tells of an error, and none that the board is busy.
 * - FLASH_READ and FLASH_WRITE have a byte address of 16 bits, of which the highest bit of the word
 *   address can never come: they reach 64 KiB. Beyond they would silently reach the beginning.
 * - FLASH_WRITE with no time to poll loads the page buffer of the board and does no more; the page
 *   is written by an instruction (4C), and whether that is done is asked with another (F0), or
 *   waited for. FF words within a page are loaded like others.
 * - POLL_BYTES gives two values to writes that poll by themselves. None is used here, so it does
 *   nothing, for two packets.
 *
 * One bit turned in the number of POWERUP or POWERDOWN makes it the instruction's (see usb_isp.h):
 * it would send the period and zeros, and no instruction has 00 for its second byte after AC.
 * Blocks carry their address in wIndex and 00 in wValue, the instruction's first two bytes.
 *
 * The bootloader of Adafruit's Trinket and Gemma boards has USBtinyISP's ids, speaks its language
 * and writes to its own flash, nothing to fuses. It is refused by its name, and because it reads
 * flash without having been told to power up a board. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "jigs/drivers/usb_isp.h"
#include "jigs/isp.h"

enum {
    ECHO = 0,
    POWERUP = 5,
    POWERDOWN = 6,
    SPI = 7,
    POLL_BYTES = 8,
    FLASH_READ = 9,
    FLASH_WRITE = 10,
    EEPROM_READ = 11
};

enum reset { RESET_LOW = 0, RESET_HIGH = 1 };

#define PERIOD_COUNT 250
#define LOOP_NS 1200
#define FLASH_BYTES_MAX 0x10000

#define VENDOR_ARDUINO 0x2341
#define PRODUCT_GEMMA 0x0C9F

#define BLOCK_SILENCE_US 1000000
#define RESET_US 50000 /* also for a supply that POWERUP switched on */
#define PULSE_US 2000
#define TRIES 2      /* at each SCK */
#define ECHO_TRIES 2 /* one garbled reply is no proof of another firmware */

struct usbtiny {
    struct usb_isp isp;
    bool looked_early;                /* at a page that was not yet written: see run_ahead() */
    int64_t offered_hz[PERIOD_COUNT]; /* of period 1 and on: fastest first */
};

/* Whole pages of flash. */
struct pages {
    uint32_t start;
    const uint8_t *bytes;
    uint32_t count;
};

static struct usbtiny *self(struct programmer *programmer)
{
    return (struct usbtiny *)programmer;
}

static const struct usb_isp_dialect dialect = {
    .name = "USBtiny",
    .let_go_name = "POWERDOWN",
    .instruct = SPI,
    .let_go = POWERDOWN,
    .read_flash = FLASH_READ,
    .read_eeprom = EEPROM_READ,
    .address_in_index = true,
    .block_silence_us = BLOCK_SILENCE_US,
};

static int64_t sck_of_period(int64_t period_us)
{
    return INT64_C(1000000000) / (period_us * 1000 + LOOP_NS);
}

/* ---- is it one? ---- */

static int fail_bootloader(const struct link_usb_identity *identity, struct failure *failure)
{
    char text[160];

    usb_isp_identity_to_text(identity, text, sizeof text);
    return failure_set(failure, FAILURE_PROGRAMMER_UNKNOWN,
                       "%s is the bootloader of a Trinket or Gemma board, and no programmer: plug "
                       "a USBtinyISP in here",
                       text);
}

static int refuse_others(const struct usbtiny *tiny, struct failure *failure)
{
    const struct link_usb_identity *identity = link_usb_identity(tiny->isp.usb);

    if ((identity->vendor == VENDOR_ARDUINO && identity->product == PRODUCT_GEMMA) ||
        strstr(identity->product_name, "Trinket") != NULL ||
        strstr(identity->product_name, "Gemma") != NULL)
        return fail_bootloader(identity, failure);
    return usb_isp_check_identity(&tiny->isp, failure);
}

/* A programmer that is powered down reads nothing. */
static int refuse_bootloader(struct usbtiny *tiny, const struct operation *operation,
                             struct failure *failure)
{
    struct usb_isp_request request = {.name = "FLASH_READ", .request = FLASH_READ, .length = 8};

    if (usb_isp_ask(&tiny->isp, &request, operation, failure) != 0)
        return -1;
    if (request.received == 0)
        return 0;
    return fail_bootloader(link_usb_identity(tiny->isp.usb), failure);
}

/* Gives back its setup packet. A firmware of its own may not know the request. */
static int check_echo(struct usbtiny *tiny, const struct operation *operation,
                      struct failure *failure)
{
    static const uint8_t expected[8] = {0xC0, ECHO, 0x55, 0xAA, 0x0F, 0xF0, 8, 0};
    struct usb_isp_request request = {
        .name = "ECHO", .request = ECHO, .value = 0xAA55, .index = 0xF00F, .length = 8};

    for (int i = 0; i < ECHO_TRIES; i++) {
        if (usb_isp_ask(&tiny->isp, &request, operation, failure) != 0)
            return -1;
        if (request.received == 0 || memcmp(request.reply, expected, sizeof expected) == 0)
            return 0;
    }
    return failure_set(failure, FAILURE_PROGRAMMER_UNKNOWN,
                       "ECHO gave back %02X %02X %02X …, not what was sent: no USBtiny",
                       request.reply[0], request.reply[1], request.reply[2]);
}

static void describe(struct usbtiny *tiny)
{
    const struct link_usb_identity *identity = link_usb_identity(tiny->isp.usb);
    struct programmer *programmer = &tiny->isp.base;

    snprintf(programmer->firmware, sizeof programmer->firmware, "USBtiny %x.%02x%s%.40s",
             (unsigned)identity->release >> 8, (unsigned)identity->release & 0xFF,
             identity->product_name[0] != '\0' ? ", " : "", identity->product_name);
}

static int claim(struct programmer *programmer, const struct programmer_settings *settings,
                 const struct operation *operation, struct failure *failure)
{
    struct usbtiny *tiny = self(programmer);

    tiny->isp.dialect = &dialect;
    for (int i = 0; i < PERIOD_COUNT; i++)
        tiny->offered_hz[i] = sck_of_period(i + 1);
    if (link_usb_open(&settings->place, operation, &tiny->isp.usb, failure) != 0 ||
        refuse_others(tiny, failure) != 0)
        return -1;
    tiny->isp.engaged = true; /* by somebody who was killed, perhaps */
    if (usb_isp_let_go(&tiny->isp, operation, failure) != 0)
        return -1;
    programmer->answered = true;
    if (check_echo(tiny, operation, failure) != 0 ||
        refuse_bootloader(tiny, operation, failure) != 0)
        return -1;
    describe(tiny);
    return 0;
}

/* ---- sessions ---- */

static int power_up(struct usbtiny *tiny, size_t sck, enum reset reset, int64_t wait_us,
                    const struct operation *operation, struct failure *failure)
{
    struct usb_isp_request request = {.name = "POWERUP",
                                      .request = POWERUP,
                                      .value = (uint16_t)(sck + 1),
                                      .index = (uint16_t)reset};

    tiny->isp.engaged = true;
    if (usb_isp_ask(&tiny->isp, &request, operation, failure) != 0)
        return -1;
    return operation_sleep_us(operation, wait_us, failure);
}

/* AC 53; the third byte that comes back must be 53, where the part gives it. */
static int enable(struct usbtiny *tiny, const struct operation *operation, struct failure *failure)
{
    const struct isp_instruction instruction = isp_programming_enable();
    struct usb_isp_queue queue;

    tiny->isp.enabled = true; /* as far as sending this goes */
    usb_isp_queue_init(&queue, &tiny->isp);
    if (usb_isp_add_instruction(&queue, &instruction, failure) != 0 ||
        usb_isp_send(&queue, operation, failure) != 0)
        return -1;
    tiny->isp.enabled = queue.replies[0][2] == 0x53 || !tiny->isp.base.part->sync_echo;
    return 0;
}

static int try_sck(struct usbtiny *tiny, size_t sck, bool pulse, const struct operation *operation,
                   struct failure *failure)
{
    tiny->isp.base.sck_hz = tiny->offered_hz[sck];
    for (int i = 0; i < TRIES && !tiny->isp.enabled; i++) {
        if ((pulse || i > 0) && power_up(tiny, sck, RESET_HIGH, PULSE_US, operation, failure) != 0)
            return -1;
        if (power_up(tiny, sck, RESET_LOW, RESET_US, operation, failure) != 0 ||
            enable(tiny, operation, failure) != 0)
            return -1;
    }
    return 0;
}

static int step_down(struct usbtiny *tiny, size_t first, const struct operation *operation,
                     struct failure *failure)
{
    size_t now = first;

    for (size_t next = first; next < PERIOD_COUNT;) {
        now = next;
        if (try_sck(tiny, now, now != first, operation, failure) != 0)
            return -1;
        if (tiny->isp.enabled)
            return 0;
        next = programmer_next_sck(tiny->offered_hz, PERIOD_COUNT, now);
    }
    return failure_set(failure, FAILURE_NO_BOARD,
                       "no answer to AC 53, at SCK from %" PRId64 " down to %" PRId64 " Hz",
                       tiny->offered_hz[first], tiny->offered_hz[now]);
}

static int attach(struct programmer *programmer, const struct operation *operation,
                  struct failure *failure)
{
    struct usbtiny *tiny = self(programmer);
    size_t first = programmer_pick_sck(programmer, tiny->offered_hz, PERIOD_COUNT);

    if (first == PERIOD_COUNT)
        return failure_set(failure, FAILURE_PROGRAMMER_REFUSED,
                           "its slowest SCK, %" PRId64 " Hz, is too fast for a board at %" PRId64
                           " Hz",
                           tiny->offered_hz[PERIOD_COUNT - 1], programmer_target_hz(programmer));
    if (usb_isp_begin_session(&tiny->isp, operation, failure) == 0 &&
        step_down(tiny, first, operation, failure) == 0)
        return 0;
    (void)usb_isp_release(programmer, operation, NULL); /* the reason stands already */
    return -1;
}

/* ---- memories ---- */

static int read(struct programmer *programmer, enum part_memory memory, uint32_t start,
                uint8_t *bytes, uint32_t count, const struct operation *operation,
                struct failure *failure)
{
    struct usb_isp_queue queue;

    if (memory != PART_FLASH && memory != PART_EEPROM)
        return isp_read(programmer, memory, start, bytes, count, operation, failure);
    if (memory == PART_FLASH && start + count > FLASH_BYTES_MAX)
        return failure_set(failure, FAILURE_INTERNAL, "a USBtiny reads %d bytes of flash",
                           FLASH_BYTES_MAX);
    if (memory == PART_FLASH && isp_select_segment(programmer, start, operation, failure) != 0)
        return -1;
    usb_isp_queue_init(&queue, &self(programmer)->isp);
    return usb_isp_read_blocks(&queue, memory, start, bytes, count, operation, failure);
}

static int add_page(struct usbtiny *tiny, struct usb_isp_queue *queue, uint32_t address,
                    const uint8_t *bytes, struct failure *failure)
{
    const struct isp_instruction commit = isp_write_flash_page(address);

    if (usb_isp_add_write(queue, "writing flash", FLASH_WRITE, 0, (uint16_t)address, bytes,
                          tiny->isp.base.part->flash.page_size, failure) != 0)
        return -1;
    return usb_isp_add_instruction(queue, &commit, failure);
}

/* Waits for each page before anything else is sent. */
static int write_singly(struct usbtiny *tiny, const struct pages *pages, uint32_t at, uint32_t end,
                        const struct operation *operation, struct failure *failure)
{
    uint32_t page_size = tiny->isp.base.part->flash.page_size;
    struct usb_isp_queue queue;

    usb_isp_queue_init(&queue, &tiny->isp);
    for (; at < end; at += page_size) {
        const uint8_t *bytes = pages->bytes + at;

        if (!isp_is_blank(bytes, page_size) &&
            (add_page(tiny, &queue, pages->start + at, bytes, failure) != 0 ||
             usb_isp_send(&queue, operation, failure) != 0 ||
             usb_isp_wait_written(&tiny->isp, PART_FLASH, pages->start + at, bytes, page_size,
                                  operation, failure) != 0))
            return -1;
        operation_progress(operation, at + page_size);
    }
    return 0;
}

/* The look comes when five packets have passed since the instruction that writes the page. */
static bool may_run_ahead(const struct usbtiny *tiny)
{
    const struct part *part = tiny->isp.base.part;

    return part->poll_ready && part->flash.write_delay_us <= 5 * USB_ISP_PACKET_US &&
           !tiny->looked_early;
}

/* The page, the instruction that writes it, nothing for two packets, and the look. What the looks
 * have found, and so how far it is, shows when a run is over: after less than a second. */
#define PAGE_TRANSFERS 4
#define RUN_PAGES 32
_Static_assert(RUN_PAGES *PAGE_TRANSFERS <= USB_ISP_QUEUE, "a run is sent in one go");

/* Pages that are sent together. */
struct run {
    struct usb_isp_queue queue;
    size_t looks[RUN_PAGES]; /* where in the queue the look stands */
    uint32_t ends[RUN_PAGES];
    size_t count;
};

static int add_to_run(struct usbtiny *tiny, struct run *run, const struct pages *pages, uint32_t at,
                      struct failure *failure)
{
    const struct isp_instruction look = isp_poll_ready();

    if (add_page(tiny, &run->queue, pages->start + at, pages->bytes + at, failure) != 0)
        return -1;
    usb_isp_add_request(&run->queue, "POLL_BYTES", POLL_BYTES, 0, 0);
    run->looks[run->count] = run->queue.used;
    run->ends[run->count++] = at + tiny->isp.base.part->flash.page_size;
    return usb_isp_add_instruction(&run->queue, &look, failure);
}

/* `*end` is what is done of the pages for sure. */
static int send_run(struct usbtiny *tiny, struct run *run, uint32_t *end,
                    const struct operation *operation, struct failure *failure)
{
    if (usb_isp_send(&run->queue, operation, failure) != 0)
        return -1;
    for (size_t i = 0; i < run->count && !tiny->looked_early; i++) {
        *end = run->ends[i];
        tiny->looked_early = (run->queue.replies[run->looks[i]][3] & 1) != 0;
    }
    run->count = 0;
    if (!tiny->looked_early)
        return 0;
    return isp_wait_ready(&tiny->isp.base, tiny->isp.base.part->flash.write_delay_us, true,
                          operation, failure);
}

/* Without waiting for the look at a page before the next one is sent: when it comes, the time that
 * the datasheet gives has passed, and what follows would be right even without it. Should one find
 * its page unfinished all the same (a part that is slower than its datasheet, or a bus that is
 * faster than low speed), the pages after it were loaded into a part that did not listen: they are
 * sent again, and from then on each is waited for. `*at` is what is done. */
static int run_ahead(struct usbtiny *tiny, const struct pages *pages, uint32_t *at,
                     const struct operation *operation, struct failure *failure)
{
    uint32_t page_size = tiny->isp.base.part->flash.page_size;
    struct run run = {.count = 0};

    usb_isp_queue_init(&run.queue, &tiny->isp);
    for (uint32_t next = *at; next < pages->count; next += page_size) {
        bool last = next + page_size >= pages->count;
        uint32_t end = 0;

        if (!isp_is_blank(pages->bytes + next, page_size) &&
            add_to_run(tiny, &run, pages, next, failure) != 0)
            return -1;
        if (!last && run.count < RUN_PAGES)
            continue;
        if (run.count > 0 && send_run(tiny, &run, &end, operation, failure) != 0)
            return -1;
        *at = tiny->looked_early ? end : next + page_size;
        operation_progress(operation, *at);
        if (tiny->looked_early)
            return 0;
    }
    return 0;
}

static int write_pages(struct usbtiny *tiny, const struct pages *pages,
                       const struct operation *operation, struct failure *failure)
{
    uint32_t at = 0;

    if (isp_select_segment(&tiny->isp.base, pages->start, operation, failure) != 0)
        return -1;
    if (may_run_ahead(tiny) && run_ahead(tiny, pages, &at, operation, failure) != 0)
        return -1;
    return write_singly(tiny, pages, at, pages->count, operation, failure);
}

/* Parts without pages: the default waits for each byte as its part file says. */
static int write(struct programmer *programmer, enum part_memory memory, uint32_t start,
                 const uint8_t *bytes, uint32_t count, struct fuse_permit *permit,
                 const struct operation *operation, struct failure *failure)
{
    struct usbtiny *tiny = self(programmer);

    if (memory == PART_EEPROM)
        return usb_isp_write_eeprom(&tiny->isp, start, bytes, count, operation, failure);
    if (memory == PART_FLASH && programmer->part->flash.page_write)
        return write_pages(tiny, &(struct pages){start, bytes, count}, operation, failure);
    return isp_write(programmer, memory, start, bytes, count, permit, operation, failure);
}

/* ---- the shortest time ---- */

static int64_t used_sck_hz(const struct programmer_speed *speed)
{
    int64_t period_us = 1;

    while (speed->sck_hz > 0 && period_us < PERIOD_COUNT &&
           sck_of_period(period_us) > speed->sck_hz)
        period_us++;
    return sck_of_period(period_us);
}

/* The page's data with their setup and status packets; the instruction that writes it, whose own
 * packets pass meanwhile; the look that finds it written. */
static int64_t page_floor_us(const struct part *part, int64_t sck_hz, char *text, size_t text_bytes)
{
    int64_t packets = part->flash.page_size / USB_ISP_PACKET_BYTES;
    int64_t packet_us = usb_isp_packet_us(sck_hz);
    int64_t load_us = 2 * USB_ISP_PACKET_US + packets * packet_us;
    int64_t commit_us = part->flash.write_delay_us;
    int64_t look_us = 3 * USB_ISP_PACKET_US;

    if (commit_us < look_us)
        commit_us = look_us;
    if (text != NULL)
        snprintf(text, text_bytes,
                 "SCK: %" PRId64 " Hz, a packet of data takes %" PRId64 " us\n"
                 "page: setup and status 2 x %d us, %" PRId64 " packets of data x %" PRId64
                 " us = %" PRId64 " us\n"
                 "page write: %" PRId64 " us from the instruction on, %" PRId64
                 " us (setup, data, status) for the look that finds it done\n",
                 sck_hz, packet_us, USB_ISP_PACKET_US, packets, packet_us, load_us, commit_us,
                 look_us);
    return load_us + commit_us + look_us;
}

/* One packet in each frame of 1 ms. The erase is not counted: a floor. */
static int64_t floor_us(const struct part *part, const struct programmer_speed *speed,
                        uint32_t flash_bytes, uint32_t verify_bytes, char *text, size_t text_bytes)
{
    int64_t sck_hz = used_sck_hz(speed);
    int64_t page_us = part->flash.page_write ? page_floor_us(part, sck_hz, text, text_bytes)
                                             : usb_isp_byte_floor_us(part, text, text_bytes);

    return usb_isp_floor_us(part, sck_hz, page_us, flash_bytes, verify_bytes, text, text_bytes);
}

static const struct programmer_usb_id usb_ids[] = {
    {0x1781, 0x0C9F, NULL},         /* USBtinyISP and its clones, Pocket AVR */
    {VENDOR_ARDUINO, 0x0049, NULL}, /* Arduino ISP */
    {0x2A03, 0x0049, NULL},         /* the same from arduino.org */
    {0x16D0, 0x0BA5, NULL},         /* eHaJo */
    {0x1209, 0x6570, NULL},         /* iseavrprog */
};

const struct programmer_driver usbtiny_driver = {
    .name = "usbtiny",
    .title = "USBtinyISP and others with USBtiny firmware",
    .instance_bytes = sizeof(struct usbtiny),
    .link = PROGRAMMER_USB,
    .usb_ids = usb_ids,
    .usb_id_count = sizeof usb_ids / sizeof usb_ids[0],
    .flash_bytes_max = FLASH_BYTES_MAX,
    .sck_slowest_hz = 3980, /* period 250 and 1 */
    .sck_fastest_hz = 454545,
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
