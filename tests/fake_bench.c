#include "tests/fake_bench.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "jigs/isp.h"
#include "jigs/simbench/avr_clock.h"
#include "profiles/part_clock.h"

#define PARTS TEST_BINARY_DIR "/share/gangflash/parts"

struct fake_programmer {
    struct programmer programmer;
    struct fake_site *site;
};

/* Faults */

static bool fits(const struct fake_fault *fault, enum fake_call call, int memory)
{
    if (fault->call == FAKE_ANY)
        return call != FAKE_CLAIM && call != FAKE_RELEASE;
    if (fault->call != call)
        return false;
    return (call != FAKE_READ && call != FAKE_WRITE) || fault->memory == FAKE_ANY_MEMORY ||
           fault->memory == memory;
}

/* The fault that strikes this call, NULL if none does. */
static struct fake_fault *strike(struct fake_site *site, enum fake_call call, int memory)
{
    struct fake_fault *struck = NULL;

    for (int i = 0; i < site->fault_count; i++) {
        struct fake_fault *fault = &site->faults[i];

        if (!fits(fault, call, memory))
            continue;
        fault->seen++;
        if (fault->nth == 0 || fault->seen == fault->nth ||
            (fault->onward && fault->seen > fault->nth))
            struck = fault;
    }
    if (struck != NULL && struck->hook != NULL)
        struck->hook(struck->context);
    return struck;
}

/* -1: the call is to fail without being carried out. */
static int fail_before(const struct fake_fault *fault, struct failure *failure)
{
    if (fault == NULL || fault->code == FAILURE_NONE || fault->done_first)
        return 0;
    return failure_set(failure, fault->code, "a fault of the fake bench");
}

static int fail_after(const struct fake_fault *fault, struct failure *failure)
{
    if (fault == NULL || fault->code == FAILURE_NONE || !fault->done_first)
        return 0;
    return failure_set(failure, fault->code, "a fault of the fake bench, afterwards");
}

/* Its boards take no time: what the machine takes is nothing to fail for, nor what a hook waits
 * for. */
static int check_cancelled(const struct operation *operation, struct failure *failure)
{
    const struct operation endless = {.deadline_us = INT64_MAX, .cancel = operation->cancel};

    return operation_check(&endless, failure);
}

/* The board */

static void put_in(struct fake_site *site)
{
    struct fake_board *board = &site->board;

    memset(board, 0, sizeof *board);
    memcpy(board->signature, site->part->signature, sizeof board->signature);
    memset(board->flash, 0xFF, sizeof board->flash);
    memset(board->eeprom, 0xFF, sizeof board->eeprom);
    for (int i = 0; i < PART_FUSE_AND_LOCK_COUNT; i++)
        board->bytes[i] = (uint8_t)site->part->bytes[i].factory_default;
    site->present = true;
    site->boards++;
}

static uint8_t *memory_of(struct fake_board *board, enum part_memory memory)
{
    if (memory == PART_FLASH)
        return board->flash;
    return memory == PART_EEPROM ? board->eeprom : &board->bytes[memory - PART_FIRST_FUSE];
}

/* LB as the datasheets have it: 11 locks nothing, 10 writing, 00 reading, too. */
static bool is_locked(const struct fake_board *board, bool against_reading)
{
    uint8_t mode = board->bytes[PART_LOCK - PART_FIRST_FUSE] & 0x03;

    return against_reading ? mode < 2 : mode != 3;
}

static void touch(struct fake_board *board, enum touched touched)
{
    if (board->touched < touched)
        board->touched = touched;
}

static void erase_board(struct fake_site *site)
{
    struct fake_board *board = &site->board;
    struct part_bit eesave = site->part->eesave;

    touch(board, TOUCHED_ERASED);
    board->erases++;
    memset(board->flash, 0xFF, sizeof board->flash);
    if (eesave.mask == 0 ||
        !part_bit_programmed(eesave, board->bytes[eesave.memory - PART_FIRST_FUSE]))
        memset(board->eeprom, 0xFF, sizeof board->eeprom);
    board->bytes[PART_LOCK - PART_FIRST_FUSE] = 0xFF;
}

