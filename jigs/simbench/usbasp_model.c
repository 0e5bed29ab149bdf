#include "jigs/simbench/usbasp_model.h"

#include <string.h>

#include "jigs/simbench/usb_port.h"

enum request {
    CONNECT = 1,
    DISCONNECT,
    TRANSMIT,
    READ_FLASH,
    ENABLE_PROGRAMMING,
    WRITE_FLASH,
    READ_EEPROM,
    WRITE_EEPROM,
    SET_LONG_ADDRESS,
    SET_SCK,
    TPI_CONNECT,
    TPI_DISCONNECT,
    TPI_RAW_READ,
    TPI_RAW_WRITE,
    TPI_READ_BLOCK,
    TPI_WRITE_BLOCK,
    GET_CAPABILITIES = 127
};

enum block_flag { BLOCK_FIRST = 1, BLOCK_LAST = 2 };

/* What a data stage is for. */
enum stage {
    STAGE_NONE,
    STAGE_READ_FLASH,
    STAGE_READ_EEPROM,
    STAGE_WRITE_FLASH,
    STAGE_WRITE_EEPROM,
    STAGE_TPI_READ,
    STAGE_TPI_WRITE
};

#define CAPABILITY_TPI 0x00000001
#define CAPABILITY_SERIAL_BY_HID 0x00000020
#define CAPABILITY_HID_UART 0x00000080
#define CAPABILITY_3MHZ 0x01000000

/* SCK by option. Down to 93.75 kHz the SPI unit of the ATmega8 makes it from 12 MHz, below a loop.
 */
static const int32_t sck_by_option[] = {0,     500,   1000,   2000,   4000,   8000,    16000,
                                        32000, 93750, 187500, 375000, 750000, 1500000, 3000000};
#define OPTION_AUTO 0
#define OPTION_500HZ 1
#define OPTION_2KHZ 3
#define OPTION_8KHZ 5
#define OPTION_93KHZ 8
#define OPTION_187KHZ 9
#define OPTION_375KHZ 10
#define OPTION_1500KHZ 12
#define OPTION_3MHZ 13

/* Everything that the firmware waits for is counted in these. */
#define TICK_US 320
#define PAGE_WAIT_TICKS 15   /* where polling cannot tell */
#define EEPROM_WAIT_TICKS 30 /* after each byte */
#define POLL_TICKS 30        /* then it gives up, and nobody is told */
#define ENABLE_TRIES 32

#define LONG_LENGTHS 0xFFFF
#define SHORT_LENGTHS 0xFF

struct usbasp;

/* What the generations differ in. */
struct variant {
    uint32_t capabilities;    /* 0: the request is unknown */
    bool chooses_sck;         /* knows the requests for SCK… */
    bool has_long_addresses;  /* …and for addresses of 32 bits */
    bool loads_extended;      /* sends 4D by itself */
    bool slow_jumper;         /* fitted: CONNECT chooses 8 kHz */
    bool forgets_sck;         /* at DISCONNECT */
    bool enables_spi_late;    /* with ENABLEPROG; else with CONNECT */
    bool vendor_only;         /* looks at the type of a request */
    uint8_t auto_option;      /* what option 0 is */
    uint8_t last_option;      /* that it knows… */
    uint8_t beyond_option;    /* …and what it takes later ones for */
    uint8_t connect_extended; /* what CONNECT takes the target's extended address for */
    uint16_t length_mask;     /* of an IN transfer; all ones means "no answer yet" to V-USB */
    bool (*enable)(struct usbasp *usbasp);
};

struct usbasp {
    const struct variant *variant;
    struct usb_port *port;
    bool hung; /* in a loop that never ends; only unplugging helps */
    bool gone; /* a frame did not end: whatever follows has no effect */

    uint8_t option;         /* as stored; acts at the next CONNECT */
    uint8_t applied_option; /* 0: none yet */
    bool drives;            /* RESET, SCK and MOSI are outputs */
    bool spi_on;            /* the SPI unit; for options that use it */
    bool reset_high;        /* what RESET is, or will be when it is driven */

