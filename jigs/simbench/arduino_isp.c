#include "jigs/simbench/arduino_isp.h"

#include <stdlib.h>
#include <string.h>

#include "jigs/simbench/optiboot.h"

/* Four bytes of eight bits at 125 kHz. */
#define FRAME_US (4 * 8 * 1000000 / ARDUINO_ISP_SCK_HZ)
#define COMMIT_US 30000      /* after each page write */
#define EEPROM_BYTE_US 45000 /* after each EEPROM byte */
#define EEPROM_CHUNK 32
#define ENTER_HIGH_US 20000  /* RESET high before… */
#define ENTER_LOW_US 50000   /* …and low before the first instruction */
#define LED_BLINKS_US 540000 /* three LEDs, three pulses each, 60 ms a pulse */

#define BUFFER_BYTES 256
/* What lies behind the buffer in RAM; beyond it comes the stack, and writing there is the end. */
#define BEHIND_BYTES 32
#define RAM_BYTES (BUFFER_BYTES + BEHIND_BYTES)

enum reply {
    REPLY_OK = 0x10,
    REPLY_FAILED = 0x11,
    REPLY_UNKNOWN = 0x12,
    REPLY_IN_SYNC = 0x14,
    REPLY_NO_SYNC = 0x15,
    END = 0x20
};

/* Where the parameters lie behind the buffer, as a C compiler for AVR lays out the sketch's struct:
 * bytes one after the other, words with the low byte first. */
enum parameter {
    PARAMETER_DEVICE_CODE = BUFFER_BYTES,
    PARAMETER_PAGE_SIZE = BUFFER_BYTES + 11,
    PARAMETER_EEPROM_SIZE = BUFFER_BYTES + 13
};

struct sketch {
    struct wire *wire;
    const struct isp_port *port;
    bool programming; /* between enter and leave; only then SPI is on */
    bool reset_active_high;
    uint16_t here; /* word address */
    uint8_t ram[RAM_BYTES];
};

/* --- bytes --- */

static bool interrupted(const struct sketch *sketch)
{
    return wire_event(sketch->wire) != WIRE_EVENT_NONE;
}

/* Waits as long as it takes. After an event every byte is 0, and what the firmware still does has
 * no effect. */
static uint8_t get(struct sketch *sketch)
{
    int byte = wire_get(sketch->wire, WIRE_FOREVER);
    return byte < 0 ? 0 : (uint8_t)byte;
}

static uint16_t get_word(struct sketch *sketch)
{
    uint16_t high = get(sketch);
    return (uint16_t)(high << 8 | get(sketch));
}

static void put(struct sketch *sketch, uint8_t byte)
{
    wire_put(sketch->wire, byte);
}

/* Fills the buffer, and what lies behind it. */
static void fill(struct sketch *sketch, int count)
{
    for (int i = 0; i < count && !interrupted(sketch); i++) {
        uint8_t byte = get(sketch);
        if (i >= RAM_BYTES) {
            wire_hang(sketch->wire);
        } else {
            sketch->ram[i] = byte;
        }
    }
}

/* True when the command ended as it must; else answers NOSYNC. */
static bool ended(struct sketch *sketch)
{
    if (get(sketch) == END) {
        put(sketch, REPLY_IN_SYNC);
        return true;
    }
    put(sketch, REPLY_NO_SYNC);
    return false;
}

static void reply_empty(struct sketch *sketch)
{
    if (ended(sketch)) {
        put(sketch, REPLY_OK);
    }
}

static void reply_byte(struct sketch *sketch, uint8_t byte)
{
    if (ended(sketch)) {
        put(sketch, byte);
        put(sketch, REPLY_OK);
    }
}

static uint16_t parameter(const struct sketch *sketch, enum parameter which)
{
    return (uint16_t)(sketch->ram[which] | sketch->ram[which + 1] << 8);
}

/* --- the target --- */

