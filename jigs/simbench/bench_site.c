#include "jigs/simbench/bench_site.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "jigs/simbench/board_record.h"
#include "jigs/simbench/reset_history.h"

struct bench_site {
    struct bench_site_options options;
    struct isp_port port;

    pthread_mutex_t lock; /* guards all below */
    struct fault_set *faults;
    struct bench_board board; /* number 0: none is in */
    int64_t boards_used;
    bool kept_out;     /* taken out by hand: only a hand puts the next one in */
    int64_t looks;     /* at the place since anything there answered */
    int64_t looks_due; /* so many of them until the next board comes */
    bool visited;      /* such a programmer has not let go of the board since RESET was low… */
    bool looked;       /* …and has asked it meanwhile */
    int64_t due_us;    /* the operator has the next board at hand from then on */
    struct reset_history reset; /* as the programmer drives it, on the wall clock */
};

static int64_t read_clock_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t clock_us(void)
{
    return read_clock_us(CLOCK_MONOTONIC);
}

/* --- boards come and go; the lock is held --- */

static bool has_more(const struct bench_site *site)
{
    int64_t limit = site->options.bench->boards;
    return limit == 0 || site->boards_used < limit;
}

static uint8_t bad_bits(void *context, enum part_memory memory, uint32_t start, uint32_t count)
{
    struct bench_site *site = context;
    return fault_set_bad_bits(site->faults, memory, start, count);
}

/* The fault of a kind that this board has from the start, counted; NULL: none. */
static const struct jig_fault *take_fault(struct bench_site *site, enum jig_fault_kind kind)
{
    const struct jig_fault *fault = fault_set_find(site->faults, kind);
    if (fault != NULL) {
        fault_set_applied(site->faults, fault);
    }
    return fault;
}

/* What boards with the right part carry already. */
static void preset(const struct bench_site *site, struct avr_target *target)
{
    const struct jig_contents *contents = site->options.contents;
    const struct jig_found *found = &site->options.site->found;
    if (contents->flash != NULL) {
        avr_target_preset(target, PART_FLASH, contents->flash->data, contents->flash->size);
    }
    if (contents->eeprom != NULL) {
        avr_target_preset(target, PART_EEPROM, contents->eeprom->data, contents->eeprom->size);
    }
    for (int i = 0; i < PART_FUSE_AND_LOCK_COUNT; i++) {
        if (found->given[i]) {
            avr_target_preset(target, (enum part_memory)(PART_FIRST_FUSE + i), &found->bytes[i], 1);
        }
    }
}

static struct avr_target *make_target(struct bench_site *site, const struct part *part)
{
    const struct jig_fault *slow_write = take_fault(site, JIG_FAULT_SLOW_WRITE);
    const struct jig_fault *slow_clock = take_fault(site, JIG_FAULT_SLOW_CLOCK);
    bool no_crystal = take_fault(site, JIG_FAULT_NO_CRYSTAL) != NULL;
    const struct avr_target_defects defects = {
        .write_factor = slow_write == NULL ? 0 : slow_write->factor,
        .clock_hz = slow_clock == NULL ? 0 : slow_clock->clock_hz,
        .bad_bits = bad_bits,
        .context = site,
    };
    site->board.is_slow = slow_write != NULL;
    struct avr_target *target = avr_target_create(
        part, no_crystal ? 0 : site->options.site->crystal_hz, site->options.real_pace);
    if (target != NULL) {
        if (part == site->options.part) {
            preset(site, target);
        }
        avr_target_set_defects(target, &defects);
        avr_target_drive_reset(target, reset_history_is_low(&site->reset));
    }
    return target;
}

static void put_in(struct bench_site *site)
{
    site->boards_used++;
    site->kept_out = false;
    site->looks = 0;
    site->board = (struct bench_board){.site = site->options.site->site,
                                       .number = site->boards_used,
                                       .in_us = read_clock_us(CLOCK_REALTIME)};
    fault_set_begin(site->faults, site->boards_used);
    if (take_fault(site, JIG_FAULT_NO_BOARD) != NULL) {
        return;
    }
    const struct part *part = site->options.part;
    const struct jig_fault *wrong = take_fault(site, JIG_FAULT_WRONG_PART);
    if (wrong != NULL) {
        part = site->options.find_part(site->options.context, wrong->part);
    }
    site->board.target = make_target(site, part);
    site->board.stuck_miso = take_fault(site, JIG_FAULT_STUCK_MISO);
    const struct jig_fault *no_supply = take_fault(site, JIG_FAULT_NO_SUPPLY);
    if (no_supply != NULL) {
        site->board.dead = true;
        site->board.dead_miso = no_supply->miso;
    }
}

