#include "station/attempt_steps.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/fuse_gate.h"

#define BLANK 0xFF
/* LB1 and LB2, bits 0 and 1 of every part's lock byte: while both are 1, reading over ISP tells the
 * truth (AVR datasheets, "Program And Data Memory Lock Bits"). */
#define LOCK_READ_PROTECTION 0x03

static struct attempt_byte *byte_of(struct attempt *attempt, enum part_memory memory)
{
    return &attempt->bytes[memory - PART_FIRST_FUSE];
}

static void mark_touched(struct attempt *attempt, enum touched touched)
{
    if (attempt->record.touched < touched)
        attempt->record.touched = touched;
}

static int read_memory(struct attempt *attempt, enum part_memory memory, uint32_t start,
                       uint8_t *bytes, uint32_t count, const struct operation *operation,
                       struct failure *failure)
{
    attempt->call_start = attempt->step_bytes;
    if (programmer_read(attempt->programmer, memory, start, bytes, count, operation, failure) < 0)
        return -1;
    attempt->step_bytes = attempt->call_start + count;
    return 0;
}

static int write_memory(struct attempt *attempt, enum part_memory memory, uint32_t start,
                        const uint8_t *bytes, uint32_t count, const struct operation *operation,
                        struct failure *failure)
{
    mark_touched(attempt, TOUCHED_WRITTEN);
    attempt->call_start = attempt->step_bytes;
    if (programmer_write(attempt->programmer, memory, start, bytes, count, NULL, operation,
                         failure) < 0)
        return -1;
    attempt->step_bytes = attempt->call_start + count;
    return 0;
}

static int read_byte(struct attempt *attempt, enum part_memory memory, uint8_t *value,
                     const struct operation *operation, struct failure *failure)
{
    return programmer_read(attempt->programmer, memory, 0, value, 1, operation, failure);
}

/* attach, identify */

static int step_attach(struct attempt *attempt, const struct operation *operation,
                       struct failure *failure)
{
    attempt->record.tries++;
    return programmer_attach(attempt->programmer, attempt->part, operation, failure);
}

/* Reads the signature and lets the gate judge it: permits can be had from here on. */
static int step_identify(struct attempt *attempt, const struct operation *operation,
                         struct failure *failure)
{
    uint8_t signature[3];

    if (programmer_identify(attempt->programmer, signature, operation, failure) < 0)
        return -1;
    record_set_signature(attempt->record.signature, signature);
    return fuse_gate_enter_session(attempt->gate, attempt->programmer->session, signature, failure);
}

/* read */

static int read_byte_twice(struct attempt *attempt, enum part_memory memory, uint8_t *value,
                           const struct operation *operation, struct failure *failure)
{
    uint8_t again;

    if (read_byte(attempt, memory, value, operation, failure) < 0 ||
        read_byte(attempt, memory, &again, operation, failure) < 0)
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
    return failure_set(failure, FAILURE_CONTACT_UNSTABLE,
                       "%s read 0x%02X in an earlier try, now 0x%02X",
                       part_memory_name(attempt->part, memory), before, value);
}

/* Decides about one byte. The chip erase before all writing sets the lock byte to FF, so it is
 * decided on that, whatever was found. */
static void decide_byte(struct attempt *attempt, enum part_memory memory)
{
    struct attempt_byte *byte = byte_of(attempt, memory);
    uint8_t before = memory == PART_LOCK ? BLANK : byte->found;
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
    struct attempt_byte *byte = byte_of(attempt, memory);

    if (byte->record == NULL)
        byte->record = &record->fuses[record->fuse_count++];
    byte->exists = true;
    record_set_text(byte->record->fuse, sizeof byte->record->fuse,
                    part_memory_name(attempt->part, memory));
}

/* Would the erase clear an EEPROM that the profile keeps? A blank one has nothing to lose; but a
 * locked part does not let it be seen. */
static int check_kept_eeprom(struct attempt *attempt, const struct operation *operation,
                             struct failure *failure)
{
    uint32_t size = attempt->part->eeprom.size;
    uint8_t lock = byte_of(attempt, PART_LOCK)->found;
    uint8_t *bytes;
    uint32_t at = 0;
    int result = -1;

