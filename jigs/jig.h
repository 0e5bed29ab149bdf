/* A jig file: which programmer stands at which place for which site; and, for a simulated bench,
 * what simbench is to put there. */
#ifndef JIGS_JIG_H
#define JIGS_JIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jigs/place.h"
#include "reports/digest.h"
#include "reports/failure.h"

#define JIG_SITES_MAX 256
#define JIG_PATTERN_MAX 8

struct jig_site {
    int site; /* 1…JIG_SITES_MAX, as on the sticker */
    int line, column;
    int layout_row, layout_column; /* on the fixture, from 1; 0: the jig has no layout */
    char programmer[32];           /* a driver's name */
    struct place place;            /* PLACE_NONE on a simulated bench until it runs */
    unsigned baud;                 /* 0: the driver's default */
    int64_t supply_mv;             /* 0: not stated */
    /* simulated bench only */
    char model[32]; /* "arduino-uno-isp", "pro-micro-isp", "teensy-2.0-isp" */
    char board[32]; /* part on the boards that are put in */
    int64_t crystal_hz;
};

enum jig_fault_kind {
    JIG_FAULT_NO_BOARD,   /* the place stays empty for this board's turn */
    JIG_FAULT_WRONG_PART, /* another part sits on the board */
    JIG_FAULT_FLIP,       /* a bit turns over */
    JIG_FAULT_LOST_BYTE,  /* a byte vanishes on the wire */
    JIG_FAULT_HANG,       /* the programmer stops answering */
    JIG_FAULT_DEAD        /* the board stops answering */
};

enum jig_fault_wire {
    JIG_WIRE_TO_PROGRAMMER,   /* host to programmer */
    JIG_WIRE_FROM_PROGRAMMER, /* programmer to host */
    JIG_WIRE_TO_BOARD,        /* MOSI */
    JIG_WIRE_FROM_BOARD       /* MISO */
};

struct jig_fault {
    int site;      /* 0: every site */
    int64_t board; /* the site's n-th board, from 1; 0: every board */
    enum jig_fault_kind kind;
    enum jig_fault_wire wire;
    char part[32];                    /* wrong-part */
    double rate;                      /* flip, lost-byte: per byte, 0…1; 0: by position */
    uint8_t pattern[JIG_PATTERN_MAX]; /* by position: counted from where this was seen… */
    size_t pattern_count;             /* …or, when 0, from the first byte of the board's turn */
    int64_t offset; /* byte at this offset from there, 0: the pattern's first byte */
    uint8_t mask;   /* flip: bits to turn; 0: one bit by chance */
    int64_t times;  /* how often; 0: without end */
    int64_t after;  /* hang, dead: after this many instructions */
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

#endif
