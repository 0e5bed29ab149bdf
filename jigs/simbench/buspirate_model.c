#include "jigs/simbench/buspirate_model.h"

#include <stdlib.h>
#include <string.h>

#define BUFFER_BYTES 4096 /* "terminal buffer": what 04 and 05 take and give at most */
#define ZEROS_TO_ENTER 20 /* in a row at the terminal */
#define RESET_US 200000   /* until the terminal is there */
#define SELF_TEST_US 200000
#define BAUD 115200

enum reply { REPLY_BAD = 0x00, REPLY_GOOD = 0x01 };

/* What this generation of the firmware does. */
struct variant {
    const char *hardware, *firmware;
    bool writes_then_reads; /* 04 and 05 */
    bool streams;           /* …byte by byte, without a buffer; and refuses to do nothing */
    bool extended;          /* 06 */
    bool resets;            /* 0F starts it anew, with its greeting */
};

/* In mode 8x the four lines SCK, MOSI, CS drive high, else they only pull down. */
struct pirate {
    const struct wire_firmware_run *run;
    const struct variant *variant;
    struct wire *wire;
    const struct isp_port *port;
    bool powered, pulled_up, pushes, cs_low, in_spi;
    bool drives_reset; /* what the board was told last */
    int64_t sck_hz;
    int64_t spent_ns; /* less than a microsecond of SPI that is still to be spent */
    /* The board is reached in frames of four bytes; of the one under way, what has been shifted and
     * where the answers go. */
    uint8_t frame[4];
    uint8_t *answers[4];
    size_t framed;
    bool echoes; /* the board gave back what it heard, in the last whole frame */
    uint8_t buffer[BUFFER_BYTES];
};

enum buspirate_left buspirate_left_by_seed(uint64_t seed)
{
    return (enum buspirate_left)((seed ^ seed >> 7) % BUSPIRATE_LEFT_COUNT);
}

/* --- bytes --- */

static bool interrupted(const struct pirate *pirate)
{
    return wire_event(pirate->wire) != WIRE_EVENT_NONE;
}

/* Waits as long as it takes. After an event every byte is 0, and what the firmware still does has
 * no effect. */
static uint8_t get(struct pirate *pirate)
{
    int byte = wire_get(pirate->wire, WIRE_FOREVER);
    return byte < 0 ? 0 : (uint8_t)byte;
}

static uint32_t get_number(struct pirate *pirate, int bytes)
{
    uint32_t number = 0;
    for (int i = 0; i < bytes; i++) {
        number = number << 8 | get(pirate);
    }
    return number;
}

static void put(struct pirate *pirate, uint8_t byte)
{
    wire_put(pirate->wire, byte);
}

static void put_text(struct pirate *pirate, const char *text)
{
    for (; *text != '\0'; text++) {
        put(pirate, (uint8_t)*text);
    }
}

/* --- the lines to the board --- */

static bool reaches_board(const struct pirate *pirate)
{
    return pirate->in_spi && pirate->powered && (pirate->pushes || pirate->pulled_up);
}

/* The board sees RESET low or high: high also when it has no supply, or nobody drives the line. */
static void update_reset(struct pirate *pirate)
{
    bool low = pirate->in_spi && pirate->powered && pirate->cs_low;
    if (low != pirate->drives_reset && !interrupted(pirate)) {
        pirate->port->drive_reset(pirate->port->context, low);
        pirate->drives_reset = low;
        pirate->framed = 0;
    }
}

/* All pins inputs, supply off. */
static void release_pins(struct pirate *pirate)
{
    bool held = pirate->in_spi;
    pirate->in_spi = pirate->powered = pirate->pulled_up = pirate->pushes = pirate->cs_low = false;
    update_reset(pirate);
    pirate->framed = 0;
    if (held && !interrupted(pirate) && pirate->port->let_go != NULL) {
        pirate->port->let_go(pirate->port->context);
    }
}

static void spend_spi(struct pirate *pirate)
{
    pirate->spent_ns += 8 * INT64_C(1000000000) / pirate->sck_hz;
    if (pirate->spent_ns >= 1000) {
        wire_spend(pirate->wire, pirate->spent_ns / 1000);
        pirate->spent_ns %= 1000;
    }
}

static void pass_frame(struct pirate *pirate, uint8_t miso[4])
{
    wire_firmware_transfer(pirate->wire, pirate->port, pirate->sck_hz, pirate->frame, miso);
    pirate->echoes = miso[1] == pirate->frame[0] && miso[2] == pirate->frame[1];
}