    if ((lock & LOCK_READ_PROTECTION) != LOCK_READ_PROTECTION)
        return failure_set(failure, FAILURE_EEPROM_WOULD_BE_LOST,
                           "EESAVE is not programmed, and the lock byte 0x%02X hides the EEPROM",
                           lock);
    bytes = malloc(size);
    if (bytes == NULL)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "EEPROM of %" PRIu32 " bytes", size);
    if (read_memory(attempt, PART_EEPROM, 0, bytes, size, operation, failure) == 0) {
        while (at < size && bytes[at] == BLANK)
            at++;
        result = at == size ? 0
                            : failure_set(failure, FAILURE_EEPROM_WOULD_BE_LOST,
                                          "EESAVE is not programmed, and EEPROM 0x%04" PRIX32
                                          " holds 0x%02X",
                                          at, bytes[at]);
    }
    free(bytes);
    return result;
}

static int consider_eeprom(struct attempt *attempt, const struct operation *operation,
                           struct failure *failure)
{
    struct part_bit eesave = attempt->part->eesave;

    attempt->eeprom_survives_erase =
        eesave.mask != 0 && part_bit_programmed(eesave, byte_of(attempt, eesave.memory)->found);
    if (attempt->part->eeprom.size == 0 || attempt->eeprom_survives_erase ||
        !profile_keeps_eeprom(attempt->profile))
        return 0;
    return check_kept_eeprom(attempt, operation, failure);
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
        byte_of(attempt, memory)->found = value;
        add_byte(attempt, memory);
        decide_byte(attempt, memory);
    }
    return consider_eeprom(attempt, operation, failure);
}

/* open */

static bool wants_open(const struct attempt *attempt)
{
    return attempt->record.attempt == 0;
}

static int step_open(struct attempt *attempt, const struct operation *operation,
                     struct failure *failure)
{
    (void)operation;
    return log_open_attempt(attempt->options->log, &attempt->record, failure);
}

/* erase */

static int step_erase(struct attempt *attempt, const struct operation *operation,
                      struct failure *failure)
{
    struct fuse_permit *permit;

    if (step_identify(attempt, operation, failure) < 0 ||
        fuse_gate_permit_erase(attempt->gate, &permit, failure) < 0)
        return -1;
    mark_touched(attempt, TOUCHED_ERASED);
    return programmer_erase(attempt->programmer, permit, operation, failure);
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
        if (write_memory(attempt, PART_FLASH, range.start, image->data + range.start,
                         range.end - range.start, operation, failure) < 0)
            return -1;
    return 0;
}

static uint8_t eeprom_target(const struct attempt *attempt, uint32_t at)
{
    return attempt->profile->eeprom != NULL ? attempt->profile->eeprom->data[at] : BLANK;
}

static bool wants_eeprom(const struct attempt *attempt)
{
    if (!attempt->plan->eeprom_read)
        return false;
    return attempt->profile->eeprom != NULL || attempt->eeprom_survives_erase;
}

/* Writes each run of bytes in which `bytes`, what the EEPROM holds, differs from the target. */
static int write_eeprom_runs(struct attempt *attempt, uint8_t *bytes,
                             const struct operation *operation, struct failure *failure)
{
    uint32_t size = attempt->part->eeprom.size;
    uint32_t start = 0;

    while (start < size) {
        uint32_t end = start;

        for (; end < size && bytes[end] != eeprom_target(attempt, end); end++)
            bytes[end] = eeprom_target(attempt, end);
        if (end > start && write_memory(attempt, PART_EEPROM, start, bytes + start, end - start,
                                        operation, failure) < 0)
            return -1;
        start = end + 1;
    }
    return 0;
}

static int step_eeprom(struct attempt *attempt, const struct operation *operation,
                       struct failure *failure)
{
    uint32_t size = attempt->part->eeprom.size;
    uint8_t *bytes = malloc(size);
    int result = 0;

    if (bytes == NULL)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "EEPROM of %" PRIu32 " bytes", size);
    memset(bytes, BLANK, size);
    attempt->step_total = attempt->eeprom_survives_erase ? 2 * size : size;
    if (attempt->eeprom_survives_erase)
        result = read_memory(attempt, PART_EEPROM, 0, bytes, size, operation, failure);
    if (result == 0)
        result = write_eeprom_runs(attempt, bytes, operation, failure);
    free(bytes);
    return result;
}

/* verify */

struct difference {
    uint32_t count;
    uint32_t address; /* of the first */
    uint8_t expected, found;
    bool stayed_one;  /* some bit is 1 where 0 was expected */
    bool became_zero; /* some bit is 0 where 1 was expected */
};

