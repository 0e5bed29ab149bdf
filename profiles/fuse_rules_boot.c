/* Rules about the boot section: where the part starts, what stands there, and what the lock bits
 * let the two sections do to each other. "Boot Loader Support" and "Memory Programming" in the AVR
 * datasheets, for example ATmega328P (8271J), chapters 27 and 28. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "profiles/fuse_rules_case.h"
#include "profiles/fuse_words.h"

#define BLANK 0xFF

/* BLB0 and BLB1 by their two bits, the left one BLBx2. */
#define MODE_SPM_AND_LPM_LOCKED 0
#define MODE_LPM_LOCKED 1
#define MODE_SPM_LOCKED 2

/* ---- the section ---- */

/* NULL: the part has none, or the byte that chooses it is left as found. */
static const struct part_boot_section *find_section(const struct fuse_case *looking)
{
    const struct part *part = looking->part;
    enum part_memory memory;
    uint8_t code = 0; /* of the one section where no fuse chooses */

    if (fuse_words_find(part, "BOOTSZ", &memory) != NULL &&
        fuse_case_field(looking, "BOOTSZ", &memory, &code) == NULL)
        return NULL;
    for (int i = 0; i < part->boot_section_count; i++)
        if (part->boot_sections[i].bootsz_value == code)
            return &part->boot_sections[i];
    return NULL;
}

/* Which byte says where the section is; PART_MEMORY_COUNT where none does. */
static enum part_memory section_memory(const struct fuse_case *looking)
{
    enum part_memory memory;

    return fuse_words_find(looking->part, "BOOTSZ", &memory) != NULL ? memory : PART_MEMORY_COUNT;
}

/* Is a field of one bit, which not all parts have, known and programmed? */
static bool is_on(const struct fuse_case *looking, const char *name)
{
    enum part_memory memory;
    uint8_t code;

    return fuse_case_field(looking, name, &memory, &code) != NULL && code == 0;
}

/* ---- the images ---- */

static bool has_role(const struct profile_image_source *source, const char *role)
{
    return source->role != NULL && strcmp(source->role, role) == 0;
}

static const struct profile_image_source *find_bootloader(const struct profile *profile)
{
    for (size_t i = 0; i < profile->source_count; i++)
        if (has_role(&profile->sources[i], "bootloader"))
            return &profile->sources[i];
    return NULL;
}

static const char *file_name(const struct profile_image_source *source)
{
    const char *slash = strrchr(source->path, '/');

    return slash != NULL ? slash + 1 : source->path;
}

/* The first byte of `source` from `start` on that is not blank; false where there is none. */
static bool find_byte(const struct profile *profile, const struct profile_image_source *source,
                      uint32_t start, uint32_t *address)
{
    uint32_t at = source->first_address > start ? source->first_address : start;

    while (at <= source->last_address && profile->flash->data[at] == BLANK)
        at++;
    *address = at;
    return at <= source->last_address;
}

/* The same of all that may be a bootloader, or hold one: files without a role often hold both. */
static bool find_boot_byte(const struct profile *profile, uint32_t start, uint32_t *address)
{
    bool found = false;

    for (size_t i = 0; i < profile->source_count; i++) {
        uint32_t at;

        if (has_role(&profile->sources[i], "application") ||
            !find_byte(profile, &profile->sources[i], start, &at) || (found && at >= *address))
            continue;
        *address = at;
        found = true;
    }
    return found;
}

/* The lowest byte of all images that are said to be the bootloader. */
static bool find_bootloader_start(const struct profile *profile, uint32_t *address)
{
    bool found = false;

    for (size_t i = 0; i < profile->source_count; i++) {
        uint32_t at;

        if (!has_role(&profile->sources[i], "bootloader") ||
            !find_byte(profile, &profile->sources[i], 0, &at) || (found && at >= *address))
            continue;
        *address = at;
        found = true;
    }
    return found;
}

static bool is_blank_word(const struct image *flash, uint32_t at)
{
    return flash->data[at] == BLANK && flash->data[at + 1] == BLANK;
}

/* Does what stands before the section go on into it? A page without a blank word before it, and a
 * word at its start: code that is whole, not a checksum at the end of the application's room. */