    enum stage stage;
    uint32_t address;
    bool ignores_addresses; /* those in requests: a long one was set since CONNECT */
    uint16_t bytes_left;    /* of the data stage, by the request */
    uint16_t reply_left;    /* of the data stage, as V-USB counts it */
    uint16_t page_bytes;
    uint8_t page_left; /* 8 bits: a page of 256 counts as 0 */
    uint8_t flags;
    uint8_t extended; /* what the target's extended address is taken for */
};

/* --- time and lines --- */

static bool is_stopped(const struct usbasp *usbasp)
{
    return usbasp->hung || usbasp->gone;
}

static void wait_ticks(struct usbasp *usbasp, int ticks)
{
    if (!is_stopped(usbasp)) {
        usb_port_spend(usbasp->port, (int64_t)ticks * TICK_US);
    }
}

static void drive_reset(struct usbasp *usbasp, bool high)
{
    usbasp->reset_high = high;
    if (!is_stopped(usbasp)) {
        usb_port_reset_line(usbasp->port, !high && usbasp->drives);
    }
}

static int64_t sck_hz(const struct usbasp *usbasp)
{
    return sck_by_option[usbasp->applied_option];
}

static bool uses_spi_unit(const struct usbasp *usbasp)
{
    return usbasp->applied_option >= OPTION_93KHZ;
}

static void apply_option(struct usbasp *usbasp, uint8_t option)
{
    const struct variant *variant = usbasp->variant;
    if (option > variant->last_option) {
        option = variant->beyond_option;
    }
    usbasp->applied_option = option == OPTION_AUTO ? variant->auto_option : option;
}

/* --- the target --- */

static int64_t frame_ns(const struct usbasp *usbasp)
{
    return INT64_C(32000000000) / sck_hz(usbasp);
}

/* While the SPI unit is off, its flag "transfer complete" never comes and the firmware waits for
 * it; before the first CONNECT it does not even know how to send a byte. A loop makes SCK also
 * while the lines are inputs. */
static void send_frame(struct usbasp *usbasp, const uint8_t mosi[4], uint8_t miso[4])
{
    memset(miso, 0xFF, 4);
    if (usbasp->applied_option == 0 || (uses_spi_unit(usbasp) && !usbasp->spi_on)) {
        usbasp->hung = true;
    }
    if (is_stopped(usbasp)) {
        return;
    }
    usb_port_spend_ns(usbasp->port, frame_ns(usbasp));
    if (usbasp->drives) {
        usbasp->gone = !usb_port_transfer(usbasp->port, mosi, miso, sck_hz(usbasp));
    }
}

static uint8_t exchange(struct usbasp *usbasp, uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    const uint8_t mosi[4] = {a, b, c, d};
    uint8_t miso[4];
    send_frame(usbasp, mosi, miso);
    return miso[3];
}

/* The firmware does not know when RESET made the target forget this. */
static void load_extended(struct usbasp *usbasp)
{
    uint8_t extended = (uint8_t)(usbasp->address >> 17);
    if (usbasp->variant->loads_extended && usbasp->extended != extended) {
        usbasp->extended = extended;
        exchange(usbasp, 0x4D, 0, extended, 0);
    }
}

static uint8_t at_word(struct usbasp *usbasp, uint8_t instruction, uint8_t data)
{
    uint32_t address = usbasp->address;
    load_extended(usbasp);
    return exchange(usbasp, instruction, (uint8_t)(address >> 9), (uint8_t)(address >> 1), data);
}

static uint8_t odd_byte(const struct usbasp *usbasp)
{
    return (usbasp->address & 1) != 0 ? 0x08 : 0;
}

static uint8_t read_flash(struct usbasp *usbasp)
{
    return at_word(usbasp, 0x20 | odd_byte(usbasp), 0);
}

static uint8_t read_eeprom(struct usbasp *usbasp)
{
    return exchange(usbasp, 0xA0, (uint8_t)(usbasp->address >> 8), (uint8_t)usbasp->address, 0);
}

/* Until the byte just written reads as something else than `unwritten`; `data` of that value could
 * not tell, so then a fixed time. */
