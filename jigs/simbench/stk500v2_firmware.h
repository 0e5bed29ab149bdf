/* What programmers with STK500 version 2 firmware have in common: a command's body in, a reply's
 * body out, on the clock and the ISP lines of the programmer. How bodies travel is not its affair.
 *
 * Source of the behaviour: AVR068 ("STK500 Communication Protocol") and AVR069 ("AVRISP mkII
 * Communication Protocol"); where those are silent, the open firmware of LUFA's AVRISP-MKII project
 * and of ScratchMonkey; nothing of it is copied. */
#ifndef JIGS_SIMBENCH_STK500V2_FIRMWARE_H
#define JIGS_SIMBENCH_STK500V2_FIRMWARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STK500V2_BODY_MAX 275
#define STK500V2_BLOCK_MAX 256
/* Command, status, 256 bytes, status; an SPI multi may ask for 255. */
#define STK500V2_REPLY_MAX (STK500V2_BLOCK_MAX + 8)
#define STK500V2_PARAMETERS_MAX 16

enum stk500v2_command {
    STK500V2_SIGN_ON = 0x01,
    STK500V2_SET_PARAMETER = 0x02,
    STK500V2_GET_PARAMETER = 0x03,
    STK500V2_LOAD_ADDRESS = 0x06,
    STK500V2_RESET_PROTECTION = 0x0A,
    STK500V2_ENTER = 0x10,
    STK500V2_LEAVE = 0x11,
    STK500V2_CHIP_ERASE = 0x12,
    STK500V2_PROGRAM_FLASH = 0x13,
    STK500V2_READ_FLASH = 0x14,
    STK500V2_PROGRAM_EEPROM = 0x15,
    STK500V2_READ_EEPROM = 0x16,
    STK500V2_PROGRAM_FUSE = 0x17,
    STK500V2_READ_FUSE = 0x18,
    STK500V2_PROGRAM_LOCK = 0x19,
    STK500V2_READ_LOCK = 0x1A,
    STK500V2_READ_SIGNATURE = 0x1B,
    STK500V2_READ_CALIBRATION = 0x1C,
    STK500V2_MULTI = 0x1D
};

enum stk500v2_status {
    STK500V2_OK = 0x00,
    STK500V2_TIMEOUT = 0x80,
    STK500V2_BUSY_TIMEOUT = 0x81,
    STK500V2_FAILED = 0xC0,
    STK500V2_BAD_CHECKSUM = 0xC1,
    STK500V2_UNKNOWN = 0xC9
};

enum stk500v2_parameter_id {
    STK500V2_VTARGET = 0x94,
    STK500V2_SCK_DURATION = 0x98,
    STK500V2_RESET_POLARITY = 0x9E,
    STK500V2_CONNECTION = 0xA1
};

/* The mode of a program command: how a byte or page is waited for. */
enum stk500v2_mode {
    STK500V2_MODE_PAGED = 0x01,
    STK500V2_MODE_WORD_DELAY = 0x02,
    STK500V2_MODE_WORD_VALUE = 0x04,
    STK500V2_MODE_WORD_READY = 0x08,
    STK500V2_MODE_PAGE_DELAY = 0x10,
    STK500V2_MODE_PAGE_VALUE = 0x20,
    STK500V2_MODE_PAGE_READY = 0x40,
    STK500V2_MODE_COMMIT = 0x80
};

struct stk500v2_firmware;

/* The programmer's clock and lines. */
struct stk500v2_lines {
    int64_t (*now_us)(void *context);
    void (*spend_ns)(void *context, int64_t duration_ns);
    void (*drive_reset)(void *context, bool low);
    void (*let_go)(void *context); /* no line to the board is driven any more */
    /* One frame; its time is spent already. False when something happened to the programmer. */
    bool (*transfer)(void *context, const uint8_t mosi[4], uint8_t miso[4], int64_t sck_hz);
    int64_t (*supply_mv)(void *context); /* the board's; for those that measure it, else NULL */
    void *context;
};

struct stk500v2_parameter {
    uint8_t id, value;
    bool writable;
};

