#include "station/attempt_steps.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/fuse_gate.h"
#include "profiles/fuse_words.h"
#include "station/plan_order.h"

struct attempt_byte *attempt_byte_of(struct attempt *attempt, enum part_memory memory)
{
    return &attempt->bytes[memory - PART_FIRST_FUSE];
}

void attempt_mark_touched(struct attempt *attempt, enum touched touched)
{
    if (attempt->record.touched < touched)
        attempt->record.touched = touched;
}

/* LB: mode 1 (11) locks nothing, mode 2 (10) only writing, mode 3 (00) reading, too: then flash and
 * EEPROM answer with an address (AVR datasheets, "Program And Data Memory Lock Bits"). The fourth
 * combination is none of the datasheets'. */
bool attempt_can_read_memories(const struct attempt *attempt)
{
    const struct attempt_byte *lock = &attempt->bytes[PART_LOCK - PART_FIRST_FUSE];
    enum part_memory memory;
    const struct part_field *modes = fuse_words_find(attempt->part, "LB", &memory);

    return modes != NULL && lock->exists && fuse_words_code(modes, lock->found) >= 2;
}

int attempt_read_memory(struct attempt *attempt, enum part_memory memory, uint32_t start,
                        uint8_t *bytes, uint32_t count, const struct operation *operation,
                        struct failure *failure)
{
    attempt->call_start = attempt->step_bytes;
    if (programmer_read(attempt->programmer, memory, start, bytes, count, operation, failure) < 0)
        return -1;
    attempt->step_bytes = attempt->call_start + count;
    return 0;
}

int attempt_write_memory(struct attempt *attempt, enum part_memory memory, uint32_t start,
                         const uint8_t *bytes, uint32_t count, const struct operation *operation,
                         struct failure *failure)
{
    attempt_mark_touched(attempt, TOUCHED_WRITTEN);
    attempt->call_start = attempt->step_bytes;
    if (programmer_write(attempt->programmer, memory, start, bytes, count, NULL, operation,
                         failure) < 0)
        return -1;
    attempt->step_bytes = attempt->call_start + count;
    return 0;
}

int attempt_read_byte(struct attempt *attempt, enum part_memory memory, uint8_t *value,
                      const struct operation *operation, struct failure *failure)
{
    return programmer_read(attempt->programmer, memory, 0, value, 1, operation, failure);
}

/* attach, identify */

static int step_attach(struct attempt *attempt, const struct operation *operation,
                       struct failure *failure)
{
    attempt->record.tries++;
    attempt->compared = attempt->fuses_read = false; /* in this try */
    attempt->stays_slow = attempt->was_sped_up;
    return attempt_begin_session(attempt, operation, failure);
}

int attempt_identify(struct attempt *attempt, const struct operation *operation,
                     struct failure *failure)
{
    uint8_t signature[3];

    if (programmer_identify(attempt->programmer, signature, operation, failure) < 0) {
        /* Its own signature, if only once: there was a board. */
        if (failure->code == FAILURE_CONTACT_UNSTABLE &&
            memcmp(signature, attempt->part->signature, sizeof signature) == 0)
            record_set_signature(attempt->record.signature, signature);
        return -1;
    }
    record_set_signature(attempt->record.signature, signature);
    return fuse_gate_enter_session(attempt->gate, attempt->programmer->session, signature, failure);
}

/* read */

static int read_byte_twice(struct attempt *attempt, enum part_memory memory, uint8_t *value,
                           const struct operation *operation, struct failure *failure)
{
    uint8_t again;

    if (attempt_read_byte(attempt, memory, value, operation, failure) < 0 ||
        attempt_read_byte(attempt, memory, &again, operation, failure) < 0)
        return -1;
    if (*value != again)
        return failure_set(failure, FAILURE_CONTACT_UNSTABLE, "%s reads 0x%02X, then 0x%02X",
                           part_memory_name(attempt->part, memory), *value, again);
    return 0;
}

/* Compares a new reading with what stands in the log's opening row already. */
static int check_unchanged(const struct attempt *attempt, enum part_memory memory, uint8_t value,
                           struct failure *failure)
{
    uint8_t before = attempt->bytes[memory - PART_FIRST_FUSE].found;

    if (attempt->record.attempt == 0 || value == before)
        return 0;
    return failure_set(failure, FAILURE_CONTACT_UNSTABLE, "%s read 0x%02X before, now 0x%02X",
                       part_memory_name(attempt->part, memory), before, value);
}

/* Decides about one byte. The chip erase before all writing sets the lock byte to FF, so it is
 * decided on that, whatever was found. */
