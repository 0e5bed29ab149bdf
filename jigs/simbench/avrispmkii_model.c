#include "jigs/simbench/avrispmkii_model.h"

#include <string.h>

#include "jigs/simbench/stk500v2_firmware.h"
#include "jigs/simbench/usb_port.h"

#define PACKET USB_BULK_PACKET_BYTES
#define PROGRAM_HEAD 10         /* of a program command, before the data */
#define MULTI_HEAD 4            /* of an SPI multi */
#define MULTI_MOST 254          /* one more, and LUFA refuses the transfer */
#define READ_PATIENCE_US 100000 /* so long LUFA waits for the rest of a command */

struct variant {
    const struct stk500v2_kind *kind;
    /* LUFA reads as many bytes as the command says; else it ends with a short packet. */
    bool counts_bytes;
    bool stalls_second_connect;
};

/* What comes first stays without power. */
struct avrispmkii {
    struct stk500v2_kept kept;
    const struct variant *variant;
    struct usb_port *port;
    struct stk500v2_lines lines;
    struct stk500v2_firmware firmware;
    size_t received;  /* of the command */
    bool ended;       /* with a short packet */
    bool wants_empty; /* the command is whole, but an empty packet is due */
    bool has_reply;   /* which the host has not taken yet… */
    size_t sent;      /* …but for so many bytes */
    int sign_ons;     /* since the bus was reset */
    bool stalls;
};

/* --- lines --- */

static int64_t now_us(void *context)
{
    return usb_port_now_us(context);
}

static void spend_ns(void *context, int64_t duration_ns)
{
    usb_port_spend_ns(context, duration_ns);
}

static void drive_reset(void *context, bool low)
{
    usb_port_reset_line(context, low);
}

static void let_go(void *context)
{
    usb_port_let_go(context);
}

static bool transfer(void *context, const uint8_t mosi[4], uint8_t miso[4], int64_t sck_hz)
{
    return usb_port_transfer(context, mosi, miso, sck_hz);
}

static int64_t supply_mv(void *context)
{
    return usb_port_supply_mv(context);
}

/* --- commands --- */

static bool is_program(const uint8_t *body)
{
    return body[0] == STK500V2_PROGRAM_FLASH || body[0] == STK500V2_PROGRAM_EEPROM;
}

static size_t block_length(const uint8_t *body)
{
    return (size_t)body[1] << 8 | body[2];
}

/* How many bytes LUFA reads of a command, as far as it knows yet; 0: all there are. A block that is
 * too long is refused by its head, and the rest taken for commands. */
static size_t wanted_bytes(const uint8_t *body, size_t received)
{
    static const struct {
        uint8_t command, bytes;
    } rows[] = {
        {STK500V2_SIGN_ON, 1},        {STK500V2_RESET_PROTECTION, 1},
        {STK500V2_SET_PARAMETER, 3},  {STK500V2_GET_PARAMETER, 2},
        {STK500V2_LOAD_ADDRESS, 5},   {STK500V2_ENTER, 12},
        {STK500V2_LEAVE, 3},          {STK500V2_CHIP_ERASE, 7},
        {STK500V2_READ_FLASH, 4},     {STK500V2_READ_EEPROM, 4},
        {STK500V2_PROGRAM_FUSE, 5},   {STK500V2_PROGRAM_LOCK, 5},
        {STK500V2_READ_FUSE, 6},      {STK500V2_READ_LOCK, 6},
        {STK500V2_READ_SIGNATURE, 6}, {STK500V2_READ_CALIBRATION, 6},
    };
    if (is_program(body)) {
        bool more = received >= PROGRAM_HEAD && block_length(body) <= STK500V2_BLOCK_MAX;
        return PROGRAM_HEAD + (more ? block_length(body) : 0);
    }
    if (body[0] == STK500V2_MULTI) {
        return MULTI_HEAD + (received >= MULTI_HEAD ? body[1] : 0);
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].command == body[0]) {
            return rows[i].bytes;
        }
    }
    return 0;
}

