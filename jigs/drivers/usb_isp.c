#include "jigs/drivers/usb_isp.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TO_HOST 0xC0 /* vendor request to the device (USB 2.0, 9.3) */
#define TO_DEVICE 0x40

#define INSTRUCTION_BYTES 4
/* The programmer needs milliseconds; the rest is for a computer that is busy with many. */
#define REQUEST_SILENCE_US 1000000
#define LET_GO_TRIES 2
#define LET_GO_TIME_US 2000000
/* RESET high for so long between two sessions: "at least two CPU clock cycles", and the supply's
 * capacitor on the board's RESET pin is charged by then. */
#define PULSE_US 2000

#define READ_TIME_US 1000000 /* at slow SCKs no transfer reads for longer */
#define LOOK_PACKETS 3       /* setup, data, status */

/* ---- single transfers ---- */

/* Of a transfer that moves `bytes` over SPI. SCK may be slower than it seems, by a jumper. */
static int64_t silence_us(const struct usb_isp *isp, int64_t base_us, uint32_t bytes)
{
    return base_us + 2 * usb_isp_spi_us(isp->base.sck_hz, bytes);
}

static struct link_usb_transfer make_transfer(uint8_t type, uint8_t request, uint16_t value,
                                              uint16_t index, uint8_t *data, uint16_t length)
{
    return (struct link_usb_transfer){.request_type = type,
                                      .request = request,
                                      .value = value,
                                      .index = index,
                                      .data = data,
                                      .length = length};
}

static int fail_length(struct usb_isp *isp, const char *name, int received, int expected,
                       struct failure *failure)
{
    isp->broken = true;
    return failure_set(failure, FAILURE_PROGRAMMER_OUT_OF_STEP,
                       "%s: %s moved %d bytes, expected %d", isp->dialect->name, name, received,
                       expected);
}

/* The link's words, and which request it was. */
static int fail_transfer(struct usb_isp *isp, const char *name, const struct failure *cause,
                         struct failure *failure)
{
    isp->broken = true;
    if (cause->code == FAILURE_PROGRAMMER_GONE)
        isp->engaged = false; /* without power its lines let go */
    return failure_set(failure, cause->code, "%s: %s", name, cause->detail);
}

int usb_isp_ask(struct usb_isp *isp, struct usb_isp_request *request,
                const struct operation *operation, struct failure *failure)
{
    struct failure cause = {0};
    struct link_usb_transfer transfer =
        make_transfer(TO_HOST, request->request, request->value, request->index, request->reply,
                      request->length != 0 ? request->length : isp->dialect->dataless_bytes);

    transfer.silence_us = request->silence_us != 0
                              ? request->silence_us
                              : silence_us(isp, REQUEST_SILENCE_US, INSTRUCTION_BYTES);
    if (link_usb_control(isp->usb, &transfer, 1, operation, NULL, &cause) != 0)
        return fail_transfer(isp, request->name, &cause, failure);
    request->received = transfer.received;
    return 0;
}

int usb_isp_check_reply(struct usb_isp *isp, const struct usb_isp_request *request,
                        uint16_t expected, struct failure *failure)
{
    if (request->received == expected)
        return 0;
    return fail_length(isp, request->name, request->received, expected, failure);
}

/* ---- sessions ---- */

int usb_isp_let_go(struct usb_isp *isp, const struct operation *operation, struct failure *failure)
{
    struct usb_isp_request request = {.name = isp->dialect->let_go_name,
                                      .request = isp->dialect->let_go};
    struct operation steady = *operation;
    int result = isp->engaged ? -1 : 0;

    /* What ended the session, be it the operation's time, does not keep the board in reset. */
    steady.cancel = NULL;
    if (steady.deadline_us < operation_now_us() + LET_GO_TIME_US)
        steady.deadline_us = operation_now_us() + LET_GO_TIME_US;
    isp->enabled = false;
    for (int i = 0; i < LET_GO_TRIES && isp->engaged && result != 0; i++) {
        result = usb_isp_ask(isp, &request, &steady, failure);
        if (result != 0)
            continue;
        isp->engaged = false;
        isp->let_go_us = operation_now_us();
    }
    return result;
}

int usb_isp_begin_session(struct usb_isp *isp, const struct operation *operation,
                          struct failure *failure)
{
    if (usb_isp_let_go(isp, operation, failure) != 0)
        return -1;
    isp->broken = false;
    return operation_sleep_us(operation, isp->let_go_us + PULSE_US - operation_now_us(), failure);
}

