#include "jigs/simbench/bench_site.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "jigs/simbench/board_record.h"

struct bench_site {
    struct bench_site_options options;
    struct isp_port port;

    pthread_mutex_t lock; /* guards all below */
    struct fault_set *faults;
    struct bench_board board; /* number 0: none is in */
    int64_t boards_used;
    bool kept_out;  /* taken out by hand: only a hand puts the next one in */
    int64_t looks;  /* at the place since nothing there answers */
    int64_t due_us; /* the operator has the next board at hand from then on */
    bool reset_low; /* as the programmer drives it */
};

static int64_t clock_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* --- boards come and go; the lock is held --- */

static bool has_more(const struct bench_site *site)
{
    int64_t limit = site->options.bench->boards;
    return limit == 0 || site->boards_used < limit;
}

static void put_in(struct bench_site *site)
{
    site->boards_used++;
    site->kept_out = false;
    site->looks = 0;
    site->board =
        (struct bench_board){.site = site->options.site->site, .number = site->boards_used};
    fault_set_begin(site->faults, site->boards_used);
    const struct jig_fault *fault = fault_set_find(site->faults, JIG_FAULT_NO_BOARD);
    if (fault != NULL) {
        fault_set_applied(site->faults, fault);
        return;
    }
    const struct part *part = site->options.part;
    fault = fault_set_find(site->faults, JIG_FAULT_WRONG_PART);
    if (fault != NULL) {
        fault_set_applied(site->faults, fault);
        part = site->options.find_part(site->options.context, fault->part);
    }
    site->board.target =
        avr_target_create(part, site->options.site->crystal_hz, site->options.real_pace);
    if (site->board.target != NULL) {
        avr_target_drive_reset(site->board.target, site->reset_low);
    }
}

static void take_out(struct bench_site *site)
{
    site->options.record(site->options.context, board_record(&site->board, site->faults));
    avr_target_free(site->board.target);
    site->board = (struct bench_board){0};
    fault_set_begin(site->faults, 0);
    site->looks = 0;
    site->due_us = clock_us() + site->options.empty_us;
}

/* The operator puts the next board in between two sessions, once the empty place was looked at. */
static void swap_when_due(struct bench_site *site)
{
    bool answers = site->board.target != NULL && !site->board.dead;
    if (site->board.number != 0 && !answers && site->looks >= BENCH_SITE_EMPTY_LOOKS) {
        take_out(site);
    }
    if (site->board.number == 0 && !site->kept_out && has_more(site) && site->looks > 0 &&
        clock_us() >= site->due_us) {
        put_in(site);
    }
}

/* --- the ISP port --- */

static void drive_reset(void *context, bool low)
{
    struct bench_site *site = context;
    pthread_mutex_lock(&site->lock);
    if (low && !site->reset_low) {
        swap_when_due(site);
    }
    site->reset_low = low;
    if (site->board.target != NULL) {
        avr_target_drive_reset(site->board.target, low);
    }
    pthread_mutex_unlock(&site->lock);
}

static bool hangs_now(struct bench_site *site)
{
    const struct jig_fault *fault = fault_set_find(site->faults, JIG_FAULT_HANG);
    if (fault == NULL || site->board.hung || site->board.frames <= fault->after) {
        return false;
    }
    fault_set_applied(site->faults, fault);
    site->board.hung = true;
    return true;
}

static bool is_dead(struct bench_site *site)
{
    const struct jig_fault *fault = fault_set_find(site->faults, JIG_FAULT_DEAD);
    if (fault != NULL && !site->board.dead && site->board.frames > fault->after) {
        fault_set_applied(site->faults, fault);
        site->board.dead = true;
    }
    return site->board.dead;
}

static void pass_frame(struct bench_site *site, const uint8_t mosi[4], uint8_t miso[4],
                       int64_t sck_hz, int64_t now_us)
{
    uint8_t bytes[4];
    memcpy(bytes, mosi, 4);
    /* A byte lost on MOSI is one the board was not clocked for: the frame stays open. */
    size_t count = fault_set_pass(site->faults, JIG_WIRE_TO_BOARD, bytes, 4, -1);
    for (size_t i = 0; i < count; i++) {
        miso[i] = avr_target_transfer(site->board.target, bytes[i], sck_hz, now_us);
    }
    fault_set_pass(site->faults, JIG_WIRE_FROM_BOARD, miso, 4, 0xFF);
}

