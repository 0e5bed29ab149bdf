/* A jig file: which programmer stands at which place for which site; and, for a simulated bench,
 * what simbench is to put there. */
#ifndef JIGS_JIG_H
#define JIGS_JIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jigs/place.h"
#include "profiles/image.h"
#include "profiles/part.h"
#include "reports/digest.h"
#include "reports/failure.h"

#define JIG_SITES_MAX 256
#define JIG_PATTERN_MAX 8

/* What boards carry already when they are put in. */
struct jig_found {
    char *flash; /* image files, as opened: beside the jig file unless absolute; NULL: blank */
    char *eeprom;
    bool given[PART_FUSE_AND_LOCK_COUNT]; /* index: memory - PART_FIRST_FUSE; else as delivered */
    uint8_t bytes[PART_FUSE_AND_LOCK_COUNT];
    bool is_only_fuse; /* the first of them is named as a part's only fuse is */
};

struct jig_site {
    int site; /* 1…JIG_SITES_MAX, as on the sticker */
    int line, column;
    int layout_row, layout_column; /* on the fixture, from 1; 0: the jig has no layout */
    char programmer[32];           /* a driver's name */
    struct place place;            /* PLACE_NONE on a simulated bench until it runs */
    unsigned baud;                 /* 0: the driver's default */
    int64_t supply_mv;             /* 0: not stated */
    /* simulated bench only */
    char model[32]; /* of the programmer's firmware: "arduino-uno-isp", "usbasp-2011" */
    char board[32]; /* part on the boards that are put in */
    bool usb_port;  /* a serial programmer at its USB port, instead of a pseudo terminal */
    int64_t crystal_hz;
    struct jig_found found;
};

/* What may go wrong on a simulated bench, by its name in a jig file, and what describes it there.
 * Each may be bound to a site (`site`) and to its n-th board (`board`), else it is everybody's. All
 * chance comes from the bench's seed.
 *
 * Bytes on a wire: `rate` (per byte), or a position: `offset` bytes after the bench first saw
 * `match` on this wire in a board's turn, without `match` from the turn's beginning; `times`, by
 * position once. An offset below 0 is one before `match`, of bytes that pass together with it.
 *
 * Instructions, the four bytes of which the programmer shifts into the board: the first that begins
 * with `match` (or the `nth` such one), or without it the first of the board's turn; `after` so
 * many more; `times`, once, counts further ones. An instruction that something happens to is not
 * received, unless it says so here.
 *
 * A USB programmer's wires to and from the host carry the data of its own requests, not what stands
 * in their setup packets, in packets of 8 bytes. */