static bool runs_across(const struct fuse_case *looking, const struct part_boot_section *section)
{
    const struct image *flash = looking->profile->flash;
    uint32_t start = section->start_byte_address;
    uint32_t page = looking->part->flash.page_size;

    if (page < 2 || start < page || section->size_bytes < 2)
        return false;
    for (uint32_t at = start - page; at <= start; at += 2)
        if (is_blank_word(flash, at))
            return false;
    return true;
}

static bool is_blank_page(const struct image *flash, uint32_t start, uint32_t end)
{
    for (uint32_t at = start; at < end; at++)
        if (flash->data[at] != BLANK)
            return false;
    return true;
}

/* The image in which a block begins at `start`, after a page that is blank; NULL: none does. */
static const struct profile_image_source *find_block(const struct fuse_case *looking,
                                                     uint32_t start)
{
    const struct profile *profile = looking->profile;
    uint32_t page = looking->part->flash.page_size;

    if (page < 2 || start < page || start + 2 > profile->flash->size ||
        is_blank_word(profile->flash, start) || !is_blank_page(profile->flash, start - page, start))
        return NULL;
    for (size_t i = 0; i < profile->source_count; i++) {
        const struct profile_image_source *source = &profile->sources[i];

        if (!has_role(source, "application") && source->first_address <= start &&
            source->last_address >= start)
            return source;
    }
    return NULL;
}

/* Where no image is said to be the bootloader: the one that holds what looks like it, a block that
 * begins just where a boot section of the part may start. That is `section`, which may be NULL, or
 * the lowest one. NULL: nothing looks so. */
static const struct profile_image_source *
find_likely_bootloader(const struct fuse_case *looking, const struct part_boot_section *section,
                       uint32_t *address)
{
    const struct part *part = looking->part;
    const struct profile_image_source *lowest = NULL;

    if (find_bootloader(looking->profile) != NULL)
        return NULL;
    for (int i = 0; i < part->boot_section_count; i++) {
        uint32_t start = part->boot_sections[i].start_byte_address;
        const struct profile_image_source *found = find_block(looking, start);

        if (found == NULL)
            continue;
        if (section != NULL && start == section->start_byte_address) {
            *address = start;
            return found;
        }
        if (lowest == NULL || start < *address) {
            *address = start;
            lowest = found;
        }
    }
    return lowest;
}

/* ---- where the part starts ---- */

/* Does no reset start the boot section, whatever its pins? */
static bool is_never_started(const struct fuse_case *looking)
{
    enum part_memory memory;
    uint8_t code;

    if (!fuse_case_unprogrammed(looking, looking->part->bootrst))
        return false;
    return fuse_words_find(looking->part, "HWBE", &memory) == NULL ||
           (fuse_case_field(looking, "HWBE", &memory, &code) != NULL && code != 0);
}

/* A bootloader that is elsewhere is the next rule's. */
void fuse_rule_bootrst_without_bootloader(struct fuse_case *looking)
{
    const struct part *part = looking->part;
    const struct part_boot_section *section = find_section(looking);
    uint32_t at;

    if (section == NULL || !fuse_case_programmed(looking, part->bootrst) ||
        find_boot_byte(looking->profile, section->start_byte_address, &at) ||
        find_bootloader_start(looking->profile, &at) ||
        find_likely_bootloader(looking, section, &at) != NULL)
        return;
    fuse_case_report(looking, part->bootrst.memory, NULL,
                     "BOOTRST is on, so the part starts at 0x%04" PRIX32
                     ", where no image has a bootloader: add its image, or turn BOOTRST off",
                     section->start_byte_address);
}

/* "; with BOOTSZ 2048 words it would" */
static void suggest_section(const struct part *part, uint32_t start, char *text, size_t bytes)
{
    enum part_memory memory;
    const struct part_field *field = fuse_words_find(part, "BOOTSZ", &memory);
    char choice[FUSE_WORDS_CHOICE_BYTES];

    text[0] = '\0';
    for (int i = 0; field != NULL && i < part->boot_section_count; i++)
        if (part->boot_sections[i].start_byte_address == start) {
            fuse_words_choice(field, part->boot_sections[i].bootsz_value, choice);
            snprintf(text, bytes, "; with BOOTSZ %s it would", choice);
        }
}