static uint8_t transfer(struct sketch *sketch, uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    if (interrupted(sketch)) {
        return 0;
    }
    const uint8_t mosi[4] = {a, b, c, d};
    uint8_t miso[4] = {0};
    wire_spend(sketch->wire, FRAME_US);
    /* With SPI off its flag "transfer complete" never comes, and the sketch waits for it. */
    if (sketch->programming) {
        wire_firmware_transfer(sketch->wire, sketch->port, ARDUINO_ISP_SCK_HZ, mosi, miso);
    } else {
        wire_hang(sketch->wire);
    }
    return miso[3];
}

static uint8_t transfer_address(struct sketch *sketch, uint8_t instruction, uint16_t address,
                                uint8_t data)
{
    return transfer(sketch, instruction, (uint8_t)(address >> 8), (uint8_t)address, data);
}

static void reset_target(struct sketch *sketch, bool reset)
{
    if (!interrupted(sketch)) {
        sketch->port->drive_reset(sketch->port->context, reset != sketch->reset_active_high);
    }
}

/* --- commands --- */

static void sync(struct sketch *sketch)
{
    reply_empty(sketch);
}

static void sign_on(struct sketch *sketch)
{
    if (ended(sketch)) {
        for (const char *text = "AVR ISP"; *text != '\0'; text++) {
            put(sketch, (uint8_t)*text);
        }
        put(sketch, REPLY_OK);
    }
}

static void get_parameter(struct sketch *sketch)
{
    static const uint8_t values[][2] = {{0x80, 2}, {0x81, 1}, {0x82, 18}, {0x93, 'S'}};
    uint8_t which = get(sketch);
    uint8_t value = 0;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        value = values[i][0] == which ? values[i][1] : value;
    }
    reply_byte(sketch, value);
}

/* Takes over from the 20 bytes: words come with the high byte first, and the ninth one twice. */
static void set_device(struct sketch *sketch)
{
    fill(sketch, 20);
    const uint8_t *from = sketch->ram;
    uint8_t *to = sketch->ram + PARAMETER_DEVICE_CODE;
    memcpy(to, from, 9);
    for (int i = 0; i < 3; i++) {
        to[9 + 2 * i] = from[11 + 2 * i];
        to[10 + 2 * i] = from[10 + 2 * i];
    }
    sketch->reset_active_high = from[0] >= 0xE0; /* AT89S */
    reply_empty(sketch);
}

static void set_extended_parameters(struct sketch *sketch)
{
    fill(sketch, 5);
    reply_empty(sketch);
}

/* Says OK whether or not a target answered. */
static void enter(struct sketch *sketch)
{
    if (!sketch->programming) {
        reset_target(sketch, false);
        wire_spend(sketch->wire, ENTER_HIGH_US);
        reset_target(sketch, true);
        wire_spend(sketch->wire, ENTER_LOW_US);
        sketch->programming = true;
        transfer(sketch, 0xAC, 0x53, 0x00, 0x00);
    }
    reply_empty(sketch);
}

/* RESET becomes an input: the board's own resistor pulls it up. */
static void leave(struct sketch *sketch)
{
    sketch->port->drive_reset(sketch->port->context, false);
    sketch->programming = false;
    reply_empty(sketch);
}

static void load_address(struct sketch *sketch)
{
    uint16_t low = get(sketch);
    sketch->here = (uint16_t)(low | get(sketch) << 8);
    reply_empty(sketch);
}

static void ignore_word(struct sketch *sketch)
{
    get_word(sketch);
    reply_empty(sketch);
}

static void ignore_byte(struct sketch *sketch)
{
    get(sketch);
    reply_empty(sketch);
}

static void universal(struct sketch *sketch)
{
    fill(sketch, 4);
    const uint8_t *bytes = sketch->ram;
    uint8_t reply = transfer(sketch, bytes[0], bytes[1], bytes[2], bytes[3]);
    reply_byte(sketch, reply);
}

static void read_signature(struct sketch *sketch)
{
    if (ended(sketch)) {
        for (uint8_t i = 0; i < 3; i++) {
            put(sketch, transfer(sketch, 0x30, 0x00, i, 0x00));
        }
        put(sketch, REPLY_OK);
    }
}