static void compare_byte(struct difference *difference, uint32_t address, uint8_t expected,
                         uint8_t found)
{
    if (expected == found)
        return;
    if (difference->count++ == 0) {
        difference->address = address;
        difference->expected = expected;
        difference->found = found;
    }
    difference->stayed_one |= (found & ~expected) != 0;
    difference->became_zero |= (expected & ~found) != 0;
}

static int judge_difference(const struct difference *difference, const char *memory,
                            struct failure *failure)
{
    const char *how = "bits 1 to 0 (wrongly programmed or not erased)";

    if (difference->count == 0)
        return 0;
    if (difference->stayed_one && difference->became_zero)
        how = "bits 0 to 1 (not programmed) and 1 to 0 (wrongly programmed or not erased)";
    else if (difference->stayed_one)
        how = "bits 0 to 1 (not programmed)";
    return failure_set(
        failure, FAILURE_VERIFY_MISMATCH,
        "%s 0x%05" PRIX32 ": expected 0x%02X, found 0x%02X; %" PRIu32 " bytes differ, %s", memory,
        difference->address, difference->expected, difference->found, difference->count, how);
}

static int read_flash(struct attempt *attempt, uint8_t *bytes, const struct operation *operation,
                      struct failure *failure)
{
    const struct part_array *flash = &attempt->part->flash;
    struct image_range range = {0, 0};

    if (attempt->profile->verify_whole)
        return read_memory(attempt, PART_FLASH, 0, bytes, flash->size, operation, failure);
    while (image_next_page_run(attempt->profile->flash, range.end, flash->page_size, false, &range))
        if (read_memory(attempt, PART_FLASH, range.start, bytes + range.start,
                        range.end - range.start, operation, failure) < 0)
            return -1;
    return 0;
}

static int judge_flash(const struct attempt *attempt, const uint8_t *bytes, struct failure *failure)
{
    const struct image *image = attempt->profile->flash;
    bool whole = attempt->profile->verify_whole;
    struct difference difference = {0};

    for (uint32_t at = 0; at < attempt->part->flash.size; at++)
        if (whole || image->present[at] != 0)
            compare_byte(&difference, at, image->data[at], bytes[at]);
    return judge_difference(&difference, "flash", failure);
}

static int judge_eeprom(const struct attempt *attempt, const uint8_t *bytes,
                        struct failure *failure)
{
    struct difference difference = {0};

    for (uint32_t at = 0; at < attempt->part->eeprom.size; at++)
        compare_byte(&difference, at, eeprom_target(attempt, at), bytes[at]);
    return judge_difference(&difference, "EEPROM", failure);
}

/* What was read, where the image has bytes: its digest is the image's own when all is well. */
static struct image shown_like(const struct image *image, const struct image *readback)
{
    struct image shown = *image;

    shown.data = readback->data;
    return shown;
}

static void digest_readback(struct attempt *attempt, const struct image *flash,
                            const struct image *eeprom)
{
    const struct profile *profile = attempt->profile;
    bool has_eeprom = profile->eeprom != NULL && eeprom != NULL;
    struct image shown_flash = shown_like(profile->flash, flash);
    struct image shown_eeprom = {0};

    if (has_eeprom)
        shown_eeprom = shown_like(profile->eeprom, eeprom);
    image_digest(&shown_flash, has_eeprom ? &shown_eeprom : NULL, attempt->record.readback_sha256);
}

/* Reads both before it judges either, so that the record says what was there. `eeprom` is NULL when
 * the profile does not mind. */
static int verify_memories(struct attempt *attempt, const struct image *flash,
                           const struct image *eeprom, const struct operation *operation,
                           struct failure *failure)
{
    if (read_flash(attempt, flash->data, operation, failure) < 0)
        return -1;
    if (eeprom != NULL &&
        read_memory(attempt, PART_EEPROM, 0, eeprom->data, eeprom->size, operation, failure) < 0)
        return -1;
    digest_readback(attempt, flash, eeprom);
    record_set_text(attempt->record.verification, sizeof attempt->record.verification,
                    attempt->profile->verify_whole ? "whole" : "image");
    if (judge_flash(attempt, flash->data, failure) < 0)
        return -1;
    return eeprom != NULL ? judge_eeprom(attempt, eeprom->data, failure) : 0;
}