static void decide_byte(struct attempt *attempt, enum part_memory memory)
{
    struct attempt_byte *byte = attempt_byte_of(attempt, memory);
    uint8_t before = memory == PART_LOCK ? ATTEMPT_BLANK : byte->found;
    enum fuse_decision decision = fuse_gate_decide(attempt->profile, memory, before, &byte->value);

    byte->expected = before;
    byte->to_write = decision == FUSE_DECISION_WRITTEN;
    byte->record->found = byte->found;
    byte->record->read_back = -1;
    byte->record->asked = decision == FUSE_DECISION_LEFT ? -1 : byte->value;
    /* Until it is sent it counts as not sent. */
    byte->record->decision = byte->to_write ? FUSE_DECISION_REFUSED : decision;
}

static void add_byte(struct attempt *attempt, enum part_memory memory)
{
    struct record_attempt *record = &attempt->record;
    struct attempt_byte *byte = attempt_byte_of(attempt, memory);

    if (byte->record == NULL)
        byte->record = &record->fuses[record->fuse_count++];
    byte->exists = true;
    record_set_text(byte->record->fuse, sizeof byte->record->fuse,
                    part_memory_name(attempt->part, memory));
}

/* EESAVE acts on an erase as it was when the session began; this attempt writes fuses only after
 * its last erase, but for clock fuses, whose byte has EESAVE only where there is no second erase.
 */
static void note_eesave(struct attempt *attempt)
{
    struct part_bit eesave = attempt->part->eesave;

    attempt->eeprom_survives_erase =
        eesave.mask != 0 && attempt_byte_of(attempt, eesave.memory)->exists &&
        part_bit_programmed(eesave, attempt_byte_of(attempt, eesave.memory)->found);
}

/* A board that might be lost between two writes is not begun. */
static int find_order(struct attempt *attempt, struct failure *failure)
{
    uint8_t found[PART_FUSE_AND_LOCK_COUNT];

    for (int i = 0; i < PART_FUSE_AND_LOCK_COUNT; i++)
        found[i] = attempt->bytes[i].found;
    if (plan_find_order(attempt->plan, found, &attempt->order, failure) < 0)
        return -1;
    attempt->clock_writes = attempt_count_clock_writes(attempt, found);
    return 0;
}

static int step_read(struct attempt *attempt, const struct operation *operation,
                     struct failure *failure)
{
    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++) {
        uint8_t value;

        if (!part_byte_is_programmable(attempt->part, memory))
            continue;
        if (read_byte_twice(attempt, memory, &value, operation, failure) < 0 ||
            check_unchanged(attempt, memory, value, failure) < 0)
            return -1;
        attempt_byte_of(attempt, memory)->found = value;
        add_byte(attempt, memory);
        decide_byte(attempt, memory);
    }
    note_eesave(attempt);
    attempt->fuses_read = true;
    return find_order(attempt, failure);
}

/* open */

static bool wants_open(const struct attempt *attempt)
{
    return attempt->record.attempt == 0 ||
           (attempt->kept_eeprom != NULL && !attempt->kept_is_saved);
}

static int open_row(struct attempt *attempt, struct failure *failure)
{
    attempt->record.clock_first = attempt_wants_clock_first(attempt);
    return log_open_attempt(attempt->options->log, &attempt->record, failure);
}

static int step_open(struct attempt *attempt, const struct operation *operation,
                     struct failure *failure)
{
    (void)operation;
    if (attempt->record.attempt == 0 && open_row(attempt, failure) < 0)
        return -1;
    return attempt->kept_eeprom != NULL ? attempt_save_eeprom(attempt, failure) : 0;
}

/* erase */

int attempt_reenter(struct attempt *attempt, const struct operation *operation,
                    struct failure *failure)
{
    if (attempt_let_go(attempt, failure) < 0)
        return -1;
    return attempt_begin_session(attempt, operation, failure);
}

/* After an erase the oldest parts want a pulse on RESET and to be enabled again (AT90S1200, 0838,
 * AT90S8535, 1041, "Serial Programming Algorithm"). They have no pages, or such as take longer than
 * any other's. */
#define OLDEST_PAGE_US 10000

static bool wants_pulse_after_erase(const struct part *part)
{
    return !part->flash.page_write || part->flash.write_delay_us > OLDEST_PAGE_US;
}

/* What was decided before the first erase hangs on the bytes found: EESAVE says whether the EEPROM
 * survives, the lock byte whether what was read of it is its content. A needle that bounced reads
 * 00 or FF, perhaps twice, but hardly again after the signature. */
static int check_found_again(struct attempt *attempt, const struct operation *operation,
                             struct failure *failure)
{
    if (attempt->record.touched != TOUCHED_NONE)
        return 0;
    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++) {
        uint8_t value;

        if (!attempt_byte_of(attempt, memory)->exists)
            continue;
        if (attempt_read_byte(attempt, memory, &value, operation, failure) < 0 ||
            check_unchanged(attempt, memory, value, failure) < 0)
            return -1;
    }
    return attempt_identify(attempt, operation, failure);
}

