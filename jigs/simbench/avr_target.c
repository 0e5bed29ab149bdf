#include "jigs/simbench/avr_target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jigs/simbench/avr_clock.h"

#define FLOATING 0xFF /* nobody drives MISO; a pull-up does */
#define EEPROM_PAGE_MAX 256
#define FLASH_PAGE_MAX 512

struct instruction;

struct avr_target {
    const struct part *part;
    int64_t crystal_hz;
    int64_t signal_hz; /* fed in, instead of a crystal; 0: none */
    bool keeps_time;

    uint8_t *flash;
    uint8_t *eeprom;
    uint8_t bytes[PART_FUSE_AND_LOCK_COUNT];     /* as they read back */
    uint8_t in_effect[PART_FUSE_AND_LOCK_COUNT]; /* as latched when programming mode was left */
    int64_t clock_hz;

    bool reset_low;
    bool enabled;
    bool out_of_step; /* the first instruction was not AC 53: deaf until the next RESET pulse */
    uint8_t frame[4];
    int frame_count;
    const struct instruction *instruction; /* known from the third byte on */
    uint8_t last_in;

    uint8_t flash_page[FLASH_PAGE_MAX];
    uint8_t eeprom_page[EEPROM_PAGE_MAX];
    bool eeprom_loaded[EEPROM_PAGE_MAX];
    uint32_t extended_address;
    int64_t busy_from_us, busy_until_us;
    enum part_memory busy_memory; /* of which a byte or page is being written */
    bool busy_erasing;

    struct avr_target_defects defects;
    bool cut_write; /* the next write is interrupted halfway */

    uint32_t noise;
    struct avr_target_counts counts;
    int64_t writes_sent[PART_FUSE_AND_LOCK_COUNT][256];
    uint8_t frames[AVR_TARGET_FRAMES][4];
    int64_t frames_seen;
};

/* One row of the serial programming instruction set. `read` makes the fourth byte out; `write` acts
 * when the fourth byte is in. */
struct instruction {
    uint8_t first;
    uint8_t second_mask; /* bits of the second byte that tell instructions apart */
    uint8_t second;
    uint8_t (*read)(struct avr_target *target, int64_t now_us);
    void (*write)(struct avr_target *target, int64_t now_us);
};

static bool is_busy(const struct avr_target *target, int64_t now_us)
{
    return now_us < target->busy_until_us;
}

/* What the silicon takes at most. Part files give a part without RDY/BSY polling the longest wait
 * that any source names, to be on the safe side; its datasheet gives shorter ones (ATmega32A, 8155,
 * "Serial Programming"; AT90S8515, 0841, table 30), and programmers that keep to those are right.
 * The oldest parts with pages (ATmega103, 161, 163) are as slow as all sources say. */
#define OLD_FLASH_US 4500
#define OLD_EEPROM_US 9000
#define OLD_ERASE_US 9000
#define OLDEST_PAGE_US 10000 /* more than this for a page, and the sources agree */

static bool is_oldest_with_pages(const struct part *part)
{
    return part->flash.page_write && part->flash.write_delay_us > OLDEST_PAGE_US;
}

static uint32_t silicon_us(const struct avr_target *target, uint32_t wait_us, uint32_t old_us)
{
    const struct part *part = target->part;
    bool sure = part->poll_ready || is_oldest_with_pages(part);
    return sure || wait_us < old_us ? wait_us : old_us;
}

/* `memory`: what is being written; PART_MEMORY_COUNT for what is neither flash nor EEPROM. */
static void become_busy(struct avr_target *target, enum part_memory memory, uint32_t duration_us,
                        int64_t now_us)
{
    target->busy_erasing = false;
    if (target->keeps_time) {
        target->busy_from_us = now_us;
        double factor = target->defects.write_factor > 0 ? target->defects.write_factor : 1;
        target->busy_until_us = now_us + (int64_t)(duration_us * factor);
        target->busy_memory = memory;
    }
}

