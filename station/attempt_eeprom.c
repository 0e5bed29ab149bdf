/* The EEPROM of a board: what of it an erase may not lose, and what it must hold in the end. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "reports/log_eeprom.h"
#include "station/attempt_steps.h"

static int fail_memory(const struct attempt *attempt, struct failure *failure)
{
    return failure_set(failure, FAILURE_OUT_OF_MEMORY, "EEPROM of %" PRIu32 " bytes",
                       attempt->part->eeprom.size);
}

/* keep */

static uint32_t first_difference(const uint8_t *a, const uint8_t *b, uint32_t size)
{
    uint32_t at = 0;

    while (at < size && a[at] == b[at])
        at++;
    return at;
}

static uint32_t first_content(const uint8_t *bytes, uint32_t size)
{
    uint32_t at = 0;

    while (at < size && bytes[at] == ATTEMPT_BLANK)
        at++;
    return at;
}

/* Two readings, and the board there before, between and after them: a contact that comes and goes
 * reads FF, which would count as blank. */
static int read_trusted(struct attempt *attempt, uint8_t *bytes, uint8_t *again,
                        const struct operation *operation, struct failure *failure)
{
    uint32_t size = attempt->part->eeprom.size;
    uint32_t at;

    attempt->step_total = 2 * size;
    attempt->step_bytes = 0;
    if (attempt_identify(attempt, operation, failure) < 0 ||
        attempt_read_memory(attempt, PART_EEPROM, 0, bytes, size, operation, failure) < 0 ||
        attempt_identify(attempt, operation, failure) < 0 ||
        attempt_read_memory(attempt, PART_EEPROM, 0, again, size, operation, failure) < 0 ||
        attempt_identify(attempt, operation, failure) < 0)
        return -1;
    at = first_difference(bytes, again, size);
    if (at == size)
        return 0;
    return failure_set(failure, FAILURE_CONTACT_UNSTABLE,
                       "EEPROM 0x%04" PRIX32 " reads 0x%02X, then 0x%02X", at, bytes[at],
                       again[at]);
}

/* What the board holds; the caller frees. */
static int read_content(struct attempt *attempt, uint8_t **content,
                        const struct operation *operation, struct failure *failure)
{
    uint32_t size = attempt->part->eeprom.size;
    uint8_t *bytes = malloc(size);
    uint8_t *again = malloc(size);
    int result = -1;

    *content = NULL;
    if (bytes == NULL || again == NULL)
        (void)fail_memory(attempt, failure);
    else
        result = read_trusted(attempt, bytes, again, operation, failure);
    free(again);
    if (result < 0)
        free(bytes);
    else
        *content = bytes;
    return result;
}

/* May `found` be what is left when the work on a board that held `saved` was cut short after the
 * erase? Some bytes are back, the others blank; the page that was being written may hold anything.
 */
static bool may_be_rest_of(const struct part_array *eeprom, const uint8_t *found,
                           const uint8_t *saved)
{
    uint32_t torn = UINT32_MAX; /* the page */

    for (uint32_t at = 0; at < eeprom->size; at++) {
        uint32_t page = at / (eeprom->page_size > 0 ? eeprom->page_size : 1);

        if (found[at] == saved[at] || found[at] == ATTEMPT_BLANK || page == torn)
            continue;
        if (torn != UINT32_MAX)
            return false;
        torn = page;
    }
    return true;
}

static int refuse_owed(const struct log_eeprom *owed, struct failure *failure)
{
    return failure_set(failure, FAILURE_EEPROM_WOULD_BE_LOST,
                       "this may be the board whose EEPROM attempt %" PRId64
                       " cleared and did not put back: " LOG_EEPROM_RESCUE
                       "; when that is over and done: gangflash log settle %" PRId64,
                       owed->attempt, (long long)owed->attempt, owed->attempt);
}

/* It stands in its board already, so nobody needs to put it back. */
static int note_back(struct attempt *attempt, const struct log_eeprom *owed,
                     struct failure *failure)
{
    char detail[80];

    snprintf(detail, sizeof detail, "attempt %" PRId64 ": found in its board by a later one",
             owed->attempt);
    return log_add_event(attempt->options->log, LOG_EEPROM_RESTORED, detail, failure);
}

/* Looks at one EEPROM that an earlier attempt owes. When that was this very board beyond doubt, and
 * the profile puts back, `*content` becomes what was saved then. */
static int consider_owed(struct attempt *attempt, const struct log_eeprom *owed, uint8_t **content,
                         struct failure *failure)
{
    uint32_t size = attempt->part->eeprom.size;
    bool restores = attempt->profile->eeprom_policy == PROFILE_EEPROM_RESTORE;

