#include "jigs/simbench/avr910_model.h"

#include <stdlib.h>
#include <string.h>

#define CR 0x0D
#define ESCAPE 0x1B
#define BLOCK_BYTES 64
#define RETRIES 32          /* of programming enable */
#define POLLS_MAX 256       /* looks at a byte that is being written */
#define POLLED_OUT_US 50000 /* and what it waits when none of them helped */

/* A device code of the list that 't' gives, and the words of its pages; 0: it has none. */
struct device {
    uint8_t code, page_words;
};

/* What differs between the two. Times are its delay loops at its crystal. */
struct variant {
    const char *version, *hardware;
    bool clone; /* blocks, fuses by letters, value polling, the last written page */
    int64_t sck_hz;
    int64_t frame_us;  /* four bytes over its bit-banged SPI */
    int64_t search_us; /* for the device code in its list, before each command */
    int64_t reset_us;  /* RESET high, then low */
    int64_t long_us;   /* after ':', '.' and 'm' */
    int64_t byte_us;   /* after a byte of EEPROM, or of flash without pages */
    int64_t erase_us;
    const struct device *devices;
};

static const struct device classic_devices[] = {
    {0x13, 0},   {0x20, 0},   {0x28, 0},   {0x30, 0}, {0x34, 0},  {0x38, 0}, {0x3A, 32},
    {0x41, 128}, {0x43, 128}, {0x45, 128}, {0x48, 0}, {0x4C, 0},  {0x55, 0}, {0x56, 0},
    {0x5E, 16},  {0x60, 64},  {0x64, 64},  {0x68, 0}, {0x69, 32}, {0x6C, 0}, {0x72, 64},
    {0x74, 64},  {0x76, 32},  {0x78, 64},  {0, 0}};
static const struct device clone_devices[] = {
    {0x13, 0},  {0x20, 0},  {0x28, 0},  {0x30, 0},  {0x34, 0},  {0x38, 0},  {0x48, 0},  {0x4C, 0},
    {0x55, 0},  {0x56, 0},  {0x68, 0},  {0x6C, 0},  {0x0E, 16}, {0x1A, 16}, {0x0F, 32}, {0x1B, 32},
    {0x14, 32}, {0x1C, 32}, {0x23, 16}, {0x31, 32}, {0x33, 32}, {0x35, 64}, {0x57, 16}, {0x3A, 32},
    {0x41, 64}, {0x43, 64}, {0x45, 64}, {0x5E, 16}, {0x60, 64}, {0x62, 64}, {0x64, 64}, {0x69, 32},
    {0x72, 64}, {0x74, 64}, {0x76, 32}, {0x78, 64}, {0, 0}};

struct firmware {
    const struct variant *variant;
    struct wire *wire;
    const struct isp_port *port;
    const struct device *device; /* the one that 'T' selected; NULL: it is not in the list */
    bool programming;            /* else its SPI pins drive nothing */
    uint16_t address;
    uint16_t last;     /* word that was loaded last */
    uint8_t last_read; /* instruction that reads it, and what it must be */
    uint8_t last_value;
    uint8_t words_left; /* until the clone writes a page */
};

/* --- bytes --- */

static bool interrupted(const struct firmware *firmware)
{
    return wire_event(firmware->wire) != WIRE_EVENT_NONE;
}

static uint8_t get(struct firmware *firmware)
{
    int byte = wire_get(firmware->wire, WIRE_FOREVER);
    return byte < 0 ? 0 : (uint8_t)byte;
}

static void put(struct firmware *firmware, uint8_t byte)
{
    wire_put(firmware->wire, byte);
}

static void put_text(struct firmware *firmware, const char *text)
{
    for (; *text != '\0'; text++) {
        put(firmware, (uint8_t)*text);
    }
}

static void done(struct firmware *firmware)
{
    put(firmware, CR);
}

static void refuse(struct firmware *firmware)
{
    put(firmware, '?');
}