enum jig_fault_kind {
    JIG_FAULT_NO_BOARD,   /* no-board: the place stays empty for this board's turn */
    JIG_FAULT_WRONG_PART, /* wrong-part, `part`: another part sits on the board */
    JIG_FAULT_FLIP,       /* flip, `wire`, `mask`: a bit turns over */
    /* lost-byte, `wire`: a byte vanishes; over USB, a packet is shorter by it, and one that is
     * short ends what the device sends */
    JIG_FAULT_LOST_BYTE,
    /* hang, instruction: the programmer stops answering, until its port is opened again; over USB,
     * until it is unplugged or the host resets its bus */
    JIG_FAULT_HANG,
    /* dead, instruction, `miso`: from here on there is no contact; without an instruction none from
     * the start */
    JIG_FAULT_DEAD,
    /* loose-contact, instruction or `rate` (per instruction), `miso`: not received */
    JIG_FAULT_LOOSE_CONTACT,
    JIG_FAULT_STUCK_MISO, /* stuck-miso, `miso`: what the programmer reads, whatever is sent */
    /* bad-page, `address`, `memory`, `mask`, `times`: the bits of `mask` (all) in this page of
     * flash or byte of EEPROM are not written, `times` (always) */
    JIG_FAULT_BAD_PAGE,
    JIG_FAULT_BAD_FUSE, /* bad-fuse, `fuse`, `mask`, `times`: the same of a fuse or the lock byte */
    JIG_FAULT_SLOW_WRITE, /* slow-write, `factor`: writes take so many times the datasheet's time */
    JIG_FAULT_SLOW_CLOCK, /* slow-clock, `clock`: what it runs on, whatever its fuses say */
    JIG_FAULT_NO_CRYSTAL, /* no-crystal: it was forgotten, or is broken */
    /* garbage, `count` of bytes by chance or `bytes`, `times` (always): comes when the host opens
     * the port */
    JIG_FAULT_GARBAGE,
    JIG_FAULT_BANNER, /* banner, `text`, `times` (always): what the programmer's sketch prints when
                         it starts */
    JIG_FAULT_LATE_REPLY, /* late-reply, wire (from-programmer), `for`: the bytes come so much later
                           */
    /* reset, instruction: the programmer starts anew, with its bootloader if it has one; a USB
     * device keeps its address, and the transfer that it belongs to ends with a bus error */
    JIG_FAULT_RESET,
    /* port-gone, instruction, `for`: the programmer is unplugged for so long, then comes back at
     * the same place */
    JIG_FAULT_PORT_GONE,
    /* power-loss, instruction: it is received, but what it writes is half written; the board is
     * dead from then on */
    JIG_FAULT_POWER_LOSS,
    JIG_FAULT_PULLED, /* pulled, instruction: the board is taken out, in mid-work */
    JIG_FAULT_STALL,  /* stall, instruction: the USB transfer that it belongs to is refused… */
    /* short-reply, instruction: …or ends there as if it were whole, with fewer bytes than wanted…
     */
    JIG_FAULT_SHORT_REPLY,
    JIG_FAULT_NAK, /* nak, instruction: …or is not answered, until the host gives it up */
    /* duplicate-packet, wire (to-programmer): the packet with this byte arrives twice */
    JIG_FAULT_DUPLICATE_PACKET,
    /* Of serial programmers, on the wires to and from the host: */
    JIG_FAULT_DOUBLED_BYTE, /* doubled-byte, `wire`: a byte arrives twice */
    /* cut, wire (to-programmer), `for`: this byte is lost and, for so long, all others both ways;
     * nobody is told, and the programmer stays as it is */
    JIG_FAULT_CUT,
    /* echo: what the host sends comes back to it, at once, and the programmer hears it, too */
    JIG_FAULT_ECHO,
    /* old-reply: before this byte the reply to the earlier command comes once more; a reply is what
     * the programmer sends between two of the host's writes */
    JIG_FAULT_OLD_REPLY,
    /* wrong-mode, `bytes`, position (the turn's first byte): somebody has sent the programmer these
     * before, and it stands where they lead it: in the middle of a command, in another menu */
    JIG_FAULT_WRONG_MODE,
    /* no-supply, `miso`: the board is in, but has no supply, whoever should feed it; a programmer
     * that measures the board's supply, not its own, finds none */
    JIG_FAULT_NO_SUPPLY,
    JIG_FAULT_KINDS
};

/* Which programmers a kind of fault may happen to. */
enum jig_fault_link { JIG_LINK_ANY, JIG_LINK_SERIAL, JIG_LINK_USB };

enum jig_fault_wire {
    JIG_WIRE_TO_PROGRAMMER,   /* host to programmer */
    JIG_WIRE_FROM_PROGRAMMER, /* programmer to host */
    JIG_WIRE_TO_BOARD,        /* MOSI */
    JIG_WIRE_FROM_BOARD       /* MISO */
};

/* What the programmer reads on a MISO that no board drives. */
enum jig_miso { JIG_MISO_HIGH, JIG_MISO_LOW, JIG_MISO_NOISE };