/* LUFA expects an empty packet after a program command that fills its last one. */
static bool needs_empty(const uint8_t *body)
{
    size_t length = block_length(body);
    return is_program(body) && length <= STK500V2_BLOCK_MAX &&
           (PROGRAM_HEAD + length) % PACKET == 0;
}

static bool is_whole(struct avrispmkii *programmer, size_t packet_bytes)
{
    const uint8_t *body = programmer->firmware.body;
    size_t wanted = programmer->variant->counts_bytes && programmer->received != 0
                        ? wanted_bytes(body, programmer->received)
                        : 0;
    programmer->ended = packet_bytes < PACKET;
    if (wanted == 0) {
        return programmer->ended;
    }
    if (programmer->received < wanted) {
        return false;
    }
    bool was_due = programmer->wants_empty;
    programmer->wants_empty = !was_due && needs_empty(body);
    return was_due || !programmer->wants_empty;
}

/* What its endpoints held is gone. */
static void forget(void *instance)
{
    struct avrispmkii *programmer = instance;
    programmer->received = programmer->sent = 0;
    programmer->ended = programmer->wants_empty = programmer->has_reply = false;
}

/* 0, or a refusal of the packet. */
static int execute(struct avrispmkii *programmer)
{
    struct stk500v2_firmware *firmware = &programmer->firmware;
    const struct variant *variant = programmer->variant;
    forget(programmer);
    programmer->sign_ons += firmware->body[0] == STK500V2_SIGN_ON;
    if (variant->stalls_second_connect && programmer->sign_ons > 1) {
        programmer->stalls = true;
        return USB_STALL;
    }
    if (variant->counts_bytes && firmware->body[0] == STK500V2_MULTI &&
        firmware->body[1] > MULTI_MOST) {
        return USB_STALL;
    }
    stk500v2_execute(firmware);
    programmer->has_reply = !firmware->gone && !firmware->hung;
    return 0;
}

/* --- packets --- */

static int write_packet(void *instance, uint8_t endpoint, const uint8_t *bytes, size_t count)
{
    struct avrispmkii *programmer = instance;
    struct stk500v2_firmware *firmware = &programmer->firmware;
    (void)endpoint;
    if (programmer->stalls) {
        return USB_STALL;
    }
    if (programmer->has_reply || firmware->hung) {
        return USB_SILENT;
    }
    if (count == 0 && programmer->received == 0) {
        if (!programmer->variant->counts_bytes) {
            return 0;
        }
        firmware->body[0] = 0; /* LUFA takes it for a command */
    }
    for (size_t i = 0; i < count && programmer->received < sizeof firmware->body; i++) {
        firmware->body[programmer->received++] = bytes[i];
    }
    return is_whole(programmer, count) ? execute(programmer) : 0;
}

/* When the rest of a command does not come, LUFA goes on with what lies in its memory. */
static int give_up_waiting(struct avrispmkii *programmer)
{
    if (programmer->received == 0 || !programmer->ended || programmer->wants_empty) {
        return USB_SILENT;
    }
    usb_port_spend(programmer->port, READ_PATIENCE_US);
    int answer = execute(programmer);
    return answer != 0 ? answer : programmer->has_reply ? 0 : USB_SILENT;
}

static int read_packet(void *instance, uint8_t endpoint, uint8_t *bytes, size_t most)
{
    struct avrispmkii *programmer = instance;
    const struct stk500v2_firmware *firmware = &programmer->firmware;
    (void)endpoint;
    if (programmer->stalls) {
        return USB_STALL;
    }
    if (!programmer->has_reply) {
        int answer = give_up_waiting(programmer);
        if (answer != 0) {
            return answer;
        }
    }
    size_t left = firmware->reply_count - programmer->sent;
    size_t count = left < most ? left : most;
    memcpy(bytes, firmware->reply + programmer->sent, count);
    programmer->sent += count;
    if (count < PACKET) {
        forget(programmer);
    }
    return (int)count;
}