int usb_isp_release(struct programmer *programmer, const struct operation *operation,
                    struct failure *failure)
{
    return usb_isp_let_go((struct usb_isp *)programmer, operation, failure);
}

void usb_isp_unclaim(struct programmer *programmer)
{
    struct usb_isp *isp = (struct usb_isp *)programmer;
    struct operation operation = {.deadline_us = operation_now_us() + LET_GO_TIME_US};

    if (isp->usb != NULL)
        (void)usb_isp_let_go(isp, &operation, NULL);
    link_usb_close(isp->usb);
    isp->usb = NULL;
}

/* ---- who is it? ---- */

void usb_isp_identity_to_text(const struct link_usb_identity *identity, char *text,
                              size_t text_bytes)
{
    snprintf(text, text_bytes, "%04X:%04X '%s' by '%s'", identity->vendor, identity->product,
             identity->product_name, identity->manufacturer);
}

static bool is_one_of(const struct programmer_usb_id *id, const struct link_usb_identity *identity)
{
    return id->vendor == identity->vendor && id->product == identity->product &&
           (id->product_name == NULL || strcmp(id->product_name, identity->product_name) == 0);
}

int usb_isp_check_identity(const struct usb_isp *isp, struct failure *failure)
{
    const struct programmer_driver *driver = isp->base.driver;
    const struct link_usb_identity *identity = link_usb_identity(isp->usb);
    char text[160];

    for (size_t i = 0; i < driver->usb_id_count; i++)
        if (is_one_of(&driver->usb_ids[i], identity))
            return 0;
    usb_isp_identity_to_text(identity, text, sizeof text);
    return failure_set(failure, FAILURE_PROGRAMMER_UNKNOWN,
                       "%s is no %s: plug one in here, or correct the jig file", text,
                       isp->dialect->name);
}

/* ---- instructions ---- */

/* What was sent stands in the transfer's setup packet. */
static int check_heard(const struct usb_isp *isp, const struct link_usb_transfer *transfer,
                       struct failure *failure)
{
    const uint8_t sent[INSTRUCTION_BYTES] = {
        (uint8_t)transfer->value, (uint8_t)(transfer->value >> 8), (uint8_t)transfer->index,
        (uint8_t)(transfer->index >> 8)};

    return isp_check_heard(isp->base.part, sent, transfer->data, failure);
}

/* The one place where four-byte instructions are made into transfers. */
static int emit(struct usb_isp *isp, const struct isp_instruction *instruction, uint8_t reply[4],
                struct link_usb_transfer *transfer, struct failure *failure)
{
    uint8_t bytes[4];

    if (!isp->enabled)
        return failure_set(failure, FAILURE_INTERNAL, "an instruction before the board answered");
    if (isp_door_open(isp->base.part, instruction, isp->base.session, bytes, failure) != 0)
        return -1;
    if (bytes[0] == 0x4D && isp->dialect->loads_extended_address)
        return failure_set(failure, FAILURE_INTERNAL, "%s loads the extended address by itself",
                           isp->dialect->name);
    *transfer = make_transfer(TO_HOST, isp->dialect->instruct, (uint16_t)(bytes[1] << 8 | bytes[0]),
                              (uint16_t)(bytes[3] << 8 | bytes[2]), reply, INSTRUCTION_BYTES);
    transfer->silence_us = silence_us(isp, REQUEST_SILENCE_US, INSTRUCTION_BYTES);
    return 0;
}

static int check_sound(const struct usb_isp *isp, struct failure *failure)
{
    if (!isp->broken)
        return 0;
    return failure_set(failure, FAILURE_PROGRAMMER_OUT_OF_STEP,
                       "%s: after a failure only a new session goes on", isp->dialect->name);
}

