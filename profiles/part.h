/* The facts of one AVR type, from profiles/parts/<name>.yaml: memories, page sizes, times, fuses,
 * lock bits, ISP habits. Only the part that a profile names is loaded; its hash is logged. */
#ifndef PROFILES_PART_H
#define PROFILES_PART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reports/digest.h"
#include "reports/failure.h"

/* Every memory a driver may be asked for. Fuses and the lock byte are memories of one byte. */
enum part_memory {
    PART_FLASH,
    PART_EEPROM,
    PART_FUSE_LOW, /* also the only fuse of parts that have one */
    PART_FUSE_HIGH,
    PART_FUSE_EXTENDED,
    PART_LOCK,
    PART_SIGNATURE,
    PART_CALIBRATION,
    PART_MEMORY_COUNT
};
#define PART_FIRST_FUSE PART_FUSE_LOW
#define PART_FUSE_AND_LOCK_COUNT                                                                   \
    4 /* low, high, extended, lock, in this order from PART_FUSE_LOW                               \
       */

struct part_value {
    uint8_t code; /* right-aligned */
    char *name;
};

struct part_field {
    char *name;
    uint8_t mask;
    struct part_value *values;
    size_t value_count; /* 0: a bit, 0 is programmed (on), 1 unprogrammed */
};

/* The instruction that reads or writes a fuse or the lock byte, 32 bits as a datasheet's table has
 * them. The oldest parts have some of their own. */
struct part_instruction {
    uint8_t bits[4];  /* the fixed bits; all others 0, which is also how they are sent */
    uint8_t fixed[4]; /* which bits are fixed */
    /* Where bit n of the value stands: 1 + its place among the 32 bits, of which the first one sent
     * is 0; 0: the instruction does not carry it. */
    uint8_t place[8];
};

/* One fuse byte or the lock byte. */
struct part_byte {
    bool exists;
    bool readable, writable; /* over ISP */
    struct part_instruction read, write;
    char name[12];       /* "low", "high", "extended", "fuse", "lock" */
    uint8_t mask;        /* bits that exist; only these are compared, the others are written as 1 */
    int factory_default; /* -1: not known */
    struct part_field *fields;
    size_t field_count;
};

/* A flash or EEPROM. */
struct part_array {
    uint32_t size;           /* bytes */
    uint32_t page_size;      /* bytes; 1 where the part file gives none */
    bool page_write;         /* over ISP: false means byte by byte */
    uint32_t write_delay_us; /* per page, or per byte where there are no pages; datasheet maximum */
    bool needs_extended_address; /* above 128 KiB: 4D 00 ext 00 */
    bool has_unpollable;
    uint8_t unpollable[2]; /* values that value polling cannot see */
};

struct part_boot_section {
    uint8_t bootsz_value; /* 0 where the one section is fixed and no fuse selects it */
    uint32_t size_bytes;
    uint32_t start_byte_address;
};

/* Where a bit that can lock the station out, or that it must know, stands; mask 0: not there. */
struct part_bit {
    enum part_memory memory;
    uint8_t mask;
};

struct part {
    char name[32];
    char *path;                     /* of the part file; NULL where it was made otherwise */
    char sha256[DIGEST_TEXT_BYTES]; /* of the part file */
    uint8_t signature[3];
    struct part_array flash;
    struct part_array eeprom;                         /* size 0: none */
    struct part_byte bytes[PART_FUSE_AND_LOCK_COUNT]; /* index: memory - PART_FIRST_FUSE */
    uint32_t chip_erase_delay_us;
    uint32_t fuse_write_delay_us;
    uint32_t lock_write_delay_us;
    uint8_t calibration_bytes;
    int64_t factory_clock_hz; /* 0: not known; CKDIV8 already counted */
    bool factory_ckdiv8;
    /* What the crystal oscillator takes at most, where the values' names give no end
     * (EXTXOSC_…_XX), and the full swing one; 0: the part file does not say, for the datasheet
     * gives no end. */
    int64_t crystal_max_hz, full_swing_max_hz;
    bool poll_ready;                /* F0 00 00 answers RDY/BSY */
    bool poll_after_erase;          /* also after a chip erase */
    bool sync_echo;                 /* the third answer byte of AC 53 is 53 */
    uint8_t sck_divider;            /* SCK must stay below clock / this */
    uint8_t sck_divider_from_12mhz; /* the same for clocks of 12 MHz and more */
    struct part_bit spien, rstdisbl, dwen, eesave, ckdiv8, cksel, bootrst, jtagen;
    struct part_boot_section boot_sections[4];
    int boot_section_count;
};