static void spend(struct firmware *firmware, int64_t duration_us)
{
    wire_spend(firmware->wire, duration_us);
}

/* --- the target --- */

static uint8_t transfer_all(struct firmware *firmware, const uint8_t mosi[4], uint8_t miso[4])
{
    memset(miso, 0xFF, 4); /* its pull-up, when nobody drives the line */
    if (interrupted(firmware)) {
        return 0;
    }
    spend(firmware, firmware->variant->frame_us);
    if (firmware->programming) {
        wire_firmware_transfer(firmware->wire, firmware->port, firmware->variant->sck_hz, mosi,
                               miso);
    }
    return miso[3];
}

static uint8_t transfer(struct firmware *firmware, uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    const uint8_t mosi[4] = {a, b, c, d};
    uint8_t miso[4];
    return transfer_all(firmware, mosi, miso);
}

static uint8_t transfer_at(struct firmware *firmware, uint8_t instruction, uint16_t address,
                           uint8_t data)
{
    return transfer(firmware, instruction, (uint8_t)(address >> 8), (uint8_t)address, data);
}

static void drive_reset(struct firmware *firmware, bool low)
{
    if (!interrupted(firmware)) {
        firmware->port->drive_reset(firmware->port->context, low);
    }
}

/* Says CR whether or not a target gave the 53 back. */
static void enter(struct firmware *firmware)
{
    static const uint8_t enable[4] = {0xAC, 0x53, 0x00, 0x00};
    uint8_t miso[4] = {0};
    drive_reset(firmware, false);
    spend(firmware, firmware->variant->reset_us);
    drive_reset(firmware, true);
    spend(firmware, firmware->variant->reset_us);
    firmware->programming = true;
    for (int i = 0; i < RETRIES && miso[2] != 0x53 && !interrupted(firmware); i++) {
        transfer_all(firmware, enable, miso);
    }
    done(firmware);
}

static void let_go(const struct isp_port *port)
{
    port->drive_reset(port->context, false);
    if (port->let_go != NULL) {
        port->let_go(port->context);
    }
}

static void leave(struct firmware *firmware)
{
    let_go(firmware->port);
    firmware->programming = false;
    done(firmware);
}

/* The clone looks until the byte is what it wrote; FF tells nothing. */
static void poll_value(struct firmware *firmware, int64_t otherwise_us)
{
    for (int i = 0; i < POLLS_MAX && firmware->last_value != 0xFF && !interrupted(firmware); i++) {
        if (transfer_at(firmware, firmware->last_read, firmware->last, 0) == firmware->last_value) {
            return;
        }
    }
    spend(firmware, otherwise_us);
}

static void load(struct firmware *firmware, bool high, uint8_t value)
{
    transfer_at(firmware, high ? 0x48 : 0x40, firmware->address, value);
    firmware->last = firmware->address;
    firmware->last_read = high ? 0x28 : 0x20;
    firmware->last_value = value;
    firmware->address += high;
    if (firmware->device->page_words == 0) {
        if (firmware->variant->clone) {
            poll_value(firmware, firmware->variant->byte_us);
        } else {
            spend(firmware, firmware->variant->byte_us);
        }
    }
}

static void load_low(struct firmware *firmware)
{
    load(firmware, false, get(firmware));
    done(firmware);
}

static void load_high(struct firmware *firmware)
{
    load(firmware, true, get(firmware));
    done(firmware);
}

static void write_page(struct firmware *firmware)
{
    bool clone = firmware->variant->clone;
    transfer_at(firmware, 0x4C, clone ? firmware->last : firmware->address, 0x00);
    if (clone) {
        poll_value(firmware, POLLED_OUT_US);
    } else {
        spend(firmware, firmware->variant->long_us);
    }
    firmware->words_left = firmware->device->page_words;
}

static void write_page_command(struct firmware *firmware)
{
    write_page(firmware);
    done(firmware);
}