int usb_isp_instruct(struct programmer *programmer, const struct isp_instruction *instruction,
                     uint8_t *reply, const struct operation *operation, struct failure *failure)
{
    struct usb_isp *isp = (struct usb_isp *)programmer;
    struct operation whole = *operation;
    struct link_usb_transfer transfer;
    struct failure cause = {0};
    uint8_t bytes[INSTRUCTION_BYTES] = {0};

    *reply = 0;
    whole.cancel = NULL; /* what was begun on the board's four bytes is finished */
    if (check_sound(isp, failure) != 0 || operation_check(operation, failure) != 0 ||
        emit(isp, instruction, bytes, &transfer, failure) != 0)
        return -1;
    if (link_usb_control(isp->usb, &transfer, 1, &whole, NULL, &cause) != 0)
        return fail_transfer(isp, "instruction", &cause, failure);
    if (transfer.received != INSTRUCTION_BYTES)
        return fail_length(isp, "instruction", transfer.received, INSTRUCTION_BYTES, failure);
    *reply = bytes[3];
    return isp_changes_board(instruction->bytes) ? check_heard(isp, &transfer, failure) : 0;
}

/* ---- queues ---- */

void usb_isp_queue_init(struct usb_isp_queue *queue, struct usb_isp *isp)
{
    queue->isp = isp;
    queue->used = 0;
}

bool usb_isp_is_full(const struct usb_isp_queue *queue, size_t count)
{
    return queue->used + count > USB_ISP_QUEUE;
}

int usb_isp_make_room(struct usb_isp_queue *queue, size_t count, const struct operation *operation,
                      struct failure *failure)
{
    if (queue->used + count <= USB_ISP_QUEUE)
        return 0;
    return usb_isp_send(queue, operation, failure);
}

static void add(struct usb_isp_queue *queue, const char *name, struct link_usb_transfer transfer,
                int expected)
{
    queue->transfers[queue->used] = transfer;
    queue->transfers[queue->used].whole = expected >= 0;
    queue->expected[queue->used] = (struct usb_isp_expected){.name = name, .bytes = expected};
    queue->used++;
}

void usb_isp_add_progress(struct usb_isp_queue *queue, uint32_t done_bytes)
{
    queue->transfers[queue->used - 1].progress = done_bytes;
}

void usb_isp_add_request(struct usb_isp_queue *queue, const char *name, uint8_t request,
                         uint16_t value, uint16_t index)
{
    struct link_usb_transfer transfer =
        make_transfer(TO_HOST, request, value, index, queue->replies[queue->used],
                      queue->isp->dialect->dataless_bytes);

    transfer.silence_us = silence_us(queue->isp, REQUEST_SILENCE_US, INSTRUCTION_BYTES);
    add(queue, name, transfer, -1);
}

void usb_isp_add_read(struct usb_isp_queue *queue, const char *name, uint8_t request,
                      uint16_t value, uint16_t index, uint8_t *bytes, uint16_t count)
{
    struct link_usb_transfer transfer = make_transfer(TO_HOST, request, value, index, bytes, count);

    transfer.silence_us = silence_us(queue->isp, queue->isp->dialect->block_silence_us, count);
    add(queue, name, transfer, count);
}

int usb_isp_add_write(struct usb_isp_queue *queue, const char *name, uint8_t request,
                      uint16_t value, uint16_t index, const uint8_t *bytes, uint32_t count,
                      struct failure *failure)
{
    struct link_usb_transfer transfer =
        make_transfer(TO_DEVICE, request, value, index, queue->pages[queue->used], (uint16_t)count);

    if (count > USB_ISP_PAGE_BYTES)
        return failure_set(failure, FAILURE_INTERNAL, "a page of %" PRIu32 " bytes, expected %d",
                           count, USB_ISP_PAGE_BYTES);
    memcpy(transfer.data, bytes, count);
    transfer.silence_us = silence_us(queue->isp, queue->isp->dialect->block_silence_us, count);
    add(queue, name, transfer, (int)count);
    return 0;
}

int usb_isp_add_instruction(struct usb_isp_queue *queue, const struct isp_instruction *instruction,
                            struct failure *failure)
{
    struct link_usb_transfer transfer;

    if (emit(queue->isp, instruction, queue->replies[queue->used], &transfer, failure) != 0)
        return -1;
    add(queue, "instruction", transfer, INSTRUCTION_BYTES);
    queue->expected[queue->used - 1].changes_board = isp_changes_board(instruction->bytes);
    return 0;
}

static int check_replies(struct usb_isp_queue *queue, size_t count, struct failure *failure)
{
    for (size_t i = 0; i < count; i++) {
        const struct usb_isp_expected *expected = &queue->expected[i];
        const struct link_usb_transfer *transfer = &queue->transfers[i];

        if (expected->bytes >= 0 && transfer->received != expected->bytes)
            return fail_length(queue->isp, expected->name, transfer->received, expected->bytes,
                               failure);
        if (expected->changes_board && check_heard(queue->isp, transfer, failure) != 0)
            return -1;
    }
    return 0;
}