/* `advice` ends the sentence. */
static void report_other_start(struct fuse_case *looking, const struct profile_position *position,
                               const char *what, uint32_t found, uint32_t start, const char *advice)
{
    char suggestion[FUSE_WORDS_CHOICE_BYTES + 64];

    suggest_section(looking->part, found, suggestion, sizeof suggestion);
    if (suggestion[0] == '\0' && found == start / 2)
        snprintf(suggestion, sizeof suggestion, "; that is in words: link it for the byte address");
    fuse_case_report(looking, section_memory(looking), position,
                     "%.80s begins at 0x%04" PRIX32 ", expected 0x%04" PRIX32
                     ", where the boot section starts%s%s",
                     what, found, start, suggestion, advice);
}

/* Whatever starts it, a bootloader is entered there; and SPM works in the section alone. Only one
 * that the application's vectors enter may begin anywhere in it; images do not tell which that is.
 */
static void check_named_bootloader(struct fuse_case *looking,
                                   const struct part_boot_section *section)
{
    const struct profile_image_source *bootloader = find_bootloader(looking->profile);
    bool starts_there = fuse_case_programmed(looking, looking->part->bootrst);
    uint32_t start = section->start_byte_address, at;

    if (find_bootloader_start(looking->profile, &at) && at != start)
        report_other_start(looking, &bootloader->position, file_name(bootloader), at, start,
                           at < start || starts_there ? ""
                                                      : "; where the application's vectors enter "
                                                        "it (urboot), accept_risk takes it");
}

static void check_likely_bootloader(struct fuse_case *looking,
                                    const struct profile_image_source *source, uint32_t at,
                                    uint32_t start)
{
    char what[80];

    if (at == start || is_never_started(looking))
        return;
    snprintf(what, sizeof what, "what looks like the bootloader in %.40s", file_name(source));
    report_other_start(looking, &source->position, what, at, start,
                       "; if it is none, give the image its role");
}

/* A file that holds both does not say where its bootloader begins: it may be seen, and else the
 * part begins there. */
static void check_whole_image(struct fuse_case *looking, const struct part_boot_section *section)
{
    uint32_t start = section->start_byte_address, at;
    const struct profile_image_source *likely = find_likely_bootloader(looking, section, &at);

    if (likely != NULL) {
        check_likely_bootloader(looking, likely, at, start);
        return;
    }
    if (!fuse_case_programmed(looking, looking->part->bootrst) ||
        !find_boot_byte(looking->profile, start, &at))
        return;
    if (at > start + 1)
        report_other_start(looking, &looking->profile->images_position,
                           "what the images have in the boot section", at, start, "");
    else if (runs_across(looking, section))
        fuse_case_report(looking, section_memory(looking), &looking->profile->images_position,
                         "BOOTRST is on, but at 0x%04" PRIX32
                         ", where the part starts, the images go on without a gap from what "
                         "stands before: correct BOOTSZ, or give application and bootloader as "
                         "two images with their roles",
                         start);
}

void fuse_rule_bootloader_not_at_section(struct fuse_case *looking)
{
    const struct part_boot_section *section = find_section(looking);

    if (section == NULL)
        return;
    if (find_bootloader(looking->profile) != NULL)
        check_named_bootloader(looking, section);
    else
        check_whole_image(looking, section);
}

void fuse_rule_application_in_boot_section(struct fuse_case *looking)
{
    const struct profile *profile = looking->profile;
    const struct part_boot_section *section = find_section(looking);

    if (section == NULL || find_bootloader(profile) == NULL)
        return;
    for (size_t i = 0; i < profile->source_count; i++) {
        const struct profile_image_source *source = &profile->sources[i];

        if (has_role(source, "bootloader") || source->last_address < section->start_byte_address)
            continue;
        fuse_case_report(looking, PART_MEMORY_COUNT, &source->position,
                         "%.60s reaches 0x%04" PRIX32 ", expected below 0x%04" PRIX32
                         ", where the boot section starts: make it shorter, or the section "
                         "smaller",
                         file_name(source), source->last_address, section->start_byte_address);
    }
}