static void wait_written(struct usbasp *usbasp, uint8_t data, uint8_t unwritten)
{
    if (data == unwritten) {
        wait_ticks(usbasp, PAGE_WAIT_TICKS);
        return;
    }
    int64_t waited_ns = 0;
    for (int ticks = 0; ticks < POLL_TICKS && !is_stopped(usbasp);) {
        if (read_flash(usbasp) != unwritten) {
            return;
        }
        waited_ns += frame_ns(usbasp);
        if (waited_ns > TICK_US * INT64_C(1000)) {
            waited_ns = 0;
            ticks++;
        }
    }
}

static void commit_page(struct usbasp *usbasp, uint8_t last_byte)
{
    at_word(usbasp, 0x4C, 0);
    wait_written(usbasp, last_byte, 0xFF);
}

/* Page size 0 is for parts that write byte by byte; those read 7F while they write. */
static void write_flash(struct usbasp *usbasp, uint8_t data)
{
    at_word(usbasp, 0x40 | odd_byte(usbasp), data);
    if (usbasp->page_bytes == 0) {
        wait_written(usbasp, data, 0x7F);
        return;
    }
    usbasp->page_left--;
    if (usbasp->page_left == 0) {
        commit_page(usbasp, data);
        usbasp->page_left = (uint8_t)usbasp->page_bytes;
    }
}

static void write_eeprom(struct usbasp *usbasp, uint8_t data)
{
    exchange(usbasp, 0xC0, (uint8_t)(usbasp->address >> 8), (uint8_t)usbasp->address, data);
    wait_ticks(usbasp, EEPROM_WAIT_TICKS);
}

/* --- ENABLEPROG, in each generation its own --- */

static bool is_enabled(struct usbasp *usbasp)
{
    static const uint8_t enable[4] = {0xAC, 0x53, 0, 0};
    uint8_t miso[4];
    send_frame(usbasp, enable, miso);
    return miso[2] == 0x53;
}

/* Since 1.4 each try that fails ends with a pulse on RESET. */
static bool enable_with_reset(struct usbasp *usbasp)
{
    for (int tries = 0; tries < ENABLE_TRIES && !is_stopped(usbasp); tries++) {
        if (is_enabled(usbasp)) {
            return true;
        }
        drive_reset(usbasp, true);
        drive_reset(usbasp, false);
    }
    return false;
}

/* Before, with one more pulse on SCK: enough for a target that missed one bit, and for no other. */
static bool enable_with_sck(struct usbasp *usbasp)
{
    for (int tries = 0; tries < ENABLE_TRIES && !is_stopped(usbasp); tries++) {
        if (is_enabled(usbasp)) {
            return true;
        }
    }
    return false;
}

/* nofeletru: tries the slower options after the one asked for, and once one works goes on with the
 * next slower. The SPI unit does not hear of that change, only the loop does. */
static bool enable_searching(struct usbasp *usbasp)
{
    if (enable_with_reset(usbasp)) {
        return true;
    }
    int option = usbasp->option == OPTION_AUTO ? OPTION_187KHZ : usbasp->option - 1;
    for (; option >= OPTION_2KHZ && !is_stopped(usbasp); option--) {
        apply_option(usbasp, (uint8_t)option);
        if (enable_with_reset(usbasp)) {
            if (option - 1 < OPTION_93KHZ) {
                apply_option(usbasp, (uint8_t)(option - 1));
            }
            return true;
        }
    }
    return false;
}

/* dioannidis: RESET pulse, 20 ms, AC 53; then the same with RESET high, for AT89S parts, after
 * which RESET stays high. */
#define RESET_TO_ENABLE_TICKS 62
#define AT89S_TICKS 5
#define STEP_TRIES 3

static bool enable_step(struct usbasp *usbasp)
{
    for (int tries = 0; tries < STEP_TRIES && !is_stopped(usbasp); tries++) {
        drive_reset(usbasp, true);
        wait_ticks(usbasp, 1);
        drive_reset(usbasp, false);
        wait_ticks(usbasp, RESET_TO_ENABLE_TICKS);
        if (is_enabled(usbasp)) {
            return true;
        }
        drive_reset(usbasp, true);
        wait_ticks(usbasp, AT89S_TICKS);
        if (exchange(usbasp, 0xAC, 0x53, 0, 0) == 0x69) {
            return true;
        }
    }
    return false;
}