int usb_isp_send(struct usb_isp_queue *queue, const struct operation *operation,
                 struct failure *failure)
{
    struct failure cause = {0};
    size_t count = queue->used, done = 0;

    queue->used = 0;
    if (check_sound(queue->isp, failure) != 0)
        return -1;
    if (link_usb_control(queue->isp->usb, queue->transfers, count, operation, &done, &cause) == 0)
        return check_replies(queue, count, failure);
    /* A reply that is wrong may be why the next request failed, and says more. */
    if (check_replies(queue, done, failure) != 0) {
        queue->isp->broken = true;
        return -1;
    }
    return fail_transfer(queue->isp, queue->expected[done].name, &cause, failure);
}

/* ---- reading ---- */

int usb_isp_identify(struct programmer *programmer, uint8_t signature[3],
                     const struct operation *operation, struct failure *failure)
{
    struct usb_isp_queue queue;

    usb_isp_queue_init(&queue, (struct usb_isp *)programmer);
    for (uint8_t i = 0; i < 3; i++) {
        const struct isp_instruction instruction = isp_read_signature(i);

        if (usb_isp_add_instruction(&queue, &instruction, failure) != 0)
            return -1;
    }
    if (usb_isp_send(&queue, operation, failure) != 0)
        return -1;
    for (size_t i = 0; i < 3; i++)
        signature[i] = queue.replies[i][3];
    return 0;
}

static uint16_t chunk_bytes(const struct usb_isp *isp, uint32_t left)
{
    int64_t bytes = isp->base.sck_hz * READ_TIME_US / 1000000 / 32;

    bytes -= bytes % USB_ISP_PACKET_BYTES;
    if (bytes < USB_ISP_PACKET_BYTES)
        bytes = USB_ISP_PACKET_BYTES;
    if (bytes > USB_ISP_READ_BYTES)
        bytes = USB_ISP_READ_BYTES;
    return (uint16_t)(bytes < left ? bytes : left);
}

int usb_isp_read_blocks(struct usb_isp_queue *queue, enum part_memory memory, uint32_t start,
                        uint8_t *bytes, uint32_t count, const struct operation *operation,
                        struct failure *failure)
{
    const struct usb_isp_dialect *dialect = queue->isp->dialect;
    bool flash = memory == PART_FLASH;

    for (uint32_t at = 0; at < count;) {
        uint16_t length = chunk_bytes(queue->isp, count - at);
        uint16_t address = (uint16_t)(start + at);

        usb_isp_add_read(queue, flash ? "reading flash" : "reading EEPROM",
                         flash ? dialect->read_flash : dialect->read_eeprom,
                         dialect->address_in_index ? 0 : address,
                         dialect->address_in_index ? address : 0, bytes + at, length);
        at += length;
        usb_isp_add_progress(queue, at);
        if ((usb_isp_is_full(queue, 1) || at == count) &&
            usb_isp_send(queue, operation, failure) != 0)
            return -1;
    }
    return 0;
}

/* ---- writing by single instructions ---- */

int usb_isp_wait_written(struct usb_isp *isp, enum part_memory memory, uint32_t start,
                         const uint8_t *bytes, uint32_t count, const struct operation *operation,
                         struct failure *failure)
{
    const struct part *part = isp->base.part;
    int64_t write_us =
        memory == PART_FLASH ? part->flash.write_delay_us : part->eeprom.write_delay_us;
    /* The instruction reached the part with the first of its packets at the earliest. */
    int64_t left_us = write_us - LOOK_PACKETS * USB_ISP_PACKET_US;
    uint32_t at;

    if ((part->poll_ready || isp_can_poll_value(part, memory, bytes, count, &at)) && left_us > 0 &&
        operation_sleep_us(operation, left_us, failure) != 0)
        return -1;
    return isp_wait_written(&isp->base, memory, start, bytes, count, operation, failure);
}

static int write_eeprom_page(struct usb_isp *isp, uint32_t address, const uint8_t *bytes,
                             uint32_t count, const struct operation *operation,
                             struct failure *failure)
{
    uint32_t offset = address % isp->base.part->eeprom.page_size;
    const struct isp_instruction commit = isp_write_eeprom_page(address - offset);
    struct usb_isp_queue queue;

