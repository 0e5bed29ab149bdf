#include "jigs/simbench/stk500v2_serial.h"

#include <stdlib.h>
#include <string.h>

#include "jigs/simbench/mega_bootloader.h"
#include "jigs/simbench/scratchmonkey.h"
#include "jigs/simbench/stk500v2_firmware.h"

#define BAUD 115200
#define MESSAGE_START 0x1B
#define TOKEN 0x0E
#define BAD_CHECKSUM_ANSWER 0xB0

struct programmer {
    const struct wire_firmware_run *run;
    struct stk500v2_lines lines;
    struct stk500v2_kept kept;
    struct stk500v2_firmware firmware;
    uint8_t sequence;
    int64_t patience_us; /* a bootloader's, for the next byte; 0: as long as it takes */
    bool left;           /* the bootloader hands over */
};

/* What a model's row leads to. */
struct variant {
    const struct stk500v2_kind *kind;
    bool keeps;             /* parameters, without power */
    uint8_t checksum_error; /* status beside the answer to a bad checksum */
    bool has_bootloader;    /* a Mega's, which runs first after a reset */
    int64_t start_us;       /* from its reset until it listens */
};

/* --- lines --- */

static int64_t now_us(void *context)
{
    const struct programmer *programmer = context;
    return wire_now_us(programmer->run->wire);
}

static void spend_ns(void *context, int64_t duration_ns)
{
    const struct programmer *programmer = context;
    wire_spend_ns(programmer->run->wire, duration_ns);
}

static void drive_reset(void *context, bool low)
{
    const struct programmer *programmer = context;
    const struct isp_port *port = programmer->run->port;
    port->drive_reset(port->context, low);
}

static void let_go(void *context)
{
    const struct programmer *programmer = context;
    const struct isp_port *port = programmer->run->port;
    port->drive_reset(port->context, false);
    if (port->let_go != NULL) {
        port->let_go(port->context);
    }
}

static bool transfer(void *context, const uint8_t mosi[4], uint8_t miso[4], int64_t sck_hz)
{
    const struct programmer *programmer = context;
    struct wire *wire = programmer->run->wire;
    return wire_event(wire) == WIRE_EVENT_NONE &&
           wire_firmware_transfer(wire, programmer->run->port, sck_hz, mosi, miso);
}

/* --- frames --- */

/* -1 at an event, and when the bootloader's patience is at its end. */
static int get(struct programmer *programmer, uint8_t *checksum)
{
    struct wire *wire = programmer->run->wire;
    bool waits = programmer->patience_us == 0;
    int byte =
        programmer->left
            ? -1
            : wire_get(wire, waits ? WIRE_FOREVER : wire_now_us(wire) + programmer->patience_us);
    programmer->left |= byte < 0;
    programmer->patience_us = waits ? 0 : MEGA_BOOTLOADER_NEXT_US;
    *checksum ^= byte < 0 ? 0 : (uint8_t)byte;
    return byte;
}

/* The length of the body that follows; 0: this is no message, and nobody is told. */
static size_t read_head(struct programmer *programmer, uint8_t *checksum)
{
    *checksum = 0;
    if (get(programmer, checksum) != MESSAGE_START) {
        return 0;
    }
    int sequence = get(programmer, checksum);
    int high = get(programmer, checksum);
    int low = get(programmer, checksum);
    int token = get(programmer, checksum);
    size_t length = (size_t)(uint8_t)high << 8 | (uint8_t)low;
    if (token != TOKEN || length > STK500V2_BODY_MAX) {
        return 0;
    }
    programmer->sequence = (uint8_t)sequence;
    return length;
}

static void send(struct programmer *programmer, const uint8_t *body, size_t count)
{
    const uint8_t head[] = {MESSAGE_START, programmer->sequence, (uint8_t)(count >> 8),
                            (uint8_t)count, TOKEN};
    uint8_t checksum = 0;
    for (size_t i = 0; i < sizeof head + count; i++) {
        uint8_t byte = i < sizeof head ? head[i] : body[i - sizeof head];
        checksum ^= byte;
        wire_put(programmer->run->wire, byte);
    }
    wire_put(programmer->run->wire, checksum);
}

/* No timeout between the bytes of a message: AVR068 names none, and ScratchMonkey has none. */
static void serve_message(struct programmer *programmer)
{
    const struct variant *variant = programmer->run->firmware->variant;
    struct stk500v2_firmware *firmware = &programmer->firmware;
    uint8_t checksum;
    size_t length = read_head(programmer, &checksum);
    if (length == 0) {
        return;
    }
    for (size_t i = 0; i < length; i++) {
        firmware->body[i] = (uint8_t)get(programmer, &checksum);
    }
    get(programmer, &checksum);
    if (programmer->left) {
        return;
    }
    if (checksum != 0) {
        const uint8_t answer[] = {BAD_CHECKSUM_ANSWER, variant->checksum_error};
        send(programmer, answer, sizeof answer);
        return;
    }
    stk500v2_execute(firmware);
    if (firmware->hung) {
        wire_hang(programmer->run->wire);
    }
    send(programmer, firmware->reply, firmware->reply_count);
}

/* --- power and reset --- */