/* What reading gives while a write is under way. In the memory that is written the old parts show
 * values of their own, while they erase and while they program ("Data Polling", AT90S8515, 0841:
 * flash 7F, EEPROM 80 and then 7F; ATmega32A, 8155: FF). */
static uint8_t busy_answer(const struct avr_target *target, int64_t now_us)
{
    uint8_t opcode = target->frame[0];
    bool flash = target->busy_memory == PART_FLASH && (opcode == 0x20 || opcode == 0x28);
    bool eeprom = target->busy_memory == PART_EEPROM && opcode == 0xA0;
    const struct part_array *array = flash ? &target->part->flash : &target->part->eeprom;
    if (!(flash || eeprom) || !array->has_unpollable) {
        return FLOATING;
    }
    int64_t half_us = (target->busy_until_us - target->busy_from_us) / 2;
    return array->unpollable[now_us - target->busy_from_us < half_us ? 0 : 1];
}

/* --- defects --- */

/* Bits that writing this page, byte, fuse or lock byte does not change. */
static uint8_t bad_bits(struct avr_target *target, enum part_memory memory, uint32_t start,
                        uint32_t count)
{
    if (target->defects.bad_bits == NULL) {
        return 0;
    }
    return target->defects.bad_bits(target->defects.context, memory, start, count);
}

/* How many of `count` bytes are written before the supply goes away. */
static uint32_t written_bytes(const struct avr_target *target, uint32_t count)
{
    return target->cut_write ? count / 2 : count;
}

static void change_byte(uint8_t *byte, uint8_t value, uint8_t unchanged)
{
    *byte = (uint8_t)((*byte & unchanged) | (value & ~unchanged));
}

static uint8_t *byte_of(struct avr_target *target, enum part_memory memory)
{
    return &target->bytes[memory - PART_FIRST_FUSE];
}

static uint8_t mask_of(const struct avr_target *target, enum part_memory memory)
{
    const struct part_byte *byte = &target->part->bytes[memory - PART_FIRST_FUSE];
    return byte->exists ? byte->mask : 0;
}

/* --- lock bits: LB2 and LB1, modes 1 (11), 2 (10) and 3 (00) --- */

enum lock_mode { LOCK_NONE = 0x03, LOCK_WRITING = 0x02 /* all else: reading too */ };

/* Where they stand: 03 on most parts, 06 on the oldest. */
static uint8_t lock_mask(const struct avr_target *target)
{
    const struct part_byte *lock = &target->part->bytes[PART_LOCK - PART_FIRST_FUSE];
    for (size_t i = 0; i < lock->field_count; i++) {
        if (strcmp(lock->fields[i].name, "LB") == 0) {
            return lock->fields[i].mask;
        }
    }
    return 0x03;
}

static uint8_t lock_mode(struct avr_target *target)
{
    uint8_t mask = lock_mask(target);
    return (uint8_t)((*byte_of(target, PART_LOCK) & mask) / (mask & -mask));
}

static bool writing_is_locked(struct avr_target *target)
{
    return lock_mode(target) != LOCK_NONE;
}

static bool reading_is_locked(struct avr_target *target)
{
    return lock_mode(target) != LOCK_NONE && lock_mode(target) != LOCK_WRITING;
}

static bool refuse_locked(struct avr_target *target)
{
    if (!writing_is_locked(target)) {
        return false;
    }
    target->counts.ignored_locked++;
    return true;
}

/* --- flash --- */

static uint32_t word_in_frame(const struct avr_target *target)
{
    return target->extended_address << 16 | (uint32_t)target->frame[1] << 8 | target->frame[2];
}

/* Addresses beyond the memory wrap: the upper bits are not decoded. */
static uint32_t flash_address(const struct avr_target *target)
{
    uint32_t high_byte = target->frame[0] & 0x08 ? 1 : 0;
    return (word_in_frame(target) * 2 + high_byte) % target->part->flash.size;
}

