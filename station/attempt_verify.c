/* Reading back what a board holds: after the work on it, and before, where a board that carries the
 * profile already is not to be done anew. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/fuse_gate.h"
#include "station/attempt_steps.h"

/* A board that is to be compared is read in pieces of so many bytes, up to the first that differs.
 */
#define COMPARE_BYTES 256

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

/* The next piece of the flash that is read back, after `range`; false when there is none. */
static bool next_range_read(const struct attempt *attempt, struct image_range *range)
{
    const struct part_array *flash = &attempt->part->flash;

    if (!attempt->profile->verify_whole)
        return image_next_page_run(attempt->profile->flash, range->end, flash->page_size, false,
                                   range);
    range->start = range->end;
    range->end = flash->size;
    return range->start < range->end;
}

static int read_flash(struct attempt *attempt, uint8_t *bytes, const struct operation *operation,
                      struct failure *failure)
{
    struct image_range range = {0, 0};

    while (next_range_read(attempt, &range))
        if (attempt_read_memory(attempt, PART_FLASH, range.start, bytes + range.start,
                                range.end - range.start, operation, failure) < 0)
            return -1;
    return 0;
}

/* Every byte that was read: what fills up the pages of the images was sent as well. */
static int judge_flash(const struct attempt *attempt, const uint8_t *bytes, struct failure *failure)
{
    const struct image *image = attempt->profile->flash;
    struct difference difference = {0};
    struct image_range range = {0, 0};

    while (next_range_read(attempt, &range))
        for (uint32_t at = range.start; at < range.end; at++)
            compare_byte(&difference, at, image->data[at], bytes[at]);
    return judge_difference(&difference, "flash", failure);
}

static int judge_eeprom(const struct attempt *attempt, const uint8_t *bytes,
                        struct failure *failure)
{
    struct difference difference = {0};

    for (uint32_t at = 0; at < attempt->part->eeprom.size; at++)
        compare_byte(&difference, at, attempt_eeprom_target(attempt, at), bytes[at]);
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

static int judge_memories(struct attempt *attempt, const struct image *flash,
                          const struct image *eeprom, struct failure *failure)
{
    struct failure of_eeprom = {0};
    int result = eeprom != NULL ? judge_eeprom(attempt, eeprom->data, &of_eeprom) : 0;

    /* Whatever the flash is like: what was put back is there. */
    if (eeprom != NULL && result == 0)
        attempt->kept_is_owed = false;
    if (judge_flash(attempt, flash->data, failure) < 0)
        return -1;
    if (result < 0)
        *failure = of_eeprom;
    return result;
}

/* Reads both before it judges either, so that the record says what was there. `eeprom` is NULL when
 * what it must hold is not known. */
static int verify_memories(struct attempt *attempt, const struct image *flash,
                           const struct image *eeprom, const struct operation *operation,
                           struct failure *failure)
{
    if (read_flash(attempt, flash->data, operation, failure) < 0)
        return -1;
    if (eeprom != NULL && attempt_read_memory(attempt, PART_EEPROM, 0, eeprom->data, eeprom->size,
                                              operation, failure) < 0)
        return -1;
    digest_readback(attempt, flash, eeprom);
    record_set_text(attempt->record.verification, sizeof attempt->record.verification,
                    attempt->profile->verify_whole ? "whole" : "image");
    /* Where all is to be blank an empty place reads right, too; and a board that was put in
     * meanwhile is in no programming session. */
    if (attempt_identify(attempt, operation, failure) < 0)
        return -1;
    return judge_memories(attempt, flash, eeprom, failure);
}

int attempt_step_verify(struct attempt *attempt, const struct operation *operation,
                        struct failure *failure)
{
    bool wants_eeprom_read = attempt_verifies_eeprom(attempt);
    struct image *flash = image_create(attempt->part->flash.size);
    struct image *eeprom = wants_eeprom_read ? image_create(attempt->part->eeprom.size) : NULL;
    int result = -1;

    attempt->step_total = attempt->plan->verify_bytes + (eeprom != NULL ? eeprom->size : 0);
    if (flash == NULL || (wants_eeprom_read && eeprom == NULL))
        (void)failure_set(failure, FAILURE_OUT_OF_MEMORY, "memories to read back");
    else
        result = verify_memories(attempt, flash, eeprom, operation, failure);
    attempt->verified = result == 0;
    if (attempt->verified)
        attempt->owes_flash = false;
    image_free(flash);
    image_free(eeprom);
    return result;
}

/* compare */

bool attempt_wants_compare(const struct attempt *attempt)
{
    return attempt->profile->if_already != PROFILE_IF_ALREADY_REDO;
}

/* Would nothing be written to this byte (bytes that cannot be read are the profile's to leave), and
 * would it be the same if the board were done anew? A lock byte that the profile leaves would be
 * cleared by the erase. */
static bool is_byte_right(struct attempt *attempt, enum part_memory memory,
                          enum fuse_decision *decision)
{
    uint8_t found = attempt_byte_of(attempt, memory)->found;
    uint8_t value;

    *decision = fuse_gate_decide(attempt->profile, memory, found, &value);
    if (memory == PART_LOCK && *decision == FUSE_DECISION_LEFT)
        return part_byte_equal(attempt->part, memory, found, ATTEMPT_BLANK);
    return *decision != FUSE_DECISION_WRITTEN;
}

static bool are_bytes_right(struct attempt *attempt)
{
    enum fuse_decision decision;

    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++)
        if (attempt_byte_of(attempt, memory)->exists && !is_byte_right(attempt, memory, &decision))
            return false;
    return true;
}