    if (owed->size != size)
        return 0;
    if (first_difference(*content, owed->bytes, size) == size)
        return owed->same_board ? note_back(attempt, owed, failure) : 0;
    if (!may_be_rest_of(&attempt->part->eeprom, *content, owed->bytes))
        return owed->same_board ? refuse_owed(owed, failure) : 0;
    if (!owed->same_board || !attempt->options->watched || !restores)
        return refuse_owed(owed, failure);
    memcpy(*content, owed->bytes, size);
    attempt->kept_from = owed->attempt;
    return 0;
}

static int next_owed(const struct attempt *attempt, int64_t after, struct log_eeprom *owed,
                     struct failure *failure)
{
    return log_next_owed_eeprom(attempt->options->log, attempt->part->name,
                                attempt->record.previous_attempt, after, owed, failure);
}

static int consider_all_owed(struct attempt *attempt, uint8_t **content, struct failure *failure)
{
    struct log_eeprom owed = {0};

    attempt->kept_from = 0;
    do {
        int64_t after = owed.attempt;
        int result;

        if (next_owed(attempt, after, &owed, failure) < 0)
            return -1;
        result = owed.attempt != 0 ? consider_owed(attempt, &owed, content, failure) : 0;
        free(owed.bytes);
        if (result < 0)
            return -1;
    } while (owed.attempt != 0);
    return 0;
}

static int find_content(struct attempt *attempt, uint8_t **content,
                        const struct operation *operation, struct failure *failure)
{
    if (read_content(attempt, content, operation, failure) < 0)
        return -1;
    if (consider_all_owed(attempt, content, failure) == 0)
        return 0;
    free(*content);
    *content = NULL;
    return -1;
}

int attempt_check_owed_eeprom(struct attempt *attempt, bool *owing,
                              const struct operation *operation, struct failure *failure)
{
    struct log_eeprom owed;
    uint8_t *content;

    if (next_owed(attempt, 0, &owed, failure) < 0)
        return -1;
    *owing = owed.attempt != 0;
    free(owed.bytes);
    if (!*owing)
        return 0;
    if (find_content(attempt, &content, operation, failure) < 0)
        return -1;
    free(content);
    return 0;
}

static bool keeps_eeprom(const struct attempt *attempt)
{
    return attempt->part->eeprom.size > 0 && profile_keeps_eeprom(attempt->profile);
}

bool attempt_clears_kept(const struct attempt *attempt)
{
    return keeps_eeprom(attempt) && !attempt->eeprom_survives_erase;
}

bool attempt_keeps_unseen(const struct attempt *attempt)
{
    return keeps_eeprom(attempt) && attempt->eeprom_survives_erase &&
           !attempt_can_read_memories(attempt);
}

bool attempt_wants_keep(const struct attempt *attempt)
{
    return keeps_eeprom(attempt) && !attempt_keeps_unseen(attempt);
}

/* Takes over `content`; what an earlier try found is forgotten. */
static void expect_found(struct attempt *attempt, uint8_t *content)
{
    free(attempt->found_eeprom);
    attempt->found_eeprom = content;
}

/* EESAVE keeps it from the erase. A bit that turns over on a wire makes another instruction a write
 * to it; so what it holds is read, to be compared in the end. Once is enough: nothing is put back
 * from it. */
static int note_found(struct attempt *attempt, const struct operation *operation,
                      struct failure *failure)
{
    uint32_t size = attempt->part->eeprom.size;
    uint8_t *bytes = malloc(size);

    if (bytes == NULL)
        return fail_memory(attempt, failure);
    attempt->step_total = size;
    if (attempt_read_memory(attempt, PART_EEPROM, 0, bytes, size, operation, failure) < 0 ||
        attempt_identify(attempt, operation, failure) < 0) {
        free(bytes);
        return -1;
    }
    expect_found(attempt, bytes);
    return 0;
}

/* Takes over `content`, which is to survive the erase. */
static int decide_content(struct attempt *attempt, uint8_t *content, struct failure *failure)
{
    uint32_t size = attempt->part->eeprom.size;
    uint32_t at = first_content(content, size);
    int result = 0;

    if (attempt->kept_eeprom != NULL &&
        first_difference(attempt->kept_eeprom, content, size) != size)
        result = failure_set(failure, FAILURE_CONTACT_UNSTABLE,
                             "the EEPROM does not read as in an earlier try");
    else if (at < size && attempt->profile->eeprom_policy != PROFILE_EEPROM_RESTORE)
        result = failure_set(failure, FAILURE_EEPROM_WOULD_BE_LOST,
                             "EESAVE is not programmed, and EEPROM 0x%04" PRIX32 " holds 0x%02X",
                             at, content[at]);
    if (result == 0 && at < size && attempt->kept_eeprom == NULL)
        attempt->kept_eeprom = content;
    else
        expect_found(attempt, content); /* blank, or again what is kept */
    return result;
}