void fuse_rule_bootloader_unreached(struct fuse_case *looking)
{
    const struct part *part = looking->part;
    const struct profile_image_source *named = find_bootloader(looking->profile);
    const struct profile_image_source *likely;
    char what[100];
    enum part_memory memory;
    uint32_t at;

    if (!is_never_started(looking))
        return;
    likely = find_likely_bootloader(looking, find_section(looking), &at);
    if (named != NULL)
        snprintf(what, sizeof what, "%.60s", file_name(named));
    else if (likely != NULL)
        snprintf(what, sizeof what, "what begins at 0x%04" PRIX32 " in %.60s", at,
                 file_name(likely));
    else
        return;
    fuse_case_report(looking, part->bootrst.memory, NULL,
                     "BOOTRST is off%s, so only the application can start %s: turn BOOTRST on "
                     "unless it does%s",
                     fuse_words_find(part, "HWBE", &memory) != NULL ? " and so is HWBE" : "", what,
                     named != NULL ? "" : ", or is no bootloader");
}

/* ---- what the sections may do to each other ---- */

static bool locks_spm(uint8_t mode)
{
    return mode == MODE_SPM_LOCKED || mode == MODE_SPM_AND_LPM_LOCKED;
}

static bool locks_lpm(uint8_t mode)
{
    return mode == MODE_LPM_LOCKED || mode == MODE_SPM_AND_LPM_LOCKED;
}

/* One that is said to be there, or what a reset would start. */
static bool has_bootloader(const struct fuse_case *looking, const struct part_boot_section *section)
{
    uint32_t at = 0;

    if (find_bootloader(looking->profile) != NULL)
        return true;
    return (fuse_case_programmed(looking, looking->part->bootrst) || is_on(looking, "HWBE")) &&
           find_boot_byte(looking->profile, section->start_byte_address, &at);
}

/* Every bootloader writes the application; and nearly every one reads it, to verify it or to see
 * whether there is one. */
static void check_bootloader_locks(struct fuse_case *looking, uint8_t blb0)
{
    if (locks_spm(blb0))
        fuse_case_report(looking, PART_LOCK, NULL,
                         "BLB0 forbids SPM in the application section, so the bootloader could "
                         "not write it: expected BLB0 NO_LOCK");
    else if (locks_lpm(blb0))
        fuse_case_report(looking, PART_LOCK, NULL,
                         "BLB0 forbids the bootloader to read the application (LPM), so it could "
                         "not verify what it wrote: expected BLB0 NO_LOCK");
}

/* A program without a bootloader that is so long that it stands in both sections: from the one it
 * reads nothing in the other. */
static void check_program_locks(struct fuse_case *looking, const struct part_boot_section *section,
                                uint8_t blb0, uint8_t blb1)
{
    const struct image *flash = looking->profile->flash;
    uint32_t at = section->start_byte_address;

    if (!locks_lpm(blb0) && !locks_lpm(blb1))
        return;
    while (at < flash->size && flash->data[at] == BLANK)
        at++;
    if (at == flash->size)
        return;
    fuse_case_report(looking, PART_LOCK, NULL,
                     "%s forbids LPM across 0x%04" PRIX32
                     ", but the images stand on both sides of it without a bootloader: expected "
                     "%s NO_LOCK, or a smaller boot section",
                     locks_lpm(blb0) ? "BLB0" : "BLB1", section->start_byte_address,
                     locks_lpm(blb0) ? "BLB0" : "BLB1");
}

void fuse_rule_lock_hides(struct fuse_case *looking)
{
    const struct part_boot_section *section = find_section(looking);
    enum part_memory memory;
    uint8_t blb0, blb1;

    if (fuse_case_field(looking, "BLB0", &memory, &blb0) == NULL ||
        fuse_case_field(looking, "BLB1", &memory, &blb1) == NULL)
        return;
    if (find_bootloader(looking->profile) != NULL ||
        (section != NULL && has_bootloader(looking, section)))
        check_bootloader_locks(looking, blb0);
    else if (section != NULL)
        check_program_locks(looking, section, blb0, blb1);
}

void fuse_rule_selfprgen(struct fuse_case *looking)
{
    const struct profile_image_source *bootloader = find_bootloader(looking->profile);
    enum part_memory memory;
    uint8_t code;

    if (bootloader == NULL || fuse_case_field(looking, "SELFPRGEN", &memory, &code) == NULL ||
        code == 0)
        return;
    fuse_case_report(looking, memory, NULL,
                     "SELFPRGEN is off, so %.60s could not write the flash: turn it on",
                     file_name(bootloader));
}