/* Shifts one byte. The answer is there when the frame is whole; of one that stays open until the
 * command ends it is what a board gives back that has answered before. */
static void shift(struct pirate *pirate, uint8_t mosi, uint8_t *answer)
{
    uint8_t miso[4] = {0xFF, 0xFF, 0xFF, 0xFF};
    size_t place = pirate->framed;
    spend_spi(pirate);
    *answer = 0xFF;
    if (interrupted(pirate) || !reaches_board(pirate)) {
        return;
    }
    if (pirate->echoes && place > 0) {
        *answer = pirate->frame[place - 1];
    }
    pirate->frame[place] = mosi;
    pirate->answers[place] = answer;
    if (++pirate->framed < 4) {
        return;
    }
    pirate->framed = 0;
    pass_frame(pirate, miso);
    for (int i = 0; i < 4; i++) {
        if (pirate->answers[i] != NULL) {
            *pirate->answers[i] = miso[i];
        }
        pirate->answers[i] = NULL;
    }
}

/* A command is over: its answers have been sent. */
static void forget_answers(struct pirate *pirate)
{
    memset(pirate->answers, 0, sizeof pirate->answers);
}

/* --- SPI mode --- */

static void set_speed(struct pirate *pirate, uint8_t index)
{
    static const int64_t hz[8] = {30000,   125000,  250000,  1000000,
                                  2000000, 2666666, 4000000, 8000000};
    pirate->sck_hz = hz[index];
    pirate->cs_low = false; /* the whole setup is done again */
    update_reset(pirate);
}

static void transfer(struct pirate *pirate, size_t count)
{
    uint8_t answers[16] = {0};
    size_t sent = 0;
    put(pirate, REPLY_GOOD);
    for (size_t i = 0; i < count && !interrupted(pirate); i++) {
        shift(pirate, get(pirate), &answers[i]);
        /* The answers to a frame leave together, unless the host waits for each. */
        bool alone = i + 1 == count || !wire_has_more(pirate->wire);
        while (sent <= i && (pirate->framed == 0 || alone)) {
            put(pirate, answers[sent++]);
        }
    }
    forget_answers(pirate);
}

/* From a buffer: nothing is shifted before all of it is there. */
static void write_then_read_buffered(struct pirate *pirate, uint32_t writes, uint32_t reads)
{
    uint8_t unheard;
    if (writes > BUFFER_BYTES || reads > BUFFER_BYTES) {
        put(pirate, REPLY_BAD);
        return;
    }
    for (uint32_t i = 0; i < writes && !interrupted(pirate); i++) {
        pirate->buffer[i] = get(pirate);
    }
    for (uint32_t i = 0; i < writes; i++) {
        shift(pirate, pirate->buffer[i], &unheard);
    }
    for (uint32_t i = 0; i < reads; i++) {
        shift(pirate, 0xFF, &pirate->buffer[i]);
    }
    put(pirate, REPLY_GOOD);
    for (uint32_t i = 0; i < reads; i++) {
        put(pirate, pirate->buffer[i]);
    }
    forget_answers(pirate);
}

static void write_then_read_streaming(struct pirate *pirate, uint32_t writes, uint32_t reads)
{
    uint8_t answer;
    if (writes == 0 && reads == 0) {
        put(pirate, REPLY_BAD);
        return;
    }
    for (uint32_t i = 0; i < writes && !interrupted(pirate); i++) {
        shift(pirate, get(pirate), &answer);
    }
    put(pirate, REPLY_GOOD);
    for (uint32_t i = 0; i < reads && !interrupted(pirate); i++) {
        shift(pirate, 0xFF, &answer);
        put(pirate, answer);
    }
    forget_answers(pirate);
}

/* 05; 04 does the same with CS, which ends a programming session. */
static void write_then_read(struct pirate *pirate, bool with_cs)
{
    uint32_t writes = get_number(pirate, 2);
    uint32_t reads = get_number(pirate, 2);
    if (with_cs) {
        pirate->cs_low = true;
        update_reset(pirate);
    }
    if (pirate->variant->streams) {
        write_then_read_streaming(pirate, writes, reads);
    } else {
        write_then_read_buffered(pirate, writes, reads);
    }
    if (with_cs) {
        pirate->cs_low = false;
        update_reset(pirate);
    }
}