static int step_erase(struct attempt *attempt, const struct operation *operation,
                      struct failure *failure)
{
    struct fuse_permit *permit;

    if (attempt_identify(attempt, operation, failure) < 0 ||
        check_found_again(attempt, operation, failure) < 0 ||
        fuse_gate_permit_erase(attempt->gate, &permit, failure) < 0)
        return -1;
    attempt_mark_touched(attempt, TOUCHED_ERASED);
    attempt->kept_is_owed = attempt->kept_eeprom != NULL;
    if (programmer_erase(attempt->programmer, permit, operation, failure) < 0)
        return -1;
    if (!wants_pulse_after_erase(attempt->part))
        return 0;
    return attempt_reenter(attempt, operation, failure) < 0
               ? -1
               : attempt_identify(attempt, operation, failure);
}

/* flash, eeprom */

static bool wants_flash(const struct attempt *attempt)
{
    return attempt->plan->write_bytes > 0;
}

static int step_flash(struct attempt *attempt, const struct operation *operation,
                      struct failure *failure)
{
    const struct image *image = attempt->profile->flash;
    uint32_t page_size = attempt->part->flash.page_size;
    struct image_range range = {0, 0};

    attempt->step_total = attempt->plan->write_bytes;
    while (image_next_page_run(image, range.end, page_size, true, &range))
        if (attempt_write_memory(attempt, PART_FLASH, range.start, image->data + range.start,
                                 range.end - range.start, operation, failure) < 0)
            return -1;
    return 0;
}

/* release */

static int step_release(struct attempt *attempt, const struct operation *operation,
                        struct failure *failure)
{
    (void)operation;
    return attempt_let_go(attempt, failure);
}

int attempt_let_go(struct attempt *attempt, struct failure *failure)
{
    if (attempt->gate != NULL)
        fuse_gate_leave_session(attempt->gate);
    return programmer_release(attempt->programmer, failure);
}

bool attempt_is_proved(const struct attempt *attempt)
{
    if (!attempt->verified || attempt->kept_is_owed)
        return false;
    if (!attempt->already && attempt_wants_keep(attempt) && attempt->kept_eeprom == NULL &&
        attempt->found_eeprom == NULL)
        return false;
    for (int i = 0; i < PART_FUSE_AND_LOCK_COUNT; i++) {
        const struct attempt_byte *byte = &attempt->bytes[i];

        if (!byte->exists)
            continue;
        if (byte->record->read_back < 0 || byte->record->decision == FUSE_DECISION_REFUSED ||
            byte->record->decision == FUSE_DECISION_UNKNOWN)
            return false;
    }
    return true;
}

/* How long each takes. Guesses on the slow side where there is no formula; at the SCK that is in
 * use, where it is chosen. */

#define WRITE_BYTE_US 1200 /* of flash, at 19200 baud, where the driver has no formula */
#define READ_BYTE_US 600
#define EEPROM_WRITE_US 20000 /* a byte by one instruction at 19200 baud, and the wait */
#define EEPROM_READ_US 5500
#define SESSION_US 100000
#define FEW_INSTRUCTIONS_US 100000
#define INSTRUCTION_BITS 32

static int64_t expect_session(const struct attempt *attempt)
{
    (void)attempt;
    return SESSION_US;
}

static bool chooses_sck(const struct attempt *attempt)
{
    return attempt->programmer->driver->sck_hz == 0 && attempt->programmer->sck_hz > 0;
}

static int64_t expect_bytes_at(const struct attempt *attempt, uint32_t count, int64_t usual_us,
                               int64_t sck_hz)
{
    int64_t sck_us = chooses_sck(attempt) ? INSTRUCTION_BITS * INT64_C(1000000) / sck_hz : 0;

    return count * (usual_us + sck_us);
}

/* `count` bytes by an instruction each, which take `usual_us` each but for a slow SCK. */
static int64_t expect_bytes(const struct attempt *attempt, uint32_t count, int64_t usual_us)
{
    return expect_bytes_at(attempt, count, usual_us, attempt->programmer->sck_hz);
}

static int64_t expect_few(const struct attempt *attempt)
{
    (void)attempt;
    return FEW_INSTRUCTIONS_US;
}

/* Whether there is one turns out late, and it is short. */
static int64_t expect_speed(const struct attempt *attempt)
{
    return attempt->programmer->driver->sck_hz == 0 ? SESSION_US : 0;
}