/* The page that `here` lies in. A page size it does not know makes every word a page. */
static uint16_t current_page(const struct sketch *sketch)
{
    switch (parameter(sketch, PARAMETER_PAGE_SIZE)) {
    case 32:
        return sketch->here & 0xFFF0;
    case 64:
        return sketch->here & 0xFFE0;
    case 128:
        return sketch->here & 0xFFC0;
    case 256:
        return sketch->here & 0xFF80;
    default:
        return sketch->here;
    }
}

static void commit(struct sketch *sketch, uint16_t page)
{
    transfer_address(sketch, 0x4C, page, 0x00);
    wire_spend(sketch->wire, COMMIT_US);
}

static void write_flash(struct sketch *sketch, int length)
{
    fill(sketch, length);
    if (!ended(sketch)) {
        return;
    }
    uint16_t page = current_page(sketch);
    for (int i = 0; i < length && !interrupted(sketch); i += 2) {
        if (page != current_page(sketch)) {
            commit(sketch, page);
            page = current_page(sketch);
        }
        transfer_address(sketch, 0x40, sketch->here, sketch->ram[i % RAM_BYTES]);
        transfer_address(sketch, 0x48, sketch->here, sketch->ram[(i + 1) % RAM_BYTES]);
        sketch->here++;
    }
    commit(sketch, page);
    put(sketch, REPLY_OK);
}

static void write_eeprom_chunk(struct sketch *sketch, uint16_t start, uint16_t count)
{
    fill(sketch, count);
    for (uint16_t i = 0; i < count && !interrupted(sketch); i++) {
        transfer_address(sketch, 0xC0, (uint16_t)(start + i), sketch->ram[i]);
        wire_spend(sketch->wire, EEPROM_BYTE_US);
    }
}

/* Too long is found out before the data are taken in: they are then read as commands. */
static uint8_t write_eeprom(struct sketch *sketch, uint16_t length)
{
    if (length > parameter(sketch, PARAMETER_EEPROM_SIZE)) {
        return REPLY_FAILED;
    }
    uint16_t start = (uint16_t)(sketch->here * 2);
    while (length > EEPROM_CHUNK) {
        write_eeprom_chunk(sketch, start, EEPROM_CHUNK);
        start += EEPROM_CHUNK;
        length -= EEPROM_CHUNK;
    }
    write_eeprom_chunk(sketch, start, length);
    return REPLY_OK;
}

static void program_page(struct sketch *sketch)
{
    uint16_t length = get_word(sketch);
    uint8_t memory = get(sketch);
    if (memory == 'F') {
        write_flash(sketch, (int16_t)length);
    } else if (memory == 'E') {
        uint8_t result = write_eeprom(sketch, length);
        if (ended(sketch)) {
            put(sketch, result);
        }
    } else {
        put(sketch, REPLY_FAILED);
    }
}

static void read_flash(struct sketch *sketch, int length)
{
    for (int i = 0; i < length && !interrupted(sketch); i += 2) {
        put(sketch, transfer_address(sketch, 0x20, sketch->here, 0x00));
        put(sketch, transfer_address(sketch, 0x28, sketch->here, 0x00));
        sketch->here++;
    }
}

static void read_eeprom(struct sketch *sketch, int length)
{
    uint16_t start = (uint16_t)(sketch->here * 2);
    for (int i = 0; i < length && !interrupted(sketch); i++) {
        put(sketch, transfer_address(sketch, 0xA0, (uint16_t)(start + i), 0xFF));
    }
}

static void read_page(struct sketch *sketch)
{
    int length = (int16_t)get_word(sketch);
    uint8_t memory = get(sketch);
    if (!ended(sketch)) {
        return;
    }
    if (memory == 'F') {
        read_flash(sketch, length);
    } else if (memory == 'E') {
        read_eeprom(sketch, length);
    }
    put(sketch, memory == 'F' || memory == 'E' ? REPLY_OK : REPLY_FAILED);
}

/* An end byte where a command should be: how a host gets back into step. */
static void stray_end(struct sketch *sketch)
{
    put(sketch, REPLY_NO_SYNC);
}

static void unknown(struct sketch *sketch)
{
    put(sketch, get(sketch) == END ? REPLY_UNKNOWN : REPLY_NO_SYNC);
}

