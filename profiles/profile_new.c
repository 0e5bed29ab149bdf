#include "profiles/profile_new.h"

#include "profiles/fuse_words.h"
#include "profiles/part_clock.h"

/* Some parts leave the factory set for a crystal, and the profile must say that it is there. All of
 * them take 8 MHz. */
static const char *factory_board(const struct part *part)
{
    uint8_t bytes[PART_FUSE_AND_LOCK_COUNT] = {0};

    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++)
        bytes[memory - PART_FIRST_FUSE] =
            (uint8_t)part->bytes[memory - PART_FIRST_FUSE].factory_default;
    switch (part->cksel.mask != 0 ? part_clock_oscillator(part, bytes).kind
                                  : PART_OSCILLATOR_UNKNOWN) {
    case PART_OSCILLATOR_CRYSTAL:
        return "board: {clock: crystal 8 MHz, supply: 5 V}  # to be corrected\n";
    case PART_OSCILLATOR_EITHER:
    case PART_OSCILLATOR_SIGNAL:
        return "board: {clock: external 8 MHz, supply: 5 V}  # to be corrected\n";
    default:
        return "#board: {clock: crystal 16 MHz, supply: 5 V}\n";
    }
}

static void write_head(const struct part *part, FILE *out)
{
    fprintf(out,
            "# A profile for boards with an %s, to start from. Every fuse is as the part leaves\n"
            "# the factory: change what your board needs, then try it without touching anything:\n"
            "#   gangflash check FILE\n"
            "format: 1\n"
            "profile: my-board            # a name of its own, for the log\n"
            "article: ARTICLE-NUMBER      # what the operator sees and confirms\n"
            "revision: 1\n"
            "via: isp\n"
            "part: %s\n"
            "signature: %02X %02X %02X          # must agree with the part\n",
            part->name, part->name, part->signature[0], part->signature[1], part->signature[2]);
    fprintf(out,
            "# What is at the part's clock pins, or drives it: crystal, resonator, internal,\n"
            "# external or rc-network, and its frequency; and the supply in use.\n"
            "%s"
            "images:                      # several are joined; where they overlap is an error\n"
            "  - {file: application.hex}  # beside this file; sha256: … pins what is in it\n",
            factory_board(part));
}

/* The names of the field's other choices, where they are few enough to be read. */
static void write_others(const struct part_field *field, uint8_t chosen, FILE *out)
{
    enum { FEW = 8 };
    const char *separator = "; else ";

    if (field->value_count == 0 || field->value_count > FEW)
        return;
    for (unsigned code = 0; code < fuse_words_code_count(field); code++) {
        char choice[FUSE_WORDS_CHOICE_BYTES];

        if (code == chosen || !fuse_words_is_documented(field, (uint8_t)code))
            continue;
        fuse_words_choice(field, (uint8_t)code, choice);
        fprintf(out, "%s%s", separator, choice);
        separator = ", ";
    }
}

static void write_field(const struct part_field *field, uint8_t byte, const char *indent, FILE *out)
{
    uint8_t code = fuse_words_code(field, byte);
    char choice[FUSE_WORDS_CHOICE_BYTES], meaning[FUSE_WORDS_MEANING_BYTES];

    fuse_words_choice(field, code, choice);
    fuse_words_meaning(field, code, meaning);
    fprintf(out, "%s%s: %s  # %s", indent, field->name, choice, meaning);
    write_others(field, code, out);
    fprintf(out, "\n");
}

/* Can every field of the byte be said in words? */
static bool is_in_words(const struct part_byte *byte, uint8_t value)
{
    for (size_t i = 0; i < byte->field_count; i++)
        if (!fuse_words_is_documented(&byte->fields[i], fuse_words_code(&byte->fields[i], value)))
            return false;
    return byte->field_count > 0;
}

static void write_byte(const struct part *part, enum part_memory memory, const char *indent,
                       FILE *out)
{
    const struct part_byte *byte = part_byte(part, memory);
    char deeper[8];

    if (byte == NULL || !part_byte_is_programmable(part, memory))
        return;
    snprintf(deeper, sizeof deeper, "%s  ", indent);
    if (byte->factory_default < 0) {
        fprintf(out, "%s%s: leave  # what the factory gives it is not known\n", indent, byte->name);
        return;
    }
    uint8_t value = (uint8_t)byte->factory_default;
    if (!is_in_words(byte, value)) {
        fprintf(out, "%s%s: 0x%02X\n", indent, byte->name, value);
        return;
    }
    fprintf(out, "%s%s:  # 0x%02X\n", indent, byte->name, value);
    for (size_t i = 0; i < byte->field_count; i++)
        write_field(&byte->fields[i], value, deeper, out);
}

static bool has_fuses(const struct part *part)
{
    for (enum part_memory memory = PART_FIRST_FUSE; memory < PART_LOCK; memory++)
        if (part_byte_is_programmable(part, memory))
            return true;
    return false;
}

void profile_write_new(const struct part *part, FILE *out)
{
    write_head(part, out);
    if (has_fuses(part))
        fprintf(out,
                "# In words as here, or as a byte (low: 0x62). What there is to choose, and "
                "what it means:\n#   gangflash fuses %s FIELD\n"
                "fuses:\n",
                part->name);
    for (enum part_memory memory = PART_FIRST_FUSE; memory < PART_LOCK; memory++)
        write_byte(part, memory, "  ", out);
    write_byte(part, PART_LOCK, "", out);
    if (part->eeprom.size != 0)
        fprintf(out, "eeprom: erase                # keep | {keep: restore} | erase | {file: …}\n");
    fprintf(out, "verify: image                # or whole: the rest of the flash must be blank\n"
                 "if_already: redo             # redo | pass | refuse: a board that carries just "
                 "this already\n");
    if (part->cksel.mask != 0)
        fprintf(
            out,
            "#speed: clock-first          # clock fuses before the flash, which is then written "
            "at the\n#                            # clock they choose; needs board: clock\n");
    fprintf(out, "retry: {contact: 3, verify: 0}\n");
}