static uint8_t read_flash(struct avr_target *target, int64_t now_us)
{
    (void)now_us;
    /* A locked part answers with the low byte of the word address. */
    return reading_is_locked(target) ? target->frame[2] : target->flash[flash_address(target)];
}

static void load_flash(struct avr_target *target, int64_t now_us)
{
    const struct part_array *flash = &target->part->flash;
    if (flash->page_write) {
        /* Loading a place twice leaves what both had in common: the buffer only clears bits. */
        target->flash_page[flash_address(target) % flash->page_size] &= target->frame[3];
        return;
    }
    if (!refuse_locked(target)) {
        uint32_t address = flash_address(target);
        uint8_t bad = bad_bits(target, PART_FLASH, address, 1);
        target->flash[address] &= written_bytes(target, 1) != 0 ? target->frame[3] | bad : 0xFF;
        target->counts.flash_pages++;
        become_busy(target, PART_FLASH, silicon_us(target, flash->write_delay_us, OLD_FLASH_US),
                    now_us);
    }
}

static void write_flash_page(struct avr_target *target, int64_t now_us)
{
    const struct part_array *flash = &target->part->flash;
    if (flash->page_write && !refuse_locked(target)) {
        uint32_t start = flash_address(target) / flash->page_size * flash->page_size;
        uint8_t bad = bad_bits(target, PART_FLASH, start, flash->page_size);
        for (uint32_t i = 0; i < written_bytes(target, flash->page_size); i++) {
            target->flash[start + i] &= target->flash_page[i] | bad;
        }
        target->counts.flash_pages++;
        become_busy(target, PART_FLASH, silicon_us(target, flash->write_delay_us, OLD_FLASH_US),
                    now_us);
    }
    memset(target->flash_page, 0xFF, sizeof target->flash_page);
}

static void load_extended_address(struct avr_target *target, int64_t now_us)
{
    (void)now_us;
    if (target->part->flash.needs_extended_address) {
        target->extended_address = target->frame[2];
    }
}

/* --- EEPROM --- */

static uint32_t eeprom_address(const struct avr_target *target)
{
    return ((uint32_t)target->frame[1] << 8 | target->frame[2]) % target->part->eeprom.size;
}

static uint8_t read_eeprom(struct avr_target *target, int64_t now_us)
{
    (void)now_us;
    if (target->part->eeprom.size == 0) {
        return FLOATING;
    }
    return reading_is_locked(target) ? target->frame[2] : target->eeprom[eeprom_address(target)];
}

static void write_eeprom(struct avr_target *target, int64_t now_us)
{
    if (target->part->eeprom.size == 0 || refuse_locked(target)) {
        return;
    }
    uint32_t address = eeprom_address(target);
    uint8_t bad = written_bytes(target, 1) != 0 ? bad_bits(target, PART_EEPROM, address, 1) : 0xFF;
    change_byte(&target->eeprom[address], target->frame[3], bad);
    target->counts.eeprom_writes++;
    become_busy(target, PART_EEPROM,
                silicon_us(target, target->part->eeprom.write_delay_us, OLD_EEPROM_US), now_us);
}

static void load_eeprom(struct avr_target *target, int64_t now_us)
{
    (void)now_us;
    const struct part_array *eeprom = &target->part->eeprom;
    if (eeprom->size != 0 && eeprom->page_write) {
        uint32_t offset = target->frame[2] % eeprom->page_size;
        target->eeprom_page[offset] &= target->frame[3];
        target->eeprom_loaded[offset] = true;
    }
}

static void forget_eeprom_page(struct avr_target *target)
{
    memset(target->eeprom_page, 0xFF, sizeof target->eeprom_page);
    memset(target->eeprom_loaded, 0, sizeof target->eeprom_loaded);
}