/* Of flash, by its own instructions: words below 64 Ki, and no extended address. */
static void read_flash(struct pirate *pirate)
{
    uint32_t word = get_number(pirate, 4);
    uint32_t count = get_number(pirate, 4);
    if (word > 0xFFFF || count > 0xFFFF || word + count > 0xFFFF) {
        put(pirate, REPLY_BAD);
        return;
    }
    uint8_t answers[4];
    put(pirate, REPLY_GOOD);
    for (uint32_t i = 0; i < count && !interrupted(pirate); i++) {
        uint32_t address = word + i / 2;
        const uint8_t bytes[4] = {i % 2 == 0 ? 0x20 : 0x28, (uint8_t)(address >> 8),
                                  (uint8_t)address, 0};
        for (int j = 0; j < 4; j++) {
            shift(pirate, bytes[j], &answers[j]);
        }
        put(pirate, answers[3]);
    }
    forget_answers(pirate);
}

static void extended(struct pirate *pirate)
{
    put(pirate, REPLY_GOOD);
    switch (get(pirate)) {
    case 0:
        put(pirate, REPLY_GOOD);
        break;
    case 1:
        put(pirate, REPLY_GOOD);
        put(pirate, 0);
        put(pirate, 1);
        break;
    case 2:
        read_flash(pirate);
        break;
    default:
        put(pirate, REPLY_BAD);
    }
}

static void set_peripherals(struct pirate *pirate, uint8_t bits)
{
    pirate->powered = (bits & 8) != 0;
    pirate->pulled_up = (bits & 4) != 0;
    pirate->cs_low = (bits & 1) == 0;
    if (!pirate->powered) {
        pirate->echoes = false;
    }
    update_reset(pirate);
    put(pirate, REPLY_GOOD);
}

static void drive_cs(struct pirate *pirate, bool low)
{
    pirate->cs_low = low;
    update_reset(pirate);
    put(pirate, REPLY_GOOD);
}

/* What it overhears until a byte comes: nothing, but its lines let go meanwhile. */
static void sniff(struct pirate *pirate)
{
    put(pirate, REPLY_GOOD);
    pirate->cs_low = false;
    update_reset(pirate);
    get(pirate);
}

static void run_low_command(struct pirate *pirate, uint8_t command)
{
    const struct variant *variant = pirate->variant;
    if (command == 1) {
        put_text(pirate, "SPI1");
    } else if (command == 2 || command == 3) {
        drive_cs(pirate, command == 2);
    } else if ((command == 4 || command == 5) && variant->writes_then_reads) {
        write_then_read(pirate, command == 4);
    } else if (command == 6 && variant->extended) {
        extended(pirate);
    } else if (command == 0x0D || command == 0x0E) {
        sniff(pirate);
    } else {
        put(pirate, REPLY_BAD);
    }
}

static void run_spi_command(struct pirate *pirate, uint8_t command)
{
    switch (command >> 4) {
    case 0:
        run_low_command(pirate, command);
        break;
    case 1:
        transfer(pirate, (size_t)(command & 0x0F) + 1);
        break;
    case 4:
        set_peripherals(pirate, command);
        break;
    case 6:
        set_speed(pirate, command & 7);
        put(pirate, REPLY_GOOD);
        break;
    case 8:
        pirate->pushes = (command & 8) != 0;
        pirate->cs_low = false;
        update_reset(pirate);
        put(pirate, REPLY_GOOD);
        break;
    default:
        put(pirate, REPLY_BAD);
    }
}

static void begin_spi(struct pirate *pirate)
{
    release_pins(pirate);
    pirate->in_spi = true;
    set_speed(pirate, 1);
}

/* Until 00. */
static void run_spi(struct pirate *pirate)
{
    uint8_t command;
    while (!interrupted(pirate) && (command = get(pirate)) != 0) {
        run_spi_command(pirate, command);
    }
    release_pins(pirate);
}

/* --- bit-bang mode --- */

/* Tells back what it hears until it is FF. */
static void test_itself(struct pirate *pirate)
{
    uint8_t byte;
    wire_spend(pirate->wire, SELF_TEST_US);
    put(pirate, 0);
    while (!interrupted(pirate) && (byte = get(pirate)) != 0xFF) {
        put(pirate, byte);
    }
    put(pirate, REPLY_GOOD);
}

/* Its probe hangs on the board's supply, which is 5 V when it is on. */
static void measure(struct pirate *pirate)
{
    unsigned reading = pirate->powered ? 5 * 10240 / 66 : 0;
    put(pirate, (uint8_t)(reading >> 8));
    put(pirate, (uint8_t)reading);
}

/* The modes that nobody here asked for. */
static void run_other_mode(struct pirate *pirate, uint8_t command)
{
    static const char *const names[] = {"I2C1", "ART1", "1W01", "RAW1", "OCD1", "PIC1"};
    put_text(pirate, names[command - 2]);
    while (!interrupted(pirate) && get(pirate) != 0) {
        put(pirate, REPLY_BAD);
    }
    put_text(pirate, "BBIO1");
}