static void write_board(struct fake_board *board, enum part_memory memory, uint32_t start,
                        const uint8_t *bytes, uint32_t count)
{
    uint8_t *cells = memory_of(board, memory) + (part_is_fuse_or_lock(memory) ? 0 : start);

    board->writes[memory]++;
    if (memory != PART_LOCK && is_locked(board, false))
        return;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t stuck = part_is_fuse_or_lock(memory) ? board->stuck[memory - PART_FIRST_FUSE] : 0;

        if (memory == PART_FLASH)
            cells[i] &= bytes[i];
        else
            cells[i] = (uint8_t)((bytes[i] & ~stuck) | (cells[i] & stuck));
    }
    if (memory == PART_LOCK)
        touch(board, TOUCHED_LOCKED);
    else
        touch(board, part_is_fuse_or_lock(memory) ? TOUCHED_FUSED : TOUCHED_WRITTEN);
}

/* The driver */

static struct fake_site *lock_site(struct programmer *programmer)
{
    struct fake_site *site = ((struct fake_programmer *)programmer)->site;

    pthread_mutex_lock(&site->mutex);
    return site;
}

static int fake_claim(struct programmer *programmer, const struct programmer_settings *settings,
                      const struct operation *operation, struct failure *failure)
{
    struct fake_programmer *fake = (struct fake_programmer *)programmer;
    void *pointer = NULL;
    const struct fake_fault *fault;
    int result;

    assert_int_equal(sscanf(settings->place.path, "%p", &pointer), 1);
    fake->site = pointer;
    lock_site(programmer);
    fake->site->claims++;
    fault = strike(fake->site, FAKE_CLAIM, 0);
    fake->site->claims_owing += programmer->owed_value >= 0;
    if (programmer->owed_value >= 0)
        assert_int_equal(programmer->owed_value, fake->site->owes);
    result = fail_before(fault, failure);
    if (result == 0)
        programmer->owed_value = -1;
    snprintf(programmer->firmware, sizeof programmer->firmware, "%s",
             fake->site->firmware != NULL ? fake->site->firmware : "fake 1.0");
    programmer->sck_hz = programmer->driver->sck_hz;
    pthread_mutex_unlock(&fake->site->mutex);
    return fault != NULL && fault->waits ? operation_sleep_us(operation, INT32_MAX, failure)
                                         : result;
}

static void fake_unclaim(struct programmer *programmer)
{
    struct fake_programmer *fake = (struct fake_programmer *)programmer;

    if (fake->site == NULL)
        return;
    lock_site(programmer);
    fake->site->unclaims++;
    pthread_mutex_unlock(&fake->site->mutex);
}

static int fake_attach(struct programmer *programmer, const struct operation *operation,
                       struct failure *failure)
{
    struct fake_site *site = lock_site(programmer);
    int result = fail_before(strike(site, FAKE_ATTACH, 0), failure);

    if (result == 0)
        result = check_cancelled(operation, failure);
    if (result == 0) {
        assert_false(site->attached);
        site->attached = true;
        site->attaches++;
        if (site->swap && !site->present) {
            site->swap = false;
            put_in(site);
        } else if (site->swap) {
            site->present = false;
        }
    }
    pthread_mutex_unlock(&site->mutex);
    return result;
}

static const int64_t offered_hz[] = {1500000, 750000, 375000, 187500, 93750, 32000,
                                     16000,   8000,   4000,   2000,   1000,  500};
#define OFFERED (sizeof offered_hz / sizeof offered_hz[0])

