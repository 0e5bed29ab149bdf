/* What programmers that speak STK500 version 2 have in common (Atmel AVR068; AVR069 for the AVRISP
 * mkII): a command's body goes out, a reply's body comes back, which begins with the command's
 * number and a status. How bodies travel the two drivers add: stk500v2.c in frames over a serial
 * line, avrispmkii.c over bulk endpoints.
 *
 * - Blocks of flash and EEPROM go by the programmer's own commands. Everything else is one
 *   four-byte instruction at a time (1D, "SPI multi"), through isp_door_open(): the commands that
 *   erase (12) or write fuses (17) and lock bits (19) are never sent.
 * - Programmers remember the duration of SCK (98) and the polarity of RESET (9E), some of them in
 *   their EEPROM: both are read in each session, and written only where they are others.
 * - A page is written with a mode that says how to wait for it. Programmers poll RDY/BSY where they
 *   are told to, also on parts that have no such instruction and seem to be ready at once; their
 *   value polling takes any other value than one for the end. So RDY/BSY is for the parts that have
 *   it, and for others a time: either the programmer is told to wait that long, or this computer
 *   keeps back the end of the next command.
 * - A board that is lost is not reported: FF is read, with status OK. So each run of blocks ends
 *   with an instruction of which the board has to give back what it heard.
 *
 * After anything that failed on the link nothing more is sent in that session but what finds back
 * into step and lets go of the board. */
#ifndef JIGS_DRIVERS_STK500V2_COMMANDS_H
#define JIGS_DRIVERS_STK500V2_COMMANDS_H

#include "jigs/programmer.h"

#define STK500V2_BODY_BYTES 275
/* Command, status, 256 bytes and a second status, in whole USB packets of 64 bytes. */
#define STK500V2_REPLY_BYTES 320
#define STK500V2_SIGN_ON 0x01
#define STK500V2_SCK_COUNT 256

struct stk500v2;

struct stk500v2_command {
    const char *name; /* in messages */
    uint8_t body[STK500V2_BODY_BYTES];
    size_t count;
    size_t expected;     /* bytes of the reply when all is well; 0: at least two */
    bool ends_in_status; /* the last byte of the reply is one more status */
    bool changes_fuses;  /* sends a four-byte instruction that needs a permit */
    int64_t silence_us;  /* 0: two seconds */
    uint8_t reply[STK500V2_REPLY_BYTES];
    size_t received;
};

/* How bodies travel. */
struct stk500v2_transport {
    /* Sends the body and brings that of the reply. The programmer must not have all of the command
     * before stk500v2.busy_until_us. */
    int (*exchange)(struct stk500v2 *stk, struct stk500v2_command *command,
                    const struct operation *operation, struct failure *failure);
    /* After a failure: until the programmer signs on again. */
    int (*recover)(struct stk500v2 *stk, const struct operation *operation,
                   struct failure *failure);
    /* The end of a command can be kept back while its beginning is on its way. */
    bool keeps_back;
    /* Something else may answer in the programmer's place meanwhile: each session begins with a
     * sign-on. (Some units of the AVRISP mkII want only one until they are reset.) */
    bool signs_on_again;
};

struct stk500v2 {
    struct programmer base;
    const struct stk500v2_transport *transport;
    char sign_on[24]; /* what it says it is: "AVRISP_2" */
    uint8_t hardware, version[2];
    bool measures_supply;  /* parameter 94 */
    bool chooses_polarity; /* parameter 9E */
    bool waits_by_itself;  /* ignores what it is told about waiting: only mode "delay" */
    bool slow_wire;        /* commands take longer on their way than a part to write a page */
    bool out_of_step;      /* something failed on the link */
    bool engaged;          /* the board may be in reset */
    bool enabled;          /* the board answered: instructions may be sent */
    int64_t let_go_us;     /* when the board was let go last */
    int64_t busy_until_us; /* the board still writes what it was given last */
    enum part_memory next_memory;
    int64_t next_address; /* where the programmer's counter stands; -1: not known */
    /* What parameter 98 may be, fastest first. */
    int64_t sck_hz[STK500V2_SCK_COUNT];
    uint8_t sck_setting[STK500V2_SCK_COUNT];
    size_t sck_count;
};

/* ---- for claim ---- */

/* Adds a value of parameter 98; they come fastest first. */
void stk500v2_offer_sck(struct stk500v2 *stk, int64_t sck_hz, uint8_t setting);
/* Checks a reply to sign-on and takes its text. */
int stk500v2_take_sign_on(struct stk500v2 *stk, const struct stk500v2_command *command,
                          struct failure *failure);
int stk500v2_sign_on(struct stk500v2 *stk, const struct operation *operation,
                     struct failure *failure);
/* The versions, for people and for what is known of them. */
int stk500v2_read_versions(struct stk500v2 *stk, const struct operation *operation,
                           struct failure *failure);
/* FAILURE_PROGRAMMER_REFUSED where the programmer has no such parameter. */
int stk500v2_get_parameter(struct stk500v2 *stk, uint8_t parameter, uint8_t *value,
                           const struct operation *operation, struct failure *failure);
/* RESET is low-active on AVRs. A failure FAILURE_PROGRAMMER_REFUSED when it cannot be set. */
int stk500v2_set_polarity(struct stk500v2 *stk, const struct operation *operation,
                          struct failure *failure);
/* Lets go of the board, where it may be held. */
int stk500v2_let_go(struct stk500v2 *stk, const struct operation *operation,
                    struct failure *failure);

/* One command and its reply, which is checked. */
int stk500v2_ask(struct stk500v2 *stk, struct stk500v2_command *command,
                 const struct operation *operation, struct failure *failure);

/* ---- what the drivers' tables point to ---- */

int stk500v2_attach(struct programmer *programmer, const struct operation *operation,
                    struct failure *failure);
int stk500v2_release(struct programmer *programmer, const struct operation *operation,
                     struct failure *failure);
int stk500v2_instruct(struct programmer *programmer, const struct isp_instruction *instruction,
                      uint8_t *reply, const struct operation *operation, struct failure *failure);
int stk500v2_read(struct programmer *programmer, enum part_memory memory, uint32_t start,
                  uint8_t *bytes, uint32_t count, const struct operation *operation,
                  struct failure *failure);
int stk500v2_write(struct programmer *programmer, enum part_memory memory, uint32_t start,
                   const uint8_t *bytes, uint32_t count, struct fuse_permit *permit,
                   const struct operation *operation, struct failure *failure);

/* ---- pages ---- */

/* Data that could be taken for a command of its own when what stands before it on a serial line was
 * lost: such a page goes byte by byte. */
bool stk500v2_looks_like_frame(const uint8_t *bytes, uint32_t count);

/* ---- the shortest time ---- */

/* Microseconds of `bytes` over SPI; each takes four there with its instruction. */
int64_t stk500v2_spi_us(int64_t sck_hz, int64_t bytes);
/* What the programmer's microcontroller needs for them beside the bits, at its clock. */
int64_t stk500v2_own_us(int64_t crystal_hz, int64_t bytes);

#endif
