#include "jigs/programmer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/fuse_words.h"
#include "profiles/part_clock.h"

#define RELEASE_TIME_US 3000000
#define ASSUMED_TARGET_HZ 1000000
#define TRIED_SLOWEST_HZ 3900 /* USBtiny's slowest is a little less than 4 kHz */

extern const struct programmer_driver avr910_driver;
extern const struct programmer_driver avrispmkii_driver;
extern const struct programmer_driver stk500_driver;
extern const struct programmer_driver stk500v1_driver;
extern const struct programmer_driver stk500v2_driver;
extern const struct programmer_driver usbasp_driver;
extern const struct programmer_driver usbtiny_driver;
extern const struct programmer_driver buspirate_driver;

/* Those for serial lines in the order in which a port is asked: the likeliest first. */
static const struct programmer_driver *const drivers[] = {
    &stk500v1_driver, &stk500v2_driver, &stk500_driver, &avrispmkii_driver,
    &usbasp_driver,   &usbtiny_driver,  &avr910_driver, &buspirate_driver,
};

const struct programmer_driver *const *programmer_drivers(size_t *count)
{
    *count = sizeof drivers / sizeof drivers[0];
    return drivers;
}

const struct programmer_driver *programmer_driver_by_name(const char *name)
{
    for (size_t i = 0; i < sizeof drivers / sizeof drivers[0]; i++)
        if (strcmp(drivers[i]->name, name) == 0)
            return drivers[i];
    return NULL;
}

struct programmer *programmer_create(const struct programmer_driver *driver)
{
    struct programmer *programmer = calloc(1, driver->instance_bytes);

    if (programmer == NULL)
        return NULL;
    programmer->driver = driver;
    programmer->sck_hz = driver->sck_is_bound ? 0 : driver->sck_hz;
    programmer->extended_address = -1;
    programmer->owed_value = -1;
    return programmer;
}

void programmer_destroy(struct programmer *programmer)
{
    if (programmer == NULL)
        return;
    programmer->driver->unclaim(programmer);
    free(programmer);
}

int64_t programmer_target_hz(const struct programmer *programmer)
{
    if (programmer->target_hz > 0)
        return programmer->target_hz;
    if (programmer->part != NULL && programmer->part->factory_clock_hz > 0)
        return programmer->part->factory_clock_hz;
    return ASSUMED_TARGET_HZ;
}

size_t programmer_pick_sck(const struct programmer *programmer, const int64_t *offered_hz,
                           size_t count)
{
    int64_t most_hz = part_clock_safe_sck_hz(programmer->part, programmer_target_hz(programmer));

    for (size_t i = 0; i < count; i++)
        if (offered_hz[i] <= most_hz)
            return i;
    return count;
}

size_t programmer_next_sck(const int64_t *offered_hz, size_t count, size_t now)
{
    size_t next = count;

    for (size_t i = now + 1; i < count && offered_hz[i] >= TRIED_SLOWEST_HZ; i++) {
        next = i;
        if (offered_hz[i] * 4 <= offered_hz[now])
            break;
    }
    return next;
}

int programmer_claim(struct programmer *programmer, const struct programmer_settings *settings,
                     const struct operation *operation, struct failure *failure)
{
    struct programmer_settings used = *settings;

    if (used.baud == 0)
        used.baud = programmer->driver->default_baud;
    return programmer->driver->claim(programmer, &used, operation, failure);
}

int programmer_attach(struct programmer *programmer, const struct part *part,
                      const struct operation *operation, struct failure *failure)
{
    if (programmer->attached)
        return failure_set(failure, FAILURE_INTERNAL, "attached twice");
    programmer->part = part;
    programmer->session++;
    programmer->extended_address = -1;
    if (programmer->driver->attach(programmer, operation, failure) != 0)
        return -1;
    programmer->attached = true;
    return 0;
}

int programmer_release(struct programmer *programmer, struct failure *failure)
{
    struct operation operation = {.deadline_us = operation_now_us() + RELEASE_TIME_US};

    if (!programmer->attached)
        return 0;
    programmer->attached = false;
    return programmer->driver->release(programmer, &operation, failure);
}

static int check_attached(const struct programmer *programmer, struct failure *failure)
{
    if (programmer->attached)
        return 0;
    return failure_set(failure, FAILURE_INTERNAL, "no programming session");
}

static int check_range(const struct programmer *programmer, enum part_memory memory, uint32_t start,
                       uint32_t count, struct failure *failure)
{
    if (check_attached(programmer, failure) != 0)
        return -1;
    uint32_t size = part_memory_size(programmer->part, memory);
    if (count == 0 || start >= size || count > size - start)
        return failure_set(
            failure, FAILURE_INTERNAL, "%u bytes from 0x%X on, but %s of %s has %u bytes", count,
            start, part_memory_name(programmer->part, memory), programmer->part->name, size);
    return 0;
}

bool programmer_is_no_board(const uint8_t signature[3])
{
    for (int i = 0; i < 3; i++)
        if (signature[i] != 0x00 && signature[i] != 0xFF)
            return false;
    return true;
}