/* An empty place answers at no SCK. */
static bool answers(const struct fake_site *site, int64_t sck_hz)
{
    int64_t clock_hz = avr_clock_hz(site->part, site->board.bytes, site->crystal_hz);

    if (site->answers_any)
        return true;
    return site->present && site->deaf_sessions == 0 &&
           part_clock_takes_sck(site->part, clock_hz, sck_hz);
}

static void choose_sck(struct programmer *programmer, struct fake_site *site)
{
    size_t i = programmer_pick_sck(programmer, offered_hz, OFFERED);

    assert_true(i < OFFERED);
    assert_true(site->attaches < FAKE_SESSIONS_MAX);
    site->sessions[site->attaches].target_hz = programmer->target_hz;
    site->sessions[site->attaches].first_hz = offered_hz[i];
    while (i < OFFERED - 1 && !answers(site, offered_hz[i]))
        i++;
    site->sessions[site->attaches].sck_hz = programmer->sck_hz = offered_hz[i];
    site->deaf_sessions -= site->deaf_sessions > 0;
}

static int fake_sck_attach(struct programmer *programmer, const struct operation *operation,
                           struct failure *failure)
{
    choose_sck(programmer, lock_site(programmer));
    pthread_mutex_unlock(&((struct fake_programmer *)programmer)->site->mutex);
    return fake_attach(programmer, operation, failure);
}

static int fake_release(struct programmer *programmer, const struct operation *operation,
                        struct failure *failure)
{
    struct fake_site *site = lock_site(programmer);
    struct fake_fault *fault = strike(site, FAKE_RELEASE, 0);

    (void)operation;
    site->attached = false;
    site->releases++;
    pthread_mutex_unlock(&site->mutex);
    return fault != NULL && fault->code != FAILURE_NONE
               ? failure_set(failure, fault->code, "release not confirmed")
               : 0;
}

static int fake_identify(struct programmer *programmer, uint8_t signature[3],
                         const struct operation *operation, struct failure *failure)
{
    struct fake_site *site = lock_site(programmer);
    struct fake_fault *fault = strike(site, FAKE_IDENTIFY, 0);
    int result = fail_before(fault, failure);

    if (result == 0)
        result = check_cancelled(operation, failure);
    memset(signature, 0xFF, 3);
    if (site->present)
        memcpy(signature, site->board.signature, 3);
    if (fault != NULL)
        signature[fault->address] ^= fault->flip;
    pthread_mutex_unlock(&site->mutex);
    return result;
}

static int fake_erase(struct programmer *programmer, struct fuse_permit *permit,
                      const struct operation *operation, struct failure *failure)
{
    struct isp_instruction instruction = isp_chip_erase(permit);
    struct fake_site *site = lock_site(programmer);
    struct fake_fault *fault = strike(site, FAKE_ERASE, 0);
    uint8_t bytes[4];
    int result = fail_before(fault, failure);

    if (result == 0)
        result = check_cancelled(operation, failure);
    if (result == 0)
        result = isp_door_open(programmer->part, &instruction, programmer->session, bytes, failure);
    if (result == 0) {
        erase_board(site);
        result = fail_after(fault, failure);
    }
    pthread_mutex_unlock(&site->mutex);
    return result;
}

static void note_read_time(struct fake_site *site, const struct operation *operation)
{
    int64_t left_us = operation->deadline_us - operation_now_us();

    if (site->shortest_read_us == 0 || left_us < site->shortest_read_us)
        site->shortest_read_us = left_us;
}

static int fake_read(struct programmer *programmer, enum part_memory memory, uint32_t start,
                     uint8_t *bytes, uint32_t count, const struct operation *operation,
                     struct failure *failure)
{
    struct fake_site *site = lock_site(programmer);
    struct fake_fault *fault = strike(site, FAKE_READ, (int)memory);
    int result = fail_before(fault, failure);