/* Only the loaded bytes of the page change; each is erased first. */
static void write_eeprom_page(struct avr_target *target, int64_t now_us)
{
    const struct part_array *eeprom = &target->part->eeprom;
    if (eeprom->size == 0 || !eeprom->page_write) {
        return;
    }
    if (!refuse_locked(target)) {
        uint32_t start = eeprom_address(target) / eeprom->page_size * eeprom->page_size;
        for (uint32_t i = 0; i < written_bytes(target, eeprom->page_size); i++) {
            if (target->eeprom_loaded[i]) {
                change_byte(&target->eeprom[start + i], target->eeprom_page[i],
                            bad_bits(target, PART_EEPROM, start + i, 1));
            }
        }
        target->counts.eeprom_writes++;
        become_busy(target, PART_EEPROM, silicon_us(target, eeprom->write_delay_us, OLD_EEPROM_US),
                    now_us);
    }
    forget_eeprom_page(target);
}

/* --- signature, fuses, lock, erase --- */

/* "The signature bytes are not readable in lock mode 3": AT90S8515 (0841) and all parts whose lock
 * bits stand where its do. */
#define OLDEST_LOCK_MASK 0x06

static uint8_t read_signature(struct avr_target *target, int64_t now_us)
{
    (void)now_us;
    uint8_t index = target->frame[2] & 0x03;
    if (lock_mask(target) == OLDEST_LOCK_MASK && reading_is_locked(target)) {
        return target->frame[2];
    }
    return index < 3 ? target->part->signature[index] : FLOATING;
}

/* The value differs from chip to chip; this one's is as good as any. */
static uint8_t read_calibration(struct avr_target *target, int64_t now_us)
{
    (void)now_us;
    uint8_t index = target->frame[2];
    return index < target->part->calibration_bytes ? (uint8_t)(0x9C + index) : FLOATING;
}

static bool begins_as(const struct part_instruction *instruction, const uint8_t frame[4])
{
    for (int i = 0; i < 3; i++) {
        if (((frame[i] ^ instruction->bits[i]) & instruction->fixed[i]) != 0) {
            return false;
        }
    }
    return true;
}

/* The fuse or lock byte from `from` on that this reads; the oldest parts answer with fuse and lock
 * bits in one byte. PART_MEMORY_COUNT where there is none more. */
static enum part_memory next_read(const struct avr_target *target, enum part_memory from)
{
    for (enum part_memory memory = from; memory <= PART_LOCK; memory++) {
        const struct part_byte *byte = &target->part->bytes[memory - PART_FIRST_FUSE];
        if (byte->exists && byte->readable && begins_as(&byte->read, target->frame)) {
            return memory;
        }
    }
    return PART_MEMORY_COUNT;
}

/* Places without a value give back what came in. */
static uint8_t read_byte(struct avr_target *target, int64_t now_us)
{
    (void)now_us;
    uint8_t answer = target->frame[2];
    enum part_memory memory = next_read(target, PART_FIRST_FUSE);
    for (; memory <= PART_LOCK; memory = next_read(target, memory + 1)) {
        const uint8_t *place = target->part->bytes[memory - PART_FIRST_FUSE].read.place;
        for (int n = 0; n < 8; n++) {
            uint8_t mask = place[n] == 0 ? 0 : (uint8_t)(0x80 >> (place[n] - 1) % 8);
            bool one = (*byte_of(target, memory) >> n & 1) != 0;
            answer = one ? answer | mask : answer & (uint8_t)~mask;
        }
    }
    return answer;
}

struct byte_write {
    enum part_memory memory; /* PART_MEMORY_COUNT: it is none */
    uint8_t value, carried;
};

static struct byte_write decode_write(const struct avr_target *target)
{
    struct byte_write write = {.memory = PART_FIRST_FUSE};
    for (; write.memory <= PART_LOCK; write.memory++) {
        const struct part_byte *byte = &target->part->bytes[write.memory - PART_FIRST_FUSE];
        if (byte->exists && byte->writable &&
            part_instruction_decode(&byte->write, target->frame, &write.value, &write.carried)) {
            return write;
        }
    }
    return (struct byte_write){.memory = PART_MEMORY_COUNT};
}

static void count_write(struct avr_target *target, const struct byte_write *write)
{
    target->writes_sent[write->memory - PART_FIRST_FUSE][write->value]++;
}