bool programmer_is_echo(const uint8_t signature[3])
{
    return signature[0] == 0 && signature[1] == 1 && signature[2] == 2;
}

bool programmer_may_hide_signature(const struct part *part)
{
    enum part_memory memory;
    const struct part_field *modes = fuse_words_find(part, "LB", &memory);

    return modes != NULL && modes->mask == 0x06;
}

static int identify_once(struct programmer *programmer, uint8_t signature[3],
                         const struct operation *operation, struct failure *failure)
{
    if (programmer->driver->identify != NULL)
        return programmer->driver->identify(programmer, signature, operation, failure);
    return isp_identify(programmer, signature, operation, failure);
}

static int fail_unstable(const struct programmer *programmer, const uint8_t first[3],
                         const uint8_t second[3], struct failure *failure)
{
    char why[100] = "";

    if (programmer->sck_hz != 0)
        snprintf(why, sizeof why,
                 ": a loose contact, or SCK of %" PRId64 " Hz is too fast for the board's clock",
                 programmer->sck_hz);
    return failure_set(failure, FAILURE_CONTACT_UNSTABLE,
                       "signature %02X %02X %02X, then %02X %02X %02X%s", first[0], first[1],
                       first[2], second[0], second[1], second[2], why);
}

int programmer_identify(struct programmer *programmer, uint8_t signature[3],
                        const struct operation *operation, struct failure *failure)
{
    uint8_t again[3];

    if (check_attached(programmer, failure) != 0 ||
        identify_once(programmer, signature, operation, failure) != 0 ||
        identify_once(programmer, again, operation, failure) != 0)
        return -1;
    if (programmer_is_no_board(signature) && programmer_is_no_board(again))
        return failure_set(failure, FAILURE_NO_BOARD, "signature %02X %02X %02X", signature[0],
                           signature[1], signature[2]);
    if (memcmp(signature, again, 3) != 0)
        return fail_unstable(programmer, signature, again, failure);
    if (programmer_is_echo(signature))
        return failure_set(failure, FAILURE_CONTACT_UNSTABLE,
                           "signature 00 01 02: the board is out of step and gives back what it is "
                           "sent%s",
                           programmer_may_hide_signature(programmer->part)
                               ? ", or its lock bits hide the signature"
                               : "");
    return 0;
}

int programmer_erase(struct programmer *programmer, struct fuse_permit *permit,
                     const struct operation *operation, struct failure *failure)
{
    if (check_attached(programmer, failure) != 0)
        return -1;
    if (programmer->driver->erase != NULL)
        return programmer->driver->erase(programmer, permit, operation, failure);
    return isp_erase(programmer, permit, operation, failure);
}

int programmer_read(struct programmer *programmer, enum part_memory memory, uint32_t start,
                    uint8_t *bytes, uint32_t count, const struct operation *operation,
                    struct failure *failure)
{
    if (check_range(programmer, memory, start, count, failure) != 0)
        return -1;
    if (programmer->driver->read != NULL)
        return programmer->driver->read(programmer, memory, start, bytes, count, operation,
                                        failure);
    return isp_read(programmer, memory, start, bytes, count, operation, failure);
}

static int check_write(const struct programmer *programmer, enum part_memory memory, uint32_t start,
                       uint32_t count, struct failure *failure)
{
    const struct part_array *flash = &programmer->part->flash;
    uint32_t bytes_max = programmer->driver->flash_bytes_max;

    if (memory != PART_FLASH)
        return 0;
    if (start % flash->page_size != 0 || count % flash->page_size != 0)
        return failure_set(failure, FAILURE_INTERNAL,
                           "%u bytes of flash from 0x%X on are not whole pages of %u", count, start,
                           flash->page_size);
    if (bytes_max != 0 && start + count > bytes_max)
        return failure_set(failure, FAILURE_INTERNAL, "%s reaches %u bytes of flash",
                           programmer->driver->name, bytes_max);
    return 0;
}

int programmer_write(struct programmer *programmer, enum part_memory memory, uint32_t start,
                     const uint8_t *bytes, uint32_t count, struct fuse_permit *permit,
                     const struct operation *operation, struct failure *failure)
{
    if (check_range(programmer, memory, start, count, failure) != 0 ||
        check_write(programmer, memory, start, count, failure) != 0)
        return -1;
    if (programmer->driver->write != NULL)
        return programmer->driver->write(programmer, memory, start, bytes, count, permit, operation,
                                         failure);
    return isp_write(programmer, memory, start, bytes, count, permit, operation, failure);
}

int programmer_instruct(struct programmer *programmer, const struct isp_instruction *instruction,
                        uint8_t *reply, const struct operation *operation, struct failure *failure)
{
    if (check_attached(programmer, failure) != 0)
        return -1;
    if (programmer->driver->instruct == NULL)
        return failure_set(failure, FAILURE_INTERNAL, "%s sends no single instructions",
                           programmer->driver->name);
    return programmer->driver->instruct(programmer, instruction, reply, operation, failure);
}