static bool transfer(void *context, const uint8_t mosi[4], uint8_t miso[4], int64_t sck_hz,
                     int64_t now_us)
{
    struct bench_site *site = context;
    memset(miso, 0xFF, 4); /* MISO floats, pulled up */
    pthread_mutex_lock(&site->lock);
    site->board.frames++;
    bool hangs = hangs_now(site);
    if (hangs) {
        /* the frame never ends */
    } else if (site->board.target != NULL && !is_dead(site)) {
        pass_frame(site, mosi, miso, sck_hz, now_us);
    } else if (mosi[0] == 0xAC && mosi[1] == 0x53) {
        site->looks++;
    }
    pthread_mutex_unlock(&site->lock);
    return !hangs;
}

static void bootloader_page(void *context)
{
    struct bench_site *site = context;
    pthread_mutex_lock(&site->lock);
    site->board.bootloader_pages++;
    pthread_mutex_unlock(&site->lock);
}

const struct isp_port *bench_site_port(const struct bench_site *site)
{
    return &site->port;
}

static size_t pass_wire(struct bench_site *site, enum jig_fault_wire wire, uint8_t *bytes,
                        size_t count)
{
    pthread_mutex_lock(&site->lock);
    count = fault_set_pass(site->faults, wire, bytes, count, -1);
    pthread_mutex_unlock(&site->lock);
    return count;
}

size_t bench_site_to_programmer(void *site, uint8_t *bytes, size_t count)
{
    return pass_wire(site, JIG_WIRE_TO_PROGRAMMER, bytes, count);
}

size_t bench_site_from_programmer(void *site, uint8_t *bytes, size_t count)
{
    return pass_wire(site, JIG_WIRE_FROM_PROGRAMMER, bytes, count);
}

void bench_site_overrun(void *context, size_t count)
{
    struct bench_site *site = context;
    pthread_mutex_lock(&site->lock);
    site->board.receive_lost += (int64_t)count;
    pthread_mutex_unlock(&site->lock);
}

/* --- the operator --- */

void bench_site_lamp(struct bench_site *site, const char *verdict)
{
    pthread_mutex_lock(&site->lock);
    if (site->board.number != 0) {
        snprintf(site->board.lamp, sizeof site->board.lamp, "%s", verdict);
        take_out(site);
    }
    pthread_mutex_unlock(&site->lock);
}

int bench_site_remove(struct bench_site *site)
{
    pthread_mutex_lock(&site->lock);
    bool in = site->board.number != 0;
    if (in) {
        take_out(site);
    }
    site->kept_out = true;
    pthread_mutex_unlock(&site->lock);
    return in ? 0 : -1;
}

int bench_site_insert(struct bench_site *site)
{
    pthread_mutex_lock(&site->lock);
    bool can = site->board.number == 0 && has_more(site);
    if (can) {
        put_in(site);
    }
    pthread_mutex_unlock(&site->lock);
    return can ? 0 : -1;
}

int bench_site_write_record(struct bench_site *site, FILE *out)
{
    pthread_mutex_lock(&site->lock);
    bool in = site->board.number != 0;
    struct json_object *line = in ? board_record(&site->board, site->faults) : NULL;
    pthread_mutex_unlock(&site->lock);
    return line == NULL ? -1 : json_object_write_line(line, out);
}

/* --- life --- */

struct bench_site *bench_site_create(const struct bench_site_options *options)
{
    struct bench_site *site = calloc(1, sizeof *site);
    if (site == NULL) {
        return NULL;
    }
    site->options = *options;
    site->faults = fault_set_create(options->bench, options->site->site, options->seed);
    if (site->faults == NULL) {
        free(site);
        return NULL;
    }
    pthread_mutex_init(&site->lock, NULL);
    site->port = (struct isp_port){drive_reset, transfer, bootloader_page, site};
    put_in(site);
    return site;
}

void bench_site_free(struct bench_site *site)
{
    if (site != NULL) {
        avr_target_free(site->board.target);
        fault_set_free(site->faults);
        pthread_mutex_destroy(&site->lock);
        free(site);
    }
}