/* The step that works is what is stored from then on; after the slowest comes option 0 with the SPI
 * unit off. */
static bool enable_stepping_down(struct usbasp *usbasp)
{
    if (usbasp->option == OPTION_AUTO) {
        usbasp->option = usbasp->variant->auto_option;
    }
    while (usbasp->option >= OPTION_500HZ && !is_stopped(usbasp)) {
        usbasp->spi_on = uses_spi_unit(usbasp);
        if (enable_step(usbasp)) {
            return true;
        }
        usbasp->spi_on = false;
        usbasp->option--;
        apply_option(usbasp, usbasp->option);
    }
    return false;
}

/* --- requests: how many bytes of reply, or what becomes of the data stage --- */

static int connect_target(struct usbasp *usbasp)
{
    const struct variant *variant = usbasp->variant;
    apply_option(usbasp, variant->slow_jumper ? OPTION_8KHZ : usbasp->option);
    usbasp->ignores_addresses = false;
    usbasp->drives = true;
    if (variant->enables_spi_late) {
        usbasp->spi_on = false;
        drive_reset(usbasp, usbasp->reset_high);
    } else {
        drive_reset(usbasp, false);
        drive_reset(usbasp, true);
        drive_reset(usbasp, false);
        usbasp->spi_on = uses_spi_unit(usbasp);
    }
    usbasp->extended = variant->connect_extended;
    return 0;
}

static int disconnect_target(struct usbasp *usbasp)
{
    usbasp->drives = false;
    usbasp->spi_on = false;
    drive_reset(usbasp, usbasp->variant->enables_spi_late && usbasp->reset_high);
    if (usbasp->variant->forgets_sck) {
        usbasp->option = OPTION_AUTO;
    }
    usb_port_let_go(usbasp->port);
    return 0;
}

static int transmit(struct usbasp *usbasp, const struct usb_setup *setup, uint8_t *reply)
{
    const uint8_t mosi[4] = {(uint8_t)setup->value, (uint8_t)(setup->value >> 8),
                             (uint8_t)setup->index, (uint8_t)(setup->index >> 8)};
    send_frame(usbasp, mosi, reply);
    return 4;
}

static int set_long_address(struct usbasp *usbasp, const struct usb_setup *setup)
{
    usbasp->ignores_addresses = true;
    usbasp->address = (uint32_t)setup->index << 16 | setup->value;
    return 0;
}

/* Any option is accepted. */
static int store_option(struct usbasp *usbasp, const struct usb_setup *setup, uint8_t *reply)
{
    usbasp->option = (uint8_t)setup->value;
    reply[0] = 0;
    return 1;
}

static int tell_capabilities(const struct usbasp *usbasp, uint8_t *reply)
{
    for (int i = 0; i < 4; i++) {
        reply[i] = (uint8_t)(usbasp->variant->capabilities >> 8 * i);
    }
    return 4;
}

/* V-USB counts an IN transfer with as many bits as it was built for, and has one count that means
 * that there is no answer yet. An OUT transfer ends when the firmware has had all its bytes;
 * without a data packet it never looks. */
static int begin_stage(struct usbasp *usbasp, const struct usb_setup *setup, enum stage stage)
{
    usbasp->stage = stage;
    usbasp->bytes_left = setup->length;
    usbasp->reply_left = setup->length & usbasp->variant->length_mask;
    if ((setup->request_type & 0x80) == 0) {
        return setup->length == 0 ? USB_SILENT : USB_STREAM;
    }
    if (usbasp->reply_left == usbasp->variant->length_mask) {
        return USB_SILENT;
    }
    return usbasp->reply_left == 0 ? 0 : USB_STREAM;
}