static int step_verify(struct attempt *attempt, const struct operation *operation,
                       struct failure *failure)
{
    bool wants_eeprom_read = attempt->plan->eeprom_read;
    struct image *flash = image_create(attempt->part->flash.size);
    struct image *eeprom = wants_eeprom_read ? image_create(attempt->part->eeprom.size) : NULL;
    int result = -1;

    attempt->step_total = attempt->plan->verify_bytes + (eeprom != NULL ? eeprom->size : 0);
    if (flash == NULL || (wants_eeprom_read && eeprom == NULL))
        (void)failure_set(failure, FAILURE_OUT_OF_MEMORY, "memories to read back");
    else
        result = verify_memories(attempt, flash, eeprom, operation, failure);
    attempt->verified = result == 0;
    image_free(flash);
    image_free(eeprom);
    return result;
}

/* fuses, reenter, recheck, lock */

/* -1: cannot be read; 1: another value. */
static int expect_byte(struct attempt *attempt, enum part_memory memory, uint8_t expected,
                       uint8_t *value, const struct operation *operation, struct failure *failure)
{
    if (read_byte(attempt, memory, value, operation, failure) < 0)
        return -1;
    if (part_byte_equal(attempt->part, memory, *value, expected))
        return 0;
    failure_set(failure, memory == PART_LOCK ? FAILURE_LOCK_MISMATCH : FAILURE_FUSE_MISMATCH,
                "%s: expected 0x%02X, reads back 0x%02X (bits 0x%02X exist)",
                part_memory_name(attempt->part, memory), expected, *value,
                part_byte(attempt->part, memory)->mask);
    return 1;
}

/* Reads a byte back for the record. */
static int check_byte(struct attempt *attempt, enum part_memory memory, uint8_t expected,
                      const struct operation *operation, struct failure *failure)
{
    struct record_fuse *record = byte_of(attempt, memory)->record;
    uint8_t value;
    int result;

    record->read_back = -1;
    result = expect_byte(attempt, memory, expected, &value, operation, failure);
    if (result >= 0)
        record->read_back = value;
    if (result != 0 && record->decision == FUSE_DECISION_WRITTEN)
        record->decision = FUSE_DECISION_UNKNOWN;
    return result == 0 ? 0 : -1;
}

static int send_byte(struct attempt *attempt, enum part_memory memory, struct fuse_permit *permit,
                     const struct operation *operation, struct failure *failure)
{
    struct attempt_byte *byte = byte_of(attempt, memory);

    mark_touched(attempt, memory == PART_LOCK ? TOUCHED_LOCKED : TOUCHED_FUSED);
    byte->record->decision = FUSE_DECISION_UNKNOWN;
    byte->record->read_back = -1;
    if (programmer_write(attempt->programmer, memory, 0, &byte->value, 1, permit, operation,
                         failure) == 0)
        return 0;
    if (failure->code == FAILURE_FUSE_REFUSED) /* by the door: nothing left the station */
        byte->record->decision = FUSE_DECISION_REFUSED;
    return -1;
}

/* Writes one fuse or the lock byte, after the signature was read again, and reads it back in the
 * same session. */
static int write_byte(struct attempt *attempt, enum part_memory memory,
                      const struct operation *operation, struct failure *failure)
{
    struct attempt_byte *byte = byte_of(attempt, memory);
    struct fuse_permit *permit;

    if (step_identify(attempt, operation, failure) < 0 ||
        check_byte(attempt, memory, byte->expected, operation, failure) < 0 ||
        fuse_gate_permit_write(attempt->gate, memory, (uint8_t)byte->record->read_back, byte->value,
                               &permit, failure) < 0 ||
        send_byte(attempt, memory, permit, operation, failure) < 0 ||
        check_byte(attempt, memory, byte->value, operation, failure) < 0)
        return -1;
    byte->expected = byte->value;
    byte->record->decision = FUSE_DECISION_WRITTEN;
    return 0;
}

static bool wants_fuses(const struct attempt *attempt)
{
    for (enum part_memory memory = PART_FIRST_FUSE; memory < PART_LOCK; memory++)
        if (attempt->bytes[memory - PART_FIRST_FUSE].to_write)
            return true;
    return false;
}

static int step_fuses(struct attempt *attempt, const struct operation *operation,
                      struct failure *failure)
{
    for (enum part_memory memory = PART_FIRST_FUSE; memory < PART_LOCK; memory++)
        if (byte_of(attempt, memory)->to_write &&
            write_byte(attempt, memory, operation, failure) < 0)
            return -1;
    return 0;
}