struct jig_fault {
    int line, column;
    int site;      /* 0: every site */
    int64_t board; /* the site's n-th board, from 1; 0: every board */
    enum jig_fault_kind kind;
    enum jig_fault_wire wire;
    char part[32];                    /* wrong-part */
    double rate;                      /* 0…1; 0: by position */
    uint8_t pattern[JIG_PATTERN_MAX]; /* match; garbage, wrong-mode: the bytes */
    size_t pattern_count;             /* 0: none */
    /* On a wire: byte at this offset from there, 0: the pattern's first byte; below 0: before it,
     * in the same write of the host. */
    int64_t offset;
    uint8_t mask;     /* flip: bits to turn, 0: one by chance; bad-…: bits that do not change */
    int64_t times;    /* how often; 0: without end */
    int64_t nth;      /* instruction: the n-th that matches, from 1 */
    int64_t after;    /* instruction: so many later */
    int64_t count;    /* garbage */
    char text[64];    /* banner */
    double factor;    /* slow-write */
    int64_t clock_hz; /* slow-clock */
    int64_t duration_us; /* `for` */
    enum jig_miso miso;
    enum part_memory memory; /* bad-page: flash or EEPROM; bad-fuse: which */
    bool is_only_fuse;       /* bad-fuse: named as a part's only one is */
    uint32_t address;        /* bad-page */
};

struct jig_bench {
    bool simulated;
    bool real_pace;
    uint64_t seed;
    int64_t swap_us; /* the simulated operator's time from lamp to the next board */
    int64_t boards;  /* boards per site; 0: without end */
    struct jig_fault *faults;
    size_t fault_count;
};

struct jig {
    char *path;
    char sha256[DIGEST_TEXT_BYTES];
    char name[128];
    struct jig_site *sites; /* in the file's order */
    size_t site_count;
    int layout_rows, layout_columns; /* of the fixture; 0: not stated */
    int64_t contact_present_us;      /* a board must have answered this long; default 500 ms */
    int64_t contact_gone_us;         /* …and been gone this long; default 1 s */
    int64_t contact_poll_us;         /* between two looks; default 200 ms */
    struct jig_bench bench;
};

/* Loads and checks: sites, programmers by their drivers' names, places, layout, faults.
 * FAILURE_JIG_INVALID or FAILURE_PLACE_TWICE. The caller frees. */
int jig_load(const char *path, struct jig **jig, struct failure *failure);
/* The same from memory; `name` stands in the messages. */
int jig_parse(const char *name, const char *text, size_t bytes, struct jig **jig,
              struct failure *failure);
void jig_free(struct jig *jig);
/* NULL if there is none. */
const struct jig_site *jig_find_site(const struct jig *jig, int site);
/* The driver that a model of the simulated bench is for; NULL if there is none of that name. */
const char *jig_model_programmer(const char *model);
/* All models, by number from 0 on: name and driver; NULL after the last. */
const char *jig_model_at(size_t index, const char **programmer);

/* Are all parts there that its boards and faults name, have they the pages and fuses that its
 * faults name, by the part's own names, and can they carry what boards are to be found with?
 * FAILURE_JIG_INVALID, with the place in the jig file. */
int jig_check_parts(const struct jig *jig, const char *parts_directories, struct failure *failure);

/* The memories of a board as found; NULL: blank. */
struct jig_contents {
    struct image *flash;
    struct image *eeprom;
};
/* Loads what the boards of a site are found with. The caller frees. */
int jig_load_found(const struct jig *jig, const struct jig_site *site, const struct part *part,
                   struct jig_contents *contents, struct failure *failure);
void jig_free_contents(struct jig_contents *contents);

/* A clock as jig files have it: "16 MHz", "32768 Hz". -1 when it is none, or out of range. */
#define JIG_SLOWEST_CLOCK_HZ 32768
#define JIG_FASTEST_CLOCK_HZ 20e6
#define JIG_CLOCKS "32768 Hz to 20 MHz"
int jig_frequency_from_text(const char *text, int64_t *hz);

/* "flip", "to-programmer", as in jig files. */
const char *jig_fault_kind_name(enum jig_fault_kind kind);
const char *jig_fault_wire_name(enum jig_fault_wire wire);
/* The keys that describe a kind, besides `fault`, `site` and `board`, by number from 0 on; NULL
 * after the last. */
const char *jig_fault_key_at(enum jig_fault_kind kind, size_t index, bool *is_needed);
enum jig_fault_link jig_fault_link(enum jig_fault_kind kind);
/* Does it act on the bytes of a wire? On instructions? */
bool jig_fault_is_on_wire(enum jig_fault_kind kind);
bool jig_fault_is_on_instructions(enum jig_fault_kind kind);

#endif