static int begin_block(struct usbasp *usbasp, const struct usb_setup *setup, enum stage stage)
{
    if (!usbasp->ignores_addresses) {
        usbasp->address = setup->value;
    }
    if (stage == STAGE_WRITE_FLASH) {
        /* Low byte: page size; high byte: four more bits of it, and the flags. */
        usbasp->page_bytes = (uint16_t)((setup->index & 0xFF) | (setup->index >> 12) << 8);
        usbasp->flags = (uint8_t)(setup->index >> 8 & 0x0F);
        if ((usbasp->flags & BLOCK_FIRST) != 0) {
            usbasp->page_left = (uint8_t)usbasp->page_bytes;
        }
    } else if (stage == STAGE_WRITE_EEPROM) {
        usbasp->page_bytes = 0;
        usbasp->flags = 0;
    }
    return begin_stage(usbasp, setup, stage);
}

/* No part on this bench speaks TPI: its line stays high. */
static int tpi_request(struct usbasp *usbasp, const struct usb_setup *setup, uint8_t *reply)
{
    switch (setup->request) {
    case TPI_CONNECT:
    case TPI_DISCONNECT:
        usbasp->drives = setup->request == TPI_CONNECT;
        drive_reset(usbasp, true);
        wait_ticks(usbasp, 3);
        drive_reset(usbasp, false);
        wait_ticks(usbasp, 16);
        return 0;
    case TPI_RAW_READ:
        reply[0] = 0xFF;
        return 1;
    case TPI_READ_BLOCK:
        return begin_stage(usbasp, setup, STAGE_TPI_READ);
    case TPI_WRITE_BLOCK:
        return begin_stage(usbasp, setup, STAGE_TPI_WRITE);
    default:
        return 0;
    }
}

static bool is_known(const struct usbasp *usbasp, const struct usb_setup *setup)
{
    const struct variant *variant = usbasp->variant;
    bool vendor = (setup->request_type & 0x7F) == 0x40; /* to the device */
    if (variant->vendor_only && !vendor) {
        return false;
    }
    switch (setup->request) {
    case SET_LONG_ADDRESS:
        return variant->has_long_addresses;
    case SET_SCK:
        return variant->chooses_sck;
    case GET_CAPABILITIES:
        return variant->capabilities != 0;
    case TPI_CONNECT:
    case TPI_DISCONNECT:
    case TPI_RAW_READ:
    case TPI_RAW_WRITE:
    case TPI_READ_BLOCK:
    case TPI_WRITE_BLOCK:
        return (variant->capabilities & CAPABILITY_TPI) != 0;
    default:
        return true; /* or unknown to all */
    }
}

static int answer(struct usbasp *usbasp, const struct usb_setup *setup, uint8_t *reply)
{
    switch (setup->request) {
    case CONNECT:
        return connect_target(usbasp);
    case DISCONNECT:
        return disconnect_target(usbasp);
    case TRANSMIT:
        return transmit(usbasp, setup, reply);
    case ENABLE_PROGRAMMING:
        reply[0] = usbasp->variant->enable(usbasp) ? 0 : 1;
        return 1;
    case READ_FLASH:
        return begin_block(usbasp, setup, STAGE_READ_FLASH);
    case READ_EEPROM:
        return begin_block(usbasp, setup, STAGE_READ_EEPROM);
    case WRITE_FLASH:
        return begin_block(usbasp, setup, STAGE_WRITE_FLASH);
    case WRITE_EEPROM:
        return begin_block(usbasp, setup, STAGE_WRITE_EEPROM);
    case SET_LONG_ADDRESS:
        return set_long_address(usbasp, setup);
    case SET_SCK:
        return store_option(usbasp, setup, reply);
    case GET_CAPABILITIES:
        return tell_capabilities(usbasp, reply);
    default:
        return tpi_request(usbasp, setup, reply);
    }
}

/* --- the interface of the model --- */

static void start(void *instance, const struct usb_firmware *firmware, struct usb_port *port)
{
    struct usbasp *usbasp = instance;
    usbasp->variant = firmware->variant;
    usbasp->port = port;
    drive_reset(usbasp, false);
}