static void read_word(struct firmware *firmware)
{
    put(firmware, transfer_at(firmware, 0x28, firmware->address, 0x00));
    put(firmware, transfer_at(firmware, 0x20, firmware->address, 0x00));
    firmware->address++;
}

static void read_eeprom(struct firmware *firmware)
{
    put(firmware, transfer_at(firmware, 0xA0, firmware->address, 0x00));
    firmware->address++;
}

static void store_eeprom(struct firmware *firmware, uint8_t value)
{
    transfer_at(firmware, 0xC0, firmware->address, value);
    spend(firmware, firmware->variant->byte_us);
    firmware->address++;
}

static void write_eeprom(struct firmware *firmware)
{
    store_eeprom(firmware, get(firmware));
    done(firmware);
}

static void set_address(struct firmware *firmware)
{
    uint16_t high = get(firmware);
    firmware->address = (uint16_t)(high << 8 | get(firmware));
    done(firmware);
}

static void erase(struct firmware *firmware)
{
    transfer(firmware, 0xAC, 0x80, 0x04, 0x00);
    spend(firmware, firmware->variant->erase_us);
    done(firmware);
}

/* Both put lock bits into the second byte, as the oldest parts have them; the fourth byte of the
 * other parts gets 0 from the first firmware, which locks everything. */
static void write_lock(struct firmware *firmware)
{
    uint8_t value = get(firmware);
    if (firmware->variant->clone) {
        transfer(firmware, 0xAC, value | 0xE0, 0x00, value);
    } else {
        transfer(firmware, 0xAC, (value & 0x06) | 0xE0, 0x00, 0x00);
    }
    spend(firmware, firmware->variant->erase_us);
    done(firmware);
}

static void write_fuse(struct firmware *firmware)
{
    transfer(firmware, 0xAC, 0xA0, 0x00, get(firmware));
    spend(firmware, firmware->variant->byte_us);
    done(firmware);
}

static void read_signature(struct firmware *firmware)
{
    for (uint8_t i = 3; i-- > 0;) {
        put(firmware, transfer(firmware, 0x30, 0x00, i, 0x00));
    }
}

static void universal(struct firmware *firmware, int count)
{
    uint8_t mosi[4] = {0}, miso[4];
    for (int i = 0; i < count; i++) {
        mosi[i] = get(firmware);
    }
    put(firmware, transfer_all(firmware, mosi, miso));
    spend(firmware, firmware->variant->long_us);
    done(firmware);
}

static void universal_of_three(struct firmware *firmware)
{
    universal(firmware, 3);
}

static void universal_of_four(struct firmware *firmware)
{
    universal(firmware, 4);
}

/* --- what only the clone has --- */

static void read_lock(struct firmware *firmware)
{
    put(firmware, transfer(firmware, 0x58, 0x00, 0x00, 0x00));
}

static void read_low_fuse(struct firmware *firmware)
{
    put(firmware, transfer(firmware, 0x50, 0x00, 0x00, 0x00));
}

static void read_high_fuse(struct firmware *firmware)
{
    put(firmware, transfer(firmware, 0x58, 0x08, 0x00, 0x00));
}

static void read_extended_fuse(struct firmware *firmware)
{
    put(firmware, transfer(firmware, 0x50, 0x08, 0x00, 0x00));
}

static void write_flash_block(struct firmware *firmware, const uint8_t *bytes, int count)
{
    for (int i = 0; i + 1 < count && !interrupted(firmware); i += 2) {
        load(firmware, false, bytes[i]);
        load(firmware, true, bytes[i + 1]);
        firmware->words_left--;
        if (firmware->device->page_words != 0 && (i + 2 >= count || firmware->words_left == 0)) {
            write_page(firmware);
        }
    }
}