static void write_fuse(struct avr_target *target, const struct byte_write *write, int64_t now_us)
{
    if (refuse_locked(target)) {
        return;
    }
    uint8_t writable = mask_of(target, write->memory) & write->carried;
    if (target->part->spien.memory == write->memory) {
        writable &= (uint8_t)~target->part->spien.mask; /* not accessible in serial mode */
    }
    writable &= (uint8_t)~bad_bits(target, write->memory, 0, 1);
    if (written_bytes(target, 1) != 0) {
        change_byte(byte_of(target, write->memory), write->value, (uint8_t)~writable);
    }
    become_busy(target, PART_MEMORY_COUNT, target->part->fuse_write_delay_us, now_us);
}

/* Without an erase lock bits can only be programmed further; once writing is locked, only LB1 and
 * LB2 themselves still can. */
static void write_lock(struct avr_target *target, const struct byte_write *write, int64_t now_us)
{
    uint8_t writable = mask_of(target, PART_LOCK) & write->carried;
    if (writing_is_locked(target)) {
        writable &= lock_mask(target);
    }
    writable &= (uint8_t)~bad_bits(target, PART_LOCK, 0, 1);
    if (written_bytes(target, 1) != 0) {
        *byte_of(target, PART_LOCK) &= (uint8_t)(write->value | ~writable);
    }
    become_busy(target, PART_MEMORY_COUNT, target->part->lock_write_delay_us, now_us);
}

static void write_byte(struct avr_target *target, int64_t now_us)
{
    struct byte_write write = decode_write(target);
    count_write(target, &write);
    if (write.memory == PART_LOCK) {
        write_lock(target, &write, now_us);
    } else {
        write_fuse(target, &write, now_us);
    }
}

/* EESAVE counts as it was latched: what was written in this session does not act yet. (The
 * datasheets let EESAVE act once it is programmed; whoever relies on that alone is caught here.) */
static bool eeprom_is_saved(const struct avr_target *target)
{
    struct part_bit bit = target->part->eesave;
    return bit.mask != 0 &&
           part_bit_programmed(bit, target->in_effect[bit.memory - PART_FIRST_FUSE]);
}

static void chip_erase(struct avr_target *target, int64_t now_us)
{
    memset(target->flash, 0xFF, written_bytes(target, target->part->flash.size));
    if (target->part->eeprom.size != 0 && !eeprom_is_saved(target)) {
        memset(target->eeprom, 0xFF, written_bytes(target, target->part->eeprom.size));
    }
    /* "The Lock bits are not reset until the program memory has been completely erased." */
    if (!target->cut_write) {
        *byte_of(target, PART_LOCK) = 0xFF;
    }
    memset(target->flash_page, 0xFF, sizeof target->flash_page);
    target->counts.erases++;
    become_busy(target, PART_MEMORY_COUNT,
                silicon_us(target, target->part->chip_erase_delay_us, OLD_ERASE_US), now_us);
    target->busy_erasing = true;
}

/* Parts without RDY/BSY polling give back what was shifted in: it reads as "ready". */
static uint8_t poll_ready(struct avr_target *target, int64_t now_us)
{
    bool answers =
        target->part->poll_ready && (!target->busy_erasing || target->part->poll_after_erase);
    return answers && is_busy(target, now_us) ? 0x01 : target->frame[2] & 0xFE;
}

/* "Serial Programming Instruction Set", ATmega328P (8271J) table 28-19: what all parts have. */
static const struct instruction instructions[] = {
    {0x20, 0x00, 0x00, read_flash, NULL},
    {0x28, 0x00, 0x00, read_flash, NULL},
    {0x40, 0x00, 0x00, NULL, load_flash},
    {0x48, 0x00, 0x00, NULL, load_flash},
    {0x4C, 0x00, 0x00, NULL, write_flash_page},
    {0xF0, 0x00, 0x00, poll_ready, NULL},
    {0x4D, 0x00, 0x00, NULL, load_extended_address},
    {0xA0, 0x00, 0x00, read_eeprom, NULL},
    {0xC0, 0x00, 0x00, NULL, write_eeprom},
    {0xC1, 0x00, 0x00, NULL, load_eeprom},
    {0xC2, 0x00, 0x00, NULL, write_eeprom_page},
    {0x30, 0x00, 0x00, read_signature, NULL},
    {0x38, 0x00, 0x00, read_calibration, NULL},
    {0xAC, 0xE0, 0x80, NULL, chip_erase},
    {0xAC, 0xFF, 0x53, NULL, NULL}, /* again: nothing happens */
};