static int setup_packet(void *instance, const struct usb_setup *setup,
                        uint8_t reply[USB_PACKET_BYTES])
{
    struct usbasp *usbasp = instance;
    usbasp->gone = false;
    if (usbasp->hung) {
        return USB_SILENT;
    }
    int count = is_known(usbasp, setup) ? answer(usbasp, setup, reply) : 0;
    if (usbasp->hung) {
        return USB_SILENT;
    }
    return count > setup->length ? setup->length : count;
}

/* All bytes of the block were there; a page that is not full is written only if the request said
 * that it is the last. */
static void end_block(struct usbasp *usbasp, uint8_t last_byte)
{
    usbasp->stage = STAGE_NONE;
    if ((usbasp->flags & BLOCK_LAST) != 0 && usbasp->page_left != usbasp->page_bytes) {
        commit_page(usbasp, last_byte);
    }
}

/* Bytes beyond those that the request told of are taken for EEPROM. */
static int write_packet(void *instance, const uint8_t *bytes, size_t count)
{
    struct usbasp *usbasp = instance;
    bool ended = false;
    if (usbasp->stage < STAGE_WRITE_FLASH || usbasp->stage == STAGE_TPI_READ) {
        return USB_STALL;
    }
    for (size_t i = 0; i < count && !is_stopped(usbasp); i++) {
        if (usbasp->stage == STAGE_WRITE_FLASH) {
            write_flash(usbasp, bytes[i]);
        } else if (usbasp->stage != STAGE_TPI_WRITE) {
            write_eeprom(usbasp, bytes[i]);
        }
        usbasp->bytes_left--;
        if (usbasp->bytes_left == 0) {
            end_block(usbasp, bytes[i]);
            ended = true;
        }
        usbasp->address++;
    }
    return usbasp->hung ? USB_SILENT : ended;
}

static int read_packet(void *instance, uint8_t *bytes, size_t count)
{
    struct usbasp *usbasp = instance;
    enum stage stage = usbasp->stage;
    if (stage != STAGE_READ_FLASH && stage != STAGE_READ_EEPROM && stage != STAGE_TPI_READ) {
        return USB_STALL;
    }
    if (count > usbasp->reply_left) {
        count = usbasp->reply_left;
    }
    for (size_t i = 0; i < count && !is_stopped(usbasp); i++) {
        bytes[i] = 0xFF;
        if (stage == STAGE_READ_FLASH) {
            bytes[i] = read_flash(usbasp);
        } else if (stage == STAGE_READ_EEPROM) {
            bytes[i] = read_eeprom(usbasp);
        }
        usbasp->address++;
    }
    usbasp->reply_left = (uint16_t)(usbasp->reply_left - count);
    return usbasp->hung ? USB_SILENT : (int)count;
}

/* --- devices that are no USBasp --- */

static void start_other(void *instance, const struct usb_firmware *firmware, struct usb_port *port)
{
    (void)instance;
    (void)firmware;
    usb_port_reset_line(port, false);
}

static int setup_other(void *instance, const struct usb_setup *setup,
                       uint8_t reply[USB_PACKET_BYTES])
{
    (void)instance;
    (void)setup;
    memset(reply, 0, USB_PACKET_BYTES);
    return 0;
}

/* --- the generations --- */

/* Up to 2007-10-23: 375 kHz, or 8 kHz by jumper; addresses of 16 bits. */
static const struct variant release_2007 = {
    .auto_option = OPTION_375KHZ,
    .last_option = OPTION_1500KHZ,
    .beyond_option = OPTION_375KHZ,
    .length_mask = SHORT_LENGTHS,
    .enable = enable_with_sck,
};

#define RELEASE_2011                                                                               \
    .capabilities = CAPABILITY_TPI, .chooses_sck = true, .has_long_addresses = true,               \
    .loads_extended = true, .auto_option = OPTION_375KHZ, .last_option = OPTION_1500KHZ,           \
    .beyond_option = OPTION_375KHZ, .length_mask = SHORT_LENGTHS, .enable = enable_with_reset

static const struct variant release_2011 = {RELEASE_2011};
static const struct variant release_2011_slow = {RELEASE_2011, .slow_jumper = true};