    if (memory == PART_FLASH)
        note_read_time(site, operation);
    if (result == 0)
        result = check_cancelled(operation, failure);
    if (result == 0) {
        memset(bytes, 0xFF, count);
        if (site->present)
            memcpy(bytes,
                   memory_of(&site->board, memory) + (part_is_fuse_or_lock(memory) ? 0 : start),
                   count);
        if (site->present && !part_is_fuse_or_lock(memory) && is_locked(&site->board, true))
            for (uint32_t i = 0; i < count; i++)
                bytes[i] = (uint8_t)(start + i);
        if (fault != NULL && fault->address >= start && fault->address - start < count)
            bytes[fault->address - start] ^= fault->flip;
        operation_progress(operation, count);
    }
    pthread_mutex_unlock(&site->mutex);
    return result;
}

static int fake_write(struct programmer *programmer, enum part_memory memory, uint32_t start,
                      const uint8_t *bytes, uint32_t count, struct fuse_permit *permit,
                      const struct operation *operation, struct failure *failure)
{
    struct fake_site *site = lock_site(programmer);
    struct fake_fault *fault = strike(site, FAKE_WRITE, (int)memory);
    int result = fail_before(fault, failure);
    uint8_t sent[4];

    if (result == 0)
        result = check_cancelled(operation, failure);
    if (result == 0 && part_is_fuse_or_lock(memory)) {
        struct isp_instruction instruction =
            isp_write_byte(programmer->part, memory, bytes[0], permit);

        result = isp_door_open(programmer->part, &instruction, programmer->session, sent, failure);
    }
    if (memory == PART_FLASH)
        site->flash_sck_hz = programmer->sck_hz;
    if (result == 0) {
        if (site->present)
            write_board(&site->board, memory, start, bytes, count);
        operation_progress(operation, count);
        result = fail_after(fault, failure);
    }
    if (result != 0 && site->owes != 0)
        programmer->owed_value = site->owes;
    pthread_mutex_unlock(&site->mutex);
    return result;
}

static int64_t fake_floor_us(const struct part *part, const struct programmer_speed *speed,
                             uint32_t flash_bytes, uint32_t verify_bytes, char *text,
                             size_t text_bytes)
{
    (void)part;
    if (text != NULL)
        snprintf(text, text_bytes, "%u baud", speed->baud);
    return (int64_t)flash_bytes * 100 + (int64_t)verify_bytes * 50;
}

static int64_t fake_sck_floor_us(const struct part *part, const struct programmer_speed *speed,
                                 uint32_t flash_bytes, uint32_t verify_bytes, char *text,
                                 size_t text_bytes)
{
    (void)part;
    if (text != NULL)
        snprintf(text, text_bytes, "%lld Hz", (long long)speed->sck_hz);
    return (int64_t)(flash_bytes + verify_bytes) * 32000000 / speed->sck_hz;
}

const struct programmer_driver fake_driver = {
    .name = "fake",
    .title = "boards in memory",
    .instance_bytes = sizeof(struct fake_programmer),
    .default_baud = 19200,
    .flash_bytes_max = 0x20000,
    .sck_hz = 125000,
    .claim = fake_claim,
    .unclaim = fake_unclaim,
    .attach = fake_attach,
    .release = fake_release,
    .identify = fake_identify,
    .erase = fake_erase,
    .read = fake_read,
    .write = fake_write,
    .floor_us = fake_floor_us,
};

const struct programmer_driver fake_sck_driver = {
    .name = "fake-sck",
    .title = "boards in memory, SCK by their clock",
    .instance_bytes = sizeof(struct fake_programmer),
    .flash_bytes_max = 0x10000,
    .sck_slowest_hz = 500,
    .sck_fastest_hz = 1500000,
    .claim = fake_claim,
    .unclaim = fake_unclaim,
    .attach = fake_sck_attach,
    .release = fake_release,
    .identify = fake_identify,
    .erase = fake_erase,
    .read = fake_read,
    .write = fake_write,
    .floor_us = fake_sck_floor_us,
};

/* The linker puts these in place of programmer_driver_by_name() (see CMakeLists.txt), so that jigs
 * of tests can name the fake driver. */