/* Pages go into the board that it runs on. */
static void run_bootloader(struct programmer *programmer)
{
    const struct isp_port *port = programmer->run->port;
    struct stk500v2_firmware *firmware = &programmer->firmware;
    stk500v2_start(firmware, &mega_bootloader_kind, &programmer->lines, NULL);
    programmer->patience_us = MEGA_BOOTLOADER_FIRST_US;
    while (!programmer->left) {
        firmware->body[0] = 0;
        serve_message(programmer);
        programmer->left |= firmware->body[0] == STK500V2_LEAVE;
        if (firmware->body[0] == STK500V2_PROGRAM_FLASH && !programmer->left) {
            port->bootloader_page(port->context);
        }
    }
    programmer->patience_us = 0;
    programmer->left = false;
}

static int run(const struct wire_firmware_run *run)
{
    const struct variant *variant = run->firmware->variant;
    struct programmer *programmer = calloc(1, sizeof *programmer);
    if (programmer == NULL) {
        return -1;
    }
    programmer->run = run;
    programmer->lines = (struct stk500v2_lines){.now_us = now_us,
                                                .spend_ns = spend_ns,
                                                .drive_reset = drive_reset,
                                                .let_go = let_go,
                                                .transfer = transfer,
                                                .context = programmer};
    bool was_reset = false; /* it has been running since long before the host came */
    while (wire_event(run->wire) != WIRE_EVENT_STOP) {
        programmer->left = false;
        if (was_reset && run->real_pace && variant->has_bootloader) {
            run_bootloader(programmer);
        }
        stk500v2_start(&programmer->firmware, variant->kind, &programmer->lines,
                       variant->keeps ? &programmer->kept : NULL);
        if (was_reset && run->real_pace) {
            wire_spend(run->wire, variant->start_us);
        }
        while (wire_event(run->wire) == WIRE_EVENT_NONE) {
            serve_message(programmer);
        }
        let_go(programmer);
        wire_restart(run->wire);
        was_reset = true;
    }
    free(programmer);
    return 0;
}

/* --- the programmers --- */

/* Parameters of an STK500 (AVR068). Its SCK is slow enough for a new part when it is delivered. */
static const struct stk500v2_parameter stk500_parameters[] = {
    {0x80, 1, false},                                /* build */
    {0x81, 0, false},  {0x90, 2, false},             /* hardware */
    {0x91, 2, false},                                /* firmware 2.10 */
    {0x92, 10, false}, {STK500V2_VTARGET, 50, true}, /* its own supply feeds the target */
    {0x95, 50, true},  {0x96, 2, true},
    {0x97, 0, true},   {STK500V2_SCK_DURATION, 2, true},
    {0x9A, 0, false},  {STK500V2_RESET_POLARITY, 1, true},
    {0x9F, 0, true}, /* 0 after each power up; the host's to remember */
};

#define STK500_KIND                                                                                \
    .name = "STK500_2", .parameters = stk500_parameters,                                           \
    .parameter_count = sizeof stk500_parameters / sizeof *stk500_parameters,                       \
    .sck_hz = stk500v2_sck_of_stk500, .budget_us = 1000000 /* assumed */, .budget_per_wait = true, \
    .enter_by_command = true, .says_ok_twice = true, .ignores_protection = true,                   \
    .enter = stk500v2_enter, .program = stk500v2_program, .wait_ready = stk500v2_wait_ready

/* Times of its own are assumed: some hundred instructions for a command, a dozen for a byte. */
static const struct stk500v2_kind stk500_kind = {STK500_KIND, .command_ns = 100000,
                                                 .byte_ns = 2000};
static const struct stk500v2_kind mega_kind = {STK500_KIND, .command_ns = 50000, .byte_ns = 1000};

static const struct variant stk500 = {
    .kind = &stk500_kind, .keeps = true, .checksum_error = STK500V2_BAD_CHECKSUM};
static const struct variant mega = {
    .kind = &mega_kind, .checksum_error = STK500V2_BAD_CHECKSUM, .has_bootloader = true};
/* An Uno's bootloader waits a second for its own kind first; it does not know this one. */
static const struct variant scratchmonkey = {
    .kind = &scratchmonkey_kind, .checksum_error = BAD_CHECKSUM_ANSWER, .start_us = 1000000};

/* boards.txt of the Arduino core: the chip between USB and UART. */
static const struct usb_identity mega_usb = {
    0x2341, 0x0042, 0x0001, "Arduino (www.arduino.cc)", "Arduino Mega 2560", NULL, 0x02, 0};
static const struct usb_identity uno_usb = {
    0x2341, 0x0043, 0x0001, "Arduino (www.arduino.cc)", "Arduino Uno", NULL, 0x02, 0};

const struct wire_firmware stk500v2_serial_models[] = {
    /* What comes while it works on a command finds room in the UART only. */
    {.name = "stk500-v2",
     .baud = BAUD,
     .line = {.uart = true, .receive_bytes = 2},
     .run = run,
     .lets_go = true,
     .variant = &stk500},
    {.name = "mega2560-isp",
     .baud = BAUD,
     .line = {.uart = true, .opening_resets = true, .receive_bytes = 63},
     .usb = &mega_usb,
     .run = run,
     .lets_go = true,
     .variant = &mega},
    {.name = "scratchmonkey",
     .baud = BAUD,
     .usb = &uno_usb,
     .line = {.uart = true, .opening_resets = true, .receive_bytes = 63},
     .run = run,
     .lets_go = true,
     .variant = &scratchmonkey},
};
const size_t stk500v2_serial_model_count =
    sizeof stk500v2_serial_models / sizeof *stk500v2_serial_models;