/* Fuses and lock bits: each part has its own. */
static const struct instruction fuse_read = {.read = read_byte};
static const struct instruction fuse_write = {.write = write_byte};

/* By three bytes what will be read, by four also what is to be written. */
static const struct instruction *find_instruction(const struct avr_target *target)
{
    for (size_t i = 0; i < sizeof instructions / sizeof *instructions; i++) {
        const struct instruction *row = &instructions[i];
        if (row->first == target->frame[0] &&
            (target->frame[1] & row->second_mask) == row->second) {
            return row;
        }
    }
    if (next_read(target, PART_FIRST_FUSE) <= PART_LOCK) {
        return &fuse_read;
    }
    bool whole = target->frame_count == 4;
    return whole && decode_write(target).memory <= PART_LOCK ? &fuse_write : NULL;
}

/* --- shifting --- */

static void keep_frame(struct avr_target *target)
{
    if (target->frame[0] == 0xAC && target->frame[1] != 0x53) {
        memcpy(target->frames[target->frames_seen % AVR_TARGET_FRAMES], target->frame, 4);
        target->frames_seen++;
    }
}

static void ignore_busy(struct avr_target *target)
{
    const struct instruction *instruction = target->instruction;
    if (instruction->write == NULL) {
        target->counts.busy_reads++;
        return;
    }
    target->counts.ignored_busy++;
    if (instruction == &fuse_write) {
        struct byte_write write = decode_write(target);
        count_write(target, &write);
    }
}

static void execute(struct avr_target *target, int64_t now_us)
{
    const struct instruction *instruction = target->instruction;
    target->counts.instructions++;
    keep_frame(target);
    if (instruction == NULL) {
        target->counts.ignored_unknown++;
    } else if (is_busy(target, now_us) && instruction->read != poll_ready) {
        ignore_busy(target);
    } else if (instruction->write != NULL) {
        instruction->write(target, now_us);
    }
}

/* The byte that goes out while the next one comes in. What has no answer of its own gives back what
 * came in before it. */
static uint8_t answer(struct avr_target *target, int64_t now_us)
{
    if (target->frame_count < 3) {
        return target->last_in;
    }
    const struct instruction *instruction = target->instruction;
    if (instruction == NULL || instruction->read == NULL) {
        return target->last_in;
    }
    if (is_busy(target, now_us) && instruction->read != poll_ready) {
        return busy_answer(target, now_us);
    }
    return instruction->read(target, now_us);
}

/* Before programming mode the only instruction is AC 53; its third answer byte is 53 where the part
 * gives one. */
static uint8_t shift_before_enabled(struct avr_target *target, uint8_t mosi)
{
    uint8_t miso = target->last_in;
    bool asked = target->frame[0] == 0xAC && target->frame[1] == 0x53;
    if (target->out_of_step || (target->frame_count >= 2 && !(asked && target->part->sync_echo))) {
        miso = FLOATING;
    }
    target->last_in = mosi;
    target->frame[target->frame_count++] = mosi;
    if (target->frame_count == 4) {
        target->frame_count = 0;
        if (asked && !target->out_of_step) {
            target->enabled = true;
            target->counts.enables++;
        } else {
            target->out_of_step = true;
        }
    }
    return miso;
}