static const struct variant fork_dioannidis = {
    .capabilities = CAPABILITY_TPI | CAPABILITY_SERIAL_BY_HID | CAPABILITY_HID_UART,
    .chooses_sck = true,
    .has_long_addresses = true,
    .loads_extended = true,
    .forgets_sck = true,
    .enables_spi_late = true,
    .vendor_only = true,
    .auto_option = OPTION_1500KHZ,
    .last_option = OPTION_3MHZ,
    .beyond_option = OPTION_1500KHZ,
    .connect_extended = 0xFF, /* so that 4D is always sent */
    .length_mask = LONG_LENGTHS,
    .enable = enable_stepping_down,
};

static const struct variant fork_3mhz = {
    .capabilities = CAPABILITY_TPI | CAPABILITY_3MHZ,
    .chooses_sck = true,
    .has_long_addresses = true,
    .loads_extended = true,
    .auto_option = OPTION_375KHZ,
    .last_option = OPTION_3MHZ,
    .beyond_option = OPTION_375KHZ,
    .length_mask = LONG_LENGTHS,
    .enable = enable_searching,
};

#define USBASP(name_, variant_, ...)                                                               \
    {                                                                                              \
        .name = name_, .programmer = "usbasp", .identity = {__VA_ARGS__},                          \
        .instance_bytes = sizeof(struct usbasp), .start = start, .setup = setup_packet,            \
        .write = write_packet, .read = read_packet, .variant = variant_                            \
    }

#define OTHER(name_, ...)                                                                          \
    {                                                                                              \
        .name = name_, .programmer = "usbasp", .identity = {__VA_ARGS__}, .instance_bytes = 1,     \
        .start = start_other, .setup = setup_other                                                 \
    }

#define FISCHL "www.fischl.de"
#define VENDOR_SPECIFIC 0xFF
#define HID 0x03

/* 16C0:05DC is the pair that V-USB lends to any device with strings of its own. */
const struct usb_firmware usbasp_models[] = {
    USBASP("usbasp-2011", &release_2011, 0x16C0, 0x05DC, 0x0104, FISCHL, "USBasp", NULL,
           VENDOR_SPECIFIC, 0),
    USBASP("usbasp-2011-slow-jumper", &release_2011_slow, 0x16C0, 0x05DC, 0x0104, FISCHL, "USBasp",
           NULL, VENDOR_SPECIFIC, 0),
    USBASP("usbasp-2011-protostack", &release_2011, 0x16C0, 0x05DC, 0x0104, "Protostack Pty Ltd",
           "USBasp", NULL, VENDOR_SPECIFIC, 0),
    USBASP("usbasp-2009", &release_2007, 0x16C0, 0x05DC, 0x0102, FISCHL, "USBasp", NULL,
           VENDOR_SPECIFIC, 0),
    USBASP("usbasp-2005", &release_2007, 0x03EB, 0xC7B4, 0x0100, FISCHL, "USBasp", NULL,
           VENDOR_SPECIFIC, 0),
    USBASP("nibobee", &release_2011, 0x16C0, 0x092F, 0x0104, "www.nicai-systems.com", "NIBObee",
           NULL, VENDOR_SPECIFIC, 0),
    USBASP("usbasp-dioannidis", &fork_dioannidis, 0x16C0, 0x05DC, 0x0111, FISCHL, "USBasp", "0000",
           0, VENDOR_SPECIFIC),
    USBASP("usbasp-3mhz", &fork_3mhz, 0x16C0, 0x05DC, 0x0104, FISCHL, "USBasp", NULL,
           VENDOR_SPECIFIC, 0),
    OTHER("usbhid-lookalike", 0x03EB, 0xC8B4, 0x0100, "zhifengsoft", "USBHID", NULL, 0, HID),
    OTHER("vusb-ledcontrol", 0x16C0, 0x05DC, 0x0100, "obdev.at", "LEDControl", NULL,
          VENDOR_SPECIFIC, 0),
};

const size_t usbasp_model_count = sizeof usbasp_models / sizeof *usbasp_models;