/* `seen_us`: as somebody saw it then. What the programmer has done since is not the board's any
 * more. */
static void note_reset(struct bench_site *site, int64_t seen_us)
{
    site->board.in_reset = reset_history_was_low(&site->reset, seen_us);
}

static void take_out(struct bench_site *site)
{
    site->board.out_us = read_clock_us(CLOCK_REALTIME);
    site->options.record(site->options.context, board_record(&site->board, site->faults));
    avr_target_free(site->board.target);
    site->board = (struct bench_board){0};
    fault_set_begin(site->faults, 0);
    site->looks = 0;
    site->looks_due = site->options.empty_looks;
    site->due_us = clock_us() + site->options.empty_us;
}

/* The operator puts the next board in between two sessions, once the empty place was looked at
 * often enough. */
static void swap_when_due(struct bench_site *site)
{
    if (site->board.number != 0 && site->looks >= BENCH_SITE_EMPTY_LOOKS) {
        take_out(site);
    }
    if (site->board.number == 0 && !site->kept_out && has_more(site) &&
        site->looks >= site->looks_due && clock_us() >= site->due_us) {
        put_in(site);
    }
}

/* --- the ISP port --- */

static void drive_reset(void *context, bool low)
{
    struct bench_site *site = context;
    pthread_mutex_lock(&site->lock);
    if (low && !reset_history_is_low(&site->reset) && !site->visited) {
        swap_when_due(site);
    }
    reset_history_drive(&site->reset, low, read_clock_us(CLOCK_REALTIME));
    site->visited |= low && site->options.lets_go;
    if (site->board.target != NULL) {
        avr_target_drive_reset(site->board.target, low && !site->board.dead);
    }
    pthread_mutex_unlock(&site->lock);
}

static uint8_t undriven(struct bench_site *site, enum jig_miso miso)
{
    return miso == JIG_MISO_NOISE ? fault_set_noise(site->faults)
                                  : (uint8_t)(miso == JIG_MISO_LOW ? 0x00 : 0xFF);
}

/* A programmer without power lets go of the board at once, before anybody misses it. */
static void lose_power(struct bench_site *site)
{
    reset_history_drive(&site->reset, false, read_clock_us(CLOCK_REALTIME));
    site->visited = site->looked = false;
    if (site->board.target != NULL) {
        avr_target_drive_reset(site->board.target, false);
    }
}

/* What becomes of the programmer in this frame. */
static enum isp_mishap mishap_now(struct bench_site *site, int64_t *away_us)
{
    static const struct {
        enum jig_fault_kind kind;
        enum isp_mishap mishap;
    } mishaps[] = {
        {JIG_FAULT_PORT_GONE, ISP_MISHAP_UNPLUG},  {JIG_FAULT_RESET, ISP_MISHAP_RESET},
        {JIG_FAULT_HANG, ISP_MISHAP_HANG},         {JIG_FAULT_STALL, ISP_MISHAP_STALL},
        {JIG_FAULT_SHORT_REPLY, ISP_MISHAP_SHORT}, {JIG_FAULT_NAK, ISP_MISHAP_NAK},
    };
    for (size_t i = 0; i < sizeof mishaps / sizeof *mishaps; i++) {
        bool elsewhere = !site->options.usb && jig_fault_link(mishaps[i].kind) == JIG_LINK_USB;
        const struct jig_fault *fault =
            elsewhere ? NULL : fault_set_strikes(site->faults, mishaps[i].kind);
        if (fault != NULL) {
            *away_us = fault->duration_us;
            if (mishaps[i].mishap == ISP_MISHAP_UNPLUG) {
                lose_power(site);
            }
            return mishaps[i].mishap;
        }
    }
    return ISP_MISHAP_NONE;
}

/* Is there a contact for this frame? `*miso` receives what an undriven MISO reads. */
static bool has_contact(struct bench_site *site, enum jig_miso *miso)
{
    const struct jig_fault *dead = fault_set_strikes(site->faults, JIG_FAULT_DEAD);
    bool pulled = fault_set_strikes(site->faults, JIG_FAULT_PULLED) != NULL;
    const struct jig_fault *loose = fault_set_strikes(site->faults, JIG_FAULT_LOOSE_CONTACT);
    if ((dead != NULL || pulled) && !site->board.dead) {
        site->board.dead = true;
        site->board.dead_miso = dead != NULL ? dead->miso : JIG_MISO_HIGH;
    }
    if (site->board.dead) {
        *miso = site->board.dead_miso;
    } else if (loose != NULL) {
        *miso = loose->miso;
    }
    return !site->board.dead && loose == NULL;
}