/* The length is looked at byte by byte, the kind of memory when all data are in. */
static void write_block(struct firmware *firmware)
{
    uint8_t bytes[256];
    if (get(firmware) != 0) {
        refuse(firmware);
        return;
    }
    int count = get(firmware);
    if (count > BLOCK_BYTES) {
        refuse(firmware);
        return;
    }
    uint8_t memory = get(firmware);
    count = count == 0 ? 256 : count; /* it counts down from 0, over its stack */
    for (int i = 0; i < count; i++) {
        bytes[i] = get(firmware);
    }
    if (count > BLOCK_BYTES) {
        wire_hang(firmware->wire);
    }
    if (memory == 'F') {
        write_flash_block(firmware, bytes, count);
    } else if (memory == 'E') {
        for (int i = 0; i < count && !interrupted(firmware); i++) {
            store_eeprom(firmware, bytes[i]);
        }
    } else {
        refuse(firmware);
        return;
    }
    done(firmware);
}

static void read_block(struct firmware *firmware)
{
    int count = get(firmware) << 8;
    count |= get(firmware);
    uint8_t memory = get(firmware);
    count = count == 0 ? 0x10000 : count;
    if (memory != 'F' && memory != 'E') {
        refuse(firmware);
        return;
    }
    for (int i = 0; i < count && !interrupted(firmware); i++) {
        if (memory == 'E') {
            read_eeprom(firmware);
            continue;
        }
        put(firmware, transfer_at(firmware, (i & 1) != 0 ? 0x28 : 0x20, firmware->address, 0x00));
        firmware->address += i & 1;
    }
}

/* --- what it says of itself --- */

static void say_who(struct firmware *firmware)
{
    put_text(firmware, "AVR ISP");
}

static void say_version(struct firmware *firmware)
{
    put_text(firmware, firmware->variant->version);
}

static void say_hardware(struct firmware *firmware)
{
    put_text(firmware, firmware->variant->hardware);
}

static void say_type(struct firmware *firmware)
{
    put(firmware, 'S');
}

static void say_counts_on(struct firmware *firmware)
{
    put(firmware, 'Y');
}

static void say_block(struct firmware *firmware)
{
    put(firmware, 'Y');
    put(firmware, BLOCK_BYTES >> 8);
    put(firmware, BLOCK_BYTES & 0xFF);
}

static void say_devices(struct firmware *firmware)
{
    for (const struct device *device = firmware->variant->devices; device->code != 0; device++) {
        put(firmware, device->code);
    }
    put(firmware, 0);
}

static void select_device(struct firmware *firmware)
{
    uint8_t code = get(firmware);
    firmware->device = NULL;
    for (const struct device *device = firmware->variant->devices; device->code != 0; device++) {
        if (device->code == code) {
            firmware->device = device;
            firmware->words_left = device->page_words;
        }
    }
    done(firmware);
}

static void ignore_byte(struct firmware *firmware)
{
    get(firmware);
    done(firmware);
}

/* --- commands --- */

enum need { NEEDS_NOTHING, NEEDS_DEVICE };

static const struct {
    uint8_t letter;
    bool clone; /* only it has this one */
    enum need need;
    void (*run)(struct firmware *firmware);
} commands[] = {
    {'T', false, NEEDS_NOTHING, select_device},
    {'S', false, NEEDS_NOTHING, say_who},
    {'V', false, NEEDS_NOTHING, say_version},
    {'v', false, NEEDS_NOTHING, say_hardware},
    {'t', false, NEEDS_NOTHING, say_devices},
    {'p', false, NEEDS_NOTHING, say_type},
    {'a', false, NEEDS_NOTHING, say_counts_on},
    {'b', true, NEEDS_NOTHING, say_block},
    {'x', false, NEEDS_NOTHING, ignore_byte},
    {'y', false, NEEDS_NOTHING, ignore_byte},
    {'P', false, NEEDS_DEVICE, enter},
    {'L', false, NEEDS_DEVICE, leave},
    {'E', true, NEEDS_DEVICE, leave},
    {'A', false, NEEDS_DEVICE, set_address},
    {'c', false, NEEDS_DEVICE, load_low},
    {'C', false, NEEDS_DEVICE, load_high},
    {'m', false, NEEDS_DEVICE, write_page_command},
    {'R', false, NEEDS_DEVICE, read_word},
    {'D', false, NEEDS_DEVICE, write_eeprom},
    {'d', false, NEEDS_DEVICE, read_eeprom},
    {'B', true, NEEDS_DEVICE, write_block},
    {'g', true, NEEDS_DEVICE, read_block},
    {'e', false, NEEDS_DEVICE, erase},
    {'l', false, NEEDS_DEVICE, write_lock},
    {'f', true, NEEDS_DEVICE, write_fuse},
    {'r', true, NEEDS_DEVICE, read_lock},
    {'F', true, NEEDS_DEVICE, read_low_fuse},
    {'N', true, NEEDS_DEVICE, read_high_fuse},
    {'Q', true, NEEDS_DEVICE, read_extended_fuse},
    {'s', false, NEEDS_DEVICE, read_signature},
    {':', false, NEEDS_DEVICE, universal_of_three},
    {'.', false, NEEDS_DEVICE, universal_of_four},
};

