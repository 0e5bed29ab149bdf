#include "station/saved_eeprom.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/intel_hex.h"
#include "reports/log.h"
#include "reports/log_reader.h"
#include "station/command.h"
#include "station/identity.h"

static const char *const fates[] = {
    [LOG_EEPROM_NONE] = "",
    [LOG_EEPROM_KEPT] = "its board was not erased",
    [LOG_EEPROM_BACK] = "it is back in its board, or settled",
    [LOG_EEPROM_OWED] = "the log does not know that it was put back",
};

static int load(const char *log_path, int64_t attempt, struct log_eeprom *eeprom,
                enum log_eeprom_state *state, struct failure *failure)
{
    struct log_reader *reader = NULL;
    if (log_reader_open(log_path, &reader, failure) != 0)
        return -1;
    int result = log_reader_eeprom(reader, attempt, eeprom, state, failure);
    log_reader_close(reader);
    return result;
}

static struct image *image_of(const struct log_eeprom *eeprom)
{
    struct image *image = image_create(eeprom->size);
    if (image == NULL)
        return NULL;
    memcpy(image->data, eeprom->bytes, eeprom->size);
    memset(image->present, 1, eeprom->size);
    image->count = eeprom->size;
    return image;
}

static int write_image(const struct image *image, const char *output, struct failure *failure)
{
    /* Never over a file that is there: it may be the only copy of something. */
    FILE *out = output != NULL ? fopen(output, "wxe") : stdout;
    if (out == NULL)
        return failure_set(failure, FAILURE_USAGE, "--output %s: %s", output, strerror(errno));
    intel_hex_write(image, 0, out);
    int result = fflush(out) != 0 || ferror(out) != 0 ? -1 : 0;
    if (output != NULL && fclose(out) != 0)
        result = -1;
    if (result != 0)
        return failure_set(failure, FAILURE_LOG, "cannot write the EEPROM to %s: %s",
                           output != NULL ? output : "the standard output", strerror(errno));
    return 0;
}

int saved_eeprom_write(const char *log_path, int64_t attempt, const char *output,
                       struct failure *failure)
{
    struct log_eeprom eeprom = {0};
    enum log_eeprom_state state;
    if (load(log_path, attempt, &eeprom, &state, failure) != 0)
        return -1;
    struct image *image = image_of(&eeprom);
    int result = image != NULL ? write_image(image, output, failure)
                               : failure_set(failure, FAILURE_OUT_OF_MEMORY, "a saved EEPROM");
    if (result == 0)
        fprintf(stderr, "EEPROM of attempt %" PRId64 ", %" PRIu32 " bytes: %s%s%s\n", attempt,
                eeprom.size, output != NULL ? output : "", output != NULL ? "; " : "",
                fates[state]);
    image_free(image);
    free(eeprom.bytes);
    return result;
}

static int check_owed(const char *log_path, int64_t attempt, struct failure *failure)
{
    struct log_eeprom eeprom = {0};
    enum log_eeprom_state state;
    if (load(log_path, attempt, &eeprom, &state, failure) != 0)
        return -1;
    free(eeprom.bytes);
    if (state != LOG_EEPROM_OWED)
        return failure_set(failure, FAILURE_USAGE,
                           "attempt %" PRId64 " saved an EEPROM, but does not owe it: %s", attempt,
                           fates[state]);
    return 0;
}

static int note_settled(struct log *log, int64_t attempt, struct failure *failure)
{
    char detail[RECORD_TEXT_BYTES + 64];
    char name[RECORD_TEXT_BYTES];
    record_set_text(name, sizeof(name), identity_login_name());
    (void)snprintf(detail, sizeof(detail), "attempt %" PRId64 ": by %s", attempt, name);
    return log_add_event(log, LOG_EEPROM_SETTLED, detail, failure);
}

int saved_eeprom_settle(const char *log_path, int64_t attempt, struct failure *failure)
{
    char station[IDENTITY_STATION_BYTES];
    struct log *log = NULL;
    int recovered = 0;
    if (check_owed(log_path, attempt, failure) != 0)
        return -1;
    identity_station_name(station);
    const struct log_options options = {
        .path = log_path, .station = station, .software = COMMAND_SOFTWARE};
    if (log_open(&options, &log, &recovered, failure) != 0)
        return -1;
    int result = note_settled(log, attempt, failure);
    struct failure closing = {0};
    if (log_close(log, &closing) != 0 && result == 0) {
        *failure = closing;
        result = -1;
    }
    if (result == 0)
        printf("attempt %" PRId64 " owes no EEPROM any more\n", attempt);
    return result;
}
