#include "jigs/simbench/stk500_model.h"

#include <stdlib.h>
#include <string.h>

#define BUFFER_BYTES 256
#define RESET_HIGH_US 1000
#define RESET_LOW_US 20000
#define ENABLE_TRIES 32
#define POLLS_MAX 1000
#define FIRST_SCK_DURATION 8 /* as it comes: 115 kHz */
#define FIRST_SUPPLY 50      /* tenths of volts */

enum {
    REPLY_OK = 0x10,
    REPLY_FAILED = 0x11,
    REPLY_UNKNOWN = 0x12,
    REPLY_NO_DEVICE = 0x13,
    REPLY_IN_SYNC = 0x14,
    REPLY_NO_SYNC = 0x15,
    END = 0x20
};

struct variant {
    int64_t clock_hz; /* SCK is an eighth of it divided by the parameter */
    uint8_t hardware, major, minor;
    int extended_bytes; /* of command 45 */
};

/* What it remembers when it is switched off. */
struct settings {
    uint8_t supply, reference, prescale, match, duration;
};

struct firmware {
    const struct variant *variant;
    struct wire *wire;
    const struct isp_port *port;
    struct settings settings;
    bool programming;
    uint16_t here; /* word address; EEPROM: byte address */
    uint16_t page_bytes, eeprom_page_bytes;
    uint8_t buffer[BUFFER_BYTES];
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

static void fill(struct firmware *firmware, int count)
{
    for (int i = 0; i < count && !interrupted(firmware); i++) {
        uint8_t byte = get(firmware);
        if (i < BUFFER_BYTES) {
            firmware->buffer[i] = byte;
        } else {
            wire_hang(firmware->wire);
        }
    }
}

static bool ended(struct firmware *firmware)
{
    bool in_sync = get(firmware) == END;
    put(firmware, in_sync ? REPLY_IN_SYNC : REPLY_NO_SYNC);
    return in_sync;
}

static void reply_empty(struct firmware *firmware)
{
    if (ended(firmware)) {
        put(firmware, REPLY_OK);
    }
}

/* --- the target --- */

static int64_t sck_hz(const struct firmware *firmware)
{
    uint8_t duration = firmware->settings.duration;
    return firmware->variant->clock_hz / 8 / (duration == 0 ? 1 : duration);
}

static uint8_t transfer_all(struct firmware *firmware, const uint8_t mosi[4], uint8_t miso[4])
{
    memset(miso, 0xFF, 4);
    if (interrupted(firmware)) {
        return 0;
    }
    wire_spend(firmware->wire, 32 * 1000000 / sck_hz(firmware));
    if (firmware->programming) {
        wire_firmware_transfer(firmware->wire, firmware->port, sck_hz(firmware), mosi, miso);
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

/* Looks at what was written until it is there. */
static void wait_written(struct firmware *firmware, uint8_t read, uint16_t address, uint8_t value)
{
    for (int i = 0; i < POLLS_MAX && !interrupted(firmware); i++) {
        if (transfer_at(firmware, read, address, 0) == value) {
            return;
        }
    }
}

static void drive_reset(struct firmware *firmware, bool low)
{
    if (!interrupted(firmware)) {
        firmware->port->drive_reset(firmware->port->context, low);
    }
}

/* --- commands --- */

static void sign_on(struct firmware *firmware)
{
    if (ended(firmware)) {
        for (const char *text = "AVR STK"; *text != '\0'; text++) {
            put(firmware, (uint8_t)*text);
        }
        put(firmware, REPLY_OK);
    }
}

/* What can be set; NULL for any other parameter. */
static uint8_t *setting(struct firmware *firmware, uint8_t parameter)
{
    switch (parameter) {
    case 0x84:
        return &firmware->settings.supply;
    case 0x85:
        return &firmware->settings.reference;
    case 0x86:
        return &firmware->settings.prescale;
    case 0x87:
        return &firmware->settings.match;
    case 0x89:
        return &firmware->settings.duration;
    default:
        return NULL;
    }
}

static void set_parameter(struct firmware *firmware)
{
    uint8_t parameter = get(firmware), value = get(firmware);
    uint8_t *place = setting(firmware, parameter);
    if (!ended(firmware)) {
        return;
    }
    if (place == NULL) {
        put(firmware, parameter);
        put(firmware, REPLY_FAILED);
        return;
    }
    *place = value;
    put(firmware, REPLY_OK);
}

static void get_parameter(struct firmware *firmware)
{
    const struct variant *variant = firmware->variant;
    const uint8_t fixed[][2] = {
        {0x80, variant->hardware}, {0x81, variant->major}, {0x82, variant->minor}, {0x98, 0xFF}};
    uint8_t parameter = get(firmware);
    const uint8_t *place = setting(firmware, parameter);
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        place = fixed[i][0] == parameter ? &fixed[i][1] : place;
    }
    if (!ended(firmware)) {
        return;
    }
    put(firmware, place != NULL ? *place : parameter);
    put(firmware, place != NULL ? REPLY_OK : REPLY_FAILED);
}

static void set_device(struct firmware *firmware)
{
    fill(firmware, 20);
    if (ended(firmware)) {
        firmware->page_bytes = (uint16_t)(firmware->buffer[12] << 8 | firmware->buffer[13]);
        put(firmware, REPLY_OK);
    }
}

static void set_extended(struct firmware *firmware)
{
    fill(firmware, firmware->variant->extended_bytes);
    if (ended(firmware)) {
        firmware->eeprom_page_bytes = firmware->buffer[1];
        put(firmware, REPLY_OK);
    }
}

static void enter(struct firmware *firmware)
{
    static const uint8_t enable[4] = {0xAC, 0x53, 0x00, 0x00};
    uint8_t miso[4] = {0};
    if (!ended(firmware)) {
        return;
    }
    drive_reset(firmware, false);
    wire_spend(firmware->wire, RESET_HIGH_US);
    firmware->programming = true;
    for (int i = 0; i < ENABLE_TRIES && miso[2] != 0x53 && !interrupted(firmware); i++) {
        drive_reset(firmware, false);
        drive_reset(firmware, true);
        wire_spend(firmware->wire, RESET_LOW_US);
        transfer_all(firmware, enable, miso);
    }
    put(firmware, miso[2] == 0x53 ? REPLY_OK : REPLY_NO_DEVICE);
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
    if (ended(firmware)) {
        let_go(firmware->port);
        firmware->programming = false;
        put(firmware, REPLY_OK);
    }
}

static void load_address(struct firmware *firmware)
{
    uint16_t low = get(firmware);
    uint16_t high = get(firmware);
    if (ended(firmware)) {
        firmware->here = (uint16_t)(high << 8 | low);
        put(firmware, REPLY_OK);
    }
}

static void universal(struct firmware *firmware)
{
    uint8_t miso[4];
    fill(firmware, 4);
    if (ended(firmware)) {
        put(firmware, transfer_all(firmware, firmware->buffer, miso));
        put(firmware, REPLY_OK);
    }
}

/* The commands for single things, which the host must not use: `count` arguments. */
static void native(struct firmware *firmware, int count, uint8_t second, int value)
{
    fill(firmware, count);
    if (ended(firmware)) {
        transfer(firmware, 0xAC, second, 0x00, value < 0 ? 0x00 : firmware->buffer[value]);
        put(firmware, REPLY_OK);
    }
}

static void erase(struct firmware *firmware)
{
    native(firmware, 0, 0x80, -1);
}

static void write_fuses(struct firmware *firmware)
{
    native(firmware, 2, 0xA0, 0);
}

static void write_lock(struct firmware *firmware)
{
    native(firmware, 1, 0xE0, 0);
}

static void write_all_fuses(struct firmware *firmware)
{
    native(firmware, 3, 0xA0, 0);
}

static void write_flash(struct firmware *firmware, int count)
{
    const uint8_t *bytes = firmware->buffer;
    uint16_t page = firmware->here;
    int last = -1; /* whose value tells when it is written */
    for (int i = 0; i < count && !interrupted(firmware); i++) {
        uint16_t word = (uint16_t)(page + i / 2);
        bool high = (i & 1) != 0;
        transfer_at(firmware, high ? 0x48 : 0x40, word, bytes[i]);
        last = bytes[i] != 0xFF ? i : last;
        if (firmware->page_bytes == 0 && bytes[i] != 0xFF) {
            wait_written(firmware, high ? 0x28 : 0x20, word, bytes[i]);
        }
    }
    if (firmware->page_bytes != 0) {
        transfer_at(firmware, 0x4C, page, 0x00);
        if (last >= 0) {
            wait_written(firmware, (last & 1) != 0 ? 0x28 : 0x20, (uint16_t)(page + last / 2),
                         bytes[last]);
        }
    }
}

static void write_eeprom(struct firmware *firmware, int count)
{
    for (int i = 0; i < count && !interrupted(firmware); i++) {
        uint16_t address = (uint16_t)(firmware->here + i);
        transfer_at(firmware, 0xC0, address, firmware->buffer[i]);
        wire_spend(firmware->wire, 10000);
    }
}

static void program_page(struct firmware *firmware)
{
    int count = get(firmware) << 8;
    count |= get(firmware);
    uint8_t memory = get(firmware);
    if (memory != 'F' && memory != 'E') {
        put(firmware, REPLY_FAILED);
        return;
    }
    fill(firmware, count);
    if (!ended(firmware)) {
        return;
    }
    if (memory == 'F') {
        write_flash(firmware, count);
    } else {
        write_eeprom(firmware, count);
    }
    put(firmware, REPLY_OK);
}

static void read_page(struct firmware *firmware)
{
    int count = get(firmware) << 8;
    count |= get(firmware);
    uint8_t memory = get(firmware);
    if (!ended(firmware)) {
        return;
    }
    for (int i = 0; i < count && !interrupted(firmware); i++) {
        if (memory == 'F') {
            put(firmware, transfer_at(firmware, (i & 1) != 0 ? 0x28 : 0x20,
                                      (uint16_t)(firmware->here + i / 2), 0));
        } else {
            put(firmware, transfer_at(firmware, 0xA0, (uint16_t)(firmware->here + i), 0));
        }
    }
    put(firmware, memory == 'F' || memory == 'E' ? REPLY_OK : REPLY_FAILED);
}

static void read_signature(struct firmware *firmware)
{
    if (ended(firmware)) {
        for (uint8_t i = 0; i < 3; i++) {
            put(firmware, transfer(firmware, 0x30, 0x00, i, 0x00));
        }
        put(firmware, REPLY_OK);
    }
}

static void stray_end(struct firmware *firmware)
{
    put(firmware, REPLY_NO_SYNC);
}

static void unknown(struct firmware *firmware)
{
    put(firmware, get(firmware) == END ? REPLY_UNKNOWN : REPLY_NO_SYNC);
}

static const struct {
    uint8_t command;
    void (*run)(struct firmware *firmware);
} commands[] = {
    {0x30, reply_empty},    {0x31, sign_on},      {0x40, set_parameter},   {0x41, get_parameter},
    {0x42, set_device},     {0x45, set_extended}, {0x50, enter},           {0x51, leave},
    {0x52, erase},          {0x55, load_address}, {0x56, universal},       {0x62, write_fuses},
    {0x63, write_lock},     {0x64, program_page}, {0x65, write_all_fuses}, {0x74, read_page},
    {0x75, read_signature}, {END, stray_end},
};

static void run_command(struct firmware *firmware)
{
    int byte = wire_get(firmware->wire, WIRE_FOREVER);
    if (byte < 0) {
        return;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (commands[i].command == byte) {
            commands[i].run(firmware);
            return;
        }
    }
    unknown(firmware);
}

static int run_firmware(const struct wire_firmware_run *options)
{
    struct firmware *firmware = calloc(1, sizeof *firmware);
    struct settings remembered = {
        .supply = FIRST_SUPPLY, .reference = FIRST_SUPPLY, .duration = FIRST_SCK_DURATION};
    if (firmware == NULL) {
        return -1;
    }
    while (wire_event(options->wire) != WIRE_EVENT_STOP) {
        memset(firmware, 0, sizeof *firmware);
        firmware->variant = options->firmware->variant;
        firmware->wire = options->wire;
        firmware->port = options->port;
        firmware->settings = remembered;
        while (!interrupted(firmware)) {
            run_command(firmware);
        }
        remembered = firmware->settings;
        let_go(options->port);
        wire_restart(options->wire);
    }
    free(firmware);
    return 0;
}

static const struct variant stk500 = {
    .clock_hz = 7372800, .hardware = 2, .major = 1, .minor = 14, .extended_bytes = 5};
static const struct variant avrisp = {
    .clock_hz = 3686400, .hardware = 1, .major = 1, .minor = 10, .extended_bytes = 4};

const struct wire_firmware stk500_models[] = {
    {.name = "stk500",
     .baud = 115200,
     .line = {.uart = true, .receive_bytes = 8},
     .run = run_firmware,
     .lets_go = true,
     .variant = &stk500},
    {.name = "avrisp",
     .baud = 115200,
     .line = {.uart = true, .receive_bytes = 8},
     .run = run_firmware,
     .lets_go = true,
     .variant = &avrisp},
};
const size_t stk500_model_count = sizeof stk500_models / sizeof *stk500_models;