static void run_bit_bang_command(struct pirate *pirate, uint8_t command)
{
    if (command >= 0x80) {
        pirate->powered = (command & 0x40) != 0;
        put(pirate, command);
    } else if (command >= 0x40) {
        put(pirate, command);
    } else if (command == 0) {
        put_text(pirate, "BBIO1");
    } else if (command == 1) {
        begin_spi(pirate);
        put_text(pirate, "SPI1");
        run_spi(pirate);
        put_text(pirate, "BBIO1");
    } else if (command <= 7) {
        run_other_mode(pirate, command);
    } else if (command == 0x10 || command == 0x11) {
        test_itself(pirate);
    } else if (command == 0x12 || command == 0x13) {
        get_number(pirate, command == 0x12 ? 5 : 0);
        put(pirate, REPLY_GOOD);
    } else if (command == 0x14) {
        measure(pirate);
    } else if (command == 0x15) {
        measure(pirate); /* again and again until a byte comes; once is enough here */
        get(pirate);
    } else if (command == 0x16) {
        for (int i = 0; i < 4; i++) {
            put(pirate, 0);
        }
    } else {
        put(pirate, REPLY_BAD);
    }
}

/* Until 0F. What becomes of it then is its terminal's business. */
static void run_bit_bang(struct pirate *pirate)
{
    uint8_t command;
    while (!interrupted(pirate) && (command = get(pirate)) != 0x0F) {
        run_bit_bang_command(pirate, command);
    }
    release_pins(pirate);
    put(pirate, REPLY_GOOD);
}

/* --- the terminal --- */

static void greet(struct pirate *pirate)
{
    put_text(pirate, "\r\n");
    put_text(pirate, pirate->variant->hardware);
    put_text(pirate, "\r\n");
    put_text(pirate, pirate->variant->firmware);
    put_text(pirate, "\r\nDEVID:0x0447 REVID:0x3046 (24FJ64GA002 B8)\r\n"
                     "http://dangerousprototypes.com\r\n");
}

static void start_up(struct pirate *pirate)
{
    const char *text =
        pirate->port->banner == NULL ? NULL : pirate->port->banner(pirate->port->context);
    if (pirate->run->real_pace) {
        wire_spend(pirate->wire, RESET_US);
    }
    if (text != NULL) {
        put_text(pirate, text);
    }
    greet(pirate);
    put_text(pirate, "HiZ>");
}

/* A menu takes its answer, or none, and is left. */
static void run_menu(struct pirate *pirate)
{
    uint8_t byte;
    while (!interrupted(pirate) && (byte = get(pirate)) != '\r') {
        put(pirate, byte);
    }
    put_text(pirate, "\r\nHiZ>");
}

static void run_line(struct pirate *pirate, uint8_t first, size_t length)
{
    put_text(pirate, "\r\n");
    if (length == 1 && first == 'i') {
        greet(pirate);
    } else if (length == 1 && first == '#') {
        put_text(pirate, "RESET\r\n");
        start_up(pirate);
        return;
    } else if (length == 1 && first == 'm') {
        put_text(pirate, "1. HiZ\r\n2. 1-WIRE\r\n3. UART\r\n4. I2C\r\n5. SPI\r\n"
                         "x. exit(without change)\r\n\r\n(1)>");
        run_menu(pirate);
        return;
    } else if (length > 0) {
        put_text(pirate, "Syntax error at char 1\r\n");
    }
    put_text(pirate, "HiZ>");
}

/* Until it is asked for the binary mode by zeros. */
static void run_terminal(struct pirate *pirate)
{
    size_t zeros = 0, length = 0;
    uint8_t first = 0;
    while (!interrupted(pirate) && zeros < ZEROS_TO_ENTER) {
        uint8_t byte = get(pirate);
        zeros = byte == 0 ? zeros + 1 : 0;
        if (byte == '\r') {
            run_line(pirate, first, length);
            length = 0;
        } else if (byte != 0 && byte != '\n') {
            put(pirate, byte);
            first = length == 0 ? byte : first;
            length++;
        }
    }
}

/* --- life --- */

/* Bit-bang mode, and back to the terminal. */
static void run_binary(struct pirate *pirate)
{
    run_bit_bang(pirate);
    if (pirate->variant->resets) {
        start_up(pirate);
    } else {
        put_text(pirate, "HiZ>");
    }
}