/* Both memories twice; a board that is to be done anew is known as such soon. */
static int64_t expect_compare(const struct attempt *attempt)
{
    const struct part *part = attempt->part;

    if (!attempt_wants_compare(attempt) || (attempt->compared && !attempt->already))
        return 0;
    return FEW_INSTRUCTIONS_US + 2 * (expect_bytes(attempt, part->flash.size, READ_BYTE_US) +
                                      expect_bytes(attempt, part->eeprom.size, EEPROM_READ_US));
}

static int64_t expect_keep(const struct attempt *attempt)
{
    if (!attempt_wants_keep(attempt))
        return 0;
    return FEW_INSTRUCTIONS_US +
           (attempt_clears_kept(attempt) ? 2 : 1) *
               expect_bytes(attempt, attempt->part->eeprom.size, EEPROM_READ_US);
}

static int64_t expect_erase(const struct attempt *attempt)
{
    return FEW_INSTRUCTIONS_US + attempt->part->chip_erase_delay_us;
}

static int64_t expect_clock_first(const struct attempt *attempt)
{
    return attempt_wants_clock_first(attempt) || attempt->owes_flash
               ? FEW_INSTRUCTIONS_US + SESSION_US
               : 0;
}

/* The driver's floor is for writing and verifying together: it is shared out by bytes. */
static int64_t flash_share(const struct attempt *attempt, int64_t share_us)
{
    const struct plan *plan = attempt->plan;
    int64_t floor_us =
        chooses_sck(attempt) ? plan_floor_us(plan, attempt_flash_sck_hz(attempt)) : plan->floor_us;
    int64_t all_us =
        (int64_t)plan->write_bytes * WRITE_BYTE_US + (int64_t)plan->verify_bytes * READ_BYTE_US;

    if (floor_us == 0 || all_us == 0)
        return share_us;
    return (int64_t)((double)floor_us * (double)share_us / (double)all_us);
}

static int64_t expect_flash(const struct attempt *attempt)
{
    return flash_share(attempt, (int64_t)attempt->plan->write_bytes * WRITE_BYTE_US);
}

static int64_t expect_eeprom(const struct attempt *attempt)
{
    uint32_t writes = attempt->part->eeprom.size;

    if (!attempt_wants_eeprom(attempt))
        return 0;
    if (attempt->kept_eeprom == NULL && !attempt->eeprom_survives_erase)
        writes = attempt->profile->eeprom->count;
    return expect_bytes_at(attempt, writes, EEPROM_WRITE_US, attempt_flash_sck_hz(attempt));
}

static int64_t expect_verify(const struct attempt *attempt)
{
    int64_t us = flash_share(attempt, (int64_t)attempt->plan->verify_bytes * READ_BYTE_US);

    if (attempt_verifies_eeprom(attempt))
        us += expect_bytes_at(attempt, attempt->part->eeprom.size, EEPROM_READ_US,
                              attempt_flash_sck_hz(attempt));
    return us;
}

static const struct attempt_step steps[] = {
    {"attach", false, NULL, expect_session, step_attach},
    {"identify", false, NULL, expect_few, attempt_identify},
    {"read", false, NULL, expect_few, step_read},
    {"speed", false, attempt_wants_speed, expect_speed, attempt_step_speed},
    {"compare", false, attempt_wants_compare, expect_compare, attempt_step_compare},
    {"keep", true, attempt_wants_keep, expect_keep, attempt_step_keep},
    {"open", true, wants_open, expect_few, step_open},
    {"erase", true, NULL, expect_erase, step_erase},
    {"clock", true, attempt_wants_clock_first, expect_clock_first, attempt_step_clock_first},
    {"flash", true, wants_flash, expect_flash, step_flash},
    {"eeprom", true, attempt_wants_eeprom, expect_eeprom, attempt_step_eeprom},
    {"verify", true, NULL, expect_verify, attempt_step_verify},
    {"fuses", true, attempt_wants_fuses, expect_few, attempt_step_fuses},
    {"reenter", true, NULL, expect_session, attempt_step_reenter},
    {"recheck", false, NULL, expect_few, attempt_step_recheck},
    {"doors", true, attempt_wants_doors_before_lock, expect_few, attempt_step_doors},
    {"lock", true, attempt_wants_lock, expect_few, attempt_step_lock},
    {"last-doors", true, attempt_wants_doors_after_lock, expect_few, attempt_step_doors},
    {"release", false, NULL, expect_session, step_release},
};

const struct attempt_step *attempt_step_table(int *count)
{
    *count = (int)(sizeof steps / sizeof steps[0]);
    return steps;
}

bool attempt_wants_step(const struct attempt *attempt, const struct attempt_step *step)
{
    if (step->anew && attempt->already)
        return false;
    return step->wanted == NULL || step->wanted(attempt);
}
