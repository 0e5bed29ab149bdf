/* A board profile: what a board must become. Loaded from YAML with its part and its images, checked
 * as a whole, then never changed. Every message names file, line and column. */
#ifndef PROFILES_PROFILE_H
#define PROFILES_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiles/image_file.h"
#include "profiles/part.h"

#define PROFILE_ACCEPT_MAX 8
#define PROFILE_RISKS_MAX 8
#define PROFILE_TEXT_BYTES 128
#define PROFILE_RULE_NAME_BYTES 40

/* Where something stands in the profile file; both count from 1. 0: nowhere. */
struct profile_position {
    int line, column;
};

/* What the board is said to run on. */
enum profile_clock_source {
    PROFILE_CLOCK_NOT_SAID,
    PROFILE_CLOCK_CRYSTAL,
    PROFILE_CLOCK_INTERNAL,
    PROFILE_CLOCK_EXTERNAL, /* a signal is fed in */
    PROFILE_CLOCK_RESONATOR,
    PROFILE_CLOCK_RC_NETWORK /* a resistor and a capacitor; old parts alone */
};

enum profile_eeprom {
    PROFILE_EEPROM_KEEP,    /* a board whose erase would clear it is refused, unless it is blank */
    PROFILE_EEPROM_RESTORE, /* kept as well: where the erase clears it, saved before and put back */
    PROFILE_EEPROM_ERASE,
    PROFILE_EEPROM_FILE
};

/* What becomes of a board that already carries exactly this profile. */
enum profile_if_already {
    PROFILE_IF_ALREADY_REDO, /* is not looked for: every board is done anew */
    PROFILE_IF_ALREADY_PASS,
    PROFILE_IF_ALREADY_REFUSE
};

/* When the fuses that choose the clock are written. */
enum profile_speed {
    PROFILE_SPEED_AS_FOUND,   /* with the others, after the flash is verified */
    PROFILE_SPEED_CLOCK_FIRST /* after the erase: the flash is written at the clock they choose */
};

/* What the profile says of one fuse or of the lock byte. A part's every fuse has a rule: it is
 * given, or the profile says `leave`. */
struct profile_byte_rule {
    bool exists; /* the part has this byte */
    bool leave;
    uint8_t write; /* as the profile gives it */
    uint8_t accept[PROFILE_ACCEPT_MAX];
    struct profile_position position, accept_positions[PROFILE_ACCEPT_MAX];
    size_t accept_count;
    char because[PROFILE_TEXT_BYTES];
};

/* A rule that the profile breaks with intent (profiles/fuse_rules.h). */
struct profile_risk {
    char rule[PROFILE_RULE_NAME_BYTES];
    char because[PROFILE_TEXT_BYTES];
    struct profile_position position;
};

struct profile_image_source {
    char *path; /* as opened: beside the profile file unless absolute */
    char *role; /* "application", "bootloader", or NULL */
    struct profile_position position;
    enum image_format format;
    char sha256[DIGEST_TEXT_BYTES];
    uint32_t byte_count;
    uint32_t first_address;
    uint32_t last_address;
};

struct profile {
    char *path;
    char sha256[DIGEST_TEXT_BYTES]; /* of the profile file */
    char name[PROFILE_TEXT_BYTES];
    char article[PROFILE_TEXT_BYTES];
    char revision[32];
    char via[16];                        /* "isp" */
    struct part *part;                   /* owned */
    char clock_text[PROFILE_TEXT_BYTES]; /* "crystal 16 MHz"; empty if not given */
    enum profile_clock_source clock_source;
    int64_t clock_hz;  /* of the board's oscillator; 0: not given */
    int64_t supply_mv; /* 0: not given */
    /* Of these pins the board makes use of its own: `board: {uses: [jtag-pins, hwb-pin]}`. */
    bool uses_jtag_pins, uses_hwb_pin;
    /* Of `board`, `images` and `eeprom`; where one is left out, of the profile. */
    struct profile_position board_position, images_position, eeprom_position;
    struct profile_image_source *sources;
    size_t source_count;
    struct image *flash;                       /* composed of all sources */
    struct image *eeprom;                      /* NULL unless PROFILE_EEPROM_FILE */
    struct profile_image_source eeprom_source; /* of `eeprom`; its path is NULL with it */
    enum profile_eeprom eeprom_policy;
    enum profile_if_already if_already;
    char image_sha256[DIGEST_TEXT_BYTES]; /* image_digest() of `flash` and `eeprom` */
    struct profile_byte_rule rules[PART_FUSE_AND_LOCK_COUNT]; /* index: memory - PART_FIRST_FUSE */
    struct profile_risk risks[PROFILE_RISKS_MAX];
    size_t risk_count;
    bool verify_whole; /* the flash outside the images must read blank, too */
    enum profile_speed speed;
    int retry_contact; /* more tries after a contact failure before the erase */
    int retry_verify;  /* 0 or 1 */
};

/* Loads a profile, its part from `parts_directory` (one or several, as for part_load()), and its
 * images. What its values mean for the board is judged elsewhere (profiles/fuse_rules.h), before
 * every plan. The caller frees. */
int profile_load(const char *path, const char *parts_directory, struct profile **profile,
                 struct failure *failure);
/* The same from memory; the images are looked for beside `path`. For fuzzing and tests. */
int profile_parse(const char *path, const char *text, size_t bytes, const char *parts_directory,
                  struct profile **profile, struct failure *failure);
void profile_free(struct profile *profile);

/* NULL where the part has no such byte. */
const struct profile_byte_rule *profile_rule(const struct profile *profile,
                                             enum part_memory memory);
/* The risk that the profile accepts by the rule's name; NULL: it does not. */
const struct profile_risk *profile_find_risk(const struct profile *profile, const char *rule);
/* The EEPROM is to hold afterwards what it held before. */
bool profile_keeps_eeprom(const struct profile *profile);

#endif