static bool wants_lock(const struct attempt *attempt)
{
    return attempt->bytes[PART_LOCK - PART_FIRST_FUSE].to_write;
}

static int step_lock(struct attempt *attempt, const struct operation *operation,
                     struct failure *failure)
{
    return write_byte(attempt, PART_LOCK, operation, failure);
}

static int step_reenter(struct attempt *attempt, const struct operation *operation,
                        struct failure *failure)
{
    if (attempt_let_go(attempt, failure) < 0)
        return -1;
    return programmer_attach(attempt->programmer, attempt->part, operation, failure);
}

static int step_recheck(struct attempt *attempt, const struct operation *operation,
                        struct failure *failure)
{
    if (step_identify(attempt, operation, failure) < 0)
        return -1;
    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++) {
        const struct attempt_byte *byte = byte_of(attempt, memory);

        if (byte->exists && check_byte(attempt, memory, byte->expected, operation, failure) < 0)
            return -1;
    }
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
    if (!attempt->verified)
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

/* How long each takes. Guesses on the slow side where there is no formula. */

#define WRITE_BYTE_US 1200 /* of flash, at 19200 baud, where the driver has no formula */
#define READ_BYTE_US 600
#define EEPROM_WRITE_US 20000 /* a byte by one instruction at 19200 baud, and the wait */
#define EEPROM_READ_US 5500
#define SESSION_US 100000
#define FEW_INSTRUCTIONS_US 100000

static int64_t expect_session(const struct attempt *attempt)
{
    (void)attempt;
    return SESSION_US;
}

static int64_t expect_few(const struct attempt *attempt)
{
    (void)attempt;
    return FEW_INSTRUCTIONS_US;
}

static int64_t expect_read(const struct attempt *attempt)
{
    if (!profile_keeps_eeprom(attempt->profile))
        return FEW_INSTRUCTIONS_US;
    return FEW_INSTRUCTIONS_US + attempt->part->eeprom.size * (int64_t)EEPROM_READ_US;
}

static int64_t expect_erase(const struct attempt *attempt)
{
    return FEW_INSTRUCTIONS_US + attempt->part->chip_erase_delay_us;
}

/* The driver's floor is for writing and verifying together: it is shared out by bytes. */
static int64_t flash_share(const struct plan *plan, int64_t share_us)
{
    int64_t all_us =
        (int64_t)plan->write_bytes * WRITE_BYTE_US + (int64_t)plan->verify_bytes * READ_BYTE_US;

    if (plan->floor_us == 0 || all_us == 0)
        return share_us;
    return (int64_t)((double)plan->floor_us * (double)share_us / (double)all_us);
}

static int64_t expect_flash(const struct attempt *attempt)
{
    return flash_share(attempt->plan, (int64_t)attempt->plan->write_bytes * WRITE_BYTE_US);
}

static int64_t expect_eeprom(const struct attempt *attempt)
{
    uint32_t writes = attempt->part->eeprom.size;

    if (!wants_eeprom(attempt))
        return 0;
    if (!attempt->eeprom_survives_erase)
        writes = attempt->profile->eeprom->count;
    return (int64_t)writes * EEPROM_WRITE_US;
}

static int64_t expect_verify(const struct attempt *attempt)
{
    int64_t us = flash_share(attempt->plan, (int64_t)attempt->plan->verify_bytes * READ_BYTE_US);

    if (attempt->plan->eeprom_read)
        us += (int64_t)attempt->part->eeprom.size * EEPROM_READ_US;
    return us;
}

static const struct attempt_step steps[] = {
    {"attach", NULL, expect_session, step_attach},
    {"identify", NULL, expect_few, step_identify},
    {"read", NULL, expect_read, step_read},
    {"open", wants_open, expect_few, step_open},
    {"erase", NULL, expect_erase, step_erase},
    {"flash", wants_flash, expect_flash, step_flash},
    {"eeprom", wants_eeprom, expect_eeprom, step_eeprom},
    {"verify", NULL, expect_verify, step_verify},
    {"fuses", wants_fuses, expect_few, step_fuses},
    {"reenter", NULL, expect_session, step_reenter},
    {"recheck", NULL, expect_few, step_recheck},
    {"lock", wants_lock, expect_few, step_lock},
    {"release", NULL, expect_session, step_release},
};

const struct attempt_step *attempt_step_table(int *count)
{
    *count = (int)(sizeof steps / sizeof steps[0]);
    return steps;
}