static void run_command(struct firmware *firmware)
{
    int byte = wire_get(firmware->wire, WIRE_FOREVER);
    if (byte < 0 || byte == ESCAPE) {
        return;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (commands[i].letter != byte || (commands[i].clone && !firmware->variant->clone)) {
            continue;
        }
        if (commands[i].need == NEEDS_DEVICE) {
            spend(firmware, firmware->variant->search_us);
            if (firmware->device == NULL) {
                break;
            }
        }
        commands[i].run(firmware);
        return;
    }
    refuse(firmware);
}

static int run_firmware(const struct wire_firmware_run *options)
{
    struct firmware *firmware = calloc(1, sizeof *firmware);
    if (firmware == NULL) {
        return -1;
    }
    while (wire_event(options->wire) != WIRE_EVENT_STOP) {
        memset(firmware, 0, sizeof *firmware);
        firmware->variant = options->firmware->variant;
        firmware->wire = options->wire;
        firmware->port = options->port;
        while (!interrupted(firmware)) {
            run_command(firmware);
        }
        let_go(options->port);
        wire_restart(options->wire);
    }
    free(firmware);
    return 0;
}

/* --- the two --- */

/* 43 cycles of 4 MHz for a bit, which is 10.75 us, SCK high for 18 of them; its delay loop takes
 * 765 cycles times its argument: FF is 49 ms, 20 is 6.1 ms, 30 is 9.2 ms. A look into the list
 * takes 26 cycles for each of about 36 entries before the ATmega32's. */
static const struct variant classic = {.version = "33",
                                       .hardware = "10",
                                       .sck_hz = 93000,
                                       .frame_us = 4 * 8 * 43 / 4 + 12,
                                       .search_us = 234,
                                       .reset_us = 49000,
                                       .long_us = 49000,
                                       .byte_us = 6100,
                                       .erase_us = 9200,
                                       .devices = classic_devices};
/* 61 cycles of 7.3728 MHz for a bit: 8.3 us; 10 cycles for each of about 60 entries. */
static const struct variant clone = {.version = "38",
                                     .hardware = "12",
                                     .clone = true,
                                     .sck_hz = 120000,
                                     .frame_us = 272,
                                     .search_us = 85,
                                     .reset_us = 50000,
                                     .long_us = 50000,
                                     .byte_us = 10000,
                                     .erase_us = 40000,
                                     .devices = clone_devices};

/* The UART of the AT90S2313 holds one byte while the next one comes in. */
const struct wire_firmware avr910_models[] = {
    {.name = "avr910",
     .baud = 19200,
     .line = {.uart = true, .receive_bytes = 1},
     .run = run_firmware,
     .lets_go = true,
     .variant = &classic},
    {.name = "avr910-block",
     .baud = 115200,
     .line = {.uart = true, .receive_bytes = 1},
     .run = run_firmware,
     .lets_go = true,
     .variant = &clone},
};
const size_t avr910_model_count = sizeof avr910_models / sizeof *avr910_models;