/* Where part files are looked for, in this order: the directories of $GANGFLASH_PARTS (separated by
 * colons; each must be there), gangflash/parts in the user's configuration ($XDG_CONFIG_HOME, else
 * ~/.config), and `shipped`. For part_load() and the others below. The caller frees. */
int part_directories(const char *shipped, char **directories, struct failure *failure);

/* Loads <name>.yaml from the first of `directories` that has it; they are separated by colons. A
 * file that is wrong is a failure, never passed over for one of a later directory. The name is
 * matched exactly. FAILURE_PROFILE_INVALID when there is no such part (the message suggests
 * the nearest), FAILURE_PART_INVALID when its file is wrong. The caller frees with part_free(). */
int part_load(const char *directories, const char *name, struct part **part,
              struct failure *failure);
/* The same from memory; `name` stands in the messages. For fuzzing and tests. */
int part_parse(const char *name, const char *text, size_t bytes, struct part **part,
               struct failure *failure);
void part_free(struct part *part);

/* The file that part_load() would take for `name`; false where there is none. */
bool part_find(const char *directories, const char *name, char *path, size_t path_bytes);
/* The names of all parts that have a file in one of `directories`, each once, in order. The caller
 * frees with part_list_free(). Directories that are not there are passed over. */
struct part_list {
    char **names; /* ends with NULL */
    size_t count;
};
int part_list(const char *directories, struct part_list *list, struct failure *failure);
void part_list_free(struct part_list *list);

/* Gives every byte of a part the instructions that all but the oldest parts have. For parts that do
 * not come from a file; of those that do, the bytes whose file gives no others. */
void part_use_standard_instructions(struct part *part);
/* Can the byte be read and written over ISP? Only then a profile may ask for a value. False where
 * the part has no such byte. */
bool part_byte_is_programmable(const struct part *part, enum part_memory memory);

/* NULL where the part has no such fuse (or `memory` is neither fuse nor lock). */
const struct part_byte *part_byte(const struct part *part, enum part_memory memory);
/* Does `bytes` have the fixed bits of `instruction`? Then `value` receives the value's bits that it
 * carries (the others 1), and `carried` says which those are. */
bool part_instruction_decode(const struct part_instruction *instruction, const uint8_t bytes[4],
                             uint8_t *value, uint8_t *carried);
/* Size in bytes of any memory; 0 where it does not exist. */
uint32_t part_memory_size(const struct part *part, enum part_memory memory);
/* "flash", "eeprom", "low", … as the part calls it. */
const char *part_memory_name(const struct part *part, enum part_memory memory);
bool part_is_fuse_or_lock(enum part_memory memory);
/* Are two bytes equal on the bits that exist? */
bool part_byte_equal(const struct part *part, enum part_memory memory, uint8_t a, uint8_t b);
/* Is the bit programmed (0) in `value`, the byte of bit.memory? False where the bit is not there.
 */
bool part_bit_programmed(struct part_bit bit, uint8_t value);
/* "BOOTRST on, BOOTSZ 2048W_3800, …" into `text`. For people. */
void part_describe_byte(const struct part *part, enum part_memory memory, uint8_t value, char *text,
                        size_t text_bytes);

#endif