static int refuse_hidden(struct attempt *attempt, struct failure *failure)
{
    const struct attempt_byte *lock = attempt_byte_of(attempt, PART_LOCK);

    if (!lock->exists)
        return failure_set(failure, FAILURE_EEPROM_WOULD_BE_LOST,
                           "EESAVE is not programmed, and the lock byte of %s, which may hide the "
                           "EEPROM, cannot be read",
                           attempt->part->name);
    return failure_set(failure, FAILURE_EEPROM_WOULD_BE_LOST,
                       "EESAVE is not programmed, and the lock byte 0x%02X hides the EEPROM",
                       lock->found);
}

int attempt_step_keep(struct attempt *attempt, const struct operation *operation,
                      struct failure *failure)
{
    uint8_t *content;

    if (!attempt_clears_kept(attempt))
        return note_found(attempt, operation, failure);
    if (!attempt_can_read_memories(attempt))
        return refuse_hidden(attempt, failure);
    if (find_content(attempt, &content, operation, failure) < 0)
        return -1;
    return decide_content(attempt, content, failure);
}

int attempt_save_eeprom(struct attempt *attempt, struct failure *failure)
{
    if (log_save_eeprom(attempt->options->log, attempt->record.attempt, attempt->kept_eeprom,
                        attempt->part->eeprom.size, failure) < 0)
        return -1;
    attempt->kept_is_saved = true;
    return 0;
}

static int note_restored(struct attempt *attempt, struct failure *failure)
{
    char detail[40];

    snprintf(detail, sizeof detail, "attempt %" PRId64, attempt->record.attempt);
    return log_add_event(attempt->options->log, LOG_EEPROM_RESTORED, detail, failure);
}

int attempt_settle_eeprom(struct attempt *attempt, struct failure *why, struct failure *failure)
{
    char detail[FAILURE_DETAIL_BYTES];

    if (!attempt->kept_is_saved || attempt->record.touched == TOUCHED_NONE)
        return 0;
    if (!attempt->kept_is_owed)
        return note_restored(attempt, failure);
    attempt->record.eeprom_owed = true;
    record_set_text(detail, sizeof detail, why->detail);
    /* The way to the content must not be cut off. */
    failure_set(why, why->code,
                "%.180s; the EEPROM was cleared and is not back: " LOG_EEPROM_RESCUE, detail,
                (long long)attempt->record.attempt);
    return 0;
}

/* eeprom */

uint8_t attempt_eeprom_target(const struct attempt *attempt, uint32_t at)
{
    if (attempt->kept_eeprom != NULL)
        return attempt->kept_eeprom[at];
    if (attempt->found_eeprom != NULL)
        return attempt->found_eeprom[at];
    return attempt->profile->eeprom != NULL ? attempt->profile->eeprom->data[at] : ATTEMPT_BLANK;
}

bool attempt_verifies_eeprom(const struct attempt *attempt)
{
    return attempt->plan->eeprom_read || attempt->kept_eeprom != NULL ||
           attempt->found_eeprom != NULL;
}

bool attempt_wants_eeprom(const struct attempt *attempt)
{
    if (attempt->kept_eeprom != NULL)
        return true;
    if (!attempt->plan->eeprom_read)
        return false;
    return attempt->profile->eeprom != NULL || attempt->eeprom_survives_erase;
}

/* Writes each run of bytes in which `bytes`, what the EEPROM holds, differs from the target. */
static int write_runs(struct attempt *attempt, uint8_t *bytes, const struct operation *operation,
                      struct failure *failure)
{
    uint32_t size = attempt->part->eeprom.size;
    uint32_t start = 0;

    while (start < size) {
        uint32_t end = start;

        for (; end < size && bytes[end] != attempt_eeprom_target(attempt, end); end++)
            bytes[end] = attempt_eeprom_target(attempt, end);
        if (end > start && attempt_write_memory(attempt, PART_EEPROM, start, bytes + start,
                                                end - start, operation, failure) < 0)
            return -1;
        start = end + 1;
    }
    return 0;
}

int attempt_step_eeprom(struct attempt *attempt, const struct operation *operation,
                        struct failure *failure)
{
    uint32_t size = attempt->part->eeprom.size;
    uint8_t *bytes = malloc(size);
    int result = 0;

    if (bytes == NULL)
        return fail_memory(attempt, failure);
    memset(bytes, ATTEMPT_BLANK, size);
    attempt->step_total = attempt->eeprom_survives_erase ? 2 * size : size;
    if (attempt->eeprom_survives_erase)
        result = attempt_read_memory(attempt, PART_EEPROM, 0, bytes, size, operation, failure);
    if (result == 0)
        result = write_runs(attempt, bytes, operation, failure);
    free(bytes);
    return result;
}
