/* One site of the bench: the boards that come and go on it, the operator's hands, and the ISP port
 * between the programmer and the board that is in, with its faults. */
#ifndef JIGS_SIMBENCH_BENCH_SITE_H
#define JIGS_SIMBENCH_BENCH_SITE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "jigs/jig.h"
#include "jigs/simbench/isp_port.h"
#include "profiles/part.h"
#include "reports/json.h"

/* A place left empty for a board's turn (no-board), or a board that does not answer, is noticed by
 * the operator at the lamp, or after so many looks at it. */
#define BENCH_SITE_EMPTY_LOOKS 30
/* Of programmers whose drivers let go of the board between the SCKs that they try, of which there
 * are at most five. */
#define BENCH_SITE_SCK_LOOKS 6
/* Of an attempt whose board is taken out: a first one, three more tries, and one to spare. */
#define BENCH_SITE_ATTEMPT_LOOKS 5

struct bench_site;

struct bench_site_options {
    const struct jig_site *site;
    const struct jig_bench *bench;
    bool usb;     /* its programmer is one */
    bool lets_go; /* its programmer tells when it takes its hands off the board */
    bool real_pace;
    int64_t empty_us; /* the operator leaves the place empty so long at least… */
    /* …and until it was looked at so often in vain. Drivers that try one SCK after the other may
     * let go of the board in between: were the next one put in there, they would never know that
     * the place was empty. */
    int empty_looks;
    uint64_t seed;
    const struct part *part;             /* on the boards that are put in */
    const struct jig_contents *contents; /* that such boards are found with */
    /* A part by name, for boards with a wrong one. Never NULL for the bench's own faults. */
    const struct part *(*find_part)(void *context, const char *name);
    /* Takes the record of a board that leaves, and frees it. */
    void (*record)(void *context, struct json_object *line);
    void *context;
};

/* With its first board in. NULL when out of memory. Every function may be called by any thread. */
struct bench_site *bench_site_create(const struct bench_site_options *options);
void bench_site_free(struct bench_site *site);

/* The programmer's side. */
const struct isp_port *bench_site_port(const struct bench_site *site);
/* Bytes of a serial line, which may become more: they have room for WIRE_ROOM(count). */
size_t bench_site_to_programmer(void *site, uint8_t *bytes, size_t count);
size_t bench_site_from_programmer(void *site, uint8_t *bytes, size_t count, int64_t *late_us);
size_t bench_site_echo(void *site, uint8_t *bytes, size_t most);
size_t bench_site_opened(void *site, uint8_t *bytes, size_t most);
void bench_site_overrun(void *site, size_t count);
/* The same for the data packets of a USB programmer. */
size_t bench_site_to_usb(void *site, uint8_t *bytes, size_t count, bool *twice);
size_t bench_site_from_usb(void *site, uint8_t *bytes, size_t count, int64_t *late_us);

/* The operator's side. */
void bench_site_lamp(struct bench_site *site, const char *verdict, int64_t shown_us);
/* -1 when no board is in. */
int bench_site_remove(struct bench_site *site);
/* -1 when one is in already, or there are no more. */
int bench_site_insert(struct bench_site *site);
/* The JSON line about the board that is in; -1 when none is, or it could not be written. */
int bench_site_write_record(struct bench_site *site, FILE *out);

#endif