static uint8_t shift(struct avr_target *target, uint8_t mosi, int64_t now_us)
{
    uint8_t miso = answer(target, now_us);
    target->last_in = mosi;
    target->frame[target->frame_count++] = mosi;
    if (target->frame_count >= 3) {
        target->instruction = find_instruction(target);
    }
    if (target->frame_count == 4) {
        target->frame_count = 0;
        execute(target, now_us);
    }
    return miso;
}

/* Above the limit the part misses clock edges: it never gets into step, and what comes out has no
 * meaning. It has not understood AC 53, so it does not give its echo either. */
#define ENABLE_ECHO 0x53

static uint8_t miss_edges(struct avr_target *target)
{
    target->counts.too_fast++;
    target->out_of_step = true;
    target->enabled = false;
    target->noise = target->noise * 1664525u + 1013904223u; /* Numerical Recipes, 7.1 */
    uint8_t noise = (uint8_t)(target->noise >> 24);
    return noise == ENABLE_ECHO ? FLOATING : noise;
}

static bool sck_is_too_fast(const struct avr_target *target, int64_t sck_hz)
{
    /* From 12 MHz on both phases of SCK must be longer than three clocks, below than two. */
    int64_t divider = target->clock_hz >= 12000000 ? target->part->sck_divider_from_12mhz
                                                   : target->part->sck_divider;
    return sck_hz * divider > target->clock_hz;
}

uint8_t avr_target_transfer(struct avr_target *target, uint8_t mosi, int64_t sck_hz, int64_t now_us)
{
    if (!target->reset_low || target->clock_hz == 0) {
        return FLOATING;
    }
    if (sck_is_too_fast(target, sck_hz)) {
        return miss_edges(target);
    }
    return target->enabled ? shift(target, mosi, now_us) : shift_before_enabled(target, mosi);
}

/* --- RESET and clock --- */

static bool reset_pin_is_lost(const struct avr_target *target)
{
    const struct part_bit bits[] = {target->part->rstdisbl, target->part->dwen};
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) {
        if (bits[i].mask != 0 &&
            part_bit_programmed(bits[i], target->in_effect[bits[i].memory - PART_FIRST_FUSE])) {
            return true;
        }
    }
    return false;
}

static void latch_fuses(struct avr_target *target)
{
    memcpy(target->in_effect, target->bytes, sizeof target->in_effect);
    target->clock_hz = avr_clock_hz(target->part, target->in_effect, target->crystal_hz);
    if (target->signal_hz != 0) {
        target->clock_hz =
            avr_clock_of_signal_hz(target->part, target->in_effect, target->signal_hz);
    }
    if (target->defects.weak_crystal && target->signal_hz == 0 &&
        !avr_clock_is_promised(target->part, target->in_effect, target->crystal_hz)) {
        target->clock_hz = 0;
    }
    if (target->defects.clock_hz != 0) {
        target->clock_hz = target->defects.clock_hz;
    }
    if (reset_pin_is_lost(target)) {
        target->clock_hz = 0;
    }
}

void avr_target_drive_reset(struct avr_target *target, bool low)
{
    if (low == target->reset_low) {
        return;
    }
    target->reset_low = low;
    target->enabled = false;
    target->out_of_step = false;
    target->frame_count = 0;
    target->last_in = 0;
    target->extended_address = 0;
    memset(target->flash_page, 0xFF, sizeof target->flash_page);
    forget_eeprom_page(target);
    if (!low) {
        latch_fuses(target);
    }
}

/* --- life and looking inside --- */

static void set_factory_state(struct avr_target *target)
{
    memset(target->flash, 0xFF, target->part->flash.size);
    memset(target->eeprom, 0xFF, target->part->eeprom.size);
    for (int i = 0; i < PART_FUSE_AND_LOCK_COUNT; i++) {
        const struct part_byte *byte = &target->part->bytes[i];
        uint8_t value = byte->factory_default < 0 ? 0xFF : (uint8_t)byte->factory_default;
        target->bytes[i] = byte->exists ? (uint8_t)(value | ~byte->mask) : 0xFF;
    }
    /* Whatever the sources say or do not say: as it is sold, it takes serial programming. */
    struct part_bit spien = target->part->spien;
    if (spien.mask != 0) {
        *byte_of(target, spien.memory) &= (uint8_t)~spien.mask;
    }
    latch_fuses(target);
    memset(target->flash_page, 0xFF, sizeof target->flash_page);
    forget_eeprom_page(target);
}