/* What a memory must hold, and where what was read of it goes. */
struct comparison {
    enum part_memory memory;
    uint32_t size;
    const struct image *image; /* NULL: blank everywhere */
    uint8_t *found;
};

static uint8_t expected_at(const struct comparison *comparison, uint32_t at)
{
    return comparison->image != NULL ? comparison->image->data[at] : ATTEMPT_BLANK;
}

static bool is_blank_piece(const struct comparison *comparison, uint32_t start, uint32_t end)
{
    for (uint32_t at = start; at < end; at++)
        if (expected_at(comparison, at) != ATTEMPT_BLANK)
            return false;
    return true;
}

/* 0: equal; 1: not. */
static int compare_piece(struct attempt *attempt, const struct comparison *comparison,
                         uint32_t start, uint32_t end, const struct operation *operation,
                         struct failure *failure)
{
    if (attempt_read_memory(attempt, comparison->memory, start, comparison->found + start,
                            end - start, operation, failure) < 0)
        return -1;
    for (uint32_t at = start; at < end; at++)
        if (comparison->found[at] != expected_at(comparison, at))
            return 1;
    return 0;
}

/* First what is not to be blank: there a board that was never programmed differs at once. */
static int compare_memory(struct attempt *attempt, const struct comparison *comparison,
                          const struct operation *operation, struct failure *failure)
{
    for (int blank = 0; blank < 2; blank++) {
        for (uint32_t start = 0; start < comparison->size; start += COMPARE_BYTES) {
            uint32_t left = comparison->size - start;
            uint32_t end = start + (left < COMPARE_BYTES ? left : COMPARE_BYTES);
            int result = 0;

            if (is_blank_piece(comparison, start, end) == (blank == 1))
                result = compare_piece(attempt, comparison, start, end, operation, failure);
            if (result != 0)
                return result;
        }
    }
    return 0;
}

/* Everything twice, and the signature after each time: a needle that slips off reads FF, which
 * where nothing may be looks right. 0: equal; 1: not. */
static int compare_all(struct attempt *attempt, const struct comparison *flash,
                       const struct comparison *eeprom, const struct operation *operation,
                       struct failure *failure)
{
    attempt->step_total = 2 * (flash->size + eeprom->size);
    for (int round = 0; round < 2; round++) {
        int result = compare_memory(attempt, flash, operation, failure);

        if (result == 0)
            result = compare_memory(attempt, eeprom, operation, failure);
        if (result == 0)
            result = attempt_identify(attempt, operation, failure);
        if (result != 0)
            return result;
    }
    return 0;
}

/* From here on the found lock byte counts: no erase will clear it. */
static void conclude_already(struct attempt *attempt, const struct image *flash,
                             const struct image *eeprom)
{
    struct attempt_byte *lock = attempt_byte_of(attempt, PART_LOCK);
    enum fuse_decision decision;

    if (lock->exists) {
        is_byte_right(attempt, PART_LOCK, &decision);
        lock->expected = lock->found;
        lock->to_write = false;
        lock->record->decision = decision;
    }
    digest_readback(attempt, flash, eeprom);
    record_set_text(attempt->record.verification, sizeof attempt->record.verification, "already");
    attempt->verified = true;
    attempt->already = true;
}

static int compare_board(struct attempt *attempt, struct image *flash, struct image *eeprom,
                         const struct operation *operation, struct failure *failure)
{
    const struct profile *profile = attempt->profile;
    const struct comparison of_flash = {PART_FLASH, flash->size, profile->flash, flash->data};
    const struct comparison of_eeprom = {PART_EEPROM, attempt->plan->eeprom_read ? eeprom->size : 0,
                                         profile->eeprom, eeprom->data};
    int result = compare_all(attempt, &of_flash, &of_eeprom, operation, failure);

    if (result != 0)
        return result < 0 ? -1 : 0;
    if (profile->if_already == PROFILE_IF_ALREADY_REFUSE)
        return failure_set(failure, FAILURE_ALREADY_PROGRAMMED,
                           "signature, fuses, lock byte and memories are what the profile says");
    conclude_already(attempt, flash, eeprom);
    return 0;
}

/* A board whose EEPROM an earlier attempt cleared may carry everything else already. */
static int may_be_already(struct attempt *attempt, bool *may, const struct operation *operation,
                          struct failure *failure)
{
    bool owing = false;

    *may = are_bytes_right(attempt) && attempt_can_read_memories(attempt);
    if (!*may || !attempt_clears_kept(attempt))
        return 0;
    if (attempt_check_owed_eeprom(attempt, &owing, operation, failure) < 0)
        return -1;
    *may = attempt->kept_from == 0;
    return 0;
}

int attempt_step_compare(struct attempt *attempt, const struct operation *operation,
                         struct failure *failure)
{
    struct image *flash;
    struct image *eeprom;
    bool may;
    int result = -1;

    /* An earlier try may have come to another end. */
    attempt->already = attempt->verified = false;
    attempt->record.readback_sha256[0] = '\0';
    record_set_text(attempt->record.verification, sizeof attempt->record.verification, "none");
    if (may_be_already(attempt, &may, operation, failure) < 0)
        return -1;
    attempt->compared = true;
    if (!may)
        return 0;
    flash = image_create(attempt->part->flash.size);
    eeprom = image_create(attempt->part->eeprom.size);
    if (flash == NULL || eeprom == NULL)
        (void)failure_set(failure, FAILURE_OUT_OF_MEMORY, "memories to compare");
    else
        result = compare_board(attempt, flash, eeprom, operation, failure);
    image_free(flash);
    image_free(eeprom);
    return result;
}