static const struct {
    uint8_t command;
    void (*run)(struct sketch *sketch);
} commands[] = {
    {0x30, sync},
    {0x31, sign_on},
    {0x41, get_parameter},
    {0x42, set_device},
    {0x45, set_extended_parameters},
    {0x50, enter},
    {0x51, leave},
    {0x55, load_address},
    {0x56, universal},
    {0x60, ignore_word},
    {0x61, ignore_byte},
    {0x64, program_page},
    {0x74, read_page},
    {0x75, read_signature},
    {END, stray_end},
};

static void run_command(struct sketch *sketch)
{
    int byte = wire_get(sketch->wire, WIRE_FOREVER);
    if (byte < 0) {
        return;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (commands[i].command == byte) {
            commands[i].run(sketch);
            return;
        }
    }
    unknown(sketch);
}

/* --- power and reset --- */

static void print_banner(const struct wire_firmware_run *options)
{
    const struct isp_port *port = options->port;
    const char *text = port->banner == NULL ? NULL : port->banner(port->context);
    for (; text != NULL && *text != '\0'; text++) {
        wire_put(options->wire, (uint8_t)*text);
    }
}

/* What a board does between its reset and the first command. */
static void start_up(const struct wire_firmware_run *options)
{
    const unsigned *bootloader_baud = options->firmware->variant;
    if (options->real_pace && bootloader_baud != NULL) {
        optiboot_run(options->wire, options->port, options->baud == *bootloader_baud);
        while (wire_get(options->wire, wire_now_us(options->wire)) >= 0) {
            /* what came meanwhile does not outlive the watchdog's reset */
        }
    }
    print_banner(options);
    if (options->real_pace) {
        wire_spend(options->wire, LED_BLINKS_US);
    }
}

static int run_sketch(const struct wire_firmware_run *options)
{
    struct sketch *sketch = calloc(1, sizeof *sketch);
    if (sketch == NULL) {
        return -1;
    }
    bool was_reset = false; /* it has been running since long before the host came */
    while (wire_event(options->wire) != WIRE_EVENT_STOP) {
        memset(sketch, 0, sizeof *sketch);
        sketch->wire = options->wire;
        sketch->port = options->port;
        if (was_reset) {
            start_up(options);
        }
        while (!interrupted(sketch)) {
            run_command(sketch);
        }
        options->port->drive_reset(options->port->context, false);
        wire_restart(options->wire);
        was_reset = true;
    }
    free(sketch);
    return 0;
}

/* --- the boards that it runs on --- */

#define SKETCH_BAUD 19200

static const unsigned optiboot_baud = 115200;

/* boards.txt of the Arduino and SparkFun cores; usb_desc.h of Teensyduino, whose serial number is
 * the same on every unit. */
static const struct usb_identity uno_usb = {
    0x2341, 0x0043, 0x0001, "Arduino (www.arduino.cc)", "Arduino Uno", NULL, 0x02, 0};
static const struct usb_identity pro_micro_usb = {
    0x1B4F, 0x9206, 0x0100, "SparkFun", "SparkFun Pro Micro", NULL, 0x02, 0};
static const struct usb_identity teensy_usb = {0x16C0,       0x0483,  0x0275, "Teensyduino",
                                               "USB Serial", "12345", 0x02,   0};

const struct wire_firmware arduino_isp_models[] = {
    {.name = "arduino-uno-isp",
     .baud = SKETCH_BAUD,
     .line = {.uart = true, .opening_resets = true, .receive_bytes = 63},
     .usb = &uno_usb,
     .run = run_sketch,
     .variant = &optiboot_baud},
    {.name = "pro-micro-isp",
     .baud = SKETCH_BAUD,
     .usb = &pro_micro_usb,
     .leaves_at_1200 = true,
     .run = run_sketch},
    {.name = "teensy-2.0-isp", .baud = SKETCH_BAUD, .usb = &teensy_usb, .run = run_sketch},
};
const size_t arduino_isp_model_count = sizeof arduino_isp_models / sizeof *arduino_isp_models;