static void pass_frame(struct bench_site *site, const uint8_t mosi[4], uint8_t miso[4],
                       int64_t sck_hz, int64_t now_us)
{
    uint8_t bytes[4];
    memcpy(bytes, mosi, 4);
    if (fault_set_strikes(site->faults, JIG_FAULT_POWER_LOSS) != NULL) {
        avr_target_cut_next_write(site->board.target);
        site->board.dead = true; /* from the next frame on */
    }
    /* A byte lost on MOSI is one the board was not clocked for: the frame stays open. */
    size_t count = fault_set_pass(site->faults, JIG_WIRE_TO_BOARD, bytes, 4, -1);
    for (size_t i = 0; i < count; i++) {
        miso[i] = avr_target_transfer(site->board.target, bytes[i], sck_hz, now_us);
    }
    fault_set_pass(site->faults, JIG_WIRE_FROM_BOARD, miso, 4, 0xFF);
}

/* A look at the place is an AC 53; it sees somebody when a part is in programming mode afterwards.
 * USB programmers send dozens, with pulses of RESET and ever slower SCK, when there is no answer:
 * that is one look, as long as they do not let go of the board. */
static void count_look(struct bench_site *site, int64_t enables, bool stuck)
{
    bool answered = site->board.target != NULL && !stuck &&
                    avr_target_counts(site->board.target)->enables != enables;
    if (answered) {
        site->looks = 0;
    } else if (!site->looked) {
        site->looks++;
    }
    site->looked = site->visited;
}

/* At fast pace the programmer's clock counts only what it was busy with; for a board that takes its
 * time that comes on top of the real time. */
static int64_t board_clock_us(const struct bench_site *site, int64_t now_us)
{
    return site->board.is_slow && !site->options.real_pace ? clock_us() + now_us : now_us;
}

static void shift_frame(struct bench_site *site, const uint8_t mosi[4], uint8_t miso[4],
                        int64_t sck_hz, int64_t now_us)
{
    enum jig_miso level = JIG_MISO_HIGH;
    const struct jig_fault *stuck = site->board.stuck_miso;
    struct avr_target *target = site->board.target;
    int64_t enables = target == NULL ? 0 : avr_target_counts(target)->enables;
    bool contact = target != NULL && has_contact(site, &level);
    if (contact) {
        pass_frame(site, mosi, miso, sck_hz, board_clock_us(site, now_us));
    }
    if (stuck != NULL && target != NULL && !site->board.dead) {
        level = stuck->miso;
        contact = false;
    }
    for (int i = 0; i < 4 && !contact; i++) {
        miso[i] = undriven(site, level);
    }
    if (mosi[0] == 0xAC && mosi[1] == 0x53) {
        count_look(site, enables, stuck != NULL);
    }
}

static enum isp_mishap transfer(void *context, const uint8_t mosi[4], uint8_t miso[4],
                                int64_t sck_hz, int64_t now_us, int64_t *away_us)
{
    struct bench_site *site = context;
    memset(miso, 0xFF, 4); /* MISO floats, pulled up */
    pthread_mutex_lock(&site->lock);
    site->board.frames++;
    fault_set_instruction(site->faults, mosi);
    enum isp_mishap mishap = mishap_now(site, away_us);
    if (mishap == ISP_MISHAP_NONE) { /* else the frame never ends */
        shift_frame(site, mosi, miso, sck_hz, now_us);
    }
    pthread_mutex_unlock(&site->lock);
    return mishap;
}

static const char *banner(void *context)
{
    struct bench_site *site = context;
    pthread_mutex_lock(&site->lock);
    const struct jig_fault *fault = take_fault(site, JIG_FAULT_BANNER);
    pthread_mutex_unlock(&site->lock);
    return fault == NULL ? NULL : fault->text; /* the jig's, which outlives us */
}

static void bootloader_page(void *context)
{
    struct bench_site *site = context;
    pthread_mutex_lock(&site->lock);
    site->board.bootloader_pages++;
    pthread_mutex_unlock(&site->lock);
}

#define USUAL_SUPPLY_MV 5000 /* of a site that does not state it */

/* Measuring an empty place is a look at it, too: who finds no supply may ask no further. */
static int64_t supply_mv(void *context)
{
    struct bench_site *site = context;
    pthread_mutex_lock(&site->lock);
    if (!reset_history_is_low(&site->reset) && !site->visited) {
        swap_when_due(site);
    }
    bool powered = site->board.target != NULL && !site->board.dead;
    site->looks += !powered && !site->visited;
    pthread_mutex_unlock(&site->lock);
    int64_t stated_mv = site->options.site->supply_mv;
    return !powered ? 0 : stated_mv != 0 ? stated_mv : USUAL_SUPPLY_MV;
}