/* Whoever was here last did not clear up. */
static void go_on_as_left(struct pirate *pirate)
{
    enum buspirate_left left = buspirate_left_by_seed(pirate->run->seed);
    if (left == BUSPIRATE_LEFT_IN_TERMINAL) {
        return;
    }
    if (left == BUSPIRATE_LEFT_IN_MENU) {
        run_menu(pirate);
        return;
    }
    if (left != BUSPIRATE_LEFT_IN_BIT_BANG) {
        begin_spi(pirate);
        if (left == BUSPIRATE_LEFT_IN_TRANSFER) {
            transfer(pirate, 4);
        } else if (left == BUSPIRATE_LEFT_IN_WRITE_THEN_READ && !pirate->variant->streams) {
            write_then_read_buffered(pirate, BUFFER_BYTES, 0);
        }
        run_spi(pirate);
        put_text(pirate, "BBIO1");
    }
    run_binary(pirate);
}

static int run_pirate(const struct wire_firmware_run *run)
{
    struct pirate *pirate = calloc(1, sizeof *pirate);
    if (pirate == NULL) {
        return -1;
    }
    bool was_reset = false; /* it has been running since long before the host came */
    while (wire_event(run->wire) != WIRE_EVENT_STOP) {
        memset(pirate, 0, sizeof *pirate);
        *pirate = (struct pirate){.run = run,
                                  .variant = run->firmware->variant,
                                  .wire = run->wire,
                                  .port = run->port,
                                  .sck_hz = 125000};
        if (was_reset) {
            start_up(pirate);
        } else {
            go_on_as_left(pirate);
        }
        while (!interrupted(pirate)) {
            run_terminal(pirate);
            put_text(pirate, "BBIO1");
            run_binary(pirate);
        }
        /* At once: it may have been unplugged, and for long. */
        if (pirate->drives_reset) {
            run->port->drive_reset(run->port->context, false);
        }
        if (run->port->let_go != NULL) {
            run->port->let_go(run->port->context);
        }
        wire_restart(run->wire);
        was_reset = true;
    }
    free(pirate);
    return 0;
}

/* --- the units --- */

static const struct variant v3 = {.hardware = "Bus Pirate v3b",
                                  .firmware = "Firmware v6.1 r1676  Bootloader v4.4",
                                  .writes_then_reads = true,
                                  .extended = true,
                                  .resets = true};
static const struct variant v3_old = {.hardware = "Bus Pirate v3b",
                                      .firmware = "Firmware v5.9 (r539)  Bootloader v4.4",
                                      .resets = true};
static const struct variant v3_community = {.hardware = "Bus Pirate v3b",
                                            .firmware = "Community Firmware v7.1 - goo.gl/gCzQnW "
                                                        "[HiZ 1-WIRE UART I2C SPI]",
                                            .writes_then_reads = true,
                                            .streams = true,
                                            .extended = true,
                                            .resets = true};
static const struct variant v4 = {.hardware = "Bus Pirate v4",
                                  .firmware = "Firmware v6.3-r2151  Bootloader v1.6",
                                  .writes_then_reads = true,
                                  .extended = true};

/* Behind an FT232R, on a PIC whose UART holds four bytes. */
#define V3_LINE(LATENCY_US)                                                                        \
    {                                                                                              \
        .uart = true, .receive_bytes = 4, .latency_us = (LATENCY_US)                               \
    }

static const struct usb_identity v4_usb = {0x04D8,     0xFB00,     0x0100, "Dangerous Prototypes",
                                           "CDC Test", "00000001", 0x02,   0};

const struct wire_firmware buspirate_models[] = {
    {.name = "buspirate-v3",
     .baud = BAUD,
     .line = V3_LINE(1000),
     .run = run_pirate,
     .variant = &v3,
     .lets_go = true},
    {.name = "buspirate-v3-16ms",
     .baud = BAUD,
     .line = V3_LINE(16000),
     .run = run_pirate,
     .variant = &v3,
     .lets_go = true},
    {.name = "buspirate-v3-old",
     .baud = BAUD,
     .line = V3_LINE(1000),
     .run = run_pirate,
     .variant = &v3_old,
     .lets_go = true},
    {.name = "buspirate-v3-community",
     .baud = BAUD,
     .line = V3_LINE(1000),
     .run = run_pirate,
     .variant = &v3_community,
     .lets_go = true},
    {.name = "buspirate-v4",
     .baud = BAUD,
     .usb = &v4_usb,
     .run = run_pirate,
     .variant = &v4,
     .lets_go = true},
};
const size_t buspirate_model_count = sizeof buspirate_models / sizeof *buspirate_models;