/* --- life --- */

static void start(void *instance, const struct usb_firmware *usb, struct usb_port *port)
{
    struct avrispmkii *programmer = instance;
    programmer->variant = usb->variant;
    programmer->port = port;
    programmer->lines = (struct stk500v2_lines){.now_us = now_us,
                                                .spend_ns = spend_ns,
                                                .drive_reset = drive_reset,
                                                .let_go = let_go,
                                                .transfer = transfer,
                                                .supply_mv = supply_mv,
                                                .context = port};
    stk500v2_start(&programmer->firmware, programmer->variant->kind, &programmer->lines,
                   &programmer->kept);
}

static void bus_reset(void *instance)
{
    struct avrispmkii *programmer = instance;
    programmer->sign_ons = 0;
    programmer->stalls = false;
}

/* --- SCK --- */

/* AVR069, "PARAM_SCK_DURATION": from 51 Hz to 8 MHz. */
static const int32_t sck_table[] = {
    8000000, 4000000, 2000000, 1000000, 500000, 250000, 125000, 96386, 89888, 84211, 79208, 74767,
    70797,   67227,   64000,   61069,   58395,  55945,  51613,  49690, 47905, 46243, 43244, 41885,
    39409,   38278,   36200,   34335,   32654,  31129,  29740,  28470, 27304, 25724, 24768, 23461,
    22285,   21221,   20254,   19371,   18562,  17583,  16914,  16097, 15356, 14520, 13914, 13224,
    12599,   12031,   11511,   10944,   10431,  9963,   9468,   9081,  8612,  8239,  7851,  7498,
    7137,    6809,    6478,    6178,    5879,   5607,   5359,   5093,  4870,  4633,  4418,  4209,
    4019,    3823,    3645,    3474,    3310,   3161,   3011,   2869,  2734,  2611,  2484,  2369,
    2257,    2152,    2052,    1956,    1866,   1779,   1695,   1615,  1539,  1468,  1398,  1333,
    1271,    1212,    1155,    1101,    1049,   1000,   953,    909,   866,   826,   787,   750,
    715,     682,     650,     619,     590,    563,    536,    511,   487,   465,   443,   422,
    402,     384,     366,     349,     332,    317,    302,    288,   274,   261,   249,   238,
    226,     216,     206,     196,     187,    178,    170,    162,   154,   147,   140,   134,
    128,     122,     116,     111,     105,    100,    95,     91,    87,    83,    79,    75,
    72,      68,      65,      62,      59,     56,     54,     51,
};
#define SCK_COUNT (sizeof sck_table / sizeof *sck_table)

static int64_t sck_hz(uint8_t duration)
{
    return sck_table[duration < SCK_COUNT ? duration : SCK_COUNT - 1];
}

/* --- the programmers --- */

static const struct stk500v2_parameter genuine_parameters[] = {
    {0x80, 0, false}, /* build */
    {0x81, 0, false},
    {0x90, 1, false}, /* hardware */
    {0x91, 1, false}, /* firmware 1.10 */
    {0x92, 0x0A, false},
    {STK500V2_VTARGET, 0, false},
    {STK500V2_SCK_DURATION, 6, true},
    {STK500V2_RESET_POLARITY, 1, true},
    {0x9F, 0, true},
    {STK500V2_CONNECTION, 0, false},
    {0xA4, 0, true},
};

/* A clone on a part without an analogue input says 3.3 V, whatever it is. */
static const struct stk500v2_parameter lufa_parameters[] = {
    {0x80, 0, false}, /* build */
    {0x81, 0, false},
    {0x90, 0, false}, /* hardware */
    {0x91, 1, false}, /* firmware 1.17 */
    {0x92, 0x11, false},
    {STK500V2_VTARGET, 33, false},
    {STK500V2_SCK_DURATION, 6, true},
    {STK500V2_RESET_POLARITY, 1, true},
    {STK500V2_CONNECTION, 0, false},
    {0xA4, 0, true},
};