static void let_go(void *context)
{
    struct bench_site *site = context;
    pthread_mutex_lock(&site->lock);
    site->visited = site->looked = false;
    pthread_mutex_unlock(&site->lock);
}

const struct isp_port *bench_site_port(const struct bench_site *site)
{
    return &site->port;
}

size_t bench_site_to_programmer(void *context, uint8_t *bytes, size_t count)
{
    struct bench_site *site = context;
    pthread_mutex_lock(&site->lock);
    count = fault_set_pass_stream(site->faults, JIG_WIRE_TO_PROGRAMMER, bytes, count);
    pthread_mutex_unlock(&site->lock);
    return count;
}

size_t bench_site_echo(void *context, uint8_t *bytes, size_t most)
{
    struct bench_site *site = context;
    pthread_mutex_lock(&site->lock);
    size_t count = fault_set_take_echo(site->faults, bytes, most);
    pthread_mutex_unlock(&site->lock);
    return count;
}

size_t bench_site_from_programmer(void *context, uint8_t *bytes, size_t count, int64_t *late_us)
{
    struct bench_site *site = context;
    pthread_mutex_lock(&site->lock);
    count = fault_set_pass_stream(site->faults, JIG_WIRE_FROM_PROGRAMMER, bytes, count);
    *late_us = fault_set_take_lateness_us(site->faults);
    pthread_mutex_unlock(&site->lock);
    return count;
}

size_t bench_site_to_usb(void *context, uint8_t *bytes, size_t count, bool *twice)
{
    struct bench_site *site = context;
    pthread_mutex_lock(&site->lock);
    count = fault_set_pass(site->faults, JIG_WIRE_TO_PROGRAMMER, bytes, count, -1);
    *twice = fault_set_take_twice(site->faults);
    pthread_mutex_unlock(&site->lock);
    return count;
}

size_t bench_site_from_usb(void *context, uint8_t *bytes, size_t count, int64_t *late_us)
{
    struct bench_site *site = context;
    pthread_mutex_lock(&site->lock);
    count = fault_set_pass(site->faults, JIG_WIRE_FROM_PROGRAMMER, bytes, count, -1);
    *late_us = fault_set_take_lateness_us(site->faults);
    pthread_mutex_unlock(&site->lock);
    return count;
}

size_t bench_site_opened(void *context, uint8_t *bytes, size_t most)
{
    struct bench_site *site = context;
    size_t count = 0;
    pthread_mutex_lock(&site->lock);
    const struct jig_fault *fault = take_fault(site, JIG_FAULT_GARBAGE);
    if (fault != NULL) {
        count = fault->pattern_count != 0 ? fault->pattern_count : (size_t)fault->count;
        count = count < most ? count : most;
    }
    for (size_t i = 0; i < count; i++) {
        bytes[i] = fault->pattern_count != 0 ? fault->pattern[i] : fault_set_noise(site->faults);
    }
    pthread_mutex_unlock(&site->lock);
    return count;
}

void bench_site_overrun(void *context, size_t count)
{
    struct bench_site *site = context;
    pthread_mutex_lock(&site->lock);
    site->board.receive_lost += (int64_t)count;
    pthread_mutex_unlock(&site->lock);
}

/* --- the operator --- */

void bench_site_lamp(struct bench_site *site, const char *verdict, int64_t shown_us)
{
    pthread_mutex_lock(&site->lock);
    if (site->board.number != 0 && (shown_us == 0 || site->board.in_us <= shown_us)) {
        snprintf(site->board.lamp, sizeof site->board.lamp, "%s", verdict);
        note_reset(site, shown_us == 0 ? read_clock_us(CLOCK_REALTIME) : shown_us);
        take_out(site);
        /* Somebody is at it again, perhaps with the next attempt: that looks for the board a few
         * times before it gives up, and only who looks afterwards sees that the place is empty. */
        bool is_at_it = reset_history_is_low(&site->reset) || site->visited;
        if (shown_us != 0 && is_at_it && reset_history_fell_after(&site->reset, shown_us)) {
            site->looks_due *= BENCH_SITE_ATTEMPT_LOOKS;
        }
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
    note_reset(site, read_clock_us(CLOCK_REALTIME));
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
    site->looks_due = options->empty_looks;
    site->faults = fault_set_create(options->bench, options->site->site, options->seed);
    if (site->faults == NULL) {
        free(site);
        return NULL;
    }
    pthread_mutex_init(&site->lock, NULL);
    site->port =
        (struct isp_port){drive_reset, transfer, banner, bootloader_page, let_go, supply_mv, site};
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