const struct programmer_driver *__wrap_programmer_driver_by_name(const char *name);
const struct programmer_driver *__real_programmer_driver_by_name(const char *name);

const struct programmer_driver *__wrap_programmer_driver_by_name(const char *name)
{
    if (strcmp(name, fake_sck_driver.name) == 0)
        return &fake_sck_driver;
    return strcmp(name, fake_driver.name) == 0 ? &fake_driver
                                               : __real_programmer_driver_by_name(name);
}

/* Sites */

void fake_site_open(struct fake_site *site, const struct part *part)
{
    memset(site, 0, sizeof *site);
    pthread_mutex_init(&site->mutex, NULL);
    site->part = part;
    put_in(site);
}

void fake_site_close(struct fake_site *site)
{
    pthread_mutex_destroy(&site->mutex);
}

void fake_site_place(struct fake_site *site, struct place *place)
{
    place->kind = PLACE_PTY;
    snprintf(place->path, sizeof place->path, "%p", (void *)site);
}

void fake_site_add_fault(struct fake_site *site, struct fake_fault fault)
{
    pthread_mutex_lock(&site->mutex);
    assert_true(site->fault_count < FAKE_FAULTS_MAX);
    site->faults[site->fault_count++] = fault;
    pthread_mutex_unlock(&site->mutex);
}

void fake_site_insert(struct fake_site *site)
{
    pthread_mutex_lock(&site->mutex);
    put_in(site);
    pthread_mutex_unlock(&site->mutex);
}

void fake_site_remove(struct fake_site *site)
{
    pthread_mutex_lock(&site->mutex);
    site->present = false;
    pthread_mutex_unlock(&site->mutex);
}

void fake_site_swap(struct fake_site *site)
{
    pthread_mutex_lock(&site->mutex);
    site->swap = true;
    pthread_mutex_unlock(&site->mutex);
}

int fake_site_attaches(struct fake_site *site)
{
    pthread_mutex_lock(&site->mutex);
    int attaches = site->attaches;
    pthread_mutex_unlock(&site->mutex);
    return attaches;
}

int fake_site_claims(struct fake_site *site)
{
    pthread_mutex_lock(&site->mutex);
    int claims = site->claims;
    pthread_mutex_unlock(&site->mutex);
    return claims;
}

/* Station */

/* Bytes 0x0040 to 0x00BF and 0x0200 to 0x023F: three pages of an ATmega328P, two of them in part.
 */
static void write_hex(const char *directory)
{
    char path[96];
    FILE *file;

    snprintf(path, sizeof path, "%s/image.hex", directory);
    file = fopen(path, "w");
    assert_non_null(file);
    for (unsigned address = 0x40; address < 0x240; address += 16) {
        unsigned sum = 16 + (address >> 8) + (address & 0xFF);

        if (address >= 0xC0 && address < 0x200)
            continue;
        fprintf(file, ":10%04X00", address);
        for (unsigned i = 0; i < 16; i++) {
            unsigned value = (address * 7 + i * 11) & 0xFF;

            sum += value;
            fprintf(file, "%02X", value);
        }
        fprintf(file, "%02X\n", (0x100 - sum) & 0xFF);
    }
    fprintf(file, ":00000001FF\n");
    assert_int_equal(fclose(file), 0);
}

static const char *const profile_lines[] = {
    "format: 1",
    "profile: fake",
    "article: FAKE-1",
    "revision: 1",
    "via: isp",
    "part: ATmega328P",
    "board: {clock: crystal 16 MHz, supply: 5 V}",
    "images: [{file: image.hex}]",
    "fuses: {low: 0xFF, high: 0xDE, extended: 0xFD}",
    "lock: 0xCF",
    "eeprom: erase",
    "verify: image",
    "retry: {contact: 2, verify: 0}",
    /* Its image is small, some changes keep the EEPROM or lock the board, and clock fuses are often
     * others than the board's, on purpose. */
    ("accept_risk: [{rule: bootrst-without-bootloader, because: test}, "
     "{rule: eesave, because: test}, {rule: lock-forbids, because: test}, "
     "{rule: clock-source, because: test}, {rule: clock-frequency, because: test}]"),
};