/* Times of their own are assumed: some hundred instructions for a command, a dozen for a byte. */
#define MKII                                                                                       \
    .name = "AVRISP_MK2", .sck_hz = sck_hz, .command_ns = 50000, .byte_ns = 1000,                  \
    .budget_us = 1000000, .says_ok_twice = true, .enter = stk500v2_enter,                          \
    .program = stk500v2_program, .wait_ready = stk500v2_wait_ready

static const struct stk500v2_kind genuine_kind = {
    MKII,
    .parameters = genuine_parameters,
    .parameter_count = sizeof genuine_parameters / sizeof *genuine_parameters,
    .budget_per_wait = true,
    .enter_by_command = true,
    .measures_target = true,
};
static const struct stk500v2_kind lufa_kind = {
    MKII,
    .parameters = lufa_parameters,
    .parameter_count = sizeof lufa_parameters / sizeof *lufa_parameters,
    .hangs_without_spi = true,
    .multi_stops_early = true,
};

static const struct variant genuine = {.kind = &genuine_kind};
static const struct variant second_connect = {.kind = &genuine_kind, .stalls_second_connect = true};
static const struct variant lufa = {.kind = &lufa_kind, .counts_bytes = true};

/* Universal Serial Bus Specification 1.1, tables 9-9 and 9-10: one interface of a class of its own
 * with two bulk endpoints. */
#define INTERFACES(in)                                                                             \
    {                                                                                              \
        9, USB_INTERFACE_DESCRIPTOR, 0, 0, 2, 0xFF, 0, 0, 0, 7, USB_ENDPOINT_DESCRIPTOR, (in), 2,  \
            PACKET, 0, 10, 7, USB_ENDPOINT_DESCRIPTOR, 0x02, 2, PACKET, 0, 10,                     \
    }
#define USB_INTERFACE_DESCRIPTOR 4
#define USB_ENDPOINT_DESCRIPTOR 5

static const uint8_t interfaces[] = INTERFACES(0x82);
static const uint8_t libusb_interfaces[] = INTERFACES(0x83);

#define MODEL(model, serial_text, numbered, interface_bytes, variant_of)                           \
    {                                                                                              \
        .name = (model), .programmer = "avrispmkii",                                               \
        .identity = {.vendor = 0x03EB,                                                             \
                     .product = 0x2104,                                                            \
                     .release = 0x0200,                                                            \
                     .manufacturer = "ATMEL",                                                      \
                     .product_name = "AVRISP mkII",                                                \
                     .serial = (serial_text),                                                      \
                     .device_class = 0xFF,                                                         \
                     .interface_class = 0xFF},                                                     \
        .is_numbered = (numbered), .instance_bytes = sizeof(struct avrispmkii),                    \
        .kept_bytes = sizeof(struct stk500v2_kept), .start = start, .full_speed = true,            \
        .interfaces = (interface_bytes), .interfaces_bytes = sizeof(interface_bytes),              \
        .interface_count = 1, .bulk_write = write_packet, .bulk_read = read_packet,                \
        .forget = forget, .bus_reset = bus_reset, .variant = (variant_of)                          \
    }

const struct usb_firmware avrispmkii_models[] = {
    MODEL("avrispmkii", "0000A00B0000", true, interfaces, &genuine),
    MODEL("avrispmkii-second-connect", "0000A00C0000", true, interfaces, &second_connect),
    MODEL("avrispmkii-lufa", "000200012345", false, interfaces, &lufa),
    MODEL("avrispmkii-lufa-libusb", "000200012345", false, libusb_interfaces, &lufa),
};
const size_t avrispmkii_model_count = sizeof avrispmkii_models / sizeof *avrispmkii_models;