/* What generations differ in. */
struct stk500v2_kind {
    const char *name; /* that it signs on with */
    const struct stk500v2_parameter *parameters;
    size_t parameter_count;
    int64_t (*sck_hz)(uint8_t duration); /* by parameter 98, which acts at the next ENTER */
    int64_t command_ns;                  /* its own time for a command… */
    int64_t byte_ns;                     /* …and for a byte on SPI, beside the bits */
    int64_t budget_us;                   /* how long it waits for the target in one command… */
    bool budget_per_wait;                /* …or each time */
    /* ENTER may take as long as the command says, and its failure is a timeout; else the budget. */
    bool enter_by_command;
    /* Whatever needs SPI before ENTER: waits without end for a byte to go out; else it fails. */
    bool hangs_without_spi;
    bool says_ok_twice;      /* to a write of a fuse or of lock bits */
    bool multi_stops_early;  /* an SPI multi sends no more than what it is to receive */
    bool measures_target;    /* its supply, and whether there is one */
    bool ignores_protection; /* does not know "reset protection" */
    /* Instead of all commands; NULL: they are as here. */
    uint8_t (*answer)(struct stk500v2_firmware *firmware);
    uint8_t (*enter)(struct stk500v2_firmware *firmware);
    uint8_t (*program)(struct stk500v2_firmware *firmware);
    uint8_t (*wait_ready)(struct stk500v2_firmware *firmware);
};

/* What it keeps in EEPROM; zeroed: as delivered. */
struct stk500v2_kept {
    bool written;
    uint8_t sck_duration, reset_polarity;
};

struct stk500v2_firmware {
    const struct stk500v2_kind *kind;
    const struct stk500v2_lines *lines;
    struct stk500v2_kept *kept; /* NULL: it forgets */
    bool gone;                  /* a frame did not end: whatever follows has no effect */
    bool hung;                  /* in a loop that never ends */
    uint8_t parameters[STK500V2_PARAMETERS_MAX]; /* their values, as in the kind's table */
    int64_t sck_hz;                              /* 0: SPI is off */
    uint32_t address;                            /* of a word in flash, of a byte in EEPROM */
    bool loads_extended;                         /* before the next byte */
    int64_t deadline_us;                         /* of this command */
    uint8_t frame[4];                            /* sent, but not a whole instruction yet */
    size_t frame_count;
    /* The command; what it is short of is what an earlier one left here. */
    uint8_t body[STK500V2_BODY_MAX];
    uint8_t reply[STK500V2_REPLY_MAX];
    size_t reply_count;
};

/* Power on or reset. `kept` may be NULL. */
void stk500v2_start(struct stk500v2_firmware *firmware, const struct stk500v2_kind *kind,
                    const struct stk500v2_lines *lines, struct stk500v2_kept *kept);
/* Carries out what stands in `body`; the answer is in `reply` then. */
void stk500v2_execute(struct stk500v2_firmware *firmware);

/* --- for kinds --- */

/* The next byte of the reply. */
void stk500v2_put(struct stk500v2_firmware *firmware, uint8_t byte);
/* 7.3728 MHz, the STK500's clock (AVR068, "PARAM_SCK_DURATION"). */
int64_t stk500v2_sck_of_stk500(uint8_t duration);
uint8_t stk500v2_parameter(const struct stk500v2_firmware *firmware, uint8_t id);
void stk500v2_delay_ms(struct stk500v2_firmware *firmware, unsigned duration_ms);
void stk500v2_hold_reset(struct stk500v2_firmware *firmware, bool reset);
/* One instruction; returns its fourth byte. */
uint8_t stk500v2_frame(struct stk500v2_firmware *firmware, uint8_t a, uint8_t b, uint8_t c,
                       uint8_t d);
void stk500v2_shift(struct stk500v2_firmware *firmware, const uint8_t *mosi, uint8_t *miso,
                    size_t count);
/* As AVR068 has them, and most do. */
uint8_t stk500v2_enter(struct stk500v2_firmware *firmware);
uint8_t stk500v2_program(struct stk500v2_firmware *firmware);
uint8_t stk500v2_wait_ready(struct stk500v2_firmware *firmware);

#endif