/* Does some line of `changes` have the same key? */
static bool is_changed(const char *line, const char *changes)
{
    size_t key = strcspn(line, ":") + 1;

    for (const char *at = changes; at != NULL && *at != '\0'; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, line, key) == 0)
            return true;
    }
    return false;
}

void fake_station_load(struct fake_station *station, const char *changes)
{
    struct failure failure = {0};
    char path[96];
    FILE *file;

    profile_free(station->profile);
    station->profile = NULL;
    write_hex(station->directory);
    snprintf(path, sizeof path, "%s/profile.yaml", station->directory);
    file = fopen(path, "w");
    assert_non_null(file);
    for (size_t i = 0; i < sizeof profile_lines / sizeof profile_lines[0]; i++)
        if (!is_changed(profile_lines[i], changes))
            fprintf(file, "%s\n", profile_lines[i]);
    fprintf(file, "%s\n", changes != NULL ? changes : "");
    assert_int_equal(fclose(file), 0);
    if (profile_load(path, PARTS, &station->profile, &failure) != 0)
        fail_msg("%s", failure.detail);
}

static void published(void *context, const struct record_attempt *record)
{
    struct fake_station *station = context;

    atomic_fetch_add(&station->published, 1);
    if (station->on_publish != NULL)
        station->on_publish(station->publish_context, record);
}

static void open_log(struct fake_station *station, int recovered_expected)
{
    struct log_options options = {.path = station->log_path,
                                  .station = "test",
                                  .software = "test",
                                  .publish = published,
                                  .context = station};
    struct failure failure = {0};
    int recovered = -1;

    if (log_open(&options, &station->log, &recovered, &failure) != 0)
        fail_msg("%s", failure.detail);
    assert_int_equal(recovered, recovered_expected);
}

void fake_station_open(struct fake_station *station, const char *changes)
{
    memset(station, 0, sizeof *station);
    snprintf(station->directory, sizeof station->directory, "/tmp/fake-bench-XXXXXX");
    assert_non_null(mkdtemp(station->directory));
    snprintf(station->log_path, sizeof station->log_path, "%s/log.db", station->directory);
    fake_station_load(station, changes);
    open_log(station, 0);
    station->events = event_queue_create();
    assert_non_null(station->events);
}

static void remove_all(struct fake_station *station)
{
    char command[128];

    profile_free(station->profile);
    event_queue_free(station->events);
    snprintf(command, sizeof command, "rm -r '%s'", station->directory);
    assert_int_equal(system(command), 0);
}

void fake_station_close(struct fake_station *station)
{
    struct failure failure = {0};

    assert_int_equal(log_close(station->log, &failure), 0);
    /* An attempt left open would be recovered now. */
    open_log(station, 0);
    assert_int_equal(log_close(station->log, &failure), 0);
    remove_all(station);
}

void fake_station_restart(struct fake_station *station, int recovered_expected)
{
    fake_disk_free();
    assert_int_equal(log_close(station->log, NULL), -1);
    open_log(station, recovered_expected);
}

void fake_station_abandon(struct fake_station *station)
{
    log_close(station->log, NULL);
    remove_all(station);
}

void fake_disk_fill(void *unused)
{
    struct rlimit limit;

    (void)unused;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = 1024;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

void fake_log_break(void *context)
{
    struct fake_station *station = context;
    int64_t count, passed;

    fake_disk_fill(NULL);
    assert_int_equal(log_bind_lot(station->log, "lot", station->profile->sha256,
                                  station->profile->image_sha256, 0, &count, &passed, NULL),
                     -1);
}

void fake_disk_free(void)
{
    struct rlimit limit;

    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}