struct avr_target *avr_target_create(const struct part *part, int64_t crystal_hz, bool keeps_time)
{
    if (part->flash.size == 0 || part->flash.page_size == 0 ||
        part->flash.page_size > FLASH_PAGE_MAX || part->eeprom.page_size > EEPROM_PAGE_MAX) {
        return NULL;
    }
    struct avr_target *target = calloc(1, sizeof *target);
    if (target == NULL) {
        return NULL;
    }
    target->part = part;
    target->crystal_hz = crystal_hz;
    target->keeps_time = keeps_time;
    target->noise = part->signature[2];
    target->flash = malloc(part->flash.size);
    target->eeprom = malloc(part->eeprom.size + 1); /* some parts have none */
    if (target->flash == NULL || target->eeprom == NULL) {
        avr_target_free(target);
        return NULL;
    }
    set_factory_state(target);
    return target;
}

void avr_target_preset(struct avr_target *target, enum part_memory memory, const uint8_t *bytes,
                       uint32_t count)
{
    if (memory == PART_FLASH || memory == PART_EEPROM) {
        memcpy(memory == PART_FLASH ? target->flash : target->eeprom, bytes, count);
        return;
    }
    uint8_t mask = mask_of(target, memory);
    uint8_t *byte = byte_of(target, memory);
    *byte = (uint8_t)((*byte & ~mask) | (bytes[0] & mask));
    latch_fuses(target);
}

void avr_target_feed_clock(struct avr_target *target, int64_t signal_hz)
{
    target->signal_hz = signal_hz;
    latch_fuses(target);
}

void avr_target_set_defects(struct avr_target *target, const struct avr_target_defects *defects)
{
    target->defects = *defects;
    target->keeps_time |= defects->write_factor > 0;
    latch_fuses(target);
}

void avr_target_cut_next_write(struct avr_target *target)
{
    target->cut_write = true;
}

void avr_target_free(struct avr_target *target)
{
    if (target != NULL) {
        free(target->flash);
        free(target->eeprom);
        free(target);
    }
}

const struct part *avr_target_part(const struct avr_target *target)
{
    return target->part;
}

const uint8_t *avr_target_memory(const struct avr_target *target, enum part_memory memory,
                                 uint32_t *size)
{
    const uint8_t *bytes = NULL;
    if (memory == PART_FLASH) {
        bytes = target->flash;
    } else if (memory == PART_EEPROM && target->part->eeprom.size != 0) {
        bytes = target->eeprom;
    } else if (part_is_fuse_or_lock(memory) && mask_of(target, memory) != 0) {
        bytes = &target->bytes[memory - PART_FIRST_FUSE];
    }
    if (size != NULL) {
        *size = bytes == NULL ? 0 : part_memory_size(target->part, memory);
    }
    return bytes;
}

int64_t avr_target_clock_hz(const struct avr_target *target)
{
    return target->clock_hz;
}

const struct avr_target_counts *avr_target_counts(const struct avr_target *target)
{
    return &target->counts;
}

int64_t avr_target_writes_sent(const struct avr_target *target, enum part_memory memory,
                               uint8_t value)
{
    return part_is_fuse_or_lock(memory) ? target->writes_sent[memory - PART_FIRST_FUSE][value] : 0;
}

const uint8_t *avr_target_frame(const struct avr_target *target, int index)
{
    int64_t kept =
        target->frames_seen < AVR_TARGET_FRAMES ? target->frames_seen : AVR_TARGET_FRAMES;
    if (index < 0 || index >= kept) {
        return NULL;
    }
    return target->frames[(target->frames_seen - kept + index) % AVR_TARGET_FRAMES];
}