    usb_isp_queue_init(&queue, isp);
    for (uint32_t i = 0; i < count; i++) {
        const struct isp_instruction load = isp_load_eeprom(offset + i, bytes[i]);

        if (usb_isp_make_room(&queue, 1, operation, failure) != 0 ||
            usb_isp_add_instruction(&queue, &load, failure) != 0)
            return -1;
    }
    if (usb_isp_make_room(&queue, 1, operation, failure) != 0 ||
        usb_isp_add_instruction(&queue, &commit, failure) != 0 ||
        usb_isp_send(&queue, operation, failure) != 0)
        return -1;
    return usb_isp_wait_written(isp, PART_EEPROM, address, bytes, count, operation, failure);
}

static int write_eeprom_byte(struct usb_isp *isp, uint32_t address, const uint8_t *byte,
                             const struct operation *operation, struct failure *failure)
{
    const struct isp_instruction write = isp_write_eeprom(address, *byte);
    uint8_t reply;

    if (usb_isp_instruct(&isp->base, &write, &reply, operation, failure) != 0)
        return -1;
    return usb_isp_wait_written(isp, PART_EEPROM, address, byte, 1, operation, failure);
}

static int write_eeprom_piece(struct programmer *programmer, uint32_t address, const uint8_t *bytes,
                              uint32_t count, const struct operation *operation,
                              struct failure *failure)
{
    struct usb_isp *isp = (struct usb_isp *)programmer;

    if (!programmer->part->eeprom.page_write)
        return write_eeprom_byte(isp, address, bytes, operation, failure);
    return write_eeprom_page(isp, address, bytes, count, operation, failure);
}

int usb_isp_write_eeprom(struct usb_isp *isp, uint32_t start, const uint8_t *bytes, uint32_t count,
                         const struct operation *operation, struct failure *failure)
{
    return isp_write_eeprom_pieces(&isp->base, start, bytes, count, write_eeprom_piece, operation,
                                   failure);
}

/* ---- the shortest time ---- */

int64_t usb_isp_spi_us(int64_t sck_hz, int64_t bytes)
{
    return sck_hz > 0 ? bytes * 32 * 1000000 / sck_hz : 0;
}

int64_t usb_isp_packet_us(int64_t sck_hz)
{
    int64_t spi_us = usb_isp_spi_us(sck_hz, USB_ISP_PACKET_BYTES);

    return spi_us > USB_ISP_PACKET_US ? spi_us : USB_ISP_PACKET_US;
}

int64_t usb_isp_byte_floor_us(const struct part *part, char *text, size_t text_bytes)
{
    int64_t packets_us = LOOK_PACKETS * USB_ISP_PACKET_US;
    int64_t write_us = part->flash.write_delay_us;
    int64_t all_us = (write_us > packets_us ? write_us : packets_us) + packets_us;

    if (text != NULL)
        snprintf(text, text_bytes,
                 "byte: the longer of 3 packets x %d us and %" PRId64
                 " us of writing, 3 packets to look = %" PRId64 " us\n",
                 USB_ISP_PACKET_US, write_us, all_us);
    return all_us;
}

int64_t usb_isp_floor_us(const struct part *part, int64_t sck_hz, int64_t page_us,
                         uint32_t flash_bytes, uint32_t verify_bytes, char *text, size_t text_bytes)
{
    int64_t pages = flash_bytes / part->flash.page_size;
    int64_t blocks = (verify_bytes + USB_ISP_READ_BYTES - 1) / USB_ISP_READ_BYTES;
    int64_t packets = (verify_bytes + USB_ISP_PACKET_BYTES - 1) / USB_ISP_PACKET_BYTES;
    int64_t packet_us = usb_isp_packet_us(sck_hz);
    int64_t read_us = blocks * 2 * USB_ISP_PACKET_US + packets * packet_us;
    size_t used = text != NULL ? strlen(text) : 0;

    if (text != NULL)
        snprintf(text + used, text_bytes - used,
                 "write: %" PRId64 " pages x %" PRId64 " us = %" PRId64 " us\n"
                 "verify: %" PRId64 " blocks x 2 packets (setup, status) x %d us + %" PRId64
                 " packets of data x %" PRId64 " us = %" PRId64 " us\n",
                 pages, page_us, pages * page_us, blocks, USB_ISP_PACKET_US, packets, packet_us,
                 read_us);
    return pages * page_us + read_us;
}
